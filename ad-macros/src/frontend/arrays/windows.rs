//! Windows: parts of arrays that are changed where they are, also where their elements do not follow each other: blocks,
//! columns, diagonals, every so many elements.
//!
//! A window is a buffer that exists only while lowering. It has the extents of the part, so that all that is done with views
//! of buffers is done with views of it too, but what is loaded from it or stored to it is in the array
//! ([`Lower::through`]). Nothing is copied and nothing has to be put back: loops, branches and exits need no care. Rust's
//! rules for borrows see to it that nothing else touches the part meanwhile.
//!
//! No instruction may name a window: what needs a buffer gets a copy ([`Lower::without_window`]), and [`named`] finds
//! what is left, which is refused.

use std::rc::Rc;

use proc_macro2::Span;
use rustc_hash::FxHashMap as HashMap;

use crate::frontend::lower::Lower;
use crate::frontend::value::{Fields, Val, View};
use crate::ir::{Binding, Buffer, BufferData, Dim, Func, Op, Storage, Value};

/// A part of an array that has a buffer's name.
#[derive(Clone)]
pub(in super::super) struct Window {
    of: View,
    /// Where the elements are along each axis of the array.
    along: Rc<[Along]>,
    /// Where it was made.
    span: Span,
}

/// Where the elements of a window are along an axis of the array: at `start`, and from there on with an index of the window.
#[derive(Clone, PartialEq)]
pub(super) struct Along {
    /// Not given: 0.
    pub(super) start: Option<Value>,
    /// The axis of the window whose index counts here.
    pub(super) axis: Option<usize>,
    pub(super) step: Step,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Step {
    One,
    /// Every so many.
    By(Value),
    /// Every so many, towards the front.
    Back(Value),
}

impl Along {
    /// One place.
    pub(super) fn at(place: Value) -> Along {
        Along { start: Some(place), axis: None, step: Step::One }
    }

    /// As far as the window's axis goes.
    pub(super) fn from(start: Option<Value>, axis: usize) -> Along {
        Along { start, axis: Some(axis), step: Step::One }
    }
}

impl Lower<'_> {
    /// A part of an array to be changed where it is.
    pub(super) fn window(&mut self, of: &View, along: Vec<Along>, dims: Vec<Dim>, span: Span) -> View {
        let of = &View { by_ref: true, ..of.clone() };
        // The same part has one name: what branches choose or rounds carry is in one window.
        let same = |(b, window): (&Buffer, &Window)| {
            let alike = window.of == *of && *window.along == *along;
            (alike && self.s.b.func.buffer(*b).dims == dims).then_some(*b)
        };
        if let Some(buffer) = self.s.windows.iter().find_map(same) {
            return View { buffer, prefix: Vec::new(), range: None, by_ref: true, lent: false };
        }
        let data = self.s.b.func.buffer(of.buffer);
        let made = BufferData::new("part".into(), data.elem.clone(), dims, Storage::Local);
        let buffer = self.s.b.func.new_buffer(made);
        if let Some(outer) = self.s.linear.get(&of.buffer) {
            let outer = outer.saturating_sub(of.prefix.len());
            self.s.linear.insert(buffer, outer);
        } else if !self.is_plain(of) {
            self.s.arrays.insert(buffer);
        }
        if self.s.tainted_buffers.contains(&of.buffer) {
            self.s.tainted_buffers.insert(buffer);
        }
        self.s.windows.insert(buffer, Window { of: of.clone(), along: along.into(), span });
        View { buffer, prefix: Vec::new(), range: None, by_ref: true, lent: false }
    }

    /// Row (`axis` 0) or column `k` of a matrix.
    pub(super) fn lane_window(&mut self, view: &View, axis: usize, k: Value, span: Span) -> Val {
        let lanes =
            if axis == 0 { self.whole_window(view, span) } else { self.transposed_window(view, span) };
        self.element(&lanes, k, true)
    }

    /// Row `k` of a matrix of `nalgebra`: a matrix of one row.
    pub(super) fn row_window(&mut self, view: &View, k: Value, span: Span) -> View {
        let dims = vec![Dim::Fixed("1".into()), self.axis(view, 1)];
        self.window(view, vec![Along::at(k), Along::from(None, 1)], dims, span)
    }

