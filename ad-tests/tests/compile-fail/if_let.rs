use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64, scale: Option<f64>) -> f64 {
    if let Some(s) = scale { s * x } else { x }
}

fn main() {}
