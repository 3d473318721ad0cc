use ad_runtime::{Differentiable, differentiable};

#[derive(Clone, Differentiable)]
struct Line {
    slope: f64,
    offset: f64,
}

#[differentiable(wrt(line))]
fn at(line: &Line, t: f64) -> f64 {
    line.slope * t + line.offset
}

#[differentiable(wrt(line))]
fn misfit(line: &Line, t: f64) -> f64 {
    at(line, t).powi(2)
}

fn main() {}
