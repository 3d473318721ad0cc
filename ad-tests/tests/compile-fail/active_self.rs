use ad_runtime::{Differentiable, differentiable};

struct Spring {
    stiffness: f64,
}

impl Spring {
    // The struct derives nothing.
    #[differentiable(wrt(self))]
    fn energy(&self, x: f64) -> f64 {
        0.5 * self.stiffness * x * x
    }
}

#[derive(Differentiable)]
struct Rod {
    length: f64,
}

#[derive(Differentiable)]
struct Beam {
    length: f64,
}

impl Beam {
    // It may be either.
    #[differentiable(wrt(self))]
    fn area(&self, width: f64) -> f64 {
        self.length * width
    }
}

fn main() {}
