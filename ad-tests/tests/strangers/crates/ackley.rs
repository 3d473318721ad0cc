//! argmin-testfunctions: generic float slices, `Sum` bound, wrapper around the parametrised version.
use ad_runtime::differentiable;
use num_traits::{Float, FromPrimitive};
use std::f64::consts::PI;
use std::iter::Sum;

/// Ackley test function with free `a`, `b` and `c`.
#[differentiable(wrt(param))]
pub fn ackley_abc<T>(param: &[T], a: T, b: T, c: T) -> T
where
    T: Float + FromPrimitive + Sum,
{
    let num1 = T::from_f64(1.0).unwrap();
    let n = T::from_usize(param.len()).unwrap();
    -a * (-b * ((num1 / n) * param.iter().map(|x| x.powi(2)).sum()).sqrt()).exp()
        - ((num1 / n) * param.iter().map(|x| (c * *x).cos()).sum()).exp()
        + a
        + num1.exp()
}

/// Ackley test function with the usual parameters.
#[differentiable]
pub fn ackley<T>(param: &[T]) -> T
where
    T: Float + FromPrimitive + Sum,
{
    ackley_abc(param, T::from_f64(20.0).unwrap(), T::from_f64(0.2).unwrap(), T::from_f64(2.0 * PI).unwrap())
}

const X: &[f64] = &[0.31, -0.82, 1.13, 0.44];
fn at(x: &[f64]) -> f64 {
    ackley(x)
}
#[test]
fn exact() {
    crate::harness::check(
        "ackley",
        X,
        at,
        |x| {
            let mut g = vec![f64::NAN; x.len()];
            let value = ackley_grad(x, &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; x.len()];
            ackley_hvp(x, v, &mut hv);
            hv
        },
    );
}
