//! Rows of triangles, packed one behind the other, in loops that run often: their running index, the rows that lie beside the inner loop,
//! and inner loops that add to several vectors. Against hyper-dual numbers, and rows that are too short, which panic.

use std::panic::catch_unwind;

use ad_runtime::differentiable;
use num_dual::HyperDual64 as H;

use super::{check, wave};

/// Squared lengths of `L (y - m)`, for each point and each of the triangles `L`; what lies on the diagonal has a vector of its own.
#[differentiable(wrt(x))]
fn distances(x: &[f64], points: &[f64], d: usize, k: usize) -> f64 {
    let packed = d * (d + 1) / 2;
    let means = &x[..k * d];
    let triangles = &x[k * d..k * d + k * packed];
    let scales = &x[k * d + k * packed..];
    let mut apart = vec![0.0; d];
    let mut sum = 0.0;
    for y in points.chunks_exact(d) {
        for c in 0..k {
            for j in 0..d {
                apart[j] = y[j] - means[c * d + j];
            }
            let mut at = c * packed;
            let mut square = 0.3;
            for r in 0..d {
                let mut t = scales[c * d + r] * apart[r];
                for j in 0..=r {
                    t += triangles[at] * apart[j];
                    at += 1;
                }
                square += t * t;
            }
            sum += square.ln();
        }
    }
    sum
}

#[test]
fn triangles_that_are_packed() {
    for (n, d, k) in [(0, 3, 2), (1, 1, 1), (2, 2, 3), (4, 5, 2)] {
        let packed = d * (d + 1) / 2;
        let points = wave(n * d, 0.7);
        let of_duals = |x: &[H]| {
            let (means, rest) = x.split_at(k * d);
            let (triangles, scales) = rest.split_at(k * packed);
            let mut sum = H::from(0.0);
            for y in points.chunks_exact(d) {
                for c in 0..k {
                    let apart: Vec<H> = (0..d).map(|j| -means[c * d + j] + y[j]).collect();
                    let mut square = H::from(0.3);
                    for r in 0..d {
                        let row = &triangles[c * packed + r * (r + 1) / 2..][..=r];
                        let t = row
                            .iter()
                            .zip(&apart)
                            .fold(scales[c * d + r] * apart[r], |t, (l, y)| t + *l * *y);
                        square += t * t;
                    }
                    sum += num_dual::DualNum::ln(&square);
                }
            }
            sum
        };
        let f = |x: &[f64]| distances(x, &points, d, k);
        let grad = |x: &[f64], g: &mut [f64]| distances_grad(x, &points, d, k, g);
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| distances_hvp(x, &points, d, k, v, h);
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| distances_hvp_rev(x, &points, d, k, v, h);
        let x = wave(k * d + k * packed + k * d, 0.4);
        check(&format!("{n}, {d}, {k}"), &x, &f, &grad, [&hvp, &rev], &of_duals);
    }
}

/// The triangular number is itself a factor, of `u32`; two vectors are added to, of which one is written in the next round's order, and
/// a third that both read.
#[differentiable(wrt(x))]
fn weighed(x: &[f64], rounds: u32, n: usize) -> f64 {
    let (mut a, mut b) = (vec![0.1; n], vec![0.2; n]);
    let mut sum = 0.0;
    for t in 0..rounds {
        let weight = ((t * t - t) / 2) as f64 + 1.0;
        for i in 0..n {
            a[i] += weight * x[i];
            b[i] += x[n + i] * x[n + i];
        }
        for i in 0..n {
            sum += a[i] * a[i] * b[i];
        }
    }
    sum
}

#[test]
fn triangular_numbers_and_vectors_that_are_apart() {
    for (rounds, n) in [(0, 2), (1, 1), (4, 3), (3, 0)] {
        let of_duals = |x: &[H]| {
            let (mut a, mut b) = (vec![H::from(0.1); n], vec![H::from(0.2); n]);
            let mut sum = H::from(0.0);
            for t in 0..rounds {
                for i in 0..n {
                    a[i] += x[i] * f64::from((0..t).sum::<u32>() + 1);
                    b[i] += x[n + i] * x[n + i];
                    sum += a[i] * a[i] * b[i];
                }
            }
            sum
        };
        let f = |x: &[f64]| weighed(x, rounds, n);
        let grad = |x: &[f64], g: &mut [f64]| weighed_grad(x, rounds, n, g);
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| weighed_hvp(x, rounds, n, v, h);
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| weighed_hvp_rev(x, rounds, n, v, h);
        let x = wave(2 * n, 0.5);
        check(&format!("{rounds}, {n}"), &x, &f, &grad, [&hvp, &rev], &of_duals);
    }
}

/// A place beside an inner loop, of more rows than there are.
#[differentiable(wrt(x))]
fn beside(x: &[f64], scales: &[f64], times: usize, rows: usize, n: usize) -> f64 {
    let mut sum = 0.0;
    for _ in 0..times {
        for r in 0..rows {
            let mut t = 0.0;
            for j in 0..n {
                t += x[r * n + j] * x[j];
            }
            sum += scales[r] * t * t;
        }
    }
    sum
}

