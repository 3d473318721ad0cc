//! A network written with `ndarray`: generated gradients and Hessian-vector products against those written by hand with
//! `ndarray`: `cargo bench -p ad-tests --bench arrays`.
#![allow(missing_docs)]

use ad_runtime::differentiable;
use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::linalg::general_mat_mul as gemm;
use ndarray::{Array1, Array2, Axis, Zip};
use std::hint::black_box;

/// Two layers, ‖tanh(X·W₁ + b₁)·W₂ - Y‖²/n.
#[differentiable(wrt(w1, b1, w2), only(grad, hvp, grad_hvp))]
fn network(w1: &Array2<f64>, b1: &Array1<f64>, w2: &Array2<f64>, x: &Array2<f64>, y: &Array2<f64>) -> f64 {
    let hidden = (x.dot(w1) + b1).mapv(f64::tanh);
    let error = hidden.dot(w2) - y;
    error.mapv(|e| e * e).sum() / x.nrows() as f64
}

/// Parameters, directions, derivatives.
#[derive(Clone)]
struct Weights {
    w1: Array2<f64>,
    b1: Array1<f64>,
    w2: Array2<f64>,
}

/// The gradient as one would write it.
fn by_hand_grad(w: &Weights, x: &Array2<f64>, y: &Array2<f64>, out: &mut Weights) -> f64 {
    let scale = 2.0 / x.nrows() as f64;
    let mut h = x.dot(&w.w1);
    h += &w.b1;
    h.mapv_inplace(f64::tanh);
    let mut e = h.dot(&w.w2);
    e -= y;
    let value = e.iter().map(|e| e * e).sum::<f64>() / x.nrows() as f64;
    e *= scale;
    let mut z_bar = e.dot(&w.w2.t());
    z_bar.zip_mut_with(&h, |z, h| *z *= 1.0 - h * h);
    gemm(1.0, &x.t(), &z_bar, 0.0, &mut out.w1);
    out.b1.assign(&z_bar.sum_axis(Axis(0)));
    gemm(1.0, &h.t(), &e, 0.0, &mut out.w2);
    value
}

/// The Hessian-vector product as one would write it.
fn by_hand_hvp(w: &Weights, x: &Array2<f64>, y: &Array2<f64>, v: &Weights, out: &mut Weights) {
    let scale = 2.0 / x.nrows() as f64;
    let mut h = x.dot(&w.w1);
    h += &w.b1;
    h.mapv_inplace(f64::tanh);
    let mut e = h.dot(&w.w2);
    e -= y;
    e *= scale;
    let mut h_dot = x.dot(&v.w1);
    h_dot += &v.b1;
    h_dot.zip_mut_with(&h, |z, h| *z *= 1.0 - h * h);
    let mut e_dot = h_dot.dot(&w.w2);
    gemm(scale, &h, &v.w2, scale, &mut e_dot);
    let h_bar = e.dot(&w.w2.t());
    let mut z_bar_dot = e_dot.dot(&w.w2.t());
    gemm(1.0, &e, &v.w2.t(), 1.0, &mut z_bar_dot);
    Zip::from(&mut z_bar_dot).and(&h).and(&h_dot).and(&h_bar).for_each(|z, h, h_dot, h_bar| {
        *z = *z * (1.0 - h * h) - 2.0 * h_bar * h * h_dot;
    });
    gemm(1.0, &x.t(), &z_bar_dot, 0.0, &mut out.w1);
    out.b1.assign(&z_bar_dot.sum_axis(Axis(0)));
    gemm(1.0, &h_dot.t(), &e, 0.0, &mut out.w2);
    gemm(1.0, &h.t(), &e_dot, 1.0, &mut out.w2);
}

/// Some fixed numbers without relations among them.
fn matrix(seed: usize, n: usize, m: usize) -> Array2<f64> {
    let number = |i: usize| ((seed * 131 + i * 17 + 5) as f64 * 0.754_877_666).fract() * 2.0 - 1.0;
    Array2::from_shape_fn((n, m), |(i, j)| number(i * m + j) / (n as f64).sqrt())
}

fn weights(seed: usize, inputs: usize, width: usize, outputs: usize) -> Weights {
    Weights {
        w1: matrix(seed, inputs, width),
        b1: matrix(seed + 1, 1, width).row(0).to_owned(),
        w2: matrix(seed + 2, width, outputs),
    }
}

fn networks(criterion: &mut Criterion) {
    for (n, inputs, width, outputs) in [(16, 8, 16, 4), (64, 32, 64, 8), (256, 128, 256, 10)] {
        let (x, y) = (matrix(1, n, inputs), matrix(2, n, outputs));
        let (w, v) = (weights(3, inputs, width, outputs), weights(6, inputs, width, outputs));
        let (mut by_hand, mut made) = (w.clone(), w.clone());
        by_hand_hvp(&w, &x, &y, &v, &mut by_hand);
        let hvp = |out: &mut Weights| {
            network_hvp(
                &w.w1,
                &w.b1,
                &w.w2,
                &x,
                &y,
                &v.w1,
                &v.b1,
                &v.w2,
                &mut out.w1,
                &mut out.b1,
                &mut out.w2,
            );
        };
        hvp(&mut made);
        let differ =
            (&by_hand.w1 - &made.w1).iter().chain(&(&by_hand.w2 - &made.w2)).any(|d| d.abs() > 1e-12);
        assert!(!differ, "both are the same product");
        let mut group = criterion.benchmark_group(format!("network of {n} by {inputs}, {width}, {outputs}"));
        group.bench_function("value", |b| b.iter(|| network(&w.w1, &w.b1, &w.w2, black_box(&x), &y)));
        group.bench_function("gradient, generated", |b| {
            b.iter(|| {
                let out = &mut made;
                network_grad(&w.w1, &w.b1, &w.w2, black_box(&x), &y, &mut out.w1, &mut out.b1, &mut out.w2)
            });
        });
        group.bench_function("gradient, by hand", |b| {
            b.iter(|| by_hand_grad(&w, black_box(&x), &y, &mut by_hand));
        });
        group.bench_function("product, generated", |b| b.iter(|| hvp(black_box(&mut made))));
        group.bench_function("product, by hand", |b| {
            b.iter(|| by_hand_hvp(&w, black_box(&x), &y, &v, &mut by_hand));
        });
        group.finish();
    }
}

criterion_group!(benches, networks);
criterion_main!(benches);
