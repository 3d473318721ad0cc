//! What is added to a buffer of zeros for the first time is stored.
//!
//! ```text
//! x_bar.fill(0); for i in lo..hi { x_bar[i + c] += v }   becomes
//! for p in 0..lo + c { x_bar[p] = 0 }  for p in hi + c..x_bar.len() { x_bar[p] = 0 }
//! for i in lo..hi { x_bar[i + c] = v }
//! ```
//!
//! The loop must come first of all that touches the buffer after the filling, and touch it by this one store, once a
//! round. Then each place is written before anything reads it: memory is passed once, not twice and a half times. What is added to
//! single places before the loop is added after it. A buffer that is declared with zeros keeps its declaration, and the store no
//! longer reads. A product that is the first to add is stored likewise.
//!
//! What the value is made of is left alone: its sums keep their order, and zero plus a negative zero is none.

use crate::analysis::activity::{Activity, promised};
use crate::analysis::definitions::{Definitions, definitions, literal, offset};
use crate::ir::{Block, Buffer, Cmp, ForLoop, Func, Inst, InstKind, Op, Storage, StoreMode, Type, Value};

/// Runs the pass.
pub(crate) fn first_store(mut func: Func) -> Func {
    let (defs, primal) = (definitions(&func), promised(&func));
    let mut body = std::mem::take(&mut func.body);
    Pass { func: &mut func, defs, primal }.block(&mut body);
    func.body = body;
    func
}

struct Pass<'a> {
    func: &'a mut Func,
    defs: Definitions,
    primal: Activity,
}

