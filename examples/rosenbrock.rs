//! The example that the book starts with.

use ad_runtime::differentiable;

#[differentiable]
fn rosenbrock(x: &[f64]) -> f64 {
    let mut sum = 0.0;
    for i in 0..x.len() - 1 {
        let t = x[i + 1] - x[i] * x[i];
        let u = 1.0 - x[i];
        sum += 100.0 * t * t + u * u;
    }
    sum
}

fn main() {
    let x = [-1.2, 1.0, 1.0];
    let v = [1.0, 0.0, 0.0];

    let mut gradient = [0.0; 3];
    let value = rosenbrock_grad(&x, &mut gradient);
    println!("value {value:.3}, gradient {gradient:.3?}");

    let mut hv = [0.0; 3];
    rosenbrock_hvp(&x, &v, &mut hv);
    println!("H·v {hv:.3?}");
}
