use ad_runtime::differentiable;

#[differentiable(partials(slope))]
fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[differentiable(partials(slope))]
fn array(x: f64, w: [f64; 2]) -> f64 {
    x * w[0] + w[1]
}

#[differentiable(wrt(x), partials(slope))]
fn output(x: f64, out: &mut [f64]) -> f64 {
    out[0] = x;
    x
}

fn main() {}
