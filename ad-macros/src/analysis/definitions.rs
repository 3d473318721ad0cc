//! How pure values are made, for passes that look at indices: literals, and places that move with a loop.

use crate::ir::{ForLoop, Func, InstKind, Op, Value, ValueMap};

/// Operation and operands of each pure value.
pub(crate) type Definitions = ValueMap<(Op, Vec<Value>)>;

/// The definitions in a function.
pub(crate) fn definitions(func: &Func) -> Definitions {
    let mut defs = Definitions::default();
    func.body.visit(&mut |inst| {
        if let InstKind::Pure(op, args) = &inst.kind {
            defs.insert(inst.results[0], (op.clone(), args.clone()));
        }
    });
    defs
}

/// An integer literal that is, or may be, a `usize`.
pub(crate) fn literal(defs: &Definitions, v: Value) -> Option<u64> {
    match defs.get(&v)? {
        (Op::Int(text), _) => text.trim_end_matches("usize").trim_end_matches('_').parse().ok(),
        _ => None,
    }
}

/// A value as another one plus what literals add to it.
pub(crate) fn base(defs: &Definitions, mut v: Value) -> (Value, i64) {
    let mut sum = 0;
    for _ in 0..8 {
        let literal = |v: Value| i64::try_from(literal(defs, v)?).ok().filter(|c| *c < 1 << 32);
        let (next, c) = match defs.get(&v) {
            Some((Op::Add, args)) => match (literal(args[0]), literal(args[1])) {
                (None, Some(c)) => (args[0], c),
                (Some(c), None) => (args[1], c),
                _ => break,
            },
            Some((Op::Sub, args)) => match literal(args[1]) {
                Some(c) => (args[0], -c),
                None => break,
            },
            _ => break,
        };
        sum += c;
        v = next;
    }
    (v, sum)
}

/// `c` if a value is `i + c`.
pub(crate) fn offset(defs: &Definitions, v: Value, i: Value) -> Option<i64> {
    if v == i {
        return Some(0);
    }
    let literal = |v: Value| i64::try_from(literal(defs, v)?).ok();
    match defs.get(&v)? {
        (Op::Add, args) if args[0] == i => literal(args[1]),
        (Op::Add, args) if args[1] == i => literal(args[0]),
        (Op::Sub, args) if args[0] == i => literal(args[1]).map(|c| -c),
        _ => None,
    }
}

/// Whether a value is `i + fixed` (true) or the same in all rounds (false); `None` if neither.
pub(crate) fn moves(l: &ForLoop, v: Value) -> Option<bool> {
    if l.body.args.contains(&v) {
        return (v == l.body.args[0]).then_some(true);
    }
    let Some(def) = l.body.insts.iter().find(|i| i.results.contains(&v)) else { return Some(false) };
    let InstKind::Pure(op, args) = &def.kind else { return None };
    let args: Vec<bool> = args.iter().map(|a| moves(l, *a)).collect::<Option<_>>()?;
    match (op, args.as_slice()) {
        (_, fixed) if !fixed.contains(&true) => Some(false),
        (Op::Add, [a, b]) if a != b => Some(true),
        (Op::Sub, [true, false]) => Some(true),
        _ => None,
    }
}

/// By how much an index grows from round to round, if by the same in all of them. `defs` are those of the whole function.
pub(crate) fn pace(defs: &Definitions, l: &ForLoop, v: Value) -> Option<u64> {
    if l.body.args.contains(&v) {
        return (v == l.body.args[0]).then_some(1);
    }
    if !l.body.insts.iter().any(|i| i.results.contains(&v)) {
        return Some(0);
    }
    let (op, args) = defs.get(&v)?;
    let paces: Vec<u64> = args.iter().map(|a| pace(defs, l, *a)).collect::<Option<_>>()?;
    match (op, paces.as_slice()) {
        (_, paces) if paces.iter().all(|n| *n == 0) => Some(0),
        (Op::Add, [a, b]) => a.checked_add(*b),
        (Op::Sub, [a, 0]) => Some(*a),
        (Op::Mul, [a, 0]) => a.checked_mul(literal(defs, args[1])?),
        (Op::Mul, [0, b]) => b.checked_mul(literal(defs, args[0])?),
        _ => None,
    }
}
