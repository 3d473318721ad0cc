//! Functions that stand below the one that calls them.
//!
//! rustc expands attributes from the top of a file to its end: a function that is to be written out where it is called, and
//! stands further down, has not been seen yet. It is looked up in the file. Its own expansion follows, and the caller's assertion
//! compares the two. So are `impl` blocks that stand further down.

use quote::ToTokens;

use crate::diagnostics::Diagnostics;
use crate::frontend::signature;

/// Keeps the functions and methods under `#[differentiable]` that this one calls, as far as they stand in the same file and have
/// not been seen.
pub(crate) fn see(function: &syn::ItemFn) {
    let mut calls = Calls::default();
    syn::visit::Visit::visit_block(&mut calls, &function.block);
    see_members(function, &calls.1);
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

/// Keeps the members of blocks that are called like this.
fn see_members(function: &syn::ItemFn, names: &[String]) {
    if names.is_empty() {
        return;
    }
    for (member, text) in crate::file::blocks_beside(function) {
        if !names.contains(&member) {
            continue;
        }
        let Ok(block) = syn::parse_str::<syn::ItemImpl>(&text) else { continue };
        for mut found in crate::functions::keep_ahead(block) {
            found.sig.ident.set_span(function.sig.ident.span());
            see(&found);
        }
    }
}

/// Readies a function as its own expansion will; whether it will have companions. `None`: it is not written out anyhow.
fn can_be_called(found: &mut syn::ItemFn) -> Option<bool> {
    let mut diagnostics = Diagnostics::default();
    let options = crate::options::parse(arguments(&found.attrs), &mut diagnostics);
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

/// What the attribute among these says.
fn arguments(attrs: &[syn::Attribute]) -> proc_macro2::TokenStream {
    let ours = attrs.iter().find(|a| is_ours(a)).and_then(|a| match &a.meta {
        syn::Meta::List(list) => Some(list.tokens.clone()),
        _ => None,
    });
    ours.unwrap_or_default()
}

/// Whether the attribute among these gives the derivatives itself.
pub(crate) fn gives_partials(attrs: &[syn::Attribute]) -> bool {
    let mut quiet = Diagnostics::default();
    let options = crate::options::parse(arguments(attrs), &mut quiet);
    quiet.into_error().is_some() || options.partials.is_some()
}

/// Whether an attribute is `#[differentiable]`.
pub(crate) fn is_ours(attribute: &syn::Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|s| s.ident == "differentiable")
}

/// The names of the functions that a block calls, and those of methods, members of types and operators.
#[derive(Default)]
struct Calls(Vec<String>, Vec<String>);

impl Calls {
    fn member(&mut self, name: &str) {
        if !self.1.iter().any(|known| known == name) {
            self.1.push(name.to_string());
        }
    }
}

impl syn::visit::Visit<'_> for Calls {
    fn visit_expr_path(&mut self, p: &syn::ExprPath) {
        if let Some(name) = p.path.get_ident().map(|i| i.to_token_stream().to_string()) {
            if !self.0.contains(&name) {
                self.0.push(name);
            }
        } else if let Some(last) = p.path.segments.last() {
            self.member(&last.ident.to_string());
        }
        syn::visit::visit_expr_path(self, p);
    }

    fn visit_expr_method_call(&mut self, m: &syn::ExprMethodCall) {
        let name = m.method.to_string();
        self.member(if name == "into" { "from" } else { &name });
        syn::visit::visit_expr_method_call(self, m);
    }

    fn visit_expr_index(&mut self, i: &syn::ExprIndex) {
        ["index", "index_mut"].iter().for_each(|name| self.member(name));
        syn::visit::visit_expr_index(self, i);
    }

    fn visit_un_op(&mut self, op: &syn::UnOp) {
        if matches!(op, syn::UnOp::Neg(_)) {
            self.member("neg");
        }
    }

    fn visit_bin_op(&mut self, op: &syn::BinOp) {
        use syn::BinOp as B;
        match op {
            B::Add(_) => self.member("add"),
            B::Sub(_) => self.member("sub"),
            B::Mul(_) => self.member("mul"),
            B::Div(_) => self.member("div"),
            B::Rem(_) => self.member("rem"),
            // Without an `impl` of its own, this is what the other one does.
            B::AddAssign(_) => ["add", "add_assign"].iter().for_each(|name| self.member(name)),
            B::SubAssign(_) => ["sub", "sub_assign"].iter().for_each(|name| self.member(name)),
            B::MulAssign(_) => ["mul", "mul_assign"].iter().for_each(|name| self.member(name)),
            B::DivAssign(_) => ["div", "div_assign"].iter().for_each(|name| self.member(name)),
            B::RemAssign(_) => ["rem", "rem_assign"].iter().for_each(|name| self.member(name)),
            _ => {}
        }
    }
}
