//! What the passes have in common that write sums and products of derivatives anew ([`super::collect`], [`super::powers`],
//! [`super::quotients`]): which values others need, which constants may move, and the instructions.

use crate::ir::{Binding, Block, Dim, FloatKind, Func, Inst, InstKind, Op, Type, Value};

/// By how many instructions (and blocks, outputs, lengths) each value is used.
pub(super) fn consumers(func: &Func) -> Vec<u32> {
    fn block(b: &Block, count: &mut [u32], used: &mut Vec<Value>) {
        for inst in &b.insts {
            used.clear();
            inst.kind.each_operand(|v| {
                if !used.contains(&v) {
                    used.push(v);
                }
            });
            used.iter().for_each(|v| count[v.0 as usize] += 1);
            inst.kind.blocks().for_each(|nested| block(nested, count, used));
        }
        b.yields.iter().for_each(|v| count[v.0 as usize] += 1);
    }
    let mut count = vec![0; func.values.len()];
    block(&func.body, &mut count, &mut Vec::new());
    let outputs = func.outputs.iter().filter_map(|o| match o.binding {
        Binding::Value(v) => Some(v),
        Binding::Buffer(_) => None,
    });
    let lengths = func.buffers.iter().flat_map(|b| &b.dims).filter_map(|d| match d {
        Dim::Dyn(v) => Some(*v),
        _ => None,
    });
    outputs.chain(lengths).for_each(|v| count[v.0 as usize] += 1);
    count
}

/// Whether a constant may be multiplied in elsewhere: others may be there to hold off an overflow.
pub(super) fn nice(c: f64) -> bool {
    (2.0f64.powi(-20)..=2.0f64.powi(20)).contains(&c.abs())
}

/// A constant of a value as it may take part in sums and products: as the value's type rounds it, and of a generic float only what is
/// the same in all types.
pub(super) fn usable(func: &Func, v: Value, c: f64) -> Option<f64> {
    let c = match func.ty(v) {
        Type::Float(FloatKind::F32) => f64::from(c as f32),
        Type::Float(FloatKind::Param(_)) if f64::from(c as f32) != c => return None,
        _ => c,
    };
    nice(c).then_some(c)
}

pub(super) fn is_power_of_two(c: f64) -> bool {
    c.is_normal() && c.to_bits() & ((1 << 52) - 1) == 0
}

/// Instructions of a derivative, of one type of float.
pub(super) struct Written<'a> {
    func: &'a mut Func,
    ty: Type,
    pub(super) out: Vec<Inst>,
    /// A constant was asked for that cannot be.
    pub(super) failed: bool,
}

impl Written<'_> {
    pub(super) fn new(func: &mut Func, ty: Type) -> Written<'_> {
        Written { func, ty, out: Vec::new(), failed: false }
    }

    pub(super) fn op(&mut self, op: Op, args: Vec<Value>) -> Value {
        let v = self.func.new_value(self.ty.clone(), None);
        self.func.values[v.0 as usize].free = true;
        self.out.push(Inst { results: vec![v], kind: InstKind::Pure(op, args) });
        v
    }

    pub(super) fn constant(&mut self, c: f64) -> Value {
        let generic = matches!(self.ty, Type::Float(FloatKind::Param(_)));
        self.failed |= !nice(c) || (generic && f64::from(c as f32) != c);
        self.op(Op::Float(c), Vec::new())
    }

    pub(super) fn scale(&mut self, c: f64, v: Value) -> Value {
        if c == 1.0 {
            v
        } else if c == -1.0 {
            self.op(Op::Neg, vec![v])
        } else if c == 2.0 {
            self.op(Op::Add, vec![v, v])
        } else {
            let c = self.constant(c);
            self.op(Op::Mul, vec![c, v])
        }
    }

    /// How many operations they are.
    pub(super) fn cost(&self) -> usize {
        self.out.iter().filter(|i| !matches!(i.kind, InstKind::Pure(Op::Float(_), _))).count()
    }
}
