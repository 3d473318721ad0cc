//! Methods under the attribute and the `impl` blocks around them; what the file around a function tells.

use ad_runtime::{Differentiable, differentiable};
use std::ops::Mul;

#[derive(Clone, Copy, Default, Differentiable)]
struct Rod {
    length: f64,
    count: usize,
}

/// The same fields as another.
#[derive(Clone, Copy, Default, Differentiable)]
struct Beam {
    length: f64,
    count: usize,
}

impl Rod {
    const UNIT: f64 = 3.0;

    #[differentiable]
    fn made(length: f64) -> Self {
        Self { length, ..Default::default() }
    }
    #[differentiable(wrt(self))]
    fn area(&self, width: f64) -> f64 {
        Self::UNIT * self.length * self.length * width
    }
}

impl Beam {
    #[differentiable(wrt(self, width))]
    fn area(&self, width: f64) -> f64 {
        self.length.powi(3) * width * width
    }
}

impl Mul for Beam {
    type Output = Beam;

    // On the method, where the block is a trait's.
    #[differentiable(wrt(self, other))]
    fn mul(self, other: Beam) -> Beam {
        Beam { length: self.length * other.length, count: self.count + other.count }
    }
}

pub(crate) trait Weighed {
    fn weight(&self, width: f64) -> f64;
}

impl Weighed for Rod {
    // What is generated is the type's, not the trait's.
    #[differentiable(wrt(self, width))]
    fn weight(&self, width: f64) -> f64 {
        self.length.powi(2) * width.powi(3)
    }
}

impl Rod {
    #[differentiable]
    fn cubed(x: f64) -> f64 {
        x * x * x
    }
}

/// The same text as that of a function in a block.
#[differentiable]
fn cubed(x: f64) -> f64 {
    x * x * x
}

/// A parameter that is no number, beside a float.
#[derive(Differentiable)]
struct Ring<T, const LEVELED: bool> {
    stiffness: Vec<T>,
}

impl<T: num_traits::Float + std::iter::Sum, const LEVELED: bool> Ring<T, LEVELED> {
    #[differentiable]
    fn energy(&self, x: &[T]) -> T {
        let n = x.len();
        let bends = (0..n).map(|i| {
            let d = x[(i + 1) % n] - x[i];
            self.stiffness[i] * d * d * d
        });
        let level = if LEVELED { x[0] * x[0] } else { T::zero() };
        bends.sum::<T>() + level
    }
    #[differentiable]
    fn total(&self, x: &[T], scale: T) -> T {
        self.energy(x) * scale
    }
}

#[test]
fn attributes_on_methods_know_their_block() {
    let (mut g, rod) = (Rod::default(), Rod { length: 2.0, count: 1 });
    assert_eq!(rod.weight_grad(0.5, &mut g), (rod.weight(0.5), 3.0));
    assert_eq!(g.length, 0.5);
    assert_eq!((cubed_grad(2.0), Rod::cubed_grad(2.0)), ((8.0, 12.0), (8.0, 12.0)));
    let ring = Ring::<f64, true> { stiffness: vec![1.0, 2.0, 0.5] };
    let (x, mut hv) = ([0.3, -0.4, 0.8], [0.0; 3]);
    let mut g = [0.0; 3];
    let (value, slope) = ring.total_grad(&x, 2.0, &mut g);
    // -0.343 + 3.456 - 0.0625 + 0.09
    assert!((value - 2.0 * slope).abs() < 1e-12 && (slope - 3.1405).abs() < 1e-12);
    let h = ring.total_hvp(&x, 2.0, &[1.0, 0.0, 0.0], 0.0, &mut hv);
    // d²/dx₀² of (x₁ - x₀)³ + 0.5 (x₀ - x₂)³ + x₀², doubled; and the gradient's first entry, undoubled.
    assert!((hv[0] - 2.0 * (6.0 * -0.7 + 3.0 * -0.5 + 2.0)).abs() < 1e-12 && (h - 0.5 * g[0]).abs() < 1e-12);

    let mut g = Rod::default();
    assert_eq!(rod.area_grad(0.5, &mut g), 6.0);
    assert_eq!(g.length, 6.0);
    let (mut g, beam) = (Beam::default(), Beam { length: 2.0, count: 1 });
    assert_eq!(beam.area_grad(0.5, &mut g), (2.0, 8.0));
    assert_eq!(g.length, 3.0);
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let beams = Beam { length: x[0], count: 2 } * Beam { length: x[1].sin(), count: 1 };
        let rod = Rod::made(x[2]);
        cubed(x[0])
            + Rod::cubed(x[1])
            + beams.area(x[2]) * beams.count as f64
            + rod.area(0.7)
            + rod.count as f64
    }
    check_slice!([0.7, 1.2, -0.4]);
}

/// Nothing is derived: it is data.
struct Table<const N: usize> {
    knots: [f64; N],
}

impl<const N: usize> Table<N> {
    // Which one it is has no derivative.
    #[differentiable]
    fn place(&self, t: f64) -> usize {
        self.knots.partition_point(|&k| k <= t).clamp(1, N - 1) - 1
    }
    #[differentiable]
    fn at(&self, c: &[f64], t: f64) -> f64 {
        let k = self.place(t);
        let s = (t - self.knots[k]) / (self.knots[k + 1] - self.knots[k]);
        c[k] * (1.0 - s) * (1.0 - s) + c[k + 1] * s * s
    }
}

