//! Peng-Robinson equation of state in reduced variables: log fugacity coefficient, generic over the float type.
use ad_runtime::differentiable;
use num_traits::{Float, FloatConst};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Liquid,
    Vapour,
}

/// Real roots of z^3 + a z^2 + b z + c, unordered.
#[differentiable]
fn cubic_roots<T: Float + FloatConst>(a: T, b: T, c: T) -> Vec<T> {
    let (two, three) = (T::one() + T::one(), T::one() + T::one() + T::one());
    let q = (a * a - three * b) / (three * three);
    let r = (two * a.powi(3) - three * three * a * b + three.powi(3) * c) / (two * three.powi(3));
    if r * r < q.powi(3) {
        let theta = (r / q.powi(3).sqrt()).acos();
        (-1..=1)
            .map(|k: i32| T::from(k).unwrap() * T::TAU())
            .map(|turn| -two * q.sqrt() * ((theta + turn) / three).cos() - a / three)
            .collect()
    } else {
        let s = -r.signum() * (r.abs() + (r * r - q.powi(3)).sqrt()).cbrt();
        vec![s + q / s - a / three]
    }
}

#[differentiable(wrt(tr, pr))]
fn ln_fugacity<T: Float + FloatConst>(tr: T, pr: T, acentric: T, phase: Phase) -> Option<T> {
    let num = |x: f64| T::from(x);
    let kappa = num(0.37464)? + num(1.54226)? * acentric - num(0.26992)? * acentric * acentric;
    let alpha = (T::one() + kappa * (T::one() - tr.sqrt())).powi(2);
    let a = num(0.45724)? * alpha * pr / (tr * tr);
    let b = num(0.07780)? * pr / tr;
    let (two, three) = (num(2.0)?, num(3.0)?);
    let roots = cubic_roots(b - T::one(), a - three * b * b - two * b, b * b * b + b * b - a * b);
    let physical = roots.into_iter().filter(|&z| z > b);
    let z = match phase {
        Phase::Liquid => physical.fold(None, |best: Option<T>, z| Some(best.map_or(z, |m| m.min(z)))),
        Phase::Vapour => physical.reduce(|m, z| m.max(z)),
    }?;
    let sqrt2 = T::SQRT_2();
    let log_term = ((z + (T::one() + sqrt2) * b) / (z + (T::one() - sqrt2) * b)).ln();
    Some(z - T::one() - (z - b).ln() - a / (two * sqrt2 * b) * log_term)
}

#[test]
fn exact() {
    for (phase, x0) in
        [(Phase::Liquid, [0.75, 0.25]), (Phase::Vapour, [0.85, 0.27]), (Phase::Vapour, [1.2, 0.9])]
    {
        super::harness::check(
            "peng_robinson",
            &x0,
            |x| ln_fugacity(x[0], x[1], 0.15, phase).unwrap(),
            |x| {
                let (value, (a, b)) = ln_fugacity_grad(x[0], x[1], 0.15, phase).unwrap();
                (value, vec![a, b])
            },
            |x, v| {
                let (a, b) = ln_fugacity_hvp(x[0], x[1], 0.15, phase, v[0], v[1]).unwrap();
                vec![a, b]
            },
        );
    }
}
