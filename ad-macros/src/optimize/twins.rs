//! Local buffers that always hold the same: one of them is enough.
//!
//! A loop that fills a scratch buffer and its replay, once fused, store the same value at the same place of two buffers, one right
//! after the other. Twins are buffers of the same kind and axes, declared in one block with the same contents, and written by
//! such pairs of stores alone. What reads the one may then read the other.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::ir::{Binding, Block, Buffer, Func, Inst, InstKind, Storage, Value};

/// Runs the pass.
pub(crate) fn twins(mut func: Func) -> Func {
    if func.buffers.iter().filter(|b| b.storage == Storage::Local && !b.grows).count() < 2 {
        return func;
    }
    let mut seen = Seen::default();
    seen.block(&func.body);
    let mut merged: HashMap<Buffer, Buffer> = HashMap::default();
    let mut kept: HashSet<Buffer> = HashSet::default();
    let mut pairs: Vec<(Buffer, Buffer)> = seen.pairs.keys().copied().collect();
    pairs.sort_unstable();
    for (first, second) in pairs {
        let free = !merged.contains_key(&first) && !merged.contains_key(&second) && !kept.contains(&second);
        if free && seen.are_twins(&func, first, second) {
            merged.insert(second, first);
            kept.insert(first);
        }
    }
    if !merged.is_empty() {
        merge(&mut func.body, &merged);
        for data in &mut func.buffers {
            data.like = data.like.map(|b| *merged.get(&b).unwrap_or(&b));
        }
    }
    func
}

/// What is written where.
#[derive(Default)]
struct Seen {
    /// Block, place and contents of each declaration.
    declared: HashMap<Buffer, (*const Block, usize, Value)>,
    /// Stores of single elements.
    stores: HashMap<Buffer, usize>,
    /// Buffers that something else writes.
    others: HashSet<Buffer>,
    /// How often a store to the first is followed by the same to the second.
    pairs: HashMap<(Buffer, Buffer), usize>,
}

impl Seen {
    fn block(&mut self, block: &Block) {
        for (at, inst) in block.insts.iter().enumerate() {
            match &inst.kind {
                InstKind::Alloc { buffer, fill } => {
                    self.declared.insert(*buffer, (block, at, *fill));
                }
                InstKind::Store { buffer, .. } => {
                    *self.stores.entry(*buffer).or_default() += 1;
                    for first in before(&block.insts[..at], inst, *buffer) {
                        *self.pairs.entry((first, *buffer)).or_default() += 1;
                    }
                }
                kind => self.others.extend(kind.writes()),
            }
            for nested in inst.kind.blocks() {
                self.block(nested);
            }
        }
    }

    fn are_twins(&self, func: &Func, first: Buffer, second: Buffer) -> bool {
        let (a, b) = (func.buffer(first), func.buffer(second));
        let alike = a.storage == Storage::Local
            && b.storage == Storage::Local
            && (&a.elem, &a.dims, a.layout, a.like) == (&b.elem, &b.dims, b.layout, b.like)
            && !a.grows
            && !b.grows;
        let declared = match (self.declared.get(&first), self.declared.get(&second)) {
            (Some((block, at, fill)), Some((other, later, same))) => {
                block == other && at < later && fill == same
            }
            _ => false,
        };
        let count = self.pairs.get(&(first, second));
        let paired = count.is_some()
            && self.stores.get(&first) == count
            && self.stores.get(&second) == count
            && !self.others.contains(&first)
            && !self.others.contains(&second);
        let returned = func.outputs.iter().any(|o| o.binding == Binding::Buffer(second));
        alike && declared && paired && !returned
    }
}

/// The buffers that the same has been stored to, with nothing in between that the difference would matter to.
fn before(insts: &[Inst], store: &Inst, second: Buffer) -> Vec<Buffer> {
    let InstKind::Store { index, value, mode, .. } = &store.kind else { return Vec::new() };
    let mut found = Vec::new();
    let mut written: HashSet<Buffer> = HashSet::default();
    for inst in insts.iter().rev() {
        if let InstKind::Store { buffer, index: at, value: stored, mode: how } = &inst.kind
            && (at, stored, how) == (index, value, mode)
            && *buffer != second
            && !written.contains(buffer)
        {
            found.push(*buffer);
        }
        written.extend(inst.kind.writes());
        let mut touches = inst.kind.reads().contains(&second) || inst.kind.writes().contains(&second);
        for block in inst.kind.blocks() {
            written.extend(block.writes());
            touches = touches || block.reads().contains(&second) || block.writes().contains(&second);
        }
        if touches || matches!(inst.kind, InstKind::Alloc { buffer, .. } if buffer == second) {
            break;
        }
    }
    found
}

/// Drops what declares and writes the second twins, and reads the first ones for them.
fn merge(block: &mut Block, merged: &HashMap<Buffer, Buffer>) {
    block.insts.retain(|inst| match &inst.kind {
        InstKind::Alloc { buffer, .. } | InstKind::Store { buffer, .. } => !merged.contains_key(buffer),
        _ => true,
    });
    for inst in &mut block.insts {
        inst.kind.map_buffers(|b| *merged.get(&b).unwrap_or(&b));
        for nested in inst.kind.blocks_mut() {
            merge(nested, merged);
        }
    }
}
