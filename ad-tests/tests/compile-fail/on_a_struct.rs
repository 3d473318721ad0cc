use ad_runtime::differentiable;

#[differentiable]
struct Params {
    x: f64,
}

fn main() {}
