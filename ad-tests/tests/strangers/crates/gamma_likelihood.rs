//! statrs: a distribution with a checked constructor and `ln_pdf`, Lanczos log-gamma.
use ad_runtime::{Differentiable, differentiable};
use std::f64::consts::{E, PI};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GammaError {
    ShapeInvalid,
    RateInvalid,
    EmptySample,
}

const GAMMA_R: f64 = 10.900511;
const GAMMA_DK: &[f64] = &[
    2.48574089138753565546e-5,
    1.05142378581721974210,
    -3.45687097222016235469,
    4.51227709466894823700,
    -2.98285225323576655721,
    1.05639711577126713077,
    -1.95428773191645869583e-1,
    1.70970543404441224307e-2,
    -5.71926117404305781283e-4,
    4.63399473359905636708e-6,
    -2.71994908488607703910e-9,
];
const LN_2_SQRT_E_OVER_PI: f64 = 0.6207822376352452223455184457816472122518527279025978;
const LN_PI: f64 = 1.1447298858494001741434273513530587116472948129153;

#[differentiable]
pub fn ln_gamma(x: f64) -> f64 {
    if x < 0.5 {
        let s = GAMMA_DK.iter().enumerate().skip(1).fold(GAMMA_DK[0], |s, t| s + t.1 / (t.0 as f64 - x));
        LN_PI
            - (PI * x).sin().ln()
            - s.ln()
            - LN_2_SQRT_E_OVER_PI
            - (0.5 - x) * ((0.5 - x + GAMMA_R) / E).ln()
    } else {
        let s =
            GAMMA_DK.iter().enumerate().skip(1).fold(GAMMA_DK[0], |s, t| s + t.1 / (x + t.0 as f64 - 1.0));
        s.ln() + LN_2_SQRT_E_OVER_PI + (x - 0.5) * ((x - 0.5 + GAMMA_R) / E).ln()
    }
}

#[derive(Copy, Clone, PartialEq, Debug, Differentiable)]
pub struct Gamma {
    shape: f64,
    rate: f64,
}

#[differentiable]
impl Gamma {
    pub fn new(shape: f64, rate: f64) -> Result<Gamma, GammaError> {
        if shape.is_nan() || shape <= 0.0 {
            return Err(GammaError::ShapeInvalid);
        }
        if rate.is_nan() || rate <= 0.0 {
            return Err(GammaError::RateInvalid);
        }
        Ok(Gamma { shape, rate })
    }
    pub fn ln_pdf(&self, x: f64) -> f64 {
        if x < 0.0 {
            f64::NEG_INFINITY
        } else if self.shape == 1.0 {
            self.rate.ln() - self.rate * x
        } else if x.is_infinite() {
            f64::NEG_INFINITY
        } else {
            self.shape * self.rate.ln() + (self.shape - 1.0) * x.ln() - self.rate * x - ln_gamma(self.shape)
        }
    }
}

#[differentiable(wrt(shape, rate))]
pub fn neg_log_likelihood(shape: f64, rate: f64, sample: &[f64]) -> Result<f64, GammaError> {
    if sample.is_empty() {
        return Err(GammaError::EmptySample);
    }
    let dist = Gamma::new(shape, rate)?;
    Ok(-sample.iter().map(|&x| dist.ln_pdf(x)).sum::<f64>())
}

const SAMPLE: &[f64] = &[0.4, 1.7, 2.2, 0.9, 3.1, 1.2];
const X: &[f64] = &[2.3, 1.4];
fn at(x: &[f64]) -> f64 {
    neg_log_likelihood(x[0], x[1], SAMPLE).unwrap()
}
#[test]
fn exact() {
    crate::harness::check(
        "gamma_likelihood",
        X,
        at,
        |x| {
            let (value, (a, b)) = neg_log_likelihood_grad(x[0], x[1], SAMPLE).unwrap();
            (value, vec![a, b])
        },
        |x, v| {
            let (a, b) = neg_log_likelihood_hvp(x[0], x[1], SAMPLE, v[0], v[1]).unwrap();
            vec![a, b]
        },
    );
}
