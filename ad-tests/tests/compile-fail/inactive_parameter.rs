use ad_runtime::differentiable;

#[differentiable(wrt(a))]
fn g(a: f64, b: f64) -> f64 {
    a * b
}

#[differentiable]
fn f(x: f64) -> f64 {
    g(x, x)
}

fn main() {}
