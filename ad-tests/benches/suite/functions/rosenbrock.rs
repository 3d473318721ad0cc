//! The chained Rosenbrock function: a stencil of width two.

use super::{Case, LANES, Linearization, Number, Problem, uniform};
use ad_runtime::differentiable;
use std::hint::black_box;

#[differentiable]
fn rosenbrock(x: &[f64]) -> f64 {
    let mut s = 0.0;
    for i in 0..x.len() - 1 {
        let t = x[i + 1] - x[i] * x[i];
        let u = 1.0 - x[i];
        s += 100.0 * t * t + u * u;
    }
    s
}

struct Rosenbrock;

pub(super) fn case(name: &'static str, n: usize) -> Case {
    Case::new(name, Rosenbrock, uniform(1, black_box(n), -1.0, 1.0))
}

impl Problem for Rosenbrock {
    fn primal(&self, x: &[f64]) -> f64 {
        rosenbrock(x)
    }
    fn gradient(&self, x: &[f64], g: &mut [f64]) -> f64 {
        rosenbrock_grad(x, g)
    }
    fn hvp(&self, x: &[f64], v: &[f64], hv: &mut [f64]) {
        rosenbrock_hvp(x, v, hv);
    }
    fn hvp_block(&self, x: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        rosenbrock_hvp_block(x, v, hv);
    }
    fn linearize<'a>(&'a self, x: &'a [f64]) -> Linearization<'a> {
        Linearization::new(rosenbrock_linearize(x))
    }

    fn gradient_by_hand(&self, x: &[f64], g: &mut [f64]) -> f64 {
        let n = x.len();
        let mut s = 0.0;
        let mut left = 0.0;
        for (g, w) in g[..n - 1].iter_mut().zip(x.windows(2)) {
            let t = w[1] - w[0] * w[0];
            let u = 1.0 - w[0];
            s += 100.0 * t * t + u * u;
            *g = left - 400.0 * t * w[0] - 2.0 * u;
            left = 200.0 * t;
        }
        g[n - 1] = left;
        s
    }

    fn hvp_by_hand(&self, x: &[f64], v: &[f64], hv: &mut [f64]) {
        let n = x.len();
        let own =
            |x0: f64, x1: f64, v0: f64, v1: f64| (1200.0 * x0 * x0 - 400.0 * x1 + 2.0) * v0 - 400.0 * x0 * v1;
        let left = |x0: f64, v0: f64, v1: f64| 200.0 * v1 - 400.0 * x0 * v0;
        hv[0] = own(x[0], x[1], v[0], v[1]);
        for ((hv, x), v) in hv[1..n - 1].iter_mut().zip(x.windows(3)).zip(v.windows(3)) {
            *hv = own(x[1], x[2], v[1], v[2]) + left(x[0], v[0], v[1]);
        }
        hv[n - 1] = left(x[n - 2], v[n - 2], v[n - 1]);
    }

    fn generic<T: Number>(&self, x: &[T]) -> T {
        let mut s = T::from(0.0);
        for i in 0..x.len() - 1 {
            let t = x[i + 1] - x[i] * x[i];
            let u = -x[i] + 1.0;
            s += t * t * 100.0 + u * u;
        }
        s
    }
}
