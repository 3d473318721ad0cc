//! Line-search Newton-CG: Newton steps by truncated conjugate gradients, made safe by a line search.
//!
//! The inner iteration is in `truncated_cg`, the line search in `line_search`. The variant with a trust region is
//! [`trust_region`](super::trust_region).

use core::ops::ControlFlow;

use super::line_search::{Trial, Wolfe, search};
use super::minimum::{Descent, Limits};
pub use super::minimum::{Ending, Forcing, InnerEnding, Minimum, Progress};
use super::objective::Objective;
use super::preconditioner::{Identity, Preconditioner};
use super::truncated_cg::{Truncation, truncated_cg};
use super::{Quantity, SolverError, norm, real};
use crate::operators::{Scalar, dot};

/// The method and its options.
///
/// Each iteration takes a step from preconditioned conjugate gradients on the Newton equation, ended by the
/// [`Forcing`] term or by a direction of negative curvature, then searches along it for the strong Wolfe conditions
/// (Nocedal & Wright 2006, algorithms 7.1, 3.5 and 3.6). A direction of negative curvature is not only where the inner
/// iteration ends, as in algorithm 7.1: the step goes along it too, as far as the absolute value of its curvature says, but
/// not more than doubled by it. So the method leaves saddles and plateaus that have such a direction in sight. At a point
/// where the gradient is zero it ends, even if that is a saddle, unless it is told to look
/// ([`saddle_products`](Self::saddle_products)).
///
/// Takes nine vectors of memory. An iteration costs one product an inner step, and one evaluation of value and gradient a
/// trial of the line search (three in the mean; fewer with a laxer [`curvature_condition`](Self::curvature_condition)).
///
/// ```
/// use ad_runtime::differentiable;
/// use ad_runtime::solvers::newton_cg::{Ending, NewtonCg};
/// use ad_runtime::solvers::objective::from_products;
///
/// #[differentiable]
/// fn f(x: &[f64]) -> f64 {
///     let mut sum = 0.0;
///     for i in 0..x.len() {
///         sum += x[i].powi(4) - x[i] * x[i]; // negative curvature at 0, minima at ±√½
///     }
///     sum
/// }
///
/// let mut x = [0.1, -0.2, 3.0];
/// let minimum = NewtonCg::new()
///     .gradient_tolerance(1e-10)
///     .minimize(&mut from_products(f_grad, f_hvp), &mut x)?;
/// assert_eq!(minimum.ending, Ending::Converged);
/// assert!((minimum.value + 0.75).abs() < 1e-12);
/// # Ok::<(), ad_runtime::solvers::SolverError>(())
/// ```
#[derive(Clone, Debug)]
pub struct NewtonCg<T> {
    limits: Limits<T>,
    forcing: Forcing<T>,
    wolfe: Wolfe<T>,
}

impl<T: Scalar> Default for NewtonCg<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Scalar> NewtonCg<T> {
    /// With the defaults that the other methods name.
    #[must_use]
    pub fn new() -> Self {
        Self {
            limits: Limits::default(),
            forcing: Forcing::SquareRoot { most: real(0.25) },
            wolfe: Wolfe { decrease: real(1e-4), curvature: real(0.1), trials: 60 },
        }
    }

    /// Ends where the Euclidean norm of the gradient is at most this. By default the square root of the machine epsilon:
    /// 1.5e-8 for `f64`, 3.5e-4 for `f32`.
    #[must_use]
    pub fn gradient_tolerance(mut self, tolerance: T) -> Self {
        self.limits.gradient_tolerance = tolerance;
        self
    }

