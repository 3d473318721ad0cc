//! `check(x = .., n = ..)`: a test in the user's own test suite that compares a function with its derivatives at a point.
//!
//! Active parameters are laid out in a vector, by `ad_runtime::__private::Flat`, moved along it, and handed to the function,
//! to `f_grad` and to `f_hvp`. Each sample is evaluated once.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::operators::is_copied;
use super::signature::{element_of, referent, tuple};
use crate::diagnostics::Diagnostics;
use crate::frontend::arrays::types::By;
use crate::frontend::signature::{Class, ParamSig, Signature};
use crate::ir::Dim;
use crate::options::{Check, Options};
use crate::pipeline::{Product, is_scalar};

/// The tests that are asked for.
pub(crate) fn checks(sig: &Signature, options: &Options, diagnostics: &mut Diagnostics) -> TokenStream {
    let has =
        |product| options.only.as_ref().is_none_or(|only| only.products.iter().any(|(p, _)| *p == product));
    let mut out = TokenStream::new();
    for (k, check) in options.checks.iter().enumerate() {
        if refused(sig, check, has(Product::Grad), diagnostics) {
            continue;
        }
        let Some(samples) = samples(sig, check, diagnostics) else { continue };
        let number = if k == 0 { String::new() } else { format!("_{}", k + 1) };
        let name = Ident::new(&format!("{}_check{number}", super::plain(&sig.ident)), check.span);
        out.extend(Test { sig, samples, second: has(Product::Hvp) }.written(&name));
    }
    out
}

/// Whether a function cannot have a test, which is said.
fn refused(sig: &Signature, check: &Check, has_gradient: bool, diagnostics: &mut Diagnostics) -> bool {
    let f = &sig.ident;
    let by_hand = "write a test that calls `ad_runtime::check::all` with closures";
    let problem = if sig.receiver.is_some() {
        (format!("`{f}` is a method, and tests stand beside functions"), by_hand)
    } else if !is_scalar(sig) {
        (
            format!("`check(..)` compares gradients, and `{f}` has several outputs"),
            "check a function that returns one float; for this one, compare `_jvp` and `_vjp` in a test",
        )
    } else if !has_gradient {
        (format!("`check(..)` calls `{f}_grad`, which is not among `only(..)`"), "add `grad` to `only(..)`")
    } else if let Some(p) = sig.params.iter().find(|p| p.active && form(p).is_none()) {
        (
            format!("`check(..)` cannot make an argument for `{}`: it is a view of other memory", p.ident),
            by_hand,
        )
    } else {
        return false;
    };
    diagnostics.error(check.span, problem.0, problem.1);
    true
}

/// The sample of each parameter, in their order.
fn samples<'c>(
    sig: &Signature,
    check: &'c Check,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<&'c syn::Expr>> {
    let before = diagnostics.mark();
    for (k, (name, _)) in check.samples.iter().enumerate() {
        if !sig.params.iter().any(|p| p.ident == *name) {
            let names: Vec<String> = sig.params.iter().map(|p| format!("`{}`", p.ident)).collect();
            diagnostics.error(
                name.span(),
                format!("there is no parameter `{name}`"),
                format!("the parameters are {}", names.join(", ")),
            );
        } else if check.samples[..k].iter().any(|(other, _)| other == name) {
            diagnostics.error(name.span(), format!("`{name}` is given twice"), "give one value");
        }
    }
    let of = |p: &ParamSig| check.samples.iter().find(|(name, _)| *name == p.ident).map(|(_, value)| value);
    let missing: Vec<&ParamSig> = sig.params.iter().filter(|p| of(p).is_none()).collect();
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(|p| format!("`{}`", p.ident)).collect();
        let all: Vec<String> = sig
            .params
            .iter()
            .map(|p| {
                let value =
                    of(p).map_or_else(|| example(p).to_string(), |value| value.to_token_stream().to_string());
                format!("{} = {value}", p.ident)
            })
            .collect();
        diagnostics.error(
            check.span,
            format!("`check` needs a value for {}", names.join(", ")),
            format!("write `check({})`, with values at which to test", all.join(", ")),
        );
    }
    if diagnostics.mark() > before { None } else { sig.params.iter().map(of).collect() }
}

/// What a sample may look like.
fn example(p: &ParamSig) -> &'static str {
    match p.class {
        Class::Scalar(_) => "1.5",
        Class::Array { .. } | Class::RefArray { .. } | Class::RefSlice { .. } | Class::RefVec { .. } => {
            "[1.5, -0.5]"
        }
        _ => "..",
    }
}

/// How an active parameter is passed, and how its derivative comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Passed and returned.
    Value,
    /// Passed by reference, written to `&mut`.
    Reference,
    /// A slice: the same, and kept as a vector.
    Slice,
    /// A vector that is moved in; its direction and derivative are slices.
    Moved,
}

