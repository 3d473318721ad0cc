//! Buffers: local ones declared, elements run over, filled and copied.

use proc_macro2::Span;

use super::lower::Lower;
use super::value::View;
use crate::ir::{BufferData, Dim, ForLoop, InstKind, Op, Storage, StoreMode, Type, Value};

impl Lower<'_> {
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
        self.s.b.effect(InstKind::For(ForLoop::plain(lo, hi, Vec::new(), body)));
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
        self.copy_elements(from, to);
    }

    fn copy_elements(&mut self, from: &View, to: &View) {
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
        self.copy_elements(from, to);
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
}
