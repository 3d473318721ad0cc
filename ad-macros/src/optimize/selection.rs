//! A scalar that a loop selects among its rounds (the largest element, say) is looked up after the loop.
//!
//! ```text
//! for i in lo..hi carrying m { v = x[i]; yield if v > m { v } else { m } }      becomes
//! for i in lo..hi carrying m, at = lo, any = false { .. yield .., if v > m { i, true } else { at, any } }
//! m' = if any { x[at] } else { start }
//! ```
//!
//! Where what it starts from is such an element itself (`m = x[0]`, then rounds from 1), `at` starts there, and no flag is carried.
//!
//! What the loop carries is then only compared, and has no derivative: that of `m'` belongs to one element. Reversed, such a
//! loop saves nothing and does not run. For functions that are about to be differentiated; nothing changes in their values.
//!
//! Conditions: the round's candidate comes from the loop variable, values from outside, and buffers that the loop does not
//! write; the carried scalar is used in comparisons alone.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::congruent::is_same_op;
use crate::ir::{Binary, Block, Buffer, Cmp, ForLoop, Func, Inst, InstKind, Op, Type, Value};

/// Runs the pass.
pub(crate) fn selection(mut func: Func) -> Func {
    let mut body = std::mem::take(&mut func.body);
    let mut same = HashMap::default();
    in_block(&mut func, &mut body, &mut same);
    func.body = body;
    // Whoever looks at the loop's result looks at the element itself; it comes after the loop.
    func.replace_values(&same);
    func
}

fn in_block(func: &mut Func, block: &mut Block, same: &mut HashMap<Value, Value>) {
    let mut insts = Vec::with_capacity(block.insts.len());
    for mut inst in std::mem::take(&mut block.insts) {
        for nested in inst.kind.blocks_mut() {
            in_block(func, nested, same);
        }
        let mut before = Vec::new();
        let mut after = Vec::new();
        let Inst { results, kind } = &mut inst;
        if let InstKind::For(l) = kind
            && !l.body.diverges
        {
            for k in 0..l.inits.len() {
                if let Some(choice) = Choice::of(func, l, k, &insts) {
                    let chosen = choice.look_up(func, l, k, results, &mut before, &mut after);
                    same.insert(results[k], chosen);
                }
            }
        }
        insts.extend(before);
        insts.push(inst);
        insts.extend(after);
    }
    block.insts = insts;
}

/// How a carried scalar is selected.
struct Choice {
    candidate: Value,
    /// Whether the candidate is taken: a value of the body, or how to compute it there.
    taken: Taken,
    /// What computes the candidate, in order.
    slice: Vec<Inst>,
    /// The round whose candidate is what it starts from.
    start: Option<Value>,
}

enum Taken {
    /// This bool is true, or, with `false`, false.
    If(Value, bool),
    /// The result of `max` or `min`, of the carried scalar and the candidate in this order, or the other.
    Extreme { of: Binary, carried_first: bool },
}

impl Choice {
    /// `made`: what stands before the loop.
    fn of(func: &Func, l: &ForLoop, k: usize, made: &[Inst]) -> Option<Choice> {
        let (carried, yielded) = (l.body.args[k + 1], l.body.yields[k]);
        if !func.is_float(carried) {
            return None;
        }
        let at = l.body.insts.iter().position(|inst| inst.results.contains(&yielded))?;
        let inst = &l.body.insts[at];
        let mut inside: &[Inst] = &[];
        let (candidate, taken) = match &inst.kind {
            InstKind::Pure(Op::Select, args) => match (args[1] == carried, args[2] == carried) {
                (false, true) => (args[1], Taken::If(args[0], true)),
                (true, false) => (args[2], Taken::If(args[0], false)),
                _ => return None,
            },
            InstKind::Pure(Op::Binary(of @ (Binary::Max | Binary::Min)), args) => {
                match (args[0] == carried, args[1] == carried) {
                    (true, false) => (args[1], Taken::Extreme { of: *of, carried_first: true }),
                    (false, true) => (args[0], Taken::Extreme { of: *of, carried_first: false }),
                    _ => return None,
                }
            }
            InstKind::If { cond, then_block, else_block } if !then_block.diverges && !else_block.diverges => {
                let result = inst.results.iter().position(|r| *r == yielded)?;
                let (a, b) = (then_block.yields[result], else_block.yields[result]);
                match (a == carried, b == carried) {
                    (false, true) => {
                        inside = &then_block.insts;
                        (a, Taken::If(*cond, true))
                    }
                    (true, false) => {
                        inside = &else_block.insts;
                        (b, Taken::If(*cond, false))
                    }
                    _ => return None,
                }
            }
            _ => return None,
        };
        if !only_compared(l, k, at) {
            return None;
        }
        let slice = Slice::of(func, l, inside).of_value(candidate)?;
        let mut choice = Choice { candidate, taken, slice, start: None };
        let mut round = None;
        if choice.matches(candidate, l.inits[k], l.body.args[0], made, &mut round) {
            choice.start = round.filter(|v| func.ty(*v) == func.ty(l.body.args[0]));
        }
        Some(choice)
    }

