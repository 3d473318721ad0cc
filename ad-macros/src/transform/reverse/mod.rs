//! Reverse mode: the adjoint transform.
//!
//! The adjoint of a function is the function itself, then its reverse sweep. What the reverse sweep needs of
//! the forward sweep is planned by [`crate::analysis::replay`]: straight-line values are in scope, replayed
//! loops run their body again, saved loops push and pop. This module emits generously (every value that might be
//! needed) and relies on dead code elimination to take back what is not.
//!
//! - [`sweep`] emits forward code: plain, augmented (with what the reverse sweep needs), or repeated;
//! - [`adjoint`] emits the reverse of each instruction;
//! - here: parameters, seeds and outputs.
//!
//! Method: adjoint code by program reversal, Griewank and Walther, *Evaluating Derivatives* (2008), ch. 6, 12.

mod adjoint;
mod scope;
mod sweep;

use std::sync::Arc;

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::analysis::activity::{self, Activity};
use crate::analysis::keep::{Keeper, Place};
use crate::analysis::overwrite::Defs;
use crate::analysis::replay::{self, InstId, Plan};
use crate::ir::{
    Binding, Block, Buffer, BufferData, Builder, Dim, ForLoop, Func, Inst, InstKind, Layout, Mark, Op,
    Output, Param, Stack, StackData, Storage, StoreMode, Type, Unary, Value,
};
use scope::Scoped;

/// Seeds (`role.marked(Bar)` of each active output) become parameters, adjoints of the active parameters become
/// outputs, of role `role.marked(Bar)`: returned for scalars and arrays by value, `&mut` parameters for the
/// rest, which are overwritten, or, if `accumulate`, added into. Output parameters of the function become local
/// buffers: their first contents are unknown to the adjoint, so they start as NaN.
pub(crate) fn reverse(func: &Func, accumulate: bool) -> Func {
    reverse_with(func, accumulate, &active(func))
}

/// What varies with the active inputs and is of use to the outputs.
pub(crate) fn active(func: &Func) -> Activity {
    activity::varied(func, &active_inputs(func)).and(&activity::useful(func, &sinks(func)))
}

/// As [`reverse`], with an activity of the caller's.
pub(crate) fn reverse_with(func: &Func, accumulate: bool, active: &Activity) -> Func {
    let plan = replay::plan(func, active);
    let keeper = Keeper::new(func, &plan, active);
    let mut reverse = Reverse {
        src: func,
        b: Builder::new(Func::new(&func.name)),
        active,
        plan,
        env: Scoped::new(),
        buffers: Scoped::new(),
        bars: HashMap::default(),
        bar_buffers: Scoped::new(),
        saves: HashMap::default(),
        carried: HashMap::default(),
        copies: HashMap::default(),
        reloads: HashMap::default(),
        keeper,
        kept: HashMap::default(),
        known: Scoped::new(),
        undone: HashMap::default(),
        write_only: HashSet::default(),
        long_enough: HashSet::default(),
        made: HashSet::default(),
        defs: Defs::new(func),
    };
    reverse.function(accumulate);
    reverse.b.finish()
}

fn active_inputs(func: &Func) -> Vec<Binding> {
    func.params.iter().filter(|p| p.active && !is_output(func, p.binding)).map(|p| p.binding).collect()
}

fn sinks(func: &Func) -> Vec<Binding> {
    let params = func.params.iter().filter(|p| p.active && is_output(func, p.binding)).map(|p| p.binding);
    func.outputs.iter().map(|o| o.binding).chain(params).collect()
}

fn is_output(func: &Func, binding: Binding) -> bool {
    matches!(binding, Binding::Buffer(b) if func.buffer(b).storage == Storage::Output)
}

/// What the reverse sweep asks for by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Key {
    /// A value of the source function.
    Value(Value),
    /// How often a `while` loop ran.
    Trips(InstId),
}

/// Where a value is kept.
#[derive(Clone)]
struct InBuffer {
    buffer: Buffer,
    /// Where in it, in terms of the source.
    place: Place,
    /// Whether it is there already.
    stored: bool,
}

