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
use super::{plain_loop, set};
use crate::analysis::definitions::{Definitions, definitions, literal};
use crate::analysis::replay::is_expensive;
use crate::ir::{
    Binary, Block, Buffer, BufferData, Cmp, Dim, ForLoop, Func, Inst, InstKind, Op, Storage, StoreMode, Type,
    Value,
};

/// How many rows run at once.
const ROWS: usize = 4;
/// So many sums of a row at most: with more, the processor has no registers for four rows.
const SUMS: usize = 3;
/// More work in a round hides its own latency.
const LIGHT: usize = 12;
/// Loops that are known to be shorter are left alone.
const SHORT: u64 = 8;
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
                    insts.extend(writer.rows(outer, plan, inst.results));
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
    from_zero: bool,
    /// What else a row does, in order, if that is only to store: it may as well be done twice then, and is short.
    only_stores: Option<Vec<usize>>,
}

impl Plan {
    fn of(func: &Func, defs: &Definitions, outer: &ForLoop, together: &HashSet<Value>) -> Option<Plan> {
        let body = &outer.body;
        if outer.step.is_some() || outer.inclusive || outer.rev || outer.flipped || body.diverges {
            return None;
        }
        if !body.insts.iter().any(|inst| matches!(inst.kind, InstKind::For(_))) || !indexes(outer) {
            return None;
        }
        let mut written: HashSet<Buffer> = body.writes().into_iter().collect();
        body.visit(&mut |inst| match &inst.kind {
            InstKind::Alloc { buffer, .. } | InstKind::Window { window: buffer, .. } => {
                written.insert(*buffer);
            }
            _ => {}
        });
        let mut made: HashMap<Value, usize> = HashMap::default();
        for (k, inst) in body.insts.iter().enumerate() {
            made.extend(inst.results.iter().map(|r| (*r, k)));
        }
        let context = Context { func, defs, outer, written, made };
        let mut inner: Vec<(usize, Vec<usize>)> = Vec::new();
        for (k, inst) in body.insts.iter().enumerate() {
            if let InstKind::For(l) = &inst.kind
                && !together.contains(&l.body.args[0])
                && let Some(needed) = context.needed(l, &inner)
            {
                inner.push((k, needed));
            }
        }
        let from_zero = literal(defs, outer.lo) == Some(0);
        let only_stores = context.only_stores(&inner);
        (!inner.is_empty()).then_some(Plan { inner, from_zero, only_stores })
    }
}

struct Context<'a> {
    func: &'a Func,
    defs: &'a Definitions,
    outer: &'a ForLoop,
    /// What the outer loop writes, or makes.
    written: HashSet<Buffer>,
    made: HashMap<Value, usize>,
}

impl Context<'_> {
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
            match &inst.kind {
                InstKind::Pure(op, _) if is_expensive(op) => return None,
                InstKind::Pure(..) => work += usize::from(self.func.is_float(inst.results[0])),
                InstKind::Load { buffer, .. } if !self.written.contains(buffer) => {}
                _ => return None,
            }
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

    /// Adds where a value comes from. `None` if it cannot be computed before its round.
    fn collect(
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
        match &inst.kind {
            InstKind::Pure(op, _) if !is_expensive(op) => {}
            InstKind::Load { buffer, .. } if !self.written.contains(buffer) => {}
            _ => return None,
        }
        needed.insert(*k);
        let mut operands = Vec::new();
        inst.kind.each_operand(|v| operands.push(v));
        operands.into_iter().try_for_each(|v| self.collect(v, before, seen, needed))
    }
}

struct Writer<'a> {
    func: &'a mut Func,
    arrays: &'a mut Vec<Inst>,
    together: &'a mut HashSet<Value>,
}

