//! Limited expected value of gamma claims: regularised incomplete gamma by series or Lentz's continued fraction.
use ad_runtime::differentiable;

#[differentiable]
fn ln_gamma(mut x: f64) -> f64 {
    let mut shift = 0.0;
    while x < 9.0 {
        shift += x.ln();
        x += 1.0;
    }
    let w = 1.0 / (x * x);
    let series = (1.0 / 12.0 - w * (1.0 / 360.0 - w * (1.0 / 1260.0 - w * (1.0 / 1680.0 - w / 1188.0)))) / x;
    (x - 0.5) * x.ln() - x + 0.918938533204672741780329736406 + series - shift
}

#[differentiable]
fn gamma_p(a: f64, x: f64) -> f64 {
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let mut term = 1.0 / a;
        let mut sum = term;
        let mut n = a;
        while term.abs() > 1e-17 * sum.abs() {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        front * sum
    } else {
        const TINY: f64 = 1e-300;
        let mut b = x + 1.0 - a;
        let mut c = 1.0 / TINY;
        let mut d = 1.0 / b;
        let mut h = d;
        for i in 1..200 {
            let an = -(i as f64) * (i as f64 - a);
            b += 2.0;
            d = an * d + b;
            if d.abs() < TINY {
                d = TINY;
            }
            c = b + an / c;
            if c.abs() < TINY {
                c = TINY;
            }
            d = d.recip();
            let delta = d * c;
            h *= delta;
            if (delta - 1.0).abs() <= f64::EPSILON {
                break;
            }
        }
        1.0 - front * h
    }
}

/// E[min(X, limit)], X ~ Gamma(shape, scale)
#[differentiable]
fn limited_expected_value(shape: f64, scale: f64, limit: f64) -> f64 {
    let x = limit / scale;
    shape * scale * gamma_p(shape + 1.0, x) + limit * (1.0 - gamma_p(shape, x))
}

#[test]
fn exact() {
    let layers = [[1.7, 0.9, 1.1], [1.7, 0.9, 4.6]];
    for at in layers {
        super::harness::check(
            "limited_expected_value",
            &at,
            |x| limited_expected_value(x[0], x[1], x[2]),
            |x| {
                let (value, (a, b, c)) = limited_expected_value_grad(x[0], x[1], x[2]);
                (value, vec![a, b, c])
            },
            |x, v| {
                let (a, b, c) = limited_expected_value_hvp(x[0], x[1], x[2], v[0], v[1], v[2]);
                vec![a, b, c]
            },
        );
    }
}
