//! Traits under `#[differentiable]`: methods of a type that is a parameter (`fn cost<L: Loss>(loss: &L, ..)`).
//!
//! Which code such a method runs shows only at a call, so it is not written out: each required method of the trait gets the
//! companions that callers of a differentiable function use ([`backend::emit_companion`]), as required methods beside it, and each
//! `impl` block of the trait under the attribute defines them. A block without the attribute lacks them, and rustc says so. Methods
//! with a default have none: a block could give the method another meaning, and not its derivatives.

use std::sync::{LazyLock, Mutex, PoisonError};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use rustc_hash::FxHashMap as HashMap;

use crate::diagnostics::Diagnostics;
use crate::options::Options;
use crate::pipeline::companions;

/// The methods with companions, by the name of their trait.
static TRAITS: LazyLock<Mutex<HashMap<String, Vec<String>>>> = LazyLock::new(Mutex::default);

/// Whether a trait of this name has such a method.
pub(crate) fn has(name: &str, method: &str) -> bool {
    let traits = TRAITS.lock().unwrap_or_else(PoisonError::into_inner);
    traits.get(name).is_some_and(|methods| methods.iter().any(|m| m == method))
}

/// A trait with the companions of its methods.
pub(crate) fn declare(mut item: syn::ItemTrait) -> TokenStream {
    let mut methods = Vec::new();
    let mut added = Vec::new();
    for member in &item.items {
        let syn::TraitItem::Fn(method) = member else { continue };
        if method.default.is_none()
            && let Some(declared) = declarations(method)
        {
            methods.push(method.sig.ident.to_string());
            added.extend(declared);
        }
    }
    let name = item.ident.to_string();
    TRAITS.lock().unwrap_or_else(PoisonError::into_inner).insert(name, methods);
    item.items.extend(added.into_iter().map(syn::TraitItem::Fn));
    item.into_token_stream()
}

/// The companions of a method, without code.
fn declarations(method: &syn::TraitItemFn) -> Option<Vec<syn::TraitItemFn>> {
    let sig = &method.sig;
    sig.receiver()?;
    // Any code of this signature has companions of the same signatures.
    let terms = sig.inputs.iter().filter_map(|input| match input {
        syn::FnArg::Typed(p) => match &*p.ty {
            syn::Type::Path(_) if float(&p.ty) => Some(p.pat.to_token_stream()),
            syn::Type::Reference(r) if r.mutability.is_none() => match &*r.elem {
                syn::Type::Slice(s) if float(&s.elem) => {
                    let pat = &p.pat;
                    Some(quote!(#pat[0]))
                }
                _ => None,
            },
            _ => None,
        },
        syn::FnArg::Receiver(_) => None,
    });
    let function: syn::ItemFn = syn::parse2(quote!(#sig { 0.0 #(+ #terms)* })).ok()?;
    let (made, _) = quietly(function)?;
    let file: syn::ItemTrait = syn::parse2(quote!(trait Companions { #made })).ok()?;
    let declared = file.items.into_iter().filter_map(|item| match item {
        syn::TraitItem::Fn(mut f) => {
            f.default = None;
            f.semi_token = Some(syn::token::Semi::default());
            f.attrs.retain(|a| !a.path().is_ident("inline"));
            f.sig.generics.make_where_clause().predicates.push(syn::parse_quote!(Self: Sized));
            for input in &mut f.sig.inputs {
                if let syn::FnArg::Typed(p) = input
                    && let syn::Pat::Ident(id) = &mut *p.pat
                {
                    id.mutability = None;
                }
            }
            Some(f)
        }
        _ => None,
    });
    Some(declared.collect())
}

fn float(ty: &syn::Type) -> bool {
    matches!(ty, syn::Type::Path(p) if p.path.is_ident("f64") || p.path.is_ident("f32"))
}

/// An `impl` block of such a trait with the companions of its methods, and what goes beside it. `None` of other blocks.
pub(crate) fn define(
    block: &syn::ItemImpl,
    diagnostics: &mut Diagnostics,
) -> Option<(TokenStream, TokenStream)> {
    let (path, _) = block.trait_.as_ref()?;
    let name = path.segments.last()?.ident.to_string();
    let own = crate::functions::in_expressions(&block.self_ty);
    let options = Options { own: Some(own.clone()), ..Options::default() };
    let (mut whole, mut beside, mut any) = (block.clone(), TokenStream::new(), false);
    for member in &block.items {
        let syn::ImplItem::Fn(method) = member else { continue };
        if !has(&name, &method.sig.ident.to_string()) {
            continue;
        }
        any = true;
        let text = crate::functions::renamed(quote!(#method), "self", &own);
        let Ok(mut function) = syn::parse2::<syn::ItemFn>(text) else { continue };
        function.vis = syn::Visibility::Inherited;
        let (made, guards) = companions(function, &options, diagnostics)?;
        let block: syn::ItemImpl = syn::parse2(quote!(impl Companions { #made })).ok()?;
        whole.items.extend(block.items);
        beside.extend(quote!(const _: () = { #guards };));
    }
    any.then(|| (whole.into_token_stream(), beside))
}

fn quietly(function: syn::ItemFn) -> Option<(TokenStream, TokenStream)> {
    let mut quiet = Diagnostics::default();
    let made = companions(function, &Options::default(), &mut quiet);
    quiet.into_error().is_none().then_some(made).flatten()
}
