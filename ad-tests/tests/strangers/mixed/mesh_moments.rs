//! Mass properties of a closed triangle mesh and a shape score built on them.
use ad_runtime::{Differentiable, differentiable};
use num_traits::{Float, FloatConst};
use std::ops::{Add, Index, Sub};

#[derive(Clone, Copy, Debug, PartialEq, Differentiable)]
pub struct Point<T>(pub [T; 3]);

#[differentiable]
impl<T: Float> Add for Point<T> {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Point(std::array::from_fn(|i| self.0[i] + rhs.0[i]))
    }
}

#[differentiable]
impl<T: Float> Sub for Point<T> {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Point(std::array::from_fn(|i| self.0[i] - rhs.0[i]))
    }
}

#[differentiable]
impl<T> Index<usize> for Point<T> {
    type Output = T;
    fn index(&self, i: usize) -> &T {
        &self.0[i]
    }
}

#[differentiable]
impl<T: Float> Point<T> {
    fn cross(&self, o: &Self) -> Self {
        let [a, b, c] = self.0;
        let [d, e, f] = o.0;
        Point([b * f - c * e, c * d - a * f, a * e - b * d])
    }
    fn dot(&self, o: &Self) -> T {
        self.0.iter().zip(o.0.iter()).map(|(&a, &b)| a * b).fold(T::zero(), |s, p| s + p)
    }
}

/// Eigenvalues of a symmetric 3x3 matrix, largest first (trigonometric formula).
#[differentiable]
fn eigenvalues<T: Float + FloatConst>(m: &[[T; 3]; 3]) -> [T; 3] {
    let (two, three) = (T::from(2).unwrap(), T::from(3).unwrap());
    let mean = (m[0][0] + m[1][1] + m[2][2]) / three;
    let off = m[0][1].powi(2) + m[0][2].powi(2) + m[1][2].powi(2);
    let diag = (0..3).map(|i| (m[i][i] - mean).powi(2)).fold(T::zero(), |s, d| s + d);
    let p = ((diag + two * off) / (two * three)).sqrt();
    let b: [[T; 3]; 3] = std::array::from_fn(|i| {
        std::array::from_fn(|j| (m[i][j] - if i == j { mean } else { T::zero() }) / p)
    });
    let [x, y, z] = b.map(Point);
    let phi = (x.dot(&y.cross(&z)) / two).acos() / three;
    let hi = mean + two * p * phi.cos();
    let lo = mean + two * p * (phi + two * T::PI() / three).cos();
    [hi, three * mean - hi - lo, lo]
}

/// Logarithmic elongation and flatness of the solid plus its isoperimetric quotient.
#[differentiable]
pub fn shape_score<T: Float + FloatConst>(vertices: &[Point<T>], faces: &[[usize; 3]]) -> T {
    let k = |v: f64| T::from(v).unwrap();
    let (mut volume, mut area) = (T::zero(), T::zero());
    let mut first = [T::zero(); 3];
    let mut second = [[T::zero(); 3]; 3];
    for &[i, j, l] in faces {
        let (a, b, c) = (vertices[i], vertices[j], vertices[l]);
        let v = a.dot(&b.cross(&c)) / k(6.0);
        let n = (b - a).cross(&(c - a));
        area = area + n.dot(&n).sqrt() / k(2.0);
        volume = volume + v;
        let s = a + b + c;
        for r in 0..3 {
            first[r] = first[r] + v * s[r] / k(4.0);
            for q in 0..3 {
                let outer = [a, b, c, s].iter().map(|p| p[r] * p[q]).fold(T::zero(), |x, y| x + y);
                second[r][q] = second[r][q] + v * outer / k(20.0);
            }
        }
    }
    let mut cov = second;
    for (r, row) in cov.iter_mut().enumerate() {
        for (q, m) in row.iter_mut().enumerate() {
            *m = *m / volume - first[r] * first[q] / (volume * volume);
        }
    }
    let [l1, l2, l3] = eigenvalues(&cov);
    let round = area.powi(3) / (k(36.0) * T::PI() * volume.powi(2));
    (l1 / l2).ln() + k(0.5) * (l2 / l3).ln() + k(0.1) * round
}

#[cfg(test)]
const FACES: [[usize; 3]; 8] =
    [[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2], [1, 0, 5], [3, 1, 5], [4, 3, 5], [0, 4, 5]];

#[cfg(test)]
fn points(x: &[f64]) -> Vec<Point<f64>> {
    x.chunks(3).map(|c| Point([c[0], c[1], c[2]])).collect()
}

#[cfg(test)]
#[test]
fn primal() {
    let v = points(&[
        1.7, 0.1, 0.0, 0.2, 1.2, 0.1, 0.0, -0.1, 0.8, -1.5, 0.0, 0.2, 0.1, -1.1, 0.0, 0.1, 0.2, -0.7,
    ]);
    let s = shape_score(&v, &FACES);
    assert!(s.is_finite() && s > 0.0, "{s}");
}

#[test]
fn exact() {
    let flat = |p: Vec<Point<f64>>| -> Vec<f64> { p.into_iter().flat_map(|p| p.0).collect() };
    super::harness::check(
        "mesh_moments",
        &[1.7, 0.1, 0.0, 0.2, 1.2, 0.1, 0.0, -0.1, 0.8, -1.5, 0.0, 0.2, 0.1, -1.1, 0.0, 0.1, 0.2, -0.7],
        |x| shape_score(&points(x), &FACES),
        |x| {
            let mut g = points(&[0.0; 18]);
            let value = shape_score_grad(&points(x), &FACES, &mut g);
            (value, flat(g))
        },
        |x, v| {
            let mut h = points(&[0.0; 18]);
            shape_score_hvp(&points(x), &FACES, &points(v), &mut h);
            flat(h)
        },
    );
}
