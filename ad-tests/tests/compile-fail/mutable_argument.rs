use ad_runtime::differentiable;

#[differentiable]
fn g(x: f64, out: &mut [f64]) {
    out[0] = x;
}

#[differentiable]
fn f(x: f64) -> f64 {
    let mut a = [0.0; 2];
    a[1] = x;
    g(x, &mut a);
    a[0] * x
}

fn main() {}
