use ad_runtime::{Differentiable, differentiable};
use std::ops::{Add, Div, Mul};

#[derive(Clone, Copy, Debug, Differentiable)]
pub struct Cplx {
    re: f64,
    im: f64,
}

#[differentiable]
impl Add for Cplx {
    type Output = Cplx;
    fn add(self, o: Cplx) -> Cplx {
        Cplx { re: self.re + o.re, im: self.im + o.im }
    }
}

#[differentiable]
impl Mul for Cplx {
    type Output = Cplx;
    fn mul(self, o: Cplx) -> Cplx {
        Cplx { re: self.re * o.re - self.im * o.im, im: self.re * o.im + self.im * o.re }
    }
}

#[differentiable]
impl Div for Cplx {
    type Output = Cplx;
    fn div(self, o: Cplx) -> Cplx {
        let n = o.re.powi(2) + o.im.powi(2);
        self * Cplx { re: o.re / n, im: -o.im / n }
    }
}

#[differentiable]
impl From<f64> for Cplx {
    fn from(re: f64) -> Cplx {
        Cplx { re, im: 0.0 }
    }
}

#[differentiable]
impl Cplx {
    fn norm(self) -> f64 {
        self.re.hypot(self.im)
    }
}

/// Process model: rational transfer function (ascending powers of s) with dead time.
#[derive(Clone, Debug, Differentiable)]
pub struct Plant {
    pub num: Vec<f64>,
    pub den: Vec<f64>,
    pub dead_time: f64,
}

#[differentiable]
fn polyval(coeffs: &[f64], s: Cplx) -> Cplx {
    coeffs.iter().rev().fold(Cplx::from(0.0), |acc, &c| acc * s + c.into())
}

#[differentiable]
impl Plant {
    fn response(&self, w: f64) -> Cplx {
        let s = Cplx { re: 0.0, im: w };
        let phase = -w * self.dead_time;
        polyval(&self.num, s) / polyval(&self.den, s) * Cplx { re: phase.cos(), im: phase.sin() }
    }
}

/// `gain * (1 + wi/s) * (s/wz + 1)/(s/wp + 1)`
#[derive(Clone, Debug, Differentiable)]
pub struct LeadPi {
    pub gain: f64,
    pub wi: f64,
    pub wz: f64,
    pub wp: f64,
}

#[differentiable]
impl LeadPi {
    fn response(&self, w: f64) -> Cplx {
        let pi = Cplx { re: 1.0, im: -self.wi / w };
        let lead = Cplx { re: 1.0, im: w / self.wz } / Cplx { re: 1.0, im: w / self.wp };
        Cplx::from(self.gain) * pi * lead
    }
}

/// Mixed-sensitivity cost: smooth (p-norm) peak of |S| plus weighted low-frequency error and control activity.
#[differentiable(wrt(c))]
pub fn mixed_sensitivity(c: &LeadPi, plant: &Plant, freqs: &[f64]) -> f64 {
    let one = Cplx::from(1.0);
    let (peak, rest) = freqs
        .iter()
        .map(|&w| {
            let k = c.response(w);
            let s = one / (one + k * plant.response(w));
            let activity = (k * s).norm();
            (s.norm().powi(8), (s.norm() / w).powi(2) + 0.02 * activity.powi(2))
        })
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let n = freqs.len() as f64;
    (peak / n).powf(0.125) + rest / n
}

#[cfg(test)]
const FREQS: [f64; 7] = [0.2, 0.4, 0.8, 1.3, 2.0, 3.5, 6.0];

#[cfg(test)]
fn plant() -> Plant {
    Plant { num: vec![1.2, 0.1], den: vec![1.0, 1.8, 0.9, 0.1], dead_time: 0.15 }
}

#[cfg(test)]
fn controller(x: &[f64]) -> LeadPi {
    LeadPi { gain: x[0], wi: x[1], wz: x[2], wp: x[3] }
}

#[cfg(test)]
#[test]
fn primal() {
    let j = mixed_sensitivity(&controller(&[1.4, 0.5, 1.1, 6.0]), &plant(), &FREQS);
    assert!(j.is_finite(), "{j}");
}

#[test]
fn exact() {
    let flat = |c: &LeadPi| vec![c.gain, c.wi, c.wz, c.wp];
    super::harness::check(
        "loop_shaping",
        &[1.4, 0.5, 1.1, 6.0],
        |x| mixed_sensitivity(&controller(x), &plant(), &FREQS),
        |x| {
            let mut g = controller(&[0.0; 4]);
            let value = mixed_sensitivity_grad(&controller(x), &plant(), &FREQS, &mut g);
            (value, flat(&g))
        },
        |x, v| {
            let mut h = controller(&[0.0; 4]);
            mixed_sensitivity_hvp(&controller(x), &plant(), &FREQS, &controller(v), &mut h);
            flat(&h)
        },
    );
}
