//! Hock-Schittkowski 71 as an augmented Lagrangian (what nlopt's AUGLAG or basin minimise inside).
use ad_runtime::differentiable;
use std::iter::once;

pub struct Multipliers {
    pub equality: f64,
    pub inequality: Vec<f64>,
    pub mu: f64,
}

#[differentiable]
fn objective(x: &[f64]) -> f64 {
    let &[x1, x2, x3, x4] = x else {
        panic!("HS71 has four variables, not {}", x.len());
    };
    x1 * x4 * (x1 + x2 + x3) + x3
}

#[differentiable(wrt(c))]
fn phr(c: f64, lambda: f64, mu: f64) -> f64 {
    match lambda - mu * c {
        s if s > 0.0 => (s * s - lambda * lambda) / (2.0 * mu),
        _ => -lambda * lambda / (2.0 * mu),
    }
}

#[differentiable(wrt(x))]
pub fn augmented_lagrangian(x: &[f64], m: &Multipliers) -> f64 {
    let h = x.iter().map(|v| v.powi(2)).sum::<f64>() - 40.0;
    let g = x.iter().product::<f64>() - 25.0;
    let (lower, upper) = (x.iter().map(|&xi| xi - 1.0), x.iter().map(|&xi| 5.0 - xi));
    let penalties: f64 =
        once(g).chain(lower).chain(upper).zip(&m.inequality).map(|(c, &lambda)| phr(c, lambda, m.mu)).sum();
    objective(x) - m.equality * h + 0.5 * m.mu * h * h + penalties
}

const X: &[f64] = &[1.05, 4.6, 3.9, 1.3];
fn m() -> Multipliers {
    Multipliers { equality: -0.16, inequality: vec![0.55, 1.09, 0.0, 0.0, 0.3, 0.0, 0.9, 0.2, 0.0], mu: 0.8 }
}
fn at(x: &[f64]) -> f64 {
    augmented_lagrangian(x, &m())
}
#[test]
fn exact() {
    crate::harness::check(
        "hs71",
        X,
        at,
        |x| {
            let mut g = vec![f64::NAN; 4];
            let value = augmented_lagrangian_grad(x, &m(), &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; 4];
            augmented_lagrangian_hvp(x, &m(), v, &mut hv);
            hv
        },
    );
}
