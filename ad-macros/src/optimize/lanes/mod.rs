//! Runs eight rounds of a heavy loop side by side, so that LLVM makes vector code of them.
//!
//! A loop whose body is a long chain of float arithmetic between loads and `+=` stores waits for its own latency: few
//! rounds fit into the processor at once. Sums in rounding order keep LLVM from doing anything about it. Where the order
//! is free, because the sums are derivatives only, the loop
//!
//! ```text
//! for i in lo..hi carrying s { loads; arithmetic; s += ..; b[..] += .. }
//! ```
//!
//! becomes blocks of eight rounds: gather the loads into arrays, do the arithmetic in a loop over the lanes of the
//! arrays, scatter the stores; then the lanes of each sum are added up; then the rounds that are left, as they were.
//! Sums that the primal value is made of are added up lane after lane, in the order of the rounds: the value stays what
//! the user's function returns, bit for bit.
//!
//! Conditions: a forward `for` with nothing nested; loads only of buffers that the loop does not write; stores only `+=`, or
//! one `=` to a place that moves with the round; indices that depend on no float; at least [`HEAVY`] float operations a round.

mod plan;

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use self::plan::{Plan, Term, adds_to_primal};
use crate::analysis::activity::{self, Activity};
use crate::ir::{
    Block, Buffer, BufferData, Cmp, Dim, ForLoop, Func, Inst, InstKind, Op, Storage, StoreMode, Type, Value,
};

/// From how many float operations on a round is worth the arrays.
const HEAVY: usize = 12;
/// Lanes of a block.
const WIDTH: usize = 8;

/// Runs the pass.
pub(crate) fn lanes(func: Func) -> Func {
    lanes_from(func, HEAVY)
}

/// Runs the pass on loops of at least so many float operations.
pub(crate) fn lanes_from(mut func: Func, heavy: usize) -> Func {
    let values: Vec<_> = func.outputs.iter().filter(|o| o.role.marks.is_empty()).map(|o| o.binding).collect();
    let primal = activity::useful(&func, &values);
    let mut body = std::mem::take(&mut func.body);
    in_block(&mut func, &mut body, heavy, &primal);
    func.body = body;
    func
}

fn in_block(func: &mut Func, block: &mut Block, heavy: usize, primal: &Activity) {
    let mut insts = Vec::with_capacity(block.insts.len());
    for mut inst in std::mem::take(&mut block.insts) {
        for nested in inst.kind.blocks_mut() {
            in_block(func, nested, heavy, primal);
        }
        if let InstKind::For(l) = &inst.kind
            && !adds_to_primal(l, primal)
            && let Some(plan) = Plan::of(func, l, &inst.results, heavy, primal)
        {
            let widened = Widen { func, l, plan, out: Vec::new() }.run(&inst.results);
            insts.extend(widened);
        } else {
            insts.push(inst);
        }
    }
    block.insts = insts;
}

struct Widen<'a> {
    func: &'a mut Func,
    l: &'a ForLoop,
    plan: Plan,
    out: Vec<Inst>,
}