    /// Whether a value of the loop is what one before it would be in a round, the same for all such values.
    fn matches(
        &self,
        inside: Value,
        before: Value,
        variable: Value,
        made: &[Inst],
        round: &mut Option<Value>,
    ) -> bool {
        if inside == variable {
            return *round.get_or_insert(before) == before;
        }
        let defines = |v: Value| move |inst: &Inst| inst.results == [v];
        let Some(own) = self.slice.iter().find(|inst| defines(inside)(inst)) else { return inside == before };
        let Some(at) = made.iter().position(defines(before)) else { return false };
        let (ours, theirs) = match (&own.kind, &made[at].kind) {
            (InstKind::Pure(op, ours), InstKind::Pure(other, theirs)) if is_same_op(op, other) => {
                (ours, theirs)
            }
            (InstKind::Load { buffer, index }, InstKind::Load { buffer: other, index: theirs })
                if buffer == other =>
            {
                let is_load = |inst: &Inst| matches!(inst.kind, InstKind::Load { .. });
                if made[at..].iter().any(|inst| inst.touches(*buffer) && !is_load(inst)) {
                    return false;
                }
                (index, theirs)
            }
            _ => return false,
        };
        ours.len() == theirs.len()
            && ours.iter().zip(theirs).all(|(a, b)| self.matches(*a, *b, variable, made, round))
    }

    /// Carries where the last candidate was taken; returns the chosen value, made in `after`.
    fn look_up(
        &self,
        func: &mut Func,
        l: &mut ForLoop,
        k: usize,
        results: &mut Vec<Value>,
        before: &mut Vec<Inst>,
        after: &mut Vec<Inst>,
    ) -> Value {
        let variable = l.body.args[0];
        let carried = l.body.args[k + 1];
        let int = func.ty(variable).clone();
        let float = func.ty(carried).clone();
        let name = func.value(carried).name.clone();
        let at_name: Option<std::sync::Arc<str>> = name.as_deref().map(|n| format!("{n}_at").into());
        let new = |func: &mut Func, ty: &Type, name: &Option<std::sync::Arc<str>>| {
            func.new_value(ty.clone(), name.clone())
        };

        // In the body: the round, if its candidate is taken.
        let mut insts = Vec::new();
        let taken = self.condition(func, carried, &mut insts);
        let (at, next_at, last) =
            (new(func, &int, &at_name), new(func, &int, &at_name), new(func, &int, &at_name));
        let mut then_block = Block { yields: vec![variable], ..Block::default() };
        let mut else_block = Block { yields: vec![at], ..Block::default() };
        let mut next = vec![next_at];
        l.body.args.push(at);
        l.inits.push(self.start.unwrap_or(l.lo));
        results.push(last);
        // Whether there was such a round: before the loop there was none.
        let any = self.start.is_none().then(|| {
            let [no, yes, any, next_any, last_any] = [(); 5].map(|()| new(func, &Type::Bool, &None));
            let bool = |v, b| Inst { results: vec![v], kind: InstKind::Pure(Op::Bool(b), Vec::new()) };
            before.push(bool(no, false));
            then_block.insts.push(bool(yes, true));
            then_block.yields.push(yes);
            else_block.yields.push(any);
            next.push(next_any);
            l.body.args.push(any);
            l.inits.push(no);
            results.push(last_any);
            last_any
        });
        let (then_block, else_block) = match self.taken {
            Taken::If(_, false) => (else_block, then_block),
            _ => (then_block, else_block),
        };
        l.body.yields.extend(&next);
        insts.push(Inst { results: next, kind: InstKind::If { cond: taken, then_block, else_block } });
        l.body.insts.extend(insts);

        // After it: the candidate of that round.
        let mut map = HashMap::from_iter([(variable, last)]);
        let mut insts = Vec::new();
        for inst in &self.slice {
            let mut inst = inst.clone();
            inst.kind.map_operands(|v| *map.get(&v).unwrap_or(&v));
            for r in &mut inst.results {
                let data = func.value(*r).clone();
                let copy = func.new_value(data.ty, data.name);
                map.insert(*r, copy);
                *r = copy;
            }
            insts.push(inst);
        }
        let chosen = *map.get(&self.candidate).unwrap_or(&self.candidate);
        let Some(any) = any else {
            after.extend(insts);
            return chosen;
        };
        let result = new(func, &float, &name);
        after.push(Inst {
            results: vec![result],
            kind: InstKind::If {
                cond: any,
                then_block: Block { insts, yields: vec![chosen], ..Block::default() },
                else_block: Block { yields: vec![l.inits[k]], ..Block::default() },
            },
        });
        result
    }

