//! Hessians as linear operators: what applies `v ↦ H v`, and nothing else, is enough for most of what one wants of a
//! Hessian.
//!
//! This module has the trait; each kind of operator has a file of its own. What finds the pattern of a sparse Hessian is in
//! `sparse`, what consumes operators is in `solvers`.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec;
use core::fmt::Debug;
use core::iter::Sum;

use num_traits::{Float, NumAssign, Zero};

mod algebra;
mod block_diagonal;
mod dense;
mod diagonal;
mod finite_difference;
mod fisher;
mod gauss_newton;
mod hessian;
pub(crate) mod kernels;
mod kronecker;
mod low_rank;
#[cfg(feature = "ndarray")]
mod views;

pub use algebra::{Assuming, Counted, Counter, HessianOperatorExt, Plus, Restricted, Scaled, Shifted};
pub use block_diagonal::BlockDiagonal;
pub use dense::Dense;
pub use diagonal::{Diagonal, Identity};
pub use finite_difference::FiniteDifference;
pub use fisher::{EmpiricalFisher, Fisher, Likelihood, LikelihoodCurvature};
pub use gauss_newton::GaussNewton;
pub use hessian::{Block, Blocks, Hessian, Linearized, OneByOne};
pub use kronecker::Kronecker;
pub use low_rank::LowRank;
#[cfg(feature = "ndarray")]
pub use views::NdarrayExt;

pub(crate) use kernels::dot;

pub use crate::sparse::Sparse;

/// The numbers that operators work on: `f64` and `f32`.
pub trait Scalar: Float + NumAssign + Sum + Debug + 'static {}

impl<T: Float + NumAssign + Sum + Debug + 'static> Scalar for T {}

/// What is known of an operator. `false` says that nothing is known, not that the contrary holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// `u·Hv = v·Hu` for all `u`, `v`, up to rounding.
    pub symmetric: bool,
    /// `v·Hv ≥ 0` for all `v`, up to rounding.
    pub positive_semidefinite: bool,
}

impl Properties {
    /// Symmetric, of unknown sign: every Hessian.
    pub const SYMMETRIC: Self = Self { symmetric: true, positive_semidefinite: false };
    /// Symmetric and positive semidefinite.
    pub const POSITIVE_SEMIDEFINITE: Self = Self { symmetric: true, positive_semidefinite: true };

    /// What holds of a sum, if these hold of its terms.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            symmetric: self.symmetric && other.symmetric,
            positive_semidefinite: self.positive_semidefinite && other.positive_semidefinite,
        }
    }
}

/// A square matrix `H` that is known by its products.
///
/// Vectors are slices of length [`dim`](Self::dim). Implementors check lengths at the top of each method by
/// [`check_operand`], so that a wrong one panics and names the argument. Nothing is required of threads: an operator may
/// be neither `Send` nor `Sync`, and may borrow.
pub trait HessianOperator {
    /// The type of its entries.
    type Scalar: Scalar;

    /// The number of rows, which is that of columns.
    fn dim(&self) -> usize;

    /// Writes `H v` to `out`, which is overwritten.
    ///
    /// # Panics
    /// If `v` or `out` is not of length `dim`.
    fn apply(&self, v: &[Self::Scalar], out: &mut [Self::Scalar]);

    /// Applies to several directions, which stand one after another in `directions` (direction `k` in
    /// `k * dim..(k + 1) * dim`), as the products then do in `out`. Operators that can share work among directions
    /// override this; here they are applied one by one, without allocation.
    ///
    /// # Panics
    /// If the lengths differ or are no multiple of `dim`.
    fn apply_block(&self, directions: &[Self::Scalar], out: &mut [Self::Scalar]) {
        check_block(self.dim(), directions, out);
        if self.dim() > 0 {
            for (v, out) in directions.chunks_exact(self.dim()).zip(out.chunks_exact_mut(self.dim())) {
                self.apply(v, out);
            }
        }
    }

    /// `v·Hv`. Allocates a vector of length `dim`, unless overridden.
    ///
    /// # Panics
    /// If `v` is not of length `dim`.
    fn quadratic_form(&self, v: &[Self::Scalar]) -> Self::Scalar {
        let mut product = vec![Self::Scalar::zero(); self.dim()];
        self.apply(v, &mut product);
        dot(v, &product)
    }

    /// Writes the diagonal to `out` and returns true, if the operator knows it for about the price of a product or
    /// less. Otherwise returns false and leaves `out` as it was.
    ///
    /// # Panics
    /// If `out` is not of length `dim`.
    #[must_use]
    fn diagonal(&self, out: &mut [Self::Scalar]) -> bool {
        check_operand("diagonal", "out", out.len(), self.dim());
        false
    }

    /// What is known of it.
    fn properties(&self) -> Properties {
        Properties::SYMMETRIC
    }
}

macro_rules! forward_to_pointee {
    ($($pointer:ty),*) => {$(
        impl<A: HessianOperator + ?Sized> HessianOperator for $pointer {
            type Scalar = A::Scalar;
            fn dim(&self) -> usize {
                (**self).dim()
            }
            fn apply(&self, v: &[A::Scalar], out: &mut [A::Scalar]) {
                (**self).apply(v, out);
            }
            fn apply_block(&self, directions: &[A::Scalar], out: &mut [A::Scalar]) {
                (**self).apply_block(directions, out);
            }
            fn quadratic_form(&self, v: &[A::Scalar]) -> A::Scalar {
                (**self).quadratic_form(v)
            }
            fn diagonal(&self, out: &mut [A::Scalar]) -> bool {
                (**self).diagonal(out)
            }
            fn properties(&self) -> Properties {
                (**self).properties()
            }
        }
    )*};
}
forward_to_pointee!(&A, Box<A>, Rc<A>, Arc<A>);

/// Panics unless an argument of an operator's method has the operator's dimension.
#[inline]
#[track_caller]
pub fn check_operand(method: &str, argument: &str, found: usize, dim: usize) {
    assert!(
        found == dim,
        "{method}: argument `{argument}` has length {found}, expected {dim}, the operator's dimension"
    );
}

/// Panics unless `directions` and `out` hold equally many vectors of the operator's dimension.
#[inline]
#[track_caller]
pub fn check_block<T>(dim: usize, directions: &[T], out: &[T]) {
    assert!(
        directions.len() == out.len() && out.len().is_multiple_of(dim),
        "apply_block: arguments `directions` and `out` have lengths {} and {}, expected the same multiple of {dim}, the \
         operator's dimension",
        directions.len(),
        out.len()
    );
}
