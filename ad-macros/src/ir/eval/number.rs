//! The floats of the evaluator: `f64`, and hyper-dual numbers, whose parts are a value, two directional
//! derivatives and the mixed second one. The partial derivatives here are written independently of
//! [`crate::rules`] (other formulas where there are any), since they are what the rules are tested against.

use crate::ir::{Binary, Unary};

/// What the evaluator computes with in place of a float.
pub(crate) trait Num: Copy + std::fmt::Debug {
    fn constant(c: f64) -> Self;
    /// What branches and integer casts look at.
    fn value(self) -> f64;
    /// Rounded to `f32`.
    fn single(self) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn rem(self, other: Self) -> Self;
    fn neg(self) -> Self;
    fn powi(self, n: i32) -> Self;
    fn mul_add(self, b: Self, c: Self) -> Self;
    fn unary(f: Unary, x: Self) -> Self;
    fn binary(f: Binary, x: Self, y: Self) -> Self;
}

impl Num for f64 {
    fn constant(c: f64) -> f64 {
        c
    }
    fn value(self) -> f64 {
        self
    }
    fn single(self) -> f64 {
        f64::from(self as f32)
    }
    fn add(self, other: f64) -> f64 {
        self + other
    }
    fn sub(self, other: f64) -> f64 {
        self - other
    }
    fn mul(self, other: f64) -> f64 {
        self * other
    }
    fn div(self, other: f64) -> f64 {
        self / other
    }
    fn rem(self, other: f64) -> f64 {
        self % other
    }
    fn neg(self) -> f64 {
        -self
    }
    fn powi(self, n: i32) -> f64 {
        f64::powi(self, n)
    }
    fn mul_add(self, b: f64, c: f64) -> f64 {
        f64::mul_add(self, b, c)
    }
    fn unary(f: Unary, x: f64) -> f64 {
        match f {
            Unary::Sqrt => x.sqrt(),
            Unary::Cbrt => x.cbrt(),
            Unary::Exp => x.exp(),
            Unary::Exp2 => x.exp2(),
            Unary::ExpM1 => x.exp_m1(),
            Unary::Ln => x.ln(),
            Unary::Log2 => x.log2(),
            Unary::Log10 => x.log10(),
            Unary::Ln1p => x.ln_1p(),
            Unary::Sin => x.sin(),
            Unary::Cos => x.cos(),
            Unary::Tan => x.tan(),
            Unary::Asin => x.asin(),
            Unary::Acos => x.acos(),
            Unary::Atan => x.atan(),
            Unary::Sinh => x.sinh(),
            Unary::Cosh => x.cosh(),
            Unary::Tanh => x.tanh(),
            Unary::Asinh => x.asinh(),
            Unary::Acosh => x.acosh(),
            Unary::Atanh => x.atanh(),
            Unary::Abs => x.abs(),
            Unary::Signum => x.signum(),
            Unary::Recip => x.recip(),
            Unary::ToRadians => x.to_radians(),
            Unary::ToDegrees => x.to_degrees(),
            Unary::Floor => x.floor(),
            Unary::Ceil => x.ceil(),
            Unary::Round => x.round(),
            Unary::RoundTiesEven => x.round_ties_even(),
            Unary::Trunc => x.trunc(),
            Unary::Fract => x.fract(),
        }
    }
    fn binary(f: Binary, x: f64, y: f64) -> f64 {
        match f {
            Binary::Powf => x.powf(y),
            Binary::Log => x.log(y),
            Binary::Atan2 => x.atan2(y),
            Binary::Hypot => x.hypot(y),
            Binary::Min => x.min(y),
            Binary::Max => x.max(y),
            Binary::Copysign => x.copysign(y),
            Binary::RemEuclid => x.rem_euclid(y),
            Binary::DivEuclid => x.div_euclid(y),
            Binary::AbsSub => (x - y).max(0.0),
        }
    }
}

/// A value, its derivatives along two directions, and the mixed second derivative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Hyper {
    pub(crate) v: f64,
    pub(crate) a: f64,
    pub(crate) b: f64,
    pub(crate) ab: f64,
}

