use ad_runtime::differentiable;
use num_traits::Float;

#[differentiable]
fn square<T: Float>(x: T) -> T {
    x * x
}

#[differentiable]
fn f<T: Float>(x: T) -> T {
    square(x).sin()
}

fn main() {}
