//! Several divisions by one value become one, and products with its inverse.
//!
//! ```text
//! wx = x / r;  wy = y / r;  q = 1 / r      →   q = 1 / r;  wx = x * q;  wy = y * q
//! ```
//!
//! And the square of `1 / sqrt(s)` is `1 / s`, if the root is for nothing else and `s` is a sum of squares (of a negative `s` one would
//! be NaN and the other would not).
//!
//! The tangent and the adjoint of `x / r` need `1 / r` anyway. A loop that divides by what is the same in all rounds gets the inverse
//! in front of it. A product with the inverse is rounded twice, so this is for what no result of the function's own depends on, and
//! no comparison. The pass runs when the function and its reversal have been brought together: before, the reversal's copies of the
//! function's divisions would become others.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::terms::{Written, consumers};
use crate::analysis::activity::{self, Activity};
use crate::analysis::definitions::{Definitions, definitions};
use crate::ir::{Block, ForLoop, Func, Inst, InstKind, Op, Unary, Value};

/// Runs the pass.
pub(crate) fn quotients(mut func: Func) -> Func {
    let mut divisions = 0;
    let mut constants = HashMap::default();
    func.body.visit(&mut |inst| match &inst.kind {
        InstKind::Pure(Op::Float(c), _) => {
            constants.insert(inst.results[0], *c);
        }
        InstKind::Pure(Op::Div, _) => divisions += usize::from(func.is_float(inst.results[0])),
        _ => {}
    });
    if divisions == 0 {
        return func;
    }
    let promised = activity::promised(&func);
    squares_of_roots(&mut func, &promised, &constants);
    let ones = constants.into_iter().filter(|(_, c)| *c == 1.0).map(|(v, _)| v).collect();
    let mut body = std::mem::take(&mut func.body);
    Pass { func: &mut func, promised, ones }.block(&mut body, &HashMap::default());
    func.body = body;
    func
}

/// Divides by a sum of squares, not by its root twice.
fn squares_of_roots(func: &mut Func, promised: &Activity, constants: &HashMap<Value, f64>) {
    let consumers = consumers(func);
    let defs = definitions(func);
    let def = |v: Value| defs.get(&v).map(|(op, args)| (op, args.as_slice()));
    let root = |v: Value| match def(v) {
        Some((Op::Unary(Unary::Sqrt), [s])) if is_sum_of_squares(&defs, constants, *s, 0) => Some(*s),
        _ => None,
    };
    let mut body = std::mem::take(&mut func.body);
    body.visit_mut(&mut |inst| {
        let InstKind::Pure(Op::Mul, args) = &inst.kind else { return };
        if args[0] != args[1] || promised.value(inst.results[0]) {
            return;
        }
        if let Some((Op::Div, [one, r])) = def(args[0])
            && constants.get(one) == Some(&1.0)
            // Otherwise the quotient is there, and its square costs a product.
            && consumers[args[0].0 as usize] == 1
            && let Some(s) = root(*r)
        {
            inst.kind = InstKind::Pure(Op::Div, vec![*one, s]);
        }
    });
    func.body = body;
}

/// Whether a value cannot be negative, nor -0.
fn is_sum_of_squares(defs: &Definitions, constants: &HashMap<Value, f64>, v: Value, depth: usize) -> bool {
    if let Some(c) = constants.get(&v) {
        return *c > 0.0;
    }
    match defs.get(&v) {
        Some((Op::Mul, args)) if args[0] == args[1] => true,
        Some((Op::Add | Op::Mul, args)) if depth < 16 => {
            args.iter().all(|a| is_sum_of_squares(defs, constants, *a, depth + 1))
        }
        _ => false,
    }
}

struct Pass<'a> {
    func: &'a mut Func,
    promised: Activity,
    /// Constants that are one.
    ones: HashSet<Value>,
}

impl Pass<'_> {
    /// `around`: the inverses of values that are there.
    fn block(&mut self, block: &mut Block, around: &HashMap<Value, Value>) {
        let mut count: HashMap<Value, usize> = HashMap::default();
        for inst in &block.insts {
            if let Some((_, by)) = self.division(inst) {
                *count.entry(by).or_default() += 1;
            }
        }
        let mut inverses = around.clone();
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            if let InstKind::Pure(Op::Div, args) = &inst.kind
                && self.ones.contains(&args[0])
                && self.func.is_float(args[1])
            {
                inverses.entry(args[1]).or_insert(inst.results[0]);
            } else if let Some((of, by)) = self.division(&inst)
                && (inverses.contains_key(&by) || count[&by] > 1)
            {
                let inverse = match inverses.get(&by) {
                    Some(inverse) => *inverse,
                    None => self.inverse(by, &mut insts),
                };
                inverses.insert(by, inverse);
                inst.kind = InstKind::Pure(Op::Mul, vec![of, inverse]);
            }
            if let InstKind::For(ForLoop { body, .. }) | InstKind::While { body, .. } = &inst.kind {
                for by in self.divisors_from_outside(body) {
                    inverses.entry(by).or_insert_with(|| self.inverse(by, &mut insts));
                }
            }
            for nested in inst.kind.blocks_mut() {
                self.block(nested, &inverses);
            }
            insts.push(inst);
        }
        block.insts = insts;
    }

    /// By what a loop divides in each round that is the same in all.
    fn divisors_from_outside(&self, body: &Block) -> Vec<Value> {
        let mut inside: HashSet<Value> = body.args.iter().copied().collect();
        let mut divisors = Vec::new();
        body.visit(&mut |inst| {
            inside.extend(inst.results.iter().copied());
            inst.kind.blocks().for_each(|b| inside.extend(b.args.iter().copied()));
            divisors.extend(self.division(inst).map(|(_, by)| by));
        });
        divisors.retain(|by| !inside.contains(by));
        divisors.sort_unstable();
        divisors.dedup();
        divisors
    }

    /// What a division whose rounding nobody has promised divides, and by what.
    fn division(&self, inst: &Inst) -> Option<(Value, Value)> {
        let InstKind::Pure(Op::Div, args) = &inst.kind else { return None };
        let [of, by] = args.as_slice() else { return None };
        let result = inst.results[0];
        // What the rules divide they divide for the sake of accuracy, far out.
        let users = !self.func.value(result).free || self.ones.contains(of);
        let same = self.func.ty(result) == self.func.ty(*by) && self.func.ty(*of) == self.func.ty(*by);
        (self.func.is_float(result) && users && same && !self.promised.value(result)).then_some((*of, *by))
    }

    fn inverse(&mut self, of: Value, out: &mut Vec<Inst>) -> Value {
        let ty = self.func.ty(of).clone();
        let mut to = Written::new(self.func, ty);
        let one = to.constant(1.0);
        let inverse = to.op(Op::Div, vec![one, of]);
        out.append(&mut to.out);
        inverse
    }
}
