//! Negative log-likelihood of a Gaussian mixture with a Wishart prior (the objective of ADBench): scratch arrays that are
//! overwritten in the loops, and a running index.

use super::{Case, LANES, Linearization, Number, Problem, axpy, dot, softmax, uniform};
use ad_runtime::differentiable;
use std::hint::black_box;

#[differentiable(wrt(p))]
fn gmm(p: &[f64], xs: &[f64], d: usize, k: usize, n: usize, gamma: f64, wishart_m: f64) -> f64 {
    let ld = d * (d - 1) / 2;
    let al = &p[..k];
    let mu = &p[k..k + k * d];
    let q = &p[k + k * d..k + 2 * k * d];
    let l = &p[k + 2 * k * d..];
    let mut qd = vec![0.0; k * d];
    let mut sq = vec![0.0; k];
    for c in 0..k {
        let mut s = 0.0;
        for j in 0..d {
            s += q[c * d + j];
            qd[c * d + j] = q[c * d + j].exp();
        }
        sq[c] = s;
    }
    let mut main = vec![0.0; k];
    let mut xc = vec![0.0; d];
    let mut slse = 0.0;
    for i in 0..n {
        for c in 0..k {
            for j in 0..d {
                xc[j] = xs[i * d + j] - mu[c * d + j];
            }
            let mut nrm = 0.0;
            let mut o = c * ld;
            for r in 0..d {
                let mut t = qd[c * d + r] * xc[r];
                for j in 0..r {
                    t += l[o] * xc[j];
                    o += 1;
                }
                nrm += t * t;
            }
            main[c] = al[c] + sq[c] - 0.5 * nrm;
        }
        let mut mx = main[0];
        for c in 1..k {
            if main[c] > mx {
                mx = main[c];
            }
        }
        let mut s = 0.0;
        for c in 0..k {
            s += (main[c] - mx).exp();
        }
        slse += mx + s.ln();
    }
    let mut amx = al[0];
    for c in 1..k {
        if al[c] > amx {
            amx = al[c];
        }
    }
    let mut asum = 0.0;
    for c in 0..k {
        asum += (al[c] - amx).exp();
    }
    let lse_a = amx + asum.ln();
    let mut prior = 0.0;
    for c in 0..k {
        let mut f = 0.0;
        for j in 0..d {
            f += qd[c * d + j] * qd[c * d + j];
        }
        for j in 0..ld {
            f += l[c * ld + j] * l[c * ld + j];
        }
        prior += 0.5 * gamma * gamma * f - wishart_m * sq[c];
    }
    slse - n as f64 * lse_a + prior
}

struct Gmm {
    /// Dimension, components, samples.
    sizes: [usize; 3],
    xs: Vec<f64>,
    gamma: f64,
    wishart_m: f64,
}

pub(super) fn case(name: &'static str) -> Case {
    let sizes @ [d, k, n] = black_box([10, 25, 1000]);
    let ld = d * (d - 1) / 2;
    let mut p = uniform(8, k, -1.0, 1.0);
    p.extend(uniform(9, k * d, -1.0, 1.0));
    p.extend(uniform(10, k * d, -0.5, 0.5));
    p.extend(uniform(11, k * ld, -0.5, 0.5));
    let problem = Gmm { sizes, xs: uniform(12, n * d, -1.0, 1.0), gamma: 1.0, wishart_m: 0.0 };
    Case::new(name, problem, p)
}

/// Log-weights, means, logarithms of the diagonals, strictly lower triangles row by row.
struct Parts<S> {
    al: S,
    mu: S,
    q: S,
    l: S,
}

impl Gmm {
    fn parts<'a, T>(&self, p: &'a [T]) -> Parts<&'a [T]> {
        let [d, k, _] = self.sizes;
        let (al, rest) = p.split_at(k);
        let (mu, rest) = rest.split_at(k * d);
        let (q, l) = rest.split_at(k * d);
        Parts { al, mu, q, l }
    }

    fn parts_mut<'a>(&self, p: &'a mut [f64]) -> Parts<&'a mut [f64]> {
        let [d, k, _] = self.sizes;
        let (al, rest) = p.split_at_mut(k);
        let (mu, rest) = rest.split_at_mut(k * d);
        let (q, l) = rest.split_at_mut(k * d);
        Parts { al, mu, q, l }
    }
}

