//! Branches of one condition: what a later `if c` computes again, the earlier one hands out.
//!
//! A reverse sweep branches as the function did, and computes again what its branches need:
//!
//! ```text
//! y = if c { s = sqrt(t);  a / s } else { 0 }              (y, s') = if c { s = sqrt(t);  (a / s, s) } else { (0, 0) }
//! ..                                                  →    ..
//! t_bar = if c { s = sqrt(t);  y_bar / s } else { 0 }      t_bar = if c { y_bar / s' } else { 0 }
//! ```
//!
//! In a branch, a value is the *twin* of one in the same branch of an earlier `if` if both are computed in the same way from the
//! same values or from twins. If the earlier one leaves its `if` as a result, that result takes the place of the later one; if it
//! takes several operations, it is made a result for that. A result of the later `if` that is the same in both branches as one of
//! the earlier is that one.

use rustc_hash::FxHashMap as HashMap;

use super::Key;
use super::table::Table;
use crate::analysis::replay::is_expensive;
use crate::ir::{Block, Func, Inst, InstKind, Op, Unary, Value};

/// What is known of branches, where we are.
#[derive(Default)]
pub(super) struct Branches {
    seen: Vec<Seen>,
    /// By their places in `seen`: those whose results are in scope.
    scopes: Vec<Vec<usize>>,
    /// The branches that we are in: how earlier ones of their condition are found.
    inside: Vec<Vec<(usize, usize)>>,
    /// The value of an earlier `if` that a value is the twin of.
    twins: HashMap<(usize, Value), Value>,
    /// How many operations it takes to compute a value again that has a twin.
    costs: HashMap<Value, usize>,
    /// What becomes a result: a value in a branch, that result, and which branch.
    pub(super) exports: HashMap<Value, (Value, usize)>,
}

/// An `if` that has been seen.
struct Seen {
    cond: Value,
    results: Vec<Value>,
    sides: Vec<Side>,
}

struct Side {
    computed: Table,
    yields: Vec<Value>,
    diverges: bool,
    /// Which results its values leave it as.
    handed: HashMap<Value, Value>,
    /// The other way round: what its results are.
    results: HashMap<Value, Value>,
}

impl Branches {
    pub(super) fn enter(&mut self) {
        self.scopes.push(Vec::new());
    }

    pub(super) fn leave(&mut self) {
        self.scopes.pop();
    }

    /// From here on we are in a branch.
    pub(super) fn assume(&mut self, cond: Value, side: usize) {
        let before = self.scopes.iter().flatten().copied();
        let of_condition =
            before.filter(|at| self.seen[*at].cond == cond && !self.seen[*at].sides[side].diverges);
        self.inside.push(of_condition.map(|at| (at, side)).collect());
    }

    pub(super) fn forget(&mut self) {
        self.inside.pop();
    }

    /// What stands for a computation, if the branch has a twin that has made it.
    pub(super) fn find(&mut self, func: &mut Func, key: &Key, inst: &Inst) -> Option<Value> {
        let cost = self.cost(inst);
        for (at, side) in self.inside.iter().rev().flatten().copied() {
            let of_twins = key.map(|v| self.twin(at, side, v));
            let side_of = &mut self.seen[at].sides[side];
            let Some(inner) = side_of.computed.get(&of_twins) else { continue };
            self.twins.insert((at, inst.results[0]), inner);
            if let Some(result) = side_of.handed.get(&inner) {
                return Some(*result);
            }
            self.costs.insert(inst.results[0], cost);
            if cost >= DEAR && func.is_float(inner) && !self.exports.contains_key(&inner) {
                let result = func.like(inner);
                side_of.handed.insert(inner, result);
                side_of.results.insert(result, inner);
                self.exports.insert(inner, (result, side));
                return Some(result);
            }
        }
        None
    }

    /// What it takes to compute something again in a branch.
    fn cost(&self, inst: &Inst) -> usize {
        match &inst.kind {
            InstKind::Pure(Op::Float(_) | Op::Int(_) | Op::Bool(_), _) => 0,
            InstKind::Pure(op, _) if is_slow(op) => DEAR,
            InstKind::Pure(_, args) => 1 + args.iter().filter_map(|a| self.costs.get(a)).sum::<usize>(),
            _ => 0,
        }
    }

