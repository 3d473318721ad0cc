//! Checks of derivatives by Taylor remainders, for users' own test suites.
//!
//! If `f` has the gradient `g` at `x`, the remainder `f(x + h v) - f(x) - h g·v` shrinks as `h²` when `h` does; with the right
//! Hessian-vector product, `f(x + h v) - f(x) - h g·v - ½ h² v·Hv` as `h³`. A wrong derivative leaves an order too few
//! (Taylor remainder test; Farrell, Ham, Funke & Rognes 2013, section 6.1).

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter};

use num_traits::Float;

use crate::operators::{HessianOperator, Scalar, check_operand, dot};

/// What a check has found. Prints as a small table.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    what: &'static str,
    expected: f64,
    /// Step, remainder, and what rounding alone may amount to.
    rows: Vec<(f64, f64, f64)>,
}

impl Report {
    /// The order at which the remainder shrinks, where the steps are shortest: the larger of the orders between the last
    /// three steps whose remainders are above rounding. `None` if all remainders are at the level of rounding: then there is
    /// nothing to see, as of a quadratic function in [`hvp`].
    pub fn order(&self) -> Option<f64> {
        let seen: Vec<_> =
            self.rows.iter().filter(|(_, remainder, rounding)| *remainder > 30.0 * rounding).collect();
        let last = &seen[seen.len().saturating_sub(3)..];
        last.windows(2)
            .map(|pair| (pair[0].1 / pair[1].1).ln() / (pair[0].0 / pair[1].0).ln())
            .reduce(f64::max)
    }

    /// Whether the remainder shrinks as it must (to within 0.2 of an order), or is at the level of rounding throughout.
    pub fn is_ok(&self) -> bool {
        let finite = self.rows.iter().all(|(_, remainder, _)| remainder.is_finite());
        finite && self.order().is_none_or(|order| order > self.expected - 0.2)
    }

    /// Panics with the table unless the check has passed.
    ///
    /// # Panics
    /// If [`is_ok`](Self::is_ok) does not hold.
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.is_ok(), "{self}");
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_ok() { "passed" } else { "FAILED" };
        let order = self.order().map_or(String::from("none, all at rounding"), |o| alloc::format!("{o:.2}"));
        writeln!(f, "{}: {verdict} (order {order}, expected {:.0})", self.what, self.expected)?;
        writeln!(f, "{:>12} {:>12} {:>12}", "step", "remainder", "rounding")?;
        for (step, remainder, rounding) in &self.rows {
            writeln!(f, "{step:>12.3e} {remainder:>12.3e} {rounding:>12.1e}")?;
        }
        Ok(())
    }
}

/// The steps: ten of them, each a third of the one before.
fn steps<T: Scalar>() -> impl Iterator<Item = T> {
    let third = T::one() / (T::one() + T::one() + T::one());
    core::iter::successors(Some(third), move |h| Some(*h * third)).take(10)
}

fn number<T: Scalar>(x: T) -> f64 {
    x.to_f64().unwrap_or(f64::NAN)
}

/// The remainders of an expansion about `x` along `v`: `terms` are the slope and half the curvature.
fn taylor<T: Scalar>(
    what: &'static str,
    x: &[T],
    v: &[T],
    mut f: impl FnMut(&[T]) -> T,
    terms: &[T],
    expected: f64,
) -> Report {
    let value = f(x);
    let mut moved = vec![T::zero(); x.len()];
    let rows = steps::<T>()
        .map(|h| {
            for ((to, x), v) in moved.iter_mut().zip(x).zip(v) {
                *to = *x + h * *v;
            }
            let there = f(&moved);
            let (mut expansion, mut power, mut size) = (value, h, value.abs().max(there.abs()));
            for term in terms {
                expansion += power * *term;
                size = size.max((power * *term).abs());
                power *= h;
            }
            // What the evaluation of `f` and the sum here may be off by.
            let rounding = size * T::epsilon() * T::from(16).unwrap_or_else(T::one);
            (number(h), number((there - expansion).abs()), number(rounding))
        })
        .collect();
    Report { what, expected, rows }
}

/// Checks a gradient along a direction: eleven evaluations of `f`, one of `gradient`.
///
/// `gradient` overwrites its second argument and returns the value, as `f_grad` does. Take `v` about as large as the steps
/// in `x` over which `f` changes.
///
/// # Panics
/// If `x` and `v` differ in length.
///
/// ```
/// use ad_runtime::{check, differentiable};
///
/// #[differentiable]
/// fn f(x: &[f64]) -> f64 {
///     (x[0] * x[1]).sin() + x[1].powi(4)
/// }
///
/// let report = check::gradient(&[0.3, 0.7], &[1.0, -0.5], f, |x, g| f_grad(x, g));
/// report.assert_ok();
/// println!("{report}");
///
/// let wrong = check::gradient(&[0.3, 0.7], &[1.0, -0.5], f, |x, g| {
///     let value = f_grad(x, g);
///     g[0] += 0.01;
///     value
/// });
/// assert!(!wrong.is_ok());
/// ```
pub fn gradient<T: Scalar>(
    x: &[T],
    v: &[T],
    f: impl FnMut(&[T]) -> T,
    mut gradient: impl FnMut(&[T], &mut [T]) -> T,
) -> Report {
    check_operand("check::gradient", "v", v.len(), x.len());
    let mut g = vec![T::zero(); x.len()];
    gradient(x, &mut g);
    taylor("gradient", x, v, f, &[dot(&g, v)], 2.0)
}

