//! The last check of the frontend: no active value goes through code that the macro does not look into and comes back as
//! a float. What an active value reaches is known for sure only when all types are: here.

use proc_macro2::Span;
use rustc_hash::FxHashSet as HashSet;

use crate::ir::{Arg, Binding, Block, Buffer, Func, Inst, InstKind, Op, Storage, Type, Value, Verbatim};

/// Where derivatives would be lost.
pub(super) fn leaks(func: &Func) -> Vec<Span> {
    let floats = used_as_floats(func);
    let mut reached =
        Reached { func, values: HashSet::default(), buffers: HashSet::default(), floats, leaks: Vec::new() };
    for p in func.params.iter().filter(|p| p.active) {
        match p.binding {
            Binding::Value(v) => {
                reached.values.insert(v);
            }
            Binding::Buffer(b) if func.buffer(b).storage != Storage::Output => {
                reached.buffers.insert(b);
            }
            Binding::Buffer(_) => {}
        }
    }
    reached.block(&func.body);
    reached.leaks.into_iter().map(|(_, span)| span).collect()
}

/// Values of unknown types that become floats or parts of them.
fn used_as_floats(func: &Func) -> HashSet<Value> {
    let mut found = HashSet::default();
    func.body.visit(&mut |inst| {
        let mut used = |values: &[Value]| {
            found.extend(values.iter().filter(|v| *func.ty(**v) == Type::Opaque).copied());
        };
        let joined = |results: &[Value], values: &[Value]| -> Vec<Value> {
            results.iter().zip(values).filter(|(r, _)| func.is_float(**r)).map(|(_, v)| *v).collect()
        };
        match &inst.kind {
            // An `as` mostly makes floats of integers.
            InstKind::Pure(Op::Verbatim(_) | Op::Cast(_) | Op::Cmp(_) | Op::Len(..), _) => {}
            InstKind::Pure(_, args) if func.is_float(inst.results[0]) => used(args),
            InstKind::Store { buffer, value, .. }
            | InstKind::Fill { buffer, value }
            | InstKind::Alloc { buffer, fill: value }
                if func.buffer(*buffer).elem.is_float() =>
            {
                used(&[*value]);
            }
            InstKind::If { then_block, else_block, .. } => {
                for block in [then_block, else_block] {
                    used(&joined(&inst.results, &block.yields));
                }
            }
            InstKind::For(l) => {
                used(&joined(&inst.results, &l.inits));
                used(&joined(&inst.results, &l.body.yields));
            }
            InstKind::While { inits, body, .. } => {
                used(&joined(&inst.results, inits));
                used(&joined(&inst.results, &body.yields));
            }
            _ => {}
        }
    });
    for output in &func.outputs {
        if let Binding::Value(v) = output.binding {
            found.insert(v);
        }
    }
    // What computes them from values of unknown types as well.
    loop {
        let before = found.len();
        func.body.visit(&mut |inst| {
            if let InstKind::Pure(op, args) = &inst.kind
                && !matches!(op, Op::Verbatim(_) | Op::Cast(_) | Op::Cmp(_) | Op::Len(..))
                && found.contains(&inst.results[0])
            {
                found.extend(args.iter().filter(|v| *func.ty(**v) == Type::Opaque));
            }
        });
        if found.len() == before {
            return found;
        }
    }
}

/// `constant(x)`, which is there to hold a value fixed.
fn is_constant(verbatim: &Verbatim) -> bool {
    verbatim.code.text().starts_with(":: ad_runtime :: constant")
}

struct Reached<'a> {
    func: &'a Func,
    values: HashSet<Value>,
    /// The arrays with something active in them, so far.
    buffers: HashSet<Buffer>,
    floats: HashSet<Value>,
    /// By what computes them, and where.
    leaks: Vec<(Value, Span)>,
}

impl Reached<'_> {
    fn any(&self, values: &[Value], buffers: &[Buffer]) -> bool {
        values.iter().any(|v| self.values.contains(v)) || buffers.iter().any(|b| self.buffers.contains(b))
    }

    /// Integers and bools carry no derivative.
    fn mark(&mut self, v: Value) {
        if matches!(self.func.ty(v), Type::Float(_) | Type::Opaque) {
            self.values.insert(v);
        }
    }

    fn join(&mut self, from: &[Value], to: &[Value]) {
        for (from, to) in from.iter().zip(to) {
            if self.values.contains(from) {
                self.mark(*to);
            }
        }
    }

    /// As often as a round finds something new.
    fn rounds(&mut self, mut round: impl FnMut(&mut Self)) {
        loop {
            let before = (self.values.len(), self.buffers.len());
            round(self);
            if (self.values.len(), self.buffers.len()) == before {
                return;
            }
        }
    }

    fn block(&mut self, block: &Block) {
        for inst in &block.insts {
            self.inst(inst);
        }
    }

    fn inst(&mut self, inst: &Inst) {
        match &inst.kind {
            InstKind::Pure(op, args) => {
                let buffers = match op {
                    Op::Verbatim(v) => v.buffers.as_slice(),
                    _ => &[],
                };
                let constant = matches!(op, Op::Verbatim(v) if is_constant(v));
                if !constant && self.any(args, buffers) {
                    let result = inst.results[0];
                    self.mark(result);
                    if let Op::Verbatim(v) = op
                        && (self.func.is_float(result) || self.floats.contains(&result))
                        && !self.leaks.iter().any(|(v, _)| *v == result)
                    {
                        self.leaks.push((result, v.code.span()));
                    }
                }
            }
            InstKind::Load { buffer, .. } if self.buffers.contains(buffer) => {
                self.mark(inst.results[0]);
            }
            InstKind::Store { buffer, value, .. }
            | InstKind::Fill { buffer, value }
            | InstKind::Alloc { buffer, fill: value }
                if self.values.contains(value) =>
            {
                self.buffers.insert(*buffer);
            }
            InstKind::Product(p) if self.any(&[], &[p.a.buffer, p.b.buffer]) => {
                self.buffers.insert(p.into.buffer);
            }
            // An array that is made anew: what was in it in the last round is gone.
            InstKind::Alloc { buffer, .. } => {
                self.buffers.remove(buffer);
            }
            InstKind::If { then_block, else_block, .. } => {
                for block in [then_block, else_block] {
                    self.block(block);
                    self.join(&block.yields, &inst.results);
                }
            }
            InstKind::For(l) => {
                self.join(&l.inits, &l.body.args[1..]);
                self.join(&l.inits, &inst.results);
                self.rounds(|this| {
                    this.block(&l.body);
                    this.join(&l.body.yields, &l.body.args[1..]);
                });
                self.join(&l.body.yields, &inst.results);
            }
            InstKind::While { inits, cond_block, body } => {
                self.rounds(|this| {
                    for to in [&cond_block.args, &body.args, &inst.results] {
                        this.join(inits, to);
                        this.join(&body.yields, to);
                    }
                    this.block(cond_block);
                    this.block(body);
                });
            }
            InstKind::Call(call) => {
                let reached = call.args.iter().any(|a| match a {
                    Arg::Value(v) => self.values.contains(v),
                    Arg::Buffer { buffer, .. } => self.buffers.contains(buffer),
                });
                if reached {
                    inst.results.iter().for_each(|r| self.mark(*r));
                }
            }
            _ => {}
        }
    }
}
