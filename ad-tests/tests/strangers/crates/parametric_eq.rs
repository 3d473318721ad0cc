//! biquad: cookbook coefficients by filter type; parametric equaliser fit in decibels.
use ad_runtime::{Differentiable, differentiable};
use std::f64::consts::PI;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    LowShelf,
    PeakingEQ,
    HighShelf,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Errors {
    OutsideNyquist,
    NegativeQ,
}

#[derive(Clone, Copy, Debug, Differentiable)]
pub struct Coefficients {
    pub a1: f64,
    pub a2: f64,
    pub b0: f64,
    pub b1: f64,
    pub b2: f64,
}

#[differentiable(wrt(f0, q_value, gain_db))]
fn from_params(filter: Type, fs: f64, f0: f64, q_value: f64, gain_db: f64) -> Result<Coefficients, Errors> {
    if 2.0 * f0 > fs {
        return Err(Errors::OutsideNyquist);
    }
    if q_value < 0.0 {
        return Err(Errors::NegativeQ);
    }
    let omega = 2.0 * PI * f0 / fs;
    let (omega_s, omega_c) = omega.sin_cos();
    let alpha = omega_s / (2.0 * q_value);
    let a = 10.0f64.powf(gain_db / 40.0);

    let (b0, b1, b2, a0, a1, a2) = match filter {
        Type::PeakingEQ => (
            1.0 + alpha * a,
            -2.0 * omega_c,
            1.0 - alpha * a,
            1.0 + alpha / a,
            -2.0 * omega_c,
            1.0 - alpha / a,
        ),
        shelf => {
            let sign = if shelf == Type::LowShelf { 1.0 } else { -1.0 };
            let c = sign * omega_c;
            let beta = 2.0 * alpha * a.sqrt();
            (
                a * ((a + 1.0) - (a - 1.0) * c + beta),
                sign * 2.0 * a * ((a - 1.0) - (a + 1.0) * c),
                a * ((a + 1.0) - (a - 1.0) * c - beta),
                (a + 1.0) + (a - 1.0) * c + beta,
                sign * -2.0 * ((a - 1.0) + (a + 1.0) * c),
                (a + 1.0) + (a - 1.0) * c - beta,
            )
        }
    };
    let div = 1.0 / a0;
    Ok(Coefficients { a1: a1 * div, a2: a2 * div, b0: b0 * div, b1: b1 * div, b2: b2 * div })
}

#[differentiable(wrt(coeffs))]
fn magnitude_db(coeffs: &Coefficients, omega: f64) -> f64 {
    let power = |c: [f64; 3]| {
        let re = c[0] + c[1] * omega.cos() + c[2] * (2.0 * omega).cos();
        let im = c[1] * omega.sin() + c[2] * (2.0 * omega).sin();
        re * re + im * im
    };
    let Coefficients { a1, a2, b0, b1, b2 } = *coeffs;
    10.0 * (power([b0, b1, b2]) / power([1.0, a1, a2])).log10()
}

/// mean squared error in dB; `bands` holds (kHz, Q, dB) for each filter
#[differentiable(wrt(bands))]
pub fn eq_error(bands: &[f64], filters: &[Type], fs: f64, targets: &[(f64, f64)]) -> Result<f64, Errors> {
    let cascade = filters
        .iter()
        .zip(bands.chunks(3))
        .map(|(&kind, band)| from_params(kind, fs, band[0], band[1], band[2]))
        .collect::<Result<Vec<Coefficients>, Errors>>()?;
    let total: f64 = targets
        .iter()
        .map(|&(f, wanted)| {
            let omega = 2.0 * PI * f / fs;
            let response: f64 = cascade.iter().map(|c| magnitude_db(c, omega)).sum();
            (response - wanted).powi(2)
        })
        .sum();
    Ok(total / targets.len() as f64)
}

const FILTERS: &[Type] = &[Type::LowShelf, Type::PeakingEQ, Type::HighShelf];
const TARGETS: &[(f64, f64)] = &[(0.3, 2.0), (0.9, 1.0), (2.0, -1.5), (4.5, -3.0), (9.0, 1.0), (15.0, 2.5)];
const X: &[f64] = &[0.8, 0.7, 3.0, 3.6, 1.4, -4.0, 8.0, 0.9, 2.5];
fn at(x: &[f64]) -> f64 {
    eq_error(x, FILTERS, 48.0, TARGETS).unwrap()
}
#[test]
fn exact() {
    crate::harness::check(
        "parametric_eq",
        X,
        at,
        |x| {
            let mut g = vec![f64::NAN; 9];
            let value = eq_error_grad(x, FILTERS, 48.0, TARGETS, &mut g).unwrap();
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; 9];
            eq_error_hvp(x, FILTERS, 48.0, TARGETS, v, &mut hv).unwrap();
            hv
        },
    );
}
