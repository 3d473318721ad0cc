use ad_runtime::{Differentiable, differentiable};
use ndarray::{Array1, Array2, array};

#[derive(Debug, Clone, PartialEq)]
pub enum EvaluationError {
    InvalidDimension { expected: usize, found: usize },
}

/// Hartmann 6-D, six local minima on the unit cube; global minimum f = -3.32237.
#[derive(Debug, Clone, Differentiable)]
pub struct Hartmann6 {
    alpha: Array1<f64>,
    a: Array2<f64>,
    p: Array2<f64>,
}

impl Default for Hartmann6 {
    fn default() -> Self {
        let p = array![
            [1312.0, 1696.0, 5569.0, 124.0, 8283.0, 5886.0],
            [2329.0, 4135.0, 8307.0, 3736.0, 1004.0, 9991.0],
            [2348.0, 1451.0, 3522.0, 2883.0, 3047.0, 6650.0],
            [4047.0, 8828.0, 8732.0, 5743.0, 1091.0, 381.0],
        ];
        Self {
            alpha: array![1.0, 1.2, 3.0, 3.2],
            a: array![
                [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
                [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
                [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
                [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
            ],
            p: p * 1e-4,
        }
    }
}

impl Hartmann6 {
    /// Objective function (to be minimised).
    #[differentiable(wrt(x))]
    pub fn objective(&self, x: &Array1<f64>) -> Result<f64, EvaluationError> {
        if x.len() != self.a.ncols() {
            return Err(EvaluationError::InvalidDimension { expected: self.a.ncols(), found: x.len() });
        }
        let value = self
            .alpha
            .iter()
            .zip(self.a.rows())
            .zip(self.p.rows())
            .map(|((alpha, a), p)| {
                let d = x - &p;
                let inner = (&a * &d * &d).sum();
                alpha * (-inner).exp()
            })
            .sum::<f64>();
        Ok(-value)
    }

    pub fn variable_bounds(&self) -> Array2<f64> {
        let mut bounds = Array2::zeros((self.a.ncols(), 2));
        bounds.column_mut(1).fill(1.0);
        bounds
    }
}

#[cfg(test)]
#[test]
fn primal() {
    let h = Hartmann6::default();
    assert!(h.objective(&array![0.31, 0.22, 0.55, 0.35, 0.28, 0.58]).unwrap().is_finite());
    let best = h.objective(&array![0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573]).unwrap();
    assert!((best + 3.32237).abs() < 1e-4);
    assert!(h.objective(&array![0.5]).is_err());
    assert_eq!(h.variable_bounds().dim(), (6, 2));
}

#[test]
fn exact() {
    let problem = Hartmann6::default();
    super::harness::check(
        "hartmann6",
        &[0.31, 0.22, 0.55, 0.35, 0.28, 0.58],
        |x| problem.objective(&Array1::from_vec(x.to_vec())).unwrap(),
        |x| {
            let mut g = Array1::zeros(x.len());
            let value = problem.objective_grad(&Array1::from_vec(x.to_vec()), &mut g).unwrap();
            (value, g.to_vec())
        },
        |x, v| {
            let mut h = Array1::zeros(x.len());
            problem
                .objective_hvp(&Array1::from_vec(x.to_vec()), &Array1::from_vec(v.to_vec()), &mut h)
                .unwrap();
            h.to_vec()
        },
    );
}
