//! Mixture of von Mises distributions on the circle.
use ad_runtime::{Differentiable, differentiable};
use std::f64::consts::TAU;
use std::iter::successors;

#[derive(Clone, Copy, Debug, Default, PartialEq, Differentiable)]
pub struct Component {
    pub logit: f64,
    pub direction: f64,
    pub log_kappa: f64,
}

/// ln I0 by its power series (kappa is moderate here).
#[differentiable]
fn ln_bessel_i0(kappa: f64) -> f64 {
    let q = 0.25 * kappa * kappa;
    successors(Some((1.0, 1.0)), |&(k, term)| Some((k + 1.0, term * q / (k * k))))
        .map(|(_, term)| term)
        .take_while(|&term| term > 1e-18)
        .sum::<f64>()
        .ln()
}

#[differentiable]
fn log_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    top + terms.map(|t| (t - top).exp()).sum::<f64>().ln()
}

#[differentiable(wrt(mix))]
pub fn circular_nll(mix: &[Component], angles: &[f64]) -> f64 {
    let log_total = log_sum_exp(mix.iter().map(|c| c.logit));
    let prepared: Vec<(f64, f64, f64)> = mix
        .iter()
        .map(|&Component { logit, direction, log_kappa }| {
            let kappa = log_kappa.exp();
            (logit - log_total - TAU.ln() - ln_bessel_i0(kappa), direction, kappa)
        })
        .collect();
    angles
        .iter()
        .map(|angle| {
            let joint = prepared.iter().map(|(base, mu, kappa)| base + kappa * (angle - mu).cos());
            -log_sum_exp(joint)
        })
        .sum::<f64>()
        / angles.len() as f64
}

#[cfg(test)]
const X: &[f64] = &[0.3, -0.5, 0.4, -0.2, 1.9, 1.0, 0.1, 3.6, -0.3];

#[cfg(test)]
const ANGLES: [f64; 9] = [-0.7, -0.2, 0.3, 1.4, 1.8, 2.2, 3.1, 3.9, 4.6];

#[cfg(test)]
fn mix(x: &[f64]) -> Vec<Component> {
    x.chunks(3).map(|c| Component { logit: c[0], direction: c[1], log_kappa: c[2] }).collect()
}

#[cfg(test)]
fn value(x: &[f64]) -> f64 {
    circular_nll(&mix(x), &ANGLES)
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(value(X).is_finite());
}

#[test]
fn exact() {
    let flat = |m: &[Component]| -> Vec<f64> {
        m.iter().flat_map(|c| [c.logit, c.direction, c.log_kappa]).collect()
    };
    super::harness::check(
        "von_mises_mixture",
        X,
        value,
        |x| {
            let mut g = vec![Component::default(); 3];
            let f = circular_nll_grad(&mix(x), &ANGLES, &mut g);
            (f, flat(&g))
        },
        |x, v| {
            let mut h = vec![Component::default(); 3];
            circular_nll_hvp(&mix(x), &ANGLES, &mix(v), &mut h);
            flat(&h)
        },
    );
}
