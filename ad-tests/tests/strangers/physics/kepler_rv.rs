//! Radial velocities of a star with one planet: chi-square over Keplerian elements.
use ad_runtime::{Differentiable, differentiable};
use std::f64::consts::TAU;

#[derive(Clone, Copy, Debug, Differentiable)]
struct Elements {
    period: f64,
    ecc: f64,
    omega: f64,
    phase: f64,
    amplitude: f64,
    offset: f64,
}

struct Observation {
    time: f64,
    velocity: f64,
    sigma: f64,
}

#[differentiable]
fn eccentric_anomaly(mean: f64, ecc: f64) -> f64 {
    let mut e = mean + ecc * mean.sin();
    loop {
        let delta = (e - ecc * e.sin() - mean) / (1.0 - ecc * e.cos());
        e -= delta;
        if delta.abs() < 1e-12 {
            break e;
        }
    }
}

#[differentiable]
fn chi_square(el: Elements, data: &[Observation]) -> f64 {
    let beta = ((1.0 + el.ecc) / (1.0 - el.ecc)).sqrt();
    data.iter()
        .map(|obs| {
            let mean = TAU * obs.time / el.period + el.phase;
            let e = eccentric_anomaly(mean, el.ecc);
            let nu = 2.0 * (beta * (0.5 * e).sin()).atan2((0.5 * e).cos());
            let model = el.offset + el.amplitude * ((nu + el.omega).cos() + el.ecc * el.omega.cos());
            let z = (model - obs.velocity) / obs.sigma;
            z * z
        })
        .sum::<f64>()
        / 2.0
}

#[test]
fn exact() {
    let el = |x: &[f64]| Elements {
        period: x[0],
        ecc: x[1],
        omega: x[2],
        phase: x[3],
        amplitude: x[4],
        offset: x[5],
    };
    let flat = |e: Elements| vec![e.period, e.ecc, e.omega, e.phase, e.amplitude, e.offset];
    let data: Vec<Observation> = [(0.1, 0.9), (0.8, 0.2), (1.7, -1.3), (2.6, -0.4), (3.3, 0.8)]
        .iter()
        .map(|&(time, velocity)| Observation { time, velocity, sigma: 0.8 })
        .collect();
    super::harness::check(
        "kepler_rv",
        &[3.1, 0.3, 0.7, 0.4, 1.2, 0.1],
        |x| chi_square(el(x), &data),
        |x| {
            let (value, g) = chi_square_grad(el(x), &data);
            (value, flat(g))
        },
        |x, v| flat(chi_square_hvp(el(x), &data, el(v))),
    );
}
