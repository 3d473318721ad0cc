//! Linear systems `H x = b` by preconditioned conjugate gradients.
//!
//! The recurrence, which the minimisers use too, is in `truncated_cg`.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use num_traits::Zero;

use super::preconditioner::{Identity, Preconditioner};
use super::truncated_cg::Recurrence;
use super::{Quantity, SolverError, all_finite, norm, real};
use crate::operators::{HessianOperator, Scalar};

/// The method of conjugate gradients for symmetric positive definite operators (Hestenes & Stiefel 1952; Nocedal & Wright
/// 2006, algorithm 5.3), with its options.
///
/// An operator that turns out not to be positive definite is no error: a direction that shows it is part of the result.
/// Singular systems are solved as long as `b` lies in the range.
///
/// Takes four vectors of memory, and a product a step, one at the end to compute the true residual, and one at the start
/// unless `x` is zero there.
///
/// ```
/// use ad_runtime::operators::HessianOperator;
/// use ad_runtime::solvers::cg::{ConjugateGradient, Ending};
///
/// struct Dense([[f64; 2]; 2]);
/// impl HessianOperator for Dense {
///     type Scalar = f64;
///     fn dim(&self) -> usize {
///         2
///     }
///     fn apply(&self, v: &[f64], out: &mut [f64]) {
///         for i in 0..2 {
///             out[i] = self.0[i][0] * v[0] + self.0[i][1] * v[1];
///         }
///     }
/// }
///
/// let mut x = [0.0; 2];
/// let cg = ConjugateGradient::new();
/// let solution = cg.solve(&Dense([[2.0, 1.0], [1.0, 3.0]]), &[4.0, 7.0], &mut x)?;
/// assert_eq!(solution.ending, Ending::Converged);
/// assert!((x[0] - 1.0).abs() < 1e-7 && (x[1] - 2.0).abs() < 1e-7);
///
/// let solution = cg.solve(&Dense([[1.0, 2.0], [2.0, 1.0]]), &[1.0, -1.0], &mut [0.0; 2])?;
/// assert_eq!(solution.ending, Ending::NegativeCurvature);
/// let direction = solution.direction.expect("one that shows it");
/// assert_eq!(direction[0], -direction[1]);
/// # Ok::<(), ad_runtime::solvers::SolverError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConjugateGradient<T> {
    tolerance: T,
    products: Option<usize>,
}

/// Why the iteration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The residual, computed anew, is within the tolerance.
    Converged,
    /// A direction of negative or, up to rounding, no curvature came up: the operator is not positive definite.
    NegativeCurvature,
    /// The residual, computed anew, falls no more: the precision of the numbers is used up.
    NoProgress,
    /// As many products as were allowed.
    ProductLimit,
    /// The callback asked for it.
    Stopped,
}

/// What came of it. The solution itself is in the vector that was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution<T> {
    /// Why it ended.
    pub ending: Ending,
    /// `‖b - H x‖ / ‖b‖`: computed anew if it converged or made no progress, else by recurrence.
    pub relative_residual: T,
    /// Steps taken.
    pub iterations: usize,
    /// Products of the operator.
    pub products: usize,
    /// The direction `d` with `d·Hd ≤ 0` (up to rounding), if it ended by that.
    pub direction: Option<Vec<T>>,
    /// `d·Hd / d·d` of that direction.
    pub curvature: Option<T>,
}

/// What a callback sees after each step.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a, T> {
    /// The steps so far.
    pub iteration: usize,
    /// The iterate.
    pub x: &'a [T],
    /// `‖b - H x‖ / ‖b‖` by recurrence.
    pub relative_residual: T,
}

impl<T: Scalar> Default for ConjugateGradient<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Scalar> ConjugateGradient<T> {
    /// With the defaults that the other methods name.
    #[must_use]
    pub fn new() -> Self {
        Self { tolerance: T::epsilon().sqrt(), products: None }
    }

