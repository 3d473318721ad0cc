use super::*;
// Needs in scope: `D` (num_dual::HyperDual64), `num_dual::DualNum`, `check`, `check_f32`, `differentiable`, `Differentiable`.
// `check_f32` is `check` with a tolerance fit for single precision (1e-4 relative).

const LN_2PI: f64 = 1.8378770664093453;

/// negative log-likelihood of a normal sample, standard deviation on the log scale
#[differentiable(wrt(mu, log_sigma))]
fn normal_nll(mu: f64, log_sigma: f64, xs: &[f64]) -> f64 {
    let sigma = log_sigma.exp();
    let n = xs.len() as f64;
    let sse: f64 = xs.iter().map(|x| ((x - mu) / sigma).powi(2)).sum();
    0.5 * sse + n * (log_sigma + 0.5 * LN_2PI)
}

fn normal_nll_ref(p: &[D], xs: &[f64]) -> D {
    let sigma = p[1].exp();
    let mut t = D::from(0.0);
    for i in 0..xs.len() {
        let z = (-p[0] + xs[i]) / sigma;
        t = t + z * z * 0.5 + p[1] + 0.5 * LN_2PI;
    }
    t
}
#[test]
fn normal_nll_is_exact() {
    let xs = [0.3, 1.7, -0.4, 2.2, 0.9];
    check(
        "normal_nll",
        &[0.6, -0.2],
        |p| normal_nll(p[0], p[1], &xs),
        |p, g| {
            let (value, (dmu, dls)) = normal_nll_grad(p[0], p[1], &xs);
            g[0] = dmu;
            g[1] = dls;
            value
        },
        |p, v, hv| {
            let (hmu, hls) = normal_nll_hvp(p[0], p[1], &xs, v[0], v[1]);
            hv[0] = hmu;
            hv[1] = hls;
        },
        |p| normal_nll_ref(p, &xs),
    );
}

/// negative log-likelihood of a Gaussian mixture, (logit, mean, log sd) triples, with log-sum-exp
#[differentiable(wrt(theta))]
fn mixture_nll(theta: &[f64], xs: &[f64]) -> f64 {
    fn log_sum_exp(v: &[f64]) -> f64 {
        let m = v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        m + v.iter().map(|a| (a - m).exp()).sum::<f64>().ln()
    }
    let logits: Vec<f64> = theta.iter().step_by(3).copied().collect();
    let norm = log_sum_exp(&logits);
    let mut total = 0.0;
    for &x in xs {
        let terms = theta
            .chunks_exact(3)
            .map(|c| {
                let z = (x - c[1]) * (-c[2]).exp();
                c[0] - norm - c[2] - 0.5 * z * z - 0.5 * LN_2PI
            })
            .collect::<Vec<_>>();
        total -= log_sum_exp(&terms);
    }
    total
}

fn mixture_nll_ref(t: &[D], xs: &[f64]) -> D {
    let k = t.len() / 3;
    let mut norm = D::from(0.0);
    for j in 0..k {
        norm = norm + t[3 * j].exp();
    }
    let mut total = D::from(0.0);
    for i in 0..xs.len() {
        let mut s = D::from(0.0);
        for j in 0..k {
            let sd = t[3 * j + 2].exp();
            let z = (-t[3 * j + 1] + xs[i]) / sd;
            s = s + t[3 * j].exp() / norm / sd * (z * z * -0.5).exp();
        }
        total = total - s.ln() + 0.5 * LN_2PI;
    }
    total
}
#[test]
fn mixture_nll_is_exact() {
    let xs = [-1.2, 0.1, 0.4, 2.9, 3.3];
    check(
        "mixture_nll",
        &[0.2, -0.3, 0.1, -0.4, 2.5, -0.2, 0.1, 0.9, 0.3],
        |p| mixture_nll(p, &xs),
        |p, g| mixture_nll_grad(p, &xs, g),
        |p, v, hv| mixture_nll_hvp(p, &xs, v, hv),
        |p| mixture_nll_ref(p, &xs),
    );
}

/// Student-t regression with fixed degrees of freedom (normalising constant dropped)
#[differentiable(wrt(beta, sigma))]
fn student_t_nll(beta: &[f64], sigma: f64, data: &[(f64, f64)], nu: f64) -> f64 {
    let half = 0.5 * (nu + 1.0);
    data.iter()
        .map(|&(x, y)| {
            let fit = beta.iter().rev().fold(0.0, |acc, b| acc * x + b);
            let r = (y - fit) / sigma;
            half * (r * r / nu).ln_1p() + sigma.ln()
        })
        .sum()
}

fn student_t_nll_ref(p: &[D], data: &[(f64, f64)], nu: f64) -> D {
    let k = p.len() - 1;
    let mut t = D::from(0.0);
    for i in 0..data.len() {
        let mut fit = D::from(0.0);
        for j in 0..k {
            fit = fit + p[j] * data[i].0.powi(j as i32);
        }
        let r = (-fit + data[i].1) / p[k];
        t = t + (r * r / nu + 1.0).ln() * (0.5 * (nu + 1.0)) + p[k].ln();
    }
    t
}
#[test]
fn student_t_nll_is_exact() {
    let data = [(0.1, 1.2), (0.5, 0.7), (1.1, 2.5), (-0.7, -3.0), (1.9, 0.2)];
    check(
        "student_t_nll",
        &[0.3, 0.5, -0.2, 1.3],
        |p| student_t_nll(&p[..3], p[3], &data, 4.0),
        |p, g| {
            let (value, ds) = student_t_nll_grad(&p[..3], p[3], &data, 4.0, &mut g[..3]);
            g[3] = ds;
            value
        },
        |p, v, hv| {
            let hs = student_t_nll_hvp(&p[..3], p[3], &data, 4.0, &v[..3], v[3], &mut hv[..3]);
            hv[3] = hs;
        },
        |p| student_t_nll_ref(p, &data, 4.0),
    );
}

/// von Mises negative log-likelihood, Bessel I0 by its power series
#[differentiable(wrt(mu, kappa))]
fn von_mises_nll(mu: f64, kappa: f64, angles: &[f64]) -> f64 {
    let q = kappa * kappa / 4.0;
    let mut term = 1.0;
    let mut i0 = 1.0;
    let mut k = 1;
    while k < 25 {
        term *= q / (k * k) as f64;
        i0 += term;
        k += 1;
    }
    let mut ll = 0.0;
    angles.iter().for_each(|a| ll += kappa * (a - mu).cos());
    angles.len() as f64 * (i0.ln() + LN_2PI) - ll
}

fn von_mises_nll_ref(p: &[D], angles: &[f64]) -> D {
    let half = p[1] * 0.5;
    let mut i0 = D::from(0.0);
    let mut fact = 1.0;
    for k in 0..25 {
        if k > 0 {
            fact *= k as f64;
        }
        i0 = i0 + half.powi(2 * k) / (fact * fact);
    }
    let mut t = D::from(0.0);
    for i in 0..angles.len() {
        t = t + i0.ln() + LN_2PI - p[1] * (p[0] - angles[i]).cos();
    }
    t
}
#[test]
fn von_mises_nll_is_exact() {
    let angles = [0.2, 1.1, -0.5, 0.8, 3.0];
    check(
        "von_mises_nll",
        &[0.4, 1.7],
        |p| von_mises_nll(p[0], p[1], &angles),
        |p, g| {
            let (value, (dm, dk)) = von_mises_nll_grad(p[0], p[1], &angles);
            g[0] = dm;
            g[1] = dk;
            value
        },
        |p, v, hv| {
            let (hm, hk) = von_mises_nll_hvp(p[0], p[1], &angles, v[0], v[1]);
            hv[0] = hm;
            hv[1] = hk;
        },
        |p| von_mises_nll_ref(p, &angles),
    );
}

