//! Sums of light loops, split into eight that do not wait for each other.
//!
//! `for i in lo..hi carrying s { s += x[i] * y[i] }` takes the latency of an addition for each round, since LLVM may not
//! reorder sums. Where a sum belongs to a derivative alone nobody has promised its order:
//!
//! ```text
//! for block in 0..(hi - lo) / 8 { for lane in 0..8 { s_lanes[lane] += x[..] * y[..] } }
//! s += (the lanes of s_lanes in pairs)
//! for i in (those that are left) { s += x[i] * y[i] }
//! ```
//!
//! Conditions: those of the parent module, but a round may load what it then overwrites; what is loaded and stored lies side by side (and nothing is stored where a call into
//! libm takes longer than the sum); no sum belongs to the
//! function's own value (its chain of additions would take as long as before); the bounds are not those of a triangle, whose
//! rows are short. All rounds of a short loop are left.

use rustc_hash::FxHashMap as HashMap;

use super::{Widen, for_range, set};
use crate::ir::{Block, Buffer, Cmp, ForLoop, Inst, InstKind, Op, Type, Value};

/// How many sums run side by side.
const LANES: usize = 8;
/// From how many rounds on a loop is split.
pub(super) const FEWEST: usize = 2 * LANES;

impl Widen<'_> {
    /// Whether this is such a loop.
    pub(super) fn is_light_sum(&self) -> bool {
        let plan = &self.plan;
        let (_, varying) = self.invariant();
        let in_place = varying.iter().all(|at| match &self.l.body.insts[*at].kind {
            InstKind::Load { .. } => plan.direct.contains(at),
            _ => true,
        });
        in_place
            && plan.scatter.iter().all(|at| plan.direct.contains(at))
            && (plan.scatter.is_empty() || !self.calls())
            && !plan.ordered.is_empty()
            && plan.ordered.iter().all(Option::is_none)
    }

    /// The loop, split.
    pub(super) fn split_sums(mut self, results: &[Value], fewest: usize) -> Vec<Inst> {
        let l = self.l;
        let mut insts = Vec::new();
        let (fixed, varying) = self.invariant();
        let mut map: HashMap<Value, Value> = HashMap::default();
        self.clone_insts(&fixed, &mut map, &mut insts);
        let mut sums = Vec::new();
        for arg in &l.body.args[1..] {
            let data = self.func.value(*arg).clone();
            let name = data.name.as_deref().unwrap_or("sum").to_string();
            let sum = self.array_of(&name, &data.ty, LANES, &mut insts);
            sums.push(sum);
        }

        let rounds = self.op(Op::Sub, vec![l.hi, l.lo], Type::Int, &mut insts);
        let [zero, lanes] = [0, LANES].map(|n| self.int(n, &mut insts));
        let blocks = self.op(Op::Div, vec![rounds, lanes], Type::Int, &mut insts);
        let block = self.value(Type::Int, Some("block"));
        let mut in_block = Vec::new();
        let offset = self.op(Op::Mul, vec![block, lanes], Type::Int, &mut in_block);
        let start = self.op(Op::Add, vec![l.lo, offset], Type::Int, &mut in_block);
        let [from, to] = [0, LANES].map(|n| self.int(n, &mut in_block));
        let lane = self.value(Type::Int, Some("lane"));
        let mut in_lane = Vec::new();
        let i = self.op(Op::Add, vec![start, lane], Type::Int, &mut in_lane);
        self.round(i, lane, &sums, &varying, &map, &mut in_lane);
        in_block.push(for_range(from, to, Block { args: vec![lane], insts: in_lane, ..Block::default() }));
        insts.push(for_range(zero, blocks, Block { args: vec![block], insts: in_block, ..Block::default() }));

        // The few rounds that are left go on from there, one after the other, as all the rounds of a short loop do.
        let done = self.op(Op::Mul, vec![blocks, lanes], Type::Int, &mut insts);
        let from = self.op(Op::Add, vec![l.lo, done], Type::Int, &mut insts);
        let mut yields = vec![from];
        for (init, sum) in l.inits.iter().zip(sums) {
            let total = self.sum_of_lanes(sum, *init, &mut insts);
            let ty = self.func.ty(*init).clone();
            yields.push(self.op(Op::Add, vec![*init, total], ty, &mut insts));
        }

        let mut out = Vec::new();
        let fewest = self.int(fewest, &mut out);
        let first = self.op(Op::Add, vec![l.lo, fewest], Type::Int, &mut out);
        let cond = self.op(Op::Cmp(Cmp::Le), vec![first, l.hi], Type::Bool, &mut out);
        let then_block = Block { insts, yields, ..Block::default() };
        let else_block = Block { yields: [&[l.lo], &*l.inits].concat(), ..Block::default() };
        let lo = self.value(Type::Int, Some("from"));
        let inits = self.like_all(&l.body.args[1..]);
        let so_far = [&[lo], &*inits].concat();
        out.push(Inst { results: so_far, kind: InstKind::If { cond, then_block, else_block } });
        let rest = ForLoop { lo, inits, ..l.clone() };
        out.push(Inst { results: results.to_vec(), kind: InstKind::For(rest) });
        out
    }

    /// Round `i`, whose sums are in a lane of these arrays.
    fn round(
        &mut self,
        i: Value,
        lane: Value,
        sums: &[Buffer],
        varying: &[usize],
        map: &HashMap<Value, Value>,
        out: &mut Vec<Inst>,
    ) {
        let l = self.l;
        let mut here = map.clone();
        here.insert(l.body.args[0], i);
        for (arg, sum) in l.body.args[1..].iter().zip(sums) {
            let loaded = self.load(*sum, lane, *arg, out);
            here.insert(*arg, loaded);
        }
        self.clone_insts(varying, &mut here, out);
        let mut compute: Vec<usize> = self.plan.compute.iter().chain(&self.plan.late).copied().collect();
        compute.sort_unstable();
        let stores = self.plan.scatter.clone();
        self.clone_insts(&compute, &mut here, out);
        self.clone_insts(&stores, &mut here, out);
        for (y, sum) in l.body.yields.iter().zip(sums) {
            out.push(set(*sum, lane, here[y]));
        }
    }

    fn like_all(&mut self, list: &[Value]) -> Vec<Value> {
        let like = |v: &Value| self.func.value(*v).clone();
        let all: Vec<_> = list.iter().map(like).collect();
        all.into_iter().map(|data| self.func.new_value(data.ty, data.name)).collect()
    }

    /// The lanes of a sum, added up in pairs.
    fn sum_of_lanes(&mut self, sum: Buffer, like: Value, out: &mut Vec<Inst>) -> Value {
        let ty = self.func.ty(like).clone();
        let mut parts = Vec::new();
        for lane in 0..LANES {
            let index = self.int(lane, out);
            parts.push(self.load(sum, index, like, out));
        }
        while parts.len() > 1 {
            let half = parts.len() / 2;
            parts = (0..half)
                .map(|k| self.op(Op::Add, vec![parts[k], parts[k + half]], ty.clone(), out))
                .collect();
        }
        parts[0]
    }
}
