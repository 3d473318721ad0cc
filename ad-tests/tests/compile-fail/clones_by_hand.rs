//! A type that says itself how it is cloned is not copied field by field.

use ad_runtime::differentiable;

struct Scaled {
    v: f64,
}
impl Clone for Scaled {
    fn clone(&self) -> Scaled {
        Scaled { v: self.v * 2.0 }
    }
}

#[differentiable]
fn f(x: f64) -> f64 {
    let a = Scaled { v: x };
    let b = a.clone();
    a.v * b.v
}

#[differentiable]
fn g(x: f64) -> f64 {
    let list = vec![Scaled { v: x }, Scaled { v: x * x }];
    let all = list.clone();
    all[0].v * all[1].v
}

fn main() {}
