//! What the optimiser writes anew, against hyper-dual numbers: powers, divisions by one value, branches of one condition, values that
//! are read back where they were stored, additions to two parts of one vector, sums beside a vector that is rewritten, sums over rows,
//! the largest and smallest elements, additions to single places before a sweep, sums in memory that the value is made of, additions of many rows
//! to one; [`edges`]: loops whose first and last rounds are unlike the others; [`kept`]: what is kept, and small arrays; [`counters`]: loops over other integers; [`places`]: places that are
//! looked up, and what lies between branches; [`rows`]: rows of triangles; [`calls`]: exponentials and hyperbolic tangents.
//!
//! Each function is one that a pass of `ad-macros/src/optimize` changes, or only just must not.
#![allow(clippy::needless_range_loop, missing_docs)]

mod calls;
mod counters;
mod edges;
mod kept;
mod places;
mod rows;

use ad_runtime::differentiable;
use num_dual::{DualNum, HyperDual64 as H};
use num_traits::Float;

fn wave(n: usize, phase: f64) -> Vec<f64> {
    (0..n).map(|i| (1.7 * i as f64 + phase).sin()).collect()
}

/// Gradient and product of `f` at `x` along `v`, by hyper-dual numbers.
fn reference(f: &dyn Fn(&[H]) -> H, x: &[f64], v: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let along = |i: usize| {
        let one = |k: usize| if k == i { 1.0 } else { 0.0 };
        f(&(0..x.len()).map(|k| H::new(x[k], one(k), v[k], 0.0)).collect::<Vec<_>>())
    };
    (0..x.len()).map(along).map(|y| (y.eps1, y.eps1eps2)).unzip()
}

#[track_caller]
fn close(what: &str, found: &[f64], wanted: &[f64], tolerance: f64) {
    let scale = wanted.iter().fold(1.0_f64, |m, w| m.max(w.abs()));
    for (i, (a, b)) in found.iter().zip(wanted).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "{what}: component {i} is {a}, expected {b}");
    }
}

/// Gradient and products in both orders, of `n` variables.
#[track_caller]
fn check(
    what: &str,
    x: &[f64],
    f: &dyn Fn(&[f64]) -> f64,
    grad: &dyn Fn(&[f64], &mut [f64]) -> f64,
    [hvp, hvp_rev]: [&dyn Fn(&[f64], &[f64], &mut [f64]); 2],
    of_duals: &dyn Fn(&[H]) -> H,
) {
    let n = x.len();
    let v = wave(n, 0.9);
    let (g_ref, h_ref) = reference(of_duals, x, &v);
    let (mut g, mut h) = (vec![9.0; n], vec![9.0; n]);
    assert_eq!(grad(x, &mut g).to_bits(), f(x).to_bits(), "{what}: the value with the gradient");
    close(&format!("{what}: gradient"), &g, &g_ref, 1e-11);
    hvp(x, &v, &mut h);
    close(&format!("{what}: product"), &h, &h_ref, 1e-11);
    h.fill(9.0);
    hvp_rev(x, &v, &mut h);
    close(&format!("{what}: product in the other order"), &h, &h_ref, 1e-11);
}

/// Powers, in two ways, next to a difference that must not be multiplied out; `x[1] - x[0]` is small.
#[differentiable]
fn potential(x: &[f64]) -> f64 {
    let (d, u) = (x[1] - x[0], 1.0 / (x[2] * x[2] + x[3] * x[3] + 0.1).sqrt());
    let u3 = u.powi(3);
    let u4 = u * u * u * u;
    d * d * u3 * (u4 - 2.0 * u3) + (x[2] - x[3]) * u4 * u4 * u - d * x[2] * u3 * u3
}

#[test]
fn powers() {
    let of_duals = |x: &[H]| {
        let (d, u) = (x[1] - x[0], (x[2] * x[2] + x[3] * x[3] + 0.1).sqrt().recip());
        let (u3, u4) = (u.powi(3), u.powi(4));
        d * d * u3 * (u4 - u3 * 2.0) + (x[2] - x[3]) * u.powi(9) - d * x[2] * u.powi(6)
    };
    for x in [[0.3, 0.7, 1.1, -0.4], [1.0, 1.0 + 1e-9, 0.8, 0.7], [0.5, 0.5, 0.2, 0.1]] {
        check("powers", &x, &potential, &potential_grad, [&potential_hvp, &potential_hvp_rev], &of_duals);
    }
}

/// Of any float: constants that single precision has, and one that it has not.
#[differentiable]
fn pair<T: Float>(x: T, y: T) -> T {
    let s = T::one() / (x * x + y * y);
    let s3 = s * s * s;
    T::from(4.0).unwrap() * (s3 * s3 - s3) + T::from(0.3).unwrap() * s3 * s
}

#[test]
fn powers_of_generic_floats() {
    let of_duals = |x: &[H]| {
        let s = (x[0] * x[0] + x[1] * x[1]).recip();
        (s.powi(6) - s.powi(3)) * 4.0 + s.powi(4) * 0.3
    };
    let (x, v) = ([1.1, -0.6], [0.4, 0.9]);
    let (g_ref, h_ref) = reference(&of_duals, &x, &v);
    let (_, (gx, gy)) = pair_grad(x[0], x[1]);
    let (hx, hy) = pair_hvp(x[0], x[1], v[0], v[1]);
    close("gradient", &[gx, gy], &g_ref, 1e-13);
    close("product", &[hx, hy], &h_ref, 1e-13);
    let (hx, hy) = pair_hvp(x[0] as f32, x[1] as f32, v[0] as f32, v[1] as f32);
    close("product, single precision", &[hx.into(), hy.into()], &h_ref, 1e-5);
}

