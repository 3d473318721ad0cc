//! Sums over rows, four rows at a time.
//!
//! `for i { z = sum over j of x[i, j] * w[j]; .. }` takes the latency of an addition for each element, since LLVM may not reorder
//! the sum. But the sums of several rows do not wait for each other:
//!
//! ```text
//! for block { z_rows[0..4] = four sums over j at once, each in its order; for row in 0..4 { z = z_rows[row]; .. } }
//! ```
//!
//! So what such a loop computes stays what it was, bit for bit; and what the rows share (`w[j]`) is loaded once. In the last block, rows
//! that are none are the last row again. (Unroll and jam; Callahan, Cocke and Kennedy 1988.) A sum that goes on where another ended,
//! as in `W x + U h`, goes on in all four rows. Where a row does nothing but store what it has summed, all four do so one after the other,
//! without `z_rows`: LLVM would make a call of `memcpy` of those few. The last row is stored as often as there are rows that are none.
//!
//! Conditions: a plain outer loop; an inner loop, straight in the outer one's body, that carries floats, computes little and stores
//! nothing; its bounds are the same for all rows; and it takes nothing from what the outer loop carries or writes.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::plan::indexes;
use super::set;
use super::write::{LIGHT, ROWS, SHORT, Writer, made, runs_again, written};
use crate::analysis::definitions::{Definitions, definitions, literal};
use crate::analysis::replay::is_expensive;
use crate::ir::{Binary, Block, Buffer, ForLoop, Func, Inst, InstKind, Op, StoreMode, Type, Value};

/// So many sums of a row at most: with more, the processor has no registers for four rows.
const SUMS: usize = 3;
/// What a row does with its sums may take so many instructions, to be written out four times.
const FEW: usize = 8;

/// Runs through a function. Gives the variables of the inner loops that were made.
pub(super) fn rows(func: &mut Func) -> HashSet<Value> {
    let defs = definitions(func);
    let mut body = std::mem::take(&mut func.body);
    let (mut arrays, mut together) = (Vec::new(), HashSet::default());
    in_block(func, &mut body, &defs, &mut arrays, &mut together);
    body.insts.splice(0..0, arrays);
    func.body = body;
    together
}

/// `arrays` gets the declarations of what the sums lie in.
fn in_block(
    func: &mut Func,
    block: &mut Block,
    defs: &Definitions,
    arrays: &mut Vec<Inst>,
    together: &mut HashSet<Value>,
) {
    let mut insts = Vec::with_capacity(block.insts.len());
    for mut inst in std::mem::take(&mut block.insts) {
        for nested in inst.kind.blocks_mut() {
            in_block(func, nested, defs, arrays, together);
        }
        match inst.kind {
            InstKind::For(outer) => match Plan::of(func, defs, &outer, together) {
                Some(plan) => {
                    let mut writer = Writer { func, arrays, together };
                    insts.extend(writer.rows(defs, outer, plan, inst.results));
                }
                None => insts.push(Inst { results: inst.results, kind: InstKind::For(outer) }),
            },
            kind => insts.push(Inst { results: inst.results, kind }),
        }
    }
    block.insts = insts;
}

/// What runs at once.
struct Plan {
    /// Where the inner loops stand, and where what they are made of does, in order.
    inner: Vec<(usize, Vec<usize>)>,
    /// What else a row does, in order, if that is only to store: it may as well be done twice then, and is short.
    only_stores: Option<Vec<usize>>,
}

impl Plan {
    fn of(func: &Func, defs: &Definitions, outer: &ForLoop, together: &HashSet<Value>) -> Option<Plan> {
        let body = &outer.body;
        if !outer.is_plain()
            || !body.insts.iter().any(|inst| matches!(inst.kind, InstKind::For(_)))
            || !indexes(outer)
        {
            return None;
        }
        let context = Context::of(func, defs, outer);
        let mut inner: Vec<(usize, Vec<usize>)> = Vec::new();
        for (k, inst) in body.insts.iter().enumerate() {
            if let InstKind::For(l) = &inst.kind
                && !together.contains(&l.body.args[0])
                && let Some(needed) = context.needed(l, &inner)
            {
                inner.push((k, needed));
            }
        }
        let only_stores = context.only_stores(&inner);
        (!inner.is_empty()).then_some(Plan { inner, only_stores })
    }
}

/// What is known of a loop over rows.
pub(super) struct Context<'a> {
    func: &'a Func,
    defs: &'a Definitions,
    outer: &'a ForLoop,
    /// What the outer loop writes, or makes.
    written: HashSet<Buffer>,
    made: HashMap<Value, usize>,
}

