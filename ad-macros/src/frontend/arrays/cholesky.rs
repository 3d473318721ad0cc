//! `m.cholesky()` of `nalgebra`: the factor, and what is solved with it. As there, only the lower triangle is read, and there is
//! no factor where a pivot is not positive.

use std::rc::Rc;

use proc_macro2::Span;

use crate::frontend::loops::RangeSpec;
use crate::frontend::lower::{Flow, Lower};
use crate::frontend::value::{Fields, Val, View};
use crate::ir::{Cmp, Op, StoreMode, Unary, Value};

/// The name of what `cholesky` gives.
const FACTOR: &str = "__AdCholesky";

impl Lower<'_> {
    fn each(&mut self, lo: Value, hi: Value, f: &mut dyn FnMut(&mut Self, Value)) {
        self.range_loop(&RangeSpec::new(lo, hi, false), &mut |this, k| {
            f(this, k);
            Flow::Falls
        });
    }

    /// The sum of products `a(k) * b(k)` for `k` in `lo .. hi`.
    fn products(&mut self, lo: Value, hi: Value, f: &mut dyn FnMut(&mut Self, Value) -> Value) -> Value {
        let n = if self.literal_int(lo) == Some(0) { hi } else { self.op(Op::Sub, &[hi, lo]) };
        self.sum_of(n, &mut |this, k| {
            let k = this.plus(lo, k);
            f(this, k)
        })
    }

    /// `m.cholesky()`
    pub(super) fn cholesky(&mut self, view: &View) -> Val {
        let (n, m) = (self.extent(view, 0), self.extent(view, 1));
        self.check_lengths_of(n, m, "the Cholesky factor of a square matrix");
        let (dims, elem, a) = (self.axes(view), self.elem(view), view.clone());
        let l = self.zeroed("l", dims, &elem, true);
        let yes = self.s.b.boolean(true);
        let good = self.new_var("positive", true, Val::Scalar(yes));
        let zero = self.s.b.int("0_usize");
        self.each(zero, n, &mut |this, i| {
            this.each(zero, i, &mut |this, j| {
                let dot = this.products(zero, j, &mut |this, k| {
                    let (x, y) = (this.at_index(&l, &[i, k]), this.at_index(&l, &[j, k]));
                    this.op(Op::Mul, &[x, y])
                });
                let (v, pivot) = (this.at_index(&a, &[i, j]), this.at_index(&l, &[j, j]));
                let v = this.op(Op::Sub, &[v, dot]);
                let v = this.op(Op::Div, &[v, pivot]);
                this.store(l.buffer, vec![i, j], v, StoreMode::Set);
            });
            let squares = this.products(zero, i, &mut |this, k| {
                let x = this.at_index(&l, &[i, k]);
                this.op(Op::Mul, &[x, x])
            });
            let v = this.at_index(&a, &[i, i]);
            let v = this.op(Op::Sub, &[v, squares]);
            let nought = this.s.b.float_like(0.0, v);
            let positive = this.op(Op::Cmp(Cmp::Gt), &[v, nought]);
            if let Val::Scalar(before) = this.s.vars[good].val {
                let all = this.op(Op::And, &[before, positive]);
                this.set(good, Val::Scalar(all));
            }
            // What is computed behind a pivot that is not positive is not used.
            let unit = this.s.b.float_like(1.0, v);
            let v = this.op(Op::Select, &[positive, v, unit]);
            let root = this.op(Op::Unary(Unary::Sqrt), &[v]);
            this.store(l.buffer, vec![i, i], root, StoreMode::Set);
        });
        let path = syn::Ident::new(FACTOR, Span::call_site()).into();
        let fields = Fields { path, names: vec!["l".to_string()], opened: None };
        let factor = Val::Struct(Rc::new(fields), vec![Val::View(l)]);
        Val::Maybe(vec![self.s.vars[good].val.clone(), factor, Val::Unset])
    }

    /// A method of what `cholesky` gives; `None` if it is none, or of anything else.
    pub(in super::super) fn factor_method(&mut self, receiver: &Val, e: &syn::ExprMethodCall) -> Option<Val> {
        let Val::Struct(fields, parts) = receiver else { return None };
        let ([Val::View(l)], true) = (parts.as_slice(), fields.path.is_ident(FACTOR)) else { return None };
        let l = l.clone();
        let n = self.extent(&l, 0);
        let args: Vec<&syn::Expr> = e.args.iter().collect();
        Some(match (e.method.to_string().as_str(), args.as_slice()) {
            ("l" | "l_dirty" | "unpack" | "unpack_dirty", []) => Val::View(self.copy_of(&l, "l")),
            ("determinant", []) => {
                let product = self.new_var("determinant", true, Val::Unset);
                let one = self.s.b.float(1.0, self.elem(&l));
                self.s.vars[product].val = Val::Scalar(one);
                let zero = self.s.b.int("0_usize");
                self.each(zero, n, &mut |this, k| {
                    let d = this.at_index(&l, &[k, k]);
                    if let Val::Scalar(now) = this.s.vars[product].val {
                        let square = this.op(Op::Mul, &[d, d]);
                        let next = this.op(Op::Mul, &[now, square]);
                        this.s.vars[product].val = Val::Scalar(next);
                    }
                });
                self.s.vars[product].val.clone()
            }
            ("ln_determinant", []) => {
                let sum = self.sum_of(n, &mut |this, k| {
                    let d = this.at_index(&l, &[k, k]);
                    this.op(Op::Unary(Unary::Ln), &[d])
                });
                Val::Scalar(self.op(Op::Add, &[sum, sum]))
            }
            ("solve", [b]) => {
                let b = self.array_argument(b)?;
                let (rows, elem, dims) = (self.extent(&b, 0), self.elem(&b), self.axes(&b));
                self.check_lengths_of(n, rows, "a system of equations: as many values as rows");
                let x = self.build("solution", dims, &elem, true, &mut |this, i| this.at_index(&b, i));
                self.solve_in_place(&l, &x);
                Val::View(x)
            }
            ("inverse", []) => {
                let (dims, elem) = (self.axes(&l), self.elem(&l));
                let x = self.zeroed("inverse", dims, &elem, true);
                let zero = self.s.b.int("0_usize");
                self.each(zero, n, &mut |this, k| {
                    let one = this.s.b.float(1.0, elem.clone());
                    this.store(x.buffer, vec![k, k], one, StoreMode::Set);
                });
                self.solve_in_place(&l, &x);
                Val::View(x)
            }
            _ => return None,
        })
    }

    /// `x` becomes the solution of `l lᵀ y = x`.
    fn solve_in_place(&mut self, l: &View, x: &View) {
        let zero = self.s.b.int("0_usize");
        if self.rank(x) == 1 {
            return self.solve_column(l, x, &[]);
        }
        let m = self.extent(x, 1);
        let x = x.clone();
        self.each(zero, m, &mut |this, j| this.solve_column(l, &x, &[j]));
    }

    fn solve_column(&mut self, l: &View, x: &View, column: &[Value]) {
        let n = self.extent(l, 0);
        let (zero, one) = (self.s.b.int("0_usize"), self.s.b.int("1"));
        let at = |i: Value| -> Vec<Value> { std::iter::once(i).chain(column.iter().copied()).collect() };
        for forward in [true, false] {
            let spec = RangeSpec { rev: !forward, ..RangeSpec::new(zero, n, false) };
            self.range_loop(&spec, &mut |this, i| {
                let next = this.op(Op::Add, &[i, one]);
                let (lo, hi) = if forward { (zero, i) } else { (next, n) };
                let dot = this.products(lo, hi, &mut |this, k| {
                    let a = this.at_index(l, &if forward { [i, k] } else { [k, i] });
                    let v = this.at_index(x, &at(k));
                    this.op(Op::Mul, &[a, v])
                });
                let (v, pivot) = (this.at_index(x, &at(i)), this.at_index(l, &[i, i]));
                let v = this.op(Op::Sub, &[v, dot]);
                let v = this.op(Op::Div, &[v, pivot]);
                this.store(x.buffer, at(i), v, StoreMode::Set);
                Flow::Falls
            });
        }
    }
}
