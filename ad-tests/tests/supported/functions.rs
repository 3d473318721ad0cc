//! Signatures, several outputs, calls.

use ad_runtime::{Differentiable, differentiable};

use super::close;

#[test]
fn several_active_parameters() {
    #[differentiable]
    fn f(x: &[f64], s: f64, a: [f64; 2], n: usize) -> f64 {
        let mut sum = 0.0;
        for i in 0..n {
            sum += x[i] * x[i] * s * a[i % 2];
        }
        sum
    }
    let (mut g, mut hv) = ([0.0; 2], [0.0; 2]);
    let (value, (s_bar, a_bar)) = f_grad(&[1.0, 2.0], 3.0, [4.0, 5.0], 2, &mut g);
    assert_eq!((value, g, s_bar, a_bar), (72.0, [24.0, 60.0], 24.0, [3.0, 12.0]));
    let (hs, ha) = f_hvp(&[1.0, 2.0], 3.0, [4.0, 5.0], 2, &[1.0, 0.0], 1.0, [0.0, 1.0], &mut hv);
    assert_eq!((hv, hs, ha), ([32.0, 32.0], 12.0, [7.0, 4.0]));
}

#[test]
fn several_directions() {
    #[differentiable(wrt(x, c))]
    fn f(x: &[f64], c: f64, n: usize) -> f64 {
        let mut s = c;
        for _ in 0..n {
            s += x.iter().map(|x| (x * s).sin()).sum::<f64>();
        }
        s
    }
    let (x, c) = ([0.3, -0.7], 0.9);
    let directions = [[1.0, 0.0, 0.0, 2.0], [0.0, 1.0, 0.0, -1.0]];
    let of_c = [0.0, 0.0, 1.0, 0.5];
    let mut products = [[f64::NAN; 4]; 2];
    let products_of_c = f_hvp_block(&x, c, 3, &directions, of_c, &mut products);
    for k in 0..4 {
        let mut hv = [0.0; 2];
        let hc = f_hvp(&x, c, 3, &directions.map(|lanes| lanes[k]), of_c[k], &mut hv);
        crate::supported::close("a lane", &products.map(|lanes| lanes[k]), &hv, 1e-12);
        crate::supported::close("a lane of c", &[products_of_c[k]], &[hc], 1e-12);
    }
}

#[test]
fn wrt() {
    #[differentiable(wrt(w))]
    fn f(w: &[f64], features: &[f64], label: f64) -> f64 {
        let mut z = 0.0;
        for j in 0..w.len() {
            z += features[j] * w[j];
        }
        let e = z - label;
        e * e
    }
    check_slice!(vec![0.7, 1.3], &[0.2, -0.9], 0.5);
}

#[test]
fn only_some_products() {
    #[differentiable(only(grad, hvp))]
    fn f(x: f64) -> f64 {
        x * x * x
    }
    assert_eq!((f_grad(2.0), f_hvp(2.0, 1.0)), ((8.0, 12.0), 12.0));
    // Not generated, so the name is free.
    fn f_jvp() {}
    f_jvp();
}

#[test]
fn output_slices() {
    #[differentiable]
    fn f(x: &[f64], out: &mut [f64]) {
        for i in 0..out.len() {
            out[i] = x[i] * x[i + 1];
        }
        out[0] += x[0];
    }
    let (mut out, mut out_dot, mut x_bar) = ([0.0; 2], [0.0; 2], [0.0; 3]);
    f_jvp(&[1.0, 2.0, 3.0], &[1.0, 0.0, 1.0], &mut out, &mut out_dot);
    assert_eq!((out, out_dot), ([3.0, 6.0], [3.0, 2.0]));
    f_vjp(&[1.0, 2.0, 3.0], &[1.0, 10.0], &mut x_bar);
    assert_eq!(x_bar, [3.0, 31.0, 20.0]);
}

#[test]
fn returned_arrays() {
    #[differentiable]
    fn f(x: f64, y: f64) -> [f64; 2] {
        [x * y, x + y * y]
    }
    assert_eq!(f_jvp(2.0, 3.0, 1.0, 0.0), ([6.0, 11.0], [3.0, 1.0]));
    assert_eq!(f_vjp(2.0, 3.0, [1.0, 10.0]), (13.0, 62.0));
}

#[test]
fn returned_tuples() {
    #[differentiable]
    fn f(x: f64, y: f64) -> (f64, f64) {
        (x * y, x + y * y)
    }
    assert_eq!(f_jvp(2.0, 3.0, 1.0, 0.0), ((6.0, 11.0), (3.0, 1.0)));
    assert_eq!(f_vjp(2.0, 3.0, (1.0, 10.0)), (13.0, 62.0));
}

