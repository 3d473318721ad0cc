//! Forward mode: what is carried forward beside each value, which is its tangent.
//!
//! The transform itself only walks: what a value carries, and what an operation makes of it, is a [`Carried`]. Tangents
//! are one; the index sets of [`pattern`](super::pattern) are another.
//!
//! Every instruction that computes something which varies is followed by the computation of its tangent; `if`,
//! `for` and `while` hand tangents on beside the values they belong to; buffers and stacks get shadows. What does
//! not vary has no tangent: a missing tangent is zero and costs nothing.
//!
//! Method: Wengert 1964; Griewank and Walther, *Evaluating Derivatives* (2008), ch. 3. Run over an adjoint it is
//! Pearlmutter's R-operator (1994).

use std::sync::Arc;

use rustc_hash::FxHashMap as HashMap;

use crate::analysis::activity::{self, Activity};
use crate::ir::{
    Arg, BarArg, Binding, Block, Buffer, BufferData, Builder, Call, CallMode, Dim, Func, Inst, InstKind,
    Mark, Op, Output, Param, Stack, StackData, Storage, StoreMode, Type, Value, ValueMap,
};
use crate::rules;

use super::products;

/// For every active parameter (`Param::active`) a direction of role `role.marked(Dot)` is appended to the
/// parameters; for every output a tangent of role `role.marked(Dot)`: returned for what is returned, an output
/// parameter for an output parameter. All else of the function is kept.
pub(crate) fn forward(func: &Func) -> Func {
    let seeds: Vec<Binding> =
        func.params.iter().filter(|p| p.active && !is_output(func, p.binding)).map(|p| p.binding).collect();
    forward_with(func, &activity::varied(func, &seeds))
}

/// As [`forward`], with an activity of the caller's.
pub(crate) fn forward_with(func: &Func, active: &Activity) -> Func {
    let mut forward = Forward::new(func, active, Tangents);
    forward.params();
    forward.block(&func.body);
    forward.outputs();
    forward.b.finish()
}

/// What is carried beside values that vary.
pub(super) trait Carried {
    /// Its type, beside a value of this type.
    fn ty(&self, of: &Type) -> Type;
    /// What a value carries that does not vary.
    fn zero(&self, b: &mut Builder, of: &Type) -> Value;
    /// What `x += y` carries, if it is no plain addition of what both carry.
    fn added(&self, b: &mut Builder, old: Value, new: Value) -> Option<Value>;
    /// What the result of an operation carries, if anything; `dots` are those of its operands.
    fn pure(
        &self,
        b: &mut Builder,
        op: &Op,
        args: &[Value],
        dots: &[Option<Value>],
        result: Value,
    ) -> Option<Value>;
    /// A call. `None`: it is the callee's own companion.
    fn call(&self, b: &mut Builder, dots: &[Option<Arg>]) -> Option<Value>;
}

/// Tangents.
struct Tangents;

impl Carried for Tangents {
    fn ty(&self, of: &Type) -> Type {
        of.clone()
    }
    fn zero(&self, b: &mut Builder, of: &Type) -> Value {
        b.float(0.0, of.clone())
    }
    fn added(&self, _: &mut Builder, _: Value, _: Value) -> Option<Value> {
        None
    }
    fn pure(
        &self,
        b: &mut Builder,
        op: &Op,
        args: &[Value],
        dots: &[Option<Value>],
        result: Value,
    ) -> Option<Value> {
        if let (Op::Select, [c, ..], [_, Some(x), Some(y)]) = (op, args, dots) {
            return Some(b.select(*c, *x, *y));
        }
        let to = b.func.ty(result).clone();
        let mut sum: Option<Value> = None;
        for (k, dot) in dots.iter().enumerate() {
            let Some(t) = *dot else { continue };
            if let Some(term) = rules::tangent(b, op, args, result, k, t, &to) {
                sum = Some(match sum {
                    Some(sum) => b.add(sum, term),
                    None => term,
                });
            }
        }
        sum
    }
    fn call(&self, _: &mut Builder, _: &[Option<Arg>]) -> Option<Value> {
        None
    }
}

fn is_output(func: &Func, binding: Binding) -> bool {
    matches!(binding, Binding::Buffer(b) if func.buffer(b).storage == Storage::Output)
}

