use ad_runtime::differentiable;
use std::collections::BTreeMap;

#[differentiable]
fn f(x: &[f64]) -> f64 {
    let squares = x.iter().map(|v| v * v).enumerate().collect::<BTreeMap<usize, f64>>();
    squares[&0]
}

fn main() {}
