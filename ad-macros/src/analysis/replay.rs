//! How each loop is run backwards: the plan of what a reverse sweep recomputes and what it saves.
//!
//! A reverse sweep needs values of the forward sweep. Straight-line values are still in scope. For a loop there
//! are two ways:
//!
//! - **replay**: the reversed loop runs the body of its iteration again and reverses it on the spot. Saved are
//!   only the carried scalars at the start of an iteration (where they are needed at all: dead code elimination
//!   drops the rest), and *snapshots* of small carried buffers. A loop of independent iterations saves nothing.
//! - **save**: the forward loop pushes what the reversed body cannot compute from what it has.
//!
//! A load is *stable* if its buffer is not written between the forward execution and the matching place of the
//! reverse sweep; only stable loads can be repeated. The *scope* of that question is the body of the innermost
//! replayed loop (its replay and its reverse are adjacent), or the function.
//!
//! A loop can be replayed if
//!
//! 1. every buffer that its body both reads and writes is *private* (wholly overwritten at the start of each
//!    iteration), declared inside, copied when the loop is entered since each iteration has a part of it to itself, or
//!    cheap to snapshot at each iteration;
//! 2. every other buffer that its body reads is not written later in the scope, or is cheap to copy once when
//!    the loop is entered.
//!
//! A loop that carries a state and has another such loop in it is saved all the same, if it writes no buffers: to replay it would be to run
//! all again only for what the inner loop saves. Loops that were cut into segments are replayed, which is what they were cut for.
//!
//! In saved loops, buffers that are read more than written are put back as they were ([`super::undo`]): their loads are stable.
//!
//! Method: loop-level checkpointing with recomputation as in Tapenade's reverse of independent loops
//! (Hascoët, Hatano, Pascual 2006, "adjoining independent computations"), decided per loop.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::activity::Activity;
use super::definitions::{Definitions, definitions};
use super::held::{self, Held};
use super::overwrite::{Defs, part_of_round};
use super::state::carries_state;
use super::undo::{Undo, undo};
use crate::ir::{Binary, Block, Buffer, Dim, ForLoop, Func, Inst, InstKind, Op, Unary};

/// Identity of an instruction: its address in the function that was analysed, which stays borrowed.
pub(crate) type InstId = *const Inst;

/// The plan for one function.
#[derive(Default)]
pub(crate) struct Plan {
    loops: HashMap<InstId, LoopPlan>,
    unstable: HashSet<InstId>,
    entry_copies: HashMap<InstId, Vec<Buffer>>,
    undo: Undo,
}

/// The plan for one loop.
#[derive(Default, Clone, Debug)]
pub(crate) struct LoopPlan {
    /// Replay the body; otherwise its needs are saved.
    pub(crate) replay: bool,
    /// Buffers written and read in the body whose contents at the start of an iteration do not matter: the
    /// replay works on a copy of its own.
    pub(crate) private: Vec<Buffer>,
    /// Buffers whose contents are pushed at the start of each iteration.
    pub(crate) snapshots: Vec<Buffer>,
    /// Buffers that the body writes but never reads: the replay leaves them alone.
    pub(crate) write_only: Vec<Buffer>,
    /// Stored values that need not be computed again, since a buffer still holds them.
    pub(crate) reload: Vec<Held>,
}

impl Plan {
    pub(crate) fn of_loop(&self, inst: &Inst) -> &LoopPlan {
        &self.loops[&std::ptr::from_ref(inst)]
    }
    /// Whether the instruction (a load, or a verbatim read of buffers) gives the same again in the reverse sweep.
    pub(crate) fn is_stable(&self, inst: &Inst) -> bool {
        !self.unstable.contains(&std::ptr::from_ref(inst))
    }
    /// Whether the reverse sweep puts back what this store overwrites.
    pub(crate) fn is_undone(&self, inst: &Inst) -> bool {
        self.undo.stores.contains(&std::ptr::from_ref(inst))
    }
    /// Buffers to copy when this loop or call is executed, because they are overwritten before its reversal.
    pub(crate) fn entry_copies(&self, inst: &Inst) -> &[Buffer] {
        self.entry_copies.get(&std::ptr::from_ref(inst)).map_or(&[], Vec::as_slice)
    }
    /// One line for each loop, outermost first: what the reverse sweep does and what it costs.
    pub(crate) fn describe(&self, func: &Func) -> String {
        let mut text = String::new();
        func.body.visit(&mut |inst| {
            let Some(plan) = self.loops.get(&std::ptr::from_ref(inst)) else { return };
            let names = |list: &[Buffer]| {
                list.iter().map(|b| func.buffer(*b).name.to_string()).collect::<Vec<_>>().join(", ")
            };
            let head = match &inst.kind {
                InstKind::For(l) => {
                    let name = func.value(l.body.args[0]).name.clone();
                    format!("for {}", name.as_deref().unwrap_or("_"))
                }
                _ => "while".to_string(),
            };
            text.push_str(&format!("; {head}: {}", if plan.replay { "replayed" } else { "saved" }));
            for (what, list) in [
                ("private", plan.private.as_slice()),
                ("snapshot each iteration", plan.snapshots.as_slice()),
                ("copied on entry", self.entry_copies(inst)),
            ] {
                if !list.is_empty() {
                    text.push_str(&format!("; {what}: {}", names(list)));
                }
            }
            text.push('\n');
        });
        text
    }
}

