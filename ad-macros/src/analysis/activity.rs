//! Activity: which floats vary with the active inputs, and which are useful to the active outputs.
//!
//! Both analyses are conservative, flow-insensitive fixpoints: a buffer or a stack is active as a whole if
//! anything active is ever put into it. What is not active needs no tangent and no adjoint. Switched off
//! ([`everything`]) they must change no derivative: tests hold them to that.

use crate::ir::{
    Arg, BarArg, Binding, Block, Buffer, Func, Inst, InstKind, Op, Stack, Storage, Unary, Value,
};

/// A set of values, buffers and stacks.
#[derive(Clone)]
pub(crate) struct Activity {
    values: Vec<bool>,
    buffers: Vec<bool>,
    stacks: Vec<bool>,
    changed: bool,
}

impl Activity {
    fn none(func: &Func) -> Activity {
        Activity {
            values: vec![false; func.values.len()],
            buffers: vec![false; func.buffers.len()],
            stacks: vec![false; func.stacks.len()],
            changed: false,
        }
    }
    pub(crate) fn value(&self, v: Value) -> bool {
        self.values[v.0 as usize]
    }
    pub(crate) fn buffer(&self, b: Buffer) -> bool {
        self.buffers[b.0 as usize]
    }
    pub(crate) fn stack(&self, s: Stack) -> bool {
        self.stacks[s.0 as usize]
    }
    /// As [`Activity::value`], of a function that has got more values since: those are not in it.
    pub(crate) fn values_contain(&self, v: Value) -> bool {
        self.values.get(v.0 as usize).copied().unwrap_or(false)
    }
    pub(crate) fn buffer_contains(&self, b: Buffer) -> bool {
        self.buffers.get(b.0 as usize).copied().unwrap_or(false)
    }
    pub(crate) fn stack_contains(&self, s: Stack) -> bool {
        self.stacks.get(s.0 as usize).copied().unwrap_or(false)
    }
    /// What is in both.
    pub(crate) fn and(mut self, other: &Activity) -> Activity {
        let meet = |a: &mut [bool], b: &[bool]| a.iter_mut().zip(b).for_each(|(a, b)| *a &= b);
        meet(&mut self.values, &other.values);
        meet(&mut self.buffers, &other.buffers);
        meet(&mut self.stacks, &other.stacks);
        self
    }
    fn mark(&mut self, func: &Func, v: Value) {
        let slot = &mut self.values[v.0 as usize];
        if !*slot && func.is_float(v) {
            *slot = true;
            self.changed = true;
        }
    }
    fn mark_buffer(&mut self, func: &Func, b: Buffer) {
        let slot = &mut self.buffers[b.0 as usize];
        if !*slot && func.buffer(b).elem.is_float() {
            *slot = true;
            self.changed = true;
        }
    }
    fn mark_stack(&mut self, func: &Func, s: Stack) {
        let slot = &mut self.stacks[s.0 as usize];
        if !*slot && func.stack(s).elem.is_float() {
            *slot = true;
            self.changed = true;
        }
    }
    fn mark_binding(&mut self, func: &Func, binding: Binding) {
        match binding {
            Binding::Value(v) => self.mark(func, v),
            Binding::Buffer(b) => self.mark_buffer(func, b),
        }
    }
    /// Marks `to` if `from` is in.
    fn flow(&mut self, func: &Func, from: Value, to: Value) {
        if self.value(from) {
            self.mark(func, to);
        }
    }
}

/// All floats: the analysis switched off.
pub(crate) fn everything(func: &Func) -> Activity {
    Activity {
        values: func.values.iter().map(|v| v.ty.is_float()).collect(),
        buffers: func.buffers.iter().map(|b| b.elem.is_float()).collect(),
        stacks: func.stacks.iter().map(|s| s.elem.is_float()).collect(),
        changed: false,
    }
}

/// What may vary when `seeds` do.
pub(crate) fn varied(func: &Func, seeds: &[Binding]) -> Activity {
    let mut act = Activity::none(func);
    for seed in seeds {
        act.mark_binding(func, *seed);
    }
    fixpoint(&mut act, |act| forward_block(func, &func.body, act));
    act
}

/// What may change `sinks` when it is changed.
pub(crate) fn useful(func: &Func, sinks: &[Binding]) -> Activity {
    let mut act = Activity::none(func);
    for sink in sinks {
        act.mark_binding(func, *sink);
    }
    fixpoint(&mut act, |act| backward_block(func, &func.body, act));
    act
}

fn fixpoint(act: &mut Activity, mut step: impl FnMut(&mut Activity)) {
    loop {
        act.changed = false;
        step(act);
        if !act.changed {
            break;
        }
    }
}

