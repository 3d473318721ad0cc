//! Extended Kalman filter: negative log-likelihood of a noisy pendulum in its noise and model parameters, nalgebra matrices.
use ad_runtime::differentiable;
use nalgebra::{Matrix2, RowVector2, Vector2};
use std::f64::consts::TAU;

#[differentiable(wrt(log_q, log_r, stiffness, damping))]
fn negative_log_likelihood(
    log_q: f64,
    log_r: f64,
    stiffness: f64,
    damping: f64,
    readings: &[Option<f64>],
    dt: f64,
) -> f64 {
    let (q, r) = (log_q.exp(), log_r.exp());
    let process = Matrix2::new(dt.powi(3) / 3.0, 0.5 * dt * dt, 0.5 * dt * dt, dt) * q;
    let h = RowVector2::new(1.0, 0.0);
    let mut state: Vector2<f64> = Vector2::new(0.4, 0.0);
    let mut cov = Matrix2::identity() * 0.1;
    let mut nll = 0.0;
    for reading in readings {
        // predict
        let (angle, rate) = (state.x, state.y);
        let jac = Matrix2::new(1.0, dt, -dt * stiffness * angle.cos(), 1.0 - dt * damping);
        state = Vector2::new(angle + dt * rate, rate - dt * (stiffness * angle.sin() + damping * rate));
        cov = jac * cov * jac.transpose() + process;
        // update, unless the reading is missing
        if let Some(z) = *reading {
            let innovation = z - (h * state)[(0, 0)];
            let s = (h * cov * h.transpose())[(0, 0)] + r;
            let gain = cov * h.transpose() / s;
            state += gain * innovation;
            cov = (Matrix2::identity() - gain * h) * cov;
            nll += 0.5 * (innovation * innovation / s + (TAU * s).ln());
        }
    }
    nll
}

#[test]
fn exact() {
    let z = [Some(0.42), Some(0.3), None, Some(0.1), Some(-0.15), None, Some(-0.4), Some(-0.3)];
    super::harness::check(
        "kalman_likelihood",
        &[-1.5, -2.0, 2.5, 0.3],
        |x| negative_log_likelihood(x[0], x[1], x[2], x[3], &z, 0.2),
        |x| {
            let (value, (a, b, c, d)) = negative_log_likelihood_grad(x[0], x[1], x[2], x[3], &z, 0.2);
            (value, vec![a, b, c, d])
        },
        |x, v| {
            let (a, b, c, d) =
                negative_log_likelihood_hvp(x[0], x[1], x[2], x[3], &z, 0.2, v[0], v[1], v[2], v[3]);
            vec![a, b, c, d]
        },
    );
}
