//! Data that the macro does not look into may change in statements of its own, not beside active values.

use ad_runtime::differentiable;
use std::collections::{BTreeMap, HashSet};

#[derive(Clone)]
struct Generator(u64);
impl Generator {
    fn step(&mut self) {
        self.0 += 1;
    }
    fn unit(&self) -> f64 {
        self.0 as f64
    }
}

#[differentiable(wrt(x))]
fn once(x: &[f64], ids: &[usize]) -> f64 {
    let mut seen = HashSet::new();
    let mut s = 0.0;
    for k in ids {
        if seen.insert(*k) {
            s += x[*k];
        }
    }
    s
}

#[differentiable(wrt(x))]
fn noisy(x: &[f64]) -> f64 {
    let mut random = Generator(1);
    let mut s = 0.0;
    for v in x {
        s += v * random.unit();
        random.step()
    }
    s
}

#[differentiable(wrt(x))]
fn emptied(x: &[f64], ids: &[usize]) -> f64 {
    let mut left: BTreeMap<usize, f64> = ids.iter().map(|k| (*k, 1.0)).collect();
    let mut s = 0.0;
    while let Some((k, w)) = left.pop_first() {
        s += w * x[k];
    }
    s
}

#[differentiable(wrt(x))]
fn noted(x: &[f64]) -> f64 {
    let mut random = Generator(1);
    let mut s = 0.0;
    for (k, v) in x.iter().enumerate() {
        if k > 1 {
            random.step()
        }
        match k {
            0 => random.step(),
            _ => {}
        }
        s += v * random.unit();
    }
    s
}

fn main() {}
