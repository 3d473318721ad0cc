//! Places of one vector that lie literals apart are checked together.
//!
//! ```text
//! for k in .. { let i = 9 * camera[k]; .. x[i] .. x[i + 1] .. x[i + 8] .. }    becomes
//! for k in .. { let i = 9 * camera[k]; let part = &x[i..i + 9]; .. part[0] .. part[1] .. part[8] .. }
//! ```
//!
//! Each place in `x` would have a check of its own, as rustc cannot rule out that `i + 8` overflows; of the places in `part` it knows all.
//! [`super::windows`] does so for all rounds of a loop at once, where places move with the loop; this is for places that are looked up.
//!
//! Sound because a span is opened where all its places are read or written anyway, in a block that comes to its end, or where the user
//! has asked for a slice (`&x[i..i + 9]`), which is checked there, also for a direction or an adjoint of `x`, which are as long.
//! What is written in a block has spans for as long as nothing else touches it, one after the other; what is only read has one for the
//! rest of the block.
//!
//! Behind the windows; what follows is the printer.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::moves::Touched;
use crate::analysis::definitions::{Definitions, base, definitions, literal};
use crate::ir::{
    Binding, Block, Buffer, BufferData, Check, Dim, Func, Inst, InstKind, Layout, Op, Sight, Source, Storage,
    Type, Value,
};

/// So many places of one vector are worth a span that has to be checked.
const WORTH: usize = 3;

/// A span is no longer.
const LONGEST: i64 = 64;

/// Runs the pass.
pub(crate) fn spans(mut func: Func) -> Func {
    let mut lengths = HashMap::default();
    for p in &func.params {
        if let (Binding::Buffer(b), Source::Param(_) | Source::Leaf(..)) = (p.binding, p.role.of) {
            lengths.insert(b, p.role.of);
        }
    }
    let defs = definitions(&func);
    let mut body = std::mem::take(&mut func.body);
    Pass { func: &mut func, defs, lengths }.block(&mut body, &[], false);
    func.body = body;
    func
}

/// Vectors that are as long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Of(Source),
    Own(Buffer),
}

/// A span that is known to be within bounds.
#[derive(Clone, Copy)]
struct Known {
    length: Length,
    base: Value,
    /// How far from the base it starts and ends.
    from: i64,
    to: i64,
    start: Value,
    /// In front of which instruction of the block at hand it was checked; of those outside, the first.
    at: usize,
}

/// A load or store at the top level of a block.
struct Access {
    at: usize,
    buffer: Buffer,
    base: Value,
    offset: i64,
    is_store: bool,
}

struct Pass<'a> {
    func: &'a mut Func,
    defs: Definitions,
    /// To which parameter those belong that are as long as it.
    lengths: HashMap<Buffer, Source>,
}

