//! Inference: filters, time series, robust fits, options.
use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Differentiable)]
struct Arma {
    c: f64,
    phi: f64,
    theta: f64,
    log_sigma: f64,
}

/// conditional likelihood of an ARMA(1,1), the previous value and shock carried by fold in a tuple
#[differentiable(wrt(m))]
fn arma_nll(m: Arma, series: &[f64]) -> f64 {
    let Arma { c, phi, theta, log_sigma } = m;
    let sigma2 = (2.0 * log_sigma).exp();
    let (first, rest) = match series.split_first() {
        Some(parts) => parts,
        None => return 0.0,
    };
    let (sum_sq, n, _) = rest.iter().fold((0.0, 0usize, (*first, 0.0)), |(ss, n, (prev, shock)), &y| {
        let e = y - c - phi * prev - theta * shock;
        (ss + e * e, n + 1, (y, e))
    });
    0.5 * sum_sq / sigma2 + n as f64 * log_sigma
}

fn arma_nll_ref(p: &[D], y: &[f64]) -> D {
    let mut e = D::from(0.0);
    let mut t = D::from(0.0);
    for i in 1..y.len() {
        e = -(p[0] + p[1] * y[i - 1] + p[2] * e) + y[i];
        t += e * e * (p[3] * -2.0).exp() * 0.5 + p[3];
    }
    t
}
#[test]
fn arma_nll_is_exact() {
    let y = [0.4, 0.9, -0.3, 0.2, 1.4, 0.8];
    let of = |p: &[f64]| Arma { c: p[0], phi: p[1], theta: p[2], log_sigma: p[3] };
    check(
        "arma_nll",
        &[0.1, 0.5, -0.3, 0.2],
        |p| arma_nll(of(p), &y),
        |p, g| {
            let (value, d) = arma_nll_grad(of(p), &y);
            g.copy_from_slice(&[d.c, d.phi, d.theta, d.log_sigma]);
            value
        },
        |p, v, hv| {
            let d = arma_nll_hvp(of(p), &y, of(v));
            hv.copy_from_slice(&[d.c, d.phi, d.theta, d.log_sigma]);
        },
        |p| arma_nll_ref(p, &y),
    );
}

/// cubic spline curve by the recursion of Cox and de Boor, knots from data
#[differentiable(wrt(coefs))]
fn spline_roughness(coefs: &[f64], knots: &[f64], at: &[f64]) -> f64 {
    fn basis(i: usize, degree: usize, t: f64, knots: &[f64]) -> f64 {
        if degree == 0 {
            return if knots[i] <= t && t < knots[i + 1] { 1.0 } else { 0.0 };
        }
        let left = match knots[i + degree] - knots[i] {
            w if w > 0.0 => (t - knots[i]) / w * basis(i, degree - 1, t, knots),
            _ => 0.0,
        };
        let right = match knots[i + degree + 1] - knots[i + 1] {
            w if w > 0.0 => (knots[i + degree + 1] - t) / w * basis(i + 1, degree - 1, t, knots),
            _ => 0.0,
        };
        left + right
    }
    let values: Vec<f64> = at
        .iter()
        .map(|&t| coefs.iter().enumerate().map(|(i, c)| c.exp() * basis(i, 3, t, knots)).sum())
        .collect();
    values.windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).powi(2)).sum::<f64>() + values[0].ln()
}

