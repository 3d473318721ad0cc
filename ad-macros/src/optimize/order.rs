//! The terms of a derivative's sums are put into one order, and signs into the sums.
//!
//! ```text
//! p = -q;  z * c + p * x + r * y  and  s * x + y * c + (-r) * w    become
//! z * c + r * y - q * x           and  y * c + s * x - r * w
//! ```
//!
//! The reverse sweep adds up what an adjoint is in the order in which the function's uses come, which for the three places of a point
//! that is turned are three different ones; LLVM computes two such sums at once only if their terms are of the same forms in the same
//! places. First come the terms that are added, then those that are subtracted, of each the one first whose factors are known
//! first: that is the same for sums that mean the same.
//!
//! Only sums that belong to a derivative alone ([`crate::ir::func::ValueData::free`]). What a place of memory or a round before is added
//! to stays outside: that is one addition to what was there. And loops that carry a state are left as they are: there each round
//! waits for the longest chain of operations of the one before, which the order of the sweep keeps short.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::terms::{Written, consumers};
use crate::analysis::activity::{self, Activity};
use crate::ir::{Block, Func, Inst, InstKind, Op, Value};

/// Runs the pass.
pub(crate) fn order(mut func: Func) -> Func {
    if !func.values.iter().any(|v| v.free) {
        return func;
    }
    let (promised, consumers) = (activity::promised(&func), consumers(&func));
    let mut known = Known {
        at: vec![0; func.values.len()],
        state: HashSet::default(),
        negated: HashMap::default(),
        from: HashSet::default(),
    };
    known.block(&func, &func.body, false, &mut 0);
    let mut body = std::mem::take(&mut func.body);
    let mut pass = Pass { func: &mut func, promised, consumers, known };
    let mut asked = HashMap::default();
    pass.ask(&body, &mut asked);
    let consumers = &pass.consumers;
    pass.known.negated.retain(|v, _| asked.get(v) == Some(&consumers[v.0 as usize]));
    pass.block(&mut body);
    func.body = body;
    func
}

/// What is known of values.
struct Known {
    /// When each is computed.
    at: Vec<u32>,
    /// Of which value each is the negative, where nobody needs the negative but sums, which can do without.
    negated: HashMap<Value, Value>,
    /// What comes from memory, or from the round before.
    from: HashSet<Value>,
    /// What is computed in a loop that carries a state.
    state: HashSet<Value>,
}

impl Known {
    fn block(&mut self, func: &Func, block: &Block, in_state: bool, now: &mut u32) {
        self.from.extend(&block.args);
        for inst in &block.insts {
            match &inst.kind {
                InstKind::Pure(Op::Neg, args) => drop(self.negated.insert(inst.results[0], args[0])),
                InstKind::Load { .. } => self.from.extend(&inst.results),
                _ => {}
            }
            let in_state = match &inst.kind {
                InstKind::For(l) => carries_state(func, &l.body),
                InstKind::While { body, .. } => carries_state(func, body),
                _ => in_state,
            };
            inst.kind.blocks().for_each(|nested| self.block(func, nested, in_state, now));
            for result in &inst.results {
                *now += 1;
                self.at[result.0 as usize] = *now;
            }
            if in_state {
                self.state.extend(&inst.results);
            }
        }
    }
}

/// Whether a loop carries floats with which it does more than add to them.
fn carries_state(func: &Func, body: &Block) -> bool {
    let mut carried = body.args.iter().copied().filter(|a| func.is_float(*a)).collect();
    !is_sum_only(func, body, &mut carried)
}