impl Problem for Gmm {
    fn primal(&self, p: &[f64]) -> f64 {
        let [d, k, n] = self.sizes;
        gmm(p, &self.xs, d, k, n, self.gamma, self.wishart_m)
    }
    fn gradient(&self, p: &[f64], g: &mut [f64]) -> f64 {
        let [d, k, n] = self.sizes;
        gmm_grad(p, &self.xs, d, k, n, self.gamma, self.wishart_m, g)
    }
    fn hvp(&self, p: &[f64], v: &[f64], hv: &mut [f64]) {
        let [d, k, n] = self.sizes;
        gmm_hvp(p, &self.xs, d, k, n, self.gamma, self.wishart_m, v, hv);
    }
    fn hvp_block(&self, p: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        let [d, k, n] = self.sizes;
        gmm_hvp_block(p, &self.xs, d, k, n, self.gamma, self.wishart_m, v, hv);
    }
    fn linearize<'a>(&'a self, p: &'a [f64]) -> Linearization<'a> {
        let [d, k, n] = self.sizes;
        Linearization::new(gmm_linearize(p, &self.xs, d, k, n, self.gamma, self.wishart_m))
    }

    fn gradient_by_hand(&self, p: &[f64], g: &mut [f64]) -> f64 {
        let [d, k, n] = self.sizes;
        let ld = d * (d - 1) / 2;
        g.fill(0.0);
        let (p, g) = (self.parts(p), self.parts_mut(g));
        let (mut qd, mut sq) = (vec![0.0; k * d], vec![0.0; k]);
        for c in 0..k {
            for i in c * d..(c + 1) * d {
                qd[i] = p.q[i].exp();
                sq[c] += p.q[i];
            }
        }
        let (mut main, mut w) = (vec![0.0; k], vec![0.0; k]);
        let (mut xcs, mut ys) = (vec![0.0; k * d], vec![0.0; k * d]);
        let mut value = 0.0;
        for x in self.xs.chunks_exact(d) {
            for c in 0..k {
                let (xc, y) = (&mut xcs[c * d..][..d], &mut ys[c * d..][..d]);
                let (mu, qd) = (&p.mu[c * d..][..d], &qd[c * d..][..d]);
                for j in 0..d {
                    xc[j] = x[j] - mu[j];
                }
                let mut o = c * ld;
                for r in 0..d {
                    y[r] = qd[r] * xc[r] + dot(&p.l[o..o + r], &xc[..r]);
                    o += r;
                }
                main[c] = p.al[c] + sq[c] - 0.5 * dot(y, y);
            }
            value += softmax(&main, &mut w);
            for c in 0..k {
                g.al[c] += w[c];
                let (xc, y, qd) = (&xcs[c * d..][..d], &ys[c * d..][..d], &qd[c * d..][..d]);
                let (g_mu, g_q) = (&mut g.mu[c * d..][..d], &mut g.q[c * d..][..d]);
                let mut o = c * ld;
                for r in 0..d {
                    let t = -w[c] * y[r];
                    g_q[r] += t * xc[r];
                    g_mu[r] -= t * qd[r];
                    axpy(t, &xc[..r], &mut g.l[o..o + r]);
                    axpy(-t, &p.l[o..o + r], &mut g_mu[..r]);
                    o += r;
                }
            }
        }
        let gamma2 = self.gamma * self.gamma;
        for c in 0..k {
            for j in c * d..(c + 1) * d {
                g.q[j] = g.q[j] * qd[j] + g.al[c] + gamma2 * qd[j] * qd[j] - self.wishart_m;
            }
            value -= self.wishart_m * sq[c];
        }
        value += 0.5 * gamma2 * (dot(&qd, &qd) + dot(p.l, p.l));
        axpy(gamma2, p.l, g.l);
        value -= n as f64 * softmax(p.al, &mut w);
        axpy(-(n as f64), &w, g.al);
        value
    }

