//! What the minimisers share: what they report, how they end, and how they evaluate an objective.
//!
//! How they choose their steps is in `newton_cg` and `trust_region`.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::objective::Objective;
use super::preconditioner::{Identity, Preconditioner};
use super::random::Random;
pub use super::truncated_cg::InnerEnding;
use super::truncated_cg::{Inner, Recurrence, Truncation, truncated_cg};
use super::{Quantity, SolverError, all_finite, norm, real};
use crate::operators::{HessianOperator, Scalar};

/// Why a minimiser ended, if not by an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The norm of the gradient is at most the tolerance.
    Converged,
    /// No step lowers the value: the precision of the numbers, or of the derivatives, is used up.
    NoProgress,
    /// As many iterations as were allowed.
    IterationLimit,
    /// As many products as were allowed.
    ProductLimit,
    /// The callback asked for it.
    Stopped,
}

/// Where a minimiser ended. The point itself is in the vector that it was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimum<T> {
    /// The value there.
    pub value: T,
    /// The Euclidean norm of the gradient there.
    pub gradient_norm: T,
    /// Why it ended there.
    pub ending: Ending,
    /// Outer iterations: steps tried.
    pub iterations: usize,
    /// Evaluations of value and gradient.
    pub evaluations: usize,
    /// Hessian-vector products.
    pub products: usize,
}

/// What a callback sees after each outer iteration.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a, T> {
    /// The iterations so far, this included.
    pub iteration: usize,
    /// The point reached.
    pub x: &'a [T],
    /// The value there.
    pub value: T,
    /// The gradient there.
    pub gradient: &'a [T],
    /// Its Euclidean norm.
    pub gradient_norm: T,
    /// The norm of the step that was taken, zero if it was rejected.
    pub step_norm: T,
    /// Why the inner iteration of this step ended.
    pub inner: InnerEnding,
    /// Evaluations of value and gradient so far.
    pub evaluations: usize,
    /// Hessian-vector products so far.
    pub products: usize,
}

/// The forcing term `η`: the inner iteration ends once its residual is at most `η` times the norm of the gradient. Each
/// makes convergence superlinear, as the exact step would be wasted far from the solution.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Forcing<T> {
    /// `min(most, √‖g‖)` (Nocedal & Wright 2006, algorithm 7.1). Order 3/2. It depends on the scale of the objective.
    SquareRoot {
        /// Between 0 and 1.
        most: T,
    },
    /// `0.9 (‖g‖ / ‖g before‖)²`, at most `most`, and kept from falling too soon (Eisenstat & Walker 1996, choice 2).
    /// Independent of the scale of the objective.
    EisenstatWalker {
        /// Between 0 and 1. Also the first term.
        most: T,
    },
    /// Always the same. Linear convergence, with this rate.
    Constant(T),
}

impl<T: Scalar> Forcing<T> {
    pub(super) fn check(self) {
        let (Self::SquareRoot { most } | Self::EisenstatWalker { most } | Self::Constant(most)) = self;
        assert!(
            most > T::zero() && most < T::one(),
            "forcing: the term must lie between 0 and 1, not {most:?}"
        );
    }

    /// The term to begin with.
    pub(super) fn first(self, gradient_norm: T) -> T {
        match self {
            Self::EisenstatWalker { most } => most,
            _ => self.next(T::zero(), gradient_norm, gradient_norm),
        }
    }

    /// The term after the gradient went from one norm to another.
    pub(super) fn next(self, term: T, before: T, gradient_norm: T) -> T {
        match self {
            Self::SquareRoot { most } => gradient_norm.sqrt().min(most),
            Self::EisenstatWalker { most } => {
                let scale = real::<T>(0.9);
                let guard = scale * term * term;
                let ratio = scale * (gradient_norm / before).powi(2);
                let chosen = if guard > real(0.1) { ratio.max(guard) } else { ratio };
                // A term below precision would ask for the impossible.
                chosen.min(most).max(T::epsilon())
            }
            Self::Constant(term) => term,
        }
    }
}

/// When a minimiser ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits<T> {
    pub(super) gradient_tolerance: T,
    pub(super) iterations: usize,
    pub(super) products: usize,
    /// How many to spend on a stationary point in search of negative curvature.
    pub(super) saddle_products: usize,
}

