//! Multiplicative Holt-Winters smoothing: a VecDeque of seasonal factors, array map with a function name.
use ad_runtime::differentiable;
use std::collections::VecDeque;

#[differentiable]
fn logistic(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Mean squared one-step error; `theta` are the logits of the smoothing constants.
#[differentiable(wrt(theta))]
fn holt_winters(theta: [f64; 3], series: &[f64], period: usize) -> f64 {
    let [alpha, beta, gamma] = theta.map(logistic);
    let (first, rest) = series.split_at(period);
    let mut level = first.iter().sum::<f64>() / period as f64;
    let mut trend = (rest[..period].iter().sum::<f64>() / period as f64 - level) / period as f64;
    let mut season: VecDeque<f64> = first.iter().map(|y| y / level).collect();
    let mut sse = 0.0;
    for &y in rest {
        let s = season.pop_front().expect("period > 0");
        let forecast = (level + trend) * s;
        sse += (y - forecast).powi(2);
        let previous = level;
        level = alpha * y / s + (1.0 - alpha) * (level + trend);
        trend = beta * (level - previous) + (1.0 - beta) * trend;
        season.push_back(gamma * y / level + (1.0 - gamma) * s);
    }
    sse / rest.len() as f64
}

const Y: [f64; 16] = [3.1, 4.2, 2.8, 3.6, 3.5, 4.9, 3.0, 4.1, 3.7, 5.2, 3.5, 4.2, 4.4, 5.5, 3.6, 4.9];

#[test]
fn exact() {
    super::harness::check(
        "holt_winters",
        &[-0.3, -1.1, 0.2],
        |x| holt_winters([x[0], x[1], x[2]], &Y, 4),
        |x| {
            let (value, g) = holt_winters_grad([x[0], x[1], x[2]], &Y, 4);
            (value, g.to_vec())
        },
        |x, v| holt_winters_hvp([x[0], x[1], x[2]], &Y, 4, [v[0], v[1], v[2]]).to_vec(),
    );
}
