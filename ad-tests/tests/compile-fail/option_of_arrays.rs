//! Options of arrays are carried; those of vectors of vectors are not.
use ad_runtime::differentiable;

#[differentiable]
fn products(x: &[f64]) -> f64 {
    let mut before: Option<Vec<Vec<f64>>> = None;
    let mut s = 0.0;
    for v in x {
        if let Some(p) = before {
            s += p[0][0] * v + p[0][1];
        }
        before = Some(vec![vec![*v, v * v]]);
    }
    s
}

fn main() {}
