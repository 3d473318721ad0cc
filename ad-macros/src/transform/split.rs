//! The split transform: a function that depends on a direction, in two: what does not depend on the direction, computed
//! once, and what does, computed for each.
//!
//! ```text
//! H(x, v)  ->  A(x) = (value, gradient, saved)      B(x, saved, v) = H v
//! ```
//!
//! `A` and `B` are both `H`, instrumented alike: where `A` saves a value, `B` reads it instead of computing it, and dead
//! code elimination removes from each what only the other needs. So correctness does not hang on what is saved; that is
//! chosen by cost. What `B` computes again is arithmetic on what it reads anyway; reductions, transcendental functions,
//! carried states and elements of local arrays are saved: where these leaves are no more than the values made of them,
//! the leaves, else the values themselves (the idea of linearize in JAX; Frostig et al. 2021, "Decomposing reverse-mode
//! automatic differentiation").
//!
//! Factors of products that depend on directions are saved element by element ([`pin`]).
//!
//! Every saved value has a buffer of its own with a slot for each round of the loop around it, so that loops over slots
//! are contiguous; values outside loops share one buffer.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

mod pin;

use super::outputs::{keep_outputs, without_effects};
use crate::analysis::activity::{Activity, varied};
use crate::ir::{
    Binding, Block, Buffer, BufferData, Builder, Cmp, Dim, ForLoop, Func, Inst, InstKind, Mark, Op, Output,
    Param, Role, Source, Storage, StoreMode, Type, Value,
};

/// Both halves.
pub(crate) struct Split {
    /// Takes what the function takes but the directions; gives the outputs that do not depend on them, then what is saved
    /// ([`Source::Saved`]).
    pub(crate) fixed: Func,
    /// Takes what the function takes, and what is saved; gives the outputs that depend on the directions.
    pub(crate) varying: Func,
}

/// Splits a function at its directions: parameters with a mark that ends in a dot. `None` if the directions cannot be
/// taken out of the first half.
pub(crate) fn split(func: &Func) -> Option<Split> {
    let is_direction = |p: &&Param| p.role.marks == [Mark::Dot];
    let directions: Vec<Binding> = func.params.iter().filter(is_direction).map(|p| p.binding).collect();
    let (func, pinned) = &pin::factors(func.clone(), &varied(func, &directions));
    let active = varied(func, &directions);
    let depends = |role: &Role| role.marks.last() == Some(&Mark::Dot);
    // Parameters stay parameters: dropped outputs are dropped after what is saved is chosen.
    let wanted = crate::optimize::dce::dce(keep_outputs(without_effects(func.clone()), depends));
    let mut saved = choose(&wanted, &active);
    wanted.body.visit(&mut |inst| saved.extend(inst.results.iter().filter(|v| pinned.contains(v))));
    let fixed = instrument(func, &saved, Half::Fixed);
    let fixed = without_directions(keep_outputs(fixed, |role| !depends(role)))?;
    let varying = keep_outputs(without_effects(instrument(func, &saved, Half::Varying)), depends);
    Some(Split { fixed, varying })
}

// ---------------------------------------------------------------------------------------- what is saved

/// Arithmetic on more than this many values is saved whatever its leaves are.
const MOST_OPERATIONS: usize = 24;

struct Choice<'f> {
    func: &'f Func,
    active: &'f Activity,
    /// What makes each value, if it is a plain operation or a load; and in which block any value is made.
    ops: HashMap<Value, (&'f Op, &'f [Value])>,
    loads: HashMap<Value, Buffer>,
    block_of: HashMap<Value, usize>,
    blocks: usize,
}

/// The values to save: floats that do not depend on directions and are used where something does.
fn choose(func: &Func, active: &Activity) -> HashSet<Value> {
    let mut c = Choice {
        func,
        active,
        ops: HashMap::default(),
        loads: HashMap::default(),
        block_of: HashMap::default(),
        blocks: 0,
    };
    c.index(&func.body);
    let mut used: Vec<Value> = Vec::new();
    c.uses(&func.body, &mut used);
    // Those whose computation costs something, by the block they are made in.
    let mut groups: HashMap<usize, (HashSet<Value>, HashSet<Value>)> = HashMap::default();
    for v in used {
        let mut leaves = HashSet::default();
        let mut operations = 0;
        c.leaves(v, &mut leaves, &mut operations);
        if leaves.is_empty() {
            continue;
        }
        let block = c.block_of.get(&v).copied().unwrap_or(0);
        let (values, all) = groups.entry(block).or_default();
        values.insert(v);
        if operations > MOST_OPERATIONS {
            all.insert(v);
        } else {
            all.extend(leaves);
        }
    }
    groups
        .into_values()
        .flat_map(|(values, leaves)| if leaves.len() <= values.len() { leaves } else { values })
        .collect()
}