impl<'a> Context<'a> {
    pub(super) fn of(func: &'a Func, defs: &'a Definitions, outer: &'a ForLoop) -> Self {
        Context { func, defs, outer, written: written(&outer.body), made: made(&outer.body) }
    }

    /// What a round does beside these loops, if that is to store once, in few instructions and from what it does not write.
    fn only_stores(&self, inner: &[(usize, Vec<usize>)]) -> Option<Vec<usize>> {
        let body = &self.outer.body;
        let others: Vec<usize> =
            (0..body.insts.len()).filter(|k| inner.iter().all(|(at, _)| at != k)).collect();
        let mut stores = 0;
        let fits = |k: &usize| match &body.insts[*k].kind {
            InstKind::Pure(Op::Verbatim(_) | Op::Custom(_), _) => false,
            InstKind::Pure(op, _) => !is_expensive(op),
            InstKind::Load { buffer, .. } => !self.written.contains(buffer),
            InstKind::Store { mode: StoreMode::Set, .. } => {
                stores += 1;
                true
            }
            _ => false,
        };
        let all_fit = body.args.len() == 1 && others.len() <= FEW && others.iter().all(fits);
        (all_fit && stores == 1).then_some(others)
    }

    /// What an inner loop is made of in the outer one's body, if it can run for several rows at once. `before`: those that can, of
    /// which all rows are there.
    fn needed(&self, l: &ForLoop, before: &[(usize, Vec<usize>)]) -> Option<Vec<usize>> {
        let sums = l.inits.len();
        let floats = l.body.args[1..].iter().all(|a| self.func.is_float(*a));
        if sums == 0 || sums > SUMS || !floats || l.body.diverges || l.body.insts.len() > 3 * LIGHT {
            return None;
        }
        if literal(self.defs, l.hi).is_some_and(|n| n < SHORT) {
            return None;
        }
        let mut work = 0;
        for inst in &l.body.insts {
            if !runs_again(self.func, inst, &self.written) {
                return None;
            }
            let is_load = matches!(inst.kind, InstKind::Load { .. });
            work += usize::from(!is_load && self.func.is_float(inst.results[0]));
        }
        let mut bounds = HashSet::default();
        let mut needed = HashSet::default();
        for v in [l.lo, l.hi].into_iter().chain(l.step) {
            self.collect(v, before, &mut bounds, &mut needed)?;
        }
        let row = self.outer.body.args[0];
        if work > LIGHT || bounds.contains(&row) {
            return None;
        }
        let mut own: HashSet<Value> = l.body.args.iter().copied().collect();
        own.extend(l.body.insts.iter().flat_map(|inst| &inst.results));
        let mut seen = bounds;
        let mut uses = l.inits.clone();
        l.body.each_use(&mut |v| uses.push(v));
        for v in uses.into_iter().filter(|v| !own.contains(v)) {
            self.collect(v, before, &mut seen, &mut needed)?;
        }
        if !seen.contains(&row) {
            return None;
        }
        let mut needed: Vec<usize> = needed.into_iter().collect();
        needed.sort_unstable();
        Some(needed)
    }

    /// Adds where a value comes from. `None` if it cannot be computed before its round. `before`: inner loops of which all rows are there.
    pub(super) fn collect(
        &self,
        v: Value,
        before: &[(usize, Vec<usize>)],
        seen: &mut HashSet<Value>,
        needed: &mut HashSet<usize>,
    ) -> Option<()> {
        if !seen.insert(v) {
            return Some(());
        }
        if self.outer.body.args[1..].contains(&v) {
            return None;
        }
        let Some(k) = self.made.get(&v) else { return Some(()) };
        if before.iter().any(|(at, _)| at == k) {
            return Some(());
        }
        let inst = &self.outer.body.insts[*k];
        if !runs_again(self.func, inst, &self.written) {
            return None;
        }
        needed.insert(*k);
        let mut operands = Vec::new();
        inst.kind.each_operand(|v| operands.push(v));
        operands.into_iter().try_for_each(|v| self.collect(v, before, seen, needed))
    }
}

