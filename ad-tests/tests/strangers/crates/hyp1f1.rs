//! Kummer's function by its series (scan, take_while), transformation for negative arguments.
use ad_runtime::differentiable;

#[differentiable]
fn series(a: f64, b: f64, z: f64) -> f64 {
    (0..500)
        .map(f64::from)
        .scan(1.0, |term, k| {
            let current = *term;
            *term *= (a + k) / (b + k) * z / (k + 1.0);
            Some(current)
        })
        .take_while(|t| t.abs() > 1e-18)
        .sum()
}

#[differentiable]
pub fn hyp1f1(a: f64, b: f64, z: f64) -> f64 {
    match z {
        z if z < 0.0 => z.exp() * series(b - a, b, -z),
        _ => series(a, b, z),
    }
}

const X: &[f64] = &[0.7, 1.9, -1.3];
fn at(x: &[f64]) -> f64 {
    hyp1f1(x[0], x[1], x[2])
}
#[test]
fn exact() {
    crate::harness::check(
        "hyp1f1",
        X,
        at,
        |x| {
            let (value, (a, b, z)) = hyp1f1_grad(x[0], x[1], x[2]);
            (value, vec![a, b, z])
        },
        |x, v| {
            let (a, b, z) = hyp1f1_hvp(x[0], x[1], x[2], v[0], v[1], v[2]);
            vec![a, b, z]
        },
    );
}
