//! Checks of derivatives by Taylor remainders, for users' own test suites: [`all`] of them at a point, as
//! `#[differentiable(check(..))]` has it done, or one by one along directions of your choice.
//!
//! If `f` has the gradient `g` at `x`, the remainder `f(x + h v) - f(x) - h g·v` shrinks as `h²` when `h` does; with the right
//! Hessian-vector product, `f(x + h v) - f(x) - h g·v - ½ h² v·Hv` as `h³`. A wrong derivative leaves an order too few
//! (Taylor remainder test; Farrell, Ham, Funke & Rognes 2013, section 6.1).

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter};

// `f64::ln`, where no other crate brings `std` along.
#[allow(unused_imports)]
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
    let mut remainder = |h: T| {
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
        (number((there - expansion).abs()), number(rounding))
    };
    let rows = steps::<T>()
        .map(|h| {
            // On both sides: on one, an error may cancel the next term, and look like a higher order.
            let (there, back) = (remainder(h), remainder(-h));
            // A NaN stays one.
            let larger = if back.0 > there.0 || back.0.is_nan() { back.0 } else { there.0 };
            (number(h), larger, there.1.max(back.1))
        })
        .collect();
    Report { what, expected, rows }
}

/// Checks a gradient along a direction, to both sides: 21 evaluations of `f`, one of `gradient`.
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

/// Checks a Hessian-vector product along a direction, to both sides: 21 gradients, one product.
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

/// Checks gradient, Hessian-vector product and symmetry at a point, along directions of its own: [`gradient`] and [`hvp`] along
/// one, symmetry with a second. They are about half as long as `x`, entry by entry, so that steps leave signs as they are;
/// where `f` is not finite that far, they are shortened. Some 25 evaluations and as many gradients, three products.
///
/// `name` is what the report says of whom it speaks.
///
/// ```
/// use ad_runtime::{check, differentiable};
///
/// #[differentiable]
/// fn f(x: &[f64]) -> f64 {
///     x[0].ln() * x[1].powi(4)
/// }
///
/// let checks = check::all("f", &[0.3, 0.7], f, |x, g| f_grad(x, g), |x, v, hv| f_hvp(x, v, hv));
/// checks.assert_ok();
/// println!("{checks}");
/// ```
pub fn all<T: Scalar>(
    name: &str,
    x: &[T],
    mut f: impl FnMut(&[T]) -> T,
    gradient: impl FnMut(&[T], &mut [T]) -> T,
    mut product: impl FnMut(&[T], &[T], &mut [T]),
) -> Checks {
    let mut gradient = gradient;
    let (v, slope) = along(x, &mut f, &mut gradient);
    let curvature = hvp(x, &v, gradient, &mut product);
    let u = direction(x, core::f64::consts::SQRT_2);
    let (mut hu, mut hv) = (vec![T::zero(); x.len()], vec![T::zero(); x.len()]);
    product(x, &u, &mut hu);
    product(x, &v, &mut hv);
    let symmetry = agreement(&u, &hu, &v, &hv);
    Checks { name: String::from(name), gradient: slope, second: Some((curvature, symmetry)) }
}

/// As [`all`], where there is no Hessian-vector product to check.
pub fn first_order<T: Scalar>(
    name: &str,
    x: &[T],
    mut f: impl FnMut(&[T]) -> T,
    mut gradient: impl FnMut(&[T], &mut [T]) -> T,
) -> Checks {
    let (_, slope) = along(x, &mut f, &mut gradient);
    Checks { name: String::from(name), gradient: slope, second: None }
}

/// A direction along which `f` is finite, and the check of the gradient along it.
fn along<T: Scalar>(
    x: &[T],
    mut f: impl FnMut(&[T]) -> T,
    gradient: impl FnMut(&[T], &mut [T]) -> T,
) -> (Vec<T>, Report) {
    let eighth = T::from(0.125).unwrap_or_else(T::one);
    let mut v = direction(x, 1.618_033_988_749_895);
    for _ in 0..4 {
        let Some(h) = steps::<T>().next() else { break };
        let mut is_finite = |h: T| {
            let moved: Vec<T> = x.iter().zip(&v).map(|(&x, &v)| x + h * v).collect();
            f(&moved).is_finite()
        };
        if is_finite(h) && is_finite(-h) {
            break;
        }
        v.iter_mut().for_each(|v| *v *= eighth);
    }
    let report = self::gradient(x, &v, f, gradient);
    (v, report)
}

/// Half as long as `x`, entry by entry, times numbers between 0.4 and 1 of either sign: the multiples of an irrational number
/// without their integers. Zeros of `x` move as far as its largest entry would, or by half if all are zeros.
fn direction<T: Scalar>(x: &[T], irrational: f64) -> Vec<T> {
    let largest = x.iter().fold(T::zero(), |largest, x| largest.max(x.abs()));
    let otherwise = if largest > T::zero() { largest } else { T::one() };
    x.iter()
        .enumerate()
        .map(|(i, &x)| {
            let fraction = ((i + 1) as f64 * irrational) % 1.0;
            let signed = if fraction < 0.5 { -1.0 + 1.2 * fraction } else { 0.4 + 1.2 * (fraction - 0.5) };
            let size = if x == T::zero() { otherwise } else { x.abs() };
            size * T::from(0.5 * signed).unwrap_or_else(T::one)
        })
        .collect()
}

/// What [`all`] has found. Prints as the reports one below the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Checks {
    name: String,
    gradient: Report,
    second: Option<(Report, Symmetry)>,
}

impl Checks {
    /// Whether all checks have passed.
    pub fn is_ok(&self) -> bool {
        self.gradient.is_ok()
            && self.second.as_ref().is_none_or(|(product, symmetry)| product.is_ok() && symmetry.is_ok())
    }

    /// Panics with the reports unless all checks have passed.
    ///
    /// # Panics
    /// If [`is_ok`](Self::is_ok) does not hold.
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.is_ok(), "{self}");
    }
}

impl Display for Checks {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_ok() { "agree" } else { "do NOT agree" };
        writeln!(f, "derivatives of `{}` {verdict} with the function", self.name)?;
        write!(f, "{}", self.gradient)?;
        if let Some((product, symmetry)) = &self.second {
            write!(f, "{product}{symmetry}")?;
        }
        Ok(())
    }
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
    agreement(u, &hu, v, &hv)
}

/// `u·Hv` and `v·Hu`.
fn agreement<T: Scalar>(u: &[T], hu: &[T], v: &[T], hv: &[T]) -> Symmetry {
    let size = |a: &[T], b: &[T]| a.iter().zip(b).map(|(a, b)| number((*a * *b).abs())).sum::<f64>();
    Symmetry {
        left: number(dot(u, hv)),
        right: number(dot(v, hu)),
        rounding: (size(u, hv) + size(v, hu)) * number(T::epsilon()) * 1e3,
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
