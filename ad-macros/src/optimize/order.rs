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
//! to stays outside: that is one addition to what was there. And what follows from what a loop carries is left as it is: there the next
//! round waits for the longest chain of operations, which the order of the sweep keeps short.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::terms::consumers;
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
        state: vec![(0, false); func.values.len()],
        negated: HashMap::default(),
        from: HashSet::default(),
    };
    known.block(&func.body, 0, &mut 0);
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
    /// In which loop, and whether it follows from what that loop carries.
    state: Vec<(u32, bool)>,
    /// Of which value each is the negative, where nobody needs the negative but sums, which can do without.
    negated: HashMap<Value, Value>,
    /// What comes from memory, or from the round before.
    from: HashSet<Value>,
}

impl Known {
    /// What stands in a block of a loop, which is known by the moment at which it starts.
    fn block(&mut self, block: &Block, within: u32, now: &mut u32) {
        self.from.extend(&block.args);
        for inst in &block.insts {
            let mut follows = false;
            inst.kind.each_operand(|v| follows |= self.follows(within, v));
            match &inst.kind {
                InstKind::Pure(Op::Neg, args) => drop(self.negated.insert(inst.results[0], args[0])),
                InstKind::Load { .. } => self.from.extend(&inst.results),
                _ => {}
            }
            let is_loop = matches!(inst.kind, InstKind::For(_) | InstKind::While { .. });
            for nested in inst.kind.blocks() {
                *now += 1;
                let inside = if is_loop { *now } else { within };
                nested.args.iter().for_each(|a| self.note(*a, (inside, true), now));
                if let (InstKind::For(_), Some(variable)) = (&inst.kind, nested.args.first()) {
                    self.note(*variable, (inside, false), now);
                }
                self.block(nested, inside, now);
                follows |= !is_loop && nested.yields.iter().any(|v| self.follows(within, *v));
            }
            inst.results.iter().for_each(|r| self.note(*r, (within, follows), now));
        }
    }

    fn note(&mut self, v: Value, state: (u32, bool), now: &mut u32) {
        *now += 1;
        (self.at[v.0 as usize], self.state[v.0 as usize]) = (*now, state);
    }

    /// Whether a value follows from what a loop carries. What comes from outside does not.
    fn follows(&self, within: u32, v: Value) -> bool {
        self.state[v.0 as usize] == (within, true)
    }
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
        !self.known.state[v.0 as usize].1
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
        let mut last = None;
        let mut so_far = terms[0].value;
        for term in &terms[1..] {
            if let Some(kind) = last.take() {
                so_far = self.part(sum, kind, out);
            }
            let op = if term.is_subtracted && !is_negative { Op::Sub } else { Op::Add };
            last = Some(InstKind::Pure(op, vec![so_far, term.value]));
        }
        match last {
            Some(kind) if !is_negative => kind,
            Some(kind) => InstKind::Pure(Op::Neg, vec![self.part(sum, kind, out)]),
            None => InstKind::Pure(Op::Neg, vec![so_far]),
        }
    }

    fn part(&mut self, sum: Value, kind: InstKind, out: &mut Vec<Inst>) -> Value {
        let ty = self.func.ty(sum).clone();
        let part = self.func.new_value(ty, None);
        self.func.values[part.0 as usize].free = true;
        out.push(Inst { results: vec![part], kind });
        part
    }
}