/// Roots that are squared again: of a sum of squares, of what may be negative (where the function is NaN), and one that is needed.
#[differentiable]
fn roots(x: f64, y: f64) -> (f64, f64, f64) {
    let u = 1.0 / (x * x + y * y).sqrt();
    let w = 1.0 / (x - y).sqrt();
    let r = 1.0 / (x * x + 0.5).sqrt();
    (u * u * x, w * w * y, r * r + r)
}

#[test]
fn squares_of_roots() {
    let (x, y) = (1.3, 0.4);
    let (value, slope) = roots_jvp(x, y, 1.0, 0.0);
    assert_eq!(value, roots(x, y));
    let s: f64 = x * x + y * y;
    let r: f64 = 1.0 / (x * x + 0.5);
    let wanted = [(y * y - x * x) / (s * s), -y / (x - y).powi(2), -2.0 * x * r * r - x * r * r.sqrt()];
    close("slopes", &[slope.0, slope.1, slope.2], &wanted, 1e-14);
    let (x_bar, _) = roots_vjp(0.4, 1.3, (0.0, 1.0, 0.0));
    assert!(x_bar.is_nan(), "the function is NaN there, its derivative {x_bar}");
}

/// Divisions by what is the same in all rounds, by zero where there is no round, and behind a condition.
#[differentiable(wrt(x))]
fn shares(x: &[f64], rounds: usize) -> f64 {
    let total: f64 = x.iter().sum();
    let mut s = 0.0;
    for k in 0..rounds {
        let part = x[k] / total;
        s += part * part * x[k] / (1.0 + total * total);
        if total > 0.5 {
            s += x[k] / (total - 0.5);
        }
    }
    s + x[0] * x[1]
}

#[test]
fn quotients() {
    let of_duals = |x: &[H], rounds: usize| {
        let total = x.iter().fold(H::from(0.0), |s, x| s + *x);
        let mut s = H::from(0.0);
        for x in &x[..rounds] {
            s += (*x / total).powi(2) * *x / (total * total + 1.0);
            if total.re > 0.5 {
                s += *x / (total - 0.5);
            }
        }
        s + x[0] * x[1]
    };
    for (x, rounds) in
        [([0.6, 0.7, 0.2], 3), ([0.1, 0.2, 0.1], 3), ([0.5, -0.5, 0.0], 0), ([0.2, 0.2, 0.1], 2)]
    {
        check(
            "quotients",
            &x,
            &|x| shares(x, rounds),
            &|x, g| shares_grad(x, rounds, g),
            [&|x, v, h| shares_hvp(x, rounds, v, h), &|x, v, h| shares_hvp_rev(x, rounds, v, h)],
            &|x| of_duals(x, rounds),
        );
    }
}

/// Three branches of one condition, the vector they read changed between them; nested ones, and one in a loop.
#[differentiable(wrt(x))]
fn branches(x: &[f64], side: bool) -> f64 {
    let mut a = [x[0], x[1]];
    let mut s = 0.0;
    if side {
        let r = (a[0] * a[0] + a[1] * a[1]).sqrt();
        s += (a[0] / r).sin() * a[1];
    } else {
        s += a[0] * a[1];
    }
    a[0] = x[2] * x[2];
    if side {
        let r = (a[0] * a[0] + a[1] * a[1]).sqrt();
        s += (a[0] / r).sin() * a[1];
    }
    for k in 0..3 {
        if side {
            let r = (a[0] * a[0] + a[1] * a[1]).sqrt();
            s *= if x[k] > 0.5 { r.ln() + x[k] / r } else { (x[k] * r).exp() };
        } else if x[k] > 0.5 {
            s += (x[k] / a[0]).cos();
        }
        a[1] += x[k] * s;
    }
    s * a[1]
}

#[test]
fn branches_of_one_condition() {
    let of_duals = |x: &[H], side: bool| {
        let mut a = [x[0], x[1]];
        let length = |a: [H; 2]| (a[0] * a[0] + a[1] * a[1]).sqrt();
        let first = |a: [H; 2]| (a[0] / length(a)).sin() * a[1];
        let mut s = if side { first(a) } else { a[0] * a[1] };
        a[0] = x[2] * x[2];
        if side {
            s += first(a);
        }
        for k in 0..3 {
            if side {
                let r = length(a);
                s *= if x[k].re > 0.5 { r.ln() + x[k] / r } else { (x[k] * r).exp() };
            } else if x[k].re > 0.5 {
                s += (x[k] / a[0]).cos();
            }
            a[1] += x[k] * s;
        }
        s * a[1]
    };
    for side in [true, false] {
        for x in [[0.9, 0.7, 0.4], [0.3, 0.8, 1.2]] {
            check(
                "branches",
                &x,
                &|x| branches(x, side),
                &|x, g| branches_grad(x, side, g),
                [&|x, v, h| branches_hvp(x, side, v, h), &|x, v, h| branches_hvp_rev(x, side, v, h)],
                &|x| of_duals(x, side),
            );
        }
    }
}

