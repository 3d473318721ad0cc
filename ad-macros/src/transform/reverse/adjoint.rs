//! The reverse of each instruction, and of blocks: what is emitted after the forward sweep.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet as HashSet;

use crate::ir::{
    Arg, BarArg, Binding, Block, Buffer, Call, CallMode, ForLoop, Inst, InstKind, Op, Product, Snippet,
    Storage, StoreMode, Type, Value, Verbatim,
};
use crate::rules;
use crate::transform::products;

use super::sweep::Mode;
use super::{Key, Reverse};

impl Reverse<'_> {
    /// Reverses a block's instructions, last first, into the open block. Adjoints of what the block yields must
    /// have been seeded.
    pub(super) fn reverse_block(&mut self, block: &Block) {
        for (at, inst) in block.insts.iter().enumerate().rev() {
            match &inst.kind {
                InstKind::Product(p) => self.reverse_product(inst, p, &block.insts[..at]),
                InstKind::For(l) => {
                    let made = self.makes(inst, l, &block.insts[..at]);
                    self.made.extend(&made);
                    self.reverse_inst(inst);
                    made.iter().for_each(|b| {
                        self.made.remove(b);
                    });
                }
                _ => self.reverse_inst(inst),
            }
        }
    }

    fn reverse_inst(&mut self, inst: &Inst) {
        match &inst.kind {
            InstKind::Pure(op, args) => self.reverse_pure(inst.results[0], op, args),
            InstKind::Load { buffer, index } => {
                if let Some(bar) = self.take_bar(inst.results[0])
                    && self.active.buffer(*buffer)
                {
                    let (bars, index) = (self.bar_buf(*buffer), self.vals(index));
                    self.make_room(*buffer, &index);
                    self.b.store(bars, index, bar, StoreMode::Add);
                }
            }
            InstKind::Store { buffer, index, value, mode } => {
                if self.active.buffer(*buffer) {
                    let (bars, index) = (self.bar_buf(*buffer), self.vals(index));
                    self.make_room(*buffer, &index);
                    if self.is_active(*value) {
                        let bar = self.b.load(bars, index.clone());
                        self.add_bar(*value, bar);
                    }
                    if *mode == StoreMode::Set && !self.made.contains(buffer) {
                        let zero = self.b.float(0.0, self.src.buffer(*buffer).elem.clone());
                        self.b.store(bars, index, zero, StoreMode::Set);
                    }
                }
                self.undo_store(inst);
            }
            InstKind::Fill { buffer, value } => {
                if self.active.buffer(*buffer) {
                    assert!(!self.is_active(*value), "a fill with an active value");
                    let bars = self.bar_buf(*buffer);
                    let zero = self.b.float(0.0, self.src.buffer(*buffer).elem.clone());
                    self.b.effect(InstKind::Fill { buffer: bars, value: zero });
                }
            }
            // The adjoint was made as long as it is going to be; what is not there yet is zero.
            InstKind::Alloc { .. } | InstKind::Grow { .. } | InstKind::Effect(..) => {}
            InstKind::Product(_) => unreachable!("products are reversed by their block"),
            InstKind::Window { .. } => unreachable!("windows are made after all transforms"),
            InstKind::If { cond, then_block, else_block } => {
                self.reverse_if(inst, *cond, then_block, else_block);
            }
            InstKind::For(l) => self.reverse_loop(inst, &l.inits, &l.body, Some(l)),
            InstKind::While { inits, body, .. } => self.reverse_loop(inst, inits, body, None),
            InstKind::Call(call) => self.reverse_call(inst, call),
            InstKind::Push { .. }
            | InstKind::Pop { .. }
            | InstKind::PushBuffer { .. }
            | InstKind::PopBuffer { .. } => {
                unreachable!("the reverse of a reverse sweep is never taken: HVPs are forward over reverse")
            }
        }
    }

    /// New buffers that a loop nest sets, each place once and without a look at it: their adjoints need not be cleared.
    fn makes(&self, inst: &Inst, l: &ForLoop, before: &[Inst]) -> Vec<Buffer> {
        let mut list = inst.kind.blocks().flat_map(Block::writes).collect::<Vec<_>>();
        list.retain(|b| self.active.buffer(*b) && is_new(*b, before) && self.defs.sets_each(l, *b));
        list
    }

    /// `before`: the instructions in front of the product, in its block.
    fn reverse_product(&mut self, inst: &Inst, p: &Product, before: &[Inst]) {
        if !self.active.buffer(p.into.buffer) {
            return;
        }
        self.enter();
        self.pop_copies(inst);
        let c_bar = self.bar_buf(p.into.buffer);
        let mut here = InstKind::Product(p.clone());
        // The product itself may be gone; its adjoint has its shape.
        here.map_buffers(|b| if b == p.into.buffer { c_bar } else { self.buf(b) });
        if let InstKind::Product(here) = here {
            if self.active.buffer(p.a.buffer) {
                let bar = self.bar_buf(p.a.buffer);
                let product = products::adjoint_of_a(&self.b.func, &here, c_bar, bar);
                self.b.effect(InstKind::Product(product));
            }
            if self.active.buffer(p.b.buffer) {
                let bar = self.bar_buf(p.b.buffer);
                let product = products::adjoint_of_b(&self.b.func, &here, c_bar, bar);
                self.b.effect(InstKind::Product(product));
            }
        }
        self.leave();
        if p.mode == StoreMode::Set && !is_new(p.into.buffer, before) {
            let zero = self.b.float(0.0, self.src.buffer(p.into.buffer).elem.clone());
            self.b.effect(InstKind::Fill { buffer: c_bar, value: zero });
        }
    }

    fn reverse_pure(&mut self, result: Value, op: &Op, args: &[Value]) {
        let Some(bar) = self.take_bar(result) else { return };
        let here = (self.vals(args), self.val(result));
        for (k, arg) in args.iter().enumerate() {
            if self.is_active(*arg) {
                let to = self.src.ty(*arg).clone();
                let before = self.b.current().insts.len();
                self.b.free = true;
                let t = rules::tangent(&mut self.b, op, &here.0, here.1, k, bar, &to);
                self.b.free = false;
                self.take_known(before);
                if let Some(t) = t {
                    self.add_bar(*arg, t);
                }
            }
        }
    }

    /// What was emitted from `before` on uses what is kept, where it would compute that again: the cosine that the rule of the sine
    /// asks for.
    fn take_known(&mut self, before: usize) {
        for at in before..self.b.current().insts.len() {
            let inst = &self.b.current().insts[at];
            if let InstKind::Pure(Op::Unary(f), args) = &inst.kind
                && let (f, arg, result) = (*f, args[0], inst.results[0])
                && let Some(known) = self.known.get((f, arg))
            {
                for later in &mut self.b.current().insts[at + 1..] {
                    later.kind.map_operands(|v| if v == result { known } else { v });
                }
            }
        }
    }

    /// Declares the adjoints of the active buffers that a block declares itself.
    pub(super) fn allocate_bars(&mut self, block: &Block) {
        for inst in &block.insts {
            if let InstKind::Alloc { buffer, .. } = inst.kind
                && self.active.buffer(buffer)
            {
                let bar = self.new_bar_buffer(buffer);
                self.bar_buffers.insert(buffer, bar);
                if self.src.buffer(buffer).grows
                    && let Some(primal) = self.buffers.get(buffer)
                {
                    let len = self.b.op(Op::Len(primal, 0), &[]);
                    self.b.effect(InstKind::Grow { buffer: bar, len });
                    self.long_enough.insert(bar);
                }
            }
        }
    }

    /// Makes the adjoint of a vector that grows long enough for this element, where its length is not known: the
    /// vector itself is gone when a saved loop is reversed.
    fn make_room(&mut self, buffer: Buffer, index: &[Value]) {
        let bar = self.bar_buf(buffer);
        if self.src.buffer(buffer).grows && !self.long_enough.contains(&bar) {
            let one = self.b.int("1");
            let len = self.b.add(index[0], one);
            self.b.effect(InstKind::Grow { buffer: bar, len });
        }
    }

    /// As [`Reverse::make_room`], for a part that a call adds to.
    fn make_room_for_part(&mut self, buffer: Buffer, prefix: &[Value], range: Option<(Value, Value)>) {
        if let Some(first) = prefix.first() {
            return self.make_room(buffer, &[*first]);
        }
        let bar = self.bar_buf(buffer);
        if let Some((start, len)) = range
            && self.src.buffer(buffer).grows
            && !self.long_enough.contains(&bar)
        {
            let len = self.b.add(start, len);
            self.b.effect(InstKind::Grow { buffer: bar, len });
        }
    }

    /// Whether reversing the block does anything.
    fn has_adjoint(&self, block: &Block) -> bool {
        let mut found = block.args.iter().any(|a| self.is_active(*a));
        block.visit(&mut |inst| {
            found |= inst.results.iter().any(|r| self.is_active(*r))
                || inst.kind.writes().iter().any(|b| self.active.buffer(*b));
        });
        found
    }

    /// Active values that the blocks use and do not define.
    fn free_active(&self, blocks: &[&Block]) -> Vec<Value> {
        let mut defined = HashSet::default();
        for block in blocks {
            defined.extend(block.args.iter().copied());
            block.visit(&mut |inst| {
                defined.extend(inst.results.iter().copied());
                inst.kind.blocks().for_each(|b| defined.extend(b.args.iter().copied()));
            });
        }
        let mut free = BTreeSet::new();
        for block in blocks {
            block.each_use(&mut |v| {
                if self.is_active(v) && !defined.contains(&v) {
                    free.insert(v);
                }
            });
        }
        free.into_iter().collect()
    }

    fn reverse_if(&mut self, inst: &Inst, cond: Value, then_block: &Block, else_block: &Block) {
        let bars: Vec<Option<Value>> = inst.results.iter().map(|r| self.take_bar(*r)).collect();
        if bars.iter().all(Option::is_none) && !self.has_adjoint(then_block) && !self.has_adjoint(else_block)
        {
            return;
        }
        let cond = self.val(cond);
        let free = self.free_active(&[then_block, else_block]);
        let outer = self.bars.clone();
        let mut blocks = Vec::new();
        let mut ends = Vec::new();
        for block in [then_block, else_block] {
            self.enter();
            self.b.open(Vec::new());
            self.bars = outer.clone();
            if block.diverges {
                // Never reached: the forward sweep has left the function.
                self.exit();
                ends.push(None);
            } else {
                self.restore_block(block);
                self.allocate_bars(block);
                for (y, bar) in block.yields.iter().zip(&bars) {
                    if let Some(bar) = bar {
                        self.add_bar(*y, *bar);
                    }
                }
                self.reverse_block(block);
                ends.push(Some(free.iter().map(|u| self.bars.get(u).copied()).collect::<Vec<_>>()));
            }
            blocks.push(self.b.close(Vec::new()));
            self.leave();
        }
        self.bars = outer;
        // Results: the adjoints of what either branch changed.
        let changed: Vec<usize> = (0..free.len())
            .filter(|i| {
                let before = self.bars.get(&free[*i]).copied();
                ends.iter().flatten().any(|end| end[*i] != before)
            })
            .collect();
        for (block, end) in blocks.iter_mut().zip(&ends) {
            let Some(end) = end else { continue };
            for i in &changed {
                let value = match end[*i] {
                    Some(v) => v,
                    None => self.zero_in(block, self.src.ty(free[*i]).clone()),
                };
                block.yields.push(value);
            }
        }
        let else_block = blocks.pop().unwrap_or_default();
        let then_block = blocks.pop().unwrap_or_default();
        let types = changed.iter().map(|i| self.src.ty(free[*i]).clone()).collect();
        let results = self.b.emit(InstKind::If { cond, then_block, else_block }, types);
        for (i, result) in changed.iter().zip(results) {
            self.bars.insert(free[*i], result);
        }
    }

    /// A zero, defined at the end of a closed block.
    fn zero_in(&mut self, block: &mut Block, ty: Type) -> Value {
        let zero = self.b.func.new_value(ty, None);
        block.insts.push(Inst { results: vec![zero], kind: InstKind::Pure(Op::Float(0.0), Vec::new()) });
        zero
    }

    /// Ends the open block by leaving the function.
    fn exit(&mut self) {
        let code = Snippet::written("::core::unreachable!()");
        self.b.effect(InstKind::Effect(Verbatim::new(code, Vec::new()), Vec::new()));
        self.b.current().diverges = true;
    }

    /// Reverses a loop: the same rounds, last first. It carries the adjoints of the carried scalars and of the
    /// scalars from outside.
    fn reverse_loop(&mut self, inst: &Inst, inits: &[Value], body: &Block, l: Option<&ForLoop>) {
        let bars: Vec<Option<Value>> = inst.results.iter().map(|r| self.take_bar(*r)).collect();
        if bars.iter().all(Option::is_none) && !self.has_adjoint(body) {
            return;
        }
        let plan = self.plan.of_loop(inst).clone();
        let carried = &body.args[usize::from(l.is_some())..];
        let active: Vec<usize> = (0..carried.len())
            .filter(|k| [carried[*k], body.yields[*k], inst.results[*k]].iter().any(|v| self.is_active(*v)))
            .collect();
        let free = self.free_active(&[body]);

        self.enter();
        self.pop_copies(inst);
        let key: super::InstId = inst;
        let (stacks, snapshots) = self.carried.get(&key).cloned().unwrap_or_default();
        for b in &plan.private {
            self.scratch(*b);
        }
        for (b, _) in &snapshots {
            self.scratch(*b);
        }
        let (lo, hi, step) = if let Some(l) = l {
            (self.val(l.lo), self.val(l.hi), l.step.map(|s| self.val(s)))
        } else {
            let Some(rounds) = self.env.get(Key::Trips(inst)) else {
                unreachable!("the rounds of a while loop were not counted")
            };
            (self.b.int("0_usize"), rounds, None)
        };
        let mut bar_inits = Vec::new();
        for k in &active {
            bar_inits.push(match bars[*k] {
                Some(bar) => bar,
                None => self.b.float(0.0, self.src.ty(carried[*k]).clone()),
            });
        }
        for u in &free {
            bar_inits.push(self.bar_or_zero(*u));
        }

        // The body.
        let mut kept = Vec::new();
        let outer_bars = std::mem::take(&mut self.bars);
        let outer_reloads = self.reloads.clone();
        let outer_write_only = self.write_only.clone();
        let variable = match l {
            Some(l) => self.bind_args(&l.body.args[..1])[0],
            None => self.b.func.new_value(Type::Int, Some("round".into())),
        };
        let mut args = vec![variable];
        for v in active.iter().map(|k| carried[*k]).chain(free.iter().copied()) {
            let name = self.src.value(v).name.as_deref().map(|n| self.bar_name(n));
            let arg = self.b.func.new_value(self.src.ty(v).clone(), name);
            args.push(arg);
        }
        let bar_args = args[1..].to_vec();
        self.b.open(args);
        for (arg, stack) in carried.iter().zip(stacks) {
            let data = self.src.value(*arg).clone();
            let value = self.b.emit(InstKind::Pop { stack }, vec![data.ty])[0];
            if let Some(name) = data.name {
                self.b.name(value, || name);
            }
            self.env.insert(Key::Value(*arg), value);
        }
        for (b, stack) in snapshots {
            let buffer = self.buf(b);
            self.b.effect(InstKind::PopBuffer { stack, buffer });
        }
        if plan.replay {
            if l.is_some() {
                // What a replay around us left alone does not hold this round's values.
                let held = plan.reload.iter().filter(|(_, b, _)| !self.write_only.contains(b));
                self.reloads.extend(held.map(|(v, b, index)| (*v, (*b, index.clone()))));
            }
            self.write_only.extend(plan.write_only.iter().copied());
            let mut list = self.keeper.of_round(self.src, &self.plan, body);
            list.retain(|of| !self.reloads.contains_key(&of.value));
            kept = self.keep_for_reversal(list);
            self.forward_block(body, Mode::Augmented, true);
            self.now_kept(&kept);
        } else {
            self.restore_block(body);
        }
        self.allocate_bars(body);
        for b in &plan.private {
            if self.active.buffer(*b) && self.is_confined(*b, body) {
                let bar = self.new_bar_buffer(*b);
                self.bar_buffers.insert(*b, bar);
            }
        }
        for (u, arg) in free.iter().zip(&bar_args[active.len()..]) {
            self.bars.insert(*u, *arg);
        }
        for (k, arg) in active.iter().zip(&bar_args) {
            self.add_bar(body.yields[*k], *arg);
        }
        self.reverse_block(body);
        for v in &kept {
            self.kept.remove(v);
        }
        let mut yields = Vec::new();
        for k in &active {
            yields.push(self.bar_or_zero(carried[*k]));
        }
        for u in &free {
            yields.push(self.bar_or_zero(*u));
        }
        let bar_body = self.b.close(yields);
        self.bars = outer_bars;
        self.reloads = outer_reloads;
        self.write_only = outer_write_only;

        let types = active.iter().map(|k| carried[*k]).chain(free.iter().copied());
        let types: Vec<Type> = types.map(|v| self.src.ty(v).clone()).collect();
        let reversed = ForLoop {
            lo,
            hi,
            step,
            inclusive: l.is_some_and(|l| l.inclusive),
            rev: l.is_some_and(|l| l.rev),
            flipped: !l.is_some_and(|l| l.flipped),
            inits: bar_inits,
            body: bar_body,
        };
        let results = self.b.emit(InstKind::For(reversed), types);
        self.leave();
        for (u, result) in free.iter().zip(&results[active.len()..]) {
            self.bars.insert(*u, *result);
        }
        for (k, result) in active.iter().zip(&results) {
            self.add_bar(inits[*k], *result);
        }
    }

    /// Whether nothing outside this body reads a local buffer. If a round does not read what another has left there either, its
    /// adjoint lives in one round: it starts as zero.
    fn is_confined(&self, b: Buffer, body: &Block) -> bool {
        let reads = |block: &Block| {
            let mut n = 0;
            block.visit(&mut |inst| n += inst.kind.reads().iter().filter(|r| **r == b).count());
            n
        };
        let data = self.src.buffer(b);
        data.storage == Storage::Local
            && !data.grows
            && !self.src.outputs.iter().any(|o| o.binding == Binding::Buffer(b))
            && reads(body) == reads(&self.src.body)
    }

    /// The adjoint of a call: the callee's own. The adjoint of its tangent is the tangent of its adjoint with the
    /// seeds exchanged: for (y, y') = (g(a), ∇g·a') both are y'_bar ∇g and y'_bar ∇²g·a' + y_bar ∇g.
    fn reverse_call(&mut self, inst: &Inst, call: &Call) {
        let seeds: Vec<Option<Value>> = inst.results.iter().map(|r| self.take_bar(*r)).collect();
        if seeds.iter().all(Option::is_none) {
            return;
        }
        self.enter();
        self.pop_copies(inst);
        let ty = self.src.ty(inst.results[0]).clone();
        let mut seeds: Vec<Value> =
            seeds.into_iter().map(|s| s.unwrap_or_else(|| self.b.float(0.0, ty.clone()))).collect();
        let (mode, groups): (CallMode, Vec<Vec<Option<Arg>>>) = match call.mode {
            CallMode::Primal => (CallMode::Vjp, vec![call.args.iter().cloned().map(Some).collect()]),
            CallMode::Jvp => {
                seeds.reverse();
                (CallMode::VjpJvp, vec![call.dots[0].clone(), call.args.iter().cloned().map(Some).collect()])
            }
            _ => unreachable!("only calls of forward code are reversed"),
        };
        let mut bars = Vec::new();
        let mut returned = Vec::new();
        for group in &groups {
            let mut slots = Vec::new();
            for arg in group {
                slots.push(match arg {
                    Some(Arg::Value(v)) if self.is_active(*v) => {
                        returned.push(*v);
                        Some(BarArg::Result)
                    }
                    Some(Arg::Buffer { buffer, prefix, range, .. }) if self.active.buffer(*buffer) => {
                        let prefix = self.vals(prefix);
                        let range = range.map(|(start, len)| (self.val(start), self.val(len)));
                        self.make_room_for_part(*buffer, &prefix, range);
                        Some(BarArg::Into(Arg::Buffer {
                            buffer: self.bar_buf(*buffer),
                            prefix,
                            range,
                            by_ref: true,
                        }))
                    }
                    _ => None,
                });
            }
            bars.push(slots);
        }
        let mut forward = InstKind::Call(Call {
            callee: call.callee.clone(),
            mode,
            args: call.args.clone(),
            dots: call.dots.clone(),
            seeds: Vec::new(),
            bars: Vec::new(),
        });
        forward.map_operands(|v| self.val(v));
        forward.map_buffers(|b| self.buf(b));
        if let InstKind::Call(call) = &mut forward {
            call.seeds = seeds;
            call.bars = bars;
        }
        let types = returned.iter().map(|v| self.src.ty(*v).clone()).collect();
        let results = self.b.emit(forward, types);
        self.leave();
        for (v, result) in returned.iter().zip(results) {
            self.add_bar(*v, result);
        }
    }
}

/// Whether nothing has touched a buffer since it was declared, in these instructions: nothing of it is of use before, so that
/// its adjoint need not be cleared there.
fn is_new(buffer: Buffer, before: &[Inst]) -> bool {
    let last = before.iter().rev().find(|inst| inst.touches(buffer));
    last.is_some_and(|inst| matches!(inst.kind, InstKind::Alloc { .. }))
}
