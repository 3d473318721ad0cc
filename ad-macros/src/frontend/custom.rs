//! Functions whose derivatives the user gives, `partials(..)`: one operation that names them. The body is not looked
//! into.

use std::sync::Arc;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;

use super::signature::{Class, ParamSig, Ret, Signature, float_kind};
use crate::diagnostics::Diagnostics;
use crate::ir::{Binding, Builder, Custom, FloatKind, Func, Op, Output, Param, Role, Source, Type};
use crate::options::Partials;

const SCALARS: &str = "take scalars; differentiate the code around the call";

/// The function as one operation on its parameters.
pub(super) fn function(sig: &Signature, partials: &Partials, diagnostics: &mut Diagnostics) -> Option<Func> {
    let kind = result(sig, diagnostics);
    parameters(sig, diagnostics);
    // Which are active is not known before.
    if diagnostics.is_empty() {
        count(sig, partials, diagnostics);
    }
    if !diagnostics.is_empty() {
        return None;
    }
    let mut b = Builder::new(Func::new(&sig.ident.to_string()));
    let mut args = Vec::new();
    for (i, p) in sig.params.iter().enumerate() {
        // What is not differentiated is handed on as it is.
        let ty = match &p.class {
            Class::Scalar(kind) => Type::Float(kind.clone()),
            _ => Type::Opaque,
        };
        let v = b.func.new_value(ty, Some(p.ident.to_string().into()));
        let role = Role::primal(Source::Param(i));
        b.func.params.push(Param { role, binding: Binding::Value(v), active: p.active, size: false });
        args.push(v);
    }
    let op = Op::Custom(Arc::new(Custom {
        callee: callee(sig, partials).into(),
        partials: partials.paths.iter().map(|path| path.to_token_stream().into()).collect(),
        active: sig.params.iter().map(|p| p.active).collect(),
    }));
    let value = b.op_typed(op, &args, Type::Float(kind?));
    let role = Role::primal(Source::Result(0));
    b.func.outputs.push(Output { role, binding: Binding::Value(value) });
    Some(b.finish())
}

/// The float that comes back.
fn result(sig: &Signature, diagnostics: &mut Diagnostics) -> Option<FloatKind> {
    match (&sig.output, &sig.ret, sig.wrapper) {
        (Some(ty), Ret::Scalar, None) => float_kind(ty, &sig.floats),
        (output, ..) => {
            diagnostics.error(
                output.as_ref().map_or(sig.ident.span(), Spanned::span),
                "a function with `partials` returns one float",
                "return `f64` or `f32`; write a function for each value",
            );
            None
        }
    }
}

fn parameters(sig: &Signature, diagnostics: &mut Diagnostics) {
    if let Some(receiver) = &sig.receiver {
        diagnostics.error(
            receiver.span(),
            "a function with `partials` takes no `self`",
            "pass what it needs of `self` as arguments",
        );
    }
    for p in &sig.params {
        let what = match &p.class {
            Class::Scalar(_) | Class::Other => continue,
            Class::Output { .. } => "a function with `partials` has no outputs but the float it returns",
            _ if !p.active => continue,
            _ => "with `partials`, only floats can be active",
        };
        let instead = match &p.class {
            Class::Output { .. } => SCALARS.to_string(),
            _ => format!("{SCALARS}; where `{}` is data, leave it out of `wrt(..)`", p.ident),
        };
        diagnostics.error(p.ty.span(), what, instead);
    }
}

/// One partial derivative for each active parameter.
fn count(sig: &Signature, partials: &Partials, diagnostics: &mut Diagnostics) {
    let active: Vec<&ParamSig> = sig.params.iter().filter(|p| p.active).collect();
    let (given, wanted) = (partials.paths.len(), active.len());
    if given == wanted {
        return;
    }
    let span = partials.paths.get(wanted).map_or(partials.span, Spanned::span);
    let names: Vec<String> = active.iter().map(|p| format!("`{}`", p.ident)).collect();
    let example: Vec<String> = active.iter().map(|p| format!("{}_by_{}", sig.ident, p.ident)).collect();
    let what = match given {
        0 => "`partials()` names no function".to_string(),
        1 => "there is 1 partial derivative".to_string(),
        n => format!("there are {n} partial derivatives"),
    };
    let functions = if wanted == 1 { "one function" } else { "one function for each, in this order" };
    diagnostics.error(
        span,
        format!("{what}, and `{}` is differentiated with respect to {}", sig.ident, names.join(", ")),
        format!(
            "name {functions}, as in `partials({})`, with the parameters of `{}`",
            example.join(", "),
            sig.ident
        ),
    );
}

/// What the function is called where generated code lies. Whether that is an `impl` block shows in the partials alone.
fn callee(sig: &Signature, partials: &Partials) -> TokenStream {
    let name = &sig.ident;
    let generics: Vec<TokenStream> = sig
        .generics
        .params
        .iter()
        .filter_map(|p| match p {
            syn::GenericParam::Type(t) => Some(t.ident.to_token_stream()),
            syn::GenericParam::Const(c) => Some(c.ident.to_token_stream()),
            syn::GenericParam::Lifetime(_) => None,
        })
        .collect();
    let generics = (!generics.is_empty()).then(|| quote!(::<#(#generics),*>));
    let in_impl = partials.paths.iter().any(|p| p.segments.first().is_some_and(|s| s.ident == "Self"));
    let scope = in_impl.then(|| quote!(Self::));
    quote!(#scope #name #generics)
}
