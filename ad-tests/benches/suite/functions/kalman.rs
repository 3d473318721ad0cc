//! Negative log-likelihood of a series by a scalar Kalman filter: a long loop with a carried state of two numbers.

use super::{Case, LANES, Linearization, Number, Problem, uniform};
use ad_runtime::differentiable;
use std::hint::black_box;

/// `p`: the transition, the logarithms of the variances of state and observation, the first mean.
#[differentiable(wrt(p))]
fn kalman(p: &[f64], observations: &[f64]) -> f64 {
    let phi = p[0];
    let q = p[1].exp();
    let r = p[2].exp();
    let mut mean = p[3];
    let mut variance = 1.0;
    let mut nll = 0.0;
    for &y in observations {
        mean *= phi;
        variance = phi * phi * variance + q;
        let s = variance + r;
        let e = y - mean;
        nll += 0.5 * (s.ln() + e * e / s);
        let gain = variance / s;
        mean += gain * e;
        variance *= 1.0 - gain;
    }
    nll
}

struct Kalman {
    observations: Vec<f64>,
}

pub(super) fn case(name: &'static str) -> Case {
    let noise = uniform(20, black_box(1000), -1.0, 1.0);
    let observations = noise.iter().enumerate().map(|(i, e)| (0.05 * i as f64).sin() + 0.4 * e).collect();
    Case::new(name, Kalman { observations }, vec![0.95, -2.0, -1.5, 0.3])
}

impl Problem for Kalman {
    fn primal(&self, p: &[f64]) -> f64 {
        kalman(p, &self.observations)
    }
    fn gradient(&self, p: &[f64], g: &mut [f64]) -> f64 {
        kalman_grad(p, &self.observations, g)
    }
    fn hvp(&self, p: &[f64], v: &[f64], hv: &mut [f64]) {
        kalman_hvp(p, &self.observations, v, hv);
    }
    fn hvp_block(&self, p: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        kalman_hvp_block(p, &self.observations, v, hv);
    }
    fn linearize<'a>(&'a self, p: &'a [f64]) -> Linearization<'a> {
        Linearization::new(kalman_linearize(p, &self.observations))
    }

    fn gradient_by_hand(&self, p: &[f64], g: &mut [f64]) -> f64 {
        let (phi, q, r) = (p[0], p[1].exp(), p[2].exp());
        let (mut m, mut c) = (p[3], 1.0);
        let mut path = Vec::with_capacity(self.observations.len());
        let mut nll = 0.0;
        for &y in &self.observations {
            path.push((m, c));
            let (m1, c1) = (phi * m, phi * phi * c + q);
            let (s, e) = (c1 + r, y - m1);
            let by = 1.0 / s;
            nll += 0.5 * (s.ln() + e * e * by);
            let gain = c1 * by;
            m = m1 + gain * e;
            c = (1.0 - gain) * c1;
        }
        let (mut m_bar, mut c_bar) = (0.0, 0.0);
        let (mut phi_bar, mut q_bar, mut r_bar) = (0.0, 0.0, 0.0);
        for (&y, &(m, c)) in self.observations.iter().zip(&path).rev() {
            let (m1, c1) = (phi * m, phi * phi * c + q);
            let (by, e) = (1.0 / (c1 + r), y - m1);
            let gain = c1 * by;
            let gain_bar = m_bar * e - c_bar * c1;
            let e_bar = m_bar * gain + e * by;
            let s_bar = 0.5 * by * (1.0 - e * e * by) - gain_bar * gain * by;
            let c1_bar = c_bar * (1.0 - gain) + gain_bar * by + s_bar;
            let m1_bar = m_bar - e_bar;
            r_bar += s_bar;
            q_bar += c1_bar;
            phi_bar += 2.0 * phi * c * c1_bar + m * m1_bar;
            c_bar = phi * phi * c1_bar;
            m_bar = phi * m1_bar;
        }
        g.copy_from_slice(&[phi_bar, q_bar * q, r_bar * r, m_bar]);
        nll
    }

