//! The Hessian of a function at a point, as the macro's `f_hessian` and `f_linearize` give it.

use alloc::vec;
use alloc::vec::Vec;

use super::{HessianOperator, Properties, Scalar, check_operand};

/// The Hessian at a point, without storage: each application is one Hessian-vector product, `f_hvp`.
///
/// Made by `f_hessian`, or from closures. Costs nothing until it is applied.
///
/// ```
/// use ad_runtime::differentiable;
/// use ad_runtime::operators::HessianOperator;
///
/// #[differentiable]
/// fn f(x: &[f64]) -> f64 {
///     x[0] * x[0] * x[1]
/// }
/// let hessian = f_hessian(&[3.0, 5.0]);
/// let mut hv = [0.0; 2];
/// hessian.apply(&[1.0, 0.0], &mut hv);
/// assert_eq!(hv, [10.0, 6.0]);
/// assert_eq!(hessian.value(), 45.0);
/// ```
#[derive(Clone, Debug)]
pub struct Hessian<T, P, G> {
    dim: usize,
    product: P,
    gradient: G,
    scalar: core::marker::PhantomData<T>,
}

impl<T: Scalar, P: Fn(&[T], &mut [T]), G: Fn(&mut [T]) -> T> Hessian<T, P, G> {
    /// From `product`, which overwrites its second argument with `H v`, and `gradient`, which overwrites its argument with
    /// the gradient and returns the value.
    pub fn new(dim: usize, product: P, gradient: G) -> Self {
        Self { dim, product, gradient, scalar: core::marker::PhantomData }
    }

    /// Writes the gradient to `out`, which is overwritten, and returns the value. Costs one gradient.
    ///
    /// # Panics
    /// If `out` is not of length `dim`.
    pub fn gradient(&self, out: &mut [T]) -> T {
        check_operand("gradient", "out", out.len(), self.dim);
        (self.gradient)(out)
    }

    /// The function's value. Costs one gradient, and allocates a vector of length `dim`.
    pub fn value(&self) -> T {
        (self.gradient)(&mut vec![T::zero(); self.dim])
    }
}

impl<T: Scalar, P: Fn(&[T], &mut [T]), G> HessianOperator for Hessian<T, P, G> {
    type Scalar = T;

    fn dim(&self) -> usize {
        self.dim
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim);
        check_operand("apply", "out", out.len(), self.dim);
        (self.product)(v, out);
    }

    fn properties(&self) -> Properties {
        Properties::SYMMETRIC
    }
}

/// The Hessian at a point, linearised: value and gradient have been computed, and what of the product does not depend on
/// the direction is kept, so that each application computes only what does.
///
/// Made by `f_linearize`, which costs about a gradient and the memory that [`memory`](Self::memory) tells. Worth it where
/// several products are taken at one point, as conjugate gradients do. Nothing records operations: both halves are compiled
/// code (compare `linearize` of JAX; Frostig et al. 2021, "Decomposing reverse-mode automatic differentiation").
///
/// ```
/// use ad_runtime::differentiable;
/// use ad_runtime::operators::HessianOperator;
///
/// #[differentiable]
/// fn f(x: &[f64]) -> f64 {
///     x.iter().map(|x| x.exp()).sum()
/// }
/// let x = [0.0, 1.0];
/// let hessian = f_linearize(&x);
/// assert_eq!(hessian.gradient(), [1.0, 1.0_f64.exp()]);
/// let mut hv = [0.0; 2];
/// hessian.apply(&[2.0, 0.0], &mut hv); // no exponential is computed here
/// assert_eq!(hv, [2.0, 0.0]);
/// assert_eq!(hessian.memory(), 16);
/// ```
#[derive(Clone, Debug)]
pub struct Linearized<T, P> {
    value: T,
    gradient: Vec<T>,
    memory: usize,
    product: P,
}

impl<T: Scalar, P: Fn(&[T], &mut [T])> Linearized<T, P> {
    /// From the value and the gradient, the bytes that `product` keeps, and `product`, which overwrites its second argument
    /// with `H v`.
    pub fn new(value: T, gradient: Vec<T>, memory: usize, product: P) -> Self {
        Self { value, gradient, memory, product }
    }

    /// The function's value.
    pub fn value(&self) -> T {
        self.value
    }

    /// The gradient.
    pub fn gradient(&self) -> &[T] {
        &self.gradient
    }

    /// How many bytes are kept for applications, beside the gradient.
    pub fn memory(&self) -> usize {
        self.memory
    }
}

impl<T: Scalar, P: Fn(&[T], &mut [T])> HessianOperator for Linearized<T, P> {
    type Scalar = T;

    fn dim(&self) -> usize {
        self.gradient.len()
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.gradient.len());
        check_operand("apply", "out", out.len(), self.gradient.len());
        (self.product)(v, out);
    }

    fn properties(&self) -> Properties {
        Properties::SYMMETRIC
    }
}
