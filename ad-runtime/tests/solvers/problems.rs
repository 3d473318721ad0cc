//! Known problems, generic in the scalar, with gradients and products by hand, and wrappers that count or spoil.

use std::cell::Cell;

use ad_runtime::operators::{HessianOperator, Scalar};
use ad_runtime::solvers::objective::{HessianBody, Objective};

/// A function with its first two derivatives.
pub(crate) trait Problem<T: Scalar> {
    fn value_and_gradient(&self, x: &[T], gradient: &mut [T]) -> T;
    fn product(&self, x: &[T], v: &[T], out: &mut [T]);
    fn diagonal(&self, _x: &[T], _out: &mut [T]) -> bool {
        false
    }
}

/// An objective that counts, and turns what it is asked to into NaN.
pub(crate) struct Counted<'p, T, P> {
    problem: &'p P,
    pub(crate) evaluations: usize,
    pub(crate) products: Cell<usize>,
    /// The product, counted from 0, that is NaN.
    pub(crate) nan_product: Option<usize>,
    scalar: std::marker::PhantomData<T>,
}

impl<'p, T, P> Counted<'p, T, P> {
    pub(crate) fn new(problem: &'p P) -> Self {
        Self {
            problem,
            evaluations: 0,
            products: Cell::new(0),
            nan_product: None,
            scalar: std::marker::PhantomData,
        }
    }
}

impl<T: Scalar, P: Problem<T>> Objective for Counted<'_, T, P> {
    type Scalar = T;
    fn value_and_gradient(&mut self, x: &[T], gradient: &mut [T]) -> T {
        self.evaluations += 1;
        gradient.fill(T::nan()); // outputs are overwritten
        self.problem.value_and_gradient(x, gradient)
    }
    fn with_hessian(&mut self, x: &[T], body: HessianBody<'_, T>) {
        body(&At { x, of: self });
    }
}

struct At<'a, T, P> {
    x: &'a [T],
    of: &'a Counted<'a, T, P>,
}

impl<T: Scalar, P: Problem<T>> HessianOperator for At<'_, T, P> {
    type Scalar = T;
    fn dim(&self) -> usize {
        self.x.len()
    }
    fn apply(&self, v: &[T], out: &mut [T]) {
        self.of.problem.product(self.x, v, out);
        let index = self.of.products.replace(self.of.products.get() + 1);
        if self.of.nan_product == Some(index) {
            out[out.len() / 2] = T::nan();
        }
    }
    fn diagonal(&self, out: &mut [T]) -> bool {
        self.of.problem.diagonal(self.x, out)
    }
}

pub(crate) fn c<T: Scalar>(value: f64) -> T {
    T::from(value).unwrap()
}

/// −1.2, 1, −1.2, 1, ...
pub(crate) fn alternating<T: Scalar>(n: usize) -> Vec<T> {
    (0..n).map(|i| c(if i % 2 == 0 { -1.2 } else { 1.0 })).collect()
}

/// Rosenbrock's function of neighbours: each with its successor, or of separate pairs.
pub(crate) struct Rosenbrock {
    pub(crate) stride: usize,
}

pub(crate) const CHAINED: Rosenbrock = Rosenbrock { stride: 1 };
pub(crate) const EXTENDED: Rosenbrock = Rosenbrock { stride: 2 };

