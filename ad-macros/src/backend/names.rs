//! Names in generated code: the user's where there is one, derived ones (`x_bar_dot`, `sin_y`) elsewhere, each
//! unique in its function and different from every identifier that verbatim code uses.

use proc_macro2::{TokenStream, TokenTree};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

/// What looks like an identifier and is none, in any edition; sorted.
const KEYWORDS: [&str; 53] = [
    "Self", "_", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self",
    "static", "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

fn is_keyword(text: &str) -> bool {
    KEYWORDS.binary_search(&text).is_ok()
}

/// Whether text is one identifier.
pub(super) fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_numeric())
        && !text.is_empty()
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !is_keyword(text)
}

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

    /// Takes all identifiers in the text of code.
    pub(super) fn reserve_text(&mut self, text: &str) {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '#');
        let words = text.split(|c| !is_part(c));
        words.filter(|word| is_name(word)).for_each(|word| self.reserve(word));
    }

    /// An identifier like `hint`, not used before.
    pub(super) fn fresh(&mut self, hint: &str) -> String {
        let base: String =
            hint.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect();
        let base = match base.chars().next() {
            Some(c) if c.is_alphabetic() => base,
            Some('_') if base.len() > 1 => base,
            _ => format!("t_{base}"),
        };
        // The text of a body says pieces of the user's by names that are nobody else's.
        let base = if super::text::is_placeholder(&base) { format!("t_{base}") } else { base };
        let mut name = base.clone();
        while self.used.contains(&name) || is_keyword(&name) {
            let n = self.next.entry(base.clone()).or_insert(0);
            *n += 1;
            name = format!("{base}_{n}");
        }
        self.used.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_and_found() {
        assert!(KEYWORDS.is_sorted());
        assert!(KEYWORDS.iter().all(|word| is_keyword(word) && !is_name(word)));
        assert!(["x", "selfish", "Selfless", "x_1"].iter().all(|word| is_name(word)));
    }

    #[test]
    fn text_reserves_the_words_of_code() {
        let mut names = Names::default();
        names.reserve_text("w.len() + rows[k_1 .. 2_usize].r#type");
        assert_eq!(names.fresh("rows"), "rows_1");
        assert_eq!(names.fresh("k_1"), "k_1_1");
        assert_eq!(names.fresh("k"), "k");
    }
}