#[derive(Clone, Copy, Debug)]
enum Lifetime {
    Failed(f64),
    Censored(f64),
    Between { lo: f64, hi: f64 },
}

/// Weibull log-likelihood with exact, right-censored and interval-censored lifetimes
#[differentiable(wrt(shape, scale))]
fn weibull_nll(shape: f64, scale: f64, data: &[Lifetime]) -> f64 {
    let cumulative = |t: f64| (t / scale).powf(shape);
    let mut ll = 0.0;
    for obs in data {
        ll += match *obs {
            Lifetime::Failed(t) if t <= 0.0 => continue,
            Lifetime::Failed(t) => shape.ln() - scale.ln() + (shape - 1.0) * (t / scale).ln() - cumulative(t),
            Lifetime::Censored(t) => -cumulative(t),
            Lifetime::Between { lo, hi } => ((-cumulative(lo)).exp() - (-cumulative(hi)).exp()).ln(),
        };
    }
    -ll
}

fn weibull_nll_ref(p: &[D], data: &[Lifetime]) -> D {
    let mut ll = D::from(0.0);
    let h = |t: f64| ((-p[1].ln() + t.ln()) * p[0]).exp();
    for i in 0..data.len() {
        match data[i] {
            Lifetime::Failed(t) => {
                if t > 0.0 {
                    ll = ll + (p[0] / t * h(t)).ln() - h(t);
                }
            }
            Lifetime::Censored(t) => ll = ll - h(t),
            Lifetime::Between { lo, hi } => ll = ll + ((-h(lo)).exp() - (-h(hi)).exp()).ln(),
        }
    }
    -ll
}
#[test]
fn weibull_nll_is_exact() {
    let data = [
        Lifetime::Failed(1.2),
        Lifetime::Censored(2.0),
        Lifetime::Failed(-1.0),
        Lifetime::Between { lo: 0.5, hi: 1.5 },
        Lifetime::Failed(0.7),
    ];
    check(
        "weibull_nll",
        &[1.4, 1.8],
        |p| weibull_nll(p[0], p[1], &data),
        |p, g| {
            let (value, (a, b)) = weibull_nll_grad(p[0], p[1], &data);
            g[0] = a;
            g[1] = b;
            value
        },
        |p, v, hv| {
            let (a, b) = weibull_nll_hvp(p[0], p[1], &data, v[0], v[1]);
            hv[0] = a;
            hv[1] = b;
        },
        |p| weibull_nll_ref(p, &data),
    );
}

/// concentrated Box-Cox likelihood of one exponent; refuses non-positive data
#[differentiable(wrt(lambda))]
fn box_cox_nll(lambda: f64, ys: &[f64]) -> Result<f64, String> {
    if let Some(bad) = ys.iter().find(|y| **y <= 0.0) {
        return Err(format!("observation {bad} is not positive"));
    }
    let n = ys.len() as f64;
    let z: Vec<f64> = if lambda.abs() < 1e-9 {
        ys.iter().map(|y| y.ln()).collect()
    } else {
        ys.iter().map(|y| (y.powf(lambda) - 1.0) / lambda).collect()
    };
    let mean = z.iter().sum::<f64>() / n;
    let var = z.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
    let log_jacobian: f64 = ys.iter().map(|y| y.ln()).sum();
    Ok(0.5 * n * var.ln() - (lambda - 1.0) * log_jacobian)
}

fn box_cox_nll_ref(p: &[D], ys: &[f64]) -> D {
    let n = ys.len();
    let l = p[0];
    let mut s1 = D::from(0.0);
    let mut s2 = D::from(0.0);
    let mut jac = 0.0;
    for i in 0..n {
        let z = ((l * ys[i].ln()).exp() - 1.0) / l;
        s1 = s1 + z;
        s2 = s2 + z * z;
        jac += ys[i].ln();
    }
    let m = s1 / n as f64;
    let var = s2 / n as f64 - m * m;
    var.ln() * (0.5 * n as f64) - (l - 1.0) * jac
}
#[test]
fn box_cox_nll_is_exact() {
    let ys = [0.4, 1.3, 2.6, 0.9, 5.2];
    check(
        "box_cox_nll",
        &[0.35],
        |p| box_cox_nll(p[0], &ys).unwrap(),
        |p, g| {
            let (value, d) = box_cox_nll_grad(p[0], &ys).unwrap();
            g[0] = d;
            value
        },
        |p, v, hv| hv[0] = box_cox_nll_hvp(p[0], &ys, v[0]).unwrap(),
        |p| box_cox_nll_ref(p, &ys),
    );
    assert!(box_cox_nll_grad(0.3, &[1.0, -2.0]).is_err());
}

/// conditional likelihood of an AR(2) with intercept, theta = (c, phi1, phi2, log sigma)
#[differentiable(wrt(theta))]
fn ar2_nll(theta: &[f64], series: &[f64]) -> f64 {
    let (c, phi1, phi2) = (theta[0], theta[1], theta[2]);
    let sigma2 = (2.0 * theta[3]).exp();
    let sse: f64 = series.windows(3).map(|w| w[2] - c - phi1 * w[1] - phi2 * w[0]).map(|e| e * e).sum();
    let n = series.windows(3).count() as f64;
    0.5 * sse / sigma2 + n * (theta[3] + 0.5 * LN_2PI)
}

fn ar2_nll_ref(p: &[D], y: &[f64]) -> D {
    let sd = p[3].exp();
    let mut t = D::from(0.0);
    for i in 2..y.len() {
        let e = (-p[0] - p[1] * y[i - 1] - p[2] * y[i - 2] + y[i]) / sd;
        t = t + e * e * 0.5 + p[3] + 0.5 * LN_2PI;
    }
    t
}
#[test]
fn ar2_nll_is_exact() {
    let y = [0.1, 0.5, 0.2, -0.3, 0.4, 0.9, 0.6];
    check(
        "ar2_nll",
        &[0.1, 0.5, -0.2, -0.6],
        |p| ar2_nll(p, &y),
        |p, g| ar2_nll_grad(p, &y, g),
        |p, v, hv| ar2_nll_hvp(p, &y, v, hv),
        |p| ar2_nll_ref(p, &y),
    );
}

#[derive(Clone, Differentiable)]
struct Garch {
    omega: f64,
    alpha: f64,
    beta: f64,
}

/// GARCH(1,1) likelihood; None where the parameters are not admissible
#[differentiable(wrt(p))]
fn garch_nll(p: &Garch, returns: &[f64]) -> Option<f64> {
    let Garch { omega, alpha, beta } = p.clone();
    if omega <= 0.0 || alpha + beta >= 1.0 {
        return None;
    }
    let first = returns.first()?;
    let mut h = omega / (1.0 - alpha - beta);
    let mut nll = 0.5 * (h.ln() + first * first / h);
    for (prev, r) in returns.iter().zip(returns.iter().skip(1)) {
        h = omega + alpha * prev * prev + beta * h;
        if h < 1e-12 {
            return None;
        }
        nll += 0.5 * (h.ln() + r * r / h);
    }
    Some(nll)
}