impl Pass<'_> {
    fn block(&mut self, block: &mut Block) {
        for inst in &mut block.insts {
            for nested in inst.kind.blocks_mut() {
                self.block(nested);
            }
        }
        let mut at = 0;
        while at < block.insts.len() {
            at = self.zeros(block, at).unwrap_or(at + 1);
        }
    }

    /// If the instruction makes a buffer zero, and a loop or a product is the first to add to it: where to go on.
    fn zeros(&mut self, block: &mut Block, at: usize) -> Option<usize> {
        let (buffer, zero, fills) = match block.insts[at].kind {
            InstKind::Fill { buffer, value } => (buffer, value, true),
            InstKind::Alloc { buffer, fill } => (buffer, fill, false),
            _ => return None,
        };
        if !matches!(self.defs.get(&zero), Some((Op::Float(z), _)) if *z == 0.0) || self.primal.buffer(buffer)
        {
            return None;
        }
        let next = |from: usize| (from..block.insts.len()).find(|k| block.insts[*k].touches(buffer));
        let mut first = next(at + 1)?;
        let mut points = Vec::new();
        while is_addition(&block.insts[first]) {
            points.push(first);
            first = next(first + 1)?;
        }
        if let InstKind::Product(p) = &mut block.insts[first].kind
            && points.is_empty()
        {
            if p.into.buffer != buffer {
                return None;
            }
            p.mode = StoreMode::Set;
            if fills {
                block.insts.remove(at);
                return Some(at);
            }
            return None;
        }
        let data = self.func.buffer(buffer);
        let plain = data.dims.len() == 1
            && data.field.is_none()
            && data.layout == crate::ir::Layout::Nested
            && data.storage != Storage::Window;
        if !fills && data.dims.len() > 1 {
            if let InstKind::For(l) = &mut block.insts[first].kind
                && points.is_empty()
            {
                set_each(l, buffer);
            }
            return None;
        }
        if !plain {
            return None;
        }
        let InstKind::For(l) = &block.insts[first].kind else { return None };
        let (store, offset) = self.only_addition(l, buffer)?;
        let lo = literal(&self.defs, l.lo)?;
        let start = u64::try_from(i64::try_from(lo).ok()? + offset).ok()?;
        let mut before = Vec::new();
        if fills {
            self.fill_around(l, buffer, zero, start, offset, &mut before);
        }
        let InstKind::For(l) = &mut block.insts[first].kind else { return None };
        if let InstKind::Store { mode, .. } = &mut l.body.insts[store].kind {
            *mode = StoreMode::Set;
        }
        // From the last to the first, so that the places of the others stay what they are.
        for point in points.iter().rev() {
            let addition = block.insts.remove(*point);
            block.insts.insert(first, addition);
            first -= 1;
        }
        block.insts.splice(first..first, before);
        if fills {
            block.insts.remove(at);
            return Some(at);
        }
        None
    }

    /// The one thing that a loop does with a buffer, if it is `buffer[i + c] += v` in each round: where, and `c`.
    fn only_addition(&self, l: &ForLoop, buffer: Buffer) -> Option<(usize, i64)> {
        if l.step.is_some() || l.inclusive || l.body.diverges {
            return None;
        }
        let mut found = None;
        for (at, inst) in l.body.insts.iter().enumerate() {
            if !inst.touches(buffer) {
                continue;
            }
            let InstKind::Store { index, mode: StoreMode::Add, .. } = &inst.kind else { return None };
            if found.is_some() {
                return None;
            }
            found = Some((at, offset(&self.defs, index[0], l.body.args[0])?));
        }
        found
    }

    /// Zeros for the places that the loop does not come to.
    fn fill_around(
        &mut self,
        l: &ForLoop,
        buffer: Buffer,
        zero: Value,
        start: u64,
        offset: i64,
        out: &mut Vec<Inst>,
    ) {
        let len = self.op(Op::Len(buffer, 0), Vec::new(), Type::Int, out);
        let nothing = self.int(0, out);
        let first = self.int(start, out);
        if start > 0 {
            let short = self.op(Op::Cmp(Cmp::Lt), vec![len, first], Type::Bool, out);
            let end = self.op(Op::Select, vec![short, len, first], Type::Int, out);
            self.fill(buffer, zero, nothing, end, out);
        }
        // Behind the last round, or, without rounds, from where the first would be.
        if start == 0 && offset == 0 {
            self.fill(buffer, zero, l.hi, len, out);
            return;
        }
        let any = self.op(Op::Cmp(Cmp::Lt), vec![l.lo, l.hi], Type::Bool, out);
        let mut inner = Vec::new();
        let end = match offset {
            0 => l.hi,
            c => {
                let by = self.int(c.unsigned_abs(), &mut inner);
                let op = if c > 0 { Op::Add } else { Op::Sub };
                self.op(op, vec![l.hi, by], Type::Int, &mut inner)
            }
        };
        let rest = self.func.new_value(Type::Int, Some("rest".into()));
        out.push(Inst {
            results: vec![rest],
            kind: InstKind::If {
                cond: any,
                then_block: Block { insts: inner, yields: vec![end], ..Block::default() },
                else_block: Block { yields: vec![first], ..Block::default() },
            },
        });
        self.fill(buffer, zero, rest, len, out);
    }

    fn fill(&mut self, buffer: Buffer, zero: Value, lo: Value, hi: Value, out: &mut Vec<Inst>) {
        let place = self.func.new_value(Type::Int, Some("place".into()));
        let store = InstKind::Store { buffer, index: vec![place], value: zero, mode: StoreMode::Set };
        let body = Block {
            args: vec![place],
            insts: vec![Inst { results: Vec::new(), kind: store }],
            ..Block::default()
        };
        let inits = Vec::new();
        let kind = InstKind::For(ForLoop::plain(lo, hi, inits, body));
        out.push(Inst { results: Vec::new(), kind });
    }

    fn op(&mut self, op: Op, args: Vec<Value>, ty: Type, out: &mut Vec<Inst>) -> Value {
        let v = self.func.new_value(ty, None);
        out.push(Inst { results: vec![v], kind: InstKind::Pure(op, args) });
        v
    }

    fn int(&mut self, n: u64, out: &mut Vec<Inst>) -> Value {
        self.op(Op::Int(format!("{n}_usize").into()), Vec::new(), Type::Int, out)
    }
}

/// `buffer[at] += v`
fn is_addition(inst: &Inst) -> bool {
    matches!(inst.kind, InstKind::Store { mode: StoreMode::Add, .. })
}

/// If all that a loop nest does with a buffer is to add to the place of its variables, once for each: it sets it.
fn set_each(l: &mut ForLoop, buffer: Buffer) {
    let mut variables = vec![l.body.args[0]];
    let mut body = &mut l.body;
    loop {
        let mut touching = body.insts.iter_mut().filter(|inst| inst.touches(buffer));
        match (touching.next().map(|inst| &mut inst.kind), touching.next()) {
            (Some(InstKind::Store { index, mode, .. }), None) => {
                if *index == variables {
                    *mode = StoreMode::Set;
                }
                return;
            }
            (Some(InstKind::For(inner)), None) => {
                variables.push(inner.body.args[0]);
                body = &mut inner.body;
            }
            _ => return,
        }
    }
}
