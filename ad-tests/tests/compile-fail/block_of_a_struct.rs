use ad_runtime::{Differentiable, differentiable};

#[derive(Clone, Differentiable)]
struct Point {
    x: f64,
    y: f64,
}

#[differentiable(only(hvp, hvp_block))]
fn f(p: &Point) -> f64 {
    p.x * p.y
}

fn main() {}
