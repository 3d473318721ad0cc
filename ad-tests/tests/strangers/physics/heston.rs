//! Heston call price by the Lewis integral, with own complex arithmetic.
use ad_runtime::{Differentiable, differentiable};
use std::f64::consts::PI;
use std::ops::{Add, Div, Mul, Neg, Sub};

#[derive(Clone, Copy, Debug, Differentiable)]
struct Complex {
    re: f64,
    im: f64,
}

#[differentiable]
impl Complex {
    const ONE: Complex = Complex { re: 1.0, im: 0.0 };
    fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }
    fn real(re: f64) -> Self {
        Self { re, im: 0.0 }
    }
    fn norm_sqr(&self) -> f64 {
        self.re * self.re + self.im * self.im
    }
    fn exp(self) -> Self {
        let m = self.re.exp();
        Self::new(m * self.im.cos(), m * self.im.sin())
    }
    fn ln(self) -> Self {
        Self::new(0.5 * self.norm_sqr().ln(), self.im.atan2(self.re))
    }
    fn sqrt(self) -> Self {
        let (r, half) = (self.norm_sqr().sqrt().sqrt(), 0.5 * self.im.atan2(self.re));
        Self::new(r * half.cos(), r * half.sin())
    }
    fn scale(self, s: f64) -> Self {
        Self { re: self.re * s, im: self.im * s }
    }
}
#[differentiable]
impl Add for Complex {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self::new(self.re + o.re, self.im + o.im)
    }
}
#[differentiable]
impl Sub for Complex {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Self::new(self.re - o.re, self.im - o.im)
    }
}
#[differentiable]
impl Neg for Complex {
    type Output = Self;
    fn neg(self) -> Self {
        Self::new(-self.re, -self.im)
    }
}
#[differentiable]
impl Mul for Complex {
    type Output = Self;
    fn mul(self, o: Self) -> Self {
        Self::new(self.re * o.re - self.im * o.im, self.re * o.im + self.im * o.re)
    }
}
#[differentiable]
impl Div for Complex {
    type Output = Self;
    fn div(self, o: Self) -> Self {
        let d = o.norm_sqr();
        Self::new((self.re * o.re + self.im * o.im) / d, (self.im * o.re - self.re * o.im) / d)
    }
}

#[derive(Clone, Debug, Differentiable)]
struct Heston {
    v0: f64,
    kappa: f64,
    theta: f64,
    xi: f64,
    rho: f64,
}

#[differentiable]
impl Heston {
    /// Characteristic function of the log return at `u - i/2`.
    fn characteristic(&self, u: f64, t: f64) -> Complex {
        let xi2 = self.xi * self.xi;
        let iz = Complex::new(0.5, u);
        let b = Complex::real(self.kappa) - iz.scale(self.rho * self.xi);
        let d = (b * b + Complex::real(xi2 * (u * u + 0.25))).sqrt();
        let g = (b - d) / (b + d);
        let decay = (-d.scale(t)).exp();
        let ratio = (Complex::ONE - g * decay) / (Complex::ONE - g);
        let c = ((b - d).scale(t) - ratio.ln().scale(2.0)).scale(self.kappa * self.theta / xi2);
        let dd = (b - d).scale(1.0 / xi2) * (Complex::ONE - decay) / (Complex::ONE - g * decay);
        (c + dd.scale(self.v0)).exp()
    }
}

#[differentiable(wrt(spot, model))]
fn call_price(spot: f64, model: &Heston, strike: f64, rate: f64, expiry: f64, nodes: usize) -> f64 {
    let k = (spot / strike).ln() + rate * expiry;
    let du = 30.0 / nodes as f64;
    let integral: f64 = (0..nodes)
        .map(|i| (i as f64 + 0.5) * du)
        .map(|u| {
            let phase = Complex::new(0.0, u * k).exp();
            (phase * model.characteristic(u, expiry)).re / (u * u + 0.25) * du
        })
        .sum();
    spot - (spot * strike).sqrt() * (-0.5 * rate * expiry).exp() / PI * integral
}

#[test]
fn exact() {
    let m = |x: &[f64]| Heston { v0: x[1], kappa: x[2], theta: x[3], xi: x[4], rho: x[5] };
    let flat = |s: f64, m: &Heston| vec![s, m.v0, m.kappa, m.theta, m.xi, m.rho];
    super::harness::check(
        "heston",
        &[1.1, 0.3, 1.5, 0.25, 0.6, -0.4],
        |x| call_price(x[0], &m(x), 1.0, 0.03, 1.2, 40),
        |x| {
            let mut g = m(&[f64::NAN; 6]);
            let (value, s) = call_price_grad(x[0], &m(x), 1.0, 0.03, 1.2, 40, &mut g);
            (value, flat(s, &g))
        },
        |x, v| {
            let mut hv = m(&[f64::NAN; 6]);
            let s = call_price_hvp(x[0], &m(x), 1.0, 0.03, 1.2, 40, v[0], &m(v), &mut hv);
            flat(s, &hv)
        },
    );
}
