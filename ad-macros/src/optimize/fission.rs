//! One loop that adds to several parts of one vector becomes a loop for each.
//!
//! ```text
//! for k in 0..n { a_bar[p + k] += s * a[q + k];  a_bar[q + k] += s * a[p + k] }
//!     →   for k in 0..n { a_bar[p + k] += s * a[q + k] }    for k in 0..n { a_bar[q + k] += s * a[p + k] }
//! ```
//!
//! This is what the reversal of a product of two rows of one matrix looks like. The two parts may overlap for all that rustc knows, so
//! that such a loop can have no window to write through ([`super::windows`]), keeps its bounds checks and is not vectorised. Each of
//! the new loops can. The order in which a place is added to changes: only where what is added belongs to derivatives, whose sums
//! nobody has promised an order. What both loops need is computed in both, so only light loops are split.
//!
//! So does a loop that writes to several vectors, where nothing that is loaded or computed for the one is needed for the other
//! (`a_bar[k] += s * b[k];  c_bar[k] += s * d[k]`): LLVM has to make sure, each time the loop starts, that what is written is apart
//! from all that is read, and rows of a triangle are short.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::analysis::definitions::{Definitions, base, definitions, moves};
use crate::ir::{Block, Buffer, ForLoop, Func, Inst, InstKind, Op, StoreMode, Value};

/// How many operations on floats two loops may both make.
const TWICE: usize = 2;