fn spline_roughness_ref(c: &[D], knots: &[f64], at: &[f64]) -> D {
    let mut vals = vec![];
    for q in 0..at.len() {
        let t = at[q];
        let mut b = vec![0.0; knots.len() - 1];
        for i in 0..b.len() {
            if knots[i] <= t && t < knots[i + 1] {
                b[i] = 1.0;
            }
        }
        for d in 1..=3 {
            for i in 0..knots.len() - 1 - d {
                let (u, w) = (knots[i + d] - knots[i], knots[i + d + 1] - knots[i + 1]);
                let mut s = 0.0;
                if u > 0.0 {
                    s += (t - knots[i]) / u * b[i];
                }
                if w > 0.0 {
                    s += (knots[i + d + 1] - t) / w * b[i + 1];
                }
                b[i] = s;
            }
        }
        let mut s = D::from(0.0);
        for i in 0..c.len() {
            s += c[i].exp() * b[i];
        }
        vals.push(s);
    }
    let mut t = vals[0].ln();
    for i in 1..vals.len() - 1 {
        let d = vals[i - 1] - vals[i] * 2.0 + vals[i + 1];
        t += d * d;
    }
    t
}
#[test]
fn spline_roughness_is_exact() {
    let knots = [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 2.0, 2.0, 2.0];
    let at = [0.1, 0.5, 0.9, 1.3, 1.8];
    check(
        "spline_roughness",
        &[0.2, -0.4, 0.7, 0.1, 0.5],
        |p| spline_roughness(p, &knots, &at),
        |p, g| spline_roughness_grad(p, &knots, &at, g),
        |p, v, hv| spline_roughness_hvp(p, &knots, &at, v, hv),
        |p| spline_roughness_ref(p, &knots, &at),
    );
}

/// log wealth minus a penalty on the maximal drawdown of a portfolio; weights normalised, returns row by row
#[differentiable(wrt(weights))]
fn drawdown_objective(weights: &[f64], returns: &[Vec<f64>], aversion: f64) -> Result<f64, String> {
    let total: f64 = weights.iter().sum();
    if total.abs() < 1e-9 {
        return Err(format!("weights sum to {total}"));
    }
    let mut wealth = 1.0_f64;
    let mut peak = wealth;
    let mut worst = 0.0_f64;
    for (day, row) in returns.iter().enumerate() {
        let gain: f64 = row.iter().zip(weights).map(|(r, w)| r * w / total).sum();
        wealth *= 1.0 + gain;
        if wealth <= 0.0 {
            return Err(format!("ruined on day {day}"));
        }
        peak = peak.max(wealth);
        worst = worst.max(1.0 - wealth / peak);
    }
    Ok(wealth.ln() - aversion * worst)
}

fn drawdown_ref(w: &[D], returns: &[Vec<f64>], a: f64) -> D {
    let n = w.len();
    let mut s = D::from(0.0);
    for j in 0..n {
        s += w[j];
    }
    let mut path = vec![D::from(1.0)];
    for i in 0..returns.len() {
        let mut g = D::from(1.0);
        for j in 0..n {
            g += w[j] / s * returns[i][j];
        }
        path.push(path[i] * g);
    }
    let mut worst = D::from(0.0);
    for i in 0..path.len() {
        for j in i..path.len() {
            let d = -(path[j] / path[i]) + 1.0;
            if d.re > worst.re {
                worst = d;
            }
        }
    }
    path[path.len() - 1].ln() - worst * a
}
#[test]
fn drawdown_objective_is_exact() {
    let r =
        vec![vec![0.02, -0.01], vec![-0.05, 0.01], vec![-0.03, -0.04], vec![0.06, 0.02], vec![-0.01, 0.0]];
    check(
        "drawdown_objective",
        &[0.8, 0.6],
        |p| drawdown_objective(p, &r, 2.0).unwrap(),
        |p, g| drawdown_objective_grad(p, &r, 2.0, g).unwrap(),
        |p, v, hv| drawdown_objective_hvp(p, &r, 2.0, v, hv).unwrap(),
        |p| drawdown_ref(p, &r, 2.0),
    );
    assert!(drawdown_objective_grad(&[1.0, -1.0], &r, 2.0, &mut [0.0; 2]).is_err());
}

/// soft dynamic time warping between a curve and data, table of rows
#[differentiable(wrt(curve, gamma))]
fn soft_dtw(curve: &[f64], gamma: f64, data: &[f64]) -> f64 {
    let (n, m) = (curve.len(), data.len());
    let mut table = vec![vec![1e6; m + 1]; n + 1];
    table[0][0] = 0.0;
    let softmin = |a: f64, b: f64, c: f64| -> f64 {
        let least = a.min(b).min(c);
        let sum: f64 = [a, b, c].iter().map(|v| (-(v - least) / gamma).exp()).sum();
        least - gamma * sum.ln()
    };
    for i in 1..=n {
        for j in 1..=m {
            let cost = (curve[i - 1] - data[j - 1]).powi(2);
            table[i][j] = cost + softmin(table[i - 1][j], table[i][j - 1], table[i - 1][j - 1]);
        }
    }
    table[n][m]
}