impl<T: Scalar> Default for Limits<T> {
    fn default() -> Self {
        Self {
            gradient_tolerance: T::epsilon().sqrt(),
            iterations: 100_000,
            products: usize::MAX,
            saddle_products: 0,
        }
    }
}

/// The point that a minimiser is at, and another that it looks at.
pub(super) struct Descent<'a, T, O> {
    objective: &'a mut O,
    limits: Limits<T>,
    pub(super) x: &'a mut [T],
    pub(super) gradient: Vec<T>,
    pub(super) trial: Vec<T>,
    pub(super) trial_gradient: Vec<T>,
    pub(super) step: Vec<T>,
    pub(super) work: Recurrence<T>,
    pub(super) report: Minimum<T>,
    /// The least norm of a gradient so far.
    flattest: T,
    /// Steps since the last that lowered the value or the gradient.
    stale: usize,
}

/// Steps that only shuffle rounding errors, before a minimiser gives up.
const PATIENCE: usize = 20;

impl<'a, T: Scalar, O: Objective<Scalar = T>> Descent<'a, T, O> {
    /// Evaluates at the start.
    pub(super) fn start(
        objective: &'a mut O,
        x: &'a mut [T],
        limits: Limits<T>,
    ) -> Result<Self, SolverError> {
        let zeros = || vec![T::zero(); x.len()];
        let (mut gradient, trial, trial_gradient, step) = (zeros(), zeros(), zeros(), zeros());
        let at_start = |quantity| SolverError::NonFinite { quantity, iteration: 0 };
        if !all_finite(x) {
            return Err(at_start(Quantity::Start));
        }
        let value = objective.value_and_gradient(x, &mut gradient);
        if !value.is_finite() {
            return Err(at_start(Quantity::Value));
        }
        let gradient_norm = norm(&gradient);
        if !gradient_norm.is_finite() {
            return Err(at_start(Quantity::Gradient));
        }
        let report = Minimum {
            value,
            gradient_norm,
            ending: Ending::Converged,
            iterations: 0,
            evaluations: 1,
            products: 0,
        };
        let work = Recurrence::new(x.len());
        Ok(Self {
            objective,
            limits,
            x,
            gradient,
            trial,
            trial_gradient,
            step,
            work,
            report,
            flattest: gradient_norm,
            stale: 0,
        })
    }

    /// Whether to end before another iteration.
    pub(super) fn ending(&self) -> Option<Ending> {
        if self.report.gradient_norm <= self.limits.gradient_tolerance {
            Some(Ending::Converged)
        } else if self.report.iterations >= self.limits.iterations {
            Some(Ending::IterationLimit)
        } else if self.report.products >= self.limits.products {
            Some(Ending::ProductLimit)
        } else {
            None
        }
    }

    /// Whether to end before another iteration, unless this is a saddle that it has left.
    pub(super) fn ending_or_leave(
        &mut self,
        preconditioner: &mut impl Preconditioner<T>,
    ) -> Result<Option<Ending>, SolverError> {
        while let Some(ending) = self.ending() {
            if ending != Ending::Converged || !self.leave_saddle(preconditioner)? {
                return Ok(Some(ending));
            }
        }
        Ok(None)
    }

    /// Looks for negative curvature where the gradient has none to show, by conjugate gradients on a random right-hand side
    /// (Royer, O'Neill & Wright 2020, the "minimum eigenvalue oracle"), and goes along it to a lower value. Returns whether
    /// it did.
    fn leave_saddle(&mut self, preconditioner: &mut impl Preconditioner<T>) -> Result<bool, SolverError> {
        let products = self.limits.saddle_products.min(self.limits.products - self.report.products);
        if products == 0 {
            return Ok(false);
        }
        let mut probe = vec![T::zero(); self.x.len()];
        Random::new(self.report.products as u64).fill_normal(&mut probe);
        let until =
            Truncation { residual: T::epsilon().sqrt() * norm(&probe), products, radius: T::infinity() };
        let inner = self.with_hessian(preconditioner, |hessian, _, _, work, step| {
            truncated_cg(hessian, &probe, &mut Identity, until, &mut [], work, step)
        })?;
        if inner.ending != InnerEnding::NegativeCurvature || !self.work.is_concave() {
            return Ok(false);
        }
        let length = norm(&self.work.direction);
        for (step, &d) in self.step.iter_mut().zip(&self.work.direction) {
            *step = d / length;
        }
        let (half, enough) = (real::<T>(0.5), self.report.value - self.noise());
        let mut alpha = norm(self.x).max(T::one());
        // Up to where the decrease, of second order, drowns in rounding.
        while alpha > T::epsilon().sqrt() {
            for alpha in [alpha, -alpha] {
                let value = self.evaluate(alpha);
                if value.is_finite() && value < enough && all_finite(&self.trial_gradient) {
                    self.accept(value)?;
                    return Ok(true);
                }
            }
            alpha *= half;
        }
        Ok(false)
    }

