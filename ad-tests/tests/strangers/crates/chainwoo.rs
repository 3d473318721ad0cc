//! CUTEst CHAINWOO: overlapping windows and a slice pattern.
use ad_runtime::differentiable;

#[differentiable]
pub fn chained_wood(x: &[f64]) -> f64 {
    1.0 + x
        .windows(4)
        .step_by(2)
        .map(|w| match w {
            &[a, b, c, d] => {
                100.0 * (b - a * a).powi(2)
                    + (1.0 - a).powi(2)
                    + 90.0 * (d - c * c).powi(2)
                    + (1.0 - c).powi(2)
                    + 10.0 * (b + d - 2.0).powi(2)
                    + 0.1 * (b - d).powi(2)
            }
            _ => unreachable!("windows(4) yields four elements"),
        })
        .sum::<f64>()
}

const X: &[f64] = &[-0.7, 0.6, 0.9, 1.2, -0.4, 0.3, 0.8, 0.5];
fn at(x: &[f64]) -> f64 {
    chained_wood(x)
}
#[test]
fn exact() {
    crate::harness::check(
        "chainwoo",
        X,
        at,
        |x| {
            let mut g = vec![f64::NAN; x.len()];
            let value = chained_wood_grad(x, &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; x.len()];
            chained_wood_hvp(x, v, &mut hv);
            hv
        },
    );
}