/// A table that lies flat, its rows `width` apart: they overlap where `width` is less than the number of columns. What is overwritten must
/// not be read back.
#[differentiable(wrt(x))]
fn table(x: &[f64], width: usize) -> f64 {
    let n = x.len();
    let mut a = vec![0.5; n * width + n];
    let mut s = 0.0;
    for i in 0..n {
        for j in 0..n {
            let e = (x[i] * x[j]).exp();
            a[i * width + j] = e;
            s += e * x[j];
        }
    }
    for i in 0..a.len() {
        s += a[i] * a[i];
    }
    s
}

/// The same where the rows cannot overlap, with the diagonal stored apart, and the table then changed in place.
#[differentiable]
fn eliminated(x: &[f64]) -> f64 {
    let n = x.len();
    let mut a = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..i {
            a[i * n + j] = (x[i] - x[j]).cos() / 4.0;
        }
        a[i * n + i] = 3.0 + x[i].sin();
    }
    // L D Lᵀ in place.
    let mut s = 0.0;
    for j in 0..n {
        let mut d = a[j * n + j];
        for k in 0..j {
            d -= a[j * n + k] * a[j * n + k] * a[k * n + k];
        }
        a[j * n + j] = d;
        s += d.ln();
        for i in j + 1..n {
            let mut t = a[i * n + j];
            for k in 0..j {
                t -= a[i * n + k] * a[j * n + k] * a[k * n + k];
            }
            a[i * n + j] = t / d;
        }
    }
    s
}

#[test]
fn values_read_back() {
    let of_duals = |x: &[H], width: usize| {
        let n = x.len();
        let mut a = vec![H::from(0.5); n * width + n];
        let mut s = H::from(0.0);
        for i in 0..n {
            for j in 0..n {
                let e = (x[i] * x[j]).exp();
                a[i * width + j] = e;
                s += e * x[j];
            }
        }
        a.iter().fold(s, |s, a| s + *a * *a)
    };
    for width in [0, 1, 3, 4, 6] {
        check(
            &format!("rows {width} apart"),
            &[0.3, -0.2, 0.5, 0.4],
            &|x| table(x, width),
            &|x, g| table_grad(x, width, g),
            [&|x, v, h| table_hvp(x, width, v, h), &|x, v, h| table_hvp_rev(x, width, v, h)],
            &|x| of_duals(x, width),
        );
    }
}

#[test]
fn factors_in_place() {
    let of_duals = |x: &[H]| {
        let n = x.len();
        let mut a = vec![vec![H::from(0.0); n]; n];
        for i in 0..n {
            for j in 0..i {
                a[i][j] = (x[i] - x[j]).cos() / 4.0;
            }
            a[i][i] = x[i].sin() + 3.0;
        }
        let mut s = H::from(0.0);
        for j in 0..n {
            let row = a[j].clone();
            let d = (0..j).fold(row[j], |d, k| d - row[k] * row[k] * a[k][k]);
            a[j][j] = d;
            s += d.ln();
            for i in j + 1..n {
                let t = (0..j).fold(a[i][j], |t, k| t - a[i][k] * row[k] * a[k][k]);
                a[i][j] = t / d;
            }
        }
        s
    };
    for n in [0, 1, 2, 5, 11] {
        let all: [&dyn Fn(&[f64], &[f64], &mut [f64]); 2] = [&eliminated_hvp, &eliminated_hvp_rev];
        check(&format!("of {n}"), &wave(n, 0.2), &eliminated, &eliminated_grad, all, &of_duals);
    }
}

/// Products of two parts of one vector that may be the same part, or overlap.
#[differentiable(wrt(x))]
fn correlation(x: &[f64], starts: &[(usize, usize)], n: usize) -> f64 {
    let mut s = 0.0;
    for &(p, q) in starts {
        let mut t = 1.0;
        for k in 0..n {
            t += x[p + k] * x[q + k];
        }
        s += t * t * t;
    }
    s
}

#[test]
fn two_parts_of_one_vector() {
    let starts = [(0, 5), (2, 2), (3, 1), (7, 0)];
    for n in [0, 1, 3, 8, 20] {
        check(
            &format!("parts of {n}"),
            &wave(n + 8, 0.3),
            &|x| correlation(x, &starts, n),
            &|x, g| correlation_grad(x, &starts, n, g),
            [&|x, v, h| correlation_hvp(x, &starts, n, v, h), &|x, v, h| {
                correlation_hvp_rev(x, &starts, n, v, h);
            }],
            &|x| {
                starts.iter().fold(H::from(0.0), |s, (p, q)| {
                    s + (0..n).fold(H::from(1.0), |t, k| t + x[p + k] * x[q + k]).powi(3)
                })
            },
        );
    }
}

/// The reversal rewrites the vector of the weights, and sums it.
#[differentiable]
fn log_sum_exp(x: &[f64]) -> f64 {
    let largest = x.iter().fold(f64::MIN, |a, b| a.max(*b));
    let mut s = 0.0;
    for v in x {
        s += (v - largest).exp();
    }
    largest + s.ln()
}

#[test]
fn sums_beside_a_vector_that_is_rewritten() {
    let of_duals = |x: &[H]| x.iter().fold(H::from(0.0), |s, x| s + x.exp()).ln();
    for n in 1..42 {
        let all: [&dyn Fn(&[f64], &[f64], &mut [f64]); 2] = [&log_sum_exp_hvp, &log_sum_exp_hvp_rev];
        check(&format!("of {n}"), &wave(n, 0.1), &log_sum_exp, &log_sum_exp_grad, all, &of_duals);
    }
}

