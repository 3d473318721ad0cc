//! The Lorenz system by the classical Runge-Kutta method, squared distance of the last state from a target: a long loop whose
//! state is carried.

use super::{Case, LANES, Linearization, Number, Problem};
use ad_runtime::differentiable;
use std::hint::black_box;

#[differentiable(wrt(p))]
fn lorenz(p: &[f64], target: &[f64], steps: usize, dt: f64) -> f64 {
    let (sigma, rho, beta) = (p[3], p[4], p[5]);
    let mut s = [p[0], p[1], p[2]];
    for _ in 0..steps {
        let k1 = [sigma * (s[1] - s[0]), s[0] * (rho - s[2]) - s[1], s[0] * s[1] - beta * s[2]];
        let mut t = [0.0; 3];
        for i in 0..3 {
            t[i] = s[i] + 0.5 * dt * k1[i];
        }
        let k2 = [sigma * (t[1] - t[0]), t[0] * (rho - t[2]) - t[1], t[0] * t[1] - beta * t[2]];
        for i in 0..3 {
            t[i] = s[i] + 0.5 * dt * k2[i];
        }
        let k3 = [sigma * (t[1] - t[0]), t[0] * (rho - t[2]) - t[1], t[0] * t[1] - beta * t[2]];
        for i in 0..3 {
            t[i] = s[i] + dt * k3[i];
        }
        let k4 = [sigma * (t[1] - t[0]), t[0] * (rho - t[2]) - t[1], t[0] * t[1] - beta * t[2]];
        for i in 0..3 {
            s[i] += (dt / 6.0) * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
        }
    }
    let mut loss = 0.0;
    for i in 0..3 {
        let e = s[i] - target[i];
        loss += e * e;
    }
    loss
}

type V3 = [f64; 3];

struct Lorenz {
    target: V3,
    steps: usize,
    dt: f64,
}

pub(super) fn case(name: &'static str) -> Case {
    let problem = Lorenz { target: [1.0, -2.0, 15.0], steps: black_box(1000), dt: 0.005 };
    Case::new(name, problem, vec![1.0, 1.5, 20.0, 10.0, 28.0, 8.0 / 3.0])
}

fn slope(s: V3, p: V3) -> V3 {
    [p[0] * (s[1] - s[0]), s[0] * (p[1] - s[2]) - s[1], s[0] * s[1] - p[2] * s[2]]
}

fn slope_dot(s: V3, s_dot: V3, p: V3, p_dot: V3) -> V3 {
    [
        p_dot[0] * (s[1] - s[0]) + p[0] * (s_dot[1] - s_dot[0]),
        s_dot[0] * (p[1] - s[2]) + s[0] * (p_dot[1] - s_dot[2]) - s_dot[1],
        s_dot[0] * s[1] + s[0] * s_dot[1] - p_dot[2] * s[2] - p[2] * s_dot[2],
    ]
}

/// The adjoint of `slope` applied to `b`; adds what belongs to the parameters.
fn slope_bar(s: V3, p: V3, b: V3, p_bar: &mut V3) -> V3 {
    p_bar[0] += b[0] * (s[1] - s[0]);
    p_bar[1] += b[1] * s[0];
    p_bar[2] -= b[2] * s[2];
    [
        -p[0] * b[0] + (p[1] - s[2]) * b[1] + s[1] * b[2],
        p[0] * b[0] - b[1] + s[0] * b[2],
        -s[0] * b[1] - p[2] * b[2],
    ]
}

/// Its tangent.
fn slope_bar_dot(s: V3, s_dot: V3, p: V3, p_dot: V3, b: V3, b_dot: V3, p_bar_dot: &mut V3) -> V3 {
    p_bar_dot[0] += b_dot[0] * (s[1] - s[0]) + b[0] * (s_dot[1] - s_dot[0]);
    p_bar_dot[1] += b_dot[1] * s[0] + b[1] * s_dot[0];
    p_bar_dot[2] -= b_dot[2] * s[2] + b[2] * s_dot[2];
    [
        -p[0] * b_dot[0] - p_dot[0] * b[0]
            + (p[1] - s[2]) * b_dot[1]
            + (p_dot[1] - s_dot[2]) * b[1]
            + s[1] * b_dot[2]
            + s_dot[1] * b[2],
        p[0] * b_dot[0] + p_dot[0] * b[0] - b_dot[1] + s[0] * b_dot[2] + s_dot[0] * b[2],
        -s[0] * b_dot[1] - s_dot[0] * b[1] - p[2] * b_dot[2] - p_dot[2] * b[2],
    ]
}

