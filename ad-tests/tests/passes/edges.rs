//! Loops whose first and last rounds are unlike the others: places that wrap around, and branches at an edge. Against hyper-dual
//! numbers, of as many numbers as make every round one at an edge, and of more.

use std::panic::catch_unwind;

use ad_runtime::differentiable;
use num_dual::{DualNum, HyperDual64 as H};

use super::{check, wave};
use ad_runtime::operators::HessianOperator as _;

fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).map(move |i| (i, (i + 1) % n))
}

/// Springs around a ring.
#[differentiable]
fn ring(x: &[f64]) -> f64 {
    let n = x.len();
    let mut e = 0.0;
    for i in 0..n {
        let d = x[(i + 1) % n] - x[i];
        e += 0.5 * d * d * x[i] + 0.25 * x[i] * x[i] * x[i] * x[i];
    }
    e
}

#[test]
fn one_step_around() {
    for n in [0, 1, 2, 3, 7, 40] {
        let of_duals = |x: &[H]| {
            pairs(x.len())
                .map(|(i, next)| (x[next] - x[i]).powi(2) * x[i] * 0.5 + x[i].powi(4) * 0.25)
                .fold(H::from(0.0), |sum, e| sum + e)
        };
        check("ring", &wave(n, 0.4), &ring, &ring_grad, [&ring_hvp, &ring_hvp_rev], &of_duals);
    }
}

/// Lorenz's model of 1996, which looks in both directions; with fewer than two numbers it asks for a place below zero.
#[differentiable(wrt(x))]
fn weather(x: &[f64], seen: &[f64], force: f64) -> f64 {
    let n = x.len();
    let mut loss = 0.0;
    for i in 0..n {
        let slope = (x[(i + 1) % n] - x[(i + n - 2) % n]) * x[(n + i - 1) % n] - x[i] + force;
        let e = slope - seen[i];
        loss += e * e * slope.cos();
    }
    loss
}

#[test]
fn both_ways_around() {
    for n in [2, 3, 4, 5, 40] {
        let seen = wave(n, 0.7);
        let of_duals = |x: &[H]| {
            let at = |i: usize, by: usize| x[(i + by) % n];
            (0..n).fold(H::from(0.0), |loss, i| {
                let slope = (at(i, 1) - at(i, n - 2)) * at(i, n - 1) - x[i] + 0.5;
                loss + (slope - seen[i]).powi(2) * slope.cos()
            })
        };
        check(
            "weather",
            &wave(n, 0.3),
            &|x| weather(x, &seen, 0.5),
            &|x, g| weather_grad(x, &seen, 0.5, g),
            [&|x, v, h| weather_hvp(x, &seen, 0.5, v, h), &|x, v, h| weather_hvp_rev(x, &seen, 0.5, v, h)],
            &of_duals,
        );
    }
}

/// A place below zero is asked for in the gradient too, where overflow is looked for.
#[test]
fn what_panics_panics() {
    if cfg!(debug_assertions) {
        assert!(catch_unwind(|| weather(&[1.0], &[1.0], 0.5)).is_err());
        assert!(catch_unwind(|| weather_grad(&[1.0], &[1.0], 0.5, &mut [0.0])).is_err());
    }
    // One observation too few.
    assert!(catch_unwind(|| weather(&[1.0; 5], &[1.0; 4], 0.5)).is_err());
    assert!(catch_unwind(|| weather_grad(&[1.0; 5], &[1.0; 4], 0.5, &mut [0.0; 5])).is_err());
}

/// Walls on both sides, in the ways in which they are written; from last to first, and of fewer rounds than there are numbers.
#[differentiable(wrt(u))]
fn walls(u: &[f64], a: f64, inner: usize) -> f64 {
    let n = u.len();
    let mut e = 0.0;
    for i in 0..n {
        let left = if i > 0 { u[i - 1] } else { a };
        let right = if i + 1 == n { -a } else { u[i + 1] };
        e += (left - 2.0 * u[i] + right).sin() * u[i];
    }
    for i in (0..n).rev() {
        let far = if i < n - 2 && i != 0 { u[i + 2] * u[i] } else { a * u[i] };
        let near = if 1 <= i { u[i - 1] } else { 0.5 };
        e = e * 0.99 + far * near * e.cos();
    }
    for i in 1..n - inner {
        let last = if i >= n - 2 { 2.0 } else { u[(i + 1) % n] };
        e += last * u[i % n] * u[i - 1];
    }
    e
}

