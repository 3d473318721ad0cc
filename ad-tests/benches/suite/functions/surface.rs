//! Area of a surface over a square grid (the minimal-surface problem): a stencil in two dimensions, with a banded Hessian.

use super::{Case, LANES, Linearization, Number, Problem, uniform};
use ad_runtime::differentiable;
use std::hint::black_box;

#[differentiable(wrt(u))]
fn surface(u: &[f64], m: usize) -> f64 {
    let mut area = 0.0;
    for i in 0..m - 1 {
        for j in 0..m - 1 {
            let a = u[i * m + j];
            let dx = u[i * m + j + 1] - a;
            let dy = u[(i + 1) * m + j] - a;
            area += (1.0 + dx * dx + dy * dy).sqrt();
        }
    }
    area
}

struct Surface {
    /// Points a side.
    m: usize,
}

pub(super) fn case(name: &'static str) -> Case {
    let m = black_box(64);
    Case::new(name, Surface { m }, uniform(18, m * m, -1.0, 1.0))
}

impl Problem for Surface {
    fn primal(&self, u: &[f64]) -> f64 {
        surface(u, self.m)
    }
    fn gradient(&self, u: &[f64], g: &mut [f64]) -> f64 {
        surface_grad(u, self.m, g)
    }
    fn hvp(&self, u: &[f64], v: &[f64], hv: &mut [f64]) {
        surface_hvp(u, self.m, v, hv);
    }
    fn hvp_block(&self, u: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        surface_hvp_block(u, self.m, v, hv);
    }
    fn linearize<'a>(&'a self, u: &'a [f64]) -> Linearization<'a> {
        Linearization::new(surface_linearize(u, self.m))
    }

    fn gradient_by_hand(&self, u: &[f64], g: &mut [f64]) -> f64 {
        let m = self.m;
        let mut area = 0.0;
        g.fill(0.0);
        for i in 0..m - 1 {
            let (u, below) = (&u[i * m..][..m], &u[(i + 1) * m..][..m]);
            let (g, g_below) = g[i * m..][..2 * m].split_at_mut(m);
            for j in 0..m - 1 {
                let (dx, dy) = (u[j + 1] - u[j], below[j] - u[j]);
                let r = (1.0 + dx * dx + dy * dy).sqrt();
                area += r;
                let (gx, gy) = (dx / r, dy / r);
                g[j] -= gx + gy;
                g[j + 1] += gx;
                g_below[j] += gy;
            }
        }
        area
    }

    fn hvp_by_hand(&self, u: &[f64], v: &[f64], hv: &mut [f64]) {
        let m = self.m;
        hv.fill(0.0);
        for i in 0..m - 1 {
            let (u, below) = (&u[i * m..][..m], &u[(i + 1) * m..][..m]);
            let (v, v_below) = (&v[i * m..][..m], &v[(i + 1) * m..][..m]);
            let (hv, h_below) = hv[i * m..][..2 * m].split_at_mut(m);
            for j in 0..m - 1 {
                let (dx, dy) = (u[j + 1] - u[j], below[j] - u[j]);
                let (vx, vy) = (v[j + 1] - v[j], v_below[j] - v[j]);
                let q = 1.0 / (1.0 + dx * dx + dy * dy);
                let by = q.sqrt();
                let t = (dx * vx + dy * vy) * q;
                let (hx, hy) = ((vx - dx * t) * by, (vy - dy * t) * by);
                hv[j] -= hx + hy;
                hv[j + 1] += hx;
                h_below[j] += hy;
            }
        }
    }

    fn generic<T: Number>(&self, u: &[T]) -> T {
        let m = self.m;
        let mut area = T::from(0.0);
        for i in 0..m - 1 {
            for j in 0..m - 1 {
                let a = u[i * m + j];
                let dx = u[i * m + j + 1] - a;
                let dy = u[(i + 1) * m + j] - a;
                area += (dx * dx + dy * dy + 1.0).sqrt();
            }
        }
        area
    }
}
