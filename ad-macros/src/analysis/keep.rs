//! Which values of inner loops are worth keeping between the replay of a round and its reversal.
//!
//! A replayed loop runs the body of a round, then its reversal, in which the loops inside run their bodies once more. What is
//! dear there, a reduction or a call into libm, can be kept in between: a place for each round of the loops inside. The space
//! is allocated once, at the top of the function.
//!
//! A loop of the whole function that saves its state in each round keeps what is dear in it as well, a place for each round. One that
//! fills a vector keeps what the elements are made of in a vector like it.
//!
//! Kept is only in functions whose derivatives allocate anyway, since they have vectors of their own or loops with a state:
//! others are promised to allocate nothing.

use rustc_hash::FxHashSet as HashSet;

use super::activity::Activity;
use super::definitions::{Definitions, definitions, literal};
use super::held::{self, Held};
use super::replay::{InstId, Plan, is_expensive};
use super::sizes::sizes;
use super::state::carries_state;
use crate::ir::{Binding, Block, Buffer, Dim, ForLoop, Func, Inst, InstKind, Storage, Value};

/// A loop of fewer rounds is run again.
const FEW: u64 = 8;

/// A value that is kept.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// Where.
#[derive(Clone)]
pub(crate) enum Place {
    /// In a vector with a place for each round of the loops between the round and it, outermost first: their variables and numbers of
    /// rounds.
    Rounds(Vec<(Value, Value)>),
    /// In one like this vector, at this index.
    Like(Buffer, Vec<Value>),
}

/// What can be kept in a function at all.
pub(crate) struct Keeper {
    defs: Definitions,
    sizes: HashSet<Value>,
    /// Values that are there from the top of the function on.
    outermost: HashSet<Value>,
    /// Loops that save something in each round.
    saving: HashSet<InstId>,
    allowed: bool,
}

fn remove_held(list: &mut Vec<Kept>, held: &[Held]) {
    list.retain(|kept| !held.iter().any(|(v, ..)| *v == kept.value));
}

impl Keeper {
    pub(crate) fn new(func: &Func, plan: &Plan, active: &Activity) -> Keeper {
        let mut allowed = false;
        let mut saving = HashSet::default();
        func.body.visit(&mut |inst| match &inst.kind {
            InstKind::Alloc { buffer, .. } => {
                allowed |= func.buffer(*buffer).dims.iter().any(|d| matches!(d, Dim::Dyn(_)));
            }
            InstKind::For(_) | InstKind::While { .. }
                if carries_state(func, active, inst) || !plan.of_loop(inst).snapshots.is_empty() =>
            {
                saving.insert(std::ptr::from_ref(inst));
            }
            _ => {}
        });
        allowed |= !saving.is_empty();
        if !allowed {
            return Keeper {
                defs: Definitions::default(),
                sizes: HashSet::default(),
                outermost: HashSet::default(),
                saving,
                allowed,
            };
        }
        let params = func.params.iter().filter_map(|p| match p.binding {
            Binding::Value(v) => Some(v),
            Binding::Buffer(_) => None,
        });
        let top = func.body.insts.iter().flat_map(|inst| inst.results.iter().copied());
        Keeper {
            defs: definitions(func),
            sizes: sizes(func),
            outermost: params.chain(top).collect(),
            saving,
            allowed,
        }
    }

    /// A number of rounds that is written as a number: it may stand anywhere.
    pub(crate) fn literal(&self, rounds: Value) -> Option<u64> {
        literal(&self.defs, rounds)
    }

    /// What to keep of the loops inside a round.
    pub(crate) fn of_round(&self, func: &Func, plan: &Plan, body: &Block) -> Vec<Kept> {
        let mut found = Vec::new();
        if self.allowed {
            self.block(func, plan, body, &mut Vec::new(), &mut found);
        }
        // What a buffer of the user's holds anyway, in the round.
        body.visit(&mut |inst| {
            if let InstKind::For(_) = inst.kind {
                remove_held(&mut found, &plan.of_loop(inst).reload);
            }
        });
        found
    }

    /// What to keep of a loop of the whole function: if it saves its state in each round anyway, or fills a vector.
    pub(crate) fn of_loop(&self, func: &Func, plan: &Plan, inst: &Inst) -> Vec<Kept> {
        let mut found = Vec::new();
        if self.saving.contains(&std::ptr::from_ref(inst)) {
            self.looped(func, plan, inst, &mut Vec::new(), &mut found);
        } else if let InstKind::For(l) = &inst.kind
            && self.allowed
            && plan.of_loop(inst).replay
        {
            self.filled(func, l, &mut found);
        }
        // What a buffer holds of one round only is kept for the others.
        remove_held(&mut found, &plan.of_loop(inst).reload);
        found
    }

    fn block(
        &self,
        func: &Func,
        plan: &Plan,
        block: &Block,
        path: &mut Vec<(Value, Value)>,
        found: &mut Vec<Kept>,
    ) {
        for inst in &block.insts {
            if !path.is_empty() && is_dear(&self.defs, inst) {
                let floats = inst.results.iter().filter(|r| func.is_float(**r));
                found.extend(floats.map(|r| Kept { value: *r, place: Place::Rounds(path.clone()) }));
            }
            self.looped(func, plan, inst, path, found);
        }
    }

    fn looped(
        &self,
        func: &Func,
        plan: &Plan,
        inst: &Inst,
        path: &mut Vec<(Value, Value)>,
        found: &mut Vec<Kept>,
    ) {
        let InstKind::For(l) = &inst.kind else { return };
        if !plan.of_loop(inst).replay || !self.is_regular(l) {
            return;
        }
        path.push((l.body.args[0], l.hi));
        self.block(func, plan, &l.body, path, found);
        path.pop();
    }

    /// What a vector is filled with may be made of something dear: that takes as much memory again.
    fn filled(&self, func: &Func, l: &ForLoop, found: &mut Vec<Kept>) {
        for store in held::filled(&self.defs, l) {
            let data = func.buffer(store.buffer);
            let whole = data.storage == Storage::Local
                && !data.grows
                && data.dims.iter().all(|d| matches!(d, Dim::Dyn(n) if self.outermost.contains(n)));
            if !whole {
                continue;
            }
            for inst in store.body.insts[..store.at].iter().filter(|inst| is_dear(&self.defs, inst)) {
                let new = |r: &&Value| func.is_float(**r) && !found.iter().any(|kept| kept.value == **r);
                let floats: Vec<Value> = inst.results.iter().filter(new).copied().collect();
                let place = Place::Like(store.buffer, store.index.to_vec());
                found.extend(floats.into_iter().map(|value| Kept { value, place: place.clone() }));
            }
        }
    }

    /// Counts from zero to a number that is known at the top of the function.
    fn is_regular(&self, l: &ForLoop) -> bool {
        self.literal(l.lo) == Some(0)
            && !l.inclusive
            && l.step.is_none()
            && !l.body.diverges
            && (self.literal(l.hi).is_some() || self.outermost.contains(&l.hi) && self.sizes.contains(&l.hi))
            && self.sizes.contains(&l.body.args[0])
    }
}

/// Whether it costs more to compute it again than to store and load it: calls, into libm too, and sums of more than a few terms.
pub(crate) fn is_dear(defs: &Definitions, inst: &Inst) -> bool {
    match &inst.kind {
        InstKind::Pure(op, _) => is_expensive(op),
        InstKind::For(l) => literal(defs, l.hi).is_none_or(|rounds| rounds > FEW),
        InstKind::While { .. } | InstKind::Call(_) => true,
        _ => false,
    }
}
