//! Places of a vector that are looked up, a literal apart, which are checked together; what lies between two branches on one condition;
//! and sums whose terms have signs: against hyper-dual numbers, and functions that ask for too much, which panic.

use std::panic::catch_unwind;

use ad_runtime::differentiable;
use num_dual::{DualNum, HyperDual64 as H};

use super::{check, wave};

/// Each point is turned about a frame's axis and seen by it; frames and points are looked up, and both may be the same place twice
/// running. The frame's places are a slice that the user asks for, the point's are not; a small angle takes the other branch.
#[differentiable(wrt(x))]
fn sighted(x: &[f64], frames: usize, pairs: &[(usize, usize)], seen: &[f64]) -> f64 {
    let mut loss = 0.0;
    for (k, &(frame, point)) in pairs.iter().enumerate() {
        let c = &x[5 * frame..5 * frame + 5];
        let at = 5 * frames + 3 * point;
        let t = c[0] * c[0] + c[1] * c[1] + c[2] * c[2];
        let (rx, ry, rz) = if t > 1e-3 {
            let angle = t.sqrt();
            let (sin, cos) = angle.sin_cos();
            let (wx, wy, wz) = (c[0] / angle, c[1] / angle, c[2] / angle);
            let along = (wx * x[at] + wy * x[at + 1] + wz * x[at + 2]) * (1.0 - cos);
            (
                x[at] * cos + (wy * x[at + 2] - wz * x[at + 1]) * sin + wx * along,
                x[at + 1] * cos + (wz * x[at] - wx * x[at + 2]) * sin + wy * along,
                x[at + 2] * cos + (wx * x[at + 1] - wy * x[at]) * sin + wz * along,
            )
        } else {
            (
                x[at] + c[1] * x[at + 2] - c[2] * x[at + 1],
                x[at + 1] + c[2] * x[at] - c[0] * x[at + 2],
                x[at + 2] + c[0] * x[at + 1] - c[1] * x[at],
            )
        };
        let depth = rz + c[3] + 4.0;
        let (u, v) = (rx / depth, ry / depth);
        let e = c[4] * (u * u + v * v) - seen[k];
        loss += e * e;
    }
    loss
}

#[test]
fn points_that_are_looked_up() {
    let (frames, points) = (2, 3);
    for rounds in [0, 1, 2, 9] {
        let pairs: Vec<_> = (0..rounds).map(|k| ((k / 2) % frames, (2 * k / 3) % points)).collect();
        let seen = wave(rounds, 0.4);
        let mut x = wave(5 * frames + 3 * points, 0.3);
        // The other branch.
        x[5..8].copy_from_slice(&[0.01, -0.02, 0.005]);
        let of_duals = |x: &[H]| {
            let mut loss = H::from(0.0);
            for (k, &(frame, point)) in pairs.iter().enumerate() {
                let (c, p) = (&x[5 * frame..], &x[5 * frames + 3 * point..]);
                let cross = |w: [H; 3]| {
                    [w[1] * p[2] - w[2] * p[1], w[2] * p[0] - w[0] * p[2], w[0] * p[1] - w[1] * p[0]]
                };
                let w = [c[0], c[1], c[2]];
                let t = w[0] * w[0] + w[1] * w[1] + w[2] * w[2];
                let r: [H; 3] = if t.re > 1e-3 {
                    let angle = t.sqrt();
                    let w = w.map(|w| w / angle);
                    let along = (w[0] * p[0] + w[1] * p[1] + w[2] * p[2]) * (-angle.cos() + 1.0);
                    let turned = cross(w);
                    std::array::from_fn(|i| p[i] * angle.cos() + turned[i] * angle.sin() + w[i] * along)
                } else {
                    let turned = cross(w);
                    std::array::from_fn(|i| p[i] + turned[i])
                };
                let depth = r[2] + c[3] + 4.0;
                let (u, v) = (r[0] / depth, r[1] / depth);
                let e = c[4] * (u * u + v * v) - seen[k];
                loss += e * e;
            }
            loss
        };
        let f = |x: &[f64]| sighted(x, frames, &pairs, &seen);
        let grad = |x: &[f64], g: &mut [f64]| sighted_grad(x, frames, &pairs, &seen, g);
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| sighted_hvp(x, frames, &pairs, &seen, v, h);
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| sighted_hvp_rev(x, frames, &pairs, &seen, v, h);
        check(&format!("{rounds} rounds"), &x, &f, &grad, [&hvp, &rev], &of_duals);
    }
}

