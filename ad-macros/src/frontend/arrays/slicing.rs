//! `a.slice(s![1.., ..k])`: parts of arrays.
//!
//! Rows are where they are; columns and blocks of them are copies. A block that is changed (`slice_mut`) is put back after
//! the method that changes it.

use proc_macro2::Span;
use syn::spanned::Spanned;

use crate::frontend::iterators::Iter;
use crate::frontend::lower::Lower;
use crate::frontend::value::{Val, View};
use crate::ir::{Dim, Op, StoreMode, Value};

/// A copy of a part of an array, to be put back: from which column on, and whether it is a block of them.
#[derive(Clone)]
pub(in super::super) struct Changed {
    from: View,
    copy: View,
    column: Option<(Value, Option<Value>)>,
}

/// What `s![..]` says of one axis.
enum Part {
    At(Value),
    /// Start and length.
    Range(Value, Value),
}

impl Lower<'_> {
    /// `a.slice(s![1.., j])`
    pub(super) fn sliced(&mut self, view: &View, s: &syn::Expr, changed: bool) -> Option<Val> {
        let list = match s {
            syn::Expr::Macro(m) => match parts_of(&m.mac) {
                Ok(list) => list,
                Err(e) => {
                    self.diagnostics.push(e);
                    return Some(Val::Never);
                }
            },
            // `let span = s![.., lo..hi];` stands before.
            _ => {
                let val = self.expr(super::super::calls::reached(s)).0;
                let Val::Scalar(v) = val else { return None };
                self.s.slicings.get(&v)?.to_vec()
            }
        };
        let rank = self.rank(view);
        if list.len() != rank {
            self.error(s.span(), "one index or range for each axis is wanted", "write `s![.., j]`");
            return Some(Val::Never);
        }
        if let [(range @ syn::Expr::Range(_), Some(step))] = list.as_slice() {
            if changed {
                self.error(
                    step.span(),
                    "every so many elements cannot be changed by a slice",
                    "loop over the elements",
                );
                return Some(Val::Never);
            }
            return self.stepped(view, range, step);
        }
        if let Some((_, Some(step))) = list.iter().find(|(_, step)| step.is_some()) {
            self.error(step.span(), "steps are supported for arrays of one axis", "loop over the rows");
            return Some(Val::Never);
        }
        let mut parts = Vec::new();
        for (axis, (e, _)) in list.iter().enumerate() {
            parts.push((self.part_of_axis(view, axis, e)?, is_whole(e)));
        }
        let rows = match &parts[0] {
            (_, true) => Val::View(View { by_ref: true, ..view.clone() }),
            (Part::Range(start, len), _) => Val::View(self.sub_view(view, *start, *len)),
            (Part::At(i), _) => self.element(view, *i, false),
        };
        if rank == 1 {
            return Some(rows);
        }
        let Val::View(rows) = rows else { return Some(Val::Never) };
        Some(match (&parts[1], self.rank(&rows)) {
            ((_, true), _) => Val::View(rows),
            // A row, then a part of it.
            ((Part::Range(start, len), _), 1) => Val::View(self.sub_view(&rows, *start, *len)),
            ((Part::At(j), _), 1) => self.element(&rows, *j, false),
            ((Part::Range(start, len), _), _) => match self.block_of_columns(&rows, *start, *len) {
                Val::View(copy) if changed => {
                    self.changed_copy(&rows, copy, Some((*start, Some(*len))), s.span())
                }
                block => block,
            },
            ((Part::At(j), _), _) => match self.column(&rows, *j) {
                Val::View(copy) if changed => self.changed_copy(&rows, copy, Some((*j, None)), s.span()),
                column => column,
            },
        })
    }

    /// `s![.., lo..hi]` that is kept in a variable: its bounds are what they are here.
    pub(in super::super) fn slicing(&mut self, mac: &syn::Macro, v: Value) {
        let Ok(mut list) = parts_of(mac) else { return };
        for (part, step) in &mut list {
            let bounds: Vec<&mut syn::Expr> = match part {
                syn::Expr::Range(r) => r.start.iter_mut().chain(&mut r.end).map(|e| &mut **e).collect(),
                other => vec![other],
            };
            for bound in bounds.into_iter().chain(step.as_mut()) {
                let bound = match bound {
                    syn::Expr::Unary(syn::ExprUnary { op: syn::UnOp::Neg(_), expr, .. }) => &mut **expr,
                    other => other,
                };
                let val = self.expr(bound).0;
                let name = format!("__ad_bound_{}", self.s.vars.len());
                let var = self.new_var(&name, false, val);
                self.declare(&name, var);
                let name = syn::Ident::new(&name, bound.span());
                *bound = syn::parse_quote!(#name);
            }
        }
        self.s.slicings.insert(v, list.into());
    }

    /// What one axis of `s![..]` says.
    fn part_of_axis(&mut self, view: &View, axis: usize, e: &syn::Expr) -> Option<Part> {
        let total = self.extent(view, axis);
        if let syn::Expr::Range(r) = e {
            let start = match &r.start {
                Some(e) => self.bound_of_axis(e, total)?,
                None => self.s.b.int("0"),
            };
            let mut end = match &r.end {
                Some(e) => self.bound_of_axis(e, total)?,
                None => total,
            };
            if matches!(r.limits, syn::RangeLimits::Closed(_)) {
                let one = self.s.b.int("1");
                end = self.plus(end, one);
            }
            return Some(self.checked_range(start, end, total));
        }
        if let syn::Expr::Unary(_) = e {
            return Some(Part::At(self.bound_of_axis(e, total)?));
        }
        // A range in a variable.
        match self.expr(e).0 {
            Val::Iter(it) => {
                let zero = self.s.b.int("0");
                let (start, end, closed) = match &*it {
                    Iter::Range { lo, hi, inclusive } => (*lo, *hi, *inclusive),
                    Iter::From { lo } => (*lo, total, false),
                    Iter::Below { hi, inclusive } => (zero, *hi, *inclusive),
                    _ => return None,
                };
                let one = self.s.b.int("1");
                let end = if closed { self.plus(end, one) } else { end };
                Some(self.checked_range(start, end, total))
            }
            val => Some(Part::At(self.scalar(val, e.span())?)),
        }
    }

    fn checked_range(&mut self, start: Value, end: Value, total: Value) -> Part {
        let known = self.literal_int(start) == Some(0) && self.same_length(end, total);
        if !known {
            let [s, e, n] =
                [0, 1, 2].map(|k| syn::Ident::new(&crate::ir::Verbatim::hole(k), Span::call_site()));
            let tokens = quote::quote!(::core::assert!(#s <= #e && #e <= #n, "a range beyond the array"));
            let verbatim = crate::ir::Verbatim::check(tokens, Vec::new());
            self.s.b.effect(crate::ir::InstKind::Effect(verbatim, vec![start, end, total]));
        }
        let len = if self.literal_int(start) == Some(0) { end } else { self.op(Op::Sub, &[end, start]) };
        Part::Range(start, len)
    }

    /// `-1` is the last.
    fn bound_of_axis(&mut self, e: &syn::Expr, total: Value) -> Option<Value> {
        let (back, inner) = match e {
            syn::Expr::Unary(u) if matches!(u.op, syn::UnOp::Neg(_)) => (true, &*u.expr),
            other => (false, other),
        };
        let val = self.expr(inner).0;
        let v = self.scalar(val, e.span())?;
        Some(if back { self.op(Op::Sub, &[total, v]) } else { v })
    }

    /// A copy that will be changed: put back by the method that changes it.
    pub(super) fn changed_copy(
        &mut self,
        from: &View,
        copy: View,
        column: Option<(Value, Option<Value>)>,
        span: Span,
    ) -> Val {
        let Some(list) = &mut self.changed else {
            self.error(
                span,
                "columns are copied here: what is done to this part would be lost",
                "change it by a method of the slice itself, as in `a.slice_mut(s![.., j]).assign(&b)`, or loop over the rows",
            );
            return Val::Never;
        };
        list.push(Changed { from: from.clone(), copy: copy.clone(), column });
        Val::View(View { by_ref: true, ..copy })
    }

    /// A method of `a.slice_mut(..)`: the copies that it changes are put back. `None` if there are none.
    pub(in super::super) fn method_of_part(&mut self, e: &syn::ExprMethodCall) -> Option<Val> {
        let syn::Expr::MethodCall(part) = &*e.receiver else { return None };
        if !["slice_mut", "column_mut"].iter().any(|name| part.method == name)
            || self.is_foreign(&part.receiver)
        {
            return None;
        }
        let outer = self.changed.replace(Vec::new());
        let receiver = self.expr(&e.receiver).0;
        let list = std::mem::replace(&mut self.changed, outer).unwrap_or_default();
        let val = match &receiver {
            Val::View(view) => self.view_method(view, &e.method.to_string(), e),
            _ => Val::Never,
        };
        for Changed { from, copy, column } in list {
            let Some((start, _)) = column else { continue };
            let rank = self.rank(&copy);
            self.over(&copy.clone(), &mut |this, index| {
                let j = if rank == 2 { this.plus(start, index[1]) } else { start };
                let v = this.at_index(&copy, index);
                let to = this.absolute(&from, &[index[0], j]);
                this.store(from.buffer, to, v, StoreMode::Set);
            });
        }
        Some(val)
    }

    /// `a.slice(s![1..;2])`, `a.slice(s![..;-1])`: a copy of every so many elements.
    fn stepped(&mut self, view: &View, range: &syn::Expr, step: &syn::Expr) -> Option<Val> {
        let Part::Range(start, len) = self.part_of_axis(view, 0, range)? else { return None };
        let part = self.sub_view(view, start, len);
        let (back, by) = match step {
            syn::Expr::Unary(u) if matches!(u.op, syn::UnOp::Neg(_)) => (true, &*u.expr),
            other => (false, other),
        };
        let by = self.expr(by).0;
        let by = self.scalar(by, step.span())?;
        let one = self.s.b.int("1");
        // As many as fit: (len + step - 1) / step
        let more = self.op(Op::Add, &[len, by]);
        let more = self.op(Op::Sub, &[more, one]);
        let n = self.op(Op::Div, &[more, by]);
        let elem = self.elem(view);
        Some(Val::View(self.build("stepped", vec![Dim::Dyn(n)], &elem, false, &mut |this, i| {
            let at = this.op(Op::Mul, &[i[0], by]);
            let at = if back {
                let one = this.s.b.int("1");
                let last = this.op(Op::Sub, &[len, one]);
                this.op(Op::Sub, &[last, at])
            } else {
                at
            };
            this.at_index(&part, &[at])
        })))
    }
}

/// `..`
fn is_whole(e: &syn::Expr) -> bool {
    matches!(e, syn::Expr::Range(r) if r.start.is_none() && r.end.is_none())
}

/// The axes of `s![a..b;step, j]`: each with its step.
fn parts_of(mac: &syn::Macro) -> syn::Result<Vec<(syn::Expr, Option<syn::Expr>)>> {
    use proc_macro2::{TokenStream, TokenTree};
    let mut parts: Vec<[Vec<TokenTree>; 2]> = vec![[Vec::new(), Vec::new()]];
    let mut stepped = vec![false];
    for token in mac.tokens.clone() {
        let last = parts.len() - 1;
        match &token {
            TokenTree::Punct(p) if p.as_char() == ',' => {
                parts.push([Vec::new(), Vec::new()]);
                stepped.push(false);
            }
            TokenTree::Punct(p) if p.as_char() == ';' => stepped[last] = true,
            _ => parts[last][usize::from(stepped[last])].push(token),
        }
    }
    let mut list = Vec::new();
    for ([index, step], stepped) in parts.into_iter().zip(stepped) {
        if index.is_empty() && !stepped {
            continue;
        }
        let index = syn::parse2(index.into_iter().collect::<TokenStream>())?;
        let step = if stepped { Some(syn::parse2(step.into_iter().collect::<TokenStream>())?) } else { None };
        list.push((index, step));
    }
    Ok(list)
}
