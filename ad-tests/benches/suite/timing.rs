//! Interleaved least-of-rounds timing: on a shared machine speed drifts by tens of percent within seconds, so everything that is
//! compared takes turns, round after round, and the least time of each counts. (criterion measures one function after the other,
//! so its ratios carry that drift.)

use crate::functions::{CASES, Case, Kind};
use crate::table::{self, Row};
use std::time::Instant;

/// A sample lasts about this long, in seconds.
const SAMPLE: f64 = 3e-3;

/// The table of ratios of times; prints each row when it is there.
pub(crate) fn print(chosen: &[usize], rounds: usize) -> Vec<Row> {
    table::print_head("H, us");
    let mut rows = Vec::new();
    for &index in chosen {
        let (name, make) = CASES[index];
        let case = make(name);
        let row = Row::new(&case, interleaved(&case, rounds));
        table::print_row(&row, 1e6);
        rows.push(row);
    }
    println!("\nRatios of least times of {rounds} interleaved rounds; {}.", target());
    table::print_legend();
    rows
}

fn target() -> &'static str {
    if cfg!(target_feature = "avx512f") {
        "built for a CPU with AVX-512"
    } else if cfg!(target_feature = "avx2") {
        "built for a CPU with AVX2"
    } else {
        "built for the target's baseline CPU"
    }
}

/// Seconds a call of each kind, in the order of [`Kind::ALL`]; none where the case has no such run.
fn interleaved(case: &Case, rounds: usize) -> Vec<Option<f64>> {
    let mut out = vec![0.0; case.x.len()];
    let mut time = |kind, calls| {
        let start = Instant::now();
        case.run(kind, calls, &mut out);
        start.elapsed().as_secs_f64() / calls as f64
    };
    let calls_for = |seconds: f64| (SAMPLE / seconds.max(1e-9)).clamp(1.0, 1e7) as u64;
    let calls: Vec<Option<u64>> = Kind::ALL
        .iter()
        .map(|&kind| {
            case.has(kind).then(|| {
                // The first call is cold: it only says how many to take for the estimate.
                let rough = calls_for(10.0 * time(kind, 1));
                calls_for(time(kind, rough))
            })
        })
        .collect();
    let mut least: Vec<Option<f64>> = vec![None; Kind::ALL.len()];
    for _ in 0..rounds {
        for ((&kind, calls), least) in Kind::ALL.iter().zip(&calls).zip(&mut least) {
            if let Some(calls) = *calls {
                let seconds = time(kind, calls);
                *least = Some(least.map_or(seconds, |l: f64| l.min(seconds)));
            }
        }
    }
    least
}
