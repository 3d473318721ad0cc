//! From `syn` to IR.
pub(crate) mod signature;

use crate::diagnostics::Diagnostics;
use crate::ir::Func;
use crate::options::Options;

/// stub
pub(crate) fn lower(
    _f: &syn::ItemFn,
    _o: &Options,
    _d: &mut Diagnostics,
) -> Option<(signature::Signature, Func)> {
    None
}
