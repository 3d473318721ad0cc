use ad_runtime::differentiable;

struct Line {
    slope: f64,
}

#[differentiable(wrt(x, time))]
impl Line {
    fn at(&self, x: f64) -> f64 {
        self.slope * x
    }
}

#[differentiable(checkpoint)]
impl Line {
    fn twice(&self, x: f64) -> f64 {
        2.0 * self.slope * x
    }
}

fn main() {}
