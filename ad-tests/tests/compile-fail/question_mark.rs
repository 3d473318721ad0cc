use ad_runtime::differentiable;

fn g(x: f64) -> Option<f64> {
    Some(x)
}

#[differentiable]
fn f(x: f64) -> Option<f64> {
    let y = g(x)?;
    Some(x * y)
}

fn main() {}
