use ad_runtime::differentiable;

mod other {
    use ad_runtime::differentiable;

    const K: f64 = 3.0;

    #[differentiable]
    pub(crate) fn pair(x: f64) -> (f64, f64) {
        (x * K, x)
    }
}
use other::*;

const K: f64 = 2.0;

#[differentiable]
fn f(x: f64) -> f64 {
    let (a, b) = pair(x);
    a * b * K
}

fn main() {}