/// Places on both sides of one that is looked up, in two vectors that are written: `s` by what the same round has read of it, and once
/// more in a branch; a place of another base, which may be the same one, stands between.
#[differentiable(wrt(x))]
fn spread(x: &[f64], at: &[usize], other: &[usize]) -> f64 {
    let mut s = vec![0.5; x.len()];
    for k in 0..at.len() {
        let (i, j) = (at[k], other[k]);
        let up = x[i + 1] - x[i];
        let down = x[i] - x[i - 1];
        s[i - 1] += up * down;
        s[i] *= up + s[i + 1];
        s[i + 1] -= down * s[i - 1];
        s[j] = s[j] * 0.5 + s[i] * x[j];
        s[i - 1] += s[j] * 0.3;
        s[i] -= s[i + 1] * x[j];
        if up > down {
            s[i - 1] *= up;
            s[i] += down.sin();
            s[i + 1] *= s[i];
        }
        s[i] *= 0.9;
    }
    let mut sum = 0.0;
    for k in 0..s.len() {
        sum += s[k] * s[k];
    }
    sum
}

#[test]
fn places_on_both_sides() {
    let n = 7;
    for rounds in [0, 1, 8] {
        let at: Vec<_> = (0..rounds).map(|k| 1 + (3 * k) % (n - 2)).collect();
        let other: Vec<_> = (0..rounds).map(|k| (2 * k + k / 3) % n).collect();
        let of_duals = |x: &[H]| {
            let mut s = vec![H::from(0.5); n];
            for (&i, &j) in at.iter().zip(&other) {
                let (up, down) = (x[i + 1] - x[i], x[i] - x[i - 1]);
                s[i - 1] += up * down;
                s[i] = s[i] * (up + s[i + 1]);
                s[i + 1] = s[i + 1] - down * s[i - 1];
                s[j] = s[j] * 0.5 + s[i] * x[j];
                s[i - 1] = s[i - 1] + s[j] * 0.3;
                s[i] = s[i] - s[i + 1] * x[j];
                if up.re > down.re {
                    s[i - 1] *= up;
                    s[i] += down.sin();
                    s[i + 1] = s[i + 1] * s[i];
                }
                s[i] *= 0.9;
            }
            s.iter().fold(H::from(0.0), |sum, s| sum + *s * *s)
        };
        let f = |x: &[f64]| spread(x, &at, &other);
        let grad = |x: &[f64], g: &mut [f64]| spread_grad(x, &at, &other, g);
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| spread_hvp(x, &at, &other, v, h);
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| spread_hvp_rev(x, &at, &other, v, h);
        check(&format!("{rounds} rounds"), &wave(n, 0.6), &f, &grad, [&hvp, &rev], &of_duals);
    }
}

#[test]
fn what_is_not_there_is_not_read() {
    // The last place of `x[i - 1 ..= i + 1]`, the first one, and a slice, are beyond the vector.
    let x = wave(7, 0.6);
    for (at, other) in [(6, 0), (0, 0), (3, 7)] {
        let (at, other) = ([at], [other]);
        assert!(catch_unwind(|| spread(&x, &at, &other)).is_err(), "the function at {at:?}, {other:?}");
        let grad = catch_unwind(|| spread_grad(&x, &at, &other, &mut [0.0; 7]));
        assert!(grad.is_err(), "the gradient at {at:?}, {other:?}");
    }
    let pairs = [(1, 0)];
    assert!(catch_unwind(|| sighted(&x, 1, &pairs, &[0.0])).is_err());
    assert!(catch_unwind(|| sighted_grad(&x, 1, &pairs, &[0.0], &mut [0.0; 7])).is_err());
}

/// Three branches on one condition; the first hands values to what lies between them, to the others, and to what follows; what
/// lies between writes to vectors, and to one that the branches write.
#[differentiable(wrt(x))]
fn thrice(x: &[f64], kinds: &[u32]) -> f64 {
    let n = kinds.len();
    let mut kept = vec![0.2; n + 1];
    let mut sum = 0.0;
    for k in 0..n {
        let is_even = kinds[k].is_multiple_of(2);
        let (mut a, b);
        if is_even {
            a = (x[k] * x[k + 1]).exp() - x[k].sin() * 0.3;
            b = a / (1.0 + x[k + 2] * x[k + 2]);
        } else {
            a = (1.0 + x[k] * x[k]).sqrt() * x[k + 1] - x[k + 2] * 0.7 + x[k].cos();
            b = x[k] - a * x[k + 1] / (2.0 + a * a);
        }
        kept[k] += a * b;
        let c = kept[k] * x[k + 1] - a;
        if is_even {
            a *= c.cos() * x[k] - b * b;
            kept[k + 1] = c * a - kept[k] * x[k] * b + x[k + 2] * (a - b);
        } else {
            a -= b * c * x[k + 1] + (c * c + 1.0).ln() * x[k] - b.sin();
        }
        let d = a * c - kept[k + 1];
        if is_even {
            sum += d * b * x[k] - (d + a * x[k + 2]).sin() * c + b;
        } else {
            sum -= (d * d + 1.0).sqrt() * x[k + 1] - d * a - c * b;
        }
        sum += b * c - d;
    }
    sum + kept[0] * kept[n]
}

