//! Methods of an `impl` block that have no derivatives: whoever asks is told why.
#![deny(deprecated)]

use ad_runtime::{Differentiable, differentiable};

#[derive(Clone, Differentiable)]
struct Line {
    slope: f64,
}

fn other(x: f64) -> f64 {
    x
}

#[differentiable]
impl Line {
    fn unseen(&self) -> f64 {
        other(self.slope)
    }
    fn through_an_object(&self, f: &dyn Fn(f64) -> f64, x: f64) -> f64 {
        f(x)
    }
}

fn main() {
    let line = Line { slope: 2.0 };
    line.unseen_grad();
    line.through_an_object_hvp();
}
