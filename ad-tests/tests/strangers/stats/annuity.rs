//! Life annuity with guarantee under Gompertz-Makeham mortality: scan, successors, skip_while, take_while.
use ad_runtime::differentiable;
use std::iter;

/// Integrated force of mortality over [age, age + 1).
#[differentiable]
fn yearly_hazard(age: u32, makeham: f64, log_b: f64, log_c: f64) -> f64 {
    makeham + log_b.exp() * (log_c * f64::from(age - 60)).exp() * log_c.exp_m1() / log_c
}

/// Present value of 1 a year, paid in arrears for life and at least `guaranteed` years.
#[differentiable]
fn annuity(makeham: f64, log_b: f64, log_c: f64, interest: f64, age: u32, guaranteed: usize) -> f64 {
    let v = 1.0 / (1.0 + interest);
    let survival = (age..=115).scan(1.0, |alive, x| {
        *alive *= (-yearly_hazard(x, makeham, log_b, log_c)).exp();
        Some(*alive)
    });
    let discount = iter::successors(Some(v), |d| Some(d * v));
    survival
        .zip(discount)
        .enumerate()
        .take_while(|(year, (alive, _))| *year < guaranteed || *alive > 1e-14)
        .map(|(year, (alive, d))| if year < guaranteed { d } else { d * alive })
        .sum()
}

#[test]
fn exact() {
    super::harness::check(
        "annuity",
        &[0.002, -4.6, 0.1, 0.3],
        |x| annuity(x[0], x[1], x[2], x[3], 67, 5),
        |x| {
            let (value, (a, b, c, d)) = annuity_grad(x[0], x[1], x[2], x[3], 67, 5);
            (value, vec![a, b, c, d])
        },
        |x, v| {
            let (a, b, c, d) = annuity_hvp(x[0], x[1], x[2], x[3], 67, 5, v[0], v[1], v[2], v[3]);
            vec![a, b, c, d]
        },
    );
}
