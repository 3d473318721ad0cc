//! Folding: identities of 0, 1 and sign, constants, decided branches.
//!
//! Only what is exact is folded (up to the sign of zero): `x + 0`, `x · 1`, `x / 1`, `-(-x)`, `x + (-y)`, and
//! arithmetic on two constants, which rounds now as it would later. `x · 0` is not: x may be infinite or NaN.
//! Functions of libm are left to run time, whose libm is the user's.

use crate::analysis::definitions::{Definitions, literal};
use crate::ir::{Binary, Binding, Block, Cmp, FloatKind, Func, Inst, InstKind, Op, Type, Value, ValueMap};

/// Runs the pass.
pub(crate) fn fold(mut func: Func) -> Func {
    let mut body = std::mem::take(&mut func.body);
    let mut fold = Fold { func: &mut func, defs: ValueMap::default(), same: ValueMap::default() };
    fold.block(&mut body);
    let same = std::mem::take(&mut fold.same);
    for o in &mut func.outputs {
        if let Binding::Value(v) = &mut o.binding {
            *v = same.or_itself(*v);
        }
    }
    for data in &mut func.buffers {
        for dim in &mut data.dims {
            if let crate::ir::Dim::Dyn(v) = dim {
                *v = same.or_itself(*v);
            }
        }
    }
    func.body = body;
    func
}

struct Fold<'a> {
    func: &'a mut Func,
    /// Pure definitions seen so far.
    defs: Definitions,
    same: ValueMap<Value>,
}

/// What an operation becomes.
enum Folded {
    Same(Value),
    Op(Op, Vec<Value>),
}

