//! A method of the type's own is called where a trait has one of that name: the code of the trait's is not that of the call.

use ad_runtime::differentiable;

struct Model {
    x: f64,
}

impl Model {
    fn rise(&self, t: f64) -> f64 {
        self.x * t
    }
}

trait Rise {
    fn rise(&self, t: f64) -> f64;
    fn fall(&self, t: f64) -> f64;
}

#[differentiable]
impl Rise for Model {
    fn rise(&self, t: f64) -> f64 {
        self.x * t * t
    }
    fn fall(&self, t: f64) -> f64 {
        -self.x * t
    }
}

#[differentiable(only(grad))]
fn hidden(t: f64, model: &Model) -> f64 {
    model.rise(t)
}

#[differentiable(only(grad))]
fn seen(t: f64, model: &Model) -> f64 {
    model.fall(t)
}

fn main() {}
