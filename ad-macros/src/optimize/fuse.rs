//! Loop fusion: two loops over the same rounds, of which the later does not wait for the earlier, become one.
//!
//! ```text
//! for i in lo..hi carrying s { A }  ..  for i in lo..hi carrying t { B }    becomes
//! for i in lo..hi carrying s, t { A; B }
//! ```
//!
//! The prime case is a gradient: the loop that sums up the value, and the reversed loop that runs its body again. Side by
//! side in one body, value numbering finds that both compute the same, nested loops included.
//!
//! Conditions: the second loop takes nothing from the first, nor from what lies between them and takes something from the
//! first; what it does take from between them moves in front of both. Of a buffer that one of them writes and the other
//! touches, each round has a part to itself, so that it meets what it met before. At most one of them has effects. Loops are
//! fused only where their bodies load or compute something in common.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::analysis::definitions::{Definitions, definitions};
use crate::analysis::overwrite::part_of_round;
use crate::ir::walk::dim_values;
use crate::ir::{Block, Buffer, ForLoop, Func, Inst, InstKind, Op, Stack, Type, Value};

/// Runs the pass.
pub(crate) fn fuse(mut func: Func) -> Func {
    let defs = definitions(&func);
    let mut body = std::mem::take(&mut func.body);
    in_block(&func, &defs, &mut body);
    func.body = body;
    func
}

/// Outer loops first: only when they are one do the loops inside stand side by side.
fn in_block(func: &Func, defs: &Definitions, block: &mut Block) {
    let mut first = 0;
    while first < block.insts.len() {
        if let Some((second, needed)) = partner(func, defs, block, first) {
            // The fused loop stands where the first did, behind what had to move; it may have further partners.
            first = join(block, first, second, &needed);
        } else {
            first += 1;
        }
    }
    for inst in &mut block.insts {
        for nested in inst.kind.blocks_mut() {
            in_block(func, defs, nested);
        }
    }
}

/// The next loop that can be fused with the one at `first`, and what between them has to move in front.
fn partner(func: &Func, defs: &Definitions, block: &Block, first: usize) -> Option<(usize, Vec<usize>)> {
    let InstKind::For(a) = &block.insts[first].kind else { return None };
    (first + 1..block.insts.len()).find_map(|second| {
        let InstKind::For(b) = &block.insts[second].kind else { return None };
        let fits = same_rounds(a, b) && compatible(defs, a, b) && shares_work(func, a, b);
        let needed = fits.then(|| moved_in_front(func, block, first, second))??;
        Some((second, needed))
    })
}

pub(super) fn same_rounds(a: &ForLoop, b: &ForLoop) -> bool {
    a.lo == b.lo
        && a.hi == b.hi
        && a.step == b.step
        && (a.inclusive, a.rev, a.flipped) == (b.inclusive, b.rev, b.flipped)
        && !a.body.diverges
        && !b.body.diverges
}

/// Whether rounds of the second loop may run between those of the first.
fn compatible(defs: &Definitions, a: &ForLoop, b: &ForLoop) -> bool {
    let (in_a, in_b) = (Touched::of_block(&a.body), Touched::of_block(&b.body));
    if in_a.effects && in_b.effects || !in_a.stacks.is_disjoint(&in_b.stacks) {
        return false;
    }
    let shared = in_a.all().filter(|x| in_b.touches(*x));
    shared.filter(|x| in_a.writes.contains(x) || in_b.writes.contains(x)).all(|x| {
        let part = part_of_round(defs, a, x);
        part.is_some() && part == part_of_round(defs, b, x)
    })
}

/// What of the instructions between two loops the second one needs, if that can move in front of the first and the second
/// can follow it.
fn moved_in_front(func: &Func, block: &Block, first: usize, second: usize) -> Option<Vec<usize>> {
    let mut needs = Needs::default();
    needs.add(func, &block.insts[second]);
    let mut needed = Vec::new();
    for at in (first + 1..second).rev() {
        let inst = &block.insts[at];
        if needs.made_by(inst) {
            needs.add(func, inst);
            needed.push(at);
        }
    }
    needed.reverse();
    if block.insts[first].results.iter().any(|r| needs.values.contains(r)) {
        return None;
    }
    // Nothing that moves passes by something that it must stay behind.
    for moving in needed.iter().copied().chain([second]) {
        let passes = (first..moving).filter(|at| !needed.contains(at));
        let is_loop = moving == second;
        for other in passes.filter(|at| !(is_loop && *at == first)) {
            if !commute(func, &block.insts[other], &block.insts[moving]) {
                return None;
            }
        }
    }
    Some(needed)
}

/// What instructions come from.
#[derive(Default)]
struct Needs {
    values: HashSet<Value>,
    buffers: HashSet<Buffer>,
}

impl Needs {
    fn add(&mut self, func: &Func, inst: &Inst) {
        uses(inst, &mut |v| {
            self.values.insert(v);
        });
        for b in Touched::of(inst).all() {
            self.buffers.insert(b);
            self.values.extend(dim_values(&func.buffer(b).dims));
        }
    }

    fn made_by(&self, inst: &Inst) -> bool {
        inst.results.iter().any(|r| self.values.contains(r))
            || Touched::of(inst).writes.iter().any(|b| self.buffers.contains(b))
    }
}

/// Whether two instructions may change places.
fn commute(func: &Func, earlier: &Inst, later: &Inst) -> bool {
    let (e, l) = (Touched::of(earlier), Touched::of(later));
    let mut depends = false;
    uses(later, &mut |v| depends |= earlier.results.contains(&v));
    let apart = e.writes.iter().all(|b| !l.touches(*b)) && l.writes.iter().all(|b| !e.touches(*b));
    // A panic, or an early return, keeps its place among effects, and guards what could panic itself.
    let guarded = e.effects && (l.effects || may_panic(func, later)) || l.effects && may_panic(func, earlier);
    !depends && apart && e.stacks.is_disjoint(&l.stacks) && !guarded
}

