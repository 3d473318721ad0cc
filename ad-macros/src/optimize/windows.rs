//! Bounds checks leave loops: one slice before the loop stands for a check in each round.
//!
//! Where every round of `for i in lo..hi` touches `x[i + a]`, with `a` the same in all rounds, the loop is given the
//! window `x[lo + a ..][.. hi - lo]` and runs over `0..hi - lo`: rustc sees that index and length belong together, and
//! what keeps no checks can be vectorised. Places `x[s * i + a]` with a literal `s` have windows too, up to the last of them:
//! those of one stride share their check, and places of one buffer that lie a literal apart (`x[3 * i]`, `x[3 * i + 1]`) share
//! their window. In functions of several directions, the loops over the lanes count as straight
//! code, and what has a window there are rows of lanes, `x[i + a][lane]`.
//!
//! So have the rows of a loop around innermost loops (`y[i]` beside `for j in .. { s += a[i * n + j] * x[j] }`), where it is itself in
//! a loop and so runs often. What those loops touch is theirs.
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
//! Where a sum is taken over several windows of one buffer, one in four is set apart: where LLVM sees that four are parts of one, it takes
//! an element of each with a single instruction (AVX-512's gather), which takes three times as long as the loads alone.
//!
//! The last pass of all: what follows it is the printer (and dead code elimination, for the indices no longer needed).

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::analysis::definitions::{Definitions, base, definitions, literal};
use crate::ir::{
    Block, Buffer, BufferData, Cmp, Dim, ForLoop, Func, Inst, InstKind, Op, Sight, Storage, Type, Value,
};

/// Runs the pass.
pub(crate) fn windows(mut func: Func) -> Func {
    let defs = definitions(&func);
    let mut body = std::mem::take(&mut func.body);
    Pass { func: &mut func, defs }.block(&mut body, false);
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
    /// The index, which is `stride * i + fixed`; of several, the lowest.
    index: Value,
    stride: u64,
    /// How far above it the highest one is.
    span: u64,
    at: Vec<At>,
    written: bool,
}

/// Where in the body an access is, where in the loop over lanes that stands there, and how far above the lowest index.
type At = (usize, Option<usize>, u64);

