//! From `syn` to IR.
//!
//! - [`signature`]: parameters, activity, results; [`records`]: parameters that consist of parts;
//! - [`lower`]: the state of lowering: variables and scopes; [`value`]: what they can be; [`join`]: what becomes of them where control flow joins;
//! - [`stmt`], [`assign`], [`expr`], [`calls`], [`method`], [`place`], [`ranges`], [`indexing`], [`rows`]: code that runs from top to bottom; [`ownership`]: what of it copies what it names, [`clones`] what it says itself how to copy;
//! - [`exits`], [`control`], [`matches`], [`loops`], [`homes`], [`iterators`]: code that does not;
//! - [`closures`], [`members`], [`traits`], [`patterns`], [`options`], [`slices`], [`shifts`], [`sorting`], [`vectors`]: what people write numbers in;
//! - [`buffers`], [`literals`]: arrays made and copied; [`arrays`]: arrays and matrices of `ndarray` and `nalgebra`;
//! - [`generic`]: what stands for constants and functions of generic floats;
//! - [`names`]: items of blocks that are called like something outside of them;
//! - [`written`]: functions that are written out where they are called;
//! - [`verbatim`]: what is passed through; [`opaque`]: arrays that come from there and are changed here; [`built`]: other data that changes; [`maps`]: maps with active values; [`handed`]: arguments for such code that are data; [`cells`]: data that changes behind shared references; [`custom`]: functions whose derivatives the user gives;
//! - [`infer`]: which float each float is; [`leaks`]: that no derivative gets lost on the way.
//!
//! Rust's mutable variables become SSA here, `break`, `continue` and `return` become structured control flow, iterators
//! become loops over indices, references and sub-slices become places in buffers: nothing of them is left in the IR.

pub(crate) mod arrays;
mod assign;
mod buffers;
mod built;
mod calls;
mod cells;
mod clones;
mod closures;
mod control;
mod custom;
mod declared;
mod exits;
mod expr;
mod generic;
mod handed;
mod homes;
mod indexing;
mod infer;
mod instances;
mod iterators;
mod join;
mod leaks;
mod literals;
mod loops;
mod lower;
mod maps;
mod matches;
mod members;
mod method;
mod names;
mod opaque;
mod options;
mod ownership;
mod patterns;
mod place;
mod ranges;
pub(crate) mod records;
mod rows;
mod shifts;
mod short;
pub(crate) mod signature;
mod slices;
mod sorting;
mod stmt;
mod traits;
mod value;
mod vectors;
mod verbatim;
mod written;

use crate::diagnostics::Diagnostics;
use crate::ir::Func;
use crate::options::Options;
pub(crate) use instances::replaced;
pub(crate) use members::exactly;
pub(crate) use stmt::is_integer;

/// A function, lowered.
pub(crate) struct Lowered {
    pub(crate) sig: signature::Signature,
    pub(crate) func: Func,
    /// What was assumed of other items, as assertions.
    pub(crate) assumptions: Vec<proc_macro2::TokenStream>,
}

/// Lowers a function. `None` if there are errors, which are in `diagnostics`.
pub(crate) fn lower(item: &syn::ItemFn, options: &Options, diagnostics: &mut Diagnostics) -> Option<Lowered> {
    let sig = signature::read(item, options, diagnostics)?;
    let (func, assumptions) = match &options.partials {
        Some(partials) => (custom::function(&sig, partials, diagnostics)?, Vec::new()),
        None => {
            let mut item = item.clone();
            let code = quote::ToTokens::to_token_stream(&item.block);
            names::refuse_own(code, sig.ident.span(), diagnostics);
            names::apart(&mut item, &sig.ident.to_string(), false, diagnostics);
            lower::function(&sig, &item.block, diagnostics)
        }
    };
    if !diagnostics.is_empty() {
        return None;
    }
    let func = infer::infer(func);
    for span in leaks::leaks(&func) {
        diagnostics.error(
            span,
            "an active value goes through code here that the macro does not look into: its derivative would be lost",
            "say what is a float where the value is made (`let y: f64 = ..`, `Vec<f64>`), or write the code out",
        );
    }
    diagnostics.is_empty().then_some(Lowered { sig, func, assumptions })
}
