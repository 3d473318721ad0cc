use ad_runtime::differentiable;

trait Kernel {
    fn eval(&self, r: f64) -> f64;
}

#[differentiable]
fn f(x: f64, k: &dyn Kernel) -> f64 {
    k.eval(x) * x
}

#[differentiable]
fn h(x: f64, g: fn(f64) -> f64) -> f64 {
    g(x) + x
}

fn main() {}
