//! Exits inside expressions: `1.0 + f(x)?`, `out[i] = if bad { return } else { .. }`, `match g()? { .. }`.
//!
//! What follows an exit is guarded statement by statement, so an expression with an exit in one of its operands is
//! rewritten into statements first: the operands up to the exit are bound to names, in the order in which they run.

use proc_macro2::Span;
use quote::quote;
use syn::spanned::Spanned;
use syn::visit::Visit;

use super::lower::{Flow, Lower};
use super::signature::{Wrapper, wrapper};
use super::value::Val;
use crate::ir::{Op, Type, Value, Verbatim};

impl Lower<'_> {
    /// The expression as a block in which exits are statements; `None` if they are already, or there are none.
    pub(super) fn hoisted(&mut self, e: &syn::Expr) -> Option<syn::Block> {
        if self.no_exits {
            return None;
        }
        let mut hoist = Hoist { asks: self.depth > 0, lets: Vec::new() };
        let leaves = match e {
            syn::Expr::Block(_)
            | syn::Expr::Closure(_)
            | syn::Expr::Loop(_)
            | syn::Expr::Lit(_)
            | syn::Expr::Path(_) => false,
            syn::Expr::If(i) => hoist.leaves(&i.cond) && !is_let_chain(&i.cond),
            syn::Expr::Match(m) => hoist.leaves(&m.expr),
            syn::Expr::ForLoop(l) => hoist.leaves(&l.expr),
            syn::Expr::While(l) => hoist.leaves(&l.cond),
            syn::Expr::Return(r) => r.expr.as_ref().is_some_and(|e| hoist.leaves(e)),
            syn::Expr::Break(b) => b.expr.as_ref().is_some_and(|e| hoist.leaves(e)),
            syn::Expr::Try(t) => hoist.leaves(&t.expr),
            other => hoist.leaves(other),
        };
        if !leaves {
            return None;
        }
        let mut e = e.clone();
        if let syn::Expr::While(l) = &e {
            let (label, cond, body) = (&l.label, &l.cond, &l.body);
            let body: syn::Expr = syn::parse_quote!(#label loop { if #cond #body else { break } });
            return Some(syn::parse_quote!({ #body }));
        }
        hoist.operands(&mut e);
        if hoist.lets.is_empty() {
            return None;
        }
        let lets = hoist.lets;
        Some(syn::parse_quote!({ #(#lets)* #e }))
    }

    /// As [`Lower::hoisted`], for what a `let .. else` takes apart: statements in front of it, and what is left.
    pub(super) fn hoisted_init(&mut self, e: &syn::Expr) -> Option<(Vec<syn::Stmt>, syn::Expr)> {
        let mut hoist = Hoist { asks: self.depth > 0, lets: Vec::new() };
        let mut e = e.clone();
        hoist.operand(&mut e);
        (!hoist.lets.is_empty()).then_some((hoist.lets, e))
    }

    /// An exit where nothing can be guarded.
    pub(super) fn misplaced_exit(&mut self, span: Span) -> (Val, Flow) {
        self.error(
            span,
            "an exit is not supported at this place of an expression",
            "bind its value by `let` in front of this",
        );
        (Val::Never, Flow::Falls)
    }

    /// `e?` in a closure or in a function that is written out where it is called.
    pub(super) fn try_inside(&mut self, t: &syn::ExprTry) -> (Val, Flow) {
        let outer = self.expected.take();
        let (val, _) = self.expr(&t.expr);
        self.expected = outer;
        let val = self.deref(val);
        let (some, value, error) = match val {
            Val::Maybe(parts) => match parts.as_slice() {
                [Val::Scalar(some), value, error] => {
                    (*some, Contents::Known(value.clone()), Contents::Known(error.clone()))
                }
                _ => return (Val::Never, Flow::Falls),
            },
            Val::Scalar(v) if !self.s.b.func.is_float(v) && !self.is_tainted(v) => self.outcome(v),
            Val::Never => return (Val::Never, Flow::Falls),
            _ => {
                self.error(
                    t.span(),
                    "this is no `Option` or `Result` that the macro can follow",
                    "test before the call",
                );
                return (Val::Never, Flow::Falls);
            }
        };
        if let Some(Op::Bool(true)) = self.s.b.constant(some) {
            return (self.contents(&value), Flow::Falls);
        }
        // The outcome itself is moved where it is taken apart.
        let kind = match &value {
            Contents::In(v, _) => {
                let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
                Some(self.pass(quote!(::ad_runtime::__private::Blank::of(&#hole)), &[*v], Type::Opaque))
            }
            Contents::Known(_) => None,
        };
        self.branch(
            some,
            t.question_token.span(),
            &mut |this| (this.contents(&value), Flow::Falls),
            &mut |this| {
                // Not all that is not there has a default.
                let blank = kind.map_or(Val::Never, |kind| Val::Scalar(this.blank(kind)));
                let error = this.contents(&error);
                let error = this.converted(error);
                let (yes, no) = (this.s.b.boolean(true), this.s.b.boolean(false));
                let (flag, slot) = (this.returned, this.return_value);
                this.set(flag, Val::Scalar(yes));
                let failure = Val::Maybe(vec![Val::Scalar(no), Val::Unset, error]);
                this.set_result(slot, &[], failure, t.span());
                (blank, Flow::Never)
            },
        )
    }

    /// Something in the place of what an outcome of this kind does not hold.
    fn blank(&mut self, kind: Value) -> Value {
        let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
        let tokens = quote!({
            use ::ad_runtime::__private::{BlankByDefault as _, BlankByReference as _};
            (&#hole).blank()
        });
        self.pass(tokens, &[kind], Type::Opaque)
    }

    /// Whether an `Option` or `Result` that the macro does not look into holds a value, the value, and the error.
    pub(super) fn outcome(&mut self, v: Value) -> (Value, Contents, Contents) {
        let (some, _, error) = self.outcome_again(v);
        let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
        (some, Contents::In(v, quote!(::ad_runtime::__private::Outcome::good(#hole))), error)
    }

    /// The same where the way back may take the value out once more: a copy of it.
    pub(super) fn outcome_again(&mut self, v: Value) -> (Value, Contents, Contents) {
        let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
        let by = quote!(::ad_runtime::__private::Outcome);
        let some = self.pass(quote!(#by::is_good(&#hole)), &[v], Type::Bool);
        let value = quote!(::core::clone::Clone::clone(#by::held(&#hole)));
        (some, Contents::In(v, value), Contents::In(v, quote!(#by::failure(#hole))))
    }

    /// What something holds, where it is known that it does.
    pub(super) fn contents(&mut self, held: &Contents) -> Val {
        match held {
            Contents::Known(val) => val.clone(),
            Contents::In(v, tokens) => Val::Scalar(self.pass(tokens.clone(), &[*v], Type::Opaque)),
        }
    }

    /// An error as `?` hands it on: of the type that the function returns.
    fn converted(&mut self, error: Val) -> Val {
        let ty = self.output.as_ref().and_then(wrapper).map(|(kind, _)| kind);
        match (ty, error) {
            (Some(Wrapper::Option), _) => Val::Unset,
            (Some(Wrapper::Result), Val::Scalar(error)) => {
                let Some(to) = self.output.as_ref().and_then(error_type) else { return Val::Scalar(error) };
                let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
                let tokens = quote!((#hole).map(<#to as ::core::convert::From<_>>::from));
                Val::Scalar(self.pass(tokens, &[error], Type::Opaque))
            }
            (_, error) => error,
        }
    }
}

/// What an `Option` or `Result` holds.
#[derive(Clone)]
pub(super) enum Contents {
    Known(Val),
    /// Taken out of data by this code, which panics if it is not there: run only where it is.
    In(Value, proc_macro2::TokenStream),
}

/// `a && let p = b`
fn is_let_chain(cond: &syn::Expr) -> bool {
    !matches!(cond, syn::Expr::Let(_)) && super::control::has_let(cond)
}

/// `E` of `Result<T, E>`
fn error_type(ty: &syn::Type) -> Option<syn::Type> {
    let syn::Type::Path(p) = ty else { return None };
    let syn::PathArguments::AngleBracketed(args) = &p.path.segments.last()?.arguments else { return None };
    let types = args.args.iter().filter_map(|a| match a {
        syn::GenericArgument::Type(t) => Some(t.clone()),
        _ => None,
    });
    types.skip(1).find(|t| !matches!(t, syn::Type::Infer(_)))
}

/// Binds operands to names.
struct Hoist {
    /// Whether `?` is an exit. In the annotated function itself it is a `return` of the generated code.
    asks: bool,
    lets: Vec<syn::Stmt>,
}

impl Hoist {
    fn leaves(&self, e: &syn::Expr) -> bool {
        let mut found = Exits { asks: self.asks, loops: 0, labels: Vec::new(), found: false };
        found.visit_expr(e);
        found.found
    }

    /// Binds an operand to a name, which takes its place.
    fn lift(&mut self, e: &mut syn::Expr) {
        let name = syn::Ident::new(&format!("__ad_operand_of_exit_{}", self.lets.len()), e.span());
        let bound = std::mem::replace(e, syn::parse_quote!(#name));
        self.lets.push(syn::parse_quote!(let #name = #bound;));
    }

    /// An operand that always runs.
    fn operand(&mut self, e: &mut syn::Expr) {
        if !self.leaves(e) {
            return;
        }
        match e {
            syn::Expr::Binary(b) if matches!(b.op, syn::BinOp::And(_) | syn::BinOp::Or(_)) => {
                if self.leaves(&b.right) {
                    // Its right side runs only sometimes.
                    let (left, right) = (&b.left, &b.right);
                    let chosen: syn::Expr = if matches!(b.op, syn::BinOp::And(_)) {
                        syn::parse_quote!(if #left { #right } else { false })
                    } else {
                        syn::parse_quote!(if #left { true } else { #right })
                    };
                    *e = chosen;
                    self.operands(e);
                    self.lift(e);
                } else {
                    self.operand(&mut b.left);
                }
            }
            syn::Expr::Paren(p) => self.operand(&mut p.expr),
            syn::Expr::Group(g) => self.operand(&mut g.expr),
            syn::Expr::If(_)
            | syn::Expr::Match(_)
            | syn::Expr::Block(_)
            | syn::Expr::Loop(_)
            | syn::Expr::While(_)
            | syn::Expr::ForLoop(_)
            | syn::Expr::Return(_)
            | syn::Expr::Break(_)
            | syn::Expr::Continue(_) => self.lift(e),
            syn::Expr::Try(_) => {
                self.operands(e);
                if self.asks {
                    self.lift(e);
                }
            }
            _ => self.operands(e),
        }
    }

    /// The operands of an expression, in the order in which they run.
    fn operands(&mut self, e: &mut syn::Expr) {
        use syn::Expr;
        if let Expr::Binary(b) = &*e
            && matches!(b.op, syn::BinOp::And(_) | syn::BinOp::Or(_))
            && self.leaves(&b.right)
        {
            return self.operand(e);
        }
        let mut list: Vec<&mut Expr> = Vec::new();
        match e {
            Expr::Binary(b) => {
                let (compound, logical) =
                    (is_compound(&b.op), matches!(b.op, syn::BinOp::And(_) | syn::BinOp::Or(_)));
                let (left, right) = (&mut *b.left, &mut *b.right);
                if logical {
                    list.push(left);
                } else if compound {
                    list.extend([right, left]);
                } else {
                    list.extend([left, right]);
                }
            }
            Expr::Assign(a) => list.extend([&mut *a.right, &mut *a.left]),
            Expr::Unary(u) => list.push(&mut u.expr),
            Expr::Paren(p) => list.push(&mut p.expr),
            Expr::Group(g) => list.push(&mut g.expr),
            Expr::Cast(c) => list.push(&mut c.expr),
            Expr::Field(f) => list.push(&mut f.base),
            Expr::Reference(r) => list.push(&mut r.expr),
            Expr::Try(t) => list.push(&mut t.expr),
            Expr::Index(i) => list.extend([&mut *i.expr, &mut *i.index]),
            Expr::MethodCall(m) => {
                list.push(&mut m.receiver);
                list.extend(m.args.iter_mut());
            }
            Expr::Call(c) => list.extend(c.args.iter_mut()),
            Expr::Tuple(t) => list.extend(t.elems.iter_mut()),
            Expr::Array(a) => list.extend(a.elems.iter_mut()),
            Expr::Repeat(r) => list.push(&mut r.expr),
            Expr::Struct(s) => {
                list.extend(s.fields.iter_mut().map(|f| &mut f.expr));
                list.extend(s.rest.as_deref_mut());
            }
            Expr::Range(r) => list.extend(r.start.iter_mut().chain(r.end.iter_mut()).map(|e| &mut **e)),
            // What control flow asks first.
            Expr::If(i) => match &mut *i.cond {
                Expr::Let(l) => list.push(&mut l.expr),
                cond => list.push(cond),
            },
            Expr::Match(m) => list.push(&mut m.expr),
            Expr::ForLoop(l) => list.push(&mut l.expr),
            Expr::Return(r) => list.extend(r.expr.as_deref_mut()),
            Expr::Break(b) => list.extend(b.expr.as_deref_mut()),
            _ => {}
        }
        let Some(last) = list.iter().rposition(|e| self.leaves(e)) else { return };
        for (k, operand) in list.into_iter().take(last + 1).enumerate() {
            if self.leaves(operand) {
                self.operand(operand);
            } else if k < last && acts(operand) {
                // It has run by the time of the exit.
                self.lift(operand);
            }
        }
    }
}

fn is_compound(op: &syn::BinOp) -> bool {
    use syn::BinOp;
    matches!(
        op,
        BinOp::AddAssign(_)
            | BinOp::SubAssign(_)
            | BinOp::MulAssign(_)
            | BinOp::DivAssign(_)
            | BinOp::RemAssign(_)
    )
}

/// Whether an expression may do something, or give another value later.
fn acts(e: &syn::Expr) -> bool {
    struct Acts(bool);
    impl Visit<'_> for Acts {
        fn visit_expr(&mut self, e: &syn::Expr) {
            self.0 |= matches!(
                e,
                syn::Expr::MethodCall(_) | syn::Expr::Call(_) | syn::Expr::Macro(_) | syn::Expr::Assign(_)
            );
            if !matches!(e, syn::Expr::Closure(_)) {
                syn::visit::visit_expr(self, e);
            }
        }
    }
    let mut found = Acts(false);
    found.visit_expr(e);
    found.0
}

/// Looks for ways out of an expression.
struct Exits {
    asks: bool,
    /// Loops inside it that are around what is looked at.
    loops: usize,
    labels: Vec<syn::Ident>,
    found: bool,
}

impl Exits {
    fn within(&mut self, label: Option<&syn::Label>, is_loop: bool, f: impl FnOnce(&mut Self)) {
        self.labels.extend(label.map(|l| l.name.ident.clone()));
        self.loops += usize::from(is_loop);
        f(self);
        self.loops -= usize::from(is_loop);
        if label.is_some() {
            self.labels.pop();
        }
    }

    fn jump(&mut self, label: Option<&syn::Lifetime>) {
        self.found |= match label {
            Some(label) => !self.labels.contains(&label.ident),
            None => self.loops == 0,
        };
    }
}

impl Visit<'_> for Exits {
    fn visit_expr(&mut self, e: &syn::Expr) {
        match e {
            // Code of its own.
            syn::Expr::Closure(_) | syn::Expr::Async(_) => {}
            syn::Expr::Return(_) => self.found = true,
            syn::Expr::Try(t) => {
                self.found |= self.asks;
                self.visit_expr(&t.expr);
            }
            syn::Expr::Break(b) => {
                self.jump(b.label.as_ref());
                syn::visit::visit_expr(self, e);
            }
            syn::Expr::Continue(c) => self.jump(c.label.as_ref()),
            syn::Expr::Loop(l) => self.within(l.label.as_ref(), true, |this| this.visit_block(&l.body)),
            syn::Expr::While(l) => {
                // A condition belongs to what is around the loop only where it is not yet in it.
                self.within(l.label.as_ref(), true, |this| {
                    this.visit_expr(&l.cond);
                    this.visit_block(&l.body);
                });
            }
            syn::Expr::ForLoop(l) => {
                self.visit_expr(&l.expr);
                self.within(l.label.as_ref(), true, |this| this.visit_block(&l.body));
            }
            syn::Expr::Block(b) => self.within(b.label.as_ref(), false, |this| this.visit_block(&b.block)),
            _ => syn::visit::visit_expr(self, e),
        }
    }

    fn visit_item(&mut self, _: &syn::Item) {}
}
