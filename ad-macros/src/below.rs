//! Functions that stand below the one that calls them.
//!
//! rustc expands attributes from the top of a file to its end: a function that is to be written out where it is called, and
//! stands further down, has not been seen yet. It is looked up in the file. Its own expansion follows, and the caller's assertion
//! compares the two.

use quote::ToTokens;

use crate::diagnostics::Diagnostics;
use crate::frontend::signature;

/// Keeps the functions under `#[differentiable]` that this one calls, as far as they stand in the same file and have not been
/// seen.
pub(crate) fn see(function: &syn::ItemFn) {
    let mut calls = Calls::default();
    syn::visit::Visit::visit_block(&mut calls, &function.block);
    calls.0.retain(|name| crate::functions::find(name).is_none());
    if calls.0.is_empty() {
        return;
    }
    let mut beside = crate::file::functions_beside(function);
    for name in calls.0 {
        // A function may have seen it on the way.
        if crate::functions::find(&name).is_some() {
            continue;
        }
        let Some(mut found) = beside.remove(&name).and_then(|text| syn::parse_str::<syn::ItemFn>(&text).ok())
        else {
            continue;
        };
        found.sig.ident.set_span(function.sig.ident.span());
        if let Some(can_be_called) = can_be_called(&mut found) {
            crate::functions::keep(&found, can_be_called);
            see(&found);
        }
    }
}

/// Readies a function as its own expansion will; whether it will have companions. `None`: it is not written out anyhow.
fn can_be_called(found: &mut syn::ItemFn) -> Option<bool> {
    let mut diagnostics = Diagnostics::default();
    let arguments = found.attrs.iter().find(|a| is_ours(a)).and_then(|a| match &a.meta {
        syn::Meta::List(list) => Some(list.tokens.clone()),
        _ => None,
    });
    let options = crate::options::parse(arguments.unwrap_or_default(), &mut diagnostics);
    found.attrs.clear();
    let _ = crate::aliases::in_function(found);
    let is_helper =
        signature::is_changed(&found.sig, options.wrt.as_ref()) || signature::is_helper(found, false);
    let sig = if is_helper { None } else { signature::read(found, &options, &mut diagnostics) };
    let failed = diagnostics.into_error().is_some();
    match sig {
        _ if failed || options.partials.is_some() => None,
        Some(sig) => Some(crate::backend::can_be_called(&sig)),
        None => is_helper.then_some(false),
    }
}

/// Whether an attribute is `#[differentiable]`.
pub(crate) fn is_ours(attribute: &syn::Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|s| s.ident == "differentiable")
}

/// The names of the functions that a block calls.
#[derive(Default)]
struct Calls(Vec<String>);

impl syn::visit::Visit<'_> for Calls {
    fn visit_expr_path(&mut self, p: &syn::ExprPath) {
        if let Some(name) = p.path.get_ident().map(|i| i.to_token_stream().to_string())
            && !self.0.contains(&name)
        {
            self.0.push(name);
        }
    }
}
