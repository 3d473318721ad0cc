//! Methods of `nalgebra` that are short in terms of others: written as the Rust that a user would write, and lowered like it.

use quote::quote;

use crate::frontend::lower::Lower;
use crate::frontend::value::{Val, View};

impl Lower<'_> {
    /// Such a method; `None` if it is none.
    pub(super) fn geometry(&mut self, view: &View, e: &syn::ExprMethodCall) -> Option<Val> {
        if !self.is_linear(view) {
            return None;
        }
        let rank = self.rank(view);
        let args: Vec<&syn::Expr> = e.args.iter().collect();
        let code = match (e.method.to_string().as_str(), args.as_slice()) {
            // As there, rounding leads to no angle beyond the ends.
            ("angle", [_]) => quote!({
                let product = a.dot(&b);
                let (n, m) = (a.norm(), b.norm());
                if n == 0.0 || m == 0.0 {
                    0.0
                } else {
                    let cosine = product / (n * m);
                    if cosine > 1.0 {
                        0.0
                    } else if cosine < -1.0 {
                        ::core::f64::consts::PI
                    } else {
                        cosine.acos()
                    }
                }
            }),
            // Vectors have one column.
            ("map_with_location", [_]) if rank == 1 => quote!({
                let mut m = a.clone();
                for i in 0..a.len() {
                    m[i] = b(i, 0_usize, a[i]);
                }
                m
            }),
            ("map_with_location", [_]) => quote!({
                let mut m = a.clone();
                for i in 0..a.nrows() {
                    for j in 0..a.ncols() {
                        m[(i, j)] = b(i, j, a[(i, j)]);
                    }
                }
                m
            }),
            ("metric_distance", [_]) => quote!((a - b).norm()),
            ("add_scalar", [_]) => quote!(a.map(|x| x + b)),
            ("scale", [_]) => quote!(a * b),
            ("unscale", [_]) => quote!(a / b),
            ("tr_mul", [_]) => quote!(a.transpose() * b),
            ("tr_dot", [_]) => quote!(a.transpose().dot(&b)),
            ("cross_matrix", []) if rank == 1 => quote!({
                let mut m = Matrix3::zeros();
                m[(0, 1)] = -a[2];
                m[(0, 2)] = a[1];
                m[(1, 0)] = a[2];
                m[(1, 2)] = -a[0];
                m[(2, 0)] = -a[1];
                m[(2, 1)] = a[0];
                m
            }),
            _ => return None,
        };
        let mut names = vec![("a", Val::View(view.clone()))];
        if let [b] = args.as_slice() {
            names.push(("b", self.expr(b).0));
        }
        Some(self.value_of(&names, code))
    }
}