/// The adjoint under construction. `src` values and buffers are those of the function that is reversed;
/// everything is emitted with fresh ones.
struct Reverse<'a> {
    src: &'a Func,
    b: Builder,
    active: &'a Activity,
    plan: Plan,
    /// What a source value is called where we are emitting.
    env: Scoped<Key, Value>,
    /// Which buffer stands for a source buffer where we are emitting.
    buffers: Scoped<Buffer, Buffer>,
    /// Adjoints of source values, as far as they are summed up in the block that is being reversed.
    bars: HashMap<Value, Value>,
    /// The buffer that holds the adjoint of a source buffer.
    bar_buffers: Scoped<Buffer, Buffer>,
    /// What a saved block pushed at its end, for its reversal to pop.
    saves: HashMap<*const Block, Vec<(Key, Stack)>>,
    /// Stacks of a loop's carried values, and of its snapshots.
    carried: HashMap<InstId, (Vec<Stack>, Vec<(Buffer, Stack)>)>,
    /// Stacks of buffers copied when a loop or call was entered.
    copies: HashMap<InstId, Vec<(Buffer, Stack)>>,
    /// Values of replayed loops that a buffer still holds, and the loop variables that find them there.
    reloads: HashMap<Value, (Buffer, Vec<Value>)>,
    keeper: Keeper,
    /// Where values of inner loops are kept between the replay of a round and its reversal.
    kept: HashMap<Value, InBuffer>,
    /// Functions of values that were taken from where they are kept.
    known: Scoped<(Unary, Value), Value>,
    /// What stores that are undone have overwritten.
    undone: HashMap<InstId, Stack>,
    /// Buffers that the replays around us leave alone.
    write_only: HashSet<Buffer>,
    /// Adjoints of vectors that grow, where they are as long as these.
    long_enough: HashSet<Buffer>,
    /// Source buffers whose first contents the loops around us make: what they held before is of no use.
    made: HashSet<Buffer>,
    defs: Defs<'a>,
}

