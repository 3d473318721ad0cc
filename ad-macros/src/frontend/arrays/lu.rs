//! `m.lu()` of `nalgebra`, and what is built on it: solutions, inverses and determinants of matrices of any size. By elimination
//! with partial pivoting, as there; written as the Rust that a user would write, and lowered like it. Which rows change places
//! is a comparison of numbers and has no derivative.

use std::rc::Rc;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::frontend::lower::Lower;
use crate::frontend::value::{Fields, Val, View};

/// The name of what `lu` gives.
const FACTORS: &str = "__AdLu";

impl Lower<'_> {
    /// The value of Rust in which names stand for these values.
    pub(super) fn value_of(&mut self, names: &[(&str, Val)], code: TokenStream) -> Val {
        let Ok(code) = syn::parse2::<syn::Expr>(code) else { return Val::Never };
        self.scoped(|this| {
            for (name, val) in names {
                let var = this.new_var(name, true, val.clone());
                this.declare(name, var);
            }
            this.expr(&code).0
        })
    }

    /// `m.lu()`: both factors in one matrix, the order of the rows, and the sign of that order.
    pub(super) fn lu(&mut self, view: &View) -> Val {
        let (n, m) = (self.extent(view, 0), self.extent(view, 1));
        self.check_lengths_of(n, m, "the LU factors of a square matrix");
        let copy = self.copy_of(view, "lu");
        let made = self.value_of(
            &[("m", Val::View(copy.clone())), ("n", Val::Scalar(n))],
            quote!({
                let mut order = vec![0_usize; n];
                for i in 0..n {
                    order[i] = i;
                }
                let mut sign = 1.0;
                for k in 0..n {
                    let mut top = k;
                    for i in k + 1..n {
                        if m[(i, k)].abs() > m[(top, k)].abs() {
                            top = i;
                        }
                    }
                    if top != k {
                        for j in 0..n {
                            let upper = m[(k, j)];
                            m[(k, j)] = m[(top, j)];
                            m[(top, j)] = upper;
                        }
                        order.swap(k, top);
                        sign = -sign;
                    }
                    if m[(k, k)] != 0.0 {
                        for i in k + 1..n {
                            let factor = m[(i, k)] / m[(k, k)];
                            m[(i, k)] = factor;
                            for j in k + 1..n {
                                m[(i, j)] -= factor * m[(k, j)];
                            }
                        }
                    }
                }
                (order, sign)
            }),
        );
        let Val::Tuple(parts) = made else { return Val::Never };
        let path = Ident::new(FACTORS, Span::call_site()).into();
        let names = ["m", "order", "sign"].map(ToString::to_string).to_vec();
        let parts = std::iter::once(Val::View(copy)).chain(parts).collect();
        Val::Struct(Rc::new(Fields { path, names, opened: None }), parts)
    }

    /// A method of what `lu` gives; `None` if it is none, or of anything else.
    pub(in super::super) fn lu_method(&mut self, receiver: &Val, e: &syn::ExprMethodCall) -> Option<Val> {
        let Val::Struct(fields, parts) = receiver else { return None };
        let ([Val::View(m), order, sign], true) = (parts.as_slice(), fields.path.is_ident(FACTORS)) else {
            return None;
        };
        let (m, order, sign) = (m.clone(), order.clone(), sign.clone());
        let args: Vec<&syn::Expr> = e.args.iter().collect();
        match (e.method.to_string().as_str(), args.as_slice()) {
            ("solve", [b]) => {
                let b = self.array_argument(b)?;
                Some(self.solved(&m, &order, &b))
            }
            ("try_inverse", []) => {
                let (dims, elem) = (self.axes(&m), self.elem(&m));
                let unit = self.zeroed("unit", dims, &elem, true);
                let n = self.extent(&m, 0);
                self.value_of(
                    &[("unit", Val::View(unit.clone())), ("n", Val::Scalar(n))],
                    quote!({
                        for i in 0..n {
                            unit[(i, i)] = 1.0;
                        }
                    }),
                );
                Some(self.solved(&m, &order, &unit))
            }
            ("determinant", []) => Some(self.product_of_pivots(&m, sign)),
            ("is_invertible", []) => Some(self.has_pivots(&m)),
            _ => None,
        }
    }

    /// `m.determinant()` of a matrix that is not small.
    pub(super) fn determinant_by_lu(&mut self, view: &View) -> Val {
        match self.lu(view) {
            Val::Struct(_, parts) => match parts.as_slice() {
                [Val::View(m), _, sign] => self.product_of_pivots(m, sign.clone()),
                _ => Val::Never,
            },
            other => other,
        }
    }

    fn product_of_pivots(&mut self, m: &View, sign: Val) -> Val {
        let n = self.extent(m, 0);
        self.value_of(
            &[("m", Val::View(m.clone())), ("n", Val::Scalar(n)), ("sign", sign)],
            quote!({
                let mut product = 1.0;
                for i in 0..n {
                    product *= m[(i, i)];
                }
                product * sign
            }),
        )
    }

    fn has_pivots(&mut self, m: &View) -> Val {
        let n = self.extent(m, 0);
        self.value_of(
            &[("m", Val::View(m.clone())), ("n", Val::Scalar(n))],
            quote!({
                let mut good = true;
                for i in 0..n {
                    if m[(i, i)] == 0.0 {
                        good = false;
                    }
                }
                good
            }),
        )
    }

    /// `Some` of what solves the system, or of matrices of such.
    fn solved(&mut self, m: &View, order: &Val, b: &View) -> Val {
        let (n, rows) = (self.extent(m, 0), self.extent(b, 0));
        self.check_lengths_of(n, rows, "a system of equations: as many values as rows");
        let (dims, elem) = (self.axes(b), self.elem(b));
        let x = self.zeroed("solution", dims, &elem, true);
        let mut names = vec![
            ("m", Val::View(m.clone())),
            ("order", order.clone()),
            ("b", Val::View(b.clone())),
            ("x", Val::View(x.clone())),
            ("n", Val::Scalar(n)),
        ];
        let column = |at: &dyn Fn(TokenStream) -> TokenStream| {
            let ([from, to], other) = ([quote!(order[i]), quote!(i)].map(at), at(quote!(j)));
            quote!({
                for i in 0..n {
                    x[#to] = b[#from];
                    for j in 0..i {
                        x[#to] -= m[(i, j)] * x[#other];
                    }
                }
                for i in (0..n).rev() {
                    for j in i + 1..n {
                        x[#to] -= m[(i, j)] * x[#other];
                    }
                    x[#to] /= m[(i, i)];
                }
            })
        };
        let code = if self.rank(b) == 1 {
            column(&|i| i)
        } else {
            names.push(("count", Val::Scalar(self.extent(b, 1))));
            let code = column(&|i| quote!((#i, c)));
            quote!(for c in 0..count #code)
        };
        self.value_of(&names, code);
        let good = self.has_pivots(m);
        Val::Maybe(vec![good, Val::View(x), Val::Unset])
    }
}
