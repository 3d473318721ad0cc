use ad_runtime::differentiable;

macro_rules! twice {
    ($e:expr) => {
        $e + $e
    };
}

#[differentiable]
fn f(x: f64) -> f64 {
    twice!(x)
}

fn main() {}
