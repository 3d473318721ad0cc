//! Which loops can run side by side, and what of their bodies is gathered, computed and scattered. Nothing here changes a
//! function.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::inline;
use crate::analysis::activity::Activity;
use crate::analysis::definitions::{Definitions, moves, pace};
use crate::ir::{Buffer, ForLoop, Func, InstKind, Layout, Op, StoreMode, Type, Value};

/// Loads of every so many elements are still read where they are.
const STRIDE: u64 = 4;
/// So many sums are added up lane after lane, beside stores that go there anyway.
const BESIDE: usize = 6;

/// Whether a loop adds to memory that the primal value is made of: the order of such sums is the user's.
pub(super) fn adds_to_primal(l: &ForLoop, primal: &Activity) -> bool {
    l.body.insts.iter().any(|inst| {
        matches!(&inst.kind, InstKind::Store { buffer, mode: StoreMode::Add, .. } if primal.buffer(*buffer))
    })
}

/// What the instructions of a body are.
pub(super) struct Plan {
    /// Loads, integers, and floats made of integers: one round after the other.
    pub(super) gather: Vec<usize>,
    /// Those of the loads and stores whose elements lie side by side.
    pub(super) direct: Vec<usize>,
    /// Those of the loads that take every so many elements.
    pub(super) strided: Vec<usize>,
    /// Float arithmetic: all lanes at once.
    pub(super) compute: Vec<usize>,
    /// Signs of what is stored or added: with the stores, which subtract then.
    pub(super) late: Vec<usize>,
    /// Stores.
    pub(super) scatter: Vec<usize>,
    /// For each carried scalar: the terms that are added to it lane after lane, where their order matters, or where that
    /// costs least.
    pub(super) ordered: Vec<Option<Vec<Term>>>,
    /// Float operations of the arithmetic.
    pub(super) flops: usize,
    /// A round loads what it then overwrites.
    pub(super) rewrites: bool,
}

/// `sum + value` or `sum - value`.
pub(super) struct Term {
    pub(super) op: Op,
    pub(super) value: Value,
}

impl Plan {
    pub(super) fn of(
        func: &Func,
        defs: &Definitions,
        l: &ForLoop,
        results: &[Value],
        primal: &Activity,
    ) -> Option<Plan> {
        if l.step.is_some() || l.inclusive || l.rev != l.flipped || l.body.diverges {
            return None;
        }
        let written = l.body.writes();
        let mut computed: HashSet<Value> = l.body.args[1..].iter().copied().collect();
        let (mut gather, mut compute, mut scatter) = (Vec::new(), Vec::new(), Vec::new());
        let mut rewrites = false;
        for (at, inst) in l.body.insts.iter().enumerate() {
            let mut depends = false;
            match &inst.kind {
                InstKind::Store { index, mode, buffer, .. } => {
                    if index.iter().any(|i| computed.contains(i))
                        || *mode == StoreMode::Set && !is_own_place(l, *buffer, index)
                    {
                        return None;
                    }
                    scatter.push(at);
                    continue;
                }
                InstKind::Pure(Op::Verbatim(_) | Op::Custom(_), _) => return None,
                InstKind::Load { buffer, .. } if !written.contains(buffer) => {}
                InstKind::Load { buffer, index } if is_of_own_round(l, at, *buffer, index) => rewrites = true,
                InstKind::Pure(..) => {}
                _ => return None,
            }
            inst.kind.each_operand(|v| depends |= computed.contains(&v));
            let float = func.is_float(inst.results[0]);
            let made_of_float = match &inst.kind {
                InstKind::Pure(op, args) => {
                    !matches!(op, Op::Float(_)) && args.iter().any(|a| func.is_float(*a))
                }
                _ => false,
            };
            if depends || made_of_float {
                // Integers that depend on floats would have to be taken back to the gathering.
                if !float && *func.ty(inst.results[0]) != Type::Bool {
                    return None;
                }
                if matches!(inst.kind, InstKind::Load { .. }) {
                    return None;
                }
                computed.extend(inst.results.iter().copied());
                compute.push(at);
            } else {
                gather.push(at);
            }
        }
        if !indexes(l) {
            return None;
        }
        let moved = gather.iter().chain(&scatter).copied();
        let direct: Vec<usize> = moved.filter(|at| is_side_by_side(func, l, *at)).collect();
        let strided = gather.iter().copied().filter(|at| is_strided(func, defs, l, *at)).collect();

        // Sums only: each carried scalar is used once, in the chain that ends in its yield.
        let mut uses: HashMap<Value, usize> = HashMap::default();
        l.body.each_use(&mut |v| *uses.entry(v).or_default() += 1);
        let mut chains = Vec::new();
        for (arg, y) in l.body.args[1..].iter().zip(&l.body.yields) {
            chains.push(sum_chain(l, *arg, *y, &uses)?);
        }
        let cost = |at: &usize| match &l.body.insts[*at] {
            inst if matches!(inst.kind, InstKind::Pure(Op::Inline(_), _)) => inline::FLOPS,
            inst => usize::from(func.is_float(inst.results[0])),
        };
        let flops = compute.iter().map(cost).sum();

        let stored = |at: &usize| match &l.body.insts[*at].kind {
            InstKind::Store { value, .. } => Some(*value),
            _ => None,
        };
        let terms = |chain: &[usize]| -> Vec<Term> {
            let of = |at: &usize| match &l.body.insts[*at].kind {
                InstKind::Pure(op, args) => Some(Term { op: op.clone(), value: args[1] }),
                _ => None,
            };
            chain.iter().filter_map(of).collect()
        };
        // What only stores and sums take.
        let mut taken: HashMap<Value, usize> = HashMap::default();
        let values = scatter.iter().filter_map(stored);
        for v in values.chain(chains.iter().flat_map(|chain| terms(chain)).map(|term| term.value)) {
            *taken.entry(v).or_default() += 1;
        }
        let sign = |at: &usize| match &l.body.insts[*at].kind {
            InstKind::Pure(Op::Neg, args) if func.is_float(args[0]) && computed.contains(&args[0]) => {
                Some(args[0])
            }
            _ => None,
        };
        let result = |at: &usize| l.body.insts[*at].results[0];
        let is_late = |at: &usize| sign(at).is_some() && taken.get(&result(at)) == uses.get(&result(at));
        let late: Vec<usize> = compute.iter().copied().filter(is_late).collect();
        compute.retain(|at| !late.contains(at));

        // What stores take lane after lane can be added up there too.
        let mut at_hand: HashSet<Value> = HashSet::default();
        for at in scatter.iter().filter(|at| !direct.contains(at)) {
            at_hand.extend(stored(at));
        }
        let unsigned: Vec<Value> =
            late.iter().filter(|at| at_hand.contains(&result(at))).filter_map(sign).collect();
        at_hand.extend(unsigned);
        let beside = chains.len() <= BESIDE;
        let mut ordered = Vec::new();
        for (chain, sum) in chains.iter().zip(results) {
            let terms = terms(chain);
            let in_order = primal.value(*sum) || beside && terms.iter().all(|t| at_hand.contains(&t.value));
            if !in_order {
                ordered.push(None);
                continue;
            }
            compute.retain(|at| !chain.contains(at));
            ordered.push(Some(terms));
        }
        Some(Plan { gather, direct, strided, compute, late, scatter, ordered, flops, rewrites })
    }
}

