//! The first and the last rounds of a loop that are unlike the others stand before and behind it.
//!
//! ```text
//! for i in 0..n { .. x[(i + 1) % n] .. }      becomes      for i in 0..n - min(n, 1) { .. x[i + 1] .. }
//!                                                          if 1 <= n { i = n - 1;  .. x[(i + 1) % n] .. }
//! ```
//!
//! So places that wrap around, and branches at an edge (`if i > 0`, `if i + 1 == n`), leave the loop: its rounds are a stencil, of
//! which the passes that come later make what they make of stencils, and LLVM vector code. All rounds run in the order in which
//! they did, and in those that are taken out everything is asked that was asked.
//!
//! In innermost loops over `lo..hi`, up to four rounds, where what is compared, or divided, is the loop's variable and the loop's end,
//! with numbers added to them.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::round::Round;
use crate::analysis::definitions::{Definitions, base, definitions, literal};
use crate::analysis::sizes::sizes;
use crate::ir::{Binary, Block, Cmp, ForLoop, Func, Inst, InstKind, Op, Type, Value};

/// More rounds are not taken out.
const ROUNDS: i64 = 4;
/// Nor more instructions.
const LARGEST: i64 = 256;
/// Loops of so many rounds LLVM writes out.
const SHORT: u64 = 16;

/// Runs the pass.
pub(crate) fn edges(mut func: Func) -> Func {
    let defs = definitions(&func);
    let mut asked = false;
    func.body.visit(&mut |inst| {
        asked |= matches!(&inst.kind, InstKind::Pure(Op::Rem | Op::Cmp(_), args) if *func.ty(args[0]) == Type::Int);
    });
    if !asked {
        return func;
    }
    let sizes = sizes(&func);
    let mut body = std::mem::take(&mut func.body);
    let mut edges = Edges { func: &mut func, defs: &defs, sizes, same: HashMap::default() };
    edges.block(&mut body);
    let same = edges.same;
    func.body = body;
    func.replace_values(&same);
    func
}

struct Edges<'a> {
    func: &'a mut Func,
    defs: &'a Definitions,
    sizes: HashSet<Value>,
    /// What the loops that are gone have come to.
    same: HashMap<Value, Value>,
}

/// What is known of the rounds between the edges.
#[derive(Default)]
struct Plan {
    /// Rounds of the variable below this one are taken out: these.
    down: i64,
    first: Vec<i64>,
    /// So many rounds at the end are taken out.
    up: i64,
    /// What values of the body are there.
    settled: HashMap<Value, Settled>,
}

#[derive(Clone, Copy)]
enum Settled {
    Truth(bool),
    /// The variable, and a number.
    Place(i64),
}

/// `i` times the first, and the end times the second, and the third.
type Affine = (i64, i64, i64);

