//! Runs reversed loops forwards where their rounds are independent: the order of a sum is all that changes.
//!
//! Rounds are independent if what a loop carries is only summed up, and if every buffer it writes is only added to and not
//! read, or set at the loop variable and not read, or touched by each round in a part of its own, or wholly overwritten
//! before it is read and not read after the loop. Nothing may be pushed or popped but what a round pushes and pops itself,
//! and there may be no effects and no calls that write.

use rustc_hash::FxHashMap as HashMap;

use crate::analysis::definitions::{Definitions, definitions};
use crate::analysis::overwrite::{Defs, part_of_round};
use crate::ir::{Block, Buffer, ForLoop, Func, InstKind, Op, Stack, StoreMode, Value};

/// Runs the pass.
pub(crate) fn unflip(mut func: Func) -> Func {
    let before = func.clone();
    let defs = Defs::new(&before);
    let places = definitions(&before);
    let mut reads: HashMap<Buffer, usize> = HashMap::default();
    count_reads(&before.body, &mut reads);
    let mut stacks: HashMap<Stack, usize> = HashMap::default();
    count_stacks(&before.body, &mut stacks);
    let outputs: Vec<Buffer> = before
        .outputs
        .iter()
        .filter_map(|o| match o.binding {
            crate::ir::Binding::Buffer(b) => Some(b),
            crate::ir::Binding::Value(_) => None,
        })
        .collect();
    func.body.visit_mut(&mut |inst| {
        if let InstKind::For(l) = &mut inst.kind
            && l.flipped
            && l.step.is_none()
            && independent(&before, &defs, l, &reads, &stacks, &places, &outputs)
        {
            l.flipped = false;
        }
    });
    func
}

fn count_reads(block: &Block, reads: &mut HashMap<Buffer, usize>) {
    block.visit(&mut |inst| {
        for b in inst.kind.reads() {
            *reads.entry(b).or_default() += 1;
        }
    });
}

fn count_stacks(block: &Block, stacks: &mut HashMap<Stack, usize>) {
    block.visit(&mut |inst| {
        if let Some(stack) = inst.kind.stack() {
            *stacks.entry(stack).or_default() += 1;
        }
    });
}

fn independent(
    func: &Func,
    defs: &Defs<'_>,
    l: &ForLoop,
    reads: &HashMap<Buffer, usize>,
    stacks: &HashMap<Stack, usize>,
    places: &Definitions,
    outputs: &[Buffer],
) -> bool {
    let mut ok = !l.body.diverges;
    let mut stacks_inside: HashMap<Stack, usize> = HashMap::default();
    count_stacks(&l.body, &mut stacks_inside);
    l.body.visit(&mut |inst| {
        ok &= match &inst.kind {
            InstKind::Effect(what, _) => what.is_check(),
            InstKind::Call(_) => inst.kind.writes().is_empty(),
            // What a round pushes it pops itself, if nobody else does.
            kind => kind.stack().is_none_or(|s| stacks_inside.get(&s) == stacks.get(&s)),
        };
    });
    if !ok || !only_sums(&l.body) {
        return false;
    }
    let mut inside: HashMap<Buffer, usize> = HashMap::default();
    count_reads(&l.body, &mut inside);
    let declared = l.body.allocs();
    l.body.writes().into_iter().filter(|b| !declared.contains(b)).all(|b| {
        let read = inside.get(&b).copied().unwrap_or(0);
        let private = func.buffer(b).storage == crate::ir::Storage::Local
            && !outputs.contains(&b)
            && reads.get(&b).copied().unwrap_or(0) == read
            && defs.overwrites_first(&l.body.insts, b);
        private || read == 0 && scattered(l, b) || part_of_round(places, l, b).is_some()
    })
}

/// Whether a buffer is only added to, or only set at the loop variable.
fn scattered(l: &ForLoop, b: Buffer) -> bool {
    let (mut adds, mut sets, mut others) = (0, 0, 0);
    l.body.visit(&mut |inst| {
        if inst.kind.writes().contains(&b) {
            match &inst.kind {
                InstKind::Store { mode: StoreMode::Add, .. } => adds += 1,
                InstKind::Product(p) if p.mode == StoreMode::Add => adds += 1,
                InstKind::Store { mode: StoreMode::Set, index, .. }
                    if index.first() == Some(&l.body.args[0]) =>
                {
                    sets += 1;
                }
                _ => others += 1,
            }
        }
    });
    others == 0 && (adds == 0 || sets == 0)
}

/// Whether each carried scalar is yielded as itself plus or minus something that does not depend on it.
fn only_sums(body: &Block) -> bool {
    let mut uses: HashMap<Value, usize> = HashMap::default();
    body.each_use(&mut |v| *uses.entry(v).or_default() += 1);
    body.args[1..].iter().zip(&body.yields).all(|(arg, y)| is_sum(body, &uses, *arg, *y))
}

/// Whether `y` is `arg` plus or minus something, here or in loops inside, and nothing else looks at the sum on its way.
fn is_sum(body: &Block, uses: &HashMap<Value, usize>, arg: Value, y: Value) -> bool {
    if uses.get(&arg) != Some(&1) {
        return false;
    }
    // Down a chain of sums to the argument; each link is used once.
    let mut at = y;
    loop {
        if at == arg {
            return true;
        }
        if uses.get(&at) != Some(&1) {
            return false;
        }
        let Some(def) = body.insts.iter().find(|i| i.results.contains(&at)) else { return false };
        match &def.kind {
            InstKind::Pure(op @ (Op::Add | Op::Sub), args) => {
                let reaches = |v: Value| reaches(body, v, arg, 0);
                at = match (reaches(args[0]), reaches(args[1])) {
                    (true, false) => args[0],
                    (false, true) if matches!(op, Op::Add) => args[1],
                    _ => return false,
                };
            }
            InstKind::For(l) if !l.body.diverges => {
                let Some(k) = def.results.iter().position(|r| *r == at) else { return false };
                if !is_sum(&l.body, uses, l.body.args[k + 1], l.body.yields[k]) {
                    return false;
                }
                at = l.inits[k];
            }
            _ => return false,
        }
    }
}

fn reaches(body: &Block, from: Value, to: Value, depth: usize) -> bool {
    if from == to {
        return true;
    }
    if depth > 16 {
        return false;
    }
    let Some(def) = body.insts.iter().find(|i| i.results.contains(&from)) else { return false };
    match &def.kind {
        InstKind::Pure(Op::Add | Op::Sub, args) => args.iter().any(|a| reaches(body, *a, to, depth + 1)),
        InstKind::For(l) => {
            let k = def.results.iter().position(|r| *r == from);
            k.is_some_and(|k| reaches(body, l.inits[k], to, depth + 1))
        }
        _ => false,
    }
}