#[test]
fn branches_at_edges() {
    for (n, inner) in [(2, 1), (3, 0), (3, 2), (4, 1), (6, 0), (33, 1), (33, 3)] {
        let of_duals = |u: &[H]| {
            let a = H::from(0.7);
            let mut e = H::from(0.0);
            for i in 0..n {
                let left = if i > 0 { u[i - 1] } else { a };
                let right = if i + 1 == n { -a } else { u[i + 1] };
                e += (left - u[i] * 2.0 + right).sin() * u[i];
            }
            for i in (0..n).rev() {
                let far = if i + 2 < n && i != 0 { u[i + 2] * u[i] } else { a * u[i] };
                let near = if i > 0 { u[i - 1] } else { H::from(0.5) };
                e = e * 0.99 + far * near * e.cos();
            }
            for i in 1..n - inner {
                let last = if i + 2 >= n { H::from(2.0) } else { u[i + 1] };
                e += last * u[i] * u[i - 1];
            }
            e
        };
        check(
            "walls",
            &wave(n, 0.3),
            &|u| walls(u, 0.7, inner),
            &|u, g| walls_grad(u, 0.7, inner, g),
            [&|u, v, h| walls_hvp(u, 0.7, inner, v, h), &|u, v, h| walls_hvp_rev(u, 0.7, inner, v, h)],
            &of_duals,
        );
    }
}

/// A grid without walls, several directions at once, and its operators.
#[differentiable]
fn torus(u: &[f64], rows: usize) -> f64 {
    let columns = u.len() / rows;
    let mut e = 0.0;
    for i in 0..rows {
        for j in 0..columns {
            let here = u[i * columns + j];
            let below = u[(i + 1) % rows * columns + j];
            let beside = u[i * columns + (j + 1) % columns];
            e += (1.0 + (here - below) * (here - below) + (here - beside) * (here - beside)).sqrt();
        }
    }
    e
}

#[test]
fn a_grid_without_walls() {
    for (rows, columns) in [(1, 1), (2, 3), (5, 4), (4, 21)] {
        let u = wave(rows * columns, 0.6);
        let of_duals = |u: &[H]| {
            let mut e = H::from(0.0);
            for i in 0..rows {
                for j in 0..columns {
                    let at = |i: usize, j: usize| u[i % rows * columns + j % columns];
                    let here = at(i, j);
                    e += ((here - at(i + 1, j)).powi(2) + (here - at(i, j + 1)).powi(2) + 1.0).sqrt();
                }
            }
            e
        };
        check(
            "torus",
            &u,
            &|u| torus(u, rows),
            &|u, g| torus_grad(u, rows, g),
            [&|u, v, h| torus_hvp(u, rows, v, h), &|u, v, h| torus_hvp_rev(u, rows, v, h)],
            &of_duals,
        );
        let v = wave(u.len(), 0.2);
        let (mut one, mut split, mut wide) =
            (vec![0.0; u.len()], vec![0.0; u.len()], vec![[0.0; 3]; u.len()]);
        torus_hvp(&u, rows, &v, &mut one);
        torus_linearize(&u, rows).apply(&v, &mut split);
        let lanes: Vec<[f64; 3]> = v.iter().map(|v| [*v, 0.0, -2.0 * v]).collect();
        torus_hvp_block(&u, rows, &lanes, &mut wide);
        for (k, one) in one.iter().enumerate() {
            let near = |other: f64| (one - other).abs() <= 1e-12 * (1.0 + one.abs());
            assert!(near(split[k]) && near(wide[k][0]) && near(-0.5 * wide[k][2]) && wide[k][1] == 0.0);
        }
    }
}
