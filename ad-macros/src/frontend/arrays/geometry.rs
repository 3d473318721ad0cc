//! Methods of `nalgebra` that are short in terms of others: written as the Rust that a user would write, and lowered like it.

use quote::quote;

use crate::frontend::lower::Lower;
use crate::frontend::value::{Val, View};
use crate::ir::{Dim, FloatKind, Type};

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
            // Of rotations; matrices have no such method.
            ("inverse", []) if rank == 2 => quote!(a.transpose()),
            // The vector with one element more.
            ("push", [_]) if rank == 1 => {
                let data = self.s.b.func.buffer(view.buffer);
                let elem: proc_macro2::TokenStream = match &data.elem {
                    Type::Float(FloatKind::F32) => quote!(f32),
                    Type::Float(FloatKind::Param(name)) => name.parse().ok()?,
                    _ => quote!(f64),
                };
                let Some(Dim::Fixed(n)) = data.dims.get(view.prefix.len()) else { return None };
                let n: usize = n.parse().ok()?;
                let [n, more] = [n, n + 1].map(proc_macro2::Literal::usize_unsuffixed);
                quote!({
                    let mut m = SVector::<#elem, #more>::zeros();
                    for i in 0..#n {
                        m[i] = a[i];
                    }
                    m[#n] = b;
                    m
                })
            }
            _ => return None,
        };
        let mut names = vec![("a", Val::View(view.clone()))];
        if let [b] = args.as_slice() {
            names.push(("b", self.expr(b).0));
        }
        Some(self.value_of(&names, code))
    }

    /// Rotations, which are their matrices here: all that `nalgebra` lets one do with both is the same for both.
    pub(super) fn rotation(&mut self, ty: &str, name: &str, args: &[&syn::Expr]) -> Option<Val> {
        let (names, code): (&[&str], _) = match (ty, name, args.len()) {
            ("Rotation2", "new", 1) => (
                &["a"],
                quote!({
                    let (s, c) = a.sin_cos();
                    Matrix2::new(c, -s, s, c)
                }),
            ),
            ("Rotation3", "from_euler_angles", 3) => (
                &["a", "b", "c"],
                quote!({
                    let (sr, cr) = a.sin_cos();
                    let (sp, cp) = b.sin_cos();
                    let (sy, cy) = c.sin_cos();
                    Matrix3::new(
                        cy * cp,
                        cy * sp * sr - sy * cr,
                        cy * sp * cr + sy * sr,
                        sy * cp,
                        sy * sp * sr + cy * cr,
                        sy * sp * cr - cy * sr,
                        -sp,
                        cp * sr,
                        cp * cr,
                    )
                }),
            ),
            _ => return None,
        };
        let given = names.iter().zip(args).map(|(name, a)| (*name, self.expr(a).0)).collect::<Vec<_>>();
        Some(self.value_of(&given, code))
    }
}