fn soft_dtw_ref(p: &[D], data: &[f64]) -> D {
    // sum over paths of exp(-cost/gamma), in the ring of sums and products
    let n = p.len() - 1;
    let m = data.len();
    let g = p[n];
    let mut z = vec![D::from(0.0); (n + 1) * (m + 1)];
    z[0] = D::from(1.0);
    for i in 1..=n {
        for j in 1..=m {
            let d = p[i - 1] - data[j - 1];
            let s = z[(i - 1) * (m + 1) + j] + z[i * (m + 1) + j - 1] + z[(i - 1) * (m + 1) + j - 1];
            z[i * (m + 1) + j] = s * (-(d * d) / g).exp();
        }
    }
    -(z[n * (m + 1) + m].ln() * g)
}
#[test]
fn soft_dtw_is_exact() {
    let d = [0.2, 0.9, 1.4];
    check(
        "soft_dtw",
        &[0.1, 0.5, 1.0, 1.2, 0.7],
        |p| soft_dtw(&p[..4], p[4], &d),
        |p, g| {
            let (value, dg) = soft_dtw_grad(&p[..4], p[4], &d, &mut g[..4]);
            g[4] = dg;
            value
        },
        |p, v, hv| hv[4] = soft_dtw_hvp(&p[..4], p[4], &d, &v[..4], v[4], &mut hv[..4]),
        |p| soft_dtw_ref(p, &d),
    );
}

/// Durbin-Levinson: partial autocorrelations (tanh of free numbers) to coefficients, then squared errors
#[differentiable(wrt(raw))]
fn stationary_ar_sse(raw: &[f64], y: &[f64]) -> f64 {
    let mut phi: Vec<f64> = vec![];
    for r in raw.iter().map(|v| v.tanh()) {
        let previous = phi.clone();
        phi = previous.iter().zip(previous.iter().rev()).map(|(a, b)| a - r * b).collect();
        phi.push(r);
    }
    y.windows(phi.len() + 1)
        .map(|w| {
            let (past, now) = w.split_at(w.len() - 1);
            let fit: f64 = past.iter().rev().zip(phi.iter()).map(|(x, p)| x * p).sum();
            (now[0] - fit).powi(2)
        })
        .sum()
}

fn stationary_ar_sse_ref(p: &[D], y: &[f64]) -> D {
    let n = p.len();
    let mut phi = vec![D::from(0.0); n];
    for k in 0..n {
        let r = p[k].tanh();
        let mut next = phi.clone();
        for j in 0..k {
            next[j] = phi[j] - r * phi[k - 1 - j];
        }
        next[k] = r;
        phi = next;
    }
    let mut t = D::from(0.0);
    for i in n..y.len() {
        let mut e = D::from(y[i]);
        for j in 0..n {
            e -= phi[j] * y[i - 1 - j];
        }
        t += e * e;
    }
    t
}
#[test]
fn stationary_ar_sse_is_exact() {
    let y = [0.4, 0.9, -0.3, 0.2, 1.4, 0.8, -0.7, 0.1];
    check(
        "stationary_ar_sse",
        &[0.6, -0.3, 0.2],
        |p| stationary_ar_sse(p, &y),
        |p, g| stationary_ar_sse_grad(p, &y, g),
        |p, v, hv| stationary_ar_sse_hvp(p, &y, v, hv),
        |p| stationary_ar_sse_ref(p, &y),
    );
}

