use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64) -> bool {
    x > 0.0
}

#[differentiable(wrt(x), only(grad))]
fn largest(x: &[f64]) -> (f64, usize) {
    let mut k = 0;
    for i in 0..x.len() {
        if x[i] > x[k] {
            k = i;
        }
    }
    (x[k], k)
}

fn main() {
    let (value, slope) = f_grad(1.0);
}