pub(super) struct Forward<'a, C> {
    src: &'a Func,
    pub(super) b: Builder,
    active: &'a Activity,
    carried: C,
    pub(super) dots: ValueMap<Value>,
    pub(super) buffers: HashMap<Buffer, Buffer>,
    stacks: HashMap<Stack, Stack>,
}

impl<'a, C: Carried> Forward<'a, C> {
    pub(super) fn new(src: &'a Func, active: &'a Activity, carried: C) -> Self {
        Forward {
            src,
            b: Builder::new(src.clone()),
            active,
            carried,
            dots: ValueMap::default(),
            buffers: HashMap::default(),
            stacks: HashMap::default(),
        }
    }

    fn params(&mut self) {
        let src = self.src;
        for p in src.params.iter().filter(|p| p.active) {
            let binding = match p.binding {
                Binding::Value(v) => Binding::Value(self.new_dot(v)),
                Binding::Buffer(b) => {
                    let dot = self.b.func.new_buffer(BufferData {
                        name: dot_name(&src.buffer(b).name),
                        ..src.buffer(b).clone()
                    });
                    self.buffers.insert(b, dot);
                    // What the caller left in an output is no derivative. (Adjoints say themselves how they start.)
                    if src.buffer(b).storage == Storage::Output && !p.role.marks.contains(&Mark::Bar) {
                        let value = self.b.float(0.0, src.buffer(b).elem.clone());
                        self.b.effect(InstKind::Fill { buffer: dot, value });
                    }
                    Binding::Buffer(dot)
                }
            };
            self.b.func.params.push(Param {
                role: p.role.marked(Mark::Dot),
                binding,
                active: p.active,
                size: false,
            });
        }
    }

    fn outputs(&mut self) {
        let src = self.src;
        for o in &src.outputs {
            let binding = match o.binding {
                Binding::Value(v) if src.is_float(v) => Binding::Value(self.dot_or_zero(v)),
                Binding::Buffer(b) if src.buffer(b).elem.is_float() => {
                    if !self.buffers.contains_key(&b) {
                        let fill = self.b.float(0.0, src.buffer(b).elem.clone());
                        self.declare(b, fill);
                    }
                    Binding::Buffer(self.buffers[&b])
                }
                _ => continue,
            };
            self.b.func.outputs.push(Output { role: o.role.marked(Mark::Dot), binding });
        }
    }

    // ---------------------------------------------------------------------------------------- names and look-ups

    fn new_dot(&mut self, v: Value) -> Value {
        let data = self.src.value(v);
        let ty = self.carried.ty(&data.ty);
        let dot = self.b.func.new_value(ty, data.name.as_deref().map(dot_name));
        self.dots.insert(v, dot);
        dot
    }

    /// The tangent of a value, where it has one.
    fn dot(&self, v: Value) -> Option<Value> {
        self.dots.get(&v).copied()
    }

    pub(super) fn dot_or_zero(&mut self, v: Value) -> Value {
        match self.dot(v) {
            Some(dot) => dot,
            None => self.carried.zero(&mut self.b, self.src.ty(v)),
        }
    }

    /// As [`Forward::dot_or_zero`], where a value of another type may stand: code that nobody looks into does not tell which
    /// float it gives, but what gets it does.
    fn dot_as(&mut self, ty: &Type, v: Value) -> Value {
        match self.dot(v) {
            Some(dot) => dot,
            None => self.carried.zero(&mut self.b, ty),
        }
    }

    /// What a buffer's shadow gets where the buffer gets this value.
    fn dot_for(&mut self, buffer: Buffer, v: Value) -> Value {
        let src = self.src;
        self.dot_as(&src.buffer(buffer).elem, v)
    }

    /// The shadow of a buffer that varies.
    fn shadow(&self, b: Buffer) -> Option<Buffer> {
        if self.active.buffer(b) { self.buffers.get(&b).copied() } else { None }
    }

