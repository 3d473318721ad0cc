use ad_runtime::differentiable;


#[differentiable]
fn with_items(x: f64) -> [f64; 2] {
    const HALF: f64 = 0.5;
    [x, HALF * x]
}

#[differentiable]
fn f(x: f64) -> f64 {
    let a = with_items(x);
    let b = std::array::from_fn(|k| x * k as f64);
    a[0] * b[1]
}

#[differentiable]
fn recursive(x: f64) -> f64 {
    fn power(b: f64, n: u32) -> f64 {
        if n == 0 {
            1.0
        } else if n % 2 == 0 {
            power(b, n / 2) * power(b, n / 2)
        } else {
            b * power(b, n - 1)
        }
    }
    power(x, 5)
}

fn main() {}
