//! `Option` and `Result`: inside the function a bool and a value; at its end `return None` and `return Err(..)` as they
//! are, and the value itself, which generated functions wrap again.

use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;

use super::exits::Contents;
use super::iterators::Callee;
use super::lower::{Flow, Lower};
use super::signature::Wrapper;
use super::value::Val;
use crate::ir::{InstKind, Op, Type, Value, Verbatim};

impl Lower<'_> {
    /// `answer.map(|k| ..)` of an option that is data, where what the closure gives is active: a `match`. rustc checks that it is
    /// an option.
    pub(super) fn option_of_data(&mut self, e: &syn::ExprMethodCall) -> Option<Val> {
        let declared = self.declared(&e.receiver);
        self.option_declared(e, declared)
    }

    /// The same of a value that a call gives: `find(k).map(|s| s * x)`.
    pub(super) fn option_of_call(&mut self, v: Value, e: &syn::ExprMethodCall) -> Option<Val> {
        let declared = self.declared(&e.receiver).or_else(|| match &*e.receiver {
            syn::Expr::Call(c) => match &*c.func {
                syn::Expr::Path(p) => Some(self.returned_here(&p.path)?.0),
                _ => None,
            },
            _ => None,
        });
        if is_result(declared.as_ref())
            && let ("map" | "and_then", Some(f)) = (e.method.to_string().as_str(), e.args.first())
        {
            return self.result_of_call(v, f, e);
        }
        let mut e = e.clone();
        e.receiver = syn::parse_quote!(__ad_option);
        self.scoped(|this| {
            let var = this.new_var("__ad_option", false, Val::Scalar(v));
            this.declare("__ad_option", var);
            this.option_declared(&e, declared)
        })
    }

    /// `read(k).map(|s| s * x)` of a `Result`, whose error goes on as it is.
    fn result_of_call(&mut self, v: Value, f: &syn::Expr, e: &syn::ExprMethodCall) -> Option<Val> {
        let f = self.callee(f)?;
        let (span, wraps) = (e.method.span(), e.method == "map");
        let (good, value, error) = self.outcome(v);
        // Taken out once: what is in it may be moved.
        let (held, _) = self.branch(
            good,
            span,
            &mut |this| (Val::Tuple(vec![this.contents(&value), Val::Unset]), Flow::Falls),
            &mut |this| (Val::Tuple(vec![Val::Unset, this.contents(&error)]), Flow::Falls),
        );
        let Val::Tuple(held) = held else { return Some(Val::Never) };
        let (val, _) = self.branch(
            good,
            span,
            &mut |this| {
                let val = this.apply(&f, vec![held[0].clone()]);
                let yes = this.s.b.boolean(true);
                let val = if wraps { Val::Maybe(vec![Val::Scalar(yes), val, Val::Unset]) } else { val };
                (val, Flow::Falls)
            },
            &mut |this| {
                let no = this.s.b.boolean(false);
                (Val::Maybe(vec![Val::Scalar(no), Val::Unset, held[1].clone()]), Flow::Falls)
            },
        );
        Some(val)
    }

    fn option_declared(&mut self, e: &syn::ExprMethodCall, declared: Option<syn::Type>) -> Option<Val> {
        let args: Vec<&syn::Expr> = e.args.iter().collect();
        let name = e.method.to_string();
        if !matches!(declared, None | Some(syn::Type::Path(_))) {
            return None;
        }
        let of_result = is_result(declared.as_ref());
        let (other, f): (syn::Expr, _) = match (name.as_str(), args.as_slice()) {
            ("map" | "and_then", [f]) if !of_result => (syn::parse_quote!(None), *f),
            ("map_or", [other, f]) => ((*other).clone(), *f),
            ("map_or_else", [other, f]) if !of_result => {
                let syn::Expr::Closure(c) = other else { return None };
                ((*c.body).clone(), *f)
            }
            _ => return None,
        };
        let (pat, body): (syn::Pat, syn::Expr) = match f {
            syn::Expr::Closure(c) => (c.inputs.first()?.clone(), (*c.body).clone()),
            syn::Expr::Path(p) => (syn::parse_quote!(__ad_item), syn::parse_quote!(#p(__ad_item))),
            _ => return None,
        };
        let body: syn::Expr = if name == "map" { syn::parse_quote!(Some(#body)) } else { body };
        let receiver = &e.receiver;
        let all: syn::Expr = if of_result {
            syn::parse_quote!(match #receiver { Ok(#pat) => #body, Err(_) => #other })
        } else {
            syn::parse_quote!(match #receiver { Some(#pat) => #body, None => #other })
        };
        Some(self.expr(&all).0)
    }

    /// Whether there is a value, and the value.
    pub(super) fn maybe(&mut self, val: Val, span: Span) -> (Value, Contents) {
        match val {
            Val::Maybe(parts) => match parts.as_slice() {
                // `None` so far, as in the first round of a loop: code for `Some` does not run.
                [Val::Scalar(some), Val::Unset, ..]
                    if matches!(self.s.b.constant(*some), Some(Op::Bool(false))) =>
                {
                    (*some, Contents::Known(Val::Never))
                }
                [Val::Scalar(some), value, ..] => (*some, Contents::Known(value.clone())),
                _ => (self.s.b.boolean(false), Contents::Known(Val::Never)),
            },
            Val::Scalar(v) if !self.s.b.func.is_float(v) => {
                // An option that the macro does not look into.
                let (some, value, _) = self.outcome_again(v);
                (some, value)
            }
            Val::Never => (self.s.b.boolean(false), Contents::Known(Val::Never)),
            _ => {
                self.error(span, "an `Option` is wanted here", "give `Some(..)` or `None`");
                (self.s.b.boolean(false), Contents::Known(Val::Never))
            }
        }
    }

    /// Rust that is passed through, with operands in its holes.
    pub(super) fn pass(&mut self, tokens: proc_macro2::TokenStream, args: &[Value], ty: Type) -> Value {
        self.s.b.op_typed(Op::Verbatim(Verbatim::new(tokens, Vec::new())), args, ty)
    }

    /// `Some(x)`, `Ok(x)`, `None`, `Err(e)` as a value; `None` if the expression is none of them.
    pub(super) fn variant(&mut self, e: &syn::Expr) -> Option<Val> {
        match e {
            syn::Expr::Path(p) if is(&p.path, "None") => {
                let no = self.s.b.boolean(false);
                Some(Val::Maybe(vec![Val::Scalar(no), Val::Unset, Val::Unset]))
            }
            syn::Expr::Call(c) => {
                let syn::Expr::Path(p) = &*c.func else { return None };
                if (is(&p.path, "Some") || is(&p.path, "Ok")) && c.args.len() == 1 {
                    // What is not active stays one piece of Rust: it may go where an `Option` is wanted.
                    let outer = self.expected.clone();
                    self.expected =
                        outer.as_ref().and_then(super::signature::wrapper).map(|(_, ty)| ty.clone());
                    let val = self.expr(&c.args[0]).0;
                    self.expected = outer;
                    let yes = self.s.b.boolean(true);
                    return Some(Val::Maybe(vec![Val::Scalar(yes), val, Val::Unset]));
                }
                if is(&p.path, "Err") && c.args.len() == 1 {
                    let no = self.s.b.boolean(false);
                    let error = self.error_value(&c.args[0]);
                    return Some(Val::Maybe(vec![Val::Scalar(no), Val::Unset, error]));
                }
                None
            }
            _ => None,
        }
    }

    /// An error, kept as `Some(error)`: where there is none, `None` stands for it.
    fn error_value(&mut self, e: &syn::Expr) -> Val {
        // It may name active values: it only carries them out.
        let some = quote!(::core::option::Option::Some(#e));
        match self.verbatim_operands(some, e.span()) {
            Some(found) => Val::Scalar(self.s.b.op(Op::Verbatim(found.verbatim), &found.args)),
            None => Val::Never,
        }
    }

    /// Whether what is lowered now ends the user's function itself, and that returns an `Option` or `Result`.
    pub(super) fn ends_wrapped(&self) -> bool {
        self.depth == 0 && self.sig.wrapper.is_some()
    }

    /// What is returned, without its `Some` or `Ok`; failures return here and now.
    pub(super) fn settle(&mut self, e: &syn::Expr) -> (Val, Flow) {
        if let syn::Expr::Call(c) = e
            && let syn::Expr::Path(p) = &*c.func
            && is(&p.path, "Err")
        {
            return self.fail(&quote!(return #e), e.span());
        }
        if matches!(e, syn::Expr::Path(p) if is(&p.path, "None")) {
            return self.fail(&quote!(return #e), e.span());
        }
        let val = match self.variant(e) {
            Some(val) => val,
            None => self.expr(e).0,
        };
        match val {
            Val::Maybe(parts) => self.value_or_return(&parts, e.span(), false),
            // Something inactive of the function's own type.
            Val::Scalar(v) if !self.s.b.func.is_float(v) => {
                let val = self.question(v);
                (val, Flow::Falls)
            }
            Val::Never => (Val::Never, Flow::Falls),
            other => {
                self.error(
                    e.span(),
                    "this is no `Option` or `Result` that the macro can follow",
                    "end with `Some(..)` or `Ok(..)` of a float",
                );
                (other, Flow::Falls)
            }
        }
    }

    /// `asks`: by `?`, which converts errors.
    fn value_or_return(&mut self, parts: &[Val], span: Span, asks: bool) -> (Val, Flow) {
        let [Val::Scalar(some), value, error] = parts else { return (Val::Never, Flow::Falls) };
        if let Some(Op::Bool(true)) = self.s.b.constant(*some) {
            return (value.clone(), Flow::Falls);
        }
        let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
        let (exit, args) = match (self.sig.wrapper, error) {
            (Some(Wrapper::Option), _) => (quote!(return ::core::option::Option::None), Vec::new()),
            (_, Val::Scalar(error)) => {
                let error_value = if asks {
                    quote!(::core::convert::From::from((#hole).unwrap()))
                } else {
                    quote!((#hole).unwrap())
                };
                (quote!(return ::core::result::Result::Err(#error_value)), vec![*error])
            }
            _ => {
                self.error(span, "there is no error to return here", "say which: `.ok_or(error)?`");
                return (Val::Never, Flow::Falls);
            }
        };
        self.require(*some, exit, args);
        (value.clone(), Flow::Falls)
    }

    /// Runs an exit (a `return`, a panic) unless a condition holds.
    fn require(&mut self, holds: Value, exit: proc_macro2::TokenStream, args: Vec<Value>) {
        self.branch(holds, Span::call_site(), &mut |_| (Val::unit(), Flow::Falls), &mut |this| {
            let verbatim = Verbatim::new(exit.clone(), Vec::new());
            this.s.b.effect(InstKind::Effect(verbatim, args.clone()));
            this.s.b.current().diverges = true;
            (Val::Never, Flow::Never)
        });
    }

    /// Leaves the function with a failure, as the user wrote it.
    fn fail(&mut self, exit: &proc_macro2::TokenStream, span: Span) -> (Val, Flow) {
        if let Some(found) = self.verbatim_operands(exit.clone(), span) {
            self.s.b.effect(InstKind::Effect(found.verbatim, found.args));
            self.s.b.current().diverges = true;
        }
        (Val::Never, Flow::Never)
    }

    /// `v?` of something the macro does not look into.
    fn question(&mut self, v: Value) -> Val {
        let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
        // Once for its effect, which stays where it is; the value itself may go where it is needed.
        let verbatim = Verbatim::new(quote!({ let _ = (#hole)?; }), Vec::new());
        self.s.b.effect(InstKind::Effect(verbatim, vec![v]));
        Val::Scalar(self.pass(quote!((#hole)?), &[v], Type::Opaque))
    }

    /// `e?`
    pub(super) fn try_expr(&mut self, e: &syn::ExprTry) -> Val {
        if self.depth > 0 {
            self.error(
                e.question_token.span(),
                "`?` is not supported at this place of a closure or inner function",
                "bind what it gives before: `let v = f(x)?;`",
            );
            return Val::Never;
        }
        if self.sig.wrapper.is_none() {
            self.error(
                e.question_token.span(),
                "`?` wants a function that returns `Option` or `Result`",
                "return `Option<f64>` or `Result<f64, E>`",
            );
            return Val::Never;
        }
        if self.is_passive(e.expr.to_token_stream())
            && let Some(found) = self.verbatim_operands(e.expr.to_token_stream(), e.span())
            && !super::iterators::is_chain(&e.expr)
            && !matches!(&*e.expr, syn::Expr::MethodCall(m) if !self.is_foreign(&m.receiver))
        {
            let inner = found.verbatim.code.tokens();
            // What a `parse` gives, the annotation of the `let` tells.
            let ty = self.expected.as_ref().map(|ty| quote!(: #ty));
            let effect = Verbatim::new(quote!({ let _ #ty = (#inner)?; }), found.verbatim.buffers.clone());
            self.s.b.effect(InstKind::Effect(effect, found.args.clone()));
            let value = Verbatim::new(quote!((#inner)?), found.verbatim.buffers);
            return Val::Scalar(self.s.b.op(Op::Verbatim(value), &found.args));
        }
        match self.expr(&e.expr).0 {
            Val::Maybe(parts) => self.value_or_return(&parts, e.span(), true).0,
            Val::Scalar(v) if !self.is_tainted(v) => self.question(v),
            Val::Never => Val::Never,
            _ => {
                self.error(
                    e.span(),
                    "`?` on what another function gives for an active value is not supported",
                    "test before the call, and let that function return a float",
                );
                Val::Never
            }
        }
    }

    /// What a closure for the failure of a `Result` gets: the error; for that of an `Option` nothing.
    fn failure(&mut self, f: &Callee, error: &Val) -> Vec<Val> {
        match (f, error) {
            (Callee::Closure(c), Val::Scalar(error)) if c.params.len() == 1 => {
                let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
                // Borrowed: it may be asked for more than once.
                let error = self.pass(quote!((#hole).as_ref().unwrap()), &[*error], Type::Opaque);
                self.s.refs.insert(error);
                vec![Val::Scalar(error)]
            }
            _ => Vec::new(),
        }
    }

    /// Methods of an `Option` that the macro follows.
    pub(super) fn maybe_method(&mut self, parts: &[Val], e: &syn::ExprMethodCall) -> Val {
        let [Val::Scalar(some), value, error] = parts else { return Val::Never };
        let (some, value) = (*some, value.clone());
        let name = e.method.to_string();
        let args: Vec<&syn::Expr> = e.args.iter().collect();
        match (name.as_str(), args.as_slice()) {
            ("is_some" | "is_ok", []) => Val::Scalar(some),
            // None or one.
            ("iter" | "into_iter", []) => {
                let items = self.iterate(Val::Maybe(parts.to_vec()), false, e.span());
                items.map_or(Val::Never, Val::Iter)
            }
            ("is_none" | "is_err", []) => Val::Scalar(self.op(Op::Not, &[some])),
            ("unwrap" | "expect", _) => {
                if !matches!(self.s.b.constant(some), Some(Op::Bool(true))) {
                    let panic = match args.first() {
                        Some(text) => quote!(::core::panic!("{}", #text)),
                        None => quote!(::core::panic!("called `Option::unwrap()` on a `None` value")),
                    };
                    self.require(some, panic, Vec::new());
                }
                value
            }
            ("is_some_and" | "is_ok_and", [f]) => {
                let Some(f) = self.callee(f) else { return Val::Never };
                self.choose_lazily(some, &mut |this| this.apply(&f, vec![value.clone()]), &mut |this| {
                    Val::Scalar(this.s.b.boolean(false))
                })
            }
            ("or", [other]) => {
                let other = self.expr(other).0;
                self.choose_lazily(some, &mut |_| Val::Maybe(parts.to_vec()), &mut |_| other.clone())
            }
            ("or_else", [f]) => {
                let Some(f) = self.callee(f) else { return Val::Never };
                let error = error.clone();
                self.choose_lazily(some, &mut |_| Val::Maybe(parts.to_vec()), &mut |this| {
                    let args = this.failure(&f, &error);
                    this.apply(&f, args)
                })
            }
            ("clone" | "cloned", []) if self.refuse_own_clone(&value, true, e.method.span()) => Val::Never,
            ("copied" | "cloned", []) => {
                let value = self.item_by_value(value);
                Val::Maybe(vec![Val::Scalar(some), value, error.clone()])
            }
            ("as_ref" | "as_mut" | "clone", []) => Val::Maybe(parts.to_vec()),
            ("ok", []) => Val::Maybe(vec![Val::Scalar(some), value, Val::Unset]),
            ("ok_or", [e]) => {
                let error = self.error_value(e);
                Val::Maybe(vec![Val::Scalar(some), value, error])
            }
            ("ok_or_else", [f]) => {
                let call: syn::Expr = syn::parse_quote!((#f)());
                let error = self.error_value(&call);
                Val::Maybe(vec![Val::Scalar(some), value, error])
            }
            ("map_err", [f]) => {
                let Val::Scalar(old) = error else { return Val::Maybe(parts.to_vec()) };
                let Some(mut found) = self.verbatim_operands(f.to_token_stream(), f.span()) else {
                    return Val::Never;
                };
                // The old error is one operand more.
                let hole = syn::Ident::new(&Verbatim::hole(found.args.len()), Span::call_site());
                let f = &found.verbatim.code;
                found.verbatim.code = quote!((#hole).map(#f)).into();
                found.args.push(*old);
                let error = self.s.b.op(Op::Verbatim(found.verbatim), &found.args);
                Val::Maybe(vec![Val::Scalar(some), value, Val::Scalar(error)])
            }
            ("unwrap_or", [other]) => {
                let other = self.expr(other).0;
                self.choose_lazily(some, &mut |_| value.clone(), &mut |_| other.clone())
            }
            ("unwrap_or_default", []) => {
                let zero = match &value {
                    Val::Scalar(v) => {
                        let ty = self.s.b.func.ty(*v).clone();
                        Val::Scalar(self.dummy(&ty))
                    }
                    other => other.clone(),
                };
                self.choose_lazily(some, &mut |_| value.clone(), &mut |_| zero.clone())
            }
            ("unwrap_or_else", [f]) => {
                let Some(f) = self.callee(f) else { return Val::Never };
                let error = error.clone();
                self.choose_lazily(some, &mut |_| value.clone(), &mut |this| {
                    let args = this.failure(&f, &error);
                    this.apply(&f, args)
                })
            }
            ("map_or", [other, f]) => {
                let other = self.expr(other).0;
                let Some(f) = self.callee(f) else { return Val::Never };
                self.choose_lazily(some, &mut |this| this.apply(&f, vec![value.clone()]), &mut |_| {
                    other.clone()
                })
            }
            ("map_or_else", [other, f]) => {
                let (Some(other), Some(f)) = (self.callee(other), self.callee(f)) else { return Val::Never };
                let error = error.clone();
                self.choose_lazily(some, &mut |this| this.apply(&f, vec![value.clone()]), &mut |this| {
                    let args = this.failure(&other, &error);
                    this.apply(&other, args)
                })
            }
            ("map", [f]) => {
                let Some(f) = self.callee(f) else { return Val::Never };
                match self.guarded(some, &mut |this| this.apply(&f, vec![value.clone()])) {
                    Val::Maybe(made) => Val::Maybe(vec![made[0].clone(), made[1].clone(), error.clone()]),
                    other => other,
                }
            }
            ("and_then", [f]) => {
                let Some(f) = self.callee(f) else { return Val::Never };
                let mut none = |this: &mut Self| {
                    let no = this.s.b.boolean(false);
                    Val::Maybe(vec![Val::Scalar(no), Val::Unset, error.clone()])
                };
                self.choose_lazily(some, &mut |this| this.apply(&f, vec![value.clone()]), &mut none)
            }
            ("filter", [f]) => {
                let Some(f) = self.callee(f) else { return Val::Never };
                let keep =
                    self.choose_lazily(some, &mut |this| this.apply(&f, vec![value.clone()]), &mut |this| {
                        Val::Scalar(this.s.b.boolean(false))
                    });
                Val::Maybe(vec![keep, value, Val::Unset])
            }
            // Orderings have no `None` that a comparison of numbers could see.
            _ => {
                self.error(
                    e.method.span(),
                    format!("`{name}` of an active `Option` is not supported"),
                    "use `match`, `if let`, `unwrap_or` or `map_or`",
                );
                Val::Never
            }
        }
    }

    fn choose_lazily(
        &mut self,
        cond: Value,
        then: &mut dyn FnMut(&mut Self) -> Val,
        otherwise: &mut dyn FnMut(&mut Self) -> Val,
    ) -> Val {
        if let Some(Op::Bool(known)) = self.s.b.constant(cond) {
            return if known { then(self) } else { otherwise(self) };
        }
        self.branch(cond, Span::call_site(), &mut |this| (then(this), Flow::Falls), &mut |this| {
            (otherwise(this), Flow::Falls)
        })
        .0
    }
}

/// Whether a path ends in this name.
pub(super) fn is(path: &syn::Path, name: &str) -> bool {
    path.segments.last().is_some_and(|s| s.ident == name)
}

/// Whether a type is a `Result`.
fn is_result(ty: Option<&syn::Type>) -> bool {
    matches!(ty, Some(syn::Type::Path(p)) if p.path.segments.last().is_some_and(|s| s.ident == "Result"))
}