/// Hawkes process: excitation kept by a recursion over the gaps between events
#[differentiable(wrt(mu, alpha, beta))]
fn hawkes_nll(mu: f64, alpha: f64, beta: f64, times: &[f64], end: f64) -> Option<f64> {
    if alpha >= beta || mu <= 0.0 {
        return None;
    }
    let gaps = times.windows(2).map(|w| w[1] - w[0]);
    let excitation = gaps.scan(0.0, |state, gap| {
        *state = (*state + 1.0) * (-beta * gap).exp();
        Some(*state)
    });
    let log_intensity: f64 = std::iter::once(0.0).chain(excitation).map(|a| (mu + alpha * a).ln()).sum();
    let compensator =
        mu * end + alpha / beta * times.iter().map(|t| 1.0 - (-beta * (end - t)).exp()).sum::<f64>();
    Some(compensator - log_intensity)
}

fn hawkes_ref(p: &[D], t: &[f64], end: f64) -> D {
    let mut out = p[0] * end;
    for i in 0..t.len() {
        let mut l = p[0];
        for j in 0..i {
            l += p[1] * (p[2] * -(t[i] - t[j])).exp();
        }
        out -= l.ln();
        out += p[1] / p[2] * (-(p[2] * -(end - t[i])).exp() + 1.0);
    }
    out
}
#[test]
fn hawkes_nll_is_exact() {
    let t = [0.3, 0.5, 1.4, 2.2, 2.3];
    check(
        "hawkes_nll",
        &[0.7, 0.4, 1.1],
        |p| hawkes_nll(p[0], p[1], p[2], &t, 3.0).unwrap(),
        |p, g| {
            let (value, (a, b, c)) = hawkes_nll_grad(p[0], p[1], p[2], &t, 3.0).unwrap();
            g.copy_from_slice(&[a, b, c]);
            value
        },
        |p, v, hv| {
            let (a, b, c) = hawkes_nll_hvp(p[0], p[1], p[2], &t, 3.0, v[0], v[1], v[2]).unwrap();
            hv.copy_from_slice(&[a, b, c]);
        },
        |p| hawkes_ref(p, &t, 3.0),
    );
}

/// residual sum of squares of a least-squares fit by Householder reflections, features are powers of shifted inputs
#[differentiable(wrt(shift))]
fn householder_rss(shift: &[f64], t: &[f64], y: &[f64]) -> f64 {
    let m = t.len();
    let n = shift.len() + 1;
    let mut a: Vec<Vec<f64>> = t
        .iter()
        .map(|&ti| {
            let mut row = vec![1.0];
            row.extend(shift.iter().map(|s| (ti * s).sin()));
            row
        })
        .collect();
    let mut b = y.to_vec();
    for k in 0..n {
        let norm = (k..m).map(|i| a[i][k] * a[i][k]).sum::<f64>().sqrt();
        let alpha = if a[k][k] > 0.0 { -norm } else { norm };
        let mut v = vec![0.0; m];
        v[k] = a[k][k] - alpha;
        for i in k + 1..m {
            v[i] = a[i][k];
        }
        let vv: f64 = v.iter().map(|x| x * x).sum();
        if vv == 0.0 {
            continue;
        }
        for j in k..n {
            let dot: f64 = (k..m).map(|i| v[i] * a[i][j]).sum();
            for i in k..m {
                a[i][j] -= 2.0 * dot / vv * v[i];
            }
        }
        let dot: f64 = v.iter().zip(&b).map(|(p, q)| p * q).sum();
        b.iter_mut().zip(&v).for_each(|(bi, vi)| *bi -= 2.0 * dot / vv * vi);
    }
    b[n..].iter().map(|r| r.powi(2)).sum()
}

