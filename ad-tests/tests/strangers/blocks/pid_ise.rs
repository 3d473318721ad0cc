use ad_runtime::{Differentiable, differentiable};

/// Output range of the actuator, and the time constant of the anti-windup feedback.
const LIMIT: f64 = 3.0;
const TRACKING: f64 = 0.5;

#[derive(Clone, Debug, PartialEq, Differentiable)]
pub struct Pid {
    pub kp: f64,
    pub ki: f64,
    pub kd: f64,
    /// Time constant of the derivative's low-pass filter.
    pub filter: f64,
}

#[derive(Clone, Debug, Default, Differentiable)]
struct Memory {
    integral: f64,
    slope: f64,
    last: f64,
}

/// Two tanks in series; the level of the second is measured, `delay` samples late.
#[derive(Clone, Debug, Differentiable)]
pub struct Tanks {
    pub gain: f64,
    pub tau: [f64; 2],
    pub delay: usize,
}

impl Tanks {
    #[differentiable(wrt(level, u))]
    fn advance(&self, level: &mut [f64; 2], u: f64, dt: f64) {
        let [upper, lower] = *level;
        level[0] += dt / self.tau[0] * (self.gain * u - upper);
        level[1] += dt / self.tau[1] * (upper - lower);
    }
}

impl Pid {
    #[differentiable(wrt(self, mem, error))]
    fn update(&self, mem: &mut Memory, error: f64, dt: f64) -> f64 {
        let blend = dt / (self.filter + dt);
        mem.slope += blend * ((error - mem.last) / dt - mem.slope);
        mem.last = error;
        let wanted = self.kp * error + mem.integral + self.kd * mem.slope;
        let actual = LIMIT * (wanted / LIMIT).tanh();
        mem.integral += dt * (self.ki * error + (actual - wanted) / TRACKING);
        actual
    }

    /// Integral of the squared tracking error and of the control effort in closed loop.
    #[differentiable(wrt(self))]
    pub fn ise(&self, tanks: &Tanks, reference: &[f64], dt: f64) -> f64 {
        let mut mem = Memory::default();
        let mut level = [0.0; 2];
        let mut measured = Vec::with_capacity(reference.len());
        let mut cost = 0.0;
        for (k, &target) in reference.iter().enumerate() {
            measured.push(level[1]);
            let seen = measured[k.saturating_sub(tanks.delay)];
            let u = self.update(&mut mem, target - seen, dt);
            tanks.advance(&mut level, u, dt);
            cost += dt * ((target - level[1]).powi(2) + 0.02 * u * u);
        }
        cost
    }
}

#[cfg(test)]
fn scene() -> (Tanks, Vec<f64>) {
    let reference = (0..24).map(|k| if k < 14 { 1.0 } else { 0.4 }).collect();
    (Tanks { gain: 1.3, tau: [0.5, 0.9], delay: 2 }, reference)
}

#[cfg(test)]
#[test]
fn primal() {
    let (tanks, reference) = scene();
    assert!(Pid { kp: 1.2, ki: 0.8, kd: 0.3, filter: 0.25 }.ise(&tanks, &reference, 0.1) > 0.0);
}

#[test]
fn exact() {
    let (tanks, reference) = scene();
    let pid = |x: &[f64]| Pid { kp: x[0], ki: x[1], kd: x[2], filter: x[3] };
    let flat = |p: Pid| vec![p.kp, p.ki, p.kd, p.filter];
    super::harness::check(
        "pid_ise",
        &[1.2, 0.8, 0.3, 0.25],
        |x| pid(x).ise(&tanks, &reference, 0.1),
        |x| {
            let mut g = pid(&[0.0; 4]);
            let value = pid(x).ise_grad(&tanks, &reference, 0.1, &mut g);
            (value, flat(g))
        },
        |x, v| {
            let mut h = pid(&[0.0; 4]);
            pid(x).ise_hvp(&tanks, &reference, 0.1, &pid(v), &mut h);
            flat(h)
        },
    );
}
