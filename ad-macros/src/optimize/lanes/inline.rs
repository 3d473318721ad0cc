//! Calls into libm that become functions which LLVM makes vector code of ([`Op::Inline`]).
//!
//! A call takes one number at a time, so that a loop with one in it is scalar code as a whole. Where rounds run side by side anyway, the
//! exponential of 32 of them is straight code over 32 lanes. Its last bit may be another than libm's: only of what no promise depends
//! on, which is values that the user's function returns, and what a comparison decides by. In a Hessian-vector product, which
//! returns no value, that is nearly everything.
//!
//! Rounds of four rows ([`super::rows`]) are too few for lanes of 32, but their number is known: all four at once where there are four,
//! the calls where there are less. What else a row does, with loops of its own, comes after a loop of the calls alone:
//!
//! ```text
//! for row in 0..count { a = ..; e = exp(a); .. for j in .. }      becomes
//! for row in 0..count { a = ..; e_rows[row] = exp(a) }      for row in 0..count { e = e_rows[row]; .. for j in .. }
//! ```

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::set;
use super::write::{ROWS, Writer, made, runs_again, written};
use crate::analysis::activity::Activity;
use crate::analysis::definitions::{Definitions, literal};
use crate::analysis::replay::is_expensive;
use crate::ir::{Binary, Block, Buffer, Cmp, FloatKind, ForLoop, Func, Inst, InstKind, Op, Type, Value};

/// What one such function counts for, in float operations.
pub(super) const FLOPS: usize = 24;

/// A loop with such functions in the place of all its calls; `None` if it has none, or one that is not to be replaced.
pub(super) fn inlined(func: &Func, l: &ForLoop, promised: &Activity) -> Option<ForLoop> {
    let mut found = false;
    for inst in &l.body.insts {
        match &inst.kind {
            InstKind::Pure(op, _) if is_expensive(op) => {
                is_free(func, inst, promised).then_some(op)?;
                found = true;
            }
            kind if kind.blocks().next().is_some() => return None,
            _ => {}
        }
    }
    if !found {
        return None;
    }
    Some(with_inline(l))
}

/// Whether an instruction calls what there is a function for, and may round as that does.
fn is_free(func: &Func, inst: &Inst, promised: &Activity) -> bool {
    let InstKind::Pure(Op::Unary(f), _) = &inst.kind else { return false };
    let result = inst.results[0];
    f.is_inline() && !promised.value(result) && *func.ty(result) == Type::Float(FloatKind::F64)
}

/// A loop of which all calls are free.
pub(super) fn with_inline(l: &ForLoop) -> ForLoop {
    let mut l = l.clone();
    for inst in &mut l.body.insts {
        if let InstKind::Pure(op, _) = &mut inst.kind
            && let Op::Unary(f) = op
            && f.is_inline()
        {
            *op = Op::Inline(*f);
        }
    }
    l
}

/// How many such functions a loop has.
pub(super) fn calls(l: &ForLoop) -> usize {
    l.body.insts.iter().filter(|inst| matches!(inst.kind, InstKind::Pure(Op::Inline(_), _))).count()
}

/// Whether a loop is over up to four rows.
pub(super) fn is_of_rows(defs: &Definitions, l: &ForLoop) -> bool {
    let rows = ROWS as u64;
    literal(defs, l.lo) == Some(0)
        && matches!(defs.get(&l.hi), Some((Op::Binary(Binary::Min), args)) if literal(defs, args[1]) == Some(rows))
}