/// s + h k
fn moved(s: V3, h: f64, k: V3) -> V3 {
    [s[0] + h * k[0], s[1] + h * k[1], s[2] + h * k[2]]
}

fn combined(s: V3, dt: f64, k: [V3; 4]) -> V3 {
    std::array::from_fn(|i| s[i] + (dt / 6.0) * (k[0][i] + 2.0 * k[1][i] + 2.0 * k[2][i] + k[3][i]))
}

/// The points at which the slope is taken, and the slopes.
fn stages(s: V3, p: V3, dt: f64) -> ([V3; 4], [V3; 4]) {
    let k1 = slope(s, p);
    let t2 = moved(s, 0.5 * dt, k1);
    let k2 = slope(t2, p);
    let t3 = moved(s, 0.5 * dt, k2);
    let k3 = slope(t3, p);
    let t4 = moved(s, dt, k3);
    ([s, t2, t3, t4], [k1, k2, k3, slope(t4, p)])
}

fn stages_dot(t: &[V3; 4], s_dot: V3, p: V3, p_dot: V3, dt: f64) -> ([V3; 4], [V3; 4]) {
    let k1 = slope_dot(t[0], s_dot, p, p_dot);
    let d2 = moved(s_dot, 0.5 * dt, k1);
    let k2 = slope_dot(t[1], d2, p, p_dot);
    let d3 = moved(s_dot, 0.5 * dt, k2);
    let k3 = slope_dot(t[2], d3, p, p_dot);
    let d4 = moved(s_dot, dt, k3);
    ([s_dot, d2, d3, d4], [k1, k2, k3, slope_dot(t[3], d4, p, p_dot)])
}

fn split(x: &[f64]) -> (V3, V3) {
    ([x[0], x[1], x[2]], [x[3], x[4], x[5]])
}

impl Problem for Lorenz {
    fn primal(&self, p: &[f64]) -> f64 {
        lorenz(p, &self.target, self.steps, self.dt)
    }
    fn gradient(&self, p: &[f64], g: &mut [f64]) -> f64 {
        lorenz_grad(p, &self.target, self.steps, self.dt, g)
    }
    fn hvp(&self, p: &[f64], v: &[f64], hv: &mut [f64]) {
        lorenz_hvp(p, &self.target, self.steps, self.dt, v, hv);
    }
    fn hvp_block(&self, p: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        lorenz_hvp_block(p, &self.target, self.steps, self.dt, v, hv);
    }
    fn linearize<'a>(&'a self, p: &'a [f64]) -> Linearization<'a> {
        Linearization::new(lorenz_linearize(p, &self.target, self.steps, self.dt))
    }

    fn gradient_by_hand(&self, x: &[f64], g: &mut [f64]) -> f64 {
        let (dt, w) = (self.dt, self.dt / 6.0);
        let (mut s, p) = split(x);
        let mut path = Vec::with_capacity(self.steps);
        for _ in 0..self.steps {
            path.push(s);
            s = combined(s, dt, stages(s, p, dt).1);
        }
        let e: V3 = std::array::from_fn(|i| s[i] - self.target[i]);
        let mut b = e.map(|e| 2.0 * e);
        let mut p_bar = [0.0; 3];
        for &s in path.iter().rev() {
            let (t, _) = stages(s, p, dt);
            let u4 = slope_bar(t[3], p, b.map(|b| w * b), &mut p_bar);
            let k3 = std::array::from_fn(|i| 2.0 * w * b[i] + dt * u4[i]);
            let u3 = slope_bar(t[2], p, k3, &mut p_bar);
            let k2 = std::array::from_fn(|i| 2.0 * w * b[i] + 0.5 * dt * u3[i]);
            let u2 = slope_bar(t[1], p, k2, &mut p_bar);
            let k1 = std::array::from_fn(|i| w * b[i] + 0.5 * dt * u2[i]);
            let u1 = slope_bar(t[0], p, k1, &mut p_bar);
            b = std::array::from_fn(|i| b[i] + u1[i] + u2[i] + u3[i] + u4[i]);
        }
        g[..3].copy_from_slice(&b);
        g[3..].copy_from_slice(&p_bar);
        e[0] * e[0] + e[1] * e[1] + e[2] * e[2]
    }