fn householder_rss_ref(s: &[D], t: &[f64], y: &[f64]) -> D {
    // modified Gram-Schmidt on the columns, then what is left of y
    let m = t.len();
    let mut q: Vec<Vec<D>> = vec![vec![D::from(1.0); m]];
    for j in 0..s.len() {
        let mut col = vec![];
        for i in 0..m {
            col.push((s[j] * t[i]).sin());
        }
        q.push(col);
    }
    let mut r: Vec<D> = vec![];
    for i in 0..m {
        r.push(D::from(y[i]));
    }
    q.push(r);
    let n = q.len();
    for k in 0..n - 1 {
        let mut nn = D::from(0.0);
        for i in 0..m {
            nn += q[k][i] * q[k][i];
        }
        for j in k + 1..n {
            let mut dot = D::from(0.0);
            for i in 0..m {
                dot += q[k][i] * q[j][i];
            }
            for i in 0..m {
                let w = q[k][i] * dot / nn;
                q[j][i] -= w;
            }
        }
    }
    let mut out = D::from(0.0);
    for i in 0..m {
        out += q[n - 1][i] * q[n - 1][i];
    }
    out
}
#[test]
fn householder_rss_is_exact() {
    let (t, y) = ([0.1, 0.7, 1.2, 1.9, 2.5, 3.1], [1.0, 0.3, 0.6, -0.8, 0.2, 1.5]);
    check(
        "householder_rss",
        &[0.8, 1.9],
        |p| householder_rss(p, &t, &y),
        |p, g| householder_rss_grad(p, &t, &y, g),
        |p, v, hv| householder_rss_hvp(p, &t, &y, v, hv),
        |p| householder_rss_ref(p, &t, &y),
    );
}

/// pooled adjacent violators: weighted isotonic regression with a stack of blocks, energy of the fit
#[differentiable(wrt(y))]
fn isotonic_energy(y: &[f64], weights: &[f64]) -> f64 {
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (value, weight) in y.iter().zip(weights) {
        let mut mean = *value;
        let mut mass = *weight;
        let mut count = 1;
        while let Some(&(m, w, c)) = blocks.last() {
            if m <= mean {
                break;
            }
            mean = (m * w + mean * mass) / (w + mass);
            mass += w;
            count += c;
            blocks.pop();
        }
        blocks.push((mean, mass, count));
    }
    let mut fitted = Vec::with_capacity(y.len());
    for (m, _, c) in &blocks {
        for _ in 0..*c {
            fitted.push(*m);
        }
    }
    fitted.iter().enumerate().map(|(i, f)| (i as f64 + 1.0) * f * f * f).sum()
}

fn isotonic_energy_ref(y: &[D], w: &[f64]) -> D {
    // min-max formula: fit_i = max_{a<=i} min_{b>=i} mean(a..=b)
    let n = y.len();
    let mut t = D::from(0.0);
    for i in 0..n {
        let mut best = D::from(-1e30);
        for a in 0..=i {
            let mut low = D::from(1e30);
            for b in i..n {
                let (mut s, mut m) = (D::from(0.0), 0.0);
                for k in a..=b {
                    s += y[k] * w[k];
                    m += w[k];
                }
                if (s / m).re < low.re {
                    low = s / m;
                }
            }
            if low.re > best.re {
                best = low;
            }
        }
        t += best * best * best * (i as f64 + 1.0);
    }
    t
}
#[test]
fn isotonic_energy_is_exact() {
    let w = [1.0, 2.0, 0.5, 1.5, 1.0, 0.7, 1.0];
    check(
        "isotonic_energy",
        &[0.3, 0.9, 0.4, 0.6, 1.8, 1.1, 1.3],
        |p| isotonic_energy(p, &w),
        |p, g| isotonic_energy_grad(p, &w, g),
        |p, v, hv| isotonic_energy_hvp(p, &w, v, hv),
        |p| isotonic_energy_ref(p, &w),
    );
}

type Mat = [[f64; 2]; 2];

