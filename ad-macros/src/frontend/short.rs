//! Which functions that have companions are written out where they are called all the same: short ones, that stand in the module of
//! their caller.
//!
//! A call keeps the value and its derivative apart: the reversal calls a companion, which computes the value again, and
//! its loop is not fused with the caller's. Written out, a distance, a dot product or a sigmoid is code like any other. What is long or
//! called often would make the caller long, and stays a call, and so does all of which the macro is not sure that it reads the function
//! that is meant.
//!
//! How functions are written out is in [`super::written`].

use super::calls::parameters;
use super::lower::Lower;
use super::names::captured;
use crate::diagnostics::Diagnostics;
use crate::functions::Known;

/// A function is short that has no more characters.
const SHORT: usize = 600;
/// So many characters are written out in one function.
const MOST: usize = 4000;
/// What is written out may hold calls of short functions itself, so deep.
const DEEPEST: usize = 4;

impl Lower<'_> {
    /// Whether a function is written out here though it has companions. If so, it counts as being so. `active`: which arguments are.
    pub(super) fn writes_out_short(&mut self, name: &str, known: &Known, active: &[bool]) -> bool {
        let length = known.length();
        let is_within = self.writing.len() >= DEEPEST || self.writing.iter().any(|open| open == name);
        if length > SHORT || self.s.short + length > MOST || is_within {
            return false;
        }
        let Some(beside) = crate::file::function_beside(name, &self.sig.ident) else { return false };
        let Some(item) = known.item(self.sig.ident.span()) else { return false };
        let is_plain = item.sig.generics.params.iter().all(|p| matches!(p, syn::GenericParam::Lifetime(_)));
        if !is_plain
            || !crate::file::is_same(&beside, &item)
            || !may_be_asked(&beside, active)
            || leaves_early(&item)
            || captured(&item, &self.sig.generics).is_some()
        {
            return false;
        }
        self.s.short += length;
        true
    }
}

/// Whether what the attribute of a function says holds for its text too: it is differentiated with respect to all that is active, and by
/// the rules.
fn may_be_asked(item: &syn::ItemFn, active: &[bool]) -> bool {
    let mut ours = item.attrs.iter().filter(|a| crate::below::is_ours(a));
    let (Some(attribute), None) = (ours.next(), ours.next()) else { return false };
    let words = match &attribute.meta {
        syn::Meta::Path(_) => return true,
        syn::Meta::List(list) => list.tokens.clone(),
        syn::Meta::NameValue(_) => return false,
    };
    let mut diagnostics = Diagnostics::default();
    let options = crate::options::parse(words, &mut diagnostics);
    let is_in_wrt = |param: &syn::Pat, list: &[syn::Ident]| match param {
        syn::Pat::Type(p) => matches!(&*p.pat, syn::Pat::Ident(name) if list.contains(&name.ident)),
        _ => false,
    };
    let params = parameters(item);
    let mut taken = params.iter().zip(active).filter(|(_, active)| **active);
    diagnostics.into_error().is_none()
        && options.partials.is_none()
        && options.checkpoint.is_none()
        && options.only.is_none_or(|only| only.calls)
        && options.wrt.is_none_or(|list| taken.all(|(param, _)| is_in_wrt(param, &list)))
}

/// Whether a function returns from its middle, calls itself or runs statements for their effect: a call does that as well.
fn leaves_early(item: &syn::ItemFn) -> bool {
    struct Search<'i> {
        name: &'i syn::Ident,
        found: bool,
    }
    impl<'ast> syn::visit::Visit<'ast> for Search<'_> {
        fn visit_expr(&mut self, e: &'ast syn::Expr) {
            self.found |= matches!(
                e,
                syn::Expr::Return(_)
                    | syn::Expr::Try(_)
                    | syn::Expr::While(_)
                    | syn::Expr::Loop(_)
                    | syn::Expr::Break(_)
                    | syn::Expr::Macro(_)
            );
            self.found |= matches!(e, syn::Expr::Path(p) if p.path.is_ident(self.name));
            syn::visit::visit_expr(self, e);
        }
        fn visit_stmt_macro(&mut self, _: &'ast syn::StmtMacro) {
            self.found = true;
        }
    }
    let mut search = Search { name: &item.sig.ident, found: false };
    syn::visit::Visit::visit_block(&mut search, &item.block);
    search.found
}
