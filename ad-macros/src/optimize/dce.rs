//! Dead code elimination: keeps what an output, an effect or a caller's buffer needs.
//!
//! Liveness is a fixpoint from the roots: outputs, effects, blocks that diverge. A store, a fill or a call is live
//! if the buffer it writes is; a buffer is live if something live reads it, or it is a caller's. So a buffer that
//! is only ever accumulated into is dead with all its stores, and a carried scalar that only feeds itself is dead
//! too. A stack is live if a live value or buffer is popped from it; then all its pushes and pops stay, since they
//! belong together. Loops are assumed to end: one without live results and without live contents is removed.

use crate::ir::{Arg, BarArg, Binding, Block, Buffer, Dim, Func, Inst, InstKind, Op, Stack, Storage, Value};

/// Runs the pass.
pub(crate) fn dce(mut func: Func) -> Func {
    let mut live = Live {
        values: vec![false; func.values.len()],
        buffers: vec![false; func.buffers.len()],
        stacks: vec![false; func.stacks.len()],
        changed: false,
    };
    for o in &func.outputs {
        match o.binding {
            Binding::Value(v) => live.value(v),
            Binding::Buffer(b) => live.buffer(b, &func),
        }
    }
    for p in &func.params {
        if let Binding::Buffer(b) = p.binding
            && func.buffer(b).storage == Storage::Output
        {
            live.buffer(b, &func);
        }
    }
    loop {
        live.changed = false;
        live.block(&func, &func.body);
        if !live.changed {
            break;
        }
    }
    let mut body = std::mem::take(&mut func.body);
    sweep(&live, &mut body);
    func.body = body;
    func
}

/// What is live, by number.
struct Live {
    values: Vec<bool>,
    buffers: Vec<bool>,
    stacks: Vec<bool>,
    changed: bool,
}

impl Live {
    fn value(&mut self, v: Value) {
        self.changed |= !std::mem::replace(&mut self.values[v.0 as usize], true);
    }

    fn buffer(&mut self, b: Buffer, func: &Func) {
        if !std::mem::replace(&mut self.buffers[b.0 as usize], true) {
            self.changed = true;
            for dim in &func.buffer(b).dims {
                if let Dim::Dyn(v) = dim {
                    self.value(*v);
                }
            }
        }
    }

    fn is(&self, v: Value) -> bool {
        self.values[v.0 as usize]
    }

    fn has(&self, b: Buffer) -> bool {
        self.buffers[b.0 as usize]
    }

    fn runs(&self, s: Stack) -> bool {
        self.stacks[s.0 as usize]
    }

    fn block(&mut self, func: &Func, block: &Block) {
        for inst in block.insts.iter().rev() {
            self.inst(func, inst);
        }
    }

    fn inst(&mut self, func: &Func, inst: &Inst) {
        match &inst.kind {
            InstKind::If { then_block, else_block, .. } => {
                for block in [then_block, else_block] {
                    for (y, r) in block.yields.iter().zip(&inst.results) {
                        if self.is(*r) {
                            self.value(*y);
                        }
                    }
                    self.block(func, block);
                }
            }
            InstKind::For(l) => {
                self.carried(&inst.results, &l.body.args[1..], &l.body.yields, &l.inits);
                self.block(func, &l.body);
                self.carried(&inst.results, &l.body.args[1..], &l.body.yields, &l.inits);
            }
            InstKind::While { inits, cond_block, body } => {
                if self.has_effect(inst) {
                    // The condition decides how often a live loop runs.
                    cond_block.yields.iter().for_each(|y| self.value(*y));
                }
                self.carried(&cond_block.args, &body.args, &body.yields, inits);
                self.carried(&inst.results, &body.args, &body.yields, inits);
                self.block(func, body);
                self.block(func, cond_block);
            }
            _ => {}
        }
        if let InstKind::Window { window, of, mutable: true, .. } = &inst.kind
            && self.has(*of)
        {
            // What is stored there is stored in the buffer itself.
            self.buffer(*window, func);
        }
        if self.has_effect(inst) {
            inst.kind.each_operand_but_inits(|v| self.value(v));
            for b in inst.kind.reads() {
                self.buffer(b, func);
            }
            // All that a live instruction names must be declared.
            inst.kind.each_buffer(|b| {
                if !matches!(inst.kind, InstKind::Call(_)) {
                    self.buffer(b, func);
                }
            });
            if let InstKind::Call(call) = &inst.kind {
                for b in written_by(call) {
                    self.buffer(b, func);
                }
            }
            if let Some(stack) = inst.kind.stack() {
                self.changed |= !std::mem::replace(&mut self.stacks[stack.0 as usize], true);
            }
        }
    }

    /// Carried values: live if the result is, or something in the body uses the argument.
    fn carried(&mut self, results: &[Value], args: &[Value], yields: &[Value], inits: &[Value]) {
        for (k, arg) in args.iter().enumerate() {
            if self.is(results[k]) || self.is(*arg) {
                self.value(*arg);
                if let Some(y) = yields.get(k) {
                    self.value(*y);
                }
                self.value(inits[k]);
            }
        }
    }

