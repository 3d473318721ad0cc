use ad_runtime::{Differentiable, differentiable};

#[derive(Clone, Debug, Differentiable)]
struct Machine {
    bias: f64,
    linear: Vec<f64>,
    factors: Vec<[f64; 2]>,
}

/// A sparse row and whether the user clicked.
struct Event {
    row: Vec<(usize, f64)>,
    clicked: bool,
}

#[differentiable]
impl Machine {
    /// Second-order factorisation machine in linear time.
    fn score(&self, row: &[(usize, f64)]) -> f64 {
        let linear = row.iter().fold(self.bias, |acc, &(i, x)| acc + self.linear[i] * x);
        let pairs: f64 = (0..2)
            .map(|f| {
                let (sum, squares) = row.iter().fold((0.0, 0.0), |(sum, squares), &(i, x)| {
                    let term = self.factors[i][f] * x;
                    (sum + term, squares + term * term)
                });
                sum * sum - squares
            })
            .sum();
        linear + 0.5 * pairs
    }

    fn penalty(&self) -> f64 {
        self.linear.iter().map(|w| w.powi(2)).sum::<f64>()
            + self.factors.iter().flat_map(|f| f.iter()).map(|v| v.powi(2)).sum::<f64>()
    }
}

#[differentiable(wrt(machine))]
fn click_loss(machine: &Machine, events: &[Event], lambda: f64) -> f64 {
    let (clicks, others): (Vec<&Event>, Vec<&Event>) = events.iter().partition(|e| e.clicked);
    let log_loss =
        |margin: f64| if margin > 0.0 { (-margin).exp().ln_1p() } else { margin.exp().ln_1p() - margin };
    let positive: f64 = clicks.iter().map(|e| log_loss(machine.score(&e.row))).sum();
    let negative: f64 = others.iter().map(|e| log_loss(-machine.score(&e.row))).sum();
    (positive + negative) / events.len() as f64 + lambda * machine.penalty()
}

fn events() -> Vec<Event> {
    vec![
        Event { row: vec![(0, 1.0), (2, 0.5), (3, -0.7)], clicked: true },
        Event { row: vec![(1, 1.0), (3, 1.2)], clicked: false },
        Event { row: vec![(0, -0.6), (1, 0.4), (2, 1.5)], clicked: true },
        Event { row: vec![(2, 0.8), (3, 0.9)], clicked: false },
    ]
}
fn unpack(x: &[f64]) -> Machine {
    Machine {
        bias: x[0],
        linear: x[1..5].to_vec(),
        factors: x[5..13].chunks(2).map(|c| [c[0], c[1]]).collect(),
    }
}
fn pack(p: &Machine) -> Vec<f64> {
    std::iter::once(p.bias)
        .chain(p.linear.iter().copied())
        .chain(p.factors.iter().flatten().copied())
        .collect()
}
fn point() -> Vec<f64> {
    vec![0.15, 0.4, -0.3, 0.6, -0.5, 0.7, 0.2, -0.4, 0.9, 0.3, -0.8, 0.55, 0.1]
}
fn value(x: &[f64]) -> f64 {
    click_loss(&unpack(x), &events(), 0.02)
}
#[test]
fn exact() {
    let events = events();
    crate::harness::check(
        "factorization",
        &point(),
        value,
        |x| {
            let mut g = unpack(&vec![f64::NAN; x.len()]);
            let value = click_loss_grad(&unpack(x), &events, 0.02, &mut g);
            (value, pack(&g))
        },
        |x, v| {
            let mut hv = unpack(&vec![f64::NAN; x.len()]);
            click_loss_hvp(&unpack(x), &events, 0.02, &unpack(v), &mut hv);
            pack(&hv)
        },
    );
}
