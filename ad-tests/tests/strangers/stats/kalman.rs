//! AR(1) plus noise with missing observations: a Kalman filter of a small Copy struct with methods.
use ad_runtime::differentiable;
use std::f64::consts::TAU;

#[derive(Clone, Copy, Debug)]
struct Belief {
    mean: f64,
    var: f64,
}

#[differentiable]
impl Belief {
    fn stationary(phi: f64, q: f64) -> Self {
        Belief { mean: 0.0, var: q / (1.0 - phi * phi) }
    }

    #[must_use]
    fn predict(self, phi: f64, q: f64) -> Self {
        Self { mean: phi * self.mean, var: phi * phi * self.var + q }
    }

    /// The posterior belief and the log predictive density of `y`.
    fn update(self, y: f64, r: f64) -> (Self, f64) {
        let s = self.var + r;
        let gain = self.var / s;
        let innovation = y - self.mean;
        let posterior = Self { mean: self.mean + gain * innovation, var: self.var * (1.0 - gain) };
        (posterior, -0.5 * ((TAU * s).ln() + innovation * innovation / s))
    }
}

#[differentiable]
fn kalman(phi: f64, log_q: f64, log_r: f64, series: &[Option<f32>]) -> f64 {
    let (q, r) = (log_q.exp(), log_r.exp());
    let mut belief = Belief::stationary(phi, q);
    let mut loglik = 0.0;
    for obs in series {
        if let Some(y) = obs {
            let (posterior, l) = belief.update(f64::from(*y), r);
            belief = posterior;
            loglik += l;
        }
        belief = belief.predict(phi, q);
    }
    -loglik
}

const S: [Option<f32>; 8] = [Some(0.5), Some(0.9), None, Some(-0.25), Some(-0.75), None, None, Some(1.25)];

#[test]
fn exact() {
    super::harness::check(
        "kalman",
        &[0.6, -0.4, -0.9],
        |x| kalman(x[0], x[1], x[2], &S),
        |x| {
            let (value, (a, b, c)) = kalman_grad(x[0], x[1], x[2], &S);
            (value, vec![a, b, c])
        },
        |x, v| {
            let (a, b, c) = kalman_hvp(x[0], x[1], x[2], &S, v[0], v[1], v[2]);
            vec![a, b, c]
        },
    );
}
