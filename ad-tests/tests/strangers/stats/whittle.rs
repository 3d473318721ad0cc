//! Whittle likelihood of an ARMA(p, q) process: own complex numbers with operators.
use ad_runtime::differentiable;
use std::f64::consts::TAU;
use std::ops::{Add, Mul};

#[derive(Debug, Clone, Copy, PartialEq)]
struct Complex {
    re: f64,
    im: f64,
}

#[differentiable]
impl Complex {
    fn cis(phase: f64) -> Self {
        let (im, re) = phase.sin_cos();
        Self { re, im }
    }
    fn norm_sqr(&self) -> f64 {
        self.re.powi(2) + self.im.powi(2)
    }
}

#[differentiable]
impl From<f64> for Complex {
    fn from(re: f64) -> Self {
        Self { re, im: 0.0 }
    }
}

#[differentiable]
impl Add for Complex {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self { re: self.re + o.re, im: self.im + o.im }
    }
}

#[differentiable]
impl Mul for Complex {
    type Output = Self;
    fn mul(self, o: Self) -> Self {
        Self { re: self.re * o.re - self.im * o.im, im: self.re * o.im + self.im * o.re }
    }
}

/// 1 + c_1 z + c_2 z^2 + ... by Horner's rule.
#[differentiable]
fn lag_polynomial(coefficients: &[f64], z: Complex) -> Complex {
    let tail = coefficients.iter().rev().fold(Complex::from(0.0), |acc, &c| (acc + c.into()) * z);
    Complex::from(1.0) + tail
}

#[differentiable(wrt(ar, ma, log_var))]
fn whittle(ar: &[f64], ma: &[f64], log_var: f64, frequencies: &[f64], periodogram: &[f64]) -> f64 {
    let minus_ar: Vec<f64> = ar.iter().map(|phi| -phi).collect();
    let mut total = 0.0;
    for (&w, &i) in frequencies.iter().zip(periodogram) {
        let z = Complex::cis(-w);
        let num = lag_polynomial(ma, z).norm_sqr();
        let den = lag_polynomial(&minus_ar, z).norm_sqr();
        let density = log_var.exp() / TAU * num / den;
        total += density.ln() + i / density;
    }
    total
}

const W: [f64; 6] = [0.4, 0.85, 1.3, 1.8, 2.3, 2.9];
const I: [f64; 6] = [0.9, 0.41, 0.2, 0.12, 0.1, 0.05];

#[test]
fn exact() {
    super::harness::check(
        "whittle",
        &[0.4, -0.15, 0.3, 0.1],
        |x| whittle(&x[..2], &x[2..3], x[3], &W, &I),
        |x| {
            let (mut ga, mut gm) = (vec![f64::NAN; 2], vec![f64::NAN; 1]);
            let (value, gv) = whittle_grad(&x[..2], &x[2..3], x[3], &W, &I, &mut ga, &mut gm);
            ga.extend(gm);
            ga.push(gv);
            (value, ga)
        },
        |x, v| {
            let (mut ha, mut hm) = (vec![f64::NAN; 2], vec![f64::NAN; 1]);
            let hv = whittle_hvp(&x[..2], &x[2..3], x[3], &W, &I, &v[..2], &v[2..3], v[3], &mut ha, &mut hm);
            ha.extend(hm);
            ha.push(hv);
            ha
        },
    );
}