#[test]
fn returned_vectors() {
    #[differentiable]
    fn f(x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; x.len()];
        for i in 0..x.len() {
            out[i] = x[i] * x[0];
        }
        out
    }
    assert_eq!(f_jvp(&[2.0, 3.0], &[1.0, 0.0]), (vec![4.0, 6.0], vec![4.0, 3.0]));
    let mut x_bar = [0.0; 2];
    f_vjp(&[2.0, 3.0], &[1.0, 10.0], &mut x_bar);
    assert_eq!(x_bar, [34.0, 20.0]);
}

mod shared {
    use ad_runtime::differentiable;

    #[differentiable]
    pub(crate) fn softplus(z: f64) -> f64 {
        if z > 0.0 { z + (-z).exp().ln_1p() } else { z.exp().ln_1p() }
    }

    #[differentiable]
    pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
        let mut s = 0.0;
        for i in 0..a.len() {
            s += a[i] * b[i];
        }
        s
    }
}

#[test]
fn calls() {
    #[differentiable]
    fn square_of(a: f64) -> f64 {
        a * a
    }
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        square_of(x * y) + shared::softplus(x - square_of(y))
    }
    check_xy!(0.7, 1.3);
}

#[test]
fn calls_in_loops() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], rows: &[f64]) -> f64 {
        let n = x.len();
        let mut s = 0.0;
        for i in 0..rows.len() / n {
            s += shared::softplus(shared::dot(&rows[i * n..(i + 1) * n], x)) * x[0];
        }
        s
    }
    check_slice!(vec![0.7, 1.3], &[0.2, -0.9, 1.1, 0.4]);
}

#[test]
fn recursion() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        if x > 3.0 { x * y } else { f(x * 1.5, y + x) * y }
    }
    check_xy!(0.7, 1.3);
}

/// What a function hands itself bends, round after round: each of its derivatives runs it once for each of them.
#[test]
fn recursion_with_what_bends() {
    use std::cell::Cell;
    thread_local! {
        static RUNS: Cell<usize> = const { Cell::new(0) };
    }
    fn weight(n: usize) -> f64 {
        RUNS.set(RUNS.get() + 1);
        0.1 + 0.01 * n as f64
    }
    #[differentiable]
    fn tower(x: f64, y: f64, n: usize) -> f64 {
        let w = weight(n);
        if n == 0 { x * y } else { tower(x * y + 0.3, (x - y).sin(), n - 1) + w * x * y }
    }
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        if x > 3.0 { x * y } else { f(x * (1.4 + 0.1 * y * y), (x * y).sin()) * y }
    }
    check_xy!(0.7, 1.3);
    let (_, _, bend) = tower_curvature(0.4, 0.7, 100, 0.3, -0.8);
    assert!(RUNS.get() <= 2 * 101, "{} runs", RUNS.get());
    let (x, y) = tower_hvp(0.4, 0.7, 100, 0.3, -0.8);
    assert!((bend - (0.3 * x - 0.8 * y)).abs() < 1e-9 * (1.0 + bend.abs()), "{bend}");
}

struct Model {
    scale: f64,
}

impl Model {
    #[differentiable]
    fn energy(&self, x: f64, y: f64) -> f64 {
        self.scale * x * x * y + y.sin()
    }
}

#[test]
fn methods_of_types() {
    let model = Model { scale: 2.0 };
    let (value, (gx, gy)) = model.energy_grad(0.5, 1.5);
    close("gradient", &[value, gx, gy], &[0.75 + 1.5_f64.sin(), 3.0, 0.5 + 1.5_f64.cos()], 1e-15);
    let (hx, hy) = model.energy_hvp(0.5, 1.5, 1.0, 0.0);
    close("Hv", &[hx, hy], &[6.0, 2.0], 1e-15);
}

#[test]
fn lengths_by_const_generics() {
    #[differentiable]
    fn f<const N: usize>(x: &[f64; N]) -> f64 {
        let mut squares = [0.0; N];
        for i in 0..N {
            squares[i] = x[i] * x[i];
        }
        let mut s = 0.0;
        for i in 0..N {
            s += squares[i] * x[0];
        }
        s
    }
    let (mut g, mut hv) = ([0.0; 2], [0.0; 2]);
    let value = f_grad_hvp(&[0.5, 2.0], &[1.0, 0.0], &mut g, &mut hv);
    assert_eq!((value, g, hv), (2.125, [4.75, 2.0], [3.0, 4.0]));
}

