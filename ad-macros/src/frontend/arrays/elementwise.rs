//! Arithmetic between whole arrays, and between arrays and numbers.

use proc_macro2::Span;

use crate::frontend::lower::{Flow, Lower};
use crate::frontend::place::Place;
use crate::frontend::value::{Val, View};
use crate::ir::{BufferData, Dim, FloatKind, InstKind, Op, Storage, StoreMode, Type, Value};

impl Lower<'_> {
    /// The extent of an axis of a view.
    pub(in super::super) fn extent(&mut self, view: &View, axis: usize) -> Value {
        if axis == 0 {
            return self.len(view);
        }
        let at = view.prefix.len() + axis;
        match self.s.b.func.buffer(view.buffer).dims[at].clone() {
            Dim::Fixed(n) => self.fixed_len(&n),
            Dim::Dyn(v) => v,
            Dim::Slice => self.op(Op::Len(view.buffer, at), &[]),
        }
    }

    /// An axis of a new array as long as one of a view.
    pub(super) fn axis(&mut self, view: &View, axis: usize) -> Dim {
        match &self.s.b.func.buffer(view.buffer).dims[view.prefix.len() + axis] {
            Dim::Fixed(n) if axis > 0 || view.range.is_none() => Dim::Fixed(n.clone()),
            _ => Dim::Dyn(self.extent(view, axis)),
        }
    }

    pub(super) fn axes(&mut self, view: &View) -> Vec<Dim> {
        (0..self.rank(view)).map(|k| self.axis(view, k)).collect()
    }

    /// An element of a view.
    pub(super) fn at_index(&mut self, view: &View, index: &[Value]) -> Value {
        let index = self.absolute(view, index);
        self.load(view.buffer, index)
    }

    /// A new array whose elements are computed one by one.
    pub(super) fn build(
        &mut self,
        name: &str,
        dims: Vec<Dim>,
        like: &Type,
        linear: bool,
        f: &mut dyn FnMut(&mut Self, &[Value]) -> Value,
    ) -> View {
        let view = self.zeroed(name, dims, like, linear);
        self.over(&view, &mut |this, index| {
            let v = f(this, index);
            this.store(view.buffer, index.to_vec(), v, StoreMode::Set);
        });
        view
    }

    /// A new array of zeros.
    pub(super) fn zeroed(&mut self, name: &str, dims: Vec<Dim>, like: &Type, linear: bool) -> View {
        let fill = self.s.b.float(0.0, like.clone());
        let data = BufferData::new(name.into(), like.clone(), dims, Storage::Local);
        let buffer = self.s.b.func.new_buffer(data);
        self.s.b.effect(InstKind::Alloc { buffer, fill });
        if linear {
            self.s.linear.insert(buffer, 0);
        } else {
            self.s.arrays.insert(buffer);
        }
        View { buffer, prefix: Vec::new(), range: None, by_ref: false, lent: false }
    }

    /// Runs `f` for each index of a view. Unlike `for_each`, what `f` lowers may use variables.
    pub(super) fn over(&mut self, view: &View, f: &mut dyn FnMut(&mut Self, &[Value])) {
        self.over_axes(view, &[], f);
    }

    fn over_axes(&mut self, view: &View, index: &[Value], f: &mut dyn FnMut(&mut Self, &[Value])) {
        let axis = index.len();
        if axis == self.rank(view) {
            return f(self, index);
        }
        let (lo, hi) = (self.s.b.int("0"), self.extent(view, axis));
        let spec = crate::frontend::loops::RangeSpec::new(lo, hi, false);
        let names = ["i", "j", "k"];
        let outer = index.to_vec();
        self.range_loop(&spec, &mut |this, i| {
            this.s.b.name(i, || names[axis.min(2)].into());
            let mut index = outer.clone();
            index.push(i);
            this.over_axes(view, &index, f);
            Flow::Falls
        });
    }

    /// The sum of `f(k)` for `k` below a number.
    pub(super) fn sum_of(&mut self, n: Value, f: &mut dyn FnMut(&mut Self, Value) -> Value) -> Value {
        let sum = self.new_var("sum", true, Val::Unset);
        let lo = self.s.b.int("0");
        let spec = crate::frontend::loops::RangeSpec::new(lo, n, false);
        self.range_loop(&spec, &mut |this, k| {
            let v = f(this, k);
            let next = match this.s.vars[sum].val {
                Val::Scalar(now) => this.op(Op::Add, &[now, v]),
                _ => v,
            };
            this.s.vars[sum].val = Val::Scalar(next);
            Flow::Falls
        });
        match self.s.vars[sum].val {
            Val::Scalar(v) => v,
            _ => self.s.b.float(0.0, Type::Float(FloatKind::Infer)),
        }
    }

    pub(super) fn elem(&self, view: &View) -> Type {
        self.s.b.func.buffer(view.buffer).elem.clone()
    }

    pub(in super::super) fn is_linear(&self, view: &View) -> bool {
        self.s.linear.get(&view.buffer).is_some_and(|outer| view.prefix.len() >= *outer)
    }

    /// `a + b`, `2.0 * a`, `a - 1.0`: of arrays, or of an array and a number. `None` if neither is an array.
    pub(in super::super) fn array_binary(&mut self, op: &Op, a: &Val, b: &Val, span: Span) -> Option<Val> {
        let (mut x, mut y) = (self.as_array(a), self.as_array(b));
        // `nalgebra` adds no numbers to vectors: what other code has made is a vector too.
        if matches!(op, Op::Add | Op::Sub) {
            match (&x, &y, a, b) {
                (Some(like), None, _, Val::Scalar(v))
                    if self.is_linear(like) && self.is_data_like(like, *v) =>
                {
                    y = Some(self.data_like(&like.clone(), *v));
                }
                (None, Some(like), Val::Scalar(v), _)
                    if self.is_linear(like) && self.is_data_like(like, *v) =>
                {
                    x = Some(self.data_like(&like.clone(), *v));
                }
                _ => {}
            }
        }
        let made = match (x, y) {
            (None, None) => return None,
            (Some(x), None) => {
                let Val::Scalar(c) = b else { return None };
                let (dims, elem, linear) = (self.axes(&x), self.elem(&x), self.is_linear(&x));
                let c = self.data_operand(*c, &x, span)?;
                self.build("array", dims, &elem, linear, &mut |this, index| {
                    let v = this.at_index(&x, index);
                    let c = this.data_at(c, index, &elem);
                    this.op(op.clone(), &[v, c])
                })
            }
            (None, Some(y)) => {
                let Val::Scalar(c) = a else { return None };
                let (dims, elem, linear) = (self.axes(&y), self.elem(&y), self.is_linear(&y));
                let c = self.data_operand(*c, &y, span)?;
                self.build("array", dims, &elem, linear, &mut |this, index| {
                    let v = this.at_index(&y, index);
                    let c = this.data_at(c, index, &elem);
                    this.op(op.clone(), &[c, v])
                })
            }
            (Some(x), Some(y)) => {
                let linear = self.is_linear(&x) || self.is_linear(&y);
                match op {
                    Op::Mul if linear => return Some(self.matrix_product(&x, &y, span)),
                    Op::Div | Op::Rem if linear => {
                        self.error(span, "matrices cannot be divided", "solve, or divide the elements");
                        return Some(Val::Never);
                    }
                    _ => {}
                }
                // One axis less is repeated along the other's first, and so is an axis of one element.
                let (wide, other) = if self.rank(&x) >= self.rank(&y) { (&x, &y) } else { (&y, &x) };
                let elem = self.elem(wide);
                let mut dims = self.axes(wide);
                let n = dims.len();
                let skip = n - self.rank(other);
                for (k, dim) in dims.iter_mut().enumerate().skip(skip) {
                    if self.is_one(wide, k) && !self.is_one(other, k - skip) {
                        *dim = self.axis(other, k - skip);
                    }
                }
                if !linear {
                    self.check_shapes(&x, &y);
                }
                self.build("array", dims, &elem, linear, &mut |this, index| {
                    let of_x = this.broadcast_index(&x, &index[n - this.rank(&x)..]);
                    let of_y = this.broadcast_index(&y, &index[n - this.rank(&y)..]);
                    let u = this.at_index(&x, &of_x);
                    let v = this.at_index(&y, &of_y);
                    this.op(op.clone(), &[u, v])
                })
            }
        };
        Some(Val::View(made))
    }

    /// Data beside an array: a number, or an array that the macro does not look into. Which of them, rustc knows.
    fn data_operand(&mut self, c: Value, beside: &View, span: Span) -> Option<Operand> {
        let is_data =
            *self.s.b.func.ty(c) == Type::Opaque && !self.is_tainted(c) && !self.s.loaded.contains(&c);
        if !is_data || self.is_linear(beside) {
            return self.scalar(Val::Scalar(c), span).map(Operand::Number);
        }
        let rank = self.rank(beside);
        let shape: Vec<Value> = (0..rank).map(|k| self.extent(beside, k)).collect();
        let holes = (1..=rank).map(|k| syn::Ident::new(&crate::ir::Verbatim::hole(k), Span::call_site()));
        let x = syn::Ident::new(&crate::ir::Verbatim::hole(0), Span::call_site());
        let tokens = quote::quote!(::ad_runtime::__private::ElementAt::check(&#x, [#(#holes),*]));
        let verbatim = crate::ir::Verbatim::new(tokens, Vec::new());
        let args = std::iter::once(c).chain(shape).collect();
        self.s.b.effect(InstKind::Effect(verbatim, args));
        Some(Operand::Data(c))
    }

    fn data_at(&mut self, c: Operand, index: &[Value], elem: &Type) -> Value {
        match c {
            Operand::Number(v) => v,
            Operand::Data(v) => {
                let holes = (1..=index.len())
                    .map(|k| syn::Ident::new(&crate::ir::Verbatim::hole(k), Span::call_site()));
                let x = syn::Ident::new(&crate::ir::Verbatim::hole(0), Span::call_site());
                let tokens = quote::quote!(::ad_runtime::__private::ElementAt::at(&#x, [#(#holes),*]));
                let args: Vec<Value> = std::iter::once(v).chain(index.iter().copied()).collect();
                self.pass(tokens, &args, elem.clone())
            }
        }
    }

    /// As the libraries do, arrays of different shapes panic.
    pub(in super::super) fn check_shapes(&mut self, x: &View, y: &View) {
        let shared = self.rank(x).min(self.rank(y));
        for k in 1..=shared {
            if self.is_one(x, self.rank(x) - k) || self.is_one(y, self.rank(y) - k) {
                continue;
            }
            let (a, b) = (self.extent(x, self.rank(x) - k), self.extent(y, self.rank(y) - k));
            self.check_lengths(a, b);
        }
    }

    /// As the libraries do, different lengths panic.
    pub(super) fn check_lengths(&mut self, a: Value, b: Value) {
        self.check_lengths_of(a, b, "arrays of different shapes");
    }

    /// As [`Lower::check_lengths`], saying what is wrong.
    pub(super) fn check_lengths_of(&mut self, a: Value, b: Value, what: &str) {
        if self.same_length(a, b) {
            return;
        }
        let [p, q] = [0, 1].map(|k| syn::Ident::new(&crate::ir::Verbatim::hole(k), Span::call_site()));
        let tokens = quote::quote!(::core::assert_eq!(#p, #q, #what));
        let verbatim = crate::ir::Verbatim::check(tokens, Vec::new());
        self.s.b.effect(InstKind::Effect(verbatim, vec![a, b]));
    }

    fn as_array(&self, val: &Val) -> Option<View> {
        match val {
            Val::View(view) if self.rank(view) > 0 => Some(view.clone()),
            _ => None,
        }
    }

    /// `-a`
    pub(in super::super) fn array_negative(&mut self, view: &View) -> Val {
        let view = view.clone();
        self.mapped(&view, &mut |this, v| this.op(Op::Neg, &[v]))
    }

    /// A new array of a function of each element.
    pub(super) fn mapped(&mut self, view: &View, f: &mut dyn FnMut(&mut Self, Value) -> Value) -> Val {
        let (dims, elem, linear) = (self.axes(view), self.elem(view), self.is_linear(view));
        Val::View(self.build("array", dims, &elem, linear, &mut |this, index| {
            let v = this.at_index(view, index);
            f(this, v)
        }))
    }

    /// `a += b`, `a *= 2.0` of a whole array.
    pub(in super::super) fn array_compound(&mut self, to: &View, op: &Op, right: &Val, span: Span) {
        let source = match right {
            Val::Scalar(v)
                if self.is_linear(to) && matches!(op, Op::Add | Op::Sub) && self.is_data_like(to, *v) =>
            {
                Some(self.data_like(to, *v))
            }
            right => self.as_array(right),
        };
        let scalar = match source {
            Some(_) => None,
            None => match self.scalar(right.clone(), span) {
                Some(v) => Some(v),
                None => return,
            },
        };
        if source.is_some() && self.is_linear(to) && !matches!(op, Op::Add | Op::Sub) {
            return self.error(span, "this product is not supported in place", "write `m = m * n`");
        }
        if let Some(from) = &source
            && self.rank(from) > self.rank(to)
        {
            return self.error(span, "these arrays differ in their axes", "loop over the rows");
        }
        let to = to.clone();
        if let Some(from) = &source {
            self.check_shapes(&to, from);
        }
        self.over(&to.clone(), &mut |this, index| {
            let v = match (&source, scalar) {
                (Some(from), _) => {
                    let skip = index.len() - this.rank(from);
                    let at = this.broadcast_index(from, &index[skip..]);
                    this.at_index(from, &at)
                }
                (None, Some(v)) => v,
                (None, None) => return,
            };
            let place = this.absolute(&to, index);
            match op {
                Op::Add => this.store(to.buffer, place, v, StoreMode::Add),
                Op::Sub => {
                    let minus = this.op(Op::Neg, &[v]);
                    this.store(to.buffer, place, minus, StoreMode::Add);
                }
                op => {
                    let old = this.load(to.buffer, place.clone());
                    let new = this.op(op.clone(), &[old, v]);
                    this.store(to.buffer, place, new, StoreMode::Set);
                }
            }
        });
    }

    /// `a.assign(&b)`
    pub(super) fn assign_array(&mut self, to: &View, from: &View, span: Span) {
        let ranks = (self.rank(to), self.rank(from));
        if self.is_linear(to) || ranks.1 > ranks.0 {
            return self.copy_view(from, to, span);
        }
        self.check_shapes(to, from);
        let repeats = (0..ranks.1).any(|k| self.is_one(from, k));
        if ranks.0 == ranks.1 && !repeats {
            return self.copy_view(from, to, span);
        }
        // An axis less, or one of one element, is repeated.
        let (to, from) = (to.clone(), from.clone());
        self.over(&to.clone(), &mut |this, index| {
            let at = this.broadcast_index(&from, &index[ranks.0 - ranks.1..]);
            let v = this.at_index(&from, &at);
            let place = this.absolute(&to, index);
            this.store(to.buffer, place, v, StoreMode::Set);
        });
    }

    /// The place of `a[[i, j]]`, `m[(i, j)]`.
    pub(in super::super) fn at_indices(&mut self, view: &View, list: &[Value]) -> Place {
        let mut at = Place::Part(view.clone());
        for i in list {
            at = match at {
                Place::Part(part) => self.index(&part, *i),
                other => other,
            };
        }
        at
    }

    /// The indices in `[i, j]` or `(i, j)`, if that is what an index is.
    pub(in super::super) fn indices(&mut self, index: &syn::Expr) -> Option<Vec<Value>> {
        let list: Vec<&syn::Expr> = match index {
            syn::Expr::Array(a) => a.elems.iter().collect(),
            syn::Expr::Tuple(t) => t.elems.iter().collect(),
            syn::Expr::Paren(p) => return self.indices(&p.expr),
            _ => return None,
        };
        list.into_iter()
            .map(|e| {
                let val = self.expr(e).0;
                self.scalar(val, syn::spanned::Spanned::span(e))
            })
            .collect()
    }
}

/// What stands beside an array in arithmetic.
#[derive(Clone, Copy)]
enum Operand {
    Number(Value),
    /// Of other code.
    Data(Value),
}
