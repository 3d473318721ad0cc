use ad_runtime::differentiable;
use std::array;
use std::f64::consts::TAU;

#[differentiable]
fn softmax<const K: usize>(logits: &[f64; K]) -> [f64; K] {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights = logits.map(|l| (l - top).exp());
    let z: f64 = weights.iter().sum();
    weights.map(|w| w / z)
}

#[differentiable]
fn normal_pdf(x: f64, mean: f64, log_sd: f64) -> f64 {
    let z = (x - mean) * (-log_sd).exp();
    (-0.5 * z * z - log_sd).exp() / TAU.sqrt()
}

/// Negative log-likelihood of a Gaussian hidden Markov model by the scaled forward algorithm.
#[differentiable(wrt(init, trans, mean, log_sd))]
fn hmm_nll<const K: usize>(
    init: &[f64; K],
    trans: &[[f64; K]; K],
    mean: &[f64; K],
    log_sd: &[f64; K],
    observed: &[f64],
) -> f64 {
    let a: [[f64; K]; K] = array::from_fn(|i| softmax(&trans[i]));
    let mut prior = softmax(init);
    let mut nll = 0.0;
    for &y in observed {
        let joint: [f64; K] = array::from_fn(|k| prior[k] * normal_pdf(y, mean[k], log_sd[k]));
        let scale = joint.iter().sum::<f64>();
        nll -= scale.ln();
        let filtered = joint.map(|j| j / scale);
        prior = [0.0; K];
        for (weight, row) in filtered.iter().zip(&a) {
            for (p, t) in prior.iter_mut().zip(row) {
                *p += weight * t;
            }
        }
    }
    nll / observed.len() as f64
}

const OBSERVED: [f64; 7] = [0.2, -0.4, 1.3, 1.7, 0.9, -0.8, -0.1];
fn split(x: &[f64]) -> ([f64; 2], [[f64; 2]; 2], [f64; 2], [f64; 2]) {
    ([x[0], x[1]], [[x[2], x[3]], [x[4], x[5]]], [x[6], x[7]], [x[8], x[9]])
}
fn join(a: [f64; 2], b: [[f64; 2]; 2], c: [f64; 2], d: [f64; 2]) -> Vec<f64> {
    [a, b[0], b[1], c, d].concat()
}
fn point() -> Vec<f64> {
    vec![0.3, -0.2, 0.9, -0.1, -0.4, 0.6, -0.3, 1.2, -0.25, 0.15]
}
fn value(x: &[f64]) -> f64 {
    let (a, b, c, d) = split(x);
    hmm_nll(&a, &b, &c, &d, &OBSERVED)
}
#[test]
fn exact() {
    crate::harness::check(
        "hmm",
        &point(),
        value,
        |x| {
            let (a, b, c, d) = split(x);
            let (mut ga, mut gb, mut gc, mut gd) = split(&[f64::NAN; 10]);
            let value = hmm_nll_grad(&a, &b, &c, &d, &OBSERVED, &mut ga, &mut gb, &mut gc, &mut gd);
            (value, join(ga, gb, gc, gd))
        },
        |x, v| {
            let (a, b, c, d) = split(x);
            let (va, vb, vc, vd) = split(v);
            let (mut ga, mut gb, mut gc, mut gd) = split(&[f64::NAN; 10]);
            hmm_nll_hvp(&a, &b, &c, &d, &OBSERVED, &va, &vb, &vc, &vd, &mut ga, &mut gb, &mut gc, &mut gd);
            join(ga, gb, gc, gd)
        },
    );
}
