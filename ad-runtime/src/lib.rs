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
#[cfg(feature = "std")]
extern crate std;

/// Generates the derivatives of the function that it stands on. The book lists what they are called and what they take.
///
/// # Helpers, and `impl` blocks
///
/// A differentiable function can call others. One whose parameters or result have no derivative of their own (it returns a
/// struct or a matrix, or changes its arguments in place) gets no derivative functions, but its callers are differentiated
/// through it. On an `impl` block, the attribute does the same for the methods and operators of a struct:
///
/// ```
/// use ad_runtime::differentiable;
///
/// #[derive(Clone, Copy)]
/// struct Vec2 {
///     x: f64,
///     y: f64,
/// }
///
/// #[differentiable]
/// impl Vec2 {
///     fn dot(self, other: Vec2) -> f64 {
///         self.x * other.x + self.y * other.y
///     }
/// }
///
/// #[differentiable]
/// impl std::ops::Mul<f64> for Vec2 {
///     type Output = Vec2;
///     fn mul(self, by: f64) -> Vec2 {
///         Vec2 { x: self.x * by, y: self.y * by }
///     }
/// }
///
/// #[differentiable]
/// fn f(x: f64, y: f64) -> f64 {
///     let v = Vec2 { x, y } * y;
///     v.dot(v) // x² y² + y⁴
/// }
/// assert_eq!(f_grad(2.0, 3.0), (117.0, (36.0, 132.0)));
/// ```
///
/// They stand in the module of their callers, `impl` blocks above them.
///
/// Methods of such a block that return one float get derivatives of their own, as if each carried the attribute: with respect to
/// their floats; or to `self`, where they take no floats and the struct derives [`Differentiable`](trait@Differentiable) above.
/// `#[differentiable(wrt(self, x))]` on the block says it for all methods at once, each of the parameters that it has.
/// Where a method has none, the name of its derivative is a stub, whose deprecation note says why.
///
/// ```
/// use ad_runtime::{Differentiable, differentiable};
///
/// #[derive(Clone, Differentiable)]
/// struct Line {
///     slope: f64,
///     offset: f64,
/// }
///
/// #[differentiable]
/// impl Line {
///     fn misfit(&self, data: &[(i32, i32)]) -> f64 {
///         data.iter().map(|&(x, y)| (self.slope * x as f64 + self.offset - y as f64).powi(2)).sum()
///     }
/// }
/// let line = Line { slope: 2.0, offset: 1.0 };
/// let mut gradient = line.clone();
/// let value = line.misfit_grad(&[(3, 6)], &mut gradient);
/// assert_eq!((value, gradient.slope, gradient.offset), (1.0, 6.0, 2.0));
/// ```
///
/// On a trait and on its `impl` blocks, the attribute differentiates methods of a parameter whose type is a type parameter:
///
/// ```
/// use ad_runtime::differentiable;
///
/// #[differentiable]
/// trait Loss {
///     fn rho(&self, s: f64) -> f64;
/// }
///
/// struct Cauchy(f64);
///
/// #[differentiable]
/// impl Loss for Cauchy {
///     fn rho(&self, s: f64) -> f64 {
///         self.0 * (s / self.0).ln_1p()
///     }
/// }
///
/// #[differentiable]
/// fn cost<L: Loss>(x: f64, loss: &L) -> f64 {
///     loss.rho(x * x)
/// }
/// let (_, slope) = cost_grad(1.0, &Cauchy(1.0));
/// assert_eq!(slope, 1.0); // 2x / (1 + x²)
/// ```
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
///
/// # `check(..)`: a test of the derivatives, in your own test suite
///
/// Given a value of each parameter, it writes the test `f_check`, which compares gradient and Hessian-vector product with the
/// function itself there, by [`check::all`]. Written twice, it makes a second test, `f_check_2`.
///
/// ```
/// use ad_runtime::differentiable;
///
/// #[differentiable(wrt(w), check(w = [0.5, -0.3], rows = [[1.0, 2.0], [0.5, -1.0]], l2 = 0.1))]
/// fn loss(w: &[f64], rows: &[[f64; 2]], l2: f64) -> f64 {
///     rows.iter().map(|row| (row[0] * w[0] + row[1] * w[1]).exp().ln_1p()).sum::<f64>() + l2 * w[0] * w[0]
/// }
/// ```
pub use entry::differentiable;

