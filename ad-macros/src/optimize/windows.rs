//! Bounds checks leave innermost loops: one slice before the loop stands for a check in each round.
//!
//! Where every round of `for i in lo..hi` touches `x[i + a]`, with `a` the same in all rounds, the loop is given the
//! window `x[lo + a ..][.. hi - lo]` and runs over `0..hi - lo`: rustc sees that index and length belong together, and
//! what keeps no checks can be vectorised. Between literals (the eight lanes of a block) places `x[s * i + a]` have a window
//! too: where the last of them lies is known. In functions of several directions, the loops over the lanes count as straight
//! code, and what has a window there are rows of lanes, `x[i + a][lane]`.
//!
//! Sound because
//!
//! - only what every round does counts (the top level of a body that does not diverge), so that the window is
//!   within bounds exactly if all the rounds would have been. A loop that would have panicked half way now panics before
//!   it starts; loops with statements of the user's (`println!`) are left alone;
//! - `lo + a` is computed as the first round would compute it, and only if there is a first round: no new overflow, and
//!   a loop without rounds asks for the empty window at 0;
//! - a buffer gets a window to write if all the loop does with it goes through that window; a buffer gets windows to
//!   read if the loop does not write it. That is what the borrow checker asks too.
//!
//! The last pass of all: what follows it is the printer (and dead code elimination, for the indices no longer needed).

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::analysis::definitions::{Definitions, definitions, literal};
use crate::ir::{
    Block, Buffer, BufferData, Cmp, Dim, ForLoop, Func, Inst, InstKind, Op, Storage, Type, Value,
};

/// Runs the pass.
pub(crate) fn windows(mut func: Func) -> Func {
    let defs = definitions(&func);
    let mut body = std::mem::take(&mut func.body);
    Pass { func: &mut func, defs }.block(&mut body);
    func.body = body;
    func
}

struct Pass<'a> {
    func: &'a mut Func,
    defs: Definitions,
}

/// How a value depends on the loop variable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Not at all.
    Fixed,
    /// As `stride * i + fixed`, of a stride above zero.
    Strided(u64),
}

/// What of a loop goes through one window.
struct Access {
    buffer: Buffer,
    /// The index, which is `stride * i + fixed`.
    index: Value,
    stride: u64,
    /// Where in the body, and where in the loop over lanes that stands there.
    at: Vec<(usize, Option<usize>)>,
    written: bool,
}

/// The loop at hand.
struct Loop {
    variable: Value,
    lo: Value,
    hi: Value,
    /// Both bounds are literals, and there is a round.
    known: bool,
    inside: HashSet<Value>,
}

