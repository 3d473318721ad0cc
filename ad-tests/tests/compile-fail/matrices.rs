use ad_runtime::differentiable;
use nalgebra::{Matrix2, Vector2};

#[differentiable]
fn in_place(m: Matrix2<f64>, n: Matrix2<f64>) -> f64 {
    let mut p = m;
    p *= n;
    p.sum()
}

#[differentiable]
fn rows(m: Matrix2<f64>) -> f64 {
    m.row_iter().map(|r| r.sum()).sum()
}

#[differentiable]
fn made(x: f64, y: f64) -> f64 {
    let m = Matrix2::from_diagonal(&Vector2::new(x, y));
    m.symmetric_eigenvalues().sum()
}

fn main() {}
