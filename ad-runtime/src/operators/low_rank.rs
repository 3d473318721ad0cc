//! Low-rank operators, optionally with a diagonal: limited-memory approximations, sketches, the leading eigenpairs.

use alloc::vec::Vec;

use super::kernels::{self, Scratch};
use super::{Diagonal, HessianOperator, Properties, Scalar, check_block, check_operand, dot};

/// `U S Uᵀ`, plus a diagonal if there is one: `U` has `n` rows and `r` columns, and the core `S` is an operator of
/// dimension `r`, mostly a [`Diagonal`] or a small [`Dense`](super::Dense) matrix. A product takes `2 n r` multiplications
/// and one product of the core; it keeps `n r` numbers, and `2 r` to work in, allocated by the first product.
///
/// ```
/// use ad_runtime::operators::{Dense, Diagonal, HessianOperator, LowRank};
///
/// // 2 u uᵀ + diag(1, 1, 5) with u = (1, -1, 0)
/// let hessian = LowRank::new(3, vec![1.0, -1.0, 0.0], Diagonal::new(vec![2.0]))
///     .with_diagonal(vec![1.0, 1.0, 5.0]);
/// assert_eq!(Dense::of(&hessian).entries(), [3.0, -2.0, 0.0, -2.0, 3.0, 0.0, 0.0, 0.0, 5.0]);
/// ```
#[derive(Clone, Debug)]
pub struct LowRank<C: HessianOperator> {
    dim: usize,
    factor: Vec<C::Scalar>,
    core: C,
    diagonal: Option<Diagonal<C::Scalar>>,
    scratch: Scratch<C::Scalar>,
}

impl<T: Scalar, C: HessianOperator<Scalar = T>> LowRank<C> {
    /// From `U`, row by row, and `S`.
    ///
    /// # Panics
    /// If `factor` is not of length `dim` times the dimension of `core`.
    pub fn new(dim: usize, factor: Vec<T>, core: C) -> Self {
        let rank = core.dim();
        assert!(
            dim.checked_mul(rank) == Some(factor.len()),
            "LowRank::new: argument `factor` has length {}, expected that of {dim} rows and {rank} columns, `dim` and the \
             dimension of `core`",
            factor.len()
        );
        Self { dim, factor, core, diagonal: None, scratch: Scratch::new() }
    }

    /// Adds a diagonal, in place of one that was added before.
    ///
    /// # Panics
    /// If `diagonal` is not of length `dim`.
    #[must_use]
    pub fn with_diagonal(mut self, diagonal: Vec<T>) -> Self {
        check_operand("LowRank::with_diagonal", "diagonal", diagonal.len(), self.dim);
        self.diagonal = Some(Diagonal::new(diagonal));
        self
    }

    /// The number of columns of `U`.
    pub fn rank(&self) -> usize {
        self.core.dim()
    }

    /// The rows of `U`, of which there are `dim` also where the rank is 0.
    fn rows(&self) -> impl Iterator<Item = &[T]> {
        let rank = self.rank();
        (0..self.dim).map(move |row| &self.factor[row * rank..(row + 1) * rank])
    }

    /// Writes `Uᵀv` to `coordinates`.
    fn project(&self, v: &[T], coordinates: &mut [T]) {
        coordinates.fill(T::zero());
        for (row, &v) in self.rows().zip(v) {
            kernels::add_scaled(coordinates, v, row);
        }
    }

    fn entry_of_diagonal(&self, row: usize) -> T {
        self.diagonal.as_ref().map_or(T::zero(), |diagonal| diagonal.entries()[row])
    }
}

impl<T: Scalar, C: HessianOperator<Scalar = T>> HessianOperator for LowRank<C> {
    type Scalar = T;

    fn dim(&self) -> usize {
        self.dim
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim);
        check_operand("apply", "out", out.len(), self.dim);
        self.apply_block(v, out);
    }

    /// Reads `U` twice for all directions.
    fn apply_block(&self, directions: &[T], out: &mut [T]) {
        check_block(self.dim, directions, out);
        if out.is_empty() {
            return;
        }
        let (rank, lanes) = (self.rank(), out.len() / self.dim);
        self.scratch.with(2 * lanes * rank, T::zero(), |scratch| {
            let (coordinates, products) = scratch.split_at_mut(lanes * rank);
            coordinates.fill(T::zero());
            for (i, row) in self.rows().enumerate() {
                for lane in 0..lanes {
                    let coordinates = &mut coordinates[lane * rank..(lane + 1) * rank];
                    kernels::add_scaled(coordinates, directions[lane * self.dim + i], row);
                }
            }
            self.core.apply_block(coordinates, products);
            for (i, row) in self.rows().enumerate() {
                for lane in 0..lanes {
                    out[lane * self.dim + i] = dot(row, &products[lane * rank..(lane + 1) * rank]);
                }
            }
        });
        if let Some(diagonal) = &self.diagonal {
            for (v, out) in directions.chunks_exact(self.dim).zip(out.chunks_exact_mut(self.dim)) {
                for ((out, &v), &entry) in out.iter_mut().zip(v).zip(diagonal.entries()) {
                    *out += entry * v;
                }
            }
        }
    }

    /// Half the price of a product: `Uᵀv` is enough.
    fn quadratic_form(&self, v: &[T]) -> T {
        check_operand("quadratic_form", "v", v.len(), self.dim);
        let low_rank = self.scratch.with(self.rank(), T::zero(), |coordinates| {
            self.project(v, coordinates);
            self.core.quadratic_form(coordinates)
        });
        low_rank + self.diagonal.as_ref().map_or(T::zero(), |diagonal| diagonal.quadratic_form(v))
    }

    /// Costs `n` quadratic forms of the core: about a product if the core is diagonal, `r / 2` of them if it is dense.
    fn diagonal(&self, out: &mut [T]) -> bool {
        check_operand("diagonal", "out", out.len(), self.dim);
        for (i, row) in self.rows().enumerate() {
            out[i] = self.core.quadratic_form(row) + self.entry_of_diagonal(i);
        }
        true
    }

    fn properties(&self) -> Properties {
        let diagonal = self.diagonal.as_ref().map_or(Properties::POSITIVE_SEMIDEFINITE, Diagonal::properties);
        self.core.properties().and(diagonal)
    }
}
