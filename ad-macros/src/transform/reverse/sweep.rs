//! Forward code: the function as it is, augmented with what its reversal needs, or repeated in a reverse sweep.

use crate::analysis::held;
use crate::analysis::keep::{Kept, Place};
use crate::analysis::replay::{LoopPlan, is_expensive};
use crate::ir::walk::dim_values;
use crate::ir::{
    Block, Buffer, BufferData, Dim, ForLoop, Inst, InstKind, Op, Stack, Storage, StoreMode, Type, Value,
};

use super::{InBuffer, Key, Reverse};

/// Whether what is emitted will be reversed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Plain,
    Augmented,
}

impl Reverse<'_> {
    /// Emits a block's instructions into the open block. `repeated`: in a reverse sweep, where effects have
    /// been had already.
    pub(super) fn forward_block(&mut self, block: &Block, mode: Mode, repeated: bool) {
        let last = block.insts.len();
        for (at, inst) in block.insts.iter().enumerate() {
            let is_exit = block.diverges && at + 1 == last;
            self.forward_inst(inst, mode, repeated, is_exit);
        }
        self.b.current().diverges = block.diverges;
    }

    fn forward_inst(&mut self, inst: &Inst, mode: Mode, repeated: bool, is_exit: bool) {
        match &inst.kind {
            InstKind::Effect(..) if repeated && !is_exit => {}
            InstKind::Store { buffer, .. }
            | InstKind::Fill { buffer, .. }
            | InstKind::Grow { buffer, .. }
                if repeated && self.is_write_only(*buffer) => {}
            InstKind::Product(p) if repeated && self.is_write_only(p.into.buffer) => {}
            InstKind::Store { buffer, index, .. } if self.plan.is_undone(inst) => {
                self.push_overwritten(inst, *buffer, index);
                self.clone_inst(inst);
            }
            InstKind::Alloc { buffer, .. } => {
                let mut data: BufferData = self.src.buffer(*buffer).clone();
                data.dims = self.dims(&data.dims);
                data.storage = Storage::Local;
                let new = self.b.func.new_buffer(data);
                self.buffers.insert(*buffer, new);
                self.clone_inst(inst);
            }
            InstKind::If { cond, then_block, else_block } => {
                self.forward_if(inst, *cond, then_block, else_block, mode, repeated);
            }
            InstKind::For(l) => {
                let (results, inits) = (self.fresh_all(&inst.results), self.vals(&l.inits));
                let of_function = mode == Mode::Augmented && self.b.depth() == 1;
                let kept = match of_function.then(|| self.keeper.of_loop(self.src, &self.plan, inst)) {
                    Some(list) => self.keep_for_reversal(list),
                    None => Vec::new(),
                };
                let body = self.forward_body(inst, &l.body, mode, repeated, None);
                self.now_kept(&kept);
                let kind = InstKind::For(ForLoop {
                    lo: self.val(l.lo),
                    hi: self.val(l.hi),
                    step: l.step.map(|s| self.val(s)),
                    inits,
                    body,
                    ..*l
                });
                self.bind_results(inst, results, kind);
            }
            InstKind::While { inits, cond_block, body } => {
                self.forward_while(inst, inits, cond_block, body, mode, repeated);
            }
            InstKind::Call(_) | InstKind::Product(_) => {
                if mode == Mode::Augmented {
                    self.push_copies(inst);
                }
                self.clone_inst(inst);
            }
            _ => self.clone_inst(inst),
        }
        if repeated {
            self.reload(inst);
        }
        self.keep(inst);
    }

    fn bind_results(&mut self, inst: &Inst, results: Vec<Value>, kind: InstKind) {
        for (old, new) in inst.results.iter().zip(&results) {
            self.env.insert(Key::Value(*old), *new);
        }
        self.b.push(Inst { results, kind });
    }

    /// Emits the body of a loop. `counter`: argument that counts rounds, yielded last.
    fn forward_body(
        &mut self,
        inst: &Inst,
        body: &Block,
        mode: Mode,
        repeated: bool,
        counter: Option<Value>,
    ) -> Block {
        if mode == Mode::Augmented {
            self.push_copies(inst);
        }
        self.enter();
        let mut args = self.bind_args(&body.args);
        args.extend(counter);
        self.b.open(args);
        if mode == Mode::Augmented {
            let plan = self.plan.of_loop(inst).clone();
            self.push_carried(inst, body, &plan);
            if plan.replay {
                self.forward_block(body, Mode::Plain, repeated);
            } else {
                self.forward_block(body, Mode::Augmented, repeated);
                let keys = self.saved_keys(body);
                self.push_keys(body, &keys);
            }
        } else {
            self.forward_block(body, Mode::Plain, repeated);
        }
        let mut yields = self.vals(&body.yields);
        if let Some(count) = counter {
            let one = self.b.int("1");
            yields.push(self.b.add(count, one));
        }
        let block = self.b.close(yields);
        self.leave();
        block
    }

    fn forward_while(
        &mut self,
        inst: &Inst,
        inits: &[Value],
        cond_block: &Block,
        body: &Block,
        mode: Mode,
        repeated: bool,
    ) {
        let count = mode == Mode::Augmented;
        let mut inits = self.vals(inits);
        let mut results = self.fresh_all(&inst.results);
        let mut cond_counter = None;
        let mut body_counter = None;
        if count {
            inits.push(self.b.int("0_usize"));
            let mut counter = || self.b.func.new_value(Type::Int, Some("rounds".into()));
            cond_counter = Some(counter());
            body_counter = Some(counter());
            results.push(counter());
        }
        let body_block = self.forward_body(inst, body, mode, repeated, body_counter);
        self.enter();
        let mut args = self.bind_args(&cond_block.args);
        args.extend(cond_counter);
        self.b.open(args);
        self.forward_block(cond_block, Mode::Plain, repeated);
        let yields = self.vals(&cond_block.yields);
        let cond_block = self.b.close(yields);
        self.leave();
        if count {
            self.env.insert(Key::Trips(inst), results[results.len() - 1]);
        }
        self.bind_results(inst, results, InstKind::While { inits, cond_block, body: body_block });
    }

    fn forward_if(
        &mut self,
        inst: &Inst,
        cond: Value,
        then_block: &Block,
        else_block: &Block,
        mode: Mode,
        repeated: bool,
    ) {
        let cond = self.val(cond);
        let mut results = self.fresh_all(&inst.results);
        let exports: [Vec<Key>; 2] = match mode {
            Mode::Plain => [Vec::new(), Vec::new()],
            Mode::Augmented => [then_block, else_block].map(|b| self.exported_keys(b)),
        };
        let mut blocks = Vec::new();
        for (side, block) in [then_block, else_block].into_iter().enumerate() {
            self.enter();
            self.b.open(Vec::new());
            self.forward_block(block, mode, repeated);
            let mut yields = Vec::new();
            if !block.diverges {
                if mode == Mode::Augmented {
                    let pushed: Vec<Key> =
                        self.saved_keys(block).into_iter().filter(|k| !exports[side].contains(k)).collect();
                    self.push_keys(block, &pushed);
                }
                yields = self.vals(&block.yields);
                for (of, keys) in exports.iter().enumerate() {
                    for key in keys {
                        yields.push(if of == side {
                            self.key_value(*key)
                        } else {
                            let ty = self.key_type(*key);
                            self.b.float(0.0, ty)
                        });
                    }
                }
            }
            blocks.push(self.b.close(yields));
            self.leave();
        }
        for key in exports.iter().flatten() {
            let Key::Value(v) = *key else { continue };
            let new = self.fresh(v);
            results.push(new);
            self.env.insert(*key, new);
        }
        let else_block = blocks.pop().unwrap_or_default();
        let then_block = blocks.pop().unwrap_or_default();
        self.bind_results(inst, results, InstKind::If { cond, then_block, else_block });
    }

    // ---------------------------------------------------------------------------------------- scopes

    pub(super) fn enter(&mut self) {
        self.env.enter();
        self.known.enter();
        self.buffers.enter();
        self.bar_buffers.enter();
    }

    pub(super) fn leave(&mut self) {
        self.env.leave();
        self.known.leave();
        self.buffers.leave();
        self.bar_buffers.leave();
    }

    pub(super) fn bind_args(&mut self, args: &[Value]) -> Vec<Value> {
        let new = self.fresh_all(args);
        for (old, new) in args.iter().zip(&new) {
            self.env.insert(Key::Value(*old), *new);
        }
        new
    }

    // ---------------------------------------------------------------------------------------- what is saved

    fn key_value(&self, key: Key) -> Value {
        match self.env.get(key) {
            Some(v) => v,
            None => unreachable!("{key:?} of {} is not bound where it is saved", self.src.name),
        }
    }

    fn key_type(&self, key: Key) -> Type {
        match key {
            Key::Value(v) => self.src.ty(v).clone(),
            Key::Trips(_) => Type::Int,
        }
    }

    /// Whether a reverse sweep can repeat the instruction for less than saving its result costs.
    fn is_cheap(&self, inst: &Inst) -> bool {
        match &inst.kind {
            InstKind::Pure(op, _) => !is_expensive(op) && self.plan.is_stable(inst),
            InstKind::Load { .. } => self.plan.is_stable(inst),
            _ => false,
        }
    }

    /// What the reversal of a saved block may need, and can neither repeat nor read where it was stored.
    fn saved_keys(&self, block: &Block) -> Vec<Key> {
        let held = held::in_saved(self.src, &self.plan, block);
        let mut keys = Vec::new();
        for inst in &block.insts {
            if self.is_cheap(inst) {
                continue;
            }
            let results = inst.results.iter().filter(|r| held.iter().all(|(v, ..)| v != *r));
            keys.extend(results.map(|r| Key::Value(*r)));
            match &inst.kind {
                InstKind::If { then_block, else_block, .. } => {
                    keys.extend(self.exported_keys(then_block));
                    keys.extend(self.exported_keys(else_block));
                }
                InstKind::While { .. } => keys.push(Key::Trips(inst)),
                _ => {}
            }
        }
        keys
    }

    /// Of the saved keys of a branch, those that leave it as results: floats, which have a dummy for the other
    /// branch. The rest is pushed.
    fn exported_keys(&self, block: &Block) -> Vec<Key> {
        if block.diverges {
            return Vec::new();
        }
        self.saved_keys(block).into_iter().filter(|k| self.key_type(*k).is_float()).collect()
    }

    fn push_keys(&mut self, block: &Block, keys: &[Key]) {
        let mut pushed = Vec::new();
        for key in keys {
            let value = self.key_value(*key);
            let name = self.b.func.value(value).name.clone();
            let stack = self.new_stack(name.as_deref().unwrap_or("value"), self.key_type(*key), None);
            self.b.effect(InstKind::Push { stack, value });
            pushed.push((*key, stack));
        }
        self.saves.insert(std::ptr::from_ref(block), pushed);
    }

    /// Pushes a loop's carried scalars and snapshots, at the start of a round.
    fn push_carried(&mut self, inst: &Inst, body: &Block, plan: &LoopPlan) {
        let first = usize::from(matches!(inst.kind, InstKind::For(_)));
        let mut stacks: Vec<Stack> = Vec::new();
        for arg in &body.args[first..] {
            let name = self.src.value(*arg).name.clone();
            let stack = self.new_stack(name.as_deref().unwrap_or("carried"), self.src.ty(*arg).clone(), None);
            let value = self.val(*arg);
            self.b.effect(InstKind::Push { stack, value });
            stacks.push(stack);
        }
        let snapshots = plan.snapshots.iter().map(|b| (*b, self.push_buffer(*b))).collect();
        self.carried.insert(inst, (stacks, snapshots));
    }

    fn push_buffer(&mut self, b: Buffer) -> Stack {
        let data = self.src.buffer(b).clone();
        let buffer = self.buf(b);
        let contents: Vec<Dim> = self.b.func.buffer(buffer).dims.clone();
        let stack = self.new_stack(&data.name, data.elem, Some(contents));
        self.b.effect(InstKind::PushBuffer { stack, buffer });
        stack
    }

    /// Copies the buffers that a loop or call reads and that are overwritten before its reversal.
    fn push_copies(&mut self, inst: &Inst) {
        let copies: Vec<_> =
            self.plan.entry_copies(inst).to_vec().into_iter().map(|b| (b, self.push_buffer(b))).collect();
        if !copies.is_empty() {
            self.copies.insert(inst, copies);
        }
    }

    // ---------------------------------------------------------------------------------------- what is restored

    /// At the start of a saved block's reversal: pops what was pushed, repeats what is cheap.
    pub(super) fn restore_block(&mut self, block: &Block) {
        for (key, stack) in self.saves.get(&std::ptr::from_ref(block)).cloned().unwrap_or_default() {
            let ty = self.key_type(key);
            let value = self.b.emit(InstKind::Pop { stack }, vec![ty])[0];
            if let Key::Value(v) = key
                && let Some(name) = self.src.value(v).name.clone()
            {
                self.b.name(value, || name);
            }
            self.env.insert(key, value);
        }
        let held = held::in_saved(self.src, &self.plan, block);
        for inst in &block.insts {
            if self.is_cheap(inst) {
                self.clone_inst(inst);
            }
            for (v, buffer, index) in held.iter().filter(|(v, ..)| inst.results.contains(v)) {
                self.read_back(*v, *buffer, index);
            }
        }
    }

    /// Gives the reversal of a loop or call its own copies of what was copied on entry.
    pub(super) fn pop_copies(&mut self, inst: &Inst) {
        let key: super::InstId = inst;
        for (b, stack) in self.copies.get(&key).cloned().unwrap_or_default() {
            let copy = self.scratch(b);
            self.b.effect(InstKind::PopBuffer { stack, buffer: copy });
        }
    }

    /// A local buffer that stands for `b` in this scope.
    pub(super) fn scratch(&mut self, b: Buffer) -> Buffer {
        let name = self.src.buffer(b).name.clone();
        let copy = self.new_local_like(b, name);
        self.buffers.insert(b, copy);
        copy
    }

    /// Pushes what a store is going to overwrite.
    fn push_overwritten(&mut self, inst: &Inst, buffer: Buffer, index: &[Value]) {
        let data = self.src.buffer(buffer).clone();
        let stack = self.new_stack(&format!("{}_before", data.name), data.elem, None);
        let index = self.vals(index);
        let value = self.b.load(self.buf(buffer), index);
        self.b.effect(InstKind::Push { stack, value });
        self.undone.insert(inst, stack);
    }

    /// Puts back what a store has overwritten.
    pub(super) fn undo_store(&mut self, inst: &Inst) {
        let key: super::InstId = inst;
        if let (InstKind::Store { buffer, index, .. }, Some(stack)) = (&inst.kind, self.undone.get(&key)) {
            let ty = self.src.buffer(*buffer).elem.clone();
            let before = self.b.emit(InstKind::Pop { stack: *stack }, vec![ty])[0];
            let index = self.vals(index);
            self.b.store(self.buf(*buffer), index, before, StoreMode::Set);
        }
    }

    /// Makes places for what is kept between a forward sweep and its reversal; returns the values.
    pub(super) fn keep_for_reversal(&mut self, list: Vec<Kept>) -> Vec<Value> {
        let mut values = Vec::new();
        for Kept { value, place } in list {
            // A round further out may keep it already.
            if self.kept.contains_key(&value) {
                continue;
            }
            let rounds: Vec<Value> = match &place {
                Place::Rounds(path) => {
                    let rounds = path.iter().map(|(_, rounds)| match self.keeper.literal(*rounds) {
                        Some(n) => self.b.outermost(|b| b.int(&format!("{n}_usize"))),
                        None => self.val(*rounds),
                    });
                    rounds.collect()
                }
                Place::Like(buffer, _) => {
                    dim_values(&self.src.buffer(*buffer).dims).map(|n| self.val(n)).collect()
                }
            };
            let elem = self.src.ty(value).clone();
            let name = self.src.value(value).name.as_deref().unwrap_or("value");
            let buffer = self.b.outermost_buffer(&format!("{name}_kept"), elem, &rounds);
            self.kept.insert(value, InBuffer { buffer, place, stored: false });
            values.push(value);
        }
        values
    }

    /// From here on, what is kept is there.
    pub(super) fn now_kept(&mut self, values: &[Value]) {
        for v in values {
            self.kept.entry(*v).and_modify(|place| place.stored = true);
        }
    }

    /// Stores what is kept for the reversal of a round, or, in it, takes it from there.
    fn keep(&mut self, inst: &Inst) {
        for result in &inst.results {
            let Some(InBuffer { buffer, place, stored }) = self.kept.get(result).cloned() else { continue };
            let path: Vec<(Value, Value)> = match &place {
                Place::Rounds(path) => {
                    path.iter().map(|(v, rounds)| (self.val(*v), self.val(*rounds))).collect()
                }
                Place::Like(of, index) => {
                    let rounds: Vec<Value> =
                        dim_values(&self.src.buffer(*of).dims).map(|n| self.val(n)).collect();
                    index.iter().map(|i| self.repeated(*i)).zip(rounds).collect()
                }
            };
            let mut index = path[0].0;
            for (variable, rounds) in &path[1..] {
                let row = self.b.mul(index, *rounds);
                index = self.b.add(row, *variable);
            }
            if stored {
                let value = self.b.load(buffer, vec![index]);
                if let Some(name) = self.src.value(*result).name.clone() {
                    self.b.name(value, || name);
                }
                self.env.insert(Key::Value(*result), value);
                if let InstKind::Pure(Op::Unary(f), args) = &inst.kind {
                    let arg = self.val(args[0]);
                    self.known.insert((*f, arg), value);
                }
            } else {
                let value = self.val(*result);
                self.b.store(buffer, vec![index], value, StoreMode::Set);
            }
        }
    }

    /// Takes stored values from the buffer that still holds them, instead of computing them again.
    fn reload(&mut self, inst: &Inst) {
        for result in &inst.results {
            if let Some((buffer, index)) = self.reloads.get(result).cloned() {
                self.read_back(*result, buffer, &index);
            }
        }
    }

    /// Reads a value where it was stored.
    fn read_back(&mut self, v: Value, buffer: Buffer, index: &[Value]) {
        let index = index.iter().map(|i| self.repeated(*i)).collect();
        let value = self.b.load(self.buf(buffer), index);
        if let Some(name) = self.src.value(v).name.clone() {
            self.b.name(value, || name);
        }
        self.env.insert(Key::Value(v), value);
    }

    /// An index, which may not have been computed yet.
    fn repeated(&mut self, v: Value) -> Value {
        if let Some(v) = self.env.get(Key::Value(v)) {
            return v;
        }
        let Some(inst) = self.defs.inst(v) else { unreachable!("{v} of {} is not bound", self.src.name) };
        let mut operands = Vec::new();
        inst.kind.each_operand(|v| operands.push(v));
        operands.into_iter().for_each(|v| {
            self.repeated(v);
        });
        self.clone_inst(inst);
        self.val(v)
    }

    fn is_write_only(&self, b: Buffer) -> bool {
        self.write_only.contains(&b)
    }
}
