//! Loops in segments, so that their reversal needs little memory: `#[differentiable(checkpoint)]`.
//!
//! ```text
//! for i in lo..hi carrying c { .. }
//!     becomes      for start in (lo..hi).step_by(n) carrying c { for i in start..min(start + n, hi) carrying c { .. } }
//! ```
//!
//! Nothing else is needed: reverse replays the loop over segments, which saves what it carries once a segment, and within a
//! segment saves a round's state as it always does. Of `r` rounds that is `r / n + n` states in place of `r`, least for `n = √r`,
//! for one more run of the forward loop. (The scheme of two levels; Griewank and Walther, *Evaluating Derivatives* (2008),
//! ch. 12, has schedules of more.)

use crate::ir::{Block, ForLoop, Func, Inst, InstKind, Op, Snippet, Type, Value, Verbatim};

/// How many rounds a segment has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Every {
    Rounds(usize),
    /// About the square root of all rounds.
    Root,
}

/// Cuts the outermost loops that carry floats, or write and read buffers, into segments. `None` if there is none that can be
/// cut: a `for` over `lo..hi`.
pub(crate) fn in_segments(mut func: Func, every: Every) -> Option<Func> {
    let mut body = std::mem::take(&mut func.body);
    let found = in_block(&mut func, &mut body, every);
    func.body = body;
    found.then_some(func)
}

fn in_block(func: &mut Func, block: &mut Block, every: Every) -> bool {
    let mut found = false;
    let mut insts = Vec::with_capacity(block.insts.len());
    for mut inst in std::mem::take(&mut block.insts) {
        match &mut inst.kind {
            InstKind::For(l) if has_state(func, l) => {
                found = true;
                let l = std::mem::replace(l, plain(l.lo, l.hi, Vec::new(), Block::default()));
                cut(func, l, &inst.results, every, &mut insts);
                continue;
            }
            InstKind::If { then_block, else_block, .. } => {
                found |= in_block(func, then_block, every);
                found |= in_block(func, else_block, every);
            }
            _ => {}
        }
        insts.push(inst);
    }
    block.insts = insts;
    found
}

/// Whether a loop over `lo..hi` hands floats on from round to round.
fn has_state(func: &Func, l: &ForLoop) -> bool {
    let plain = !l.inclusive && !l.rev && !l.flipped && l.step.is_none() && !l.body.diverges;
    let reads = l.body.reads();
    let of_buffers = || l.body.writes().iter().any(|b| reads.contains(b) && func.buffer(*b).elem.is_float());
    plain && (l.inits.iter().any(|v| func.is_float(*v)) || of_buffers())
}

fn cut(func: &mut Func, l: ForLoop, results: &[Value], every: Every, out: &mut Vec<Inst>) {
    let copies = |func: &mut Func| -> Vec<Value> {
        l.inits
            .iter()
            .zip(&l.body.args[1..])
            .map(|(_, arg)| {
                let data = func.value(*arg).clone();
                func.new_value(data.ty, data.name)
            })
            .collect()
    };
    let (lo, hi) = (l.lo, l.hi);
    let [a, b, c] = [0, 1, 2].map(Verbatim::hole);
    let step = match every {
        Every::Rounds(n) => Inst {
            results: vec![func.new_value(Type::Int, None)],
            kind: InstKind::Pure(Op::Int(format!("{n}_usize").into()), Vec::new()),
        },
        Every::Root => {
            let rounds = format!("({a}..{b}).size_hint().0.isqrt().max(1)");
            verbatim(func, rounds, vec![lo, hi], "segment")
        }
    };
    let n = step.results[0];
    let start = func.new_value(Type::Int, Some("start".into()));
    let (args, last) = (copies(func), copies(func));
    // Of any integer type, without overflow.
    let end = verbatim(func, format!("({a}..{b}).nth({c}).unwrap_or({b})"), vec![start, hi, n], "end");
    let inner = plain(start, end.results[0], args.clone(), l.body);
    let inner = Inst { results: last.clone(), kind: InstKind::For(inner) };
    let args = std::iter::once(start).chain(args).collect();
    let body = Block { args, insts: vec![end, inner], yields: last, diverges: false };
    let outer = ForLoop { step: Some(n), ..plain(lo, hi, l.inits, body) };
    out.push(step);
    out.push(Inst { results: results.to_vec(), kind: InstKind::For(outer) });
}

fn verbatim(func: &mut Func, code: String, args: Vec<Value>, name: &str) -> Inst {
    let result = func.new_value(Type::Int, Some(name.into()));
    let op = Op::Verbatim(Verbatim::new(Snippet::written(code), Vec::new()));
    Inst { results: vec![result], kind: InstKind::Pure(op, args) }
}

fn plain(lo: Value, hi: Value, inits: Vec<Value>, body: Block) -> ForLoop {
    ForLoop { lo, hi, inclusive: false, rev: false, step: None, flipped: false, inits, body }
}
