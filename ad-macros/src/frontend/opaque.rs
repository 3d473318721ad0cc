//! Variables that hold something made by code that the macro does not look into and that are changed here: an array
//! (`let mut z = zeros(n)`, a copy of a constant, a field of a configuration) is copied into a buffer where it is bound,
//! a struct (`Car::default()`, `*car`) is taken apart into the fields that are used.
//!
//! What such a variable is shows only where it is written, so the function is lowered again once it is known.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use quote::ToTokens;
use rustc_hash::FxHashMap as HashMap;

use super::lower::{Lower, Target, VarId};
use super::place::Place;
use super::value::{Fields, Val, View};
use crate::ir::{Dim, FloatKind, StoreMode, Type, Value};

/// A part of a binding: where the name stands, and which part of its value.
pub(super) type Origin = (Arc<str>, Vec<usize>);

/// What is known of something made by other code.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Found {
    /// An array: its axes (those of a length in their type with it), and what its elements are.
    Array { axes: Vec<Option<Arc<str>>>, elem: Type },
    /// A vector of structs or tuples, of this type.
    Rows(Box<syn::Type>),
    /// A struct: its fields that are read or written here.
    Fields(BTreeSet<String>),
}

/// Takes what an attempt has found. Of the parts of a struct that has more fields than the attempt knew of, nothing holds:
/// they are numbered by the fields.
pub(super) fn learn(known: &mut HashMap<Origin, Found>, mut wanted: HashMap<Origin, Found>) {
    let changed: Vec<Origin> = wanted
        .iter()
        .filter(|(origin, found)| matches!(found, Found::Fields(_)) && known.get(*origin) != Some(*found))
        .map(|(origin, _)| origin.clone())
        .collect();
    let holds = |(at, path): &Origin| {
        !changed.iter().any(|(of, above)| at == of && path.len() > above.len() && path.starts_with(above))
    };
    known.retain(|origin, _| holds(origin));
    wanted.retain(|origin, _| holds(origin));
    known.extend(wanted);
}

