//! Doublings of products go to where they cost least: into a constant, or to a factor that several products share.
//!
//! ```text
//! s = 12 * t;  p = s * x;  q = s * y;  a = p + p;  b = q + q      →      s = 24 * t;  a = s * x;  b = s * y
//! ```
//!
//! The derivative of a square is such a doubling, and that of a sum of squares one for each of them, all of products with the
//! same factor. Doubling is exact, but where a number is beyond the range of its type before or after; so this is for what
//! no result of the function's own depends on, and no comparison.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::terms::{consumers, nice};
use crate::analysis::activity;
use crate::analysis::definitions::{Definitions, definitions};
use crate::ir::{Block, Func, Inst, InstKind, Op, Value};

/// How often doublings are moved on, from factor to factor.
const ROUNDS: usize = 4;

/// Runs the pass.
pub(crate) fn doublings(mut func: Func) -> Func {
    for _ in 0..ROUNDS {
        let moves = Moves::of(&func);
        if moves.same.is_empty() {
            break;
        }
        let mut body = std::mem::take(&mut func.body);
        moves.block(&mut func, &mut body);
        func.body = body;
        func.replace_values(&moves.same);
    }
    func
}

/// What is to be done.
#[derive(Default)]
struct Moves {
    /// Doubled products: each becomes what was doubled.
    same: HashMap<Value, Value>,
    /// Products whose operand at an index is a constant that becomes another.
    constants: HashMap<Value, (usize, f64)>,
    /// Factors that are doubled themselves, and in which products.
    factors: HashMap<Value, Vec<Value>>,
}

impl Moves {
    fn of(func: &Func) -> Moves {
        let defs = definitions(func);
        // Products, in order, and what doubles them.
        let mut products: Vec<(Value, Value)> = Vec::new();
        // What multiplies by each value.
        let mut users: HashMap<Value, Vec<Value>> = HashMap::default();
        func.body.visit(&mut |inst| {
            let InstKind::Pure(op, args) = &inst.kind else { return };
            let result = inst.results[0];
            match (op, args.as_slice()) {
                (Op::Add, [a, b]) if a == b && func.is_float(result) && is_product(&defs, *a) => {
                    products.push((*a, result));
                }
                (Op::Mul, [a, b]) if a != b => {
                    users.entry(*a).or_default().push(result);
                    users.entry(*b).or_default().push(result);
                }
                _ => {}
            }
        });
        let mut moves = Moves::default();
        if products.is_empty() {
            return moves;
        }
        let (promised, consumers) = (activity::promised(func), consumers(func));
        let only = |v: Value, n: usize| consumers[v.0 as usize] as usize == n;
        products.retain(|(product, doubled)| only(*product, 1) && !promised.value(*doubled));
        let doubled: HashMap<Value, Value> = products.iter().copied().collect();
        let mut done: HashSet<Value> = HashSet::default();
        for (product, of) in &products {
            if done.contains(product) {
                continue;
            }
            if let Some((at, place)) = own_constant(&defs, &consumers, *product) {
                moves.constants.insert(at, place);
                moves.same.insert(*of, *product);
                done.insert(*product);
                continue;
            }
            let Some((_, factors)) = defs.get(product) else { continue };
            let shared = factors.iter().find(|f| {
                let all = users.get(f).map(Vec::as_slice).unwrap_or_default();
                all.len() > 1
                    && only(**f, all.len())
                    && all.iter().all(|p| doubled.contains_key(p) && !done.contains(p))
                    && matches!(defs.get(f), Some((op, _)) if !matches!(op, Op::Float(_)))
            });
            let Some(factor) = shared else { continue };
            match own_constant(&defs, &consumers, *factor) {
                Some((at, place)) => drop(moves.constants.insert(at, place)),
                None => drop(moves.factors.insert(*factor, users[factor].clone())),
            }
            for p in &users[factor] {
                moves.same.insert(doubled[p], *p);
                done.insert(*p);
            }
        }
        moves
    }

    /// Writes constants and doubled factors.
    fn block(&self, func: &mut Func, block: &mut Block) {
        let mut insts = Vec::with_capacity(block.insts.len());
        let mut twice: HashMap<Value, Value> = HashMap::default();
        for mut inst in std::mem::take(&mut block.insts) {
            for nested in inst.kind.blocks_mut() {
                self.block(func, nested);
            }
            if let (InstKind::Pure(_, args), Some((k, c))) =
                (&mut inst.kind, inst.results.first().and_then(|r| self.constants.get(r)))
            {
                let constant = func.new_value(func.ty(args[*k]).clone(), None);
                args[*k] = constant;
                insts.push(Inst { results: vec![constant], kind: InstKind::Pure(Op::Float(*c), Vec::new()) });
            }
            let factor = inst.results.first().copied().filter(|r| self.factors.contains_key(r));
            insts.push(inst);
            if let Some(factor) = factor {
                let data = func.value(factor).clone();
                let double = func.new_value(data.ty, data.name);
                func.values[double.0 as usize].free = true;
                insts.push(Inst { results: vec![double], kind: InstKind::Pure(Op::Add, vec![factor; 2]) });
                twice.insert(factor, double);
            }
        }
        block.insts = insts;
        // Products stand in the block of their factor, or nested in it.
        if !twice.is_empty() {
            block.visit_mut(&mut |inst| {
                let Some(result) = inst.results.first().copied() else { return };
                for (factor, double) in &twice {
                    if self.factors[factor].contains(&result) {
                        inst.kind.map_operands(|v| if v == *factor { *double } else { v });
                    }
                }
            });
        }
    }
}

fn is_product(defs: &Definitions, v: Value) -> bool {
    matches!(defs.get(&v), Some((Op::Mul, args)) if args[0] != args[1])
}

/// A constant that multiplies a product or one of its factors, that is for nothing else: the product that it stands in, at which
/// operand, and what it is twice.
fn own_constant(defs: &Definitions, consumers: &[u32], v: Value) -> Option<(Value, (usize, f64))> {
    let Some((Op::Mul, args)) = defs.get(&v) else { return None };
    let constant = args.iter().enumerate().find_map(|(k, a)| match defs.get(a) {
        Some((Op::Float(c), _)) if nice(2.0 * c) => Some((v, (k, 2.0 * c))),
        _ => None,
    });
    let inner =
        |a: &Value| (consumers[a.0 as usize] == 1).then(|| own_constant(defs, consumers, *a)).flatten();
    constant.or_else(|| args.iter().filter(|_| args[0] != args[1]).find_map(inner))
}
