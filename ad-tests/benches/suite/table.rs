//! The table: which ratios it shows, and how.

use crate::functions::{COLUMNS, Case, Kind};
use crate::timing;
use allocation_counter::measure;

/// A column of ratios; `over` counts as often as it is needed for what `of` computes.
pub(crate) struct Ratio {
    pub(crate) title: &'static str,
    pub(crate) of: Kind,
    pub(crate) over: Kind,
}

/// The ratios, in the order of the table.
pub(crate) const RATIOS: &[Ratio] = &[
    Ratio { title: "g/primal", of: Kind::Gradient, over: Kind::Primal },
    Ratio { title: "g/hand", of: Kind::Gradient, over: Kind::GradientByHand },
    Ratio { title: "H/primal", of: Kind::Hvp, over: Kind::Primal },
    Ratio { title: "H/g", of: Kind::Hvp, over: Kind::Gradient },
    Ratio { title: "H/hand", of: Kind::Hvp, over: Kind::HvpByHand },
    Ratio { title: "H/num-dual", of: Kind::Hvp, over: Kind::DualSweep },
];

/// What is measured on one case.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Seconds for the whole of each kind.
    pub(crate) seconds: Vec<Option<f64>>,
    /// Number of allocations and most bytes held at a time: of the gradient, of the product.
    memory: [(u64, u64); 2],
}

impl Row {
    pub(crate) fn measure(case: &Case, rounds: usize) -> Row {
        let mut seconds = timing::interleaved(case, &Kind::ALL, rounds);
        // One sweep was timed; a whole product takes one for every few components.
        let sweeps = case.x.len().div_ceil(COLUMNS) as f64;
        let dual = Kind::ALL.iter().position(|k| *k == Kind::DualSweep).expect("a kind of the list");
        seconds[dual] = seconds[dual].map(|s| s * sweeps);
        let mut out = vec![0.0; case.x.len()];
        let memory = [Kind::Gradient, Kind::Hvp].map(|kind| {
            let info = measure(|| {
                case.run(kind, 1, &mut out);
            });
            (info.count_total, info.bytes_max)
        });
        Row { name: case.name, seconds, memory }
    }

    pub(crate) fn time(&self, kind: Kind) -> Option<f64> {
        self.seconds[Kind::ALL.iter().position(|k| *k == kind).expect("a kind of the list")]
    }

    pub(crate) fn ratio(&self, ratio: &Ratio) -> Option<f64> {
        Some(self.time(ratio.of)? / self.time(ratio.over)?)
    }
}

pub(crate) fn print_head() {
    print!("{:24}", "");
    for ratio in RATIOS {
        print!("{:>11}", ratio.title);
    }
    println!("{:>12}{:>10}{:>10}{:>12}{:>12}", "H, us", "allocs g", "allocs H", "peak B g", "peak B H");
}

pub(crate) fn print_row(row: &Row) {
    print!("{:24}", row.name);
    for ratio in RATIOS {
        print!("{:>11}", row.ratio(ratio).map_or("-".to_string(), short));
    }
    let [(count_g, bytes_g), (count_h, bytes_h)] = row.memory;
    let time = row.time(Kind::Hvp).map_or("-".to_string(), |s| short(1e6 * s));
    println!("{time:>12}{count_g:>10}{count_h:>10}{bytes_g:>12}{bytes_h:>12}");
}

pub(crate) fn print_foot(rounds: usize) {
    println!(
        "\ng: value and gradient; H: Hessian-vector product; hand: plain loops by hand, g with the value too.\n\
         Ratios of least times of {rounds} interleaved rounds. num-dual: one sweep of {COLUMNS} components, times the number of\n\
         sweeps. Bytes: the most that the call holds on the heap at a time."
    );
}

/// Three digits.
fn short(x: f64) -> String {
    let digits = (2 - x.abs().log10().floor() as i32).clamp(0, 4) as usize;
    format!("{x:.digits$}")
}
