//! The recurrence of preconditioned conjugate gradients, one product a step, and the inner iteration of Newton methods on
//! it: truncated, with negative curvature, with or without the boundary of a trust region.
//!
//! What users call on linear systems is in `cg`.

use alloc::vec;
use alloc::vec::Vec;

use super::preconditioner::Preconditioner;
use super::{Quantity, SolverError, all_finite, axpy, norm, real};
use crate::operators::{HessianOperator, Scalar, dot};

/// The state of preconditioned conjugate gradients on `H x = b`, without `x` (Hestenes & Stiefel 1952; Nocedal & Wright
/// 2006, algorithm 5.3). Four vectors.
#[derive(Debug)]
pub(super) struct Recurrence<T> {
    /// `b - H x`
    pub(super) residual: Vec<T>,
    /// `M⁻¹ r`
    preconditioned: Vec<T>,
    /// The search direction.
    pub(super) direction: Vec<T>,
    /// `H d`
    product: Vec<T>,
    /// `r·M⁻¹r`
    pub(super) rz: T,
    /// `d·M d`, by recurrence.
    pub(super) direction_squared: T,
    /// The largest curvature `d·Hd / d·Md` so far.
    largest: T,
    /// The last.
    quotient: T,
    /// What errors give as their iteration.
    pub(super) iteration: usize,
}

impl<T: Scalar> Recurrence<T> {
    pub(super) fn new(dim: usize) -> Self {
        let zeros = || vec![T::zero(); dim];
        Self {
            residual: zeros(),
            preconditioned: zeros(),
            direction: zeros(),
            product: zeros(),
            rz: T::zero(),
            direction_squared: T::zero(),
            largest: T::zero(),
            quotient: T::zero(),
            iteration: 0,
        }
    }

    /// Sets the residual to `b - H x`, with one product.
    pub(super) fn set_residual(
        &mut self,
        operator: &dyn HessianOperator<Scalar = T>,
        b: &[T],
        x: &[T],
    ) -> Result<(), SolverError> {
        operator.apply(x, &mut self.product);
        for ((r, &b), &hx) in self.residual.iter_mut().zip(b).zip(&self.product) {
            *r = b - hx;
        }
        if all_finite(&self.residual) {
            Ok(())
        } else {
            Err(SolverError::NonFinite { quantity: Quantity::Product, iteration: self.iteration })
        }
    }

    /// Begins at the residual, which has been written before.
    pub(super) fn start(&mut self, preconditioner: &mut impl Preconditioner<T>) -> Result<(), SolverError> {
        self.rz = self.precondition(preconditioner)?;
        self.direction.copy_from_slice(&self.preconditioned);
        self.direction_squared = self.rz;
        self.largest = T::zero();
        Ok(())
    }

    fn precondition(&mut self, preconditioner: &mut impl Preconditioner<T>) -> Result<T, SolverError> {
        preconditioner.apply(&self.residual, &mut self.preconditioned);
        let rz = dot(&self.residual, &self.preconditioned);
        if !rz.is_finite() {
            return Err(SolverError::NonFinite {
                quantity: Quantity::Preconditioned,
                iteration: self.iteration,
            });
        }
        // Zero may be underflow.
        if rz < T::zero() || (rz == T::zero() && norm(&self.residual) > T::min_positive_value().sqrt()) {
            return Err(SolverError::IndefinitePreconditioner { iteration: self.iteration });
        }
        Ok(rz)
    }

    /// `d·Hd`, with one product.
    pub(super) fn curvature(&mut self, operator: &dyn HessianOperator<Scalar = T>) -> Result<T, SolverError> {
        operator.apply(&self.direction, &mut self.product);
        // One sum finds every NaN and infinity: 0 · NaN and 0 · ∞ are NaN.
        let curvature = dot(&self.direction, &self.product);
        if !curvature.is_finite() {
            return Err(SolverError::NonFinite { quantity: Quantity::Product, iteration: self.iteration });
        }
        Ok(curvature)
    }

    /// Whether the direction of this curvature is one of ascent or at most flat, up to rounding: a step along it would
    /// be without bound.
    pub(super) fn is_flat(&mut self, curvature: T) -> bool {
        let quotient = curvature / self.direction_squared;
        self.largest = self.largest.max(quotient);
        self.quotient = quotient;
        quotient <= real::<T>(8.0) * T::epsilon() * self.largest
    }

    /// Whether the last direction has a curvature that is negative beyond doubt.
    pub(super) fn is_concave(&self) -> bool {
        self.quotient < -T::epsilon().sqrt() * self.largest
    }

    /// Takes the step `α d`, and turns to the next direction.
    pub(super) fn advance(
        &mut self,
        alpha: T,
        x: &mut [T],
        preconditioner: &mut impl Preconditioner<T>,
    ) -> Result<T, SolverError> {
        axpy(alpha, &self.direction, x);
        axpy(-alpha, &self.product, &mut self.residual);
        let rz = self.precondition(preconditioner)?;
        let beta = rz / self.rz;
        for (d, &z) in self.direction.iter_mut().zip(&self.preconditioned) {
            *d = z + beta * *d;
        }
        self.rz = rz;
        self.direction_squared = rz + beta * beta * self.direction_squared;
        Ok(beta)
    }
}

/// When the inner iteration ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Truncation<T> {
    /// At this norm of the residual.
    pub(super) residual: T,
    /// After this many products.
    pub(super) products: usize,
    /// At this norm of the step, in the preconditioner's metric; infinity for none.
    pub(super) radius: T,
}

