//! Multinomial logistic objective, after smartcore's `MultiClassObjectiveFunction`.
use ad_runtime::differentiable;
use num_traits::Float;
use std::ops::{AddAssign, DivAssign, SubAssign};

pub trait FloatNumber: Float + AddAssign + SubAssign + DivAssign {}
impl<T: Float + AddAssign + SubAssign + DivAssign> FloatNumber for T {}

pub struct MultiClassObjectiveFunction<'a, T: FloatNumber> {
    pub x: &'a [Vec<T>],
    pub y: Vec<usize>,
    pub k: usize,
    pub alpha: T,
}

#[differentiable]
fn softmax_mut<T: FloatNumber>(v: &mut [T]) {
    let max = v.iter().fold(T::neg_infinity(), |m, x| m.max(*x));
    let mut z = T::zero();
    for x in v.iter_mut() {
        *x = (*x - max).exp();
        z += *x;
    }
    for x in v.iter_mut() {
        *x /= z;
    }
}

impl<'a, T: FloatNumber> MultiClassObjectiveFunction<'a, T> {
    #[differentiable(wrt(w_bias))]
    fn partial_dot(&self, w_bias: &[T], v_pos: usize, row: usize) -> T {
        let p = self.x[row].len();
        let mut sum = T::zero();
        for i in 0..p {
            sum += self.x[row][i] * w_bias[i + v_pos];
        }
        sum + w_bias[p + v_pos]
    }

    #[differentiable(wrt(w_bias))]
    pub fn f(&self, w_bias: &[T]) -> T {
        let mut f = T::zero();
        let mut prob = vec![T::zero(); self.k];
        let (n, p) = (self.x.len(), self.x[0].len());
        for i in 0..n {
            for (j, prob_j) in prob.iter_mut().enumerate() {
                *prob_j = self.partial_dot(w_bias, j * (p + 1), i);
            }
            softmax_mut(&mut prob);
            f -= prob[self.y[i]].ln();
        }

        if self.alpha > T::zero() {
            let mut w_squared = T::zero();
            for i in 0..self.k {
                for j in 0..p {
                    let wi = w_bias[i * (p + 1) + j];
                    w_squared += wi * wi;
                }
            }
            f += T::from(0.5).unwrap() * self.alpha * w_squared;
        }
        f
    }
}

#[cfg(test)]
const W: [f64; 9] = [0.4, -0.6, 0.1, 0.3, 0.8, -0.2, -0.5, 0.2, 0.3];

#[cfg(test)]
fn samples() -> Vec<Vec<f64>> {
    vec![vec![1.1, -0.3], vec![-0.4, 0.9], vec![0.2, 0.5], vec![-1.2, -0.8]]
}

#[cfg(test)]
#[test]
fn primal() {
    let x = samples();
    let objective = MultiClassObjectiveFunction { x: &x, y: vec![0, 1, 2, 0], k: 3, alpha: 0.4 };
    assert!(objective.f(&W).is_finite());
}

#[test]
fn exact() {
    let x = samples();
    let objective = MultiClassObjectiveFunction { x: &x, y: vec![0, 1, 2, 0], k: 3, alpha: 0.4 };
    super::harness::check(
        "smartcore_multiclass",
        &W,
        |w| objective.f(w),
        |w| {
            let mut g = vec![0.0; 9];
            let f = objective.f_grad(w, &mut g);
            (f, g)
        },
        |w, v| {
            let mut h = vec![0.0; 9];
            objective.f_hvp(w, v, &mut h);
            h
        },
    );
}
