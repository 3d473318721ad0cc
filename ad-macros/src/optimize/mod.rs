//! The optimiser: IR to IR, one file a pass. None changes what a function computes (beyond the order of sums, and the rounding of
//! derivatives, where a pass says so); each is verified after it has run, in tests.

pub(crate) mod accumulate;
pub(crate) mod between;
pub(crate) mod branches;
pub(crate) mod carried;
pub(crate) mod collect;
pub(crate) mod congruent;
pub(crate) mod copies;
pub(crate) mod dce;
mod doublings;
pub(crate) mod edges;
pub(crate) mod first_store;
pub(crate) mod fission;
pub(crate) mod flatten;
pub(crate) mod fold;
pub(crate) mod fuse;
pub(crate) mod gvn;
pub(crate) mod hoist;
pub(crate) mod induction;
pub(crate) mod kept;
pub(crate) mod lanes;
mod moves;
pub(crate) mod order;
pub(crate) mod overwritten;
pub(crate) mod parked;
pub(crate) mod powers;
pub(crate) mod quotients;
mod round;
pub(crate) mod scalars;
pub(crate) mod selection;
mod settled;
pub(crate) mod slices;
pub(crate) mod spans;
pub(crate) mod stacks;
mod terms;
pub(crate) mod triangles;
pub(crate) mod twins;
pub(crate) mod unflip;
pub(crate) mod unroll;
pub(crate) mod windows;

use std::sync::LazyLock;

use crate::effort::Effort;
use crate::ir::verify::verify;
use crate::ir::{Func, InstKind};

/// A pass and its name.
pub(crate) struct Pass {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Func) -> Func,
}

/// Those of the cheap passes that write sums and products anew. They cost most, and what they leave to do, they see at once.
const ALGEBRA: [&str; 2] = ["collect", "powers"];

/// The cheap passes, in order; run until nothing shrinks any more.
pub(crate) const PASSES: &[Pass] = &[
    Pass { name: "fold", run: fold::fold },
    Pass { name: "gvn", run: gvn::gvn },
    Pass { name: "collect", run: collect::collect },
    Pass { name: "powers", run: powers::powers },
    Pass { name: "copies", run: copies::copies },
    Pass { name: "carried", run: carried::carried },
    Pass { name: "congruent", run: congruent::congruent },
    Pass { name: "twins", run: twins::twins },
    Pass { name: "dce", run: dce::dce },
];

/// Optimises a function.
pub(crate) fn optimize(func: Func, effort: Effort) -> Func {
    run_passes(func, effort == Effort::Full)
}

/// As [`optimize`], after changes to where things are and how loops run: sums and products are what they were.
fn tidy(func: Func) -> Func {
    run_passes(func, false)
}

fn run_passes(mut func: Func, mut algebra: bool) -> Func {
    if func.settled.is_some_and(|settled| settled == settled::summary(&func)) {
        return func;
    }
    func.settled = None;
    // Each round enables the next; three see to nearly everything, and the bound keeps compile time in check. A pass runs again
    // once another has changed something that it may see.
    let mut wanted = [true; PASSES.len()];
    let (mut before, mut rewritten) = (Size::of(&func), false);
    for round in 0..4 {
        if round > 0 {
            algebra = std::mem::take(&mut rewritten);
        }
        for (k, pass) in PASSES.iter().enumerate() {
            let is_algebra = ALGEBRA.contains(&pass.name);
            if !std::mem::take(&mut wanted[k]) || is_algebra && !algebra {
                continue;
            }
            func = checked(pass, func);
            let now = Size::of(&func);
            if now != before {
                rewritten |= is_algebra;
                wanted[k + 1..].fill(true);
                for (other, wanted) in PASSES.iter().zip(&mut wanted[..=k]) {
                    *wanted |= enables(pass.name, other.name, now.memory != before.memory);
                }
            }
            before = now;
        }
        if !wanted.contains(&true) {
            break;
        }
    }
    func = checked(&Pass { name: "hoist", run: hoist::hoist }, func);
    let idle = wanted.iter().zip(PASSES).all(|(wanted, pass)| !wanted || ALGEBRA.contains(&pass.name));
    if idle {
        func.settled = Some(settled::summary(&func));
    }
    func
}

/// Whether what one pass has changed may be of use to itself, or to one that runs before it. `memory`: loops, or what is done to
/// buffers.
fn enables(pass: &str, other: &str, memory: bool) -> bool {
    match pass {
        // All that it can do it does in one run, and what comes later runs anyway.
        "fold" => false,
        "gvn" => other == "fold" || memory,
        // What is dead is not looked at; but two loads are equal where no store is between them.
        "dce" => memory && other != "fold",
        _ => true,
    }
}

/// Readies an optimised function for being differentiated: what need not be carried from round to round is not.
pub(crate) fn prepare(mut func: Func, effort: Effort) -> Func {
    if effort == Effort::Full {
        func = checked(&Pass { name: "unroll", run: unroll::unroll }, func);
        func = optimize(checked(&Pass { name: "scalars", run: scalars::scalars }, func), effort);
    }
    if !has_loops(&func) {
        return func;
    }
    let func = checked(&Pass { name: "induction", run: induction::induction }, func);
    let func = checked(&Pass { name: "selection", run: selection::selection }, func);
    optimize(func, effort)
}

