//! Lennard-Jones energy of all pairs: a triangular nest of loops.

use super::{Case, LANES, Linearization, Number, Problem, uniform};
use ad_runtime::differentiable;
use std::hint::black_box;

#[differentiable]
fn lennard_jones(q: &[f64]) -> f64 {
    let np = q.len() / 3;
    let mut e = 0.0;
    for i in 0..np {
        for j in i + 1..np {
            let dx = q[3 * i] - q[3 * j];
            let dy = q[3 * i + 1] - q[3 * j + 1];
            let dz = q[3 * i + 2] - q[3 * j + 2];
            let r = (dx * dx + dy * dy + dz * dz).sqrt();
            let u = 1.0 / r;
            let u2 = u * u;
            let u6 = u2 * u2 * u2;
            e += 4.0 * (u6 * u6 - u6);
        }
    }
    e
}

struct LennardJones;

pub(super) fn case(name: &'static str) -> Case {
    let [nx, ny, nz] = black_box([8, 8, 4]);
    let noise = uniform(13, 3 * nx * ny * nz, -0.1, 0.1);
    let mut q = Vec::new();
    for i in 0..nx {
        for j in 0..ny {
            for k in 0..nz {
                q.extend([i, j, k].map(|c| 1.2 * c as f64));
            }
        }
    }
    q.iter_mut().zip(noise).for_each(|(q, e)| *q += e);
    Case::new(name, LennardJones, q)
}

impl Problem for LennardJones {
    fn primal(&self, q: &[f64]) -> f64 {
        lennard_jones(q)
    }
    fn gradient(&self, q: &[f64], g: &mut [f64]) -> f64 {
        lennard_jones_grad(q, g)
    }
    fn hvp(&self, q: &[f64], v: &[f64], hv: &mut [f64]) {
        lennard_jones_hvp(q, v, hv);
    }
    fn hvp_block(&self, q: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        lennard_jones_hvp_block(q, v, hv);
    }
    fn linearize<'a>(&'a self, q: &'a [f64]) -> Linearization<'a> {
        Linearization::new(lennard_jones_linearize(q))
    }

    fn gradient_by_hand(&self, q: &[f64], g: &mut [f64]) -> f64 {
        g.fill(0.0);
        let mut e = 0.0;
        for i in 0..q.len() / 3 {
            let (a, others) = q[3 * i..].split_at(3);
            let (ga, g_others) = g[3 * i..].split_at_mut(3);
            let mut own = [0.0; 3];
            for (b, gb) in others.chunks_exact(3).zip(g_others.chunks_exact_mut(3)) {
                let d = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
                let s = 1.0 / (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
                let s3 = s * s * s;
                e += 4.0 * (s3 * s3 - s3);
                let slope = 2.0 * s3 * s * (12.0 - 24.0 * s3);
                for k in 0..3 {
                    let t = slope * d[k];
                    own[k] += t;
                    gb[k] -= t;
                }
            }
            for k in 0..3 {
                ga[k] += own[k];
            }
        }
        e
    }

    fn hvp_by_hand(&self, q: &[f64], v: &[f64], hv: &mut [f64]) {
        hv.fill(0.0);
        for i in 0..q.len() / 3 {
            let (a, others) = q[3 * i..].split_at(3);
            let (va, v_others) = v[3 * i..].split_at(3);
            let (ha, h_others) = hv[3 * i..].split_at_mut(3);
            let mut own = [0.0; 3];
            for ((b, vb), hb) in
                others.chunks_exact(3).zip(v_others.chunks_exact(3)).zip(h_others.chunks_exact_mut(3))
            {
                let d = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
                let w = [va[0] - vb[0], va[1] - vb[1], va[2] - vb[2]];
                let s = 1.0 / (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
                let s3 = s * s * s;
                let s4 = s3 * s;
                let first = 2.0 * s4 * (12.0 - 24.0 * s3);
                let second = 4.0 * s4 * s * (168.0 * s3 - 48.0) * (d[0] * w[0] + d[1] * w[1] + d[2] * w[2]);
                for k in 0..3 {
                    let t = first * w[k] + second * d[k];
                    own[k] += t;
                    hb[k] -= t;
                }
            }
            for k in 0..3 {
                ha[k] += own[k];
            }
        }
    }

    fn generic<T: Number>(&self, q: &[T]) -> T {
        let np = q.len() / 3;
        let mut e = T::from(0.0);
        for i in 0..np {
            for j in i + 1..np {
                let dx = q[3 * i] - q[3 * j];
                let dy = q[3 * i + 1] - q[3 * j + 1];
                let dz = q[3 * i + 2] - q[3 * j + 2];
                let u = (dx * dx + dy * dy + dz * dz).sqrt().recip();
                let u2 = u * u;
                let u6 = u2 * u2 * u2;
                e += (u6 * u6 - u6) * 4.0;
            }
        }
        e
    }
}
