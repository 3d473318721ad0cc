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
use super::kept::only_computes;
use crate::analysis::definitions::{Definitions, definitions};
use crate::analysis::overwrite::{Part, part_of_round};
use crate::analysis::replay::is_expensive;
use crate::ir::{Block, Buffer, ForLoop, Func, Inst, InstKind, Layout, Op, Storage, StoreMode, Value};

/// Runs the pass.
pub(crate) fn parked(mut func: Func) -> Func {
    let defs = definitions(&func);
    let mut body = std::mem::take(&mut func.body);
    in_block(&func, &defs, &mut body);
    func.body = body;
    func
}

fn in_block(func: &Func, defs: &Definitions, block: &mut Block) {
    for inst in &mut block.insts {
        for nested in inst.kind.blocks_mut() {
            in_block(func, defs, nested);
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
            let parks = pairs(func, defs, (a, b), &places, &block.insts[first..=second]);
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
fn pairs(
    func: &Func,
    defs: &Definitions,
    (a, b): (&ForLoop, &ForLoop),
    places: &[Own],
    between: &[Inst],
) -> Vec<Park> {
    if !same_rounds(a, b) {
        return Vec::new();
    }
    let written = written_between(between);
    let is_dear = |inst: &Inst| matches!(&inst.kind, InstKind::Pure(op, _) if is_expensive(op));
    let twins = dear_twins(defs, a, b, &written, is_dear);
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

pub(super) fn written_between(insts: &[Inst]) -> HashSet<Buffer> {
    let mut written: HashSet<Buffer> = HashSet::default();
    for inst in insts {
        written.extend(inst.kind.writes());
        inst.kind.blocks().for_each(|block| written.extend(block.writes()));
    }
    written
}

/// Where both bodies make the same dear value.
pub(super) fn dear_twins(
    defs: &Definitions,
    a: &ForLoop,
    b: &ForLoop,
    written: &HashSet<Buffer>,
    is_dear: impl Fn(&Inst) -> bool,
) -> Vec<(usize, usize)> {
    let mut twins = Twins { defs, written, same: HashMap::default() };
    twins.same.insert(b.body.args[0], a.body.args[0]);
    let mut found = Vec::new();
    for (second, inst) in b.body.insts.iter().enumerate() {
        let Some(first) = a.body.insts.iter().position(|i| twins.are(i, inst)) else { continue };
        twins.met(&a.body.insts[first].results, &inst.results);
        if is_dear(inst) {
            found.push((first, second));
        }
    }
    found
}

/// What two pieces of code compute alike.
struct Twins<'a> {
    defs: &'a Definitions,
    /// Buffers whose contents may not be the same for both.
    written: &'a HashSet<Buffer>,
    /// Values of the later, and those of the earlier that are the same.
    same: HashMap<Value, Value>,
}

impl Twins<'_> {
    fn met(&mut self, earlier: &[Value], later: &[Value]) {
        self.same.extend(later.iter().copied().zip(earlier.iter().copied()));
    }

    fn is(&self, earlier: Value, later: Value) -> bool {
        let alike = match (self.defs.get(&earlier), self.defs.get(&later)) {
            (Some((Op::Float(a), _)), Some((Op::Float(b), _))) => a.to_bits() == b.to_bits(),
            (Some((Op::Int(a), _)), Some((Op::Int(b), _))) => a == b,
            _ => false,
        };
        alike || *self.same.get(&later).unwrap_or(&later) == earlier
    }

    fn are_all(&self, earlier: &[Value], later: &[Value]) -> bool {
        earlier.len() == later.len() && earlier.iter().zip(later).all(|(e, l)| self.is(*e, *l))
    }

    /// Whether two instructions compute the same.
    fn are(&mut self, earlier: &Inst, later: &Inst) -> bool {
        match (&earlier.kind, &later.kind) {
            (InstKind::Pure(o, x), InstKind::Pure(op, args)) => {
                !matches!(op, Op::Verbatim(_) | Op::Custom(_) | Op::Len(..))
                    && std::mem::discriminant(o) == std::mem::discriminant(op)
                    && self.are_all(x, args)
                    && format!("{o:?}") == format!("{op:?}")
            }
            (InstKind::Load { buffer: o, index: x }, InstKind::Load { buffer, index }) => {
                o == buffer && !self.written.contains(buffer) && self.are_all(x, index)
            }
            // Loops that only compute.
            (InstKind::For(a), InstKind::For(b)) => {
                let steps = match (a.step, b.step) {
                    (Some(a), Some(b)) => self.is(a, b),
                    (a, b) => a == b,
                };
                let begins = steps
                    && (a.inclusive, a.rev, a.flipped) == (b.inclusive, b.rev, b.flipped)
                    && self.are_all(&[a.lo, a.hi], &[b.lo, b.hi])
                    && self.are_all(&a.inits, &b.inits)
                    && a.body.insts.len() == b.body.insts.len();
                if !begins || !only_computes(&a.body) || !only_computes(&b.body) {
                    return false;
                }
                self.met(&a.body.args, &b.body.args);
                for (a, b) in a.body.insts.iter().zip(&b.body.insts) {
                    if !self.are(a, b) {
                        return false;
                    }
                    self.met(&a.results, &b.results);
                }
                self.are_all(&a.body.yields, &b.body.yields)
            }
            _ => false,
        }
    }
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
