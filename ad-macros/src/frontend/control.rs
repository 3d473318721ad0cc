//! `if`, and the ways out of functions, loops and blocks.

use proc_macro2::Span;
use syn::spanned::Spanned;

use super::lower::{Flow, Lower, Val, VarId};
use crate::ir::{Op, Value};

impl Lower<'_> {
    /// A condition.
    pub(super) fn condition(&mut self, e: &syn::Expr) -> Value {
        if let syn::Expr::Let(l) = e {
            self.error(
                l.span(),
                "`if let` and `while let` are not supported yet",
                "use `match`, or ask with `is_some()` and unwrap",
            );
            return self.s.b.boolean(false);
        }
        let (val, _) = self.expr(e);
        match self.scalar(val, e.span()) {
            Some(v) => v,
            None => self.s.b.boolean(false),
        }
    }

    pub(super) fn if_expr(&mut self, e: &syn::ExprIf) -> (Val, Flow) {
        let tail = std::mem::replace(&mut self.tail, false);
        let cond = self.condition(&e.cond);
        let result = self.branch(
            cond,
            e.if_token.span(),
            &mut |this| {
                this.tail = tail;
                this.block(&e.then_branch)
            },
            &mut |this| {
                this.tail = tail;
                match &e.else_branch {
                    Some((_, e)) => this.expr(e),
                    None => (Val::Tuple(Vec::new()), Flow::Falls),
                }
            },
        );
        self.tail = tail;
        result
    }

    pub(super) fn return_expr(&mut self, e: &syn::ExprReturn) -> (Val, Flow) {
        let tail = std::mem::replace(&mut self.tail, false);
        let val = match &e.expr {
            Some(e) => self.expr(e).0,
            None => Val::Tuple(Vec::new()),
        };
        self.tail = tail;
        if tail && self.loops.is_empty() {
            return (val, Flow::Falls);
        }
        if holds_view(&val) {
            self.error(
                e.span(),
                "an array cannot be returned from the middle of a function",
                "write the elements into one local array and return that at the end",
            );
        }
        let yes = self.s.b.boolean(true);
        let (flag, slot) = (self.returned, self.return_value);
        self.set(flag, Val::Scalar(yes));
        self.set(slot, val);
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
            None => self.loops.last(),
        };
        let Some(found) = found.cloned() else {
            self.error(
                span,
                "there is no such loop around this",
                "labels of blocks are not supported: use a loop or an `if`",
            );
            return (Val::Never, Flow::Never);
        };
        let yes = self.s.b.boolean(true);
        self.set(if skip { found.skipped } else { found.broken }, Val::Scalar(yes));
        if let Some(val) = val {
            self.set(found.value, val);
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

fn holds_view(val: &Val) -> bool {
    match val {
        Val::View(_) => true,
        Val::Tuple(list) => list.iter().any(holds_view),
        _ => false,
    }
}
