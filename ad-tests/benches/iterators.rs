//! Iterator chains against the loops that one would write instead: `cargo bench -p ad-tests --bench iterators`.
//!
//! Each pair is the same function twice; what is compared are the generated gradients and Hessian-vector products.
#![allow(missing_docs, clippy::needless_range_loop)]

use ad_runtime::differentiable;
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

#[differentiable]
fn rosenbrock_chain(x: &[f64]) -> f64 {
    x.windows(2).map(|w| 100.0 * (w[1] - w[0] * w[0]).powi(2) + (1.0 - w[0]).powi(2)).sum()
}

#[differentiable]
fn rosenbrock_loop(x: &[f64]) -> f64 {
    let mut s = 0.0;
    for i in 0..x.len() - 1 {
        s += 100.0 * (x[i + 1] - x[i] * x[i]).powi(2) + (1.0 - x[i]).powi(2);
    }
    s
}

#[differentiable(wrt(w))]
fn logistic_chain(w: &[f64], features: &[f64], labels: &[f64]) -> f64 {
    features
        .chunks_exact(w.len())
        .zip(labels)
        .map(|(row, y)| {
            let z: f64 = row.iter().zip(w).map(|(a, b)| a * b).sum();
            (1.0 + (-y * z).exp()).ln()
        })
        .sum()
}

#[differentiable(wrt(w))]
fn logistic_loop(w: &[f64], features: &[f64], labels: &[f64]) -> f64 {
    let d = w.len();
    let mut s = 0.0;
    for i in 0..features.len() / d {
        let row = &features[i * d..(i + 1) * d];
        let mut z = 0.0;
        for j in 0..d {
            z += row[j] * w[j];
        }
        s += (1.0 + (-labels[i] * z).exp()).ln();
    }
    s
}

#[differentiable]
fn pairs_chain(x: &[f64]) -> f64 {
    let n = x.len();
    (0..n)
        .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
        .map(|(i, j)| {
            let d = x[i] - x[j];
            (1.0 + d * d).recip()
        })
        .sum()
}

#[differentiable]
fn pairs_loop(x: &[f64]) -> f64 {
    let n = x.len();
    let mut s = 0.0;
    for i in 0..n {
        for j in i + 1..n {
            let d = x[i] - x[j];
            s += (1.0 + d * d).recip();
        }
    }
    s
}

fn wave(n: usize, by: f64) -> Vec<f64> {
    (0..n).map(|i| (i as f64 * by).sin()).collect()
}

type Hvp<'a> = &'a dyn Fn(&[f64], &[f64], &mut [f64]);
type Grad<'a> = &'a dyn Fn(&[f64], &mut [f64]) -> f64;

fn pair(criterion: &mut Criterion, name: &str, n: usize, grads: [Grad<'_>; 2], hvps: [Hvp<'_>; 2]) {
    let (x, v) = (wave(n, 0.37), wave(n, 0.71));
    let mut out = [vec![0.0; n], vec![0.0; n]];
    for (hvp, out) in hvps.iter().zip(&mut out) {
        hvp(&x, &v, out);
    }
    for (a, b) in out[0].iter().zip(&out[1]) {
        assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "{name}: {a} {b}");
    }
    let mut group = criterion.benchmark_group(name);
    for (k, form) in ["chain", "loop"].iter().enumerate() {
        group
            .bench_function(format!("gradient, {form}"), |b| b.iter(|| grads[k](black_box(&x), &mut out[k])));
        group.bench_function(format!("HVP, {form}"), |b| {
            b.iter(|| hvps[k](black_box(&x), black_box(&v), &mut out[k]));
        });
    }
    group.finish();
}

fn chains(criterion: &mut Criterion) {
    pair(
        criterion,
        "Rosenbrock, n = 1000: windows",
        1000,
        [&rosenbrock_chain_grad, &rosenbrock_loop_grad],
        [&rosenbrock_chain_hvp, &rosenbrock_loop_hvp],
    );
    let (features, labels) = (wave(1000 * 30, 0.13), wave(1000, 1.3));
    pair(
        criterion,
        "logistic loss, 1000 x 30: chunks_exact, zip",
        30,
        [&|w, g| logistic_chain_grad(w, &features, &labels, g), &|w, g| {
            logistic_loop_grad(w, &features, &labels, g)
        }],
        [
            &|w, v, hv| {
                logistic_chain_hvp(w, &features, &labels, v, hv);
            },
            &|w, v, hv| logistic_loop_hvp(w, &features, &labels, v, hv),
        ],
    );
    pair(
        criterion,
        "pairs, n = 128: flat_map",
        128,
        [&pairs_chain_grad, &pairs_loop_grad],
        [&pairs_chain_hvp, &pairs_loop_hvp],
    );
}

criterion_group!(benches, chains);
criterion_main!(benches);
