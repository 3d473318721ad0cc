//! Newton-CG in a trust region: Steihaug's method.
//!
//! The inner iteration, shared with [`newton_cg`](super::newton_cg), is in `truncated_cg`.

use alloc::vec;
use core::array;
use core::ops::ControlFlow;

use super::minimum::{Descent, Limits};
pub use super::minimum::{Ending, Forcing, InnerEnding, Minimum, Progress};
use super::objective::Objective;
use super::preconditioner::{Identity, Preconditioner};
use super::truncated_cg::{Crossing, Inner, Truncation, truncated_cg};
use super::{Quantity, SolverError, norm, real};
use crate::operators::Scalar;

/// The method and its options.
///
/// Each iteration minimises the quadratic model by preconditioned conjugate gradients until the [`Forcing`] term is met,
/// or the boundary of the trust region is, to which a direction of negative curvature is followed (Steihaug 1983; Nocedal &
/// Wright 2006, algorithms 4.1 and 7.2). The region is a ball in the metric of the preconditioner.
///
/// A step that is rejected costs no further products, as a rule: the path of conjugate gradients does not depend on the
/// radius, and where it crosses a quarter and a sixteenth of it is kept.
///
/// Takes eleven vectors of memory. An iteration costs one product an inner step, and one evaluation of value and gradient.
/// In comparison with [`NewtonCg`](super::newton_cg::NewtonCg) it usually evaluates less and takes more products.
///
/// ```
/// use ad_runtime::differentiable;
/// use ad_runtime::solvers::objective::from_products;
/// use ad_runtime::solvers::trust_region::{Ending, TrustRegion};
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
/// let minimum = TrustRegion::new()
///     .gradient_tolerance(1e-10)
///     .minimize(&mut from_products(f_grad, f_hvp), &mut x)?;
/// assert_eq!(minimum.ending, Ending::Converged);
/// assert!((minimum.value + 0.75).abs() < 1e-12);
/// # Ok::<(), ad_runtime::solvers::SolverError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrustRegion<T> {
    limits: Limits<T>,
    forcing: Forcing<T>,
    first_radius: Option<T>,
    max_radius: T,
}

/// The least ratio of actual to predicted decrease of a step that is accepted.
const ACCEPT: f64 = 1e-4;
/// The ratio below which the region shrinks.
const POOR: f64 = 0.25;
/// The ratio above which it grows, if it was what held the step back.
const GOOD: f64 = 0.75;
/// By how much it shrinks.
const SHRINK: f64 = 0.25;
/// The most steps that are rejected in a row.
const REJECTIONS: usize = 100;

impl<T: Scalar> Default for TrustRegion<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Scalar> TrustRegion<T> {
    /// With the defaults that the other methods name.
    #[must_use]
    pub fn new() -> Self {
        Self {
            limits: Limits::default(),
            forcing: Forcing::SquareRoot { most: real(0.25) },
            first_radius: None,
            max_radius: T::infinity(),
        }
    }

    /// Ends where the Euclidean norm of the gradient is at most this. By default the square root of the machine epsilon:
    /// 1.5e-8 for `f64`, 3.5e-4 for `f32`.
    #[must_use]
    pub fn gradient_tolerance(mut self, tolerance: T) -> Self {
        self.limits.gradient_tolerance = tolerance;
        self
    }

    /// Ends after this many iterations (rejected steps count), by default 100 000.
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

    /// When the inner iteration ends, by default `SquareRoot { most: 0.25 }`.
    ///
    /// # Panics
    /// If its number does not lie between 0 and 1.
    #[must_use]
    pub fn forcing(mut self, forcing: Forcing<T>) -> Self {
        forcing.check();
        self.forcing = forcing;
        self
    }

    /// The radius to begin with. By default the length of the first step of steepest descent that minimises the model,
    /// which costs one product.
    ///
    /// # Panics
    /// If it is not positive and finite.
    #[must_use]
    pub fn first_radius(mut self, radius: T) -> Self {
        assert!(
            radius > T::zero() && radius.is_finite(),
            "first_radius: it must be positive and finite, not {radius:?}"
        );
        self.first_radius = Some(radius);
        self
    }

    /// The largest radius, by default without bound.
    ///
    /// # Panics
    /// If it is not positive.
    #[must_use]
    pub fn max_radius(mut self, radius: T) -> Self {
        assert!(radius > T::zero(), "max_radius: it must be positive, not {radius:?}");
        self.max_radius = radius;
        self
    }

