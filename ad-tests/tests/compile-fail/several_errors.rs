use ad_runtime::differentiable;

#[differentiable]
fn f(x: &[f64], y: f64) -> f64 {
    let a: f64 = x.iter().sum();
    let b = unsafe { y * y };
    std::hint::black_box(y) + a + b
}

fn main() {}