fn garch_nll_ref(p: &[D], r: &[f64]) -> D {
    let mut h = p[0] / (-p[1] - p[2] + 1.0);
    let mut t = D::from(0.0);
    for i in 0..r.len() {
        if i > 0 {
            h = p[0] + p[1] * (r[i - 1] * r[i - 1]) + p[2] * h;
        }
        t = t + (h.ln() + h.recip() * (r[i] * r[i])) * 0.5;
    }
    t
}
#[test]
fn garch_nll_is_exact() {
    let r = [0.3, -0.8, 0.1, 0.5, -1.4, 0.2];
    let of = |p: &[f64]| Garch { omega: p[0], alpha: p[1], beta: p[2] };
    check(
        "garch_nll",
        &[0.1, 0.15, 0.7],
        |p| garch_nll(&of(p), &r).unwrap(),
        |p, g| {
            let mut out = of(&[0.0; 3]);
            let value = garch_nll_grad(&of(p), &r, &mut out).unwrap();
            g.copy_from_slice(&[out.omega, out.alpha, out.beta]);
            value
        },
        |p, v, hv| {
            let mut out = of(&[0.0; 3]);
            garch_nll_hvp(&of(p), &r, &of(v), &mut out).unwrap();
            hv.copy_from_slice(&[out.omega, out.alpha, out.beta]);
        },
        |p| garch_nll_ref(p, &r),
    );
}

/// Kalman filter likelihood of a local linear trend, log variances as parameters, gaps in the data
#[differentiable(wrt(log_var))]
fn kalman_nll(log_var: &[f64; 3], ys: &[Option<f64>]) -> f64 {
    let q_level = log_var[0].exp();
    let q_slope = log_var[1].exp();
    let r = log_var[2].exp();
    let mut m = [0.0, 0.0];
    let mut c = [[10.0, 0.0], [0.0, 1.0]];
    let mut nll = 0.0;
    for y in ys {
        let a = [m[0] + m[1], m[1]];
        let p01 = c[0][1] + c[1][1];
        let p00 = c[0][0] + 2.0 * c[0][1] + c[1][1] + q_level;
        let p11 = c[1][1] + q_slope;
        let Some(y) = y else {
            m = a;
            c = [[p00, p01], [p01, p11]];
            continue;
        };
        let f = p00 + r;
        let e = y - a[0];
        nll += 0.5 * (LN_2PI + f.ln() + e * e / f);
        let (k0, k1) = (p00 / f, p01 / f);
        m = [a[0] + k0 * e, a[1] + k1 * e];
        c = [[p00 - k0 * p00, p01 - k0 * p01], [p01 - k1 * p00, p11 - k1 * p01]];
    }
    nll
}

fn kalman_nll_ref(p: &[D], ys: &[Option<f64>]) -> D {
    // the joint normal of the observed values, by its covariance and elimination
    let n = ys.len();
    let (ql, qs, r) = (p[0].exp(), p[1].exp(), p[2].exp());
    let mut idx = Vec::new();
    for i in 0..n {
        if ys[i].is_some() {
            idx.push(i);
        }
    }
    let k = idx.len();
    // level at time t (1-based) = l0 + t s0 + sum_{i<=t} u_i + sum_{j<t} (t - j) w_j
    let mut s = vec![vec![D::from(0.0); k + 1]; k];
    for a in 0..k {
        for b in 0..k {
            let (ta, tb) = (idx[a] + 1, idx[b] + 1);
            let lo = if ta < tb { ta } else { tb };
            let mut v = D::from(10.0) + (ta * tb) as f64 + ql * lo as f64;
            for j in 1..lo {
                v = v + qs * ((ta - j) * (tb - j)) as f64;
            }
            if a == b {
                v = v + r;
            }
            s[a][b] = v;
        }
        s[a][k] = D::from(ys[idx[a]].unwrap());
    }
    let mut nll = D::from(0.0);
    for a in 0..k {
        let piv = s[a][a];
        let e = s[a][k];
        nll = nll + (piv.ln() + e * e / piv + LN_2PI) * 0.5;
        for b in a + 1..k {
            let f = s[b][a] / piv;
            for j in a..=k {
                s[b][j] = s[b][j] - f * s[a][j];
            }
        }
    }
    nll
}
#[test]
fn kalman_nll_is_exact() {
    let ys = [Some(0.2), Some(0.9), None, Some(1.7), Some(1.1), None, Some(2.4)];
    check(
        "kalman_nll",
        &[-1.0, -1.5, -0.5],
        |p| kalman_nll(p.try_into().unwrap(), &ys),
        |p, g| kalman_nll_grad(p.try_into().unwrap(), &ys, g.try_into().unwrap()),
        |p, v, hv| kalman_nll_hvp(p.try_into().unwrap(), &ys, v.try_into().unwrap(), hv.try_into().unwrap()),
        |p| kalman_nll_ref(p, &ys),
    );
}

/// scaled forward algorithm of a two-state HMM with normal emissions
#[differentiable(wrt(theta))]
fn hmm_nll(theta: &[f64], ys: &[f64]) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (stay, rest) = theta.split_at(2);
    let (means, log_sd) = (&rest[..2], rest[2]);
    let trans: Vec<[f64; 2]> =
        vec![[sigmoid(stay[0]), 1.0 - sigmoid(stay[0])], [1.0 - sigmoid(stay[1]), sigmoid(stay[1])]];
    let mut alpha = vec![0.5; 2];
    let mut next = vec![0.0; 2];
    let mut nll = 0.0;
    for &y in ys {
        next.fill(0.0);
        for (a, row) in alpha.iter().zip(trans.iter()) {
            for (n, t) in next.iter_mut().zip(row.iter()) {
                *n += a * t;
            }
        }
        for (n, mu) in next.iter_mut().zip(means) {
            let z = (y - mu) / log_sd.exp();
            *n *= (-0.5 * z * z - log_sd).exp();
        }
        let scale: f64 = next.iter().sum();
        next.iter_mut().for_each(|n| *n /= scale);
        nll -= scale.ln();
        std::mem::swap(&mut alpha, &mut next);
    }
    nll
}

fn hmm_nll_ref(p: &[D], ys: &[f64]) -> D {
    let s0 = ((-p[0]).exp() + 1.0).recip();
    let s1 = ((-p[1]).exp() + 1.0).recip();
    let sd = p[4].exp();
    // sum over all paths
    let n = ys.len();
    let mut total = D::from(0.0);
    for start in 0..2 {
        for path in 0..(1usize << n) {
            let mut pr = D::from(0.5);
            let mut prev = start;
            for i in 0..n {
                let s = (path >> i) & 1;
                let stay = if prev == 0 { s0 } else { s1 };
                pr = pr * if s == prev { stay } else { -stay + 1.0 };
                let z = (-p[2 + s] + ys[i]) / sd;
                pr = pr * (z * z * -0.5).exp() / sd;
                prev = s;
            }
            total = total + pr;
        }
    }
    -total.ln()
}
#[test]
fn hmm_nll_is_exact() {
    let ys = [0.1, -0.3, 1.9, 2.2, 0.4];
    check(
        "hmm_nll",
        &[1.0, 0.5, -0.1, 1.8, -0.3],
        |p| hmm_nll(p, &ys),
        |p, g| hmm_nll_grad(p, &ys, g),
        |p, v, hv| hmm_nll_hvp(p, &ys, v, hv),
        |p| hmm_nll_ref(p, &ys),
    );
}