impl<'f> Choice<'f> {
    fn index(&mut self, block: &'f Block) {
        let here = self.blocks;
        self.blocks += 1;
        for arg in &block.args {
            self.block_of.insert(*arg, here);
        }
        for inst in &block.insts {
            for r in &inst.results {
                self.block_of.insert(*r, here);
            }
            match &inst.kind {
                InstKind::Pure(op, args) => {
                    self.ops.insert(inst.results[0], (op, args));
                }
                InstKind::Load { buffer, .. } => {
                    self.loads.insert(inst.results[0], *buffer);
                }
                _ => {}
            }
            inst.kind.blocks().for_each(|b| self.index(b));
        }
    }

    /// A float that does not depend on directions.
    fn is_fixed(&self, v: Value) -> bool {
        self.func.is_float(v) && !self.active.values_contain(v)
    }

    /// Fixed floats that are used by anything but the computation of other fixed floats.
    fn uses(&self, block: &'f Block, used: &mut Vec<Value>) {
        for inst in &block.insts {
            let computes_fixed = matches!(inst.kind, InstKind::Pure(..)) && self.is_fixed(inst.results[0]);
            // What is kept in memory for this half alone goes when nobody loads it.
            let keeps_fixed = match &inst.kind {
                InstKind::Store { buffer, .. }
                | InstKind::Fill { buffer, .. }
                | InstKind::Alloc { buffer, .. } => !self.active.buffer_contains(*buffer),
                InstKind::Push { stack, .. } => !self.active.stack_contains(*stack),
                _ => false,
            };
            if !computes_fixed && !keeps_fixed {
                // What carried values start from counts where the carried value varies.
                let inits: Vec<(Value, Value)> = match &inst.kind {
                    InstKind::For(l) => {
                        l.inits.iter().copied().zip(l.body.args[1..].iter().copied()).collect()
                    }
                    InstKind::While { inits, body, .. } => {
                        inits.iter().copied().zip(body.args.iter().copied()).collect()
                    }
                    _ => Vec::new(),
                };
                let mut add = |v: Value| {
                    if self.is_fixed(v) {
                        used.push(v);
                    }
                };
                inst.kind.each_operand_but_inits(&mut add);
                for (init, arg) in inits {
                    if !self.is_fixed(arg) {
                        add(init);
                    }
                }
            }
            let results: Vec<Value> = match &inst.kind {
                InstKind::For(l) => l.body.args[1..].to_vec(),
                InstKind::While { body, .. } => body.args.clone(),
                _ => inst.results.clone(),
            };
            for (k, b) in inst.kind.blocks().enumerate() {
                self.uses(b, used);
                let is_test = matches!(inst.kind, InstKind::While { .. }) && k == 0;
                for (y, r) in b.yields.iter().zip(&results) {
                    if self.is_fixed(*y) && (is_test || !self.is_fixed(*r)) {
                        used.push(*y);
                    }
                }
            }
        }
    }

    /// What a value is made of, by cheap arithmetic, that is not at hand in the second half.
    fn leaves(&self, v: Value, leaves: &mut HashSet<Value>, operations: &mut usize) {
        if *operations > MOST_OPERATIONS || !self.func.is_float(v) {
            return;
        }
        match (self.ops.get(&v), self.loads.get(&v)) {
            (Some((op, args)), _) if is_cheap(op) => {
                *operations += 1;
                args.iter().for_each(|a| self.leaves(*a, leaves, operations));
            }
            // A constant of the user's: `K`, `self.k`.
            (Some((Op::Verbatim(code), args)), _)
                if args.is_empty() && code.buffers.is_empty() && code.code.length() <= 4 => {}
            (_, Some(buffer)) if matches!(self.func.buffer(*buffer).storage, Storage::Shared) => {}
            // A parameter.
            _ if !self.block_of.contains_key(&v) => {}
            _ => {
                leaves.insert(v);
            }
        }
    }
}

/// Whether an operation costs no more than reading its result would.
fn is_cheap(op: &Op) -> bool {
    match op {
        Op::Float(_)
        | Op::Add
        | Op::Sub
        | Op::Mul
        | Op::Neg
        | Op::MulAdd
        | Op::Select
        | Op::Cast(_)
        | Op::Clamp => true,
        Op::Unary(f) => matches!(f, crate::ir::Unary::Abs | crate::ir::Unary::Signum),
        Op::Binary(f) => {
            matches!(f, crate::ir::Binary::Min | crate::ir::Binary::Max | crate::ir::Binary::Copysign)
        }
        _ => false,
    }
}

