//! Visiting and rewriting what instructions refer to: operands, buffers, nested blocks. Every pass leans on
//! these, so that a new instruction is taught to all of them in one place.

use super::ops::{Arg, BarArg, Block, Call, Inst, InstKind, Op};
use super::types::{Buffer, Dim, Stack, Value};

/// The blocks of an instruction, in order. Most have none, which costs nothing here, as a list would.
#[derive(Clone)]
pub(crate) struct Nested<B>(Option<B>, Option<B>);

impl<B> Iterator for Nested<B> {
    type Item = B;

    fn next(&mut self) -> Option<B> {
        match self.0.take() {
            None => None,
            first => {
                self.0 = self.1.take();
                first
            }
        }
    }
}

impl InstKind {
    /// Calls `f` on every operand of the instruction itself (not on what its nested blocks use or yield).
    pub(crate) fn each_operand(&self, mut f: impl FnMut(Value)) {
        // One traversal serves reading and rewriting: reading is rewriting a copy that is thrown away, but
        // without the copy of nested blocks.
        match self {
            InstKind::Pure(_, args) | InstKind::Effect(_, args) => args.iter().copied().for_each(f),
            InstKind::Load { index, .. } => index.iter().copied().for_each(f),
            InstKind::Store { index, value, .. } => {
                index.iter().copied().for_each(&mut f);
                f(*value);
            }
            InstKind::Alloc { fill: value, .. }
            | InstKind::Fill { value, .. }
            | InstKind::Grow { len: value, .. }
            | InstKind::Push { value, .. } => f(*value),
            InstKind::Pop { .. } | InstKind::PushBuffer { .. } | InstKind::PopBuffer { .. } => {}
            InstKind::Window { start, len, .. } => {
                f(*start);
                f(*len);
            }
            InstKind::Product(p) => p.factors().iter().filter_map(|f| f.shape).flatten().for_each(f),
            InstKind::If { cond, .. } => f(*cond),
            InstKind::For(l) => {
                f(l.lo);
                f(l.hi);
                l.step.into_iter().for_each(&mut f);
                l.inits.iter().copied().for_each(f);
            }
            InstKind::While { inits, .. } => inits.iter().copied().for_each(f),
            InstKind::Call(call) => {
                let mut call = call.clone();
                call.map_operands(&mut |v| {
                    f(v);
                    v
                });
            }
        }
    }

    /// As [`InstKind::each_operand`], without what a loop's carried values start from.
    pub(crate) fn each_operand_but_inits(&self, mut f: impl FnMut(Value)) {
        match self {
            InstKind::For(l) => {
                f(l.lo);
                f(l.hi);
                l.step.into_iter().for_each(f);
            }
            InstKind::While { .. } => {}
            _ => self.each_operand(f),
        }
    }

    /// Replaces every operand of the instruction itself by `f` of it.
    pub(crate) fn map_operands(&mut self, mut f: impl FnMut(Value) -> Value) {
        match self {
            InstKind::Pure(_, args) | InstKind::Effect(_, args) => {
                args.iter_mut().for_each(|v| *v = f(*v));
            }
            InstKind::Load { index, .. } => index.iter_mut().for_each(|v| *v = f(*v)),
            InstKind::Store { index, value, .. } => {
                index.iter_mut().for_each(|v| *v = f(*v));
                *value = f(*value);
            }
            InstKind::Alloc { fill: value, .. }
            | InstKind::Fill { value, .. }
            | InstKind::Grow { len: value, .. }
            | InstKind::Push { value, .. } => *value = f(*value),
            InstKind::Pop { .. } | InstKind::PushBuffer { .. } | InstKind::PopBuffer { .. } => {}
            InstKind::Window { start, len, .. } => {
                *start = f(*start);
                *len = f(*len);
            }
            InstKind::Product(p) => {
                let shapes = p.factors_mut().into_iter().filter_map(|f| f.shape.as_mut());
                shapes.flatten().for_each(|v| *v = f(*v));
            }
            InstKind::If { cond, .. } => *cond = f(*cond),
            InstKind::For(l) => {
                l.lo = f(l.lo);
                l.hi = f(l.hi);
                l.step = l.step.map(&mut f);
                l.inits.iter_mut().for_each(|v| *v = f(*v));
            }
            InstKind::While { inits, .. } => inits.iter_mut().for_each(|v| *v = f(*v)),
            InstKind::Call(call) => call.map_operands(&mut f),
        }
    }

