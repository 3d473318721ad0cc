//! The optimiser: IR to IR, one file a pass. None changes what a function computes (beyond the order of sums where
//! a pass says so); each is verified after it has run, in tests.

pub(crate) mod accumulate;
pub(crate) mod carried;
pub(crate) mod copies;
pub(crate) mod dce;
pub(crate) mod first_store;
pub(crate) mod flatten;
pub(crate) mod fold;
pub(crate) mod gvn;
pub(crate) mod hoist;
pub(crate) mod lanes;
pub(crate) mod unflip;
pub(crate) mod windows;

use crate::ir::verify::verify;
use crate::ir::{Func, InstKind};

/// A pass and its name.
pub(crate) struct Pass {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Func) -> Func,
}

/// The cheap passes, in order; run until nothing shrinks any more.
pub(crate) const PASSES: &[Pass] = &[
    Pass { name: "fold", run: fold::fold },
    Pass { name: "gvn", run: gvn::gvn },
    Pass { name: "copies", run: copies::copies },
    Pass { name: "carried", run: carried::carried },
    Pass { name: "dce", run: dce::dce },
];

/// Optimises a function.
pub(crate) fn optimize(mut func: Func) -> Func {
    // Each round enables the next; three see to nearly everything, and the bound keeps compile time in check.
    for _ in 0..4 {
        let before = size(&func);
        for pass in PASSES {
            func = checked(pass, func);
        }
        if size(&func) == before {
            break;
        }
    }
    checked(&Pass { name: "hoist", run: hoist::hoist }, func)
}

/// The last passes, on a function that is printed next: they shape loops for the machine.
pub(crate) fn finish(func: Func) -> Func {
    if !has_loops(&func) {
        let func = checked(&Pass { name: "first_store", run: first_store::first_store }, func);
        let func = checked(&Pass { name: "flatten", run: flatten::flatten }, func);
        return checked(&Pass { name: "dce", run: dce::dce }, func);
    }
    let func = checked(&Pass { name: "unflip", run: unflip::unflip }, func);
    let func = checked(&Pass { name: "accumulate", run: accumulate::accumulate }, func);
    let func = checked(&Pass { name: "first_store", run: first_store::first_store }, func);
    let func = checked(&Pass { name: "lanes", run: lanes::lanes }, optimize(func));
    let func = checked(&Pass { name: "flatten", run: flatten::flatten }, func);
    let func = checked(&Pass { name: "windows", run: windows::windows }, optimize(func));
    checked(&Pass { name: "dce", run: dce::dce }, func)
}

fn checked(pass: &Pass, func: Func) -> Func {
    let func = (pass.run)(func);
    if crate::ir::verify::is_on()
        && let Err(e) = verify(&func)
    {
        panic!("after {}: {e}\n{func}", pass.name);
    }
    func
}

fn has_loops(func: &Func) -> bool {
    let mut found = false;
    func.body.visit(&mut |inst| found |= matches!(inst.kind, InstKind::For(_) | InstKind::While { .. }));
    found
}

fn size(func: &Func) -> usize {
    let mut n = 0;
    func.body.visit(&mut |inst| n += 1 + inst.results.len());
    n
}