    fn hvp_by_hand(&self, x: &[f64], v: &[f64], hv: &mut [f64]) {
        let (dt, w) = (self.dt, self.dt / 6.0);
        let (mut s, p) = split(x);
        let (mut s_dot, p_dot) = split(v);
        let mut path = Vec::with_capacity(self.steps);
        for _ in 0..self.steps {
            path.push([s, s_dot]);
            let (t, k) = stages(s, p, dt);
            let (_, k_dot) = stages_dot(&t, s_dot, p, p_dot, dt);
            s = combined(s, dt, k);
            s_dot = combined(s_dot, dt, k_dot);
        }
        let mut b: V3 = std::array::from_fn(|i| 2.0 * (s[i] - self.target[i]));
        let mut b_dot: V3 = s_dot.map(|d| 2.0 * d);
        let (mut p_bar, mut p_bar_dot) = ([0.0; 3], [0.0; 3]);
        for &[s, s_dot] in path.iter().rev() {
            let (t, _) = stages(s, p, dt);
            let (d, _) = stages_dot(&t, s_dot, p, p_dot, dt);
            let (k4, e4) = (b.map(|b| w * b), b_dot.map(|b| w * b));
            let u4 = slope_bar(t[3], p, k4, &mut p_bar);
            let f4 = slope_bar_dot(t[3], d[3], p, p_dot, k4, e4, &mut p_bar_dot);
            let k3 = std::array::from_fn(|i| 2.0 * w * b[i] + dt * u4[i]);
            let e3 = std::array::from_fn(|i| 2.0 * w * b_dot[i] + dt * f4[i]);
            let u3 = slope_bar(t[2], p, k3, &mut p_bar);
            let f3 = slope_bar_dot(t[2], d[2], p, p_dot, k3, e3, &mut p_bar_dot);
            let k2 = std::array::from_fn(|i| 2.0 * w * b[i] + 0.5 * dt * u3[i]);
            let e2 = std::array::from_fn(|i| 2.0 * w * b_dot[i] + 0.5 * dt * f3[i]);
            let u2 = slope_bar(t[1], p, k2, &mut p_bar);
            let f2 = slope_bar_dot(t[1], d[1], p, p_dot, k2, e2, &mut p_bar_dot);
            let k1 = std::array::from_fn(|i| w * b[i] + 0.5 * dt * u2[i]);
            let e1 = std::array::from_fn(|i| w * b_dot[i] + 0.5 * dt * f2[i]);
            let u1 = slope_bar(t[0], p, k1, &mut p_bar);
            let f1 = slope_bar_dot(t[0], d[0], p, p_dot, k1, e1, &mut p_bar_dot);
            b = std::array::from_fn(|i| b[i] + u1[i] + u2[i] + u3[i] + u4[i]);
            b_dot = std::array::from_fn(|i| b_dot[i] + f1[i] + f2[i] + f3[i] + f4[i]);
        }
        hv[..3].copy_from_slice(&b_dot);
        hv[3..].copy_from_slice(&p_bar_dot);
    }

    fn generic<T: Number>(&self, p: &[T]) -> T {
        let dt = self.dt;
        let slope =
            |s: [T; 3]| [p[3] * (s[1] - s[0]), s[0] * (p[4] - s[2]) - s[1], s[0] * s[1] - p[5] * s[2]];
        let moved = |s: [T; 3], h: f64, k: [T; 3]| [s[0] + k[0] * h, s[1] + k[1] * h, s[2] + k[2] * h];
        let mut s = [p[0], p[1], p[2]];
        for _ in 0..self.steps {
            let k1 = slope(s);
            let k2 = slope(moved(s, 0.5 * dt, k1));
            let k3 = slope(moved(s, 0.5 * dt, k2));
            let k4 = slope(moved(s, dt, k3));
            for i in 0..3 {
                s[i] += (k1[i] + k2[i] * 2.0 + k3[i] * 2.0 + k4[i]) * (dt / 6.0);
            }
        }
        let mut loss = T::from(0.0);
        for i in 0..3 {
            let e = s[i] - self.target[i];
            loss += e * e;
        }
        loss
    }
}