    /// Calls `f` on every buffer the instruction itself names.
    pub(crate) fn each_buffer(&self, mut f: impl FnMut(Buffer)) {
        match self {
            InstKind::Pure(Op::Len(buffer, _), _) => f(*buffer),
            InstKind::Pure(Op::Verbatim(v), _) | InstKind::Effect(v, _) => {
                v.buffers.iter().copied().for_each(f);
            }
            InstKind::Load { buffer, .. }
            | InstKind::Store { buffer, .. }
            | InstKind::Alloc { buffer, .. }
            | InstKind::Fill { buffer, .. }
            | InstKind::Grow { buffer, .. }
            | InstKind::PushBuffer { buffer, .. }
            | InstKind::PopBuffer { buffer, .. } => f(*buffer),
            InstKind::Window { window, of, .. } => {
                f(*window);
                f(*of);
            }
            InstKind::Product(p) => p.factors().iter().for_each(|factor| f(factor.buffer)),
            InstKind::Call(call) => {
                let mut call = call.clone();
                call.map_buffers(&mut |b| {
                    f(b);
                    b
                });
            }
            _ => {}
        }
    }

    /// Replaces every buffer the instruction itself names by `f` of it.
    pub(crate) fn map_buffers(&mut self, mut f: impl FnMut(Buffer) -> Buffer) {
        match self {
            InstKind::Pure(Op::Len(buffer, _), _) => *buffer = f(*buffer),
            InstKind::Pure(Op::Verbatim(v), _) | InstKind::Effect(v, _) => {
                v.buffers.iter_mut().for_each(|b| *b = f(*b));
            }
            InstKind::Load { buffer, .. }
            | InstKind::Store { buffer, .. }
            | InstKind::Alloc { buffer, .. }
            | InstKind::Fill { buffer, .. }
            | InstKind::Grow { buffer, .. }
            | InstKind::PushBuffer { buffer, .. }
            | InstKind::PopBuffer { buffer, .. } => *buffer = f(*buffer),
            InstKind::Window { window, of, .. } => {
                *window = f(*window);
                *of = f(*of);
            }
            InstKind::Product(p) => {
                p.factors_mut().into_iter().for_each(|factor| factor.buffer = f(factor.buffer));
            }
            InstKind::Call(call) => call.map_buffers(&mut f),
            _ => {}
        }
    }