impl<T: Scalar> Problem<T> for Rosenbrock {
    fn value_and_gradient(&self, x: &[T], g: &mut [T]) -> T {
        g.fill(T::zero());
        let mut value = T::zero();
        for i in (0..x.len() - 1).step_by(self.stride) {
            let (miss, slack) = (x[i + 1] - x[i] * x[i], T::one() - x[i]);
            value += c::<T>(100.0) * miss * miss + slack * slack;
            g[i + 1] += c::<T>(200.0) * miss;
            g[i] += c::<T>(-400.0) * miss * x[i] - c::<T>(2.0) * slack;
        }
        value
    }
    fn product(&self, x: &[T], v: &[T], out: &mut [T]) {
        out.fill(T::zero());
        for i in (0..x.len() - 1).step_by(self.stride) {
            let miss = x[i + 1] - x[i] * x[i];
            let cross = c::<T>(-400.0) * x[i];
            out[i] += (c::<T>(800.0) * x[i] * x[i] - c::<T>(400.0) * miss + c(2.0)) * v[i] + cross * v[i + 1];
            out[i + 1] += c::<T>(200.0) * v[i + 1] + cross * v[i];
        }
    }
    fn diagonal(&self, x: &[T], out: &mut [T]) -> bool {
        out.fill(T::zero());
        for i in (0..x.len() - 1).step_by(self.stride) {
            let miss = x[i + 1] - x[i] * x[i];
            out[i] += c::<T>(800.0) * x[i] * x[i] - c::<T>(400.0) * miss + c(2.0);
            out[i + 1] += c(200.0);
        }
        true
    }
}

/// Logistic regression on made-up data, with an L2 penalty: convex.
pub(crate) struct Logistic {
    pub(crate) features: Vec<f64>,
    pub(crate) labels: Vec<f64>,
    pub(crate) l2: f64,
}

impl Logistic {
    /// Columns are scaled from 1 to `spread`.
    pub(crate) fn new(rows: usize, columns: usize, spread: f64, l2: f64) -> Self {
        let mut state = 7_u64;
        let mut uniform = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / (1_u64 << 30) as f64 - 1.0
        };
        let features: Vec<f64> = (0..rows * columns)
            .map(|k| uniform() * spread.powf((k % columns) as f64 / columns as f64))
            .collect();
        let labels = features
            .chunks(columns)
            .map(|row| if row[0] - row[1] + 0.5 * uniform() > 0.0 { 1.0 } else { -1.0 })
            .collect();
        Self { features, labels, l2 }
    }
}

impl Problem<f64> for Logistic {
    fn value_and_gradient(&self, x: &[f64], g: &mut [f64]) -> f64 {
        g.iter_mut().zip(x).for_each(|(g, x)| *g = self.l2 * x);
        let mut value = 0.5 * self.l2 * x.iter().map(|x| x * x).sum::<f64>();
        for (row, label) in self.features.chunks(x.len()).zip(&self.labels) {
            let margin = label * row.iter().zip(x).map(|(a, x)| a * x).sum::<f64>();
            value += (-margin).max(0.0) + (-margin.abs()).exp().ln_1p();
            let slope = -label / (1.0 + margin.exp());
            g.iter_mut().zip(row).for_each(|(g, a)| *g += slope * a);
        }
        value
    }
    fn product(&self, x: &[f64], v: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(v).for_each(|(o, v)| *o = self.l2 * v);
        for row in self.features.chunks(x.len()) {
            let margin = row.iter().zip(x).map(|(a, x)| a * x).sum::<f64>();
            let along = row.iter().zip(v).map(|(a, v)| a * v).sum::<f64>();
            let weight = along / (2.0 + margin.exp() + (-margin).exp());
            out.iter_mut().zip(row).for_each(|(o, a)| *o += weight * a);
        }
    }
}

/// Beale's function of two variables; the minimum is 0 at (3, ½).
pub(crate) struct Beale;

