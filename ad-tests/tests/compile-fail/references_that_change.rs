use ad_runtime::differentiable;

#[differentiable]
fn f(x: &[f64], y: &[f64]) -> f64 {
    let (mut a, mut b) = (x, y);
    let mut s = 0.0;
    for _ in 0..3 {
        s += a[0];
        (a, b) = (b, a);
    }
    s * s
}

fn main() {}
