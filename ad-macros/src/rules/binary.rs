//! Rules of the float functions of two arguments.

use crate::ir::{Binary, Builder, Cmp, Op, Unary, Value};

use super::select_or_zero;

pub(super) fn tangent(
    b: &mut Builder,
    f: Binary,
    args: &[Value],
    y: Value,
    k: usize,
    t: Value,
) -> Option<Value> {
    let (u, v) = (args[0], args[1]);
    Some(match (f, k) {
        (Binary::Powf, 0) => return powf_base(b, u, v, y, t),
        // u^v ln u. At u = 0 the factor u^v decides: ln is taken of 1 there, so that 0 · ln 0 is 0 at every
        // order. Below 0, NaN: the power is not defined next to v.
        (Binary::Powf, _) => {
            let zero = b.float_like(0.0, u);
            let one = b.float_like(1.0, u);
            let at_zero = b.cmp(Cmp::Eq, u, zero);
            let safe = b.select(at_zero, one, u);
            let ln = b.unary(Unary::Ln, safe);
            let slope = b.mul(y, ln);
            b.mul(t, slope)
        }
        // log_v u = ln u / ln v: 1 / (u ln v) and -y / (v ln v)
        (Binary::Log, 0) => {
            let ln = b.unary(Unary::Ln, v);
            let down = b.mul(u, ln);
            b.over(t, down)
        }
        (Binary::Log, _) => {
            let ln = b.unary(Unary::Ln, v);
            let down = b.mul(v, ln);
            let slope = b.over(y, down);
            let product = b.mul(t, slope);
            b.neg(product)
        }
        // angle of (v, u): v / r² and -u / r². r² itself would overflow (and underflow) long before r.
        (Binary::Atan2, _) => {
            let r = b.binary(Binary::Hypot, u, v);
            // No inverse of r: it overflows where r is subnormal, and the unit does not.
            let unit = b.div(if k == 0 { v } else { u }, r);
            let slope = b.div(unit, r);
            let product = b.mul(t, slope);
            if k == 0 { product } else { b.neg(product) }
        }
        // u / y; a cone has no slope at its tip: NaN at (0, 0)
        (Binary::Hypot, _) => {
            let slope = b.div(args[k], y);
            b.mul(t, slope)
        }
        // The argument that the result was taken from: the first where they are equal; the other of a NaN, as
        // std does.
        (Binary::Max | Binary::Min, _) => {
            let order = if f == Binary::Max { Cmp::Ge } else { Cmp::Le };
            let first = b.cmp(order, u, v);
            let nan = b.op(Op::Test("is_nan"), &[v]);
            let first = b.op(Op::Or, &[first, nan]);
            select_or_zero(b, first, t, k == 0)
        }
        // |u| with the sign of v: ±1 by whether the signs agree; the sign itself is locally constant
        (Binary::Copysign, 0) => {
            let su = b.op(Op::Test("is_sign_negative"), &[u]);
            let sv = b.op(Op::Test("is_sign_negative"), &[v]);
            let agree = b.cmp(Cmp::Eq, su, sv);
            let minus = b.neg(t);
            b.select(agree, t, minus)
        }
        // u - v q with a locally constant quotient q
        (Binary::RemEuclid, 0) => t,
        (Binary::RemEuclid, _) => super::arithmetic::quotient(b, args, y, t),
        // max(u - v, 0)
        (Binary::AbsSub, _) => {
            let above = b.cmp(Cmp::Gt, u, v);
            let t = if k == 0 { t } else { b.neg(t) };
            select_or_zero(b, above, t, true)
        }
        (Binary::Copysign | Binary::DivEuclid, _) => return None,
    })
}

/// d(u^v)/du = v u^(v-1), and 0 for v = 0 also at u = 0. Constant exponents make no call where none is needed.
fn powf_base(b: &mut Builder, u: Value, v: Value, y: Value, t: Value) -> Option<Value> {
    let known = b.constant(v).and_then(|op| match op {
        Op::Float(c) => Some(c),
        _ => None,
    });
    let slope = match known {
        Some(0.0) => return None,
        Some(1.0) => return Some(t),
        Some(0.5) => {
            let half = b.float_like(0.5, u);
            b.over(half, y)
        }
        Some(1.5) => {
            let factor = b.float_like(1.5, u);
            let root = b.unary(Unary::Sqrt, u);
            b.mul(factor, root)
        }
        Some(2.0) => {
            let two = b.float_like(2.0, u);
            b.mul(two, u)
        }
        Some(3.0) => {
            let three = b.float_like(3.0, u);
            let square = b.mul(u, u);
            b.mul(three, square)
        }
        // Few multiplications instead of a call.
        Some(c) if c.fract() == 0.0 && c.abs() <= 16.0 => {
            let factor = b.float_like(c, u);
            let less = b.int(&format!("{}", c as i32 - 1));
            let power = b.op(Op::Powi, &[u, less]);
            b.mul(factor, power)
        }
        Some(c) => {
            let factor = b.float_like(c, u);
            let less = b.float_like(c - 1.0, u);
            let power = b.binary(Binary::Powf, u, less);
            b.mul(factor, power)
        }
        None => {
            // Only at u = v = 0, where 0 · 0^(-1) would be NaN, the exponent stays as it is. Elsewhere v = 0 needs no
            // care, and must get none: the mixed derivative there is 1 / u.
            let zero = b.float_like(0.0, v);
            let one = b.float_like(1.0, v);
            let no_power = b.cmp(Cmp::Eq, v, zero);
            let no_base = b.cmp(Cmp::Eq, u, zero);
            let neither = b.op(Op::And, &[no_power, no_base]);
            let step = b.select(neither, zero, one);
            let less = b.sub(v, step);
            let power = b.binary(Binary::Powf, u, less);
            b.mul(v, power)
        }
    };
    Some(b.mul(t, slope))
}
