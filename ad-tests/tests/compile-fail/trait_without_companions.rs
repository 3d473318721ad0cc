//! An `impl` block without the attribute would leave its derivatives out.

use ad_runtime::differentiable;

#[differentiable]
trait Loss {
    fn rho(&self, s: f64) -> f64;
    fn half(&self, s: f64) -> f64 {
        0.5 * self.rho(s)
    }
}

struct Square;

impl Loss for Square {
    fn rho(&self, s: f64) -> f64 {
        s * s
    }
}

#[differentiable]
fn by_default<L: Loss>(x: f64, loss: &L) -> f64 {
    loss.half(x)
}

#[differentiable]
fn of_an_object(x: f64, loss: &dyn Loss) -> f64 {
    loss.rho(x)
}

fn main() {}