impl Problem<f64> for Beale {
    fn value_and_gradient(&self, x: &[f64], g: &mut [f64]) -> f64 {
        g.fill(0.0);
        let mut value = 0.0;
        for (k, target) in [(1, 1.5), (2, 2.25), (3, 2.625)] {
            let (power, slope) = (x[1].powi(k), f64::from(k) * x[1].powi(k - 1));
            let miss = target - x[0] * (1.0 - power);
            value += miss * miss;
            g[0] += 2.0 * miss * (power - 1.0);
            g[1] += 2.0 * miss * x[0] * slope;
        }
        value
    }
    fn product(&self, x: &[f64], v: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for (k, target) in [(1, 1.5), (2, 2.25), (3, 2.625)] {
            let (power, slope) = (x[1].powi(k), f64::from(k) * x[1].powi(k - 1));
            let bend = f64::from(k * (k - 1)) * x[1].powi((k - 2).max(0));
            let miss = target - x[0] * (1.0 - power);
            let jv = (power - 1.0) * v[0] + x[0] * slope * v[1];
            out[0] += 2.0 * (jv * (power - 1.0) + miss * slope * v[1]);
            out[1] += 2.0 * (jv * x[0] * slope + miss * (slope * v[0] + x[0] * bend * v[1]));
        }
    }
}

/// Powell's function: the Hessian at the minimum 0 is singular.
pub(crate) struct PowellSingular;

impl Problem<f64> for PowellSingular {
    fn value_and_gradient(&self, x: &[f64], g: &mut [f64]) -> f64 {
        let mut value = 0.0;
        for (x, g) in x.chunks(4).zip(g.chunks_mut(4)) {
            let (p, q) = (x[0] + 10.0 * x[1], x[2] - x[3]);
            let (r, s) = (x[1] - 2.0 * x[2], x[0] - x[3]);
            value += p * p + 5.0 * q * q + r.powi(4) + 10.0 * s.powi(4);
            g[0] = 2.0 * p + 40.0 * s.powi(3);
            g[1] = 20.0 * p + 4.0 * r.powi(3);
            g[2] = 10.0 * q - 8.0 * r.powi(3);
            g[3] = -10.0 * q - 40.0 * s.powi(3);
        }
        value
    }
    fn product(&self, x: &[f64], v: &[f64], out: &mut [f64]) {
        for ((x, v), out) in x.chunks(4).zip(v.chunks(4)).zip(out.chunks_mut(4)) {
            let (r, s) = (x[1] - 2.0 * x[2], x[0] - x[3]);
            let (pv, qv) = (v[0] + 10.0 * v[1], v[2] - v[3]);
            let rv = 12.0 * r * r * (v[1] - 2.0 * v[2]);
            let sv = 120.0 * s * s * (v[0] - v[3]);
            out[0] = 2.0 * pv + sv;
            out[1] = 20.0 * pv + rv;
            out[2] = 10.0 * qv - 2.0 * rv;
            out[3] = -10.0 * qv - sv;
        }
    }
}

/// Σ (xᵢ⁴/4 - wᵢ xᵢ²/2): a saddle or a maximum at 0, minima of value -Σ wᵢ²/4 at ±√wᵢ.
pub(crate) struct DoubleWells;

fn weight<T: Scalar>(i: usize) -> T {
    c(1.0 + (i % 7) as f64)
}

impl<T: Scalar> Problem<T> for DoubleWells {
    fn value_and_gradient(&self, x: &[T], g: &mut [T]) -> T {
        let mut value = T::zero();
        for (i, (&x, g)) in x.iter().zip(g).enumerate() {
            value += x.powi(4) / c(4.0) - weight::<T>(i) * x * x / c(2.0);
            *g = x.powi(3) - weight::<T>(i) * x;
        }
        value
    }
    fn product(&self, x: &[T], v: &[T], out: &mut [T]) {
        for (i, ((&x, &v), out)) in x.iter().zip(v).zip(out).enumerate() {
            *out = (c::<T>(3.0) * x * x - weight::<T>(i)) * v;
        }
    }
    fn diagonal(&self, x: &[T], out: &mut [T]) -> bool {
        out.fill(T::one());
        let ones = out.to_vec();
        self.product(x, &ones, out);
        true
    }
}

/// The value of the lowest minimum of [`DoubleWells`].
pub(crate) fn lowest_wells<T: Scalar>(n: usize) -> T {
    -(0..n).map(|i| weight::<T>(i).powi(2)).sum::<T>() / c(4.0)
}

