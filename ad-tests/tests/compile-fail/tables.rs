use ad_runtime::differentiable;
use ndarray::{Array1, Array2};

#[differentiable]
fn mixed(a: &Array2<f64>, x: &Array1<f64>) -> f64 {
    let mut b = a.clone();
    b.scaled_add(2.0, x);
    b.sum()
}

fn main() {}
