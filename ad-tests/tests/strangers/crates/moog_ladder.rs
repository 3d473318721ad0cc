//! Moog ladder (D'Angelo/Valimaki): a stateful filter with `&mut self`, driven from an iterator.
use ad_runtime::{Differentiable, differentiable};
use std::f64::consts::PI;

const VT: f64 = 0.312;

#[derive(Clone, Copy, Differentiable)]
pub struct LadderFilter {
    v: [f64; 4],
    dv: [f64; 4],
    tv: [f64; 4],
    g: f64,
    resonance: f64,
    drive: f64,
}

#[differentiable]
impl LadderFilter {
    /// `cutoff` relative to the sample rate
    pub fn new(cutoff: f64, resonance: f64, drive: f64) -> Self {
        let x = PI * cutoff;
        let g = 4.0 * PI * VT * cutoff * (1.0 - x) / (1.0 + x);
        Self { v: [0.0; 4], dv: [0.0; 4], tv: [0.0; 4], g, resonance, drive }
    }

    pub fn process(&mut self, input: f64) -> f64 {
        let feedback = ((self.drive * input + self.resonance * self.v[3]) / (2.0 * VT)).tanh();
        let dv0 = -self.g * (feedback + self.tv[0]);
        self.advance(0, dv0);
        for stage in 1..4 {
            let dv = self.g * (self.tv[stage - 1] - self.tv[stage]);
            self.advance(stage, dv);
        }
        self.v[3]
    }

    fn advance(&mut self, stage: usize, dv: f64) {
        self.v[stage] += 0.5 * (dv + self.dv[stage]);
        self.dv[stage] = dv;
        self.tv[stage] = (self.v[stage] / (2.0 * VT)).tanh();
    }
}

#[differentiable(wrt(cutoff, resonance, drive))]
pub fn matching_error(cutoff: f64, resonance: f64, drive: f64, input: &[f64], recorded: &[f64]) -> f64 {
    let mut filter = LadderFilter::new(cutoff, resonance, drive);
    input
        .iter()
        .map(|&sample| filter.process(sample))
        .zip(recorded)
        .map(|(ours, theirs)| (ours - theirs).powi(2))
        .sum()
}

const INPUT: [f64; 16] =
    [0.9, 0.8, 0.4, -0.3, -0.9, -0.7, -0.1, 0.6, 1.0, 0.5, -0.2, -0.8, -0.6, 0.1, 0.7, 0.9];
const RECORDED: [f64; 16] =
    [0.0, -0.1, -0.1, -0.2, -0.2, 0.1, 0.2, 0.3, 0.1, 0.0, -0.2, -0.3, -0.1, 0.1, 0.2, 0.1];
const X: &[f64] = &[0.11, 0.9, 1.2];
fn at(x: &[f64]) -> f64 {
    matching_error(x[0], x[1], x[2], &INPUT, &RECORDED)
}
#[test]
fn exact() {
    crate::harness::check(
        "moog_ladder",
        X,
        at,
        |x| {
            let (value, (a, b, c)) = matching_error_grad(x[0], x[1], x[2], &INPUT, &RECORDED);
            (value, vec![a, b, c])
        },
        |x, v| {
            let (a, b, c) = matching_error_hvp(x[0], x[1], x[2], &INPUT, &RECORDED, v[0], v[1], v[2]);
            vec![a, b, c]
        },
    );
}
