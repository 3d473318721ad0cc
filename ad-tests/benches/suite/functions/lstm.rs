//! A small LSTM over a sequence, mean squared error of a linear read-out: a carried state of two vectors, dense products in each
//! step.

use super::{Case, LANES, Linearization, Number, Problem, axpy, dot, uniform};
use ad_runtime::differentiable;
use std::hint::black_box;

/// `p`: the weights of the inputs, of the state, the biases (of the input, forget, cell and output gates), then the read-out and its
/// bias.
#[differentiable(wrt(p))]
fn lstm(p: &[f64], xs: &[f64], ys: &[f64], ni: usize, nh: usize) -> f64 {
    let w = &p[..4 * nh * ni];
    let u = &p[4 * nh * ni..4 * nh * (ni + nh)];
    let b = &p[4 * nh * (ni + nh)..4 * nh * (ni + nh + 1)];
    let out = &p[4 * nh * (ni + nh + 1)..];
    let mut h = vec![0.0; nh];
    let mut c = vec![0.0; nh];
    let mut a = vec![0.0; 4 * nh];
    let mut loss = 0.0;
    for t in 0..ys.len() {
        for k in 0..4 * nh {
            let mut s = b[k];
            for j in 0..ni {
                s += w[k * ni + j] * xs[t * ni + j];
            }
            for j in 0..nh {
                s += u[k * nh + j] * h[j];
            }
            a[k] = s;
        }
        let mut y = out[nh];
        for k in 0..nh {
            let i = 1.0 / (1.0 + (-a[k]).exp());
            let f = 1.0 / (1.0 + (-a[nh + k]).exp());
            let g = a[2 * nh + k].tanh();
            let o = 1.0 / (1.0 + (-a[3 * nh + k]).exp());
            c[k] = f * c[k] + i * g;
            h[k] = o * c[k].tanh();
            y += out[k] * h[k];
        }
        let e = y - ys[t];
        loss += e * e;
    }
    loss / ys.len() as f64
}

struct Lstm {
    ni: usize,
    nh: usize,
    xs: Vec<f64>,
    ys: Vec<f64>,
}

pub(super) fn case(name: &'static str) -> Case {
    let [ni, nh, steps] = black_box([4, 8, 50]);
    let problem = Lstm { ni, nh, xs: uniform(21, steps * ni, -1.0, 1.0), ys: uniform(22, steps, -1.0, 1.0) };
    Case::new(name, problem, uniform(23, 4 * nh * (ni + nh + 1) + nh + 1, -0.5, 0.5))
}

/// The parts of the parameters.
struct Parts<S> {
    w: S,
    u: S,
    b: S,
    out: S,
}

fn sigmoid(a: f64) -> f64 {
    1.0 / (1.0 + (-a).exp())
}

impl Lstm {
    fn parts<'a, T>(&self, p: &'a [T]) -> Parts<&'a [T]> {
        let (w, rest) = p.split_at(4 * self.nh * self.ni);
        let (u, rest) = rest.split_at(4 * self.nh * self.nh);
        let (b, out) = rest.split_at(4 * self.nh);
        Parts { w, u, b, out }
    }

    fn parts_mut<'a>(&self, p: &'a mut [f64]) -> Parts<&'a mut [f64]> {
        let (w, rest) = p.split_at_mut(4 * self.nh * self.ni);
        let (u, rest) = rest.split_at_mut(4 * self.nh * self.nh);
        let (b, out) = rest.split_at_mut(4 * self.nh);
        Parts { w, u, b, out }
    }
}

/// What the steps keep, one row of `nh` (gates: of `4 nh`) a step; states have a row of zeros before the first step.
struct Path {
    gates: Vec<f64>,
    c: Vec<f64>,
    tanh_c: Vec<f64>,
    h: Vec<f64>,
    e: Vec<f64>,
}

impl Path {
    fn new(nh: usize, steps: usize) -> Self {
        Path {
            gates: vec![0.0; 4 * nh * steps],
            c: vec![0.0; nh * (steps + 1)],
            tanh_c: vec![0.0; nh * steps],
            h: vec![0.0; nh * (steps + 1)],
            e: vec![0.0; steps],
        }
    }
}

