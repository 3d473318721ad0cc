//! kurbo: points, vectors, a curve trait; elastic energy plus length of a cubic Bezier by value.
use ad_runtime::{Differentiable, differentiable};
use std::ops::{Add, Mul, Sub};

#[derive(Clone, Copy, Debug, PartialEq, Differentiable)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Differentiable)]
pub struct Vec2 {
    pub x: f64,
    pub y: f64,
}

#[differentiable]
impl Vec2 {
    pub const fn new(x: f64, y: f64) -> Vec2 {
        Vec2 { x, y }
    }
    pub fn cross(self, other: Vec2) -> f64 {
        self.x * other.y - self.y * other.x
    }
    pub fn hypot(self) -> f64 {
        self.x.hypot(self.y)
    }
}

#[differentiable]
impl Sub for Point {
    type Output = Vec2;
    #[inline]
    fn sub(self, other: Point) -> Vec2 {
        Vec2::new(self.x - other.x, self.y - other.y)
    }
}

#[differentiable]
impl Sub for Vec2 {
    type Output = Vec2;
    fn sub(self, other: Vec2) -> Vec2 {
        Vec2 { x: self.x - other.x, y: self.y - other.y }
    }
}

#[differentiable]
impl Add for Vec2 {
    type Output = Vec2;
    fn add(self, other: Vec2) -> Vec2 {
        Vec2 { x: self.x + other.x, y: self.y + other.y }
    }
}

#[differentiable]
impl Mul<Vec2> for f64 {
    type Output = Vec2;
    fn mul(self, other: Vec2) -> Vec2 {
        Vec2 { x: self * other.x, y: self * other.y }
    }
}

pub trait ParamCurve {
    fn tangent(&self, t: f64) -> Vec2;
    fn second(&self, t: f64) -> Vec2;
    fn curvature(&self, t: f64) -> f64 {
        let d = self.tangent(t);
        d.cross(self.second(t)) / d.hypot().powi(3)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Differentiable)]
pub struct CubicBez {
    pub p0: Point,
    pub p1: Point,
    pub p2: Point,
    pub p3: Point,
}

#[differentiable]
impl ParamCurve for CubicBez {
    fn tangent(&self, t: f64) -> Vec2 {
        let mt = 1.0 - t;
        3.0 * ((mt * mt) * (self.p1 - self.p0)
            + (2.0 * mt * t) * (self.p2 - self.p1)
            + (t * t) * (self.p3 - self.p2))
    }
    fn second(&self, t: f64) -> Vec2 {
        let (d0, d1, d2) = (self.p1 - self.p0, self.p2 - self.p1, self.p3 - self.p2);
        6.0 * ((1.0 - t) * (d1 - d0) + t * (d2 - d1))
    }
    fn curvature(&self, t: f64) -> f64 {
        let d = self.tangent(t);
        d.cross(self.second(t)) / d.hypot().powi(3)
    }
}

const GAUSS_LEGENDRE_COEFFS_5: &[(f64, f64)] = &[
    (0.5688888888888889, 0.0000000000000000),
    (0.4786286704993665, -0.5384693101056831),
    (0.4786286704993665, 0.5384693101056831),
    (0.2369268850561891, -0.9061798459386640),
    (0.2369268850561891, 0.9061798459386640),
];

#[differentiable(wrt(c))]
pub fn elastic_energy(c: CubicBez, tension: f64) -> f64 {
    GAUSS_LEGENDRE_COEFFS_5
        .iter()
        .map(|&(w, xi)| (0.5 * w, 0.5 * (xi + 1.0)))
        .map(|(w, t)| w * (c.curvature(t).powi(2) + tension) * c.tangent(t).hypot())
        .sum()
}

const X: &[f64] = &[0.0, 0.1, 1.2, 1.4, 2.7, 1.3, 4.1, -0.2];
fn bez(x: &[f64]) -> CubicBez {
    let p = |i: usize| Point { x: x[2 * i], y: x[2 * i + 1] };
    CubicBez { p0: p(0), p1: p(1), p2: p(2), p3: p(3) }
}
fn flat(c: CubicBez) -> Vec<f64> {
    [c.p0, c.p1, c.p2, c.p3].iter().flat_map(|p| [p.x, p.y]).collect()
}
fn at(x: &[f64]) -> f64 {
    elastic_energy(bez(x), 0.3)
}
#[test]
fn exact() {
    crate::harness::check(
        "cubic_bez",
        X,
        at,
        |x| {
            let (value, g) = elastic_energy_grad(bez(x), 0.3);
            (value, flat(g))
        },
        |x, v| flat(elastic_energy_hvp(bez(x), 0.3, bez(v))),
    );
}
