//! Softmax regression, mean cross-entropy with a quadratic penalty: a vector of logits that is overwritten for each sample.

use super::{Case, LANES, Linearization, Number, Problem, axpy, dot, dual, softmax, uniform};
use ad_runtime::differentiable;
use std::hint::black_box;

#[differentiable(wrt(w))]
fn cross_entropy(w: &[f64], features: &[f64], labels: &[usize], classes: usize, lambda: f64) -> f64 {
    let n = w.len() / classes;
    let mut logits = vec![0.0; classes];
    let mut loss = 0.0;
    for (i, &label) in labels.iter().enumerate() {
        let row = &features[i * n..(i + 1) * n];
        for c in 0..classes {
            let mut z = 0.0;
            for j in 0..n {
                z += w[c * n + j] * row[j];
            }
            logits[c] = z;
        }
        let mut largest = logits[0];
        for c in 1..classes {
            if logits[c] > largest {
                largest = logits[c];
            }
        }
        let mut s = 0.0;
        for c in 0..classes {
            s += (logits[c] - largest).exp();
        }
        loss += largest + s.ln() - logits[label];
    }
    let mut r = 0.0;
    for &v in w {
        r += v * v;
    }
    loss / labels.len() as f64 + 0.5 * lambda * r
}

struct CrossEntropy {
    classes: usize,
    features: Vec<f64>,
    labels: Vec<usize>,
    lambda: f64,
}

pub(super) fn case(name: &'static str) -> Case {
    let [samples, n, classes] = black_box([500, 20, 10]);
    let labels = uniform(16, samples, 0.0, classes as f64);
    let problem = CrossEntropy {
        classes,
        features: uniform(15, samples * n, -1.0, 1.0),
        labels: labels.into_iter().map(|u| u as usize).collect(),
        lambda: 1e-2,
    };
    Case::new(name, problem, uniform(17, classes * n, -0.5, 0.5))
}

impl Problem for CrossEntropy {
    fn primal(&self, w: &[f64]) -> f64 {
        cross_entropy(w, &self.features, &self.labels, self.classes, self.lambda)
    }
    fn gradient(&self, w: &[f64], g: &mut [f64]) -> f64 {
        cross_entropy_grad(w, &self.features, &self.labels, self.classes, self.lambda, g)
    }
    fn hvp(&self, w: &[f64], v: &[f64], hv: &mut [f64]) {
        cross_entropy_hvp(w, &self.features, &self.labels, self.classes, self.lambda, v, hv);
    }
    fn hvp_block(&self, w: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        cross_entropy_hvp_block(w, &self.features, &self.labels, self.classes, self.lambda, v, hv);
    }
    fn linearize<'a>(&'a self, w: &'a [f64]) -> Linearization<'a> {
        Linearization::new(cross_entropy_linearize(
            w,
            &self.features,
            &self.labels,
            self.classes,
            self.lambda,
        ))
    }

    fn gradient_by_hand(&self, w: &[f64], g: &mut [f64]) -> f64 {
        let n = w.len() / self.classes;
        let (mut z, mut p) = (vec![0.0; self.classes], vec![0.0; self.classes]);
        let mut loss = 0.0;
        g.fill(0.0);
        for (row, &label) in self.features.chunks_exact(n).zip(&self.labels) {
            for (z, w) in z.iter_mut().zip(w.chunks_exact(n)) {
                *z = dot(w, row);
            }
            loss += softmax(&z, &mut p) - z[label];
            p[label] -= 1.0;
            for (p, g) in p.iter().zip(g.chunks_exact_mut(n)) {
                axpy(*p, row, g);
            }
        }
        let by = 1.0 / self.labels.len() as f64;
        for (g, w) in g.iter_mut().zip(w) {
            *g = *g * by + self.lambda * w;
        }
        loss * by + 0.5 * self.lambda * dot(w, w)
    }

    fn hvp_by_hand(&self, w: &[f64], v: &[f64], hv: &mut [f64]) {
        let n = w.len() / self.classes;
        let (mut z, mut z_dot, mut p) =
            (vec![0.0; self.classes], vec![0.0; self.classes], vec![0.0; self.classes]);
        hv.fill(0.0);
        for row in self.features.chunks_exact(n) {
            for c in 0..self.classes {
                z[c] = dot(&w[c * n..][..n], row);
                z_dot[c] = dot(&v[c * n..][..n], row);
            }
            softmax(&z, &mut p);
            let mean = dot(&p, &z_dot);
            for c in 0..self.classes {
                axpy(p[c] * (z_dot[c] - mean), row, &mut hv[c * n..][..n]);
            }
        }
        let by = 1.0 / self.labels.len() as f64;
        for (hv, v) in hv.iter_mut().zip(v) {
            *hv = *hv * by + self.lambda * v;
        }
    }

    fn generic<T: Number>(&self, w: &[T]) -> T {
        let n = w.len() / self.classes;
        let mut logits = vec![T::from(0.0); self.classes];
        let mut loss = T::from(0.0);
        for (row, &label) in self.features.chunks_exact(n).zip(&self.labels) {
            for (z, w) in logits.iter_mut().zip(w.chunks_exact(n)) {
                *z = T::from(0.0);
                for (w, x) in w.iter().zip(row) {
                    *z += *w * *x;
                }
            }
            loss += dual::log_sum_exp(&logits) - logits[label];
        }
        let mut r = T::from(0.0);
        for w in w {
            r += *w * *w;
        }
        loss / self.labels.len() as f64 + r * (0.5 * self.lambda)
    }
}
