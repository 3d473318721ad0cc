//! Carried scalars that are the same: they start from the same value and every round makes the same of both.
//!
//! ```text
//! for i in lo..hi carrying z = 0, y = 0 { .. yield z + w[i] * x[i], y + w[i] * x[i] }      y is z
//! ```
//!
//! Value numbering sees two unknowns in `z` and `y`; here their equality is assumed and then found to hold. That is what
//! makes one loop of a loop and its replay, once they are fused.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::ir::{Block, Buffer, Func, Inst, InstKind, Op, Value, ValueMap};

/// Runs the pass.
pub(crate) fn congruent(mut func: Func) -> Func {
    let mut same = HashMap::default();
    in_block(&func, &func.body, &mut same);
    if same.is_empty() {
        return func;
    }
    func.replace_values(&same);
    func
}

/// Finds carried scalars that are the same as an earlier one: their arguments and results are replaced by those of the
/// earlier. (They stay carried; nobody uses them any more.)
fn in_block(func: &Func, block: &Block, same: &mut HashMap<Value, Value>) {
    for inst in &block.insts {
        for nested in inst.kind.blocks() {
            in_block(func, nested, same);
        }
        let InstKind::For(l) = &inst.kind else { continue };
        if l.body.diverges || l.inits.len() < 2 {
            continue;
        }
        let mut pairs = Vec::new();
        for k in 1..l.inits.len() {
            let twin = (0..k).find(|j| {
                l.inits[*j] == l.inits[k] && func.ty(l.body.args[j + 1]) == func.ty(l.body.args[k + 1])
            });
            pairs.extend(twin.map(|j| (j, k)));
        }
        if pairs.is_empty() {
            continue;
        }
        let body = Body::of(func, &l.body);
        // Those that turn out different may have carried others along.
        loop {
            let before = pairs.len();
            let assumed: HashSet<(Value, Value)> =
                pairs.iter().map(|(j, k)| (l.body.args[j + 1], l.body.args[k + 1])).collect();
            pairs.retain(|(j, k)| body.equal(&mut assumed.clone(), l.body.yields[*j], l.body.yields[*k], 0));
            if pairs.len() == before {
                break;
            }
        }
        for (j, k) in pairs {
            same.insert(l.body.args[k + 1], l.body.args[j + 1]);
            same.insert(inst.results[k], inst.results[j]);
        }
    }
}

/// How deep expressions are compared; what is deeper counts as different.
const DEPTH: usize = 200;

/// The definitions inside a loop.
struct Body<'a> {
    func: &'a Func,
    defs: ValueMap<&'a Inst>,
    written: HashSet<Buffer>,
}

impl<'a> Body<'a> {
    fn of(func: &'a Func, block: &'a Block) -> Body<'a> {
        let mut defs = ValueMap::default();
        block.visit(&mut |inst| inst.results.iter().for_each(|r| defs.insert(*r, inst)));
        Body { func, defs, written: block.writes().into_iter().collect() }
    }

    fn all_equal(&self, equal: &mut HashSet<(Value, Value)>, a: &[Value], b: &[Value], depth: usize) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.equal(equal, *a, *b, depth))
    }

    /// Whether two values are equal if those in `equal` are. What is being compared further up counts as equal: one
    /// difference anywhere, and all of it is void.
    fn equal(&self, equal: &mut HashSet<(Value, Value)>, a: Value, b: Value, depth: usize) -> bool {
        if a == b || !equal.insert((a, b)) {
            return true;
        }
        let (Some(x), Some(y)) = (self.defs.get(&a), self.defs.get(&b)) else { return false };
        if depth > DEPTH || self.func.ty(a) != self.func.ty(b) {
            return false;
        }
        let deeper = depth + 1;
        if std::ptr::eq(*x, *y) {
            // Two results of one loop or branch.
            let position = |v: Value| x.results.iter().position(|r| *r == v);
            let (Some(p), Some(q)) = (position(a), position(b)) else { return false };
            return match &x.kind {
                InstKind::For(l) if !l.body.diverges => {
                    equal.insert((l.body.args[p + 1], l.body.args[q + 1]));
                    self.equal(equal, l.inits[p], l.inits[q], deeper)
                        && self.equal(equal, l.body.yields[p], l.body.yields[q], deeper)
                }
                InstKind::If { then_block, else_block, .. } => [then_block, else_block]
                    .iter()
                    .all(|b| b.diverges || self.equal(equal, b.yields[p], b.yields[q], deeper)),
                _ => false,
            };
        }
        match (&x.kind, &y.kind) {
            (
                InstKind::If { cond, then_block, else_block },
                InstKind::If { cond: other, then_block: then_other, else_block: else_other },
            ) => {
                let position = |of: &Inst, v: Value| of.results.iter().position(|r| *r == v);
                let (Some(p), Some(q)) = (position(x, a), position(y, b)) else { return false };
                let sides = [(then_block, then_other), (else_block, else_other)];
                self.equal(equal, *cond, *other, deeper)
                    && sides.into_iter().all(|(x, y)| {
                        x.diverges == y.diverges
                            && (x.diverges || self.equal(equal, x.yields[p], y.yields[q], deeper))
                    })
            }
            (InstKind::Pure(Op::Verbatim(v), xs), InstKind::Pure(Op::Verbatim(w), ys)) => {
                v.code == w.code
                    && v.buffers == w.buffers
                    && v.is_told(self.func.ty(a))
                    && !v.buffers.iter().any(|b| self.written.contains(b))
                    && self.all_equal(equal, xs, ys, deeper)
            }
            (InstKind::Pure(Op::Verbatim(_) | Op::Custom(_), _), _) => false,
            (InstKind::Pure(Op::Len(b, _), _), _) if self.written.contains(b) => false,
            (InstKind::Pure(op, xs), InstKind::Pure(other, ys)) => {
                is_same_op(op, other) && self.all_equal(equal, xs, ys, deeper)
            }
            (InstKind::Load { buffer, index }, InstKind::Load { buffer: other, index: at }) => {
                buffer == other && !self.written.contains(buffer) && self.all_equal(equal, index, at, deeper)
            }
            _ => false,
        }
    }
}

pub(super) fn is_same_op(a: &Op, b: &Op) -> bool {
    match (a, b) {
        (Op::Float(a), Op::Float(b)) => a.to_bits() == b.to_bits(),
        _ => format!("{a:?}") == format!("{b:?}"),
    }
}