    fn hvp_by_hand(&self, p: &[f64], v: &[f64], hv: &mut [f64]) {
        let [d, k, n] = self.sizes;
        let ld = d * (d - 1) / 2;
        hv.fill(0.0);
        let (p, v, hv) = (self.parts(p), self.parts(v), self.parts_mut(hv));
        let (mut qd, mut qd_dot) = (vec![0.0; k * d], vec![0.0; k * d]);
        let (mut sq, mut sq_dot) = (vec![0.0; k], vec![0.0; k]);
        for c in 0..k {
            for i in c * d..(c + 1) * d {
                qd[i] = p.q[i].exp();
                qd_dot[i] = qd[i] * v.q[i];
                sq[c] += p.q[i];
                sq_dot[c] += v.q[i];
            }
        }
        let (mut main, mut main_dot, mut w) = (vec![0.0; k], vec![0.0; k], vec![0.0; k]);
        let (mut xcs, mut ys, mut y_dots) = (vec![0.0; k * d], vec![0.0; k * d], vec![0.0; k * d]);
        let mut qd_bar = vec![0.0; k * d];
        for x in self.xs.chunks_exact(d) {
            for c in 0..k {
                let (xc, y, y_dot) =
                    (&mut xcs[c * d..][..d], &mut ys[c * d..][..d], &mut y_dots[c * d..][..d]);
                let (mu, mu_dot) = (&p.mu[c * d..][..d], &v.mu[c * d..][..d]);
                let (qd, qd_dot) = (&qd[c * d..][..d], &qd_dot[c * d..][..d]);
                for j in 0..d {
                    xc[j] = x[j] - mu[j];
                }
                let mut o = c * ld;
                for r in 0..d {
                    let (l, l_dot) = (&p.l[o..o + r], &v.l[o..o + r]);
                    y[r] = qd[r] * xc[r] + dot(l, &xc[..r]);
                    y_dot[r] =
                        qd_dot[r] * xc[r] - qd[r] * mu_dot[r] + dot(l_dot, &xc[..r]) - dot(l, &mu_dot[..r]);
                    o += r;
                }
                main[c] = p.al[c] + sq[c] - 0.5 * dot(y, y);
                main_dot[c] = v.al[c] + sq_dot[c] - dot(y, y_dot);
            }
            softmax(&main, &mut w);
            let mean = dot(&w, &main_dot);
            for c in 0..k {
                let (w, w_dot) = (w[c], w[c] * (main_dot[c] - mean));
                hv.al[c] += w_dot;
                let (xc, y, y_dot) = (&xcs[c * d..][..d], &ys[c * d..][..d], &y_dots[c * d..][..d]);
                let (qd, qd_dot) = (&qd[c * d..][..d], &qd_dot[c * d..][..d]);
                let mu_dot = &v.mu[c * d..][..d];
                let (h_mu, h_q) = (&mut hv.mu[c * d..][..d], &mut hv.q[c * d..][..d]);
                let qd_bar = &mut qd_bar[c * d..][..d];
                let mut o = c * ld;
                for r in 0..d {
                    let b = -w * y[r];
                    let b_dot = -w_dot * y[r] - w * y_dot[r];
                    qd_bar[r] += b * xc[r];
                    h_q[r] += b_dot * xc[r] - b * mu_dot[r];
                    h_mu[r] -= b_dot * qd[r] + b * qd_dot[r];
                    let (l, l_dot) = (&p.l[o..o + r], &v.l[o..o + r]);
                    let h_l = &mut hv.l[o..o + r];
                    for j in 0..r {
                        h_l[j] += b_dot * xc[j] - b * mu_dot[j];
                        h_mu[j] -= b_dot * l[j] + b * l_dot[j];
                    }
                    o += r;
                }
            }
        }
        let gamma2 = self.gamma * self.gamma;
        for c in 0..k {
            for j in c * d..(c + 1) * d {
                hv.q[j] =
                    hv.q[j] * qd[j] + qd_bar[j] * qd_dot[j] + hv.al[c] + 2.0 * gamma2 * qd[j] * qd_dot[j];
            }
        }
        axpy(gamma2, v.l, hv.l);
        softmax(p.al, &mut w);
        let mean = dot(&w, v.al);
        for c in 0..k {
            hv.al[c] -= n as f64 * w[c] * (v.al[c] - mean);
        }
    }

    fn generic<T: Number>(&self, p: &[T]) -> T {
        let [d, k, n] = self.sizes;
        let ld = d * (d - 1) / 2;
        let p = self.parts(p);
        let (mut qd, mut sq) = (vec![T::from(0.0); k * d], vec![T::from(0.0); k]);
        let (mut main, mut xc) = (vec![T::from(0.0); k], vec![T::from(0.0); d]);
        for i in 0..k * d {
            qd[i] = p.q[i].exp();
            sq[i / d] += p.q[i];
        }
        let mut value = T::from(0.0);
        for x in self.xs.chunks_exact(d) {
            for c in 0..k {
                for j in 0..d {
                    xc[j] = -p.mu[c * d + j] + x[j];
                }
                let mut norm = T::from(0.0);
                let mut o = c * ld;
                for r in 0..d {
                    let mut t = qd[c * d + r] * xc[r];
                    for j in 0..r {
                        t += p.l[o] * xc[j];
                        o += 1;
                    }
                    norm += t * t;
                }
                main[c] = p.al[c] + sq[c] - norm * 0.5;
            }
            value += super::dual::log_sum_exp(&main);
        }
        let mut squares = T::from(0.0);
        for x in qd.iter().chain(p.l) {
            squares += *x * *x;
        }
        for sq in sq {
            value -= sq * self.wishart_m;
        }
        value - super::dual::log_sum_exp(p.al) * n as f64 + squares * (0.5 * self.gamma * self.gamma)
    }
}
