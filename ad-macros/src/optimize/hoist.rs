//! Hoists the allocation of heap buffers out of loops, so that a scratch vector is allocated once and reused.
//!
//! A buffer declared in a loop body, whose length does not change in the loop, is declared before the loop
//! instead; each round fills it anew, unless the round overwrites all of it first. Sound because nothing of the
//! buffer lives from one round to the next: its `Alloc` started a new life there. Arrays stay where they are:
//! they live on the stack.

use rustc_hash::FxHashSet as HashSet;

use crate::analysis::overwrite::Defs;
use crate::ir::{Block, Dim, Func, Inst, InstKind, Op, Value};

/// Runs the pass.
pub(crate) fn hoist(mut func: Func) -> Func {
    if !declares_in_loops(&func.body, false) {
        return func;
    }
    let before = func.clone();
    let defs = Defs::new(&before);
    let mut body = std::mem::take(&mut func.body);
    in_block(&mut func, &defs, &mut body);
    func.body = body;
    func
}

/// Whether a loop declares a buffer.
fn declares_in_loops(block: &Block, in_loop: bool) -> bool {
    block.insts.iter().any(|inst| {
        let is_loop = matches!(inst.kind, InstKind::For(_) | InstKind::While { .. });
        in_loop && matches!(inst.kind, InstKind::Alloc { .. })
            || inst.kind.blocks().any(|b| declares_in_loops(b, in_loop || is_loop))
    })
}

fn in_block(func: &mut Func, defs: &Defs<'_>, block: &mut Block) {
    let mut insts = Vec::with_capacity(block.insts.len());
    for mut inst in std::mem::take(&mut block.insts) {
        for nested in inst.kind.blocks_mut() {
            in_block(func, defs, nested);
        }
        if let InstKind::For(_) | InstKind::While { .. } = inst.kind
            && let Some(body) = inst.kind.blocks_mut().last()
        {
            insts.extend(out_of_loop(func, defs, body));
        }
        insts.push(inst);
    }
    block.insts = insts;
}

/// Takes what can go out of a loop body; returns what to put before the loop.
fn out_of_loop(func: &mut Func, defs: &Defs<'_>, body: &mut Block) -> Vec<Inst> {
    let mut inside: HashSet<Value> = body.args.iter().copied().collect();
    body.visit(&mut |inst| {
        inside.extend(inst.results.iter().copied());
        inst.kind.blocks().for_each(|b| inside.extend(b.args.iter().copied()));
    });
    let mut out = Vec::new();
    let mut at = 0;
    while at < body.insts.len() {
        let InstKind::Alloc { buffer, fill } = body.insts[at].kind else {
            at += 1;
            continue;
        };
        let dims = func.buffer(buffer).dims.clone();
        let on_heap = dims.iter().any(|d| matches!(d, Dim::Dyn(_)));
        let fixed = dims.iter().all(|d| !matches!(d, Dim::Dyn(v) if inside.contains(v)));
        let constant = body.insts.iter().find(|i| i.results.contains(&fill)).map(|i| i.kind.clone());
        let fill_outside = match (inside.contains(&fill), constant) {
            (false, _) => Some(fill),
            (true, Some(InstKind::Pure(op @ (Op::Float(_) | Op::Int(_) | Op::Bool(_)), _)))
                if on_heap && fixed =>
            {
                let copy = func.new_value(func.ty(fill).clone(), None);
                out.push(Inst { results: vec![copy], kind: InstKind::Pure(op, Vec::new()) });
                Some(copy)
            }
            _ => None,
        };
        let Some(outside) = fill_outside.filter(|_| on_heap && fixed) else {
            at += 1;
            continue;
        };
        out.push(Inst { results: Vec::new(), kind: InstKind::Alloc { buffer, fill: outside } });
        if defs.overwrites_first(&body.insts[at + 1..], buffer) {
            body.insts.remove(at);
        } else {
            body.insts[at].kind = InstKind::Fill { buffer, value: fill };
            at += 1;
        }
    }
    out
}