    /// The buffers the instruction itself may read.
    pub(crate) fn reads(&self) -> Vec<Buffer> {
        match self {
            InstKind::Load { buffer, .. } | InstKind::PushBuffer { buffer, .. } => vec![*buffer],
            InstKind::Window { of, .. } => vec![*of],
            InstKind::Product(p) => vec![p.a.buffer, p.b.buffer],
            InstKind::Pure(Op::Verbatim(v), _) | InstKind::Effect(v, _) => v.buffers.clone(),
            InstKind::Call(call) => call
                .args
                .iter()
                .chain(call.dots.iter().flatten().flatten())
                .filter_map(|a| match a {
                    Arg::Buffer { buffer, .. } => Some(*buffer),
                    Arg::Value(_) => None,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The buffers whose elements the instruction itself may change. An `Alloc` starts a life, it is no write.
    pub(crate) fn writes(&self) -> Vec<Buffer> {
        match self {
            InstKind::Store { buffer, .. }
            | InstKind::Fill { buffer, .. }
            | InstKind::Grow { buffer, .. }
            | InstKind::PopBuffer { buffer, .. } => vec![*buffer],
            InstKind::Window { of, mutable: true, .. } => vec![*of],
            InstKind::Product(p) => vec![p.into.buffer],
            InstKind::Call(call) => call
                .bars
                .iter()
                .flatten()
                .flatten()
                .filter_map(|a| match a {
                    BarArg::Into(Arg::Buffer { buffer, .. }) => Some(*buffer),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it may read or write buffers: most instructions do not, and are not asked which.
    fn has_memory(&self) -> bool {
        !matches!(self, InstKind::Pure(op, _) if !matches!(op, Op::Verbatim(_)))
    }

    /// Whether there are nested blocks: most instructions have none, and are not asked for them.
    pub(crate) fn has_blocks(&self) -> bool {
        matches!(self, InstKind::If { .. } | InstKind::For(_) | InstKind::While { .. })
    }

    /// The nested blocks.
    pub(crate) fn blocks(&self) -> Nested<&Block> {
        match self {
            InstKind::If { then_block, else_block, .. } => Nested(Some(then_block), Some(else_block)),
            InstKind::For(l) => Nested(Some(&l.body), None),
            InstKind::While { cond_block, body, .. } => Nested(Some(cond_block), Some(body)),
            _ => Nested(None, None),
        }
    }

    /// The nested blocks, to change.
    pub(crate) fn blocks_mut(&mut self) -> Nested<&mut Block> {
        match self {
            InstKind::If { then_block, else_block, .. } => Nested(Some(then_block), Some(else_block)),
            InstKind::For(l) => Nested(Some(&mut l.body), None),
            InstKind::While { cond_block, body, .. } => Nested(Some(cond_block), Some(body)),
            _ => Nested(None, None),
        }
    }

    /// The stack it pushes to or pops from.
    pub(crate) fn stack(&self) -> Option<Stack> {
        match self {
            InstKind::Push { stack, .. }
            | InstKind::Pop { stack }
            | InstKind::PushBuffer { stack, .. }
            | InstKind::PopBuffer { stack, .. } => Some(*stack),
            _ => None,
        }
    }
}

impl Inst {
    /// Whether the instruction, or one nested in it, does anything with a buffer's contents.
    pub(crate) fn touches(&self, buffer: Buffer) -> bool {
        if matches!(self.kind, InstKind::Pure(Op::Len(..), _)) {
            return false;
        }
        let mut found = false;
        self.kind.each_buffer(|b| found |= b == buffer);
        found || self.kind.blocks().any(|block| block.insts.iter().any(|i| i.touches(buffer)))
    }
}

impl Arg {
    fn map_operands(&mut self, f: &mut impl FnMut(Value) -> Value) {
        match self {
            Arg::Value(v) => *v = f(*v),
            Arg::Buffer { prefix, range, .. } => {
                prefix.iter_mut().for_each(|v| *v = f(*v));
                if let Some((start, len)) = range {
                    *start = f(*start);
                    *len = f(*len);
                }
            }
        }
    }
    fn map_buffers(&mut self, f: &mut impl FnMut(Buffer) -> Buffer) {
        if let Arg::Buffer { buffer, .. } = self {
            *buffer = f(*buffer);
        }
    }
}

impl Call {
    fn each_arg_mut(&mut self, mut f: impl FnMut(&mut Arg)) {
        self.args.iter_mut().for_each(&mut f);
        self.dots.iter_mut().flatten().flatten().for_each(&mut f);
        for bar in self.bars.iter_mut().flatten().flatten() {
            if let BarArg::Into(arg) = bar {
                f(arg);
            }
        }
    }
    fn map_operands(&mut self, f: &mut impl FnMut(Value) -> Value) {
        self.each_arg_mut(|a| a.map_operands(f));
        self.seeds.iter_mut().for_each(|v| *v = f(*v));
    }
    fn map_buffers(&mut self, f: &mut impl FnMut(Buffer) -> Buffer) {
        self.each_arg_mut(|a| a.map_buffers(f));
    }
}

impl Block {
    /// Calls `f` on every instruction of the block and of all blocks nested in it, outermost first.
    pub(crate) fn visit<'a>(&'a self, f: &mut impl FnMut(&'a Inst)) {
        for inst in &self.insts {
            f(inst);
            if inst.kind.has_blocks() {
                inst.kind.blocks().for_each(|block| block.visit(f));
            }
        }
    }

    /// Calls `f` on every instruction, nested ones first, to change it.
    pub(crate) fn visit_mut(&mut self, f: &mut impl FnMut(&mut Inst)) {
        for inst in &mut self.insts {
            if inst.kind.has_blocks() {
                inst.kind.blocks_mut().for_each(|block| block.visit_mut(f));
            }
            f(inst);
        }
    }

    /// Calls `f` on every value used in the block, yields and nested blocks included.
    pub(crate) fn each_use(&self, f: &mut impl FnMut(Value)) {
        for inst in &self.insts {
            inst.kind.each_operand(&mut *f);
            if inst.kind.has_blocks() {
                inst.kind.blocks().for_each(|block| block.each_use(f));
            }
        }
        self.yields.iter().copied().for_each(f);
    }

    /// Replaces every use of a value in the block and all nested ones (not definitions).
    pub(crate) fn map_uses(&mut self, f: &mut impl FnMut(Value) -> Value) {
        for inst in &mut self.insts {
            inst.kind.map_operands(&mut *f);
            if inst.kind.has_blocks() {
                inst.kind.blocks_mut().for_each(|block| block.map_uses(f));
            }
        }
        self.yields.iter_mut().for_each(|v| *v = f(*v));
    }

    /// Buffers that this block or one nested in it writes, each once.
    pub(crate) fn writes(&self) -> Vec<Buffer> {
        let mut all = Vec::new();
        self.visit(&mut |inst| {
            if inst.kind.has_memory() {
                all.extend(inst.kind.writes());
            }
        });
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Buffers that this block or one nested in it reads, each once.
    pub(crate) fn reads(&self) -> Vec<Buffer> {
        let mut all = Vec::new();
        self.visit(&mut |inst| {
            if inst.kind.has_memory() {
                all.extend(inst.kind.reads());
            }
        });
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Buffers declared in this block or one nested in it.
    pub(crate) fn allocs(&self) -> Vec<Buffer> {
        let mut all = Vec::new();
        self.visit(&mut |inst| {
            if let InstKind::Alloc { buffer, .. } = inst.kind {
                all.push(buffer);
            }
        });
        all
    }
}

/// The values that the axes of a buffer refer to.
pub(crate) fn dim_values(dims: &[Dim]) -> impl Iterator<Item = Value> {
    dims.iter().filter_map(|d| match d {
        Dim::Dyn(v) => Some(*v),
        _ => None,
    })
}
