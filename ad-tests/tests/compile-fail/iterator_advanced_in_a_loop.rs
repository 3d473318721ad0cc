use ad_runtime::differentiable;

#[differentiable]
fn f(x: &[f64]) -> f64 {
    let mut rest = x.iter();
    let mut s = 0.0;
    while let Some(v) = rest.next() {
        s += v * rest.next().unwrap();
    }
    s
}

fn main() {}
