//! Assembling sparse Hessians: products with the directions of a plan, and the entries out of them.

use alloc::vec;
use alloc::vec::Vec;
use core::borrow::Borrow;

use super::{Sparse, SparsePlan};
use crate::operators::{HessianOperator, Scalar, check_operand};

/// A plan with room to carry it out, point after point.
///
/// An assembly takes [`products`](SparsePlan::products) products, several directions ("lanes") at once through
/// [`apply_block`](HessianOperator::apply_block), and time linear in `dim + nnz` for the rest. It allocates nothing itself.
/// The room is `2 · dim · lanes` numbers and the Hessian; it does not depend on the number of colours.
///
/// `P` is how the plan is held: [`SparsePlan`], `&SparsePlan` or `Arc<SparsePlan>`.
///
/// ```
/// use ad_runtime::operators::HessianOperator;
/// use ad_runtime::sparse::{Coloring, CompressedHessian, Order, Pattern, Sparse, SparsePlan};
///
/// let pattern = Pattern::arrowhead(100, 1);
/// let plan = SparsePlan::new(pattern.clone(), &Coloring::star(&pattern, Order::SmallestLast))?;
/// let mut compressed = CompressedHessian::with_lanes(plan, 2);
/// for point in 1..4 {
///     let values = (0..pattern.nnz()).map(|_| f64::from(point)).collect();
///     let operator = Sparse::new(pattern.clone(), values); // in truth, `f_hessian(&x)` or `f_linearize(&x)`
///     let hessian = compressed.assemble(&operator);
///     assert_eq!(hessian.get(99, 5), f64::from(point));
/// }
/// # Ok::<(), ad_runtime::sparse::ColoringError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CompressedHessian<T, P> {
    plan: P,
    lanes: usize,
    /// Of length `dim * lanes`, as are the products.
    directions: Vec<T>,
    products: Vec<T>,
    hessian: Sparse<T>,
}

/// The number of directions at once, unless one asks for another.
const DEFAULT_LANES: usize = 8;

impl<T: Scalar, P: Borrow<SparsePlan>> CompressedHessian<T, P> {
    /// With 8 directions at once. The Hessian is zero until one is assembled.
    pub fn new(plan: P) -> Self {
        Self::with_lanes(plan, DEFAULT_LANES)
    }

    /// With so many directions at once, or all of the plan if it has fewer.
    ///
    /// # Panics
    /// If `lanes` is 0.
    pub fn with_lanes(plan: P, lanes: usize) -> Self {
        assert!(lanes > 0, "CompressedHessian::with_lanes: argument `lanes` is 0, expected at least 1");
        let shared: &SparsePlan = plan.borrow();
        let lanes = lanes.min(shared.products());
        let room = vec![T::zero(); shared.pattern().dim() * lanes];
        let hessian = Sparse::zeros(shared.pattern().clone());
        Self { plan, lanes, products: room.clone(), directions: room, hessian }
    }

    /// Overwrites the Hessian by that of an operator, which must have the plan's pattern or less: this is not checked, see
    /// [`Sparse::verify`].
    ///
    /// # Panics
    /// If the operator has another dimension.
    pub fn assemble(&mut self, operator: &(impl HessianOperator<Scalar = T> + ?Sized)) -> &Sparse<T> {
        let plan: &SparsePlan = self.plan.borrow();
        let dim = plan.pattern().dim();
        check_operand("assemble", "operator", operator.dim(), dim);
        let values = self.hessian.values_mut();
        for first in (0..plan.products()).step_by(self.lanes.max(1)) {
            let lanes = first..plan.products().min(first + self.lanes);
            let directions = &mut self.directions[..dim * lanes.len()];
            let products = &mut self.products[..dim * lanes.len()];
            directions.fill(T::zero());
            for (lane, direction) in lanes.clone().zip(directions.chunks_exact_mut(dim)) {
                plan.direction(lane).iter().for_each(|&i| direction[i] = T::one());
            }
            operator.apply_block(directions, products);
            for (lane, product) in lanes.zip(products.chunks_exact(dim)) {
                plan.reads(lane).iter().for_each(|read| values[read.entry] = product[read.row]);
            }
        }
        for step in plan.steps() {
            let value = values[step.entry];
            values[step.mirror] = value;
            if let Some(sum) = step.subtract_from {
                values[sum] -= value;
            }
        }
        &self.hessian
    }

    /// How it is assembled.
    pub fn plan(&self) -> &SparsePlan {
        self.plan.borrow()
    }

    /// The Hessian that was assembled last.
    pub fn hessian(&self) -> &Sparse<T> {
        &self.hessian
    }

    /// The Hessian that was assembled last.
    pub fn into_hessian(self) -> Sparse<T> {
        self.hessian
    }
}
