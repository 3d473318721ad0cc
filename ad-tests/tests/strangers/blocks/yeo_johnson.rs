//! Normality of a power-transformed sample: Jarque-Bera statistic from mergeable moments.
use ad_runtime::{Differentiable, differentiable};
use std::ops::Add;

pub trait PowerTransform {
    fn forward(&self, y: f64, lambda: f64) -> f64;
}

pub struct YeoJohnson;

#[differentiable]
impl PowerTransform for YeoJohnson {
    fn forward(&self, y: f64, lambda: f64) -> f64 {
        let (sign, base, power) =
            if y >= 0.0 { (1.0, 1.0 + y, lambda) } else { (-1.0, 1.0 - y, 2.0 - lambda) };
        if power.abs() < 1e-9 { sign * base.ln() } else { sign * (base.powf(power) - 1.0) / power }
    }
}

/// Count, mean and central sums of powers (Pebay 2008).
#[derive(Clone, Copy, Debug, Default, Differentiable)]
pub struct Moments {
    count: usize,
    mean: f64,
    m2: f64,
    m3: f64,
    m4: f64,
}

impl Moments {
    #[differentiable]
    fn single(y: f64) -> Self {
        Moments { count: 1, mean: y, ..Default::default() }
    }

    #[differentiable(wrt(self))]
    fn jarque_bera(&self) -> f64 {
        let n = self.count as f64;
        let skewness = n.sqrt() * self.m3 / self.m2.powf(1.5);
        let kurtosis = n * self.m4 / (self.m2 * self.m2);
        n / 6.0 * (skewness.powi(2) + (kurtosis - 3.0).powi(2) / 4.0)
    }
}

impl Add for Moments {
    type Output = Moments;

    #[differentiable(wrt(self, other))]
    fn add(self, other: Moments) -> Moments {
        let (na, nb) = (self.count as f64, other.count as f64);
        let n = na + nb;
        let d = other.mean - self.mean;
        Moments {
            count: self.count + other.count,
            mean: self.mean + d * nb / n,
            m2: self.m2 + other.m2 + d * d * na * nb / n,
            m3: self.m3
                + other.m3
                + d.powi(3) * na * nb * (na - nb) / (n * n)
                + 3.0 * d * (na * other.m2 - nb * self.m2) / n,
            m4: self.m4
                + other.m4
                + d.powi(4) * na * nb * (na * na - na * nb + nb * nb) / (n * n * n)
                + 6.0 * d * d * (na * na * other.m2 + nb * nb * self.m2) / (n * n)
                + 4.0 * d * (na * other.m3 - nb * self.m3) / n,
        }
    }
}

#[differentiable(wrt(shift, lambda))]
pub fn non_normality(sample: &[f64], shift: f64, lambda: f64) -> f64 {
    let mut all = Moments::default();
    for chunk in sample.chunks(4) {
        let mut part = Moments::single(YeoJohnson.forward(chunk[0] - shift, lambda));
        for y in &chunk[1..] {
            part = part + Moments::single(YeoJohnson.forward(y - shift, lambda));
        }
        all = all + part;
    }
    all.jarque_bera()
}

#[cfg(test)]
const SAMPLE: [f64; 11] = [-1.1, 0.4, 2.3, 0.9, -0.3, 1.6, 3.4, 0.6, 1.2, -0.7, 2.0];

#[cfg(test)]
#[test]
fn primal() {
    assert!(non_normality(&SAMPLE, 0.15, 0.7).is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "yeo_johnson",
        &[0.15, 0.7],
        |x| non_normality(&SAMPLE, x[0], x[1]),
        |x| {
            let (value, (shift, lambda)) = non_normality_grad(&SAMPLE, x[0], x[1]);
            (value, vec![shift, lambda])
        },
        |x, v| {
            let (shift, lambda) = non_normality_hvp(&SAMPLE, x[0], x[1], v[0], v[1]);
            vec![shift, lambda]
        },
    );
}
