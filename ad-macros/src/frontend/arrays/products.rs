//! Products of vectors and matrices.

use proc_macro2::Span;

use crate::frontend::lower::Lower;
use crate::frontend::value::{Val, View};
use crate::ir::{Buffer, Dim, Factor, InstKind, Layout, Op, Product, Storage, StoreMode, Unary, Value};

impl Lower<'_> {
    /// `a.dot(&b)` of `ndarray`, `a * b` of `nalgebra`: by the ranks of both.
    pub(super) fn matrix_product(&mut self, a: &View, b: &View, span: Span) -> Val {
        let linear = self.is_linear(a) || self.is_linear(b);
        if linear
            && self.rank(a) == 1
            && let Some(product) = self.column_by_row(a, b)
        {
            return product;
        }
        let ranks = (self.rank(a), self.rank(b));
        if !matches!(ranks, (1 | 2, 1 | 2)) {
            self.error(span, "this product is not supported", "multiply vectors and matrices");
            return Val::Never;
        }
        let (last, first) = (self.extent(a, ranks.0 - 1), self.len(b));
        if ranks == (1, 1) {
            self.check_lengths(last, first);
            return self.inner_product(a, b);
        }
        let what = match ranks {
            (2, 2) => "a product of matrices: as many columns in the first as rows in the second",
            (2, _) => "a product of a matrix and a vector: as many columns as elements",
            _ => "a product of a vector and a matrix: as many elements as rows",
        };
        self.check_lengths_of(last, first, what);
        let mut dims = Vec::new();
        if ranks.0 == 2 {
            dims.push(self.axis(a, 0));
        }
        if ranks.1 == 2 {
            dims.push(self.axis(b, 1));
        }
        let elem = self.elem(a);
        if self.is_small(a) && self.is_small(b) || !elem.is_float() || !self.elem(b).is_float() {
            return self.summed_product(a, b, dims, linear, last);
        }
        let (a, b) = (self.factor(a), self.factor(b));
        let view = self.zeroed("product", dims, &elem, linear);
        if self.s.tainted_buffers.contains(&a) || self.s.tainted_buffers.contains(&b) {
            self.s.tainted_buffers.insert(view.buffer);
        }
        let (a, b) = (Factor::new(a, false), Factor::new(b, false));
        // A vector from the left is one from the right of the transpose.
        let (a, b) = if ranks.0 == 1 { (b.t(), a) } else { (a, b) };
        let into = Factor::new(view.buffer, false);
        self.s.b.effect(InstKind::Product(Product { into, a, b, mode: StoreMode::Set }));
        Val::View(view)
    }

    /// A vector of `nalgebra` is a column: what stands right of it has one row. `None` if it has not, as far as is known.
    fn column_by_row(&mut self, a: &View, b: &View) -> Option<Val> {
        let is_one = |this: &Self, view: &View| {
            let axis = &this.s.b.func.buffer(view.buffer).dims[view.prefix.len()];
            view.range.is_none() && matches!(axis, Dim::Fixed(n) if **n == *"1")
        };
        if !is_one(self, b) {
            return None;
        }
        let (a, b, elem) = (a.clone(), self.row_itself(b), self.elem(a));
        if !is_one(self, &b) {
            let dims = vec![self.axis(&a, 0), self.axis(&b, 0)];
            return Some(Val::View(self.build("product", dims, &elem, true, &mut |this, index| {
                let (x, y) = (this.at_index(&a, &[index[0]]), this.at_index(&b, &[index[1]]));
                this.op(Op::Mul, &[x, y])
            })));
        }
        let zero = self.s.b.int("0");
        let by = self.at_index(&b, &[zero]);
        Some(self.mapped(&a, &mut |this, x| this.op(Op::Mul, &[x, by])))
    }

    /// Whether all extents are in the type: loops over so little are unrolled.
    fn is_small(&self, view: &View) -> bool {
        let dims = &self.s.b.func.buffer(view.buffer).dims[view.prefix.len()..];
        view.range.is_none() && dims.iter().all(|d| matches!(d, Dim::Fixed(_)))
    }

    /// A buffer that is all of a view: its own, or a copy.
    fn factor(&mut self, view: &View) -> Buffer {
        let data = self.s.b.func.buffer(view.buffer);
        let whole = view.prefix.is_empty()
            && view.range.is_none()
            && !data.grows
            && data.field.is_none()
            && !self.is_window(view);
        let foreign = data.layout != Layout::Nested || data.dims.len() == 1;
        match data.storage {
            Storage::Local if whole => view.buffer,
            Storage::Shared if whole && foreign => view.buffer,
            _ => {
                let (dims, elem, linear) = (self.axes(view), self.elem(view), self.is_linear(view));
                let view = view.clone();
                self.build("factor", dims, &elem, linear, &mut |this, index| this.at_index(&view, index))
                    .buffer
            }
        }
    }

    /// A product as sums, for what is small.
    fn summed_product(&mut self, a: &View, b: &View, dims: Vec<Dim>, linear: bool, n: Value) -> Val {
        let elem = self.elem(a);
        let (a, b) = (a.clone(), b.clone());
        let (of_a, of_b) = (self.rank(&a) - 1, self.rank(&b) - 1);
        Val::View(self.build("product", dims, &elem, linear, &mut |this, index| {
            this.sum_of(n, &mut |this, k| {
                let left: Vec<Value> = index[..of_a].iter().copied().chain([k]).collect();
                let right: Vec<Value> =
                    [k].into_iter().chain(index[of_a..][..of_b].iter().copied()).collect();
                let (x, y) = (this.at_index(&a, &left), this.at_index(&b, &right));
                this.op(Op::Mul, &[x, y])
            })
        }))
    }

    pub(super) fn inner_product(&mut self, a: &View, b: &View) -> Val {
        let n = self.len(a);
        let (a, b) = (a.clone(), b.clone());
        if self.rank(&a) == 2 && self.rank(&b) == 2 {
            let m = self.extent(&a, 1);
            return Val::Scalar(self.sum_of(n, &mut |this, i| {
                this.sum_of(m, &mut |this, j| {
                    let (x, y) = (this.at_index(&a, &[i, j]), this.at_index(&b, &[i, j]));
                    this.op(Op::Mul, &[x, y])
                })
            }));
        }
        Val::Scalar(self.sum_of(n, &mut |this, k| {
            let (x, y) = (this.at_index(&a, &[k]), this.at_index(&b, &[k]));
            this.op(Op::Mul, &[x, y])
        }))
    }

    /// The sum of a function of all elements.
    pub(super) fn total(
        &mut self,
        view: &View,
        f: &mut dyn FnMut(&mut Self, crate::ir::Value) -> crate::ir::Value,
    ) -> crate::ir::Value {
        let n = self.len(view);
        let view = view.clone();
        if self.rank(&view) == 1 {
            return self.sum_of(n, &mut |this, k| {
                let v = this.at_index(&view, &[k]);
                f(this, v)
            });
        }
        let m = self.extent(&view, 1);
        self.sum_of(n, &mut |this, i| {
            this.sum_of(m, &mut |this, j| {
                let v = this.at_index(&view, &[i, j]);
                f(this, v)
            })
        })
    }

    /// `v.norm_squared()`
    pub(super) fn norm_squared(&mut self, view: &View) -> crate::ir::Value {
        self.total(view, &mut |this, v| this.op(Op::Mul, &[v, v]))
    }

    pub(super) fn norm(&mut self, view: &View) -> crate::ir::Value {
        let square = self.norm_squared(view);
        self.op(Op::Unary(Unary::Sqrt), &[square])
    }

    /// The transpose, as a new matrix.
    pub(super) fn transposed(&mut self, view: &View) -> Val {
        if self.rank(view) != 2 {
            return Val::View(view.clone());
        }
        let dims = vec![self.axis(view, 1), self.axis(view, 0)];
        let (elem, linear) = (self.elem(view), self.is_linear(view));
        // A row becomes a vector.
        if self.is_row(view) {
            let row = self.row_itself(view);
            let dims = vec![self.axis(&row, 0)];
            return Val::View(
                self.build("column", dims, &elem, true, &mut |this, index| this.at_index(&row, &[index[0]])),
            );
        }
        let view = view.clone();
        Val::View(self.build("transposed", dims, &elem, linear, &mut |this, index| {
            this.at_index(&view, &[index[1], index[0]])
        }))
    }

    /// `a.cross(&b)`
    pub(super) fn cross(&mut self, a: &View, b: &View) -> Val {
        let (elem, dims) = (self.elem(a), self.axes(a));
        let result = self.build("cross", dims, &elem, true, &mut |this, _| this.s.b.float(0.0, elem.clone()));
        let index: Vec<crate::ir::Value> = (0..3).map(|k| self.s.b.int(&k.to_string())).collect();
        for k in 0..3 {
            let (i, j) = (index[(k + 1) % 3], index[(k + 2) % 3]);
            let (p, q) = (self.at_index(a, &[i]), self.at_index(b, &[j]));
            let (r, s) = (self.at_index(a, &[j]), self.at_index(b, &[i]));
            let (x, y) = (self.op(Op::Mul, &[p, q]), self.op(Op::Mul, &[r, s]));
            let v = self.op(Op::Sub, &[x, y]);
            self.store(result.buffer, vec![index[k]], v, crate::ir::StoreMode::Set);
        }
        Val::View(result)
    }
}
