//! SEIR epidemic observed through Poisson case counts.
use ad_runtime::{Differentiable, differentiable};

#[derive(Debug, Clone, Copy, PartialEq, Differentiable)]
pub struct Seir {
    /// contacts per day
    pub beta: f64,
    pub sigma: f64,
    pub gamma: f64,
    /// initially infectious fraction, in percent
    pub i0: f64,
}

#[differentiable]
impl Seir {
    fn rhs(&self, [s, e, i, _]: [f64; 4]) -> [f64; 4] {
        let infection = self.beta * s * i;
        let onset = self.sigma * e;
        [-infection, infection - onset, onset - self.gamma * i, onset]
    }

    fn rk4(&self, y: [f64; 4], dt: f64) -> [f64; 4] {
        let k1 = self.rhs(y);
        let k2 = self.rhs(axpy(y, 0.5 * dt, k1));
        let k3 = self.rhs(axpy(y, 0.5 * dt, k2));
        let k4 = self.rhs(axpy(y, dt, k3));
        std::array::from_fn(|j| y[j] + dt / 6.0 * (k1[j] + 2.0 * k2[j] + 2.0 * k3[j] + k4[j]))
    }

    /// Poisson deviance per day of the daily onsets in a population of `population`.
    #[differentiable(wrt(self))]
    pub fn deviance(&self, cases: &[u32], population: u32, steps: usize) -> f64 {
        let i0 = 0.01 * self.i0;
        let mut state = [1.0 - 2.0 * i0, i0, i0, 0.0];
        let mut total = 0.0;
        for &observed in cases {
            let before = state[3];
            for _ in 0..steps {
                state = self.rk4(state, 1.0 / steps as f64);
            }
            let expected = population as f64 * (state[3] - before);
            let k = observed as f64;
            total += match observed {
                0 => 2.0 * expected,
                _ => 2.0 * (k * (k / expected).ln() - (k - expected)),
            };
        }
        total / cases.len() as f64
    }
}

#[differentiable]
fn axpy(y: [f64; 4], h: f64, k: [f64; 4]) -> [f64; 4] {
    let mut out = y;
    out.iter_mut().zip(k).for_each(|(o, k)| *o += h * k);
    out
}

const CASES: [u32; 8] = [1, 2, 0, 2, 3, 2, 5, 4];

fn seir(x: &[f64]) -> Seir {
    Seir { beta: x[0], sigma: x[1], gamma: x[2], i0: x[3] }
}

#[test]
fn primal() {
    assert!(seir(&[0.9, 0.5, 0.4, 1.2]).deviance(&CASES, 200, 4).is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "seir_poisson",
        &[0.9, 0.5, 0.4, 1.2],
        |x| seir(x).deviance(&CASES, 200, 4),
        |x| {
            let mut g = seir(&[0.0; 4]);
            let value = seir(x).deviance_grad(&CASES, 200, 4, &mut g);
            (value, vec![g.beta, g.sigma, g.gamma, g.i0])
        },
        |x, v| {
            let mut h = seir(&[0.0; 4]);
            seir(x).deviance_hvp(&CASES, 200, 4, &seir(v), &mut h);
            vec![h.beta, h.sigma, h.gamma, h.i0]
        },
    );
}
