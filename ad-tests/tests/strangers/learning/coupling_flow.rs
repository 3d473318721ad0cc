use ad_runtime::{Differentiable, differentiable};

#[derive(Clone, Copy, Debug, Differentiable)]
struct Unit {
    weight: f64,
    bias: f64,
}

#[derive(Clone, Copy, Debug, Differentiable)]
struct Coupling {
    scale: Unit,
    shift: Unit,
}

#[derive(Clone, Debug, Differentiable)]
struct Flow {
    layers: Vec<Coupling>,
    base_log_sd: [f64; 2],
}

#[differentiable]
impl Unit {
    fn eval(self, x: f64) -> f64 {
        (self.weight * x + self.bias).tanh()
    }
}

#[differentiable]
impl Coupling {
    /// Data to latent; the second value is the log-determinant.
    fn invert(&self, (kept, moved): (f64, f64)) -> ((f64, f64), f64) {
        let s = self.scale.eval(kept);
        let t = 2.0 * self.shift.eval(kept);
        ((kept, (moved - t) * (-s).exp()), -s)
    }
}

/// Mean negative log-density of planar points under a RealNVP flow.
#[differentiable(wrt(flow))]
fn flow_nll(flow: &Flow, points: &[(f64, f64)]) -> f64 {
    let nll = |&point: &(f64, f64)| {
        let ((a, b), log_det) = flow.layers.iter().rev().fold((point, 0.0), |(z, log_det), layer| {
            let ((kept, moved), d) = layer.invert(z);
            ((moved, kept), log_det + d)
        });
        let base: f64 = [a, b]
            .iter()
            .zip(flow.base_log_sd)
            .map(|(z, log_sd)| 0.5 * (z / log_sd.exp()).powi(2) + log_sd + 0.5 * std::f64::consts::TAU.ln())
            .sum();
        base - log_det
    };
    points.iter().map(nll).sum::<f64>() / points.len() as f64
}

const POINTS: [(f64, f64); 4] = [(0.4, -0.9), (1.2, 0.3), (-0.7, 0.6), (0.1, 1.4)];
fn unpack(x: &[f64]) -> Flow {
    let layers = x[..12]
        .chunks(4)
        .map(|c| Coupling {
            scale: Unit { weight: c[0], bias: c[1] },
            shift: Unit { weight: c[2], bias: c[3] },
        })
        .collect();
    Flow { layers, base_log_sd: [x[12], x[13]] }
}
fn pack(p: &Flow) -> Vec<f64> {
    p.layers
        .iter()
        .flat_map(|l| [l.scale.weight, l.scale.bias, l.shift.weight, l.shift.bias])
        .chain(p.base_log_sd)
        .collect()
}
fn point() -> Vec<f64> {
    vec![0.5, -0.2, 0.7, 0.1, -0.4, 0.3, 0.6, -0.5, 0.2, 0.15, -0.8, 0.35, 0.1, -0.15]
}
fn value(x: &[f64]) -> f64 {
    flow_nll(&unpack(x), &POINTS)
}
#[test]
fn exact() {
    crate::harness::check(
        "coupling_flow",
        &point(),
        value,
        |x| {
            let mut g = unpack(&vec![f64::NAN; x.len()]);
            let value = flow_nll_grad(&unpack(x), &POINTS, &mut g);
            (value, pack(&g))
        },
        |x, v| {
            let mut hv = unpack(&vec![f64::NAN; x.len()]);
            flow_nll_hvp(&unpack(x), &POINTS, &unpack(v), &mut hv);
            pack(&hv)
        },
    );
}
