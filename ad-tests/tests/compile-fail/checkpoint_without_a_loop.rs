use ad_runtime::differentiable;

#[differentiable(checkpoint)]
fn f(x: f64) -> f64 {
    x * x
}

#[differentiable(checkpoint = 0)]
fn g(x: f64, n: usize) -> f64 {
    (0..n).fold(x, |x, _| x.sin())
}

#[differentiable(checkpoint(runs = 9))]
fn often(x: &[f64]) -> f64 {
    let mut s = 1.0;
    for i in 0..x.len() {
        s *= x[i];
    }
    s
}

#[differentiable(checkpoint(every = 10))]
fn unknown(x: &[f64]) -> f64 {
    let mut s = 1.0;
    for i in 0..x.len() {
        s *= x[i];
    }
    s
}

fn main() {}
