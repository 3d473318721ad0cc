use ad_runtime::differentiable;
use num_traits::{Float, NumCast};

#[differentiable]
fn f<T: Float>(x: T, scale: f64) -> T {
    x * T::from(scale).unwrap()
}

#[differentiable(wrt(x))]
fn g<T: Float>(x: T) -> T {
    x * <T as NumCast>::from(x).expect("a float")
}

fn main() {}
