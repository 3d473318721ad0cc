//! Garman-Kohlhagen value of a European foreign exchange option, for f32 and f64.
use ad_runtime::differentiable;
use num_traits::Float;

fn c<T: Float>(x: f64) -> T {
    T::from(x).unwrap()
}

/// Complementary error function, Chebyshev fit (fractional error below 1.2e-7).
#[differentiable]
fn erfc<T: Float>(x: T) -> T {
    let t = T::one() / (T::one() + c::<T>(0.5) * x.abs());
    let coefficients = [
        0.17087277,
        -0.82215223,
        1.48851587,
        -1.13520398,
        0.27886807,
        -0.18628806,
        0.09678418,
        0.37409196,
        1.00002368,
        -1.26551223,
    ];
    let poly = coefficients.iter().fold(T::zero(), |acc, &a| acc * t + c::<T>(a));
    let tail = t * (poly - x * x).exp();
    if x >= T::zero() { tail } else { c::<T>(2.0) - tail }
}

#[differentiable]
fn norm_cdf<T: Float>(x: T) -> T {
    c::<T>(0.5) * erfc(-x * c(std::f64::consts::FRAC_1_SQRT_2))
}

#[differentiable]
pub fn fx_option<T: Float>(spot: T, strike: T, rd: T, rf: T, vol: T, expiry: T, is_call: bool) -> T {
    let sd = vol * expiry.sqrt();
    let forward = spot * ((rd - rf) * expiry).exp();
    let d1 = (forward / strike).ln() / sd + sd / c(2.0);
    let d2 = d1 - sd;
    let df = (-rd * expiry).exp();
    if is_call {
        df * (forward * norm_cdf(d1) - strike * norm_cdf(d2))
    } else {
        df * (strike * norm_cdf(-d2) - forward * norm_cdf(-d1))
    }
}

#[test]
fn primal() {
    assert!(fx_option(1.3f64, 1.0, 0.03, 0.01, 0.4, 1.2, true).is_finite());
    assert!(fx_option(1.3f32, 1.0, 0.03, 0.01, 0.4, 1.2, false).is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "garman_kohlhagen",
        &[1.3, 1.0, 0.03, 0.01, 0.4, 1.2],
        |x| fx_option(x[0], x[1], x[2], x[3], x[4], x[5], false),
        |x| {
            let (value, (s, k, rd, rf, vol, t)) = fx_option_grad(x[0], x[1], x[2], x[3], x[4], x[5], false);
            (value, vec![s, k, rd, rf, vol, t])
        },
        |x, v| {
            let (s, k, rd, rf, vol, t) =
                fx_option_hvp(x[0], x[1], x[2], x[3], x[4], x[5], false, v[0], v[1], v[2], v[3], v[4], v[5]);
            vec![s, k, rd, rf, vol, t]
        },
    );
}
