use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64, g: &dyn Fn(f64) -> f64) -> f64 {
    g(x) * x
}

#[differentiable]
fn h(x: f64, g: fn(f64) -> f64) -> f64 {
    g(x) + x
}

fn main() {}