#[differentiable(partials(root_slope))]
fn root(x: f64) -> f64 {
    x.powf(0.5)
}

#[differentiable]
fn root_slope(x: f64) -> f64 {
    0.5 / root(x)
}

#[test]
fn own_partials() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        root(x * y) * x
    }
    check_xy!(0.7, 1.4);
}

#[differentiable]
fn softmax(z: &[f64]) -> Vec<f64> {
    let sum: f64 = z.iter().map(|z| z.exp()).sum();
    z.iter().map(|z| z.exp() / sum).collect()
}

#[differentiable]
fn rotated((x, y): (f64, f64), angle: f64) -> (f64, f64) {
    let (s, c) = angle.sin_cos();
    (c * x - s * y, s * x + c * y)
}

#[differentiable]
fn squares(x: &[f64], out: &mut [f64]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = x * x;
    }
}

#[test]
fn helpers_of_any_shape() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let p = softmax(x);
        let mut q = vec![0.0; p.len()];
        squares(&p, &mut q);
        let (u, v) = rotated((q[0], q[1]), x[0]);
        u * v + q[2]
    }
    check_slice!(vec![0.7, -1.3, 0.4]);
}

#[derive(Clone, Copy, Differentiable)]
struct Pose {
    x: f64,
    y: f64,
}

#[differentiable]
fn turned(p: Pose, by: f64) -> Pose {
    Pose { x: p.x * by.cos() - p.y * by.sin(), y: p.x * by.sin() + p.y * by.cos() }
}

/// Gaussian elimination in place; the determinant.
#[differentiable]
fn solve(a: &mut [f64], b: &mut [f64]) -> Result<f64, String> {
    let n = b.len();
    let mut det = 1.0;
    for k in 0..n {
        if a[k * n + k].abs() < 1e-12 {
            return Err(format!("pivot {k}"));
        }
        det *= a[k * n + k];
        for i in k + 1..n {
            let f = a[i * n + k] / a[k * n + k];
            for j in k..n {
                a[i * n + j] -= f * a[k * n + j];
            }
            b[i] -= f * b[k];
        }
    }
    for k in (0..n).rev() {
        let mut s = b[k];
        for j in k + 1..n {
            s -= a[k * n + j] * b[j];
        }
        b[k] = s / a[k * n + k];
    }
    Ok(det)
}

#[differentiable]
fn outer(x: &[f64]) -> Vec<Vec<f64>> {
    x.iter().map(|a| x.iter().map(|b| a * b).collect()).collect()
}

#[differentiable]
fn largest(x: &[f64]) -> (f64, usize) {
    let mut k = 0;
    for i in 0..x.len() {
        if x[i] > x[k] {
            k = i;
        }
    }
    (x[k], k)
}

#[differentiable]
fn grow(v: &mut Vec<f64>, sum: &mut f64) {
    *sum *= v[0];
    v.push(*sum);
}

#[test]
fn helpers_without_derivatives() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let p = turned(turned(Pose { x: x[0], y: x[1] }, x[2]), 0.5);
        let mut a = vec![3.0 + p.x, x[1], x[2], 4.0 + p.y];
        let mut b = x[..2].to_vec();
        let Ok(det) = solve(&mut a, &mut b) else { return 0.0 };
        let rows = outer(&b);
        let (top, k) = largest(x);
        let mut sum = det;
        grow(&mut b, &mut sum);
        rows[0][1] * top + x[k] * b[2] + sum
    }
    check_slice!(vec![0.7, -1.3, 0.4]);
}

#[test]
fn early_results() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        fn first(x: &[f64], above: f64) -> Option<[f64; 2]> {
            for i in 0..x.len() {
                if x[i] > above {
                    return Some([x[i], x[0] * above]);
                }
            }
            None
        }
        fn from(x: &[f64], above: f64) -> &[f64] {
            for i in 0..x.len() {
                if x[i] > above {
                    return &x[i..];
                }
            }
            x
        }
        fn powers(x: f64, n: usize) -> Vec<f64> {
            let mut list = vec![1.0];
            if n == 0 {
                return Vec::new();
            }
            loop {
                if list.len() == n {
                    return list;
                }
                list.push(list[list.len() - 1] * x);
            }
        }
        let a = first(x, 0.0).map_or(0.0, |a| a[0] * a[1]) + first(x, 0.5).map_or(0.0, |a| a[0] * a[1] * 3.0);
        let none = first(x, 9.0).is_none() && powers(x[0], 0).is_empty();
        let b: f64 = powers(from(x, 0.6)[0], 4).iter().sum();
        if none { a * b } else { 0.0 }
    }
    check_slice!(vec![-0.7, 0.3, 0.8]);
}

