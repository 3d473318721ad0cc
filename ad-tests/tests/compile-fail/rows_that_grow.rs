use ad_runtime::differentiable;

#[differentiable]
fn f(x: &[f64]) -> f64 {
    let mut groups = vec![Vec::new(), Vec::new()];
    for (i, v) in x.iter().enumerate() {
        groups[i % 2].push(*v);
    }
    groups[0].iter().product::<f64>()
}

fn main() {}