#[test]
fn branches_that_hand_on() {
    for n in [0, 1, 2, 6] {
        let kinds: Vec<u32> = (0..n as u32).map(|k| k / 2 + k * k).collect();
        let of_duals = |x: &[H]| {
            let mut kept = vec![H::from(0.2); n + 1];
            let mut sum = H::from(0.0);
            for k in 0..n {
                let is_even = kinds[k].is_multiple_of(2);
                let mut a = if is_even {
                    (x[k] * x[k + 1]).exp() - x[k].sin() * 0.3
                } else {
                    (x[k] * x[k] + 1.0).sqrt() * x[k + 1] - x[k + 2] * 0.7 + x[k].cos()
                };
                let b = if is_even {
                    a / (x[k + 2] * x[k + 2] + 1.0)
                } else {
                    x[k] - a * x[k + 1] / (a * a + 2.0)
                };
                kept[k] += a * b;
                let c = kept[k] * x[k + 1] - a;
                if is_even {
                    a *= c.cos() * x[k] - b * b;
                    kept[k + 1] = c * a - kept[k] * x[k] * b + x[k + 2] * (a - b);
                } else {
                    a -= b * c * x[k + 1] + (c * c + 1.0).ln() * x[k] - b.sin();
                }
                let d = a * c - kept[k + 1];
                sum += if is_even {
                    d * b * x[k] - (d + a * x[k + 2]).sin() * c + b
                } else {
                    -((d * d + 1.0).sqrt() * x[k + 1] - d * a - c * b)
                };
                sum += b * c - d;
            }
            sum + kept[0] * kept[n]
        };
        let f = |x: &[f64]| thrice(x, &kinds);
        let grad = |x: &[f64], g: &mut [f64]| thrice_grad(x, &kinds, g);
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| thrice_hvp(x, &kinds, v, h);
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| thrice_hvp_rev(x, &kinds, v, h);
        check(&format!("{n} rounds"), &wave(n + 2, 0.5), &f, &grad, [&hvp, &rev], &of_duals);
    }
}

/// A product of quaternions, all of whose signs are in the sums.
#[differentiable(wrt(q))]
fn turned_twice(q: &[f64], by: &[f64]) -> f64 {
    let mut sum = 0.0;
    for k in 0..by.len() {
        let (a, b, c, d) = (q[4 * k], q[4 * k + 1], q[4 * k + 2], q[4 * k + 3]);
        let (e, f, g, h) = (a * by[k], -b, -c, d - by[k]);
        let w = a * e - b * f - c * g - d * h;
        let x = a * f + b * e + c * h - d * g;
        let y = a * g - b * h + c * e + d * f;
        let z = -(b * g) - a * h + c * f - d * e;
        sum += (w * x - y * z) / (1.0 + w * w + z * z) - -(x * y);
    }
    sum
}

#[test]
fn sums_with_signs() {
    for n in [0, 1, 3] {
        let by = wave(n, 0.1);
        let of_duals = |q: &[H]| {
            (0..n).fold(H::from(0.0), |sum, k| {
                let [a, b, c, d] = [0, 1, 2, 3].map(|i| q[4 * k + i]);
                let (e, f, g, h) = (a * by[k], -b, -c, d - by[k]);
                let w = a * e - b * f - c * g - d * h;
                let x = a * f + b * e + c * h - d * g;
                let y = a * g - b * h + c * e + d * f;
                let z = -(b * g) - a * h + c * f - d * e;
                sum + (w * x - y * z) / (w * w + z * z + 1.0) + x * y
            })
        };
        let f = |q: &[f64]| turned_twice(q, &by);
        let grad = |q: &[f64], g: &mut [f64]| turned_twice_grad(q, &by, g);
        let hvp = |q: &[f64], v: &[f64], h: &mut [f64]| turned_twice_hvp(q, &by, v, h);
        let rev = |q: &[f64], v: &[f64], h: &mut [f64]| turned_twice_hvp_rev(q, &by, v, h);
        check(&format!("{n} quaternions"), &wave(4 * n, 0.8), &f, &grad, [&hvp, &rev], &of_duals);
    }
}
