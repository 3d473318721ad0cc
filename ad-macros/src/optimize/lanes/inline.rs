//! Calls into libm that become functions which LLVM makes vector code of ([`Op::Inline`]).
//!
//! A call takes one number at a time, so that a loop with one in it is scalar code as a whole. Where rounds run side by side anyway, the
//! exponential of 32 of them is straight code over 32 lanes. Its last bit may be another than libm's: only of what no promise depends
//! on ([`crate::analysis::activity::promised`]). In a Hessian-vector product, which
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

use super::rows::Context;
use super::write::{ROWS, Writer};
use super::{for_range, plain_loop, set};
use crate::analysis::activity::Activity;
use crate::analysis::definitions::Definitions;
use crate::analysis::replay::is_expensive;
use crate::ir::{Block, Cmp, FloatKind, ForLoop, Func, Inst, InstKind, Op, Type};

/// What one such function counts for, in float operations.
pub(super) const FLOPS: usize = 24;

/// A loop with such functions in the place of all its calls; `None` if it has none, or one that is not to be replaced.
pub(super) fn inlined(func: &Func, l: &ForLoop, promised: &Activity) -> Option<ForLoop> {
    let mut found = false;
    for inst in &l.body.insts {
        match &inst.kind {
            InstKind::Pure(op, _) if is_expensive(op) => {
                if !is_free(func, inst, promised) {
                    return None;
                }
                found = true;
            }
            kind if kind.blocks().next().is_some() => return None,
            _ => {}
        }
    }
    found.then(|| with_inline(l))
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

/// These rounds of straight code, if there are four, and else those of the loop as it was.
pub(super) fn all_rows(writer: &mut Writer<'_>, inlined: &ForLoop, few: &ForLoop, out: &mut Vec<Inst>) {
    let rows = writer.int(ROWS, out);
    let cond = writer.op(Op::Cmp(Cmp::Eq), vec![few.hi, rows], Type::Bool, None, out);
    let mut then_block = Block::default();
    let (lo, hi) = (writer.int(0, &mut then_block.insts), writer.int(ROWS, &mut then_block.insts));
    let row = writer.like(inlined.body.args[0]);
    let mut map = HashMap::from_iter([(inlined.body.args[0], row)]);
    let mut all = Block { args: vec![row], ..Block::default() };
    let straight: Vec<&Inst> = inlined.body.insts.iter().collect();
    writer.clone_insts(&straight, &mut map, &mut all.insts);
    then_block.insts.push(for_range(lo, hi, all));
    let few = Inst { results: Vec::new(), kind: InstKind::For(few.clone()) };
    let else_block = Block { insts: vec![few], ..Block::default() };
    out.push(Inst { results: Vec::new(), kind: InstKind::If { cond, then_block, else_block } });
}

/// Of a loop over rows, the calls of each row, and the rest, which finds their results in arrays.
pub(super) fn ahead(
    writer: &mut Writer<'_>,
    defs: &Definitions,
    l: &ForLoop,
    promised: &Activity,
) -> Option<(ForLoop, ForLoop)> {
    let context = Context::of(writer.func, defs, l);
    let mut calls: Vec<usize> = Vec::new();
    let mut needed: HashSet<usize> = HashSet::default();
    for (at, inst) in l.body.insts.iter().enumerate() {
        if let InstKind::Pure(_, args) = &inst.kind
            && is_free(writer.func, inst, promised)
        {
            let (mut seen, mut own) = (HashSet::default(), HashSet::default());
            if context.collect(args[0], &[], &mut seen, &mut own).is_some() {
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
    Some((plain_loop(l.lo, l.hi, first), rest))
}