    /// What a value is in the branch of an earlier `if`: its twin; what the branch yields, of a result; or itself.
    fn twin(&self, at: usize, side: usize, v: Value) -> Value {
        if let Some(twin) = self.twins.get(&(at, v)) {
            return *twin;
        }
        let side = &self.seen[at].sides[side];
        side.results.get(&v).copied().unwrap_or(v)
    }

    /// Results of an `if` that are those of an earlier one.
    pub(super) fn equal(
        &self,
        cond: Value,
        blocks: [&Block; 2],
        results: &[Value],
        func: &Func,
    ) -> Vec<(Value, Value)> {
        let mut found = Vec::new();
        if blocks.iter().any(|b| b.diverges) {
            return found;
        }
        let before = || self.scopes.iter().flatten().copied().filter(|at| self.seen[*at].cond == cond);
        for (k, result) in results.iter().enumerate() {
            let twin = before().find_map(|at| {
                let seen = &self.seen[at];
                let same = |m: usize, of: Value| {
                    let both = (0..2).zip(blocks);
                    both.into_iter().all(|(side, block)| {
                        let (ours, theirs) = (block.yields[k], seen.sides[side].yields[m]);
                        ours == of || self.twin(at, side, ours) == theirs
                    })
                };
                let live = seen.sides.iter().all(|s| !s.diverges);
                let mut all = seen.results.iter().enumerate().filter(|_| live);
                all.find(|(m, of)| func.ty(**of) == func.ty(*result) && same(*m, **of)).map(|(_, of)| *of)
            });
            found.extend(twin.map(|of| (*result, of)));
        }
        found
    }

    /// Keeps an `if` in mind, now that it has been seen. `computed`: what its branches compute.
    pub(super) fn keep(&mut self, cond: Value, computed: Vec<Table>, blocks: [&Block; 2], results: &[Value]) {
        let sides = computed.into_iter().zip(blocks).map(|(computed, block)| Side {
            computed,
            yields: block.yields.clone(),
            diverges: block.diverges,
            handed: block.yields.iter().copied().zip(results.iter().copied()).collect(),
            results: results.iter().copied().zip(block.yields.iter().copied()).collect(),
        });
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(self.seen.len());
        }
        self.seen.push(Seen { cond, results: results.to_vec(), sides: sides.collect() });
    }
}

/// From how many operations on it is better to hand a result on than to compute it again.
const DEAR: usize = 4;

/// Whether an operation takes as long as several others.
fn is_slow(op: &Op) -> bool {
    is_expensive(op) || matches!(op, Op::Div | Op::Rem | Op::Powi | Op::Unary(Unary::Sqrt | Unary::Recip))
}

/// Makes values of branches results of their `if`s; the other branch has zero for it.
pub(super) fn hand_out(func: &mut Func, block: &mut Block, exports: &HashMap<Value, (Value, usize)>) {
    if exports.is_empty() {
        return;
    }
    for inst in &mut block.insts {
        if let InstKind::If { then_block, else_block, .. } = &mut inst.kind {
            let sides = [then_block, else_block];
            let made = sides.iter().flat_map(|block| &block.insts).flat_map(|i| &i.results);
            let wanted: Vec<_> = made.filter_map(|v| Some((*v, *exports.get(v)?))).collect();
            for (inner, (result, side)) in wanted {
                inst.results.push(result);
                sides[side].yields.push(inner);
                let other = &mut *sides[1 - side];
                if !other.diverges {
                    let zero = func.new_value(func.ty(inner).clone(), None);
                    let kind = InstKind::Pure(Op::Float(0.0), Vec::new());
                    other.insts.push(Inst { results: vec![zero], kind });
                    other.yields.push(zero);
                }
            }
        }
        inst.kind.blocks_mut().for_each(|nested| hand_out(func, nested, exports));
    }
}
