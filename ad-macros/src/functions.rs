//! `#[differentiable]` functions that the macro has seen: what a function that calls one of them must know of it.
//!
//! Functions with one float result have companions that callers use ([`backend`](crate::backend)). All others (those that
//! take or return arrays, tuples or structs, or write to outputs) are written out where they are called, from their text.
//! Names do not tell modules apart: the caller asserts that the function it has read is the one that it calls.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};

use crate::backend;
use crate::frontend::signature::Signature;
use crate::structs::fnv;

/// What is kept of a function.
#[derive(Clone)]
pub(crate) struct Known {
    text: String,
    hash: u64,
    /// Whether it has companions.
    pub(crate) can_be_called: bool,
}

static FUNCTIONS: LazyLock<Mutex<HashMap<String, Known>>> = LazyLock::new(Mutex::default);

/// What is known of a function.
pub(crate) fn find(name: &str) -> Option<Known> {
    FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
}

impl Known {
    /// Its code.
    pub(crate) fn item(&self) -> Option<syn::ItemFn> {
        syn::parse_str(&self.text).ok()
    }

    /// That the function of this name is the one that was read.
    pub(crate) fn assertion(&self, name: &str, at: Span) -> TokenStream {
        let (source, hash) = (source_name(name), self.hash);
        let message = format!(
            "`{name}` is written out where it is called, so it must stand in the same module as its caller (and no other \
             function with `#[differentiable]` may have its name)"
        );
        quote_spanned! {at=>
            const _: () = assert!(
                #source.0 == #hash && ::ad_runtime::__private::same_text(#source.1, ::core::module_path!()),
                #message
            );
        }
    }
}

fn source_name(name: &str) -> Ident {
    format_ident!("__DIFFERENTIABLE_{}_SOURCE", name.to_uppercase(), span = Span::call_site())
}

/// Keeps a function. Gives the item that its callers' assertions refer to.
pub(crate) fn keep(function: &syn::ItemFn, sig: &Signature) -> TokenStream {
    if sig.receiver.is_some() {
        return TokenStream::new();
    }
    let mut bare = function.clone();
    bare.attrs.clear();
    let text = bare.to_token_stream().to_string();
    let hash = fnv(0xcbf2_9ce4_8422_2325, &text);
    let name = sig.ident.to_string();
    let can_be_called = backend::can_be_called(sig);
    let known = Known { text, hash, can_be_called };
    FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), known);
    if can_be_called {
        return TokenStream::new();
    }
    let source = source_name(&name);
    let vis = &sig.vis;
    quote! {
        #[doc(hidden)]
        #[allow(dead_code)]
        #vis const #source: (u64, &str) = (#hash, ::core::module_path!());
    }
}
