//! Reverse mode: the adjoint transform.
use crate::ir::Func;

/// Seeds (`role.marked(Bar)` of each active output) become parameters, adjoints of the active parameters become
/// outputs, of role `role.marked(Bar)`.
pub(crate) fn reverse(_func: &Func) -> Func {
    unreachable!("under construction")
}
