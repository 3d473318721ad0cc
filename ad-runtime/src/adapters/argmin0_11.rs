//! Objectives for `argmin` 0.11.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;

use ::argmin::core::{CostFunction, Error, Gradient, Hessian, Operator};
use argmin_math::ArgminDot;

use super::evaluator::Evaluator;
use crate::operators::Scalar;
use crate::solvers::objective::Objective;
use crate::solvers::{Quantity, SolverError, all_finite};

/// An objective as `argmin` wants it, with vectors `Vec<T>`, and a Hessian that is known by its products.
///
/// What is not finite ends the run with a [`SolverError`] inside of `argmin`'s error: at once if it is a gradient, at the
/// next evaluation if it is a product (until then a direction of negative curvature is pretended, which every method
/// takes for a reason to stop, while on a NaN the `NewtonCG` of 0.11 would loop for ever). A value that is not finite is
/// infinite: a line search goes back.
///
/// Two tolerances of 0.11 are not what they look like: `NewtonCG` compares `r·r` with one that is meant for `‖r‖`, and
/// `Steihaug` takes its relative `epsilon` also for a bound on the gradient, where it stops. So both hardly move any more once
/// the gradient is small: hand them the objective [`scaled`](Self::scaled) by a large factor. Even so they take three times
/// the products of [`NewtonCg`](crate::solvers::newton_cg::NewtonCg) on chained Rosenbrock.
///
/// ```
/// use ad_runtime::adapters::argmin0_11::Problem;
/// use ad_runtime::differentiable;
/// use ad_runtime::solvers::objective::from_products;
/// use argmin::core::{Executor, State};
/// use argmin::solver::trustregion::{Steihaug, TrustRegion};
///
/// #[differentiable]
/// fn rosenbrock(x: &[f64]) -> f64 {
///     100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2)
/// }
///
/// let problem = Problem::new(from_products(rosenbrock_grad, rosenbrock_hvp));
/// let found = Executor::new(problem, TrustRegion::new(Steihaug::new()))
///     .configure(|state| state.param(vec![-1.2, 1.0]).max_iters(100))
///     .run()?;
/// assert!(found.state().get_best_cost() < 1e-12);
/// # Ok::<(), argmin::core::Error>(())
/// ```
pub struct Problem<T, O> {
    shared: Rc<Shared<T, O>>,
}

struct Shared<T, O> {
    evaluator: Evaluator<T, O>,
    factor: T,
    /// What a product could not tell.
    failure: RefCell<Option<SolverError>>,
}

impl<T: Scalar, O: Objective<Scalar = T>> Problem<T, O> {
    /// Takes an objective.
    pub fn new(objective: O) -> Self {
        Self::scaled(objective, T::one())
    }

    /// Takes an objective and multiplies it by a factor, which the costs that `argmin` reports then have.
    ///
    /// # Panics
    /// If the factor is not positive and finite.
    pub fn scaled(objective: O, factor: T) -> Self {
        assert!(
            factor > T::zero() && factor.is_finite(),
            "scaled: the factor must be positive and finite, not {factor:?}"
        );
        let evaluator = Evaluator::new(objective);
        Self { shared: Rc::new(Shared { evaluator, factor, failure: RefCell::new(None) }) }
    }

    fn scale(&self, mut v: Vec<T>) -> Vec<T> {
        v.iter_mut().for_each(|v| *v *= self.shared.factor);
        v
    }

    fn check(&self) -> Result<(), Error> {
        self.shared.failure.borrow().clone().map_or(Ok(()), |failure| Err(failure.into()))
    }
}

/// Another handle of the same objective, with the same counts.
impl<T, O> Clone for Problem<T, O> {
    fn clone(&self) -> Self {
        Self { shared: Rc::clone(&self.shared) }
    }
}

impl<T: Scalar, O: Objective<Scalar = T>> fmt::Debug for Problem<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("evaluations", &self.shared.evaluator.evaluations())
            .field("products", &self.shared.evaluator.products())
            .finish_non_exhaustive()
    }
}

impl<T: Scalar, O: Objective<Scalar = T>> CostFunction for Problem<T, O> {
    type Param = Vec<T>;
    type Output = T;
    fn cost(&self, x: &Vec<T>) -> Result<T, Error> {
        self.check()?;
        Ok(self.shared.evaluator.value(x) * self.shared.factor)
    }
}

impl<T: Scalar, O: Objective<Scalar = T>> Gradient for Problem<T, O> {
    type Param = Vec<T>;
    type Gradient = Vec<T>;
    fn gradient(&self, x: &Vec<T>) -> Result<Vec<T>, Error> {
        self.check()?;
        Ok(self.scale(self.shared.evaluator.gradient(x)?))
    }
}

impl<T: Scalar, O: Objective<Scalar = T>> Hessian for Problem<T, O> {
    type Param = Vec<T>;
    type Hessian = HessianAt<T, O>;
    fn hessian(&self, x: &Vec<T>) -> Result<HessianAt<T, O>, Error> {
        self.check()?;
        Ok(HessianAt { x: Rc::new(x.clone()), problem: self.clone() })
    }
}

/// The Hessian at a point, as `argmin`'s methods want it: something that has a [`dot`](ArgminDot::dot) with vectors.
pub struct HessianAt<T, O> {
    x: Rc<Vec<T>>,
    problem: Problem<T, O>,
}

impl<T, O> Clone for HessianAt<T, O> {
    fn clone(&self) -> Self {
        Self { x: Rc::clone(&self.x), problem: self.problem.clone() }
    }
}

impl<T: Scalar, O: Objective<Scalar = T>> fmt::Debug for HessianAt<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HessianAt").field("dim", &self.x.len()).finish_non_exhaustive()
    }
}

impl<T: Scalar, O: Objective<Scalar = T>> ArgminDot<Vec<T>, Vec<T>> for HessianAt<T, O> {
    /// The product, or what ends the inner iteration if that is not finite.
    ///
    /// # Panics
    /// If the direction itself is not finite, from which the `NewtonCG` of 0.11 would never return.
    fn dot(&self, v: &Vec<T>) -> Vec<T> {
        assert!(all_finite(v), "argmin asks for the product with a direction that is not finite");
        let shared = &self.problem.shared;
        if shared.failure.borrow().is_none() {
            match shared.evaluator.product(&self.x, v) {
                Ok(product) => return self.problem.scale(product),
                Err(error) => *shared.failure.borrow_mut() = Some(error),
            }
        }
        v.iter().map(|&v| -v).collect()
    }
}

/// For `argmin`'s `ConjugateGradient`, on the Newton equation.
impl<T: Scalar, O: Objective<Scalar = T>> Operator for HessianAt<T, O> {
    type Param = Vec<T>;
    type Output = Vec<T>;
    fn apply(&self, v: &Vec<T>) -> Result<Vec<T>, Error> {
        if !all_finite(v) {
            return Err(SolverError::NonFinite { quantity: Quantity::Product, iteration: 0 }.into());
        }
        Ok(self.problem.scale(self.problem.shared.evaluator.product(&self.x, v)?))
    }
}