/// Kalman filter of a position and a speed, small matrices in arrays by nested functions
#[differentiable(wrt(q, r, x0))]
fn tracking_nll(q: f64, r: f64, x0: [f64; 2], observed: &[f64]) -> f64 {
    fn mul(a: &Mat, b: &Mat) -> Mat {
        let mut c = [[0.0; 2]; 2];
        for i in 0..2 {
            for j in 0..2 {
                for k in 0..2 {
                    c[i][j] += a[i][k] * b[k][j];
                }
            }
        }
        c
    }
    fn transpose(a: &Mat) -> Mat {
        [[a[0][0], a[1][0]], [a[0][1], a[1][1]]]
    }
    let f: Mat = [[1.0, 0.5], [0.0, 0.9]];
    let mut x = x0;
    let mut p: Mat = [[1.0 + 0.0 * q, 0.0], [0.0, 1.0]];
    let mut nll = 0.0;
    for &z in observed {
        // predict
        x = [f[0][0] * x[0] + f[0][1] * x[1], f[1][0] * x[0] + f[1][1] * x[1]];
        p = mul(&mul(&f, &p), &transpose(&f));
        p[0][0] += 0.25 * q;
        p[1][1] += q;
        // update
        let s = p[0][0] + r;
        let innovation = z - x[0];
        nll += 0.5 * (s.ln() + innovation * innovation / s);
        let gain = [p[0][0] / s, p[1][0] / s];
        for (xi, k) in x.iter_mut().zip(gain) {
            *xi += k * innovation;
        }
        let keep: Mat = [[1.0 - gain[0], 0.0], [-gain[1], 1.0]];
        p = mul(&keep, &p);
    }
    nll
}

fn tracking_nll_ref(t: &[D], z: &[f64]) -> D {
    let (q, r) = (t[0], t[1]);
    let (mut a, mut b) = (t[2], t[3]);
    let (mut pa, mut pb, mut pc) = (D::from(1.0), D::from(0.0), D::from(1.0));
    let mut out = D::from(0.0);
    for i in 0..z.len() {
        a = a + b * 0.5;
        b = b * 0.9;
        let na = pa + pb + pc * 0.25 + q * 0.25;
        let nb = (pb + pc * 0.5) * 0.9;
        let nc = pc * 0.81 + q;
        let s = na + r;
        let e = -a + z[i];
        out += (s.ln() + e * e / s) * 0.5;
        a += na / s * e;
        b += nb / s * e;
        pa = na - na * na / s;
        pb = nb - na * nb / s;
        pc = nc - nb * nb / s;
    }
    out
}
#[test]
fn tracking_nll_is_exact() {
    let z = [0.3, 0.8, 1.1, 0.9, 1.6];
    check(
        "tracking_nll",
        &[0.3, 0.6, 0.1, 0.5],
        |p| tracking_nll(p[0], p[1], [p[2], p[3]], &z),
        |p, g| {
            let (value, (a, b, c)) = tracking_nll_grad(p[0], p[1], [p[2], p[3]], &z);
            g.copy_from_slice(&[a, b, c[0], c[1]]);
            value
        },
        |p, v, hv| {
            let (a, b, c) = tracking_nll_hvp(p[0], p[1], [p[2], p[3]], &z, v[0], v[1], [v[2], v[3]]);
            hv.copy_from_slice(&[a, b, c[0], c[1]]);
        },
        |p| tracking_nll_ref(p, &z),
    );
}

/// profile likelihood of a Gamma sample: the shape found by Newton steps inside, the data power-transformed
#[differentiable(wrt(power))]
fn logistic_location(power: f64, xs: &[f64]) -> f64 {
    let transformed: Vec<_> = xs.iter().map(|x| x.powf(power)).collect();
    let mut location = transformed.iter().sum::<f64>() / transformed.len() as f64;
    let mut iteration = 0;
    let location = loop {
        let mut score = 0.0;
        let mut slope = 0.0;
        for z in transformed.iter().map(|x| x - location) {
            let t = (0.5 * z).tanh();
            score += t;
            slope += 0.5 * (1.0 - t * t);
        }
        let step = score / slope;
        location += step;
        iteration += 1;
        if step.abs() < 1e-13 || iteration == 50 {
            break location;
        }
    };
    location.powi(3)
}

