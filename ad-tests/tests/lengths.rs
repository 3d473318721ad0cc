//! Loops that run side by side, in lanes or in split sums, at every length: no rounds, fewer than a block, whole blocks, and
//! blocks with rounds left over; against hyper-dual numbers.
#![allow(clippy::needless_range_loop, missing_docs)]

use ad_runtime::differentiable;
use num_dual::{DualNum, HyperDual64 as H};

/// A dot product for each row: light sums of derivatives alone.
#[differentiable(wrt(w))]
fn rows(w: &[f64], features: &[f64], labels: &[f64]) -> f64 {
    let n = w.len();
    let mut loss = 0.0;
    for (i, label) in labels.iter().enumerate() {
        let mut z = 0.0;
        for j in 0..n {
            z += features[i * n + j] * w[j];
        }
        loss += (label * z).sin();
    }
    loss
}

fn rows_ref(w: &[H], features: &[f64], labels: &[f64]) -> H {
    let dot = |row: &[f64]| w.iter().zip(row).fold(H::from(0.0), |z, (w, x)| z + *w * *x);
    let n = w.len();
    labels.iter().enumerate().fold(H::from(0.0), |s, (i, y)| s + (dot(&features[i * n..][..n]) * *y).sin())
}

/// Heavy rounds, at places three apart that share their windows.
#[differentiable]
fn pairs(q: &[f64]) -> f64 {
    let n = q.len() / 3;
    let mut energy = 0.0;
    for i in 0..n {
        for j in i + 1..n {
            let dx = q[3 * i] - q[3 * j];
            let dy = q[3 * i + 1] - q[3 * j + 1];
            let dz = q[3 * i + 2] - q[3 * j + 2];
            let s = 1.0 / (1.0 + dx * dx + dy * dy + dz * dz);
            let s3 = s * s * s;
            energy += 4.0 * (s3 * s3 - s3) + (dx * dy).exp() * s;
        }
    }
    energy
}

fn pairs_ref(q: &[H]) -> H {
    let mut energy = H::from(0.0);
    for (i, a) in q.chunks_exact(3).enumerate() {
        for b in q[3 * i + 3..].chunks_exact(3) {
            let d = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
            let s = H::from(1.0) / (d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + 1.0);
            let s3 = s * s * s;
            energy += (s3 * s3 - s3) * 4.0 + (d[0] * d[1]).exp() * s;
        }
    }
    energy
}

/// Neighbours of a chain that the last round reads beyond its own place, and three sums at once.
#[differentiable]
fn chain(x: &[f64]) -> f64 {
    let mut bends = 0.0;
    let mut stretch = 0.0;
    for i in 1..x.len().max(2) - 1 {
        let bend = x[i - 1] - 2.0 * x[i] + x[i + 1];
        let step = x[i + 1] - x[i];
        bends += (bend * bend + 1.0).sqrt() * (1.0 + step * step).ln() + (step * bend).sin() * step.exp();
        stretch += step * step * x[i];
    }
    bends * stretch
}

fn chain_ref(x: &[H]) -> H {
    let (mut bends, mut stretch) = (H::from(0.0), H::from(0.0));
    for w in x.windows(3) {
        let (bend, step) = (w[0] - w[1] * 2.0 + w[2], w[2] - w[1]);
        bends += (bend * bend + 1.0).sqrt() * (step * step + 1.0).ln() + (step * bend).sin() * step.exp();
        stretch += step * step * w[1];
    }
    bends * stretch
}

fn wave(n: usize, phase: f64) -> Vec<f64> {
    (0..n).map(|i| (1.7 * i as f64 + phase).sin()).collect()
}

/// Gradient and product of `f` at `x` along `v`, by hyper-dual numbers.
fn reference(f: impl Fn(&[H]) -> H, x: &[f64], v: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let along = |i: usize| {
        let one = |k: usize| if k == i { 1.0 } else { 0.0 };
        f(&(0..x.len()).map(|k| H::new(x[k], one(k), v[k], 0.0)).collect::<Vec<_>>())
    };
    (0..x.len()).map(along).map(|y| (y.eps1, y.eps1eps2)).unzip()
}

fn close(what: &str, found: &[f64], wanted: &[f64]) {
    let scale = wanted.iter().fold(1.0_f64, |m, w| m.max(w.abs()));
    for (i, (a, b)) in found.iter().zip(wanted).enumerate() {
        assert!((a - b).abs() <= 1e-12 * scale, "{what}: component {i} is {a}, expected {b}");
    }
}

