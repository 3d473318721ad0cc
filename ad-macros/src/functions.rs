//! `#[differentiable]` functions that the macro has seen: what a function that calls one of them must know of it.
//!
//! Functions with one float result have companions that callers use ([`backend`](crate::backend)). All others (those that
//! take or return arrays, tuples or structs, or write to outputs; some of them have no derivatives of their own) are written out where they are called, from their text.
//! Names do not tell modules apart: the caller asserts that the function it has read is the one that it calls.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};

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
    /// Its code, as if it stood at the call: errors in it are shown there.
    pub(crate) fn item(&self, at: Span) -> Option<syn::ItemFn> {
        syn::parse2(located(self.text.parse().ok()?, at)).ok()
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

/// The same tokens at another place.
fn located(tokens: TokenStream, at: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            if let TokenTree::Group(group) = &token {
                token = TokenTree::Group(Group::new(group.delimiter(), located(group.stream(), at)));
            }
            // Names resolve as they did; only the place is another.
            token.set_span(Span::call_site().located_at(at));
            token
        })
        .collect()
}

fn source_name(name: &str) -> Ident {
    format_ident!("__DIFFERENTIABLE_{}_SOURCE", name.to_uppercase(), span = Span::call_site())
}

/// Keeps a function. Gives the item that its callers' assertions refer to.
pub(crate) fn keep(function: &syn::ItemFn, can_be_called: bool) -> TokenStream {
    let mut bare = function.clone();
    bare.attrs.clear();
    let text = bare.to_token_stream().to_string();
    let hash = fnv(0xcbf2_9ce4_8422_2325, &text);
    let name = function.sig.ident.to_string();
    let known = Known { text, hash, can_be_called };
    FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), known);
    if can_be_called {
        return TokenStream::new();
    }
    let source = source_name(&name);
    let vis = &function.vis;
    quote! {
        #[doc(hidden)]
        #[allow(dead_code)]
        #vis const #source: (u64, &str) = (#hash, ::core::module_path!());
    }
}
