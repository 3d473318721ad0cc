//! Triangular numbers that a loop computes are carried from round to round.
//!
//! ```text
//! for r in 0..d { o = start + (r * r - r) / 2; .. }     becomes     for r in 0..d carrying t = 0 { o = start + t; ..; yield t + r }
//! ```
//!
//! A running index of a packed triangle is such a number since [`super::induction`] has written it as arithmetic on the loop variable:
//! rounds do not wait for each other then, which the reversal and lanes ask for. Where neither has taken the loop apart, one addition
//! a round is less than a product, a division and their operands; LLVM does not find it, because of the division.
//!
//! Runs when loops have their final shape. Only of loops that count upwards from zero, where the first number is 0, in `usize`: shorter
//! integers may wrap around in the product, and not in the sum.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::analysis::definitions::{Definitions, definitions, literal};
use crate::analysis::sizes::sizes;
use crate::ir::{Block, ForLoop, Func, Inst, InstKind, Op, Type, Value};

/// Runs the pass.
pub(crate) fn triangles(mut func: Func) -> Func {
    let (defs, sizes) = (definitions(&func), sizes(&func));
    let mut body = std::mem::take(&mut func.body);
    let mut pass = Pass { func: &mut func, defs, sizes, same: HashMap::default() };
    pass.block(&mut body);
    let same = pass.same;
    func.body = body;
    func.replace_values(&same);
    func
}

struct Pass<'a> {
    func: &'a mut Func,
    defs: Definitions,
    sizes: HashSet<Value>,
    same: HashMap<Value, Value>,
}

impl Pass<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            inst.kind.blocks_mut().for_each(|nested| self.block(nested));
            let Inst { results, kind } = &mut inst;
            if let InstKind::For(l) = kind
                && self.is_upwards(l)
            {
                self.in_loop(l, results, &mut insts);
            }
            insts.push(inst);
        }
        block.insts = insts;
    }

    fn is_upwards(&self, l: &ForLoop) -> bool {
        l.is_plain() && literal(&self.defs, l.lo) == Some(0) && self.sizes.contains(&l.body.args[0])
    }

    fn in_loop(&mut self, l: &mut ForLoop, results: &mut Vec<Value>, before: &mut Vec<Inst>) {
        let round = l.body.args[0];
        let found: Vec<Value> = l
            .body
            .insts
            .iter()
            .filter(|inst| matches!(inst.kind, InstKind::Pure(Op::Div, _)))
            .map(|inst| inst.results[0])
            .filter(|v| self.is_triangle(*v, round))
            .collect();
        if found.is_empty() {
            return;
        }
        let carried = self.func.new_value(Type::Int, Some("triangle".into()));
        self.same.extend(found.into_iter().map(|v| (v, carried)));
        let next = self.func.new_value(Type::Int, None);
        l.body.insts.push(Inst { results: vec![next], kind: InstKind::Pure(Op::Add, vec![carried, round]) });
        let first = self.func.new_value(Type::Int, None);
        let kind = InstKind::Pure(Op::Int("0_usize".into()), Vec::new());
        before.push(Inst { results: vec![first], kind });
        l.inits.push(first);
        l.body.args.push(carried);
        l.body.yields.push(next);
        results.push(self.func.new_value(Type::Int, None));
    }

    /// `(i * i - i) / 2`
    fn is_triangle(&self, v: Value, i: Value) -> bool {
        let Some((Op::Div, half)) = self.defs.get(&v) else { return false };
        let Some((Op::Sub, difference)) = self.defs.get(&half[0]) else { return false };
        let Some((Op::Mul, square)) = self.defs.get(&difference[0]) else { return false };
        literal(&self.defs, half[1]) == Some(2) && difference[1] == i && square[..] == [i, i]
    }
}
