use ad_runtime::differentiable;

#[differentiable(partials(other_arguments), only(grad))]
fn f(x: f64, n: usize) -> f64 {
    x * n as f64
}

#[differentiable]
fn other_arguments(x: f64) -> f64 {
    x
}

#[differentiable(partials(not_annotated), only(hvp))]
fn g(x: f64) -> f64 {
    x
}

fn not_annotated(x: f64) -> f64 {
    x
}

#[differentiable(partials(not_there), only(grad))]
fn h(x: f64) -> f64 {
    x
}

fn main() {}
