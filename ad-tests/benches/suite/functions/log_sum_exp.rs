//! Log-sum-exp with the largest element taken out: three passes over one vector.

use super::{Case, LANES, Linearization, Number, Problem, dual, softmax, uniform};
use ad_runtime::differentiable;
use std::hint::black_box;

#[differentiable]
fn log_sum_exp(x: &[f64]) -> f64 {
    let mut largest = x[0];
    for &v in x {
        if v > largest {
            largest = v;
        }
    }
    let mut s = 0.0;
    for &v in x {
        s += (v - largest).exp();
    }
    largest + s.ln()
}

struct LogSumExp;

pub(super) fn case(name: &'static str) -> Case {
    Case::new(name, LogSumExp, uniform(14, black_box(1000), -3.0, 3.0))
}

impl Problem for LogSumExp {
    fn primal(&self, x: &[f64]) -> f64 {
        log_sum_exp(x)
    }
    fn gradient(&self, x: &[f64], g: &mut [f64]) -> f64 {
        log_sum_exp_grad(x, g)
    }
    fn hvp(&self, x: &[f64], v: &[f64], hv: &mut [f64]) {
        log_sum_exp_hvp(x, v, hv);
    }
    fn hvp_block(&self, x: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        log_sum_exp_hvp_block(x, v, hv);
    }
    fn linearize<'a>(&'a self, x: &'a [f64]) -> Linearization<'a> {
        Linearization::new(log_sum_exp_linearize(x))
    }

    fn gradient_by_hand(&self, x: &[f64], g: &mut [f64]) -> f64 {
        softmax(x, g)
    }

    fn hvp_by_hand(&self, x: &[f64], v: &[f64], hv: &mut [f64]) {
        let mut largest = x[0];
        for &x in x {
            if x > largest {
                largest = x;
            }
        }
        let (mut s, mut s_dot) = (0.0, 0.0);
        for ((hv, x), v) in hv.iter_mut().zip(x).zip(v) {
            *hv = (x - largest).exp();
            s += *hv;
            s_dot += *hv * v;
        }
        let by = 1.0 / s;
        let mean = s_dot * by;
        for (hv, v) in hv.iter_mut().zip(v) {
            *hv *= by * (v - mean);
        }
    }

    fn generic<T: Number>(&self, x: &[T]) -> T {
        dual::log_sum_exp(x)
    }
}
