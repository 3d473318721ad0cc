//! Parts of `nalgebra`'s matrices to read: `m.fixed_view::<3, 1>(0, 3)`, `m.rows(1, 2)`, `v.xy()`. Copies: nothing is written
//! through them.

use quote::ToTokens;

use crate::frontend::lower::Lower;
use crate::frontend::value::{Val, View};
use crate::ir::{Dim, Value};

impl Lower<'_> {
    /// Such a part; `None` if the method gives none.
    pub(super) fn part_of_matrix(&mut self, view: &View, e: &syn::ExprMethodCall) -> Option<Val> {
        if !self.is_linear(view) {
            return None;
        }
        let (name, rank) = (e.method.to_string(), self.rank(view));
        let args: Vec<&syn::Expr> = e.args.iter().collect();
        let fixed: Vec<Dim> = e
            .turbofish
            .iter()
            .flat_map(|t| &t.args)
            .map(|a| Dim::Fixed(a.to_token_stream().to_string().into()))
            .collect();
        let whole = self.axes(view);
        let zero = self.s.b.int("0_usize");
        // What begins where, and is how long; a matrix of one column is a vector.
        let (start, mut dims) = match (name.as_str(), args.as_slice(), fixed.as_slice()) {
            ("fixed_view" | "fixed_slice", [r, c], [_, _]) => (vec![self.number(r)?, self.number(c)?], fixed),
            ("fixed_rows", [r], [n]) if rank == 1 => (vec![self.number(r)?], vec![n.clone()]),
            ("fixed_rows", [r], [n]) => (vec![self.number(r)?, zero], vec![n.clone(), whole[1].clone()]),
            ("fixed_columns", [c], [n]) if rank == 2 => {
                (vec![zero, self.number(c)?], vec![whole[0].clone(), n.clone()])
            }
            ("rows", [r, n], []) => {
                let (r, n) = (self.number(r)?, self.number(n)?);
                let (start, dims) = ([r, zero], [&[Dim::Dyn(n)], &whole[1..]].concat());
                (start[..rank].to_vec(), dims)
            }
            ("columns", [c, n], []) if rank == 2 => {
                let (c, n) = (self.number(c)?, self.number(n)?);
                (vec![zero, c], vec![whole[0].clone(), Dim::Dyn(n)])
            }
            ("row", [r], []) if rank == 2 => {
                (vec![self.number(r)?, zero], vec![Dim::Fixed("1".into()), whole[1].clone()])
            }
            ("xy", [], []) if rank == 1 => (vec![zero], vec![Dim::Fixed("2".into())]),
            ("xyz", [], []) if rank == 1 => (vec![zero], vec![Dim::Fixed("3".into())]),
            _ => return None,
        };
        let is_column = rank == 2 && dims[1] == Dim::Fixed("1".into());
        if is_column {
            dims.pop();
        }
        let (elem, view) = (self.elem(view), view.clone());
        Some(Val::View(self.build("part", dims, &elem, true, &mut |this, index| {
            let at: Vec<Value> = start
                .iter()
                .enumerate()
                .map(|(k, first)| index.get(k).map_or(*first, |i| this.plus(*first, *i)))
                .collect();
            this.at_index(&view, &at)
        })))
    }
}
