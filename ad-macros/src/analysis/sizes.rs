//! Which integers are known to be `usize`: indices, lengths, and what shares a type with them. (Of other integers the IR knows
//! only that rustc knows.)

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::ir::walk::dim_values;
use crate::ir::{Binding, Block, Cmp, Func, InstKind, Op, Type, Value};

/// The integers of a function that are `usize` for sure.
pub(crate) fn sizes(func: &Func) -> HashSet<Value> {
    let mut classes =
        Classes { func, parent: HashMap::default(), known: Vec::new(), literals: HashSet::default() };
    for data in &func.buffers {
        dim_values(&data.dims).for_each(|v| classes.known.push(v));
    }
    let params = func.params.iter().filter(|p| p.size);
    classes.known.extend(params.filter_map(|p| match p.binding {
        Binding::Value(v) => Some(v),
        Binding::Buffer(_) => None,
    }));
    classes.block(&func.body);
    let known = std::mem::take(&mut classes.known);
    let roots: HashSet<Value> = known.iter().map(|v| classes.root(*v)).collect();
    // A constant by its name is opaque, and may be a length or a bound.
    let all = (0..func.values.len() as u32).map(Value);
    let all = all.filter(|v| matches!(func.ty(*v), Type::Int | Type::Opaque));
    all.filter(|v| roots.contains(&classes.root(*v))).collect()
}

struct Classes<'a> {
    func: &'a Func,
    parent: HashMap<Value, Value>,
    known: Vec<Value>,
    /// Numbers without a suffix: another type wherever they stand.
    literals: HashSet<Value>,
}

impl Classes<'_> {
    fn root(&mut self, v: Value) -> Value {
        let mut at = v;
        while let Some(up) = self.parent.get(&at) {
            at = *up;
        }
        if at != v {
            self.parent.insert(v, at);
        }
        at
    }

    fn join(&mut self, a: Value, b: Value) {
        if *self.func.ty(a) == Type::Int && *self.func.ty(b) == Type::Int {
            self.join_any(a, b);
        }
    }

    /// As [`Classes::join`], where Rust has it that the types are one.
    fn join_any(&mut self, a: Value, b: Value) {
        if self.literals.contains(&a) || self.literals.contains(&b) {
            return;
        }
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            self.parent.insert(a, b);
        }
    }

    fn joined(&mut self, a: &[Value], b: &[Value]) {
        a.iter().zip(b).for_each(|(a, b)| self.join(*a, *b));
    }

    fn block(&mut self, block: &Block) {
        for inst in &block.insts {
            match &inst.kind {
                InstKind::Pure(Op::Len(..), _) => self.known.push(inst.results[0]),
                InstKind::Pure(Op::Int(text), _) if text.ends_with("usize") => {
                    self.known.push(inst.results[0]);
                }
                InstKind::Pure(Op::Int(_), _) => {
                    self.literals.insert(inst.results[0]);
                }
                InstKind::Pure(Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem, args) => {
                    self.join(args[0], args[1]);
                    self.join(args[0], inst.results[0]);
                    self.join(args[1], inst.results[0]);
                }
                InstKind::Pure(Op::Select, args) => {
                    self.join(args[1], args[2]);
                    self.join(args[1], inst.results[0]);
                    self.join(args[2], inst.results[0]);
                }
                InstKind::Pure(Op::Cmp(Cmp::Eq | Cmp::Ne | Cmp::Lt | Cmp::Le | Cmp::Gt | Cmp::Ge), args) => {
                    self.join(args[0], args[1]);
                }
                InstKind::Load { index, .. } | InstKind::Store { index, .. } => {
                    self.known.extend(index.iter().copied().filter(|v| !self.literals.contains(v)));
                }
                InstKind::Grow { len, .. } => self.known.push(*len),
                InstKind::If { then_block, else_block, .. } => {
                    for side in [then_block, else_block] {
                        if !side.diverges {
                            self.joined(&side.yields, &inst.results);
                        }
                    }
                }
                InstKind::For(l) => {
                    self.join_any(l.lo, l.hi);
                    self.join(l.lo, l.body.args[0]);
                    self.join_any(l.hi, l.body.args[0]);
                    self.joined(&l.inits, &inst.results);
                    self.joined(&l.body.args[1..], &inst.results);
                    if !l.body.diverges {
                        self.joined(&l.body.yields, &inst.results);
                    }
                    self.known.extend(l.step);
                }
                InstKind::While { inits, cond_block, body } => {
                    self.joined(inits, &inst.results);
                    self.joined(&cond_block.args, &inst.results);
                    self.joined(&body.args, &inst.results);
                    if !body.diverges {
                        self.joined(&body.yields, &inst.results);
                    }
                }
                _ => {}
            }
            inst.kind.blocks().for_each(|b| self.block(b));
        }
    }
}
