use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64) -> f64 {
    let a = [x, 1.0];
    let b = [1.0, x];
    let c = if x > 0.0 { &a } else { &b };
    c[0] * x
}

fn main() {}