    /// Ends where `‖b - H x‖` is at most this times `‖b‖`. By default the square root of the machine epsilon.
    #[must_use]
    pub fn relative_tolerance(mut self, tolerance: T) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Ends after this many products, by default twenty times the dimension. In exact arithmetic the dimension would be
    /// enough.
    #[must_use]
    pub fn max_products(mut self, products: usize) -> Self {
        self.products = Some(products);
        self
    }

    /// Solves `H x = b`, from `x`, which is overwritten by the last iterate.
    ///
    /// # Errors
    /// If `b`, `x` or a product is not finite.
    ///
    /// # Panics
    /// If `b` or `x` is not as long as the operator's dimension.
    pub fn solve(
        &self,
        operator: &dyn HessianOperator<Scalar = T>,
        b: &[T],
        x: &mut [T],
    ) -> Result<Solution<T>, SolverError> {
        self.solve_with(operator, b, x, &mut Identity, |_| ControlFlow::Continue(()))
    }

    /// Solves with a preconditioner, which is updated with the operator first, and with a callback after each step that may
    /// end it.
    ///
    /// # Errors
    /// As [`solve`](Self::solve), and if the preconditioner is not positive definite or not finite.
    ///
    /// # Panics
    /// If `b` or `x` is not as long as the operator's dimension.
    pub fn solve_with(
        &self,
        operator: &dyn HessianOperator<Scalar = T>,
        b: &[T],
        x: &mut [T],
        preconditioner: &mut impl Preconditioner<T>,
        mut callback: impl FnMut(&Progress<'_, T>) -> ControlFlow<()>,
    ) -> Result<Solution<T>, SolverError> {
        let n = operator.dim();
        assert_eq!(b.len(), n, "solve: `b` must be as long as the operator's dimension");
        assert_eq!(x.len(), n, "solve: `x` must be as long as the operator's dimension");
        for (quantity, vector) in [(Quantity::RightHandSide, b), (Quantity::Start, &*x)] {
            if !all_finite(vector) {
                return Err(SolverError::NonFinite { quantity, iteration: 0 });
            }
        }
        let limit = self.products.unwrap_or(20 * n.max(1));
        let scale = norm(b);
        let relative =
            |residual: &[T]| if scale > T::zero() { norm(residual) / scale } else { norm(residual) };
        let mut at = Solution {
            ending: Ending::ProductLimit,
            relative_residual: T::one(),
            iterations: 0,
            products: 0,
            direction: None,
            curvature: None,
        };
        preconditioner.update(operator);
        let mut work = Recurrence::new(n);
        // The last residual that was computed anew.
        let mut checked = T::infinity();
        loop {
            work.iteration = at.iterations;
            if x.iter().all(Zero::is_zero) {
                work.residual.copy_from_slice(b);
            } else if at.products < limit {
                work.set_residual(operator, b, x)?;
                at.products += 1;
            } else {
                return Ok(at);
            }
            at.relative_residual = relative(&work.residual);
            if at.relative_residual <= self.tolerance {
                at.ending = Ending::Converged;
                return Ok(at);
            }
            if at.relative_residual.is_nan() || at.relative_residual >= checked * real(0.5) {
                at.ending = Ending::NoProgress;
                return Ok(at);
            }
            checked = at.relative_residual;
            work.start(preconditioner)?;
            while at.relative_residual > self.tolerance && work.rz > T::zero() {
                if at.products >= limit {
                    return Ok(at);
                }
                let curvature = work.curvature(operator)?;
                at.products += 1;
                if work.is_flat(curvature) {
                    let length = norm(&work.direction);
                    at.ending = Ending::NegativeCurvature;
                    at.curvature = Some(curvature / length / length);
                    at.direction = Some(work.direction);
                    return Ok(at);
                }
                work.advance(work.rz / curvature, x, preconditioner)?;
                at.iterations += 1;
                work.iteration = at.iterations;
                at.relative_residual = relative(&work.residual);
                let progress =
                    Progress { iteration: at.iterations, x, relative_residual: at.relative_residual };
                if callback(&progress).is_break() {
                    at.ending = Ending::Stopped;
                    return Ok(at);
                }
            }
        }
    }
}
