//! Buffers whose stores the reverse sweep takes back, so that they hold what the forward sweep saw.
//!
//! A saved loop pushes what its reversal reads. Where a buffer is read far more often than it is written (a matrix that is
//! factored in place: n³ loads, n² stores), it is cheaper to push what each store overwrites, and to put it back when the store is
//! reversed: then every load can simply be repeated. Method: value overwritten by an assignment is restored in the reverse
//! sweep, as in Tapenade (Hascoët and Pascual 2013, "the Tapenade automatic differentiation tool", §4, store-all).
//!
//! A buffer qualifies if it lives in the whole function, is active (so that what writes it is reversed), and is written by stores
//! outside replayed loops only. Other writes must come before anything reads it, in no saved loop: they need not be undone.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::replay::{InstId, Plan};
use crate::ir::{Block, Buffer, Func, Inst, InstKind, Storage};

/// The buffers, and the stores that are taken back.
#[derive(Default)]
pub(crate) struct Undo {
    pub(crate) buffers: HashSet<Buffer>,
    pub(crate) stores: HashSet<InstId>,
}

/// What pays to be undone, given how loops would be run backwards without.
pub(crate) fn undo(func: &Func, plan: &Plan, is_active: &dyn Fn(Buffer) -> bool) -> Undo {
    let mut found: HashMap<Buffer, Accesses> = HashMap::default();
    for inst in &func.body.insts {
        if let InstKind::Alloc { buffer, .. } = inst.kind
            && !func.buffer(buffer).grows
            && is_active(buffer)
        {
            found.insert(buffer, Accesses::default());
        }
    }
    let owned = (0..func.buffers.len() as u32).map(Buffer);
    for b in owned.filter(|b| func.buffer(*b).storage == Storage::Owned && is_active(*b)) {
        found.insert(b, Accesses::default());
    }
    if found.is_empty() {
        return Undo::default();
    }
    let mut walk = Walk { plan, found, read: HashSet::default() };
    walk.block(&func.body, Place::default());
    let mut undo = Undo::default();
    for (buffer, accesses) in walk.found {
        if !accesses.spoiled && accesses.repeated_loads > accesses.deepest_store {
            undo.buffers.insert(buffer);
            undo.stores.extend(accesses.stores);
        }
    }
    undo
}

#[derive(Default)]
struct Accesses {
    stores: Vec<InstId>,
    /// Most loops around a store; around a load whose value is pushed, from 1 (0: there is none).
    deepest_store: usize,
    repeated_loads: usize,
    spoiled: bool,
}

#[derive(Clone, Copy, Default)]
struct Place {
    depth: usize,
    in_saved: bool,
    in_replayed: bool,
    in_condition: bool,
}

struct Walk<'a> {
    plan: &'a Plan,
    found: HashMap<Buffer, Accesses>,
    /// Buffers that something has read already, in the order of the program.
    read: HashSet<Buffer>,
}

impl Walk<'_> {
    fn block(&mut self, block: &Block, place: Place) {
        for inst in &block.insts {
            self.inst(inst, place);
            let (mut inside, mut condition) = (place, place);
            if let InstKind::For(_) | InstKind::While { .. } = inst.kind {
                let replay = self.plan.of_loop(inst).replay;
                inside.depth += 1;
                inside.in_replayed |= replay;
                inside.in_saved |= !replay && !place.in_replayed;
                condition = Place { in_condition: true, ..inside };
            }
            match &inst.kind {
                InstKind::While { cond_block, body, .. } => {
                    self.block(cond_block, condition);
                    self.block(body, inside);
                }
                kind => kind.blocks().for_each(|b| self.block(b, inside)),
            }
        }
    }

    fn inst(&mut self, inst: &Inst, place: Place) {
        for b in inst.kind.reads() {
            self.read.insert(b);
            if let Some(accesses) = self.found.get_mut(&b)
                && !place.in_replayed
                && !self.plan.is_stable(inst)
            {
                accesses.repeated_loads = accesses.repeated_loads.max(place.depth);
            }
        }
        for b in inst.kind.writes() {
            let read = self.read.contains(&b);
            let Some(accesses) = self.found.get_mut(&b) else { continue };
            let undone =
                matches!(inst.kind, InstKind::Store { .. }) && !place.in_replayed && !place.in_condition;
            if undone {
                accesses.stores.push(inst);
                accesses.deepest_store = accesses.deepest_store.max(place.depth);
            } else if place.in_saved || read {
                accesses.spoiled = true;
            }
        }
    }
}