/// `Σ xᵢ - ln xᵢ`: NaN where an `xᵢ` is negative.
pub(crate) struct Barrier;

impl Problem<f64> for Barrier {
    fn value_and_gradient(&self, x: &[f64], g: &mut [f64]) -> f64 {
        g.iter_mut().zip(x).for_each(|(g, x)| *g = 1.0 - 1.0 / x);
        x.iter().map(|x| x - x.ln()).sum()
    }
    fn product(&self, x: &[f64], v: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(x).zip(v).for_each(|((o, x), v)| *o = v / (x * x));
    }
}

/// `½ x·Dx` with a diagonal that may be anything.
pub(crate) struct Quadratic(pub(crate) Vec<f64>);

impl Problem<f64> for Quadratic {
    fn value_and_gradient(&self, x: &[f64], g: &mut [f64]) -> f64 {
        self.product(x, x, g);
        x.iter().zip(g).map(|(x, g)| 0.5 * x * *g).sum()
    }
    fn product(&self, _: &[f64], v: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(v).zip(&self.0).for_each(|((o, v), d)| *o = d * v);
    }
}

/// A dense symmetric matrix.
#[derive(Clone, Debug)]
pub(crate) struct Matrix<T> {
    /// Row by row.
    pub(crate) entries: Vec<T>,
}

impl<T: Scalar> Matrix<T> {
    /// With these eigenvalues, turned by random reflections.
    pub(crate) fn with_spectrum(eigenvalues: &[T], seed: u64) -> Self {
        let n = eigenvalues.len();
        let mut entries = vec![T::zero(); n * n];
        for (i, &value) in eigenvalues.iter().enumerate() {
            entries[i * n + i] = value;
        }
        let mut state = seed;
        for _ in 0..3 {
            let mut v: Vec<T> = (0..n)
                .map(|_| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    c((state >> 33) as f64 / (1_u64 << 30) as f64 - 1.0)
                })
                .collect();
            let length = v.iter().map(|&v| v * v).sum::<T>().sqrt();
            v.iter_mut().for_each(|v| *v /= length);
            // A ← (1 - 2 v vᵀ) A (1 - 2 v vᵀ), one side after the other.
            for _ in 0..2 {
                for j in 0..n {
                    let along: T = (0..n).map(|i| v[i] * entries[i * n + j]).sum();
                    for i in 0..n {
                        entries[i * n + j] -= c::<T>(2.0) * v[i] * along;
                    }
                }
                for i in 0..n {
                    for j in 0..i {
                        entries.swap(i * n + j, j * n + i);
                    }
                }
            }
        }
        Self { entries }
    }
}

impl<T: Scalar> HessianOperator for Matrix<T> {
    type Scalar = T;
    fn dim(&self) -> usize {
        self.entries.len().isqrt()
    }
    fn apply(&self, v: &[T], out: &mut [T]) {
        for (row, out) in self.entries.chunks(v.len()).zip(out) {
            *out = row.iter().zip(v).map(|(&a, &v)| a * v).sum();
        }
    }
    fn diagonal(&self, out: &mut [T]) -> bool {
        let n = self.dim();
        out.iter_mut().enumerate().for_each(|(i, out)| *out = self.entries[i * n + i]);
        true
    }
}

/// A diagonal matrix that does not tell its diagonal.
#[derive(Clone, Debug)]
pub(crate) struct Diagonal<T>(pub(crate) Vec<T>);

impl<T: Scalar> HessianOperator for Diagonal<T> {
    type Scalar = T;
    fn dim(&self) -> usize {
        self.0.len()
    }
    fn apply(&self, v: &[T], out: &mut [T]) {
        out.iter_mut().zip(v).zip(&self.0).for_each(|((out, &v), &d)| *out = d * v);
    }
}