impl Lstm {
    /// Runs the network; returns the sum of squared errors.
    fn forward(&self, p: &Parts<&[f64]>, path: &mut Path) -> f64 {
        let (ni, nh) = (self.ni, self.nh);
        let mut loss = 0.0;
        for (t, x) in self.xs.chunks_exact(ni).enumerate() {
            let gates = &mut path.gates[4 * nh * t..][..4 * nh];
            let (h, h_new) = path.h[nh * t..][..2 * nh].split_at_mut(nh);
            let (c, c_new) = path.c[nh * t..][..2 * nh].split_at_mut(nh);
            let tanh_c = &mut path.tanh_c[nh * t..][..nh];
            for k in 0..4 * nh {
                let a = p.b[k] + dot(&p.w[k * ni..][..ni], x) + dot(&p.u[k * nh..][..nh], h);
                gates[k] = if k / nh == 2 { a.tanh() } else { sigmoid(a) };
            }
            for k in 0..nh {
                c_new[k] = gates[nh + k] * c[k] + gates[k] * gates[2 * nh + k];
                tanh_c[k] = c_new[k].tanh();
                h_new[k] = gates[3 * nh + k] * tanh_c[k];
            }
            let e = p.out[nh] + dot(&p.out[..nh], h_new) - self.ys[t];
            path.e[t] = e;
            loss += e * e;
        }
        loss
    }

    /// The tangent of `forward` along `v`.
    fn forward_dot(&self, p: &Parts<&[f64]>, v: &Parts<&[f64]>, path: &Path, dot_path: &mut Path) {
        let (ni, nh) = (self.ni, self.nh);
        for (t, x) in self.xs.chunks_exact(ni).enumerate() {
            let (gates, h) = (&path.gates[4 * nh * t..][..4 * nh], &path.h[nh * t..][..nh]);
            let (c, tanh_c) = (&path.c[nh * t..][..nh], &path.tanh_c[nh * t..][..nh]);
            let h_new = &path.h[nh * (t + 1)..][..nh];
            let gates_dot = &mut dot_path.gates[4 * nh * t..][..4 * nh];
            let (h_dot, h_new_dot) = dot_path.h[nh * t..][..2 * nh].split_at_mut(nh);
            let (c_dot, c_new_dot) = dot_path.c[nh * t..][..2 * nh].split_at_mut(nh);
            let tanh_c_dot = &mut dot_path.tanh_c[nh * t..][..nh];
            for k in 0..4 * nh {
                let a_dot = v.b[k]
                    + dot(&v.w[k * ni..][..ni], x)
                    + dot(&v.u[k * nh..][..nh], h)
                    + dot(&p.u[k * nh..][..nh], h_dot);
                let s = gates[k];
                gates_dot[k] = a_dot * if k / nh == 2 { 1.0 - s * s } else { s * (1.0 - s) };
            }
            for k in 0..nh {
                let (i, f, g, o) = (gates[k], gates[nh + k], gates[2 * nh + k], gates[3 * nh + k]);
                c_new_dot[k] =
                    gates_dot[nh + k] * c[k] + f * c_dot[k] + gates_dot[k] * g + i * gates_dot[2 * nh + k];
                tanh_c_dot[k] = c_new_dot[k] * (1.0 - tanh_c[k] * tanh_c[k]);
                h_new_dot[k] = gates_dot[3 * nh + k] * tanh_c[k] + o * tanh_c_dot[k];
            }
            dot_path.e[t] = v.out[nh] + dot(&v.out[..nh], h_new) + dot(&p.out[..nh], h_new_dot);
        }
    }
}

impl Problem for Lstm {
    fn primal(&self, p: &[f64]) -> f64 {
        lstm(p, &self.xs, &self.ys, self.ni, self.nh)
    }
    fn gradient(&self, p: &[f64], g: &mut [f64]) -> f64 {
        lstm_grad(p, &self.xs, &self.ys, self.ni, self.nh, g)
    }
    fn hvp(&self, p: &[f64], v: &[f64], hv: &mut [f64]) {
        lstm_hvp(p, &self.xs, &self.ys, self.ni, self.nh, v, hv);
    }
    fn hvp_block(&self, p: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        lstm_hvp_block(p, &self.xs, &self.ys, self.ni, self.nh, v, hv);
    }
    fn linearize<'a>(&'a self, p: &'a [f64]) -> Linearization<'a> {
        Linearization::new(lstm_linearize(p, &self.xs, &self.ys, self.ni, self.nh))
    }