// ---------------------------------------------------------------------------------------- both halves

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Fixed,
    Varying,
}

/// Where the slots of values in a block are.
#[derive(Clone)]
enum Slots {
    /// Outside loops: each has its place in the shared buffer.
    Shared,
    /// In a loop: this slot of each value's own buffer.
    Own(Value),
}

struct Instrument<'f> {
    src: &'f Func,
    half: Half,
    saved: &'f HashSet<Value>,
    b: Builder,
    /// The buffer of each saved value, in the order in which they are met.
    buffers: Vec<(Value, Buffer)>,
    /// The buffers shared by values outside loops, by type, and how many values they have.
    shared: Vec<(Type, Buffer, usize)>,
    /// What reads of saved values stand for.
    read: HashMap<Value, Value>,
    depth: usize,
    integers: HashMap<Value, Op>,
}

fn instrument(src: &Func, saved: &HashSet<Value>, half: Half) -> Func {
    let mut integers = HashMap::default();
    src.body.visit(&mut |inst| {
        if let InstKind::Pure(op @ (Op::Int(_) | Op::Len(..)), _) = &inst.kind {
            integers.insert(inst.results[0], op.clone());
        }
    });
    let b = Builder::new(src.clone());
    let mut this = Instrument {
        src,
        half,
        saved,
        b,
        buffers: Vec::new(),
        shared: Vec::new(),
        read: HashMap::default(),
        depth: 0,
        integers,
    };
    this.block(&src.body, &Slots::Shared);
    let Instrument { b, buffers, shared, .. } = this;
    let mut func = b.finish();
    // Declared in front of everything.
    let body = std::mem::take(&mut func.body);
    let mut b = Builder::new(func);
    let all = shared
        .iter()
        .map(|(_, buffer, n)| (*buffer, Some(*n)))
        .chain(buffers.iter().map(|(_, b)| (*b, None)));
    for (k, (buffer, count)) in all.enumerate() {
        let role = Role::primal(Source::Saved(k));
        if half == Half::Fixed {
            let len = b.int(&format!("{}_usize", count.unwrap_or(0)));
            b.func.buffers[buffer.0 as usize].dims = vec![Dim::Dyn(len)];
            b.func.buffers[buffer.0 as usize].grows = count.is_none();
            let elem = b.func.buffer(buffer).elem.clone();
            let fill = b.float(0.0, elem);
            b.effect(InstKind::Alloc { buffer, fill });
            b.func.outputs.push(Output { role, binding: Binding::Buffer(buffer) });
        } else {
            let data = &mut b.func.buffers[buffer.0 as usize];
            data.storage = Storage::Shared;
            data.dims = vec![Dim::Slice];
            b.func.params.push(Param { role, binding: Binding::Buffer(buffer), active: false, size: false });
        }
    }
    b.current().insts.extend(body.insts);
    b.finish()
}