/// Checks a Hessian-vector product along a direction: twelve gradients, one product.
///
/// The gradient must be right (see [`gradient`]); it is expanded along `v`, in the direction `Hv` and in that of `v`, so that
/// what stands across `v` is checked too: `g(x + h v)·u - g(x)·u - h (H v)·u` shrinks as `h²` for `u = v + Hv / |Hv|`.
///
/// # Panics
/// If `x` and `v` differ in length.
///
/// ```
/// use ad_runtime::{check, differentiable};
///
/// #[differentiable]
/// fn f(x: &[f64]) -> f64 {
///     (x[0] * x[1]).sin() + x[1].powi(4)
/// }
///
/// let (x, v) = ([0.3, 0.7], [1.0, -0.5]);
/// check::hvp(&x, &v, |x, g| f_grad(x, g), |x, v, hv| f_hvp(x, v, hv)).assert_ok();
/// ```
pub fn hvp<T: Scalar>(
    x: &[T],
    v: &[T],
    mut gradient: impl FnMut(&[T], &mut [T]) -> T,
    mut product: impl FnMut(&[T], &[T], &mut [T]),
) -> Report {
    check_operand("check::hvp", "v", v.len(), x.len());
    let n = x.len();
    let (mut hv, mut g) = (vec![T::zero(); n], vec![T::zero(); n]);
    product(x, v, &mut hv);
    let norm = dot(&hv, &hv).sqrt();
    let scale = if norm > T::zero() { norm.recip() } else { T::zero() };
    // A fixed pattern of signs looks where neither `v` nor `Hv` points.
    let u: Vec<T> = (0..n)
        .map(|i| {
            let sign = if i % 3 == 1 { -T::one() } else { T::one() };
            v[i] + hv[i] * scale + sign
        })
        .collect();
    let along = |x: &[T]| {
        gradient(x, &mut g);
        dot(&g, &u)
    };
    taylor("Hessian-vector product", x, v, along, &[dot(&hv, &u)], 2.0)
}

/// Checks that an operator is symmetric: `u·Hv` and `v·Hu` for the given vectors. Two products.
///
/// The report's only row has the difference for a remainder.
///
/// # Panics
/// If `u` or `v` is not of the operator's dimension.
///
/// ```
/// use ad_runtime::{check, differentiable};
///
/// #[differentiable]
/// fn f(x: &[f64]) -> f64 {
///     (x[0] * x[1]).sin() + x[1].powi(4)
/// }
///
/// check::symmetry(&f_hessian(&[0.3, 0.7]), &[1.0, -0.5], &[0.2, 0.9]).assert_ok();
/// ```
pub fn symmetry<A: HessianOperator + ?Sized>(operator: &A, u: &[A::Scalar], v: &[A::Scalar]) -> Symmetry {
    check_operand("check::symmetry", "u", u.len(), operator.dim());
    check_operand("check::symmetry", "v", v.len(), operator.dim());
    let zero = <A::Scalar as num_traits::Zero>::zero();
    let (mut hu, mut hv) = (vec![zero; u.len()], vec![zero; v.len()]);
    operator.apply(u, &mut hu);
    operator.apply(v, &mut hv);
    let size =
        |a: &[A::Scalar], b: &[A::Scalar]| a.iter().zip(b).map(|(a, b)| number((*a * *b).abs())).sum::<f64>();
    Symmetry {
        left: number(dot(u, &hv)),
        right: number(dot(v, &hu)),
        rounding: (size(u, &hv) + size(v, &hu)) * number(A::Scalar::epsilon()) * 1e3,
    }
}

/// What [`symmetry`] has found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Symmetry {
    /// `u·Hv`
    pub left: f64,
    /// `v·Hu`
    pub right: f64,
    /// What they may differ by.
    pub rounding: f64,
}

impl Symmetry {
    /// Whether they agree, up to a thousand roundings of their terms.
    pub fn is_ok(&self) -> bool {
        (self.left - self.right).abs() <= self.rounding
    }

    /// Panics unless they agree.
    ///
    /// # Panics
    /// If [`is_ok`](Self::is_ok) does not hold.
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.is_ok(), "{self}");
    }
}

impl Display for Symmetry {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_ok() { "passed" } else { "FAILED" };
        write!(f, "symmetry: {verdict} (u·Hv = {:.15e}, v·Hu = {:.15e})", self.left, self.right)
    }
}