impl Fold<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            inst.kind.map_operands(|v| self.same.or_itself(v));
            self.inst(inst, &mut insts);
        }
        block.insts = insts;
        for y in &mut block.yields {
            *y = self.same.or_itself(*y);
        }
    }

    fn inst(&mut self, mut inst: Inst, out: &mut Vec<Inst>) {
        if let InstKind::Pure(op, args) = &inst.kind {
            let result = inst.results[0];
            match self.pure(op, args, result) {
                Some(Folded::Same(v)) if self.compatible(v, result) => {
                    if self.func.value(v).name.is_none() {
                        self.func.values[v.0 as usize].name = self.func.value(result).name.clone();
                    }
                    self.same.insert(result, v);
                    return;
                }
                Some(Folded::Op(op, args)) => inst.kind = InstKind::Pure(op, args),
                _ => {}
            }
            // Those that others look at.
            if let InstKind::Pure(
                op @ (Op::Float(_) | Op::Int(_) | Op::Bool(_) | Op::Neg | Op::Sub | Op::Not),
                args,
            ) = &inst.kind
            {
                self.defs.insert(result, (op.clone(), args.clone()));
            }
        }
        for nested in inst.kind.blocks_mut() {
            self.block(nested);
        }
        if let InstKind::If { cond, then_block, else_block } = &mut inst.kind
            && let Some(Op::Bool(taken)) = self.op(*cond)
        {
            let block = if *taken { then_block } else { else_block };
            if !block.diverges {
                for (r, y) in inst.results.iter().zip(&block.yields) {
                    self.same.insert(*r, *y);
                }
                out.append(&mut block.insts);
                return;
            }
        }
        // No rounds.
        if let InstKind::For(l) = &inst.kind
            && l.lo == l.hi
            && !l.inclusive
        {
            for (r, init) in inst.results.iter().zip(&l.inits) {
                self.same.insert(*r, *init);
            }
            return;
        }
        // Branches that yield the same need not be asked.
        if let InstKind::If { then_block, else_block, .. } = &inst.kind
            && !then_block.diverges
            && !else_block.diverges
        {
            for ((r, t), e) in inst.results.iter().zip(&then_block.yields).zip(&else_block.yields) {
                if t == e {
                    self.same.insert(*r, *t);
                }
            }
        }
        out.push(inst);
    }

    /// Whether a value can stand for another of this type.
    fn compatible(&self, v: Value, of: Value) -> bool {
        self.func.ty(v) == self.func.ty(of) || !self.func.is_float(of)
    }

    fn op(&self, v: Value) -> Option<&Op> {
        self.defs.get(&v).map(|(op, _)| op)
    }
    fn float(&self, v: Value) -> Option<f64> {
        match self.op(v) {
            Some(Op::Float(c)) => Some(*c),
            _ => None,
        }
    }
    /// A small literal, and whether it says that it is a `usize`.
    fn int(&self, v: Value) -> Option<(i64, bool)> {
        let n = i64::try_from(literal(&self.defs, v)?).ok()?;
        let sized = matches!(self.op(v), Some(Op::Int(text)) if text.ends_with("usize"));
        let largest = if sized { i64::from(i32::MAX) } else { i64::from(i16::MAX) };
        (n <= largest).then_some((n, sized))
    }
    /// Whether a value is this literal, of whatever type.
    fn is_int(&self, v: Value, n: u64) -> bool {
        literal(&self.defs, v) == Some(n)
    }
    fn negated(&self, v: Value) -> Option<Value> {
        match self.defs.get(&v) {
            Some((Op::Neg, args)) => Some(args[0]),
            _ => None,
        }
    }

    fn pure(&self, op: &Op, args: &[Value], result: Value) -> Option<Folded> {
        use Folded::{Op as Becomes, Same};
        if !self.func.is_float(result) {
            return self.discrete(op, args);
        }
        let f = |k: usize| self.float(args[k]);
        let single = self.func.ty(result) == &Type::Float(FloatKind::F32);
        let generic = matches!(self.func.ty(result), Type::Float(FloatKind::Param(_)));
        let round = |c: f64| if single { f64::from(c as f32) } else { c };
        if let (Op::Add | Op::Sub | Op::Mul | Op::Div, [a, b]) = (op, args)
            && let (Some(a), Some(b)) = (self.float(*a), self.float(*b))
        {
            let (a, b) = (round(a), round(b));
            let c = round(match op {
                Op::Add => a + b,
                Op::Sub => a - b,
                Op::Mul => a * b,
                _ => a / b,
            });
            // Of a generic float only what is the same in all types.
            if !generic || [a, b, c].into_iter().all(|c| f64::from(c as f32) == c) {
                return Some(Becomes(Op::Float(c), Vec::new()));
            }
        }
        match op {
            Op::Add if f(0) == Some(0.0) => Some(Same(args[1])),
            Op::Add | Op::Sub if f(1) == Some(0.0) => Some(Same(args[0])),
            Op::Add => match (self.negated(args[0]), self.negated(args[1])) {
                (_, Some(b)) => Some(Becomes(Op::Sub, vec![args[0], b])),
                (Some(a), None) => Some(Becomes(Op::Sub, vec![args[1], a])),
                _ => None,
            },
            Op::Sub if f(0) == Some(0.0) => Some(Becomes(Op::Neg, vec![args[1]])),
            Op::Sub => self.negated(args[1]).map(|b| Becomes(Op::Add, vec![args[0], b])),
            Op::Mul if f(0) == Some(1.0) => Some(Same(args[1])),
            Op::Mul | Op::Div if f(1) == Some(1.0) => Some(Same(args[0])),
            Op::Mul if f(0) == Some(-1.0) => Some(Becomes(Op::Neg, vec![args[1]])),
            Op::Mul | Op::Div if f(1) == Some(-1.0) => Some(Becomes(Op::Neg, vec![args[0]])),
            Op::Mul | Op::Div => match (self.negated(args[0]), self.negated(args[1])) {
                (Some(a), Some(b)) => Some(Becomes(op.clone(), vec![a, b])),
                _ => None,
            },
            Op::Neg => match (self.float(args[0]), self.defs.get(&args[0])) {
                (Some(c), _) => Some(Becomes(Op::Float(-c), Vec::new())),
                (_, Some((Op::Neg, inner))) => Some(Same(inner[0])),
                (_, Some((Op::Sub, inner))) => Some(Becomes(Op::Sub, vec![inner[1], inner[0]])),
                _ => None,
            },
            Op::Select => self.select(args),
            _ => None,
        }
    }

    fn select(&self, args: &[Value]) -> Option<Folded> {
        match self.op(args[0]) {
            Some(Op::Bool(c)) => Some(Folded::Same(args[if *c { 1 } else { 2 }])),
            _ if args[1] == args[2] => Some(Folded::Same(args[1])),
            _ => None,
        }
    }

    /// Integers and bools. Integers only where no type and no overflow can matter: small literals.
    fn discrete(&self, op: &Op, args: &[Value]) -> Option<Folded> {
        use Folded::{Op as Becomes, Same};
        let i = |k: usize| self.int(args[k]);
        let both = || Some((i(0)?, i(1)?));
        match op {
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem => {
                if let Some(((a, a_sized), (b, b_sized))) = both() {
                    let c = match op {
                        Op::Add => a + b,
                        Op::Sub => a - b,
                        Op::Mul => a * b,
                        Op::Div => a.checked_div(b)?,
                        _ => a.checked_rem(b)?,
                    };
                    // Both are of one type.
                    let sized = a_sized || b_sized;
                    let (largest, suffix) =
                        if sized { (i64::from(i32::MAX), "_usize") } else { (i64::from(i8::MAX), "") };
                    let small = (0..=largest).contains(&c);
                    return small.then(|| Becomes(Op::Int(format!("{c}{suffix}").into()), Vec::new()));
                }
                match op {
                    Op::Add if self.is_int(args[0], 0) => Some(Same(args[1])),
                    Op::Add | Op::Sub if self.is_int(args[1], 0) => Some(Same(args[0])),
                    Op::Mul if self.is_int(args[0], 1) => Some(Same(args[1])),
                    Op::Mul if self.is_int(args[1], 1) => Some(Same(args[0])),
                    _ => None,
                }
            }
            Op::Binary(Binary::Min) if args[0] == args[1] => Some(Same(args[0])),
            Op::Cmp(c) if let (Some(a), Some(b)) = (self.float(args[0]), self.float(args[1])) => {
                // Of floats whose type is not f64 only what is the same in all types.
                let plain = self.func.ty(args[0]) == &Type::Float(FloatKind::F64);
                if !plain && [a, b].into_iter().any(|c| f64::from(c as f32) != c) {
                    return None;
                }
                let holds = match c {
                    Cmp::Eq => a == b,
                    Cmp::Ne => a != b,
                    Cmp::Lt => a < b,
                    Cmp::Le => a <= b,
                    Cmp::Gt => a > b,
                    Cmp::Ge => a >= b,
                };
                Some(Becomes(Op::Bool(holds), Vec::new()))
            }
            Op::Cmp(c) => {
                let ((a, _), (b, _)) = both()?;
                let holds = match c {
                    Cmp::Eq => a == b,
                    Cmp::Ne => a != b,
                    Cmp::Lt => a < b,
                    Cmp::Le => a <= b,
                    Cmp::Gt => a > b,
                    Cmp::Ge => a >= b,
                };
                Some(Becomes(Op::Bool(holds), Vec::new()))
            }
            Op::Not => match self.defs.get(&args[0]) {
                Some((Op::Bool(b), _)) => Some(Becomes(Op::Bool(!b), Vec::new())),
                Some((Op::Not, inner)) => Some(Same(inner[0])),
                _ => None,
            },
            Op::And | Op::Or => {
                let stops = matches!(op, Op::Or);
                match (self.op(args[0]), self.op(args[1])) {
                    (Some(Op::Bool(b)), _) => Some(Same(args[usize::from(*b != stops)])),
                    (_, Some(Op::Bool(b))) => Some(Same(args[usize::from(*b == stops)])),
                    _ => None,
                }
            }
            Op::Select => self.select(args),
            // A vector that does not grow is as long as it was made.
            Op::Len(b, axis) => match (self.func.buffer(*b).grows, self.func.buffer(*b).dims.get(*axis)) {
                (false, Some(crate::ir::Dim::Dyn(v))) => Some(Same(*self.same.get(v).unwrap_or(v))),
                _ => None,
            },
            _ => None,
        }
    }
}
