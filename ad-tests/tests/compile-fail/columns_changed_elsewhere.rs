//! Columns are copied: what is done to the copy must not be lost.
use ad_runtime::differentiable;
use ndarray::{Array2, s};

#[differentiable]
fn f(a: &Array2<f64>) -> f64 {
    let mut made = a.to_owned();
    let mut part = made.slice_mut(s![.., 1..2]);
    part *= 2.0;
    made.sum()
}

fn main() {}
