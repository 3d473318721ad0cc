//! Enzyme rustbook: neo-Hookean energy on Kelvin-Mandel vectors with operators.
#![allow(non_snake_case)]
use ad_runtime::{Differentiable, differentiable};
use std::ops::{Add, Mul};

type Mat3x3 = [[f64; 3]; 3];

#[differentiable]
fn matmul(a: &Mat3x3, at: bool, b: &Mat3x3, bt: bool) -> Mat3x3 {
    let mut c = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..3 {
            for k in 0..3 {
                let aa = if at { a[k][i] } else { a[i][k] };
                let bb = if bt { b[j][k] } else { b[k][j] };
                c[i][j] += aa * bb;
            }
        }
    }
    c
}

#[derive(Debug, Clone, Copy, Differentiable)]
pub struct KM {
    pub vals: [f64; 6],
}

#[differentiable]
impl KM {
    pub fn zero() -> Self {
        Self { vals: [0.0; 6] }
    }
    pub fn scale(&self, scale: f64) -> Self {
        Self { vals: self.vals.map(|v| v * scale) }
    }
    pub fn from_binary_op(x: KM, y: KM, op: impl Fn(f64, f64) -> f64) -> Self {
        let mut result = KM::zero();
        result
            .vals
            .iter_mut()
            .zip(x.vals.into_iter().zip(y.vals.into_iter()))
            .for_each(|(r, (x, y))| *r = op(x, y));
        result
    }
    pub fn from_matrix(a: Mat3x3) -> Self {
        let s = 0.5_f64.sqrt();
        KM {
            vals: [
                a[0][0],
                a[1][1],
                a[2][2],
                s * (a[1][2] + a[2][1]),
                s * (a[0][2] + a[2][0]),
                s * (a[0][1] + a[1][0]),
            ],
        }
    }
    pub fn to_matrix(&self) -> Mat3x3 {
        let d = 0.5_f64.sqrt();
        let v = &self.vals;
        [[v[0], d * v[5], d * v[4]], [d * v[5], v[1], d * v[3]], [d * v[4], d * v[3], v[2]]]
    }
    pub fn trace(&self) -> f64 {
        self.vals[..3].iter().sum()
    }
    pub fn det(&self) -> f64 {
        let m = self.to_matrix();
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    }
    // Compute b = I + 2e or C = I + 2E.
    pub fn cauchy_green(&self) -> Self {
        let mut vals = self.vals.map(|v| 2.0 * v);
        vals[..3].iter_mut().for_each(|v| *v += 1.0);
        Self { vals }
    }
}

#[differentiable]
impl Add for KM {
    type Output = KM;
    fn add(self, rhs: Self) -> Self::Output {
        KM::from_binary_op(self, rhs, f64::add)
    }
}

#[differentiable]
impl Mul<KM> for f64 {
    type Output = KM;
    fn mul(self, rhs: KM) -> Self::Output {
        rhs.scale(self)
    }
}

pub struct NH {
    pub mu: f64,
    pub lambda: f64,
}

impl NH {
    pub fn from_youngs(E: f64, nu: f64) -> Self {
        Self { lambda: E * nu / ((1.0 + nu) * (1.0 - 2.0 * nu)), mu: E / (2.0 * (1.0 + nu)) }
    }
}

// Stably evaluate e = (F F^T - I)/2 from displacement gradient H = F - I.
#[differentiable]
pub fn green_euler(H: Mat3x3) -> KM {
    KM::from_matrix(H) + 0.5 * KM::from_matrix(matmul(&H, false, &H, true))
}

// Helmholtz free energy density
#[differentiable(wrt(H))]
pub fn psi(H: Mat3x3, nh: &NH) -> f64 {
    let e = green_euler(H);
    let NH { mu, lambda } = nh;
    let J = e.cauchy_green().det().sqrt();
    0.25 * lambda * (J * J - 1.0 - 2.0 * J.ln()) + mu * (e.trace() - J.ln())
}

const X: &[f64] = &[0.1, 0.25, -0.12, 0.02, 0.3, 0.08, -0.05, 0.14, -0.15];
fn mat(x: &[f64]) -> Mat3x3 {
    std::array::from_fn(|i| std::array::from_fn(|j| x[3 * i + j]))
}
fn at(x: &[f64]) -> f64 {
    psi(mat(x), &NH::from_youngs(3.0, 0.3))
}
#[test]
fn exact() {
    let nh = NH::from_youngs(3.0, 0.3);
    crate::harness::check(
        "neohookean",
        X,
        at,
        |x| {
            let (value, g) = psi_grad(mat(x), &nh);
            (value, g.concat())
        },
        |x, v| psi_hvp(mat(x), &nh, mat(v)).concat(),
    );
}