/// Rows from some row on, with two sums each that the value is made of, one of which begins with the other's row; a branch on one.
#[differentiable(wrt(w))]
fn rows(w: &[f64], table: &[f64], first: usize, last: usize) -> f64 {
    let n = w.len();
    let mut loss = 0.3;
    for i in first..last {
        let mut z = 0.25;
        for j in 0..n {
            z += table[i * n + j] * w[j];
        }
        let mut square = w[i % n];
        for j in (1..n).rev() {
            square = square * 0.5 + w[j] * w[j - 1] * table[i * n + j];
        }
        loss = if z > 0.0 { loss + z * square.sin() } else { loss * (1.0 + 0.1 * z * z) };
    }
    loss
}

#[test]
fn sums_over_rows() {
    for (n, first, last) in
        [(9, 0, 1), (9, 1, 4), (9, 2, 6), (12, 0, 4), (12, 3, 12), (11, 5, 2), (8, 0, 0), (20, 1, 8)]
    {
        let table = wave(n * 12, 0.4);
        let of_duals = |w: &[H]| {
            (first..last).fold(H::from(0.3), |loss, i| {
                let row = &table[i * n..][..n];
                let z = w.iter().zip(row).fold(H::from(0.25), |z, (w, x)| z + *w * *x);
                let step = |s: H, j: usize| s * 0.5 + w[j] * w[j - 1] * row[j];
                let square = (1..n).rev().fold(w[i % n], step);
                if z.re > 0.0 { loss + z * square.sin() } else { loss * ((z * z) * 0.1 + 1.0) }
            })
        };
        check(
            &format!("{n} columns, {first}..{last}"),
            &wave(n, 0.7),
            &|w| rows(w, &table, first, last),
            &|w, g| rows_grad(w, &table, first, last, g),
            [&|w, v, h| rows_hvp(w, &table, first, last, v, h), &|w, v, h| {
                rows_hvp_rev(w, &table, first, last, v, h);
            }],
            &of_duals,
        );
    }
}

/// Rows that need what rows before them have made: they do not run at once.
#[differentiable]
fn filled(x: &[f64]) -> f64 {
    let n = x.len();
    let mut made = vec![0.1; n];
    let mut last = 0.0;
    for i in 0..n {
        let mut s = x[i];
        for j in 0..n {
            s += made[j] * x[j];
        }
        let mut t = last;
        for j in 0..n {
            t += 0.01 * x[j] * s;
        }
        made[i] = s.sin();
        last = t;
    }
    last * made[n / 2]
}

#[test]
fn rows_made_of_each_other() {
    for n in [8, 9, 13] {
        let of_duals = |x: &[H]| {
            let (mut made, mut last) = (vec![H::from(0.1); n], H::from(0.0));
            for i in 0..n {
                let s = (0..n).fold(x[i], |s, j| s + made[j] * x[j]);
                last = (0..n).fold(last, |t, j| t + x[j] * s * 0.01);
                made[i] = s.sin();
            }
            last * made[n / 2]
        };
        let all: [&dyn Fn(&[f64], &[f64], &mut [f64]); 2] = [&filled_hvp, &filled_hvp_rev];
        check(&format!("of {n}"), &wave(n, 0.3), &filled, &filled_grad, all, &of_duals);
    }
}

/// Pairs of points, three coordinates each: strided loads, and signs and sums beside the stores; squares with factors in common.
#[differentiable]
fn pairs(q: &[f64]) -> f64 {
    let mut e = 0.0;
    for i in 0..q.len() / 3 {
        for j in i + 1..q.len() / 3 {
            let d = [q[3 * i] - q[3 * j], q[3 * i + 1] - q[3 * j + 1], q[3 * i + 2] - q[3 * j + 2]];
            let s = 0.3 + d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
            let u = 1.0 / s.sqrt();
            let u4 = u * u * u * u;
            e += 4.0 * (u4 * u4 - u4) + 0.5 * d[0] * u;
        }
    }
    e
}

#[test]
fn sums_beside_strided_stores() {
    for points in [2, 7, 12, 45] {
        let n = 3 * points;
        let of_duals = |q: &[H]| {
            let mut e = H::from(0.0);
            for i in 0..points {
                for j in i + 1..points {
                    let d = [0, 1, 2].map(|k| q[3 * i + k] - q[3 * j + k]);
                    let u = (d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + 0.3).sqrt().recip();
                    e += (u.powi(8) - u.powi(4)) * 4.0 + d[0] * u * 0.5;
                }
            }
            e
        };
        let all: [&dyn Fn(&[f64], &[f64], &mut [f64]); 2] = [&pairs_hvp, &pairs_hvp_rev];
        check(&format!("of {points}"), &wave(n, 0.6), &pairs, &pairs_grad, all, &of_duals);
    }
}

/// The smallest from the third element on, which it starts from; the largest of squares, which starts from one that is rewritten
/// before the loop comes to it; and the largest of products with the element before, which starts from one of them.
#[differentiable]
fn extremes(x: &[f64], at: usize) -> f64 {
    let n = x.len();
    let mut smallest = x[2];
    for i in 3..n {
        smallest = smallest.min(x[i]);
    }
    let mut y = vec![0.0; n];
    for i in 0..n {
        y[i] = x[i] * x[i] * (1.0 + 0.1 * i as f64);
    }
    let mut largest = y[at];
    y[at] *= 0.25;
    for i in 0..n {
        if y[i] > largest {
            largest = y[i];
        }
    }
    let mut beside = x[1] * x[0];
    for i in 1..n {
        if x[i] * x[i - 1] >= beside {
            beside = x[i] * x[i - 1];
        }
    }
    smallest * smallest * largest.sqrt() + beside.exp() * smallest
}

