//! What ends a chain early: items that are options or results, collected, summed up or folded until the first that holds
//! nothing.

use std::rc::Rc;

use proc_macro2::Span;

use super::super::exits::Contents;
use super::super::lower::{Flow, Lower};
use super::super::signature::wrapper;
use super::super::value::Val;
use super::Iter;
use crate::ir::{Op, Type, Value};

impl Lower<'_> {
    /// The type that a consuming method gives: of its turbofish, or as it is wanted.
    pub(super) fn consumed_type(&self, e: &syn::ExprMethodCall) -> Option<syn::Type> {
        let turbofish = e.turbofish.as_ref().and_then(|t| {
            t.args.iter().find_map(|a| match a {
                syn::GenericArgument::Type(t) => Some(t.clone()),
                _ => None,
            })
        });
        turbofish.or_else(|| self.expected.clone())
    }

    /// `collect`, `sum`, `product` into an `Option` or `Result`; `try_fold`, `try_for_each`. `None` if it is none of these.
    pub(super) fn consume_fallible(&mut self, it: &Rc<Iter>, e: &syn::ExprMethodCall) -> Option<Val> {
        let name = e.method.to_string();
        let args: Vec<&syn::Expr> = e.args.iter().collect();
        let span = e.method.span();
        match (name.as_str(), args.as_slice()) {
            ("collect" | "sum" | "product", []) => {
                let ty = self.consumed_type(e)?;
                let (_, inner) = wrapper(&ty)?;
                if self.is_passive(quote::quote!(#e)) {
                    return None;
                }
                if name == "collect" {
                    return Some(self.collect_good(it, inner, span));
                }
                let kind = self.float_kind(inner).unwrap_or(crate::ir::FloatKind::Infer);
                let is_sum = name == "sum";
                let start = self.s.b.float(if is_sum { -0.0 } else { 1.0 }, Type::Float(kind));
                let acc = self.new_var(&name, true, Val::Scalar(start));
                let (good, error) = self.while_good(it, &mut |this, v| {
                    let v = this.deref(v);
                    let (Val::Scalar(now), Some(v)) = (this.s.vars[acc].val.clone(), this.scalar(v, span))
                    else {
                        return;
                    };
                    let next = this.op(if is_sum { Op::Add } else { Op::Mul }, &[now, v]);
                    this.s.vars[acc].val = Val::Scalar(next);
                });
                Some(Val::Maybe(vec![good, self.s.vars[acc].val.clone(), error]))
            }
            ("try_fold", [init, f]) => {
                let init = self.expr(init).0;
                let f = self.callee(f)?;
                let init = self.own(init, true, "acc");
                let acc = self.new_var("acc", true, Val::Unset);
                self.set(acc, init);
                let (good, error) = self.until_failure(
                    it,
                    &mut |this, v| {
                        let now = this.s.vars[acc].val.clone();
                        let next = this.apply(&f, vec![now, v]);
                        this.opened_outcome(next, span)
                    },
                    &mut |this, next| this.replace(acc, next, Span::call_site()),
                );
                Some(Val::Maybe(vec![good, self.s.vars[acc].val.clone(), error]))
            }
            ("try_for_each", [f]) => {
                let f = self.callee(f)?;
                let (good, error) = self.until_failure(
                    it,
                    &mut |this, v| {
                        let val = this.apply(&f, vec![v]);
                        this.opened_outcome(val, span)
                    },
                    &mut |_, _| {},
                );
                Some(Val::Maybe(vec![good, Val::unit(), error]))
            }
            _ => None,
        }
    }

    /// `Option<Vec<_>>`, `Result<Vec<_>, E>`
    fn collect_good(&mut self, it: &Rc<Iter>, inner: &syn::Type, span: Span) -> Val {
        if !super::collect::is_vec(inner) {
            self.error(span, "active values are collected into vectors only", "collect them into a `Vec`");
            return Val::Never;
        }
        let sample = match self.sample(it) {
            Val::Maybe(parts) => parts[1].clone(),
            other => other,
        };
        let Some(vector) = self.growing_like(&sample, "vector", span) else { return Val::Never };
        let var = self.new_var("vector", true, vector);
        let (good, error) = self.while_good(it, &mut |this, v| this.push_to(var, &[], v, span));
        let vector = std::mem::replace(&mut self.s.vars[var].val, Val::Unset);
        Val::Maybe(vec![good, vector, error])
    }

    /// Runs `each` for what items hold, up to the first that holds nothing. Whether all held something, and the error of
    /// the one that did not.
    fn while_good(&mut self, it: &Iter, each: &mut dyn FnMut(&mut Self, Val)) -> (Val, Val) {
        let span = self.here;
        self.until_failure(it, &mut |this, v| this.opened_outcome(v, span), each)
    }

    fn until_failure(
        &mut self,
        it: &Iter,
        test: &mut dyn FnMut(&mut Self, Val) -> (Value, Contents, Contents),
        each: &mut dyn FnMut(&mut Self, Val),
    ) -> (Val, Val) {
        let yes = self.s.b.boolean(true);
        let good = self.new_var("good", true, Val::Scalar(yes));
        let error = self.new_var("error", true, Val::Unset);
        let context = self.context(None, true);
        let broken = context.broken;
        self.loops.push(context);
        self.drive(it, &mut |this, v| {
            let (some, value, failure) = test(this, v);
            this.when(
                some,
                &mut |this| {
                    let value = this.contents(&value);
                    each(this, value);
                    Flow::Falls
                },
                &mut |this| {
                    let (yes, no) = (this.s.b.boolean(true), this.s.b.boolean(false));
                    this.set(good, Val::Scalar(no));
                    let failure = this.contents(&failure);
                    if failure != Val::Unset {
                        this.set(error, failure);
                    }
                    this.set(broken, Val::Scalar(yes));
                    Flow::Never
                },
            )
        });
        self.loops.pop();
        (self.s.vars[good].val.clone(), self.s.vars[error].val.clone())
    }

    /// Whether an `Option` or `Result` holds a value, the value, and the error.
    fn opened_outcome(&mut self, val: Val, span: Span) -> (Value, Contents, Contents) {
        let never = || (Contents::Known(Val::Never), Contents::Known(Val::Unset));
        let (some, (value, error)) = match val {
            Val::Maybe(parts) => match parts.as_slice() {
                [Val::Scalar(some), value, error] => {
                    (*some, (Contents::Known(value.clone()), Contents::Known(error.clone())))
                }
                _ => (self.s.b.boolean(false), never()),
            },
            Val::Scalar(v) if !self.s.b.func.is_float(v) && !self.is_tainted(v) => {
                return self.outcome_again(v);
            }
            Val::Never => (self.s.b.boolean(true), never()),
            _ => {
                self.error(
                    span,
                    "an `Option` or a `Result` is wanted here",
                    "give `Some(..)`, `Ok(..)` or a failure",
                );
                (self.s.b.boolean(true), never())
            }
        };
        (some, value, error)
    }
}
