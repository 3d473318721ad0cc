//! Verbatim Rust with its holes filled, also in the captures of format strings; what of it borrows what fills them.

use proc_macro2::{Group, Literal, TokenStream, TokenTree};

/// Whether code has `&` in front of a name, with `mut` or without.
pub(super) fn borrows(tokens: TokenStream, name: &str) -> bool {
    let mut behind_and = false;
    tokens.into_iter().any(|token| {
        let (found, next) = match token {
            TokenTree::Group(group) => (borrows(group.stream(), name), false),
            TokenTree::Ident(ident) => (behind_and && ident == name, behind_and && ident == "mut"),
            TokenTree::Punct(p) => (false, p.as_char() == '&'),
            TokenTree::Literal(_) => (false, false),
        };
        behind_and = next;
        found
    })
}

/// Whether an expression makes a new value, which lives to the end of the statement that it stands in: all but names, parts of
/// what is named, and literals.
pub(super) fn is_temporary(tokens: TokenStream) -> bool {
    fn makes(e: &syn::Expr) -> bool {
        match e {
            syn::Expr::Path(_) | syn::Expr::Lit(_) => false,
            syn::Expr::Unary(u) => !matches!(u.op, syn::UnOp::Deref(_)),
            syn::Expr::Paren(p) => makes(&p.expr),
            syn::Expr::Group(g) => makes(&g.expr),
            syn::Expr::Field(f) => makes(&f.base),
            syn::Expr::Index(i) => makes(&i.expr),
            _ => true,
        }
    }
    syn::parse2::<syn::Expr>(tokens).is_ok_and(|e| makes(&e))
}

/// Whether an expression is a reference to such a value, which a `let` of its own keeps.
pub(super) fn is_borrowed(tokens: TokenStream) -> bool {
    let Ok(syn::Expr::Reference(r)) = syn::parse2::<syn::Expr>(tokens) else { return false };
    let mut of = &*r.expr;
    while let syn::Expr::Paren(p) = of {
        of = &p.expr;
    }
    is_temporary(quote::quote!(#of))
}

/// Replaces identifiers that `hole` knows; in string literals, `{hole}` and `{hole:..}`.
pub(super) fn fill(tokens: TokenStream, hole: &dyn Fn(&str) -> Option<TokenStream>) -> TokenStream {
    let mut out: Vec<TokenTree> = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => match hole(&ident.to_string()) {
                Some(with) => out.extend(with),
                // A float in the place of a type parameter.
                None if ident == "__ad_f64" => out.extend(quote::quote!(f64)),
                None if ident == "__ad_f32" => out.extend(quote::quote!(f32)),
                None => out.push(ident.into()),
            },
            TokenTree::Group(group) => {
                let mut filled = Group::new(group.delimiter(), fill(group.stream(), hole));
                filled.set_span(group.span());
                out.push(filled.into());
            }
            TokenTree::Literal(literal) => out.push(in_literal(literal, hole).into()),
            other => out.push(other),
        }
    }
    out.into_iter().collect()
}

fn in_literal(literal: Literal, hole: &dyn Fn(&str) -> Option<TokenStream>) -> Literal {
    let text = literal.to_string();
    if !text.contains("{__ad_") {
        return literal;
    }
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("{__ad_") {
        out.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        match hole(&rest[..end]) {
            Some(with) => out.push_str(&with.to_string()),
            None => out.push_str(&rest[..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    match out.parse::<Literal>() {
        Ok(mut new) => {
            new.set_span(literal.span());
            new
        }
        Err(_) => literal,
    }
}
