use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64, out: &mut f64) {
    *out = x * x;
}

fn main() {}