/// Operations whose derivative is zero wherever it exists.
fn is_flat(op: &Op) -> bool {
    matches!(
        op,
        Op::Unary(
            Unary::Signum | Unary::Floor | Unary::Ceil | Unary::Round | Unary::RoundTiesEven | Unary::Trunc
        )
    )
}

fn forward_block(func: &Func, block: &Block, act: &mut Activity) {
    for inst in &block.insts {
        forward_inst(func, inst, act);
    }
}

fn forward_inst(func: &Func, inst: &Inst, act: &mut Activity) {
    match &inst.kind {
        InstKind::Pure(op, args) => {
            if !is_flat(op) && args.iter().any(|a| act.value(*a)) {
                act.mark(func, inst.results[0]);
            }
        }
        InstKind::Load { buffer, .. } => {
            if act.buffer(*buffer) {
                act.mark(func, inst.results[0]);
            }
        }
        InstKind::Store { buffer, value, .. } | InstKind::Fill { buffer, value } => {
            if act.value(*value) {
                act.mark_buffer(func, *buffer);
            }
        }
        InstKind::Alloc { buffer, fill } => {
            if act.value(*fill) {
                act.mark_buffer(func, *buffer);
            }
        }
        InstKind::Product(p) => {
            if act.buffer(p.a.buffer) || act.buffer(p.b.buffer) {
                act.mark_buffer(func, p.into.buffer);
            }
        }
        // New elements are zero, whatever the length.
        InstKind::Grow { .. } => {}
        InstKind::Push { stack, value } => {
            if act.value(*value) {
                act.mark_stack(func, *stack);
            }
        }
        InstKind::Pop { stack } => {
            if act.stack(*stack) {
                act.mark(func, inst.results[0]);
            }
        }
        InstKind::PushBuffer { stack, buffer } => {
            if act.buffer(*buffer) {
                act.mark_stack(func, *stack);
            }
        }
        InstKind::PopBuffer { stack, buffer } => {
            if act.stack(*stack) {
                act.mark_buffer(func, *buffer);
            }
        }
        InstKind::If { then_block, else_block, .. } => {
            for block in [then_block, else_block] {
                forward_block(func, block, act);
                for (y, r) in block.yields.iter().zip(&inst.results) {
                    act.flow(func, *y, *r);
                }
            }
        }
        InstKind::For(l) => {
            loop_forward(func, &l.inits, &l.body.args[1..], act);
            forward_block(func, &l.body, act);
            loop_forward(func, &l.body.yields, &l.body.args[1..], act);
            loop_forward(func, &l.body.args[1..], &inst.results, act);
        }
        InstKind::While { inits, cond_block, body } => {
            loop_forward(func, inits, &body.args, act);
            forward_block(func, body, act);
            loop_forward(func, &body.yields, &body.args, act);
            loop_forward(func, &body.args, &cond_block.args, act);
            forward_block(func, cond_block, act);
            loop_forward(func, &body.args, &inst.results, act);
        }
        InstKind::Call(call) => {
            let arg_varied = |a: &Arg| match a {
                Arg::Value(v) => act.value(*v),
                Arg::Buffer { buffer, .. } => act.buffer(*buffer),
            };
            let any = call.args.iter().chain(call.dots.iter().flatten().flatten()).any(arg_varied)
                || call.seeds.iter().any(|s| act.value(*s));
            if any {
                inst.results.iter().for_each(|r| act.mark(func, *r));
                for b in inst.kind.writes() {
                    act.mark_buffer(func, b);
                }
            }
        }
        InstKind::Effect(..) | InstKind::Window { .. } => {}
    }
}

fn loop_forward(func: &Func, from: &[Value], to: &[Value], act: &mut Activity) {
    for (f, t) in from.iter().zip(to) {
        act.flow(func, *f, *t);
    }
}

fn backward_block(func: &Func, block: &Block, act: &mut Activity) {
    for inst in block.insts.iter().rev() {
        backward_inst(func, inst, act);
    }
}