impl Writer<'_> {
    fn op(&mut self, op: Op, args: Vec<Value>, ty: Type, name: Option<&str>, out: &mut Vec<Inst>) -> Value {
        let v = self.func.new_value(ty, name.map(Into::into));
        out.push(Inst { results: vec![v], kind: InstKind::Pure(op, args) });
        v
    }

    fn int(&mut self, n: usize, out: &mut Vec<Inst>) -> Value {
        self.op(Op::Int(format!("{n}_usize").into()), Vec::new(), Type::Int, None, out)
    }

    fn like(&mut self, v: Value) -> Value {
        let data = self.func.value(v).clone();
        let new = self.func.new_value(data.ty, data.name);
        self.func.values[new.0 as usize].free = data.free;
        new
    }

    fn clone_insts(&mut self, insts: &[&Inst], map: &mut HashMap<Value, Value>, out: &mut Vec<Inst>) {
        for inst in insts {
            let mut inst = (*inst).clone();
            inst.kind.map_operands(|v| *map.get(&v).unwrap_or(&v));
            for r in &mut inst.results {
                let new = self.like(*r);
                map.insert(*r, new);
                *r = new;
            }
            out.push(inst);
        }
    }

    /// A place for a value of each row, declared where arrays are.
    fn array(&mut self, like: Value) -> Buffer {
        let data = self.func.value(like).clone();
        let mut out = Vec::new();
        let fill = self.op(Op::Float(0.0), Vec::new(), data.ty.clone(), None, &mut out);
        let name = data.name.as_deref().unwrap_or("sum");
        let buffer = self.func.new_buffer(BufferData::new(
            format!("{name}_rows").into(),
            data.ty,
            vec![Dim::Fixed(ROWS.to_string().into())],
            Storage::Local,
        ));
        out.push(Inst { results: Vec::new(), kind: InstKind::Alloc { buffer, fill } });
        self.arrays.extend(out);
        buffer
    }

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

    fn rows(&mut self, outer: ForLoop, plan: Plan, results: Vec<Value>) -> Vec<Inst> {
        let ForLoop { lo, hi, inits, mut body, .. } = outer;
        let mut out = Vec::new();
        let rounds =
            if plan.from_zero { hi } else { self.op(Op::Sub, vec![hi, lo], Type::Int, None, &mut out) };
        let (four, three) = (self.int(ROWS, &mut out), self.int(ROWS - 1, &mut out));
        let up = self.op(Op::Add, vec![rounds, three], Type::Int, None, &mut out);
        let blocks = self.op(Op::Div, vec![up, four], Type::Int, None, &mut out);
        let zero = self.int(0, &mut out);

        let block = self.func.new_value(Type::Int, Some("block".into()));
        let mut insts = Vec::new();
        let offset = self.op(Op::Mul, vec![block, four], Type::Int, None, &mut insts);
        let start = if plan.from_zero {
            offset
        } else {
            self.op(Op::Add, vec![lo, offset], Type::Int, None, &mut insts)
        };
        let left = self.op(Op::Sub, vec![hi, start], Type::Int, None, &mut insts);
        let count = self.op(Op::Binary(Binary::Min), vec![left, four], Type::Int, Some("count"), &mut insts);
        let one = self.int(1, &mut insts);
        let last = self.op(Op::Sub, vec![hi, one], Type::Int, None, &mut insts);
        let mut each: Vec<HashMap<Value, Value>> = vec![HashMap::from_iter([(body.args[0], start)])];
        for k in 1..ROWS {
            let k = self.int(k, &mut insts);
            let i = self.op(Op::Add, vec![start, k], Type::Int, None, &mut insts);
            let i = self.op(Op::Binary(Binary::Min), vec![i, last], Type::Int, None, &mut insts);
            each.push(HashMap::from_iter([(body.args[0], i)]));
        }

        let row = self.func.new_value(Type::Int, Some("row".into()));
        let mut loads: HashMap<usize, Vec<Inst>> = HashMap::default();
        for (at, needed) in &plan.inner {
            let needed: Vec<&Inst> = needed.iter().map(|k| &body.insts[*k]).collect();
            let InstKind::For(inner) = &body.insts[*at].kind else { continue };
            let sums = self.at_once(inner, &needed, &each, &mut insts);
            for (r, sums) in body.insts[*at].results.iter().zip(sums) {
                if plan.only_stores.is_some() {
                    each.iter_mut().zip(sums).for_each(|(row, sum)| row.extend([(*r, sum)]));
                    continue;
                }
                let buffer = self.array(*r);
                for (k, sum) in sums.into_iter().enumerate() {
                    each[k].insert(*r, sum);
                    let index = self.int(k, &mut insts);
                    insts.push(set(buffer, index, sum));
                }
                let kind = InstKind::Load { buffer, index: vec![row] };
                loads.entry(*at).or_default().push(Inst { results: vec![*r], kind });
            }
        }
        if let Some(others) = &plan.only_stores {
            let others: Vec<&Inst> = others.iter().map(|k| &body.insts[*k]).collect();
            for row in &each {
                self.clone_insts(&others, &mut row.clone(), &mut insts);
            }
            let args = vec![block];
            let main = plain_loop(zero, blocks, Block { args, insts, ..Block::default() });
            return self.guarded(plan.from_zero, (lo, hi), main, &inits, results, out);
        }
        // What was a round is one still, but that the sums are there.
        let mut of_row =
            vec![Inst { results: vec![body.args[0]], kind: InstKind::Pure(Op::Add, vec![start, row]) }];
        for (at, inst) in std::mem::take(&mut body.insts).into_iter().enumerate() {
            match loads.remove(&at) {
                Some(loads) => of_row.extend(loads),
                None => of_row.push(inst),
            }
        }
        body.insts = of_row;
        body.args[0] = row;
        let carried: Vec<Value> = body.args[1..].to_vec();
        let before: Vec<Value> = carried.iter().map(|v| self.like(*v)).collect();
        let after: Vec<Value> = carried.iter().map(|v| self.like(*v)).collect();
        let in_rows = ForLoop { inits: before.clone(), ..plain_loop(zero, count, body) };
        insts.push(Inst { results: after.clone(), kind: InstKind::For(in_rows) });
        let args = std::iter::once(block).chain(before).collect();
        let in_blocks = Block { args, insts, yields: after, ..Block::default() };
        let main = ForLoop { inits: inits.clone(), ..plain_loop(zero, blocks, in_blocks) };
        self.guarded(plan.from_zero, (lo, hi), main, &inits, results, out)
    }

    /// The blocks of a range, which may be empty the wrong way round unless it begins with zero. `out`: what stands before them.
    fn guarded(
        &mut self,
        from_zero: bool,
        (lo, hi): (Value, Value),
        main: ForLoop,
        inits: &[Value],
        results: Vec<Value>,
        mut out: Vec<Inst>,
    ) -> Vec<Inst> {
        if from_zero {
            out.push(Inst { results, kind: InstKind::For(main) });
            return out;
        }
        let totals: Vec<Value> = results.iter().map(|v| self.like(*v)).collect();
        out.push(Inst { results: totals.clone(), kind: InstKind::For(main) });
        let then_block = Block { insts: out, yields: totals, ..Block::default() };
        let else_block = Block { yields: inits.to_vec(), ..Block::default() };
        let mut out = Vec::new();
        let cond = self.op(Op::Cmp(Cmp::Lt), vec![lo, hi], Type::Bool, None, &mut out);
        out.push(Inst { results, kind: InstKind::If { cond, then_block, else_block } });
        out
    }
}