impl Writer<'_> {
    /// An inner loop for each of some rows; gives, for each of its results, those of the rows. `rows`: what values of a round are in
    /// each.
    fn at_once(
        &mut self,
        inner: &ForLoop,
        needed: &[&Inst],
        rows: &[HashMap<Value, Value>],
        out: &mut Vec<Inst>,
    ) -> Vec<Vec<Value>> {
        let j = self.like(inner.body.args[0]);
        self.together.insert(j);
        let mut body = Block { args: vec![j], ..Block::default() };
        let mut inits = Vec::new();
        let mut bounds = None;
        let straight: Vec<&Inst> = inner.body.insts.iter().collect();
        for row in rows {
            let mut map = row.clone();
            map.insert(inner.body.args[0], j);
            self.clone_insts(needed, &mut map, out);
            let of = |v: &Value| *map.get(v).unwrap_or(v);
            inits.extend(inner.inits.iter().map(of));
            // The same for all rows: the first row's will do.
            bounds.get_or_insert((of(&inner.lo), of(&inner.hi), inner.step.as_ref().map(of)));
            for arg in &inner.body.args[1..] {
                let sum = self.like(*arg);
                map.insert(*arg, sum);
                body.args.push(sum);
            }
            let mut insts = Vec::new();
            self.clone_insts(&straight, &mut map, &mut insts);
            body.insts.extend(insts);
            body.yields.extend(inner.body.yields.iter().map(|v| *map.get(v).unwrap_or(v)));
        }
        let (lo, hi, step) = bounds.unwrap_or((inner.lo, inner.hi, inner.step));
        let results: Vec<Value> = body.args[1..].iter().map(|v| self.like(*v)).collect();
        let flags = ForLoop { body: Block::default(), inits: Vec::new(), ..inner.clone() };
        let all = ForLoop { lo, hi, step, inits, body, ..flags };
        out.push(Inst { results: results.clone(), kind: InstKind::For(all) });
        let sums = inner.inits.len();
        (0..sums).map(|c| results.iter().skip(c).step_by(sums).copied().collect()).collect()
    }

    fn rows(&mut self, defs: &Definitions, mut outer: ForLoop, plan: Plan, results: Vec<Value>) -> Vec<Inst> {
        let body = std::mem::take(&mut outer.body);
        // What carries, the blocks carry.
        outer.body.args.clone_from(&body.args);
        let only_stores = plan.only_stores.is_some();
        self.in_blocks(defs, &outer, results, |this, rounds, insts| {
            let one = this.int(1, insts);
            let last = this.op(Op::Sub, vec![rounds.hi, one], Type::Int, None, insts);
            let mut each: Vec<HashMap<Value, Value>> =
                vec![HashMap::from_iter([(body.args[0], rounds.start)])];
            for k in 1..ROWS {
                let k = this.int(k, insts);
                let i = this.op(Op::Add, vec![rounds.start, k], Type::Int, None, insts);
                let i = this.op(Op::Binary(Binary::Min), vec![i, last], Type::Int, None, insts);
                each.push(HashMap::from_iter([(body.args[0], i)]));
            }
            let mut summed: HashMap<usize, Vec<(Value, Buffer)>> = HashMap::default();
            for (at, needed) in &plan.inner {
                let needed: Vec<&Inst> = needed.iter().map(|k| &body.insts[*k]).collect();
                let InstKind::For(inner) = &body.insts[*at].kind else { continue };
                let sums = this.at_once(inner, &needed, &each, insts);
                for (r, sums) in body.insts[*at].results.iter().zip(sums) {
                    if only_stores {
                        each.iter_mut().zip(sums).for_each(|(row, sum)| row.extend([(*r, sum)]));
                        continue;
                    }
                    let buffer = this.array(*r);
                    for (k, sum) in sums.into_iter().enumerate() {
                        each[k].insert(*r, sum);
                        let index = this.int(k, insts);
                        insts.push(set(buffer, index, sum));
                    }
                    summed.entry(*at).or_default().push((*r, buffer));
                }
            }
            if let Some(others) = &plan.only_stores {
                let others: Vec<&Inst> = others.iter().map(|k| &body.insts[*k]).collect();
                for row in &each {
                    this.clone_insts(&others, &mut row.clone(), insts);
                }
                return Vec::new();
            }
            // What was a round is one still, but that the sums are there.
            let row = this.row();
            let mut of_row = Vec::with_capacity(body.insts.len());
            for (at, inst) in body.insts.into_iter().enumerate() {
                let Some(sums) = summed.get(&at) else {
                    of_row.push(inst);
                    continue;
                };
                of_row.extend(sums.iter().map(|(r, buffer)| Inst {
                    results: vec![*r],
                    kind: InstKind::Load { buffer: *buffer, index: vec![row] },
                }));
            }
            this.each_row(rounds, row, Block { insts: of_row, ..body }, insts)
        })
    }
}