fn form(p: &ParamSig) -> Option<Form> {
    Some(match &p.class {
        Class::Scalar(_) | Class::Array { .. } => Form::Value,
        Class::RefArray { .. } | Class::Records(_, Dim::Fixed(_)) => Form::Reference,
        Class::RefVec { .. } if p.is_owned_vec() => Form::Moved,
        Class::RefSlice { .. } | Class::RefVec { .. } | Class::Records(..) => Form::Slice,
        Class::Record(record) if record.by_ref => Form::Reference,
        Class::Record(_) => Form::Value,
        Class::Foreign(foreign) => match foreign.by {
            By::Reference => Form::Reference,
            By::Value => Form::Value,
            By::View => return None,
        },
        Class::Output { .. } | Class::Other => return None,
    })
}

struct Test<'t> {
    sig: &'t Signature,
    samples: Vec<&'t syn::Expr>,
    /// Whether there is a Hessian-vector product.
    second: bool,
}

impl Test<'_> {
    fn written(&self, name: &Ident) -> TokenStream {
        let sig = self.sig;
        let (mut kept, mut laid_out) = (TokenStream::new(), TokenStream::new());
        for (k, (p, sample)) in sig.params.iter().zip(&self.samples).enumerate() {
            kept.extend(self.kept(k, p, sample));
            if p.active {
                let own = arg(k);
                let flatten = quote_spanned!(sample.span()=> ::ad_runtime::__private::Flat::flatten);
                laid_out.extend(quote!(#flatten(&#own, &mut __ad_x);));
            }
        }
        let f = &sig.ident;
        let text = super::plain(f);
        let call = |suffix: &str| format_ident!("{text}_{suffix}");
        let moved = self.moved("x");
        let primal = self.primal();
        let value = self.unwrapped(&quote!(#f(#(#primal),*)));
        let gradient = self.derivative(&call("grad"), false);
        let conditions = sig.attrs.iter().filter(|a| {
            ["cfg", "allow", "expect", "deprecated"].iter().any(|known| a.path().is_ident(known))
        });
        let (check, product) = if self.second {
            let (product, direction) = (self.derivative(&call("hvp"), true), self.moved("v"));
            let product = quote! {
                |__ad_x: &[_], __ad_v: &[_], __ad_out: &mut [_]| {
                    #moved
                    #direction
                    #product
                },
            };
            (quote!(all), product)
        } else {
            (quote!(first_order), quote!())
        };
        let allow = super::allowed();
        quote! {
            #(#conditions)*
            #[cfg(test)]
            #[test]
            #allow
            fn #name() {
                #kept
                let mut __ad_x = ::ad_runtime::__private::Vec::new();
                #laid_out
                ::ad_runtime::check::#check(
                    #text,
                    &__ad_x,
                    |__ad_x: &[_]| {
                        #moved
                        #value
                    },
                    |__ad_x: &[_], __ad_out: &mut [_]| {
                        #moved
                        #gradient
                        __ad_value
                    },
                    #product
                )
                .assert_ok();
            }
        }
    }

    /// The sample in a variable of its own: active ones as what owns the numbers, data as it is passed.
    fn kept(&self, k: usize, p: &ParamSig, sample: &syn::Expr) -> TokenStream {
        let (name, span) = (arg(k), sample.span());
        let annotated = |ty: TokenStream| self.is_concrete(&ty).then(|| without_lifetimes(ty));
        let lent = |ty: TokenStream, mutable: bool| {
            let ty = annotated(ty).map(|ty| quote!(: &#ty));
            match sample {
                syn::Expr::Reference(_) if !mutable => quote!(let #name #ty = #sample;),
                _ => quote!(let #name #ty = &#sample;),
            }
        };
        let ty = &p.ty;
        if !p.active {
            return if matches!(ty, syn::Type::Reference(_)) {
                lent(referent(ty), false)
            } else {
                let ty = annotated(quote!(#ty)).map(|ty| quote!(: #ty));
                quote!(let #name #ty = #sample;)
            };
        }
        match form(p) {
            Some(Form::Slice | Form::Moved) => {
                let elem = match ty {
                    syn::Type::Reference(_) => element_of(ty),
                    _ => super::signature::vec_elem(ty),
                };
                let elem = annotated(elem).unwrap_or_else(|| quote!(_));
                let vec = quote!(::ad_runtime::__private::Vec<#elem>);
                let all = quote_spanned!(span=> (#sample)[..].to_vec());
                quote!(let #name: #vec = #all;)
            }
            Some(Form::Reference) => {
                let ty = annotated(referent(ty)).map(|ty| quote!(: #ty));
                let owned = match sample {
                    syn::Expr::Reference(r) => &*r.expr,
                    other => other,
                };
                let owned = quote_spanned!(span=> (#owned).clone());
                quote!(let #name #ty = #owned;)
            }
            _ => {
                let ty = annotated(quote!(#ty)).map(|ty| quote!(: #ty));
                quote!(let #name #ty = #sample;)
            }
        }
    }

    /// Whether a type says the same in the test: no parameter of the function stands in it.
    fn is_concrete(&self, ty: &TokenStream) -> bool {
        fn says(tokens: TokenStream, names: &[String]) -> bool {
            tokens.into_iter().any(|token| match token {
                TokenTree::Ident(ident) => names.iter().any(|name| ident == name),
                TokenTree::Group(group) => says(group.stream(), names),
                _ => false,
            })
        }
        let own = self.sig.generics.params.iter().filter_map(|p| match p {
            syn::GenericParam::Type(t) => Some(t.ident.to_string()),
            syn::GenericParam::Const(c) => Some(c.ident.to_string()),
            syn::GenericParam::Lifetime(_) => None,
        });
        let names: Vec<String> = own.chain(["impl".to_string()]).collect();
        !says(ty.clone(), &names)
    }

    /// The active parameters at `__ad_x`, or the directions in `__ad_v`.
    fn moved(&self, from: &str) -> TokenStream {
        let (all, rest) = (format_ident!("__ad_{from}"), format_ident!("__ad_{from}_rest"));
        let parts = self.active().map(|(k, _)| {
            let (own, part) = (arg(k), of(from, k));
            quote! {
                let mut #part = ::core::clone::Clone::clone(&#own);
                ::ad_runtime::__private::Flat::fill(&mut #part, &mut #rest);
            }
        });
        quote!(let mut #rest: &[_] = #all; #(#parts)*)
    }

    fn active(&self) -> impl Iterator<Item = (usize, Form)> {
        self.sig.params.iter().enumerate().filter(|(_, p)| p.active).filter_map(|(k, p)| Some((k, form(p)?)))
    }

    /// The arguments of the function itself.
    fn primal(&self) -> Vec<TokenStream> {
        let of_each = self.sig.params.iter().enumerate().map(|(k, p)| {
            let own = arg(k);
            match form(p) {
                Some(form) if p.active => passed(&of("x", k), form, false),
                _ if is_copied(&p.ty) => quote!(#own),
                _ => quote!(::core::clone::Clone::clone(&#own)),
            }
        });
        of_each.collect()
    }

    /// A call of `f_grad` or `f_hvp` that writes to `__ad_out`, and the value to `__ad_value`.
    fn derivative(&self, function: &Ident, product: bool) -> TokenStream {
        let mut args = self.primal();
        let (mut before, mut after, mut returned) = (TokenStream::new(), TokenStream::new(), Vec::new());
        if product {
            args.extend(self.active().map(|(k, form)| passed(&of("v", k), form, true)));
        }
        for (k, form) in self.active() {
            let (own, bar) = (arg(k), of("bar", k));
            if form == Form::Value {
                returned.push(quote!(#bar));
            } else {
                before.extend(quote!(let mut #bar = ::core::clone::Clone::clone(&#own);));
                args.push(quote!(&mut #bar));
            }
            after.extend(quote!(::ad_runtime::__private::Flat::flatten(&#bar, &mut __ad_all);));
        }
        let mut groups = Vec::new();
        if !product {
            groups.push(quote!(__ad_value));
        }
        if !returned.is_empty() {
            groups.push(tuple(returned));
        }
        let call = self.unwrapped(&quote!(#function(#(#args),*)));
        let call = if groups.is_empty() {
            quote!(#call;)
        } else {
            let pattern = tuple(groups);
            quote!(let #pattern = #call;)
        };
        quote! {
            #before
            #call
            let mut __ad_all = ::ad_runtime::__private::Vec::new();
            #after
            __ad_out.copy_from_slice(&__ad_all);
        }
    }

    /// A result without the user's `Option` or `Result`.
    fn unwrapped(&self, call: &TokenStream) -> TokenStream {
        if self.sig.wrapper.is_none() {
            return call.clone();
        }
        let message = format!("`{}` has no value at the point of the check, or near to it", self.sig.ident);
        quote!(match #call.into_iter().next() {
            ::core::option::Option::Some(value) => value,
            ::core::option::Option::None => ::core::panic!(#message),
        })
    }
}

/// The sample of a parameter.
fn arg(k: usize) -> Ident {
    format_ident!("__ad_arg_{k}")
}

/// What a parameter is at a point, its direction, its derivative.
fn of(what: &str, k: usize) -> Ident {
    format_ident!("__ad_{what}_{k}")
}

fn passed(name: &Ident, form: Form, direction: bool) -> TokenStream {
    match form {
        Form::Value => quote!(#name),
        Form::Moved if !direction => quote!(#name),
        _ => quote!(&#name),
    }
}

/// `&'a [f64]` as `&'_ [f64]`
fn without_lifetimes(tokens: TokenStream) -> TokenStream {
    let mut after_tick = false;
    let each = tokens.into_iter().map(|token| match token {
        TokenTree::Punct(p) if p.as_char() == '\'' => {
            after_tick = true;
            TokenTree::Punct(p)
        }
        TokenTree::Ident(ident) if std::mem::take(&mut after_tick) => {
            TokenTree::Ident(if ident == "static" { ident } else { Ident::new("_", ident.span()) })
        }
        TokenTree::Group(group) => {
            let mut inner = proc_macro2::Group::new(group.delimiter(), without_lifetimes(group.stream()));
            inner.set_span(group.span());
            TokenTree::Group(inner)
        }
        other => other,
    });
    each.collect()
}
