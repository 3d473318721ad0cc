use ad_runtime::differentiable;

#[differentiable(partials(slope))]
fn pair(x: f64) -> (f64, f64) {
    (x, x)
}

#[differentiable(partials(slope))]
fn maybe(x: f64) -> Option<f64> {
    Some(x)
}

struct Scale(f64);

impl Scale {
    #[differentiable(partials(Self::slope))]
    fn method(&self, x: f64) -> f64 {
        self.0 * x
    }
}

fn main() {}