struct Subject {
    time: f64,
    event: bool,
    x: Vec<f64>,
}

/// Cox partial likelihood, risk sets by filter
#[differentiable(wrt(beta))]
fn cox_nll(beta: &[f64], subjects: &[Subject]) -> f64 {
    let eta: Vec<f64> = subjects.iter().map(|s| s.x.iter().zip(beta).map(|(x, b)| x * b).sum()).collect();
    let mut nll = 0.0;
    for (i, s) in subjects.iter().enumerate().filter(|(_, s)| s.event) {
        let risk: f64 =
            subjects.iter().zip(&eta).filter(|(other, _)| other.time >= s.time).map(|(_, e)| e.exp()).sum();
        nll += risk.ln() - eta[i];
    }
    nll
}

fn cox_nll_ref(b: &[D], s: &[Subject]) -> D {
    let eta = |i: usize| {
        let mut e = D::from(0.0);
        for j in 0..b.len() {
            e = e + b[j] * s[i].x[j];
        }
        e
    };
    let mut t = D::from(0.0);
    for i in 0..s.len() {
        if !s[i].event {
            continue;
        }
        let mut r = D::from(0.0);
        for k in 0..s.len() {
            if s[k].time >= s[i].time {
                r = r + (eta(k) - eta(i)).exp();
            }
        }
        t = t + r.ln();
    }
    t
}
#[test]
fn cox_nll_is_exact() {
    let mk = |time, event, x: [f64; 3]| Subject { time, event, x: x.to_vec() };
    let s = [
        mk(3.0, true, [0.2, 1.0, -0.4]),
        mk(1.5, false, [1.1, 0.0, 0.3]),
        mk(2.2, true, [-0.7, 1.0, 0.9]),
        mk(4.1, true, [0.5, 0.0, -1.2]),
        mk(0.8, true, [0.9, 1.0, 0.1]),
    ];
    check(
        "cox_nll",
        &[0.4, -0.3, 0.7],
        |p| cox_nll(p, &s),
        |p, g| cox_nll_grad(p, &s, g),
        |p, v, hv| cox_nll_hvp(p, &s, v, hv),
        |p| cox_nll_ref(p, &s),
    );
}

/// leave-one-out log-likelihood of a Gaussian kernel density estimate in the bandwidth
#[differentiable(wrt(h))]
fn kde_loo(h: f64, xs: &[f64]) -> f64 {
    let n = xs.len();
    let kernel = |u: f64| (-0.5 * u * u).exp() / (2.0 * std::f64::consts::PI).sqrt();
    (0..n)
        .map(|i| {
            let density = xs
                .iter()
                .enumerate()
                .filter(|&(j, _)| j != i)
                .map(|(_, &x)| kernel((xs[i] - x) / h))
                .sum::<f64>()
                / ((n - 1) as f64 * h);
            density.ln()
        })
        .sum::<f64>()
}

fn kde_loo_ref(p: &[D], xs: &[f64]) -> D {
    let n = xs.len();
    let mut t = D::from(0.0);
    for i in 0..n {
        let mut s = D::from(0.0);
        for j in 0..n {
            if i != j {
                let d = xs[i] - xs[j];
                s = s + (p[0].powi(-2) * (-0.5 * d * d)).exp();
            }
        }
        t = t + s.ln() - p[0].ln() - ((n - 1) as f64).ln() - 0.5 * LN_2PI;
    }
    t
}
#[test]
fn kde_loo_is_exact() {
    let xs = [0.1, 0.7, 1.9, -0.6, 0.4, 2.8];
    check(
        "kde_loo",
        &[0.6],
        |p| kde_loo(p[0], &xs),
        |p, g| {
            let (value, d) = kde_loo_grad(p[0], &xs);
            g[0] = d;
            value
        },
        |p, v, hv| hv[0] = kde_loo_hvp(p[0], &xs, v[0]),
        |p| kde_loo_ref(p, &xs),
    );
}

fn solve_nll_ref(mut s: Vec<Vec<D>>, mut y: Vec<D>) -> D {
    let n = y.len();
    let mut t = D::from(0.0);
    for a in 0..n {
        t = t + (s[a][a].ln() + y[a] * y[a] / s[a][a] + LN_2PI) * 0.5;
        for b in a + 1..n {
            let f = s[b][a] / s[a][a];
            for j in a..n {
                let d = f * s[a][j];
                s[b][j] = s[b][j] - d;
            }
            let d = f * y[a];
            y[b] = y[b] - d;
        }
    }
    t
}

/// Gaussian process marginal likelihood, Cholesky in Vec<Vec<f64>>, None when not positive definite
#[differentiable(wrt(log_len, log_amp, log_noise))]
fn gp_nll(log_len: f64, log_amp: f64, log_noise: f64, xs: &[f64], ys: &[f64]) -> Option<f64> {
    let n = xs.len();
    let (len, amp, noise) = (log_len.exp(), log_amp.exp(), log_noise.exp());
    let mut l = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let d = (xs[i] - xs[j]) / len;
            let mut k = amp * amp * (-0.5 * d * d).exp();
            if i == j {
                k += noise * noise;
            }
            let s: f64 = (0..j).map(|m| l[i][m] * l[j][m]).sum();
            if i == j {
                let pivot = k - s;
                if pivot <= 0.0 {
                    return None;
                }
                l[i][i] = pivot.sqrt();
            } else {
                l[i][j] = (k - s) / l[j][j];
            }
        }
    }
    let mut z = Vec::with_capacity(n);
    for (row, y) in l.iter().zip(ys) {
        let dot: f64 = row.iter().zip(z.iter()).map(|(a, b)| a * b).sum();
        z.push((y - dot) / row[z.len()]);
    }
    let log_det: f64 = l.iter().enumerate().map(|(i, row)| row[i].ln()).sum();
    Some(0.5 * z.iter().map(|v| v * v).sum::<f64>() + log_det + 0.5 * n as f64 * LN_2PI)
}

fn gp_nll_ref(p: &[D], xs: &[f64], ys: &[f64]) -> D {
    let n = xs.len();
    let mut s = vec![vec![D::from(0.0); n]; n];
    let mut y = vec![D::from(0.0); n];
    for i in 0..n {
        y[i] = D::from(ys[i]);
        for j in 0..n {
            let d = xs[i] - xs[j];
            s[i][j] = (p[1] * 2.0 - (p[0] * -2.0).exp() * (0.5 * d * d)).exp();
            if i == j {
                s[i][j] = s[i][j] + (p[2] * 2.0).exp();
            }
        }
    }
    solve_nll_ref(s, y)
}
#[test]
fn gp_nll_is_exact() {
    let xs = [0.0, 0.4, 1.1, 1.7, 2.5];
    let ys = [0.1, 0.5, 0.9, 0.4, -0.6];
    check(
        "gp_nll",
        &[-0.1, 0.2, -1.0],
        |p| gp_nll(p[0], p[1], p[2], &xs, &ys).unwrap(),
        |p, g| {
            let (value, (a, b, c)) = gp_nll_grad(p[0], p[1], p[2], &xs, &ys).unwrap();
            g.copy_from_slice(&[a, b, c]);
            value
        },
        |p, v, hv| {
            let (a, b, c) = gp_nll_hvp(p[0], p[1], p[2], &xs, &ys, v[0], v[1], v[2]).unwrap();
            hv.copy_from_slice(&[a, b, c]);
        },
        |p| gp_nll_ref(p, &xs, &ys),
    );
}

