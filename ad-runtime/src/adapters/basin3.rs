//! Objectives for `basin` 3.

use alloc::vec::Vec;
use core::fmt;

use ::basin::{CostFunction, Gradient, HessianProduct};

use super::evaluator::Evaluator;
use crate::operators::Scalar;
use crate::solvers::SolverError;
use crate::solvers::objective::Objective;

/// An objective as `basin` wants it, with vectors `Vec<T>`.
///
/// A value that is not finite becomes infinite, which `basin` takes for a rejected point; a gradient or a product that is not
/// finite ends the run with an error. The gradient is computed with the value and kept for when it is asked for. The
/// operator is made anew for each product: give it one that costs nothing to make
/// ([`from_products`](crate::solvers::objective::from_products)).
///
/// ```
/// use ad_runtime::adapters::basin3::Problem;
/// use ad_runtime::differentiable;
/// use ad_runtime::solvers::objective::from_products;
/// use basin::{Executor, FirstOrderState, TrustRegion};
///
/// #[differentiable]
/// fn rosenbrock(x: &[f64]) -> f64 {
///     100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2)
/// }
///
/// let problem = Problem::new(from_products(rosenbrock_grad, rosenbrock_hvp));
/// let solver = TrustRegion::matrix_free().with_absolute_gradient_tolerance(1e-8);
/// let found = Executor::new(problem, solver, FirstOrderState::new(vec![-1.2, 1.0])).max_iter(100).run()?;
/// assert!(found.cost() < 1e-12);
/// # Ok::<(), ad_runtime::solvers::SolverError>(())
/// ```
pub struct Problem<T, O> {
    evaluator: Evaluator<T, O>,
}

impl<T: Scalar, O: Objective<Scalar = T>> Problem<T, O> {
    /// Takes an objective.
    pub fn new(objective: O) -> Self {
        Self { evaluator: Evaluator::new(objective) }
    }
}

impl<T: Scalar, O: Objective<Scalar = T>> fmt::Debug for Problem<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("evaluations", &self.evaluator.evaluations())
            .field("products", &self.evaluator.products())
            .finish_non_exhaustive()
    }
}

impl<T: Scalar, O: Objective<Scalar = T>> CostFunction for Problem<T, O> {
    type Param = Vec<T>;
    type Output = T;
    type Error = SolverError;
    fn cost(&self, x: &Vec<T>) -> Result<T, SolverError> {
        Ok(self.evaluator.value(x))
    }
}

impl<T: Scalar, O: Objective<Scalar = T>> Gradient for Problem<T, O> {
    type Gradient = Vec<T>;
    fn gradient(&self, x: &Vec<T>) -> Result<Vec<T>, SolverError> {
        self.evaluator.gradient(x)
    }
}

impl<T: Scalar, O: Objective<Scalar = T>> HessianProduct for Problem<T, O> {
    fn hessian_product(&self, x: &Vec<T>, v: &Vec<T>) -> Result<Vec<T>, SolverError> {
        self.evaluator.product(x, v)
    }
}