/// A partial derivative times a derivative: nothing where the latter is nothing, be the first infinite.
fn times(partial: f64, d: f64) -> f64 {
    if d == 0.0 { 0.0 } else { partial * d }
}

impl Hyper {
    /// f(self) by f, f', f''.
    fn chain(self, f: f64, f1: f64, f2: f64) -> Hyper {
        Hyper {
            v: f,
            a: times(f1, self.a),
            b: times(f1, self.b),
            ab: times(f1, self.ab) + times(f2, self.a * self.b),
        }
    }
    /// f(x, y) by f, (f_x, f_y), (f_xx, f_xy, f_yy).
    fn chain2(x: Hyper, y: Hyper, f: f64, (fx, fy): (f64, f64), (fxx, fxy, fyy): (f64, f64, f64)) -> Hyper {
        Hyper {
            v: f,
            a: times(fx, x.a) + times(fy, y.a),
            b: times(fx, x.b) + times(fy, y.b),
            ab: times(fx, x.ab)
                + times(fy, y.ab)
                + times(fxx, x.a * x.b)
                + times(fxy, x.a * y.b + x.b * y.a)
                + times(fyy, y.a * y.b),
        }
    }
}

impl Num for Hyper {
    fn constant(c: f64) -> Hyper {
        Hyper { v: c, a: 0.0, b: 0.0, ab: 0.0 }
    }
    fn value(self) -> f64 {
        self.v
    }
    fn single(self) -> Hyper {
        Hyper { v: self.v.single(), ..self }
    }
    fn add(self, o: Hyper) -> Hyper {
        Hyper { v: self.v + o.v, a: self.a + o.a, b: self.b + o.b, ab: self.ab + o.ab }
    }
    fn sub(self, o: Hyper) -> Hyper {
        self.add(o.neg())
    }
    fn mul(self, o: Hyper) -> Hyper {
        Hyper::chain2(self, o, self.v * o.v, (o.v, self.v), (0.0, 1.0, 0.0))
    }
    fn div(self, o: Hyper) -> Hyper {
        let (x, y) = (self.v, o.v);
        let second = (0.0, -1.0 / (y * y), 2.0 * x / (y * y * y));
        Hyper::chain2(self, o, x / y, (1.0 / y, -x / (y * y)), second)
    }
    fn rem(self, o: Hyper) -> Hyper {
        let whole = ((self.v - self.v % o.v) / o.v).round();
        Hyper::chain2(self, o, self.v % o.v, (1.0, -whole), (0.0, 0.0, 0.0))
    }
    fn neg(self) -> Hyper {
        Hyper { v: -self.v, a: -self.a, b: -self.b, ab: -self.ab }
    }
    fn powi(self, n: i32) -> Hyper {
        let (x, c) = (self.v, f64::from(n));
        let power = |c: f64, n: i32| if c == 0.0 { 0.0 } else { c * x.powi(n) };
        self.chain(x.powi(n), power(c, n.wrapping_sub(1)), power(c * (c - 1.0), n.wrapping_sub(2)))
    }
    fn mul_add(self, b: Hyper, c: Hyper) -> Hyper {
        self.mul(b).add(c)
    }
    fn unary(f: Unary, x: Hyper) -> Hyper {
        let y = f64::unary(f, x.v);
        let (f1, f2) = partials(f, x.v, y);
        x.chain(y, f1, f2)
    }
    fn binary(f: Binary, x: Hyper, y: Hyper) -> Hyper {
        let (u, v) = (x.v, y.v);
        let value = f64::binary(f, u, v);
        let flat = (0.0, 0.0, 0.0);
        let (first, second) = match f {
            Binary::Powf => {
                let power = |c: f64, e: f64| if c == 0.0 { 0.0 } else { c * u.powf(e) };
                let ln = |p: f64, n: i32| if p == 0.0 { 0.0 } else { p * u.ln().powi(n) };
                let mixed = u.powf(v - 1.0) + v * ln(u.powf(v - 1.0), 1);
                ((power(v, v - 1.0), ln(value, 1)), (power(v * (v - 1.0), v - 2.0), mixed, ln(value, 2)))
            }
            Binary::Log => {
                let (l, m) = (u.ln(), v.ln());
                (
                    (1.0 / (u * m), -l / (v * m * m)),
                    (-1.0 / (u * u * m), -1.0 / (u * v * m * m), l * (m + 2.0) / (v * v * m * m * m)),
                )
            }
            Binary::Atan2 => {
                let s = u * u + v * v;
                let cross = 2.0 * u * v / (s * s);
                ((v / s, -u / s), (-cross, (u * u - v * v) / (s * s), cross))
            }
            Binary::Hypot => {
                let r = value * value * value;
                ((u / value, v / value), (v * v / r, -u * v / r, u * u / r))
            }
            Binary::Min | Binary::Max => {
                let first = v.is_nan() || if f == Binary::Min { u <= v } else { u >= v };
                (if first { (1.0, 0.0) } else { (0.0, 1.0) }, flat)
            }
            Binary::Copysign => {
                let agree = u.is_sign_negative() == v.is_sign_negative();
                ((if agree { 1.0 } else { -1.0 }, 0.0), flat)
            }
            Binary::RemEuclid => ((1.0, -((u - value) / v).round()), flat),
            Binary::DivEuclid => ((0.0, 0.0), flat),
            Binary::AbsSub => (if u > v { (1.0, -1.0) } else { (0.0, 0.0) }, flat),
        };
        Hyper::chain2(x, y, value, first, second)
    }
}

