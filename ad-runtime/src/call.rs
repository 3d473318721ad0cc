//! How one differentiable function calls another.
//!
//! A differentiable function `g` with one float result has hidden companions beside it, which generated code of
//! its callers uses:
//!
//! | companion | takes | gives |
//! | --- | --- | --- |
//! | `__differentiable_g_jvp` | arguments, directions | `(y, y_dot)` |
//! | `__differentiable_g_vjp` | arguments, `y_bar`, adjoints | adjoints of the scalars, as a tuple |
//! | `__differentiable_g_vjp_jvp` | arguments, `y_bar`, directions, `y_bar_dot`, adjoints, their tangents | both, as tuples |
//! | `__differentiable_g_jvp_jvp` | arguments, three groups of directions | `(y, y_1, y_2, y_12)` |
//!
//! Directions and adjoints come in groups with one slot for each parameter. A slot is `()` where the caller's
//! argument is not active; the traits here turn it into what the companion computes with. The adjoints of slices
//! are *added into*, unlike the outputs of the functions meant for users.

use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;

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

macro_rules! slots {
    ($($float:ty),*) => {$(
        impl Dot<$float> for $float {
            #[inline(always)]
            fn tangent(self) -> $float {
                self
            }
        }
        impl Dot<$float> for () {
            #[inline(always)]
            fn tangent(self) -> $float {
                0.0
            }
        }
        impl DotSlice<$float> for &[$float] {
            #[inline(always)]
            fn tangent(&self, _length: usize) -> Cow<'_, [$float]> {
                Cow::Borrowed(self)
            }
        }
        impl DotSlice<$float> for () {
            fn tangent(&self, length: usize) -> Cow<'_, [$float]> {
                Cow::Owned(vec![0.0; length])
            }
        }
        impl<'a> BarSlice<$float> for &'a mut [$float] {
            type Store = &'a mut [$float];
            #[inline(always)]
            fn cotangent(self, _length: usize) -> &'a mut [$float] {
                self
            }
        }
        impl BarSlice<$float> for &mut Vec<$float> {
            type Store = Self;
            #[inline(always)]
            fn cotangent(self, _length: usize) -> Self {
                self
            }
        }
        impl BarSlice<$float> for () {
            type Store = Vec<$float>;
            fn cotangent(self, length: usize) -> Vec<$float> {
                vec![0.0; length]
            }
        }
    )*};
}
slots!(f64, f32);
