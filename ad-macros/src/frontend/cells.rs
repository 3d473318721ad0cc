//! Data that changes behind a shared reference: cells, locks, atomics. What a loop computes with them is not computed again in the
//! way back through it, so code in loops may change them in statements only, and not see them.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;

use super::lower::Lower;
use super::value::Val;

/// Types of std that change behind a shared reference.
const CELLS: [&str; 8] =
    ["Cell", "RefCell", "OnceCell", "UnsafeCell", "Mutex", "RwLock", "OnceLock", "LazyCell"];

impl Lower<'_> {
    /// The name of the type, if what is used at this place in code of a loop may change behind a shared reference.
    pub(super) fn cell_changed(&self, list: &[TokenTree], at: usize, val: &Val) -> Option<String> {
        let Val::Scalar(v) = val else { return None };
        if self.rounds == 0 {
            return None;
        }
        let ty = self.s.declared.get(v)?;
        let name = self.cell_in(ty)?;
        let is_dot = |k: usize| matches!(list.get(k), Some(TokenTree::Punct(p)) if p.as_char() == '.');
        let is_call = |k: usize| matches!(list.get(k), Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis);
        let mut end = at + 1;
        while is_dot(end) && list.get(end + 1).is_some() && !is_call(end + 2) {
            end += 2;
        }
        // A field that is copied is no call, and none that is borrowed. What only reads may see another value the second time.
        let borrowed = at > 0 && matches!(&list[at - 1], TokenTree::Punct(p) if p.as_char() == '&');
        let reads = !is_dot(end) && end > at + 1 && !borrowed;
        (!reads).then_some(name)
    }

    /// A cell in a type, or in the definition of the struct that it names.
    fn cell_in(&self, ty: &syn::Type) -> Option<String> {
        if let Some(name) = cell_named(ty.to_token_stream()) {
            return Some(name);
        }
        let mut ty = ty;
        while let syn::Type::Reference(r) = ty {
            ty = &r.elem;
        }
        let syn::Type::Path(p) = ty else { return None };
        let name = p.path.segments.last()?.ident.to_string();
        let text = crate::file::text_of_struct(&name, &self.sig.ident)?;
        cell_named(syn::parse_str::<syn::ItemStruct>(&text).ok()?.fields.to_token_stream())
    }
}

fn cell_named(tokens: TokenStream) -> Option<String> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(name) => {
            let name = name.to_string();
            (CELLS.contains(&name.as_str()) || name.starts_with("Atomic")).then_some(name)
        }
        TokenTree::Group(g) => cell_named(g.stream()),
        _ => None,
    })
}
