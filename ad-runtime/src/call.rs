//! How one differentiable function calls another.
//!
//! A differentiable function `g` with one float result has hidden companions beside it, which generated code of
//! its callers uses (who forgets the attribute on `g` meets the name in the compiler's message):
//!
//! | companion | takes | gives |
//! | --- | --- | --- |
//! | `__put_differentiable_on_g__jvp` | arguments, directions | `(y, y_dot)` |
//! | `__put_differentiable_on_g__vjp` | arguments, `y_bar`, adjoints | adjoints of the scalars, as a tuple |
//! | `__put_differentiable_on_g__vjp_jvp` | arguments, `y_bar`, directions, `y_bar_dot`, adjoints, their tangents | both, as tuples |
//! | `__put_differentiable_on_g__curvature` | arguments, directions | `(y, y_dot, y_dot_dot)` |
//! | `__put_differentiable_on_g__taylor` | arguments, directions, second ones (`x + x_dot t + x_dot_dot t²/2`) | `(y, y_dot, y_dot_dot)` |
//!
//! Directions and adjoints come in groups with one slot for each parameter. A slot is `()` where the caller's
//! argument is not active; the traits here turn it into what the companion computes with. The adjoints of slices
//! are *added into*, unlike the outputs of the functions meant for users.

use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;

use num_traits::Zero;

/// The direction of a scalar: itself, or `()` for zero.
#[diagnostic::on_unimplemented(
    message = "this argument is not the scalar that the called function differentiates"
)]
pub trait Dot<F> {
    /// The tangent.
    fn tangent(self) -> F;
}

/// The direction of a slice: itself, or `()` for zeros.
#[diagnostic::on_unimplemented(
    message = "this argument is not the slice that the called function differentiates"
)]
pub trait DotSlice<F: Clone> {
    /// The tangent, of this length.
    fn tangent(&self, length: usize) -> Cow<'_, [F]>;
}

/// The adjoint of a slice: where to add it, or `()` if nobody wants it.
#[diagnostic::on_unimplemented(
    message = "this argument is not the slice that the called function differentiates"
)]
pub trait BarSlice<F> {
    /// What can be added into.
    type Store: AsMut<[F]>;
    /// The place to add into, of this length.
    fn cotangent(self, length: usize) -> Self::Store;
}

/// The slot of a parameter that the called function is not differentiated with respect to.
#[diagnostic::on_unimplemented(
    message = "an active value is passed to a parameter that the called function is not differentiated with respect to",
    label = "this call",
    note = "add the parameter to `wrt(..)` of the called function, or leave `wrt` out: then all float parameters are active"
)]
pub trait Inactive {}

/// The slot of a parameter whose adjoint comes back as a result.
pub trait Unused {}

impl Inactive for () {}
impl Unused for () {}

/// The direction of a scalar whose type is a parameter of the caller.
#[derive(Clone, Copy, Debug)]
pub struct Active<F>(pub F);

impl<F> Dot<F> for Active<F> {
    #[inline(always)]
    fn tangent(self) -> F {
        self.0
    }
}
impl Dot<f64> for f64 {
    #[inline(always)]
    fn tangent(self) -> f64 {
        self
    }
}
impl Dot<f32> for f32 {
    #[inline(always)]
    fn tangent(self) -> f32 {
        self
    }
}
impl<F: Zero> Dot<F> for () {
    #[inline(always)]
    fn tangent(self) -> F {
        F::zero()
    }
}
impl<F: Clone> DotSlice<F> for &[F] {
    #[inline(always)]
    fn tangent(&self, _length: usize) -> Cow<'_, [F]> {
        Cow::Borrowed(self)
    }
}
impl<F: Clone + Zero> DotSlice<F> for () {
    fn tangent(&self, length: usize) -> Cow<'_, [F]> {
        Cow::Owned(vec![F::zero(); length])
    }
}
impl<'a, F> BarSlice<F> for &'a mut [F] {
    type Store = &'a mut [F];
    #[inline(always)]
    fn cotangent(self, _length: usize) -> &'a mut [F] {
        self
    }
}
impl<F> BarSlice<F> for &mut Vec<F> {
    type Store = Self;
    #[inline(always)]
    fn cotangent(self, _length: usize) -> Self {
        self
    }
}
impl<F: Clone + Zero> BarSlice<F> for () {
    type Store = Vec<F>;
    fn cotangent(self, length: usize) -> Vec<F> {
        vec![F::zero(); length]
    }
}
