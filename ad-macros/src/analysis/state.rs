//! Loops with a state: what a round computes is not linear in what the rounds before have left, so that a reversal needs that. What is
//! only summed up, or goes on linearly, is no state.

use rustc_hash::FxHashSet as HashSet;

use super::activity::Activity;
use crate::ir::{Block, ForLoop, Func, Inst, InstKind, Op, Value};

/// Whether an instruction is a loop that carries a state in scalars.
pub(crate) fn carries_state(func: &Func, active: &Activity, inst: &Inst) -> bool {
    let (body, first) = match &inst.kind {
        InstKind::For(l) => (&l.body, 1),
        InstKind::While { body, .. } => (body, 0),
        _ => return false,
    };
    let mut state: HashSet<Value> = body.args[first..].iter().copied().filter(|v| active.value(*v)).collect();
    !state.is_empty() && bends(func, active, body, &mut state)
}

/// Whether something in a block is not linear in what is made of `state`, which comes to hold all that is.
fn bends(func: &Func, active: &Activity, block: &Block, state: &mut HashSet<Value>) -> bool {
    block.insts.iter().any(|inst| match &inst.kind {
        InstKind::Pure(op, args) => {
            if !args.iter().any(|v| state.contains(v)) {
                return false;
            }
            state.extend(inst.results.iter().copied().filter(|r| func.is_float(*r)));
            match op {
                Op::Add | Op::Sub | Op::Neg | Op::Select | Op::Cast(_) => false,
                Op::Mul => args.iter().all(|v| active.value(*v)),
                Op::Div => active.value(args[1]),
                _ => active.value(inst.results[0]),
            }
        }
        InstKind::For(ForLoop { inits, body, .. }) => {
            let args = body.args[1..].iter().zip(inits).filter(|(_, init)| state.contains(init));
            let args: Vec<Value> = args.map(|(arg, _)| *arg).collect();
            state.extend(args);
            bends(func, active, body, state) || {
                state.extend(results_of(inst, body, state));
                false
            }
        }
        InstKind::If { then_block, else_block, .. } => [then_block, else_block].into_iter().any(|block| {
            bends(func, active, block, state) || {
                state.extend(results_of(inst, block, state));
                false
            }
        }),
        InstKind::Call(_) => {
            let mut used = false;
            inst.kind.each_operand(|v| used |= state.contains(&v));
            used
        }
        // Where it goes from a buffer is not followed.
        _ => false,
    })
}

/// Results of a loop or branch that come from the state.
fn results_of(inst: &Inst, block: &Block, state: &HashSet<Value>) -> Vec<Value> {
    let results = inst.results.iter().zip(&block.yields);
    results.filter(|(_, y)| state.contains(y)).map(|(r, _)| *r).collect()
}
