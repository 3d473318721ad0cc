use ad_runtime::differentiable;

#[differentiable]
fn powers<const N: usize>(x: f64) -> Vec<f64> {
    (0..N).map(|k| x.powi(k as i32)).collect()
}

trait Prior {
    fn ln_pdf(&self, x: f64) -> f64;
}
struct Normal(f64);
struct Cauchy(f64);
#[differentiable]
impl Prior for Normal {
    fn ln_pdf(&self, x: f64) -> f64 {
        -0.5 * x * x / self.0
    }
}
#[differentiable]
impl Prior for Cauchy {
    fn ln_pdf(&self, x: f64) -> f64 {
        -(x * x / self.0).ln_1p()
    }
}

#[differentiable]
fn posterior<P: Prior>(x: f64, prior: &P) -> f64 {
    prior.ln_pdf(x) - x
}

#[differentiable]
fn f(x: f64) -> f64 {
    // How many, nothing tells.
    let count: Vec<f64> = powers(x);
    let a = powers::<3>(count[0]);
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
