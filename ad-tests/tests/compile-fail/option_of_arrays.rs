//! An option that is set to an array in one round and taken apart in the next.
use ad_runtime::differentiable;

#[differentiable]
fn products(x: &[f64]) -> f64 {
    let mut before: Option<[f64; 2]> = None;
    let mut s = 0.0;
    for v in x {
        if let Some(p) = before {
            s += p[0] * v + p[1];
        }
        before = Some([*v, v * v]);
    }
    s
}

#[differentiable]
fn or_zero(x: &[f64]) -> f64 {
    let mut before: Option<Vec<f64>> = None;
    let mut s = 0.0;
    for v in x {
        let p = before.unwrap_or(vec![0.0, 1.0]);
        s += p[0] * v + p[1];
        before = Some(vec![*v, v * v]);
    }
    s
}

fn main() {}