impl Pass<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            for nested in inst.kind.blocks_mut() {
                self.block(nested);
            }
            if let InstKind::For(l) = &mut inst.kind {
                self.in_loop(l, &mut insts);
            }
            insts.push(inst);
        }
        block.insts = insts;
    }

    fn in_loop(&mut self, l: &mut ForLoop, out: &mut Vec<Inst>) {
        if l.step.is_some() || l.inclusive || !self.is_innermost(&l.body) {
            return;
        }
        let rounds = self.rounds(l);
        if rounds.is_some_and(|(lo, hi)| lo >= hi) {
            return;
        }
        let mut inside: HashSet<Value> = l.body.args.iter().copied().collect();
        l.body.visit(&mut |inst| inside.extend(inst.results.iter().copied()));
        let this = Loop { variable: l.body.args[0], lo: l.lo, hi: l.hi, known: rounds.is_some(), inside };
        let accesses = self.accesses(&this, &l.body);
        if accesses.is_empty() {
            return;
        }
        let from_zero = self.is_zero(l.lo);
        let (starts, len) = self.starts(&this, &accesses, from_zero, out);
        if !from_zero {
            self.rebase(l, len, out);
        }
        let round = l.body.args[0];
        let mut places: Vec<Inst> = Vec::new();
        let mut strided: HashMap<u64, (Value, Value)> = HashMap::from_iter([(1, (round, len))]);
        for stride in accesses.iter().map(|a| a.stride) {
            if let (false, Some((_, rounds))) = (strided.contains_key(&stride), rounds) {
                // Only loops between literals have strides: the last place that such a window needs is known.
                let by = self.int(stride, &mut places);
                let place = self.emit(Op::Mul, vec![round, by], Type::Int, &mut places);
                let len = self.int(stride * (rounds - 1) + 1, out);
                strided.insert(stride, (place, len));
            }
        }
        for (access, start) in accesses.iter().zip(starts) {
            let (place, len) = strided[&access.stride];
            let data = self.func.buffer(access.buffer);
            let mut dims = data.dims.clone();
            dims[0] = Dim::Slice;
            let name = format!("{}_part", data.name).into();
            let data = BufferData::new(name, data.elem.clone(), dims, Storage::Window);
            let window = self.func.new_buffer(data);
            let (of, mutable) = (access.buffer, access.written);
            out.push(effect(InstKind::Window { window, of, start, len, mutable }));
            for (at, in_lane) in &access.at {
                // The body may have got the loop variable's new definition in front.
                let kind = match (&mut l.body.insts[at + usize::from(!from_zero)].kind, in_lane) {
                    (InstKind::For(lanes), Some(at)) => &mut lanes.body.insts[*at].kind,
                    (kind, _) => kind,
                };
                if let InstKind::Load { buffer, index } | InstKind::Store { buffer, index, .. } = kind {
                    *buffer = window;
                    index[0] = place;
                }
            }
        }
        l.body.insts.splice(0..0, places);
    }

    /// What can go through windows.
    fn accesses(&self, this: &Loop, body: &Block) -> Vec<Access> {
        let mut mentions: HashMap<Buffer, usize> = HashMap::default();
        body.visit(&mut |inst| inst.kind.each_buffer(|b| *mentions.entry(b).or_default() += 1));
        let writes = body.writes();
        let declared = body.allocs();
        let mut found: Vec<Access> = Vec::new();
        for (at, inst) in body.insts.iter().enumerate() {
            let lanes = self.lane_loop(inst).map_or(&[][..], |l| &l.body.insts);
            let own = std::iter::once((None, inst));
            for (in_lane, inst) in own.chain(lanes.iter().enumerate().map(|(k, inst)| (Some(k), inst))) {
                self.access(this, (at, in_lane), inst, (&writes, &declared), &mut found);
            }
        }
        found.retain(|a| !a.written || mentions.get(&a.buffer) == Some(&a.at.len()));
        found
    }

    /// Adds what an instruction accesses, if it can go through a window.
    fn access(
        &self,
        this: &Loop,
        at: (usize, Option<usize>),
        inst: &Inst,
        (writes, declared): (&[Buffer], &[Buffer]),
        found: &mut Vec<Access>,
    ) {
        let (InstKind::Load { buffer, index } | InstKind::Store { buffer, index, .. }) = &inst.kind else {
            return;
        };
        let index = match (&index[..], at.1) {
            ([index], None) | ([index, _], Some(_)) => *index,
            _ => return,
        };
        if declared.contains(buffer)
            || self.func.buffer(*buffer).field.is_some()
            || self.func.buffer(*buffer).layout != crate::ir::Layout::Nested
            || self.is_length(this.hi, *buffer) && index == this.variable
            // rustc knows all about places in arrays between literals.
            || this.known && index == this.variable
        {
            return;
        }
        let Some(Form::Strided(stride)) = self.form(this, index, 0) else { return };
        // Where the number of rounds is not known, neither is where the last place is.
        if stride > 1 && !(this.known && self.is_zero(this.lo)) {
            return;
        }
        match found.iter_mut().find(|a| a.buffer == *buffer && a.index == index) {
            Some(access) => access.at.push(at),
            None => found.push(Access {
                buffer: *buffer,
                index,
                stride,
                at: vec![at],
                written: writes.contains(buffer),
            }),
        }
    }

    /// A loop over the lanes of straight code.
    fn lane_loop<'i>(&self, inst: &'i Inst) -> Option<&'i ForLoop> {
        let (InstKind::For(l), Some(count)) = (&inst.kind, &self.func.lanes) else { return None };
        let over_lanes = matches!(self.defs.get(&l.hi), Some((Op::Int(text), _)) if text == count);
        (over_lanes && l.body.insts.iter().all(|inst| inst.kind.blocks().is_empty())).then_some(l)
    }

    /// Whether there is no loop in a block (but over lanes), no statement of the user's, and no way out.
    fn is_innermost(&self, body: &Block) -> bool {
        !body.diverges
            && body.insts.iter().all(|inst| match &inst.kind {
                InstKind::For(_) => self.lane_loop(inst).is_some(),
                InstKind::While { .. } | InstKind::Effect(..) => false,
                kind => kind.blocks().into_iter().all(|b| self.is_innermost(b)),
            })
    }

    fn form(&self, this: &Loop, v: Value, depth: usize) -> Option<Form> {
        if v == this.variable {
            return Some(Form::Strided(1));
        }
        if !this.inside.contains(&v) {
            return Some(Form::Fixed);
        }
        if depth > 12 {
            return None;
        }
        let (op, args) = self.defs.get(&v)?;
        let forms: Option<Vec<Form>> = args.iter().map(|a| self.form(this, *a, depth + 1)).collect();
        match (op, forms?.as_slice()) {
            (Op::Int(_) | Op::Len(..), _) => Some(Form::Fixed),
            (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem, [Form::Fixed, Form::Fixed])
            | (Op::Cast(_), [Form::Fixed]) => Some(Form::Fixed),
            (Op::Add, [Form::Fixed, Form::Strided(s)])
            | (Op::Add | Op::Sub, [Form::Strided(s), Form::Fixed]) => Some(Form::Strided(*s)),
            (Op::Mul, [Form::Fixed, Form::Strided(s)]) => self.stride(*s, args[0]),
            (Op::Mul, [Form::Strided(s), Form::Fixed]) => self.stride(*s, args[1]),
            _ => None,
        }
    }

    /// The form of `stride * i + fixed` times a literal.
    fn stride(&self, stride: u64, by: Value) -> Option<Form> {
        let product = stride.checked_mul(literal(&self.defs, by)?)?;
        (1..1 << 16).contains(&product).then_some(Form::Strided(product))
    }

    /// Where each window starts, and how long all of them are.
    fn starts(
        &mut self,
        this: &Loop,
        accesses: &[Access],
        from_zero: bool,
        out: &mut Vec<Inst>,
    ) -> (Vec<Value>, Value) {
        let zero = self.emit(Op::Int("0_usize".into()), Vec::new(), Type::Int, out);
        // Each distinct index once.
        let mut indices: Vec<Value> = Vec::new();
        for a in accesses {
            let known = from_zero && a.index == this.variable || indices.contains(&a.index);
            if !known {
                indices.push(a.index);
            }
        }
        if from_zero && indices.is_empty() {
            return (vec![zero; accesses.len()], this.hi);
        }
        if this.known && from_zero {
            let mut copies = HashMap::from_iter([(this.variable, this.lo)]);
            let starts: HashMap<Value, Value> =
                indices.into_iter().map(|i| (i, self.first_round(this, i, &mut copies, out))).collect();
            return (
                accesses.iter().map(|a| starts.get(&a.index).copied().unwrap_or(zero)).collect(),
                this.hi,
            );
        }
        let cond = self.emit(Op::Cmp(Cmp::Lt), vec![this.lo, this.hi], Type::Bool, out);
        let mut then_block = Block::default();
        let mut copies = HashMap::from_iter([(this.variable, this.lo)]);
        then_block.yields =
            indices.iter().map(|i| self.first_round(this, *i, &mut copies, &mut then_block.insts)).collect();
        let mut results: Vec<Value> =
            indices.iter().map(|_| self.func.new_value(Type::Int, Some("start".into()))).collect();
        let starts: HashMap<Value, Value> = indices.into_iter().zip(results.iter().copied()).collect();
        let mut len = this.hi;
        if !from_zero {
            then_block.yields.push(self.emit(
                Op::Sub,
                vec![this.hi, this.lo],
                Type::Int,
                &mut then_block.insts,
            ));
            len = self.func.new_value(Type::Int, Some("rounds".into()));
            results.push(len);
        }
        let else_block = Block { yields: vec![zero; results.len()], ..Block::default() };
        out.push(Inst { results, kind: InstKind::If { cond, then_block, else_block } });
        (accesses.iter().map(|a| starts.get(&a.index).copied().unwrap_or(zero)).collect(), len)
    }

    /// An index as the first round computes it, computed outside.
    fn first_round(
        &mut self,
        this: &Loop,
        v: Value,
        copies: &mut HashMap<Value, Value>,
        out: &mut Vec<Inst>,
    ) -> Value {
        if let Some(copy) = copies.get(&v) {
            return *copy;
        }
        if !this.inside.contains(&v) {
            return v;
        }
        // `form` has found a definition for all that is inside.
        let Some((op, args)) = self.defs.get(&v).cloned() else { return v };
        let args: Vec<Value> = args.iter().map(|a| self.first_round(this, *a, copies, out)).collect();
        let copy = if matches!(op, Op::Add) && self.is_zero(args[1]) {
            args[0]
        } else if matches!(op, Op::Add) && self.is_zero(args[0]) {
            args[1]
        } else {
            self.emit(op, args, self.func.ty(v).clone(), out)
        };
        copies.insert(v, copy);
        copy
    }

    /// `for i in lo..hi` as `for round in 0..len` with `i = lo + round`.
    fn rebase(&mut self, l: &mut ForLoop, len: Value, out: &mut Vec<Inst>) {
        let zero = self.emit(Op::Int("0_usize".into()), Vec::new(), Type::Int, out);
        let round = self.func.new_value(Type::Int, Some("k".into()));
        let variable = std::mem::replace(&mut l.body.args[0], round);
        let sum = Inst { results: vec![variable], kind: InstKind::Pure(Op::Add, vec![l.lo, round]) };
        l.body.insts.insert(0, sum);
        (l.lo, l.hi) = (zero, len);
    }

    fn emit(&mut self, op: Op, args: Vec<Value>, ty: Type, out: &mut Vec<Inst>) -> Value {
        let v = self.func.new_value(ty, None);
        self.defs.insert(v, (op.clone(), args.clone()));
        out.push(Inst { results: vec![v], kind: InstKind::Pure(op, args) });
        v
    }

    /// The bounds of a loop between literals.
    fn rounds(&self, l: &ForLoop) -> Option<(u64, u64)> {
        Some((literal(&self.defs, l.lo)?, literal(&self.defs, l.hi)?))
    }

    fn int(&mut self, n: u64, out: &mut Vec<Inst>) -> Value {
        self.emit(Op::Int(format!("{n}_usize").into()), Vec::new(), Type::Int, out)
    }

    fn is_zero(&self, v: Value) -> bool {
        matches!(self.defs.get(&v), Some((Op::Int(text), _)) if matches!(&**text, "0" | "0usize" | "0_usize"))
    }

    /// Whether a value is the length of a buffer by its type or by name: then rustc needs no help.
    fn is_length(&self, v: Value, b: Buffer) -> bool {
        let defined = self.defs.get(&v).map(|(op, _)| op);
        match (&self.func.buffer(b).dims[0], defined) {
            (Dim::Slice, Some(Op::Len(of, 0))) => *of == b,
            (Dim::Fixed(n), Some(Op::Int(text))) => n == text,
            (Dim::Fixed(n), Some(Op::Verbatim(verbatim))) => verbatim.tokens.to_string() == **n,
            _ => false,
        }
    }
}

fn effect(kind: InstKind) -> Inst {
    Inst { results: Vec::new(), kind }
}
