//! The last check of the frontend: no active value goes through code that the macro does not look into and comes back as
//! a float. What an active value reaches is known for sure only when all types are: here.

use std::collections::HashSet;

use proc_macro2::Span;
use syn::spanned::Spanned;

use crate::ir::{Arg, Binding, Block, Buffer, Func, Inst, InstKind, Op, Storage, Type, Value, Verbatim};

/// Where derivatives would be lost.
pub(super) fn leaks(func: &Func) -> Vec<Span> {
    let mut reached = Reached { func, values: HashSet::new(), buffers: HashSet::new() };
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
    loop {
        let before = (reached.values.len(), reached.buffers.len());
        reached.block(&func.body);
        if (reached.values.len(), reached.buffers.len()) == before {
            break;
        }
    }
    let mut found = Vec::new();
    func.body.visit(&mut |inst| {
        if let InstKind::Pure(Op::Verbatim(verbatim), args) = &inst.kind
            && func.is_float(inst.results[0])
            && !is_constant(verbatim)
            && reached.any(args, &verbatim.buffers)
        {
            found.push(verbatim.tokens.span());
        }
    });
    found
}

/// `constant(x)`, which is there to hold a value fixed.
fn is_constant(verbatim: &Verbatim) -> bool {
    verbatim.tokens.to_string().starts_with(":: ad_runtime :: constant")
}

struct Reached<'a> {
    func: &'a Func,
    values: HashSet<Value>,
    buffers: HashSet<Buffer>,
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
                    self.mark(inst.results[0]);
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
            InstKind::If { then_block, else_block, .. } => {
                for block in [then_block, else_block] {
                    self.block(block);
                    self.join(&block.yields, &inst.results);
                }
            }
            InstKind::For(l) => {
                self.join(&l.inits, &l.body.args[1..]);
                self.join(&l.inits, &inst.results);
                self.block(&l.body);
                self.join(&l.body.yields, &l.body.args[1..]);
                self.join(&l.body.yields, &inst.results);
            }
            InstKind::While { inits, cond_block, body } => {
                for to in [&cond_block.args, &body.args, &inst.results] {
                    self.join(inits, to);
                    self.join(&body.yields, to);
                }
                self.block(cond_block);
                self.block(body);
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
