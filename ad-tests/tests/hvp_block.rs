//! `f_hvp_block::<K>`: each lane is the product with that lane's direction, for every kind of parameter that can have it.
#![allow(missing_docs, clippy::ptr_arg)]
#![forbid(unsafe_code)]

use ad_runtime::differentiable;
use ad_runtime::operators::{Dense, HessianOperator};
use num_traits::Float;

/// Lane `k` of `n` directions that have nothing to do with each other.
fn direction(i: usize, k: usize) -> f64 {
    ((i * 7 + k * 13 + 3) as f64 * 0.754_877_666).fract() * 2.0 - 1.0
}

fn lanes<const K: usize>(n: usize) -> Vec<[f64; K]> {
    (0..n).map(|i| std::array::from_fn(|k| direction(i, k))).collect()
}

fn lane<const K: usize>(block: &[[f64; K]], k: usize) -> Vec<f64> {
    block.iter().map(|lanes| lanes[k]).collect()
}

fn close(found: f64, wanted: f64) {
    assert!((found - wanted).abs() <= 1e-12 * (1.0 + wanted.abs()), "{found} and {wanted}");
}

/// All lanes of `block` against `single`, for functions of a slice.
fn check<const K: usize>(
    n: usize,
    single: impl Fn(&[f64], &mut [f64]),
    block: impl Fn(&[[f64; K]], &mut [[f64; K]]),
) {
    let v = lanes::<K>(n);
    // Overwritten, whatever it held.
    let mut hv = vec![[f64::NAN; K]; n];
    block(&v, &mut hv);
    for k in 0..K {
        let mut wanted = vec![0.0; n];
        single(&lane(&v, k), &mut wanted);
        lane(&hv, k).into_iter().zip(wanted).for_each(|(a, b)| close(a, b));
    }
}

/// As [`check`], for blocks of 1, 3 and 8.
macro_rules! check_widths {
    ($n:expr, |$v:ident, $hv:ident| $single:expr, $block:expr) => {
        check::<1>($n, |$v, $hv| $single, |$v, $hv| $block);
        check::<3>($n, |$v, $hv| $single, |$v, $hv| $block);
        check::<8>($n, |$v, $hv| $single, |$v, $hv| $block);
    };
}

#[differentiable]
fn two(x: f64, y: f64) -> f64 {
    x * x * y + y.sin()
}

#[test]
fn scalars() {
    let [dx, dy] = [0, 1].map(|i| std::array::from_fn::<f64, 3, _>(|k| direction(i, k)));
    let (hx, hy) = two_hvp_block(1.5, 0.3, dx, dy);
    for k in 0..3 {
        let (wx, wy) = two_hvp(1.5, 0.3, dx[k], dy[k]);
        close(hx[k], wx);
        close(hy[k], wy);
    }
    assert_eq!(two_hvp_block::<0>(1.5, 0.3, [], []), ([], []));
    // One number alone comes back alone.
    let h: [f64; 2] = cube_hvp_block(2.0, [1.0, 10.0]);
    assert_eq!(h, [12.0, 120.0]);
}

#[differentiable]
fn cube(x: f64) -> f64 {
    x * x * x
}

#[differentiable]
fn chain(x: &[f64]) -> f64 {
    let mut s = 0.0;
    for i in 1..x.len() {
        let e = x[i] - x[i - 1] * x[i - 1];
        s += e * e * (0.1 * x[i]).cos();
    }
    s
}

#[test]
fn slices() {
    let x: Vec<f64> = (0..7).map(|i| 0.3 * f64::from(i) - 1.0).collect();
    check_widths!(7, |v, hv| chain_hvp(&x, v, hv), chain_hvp_block(&x, v, hv));
}

#[test]
#[should_panic(expected = "chain_hvp_block: argument `x_dot` has length 3, expected 4, the length of `x`")]
fn wrong_lengths() {
    chain_hvp_block(&[0.0; 4], &[[0.0; 2]; 3], &mut [[0.0; 2]; 4]);
}

#[differentiable]
fn arrays(a: &[f64; 3], m: [[f64; 2]; 3], c: f64) -> f64 {
    let mut s = c * c * c;
    for i in 0..3 {
        for j in 0..2 {
            s += (a[i] * m[i][j]).exp() * c;
        }
    }
    s
}