impl Instrument<'_> {
    fn new_buffer(&mut self, name: &str, elem: Type) -> Buffer {
        let dims = vec![Dim::Slice];
        self.b.func.new_buffer(BufferData::new(name.into(), elem, dims, Storage::Local))
    }

    fn mapped(&self, v: Value) -> Value {
        self.read.get(&v).copied().unwrap_or(v)
    }

    /// The instructions of a block, into the open one.
    fn block(&mut self, block: &Block, slots: &Slots) {
        for inst in &block.insts {
            self.inst(inst, slots);
        }
    }

    fn inst(&mut self, inst: &Inst, slots: &Slots) {
        let mut kind = inst.kind.clone();
        kind.map_operands(|v| self.mapped(v));
        match &mut kind {
            InstKind::If { then_block, else_block, .. } => {
                for block in [then_block, else_block] {
                    *block = self.nested(block, slots);
                }
            }
            InstKind::For(l) => {
                self.for_loop(l, &inst.results);
                self.after(&inst.results, slots);
                return;
            }
            InstKind::While { cond_block, body, .. } => {
                self.depth += 1;
                for block in [cond_block, body] {
                    *block = self.counted(block);
                }
                self.depth -= 1;
            }
            _ => {}
        }
        self.b.push(Inst { results: inst.results.clone(), kind });
        self.after(&inst.results, slots);
    }

    fn nested(&mut self, block: &Block, slots: &Slots) -> Block {
        self.b.open(block.args.clone());
        self.block(block, slots);
        let yields = block.yields.iter().map(|v| self.mapped(*v)).collect();
        let mut new = self.b.close(yields);
        new.diverges = block.diverges;
        new
    }

    /// Whether a value is saved in this block, outside of loops in it.
    fn saves(&self, block: &Block) -> bool {
        block.args.iter().any(|v| self.saved.contains(v))
            || block.insts.iter().any(|inst| {
                inst.results.iter().any(|v| self.saved.contains(v))
                    || matches!(inst.kind, InstKind::If { .. }) && inst.kind.blocks().any(|b| self.saves(b))
            })
    }

    fn for_loop(&mut self, l: &mut ForLoop, results: &[Value]) {
        let body = l.body.clone();
        self.depth += 1;
        if !self.saves(&body) {
            l.body = self.nested(&body, &Slots::Shared);
        } else if self.is_index(l) {
            // Slots by the loop variable: start + (i - lo).
            let cursor = (self.depth > 1).then(|| self.new_cursor());
            let start = match cursor {
                Some(cursor) => {
                    let zero = self.b.int("0_usize");
                    self.b.load(cursor, vec![zero])
                }
                None => self.b.int("0_usize"),
            };
            let end = self.end(l, start);
            let values: Vec<Value> = self.directly_saved(&body);
            for v in values {
                let buffer = self.own_buffer(v);
                if self.half == Half::Fixed {
                    self.b.effect(InstKind::Grow { buffer, len: end });
                }
            }
            let (i, lo) = (body.args[0], l.lo);
            let is_zero = matches!(self.integers.get(&lo), Some(Op::Int(text)) if text.trim_end_matches("_usize") == "0");
            let is_first = cursor.is_none();
            l.body = self.nested_with(&body, &mut |this| {
                let offset = if is_zero { i } else { this.b.sub(i, lo) };
                if is_first { offset } else { this.b.add(start, offset) }
            });
            self.b.push(Inst { results: results.to_vec(), kind: InstKind::For(l.clone()) });
            if let Some(cursor) = cursor {
                let zero = self.b.int("0_usize");
                self.b.store(cursor, vec![zero], end, StoreMode::Set);
            }
            self.depth -= 1;
            return;
        } else {
            l.body = self.counted(&body);
        }
        self.depth -= 1;
        self.b.push(Inst { results: results.to_vec(), kind: InstKind::For(l.clone()) });
    }

    /// The body of a loop whose slots `slot` names, at its start.
    fn nested_with(&mut self, body: &Block, slot: &mut dyn FnMut(&mut Self) -> Value) -> Block {
        self.b.open(body.args.clone());
        let at = slot(self);
        let slots = Slots::Own(at);
        self.after(&body.args, &slots);
        self.block(body, &slots);
        let yields = body.yields.iter().map(|v| self.mapped(*v)).collect();
        let mut new = self.b.close(yields);
        new.diverges = body.diverges;
        new
    }

    /// The body of a loop whose rounds are counted.
    fn counted(&mut self, body: &Block) -> Block {
        if !self.saves(body) {
            return self.nested(body, &Slots::Shared);
        }
        let cursor = self.new_cursor();
        let values = self.directly_saved(body);
        let buffers: Vec<Buffer> = values.into_iter().map(|v| self.own_buffer(v)).collect();
        let half = self.half;
        self.nested_with(body, &mut |this| {
            let zero = this.b.int("0_usize");
            let at = this.b.load(cursor, vec![zero]);
            let one = this.b.int("1_usize");
            let next = this.b.add(at, one);
            this.b.store(cursor, vec![zero], next, StoreMode::Set);
            if half == Half::Fixed {
                for buffer in &buffers {
                    this.b.effect(InstKind::Grow { buffer: *buffer, len: next });
                }
            }
            at
        })
    }

    /// How many slots there are behind a loop over `lo..hi`, if there are `start` before it.
    fn end(&mut self, l: &ForLoop, start: Value) -> Value {
        let cmp = if l.inclusive { Cmp::Le } else { Cmp::Lt };
        let some = self.b.cmp(cmp, l.lo, l.hi);
        self.b.open(Vec::new());
        let mut n = self.b.sub(l.hi, l.lo);
        if l.inclusive {
            let one = self.b.int("1_usize");
            n = self.b.add(n, one);
        }
        let end = self.b.add(start, n);
        let then_block = self.b.close(vec![end]);
        self.b.open(Vec::new());
        let else_block = self.b.close(vec![start]);
        self.b.emit(InstKind::If { cond: some, then_block, else_block }, vec![Type::Int])[0]
    }

    /// Whether a loop variable is a `usize`: its end is a length, or an element is looked up by it.
    fn is_index(&self, l: &ForLoop) -> bool {
        if matches!(self.integers.get(&l.hi), Some(Op::Len(..))) {
            return true;
        }
        let i = l.body.args[0];
        let mut found = false;
        l.body.visit(&mut |inst| {
            if let InstKind::Load { index, .. } | InstKind::Store { index, .. } = &inst.kind {
                found |= index.contains(&i);
            }
        });
        found
    }

    /// Values saved in a block, outside of loops in it.
    fn directly_saved(&self, block: &Block) -> Vec<Value> {
        let mut list: Vec<Value> = block.args.iter().copied().filter(|v| self.saved.contains(v)).collect();
        for inst in &block.insts {
            list.extend(inst.results.iter().filter(|v| self.saved.contains(v)));
            if let InstKind::If { then_block, else_block, .. } = &inst.kind {
                list.extend(self.directly_saved(then_block));
                list.extend(self.directly_saved(else_block));
            }
        }
        list
    }

    /// A counter that loops share with what is around them: declared in front of everything.
    fn new_cursor(&mut self) -> Buffer {
        let data = BufferData::new("cursor".into(), Type::Int, vec![Dim::Fixed("1".into())], Storage::Local);
        let buffer = self.b.func.new_buffer(data);
        let zero = Inst {
            results: vec![self.b.func.new_value(Type::Int, None)],
            kind: InstKind::Pure(Op::Int("0_usize".into()), Vec::new()),
        };
        let fill = zero.results[0];
        self.b
            .first()
            .insts
            .splice(0..0, [zero, Inst { results: Vec::new(), kind: InstKind::Alloc { buffer, fill } }]);
        buffer
    }

    fn own_buffer(&mut self, v: Value) -> Buffer {
        if let Some((_, buffer)) = self.buffers.iter().find(|(of, _)| *of == v) {
            return *buffer;
        }
        let elem = self.src.ty(v).clone();
        let buffer = self.new_buffer("saved", elem);
        self.buffers.push((v, buffer));
        buffer
    }

    /// Saves these values, or reads them.
    fn after(&mut self, values: &[Value], slots: &Slots) {
        for v in values {
            if !self.saved.contains(v) {
                continue;
            }
            let (buffer, at) = match slots {
                Slots::Own(at) => (self.own_buffer(*v), *at),
                Slots::Shared => {
                    let ty = self.src.ty(*v).clone();
                    let k = self.shared.iter().position(|(t, ..)| *t == ty).unwrap_or_else(|| {
                        let buffer = self.new_buffer("saved", ty.clone());
                        self.shared.push((ty.clone(), buffer, 0));
                        self.shared.len() - 1
                    });
                    let (_, buffer, n) = &mut self.shared[k];
                    *n += 1;
                    let (buffer, text) = (*buffer, format!("{}_usize", *n - 1));
                    (buffer, self.b.int(&text))
                }
            };
            match self.half {
                Half::Fixed => self.b.store(buffer, vec![at], *v, StoreMode::Set),
                Half::Varying => {
                    let read = self.b.load(buffer, vec![at]);
                    self.read.insert(*v, read);
                }
            }
        }
    }
}

/// A function without its directions, which nothing that it gives depends on. Where something asks for one all the same
/// (for its length, or in a call that computes more than is wanted), what it is the direction of stands for it.
fn without_directions(func: Func) -> Option<Func> {
    let mut func = crate::optimize::dce::dce(func);
    let params = std::mem::take(&mut func.params);
    let (directions, params): (Vec<Param>, Vec<Param>) =
        params.into_iter().partition(|p| p.role.marks == [Mark::Dot]);
    for d in directions {
        let primal = params.iter().find(|p| p.role == Role::primal(d.role.of))?.binding;
        match (d.binding, primal) {
            (Binding::Value(from), Binding::Value(to)) => {
                func.body.map_uses(&mut |v| if v == from { to } else { v });
            }
            (Binding::Buffer(from), Binding::Buffer(to)) => {
                func.body.visit_mut(&mut |inst| inst.kind.map_buffers(|x| if x == from { to } else { x }));
                for data in &mut func.buffers {
                    if data.like == Some(from) {
                        data.like = Some(to);
                    }
                }
            }
            _ => return None,
        }
    }
    func.params = params;
    Some(func)
}
