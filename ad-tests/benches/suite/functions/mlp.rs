//! A network with one hidden layer, mean squared error over a batch: a vector that is overwritten for each sample.

use super::{Case, LANES, Linearization, Number, Problem, axpy, dot, uniform};
use ad_runtime::differentiable;
use std::hint::black_box;

#[differentiable(wrt(p))]
fn mlp(p: &[f64], xs: &[f64], ys: &[f64], ni: usize, nh: usize, no: usize, nb: usize) -> f64 {
    let w1 = &p[..nh * ni];
    let b1 = &p[nh * ni..nh * ni + nh];
    let w2 = &p[nh * ni + nh..nh * ni + nh + no * nh];
    let b2 = &p[nh * ni + nh + no * nh..];
    let mut h = vec![0.0; nh];
    let mut loss = 0.0;
    for b in 0..nb {
        for i in 0..nh {
            let mut a = b1[i];
            for j in 0..ni {
                a += w1[i * ni + j] * xs[b * ni + j];
            }
            h[i] = a.tanh();
        }
        for o in 0..no {
            let mut a = b2[o];
            for i in 0..nh {
                a += w2[o * nh + i] * h[i];
            }
            let e = a - ys[b * no + o];
            loss += e * e;
        }
    }
    loss / (nb * no) as f64
}

struct Mlp {
    /// Inputs, hidden units, outputs, samples.
    sizes: [usize; 4],
    xs: Vec<f64>,
    ys: Vec<f64>,
}

pub(super) fn case(name: &'static str) -> Case {
    let sizes @ [ni, nh, no, nb] = black_box([16, 32, 4, 128]);
    let problem = Mlp { sizes, xs: uniform(6, nb * ni, -1.0, 1.0), ys: uniform(7, nb * no, -1.0, 1.0) };
    Case::new(name, problem, uniform(5, nh * ni + nh + no * nh + no, -0.5, 0.5))
}

/// Weights and biases of the hidden layer, then of the output layer.
struct Layers<S> {
    w1: S,
    b1: S,
    w2: S,
    b2: S,
}

impl Mlp {
    fn layers<'a, T>(&self, p: &'a [T]) -> Layers<&'a [T]> {
        let [ni, nh, no, _] = self.sizes;
        let (w1, rest) = p.split_at(nh * ni);
        let (b1, rest) = rest.split_at(nh);
        let (w2, b2) = rest.split_at(no * nh);
        Layers { w1, b1, w2, b2 }
    }

    fn layers_mut<'a>(&self, p: &'a mut [f64]) -> Layers<&'a mut [f64]> {
        let [ni, nh, no, _] = self.sizes;
        let (w1, rest) = p.split_at_mut(nh * ni);
        let (b1, rest) = rest.split_at_mut(nh);
        let (w2, b2) = rest.split_at_mut(no * nh);
        Layers { w1, b1, w2, b2 }
    }
}

impl Problem for Mlp {
    fn primal(&self, p: &[f64]) -> f64 {
        let [ni, nh, no, nb] = self.sizes;
        mlp(p, &self.xs, &self.ys, ni, nh, no, nb)
    }
    fn gradient(&self, p: &[f64], g: &mut [f64]) -> f64 {
        let [ni, nh, no, nb] = self.sizes;
        mlp_grad(p, &self.xs, &self.ys, ni, nh, no, nb, g)
    }
    fn hvp(&self, p: &[f64], v: &[f64], hv: &mut [f64]) {
        let [ni, nh, no, nb] = self.sizes;
        mlp_hvp(p, &self.xs, &self.ys, ni, nh, no, nb, v, hv);
    }
    fn hvp_block(&self, p: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        let [ni, nh, no, nb] = self.sizes;
        mlp_hvp_block(p, &self.xs, &self.ys, ni, nh, no, nb, v, hv);
    }
    fn linearize<'a>(&'a self, p: &'a [f64]) -> Linearization<'a> {
        let [ni, nh, no, nb] = self.sizes;
        Linearization::new(mlp_linearize(p, &self.xs, &self.ys, ni, nh, no, nb))
    }

