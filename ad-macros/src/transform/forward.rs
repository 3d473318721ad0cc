//! Forward mode: the tangent transform.
use crate::ir::Func;

/// For every active parameter (`Param::active`) a direction of role `role.marked(Dot)` is appended to the
/// parameters; for every output a tangent of role `role.marked(Dot)`. All else of the function is kept.
pub(crate) fn forward(_func: &Func) -> Func {
    unreachable!("under construction")
}
