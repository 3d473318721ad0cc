//! The table of ratios of times.

use crate::functions::{CASES, Case, Kind};
use crate::interleaved::interleaved;
use crate::table::{self, Row};

/// The table of ratios of times; prints each row when it is there.
pub(crate) fn print(chosen: &[usize], rounds: usize) -> Vec<Row> {
    table::print_head("H, us");
    let mut rows = Vec::new();
    for &index in chosen {
        let (name, make) = CASES[index];
        let case = make(name);
        let row = Row::new(&case, times(&case, rounds));
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
fn times(case: &Case, rounds: usize) -> Vec<Option<f64>> {
    let runs =
        Kind::ALL.into_iter().filter(|kind| case.has(*kind)).map(|kind| case.repeatedly(kind)).collect();
    let mut least = interleaved(runs, rounds).into_iter();
    Kind::ALL.iter().map(|kind| if case.has(*kind) { least.next() } else { None }).collect()
}
