//! `if`, and the ways out of functions, loops and blocks.

use proc_macro2::Span;
use syn::spanned::Spanned;

use super::lower::{Flow, Lower, VarId};
use super::value::Val;
use crate::ir::{Op, Value};

impl Lower<'_> {
    /// A condition.
    pub(super) fn condition(&mut self, e: &syn::Expr) -> Value {
        if let syn::Expr::Let(l) = e {
            self.error(
                l.span(),
                "`let` is not supported at this place of a condition",
                "nest the `if let`, or use `match`",
            );
            return self.s.b.boolean(false);
        }
        let no_exits = std::mem::replace(&mut self.no_exits, true);
        let (val, _) = self.expr(e);
        self.no_exits = no_exits;
        let val = self.deref(val);
        match self.scalar(val, e.span()) {
            Some(v) => v,
            None => self.s.b.boolean(false),
        }
    }

    pub(super) fn if_expr(&mut self, e: &syn::ExprIf) -> (Val, Flow) {
        let tail = std::mem::replace(&mut self.tail, false);
        // Without `else` it has no value: a call at its end is a statement.
        let branch = match &e.else_branch {
            Some(_) => std::borrow::Cow::Borrowed(&e.then_branch),
            None => super::stmt::round_of(&e.then_branch),
        };
        let mut then = |this: &mut Self| {
            this.tail = tail;
            this.block(&branch)
        };
        let mut otherwise = |this: &mut Self| {
            this.tail = tail;
            match &e.else_branch {
                Some((_, e)) => this.expr(e),
                None => (Val::unit(), Flow::Falls),
            }
        };
        let result = self.if_chain(&e.cond, e.if_token.span(), &mut then, &mut otherwise);
        self.tail = tail;
        result
    }

    /// `if a && let p = b && c { then } else { otherwise }`
    pub(super) fn if_chain(
        &mut self,
        cond: &syn::Expr,
        span: Span,
        then: &mut dyn FnMut(&mut Self) -> (Val, Flow),
        otherwise: &mut dyn FnMut(&mut Self) -> (Val, Flow),
    ) -> (Val, Flow) {
        match cond {
            syn::Expr::Let(l) => self.if_let(l, then, otherwise),
            syn::Expr::Paren(p) if has_let(&p.expr) => self.if_chain(&p.expr, span, then, otherwise),
            syn::Expr::Binary(b) if matches!(b.op, syn::BinOp::And(_)) && has_let(cond) => {
                // `otherwise` is lowered on both ways out.
                let otherwise = std::cell::RefCell::new(otherwise);
                self.if_chain(
                    &b.left,
                    span,
                    &mut |this| {
                        this.if_chain(&b.right, span, &mut *then, &mut |this| (otherwise.borrow_mut())(this))
                    },
                    &mut |this| (otherwise.borrow_mut())(this),
                )
            }
            _ => {
                let cond = self.condition(cond);
                self.branch(cond, span, then, otherwise)
            }
        }
    }

    pub(super) fn return_expr(&mut self, e: &syn::ExprReturn) -> (Val, Flow) {
        let wrapped = self.ends_wrapped();
        let tail = std::mem::replace(&mut self.tail, wrapped);
        let outer = self.expected.clone();
        self.expected.clone_from(&self.output);
        let (val, flow) = match &e.expr {
            Some(e) => self.expr(e),
            None => (Val::unit(), Flow::Falls),
        };
        self.expected = outer;
        self.tail = tail;
        if flow == Flow::Never {
            return (Val::Never, flow);
        }
        self.leave_function(val, tail, e.span())
    }

    /// Returns a value. `tail`: what is lowered now is the end of the function.
    pub(super) fn leave_function(&mut self, val: Val, tail: bool, span: Span) -> (Val, Flow) {
        if tail && self.loops.is_empty() {
            return (val, Flow::Falls);
        }
        let yes = self.s.b.boolean(true);
        let (flag, slot) = (self.returned, self.return_value);
        self.set(flag, Val::Scalar(yes));
        self.set_result(slot, &[], val, span);
        (Val::Never, Flow::Never)
    }

    pub(super) fn leave_loop(
        &mut self,
        label: Option<&syn::Lifetime>,
        value: Option<&syn::Expr>,
        span: Span,
        skip: bool,
    ) -> (Val, Flow) {
        let val = value.map(|e| self.expr(e).0);
        let found = match label {
            Some(label) => {
                self.loops.iter().rev().find(|l| l.label.as_deref() == Some(&label.ident.to_string()))
            }
            None => self.loops.iter().rev().find(|l| !l.internal),
        };
        let Some(found) = found.cloned() else {
            self.error(
                span,
                "there is no such loop or block around this",
                "leave a loop or labelled block of this function",
            );
            return (Val::Never, Flow::Never);
        };
        let yes = self.s.b.boolean(true);
        self.set(if skip { found.skipped } else { found.broken }, Val::Scalar(yes));
        if let Some(val) = val {
            self.set_result(found.value, &[], val, span);
        }
        (Val::Never, Flow::Never)
    }

    /// Whether any exit flag is set.
    pub(super) fn exited(&mut self) -> Value {
        let mut flags = vec![self.returned];
        flags.extend(self.loops.iter().flat_map(|l| [l.broken, l.skipped]));
        self.any(&flags)
    }

    /// The `or` of flags, without those that are known to be false.
    pub(super) fn any(&mut self, flags: &[VarId]) -> Value {
        let mut all: Option<Value> = None;
        for flag in flags {
            let Val::Scalar(v) = self.s.vars[*flag].val else { continue };
            if matches!(self.s.b.constant(v), Some(Op::Bool(false))) {
                continue;
            }
            all = Some(match all {
                Some(a) => self.op(Op::Or, &[a, v]),
                None => v,
            });
        }
        match all {
            Some(v) => v,
            None => self.s.b.boolean(false),
        }
    }
}

/// Whether a condition has a `let` in it.
pub(super) fn has_let(e: &syn::Expr) -> bool {
    match e {
        syn::Expr::Let(_) => true,
        syn::Expr::Paren(p) => has_let(&p.expr),
        syn::Expr::Binary(b) => has_let(&b.left) || has_let(&b.right),
        _ => false,
    }
}
