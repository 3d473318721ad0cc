//! Rules of `+ - * / % -x`, `mul_add` and `powi`.

use crate::ir::{Builder, Cmp, Op, Unary, Value};

pub(super) fn tangent(
    b: &mut Builder,
    op: &Op,
    args: &[Value],
    result: Value,
    k: usize,
    t: Value,
) -> Option<Value> {
    Some(match (op, k) {
        (Op::Add, _) | (Op::Sub | Op::Rem, 0) | (Op::MulAdd, 2) => t,
        (Op::Sub | Op::Neg, _) => b.neg(t),
        // d(xy) = y dx + x dy
        (Op::Mul | Op::MulAdd, 0) => b.mul(t, args[1]),
        (Op::Mul | Op::MulAdd, 1) => b.mul(t, args[0]),
        // d(x/y) = dx / y - (x/y) dy / y
        (Op::Div, 0) => b.over(t, args[1]),
        (Op::Div, _) => {
            let slope = b.over(result, args[1]);
            let product = b.mul(t, slope);
            b.neg(product)
        }
        // x % y = x - y q with a locally constant whole number q
        (Op::Rem, _) => quotient(b, args, result, t),
        (Op::Powi, 0) => return powi(b, args[0], args[1], t),
        _ => return None,
    })
}

/// -q t for a remainder `r = x - y q`. Not `trunc(x / y)`: where x / y is just below a whole number it rounds up to
/// it, and the remainder does not. (x - r) / y is next to the whole number that the remainder was taken with.
pub(super) fn quotient(b: &mut Builder, args: &[Value], r: Value, t: Value) -> Value {
    let multiple = b.sub(args[0], r);
    let near = b.div(multiple, args[1]);
    let whole = b.unary(Unary::Round, near);
    let product = b.mul(t, whole);
    b.neg(product)
}

/// d(x^n) = n x^(n-1) dx, and 0 for n = 0 (also at x = 0, where x^(n-1) is infinite).
fn powi(b: &mut Builder, x: Value, n: Value, t: Value) -> Option<Value> {
    let known = b.constant(n).and_then(|op| match op {
        Op::Int(text) => text.trim_end_matches("i32").trim_end_matches('_').parse::<i32>().ok(),
        _ => None,
    });
    let slope = match known {
        Some(0) => return None,
        Some(1) => return Some(t),
        Some(2) => {
            let two = b.float_like(2.0, x);
            b.mul(two, x)
        }
        Some(3) => {
            let three = b.float_like(3.0, x);
            let square = b.mul(x, x);
            b.mul(three, square)
        }
        Some(n) if n > i32::MIN => {
            let factor = b.float_like(f64::from(n), x);
            let less = b.int(&format!("{}", n - 1));
            let power = b.op(Op::Powi, &[x, less]);
            b.mul(factor, power)
        }
        _ => {
            let zero = b.int("0");
            let one = b.int("1");
            let is_zero = b.cmp(Cmp::Eq, n, zero);
            // n - 1 must not overflow, and 0 * x^(-1) must be 0 at x = 0.
            let lowest = b.int("-2147483647");
            let low = b.cmp(Cmp::Lt, n, lowest);
            let guard = b.op(Op::Or, &[is_zero, low]);
            let step = b.select(guard, zero, one);
            let less = b.sub(n, step);
            let ty = b.func.ty(x).clone();
            let float = super::cast(b, n, &ty);
            let power = b.op(Op::Powi, &[x, less]);
            b.mul(float, power)
        }
    };
    Some(b.mul(t, slope))
}
