//! PID tuning on a plant with dead time: integral of squared error plus actuator effort.
use ad_runtime::{Differentiable, differentiable};
use std::collections::VecDeque;

#[derive(Clone, Debug, Differentiable)]
struct Gains {
    kp: f64,
    ki: f64,
    kd: f64,
}

#[derive(Clone, Debug, Default, Differentiable)]
struct Pid {
    integral: f64,
    last_error: Option<f64>,
}

#[differentiable]
impl Pid {
    fn update(&mut self, gains: &Gains, error: f64, dt: f64) -> f64 {
        self.integral += error * dt;
        let slope = match self.last_error {
            Some(previous) => (error - previous) / dt,
            None => 0.0,
        };
        self.last_error = Some(error);
        gains.kp * error + gains.ki * self.integral + gains.kd * slope
    }
}

#[differentiable(wrt(gains))]
fn tracking_cost(
    gains: &Gains,
    setpoint: f64,
    time_constant: f64,
    dead_steps: usize,
    dt: f64,
    steps: usize,
) -> f64 {
    let mut pid = Pid::default();
    let mut line: VecDeque<f64> = std::iter::repeat(0.0).take(dead_steps).collect();
    let mut y = 0.0;
    let mut cost = 0.0;
    for _ in 0..steps {
        let error = setpoint - y;
        let command = 3.0 * (pid.update(gains, error, dt) / 3.0).tanh();
        line.push_back(command);
        let applied = line.pop_front().unwrap_or(0.0);
        y += dt * (applied - y) / time_constant;
        cost += dt * (error.powi(2) + 0.05 * command.powi(2));
    }
    cost
}

#[test]
fn exact() {
    let p = |x: &[f64]| Gains { kp: x[0], ki: x[1], kd: x[2] };
    let flat = |g: &Gains| vec![g.kp, g.ki, g.kd];
    super::harness::check(
        "pid_tuning",
        &[1.1, 0.6, 0.15],
        |x| tracking_cost(&p(x), 1.0, 0.8, 3, 0.1, 25),
        |x| {
            let mut g = p(&[f64::NAN; 3]);
            let value = tracking_cost_grad(&p(x), 1.0, 0.8, 3, 0.1, 25, &mut g);
            (value, flat(&g))
        },
        |x, v| {
            let mut hv = p(&[f64::NAN; 3]);
            tracking_cost_hvp(&p(x), 1.0, 0.8, 3, 0.1, 25, &p(v), &mut hv);
            flat(&hv)
        },
    );
}
