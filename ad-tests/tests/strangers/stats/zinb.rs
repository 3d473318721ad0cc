//! Zero-inflated negative binomial: generic over num_traits::Float.
use ad_runtime::differentiable;
use num_traits::Float;
use std::iter::Sum;

fn lit<T: Float>(x: f64) -> T {
    T::from(x).unwrap()
}

#[differentiable]
fn log_add_exp<T: Float>(a: T, b: T) -> T {
    let (hi, lo) = if a > b { (a, b) } else { (b, a) };
    hi + (lo - hi).exp().ln_1p()
}

/// ln NB(y; mean mu, size r), Gamma ratios as finite sums.
#[differentiable]
fn nb_ln_pmf<T: Float + Sum>(y: u32, mu: T, r: T) -> T {
    let ln_rising: T = (0..y).map(|i| (r + lit(i as f64)).ln()).sum();
    let ln_factorial: T = (1..=y).map(|i| lit::<T>(i as f64).ln()).sum();
    ln_rising - ln_factorial + r * (r / (r + mu)).ln() + lit::<T>(y as f64) * (mu / (r + mu)).ln()
}

#[differentiable]
fn zinb<T>(log_mu: T, log_size: T, logit_zero: T, counts: &[u32]) -> T
where
    T: Float + Sum,
{
    let (mu, r) = (log_mu.exp(), log_size.exp());
    let ln_inflated = -log_add_exp(T::zero(), -logit_zero);
    let ln_regular = -log_add_exp(T::zero(), logit_zero);
    counts
        .iter()
        .map(|&y| match y {
            0 => -log_add_exp(ln_inflated, ln_regular + nb_ln_pmf(0, mu, r)),
            y => -(ln_regular + nb_ln_pmf(y, mu, r)),
        })
        .sum()
}

const Y: [u32; 9] = [0, 0, 3, 1, 0, 6, 2, 0, 4];

#[test]
fn exact() {
    super::harness::check(
        "zinb",
        &[0.8, 0.5, -0.6],
        |x| zinb(x[0], x[1], x[2], &Y),
        |x| {
            let (value, (a, b, c)) = zinb_grad(x[0], x[1], x[2], &Y);
            (value, vec![a, b, c])
        },
        |x, v| {
            let (a, b, c) = zinb_hvp(x[0], x[1], x[2], &Y, v[0], v[1], v[2]);
            vec![a, b, c]
        },
    );
}
