use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64) -> f64 {
    let basis: [fn(f64) -> f64; 2] = [f64::sin, f64::cos];
    basis.iter().map(|g| g(x)).sum()
}

fn main() {}
