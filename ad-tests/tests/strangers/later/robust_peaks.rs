use ad_runtime::{Differentiable, differentiable};

/// Robust loss on the squared, scaled residual (as in Ceres: rho(s), s = r^2).
#[differentiable]
pub trait RobustLoss {
    fn rho(&self, s: f64) -> f64;
}

#[derive(Clone, Copy, Debug, Differentiable)]
pub struct Cauchy {
    pub c: f64,
}

#[derive(Clone, Copy, Debug, Differentiable)]
pub struct SoftL1;

#[differentiable]
impl RobustLoss for Cauchy {
    fn rho(&self, s: f64) -> f64 {
        let b = self.c * self.c;
        b * (s / b).ln_1p()
    }
}

#[differentiable]
impl RobustLoss for SoftL1 {
    fn rho(&self, s: f64) -> f64 {
        2.0 * ((1.0 + s).sqrt() - 1.0)
    }
}

/// Pseudo-Voigt line; `mix` is passed through a logistic to stay within (0, 1).
#[derive(Clone, Copy, Debug, Differentiable)]
pub struct Peak {
    pub height: f64,
    pub centre: f64,
    pub log_width: f64,
    pub mix: f64,
}

#[differentiable]
impl Peak {
    pub fn at(&self, x: f64) -> f64 {
        let u = ((x - self.centre) / self.log_width.exp()).powi(2);
        let eta = (1.0 + (-self.mix).exp()).recip();
        self.height * (eta / (1.0 + u) + (1.0 - eta) * (-std::f64::consts::LN_2 * u).exp())
    }
}

#[differentiable(wrt(peaks, baseline))]
pub fn peak_cost<L: RobustLoss>(
    peaks: &[Peak],
    baseline: f64,
    spectrum: &[(f64, f64)],
    sigma: f64,
    loss: &L,
) -> f64 {
    spectrum
        .iter()
        .map(|&(x, y)| {
            let model = peaks.iter().fold(baseline, |acc, p| acc + p.at(x));
            let r = (y - model) / sigma;
            0.5 * loss.rho(r * r)
        })
        .sum()
}

#[cfg(test)]
pub(crate) const X: &[f64] = &[1.1, 0.9, -0.2, 0.3, 0.7, 2.6, 0.1, -0.6, 0.15];
#[cfg(test)]
const SPECTRUM: &[(f64, f64)] =
    &[(0.0, 0.4), (0.5, 1.0), (1.0, 1.6), (1.6, 0.5), (2.2, 0.9), (2.8, 1.4), (3.5, 0.1)];
#[cfg(test)]
fn peaks(x: &[f64]) -> Vec<Peak> {
    x[..8].chunks(4).map(|c| Peak { height: c[0], centre: c[1], log_width: c[2], mix: c[3] }).collect()
}
#[cfg(test)]
pub(crate) fn value(x: &[f64]) -> f64 {
    peak_cost(&peaks(x), x[8], SPECTRUM, 0.5, &Cauchy { c: 1.2 })
        + peak_cost(&peaks(x), x[8], SPECTRUM, 0.8, &SoftL1)
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(value(X).is_finite());
}

#[cfg(test)]
#[test]
fn exact() {
    fn run<L: RobustLoss>(
        sigma: f64,
        loss: &L,
        grad: impl Fn(&[Peak], f64, &mut [Peak]) -> (f64, f64),
        hvp: impl Fn(&[Peak], f64, &[Peak], f64, &mut [Peak]) -> f64,
    ) {
        let flat = |p: &[Peak], b: f64| -> Vec<f64> {
            p.iter().flat_map(|p| [p.height, p.centre, p.log_width, p.mix]).chain([b]).collect()
        };
        super::harness::check(
            "robust_peaks",
            X,
            |x| peak_cost(&peaks(x), x[8], SPECTRUM, sigma, loss),
            |x| {
                let mut d = peaks(&[0.0; 9]);
                let (f, db) = grad(&peaks(x), x[8], &mut d);
                (f, flat(&d, db))
            },
            |x, v| {
                let mut h = peaks(&[0.0; 9]);
                let hb = hvp(&peaks(x), x[8], &peaks(v), v[8], &mut h);
                flat(&h, hb)
            },
        );
    }
    let cauchy = Cauchy { c: 1.2 };
    run(
        0.5,
        &cauchy,
        |p, b, d| peak_cost_grad(p, b, SPECTRUM, 0.5, &cauchy, d),
        |p, b, vp, vb, h| peak_cost_hvp(p, b, SPECTRUM, 0.5, &cauchy, vp, vb, h),
    );
    run(
        0.8,
        &SoftL1,
        |p, b, d| peak_cost_grad(p, b, SPECTRUM, 0.8, &SoftL1, d),
        |p, b, vp, vb, h| peak_cost_hvp(p, b, SPECTRUM, 0.8, &SoftL1, vp, vb, h),
    );
}