    /// Ends after this many iterations, by default 100 000.
    #[must_use]
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.limits.iterations = iterations;
        self
    }

    /// Ends after this many products, by default never.
    #[must_use]
    pub fn max_products(mut self, products: usize) -> Self {
        self.limits.products = products;
        self
    }

    /// Where the gradient vanishes, looks for a direction of negative curvature by up to this many products, and goes on
    /// from a lower point if there is one. By default 0: a saddle or a maximum that is hit exactly counts as converged. As
    /// many as the dimension find any negative curvature, with certainty in exact arithmetic; far fewer find a distinct
    /// one.
    #[must_use]
    pub fn saddle_products(mut self, products: usize) -> Self {
        self.limits.saddle_products = products;
        self
    }

    /// When the inner iteration ends, by default `SquareRoot { most: 0.25 }`. Steps of one or two inner iterations, which
    /// a larger term allows, are hardly better than steepest descent.
    ///
    /// # Panics
    /// If its number does not lie between 0 and 1.
    #[must_use]
    pub fn forcing(mut self, forcing: Forcing<T>) -> Self {
        forcing.check();
        self.forcing = forcing;
        self
    }

    /// The second of the strong Wolfe conditions, `|φ'(α)| ≤ c₂ |φ'(0)|`, by default with `c₂ = 0.1`: a search almost
    /// exact pays where products are dear, as an inner iteration costs many and a trial one gradient. If
    /// gradients are what is dear, take 0.9, which accepts most full steps.
    ///
    /// # Panics
    /// If it does not lie between 1e-4, the constant of sufficient decrease, and 1.
    #[must_use]
    pub fn curvature_condition(mut self, c2: T) -> Self {
        assert!(
            c2 > self.wolfe.decrease && c2 < T::one(),
            "curvature_condition: the constant must lie between 1e-4 and 1, not {c2:?}"
        );
        self.wolfe.curvature = c2;
        self
    }

    /// Minimises from `x`, which is overwritten by the best point found, also if the method fails.
    ///
    /// # Errors
    /// If the value, the gradient or a product is NaN or infinite. In the line search such a value is taken for a step
    /// too long, which is shortened; it is an error if no step, however short, has a finite one.
    ///
    /// # Panics
    /// If the Hessian's dimension is not the length of `x`.
    pub fn minimize<O: Objective<Scalar = T>>(
        &self,
        objective: &mut O,
        x: &mut [T],
    ) -> Result<Minimum<T>, SolverError> {
        self.minimize_with(objective, x, &mut Identity, |_| ControlFlow::Continue(()))
    }

    /// Minimises with a preconditioner, and with a callback after each iteration that may end it.
    ///
    /// # Errors
    /// As [`minimize`](Self::minimize), and if the preconditioner is not positive definite or not finite.
    ///
    /// # Panics
    /// If the Hessian's dimension is not the length of `x`.
    pub fn minimize_with<O: Objective<Scalar = T>>(
        &self,
        objective: &mut O,
        x: &mut [T],
        preconditioner: &mut impl Preconditioner<T>,
        mut callback: impl FnMut(&Progress<'_, T>) -> ControlFlow<()>,
    ) -> Result<Minimum<T>, SolverError> {
        let mut at = Descent::start(objective, x, self.limits)?;
        let mut term = self.forcing.first(at.report.gradient_norm);
        loop {
            if let Some(ending) = at.ending_or_leave(preconditioner)? {
                return Ok(at.end(ending));
            }
            let until = Truncation {
                residual: term * at.report.gradient_norm,
                products: at.inner_products(),
                radius: T::infinity(),
            };
            let inner =
                at.with_hessian(preconditioner, |hessian, preconditioner, gradient, work, step| {
                    truncated_cg(hessian, gradient, preconditioner, until, &mut [], work, step)
                })?;
            let Some(found) = self.line_search(&mut at)? else {
                return Ok(at.end(Ending::NoProgress));
            };
            let before = at.report.gradient_norm;
            let stalled = at.accept(found.value)?;
            term = self.forcing.next(term, before, at.report.gradient_norm);
            let step_norm = found.alpha * norm(&at.step);
            if at.tell(step_norm, inner.ending, &mut callback).is_break() {
                return Ok(at.end(Ending::Stopped));
            }
            if stalled {
                return Ok(at.end(Ending::NoProgress));
            }
        }
    }

    /// Goes along the step; the point found is the trial. `None` if there is none.
    fn line_search<O: Objective<Scalar = T>>(
        &self,
        at: &mut Descent<'_, T, O>,
    ) -> Result<Option<Trial<T>>, SolverError> {
        let mut slope = dot(&at.gradient, &at.step);
        if slope >= T::zero() || !slope.is_finite() {
            // Not from a symmetric Hessian, or at the end of precision.
            for (p, &g) in at.step.iter_mut().zip(&at.gradient) {
                *p = -g;
            }
            slope = dot(&at.gradient, &at.step);
        }
        let start = Trial { alpha: T::zero(), value: at.report.value, slope };
        let mut spoiled = None;
        let found = search(start, T::one(), self.wolfe, |alpha| {
            let value = at.evaluate(alpha);
            let slope = dot(&at.trial_gradient, &at.step);
            if !value.is_finite() {
                spoiled = Some(Quantity::Value);
            } else if !slope.is_finite() {
                spoiled = Some(Quantity::Gradient);
            }
            (value, slope)
        });
        if let Some(found) = found {
            if !found.is_last {
                at.evaluate(found.trial.alpha);
            }
            if at.moves() {
                return Ok(Some(found.trial));
            }
        }
        spoiled.map_or(Ok(None), |quantity| Err(at.non_finite(quantity)))
    }
}