    /// Declares the shadow of a local buffer, as a local buffer.
    fn declare(&mut self, b: Buffer, fill: Value) {
        let mut data = self.src.buffer(b).clone();
        data.name = dot_name(&data.name);
        data.storage = Storage::Local;
        data.layout = data.local_layout();
        data.elem = self.carried.ty(&data.elem);
        for (axis, dim) in data.dims.iter_mut().enumerate() {
            if *dim == Dim::Slice {
                *dim = Dim::Dyn(self.b.op(Op::Len(b, axis), &[]));
            }
        }
        let dot = self.b.func.new_buffer(data);
        self.buffers.insert(b, dot);
        self.b.effect(InstKind::Alloc { buffer: dot, fill });
    }

    fn shadow_stack(&mut self, s: Stack) -> Option<Stack> {
        if !self.active.stack(s) {
            return None;
        }
        if let Some(shadow) = self.stacks.get(&s) {
            return Some(*shadow);
        }
        let data = self.src.stack(s);
        let elem = self.carried.ty(&data.elem);
        let shadow = self.b.func.new_stack(StackData { name: dot_name(&data.name), elem, ..data.clone() });
        self.stacks.insert(s, shadow);
        Some(shadow)
    }

    // ---------------------------------------------------------------------------------------- blocks

    pub(super) fn block(&mut self, block: &Block) {
        for inst in &block.insts {
            self.inst(inst);
        }
        self.b.current().diverges = block.diverges;
    }

    /// Emits a nested block; its arguments, and what it yields for `results`, are followed by the tangents of those at `which`.
    fn nested(&mut self, block: &Block, first: usize, results: &[Value], which: &[usize]) -> Block {
        let src = self.src;
        let mut args = block.args.clone();
        if !args.is_empty() {
            args.extend(which.iter().map(|k| block.args[first + k]).map(|a| self.new_dot(a)));
        }
        self.b.open(args);
        self.block(block);
        let mut yields = block.yields.clone();
        if !block.diverges {
            for k in which {
                if let Some(y) = block.yields.get(*k) {
                    yields.push(self.dot_as(src.ty(results[*k]), *y));
                }
            }
        }
        self.b.close(yields)
    }

    /// Emits an instruction with the tangents of the results at `which` as further results.
    fn with_dots(&mut self, inst: &Inst, which: &[usize], kind: InstKind) {
        let mut results = inst.results.clone();
        results.extend(which.iter().map(|k| inst.results[*k]).map(|r| self.new_dot(r)));
        self.b.push(Inst { results, kind });
    }

    fn inst(&mut self, inst: &Inst) {
        let src = self.src;
        match &inst.kind {
            InstKind::If { cond, then_block, else_block } => {
                let which: Vec<usize> =
                    (0..inst.results.len()).filter(|k| self.active.value(inst.results[*k])).collect();
                let then_block = self.nested(then_block, 0, &inst.results, &which);
                let else_block = self.nested(else_block, 0, &inst.results, &which);
                self.with_dots(inst, &which, InstKind::If { cond: *cond, then_block, else_block });
            }
            InstKind::For(l) => {
                let which: Vec<usize> =
                    (0..l.inits.len()).filter(|k| self.active.value(l.body.args[k + 1])).collect();
                let mut inits = l.inits.clone();
                inits.extend(which.iter().map(|k| self.dot_as(src.ty(inst.results[*k]), l.inits[*k])));
                let body = self.nested(&l.body, 1, &inst.results, &which);
                self.with_dots(inst, &which, InstKind::For(crate::ir::ForLoop { inits, body, ..*l }));
            }
            InstKind::While { inits, cond_block, body } => {
                let which: Vec<usize> =
                    (0..inits.len()).filter(|k| self.active.value(body.args[*k])).collect();
                let mut all = inits.clone();
                all.extend(which.iter().map(|k| self.dot_as(src.ty(inst.results[*k]), inits[*k])));
                // The condition is a bool: tangents only pass through its arguments.
                let mut cond_block = cond_block.clone();
                for k in &which {
                    let dot = self.new_dot(cond_block.args[*k]);
                    cond_block.args.push(dot);
                }
                let body = self.nested(body, 0, &inst.results, &which);
                self.with_dots(inst, &which, InstKind::While { inits: all, cond_block, body });
            }
            InstKind::Call(call) => self.call(inst, call),
            _ => {
                self.b.push(inst.clone());
                self.tangent(inst);
            }
        }
    }

