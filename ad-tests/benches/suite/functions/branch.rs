//! A scalar function of two branches: nothing but call overhead and the functions of the standard library.

use super::{Case, LANES, Linearization, Number, Problem};
use ad_runtime::differentiable;

#[differentiable]
fn branch(x: f64, y: f64) -> f64 {
    if x > y { x * x * y + y.sin() } else { x * y * y - x.cos() }
}

struct Branch;

pub(super) fn case(name: &'static str) -> Case {
    Case::new(name, Branch, vec![1.3, 0.7])
}

impl Problem for Branch {
    fn primal(&self, x: &[f64]) -> f64 {
        branch(x[0], x[1])
    }
    fn gradient(&self, x: &[f64], g: &mut [f64]) -> f64 {
        let (value, (gx, gy)) = branch_grad(x[0], x[1]);
        (g[0], g[1]) = (gx, gy);
        value
    }
    fn hvp(&self, x: &[f64], v: &[f64], hv: &mut [f64]) {
        (hv[0], hv[1]) = branch_hvp(x[0], x[1], v[0], v[1]);
    }
    fn hvp_block(&self, x: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        (hv[0], hv[1]) = branch_hvp_block(x[0], x[1], v[0], v[1]);
    }
    fn linearize<'a>(&'a self, x: &'a [f64]) -> Linearization<'a> {
        Linearization::new(branch_linearize(x[0], x[1]))
    }

    fn gradient_by_hand(&self, x: &[f64], g: &mut [f64]) -> f64 {
        let (x, y) = (x[0], x[1]);
        if x > y {
            (g[0], g[1]) = (2.0 * x * y, x * x + y.cos());
            x * x * y + y.sin()
        } else {
            (g[0], g[1]) = (y * y + x.sin(), 2.0 * x * y);
            x * y * y - x.cos()
        }
    }

    fn hvp_by_hand(&self, x: &[f64], v: &[f64], hv: &mut [f64]) {
        let (x, y, p, q) = (x[0], x[1], v[0], v[1]);
        (hv[0], hv[1]) = if x > y {
            (2.0 * y * p + 2.0 * x * q, 2.0 * x * p - y.sin() * q)
        } else {
            (x.cos() * p + 2.0 * y * q, 2.0 * y * p + 2.0 * x * q)
        };
    }

    fn generic<T: Number>(&self, x: &[T]) -> T {
        let (x, y) = (x[0], x[1]);
        if x.re() > y.re() { x * x * y + y.sin() } else { x * y * y - x.cos() }
    }
}