fn logistic_location_ref(p: &[D], xs: &[f64]) -> D {
    let n = xs.len();
    let mut x = vec![];
    let mut l = D::from(0.0);
    for i in 0..n {
        x.push((p[0] * xs[i].ln()).exp());
        l += x[i] / n as f64;
    }
    for _ in 0..60 {
        let (mut s, mut d) = (D::from(0.0), D::from(0.0));
        for i in 0..n {
            let w = ((l - x[i]).exp() + 1.0).recip();
            s += w - 0.5;
            d += w * (-w + 1.0);
        }
        l += s / d;
    }
    l * l * l
}
#[test]
fn logistic_location_is_exact() {
    let xs = [0.5, 1.3, 2.2, 0.9, 1.7];
    check(
        "logistic_location",
        &[1.4],
        |p| logistic_location(p[0], &xs),
        |p, g| {
            let (value, d) = logistic_location_grad(p[0], &xs);
            g[0] = d;
            value
        },
        |p, v, hv| hv[0] = logistic_location_hvp(p[0], &xs, v[0]),
        |p| logistic_location_ref(p, &xs),
    );
}

#[derive(Clone, Copy, Debug)]
enum Payoff {
    Call { strike: f64 },
    Put { strike: f64 },
    Digital(f64, f64),
    Forward,
}

