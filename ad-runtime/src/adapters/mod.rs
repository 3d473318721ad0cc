//! Objectives and operators for solvers of other crates, each behind a feature that names its version.
//!
//! | feature | crate | here | for |
//! | --- | --- | --- | --- |
//! | `basin3` | `basin` 3 | `basin3::Problem` | its `TrustRegion::matrix_free()` and first-order methods |
//! | `argmin0_11` | `argmin` 0.11 | `argmin0_11::Problem` | its `NewtonCG`, and `TrustRegion` with `Steihaug` |
//! | `faer0_24` | `faer` 0.24 | `faer0_24::Operator` | its matrix-free `conjugate_gradient` |
//!
//! The own solvers are in [`solvers`](crate::solvers). They need fewer products than these on the problems of the tests.

#[cfg(feature = "argmin0_11")]
pub mod argmin0_11;
#[cfg(feature = "basin3")]
pub mod basin3;
#[cfg(feature = "faer0_24")]
pub mod faer0_24;

#[cfg(any(feature = "argmin0_11", feature = "basin3"))]
mod evaluator {
    use alloc::vec;
    use alloc::vec::Vec;
    use core::cell::RefCell;

    use crate::operators::Scalar;
    use crate::solvers::objective::Objective;
    use crate::solvers::{Quantity, SolverError, all_finite};

    /// An objective that is evaluated through a shared reference, as other crates do, and remembers the last point, as they
    /// ask for the value and the gradient one by one.
    pub(super) struct Evaluator<T, O> {
        objective: RefCell<O>,
        last: RefCell<Last<T>>,
    }

    struct Last<T> {
        x: Vec<T>,
        value: T,
        gradient: Vec<T>,
        evaluations: usize,
        products: usize,
    }

    impl<T: Scalar, O: Objective<Scalar = T>> Evaluator<T, O> {
        pub(super) fn new(objective: O) -> Self {
            let last =
                Last { x: Vec::new(), value: T::nan(), gradient: Vec::new(), evaluations: 0, products: 0 };
            Self { objective: RefCell::new(objective), last: RefCell::new(last) }
        }

        pub(super) fn evaluations(&self) -> usize {
            self.last.borrow().evaluations
        }

        pub(super) fn products(&self) -> usize {
            self.last.borrow().products
        }

        fn at(&self, x: &[T]) -> core::cell::RefMut<'_, Last<T>> {
            let mut last = self.last.borrow_mut();
            if last.x != x || last.evaluations == 0 {
                let mut gradient = core::mem::take(&mut last.gradient);
                gradient.resize(x.len(), T::zero());
                last.value = self.objective.borrow_mut().value_and_gradient(x, &mut gradient);
                last.gradient = gradient;
                last.x.clear();
                last.x.extend_from_slice(x);
                last.evaluations += 1;
            }
            last
        }

        /// The value, infinite if it or the gradient is not finite: "not here", but no reason to end.
        pub(super) fn value(&self, x: &[T]) -> T {
            let last = self.at(x);
            if last.value.is_finite() && all_finite(&last.gradient) { last.value } else { T::infinity() }
        }

        /// The gradient, which must be finite.
        pub(super) fn gradient(&self, x: &[T]) -> Result<Vec<T>, SolverError> {
            let last = self.at(x);
            if all_finite(&last.gradient) {
                Ok(last.gradient.clone())
            } else {
                Err(SolverError::NonFinite { quantity: Quantity::Gradient, iteration: last.evaluations - 1 })
            }
        }

        /// A product, which must be finite.
        pub(super) fn product(&self, x: &[T], v: &[T]) -> Result<Vec<T>, SolverError> {
            let mut out = vec![T::zero(); v.len()];
            self.objective.borrow_mut().with_hessian(x, &mut |hessian| hessian.apply(v, &mut out));
            let products = &mut self.last.borrow_mut().products;
            *products += 1;
            if all_finite(&out) {
                Ok(out)
            } else {
                Err(SolverError::NonFinite { quantity: Quantity::Product, iteration: *products - 1 })
            }
        }
    }
}
