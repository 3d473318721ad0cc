//! What a `for` runs over: ranges, and elements of arrays and slices by their indices.

use syn::spanned::Spanned;

use super::lower::{Lower, Val, View};
use crate::ir::Value;

/// What a `for` runs over.
pub(super) enum Head {
    Range {
        lo: Value,
        hi: Value,
        inclusive: bool,
        rev: bool,
        step: Option<Value>,
        flipped: bool,
    },
    /// Elements, by index; `mutable` for `iter_mut`.
    Elements {
        view: View,
        enumerate: bool,
        rev: bool,
        mutable: bool,
    },
}

/// A range in the making: bounds and what is done to it.
pub(super) struct RangeSpec {
    pub(super) lo: Value,
    pub(super) hi: Value,
    pub(super) inclusive: bool,
    pub(super) rev: bool,
    pub(super) step: Option<Value>,
    pub(super) flipped: bool,
}

impl Lower<'_> {
    pub(super) fn head(&mut self, e: &syn::Expr) -> Option<Head> {
        const INSTEAD: &str = "loop over a range (`a..b`, `a..=b`, `.rev()`, `.step_by(k)`) or over `x.iter()`, `x.iter().enumerate()`, `x.iter_mut()`, `&x` of an array or slice";
        match e {
            syn::Expr::Paren(p) => self.head(&p.expr),
            syn::Expr::Group(p) => self.head(&p.expr),
            syn::Expr::Range(r) => {
                let (Some(start), Some(end)) = (&r.start, &r.end) else {
                    self.error(e.span(), "a loop needs both ends of its range", INSTEAD);
                    return None;
                };
                let lo = self.expr(start).0;
                let lo = self.scalar(lo, start.span())?;
                let hi = self.expr(end).0;
                let hi = self.scalar(hi, end.span())?;
                let inclusive = matches!(r.limits, syn::RangeLimits::Closed(_));
                Some(Head::Range { lo, hi, inclusive, rev: false, step: None, flipped: false })
            }
            syn::Expr::MethodCall(call) => {
                let name = call.method.to_string();
                match name.as_str() {
                    "rev" => match self.head(&call.receiver)? {
                        Head::Range { lo, hi, inclusive, rev, step: None, flipped } => {
                            Some(Head::Range { lo, hi, inclusive, rev: !rev, step: None, flipped })
                        }
                        Head::Range { lo, hi, inclusive, rev, step, flipped } => {
                            Some(Head::Range { lo, hi, inclusive, rev, step, flipped: !flipped })
                        }
                        Head::Elements { view, enumerate, rev, mutable } => {
                            Some(Head::Elements { view, enumerate, rev: !rev, mutable })
                        }
                    },
                    "step_by" if call.args.len() == 1 => {
                        if let Head::Range { lo, hi, inclusive, rev, step: None, flipped } =
                            self.head(&call.receiver)?
                        {
                            let step = self.expr(&call.args[0]).0;
                            let step = self.scalar(step, call.args[0].span())?;
                            Some(Head::Range { lo, hi, inclusive, rev, step: Some(step), flipped })
                        } else {
                            self.error(e.span(), "this step is not supported", INSTEAD);
                            None
                        }
                    }
                    "enumerate" => {
                        if let Head::Elements { view, enumerate: false, rev: false, mutable } =
                            self.head(&call.receiver)?
                        {
                            Some(Head::Elements { view, enumerate: true, rev: false, mutable })
                        } else {
                            self.error(e.span(), "`enumerate` is supported right behind `iter()`", INSTEAD);
                            None
                        }
                    }
                    "copied" | "cloned" => self.head(&call.receiver),
                    "iter" | "into_iter" | "iter_mut" => {
                        let (val, _) = self.expr(&call.receiver);
                        self.elements(val, name == "iter_mut", e, INSTEAD)
                    }
                    _ => {
                        self.error(
                            e.span(),
                            format!("`{name}` is not supported in the head of a loop"),
                            INSTEAD,
                        );
                        None
                    }
                }
            }
            other => {
                let mutable = matches!(other, syn::Expr::Reference(r) if r.mutability.is_some());
                let (val, _) = self.expr(other);
                self.elements(val, mutable, e, INSTEAD)
            }
        }
    }

    fn elements(&mut self, val: Val, mutable: bool, e: &syn::Expr, instead: &str) -> Option<Head> {
        match val {
            Val::View(view) => Some(Head::Elements { view, enumerate: false, rev: false, mutable }),
            Val::Never => None,
            _ => {
                self.error(e.span(), "the macro cannot run backwards over this", instead);
                None
            }
        }
    }
}
