//! Rust that is passed through: its local variables become operands, all else stays as it is.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::quote;
use syn::visit::Visit;

use super::lower::{Flow, Lower, Val};
use crate::ir::{Buffer, InstKind, Op, Value, Verbatim};

/// Verbatim code with its operands.
pub(super) struct Found {
    pub(super) verbatim: Verbatim,
    pub(super) args: Vec<Value>,
    pub(super) tainted: bool,
}

/// Whether a macro never returns.
pub(super) fn is_exit(mac: &syn::Macro) -> bool {
    ["panic", "unreachable", "todo", "unimplemented"].iter().any(|m| last(mac) == *m)
}

fn last(mac: &syn::Macro) -> String {
    mac.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default()
}

impl Lower<'_> {
    /// Finds the local variables in a piece of code. `None` after an error.
    pub(super) fn verbatim_operands(&mut self, tokens: TokenStream, span: Span) -> Option<Found> {
        let mut bound = Bound::default();
        if let Ok(expr) = syn::parse2::<syn::Expr>(tokens.clone()) {
            bound.visit_expr(&expr);
        }
        let mut fill = Fill {
            lower: self,
            span,
            bound: bound.names,
            args: Vec::new(),
            buffers: Vec::new(),
            tainted: false,
            failed: false,
        };
        let tokens = fill.stream(tokens);
        let Fill { args, buffers, tainted, failed, .. } = fill;
        (!failed).then_some(Found { verbatim: Verbatim { tokens, buffers }, args, tainted })
    }

    /// An expression that the macro does not look into: an error if something active is in it.
    pub(super) fn verbatim(&mut self, tokens: TokenStream, span: Span, what: &str, instead: &str) -> Val {
        match self.verbatim_operands(tokens, span) {
            Some(found) if !found.tainted => {
                let v = self.s.b.op(Op::Verbatim(found.verbatim), &found.args);
                Val::Scalar(v)
            }
            Some(_) => {
                self.error(span, what, instead);
                Val::Never
            }
            None => Val::Never,
        }
    }

    /// A macro as a statement.
    pub(super) fn macro_stmt(&mut self, mac: &syn::Macro) -> Flow {
        const PASSED: [&str; 10] = [
            "assert",
            "assert_eq",
            "assert_ne",
            "debug_assert",
            "debug_assert_eq",
            "debug_assert_ne",
            "println",
            "print",
            "eprintln",
            "eprint",
        ];
        let span = syn::spanned::Spanned::span(&mac.path);
        let Some(found) = self.verbatim_operands(quote!(#mac), span) else { return Flow::Falls };
        if is_exit(mac) {
            self.s.b.effect(InstKind::Effect(found.verbatim, found.args));
            self.s.b.current().diverges = true;
            return Flow::Never;
        }
        if PASSED.contains(&last(mac).as_str()) || !found.tainted {
            self.s.b.effect(InstKind::Effect(found.verbatim, found.args));
        } else {
            self.error(
                span,
                format!("the macro does not know what `{}!` does with an active value", last(mac)),
                "write the code out, or move it into a `#[differentiable]` function",
            );
        }
        Flow::Falls
    }
}

/// Names that code binds itself: closure parameters, patterns.
#[derive(Default)]
struct Bound {
    names: HashSet<String>,
}

impl Visit<'_> for Bound {
    fn visit_pat_ident(&mut self, p: &syn::PatIdent) {
        self.names.insert(p.ident.to_string());
        syn::visit::visit_pat_ident(self, p);
    }
}

struct Fill<'a, 'b> {
    lower: &'a mut Lower<'b>,
    span: Span,
    bound: HashSet<String>,
    args: Vec<Value>,
    buffers: Vec<Buffer>,
    tainted: bool,
    failed: bool,
}

impl Fill<'_, '_> {
    fn stream(&mut self, tokens: TokenStream) -> TokenStream {
        let list: Vec<TokenTree> = tokens.into_iter().collect();
        let mut out = TokenStream::new();
        for i in 0..list.len() {
            match &list[i] {
                TokenTree::Ident(ident)
                    if is_variable(&list, i) && !self.bound.contains(&ident.to_string()) =>
                {
                    match self.lower.lookup(&ident.to_string()) {
                        Some(var) => {
                            let val = self.lower.s.vars[var].val.clone();
                            out.extend(self.operand(&val, ident.span()));
                        }
                        None => out.extend([list[i].clone()]),
                    }
                }
                TokenTree::Group(group) => {
                    let mut filled = Group::new(group.delimiter(), self.stream(group.stream()));
                    filled.set_span(group.span());
                    out.extend([TokenTree::Group(filled)]);
                }
                TokenTree::Literal(literal) => out.extend([TokenTree::Literal(self.captures(literal))]),
                other => out.extend([other.clone()]),
            }
        }
        out
    }