    /// The tangent of an instruction without nested blocks, which has just been emitted.
    fn tangent(&mut self, inst: &Inst) {
        match &inst.kind {
            InstKind::Pure(op, args) => self.pure(inst.results[0], op, args),
            InstKind::Load { buffer, index } => {
                if let Some(shadow) = self.shadow(*buffer) {
                    let dot = self.b.load(shadow, index.clone());
                    self.set_dot(inst.results[0], dot);
                }
            }
            InstKind::Store { buffer, index, value, mode } => {
                if let Some(shadow) = self.shadow(*buffer) {
                    if let (None, StoreMode::Add) = (self.dot(*value), mode) {
                    } else {
                        let dot = self.dot_for(*buffer, *value);
                        self.store(shadow, index, dot, *mode);
                    }
                }
            }
            InstKind::Fill { buffer, value } => {
                // Also where nothing varies: the adjoint of a linear function starts with a fill, and so must its
                // tangent, which is a parameter.
                if let Some(shadow) = self.buffers.get(buffer).copied() {
                    let value = self.dot_for(*buffer, *value);
                    self.b.effect(InstKind::Fill { buffer: shadow, value });
                }
            }
            InstKind::Product(p) => {
                if let Some(shadow) = self.shadow(p.into.buffer) {
                    let (a, b) = (self.shadow(p.a.buffer), self.shadow(p.b.buffer));
                    let tangents = products::tangent(p, shadow, a, b);
                    if tangents.is_empty() && p.mode == StoreMode::Set {
                        let value = self.carried.zero(&mut self.b, &self.src.buffer(p.into.buffer).elem);
                        self.b.effect(InstKind::Fill { buffer: shadow, value });
                    }
                    tangents.into_iter().for_each(|p| self.b.effect(InstKind::Product(p)));
                }
            }
            InstKind::Grow { buffer, len } => {
                if let Some(shadow) = self.shadow(*buffer) {
                    self.b.effect(InstKind::Grow { buffer: shadow, len: *len });
                }
            }
            InstKind::Alloc { buffer, fill } => {
                if self.active.buffer(*buffer) {
                    let fill = self.dot_for(*buffer, *fill);
                    self.declare(*buffer, fill);
                }
            }
            InstKind::Push { stack, value } => {
                if let Some(stack) = self.shadow_stack(*stack) {
                    let value = self.dot_or_zero(*value);
                    self.b.effect(InstKind::Push { stack, value });
                }
            }
            InstKind::Pop { stack } => {
                if let Some(stack) = self.shadow_stack(*stack) {
                    let ty = self.carried.ty(self.src.ty(inst.results[0]));
                    let dot = self.b.emit(InstKind::Pop { stack }, vec![ty])[0];
                    self.set_dot(inst.results[0], dot);
                }
            }
            InstKind::PushBuffer { stack, buffer } => {
                if let (Some(stack), Some(buffer)) = (self.shadow_stack(*stack), self.shadow(*buffer)) {
                    self.b.effect(InstKind::PushBuffer { stack, buffer });
                }
            }
            InstKind::PopBuffer { stack, buffer } => {
                // A buffer that varies only later is restored to contents without tangent.
                match (self.shadow_stack(*stack), self.shadow(*buffer)) {
                    (Some(stack), Some(buffer)) => {
                        self.b.effect(InstKind::PopBuffer { stack, buffer });
                    }
                    (None, Some(shadow)) => {
                        let value = self.carried.zero(&mut self.b, &self.src.buffer(*buffer).elem);
                        self.b.effect(InstKind::Fill { buffer: shadow, value });
                    }
                    _ => {}
                }
            }
            InstKind::Effect(..)
            | InstKind::If { .. }
            | InstKind::For(_)
            | InstKind::While { .. }
            | InstKind::Call(_) => {}
            InstKind::Window { .. } => unreachable!("windows are made after all transforms"),
        }
    }

    fn set_dot(&mut self, v: Value, dot: Value) {
        if let Some(name) = &self.src.value(v).name {
            let name = dot_name(name);
            self.b.name(dot, || name);
        }
        self.dots.insert(v, dot);
    }

