//! Emits instructions into nested blocks of a function under construction.

use std::sync::Arc;

use super::func::{BufferData, Func};
use super::ops::{Binary, Block, Cmp, Inst, InstKind, Op, StoreMode, Unary};
use super::types::{Buffer, Dim, FloatKind, Storage, Type, Value};

/// A function and the stack of blocks that are open in it; instructions go to the innermost.
#[derive(Clone)]
pub(crate) struct Builder {
    pub(crate) func: Func,
    open: Vec<Block>,
    /// Whether what is computed belongs to a derivative ([`crate::ir::func::ValueData::free`]).
    pub(crate) free: bool,
}

impl Builder {
    /// Opens the body of `func` anew: whatever it held is dropped.
    pub(crate) fn new(mut func: Func) -> Builder {
        func.body = Block::default();
        Builder { func, open: vec![Block::default()], free: false }
    }

    /// Closes the body.
    pub(crate) fn finish(mut self) -> Func {
        debug_assert_eq!(self.open.len(), 1, "blocks left open");
        self.func.body = self.open.pop().unwrap_or_default();
        self.func
    }

    /// Opens a block with these arguments.
    pub(crate) fn open(&mut self, args: Vec<Value>) {
        self.open.push(Block { args, ..Block::default() });
    }

    /// Closes the innermost block, which yields these values.
    pub(crate) fn close(&mut self, yields: Vec<Value>) -> Block {
        let mut block = self.open.pop().unwrap_or_default();
        block.yields = yields;
        block
    }

    /// The innermost open block.
    pub(crate) fn current(&mut self) -> &mut Block {
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    /// The outermost block.
    pub(crate) fn first(&mut self) -> &mut Block {
        &mut self.open[0]
    }

    /// Declares a vector in the outermost block, with a place for each of so many rounds in so many rounds.. (values of that
    /// block). What it holds first does not matter.
    pub(crate) fn outermost_buffer(&mut self, name: &str, elem: Type, rounds: &[Value]) -> Buffer {
        self.outermost(|b| {
            let len = rounds.iter().skip(1).fold(rounds[0], |len, n| b.mul(len, *n));
            let fill = b.float(0.0, elem.clone());
            let data = BufferData::new(name.into(), elem, vec![Dim::Dyn(len)], Storage::Local);
            let buffer = b.func.new_buffer(data);
            b.effect(InstKind::Alloc { buffer, fill });
            buffer
        })
    }

    /// Emits into the outermost block.
    pub(crate) fn outermost<T>(&mut self, emit: impl FnOnce(&mut Builder) -> T) -> T {
        let inner = self.open.split_off(1);
        let emitted = emit(self);
        self.open.extend(inner);
        emitted
    }

    /// The open blocks, outermost first.
    pub(crate) fn open_blocks(&mut self) -> &mut [Block] {
        &mut self.open
    }

    /// How many blocks are open: 1 is the function's body.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn push(&mut self, inst: Inst) {
        self.current().insts.push(inst);
    }

    /// An instruction without result.
    pub(crate) fn effect(&mut self, kind: InstKind) {
        self.push(Inst { results: Vec::new(), kind });
    }

    /// An instruction with new results of these types.
    pub(crate) fn emit(&mut self, kind: InstKind, types: Vec<Type>) -> Vec<Value> {
        let results: Vec<Value> = types.into_iter().map(|ty| self.func.new_value(ty, None)).collect();
        self.push(Inst { results: results.clone(), kind });
        results
    }

    /// A pure operation; the type of its result follows from the operands'.
    pub(crate) fn op(&mut self, op: Op, args: &[Value]) -> Value {
        let types: Vec<Type> = args.iter().map(|v| self.func.ty(*v).clone()).collect();
        let ty = op.result_type(&types);
        self.op_typed(op, args, ty)
    }

    pub(crate) fn op_typed(&mut self, op: Op, args: &[Value], ty: Type) -> Value {
        let result = self.func.new_value(ty, None);
        self.func.values[result.0 as usize].free = self.free;
        self.push(Inst { results: vec![result], kind: InstKind::Pure(op, args.to_vec()) });
        result
    }

