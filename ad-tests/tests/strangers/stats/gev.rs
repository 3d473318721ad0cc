//! Generalised extreme value likelihood: sum of Results, early errors in the helper.
use ad_runtime::differentiable;

#[derive(Debug, PartialEq)]
enum GevError {
    BadScale,
    OutsideSupport { index: usize },
}

#[differentiable]
fn gev_ln_pdf(z: f64, log_sigma: f64, xi: f64) -> Option<f64> {
    if xi.abs() < 1e-9 {
        return Some(-log_sigma - z - (-z).exp());
    }
    let t = Some(1.0 + xi * z).filter(|t| *t > 0.0)?;
    Some(-log_sigma - (1.0 + 1.0 / xi) * t.ln() - t.powf(-1.0 / xi))
}

#[differentiable(wrt(mu, log_sigma, xi))]
fn gev(mu: f64, log_sigma: f64, xi: f64, maxima: &[f64]) -> Result<f64, GevError> {
    let sigma = log_sigma.exp();
    if !sigma.is_finite() || sigma == 0.0 {
        return Err(GevError::BadScale);
    }
    let loglik: f64 = maxima
        .iter()
        .enumerate()
        .map(|(index, x)| {
            gev_ln_pdf((x - mu) / sigma, log_sigma, xi).ok_or(GevError::OutsideSupport { index })
        })
        .sum::<Result<f64, _>>()?;
    Ok(-loglik)
}

const M: [f64; 8] = [1.2, 0.3, 2.4, 0.8, -0.2, 3.1, 1.0, 1.7];

#[test]
fn exact() {
    super::harness::check(
        "gev",
        &[0.7, -0.1, 0.25],
        |x| gev(x[0], x[1], x[2], &M).unwrap(),
        |x| {
            let (value, (a, b, c)) = gev_grad(x[0], x[1], x[2], &M).unwrap();
            (value, vec![a, b, c])
        },
        |x, v| {
            let (a, b, c) = gev_hvp(x[0], x[1], x[2], &M, v[0], v[1], v[2]).unwrap();
            vec![a, b, c]
        },
    );
    assert_eq!(gev_grad(2.5, -1.0, 0.4, &M).unwrap_err(), GevError::OutsideSupport { index: 0 });
}
