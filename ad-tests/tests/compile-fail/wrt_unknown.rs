use ad_runtime::differentiable;

#[differentiable(wrt(y))]
fn f(x: f64) -> f64 {
    x * x
}

fn main() {}
