use ad_runtime::{Differentiable, differentiable};
use ndarray::{Array1, Array2, s};

/// Mass distribution on a line at an unknown depth.
#[derive(Clone, Debug, Differentiable)]
pub struct SourceModel {
    pub density: Array1<f64>,
    pub depth: f64,
}

pub struct Survey {
    pub stations: Array1<f64>,
    pub cells: Array1<f64>,
    pub observed: Array1<f64>,
    pub alpha: f64,
}

impl Survey {
    /// Vertical field at the stations.
    #[differentiable(wrt(model))]
    pub fn forward(&self, model: &SourceModel) -> Array1<f64> {
        let width = self.cells[1] - self.cells[0];
        let d = model.depth;
        let kernel = Array2::from_shape_fn((self.stations.len(), self.cells.len()), |(i, j)| {
            let offset = self.stations[i] - self.cells[j];
            width * d / (d * d + offset * offset).powf(1.5)
        });
        kernel.dot(&model.density)
    }

    /// First-order Tikhonov functional.
    #[differentiable(wrt(model))]
    pub fn tikhonov(&self, model: &SourceModel) -> f64 {
        let residual = self.forward(model) - &self.observed;
        let rho = &model.density;
        let slope = &rho.slice(s![1..]) - &rho.slice(s![..-1]);
        0.5 * residual.dot(&residual) + 0.5 * self.alpha * slope.dot(&slope)
    }
}

fn example() -> Survey {
    Survey {
        stations: Array1::linspace(0.0, 1.0, 8),
        cells: Array1::linspace(0.1, 0.9, 5),
        observed: Array1::from(vec![1.2, 1.7, 2.1, 2.4, 2.2, 1.9, 1.3, 0.9]),
        alpha: 0.05,
    }
}

fn model(x: &[f64]) -> SourceModel {
    SourceModel { density: Array1::from(x[..5].to_vec()), depth: x[5] }
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(example().tikhonov(&model(&[0.3, 0.8, 1.1, 0.7, 0.2, 0.6])).is_finite());
}

#[test]
fn exact() {
    let survey = example();
    let flat = |m: SourceModel| {
        let mut x = m.density.to_vec();
        x.push(m.depth);
        x
    };
    super::harness::check(
        "gravity_survey",
        &[0.3, 0.8, 1.1, 0.7, 0.2, 0.6],
        |x| survey.tikhonov(&model(x)),
        |x| {
            let mut g = model(&[0.0; 6]);
            let value = survey.tikhonov_grad(&model(x), &mut g);
            (value, flat(g))
        },
        |x, v| {
            let mut hv = model(&[0.0; 6]);
            survey.tikhonov_hvp(&model(x), &model(v), &mut hv);
            flat(hv)
        },
    );
}
