//! Types in the place of type parameters.

use proc_macro2::{Group, TokenStream, TokenTree};
use rustc_hash::FxHashMap as HashMap;

/// Code with other tokens for these names, but for fields and methods of the same names.
pub(crate) fn replaced(tokens: TokenStream, names: &HashMap<String, TokenStream>) -> TokenStream {
    let mut out = TokenStream::new();
    let mut after_dot = false;
    for token in tokens {
        let dot = matches!(&token, TokenTree::Punct(p) if p.as_char() == '.');
        match token {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), replaced(group.stream(), names));
                inner.set_span(group.span());
                out.extend([TokenTree::Group(inner)]);
            }
            TokenTree::Ident(ident) if !after_dot && names.contains_key(&ident.to_string()) => {
                out.extend(names[&ident.to_string()].clone());
            }
            other => out.extend([other]),
        }
        after_dot = dot;
    }
    out
}
