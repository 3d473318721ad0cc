//! Deep evidential regression: a small network whose head parametrises a normal-inverse-gamma.
use ad_runtime::{Differentiable, differentiable};
use std::f64::consts::PI;

pub trait Layer {
    fn forward(&self, x: &[f64]) -> Vec<f64>;
}

#[derive(Clone, Debug, Differentiable)]
pub struct Dense {
    pub weight: Vec<Vec<f64>>,
    pub bias: Vec<f64>,
}

#[derive(Clone, Debug, Differentiable)]
pub struct LayerNorm {
    pub gain: Vec<f64>,
    pub shift: Vec<f64>,
}

#[derive(Clone, Debug, Differentiable)]
pub struct EvidentialNet {
    pub hidden: Dense,
    pub norm: LayerNorm,
    pub head: Dense,
}

#[derive(Clone, Copy, Debug, Differentiable)]
pub struct NormalInverseGamma {
    pub gamma: f64,
    pub nu: f64,
    pub alpha: f64,
    pub beta: f64,
}

#[differentiable(wrt(self, x))]
impl Layer for Dense {
    fn forward(&self, x: &[f64]) -> Vec<f64> {
        self.weight
            .iter()
            .zip(&self.bias)
            .map(|(row, b)| b + row.iter().zip(x).map(|(w, v)| w * v).sum::<f64>())
            .collect()
    }
}

#[differentiable(wrt(self, x))]
impl Layer for LayerNorm {
    fn forward(&self, x: &[f64]) -> Vec<f64> {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let var = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        let scale = (var + 1e-2).sqrt().recip();
        let mut out = Vec::with_capacity(x.len());
        for (i, v) in x.iter().enumerate() {
            out.push(self.gain[i] * (v - mean) * scale + self.shift[i]);
        }
        out
    }
}

#[differentiable]
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[differentiable]
fn ln_gamma(x: f64) -> f64 {
    const SHIFT: usize = 8;
    let mut product = x;
    for k in 1..SHIFT {
        product *= x + k as f64;
    }
    let z = x + SHIFT as f64;
    let r = 1.0 / (z * z);
    let series = (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r / 1680.0))) / z;
    (z - 0.5) * z.ln() - z + 0.5 * (2.0 * PI).ln() + series - product.ln()
}

impl NormalInverseGamma {
    #[differentiable(wrt(self))]
    pub fn nll(&self, y: f64) -> f64 {
        let omega = 2.0 * self.beta * (1.0 + self.nu);
        0.5 * (PI / self.nu).ln() - self.alpha * omega.ln()
            + (self.alpha + 0.5) * ((y - self.gamma).powi(2) * self.nu + omega).ln()
            + ln_gamma(self.alpha)
            - ln_gamma(self.alpha + 0.5)
    }

    #[differentiable(wrt(self))]
    pub fn evidence(&self) -> f64 {
        2.0 * self.nu + self.alpha
    }
}

#[differentiable(wrt(self))]
impl EvidentialNet {
    fn predict(&self, x: &[f64]) -> NormalInverseGamma {
        let h: Vec<f64> = self.norm.forward(&self.hidden.forward(x)).into_iter().map(f64::tanh).collect();
        let out = self.head.forward(&h);
        NormalInverseGamma {
            gamma: out[0],
            nu: softplus(out[1]) + 1e-3,
            alpha: softplus(out[2]) + 1.0,
            beta: softplus(out[3]) + 1e-3,
        }
    }

    pub fn loss(&self, inputs: &[[f64; 2]], targets: &[f64], lambda: f64) -> f64 {
        assert_eq!(inputs.len(), targets.len());
        let mut total = 0.0;
        for (x, &y) in inputs.iter().zip(targets) {
            let nig = self.predict(x);
            total += nig.nll(y) + lambda * (y - nig.gamma).powi(2) * nig.evidence();
        }
        total / inputs.len() as f64
    }
}

#[cfg(test)]
const X: [f64; 31] = [
    0.9, -0.4, -0.7, 0.8, 0.3, 1.1, 0.2, -0.3, 0.5, // hidden
    1.1, 0.8, 0.9, 0.1, -0.2, 0.05, // norm
    0.5, -0.3, 0.4, 0.2, 0.6, -0.5, -0.4, 0.3, 0.7, 0.1, -0.6, 0.3, 0.15, 0.4, -0.2, 0.6, // head
];
#[cfg(test)]
const INPUTS: [[f64; 2]; 4] = [[0.5, -1.0], [1.2, 0.4], [-0.8, 0.6], [-0.3, -0.9]];
#[cfg(test)]
const TARGETS: [f64; 4] = [0.7, -0.4, 1.1, 0.2];

#[cfg(test)]
fn net(x: &[f64]) -> EvidentialNet {
    EvidentialNet {
        hidden: Dense { weight: x[..6].chunks(2).map(|c| c.to_vec()).collect(), bias: x[6..9].to_vec() },
        norm: LayerNorm { gain: x[9..12].to_vec(), shift: x[12..15].to_vec() },
        head: Dense { weight: x[15..27].chunks(3).map(|c| c.to_vec()).collect(), bias: x[27..31].to_vec() },
    }
}

#[cfg(test)]
fn flat(n: &EvidentialNet) -> Vec<f64> {
    [
        n.hidden.weight.concat(),
        n.hidden.bias.clone(),
        n.norm.gain.clone(),
        n.norm.shift.clone(),
        n.head.weight.concat(),
        n.head.bias.clone(),
    ]
    .concat()
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(net(&X).loss(&INPUTS, &TARGETS, 0.1).is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "evidential",
        &X,
        |x| net(x).loss(&INPUTS, &TARGETS, 0.1),
        |x| {
            let mut d = net(&[0.0; 31]);
            let value = net(x).loss_grad(&INPUTS, &TARGETS, 0.1, &mut d);
            (value, flat(&d))
        },
        |x, v| {
            let mut h = net(&[0.0; 31]);
            net(x).loss_hvp(&INPUTS, &TARGETS, 0.1, &net(v), &mut h);
            flat(&h)
        },
    );
}
