//! Additions of many rows to one, four rows at a time.
//!
//! The reversal of a sum over a row, and a product with a transposed matrix, add a multiple of each row to the same vector:
//! `for i { s = ..; for j { b[j] += s * x[i, j] } }` loads and stores `b[j]` for each element of `x`. Four rows at once do so once for
//! four elements:
//!
//! ```text
//! for block {
//!     for row in 0..count { s = ..; s_rows[row] = s }
//!     if count == 4 { for j { b[j] = b[j] + s_rows[0] * x[i, j] + s_rows[1] * x[i + 1, j] + .. } }
//!     else { for row in 0..count { for j { b[j] += s_rows[row] * x[i, j] } } }
//! }
//! ```
//!
//! Each place is added to in the order of the rows, as before: the same number, bit for bit. (Unroll and jam; Callahan, Cocke and
//! Kennedy 1988.) A loop of at most four rounds, as [`super::rows`] leaves it, is such a block already.
//!
//! Conditions: a plain outer loop; an inner loop, straight in the outer one's body, that carries nothing and computes little; its bounds,
//! and the places that it adds to, are the same for all rows; the outer loop does nothing else with what is added to; and
//! what is added is made of what the outer loop does not write, and of a few floats of the row.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::plan::indexes;
use super::set;
use super::write::{LIGHT, ROWS, Rounds, SHORT, Writer, is_of_rows, made, runs_again, written};
use crate::analysis::definitions::{Definitions, definitions, literal, moves};
use crate::ir::{Block, Buffer, Cmp, ForLoop, Func, Inst, InstKind, Op, StoreMode, Type, Value, ValueSet};

/// So many floats of a row at most, and places that are added to: four rows of them have to be in registers.
const KEPT: usize = 3;
const PLACES: usize = 2;

/// Runs through a function. `together`: the variables of loops that run for several rows already, to which those are added that
/// are made.
pub(super) fn jam(func: &mut Func, together: &mut HashSet<Value>) {
    let defs = definitions(func);
    let mut body = std::mem::take(&mut func.body);
    let mut arrays = Vec::new();
    in_block(&mut Writer { func, arrays: &mut arrays, together }, &mut body, &defs);
    body.insts.splice(0..0, arrays);
    func.body = body;
}

fn in_block(writer: &mut Writer<'_>, block: &mut Block, defs: &Definitions) {
    let mut insts = Vec::with_capacity(block.insts.len());
    for mut inst in std::mem::take(&mut block.insts) {
        for nested in inst.kind.blocks_mut() {
            in_block(writer, nested, defs);
        }
        match inst.kind {
            InstKind::For(outer) => match Plan::of(writer.func, defs, writer.together, &outer) {
                Some(plan) => insts.extend(writer.jammed(defs, outer, &plan, inst.results)),
                None => insts.push(Inst { results: inst.results, kind: InstKind::For(outer) }),
            },
            kind => insts.push(Inst { results: inst.results, kind }),
        }
    }
    block.insts = insts;
}

/// What runs for four rows at once.
struct Plan {
    inner: Vec<Inner>,
    /// Nothing is left of a row without it.
    is_all: bool,
}

/// The additions of one inner loop.
struct Inner {
    /// Where it stands.
    at: usize,
    /// The stores among its instructions.
    stores: Vec<usize>,
    /// What these are made of in it, in order, and in the outer loop's body.
    slice: Vec<usize>,
    needed: Vec<usize>,
    /// Floats of the row that are kept.
    kept: Vec<Value>,
}

