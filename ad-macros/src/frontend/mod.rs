//! From `syn` to IR.
//!
//! - [`signature`]: parameters, activity, results;
//! - [`lower`]: the state of lowering: variables and scopes; [`join`]: what becomes of them where control flow joins;
//! - [`stmt`], [`expr`], [`calls`], [`method`], [`place`]: code that runs from top to bottom;
//! - [`generic`]: what stands for constants and functions of generic floats;
//! - [`control`], [`matches`], [`loops`], [`heads`]: code that does not;
//! - [`verbatim`]: what is passed through;
//! - [`infer`]: which float each float is.
//!
//! Rust's mutable variables become SSA here, `break`, `continue` and `return` become structured control flow, iterators
//! become loops over indices, references and sub-slices become places in buffers: nothing of them is left in the IR.

mod calls;
mod control;
mod expr;
mod generic;
mod heads;
mod infer;
mod join;
mod loops;
mod lower;
mod matches;
mod method;
mod place;
pub(crate) mod signature;
mod stmt;
mod verbatim;

use crate::diagnostics::Diagnostics;
use crate::ir::Func;
use crate::options::Options;

/// Lowers a function. `None` if there are errors, which are in `diagnostics`.
pub(crate) fn lower(
    item: &syn::ItemFn,
    options: &Options,
    diagnostics: &mut Diagnostics,
) -> Option<(signature::Signature, Func)> {
    let sig = signature::read(item, options, diagnostics)?;
    let func = lower::function(&sig, &item.block, diagnostics);
    if !diagnostics.is_empty() {
        return None;
    }
    Some((sig, infer::infer(func)))
}
