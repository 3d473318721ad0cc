use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64) -> f64 {
    let square = |v: f64| v * x;
    square(x)
}

fn main() {}
