//! Methods of arrays, slices and vectors beyond indexing: parts, ends, and what moves elements.

use quote::ToTokens;
use syn::spanned::Spanned;

use super::lower::Lower;
use super::place::Place;
use super::value::{Val, View};
use crate::ir::{Cmp, Op, StoreMode, Value};

impl Lower<'_> {
    /// A method of a slice; `None` if the macro does not know it.
    pub(super) fn slice_method(&mut self, view: &View, name: &str, e: &syn::ExprMethodCall) -> Option<Val> {
        let args: Vec<&syn::Expr> = e.args.iter().collect();
        let number = |this: &mut Self, k: usize| -> Option<Value> {
            let val = this.expr(args[k]).0;
            this.scalar(val, args[k].span())
        };
        let val = match (name, args.len()) {
            ("split_at" | "split_at_mut", 1) => {
                let k = number(self, 0)?;
                let len = self.len(view);
                self.check_range(view, None, k);
                let zero = self.s.b.int("0");
                let rest = self.op(Op::Sub, &[len, k]);
                let view = &if name == "split_at_mut" { self.changeable(view) } else { view.clone() };
                let (a, b) = (self.sub_view(view, zero, k), self.sub_view(view, k, rest));
                Val::Tuple(vec![Val::View(a), Val::View(b)])
            }
            ("first" | "first_mut" | "front" | "front_mut", 0) => {
                let zero = self.s.b.int("0");
                self.get(view, zero, name.ends_with("_mut"))
            }
            ("last" | "last_mut" | "back" | "back_mut", 0) => {
                let len = self.len(view);
                let (zero, one) = (self.s.b.int("0"), self.s.b.int("1"));
                let some = match self.literal_int(len) {
                    Some(n) => self.s.b.boolean(n > 0),
                    None => self.op(Op::Cmp(Cmp::Gt), &[len, zero]),
                };
                self.guarded(some, &mut |this| {
                    let k = this.op(Op::Sub, &[len, one]);
                    this.element(view, k, name.ends_with("_mut"))
                })
            }
            ("get" | "get_mut", 1) if !matches!(args[0], syn::Expr::Range(_)) => {
                let k = number(self, 0)?;
                self.get(view, k, name.ends_with("_mut"))
            }
            ("split_first" | "split_last", 0) => {
                let len = self.len(view);
                let (zero, one) = (self.s.b.int("0"), self.s.b.int("1"));
                let some = self.op(Op::Cmp(Cmp::Gt), &[len, zero]);
                let first = name == "split_first";
                self.guarded(some, &mut |this| {
                    let n = this.op(Op::Sub, &[len, one]);
                    let (at, start) = if first { (zero, one) } else { (n, zero) };
                    let end = this.element(view, at, false);
                    let rest = this.sub_view(view, start, n);
                    Val::Tuple(vec![end, Val::View(rest)])
                })
            }
            ("rotate_left" | "rotate_right", 1) | ("reverse", 0) => {
                self.moved_rows(&Val::View(view.clone()), e);
                Val::unit()
            }
            ("make_contiguous", 0) => Val::View(View { by_ref: true, ..view.clone() }),
            ("iter", 0) => return None,
            ("concat", 0) => {
                self.error(e.method.span(), "`concat` is not supported", "copy the parts in a loop");
                Val::Never
            }
            ("map", 1) => {
                // `[f64; N]::map`
                let f = self.callee(args[0])?;
                let kept = super::iterators::mentions(args[0], &e.receiver);
                let whole = View { by_ref: false, ..view.clone() };
                let items = self.iterate_by_value(Val::View(whole), kept, e.span())?;
                let it = std::rc::Rc::new(super::iterators::Iter::Map(items, f));
                let mut all = self.collect_vec(&it, "array", e.span());
                if let Val::View(made) = &all
                    && self.s.copied_in.contains(&view.buffer)
                {
                    self.s.copied_in.insert(made.buffer);
                }
                if let Some(dim @ crate::ir::Dim::Fixed(_)) = self.first_axis(&Val::View(view.clone())) {
                    self.fix_axis(&mut all, &dim);
                }
                all
            }
            (name, _) if super::sorting::sorts(name) => self.sort(&Val::View(view.clone()), e),
            ("partition_point" | "binary_search_by", 1) => self.searched(e)?,
            ("contains" | "iter", _) => {
                return Some(self.verbatim(
                    e.to_token_stream(),
                    e.method.span(),
                    &format!("`{name}` of active values is not supported"),
                    "compare in a loop, or with `any`",
                ));
            }
            _ => return None,
        };
        Some(val)
    }

    /// `x.partition_point(|v| *v < t)`, `x.binary_search_by(..)`: what comes out is data, whatever is compared.
    pub(super) fn searched(&mut self, e: &syn::ExprMethodCall) -> Option<Val> {
        let found = self.verbatim_operands(e.to_token_stream(), e.span())?;
        let int = e.method == "partition_point";
        let ty = if int { crate::ir::Type::Int } else { crate::ir::Type::Opaque };
        let v = self.s.b.op_typed(Op::Verbatim(found.verbatim), &found.args, ty);
        if int {
            self.s.ints.insert(v, "usize".into());
        }
        Some(Val::Scalar(v))
    }

    /// `rows.first()`, `rows.last()` of a vector that is kept in parts.
    pub(super) fn end_row(&mut self, rows: &Val, first: bool, mutable: bool) -> Val {
        let len = self.length_of(rows);
        let (zero, one) = (self.s.b.int("0"), self.s.b.int("1"));
        let some = self.op(Op::Cmp(Cmp::Gt), &[len, zero]);
        self.guarded(some, &mut |this| {
            let k = if first { zero } else { this.op(Op::Sub, &[len, one]) };
            this.part_at(rows, k, mutable)
        })
    }

    /// `rows.swap(i, j)` of a vector that is kept in parts.
    pub(super) fn swap_rows(&mut self, rows: &Val, e: &syn::ExprMethodCall) {
        let mut index = Vec::new();
        for a in &e.args {
            let val = self.expr(a).0;
            match self.scalar(val, a.span()) {
                Some(v) => index.push(v),
                None => return,
            }
        }
        self.exchange(rows, index[0], index[1]);
    }

    /// Two elements change places.
    pub(super) fn exchange(&mut self, rows: &Val, i: Value, j: Value) {
        self.swap_in(rows, i, j);
    }

    /// `rotate_left`, `rotate_right` and `reverse`.
    pub(super) fn moved_rows(&mut self, rows: &Val, e: &syn::ExprMethodCall) {
        if e.method == "reverse" {
            let (zero, len) = (self.s.b.int("0_usize"), self.length_of(rows));
            return self.reverse_rows(rows, zero, len);
        }
        let Some(by) = e.args.first() else { return };
        let val = self.expr(by).0;
        if let Some(by) = self.scalar(val, by.span()) {
            self.rotate_rows(rows, by, e.method == "rotate_left");
        }
    }

    fn swap_in(&mut self, rows: &Val, i: Value, j: Value) {
        match rows {
            Val::View(view) => match (self.index(view, i), self.index(view, j)) {
                (Place::Element(buffer, a), Place::Element(_, b)) => {
                    let (x, y) = (self.load(buffer, a.clone()), self.load(buffer, b.clone()));
                    self.store(buffer, a, y, StoreMode::Set);
                    self.store(buffer, b, x, StoreMode::Set);
                }
                (Place::Part(a), Place::Part(b)) => self.swap_views(&a, &b),
                _ => {}
            },
            // Rows change places: their elements stay where they are.
            Val::Ragged(parts) => {
                for part in &parts[1..] {
                    self.swap_in(part, i, j);
                }
            }
            other => {
                for part in other.parts().unwrap_or_default().to_vec() {
                    self.swap_in(&part, i, j);
                }
            }
        }
    }

    /// `x.get(k)`
    fn get(&mut self, view: &View, k: Value, mutable: bool) -> Val {
        let len = self.len(view);
        let some = match (self.literal_int(k), self.literal_int(len)) {
            (Some(k), Some(n)) => self.s.b.boolean(k < n),
            _ => self.op(Op::Cmp(Cmp::Lt), &[k, len]),
        };
        self.guarded(some, &mut |this| this.element(view, k, mutable))
    }

    /// Exchanges the contents of two views of one shape.
    pub(super) fn swap_views(&mut self, a: &View, b: &View) {
        let (a, b) = (a.clone(), b.clone());
        let lengths = (self.len(&a), self.len(&b));
        self.must_be_as_long(
            lengths.0,
            lengths.1,
            "a differentiated function exchanges vectors of equal lengths only",
        );
        self.for_each(&a.clone(), &mut Vec::new(), &mut |this, index| {
            let (i, j) = (this.absolute(&a, index), this.absolute(&b, index));
            let (x, y) = (this.load(a.buffer, i.clone()), this.load(b.buffer, j.clone()));
            this.store(a.buffer, i, y, StoreMode::Set);
            this.store(b.buffer, j, x, StoreMode::Set);
        });
    }

    /// That two lengths are equal, where that is not known: a run panics otherwise.
    pub(super) fn must_be_as_long(&mut self, a: Value, b: Value, message: &str) {
        if self.same_length(a, b) {
            return;
        }
        let [x, y] =
            [0, 1].map(|k| syn::Ident::new(&crate::ir::Verbatim::hole(k), proc_macro2::Span::call_site()));
        let tokens = quote::quote!(::core::assert_eq!(#x, #y, #message));
        let verbatim = crate::ir::Verbatim::check(tokens, Vec::new());
        self.s.b.effect(crate::ir::InstKind::Effect(verbatim, vec![a, b]));
    }
}