impl Edges<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            inst.kind.blocks_mut().for_each(|nested| self.block(nested));
            match inst.kind {
                InstKind::For(l) => match self.plan(&l) {
                    Some(plan) => self.write(inst.results, l, &plan, &mut insts),
                    None => insts.push(Inst { results: inst.results, kind: InstKind::For(l) }),
                },
                _ => insts.push(inst),
            }
        }
        block.insts = insts;
    }

    fn plan(&self, l: &ForLoop) -> Option<Plan> {
        let i = l.body.args[0];
        let is_short = literal(self.defs, l.hi).is_some_and(|hi| hi <= SHORT);
        if l.inclusive || l.step.is_some() || l.body.diverges || is_short || !self.sizes.contains(&i) {
            return None;
        }
        let (end, of_end) = base(self.defs, l.hi);
        let (mut plan, mut size, mut whole) = (Plan::default(), 0, of_end > 0);
        l.body.visit(&mut |inst| {
            size += 1;
            // What one loop pushes another one pops: both have their rounds in one way.
            whole |= matches!(
                inst.kind,
                InstKind::For(_)
                    | InstKind::While { .. }
                    | InstKind::Push { .. }
                    | InstKind::Pop { .. }
                    | InstKind::PushBuffer { .. }
                    | InstKind::PopBuffer { .. }
            );
            let InstKind::Pure(op, args) = &inst.kind else { return };
            let mut asked = Asked { defs: self.defs, i, end, of_end, down: 0, up: 0 };
            let settled = match op {
                Op::Rem if args[1] == end || asked.affine(args[1], 0) == Some((0, 1, 0)) => {
                    asked.place(args[0])
                }
                Op::Cmp(cmp) => asked.truth(*cmp, args[0], args[1]).map(Settled::Truth),
                _ => None,
            };
            if let Some(settled) = settled
                && asked.down <= ROUNDS
                && asked.up <= ROUNDS
            {
                plan.down = plan.down.max(asked.down);
                plan.up = plan.up.max(asked.up);
                plan.settled.insert(inst.results[0], settled);
            }
        });
        if whole || plan.settled.is_empty() {
            return None;
        }
        let lo = literal(self.defs, l.lo).and_then(|lo| i64::try_from(lo).ok());
        plan.first = match lo {
            Some(lo) => (lo..plan.down).collect(),
            None if plan.down == 0 => Vec::new(),
            None => return None,
        };
        let rounds = lo.map_or(0, |lo| (plan.down - lo).max(0)) + plan.up;
        (rounds <= ROUNDS && rounds * size <= LARGEST).then_some(plan)
    }

    fn write(&mut self, results: Vec<Value>, l: ForLoop, plan: &Plan, out: &mut Vec<Inst>) {
        let start = if plan.first.is_empty() {
            l.lo
        } else {
            let down = self.int(plan.down, out);
            self.op(Op::Binary(Binary::Min), vec![l.hi, down], Type::Int, out)
        };
        let stop = if plan.up == 0 {
            l.hi
        } else {
            let up = self.int(plan.up, out);
            let up = self.op(Op::Binary(Binary::Min), vec![l.hi, up], Type::Int, out);
            self.op(Op::Sub, vec![l.hi, up], Type::Int, out)
        };
        let mut carried = l.inits.clone();
        let ascends = l.rev == l.flipped;
        let mut before: Vec<Edge> = plan.first.iter().copied().map(Edge::At).collect();
        let mut behind: Vec<Edge> = (1..=plan.up).rev().map(|k| Edge::FromEnd(k, start)).collect();
        if !ascends {
            std::mem::swap(&mut before, &mut behind);
            before.reverse();
            behind.reverse();
        }
        for edge in before {
            carried = self.edge(&l, edge, carried, out);
        }
        carried = self.middle(&l, plan, (start, stop), carried, out);
        for edge in behind {
            carried = self.edge(&l, edge, carried, out);
        }
        self.same.extend(results.into_iter().zip(carried));
    }

    /// A round that is taken out: it runs if the loop had it.
    fn edge(&mut self, l: &ForLoop, edge: Edge, carried: Vec<Value>, out: &mut Vec<Inst>) -> Vec<Value> {
        let i = l.body.args[0];
        let mut then_block = Block::default();
        let (cond, at) = match edge {
            Edge::At(at) => {
                let at = self.int(at, out);
                (self.op(Op::Cmp(Cmp::Lt), vec![at, l.hi], Type::Bool, out), at)
            }
            Edge::FromEnd(k, start) => {
                let k = self.int(k, out);
                let needed = self.op(Op::Add, vec![start, k], Type::Int, out);
                let cond = self.op(Op::Cmp(Cmp::Le), vec![needed, l.hi], Type::Bool, out);
                (cond, self.op(Op::Sub, vec![l.hi, k], Type::Int, &mut then_block.insts))
            }
        };
        let none = HashMap::default();
        let mut round = Round::new(self.func, &none);
        round.values.insert(i, at);
        round.values.extend(l.body.args[1..].iter().copied().zip(carried.iter().copied()));
        then_block.insts.extend(l.body.insts.iter().map(|inst| round.inst(inst)));
        then_block.yields = l.body.yields.iter().map(|y| round.value(*y)).collect();
        let else_block = Block { yields: carried.clone(), ..Block::default() };
        let results = self.results(l);
        out.push(Inst { results: results.clone(), kind: InstKind::If { cond, then_block, else_block } });
        results
    }

    /// The rounds between the edges: the loop's own body.
    fn middle(
        &mut self,
        l: &ForLoop,
        plan: &Plan,
        (lo, hi): (Value, Value),
        carried: Vec<Value>,
        out: &mut Vec<Inst>,
    ) -> Vec<Value> {
        let mut middle = ForLoop { lo, hi, inits: carried, ..l.clone() };
        let i = middle.body.args[0];
        self.settle(&mut middle.body, &plan.settled, i);
        let results = self.results(l);
        out.push(Inst { results: results.clone(), kind: InstKind::For(middle) });
        results
    }

    /// New values like those that a loop carries.
    fn results(&mut self, l: &ForLoop) -> Vec<Value> {
        l.body.args[1..].iter().map(|arg| self.func.like(*arg)).collect()
    }

    fn settle(&mut self, block: &mut Block, settled: &HashMap<Value, Settled>, i: Value) {
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            inst.kind.blocks_mut().for_each(|nested| self.settle(nested, settled, i));
            if let Some(settled) = inst.results.first().and_then(|r| settled.get(r)) {
                inst.kind = match *settled {
                    Settled::Truth(holds) => InstKind::Pure(Op::Bool(holds), Vec::new()),
                    Settled::Place(c) => {
                        let distance = self.int(c.abs(), &mut insts);
                        InstKind::Pure(if c < 0 { Op::Sub } else { Op::Add }, vec![i, distance])
                    }
                };
            }
            insts.push(inst);
        }
        block.insts = insts;
    }

    fn int(&mut self, n: i64, out: &mut Vec<Inst>) -> Value {
        self.op(Op::Int(format!("{n}_usize").into()), Vec::new(), Type::Int, out)
    }

    fn op(&mut self, op: Op, args: Vec<Value>, ty: Type, out: &mut Vec<Inst>) -> Value {
        let result = self.func.new_value(ty, None);
        out.push(Inst { results: vec![result], kind: InstKind::Pure(op, args) });
        result
    }
}

