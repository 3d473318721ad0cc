//! GJR-GARCH quasi likelihood: parameter struct by reference, Result with `?`, fold with a tuple state.
use ad_runtime::{Differentiable, differentiable};

#[derive(Debug, Clone, PartialEq, Differentiable)]
struct GjrGarch {
    omega: f64,
    alpha: f64,
    gamma: f64,
    beta: f64,
}

#[derive(Debug, Clone, PartialEq)]
enum GarchError {
    NonStationary(f64),
    TooShort { len: usize },
}

#[differentiable]
fn unconditional_variance(p: &GjrGarch) -> Result<f64, GarchError> {
    let persistence = p.alpha + p.beta + 0.5 * p.gamma;
    if persistence >= 1.0 {
        return Err(GarchError::NonStationary(persistence));
    }
    Ok(p.omega / (1.0 - persistence))
}

#[differentiable(wrt(p))]
fn gjr_garch(p: &GjrGarch, returns: &[f64]) -> Result<f64, GarchError> {
    if returns.len() < 2 {
        return Err(GarchError::TooShort { len: returns.len() });
    }
    let h0 = unconditional_variance(p)?;
    let (nll, _) = returns.iter().fold((0.0, h0), |(nll, h), &r| {
        let shock = r * r;
        let leverage = if r < 0.0 { p.alpha + p.gamma } else { p.alpha };
        (nll + 0.5 * (h.ln() + shock / h), p.omega + leverage * shock + p.beta * h)
    });
    Ok(nll)
}

const R: [f64; 9] = [0.5, -0.8, 0.3, 1.2, -1.1, 0.2, -0.4, 0.7, -0.2];
fn params(x: &[f64]) -> GjrGarch {
    GjrGarch { omega: x[0], alpha: x[1], gamma: x[2], beta: x[3] }
}
fn flat(p: GjrGarch) -> Vec<f64> {
    vec![p.omega, p.alpha, p.gamma, p.beta]
}

#[test]
fn exact() {
    super::harness::check(
        "gjr_garch",
        &[0.25, 0.15, 0.1, 0.4],
        |x| gjr_garch(&params(x), &R).unwrap(),
        |x| {
            let mut g = params(&[f64::NAN; 4]);
            let value = gjr_garch_grad(&params(x), &R, &mut g).unwrap();
            (value, flat(g))
        },
        |x, v| {
            let mut h = params(&[f64::NAN; 4]);
            gjr_garch_hvp(&params(x), &R, &params(v), &mut h).unwrap();
            flat(h)
        },
    );
}

#[test]
fn errors() {
    let p = params(&[0.25, 0.5, 0.1, 0.6]);
    let mut g = p.clone();
    assert!(
        matches!(gjr_garch_grad(&p, &R, &mut g), Err(GarchError::NonStationary(s)) if (s - 1.15).abs() < 1e-12)
    );
    assert_eq!(gjr_garch_grad(&p, &R[..1], &mut g), Err(GarchError::TooShort { len: 1 }));
}
