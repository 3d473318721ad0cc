//! Vectors that grow: `Vec::new()`, `push`, `pop`, `extend`.
//!
//! A vector that grows is a buffer with room for what has been pushed so far, and a length of its own, which is an
//! ordinary number: loops carry it and branches choose it. What its elements are is not known where it is made; the
//! rest of the block is lowered once for trial until something is pushed.

use std::rc::Rc;

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;

use super::lower::{Flow, Lower, VarId};
use super::place::Place;
use super::signature::shape;
use super::value::{Val, View};
use crate::ir::{BufferData, Cmp, Dim, FloatKind, InstKind, Op, Storage, Type, Value};

/// What the elements of a vector are.
#[derive(Clone, Debug)]
pub(super) enum Row {
    Scalar(Type),
    /// An array of these axes.
    Array(Vec<Dim>, Type),
    /// A vector of its own length.
    Vector(Type),
    /// A vector of such vectors.
    Vectors(Box<Row>),
    /// The parts of a tuple or struct, in the shape of this value.
    Parts(Val, Vec<Row>),
}

impl Lower<'_> {
    /// Whether a `let` makes an empty vector, whose elements only what follows tells.
    pub(super) fn is_empty_vector(&self, e: &syn::Expr) -> bool {
        match e {
            syn::Expr::Call(c) => {
                let syn::Expr::Path(p) = &*c.func else { return false };
                let mut segments = p.path.segments.iter().rev();
                let (last, ty) = (segments.next(), segments.next());
                let named = |s: Option<&syn::PathSegment>, names: &[&str]| {
                    s.is_some_and(|s| names.iter().any(|n| s.ident == n))
                };
                named(ty, &["Vec", "VecDeque"]) && named(last, &["new", "with_capacity", "default"])
            }
            syn::Expr::Macro(m) => m.mac.path.is_ident("vec") && m.mac.tokens.is_empty(),
            _ => false,
        }
    }

    /// `let v = Vec::new();` and the rest of the block.
    pub(super) fn empty_vector(
        &mut self,
        local: &syn::Local,
        init: &syn::Expr,
        rest: &mut dyn FnMut(&mut Self) -> (Val, Flow),
    ) -> (Val, Flow) {
        let key = std::ptr::from_ref(local) as usize;
        let (pattern, ty) = super::stmt::annotation(&local.pat);
        let written = ty.cloned().or_else(|| turbofish(init));
        if !self.rows.contains_key(&key) {
            if let Some(row) = written.as_ref().and_then(|ty| self.row_of_type(ty)) {
                self.rows.insert(key, row);
            } else {
                // What is wrong will be told when it is lowered for good.
                let errors = self.diagnostics.mark();
                let (flag, tail, depth) = (self.returned, self.tail, self.depth);
                let loops = self.loops.clone();
                self.trial(|this| {
                    this.s.b.open(Vec::new());
                    this.bind_pattern(pattern, Val::Vacant(key), false);
                    rest(this);
                });
                (self.returned, self.tail, self.depth, self.loops) = (flag, tail, depth, loops);
                self.diagnostics.back_to(errors);
            }
        }
        let row = self.rows.get(&key).cloned().unwrap_or(Row::Scalar(Type::Float(FloatKind::Infer)));
        let val = self.grown(&row, "vector");
        self.bind_pattern(pattern, val, true);
        rest(self)
    }

    /// `Vec::new()` where the type says what its elements are.
    pub(super) fn empty_value(&mut self, e: &syn::Expr) -> Option<Val> {
        if !self.is_empty_vector(e) {
            return None;
        }
        let ty = turbofish(e).or_else(|| self.expected.clone())?;
        let row = self.row_of_type(&ty)?;
        Some(self.grown(&row, "vector"))
    }

    fn row_of_type(&self, ty: &syn::Type) -> Option<Row> {
        let syn::Type::Path(p) = ty else { return None };
        let last = p.path.segments.last()?;
        let syn::PathArguments::AngleBracketed(args) = &last.arguments else { return None };
        let elem = args.args.iter().find_map(|a| match a {
            syn::GenericArgument::Type(t) => Some(t),
            _ => None,
        })?;
        if last.ident != "Vec" && last.ident != "VecDeque" {
            return None;
        }
        self.row_of_elem(elem)
    }

    pub(super) fn row_of_elem(&self, elem: &syn::Type) -> Option<Row> {
        if let Some(kind) = self.float_kind(elem) {
            return Some(Row::Scalar(Type::Float(kind)));
        }
        if super::stmt::is_integer(elem) {
            return Some(Row::Scalar(Type::Int));
        }
        match elem {
            syn::Type::Array(_) => {
                let (dims, elem) = shape(elem, &self.sig.floats)?;
                Some(Row::Array(dims, elem))
            }
            syn::Type::Tuple(t) if !t.elems.is_empty() => {
                let rows: Option<Vec<Row>> = t.elems.iter().map(|t| self.row_of_elem(t)).collect();
                let rows = rows?;
                Some(Row::Parts(Val::Tuple(vec![Val::Unset; rows.len()]), rows))
            }
            syn::Type::Path(p) if p.path.is_ident("bool") => Some(Row::Scalar(Type::Bool)),
            syn::Type::Path(p) if let Some(item) = crate::structs::instance(&p.path) => {
                let mut rows = Vec::new();
                for field in super::records::fields_of(&item) {
                    rows.push((field.member.to_token_stream().to_string(), self.row_of_elem(&field.ty)?));
                }
                // The order of all values of a struct type.
                rows.sort_by(|a, b| a.0.cmp(&b.0));
                let (names, rows): (Vec<String>, Vec<Row>) = rows.into_iter().unzip();
                let fields = super::value::Fields { path: p.path.clone(), names, opened: None };
                Some(Row::Parts(Val::Struct(Rc::new(fields), vec![Val::Unset; rows.len()]), rows))
            }
            syn::Type::Path(_) => match self.row_of_type(elem)? {
                Row::Scalar(ty) => Some(Row::Vector(ty)),
                row @ (Row::Vector(_) | Row::Vectors(_)) => Some(Row::Vectors(Box::new(row))),
                _ => None,
            },
            _ => None,
        }
    }

    /// What a value would be as an element.
    pub(super) fn row_of(&mut self, val: &Val) -> Option<Row> {
        match val {
            Val::Scalar(v) if self.s.refs.contains(v) => {
                self.error(
                    self.here,
                    "references to data are not kept in vectors beside active values",
                    "keep the index of what each points to",
                );
                Some(Row::Scalar(Type::Opaque))
            }
            Val::Scalar(v) => Some(Row::Scalar(self.s.b.func.ty(*v).clone())),
            Val::View(view) if self.rank(view) == 0 => {
                Some(Row::Scalar(self.s.b.func.buffer(view.buffer).elem.clone()))
            }
            Val::View(view) => {
                let data = self.s.b.func.buffer(view.buffer).clone();
                let dims = data.dims[view.prefix.len()..].to_vec();
                let fixed = view.range.is_none() && dims.iter().all(|d| matches!(d, Dim::Fixed(_)));
                if fixed {
                    Some(Row::Array(dims, data.elem))
                } else {
                    match self.rank(view) {
                        1 => Some(Row::Vector(data.elem)),
                        2 if self.is_plain(view) => Some(Row::Vectors(Box::new(Row::Vector(data.elem)))),
                        _ => None,
                    }
                }
            }
            Val::Ragged(parts) => Some(match &parts[0] {
                Val::View(data) => {
                    let elem = self.s.b.func.buffer(data.buffer).elem.clone();
                    Row::Vectors(Box::new(Row::Vector(elem)))
                }
                inner => Row::Vectors(Box::new(self.row_of(inner)?)),
            }),
            Val::Tuple(list) | Val::Struct(_, list) => {
                let rows: Option<Vec<Row>> = list.iter().map(|v| self.row_of(v)).collect();
                Some(Row::Parts(val.emptied(), rows?))
            }
            _ => None,
        }
    }

    /// An empty vector.
    pub(super) fn grown(&mut self, row: &Row, name: &str) -> Val {
        let (dims, elem) = match row {
            Row::Scalar(ty) => (Vec::new(), ty.clone()),
            Row::Array(dims, ty) => (dims.clone(), ty.clone()),
            Row::Vector(ty) => {
                let data = self.grown(&Row::Scalar(ty.clone()), name);
                let (starts, lens) = (self.sizes("starts"), self.sizes("lens"));
                return Val::Ragged(vec![data, starts, lens]);
            }
            Row::Vectors(row) => {
                let rows = self.grown(row, name);
                let (starts, lens) = (self.sizes("starts"), self.sizes("lens"));
                return Val::Ragged(vec![rows, starts, lens]);
            }
            Row::Parts(like, rows) => {
                let columns = rows.iter().map(|r| self.grown(r, name)).collect();
                return Val::Columns(Box::new(like.with_parts(columns)));
            }
        };
        self.grown_like(BufferData::new(name.into(), elem, dims, Storage::Local))
    }

    /// An empty vector of sizes.
    fn sizes(&mut self, name: &str) -> Val {
        let data = BufferData::new(name.into(), Type::Int, Vec::new(), Storage::Local);
        self.grown_like(BufferData { sizes: true, ..data })
    }

    /// An empty vector of such elements, of these axes.
    fn grown_like(&mut self, data: BufferData) -> Val {
        let zero = self.s.b.int("0");
        let fill = self.dummy_like(&data);
        let dims = std::iter::once(Dim::Dyn(zero)).chain(data.dims).collect();
        let buffer = self.s.b.func.new_buffer(BufferData { grows: true, dims, ..data });
        self.s.b.effect(InstKind::Alloc { buffer, fill });
        Val::View(View { buffer, prefix: Vec::new(), range: Some((zero, zero)), by_ref: false, lent: false })
    }

    /// The vector that an array becomes; a vector is one already.
    pub(super) fn vector_of(&mut self, view: View) -> Val {
        let axis = &self.s.b.func.buffer(view.buffer).dims[view.prefix.len()];
        if view.range.is_some() || !matches!(axis, Dim::Fixed(_)) {
            return Val::View(view);
        }
        let (zero, len) = (self.s.b.int("0"), self.len(&view));
        Val::View(self.copy_of(&View { range: Some((zero, len)), ..view }, "vector"))
    }

    /// A method that changes the length of a vector; `None` if it is none.
    pub(super) fn vector_method(&mut self, e: &syn::ExprMethodCall) -> Option<Val> {
        const NAMES: [&str; 15] = [
            "push_back",
            "push_front",
            "pop_back",
            "pop_front",
            "push",
            "pop",
            "extend",
            "extend_from_slice",
            "clear",
            "truncate",
            "append",
            "resize",
            "insert",
            "remove",
            "swap_remove",
        ];
        let name = e.method.to_string();
        if !NAMES.contains(&name.as_str()) || self.is_foreign(&e.receiver) {
            return None;
        }
        let Some(Place::Variable(var, path)) = self.place_quietly(&e.receiver) else { return None };
        let (var, path) = match super::loops::part(&mut self.s.vars[var].val, &path).clone() {
            Val::RefMut(var, path) => (var, path),
            _ => (var, path),
        };
        let target = super::loops::part(&mut self.s.vars[var].val, &path).clone();
        // Of `nalgebra`, it gives another vector.
        if matches!(&target, Val::View(view) if self.is_linear(view)) {
            return None;
        }
        if !matches!(target, Val::View(_) | Val::Columns(_) | Val::Ragged(_) | Val::Vacant(_) | Val::Never) {
            return None;
        }
        let args: Vec<&syn::Expr> = e.args.iter().collect();
        let val = match (name.as_str(), args.as_slice()) {
            ("push" | "push_back" | "push_front" | "insert", [.., syn::Expr::Reference(r)])
                if r.mutability.is_some()
                    && let Val::View(view) = self.expr(&r.expr).0
                    && self.rank(&view) > 0 =>
            {
                let val = Val::View(self.changeable(&view));
                self.refuse_kept(&val, e.span());
                Val::Never
            }
            ("push" | "push_back", [a]) => {
                let val = self.expr(a).0;
                self.push_to(var, &path, val, e.span());
                Val::unit()
            }
            ("extend" | "extend_from_slice" | "append", [a]) => {
                let it = self.iterator(a)?;
                self.extend(var, &path, &it, e.span());
                Val::unit()
            }
            ("insert", [at, a]) => {
                let at = self.expr(at).0;
                let at = self.scalar(at, e.span())?;
                let val = self.expr(a).0;
                self.insert_in(var, &path, at, val, e.span());
                Val::unit()
            }
            ("remove" | "swap_remove", [at]) => {
                let at = self.expr(at).0;
                let at = self.scalar(at, e.span())?;
                self.remove_from(var, &path, at, name == "swap_remove")
            }
            ("push_front", [a]) => {
                let zero = self.s.b.int("0_usize");
                let val = self.expr(a).0;
                self.insert_in(var, &path, zero, val, e.span());
                Val::unit()
            }
            ("pop_front", []) => self.pop_front(var, &path),
            ("pop" | "pop_back", []) => self.pop_from(var, &path),
            ("clear", []) => {
                let zero = self.s.b.int("0");
                self.set_length(var, &path, zero);
                Val::unit()
            }
            ("truncate", [n]) => {
                let n = self.expr(n).0;
                let n = self.scalar(n, e.span())?;
                let len = self.length_at(var, &path);
                let shorter = self.op(Op::Cmp(Cmp::Lt), &[n, len]);
                let len = self.op(Op::Select, &[shorter, n, len]);
                self.set_length(var, &path, len);
                Val::unit()
            }
            ("resize", [n, with]) => {
                let n = self.expr(n).0;
                let n = self.scalar(n, e.span())?;
                let with = self.expr(with).0;
                let len = self.length_at(var, &path);
                let spec = super::loops::RangeSpec::new(len, n, false);
                self.range_loop(&spec, &mut |this, _| {
                    this.push_to(var, &path, with.clone(), e.span());
                    Flow::Falls
                });
                self.set_length(var, &path, n);
                Val::unit()
            }
            _ => return None,
        };
        Some(val)
    }

    /// The place of an expression, without complaint if it is none.
    pub(super) fn place_quietly(&mut self, e: &syn::Expr) -> Option<Place> {
        match e {
            syn::Expr::Paren(p) => self.place_quietly(&p.expr),
            syn::Expr::Path(p) => {
                let var = p.path.get_ident().and_then(|i| self.lookup(&i.to_string()))?;
                Some(Place::Variable(var, Vec::new()))
            }
            syn::Expr::Field(f) => match self.place_quietly(&f.base)? {
                Place::Variable(mut var, mut path) => {
                    let mut val = super::loops::part(&mut self.s.vars[var].val, &path).clone();
                    if let Val::RefMut(to, inner) = val {
                        (var, path) = (to, inner);
                        val = super::loops::part(&mut self.s.vars[var].val, &path).clone();
                    }
                    path.push(val.field(&f.member)?);
                    Some(Place::Variable(var, path))
                }
                _ => None,
            },
            syn::Expr::Unary(u) => self.place_quietly(&u.expr),
            _ => None,
        }
    }

    pub(super) fn extend(&mut self, var: VarId, path: &[usize], it: &Rc<super::iterators::Iter>, span: Span) {
        self.drive(it, &mut |this, v| {
            this.push_to(var, path, v, span);
            Flow::Falls
        });
    }

    pub(super) fn push_to(&mut self, var: VarId, path: &[usize], val: Val, span: Span) {
        if self.refuse_kept(&val, span) {
            return;
        }
        let val = self.unheld(val);
        let target = super::loops::part(&mut self.s.vars[var].val, path).clone();
        match target {
            Val::Vacant(key) => {
                // In a trial: the shape is all that is wanted.
                if let Some(row) = self.row_of(&val) {
                    let known = matches!(self.rows.get(&key), Some(Row::Scalar(Type::Float(k))) if *k != FloatKind::Infer);
                    if !known {
                        self.rows.insert(key, row);
                    }
                }
                let row = self.rows.get(&key).cloned();
                if let Some(row) = row {
                    let grown = self.grown(&row, "vector");
                    self.set_at(var, path, grown);
                }
            }
            target => {
                let pushed = self.pushed(&target, val, span);
                *super::loops::part(&mut self.s.vars[var].val, path) = pushed;
            }
        }
    }

    /// A vector with one element more.
    pub(super) fn pushed(&mut self, target: &Val, val: Val, span: Span) -> Val {
        match target {
            Val::View(view) if !view.by_ref && view.prefix.is_empty() && !self.is_window(view) => {
                let len = self.len(view);
                let start = view.range.map(|(start, _)| start);
                let one = self.s.b.int("1");
                let next = self.plus(len, one);
                let end = match start {
                    Some(start) => self.plus(start, next),
                    None => next,
                };
                self.s.b.func.buffers[view.buffer.0 as usize].grows = true;
                self.s.b.effect(InstKind::Grow { buffer: view.buffer, len: end });
                let zero = self.s.b.int("0");
                let grown = View { range: Some((start.unwrap_or(zero), next)), ..view.clone() };
                self.put(&Val::View(grown.clone()), len, val, span);
                Val::View(grown)
            }
            Val::Ragged(parts) if matches!(parts[0], Val::Ragged(_)) => self.pushed_rows(parts, val, span),
            Val::Ragged(parts) => {
                let Val::View(row) = self.deref(val) else {
                    self.error(span, "this is no vector", "push a vector or slice");
                    return Val::Never;
                };
                let (Val::View(data), len) = (parts[0].clone(), self.len(&row)) else { return Val::Never };
                let start = self.len(&data);
                let end = self.plus(start, len);
                self.s.b.func.buffers[data.buffer.0 as usize].grows = true;
                self.s.b.effect(InstKind::Grow { buffer: data.buffer, len: end });
                let zero = self.s.b.int("0");
                let all = View { range: Some((zero, end)), ..data };
                let to = self.sub_view(&all, start, len);
                self.copy_within(&row, &to, span);
                let starts = self.pushed(&parts[1], Val::Scalar(start), span);
                let lens = self.pushed(&parts[2], Val::Scalar(len), span);
                Val::Ragged(vec![Val::View(all), starts, lens])
            }
            Val::Columns(columns) => {
                let list = columns.parts().unwrap_or_default().to_vec();
                let parts = self.taken_apart_like(val, columns);
                let Some(parts) = parts.parts().map(<[Val]>::to_vec) else {
                    self.error(span, "this does not fit the other elements", "push what the vector holds");
                    return Val::Never;
                };
                let pushed = list.iter().zip(parts).map(|(c, v)| self.pushed(c, v, span)).collect();
                Val::Columns(Box::new(columns.with_parts(pushed)))
            }
            Val::Never => Val::Never,
            _ => {
                self.error(
                    span,
                    "only a vector made in this function can grow",
                    "copy it first: `let mut v = x.to_vec();`",
                );
                Val::Never
            }
        }
    }

    /// As [`Lower::pushed`], of a vector of vectors into a vector of these: its rows are copied one by one.
    fn pushed_rows(&mut self, parts: &[Val], val: Val, span: Span) -> Val {
        let val = self.deref(val);
        let is_row = match &val {
            Val::Ragged(_) => true,
            Val::View(view) => self.rank(view) == 2,
            _ => false,
        };
        if !is_row {
            self.error(span, "this is no vector of vectors", "push what the vector holds");
            return Val::Never;
        }
        let (start, len) = (self.length_of(&parts[0]), self.length_of(&val));
        let rows = self.new_var("rows", true, parts[0].clone());
        let zero = self.s.b.int("0");
        let spec = super::loops::RangeSpec::new(zero, len, false);
        self.range_loop(&spec, &mut |this, k| {
            let row = this.part_at(&val, k, false);
            this.push_to(rows, &[], row, span);
            Flow::Falls
        });
        let rows = std::mem::replace(&mut self.s.vars[rows].val, Val::Unset);
        let starts = self.pushed(&parts[1], Val::Scalar(start), span);
        let lens = self.pushed(&parts[2], Val::Scalar(len), span);
        Val::Ragged(vec![rows, starts, lens])
    }

    /// What a vector becomes that takes over the contents of another, if that may have another length.
    pub(super) fn resized(&mut self, to: &View, from: &View) -> Option<View> {
        let is_vector = matches!(self.s.b.func.buffer(to.buffer).dims.first(), Some(Dim::Dyn(_)));
        let fits = self.rank(from) == self.rank(to) && from != to && !self.is_window(to);
        if !is_vector || !to.prefix.is_empty() || !fits {
            return None;
        }
        let (old, new) = (self.len(to), self.len(from));
        if self.same_length(old, new) {
            return None;
        }
        self.s.b.func.buffers[to.buffer.0 as usize].grows = true;
        let zero = self.s.b.int("0");
        let start = to.range.map_or(zero, |(start, _)| start);
        let end = self.plus(start, new);
        self.s.b.effect(InstKind::Grow { buffer: to.buffer, len: end });
        Some(View { range: Some((start, new)), ..to.clone() })
    }

    /// Whether two lengths are known to be equal.
    pub(super) fn same_length(&self, a: Value, b: Value) -> bool {
        if a == b || self.literal_int(a).is_some() && self.literal_int(a) == self.literal_int(b) {
            return true;
        }
        match (self.s.b.definition(a), self.s.b.definition(b)) {
            (Some(InstKind::Pure(Op::Len(a, i), _)), Some(InstKind::Pure(Op::Len(b, j), _))) => {
                a == b && i == j
            }
            (
                Some(InstKind::Pure(x @ (Op::Add | Op::Sub | Op::Mul | Op::Div), of)),
                Some(InstKind::Pure(y, other)),
            ) => {
                std::mem::discriminant(x) == std::mem::discriminant(y)
                    && of.iter().zip(other).all(|(a, b)| self.same_length(*a, *b))
            }
            _ => false,
        }
    }

    /// A vector of vectors takes over the rows of a matrix.
    pub(super) fn refill(&mut self, var: VarId, path: &[usize], from: &View, span: Span) {
        let zero = self.s.b.int("0");
        let Val::Ragged(parts) = super::loops::part(&mut self.s.vars[var].val, path).clone() else { return };
        // What it held may have been moved to another variable, which must keep it.
        let held = matches!(&parts[0], Val::View(data) if self.is_held(data, var));
        let emptied = match &parts[0] {
            Val::View(data) if held => {
                let elem = self.s.b.func.buffer(data.buffer).elem.clone();
                self.grown(&Row::Vector(elem), "rows")
            }
            _ => Val::Ragged(parts.iter().map(|p| self.cut(p, zero)).collect()),
        };
        self.set_at(var, path, emptied);
        let rows = self.len(from);
        let spec = super::loops::RangeSpec::new(zero, rows, false);
        let from = Val::View(from.clone());
        self.range_loop(&spec, &mut |this, k| {
            let row = this.part_at(&from, k, false);
            this.push_to(var, path, row, span);
            Flow::Falls
        });
    }

    /// An element that is moved out, and stays what it is when another takes its place: rows are copied, numbers are read.
    pub(super) fn moved_out(&mut self, val: Val) -> Val {
        match val {
            Val::View(view) if self.rank(&view) > 0 => Val::View(self.copy_of(&view, "taken")),
            val if val.parts().is_some() => {
                let list = val.parts().unwrap_or_default().to_vec();
                val.with_parts(list.into_iter().map(|v| self.moved_out(v)).collect())
            }
            other => self.deref(other),
        }
    }

    fn pop_from(&mut self, var: VarId, path: &[usize]) -> Val {
        let target = super::loops::part(&mut self.s.vars[var].val, path).clone();
        if matches!(target, Val::Vacant(_) | Val::Never) {
            return Val::Never;
        }
        let len = self.length_of(&target);
        let (zero, one) = (self.s.b.int("0"), self.s.b.int("1"));
        let some = self.op(Op::Cmp(Cmp::Gt), &[len, zero]);
        let taken = self.guarded(some, &mut |this| {
            let k = this.op(Op::Sub, &[len, one]);
            let v = this.part_at(&target, k, false);
            let v = this.moved_out(v);
            Val::Tuple(vec![v, Val::Scalar(k)])
        });
        let Val::Maybe(parts) = taken else { return Val::Never };
        let (value, shorter) = match parts[1].parts() {
            Some([v, Val::Scalar(k)]) => (v.clone(), *k),
            _ => return Val::Never,
        };
        let len = self.op(Op::Select, &[some, shorter, zero]);
        self.set_length(var, path, len);
        Val::Maybe(vec![parts[0].clone(), value, Val::Unset])
    }

    pub(super) fn length_at(&mut self, var: VarId, path: &[usize]) -> Value {
        let target = super::loops::part(&mut self.s.vars[var].val, path).clone();
        match target {
            Val::View(_) | Val::Columns(_) | Val::Ragged(_) => self.length_of(&target),
            _ => self.s.b.int("0"),
        }
    }

    /// `mem::take(&mut v)`: what it was; zero or an empty vector is left.
    pub(super) fn taken(&mut self, e: &syn::Expr, span: Span) -> Val {
        let Some(Place::Variable(mut var, mut path)) = self.place_quietly(e) else {
            self.error(span, "the macro cannot take this", "copy it, and set it");
            return Val::Never;
        };
        let mut old = super::loops::part(&mut self.s.vars[var].val, &path).clone();
        if let Val::RefMut(to, inner) = old {
            (var, path) = (to, inner);
            old = super::loops::part(&mut self.s.vars[var].val, &path).clone();
        }
        match &old {
            Val::Scalar(v) if self.s.b.func.is_float(*v) => {
                let zero = self.s.b.float_like(0.0, *v);
                self.set_at(var, &path, Val::Scalar(zero));
                old
            }
            // A number behind a reference: it becomes zero where it stands.
            Val::View(view) if self.rank(view) == 0 => {
                let taken = self.load(view.buffer, view.prefix.clone());
                if !self.s.b.func.is_float(taken) {
                    self.error(span, "the macro cannot take this", "copy it, and set it");
                    return Val::Never;
                }
                let zero = self.s.b.float_like(0.0, taken);
                self.store(view.buffer, view.prefix.clone(), zero, crate::ir::StoreMode::Set);
                Val::Scalar(taken)
            }
            // Only what is a variable's own has a length that can be set.
            Val::View(view) if view.by_ref || !view.prefix.is_empty() => {
                self.error(span, "the macro cannot take this", "copy it, and set it");
                Val::Never
            }
            Val::View(_) | Val::Columns(_) | Val::Ragged(_) => {
                let copy = self.duplicate(old, "taken");
                let zero = self.s.b.int("0");
                self.set_length(var, &path, zero);
                copy
            }
            Val::Vacant(_) | Val::Never => Val::Never,
            _ => {
                self.error(span, "the macro cannot take this", "copy it, and set it");
                Val::Never
            }
        }
    }

    pub(super) fn set_length(&mut self, var: VarId, path: &[usize], len: Value) {
        let target = super::loops::part(&mut self.s.vars[var].val, path).clone();
        let cut = self.cut(&target, len);
        *super::loops::part(&mut self.s.vars[var].val, path) = cut;
    }

    fn cut(&mut self, target: &Val, len: Value) -> Val {
        match target {
            Val::View(view) => {
                let zero = self.s.b.int("0");
                let start = view.range.map_or(zero, |(start, _)| start);
                Val::View(View { range: Some((start, len)), ..view.clone() })
            }
            Val::Ragged(parts) => {
                let starts = self.cut(&parts[1], len);
                let lens = self.cut(&parts[2], len);
                Val::Ragged(vec![parts[0].clone(), starts, lens])
            }
            Val::Columns(inner) => {
                let list = inner.parts().unwrap_or_default().to_vec();
                let list = list.iter().map(|c| self.cut(c, len)).collect();
                Val::Columns(Box::new(inner.with_parts(list)))
            }
            other => other.clone(),
        }
    }
}

/// `Vec::<f64>::new()`
fn turbofish(e: &syn::Expr) -> Option<syn::Type> {
    let syn::Expr::Call(c) = e else { return None };
    let syn::Expr::Path(p) = &*c.func else { return None };
    let ty = p.path.segments.iter().rev().nth(1)?;
    matches!(ty.arguments, syn::PathArguments::AngleBracketed(_)).then(|| syn::parse_quote!(#ty))
}