impl Plan {
    fn of(func: &Func, defs: &Definitions, together: &HashSet<Value>, outer: &ForLoop) -> Option<Plan> {
        let body = &outer.body;
        if !outer.is_plain()
            || !body.insts.iter().any(|inst| matches!(inst.kind, InstKind::For(_)))
            || !indexes(outer)
        {
            return None;
        }
        if literal(defs, outer.hi).is_some_and(|n| n < SHORT) || together.contains(&body.args[0]) {
            return None;
        }
        let context = Context::of(func, defs, outer);
        let inner: Vec<Inner> =
            body.insts.iter().enumerate().filter_map(|(at, inst)| context.inner(at, inst)).collect();
        let taken: HashSet<usize> = inner.iter().flat_map(|inner| inner.needed.iter().copied()).collect();
        let is_all = body.args.len() == 1
            && body.insts.iter().enumerate().all(|(at, inst)| {
                let whole = |inner: &Inner| inner.at == at && inner.stores.len() == stores(inst).len();
                taken.contains(&at) || inner.iter().any(whole)
            })
            && inner.iter().all(|inner| inner.kept.is_empty());
        (!inner.is_empty()).then_some(Plan { inner, is_all })
    }
}

/// The stores of a loop's body.
fn stores(inst: &Inst) -> Vec<usize> {
    let InstKind::For(l) = &inst.kind else { return Vec::new() };
    let is_store = |at: &usize| matches!(l.body.insts[*at].kind, InstKind::Store { .. });
    (0..l.body.insts.len()).filter(is_store).collect()
}

struct Context<'a> {
    func: &'a Func,
    defs: &'a Definitions,
    outer: &'a ForLoop,
    /// What the outer loop writes, or makes.
    written: HashSet<Buffer>,
    /// How many instructions of its body, nested ones included, name a buffer.
    named: HashMap<Buffer, usize>,
    made: HashMap<Value, usize>,
    /// Of what its body makes, what is the same for all rows.
    fixed: ValueSet,
}

impl<'a> Context<'a> {
    fn of(func: &'a Func, defs: &'a Definitions, outer: &'a ForLoop) -> Self {
        let body = &outer.body;
        let mut named: HashMap<Buffer, usize> = HashMap::default();
        body.visit(&mut |inst| inst.kind.each_buffer(|b| *named.entry(b).or_default() += 1));
        let (written, made) = (written(body), made(body));
        let mut context = Context { func, defs, outer, written, named, made, fixed: ValueSet::default() };
        let mut varying: HashSet<Value> = body.args.iter().copied().collect();
        for inst in &body.insts {
            let mut varies = !context.is_cheap(inst);
            inst.kind.each_operand(|v| varies |= varying.contains(&v));
            if varies {
                varying.extend(inst.results.iter().copied());
            } else {
                context.fixed.add_all(&inst.results);
            }
        }
        context
    }

    fn is_cheap(&self, inst: &Inst) -> bool {
        runs_again(self.func, inst, &self.written)
    }

    /// Whether a value is there before the outer loop, or the same for all its rows.
    fn is_fixed(&self, v: Value) -> bool {
        let of_body = self.made.contains_key(&v) || self.outer.body.args.contains(&v);
        !of_body || self.fixed.contains(v)
    }

    /// What of an inner loop can run for several rows at once, if anything.
    fn inner(&self, at: usize, inst: &Inst) -> Option<Inner> {
        let InstKind::For(l) = &inst.kind else { return None };
        if !l.is_plain() || !l.inits.is_empty() {
            return None;
        }
        let is_short = literal(self.defs, l.hi).is_some_and(|n| n < SHORT);
        if is_short || ![l.lo, l.hi].iter().all(|v| self.is_fixed(*v)) || l.body.insts.len() > 3 * LIGHT {
            return None;
        }
        let mut found =
            Inner { at, stores: Vec::new(), slice: Vec::new(), needed: Vec::new(), kept: Vec::new() };
        let (mut slice, mut needed, mut kept) = (HashSet::default(), HashSet::default(), HashSet::default());
        for bound in [l.lo, l.hi] {
            self.collect(bound, &mut needed, &mut kept)?;
        }
        for at in stores(inst) {
            let parts = self.parts(l, at);
            let Some((more, of_row, floats)) = parts else { continue };
            slice.extend(more);
            needed.extend(of_row);
            kept.extend(floats);
            found.stores.push(at);
        }
        let work = slice.iter().filter(|at| {
            let inst = &l.body.insts[**at];
            matches!(&inst.kind, InstKind::Pure(op, _) if !matches!(op, Op::Float(_)))
                && self.func.is_float(inst.results[0])
        });
        if found.stores.is_empty() || found.stores.len() > PLACES || kept.len() > KEPT || work.count() > LIGHT
        {
            return None;
        }
        found.slice = sorted(slice);
        found.needed = sorted(needed);
        found.kept = sorted(kept);
        Some(found)
    }