fn backward_inst(func: &Func, inst: &Inst, act: &mut Activity) {
    match &inst.kind {
        InstKind::Pure(op, args) => {
            if !is_flat(op) && act.value(inst.results[0]) {
                args.iter().for_each(|a| act.mark(func, *a));
            }
        }
        // One memory.
        InstKind::Window { window, of, .. } => {
            if act.buffer(*window) {
                act.mark_buffer(func, *of);
            }
            if act.buffer(*of) {
                act.mark_buffer(func, *window);
            }
        }
        InstKind::Load { buffer, .. } => {
            if act.value(inst.results[0]) {
                act.mark_buffer(func, *buffer);
            }
        }
        InstKind::Store { buffer, value, .. }
        | InstKind::Fill { buffer, value }
        | InstKind::Alloc { buffer, fill: value } => {
            if act.buffer(*buffer) {
                act.mark(func, *value);
            }
        }
        InstKind::Product(p) => {
            if act.buffer(p.into.buffer) {
                act.mark_buffer(func, p.a.buffer);
                act.mark_buffer(func, p.b.buffer);
            }
        }
        InstKind::Grow { .. } => {}
        InstKind::Push { stack, value } => {
            if act.stack(*stack) {
                act.mark(func, *value);
            }
        }
        InstKind::Pop { stack } => {
            if act.value(inst.results[0]) {
                act.mark_stack(func, *stack);
            }
        }
        InstKind::PushBuffer { stack, buffer } => {
            if act.stack(*stack) {
                act.mark_buffer(func, *buffer);
            }
        }
        InstKind::PopBuffer { stack, buffer } => {
            if act.buffer(*buffer) {
                act.mark_stack(func, *stack);
            }
        }
        InstKind::If { then_block, else_block, .. } => {
            for block in [then_block, else_block] {
                for (y, r) in block.yields.iter().zip(&inst.results) {
                    act.flow(func, *r, *y);
                }
                backward_block(func, block, act);
            }
        }
        InstKind::For(l) => {
            loop_forward(func, &inst.results, &l.body.yields, act);
            loop_forward(func, &l.body.args[1..], &l.body.yields, act);
            backward_block(func, &l.body, act);
            loop_forward(func, &inst.results, &l.inits, act);
            loop_forward(func, &l.body.args[1..], &l.inits, act);
        }
        InstKind::While { inits, cond_block, body } => {
            loop_forward(func, &inst.results, &body.yields, act);
            loop_forward(func, &body.args, &body.yields, act);
            backward_block(func, body, act);
            backward_block(func, cond_block, act);
            // The condition has the carried values by names of its own.
            loop_forward(func, &cond_block.args, &body.yields, act);
            loop_forward(func, &cond_block.args, inits, act);
            loop_forward(func, &inst.results, inits, act);
            loop_forward(func, &body.args, inits, act);
        }
        InstKind::Call(call) => {
            let any =
                inst.results.iter().any(|r| act.value(*r))
                    || call.bars.iter().flatten().flatten().any(
                        |b| matches!(b, BarArg::Into(Arg::Buffer { buffer, .. }) if act.buffer(*buffer)),
                    );
            if any {
                let mut operands = Vec::new();
                inst.kind.each_operand(|v| operands.push(v));
                operands.into_iter().for_each(|v| act.mark(func, v));
                inst.kind.reads().into_iter().for_each(|b| act.mark_buffer(func, b));
            }
        }
        InstKind::Effect(..) => {}
    }
}

/// What is rounded as the user's function rounds it: what its own results depend on, what decides on which side of a kink a value lies,
/// and what code sees that nobody looks into here (the user's own, and other differentiable functions).
pub(crate) fn promised(func: &Func) -> Activity {
    let written = func.params.iter().filter(|p| match p.binding {
        Binding::Buffer(b) => p.role.marks.is_empty() && func.buffer(b).storage == Storage::Output,
        Binding::Value(_) => false,
    });
    let mut seen: Vec<_> =
        func.outputs.iter().filter(|o| o.role.marks.is_empty()).map(|o| o.binding).collect();
    seen.extend(written.map(|p| p.binding));
    func.body.visit(&mut |inst| {
        let values = |values: &[Value]| -> Vec<Binding> {
            values.iter().filter(|v| func.is_float(**v)).map(|v| Binding::Value(*v)).collect()
        };
        match &inst.kind {
            InstKind::Pure(Op::Verbatim(code), args) | InstKind::Effect(code, args) if !code.is_check() => {
                seen.extend(values(args));
                seen.extend(code.buffers.iter().map(|b| Binding::Buffer(*b)));
            }
            InstKind::Pure(op, args)
                if matches!(op, Op::Test(_) | Op::Custom(_))
                    || has_a_kink(op)
                    || !func.is_float(inst.results[0]) =>
            {
                seen.extend(values(args));
            }
            InstKind::Call(call) => seen.extend(call.args.iter().filter_map(|arg| match arg {
                Arg::Value(v) => func.is_float(*v).then_some(Binding::Value(*v)),
                Arg::Buffer { buffer, .. } => Some(Binding::Buffer(*buffer)),
            })),
            _ => {}
        }
    });
    useful(func, &seen)
}

/// Whether an operation has a kink or a jump somewhere: on which side of it an argument lies decides on derivatives.
fn has_a_kink(op: &Op) -> bool {
    match op {
        Op::Rem | Op::Clamp => true,
        Op::Unary(f) => !f.is_smooth(),
        Op::Binary(f) => !f.is_smooth(),
        _ => false,
    }
}