    fn gradient_by_hand(&self, p: &[f64], g: &mut [f64]) -> f64 {
        let (ni, nh, steps) = (self.ni, self.nh, self.ys.len());
        g.fill(0.0);
        let (p, grad) = (self.parts(p), self.parts_mut(g));
        let mut path = Path::new(nh, steps);
        let loss = self.forward(&p, &mut path);
        let (mut h_bar, mut c_bar, mut a_bar) = (vec![0.0; nh], vec![0.0; nh], vec![0.0; 4 * nh]);
        for (t, x) in self.xs.chunks_exact(ni).enumerate().rev() {
            let (gates, h) = (&path.gates[4 * nh * t..][..4 * nh], &path.h[nh * t..][..nh]);
            let (c, tanh_c) = (&path.c[nh * t..][..nh], &path.tanh_c[nh * t..][..nh]);
            let h_new = &path.h[nh * (t + 1)..][..nh];
            let y_bar = 2.0 * path.e[t] / steps as f64;
            grad.out[nh] += y_bar;
            axpy(y_bar, h_new, &mut grad.out[..nh]);
            axpy(y_bar, &p.out[..nh], &mut h_bar);
            for k in 0..nh {
                let (i, f, g, o) = (gates[k], gates[nh + k], gates[2 * nh + k], gates[3 * nh + k]);
                c_bar[k] += h_bar[k] * o * (1.0 - tanh_c[k] * tanh_c[k]);
                a_bar[k] = c_bar[k] * g * i * (1.0 - i);
                a_bar[nh + k] = c_bar[k] * c[k] * f * (1.0 - f);
                a_bar[2 * nh + k] = c_bar[k] * i * (1.0 - g * g);
                a_bar[3 * nh + k] = h_bar[k] * tanh_c[k] * o * (1.0 - o);
                c_bar[k] *= f;
            }
            h_bar.fill(0.0);
            for k in 0..4 * nh {
                grad.b[k] += a_bar[k];
                axpy(a_bar[k], x, &mut grad.w[k * ni..][..ni]);
                axpy(a_bar[k], h, &mut grad.u[k * nh..][..nh]);
                axpy(a_bar[k], &p.u[k * nh..][..nh], &mut h_bar);
            }
        }
        loss / steps as f64
    }

