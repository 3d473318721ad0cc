//! Magnetotelluric sounding of a layered earth: misfit of apparent resistivity and phase.
use ad_runtime::{Differentiable, differentiable};
use num_traits::{Float, FloatConst};
use std::ops::{Add, Div, Mul, Sub};

#[derive(Clone, Copy, Debug, PartialEq, Differentiable)]
pub struct Complex<T> {
    pub re: T,
    pub im: T,
}

#[derive(Clone, Copy, Debug, Differentiable)]
pub struct Sounding<T> {
    pub period: T,
    pub ln_resistivity: T,
    pub phase: T,
}

#[differentiable(wrt(self, rhs))]
impl<T: Float> Add for Complex<T> {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Complex { re: self.re + rhs.re, im: self.im + rhs.im }
    }
}

#[differentiable(wrt(self, rhs))]
impl<T: Float> Sub for Complex<T> {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Complex { re: self.re - rhs.re, im: self.im - rhs.im }
    }
}

#[differentiable(wrt(self, rhs))]
impl<T: Float> Mul for Complex<T> {
    type Output = Self;
    fn mul(self, rhs: Self) -> Self {
        Complex { re: self.re * rhs.re - self.im * rhs.im, im: self.re * rhs.im + self.im * rhs.re }
    }
}

#[differentiable(wrt(self, rhs))]
impl<T: Float> Div for Complex<T> {
    type Output = Self;
    fn div(self, rhs: Self) -> Self {
        let d = rhs.norm_sqr();
        Complex {
            re: (self.re * rhs.re + self.im * rhs.im) / d,
            im: (self.im * rhs.re - self.re * rhs.im) / d,
        }
    }
}

impl<T: Float> Complex<T> {
    #[differentiable(wrt(self))]
    fn norm_sqr(&self) -> T {
        self.re * self.re + self.im * self.im
    }

    #[differentiable(wrt(self, k))]
    fn scale(self, k: T) -> Self {
        Complex { re: self.re * k, im: self.im * k }
    }

    #[differentiable(wrt(self))]
    fn exp(self) -> Self {
        let (s, c) = self.im.sin_cos();
        Complex { re: c, im: s }.scale(self.re.exp())
    }
}

/// Surface impedance by Wait's recursion from the half-space upwards.
#[differentiable(wrt(ln_rho, ln_thickness))]
fn impedance<T: Float + FloatConst>(ln_rho: &[T], ln_thickness: &[T], omega_mu: T) -> Complex<T> {
    let one = Complex { re: T::one(), im: T::zero() };
    let intrinsic = |ln_rho: T| {
        let half = (omega_mu * ln_rho.exp()).sqrt() * T::FRAC_1_SQRT_2();
        Complex { re: half, im: half }
    };
    let (&bottom, upper) = ln_rho.split_last().expect("at least a half-space");
    let mut z = intrinsic(bottom);
    for (&layer, &thickness) in upper.iter().zip(ln_thickness).rev() {
        let w = intrinsic(layer);
        let k = w.scale((-layer).exp());
        let decay = k.scale(-(T::one() + T::one()) * thickness.exp()).exp();
        let reflected = (w - z) / (w + z) * decay;
        z = w * (one - reflected) / (one + reflected);
    }
    z
}

#[differentiable(wrt(ln_rho, ln_thickness))]
pub fn mt_misfit<T: Float + FloatConst>(ln_rho: &[T], ln_thickness: &[T], soundings: &[Sounding<T>]) -> T {
    let mu = T::from(4.0e-7).unwrap() * T::PI();
    let mut sum = T::zero();
    for s in soundings {
        let omega_mu = T::TAU() / s.period * mu;
        let z = impedance(ln_rho, ln_thickness, omega_mu);
        let amplitude = (z.norm_sqr() / omega_mu).ln() - s.ln_resistivity;
        let phase = z.im.atan2(z.re) - s.phase;
        sum = sum + amplitude * amplitude + phase * phase;
    }
    sum / T::from(2 * soundings.len()).unwrap()
}

#[cfg(test)]
const X: [f64; 5] = [4.5, 2.6, 5.8, 6.4, 7.1];
#[cfg(test)]
const SOUNDINGS: [Sounding<f64>; 5] = [
    Sounding { period: 0.01, ln_resistivity: 4.2, phase: 0.9 },
    Sounding { period: 0.1, ln_resistivity: 3.9, phase: 1.0 },
    Sounding { period: 1.0, ln_resistivity: 3.1, phase: 0.6 },
    Sounding { period: 10.0, ln_resistivity: 4.4, phase: 0.5 },
    Sounding { period: 100.0, ln_resistivity: 5.1, phase: 0.7 },
];

#[cfg(test)]
#[test]
fn primal() {
    assert!(mt_misfit(&X[..3], &X[3..], &SOUNDINGS).is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "mt_sounding",
        &X,
        |x| mt_misfit(&x[..3], &x[3..], &SOUNDINGS),
        |x| {
            let mut d = vec![0.0; 5];
            let (dr, dt) = d.split_at_mut(3);
            let value = mt_misfit_grad(&x[..3], &x[3..], &SOUNDINGS, dr, dt);
            (value, d)
        },
        |x, v| {
            let mut h = vec![0.0; 5];
            let (hr, ht) = h.split_at_mut(3);
            mt_misfit_hvp(&x[..3], &x[3..], &SOUNDINGS, &v[..3], &v[3..], hr, ht);
            h
        },
    );
}
