//! (under construction)
use crate::ir::{Builder, Op, Type, Value};
/// stub
pub(crate) fn tangent(
    _b: &mut Builder,
    _op: &Op,
    _args: &[Value],
    _result: Value,
    _k: usize,
    _t: Value,
    _to: &Type,
) -> Option<Value> {
    None
}