/// Huber-smoothed quantile regression
#[differentiable(wrt(beta))]
fn quantile_huber(beta: &[f64], rows: &[[f64; 3]], ys: &[f64], tau: f64, delta: f64) -> f64 {
    let huber = |u: f64| {
        if u.abs() <= delta { 0.5 * u * u / delta } else { u.abs() - 0.5 * delta }
    };
    let mut loss = 0.0;
    for (row, &y) in rows.iter().zip(ys) {
        let fit: f64 = row.iter().zip(beta.iter()).map(|(a, b)| a * b).sum();
        let u = y - fit;
        let weight = if u < 0.0 { 1.0 - tau } else { tau };
        loss += weight * huber(u);
    }
    loss / ys.len() as f64
}

fn quantile_huber_ref(b: &[D], rows: &[[f64; 3]], ys: &[f64], tau: f64, delta: f64) -> D {
    let mut t = D::from(0.0);
    for i in 0..rows.len() {
        let mut u = D::from(ys[i]);
        for j in 0..3 {
            u = u - b[j] * rows[i][j];
        }
        let w = if u.re < 0.0 { 1.0 - tau } else { tau };
        let h = if u.re > delta {
            u - 0.5 * delta
        } else if u.re < -delta {
            -u - 0.5 * delta
        } else {
            u * u * (0.5 / delta)
        };
        t = t + h * w;
    }
    t / ys.len() as f64
}
#[test]
fn quantile_huber_is_exact() {
    let rows = [[1.0, 0.2, 0.5], [1.0, -0.7, 1.5], [1.0, 1.4, -0.3], [1.0, 0.9, 0.8], [1.0, -1.1, 0.1]];
    let ys = [0.7, -1.4, 2.9, 0.8, 0.1];
    check(
        "quantile_huber",
        &[0.2, 0.6, -0.1],
        |p| quantile_huber(p, &rows, &ys, 0.3, 0.5),
        |p, g| quantile_huber_grad(p, &rows, &ys, 0.3, 0.5, g),
        |p, v, hv| quantile_huber_hvp(p, &rows, &ys, 0.3, 0.5, v, hv),
        |p| quantile_huber_ref(p, &rows, &ys, 0.3, 0.5),
    );
}

struct PoissonModel {
    exposure: Vec<f64>,
    counts: Vec<u32>,
    rows: Vec<Vec<f64>>,
    ridge: f64,
}

impl PoissonModel {
    const MAX_ETA: f64 = 30.0;

    fn len(&self) -> usize {
        self.counts.len()
    }

    /// ridge-penalised Poisson regression with exposures, a method on the data
    #[differentiable]
    fn nll(&self, w: &[f64]) -> f64 {
        let mut total = 0.5 * self.ridge * w[1..].iter().map(|b| b * b).sum::<f64>();
        for i in 0..self.len() {
            let eta = w[0] + self.rows[i].iter().zip(&w[1..]).map(|(x, b)| x * b).sum::<f64>();
            let eta = eta.min(Self::MAX_ETA);
            total += self.exposure[i] * eta.exp() - f64::from(self.counts[i]) * eta;
        }
        total
    }
}

fn poisson_ref(w: &[D], m: &PoissonModel) -> D {
    let mut t = D::from(0.0);
    for j in 1..w.len() {
        t = t + w[j] * w[j] * (0.5 * m.ridge);
    }
    for i in 0..m.counts.len() {
        let mut e = w[0];
        for j in 1..w.len() {
            e = e + w[j] * m.rows[i][j - 1];
        }
        t = t + e.exp() * m.exposure[i] - e * m.counts[i] as f64;
    }
    t
}
#[test]
fn poisson_is_exact() {
    let m = PoissonModel {
        exposure: vec![1.0, 2.0, 0.5, 1.5],
        counts: vec![2, 3, 0, 4],
        rows: vec![vec![0.3, 1.0], vec![-0.4, 0.6], vec![1.2, -0.9], vec![0.8, 0.1]],
        ridge: 0.4,
    };
    check(
        "PoissonModel::nll",
        &[0.2, 0.5, -0.3],
        |p| m.nll(p),
        |p, g| m.nll_grad(p, g),
        |p, v, hv| m.nll_hvp(p, v, hv),
        |p| poisson_ref(p, &m),
    );
}

/// log-gamma by upward recurrence and Stirling's series
#[differentiable]
fn ln_gamma(x: f64) -> f64 {
    let mut z = x;
    let mut shift = 0.0;
    while z < 12.0 {
        shift += z.ln();
        z += 1.0;
    }
    let r = 1.0 / z;
    let series = r / 12.0 - r.powi(3) / 360.0 + r.powi(5) / 1260.0 - r.powi(7) / 1680.0;
    (z - 0.5) * z.ln() - z + 0.5 * LN_2PI + series - shift
}

fn ln_gamma_ref(x: D) -> D {
    let mut k = 0;
    while x.re + (k as f64) < 12.0 {
        k += 1;
    }
    let z = x + k as f64;
    let mut t = (z - 0.5) * z.ln() - z + 0.5 * LN_2PI + z.recip() / 12.0 - z.powi(-3) / 360.0
        + z.powi(-5) / 1260.0
        - z.powi(-7) / 1680.0;
    for i in 0..k {
        t = t - (x + i as f64).ln();
    }
    t
}
#[test]
fn ln_gamma_is_exact() {
    check(
        "ln_gamma",
        &[2.3],
        |p| ln_gamma(p[0]),
        |p, g| {
            let (value, d) = ln_gamma_grad(p[0]);
            g[0] = d;
            value
        },
        |p, v, hv| hv[0] = ln_gamma_hvp(p[0], v[0]),
        |p| ln_gamma_ref(p[0]),
    );
}

/// beta-binomial likelihood, mean and precision on transformed scales, through a differentiable helper
#[differentiable(wrt(theta))]
fn beta_binomial_nll(theta: &[f64; 2], data: &[(u32, u32)]) -> f64 {
    let [logit, log_precision] = *theta;
    let mean = 1.0 / (1.0 + (-logit).exp());
    let (a, b) = (mean * log_precision.exp(), (1.0 - mean) * log_precision.exp());
    let ln_beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    let base = ln_beta(a, b);
    data.iter().map(|&(k, n)| base - ln_beta(a + f64::from(k), b + f64::from(n - k))).sum()
}

