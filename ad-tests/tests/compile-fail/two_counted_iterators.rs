use ad_runtime::differentiable;

#[differentiable]
fn f(x: &[f64], y: &[f64]) -> f64 {
    x.iter().filter(|v| **v > 0.0).zip(y.iter().filter(|v| **v < 0.0)).map(|(a, b)| a * b).sum()
}

#[differentiable]
fn g(x: &[f64]) -> f64 {
    x.iter().cycle().map(|v| v * v).sum()
}

fn main() {}
