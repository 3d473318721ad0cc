//! What arrays do along an axis: folds, means, lanes, parts, axes that are inserted.

use std::rc::Rc;

use syn::spanned::Spanned;

use super::windows::Along;
use crate::frontend::iterators::Iter;
use crate::frontend::lower::Lower;
use crate::frontend::value::{Val, View};
use crate::ir::{Dim, InstKind, Op, Unary, Value};

impl Lower<'_> {
    /// A method that works along an axis, or on all elements; `None` if it is none.
    pub(super) fn axis_method(&mut self, view: &View, name: &str, e: &syn::ExprMethodCall) -> Option<Val> {
        if self.is_plain(view) || self.is_linear(view) {
            return None;
        }
        let args: Vec<&syn::Expr> = e.args.iter().collect();
        let rank = self.rank(view);
        let val = match (name, args.as_slice()) {
            ("insert_axis", [axis]) if rank == 1 => {
                let axis = self.axis_of(axis).filter(|axis| *axis < 2)?;
                self.with_axis(view, axis, e.method.span())
            }
            ("index_axis_mut" | "index_axis_move", [axis, k])
                if rank == 2 && (name == "index_axis_mut" || self.is_window(view)) =>
            {
                let axis = self.axis_of(axis).filter(|axis| *axis < 2)?;
                let k = self.number(k)?;
                self.lane_window(view, axis, k, e.method.span())
            }
            ("diag_mut", []) if rank == 2 => self.diagonal_window(view, e.method.span()),
            ("columns_mut", []) if rank == 2 => {
                let columns = self.transposed_window(view, e.method.span());
                Val::Iter(Rc::new(Iter::Elements { view: columns, mutable: true }))
            }
            ("axis_iter_mut" | "lanes_mut", [axis]) if rank == 2 => {
                let axis = self.axis_of(axis).filter(|axis| *axis < 2)?;
                // As `axis_iter` and `lanes`.
                let view = if (axis == 0) == (name == "axis_iter_mut") {
                    self.whole_window(view, e.method.span())
                } else {
                    self.transposed_window(view, e.method.span())
                };
                Val::Iter(Rc::new(Iter::Elements { view, mutable: true }))
            }
            ("rows_mut" | "outer_iter_mut", []) if rank == 2 => {
                let view = self.whole_window(view, e.method.span());
                Val::Iter(Rc::new(Iter::Elements { view, mutable: true }))
            }
            ("row_mut" | "column_mut", [k]) if rank == 2 => {
                let k = self.number(k)?;
                self.lane_window(view, usize::from(name == "column_mut"), k, e.method.span())
            }
            ("index_axis" | "index_axis_move", [axis, k]) if rank == 2 => {
                let axis = self.axis_of(axis)?;
                let k = self.expr(k).0;
                let k = self.scalar(k, e.span())?;
                self.lane(view, axis, k)
            }
            ("map_axis", [axis, f]) if rank == 2 => {
                let axis = self.axis_of(axis).filter(|axis| *axis < 2)?;
                let f = self.callee(f)?;
                let (dim, elem, view) = (self.axis(view, 1 - axis), self.elem(view), view.clone());
                let span = e.method.span();
                Val::View(self.build("lanes", vec![dim], &elem, false, &mut |this, i| {
                    let lane = this.lane(&view, 1 - axis, i[0]);
                    let val = this.apply(&f, vec![lane]);
                    let val = this.deref(val);
                    match this.scalar(val, span) {
                        Some(v) => v,
                        None => this.s.b.float(0.0, elem.clone()),
                    }
                }))
            }
            ("fold_axis", [axis, init, f]) if rank == 2 => {
                let axis = self.axis_of(axis).filter(|axis| *axis < 2)?;
                let init = self.expr(init).0;
                let f = self.callee(f)?;
                let (dim, elem, view) = (self.axis(view, 1 - axis), self.elem(view), view.clone());
                let span = e.method.span();
                Val::View(self.build("folds", vec![dim], &elem, false, &mut |this, i| {
                    let Val::View(lane) = this.lane(&view, 1 - axis, i[0]) else {
                        return this.s.b.float(0.0, elem.clone());
                    };
                    let items = Iter::Elements { view: lane, mutable: false };
                    let val = this.fold(&items, init.clone(), &f);
                    match this.scalar(val, span) {
                        Some(v) => v,
                        None => this.s.b.float(0.0, elem.clone()),
                    }
                }))
            }
            ("fold", [init, f]) => {
                let init = self.expr(init).0;
                let f = self.callee(f)?;
                let items = self.all_elements(view, false);
                self.fold(&items, init, &f)
            }
            ("var_axis" | "std_axis", [axis, ddof]) if rank == 2 => {
                let axis = self.axis_of(axis).filter(|axis| *axis < 2)?;
                let ddof = self.expr(ddof).0;
                let ddof = self.scalar(ddof, e.span())?;
                let (dim, elem, view) = (self.axis(view, 1 - axis), self.elem(view), view.clone());
                let root = name == "std_axis";
                Val::View(self.build("spread", vec![dim], &elem, false, &mut |this, i| match this.lane(
                    &view,
                    1 - axis,
                    i[0],
                ) {
                    Val::View(lane) => this.variance(&lane, ddof, root),
                    _ => this.s.b.float(0.0, elem.clone()),
                }))
            }
            ("var" | "std", [ddof]) => {
                let ddof = self.expr(ddof).0;
                let ddof = self.scalar(ddof, e.span())?;
                Val::Scalar(self.variance(view, ddof, name == "std"))
            }
            ("columns", []) if rank == 2 => {
                let Val::View(columns) = self.transposed(view) else { return Some(Val::Never) };
                Val::Iter(Rc::new(Iter::Elements { view: columns, mutable: false }))
            }
            ("axis_iter" | "lanes", [axis]) if rank == 2 => {
                let axis = self.axis_of(axis).filter(|axis| *axis < 2)?;
                // Lanes run along the axis, `axis_iter` across it.
                let rows = (axis == 0) == (name == "axis_iter");
                let view = if rows {
                    view.clone()
                } else {
                    let Val::View(columns) = self.transposed(view) else { return Some(Val::Never) };
                    columns
                };
                Val::Iter(Rc::new(Iter::Elements { view, mutable: false }))
            }
            ("split_at", [axis, k]) => {
                let axis = self.axis_of(axis).filter(|axis| *axis < rank)?;
                let k = self.expr(k).0;
                let k = self.scalar(k, e.span())?;
                let total = self.extent(view, axis);
                self.check_at_most(k, total);
                let (zero, rest) = (self.s.b.int("0"), self.op(Op::Sub, &[total, k]));
                let parts = [(zero, k), (k, rest)].map(|(start, len)| match (axis, self.is_window(view)) {
                    (0, _) => Val::View(self.sub_view(view, start, len)),
                    (_, true) => self.block_window(view, start, len, e.method.span()),
                    (_, false) => self.block_of_columns(view, start, len),
                });
                Val::Tuple(parts.to_vec())
            }
            ("broadcast", [shape]) => {
                let dims = self.shape_of(shape)?;
                let n = dims.len();
                if rank > n {
                    return None;
                }
                let (elem, view) = (self.elem(view), view.clone());
                for k in 1..=rank {
                    let (Dim::Dyn(wanted), is) = (dims[n - k].clone(), self.extent(&view, rank - k)) else {
                        return None;
                    };
                    if self.literal_int(is) != Some(1) {
                        self.check_lengths(wanted, is);
                    }
                }
                let made = self.build("array", dims, &elem, false, &mut |this, i| {
                    let index = this.broadcast_index(&view, &i[n - rank..]);
                    this.at_index(&view, &index)
                });
                let yes = self.s.b.boolean(true);
                Val::Maybe(vec![Val::Scalar(yes), Val::View(made), Val::Unset])
            }
            _ => return None,
        };
        Some(val)
    }

    /// A vector as a matrix of one row (`axis` 0) or one column.
    pub(super) fn with_axis(&mut self, view: &View, axis: usize, span: proc_macro2::Span) -> Val {
        let (n, one, elem) = (self.axis(view, 0), Dim::Fixed("1".into()), self.elem(view));
        let dims = if axis == 0 { vec![one, n] } else { vec![n, one] };
        if self.is_window(view) {
            return Val::View(self.window(view, vec![Along::from(None, 1 - axis)], dims, span));
        }
        let view = view.clone();
        Val::View(
            self.build("array", dims, &elem, false, &mut |this, i| this.at_index(&view, &[i[1 - axis]])),
        )
    }

    /// The number in `Axis(1)`, also where a variable holds it.
    pub(super) fn axis_of(&mut self, e: &syn::Expr) -> Option<usize> {
        if let Some(axis) = super::methods::axis_number(e) {
            return Some(axis);
        }
        let syn::Expr::Path(_) = e else { return None };
        let v = match self.expr(e).0 {
            Val::Struct(fields, parts) if fields.path.segments.last().is_some_and(|s| s.ident == "Axis") => {
                let Some(Val::Scalar(k)) = parts.first() else { return None };
                return self.literal_int(*k).and_then(|k| usize::try_from(k).ok());
            }
            Val::Scalar(v) => v,
            _ => return None,
        };
        let mut v = v;
        loop {
            let Some(InstKind::Pure(Op::Verbatim(verbatim), args)) = self.s.b.definition(v) else {
                return None;
            };
            match args.as_slice() {
                [] => return super::methods::axis_number(&syn::parse2(verbatim.code.tokens()).ok()?),
                // With its type written out.
                [inner] => v = *inner,
                _ => return None,
            }
        }
    }

    /// Row (`axis` 0) or column `k` of a matrix.
    fn lane(&mut self, view: &View, axis: usize, k: Value) -> Val {
        if axis == 0 {
            match self.element(view, k, false) {
                Val::View(row) => {
                    self.s.arrays.insert(row.buffer);
                    Val::View(row)
                }
                other => other,
            }
        } else {
            self.column(view, k)
        }
    }

    /// All elements, by rows.
    pub(in super::super) fn all_elements(&self, view: &View, mutable: bool) -> Iter {
        if self.rank(view) == 2 {
            Iter::Grid { view: view.clone(), mutable, shaped: false }
        } else {
            Iter::Elements { view: view.clone(), mutable }
        }
    }

    /// The mean square deviation from the mean, over `n - ddof`, or its root.
    fn variance(&mut self, view: &View, ddof: Value, root: bool) -> Value {
        let sum = self.total(view, &mut |_, v| v);
        let mean = self.over_count(view, sum);
        let squares = self.total(view, &mut |this, v| {
            let d = this.op(Op::Sub, &[v, mean]);
            this.op(Op::Mul, &[d, d])
        });
        let mut n = self.extent(view, 0);
        if self.rank(view) == 2 {
            let m = self.extent(view, 1);
            n = self.op(Op::Mul, &[n, m]);
        }
        let n = self.as_float(n, squares);
        let n = self.op(Op::Sub, &[n, ddof]);
        let variance = self.op(Op::Div, &[squares, n]);
        if root { self.op(Op::Unary(Unary::Sqrt), &[variance]) } else { variance }
    }

    /// Columns `start .. start + len`, copied.
    pub(super) fn block_of_columns(&mut self, rows: &View, start: Value, len: Value) -> Val {
        let (dims, elem) = (vec![self.axis(rows, 0), Dim::Dyn(len)], self.elem(rows));
        let rows = rows.clone();
        Val::View(self.build("block", dims, &elem, false, &mut |this, i| {
            let j = this.plus(start, i[1]);
            this.at_index(&rows, &[i[0], j])
        }))
    }

    /// The extents in `(n, m)` or `n`.
    pub(super) fn shape_of(&mut self, e: &syn::Expr) -> Option<Vec<Dim>> {
        let list: Vec<&syn::Expr> = match e {
            syn::Expr::Tuple(t) => t.elems.iter().collect(),
            syn::Expr::Array(a) => a.elems.iter().collect(),
            // Of an array that is data.
            syn::Expr::MethodCall(m)
                if ["dim", "raw_dim"].iter().any(|name| m.method == name)
                    && let Some(ty) = self.declared(&m.receiver)
                    && let Some(array) = super::types::foreign(&ty, &self.sig.floats)
                    && self.is_foreign(&m.receiver) =>
            {
                let mut dims = Vec::new();
                for axis in 0..array.dims.len() {
                    let of = &m.receiver;
                    let length = self.expr(&syn::parse_quote!(#of.shape()[#axis])).0;
                    let length = self.scalar(length, e.span())?;
                    self.s.ints.insert(length, "usize".into());
                    dims.push(Dim::Dyn(length));
                }
                return Some(dims);
            }
            other => match self.expr(other).0 {
                Val::Tuple(parts) => {
                    let mut dims = Vec::new();
                    for part in parts {
                        dims.push(Dim::Dyn(self.scalar(part, e.span())?));
                    }
                    return Some(dims);
                }
                val => return Some(vec![Dim::Dyn(self.scalar(val, e.span())?)]),
            },
        };
        let mut dims = Vec::new();
        for n in list {
            let val = self.expr(n).0;
            dims.push(Dim::Dyn(self.scalar(val, n.span())?));
        }
        Some(dims)
    }

    /// As `ndarray` does, a part beyond the end panics.
    fn check_at_most(&mut self, k: Value, total: Value) {
        let [p, q] =
            [0, 1].map(|k| syn::Ident::new(&crate::ir::Verbatim::hole(k), proc_macro2::Span::call_site()));
        let tokens = quote::quote!(::core::assert!(#p <= #q, "a part beyond the end of an array"));
        let verbatim = crate::ir::Verbatim::check(tokens, Vec::new());
        self.s.b.effect(InstKind::Effect(verbatim, vec![k, total]));
    }

    /// The index of an element where axes of one element are repeated.
    pub(super) fn broadcast_index(&mut self, view: &View, index: &[Value]) -> Vec<Value> {
        let zero = self.s.b.int("0");
        (0..index.len()).map(|k| if self.is_one(view, k) { zero } else { index[k] }).collect()
    }

    /// Whether an axis is known to have one element.
    pub(super) fn is_one(&self, view: &View, axis: usize) -> bool {
        let dim = &self.s.b.func.buffer(view.buffer).dims[view.prefix.len() + axis];
        (axis > 0 || view.range.is_none()) && matches!(dim, Dim::Fixed(n) if &**n == "1")
    }
}
