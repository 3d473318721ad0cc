//! Operators for the matrix-free solvers of `faer` 0.24.

use alloc::vec;
use core::fmt;

use ::faer::dyn_stack::{MemStack, StackReq};
use ::faer::matrix_free::{BiLinOp, LinOp, Precond};
use ::faer::traits::RealField;
use ::faer::{MatMut, MatRef, Par};

use crate::operators::{HessianOperator, Scalar};

/// An operator as `faer` wants it. It must be `Sync`, which `faer` asks for; symmetric, as it is taken for its own transpose;
/// and with entries of `f32` or `f64`.
///
/// As a preconditioner it is `M⁻¹`: an operator that approximates the inverse.
///
/// Of `faer`'s solvers `conjugate_gradient` is fit for this. (`partial_self_adjoint_eigen` of 0.24 is not: it panics for 64
/// rows and fewer, can hang, and can return a vector twice; take [`Lanczos`](crate::solvers::lanczos::Lanczos).) It ends with
/// an error on an indefinite operator, and has no direction to show for it, which
/// [`ConjugateGradient`](crate::solvers::cg::ConjugateGradient) has. Allocates two vectors a call.
///
/// ```
/// use ad_runtime::adapters::faer0_24::Operator;
/// use ad_runtime::operators::HessianOperator;
/// use faer::dyn_stack::{MemBuffer, MemStack};
/// use faer::matrix_free::IdentityPrecond;
/// use faer::matrix_free::conjugate_gradient::{conjugate_gradient, conjugate_gradient_scratch};
/// use faer::{Col, Par};
///
/// struct Second; // 2 on the diagonal, -1 beside it
/// impl HessianOperator for Second {
///     type Scalar = f64;
///     fn dim(&self) -> usize {
///         10
///     }
///     fn apply(&self, v: &[f64], out: &mut [f64]) {
///         for i in 0..10 {
///             let left = if i > 0 { v[i - 1] } else { 0.0 };
///             out[i] = 2.0 * v[i] - left - v.get(i + 1).unwrap_or(&0.0);
///         }
///     }
/// }
///
/// let (identity, operator) = (IdentityPrecond { dim: 10 }, Operator(Second));
/// let b = Col::<f64>::ones(10);
/// let mut x = Col::<f64>::zeros(10);
/// let scratch = conjugate_gradient_scratch(identity, &operator, 1, Par::Seq);
/// conjugate_gradient(
///     x.as_mat_mut(),
///     identity,
///     &operator,
///     b.as_mat(),
///     Default::default(),
///     |_| {},
///     Par::Seq,
///     MemStack::new(&mut MemBuffer::new(scratch)),
/// )
/// .expect("it is positive definite");
/// assert!((x[0] - 5.0).abs() < 1e-12);
/// ```
#[derive(Clone, Copy)]
pub struct Operator<A>(pub A);

impl<A: HessianOperator> fmt::Debug for Operator<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator").field("dim", &self.0.dim()).finish_non_exhaustive()
    }
}

impl<T: Scalar + RealField, A: HessianOperator<Scalar = T> + Sync> LinOp<T> for Operator<A> {
    fn apply_scratch(&self, _: usize, _: Par) -> StackReq {
        StackReq::EMPTY
    }

    fn nrows(&self) -> usize {
        self.0.dim()
    }

    fn ncols(&self) -> usize {
        self.0.dim()
    }

    fn apply(&self, mut out: MatMut<'_, T>, rhs: MatRef<'_, T>, _: Par, _: &mut MemStack) {
        let n = self.0.dim();
        assert!(rhs.nrows() == n && out.nrows() == n, "apply: both matrices must have {n} rows");
        assert_eq!(rhs.ncols(), out.ncols(), "apply: both matrices must have as many columns");
        let (mut v, mut product) = (vec![T::zero(); n], vec![T::zero(); n]);
        for j in 0..rhs.ncols() {
            for (v, &entry) in v.iter_mut().zip(rhs.col(j).iter()) {
                *v = entry;
            }
            self.0.apply(&v, &mut product);
            for (entry, &product) in out.as_mut().col_mut(j).iter_mut().zip(&product) {
                *entry = product;
            }
        }
    }

    fn conj_apply(&self, out: MatMut<'_, T>, rhs: MatRef<'_, T>, par: Par, stack: &mut MemStack) {
        self.apply(out, rhs, par, stack);
    }
}

impl<T: Scalar + RealField, A: HessianOperator<Scalar = T> + Sync> BiLinOp<T> for Operator<A> {
    fn transpose_apply_scratch(&self, columns: usize, par: Par) -> StackReq {
        self.apply_scratch(columns, par)
    }

    fn transpose_apply(&self, out: MatMut<'_, T>, rhs: MatRef<'_, T>, par: Par, stack: &mut MemStack) {
        self.apply(out, rhs, par, stack);
    }

    fn adjoint_apply(&self, out: MatMut<'_, T>, rhs: MatRef<'_, T>, par: Par, stack: &mut MemStack) {
        self.apply(out, rhs, par, stack);
    }
}

impl<T: Scalar + RealField, A: HessianOperator<Scalar = T> + Sync> Precond<T> for Operator<A> {}
