//! Runs up to 32 rounds of a heavy loop side by side, so that LLVM makes vector code of them; splits sums of derivatives ([`sums`]); and
//! before all that, runs sums over rows four rows at a time ([`rows`]), and additions of rows to one ([`jam`]).
//!
//! A loop whose body is a long chain of float arithmetic between loads and `+=` stores waits for its own latency: few
//! rounds fit into the processor at once. Sums in rounding order keep LLVM from doing anything about it. Where the order
//! is free, because the sums are derivatives only, the loop
//!
//! ```text
//! for i in lo..hi carrying s { loads; arithmetic; s += ..; b[..] += .. }
//! ```
//!
//! becomes blocks of up to [`WIDTH`] rounds: gather the loads into arrays, do the arithmetic in a loop over the lanes of
//! the arrays, scatter the stores; in the end the lanes of each sum are added up. What lies side by side in memory, or every so many
//! elements, is not gathered but read where it is. Sums of what is stored lane after lane are added up there. A loop of fewer than
//! [`FEWEST`] rounds, or of twice as many if its calls are all that makes it heavy, runs as it was.
//!
//! The blocks are that wide because a processor cannot hand a wide load what narrow stores have just written, before these
//! have reached its cache: the arithmetic on the first lanes must come long after their gathering.
//!
//! Sums that the primal value is made of, or that a comparison decides by, are added up lane after lane, in the order of the
//! rounds: the value stays what the user's function returns, bit for bit, and branches are taken as it takes them.
//!
//! A loop that makes one element after the other of what lies side by side, and sums nothing, has nothing to wait for and stays as it is.
//!
//! Calls of `exp` and `tanh` that no value of the user's function depends on become code that has lanes too ([`inline`]).
//!
//! Conditions: a forward `for` with nothing nested; loads only of buffers that the loop does not write; stores only `+=`, or
//! one `=` to a place that moves with the round; indices that depend on no float; at least [`HEAVY`] float operations a round.

mod inline;
mod jam;
mod plan;
mod rows;
mod sums;
mod write;

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use self::plan::{Plan, adds_to_primal};
use self::write::Writer;
use crate::analysis::activity::{self, Activity};
use crate::analysis::definitions::{Definitions, definitions};
use crate::analysis::replay::is_expensive;
use crate::ir::{
    Binary, Block, Buffer, BufferData, Cmp, Dim, ForLoop, Func, Inst, InstKind, Op, Storage, StoreMode, Type,
    Value, ValueSet,
};

/// From how many float operations on a round is worth the arrays.
const HEAVY: usize = 12;
/// Lanes of a block.
const WIDTH: usize = 32;
/// From how many rounds on a loop is worth the arrays, and one that is heavy because of its calls.
const FEWEST: [usize; 2] = [8, 16];
/// Lanes that are left of each sum before they are added up one by one.
const LAST: usize = 8;

/// Runs the pass.
pub(crate) fn lanes(func: Func) -> Func {
    lanes_from(func, HEAVY, sums::FEWEST)
}

/// Runs the pass, as if loops of so many float operations were heavy, and all of them worth it from `fewest` rounds on.
pub(crate) fn lanes_from(mut func: Func, heavy: usize, fewest: usize) -> Func {
    let mut together = rows::rows(&mut func);
    jam::jam(&mut func, &mut together);
    let (primal, defs) = (activity::promised(&func), definitions(&func));
    let mut body = std::mem::take(&mut func.body);
    let mut arrays = Vec::new();
    let known = Known { primal, defs, together, heavy, fewest };
    in_block(&mut func, &mut body, &known, &ValueSet::default(), &mut arrays);
    body.insts.splice(0..0, arrays);
    func.body = body;
    func
}

/// What is known of a function before any of its loops is changed, and from what on loops are.
struct Known {
    primal: Activity,
    defs: Definitions,
    /// The variables of loops that run for several rows already.
    together: HashSet<Value>,
    heavy: usize,
    fewest: usize,
}

