//! Stop-loss premium by Panjer's recursion: growing Vec, reversed zips of sub-slices, windows.
use ad_runtime::differentiable;

/// Premium for the part of a negative binomial sum of exponential claims above `retention` (in units of `span`).
#[differentiable(wrt(log_mean_claims, log_size, log_mean_claim))]
fn stop_loss(log_mean_claims: f64, log_size: f64, log_mean_claim: f64, retention: usize, span: f64) -> f64 {
    let r = log_size.exp();
    let theta = log_mean_claims.exp() / r;
    let mean_claim = log_mean_claim.exp();

    // severity, rounded to the lattice
    let mut cdf = vec![0.0];
    cdf.extend((0..retention).map(|j| 1.0 - (-(j as f64 + 0.5) * span / mean_claim).exp()));
    let severity: Vec<f64> = cdf.windows(2).map(|w| w[1] - w[0]).collect();

    let a = theta / (1.0 + theta);
    let b = (r - 1.0) * a;
    let mut total = Vec::with_capacity(retention);
    total.push((1.0 + theta * (1.0 - severity[0])).powf(-r));
    for s in 1..retention {
        let convolution: f64 = severity[1..=s]
            .iter()
            .zip(total.iter().rev())
            .zip(1u32..)
            .map(|((f, g), j)| (a + b * f64::from(j) / s as f64) * f * g)
            .sum();
        total.push(convolution / (1.0 - a * severity[0]));
    }

    let spared: f64 = total.iter().enumerate().map(|(s, g)| (retention - s) as f64 * g).sum();
    r * theta * mean_claim - span * (retention as f64 - spared)
}

#[test]
fn exact() {
    super::harness::check(
        "stop_loss",
        &[0.9, 0.4, 0.3],
        |x| stop_loss(x[0], x[1], x[2], 12, 0.5),
        |x| {
            let (value, (a, b, c)) = stop_loss_grad(x[0], x[1], x[2], 12, 0.5);
            (value, vec![a, b, c])
        },
        |x, v| {
            let (a, b, c) = stop_loss_hvp(x[0], x[1], x[2], 12, 0.5, v[0], v[1], v[2]);
            vec![a, b, c]
        },
    );
}
