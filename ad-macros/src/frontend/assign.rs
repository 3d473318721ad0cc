//! Assignments: `=`, `+=` and their like, and what exchanges what stands at two places.
//!
//! What does not live here: which places there are ([`super::place`]), and when what is assigned is a copy ([`super::ownership`]).

use proc_macro2::Span;
use syn::spanned::Spanned;

use super::loops::part;
use super::lower::Lower;
use super::ownership::is_owned;
use super::place::Place;
use super::value::{Val, View};
use crate::ir::{Op, StoreMode};

impl Lower<'_> {
    pub(super) fn assign(&mut self, left: &syn::Expr, val: Val) {
        match left {
            syn::Expr::Paren(p) => self.assign(&p.expr, val),
            syn::Expr::Infer(_) => {}
            syn::Expr::Tuple(t) => match val {
                Val::Tuple(list) if list.len() == t.elems.len() => {
                    // All values are there before the first is assigned: `(a, b) = (b, a)`.
                    let list: Vec<Val> = list.into_iter().map(|v| self.detached(v)).collect();
                    for (left, val) in t.elems.iter().zip(list) {
                        self.assign(left, val);
                    }
                }
                Val::Never => {}
                _ => self.error(left.span(), "the sides of this assignment do not fit", "assign one by one"),
            },
            _ => match (self.place_for(left, &val), val) {
                (None, _) | (_, Val::Never) => {}
                (Some(place), val) => self.write(place, val, left.span()),
            },
        }
    }

    /// The place that an expression names, for a value to be put into.
    fn place_for(&mut self, left: &syn::Expr, val: &Val) -> Option<Place> {
        let elem = self.elem_of(val);
        let outer = std::mem::replace(&mut self.storing, elem);
        let place = self.place(left);
        self.storing = outer;
        place
    }

    /// Puts a value into a place.
    fn write(&mut self, place: Place, val: Val, span: Span) {
        match (place, val) {
            (Place::Element(buffer, index), val) => {
                let val = self.deref(val);
                if let Some(v) = self.scalar(val, span) {
                    self.store(buffer, index, v, StoreMode::Set);
                }
            }
            // Rows of one array: each is another one, or the same.
            (Place::Part(to), Val::View(from))
                if from.buffer == to.buffer
                    && from.prefix.len() == to.prefix.len()
                    && from.range.is_none()
                    && to.range.is_none() =>
            {
                self.check_equal_rows(&from, &to);
                self.copy_within(&from, &to, span);
            }
            (Place::Part(to), Val::View(from)) => {
                self.check_equal_rows(&from, &to);
                self.copy_view(&from, &to, span);
            }
            (Place::Variable(var, path), val) if let Some(place) = self.place_in_row(var, &path, span) => {
                self.write(place, val, span);
            }
            (Place::Variable(var, path), val) => {
                let old = part(&mut self.s.vars[var].val, &path).clone();
                let val = match &old {
                    Val::View(to) if !to.by_ref => self.copied_in(to, val),
                    _ => val,
                };
                if let (Val::Ragged(_), Val::View(from)) = (&old, &val)
                    && self.rank(from) == 2
                {
                    return self.refill(var, &path, from, span);
                }
                match (old, val) {
                    // What it held has been moved to another variable, which must keep it.
                    (Val::View(to), val @ Val::View(_)) if !to.by_ref && self.is_held(&to, var) => {
                        self.set_at(var, &path, val);
                    }
                    (Val::View(to), Val::View(from)) if !to.by_ref && !from.by_ref => {
                        match self.resized(&to, &from) {
                            Some(to) => {
                                self.copy_view(&from, &to, span);
                                self.set_at(var, &path, Val::View(to));
                            }
                            None => self.copy_view(&from, &to, span),
                        }
                    }
                    (old @ Val::Maybe(_), val) if old.is_like(&val) && self.has_home(&old) => {
                        self.set_option(var, &path, val, span);
                    }
                    // A struct or tuple of the same shape, or a vector of them: part by part, so that its arrays stay its own.
                    (old, val)
                        if old.is_like(&val)
                            && old.holds_view()
                            && match &old {
                                Val::Maybe(_) => false,
                                Val::Columns(_) | Val::Ragged(_) => is_owned(&old) && is_owned(&val),
                                _ => true,
                            } =>
                    {
                        let val = self.detached(val);
                        for (k, part) in val.parts().unwrap_or_default().to_vec().into_iter().enumerate() {
                            let path = [path.as_slice(), &[k]].concat();
                            self.write(Place::Variable(var, path), part, span);
                        }
                    }
                    (_, val) => {
                        let val = self.own(val, true, "copy");
                        self.set_at(var, &path, val);
                    }
                }
            }
            (Place::Parts(places, like), val) => {
                let val = self.taken_apart_like(val, &like);
                match val.parts() {
                    Some(list) if list.len() == places.len() => {
                        for (place, val) in places.into_iter().zip(list.to_vec()) {
                            self.write(place, val, span);
                        }
                    }
                    _ => self.error(span, "the sides of this assignment do not fit", "assign the parts"),
                }
            }
            _ => self.error(span, "the sides of this assignment do not fit", "assign the elements"),
        }
    }

    /// A row is as long as what takes its place: it stands between others and cannot grow. Where the lengths are not known to be
    /// equal, a run tells.
    fn check_equal_rows(&mut self, from: &View, to: &View) {
        use crate::ir::Dim;
        if self.rank(from) != self.rank(to) || self.rank(to) == 0 {
            return;
        }
        let axis = |this: &Self, view: &View| match view.range {
            None => Some(this.s.b.func.buffer(view.buffer).dims[view.prefix.len()].clone()),
            Some(_) => None,
        };
        // Of arrays rustc sees to it.
        if let (Some(Dim::Fixed(_)), Some(Dim::Fixed(_))) = (axis(self, from), axis(self, to)) {
            return;
        }
        let (new, old) = (self.len(from), self.len(to));
        self.must_be_as_long(
            new,
            old,
            "a differentiated function replaces a row by one of the same length only",
        );
    }

    /// `mem::swap(a, b)`: what stands at the two places that the references lead to.
    pub(super) fn swapped(&mut self, a: &syn::Expr, b: &syn::Expr) {
        let (Some(to), Some(from)) =
            (self.place(&super::calls::pointee(a)), self.place(&super::calls::pointee(b)))
        else {
            return;
        };
        let (x, y) = (self.at_place(&to), self.at_place(&from));
        if let (Val::View(x), Val::View(y)) = (&x, &y)
            && !x.by_ref
            && !y.by_ref
        {
            return self.swap_views(x, y);
        }
        let (x, y) = (self.detached(x), self.detached(y));
        self.write(to, y, a.span());
        self.write(from, x, b.span());
    }

    /// `mem::replace(a, b)`: what stood at the place.
    pub(super) fn replaced(&mut self, a: &syn::Expr, b: &syn::Expr) -> Val {
        let new = self.expr(b).0;
        let Some(place) = self.place_for(&super::calls::pointee(a), &new) else { return Val::Never };
        let old = self.at_place(&place);
        let old = self.detached(old);
        self.write(place, new, a.span());
        old
    }

    /// What stands at a place, rows of vectors of structs included.
    fn at_place(&mut self, place: &Place) -> Val {
        match place {
            Place::Parts(places, like) => self.read_all(places, like),
            Place::Variable(var, path) => {
                let val = part(&mut self.s.vars[*var].val, path).clone();
                // A row that a reference leads to, part by part.
                match self.is_row_of_parts(&val).then(|| self.places_in(&val)).flatten() {
                    Some(Place::Parts(places, like)) => self.read_all(&places, &like),
                    _ => val,
                }
            }
            place => self.read(place.clone()),
        }
    }

    /// Sets a part of a variable.
    pub(super) fn set_at(&mut self, var: super::lower::VarId, path: &[usize], val: Val) {
        if path.is_empty() {
            return self.set(var, val);
        }
        *part(&mut self.s.vars[var].val, path) = val;
    }

    pub(super) fn compound(&mut self, e: &syn::ExprBinary, op: Op) {
        let (right, _) = self.expr(&e.right);
        let right = self.deref(right);
        let place = self.place_for(&e.left, &right);
        if let Some(Place::Variable(var, path)) = &place
            && let Val::Scalar(v) = *part(&mut self.s.vars[*var].val, path)
            && let Some(opened) = self.opened_by_operator(&op, v, &right, e.op.span())
        {
            self.set_at(*var, path, opened);
        }
        if let Some(Place::Variable(var, path)) = &place
            && let Val::Struct(..) = part(&mut self.s.vars[*var].val, path)
        {
            let target = Val::RefMut(*var, path.clone());
            self.own_compound(&op, target, right, e.op.span());
            return;
        }
        // A row of a vector of structs: changed beside it, and put back.
        if let Some(Place::Parts(places, like @ Val::Struct(..))) = place {
            let val = self.read_all(&places, &like);
            let row = self.new_var("row", true, val);
            self.own_compound(&op, Val::RefMut(row, Vec::new()), right, e.op.span());
            let val = self.s.vars[row].val.clone();
            return self.write(Place::Parts(places, like), val, e.span());
        }
        let whole = match &place {
            Some(Place::Part(view)) => Some(view.clone()),
            Some(Place::Variable(var, path)) => match part(&mut self.s.vars[*var].val, path) {
                Val::View(view) => Some(view.clone()),
                _ => None,
            },
            _ => None,
        };
        if let Some(view) = whole
            && self.rank(&view) > 0
        {
            return self.array_compound(&view, &op, &right, e.span());
        }
        let Some(right) = self.scalar(right, e.right.span()) else { return };
        match place {
            Some(Place::Element(buffer, index)) => {
                let float = self.s.b.func.buffer(buffer).elem.is_float();
                match op {
                    Op::Add if float => self.store(buffer, index, right, StoreMode::Add),
                    Op::Sub if float => {
                        let minus = self.op(Op::Neg, &[right]);
                        self.store(buffer, index, minus, StoreMode::Add);
                    }
                    _ => {
                        let old = self.load(buffer, index.clone());
                        let new = self.op(op, &[old, right]);
                        self.store(buffer, index, new, StoreMode::Set);
                    }
                }
            }
            Some(Place::Variable(var, path)) => match part(&mut self.s.vars[var].val, &path).clone() {
                Val::Scalar(old) => {
                    let new = self.op(op, &[old, right]);
                    self.set_at(var, &path, Val::Scalar(new));
                }
                Val::Never => {}
                other => {
                    self.scalar(other, e.left.span());
                }
            },
            Some(Place::Part(_) | Place::Parts(..)) => {
                self.error(e.span(), "compound assignment works on numbers", "loop over the elements");
            }
            None => {}
        }
    }
}