/// `around`: what is defined in the loop around the block. `arrays`: gets the declarations of what the lanes lie in, which
/// are made once.
fn in_block(func: &mut Func, block: &mut Block, known: &Known, around: &ValueSet, arrays: &mut Vec<Inst>) {
    let mut insts = Vec::with_capacity(block.insts.len());
    for mut inst in std::mem::take(&mut block.insts) {
        let is_loop = matches!(inst.kind, InstKind::For(_) | InstKind::While { .. });
        for nested in inst.kind.blocks_mut() {
            let mut inside = ValueSet::default();
            if is_loop {
                inside.add_all(&nested.args);
                nested.visit(&mut |inst| inside.add_all(&inst.results));
            }
            in_block(func, nested, known, if is_loop { &inside } else { around }, arrays);
        }
        if let InstKind::For(l) = &mut inst.kind
            && write::is_of_rows(&known.defs, l)
            && l.body.insts.iter().any(|inst| inst.kind.blocks().next().is_some())
        {
            let mut writer = Writer { func, arrays, together: &mut HashSet::default() };
            if let Some((calls, rest)) = inline::ahead(&mut writer, &known.defs, l, &known.primal) {
                inline::all_rows(&mut writer, &inline::with_inline(&calls), &calls, &mut insts);
                *l = rest;
            }
        }
        if let InstKind::For(short) = &inst.kind
            && !known.together.contains(&short.body.args[0])
            && !adds_to_primal(short, &known.primal)
            && let inlined = inline::inlined(func, short, &known.primal)
            && let l = inlined.as_ref().unwrap_or(short)
            && let Some(plan) = Plan::of(func, &known.defs, l, &inst.results, &known.primal)
        {
            if let Some(inlined) = &inlined
                && short.inits.is_empty()
                && write::is_of_rows(&known.defs, short)
            {
                let mut writer = Writer { func, arrays, together: &mut HashSet::default() };
                inline::all_rows(&mut writer, inlined, short, &mut insts);
                continue;
            }
            let is_heavy = plan.flops >= known.heavy;
            let count = func.new_value(Type::Int, Some("count".into()));
            let own = plan.flops - inline::FLOPS * inline::calls(l);
            let fewest = FEWEST[usize::from(own < known.heavy)].min(known.fewest);
            let widened = Widen { func, l, short, fewest, plan, count, arrays };
            if is_heavy && widened.is_plain_map() {
                let kind = InstKind::For(l.clone());
                insts.push(Inst { kind, results: inst.results });
            } else if is_heavy
                && (!widened.plan.rewrites || inlined.is_some() && widened.reads_before_it_rewrites())
            {
                insts.extend(widened.run(&inst.results));
            } else if !is_heavy && widened.is_light_sum() && ![l.lo, l.hi].iter().any(|v| around.contains(*v))
            {
                insts.extend(widened.split_sums(&inst.results, known.fewest));
            } else {
                insts.push(inst);
            }
        } else {
            insts.push(inst);
        }
    }
    block.insts = insts;
}

struct Widen<'a> {
    func: &'a mut Func,
    l: &'a ForLoop,
    /// As it was, with its calls into libm: for few rounds.
    short: &'a ForLoop,
    /// From how many rounds on there are blocks.
    fewest: usize,
    plan: Plan,
    /// How many lanes of a block have a round.
    count: Value,
    arrays: &'a mut Vec<Inst>,
}