    /// Minimises from `x`, which is overwritten by the best point found, also if the method fails.
    ///
    /// # Errors
    /// If the value, the gradient or a product is NaN or infinite. A step to such a value is rejected; it is an error if
    /// no step, however short, leads to a finite one.
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
        let mut crossings: [_; 2] = array::from_fn(|_| Crossing {
            radius: T::zero(),
            decrease: None,
            step: vec![T::zero(); at.x.len()],
        });
        let mut radius = self.first_radius;
        let mut rejections = 0;
        let mut spoiled = None;
        // A step on the path of the last iteration, which was rejected.
        let mut shorter: Option<Inner<T>> = None;
        loop {
            if let Some(ending) = at.ending_or_leave(preconditioner)? {
                return Ok(at.end(ending));
            }
            let inner = if let Some(inner) = shorter.take() {
                inner
            } else {
                let until = Truncation {
                    residual: term * at.report.gradient_norm,
                    products: at.inner_products(),
                    radius: T::infinity(),
                };
                at.with_hessian(preconditioner, |hessian, preconditioner, gradient, work, step| {
                    let mut used = 0; // products
                    if radius.is_none() {
                        let once = Truncation { products: 1, ..until };
                        let first =
                            truncated_cg(hessian, gradient, preconditioner, once, &mut [], work, step)?;
                        used = first.products;
                        radius = Some(first.length);
                        if used == until.products {
                            return Ok(first);
                        }
                    }
                    let bound = radius.unwrap_or_else(T::one).min(self.max_radius);
                    let mut smaller = bound;
                    for crossing in &mut crossings {
                        smaller *= real(SHRINK);
                        (crossing.radius, crossing.decrease) = (smaller, None);
                    }
                    let until = Truncation { radius: bound, products: until.products - used, ..until };
                    let mut inner =
                        truncated_cg(hessian, gradient, preconditioner, until, &mut crossings, work, step)?;
                    inner.products += used;
                    Ok(inner)
                })?
            };
            let value = at.evaluate(T::one());
            let ratio = ratio(at.report.value, value, inner.decrease);
            let bound = radius.unwrap_or(inner.length);
            if ratio < real(POOR) {
                radius = Some(inner.length * real(SHRINK));
            } else if ratio > real(GOOD) && inner.length > bound * real(0.99) {
                radius = Some((bound * real(2.0)).min(self.max_radius));
            }
            let is_accepted = ratio > real(ACCEPT) && at.moves() && norm(&at.trial_gradient).is_finite();
            let step_norm = if is_accepted { norm(&at.step) } else { T::zero() };
            if is_accepted {
                let before = at.report.gradient_norm;
                if at.accept(value)? {
                    return Ok(at.end(Ending::NoProgress));
                }
                term = self.forcing.next(term, before, at.report.gradient_norm);
                (rejections, spoiled) = (0, None);
            } else {
                if !value.is_finite() {
                    spoiled = Some(Quantity::Value);
                } else if !norm(&at.trial_gradient).is_finite() {
                    spoiled = Some(Quantity::Gradient);
                }
                rejections += 1;
                if rejections == REJECTIONS || !at.moves() {
                    return match spoiled {
                        Some(quantity) => Err(at.non_finite(quantity)),
                        None => Ok(at.end(Ending::NoProgress)),
                    };
                }
                radius = Some(inner.length * real(SHRINK));
                let half = inner.length * real(0.5);
                for crossing in &mut crossings {
                    if let Some(decrease) = crossing.decrease.filter(|_| crossing.radius < half) {
                        at.step.copy_from_slice(&crossing.step);
                        crossing.decrease = None;
                        radius = Some(crossing.radius);
                        shorter = Some(Inner {
                            ending: InnerEnding::Shortened,
                            products: 0,
                            decrease,
                            length: crossing.radius,
                        });
                        break;
                    }
                }
            }
            if at.tell(step_norm, inner.ending, &mut callback).is_break() {
                return Ok(at.end(Ending::Stopped));
            }
        }
    }
}

/// Actual by predicted decrease, with both taken for equal where they drown in rounding (Conn, Gould & Toint 2000,
/// §17.4.2). Negative if the value is not finite.
fn ratio<T: Scalar>(before: T, after: T, predicted: T) -> T {
    if !after.is_finite() {
        return -T::one();
    }
    let noise = real::<T>(10.0) * T::epsilon() * before.abs();
    (before - after + noise) / (predicted + noise)
}
