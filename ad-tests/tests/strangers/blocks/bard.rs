use ad_runtime::{Differentiable, differentiable};
use nalgebra::{SVector, Vector3};

const Y: [f64; 15] =
    [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39];

/// The problem object owns the current parameters, as a Levenberg-Marquardt driver wants it.
#[derive(Clone, Debug, Differentiable)]
pub struct Bard {
    p: Vector3<f64>,
}

impl Bard {
    pub fn new(p: Vector3<f64>) -> Self {
        Bard { p }
    }

    #[differentiable(wrt(self))]
    pub fn residuals(&self) -> Option<SVector<f64, 15>> {
        let r = SVector::<f64, 15>::from_fn(|i, _| {
            let u = (i + 1) as f64;
            let v = 15.0 - i as f64;
            let w = u.min(v);
            Y[i] - (self.p[0] + u / (v * self.p[1] + w * self.p[2]))
        });
        if r.iter().all(|ri| ri.is_finite()) { Some(r) } else { None }
    }

    #[differentiable(wrt(self))]
    pub fn objective(&self) -> Option<f64> {
        Some(0.5 * self.residuals()?.norm_squared())
    }
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(Bard::new(Vector3::new(0.3, 1.2, 2.1)).objective().unwrap().is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "bard",
        &[0.3, 1.2, 2.1],
        |x| Bard::new(Vector3::from_column_slice(x)).objective().unwrap(),
        |x| {
            let mut g = Bard::new(Vector3::zeros());
            let value = Bard::new(Vector3::from_column_slice(x)).objective_grad(&mut g).unwrap();
            (value, g.p.as_slice().to_vec())
        },
        |x, v| {
            let dir = Bard::new(Vector3::from_column_slice(v));
            let mut hv = Bard::new(Vector3::zeros());
            Bard::new(Vector3::from_column_slice(x)).objective_hvp(&dir, &mut hv).unwrap();
            hv.p.as_slice().to_vec()
        },
    );
}
