//! Companions of methods with defaults have defaults: a block that gives the method another meaning must not keep them.

use ad_runtime::differentiable;

#[differentiable]
trait Penalty {
    fn cost(&self, x: f64) -> f64 {
        x * x
    }
}

struct Linear;

impl Penalty for Linear {
    fn cost(&self, x: f64) -> f64 {
        x
    }
}

struct ByMacro;

macro_rules! cost {
    () => {
        fn cost(&self, x: f64) -> f64 {
            x.sin()
        }
    };
}

#[differentiable]
impl Penalty for ByMacro {
    cost!();
}

fn main() {}
