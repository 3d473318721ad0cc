use ad_runtime::differentiable;

#[differentiable]
fn f(x: &[f64]) -> f64 {
    let squares = x.iter().map(|v| v * v);
    dbg!(squares).sum()
}

fn main() {}