/// Operations that cost more to repeat than to save: the calls into libm, and of what is not known.
pub(crate) fn is_expensive(op: &Op) -> bool {
    match op {
        Op::Unary(f) => !matches!(
            f,
            Unary::Abs
                | Unary::Signum
                | Unary::Recip
                | Unary::Sqrt
                | Unary::ToDegrees
                | Unary::ToRadians
                | Unary::Floor
                | Unary::Ceil
                | Unary::Round
                | Unary::RoundTiesEven
                | Unary::Trunc
                | Unary::Fract
        ),
        Op::Binary(f) => !matches!(f, Binary::Min | Binary::Max | Binary::Copysign | Binary::AbsSub),
        Op::Custom(_) => true,
        _ => false,
    }
}

/// Plans the reversal of a function of which this is active.
pub(crate) fn plan(func: &Func, active: &Activity) -> Plan {
    let plan = plan_with(func, active, Undo::default());
    let undo = undo(func, &plan, &|b| active.buffer(b));
    if undo.buffers.is_empty() { plan } else { plan_with(func, active, undo) }
}

fn plan_with(func: &Func, active: &Activity, undo: Undo) -> Plan {
    let mut planner = Planner {
        func,
        active,
        defs: Defs::new(func),
        places: definitions(func),
        plan: Plan { undo, ..Plan::default() },
    };
    planner.block(&func.body, &BTreeSet::new());
    planner.plan
}

struct Planner<'a> {
    func: &'a Func,
    active: &'a Activity,
    defs: Defs<'a>,
    places: Definitions,
    plan: Plan,
}

impl<'a> Planner<'a> {
    /// Walks a block backwards; `later` holds the buffers written after the current place in the scope.
    fn block(&mut self, block: &'a Block, later: &BTreeSet<Buffer>) {
        // What comes after the block has been undone when the block is reversed.
        let mut later = self.not_undone(later);
        for inst in block.insts.iter().rev() {
            self.inst(inst, &later);
            later.extend(inst.kind.writes());
            for nested in inst.kind.blocks() {
                later.extend(nested.writes());
            }
        }
    }

    fn not_undone(&self, buffers: &BTreeSet<Buffer>) -> BTreeSet<Buffer> {
        buffers.iter().copied().filter(|b| !self.plan.undo.buffers.contains(b)).collect()
    }

    fn inst(&mut self, inst: &'a Inst, later: &BTreeSet<Buffer>) {
        match &inst.kind {
            InstKind::Load { .. } | InstKind::Pure(Op::Verbatim(_), _)
                if inst.kind.reads().iter().any(|b| later.contains(b)) =>
            {
                self.plan.unstable.insert(inst);
            }
            InstKind::Call(_) | InstKind::Product(_) => {
                let later = self.not_undone(later);
                let mut copies: Vec<Buffer> =
                    inst.kind.reads().into_iter().filter(|b| later.contains(b)).collect();
                copies.sort_unstable();
                copies.dedup();
                if !copies.is_empty() {
                    self.plan.entry_copies.insert(inst, copies);
                }
            }
            InstKind::If { then_block, else_block, .. } => {
                for block in [then_block, else_block] {
                    // What a branch declares is gone when it is reversed.
                    let mut later = later.clone();
                    later.extend(block.allocs());
                    self.block(block, &later);
                }
            }
            InstKind::For(ForLoop { body, .. }) | InstKind::While { body, .. } => {
                let plan = self.plan_loop(inst, body, later);
                if plan.replay {
                    self.block(body, &BTreeSet::new());
                } else {
                    let mut later = later.clone();
                    later.extend(body.writes());
                    later.extend(body.allocs());
                    self.block(body, &later);
                }
                self.plan.loops.insert(inst, plan);
            }
            _ => {}
        }
    }

