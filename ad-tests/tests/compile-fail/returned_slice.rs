use ad_runtime::differentiable;

#[differentiable]
fn f(x: &[f64], y: &[f64]) -> f64 {
    fn first<'a>(x: &'a [f64], y: &'a [f64]) -> &'a [f64] {
        for i in 0..x.len() {
            if x[i] > 3.0 {
                return &x[i..];
            }
            if y[i] > 3.0 {
                return &y[i..];
            }
        }
        x
    }
    first(x, y)[0]
}

// What is wrong in a helper is shown where it is called.
#[differentiable]
fn shifted(x: &[f64]) -> Vec<(f64, f64)> {
    x.iter().map(|x| (*x, x.next_up())).collect()
}

#[differentiable]
fn g(x: &[f64]) -> f64 {
    shifted(x)[0].1
}

fn main() {}