#[test]
fn rows_that_are_too_short() {
    let (x, v) = (wave(6, 0.3), wave(6, 0.8));
    let panics = |scales: &[f64], times: usize| {
        let run = |f: &mut dyn FnMut()| catch_unwind(std::panic::AssertUnwindSafe(f)).is_err();
        let (mut g, mut h) = (vec![0.0; 6], vec![0.0; 6]);
        [
            run(&mut || assert!(beside(&x, scales, times, 3, 2).is_finite())),
            run(&mut || assert!(beside_grad(&x, scales, times, 3, 2, &mut g).is_finite())),
            run(&mut || beside_hvp(&x, scales, times, 3, 2, &v, &mut h)),
        ]
    };
    assert_eq!(panics(&[1.0, 2.0], 2), [true; 3]);
    assert_eq!(panics(&[1.0, 2.0], 0), [false; 3]);
    assert_eq!(panics(&[1.0, 2.0, 3.0], 2), [false; 3]);
}

/// Triangular numbers of a type that only the range tells, which wraps around in the square.
#[differentiable(wrt(x))]
fn of_other_integers(x: &[f64], from: &[f64], n: u8) -> f64 {
    let mut sum = 0.0;
    for t in 0..n {
        let k = (t.wrapping_mul(t) - t) / 2;
        let l = (t * t - t) / 2;
        sum += from[usize::from(k)] * x[0] * x[0] * l.pow(2) as f64;
    }
    sum
}

#[test]
fn triangular_numbers_of_other_integers() {
    let from = wave(16, 0.5);
    let x = [0.7];
    for n in [0, 1, 5] {
        let of = |t: usize| t * t.saturating_sub(1) / 2;
        let factor: f64 = (0..usize::from(n)).map(|t| from[of(t)] * (of(t) as f64).powi(2)).sum();
        let (mut g, mut h) = ([0.0], [0.0]);
        let value = of_other_integers_grad(&x, &from, n, &mut g);
        assert_eq!(value.to_bits(), of_other_integers(&x, &from, n).to_bits());
        of_other_integers_hvp(&x, &from, n, &[1.0], &mut h);
        super::close("gradient", &g, &[1.4 * factor], 1e-13);
        super::close("product", &h, &[2.0 * factor], 1e-13);
    }
}

thread_local! {
    static DRAWN: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Another number each time.
fn drawn() -> f64 {
    f64::from(DRAWN.replace(DRAWN.get() + 1)).sin()
}

/// Two vectors are added to, by one number that is drawn.
#[differentiable(wrt(x))]
fn with_noise(x: &[f64], n: usize, y: &mut [f64]) {
    let (mut a, mut b) = (vec![0.5; n], vec![0.25; n]);
    for i in 0..n {
        let w = drawn();
        a[i] += w * x[i];
        b[i] += w * x[n + i];
    }
    for i in 0..n {
        y[i] = a[i] * b[i];
    }
}

#[test]
fn what_is_drawn_is_drawn_once() {
    let n = 7;
    let (x, v) = (wave(2 * n, 0.1), wave(2 * n, 0.6));
    let (mut y, mut y_dot) = (vec![0.0; n], vec![0.0; n]);
    DRAWN.set(1);
    with_noise_jvp(&x, n, &v, &mut y, &mut y_dot);
    assert_eq!(DRAWN.get(), 1 + n as u32);
    let w = |i: usize| (1.0 + i as f64).sin();
    let parts = |i: usize| (0.5 + w(i) * x[i], 0.25 + w(i) * x[n + i]);
    let values: Vec<f64> = (0..n).map(|i| parts(i).0 * parts(i).1).collect();
    let slopes: Vec<f64> = (0..n).map(|i| w(i) * (v[i] * parts(i).1 + parts(i).0 * v[n + i])).collect();
    super::close("value", &y, &values, 1e-14);
    super::close("slope", &y_dot, &slopes, 1e-14);
}

/// A number is drawn for each vector.
#[differentiable(wrt(x))]
fn with_two_noises(x: &[f64], n: usize, y: &mut [f64]) {
    let (mut a, mut b) = (vec![0.5; n], vec![0.25; n]);
    for i in 0..n {
        a[i] += drawn() * x[i];
        b[i] += drawn() * x[n + i];
    }
    for i in 0..n {
        y[i] = a[i] * b[i];
    }
}

#[test]
fn what_is_drawn_is_drawn_in_order() {
    let n = 7;
    let (x, v) = (wave(2 * n, 0.1), wave(2 * n, 0.6));
    let (mut y, mut y_dot, mut wanted) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    DRAWN.set(1);
    with_two_noises_jvp(&x, n, &v, &mut y, &mut y_dot);
    DRAWN.set(1);
    with_two_noises(&x, n, &mut wanted);
    assert_eq!(y, wanted);
}
