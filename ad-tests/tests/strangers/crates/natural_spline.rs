//! Natural cubic spline: tridiagonal sweep, partition_point lookup, `sum::<Option<f64>>()`.
use ad_runtime::differentiable;

/// second derivatives at the knots, natural end conditions
#[differentiable(wrt(y))]
fn second_derivatives(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    let mut y2 = vec![0.0; n];
    let mut u = vec![0.0; n - 1];
    for i in 1..n - 1 {
        let sig = (x[i] - x[i - 1]) / (x[i + 1] - x[i - 1]);
        let p = sig * y2[i - 1] + 2.0;
        y2[i] = (sig - 1.0) / p;
        u[i] = (y[i + 1] - y[i]) / (x[i + 1] - x[i]) - (y[i] - y[i - 1]) / (x[i] - x[i - 1]);
        u[i] = (6.0 * u[i] / (x[i + 1] - x[i - 1]) - sig * u[i - 1]) / p;
    }
    for k in (0..n - 1).rev() {
        y2[k] = y2[k] * y2[k + 1] + u[k];
    }
    y2
}

#[differentiable(wrt(y, y2))]
fn sample(x: &[f64], y: &[f64], y2: &[f64], at: f64) -> Option<f64> {
    if at < *x.first()? || at > *x.last()? {
        return None;
    }
    let hi = x.partition_point(|&k| k <= at).clamp(1, x.len() - 1);
    let lo = hi - 1;
    let h = x[hi] - x[lo];
    let (a, b) = ((x[hi] - at) / h, (at - x[lo]) / h);
    Some(a * y[lo] + b * y[hi] + ((a.powi(3) - a) * y2[lo] + (b.powi(3) - b) * y2[hi]) * (h * h) / 6.0)
}

#[differentiable(wrt(y, log_smoothing))]
pub fn penalised_misfit(y: &[f64], log_smoothing: f64, knots: &[f64], samples: &[(f64, f64)]) -> Option<f64> {
    let y2 = second_derivatives(knots, y);
    let misfit = samples
        .iter()
        .map(|&(t, observed)| sample(knots, y, &y2, t).map(|s| (s - observed).powi(2)))
        .sum::<Option<f64>>()?;
    // the squared second derivative is piecewise quadratic
    let roughness: f64 = y2
        .windows(2)
        .zip(knots.windows(2))
        .map(|(m, k)| (k[1] - k[0]) * (m[0] * m[0] + m[0] * m[1] + m[1] * m[1]) / 3.0)
        .sum();
    Some(misfit + log_smoothing.exp() * roughness)
}

const KNOTS: &[f64] = &[0.0, 0.7, 1.5, 2.0, 3.1, 4.0];
const SAMPLES: &[(f64, f64)] = &[(0.2, 0.1), (0.9, 0.8), (1.5, 1.1), (2.4, 0.4), (3.3, -0.7), (3.9, -0.6)];
const X: &[f64] = &[0.05, 0.6, 1.0, 0.9, -0.3, -0.8, -2.0];
fn at(x: &[f64]) -> f64 {
    penalised_misfit(&x[..6], x[6], KNOTS, SAMPLES).unwrap()
}
#[test]
fn exact() {
    crate::harness::check(
        "natural_spline",
        X,
        at,
        |x| {
            let mut g = vec![f64::NAN; 6];
            let (value, dl) = penalised_misfit_grad(&x[..6], x[6], KNOTS, SAMPLES, &mut g).unwrap();
            g.push(dl);
            (value, g)
        },
        |x, v| {
            let mut h = vec![f64::NAN; 6];
            let dl = penalised_misfit_hvp(&x[..6], x[6], KNOTS, SAMPLES, &v[..6], v[6], &mut h).unwrap();
            h.push(dl);
            h
        },
    );
}
