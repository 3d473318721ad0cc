//! Double pendulum, integrated by RK4 over a generic dynamics trait; parameter identification from angle readings.
use ad_runtime::{Differentiable, differentiable};
use std::ops::{Add, Mul};

#[derive(Clone, Copy, Debug, Differentiable)]
struct State {
    th1: f64,
    th2: f64,
    w1: f64,
    w2: f64,
}

#[differentiable]
impl Add for State {
    type Output = State;
    fn add(self, rhs: State) -> State {
        State { th1: self.th1 + rhs.th1, th2: self.th2 + rhs.th2, w1: self.w1 + rhs.w1, w2: self.w2 + rhs.w2 }
    }
}
#[differentiable]
impl Mul<State> for f64 {
    type Output = State;
    fn mul(self, s: State) -> State {
        State { th1: self * s.th1, th2: self * s.th2, w1: self * s.w1, w2: self * s.w2 }
    }
}

#[derive(Clone, Debug, Differentiable)]
struct Pendulum {
    m1: f64,
    m2: f64,
    l1: f64,
    l2: f64,
    damping: f64,
}

trait Dynamics {
    fn derivative(&self, s: State) -> State;
}

const G: f64 = 9.81;

#[differentiable]
impl Dynamics for Pendulum {
    fn derivative(&self, s: State) -> State {
        let Pendulum { m1, m2, l1, l2, damping } = *self;
        let delta = s.th1 - s.th2;
        let (sd, cd) = delta.sin_cos();
        let den = 2.0 * m1 + m2 - m2 * (2.0 * delta).cos();
        let a1 = (-G * (2.0 * m1 + m2) * s.th1.sin()
            - m2 * G * (s.th1 - 2.0 * s.th2).sin()
            - 2.0 * sd * m2 * (s.w2.powi(2) * l2 + s.w1.powi(2) * l1 * cd))
            / (l1 * den);
        let a2 = 2.0
            * sd
            * (s.w1.powi(2) * l1 * (m1 + m2) + G * (m1 + m2) * s.th1.cos() + s.w2.powi(2) * l2 * m2 * cd)
            / (l2 * den);
        State { th1: s.w1, th2: s.w2, w1: a1 - damping * s.w1, w2: a2 - damping * s.w2 }
    }
}

#[differentiable]
fn rk4<D: Dynamics>(system: &D, s: State, h: f64) -> State {
    let k1 = system.derivative(s);
    let k2 = system.derivative(s + 0.5 * h * k1);
    let k3 = system.derivative(s + 0.5 * h * k2);
    let k4 = system.derivative(s + h * k3);
    s + h / 6.0 * (k1 + 2.0 * (k2 + k3) + k4)
}

#[differentiable(wrt(p))]
fn misfit(p: &Pendulum, h: f64, readings: &[(f64, f64)]) -> f64 {
    let mut s = State { th1: 0.5, th2: -0.3, w1: 0.0, w2: 0.2 };
    let mut loss = 0.0;
    for &(r1, r2) in readings {
        for _substep in 0..3 {
            s = rk4(p, s, h);
        }
        loss += (s.th1 - r1).powi(2) + (s.th2 - r2).powi(2);
    }
    0.5 * loss / readings.len() as f64
}

#[test]
fn exact() {
    let p = |x: &[f64]| Pendulum { m1: x[0], m2: x[1], l1: x[2], l2: x[3], damping: x[4] };
    let flat = |p: &Pendulum| vec![p.m1, p.m2, p.l1, p.l2, p.damping];
    let readings = [(0.45, -0.2), (0.25, -0.05), (-0.05, 0.1), (-0.3, 0.25)];
    super::harness::check(
        "double_pendulum",
        &[1.0, 0.7, 1.3, 1.1, 0.15],
        |x| misfit(&p(x), 0.05, &readings),
        |x| {
            let mut g = p(&[f64::NAN; 5]);
            let value = misfit_grad(&p(x), 0.05, &readings, &mut g);
            (value, flat(&g))
        },
        |x, v| {
            let mut hv = p(&[f64::NAN; 5]);
            misfit_hvp(&p(x), 0.05, &readings, &p(v), &mut hv);
            flat(&hv)
        },
    );
}
