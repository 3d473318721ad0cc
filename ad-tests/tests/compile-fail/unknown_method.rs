use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64) -> f64 {
    x.frobnicate() * x
}

trait Frobnicate {
    fn frobnicate(self) -> f64;
}
impl Frobnicate for f64 {
    fn frobnicate(self) -> f64 {
        self
    }
}

fn main() {}
