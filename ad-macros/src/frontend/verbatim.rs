//! Rust that is passed through: its local variables become operands, all else stays as it is.

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::quote;
use rustc_hash::FxHashSet as HashSet;
use syn::visit::Visit;
use syn::visit_mut::VisitMut;

use super::lower::{Flow, Lower};
use super::value::Val;
use crate::ir::{Buffer, InstKind, Op, Value, Verbatim};

/// What is said where an iterator is used that a loop has run.
pub(super) const SPENT: (&str, &str) = (
    "this iterator has been run before: what is left of it, the macro does not see",
    "make the iterator again, or run over a copy of it: `for v in it.clone()`",
);

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
        self.find_operands(tokens, span, false)
    }

    /// As [`Lower::verbatim_operands`] of a statement without value: it runs once, and may change cells.
    pub(super) fn effect_operands(&mut self, tokens: TokenStream, span: Span) -> Option<Found> {
        let rounds = std::mem::take(&mut self.rounds);
        let found = self.verbatim_operands(tokens, span);
        self.rounds = rounds;
        found
    }

    /// Whether code could be passed through: nothing active is in it, and nothing that exists only while lowering.
    pub(super) fn is_passive(&mut self, tokens: TokenStream) -> bool {
        self.find_operands(tokens, Span::call_site(), true).is_some_and(|found| !found.tainted)
    }

    fn find_operands(&mut self, tokens: TokenStream, span: Span, quiet: bool) -> Option<Found> {
        let mut bound = Bound::default();
        let mut tokens = tokens;
        if let Ok(mut expr) = syn::parse2::<syn::Expr>(tokens.clone()) {
            // `P { x }` is `P { x: x }`: the value may go by another name here.
            let mut shorthand = Shorthand(false);
            shorthand.visit_expr_mut(&mut expr);
            if shorthand.0 {
                tokens = quote!(#expr);
            }
            bound.visit_expr(&expr);
            if !quiet && self.changes_in_place(&expr, span) {
                return None;
            }
            // A closure's parameter may have the name of a variable, which is used beside the closure.
            let clashes: HashSet<String> =
                bound.names.iter().filter(|name| self.lookup(name).is_some()).cloned().collect();
            if !clashes.is_empty() {
                Rename { clashes }.visit_expr_mut(&mut expr);
                tokens = quote!(#expr);
                bound = Bound::default();
                bound.visit_expr(&expr);
            }
        }
        // What still has the name of something active, in a block or a `match`, is not looked through.
        let hides = bound.names.iter().any(|name| {
            let val = self.lookup(name).map(|var| self.s.vars[var].val.clone());
            val.is_some_and(|val| self.val_tainted(&val))
        });
        if hides && quiet {
            return None;
        }
        let mut fill = Fill {
            lower: self,
            span,
            quiet,
            bound: bound.names,
            args: Vec::new(),
            buffers: Vec::new(),
            tainted: false,
            failed: false,
        };
        let tokens = fill.stream(tokens);
        let Fill { args, buffers, tainted, failed, .. } = fill;
        (!failed).then_some(Found { verbatim: Verbatim::new(tokens, buffers), args, tainted })
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
        let Some(found) = self.effect_operands(quote!(#mac), span) else { return Flow::Falls };
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

/// Writes out the fields of struct expressions that stand for a field and a variable, and notes whether there are any.
struct Shorthand(bool);

impl VisitMut for Shorthand {
    fn visit_field_value_mut(&mut self, field: &mut syn::FieldValue) {
        if field.colon_token.is_none() {
            field.colon_token = Some(syn::Token![:](Span::call_site()));
            self.0 = true;
        }
        syn::visit_mut::visit_field_value_mut(self, field);
    }
}

/// Gives the parameters of closures names of their own.
struct Rename {
    clashes: HashSet<String>,
}

impl VisitMut for Rename {
    fn visit_expr_closure_mut(&mut self, c: &mut syn::ExprClosure) {
        syn::visit_mut::visit_expr_closure_mut(self, c);
        let mut own = Bound::default();
        c.inputs.iter().for_each(|p| own.visit_pat(p));
        own.names.retain(|name| self.clashes.contains(name));
        if !own.names.is_empty()
            && let Ok(renamed) = syn::parse2(renamed(quote!(#c), &own.names))
        {
            *c = renamed;
        }
    }
}

/// Tokens with other names for these variables.
fn renamed(tokens: TokenStream, names: &HashSet<String>) -> TokenStream {
    let list: Vec<TokenTree> = tokens.into_iter().collect();
    let mut out = TokenStream::new();
    for (i, token) in list.iter().enumerate() {
        match token {
            TokenTree::Ident(ident) if is_variable(&list, i) && names.contains(&ident.to_string()) => {
                out.extend([TokenTree::Ident(Ident::new(&format!("__ad_own_{ident}"), ident.span()))]);
            }
            TokenTree::Group(group) => {
                let mut filled = Group::new(group.delimiter(), renamed(group.stream(), names));
                filled.set_span(group.span());
                out.extend([TokenTree::Group(filled)]);
            }
            other => out.extend([other.clone()]),
        }
    }
    out
}

struct Fill<'a, 'b> {
    lower: &'a mut Lower<'b>,
    span: Span,
    /// Only a question: nothing is reported.
    quiet: bool,
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
        let mut i = 0;
        while i < list.len() {
            let at = i;
            i += 1;
            match &list[at] {
                // `*k` of an element that was loaded: the macro holds the number itself.
                TokenTree::Punct(star) if star.as_char() == '*' && self.is_of_a_number(&list, at) => {}
                TokenTree::Ident(ident)
                    if is_variable(&list, at) && !self.bound.contains(&ident.to_string()) =>
                {
                    match self.lower.lookup(&ident.to_string()) {
                        Some(var) => {
                            let mut val = self.lower.s.vars[var].val.clone();
                            self.refuse_cells(&list, at, &val);
                            while let Val::RefMut(to, path) = &val {
                                val = super::loops::part(&mut self.lower.s.vars[*to].val, path).clone();
                            }
                            // Of a struct or tuple, the field that is meant.
                            while let Some(part) = field_at(&list, i, &val) {
                                val = part;
                                i += 2;
                            }
                            if let Some(TokenTree::Ident(name)) = list.get(i + 1)
                                && matches!(&list[i], TokenTree::Punct(dot) if dot.as_char() == '.')
                            {
                                self.lower.want_field(&val, &syn::Member::Named(name.clone()));
                            }
                            if let Some(name) = self.means_elements(&list, i, &val) {
                                self.refuse(
                                    ident.span(),
                                    format!("in code that the macro does not look into, `{name}` of a matrix is one of rows"),
                                    "ask for it in a `let` in front of this",
                                );
                            }
                            out.extend(self.operand(&val, ident.span()));
                        }
                        None => out.extend([list[at].clone()]),
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

    fn refuse_cells(&mut self, list: &[TokenTree], at: usize, val: &Val) {
        if let (false, Some(name)) = (self.quiet, self.lower.cell_changed(list, at, val)) {
            self.refuse(
                list[at].span(),
                format!("the `{name}` in this may change, and the way back through the loop would see another value"),
                "let a function of its own collect what it gives into a vector, and call that in front of the loop",
            );
        }
    }

    /// The method of a matrix that stands behind it, if it is another one of the rows in which the macro keeps it.
    fn means_elements(&self, list: &[TokenTree], at: usize, val: &Val) -> Option<String> {
        let (Val::View(view), Some(TokenTree::Punct(dot)), Some(TokenTree::Ident(name))) =
            (val, list.get(at), list.get(at + 1))
        else {
            return None;
        };
        let local = self.lower.s.b.func.buffer(view.buffer).storage == crate::ir::Storage::Local;
        let matrix = self.lower.rank(view) == 2 && !self.lower.is_plain(view);
        // The others have other types too: rustc sees them.
        (dot.as_char() == '.' && local && matrix && name == "len").then(|| name.to_string())
    }

    /// Whether a `*` stands before, and not between, operands, and what follows is a number loaded from a buffer.
    fn is_of_a_number(&self, list: &[TokenTree], at: usize) -> bool {
        let before = at == 0 || matches!(list[at - 1], TokenTree::Punct(_));
        let Some(TokenTree::Ident(ident)) = list.get(at + 1) else { return false };
        before
            && is_variable(list, at + 1)
            && !self.bound.contains(&ident.to_string())
            && self.lower.lookup(&ident.to_string()).is_some_and(|var| match self.lower.s.vars[var].val {
                Val::Scalar(v) => self.lower.s.loaded.contains(&v),
                _ => false,
            })
    }

    fn refuse(&mut self, span: Span, what: impl std::fmt::Display, instead: impl std::fmt::Display) {
        self.failed = true;
        if !self.quiet {
            self.lower.error(span, what, instead);
        }
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
                if self.lower.s.held.contains(v) { quote!((*#hole)) } else { quote!(#hole) }
            }
            Val::View(view) => {
                let view = &if self.quiet { view.clone() } else { self.lower.without_window(view) };
                self.tainted |= self.lower.s.tainted_buffers.contains(&view.buffer);
                if self.lower.s.b.func.buffer(view.buffer).field.is_some() {
                    self.refuse(
                        span,
                        "the macro keeps this in parts: code that it does not look into cannot use it",
                        "pass numbers or slices to it",
                    );
                    return TokenStream::new();
                }
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
            Val::Struct(fields, _) if fields.opened.is_some() => {
                self.refuse(
                    span,
                    "fields of this struct are changed here: code that the macro does not look into cannot use it as a whole",
                    "write all its fields out where it is made (`Car { x: 0.0, speed: 1.0 }`), or pass fields",
                );
                TokenStream::new()
            }
            Val::Struct(fields, list) => {
                let parts: Vec<TokenStream> = list.iter().map(|v| self.operand(v, span)).collect();
                let (path, names) = (super::records::constructor(&fields.path), &fields.names);
                if names.first().is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit())) {
                    quote!(#path(#(#parts),*))
                } else {
                    let names = names.iter().map(|n| Ident::new(n, Span::call_site()));
                    quote!(#path { #(#names: #parts),* })
                }
            }
            Val::Closure(c) if c.is_fn => c.tokens.clone(),
            Val::Closure(c) => {
                let c = c.clone();
                let scopes = std::mem::replace(&mut self.lower.scopes, c.scopes.clone());
                let mut bound = Bound::default();
                c.params.iter().for_each(|p| bound.visit_pat(p));
                bound.visit_expr(&c.body);
                let outer = std::mem::replace(&mut self.bound, bound.names);
                let tokens = self.stream(c.tokens.clone());
                self.bound = outer;
                self.lower.scopes = scopes;
                quote!((#tokens))
            }
            Val::RefMut(var, path) => {
                let val = super::loops::part(&mut self.lower.s.vars[*var].val, path).clone();
                self.operand(&val, span)
            }
            Val::Maybe(parts) if !matches!(parts[1], Val::View(_)) => {
                let Val::Scalar(some) = parts[0] else { return TokenStream::new() };
                let known = match self.lower.s.b.constant(some) {
                    Some(Op::Bool(known)) => Some(known),
                    _ => None,
                };
                let none = quote!(::core::option::Option::None);
                if known == Some(false) || parts[1] == Val::Unset {
                    return none;
                }
                let value = self.operand(&parts[1], span);
                if known == Some(true) {
                    return quote!(::core::option::Option::Some(#value));
                }
                let some = self.hole(some);
                quote!((if #some { ::core::option::Option::Some(#value) } else { #none }))
            }
            Val::Columns(_) | Val::Ragged(_) | Val::Iter(_) | Val::Maybe(_) | Val::Order(..) => {
                self.tainted |= self.lower.val_tainted(val);
                self.refuse(
                    span,
                    "the macro keeps this in parts: code that it does not look into cannot use it",
                    "pass numbers or slices to it",
                );
                TokenStream::new()
            }
            // An error has been reported where it came from.
            Val::Never | Val::Vacant(_) => {
                self.failed = true;
                TokenStream::new()
            }
            Val::Unset => {
                self.refuse(span, "this variable is not set here", "give it a value where it is declared");
                TokenStream::new()
            }
            Val::Spent => {
                self.refuse(span, SPENT.0, SPENT.1);
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
                        self.refuse(
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

/// The field that `.name` at `i` takes of a struct or tuple.
fn field_at(list: &[TokenTree], i: usize, val: &Val) -> Option<Val> {
    let (Some(TokenTree::Punct(dot)), Some(name)) = (list.get(i), list.get(i + 1)) else { return None };
    if dot.as_char() != '.' {
        return None;
    }
    let member: syn::Member = syn::parse2(name.clone().into()).ok()?;
    // A method's name is none.
    let called =
        matches!(list.get(i + 2), Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis);
    let k = val.field(&member).filter(|_| !called)?;
    val.parts().map(|parts| parts[k].clone())
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