#[test]
fn methods_of_data_of_any_length() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], table: &Table<4>, times: &[f64]) -> f64 {
        times.iter().map(|t| table.at(x, t + 0.1 * x[0]).powi(2)).sum()
    }
    check_slice!([0.7, 1.2, -0.4, 0.5], &Table { knots: [0.0, 1.0, 2.5, 3.0] }, &[0.3, 1.4, 2.2]);
}

#[derive(Clone, Copy, Differentiable)]
struct Complex {
    re: f64,
    im: f64,
}

#[differentiable(wrt(self, other))]
impl Mul for Complex {
    type Output = Complex;
    fn mul(self, other: Complex) -> Complex {
        Complex { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }
}

#[differentiable(wrt(self, phase))]
impl Complex {
    fn turned(&self, phase: f64, scale: f64) -> f64 {
        scale * (self.re * phase.cos() + self.im * phase.sin())
    }
}

#[test]
fn options_of_blocks() {
    let (z, mut g) = (Complex { re: 0.3, im: -0.8 }, Complex { re: 0.0, im: 0.0 });
    let (value, slope) = z.turned_grad(0.4, 2.0, &mut g);
    assert_eq!(value, z.turned(0.4, 2.0));
    assert!((g.re - 2.0 * 0.4_f64.cos()).abs() < 1e-15 && (g.im - 2.0 * 0.4_f64.sin()).abs() < 1e-15);
    assert!((slope - 2.0 * (-z.re * 0.4_f64.sin() + z.im * 0.4_f64.cos())).abs() < 1e-15);
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let z = Complex { re: x[0], im: x[1] } * Complex { re: x[1], im: x[2] };
        z.turned(x[2], 1.5) * z.re
    }
    check_slice!([0.7, 1.2, -0.4]);
}

struct Bounds {
    lower: f64,
}

impl Bounds {
    #[differentiable]
    fn checked(&self, x: &[f64]) -> Result<(), String> {
        if x.is_empty() {
            return Err("no number".to_string());
        }
        match x.iter().position(|v| *v < self.lower) {
            Some(at) => Err(format!("number {at} is too small")),
            None => Ok(()),
        }
    }
    #[differentiable]
    fn logs(&self, x: &[f64]) -> Result<f64, String> {
        self.checked(x)?;
        Ok(x.iter().map(|v| (v - self.lower).ln()).sum())
    }
}

#[test]
fn functions_that_only_check() {
    let (bounds, mut g) = (Bounds { lower: -1.0 }, [0.0; 2]);
    assert_eq!(bounds.logs_grad(&[0.0, 1.0], &mut g), Ok(2.0_f64.ln()));
    assert_eq!(g, [1.0, 0.5]);
    let mut h = [0.0; 2];
    assert_eq!(bounds.logs_hvp(&[0.0, 1.0], &[1.0, 2.0], &mut h), Ok(()));
    assert_eq!(h, [-1.0, -0.5]);
    assert_eq!(bounds.logs_grad(&[0.0, -2.0], &mut g), Err("number 1 is too small".to_string()));
}

const SCALE: Complex = Complex { re: 2.0, im: -0.5 };
const STAGES: [(f64, f64); 3] = [(0.3, 1.0), (0.7, -2.0), (1.1, 0.5)];

struct Softly;

pub(crate) trait Shape {
    fn bent(&self, y: f64, sharpness: f64) -> f64;
}

#[differentiable]
impl Shape for Softly {
    fn bent(&self, y: f64, sharpness: f64) -> f64 {
        (y * sharpness).exp().ln_1p() / sharpness
    }
}

#[test]
fn methods_of_constants() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let [a, b, c] = STAGES.map(|(rate, weight)| weight * (rate * x[0]).exp());
        SCALE.turned(x[1], 0.8) * a + Softly.bent(x[2], 2.0 + x[1]) * b * c
    }
    check_slice!([0.7, 1.2, -0.4]);
}

type Pairs = Vec<[f64; 2]>;
type Numbers = Vec<f64>;

#[differentiable]
fn spread(z: &Numbers, scale: f64) -> f64 {
    z.iter().map(|v| (v * scale).cosh()).sum()
}

#[test]
fn aliases_in_expressions_and_vectors_that_were_pushed_to() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut pairs = Pairs::new();
        let mut all = Numbers::with_capacity(x.len());
        for (k, v) in x.iter().enumerate() {
            pairs.push([*v, v * v]);
            all.push(v.sin() * k as f64);
        }
        spread(&all, x[1]) + pairs.iter().map(|p| p[0] * p[1]).sum::<f64>()
    }
    check_slice!([0.7, 1.2, -0.4]);
}

#[test]
fn parts_of_arrays_that_change() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut v = vec![0.0; 4];
        v.as_mut_slice().fill(2.0);
        let a = v[0];
        v.split_at_mut(2).0.fill(3.0);
        let (b, c) = (v[1], v[2]);
        (a * x[0]).sin() + (b * x[1]).cos() * c * x[2]
    }
    check_slice!([0.7, 1.2, -0.4]);
}

struct Tank {
    gain: f64,
}

impl Tank {
    /// It has no derivatives of its own: what was in `level` counts.
    #[differentiable(wrt(level, inflow))]
    fn advance(&self, level: &mut [f64; 2], inflow: f64) {
        let [upper, lower] = *level;
        level[0] += self.gain * inflow - upper * upper;
        level[1] += upper * lower;
    }
}

#[test]
fn what_is_changed_in_place_named_by_wrt() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], tank: &Tank) -> f64 {
        let mut level = [x[0], x[1]];
        for _ in 0..3 {
            tank.advance(&mut level, x[2]);
        }
        level[0] * level[1]
    }
    check_slice!([0.7, 0.2, -0.4], &Tank { gain: 0.3 });
}
