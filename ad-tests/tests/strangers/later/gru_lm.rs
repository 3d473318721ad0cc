use ad_runtime::{Differentiable, differentiable};
use ndarray::{Array1, Array2, ArrayView1, s};

/// Character-level GRU; gates are stacked in the order reset, update, candidate.
#[derive(Clone, Debug, Differentiable)]
pub struct GruLm {
    pub embed: Array2<f64>,
    pub w: Array2<f64>,
    pub u: Array2<f64>,
    pub b: Array1<f64>,
    pub out: Array2<f64>,
}

#[differentiable]
fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[differentiable]
impl GruLm {
    fn hidden(&self) -> usize {
        self.u.ncols()
    }

    fn step(&self, x: ArrayView1<f64>, h: &Array1<f64>) -> Array1<f64> {
        let n = self.hidden();
        let gi = self.w.dot(&x) + &self.b;
        let gh = self.u.dot(h);
        let r = (&gi.slice(s![..n]) + &gh.slice(s![..n])).mapv(sigmoid);
        let z = (&gi.slice(s![n..2 * n]) + &gh.slice(s![n..2 * n])).mapv(sigmoid);
        let c = (&gi.slice(s![2 * n..]) + &(&r * &gh.slice(s![2 * n..]))).mapv(f64::tanh);
        &z * h + (1.0 - &z) * c
    }

    /// Average negative log likelihood (nats per token) of `tokens[1..]`.
    pub fn cross_entropy(&self, tokens: &[usize]) -> f64 {
        let mut h = Array1::zeros(self.hidden());
        let mut nll = 0.0;
        for pair in tokens.windows(2) {
            h = self.step(self.embed.row(pair[0]), &h);
            let logits = self.out.dot(&h);
            let max = logits.iter().copied().fold(f64::MIN, f64::max);
            let lse = max + logits.mapv(|l| (l - max).exp()).sum().ln();
            nll += lse - logits[pair[1]];
        }
        nll / (tokens.len() - 1) as f64
    }
}

#[cfg(test)]
pub(crate) const X: &[f64] = &[
    0.5, -0.8, 0.9, 0.3, -0.6, 0.7, // embed 3x2
    0.4, -0.2, 0.6, 0.9, -0.5, 0.3, 0.8, -0.7, 0.2, 0.5, -0.9, 1.0, // w 6x2
    0.3, 0.5, -0.4, 0.2, 0.7, -0.6, 0.1, 0.8, -0.3, 0.9, 0.6, -0.5, // u 6x2
    0.1, -0.1, 0.2, 0.0, -0.2, 0.15, // b
    1.1, -0.4, 0.3, 0.8, -0.9, 0.5, // out 3x2
];
#[cfg(test)]
const TEXT: &[usize] = &[0, 1, 2, 1, 0, 2];
#[cfg(test)]
fn model(x: &[f64]) -> GruLm {
    let m = |r, s: &[f64]| Array2::from_shape_vec((r, 2), s.to_vec()).unwrap();
    GruLm {
        embed: m(3, &x[..6]),
        w: m(6, &x[6..18]),
        u: m(6, &x[18..30]),
        b: Array1::from(x[30..36].to_vec()),
        out: m(3, &x[36..]),
    }
}
#[cfg(test)]
pub(crate) fn value(x: &[f64]) -> f64 {
    model(x).cross_entropy(TEXT)
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(value(X).is_finite());
}

#[cfg(test)]
#[test]
fn exact() {
    let flat = |d: GruLm| -> Vec<f64> {
        let mut all: Vec<f64> = Vec::new();
        all.extend(d.embed.iter());
        all.extend(d.w.iter());
        all.extend(d.u.iter());
        all.extend(d.b.iter());
        all.extend(d.out.iter());
        all
    };
    super::harness::check(
        "gru_lm",
        X,
        value,
        |x| {
            let mut d = model(&[0.0; 42]);
            let f = model(x).cross_entropy_grad(TEXT, &mut d);
            (f, flat(d))
        },
        |x, v| {
            let mut h = model(&[0.0; 42]);
            model(x).cross_entropy_hvp(TEXT, &model(v), &mut h);
            flat(h)
        },
    );
}
