//! Arrays of `ndarray` put together: `concatenate![Axis(0), a, b]`, `stack![Axis(1), a, b]`.

use syn::punctuated::Punctuated;
use syn::spanned::Spanned;

use super::types::foreign;
use crate::frontend::lower::Lower;
use crate::frontend::members::is_place;
use crate::frontend::value::{Val, View};
use crate::ir::{Dim, Layout, Op, StoreMode, Value};

impl Lower<'_> {
    /// `None` if it is another macro, or one of data alone.
    pub(in super::super) fn joining_macro(&mut self, mac: &syn::Macro) -> Option<Val> {
        let stacks = match mac.path.segments.last()?.ident.to_string().as_str() {
            "concatenate" => false,
            "stack" => true,
            _ => return None,
        };
        if self.is_passive(quote::quote!(#mac)) {
            return None;
        }
        let list: Punctuated<syn::Expr, syn::Token![,]> =
            mac.parse_body_with(Punctuated::parse_terminated).ok()?;
        let (axis, list): (&syn::Expr, Vec<&syn::Expr>) = (list.first()?, list.iter().skip(1).collect());
        let axis = self.axis_of(axis)?;
        let mut parts = Vec::new();
        for e in list {
            let data = self
                .declared(e)
                .and_then(|ty| foreign(&ty, &self.sig.floats))
                .filter(|array| array.layout == Layout::Ndarray);
            // What is there already is not moved.
            let val = if data.is_some() && is_place(e) && self.is_passive(quote::quote!(#e)) {
                self.verbatim(quote::quote!((&#e)), e.span(), "", "")
            } else {
                self.expr(e).0
            };
            match val {
                Val::View(view) => parts.push(view),
                Val::Scalar(v) => parts.push(self.array_of_data(v, &data?)),
                Val::Never => return Some(Val::Never),
                _ => return None,
            }
        }
        let rank = self.rank(parts.first()?);
        if parts.iter().any(|p| self.rank(p) != rank) || axis >= rank + usize::from(stacks) {
            self.error(mac.path.span(), "these arrays differ in their axes", "give arrays of as many axes");
            return Some(Val::Never);
        }
        Some(Val::View(self.joined(&parts, axis, stacks)))
    }

    /// Arrays along an axis: one that they have, or (`stacks`) a new one.
    fn joined(&mut self, parts: &[View], axis: usize, stacks: bool) -> View {
        let first = parts[0].clone();
        let mut dims = self.axes(&first);
        for part in &parts[1..] {
            for k in (0..dims.len()).filter(|k| stacks || *k != axis) {
                let (a, b) = (self.extent(&first, k), self.extent(part, k));
                self.check_lengths_of(a, b, "arrays of different shapes");
            }
        }
        let mut starts: Vec<Value> = vec![self.s.b.int("0_usize")];
        for (k, part) in parts.iter().enumerate() {
            let next = if stacks {
                self.s.b.int(&format!("{}_usize", k + 1))
            } else {
                let n = self.extent(part, axis);
                self.op(Op::Add, &[starts[k], n])
            };
            starts.push(next);
        }
        let whole = Dim::Dyn(starts[parts.len()]);
        if stacks {
            dims.insert(axis, whole);
        } else {
            dims[axis] = whole;
        }
        let elem = parts.iter().map(|p| self.elem(p)).find(crate::ir::Type::is_float);
        let elem = elem.unwrap_or_else(|| self.elem(&first));
        let into = self.zeroed("joined", dims, &elem, false);
        for (part, start) in parts.iter().zip(starts) {
            self.over(part, &mut |this, index| {
                let v = this.at_index(part, index);
                let mut at = index.to_vec();
                if stacks {
                    at.insert(axis, start);
                } else {
                    at[axis] = this.plus(start, at[axis]);
                }
                this.store(into.buffer, at, v, StoreMode::Set);
            });
        }
        into
    }
}