fn beta_binomial_nll_ref(p: &[D], data: &[(u32, u32)]) -> D {
    let m = ((-p[0]).exp() + 1.0).recip();
    let s = p[1].exp();
    let (a, b) = (m * s, s - m * s);
    // ratios of gammas are finite products
    let mut t = D::from(0.0);
    for i in 0..data.len() {
        let (k, n) = data[i];
        for j in 0..k {
            t = t - (a + j as f64).ln();
        }
        for j in 0..n - k {
            t = t - (b + j as f64).ln();
        }
        for j in 0..n {
            t = t + (s + j as f64).ln();
        }
    }
    t
}
#[test]
fn beta_binomial_nll_is_exact() {
    let data = [(3, 10), (0, 4), (7, 9), (2, 2)];
    check(
        "beta_binomial_nll",
        &[0.2, 1.1],
        |p| beta_binomial_nll(p.try_into().unwrap(), &data),
        |p, g| beta_binomial_nll_grad(p.try_into().unwrap(), &data, g.try_into().unwrap()),
        |p, v, hv| {
            beta_binomial_nll_hvp(p.try_into().unwrap(), &data, v.try_into().unwrap(), hv.try_into().unwrap())
        },
        |p| beta_binomial_nll_ref(p, &data),
    );
}

/// ordered logit with cut points as cumulative sums (scan) of positive gaps
#[differentiable(wrt(beta, cuts))]
fn ordered_logit_nll(beta: f64, cuts: &[f64], data: &[(f64, usize)]) -> f64 {
    let thresholds: Vec<f64> = cuts
        .iter()
        .enumerate()
        .map(|(i, &c)| if i == 0 { c } else { c.exp() })
        .scan(0.0, |acc, gap| {
            *acc += gap;
            Some(*acc)
        })
        .collect();
    let cdf = |z: f64| 1.0 / (1.0 + (-z).exp());
    let last = thresholds.len();
    let mut nll = 0.0;
    for &(x, category) in data {
        let p = match category {
            0 => cdf(thresholds[0] - beta * x),
            k if k == last => 1.0 - cdf(thresholds[k - 1] - beta * x),
            k => cdf(thresholds[k] - beta * x) - cdf(thresholds[k - 1] - beta * x),
        };
        nll -= p.ln();
    }
    nll
}

fn ordered_logit_nll_ref(p: &[D], data: &[(f64, usize)]) -> D {
    let m = p.len() - 1;
    let mut th = vec![p[1]; m];
    for i in 1..m {
        th[i] = th[i - 1] + p[1 + i].exp();
    }
    let mut t = D::from(0.0);
    for i in 0..data.len() {
        let (x, k) = data[i];
        let mut pr = D::from(0.0);
        if k < m {
            pr = pr + ((p[0] * x - th[k]).exp() + 1.0).recip();
        } else {
            pr = pr + 1.0;
        }
        if k > 0 {
            pr = pr - ((p[0] * x - th[k - 1]).exp() + 1.0).recip();
        }
        t = t - pr.ln();
    }
    t
}
#[test]
fn ordered_logit_nll_is_exact() {
    let data = [(0.3, 0), (1.2, 2), (-0.5, 1), (0.9, 3), (2.0, 3), (-1.0, 0)];
    check(
        "ordered_logit_nll",
        &[0.7, -0.4, -0.1, 0.2],
        |p| ordered_logit_nll(p[0], &p[1..], &data),
        |p, g| {
            let (value, db) = ordered_logit_nll_grad(p[0], &p[1..], &data, &mut g[1..]);
            g[0] = db;
            value
        },
        |p, v, hv| {
            let hb = ordered_logit_nll_hvp(p[0], &p[1..], &data, v[0], &v[1..], &mut hv[1..]);
            hv[0] = hb;
        },
        |p| ordered_logit_nll_ref(p, &data),
    );
}

/// sum of squared one-step errors of additive Holt-Winters smoothing with a season of four
#[differentiable(wrt(logits))]
fn holt_winters_sse(logits: &[f64; 3], ys: &[f64]) -> f64 {
    const PERIOD: usize = 4;
    let squash = |x: &f64| 1.0 / (1.0 + (-x).exp());
    let weights: Vec<f64> = logits.iter().map(squash).collect();
    let (alpha, beta, gamma) = (weights[0], weights[1], weights[2]);
    let mut level = ys.iter().take(PERIOD).sum::<f64>() / PERIOD as f64;
    let mut trend = 0.0;
    let mut season = Vec::with_capacity(ys.len());
    season.extend(ys.iter().take(PERIOD).map(|y| y - level));
    let mut sse = 0.0;
    for (t, &y) in ys.iter().enumerate().skip(PERIOD) {
        let s = season[t - PERIOD];
        let error = y - (level + trend + s);
        sse += error * error;
        let previous = level;
        level = alpha * (y - s) + (1.0 - alpha) * (level + trend);
        trend = beta * (level - previous) + (1.0 - beta) * trend;
        season.push(gamma * (y - level) + (1.0 - gamma) * s);
    }
    sse
}

fn holt_winters_sse_ref(p: &[D], y: &[f64]) -> D {
    let n = y.len();
    let a = ((-p[0]).exp() + 1.0).recip();
    let b = ((-p[1]).exp() + 1.0).recip();
    let c = ((-p[2]).exp() + 1.0).recip();
    let l0 = (y[0] + y[1] + y[2] + y[3]) / 4.0;
    let mut l = D::from(l0);
    let mut tr = D::from(0.0);
    let mut s = vec![D::from(0.0); n];
    for i in 0..4 {
        s[i] = D::from(y[i] - l0);
    }
    let mut t = D::from(0.0);
    // error-correction form
    for i in 4..n {
        let e = -(l + tr + s[i - 4]) + y[i];
        t = t + e * e;
        let l1 = l + tr + a * e;
        let tr1 = tr + a * b * e;
        s[i] = s[i - 4] + c * (-l1 - s[i - 4] + y[i]);
        l = l1;
        tr = tr1;
    }
    t
}
#[test]
fn holt_winters_sse_is_exact() {
    let ys = [1.0, 2.1, 0.4, 1.6, 1.5, 2.4, 1.1, 2.2, 1.9, 3.3, 1.2];
    check(
        "holt_winters_sse",
        &[-0.4, -1.2, 0.3],
        |p| holt_winters_sse(p.try_into().unwrap(), &ys),
        |p, g| holt_winters_sse_grad(p.try_into().unwrap(), &ys, g.try_into().unwrap()),
        |p, v, hv| {
            holt_winters_sse_hvp(p.try_into().unwrap(), &ys, v.try_into().unwrap(), hv.try_into().unwrap())
        },
        |p| holt_winters_sse_ref(p, &ys),
    );
}

/// piecewise-exponential survival, hazards by interval, labelled loops over subjects and intervals
#[differentiable(wrt(log_hazard))]
fn piecewise_exponential_nll(log_hazard: &[f64], knots: &[f64], data: &[(f64, bool)]) -> f64 {
    let mut nll = 0.0;
    'subjects: for &(time, died) in data {
        if !time.is_finite() {
            continue 'subjects;
        }
        let mut start = 0.0;
        let mut k = 0;
        loop {
            let rate = log_hazard[k].exp();
            let end = match knots.get(k) {
                Some(&knot) if knot < time => knot,
                _ => {
                    nll += rate * (time - start);
                    if died {
                        nll -= log_hazard[k];
                    }
                    continue 'subjects;
                }
            };
            nll += rate * (end - start);
            start = end;
            k += 1;
        }
    }
    nll
}

