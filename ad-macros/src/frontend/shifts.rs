//! What moves the elements of vectors and slices to other places: `insert`, `remove`, `rotate_left`, `reverse`. All of it
//! is exchanges of two elements.

use super::loops::RangeSpec;
use super::lower::{Flow, Lower, VarId};
use super::value::{Val, View};
use crate::ir::{Cmp, InstKind, Op, Value, Verbatim};

impl Lower<'_> {
    /// `rows[from..to].reverse()`
    pub(super) fn reverse_rows(&mut self, rows: &Val, from: Value, to: Value) {
        let (zero, one, two) = (self.s.b.int("0_usize"), self.s.b.int("1"), self.s.b.int("2"));
        let n = self.op(Op::Sub, &[to, from]);
        let half = self.op(Op::Div, &[n, two]);
        self.range_loop(&RangeSpec::new(zero, half, false), &mut |this, i| {
            let last = this.op(Op::Sub, &[to, one]);
            let (a, b) = (this.plus(from, i), this.op(Op::Sub, &[last, i]));
            this.exchange(rows, a, b);
            Flow::Falls
        });
    }

    /// `rows.rotate_left(by)`, or to the right.
    pub(super) fn rotate_rows(&mut self, rows: &Val, by: Value, left: bool) {
        let (zero, len) = (self.s.b.int("0_usize"), self.length_of(rows));
        // More than the length is out of bounds, as it is in std.
        let rest = self.op(Op::Sub, &[len, by]);
        let middle = if left { by } else { rest };
        self.reverse_rows(rows, zero, middle);
        self.reverse_rows(rows, middle, len);
        self.reverse_rows(rows, zero, len);
    }

    /// `v.insert(at, val)`: pushed, and brought to its place.
    pub(super) fn insert_in(
        &mut self,
        var: VarId,
        path: &[usize],
        at: Value,
        val: Val,
        span: proc_macro2::Span,
    ) {
        let end = self.length_at(var, path);
        self.assert_index(Cmp::Le, at, end);
        self.push_to(var, path, val, span);
        let rows = super::loops::part(&mut self.s.vars[var].val, path).clone();
        let spec = RangeSpec { rev: true, ..RangeSpec::new(at, end, false) };
        self.shift(&rows, &spec);
    }

    /// `v.remove(at)`: brought to the end, and taken.
    pub(super) fn remove_from(&mut self, var: VarId, path: &[usize], at: Value, swaps: bool) -> Val {
        let rows = super::loops::part(&mut self.s.vars[var].val, path).clone();
        if matches!(rows, Val::Vacant(_) | Val::Never) {
            return Val::Never;
        }
        let (len, one) = (self.length_of(&rows), self.s.b.int("1"));
        self.assert_index(Cmp::Lt, at, len);
        let last = self.op(Op::Sub, &[len, one]);
        if swaps {
            self.exchange(&rows, at, last);
        } else {
            self.shift(&rows, &RangeSpec::new(at, last, false));
        }
        let taken = self.part_at(&rows, last, false);
        let taken = self.moved_out(taken);
        self.set_length(var, path, last);
        taken
    }

    /// `queue.pop_front()`: the queue begins one later.
    pub(super) fn pop_front(&mut self, var: VarId, path: &[usize]) -> Val {
        let rows = super::loops::part(&mut self.s.vars[var].val, path).clone();
        if matches!(rows, Val::Vacant(_) | Val::Never) {
            return Val::Never;
        }
        let (zero, one, len) = (self.s.b.int("0_usize"), self.s.b.int("1_usize"), self.length_of(&rows));
        let some = self.op(Op::Cmp(Cmp::Gt), &[len, zero]);
        let taken = self.guarded(some, &mut |this| {
            let first = this.part_at(&rows, zero, false);
            this.moved_out(first)
        });
        let by = self.op(Op::Select, &[some, one, zero]);
        let rest = self.op(Op::Sub, &[len, by]);
        let later = self.later(&rows, by, rest);
        self.set_at(var, path, later);
        taken
    }

    /// A vector without its first elements.
    fn later(&mut self, rows: &Val, by: Value, rest: Value) -> Val {
        match rows {
            Val::View(view) => {
                let start = view.range.map_or(by, |(start, _)| self.plus(start, by));
                Val::View(View { range: Some((start, rest)), ..view.clone() })
            }
            Val::Ragged(parts) => {
                let (starts, lens) = (self.later(&parts[1], by, rest), self.later(&parts[2], by, rest));
                Val::Ragged(vec![parts[0].clone(), starts, lens])
            }
            Val::Columns(inner) => Val::Columns(Box::new(self.later(inner, by, rest))),
            other => {
                let parts = other.parts().unwrap_or_default().to_vec();
                other.with_parts(parts.iter().map(|p| self.later(p, by, rest)).collect())
            }
        }
    }

    /// As std does, for an index that is beyond the end.
    fn assert_index(&mut self, fits: Cmp, at: Value, len: Value) {
        let fits = self.op(Op::Cmp(fits), &[at, len]);
        let hole = syn::Ident::new(&Verbatim::hole(0), proc_macro2::Span::call_site());
        let tokens = quote::quote!(::core::assert!(#hole, "an index beyond the end of a vector"));
        let verbatim = Verbatim::check(tokens, Vec::new());
        self.s.b.effect(InstKind::Effect(verbatim, vec![fits]));
    }

    /// Each of these elements changes places with the next.
    fn shift(&mut self, rows: &Val, range: &RangeSpec) {
        self.range_loop(range, &mut |this, k| {
            let one = this.s.b.int("1");
            let next = this.plus(k, one);
            this.exchange(rows, k, next);
            Flow::Falls
        });
    }
}
