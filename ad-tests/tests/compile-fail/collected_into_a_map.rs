//! Maps with active values are collected and then read; they do not change, and their keys are data.

use ad_runtime::differentiable;
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[differentiable]
fn changed(x: &[f64]) -> f64 {
    let mut squares = x.iter().map(|v| v * v).enumerate().collect::<BTreeMap<usize, f64>>();
    squares.insert(3, x[0]);
    squares[&0]
}

#[differentiable]
fn without_order(x: &[f64]) -> f64 {
    let squares: HashMap<usize, f64> = x.iter().map(|v| v * v).enumerate().collect();
    squares.values().fold(0.0, |all, v| all * 0.5 + v)
}

#[differentiable]
fn of_rows(x: &[f64]) -> f64 {
    let rows: BTreeMap<usize, Vec<f64>> = x.iter().map(|v| vec![v * v, *v]).enumerate().collect();
    rows[&0][1]
}

#[differentiable]
fn set(x: &[f64]) -> f64 {
    let all: BTreeSet<u64> = x.iter().map(|v| (v * v).to_bits()).collect();
    all.len() as f64 * x[0]
}

fn main() {}
