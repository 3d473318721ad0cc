//! Loops in segments, so that their reversal needs little memory: `#[differentiable(checkpoint)]`.
//!
//! ```text
//! for i in lo..hi carrying c { .. }
//!     becomes      for start in (lo..hi).step_by(n) carrying c { for i in start..min(start + n, hi) carrying c { .. } }
//!     or           for j in 0..s carrying c { for i in begin(s, 2, j)..begin(s, 2, j + 1) carrying c { .. } }
//! ```
//!
//! Nothing else is needed: reverse replays the loop over segments, which saves what it carries once a segment, and within a
//! segment saves a round's state as it always does, or cuts it again. A segment's share of the states is what those before it leave
//! it: the first segments are the longest. With `t` levels of loops `s` states reverse `C(s + t - 1, t)` rounds, which run `t` times
//! each, the binomial schedule of Griewank (1992), see `ad-runtime`'s `checkpoint`; two levels keep the states of `√(2r)` of `r` rounds.

use crate::ir::{Block, ForLoop, Func, Inst, InstKind, Op, Snippet, Type, Value, Verbatim};

/// How a loop is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Every {
    /// Into segments of so many rounds.
    Rounds(usize),
    /// By the binomial schedule, for so many more runs of the loop.
    Runs(u32),
}

/// Where segments begin, at run time.
const SCHEDULE: &str = "::ad_runtime::__private::checkpoint";

/// Cuts the outermost loops that carry floats, or write and read buffers, into segments. `None` if there is none that can be
/// cut: a `for` over `lo..hi`.
pub(crate) fn in_segments(mut func: Func, every: Every) -> Option<Func> {
    let mut body = std::mem::take(&mut func.body);
    let found = in_block(&mut func, &mut body, every);
    func.body = body;
    func.segmented = found;
    found.then_some(func)
}

fn in_block(func: &mut Func, block: &mut Block, every: Every) -> bool {
    let mut found = false;
    let mut insts = Vec::with_capacity(block.insts.len());
    for mut inst in std::mem::take(&mut block.insts) {
        match &mut inst.kind {
            InstKind::For(l) if has_state(func, l) => {
                found = true;
                let l = std::mem::replace(l, ForLoop::plain(l.lo, l.hi, Vec::new(), Block::default()));
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
    let reads = l.body.reads();
    let of_buffers = || l.body.writes().iter().any(|b| reads.contains(b) && func.buffer(*b).elem.is_float());
    l.is_plain() && (l.inits.iter().any(|v| func.is_float(*v)) || of_buffers())
}

fn cut(func: &mut Func, l: ForLoop, results: &[Value], every: Every, out: &mut Vec<Inst>) {
    match every {
        Every::Rounds(n) => in_steps(func, l, results, n, out),
        Every::Runs(runs) => {
            let levels = runs + 1;
            let code =
                format!("{SCHEDULE}::states(({A}..{B}).size_hint().0, {levels})", A = hole(0), B = hole(1));
            let states = verbatim(func, code, vec![l.lo, l.hi], "states");
            let left = states.results[0];
            out.push(states);
            in_levels(func, l, results, left, levels, out);
        }
    }
}

/// Segments of one length.
fn in_steps(func: &mut Func, l: ForLoop, results: &[Value], n: usize, out: &mut Vec<Inst>) {
    let (lo, hi) = (l.lo, l.hi);
    let step = Inst {
        results: vec![func.new_value(Type::Int, None)],
        kind: InstKind::Pure(Op::Int(format!("{n}_usize").into()), Vec::new()),
    };
    let n = step.results[0];
    let start = func.new_value(Type::Int, Some("start".into()));
    let (args, last) = (carried(func, &l), carried(func, &l));
    let end = nth(func, start, hi, n, "end");
    let inner = ForLoop::plain(start, end.results[0], args.clone(), l.body);
    let inner = Inst { results: last.clone(), kind: InstKind::For(inner) };
    let args = std::iter::once(start).chain(args).collect();
    let body = Block { args, insts: vec![end, inner], yields: last, diverges: false };
    let outer = ForLoop { step: Some(n), ..ForLoop::plain(lo, hi, l.inits, body) };
    out.push(step);
    out.push(Inst { results: results.to_vec(), kind: InstKind::For(outer) });
}

/// Segments that this many states suffice for, of so many levels, the innermost of which is the loop as it was.
fn in_levels(
    func: &mut Func,
    l: ForLoop,
    results: &[Value],
    states: Value,
    levels: u32,
    out: &mut Vec<Inst>,
) {
    if levels == 1 {
        out.push(Inst { results: results.to_vec(), kind: InstKind::For(l) });
        return;
    }
    let (lo, hi) = (l.lo, l.hi);
    let segment = func.new_value(Type::Int, Some("segment".into()));
    let (args, last) = (carried(func, &l), carried(func, &l));
    let [a, b] = [hole(0), hole(1)];
    let mut insts = Vec::new();
    let mut bound = |func: &mut Func, next: &str, name: &str| {
        let code = format!("{SCHEDULE}::begin({a}, {levels}, {b}{next})");
        let begin = verbatim(func, code, vec![states, segment], "begin");
        let at = nth(func, lo, hi, begin.results[0], name);
        let value = at.results[0];
        insts.extend([begin, at]);
        value
    };
    let (start, end) = (bound(func, "", "start"), bound(func, " + 1", "end"));
    let left = verbatim(func, format!("{a} - {b}"), vec![states, segment], "left");
    let states_left = left.results[0];
    insts.push(left);
    let inner = ForLoop::plain(start, end, args.clone(), l.body);
    in_levels(func, inner, &last, states_left, levels - 1, &mut insts);
    let zero = Inst {
        results: vec![func.new_value(Type::Int, None)],
        kind: InstKind::Pure(Op::Int("0_usize".into()), Vec::new()),
    };
    let args = std::iter::once(segment).chain(args).collect();
    let body = Block { args, insts, yields: last, diverges: false };
    let outer = ForLoop::plain(zero.results[0], states, l.inits, body);
    out.push(zero);
    out.push(Inst { results: results.to_vec(), kind: InstKind::For(outer) });
}

/// New values for what a loop carries.
fn carried(func: &mut Func, l: &ForLoop) -> Vec<Value> {
    let copy = |arg: &Value| {
        let data = func.value(*arg).clone();
        func.new_value(data.ty, data.name)
    };
    l.body.args[1..].iter().map(copy).collect()
}

fn hole(k: usize) -> String {
    Verbatim::hole(k)
}

/// `lo + n`, or `hi` if that is less: of any integer type, without overflow.
fn nth(func: &mut Func, lo: Value, hi: Value, n: Value, name: &str) -> Inst {
    let [a, b, c] = [0, 1, 2].map(hole);
    verbatim(func, format!("({a}..{b}).nth({c}).unwrap_or({b})"), vec![lo, hi, n], name)
}

fn verbatim(func: &mut Func, code: String, args: Vec<Value>, name: &str) -> Inst {
    let result = func.new_value(Type::Int, Some(name.into()));
    let op = Op::Verbatim(Verbatim::new(Snippet::written(code), Vec::new()));
    Inst { results: vec![result], kind: InstKind::Pure(op, args) }
}