#[test]
fn arrays_by_reference_and_by_value() {
    let (a, m, c) = ([0.1, -0.4, 0.7], [[0.2, 0.3], [-0.5, 1.1], [0.9, 0.6]], 0.8);
    let da: [[f64; 3]; 3] = std::array::from_fn(|i| std::array::from_fn(|k| direction(i, k)));
    let dm: [[[f64; 3]; 2]; 3] = std::array::from_fn(|i| {
        std::array::from_fn(|j| std::array::from_fn(|k| direction(3 + 2 * i + j, k)))
    });
    let dc = std::array::from_fn(|k| direction(20, k));
    let mut ha = [[f64::NAN; 3]; 3];
    let (hm, hc) = arrays_hvp_block(&a, m, c, &da, dm, dc, &mut ha);
    for k in 0..3 {
        let mut wa = [0.0; 3];
        let (wm, wc) =
            arrays_hvp(&a, m, c, &da.map(|l| l[k]), dm.map(|row| row.map(|l| l[k])), dc[k], &mut wa);
        close(hc[k], wc);
        for i in 0..3 {
            close(ha[i][k], wa[i]);
            (0..2).for_each(|j| close(hm[i][j][k], wm[i][j]));
        }
    }
}

#[differentiable(wrt(x))]
fn vector(x: &Vec<f64>, scale: &[f64]) -> f64 {
    x.iter().zip(scale).map(|(x, s)| (x * s).tanh()).sum()
}

#[differentiable(wrt(rows))]
fn rows(rows: &[[f64; 2]]) -> f64 {
    rows.iter().map(|[a, b]| (a * b).sin() + a * a * b).sum()
}

#[test]
fn vectors_and_rows() {
    let (x, scale) = (vec![0.5, -0.2, 0.9], [1.0, 2.0, 3.0]);
    check_widths!(3, |v, hv| vector_hvp(&x, &scale, &v.to_vec(), hv), vector_hvp_block(&x, &scale, v, hv));
    let x = [[0.3, 0.4], [1.0, -0.5]];
    let v = [[[1.0, 2.0, 0.0], [0.5, -1.0, 0.0]], [[0.0, 0.25, 1.0], [3.0, 0.0, 0.0]]];
    let mut hv = [[[f64::NAN; 3]; 2]; 2];
    rows_hvp_block(&x, &v, &mut hv);
    for k in 0..3 {
        let mut wanted = [[0.0; 2]; 2];
        rows_hvp(&x, &v.map(|row| row.map(|l| l[k])), &mut wanted);
        for i in 0..2 {
            (0..2).for_each(|j| close(hv[i][j][k], wanted[i][j]));
        }
    }
}

#[differentiable(wrt(x))]
fn single(x: &[f32], c: f32) -> f32 {
    x.iter().map(|x| (c * x * x).exp()).sum()
}

#[differentiable]
fn general<T: Float>(x: &[T], c: T) -> T {
    let mut s = T::zero();
    for i in 0..x.len() {
        s = s + (c * x[i]).sin() * x[i];
    }
    s
}

#[test]
fn single_precision_and_generic_floats() {
    let x = [0.1_f32, 0.5, -0.3];
    let v = [[1.0_f32, 0.0], [0.0, 1.0], [2.0, -1.0]];
    let mut hv = [[f32::NAN; 2]; 3];
    single_hvp_block(&x, 0.7, &v, &mut hv);
    for k in 0..2 {
        let mut wanted = [0.0_f32; 3];
        single_hvp(&x, 0.7, &v.map(|l| l[k]), &mut wanted);
        (0..3).for_each(|i| assert!((hv[i][k] - wanted[i]).abs() <= 1e-6 * (1.0 + wanted[i].abs())));
    }
    let x = [0.1, 0.5, -0.3];
    let v = v.map(|l| l.map(f64::from));
    let mut hv = [[f64::NAN; 2]; 3];
    let hc = general_hvp_block::<f64, 2>(&x, 0.7, &v, [1.0, -0.5], &mut hv);
    for (k, dc) in [1.0, -0.5].into_iter().enumerate() {
        let mut wanted = [0.0; 3];
        close(hc[k], general_hvp(&x, 0.7, &v.map(|l| l[k]), dc, &mut wanted));
        (0..3).for_each(|i| close(hv[i][k], wanted[i]));
    }
}

#[differentiable(wrt(x))]
fn branches(x: &[f64], kind: usize) -> f64 {
    let mut s = 1.0;
    for i in 0..x.len() {
        if x[i] > 0.0 {
            s += x[i].powi(3) * s;
        } else if kind == 1 {
            s -= x[i] * x[i];
        }
        if s > 50.0 {
            break;
        }
    }
    let mut t = s;
    while t > 1.0 {
        t *= 0.5 * x[0].cos();
    }
    s * t
}

#[test]
fn branches_and_loops_that_end_early() {
    let x = [0.4, -0.3, 1.2, 0.9, -2.0, 1.7];
    for kind in 0..2 {
        check_widths!(6, |v, hv| branches_hvp(&x, kind, v, hv), branches_hvp_block(&x, kind, v, hv));
    }
}

