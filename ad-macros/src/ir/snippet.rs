//! Rust that the IR carries and does not look into.
//!
//! The compiler's tokens live on the thread that it called the macro on, and only until the macro returns; passes may
//! run on others. So a [`Snippet`] is text, and knows where the tokens are kept that the text was made of: with them
//! goes the place in the user's source, for rustc's messages.
//!
//! What does not live here: the holes in such code ([`super::Verbatim`]).

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

thread_local!(static KEPT: RefCell<Vec<TokenStream>> = const { RefCell::new(Vec::new()) });

/// Forgets all tokens that are kept on this thread, when it goes: none may outlive the call of the macro.
pub(crate) struct Keeping;

impl Drop for Keeping {
    fn drop(&mut self) {
        // Not while the list is borrowed: dropping tokens calls the compiler.
        drop(KEPT.take());
    }
}

/// A piece of Rust.
#[derive(Clone, Debug)]
pub(crate) struct Snippet {
    text: Arc<str>,
    kept: Option<usize>,
}

impl Snippet {
    /// Code of the macro's own, which stands nowhere in the source.
    pub(crate) fn written(text: impl Into<Arc<str>>) -> Snippet {
        Snippet { text: text.into(), kept: None }
    }

    /// Its tokens. Only where tokens can be made: on the thread that the macro was called on.
    pub(crate) fn tokens(&self) -> TokenStream {
        match self.kept.and_then(|k| KEPT.with_borrow(|kept| kept.get(k).cloned())) {
            Some(tokens) => tokens,
            None => self.text.parse().unwrap_or_default(),
        }
    }

    /// What it says.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where it stands in the source.
    pub(crate) fn span(&self) -> Span {
        syn::spanned::Spanned::span(&self.tokens())
    }

    /// How many words, numbers and signs it has, each bracket counted.
    pub(crate) fn length(&self) -> usize {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let mut before = ' ';
        self.text
            .chars()
            .filter(|c| {
                let begins = !(c.is_whitespace() || is_word(*c) && is_word(before));
                before = *c;
                begins
            })
            .count()
    }
}

impl From<TokenStream> for Snippet {
    fn from(tokens: TokenStream) -> Snippet {
        let text = tokens.to_string().into();
        let kept = KEPT.with_borrow_mut(|kept| {
            kept.push(tokens);
            kept.len() - 1
        });
        Snippet { text, kept: Some(kept) }
    }
}

/// By what they say.
impl PartialEq for Snippet {
    fn eq(&self, other: &Snippet) -> bool {
        self.text == other.text
    }
}

impl Eq for Snippet {}

impl ToTokens for Snippet {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.tokens());
    }
}

impl fmt::Display for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
