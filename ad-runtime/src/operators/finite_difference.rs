//! Products by differences of gradients: what one has without second derivatives, here to compare with.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::kernels::Scratch;
use super::{HessianOperator, Scalar, check_operand, dot};

/// `Hv` by differences of a gradient at two points on the line through `x` along `v`.
///
/// With `u = v / max|v|`, so that the result is as linear in `v` as differences can be, and `t = s (1 + max|x|)`:
///
/// | | product | `s` | gradients | error, relative to that of the gradient | |
/// | --- | --- | --- | --- | --- | --- |
/// | [`forward`](Self::forward) | `(g(x + t u) - g(x)) max∣v∣ / t` | `ε^½` | 1 | `ε^½` | half the digits |
/// | [`central`](Self::central) | `(g(x + t u) - g(x - t u)) max∣v∣ / 2t` | `ε^⅓` | 2 | `ε^⅔` | two thirds |
///
/// where `ε` is the machine epsilon: the steps at which rounding and truncation are equal in size for a function that
/// varies on the scale `1 + max|x|` (Nocedal and Wright, "Numerical Optimization", 2nd edition, 2006, section 8.1). For one
/// that varies faster or slower [`with_relative_step`](Self::with_relative_step) sets another `s`.
///
/// The product with the zero vector is zero; that with a vector that is not finite is NaN. It says that it is symmetric;
/// it is so up to the error above. It keeps `x`, a vector to work in or two, and for forward differences `g(x)`.
///
/// ```
/// use ad_runtime::operators::{FiniteDifference, HessianOperator};
///
/// let gradient = |x: &[f64], g: &mut [f64]| g[0] = x[0].exp();
/// let mut out = [0.0];
/// FiniteDifference::central(vec![1.0], gradient).apply(&[2.0], &mut out);
/// assert!((out[0] - 2.0 * 1.0_f64.exp()).abs() < 1e-9);
/// ```
#[derive(Clone)]
pub struct FiniteDifference<T, G> {
    x: Vec<T>,
    gradient: G,
    step: T,
    /// The gradient at `x`, of forward differences.
    at_x: Option<Vec<T>>,
    scratch: Scratch<T>,
}

impl<T: Scalar, G: Fn(&[T], &mut [T])> FiniteDifference<T, G> {
    /// Forward differences. `gradient` writes the gradient at its first argument to its second; it is called once here,
    /// and once a product.
    pub fn forward(x: Vec<T>, gradient: G) -> Self {
        let mut at_x = vec![T::zero(); x.len()];
        gradient(&x, &mut at_x);
        let step = T::epsilon().sqrt() * scale(&x);
        Self { x, gradient, step, at_x: Some(at_x), scratch: Scratch::new() }
    }

    /// Central differences. `gradient` writes the gradient at its first argument to its second; it is called twice a
    /// product.
    pub fn central(x: Vec<T>, gradient: G) -> Self {
        let step = T::epsilon().cbrt() * scale(&x);
        Self { x, gradient, step, at_x: None, scratch: Scratch::new() }
    }

    /// Sets the step `s`, relative to `1 + max|x|`.
    ///
    /// # Panics
    /// If it is not positive and finite.
    #[must_use]
    pub fn with_relative_step(mut self, step: T) -> Self {
        assert!(
            step > T::zero() && step.is_finite(),
            "FiniteDifference::with_relative_step: argument `step` is {step:?}, expected it to be positive and finite"
        );
        self.step = step * scale(&self.x);
        self
    }

    /// The step `t`: by how much the variable that moves most moves.
    pub fn step(&self) -> T {
        self.step
    }

    fn product(&self, v: &[T], out: &mut [T], scratch: &mut [T]) {
        let length = largest(v);
        if length.is_zero() {
            out.fill(T::zero());
            return;
        }
        if !length.is_finite() {
            out.fill(T::nan());
            return;
        }
        let (point, behind) = scratch.split_at_mut(v.len());
        let mut gradient_at = |step: T, gradient: &mut [T]| {
            for ((point, &x), &v) in point.iter_mut().zip(&self.x).zip(v) {
                *point = x + step * (v / length);
            }
            (self.gradient)(point, gradient);
        };
        gradient_at(self.step, out);
        let (behind, distance): (&[T], T) = match &self.at_x {
            Some(at_x) => (at_x, self.step),
            None => {
                gradient_at(-self.step, behind);
                (behind, self.step + self.step)
            }
        };
        for (out, &behind) in out.iter_mut().zip(behind) {
            *out = (*out - behind) / distance * length;
        }
    }
}

/// `max|v|`, and NaN if one of them is, which `Float::max` would pass over.
fn largest<T: Scalar>(v: &[T]) -> T {
    v.iter()
        .fold(T::zero(), |largest, v| if largest.is_nan() || v.abs() <= largest { largest } else { v.abs() })
}

fn scale<T: Scalar>(x: &[T]) -> T {
    T::one() + largest(x)
}

impl<T: Scalar, G: Fn(&[T], &mut [T])> HessianOperator for FiniteDifference<T, G> {
    type Scalar = T;

    fn dim(&self) -> usize {
        self.x.len()
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim());
        check_operand("apply", "out", out.len(), self.dim());
        self.scratch.with(2 * v.len(), T::zero(), |scratch| self.product(v, out, scratch));
    }

    fn quadratic_form(&self, v: &[T]) -> T {
        check_operand("quadratic_form", "v", v.len(), self.dim());
        self.scratch.with(3 * v.len(), T::zero(), |scratch| {
            let (product, scratch) = scratch.split_at_mut(v.len());
            self.product(v, product, scratch);
            dot(v, product)
        })
    }
}

impl<T: fmt::Debug, G> fmt::Debug for FiniteDifference<T, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FiniteDifference")
            .field("x", &self.x)
            .field("step", &self.step)
            .field("forward", &self.at_x.is_some())
            .finish_non_exhaustive()
    }
}
