//! Loops that count in other integers than `usize`, and in steps to an end that belongs to them, forwards and backwards.

use ad_runtime::differentiable;
use num_dual::{DualNum, HyperDual64 as H};

use super::{check, wave};

/// Rows of lanes, counted by a `u32` and by an `i64`.
#[differentiable(wrt(x))]
fn counted(x: &[f64], m: u32, n: i64) -> f64 {
    let mut sum = 0.1;
    for k in 0..m {
        sum += x[k as usize].sin();
    }
    for k in (0..n).rev() {
        sum += x[k as usize] * x[0];
    }
    sum * sum
}

#[test]
fn other_integers() {
    for (m, n) in [(0, 0), (1, 3), (5, 2)] {
        let of_duals = |x: &[H]| {
            let sines = x[..m].iter().fold(H::from(0.1), |s, x| s + x.sin());
            x[..n].iter().fold(sines, |s, v| s + *v * x[0]).powi(2)
        };
        let (first, second) = (m as u32, n as i64);
        let f = |x: &[f64]| counted(x, first, second);
        let grad = |x: &[f64], g: &mut [f64]| counted_grad(x, first, second, g);
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| counted_hvp(x, first, second, v, h);
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| counted_hvp_rev(x, first, second, v, h);
        let x = wave(6, 0.4);
        check(&format!("{m} and {n}"), &x, &f, &grad, [&hvp, &rev], &of_duals);
        // Eight directions at once.
        let (mut one, mut all) = (vec![0.0; 6], vec![[0.0; 8]; 6]);
        let directions: Vec<[f64; 8]> =
            (0..6).map(|i| std::array::from_fn(|k| wave(48, 0.9)[6 * k + i])).collect();
        counted_hvp_block(&x, first, second, &directions, &mut all);
        for k in 0..8 {
            let v: Vec<f64> = directions.iter().map(|d| d[k]).collect();
            counted_hvp(&x, first, second, &v, &mut one);
            let lane: Vec<f64> = all.iter().map(|d| d[k]).collect();
            super::close("a lane", &lane, &one, 1e-13);
        }
    }
}

/// A state that goes in steps, from one end and from the other, counted by a `usize` and by a `u64`.
#[differentiable(wrt(x))]
fn stepped(x: &[f64], n: usize, m: u64) -> f64 {
    let mut s = 1.0;
    for i in (1..=n).step_by(2) {
        s = (s * x[i]).sin() + x[i - 1];
    }
    for i in (0..=n).rev().step_by(3) {
        s = (s + x[i]).cos();
    }
    for i in (1..m).step_by(2) {
        s = (s * x[i as usize]).exp() * 0.5;
    }
    for i in (0..=6).step_by(4) {
        s += s * s * x[i];
    }
    s
}

#[test]
fn steps_to_the_end_and_back() {
    for (n, m) in [(0, 0), (1, 1), (2, 2), (5, 6), (6, 7)] {
        let of_duals = |x: &[H]| {
            let mut s = H::from(1.0);
            for i in (1..=n).step_by(2) {
                s = (s * x[i]).sin() + x[i - 1];
            }
            for i in (0..=n).rev().step_by(3) {
                s = (s + x[i]).cos();
            }
            for i in (1..m).step_by(2) {
                s = (s * x[i]).exp() * 0.5;
            }
            for i in (0..=6).step_by(4) {
                s += s * s * x[i];
            }
            s
        };
        let end = m as u64;
        let f = |x: &[f64]| stepped(x, n, end);
        let grad = |x: &[f64], g: &mut [f64]| stepped_grad(x, n, end, g);
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| stepped_hvp(x, n, end, v, h);
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| stepped_hvp_rev(x, n, end, v, h);
        check(&format!("to {n} and {m}"), &wave(7, 0.6), &f, &grad, [&hvp, &rev], &of_duals);
    }
}