fn piecewise_exponential_nll_ref(p: &[D], knots: &[f64], data: &[(f64, bool)]) -> D {
    let mut t = D::from(0.0);
    for i in 0..data.len() {
        if data[i].0.is_infinite() || data[i].0.is_nan() {
            continue;
        }
        for k in 0..p.len() {
            let lo = if k == 0 { 0.0 } else { knots[k - 1] };
            let hi = if k < knots.len() { knots[k] } else { f64::INFINITY };
            if data[i].0 > lo {
                let end = if data[i].0 < hi { data[i].0 } else { hi };
                t = t + p[k].exp() * (end - lo);
                if data[i].0 <= hi && data[i].1 {
                    t = t - p[k];
                }
            }
        }
    }
    t
}
#[test]
fn piecewise_exponential_nll_is_exact() {
    let knots = [1.0, 2.5];
    let data = [(0.4, true), (1.8, false), (3.9, true), (f64::NAN, true), (2.2, true), (5.0, false)];
    check(
        "piecewise_exponential_nll",
        &[-0.5, -0.9, -0.2],
        |p| piecewise_exponential_nll(p, &knots, &data),
        |p, g| piecewise_exponential_nll_grad(p, &knots, &data, g),
        |p, v, hv| piecewise_exponential_nll_hvp(p, &knots, &data, v, hv),
        |p| piecewise_exponential_nll_ref(p, &knots, &data),
    );
}

/// Tukey's biweight loss of a line through points, with an early exit for empty data
#[differentiable(wrt(a, b))]
fn tukey_line(a: f64, b: f64, points: &[(f64, f64)], cutoff: f64) -> f64 {
    if points.is_empty() {
        return 0.0;
    }
    let mut total = 0.0;
    let ceiling = cutoff * cutoff / 6.0;
    for (x, y) in points.iter().copied() {
        let r = (y - a - b * x) / cutoff;
        if r.abs() >= 1.0 {
            total += ceiling;
            continue;
        }
        let w = 1.0 - r * r;
        total += ceiling * (1.0 - w.powi(3));
    }
    total / points.len() as f64
}

fn tukey_line_ref(p: &[D], pts: &[(f64, f64)], c: f64) -> D {
    let mut t = D::from(0.0);
    for i in 0..pts.len() {
        let r = -p[0] - p[1] * pts[i].0 + pts[i].1;
        let q = r * r / (c * c);
        // 1 - (1 - q)^3 expanded
        if q.re < 1.0 {
            t = t + (q * 3.0 - q * q * 3.0 + q * q * q) * (c * c / 6.0);
        } else {
            t = t + c * c / 6.0;
        }
    }
    t / pts.len() as f64
}
#[test]
fn tukey_line_is_exact() {
    let pts = [(0.0, 0.3), (0.5, 1.1), (1.0, 1.2), (1.5, 9.0), (2.0, 2.9)];
    check(
        "tukey_line",
        &[0.2, 1.1],
        |p| tukey_line(p[0], p[1], &pts, 2.0),
        |p, g| {
            let (value, (da, db)) = tukey_line_grad(p[0], p[1], &pts, 2.0);
            g[0] = da;
            g[1] = db;
            value
        },
        |p, v, hv| {
            let (ha, hb) = tukey_line_hvp(p[0], p[1], &pts, 2.0, v[0], v[1]);
            hv[0] = ha;
            hv[1] = hb;
        },
        |p| tukey_line_ref(p, &pts, 2.0),
    );
}

/// GMM objective of an exponential regression with instruments; moments unzipped from pairs
#[differentiable(wrt(theta))]
fn iv_gmm(theta: &[f64], data: &[(f64, f64, [f64; 2])]) -> f64 {
    let n = data.len() as f64;
    let residuals = data.iter().map(|&(y, x, _)| y - (theta[0] + theta[1] * x).exp());
    let (m0, m1): (Vec<f64>, Vec<f64>) =
        residuals.zip(data.iter()).map(|(r, (_, _, z))| (r * z[0], r * z[1])).unzip();
    let moments = [m0, m1];
    let weights = [1.0, 0.5];
    moments
        .iter()
        .zip(weights)
        .map(|(m, w)| {
            let mean = m.iter().sum::<f64>() / n;
            w * mean * mean
        })
        .sum::<f64>()
}

fn iv_gmm_ref(p: &[D], d: &[(f64, f64, [f64; 2])]) -> D {
    let mut m = [D::from(0.0); 2];
    for i in 0..d.len() {
        let r = -(p[0] + p[1] * d[i].1).exp() + d[i].0;
        for j in 0..2 {
            m[j] = m[j] + r * (d[i].2[j] / d.len() as f64);
        }
    }
    m[0] * m[0] + m[1] * m[1] * 0.5
}
#[test]
fn iv_gmm_is_exact() {
    let d =
        [(1.5, 0.2, [1.0, 0.3]), (2.7, 0.8, [1.0, 0.6]), (0.6, -0.9, [1.0, -1.4]), (3.9, 1.1, [1.0, 1.2])];
    check(
        "iv_gmm",
        &[0.1, 0.7],
        |p| iv_gmm(p, &d),
        |p, g| iv_gmm_grad(p, &d, g),
        |p, v, hv| iv_gmm_hvp(p, &d, v, hv),
        |p| iv_gmm_ref(p, &d),
    );
}

/// exponentially weighted volatility likelihood in single precision
#[differentiable(wrt(log_decay, log_start))]
fn ewma_nll_f32(log_decay: f32, log_start: f32, returns: &[f32]) -> f32 {
    let decay = 1.0 / (1.0 + (-log_decay).exp());
    let mut var = log_start.exp();
    let mut nll = 0.0f32;
    for r in returns {
        nll += 0.5 * (var.ln() + r * r / var);
        var = decay * var + (1.0 - decay) * r * r;
    }
    nll
}

fn ewma_nll_f32_ref(p: &[D], r: &[f32]) -> D {
    let d = ((-p[0]).exp() + 1.0).recip();
    let mut v = p[1].exp();
    let mut t = D::from(0.0);
    for i in 0..r.len() {
        let q = r[i] as f64 * r[i] as f64;
        t = t + v.ln() * 0.5 + v.recip() * (0.5 * q);
        v = v + (-d + 1.0) * (-v + q);
    }
    t
}
#[test]
fn ewma_nll_f32_is_exact() {
    let r = [0.5f32, -1.0, 0.25, 0.75, -0.5];
    check_f32(
        "ewma_nll_f32",
        &[1.5, -0.25],
        |p| ewma_nll_f32(p[0] as f32, p[1] as f32, &r) as f64,
        |p, g| {
            let (value, (a, b)) = ewma_nll_f32_grad(p[0] as f32, p[1] as f32, &r);
            g[0] = a as f64;
            g[1] = b as f64;
            value as f64
        },
        |p, v, hv| {
            let (a, b) = ewma_nll_f32_hvp(p[0] as f32, p[1] as f32, &r, v[0] as f32, v[1] as f32);
            hv[0] = a as f64;
            hv[1] = b as f64;
        },
        |p| ewma_nll_f32_ref(p, &r),
    );
}