impl Widen<'_> {
    fn value(&mut self, ty: Type, name: Option<&str>) -> Value {
        self.func.new_value(ty, name.map(Into::into))
    }

    /// A new value of the type and name of another.
    fn like(&mut self, v: Value) -> Value {
        let data = self.func.value(v).clone();
        self.func.new_value(data.ty, data.name)
    }

    fn op(&mut self, op: Op, args: Vec<Value>, ty: Type, out: &mut Vec<Inst>) -> Value {
        let v = self.value(ty, None);
        out.push(Inst { results: vec![v], kind: InstKind::Pure(op, args) });
        v
    }

    fn int(&mut self, n: usize, out: &mut Vec<Inst>) -> Value {
        self.op(Op::Int(format!("{n}_usize").into()), Vec::new(), Type::Int, out)
    }

    /// Declares an array with a place for each lane.
    fn array(&mut self, name: &str, elem: &Type) -> Buffer {
        let mut out = Vec::new();
        let buffer = self.array_of(name, elem, WIDTH, &mut out);
        self.arrays.extend(out);
        buffer
    }

    fn array_of(&mut self, name: &str, elem: &Type, len: usize, out: &mut Vec<Inst>) -> Buffer {
        let fill = match elem {
            Type::Bool => self.op(Op::Bool(false), Vec::new(), Type::Bool, out),
            ty => self.op(Op::Float(0.0), Vec::new(), ty.clone(), out),
        };
        let buffer = self.func.new_buffer(BufferData::new(
            format!("{name}_lanes").into(),
            elem.clone(),
            vec![Dim::Fixed(len.to_string().into())],
            Storage::Local,
        ));
        out.push(Inst { results: Vec::new(), kind: InstKind::Alloc { buffer, fill } });
        buffer
    }

    /// A loop over the lanes; `body` gets the lane and emits.
    fn for_lanes(&mut self, out: &mut Vec<Inst>, body: &mut dyn FnMut(&mut Self, Value, &mut Vec<Inst>)) {
        let lo = self.int(0, out);
        let lane = self.value(Type::Int, Some("lane"));
        let mut insts = Vec::new();
        body(self, lane, &mut insts);
        out.push(for_range(lo, self.count, Block { args: vec![lane], insts, ..Block::default() }));
    }

    /// Whether each round only makes elements beside those of the round before, of what lies there too: LLVM sees to such loops, or,
    /// where they call into libm, nobody can.
    fn is_plain_map(&self) -> bool {
        let plan = &self.plan;
        let at_hand = |at: &usize| plan.direct.contains(at);
        let (_, varying) = self.invariant();
        let is_load = |at: &&usize| matches!(self.l.body.insts[**at].kind, InstKind::Load { .. });
        plan.ordered.is_empty()
            && plan.scatter.iter().all(at_hand)
            && varying.iter().filter(is_load).all(at_hand)
            && (plan.scatter.len() == 1 || self.calls())
    }

    /// Whether only the arithmetic takes what a round loads and then overwrites: stores and sums follow it, lanes after lanes, and would load
    /// what is there by then.
    fn reads_before_it_rewrites(&self) -> bool {
        let plan = &self.plan;
        let written = self.l.body.writes();
        let mut side: Vec<usize> = plan.gather.iter().chain(&plan.late).copied().collect();
        side.sort_unstable();
        let mut stores: Vec<usize> = plan.scatter.clone();
        stores.extend(&plan.late);
        let terms: Vec<Value> = plan.ordered.iter().flatten().flatten().map(|term| term.value).collect();
        let is_rewritten = |at: &usize| matches!(&self.l.body.insts[*at].kind, InstKind::Load { buffer, .. } if written.contains(buffer));
        !self.needed(&side, &stores, &terms).iter().any(is_rewritten)
    }

    /// Whether the arithmetic calls into libm.
    fn calls(&self) -> bool {
        let calls =
            |at: &usize| matches!(&self.l.body.insts[*at].kind, InstKind::Pure(op, _) if is_expensive(op));
        self.plan.compute.iter().any(calls)
    }

    /// Clones instructions with new results under `map`.
    fn clone_insts(&mut self, which: &[usize], map: &mut HashMap<Value, Value>, out: &mut Vec<Inst>) {
        for at in which {
            let mut inst = self.l.body.insts[*at].clone();
            inst.kind.map_operands(|v| *map.get(&v).unwrap_or(&v));
            for r in &mut inst.results {
                let data = self.func.value(*r).clone();
                let new = self.func.new_value(data.ty, data.name);
                map.insert(*r, new);
                *r = new;
            }
            out.push(inst);
        }
    }

    /// Of the gathering, what does not change from round to round (loads of `q[3 * i]` in a loop over `j`).
    fn invariant(&self) -> (Vec<usize>, Vec<usize>) {
        let mut varying = HashSet::from_iter([self.l.body.args[0]]);
        let (mut fixed, mut lane) = (Vec::new(), Vec::new());
        for at in &self.plan.gather {
            let inst = &self.l.body.insts[*at];
            let mut varies = false;
            inst.kind.each_operand(|v| varies |= varying.contains(&v));
            if varies {
                varying.extend(inst.results.iter().copied());
                lane.push(*at);
            } else {
                fixed.push(*at);
            }
        }
        (fixed, lane)
    }

    /// Of the gathering, what is done once more beside the arithmetic: constants, and all that the integers come from
    /// which the arithmetic takes.
    fn again(&self, gather: &[usize], taken: &[Value], constants: &HashSet<Value>) -> Vec<usize> {
        let is_integer = |v: &Value| *self.func.ty(*v) != Type::Bool && !self.func.is_float(*v);
        let mut wanted: HashSet<Value> = taken.iter().copied().filter(is_integer).collect();
        wanted.extend(constants);
        self.closure(gather, wanted)
    }

    /// Of these instructions, what stores take, and what such values come from.
    fn needed(&self, among: &[usize], stores: &[usize], values: &[Value]) -> Vec<usize> {
        let mut wanted: HashSet<Value> = values.iter().copied().collect();
        for store in stores {
            self.l.body.insts[*store].kind.each_operand(|v| {
                wanted.insert(v);
            });
        }
        self.closure(among, wanted)
    }

    /// The instructions among these that values come from.
    fn closure(&self, among: &[usize], mut wanted: HashSet<Value>) -> Vec<usize> {
        let mut found = Vec::new();
        for at in among.iter().rev() {
            let inst = &self.l.body.insts[*at];
            if inst.results.iter().any(|r| wanted.contains(r)) {
                inst.kind.each_operand(|v| {
                    wanted.insert(v);
                });
                found.push(*at);
            }
        }
        found.reverse();
        found
    }

    fn run(mut self, results: &[Value]) -> Vec<Inst> {
        let l = self.l;
        let ordered = std::mem::take(&mut self.plan.ordered);
        let mut insts = Vec::new();
        let (fixed, lane_gather) = self.invariant();
        // In here the loop has rounds: what is the same in all of them may be computed before them.
        let mut map: HashMap<Value, Value> = HashMap::default();
        self.clone_insts(&fixed, &mut map, &mut insts);

        // What lies side by side is read where it is.
        let in_place = self.plan.direct.iter().chain(&self.plan.strided);
        let direct: HashSet<Value> =
            in_place.filter_map(|at| l.body.insts[*at].results.first().copied()).collect();

        // What the arithmetic takes from the gathering, and what the stores and sums take from it.
        let produced: HashSet<Value> =
            lane_gather.iter().flat_map(|at| l.body.insts[*at].results.iter().copied()).collect();
        let mut taken: Vec<Value> = Vec::new();
        for at in &self.plan.compute {
            l.body.insts[*at].kind.each_operand(|v| {
                if produced.contains(&v) && !taken.contains(&v) {
                    taken.push(v);
                }
            });
        }
        let constants: HashSet<Value> = lane_gather
            .iter()
            .filter(|at| matches!(l.body.insts[**at].kind, InstKind::Pure(Op::Float(_) | Op::Bool(_), _)))
            .flat_map(|at| l.body.insts[*at].results.iter().copied())
            .collect();
        // Constants, and integers (exponents), are not kept in arrays but made again beside the arithmetic.
        let here: HashSet<Value> =
            constants.into_iter().chain(taken.iter().copied().filter(|v| direct.contains(v))).collect();
        let again = self.again(&lane_gather, &taken, &here);
        taken.retain(|v| !here.contains(v) && (self.func.is_float(*v) || *self.func.ty(*v) == Type::Bool));
        // What is done beside the stores: of the gathering, and signs.
        let mut side: Vec<usize> = lane_gather.iter().chain(&self.plan.late).copied().collect();
        side.sort_unstable();
        let terms: Vec<Value> = ordered.iter().flatten().flatten().map(|term| term.value).collect();
        let stored: Vec<Value> = {
            let mut wanted: HashSet<Value> = terms.iter().copied().collect();
            for at in self.plan.scatter.iter().chain(&self.plan.late) {
                l.body.insts[*at].kind.each_operand(|v| {
                    wanted.insert(v);
                });
            }
            let all = self.plan.compute.iter().flat_map(|at| l.body.insts[*at].results.iter().copied());
            all.filter(|v| wanted.contains(v)).collect()
        };

        let name_of = |func: &Func, v: Value, other: &str| {
            func.value(v).name.as_deref().map_or_else(|| other.to_string(), ToString::to_string)
        };
        let mut arrays: HashMap<Value, Buffer> = HashMap::default();
        for (list, other) in [(&taken, "input"), (&stored, "output")] {
            for v in list {
                let (name, ty) = (name_of(self.func, *v, other), self.func.ty(*v).clone());
                arrays.insert(*v, self.array(&name, &ty));
            }
        }
        let mut sums: Vec<Option<Buffer>> = Vec::new();
        for (arg, ordered) in l.body.args[1..].iter().zip(&ordered) {
            if ordered.is_some() {
                sums.push(None);
                continue;
            }
            let (name, ty) = (name_of(self.func, *arg, "sum"), self.func.ty(*arg).clone());
            let sum = self.array(&name, &ty);
            let value = self.op(Op::Float(0.0), Vec::new(), ty, &mut insts);
            insts.push(Inst { results: Vec::new(), kind: InstKind::Fill { buffer: sum, value } });
            sums.push(Some(sum));
        }

        // Blocks.
        let rounds = self.op(Op::Sub, vec![l.hi, l.lo], Type::Int, &mut insts);
        let width = self.int(WIDTH, &mut insts);
        let more = self.int(WIDTH - 1, &mut insts);
        let rounded_up = self.op(Op::Add, vec![rounds, more], Type::Int, &mut insts);
        let blocks = self.op(Op::Div, vec![rounded_up, width], Type::Int, &mut insts);
        let zero = self.int(0, &mut insts);
        let block = self.value(Type::Int, Some("block"));
        let mut in_block = Vec::new();
        let offset = self.op(Op::Mul, vec![block, width], Type::Int, &mut in_block);
        let start = self.op(Op::Add, vec![l.lo, offset], Type::Int, &mut in_block);
        let left = self.op(Op::Sub, vec![l.hi, start], Type::Int, &mut in_block);
        let kind = InstKind::Pure(Op::Binary(Binary::Min), vec![left, width]);
        in_block.push(Inst { results: vec![self.count], kind });
        let (gather, compute, scatter) =
            (lane_gather.clone(), self.plan.compute.clone(), self.plan.scatter.clone());
        let gathered = self.closure(&gather, taken.iter().copied().collect());
        if !taken.is_empty() {
            self.for_lanes(&mut in_block, &mut |this, lane, out| {
                let mut map = map.clone();
                let i = this.op(Op::Add, vec![start, lane], Type::Int, out);
                map.insert(l.body.args[0], i);
                this.clone_insts(&gathered, &mut map, out);
                for v in &taken {
                    out.push(set(arrays[v], lane, map[v]));
                }
            });
        }
        self.for_lanes(&mut in_block, &mut |this, lane, out| {
            let mut map = map.clone();
            let i = this.op(Op::Add, vec![start, lane], Type::Int, out);
            map.insert(l.body.args[0], i);
            this.clone_insts(&again, &mut map, out);
            for v in &taken {
                let loaded = this.load(arrays[v], lane, *v, out);
                map.insert(*v, loaded);
            }
            for (arg, b) in l.body.args[1..].iter().zip(&sums) {
                if let Some(b) = b {
                    let loaded = this.load(*b, lane, *arg, out);
                    map.insert(*arg, loaded);
                }
            }
            this.clone_insts(&compute, &mut map, out);
            for v in &stored {
                out.push(set(arrays[v], lane, map[v]));
            }
            for (y, b) in l.body.yields.iter().zip(&sums) {
                if let Some(b) = b {
                    out.push(set(*b, lane, map[y]));
                }
            }
        });
        // Lanes that go to neighbouring places are added all at once: a loop for each such store. Then one for the other stores,
        // and for the sums that are added up lane after lane.
        let beside =
            |this: &mut Self, lane: Value, stores: &[usize], terms: &[Value], out: &mut Vec<Inst>| {
                let mut map = map.clone();
                let i = this.op(Op::Add, vec![start, lane], Type::Int, out);
                map.insert(l.body.args[0], i);
                let needed = this.needed(&side, stores, terms);
                let mut wanted: HashSet<Value> = terms.iter().copied().collect();
                for at in needed.iter().chain(stores) {
                    l.body.insts[*at].kind.each_operand(|v| {
                        wanted.insert(v);
                    });
                }
                for v in stored.iter().filter(|v| wanted.contains(v)) {
                    let loaded = this.load(arrays[v], lane, *v, out);
                    map.insert(*v, loaded);
                }
                this.clone_insts(&needed, &mut map, out);
                this.clone_insts(stores, &mut map, out);
                map
            };
        let (direct, others): (Vec<usize>, Vec<usize>) =
            scatter.iter().partition(|store| self.plan.direct.contains(store));
        for store in direct {
            self.for_lanes(&mut in_block, &mut |this, lane, out| {
                beside(this, lane, &[store], &[], out);
            });
        }
        let (mut args, mut inits, mut yields, mut values) = (vec![block], Vec::new(), Vec::new(), Vec::new());
        for (k, terms) in ordered.iter().enumerate() {
            let Some(_) = terms else {
                values.push(None);
                continue;
            };
            let [sum, end, total] = [(); 3].map(|()| self.like(l.body.args[k + 1]));
            args.push(sum);
            inits.push(l.inits[k]);
            yields.push(end);
            values.push(Some(total));
        }
        if !others.is_empty() || !yields.is_empty() {
            let (lo, hi) = (self.int(0, &mut in_block), self.count);
            let lane = self.value(Type::Int, Some("lane"));
            let so_far: Vec<Value> = args[1..].iter().map(|sum| self.like(*sum)).collect();
            let mut insts = Vec::new();
            let map = beside(&mut self, lane, &others, &terms, &mut insts);
            let mut ends = Vec::new();
            for (terms, so_far) in ordered.iter().flatten().zip(&so_far) {
                let mut at = *so_far;
                for term in terms {
                    let value = *map.get(&term.value).unwrap_or(&term.value);
                    let ty = self.func.ty(*so_far).clone();
                    at = self.op(term.op.clone(), vec![at, value], ty, &mut insts);
                }
                ends.push(at);
            }
            let lanes = std::iter::once(lane).chain(so_far).collect();
            let body = Block { args: lanes, insts, yields: ends, ..Block::default() };
            let each = ForLoop { inits: args[1..].to_vec(), ..plain_loop(lo, hi, body) };
            in_block.push(Inst { results: yields.clone(), kind: InstKind::For(each) });
        }
        let totals_in_order: Vec<Value> = values.iter().flatten().copied().collect();
        let blocks_loop = ForLoop {
            inits,
            ..plain_loop(zero, blocks, Block { args, insts: in_block, yields, ..Block::default() })
        };
        insts.push(Inst { results: totals_in_order, kind: InstKind::For(blocks_loop) });

        let mut totals: Vec<Value> =
            l.inits.iter().zip(&values).map(|(init, so_far)| so_far.unwrap_or(*init)).collect();
        let in_lanes: Vec<(usize, Buffer)> =
            sums.iter().enumerate().filter_map(|(k, sum)| Some((k, (*sum)?))).collect();
        self.add_lanes(&in_lanes, &mut totals, &mut insts);

        // A loop that is too short makes no arrays.
        let mut out = Vec::new();
        let fewest = self.int(self.fewest, &mut out);
        let first = self.op(Op::Add, vec![l.lo, fewest], Type::Int, &mut out);
        let cond = self.op(Op::Cmp(Cmp::Le), vec![first, l.hi], Type::Bool, &mut out);
        let then_block = Block { insts, yields: totals, ..Block::default() };
        let plain: Vec<Value> = results.iter().map(|r| self.value(self.func.ty(*r).clone(), None)).collect();
        let short = Inst { results: plain.clone(), kind: InstKind::For(self.short.clone()) };
        let else_block = Block { insts: vec![short], yields: plain, ..Block::default() };
        out.push(Inst { results: results.to_vec(), kind: InstKind::If { cond, then_block, else_block } });
        out
    }

    /// Adds the lanes of sums to these totals, after the lanes of each to its first [`LAST`] ones.
    fn add_lanes(&mut self, sums: &[(usize, Buffer)], totals: &mut [Value], out: &mut Vec<Inst>) {
        if sums.is_empty() {
            return;
        }
        let (lo, hi) = (self.int(0, out), self.int(LAST, out));
        let lane = self.value(Type::Int, Some("lane"));
        let mut insts = Vec::new();
        for (k, sum) in sums {
            let ty = self.func.ty(totals[*k]).clone();
            let mut total = self.load(*sum, lane, totals[*k], &mut insts);
            for from in (LAST..WIDTH).step_by(LAST) {
                let from = self.int(from, &mut insts);
                let index = self.op(Op::Add, vec![lane, from], Type::Int, &mut insts);
                let part = self.load(*sum, index, totals[*k], &mut insts);
                total = self.op(Op::Add, vec![total, part], ty.clone(), &mut insts);
            }
            insts.push(set(*sum, lane, total));
        }
        out.push(for_range(lo, hi, Block { args: vec![lane], insts, ..Block::default() }));

        let lane = self.value(Type::Int, Some("lane"));
        let mut body = Block { args: vec![lane], ..Block::default() };
        let inits: Vec<Value> = sums.iter().map(|(k, _)| totals[*k]).collect();
        for (k, sum) in sums {
            let so_far = self.like(totals[*k]);
            let part = self.load(*sum, lane, so_far, &mut body.insts);
            let ty = self.func.ty(so_far).clone();
            let total = self.op(Op::Add, vec![so_far, part], ty, &mut body.insts);
            body.args.push(so_far);
            body.yields.push(total);
            totals[*k] = self.like(so_far);
        }
        let results = sums.iter().map(|(k, _)| totals[*k]).collect();
        let each = ForLoop { inits, ..plain_loop(lo, hi, body) };
        out.push(Inst { results, kind: InstKind::For(each) });
    }

    fn load(&mut self, buffer: Buffer, lane: Value, like: Value, out: &mut Vec<Inst>) -> Value {
        let v = self.like(like);
        out.push(Inst { results: vec![v], kind: InstKind::Load { buffer, index: vec![lane] } });
        v
    }
}

fn set(buffer: Buffer, lane: Value, value: Value) -> Inst {
    Inst {
        results: Vec::new(),
        kind: InstKind::Store { buffer, index: vec![lane], value, mode: StoreMode::Set },
    }
}

fn for_range(lo: Value, hi: Value, body: Block) -> Inst {
    Inst { results: Vec::new(), kind: InstKind::For(plain_loop(lo, hi, body)) }
}

fn plain_loop(lo: Value, hi: Value, body: Block) -> ForLoop {
    ForLoop::plain(lo, hi, Vec::new(), body)
}
