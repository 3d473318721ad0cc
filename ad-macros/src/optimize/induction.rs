//! Running indices become arithmetic on the loop variable.
//!
//! ```text
//! for j in 0..r carrying o = start { .. a[o] ..; yield o + 1 }      becomes
//! for j in 0..r { o = start + j; .. a[o] .. }                        and start + r after it
//! ```
//!
//! So do indices that grow by the loop variable (`o + j`: packed triangles). Rounds of such a loop no longer wait for each other,
//! and its reversal has nothing to save. Only of integers that are known to be `usize`, in loops that count upwards from zero.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::analysis::definitions::{Definitions, definitions, literal};
use crate::analysis::sizes::sizes;
use crate::ir::{Block, ForLoop, Func, Inst, InstKind, Op, Type, Value};

/// Runs the pass.
pub(crate) fn induction(mut func: Func) -> Func {
    let sizes = sizes(&func);
    let defs = definitions(&func);
    let mut body = std::mem::take(&mut func.body);
    let mut pass = Pass { func: &mut func, sizes, defs, same: HashMap::default() };
    pass.block(&mut body);
    let same = pass.same;
    func.body = body;
    func.replace_values(&same);
    func
}

struct Pass<'a> {
    func: &'a mut Func,
    sizes: HashSet<Value>,
    defs: Definitions,
    same: HashMap<Value, Value>,
}

/// What a round adds: these once, and these times the loop variable (`None`: the loop variable itself).
#[derive(Default)]
struct Growth {
    fixed: Vec<Value>,
    times: Vec<Option<Value>>,
}

impl Pass<'_> {
    /// Inner loops first: what they add is then known to the outer ones.
    fn block(&mut self, block: &mut Block) {
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            for nested in inst.kind.blocks_mut() {
                self.block(nested);
            }
            let mut after = Vec::new();
            let Inst { results, kind } = &mut inst;
            if let InstKind::For(l) = kind {
                self.in_loop(l, results, &mut after);
            }
            insts.push(inst);
            insts.extend(after);
        }
        block.insts = insts;
    }

    fn in_loop(&mut self, l: &mut ForLoop, results: &[Value], after: &mut Vec<Inst>) {
        if !l.is_plain() || literal(&self.defs, l.lo) != Some(0) || !self.sizes.contains(&l.body.args[0]) {
            return;
        }
        let mut inside: HashSet<Value> = l.body.args.iter().copied().collect();
        l.body.visit(&mut |inst| {
            inside.extend(inst.results.iter().copied());
            inst.kind.blocks().for_each(|b| inside.extend(b.args.iter().copied()));
        });
        let mut first = Vec::new();
        for k in 0..l.inits.len() {
            let arg = l.body.args[k + 1];
            if *self.func.ty(arg) != Type::Int || !self.sizes.contains(&arg) {
                continue;
            }
            let Some(growth) = self.growth(l, arg, self.end(l.body.yields[k]), &inside) else { continue };
            let here = self.closed(l.inits[k], l.body.args[0], &growth, &inside, &mut first);
            let end = self.closed(l.inits[k], l.hi, &growth, &inside, after);
            for (old, new) in [(arg, here), (results[k], end)] {
                let name = self.func.value(old).name.clone();
                self.func.values[new.0 as usize].name = name;
                self.same.insert(old, new);
            }
        }
        l.body.insts.splice(0..0, first);
    }

    fn end(&self, mut v: Value) -> Value {
        while let Some(next) = self.same.get(&v) {
            v = *next;
        }
        v
    }

    /// What `y` is more than `arg`.
    fn growth(&self, l: &ForLoop, arg: Value, y: Value, inside: &HashSet<Value>) -> Option<Growth> {
        let mut growth = Growth::default();
        let mut found = 0;
        self.terms(l, arg, y, inside, &mut growth, &mut found, 0)?;
        (found == 1).then_some(growth)
    }

    #[allow(clippy::too_many_arguments)]
    fn terms(
        &self,
        l: &ForLoop,
        arg: Value,
        v: Value,
        inside: &HashSet<Value>,
        growth: &mut Growth,
        found: &mut usize,
        depth: usize,
    ) -> Option<()> {
        let v = self.end(v);
        let is_fixed = |v: Value| !inside.contains(&v) || self.is_literal(v);
        if v == arg {
            *found += 1;
        } else if v == l.body.args[0] {
            growth.times.push(None);
        } else if is_fixed(v) {
            growth.fixed.push(v);
        } else {
            let (op, args) = self.defs.get(&v)?;
            let args: Vec<Value> = args.iter().map(|a| self.end(*a)).collect();
            match op {
                Op::Add if depth < 8 => {
                    self.terms(l, arg, args[0], inside, growth, found, depth + 1)?;
                    self.terms(l, arg, args[1], inside, growth, found, depth + 1)?;
                }
                Op::Mul if args[0] == l.body.args[0] && is_fixed(args[1]) => growth.times.push(Some(args[1])),
                Op::Mul if args[1] == l.body.args[0] && is_fixed(args[0]) => growth.times.push(Some(args[0])),
                _ => return None,
            }
        }
        Some(())
    }

    fn is_literal(&self, v: Value) -> bool {
        matches!(self.defs.get(&v), Some((Op::Int(_), _)))
    }

    /// `start` and what `rounds` rounds have added to it.
    fn closed(
        &mut self,
        start: Value,
        rounds: Value,
        growth: &Growth,
        inside: &HashSet<Value>,
        out: &mut Vec<Inst>,
    ) -> Value {
        let mut sum = start;
        for by in &growth.fixed {
            let mut grown = rounds;
            if literal(&self.defs, *by) != Some(1) {
                let by = self.outside(*by, inside, out);
                grown = self.op(Op::Mul, vec![rounds, by], out);
            }
            sum = self.op(Op::Add, vec![sum, grown], out);
        }
        for by in &growth.times {
            // 0 + 1 + .. + (rounds - 1)
            let square = self.op(Op::Mul, vec![rounds, rounds], out);
            let twice = self.op(Op::Sub, vec![square, rounds], out);
            let two = self.op(Op::Int("2_usize".into()), Vec::new(), out);
            let mut grown = self.op(Op::Div, vec![twice, two], out);
            if let Some(by) = by {
                let by = self.outside(*by, inside, out);
                grown = self.op(Op::Mul, vec![grown, by], out);
            }
            sum = self.op(Op::Add, vec![sum, grown], out);
        }
        sum
    }

    /// A value from outside a loop, or a literal inside it, made again.
    fn outside(&mut self, v: Value, inside: &HashSet<Value>, out: &mut Vec<Inst>) -> Value {
        match self.defs.get(&v) {
            Some((op @ Op::Int(_), _)) if inside.contains(&v) => {
                let op = op.clone();
                self.op(op, Vec::new(), out)
            }
            _ => v,
        }
    }

    fn op(&mut self, op: Op, args: Vec<Value>, out: &mut Vec<Inst>) -> Value {
        let v = self.func.new_value(Type::Int, None);
        self.sizes.insert(v);
        self.defs.insert(v, (op.clone(), args.clone()));
        out.push(Inst { results: vec![v], kind: InstKind::Pure(op, args) });
        v
    }
}