    /// A float constant of the type of `like`.
    pub(crate) fn float_like(&mut self, c: f64, like: Value) -> Value {
        let ty = self.func.ty(like).clone();
        let ty = if ty.is_float() { ty } else { Type::Float(FloatKind::F64) };
        self.op_typed(Op::Float(c), &[], ty)
    }
    pub(crate) fn float(&mut self, c: f64, ty: Type) -> Value {
        self.op_typed(Op::Float(c), &[], ty)
    }
    pub(crate) fn int(&mut self, text: &str) -> Value {
        self.op(Op::Int(text.into()), &[])
    }
    pub(crate) fn boolean(&mut self, b: bool) -> Value {
        self.op(Op::Bool(b), &[])
    }
    pub(crate) fn add(&mut self, a: Value, b: Value) -> Value {
        self.op(Op::Add, &[a, b])
    }
    pub(crate) fn sub(&mut self, a: Value, b: Value) -> Value {
        self.op(Op::Sub, &[a, b])
    }
    pub(crate) fn mul(&mut self, a: Value, b: Value) -> Value {
        self.op(Op::Mul, &[a, b])
    }
    pub(crate) fn div(&mut self, a: Value, b: Value) -> Value {
        self.op(Op::Div, &[a, b])
    }
    /// `a / b` by way of `1 / b`, which derivatives often need several times: one division serves them all.
    pub(crate) fn over(&mut self, a: Value, b: Value) -> Value {
        // The divisor may be of a type that rustc alone knows (`x / c(2.0)`).
        let like = if self.func.is_float(b) { b } else { a };
        let one = self.float_like(1.0, like);
        let ty = self.func.ty(like).clone();
        let inverse = self.op_typed(Op::Div, &[one, b], ty);
        self.mul(a, inverse)
    }
    pub(crate) fn neg(&mut self, a: Value) -> Value {
        self.op(Op::Neg, &[a])
    }
    pub(crate) fn unary(&mut self, f: Unary, a: Value) -> Value {
        self.op(Op::Unary(f), &[a])
    }
    pub(crate) fn binary(&mut self, f: Binary, a: Value, b: Value) -> Value {
        self.op(Op::Binary(f), &[a, b])
    }
    pub(crate) fn cmp(&mut self, c: Cmp, a: Value, b: Value) -> Value {
        self.op(Op::Cmp(c), &[a, b])
    }
    pub(crate) fn select(&mut self, c: Value, a: Value, b: Value) -> Value {
        self.op(Op::Select, &[c, a, b])
    }
    pub(crate) fn load(&mut self, buffer: Buffer, index: Vec<Value>) -> Value {
        let ty = self.func.buffer(buffer).elem.clone();
        self.emit(InstKind::Load { buffer, index }, vec![ty])[0]
    }
    pub(crate) fn store(&mut self, buffer: Buffer, index: Vec<Value>, value: Value, mode: StoreMode) {
        self.effect(InstKind::Store { buffer, index, value, mode });
    }

    /// The operation that made a value, if it is a constant of an open block.
    pub(crate) fn constant(&self, v: Value) -> Option<Op> {
        let mut insts = self.open.iter().rev().flat_map(|block| block.insts.iter().rev());
        insts.find(|inst| inst.results.contains(&v)).and_then(|inst| match &inst.kind {
            InstKind::Pure(op @ (Op::Float(_) | Op::Int(_) | Op::Bool(_)), _) => Some(op.clone()),
            _ => None,
        })
    }

    /// The instruction that defines a value, if it is in an open block.
    pub(crate) fn definition(&self, v: Value) -> Option<&InstKind> {
        let mut insts = self.open.iter().rev().flat_map(|block| block.insts.iter().rev());
        insts.find(|inst| inst.results.contains(&v)).map(|inst| &inst.kind)
    }

    /// Whether a value was loaded from a buffer, in an open block.
    pub(crate) fn is_load(&self, v: Value) -> bool {
        let mut insts = self.open.iter().rev().flat_map(|block| block.insts.iter().rev());
        let found = insts.find(|inst| inst.results.contains(&v));
        found.is_some_and(|inst| matches!(inst.kind, InstKind::Load { .. }))
    }

    /// Names a value, unless it has a name.
    pub(crate) fn name(&mut self, v: Value, name: impl FnOnce() -> Arc<str>) {
        let slot = &mut self.func.values[v.0 as usize].name;
        if slot.is_none() {
            *slot = Some(name());
        }
    }
}
