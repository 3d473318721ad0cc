use ad_runtime::differentiable;

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

fn main() {}
