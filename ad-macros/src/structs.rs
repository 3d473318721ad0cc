//! `#[derive(Differentiable)]`: what `#[differentiable]` knows of structs.
//!
//! An attribute sees its function and nothing else. The derive tells it what a struct's fields are: the definitions of a
//! crate are kept here while the compiler expands it, from the top of the crate to its end.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;

use crate::diagnostics::Diagnostics;

/// Definitions by name, as text: tokens cannot be kept from one expansion to the next.
static STRUCTS: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);

/// The definition of a struct that derives `Differentiable`.
pub(crate) fn find(name: &str) -> Option<syn::ItemStruct> {
    let text = STRUCTS.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()?;
    syn::parse_str(&text).ok()
}

/// Expands the derive.
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let generated = read(item, &mut diagnostics);
    match diagnostics.into_error() {
        Some(errors) => errors.to_compile_error(),
        None => generated,
    }
}

fn read(item: TokenStream, diagnostics: &mut Diagnostics) -> TokenStream {
    let item: syn::ItemStruct = match syn::parse2(item) {
        Ok(item) => item,
        Err(e) => {
            diagnostics.error(
                e.span(),
                "`Differentiable` is derived by structs",
                "keep the active numbers in a struct, and the enum beside it as data",
            );
            return TokenStream::new();
        }
    };
    if let Some(param) = item.generics.params.first() {
        diagnostics.error(
            param.span(),
            "generic structs are not differentiable yet",
            "write the float and the lengths out: `f64`, `[f64; 3]`, `Vec<f64>`",
        );
        return TokenStream::new();
    }
    if matches!(item.fields, syn::Fields::Unit) {
        diagnostics.error(
            item.ident.span(),
            "this struct has no fields",
            "give it the numbers it stands for",
        );
        return TokenStream::new();
    }
    let mut bare = item.clone();
    bare.attrs.clear();
    for field in &mut bare.fields {
        field.attrs.clear();
    }
    let text = bare.to_token_stream().to_string();
    let name = &item.ident;
    STRUCTS.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_string(), text);
    quote! {
        impl ::ad_runtime::Differentiable for #name {}
    }
}