impl Reverse<'_> {
    fn function(&mut self, accumulate: bool) {
        let src = self.src;
        // Parameters: the primal ones (outputs become locals), then seeds, then adjoints.
        for p in &src.params {
            match p.binding {
                Binding::Value(v) => {
                    let new = self.fresh(v);
                    self.env.insert(Key::Value(v), new);
                    self.b.func.params.push(Param { binding: Binding::Value(new), ..p.clone() });
                }
                Binding::Buffer(b) if src.buffer(b).storage == Storage::Output => {}
                Binding::Buffer(b) => {
                    let new = self.b.func.new_buffer(src.buffer(b).clone());
                    self.buffers.insert(b, new);
                    self.b.func.params.push(Param { binding: Binding::Buffer(new), ..p.clone() });
                }
            }
        }
        let seeds = self.seeds();
        for p in &src.params {
            if let Binding::Buffer(b) = p.binding
                && src.buffer(b).storage == Storage::Output
            {
                self.output_as_local(b, &seeds);
            }
        }

        self.forward_block(&src.body, sweep::Mode::Augmented, false);
        for o in &src.outputs {
            let binding = match o.binding {
                Binding::Value(v) => Binding::Value(self.val(v)),
                Binding::Buffer(b) => Binding::Buffer(self.buf(b)),
            };
            self.b.func.outputs.push(Output { role: o.role.clone(), binding });
        }

        self.allocate_bars(&src.body);
        self.adjoint_buffers_of_params(accumulate);
        for (binding, seed) in seeds {
            match (binding, seed) {
                (Binding::Value(v), Binding::Value(s)) => self.add_bar(v, s),
                (Binding::Buffer(b), Binding::Buffer(s)) => {
                    let bar = self.bar_buf(b);
                    self.copy(s, bar);
                }
                _ => unreachable!("a seed is bound like its output"),
            }
        }
        self.reverse_block(&src.body);
        self.adjoint_outputs();
    }

    /// Seed parameters of the active outputs.
    fn seeds(&mut self) -> Vec<(Binding, Binding)> {
        let src = self.src;
        let params = src.params.iter().filter(|p| p.active && is_output(src, p.binding));
        let all: Vec<_> = src
            .outputs
            .iter()
            .map(|o| (&o.role, o.binding))
            .chain(params.map(|p| (&p.role, p.binding)))
            .collect();
        let mut seeds = Vec::new();
        for (role, binding) in all {
            let seed = match binding {
                Binding::Value(v) if src.is_float(v) => {
                    let name = self.bar_name(src.value(v).name.as_deref().unwrap_or("value"));
                    Binding::Value(self.b.func.new_value(src.ty(v).clone(), Some(name)))
                }
                Binding::Buffer(b) if src.buffer(b).elem.is_float() => {
                    let data = src.buffer(b);
                    let fixed = data.dims.iter().all(|d| matches!(d, Dim::Fixed(_)));
                    let by_value = fixed && data.storage != Storage::Output;
                    let dims = if fixed { data.dims.clone() } else { vec![Dim::Slice; data.dims.len()] };
                    let storage = if by_value { Storage::Owned } else { Storage::Shared };
                    let seed = BufferData::new(self.bar_name(&data.name), data.elem.clone(), dims, storage);
                    Binding::Buffer(self.b.func.new_buffer(seed))
                }
                _ => continue,
            };
            self.b.func.params.push(Param {
                role: role.marked(Mark::Bar),
                binding: seed,
                active: true,
                size: false,
            });
            seeds.push((binding, seed));
        }
        seeds
    }

    /// An output parameter of the source is a local buffer of the adjoint, as long as its seed.
    fn output_as_local(&mut self, b: Buffer, seeds: &[(Binding, Binding)]) {
        let mut data = self.src.buffer(b).clone();
        data.storage = Storage::Local;
        data.layout = data.local_layout();
        let seed = seeds.iter().find_map(|(of, seed)| match (of, seed) {
            (Binding::Buffer(of), Binding::Buffer(seed)) if *of == b => Some(*seed),
            _ => None,
        });
        for (axis, dim) in data.dims.iter_mut().enumerate() {
            if let (Dim::Slice, Some(seed)) = (&*dim, seed) {
                *dim = Dim::Dyn(self.b.op(Op::Len(seed, axis), &[]));
            }
        }
        let elem = data.elem.clone();
        let new = self.b.func.new_buffer(data);
        let fill = self.b.float(f64::NAN, elem);
        self.b.effect(InstKind::Alloc { buffer: new, fill });
        self.buffers.insert(b, new);
        let bar = self.new_bar_buffer(b);
        self.bar_buffers.insert(b, bar);
    }

    /// Adjoint buffers of active buffer parameters: `&mut` parameters, or locals where the array is by value.
    fn adjoint_buffers_of_params(&mut self, accumulate: bool) {
        let src = self.src;
        for p in &src.params {
            let Binding::Buffer(b) = p.binding else { continue };
            let data = src.buffer(b);
            // What came in by value is a local: data may be overwritten by active values.
            let becomes_active = data.storage == Storage::Owned && self.active.buffer(b);
            if !(p.active || becomes_active) || data.storage == Storage::Output || !data.elem.is_float() {
                continue;
            }
            if data.storage == Storage::Owned {
                let bar = self.new_bar_buffer(b);
                self.bar_buffers.insert(b, bar);
                continue;
            }
            let bar = BufferData {
                field: data.field.clone(),
                layout: data.layout,
                ..BufferData::new(
                    self.bar_name(&data.name),
                    data.elem.clone(),
                    data.dims.clone(),
                    Storage::Output,
                )
            };
            let elem = bar.elem.clone();
            let bar = self.b.func.new_buffer(bar);
            self.b.func.params.push(Param {
                role: p.role.marked(Mark::Bar),
                binding: Binding::Buffer(bar),
                active: true,
                size: false,
            });
            if !accumulate {
                let zero = self.b.float(0.0, elem);
                self.b.effect(InstKind::Fill { buffer: bar, value: zero });
            }
            self.bar_buffers.insert(b, bar);
        }
    }

    /// Adjoints that are returned.
    fn adjoint_outputs(&mut self) {
        let src = self.src;
        for p in src.params.iter().filter(|p| p.active) {
            let binding = match p.binding {
                Binding::Value(v) => {
                    let bar = match self.bars.get(&v) {
                        Some(bar) => *bar,
                        None => self.b.float(0.0, src.ty(v).clone()),
                    };
                    Binding::Value(bar)
                }
                Binding::Buffer(b) if src.buffer(b).storage == Storage::Owned => {
                    Binding::Buffer(self.bar_buf(b))
                }
                Binding::Buffer(_) => continue,
            };
            self.b.func.outputs.push(Output { role: p.role.marked(Mark::Bar), binding });
        }
    }

    // ---------------------------------------------------------------------------------------- names and look-ups

    fn bar_name(&self, name: &str) -> Arc<str> {
        format!("{name}_bar").into()
    }

    /// A new value like a source value: same type, same name.
    fn fresh(&mut self, v: Value) -> Value {
        let data = self.src.value(v);
        self.b.func.new_value(data.ty.clone(), data.name.clone())
    }

    fn fresh_all(&mut self, list: &[Value]) -> Vec<Value> {
        list.iter().map(|v| self.fresh(*v)).collect()
    }

    /// What stands for a source value here.
    fn val(&self, v: Value) -> Value {
        match self.env.get(Key::Value(v)) {
            Some(new) => new,
            None => unreachable!("{v} of {} is not available to its reverse sweep", self.src.name),
        }
    }

    fn vals(&self, list: &[Value]) -> Vec<Value> {
        list.iter().map(|v| self.val(*v)).collect()
    }

    fn buf(&self, b: Buffer) -> Buffer {
        match self.buffers.get(b) {
            Some(new) => new,
            None => unreachable!("buffer {b} of {} is not available to its reverse sweep", self.src.name),
        }
    }

    fn bar_buf(&self, b: Buffer) -> Buffer {
        match self.bar_buffers.get(b) {
            Some(bar) => bar,
            None => unreachable!("buffer {b} of {} has no adjoint here", self.src.name),
        }
    }

    fn dims(&self, dims: &[Dim]) -> Vec<Dim> {
        dims.iter()
            .map(|d| match d {
                Dim::Dyn(v) => Dim::Dyn(self.val(*v)),
                other => other.clone(),
            })
            .collect()
    }

    /// Axes for a local buffer like the source buffer `b`, which may be a slice.
    fn local_dims(&mut self, b: Buffer) -> Vec<Dim> {
        let mut dims = self.src.buffer(b).dims.clone();
        for (axis, dim) in dims.iter_mut().enumerate() {
            *dim = match dim {
                Dim::Dyn(v) => Dim::Dyn(self.val(*v)),
                Dim::Slice => {
                    let of = self.buf(b);
                    match &self.b.func.buffer(of).dims[axis] {
                        Dim::Dyn(v) => Dim::Dyn(*v),
                        _ => Dim::Dyn(self.b.op(Op::Len(of, axis), &[])),
                    }
                }
                Dim::Fixed(n) => Dim::Fixed(n.clone()),
            };
        }
        dims
    }

    /// Declares a zeroed local buffer for the adjoint of `b`.
    fn new_bar_buffer(&mut self, b: Buffer) -> Buffer {
        let name = self.bar_name(&self.src.buffer(b).name);
        self.new_local_like(b, name)
    }

    /// Declares a zeroed local buffer of the shape of `b`.
    fn new_local_like(&mut self, b: Buffer, name: Arc<str>) -> Buffer {
        let dims = self.local_dims(b);
        let elem = self.src.buffer(b).elem.clone();
        let grows = self.src.buffer(b).grows;
        let fill = self.zero_of(b, &elem);
        // An array by value is given back as rows.
        let src = self.src.buffer(b);
        let layout = if src.storage == Storage::Owned { Layout::Nested } else { src.local_layout() };
        let data = BufferData { grows, layout, ..BufferData::new(name, elem, dims, Storage::Local) };
        let new = self.b.func.new_buffer(data);
        self.b.effect(InstKind::Alloc { buffer: new, fill });
        new
    }

    /// Something to fill a new buffer of this element type with.
    fn zero_of(&mut self, b: Buffer, elem: &Type) -> Value {
        match elem {
            Type::Float(_) => self.b.float(0.0, elem.clone()),
            Type::Bool => self.b.boolean(false),
            Type::Int => self.b.int("0"),
            // Of what it held first, which is known to be of the right type.
            Type::Opaque => self.first_fill(b),
        }
    }

    /// What the source fills `b` with.
    fn first_fill(&mut self, b: Buffer) -> Value {
        let mut found = None;
        self.src.body.visit(&mut |inst| {
            if let InstKind::Alloc { buffer, fill } = &inst.kind
                && *buffer == b
            {
                found = Some(*fill);
            }
        });
        match found.and_then(|fill| self.env.get(Key::Value(fill))) {
            Some(value) => value,
            None => self.b.int("0"),
        }
    }

    fn new_stack(&mut self, name: &str, elem: Type, contents: Option<Vec<Dim>>) -> Stack {
        self.b.func.new_stack(StackData { name: format!("{name}_saved").into(), elem, contents })
    }

    // ---------------------------------------------------------------------------------------- adjoints of scalars

    fn is_active(&self, v: Value) -> bool {
        self.active.value(v)
    }

    /// Adds to the adjoint of a source value.
    fn add_bar(&mut self, v: Value, t: Value) {
        if !self.is_active(v) {
            return;
        }
        let sum = match self.bars.get(&v) {
            Some(old) => {
                let old = *old;
                self.b.free = true;
                let sum = self.b.add(old, t);
                self.b.free = false;
                sum
            }
            None => t,
        };
        self.bars.insert(v, sum);
    }

    /// The adjoint of a source value, complete when its definition is reached: named, and taken off the table.
    fn take_bar(&mut self, v: Value) -> Option<Value> {
        let bar = self.bars.remove(&v)?;
        if let Some(name) = &self.src.value(v).name {
            let name = self.bar_name(name);
            self.b.name(bar, || name);
        }
        Some(bar)
    }

    fn bar_or_zero(&mut self, v: Value) -> Value {
        match self.bars.get(&v) {
            Some(bar) => *bar,
            None => self.b.float(0.0, self.src.ty(v).clone()),
        }
    }

    /// Copies a buffer into another of the same shape, element by element.
    fn copy(&mut self, from: Buffer, to: Buffer) {
        let axes = self.b.func.buffer(from).dims.len();
        self.copy_axes(from, to, axes, &mut Vec::new());
    }

    fn copy_axes(&mut self, from: Buffer, to: Buffer, axes: usize, index: &mut Vec<Value>) {
        if index.len() == axes {
            let value = self.b.load(from, index.clone());
            self.b.store(to, index.clone(), value, StoreMode::Set);
            return;
        }
        let lo = self.b.int("0");
        let hi = self.b.op(Op::Len(from, index.len()), &[]);
        let i = self.b.func.new_value(Type::Int, Some("i".into()));
        index.push(i);
        self.b.open(vec![i]);
        self.copy_axes(from, to, axes, index);
        let body = self.b.close(Vec::new());
        index.pop();
        self.b.effect(InstKind::For(ForLoop::plain(lo, hi, Vec::new(), body)));
    }

    /// Clones an instruction without nested blocks: operands and buffers as they are called here, fresh results.
    fn clone_inst(&mut self, inst: &Inst) {
        let mut kind = inst.kind.clone();
        kind.map_operands(|v| self.val(v));
        kind.map_buffers(|b| self.buf(b));
        let results = self.fresh_all(&inst.results);
        for (old, new) in inst.results.iter().zip(&results) {
            self.env.insert(Key::Value(*old), *new);
        }
        self.b.push(Inst { results, kind });
    }
}
