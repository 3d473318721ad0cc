//! Whether a function is as the cheap passes have left it: then they need not run again.
//!
//! Most of the passes that run between two optimisations find nothing to do in most functions. What a function looks like is
//! summed up in a number; should two that differ have the same, one of them is optimised less.

use crate::ir::{Binding, Block, Dim, Func, InstKind, Op, StoreMode};

/// A function in a number.
pub(super) fn summary(func: &Func) -> u64 {
    let mut sum = Sum(0);
    sum.add(func.values.len());
    sum.add(func.stacks.len());
    let mut free = 0_usize;
    for (k, data) in func.values.iter().enumerate() {
        if data.free {
            free ^= k.wrapping_mul(0x9e37_79b9);
        }
    }
    sum.add(free);
    for data in &func.buffers {
        sum.add(data.dims.len() << 8 | usize::from(data.grows) << 7 | (data.layout as usize) << 4);
        for dim in &data.dims {
            match dim {
                Dim::Dyn(v) => sum.add(v.0 as usize),
                Dim::Fixed(text) => sum.text(text),
                Dim::Slice => sum.add(usize::MAX),
            }
        }
    }
    for binding in func.params.iter().map(|p| p.binding).chain(func.outputs.iter().map(|o| o.binding)) {
        sum.add(match binding {
            Binding::Value(v) => v.0 as usize,
            Binding::Buffer(b) => b.0 as usize | 1 << 40,
        });
    }
    sum.block(&func.body);
    sum.0
}

struct Sum(u64);

impl Sum {
    fn add(&mut self, n: usize) {
        self.0 = (self.0.rotate_left(5) ^ n as u64).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn text(&mut self, text: &str) {
        self.add(text.len());
        for byte in text.as_bytes() {
            self.add(*byte as usize);
        }
    }

    fn block(&mut self, block: &Block) {
        self.add(block.insts.len());
        self.add(usize::from(block.diverges));
        for v in &block.args {
            self.add(v.0 as usize);
        }
        for inst in &block.insts {
            for v in &inst.results {
                self.add(v.0 as usize);
            }
            self.kind(&inst.kind);
            inst.kind.each_operand(|v| self.add(v.0 as usize));
            for nested in inst.kind.blocks() {
                self.block(nested);
            }
        }
        for v in &block.yields {
            self.add(v.0 as usize);
        }
    }

    /// What an instruction is, beside its operands.
    fn kind(&mut self, kind: &InstKind) {
        let which = match kind {
            InstKind::Pure(op, _) => return self.op(op),
            InstKind::Load { .. } => 1,
            InstKind::Store { mode: StoreMode::Set, .. } => 2,
            InstKind::Store { .. } => 3,
            InstKind::Alloc { .. } => 4,
            InstKind::Grow { .. } => 5,
            InstKind::Fill { .. } => 6,
            InstKind::Product(p) => 7 | usize::from(p.mode == StoreMode::Set) << 8,
            InstKind::Push { .. } => 8,
            InstKind::Pop { .. } => 9,
            InstKind::PushBuffer { .. } => 10,
            InstKind::PopBuffer { .. } => 11,
            InstKind::If { .. } => 12,
            InstKind::For(l) => {
                let flags = [l.inclusive, l.rev, l.flipped, l.step.is_some()];
                13 + flags.iter().enumerate().map(|(k, set)| usize::from(*set) << (8 + k)).sum::<usize>()
            }
            InstKind::While { .. } => 14,
            InstKind::Call(_) => 15,
            InstKind::Window { mutable, sight, .. } => {
                16 | usize::from(*mutable) << 8 | (*sight as usize) << 9
            }
            InstKind::Effect(..) => 17,
        };
        self.add(which);
        kind.each_buffer(|b| self.add(b.0 as usize));
    }

    fn op(&mut self, op: &Op) {
        match op {
            Op::Float(c) => self.add(c.to_bits() as usize),
            Op::Int(text) | Op::Cast(text) => self.text(text),
            Op::Bool(b) => self.add(20 + usize::from(*b)),
            Op::Add => self.add(22),
            Op::Sub => self.add(23),
            Op::Mul => self.add(24),
            Op::Div => self.add(25),
            Op::Rem => self.add(26),
            Op::Neg => self.add(27),
            Op::Unary(f) => self.add(1 << 8 | *f as usize),
            Op::Binary(f) => self.add(1 << 9 | *f as usize),
            Op::Inline(f) => self.add(1 << 11 | *f as usize),
            Op::Powi => self.add(28),
            Op::MulAdd => self.add(29),
            Op::Clamp => self.add(30),
            Op::Cmp(c) => self.add(1 << 10 | *c as usize),
            Op::Not => self.add(31),
            Op::And => self.add(32),
            Op::Or => self.add(33),
            Op::Select => self.add(34),
            Op::Test(_) => self.add(35),
            Op::Len(buffer, axis) => self.add(1 << 20 | (buffer.0 as usize) << 4 | axis),
            Op::Verbatim(v) => {
                self.add(36);
                v.buffers.iter().for_each(|b| self.add(b.0 as usize));
            }
            Op::Custom(_) => self.add(37),
        }
    }
}