#[test]
fn extremes_from_where_they_start() {
    let largest = |list: &mut dyn Iterator<Item = H>| list.reduce(|a, b| if b.re > a.re { b } else { a });
    for n in 3..20 {
        for at in 0..n {
            let of_duals = |x: &[H]| {
                let smallest = x[2..].iter().copied().reduce(|a, b| if b.re < a.re { b } else { a }).unwrap();
                let square = |i: usize| x[i] * x[i] * (1.0 + 0.1 * i as f64);
                let start = square(at);
                let rest = (0..n).map(|i| if i == at { square(i) * 0.25 } else { square(i) });
                let most = largest(&mut std::iter::once(start).chain(rest)).unwrap();
                let beside = largest(&mut (1..n).map(|i| x[i] * x[i - 1])).unwrap();
                smallest * smallest * most.sqrt() + beside.exp() * smallest
            };
            let grad = |x: &[f64], g: &mut [f64]| extremes_grad(x, at, g);
            let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| extremes_hvp(x, at, v, h);
            let rev = |x: &[f64], v: &[f64], h: &mut [f64]| extremes_hvp_rev(x, at, v, h);
            check(
                &format!("{at} of {n}"),
                &wave(n, 0.6),
                &|x| extremes(x, at),
                &grad,
                [&hvp, &rev],
                &of_duals,
            );
        }
    }
}

/// What is taken out of a vector at two places after all of it was summed, from its second element on: reversed, two additions come
/// before the sweep.
#[differentiable]
fn taken_out(x: &[f64], places: [usize; 2]) -> f64 {
    let n = x.len();
    let mut total = 0.0;
    let mut z = vec![0.0; n];
    for round in 0..3 {
        for i in 0..n {
            z[i] = (x[i] * (0.5 + round as f64)).sin();
        }
        let mut s = 0.1;
        for i in 1..n {
            s += z[i].exp();
        }
        total += s.ln() - z[places[0]] * z[places[1]] * s;
    }
    total + x[places[1]] * x[places[0]]
}

#[test]
fn additions_to_places_before_a_sweep() {
    for n in [1, 2, 3, 17, 40] {
        for places in [[0, 0], [0, n - 1], [n / 2, n / 3], [n - 1, n - 1]] {
            let of_duals = |x: &[H]| {
                let mut total = H::from(0.0);
                for round in 0..3 {
                    let z: Vec<H> = x.iter().map(|x| (*x * (0.5 + f64::from(round))).sin()).collect();
                    let s = z[1..].iter().fold(H::from(0.1), |s, z| s + z.exp());
                    total += s.ln() - z[places[0]] * z[places[1]] * s;
                }
                total + x[places[1]] * x[places[0]]
            };
            let grad = |x: &[f64], g: &mut [f64]| taken_out_grad(x, places, g);
            let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| taken_out_hvp(x, places, v, h);
            let rev = |x: &[f64], v: &[f64], h: &mut [f64]| taken_out_hvp_rev(x, places, v, h);
            let (what, f) = (format!("{places:?} of {n}"), |x: &[f64]| taken_out(x, places));
            check(&what, &wave(n, 0.2), &f, &grad, [&hvp, &rev], &of_duals);
        }
    }
}

/// Rows that are only stored, from some row on: what is no row any more is the last one again. Below, where all rows go to one place, and
/// where there are two stores.
#[differentiable(wrt(w, b))]
fn layer(w: &[f64], b: &[f64], input: &[f64], first: usize) -> f64 {
    let (m, n) = (b.len(), input.len());
    let mut z = vec![0.5; m];
    let mut last = [0.0; 2];
    let mut both = vec![0.25; m];
    for i in first..m {
        let mut s = b[i];
        for j in 0..n {
            s += w[i * n + j] * input[j];
        }
        z[m - 1 - i] = s * 2.0;
    }
    for i in first..m {
        let mut s = b[i];
        for j in 0..n {
            s += w[i * n + j] * input[j];
        }
        last[1] = s;
    }
    for i in first..m {
        let mut s = b[i];
        for j in 0..n {
            s -= w[i * n + j] * input[j];
        }
        last[0] = last[1];
        both[i] = s;
    }
    let mut total = last[1] * last[0];
    for i in 0..m {
        total += z[i].sin() * (1.0 + i as f64) * last[1] * both[i];
    }
    total
}

