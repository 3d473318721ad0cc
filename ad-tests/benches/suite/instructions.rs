//! Instructions executed by one call, counted by callgrind: they don't depend on how busy the machine is. Needs `valgrind`; each
//! count is a run of this program under it.

use crate::functions::{CASES, Case, Kind};
use crate::table;
use std::process::Command;

/// What the child is told to do: this word, the number of the case, the number of the kind.
pub(crate) const ONCE: &str = "--once";

/// The function whose instructions, with all that it calls, are counted: valgrind is told its name.
#[inline(never)]
fn measured_call(case: &Case, kind: Kind, out: &mut [f64]) {
    case.run(kind, 1, out);
}

/// The child's part: one call of one kind.
pub(crate) fn once(case: usize, kind: usize) {
    let (name, make) = CASES[case];
    let case = make(name);
    let mut out = vec![0.0; case.x.len()];
    measured_call(&case, Kind::ALL[kind], &mut out);
    std::hint::black_box(out);
}

/// Instructions of one call of each kind, in the order of [`Kind::ALL`]; none where the case has no such run.
pub(crate) fn count(index: usize, case: &Case) -> Result<Vec<Option<f64>>, String> {
    let kinds = Kind::ALL.iter().enumerate();
    kinds.map(|(k, &kind)| case.has(kind).then(|| child(index, k)).transpose()).collect()
}

fn child(case: usize, kind: usize) -> Result<f64, String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*measured_call*"])
        .arg(this)
        .args([ONCE, &case.to_string(), &kind.to_string()])
        .output()
        .map_err(|e| format!("valgrind does not start: {e}"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    // "==123== Collected : 456"
    let collected = report.lines().find_map(|line| line.split_once("Collected :"));
    let number = collected.and_then(|(_, n)| n.trim().parse::<f64>().ok()).filter(|n| *n > 0.0);
    number.ok_or_else(|| format!("callgrind counted nothing: {report}"))
}

/// The table of ratios of instructions.
pub(crate) fn print(chosen: &[usize]) -> Result<(), String> {
    table::print_head("H, 10^3");
    for &index in chosen {
        let (name, make) = CASES[index];
        let case = make(name);
        let row = table::Row::new(&case, count(index, &case)?);
        table::print_row(&row, 1e-3);
    }
    println!("\nRatios of instructions executed by one call, as callgrind counts them.");
    table::print_legend();
    Ok(())
}
