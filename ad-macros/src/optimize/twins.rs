//! Local buffers that always hold the same: one of them is enough.
//!
//! A loop that fills a scratch buffer and its replay, once fused, store the same value at the same place of two buffers, one right
//! after the other. Twins are buffers of the same kind and axes, declared in one block with the same contents, and written by
//! such pairs of stores alone. What reads the one may then read the other.
//!
//! A vector that is rewritten in place makes its next contents of its last ones, so that the stores are the same only if the
//! twins are. That is assumed, and stands if the stores then turn out to be: the buffers hold the same at first, and after each pair of
//! stores if they did before it.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::congruent::congruent;
use super::gvn::gvn;
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
        return func;
    }
    for (first, second) in seen.rewritten(&func) {
        if let Some(one) = as_one(&func, first, second) {
            return one;
        }
    }
    func
}

/// The function with one buffer for two that are written in lockstep, if they hold the same once what is loaded from the first is taken
/// from the second.
fn as_one(func: &Func, first: Buffer, second: Buffer) -> Option<Func> {
    let pairs = in_lockstep(&func.body, first, second)?;
    let mut trial = func.clone();
    trial.body.visit_mut(&mut |inst| {
        if let InstKind::Load { buffer, .. } = &mut inst.kind
            && *buffer == first
        {
            *buffer = second;
        }
    });
    for _ in 0..2 {
        trial = congruent(gvn(trial));
    }
    trial = gvn(trial);
    if stores_agree(&trial.body, first, second)? != pairs {
        return None;
    }
    drop_stores(&mut trial.body, first, second);
    let one = |b: Buffer| if b == second { first } else { b };
    trial.body.visit_mut(&mut |inst| inst.kind.map_buffers(one));
    for data in &mut trial.buffers {
        data.like = data.like.map(one);
    }
    Some(trial)
}

/// The place of the store to the second buffer that follows one to the first at the same index, with nothing in between that the first
/// matters to.
fn follower(insts: &[Inst], at: usize, first: Buffer, second: Buffer) -> Option<usize> {
    let InstKind::Store { index, mode, .. } = &insts[at].kind else { return None };
    for (k, inst) in insts.iter().enumerate().skip(at + 1) {
        match &inst.kind {
            InstKind::Store { buffer, index: place, mode: how, .. } if *buffer == second => {
                return (place == index && how == mode).then_some(k);
            }
            InstKind::Alloc { buffer, .. } if *buffer == second => return None,
            kind => {
                let writes =
                    kind.writes().contains(&second) || kind.blocks().any(|b| b.writes().contains(&second));
                if inst.touches(first) || writes {
                    return None;
                }
            }
        }
    }
    None
}

/// How many stores to the first buffer there are, if each is followed by one to the second, and nothing else writes them.
fn in_lockstep(block: &Block, first: Buffer, second: Buffer) -> Option<usize> {
    let (mut pairs, mut seconds) = (0, 0);
    for (at, inst) in block.insts.iter().enumerate() {
        match &inst.kind {
            InstKind::Store { buffer, .. } if *buffer == first => {
                follower(&block.insts, at, first, second)?;
                pairs += 1;
            }
            InstKind::Store { buffer, .. } if *buffer == second => seconds += 1,
            kind if kind.writes().iter().any(|b| *b == first || *b == second) => return None,
            kind => {
                for nested in kind.blocks() {
                    pairs += in_lockstep(nested, first, second)?;
                }
            }
        }
    }
    let here =
        block.insts.iter().filter(|i| matches!(&i.kind, InstKind::Store { buffer, .. } if *buffer == first));
    (here.count() == seconds).then_some(pairs)
}

/// How many stores to the first buffer are followed by the same to the second: all, or none is told.
fn stores_agree(block: &Block, first: Buffer, second: Buffer) -> Option<usize> {
    let mut pairs = 0;
    for (at, inst) in block.insts.iter().enumerate() {
        if let InstKind::Store { buffer, value, .. } = &inst.kind
            && *buffer == first
        {
            let next = follower(&block.insts, at, first, second)?;
            let InstKind::Store { value: same, .. } = &block.insts[next].kind else { return None };
            if same != value {
                return None;
            }
            pairs += 1;
        }
        for nested in inst.kind.blocks() {
            pairs += stores_agree(nested, first, second)?;
        }
    }
    Some(pairs)
}

/// Drops the stores to the first buffer, and the declaration of the second.
fn drop_stores(block: &mut Block, first: Buffer, second: Buffer) {
    block.insts.retain(|inst| match &inst.kind {
        InstKind::Store { buffer, .. } => *buffer != first,
        InstKind::Alloc { buffer, .. } => *buffer != second,
        _ => true,
    });
    for inst in &mut block.insts {
        inst.kind.blocks_mut().for_each(|b| drop_stores(b, first, second));
    }
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

    /// Buffers that start as the same, and that the same is stored to sometimes.
    fn rewritten(&self, func: &Func) -> Vec<(Buffer, Buffer)> {
        let mut pairs: Vec<(Buffer, Buffer)> = self.pairs.keys().copied().collect();
        pairs.sort_unstable();
        pairs.retain(|(first, second)| {
            self.stores.get(first) == self.stores.get(second)
                && self.are_alike(func, *first, *second)
                && !func
                    .outputs
                    .iter()
                    .any(|o| o.binding == Binding::Buffer(*second) || o.binding == Binding::Buffer(*first))
        });
        pairs
    }

    fn are_alike(&self, func: &Func, first: Buffer, second: Buffer) -> bool {
        let (a, b) = (func.buffer(first), func.buffer(second));
        let alike = a.storage == Storage::Local
            && b.storage == Storage::Local
            && (&a.elem, &a.dims, a.layout, a.like) == (&b.elem, &b.dims, b.layout, b.like)
            && !a.grows
            && !b.grows;
        alike
            && match (self.declared.get(&first), self.declared.get(&second)) {
                (Some((block, at, fill)), Some((other, later, same))) => {
                    block == other && at < later && fill == same
                }
                _ => false,
            }
    }

    fn are_twins(&self, func: &Func, first: Buffer, second: Buffer) -> bool {
        let count = self.pairs.get(&(first, second));
        let paired = count.is_some()
            && self.stores.get(&first) == count
            && self.stores.get(&second) == count
            && !self.others.contains(&first)
            && !self.others.contains(&second);
        let returned = func.outputs.iter().any(|o| o.binding == Binding::Buffer(second));
        self.are_alike(func, first, second) && paired && !returned
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