/// How far apart places of one window may lie.
const REACH: i64 = 64;

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
    fn block(&mut self, block: &mut Block, in_loop: bool) {
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            let is_loop = matches!(inst.kind, InstKind::For(_) | InstKind::While { .. });
            for nested in inst.kind.blocks_mut() {
                self.block(nested, in_loop || is_loop);
            }
            if let InstKind::For(l) = &mut inst.kind
                && self.has_loops_up_to(usize::from(in_loop), &l.body)
            {
                self.in_loop(l, &mut insts);
            }
            insts.push(inst);
        }
        block.insts = insts;
    }

    fn in_loop(&mut self, l: &mut ForLoop, out: &mut Vec<Inst>) {
        if l.step.is_some() || l.inclusive {
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
        let (starts, len, lens) = self.starts(&this, &accesses, from_zero, out);
        if !from_zero {
            self.rebase(l, len, out);
        }
        let round = l.body.args[0];
        let mut places: Vec<Inst> = Vec::new();
        let mut strided: HashMap<u64, Value> = HashMap::from_iter([(1, round)]);
        let mut moved: HashMap<(u64, u64), Value> = HashMap::default();
        let is_sum = self.is_sum(l);
        let mut taken: HashMap<Buffer, usize> = HashMap::default();
        for (access, start) in accesses.iter().zip(starts) {
            let stride = access.stride;
            let place = match strided.get(&stride) {
                Some(place) => *place,
                None => {
                    let by = self.int(stride, &mut places);
                    self.emit(Op::Mul, vec![round, by], Type::Int, &mut places)
                }
            };
            strided.insert(stride, place);
            let len = match (rounds, lens.get(&(stride, access.span))) {
                (_, Some(len)) => *len,
                (Some((lo, hi)), None) if (stride, access.span) != (1, 0) => {
                    self.int(stride * (hi - lo - 1) + 1 + access.span, out)
                }
                _ => len,
            };
            let data = self.func.buffer(access.buffer);
            let mut dims = data.dims.clone();
            dims[0] = Dim::Slice;
            let name = format!("{}_part", data.name).into();
            let data = BufferData::new(name, data.elem.clone(), dims, Storage::Window);
            let window = self.func.new_buffer(data);
            let (of, mutable) = (access.buffer, access.written);
            let nth = taken.entry(of).or_default();
            let sight = if is_sum && *nth % 4 == 1 { Sight::Apart } else { Sight::Part };
            *nth += 1;
            out.push(effect(InstKind::Window { window, of, start, len, mutable, sight }));
            for (at, in_lane, above) in &access.at {
                let place = match above {
                    0 => place,
                    _ => *moved.entry((stride, *above)).or_insert_with(|| {
                        let by = self.int(*above, &mut places);
                        self.emit(Op::Add, vec![place, by], Type::Int, &mut places)
                    }),
                };
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

    /// Whether a loop carries floats and writes nothing: its rounds stay in their order, and what LLVM does at once in one of them are
    /// the sums of several rows.
    fn is_sum(&self, l: &ForLoop) -> bool {
        l.body.args[1..].iter().any(|a| self.func.is_float(*a)) && l.body.writes().is_empty()
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
        let mut found = self.merged(found);
        found.retain(|a| !a.written || mentions.get(&a.buffer) == Some(&a.at.len()));
        found
    }

    /// Accesses of one buffer and stride whose places lie a literal apart become one: a window of several rows of a table,
    /// and the only way to write to neighbouring places.
    fn merged(&self, found: Vec<Access>) -> Vec<Access> {
        let mut merged: Vec<Access> = Vec::new();
        for access in found {
            let (of, here) = base(&self.defs, access.index);
            let same = merged.iter_mut().find(|a| {
                let (other, there) = base(&self.defs, a.index);
                (a.buffer, a.stride, other) == (access.buffer, access.stride, of)
                    && (a.stride > 1 || a.written)
                    && (there - here).abs() <= REACH
                    && there + (a.span as i64) - here <= REACH
            });
            let Some(other) = same else {
                merged.push(access);
                continue;
            };
            let (_, there) = base(&self.defs, other.index);
            if here < there {
                let up = (there - here) as u64;
                other.at.iter_mut().for_each(|at| at.2 += up);
                (other.index, other.span) = (access.index, other.span + up);
                other.at.extend(access.at);
            } else {
                let up = (here - there) as u64;
                other.span = other.span.max(up);
                other.at.extend(access.at.into_iter().map(|(at, lane, _)| (at, lane, up)));
            }
        }
        merged
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
        match found.iter_mut().find(|a| a.buffer == *buffer && a.index == index) {
            Some(access) => access.at.push((at.0, at.1, 0)),
            None => found.push(Access {
                buffer: *buffer,
                index,
                stride,
                span: 0,
                at: vec![(at.0, at.1, 0)],
                written: writes.contains(buffer),
            }),
        }
    }

    /// A loop over the lanes of straight code.
    fn lane_loop<'i>(&self, inst: &'i Inst) -> Option<&'i ForLoop> {
        let (InstKind::For(l), Some(count)) = (&inst.kind, &self.func.lanes) else { return None };
        let over_lanes = matches!(self.defs.get(&l.hi), Some((Op::Int(text), _)) if text == count);
        (over_lanes && l.body.insts.iter().all(|inst| inst.kind.blocks().next().is_none())).then_some(l)
    }

    /// Whether the loops in a block (but those over lanes) are not nested deeper than this, with no statement of the user's and no way out.
    fn has_loops_up_to(&self, depth: usize, body: &Block) -> bool {
        !body.diverges
            && body.insts.iter().all(|inst| match &inst.kind {
                InstKind::For(l) => {
                    self.lane_loop(inst).is_some() || depth > 0 && self.has_loops_up_to(depth - 1, &l.body)
                }
                InstKind::While { .. } => false,
                InstKind::Effect(what, _) => what.is_check(),
                // In a branch there is none.
                kind => kind.blocks().all(|b| self.has_loops_up_to(0, b)),
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

    /// Where each window starts, how long those of stride one are, and the others.
    fn starts(
        &mut self,
        this: &Loop,
        accesses: &[Access],
        from_zero: bool,
        out: &mut Vec<Inst>,
    ) -> (Vec<Value>, Value, HashMap<(u64, u64), Value>) {
        let zero = self.emit(Op::Int("0_usize".into()), Vec::new(), Type::Int, out);
        // Each distinct index once.
        let mut indices: Vec<Value> = Vec::new();
        for a in accesses {
            let known = from_zero && a.index == this.variable || indices.contains(&a.index);
            if !known {
                indices.push(a.index);
            }
        }
        let plain = |a: &Access| (a.stride, a.span) == (1, 0);
        if from_zero && indices.is_empty() && accesses.iter().all(plain) {
            return (vec![zero; accesses.len()], this.hi, HashMap::default());
        }
        if this.known && from_zero {
            let mut copies = HashMap::from_iter([(this.variable, this.lo)]);
            let starts: HashMap<Value, Value> =
                indices.into_iter().map(|i| (i, self.first_round(this, i, &mut copies, out))).collect();
            return (
                accesses.iter().map(|a| starts.get(&a.index).copied().unwrap_or(zero)).collect(),
                this.hi,
                HashMap::default(),
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
        let mut lens = HashMap::default();
        for (stride, span) in accesses.iter().filter(|a| !plain(a)).map(|a| (a.stride, a.span)) {
            if lens.contains_key(&(stride, span)) {
                continue;
            }
            let inner = &mut then_block.insts;
            let last = if from_zero {
                this.hi
            } else {
                self.emit(Op::Sub, vec![this.hi, this.lo], Type::Int, inner)
            };
            let [one, by, behind] = [1, stride, span + 1].map(|n| self.int(n, inner));
            let last = self.emit(Op::Sub, vec![last, one], Type::Int, inner);
            let last = self.emit(Op::Mul, vec![last, by], Type::Int, inner);
            then_block.yields.push(self.emit(Op::Add, vec![last, behind], Type::Int, inner));
            let len = self.func.new_value(Type::Int, Some("length".into()));
            results.push(len);
            lens.insert((stride, span), len);
        }
        let else_block = Block { yields: vec![zero; results.len()], ..Block::default() };
        out.push(Inst { results, kind: InstKind::If { cond, then_block, else_block } });
        (accesses.iter().map(|a| starts.get(&a.index).copied().unwrap_or(zero)).collect(), len, lens)
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
            (Dim::Fixed(n), Some(Op::Verbatim(verbatim))) => verbatim.code.text() == &**n,
            _ => false,
        }
    }
}

fn effect(kind: InstKind) -> Inst {
    Inst { results: Vec::new(), kind }
}
