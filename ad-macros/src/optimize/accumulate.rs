//! Sums in memory become sums in registers.
//!
//! A loop that only ever adds to a buffer, and does so
//!
//! - at a place that does not change from round to round (`q_bar[i] += ..` in a loop over `j`), or
//! - at neighbouring places (`x_bar[i] += ..; x_bar[i + 1] += ..` in a loop over `i`),
//!
//! carries what it has to add in a scalar, and adds it to memory once: after the loop, or when the loop leaves the
//! place behind. Nobody reads the buffer in between, so only the order of the sum changes: what the value is made of is left
//! alone. After the loop something is added only if there was a round: the place may not exist otherwise.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet as HashSet;

use crate::analysis::activity::{Activity, promised};
use crate::analysis::definitions::{Definitions, definitions, offset};
use crate::ir::{Block, Buffer, Cmp, ForLoop, Func, Inst, InstKind, Op, StoreMode, Type, Value};

/// Runs the pass.
pub(crate) fn accumulate(mut func: Func) -> Func {
    let (defs, primal) = (definitions(&func), promised(&func));
    let mut body = std::mem::take(&mut func.body);
    Pass { func: &mut func, defs, primal }.block(&mut body);
    func.body = body;
    func
}

struct Pass<'a> {
    func: &'a mut Func,
    defs: Definitions,
    primal: Activity,
}

/// An addition at the top level of a loop body.
struct Addition {
    at: usize,
    buffer: Buffer,
    index: Vec<Value>,
    value: Value,
}