pub use ad_macros::Differentiable;

/// The attribute for the kind of build that this one is: what generated code is worth, says the crate that it calls.
mod entry {
    #[cfg(not(unoptimized))]
    pub use ad_macros::differentiable;
    #[cfg(unoptimized)]
    pub use ad_macros::differentiable_plain as differentiable;
}

/// Structs whose floats are differentiated with respect to: their fields that are floats, arrays, vectors (of vectors) of
/// floats, structs that derive this too, and vectors or arrays of such structs or of tuples. Fields without floats are
/// data; a field with floats that are data is marked `#[constant]`. Enums may derive it too and are data, with the numbers in
/// them.
///
/// Derive it above the functions that use the struct, in the same crate. As a parameter `&Params` has a direction
/// `&Params` and a derivative `&mut Params`, of which the float fields are overwritten; by value, the derivative is
/// returned as a struct.
///
/// ```
/// use ad_runtime::{Differentiable, differentiable};
///
/// #[derive(Clone, Differentiable)]
/// struct Line {
///     slope: f64,
///     offset: f64,
/// }
///
/// #[differentiable(wrt(line))]
/// fn misfit(line: &Line, x: f64, y: f64) -> f64 {
///     (line.slope * x + line.offset - y).powi(2)
/// }
///
/// let line = Line { slope: 2.0, offset: 1.0 };
/// let mut gradient = line.clone();
/// let value = misfit_grad(&line, 3.0, 6.0, &mut gradient);
/// assert_eq!((value, gradient.slope, gradient.offset), (1.0, 6.0, 2.0));
/// ```
pub trait Differentiable {
    /// Tells definitions apart.
    #[doc(hidden)]
    const FINGERPRINT: u64;
}

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

#[cfg(any(feature = "argmin0_11", feature = "basin3", feature = "faer0_24"))]
pub mod adapters;
pub mod call;
pub mod check;
mod checkpoint;
mod elementary;
mod flat;
pub mod operators;
mod probe;
#[doc(hidden)]
pub mod products;
pub mod solvers;
pub mod sparse;
mod tape;
mod workspace;

pub use tape::Tape;
#[cfg(feature = "std")]
pub use workspace::Workspace;

