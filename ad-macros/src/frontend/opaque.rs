//! Variables that hold an array made by code that the macro does not look into (`let mut z = zeros(n)`, a copy of a
//! constant, a field of a configuration) and that are changed here: they are copied into a buffer where they are bound.
//!
//! What such a variable is shows only where it is written, so the function is lowered again once it is known.

use std::rc::Rc;

use super::lower::{Lower, VarId};
use super::place::Place;
use super::value::{Val, View};
use crate::ir::{Dim, FloatKind, StoreMode, Type, Value};

/// A part of a binding: where the name stands, and which part of its value.
pub(super) type Origin = (Rc<str>, Vec<usize>);

/// What is known of an array: how many axes it has, and what its elements are.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Found {
    axes: usize,
    elem: Type,
}

impl Lower<'_> {
    /// The value of a new name: what is known to be an array becomes one.
    pub(super) fn opened(&mut self, origin: &Rc<str>, path: &mut Vec<usize>, val: Val, name: &str) -> Val {
        match val {
            Val::Scalar(v) if self.is_opaque(v) => {
                match self.known.get(&(origin.clone(), path.clone())).cloned() {
                    Some(found) => Val::View(self.copy_in(v, &found, name)),
                    None => Val::Scalar(v),
                }
            }
            val @ (Val::Tuple(_) | Val::Struct(..)) => {
                let list = val.parts().unwrap_or_default().to_vec();
                let mut parts = Vec::new();
                for (k, part) in list.into_iter().enumerate() {
                    path.push(k);
                    parts.push(self.opened(origin, path, part, name));
                    path.pop();
                }
                val.with_parts(parts)
            }
            other => other,
        }
    }

    fn is_opaque(&self, v: Value) -> bool {
        *self.s.b.func.ty(v) == Type::Opaque && !self.is_tainted(v)
    }

    /// `z.iter_mut()`, `z[i].swap(..)` where `z` is opaque: it is an array of one axis more than it is indexed by.
    pub(super) fn want_changed(&mut self, receiver: &syn::Expr) {
        self.want_indexed(&syn::parse_quote!(#receiver[0]), None);
    }

    /// What is assigned to an array where it comes from code that the macro does not look into.
    pub(super) fn copied_in(&mut self, to: &View, val: Val) -> Val {
        match val {
            Val::Scalar(v) if self.is_opaque(v) && !self.s.refs.contains(&v) && self.rank(to) > 0 => {
                let elem = self.s.b.func.buffer(to.buffer).elem.clone();
                let found = Found { axes: self.rank(to), elem };
                Val::View(self.copy_in(v, &found, "copy"))
            }
            val => val,
        }
    }

    /// `z[i][j] = ..` where `z` is opaque: it is an array of that many axes.
    pub(super) fn want_indexed(&mut self, e: &syn::Expr, elem: Option<Type>) {
        let (mut base, mut axes) = (e, 0);
        loop {
            match base {
                syn::Expr::Index(i) => {
                    axes += 1;
                    base = &i.expr;
                }
                syn::Expr::Paren(p) => base = &p.expr,
                _ => break,
            }
        }
        if let Some(Place::Variable(var, path)) = self.place_quietly(base) {
            self.want(var, &path, axes, elem);
        }
    }

    /// Notes that a variable, or a part of it, is an array.
    pub(super) fn want(&mut self, var: VarId, path: &[usize], axes: usize, elem: Option<Type>) {
        let Some(origin) = self.s.vars[var].origin.clone() else { return };
        let Val::Scalar(v) = super::loops::part(&mut self.s.vars[var].val, path).clone() else { return };
        if axes == 0 || !self.is_opaque(v) {
            return;
        }
        let elem = elem.unwrap_or(Type::Float(FloatKind::Infer));
        let found = Found { axes, elem };
        let better =
            |old: &Found| old.axes < axes || old.elem == Type::Float(FloatKind::Infer) && old.axes == axes;
        let key = (origin, path.to_vec());
        if self.wanted.get(&key).is_none_or(better) {
            self.wanted.insert(key, found);
        }
    }

    /// As [`Lower::want`], of what it is to become.
    pub(super) fn want_like(&mut self, var: VarId, path: &[usize], like: &Val) {
        match like {
            Val::View(view) => {
                let elem = self.s.b.func.buffer(view.buffer).elem.clone();
                let axes = self.rank(view);
                self.want(var, path, axes, Some(elem));
            }
            Val::Tuple(_) | Val::Struct(..) => {
                let old = super::loops::part(&mut self.s.vars[var].val, path).clone();
                if old.is_like(like) {
                    for (k, part) in like.parts().unwrap_or_default().iter().enumerate() {
                        self.want_like(var, &[path, &[k]].concat(), part);
                    }
                }
            }
            _ => {}
        }
    }

    /// The elements of something opaque in a buffer of its own. Rows must be of one length.
    fn copy_in(&mut self, v: Value, found: &Found, name: &str) -> View {
        let hole = |k: usize| syn::Ident::new(&crate::ir::Verbatim::hole(k), proc_macro2::Span::call_site());
        let first = hole(0);
        let mut dims = Vec::new();
        for axis in 0..found.axes {
            let rows = match axis {
                0 => quote::quote!(#first.len()),
                1 => quote::quote!(#first.first().map_or(0, |row| row.len())),
                _ => quote::quote!(#first.first().and_then(|row| row.first()).map_or(0, |row| row.len())),
            };
            let len = self.pass(rows, &[v], Type::Int);
            self.s.ints.insert(len, "usize".into());
            dims.push(len);
        }
        for axis in 1..found.axes {
            let (n, message) = (hole(1), "rows of different lengths are not supported here");
            let all = if axis == 1 {
                quote::quote!(#first.iter().all(|row| row.len() == #n))
            } else {
                quote::quote!(#first.iter().all(|row| row.iter().all(|row| row.len() == #n)))
            };
            let tokens = quote::quote!(::core::assert!(#all, #message));
            let verbatim = crate::ir::Verbatim { tokens, buffers: Vec::new() };
            self.s.b.effect(crate::ir::InstKind::Effect(verbatim, vec![v, dims[axis]]));
        }
        let fill = self.dummy(&found.elem);
        let view = self.declare_buffer(name, dims.iter().map(|d| Dim::Dyn(*d)).collect(), fill);
        self.s.b.func.buffers[view.buffer.0 as usize].elem = found.elem.clone();
        let elem = found.elem.clone();
        self.for_each(&view, &mut Vec::new(), &mut |this, index| {
            let indices = (1..=index.len()).map(hole);
            let args: Vec<Value> = std::iter::once(v).chain(index.iter().copied()).collect();
            let read = this.pass(quote::quote!(#first #([#indices])*), &args, elem.clone());
            this.store(view.buffer, index.to_vec(), read, StoreMode::Set);
        });
        view
    }

    /// The type of what is assigned, for [`Lower::want`].
    pub(super) fn elem_of(&self, val: &Val) -> Option<Type> {
        match val {
            Val::Scalar(v) => Some(self.s.b.func.ty(*v).clone()),
            Val::View(view) => Some(self.s.b.func.buffer(view.buffer).elem.clone()),
            _ => None,
        }
        .filter(|ty| *ty != Type::Opaque)
    }
}

/// Whether a method changes the array that it is called on.
pub(super) fn changes(method: &str) -> bool {
    const CHANGES: [&str; 16] = [
        "iter_mut",
        "chunks_mut",
        "chunks_exact_mut",
        "split_at_mut",
        "swap",
        "fill",
        "copy_from_slice",
        "clone_from_slice",
        "push",
        "pop",
        "extend",
        "extend_from_slice",
        "truncate",
        "clear",
        "reverse",
        "resize",
    ];
    CHANGES.contains(&method)
}

/// Where a name stands, as a key that lowering again finds.
pub(super) fn origin(ident: &syn::Ident) -> Rc<str> {
    format!("{ident} {:?}", ident.span()).into()
}
