//! `collect` and `unzip`: iterators into vectors.

use std::rc::Rc;

use proc_macro2::Span;
use quote::ToTokens;
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use syn::spanned::Spanned;

use super::super::lower::{Flow, Lower};
use super::super::place::Place;
use super::super::value::{Val, View};
use super::super::vectors::Row;
use super::{Callee, Iter};
use crate::ir::{Buffer, BufferData, Dim, InstKind, Storage, StoreMode, Type, Value};

impl Lower<'_> {
    /// `it.collect()`
    pub(super) fn collect(&mut self, it: &Rc<Iter>, e: &syn::ExprMethodCall) -> Option<Val> {
        let turbofish = e.turbofish.as_ref().and_then(|t| {
            t.args.iter().find_map(|a| match a {
                syn::GenericArgument::Type(t) => Some(t.clone()),
                _ => None,
            })
        });
        let target = turbofish.or_else(|| self.expected.clone());
        let it = &typed_items(it, target.as_ref());
        if let Some(target) = target
            && !is_vec(&target)
        {
            let found = self.verbatim_operands(e.to_token_stream(), e.span())?;
            if !found.tainted {
                return None;
            }
            if matches!(&target, syn::Type::Path(p) if p.path.segments.last().is_some_and(|s| s.ident == "Array1"))
            {
                let all = self.collect_vec(it, "array", e.span());
                if let Val::View(view) = &all {
                    self.s.arrays.insert(view.buffer);
                }
                return Some(all);
            }
            let errors = self.diagnostics.mark();
            match self.collect_map(it, &target, e.span()) {
                Some(map) => return Some(map),
                None if self.diagnostics.mark() != errors => return Some(Val::Never),
                None => {}
            }
            self.error(
                target.span(),
                format!(
                    "active values are not collected into `{}`",
                    target.to_token_stream().to_string().replace(' ', "")
                ),
                "collect them into a `Vec`",
            );
            return Some(Val::Never);
        }
        Some(self.collect_vec(it, "vector", e.span()))
    }

    /// All items in a new vector; one vector for each part of a tuple.
    pub(in super::super) fn collect_vec(&mut self, it: &Rc<Iter>, name: &str, span: Span) -> Val {
        if !self.numbered(it) {
            // As long as it gets.
            let sample = self.sample(it);
            let Some(vector) = self.growing_like(&sample, name, span) else { return Val::Never };
            let var = self.new_var(name, true, vector);
            self.extend(var, &[], it, span);
            return std::mem::replace(&mut self.s.vars[var].val, Val::Unset);
        }
        let len = self.length(it);
        let Some(rows) = self.rows_like(it, len, name, span) else { return Val::Never };
        let numbered = Iter::Enumerate(it.clone());
        if matches!(rows, Val::Ragged(_)) {
            let var = self.new_var(name, true, rows);
            self.extend(var, &[], it, span);
            return std::mem::replace(&mut self.s.vars[var].val, Val::Unset);
        }
        let rows_of = rows.clone();
        self.drive(&numbered, &mut |this, v| {
            if let Val::Tuple(parts) = v
                && let [Val::Scalar(k), v] = parts.as_slice()
                && !this.refuse_kept(v, span)
            {
                this.put(&rows_of, *k, v.clone(), span);
            }
            Flow::Falls
        });
        rows
    }

    /// An empty vector of items like this one.
    pub(super) fn growing_like(&mut self, sample: &Val, name: &str, span: Span) -> Option<Val> {
        let zero = self.s.b.int("0");
        let mut rows = self.rows_of(sample, zero, 0, name, span)?;
        self.mark_growing(&mut rows, zero);
        Some(rows)
    }

    fn mark_growing(&mut self, rows: &mut Val, zero: Value) {
        match rows {
            Val::View(view) => {
                self.s.b.func.buffers[view.buffer.0 as usize].grows = true;
                view.range = Some((zero, zero));
            }
            Val::Columns(inner) => self.mark_growing(inner, zero),
            Val::Ragged(_) => {}
            other => {
                for part in other.parts_mut().into_iter().flatten() {
                    self.mark_growing(part, zero);
                }
            }
        }
    }

    /// Sets element `k` of what [`Lower::rows_like`] made.
    pub(in super::super) fn put(&mut self, rows: &Val, k: Value, val: Val, span: Span) {
        match (rows, val) {
            (Val::View(view), val) => match (self.index(view, k), self.deref(val)) {
                (Place::Element(buffer, index), val) => {
                    if let Some(v) = self.scalar(val, span) {
                        self.store(buffer, index, v, StoreMode::Set);
                    }
                }
                (Place::Part(to), Val::View(from)) => self.copy_view(&from, &to, span),
                (_, Val::Never) => {}
                _ => self.error(span, "these rows differ in shape", "write the elements in a loop"),
            },
            (Val::Columns(parts), val) => match (parts.parts(), val.parts()) {
                (Some(columns), Some(list)) if columns.len() == list.len() => {
                    for (column, v) in columns.to_vec().iter().zip(list.to_vec()) {
                        self.put(column, k, v, span);
                    }
                }
                _ => self.error(span, "these items differ in shape", "write the elements in a loop"),
            },
            _ => {}
        }
    }

    /// An item as it would be, for its shape and types: nothing of it stays but the types of values and buffers.
    pub(super) fn sample(&mut self, it: &Iter) -> Val {
        let (mut types, mut buffers, mut linear) = (Vec::new(), Vec::new(), HashMap::default());
        let mut refs = HashSet::default();
        let val = self.trial(|this| {
            let mut seen = Val::Never;
            this.s.b.open(Vec::new());
            this.drive(it, &mut |this, v| {
                let v = this.deref(v);
                // Of a chain, the part that shows what the items are.
                let blind = |v: &Val| matches!(v, Val::Scalar(v) if *this.s.b.func.ty(*v) == Type::Opaque);
                if !blind(&v) || seen == Val::Never {
                    seen = v;
                }
                types = this.s.b.func.values.iter().map(|v| v.ty.clone()).collect();
                buffers = this.s.b.func.buffers.clone();
                linear.clone_from(&this.s.linear);
                refs.clone_from(&this.s.refs);
                Flow::Falls
            });
            this.s.b.close(Vec::new());
            seen
        });
        self.sampled = Sampled { types, buffers, linear, refs };
        val
    }

    /// Whether all of a chain is data and its items are references: other code collects them.
    pub(super) fn gives_references(&mut self, it: &Iter, e: &syn::ExprMethodCall) -> bool {
        self.is_passive(e.to_token_stream())
            && matches!(self.sample(it), Val::Scalar(v) if self.sampled.refs.contains(&v))
    }

    pub(super) fn sampled_type(&self, v: Value) -> Type {
        self.sampled.types.get(v.0 as usize).cloned().unwrap_or(Type::Opaque)
    }

    /// New vectors of `len` items like those of an iterator.
    fn rows_like(&mut self, it: &Iter, len: Value, name: &str, span: Span) -> Option<Val> {
        // The lengths of rows are those in the trial; they must be known outside too.
        let old_values = self.s.b.func.values.len() as u32;
        let sample = self.sample(it);
        self.rows_of(&sample, len, old_values, name, span)
    }

    fn rows_of(&mut self, sample: &Val, len: Value, old_values: u32, name: &str, span: Span) -> Option<Val> {
        match sample {
            Val::Scalar(v) => {
                let elem = self.sampled_type(*v);
                Some(Val::View(self.new_vector(name, vec![Dim::Dyn(len)], elem)))
            }
            Val::View(view) => {
                let data = self.sampled.buffers.get(view.buffer.0 as usize)?.clone();
                let mut dims = vec![Dim::Dyn(len)];
                for (axis, dim) in data.dims[view.prefix.len()..].iter().enumerate() {
                    let dim = match (axis, view.range) {
                        (0, Some((_, n))) => match self.known_literal(n) {
                            Some(n) => Dim::Fixed(n.into()),
                            None => Dim::Dyn(n),
                        },
                        _ => dim.clone(),
                    };
                    let known = match &dim {
                        Dim::Fixed(_) => true,
                        Dim::Dyn(n) => n.0 < old_values,
                        Dim::Slice => false,
                    };
                    if !known {
                        // Rows of any length: filled by pushing.
                        return (view.prefix.len() + 1 == data.dims.len())
                            .then(|| self.grown(&Row::Vector(data.elem.clone()), name));
                    }
                    dims.push(dim);
                }
                let rows = self.new_vector(name, dims, data.elem.clone());
                if let Some(outer) = self.sampled.linear.get(&view.buffer) {
                    let outer = outer.saturating_sub(view.prefix.len()) + 1;
                    self.s.linear.insert(rows.buffer, outer);
                }
                Some(Val::View(rows))
            }
            Val::Tuple(list) | Val::Struct(_, list) => {
                let columns: Option<Vec<Val>> =
                    list.iter().map(|v| self.rows_of(v, len, old_values, name, span)).collect();
                Some(Val::Columns(Box::new(sample.with_parts(columns?))))
            }
            Val::Never => None,
            _ => {
                self.error(
                    span,
                    "a vector of this cannot be followed",
                    "collect numbers, arrays, tuples or structs of numbers",
                );
                None
            }
        }
    }

    fn known_literal(&self, v: Value) -> Option<String> {
        self.literal_int(v).map(|n| n.to_string())
    }

    /// A vector of zeros (of `Default`s where the elements are no floats).
    pub(in super::super) fn new_vector(&mut self, name: &str, dims: Vec<Dim>, elem: Type) -> View {
        let fill = self.dummy(&elem);
        let data = BufferData::new(name.into(), elem, dims, Storage::Local);
        let buffer = self.s.b.func.new_buffer(data);
        self.s.b.effect(InstKind::Alloc { buffer, fill });
        View { buffer, prefix: Vec::new(), range: None, by_ref: false, lent: false }
    }
}