/// First and second derivative of `y = f(x)`.
fn partials(f: Unary, x: f64, y: f64) -> (f64, f64) {
    use std::f64::consts::{LN_2, LN_10};
    match f {
        Unary::Sqrt => (0.5 / y, -0.25 / (x * y)),
        Unary::Cbrt => (y / (3.0 * x), -2.0 * y / (9.0 * x * x)),
        Unary::Exp => (y, y),
        Unary::Exp2 => (LN_2 * y, LN_2 * LN_2 * y),
        Unary::ExpM1 => (x.exp(), x.exp()),
        Unary::Ln => (1.0 / x, -1.0 / (x * x)),
        Unary::Log2 => (1.0 / (x * LN_2), -1.0 / (x * x * LN_2)),
        Unary::Log10 => (1.0 / (x * LN_10), -1.0 / (x * x * LN_10)),
        Unary::Ln1p => (1.0 / (1.0 + x), -1.0 / ((1.0 + x) * (1.0 + x))),
        Unary::Sin => (x.cos(), -x.sin()),
        Unary::Cos => (-x.sin(), -x.cos()),
        Unary::Tan => (x.cos().powi(-2), 2.0 * y * x.cos().powi(-2)),
        Unary::Asin => ((1.0 - x * x).powf(-0.5), x * (1.0 - x * x).powf(-1.5)),
        Unary::Acos => (-(1.0 - x * x).powf(-0.5), -x * (1.0 - x * x).powf(-1.5)),
        Unary::Atan => (1.0 / (1.0 + x * x), -2.0 * x / ((1.0 + x * x) * (1.0 + x * x))),
        Unary::Sinh => (x.cosh(), x.sinh()),
        Unary::Cosh => (x.sinh(), x.cosh()),
        Unary::Tanh => (x.cosh().powi(-2), -2.0 * y * x.cosh().powi(-2)),
        Unary::Asinh => ((1.0 + x * x).powf(-0.5), -x * (1.0 + x * x).powf(-1.5)),
        Unary::Acosh => ((x * x - 1.0).powf(-0.5), -x * (x * x - 1.0).powf(-1.5)),
        Unary::Atanh => (1.0 / (1.0 - x * x), 2.0 * x / ((1.0 - x * x) * (1.0 - x * x))),
        Unary::Abs => (if x == 0.0 { 0.0 } else { x.signum() }, 0.0),
        Unary::Recip => (-1.0 / (x * x), 2.0 / (x * x * x)),
        Unary::ToRadians => (std::f64::consts::PI / 180.0, 0.0),
        Unary::ToDegrees => (180.0 / std::f64::consts::PI, 0.0),
        Unary::Fract => (1.0, 0.0),
        Unary::Signum | Unary::Floor | Unary::Ceil | Unary::Round | Unary::RoundTiesEven | Unary::Trunc => {
            (0.0, 0.0)
        }
    }
}