/// Whether an instruction loads every so many elements, in the order of the rounds.
fn is_strided(func: &Func, defs: &Definitions, l: &ForLoop, at: usize) -> bool {
    let InstKind::Load { buffer, index } = &l.body.insts[at].kind else { return false };
    let Some((last, others)) = index.split_last() else { return false };
    let data = func.buffer(*buffer);
    data.field.is_none()
        && pace(defs, l, *last).is_some_and(|n| (2..=STRIDE).contains(&n))
        && others.iter().all(|i| moves(l, *i) == Some(false))
        && matches!(data.layout, Layout::Nested | Layout::Flat)
}

/// Whether an instruction loads from or stores to the place beside the one of the round before.
fn is_side_by_side(func: &Func, l: &ForLoop, at: usize) -> bool {
    let (InstKind::Load { buffer, index } | InstKind::Store { buffer, index, .. }) = &l.body.insts[at].kind
    else {
        return false;
    };
    let Some((last, others)) = index.split_last() else { return false };
    let data = func.buffer(*buffer);
    data.field.is_none()
        && moves(l, *last) == Some(true)
        && others.iter().all(|i| moves(l, *i) == Some(false))
        && matches!(data.layout, Layout::Nested | Layout::Flat)
}

/// Whether a store is the only one of a loop to its buffer, and each round's goes to a place of its own.
fn is_own_place(l: &ForLoop, buffer: Buffer, index: &[Value]) -> bool {
    let stores =
        l.body.insts.iter().filter(|i| matches!(i.kind, InstKind::Store { buffer: b, .. } if b == buffer));
    let [index] = index else { return false };
    stores.count() == 1 && moves(l, *index) == Some(true)
}

/// Whether a load is from where its round will store, and all that the loop does with the buffer is there.
fn is_of_own_round(l: &ForLoop, at: usize, buffer: Buffer, place: &[Value]) -> bool {
    is_own_place(l, buffer, place)
        && l.body.insts.iter().enumerate().all(|(k, inst)| match &inst.kind {
            InstKind::Load { buffer: b, index } if *b == buffer => index == place,
            InstKind::Store { buffer: b, index, mode, .. } if *b == buffer => {
                index == place && *mode == StoreMode::Set && k > at
            }
            kind => !kind.reads().contains(&buffer) && !kind.writes().contains(&buffer),
        })
}

/// Whether the loop variable is a `usize`: it, or arithmetic on it, is an index.
pub(super) fn indexes(l: &ForLoop) -> bool {
    let mut reached = HashSet::from_iter([l.body.args[0]]);
    let mut found = false;
    l.body.visit(&mut |inst| match &inst.kind {
        InstKind::Pure(Op::Add | Op::Sub | Op::Mul, args) if args.iter().any(|a| reached.contains(a)) => {
            reached.extend(inst.results.iter().copied());
        }
        InstKind::Load { index, .. } | InstKind::Store { index, .. } => {
            found |= index.iter().any(|i| reached.contains(i));
        }
        _ => {}
    });
    found
}

/// If `y` is `arg + ..`, with nothing else looking at the partial sums: where they are made, in order.
fn sum_chain(l: &ForLoop, arg: Value, y: Value, uses: &HashMap<Value, usize>) -> Option<Vec<usize>> {
    let mut at = y;
    let mut chain = Vec::new();
    loop {
        if uses.get(&at) != Some(&1) {
            return None;
        }
        if at == arg {
            chain.reverse();
            return Some(chain);
        }
        let def = l.body.insts.iter().position(|i| i.results.contains(&at))?;
        match &l.body.insts[def].kind {
            InstKind::Pure(Op::Add | Op::Sub, args) => at = args[0],
            _ => return None,
        }
        chain.push(def);
        // `e + arg` is not looked through: sums are built onto the carried scalar.
    }
}