/// These rounds, if there are four, and else those of the loop as it was.
pub(super) fn all_rows(func: &mut Func, inlined: &ForLoop, few: &ForLoop, out: &mut Vec<Inst>) {
    let mut int = |n: usize, out: &mut Vec<Inst>| {
        let v = func.new_value(Type::Int, None);
        out.push(Inst {
            results: vec![v],
            kind: InstKind::Pure(Op::Int(format!("{n}_usize").into()), vec![]),
        });
        v
    };
    let rows = int(ROWS, out);
    let mut insts = Vec::new();
    let (lo, hi) = (int(0, &mut insts), int(ROWS, &mut insts));
    let cond = func.new_value(Type::Bool, None);
    let kind = InstKind::Pure(Op::Cmp(Cmp::Eq), vec![few.hi, rows]);
    out.push(Inst { results: vec![cond], kind });
    let all = ForLoop { lo, hi, ..again(func, inlined) };
    insts.push(Inst { results: Vec::new(), kind: InstKind::For(all) });
    let then_block = Block { insts, ..Block::default() };
    let few = Inst { results: Vec::new(), kind: InstKind::For(few.clone()) };
    let else_block = Block { insts: vec![few], ..Block::default() };
    out.push(Inst { results: Vec::new(), kind: InstKind::If { cond, then_block, else_block } });
}

/// Of a loop over rows, the calls of each row, and the rest, which finds their results in arrays (`arrays` gets the declarations).
pub(super) fn ahead(
    func: &mut Func,
    l: &ForLoop,
    promised: &Activity,
    arrays: &mut Vec<Inst>,
) -> Option<(ForLoop, ForLoop)> {
    let context = Ahead { l, written: written(&l.body), made: made(&l.body) };
    let mut calls: Vec<usize> = Vec::new();
    let mut needed: HashSet<usize> = HashSet::default();
    for (at, inst) in l.body.insts.iter().enumerate() {
        if let InstKind::Pure(_, args) = &inst.kind
            && is_free(func, inst, promised)
        {
            let mut own = HashSet::default();
            if context.collect(func, args[0], &mut own).is_some() {
                needed.extend(own);
                calls.push(at);
            }
        }
    }
    if calls.is_empty() {
        return None;
    }
    needed.extend(&calls);
    let mut needed: Vec<usize> = needed.into_iter().collect();
    needed.sort_unstable();
    let insts: Vec<&Inst> = needed.iter().map(|at| &l.body.insts[*at]).collect();
    let mut writer = Writer { func, arrays, together: &mut HashSet::default() };
    let row = writer.like(l.body.args[0]);
    let mut map = HashMap::from_iter([(l.body.args[0], row)]);
    let mut first = Block { args: vec![row], ..Block::default() };
    writer.clone_insts(&insts, &mut map, &mut first.insts);
    let mut rest = l.clone();
    for at in calls {
        let inst = &mut rest.body.insts[at];
        let result = inst.results[0];
        let buffer = writer.array(result);
        first.insts.push(set(buffer, row, map[&result]));
        inst.kind = InstKind::Load { buffer, index: vec![l.body.args[0]] };
    }
    Some((ForLoop { body: first, inits: Vec::new(), ..rest.clone() }, rest))
}

struct Ahead<'a> {
    l: &'a ForLoop,
    written: HashSet<Buffer>,
    made: HashMap<Value, usize>,
}

impl Ahead<'_> {
    /// Adds where a value comes from. `None` if it cannot be computed before the loop.
    fn collect(&self, func: &Func, v: Value, needed: &mut HashSet<usize>) -> Option<()> {
        if self.l.body.args[1..].contains(&v) {
            return None;
        }
        let Some(at) = self.made.get(&v) else { return Some(()) };
        let inst = &self.l.body.insts[*at];
        if !needed.insert(*at) {
            return Some(());
        }
        if !runs_again(func, inst, &self.written) {
            return None;
        }
        let mut operands = Vec::new();
        inst.kind.each_operand(|v| operands.push(v));
        operands.into_iter().try_for_each(|v| self.collect(func, v, needed))
    }
}

/// A loop of straight code, with values of its own.
fn again(func: &mut Func, l: &ForLoop) -> ForLoop {
    let mut l = l.clone();
    let mut new: HashMap<Value, Value> = HashMap::default();
    let results = l.body.insts.iter_mut().flat_map(|inst| &mut inst.results);
    for v in l.body.args.iter_mut().chain(results) {
        let copy = func.like(*v);
        new.insert(*v, copy);
        *v = copy;
    }
    l.body.map_uses(&mut |v| new.get(&v).copied().unwrap_or(v));
    l
}
