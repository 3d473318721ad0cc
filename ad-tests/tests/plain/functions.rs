//! Functions that are annotated twice: this file is a module of two others, each of which says what `differentiable` is.

use std::cell::Cell;

use super::differentiable;

#[differentiable]
pub fn scalars(x: f64, y: f64) -> f64 {
    x * x * y + (x * y).sin() / (1.0 + y * y)
}

#[differentiable(wrt(w))]
pub fn logistic(w: &[f64], rows: &[f64], labels: &[f64], l2: f64) -> f64 {
    let n = w.len();
    let mut loss = 0.0;
    for (i, label) in labels.iter().enumerate() {
        let mut z = 0.0;
        for j in 0..n {
            z += rows[i * n + j] * w[j];
        }
        loss += (-label * z).exp().ln_1p();
    }
    for weight in w {
        loss += l2 * weight * weight;
    }
    loss
}

/// A state, and what the reversal keeps of it.
#[differentiable(wrt(p, start))]
pub fn filter(p: &[f64], start: f64, seen: &[f64]) -> f64 {
    let (mut mean, mut variance) = (start, 1.0);
    let mut value = 0.0;
    for y in seen {
        mean = p[0] * mean.sin();
        variance = p[0] * p[0] * variance + p[1].exp();
        let s = variance + p[2].exp();
        let e = y - mean;
        let gain = variance / s;
        mean += gain * e;
        variance *= 1.0 - gain;
        value += 0.5 * (s.ln() + e * e / s);
    }
    value
}

/// Memory that is written again, and a maximum.
#[differentiable]
pub fn softmax(x: &[f64]) -> f64 {
    let mut hidden = vec![0.0; x.len()];
    for i in 0..x.len() {
        hidden[i] = x[i] * x[(i + 1) % x.len()];
    }
    let mut largest = hidden[0];
    for h in &hidden {
        if *h > largest {
            largest = *h;
        }
    }
    let mut sum = 0.0;
    for h in &hidden {
        sum += (h - largest).exp();
    }
    largest + sum.ln()
}

#[differentiable]
pub fn arrays(a: [f64; 3], b: &[f64; 2], c: f64) -> f64 {
    let mut sum = c * b[0].tanh();
    for i in 0..3 {
        sum += a[i] * a[(i + 1) % 3] * b[1];
    }
    sum * c
}

#[differentiable(wrt(v))]
pub fn vectors(v: &Vec<f64>, offset: Vec<f64>) -> f64 {
    let mut sum = 0.0;
    for (x, o) in v.iter().zip(&offset) {
        sum += (x - o).powi(3) * x.exp();
    }
    sum
}

#[differentiable]
pub fn singles(x: &[f32]) -> f32 {
    x.iter().map(|v| v.sin() * v * v).sum()
}

#[differentiable]
pub fn sized<const N: usize>(x: &[f64; N]) -> f64 {
    let mut product = 1.0;
    for v in x {
        product *= 1.0 + v * v;
    }
    product
}

#[differentiable]
pub fn borrowed<'a>(x: &'a [f64], y: &'a [f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| (a * b).cosh()).sum()
}

/// Called by the next.
#[differentiable]
pub fn distance(a: &[f64], scale: f64, shift: [f64; 2]) -> f64 {
    ((a[0] - shift[0]).powi(2) + (a[1] - shift[1]).powi(2) + scale * scale).sqrt()
}

#[differentiable]
pub fn caller(x: &[f64]) -> f64 {
    let mut sum = 0.0;
    for i in 0..x.len() - 2 {
        sum += distance(&x[i..i + 2], x[i] * x[i + 2], [x[0], 0.5]);
    }
    sum
}

/// Data between what is active, and a vector that the next has not.
#[differentiable(wrt(a, s, c))]
pub fn weighted(a: &[f64], data: &[f64], s: f64, k: usize, c: &[f64], shift: f64) -> f64 {
    let mut sum = shift;
    for i in 0..k {
        sum += (a[i] * data[i] - s * c[i]).powi(2) * c[i].exp();
    }
    sum * s
}

#[differentiable(wrt(x))]
pub fn mixed_caller(x: &[f64], data: &[f64]) -> f64 {
    let mut sum = 0.0;
    for i in 0..2 {
        sum += weighted(&x[i..], data, x[i] * x[1], 3, data, 0.5).sin();
        sum += weighted(data, data, 0.7, i + 1, x, 0.1) * x[2];
        sum += weighted(x, data, 1.0 + x[0], 2, x, 0.1);
    }
    sum
}

fn note(seen: &Cell<u32>, by: u32) {
    seen.set(seen.get() + by);
}

fn drawn(seen: &Cell<u32>) -> f64 {
    note(seen, 1);
    f64::from(seen.get() % 7)
}

/// Does something beside computing.
#[differentiable(wrt(x))]
pub fn noted(x: &[f64], seen: &Cell<u32>) -> f64 {
    let mut sum = 0.0;
    for v in x {
        sum += v * v * v;
        note(seen, 1);
    }
    sum
}

/// Calls what does.
#[differentiable(wrt(x))]
pub fn noted_by_another(x: &[f64], seen: &Cell<u32>) -> f64 {
    noted(x, seen) * x[0]
}

/// Data that is another each time.
#[differentiable(wrt(x))]
pub fn sampled(x: &[f64], seen: &Cell<u32>) -> f64 {
    let weight = drawn(seen);
    x[0] * x[0] * weight + x[1] * x[0]
}

/// `None` where there is no value.
#[differentiable]
pub fn tried(x: f64, y: f64) -> Option<f64> {
    if y <= 0.0 {
        return None;
    }
    Some(x * y.ln() + x * x)
}

pub struct Spring {
    pub stiffness: f64,
    pub rest: Vec<f64>,
}

impl Spring {
    #[differentiable(wrt(x))]
    pub fn energy(&self, x: &[f64]) -> f64 {
        let mut sum = 0.0;
        for (v, r) in x.iter().zip(&self.rest) {
            sum += self.stiffness * (v - r).powi(2) * v;
        }
        sum
    }
}

#[differentiable(wrt(start), checkpoint)]
pub fn long(start: f64, steps: usize) -> f64 {
    let mut x = start;
    for _ in 0..steps {
        x = x + 0.01 * x.sin();
    }
    x * x
}

/// Names that code which calls others takes gladly.
pub mod named {
    #![allow(non_upper_case_globals)]
    use super::super::differentiable;

    const value: f64 = 2.0;
    static slope: f64 = 0.5;
    static product: f64 = 1.5;
    static x_dot: f64 = 0.25;

    #[differentiable]
    pub fn said(x: &[f64], y: f64) -> f64 {
        let mut sum = slope * y;
        for v in x {
            sum += value * v * v * y + x_dot * v.sin();
        }
        sum * product
    }

    #[differentiable]
    pub fn said_by_another(x: &[f64]) -> f64 {
        said(x, x[0]) * x[1]
    }
}
