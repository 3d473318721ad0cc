//! Products of vectors and matrices.

use proc_macro2::Span;

use crate::frontend::lower::Lower;
use crate::frontend::value::{Val, View};
use crate::ir::{Op, Unary};

impl Lower<'_> {
    /// `a.dot(&b)` of `ndarray`, `a * b` of `nalgebra`: by the ranks of both.
    pub(super) fn matrix_product(&mut self, a: &View, b: &View, span: Span) -> Val {
        let elem = self.elem(a);
        let linear = self.is_linear(a) || self.is_linear(b);
        let (a, b) = (a.clone(), b.clone());
        let (last, first) = (self.extent(&a, self.rank(&a) - 1), self.len(&b));
        self.check_lengths(last, first);
        match (self.rank(&a), self.rank(&b)) {
            (1, 1) => self.inner_product(&a, &b),
            (2, 1) => {
                let (rows, n) = (self.axis(&a, 0), self.extent(&a, 1));
                Val::View(self.build("product", vec![rows], &elem, linear, &mut |this, index| {
                    this.sum_of(n, &mut |this, k| {
                        let (x, y) = (this.at_index(&a, &[index[0], k]), this.at_index(&b, &[k]));
                        this.op(Op::Mul, &[x, y])
                    })
                }))
            }
            (1, 2) => {
                let (columns, n) = (self.axis(&b, 1), self.extent(&b, 0));
                Val::View(self.build("product", vec![columns], &elem, linear, &mut |this, index| {
                    this.sum_of(n, &mut |this, k| {
                        let (x, y) = (this.at_index(&a, &[k]), this.at_index(&b, &[k, index[0]]));
                        this.op(Op::Mul, &[x, y])
                    })
                }))
            }
            (2, 2) => {
                let dims = vec![self.axis(&a, 0), self.axis(&b, 1)];
                let n = self.extent(&a, 1);
                Val::View(self.build("product", dims, &elem, linear, &mut |this, index| {
                    this.sum_of(n, &mut |this, k| {
                        let (x, y) = (this.at_index(&a, &[index[0], k]), this.at_index(&b, &[k, index[1]]));
                        this.op(Op::Mul, &[x, y])
                    })
                }))
            }
            _ => {
                self.error(span, "this product is not supported", "multiply vectors and matrices");
                Val::Never
            }
        }
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
