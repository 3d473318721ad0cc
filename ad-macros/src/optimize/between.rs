//! What lies between two branches on one condition goes into both, and the branches become one.
//!
//! ```text
//! y = if c { A } else { B }  z = f(y)  w = if c { C(z) } else { D(z) }    becomes
//! (z, w) = if c { y = A; z = f(y); (z, C(z)) } else { y = B; z = f(y); (z, D(z)) }
//! ```
//!
//! [`super::branches`] joins those that need not be kept apart. Here the second one reads what is computed from the first, as a reverse
//! sweep does that branches where the function did: what the first hands to the second then stays in registers, and each way through
//! is straight code, of which LLVM computes several values at once. What cannot be copied, and does not come from the first, moves in front
//! of it.
//!
//! In loops, where the first branch is more than a choice (which LLVM may make without a branch), and what is copied is not more than what
//! is branched to. Runs when loops have their final shape: rounds that run side by side do so without branches.

use rustc_hash::FxHashSet as HashSet;

use super::branches::{append, next};
use super::moves::{commute, uses};
use crate::ir::walk::dim_values;
use crate::ir::{Block, Func, Inst, InstKind, Op, Value};

/// A branch of fewer instructions is a choice.
const CHOICE: usize = 8;

/// More is not copied.
const MOST: usize = 64;

/// Runs the pass.
pub(crate) fn between(mut func: Func) -> Func {
    let mut body = std::mem::take(&mut func.body);
    in_block(&mut func, &mut body, false);
    func.body = body;
    func
}

fn in_block(func: &mut Func, block: &mut Block, in_loop: bool) {
    let mut first = 0;
    while in_loop && first < block.insts.len() {
        match partner(func, block, first) {
            // It may have further partners.
            Some((second, copied)) => first = join(func, block, first, second, &copied),
            None => first += 1,
        }
    }
    for inst in &mut block.insts {
        let in_loop = in_loop || matches!(inst.kind, InstKind::For(_) | InstKind::While { .. });
        inst.kind.blocks_mut().for_each(|nested| in_block(func, nested, in_loop));
    }
}

/// The next branch on the condition of the one at `first`, if both can be one, and what between them has to be copied.
fn partner(func: &Func, block: &Block, first: usize) -> Option<(usize, Vec<usize>)> {
    let (branch, second) = (&block.insts[first], next(block, first)?);
    let mut copied: Vec<usize> = Vec::new();
    for at in first + 1..second {
        let inst = &block.insts[at];
        let passes = |earlier: &Inst| commute(func, earlier, inst);
        if can_be_copied(&inst.kind) {
            copied.push(at);
        } else if !passes(branch) || !copied.iter().all(|k| passes(&block.insts[*k])) {
            return None;
        }
    }
    let (before, behind) = (size(branch), size(&block.insts[second]));
    // Indices, and loads, are little.
    let works = |at: &&usize| {
        let inst = &block.insts[**at];
        let is_arithmetic = matches!(inst.kind, InstKind::Pure(..)) && func.is_float(inst.results[0]);
        is_arithmetic || matches!(inst.kind, InstKind::Store { .. })
    };
    let work = copied.iter().filter(works).count();
    let pays = before >= CHOICE && behind >= CHOICE && work <= MOST.min(before + behind);
    pays.then_some((second, copied))
}

fn can_be_copied(kind: &InstKind) -> bool {
    match kind {
        InstKind::Pure(op, _) => !matches!(op, Op::Verbatim(_) | Op::Custom(_)),
        InstKind::Load { .. } | InstKind::Store { .. } => true,
        _ => false,
    }
}

/// How many instructions there are on both sides of a branch.
fn size(branch: &Inst) -> usize {
    let mut n = 0;
    branch.kind.blocks().for_each(|b| b.visit(&mut |_| n += 1));
    n
}

/// Makes one branch of two; returns where it stands.
fn join(func: &mut Func, block: &mut Block, first: usize, second: usize, copied: &[usize]) -> usize {
    let later = block.insts.remove(second);
    let middle: Vec<Inst> =
        copied.iter().enumerate().map(|(gone, at)| block.insts.remove(at - gone)).collect();
    // What is left between them moves in front.
    let stands = second - 1 - copied.len();
    block.insts[first..=stands].rotate_left(1);
    let used = used_behind(func, block, stands);
    let handed: Vec<Value> =
        middle.iter().flat_map(|inst| &inst.results).copied().filter(|v| used.contains(v)).collect();
    append(&mut block.insts[stands], later, &handed, |side, given| {
        for inst in &middle {
            let mut inst = inst.clone();
            inst.kind.map_operands(|v| *given.get(&v).unwrap_or(&v));
            for result in &mut inst.results {
                let new = func.like(*result);
                given.insert(*result, new);
                *result = new;
            }
            side.insts.push(inst);
        }
    });
    stands
}

/// What the rest of a block uses, and lengths of buffers.
fn used_behind(func: &Func, block: &Block, at: usize) -> HashSet<Value> {
    let lengths = func.buffers.iter().flat_map(|b| dim_values(&b.dims));
    let mut used: HashSet<Value> = block.yields.iter().copied().chain(lengths).collect();
    for inst in &block.insts[at + 1..] {
        uses(inst, &mut |v| {
            used.insert(v);
        });
    }
    used
}
