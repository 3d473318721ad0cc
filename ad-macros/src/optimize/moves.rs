//! What may change places: of two instructions that are to become one, what stands between them and has to move.
//!
//! What lives here: what instructions do to memory and to the world, and the moving. Which instructions become one, loops
//! ([`super::fuse`]) and branches ([`super::branches`]) know.

use rustc_hash::FxHashSet as HashSet;

use crate::ir::walk::dim_values;
use crate::ir::{Block, Buffer, Func, Inst, InstKind, Op, Stack, Type, Value};

/// What the second of two instructions may take from the first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Results,
}

/// What of the instructions between two others has to stay in front of the second one, if that can move in front of the first and the
/// second can follow it.
pub(super) fn moved_in_front(
    func: &Func,
    block: &Block,
    first: usize,
    second: usize,
    takes: Takes,
) -> Option<Vec<usize>> {
    let (mut needs, mut of_others) = (Needs::default(), Needs::default());
    needs.add(func, &block.insts[second]);
    of_others.add_extents(func, &block.insts[second]);
    let mut needed = Vec::new();
    for at in (first + 1..second).rev() {
        let inst = &block.insts[at];
        let stays = |later: usize| !commute(func, inst, &block.insts[later]);
        if needs.made_by(inst) || stays(second) || needed.iter().any(|later| stays(*later)) {
            needs.add(func, inst);
            of_others.add(func, inst);
            needed.push(at);
        }
    }
    needed.reverse();
    let must_not = if takes == Takes::Results { &of_others } else { &needs };
    if block.insts[first].results.iter().any(|r| must_not.values.contains(r)) {
        return None;
    }
    // All that moves passes by the first.
    let passes = needed.iter().all(|at| commute(func, &block.insts[first], &block.insts[*at]));
    passes.then_some(needed)
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
        self.add_extents(func, inst);
    }

    /// The buffers of an instruction alone, and how long they are.
    fn add_extents(&mut self, func: &Func, inst: &Inst) {
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
pub(super) fn commute(func: &Func, earlier: &Inst, later: &Inst) -> bool {
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
pub(super) fn uses(inst: &Inst, f: &mut impl FnMut(Value)) {
    inst.kind.each_operand(&mut *f);
    for block in inst.kind.blocks() {
        block.each_use(f);
    }
}

/// Takes the second instruction out, and moves what it needs in front of the first. Gives where that stands now, and the second.
pub(super) fn pull(block: &mut Block, first: usize, second: usize, needed: &[usize]) -> (usize, Inst) {
    let later = block.insts.remove(second);
    let mut moved = Vec::with_capacity(needed.len());
    for (gone, at) in needed.iter().enumerate() {
        moved.push(block.insts.remove(at - gone));
    }
    let stands = first + moved.len();
    block.insts.splice(first..first, moved);
    (stands, later)
}

/// What an instruction, with all that is nested in it, does to memory and to the world.
#[derive(Default)]
pub(super) struct Touched {
    reads: HashSet<Buffer>,
    pub(super) writes: HashSet<Buffer>,
    pub(super) stacks: HashSet<Stack>,
    pub(super) effects: bool,
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

    pub(super) fn of_block(block: &Block) -> Touched {
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
            InstKind::Effect(what, _) => self.effects |= !what.is_check(),
            _ => {}
        }
        self.stacks.extend(inst.kind.stack());
        self.effects |= inst.kind.blocks().any(|b| b.diverges);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Buffer> + '_ {
        self.reads.iter().chain(&self.writes).copied()
    }

    pub(super) fn touches(&self, b: Buffer) -> bool {
        self.reads.contains(&b) || self.writes.contains(&b)
    }
}
