//! What the macro has seen of one trait is not what another trait of its name says; and methods of a type hide those of its traits.

use ad_runtime::differentiable;

mod seen {
    use ad_runtime::differentiable;

    #[differentiable]
    pub trait Problem {
        fn all(&self, x: f64) -> [f64; 2];
    }
}

#[differentiable(only(grad), wrt(x))]
fn of_another<P: other::Problem>(x: f64, p: &P) -> f64 {
    p.all(x).iter().sum()
}

mod other {
    use ad_runtime::differentiable;

    #[differentiable]
    pub trait Problem {
        fn all(&self, x: f64) -> [f64; 3];
    }
}

struct Hides;

impl Hides {
    fn rise(&self, x: f64) -> f64 {
        x * x
    }
}

#[differentiable]
trait Rise {
    fn rise(&self, x: f64) -> f64;
    fn twice(&self, x: f64) -> f64;
}

#[differentiable]
impl Rise for Hides {
    fn rise(&self, x: f64) -> f64 {
        x
    }
    fn twice(&self, x: f64) -> f64 {
        2.0 * self.rise(x)
    }
}

fn main() {}