    fn hvp_by_hand(&self, p: &[f64], v: &[f64], hv: &mut [f64]) {
        let (phi, q, r) = (p[0], p[1].exp(), p[2].exp());
        let (phi_dot, q_dot, r_dot) = (v[0], q * v[1], r * v[2]);
        let (mut m, mut c, mut m_dot, mut c_dot) = (p[3], 1.0, v[3], 0.0);
        let mut path = Vec::with_capacity(self.observations.len());
        for &y in &self.observations {
            path.push((m, c, m_dot, c_dot));
            let (m1, c1) = (phi * m, phi * phi * c + q);
            let m1_dot = phi_dot * m + phi * m_dot;
            let c1_dot = 2.0 * phi * phi_dot * c + phi * phi * c_dot + q_dot;
            let (by, e) = (1.0 / (c1 + r), y - m1);
            let gain = c1 * by;
            let gain_dot = (c1_dot - gain * (c1_dot + r_dot)) * by;
            m = m1 + gain * e;
            m_dot = m1_dot + gain_dot * e - gain * m1_dot;
            c = (1.0 - gain) * c1;
            c_dot = (1.0 - gain) * c1_dot - gain_dot * c1;
        }
        let (mut m_bar, mut c_bar, mut m_bar_dot, mut c_bar_dot) = (0.0, 0.0, 0.0, 0.0);
        let (mut q_bar, mut r_bar) = (0.0, 0.0);
        let (mut phi_bar_dot, mut q_bar_dot, mut r_bar_dot) = (0.0, 0.0, 0.0);
        for (&y, &(m, c, m_dot, c_dot)) in self.observations.iter().zip(&path).rev() {
            let (m1, c1) = (phi * m, phi * phi * c + q);
            let m1_dot = phi_dot * m + phi * m_dot;
            let c1_dot = 2.0 * phi * phi_dot * c + phi * phi * c_dot + q_dot;
            let (by, e) = (1.0 / (c1 + r), y - m1);
            let by_dot = -by * by * (c1_dot + r_dot);
            let e_dot = -m1_dot;
            let gain = c1 * by;
            let gain_dot = c1_dot * by + c1 * by_dot;

            let gain_bar = m_bar * e - c_bar * c1;
            let gain_bar_dot = m_bar_dot * e + m_bar * e_dot - c_bar_dot * c1 - c_bar * c1_dot;
            let e_bar = m_bar * gain + e * by;
            let e_bar_dot = m_bar_dot * gain + m_bar * gain_dot + e_dot * by + e * by_dot;
            let s_bar = 0.5 * by * (1.0 - e * e * by) - gain_bar * gain * by;
            let s_bar_dot = 0.5 * by_dot * (1.0 - 2.0 * e * e * by)
                - by * e * e_dot * by
                - (gain_bar_dot * gain + gain_bar * gain_dot) * by
                - gain_bar * gain * by_dot;
            let c1_bar = c_bar * (1.0 - gain) + gain_bar * by + s_bar;
            let c1_bar_dot = c_bar_dot * (1.0 - gain) - c_bar * gain_dot
                + gain_bar_dot * by
                + gain_bar * by_dot
                + s_bar_dot;
            let m1_bar = m_bar - e_bar;
            let m1_bar_dot = m_bar_dot - e_bar_dot;
            r_bar += s_bar;
            r_bar_dot += s_bar_dot;
            q_bar += c1_bar;
            q_bar_dot += c1_bar_dot;
            phi_bar_dot += 2.0 * (phi_dot * c * c1_bar + phi * c_dot * c1_bar + phi * c * c1_bar_dot)
                + m_dot * m1_bar
                + m * m1_bar_dot;
            c_bar = phi * phi * c1_bar;
            c_bar_dot = 2.0 * phi * phi_dot * c1_bar + phi * phi * c1_bar_dot;
            m_bar = phi * m1_bar;
            m_bar_dot = phi_dot * m1_bar + phi * m1_bar_dot;
        }
        hv[0] = phi_bar_dot;
        hv[1] = q_bar_dot * q + q_bar * q_dot;
        hv[2] = r_bar_dot * r + r_bar * r_dot;
        hv[3] = m_bar_dot;
    }

    fn generic<T: Number>(&self, p: &[T]) -> T {
        let (phi, q, r) = (p[0], p[1].exp(), p[2].exp());
        let (mut mean, mut variance, mut nll) = (p[3], T::from(1.0), T::from(0.0));
        for &y in &self.observations {
            mean *= phi;
            variance = phi * phi * variance + q;
            let s = variance + r;
            let e = -mean + y;
            nll += (s.ln() + e * e / s) * 0.5;
            let gain = variance / s;
            mean += gain * e;
            variance = (-gain + 1.0) * variance;
        }
        nll
    }
}