    /// The bool that says whether the candidate is taken (or, for `Taken::If(_, false)`, is not).
    fn condition(&self, func: &mut Func, carried: Value, out: &mut Vec<Inst>) -> Value {
        let (of, carried_first) = match self.taken {
            Taken::If(cond, _) => return cond,
            Taken::Extreme { of, carried_first } => (of, carried_first),
        };
        // As the derivative of `max` and `min` has it: the first where they are equal, the other of a NaN.
        let mut op = |op: Op, args: Vec<Value>| {
            let v = func.new_value(Type::Bool, None);
            out.push(Inst { results: vec![v], kind: InstKind::Pure(op, args) });
            v
        };
        let order = if of == Binary::Max { Cmp::Ge } else { Cmp::Le };
        let (first, second) =
            if carried_first { (carried, self.candidate) } else { (self.candidate, carried) };
        let before = op(Op::Cmp(order), vec![first, second]);
        let nan = op(Op::Test("is_nan"), vec![second]);
        let first = op(Op::Or, vec![before, nan]);
        if carried_first { op(Op::Not, vec![first]) } else { first }
    }
}

/// Whether a carried scalar is used by what makes its next value, and else in comparisons alone.
fn only_compared(l: &ForLoop, k: usize, at: usize) -> bool {
    let (carried, yielded) = (l.body.args[k + 1], l.body.yields[k]);
    let mut allowed = 0;
    let mut all = 0;
    l.body.each_use(&mut |v| all += usize::from(v == carried));
    l.body.visit(&mut |inst| {
        if let InstKind::Pure(Op::Cmp(_) | Op::Test(_), args) = &inst.kind {
            allowed += args.iter().filter(|a| **a == carried).count();
        }
    });
    // Each of these names it once.
    let mut next = 0;
    l.body.each_use(&mut |v| next += usize::from(v == yielded));
    let chooser = &l.body.insts[at];
    let named = match &chooser.kind {
        InstKind::If { then_block, else_block, .. } => {
            [then_block, else_block].iter().flat_map(|b| &b.yields).filter(|y| **y == carried).count()
        }
        _ => 1,
    };
    named == 1 && all == allowed + named && next == 1
}

/// What values of a body can be computed again from.
struct Slice<'a> {
    defs: HashMap<Value, &'a Inst>,
    variable: Value,
    carried: &'a [Value],
    written: HashSet<Buffer>,
    inside: HashSet<Value>,
}

impl<'a> Slice<'a> {
    fn of(func: &Func, l: &'a ForLoop, branch: &'a [Inst]) -> Slice<'a> {
        let mut defs = HashMap::default();
        for inst in l.body.insts.iter().chain(branch) {
            defs.extend(inst.results.iter().map(|r| (*r, inst)));
        }
        let mut inside: HashSet<Value> = l.body.args.iter().copied().collect();
        l.body.visit(&mut |inst| {
            inside.extend(inst.results.iter().copied());
            inst.kind.blocks().for_each(|b| inside.extend(b.args.iter().copied()));
        });
        let mut written: HashSet<Buffer> = l.body.writes().into_iter().collect();
        written.extend(l.body.allocs());
        // A vector that grows may be another by the time.
        written.extend((0..func.buffers.len() as u32).map(Buffer).filter(|b| func.buffer(*b).grows));
        Slice { defs, variable: l.body.args[0], carried: &l.body.args[1..], written, inside }
    }

    /// The instructions behind a value, in order; `None` if one of them cannot be repeated.
    fn of_value(&self, v: Value) -> Option<Vec<Inst>> {
        let mut out = Vec::new();
        let mut done = HashSet::default();
        self.add(v, &mut done, &mut out)?;
        Some(out)
    }

    fn add(&self, v: Value, done: &mut HashSet<Value>, out: &mut Vec<Inst>) -> Option<()> {
        if self.carried.contains(&v) {
            return None;
        }
        if !self.inside.contains(&v) || !done.insert(v) {
            return Some(());
        }
        if v == self.variable {
            return Some(());
        }
        let inst = self.defs.get(&v)?;
        match &inst.kind {
            InstKind::Pure(Op::Verbatim(_) | Op::Custom(_), _) => return None,
            InstKind::Pure(..) => {}
            InstKind::Load { buffer, .. } if !self.written.contains(buffer) => {}
            _ => return None,
        }
        let mut operands = Vec::new();
        inst.kind.each_operand(|o| operands.push(o));
        for o in operands {
            self.add(o, done, out)?;
        }
        out.push((*inst).clone());
        Some(())
    }
}