    fn hole(&mut self, v: Value) -> Ident {
        self.tainted |= self.lower.is_tainted(v);
        let at = if let Some(at) = self.args.iter().position(|a| *a == v) {
            at
        } else {
            self.args.push(v);
            self.args.len() - 1
        };
        Ident::new(&Verbatim::hole(at), Span::call_site())
    }

    fn operand(&mut self, val: &Val, span: Span) -> TokenStream {
        match val {
            Val::Scalar(v) => {
                let hole = self.hole(*v);
                quote!(#hole)
            }
            Val::View(view) => {
                self.tainted |= self.lower.s.tainted_buffers.contains(&view.buffer);
                let at = if let Some(at) = self.buffers.iter().position(|b| *b == view.buffer) {
                    at
                } else {
                    self.buffers.push(view.buffer);
                    self.buffers.len() - 1
                };
                let buffer = Ident::new(&Verbatim::buffer_hole(at), Span::call_site());
                let prefix: Vec<Ident> = view.prefix.iter().map(|v| self.hole(*v)).collect();
                let range = view.range.map(|(start, len)| {
                    let (start, len) = (self.hole(start), self.hole(len));
                    quote!([#start..][..#len])
                });
                if prefix.is_empty() && range.is_none() {
                    // The buffer of a `let r = &local` is the local itself.
                    let data = self.lower.s.b.func.buffer(view.buffer);
                    let is_reference =
                        matches!(data.storage, crate::ir::Storage::Shared | crate::ir::Storage::Output);
                    return if view.by_ref && !is_reference { quote!((&#buffer)) } else { quote!(#buffer) };
                }
                let place = quote!(#buffer #([#prefix])* #range);
                let inner = if view.by_ref { quote!(&#place) } else { place };
                TokenTree::Group(Group::new(Delimiter::Parenthesis, inner)).into()
            }
            Val::Tuple(list) => {
                let parts: Vec<TokenStream> = list.iter().map(|v| self.operand(v, span)).collect();
                quote!((#(#parts,)*))
            }
            // An error has been reported where it came from.
            Val::Never => {
                self.failed = true;
                TokenStream::new()
            }
            Val::Unset => {
                self.failed = true;
                self.lower.error(
                    span,
                    "this variable is not set here",
                    "give it a value where it is declared",
                );
                TokenStream::new()
            }
        }
    }

    /// Captures in format strings: `"{x}"`, `"{x:?}"`.
    fn captures(&mut self, literal: &Literal) -> Literal {
        let text = literal.to_string();
        if !text.starts_with('"') || !text.contains('{') {
            return literal.clone();
        }
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find('{') {
            out.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
            if rest.starts_with('{') {
                out.push('{');
                rest = &rest[1..];
                continue;
            }
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let name = &rest[..end];
            let ends = rest[end..].starts_with([':', '}']);
            match self.lower.lookup(name).map(|var| self.lower.s.vars[var].val.clone()) {
                Some(Val::Scalar(v)) if ends => out.push_str(&self.hole(v).to_string()),
                Some(val @ Val::View(_)) if ends => {
                    let tokens = self.operand(&val, self.span).to_string();
                    if tokens.starts_with(|c: char| c.is_alphabetic() || c == '_') && !tokens.contains(' ') {
                        out.push_str(&tokens);
                    } else {
                        self.failed = true;
                        self.lower.error(
                            self.span,
                            format!("`{name}` is captured in a format string"),
                            "pass it as an argument: `\"{:?}\", name`",
                        );
                    }
                }
                _ => out.push_str(name),
            }
            rest = &rest[end..];
        }
        out.push_str(rest);
        match out.parse::<Literal>() {
            Ok(mut new) => {
                new.set_span(literal.span());
                new
            }
            Err(_) => literal.clone(),
        }
    }
}

/// Whether the identifier at `i` can name a variable: not a field, method, path segment or field name.
fn is_variable(list: &[TokenTree], i: usize) -> bool {
    let punct = |k: Option<usize>, c: char| {
        k.and_then(|k| list.get(k)).is_some_and(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == c))
    };
    let before = |n: usize| i.checked_sub(n);
    if punct(before(1), '.') && !punct(before(2), '.') {
        return false;
    }
    // `path::segment` on either side; `a ? b : c` does not exist, and a single `:` follows field names.
    if punct(before(1), ':') && punct(before(2), ':') {
        return false;
    }
    !(punct(Some(i + 1), ':'))
}
