//! Hoists the allocation of heap buffers out of loops, so that a scratch vector is allocated once and reused.
//!
//! A buffer declared in a loop body, whose length does not change in the loop, is declared before the loop
//! instead; each round fills it anew, unless the round overwrites all of it first. Sound because nothing of the
//! buffer lives from one round to the next: its `Alloc` started a new life there. Arrays stay where they are:
//! they live on the stack.
//!
//! A length that each round computes from what is the same in all is computed in front of the loop, if that has a round: else a division
//! by zero would panic that never did.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::analysis::overwrite::Defs;
use crate::ir::walk::dim_values;
use crate::ir::{Binary, Block, Cmp, Dim, ForLoop, Func, Inst, InstKind, Op, Type, Value};

/// Runs the pass.
pub(crate) fn hoist(mut func: Func) -> Func {
    if !declares_in_loops(&func.body, false) {
        return func;
    }
    let mut body = std::mem::take(&mut func.body);
    lengths(&mut func, &mut body);
    func.body = body;
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

fn lengths(func: &mut Func, block: &mut Block) {
    let mut insts = Vec::with_capacity(block.insts.len());
    for mut inst in std::mem::take(&mut block.insts) {
        for nested in inst.kind.blocks_mut() {
            lengths(func, nested);
        }
        if let InstKind::For(l) = &mut inst.kind {
            insts.extend(lengths_out_of_loop(func, l));
        }
        insts.push(inst);
    }
    block.insts = insts;
}

/// Takes the lengths of vectors that are the same in all rounds out of a loop, which may have none: then they are zero. Each round
/// computes them first, so that a division by zero panics where it did.
fn lengths_out_of_loop(func: &mut Func, l: &mut ForLoop) -> Vec<Inst> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < l.body.insts.len() {
        let harmless = match &l.body.insts[at].kind {
            InstKind::Pure(op, _) => !matches!(op, Op::Verbatim(_) | Op::Custom(_)),
            InstKind::Load { .. } | InstKind::Alloc { .. } => true,
            _ => false,
        };
        if !harmless || l.step.is_some() || l.inclusive {
            break;
        }
        if let InstKind::Alloc { buffer, .. } = l.body.insts[at].kind {
            let lens: Vec<Value> = dim_values(&func.buffer(buffer).dims).collect();
            for len in lens {
                let mut chain = Vec::new();
                if is_same_in_all(func, &l.body, len, &mut chain) && !chain.is_empty() {
                    chain.sort_unstable();
                    chain.dedup();
                    let outside = once(func, l, len, &chain, &mut out);
                    l.body.map_uses(&mut |v| if v == len { outside } else { v });
                    for data in &mut func.buffers {
                        for dim in &mut data.dims {
                            if *dim == Dim::Dyn(len) {
                                *dim = Dim::Dyn(outside);
                            }
                        }
                    }
                }
            }
        }
        at += 1;
    }
    out
}

/// Whether an integer is computed, directly in a body, of what is not made in it; and by which instructions.
fn is_same_in_all(func: &Func, body: &Block, v: Value, chain: &mut Vec<usize>) -> bool {
    if body.args.contains(&v) || chain.len() > 8 {
        return false;
    }
    let Some(at) = body.insts.iter().position(|inst| inst.results.contains(&v)) else { return true };
    let allocs = body.allocs();
    chain.push(at);
    match &body.insts[at].kind {
        InstKind::Pure(Op::Len(b, _), _) => !allocs.contains(b) && !func.buffer(*b).grows,
        InstKind::Pure(
            Op::Int(_) | Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem | Op::Binary(Binary::Min),
            args,
        ) => args.iter().all(|a| is_same_in_all(func, body, *a, chain)),
        _ => false,
    }
}

/// Computes a length in front of a loop, if that has a round.
fn once(func: &mut Func, l: &ForLoop, len: Value, chain: &[usize], out: &mut Vec<Inst>) -> Value {
    let mut copies: HashMap<Value, Value> = HashMap::default();
    let mut then_block = Block::default();
    for at in chain {
        let mut inst = l.body.insts[*at].clone();
        inst.kind.map_operands(|v| *copies.get(&v).unwrap_or(&v));
        for r in &mut inst.results {
            let new = func.like(*r);
            copies.insert(*r, new);
            *r = new;
        }
        then_block.insts.push(inst);
    }
    then_block.yields.push(copies[&len]);
    let zero = func.new_value(Type::Int, None);
    let none = InstKind::Pure(Op::Int("0_usize".into()), Vec::new());
    let else_block = Block {
        insts: vec![Inst { results: vec![zero], kind: none }],
        yields: vec![zero],
        ..Block::default()
    };
    let cond = func.new_value(Type::Bool, None);
    let runs = InstKind::Pure(Op::Cmp(Cmp::Lt), vec![l.lo, l.hi]);
    out.push(Inst { results: vec![cond], kind: runs });
    let outside = func.like(len);
    out.push(Inst { results: vec![outside], kind: InstKind::If { cond, then_block, else_block } });
    outside
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
