//! Cox-Ross-Rubinstein American put with early exercise.
use ad_runtime::differentiable;

#[differentiable(wrt(spot, vol, rate))]
fn crr_put(spot: f64, strike: f64, expiry: f64, vol: f64, rate: f64, steps: usize) -> f64 {
    let dt = expiry / steps as f64;
    let up = (vol * dt.sqrt()).exp();
    let down = up.recip();
    let growth = (rate * dt).exp();
    let p = (growth - down) / (up - down);
    let exercise = |level: usize, ups: usize| strike - spot * up.powi(2 * ups as i32 - level as i32);

    let mut values: Vec<f64> = (0..=steps).map(|j| exercise(steps, j).max(0.0)).collect();
    let mut level = steps;
    while level > 0 {
        level -= 1;
        for j in 0..=level {
            let hold = (p * values[j + 1] + (1.0 - p) * values[j]) / growth;
            values[j] = hold.max(exercise(level, j));
        }
        values.truncate(level + 1);
    }
    values[0]
}

#[test]
fn exact() {
    super::harness::check(
        "american_put",
        &[1.02, 0.5, 0.08],
        |x| crr_put(x[0], 1.1, 1.0, x[1], x[2], 5),
        |x| {
            let (value, (a, b, c)) = crr_put_grad(x[0], 1.1, 1.0, x[1], x[2], 5);
            (value, vec![a, b, c])
        },
        |x, v| {
            let (a, b, c) = crr_put_hvp(x[0], 1.1, 1.0, x[1], x[2], 5, v[0], v[1], v[2]);
            vec![a, b, c]
        },
    );
}
