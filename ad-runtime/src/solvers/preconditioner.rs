//! Preconditioners: cheap approximations `M` of an operator, of which the solvers use `M⁻¹ r`.

use alloc::vec;
use alloc::vec::Vec;

use crate::operators::{HessianOperator, Scalar};

/// A symmetric positive definite approximation `M` of an operator, known by `r ↦ M⁻¹ r`.
///
/// Closures `FnMut(&[T], &mut [T])` that write `M⁻¹ r` are preconditioners that stay the same at all points.
///
/// ```
/// use ad_runtime::solvers::preconditioner::Preconditioner;
///
/// let mut halve = |r: &[f64], z: &mut [f64]| z.iter_mut().zip(r).for_each(|(z, r)| *z = r / 2.0);
/// let mut z = [0.0; 2];
/// halve.apply(&[4.0, 6.0], &mut z);
/// assert_eq!(z, [2.0, 3.0]);
/// ```
pub trait Preconditioner<T: Scalar> {
    /// Called with each new operator before it is used: a minimiser has another one at each point.
    fn update(&mut self, operator: &dyn HessianOperator<Scalar = T>) {
        let _ = operator;
    }

    /// Writes `M⁻¹ residual` to `out`, which is overwritten.
    fn apply(&mut self, residual: &[T], out: &mut [T]);
}

impl<T: Scalar, F: FnMut(&[T], &mut [T])> Preconditioner<T> for F {
    fn apply(&mut self, residual: &[T], out: &mut [T]) {
        self(residual, out);
    }
}

/// No preconditioner: `M` is the identity.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;

impl<T: Scalar> Preconditioner<T> for Identity {
    fn apply(&mut self, residual: &[T], out: &mut [T]) {
        out.copy_from_slice(residual);
    }
}

/// The absolute values of the operator's diagonal, if it knows it ([`HessianOperator::diagonal`]), otherwise the identity.
///
/// Entries that are zero, or so small beside the largest one that they would spoil the system (`1e-4` of it; Nocedal &
/// Wright 2006 §7.1 discuss why an indefinite Hessian needs such care), are replaced by that bound.
///
/// ```
/// use ad_runtime::operators::HessianOperator;
/// use ad_runtime::solvers::preconditioner::{Jacobi, Preconditioner};
///
/// struct Diagonal([f64; 2]);
/// impl HessianOperator for Diagonal {
///     type Scalar = f64;
///     fn dim(&self) -> usize {
///         2
///     }
///     fn apply(&self, v: &[f64], out: &mut [f64]) {
///         for i in 0..2 {
///             out[i] = self.0[i] * v[i];
///         }
///     }
///     fn diagonal(&self, out: &mut [f64]) -> bool {
///         out.copy_from_slice(&self.0);
///         true
///     }
/// }
/// let mut jacobi = Jacobi::new();
/// jacobi.update(&Diagonal([4.0, -2.0]));
/// let mut z = [0.0; 2];
/// jacobi.apply(&[1.0, 1.0], &mut z);
/// assert_eq!(z, [0.25, 0.5]);
/// ```
#[derive(Clone, Debug)]
pub struct Jacobi<T> {
    diagonal: Vec<T>,
}

impl<T: Scalar> Jacobi<T> {
    /// Takes a vector of the operator's dimension in memory, with the first operator.
    #[must_use]
    pub fn new() -> Self {
        Self { diagonal: Vec::new() }
    }
}

impl<T: Scalar> Default for Jacobi<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Scalar> Preconditioner<T> for Jacobi<T> {
    fn update(&mut self, operator: &dyn HessianOperator<Scalar = T>) {
        if self.diagonal.len() != operator.dim() {
            self.diagonal = vec![T::one(); operator.dim()];
        }
        if !operator.diagonal(&mut self.diagonal) {
            self.diagonal.fill(T::one());
            return;
        }
        let largest = self.diagonal.iter().fold(T::zero(), |largest, d| largest.max(d.abs()));
        let floor = if largest > T::zero() { largest * super::real(1e-4) } else { T::one() };
        for d in &mut self.diagonal {
            // A NaN stays, to be noticed where it is used.
            *d = if d.abs() < floor { floor } else { d.abs() };
        }
    }

    fn apply(&mut self, residual: &[T], out: &mut [T]) {
        assert_eq!(
            residual.len(),
            self.diagonal.len(),
            "Jacobi: `residual` must be as long as the operator that it was updated with"
        );
        for ((out, &r), &d) in out.iter_mut().zip(residual).zip(&self.diagonal) {
            *out = r / d;
        }
    }
}
