//! The example that the README opens with.

use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64, y: f64) -> f64 {
    x * x * y + y.sin()
}

fn main() {
    println!("(f, ∇f)  = {:.6?}", f_grad(2.0, 3.0));
    println!("H·(1, 0) = {:.6?}", f_hvp(2.0, 3.0, 1.0, 0.0));
}
