//! One application of the linearised Hessian, against one Hessian-vector product and one evaluation of the function:
//! `cargo bench -p ad-tests --bench linearize`.
//!
//! First a table of ratios over all functions of the suite: what is compared takes turns, round after round, and the least
//! time of each counts (the machine's speed drifts; criterion times one thing after the other). Then criterion on the three
//! functions of [`CHOSEN`]; `-- WORD` limits both to the functions whose names contain it.
#![allow(missing_docs)]

#[allow(dead_code, unused_imports)]
#[path = "suite/functions/mod.rs"]
mod functions;
#[path = "suite/interleaved.rs"]
mod interleaved;

use criterion::Criterion;
use functions::{CASES, Case, Kind};
use interleaved::interleaved;
use std::hint::black_box;

/// A reduction, a network, a loop with carried state.
const CHOSEN: [&str; 3] = ["logistic 1000 x 30", "MLP 16-32-4, batch 128", "Lorenz RK4, 1000 steps"];

const ROUNDS: usize = 25;

/// The row of a case.
fn row(case: &Case) {
    let linearized = case.linearize();
    let mut out = vec![0.0; case.x.len()];
    let least = interleaved(
        vec![
            case.repeatedly(Kind::Primal),
            case.repeatedly(Kind::Gradient),
            case.repeatedly(Kind::Hvp),
            Box::new(|calls| {
                for _ in 0..calls {
                    black_box(case.linearize());
                }
            }),
            Box::new(|calls| {
                for _ in 0..calls {
                    linearized.operator.apply(black_box(&case.v), black_box(&mut out));
                }
            }),
        ],
        ROUNDS,
    );
    let [primal, gradient, hvp, linearize, application] = least[..] else { unreachable!("a time for each") };
    println!(
        "{:24}{:>12.2}{:>12.2}{:>12.2}{:>12.2}{:>12}",
        case.name,
        application / hvp,
        application / primal,
        hvp / primal,
        linearize / gradient,
        linearized.memory
    );
}

fn main() {
    let word = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    let cases = CASES.iter().filter(|(name, _)| name.contains(&word));
    println!(
        "{:24}{:>12}{:>12}{:>12}{:>12}{:>12}",
        "", "apply/hvp", "apply/f", "hvp/f", "lin./grad", "bytes kept"
    );
    for (name, make) in cases.clone() {
        row(&make(name));
    }
    println!(
        "\nRatios of least times of {ROUNDS} interleaved rounds. apply: one application of f_linearize; lin.: making it, \
         value and\ngradient included; bytes kept: what it holds beside the gradient.\n"
    );
    let mut criterion = Criterion::default().configure_from_args();
    for (name, make) in cases.filter(|(name, _)| CHOSEN.contains(name)) {
        let case = make(name);
        let linearized = case.linearize();
        let mut out = vec![0.0; case.x.len()];
        let mut group = criterion.benchmark_group(*name);
        group.bench_function("primal", |b| b.iter(|| case.run(Kind::Primal, 1, &mut out)));
        group.bench_function("hvp", |b| b.iter(|| case.run(Kind::Hvp, 1, &mut out)));
        group.bench_function("application of the linearised operator", |b| {
            b.iter(|| linearized.operator.apply(black_box(&case.v), black_box(&mut out)));
        });
        group.finish();
    }
    criterion.final_summary();
}
