//! Logistic regression with a quadratic penalty: a reduction over rows of reductions over features.

use super::{Case, LANES, Linearization, Number, Problem, axpy, dot, uniform};
use ad_runtime::differentiable;
use std::hint::black_box;

#[differentiable(wrt(w))]
fn logistic(w: &[f64], features: &[f64], labels: &[f64], lambda: f64) -> f64 {
    let n = w.len();
    let m = labels.len();
    let mut loss = 0.0;
    for i in 0..m {
        let mut z = 0.0;
        for j in 0..n {
            z += features[i * n + j] * w[j];
        }
        loss += (-labels[i] * z).exp().ln_1p();
    }
    let mut r = 0.0;
    for j in 0..n {
        r += w[j] * w[j];
    }
    loss / m as f64 + 0.5 * lambda * r
}

struct Logistic {
    features: Vec<f64>,
    labels: Vec<f64>,
    lambda: f64,
}

pub(super) fn case(name: &'static str, m: usize, n: usize) -> Case {
    let (m, n) = black_box((m, n));
    let sign = |u: f64| if u < 0.5 { -1.0 } else { 1.0 };
    let problem = Logistic {
        features: uniform(2, m * n, -1.0, 1.0),
        labels: uniform(3, m, 0.0, 1.0).into_iter().map(sign).collect(),
        lambda: 1e-2,
    };
    Case::new(name, problem, uniform(4, n, -0.5, 0.5))
}

impl Problem for Logistic {
    fn primal(&self, w: &[f64]) -> f64 {
        logistic(w, &self.features, &self.labels, self.lambda)
    }
    fn gradient(&self, w: &[f64], g: &mut [f64]) -> f64 {
        logistic_grad(w, &self.features, &self.labels, self.lambda, g)
    }
    fn hvp(&self, w: &[f64], v: &[f64], hv: &mut [f64]) {
        logistic_hvp(w, &self.features, &self.labels, self.lambda, v, hv);
    }
    fn hvp_block(&self, w: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        logistic_hvp_block(w, &self.features, &self.labels, self.lambda, v, hv);
    }
    fn linearize<'a>(&'a self, w: &'a [f64]) -> Linearization<'a> {
        Linearization::new(logistic_linearize(w, &self.features, &self.labels, self.lambda))
    }

    fn gradient_by_hand(&self, w: &[f64], g: &mut [f64]) -> f64 {
        let mut loss = 0.0;
        g.fill(0.0);
        for (row, y) in self.features.chunks_exact(w.len()).zip(&self.labels) {
            let e = (-y * dot(row, w)).exp();
            loss += e.ln_1p();
            axpy(-y * e / (1.0 + e), row, g);
        }
        let by = 1.0 / self.labels.len() as f64;
        for (g, w) in g.iter_mut().zip(w) {
            *g = *g * by + self.lambda * w;
        }
        loss * by + 0.5 * self.lambda * dot(w, w)
    }

    fn hvp_by_hand(&self, w: &[f64], v: &[f64], hv: &mut [f64]) {
        hv.fill(0.0);
        for (row, y) in self.features.chunks_exact(w.len()).zip(&self.labels) {
            let e = (-y * dot(row, w)).exp();
            let q = 1.0 / (1.0 + e);
            axpy(e * q * q * dot(row, v), row, hv);
        }
        let by = 1.0 / self.labels.len() as f64;
        for (hv, v) in hv.iter_mut().zip(v) {
            *hv = *hv * by + self.lambda * v;
        }
    }

    fn generic<T: Number>(&self, w: &[T]) -> T {
        let mut loss = T::from(0.0);
        for (row, y) in self.features.chunks_exact(w.len()).zip(&self.labels) {
            let mut z = T::from(0.0);
            for (w, x) in w.iter().zip(row) {
                z += *w * *x;
            }
            loss += (z * -*y).exp().ln_1p();
        }
        let mut r = T::from(0.0);
        for w in w {
            r += *w * *w;
        }
        loss / self.labels.len() as f64 + r * (0.5 * self.lambda)
    }
}