/// Whether what follows from what is carried is only added up, in a block. `carried` comes to hold all that follows.
fn is_sum_only(func: &Func, block: &Block, carried: &mut HashSet<Value>) -> bool {
    block.insts.iter().all(|inst| {
        let mut follows = false;
        inst.kind.each_operand(|v| follows |= carried.contains(&v));
        let is_plain = match &inst.kind {
            InstKind::Pure(op, _) => matches!(op, Op::Add | Op::Sub | Op::Neg | Op::Select),
            InstKind::Call(_) => false,
            _ => true,
        };
        for nested in inst.kind.blocks().filter(|_| follows) {
            carried.extend(nested.args.iter().filter(|a| func.is_float(**a)));
        }
        let goes_on = inst.kind.blocks().all(|nested| is_sum_only(func, nested, carried));
        for nested in inst.kind.blocks() {
            let ends = inst.results.iter().zip(&nested.yields);
            let ends: Vec<Value> = ends.filter(|(_, end)| carried.contains(end)).map(|(r, _)| *r).collect();
            carried.extend(ends);
        }
        if follows && !inst.kind.has_blocks() {
            carried.extend(&inst.results);
        }
        goes_on && (is_plain || !follows)
    })
}

/// What is added or subtracted.
struct Term {
    is_subtracted: bool,
    value: Value,
    /// When its last factor is known.
    known: u32,
}

struct Pass<'a> {
    func: &'a mut Func,
    /// What is rounded as the user's function rounds it.
    promised: Activity,
    consumers: Vec<u32>,
    known: Known,
}

/// The arithmetic of one block, by result.
type Arithmetic = HashMap<Value, (Op, Vec<Value>)>;