#[test]
fn operators() {
    use ad_runtime::operators::HessianOperator;
    #[differentiable]
    fn f(x: &[f64], s: f64) -> f64 {
        x[0] * x[0] * x[1] * s
    }
    let (x, mut product, mut gradient) = ([2.0, 3.0], [0.0; 3], [0.0; 3]);
    let lazy = f_hessian(&x, 5.0);
    assert_eq!(lazy.gradient(&mut gradient), 60.0);
    lazy.apply(&[1.0, 0.0, 0.0], &mut product);
    assert_eq!((gradient, product), ([60.0, 20.0, 12.0], [30.0, 20.0, 12.0]));

    let linearised = f_linearize(&x, 5.0);
    assert_eq!((linearised.value(), linearised.gradient()), (60.0, &gradient[..]));
    linearised.apply(&[0.0, 0.0, 1.0], &mut product);
    assert_eq!(product, [12.0, 4.0, 0.0]);

    let sparsity = f_sparsity(&x, 5.0);
    assert!(sparsity.for_all_inputs);
    assert!(sparsity.pattern.position(1, 1).is_none() && sparsity.pattern.position(2, 1).is_some());
}

// Inside a function, it is no test of the suite, but can be called.
#[allow(unnameable_test_items)]
#[test]
fn own_checks() {
    #[differentiable(wrt(x), check(x = [1.0, 2.0], k = 3))]
    fn f(x: &[f64], k: i32) -> f64 {
        x[0].powi(k) * x[1].sin()
    }
    f_check();
}

#[test]
fn owned_vectors() {
    #[differentiable]
    fn f(mut x: Vec<f64>, k: f64) -> f64 {
        x.push(k);
        for v in x.iter_mut() {
            *v *= *v * k;
        }
        x.into_iter().sum()
    }
    let mut x_bar = [0.0; 2];
    let (value, k_bar) = f_grad(vec![2.0, 3.0], 5.0, &mut x_bar);
    assert_eq!((value, x_bar, k_bar), (65.0 + 125.0, [20.0, 30.0], 13.0 + 75.0));
    let hk = f_hvp(vec![2.0, 3.0], 5.0, &[1.0, 0.0], 2.0, &mut x_bar);
    // (2 k, 0 | 2 x_0; 30) of (1, 0, 2)
    assert_eq!((x_bar, hk), ([10.0 + 2.0 * 4.0, 2.0 * 6.0], 4.0 + 2.0 * 30.0));
}

#[differentiable]
fn area(f: impl Fn(f64) -> f64, to: f64, n: usize) -> f64 {
    let h = to / n as f64;
    (0..n).map(|i| f((i as f64 + 0.5) * h)).sum::<f64>() * h
}

#[test]
fn helpers_that_take_functions() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        area(|t| (x[0] * t).sin() + t, x[1], 4) * area(|t| t * t, x[2], 3)
    }
    check_slice!(vec![0.7, 1.3, 0.4]);
}

#[derive(Clone, Copy)]
struct Complex {
    re: f64,
    im: f64,
}

#[differentiable]
impl Complex {
    const I: Complex = Complex { re: 0.0, im: 1.0 };

    fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }

    fn norm_sqr(&self) -> f64 {
        self.re * self.re + self.im * self.im
    }

    fn turn(&mut self, by: f64) {
        *self = *self * Complex::new(by.cos(), by.sin());
    }
}

#[differentiable]
impl std::ops::Mul for Complex {
    type Output = Complex;

    fn mul(self, other: Self) -> Self {
        Self::new(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)
    }
}

#[differentiable]
impl std::ops::Mul<f64> for Complex {
    type Output = Complex;

    fn mul(self, by: f64) -> Self {
        Self::new(self.re * by, self.im * by)
    }
}

#[differentiable]
impl std::ops::AddAssign for Complex {
    fn add_assign(&mut self, other: Self) {
        self.re += other.re;
        self.im += other.im;
    }
}

#[differentiable]
impl std::ops::Neg for Complex {
    type Output = Complex;

    fn neg(self) -> Self {
        Self::new(-self.re, -self.im)
    }
}

#[test]
fn methods_and_operators_of_own_structs() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut z = Complex::new(x[0], x[1]);
        let mut sum = Complex::I;
        for k in 0..3 {
            z = z * z * 0.5;
            z.turn(x[2]);
            sum += -z * k as f64;
        }
        sum.norm_sqr() + sum.re
    }
    check_slice!(vec![0.7, -1.3, 0.4]);
}