#[test]
fn rows_that_are_only_stored() {
    for (m, n, first) in
        [(1, 1, 0), (2, 9, 0), (3, 8, 1), (4, 3, 0), (7, 10, 2), (10, 20, 0), (5, 4, 5), (6, 0, 0)]
    {
        let input = wave(n, 0.4);
        let of_duals = |x: &[H]| {
            let (w, b) = x.split_at(m * n);
            let row = |i: usize| (0..n).fold(b[i], |s, j| s + w[i * n + j] * input[j]);
            let last = if first < m { row(m - 1) } else { H::from(0.0) };
            let z = |i: usize| if m - 1 - i < first { H::from(0.5) } else { row(m - 1 - i) * 2.0 };
            let both = |i: usize| if i < first { H::from(0.25) } else { b[i] * 2.0 - row(i) };
            let term = |i: usize| z(i).sin() * (1.0 + i as f64) * last * both(i);
            (0..m).fold(last * last, |total, i| total + term(i))
        };
        let x = wave(m * n + m, 0.3);
        let f = |x: &[f64]| layer(&x[..m * n], &x[m * n..], &input, first);
        let grad = |x: &[f64], g: &mut [f64]| {
            let ((w, b), (gw, gb)) = (x.split_at(m * n), g.split_at_mut(m * n));
            layer_grad(w, b, &input, first, gw, gb)
        };
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| {
            let ((w, b), (vw, vb), (hw, hb)) = (x.split_at(m * n), v.split_at(m * n), h.split_at_mut(m * n));
            layer_hvp(w, b, &input, first, vw, vb, hw, hb);
        };
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| {
            let ((w, b), (vw, vb), (hw, hb)) = (x.split_at(m * n), v.split_at(m * n), h.split_at_mut(m * n));
            layer_hvp_rev(w, b, &input, first, vw, vb, hw, hb);
        };
        check(&format!("{m} x {n} from {first}"), &x, &f, &grad, [&hvp, &rev], &of_duals);
    }
}

/// The value's own sums keep their order: two additions to one place before a sweep stay before it, whose first terms they are.
#[differentiable]
fn added_before(x: &[f64], place: usize) -> f64 {
    let n = x.len();
    let mut z = vec![0.0; n];
    z[place] += 0.1 * x[0];
    z[place] += 0.3 * x[n - 1];
    for i in 0..n {
        z[i] += (1.0 + i as f64).sqrt() * x[i].sin();
    }
    let mut total = 0.0;
    for i in 0..n {
        total += z[i] * z[i] * z[i];
    }
    total
}

#[test]
fn additions_of_the_value_before_a_sweep() {
    for n in 1..40 {
        for place in [0, n / 2, n - 1] {
            let of_duals = |x: &[H]| {
                let mut z: Vec<H> = (0..n).map(|i| x[i].sin() * (1.0 + i as f64).sqrt()).collect();
                z[place] += x[0] * 0.1 + x[n - 1] * 0.3;
                z.iter().fold(H::from(0.0), |total, z| total + *z * *z * *z)
            };
            let grad = |x: &[f64], g: &mut [f64]| added_before_grad(x, place, g);
            let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| added_before_hvp(x, place, v, h);
            let rev = |x: &[f64], v: &[f64], h: &mut [f64]| added_before_hvp_rev(x, place, v, h);
            let f = |x: &[f64]| added_before(x, place);
            check(&format!("{place} of {n}"), &wave(n, 0.7), &f, &grad, [&hvp, &rev], &of_duals);
        }
    }
}

/// Zero plus a negative zero is zero, which shows where the value divides by it.
#[differentiable]
fn signs_of_zero(x: &[f64]) -> f64 {
    let n = x.len();
    let mut z = vec![0.0; n];
    for i in 0..n {
        z[i] += -x[i];
    }
    let mut total = 0.0;
    for i in 0..n {
        total += 1.0 / z[i];
    }
    total
}

#[test]
fn zero_keeps_its_sign() {
    for x in [[0.0, 2.0], [-0.0, 2.0]] {
        let mut g = [0.0; 2];
        assert_eq!(signs_of_zero(&x), f64::INFINITY);
        assert_eq!(signs_of_zero_grad(&x, &mut g), f64::INFINITY, "with {x:?}");
    }
}

#[differentiable(wrt(x))]
fn sum_of_data(x: &[f64], data: &[f64]) -> f64 {
    data.iter().map(|d| d * x[0]).sum()
}

#[differentiable(wrt(x))]
fn sum_of_outcomes(x: &[f64], data: &[f64]) -> f64 {
    let sum: Option<f64> = data.iter().map(|d| (*d < 9.0).then(|| d * x[0])).sum();
    sum.unwrap_or(1.0)
}

/// The sum of no floats, and of negative zeros, is a negative zero.
#[test]
fn sums_of_nothing() {
    for data in [&[][..], &[-0.0], &[-0.0, -0.0], &[0.5, -0.0]] {
        let mut g = [0.0];
        let (y, outcome) = (sum_of_data(&[2.0], data), sum_of_outcomes(&[2.0], data));
        assert_eq!(sum_of_data_grad(&[2.0], data, &mut g).to_bits(), y.to_bits(), "{data:?}");
        assert_eq!(g[0], data.iter().sum::<f64>(), "{data:?}");
        assert_eq!(sum_of_outcomes_grad(&[2.0], data, &mut g).to_bits(), outcome.to_bits(), "{data:?}");
        assert_eq!(g[0], data.iter().sum::<f64>(), "{data:?}");
    }
}

/// Sums in memory that the value is made of start from what was there: at one place, and at two neighbouring ones.
#[differentiable]
fn sums_in_memory(x: &[f64], k: usize) -> f64 {
    let n = x.len();
    let mut z = vec![0.3; n + 3];
    let mut y = vec![1.0 / 3.0; n + 1];
    for i in 0..n {
        z[k] += 0.1 * x[i];
    }
    for i in 0..n {
        y[i] += x[i] * 0.7;
        y[i + 1] += x[i] * 0.3;
    }
    let mut total = 0.0;
    for i in 0..=n {
        total += y[i] * y[i] * y[i];
    }
    z[k] * z[k] + total
}

