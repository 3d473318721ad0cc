use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64, g: impl Into<f64>) -> f64 {
    g.into() * x
}

// A function that takes functions only serves its callers.
#[differentiable]
fn area(f: impl Fn(f64) -> f64, to: f64) -> f64 {
    f(0.5 * to) * to
}

fn main() {
    area_grad(|t| t, 1.0);
}