impl Lower<'_> {
    /// The value of a new name: what is known to be an array becomes one.
    pub(super) fn opened(&mut self, origin: &Arc<str>, path: &mut Vec<usize>, val: Val, name: &str) -> Val {
        match val {
            // What a mutable reference leads to is opened where it is.
            Val::Scalar(v) if self.is_opaque(v) && !self.s.mutable.contains_key(&v) => {
                match self.known.get(&(origin.clone(), path.clone())).cloned() {
                    Some(Found::Array { axes, elem }) => Val::View(self.copy_in(v, &axes, &elem, name)),
                    Some(Found::Rows(ty)) => self.rows_as(v, &ty, name).unwrap_or(Val::Scalar(v)),
                    // Of a struct that the macro knows it has all fields.
                    Some(Found::Fields(_))
                        if let Some(syn::Type::Path(p)) = self.s.declared.get(&v).cloned()
                            && let Some(whole) = self.opened_as(v, &p.path) =>
                    {
                        self.opened(origin, path, whole, name)
                    }
                    Some(Found::Fields(names)) => {
                        let fields = Fields {
                            path: syn::parse_quote!(Opened),
                            names: names.iter().cloned().collect(),
                            opened: Some((origin.clone(), path.clone())),
                        };
                        let parts = names.iter().map(|name| Val::Scalar(self.field_of(v, name))).collect();
                        self.opened(origin, path, Val::Struct(Rc::new(fields), parts), name)
                    }
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

    /// A value of a struct that derives `Differentiable`, made by other code, field by field.
    pub(super) fn taken_apart(&mut self, v: Value, path: &syn::Path) -> Val {
        let name = path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
        let Some(item) = crate::structs::find(&name) else { return Val::Scalar(v) };
        let mut parts: Vec<(String, Val)> = Vec::new();
        for field in super::records::fields_of(&item) {
            let member = &field.member;
            let name = quote::quote!(#member).to_string();
            let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), proc_macro2::Span::call_site());
            let place = quote::quote!(#hole.#member);
            let val = if let Some(kind) = self.float_kind(&field.ty) {
                Val::Scalar(self.pass(place, &[v], Type::Float(kind)))
            } else if super::stmt::is_integer(&field.ty) {
                let ty = &field.ty;
                let int = self.pass(place, &[v], Type::Int);
                self.s.ints.insert(int, quote::quote!(#ty).to_string().into());
                Val::Scalar(int)
            } else if let Some((super::signature::Wrapper::Option, inner)) =
                super::signature::wrapper(&field.ty)
                && let Some(kind) = self.float_kind(inner)
            {
                let some = self.pass(quote::quote!(#place.is_some()), &[v], Type::Bool);
                let value = self.pass(quote::quote!(#place.unwrap_or_default()), &[v], Type::Float(kind));
                Val::Maybe(vec![Val::Scalar(some), Val::Scalar(value), Val::Unset])
            } else {
                let copy = self.pass(quote::quote!(::core::clone::Clone::clone(&#place)), &[v], Type::Opaque);
                match &field.ty {
                    syn::Type::Path(p) if p.qself.is_none() => self.taken_apart(copy, &p.path),
                    _ => Val::Scalar(copy),
                }
            };
            parts.push((name, val));
        }
        parts.sort_by(|a, b| a.0.cmp(&b.0));
        let (names, parts) = parts.into_iter().unzip();
        Val::Struct(Rc::new(Fields { path: path.clone(), names, opened: None }), parts)
    }

    /// `v.name`
    fn field_of(&mut self, v: Value, name: &str) -> Value {
        let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), proc_macro2::Span::call_site());
        let member: proc_macro2::TokenStream = name.parse().unwrap_or_default();
        self.pass(quote::quote!(#hole.#member), &[v], Type::Opaque)
    }

    /// The fields that `..rest` gives to a struct, but for those that are `given`.
    pub(super) fn fields_of_rest(
        &mut self,
        origin: &Origin,
        ty: &syn::Path,
        rest: Value,
        given: &[String],
    ) -> Vec<(String, Val)> {
        // By itself `Default::default()` is of no type.
        let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), proc_macro2::Span::call_site());
        let typed = quote::quote!({
            let rest: #ty = #hole;
            rest
        });
        let name = ty.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
        let names: Vec<String> = match (crate::structs::find(&name), self.known.get(origin).cloned()) {
            (Some(item), _) => {
                item.fields.members().map(|m| quote::ToTokens::to_token_stream(&m).to_string()).collect()
            }
            (None, Some(Found::Fields(names))) => names.into_iter().collect(),
            (None, _) => return Vec::new(),
        };
        let rest = self.pass(typed, &[rest], Type::Opaque);
        let names = names.into_iter().filter(|n| !given.contains(n));
        names.map(|name| (name.clone(), Val::Scalar(self.field_of(rest, &name)))).collect()
    }

    /// Whether a value of other code can be taken apart like another: into numbers, tuples and structs of them.
    pub(super) fn can_be_like(&self, val: &Val, like: &Val) -> bool {
        let of_numbers = |part: &Val| match part {
            Val::Scalar(v) => !self.s.refs.contains(v),
            part => part.parts().is_some() && self.can_be_like(val, part),
        };
        matches!(val, Val::Scalar(v) if self.is_opaque(*v))
            && match like {
                Val::Tuple(_) => true,
                // Of one that is opened itself, not all fields are known.
                Val::Struct(fields, _) => fields.opened.is_none(),
                _ => false,
            }
            && like.parts().is_some_and(|parts| !parts.is_empty() && parts.iter().all(of_numbers))
    }

    /// `Complex::default()` of a struct that derives `Differentiable`, taken apart into all its fields; anything else as it
    /// is.
    pub(super) fn default_of_struct(&mut self, e: &syn::Expr, val: Val) -> Val {
        let Val::Scalar(v) = val else { return val };
        let syn::Expr::Call(c) = e else { return val };
        let syn::Expr::Path(p) = &*c.func else { return val };
        let segments: Vec<&syn::PathSegment> = p.path.segments.iter().collect();
        let [.., ty, name] = segments.as_slice() else { return val };
        if !self.is_opaque(v) || !c.args.is_empty() || name.ident != "default" {
            return val;
        }
        let path = syn::Path::from((*ty).clone());
        self.opened_as(v, &path).unwrap_or(val)
    }

    /// A struct of other code whose fields are known.
    pub(super) fn opened_as(&mut self, v: Value, path: &syn::Path) -> Option<Val> {
        let item = crate::structs::instance(path)?;
        let mut fields = Vec::new();
        for field in super::records::fields_of(&item) {
            let name = field.member.to_token_stream().to_string();
            fields.push((name.clone(), self.part_as(v, &field.member, &field.ty, &name)));
        }
        // The order of all values of a struct type.
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        let (names, parts) = fields.into_iter().unzip();
        Some(Val::Struct(Rc::new(Fields { path: path.clone(), names, opened: None }), parts))
    }

    /// What is to go where a struct, or a tuple of a known type, is kept in parts: taken apart if it is data.
    pub(super) fn taken_apart_like(&mut self, val: Val, like: &Val) -> Val {
        let Val::Scalar(v) = val else { return val };
        if !self.is_opaque(v) {
            return val;
        }
        let whole = match (like, self.s.declared.get(&v).cloned()) {
            (Val::Struct(fields, _), _) if fields.opened.is_none() => self.opened_as(v, &fields.path.clone()),
            (Val::Tuple(list), Some(syn::Type::Tuple(t))) if t.elems.len() == list.len() => {
                let types = t.elems.iter().enumerate();
                Some(Val::Tuple(types.map(|(k, ty)| self.part_as(v, &k.into(), ty, "part")).collect()))
            }
            _ => None,
        };
        whole.unwrap_or(val)
    }

    /// A field of something of other code, whose type is known.
    fn part_as(&mut self, v: Value, member: &syn::Member, ty: &syn::Type, name: &str) -> Val {
        let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), proc_macro2::Span::call_site());
        if let Some(val) = self.number_as(quote::quote!(#hole.#member), v, ty) {
            return val;
        }
        let part = self.pass(quote::quote!(&#hole.#member), &[v], Type::Opaque);
        self.s.refs.insert(part);
        self.value_as(part, ty, name)
    }

    /// What a reference leads to, if its type is that of a number.
    fn number_as(&mut self, place: proc_macro2::TokenStream, v: Value, ty: &syn::Type) -> Option<Val> {
        let number = match ty {
            ty if let Some(kind) = self.float_kind(ty) => Type::Float(kind),
            ty if super::stmt::is_integer(ty) => Type::Int,
            syn::Type::Path(p) if p.path.is_ident("bool") => Type::Bool,
            _ => return None,
        };
        let part = self.pass(place, &[v], number);
        if super::stmt::is_integer(ty) {
            self.s.ints.insert(part, quote::quote!(#ty).to_string().into());
        }
        Some(Val::Scalar(part))
    }

    /// What a reference leads to, of this type.
    fn value_as(&mut self, v: Value, ty: &syn::Type, name: &str) -> Val {
        let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), proc_macro2::Span::call_site());
        if let Some(val) = self.number_as(quote::quote!(*#hole), v, ty) {
            return val;
        }
        if let Some((dims, elem @ (Type::Float(_) | Type::Int | Type::Bool))) =
            super::signature::shape(ty, &self.sig.floats)
        {
            let axes = dims.iter().map(|d| if let Dim::Fixed(n) = d { Some(n.clone()) } else { None });
            return Val::View(self.copy_in(v, &axes.collect::<Vec<_>>(), &elem, name));
        }
        match ty {
            syn::Type::Tuple(t) => {
                let types = t.elems.iter().enumerate();
                Val::Tuple(types.map(|(k, ty)| self.part_as(v, &k.into(), ty, name)).collect())
            }
            syn::Type::Path(p) if let Some(inner) = self.opened_as(v, &p.path) => inner,
            ty if let Some(rows) = self.rows_as(v, ty, name) => rows,
            _ => {
                Val::Scalar(self.pass(quote::quote!(::core::clone::Clone::clone(#hole)), &[v], Type::Opaque))
            }
        }
    }

    /// A vector of tuples or structs of other code.
    fn rows_as(&mut self, v: Value, ty: &syn::Type, name: &str) -> Option<Val> {
        let elem = super::signature::element(ty)?.0.clone();
        let hole = |k: usize| syn::Ident::new(&crate::ir::Verbatim::hole(k), proc_macro2::Span::call_site());
        let (x, k) = (hole(0), hole(1));
        let len = self.pass(quote::quote!(#x.len()), &[v], Type::Int);
        self.rows_of_items(&elem, len, name, &mut |this, i| {
            let item = this.pass(quote::quote!(&#x[#k]), &[v, i], Type::Opaque);
            this.s.refs.insert(item);
            item
        })
    }

    /// A copy of a slice of structs or tuples that the macro does not look into, whose type is known: field by field.
    pub(super) fn rows_of_slice(&mut self, view: &View, name: &str) -> Option<Val> {
        if self.rank(view) != 1 || self.s.b.func.buffer(view.buffer).elem != Type::Opaque {
            return None;
        }
        let elem = self.s.elements.get(&view.buffer).cloned()?;
        let len = self.len(view);
        self.rows_of_items(&elem, len, name, &mut |this, i| match this.element(view, i, false) {
            Val::Scalar(item) => item,
            _ => i,
        })
    }

    /// A vector of so many tuples or structs, to each of which there is a reference.
    fn rows_of_items(
        &mut self,
        elem: &syn::Type,
        len: Value,
        name: &str,
        item: &mut dyn FnMut(&mut Self, Value) -> Value,
    ) -> Option<Val> {
        let row @ super::vectors::Row::Parts(..) = self.row_of_elem(elem)? else { return None };
        let (rows, span) = (self.grown(&row, name), proc_macro2::Span::call_site());
        let rows = self.new_var(name, true, rows);
        let zero = self.s.b.int("0_usize");
        self.range_loop(&super::loops::RangeSpec::new(zero, len, false), &mut |this, i| {
            let item = item(this, i);
            let item = this.value_as(item, elem, name);
            this.push_to(rows, &[], item, span);
            super::lower::Flow::Falls
        });
        Some(std::mem::replace(&mut self.s.vars[rows].val, Val::Never))
    }

    /// The types of the numbers in a value.
    pub(super) fn types_in(&self, val: &Val) -> Vec<(Value, Type)> {
        match val {
            Val::Scalar(v) => vec![(*v, self.s.b.func.ty(*v).clone())],
            other => other.parts().into_iter().flatten().flat_map(|part| self.types_in(part)).collect(),
        }
    }

    /// A value of other code, taken apart like another, whose numbers are of these types.
    pub(super) fn like(&mut self, val: Val, like: &Val, types: &[(Value, Type)]) -> Val {
        let Val::Scalar(v) = val else { return val };
        if !self.can_be_like(&val, like) {
            return val;
        }
        let names: Vec<String> = match like {
            Val::Struct(fields, _) => fields.names.clone(),
            _ => (0..like.parts().map_or(0, <[Val]>::len)).map(|k| k.to_string()).collect(),
        };
        let mut parts = Vec::new();
        for (name, part) in names.iter().zip(like.parts().unwrap_or_default().to_vec()) {
            let field = self.field_of(v, name);
            if let Val::Scalar(other) = &part
                && let Some((_, ty)) = types.iter().find(|(v, _)| v == other)
            {
                self.s.b.func.values[field.0 as usize].ty = ty.clone();
            }
            parts.push(self.like(Val::Scalar(field), &part, types));
        }
        like.with_parts(parts)
    }

    /// Notes that a field of a struct made by other code is used, if that is what this is.
    pub(super) fn want_field(&mut self, val: &Val, member: &syn::Member) {
        if let Val::Struct(fields, _) = val
            && let Some(origin) = fields.opened.clone()
        {
            self.want_names(origin, [quote::quote!(#member).to_string()]);
        }
    }

    /// As [`Lower::want_field`], of a part of a variable, to change it.
    pub(super) fn want_field_at(&mut self, var: VarId, path: &[usize], member: &syn::Member) {
        let val = super::loops::part(&mut self.s.vars[var].val, path).clone();
        if let Some(target) = self.led_to(&val) {
            if let Target::Part(var, path) = target {
                self.want_field_at(var, &path, member);
            }
            return;
        }
        match (&val, self.s.vars[var].origin.clone()) {
            (Val::Scalar(v), Some(origin)) if self.is_opaque(*v) => {
                self.want_names((origin, path.to_vec()), [quote::quote!(#member).to_string()]);
            }
            _ => self.want_field(&val, member),
        }
    }

    /// Where a mutable reference to data leads to. `None` of anything else.
    pub(super) fn led_to(&self, val: &Val) -> Option<Target> {
        match val {
            Val::Scalar(v) => self.s.mutable.get(v).cloned(),
            _ => None,
        }
    }

    /// Notes that a part of a variable is a struct that is changed field by field.
    pub(super) fn want_struct(&mut self, var: VarId, path: &[usize]) {
        if let Some(origin) = self.s.vars[var].origin.clone() {
            self.want_names((origin, path.to_vec()), []);
        }
    }

    fn want_names(&mut self, origin: Origin, names: impl IntoIterator<Item = String>) {
        let known = self.wanted.get(&origin).or_else(|| self.known.get(&origin)).cloned();
        let mut all = match known {
            Some(Found::Fields(names)) => names,
            _ => BTreeSet::new(),
        };
        all.extend(names);
        self.wanted.insert(origin, Found::Fields(all));
    }

    pub(super) fn is_opaque(&self, v: Value) -> bool {
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
                Val::View(self.copy_in(v, &self.axes_of(to), &elem, "copy"))
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
            self.want(var, &path, vec![None; axes], elem);
        } else if let syn::Expr::Field(f) = base
            && let Some(Place::Variable(var, path)) = self.place_quietly(&f.base)
        {
            self.want_field_at(var, &path, &f.member);
        }
    }

    /// The axes of a view, with the lengths that types tell.
    fn axes_of(&self, view: &View) -> Vec<Option<Arc<str>>> {
        let dims = &self.s.b.func.buffer(view.buffer).dims[view.prefix.len()..];
        let fixed = |(k, dim): (usize, &Dim)| match dim {
            Dim::Fixed(n) if k > 0 || view.range.is_none() => Some(n.clone()),
            _ => None,
        };
        dims.iter().enumerate().map(fixed).collect()
    }

    /// Notes that a variable, or a part of it, is an array.
    pub(super) fn want(
        &mut self,
        var: VarId,
        path: &[usize],
        axes: Vec<Option<Arc<str>>>,
        elem: Option<Type>,
    ) {
        let val = super::loops::part(&mut self.s.vars[var].val, path).clone();
        if let Some(target) = self.led_to(&val) {
            if let Target::Part(var, path) = target {
                self.want(var, &path, axes, elem);
            }
            return;
        }
        let Some(origin) = self.s.vars[var].origin.clone() else { return };
        let Val::Scalar(v) = val else { return };
        if axes.is_empty() || !self.is_opaque(v) {
            return;
        }
        let key = (origin, path.to_vec());
        // Whose type is told to be a vector of structs.
        if let Some(ty) = self.s.declared.get(&v).cloned()
            && let Some((elem, _)) = super::signature::element(&ty)
            && matches!(self.row_of_elem(&elem.clone()), Some(super::vectors::Row::Parts(..)))
        {
            self.wanted.insert(key, Found::Rows(Box::new(ty)));
            return;
        }
        let elem = elem.unwrap_or(Type::Float(FloatKind::Infer));
        let better = |old: &Found| match old {
            Found::Array { axes: old, elem } => {
                old.len() < axes.len() || *elem == Type::Float(FloatKind::Infer) && old.len() == axes.len()
            }
            Found::Fields(_) | Found::Rows(_) => false,
        };
        if self.wanted.get(&key).is_none_or(better) {
            self.wanted.insert(key, Found::Array { axes, elem });
        }
    }

    /// As [`Lower::want`], of what it is to become.
    pub(super) fn want_like(&mut self, var: VarId, path: &[usize], like: &Val) {
        match like {
            Val::View(view) => {
                let elem = self.s.b.func.buffer(view.buffer).elem.clone();
                let axes = self.axes_of(view);
                self.want(var, path, axes, Some(elem));
            }
            Val::Tuple(_) | Val::Struct(..) => {
                let old = super::loops::part(&mut self.s.vars[var].val, path).clone();
                if let Val::Struct(fields, _) = like {
                    for name in fields.names.clone() {
                        if let Ok(member) = syn::parse_str(&name)
                            && old.field(&member).is_none()
                        {
                            self.want_field_at(var, path, &member);
                        }
                    }
                }
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
    fn copy_in(&mut self, v: Value, axes: &[Option<Arc<str>>], elem: &Type, name: &str) -> View {
        let hole = |k: usize| syn::Ident::new(&crate::ir::Verbatim::hole(k), proc_macro2::Span::call_site());
        let first = hole(0);
        let (mut dims, mut shape) = (Vec::new(), Vec::new());
        for (axis, known) in axes.iter().enumerate() {
            let rows = match axis {
                0 => quote::quote!(#first.len()),
                1 => quote::quote!(#first.first().map_or(0, |row| row.len())),
                _ => quote::quote!(#first.first().and_then(|row| row.first()).map_or(0, |row| row.len())),
            };
            let len = self.pass(rows, &[v], Type::Int);
            self.s.ints.insert(len, "usize".into());
            dims.push(len);
            shape.push(known.clone().map_or(Dim::Dyn(len), Dim::Fixed));
        }
        for axis in 1..axes.len() {
            let (n, message) = (hole(1), "rows of different lengths are not supported here");
            let all = if axis == 1 {
                quote::quote!(#first.iter().all(|row| row.len() == #n))
            } else {
                quote::quote!(#first.iter().all(|row| row.iter().all(|row| row.len() == #n)))
            };
            let tokens = quote::quote!(::core::assert!(#all, #message));
            let verbatim = crate::ir::Verbatim::check(tokens, Vec::new());
            self.s.b.effect(crate::ir::InstKind::Effect(verbatim, vec![v, dims[axis]]));
        }
        let fill = self.dummy(elem);
        let view = self.declare_buffer(name, shape, fill);
        self.s.copied_in.insert(view.buffer);
        self.s.b.func.buffers[view.buffer.0 as usize].elem = elem.clone();
        let elem = elem.clone();
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
    const CHANGES: [&str; 25] = [
        "push_back",
        "push_front",
        "pop_back",
        "pop_front",
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
        "insert",
        "remove",
        "swap_remove",
        "rotate_left",
        "rotate_right",
    ];
    CHANGES.contains(&method)
}

/// Where a name stands, as a key that lowering again finds.
pub(super) fn origin(ident: &syn::Ident) -> Arc<str> {
    format!("{ident} {:?}", ident.span()).into()
}

/// As [`origin`], for `..rest`.
pub(super) fn origin_of_rest(rest: &syn::Expr) -> Arc<str> {
    format!("..{:?}", syn::spanned::Spanned::span(rest)).into()
}