/// A round that is taken out.
enum Edge {
    /// Of this number.
    At(i64),
    /// So many before the end, where the loop begins at a value.
    FromEnd(i64, Value),
}

/// What is asked of a loop's variable, and from which round on, and up to which, the answer is one.
struct Asked<'a> {
    defs: &'a Definitions,
    i: Value,
    /// The loop ends at this value and the number together; the number is not above zero.
    end: Value,
    of_end: i64,
    down: i64,
    up: i64,
}

impl Asked<'_> {
    /// Up to the end less so much.
    fn below_end(&mut self, less: i64) {
        self.up = self.up.max(less + self.of_end);
    }

    /// What an integer is made of. That nothing on the way falls below zero holds where no round is at an edge.
    fn affine(&mut self, v: Value, depth: usize) -> Option<Affine> {
        if v == self.i {
            return Some((1, 0, 0));
        }
        if v == self.end {
            return Some((0, 1, 0));
        }
        if let Some(n) = literal(self.defs, v) {
            return Some((0, 0, i64::try_from(n).ok().filter(|n| *n < 1 << 32)?));
        }
        let (op, args) = self.defs.get(&v).filter(|_| depth < 6)?;
        let sign = match op {
            Op::Add => 1,
            Op::Sub => -1,
            _ => return None,
        };
        let (a, b) = (self.affine(args[0], depth + 1)?, self.affine(args[1], depth + 1)?);
        let sum = (a.0 + sign * b.0, a.1 + sign * b.1, a.2 + sign * b.2);
        match sum {
            (1, 0 | 1, c) => self.down = self.down.max(-c),
            (0 | -1, 1, c) if c < 0 => self.below_end(-c),
            (0 | -1, 1, _) | (0, 0, 0..) => {}
            _ => return None,
        }
        Some(sum)
    }

    /// What a value that wraps around at the end is, in terms of the variable.
    fn place(&mut self, v: Value) -> Option<Settled> {
        match self.affine(v, 0)? {
            (1, 0, c @ 0..) | (1, 1, c) => {
                self.below_end(c);
                Some(Settled::Place(c))
            }
            _ => None,
        }
    }

    /// What a comparison says between the edges.
    fn truth(&mut self, cmp: Cmp, a: Value, b: Value) -> Option<bool> {
        let (a, b) = (self.affine(a, 0)?, self.affine(b, 0)?);
        // i ? times · end + c
        let (of_i, times, c) = (a.0 - b.0, b.1 - a.1, b.2 - a.2);
        let (cmp, times, c) = match of_i {
            1 => (cmp, times, c),
            -1 => (turned(cmp), -times, -c),
            _ => return None,
        };
        match times {
            // i is larger from c + 1 on, and at least c from c on.
            0 => {
                let (down, truth) = match cmp {
                    Cmp::Eq => (c + 1, false),
                    Cmp::Ne => (c + 1, true),
                    Cmp::Lt => (c, false),
                    Cmp::Le => (c + 1, false),
                    Cmp::Gt => (c + 1, true),
                    Cmp::Ge => (c, true),
                };
                self.down = self.down.max(down);
                Some(truth)
            }
            // i is less before end + c, and at most that before end + c + 1.
            1 => {
                let (less, truth) = match cmp {
                    Cmp::Eq => (-c, false),
                    Cmp::Ne => (-c, true),
                    Cmp::Lt => (-c, true),
                    Cmp::Le => (-c - 1, true),
                    Cmp::Gt => (-c - 1, false),
                    Cmp::Ge => (-c, false),
                };
                self.below_end(less);
                Some(truth)
            }
            _ => None,
        }
    }
}

/// The comparison with its sides exchanged.
fn turned(cmp: Cmp) -> Cmp {
    match cmp {
        Cmp::Eq | Cmp::Ne => cmp,
        Cmp::Lt => Cmp::Gt,
        Cmp::Le => Cmp::Ge,
        Cmp::Gt => Cmp::Lt,
        Cmp::Ge => Cmp::Le,
    }
}