fn may_panic(func: &Func, inst: &Inst) -> bool {
    match &inst.kind {
        InstKind::Pure(Op::Verbatim(_) | Op::Custom(_), _) => true,
        InstKind::Pure(op, _) => {
            let arithmetic = matches!(op, Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem | Op::Neg);
            arithmetic && *func.ty(inst.results[0]) == Type::Int
        }
        InstKind::Alloc { .. } | InstKind::Fill { .. } => false,
        _ => true,
    }
}

/// Everything an instruction uses, in nested blocks too.
fn uses(inst: &Inst, f: &mut impl FnMut(Value)) {
    inst.kind.each_operand(&mut *f);
    for block in inst.kind.blocks() {
        block.each_use(f);
    }
}

/// Makes one loop of two; returns where it stands.
fn join(block: &mut Block, first: usize, second: usize, needed: &[usize]) -> usize {
    let later = block.insts.remove(second);
    let mut moved = Vec::with_capacity(needed.len());
    for (gone, at) in needed.iter().enumerate() {
        moved.push(block.insts.remove(at - gone));
    }
    if let (InstKind::For(a), InstKind::For(mut b)) = (&mut block.insts[first].kind, later.kind) {
        let (theirs, ours) = (b.body.args[0], a.body.args[0]);
        b.body.map_uses(&mut |v| if v == theirs { ours } else { v });
        a.inits.append(&mut b.inits);
        a.body.args.extend(b.body.args.drain(1..));
        a.body.insts.append(&mut b.body.insts);
        a.body.yields.append(&mut b.body.yields);
        block.insts[first].results.extend(later.results);
    }
    let stands = first + moved.len();
    block.insts.splice(first..first, moved);
    stands
}

/// Whether the bodies load from the same place, or compute the same: directly, or in nested loops over the same rounds.
fn shares_work(func: &Func, a: &ForLoop, b: &ForLoop) -> bool {
    let mut same: HashMap<Value, Value> = HashMap::default();
    same.insert(b.body.args[0], a.body.args[0]);
    shares(func, &a.body, &b.body, &mut same)
}

fn shares(func: &Func, a: &Block, b: &Block, same: &mut HashMap<Value, Value>) -> bool {
    for inst in &b.insts {
        let at = |v: &Value| *same.get(v).unwrap_or(v);
        let twin = match &inst.kind {
            InstKind::Pure(op, args) if !matches!(op, Op::Verbatim(_) | Op::Custom(_)) => {
                let args: Vec<Value> = args.iter().map(at).collect();
                let text = format!("{op:?}");
                a.insts.iter().find(
                    |i| matches!(&i.kind, InstKind::Pure(o, x) if *x == args && format!("{o:?}") == text),
                )
            }
            InstKind::Load { buffer, index } => {
                let index: Vec<Value> = index.iter().map(at).collect();
                a.insts.iter().find(
                    |i| matches!(&i.kind, InstKind::Load { buffer: o, index: x } if o == buffer && *x == index),
                )
            }
            InstKind::For(inner) => {
                let mut outer = inner.clone();
                (outer.lo, outer.hi) = (at(&inner.lo), at(&inner.hi));
                outer.step = inner.step.as_ref().map(at);
                let nested = a.insts.iter().any(|i| match &i.kind {
                    InstKind::For(o) if same_rounds(o, &outer) => {
                        same.insert(inner.body.args[0], o.body.args[0]);
                        shares(func, &o.body, &inner.body, same)
                    }
                    _ => false,
                });
                if nested {
                    return true;
                }
                None
            }
            _ => None,
        };
        let Some(twin) = twin else { continue };
        let counts = match &inst.kind {
            InstKind::Pure(op, _) => !matches!(op, Op::Float(_)) && func.is_float(inst.results[0]),
            _ => true,
        };
        if counts {
            return true;
        }
        same.insert(inst.results[0], twin.results[0]);
    }
    false
}

/// What an instruction, with all that is nested in it, does to memory and to the world.
#[derive(Default)]
struct Touched {
    reads: HashSet<Buffer>,
    writes: HashSet<Buffer>,
    stacks: HashSet<Stack>,
    effects: bool,
}

impl Touched {
    fn of(inst: &Inst) -> Touched {
        let mut touched = Touched::default();
        touched.add(inst);
        for block in inst.kind.blocks() {
            block.visit(&mut |nested| touched.add(nested));
        }
        touched
    }

    fn of_block(block: &Block) -> Touched {
        let mut touched = Touched::default();
        block.visit(&mut |inst| touched.add(inst));
        touched
    }

    fn add(&mut self, inst: &Inst) {
        self.reads.extend(inst.kind.reads());
        self.writes.extend(inst.kind.writes());
        match &inst.kind {
            InstKind::Alloc { buffer, .. } => {
                self.writes.insert(*buffer);
            }
            // A length is only there once the buffer is, and another once it has grown.
            InstKind::Pure(Op::Len(buffer, _), _) => {
                self.reads.insert(*buffer);
            }
            InstKind::Effect(what, _) => self.effects |= !what.check,
            _ => {}
        }
        self.stacks.extend(inst.kind.stack());
        self.effects |= inst.kind.blocks().any(|b| b.diverges);
    }

    fn all(&self) -> impl Iterator<Item = Buffer> + '_ {
        self.reads.iter().chain(&self.writes).copied()
    }

    fn touches(&self, b: Buffer) -> bool {
        self.reads.contains(&b) || self.writes.contains(&b)
    }
}