    fn plan_loop(&mut self, inst: &'a Inst, body: &'a Block, later: &BTreeSet<Buffer>) -> LoopPlan {
        let inside: BTreeSet<Buffer> = body.allocs().into_iter().collect();
        let outside = |list: Vec<Buffer>| -> BTreeSet<Buffer> {
            list.into_iter().filter(|b| !inside.contains(b)).collect()
        };
        let writes = outside(body.writes());
        let reads = outside(reads(body));
        let later = &self.not_undone(later);
        let undone = &self.plan.undo.buffers;
        if writes.iter().any(|b| undone.contains(b)) && self.undoes_in(body) {
            return LoopPlan::default();
        }
        let mut plan = LoopPlan { replay: true, ..LoopPlan::default() };
        let mut copies = Vec::new();
        for &b in writes.intersection(&reads) {
            if self.defs.overwrites_first(&body.insts, b) {
                plan.private.push(b);
            } else if self.has_parts(inst, b) {
                // Each round changes a part of its own: one copy of all serves them all.
                copies.push(b);
            } else if self.can_copy(b) && (self.is_small(b) || self.traverses(body, b)) {
                plan.snapshots.push(b);
            } else {
                plan.replay = false;
            }
        }
        for &b in reads.difference(&writes) {
            if later.contains(&b) {
                let here = match &inst.kind {
                    InstKind::For(l) => self.defs.covers(l, b, 0),
                    _ => false,
                };
                if self.can_copy(b) && (self.is_small(b) || here || self.traverses(body, b)) {
                    copies.push(b);
                } else {
                    plan.replay = false;
                }
            }
        }
        if !plan.replay || self.saves_in_rounds(inst, body) {
            return LoopPlan::default();
        }
        plan.write_only = writes.difference(&reads).copied().collect();
        if let InstKind::For(l) = &inst.kind {
            let lasting = plan.write_only.iter().filter(|b| !later.contains(b));
            plan.reload = lasting.flat_map(|b| held::in_replayed(self.func, &self.places, l, *b)).collect();
        }
        if !copies.is_empty() {
            self.plan.entry_copies.insert(inst, copies);
        }
        plan
    }

    /// Whether a loop carries a state, and so does one inside, and all of it is in scalars.
    fn saves_in_rounds(&self, inst: &Inst, body: &Block) -> bool {
        let has_state = |inst: &Inst| carries_state(self.func, self.active, inst);
        let mut inner = false;
        body.visit(&mut |inst| inner |= has_state(inst));
        inner
            && !self.func.segmented
            && body.writes().is_empty()
            && body.allocs().is_empty()
            && has_state(inst)
    }

    /// Whether stores in a body are undone: they are where they are.
    fn undoes_in(&self, body: &Block) -> bool {
        let mut found = false;
        body.visit(&mut |inst| found |= self.plan.is_undone(inst));
        found
    }

    /// Whether each round of a loop has a part of `b` to itself, and to copy `b` costs no more than the loop.
    fn has_parts(&self, inst: &Inst, b: Buffer) -> bool {
        let InstKind::For(l) = &inst.kind else { return false };
        part_of_round(&self.places, l, b).is_some()
            && self.can_copy(b)
            && (self.is_small(b) || self.defs.covers(l, b, 0))
    }

    /// Whether whole contents can be pushed: vectors of one axis, and arrays.
    fn can_copy(&self, b: Buffer) -> bool {
        let dims = &self.func.buffer(b).dims;
        let data = self.func.buffer(b);
        !data.grows
            && data.layout == crate::ir::Layout::Nested
            && data.field.is_none()
            && !data.is_ragged()
            && dims.len() == 1
            || data.layout == crate::ir::Layout::Flat
            || dims.iter().all(|d| matches!(d, Dim::Fixed(_)))
    }

    /// Arrays of at most 16 elements: their copy costs as much as a few saved scalars.
    fn is_small(&self, b: Buffer) -> bool {
        let sizes: Option<Vec<usize>> = self
            .func
            .buffer(b)
            .dims
            .iter()
            .map(|d| match d {
                Dim::Fixed(n) => n.parse().ok(),
                _ => None,
            })
            .collect();
        sizes.is_some_and(|s| s.iter().product::<usize>() <= 16)
    }

    /// Whether some loop nested in this block runs over a whole axis of `b` and touches `b`, or a product takes or makes all of
    /// it: then copying `b` costs no more than the block itself does.
    fn traverses(&self, block: &Block, b: Buffer) -> bool {
        let mut found = block.insts.iter().any(
            |inst| matches!(&inst.kind, InstKind::Product(p) if p.factors().iter().any(|f| f.buffer == b)),
        );
        if self.func.buffer(b).dims.len() == 2 {
            return found || self.passes(block, b);
        }
        if self.func.buffer(b).dims.len() != 1 {
            return false;
        }
        // Only loops that run in every execution of the block: not those under an `if`.
        for inst in &block.insts {
            if let InstKind::For(l) = &inst.kind {
                found |= self.defs.covers(l, b, 0) || self.traverses(&l.body, b);
            }
        }
        found
    }
}

impl Planner<'_> {
    /// Whether a loop nest in a block runs over both axes of a matrix.
    fn passes(&self, block: &Block, b: Buffer) -> bool {
        let over = |block: &Block, axis: usize, inner: &dyn Fn(&Block) -> bool| {
            block.insts.iter().any(|inst| match &inst.kind {
                InstKind::For(l) => self.defs.covers(l, b, axis) && inner(&l.body),
                _ => false,
            })
        };
        over(block, 0, &|rows| over(rows, 1, &|_| true))
    }
}

/// Buffers a block reads when it is replayed: effects are not repeated. A `+=` alone is no read: where nothing
/// loads what it made, a replay leaves it out.
fn reads(block: &Block) -> Vec<Buffer> {
    let mut all = Vec::new();
    block.visit(&mut |inst| {
        if !matches!(inst.kind, InstKind::Effect(..)) {
            all.extend(inst.kind.reads());
        }
    });
    all.sort_unstable();
    all.dedup();
    all
}
