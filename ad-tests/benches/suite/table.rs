//! The table: which ratios it shows, and how.

use crate::functions::{COLUMNS, Case, Kind, LANES};
use allocation_counter::measure;

/// A column of ratios.
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
    Ratio { title: "block/H", of: Kind::HvpBlock, over: Kind::Hvp },
    Ratio { title: "H/num-dual", of: Kind::Hvp, over: Kind::DualSweep },
];

/// What is measured on one case.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Seconds or instructions for the whole of each kind, in the order of [`Kind::ALL`].
    costs: Vec<Option<f64>>,
    /// Number of allocations and most bytes held at a time: of the gradient, of the product.
    memory: [(u64, u64); 2],
}

impl Row {
    /// From the cost of one call of each kind; counts allocations.
    pub(crate) fn new(case: &Case, mut costs: Vec<Option<f64>>) -> Row {
        // One sweep was measured; a whole product takes one for every few components.
        let sweeps = case.x.len().div_ceil(COLUMNS) as f64;
        let dual = place(Kind::DualSweep);
        costs[dual] = costs[dual].map(|s| s * sweeps);
        let block = place(Kind::HvpBlock);
        costs[block] = costs[block].map(|s| s / LANES as f64);
        let mut out = vec![0.0; case.x.len()];
        let memory = [Kind::Gradient, Kind::Hvp].map(|kind| {
            let info = measure(|| {
                case.run(kind, 1, &mut out);
            });
            (info.count_total, info.bytes_max)
        });
        Row { name: case.name, costs, memory }
    }

    fn cost(&self, kind: Kind) -> Option<f64> {
        self.costs[place(kind)]
    }

    pub(crate) fn ratio(&self, of: Kind, over: Kind) -> Option<f64> {
        Some(self.cost(of)? / self.cost(over)?)
    }
}

fn place(kind: Kind) -> usize {
    Kind::ALL.iter().position(|k| *k == kind).expect("a kind of the list")
}

/// The head; `cost` says what is counted, and in which unit.
pub(crate) fn print_head(cost: &str) {
    print!("{:24}", "");
    for ratio in RATIOS {
        print!("{:>11}", ratio.title);
    }
    println!("{cost:>12}{:>10}{:>10}{:>12}{:>12}", "allocs g", "allocs H", "peak B g", "peak B H");
}

/// A row; the absolute cost of the product is multiplied by `unit`.
pub(crate) fn print_row(row: &Row, unit: f64) {
    print!("{:24}", row.name);
    for ratio in RATIOS {
        print!("{:>11}", row.ratio(ratio.of, ratio.over).map_or("-".to_string(), short));
    }
    let [(count_g, bytes_g), (count_h, bytes_h)] = row.memory;
    let cost = row.cost(Kind::Hvp).map_or("-".to_string(), |s| short(s * unit));
    println!("{cost:>12}{count_g:>10}{count_h:>10}{bytes_g:>12}{bytes_h:>12}");
}

/// What the columns are.
pub(crate) fn print_legend() {
    println!(
        "g: value and gradient; H: Hessian-vector product alone; hand: plain loops by hand, g with the value too.\n\
         block: products with {LANES} directions at once, for each direction.\n\
         num-dual: one sweep of {COLUMNS} components, times the number of sweeps. Peak: the most bytes that a call holds on\n\
         the heap at a time."
    );
}

/// Three digits.
fn short(x: f64) -> String {
    let digits = (2 - x.abs().log10().floor() as i32).clamp(0, 4) as usize;
    format!("{x:.digits$}")
}