/// What a trial saw of the types and buffers of items.
#[derive(Default)]
pub(in super::super) struct Sampled {
    types: Vec<Type>,
    buffers: Vec<BufferData>,
    linear: HashMap<Buffer, usize>,
    refs: HashSet<Value>,
}

/// The chain, whose last closure gives arrays of the length that the vector wants.
fn typed_items(it: &Rc<Iter>, target: Option<&syn::Type>) -> Rc<Iter> {
    let elem = target.and_then(super::super::signature::element).map(|(elem, _)| elem);
    match (&**it, elem) {
        (Iter::Map(a, Callee::Closure(f)), Some(elem @ syn::Type::Array(_))) if f.output.is_none() => {
            let mut f = (**f).clone();
            f.output = Some(elem.clone());
            Rc::new(Iter::Map(a.clone(), Callee::Closure(Rc::new(f))))
        }
        _ => it.clone(),
    }
}

/// Whether a type is a vector as far as one can see (`_` too).
pub(super) fn is_vec(ty: &syn::Type) -> bool {
    match ty {
        syn::Type::Infer(_) => true,
        syn::Type::Path(p) => {
            p.path.segments.last().is_some_and(|s| s.ident == "Vec" || s.ident == "VecDeque")
        }
        _ => false,
    }
}