/// random-intercept logit integrated by Gauss-Hermite quadrature, groups by chunks
#[differentiable(wrt(theta))]
fn random_intercept_nll(theta: [f64; 3], xs: &[f64], ys: &[bool], group: usize) -> f64 {
    const NODES: [(f64, f64); 3] =
        [(-1.2247448713915892, 1.0 / 6.0), (0.0, 2.0 / 3.0), (1.2247448713915892, 1.0 / 6.0)];
    let [intercept, slope, log_sd] = theta;
    let sd = log_sd.exp();
    let log_p = |eta: f64, y: bool| {
        let s = if y { -eta } else { eta };
        -s.exp().ln_1p()
    };
    let mut nll = 0.0;
    for (gx, gy) in xs.chunks(group).zip(ys.chunks(group)) {
        let marginal: f64 = NODES
            .iter()
            .map(|(node, weight)| {
                let u = std::f64::consts::SQRT_2 * sd * node;
                let joint: f64 = gx.iter().zip(gy).map(|(x, &y)| log_p(intercept + u + slope * x, y)).sum();
                weight * joint.exp()
            })
            .sum();
        nll -= marginal.ln();
    }
    nll
}

fn random_intercept_nll_ref(p: &[D], xs: &[f64], ys: &[bool], group: usize) -> D {
    let mut t = D::from(0.0);
    let s3 = 3.0f64.sqrt();
    let mut a = 0;
    while a < xs.len() {
        let b = if a + group < xs.len() { a + group } else { xs.len() };
        let mut m = D::from(0.0);
        for q in 0..3 {
            let z = [-s3, 0.0, s3][q];
            let mut l = D::from([1.0 / 6.0, 4.0 / 6.0, 1.0 / 6.0][q]);
            for i in a..b {
                let e = p[0] + p[2].exp() * z + p[1] * xs[i];
                let pr = ((-e).exp() + 1.0).recip();
                l = l * if ys[i] { pr } else { -pr + 1.0 };
            }
            m = m + l;
        }
        t = t - m.ln();
        a = b;
    }
    t
}
#[test]
fn random_intercept_nll_is_exact() {
    let xs = [0.3, -0.6, 1.1, 0.8, -1.2, 0.4, 0.9];
    let ys = [true, false, true, true, false, false, true];
    check(
        "random_intercept_nll",
        &[0.2, 0.9, -0.3],
        |p| random_intercept_nll([p[0], p[1], p[2]], &xs, &ys, 3),
        |p, g| {
            let (value, d) = random_intercept_nll_grad([p[0], p[1], p[2]], &xs, &ys, 3);
            g.copy_from_slice(&d);
            value
        },
        |p, v, hv| {
            hv.copy_from_slice(&random_intercept_nll_hvp([p[0], p[1], p[2]], &xs, &ys, 3, [v[0], v[1], v[2]]))
        },
        |p| random_intercept_nll_ref(p, &xs, &ys, 3),
    );
}

#[derive(Debug)]
enum RegressionError {
    Empty,
    Ragged(usize),
}

/// polynomial regression on const-generic coefficients with a fused smoothness penalty
#[differentiable(wrt(coef))]
fn smooth_poly<const N: usize>(
    coef: &[f64; N],
    pts: &[(f64, f64)],
    penalty: f64,
) -> Result<f64, RegressionError> {
    if pts.is_empty() {
        return Err(RegressionError::Empty);
    }
    let mut sse = 0.0;
    for &(x, y) in pts {
        let mut power = 1.0;
        let mut fit = 0.0;
        for c in coef {
            fit += c * power;
            power *= x;
        }
        sse += (y - fit).powi(2);
    }
    let roughness: f64 = (1..N).map(|i| (coef[i] - coef[i - 1]).powi(2)).sum();
    Ok((sse / pts.len() as f64).ln() + penalty * roughness)
}

fn smooth_poly_ref(p: &[D], pts: &[(f64, f64)], penalty: f64) -> D {
    let n = p.len();
    let mut t = D::from(0.0);
    for i in 0..pts.len() {
        let mut f = p[n - 1];
        for j in 1..n {
            f = f * pts[i].0 + p[n - 1 - j];
        }
        t = t + (f - pts[i].1) * (f - pts[i].1);
    }
    let mut out = t.ln() - (pts.len() as f64).ln();
    for i in 0..n - 1 {
        let d = p[i] - p[i + 1];
        out = out + d * d * penalty;
    }
    out
}
#[test]
fn smooth_poly_is_exact() {
    let pts = [(0.1, 0.7), (0.6, 1.4), (-0.5, 0.1), (1.2, 3.0), (-1.1, 0.9)];
    check(
        "smooth_poly",
        &[0.4, 0.9, 0.6, -0.1],
        |p| smooth_poly::<4>(p.try_into().unwrap(), &pts, 0.2).unwrap(),
        |p, g| smooth_poly_grad::<4>(p.try_into().unwrap(), &pts, 0.2, g.try_into().unwrap()).unwrap(),
        |p, v, hv| {
            smooth_poly_hvp::<4>(
                p.try_into().unwrap(),
                &pts,
                0.2,
                v.try_into().unwrap(),
                hv.try_into().unwrap(),
            )
            .unwrap()
        },
        |p| smooth_poly_ref(p, &pts, 0.2),
    );
    assert!(smooth_poly_grad::<2>(&[0.1, 0.2], &[], 0.2, &mut [0.0; 2]).is_err());
}

/// locally weighted average by position, with patterns over enumerate and zip, cut off at a far point
#[differentiable(wrt(decay, level))]
fn local_smoother(decay: f64, level: f64, xs: &[f64], ys: &[f64]) -> f64 {
    let mut fits = vec![0.0; xs.len()];
    'targets: for (t, fit) in fits.iter_mut().enumerate() {
        let mut weight = 0.0;
        for (x, y) in xs.iter().cloned().zip(ys.iter().cloned()) {
            if x > 3.0 {
                break 'targets;
            }
            let k = (-decay * (x - xs[t]).powi(2)).exp();
            weight += k;
            *fit += k * y;
        }
        *fit = (*fit + level) / (weight + 1.0);
    }
    let (even, odd): (Vec<f64>, Vec<f64>) = fits
        .iter()
        .zip(ys)
        .enumerate()
        .map(|(i, (&a, b))| if i % 2 == 0 { (a - b, 0.0) } else { (0.0, a - b) })
        .unzip();
    let mut all = even;
    all.extend(odd.iter().map(|o| 2.0 * o));
    all.iter().map(|e| e * e).sum()
}

fn local_smoother_ref(p: &[D], xs: &[f64], ys: &[f64]) -> D {
    let mut t = D::from(0.0);
    for i in 0..xs.len() {
        let mut a = p[1];
        let mut b = D::from(1.0);
        for j in 0..xs.len() {
            let d = xs[i] - xs[j];
            let k = (p[0] * (-d * d)).exp();
            a = a + k * ys[j];
            b = b + k;
        }
        let e = a / b - ys[i];
        t = t + e * e * if i % 2 == 0 { 1.0 } else { 4.0 };
    }
    t
}
#[test]
fn local_smoother_is_exact() {
    let xs = [0.1, 0.6, 1.2, 1.9, 2.5];
    let ys = [0.4, 0.9, 0.3, -0.2, 0.6];
    check(
        "local_smoother",
        &[1.3, 0.2],
        |p| local_smoother(p[0], p[1], &xs, &ys),
        |p, g| {
            let (value, (a, b)) = local_smoother_grad(p[0], p[1], &xs, &ys);
            g[0] = a;
            g[1] = b;
            value
        },
        |p, v, hv| {
            let (a, b) = local_smoother_hvp(p[0], p[1], &xs, &ys, v[0], v[1]);
            hv[0] = a;
            hv[1] = b;
        },
        |p| local_smoother_ref(p, &xs, &ys),
    );
}
