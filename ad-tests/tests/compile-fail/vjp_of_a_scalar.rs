use ad_runtime::differentiable;

#[differentiable(only(vjp))]
fn f(x: f64) -> f64 {
    x * x
}

fn main() {}
