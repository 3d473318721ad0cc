use ad_runtime::differentiable;

#[differentiable(checkpoint)]
fn f(x: f64) -> f64 {
    x * x
}

#[differentiable(checkpoint = 0)]
fn g(x: f64, n: usize) -> f64 {
    (0..n).fold(x, |x, _| x.sin())
}

fn main() {}
