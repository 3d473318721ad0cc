use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64, g: impl Fn(usize) -> f64) -> f64 {
    g(3) * x
}

fn main() {}
