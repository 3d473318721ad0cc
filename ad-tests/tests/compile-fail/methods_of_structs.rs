use ad_runtime::differentiable;
use std::ops::Add;

#[derive(Clone, Copy)]
struct Point {
    x: f64,
    y: f64,
}

impl Point {
    fn norm(self) -> f64 {
        self.x.hypot(self.y)
    }
}

impl Add for Point {
    type Output = Point;
    fn add(self, other: Point) -> Point {
        Point { x: self.x + other.x, y: self.y + other.y }
    }
}

#[differentiable]
fn f(x: f64, y: f64) -> f64 {
    let p = Point { x, y };
    p.norm() * x
}

#[differentiable]
fn g(x: f64, y: f64) -> f64 {
    let p = Point { x, y };
    let q = p + p;
    q.x
}

fn main() {}
