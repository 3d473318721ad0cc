use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64, n: usize) -> f64 {
    let mut list: Vec<usize> = Vec::new();
    list.push(n);
    x * list.len() as f64
}

fn main() {}
