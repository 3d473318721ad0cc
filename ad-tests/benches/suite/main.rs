//! Gradients and Hessian-vector products of the suite, as ratios measured in one run: `cargo bench -p ad-tests --bench suite`.
//!
//! Arguments: words select cases whose name contains one of them; `--rounds N` (default 25).
//! On a shared machine, pin it to a core: `taskset -c 1 cargo bench -p ad-tests --bench suite`.

mod functions;
mod table;
mod timing;

use functions::Case;

fn main() {
    let mut words = Vec::new();
    let mut rounds = 25;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {} // Cargo says so.
            "--rounds" => {
                rounds = arguments.next().and_then(|n| n.parse().ok()).expect("--rounds takes a number");
            }
            _ => words.push(argument),
        }
    }
    let chosen = |case: &Case| words.is_empty() || words.iter().any(|w| case.name.contains(w.as_str()));
    table::print_head();
    for case in functions::all().iter().filter(|case| chosen(case)) {
        table::print_row(&table::Row::measure(case, rounds));
    }
    table::print_foot(rounds);
}
