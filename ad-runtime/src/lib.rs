//! Exact derivatives of plain Rust functions, generated at compile time.
//!
//! ```
//! use ad_runtime::differentiable;
//!
//! #[differentiable]
//! fn f(x: f64, y: f64) -> f64 {
//!     x * x * y + y.sin()
//! }
//!
//! let (x, y) = (1.5, 0.5);
//! let (value, (fx, fy)) = f_grad(x, y);
//! let (hx, hy) = f_hvp(x, y, 1.0, 0.0); // the first column of the Hessian
//! assert_eq!(value, f(x, y));
//! assert_eq!((fx, fy), (2.0 * x * y, x * x + y.cos()));
//! assert_eq!((hx, hy), (2.0 * y, 2.0 * x));
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

/// Generates the derivatives of the function that it stands on. The book lists what they are called and what they take.
///
/// # `partials(..)`: derivatives of your own
///
/// Where a function cannot be annotated (it is foreign, or an iteration that had better not be differentiated), its
/// partial derivatives can be named: one function for each active parameter, in order, with the same parameters. They
/// are differentiable functions themselves, so second order follows. The body is not looked into.
///
/// ```
/// use ad_runtime::differentiable;
///
/// #[differentiable(partials(root_slope))]
/// fn root(x: f64) -> f64 {
///     x.powf(0.5) // some library's
/// }
///
/// #[differentiable]
/// fn root_slope(x: f64) -> f64 {
///     0.5 / root(x)
/// }
///
/// #[differentiable]
/// fn f(x: f64, y: f64) -> f64 {
///     root(x) * y
/// }
/// assert_eq!(f_grad(4.0, 3.0), (6.0, (0.75, 2.0)));
/// assert_eq!(f_hvp(4.0, 3.0, 1.0, 0.0), (-0.09375, 0.25));
/// ```
///
/// The active parameters and the result are floats. Everything else is data; `wrt(..)` leaves floats out. In an `impl`
/// block the partials are named `Self::slope`.
pub use ad_macros::differentiable;

/// Its argument, without derivatives: inside a differentiated function the result counts as a constant.
///
/// ```
/// use ad_runtime::{constant, differentiable};
///
/// #[differentiable]
/// fn f(x: f64) -> f64 {
///     x * constant(x) // the second factor is held fixed
/// }
/// assert_eq!(f_grad(3.0), (9.0, 3.0));
/// ```
#[inline(always)]
pub fn constant<T>(value: T) -> T {
    value
}

pub mod call;
mod tape;

pub use tape::Tape;

/// What generated code names. Not for other use.
#[doc(hidden)]
pub mod __private {
    pub use alloc::vec;
    pub use alloc::vec::Vec;

    /// Panics unless an argument is as long as the parameter it belongs to.
    #[inline]
    #[track_caller]
    pub fn check_length(function: &str, argument: &str, found: usize, like: &str, expected: usize) {
        if found != expected {
            wrong_length(function, argument, found, like, expected);
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn wrong_length(function: &str, argument: &str, found: usize, like: &str, expected: usize) -> ! {
        panic!(
            "{function}: argument `{argument}` has length {found}, expected {expected}, the length of `{like}`"
        );
    }

    /// A zeroed vector as long as a slice.
    pub fn zeros_like<F: Copy + Default>(slice: &[F]) -> Vec<F> {
        vec![F::default(); slice.len()]
    }

    /// Adds a slice to another.
    pub fn add_to<F: Copy + core::ops::AddAssign>(sum: &mut [F], part: &[F]) {
        for (sum, part) in sum.iter_mut().zip(part) {
            *sum += *part;
        }
    }
}