    /// Whether an instruction must stay.
    fn has_effect(&self, inst: &Inst) -> bool {
        let result = inst.results.iter().any(|r| self.is(*r));
        match &inst.kind {
            InstKind::Pure(..) | InstKind::Load { .. } => result,
            InstKind::Store { buffer, .. }
            | InstKind::Fill { buffer, .. }
            | InstKind::Grow { buffer, .. } => self.has(*buffer),
            InstKind::Alloc { buffer, .. } => self.has(*buffer),
            InstKind::Product(p) => self.has(p.into.buffer),
            InstKind::Push { stack, .. } | InstKind::PushBuffer { stack, .. } => self.runs(*stack),
            InstKind::Pop { stack } => result || self.runs(*stack),
            InstKind::PopBuffer { stack, buffer } => self.has(*buffer) || self.runs(*stack),
            InstKind::If { .. } | InstKind::For(_) | InstKind::While { .. } => {
                result
                    || inst
                        .kind
                        .blocks()
                        .any(|b| b.diverges || b.insts.iter().any(|i| self.has_effect_inside(i)))
            }
            InstKind::Call(call) => result || written_by(call).iter().any(|b| self.has(*b)),
            InstKind::Window { window, .. } => self.has(*window),
            InstKind::Effect(..) => true,
        }
    }

    /// As [`Live::has_effect`], for what is nested in a loop or branch: a value that is live only for others
    /// in there is no reason to keep the whole.
    fn has_effect_inside(&self, inst: &Inst) -> bool {
        match &inst.kind {
            InstKind::Pure(..) | InstKind::Load { .. } => false,
            InstKind::Alloc { .. } | InstKind::Window { .. } => false,
            InstKind::Call(call) => written_by(call).iter().any(|b| self.has(*b)),
            InstKind::Pop { stack } => self.runs(*stack),
            InstKind::If { .. } | InstKind::For(_) | InstKind::While { .. } => {
                inst.kind.blocks().any(|b| b.diverges || b.insts.iter().any(|i| self.has_effect_inside(i)))
            }
            _ => self.has_effect(inst),
        }
    }
}

fn written_by(call: &crate::ir::Call) -> Vec<Buffer> {
    call.bars
        .iter()
        .flatten()
        .flatten()
        .filter_map(|a| match a {
            BarArg::Into(Arg::Buffer { buffer, .. }) => Some(*buffer),
            _ => None,
        })
        .collect()
}

/// Removes what is not live.
fn sweep(live: &Live, block: &mut Block) {
    block.insts.retain(|inst| live.has_effect(inst));
    for inst in &mut block.insts {
        let keep = |list: &[Value]| -> Vec<bool> { list.iter().map(|v| live.is(*v)).collect() };
        match &mut inst.kind {
            InstKind::If { then_block, else_block, .. } => {
                let kept = keep(&inst.results);
                retain(&mut inst.results, &kept, 0);
                for block in [then_block, else_block] {
                    if !block.diverges {
                        retain(&mut block.yields, &kept, 0);
                    }
                    sweep(live, block);
                }
            }
            InstKind::For(l) => {
                let kept: Vec<bool> = l.body.args[1..]
                    .iter()
                    .zip(&inst.results)
                    .map(|(a, r)| live.is(*a) || live.is(*r))
                    .collect();
                retain(&mut inst.results, &kept, 0);
                retain(&mut l.inits, &kept, 0);
                retain(&mut l.body.args, &kept, 1);
                if !l.body.diverges {
                    retain(&mut l.body.yields, &kept, 0);
                }
                sweep(live, &mut l.body);
            }
            InstKind::While { inits, cond_block, body } => {
                let kept: Vec<bool> = body
                    .args
                    .iter()
                    .zip(&inst.results)
                    .zip(&cond_block.args)
                    .map(|((a, r), c)| live.is(*a) || live.is(*r) || live.is(*c))
                    .collect();
                retain(&mut inst.results, &kept, 0);
                retain(inits, &kept, 0);
                retain(&mut body.args, &kept, 0);
                retain(&mut cond_block.args, &kept, 0);
                if !body.diverges {
                    retain(&mut body.yields, &kept, 0);
                }
                sweep(live, body);
                sweep(live, cond_block);
            }
            _ => {}
        }
    }
}

/// Keeps the entries `first + k` for which `kept[k]`, and all before `first`.
fn retain(list: &mut Vec<Value>, kept: &[bool], first: usize) {
    let mut at = 0;
    list.retain(|_| {
        at += 1;
        at <= first || kept.get(at - 1 - first).copied().unwrap_or(true)
    });
}

/// Whether an operation may be dropped or repeated at will.
pub(crate) fn is_pure(kind: &InstKind) -> bool {
    matches!(kind, InstKind::Pure(op, _) if !matches!(op, Op::Verbatim(_) | Op::Custom(_)))
}
