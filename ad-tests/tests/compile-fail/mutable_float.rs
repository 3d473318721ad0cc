use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64, out: &mut f64) {
    *out = x * x;
}

fn main() {
    let mut out = 0.0;
    f_jvp(1.0, 1.0, &mut out);
}
