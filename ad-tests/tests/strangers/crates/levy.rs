//! argmin-testfunctions: const-generic array version.
use ad_runtime::differentiable;
use std::f64::consts::PI;

#[differentiable]
pub fn levy<const N: usize>(param: &[f64; N]) -> f64 {
    assert!(N >= 2);
    let w = |x: f64| 1.0 + (x - 1.0) / 4.0;
    let (first, last) = (w(param[0]), w(param[N - 1]));
    (PI * first).sin().powi(2)
        + param[0..(N - 1)]
            .iter()
            .map(|x| w(*x))
            .map(|wi: f64| (wi - 1.0).powi(2) * (1.0 + 10.0 * (PI * wi + 1.0).sin().powi(2)))
            .sum::<f64>()
        + (last - 1.0).powi(2) * (1.0 + (2.0 * PI * last).sin().powi(2))
}

const X: &[f64] = &[-1.3, 0.4, 2.7, 3.6, -0.8];
fn at(x: &[f64]) -> f64 {
    levy::<5>(x.try_into().unwrap())
}
#[test]
fn exact() {
    crate::harness::check(
        "levy",
        X,
        at,
        |x| {
            let p: &[f64; 5] = x.try_into().unwrap();
            let mut g = [f64::NAN; 5];
            let value = levy_grad(p, &mut g);
            (value, g.to_vec())
        },
        |x, v| {
            let (p, d): (&[f64; 5], &[f64; 5]) = (x.try_into().unwrap(), v.try_into().unwrap());
            let mut hv = [f64::NAN; 5];
            levy_hvp(p, d, &mut hv);
            hv.to_vec()
        },
    );
}