/// Why the inner iteration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InnerEnding {
    /// The residual of the Newton equation is as small as the forcing term asks.
    Converged,
    /// A direction of negative (or no) curvature came up.
    NegativeCurvature,
    /// The step reached the boundary of the trust region.
    Boundary,
    /// It used up its products.
    ProductLimit,
    /// There was none: the step is shorter than one before, on the same path.
    Shortened,
}

/// What the inner iteration found: the step is in the vector passed to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inner<T> {
    pub(super) ending: InnerEnding,
    pub(super) products: usize,
    /// `m(0) - m(p)` of the quadratic model.
    pub(super) decrease: T,
    /// The norm of the step in the metric of the preconditioner.
    pub(super) length: T,
}

/// Where the path of the iterates, which does not depend on the radius, crosses a smaller radius: the step to take if
/// the trust region shrinks to it, at no product.
#[derive(Clone, Debug)]
pub(super) struct Crossing<T> {
    pub(super) radius: T,
    /// The decrease of the model there, if the path has come so far.
    pub(super) decrease: Option<T>,
    pub(super) step: Vec<T>,
}

/// How the path goes on: from a step with `|p|²`, `p·d` and `|d|²` in the metric of the preconditioner.
#[derive(Clone, Copy)]
struct Segment<T> {
    squared: T,
    along: T,
    dd: T,
}

impl<T: Scalar> Segment<T> {
    /// `|p + t d|²`
    fn squared_at(self, t: T) -> T {
        self.squared + t * (self.along + self.along + t * self.dd)
    }

    /// The `t ≥ 0` where `|p + t d|` is the radius.
    fn reaches(self, radius: T) -> T {
        let room = (radius * radius - self.squared).max(T::zero());
        let root = (self.along * self.along + self.dd * room).sqrt();
        // The form without cancellation.
        if self.along > T::zero() { room / (root + self.along) } else { (root - self.along) / self.dd }
    }
}

/// Minimises the model `g·p + ½ p·Hp` until told to stop, by Steihaug's (1983) truncated conjugate gradients (Nocedal &
/// Wright 2006, algorithms 7.1 and 7.2), in the metric of the preconditioner (Conn, Gould & Toint 2000, algorithm 7.5.1).
///
/// With a radius, the step goes along a direction `d` of negative curvature to the boundary. Without one, it goes as far
/// as `d` would lead with the absolute value of its curvature, but not farther than the step has come so far, or, at
/// the first, than the longer of `d` and one.
pub(super) fn truncated_cg<T: Scalar>(
    operator: &dyn HessianOperator<Scalar = T>,
    gradient: &[T],
    preconditioner: &mut impl Preconditioner<T>,
    until: Truncation<T>,
    crossings: &mut [Crossing<T>],
    work: &mut Recurrence<T>,
    step: &mut [T],
) -> Result<Inner<T>, SolverError> {
    let half = real::<T>(0.5);
    step.fill(T::zero());
    for (r, &g) in work.residual.iter_mut().zip(gradient) {
        *r = -g;
    }
    work.start(preconditioner)?;
    let mut inner =
        Inner { ending: InnerEnding::ProductLimit, products: 0, decrease: T::zero(), length: T::zero() };
    let mut path = Segment { squared: T::zero(), along: T::zero(), dd: work.direction_squared };
    if work.rz == T::zero() {
        inner.ending = InnerEnding::Converged;
        return Ok(inner);
    }
    while inner.products < until.products {
        let curvature = work.curvature(operator)?;
        inner.products += 1;
        let is_flat = work.is_flat(curvature);
        let alpha = work.rz / curvature;
        let squared = path.squared_at(alpha);
        let beyond = |radius: T| is_flat || squared.is_nan() || squared >= radius * radius;
        // The model decreases by t r·d - ½ t² d·Hd, where r·d = r·M⁻¹r.
        let decrease_at = |t: T| inner.decrease + t * (work.rz - half * t * curvature);
        for crossing in crossings.iter_mut().filter(|c| c.decrease.is_none() && beyond(c.radius)) {
            let t = path.reaches(crossing.radius);
            crossing.step.copy_from_slice(step);
            axpy(t, &work.direction, &mut crossing.step);
            crossing.decrease = Some(decrease_at(t));
        }
        let end = if until.radius.is_finite() && beyond(until.radius) {
            Some(path.reaches(until.radius))
        } else if is_flat {
            let reach = if inner.products == 1 { path.dd.sqrt().max(T::one()) } else { path.squared.sqrt() };
            Some((work.rz / curvature.abs()).min(reach / path.dd.sqrt()))
        } else {
            None
        };
        if let Some(t) = end {
            axpy(t, &work.direction, step);
            inner.decrease = decrease_at(t);
            inner.length = path.squared_at(t).sqrt();
            inner.ending = if is_flat { InnerEnding::NegativeCurvature } else { InnerEnding::Boundary };
            return Ok(inner);
        }
        inner.decrease = decrease_at(alpha);
        path.squared = squared;
        path.along += alpha * path.dd;
        inner.length = path.squared.sqrt();
        path.along *= work.advance(alpha, step, preconditioner)?;
        path.dd = work.direction_squared;
        if norm(&work.residual) <= until.residual || work.rz == T::zero() {
            inner.ending = InnerEnding::Converged;
            return Ok(inner);
        }
    }
    Ok(inner)
}