#[test]
fn sums_of_every_length() {
    for n in 0..70 {
        let (w, v, x, y) = (wave(n, 0.3), wave(n, 1.0), wave(3 * n, 0.1), wave(3, 0.7));
        let (g_ref, h_ref) = reference(|w| rows_ref(w, &x, &y), &w, &v);
        let (mut g, mut h) = (vec![9.0; n], vec![9.0; n]);
        let value = rows_grad(&w, &x, &y, &mut g);
        assert_eq!(value.to_bits(), rows(&w, &x, &y).to_bits());
        rows_hvp(&w, &x, &y, &v, &mut h);
        close(&format!("gradient, {n}"), &g, &g_ref);
        close(&format!("product, {n}"), &h, &h_ref);
    }
}

#[test]
fn pairs_of_every_number() {
    for n in (0..44).chain([67, 75]) {
        let (q, v) = (wave(3 * n, 0.2), wave(3 * n, 1.1));
        let (g_ref, h_ref) = reference(pairs_ref, &q, &v);
        let (mut g, mut h) = (vec![9.0; 3 * n], vec![9.0; 3 * n]);
        let value = pairs_grad(&q, &mut g);
        assert_eq!(value.to_bits(), pairs(&q).to_bits());
        close(&format!("gradient, {n}"), &g, &g_ref);
        pairs_hvp(&q, &v, &mut h);
        close(&format!("product, {n}"), &h, &h_ref);
        let value = pairs_grad_hvp(&q, &v, &mut g, &mut h);
        assert_eq!(value.to_bits(), pairs(&q).to_bits());
        close(&format!("gradient with product, {n}"), &g, &g_ref);
        close(&format!("product with gradient, {n}"), &h, &h_ref);
    }
}

#[test]
fn chains_of_every_length() {
    for n in 0..75 {
        let (x, v) = (wave(n, 0.4), wave(n, 1.2));
        let (g_ref, h_ref) = reference(chain_ref, &x, &v);
        let (mut g, mut h) = (vec![9.0; n], vec![9.0; n]);
        let value = chain_grad(&x, &mut g);
        assert_eq!(value.to_bits(), chain(&x).to_bits());
        close(&format!("gradient, {n}"), &g, &g_ref);
        chain_hvp(&x, &v, &mut h);
        close(&format!("product, {n}"), &h, &h_ref);
    }
}

/// A sum that a comparison decides by is rounded as in the function: here it is zero in its order, and not in another.
#[differentiable(wrt(w))]
fn hinge(w: &[f64], features: &[f64]) -> f64 {
    let mut z = 0.0;
    for j in 0..w.len() {
        z += features[j] * w[j];
    }
    if z > 0.0 { 3.0 * z * z } else { z * z }
}

#[test]
fn branches_are_taken_as_the_function_takes_them() {
    let n = 32;
    let mut features = vec![0.0; n];
    // In order: ((1e16 + 1) - 1e16) - .. is 0 since 1e16 + 1 is 1e16; in lanes the 1 survives.
    (features[0], features[1], features[8]) = (1e16, 1.0, -1e16);
    let (w, v) = (vec![1.0; n], wave(n, 0.3));
    let z = features.iter().fold(0.0, |z: f64, x| z + x);
    assert_eq!(z, 0.0);
    let mut h = vec![9.0; n];
    hinge_hvp(&w, &features, &v, &mut h);
    let slope: f64 = features.iter().zip(&v).map(|(x, v)| x * v).sum();
    let wanted: Vec<f64> = features.iter().map(|x| 2.0 * slope * x).collect();
    let scale = wanted.iter().fold(1.0_f64, |m, w| m.max(w.abs()));
    for (a, b) in h.iter().zip(&wanted) {
        assert!((a - b).abs() <= 1e-12 * scale, "{a} {b}");
    }
}

/// The same of a jump that is no comparison.
#[differentiable(wrt(w))]
fn signed(w: &[f64], features: &[f64]) -> f64 {
    let mut z = 0.0;
    for j in 0..w.len() {
        z += features[j] * w[j];
    }
    let mut squares = 0.0;
    for v in w {
        squares += v * v;
    }
    z.signum() * squares
}

#[test]
fn jumps_are_on_the_side_where_the_function_has_them() {
    let n = 32;
    let mut features = vec![0.0; n];
    (features[0], features[1], features[8]) = (1e16, -1.0, -1e16);
    let (w, v) = (vec![1.0; n], wave(n, 0.3));
    assert_eq!(signed(&w, &features), n as f64);
    let mut h = vec![9.0; n];
    signed_hvp(&w, &features, &v, &mut h);
    for (a, b) in h.iter().zip(&v) {
        assert_eq!(*a, 2.0 * b);
    }
}