    /// A view by which what it is of may be changed: of a window, where the buffer is made here.
    pub(in super::super) fn changeable(&mut self, view: &View) -> View {
        let data = self.s.b.func.buffer(view.buffer);
        if data.storage != Storage::Local || self.is_window(view) || self.rank(view) == 0 {
            return View { by_ref: true, ..view.clone() };
        }
        let whole = View { buffer: view.buffer, prefix: Vec::new(), range: None, by_ref: true, lent: false };
        let dims = data.dims.clone();
        let along = (0..dims.len()).map(|k| Along::from(None, k)).collect();
        let window = self.window(&whole, along, dims, Span::call_site());
        View { buffer: window.buffer, by_ref: true, ..view.clone() }
    }

    /// All of an array, to be changed.
    pub(super) fn whole_window(&mut self, view: &View, span: Span) -> View {
        let changeable = self.changeable(view);
        if self.is_window(&changeable) {
            return changeable;
        }
        let dims = self.axes(view);
        let along = (0..dims.len()).map(|k| Along::from(None, k)).collect();
        self.window(view, along, dims, span)
    }

    /// The view that [`Lower::changeable`] was given.
    pub(in super::super) fn unchangeable(&self, view: &View) -> Option<View> {
        let Window { of, along, .. } = self.s.windows.get(&view.buffer)?;
        let is_whole = of.prefix.is_empty() && of.range.is_none();
        let is_same = along.iter().enumerate().all(|(k, along)| *along == Along::from(None, k));
        let as_long = self.s.b.func.buffer(view.buffer).dims == self.s.b.func.buffer(of.buffer).dims;
        (is_whole && is_same && as_long).then(|| View { buffer: of.buffer, ..view.clone() })
    }

    /// Whether one view is of the window of all that the other is of.
    pub(in super::super) fn is_window_of(&self, view: &View, of: &View) -> bool {
        self.unchangeable(view).is_some_and(|whole| whole.buffer == of.buffer)
    }

    /// Whether a buffer, or what a window shows, is not older than these values and buffers.
    pub(in super::super) fn made_since(&self, buffer: Buffer, first: (u32, u32)) -> bool {
        let Some(Window { of, along, .. }) = self.s.windows.get(&buffer) else { return buffer.0 >= first.1 };
        let mut values = of.scalars();
        for along in along.iter() {
            values.extend(along.start);
            values.extend(match along.step {
                Step::By(n) | Step::Back(n) => Some(n),
                Step::One => None,
            });
        }
        values.extend(crate::ir::walk::dim_values(&self.s.b.func.buffer(buffer).dims));
        values.iter().any(|v| v.0 >= first.0) || self.made_since(of.buffer, first)
    }

    /// The whole, columns first.
    pub(in super::super) fn transposed_window(&mut self, view: &View, span: Span) -> View {
        let dims = vec![self.axis(view, 1), self.axis(view, 0)];
        self.window(view, vec![Along::from(None, 1), Along::from(None, 0)], dims, span)
    }

    /// Columns `start .. start + len`.
    pub(super) fn block_window(&mut self, view: &View, start: Value, len: Value, span: Span) -> Val {
        let dims = vec![self.axis(view, 0), Dim::Dyn(len)];
        Val::View(self.window(view, vec![Along::from(None, 0), Along::from(Some(start), 1)], dims, span))
    }

    /// The diagonal, as long as the shorter axis.
    pub(super) fn diagonal_window(&mut self, view: &View, span: Span) -> Val {
        let (n, m) = (self.extent(view, 0), self.extent(view, 1));
        let dim = if self.same_length(n, m) {
            self.axis(view, 0)
        } else {
            let fewer = self.op(Op::Cmp(crate::ir::Cmp::Lt), &[n, m]);
            Dim::Dyn(self.op(Op::Select, &[fewer, n, m]))
        };
        Val::View(self.window(view, vec![Along::from(None, 0), Along::from(None, 0)], vec![dim], span))
    }

    /// Whether a view is of a window: what may be changed, and nothing that owns anything.
    pub(in super::super) fn is_window(&self, view: &View) -> bool {
        self.s.windows.contains_key(&view.buffer)
    }

