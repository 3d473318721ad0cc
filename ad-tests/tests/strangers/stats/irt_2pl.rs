//! Marginal likelihood of the two-parameter logistic IRT model: nested arrays by value, quadrature, bit patterns.
use ad_runtime::differentiable;

const NODES: [(f64, f64); 7] = [
    (-3.750439717725742, 5.48268855972e-4),
    (-2.366759410734541, 3.07571239675865e-2),
    (-1.154405394739968, 2.40123178605013e-1),
    (0.0, 4.57142857142857e-1),
    (1.154405394739968, 2.40123178605013e-1),
    (2.366759410734541, 3.07571239675865e-2),
    (3.750439717725742, 5.48268855972e-4),
];

/// `items[j] = [ln discrimination, difficulty]`; `patterns` are (response bits, number of persons).
#[differentiable]
fn irt_2pl<const ITEMS: usize>(items: [[f64; 2]; ITEMS], patterns: &[(u8, u32)]) -> f64 {
    let logistic = |z: f64| 1.0 / (1.0 + (-z).exp());
    let likelihood = |bits: u8, ability: f64| {
        items
            .iter()
            .enumerate()
            .map(|(j, &[log_a, b])| {
                let p = logistic(log_a.exp() * (ability - b));
                if bits >> j & 1 == 1 { p } else { 1.0 - p }
            })
            .product::<f64>()
    };
    patterns
        .iter()
        .map(|&(bits, count)| {
            let marginal: f64 = NODES.iter().map(|&(theta, w)| w * likelihood(bits, theta)).sum();
            -(count as f64) * marginal.ln()
        })
        .sum()
}

const PATTERNS: [(u8, u32); 5] = [(0b000, 3), (0b001, 4), (0b011, 5), (0b101, 2), (0b111, 3)];
fn items(x: &[f64]) -> [[f64; 2]; 3] {
    [[x[0], x[1]], [x[2], x[3]], [x[4], x[5]]]
}

#[test]
fn exact() {
    super::harness::check(
        "irt_2pl",
        &[0.1, -0.8, 0.3, 0.2, -0.2, 0.9],
        |x| irt_2pl(items(x), &PATTERNS),
        |x| {
            let (value, g) = irt_2pl_grad(items(x), &PATTERNS);
            (value, g.concat())
        },
        |x, v| irt_2pl_hvp(items(x), &PATTERNS, items(v)).concat(),
    );
}
