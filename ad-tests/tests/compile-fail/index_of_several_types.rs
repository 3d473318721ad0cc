//! Two `Index` implementations, and an index of which nothing tells the type.
use ad_runtime::{Differentiable, differentiable};
use std::ops::Index;

#[derive(Clone, Copy)]
enum Axis {
    X,
    Y,
}

#[derive(Clone, Copy, Differentiable)]
struct Pair {
    x: f64,
    y: f64,
}

#[differentiable]
impl Index<Axis> for Pair {
    type Output = f64;
    fn index(&self, axis: Axis) -> &f64 {
        match axis {
            Axis::X => &self.x,
            Axis::Y => &self.y,
        }
    }
}

#[differentiable]
impl Index<usize> for Pair {
    type Output = f64;
    fn index(&self, k: usize) -> &f64 {
        if k == 0 { &self.x } else { &self.y }
    }
}

#[differentiable]
fn f(x: f64) -> f64 {
    let axes = [Axis::X, Axis::Y];
    let p = Pair { x, y: x * x };
    p[axes[1]]
}

fn main() {}