#[test]
fn methods_of_data_that_take_functions() {
    struct Rule {
        nodes: Vec<(f64, f64)>,
    }
    #[differentiable]
    impl Rule {
        fn place(x: f64, a: f64, b: f64) -> f64 {
            0.5 * ((b - a) * x + (b + a))
        }
        fn integrate<F>(&self, a: f64, b: f64, f: F) -> f64
        where
            F: Fn(f64) -> f64,
        {
            let sum: f64 = self.nodes.iter().map(|(x, w)| f(Self::place(*x, a, b)) * w).sum();
            0.5 * (b - a) * sum
        }
    }
    #[differentiable(wrt(x, y))]
    fn with_rule(rule: &Rule, x: f64, y: f64) -> f64 {
        rule.integrate(0.0, x, |t| (t * y).powi(3))
    }
    let root = (1.0_f64 / 3.0).sqrt();
    let rule = Rule { nodes: vec![(-root, 1.0), (root, 1.0)] };
    // x^4 y^3 / 4
    let (value, (gx, gy)) = with_rule_grad(&rule, 1.2, 0.7);
    let (x, y) = (1.2_f64, 0.7_f64);
    assert!((value - 0.25 * x.powi(4) * y.powi(3)).abs() < 1e-14);
    assert!((gx - x.powi(3) * y.powi(3)).abs() < 1e-14 && (gy - 0.75 * x.powi(4) * y * y).abs() < 1e-14);
    let (hx, hy) = with_rule_hvp(&rule, x, y, 1.0, 0.0);
    assert!((hx - 3.0 * x * x * y.powi(3)).abs() < 1e-13 && (hy - 3.0 * x.powi(3) * y * y).abs() < 1e-13);
}

#[test]
fn helpers_that_say_what_is_active() {
    #[differentiable(wrt(v))]
    fn scaled(k: usize, v: &[f64]) -> Vec<Vec<f64>> {
        v.iter().map(|a| vec![a * k as f64; k]).collect()
    }
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let rows = scaled(2, x);
        rows[0][1] * rows[1][0]
    }
    check_slice!([0.4, 1.3]);
}

#[test]
fn helpers_with_type_parameters() {
    #[differentiable]
    fn softmax<const K: usize>(z: &[f64; K]) -> [f64; K] {
        let weights = z.map(f64::exp);
        let total: f64 = weights.iter().sum();
        weights.map(|w| w / total)
    }
    #[differentiable]
    fn doubled<const N: usize>(x: f64) -> [f64; N] {
        std::array::from_fn(|k| x * (k + N) as f64)
    }
    #[differentiable]
    fn ends<T: num_traits::Float>(v: &[T]) -> (T, T) {
        (v[0] * v[1], v[v.len() - 1])
    }
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let p = softmax(&[x[0], x[1], x[2]]);
        let q = softmax(&[x[0] * x[1], x[2]]);
        let (a, b) = ends(x);
        let many = doubled::<4>(x[1]);
        p[0] * q[1] + p[2] * a.sin() + b * many[3]
    }
    check_slice!([0.4, 1.3, -0.2]);
}

#[test]
fn helpers_that_take_iterators() {
    #[differentiable]
    fn log_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
        let top = terms.clone().fold(f64::MIN, |m, t| m.max(t));
        top + terms.map(|t| (t - top).exp()).sum::<f64>().ln()
    }
    #[differentiable]
    fn squares<I>(terms: I) -> f64
    where
        I: IntoIterator<Item = f64>,
    {
        terms.into_iter().map(|t| t * t).sum()
    }
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        log_sum_exp(x.iter().zip(&x[1..]).map(|(a, b)| a * b)) * squares(x.iter().copied())
    }
    check_slice!([0.4, 1.3, -0.2]);
}

#[test]
fn functions_as_values() {
    #[differentiable]
    fn damped(v: f64, by: f64) -> f64 {
        v * (-by * v).exp()
    }
    #[differentiable]
    fn combine(a: &[f64], b: &[f64], op: impl Fn(f64, f64) -> f64) -> f64 {
        a.iter().zip(b).map(|(a, b)| op(*a, *b)).sum()
    }
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let pick = f64::atan2;
        combine(x, &x[1..], f64::mul) + combine(x, &x[1..], damped) * pick(x[0], x[1])
    }
    use std::ops::Mul;
    check_slice!([0.4, 1.3, -0.2]);
}