/// Carries scalars and an array, and saves them.
#[differentiable(wrt(x))]
fn saved(x: &[f64], steps: usize) -> f64 {
    let (mut p, mut q) = (x[0], x[1]);
    let mut state = [x[0], x[1], x[0] * x[1]];
    for t in 0..steps {
        (p, q) = (p + 0.1 * q.sin(), q - 0.1 * p * p);
        for i in 0..3 {
            state[i] = state[i] * (0.1 * p).cos() + 0.01 * t as f64 * state[(i + 1) % 3];
        }
    }
    p * q + state[0] * state[1] * state[2]
}

/// Sorts as it goes: elements change places, and a vector grows.
#[differentiable(wrt(x))]
fn memory(x: &[f64]) -> f64 {
    let mut squares = Vec::new();
    for i in 0..x.len() {
        if x[i] > -1.0 {
            squares.push(x[i] * x[i]);
        }
    }
    let n = squares.len();
    for i in 1..n {
        let before = squares[i - 1];
        squares[i] += before * x[i];
        squares.swap(i, n - 1 - i);
    }
    squares.iter().sum::<f64>().ln()
}

#[test]
fn saved_states() {
    check_widths!(2, |v, hv| saved_hvp(&[0.5, 0.8], 9, v, hv), saved_hvp_block(&[0.5, 0.8], 9, v, hv));
    let x = [0.3, -2.0, 0.8, -0.4, 1.5];
    check_widths!(5, |v, hv| memory_hvp(&x, v, hv), memory_hvp_block(&x, v, hv));
}

/// Linear: there is no second derivative, and the product is zero in all lanes.
#[differentiable]
fn linear(x: &[f64], c: f64) -> f64 {
    x.iter().sum::<f64>() + 3.0 * c
}

#[test]
fn functions_without_curvature() {
    let mut hv = [[f64::NAN; 4]; 3];
    let hc = linear_hvp_block(&[1.0, 2.0, 3.0], 4.0, &[[1.0; 4]; 3], [1.0; 4], &mut hv);
    assert_eq!((hv, hc), ([[0.0; 4]; 3], [0.0; 4]));
}

struct Scale {
    by: f64,
}

impl Scale {
    #[differentiable]
    fn energy(&self, x: &[f64]) -> f64 {
        x.iter().map(|x| (self.by * x).cosh()).sum()
    }
}

/// The name of the parameter is free.
const LANES: usize = 3;

#[differentiable]
fn named<const N: usize>(x: &[f64; N]) -> f64 {
    let mut s = 0.0;
    for i in 0..N {
        s += x[i].powi(LANES as i32);
    }
    s
}

#[test]
fn methods_and_names() {
    let scale = Scale { by: 0.7 };
    check_widths!(
        2,
        |v, hv| scale.energy_hvp(&[0.3, 0.4], v, hv),
        scale.energy_hvp_block(&[0.3, 0.4], v, hv)
    );
    let mut hv = [[0.0; 2]; 2];
    named_hvp_block::<2, 2>(&[1.0, 2.0], &[[1.0, 0.0], [0.0, 1.0]], &mut hv);
    assert_eq!(hv, [[6.0, 0.0], [0.0, 12.0]]);
}

#[differentiable]
fn mixed(x: &[f64], c: f64, y: &[f64; 2]) -> f64 {
    let mut s = 0.0;
    for i in 0..x.len() {
        s += (c * x[i]).sin() * y[i % 2];
    }
    s * s
}

/// What the operator takes by blocks is what it takes one by one.
#[test]
fn operators_take_blocks() {
    let (x, y) = ([0.1, 0.2, 0.3, 0.4, 0.5], [0.7, -0.6]);
    let hessian = mixed_hessian(&x, 1.1, &y);
    for count in 1..=20 {
        let directions: Vec<f64> = (0..8 * count).map(|i| direction(i, i)).collect();
        let mut products = vec![f64::NAN; 8 * count];
        hessian.apply_block(&directions, &mut products);
        for (v, found) in directions.chunks_exact(8).zip(products.chunks_exact(8)) {
            let mut wanted = [0.0; 8];
            hessian.apply(v, &mut wanted);
            found.iter().zip(wanted).for_each(|(a, b)| close(*a, b));
        }
    }
    let dense = Dense::of(&hessian);
    assert_eq!(dense.dim(), 8);
}

/// A reduction has no need of memory, with lanes neither.
#[test]
fn no_allocation() {
    let (x, v, mut hv) = ([0.5; 20], [[0.1; 8]; 20], [[0.0; 8]; 20]);
    let info = allocation_counter::measure(|| chain_hvp_block(&x, &v, &mut hv));
    assert_eq!(info.count_total, 0);
}
