//! Schaffer's F7 as f17/f18 of the BBOB suite, objective for a CMA-ES run.

use ad_runtime::differentiable;
use nalgebra::{DMatrix, DVector};

pub struct SchaffersF17 {
    x_opt: DVector<f64>,
    q: DMatrix<f64>,
    r: DMatrix<f64>,
    conditioning: f64,
}

/// Product of plane rotations by `angle`, `2 angle`, ..
fn rotation(dim: usize, angle: f64) -> DMatrix<f64> {
    (0..dim - 1).fold(DMatrix::<f64>::identity(dim, dim), |acc, k| {
        let (s, c) = (angle * (k + 1) as f64).sin_cos();
        let mut g = DMatrix::<f64>::identity(dim, dim);
        g[(k, k)] = c;
        g[(k, k + 1)] = -s;
        g[(k + 1, k)] = s;
        g[(k + 1, k + 1)] = c;
        acc * g
    })
}

/// `T_asy^beta`
#[differentiable(wrt(v))]
fn asymmetric(v: DVector<f64>, beta: f64) -> DVector<f64> {
    let last = (v.len() - 1) as f64;
    v.map_with_location(
        |i, _, vi| {
            if vi > 0.0 { vi.powf(1.0 + beta * i as f64 / last * vi.sqrt()) } else { vi }
        },
    )
}

#[differentiable]
fn boundary_penalty(x: &DVector<f64>) -> f64 {
    x.iter().map(|xi| (xi.abs() - 5.0).max(0.0).powi(2)).sum()
}

impl SchaffersF17 {
    pub fn new(x_opt: DVector<f64>, conditioning: f64) -> Self {
        let dim = x_opt.len();
        Self { x_opt, q: rotation(dim, 0.7), r: rotation(dim, -0.4), conditioning }
    }

    #[differentiable]
    pub fn evaluate(&self, x: &DVector<f64>) -> f64 {
        let dim = x.len();
        let y = asymmetric(&self.r * (x - &self.x_opt), 0.5);
        let lambda = DVector::from_fn(dim, |i, _| self.conditioning.powf(0.5 * i as f64 / (dim - 1) as f64));
        let z = lambda.component_mul(&(&self.q * y));
        let mean = (0..dim - 1)
            .map(|i| {
                let s = z[i].hypot(z[i + 1]);
                s.sqrt() * (1.0 + (50.0 * s.powf(0.2)).sin().powi(2))
            })
            .sum::<f64>()
            / (dim - 1) as f64;
        mean.powi(2) + 10.0 * boundary_penalty(x)
    }
}

#[cfg(test)]
fn problem() -> SchaffersF17 {
    SchaffersF17::new(DVector::from_vec(vec![0.4, -1.0, 0.7, 1.2]), 10.0)
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(problem().evaluate(&DVector::from_vec(vec![1.6, 0.5, -0.4, 2.0])).is_finite());
}

#[test]
fn exact() {
    let p = problem();
    super::harness::check(
        "schaffers_f17",
        &[1.6, 0.5, -0.4, 2.0],
        |x| p.evaluate(&DVector::from_column_slice(x)),
        |x| {
            let mut g = DVector::zeros(4);
            let f = p.evaluate_grad(&DVector::from_column_slice(x), &mut g);
            (f, g.as_slice().to_vec())
        },
        |x, v| {
            let mut h = DVector::zeros(4);
            p.evaluate_hvp(&DVector::from_column_slice(x), &DVector::from_column_slice(v), &mut h);
            h.as_slice().to_vec()
        },
    );
}
