//! Hessian-vector products, generated and by hand, in one run: `cargo bench -p ad-tests`.
#![allow(missing_docs)]

use ad_runtime::differentiable;
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

#[differentiable]
fn rosenbrock(x: &[f64]) -> f64 {
    let mut s = 0.0;
    for i in 0..x.len() - 1 {
        let t = x[i + 1] - x[i] * x[i];
        let u = 1.0 - x[i];
        s += 100.0 * t * t + u * u;
    }
    s
}

/// The tridiagonal Hessian times v, as one writes it by hand.
fn rosenbrock_hvp_by_hand(x: &[f64], v: &[f64], hv: &mut [f64]) {
    let n = x.len();
    for i in 0..n {
        let mut h = 0.0;
        if i + 1 < n {
            h += (1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0) * v[i] - 400.0 * x[i] * v[i + 1];
        }
        if i > 0 {
            h += 200.0 * v[i] - 400.0 * x[i - 1] * v[i - 1];
        }
        hv[i] = h;
    }
}

fn products(criterion: &mut Criterion) {
    let n = 1000;
    let x: Vec<f64> = (0..n).map(|i| (f64::from(i) * 0.37).sin()).collect();
    let v: Vec<f64> = (0..n).map(|i| (f64::from(i) * 0.71).cos()).collect();
    let (mut hv, mut by_hand) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    rosenbrock_hvp(&x, &v, &mut hv);
    rosenbrock_hvp_by_hand(&x, &v, &mut by_hand);
    for (a, b) in hv.iter().zip(&by_hand) {
        assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "{a} {b}");
    }
    let mut group = criterion.benchmark_group("chained Rosenbrock, n = 1000");
    group.bench_function("primal", |b| b.iter(|| rosenbrock(black_box(&x))));
    group.bench_function("gradient", |b| b.iter(|| rosenbrock_grad(black_box(&x), &mut hv)));
    group.bench_function("HVP", |b| b.iter(|| rosenbrock_hvp(black_box(&x), black_box(&v), &mut hv)));
    group.bench_function("HVP by hand", |b| {
        b.iter(|| rosenbrock_hvp_by_hand(black_box(&x), black_box(&v), &mut by_hand));
    });
    group.finish();
}

criterion_group!(benches, products);
criterion_main!(benches);
