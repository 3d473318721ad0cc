use ad_runtime::differentiable;

#[differentiable]
fn f(x: &[f64]) -> Option<f64> {
    let head = |k: usize| {
        let v = x.get(k)?;
        Some(v * v)
    };
    head(0)
}

fn main() {}
