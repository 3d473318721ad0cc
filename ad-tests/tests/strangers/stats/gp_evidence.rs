//! Gaussian process evidence with a Matern 5/2 kernel: Cholesky on Vec<Vec<f64>>, Option with `?`.
use ad_runtime::differentiable;
use std::f64::consts::TAU;

#[differentiable]
fn cholesky(a: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let n = a.len();
    let mut l = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let mut s = a[i][j];
            for k in 0..j {
                s -= l[i][k] * l[j][k];
            }
            if i == j {
                if s <= 0.0 {
                    return None;
                }
                l[i][i] = s.sqrt();
            } else {
                l[i][j] = s / l[j][j];
            }
        }
    }
    Some(l)
}

#[differentiable]
fn forward_substitute(l: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let mut z: Vec<f64> = Vec::with_capacity(b.len());
    for (row, &bi) in l.iter().zip(b) {
        let i = z.len();
        let dot: f64 = row[..i].iter().zip(&z).map(|(a, b)| a * b).sum();
        z.push((bi - dot) / row[i]);
    }
    z
}

#[differentiable]
fn matern52(distance: f64, length: f64) -> f64 {
    let r = 5f64.sqrt() * distance / length;
    (1.0 + r + r * r / 3.0) * (-r).exp()
}

#[differentiable(wrt(log_amplitude, log_length, log_noise))]
fn gp_evidence(
    log_amplitude: f64,
    log_length: f64,
    log_noise: f64,
    sites: &[(f64, f64)],
    y: &[f64],
) -> Option<f64> {
    let amplitude = (2.0 * log_amplitude).exp();
    let noise = (2.0 * log_noise).exp();
    let length = log_length.exp();
    let k: Vec<Vec<f64>> = sites
        .iter()
        .enumerate()
        .map(|(i, p)| {
            sites
                .iter()
                .enumerate()
                .map(|(j, q)| {
                    let d = (p.0 - q.0).hypot(p.1 - q.1);
                    amplitude * matern52(d, length) + if i == j { noise } else { 0.0 }
                })
                .collect()
        })
        .collect();
    let l = cholesky(&k)?;
    let z = forward_substitute(&l, y);
    let fit: f64 = z.iter().map(|z| z * z).sum();
    let half_log_det: f64 = (0..l.len()).map(|i| l[i][i].ln()).sum();
    Some(-0.5 * fit - half_log_det - 0.5 * y.len() as f64 * TAU.ln())
}

const SITES: [(f64, f64); 5] = [(0.0, 0.0), (0.7, 0.2), (1.5, -0.4), (0.3, 1.1), (-0.8, 0.6)];
const Y: [f64; 5] = [0.3, 0.9, -0.2, 0.5, -0.7];

#[test]
fn exact() {
    super::harness::check(
        "gp_evidence",
        &[0.1, 0.2, -0.9],
        |x| gp_evidence(x[0], x[1], x[2], &SITES, &Y).unwrap(),
        |x| {
            let (value, (a, b, c)) = gp_evidence_grad(x[0], x[1], x[2], &SITES, &Y).unwrap();
            (value, vec![a, b, c])
        },
        |x, v| {
            let (a, b, c) = gp_evidence_hvp(x[0], x[1], x[2], &SITES, &Y, v[0], v[1], v[2]).unwrap();
            vec![a, b, c]
        },
    );
}
