//! From IR to Rust: one function of IR becomes one function of generated code.
//!
//! - [`signature`]: parameters, results and length checks, by the rule of the design;
//! - [`body`]: statements; [`buffers`], [`control`], [`operations`], [`products`]: those about memory, branches and loops, numbers, matrices; [`expr`]: expressions; [`verbatim`]: the user's own code; [`call`]: calls; [`text`]: all of it as text, and back;
//! - [`pool`]: memory that calls leave to the next; [`reserve`]: stacks whose length is known before;
//! - [`operators`]: the Hessian as an operator, made of other functions;
//! - [`stand_ins`]: products that call others, where code need not run fast; [`found`]: what they get of these;
//! - [`companion`]: the hidden functions that other differentiable functions call; [`scaled`]: those that call others, where code
//!   need not run fast;
//! - [`checks`]: tests of the derivatives, for the user's test suite;
//! - [`guards`]: what is assumed of types, as assertions; [`names`]: identifiers; [`docs`]: rustdoc.
//!
//! Nothing here differentiates or optimises.

mod body;
mod buffers;
mod call;
mod checks;
mod companion;
mod control;
mod docs;
mod expr;
mod found;
mod guards;
mod names;
mod operations;
mod operators;
mod pool;
mod products;
mod reserve;
mod scaled;
mod signature;
mod stand_ins;
mod text;
mod verbatim;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

pub(crate) use checks::checks;
pub(crate) use companion::{
    can_be_called_twice, emit as emit_companion, emit_taylor, is_as_the_product, possible as can_be_called,
};
pub(crate) use guards::guards;
pub(crate) use operators::{Operators, Part, Reach};
pub(crate) use scaled::emit as emit_scaled;

use crate::frontend::signature::Signature;
use crate::ir::Func;
use crate::pipeline::Product;
use body::Body;

/// The generated function of a product.
pub(crate) fn emit(sig: &Signature, product: Product, func: &Func) -> TokenStream {
    function(
        sig,
        func,
        &name_of(sig, product),
        &docs::of(sig, product),
        &sig.vis,
        &sig.attrs,
        Inside::Ir(&TokenStream::new()),
    )
}

/// The name of a product.
fn name_of(sig: &Signature, product: Product) -> Ident {
    Ident::new(&format!("{}_{}", plain(&sig.ident), product.suffix()), sig.ident.span())
}

/// A name for the number of lanes that nothing in a function, or in what is made of it, has.
pub(crate) fn lanes_name(sig: &Signature, func: &Func) -> String {
    let mut names = names::Names::default();
    let (generics, types) = (&sig.generics, sig.params.iter().map(|p| &p.ty));
    let (output, clause) = (&sig.output, &sig.generics.where_clause);
    names.reserve_all(quote!(#generics #clause #(#types)* #output));
    body::reserve_verbatim(func, &mut names);
    names.fresh("LANES")
}

/// In place of products that a function cannot have: whoever asks for one is told why.
pub(crate) fn absent(
    function: &syn::ItemFn,
    products: &[Product],
    receiver: Option<&syn::Receiver>,
) -> TokenStream {
    let ident = &function.sig.ident;
    let note = format!(
        "there is no such derivative: what `{ident}` takes or returns has none of its own. Other `#[differentiable]` functions \
         can call `{ident}`, and are differentiated through it"
    );
    absent_because(&function.vis, ident, products, &note, receiver)
}

/// As [`absent`], for another reason. Those of a method are called like one.
pub(crate) fn absent_because(
    vis: &syn::Visibility,
    ident: &Ident,
    products: &[Product],
    note: &str,
    receiver: Option<&syn::Receiver>,
) -> TokenStream {
    let receiver = receiver.map(|_| quote!(&self));
    let names =
        products.iter().map(|p| Ident::new(&format!("{}_{}", plain(ident), p.suffix()), ident.span()));
    quote! {
        #(
            #[doc(hidden)]
            #[allow(dead_code)]
            #[deprecated(note = #note)]
            #vis const fn #names(#receiver) {}
        )*
    }
}

/// What is inside of a generated function.
enum Inside<'a> {
    /// What the IR says; with a parameter more, if there is one.
    Ir(&'a TokenStream),
    /// Other statements, with what is returned.
    Calls(&'a dyn Fn(&mut Body<'_>) -> TokenStream),
}

/// A function of this name with the user's parameters, those that the IR adds to them, and what `extra` says.
fn function(
    sig: &Signature,
    func: &Func,
    name: &Ident,
    docs: &[String],
    vis: &syn::Visibility,
    attrs: &[syn::Attribute],
    inside: Inside<'_>,
) -> TokenStream {
    let mut body = Body::new(func);
    let records = signature::Records::new(sig, func, &mut body);
    let mut params = signature::parameters(sig, func, &body, &records);
    let opening = &sig.opening;
    if opening.is_some() {
        params.remove(0);
    }
    let opened = records.opened(sig, func, &body);
    let checks = signature::length_checks(sig, func, &body, name);
    let nothing = TokenStream::new();
    let (extra, statements) = match inside {
        Inside::Calls(calls) => (&nothing, calls(&mut body)),
        Inside::Ir(extra) => {
            let statements = body.statements();
            let written = records.written(sig, func, &mut body);
            let returned =
                signature::wrapped(sig, signature::returned(sig, func, |binding| body.output(binding)));
            (extra, quote!(#statements #written #returned))
        }
    };
    let ret = signature::wrapped_type(sig, signature::return_type(sig, func)).map(|ty| quote!(-> #ty));
    let mut generics = sig.own_generics();
    if let Some(count) = &func.lanes {
        let count = Ident::new(count, proc_macro2::Span::call_site());
        generics.params.push(syn::parse_quote!(const #count: usize));
    }
    let where_clause = generics.where_clause.take();
    let receiver = sig.receiver.as_ref().map(|r| quote!(#r,));
    let allow = allowed();
    let given = |word| attrs.iter().any(|a| a.path().is_ident(word));
    // A wrong length is the caller's: the panic points there.
    let track = (!checks.is_empty() && !given("track_caller")).then(|| quote!(#[track_caller]));
    // Code is generated for what is called alone: few of the derivatives of a library's functions are.
    let inline = (!given("inline")).then(|| quote!(#[inline]));
    quote! {
        #(#attrs)*
        #(#[doc = #docs])*
        #track
        #inline
        #allow
        #vis fn #name #generics (#receiver #(#params),* #extra) #ret #where_clause {
            #opening
            #opened
            #checks
            #statements
        }
    }
}

/// The name of the user's function, without `r#`.
fn plain(ident: &Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_string()
}

/// Lints that generated code may trip: it is not written by hand and not read for style.
fn allowed() -> TokenStream {
    quote! {
        #[allow(
            clippy::all, clippy::pedantic, clippy::nursery, clippy::restriction, unused_variables, unused_imports, unused_mut,
            unused_parens, unused_assignments, unreachable_patterns, unused_must_use, unreachable_code, non_snake_case, dead_code,
            let_underscore_drop
        )]
    }
}