    fn pure(&mut self, result: Value, op: &Op, args: &[Value]) {
        if !self.active.value(result) {
            return;
        }
        let dots: Vec<Option<Value>> = args.iter().map(|a| self.dot(*a)).collect();
        self.b.free = true;
        let dot = self.carried.pure(&mut self.b, op, args, &dots, result);
        self.b.free = false;
        if let Some(dot) = dot {
            self.set_dot(result, dot);
        }
    }

    fn store(&mut self, shadow: Buffer, index: &[Value], dot: Value, mode: StoreMode) {
        if mode == StoreMode::Add {
            let old = self.b.load(shadow, index.to_vec());
            match self.carried.added(&mut self.b, old, dot) {
                Some(sum) => return self.b.store(shadow, index.to_vec(), sum, StoreMode::Set),
                // The load is not needed.
                None => {
                    self.b.current().insts.pop();
                }
            }
        }
        self.b.store(shadow, index.to_vec(), dot, mode);
    }

    /// The tangent of a call is the callee's own.
    fn call(&mut self, inst: &Inst, call: &Call) {
        let varies = inst.results.iter().any(|r| self.active.value(*r))
            || inst.kind.writes().iter().any(|b| self.active.buffer(*b));
        if !varies {
            self.b.push(inst.clone());
            return;
        }
        if call.mode == CallMode::Primal {
            let dots: Vec<Option<Arg>> = call.args.iter().map(|a| self.arg_dot(a)).collect();
            let before = self.b.current().insts.len();
            self.b.push(inst.clone());
            if let Some(dot) = self.carried.call(&mut self.b, &dots) {
                self.set_dot(inst.results[0], dot);
                return;
            }
            self.b.current().insts.truncate(before);
        }
        let of_args =
            |this: &Self| -> Vec<Option<Arg>> { call.args.iter().map(|a| this.arg_dot(a)).collect() };
        let mut new = call.clone();
        match call.mode {
            CallMode::Primal => {
                new.mode = CallMode::Jvp;
                new.dots = vec![of_args(self)];
            }
            CallMode::Jvp => {
                new.mode = CallMode::JvpJvp;
                let d12 = call.dots[0].iter().map(|a| a.as_ref().and_then(|a| self.arg_dot(a))).collect();
                new.dots = vec![call.dots[0].clone(), of_args(self), d12];
            }
            CallMode::Vjp => {
                new.mode = CallMode::VjpJvp;
                new.dots = vec![of_args(self)];
                new.seeds.push(self.dot_or_zero(call.seeds[0]));
                let bar_dots = call.bars[0]
                    .iter()
                    .map(|bar| match bar {
                        Some(BarArg::Result) => Some(BarArg::Result),
                        Some(BarArg::Into(arg)) => self.arg_dot(arg).map(BarArg::Into),
                        None => None,
                    })
                    .collect();
                new.bars.push(bar_dots);
            }
            CallMode::VjpJvp | CallMode::JvpJvp | CallMode::Curvature | CallMode::Taylor => {
                unreachable!("third derivatives of calls are not taken")
            }
        }
        let mut results = inst.results.clone();
        let types: Vec<Type> = inst.results.iter().map(|r| self.src.ty(*r).clone()).collect();
        // `y, y_1, y_2, y_12`: the tangent of each result follows, in the order of the results.
        for (r, ty) in inst.results.iter().zip(types) {
            let name = self.src.value(*r).name.as_deref().map(dot_name);
            let dot = self.b.func.new_value(ty, name);
            self.dots.insert(*r, dot);
            results.push(dot);
        }
        self.b.push(Inst { results, kind: InstKind::Call(new) });
    }

    fn arg_dot(&self, arg: &Arg) -> Option<Arg> {
        match arg {
            Arg::Value(v) => self.dot(*v).map(Arg::Value),
            Arg::Buffer { buffer, prefix, range, by_ref } => self.shadow(*buffer).map(|shadow| Arg::Buffer {
                buffer: shadow,
                prefix: prefix.clone(),
                range: *range,
                by_ref: *by_ref,
            }),
        }
    }
}

fn dot_name(name: &str) -> Arc<str> {
    format!("{name}_dot").into()
}
