//! Poisson hidden Markov model: parameter struct with Vec and nested Vec, scaled forward recursion.
use ad_runtime::{Differentiable, differentiable};

#[derive(Debug, Clone, Differentiable)]
struct Hmm {
    transition_logits: Vec<Vec<f64>>,
    log_rates: Vec<f64>,
}

#[differentiable]
fn softmax(logits: &[f64]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut p: Vec<f64> = logits.iter().map(|l| (l - max).exp()).collect();
    let total: f64 = p.iter().sum();
    p.iter_mut().for_each(|p| *p /= total);
    p
}

#[differentiable]
fn poisson_pmf(y: u64, log_rate: f64) -> f64 {
    let ln_factorial: f64 = (2..=y).map(|i| (i as f64).ln()).sum();
    (y as f64 * log_rate - log_rate.exp() - ln_factorial).exp()
}

#[differentiable]
fn poisson_hmm(model: &Hmm, counts: &[u64]) -> f64 {
    let states = model.log_rates.len();
    let transition: Vec<Vec<f64>> = model.transition_logits.iter().map(|row| softmax(row)).collect();
    let mut forward = vec![1.0 / states as f64; states];
    let mut next = vec![0.0; states];
    let mut loglik = 0.0;
    for (t, &y) in counts.iter().enumerate() {
        if t > 0 {
            next.fill(0.0);
            for (weight, row) in forward.iter().zip(&transition) {
                for (n, p) in next.iter_mut().zip(row) {
                    *n += weight * p;
                }
            }
            std::mem::swap(&mut forward, &mut next);
        }
        for (f, &log_rate) in forward.iter_mut().zip(&model.log_rates) {
            *f *= poisson_pmf(y, log_rate);
        }
        let scale = forward.iter().sum::<f64>();
        forward.iter_mut().for_each(|f| *f /= scale);
        loglik += scale.ln();
    }
    -loglik
}

const COUNTS: [u64; 10] = [1, 0, 2, 5, 4, 6, 1, 0, 3, 5];
fn model(x: &[f64]) -> Hmm {
    Hmm { transition_logits: vec![x[..2].to_vec(), x[2..4].to_vec()], log_rates: x[4..].to_vec() }
}
fn flat(m: Hmm) -> Vec<f64> {
    m.transition_logits.into_iter().flatten().chain(m.log_rates).collect()
}

#[test]
fn exact() {
    super::harness::check(
        "poisson_hmm",
        &[0.9, -0.2, -0.1, 0.6, 0.1, 1.5],
        |x| poisson_hmm(&model(x), &COUNTS),
        |x| {
            let mut g = model(&[f64::NAN; 6]);
            let value = poisson_hmm_grad(&model(x), &COUNTS, &mut g);
            (value, flat(g))
        },
        |x, v| {
            let mut h = model(&[f64::NAN; 6]);
            poisson_hmm_hvp(&model(x), &COUNTS, &model(v), &mut h);
            flat(h)
        },
    );
}