    /// What of a value is rounding.
    fn noise(&self) -> T {
        real::<T>(4.0) * T::epsilon() * self.report.value.abs()
    }

    /// How many products the next inner iteration may use. In exact arithmetic `dim` are enough.
    pub(super) fn inner_products(&self) -> usize {
        (20 * self.x.len().max(1)).min(self.limits.products - self.report.products)
    }

    /// Runs an inner iteration on the Hessian here.
    pub(super) fn with_hessian<P: Preconditioner<T>>(
        &mut self,
        preconditioner: &mut P,
        mut body: impl FnMut(
            &dyn HessianOperator<Scalar = T>,
            &mut P,
            &[T],
            &mut Recurrence<T>,
            &mut [T],
        ) -> Result<Inner<T>, SolverError>,
    ) -> Result<Inner<T>, SolverError> {
        let (gradient, step, work) = (&self.gradient, &mut self.step, &mut self.work);
        work.iteration = self.report.iterations;
        let mut found = None;
        self.objective.with_hessian(self.x, &mut |hessian| {
            assert_eq!(hessian.dim(), gradient.len(), "the Hessian's dimension must be the length of `x`");
            preconditioner.update(hessian);
            found = Some(body(hessian, preconditioner, gradient, work, step));
        });
        let inner = found.expect("`Objective::with_hessian` must call `body`")?;
        self.report.products += inner.products;
        Ok(inner)
    }

    /// Evaluates at `x + α step`. The value is NaN or infinite if it or the gradient has such.
    pub(super) fn evaluate(&mut self, alpha: T) -> T {
        for ((trial, &x), &p) in self.trial.iter_mut().zip(&*self.x).zip(&self.step) {
            *trial = x + alpha * p;
        }
        self.report.evaluations += 1;
        self.objective.value_and_gradient(&self.trial, &mut self.trial_gradient)
    }

    /// Whether the trial differs from the point.
    pub(super) fn moves(&self) -> bool {
        self.trial.iter().zip(&*self.x).any(|(trial, x)| trial != x)
    }

    /// Goes to where it last evaluated. Returns whether it has long got neither lower nor flatter.
    pub(super) fn accept(&mut self, value: T) -> Result<bool, SolverError> {
        let gradient_norm = norm(&self.trial_gradient);
        if !gradient_norm.is_finite() {
            return Err(self.non_finite(Quantity::Gradient));
        }
        if value < self.report.value - self.noise() || gradient_norm < real::<T>(0.9) * self.flattest {
            self.stale = 0;
        } else {
            self.stale += 1;
        }
        self.flattest = self.flattest.min(gradient_norm);
        self.x.copy_from_slice(&self.trial);
        core::mem::swap(&mut self.gradient, &mut self.trial_gradient);
        self.report.value = value;
        self.report.gradient_norm = gradient_norm;
        Ok(self.stale > PATIENCE)
    }

    pub(super) fn non_finite(&self, quantity: Quantity) -> SolverError {
        SolverError::NonFinite { quantity, iteration: self.report.iterations }
    }

    /// Counts the iteration and tells of it.
    pub(super) fn tell(
        &mut self,
        step_norm: T,
        inner: InnerEnding,
        callback: &mut impl FnMut(&Progress<'_, T>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.report.iterations += 1;
        callback(&Progress {
            iteration: self.report.iterations,
            x: self.x,
            value: self.report.value,
            gradient: &self.gradient,
            gradient_norm: self.report.gradient_norm,
            step_norm,
            inner,
            evaluations: self.report.evaluations,
            products: self.report.products,
        })
    }

    pub(super) fn end(mut self, ending: Ending) -> Minimum<T> {
        self.report.ending = ending;
        self.report
    }
}
