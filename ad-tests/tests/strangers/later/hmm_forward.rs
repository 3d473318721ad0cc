//! Gaussian hidden Markov model, scaled forward recursion.
use ad_runtime::{Differentiable, differentiable};

#[derive(Clone, Debug, Differentiable)]
pub struct Hmm {
    pub initial: Vec<f64>,
    pub transition: Vec<Vec<f64>>,
    pub emission: Vec<Normal>,
}

#[derive(Clone, Debug, Differentiable)]
pub struct Normal {
    pub mean: f64,
    pub log_sd: f64,
}

#[differentiable]
impl Normal {
    fn pdf(&self, x: f64) -> f64 {
        let z = (x - self.mean) / self.log_sd.exp();
        (-0.5 * z * z - self.log_sd).exp() / (2.0 * std::f64::consts::PI).sqrt()
    }
}

#[differentiable]
fn softmax(logits: &[f64]) -> Vec<f64> {
    let weights: Vec<f64> = logits.iter().map(|l| l.exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / total).collect()
}

/// Log likelihood of the observations; the initial and transition probabilities are given as logits.
#[differentiable(wrt(model))]
pub fn hmm_loglik(model: &Hmm, obs: &[f64]) -> f64 {
    let k = model.initial.len();
    let transition: Vec<Vec<f64>> = model.transition.iter().map(|row| softmax(row)).collect();
    let mut filtered = softmax(&model.initial);
    let mut loglik = 0.0;
    for (t, &y) in obs.iter().enumerate() {
        if t > 0 {
            let mut predicted = vec![0.0; k];
            for (from, row) in filtered.iter().zip(&transition) {
                for (p, q) in predicted.iter_mut().zip(row) {
                    *p += from * q;
                }
            }
            filtered = predicted;
        }
        for (p, state) in filtered.iter_mut().zip(&model.emission) {
            *p *= state.pdf(y);
        }
        let scale: f64 = filtered.iter().sum();
        filtered.iter_mut().for_each(|p| *p /= scale);
        loglik += scale.ln();
    }
    loglik / obs.len() as f64
}

const OBS: [f64; 8] = [0.1, -0.4, 0.3, 1.9, 2.4, 1.2, -0.2, 0.5];

const X: [f64; 10] = [0.2, -0.1, 1.1, -0.6, -0.3, 0.9, 0.2, -0.4, 1.7, -0.2];

fn model(x: &[f64]) -> Hmm {
    Hmm {
        initial: x[..2].to_vec(),
        transition: vec![x[2..4].to_vec(), x[4..6].to_vec()],
        emission: x[6..].chunks(2).map(|c| Normal { mean: c[0], log_sd: c[1] }).collect(),
    }
}

#[test]
fn primal() {
    assert!(hmm_loglik(&model(&X), &OBS).is_finite());
}

#[test]
fn exact() {
    fn flat(m: &Hmm) -> Vec<f64> {
        let mut out = m.initial.clone();
        out.extend(m.transition.concat());
        for n in &m.emission {
            out.extend([n.mean, n.log_sd]);
        }
        out
    }
    super::harness::check(
        "hmm_forward",
        &X,
        |x| hmm_loglik(&model(x), &OBS),
        |x| {
            let mut g = model(&[0.0; 10]);
            let value = hmm_loglik_grad(&model(x), &OBS, &mut g);
            (value, flat(&g))
        },
        |x, v| {
            let mut h = model(&[0.0; 10]);
            hmm_loglik_hvp(&model(x), &OBS, &model(v), &mut h);
            flat(&h)
        },
    );
}
