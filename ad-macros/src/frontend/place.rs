//! Places: elements, parts and views of buffers; arrays made and copied.

use std::rc::Rc;

use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;

use super::iterators::Iter;
use super::lower::{Lower, VarId};
use super::value::{Val, View};
use crate::ir::{Buffer, BufferData, Dim, ForLoop, InstKind, Op, Storage, StoreMode, Type, Value, Verbatim};

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

    /// `view[a..b]`
    pub(super) fn part(&mut self, view: &View, range: &syn::Expr) -> Option<View> {
        let syn::Expr::Range(r) = range else { return None };
        let bound = |this: &mut Self, e: &Option<Box<syn::Expr>>| -> Option<Option<Value>> {
            match e {
                Some(e) => {
                    let val = this.expr(e).0;
                    Some(Some(this.scalar(val, e.span())?))
                }
                None => Some(None),
            }
        };
        let start = bound(self, &r.start)?;
        let end = bound(self, &r.end)?;
        if start.is_none() && end.is_none() {
            return Some(view.clone());
        }
        let closed = matches!(r.limits, syn::RangeLimits::Closed(_));
        let end = match end {
            Some(e) if closed => {
                let one = self.s.b.int("1");
                self.op(Op::Add, &[e, one])
            }
            Some(e) => e,
            None => self.len(view),
        };
        // As in the user's function, a range out of bounds panics here.
        self.check_range(view, start, end);
        let (from, len) = match start {
            Some(start) => (start, self.op(Op::Sub, &[end, start])),
            None => (self.s.b.int("0"), end),
        };
        let from = match (view.range, start) {
            (Some((old, _)), Some(_)) => self.op(Op::Add, &[old, from]),
            (Some((old, _)), None) => old,
            (None, _) => from,
        };
        Some(View { range: Some((from, len)), ..view.clone() })
    }

    /// A range of indices that is data, by its bounds; anything else as it is.
    pub(super) fn range_of_data(&mut self, val: Val, e: &syn::Expr) -> Val {
        self.tell_type(&val, e);
        let Val::Scalar(v) = val else { return val };
        let inclusive = match self.s.types.get(&v).map(|name| &**name) {
            Some("Range") => false,
            Some("RangeInclusive") => true,
            _ => return val,
        };
        let mut bound = |name: &str| {
            let (hole, name) = (Verbatim::hole(0), syn::Ident::new(name, Span::call_site()));
            let hole = syn::Ident::new(&hole, Span::call_site());
            let tokens = if inclusive { quote!(*#hole.#name()) } else { quote!(#hole.#name) };
            self.pass(tokens, &[v], Type::Int)
        };
        let (lo, hi) = (bound("start"), bound("end"));
        Val::Iter(std::rc::Rc::new(super::iterators::Iter::Range { lo, hi, inclusive }))
    }

    /// `x[part]` where `part` is a range that was kept in a variable.
    pub(super) fn part_by_value(&mut self, view: &View, range: &Val) -> Option<View> {
        let Val::Iter(it) = range else { return None };
        let (start, end) = match &**it {
            super::iterators::Iter::Range { lo, hi, inclusive } => {
                let end = if *inclusive {
                    let one = self.s.b.int("1");
                    self.op(Op::Add, &[*hi, one])
                } else {
                    *hi
                };
                (*lo, end)
            }
            super::iterators::Iter::From { lo } => (*lo, self.len(view)),
            super::iterators::Iter::Below { hi, inclusive } => {
                let one = self.s.b.int("1");
                let end = if *inclusive { self.op(Op::Add, &[*hi, one]) } else { *hi };
                (self.s.b.int("0"), end)
            }
            _ => return None,
        };
        self.check_range(view, Some(start), end);
        let len = self.op(Op::Sub, &[end, start]);
        Some(self.sub_view(view, start, len))
    }

    pub(super) fn check_range(&mut self, view: &View, start: Option<Value>, end: Value) {
        let view = &self.unchangeable(view).unwrap_or_else(|| view.clone());
        if self.s.b.func.buffer(view.buffer).layout != crate::ir::Layout::Nested || self.is_window(view) {
            let len = self.len(view);
            let holes = [0, 1, 2].map(|k| syn::Ident::new(&Verbatim::hole(k), Span::call_site()));
            let (s, e, n) = (&holes[0], &holes[1], &holes[2]);
            let start = start.unwrap_or_else(|| self.s.b.int("0"));
            let tokens = quote!(::core::assert!(#s <= #e && #e <= #n, "a range beyond the array"));
            let verbatim = Verbatim::check(tokens, Vec::new());
            return self.s.b.effect(InstKind::Effect(verbatim, vec![start, end, len]));
        }
        let mut args = Vec::new();
        let mut hole = |v: Value| {
            args.push(v);
            syn::Ident::new(&Verbatim::hole(args.len() - 1), Span::call_site())
        };
        let prefix: Vec<_> = view.prefix.iter().map(|v| hole(*v)).collect();
        let range = view.range.map(|(s, n)| {
            let (s, n) = (hole(s), hole(n));
            quote!([#s..][..#n])
        });
        let start = start.map(&mut hole);
        let end = hole(end);
        let buffer = syn::Ident::new(&Verbatim::buffer_hole(0), Span::call_site());
        let place = self.written_place(view.buffer, &buffer, prefix.into_iter());
        let tokens = quote!(let _ = &#place #range [#start..#end]);
        self.s.b.effect(InstKind::Effect(Verbatim::check(tokens, vec![view.buffer]), args));
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

    // ---------------------------------------------------------------------------------------- arrays

    /// Declares a local buffer and fills it.
    pub(super) fn declare_buffer(&mut self, name: &str, dims: Vec<Dim>, fill: Value) -> View {
        let elem = self.s.b.func.ty(fill).clone();
        let data = BufferData::new(name.into(), elem, dims, Storage::Local);
        let buffer = self.s.b.func.new_buffer(data);
        let tainted = self.is_tainted(fill);
        let fill_with = if tainted { self.s.b.float_like(0.0, fill) } else { fill };
        self.s.b.effect(InstKind::Alloc { buffer, fill: fill_with });
        let view = View { buffer, prefix: Vec::new(), range: None, by_ref: false, lent: false };
        if tainted {
            self.for_each(&view, &mut Vec::new(), &mut |this, index| {
                this.store(buffer, index.to_vec(), fill, StoreMode::Set);
            });
        }
        view
    }

    /// Runs `f` for every element of a view; its indices are relative to the view.
    pub(super) fn for_each(
        &mut self,
        view: &View,
        index: &mut Vec<Value>,
        f: &mut dyn FnMut(&mut Self, &[Value]),
    ) {
        if index.len() == self.rank(view) {
            return f(self, index);
        }
        let part = View {
            prefix: [view.prefix.clone(), index.clone()].concat(),
            range: if index.is_empty() { view.range } else { None },
            ..view.clone()
        };
        let lo = self.s.b.int("0");
        let hi = self.len(&part);
        let i = self.s.b.func.new_value(Type::Int, Some("i".into()));
        self.s.b.open(vec![i]);
        index.push(i);
        self.for_each(view, index, f);
        index.pop();
        let body = self.s.b.close(Vec::new());
        self.s.b.effect(InstKind::For(ForLoop {
            lo,
            hi,
            inclusive: false,
            rev: false,
            step: None,
            flipped: false,
            inits: Vec::new(),
            body,
        }));
    }

    /// Index of an element of a view, in its buffer.
    pub(super) fn absolute(&mut self, view: &View, index: &[Value]) -> Vec<Value> {
        let mut all = view.prefix.clone();
        all.extend_from_slice(index);
        if let (Some((start, _)), Some(first)) = (view.range, index.first()) {
            all[view.prefix.len()] = self.plus(start, *first);
        }
        all
    }

    /// Copies element by element.
    pub(super) fn copy_view(&mut self, from: &View, to: &View, span: Span) {
        if self.rank(from) != self.rank(to) || self.rank(to) == 0 {
            return self.error(span, "these arrays differ in shape", "copy the elements in a loop");
        }
        let same = |a: &View, b: &View| a.buffer == b.buffer && a.scalars() == b.scalars();
        if from.buffer == to.buffer && !same(from, to) {
            return self.error(
                span,
                "this copies within one array",
                "copy the elements in a loop, in the order you need",
            );
        }
        if same(from, to) {
            return;
        }
        self.same_kind(from, to);
        let (from, to) = (from.clone(), to.clone());
        self.for_each(&to.clone(), &mut Vec::new(), &mut |this, index| {
            let source = this.absolute(&from, index);
            let v = this.load(from.buffer, source);
            let target = this.absolute(&to, index);
            this.store(to.buffer, target, v, StoreMode::Set);
        });
    }

    /// A copy is a vector, matrix or array as what it is copied from.
    fn same_kind(&mut self, from: &View, to: &View) {
        if let Some(outer) = self.s.linear.get(&from.buffer).copied() {
            let outer = outer.saturating_sub(from.prefix.len()) + to.prefix.len();
            self.s.linear.entry(to.buffer).or_insert(outer);
        }
        if self.s.arrays.contains(&from.buffer) {
            self.s.arrays.insert(to.buffer);
        }
        if self.s.copied_in.contains(&from.buffer) {
            self.s.copied_in.insert(to.buffer);
        }
    }

    /// Copies a row to a place of the same buffer that does not overlap it, or of another.
    pub(super) fn copy_within(&mut self, from: &View, to: &View, span: Span) {
        if from.buffer != to.buffer {
            return self.copy_view(from, to, span);
        }
        let (from, to) = (from.clone(), to.clone());
        self.for_each(&to.clone(), &mut Vec::new(), &mut |this, index| {
            let source = this.absolute(&from, index);
            let v = this.load(from.buffer, source);
            let target = this.absolute(&to, index);
            this.store(to.buffer, target, v, StoreMode::Set);
        });
    }

    /// Sets every element.
    pub(super) fn fill_view(&mut self, view: &View, v: Value) {
        let whole = view.prefix.is_empty() && view.range.is_none() && !self.is_window(view);
        if whole && !self.is_tainted(v) {
            return self.s.b.effect(InstKind::Fill { buffer: view.buffer, value: v });
        }
        let view = view.clone();
        self.for_each(&view.clone(), &mut Vec::new(), &mut |this, index| {
            let target = this.absolute(&view, index);
            this.store(view.buffer, target, v, StoreMode::Set);
        });
    }

    /// A local copy; vectors for what has no constant length.
    pub(super) fn copy_of(&mut self, view: &View, name: &str) -> View {
        let data = self.s.b.func.buffer(view.buffer).clone();
        let mut dims: Vec<Dim> = data.dims[view.prefix.len()..].to_vec();
        for axis in 0..dims.len() {
            if dims[axis] == Dim::Slice || axis == 0 && view.range.is_some() {
                let of = View { range: if axis == 0 { view.range } else { None }, ..view.clone() };
                let len = if axis == 0 { self.len(&of) } else { self.op(Op::Len(view.buffer, axis), &[]) };
                dims[axis] = Dim::Dyn(len);
            }
        }
        let fill = self.dummy_like(&data);
        let copy = self.declare_buffer(name, dims, fill);
        self.s.b.func.buffers[copy.buffer.0 as usize].sizes = data.sizes;
        if let Type::Float(_) = data.elem {
            self.s.b.func.buffers[copy.buffer.0 as usize].elem = data.elem;
        }
        self.copy_view(view, &copy, Span::call_site());
        copy
    }

    /// `[v; N]` and `vec![v; n]`, nested ones too: axes and what fills them.
    pub(super) fn repeat(&mut self, value: &syn::Expr, dim: Dim) -> Option<(Vec<Dim>, Value)> {
        let inner = match value {
            syn::Expr::Repeat(r) => {
                let n = self.array_len(&r.len);
                self.repeat(&r.expr, n)
            }
            syn::Expr::Macro(m) if m.mac.path.is_ident("vec") => {
                if let Ok(VecMacro::Repeat(v, n)) = syn::parse2::<VecMacro>(m.mac.tokens.clone()) {
                    let len = self.expr(&n).0;
                    let len = self.scalar(len, n.span())?;
                    self.repeat(&v, Dim::Dyn(len))
                } else {
                    self.error(
                        value.span(),
                        "rows of a nested vector are written `vec![v; n]` here",
                        "fill the elements in a loop",
                    );
                    None
                }
            }
            other => {
                let val = self.expr(other).0;
                let val = self.deref(val);
                Some((Vec::new(), self.scalar(val, other.span())?))
            }
        };
        let (mut dims, fill) = inner?;
        dims.insert(0, dim);
        Some((dims, fill))
    }

    /// The length in an array type or expression: constants only.
    pub(super) fn array_len(&mut self, e: &syn::Expr) -> Dim {
        let text = match e {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(i), .. }) => i.base10_digits().to_string(),
            other => other.to_token_stream().to_string(),
        };
        self.known_dim(Dim::Fixed(text.into()))
    }

    /// An axis of a type: one whose length is a variable here (of a generic function that is written out) is as long as that.
    pub(super) fn known_dim(&mut self, dim: Dim) -> Dim {
        let Dim::Fixed(name) = &dim else { return dim };
        match self.lookup(name).map(|var| self.s.vars[var].val.clone()) {
            Some(Val::Scalar(v)) if *self.s.b.func.ty(v) == Type::Int => Dim::Dyn(v),
            _ => dim,
        }
    }

    pub(super) fn repeat_expr(&mut self, r: &syn::ExprRepeat) -> Val {
        let n = self.array_len(&r.len);
        let array = self.repeated(&r.expr, n, "array");
        if let Val::Columns(_) = &array {
            self.copied_as_array(&array);
        }
        array
    }

    /// `[v; n]`, `vec![v; n]`: of numbers a buffer, of structs and arrays that are there already rows of them.
    fn repeated(&mut self, value: &syn::Expr, dim: Dim, name: &str) -> Val {
        let nested = matches!(value, syn::Expr::Repeat(_) | syn::Expr::Macro(_));
        if !nested {
            let val = self.expr(value).0;
            let val = self.default_of_struct(value, val);
            return match self.deref(val) {
                Val::Scalar(fill) => match self.scalar(Val::Scalar(fill), value.span()) {
                    Some(fill) => Val::View(self.declare_buffer(name, vec![dim], fill)),
                    None => Val::Never,
                },
                val => self.repeated_rows(&val, &dim, value.span()),
            };
        }
        match self.repeat(value, dim) {
            Some((dims, fill)) => Val::View(self.declare_buffer(name, dims, fill)),
            None => Val::Never,
        }
    }

    fn repeated_rows(&mut self, val: &Val, dim: &Dim, span: Span) -> Val {
        let n = match dim {
            Dim::Fixed(n) => self.fixed_len(n),
            Dim::Dyn(n) => *n,
            Dim::Slice => return Val::Never,
        };
        if self.refuse_own_clone(val, true, span) {
            return Val::Never;
        }
        let Some(row) = self.row_of(val) else {
            self.scalar(val.clone(), span);
            return Val::Never;
        };
        let rows = self.grown(&row, "rows");
        let var = self.new_var("rows", true, rows);
        let zero = self.s.b.int("0_usize");
        self.range_loop(&super::loops::RangeSpec::new(zero, n, false), &mut |this, _| {
            this.push_to(var, &[], val.clone(), span);
            super::lower::Flow::Falls
        });
        std::mem::replace(&mut self.s.vars[var].val, Val::Never)
    }

    pub(super) fn vec_macro(&mut self, mac: &syn::Macro) -> Val {
        match syn::parse2::<VecMacro>(mac.tokens.clone()) {
            Ok(VecMacro::Repeat(v, n)) => {
                let len = self.expr(&n).0;
                let Some(len) = self.scalar(len, n.span()) else { return Val::Never };
                self.repeated(&v, Dim::Dyn(len), "vector")
            }
            Ok(VecMacro::List(list)) => self.array_literal(&list, true, mac.span()),
            Err(e) => {
                self.diagnostics.push(e);
                Val::Never
            }
        }
    }

    /// `[a, b, c]`, rows too.
    pub(super) fn array_literal(&mut self, list: &[syn::Expr], on_heap: bool, span: Span) -> Val {
        let mut items = Vec::new();
        let function = list.iter().find(|e| match e {
            syn::Expr::Closure(_) => true,
            syn::Expr::Path(p) => self.float_path(&p.path).is_some_and(|(_, name)| {
                crate::ir::Unary::from_method(&name).is_some()
                    || crate::ir::Binary::from_method(&name).is_some()
            }),
            _ => false,
        });
        if let Some(e) = function {
            self.error(e.span(), "arrays of functions are not supported", "call the functions one by one");
            return Val::Never;
        }
        for e in list {
            let val = self.expr(e).0;
            let kept = match (&val, e) {
                (Val::View(view), syn::Expr::Reference(r)) if r.mutability.is_some() => {
                    Val::View(self.changeable(view))
                }
                _ => val.clone(),
            };
            if self.refuse_kept(&kept, e.span()) {
                return Val::Never;
            }
            let val = self.unheld(val);
            items.push(self.deref(val));
        }
        if items.contains(&Val::Never) {
            return Val::Never;
        }
        // Vectors and slices side by side: rows of any length.
        if let Some(Val::View(view)) = items.first()
            && self.rank(view) == 1
            && (view.range.is_some()
                || !matches!(self.s.b.func.buffer(view.buffer).dims[view.prefix.len()], Dim::Fixed(_)))
        {
            let elem = self.s.b.func.buffer(view.buffer).elem.clone();
            let mut rows = self.grown(&super::vectors::Row::Vector(elem), "rows");
            for item in items {
                rows = self.pushed(&rows, item, span);
            }
            return rows;
        }
        // Options side by side are there to be run over.
        if !on_heap && items.iter().any(|item| matches!(item, Val::Maybe(_))) {
            let items: Vec<Iter> =
                items.into_iter().map(|v| Iter::Once(Box::new(self.own(v, true, "item")))).collect();
            let chain = items.into_iter().reduce(|a, b| Iter::Chain(Rc::new(a), Rc::new(b)));
            return chain.map_or(Val::Never, |chain| Val::Iter(Rc::new(chain)));
        }
        if matches!(items.first(), Some(Val::Tuple(_) | Val::Struct(..))) {
            let Some(row) = self.row_of(&items[0]) else {
                self.error(span, "an array of this cannot be followed", "make an array of numbers");
                return Val::Never;
            };
            let mut rows = self.grown(&row, "rows");
            for item in items {
                rows = self.pushed(&rows, item, span);
            }
            if !on_heap {
                self.copied_as_array(&rows);
            }
            return rows;
        }
        let Some(first) = items.first().cloned() else {
            self.error(
                span,
                "an empty array has no element type that the macro could see",
                "give it its length: `vec![0.0; n]`, `[0.0; N]`",
            );
            return Val::Never;
        };
        let n = items.len().to_string();
        let dim = if on_heap { Dim::Dyn(self.s.b.int(&n)) } else { Dim::Fixed(n.into()) };
        let (mut dims, elem) = match &first {
            Val::Scalar(_) => {
                let types: Vec<Type> = items
                    .iter()
                    .filter_map(|v| match v {
                        Val::Scalar(v) => Some(self.s.b.func.ty(*v).clone()),
                        _ => None,
                    })
                    .collect();
                let elem = types
                    .iter()
                    .find(|t| matches!(t, Type::Float(k) if *k != crate::ir::FloatKind::Infer))
                    .or_else(|| types.iter().find(|t| t.is_float()))
                    .unwrap_or(&types[0])
                    .clone();
                (Vec::new(), elem)
            }
            Val::View(view) => {
                let data = self.s.b.func.buffer(view.buffer);
                (data.dims[view.prefix.len()..].to_vec(), data.elem.clone())
            }
            _ => {
                self.error(span, "an array of this cannot be followed", "make an array of numbers");
                return Val::Never;
            }
        };
        dims.insert(0, dim);
        if dims[1..].contains(&Dim::Slice) {
            self.error(
                span,
                "an array of slices cannot be followed",
                "copy the elements into an array of numbers",
            );
            return Val::Never;
        }
        let fill = match (&elem, &first) {
            (Type::Float(_), _) => self.s.b.float(0.0, elem.clone()),
            (_, Val::Scalar(v)) => *v,
            _ => self.dummy(&elem),
        };
        let view = self.declare_buffer(if on_heap { "vector" } else { "array" }, dims, fill);
        for (k, item) in items.into_iter().enumerate() {
            let index = self.s.b.int(&k.to_string());
            match (self.index(&view, index), item) {
                (Place::Element(buffer, index), Val::Scalar(v)) => {
                    self.store(buffer, index, v, StoreMode::Set);
                }
                (Place::Part(to), Val::View(from)) => self.copy_view(&from, &to, span),
                _ => {}
            }
        }
        Val::View(view)
    }
}

/// The arguments of `vec!`.
enum VecMacro {
    Repeat(Box<syn::Expr>, Box<syn::Expr>),
    List(Vec<syn::Expr>),
}

impl syn::parse::Parse for VecMacro {
    fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Ok(VecMacro::List(Vec::new()));
        }
        let first: syn::Expr = input.parse()?;
        if input.peek(syn::Token![;]) {
            input.parse::<syn::Token![;]>()?;
            return Ok(VecMacro::Repeat(Box::new(first), Box::new(input.parse()?)));
        }
        let mut list = vec![first];
        while input.peek(syn::Token![,]) {
            input.parse::<syn::Token![,]>()?;
            if input.is_empty() {
                break;
            }
            list.push(input.parse()?);
        }
        if input.is_empty() { Ok(VecMacro::List(list)) } else { Err(input.error("expected `,` or `;`")) }
    }
}
