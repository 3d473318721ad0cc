//! gauss-quad: a rule built once, `integrate` over a closure; Debye heat capacity with the limit active.
use ad_runtime::differentiable;

#[derive(Debug, Clone, PartialEq)]
pub struct GaussLegendre {
    node_weight_pairs: Vec<(f64, f64)>,
}

impl GaussLegendre {
    pub fn new(degree: usize) -> Option<Self> {
        if degree < 2 {
            return None;
        }
        let n = degree as f64;
        let node_weight_pairs = (1..degree + 1)
            .rev()
            .map(|k| {
                let mut x = (std::f64::consts::PI * (k as f64 - 0.25) / (n + 0.5)).cos();
                let mut dp = 1.0;
                for _ in 0..100 {
                    let (mut p0, mut p1) = (1.0, x);
                    for j in 2..=degree {
                        let j = j as f64;
                        (p0, p1) = (p1, ((2.0 * j - 1.0) * x * p1 - (j - 1.0) * p0) / j);
                    }
                    dp = n * (x * p1 - p0) / (x * x - 1.0);
                    let step = p1 / dp;
                    x -= step;
                    if step.abs() < 1e-15 {
                        break;
                    }
                }
                (x, 2.0 / ((1.0 - x * x) * dp * dp))
            })
            .collect();
        Some(Self { node_weight_pairs })
    }
}

#[differentiable]
impl GaussLegendre {
    fn argument_transformation(x: f64, a: f64, b: f64) -> f64 {
        0.5 * ((b - a) * x + (b + a))
    }

    fn scale_factor(a: f64, b: f64) -> f64 {
        0.5 * (b - a)
    }

    pub fn integrate<F>(&self, a: f64, b: f64, integrand: F) -> f64
    where
        F: Fn(f64) -> f64,
    {
        let result: f64 = self
            .node_weight_pairs
            .iter()
            .map(|(x_val, w_val)| integrand(Self::argument_transformation(*x_val, a, b)) * w_val)
            .sum();
        Self::scale_factor(a, b) * result
    }
}

/// molar heat capacity over 3R of a Debye solid with a linear anharmonic correction
#[differentiable(wrt(t, theta, anharmonic))]
pub fn heat_capacity(quad: &GaussLegendre, t: f64, theta: f64, anharmonic: f64) -> f64 {
    let x_max = theta / t;
    let integral = quad.integrate(0.0, x_max, |x| {
        let em1 = x.exp_m1();
        x.powi(4) * x.exp() / (em1 * em1) * (1.0 + anharmonic * x / x_max)
    });
    3.0 * x_max.powi(-3) * integral
}

const X: &[f64] = &[1.3, 2.9, 0.2];
fn at(x: &[f64]) -> f64 {
    heat_capacity(&GaussLegendre::new(16).unwrap(), x[0], x[1], x[2])
}
#[test]
fn exact() {
    let quad = GaussLegendre::new(16).unwrap();
    crate::harness::check(
        "debye",
        X,
        at,
        |x| {
            let (value, (a, b, c)) = heat_capacity_grad(&quad, x[0], x[1], x[2]);
            (value, vec![a, b, c])
        },
        |x, v| {
            let (a, b, c) = heat_capacity_hvp(&quad, x[0], x[1], x[2], v[0], v[1], v[2]);
            vec![a, b, c]
        },
    );
}
