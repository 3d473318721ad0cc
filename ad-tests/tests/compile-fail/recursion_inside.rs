use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64) -> f64 {
    fn power(x: f64, n: u32) -> f64 {
        if n == 0 { 1.0 } else { x * power(x, n - 1) }
    }
    power(x, 3)
}

// A companion gives one float: that of a function which gives more cannot be called by itself.
#[differentiable]
fn pair(tree: &[Option<(usize, usize)>], at: usize, x: &[f64]) -> [f64; 2] {
    match tree[at] {
        None => [x[at], 1.0],
        Some((a, b)) => {
            let below = pair(tree, a, x);
            let mut here = [1.0; 2];
            for (h, b) in here.iter_mut().zip(&below) {
                *h *= b;
            }
            here[0] += x[b];
            here
        }
    }
}

fn main() {}
