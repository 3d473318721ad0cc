//! Bodies as text. In the compiler each step on a stream of tokens is a call out of the macro, so statements are
//! built as text, which the compiler reads once. What the user wrote keeps its place in the source: its tokens are
//! pieces, which stand in the text as placeholders.
//!
//! Spacing is as `quote!` has it: two operators that are not one have a space between them.

use std::borrow::Cow;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::quote;

/// What placeholders start with. No name in generated code does.
const PLACEHOLDER: &str = "__ad_piece";

/// Whether a name could be taken for a placeholder.
pub(super) fn is_placeholder(name: &str) -> bool {
    name.starts_with(PLACEHOLDER)
}

/// The user's own code in a body.
#[derive(Default)]
pub(super) struct Pieces {
    list: Vec<TokenStream>,
}

impl Pieces {
    /// The placeholder of new tokens, which have no placeholders themselves.
    pub(super) fn add(&mut self, tokens: TokenStream) -> String {
        self.list.push(tokens);
        format!("{PLACEHOLDER}{}", self.list.len() - 1)
    }

    /// Text as tokens, the pieces in it.
    pub(super) fn lex(&self, text: &str) -> TokenStream {
        if !self.are_in(text) {
            return lex(text);
        }
        match self.named(text) {
            Some(piece) => piece.clone(),
            None => self.woven(text),
        }
    }

    /// Text with what the pieces in it say.
    pub(super) fn said<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.are_in(text) { self.lex(text).to_string().into() } else { text.into() }
    }

    /// The tokens of an expression, groups whole.
    pub(super) fn tokens<'t>(&self, text: &'t str) -> Vec<Token<'t>> {
        if self.are_in(text) { self.lex(text).into_iter().map(Token::from).collect() } else { scan(text) }
    }

    /// The identifier that an expression starts with, if it does with one.
    pub(super) fn first_name<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        if self.are_in(text) {
            return match self.lex(text).into_iter().next() {
                Some(TokenTree::Ident(first)) => Some(first.to_string().into()),
                _ => None,
            };
        }
        let len = text.find(|c| !is_in_name(c)).unwrap_or(text.len());
        (len > 0).then(|| text[..len].into())
    }

    /// Whether an expression has more tokens than this, groups counted as one.
    pub(super) fn is_longer(&self, text: &str, limit: usize) -> bool {
        // Each token is a character at least.
        (text.len() > limit || self.are_in(text)) && self.tokens(text).len() > limit
    }

    fn are_in(&self, text: &str) -> bool {
        !self.list.is_empty() && text.contains(PLACEHOLDER)
    }

    fn named(&self, placeholder: &str) -> Option<&TokenStream> {
        let k: usize = placeholder.strip_prefix(PLACEHOLDER)?.parse().ok()?;
        self.list.get(k)
    }

    /// Text as tokens, with the pieces in place of their placeholders. What has none is lexed as a whole, groups too: to walk through
    /// tokens would be a call out of the macro for each.
    fn woven(&self, text: &str) -> TokenStream {
        let mut out = TokenStream::new();
        let mut rest = text;
        while let Some(at) = rest.find(PLACEHOLDER) {
            let (before, inside, after);
            match open_group(&rest[..at]) {
                Some(start) => {
                    let end = start + group(&rest[start..]);
                    let delimiter = match rest.as_bytes()[start] {
                        b'(' => Delimiter::Parenthesis,
                        b'[' => Delimiter::Bracket,
                        _ => Delimiter::Brace,
                    };
                    let inner = self.woven(rest.get(start + 1..end - 1).unwrap_or_default());
                    (before, after) = (&rest[..start], &rest[end..]);
                    inside = TokenTree::from(Group::new(delimiter, inner)).into();
                }
                None => {
                    let len = rest[at..].find(|c| !is_in_name(c)).unwrap_or(rest.len() - at);
                    (before, after) = (&rest[..at], &rest[at + len..]);
                    inside = self.named(&rest[at..at + len]).cloned().unwrap_or_default();
                }
            }
            out.extend([lex(before), inside]);
            rest = after;
        }
        out.extend(lex(rest));
        out
    }
}

