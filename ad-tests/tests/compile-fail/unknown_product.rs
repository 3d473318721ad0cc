use ad_runtime::differentiable;

#[differentiable(only(grad, laplacian))]
fn f(x: f64) -> f64 {
    x * x
}

fn main() {}