    /// What an addition is made of, if it can run for several rows at once: in the inner loop, in the outer one's body, and of its
    /// floats.
    fn parts(&self, l: &ForLoop, store: usize) -> Option<(HashSet<usize>, HashSet<usize>, HashSet<Value>)> {
        let InstKind::Store { buffer, index, value, mode: StoreMode::Add } = &l.body.insts[store].kind else {
            return None;
        };
        if self.named.get(buffer) != Some(&1) || !self.func.is_float(*value) {
            return None;
        }
        let (last, others) = index.split_last()?;
        if moves(l, *last) != Some(true) || others.iter().any(|i| moves(l, *i) != Some(false)) {
            return None;
        }
        let (mut slice, mut outside) = (HashSet::default(), Vec::new());
        for i in index {
            self.in_slice(l, *i, &mut slice, &mut outside)?;
        }
        // The place is the same for all rows, and what is added to it is not.
        let is_same = outside.iter().all(|v| self.is_fixed(*v));
        self.in_slice(l, *value, &mut slice, &mut outside)?;
        if !is_same || outside.iter().all(|v| self.is_fixed(*v)) {
            return None;
        }
        let (mut needed, mut kept) = (HashSet::default(), HashSet::default());
        for v in outside {
            self.collect(v, &mut needed, &mut kept)?;
        }
        Some((slice, needed, kept))
    }

    /// Adds where in an inner loop's body a value comes from, and what that takes from outside of it.
    fn in_slice(
        &self,
        l: &ForLoop,
        v: Value,
        slice: &mut HashSet<usize>,
        outside: &mut Vec<Value>,
    ) -> Option<()> {
        if v == l.body.args[0] {
            return Some(());
        }
        let Some(at) = l.body.insts.iter().position(|inst| inst.results.contains(&v)) else {
            outside.push(v);
            return Some(());
        };
        let inst = &l.body.insts[at];
        if !self.is_cheap(inst) {
            return None;
        }
        if slice.insert(at) {
            let mut operands = Vec::new();
            inst.kind.each_operand(|v| operands.push(v));
            for v in operands {
                self.in_slice(l, v, slice, outside)?;
            }
        }
        Some(())
    }

    /// Adds where in the outer loop's body a value comes from: what is run again, and floats that are kept.
    fn collect(&self, v: Value, needed: &mut HashSet<usize>, kept: &mut HashSet<Value>) -> Option<()> {
        let is_carried = self.outer.body.args[1..].contains(&v);
        let made = self.made.get(&v);
        if !is_carried && made.is_none() {
            return Some(());
        }
        let again = made.map(|at| (*at, &self.outer.body.insts[*at])).filter(|(_, inst)| {
            let is_simple = !matches!(&inst.kind, InstKind::Pure(op, _) if !matches!(op, Op::Float(_)));
            self.is_cheap(inst) && (is_simple || !self.func.is_float(v))
        });
        let Some((at, inst)) = again else {
            kept.insert(v);
            return self.func.is_float(v).then_some(());
        };
        if needed.insert(at) {
            let mut operands = Vec::new();
            inst.kind.each_operand(|v| operands.push(v));
            for v in operands {
                self.collect(v, needed, kept)?;
            }
        }
        Some(())
    }
}