    /// Where an element is that may be in a window: in which buffer, and at which place there.
    pub(in super::super) fn through(&mut self, buffer: Buffer, index: Vec<Value>) -> (Buffer, Vec<Value>) {
        let (mut buffer, mut index) = (buffer, index);
        while let Some(Window { of, along, .. }) = self.s.windows.get(&buffer).cloned() {
            let mut within = Vec::new();
            for Along { start, axis, step } in along.iter() {
                let by = axis.map(|axis| match step {
                    Step::One => index[axis],
                    Step::By(n) | Step::Back(n) => self.times(index[axis], *n),
                });
                within.push(match (start, by) {
                    (Some(start), Some(by)) if matches!(step, Step::Back(_)) => {
                        self.op(Op::Sub, &[*start, by])
                    }
                    (Some(start), Some(by)) => self.plus(*start, by),
                    (Some(start), None) => *start,
                    (None, Some(by)) => by,
                    (None, None) => self.s.b.int("0"),
                });
            }
            index = self.absolute(&of, &within);
            buffer = of.buffer;
        }
        (buffer, index)
    }

    /// The buffers that an element of this one is in: its own, and those that it is a window into.
    pub(in super::super) fn with_windowed(&self, buffer: Buffer) -> Vec<Buffer> {
        let mut list = vec![buffer];
        while let Some(window) = self.s.windows.get(&list[list.len() - 1]) {
            list.push(window.of.buffer);
        }
        list
    }

    /// Whether a value is a reference by which an array is changed, or has one in it: what keeps a copy of it may not take it.
    pub(in super::super) fn refuse_kept(&mut self, val: &Val, span: Span) -> bool {
        let kept = match val {
            Val::View(view) => view.by_ref && self.rank(view) > 0 && self.is_window(view),
            Val::Struct(fields, parts) if self.changes_by_reference(fields, parts) => true,
            Val::Columns(_) | Val::Ragged(_) => false,
            other => {
                let parts = other.parts().unwrap_or_default().to_vec();
                return parts.iter().any(|part| self.refuse_kept(part, span));
            }
        };
        if kept {
            self.error(
                span,
                "vectors and arrays keep copies here: what is changed through a reference in them would be lost",
                "loop over the parts, or keep their indices",
            );
        }
        kept
    }

    /// Whether a struct has an array of the function's own behind a `&mut`, as far as its definition tells.
    fn changes_by_reference(&self, fields: &Fields, parts: &[Val]) -> bool {
        let of_own = |part: &Val| {
            let Val::View(view) = part else { return false };
            view.by_ref
                && self.rank(view) > 0
                && self.s.b.func.buffer(view.buffer).storage != Storage::Shared
                && !self.is_window(view)
        };
        let name = fields.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
        // Structs that derive `Differentiable` hold no references.
        if !parts.iter().any(of_own) || crate::structs::find(&name).is_some() {
            return false;
        }
        let text = crate::file::text_of_struct(&name, &self.sig.ident);
        let Some(item) = text.and_then(|text| syn::parse_str::<syn::ItemStruct>(&text).ok()) else {
            return true;
        };
        let changes = |name: &str| {
            let mut all = item.fields.iter().enumerate();
            let field = all.find(|(k, f)| match &f.ident {
                Some(ident) => ident == name,
                None => k.to_string() == name,
            });
            field.is_none_or(|(_, f)| matches!(&f.ty, syn::Type::Reference(r) if r.mutability.is_some()))
        };
        fields.names.iter().zip(parts).any(|(name, part)| of_own(part) && changes(name))
    }

    /// A view for what names buffers, to read it: a copy of what is in a window.
    pub(in super::super) fn without_window(&mut self, view: &View) -> View {
        if !self.is_window(view) {
            return view.clone();
        }
        if let Some(view) = self.unchangeable(view) {
            return self.without_window(&view);
        }
        let copy = self.copy_of(view, "copy");
        View { by_ref: view.by_ref, ..copy }
    }
}

/// Where a window was made that an instruction names: none may.
pub(in super::super) fn named(windows: &HashMap<Buffer, Window>, func: &Func) -> Option<Span> {
    let mut found = None;
    let mut note = |b: Buffer| found = found.or(windows.get(&b).map(|window| window.span));
    func.body.visit(&mut |inst| inst.kind.each_buffer(&mut note));
    for output in &func.outputs {
        if let Binding::Buffer(b) = output.binding {
            note(b);
        }
    }
    found
}
