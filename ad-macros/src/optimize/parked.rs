//! What two loops both compute is parked, in between, where the second one is going to store its result.
//!
//! ```text
//! for i in lo..hi carrying s { e = exp(x[i] - m); s += e }
//! for i in lo..hi { e = exp(x[i] - m); x_bar[i] = e / s }      becomes
//! for i in lo..hi carrying s { e = exp(x[i] - m); x_bar[i] = e; s += e }
//! for i in lo..hi { x_bar[i] = x_bar[i] / s }
//! ```
//!
//! Log-sum-exp and whatever else is normalised by a sum of its own: the second loop needs the sum, so that the two cannot be one.
//! There is no other memory for it: such functions are promised to allocate nothing.
//!
//! Conditions: the second loop stores once in each round, at its variable; nothing else touches these places from the first loop
//! on; the value is dear (a call into libm) and comes from the same values and the same unwritten memory in both.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::fuse::same_rounds;
use crate::analysis::definitions::Definitions;
use crate::analysis::overwrite::{Part, part_of_round};
use crate::analysis::replay::is_expensive;
use crate::ir::{Block, Buffer, ForLoop, Func, Inst, InstKind, Layout, Op, Storage, StoreMode, Value};

/// Runs the pass.
pub(crate) fn parked(mut func: Func) -> Func {
    let mut body = std::mem::take(&mut func.body);
    in_block(&func, &mut body);
    func.body = body;
    func
}

fn in_block(func: &Func, block: &mut Block) {
    for inst in &mut block.insts {
        for nested in inst.kind.blocks_mut() {
            in_block(func, nested);
        }
    }
    for second in 1..block.insts.len() {
        let InstKind::For(b) = &block.insts[second].kind else { continue };
        let places = own_places(func, b);
        if places.is_empty() {
            continue;
        }
        // The nearest loop before it that computes something of the same.
        let found = (0..second).rev().find_map(|first| {
            let InstKind::For(a) = &block.insts[first].kind else { return None };
            let parks = pairs(func, a, b, &places, &block.insts[first..=second]);
            (!parks.is_empty()).then_some((first, parks))
        });
        if let Some((first, parks)) = found {
            for park in parks {
                park_value(block, first, second, &park);
            }
        }
    }
}

/// A buffer that a loop stores to once a round at its variable, and where in the body.
struct Own {
    buffer: Buffer,
    at: usize,
}

fn own_places(func: &Func, l: &ForLoop) -> Vec<Own> {
    if l.body.diverges {
        return Vec::new();
    }
    let stores = l.body.insts.iter().enumerate().filter_map(|(at, inst)| match &inst.kind {
        InstKind::Store { buffer, index, mode: StoreMode::Set, .. } if *index == [l.body.args[0]] => {
            Some(Own { buffer: *buffer, at })
        }
        _ => None,
    });
    let alone = |own: &Own| {
        let data = func.buffer(own.buffer);
        let plain =
            data.layout == Layout::Nested && data.field.is_none() && !data.grows && data.dims.len() == 1;
        let others =
            l.body.insts.iter().enumerate().any(|(k, inst)| k != own.at && touches(inst, own.buffer));
        plain && matches!(data.storage, Storage::Output | Storage::Local) && !others
    };
    stores.filter(alone).collect()
}

/// A value of the first loop (where it is made in its body), the same of the second, and the buffer it is parked in.
struct Park {
    first: usize,
    second: usize,
    buffer: Buffer,
}

/// `between`: from the first loop to the second.
fn pairs(func: &Func, a: &ForLoop, b: &ForLoop, places: &[Own], between: &[Inst]) -> Vec<Park> {
    if !same_rounds(a, b) {
        return Vec::new();
    }
    let mut written: HashSet<Buffer> = HashSet::default();
    for inst in between {
        written.extend(inst.kind.writes());
        inst.kind.blocks().for_each(|block| written.extend(block.writes()));
    }
    let twins = dear_twins(a, b, &written);
    let mut free: Vec<&Own> = places
        .iter()
        .filter(|own| {
            let elsewhere = |inst: &Inst| !touches(inst, own.buffer) || is_behind(inst, a, own.buffer);
            between[..between.len() - 1].iter().all(elsewhere)
        })
        .collect();
    let mut parks = Vec::new();
    for (first, second) in twins {
        let ty = func.ty(b.body.insts[second].results[0]);
        let fits = |own: &&Own| own.at > second && func.buffer(own.buffer).elem == *ty;
        if let Some(place) = free.iter().position(fits) {
            parks.push(Park { first, second, buffer: free.remove(place).buffer });
        }
    }
    parks
}

/// Whether an instruction touches a buffer behind the last round of a loop only: it starts where that ends.
fn is_behind(inst: &Inst, a: &ForLoop, buffer: Buffer) -> bool {
    let InstKind::For(l) = &inst.kind else { return false };
    let upwards = a.step.is_none() && !a.inclusive;
    upwards
        && l.lo == a.hi
        && part_of_round(&Definitions::default(), l, buffer) == Some(Part::Along(Vec::new()))
}

/// Where both bodies make the same dear value.
fn dear_twins(a: &ForLoop, b: &ForLoop, written: &HashSet<Buffer>) -> Vec<(usize, usize)> {
    let mut same: HashMap<Value, Value> = HashMap::default();
    same.insert(b.body.args[0], a.body.args[0]);
    let mut found = Vec::new();
    for (second, inst) in b.body.insts.iter().enumerate() {
        let at = |v: &Value| *same.get(v).unwrap_or(v);
        let twin = match &inst.kind {
            InstKind::Pure(op, args) if !matches!(op, Op::Verbatim(_) | Op::Custom(_) | Op::Len(..)) => {
                let args: Vec<Value> = args.iter().map(at).collect();
                let text = format!("{op:?}");
                a.body.insts.iter().position(
                    |i| matches!(&i.kind, InstKind::Pure(o, x) if *x == args && format!("{o:?}") == text),
                )
            }
            InstKind::Load { buffer, index } if !written.contains(buffer) => {
                let index: Vec<Value> = index.iter().map(at).collect();
                a.body.insts.iter().position(
                    |i| matches!(&i.kind, InstKind::Load { buffer: o, index: x } if o == buffer && *x == index),
                )
            }
            _ => None,
        };
        let Some(first) = twin else { continue };
        same.insert(inst.results[0], a.body.insts[first].results[0]);
        if matches!(&inst.kind, InstKind::Pure(op, _) if is_expensive(op)) {
            found.push((first, second));
        }
    }
    found
}

fn park_value(block: &mut Block, first: usize, second: usize, park: &Park) {
    if let InstKind::For(b) = &mut block.insts[second].kind {
        let index = vec![b.body.args[0]];
        b.body.insts[park.second].kind = InstKind::Load { buffer: park.buffer, index };
    }
    if let InstKind::For(a) = &mut block.insts[first].kind {
        let value = a.body.insts[park.first].results[0];
        let index = vec![a.body.args[0]];
        let kind = InstKind::Store { buffer: park.buffer, index, value, mode: StoreMode::Set };
        // Behind all the rest, so that places in the body stay what they are.
        a.body.insts.push(Inst { results: Vec::new(), kind });
    }
}

fn touches(inst: &Inst, buffer: Buffer) -> bool {
    let mut found = false;
    if !matches!(inst.kind, InstKind::Pure(Op::Len(..), _)) {
        inst.kind.each_buffer(|b| found |= b == buffer);
    }
    found || inst.kind.blocks().any(|block| block.insts.iter().any(|inst| touches(inst, buffer)))
}