impl Pass<'_> {
    fn block(&mut self, block: &mut Block, outside: &[Known], in_loop: bool) {
        let mut known: Vec<Known> = outside.iter().map(|k| Known { at: 0, ..*k }).collect();
        let mut opened: Vec<(usize, Vec<Inst>)> = Vec::new();
        // All of it runs, if nothing panics: there is no statement of the user's, and no way out.
        if in_loop && !block.diverges && !Touched::of_block(block).effects {
            self.told(block, &mut known);
            let (writes, declared) = (block.writes(), block.allocs());
            let accesses = self.accesses(block, &declared);
            self.only_read(block, &accesses, &writes, &mut known, &mut opened);
            self.written(block, &accesses, &writes, &known, &mut opened);
        }
        for (at, inst) in block.insts.iter_mut().enumerate() {
            let in_loop = in_loop || matches!(inst.kind, InstKind::For(_) | InstKind::While { .. });
            let here: Vec<Known> = known.iter().filter(|k| k.at <= at).copied().collect();
            inst.kind.blocks_mut().for_each(|nested| self.block(nested, &here, in_loop));
        }
        opened.sort_by_key(|(at, _)| *at);
        for (at, insts) in opened.into_iter().rev() {
            block.insts.splice(at..at, insts);
        }
    }

    /// The slices that the user asks for.
    fn told(&self, block: &Block, known: &mut Vec<Known>) {
        for (at, inst) in block.insts.iter().enumerate() {
            let InstKind::Effect(what, args) = &inst.kind else { continue };
            let ([buffer], [start, end]) = (&what.buffers[..], &args[..]) else { continue };
            if what.check != Check::Span || !self.is_vector(*buffer) {
                continue;
            }
            let ((base, from), (other, to)) = (base(&self.defs, *start), base(&self.defs, *end));
            if base == other && from < to && to - from <= LONGEST {
                let length = self.length(*buffer);
                known.push(Known { length, base, from, to, start: *start, at: at + 1 });
            }
        }
    }

    fn accesses(&self, block: &Block, declared: &[Buffer]) -> Vec<Access> {
        let mut found = Vec::new();
        for (at, inst) in block.insts.iter().enumerate() {
            if let Some((buffer, base, offset)) = self.place(&inst.kind)
                && !declared.contains(&buffer)
            {
                let is_store = matches!(inst.kind, InstKind::Store { .. });
                found.push(Access { at, buffer, base, offset, is_store });
            }
        }
        found
    }

    /// The place that a load or a store is at.
    fn place(&self, kind: &InstKind) -> Option<(Buffer, Value, i64)> {
        let (InstKind::Load { buffer, index } | InstKind::Store { buffer, index, .. }) = kind else {
            return None;
        };
        let [index] = index[..] else { return None };
        let (base, offset) = base(&self.defs, index);
        (self.is_vector(*buffer) && literal(&self.defs, base).is_none()).then_some((*buffer, base, offset))
    }

    fn is_vector(&self, b: Buffer) -> bool {
        let data = self.func.buffer(b);
        let is_one = data.dims.len() == 1 && !matches!(data.dims[0], Dim::Fixed(_));
        let is_plain = data.field.is_none() && data.layout == Layout::Nested && !data.grows;
        is_one && is_plain && data.storage != Storage::Window
    }

    fn length(&self, b: Buffer) -> Length {
        match self.lengths.get(&b) {
            Some(of) if self.func.buffer(b).dims[0] == Dim::Slice => Length::Of(*of),
            _ => Length::Own(b),
        }
    }

    /// Spans of what the block does not write: from the first of their places to the end.
    fn only_read(
        &mut self,
        block: &mut Block,
        accesses: &[Access],
        writes: &[Buffer],
        known: &mut Vec<Known>,
        opened: &mut Vec<(usize, Vec<Inst>)>,
    ) {
        let mut done: HashSet<(Buffer, Value)> = HashSet::default();
        for first in accesses {
            let (buffer, base) = (first.buffer, first.base);
            if writes.contains(&buffer) || !done.insert((buffer, base)) {
                continue;
            }
            let all: Vec<&Access> =
                accesses.iter().filter(|a| (a.buffer, a.base) == (buffer, base)).collect();
            let length = self.length(buffer);
            let is_in =
                |k: &&Known| (k.length, k.base) == (length, base) && (k.from..k.to).contains(&first.offset);
            let told = known.iter().filter(|k| k.at <= first.at && is_in(k)).min_by_key(|k| k.at).copied();
            let mut out = Vec::new();
            let span = match told {
                Some(told) => told,
                None => match self.own(&all, &mut out) {
                    Some(own) => own,
                    None => continue,
                },
            };
            let at = span.at;
            let window = self.open(buffer, &span, false, &mut out);
            opened.push((at, out));
            known.push(span);
            block.insts[at..].iter_mut().for_each(|inst| self.redirect(inst, &window));
        }
    }

    /// Spans of what the block writes: from one place to the next that is elsewhere.
    fn written(
        &mut self,
        block: &mut Block,
        accesses: &[Access],
        writes: &[Buffer],
        known: &[Known],
        opened: &mut Vec<(usize, Vec<Inst>)>,
    ) {
        let mut places = accesses.iter().filter(|a| writes.contains(&a.buffer)).peekable();
        let mut waiting: HashMap<Buffer, Vec<&Access>> = HashMap::default();
        let mut complete: Vec<Vec<&Access>> = Vec::new();
        for (at, inst) in block.insts.iter().enumerate() {
            let access = places.next_if(|a| a.at == at);
            let mut touched: Vec<Buffer> = Vec::new();
            inst.kind.each_buffer(|b| touched.push(b));
            inst.kind.blocks().for_each(|nested| {
                nested.visit(&mut |inst| inst.kind.each_buffer(|b| touched.push(b)));
            });
            for b in touched {
                let goes_on = access.is_some_and(|a| waiting.get(&b).is_none_or(|w| w[0].base == a.base));
                if !goes_on {
                    complete.extend(waiting.remove(&b));
                }
            }
            if let Some(access) = access {
                waiting.entry(access.buffer).or_default().push(access);
            }
        }
        let mut rest: Vec<Vec<&Access>> = waiting.into_values().collect();
        rest.sort_by_key(|places| places[0].at);
        for places in complete.into_iter().chain(rest) {
            let (buffer, base, at) = (places[0].buffer, places[0].base, places[0].at);
            let length = self.length(buffer);
            let is_over = |k: &&Known| {
                let is_in = |a: &&Access| (k.from..k.to).contains(&a.offset);
                (k.length, k.base) == (length, base) && k.at <= at && places.iter().all(is_in)
            };
            let mut out = Vec::new();
            let span = match known.iter().find(is_over) {
                Some(known) => *known,
                None => match self.own(&places, &mut out) {
                    Some(own) => own,
                    None => continue,
                },
            };
            let mutable = places.iter().any(|a| a.is_store);
            let window = self.open(buffer, &span, mutable, &mut out);
            opened.push((at, out));
            places.iter().for_each(|place| self.redirect(&mut block.insts[place.at], &window));
        }
    }

    /// A span of these places alone.
    fn own(&mut self, places: &[&Access], out: &mut Vec<Inst>) -> Option<Known> {
        let offsets: HashSet<i64> = places.iter().map(|a| a.offset).collect();
        let (from, last) = (*offsets.iter().min()?, *offsets.iter().max()?);
        if offsets.len() < WORTH || last - from >= LONGEST {
            return None;
        }
        let (base, length) = (places[0].base, self.length(places[0].buffer));
        let start = match from {
            0 => base,
            _ => {
                let by = self.int(from.unsigned_abs(), out);
                let op = if from < 0 { Op::Sub } else { Op::Add };
                self.pure(op, vec![base, by], out)
            }
        };
        Some(Known { length, base, from, to: last + 1, start, at: places[0].at })
    }

    fn open(&mut self, of: Buffer, span: &Known, mutable: bool, out: &mut Vec<Inst>) -> Open {
        let data = self.func.buffer(of);
        let name = format!("{}_part", data.name).into();
        let data = BufferData::new(name, data.elem.clone(), vec![Dim::Slice], Storage::Window);
        let window = self.func.new_buffer(data);
        let length = (span.to - span.from).unsigned_abs();
        let places = (0..length).map(|place| self.int(place, out)).collect();
        let len = self.int(length, out);
        let kind = InstKind::Window { window, of, start: span.start, len, mutable, sight: Sight::Span };
        out.push(Inst { results: Vec::new(), kind });
        Open { of, base: span.base, from: span.from, window, places }
    }

    /// Takes the places of an instruction, and of what is nested in it, from a span.
    fn redirect(&self, inst: &mut Inst, span: &Open) {
        if let Some((buffer, base, offset)) = self.place(&inst.kind)
            && (buffer, base) == (span.of, span.base)
            && let Some(place) = usize::try_from(offset - span.from).ok().and_then(|k| span.places.get(k))
            && let InstKind::Load { buffer, index } | InstKind::Store { buffer, index, .. } = &mut inst.kind
        {
            *buffer = span.window;
            index[0] = *place;
        }
        for nested in inst.kind.blocks_mut() {
            nested.insts.iter_mut().for_each(|inst| self.redirect(inst, span));
        }
    }

    fn int(&mut self, n: u64, out: &mut Vec<Inst>) -> Value {
        self.pure(Op::Int(n.to_string().into()), Vec::new(), out)
    }

    fn pure(&mut self, op: Op, args: Vec<Value>, out: &mut Vec<Inst>) -> Value {
        let v = self.func.new_value(Type::Int, None);
        self.defs.insert(v, (op.clone(), args.clone()));
        out.push(Inst { results: vec![v], kind: InstKind::Pure(op, args) });
        v
    }
}

/// A span in use.
struct Open {
    of: Buffer,
    base: Value,
    from: i64,
    window: Buffer,
    /// Its places, as indices.
    places: Vec<Value>,
}
