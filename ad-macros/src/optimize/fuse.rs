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

use rustc_hash::FxHashMap as HashMap;

use super::moves::{Takes, Touched, moved_in_front, pull};
use crate::analysis::definitions::{Definitions, definitions};
use crate::analysis::overwrite::part_of_round;
use crate::ir::{Block, Buffer, ForLoop, Func, Inst, InstKind, Op, Storage, Value};

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
    loop {
        // Of several pairs the one that most is computed in: to fuse one may be in the way of another.
        let pairs = (0..block.insts.len()).filter_map(|first| {
            let (second, needed) = partner(func, defs, block, first)?;
            Some((work(&block.insts[first]), std::cmp::Reverse(first), second, needed))
        });
        let heaviest = pairs.max_by_key(|(work, first, ..)| (*work, *first));
        let Some((_, first, second, needed)) = heaviest else { break };
        // The fused loop stands where the first did, behind what had to move; it may have further partners.
        join(block, first.0, second, &needed);
    }
    for inst in &mut block.insts {
        for nested in inst.kind.blocks_mut() {
            in_block(func, defs, nested);
        }
    }
}

/// How deep loops are nested, and how many instructions there are.
fn work(inst: &Inst) -> (usize, usize) {
    let (mut depth, mut size) = (0, 1);
    for nested in inst.kind.blocks().flat_map(|b| &b.insts) {
        let of_nested = work(nested);
        depth = depth.max(of_nested.0);
        size += of_nested.1;
    }
    (depth + usize::from(matches!(inst.kind, InstKind::For(_) | InstKind::While { .. })), size)
}

/// The next loop that can be fused with the one at `first`, and what between them has to move in front.
fn partner(func: &Func, defs: &Definitions, block: &Block, first: usize) -> Option<(usize, Vec<usize>)> {
    let InstKind::For(a) = &block.insts[first].kind else { return None };
    (first + 1..block.insts.len()).find_map(|second| {
        let InstKind::For(b) = &block.insts[second].kind else { return None };
        let fits = same_rounds(a, b) && compatible(defs, a, b) && shares_work(func, a, b);
        let needed = fits.then(|| moved_in_front(func, block, first, second, Takes::Nothing))??;
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

/// Makes one loop of two.
fn join(block: &mut Block, first: usize, second: usize, needed: &[usize]) {
    let (first, later) = pull(block, first, second, needed);
    if let (InstKind::For(a), InstKind::For(mut b)) = (&mut block.insts[first].kind, later.kind) {
        let (theirs, ours) = (b.body.args[0], a.body.args[0]);
        b.body.map_uses(&mut |v| if v == theirs { ours } else { v });
        a.inits.append(&mut b.inits);
        a.body.args.extend(b.body.args.drain(1..));
        a.body.insts.append(&mut b.body.insts);
        a.body.yields.append(&mut b.body.yields);
        block.insts[first].results.extend(later.results);
    }
}

/// Whether the bodies load from the same place, or compute the same: directly, or in nested loops over the same rounds.
fn shares_work(func: &Func, a: &ForLoop, b: &ForLoop) -> bool {
    let mut same: HashMap<Value, Value> = HashMap::default();
    same.insert(b.body.args[0], a.body.args[0]);
    shares(func, &a.body, &b.body, &mut same)
}

/// Whether one of two local buffers may be the other's copy for the replay of a round: then both may hold the same ([`super::twins`]).
fn are_copies(func: &Func, a: Buffer, b: Buffer) -> bool {
    let (a, b) = (func.buffer(a), func.buffer(b));
    a.storage == Storage::Local
        && b.storage == Storage::Local
        && (&a.name, &a.elem, &a.dims, a.layout) == (&b.name, &b.elem, &b.dims, b.layout)
}

fn shares(func: &Func, a: &Block, b: &Block, same: &mut HashMap<Value, Value>) -> bool {
    for inst in &b.insts {
        let at = |v: &Value| *same.get(v).unwrap_or(v);
        let twin = match &inst.kind {
            InstKind::Pure(Op::Verbatim(v), args) if v.is_told(func.ty(inst.results[0])) => {
                let args: Vec<Value> = args.iter().map(at).collect();
                a.insts.iter().find(|i| match &i.kind {
                    InstKind::Pure(Op::Verbatim(w), x) => {
                        *x == args && v.code == w.code && v.buffers == w.buffers
                    }
                    _ => false,
                })
            }
            InstKind::Pure(op, args) if !matches!(op, Op::Verbatim(_) | Op::Custom(_)) => {
                let args: Vec<Value> = args.iter().map(at).collect();
                let text = format!("{op:?}");
                a.insts.iter().find(
                    |i| matches!(&i.kind, InstKind::Pure(o, x) if *x == args && format!("{o:?}") == text),
                )
            }
            InstKind::Load { buffer, index } => {
                let index: Vec<Value> = index.iter().map(at).collect();
                a.insts.iter().find(|i| match &i.kind {
                    InstKind::Load { buffer: o, index: x } => {
                        *x == index && (o == buffer || are_copies(func, *o, *buffer))
                    }
                    _ => false,
                })
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
            InstKind::Pure(Op::Float(_), _) => false,
            // Of a constant.
            InstKind::Pure(Op::Verbatim(_), args) if args.is_empty() => false,
            InstKind::Pure(..) => func.is_float(inst.results[0]),
            _ => true,
        };
        if counts {
            return true;
        }
        same.insert(inst.results[0], twin.results[0]);
    }
    false
}