#[test]
fn sums_in_memory_that_the_value_is_made_of() {
    for n in 0..40 {
        let k = n % 3;
        let of_duals = |x: &[H]| {
            let z = x.iter().fold(H::from(0.3), |s, x| s + *x * 0.1);
            let y = |i: usize| {
                let left = if i < n { x[i] * 0.7 } else { H::from(0.0) };
                let right = if i > 0 { x[i - 1] * 0.3 } else { H::from(0.0) };
                left + right + 1.0 / 3.0
            };
            (0..=n).fold(z * z, |total, i| total + y(i) * y(i) * y(i))
        };
        let grad = |x: &[f64], g: &mut [f64]| sums_in_memory_grad(x, k, g);
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| sums_in_memory_hvp(x, k, v, h);
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| sums_in_memory_hvp_rev(x, k, v, h);
        let f = |x: &[f64]| sums_in_memory(x, k);
        check(&format!("of {n}"), &wave(n, 0.2), &f, &grad, [&hvp, &rev], &of_duals);
    }
}

/// Rows of data that are added up into one vector, from some row on, each times a float of its own: one that is carried, one that is
/// computed, and none; in the order of `order`, and beside additions that go to another place for each row.
#[differentiable(wrt(x))]
fn mixture(x: &[f64], data: &[f64], order: &[usize], first: usize) -> f64 {
    let (m, n) = (order.len(), data.len() / (order.len() + 1));
    let mut carried = vec![1.0 / 3.0; n];
    let mut plain = vec![0.1; n];
    let mut each = vec![0.7; m * n];
    let mut s = 1.0;
    for i in first..m {
        s = 0.9 * s + x[i];
        for j in 0..n {
            carried[j] += s * data[i * n + j];
        }
    }
    for i in first..m {
        let weight = (x[i] * x[order[i]]).exp();
        let row = order[i];
        for j in 0..n {
            each[i * n + j] += weight * data[row * n + j];
            plain[j] += weight * data[row * n + j] - 0.3 * x[row];
        }
    }
    for i in 0..m {
        for j in 0..n {
            plain[j] += data[(i + 1) * n + j];
        }
    }
    let mut total = s;
    for j in 0..n {
        total += carried[j] * carried[j] * plain[j];
    }
    for k in 0..m * n {
        total += each[k] * each[k] * each[k];
    }
    total
}

#[test]
fn rows_that_are_added_to_one() {
    for m in 0..14 {
        for (n, first) in [(0, 0), (1, 0), (3, 2), (11, 0), (8, m + 1)] {
            let data = wave((m + 1) * n, 0.4);
            let order: Vec<usize> = (0..m).map(|i| (5 * i + 3) % m).collect();
            let n = if m == 0 { data.len() } else { n };
            let of_duals = |x: &[H]| {
                let (mut s, mut weights) = (H::from(1.0), Vec::new());
                let mut carried = vec![H::from(1.0 / 3.0); n];
                for i in first..m {
                    s = s * 0.9 + x[i];
                    (0..n).for_each(|j| carried[j] += s * data[i * n + j]);
                    weights.push(((x[i] * x[order[i]]).exp(), order[i]));
                }
                let plain = |j: usize| {
                    let of_row = |(w, row): &(H, usize)| *w * data[row * n + j] - x[*row] * 0.3;
                    let rows: H = weights.iter().map(of_row).fold(H::from(0.1), |s, t| s + t);
                    (0..m).fold(rows, |s, i| s + data[(i + 1) * n + j])
                };
                let mut total = (0..n).fold(s, |t, j| t + carried[j] * carried[j] * plain(j));
                for i in 0..m {
                    for j in 0..n {
                        let of_row = i.checked_sub(first).and_then(|k| weights.get(k));
                        let e = of_row.map_or(H::from(0.7), |(w, row)| *w * data[row * n + j] + 0.7);
                        total += e * e * e;
                    }
                }
                total
            };
            let grad = |x: &[f64], g: &mut [f64]| mixture_grad(x, &data, &order, first, g);
            let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| mixture_hvp(x, &data, &order, first, v, h);
            let rev = |x: &[f64], v: &[f64], h: &mut [f64]| mixture_hvp_rev(x, &data, &order, first, v, h);
            let f = |x: &[f64]| mixture(x, &data, &order, first);
            check(&format!("{m} rows of {n}"), &wave(m, 0.2), &f, &grad, [&hvp, &rev], &of_duals);
        }
    }
}

/// What looks like it and is not: the outer loop reads what is added to, writes what is added, or adds at places of the row.
#[differentiable]
fn entangled(x: &[f64], shift: usize) -> f64 {
    let n = x.len();
    let mut b = vec![0.5; n + 1];
    let mut c = vec![0.2; n];
    let mut d = vec![0.3; 2 * n];
    for i in 0..n {
        let s = b[0] * 0.1;
        for j in 0..n {
            b[j] += s * x[j] * x[i];
        }
    }
    for i in 0..n {
        c[i] = 0.4 * x[i];
        for j in 0..n {
            b[j + 1] += c[j] * x[i];
        }
    }
    for i in 0..n {
        for j in 0..n {
            d[j + (i * shift) % n] += x[i] * x[j];
        }
    }
    let mut total = 0.0;
    for j in 0..n {
        total += b[j] * b[j + 1] * c[j] + d[j] * d[j + n];
    }
    total
}

