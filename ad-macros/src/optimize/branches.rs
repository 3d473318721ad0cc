//! Branches that follow one another on one condition become one.
//!
//! ```text
//! y = if c { A } else { B }  ..  z = if c { C(y) } else { D(y) }    becomes
//! (y, z) = if c { y = A; (y, C(y)) } else { y = B; (y, D(y)) }  ..
//! ```
//!
//! So a reverse sweep that branches right where the function did does so once, and what only the second branch needs of the first
//! stays in it.
//!
//! Conditions: what lies between them and is needed by the second needs nothing of the first, and can move in front of both; what
//! else lies between them can follow them.

use rustc_hash::FxHashMap as HashMap;

use super::moves::{Takes, moved_in_front, pull};
use crate::ir::{Block, Func, Inst, InstKind, Value};

/// Runs the pass.
pub(crate) fn branches(mut func: Func) -> Func {
    let mut body = std::mem::take(&mut func.body);
    in_block(&func, &mut body);
    func.body = body;
    func
}

/// Outer branches first: only when they are one do those inside stand side by side.
fn in_block(func: &Func, block: &mut Block) {
    let mut first = 0;
    while first < block.insts.len() {
        match partner(func, block, first) {
            // It may have further partners.
            Some((second, needed)) => first = join(block, first, second, &needed),
            None => first += 1,
        }
    }
    for inst in &mut block.insts {
        inst.kind.blocks_mut().for_each(|nested| in_block(func, nested));
    }
}

/// The condition of a branch that comes to its end on both sides.
pub(super) fn condition(kind: &InstKind) -> Option<Value> {
    match kind {
        InstKind::If { cond, then_block, else_block } if !then_block.diverges && !else_block.diverges => {
            Some(*cond)
        }
        _ => None,
    }
}

/// Where the next branch on the condition of the one at `first` stands.
pub(super) fn next(block: &Block, first: usize) -> Option<usize> {
    let cond = condition(&block.insts[first].kind)?;
    (first + 1..block.insts.len()).find(|at| condition(&block.insts[*at].kind) == Some(cond))
}

/// The next branch that can be joined with the one at `first`, and what between them has to move in front.
fn partner(func: &Func, block: &Block, first: usize) -> Option<(usize, Vec<usize>)> {
    let second = next(block, first)?;
    Some((second, moved_in_front(func, block, first, second, Takes::Results)?))
}

/// Makes one branch of two; returns where it stands.
fn join(block: &mut Block, first: usize, second: usize, needed: &[usize]) -> usize {
    let (first, later) = pull(block, first, second, needed);
    append(&mut block.insts[first], later, &[], |_, _| {});
    first
}

/// Puts a later branch on the same condition behind one. On each side `between` comes before what the later one does there: it is given what
/// each result of the first one is on this side, and adds what becomes of those in `made`, which go on as results of the whole.
pub(super) fn append(
    inst: &mut Inst,
    later: Inst,
    made: &[Value],
    mut between: impl FnMut(&mut Block, &mut HashMap<Value, Value>),
) {
    if let (
        InstKind::If { then_block, else_block, .. },
        InstKind::If { then_block: then_later, else_block: else_later, .. },
    ) = (&mut inst.kind, later.kind)
    {
        for (side, mut more) in [(then_block, then_later), (else_block, else_later)] {
            let mut given: HashMap<Value, Value> =
                inst.results.iter().copied().zip(side.yields.clone()).collect();
            between(side, &mut given);
            more.map_uses(&mut |v| *given.get(&v).unwrap_or(&v));
            side.insts.append(&mut more.insts);
            side.yields.extend(made.iter().map(|v| given[v]));
            side.yields.append(&mut more.yields);
        }
    }
    inst.results.extend(made);
    inst.results.extend(later.results);
}
