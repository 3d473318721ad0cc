//! Weibull accelerated failure times under mixed censoring: an enum of observations, match with guards.
use ad_runtime::differentiable;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Lifetime {
    Failed(f64),
    Surviving { at: f64 },
    Between { lo: f64, hi: f64 },
}
use Lifetime::*;

#[differentiable]
fn cumulative_hazard(t: f64, shape: f64, scale: f64) -> f64 {
    (t / scale).powf(shape)
}

#[differentiable]
fn weibull_aft(log_shape: f64, intercept: f64, slope: f64, units: &[(Lifetime, i32)]) -> f64 {
    let shape = log_shape.exp();
    let mut nll = 0.0;
    for &(lifetime, dose) in units {
        let scale = (intercept + slope * dose as f64).exp();
        nll += match lifetime {
            Failed(t) => {
                let h = cumulative_hazard(t, shape, scale);
                h - log_shape - h.ln() + t.ln()
            }
            Surviving { at } => cumulative_hazard(at, shape, scale),
            Between { lo, hi } if lo <= 0.0 => -(-(-cumulative_hazard(hi, shape, scale)).exp_m1()).ln(),
            Between { lo, hi } => {
                let [a, b] = [lo, hi].map(|t| (-cumulative_hazard(t, shape, scale)).exp());
                -(a - b).ln()
            }
        };
    }
    nll
}

const UNITS: [(Lifetime, i32); 7] = [
    (Failed(1.3), 0),
    (Failed(0.6), 1),
    (Surviving { at: 2.0 }, 0),
    (Between { lo: 0.0, hi: 0.8 }, 2),
    (Between { lo: 0.5, hi: 1.5 }, 1),
    (Failed(0.9), 2),
    (Surviving { at: 0.4 }, -1),
];

#[test]
fn exact() {
    super::harness::check(
        "weibull_aft",
        &[0.3, 0.5, -0.2],
        |x| weibull_aft(x[0], x[1], x[2], &UNITS),
        |x| {
            let (value, (a, b, c)) = weibull_aft_grad(x[0], x[1], x[2], &UNITS);
            (value, vec![a, b, c])
        },
        |x, v| {
            let (a, b, c) = weibull_aft_hvp(x[0], x[1], x[2], &UNITS, v[0], v[1], v[2]);
            vec![a, b, c]
        },
    );
}
