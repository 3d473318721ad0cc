//! Names in generated code: the user's where there is one, derived ones (`x_bar_dot`, `sin_y`) elsewhere, each
//! unique in its function and different from every identifier that verbatim code uses.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

/// Hands out identifiers.
#[derive(Default)]
pub(super) struct Names {
    used: HashSet<String>,
    next: HashMap<String, u32>,
}

impl Names {
    /// Takes a name that must not be handed out again.
    pub(super) fn reserve(&mut self, name: &str) {
        self.used.insert(name.to_string());
    }

    /// Takes all identifiers of a piece of Rust.
    pub(super) fn reserve_all(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => self.reserve(&ident.to_string()),
                TokenTree::Group(group) => self.reserve_all(group.stream()),
                _ => {}
            }
        }
    }

    /// An identifier like `hint`, not used before.
    pub(super) fn fresh(&mut self, hint: &str) -> Ident {
        let base: String =
            hint.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect();
        let base = match base.chars().next() {
            Some(c) if c.is_alphabetic() => base,
            Some('_') if base.len() > 1 => base,
            _ => format!("t_{base}"),
        };
        let mut name = base.clone();
        while self.used.contains(&name) || syn::parse_str::<Ident>(&name).is_err() {
            let n = self.next.entry(base.clone()).or_insert(0);
            *n += 1;
            name = format!("{base}_{n}");
        }
        self.used.insert(name.clone());
        Ident::new(&name, Span::call_site())
    }
}
