//! Rules of the float functions of one argument. They reuse the result where that is accurate: `exp' = exp`,
//! `tanh' = 1 - tanh²` (never `1/cosh²`, which overflows and makes second derivatives NaN).

use crate::ir::{Binary, Builder, Cmp, Unary, Value};

pub(super) fn tangent(b: &mut Builder, f: Unary, x: Value, y: Value, t: Value) -> Option<Value> {
    let c = |b: &mut Builder, v: f64| b.float_like(v, x);
    Some(match f {
        // 1 / (2 √x)
        Unary::Sqrt => {
            let half = c(b, 0.5);
            let slope = b.over(half, y);
            b.mul(t, slope)
        }
        // 1 / (3 y²)
        Unary::Cbrt => {
            let three = c(b, 3.0);
            let square = b.mul(y, y);
            let down = b.mul(three, square);
            b.over(t, down)
        }
        Unary::Exp => b.mul(t, y),
        Unary::Exp2 => {
            let ln2 = c(b, std::f64::consts::LN_2);
            let slope = b.mul(ln2, y);
            b.mul(t, slope)
        }
        // e^x, and not y + 1, which cancels for x far below 0
        Unary::ExpM1 => {
            let slope = b.unary(Unary::Exp, x);
            b.mul(t, slope)
        }
        Unary::Ln => b.over(t, x),
        Unary::Log2 => over(b, t, std::f64::consts::LOG2_E, x),
        Unary::Log10 => over(b, t, std::f64::consts::LOG10_E, x),
        Unary::Ln1p => {
            let one = c(b, 1.0);
            let down = b.add(one, x);
            b.over(t, down)
        }
        Unary::Sin => {
            let slope = b.unary(Unary::Cos, x);
            b.mul(t, slope)
        }
        Unary::Cos => {
            let slope = b.unary(Unary::Sin, x);
            let product = b.mul(t, slope);
            b.neg(product)
        }
        // 1 + tan²
        Unary::Tan => {
            let one = c(b, 1.0);
            let square = b.mul(y, y);
            let slope = b.add(one, square);
            b.mul(t, slope)
        }
        // ± 1 / √((1-x)(1+x)): no cancellation near ±1
        Unary::Asin | Unary::Acos => {
            let product = one_minus_square(b, x);
            let root = b.unary(Unary::Sqrt, product);
            let slope = b.over(t, root);
            if f == Unary::Asin { slope } else { b.neg(slope) }
        }
        Unary::Atan => {
            let one = c(b, 1.0);
            let square = b.mul(x, x);
            let down = b.add(one, square);
            b.over(t, down)
        }
        Unary::Sinh => {
            let slope = b.unary(Unary::Cosh, x);
            b.mul(t, slope)
        }
        Unary::Cosh => {
            let slope = b.unary(Unary::Sinh, x);
            b.mul(t, slope)
        }
        Unary::Tanh => {
            let one = c(b, 1.0);
            let square = b.mul(y, y);
            let slope = b.sub(one, square);
            b.mul(t, slope)
        }
        // 1 / √(1 + x²), by hypot: x² would overflow
        Unary::Asinh => {
            let one = c(b, 1.0);
            let root = b.binary(Binary::Hypot, x, one);
            b.over(t, root)
        }
        // 1 / (√(x-1) √(x+1)): no cancellation near 1, and the product would overflow
        Unary::Acosh => {
            let one = c(b, 1.0);
            let minus = b.sub(x, one);
            let plus = b.add(x, one);
            let minus = b.unary(Unary::Sqrt, minus);
            let plus = b.unary(Unary::Sqrt, plus);
            let root = b.mul(minus, plus);
            b.over(t, root)
        }
        Unary::Atanh => {
            let down = one_minus_square(b, x);
            b.over(t, down)
        }
        // The sign of x; 0 at 0 (the middle of the subdifferential); NaN for NaN. The sign is locally constant, so
        // that the second derivative is 0 at no cost.
        Unary::Abs => {
            let zero = c(b, 0.0);
            let at_zero = b.cmp(Cmp::Eq, x, zero);
            let sign = b.unary(Unary::Signum, x);
            let slope = b.select(at_zero, zero, sign);
            b.mul(t, slope)
        }
        // Piecewise constant; at the jumps the derivative of the pieces.
        Unary::Signum | Unary::Floor | Unary::Ceil | Unary::Round | Unary::RoundTiesEven | Unary::Trunc => {
            return None;
        }
        Unary::Fract => t,
        // -1/x²
        Unary::Recip => {
            let square = b.mul(y, y);
            let product = b.mul(t, square);
            b.neg(product)
        }
        Unary::ToRadians | Unary::ToDegrees => b.unary(f, t),
    })
}

/// t factor / x
fn over(b: &mut Builder, t: Value, factor: f64, x: Value) -> Value {
    let factor = b.float_like(factor, x);
    let slope = b.div(factor, x);
    b.mul(t, slope)
}

/// (1 - x)(1 + x)
fn one_minus_square(b: &mut Builder, x: Value) -> Value {
    let one = b.float_like(1.0, x);
    let minus = b.sub(one, x);
    let plus = b.add(one, x);
    b.mul(minus, plus)
}
