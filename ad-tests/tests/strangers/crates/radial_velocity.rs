//! Radial velocities: Newton on Kepler's equation with an error, `?` in the loop, parameter struct by reference.
use ad_runtime::{Differentiable, differentiable};
use std::f64::consts::TAU;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KeplerError {
    NotElliptic(f64),
    NoConvergence { mean_anomaly: f64 },
}

#[derive(Debug, Clone, PartialEq, Differentiable)]
pub struct Orbit {
    pub period: f64,
    pub t_peri: f64,
    pub ecc: f64,
    pub omega: f64,
    pub semi_amplitude: f64,
    pub systemic: f64,
}

pub struct Measurement {
    pub t: f64,
    pub rv: f64,
    pub sigma: f64,
}

#[differentiable]
fn eccentric_anomaly(mean_anomaly: f64, ecc: f64) -> Result<f64, KeplerError> {
    if !(0.0..1.0).contains(&ecc) {
        return Err(KeplerError::NotElliptic(ecc));
    }
    let mut ea = mean_anomaly + ecc * mean_anomaly.sin();
    for _ in 0..30 {
        let delta = (ea - ecc * ea.sin() - mean_anomaly) / (1.0 - ecc * ea.cos());
        ea -= delta;
        if delta.abs() < 1e-13 {
            return Ok(ea);
        }
    }
    Err(KeplerError::NoConvergence { mean_anomaly })
}

#[differentiable(wrt(orbit))]
pub fn chi_squared(orbit: &Orbit, data: &[Measurement]) -> Result<f64, KeplerError> {
    let Orbit { period, t_peri, ecc, omega, .. } = orbit;
    let mut chi2 = 0.0;
    for Measurement { t, rv, sigma } in data {
        let mean = (TAU * (t - t_peri) / period).rem_euclid(TAU);
        let ea = eccentric_anomaly(mean, *ecc)?;
        let nu =
            2.0 * f64::atan2((1.0 + ecc).sqrt() * (0.5 * ea).sin(), (1.0 - ecc).sqrt() * (0.5 * ea).cos());
        let model = orbit.semi_amplitude * ((nu + omega).cos() + ecc * omega.cos()) + orbit.systemic;
        chi2 += ((rv - model) / sigma).powi(2);
    }
    Ok(chi2)
}

const DATA: &[Measurement] = &[
    Measurement { t: 0.9, rv: 1.1, sigma: 0.5 },
    Measurement { t: 2.4, rv: -0.4, sigma: 0.6 },
    Measurement { t: 4.2, rv: -0.9, sigma: 0.4 },
    Measurement { t: 6.1, rv: 0.3, sigma: 0.5 },
    Measurement { t: 8.3, rv: 0.8, sigma: 0.7 },
];
const X: &[f64] = &[5.2, 0.4, 0.35, 0.8, 1.1, 0.1];
fn orbit(x: &[f64]) -> Orbit {
    Orbit { period: x[0], t_peri: x[1], ecc: x[2], omega: x[3], semi_amplitude: x[4], systemic: x[5] }
}
fn flat(o: &Orbit) -> Vec<f64> {
    vec![o.period, o.t_peri, o.ecc, o.omega, o.semi_amplitude, o.systemic]
}
fn at(x: &[f64]) -> f64 {
    chi_squared(&orbit(x), DATA).unwrap()
}
#[test]
fn exact() {
    crate::harness::check(
        "radial_velocity",
        X,
        at,
        |x| {
            let mut g = orbit(&[f64::NAN; 6]);
            let value = chi_squared_grad(&orbit(x), DATA, &mut g).unwrap();
            (value, flat(&g))
        },
        |x, v| {
            let mut hv = orbit(&[f64::NAN; 6]);
            chi_squared_hvp(&orbit(x), DATA, &orbit(v), &mut hv).unwrap();
            flat(&hv)
        },
    );
}