impl Pass<'_> {
    /// Counts how many instructions could do with a value in place of its negative.
    fn ask(&self, block: &Block, asked: &mut HashMap<Value, u32>) {
        let here = self.arithmetic(block);
        let inner = self.inner(&here);
        for (sum, _) in here.iter().filter(|(v, _)| self.is_sum(&here, **v) && !inner.contains(v)) {
            let mut terms = Vec::new();
            self.terms(&here, *sum, false, &mut terms);
            if terms.len() > 1 {
                terms
                    .iter()
                    .filter_map(|t| self.negative(&here, t.value))
                    .for_each(|v| *asked.entry(v).or_default() += 1);
            }
        }
        for nested in block.insts.iter().flat_map(|inst| inst.kind.blocks()) {
            self.ask(nested, asked);
        }
    }

    fn arithmetic(&self, block: &Block) -> Arithmetic {
        let mut here = Arithmetic::default();
        for inst in &block.insts {
            if let InstKind::Pure(op @ (Op::Add | Op::Sub | Op::Neg | Op::Mul), args) = &inst.kind
                && self.is_free(inst.results[0])
            {
                here.insert(inst.results[0], (op.clone(), args.clone()));
            }
        }
        here
    }

    /// Sums that are only part of another one.
    fn inner(&self, here: &Arithmetic) -> HashSet<Value> {
        here.keys().flat_map(|v| self.summed(here, *v)).collect()
    }

    fn block(&mut self, block: &mut Block) {
        let here = self.arithmetic(block);
        let inner = self.inner(&here);
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            for nested in inst.kind.blocks_mut() {
                self.block(nested);
            }
            let sum = inst.results.first().filter(|r| self.is_sum(&here, **r) && !inner.contains(r));
            if let Some(sum) = sum.copied() {
                let mut terms = Vec::new();
                self.terms(&here, sum, false, &mut terms);
                if terms.len() > 1 {
                    for term in &mut terms {
                        if let Some(negative) = self.negative(&here, term.value) {
                            term.value = self.without(&here, term.value, negative, &mut insts);
                            term.is_subtracted ^= true;
                        }
                    }
                    inst.kind = self.written(sum, terms, &mut insts);
                }
            }
            insts.push(inst);
        }
        block.insts = insts;
    }

    fn is_free(&self, v: Value) -> bool {
        // Values that this pass makes stand for sums that are written already.
        (v.0 as usize) < self.consumers.len()
            && self.func.value(v).free
            && self.func.is_float(v)
            && !self.promised.value(v)
    }

    /// A sum, a difference or a sign, and nothing of it what is added to.
    fn is_sum(&self, here: &Arithmetic, v: Value) -> bool {
        !self.known.state.contains(&v)
            && here.get(&v).is_some_and(|(op, args)| {
                !matches!(op, Op::Mul) && !args.iter().any(|a| self.known.from.contains(a))
            })
    }

    /// What of a sum's operands are sums that are nobody else's.
    fn summed(&self, here: &Arithmetic, sum: Value) -> Vec<Value> {
        let args = match here.get(&sum) {
            Some((_, args)) if self.is_sum(here, sum) => args,
            _ => return Vec::new(),
        };
        let twice = args.len() == 2 && args[0] == args[1];
        let is_inner = |a: &Value| !twice && self.consumers[a.0 as usize] == 1 && self.is_sum(here, *a);
        args.iter().copied().filter(is_inner).collect()
    }

    fn terms(&self, here: &Arithmetic, sum: Value, is_subtracted: bool, terms: &mut Vec<Term>) {
        let Some((op, args)) = here.get(&sum) else { return };
        let inner = self.summed(here, sum);
        for (k, a) in args.iter().enumerate() {
            let is_subtracted = is_subtracted != (matches!(op, Op::Neg) || matches!(op, Op::Sub) && k == 1);
            if inner.contains(a) {
                self.terms(here, *a, is_subtracted, terms);
            } else {
                terms.push(Term { is_subtracted, value: *a, known: self.known(here, *a) });
            }
        }
    }

    /// When the last factor of a product is known.
    fn known(&self, here: &Arithmetic, v: Value) -> u32 {
        match here.get(&v) {
            Some((Op::Mul, args)) if self.consumers[v.0 as usize] == 1 => {
                args.iter().map(|a| self.known(here, *a)).max().unwrap_or_default()
            }
            _ => self.known.at[v.0 as usize],
        }
    }

    /// The negative that a term is, or that is one of its factors.
    fn negative(&self, here: &Arithmetic, v: Value) -> Option<Value> {
        if self.known.negated.contains_key(&v) {
            return Some(v);
        }
        match here.get(&v) {
            Some((Op::Mul, args)) if self.consumers[v.0 as usize] == 1 && args[0] != args[1] => {
                args.iter().find_map(|a| self.negative(here, *a))
            }
            _ => None,
        }
    }

    /// A term with the sign of one of its factors taken out.
    fn without(&mut self, here: &Arithmetic, v: Value, negative: Value, out: &mut Vec<Inst>) -> Value {
        if v == negative {
            return self.known.negated[&v];
        }
        let Some((op, args)) = here.get(&v) else { return v };
        let mut args = args.clone();
        let at = usize::from(self.negative(here, args[0]) != Some(negative));
        args[at] = self.without(here, args[at], negative, out);
        let product = self.func.like(v);
        out.push(Inst { results: vec![product], kind: InstKind::Pure(op.clone(), args) });
        product
    }

    /// A sum in order. The last operation of it is given back.
    fn written(&mut self, sum: Value, mut terms: Vec<Term>, out: &mut Vec<Inst>) -> InstKind {
        terms.sort_by_key(|t| (t.is_subtracted, t.known));
        // Then all are.
        let is_negative = terms[0].is_subtracted;
        let ty = self.func.ty(sum).clone();
        let mut to = Written::new(self.func, ty);
        let mut so_far = terms[0].value;
        for term in &terms[1..] {
            let op = if term.is_subtracted && !is_negative { Op::Sub } else { Op::Add };
            so_far = to.op(op, vec![so_far, term.value]);
        }
        to.scale(if is_negative { -1.0 } else { 1.0 }, so_far);
        let last = to.out.pop();
        out.append(&mut to.out);
        last.map_or(InstKind::Pure(Op::Neg, vec![so_far]), |inst| inst.kind)
    }
}
