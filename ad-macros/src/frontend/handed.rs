//! Arguments that are data, though active names stand in them: `il > 0.0`, `x.len()`, `v as usize`. What takes them may be code that
//! the macro does not look into, since nothing active goes there.
//!
//! What does not live here: arguments of functions that the macro knows ([`super::calls`], [`super::members`]).

use syn::punctuated::Punctuated;

use super::lower::Lower;
use super::value::Val;
use quote::ToTokens;

type Arguments = Punctuated<syn::Expr, syn::Token![,]>;

impl Lower<'_> {
    /// Arguments with names for those in which something active stands. `None` if one of them is no data.
    pub(super) fn data_arguments(&mut self, args: &Arguments) -> Option<Arguments> {
        let mut handed = args.clone();
        for a in &mut handed {
            if self.is_passive(a.to_token_stream()) {
                continue;
            }
            let place = match a {
                syn::Expr::Reference(r) if r.mutability.is_none() => &mut *r.expr,
                other => other,
            };
            if may_be_followed(place) {
                return None;
            }
            let val = self.expr(place).0;
            let val = self.deref(val);
            if !self.is_data(&val) {
                return None;
            }
            let name = self.named_here(val);
            *place = syn::parse_quote!(#name);
        }
        Some(handed)
    }

    /// A call for its effect, of a method of data or of a function that the macro does not know, with such arguments. `None` if it
    /// is anything else, or has none.
    pub(super) fn with_data_arguments(&mut self, e: &syn::Expr) -> Option<syn::Expr> {
        let mut e = e.clone();
        let args = match &mut e {
            syn::Expr::MethodCall(m)
                if self.is_foreign(&m.receiver) && !super::iterators::is_chain(&m.receiver) =>
            {
                &mut m.args
            }
            syn::Expr::Call(c) if matches!(&*c.func, syn::Expr::Path(_)) && !self.is_inlined(c) => {
                &mut c.args
            }
            _ => return None,
        };
        if args.iter().any(may_be_followed) || self.are_passive(args) {
            return None;
        }
        // It may be something else that the macro does know: what is said here of its arguments is not said.
        let mark = self.diagnostics.mark();
        let fits = self.trial(|this| this.data_arguments(args).is_some());
        let fits = fits && self.diagnostics.mark() == mark;
        self.diagnostics.back_to(mark);
        if !fits {
            return None;
        }
        *args = self.data_arguments(args)?;
        Some(e)
    }

    fn are_passive(&mut self, args: &Arguments) -> bool {
        args.iter().all(|a| self.is_passive(a.to_token_stream()))
    }

    /// Whether nothing active is in a value, and it is one that code can be given as it is.
    fn is_data(&self, val: &Val) -> bool {
        match val {
            Val::Scalar(v) => !self.is_tainted(*v),
            Val::Tuple(parts) => parts.iter().all(|part| self.is_data(part)),
            Val::Struct(fields, parts) => {
                fields.opened.is_none() && parts.iter().all(|part| self.is_data(part))
            }
            _ => false,
        }
    }
}

/// Whether what an expression is shows only where it is used.
fn may_be_followed(e: &syn::Expr) -> bool {
    match e {
        syn::Expr::Closure(_) => true,
        syn::Expr::Reference(r) => r.mutability.is_some() || may_be_followed(&r.expr),
        syn::Expr::Paren(p) => may_be_followed(&p.expr),
        other => super::iterators::is_chain(other),
    }
}