#[test]
fn rows_that_are_added_to_one_and_looked_at() {
    for n in [0, 1, 3, 4, 9, 18] {
        for shift in [0, 1, 3] {
            let of_duals = |x: &[H]| {
                let (mut b, mut c) = (vec![H::from(0.5); n + 1], vec![H::from(0.2); n]);
                let mut d = vec![H::from(0.3); 2 * n];
                for i in 0..n {
                    let s = b[0] * 0.1;
                    (0..n).for_each(|j| b[j] += s * x[j] * x[i]);
                }
                for i in 0..n {
                    c[i] = x[i] * 0.4;
                    (0..n).for_each(|j| b[j + 1] += c[j] * x[i]);
                    (0..n).for_each(|j| d[j + (i * shift) % n] += x[i] * x[j]);
                }
                (0..n).fold(H::from(0.0), |t, j| t + b[j] * b[j + 1] * c[j] + d[j] * d[j + n])
            };
            let grad = |x: &[f64], g: &mut [f64]| entangled_grad(x, shift, g);
            let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| entangled_hvp(x, shift, v, h);
            let rev = |x: &[f64], v: &[f64], h: &mut [f64]| entangled_hvp_rev(x, shift, v, h);
            let f = |x: &[f64]| entangled(x, shift);
            check(&format!("{n}, {shift}"), &wave(n, 0.2), &f, &grad, [&hvp, &rev], &of_duals);
        }
    }
}

fn largest(w: &[f64]) -> usize {
    (0..w.len()).fold(0, |k, j| if w[j] > w[k] { j } else { k })
}

/// Which row is summed up, and added in the reversal, other code says, from a vector that each round overwrites.
#[differentiable(wrt(x))]
fn chosen_rows(x: &[f64], data: &[f64], m: usize) -> f64 {
    let n = x.len();
    let mut w = vec![0.0; n];
    let mut total = 0.0;
    for i in 0..m {
        for j in 0..n {
            w[j] = data[i * n + j] * data[i * n + j];
        }
        let k = largest(&w);
        let mut z = 0.0;
        for j in 0..n {
            z += data[k * n + j] * x[j];
        }
        total += z.sin() * (1.0 + i as f64);
    }
    total
}

#[test]
fn rows_that_other_code_chooses() {
    for n in [1, 2, 9, 12] {
        for m in 0..n {
            let data = wave(n * n, 0.3);
            let of_duals = |x: &[H]| {
                (0..m).fold(H::from(0.0), |total, i| {
                    let w: Vec<f64> = data[i * n..][..n].iter().map(|d| d * d).collect();
                    let row = &data[largest(&w) * n..];
                    let z = x.iter().zip(row).fold(H::from(0.0), |z, (x, d)| z + *x * *d);
                    total + z.sin() * (1.0 + i as f64)
                })
            };
            let grad = |x: &[f64], g: &mut [f64]| chosen_rows_grad(x, &data, m, g);
            let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| chosen_rows_hvp(x, &data, m, v, h);
            let rev = |x: &[f64], v: &[f64], h: &mut [f64]| chosen_rows_hvp_rev(x, &data, m, v, h);
            let f = |x: &[f64]| chosen_rows(x, &data, m);
            check(&format!("{m} of {n}"), &wave(n, 0.2), &f, &grad, [&hvp, &rev], &of_duals);
        }
    }
}

/// Counts how often it is asked.
struct Counter(std::cell::Cell<f64>);

impl Counter {
    fn draw(&self) -> f64 {
        self.0.set(self.0.get() + 1.0);
        self.0.get()
    }
}

/// Two numbers that other code draws, by one text, are two.
#[differentiable(wrt(x, y))]
fn drawn(x: f64, y: f64, numbers: &Counter) -> f64 {
    numbers.draw() * x * x + numbers.draw() * y * y
}

#[test]
fn numbers_that_are_drawn() {
    let new = || Counter(std::cell::Cell::new(0.0));
    assert_eq!(drawn(2.0, 3.0, &new()), 4.0 + 2.0 * 9.0);
    assert_eq!(drawn_grad(2.0, 3.0, &new()), (4.0 + 2.0 * 9.0, (4.0, 12.0)));
    assert_eq!(drawn_hvp(2.0, 3.0, &new(), 1.0, 1.0), (2.0, 4.0));
}

/// A short function that callers in other modules of this file see, and call.
#[differentiable]
fn length(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

mod inner {
    use super::*;

    #[differentiable]
    pub(super) fn lengths(x: &[f64]) -> f64 {
        length(&x[1..]) * length(x)
    }

    pub(super) mod deeper {
        use super::super::*;

        #[differentiable]
        pub(in super::super) fn lengths_below(x: &[f64]) -> f64 {
            length(&x[1..]) * length(x)
        }
    }
}

#[test]
fn short_functions_of_other_modules() {
    let of_duals = |x: &[H]| {
        let length = |x: &[H]| x.iter().fold(H::from(0.0), |s, x| s + *x * *x).sqrt();
        length(&x[1..]) * length(x)
    };
    check(
        "from a module inside",
        &wave(4, 0.2),
        &inner::lengths,
        &inner::lengths_grad,
        [&inner::lengths_hvp, &inner::lengths_hvp_rev],
        &of_duals,
    );
    use inner::deeper::{lengths_below, lengths_below_grad, lengths_below_hvp, lengths_below_hvp_rev};
    check(
        "from two modules inside",
        &wave(4, 0.2),
        &lengths_below,
        &lengths_below_grad,
        [&lengths_below_hvp, &lengths_below_hvp_rev],
        &of_duals,
    );
}
