//! Gamma regression with log link: the log-gamma function as in statrs.
use ad_runtime::differentiable;
use std::f64::consts::{E, PI};

const GAMMA_R: f64 = 10.900511;
const LN_PI: f64 = 1.1447298858494002;
const LN_2_SQRT_E_OVER_PI: f64 = 0.6207822376352452;
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

#[differentiable]
fn ln_gamma(x: f64) -> f64 {
    if x < 0.5 {
        LN_PI - (PI * x).sin().ln() - ln_gamma(1.0 - x)
    } else {
        let s =
            GAMMA_DK.iter().enumerate().skip(1).fold(GAMMA_DK[0], |s, t| s + t.1 / (x + t.0 as f64 - 1.0));
        s.ln() + LN_2_SQRT_E_OVER_PI + (x - 0.5) * ((x - 0.5 + GAMMA_R) / E).ln()
    }
}

/// Negative log likelihood of claim severities, y_i ~ Gamma(shape, mean = exp(x_i . beta)).
#[differentiable(wrt(beta, shape))]
fn gamma_regression(beta: &[f64], shape: f64, rows: &[[f64; 2]], y: &[f64]) -> f64 {
    assert_eq!(rows.len(), y.len());
    rows.iter()
        .zip(y)
        .map(|(row, &yi)| {
            let eta = beta[0] + row.iter().zip(&beta[1..]).map(|(x, b)| x * b).sum::<f64>();
            let rate = shape / eta.exp();
            -(shape * rate.ln() + (shape - 1.0) * yi.ln() - rate * yi - ln_gamma(shape))
        })
        .sum()
}

const ROWS: [[f64; 2]; 5] = [[0.2, -1.0], [1.1, 0.4], [-0.6, 0.9], [0.5, 0.5], [-1.2, -0.3]];
const Y: [f64; 5] = [1.3, 2.1, 0.4, 1.7, 0.9];

#[test]
fn exact() {
    super::harness::check(
        "gamma_regression",
        &[0.2, 0.4, -0.3, 1.9],
        |x| gamma_regression(&x[..3], x[3], &ROWS, &Y),
        |x| {
            let mut g = vec![f64::NAN; 3];
            let (value, ds) = gamma_regression_grad(&x[..3], x[3], &ROWS, &Y, &mut g);
            g.push(ds);
            (value, g)
        },
        |x, v| {
            let mut h = vec![f64::NAN; 3];
            let hs = gamma_regression_hvp(&x[..3], x[3], &ROWS, &Y, &v[..3], v[3], &mut h);
            h.push(hs);
            h
        },
    );
    super::harness::check(
        "gamma_regression, small shape",
        &[0.2, 0.4, -0.3, 0.41],
        |x| gamma_regression(&x[..3], x[3], &ROWS, &Y),
        |x| {
            let mut g = vec![f64::NAN; 3];
            let (value, ds) = gamma_regression_grad(&x[..3], x[3], &ROWS, &Y, &mut g);
            g.push(ds);
            (value, g)
        },
        |x, v| {
            let mut h = vec![f64::NAN; 3];
            let hs = gamma_regression_hvp(&x[..3], x[3], &ROWS, &Y, &v[..3], v[3], &mut h);
            h.push(hs);
            h
        },
    );
}
