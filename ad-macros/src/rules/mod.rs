//! The one table of derivative rules.
//!
//! For each primitive `y = op(x_0, x_1, ..)` the table gives `∂y/∂x_k · t` as IR. It is the whole story: forward
//! mode asks with `t` the tangent of `x_k`, reverse mode with `t` the adjoint of `y`, and since rules are IR,
//! second order needs no second table. Every operation a rule emits has a rule itself (a test holds that).
//!
//! A rule never asks whether `t` is zero: where an adjoint is zero its tangent may not be, and a rule that drops
//! it is wrong at second order. What is decided at kinks is said at each rule and in the book.

mod arithmetic;
mod binary;
#[cfg(test)]
mod tests;
mod unary;

use crate::ir::{Arg, Builder, Call, CallMode, Cmp, InstKind, Op, Type, Value};

/// Emits `∂op/∂args[k] · t`, of type `to`: the result's in forward mode, the argument's in reverse mode (they
/// differ for casts alone). `None` is zero.
pub(crate) fn tangent(
    b: &mut Builder,
    op: &Op,
    args: &[Value],
    result: Value,
    k: usize,
    t: Value,
    to: &Type,
) -> Option<Value> {
    match op {
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem | Op::Neg | Op::MulAdd | Op::Powi => {
            arithmetic::tangent(b, op, args, result, k, t)
        }
        Op::Unary(f) | Op::Inline(f) => unary::tangent(b, *f, args[0], result, t),
        Op::Binary(f) => binary::tangent(b, *f, args, result, k, t),
        Op::Clamp => {
            // The end that the result was taken from, or x itself where it lies between them (ends included).
            let below = b.cmp(Cmp::Lt, args[0], args[1]);
            let above = b.cmp(Cmp::Gt, args[0], args[2]);
            let outside = b.op(Op::Or, &[below, above]);
            Some(match k {
                0 => select_or_zero(b, outside, t, false),
                1 => select_or_zero(b, below, t, true),
                _ => select_or_zero(b, above, t, true),
            })
        }
        // The argument that was taken.
        Op::Select => Some(select_or_zero(b, args[0], t, k == 1)),
        Op::Cast(_) => Some(cast(b, t, to)),
        Op::Custom(custom) => {
            // The partial derivative is a differentiable function: its derivatives are its own.
            let ty = b.func.ty(args[k]).clone();
            let call = Call {
                callee: custom.partial(k)?.clone(),
                mode: CallMode::Primal,
                args: args.iter().map(|v| Arg::Value(*v)).collect(),
                dots: Vec::new(),
                seeds: Vec::new(),
                bars: Vec::new(),
            };
            let slope = b.emit(InstKind::Call(call), vec![ty.clone()])[0];
            let t = cast(b, t, &ty);
            let product = b.mul(slope, t);
            Some(cast(b, product, to))
        }
        Op::Float(_)
        | Op::Int(_)
        | Op::Bool(_)
        | Op::Cmp(_)
        | Op::Not
        | Op::And
        | Op::Or
        | Op::Test(_)
        | Op::Len(..)
        | Op::Verbatim(_) => None,
    }
}

/// `t` where `cond == wanted`, else 0.
fn select_or_zero(b: &mut Builder, cond: Value, t: Value, wanted: bool) -> Value {
    let zero = b.float_like(0.0, t);
    if wanted { b.select(cond, t, zero) } else { b.select(cond, zero, t) }
}

/// `t` in another float type.
fn cast(b: &mut Builder, t: Value, to: &Type) -> Value {
    use crate::ir::FloatKind;
    let name = match to {
        _ if b.func.ty(t) == to => return t,
        Type::Float(FloatKind::F32) => "f32".into(),
        Type::Float(FloatKind::Param(name)) => name.clone(),
        _ => "f64".into(),
    };
    b.op_typed(Op::Cast(name), &[t], to.clone())
}