    fn gradient_by_hand(&self, p: &[f64], g: &mut [f64]) -> f64 {
        let [ni, nh, no, nb] = self.sizes;
        g.fill(0.0);
        let (p, g) = (self.layers(p), self.layers_mut(g));
        let (mut h, mut h_bar) = (vec![0.0; nh], vec![0.0; nh]);
        let mut loss = 0.0;
        let scale = 2.0 / (nb * no) as f64;
        for (x, y) in self.xs.chunks_exact(ni).zip(self.ys.chunks_exact(no)) {
            for ((h, w), b) in h.iter_mut().zip(p.w1.chunks_exact(ni)).zip(p.b1) {
                *h = (b + dot(w, x)).tanh();
            }
            h_bar.fill(0.0);
            for o in 0..no {
                let w = &p.w2[o * nh..][..nh];
                let e = p.b2[o] + dot(w, &h) - y[o];
                loss += e * e;
                let e_bar = scale * e;
                g.b2[o] += e_bar;
                axpy(e_bar, &h, &mut g.w2[o * nh..][..nh]);
                axpy(e_bar, w, &mut h_bar);
            }
            for i in 0..nh {
                let a_bar = h_bar[i] * (1.0 - h[i] * h[i]);
                g.b1[i] += a_bar;
                axpy(a_bar, x, &mut g.w1[i * ni..][..ni]);
            }
        }
        loss / (nb * no) as f64
    }

    fn hvp_by_hand(&self, p: &[f64], v: &[f64], hv: &mut [f64]) {
        let [ni, nh, no, nb] = self.sizes;
        hv.fill(0.0);
        let (p, v, hv) = (self.layers(p), self.layers(v), self.layers_mut(hv));
        let (mut h, mut h_dot) = (vec![0.0; nh], vec![0.0; nh]);
        let (mut h_bar, mut h_bar_dot) = (vec![0.0; nh], vec![0.0; nh]);
        let scale = 2.0 / (nb * no) as f64;
        for (x, y) in self.xs.chunks_exact(ni).zip(self.ys.chunks_exact(no)) {
            for i in 0..nh {
                let t = (p.b1[i] + dot(&p.w1[i * ni..][..ni], x)).tanh();
                let a_dot = v.b1[i] + dot(&v.w1[i * ni..][..ni], x);
                h[i] = t;
                h_dot[i] = a_dot * (1.0 - t * t);
            }
            h_bar.fill(0.0);
            h_bar_dot.fill(0.0);
            for o in 0..no {
                let (w, w_dot) = (&p.w2[o * nh..][..nh], &v.w2[o * nh..][..nh]);
                let e_bar = scale * (p.b2[o] + dot(w, &h) - y[o]);
                let e_bar_dot = scale * (v.b2[o] + dot(w_dot, &h) + dot(w, &h_dot));
                hv.b2[o] += e_bar_dot;
                let out = &mut hv.w2[o * nh..][..nh];
                for i in 0..nh {
                    out[i] += e_bar_dot * h[i] + e_bar * h_dot[i];
                    h_bar[i] += e_bar * w[i];
                    h_bar_dot[i] += e_bar_dot * w[i] + e_bar * w_dot[i];
                }
            }
            for i in 0..nh {
                let a_bar_dot = h_bar_dot[i] * (1.0 - h[i] * h[i]) - 2.0 * h_bar[i] * h[i] * h_dot[i];
                hv.b1[i] += a_bar_dot;
                axpy(a_bar_dot, x, &mut hv.w1[i * ni..][..ni]);
            }
        }
    }

    fn generic<T: Number>(&self, p: &[T]) -> T {
        let [ni, nh, no, nb] = self.sizes;
        let p = self.layers(p);
        let mut h = vec![T::from(0.0); nh];
        let mut loss = T::from(0.0);
        for (x, y) in self.xs.chunks_exact(ni).zip(self.ys.chunks_exact(no)) {
            for i in 0..nh {
                let mut a = p.b1[i];
                for j in 0..ni {
                    a += p.w1[i * ni + j] * x[j];
                }
                h[i] = a.tanh();
            }
            for o in 0..no {
                let mut a = p.b2[o];
                for i in 0..nh {
                    a += p.w2[o * nh + i] * h[i];
                }
                let e = a - y[o];
                loss += e * e;
            }
        }
        loss / (nb * no) as f64
    }
}
