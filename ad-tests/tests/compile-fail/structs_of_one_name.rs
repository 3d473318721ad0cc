//! Two structs of one name: the code of one is not that of the other.

use ad_runtime::{Differentiable, differentiable};

mod geo {
    use ad_runtime::{Differentiable, differentiable};

    #[derive(Differentiable, Clone, Copy)]
    pub struct Point {
        pub x: f64,
    }

    #[differentiable]
    impl Point {
        pub fn rise(&self, t: f64) -> f64 {
            self.x * t
        }
        pub fn unit(t: f64) -> f64 {
            2.0 * t
        }
    }

    #[derive(Differentiable, Clone, Copy)]
    pub struct Holder {
        pub point: Point,
    }
}

#[derive(Differentiable, Clone, Copy)]
pub struct Point {
    pub x: f64,
}

#[differentiable]
impl Point {
    pub fn rise(&self, t: f64) -> f64 {
        self.x * t * t
    }
    pub fn unit(t: f64) -> f64 {
        t
    }
}

#[differentiable(only(grad))]
fn of_a_parameter(p: &geo::Point) -> f64 {
    p.rise(2.0)
}

#[differentiable(only(grad))]
fn of_a_field(h: &geo::Holder) -> f64 {
    h.point.rise(2.0)
}

#[differentiable(only(grad), wrt(t))]
fn of_data(t: f64, points: &[geo::Point]) -> f64 {
    points[0].rise(t)
}

#[differentiable(only(grad))]
fn by_path(t: f64) -> f64 {
    geo::Point::unit(t)
}

fn main() {}
