use ad_runtime::differentiable;

#[differentiable(partials(slope))]
fn product(x: f64, y: f64) -> f64 {
    x * y
}

#[differentiable(partials(slope, slope))]
fn single(x: f64, n: usize) -> f64 {
    x * n as f64
}

#[differentiable(partials())]
fn nothing(x: f64) -> f64 {
    x
}

#[differentiable(partials = slope)]
fn misspelt(x: f64) -> f64 {
    x
}

#[differentiable]
fn slope(x: f64, y: f64) -> f64 {
    x + y
}

fn main() {}
