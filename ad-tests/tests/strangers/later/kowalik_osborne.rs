use ad_runtime::{Differentiable, differentiable};
use nalgebra::{SVector, Vector4};

const Y: [f64; 11] = [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246];
const U: [f64; 11] = [4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625];

#[derive(Clone, Debug, Differentiable)]
pub struct KowalikOsborne {
    params: Vector4<f64>,
}

#[differentiable]
impl KowalikOsborne {
    pub fn new(params: Vector4<f64>) -> Self {
        Self { params }
    }

    fn residuals(&self) -> Option<SVector<f64, 11>> {
        let p = &self.params;
        let mut res = SVector::<f64, 11>::zeros();
        for (r, (u, y)) in res.iter_mut().zip(U.iter().zip(Y.iter())) {
            let num = p[0] * (u.powi(2) + u * p[1]);
            let den = u.powi(2) + u * p[2] + p[3];
            if den.abs() < f64::EPSILON {
                return None;
            }
            *r = num / den - y;
        }
        Some(res)
    }

    pub fn objective(&self) -> Option<f64> {
        self.residuals().map(|r| 0.5 * r.norm_squared())
    }
}

#[cfg(test)]
pub(crate) const X: &[f64] = &[0.65, 0.39, 0.415, 0.49];
#[cfg(test)]
pub(crate) fn value(x: &[f64]) -> f64 {
    KowalikOsborne::new(Vector4::from_column_slice(x)).objective().unwrap()
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(value(X).is_finite());
}

#[cfg(test)]
#[test]
fn exact() {
    let at = |x: &[f64]| KowalikOsborne::new(Vector4::from_column_slice(x));
    super::harness::check(
        "kowalik_osborne",
        X,
        value,
        |x| {
            let mut d = KowalikOsborne::new(Vector4::zeros());
            let f = at(x).objective_grad(&mut d).unwrap();
            (f, d.params.as_slice().to_vec())
        },
        |x, v| {
            let mut h = KowalikOsborne::new(Vector4::zeros());
            at(x).objective_hvp(&at(v), &mut h).unwrap();
            h.params.as_slice().to_vec()
        },
    );
}
