//! Generalised linear models assembled from a family and a link.
use ad_runtime::{Differentiable, differentiable};

#[differentiable]
pub trait Link {
    /// The mean at a linear predictor.
    fn mean(&self, eta: f64) -> f64;
}

#[differentiable]
pub trait Family {
    fn unit_deviance(&self, y: f64, mu: f64) -> f64;
}

#[derive(Clone, Copy, Debug, Differentiable)]
pub struct Log;

#[derive(Clone, Copy, Debug, Differentiable)]
pub struct SoftPlus;

#[derive(Clone, Copy, Debug, Differentiable)]
pub struct Gamma;

#[derive(Clone, Copy, Debug, Differentiable)]
pub struct NegativeBinomial {
    pub size: f64,
}

#[differentiable]
impl Link for Log {
    fn mean(&self, eta: f64) -> f64 {
        eta.exp()
    }
}

#[differentiable]
impl Link for SoftPlus {
    fn mean(&self, eta: f64) -> f64 {
        eta.max(0.0) + (-eta.abs()).exp().ln_1p()
    }
}

#[differentiable]
impl Family for Gamma {
    fn unit_deviance(&self, y: f64, mu: f64) -> f64 {
        2.0 * ((y - mu) / mu - (y / mu).ln())
    }
}

#[differentiable]
impl Family for NegativeBinomial {
    fn unit_deviance(&self, y: f64, mu: f64) -> f64 {
        let tail = (y + self.size) * ((y + self.size) / (mu + self.size)).ln();
        if y > 0.0 { 2.0 * (y * (y / mu).ln() - tail) } else { -2.0 * tail }
    }
}

pub struct Dataset {
    pub design: Vec<Vec<f64>>,
    pub response: Vec<f64>,
    pub offset: Option<Vec<f64>>,
}

#[derive(Clone, Debug, Differentiable)]
pub struct Glm<F, L> {
    pub family: F,
    pub link: L,
    pub ridge: f64,
}

impl<F: Family, L: Link> Glm<F, L> {
    /// Half the mean deviance plus a ridge penalty on everything but the intercept.
    #[differentiable(wrt(coef))]
    pub fn objective(&self, coef: &[f64], data: &Dataset) -> f64 {
        let mut deviance = 0.0;
        for (i, (row, &y)) in data.design.iter().zip(&data.response).enumerate() {
            let offset = data.offset.as_ref().map_or(0.0, |o| o[i]);
            let eta = offset + row.iter().zip(coef).map(|(x, b)| x * b).sum::<f64>();
            deviance += self.family.unit_deviance(y, self.link.mean(eta));
        }
        let penalty: f64 = coef.iter().skip(1).map(|b| b * b).sum();
        0.5 * deviance / data.response.len() as f64 + 0.5 * self.ridge * penalty
    }
}

#[cfg(test)]
fn setup() -> (Glm<NegativeBinomial, SoftPlus>, Dataset) {
    let data = Dataset {
        design: vec![
            vec![1.0, 0.3, -0.9],
            vec![1.0, -1.1, 0.4],
            vec![1.0, 0.8, 1.2],
            vec![1.0, 1.5, -0.2],
            vec![1.0, -0.4, 0.7],
            vec![1.0, 0.1, 0.5],
        ],
        response: vec![1.0, 0.0, 4.0, 2.0, 0.0, 3.0],
        offset: Some(vec![0.1, -0.2, 0.3, 0.0, 0.15, -0.1]),
    };
    (Glm { family: NegativeBinomial { size: 1.7 }, link: SoftPlus, ridge: 0.1 }, data)
}
#[cfg(test)]
pub(crate) const X: [f64; 3] = [0.65, 0.42, 0.27];
#[cfg(test)]
pub(crate) fn at(x: &[f64]) -> f64 {
    let (glm, data) = setup();
    glm.objective(x, &data)
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(at(&X).is_finite());
    let (glm, data) = setup();
    let log = Glm { family: glm.family, link: Log, ridge: 0.0 };
    assert!(log.objective(&X, &data).is_finite());
    assert!(Gamma.unit_deviance(1.0, 1.0).abs() < 1e-12);
}

#[test]
fn exact() {
    let (glm, data) = setup();
    super::harness::check(
        "glm_traits",
        &X,
        |x| glm.objective(x, &data),
        |x| {
            let mut g = vec![0.0; 3];
            let value = glm.objective_grad(x, &data, &mut g);
            (value, g)
        },
        |x, v| {
            let mut h = vec![0.0; 3];
            glm.objective_hvp(x, &data, v, &mut h);
            h
        },
    );
}
