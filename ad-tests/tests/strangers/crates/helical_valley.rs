//! levenberg-marquardt crate, MINPACK problem 5: residuals as an Option, half the squared norm.
use ad_runtime::differentiable;
const TPI: f64 = ::core::f64::consts::PI * 2.;

#[differentiable]
fn residuals(p: &[f64; 3]) -> Option<[f64; 3]> {
    let tmp1 = match (p[0], p[1]) {
        (x, y) if x > 0. => (y / x).atan() / TPI,
        (x, y) if x < 0. => (y / x).atan() / TPI + 0.5,
        (_, y) if y != 0. => 0.25f64.copysign(y),
        _ => return None,
    };
    let tmp2 = (p[0] * p[0] + p[1] * p[1]).sqrt();
    Some([10. * (p[2] - 10. * tmp1), 10. * (tmp2 - 1.), p[2]])
}

#[differentiable]
pub fn objective(p: &[f64; 3]) -> Option<f64> {
    let r = residuals(p)?;
    Some(0.5 * r.iter().map(|ri| ri * ri).sum::<f64>())
}

const X: &[f64] = &[-0.9, 0.5, 0.7];
fn at(x: &[f64]) -> f64 {
    objective(x.try_into().unwrap()).unwrap()
}
#[test]
fn exact() {
    crate::harness::check(
        "helical_valley",
        X,
        at,
        |x| {
            let mut g = [f64::NAN; 3];
            let value = objective_grad(x.try_into().unwrap(), &mut g).unwrap();
            (value, g.to_vec())
        },
        |x, v| {
            let mut hv = [f64::NAN; 3];
            objective_hvp(x.try_into().unwrap(), v.try_into().unwrap(), &mut hv).unwrap();
            hv.to_vec()
        },
    );
}
