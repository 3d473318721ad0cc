use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64, n: usize) -> [f64; 2] {
    for i in 0..n {
        if i == 3 {
            return [x, x];
        }
    }
    [x, x * x]
}

fn main() {}
