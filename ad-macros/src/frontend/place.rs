//! Places: elements, rows and views of buffers, variables and parts of them; what can be assigned to.
//!
//! What does not live here: parts by ranges ([`super::ranges`]), buffers made and copied ([`super::buffers`]).

use proc_macro2::Span;
use quote::quote;
use syn::spanned::Spanned;

use super::lower::{Lower, VarId};
use super::value::{Val, View};
use crate::ir::{Buffer, Dim, Op, Storage, Type, Value, Verbatim};

/// What can be assigned to.
#[derive(Clone)]
pub(super) enum Place {
    Element(Buffer, Vec<Value>),
    Part(View),
    /// A variable, or a part of one: the path to it.
    Variable(VarId, Vec<usize>),
    /// A row of a vector of tuples or structs, like this value.
    Parts(Vec<Place>, Val),
}

impl Lower<'_> {
    /// How many axes a view has left.
    pub(super) fn rank(&self, view: &View) -> usize {
        self.s.b.func.buffer(view.buffer).dims.len() - view.prefix.len()
    }

    /// Element or row `i` of a view.
    pub(super) fn index(&mut self, view: &View, i: Value) -> Place {
        let at = match view.range {
            Some((start, _)) => self.plus(start, i),
            None => i,
        };
        let mut prefix = view.prefix.clone();
        prefix.push(at);
        if self.rank(view) <= 1 {
            Place::Element(view.buffer, prefix)
        } else {
            Place::Part(View { buffer: view.buffer, prefix, range: None, by_ref: false, lent: false })
        }
    }

    /// The place of `a[i]`: a row, but of a matrix of `nalgebra` an element, in the order of columns.
    pub(super) fn written_index(&mut self, view: &View, i: Value) -> Place {
        if !self.is_linear(view) || self.rank(view) != 2 {
            return self.index(view, i);
        }
        let rows = self.extent(view, 0);
        let index = [self.op(Op::Rem, &[i, rows]), self.op(Op::Div, &[i, rows])];
        self.at_indices(view, &index)
    }

    pub(super) fn read(&mut self, place: Place) -> Val {
        match place {
            Place::Element(buffer, index) => Val::Scalar(self.load(buffer, index)),
            Place::Part(view) => Val::View(view),
            Place::Variable(var, path) => super::loops::part(&mut self.s.vars[var].val, &path).clone(),
            Place::Parts(places, like) => {
                let parts = places.into_iter().map(|p| self.read(p)).collect();
                like.with_parts(parts)
            }
        }
    }

    /// What stands at the places of a row.
    pub(super) fn read_all(&mut self, places: &[Place], like: &Val) -> Val {
        let read = |this: &mut Self, place: &Place| match place {
            Place::Element(buffer, index) => Val::Scalar(this.load(*buffer, index.clone())),
            Place::Part(view) => this.duplicate(Val::View(view.clone()), "row"),
            Place::Variable(var, path) => super::loops::part(&mut this.s.vars[*var].val, path).clone(),
            Place::Parts(places, like) => this.read_all(places, like),
        };
        let parts = places.iter().map(|p| read(self, p)).collect();
        like.with_parts(parts)
    }

    /// Element `k` as `iter` gives it: a number, a part, or (of `iter_mut`) a place.
    pub(super) fn element(&mut self, view: &View, k: Value, mutable: bool) -> Val {
        let view = &if mutable && self.rank(view) > 1 { self.changeable(view) } else { view.clone() };
        match self.index(view, k) {
            Place::Element(buffer, prefix) if mutable => {
                Val::View(View { buffer, prefix, range: None, by_ref: true, lent: false })
            }
            Place::Part(part) => Val::View(View { by_ref: true, ..part }),
            // What cannot be seen may not be copied either.
            Place::Element(buffer, index)
                if self.s.b.func.buffer(buffer).elem == Type::Opaque
                    && self.s.b.func.buffer(buffer).storage == Storage::Shared =>
            {
                let name = syn::Ident::new(&Verbatim::buffer_hole(0), Span::call_site());
                let holes = (0..index.len()).map(|k| syn::Ident::new(&Verbatim::hole(k), Span::call_site()));
                let place = self.written_place(buffer, &name, holes);
                let verbatim = Verbatim::new(quote!(&#place), vec![buffer]);
                let v = self.s.b.op(Op::Verbatim(verbatim), &index);
                self.s.refs.insert(v);
                if let Some(ty) = self.s.elements.get(&buffer).cloned() {
                    self.s.declare(v, &ty);
                }
                Val::Scalar(v)
            }
            place => self.read(place),
        }
    }

    /// An element `t[i]` that the macro does not look into, where it stands: it may not be moved. `None` if it is anything
    /// else.
    pub(super) fn borrowed_element(&mut self, e: &syn::Expr) -> Option<Val> {
        let syn::Expr::Index(i) = e else { return None };
        if matches!(&*i.index, syn::Expr::Range(_)) || self.is_foreign(&i.expr) {
            return None;
        }
        let Place::Variable(var, path) = self.place_quietly(&i.expr)? else { return None };
        let Val::View(view) = super::loops::part(&mut self.s.vars[var].val, &path).clone() else {
            return None;
        };
        let data = self.s.b.func.buffer(view.buffer);
        if self.rank(&view) != 1 || data.elem != Type::Opaque || data.storage != Storage::Shared {
            return None;
        }
        let index = self.expr(&i.index).0;
        let index = self.scalar(index, i.index.span())?;
        Some(self.element(&view, index, false))
    }

    /// Item `k` of a vector of tuples or structs: what it is, or (`mutable`) where it is.
    pub(super) fn part_at(&mut self, columns: &Val, k: Value, mutable: bool) -> Val {
        match columns {
            Val::View(view) => self.element(view, k, mutable),
            Val::Columns(inner) => self.part_at(inner, k, mutable),
            Val::Ragged(parts) => match &parts[0] {
                rows @ Val::Ragged(_) => {
                    let (start, len) = self.row_at(parts, k);
                    self.sub_rows(rows, start, len)
                }
                _ => Val::View(self.ragged_row(parts, k)),
            },
            other => {
                let list = other.parts().unwrap_or_default().to_vec();
                let parts = list.iter().map(|c| self.part_at(c, k, mutable));
                other.with_parts(parts.map(super::rows::lent).collect())
            }
        }
    }

    /// Where row `k` of a vector of vectors begins, and how long it is.
    fn row_at(&mut self, parts: &[Val], k: Value) -> (Value, Value) {
        let at = |this: &mut Self, part: &Val| match part {
            Val::View(view) => match this.index(view, k) {
                Place::Element(buffer, index) => this.load(buffer, index),
                _ => k,
            },
            _ => k,
        };
        let (start, len) = (at(self, &parts[1]), at(self, &parts[2]));
        for v in [start, len] {
            self.s.ints.insert(v, "usize".into());
        }
        (start, len)
    }

    /// Row `k` of a vector of vectors.
    fn ragged_row(&mut self, parts: &[Val], k: Value) -> View {
        let (start, len) = self.row_at(parts, k);
        match &parts[0] {
            Val::View(data) => View { range: Some((start, len)), by_ref: true, ..data.clone() },
            // In a trial: of what an option holds nothing is known yet.
            _ => {
                let (zero, fill) =
                    (self.s.b.int("0_usize"), self.s.b.float(0.0, Type::Float(crate::ir::FloatKind::Infer)));
                let none = self.declare_buffer("row", vec![Dim::Dyn(zero)], fill);
                View { range: Some((zero, zero)), by_ref: true, ..none }
            }
        }
    }

    /// How many elements there are.
    pub(super) fn length_of(&mut self, columns: &Val) -> Value {
        match columns {
            Val::View(view) => self.len(view),
            Val::Columns(inner) => self.length_of(inner),
            Val::Ragged(parts) => self.length_of(&parts[1]),
            other => match other.parts().and_then(|list| list.first()).cloned() {
                Some(first) => self.length_of(&first),
                None => self.s.b.int("0"),
            },
        }
    }

    /// A reference to an element, as `iter_mut` gives, reads as the element.
    pub(super) fn deref(&mut self, val: Val) -> Val {
        match val {
            Val::View(view) if self.rank(&view) == 0 => self.read(Place::Element(view.buffer, view.prefix)),
            Val::View(view) => Val::View(View { by_ref: false, ..view }),
            Val::RefMut(var, path) => super::loops::part(&mut self.s.vars[var].val, &path).clone(),
            other => other,
        }
    }

    /// The place that an expression names; `None` after an error.
    pub(super) fn place(&mut self, e: &syn::Expr) -> Option<Place> {
        match e {
            syn::Expr::Paren(p) => self.place(&p.expr),
            syn::Expr::Index(i) => {
                let base = self.expr(&i.expr).0;
                let base = self.deref(base);
                match base {
                    Val::View(base) => {
                        if let Some(list) = self.indices(&i.index) {
                            return Some(self.at_indices(&base, &list));
                        }
                        if let syn::Expr::Range(_) = &*i.index {
                            return Some(Place::Part(self.part(&base, &i.index)?));
                        }
                        let (val, _) = self.expr(&i.index);
                        let val = self.range_of_data(val, &i.index);
                        if let Some(part) = self.part_by_value(&base, &val) {
                            return Some(Place::Part(part));
                        }
                        let index = self.scalar(val, i.index.span())?;
                        Some(self.written_index(&base, index))
                    }
                    Val::Ragged(parts) if matches!(parts[0], Val::Ragged(_)) => {
                        self.error(
                            i.span(),
                            "a vector of vectors in a vector is not changed as a whole",
                            "change its elements, `v[i][j][k]`, or make the vectors anew",
                        );
                        None
                    }
                    Val::Ragged(parts) => {
                        let (val, _) = self.expr(&i.index);
                        let index = self.scalar(val, i.index.span())?;
                        Some(Place::Part(self.ragged_row(&parts, index)))
                    }
                    Val::Columns(columns) => {
                        let (val, _) = self.expr(&i.index);
                        let index = self.scalar(val, i.index.span())?;
                        self.row_place(&columns, index)
                    }
                    Val::Never => None,
                    whole @ Val::Struct(..) if self.is_indexed(&whole, "index_mut") => {
                        self.own_index_place(&whole, i)
                    }
                    _ => {
                        let elem = self.storing.clone();
                        self.want_indexed(e, elem);
                        self.error(
                            e.span(),
                            "the macro does not look into this: its elements cannot be assigned",
                            "use a local array or vector of numbers, or an output slice",
                        );
                        None
                    }
                }
            }
            syn::Expr::Unary(syn::ExprUnary { op: syn::UnOp::Deref(_), expr, .. }) => match self.expr(expr).0
            {
                Val::View(view) if self.rank(&view) == 0 => Some(Place::Element(view.buffer, view.prefix)),
                Val::View(view) => Some(Place::Part(View { by_ref: false, ..view })),
                Val::RefMut(var, path) => {
                    let val = super::loops::part(&mut self.s.vars[var].val, &path).clone();
                    match self.place_in_row(var, &path, e.span()) {
                        Some(place) => Some(place),
                        None if self.is_row_of_parts(&val) => self.places_in(&val),
                        None => Some(Place::Variable(var, path)),
                    }
                }
                Val::Never => None,
                val if let Some(place) = self.places_in(&val) => Some(place),
                _ => {
                    self.error(
                        e.span(),
                        "the macro does not know what this reference points to",
                        "index the array itself: `a[i] = ..`",
                    );
                    None
                }
            },
            syn::Expr::Path(p) => {
                let Some(var) = p.path.get_ident().and_then(|i| self.lookup(&i.to_string())) else {
                    self.error(e.span(), "only local variables can be assigned to", "use a local variable");
                    return None;
                };
                // A reference that `iter_mut` gave stands for the element only behind `*`.
                Some(Place::Variable(var, Vec::new()))
            }
            syn::Expr::Field(f) => match self.place(&f.base)? {
                Place::Variable(var, path)
                    if let Val::View(view) = super::loops::part(&mut self.s.vars[var].val, &path).clone()
                        && let Some(k) = self.component(&view, &f.member) =>
                {
                    Some(self.index(&view, k))
                }
                Place::Variable(var, mut path) => {
                    let mut var = var;
                    let mut val = super::loops::part(&mut self.s.vars[var].val, &path).clone();
                    if let Val::RefMut(to, inner) = val {
                        (var, path) = (to, inner);
                        val = super::loops::part(&mut self.s.vars[var].val, &path).clone();
                    }
                    let Some(k) = val.field(&f.member) else {
                        self.want_field_at(var, &path, &f.member);
                        self.error(
                            f.span(),
                            "the macro does not look into this: its fields cannot be assigned",
                            "make the struct in this function, field by field, or use local variables",
                        );
                        return None;
                    };
                    path.push(k);
                    // A field of what `iter_mut` or `&mut v[i]` gave stands for the element itself.
                    match super::loops::part(&mut self.s.vars[var].val, &path).clone() {
                        Val::View(view) if self.rank(&view) == 0 => {
                            Some(Place::Element(view.buffer, view.prefix))
                        }
                        _ => Some(Place::Variable(var, path)),
                    }
                }
                Place::Parts(mut places, like) => match like.field(&f.member) {
                    Some(k) if k < places.len() => Some(places.swap_remove(k)),
                    _ => None,
                },
                _ => {
                    self.error(f.span(), "numbers have no fields", "assign the element");
                    None
                }
            },
            _ => {
                self.error(
                    e.span(),
                    "this cannot be assigned to inside a differentiated function",
                    "assign to a local variable or to an element of a local array or output slice",
                );
                None
            }
        }
    }

    /// A row of a vector of tuples or structs, as `iter_mut` gives it: a place for each part.
    pub(super) fn places_in(&self, val: &Val) -> Option<Place> {
        match val {
            Val::View(view) if !view.by_ref => None,
            Val::View(view) if self.rank(view) == 0 => Some(Place::Element(view.buffer, view.prefix.clone())),
            Val::View(view) => Some(Place::Part(View { by_ref: false, ..view.clone() })),
            Val::Tuple(parts) | Val::Struct(_, parts) if !parts.is_empty() => {
                let places: Option<Vec<Place>> = parts.iter().map(|part| self.places_in(part)).collect();
                Some(Place::Parts(places?, val.emptied()))
            }
            _ => None,
        }
    }

    /// Row `k` of a vector of tuples or structs, as places.
    pub(super) fn row_place(&mut self, columns: &Val, k: Value) -> Option<Place> {
        match columns {
            Val::View(view) => Some(self.index(view, k)),
            Val::Columns(inner) => self.row_place(inner, k),
            other => {
                let list = other.parts()?.to_vec();
                let places: Option<Vec<Place>> = list.iter().map(|c| self.row_place(c, k)).collect();
                Some(Place::Parts(places?, other.emptied()))
            }
        }
    }

    /// A place in a buffer as it is written in code: the field of its rows behind the first index.
    pub(super) fn written_place(
        &self,
        buffer: crate::ir::Buffer,
        name: &syn::Ident,
        index: impl Iterator<Item = syn::Ident>,
    ) -> proc_macro2::TokenStream {
        let index: Vec<_> = index.collect();
        let field: Option<proc_macro2::TokenStream> =
            self.s.b.func.buffer(buffer).field.as_ref().and_then(|f| f.parse().ok());
        match (field, index.split_first()) {
            (Some(field), Some((first, rest))) => quote!(#name [#first] #field #([#rest])*),
            _ => quote!(#name #([#index])*),
        }
    }

    /// The length of a view.
    pub(super) fn len(&mut self, view: &View) -> Value {
        if let Some((_, len)) = view.range {
            return len;
        }
        let axis = view.prefix.len();
        match self.s.b.func.buffer(view.buffer).dims[axis].clone() {
            Dim::Fixed(n) => self.fixed_len(&n),
            Dim::Dyn(v) => v,
            Dim::Slice if axis > 0 && self.s.b.func.buffer(view.buffer).is_ragged() => {
                let name = syn::Ident::new(&Verbatim::buffer_hole(0), Span::call_site());
                let holes = (0..axis).map(|k| syn::Ident::new(&Verbatim::hole(k), Span::call_site()));
                let place = self.written_place(view.buffer, &name, holes);
                let verbatim = Verbatim::new(quote!(#place.len()), vec![view.buffer]);
                let len = self.s.b.op_typed(Op::Verbatim(verbatim), &view.prefix, Type::Int);
                self.s.ints.insert(len, "usize".into());
                len
            }
            Dim::Slice => self.op(Op::Len(view.buffer, axis), &[]),
        }
    }

    pub(super) fn fixed_len(&mut self, n: &str) -> Value {
        if n.parse::<u64>().is_ok() {
            return self.s.b.int(n);
        }
        let code = crate::ir::Snippet::written(n);
        self.s.b.op_typed(Op::Verbatim(Verbatim::new(code, Vec::new())), &[], Type::Int)
    }
}
