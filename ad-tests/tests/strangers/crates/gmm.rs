//! ADBench: Gaussian mixture objective (the benchmark that Enzyme reports), three active slices.
use ad_runtime::differentiable;

#[derive(Clone, Copy)]
pub struct Wishart {
    pub gamma: f64,
    pub m: i32,
}

#[differentiable]
fn log_sum_exp(x: &[f64]) -> f64 {
    let mx = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let semx: f64 = x.iter().map(|&xi| (xi - mx).exp()).sum();
    semx.ln() + mx
}

/// out = Q x for the lower triangular Q with the diagonal `qdiag` and `ltri` below it, by columns
#[differentiable(wrt(qdiag, ltri, x))]
fn q_times_x(d: usize, qdiag: &[f64], ltri: &[f64], x: &[f64]) -> Vec<f64> {
    let mut out: Vec<f64> = qdiag.iter().zip(x).map(|(q, x)| q * x).collect();
    let mut l = 0;
    for j in 0..d {
        for i in j + 1..d {
            out[i] += ltri[l] * x[j];
            l += 1;
        }
    }
    out
}

#[differentiable(wrt(alphas, means, icf))]
pub fn gmm_objective(
    d: usize,
    alphas: &[f64],
    means: &[f64],
    icf: &[f64],
    x: &[f64],
    wishart: Wishart,
) -> f64 {
    let k = alphas.len();
    let icf_sz = d * (d + 1) / 2;
    let qdiags: Vec<Vec<f64>> =
        icf.chunks_exact(icf_sz).map(|row| row[..d].iter().map(|q| q.exp()).collect()).collect();
    let sum_qs: Vec<f64> = icf.chunks_exact(icf_sz).map(|row| row[..d].iter().sum()).collect();

    let mut slse = 0.0;
    let mut main_term = vec![0.0; k];
    for xi in x.chunks_exact(d) {
        for (ik, mean) in means.chunks_exact(d).enumerate() {
            let xcentered: Vec<f64> = xi.iter().zip(mean).map(|(a, b)| a - b).collect();
            let qxc = q_times_x(d, &qdiags[ik], &icf[ik * icf_sz + d..(ik + 1) * icf_sz], &xcentered);
            let sqnorm = qxc.iter().fold(0.0, |acc, q| acc + q * q);
            main_term[ik] = alphas[ik] + sum_qs[ik] - 0.5 * sqnorm;
        }
        slse += log_sum_exp(&main_term);
    }

    let n = (x.len() / d) as f64;
    let prior: f64 = (0..k)
        .map(|ik| {
            let frobenius = qdiags[ik].iter().map(|q| q * q).sum::<f64>()
                + icf[ik * icf_sz + d..][..icf_sz - d].iter().map(|q| q * q).sum::<f64>();
            0.5 * wishart.gamma * wishart.gamma * frobenius - wishart.m as f64 * sum_qs[ik]
        })
        .sum();
    slse - n * log_sum_exp(alphas) + prior
}

const DATA: &[f64] = &[0.3, -0.2, 1.4, 0.9, -0.8, 0.5, 0.1, 1.2, -0.4, -1.1];
const W: Wishart = Wishart { gamma: 0.7, m: 1 };
const X: &[f64] = &[0.2, -0.4, 0.5, 0.4, -0.6, 0.1, 0.15, -0.2, 0.3, -0.1, 0.25, -0.35];
fn at(x: &[f64]) -> f64 {
    gmm_objective(2, &x[..2], &x[2..6], &x[6..], DATA, W)
}
#[test]
fn exact() {
    crate::harness::check(
        "gmm",
        X,
        at,
        |x| {
            let mut g = vec![f64::NAN; 12];
            let (ga, rest) = g.split_at_mut(2);
            let (gm, gi) = rest.split_at_mut(4);
            let value = gmm_objective_grad(2, &x[..2], &x[2..6], &x[6..], DATA, W, ga, gm, gi);
            (value, g)
        },
        |x, v| {
            let mut h = vec![f64::NAN; 12];
            let (ha, rest) = h.split_at_mut(2);
            let (hm, hi) = rest.split_at_mut(4);
            gmm_objective_hvp(2, &x[..2], &x[2..6], &x[6..], DATA, W, &v[..2], &v[2..6], &v[6..], ha, hm, hi);
            h
        },
    );
}