/// distribution function of the normal by a rational approximation
#[differentiable]
fn normal_cdf(x: f64) -> f64 {
    const B: [f64; 5] = [0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
    let t = 1.0 / (1.0 + 0.2316419 * x.abs());
    let poly = B.iter().rev().fold(0.0, |acc, b| (acc + b) * t);
    let tail = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt() * poly;
    if x >= 0.0 { 1.0 - tail } else { tail }
}

/// Black-Scholes value of a book of options on one asset
#[differentiable(wrt(spot, vol, rate))]
fn book_value(spot: f64, vol: f64, rate: f64, book: &[(Payoff, f64, f64)]) -> f64 {
    let mut total = 0.0;
    for &(payoff, maturity, quantity) in book {
        let discount = (-rate * maturity).exp();
        let sd = vol * maturity.sqrt();
        let d1 = |strike: f64| ((spot / strike).ln() + (rate + 0.5 * vol * vol) * maturity) / sd;
        let price = match payoff {
            Payoff::Call { strike } => {
                let a = d1(strike);
                spot * normal_cdf(a) - strike * discount * normal_cdf(a - sd)
            }
            Payoff::Put { strike: k } => k * discount * normal_cdf(sd - d1(k)) - spot * normal_cdf(-d1(k)),
            Payoff::Digital(k, cash) if cash != 0.0 => cash * discount * normal_cdf(d1(k) - sd),
            Payoff::Digital(..) => 0.0,
            Payoff::Forward => spot,
        };
        total += quantity * price;
    }
    total
}

fn cdf_ref(x: D) -> D {
    let b = [0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
    let a = if x.re < 0.0 { -x } else { x };
    let t = (a * 0.2316419 + 1.0).recip();
    let mut s = D::from(0.0);
    let mut p = t;
    for i in 0..5 {
        s += p * b[i];
        p *= t;
    }
    let tail = s * (x * x * -0.5).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if x.re >= 0.0 { -tail + 1.0 } else { tail }
}
fn book_value_ref(p: &[D]) -> D {
    let (s, v, r) = (p[0], p[1], p[2]);
    let d = |k: f64, t: f64| ((s / k).ln() + (r + v * v * 0.5) * t) / (v * t.sqrt());
    let c = {
        let a = d(95.0, 0.5);
        s * cdf_ref(a) - (r * -0.5).exp() * 95.0 * cdf_ref(a - v * 0.5f64.sqrt())
    };
    let q = {
        let a = d(110.0, 2.0);
        (r * -2.0).exp() * 110.0 * cdf_ref(v * 2f64.sqrt() - a) - s * cdf_ref(-a)
    };
    let g = (-r).exp() * 7.0 * cdf_ref(d(105.0, 1.0) - v);
    c * 2.0 - q * 1.5 + g + s * 0.3
}
#[test]
fn book_value_is_exact() {
    let book = [
        (Payoff::Call { strike: 95.0 }, 0.5, 2.0),
        (Payoff::Put { strike: 110.0 }, 2.0, -1.5),
        (Payoff::Digital(105.0, 7.0), 1.0, 1.0),
        (Payoff::Digital(105.0, 0.0), 1.0, 1.0),
        (Payoff::Forward, 1.0, 0.3),
    ];
    check(
        "book_value",
        &[101.0, 0.25, 0.03],
        |p| book_value(p[0], p[1], p[2], &book),
        |p, g| {
            let (value, (a, b, c)) = book_value_grad(p[0], p[1], p[2], &book);
            g.copy_from_slice(&[a, b, c]);
            value
        },
        |p, v, hv| {
            let (a, b, c) = book_value_hvp(p[0], p[1], p[2], &book, v[0], v[1], v[2]);
            hv.copy_from_slice(&[a, b, c]);
        },
        book_value_ref,
    );
}

/// signal-to-noise by Welford's running mean and variance in a local struct carried by fold
#[differentiable]
fn signal_to_noise(x: &[f64]) -> f64 {
    #[derive(Default)]
    struct Running {
        n: f64,
        mean: f64,
        m2: f64,
    }
    let r = x.iter().fold(Running { n: 0.0, mean: 0.0, m2: 0.0 }, |mut r, &v| {
        r.n += 1.0;
        let delta = v - r.mean;
        r.mean += delta / r.n;
        r.m2 += delta * (v - r.mean);
        r
    });
    let variance = r.m2 / (r.n - 1.0);
    r.mean / variance.sqrt()
}

fn signal_to_noise_ref(x: &[D]) -> D {
    let n = x.len() as f64;
    let mut s = D::from(0.0);
    for i in 0..x.len() {
        s += x[i];
    }
    let m = s / n;
    let mut q = D::from(0.0);
    for i in 0..x.len() {
        q += (x[i] - m) * (x[i] - m);
    }
    m / (q / (n - 1.0)).sqrt()
}
#[test]
fn signal_to_noise_is_exact() {
    check(
        "signal_to_noise",
        &[1.2, 0.7, 1.9, 1.1, 0.4],
        |p| signal_to_noise(p),
        |p, g| signal_to_noise_grad(p, g),
        |p, v, hv| signal_to_noise_hvp(p, v, hv),
        |p| signal_to_noise_ref(p),
    );
}

/// zero-inflated Poisson, counts matched
#[differentiable(wrt(eta, zero))]
fn zero_inflated(eta: f64, zero: f64, counts: &[u32]) -> f64 {
    let lambda = eta.exp();
    let pi = 1.0 / (1.0 + (-zero).exp());
    counts
        .iter()
        .map(|&c| match c {
            0 => (pi + (1.0 - pi) * (-lambda).exp()).ln(),
            n => {
                let log_factorial: f64 = (1..=n).map(f64::from).map(f64::ln).sum();
                (1.0 - pi).ln() + f64::from(n) * eta - lambda - log_factorial
            }
        })
        .fold(0.0, |acc, l| acc - l)
}

fn zero_inflated_ref(p: &[D], counts: &[u32]) -> D {
    let l = p[0].exp();
    let pi = ((-p[1]).exp() + 1.0).recip();
    let mut t = D::from(0.0);
    for i in 0..counts.len() {
        if counts[i] == 0 {
            t -= (pi + (-l).exp() * (-pi + 1.0)).ln();
        } else {
            let mut pr = (-l).exp() * (-pi + 1.0);
            for k in 1..=counts[i] {
                pr = pr * l / f64::from(k);
            }
            t -= pr.ln();
        }
    }
    t
}
#[test]
fn zero_inflated_is_exact() {
    let c = [0, 3, 0, 1, 5, 0];
    check(
        "zero_inflated",
        &[0.4, -0.6],
        |p| zero_inflated(p[0], p[1], &c),
        |p, g| {
            let (value, (a, b)) = zero_inflated_grad(p[0], p[1], &c);
            (g[0], g[1]) = (a, b);
            value
        },
        |p, v, hv| (hv[0], hv[1]) = zero_inflated_hvp(p[0], p[1], &c, v[0], v[1]),
        |p| zero_inflated_ref(p, &c),
    );
}
