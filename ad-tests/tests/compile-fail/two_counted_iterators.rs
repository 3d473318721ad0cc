use ad_runtime::differentiable;

#[differentiable]
fn f(x: &[f64], y: &[f64]) -> f64 {
    let halves = |v: f64| std::iter::successors(Some(v), |v| Some(v / 2.0));
    halves(x[0]).zip(halves(y[0])).take_while(|(a, _)| *a > 0.1).map(|(a, b)| a * b).sum()
}

#[differentiable]
fn g(x: &[f64]) -> f64 {
    x.iter().cycle().map(|v| v * v).sum()
}

fn main() {}