/// What generated code names. Not for other use.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "nalgebra")]
    pub use nalgebra;
    #[cfg(feature = "ndarray")]
    pub use ndarray;

    pub mod checkpoint {
        pub use crate::checkpoint::{begin, states};
    }
    pub use crate::elementary::{exp, tanh};
    pub use crate::flat::Flat;
    pub use crate::operators::kernels::{add_scaled, dot};
    /// Both attributes, for tests that compare what they generate.
    pub mod attributes {
        pub use ad_macros::{differentiable, differentiable_plain};
    }
    pub use crate::probe::{
        Blank, BlankByDefault, BlankByReference, ElementAt, HoldsFloats, Kept, MayHoldFloats, NotCloned,
        Outcome, Probe, exactly, same_text,
    };
    pub use crate::products;
    pub use crate::sparse::sets::SetRecorder;
    pub use crate::workspace::{emptied, filled, give, give_rows, rows};
    pub use alloc::vec;
    pub use alloc::vec::Vec;
    use num_traits::ToPrimitive;
    pub use num_traits::real::Real;
    pub use num_traits::{Float, Zero};

    /// Stands where there is no `Arc`, so that generated code is the same everywhere.
    #[cfg(not(target_has_atomic = "ptr"))]
    pub struct Arc<T: ?Sized>(Box<T>);

    #[cfg(not(target_has_atomic = "ptr"))]
    impl<T: ?Sized> core::ops::Deref for Arc<T> {
        type Target = T;
        fn deref(&self) -> &T {
            &self.0
        }
    }

    /// Panics unless an argument is as long as the parameter it belongs to.
    #[inline]
    #[track_caller]
    pub fn check_length(function: &str, argument: &str, found: usize, like: &str, expected: usize) {
        if found != expected {
            wrong_length(function, argument, found, like, expected);
        }
    }

    /// As [`check_length`], of slices: a call that rustc checks faster than one with two `len()`.
    #[inline(always)]
    #[track_caller]
    pub fn check_like<T, U>(function: &str, argument: &str, found: &[T], like: &str, expected: &[U]) {
        check_length(function, argument, found.len(), like, expected.len());
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn wrong_length(function: &str, argument: &str, found: usize, like: &str, expected: usize) -> ! {
        panic!(
            "{function}: argument `{argument}` has length {found}, expected {expected}, the length of `{like}`"
        );
    }

    /// One, which LLVM does not know: a loop in such steps is not vectorised, only what each of its rounds does is.
    #[inline(always)]
    pub fn one() -> usize {
        core::hint::black_box(1)
    }

    /// The rounds of a loop in steps, from the last to the first: of ranges that do not know how many they are as a `usize`
    /// (`(lo..=hi).step_by(n)`). Each takes a step from the start.
    #[inline]
    pub fn backwards<I: Iterator + Clone>(rounds: I) -> impl Iterator<Item = I::Item> {
        (0..rounds.size_hint().0).rev().filter_map(move |k| rounds.clone().nth(k))
    }

    /// `len` elements from `start` on.
    ///
    /// # Panics
    /// If there are fewer.
    #[inline(always)]
    #[track_caller]
    pub fn part<T>(of: &[T], start: usize, len: usize) -> &[T] {
        &of[start..][..len]
    }

    /// As [`part`], so that LLVM does not see what it is a part of: of several rows of a matrix, it would gather an element each, with
    /// an instruction that takes longer than the loads.
    ///
    /// # Panics
    /// If there are fewer.
    #[inline(always)]
    #[track_caller]
    pub fn part_apart<T>(of: &[T], start: usize, len: usize) -> &[T] {
        core::hint::black_box(part(of, start, len))
    }

    /// As [`part`], to write to.
    ///
    /// # Panics
    /// If there are fewer.
    #[inline(always)]
    #[track_caller]
    pub fn part_mut<T>(of: &mut [T], start: usize, len: usize) -> &mut [T] {
        &mut of[start..][..len]
    }

    /// Some elements of a slice, of a number known at compile time. Where the same slice was asked for before, or one of what is as long,
    /// LLVM sees that nothing has to be checked again.
    ///
    /// # Panics
    /// If there are fewer.
    #[inline(always)]
    #[track_caller]
    pub fn span<T>(of: &[T], start: usize, len: usize) -> &[T] {
        &of[start..start + len]
    }

    /// As [`span`], to write to.
    ///
    /// # Panics
    /// If there are fewer.
    #[inline(always)]
    #[track_caller]
    pub fn span_mut<T>(of: &mut [T], start: usize, len: usize) -> &mut [T] {
        &mut of[start..start + len]
    }

    /// Appends these until there are at least `len`.
    #[inline]
    pub fn grow<T: Clone>(list: &mut Vec<T>, len: usize, with: T) {
        if list.len() < len {
            list.resize(len, with);
        }
    }

    /// What a user's comparison says. The types of its parameters follow from this signature.
    #[inline]
    pub fn compared<T>(
        mut compare: impl FnMut(&T, &T) -> core::cmp::Ordering,
        a: &T,
        b: &T,
    ) -> core::cmp::Ordering {
        compare(a, b)
    }

    /// A part of a vector as an array.
    ///
    /// # Panics
    /// If it is of another length: callers have split it off by this one.
    #[inline(always)]
    pub fn array<T, const N: usize>(part: &[T]) -> &[T; N] {
        let Ok(array) = part.try_into() else { panic!("a part of another length") };
        array
    }

    /// As [`array`], to write to.
    ///
    /// # Panics
    /// If it is of another length.
    #[inline(always)]
    pub fn array_mut<T, const N: usize>(part: &mut [T]) -> &mut [T; N] {
        let Ok(array) = part.try_into() else { panic!("a part of another length") };
        array
    }

    /// One lane of several.
    pub fn gather<F: Copy, const LANES: usize>(from: &[[F; LANES]], lane: usize, to: &mut [F]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = from[lane];
        }
    }

    /// To one lane of several.
    pub fn scatter<F: Copy, const LANES: usize>(from: &[F], lane: usize, to: &mut [[F; LANES]]) {
        for (to, from) in to.iter_mut().zip(from) {
            to[lane] = *from;
        }
    }

    /// A zeroed vector as long as a slice.
    pub fn zeros_like<F: Copy + Zero>(slice: &[F]) -> Vec<F> {
        vec![F::zero(); slice.len()]
    }

    /// Adds a slice to another.
    pub fn add_to<F: Copy + core::ops::Add<Output = F>>(sum: &mut [F], part: &[F]) {
        for (sum, part) in sum.iter_mut().zip(part) {
            *sum = *sum + *part;
        }
    }

    // What `f64` has and `num_traits::real::Real` has not, as std defines it.

    /// A constant of a generic float.
    ///
    /// # Panics
    /// If it has no such value: `f32` and `f64` have all.
    #[inline(always)]
    pub fn float<T: Real>(c: f64) -> T {
        match T::from(c) {
            Some(c) => c,
            None => panic!("a generic float has no value for the constant {c}"),
        }
    }

    /// `n as T`
    ///
    /// # Panics
    /// If the type has no such value: `f32` and `f64` have all.
    #[inline(always)]
    pub fn cast<T: Real>(n: impl ToPrimitive) -> T {
        match T::from(n) {
            Some(n) => n,
            None => panic!("a generic float has no value for an integer"),
        }
    }

    /// `f64::is_nan`
    #[inline(always)]
    pub fn is_nan<T: Real>(x: T) -> bool {
        x.partial_cmp(&x).is_none()
    }

    /// `f64::clamp`
    #[inline(always)]
    #[track_caller]
    pub fn clamp<T: Real>(x: T, min: T, max: T) -> T {
        assert!(min <= max, "min > max, or either was NaN");
        if x < min {
            min
        } else if x > max {
            max
        } else {
            x
        }
    }

    /// `f64::copysign`
    #[inline(always)]
    pub fn copysign<T: Real>(x: T, sign: T) -> T {
        if x.is_sign_negative() == sign.is_sign_negative() { x } else { -x }
    }

    /// `f64::rem_euclid`
    #[inline]
    pub fn rem_euclid<T: Real>(x: T, y: T) -> T {
        let r = x % y;
        if r < T::zero() { r + y.abs() } else { r }
    }

    /// `f64::div_euclid`
    #[inline]
    pub fn div_euclid<T: Real>(x: T, y: T) -> T {
        let q = (x / y).trunc();
        if x % y < T::zero() { if y > T::zero() { q - T::one() } else { q + T::one() } } else { q }
    }

    /// `f64::round_ties_even`
    #[inline]
    pub fn round_ties_even<T: Real>(x: T) -> T {
        let two = T::one() + T::one();
        let round = x.round();
        let is_tie = (x - x.trunc()).abs() == T::one() / two;
        if is_tie && round % two != T::zero() { copysign(round - x.signum(), x) } else { round }
    }
}