/// Where the outermost group begins that a text leaves open.
fn open_group(text: &str) -> Option<usize> {
    let (mut depth, mut start) = (0_usize, None);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => {
                if depth == 0 {
                    start = Some(at);
                }
                depth += 1;
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    start.filter(|_| depth > 0)
}

fn lex(text: &str) -> TokenStream {
    if !text.starts_with(|c: char| c.is_ascii_digit()) && !text.is_empty() && text.chars().all(is_in_name) {
        return TokenTree::from(Ident::new(text, Span::call_site())).into();
    }
    // A body that is no Rust is a bug of the macro, which its user must learn of.
    let lexed = if proc_macro::is_available() {
        // The compiler's own lexer alone; `proc_macro2` reads the text once more.
        text.parse::<proc_macro::TokenStream>().ok().map(TokenStream::from)
    } else {
        text.parse().ok()
    };
    lexed.unwrap_or_else(|| quote!(::core::compile_error!("`#[differentiable]` printed no Rust")))
}

/// A token as names in generated code are made from it.
pub(super) enum Token<'t> {
    Ident(Cow<'t, str>),
    Punct(char),
    /// What stands between the brackets.
    Group(Cow<'t, str>),
    Literal,
}

impl From<TokenTree> for Token<'_> {
    fn from(token: TokenTree) -> Self {
        match token {
            TokenTree::Ident(ident) => Token::Ident(ident.to_string().into()),
            TokenTree::Punct(p) => Token::Punct(p.as_char()),
            TokenTree::Group(group) => Token::Group(group.stream().to_string().into()),
            TokenTree::Literal(_) => Token::Literal,
        }
    }
}

pub(super) fn is_in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The tokens of text that has no pieces, so no strings and characters either.
fn scan(text: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let len = if first.is_ascii_digit() {
            number(rest)
        } else if is_in_name(first) {
            rest.find(|c| !is_in_name(c)).unwrap_or(rest.len())
        } else if matches!(first, '(' | '[' | '{') {
            group(rest)
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(len);
        out.push(match first {
            '0'..='9' => Token::Literal,
            '(' | '[' | '{' => Token::Group(token.get(1..len - 1).unwrap_or_default().into()),
            _ if is_in_name(first) => Token::Ident(token.into()),
            _ => Token::Punct(first),
        });
        rest = after.trim_start();
    }
    out
}

/// How long the number is that a text starts with: `2_usize`, `0.5f32`, the `0` of `0.max(n)`.
fn number(text: &str) -> usize {
    let whole = text.find(|c| !is_in_name(c)).unwrap_or(text.len());
    match text[whole..].strip_prefix('.') {
        Some(part) if part.starts_with(|c: char| c.is_ascii_digit()) => {
            whole + 1 + part.find(|c| !is_in_name(c)).unwrap_or(part.len())
        }
        _ => whole,
    }
}

/// How long the group is that a text starts with.
fn group(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// A name for a nameless intermediate, from what computes it.
pub(super) fn hint(tokens: &[Token<'_>]) -> String {
    use Token::{Group, Ident, Punct};
    // `x.sin()` is `sin_x`; `a[i]` is `a_i`; a product is `product`.
    match tokens {
        [Ident(x), Punct('.'), Ident(f), Group(_)] => format!("{f}_{x}"),
        [Ident(b), Group(index)] => {
            // `p_1`, not `p_1usize`.
            let index = index.strip_suffix("_usize").unwrap_or(index);
            let index: String = index.chars().filter(|c| c.is_alphanumeric()).take(8).collect();
            format!("{b}_{index}")
        }
        // `<T as Real>::sin(x)`
        [.., Punct(':'), Ident(f), Group(args)] => {
            if super::names::is_name(args.trim()) {
                format!("{f}_{}", args.trim())
            } else {
                f.to_string()
            }
        }
        [.., Punct('.'), Ident(f), Group(_)] => f.to_string(),
        _ => {
            let has = |c: char| tokens.iter().any(|t| matches!(t, Punct(p) if *p == c));
            if has('+') || has('-') && tokens.len() > 2 {
                "sum"
            } else if has('*') {
                "product"
            } else if has('/') {
                "quotient"
            } else {
                "value"
            }
            .to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token so that two can be compared.
    fn shown(token: &Token<'_>) -> String {
        match token {
            Token::Ident(name) => format!("name {name}"),
            Token::Punct(c) => format!("punct {c}"),
            Token::Group(inner) => format!("group {}", inner.replace(char::is_whitespace, "")),
            Token::Literal => "literal".to_string(),
        }
    }

    #[test]
    fn text_is_scanned_as_it_is_lexed() {
        let texts = [
            "",
            "x",
            "x_1.sin()",
            "a[i + 1]",
            "pairs[i].0.1[j]",
            "-0.5f64 * (x - 2.0).powi(3)",
            "0.max(n) .. 1_000_usize",
            "< T as ::ad_runtime::__private::Real > ::sin(x)",
            "(if x < 0.0 { - x } else { x }) + [[0.0; 3]; 2][0][i]",
            "x.0 as usize ..= 0x1f",
        ];
        for text in texts {
            let scanned: Vec<String> = scan(text).iter().map(shown).collect();
            let lexed: Vec<String> = lex(text).into_iter().map(|token| shown(&token.into())).collect();
            assert_eq!(scanned, lexed, "{text}");
        }
    }

    #[test]
    fn pieces_come_back_wherever_they_stand() {
        let mut pieces = Pieces::default();
        let callee = pieces.add(quote!(module::f));
        let inner = pieces.add(quote!("{x}"));
        let text = format!("let y = {callee}({callee}(x), ({inner}));");
        let expected = quote!(let y = module::f(module::f(x), ("{x}")););
        assert_eq!(pieces.lex(&text).to_string(), expected.to_string());
        let text = format!(
            "while a[{inner}.len()] < 1 {{ let b = [(1, {{ {callee} }})]; f(b)[0] -= - {callee}(a); }} {callee}"
        );
        let expected = quote!(while a["{x}".len()] < 1 { let b = [(1, { module::f })]; f(b)[0] -= - module::f(a); } module::f);
        assert_eq!(pieces.lex(&text).to_string(), expected.to_string());
        assert_eq!(pieces.said(&inner), "\"{x}\"");
        assert_eq!(pieces.first_name(&callee).as_deref(), Some("module"));
        assert!(pieces.is_longer(&callee, 3) && !pieces.is_longer(&callee, 4));
    }
}