/// Runs the pass.
pub(crate) fn fission(mut func: Func) -> Func {
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

impl Pass<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            inst.kind.blocks_mut().for_each(|nested| self.block(nested));
            let rest = match &mut inst.kind {
                InstKind::For(l) => self.split(l),
                _ => Vec::new(),
            };
            insts.push(inst);
            insts.extend(rest.into_iter().map(|l| Inst { results: Vec::new(), kind: InstKind::For(l) }));
        }
        block.insts = insts;
    }

    /// Takes out of a loop what needs loops of its own.
    fn split(&mut self, l: &mut ForLoop) -> Vec<ForLoop> {
        let Some(groups) = self.groups(l) else { return Vec::new() };
        let groups = if groups.len() > 1 { groups } else { self.apart(l, groups) };
        if groups.len() < 2 {
            return Vec::new();
        }
        let slices: Vec<HashSet<usize>> = groups.iter().map(|stores| slice(&l.body, stores)).collect();
        let varies = Self::varying(l);
        // What is carried, the first loop has.
        let carries = |at: &usize| {
            let mut found = false;
            l.body.insts[*at].kind.each_operand(|v| found |= l.body.args[1..].contains(&v));
            found
        };
        if slices[1..].iter().flatten().any(carries) {
            return Vec::new();
        }
        let twice = |at: usize, inst: &Inst| {
            let arithmetic = matches!(&inst.kind, InstKind::Pure(op, _) if !matches!(op, Op::Float(_)));
            let many = slices.iter().filter(|s| s.contains(&at)).count() > 1;
            arithmetic && many && inst.results.iter().any(|r| self.func.is_float(*r) && varies.contains(r))
        };
        // Neither twice, nor in another order.
        let has_foreign = |slice: &&HashSet<usize>| slice.iter().any(|at| foreign(&l.body.insts[*at]));
        if l.body.insts.iter().enumerate().filter(|(at, inst)| twice(*at, inst)).count() > TWICE
            || slices.iter().filter(has_foreign).count() > 1
        {
            return Vec::new();
        }
        let rest = (1..groups.len()).map(|g| self.copy(l, &slices[g])).collect();
        let moved: HashSet<usize> = groups[1..].iter().flatten().copied().collect();
        let mut at = 0;
        l.body.insts.retain(|_| {
            at += 1;
            !moved.contains(&(at - 1))
        });
        rest
    }

    /// The stores of a loop, by their places in the body, in groups that write one part of each buffer; the first takes all that
    /// does not matter. `None` if the loop must stay as it is.
    fn groups(&self, l: &ForLoop) -> Option<Vec<Vec<usize>>> {
        if l.step.is_some() || l.inclusive || l.body.diverges {
            return None;
        }
        let mut groups: Vec<(HashMap<Buffer, Value>, Vec<usize>)> = Vec::new();
        let mut parts: HashMap<Buffer, usize> = HashMap::default();
        let mut simple: HashMap<Buffer, bool> = HashMap::default();
        for (at, inst) in l.body.insts.iter().enumerate() {
            match &inst.kind {
                InstKind::Pure(..) | InstKind::Load { .. } => {}
                InstKind::Store { buffer, index, value, mode } => {
                    let [index] = index.as_slice() else { return None };
                    let adds = *mode == StoreMode::Add
                        && self.func.value(*value).free
                        && moves(l, *index) == Some(true);
                    *simple.entry(*buffer).or_insert(true) &= adds;
                    let (part, _) = base(&self.defs, *index);
                    let fits = |known: &HashMap<Buffer, Value>| known.get(buffer).is_none_or(|p| *p == part);
                    let group = groups.iter().position(|(known, _)| fits(known)).unwrap_or_else(|| {
                        groups.push((HashMap::default(), Vec::new()));
                        groups.len() - 1
                    });
                    if groups[group].0.insert(*buffer, part).is_none() {
                        *parts.entry(*buffer).or_default() += 1;
                    }
                    groups[group].1.push(at);
                }
                _ => return None,
            }
        }
        let reads = l.body.reads();
        let written = l.body.writes();
        let split = |b: &Buffer| parts.get(b).is_some_and(|n| *n > 1);
        let fine = written.iter().all(|b| !reads.contains(b) && (!split(b) || simple[b]));
        fine.then(|| groups.into_iter().map(|(_, stores)| stores).collect())
    }

    /// The stores of one group in groups that have nothing in common: no vector is written by two of them, and nothing that varies is
    /// loaded or computed for two. Only of loops that do nothing but add.
    fn apart(&self, l: &ForLoop, groups: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
        let [stores] = &groups[..] else { return groups };
        let into = |at: usize| match &l.body.insts[at].kind {
            InstKind::Store { buffer, mode: StoreMode::Add, .. } => Some(*buffer),
            _ => None,
        };
        if !l.inits.is_empty() || stores.iter().any(|at| into(*at).is_none()) {
            return groups;
        }
        let varies = Self::varying(l);
        let is_work = |at: &usize| {
            let inst = &l.body.insts[*at];
            foreign(inst) || inst.results.iter().any(|r| self.func.is_float(*r) && varies.contains(r))
        };
        // All code that nobody looks into is one piece of work: it runs in its order.
        let first_foreign = l.body.insts.iter().position(foreign);
        let mut found: Vec<(HashSet<usize>, Vec<usize>)> = Vec::new();
        for at in stores {
            let (mut work, mut members) = (slice(&l.body, &[*at]), vec![*at]);
            work.retain(is_work);
            if work.iter().any(|at| foreign(&l.body.insts[*at])) {
                work.extend(first_foreign);
            }
            let (same, other): (Vec<_>, Vec<_>) = found.into_iter().partition(|(theirs, stores)| {
                !theirs.is_disjoint(&work) || stores.iter().any(|s| into(*s) == into(*at))
            });
            found = other;
            for (theirs, stores) in same {
                work.extend(theirs);
                members.extend(stores);
            }
            members.sort_unstable();
            found.push((work, members));
        }
        found.sort_by_key(|(_, stores)| stores[0]);
        found.into_iter().map(|(_, stores)| stores).collect()
    }

    /// What is not the same in all rounds.
    fn varying(l: &ForLoop) -> HashSet<Value> {
        let mut varies: HashSet<Value> = l.body.args.iter().copied().collect();
        for inst in &l.body.insts {
            let mut moves = false;
            inst.kind.each_operand(|v| moves |= varies.contains(&v));
            if moves {
                varies.extend(inst.results.iter().copied());
            }
        }
        varies
    }

    /// A loop of these instructions alone.
    fn copy(&mut self, l: &ForLoop, slice: &HashSet<usize>) -> ForLoop {
        let mut new: HashMap<Value, Value> = HashMap::default();
        let mut renamed = |func: &mut Func, v: Value| {
            let copy = func.like(v);
            new.insert(v, copy);
            copy
        };
        let args = vec![renamed(self.func, l.body.args[0])];
        let mut insts = Vec::new();
        for (at, inst) in l.body.insts.iter().enumerate() {
            if slice.contains(&at) {
                let results = inst.results.iter().map(|r| renamed(self.func, *r)).collect();
                insts.push(Inst { results, kind: inst.kind.clone() });
            }
        }
        for inst in &mut insts {
            inst.kind.map_operands(|v| new.get(&v).copied().unwrap_or(v));
        }
        let body = Block { args, insts, yields: Vec::new(), diverges: false };
        ForLoop { inits: Vec::new(), body, ..*l }
    }
}

/// Code that nobody looks into: it may cost anything, and be another value each time.
fn foreign(inst: &Inst) -> bool {
    matches!(inst.kind, InstKind::Pure(Op::Verbatim(_) | Op::Custom(_), _))
}

/// These instructions and what they need.
fn slice(body: &Block, stores: &[usize]) -> HashSet<usize> {
    let mut needed: HashSet<Value> = HashSet::default();
    let mut found: HashSet<usize> = stores.iter().copied().collect();
    for (at, inst) in body.insts.iter().enumerate().rev() {
        if found.contains(&at) || inst.results.iter().any(|r| needed.contains(r)) {
            found.insert(at);
            inst.kind.each_operand(|v| {
                needed.insert(v);
            });
        }
    }
    found
}
