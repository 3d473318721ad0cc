//! Vectors and arrays keep copies: what is changed through references in them must not be lost.
use ad_runtime::differentiable;
use ndarray::{Array2, s};

#[differentiable]
fn columns(a: &Array2<f64>) -> f64 {
    let mut made = a.to_owned();
    let mut list: Vec<_> = made.columns_mut().into_iter().collect();
    list[1][0] *= 2.0;
    made.sum()
}

#[differentiable]
fn rows(x: &[f64]) -> f64 {
    let mut made = [[x[0], 1.0], [x[1], 2.0]];
    let mut list: Vec<&mut [f64; 2]> = made.iter_mut().collect();
    list[1][0] *= 2.0;
    made[0][0] * made[1][0]
}

#[differentiable]
fn chunks(x: &[f64]) -> f64 {
    let mut made = x.to_vec();
    let mut list = Vec::new();
    for chunk in made.chunks_mut(2) {
        list.push(chunk);
    }
    list[1][0] *= 2.0;
    made.iter().sum()
}

#[differentiable]
fn arrays(x: &[f64]) -> f64 {
    let (mut a, mut b) = ([x[0], 1.0], [x[1], 2.0]);
    for part in [&mut a, &mut b] {
        part[1] *= part[0];
    }
    a[1] * b[1]
}

#[differentiable]
fn blocks(a: &Array2<f64>) -> f64 {
    let mut made = a.to_owned();
    let wide = made.sum() > 1.0;
    let mut part = if wide { made.slice_mut(s![.., 1..]) } else { made.slice_mut(s![1.., 1..]) };
    part *= 2.0;
    made.sum()
}

#[differentiable]
fn lengths(a: &Array2<f64>) -> f64 {
    let made = a.to_owned();
    assert!(made.len() > 2);
    made.sum()
}

struct Part<'a> {
    row: &'a mut [f64],
}

#[differentiable]
fn structs(x: &[f64]) -> f64 {
    let mut a = [x[0], x[1]];
    let mut list = Vec::new();
    list.push(Part { row: &mut a });
    for part in list {
        part.row[0] = x[1];
    }
    a[0] * a[1]
}

fn main() {}