impl Pass<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            for nested in inst.kind.blocks_mut() {
                self.block(nested);
            }
            let mut before = Vec::new();
            let mut after = Vec::new();
            if let InstKind::For(l) = &mut inst.kind {
                self.in_loop(l, &mut inst.results, &mut before, &mut after);
            }
            insts.extend(before);
            insts.push(inst);
            insts.extend(after);
        }
        block.insts = insts;
    }

    fn in_loop(
        &mut self,
        l: &mut ForLoop,
        results: &mut Vec<Value>,
        before: &mut Vec<Inst>,
        after: &mut Vec<Inst>,
    ) {
        if l.step.is_some() || l.body.diverges {
            return;
        }
        let mut additions = additions(&l.body);
        additions.retain(|a| !self.primal.buffer(a.buffer));
        if additions.is_empty() {
            return;
        }
        let mut inside: HashSet<Value> = l.body.args.iter().copied().collect();
        l.body.visit(&mut |inst| inside.extend(inst.results.iter().copied()));
        let mut removed: HashSet<usize> = HashSet::default();
        let mut flush: Vec<Inst> = Vec::new();
        let buffers: Vec<Buffer> = {
            let mut list: Vec<Buffer> = additions.iter().map(|a| a.buffer).collect();
            list.sort_unstable();
            list.dedup();
            list
        };
        for b in buffers {
            let of: Vec<&Addition> = additions.iter().filter(|a| a.buffer == b).collect();
            // Places that stay.
            let mut places: Vec<(Vec<Value>, Vec<&Addition>)> = Vec::new();
            for a in &of {
                if a.index.iter().all(|i| self.is_invariant(*i, &inside, 0)) {
                    match places.iter_mut().find(|(index, _)| *index == a.index) {
                        Some((_, list)) => list.push(a),
                        None => places.push((a.index.clone(), vec![a])),
                    }
                }
            }
            for (index, list) in places {
                let sum = self.carry(l, results, before, b);
                let total = self.add_all(l, sum.0, list.iter().map(|a| a.value));
                l.body.yields.push(total);
                removed.extend(list.iter().map(|a| a.at));
                let index: Vec<Value> = index.iter().map(|i| self.outside(*i, &inside, &mut flush)).collect();
                flush.push(store(b, index, sum.1));
            }
            self.neighbours(l, results, before, &mut flush, &mut removed, b, &of);
        }
        if removed.is_empty() {
            return;
        }
        let mut at = 0;
        l.body.insts.retain(|_| {
            at += 1;
            !removed.contains(&(at - 1))
        });
        let cond = self.func.new_value(Type::Bool, None);
        let op = Op::Cmp(if l.inclusive { Cmp::Le } else { Cmp::Lt });
        after.push(Inst { results: vec![cond], kind: InstKind::Pure(op, vec![l.lo, l.hi]) });
        let then_block = Block { insts: flush, ..Block::default() };
        after.push(Inst {
            results: Vec::new(),
            kind: InstKind::If { cond, then_block, else_block: Block::default() },
        });
    }

    /// Additions at `i + c` for at least two near constants `c`, in a loop that runs forwards.
    #[allow(clippy::too_many_arguments)]
    fn neighbours(
        &mut self,
        l: &mut ForLoop,
        results: &mut Vec<Value>,
        before: &mut Vec<Inst>,
        flush: &mut Vec<Inst>,
        removed: &mut HashSet<usize>,
        b: Buffer,
        of: &[&Addition],
    ) {
        if l.rev != l.flipped || l.inclusive || self.func.buffer(b).dims.len() != 1 {
            return;
        }
        let mut offsets: BTreeMap<i64, Vec<&Addition>> = BTreeMap::new();
        for a in of {
            match offset(&self.defs, a.index[0], l.body.args[0]) {
                Some(c) => offsets.entry(c).or_default().push(a),
                None => return,
            }
        }
        let (Some((&low, _)), Some((&high, _))) = (offsets.first_key_value(), offsets.last_key_value())
        else {
            return;
        };
        if low == high || high - low > 4 {
            return;
        }
        let span = usize::try_from(high - low).unwrap_or(0);
        let pending: Vec<(Value, Value)> = (0..span).map(|_| self.carry(l, results, before, b)).collect();
        let mut totals = Vec::new();
        for k in 0..=span {
            let here = offsets.get(&(low + k as i64)).map_or(&[][..], Vec::as_slice);
            let values: Vec<Value> = here.iter().map(|a| a.value).collect();
            let total = match (pending.get(k), values.split_first()) {
                (Some((arg, _)), _) => self.add_all(l, *arg, values.iter().copied()),
                (None, Some((first, rest))) => self.add_all(l, *first, rest.iter().copied()),
                (None, None) => return,
            };
            totals.push(total);
            removed.extend(here.iter().map(|a| a.at));
        }
        let index = offsets[&low][0].index.clone();
        l.body.insts.push(store(b, index, totals[0]));
        l.body.yields.extend(&totals[1..]);
        for (k, (_, result)) in pending.iter().enumerate() {
            let index = self.shifted(l.hi, low + k as i64, flush);
            flush.push(store(b, vec![index], *result));
        }
    }

    /// A new carried sum that starts at zero: its argument and its result. The yield is the caller's to add.
    fn carry(
        &mut self,
        l: &mut ForLoop,
        results: &mut Vec<Value>,
        before: &mut Vec<Inst>,
        b: Buffer,
    ) -> (Value, Value) {
        let data = self.func.buffer(b).clone();
        let zero = self.func.new_value(data.elem.clone(), None);
        before.push(Inst { results: vec![zero], kind: InstKind::Pure(Op::Float(0.0), Vec::new()) });
        let name = Some(format!("{}_sum", data.name).into());
        let arg = self.func.new_value(data.elem.clone(), name);
        let result = self.func.new_value(data.elem, None);
        l.inits.push(zero);
        l.body.args.push(arg);
        results.push(result);
        (arg, result)
    }

    fn add_all(&mut self, l: &mut ForLoop, first: Value, rest: impl Iterator<Item = Value>) -> Value {
        rest.fold(first, |sum, v| {
            let next = self.func.new_value(self.func.ty(sum).clone(), None);
            self.func.values[next.0 as usize].free = self.func.value(v).free;
            l.body.insts.push(Inst { results: vec![next], kind: InstKind::Pure(Op::Add, vec![sum, v]) });
            next
        })
    }

    /// `v + c`, emitted into `out`.
    fn shifted(&mut self, v: Value, c: i64, out: &mut Vec<Inst>) -> Value {
        if c == 0 {
            return v;
        }
        let by = self.func.new_value(Type::Int, None);
        out.push(Inst {
            results: vec![by],
            kind: InstKind::Pure(Op::Int(c.abs().to_string().into()), Vec::new()),
        });
        let sum = self.func.new_value(Type::Int, None);
        let op = if c > 0 { Op::Add } else { Op::Sub };
        out.push(Inst { results: vec![sum], kind: InstKind::Pure(op, vec![v, by]) });
        sum
    }

    /// Whether a value is the same in every round: from outside, or arithmetic on such.
    fn is_invariant(&self, v: Value, inside: &HashSet<Value>, depth: usize) -> bool {
        if !inside.contains(&v) {
            return true;
        }
        match self.defs.get(&v) {
            Some((Op::Int(_) | Op::Len(..), _)) => true,
            Some((Op::Add | Op::Sub | Op::Mul, args)) => {
                depth < 8 && args.iter().all(|a| self.is_invariant(*a, inside, depth + 1))
            }
            _ => false,
        }
    }

    /// An invariant value, computed again outside the loop.
    fn outside(&mut self, v: Value, inside: &HashSet<Value>, out: &mut Vec<Inst>) -> Value {
        if !inside.contains(&v) {
            return v;
        }
        let Some((op, args)) = self.defs.get(&v).cloned() else { return v };
        let args: Vec<Value> = args.iter().map(|a| self.outside(*a, inside, out)).collect();
        let copy = self.func.new_value(self.func.ty(v).clone(), None);
        out.push(Inst { results: vec![copy], kind: InstKind::Pure(op, args) });
        copy
    }
}

fn store(buffer: Buffer, index: Vec<Value>, value: Value) -> Inst {
    Inst { results: Vec::new(), kind: InstKind::Store { buffer, index, value, mode: StoreMode::Add } }
}

/// The additions at the top level of a body to buffers that the body does nothing else with.
fn additions(body: &Block) -> Vec<Addition> {
    let mut other: HashSet<Buffer> = HashSet::default();
    body.visit(&mut |inst| match &inst.kind {
        InstKind::Store { mode: StoreMode::Add, .. } | InstKind::Pure(Op::Len(..), _) => {}
        kind => kind.each_buffer(|b| {
            other.insert(b);
        }),
    });
    body.insts
        .iter()
        .enumerate()
        .filter_map(|(at, inst)| match &inst.kind {
            InstKind::Store { buffer, index, value, mode: StoreMode::Add } if !other.contains(buffer) => {
                Some(Addition { at, buffer: *buffer, index: index.clone(), value: *value })
            }
            _ => None,
        })
        .collect()
}
