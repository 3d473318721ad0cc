//! Methods of values whose types are type parameters: those of traits under `#[differentiable]`, whose companions are called.
//!
//! What does not live here: traits and their blocks (`crate::traits`), methods of types that the macro knows ([`super::members`]).

use proc_macro2::{Ident, Span};
use quote::quote;

use super::lower::Lower;
use super::members::is_place;
use super::value::Val;
use crate::ir::{Op, Type};
use crate::traits::{Part, Shape, number, parts_of};

impl Lower<'_> {
    /// `loss.rho(s)` of `loss: &L` with `L: Loss`, or of `&impl Loss`, or of a field of type `L`: a call of `Loss::rho`, whose companions
    /// `L` defines.
    pub(super) fn method_of_a_trait(&mut self, e: &syn::ExprMethodCall) -> Option<Val> {
        let param = match &*e.receiver {
            syn::Expr::Path(p) => {
                let name = p.path.get_ident()?;
                self.sig.params.iter().find(|p| p.ident == *name).map(|p| p.ty.clone())
            }
            _ => None,
        };
        let (by_reference, ty) = match param {
            Some(syn::Type::Reference(r)) => (true, *r.elem),
            Some(other) => (false, other),
            None if is_place(&e.receiver) => (false, self.declared(&e.receiver)?),
            None => return None,
        };
        if let (syn::Type::ImplTrait(_), syn::Expr::Path(p)) = (&ty, &*e.receiver)
            && self.s.vars.iter().filter(|var| p.path.is_ident(&var.name)).count() > 1
        {
            // Another variable of the parameter's name may have a method of its own.
            return None;
        }
        if e.turbofish.is_some() {
            return None;
        }
        let name = e.method.to_string();
        let traits = super::signature::bounds_of(&ty, &self.sig.generics);
        let (path, seen) = traits.into_iter().find_map(|path| {
            let seen = crate::traits::find(&path, &name)?;
            Some((path, seen))
        })?;
        let parts = parts_of(&seen.output, &self.sig.floats)?;
        let receiver = &e.receiver;
        let receiver: syn::Expr =
            if by_reference { syn::parse_quote!(#receiver) } else { syn::parse_quote!(&#receiver) };
        // Of a type without a name the receiver tells which it is.
        let callee = |name: &Ident| -> syn::ExprPath {
            if let syn::Type::ImplTrait(_) = ty {
                let path =
                    syn::Type::Path(syn::TypePath { attrs: Vec::new(), qself: None, path: path.clone() });
                let path = crate::functions::in_expressions(&path);
                syn::parse_quote!(#path::#name)
            } else {
                syn::parse_quote!(<#ty as #path>::#name)
            }
        };
        if let [part] = &parts[..]
            && part.shape == Shape::Float
            && !matches!(seen.output, syn::Type::Tuple(_))
        {
            let (callee, args) = (callee(&e.method), &e.args);
            return Some(self.call(&syn::parse_quote!(#callee(#receiver, #args))));
        }
        Some(self.scoped(|this| {
            // The arguments run once, for all parts.
            let mut args: Vec<syn::Expr> = vec![receiver];
            for (k, a) in e.args.iter().enumerate() {
                let val = this.expr(a).0;
                if val == Val::Never {
                    return Val::Never;
                }
                let name = Ident::new(&format!("__ad_given_{k}"), Span::call_site());
                let var = this.new_var(&name.to_string(), false, val);
                this.declare(&name.to_string(), var);
                args.push(syn::parse_quote!(#name));
            }
            let made: Vec<Val> =
                parts.iter().map(|p| this.part_of_a_result(p, &e.method, &callee, &args)).collect();
            match seen.output {
                _ if made.contains(&Val::Never) => Val::Never,
                syn::Type::Tuple(_) => Val::Tuple(made),
                _ => made.into_iter().next().unwrap_or(Val::Never),
            }
        }))
    }

    /// One part of what a method returns.
    fn part_of_a_result(
        &mut self,
        part: &Part,
        method: &Ident,
        callee: &dyn Fn(&Ident) -> syn::ExprPath,
        args: &[syn::Expr],
    ) -> Val {
        let number = number();
        let (called, more) = (callee(&part.name(method)), part.arguments(&number));
        let call: syn::Expr = syn::parse_quote!(#called(#(#args,)* #(#more),*));
        let ty = &part.ty;
        match part.shape {
            Shape::Float => self.expr(&call).0,
            Shape::Array => {
                let all = syn::parse_quote!({
                    let made: #ty = ::core::array::from_fn(|#number| #call);
                    made
                });
                self.expr(&all).0
            }
            Shape::Vector => {
                let length = callee(&part.length(method));
                let Some(found) = self.verbatim_operands(quote!(#length(#(#args),*)), method.span()) else {
                    return Val::Never;
                };
                let n = self.s.b.op_typed(Op::Verbatim(found.verbatim), &found.args, Type::Int);
                let var = self.new_var("length", false, Val::Scalar(n));
                self.declare("__ad_length", var);
                let all = syn::parse_quote!((0..__ad_length).map(|#number| #call).collect::<#ty>());
                self.expr(&all).0
            }
        }
    }
}