/// Brings a value and its reverse sweep together: for functions that have just been reversed.
pub(crate) fn bring_together(mut func: Func, effort: Effort) -> Func {
    if !has_loops(&func) {
        return func;
    }
    func = checked(&Pass { name: "unflip", run: unflip::unflip }, func);
    // One level of nesting after the other: bounds of inner loops are equal once value numbering has seen them together.
    for _ in 0..LEVELS {
        let before = loops(&func);
        func = checked(&Pass { name: "fuse", run: fuse::fuse }, func);
        if loops(&func) == before {
            break;
        }
        func = optimize(func, effort);
    }
    func
}

/// How deep loops are fused.
const LEVELS: usize = 4;

/// The last passes, on a function that is printed next: they shape loops for the machine.
pub(crate) fn finish(func: Func, effort: Effort) -> Func {
    if effort == Effort::Plain {
        return finish_plain(func);
    }
    let straight = !has_loops(&func);
    // Before quotients are written anew, so that what is the same can be seen.
    let func = if straight { func } else { checked(&Pass { name: "kept", run: kept::kept }, func) };
    let func = shape(func);
    if straight {
        let func = checked(&Pass { name: "flatten", run: flatten::flatten }, func);
        let func = checked(&Pass { name: "slices", run: slices::slices }, func);
        let func = checked(&Pass { name: "order", run: order::order }, func);
        return checked(&Pass { name: "dce", run: dce::dce }, func);
    }
    let func = checked(&Pass { name: "parked", run: parked::parked }, func);
    finish_shaped(checked(&Pass { name: "lanes", run: lanes::lanes }, func))
}

/// The first of the last passes: how loops run, sum and store.
pub(crate) fn shape(func: Func) -> Func {
    let func = tidy(checked(&Pass { name: "edges", run: edges::edges }, func));
    let func = checked(&Pass { name: "quotients", run: quotients::quotients }, func);
    let func = checked(&Pass { name: "doublings", run: doublings::doublings }, func);
    let func = checked(&Pass { name: "branches", run: branches::branches }, func);
    if !has_loops(&func) {
        let func = checked(&Pass { name: "gvn", run: gvn::gvn }, func);
        return checked(&Pass { name: "first_store", run: first_store::first_store }, func);
    }
    let func = checked(&Pass { name: "overwritten", run: overwritten::overwritten }, func);
    let func = checked(&Pass { name: "unflip", run: unflip::unflip }, func);
    let func = checked(&Pass { name: "accumulate", run: accumulate::accumulate }, func);
    tidy(checked(&Pass { name: "first_store", run: first_store::first_store }, func))
}

/// The last of the last passes.
pub(crate) fn finish_shaped(func: Func) -> Func {
    let func = checked(&Pass { name: "stacks", run: stacks::stacks }, func);
    let func = checked(&Pass { name: "flatten", run: flatten::flatten }, func);
    let func = checked(&Pass { name: "slices", run: slices::slices }, func);
    let func = checked(&Pass { name: "fission", run: fission::fission }, tidy(func));
    let func = checked(&Pass { name: "triangles", run: triangles::triangles }, func);
    let func = checked(&Pass { name: "windows", run: windows::windows }, func);
    let func = checked(&Pass { name: "between", run: between::between }, func);
    let func = checked(&Pass { name: "order", run: order::order }, func);
    let func = checked(&Pass { name: "spans", run: spans::spans }, func);
    checked(&Pass { name: "dce", run: dce::dce }, func)
}

/// The last passes where the code need not be fast: those that leave less of it, and that which makes vectors of matrices, as
/// products of these want them.
fn finish_plain(func: Func) -> Func {
    let func = checked(&Pass { name: "branches", run: branches::branches }, func);
    let func = checked(&Pass { name: "first_store", run: first_store::first_store }, func);
    let func = if has_loops(&func) {
        tidy(checked(&Pass { name: "stacks", run: stacks::stacks }, func))
    } else {
        func
    };
    let func = checked(&Pass { name: "flatten", run: flatten::flatten }, func);
    let func = checked(&Pass { name: "slices", run: slices::slices }, func);
    checked(&Pass { name: "dce", run: dce::dce }, func)
}

fn checked(pass: &Pass, func: Func) -> Func {
    if is_off(pass.name) {
        return func;
    }
    let func = (pass.run)(func);
    if crate::ir::verify::is_on()
        && let Err(e) = verify(&func)
    {
        panic!("after {}: {e}\n{func}", pass.name);
    }
    func
}

/// Whether `AD_WITHOUT`, a list of passes' names with commas between them, names this one: what a pass is worth is measured so.
fn is_off(pass: &str) -> bool {
    static OFF: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("AD_WITHOUT").ok());
    OFF.as_ref().is_some_and(|list| list.split(',').any(|name| name.trim() == pass))
}

fn has_loops(func: &Func) -> bool {
    loops(func) > 0
}

fn loops(func: &Func) -> usize {
    let mut n = 0;
    func.body
        .visit(&mut |inst| n += usize::from(matches!(inst.kind, InstKind::For(_) | InstKind::While { .. })));
    n
}

/// How much there is of a function.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Size {
    /// Instructions and results.
    all: usize,
    /// Those that do more than compute a value of others.
    memory: usize,
}

impl Size {
    fn of(func: &Func) -> Size {
        let mut size = Size { all: 0, memory: 0 };
        func.body.visit(&mut |inst| {
            size.all += 1 + inst.results.len();
            size.memory += usize::from(!matches!(inst.kind, InstKind::Pure(..)));
        });
        size
    }
}