impl Widen<'_> {
    fn value(&mut self, ty: Type, name: Option<&str>) -> Value {
        self.func.new_value(ty, name.map(Into::into))
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
    fn array(&mut self, name: &str, elem: &Type, out: &mut Vec<Inst>) -> Buffer {
        let fill = match elem {
            Type::Bool => self.op(Op::Bool(false), Vec::new(), Type::Bool, out),
            ty => self.op(Op::Float(0.0), Vec::new(), ty.clone(), out),
        };
        let buffer = self.func.new_buffer(BufferData::new(
            format!("{name}_lanes").into(),
            elem.clone(),
            vec![Dim::Fixed(WIDTH.to_string().into())],
            Storage::Local,
        ));
        out.push(Inst { results: Vec::new(), kind: InstKind::Alloc { buffer, fill } });
        buffer
    }

    /// A loop over the lanes; `body` gets the lane and emits.
    fn for_lanes(&mut self, out: &mut Vec<Inst>, body: &mut dyn FnMut(&mut Self, Value, &mut Vec<Inst>)) {
        let (lo, hi) = (self.int(0, out), self.int(WIDTH, out));
        let lane = self.value(Type::Int, Some("lane"));
        let mut insts = Vec::new();
        body(self, lane, &mut insts);
        out.push(for_range(lo, hi, Block { args: vec![lane], insts, ..Block::default() }));
    }

    /// A loop over the lanes that adds terms to a sum, which comes as `sum` and leaves as `end`; `values` emits what the
    /// terms are made of.
    fn in_order(
        &mut self,
        sum: Value,
        end: Value,
        terms: &[Term],
        values: &dyn Fn(&mut Self, Value, &mut Vec<Inst>) -> HashMap<Value, Value>,
        out: &mut Vec<Inst>,
    ) {
        let (lo, hi) = (self.int(0, out), self.int(WIDTH, out));
        let lane = self.value(Type::Int, Some("lane"));
        let data = self.func.value(sum).clone();
        let so_far = self.func.new_value(data.ty.clone(), data.name);
        let mut insts = Vec::new();
        let map = values(self, lane, &mut insts);
        let mut at = so_far;
        for term in terms {
            let value = *map.get(&term.value).unwrap_or(&term.value);
            at = self.op(term.op.clone(), vec![at, value], data.ty.clone(), &mut insts);
        }
        let body = Block { args: vec![lane, so_far], insts, yields: vec![at], ..Block::default() };
        let l = ForLoop { inits: vec![sum], ..plain_loop(lo, hi, body) };
        out.push(Inst { results: vec![end], kind: InstKind::For(l) });
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

    /// Of the gathering, what a store takes.
    fn needed(&self, gather: &[usize], store: usize) -> Vec<usize> {
        let mut wanted = HashSet::default();
        self.l.body.insts[store].kind.each_operand(|v| {
            wanted.insert(v);
        });
        self.closure(gather, wanted)
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
        // In here the loop has at least eight rounds: what is the same in all of them may be computed before them.
        let mut map: HashMap<Value, Value> = HashMap::default();
        self.clone_insts(&fixed, &mut map, &mut insts);

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
        let again = self.again(&lane_gather, &taken, &constants);
        taken.retain(|v| {
            !constants.contains(v) && (self.func.is_float(*v) || *self.func.ty(*v) == Type::Bool)
        });
        let computed: HashSet<Value> =
            self.plan.compute.iter().flat_map(|at| l.body.insts[*at].results.iter().copied()).collect();
        let stored: Vec<Value> = {
            let mut list = Vec::new();
            let stores = self.plan.scatter.iter().filter_map(|at| match &l.body.insts[*at].kind {
                InstKind::Store { value, .. } => Some(*value),
                _ => None,
            });
            let terms = ordered.iter().flatten().flatten().map(|term| term.value);
            for value in stores.chain(terms) {
                if computed.contains(&value) && !list.contains(&value) {
                    list.push(value);
                }
            }
            list
        };

        let name_of = |func: &Func, v: Value, other: &str| {
            func.value(v).name.as_deref().map_or_else(|| other.to_string(), ToString::to_string)
        };
        let mut arrays: HashMap<Value, Buffer> = HashMap::default();
        for (list, other) in [(&taken, "input"), (&stored, "output")] {
            for v in list {
                let (name, ty) = (name_of(self.func, *v, other), self.func.ty(*v).clone());
                let b = self.array(&name, &ty, &mut insts);
                arrays.insert(*v, b);
            }
        }
        let mut sums: Vec<Option<Buffer>> = Vec::new();
        for (arg, ordered) in l.body.args[1..].iter().zip(&ordered) {
            if ordered.is_some() {
                sums.push(None);
                continue;
            }
            let (name, ty) = (name_of(self.func, *arg, "sum"), self.func.ty(*arg).clone());
            sums.push(Some(self.array(&name, &ty, &mut insts)));
        }

        // Blocks.
        let rounds = self.op(Op::Sub, vec![l.hi, l.lo], Type::Int, &mut insts);
        let width = self.int(WIDTH, &mut insts);
        let blocks = self.op(Op::Div, vec![rounds, width], Type::Int, &mut insts);
        let zero = self.int(0, &mut insts);
        let block = self.value(Type::Int, Some("block"));
        let mut in_block = Vec::new();
        let offset = self.op(Op::Mul, vec![block, width], Type::Int, &mut in_block);
        let start = self.op(Op::Add, vec![l.lo, offset], Type::Int, &mut in_block);
        let (gather, compute, scatter) =
            (lane_gather.clone(), self.plan.compute.clone(), self.plan.scatter.clone());
        self.for_lanes(&mut in_block, &mut |this, lane, out| {
            let mut map = map.clone();
            let i = this.op(Op::Add, vec![start, lane], Type::Int, out);
            map.insert(l.body.args[0], i);
            this.clone_insts(&gather, &mut map, out);
            for v in &taken {
                out.push(set(arrays[v], lane, map[v]));
            }
        });
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
        // One loop for each place that is added to: lanes that go to neighbouring places are added all at once.
        for store in &scatter {
            let needed = self.needed(&lane_gather, *store);
            self.for_lanes(&mut in_block, &mut |this, lane, out| {
                let mut map = map.clone();
                let i = this.op(Op::Add, vec![start, lane], Type::Int, out);
                map.insert(l.body.args[0], i);
                this.clone_insts(&needed, &mut map, out);
                if let InstKind::Store { value, .. } = &l.body.insts[*store].kind
                    && let Some(array) = arrays.get(value).filter(|_| stored.contains(value))
                {
                    let loaded = this.load(*array, lane, *value, out);
                    map.insert(*value, loaded);
                }
                this.clone_insts(&[*store], &mut map, out);
            });
        }
        // Sums whose order matters: lane after lane.
        let (mut args, mut inits, mut yields, mut values) = (vec![block], Vec::new(), Vec::new(), Vec::new());
        for (k, terms) in ordered.iter().enumerate() {
            let Some(terms) = terms else {
                values.push(None);
                continue;
            };
            let [sum, end, total] = [(); 3].map(|()| {
                let data = self.func.value(l.body.args[k + 1]).clone();
                self.func.new_value(data.ty, data.name)
            });
            let wanted = terms.iter().map(|t| t.value).collect();
            let needed = self.closure(&lane_gather, wanted);
            let values_of = |this: &mut Self, lane: Value, out: &mut Vec<Inst>| {
                let mut map = map.clone();
                let i = this.op(Op::Add, vec![start, lane], Type::Int, out);
                map.insert(l.body.args[0], i);
                this.clone_insts(&needed, &mut map, out);
                for v in &stored {
                    if terms.iter().any(|t| t.value == *v) {
                        let loaded = this.load(arrays[v], lane, *v, out);
                        map.insert(*v, loaded);
                    }
                }
                map
            };
            self.in_order(sum, end, terms, &values_of, &mut in_block);
            args.push(sum);
            inits.push(l.inits[k]);
            yields.push(end);
            values.push(Some(total));
        }
        let totals_in_order: Vec<Value> = values.iter().flatten().copied().collect();
        let blocks_loop = ForLoop {
            inits,
            ..plain_loop(zero, blocks, Block { args, insts: in_block, yields, ..Block::default() })
        };
        insts.push(Inst { results: totals_in_order, kind: InstKind::For(blocks_loop) });

        let mut totals = Vec::new();
        for ((init, so_far), b) in l.inits.iter().zip(&values).zip(&sums) {
            let mut sum = so_far.unwrap_or(*init);
            if let Some(b) = b {
                for lane in 0..WIDTH {
                    let index = self.int(lane, &mut insts);
                    let part = self.load(*b, index, *init, &mut insts);
                    let ty = self.func.ty(sum).clone();
                    sum = self.op(Op::Add, vec![sum, part], ty, &mut insts);
                }
            }
            totals.push(sum);
        }
        let done = self.op(Op::Mul, vec![blocks, width], Type::Int, &mut insts);
        totals.push(self.op(Op::Add, vec![l.lo, done], Type::Int, &mut insts));

        // A loop that is too short for a block makes no arrays.
        let mut out = std::mem::take(&mut self.out);
        let width = self.int(WIDTH, &mut out);
        let first = self.op(Op::Add, vec![l.lo, width], Type::Int, &mut out);
        let cond = self.op(Op::Cmp(Cmp::Le), vec![first, l.hi], Type::Bool, &mut out);
        let then_block = Block { insts, yields: totals, ..Block::default() };
        let mut yields = l.inits.clone();
        yields.push(l.lo);
        let else_block = Block { yields, ..Block::default() };
        let starts: Vec<Value> = results.iter().map(|r| self.value(self.func.ty(*r).clone(), None)).collect();
        let from = self.value(Type::Int, None);
        let so_far = starts.iter().copied().chain([from]).collect();
        out.push(Inst { results: so_far, kind: InstKind::If { cond, then_block, else_block } });
        // The rounds that are left.
        let rest = ForLoop { lo: from, inits: starts, ..l.clone() };
        out.push(Inst { results: results.to_vec(), kind: InstKind::For(rest) });
        out
    }

    fn load(&mut self, buffer: Buffer, lane: Value, like: Value, out: &mut Vec<Inst>) -> Value {
        let data = self.func.value(like).clone();
        let v = self.func.new_value(data.ty, data.name);
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
    ForLoop { lo, hi, inclusive: false, rev: false, step: None, flipped: false, inits: Vec::new(), body }
}
