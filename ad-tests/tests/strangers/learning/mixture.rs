use ad_runtime::{Differentiable, differentiable};

#[derive(Debug, PartialEq)]
enum MixtureError {
    NoComponents,
    Degenerate { component: usize },
}

#[derive(Clone, Debug, Differentiable)]
struct Component {
    logit: f64,
    mean: [f64; 2],
    /// xx, xy, yy
    covariance: [f64; 3],
}

#[derive(Clone, Debug, Differentiable)]
struct Mixture {
    components: Vec<Component>,
}

#[differentiable]
fn log_density(c: &Component, index: usize, p: [f64; 2]) -> Result<f64, MixtureError> {
    let [xx, xy, yy] = c.covariance;
    let det = xx * yy - xy * xy;
    if det <= 0.0 || xx <= 0.0 {
        return Err(MixtureError::Degenerate { component: index });
    }
    let (dx, dy) = (p[0] - c.mean[0], p[1] - c.mean[1]);
    let mahalanobis = (yy * dx * dx - 2.0 * xy * dx * dy + xx * dy * dy) / det;
    Ok(-0.5 * (mahalanobis + det.ln()) - std::f64::consts::TAU.ln())
}

#[differentiable]
fn lse(values: &[f64]) -> f64 {
    match values {
        [] => f64::NEG_INFINITY,
        [single] => *single,
        [first, rest @ ..] => {
            let m = rest.iter().fold(*first, |m, &v| if v > m { v } else { m });
            m + values.iter().map(|v| (v - m).exp()).sum::<f64>().ln()
        }
    }
}

/// Mean negative log-likelihood of a planar Gaussian mixture with full covariances.
#[differentiable(wrt(mixture))]
fn mixture_nll(mixture: &Mixture, points: &[[f64; 2]]) -> Result<f64, MixtureError> {
    if mixture.components.is_empty() {
        return Err(MixtureError::NoComponents);
    }
    let logits: Vec<f64> = mixture.components.iter().map(|c| c.logit).collect();
    let normaliser = lse(&logits);
    let total = points.iter().try_fold(0.0, |acc, &p| {
        let terms = mixture
            .components
            .iter()
            .enumerate()
            .map(|(k, c)| Ok(c.logit - normaliser + log_density(c, k, p)?))
            .collect::<Result<Vec<f64>, MixtureError>>()?;
        Ok(acc - lse(&terms))
    })?;
    Ok(total / points.len() as f64)
}

const POINTS: [[f64; 2]; 5] = [[0.1, 0.4], [1.3, -0.6], [-0.8, 0.9], [0.7, 0.2], [1.9, -0.3]];
fn unpack(x: &[f64]) -> Mixture {
    Mixture {
        components: x
            .chunks(6)
            .map(|c| Component { logit: c[0], mean: [c[1], c[2]], covariance: [c[3], c[4], c[5]] })
            .collect(),
    }
}
fn pack(p: &Mixture) -> Vec<f64> {
    let mut out = Vec::new();
    for c in &p.components {
        out.push(c.logit);
        out.extend(c.mean);
        out.extend(c.covariance);
    }
    out
}
fn point() -> Vec<f64> {
    vec![0.3, -0.2, 0.6, 0.9, -0.2, 0.7, -0.1, 1.2, -0.4, 1.1, 0.3, 0.8]
}
fn value(x: &[f64]) -> f64 {
    mixture_nll(&unpack(x), &POINTS).unwrap()
}
#[test]
fn exact() {
    crate::harness::check(
        "mixture",
        &point(),
        value,
        |x| {
            let mut g = unpack(&vec![f64::NAN; x.len()]);
            let value = mixture_nll_grad(&unpack(x), &POINTS, &mut g).unwrap();
            (value, pack(&g))
        },
        |x, v| {
            let mut hv = unpack(&vec![f64::NAN; x.len()]);
            mixture_nll_hvp(&unpack(x), &POINTS, &unpack(v), &mut hv).unwrap();
            pack(&hv)
        },
    );
}
