//! `a.slice(s![1.., ..k])`: parts of arrays.
//!
//! Rows are where they are; columns and blocks of them are copies if they are read, and windows if they are changed.

use proc_macro2::Span;
use syn::spanned::Spanned;

use super::windows::{Along, Step};
use crate::frontend::iterators::Iter;
use crate::frontend::lower::Lower;
use crate::frontend::value::{Val, View};
use crate::ir::{Dim, Op, Value};

/// What `s![..]` says of one axis.
enum Part {
    At(Value),
    Whole,
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
        self.sliced_by(view, list, s.span(), changed)
    }

    fn sliced_by(
        &mut self,
        view: &View,
        mut list: Vec<(syn::Expr, Option<syn::Expr>)>,
        span: Span,
        changed: bool,
    ) -> Option<Val> {
        if let Some(at) = list.iter().position(|(e, _)| is_new_axis(e)) {
            list.remove(at);
            // Of the axes in front of it, some are gone afterwards.
            let kept = list[..at].iter().filter(|(e, _)| self.is_range(e)).count();
            let rest = self.sliced_by(view, list, span, changed)?;
            return Some(match rest {
                Val::View(rest) if self.rank(&rest) == 1 && (!changed || self.is_window(&rest)) => {
                    self.with_axis(&rest, kept, span)
                }
                Val::View(rest) if self.rank(&rest) == 1 => {
                    self.error(
                        span,
                        "an axis is added only to what is read",
                        "write to the part without the axis",
                    );
                    Val::Never
                }
                Val::View(_) => {
                    self.error(
                        span,
                        "arrays of active values have two axes at most",
                        "loop over the first axis and work with its rows: `for i in 0..n { let row = x.row(i); .. }`",
                    );
                    Val::Never
                }
                other => other,
            });
        }
        let rank = self.rank(view);
        if list.len() != rank {
            self.error(span, "one index or range for each axis is wanted", "write `s![.., j]`");
            return Some(Val::Never);
        }
        let mut parts = Vec::new();
        for (axis, (e, step)) in list.iter().enumerate() {
            let part = match self.part_of_axis(view, axis, e)? {
                Part::Range(..) if is_whole(e) && step.is_none() => Part::Whole,
                part => part,
            };
            parts.push((part, step.as_ref()));
        }
        let steps = parts.iter().any(|(_, step)| step.is_some());
        let view = &if changed { self.whole_window(view, span) } else { view.clone() };
        // Rows, and parts of one of them, need no window of their own.
        let columns = rank == 2 && !matches!((&parts[0].0, &parts[1].0), (Part::At(_), _) | (_, Part::Whole));
        if steps || changed && columns {
            if let ([(Part::Whole, None), (Part::At(j), None)], true) = (parts.as_slice(), changed) {
                return Some(self.lane_window(view, 1, *j, span));
            }
            let part = self.windowed(view, parts, span)?;
            return Some(Val::View(if changed { part } else { self.copy_of(&part, "stepped") }));
        }
        let rows = match &parts[0].0 {
            Part::Whole => Val::View(View { by_ref: true, ..view.clone() }),
            Part::Range(start, len) => Val::View(self.sub_view(view, *start, *len)),
            Part::At(i) => self.element(view, *i, changed),
        };
        if rank == 1 {
            return Some(rows);
        }
        let Val::View(rows) = rows else { return Some(Val::Never) };
        Some(match (&parts[1].0, self.rank(&rows)) {
            (Part::Whole, _) => Val::View(rows),
            // A row, then a part of it.
            (Part::Range(start, len), 1) => Val::View(self.sub_view(&rows, *start, *len)),
            (Part::At(j), 1) => self.element(&rows, *j, changed),
            (Part::Range(start, len), _) => self.block_of_columns(&rows, *start, *len),
            (Part::At(j), _) => self.column(&rows, *j),
        })
    }

    /// Whether this of `s![..]` keeps its axis: a range, also one in a variable.
    fn is_range(&mut self, e: &syn::Expr) -> bool {
        match e {
            syn::Expr::Range(_) => true,
            syn::Expr::Paren(p) => self.is_range(&p.expr),
            syn::Expr::Path(_) => matches!(self.expr(e).0, Val::Iter(_)),
            _ => false,
        }
    }

    /// What these say of each axis, where it is.
    fn windowed(&mut self, view: &View, parts: Vec<(Part, Option<&syn::Expr>)>, span: Span) -> Option<View> {
        let (mut along, mut dims) = (Vec::new(), Vec::new());
        for (k, (part, step)) in parts.into_iter().enumerate() {
            let at = dims.len();
            along.push(match (part, step) {
                (Part::At(i), _) => Along::at(i),
                (Part::Whole, _) => {
                    dims.push(self.axis(view, k));
                    Along::from(None, at)
                }
                (Part::Range(start, len), None) => {
                    dims.push(Dim::Dyn(len));
                    Along::from(Some(start), at)
                }
                (Part::Range(start, len), Some(step)) => {
                    let (n, along) = self.stepped(start, len, step, at)?;
                    dims.push(Dim::Dyn(n));
                    along
                }
            });
        }
        Some(self.window(view, along, dims, span))
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
        let val = self.expr(e).0;
        match self.range_of_data(val, e) {
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

    /// `1..;2`, `..;-1` of an axis: how many there are, and where.
    fn stepped(&mut self, start: Value, len: Value, step: &syn::Expr, axis: usize) -> Option<(Value, Along)> {
        let (back, by) = match step {
            syn::Expr::Unary(u) if matches!(u.op, syn::UnOp::Neg(_)) => (true, &*u.expr),
            other => (false, other),
        };
        let by = self.number(by)?;
        let one = self.s.b.int("1");
        // As many as fit: (len + step - 1) / step
        let more = self.op(Op::Add, &[len, by]);
        let more = self.op(Op::Sub, &[more, one]);
        let n = self.op(Op::Div, &[more, by]);
        Some(if back {
            let end = self.plus(start, len);
            let last = self.op(Op::Sub, &[end, one]);
            (n, Along { start: Some(last), axis: Some(axis), step: Step::Back(by) })
        } else {
            (n, Along { start: Some(start), axis: Some(axis), step: Step::By(by) })
        })
    }
}

/// `NewAxis`
fn is_new_axis(e: &syn::Expr) -> bool {
    matches!(e, syn::Expr::Path(p) if p.path.segments.last().is_some_and(|s| s.ident == "NewAxis"))
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