fn sorted<T: Ord>(set: HashSet<T>) -> Vec<T> {
    let mut list: Vec<T> = set.into_iter().collect();
    list.sort_unstable();
    list
}

impl Writer<'_> {
    fn jammed(
        &mut self,
        defs: &Definitions,
        mut outer: ForLoop,
        plan: &Plan,
        results: Vec<Value>,
    ) -> Vec<Inst> {
        let body = std::mem::take(&mut outer.body);
        outer.body.args.clone_from(&body.args);
        if !is_of_rows(defs, &outer) {
            return self.in_blocks(defs, &outer, results, |this, rounds, insts| {
                this.jammed_block(body, plan, rounds, insts)
            });
        }
        let mut insts = Vec::new();
        let rounds = Rounds { start: outer.lo, hi: outer.hi, count: outer.hi, carried: &outer.inits };
        let after = self.jammed_block(body, plan, &rounds, &mut insts);
        // What has been made may as well bear the names of what was.
        let names: HashMap<Value, Value> = after.into_iter().zip(results).collect();
        for inst in &mut insts {
            inst.results.iter_mut().for_each(|r| *r = *names.get(r).unwrap_or(r));
        }
        insts
    }

    /// Up to four rounds.
    fn jammed_block(
        &mut self,
        body: Block,
        plan: &Plan,
        rounds: &Rounds<'_>,
        insts: &mut Vec<Inst>,
    ) -> Vec<Value> {
        let mut arrays: HashMap<Value, Buffer> = HashMap::default();
        for v in plan.inner.iter().flat_map(|inner| &inner.kept) {
            if !arrays.contains_key(v) {
                let array = self.array(*v);
                arrays.insert(*v, array);
            }
        }
        let mut after = rounds.carried.to_vec();
        if !plan.is_all {
            let row = self.row();
            let mut rest = body.clone();
            for inner in &plan.inner {
                if let InstKind::For(l) = &mut rest.insts[inner.at].kind {
                    let mut at = 0;
                    l.body.insts.retain(|_| {
                        at += 1;
                        !inner.stores.contains(&(at - 1))
                    });
                }
            }
            let kept = sorted(arrays.keys().copied().collect());
            rest.insts.retain(|inst| !is_idle(inst));
            rest.insts.extend(kept.into_iter().map(|v| set(arrays[&v], row, v)));
            after = self.each_row(rounds, row, rest, insts);
        }
        let four = self.int(ROWS, insts);
        let is_full = self.op(Op::Cmp(Cmp::Eq), vec![rounds.count, four], Type::Bool, None, insts);
        let (mut then_block, mut else_block) = (Block::default(), Block::default());
        for inner in &plan.inner {
            let InstKind::For(l) = &body.insts[inner.at].kind else { continue };
            self.four_rows(l, &body, inner, &arrays, rounds, &mut then_block.insts);
        }
        let (row, i) = (self.row(), self.like(body.args[0]));
        let mut each = Block { args: vec![i], ..Block::default() };
        for inner in &plan.inner {
            let InstKind::For(l) = &body.insts[inner.at].kind else { continue };
            let mut map = HashMap::from_iter([(body.args[0], i)]);
            self.of_row(&body, inner, &arrays, row, &mut map, &mut each.insts);
            let j = self.like(l.body.args[0]);
            self.together.insert(j);
            map.insert(l.body.args[0], j);
            let mut in_loop = Block { args: vec![j], ..Block::default() };
            let mut all = inner.slice.clone();
            all.extend(&inner.stores);
            let all: Vec<&Inst> = all.iter().map(|at| &l.body.insts[*at]).collect();
            let bounds = [l.lo, l.hi].map(|v| *map.get(&v).unwrap_or(&v));
            self.clone_insts(&all, &mut map, &mut in_loop.insts);
            let one = ForLoop { lo: bounds[0], hi: bounds[1], body: in_loop, ..l.clone() };
            each.insts.push(Inst { results: Vec::new(), kind: InstKind::For(one) });
        }
        let last = Rounds { carried: &[], ..*rounds };
        self.each_row(&last, row, each, &mut else_block.insts);
        insts
            .push(Inst { results: Vec::new(), kind: InstKind::If { cond: is_full, then_block, else_block } });
        after
    }

    /// What the additions of a row take: what is run again, and what was kept.
    fn of_row(
        &mut self,
        body: &Block,
        inner: &Inner,
        arrays: &HashMap<Value, Buffer>,
        row: Value,
        map: &mut HashMap<Value, Value>,
        out: &mut Vec<Inst>,
    ) {
        for v in &inner.kept {
            let kept = self.load(arrays[v], row, *v, out);
            map.insert(*v, kept);
        }
        let needed: Vec<&Inst> = inner.needed.iter().map(|at| &body.insts[*at]).collect();
        self.clone_insts(&needed, map, out);
    }

    /// The additions of one inner loop for four rows.
    fn four_rows(
        &mut self,
        l: &ForLoop,
        body: &Block,
        inner: &Inner,
        arrays: &HashMap<Value, Buffer>,
        rounds: &Rounds<'_>,
        out: &mut Vec<Inst>,
    ) {
        let j = self.like(l.body.args[0]);
        self.together.insert(j);
        let mut all = Block { args: vec![j], ..Block::default() };
        let slice: Vec<&Inst> = inner.slice.iter().map(|at| &l.body.insts[*at]).collect();
        let mut bounds = None;
        // For each store, where it goes, and what has been added so far.
        let mut sums: Vec<(Vec<Value>, Value)> = Vec::new();
        for k in 0..ROWS {
            let row = self.int(k, out);
            let i = self.op(Op::Add, vec![rounds.start, row], Type::Int, None, out);
            let mut map = HashMap::from_iter([(body.args[0], i)]);
            self.of_row(body, inner, arrays, row, &mut map, out);
            // The same for all rows: the first row's will do.
            bounds.get_or_insert([l.lo, l.hi].map(|v| *map.get(&v).unwrap_or(&v)));
            map.insert(l.body.args[0], j);
            self.clone_insts(&slice, &mut map, &mut all.insts);
            for (nth, at) in inner.stores.iter().enumerate() {
                let InstKind::Store { buffer, index, value, .. } = &l.body.insts[*at].kind else { continue };
                let of = |v: &Value| *map.get(v).unwrap_or(v);
                let value = of(value);
                if k == 0 {
                    let place: Vec<Value> = index.iter().map(of).collect();
                    let before = self.like(value);
                    let kind = InstKind::Load { buffer: *buffer, index: place.clone() };
                    all.insts.push(Inst { results: vec![before], kind });
                    sums.push((place, before));
                }
                let ty = self.func.ty(value).clone();
                sums[nth].1 = self.op(Op::Add, vec![sums[nth].1, value], ty, None, &mut all.insts);
            }
        }
        for ((index, value), at) in sums.into_iter().zip(&inner.stores) {
            let InstKind::Store { buffer, .. } = &l.body.insts[*at].kind else { continue };
            let kind = InstKind::Store { buffer: *buffer, index, value, mode: StoreMode::Set };
            all.insts.push(Inst { results: Vec::new(), kind });
        }
        let [lo, hi] = bounds.unwrap_or([l.lo, l.hi]);
        let four = ForLoop { lo, hi, body: all, ..l.clone() };
        out.push(Inst { results: Vec::new(), kind: InstKind::For(four) });
    }
}

/// Whether an instruction is a loop of which nothing is left that anybody sees.
fn is_idle(inst: &Inst) -> bool {
    let InstKind::For(l) = &inst.kind else { return false };
    let only_computes = |inst: &Inst| matches!(inst.kind, InstKind::Pure(..) | InstKind::Load { .. });
    inst.results.is_empty() && l.body.insts.iter().all(only_computes)
}