    fn hvp_by_hand(&self, p: &[f64], v: &[f64], hv: &mut [f64]) {
        let (ni, nh, steps) = (self.ni, self.nh, self.ys.len());
        hv.fill(0.0);
        let (p, v, hv) = (self.parts(p), self.parts(v), self.parts_mut(hv));
        let (mut path, mut dots) = (Path::new(nh, steps), Path::new(nh, steps));
        self.forward(&p, &mut path);
        self.forward_dot(&p, &v, &path, &mut dots);
        let (mut h_bar, mut c_bar, mut a_bar) = (vec![0.0; nh], vec![0.0; nh], vec![0.0; 4 * nh]);
        let (mut h_bar_dot, mut c_bar_dot, mut a_bar_dot) = (vec![0.0; nh], vec![0.0; nh], vec![0.0; 4 * nh]);
        for (t, x) in self.xs.chunks_exact(ni).enumerate().rev() {
            let (gates, h) = (&path.gates[4 * nh * t..][..4 * nh], &path.h[nh * t..][..nh]);
            let (c, tanh_c) = (&path.c[nh * t..][..nh], &path.tanh_c[nh * t..][..nh]);
            let h_new = &path.h[nh * (t + 1)..][..nh];
            let (gates_dot, h_dot) = (&dots.gates[4 * nh * t..][..4 * nh], &dots.h[nh * t..][..nh]);
            let (c_dot, tanh_c_dot) = (&dots.c[nh * t..][..nh], &dots.tanh_c[nh * t..][..nh]);
            let h_new_dot = &dots.h[nh * (t + 1)..][..nh];
            let scale = 2.0 / steps as f64;
            let (y_bar, y_bar_dot) = (scale * path.e[t], scale * dots.e[t]);
            hv.out[nh] += y_bar_dot;
            for k in 0..nh {
                hv.out[k] += y_bar_dot * h_new[k] + y_bar * h_new_dot[k];
                h_bar[k] += y_bar * p.out[k];
                h_bar_dot[k] += y_bar_dot * p.out[k] + y_bar * v.out[k];
            }
            for k in 0..nh {
                let (i, f, g, o) = (gates[k], gates[nh + k], gates[2 * nh + k], gates[3 * nh + k]);
                let (i_dot, f_dot) = (gates_dot[k], gates_dot[nh + k]);
                let (g_dot, o_dot) = (gates_dot[2 * nh + k], gates_dot[3 * nh + k]);
                let (tanh, tanh_dot) = (tanh_c[k], tanh_c_dot[k]);
                let s = 1.0 - tanh * tanh;
                c_bar[k] += h_bar[k] * o * s;
                c_bar_dot[k] +=
                    (h_bar_dot[k] * o + h_bar[k] * o_dot) * s - 2.0 * h_bar[k] * o * tanh * tanh_dot;
                let (cb, cb_dot) = (c_bar[k], c_bar_dot[k]);
                let (s, s_dot) = (i * (1.0 - i), (1.0 - 2.0 * i) * i_dot);
                a_bar[k] = cb * g * s;
                a_bar_dot[k] = (cb_dot * g + cb * g_dot) * s + cb * g * s_dot;
                let (s, s_dot) = (f * (1.0 - f), (1.0 - 2.0 * f) * f_dot);
                a_bar[nh + k] = cb * c[k] * s;
                a_bar_dot[nh + k] = (cb_dot * c[k] + cb * c_dot[k]) * s + cb * c[k] * s_dot;
                let (s, s_dot) = (1.0 - g * g, -2.0 * g * g_dot);
                a_bar[2 * nh + k] = cb * i * s;
                a_bar_dot[2 * nh + k] = (cb_dot * i + cb * i_dot) * s + cb * i * s_dot;
                let (s, s_dot) = (o * (1.0 - o), (1.0 - 2.0 * o) * o_dot);
                a_bar[3 * nh + k] = h_bar[k] * tanh * s;
                a_bar_dot[3 * nh + k] =
                    (h_bar_dot[k] * tanh + h_bar[k] * tanh_dot) * s + h_bar[k] * tanh * s_dot;
                c_bar[k] = cb * f;
                c_bar_dot[k] = cb_dot * f + cb * f_dot;
            }
            h_bar.fill(0.0);
            h_bar_dot.fill(0.0);
            for k in 0..4 * nh {
                let (ab, ab_dot) = (a_bar[k], a_bar_dot[k]);
                hv.b[k] += ab_dot;
                axpy(ab_dot, x, &mut hv.w[k * ni..][..ni]);
                let (u, u_dot, hu) = (&p.u[k * nh..][..nh], &v.u[k * nh..][..nh], &mut hv.u[k * nh..][..nh]);
                for j in 0..nh {
                    hu[j] += ab_dot * h[j] + ab * h_dot[j];
                    h_bar[j] += ab * u[j];
                    h_bar_dot[j] += ab_dot * u[j] + ab * u_dot[j];
                }
            }
        }
    }

    fn generic<T: Number>(&self, p: &[T]) -> T {
        let (ni, nh) = (self.ni, self.nh);
        let p = self.parts(p);
        let sigmoid = |a: T| ((-a).exp() + 1.0).recip();
        let (mut h, mut c, mut a) =
            (vec![T::from(0.0); nh], vec![T::from(0.0); nh], vec![T::from(0.0); 4 * nh]);
        let mut loss = T::from(0.0);
        for (x, y) in self.xs.chunks_exact(ni).zip(&self.ys) {
            for k in 0..4 * nh {
                a[k] = p.b[k];
                for j in 0..ni {
                    a[k] += p.w[k * ni + j] * x[j];
                }
                for j in 0..nh {
                    a[k] += p.u[k * nh + j] * h[j];
                }
            }
            let mut e = p.out[nh] - *y;
            for k in 0..nh {
                c[k] = sigmoid(a[nh + k]) * c[k] + sigmoid(a[k]) * a[2 * nh + k].tanh();
                h[k] = sigmoid(a[3 * nh + k]) * c[k].tanh();
                e += p.out[k] * h[k];
            }
            loss += e * e;
        }
        loss / self.ys.len() as f64
    }
}
