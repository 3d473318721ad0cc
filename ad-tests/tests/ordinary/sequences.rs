//! Learning on sequences and graphs: attention, decoding, factor machines, optimisers unrolled.
use super::*;

/// a line fitted by Adam in a local struct of optimiser state, differentiated in the learning rate and decays
#[differentiable(wrt(rate, beta1, beta2))]
fn adam_final_loss(rate: f64, beta1: f64, beta2: f64, data: &[(f64, f64)], epochs: usize) -> f64 {
    struct Moments {
        first: [f64; 2],
        second: [f64; 2],
    }
    let mut w = [0.0; 2];
    let mut state = Moments { first: [0.0; 2], second: [0.0; 2] };
    let residual = |w: &[f64; 2], (x, y): (f64, f64)| w[0] + w[1] * x - y;
    for t in 1..=epochs {
        let gradient = data.iter().fold([0.0, 0.0], |[a, b], &(x, y)| {
            let r = residual(&w, (x, y));
            [a + 2.0 * r, b + 2.0 * r * x]
        });
        for k in 0..2 {
            state.first[k] = beta1 * state.first[k] + (1.0 - beta1) * gradient[k];
            state.second[k] = beta2 * state.second[k] + (1.0 - beta2) * gradient[k].powi(2);
            let m = state.first[k] / (1.0 - beta1.powi(t as i32));
            let v = state.second[k] / (1.0 - beta2.powi(t as i32));
            w[k] -= rate * m / (v.sqrt() + 1e-8);
        }
    }
    data.iter().map(|&p| residual(&w, p).powi(2)).sum()
}

fn adam_ref(p: &[D], d: &[(f64, f64)], epochs: usize) -> D {
    let mut w = vec![D::from(0.0); 2];
    let mut m = vec![D::from(0.0); 2];
    let mut s = vec![D::from(0.0); 2];
    let (mut b1, mut b2) = (D::from(1.0), D::from(1.0));
    for _ in 0..epochs {
        let mut g = vec![D::from(0.0); 2];
        for i in 0..d.len() {
            let r = w[0] + w[1] * d[i].0 - d[i].1;
            g[0] += r * 2.0;
            g[1] += r * (2.0 * d[i].0);
        }
        b1 *= p[1];
        b2 *= p[2];
        for k in 0..2 {
            m[k] = p[1] * m[k] + (-p[1] + 1.0) * g[k];
            s[k] = p[2] * s[k] + (-p[2] + 1.0) * g[k] * g[k];
            let step = p[0] * m[k] / (-b1 + 1.0) / ((s[k] / (-b2 + 1.0)).sqrt() + 1e-8);
            w[k] -= step;
        }
    }
    let mut t = D::from(0.0);
    for i in 0..d.len() {
        let r = w[0] + w[1] * d[i].0 - d[i].1;
        t += r * r;
    }
    t
}
#[test]
fn adam_final_loss_is_exact() {
    let d = [(0.1, 1.0), (0.9, 0.2), (1.7, 2.1)];
    check(
        "adam_final_loss",
        &[0.1, 0.8, 0.95],
        |p| adam_final_loss(p[0], p[1], p[2], &d, 6),
        |p, g| {
            let (value, (a, b, c)) = adam_final_loss_grad(p[0], p[1], p[2], &d, 6);
            g.copy_from_slice(&[a, b, c]);
            value
        },
        |p, v, hv| {
            let (a, b, c) = adam_final_loss_hvp(p[0], p[1], p[2], &d, 6, v[0], v[1], v[2]);
            hv.copy_from_slice(&[a, b, c]);
        },
        |p| adam_ref(p, &d, 6),
    );
}

/// convolution of a small image by a const-generic kernel, clamped borders by saturating arithmetic
#[differentiable(wrt(kernel, bias))]
fn edge_energy<const K: usize>(kernel: &[[f64; K]; K], bias: f64, image: &[Vec<f64>]) -> f64 {
    let height = image.len();
    let width = image[0].len();
    let half = K / 2;
    let mut energy = 0.0;
    for r in 0..height {
        for c in 0..width {
            let mut response = bias;
            for (dr, weights) in kernel.iter().enumerate() {
                for (dc, w) in weights.iter().enumerate() {
                    let rr = (r + dr).saturating_sub(half).min(height - 1);
                    let cc = (c + dc).saturating_sub(half).min(width - 1);
                    response += w * image[rr][cc];
                }
            }
            energy += if response > 0.0 { response } else { 0.1 * response.exp_m1() }
                * (1.0 + response * response).ln();
        }
    }
    energy / (height * width) as f64
}

fn edge_energy_ref(p: &[D], image: &[Vec<f64>]) -> D {
    let (h, w) = (image.len() as i64, image[0].len() as i64);
    let mut t = D::from(0.0);
    for r in 0..h {
        for c in 0..w {
            let mut s = p[9];
            for a in 0..3 {
                for b in 0..3 {
                    let rr = (r + a - 1).max(0).min(h - 1);
                    let cc = (c + b - 1).max(0).min(w - 1);
                    s += p[(3 * a + b) as usize] * image[rr as usize][cc as usize];
                }
            }
            let u = if s.re > 0.0 { s } else { (s.exp() - 1.0) * 0.1 };
            t += u * (s * s + 1.0).ln();
        }
    }
    t / (h * w) as f64
}
#[test]
fn edge_energy_is_exact() {
    let image = vec![vec![0.1, 0.9, 0.4], vec![0.7, 0.2, 0.8], vec![0.3, 0.6, 0.5], vec![1.0, 0.0, 0.35]];
    let of = |p: &[f64]| [[p[0], p[1], p[2]], [p[3], p[4], p[5]], [p[6], p[7], p[8]]];
    check(
        "edge_energy",
        &[-0.5, 0.3, 0.2, 0.9, -1.4, 0.1, 0.4, -0.2, 0.25, -0.05],
        |p| edge_energy(&of(p), p[9], &image),
        |p, g| {
            let mut k = [[0.0; 3]; 3];
            let (value, b) = edge_energy_grad(&of(p), p[9], &image, &mut k);
            g[..9].copy_from_slice(k.as_flattened());
            g[9] = b;
            value
        },
        |p, v, hv| {
            let mut k = [[0.0; 3]; 3];
            hv[9] = edge_energy_hvp(&of(p), p[9], &image, &of(v), v[9], &mut k);
            hv[..9].copy_from_slice(k.as_flattened());
        },
        |p| edge_energy_ref(p, &image),
    );
}

/// linear-chain conditional random field: forward algorithm in logs minus the score of the gold path
#[differentiable(wrt(transitions, emission))]
fn crf_nll(transitions: &[[f64; 3]; 3], emission: &[f64; 3], xs: &[f64], labels: &[usize]) -> f64 {
    const K: usize = 3;
    let log_sum_exp = |v: [f64; K]| {
        let m = v.iter().cloned().fold(f64::MIN, f64::max);
        m + v.map(|a| (a - m).exp()).iter().sum::<f64>().ln()
    };
    let score = |x: f64, k: usize| emission[k] * x;
    let mut alpha = [0, 1, 2].map(|k| score(xs[0], k));
    for &x in &xs[1..] {
        let previous = alpha;
        for (to, a) in alpha.iter_mut().enumerate() {
            let mut incoming = [0.0; K];
            for from in 0..K {
                incoming[from] = previous[from] + transitions[from][to];
            }
            *a = score(x, to) + log_sum_exp(incoming);
        }
    }
    let gold: f64 = xs.iter().zip(labels).map(|(&x, &k)| score(x, k)).sum::<f64>()
        + labels.windows(2).map(|w| transitions[w[0]][w[1]]).sum::<f64>();
    log_sum_exp(alpha) - gold
}

fn crf_ref(p: &[D], xs: &[f64], labels: &[usize]) -> D {
    let n = xs.len();
    let mut z = D::from(0.0);
    let mut gold = D::from(0.0);
    for code in 0..3usize.pow(n as u32) {
        let (mut s, mut c, mut prev, mut same) = (D::from(0.0), code, 3, true);
        for i in 0..n {
            let k = c % 3;
            c /= 3;
            s += p[9 + k] * xs[i];
            if prev < 3 {
                s += p[3 * prev + k];
            }
            same = same && k == labels[i];
            prev = k;
        }
        z += s.exp();
        if same {
            gold = s;
        }
    }
    z.ln() - gold
}
#[test]
fn crf_nll_is_exact() {
    let (xs, labels) = ([0.5, -1.0, 0.8, 0.3], [0, 2, 1, 1]);
    let rows = |p: &[f64]| [[p[0], p[1], p[2]], [p[3], p[4], p[5]], [p[6], p[7], p[8]]];
    let em = |p: &[f64]| [p[9], p[10], p[11]];
    check(
        "crf_nll",
        &[0.2, -0.4, 0.1, 0.5, 0.3, -0.6, -0.2, 0.7, 0.0, 1.0, -0.5, 0.4],
        |p| crf_nll(&rows(p), &em(p), &xs, &labels),
        |p, g| {
            let (mut t, mut e) = ([[0.0; 3]; 3], [0.0; 3]);
            let value = crf_nll_grad(&rows(p), &em(p), &xs, &labels, &mut t, &mut e);
            g[..9].copy_from_slice(t.as_flattened());
            g[9..].copy_from_slice(&e);
            value
        },
        |p, v, hv| {
            let (mut t, mut e) = ([[0.0; 3]; 3], [0.0; 3]);
            crf_nll_hvp(&rows(p), &em(p), &xs, &labels, &rows(v), &em(v), &mut t, &mut e);
            hv[..9].copy_from_slice(t.as_flattened());
            hv[9..].copy_from_slice(&e);
        },
        |p| crf_ref(p, &xs, &labels),
    );
}

/// connectionist temporal classification: forward variables over a blank-extended target
#[differentiable(wrt(logits))]
fn ctc_loss(logits: &[Vec<f64>], target: &[usize]) -> f64 {
    let blank = 0;
    let mut extended = vec![blank];
    for &t in target {
        extended.push(t);
        extended.push(blank);
    }
    let probabilities: Vec<Vec<f64>> = logits
        .iter()
        .map(|row| {
            let e: Vec<f64> = row.iter().map(|v| v.exp()).collect();
            let s: f64 = e.iter().sum();
            e.into_iter().map(|v| v / s).collect()
        })
        .collect();
    let len = extended.len();
    let mut alpha = vec![0.0; len];
    alpha[0] = probabilities[0][blank];
    alpha[1] = probabilities[0][extended[1]];
    for frame in probabilities.iter().skip(1) {
        let mut next = vec![0.0; len];
        for s in 0..len {
            let mut total = alpha[s];
            if s >= 1 {
                total += alpha[s - 1];
            }
            if s >= 2 && extended[s] != blank && extended[s] != extended[s - 2] {
                total += alpha[s - 2];
            }
            next[s] = total * frame[extended[s]];
        }
        alpha = next;
    }
    -(alpha[len - 1] + alpha[len - 2]).ln()
}

fn ctc_ref(p: &[D], frames: usize, target: &[usize]) -> D {
    // all paths of three classes
    let mut total = D::from(0.0);
    for code in 0..3usize.pow(frames as u32) {
        let (mut c, mut prev, mut out, mut pr) = (code, 0, vec![], D::from(1.0));
        for t in 0..frames {
            let k = c % 3;
            c /= 3;
            if k != 0 && k != prev {
                out.push(k);
            }
            prev = k;
            pr *= p[3 * t + k].exp() / (p[3 * t].exp() + p[3 * t + 1].exp() + p[3 * t + 2].exp());
        }
        if out == target {
            total += pr;
        }
    }
    -total.ln()
}
#[test]
fn ctc_loss_is_exact() {
    let of = |p: &[f64]| p.chunks(3).map(|c| c.to_vec()).collect::<Vec<_>>();
    let x = [0.2, -0.4, 0.1, 0.5, 0.3, -0.6, -0.2, 0.7, 0.0, 1.0, -0.5, 0.4];
    for target in [vec![1, 2], vec![2, 2]] {
        check(
            "ctc_loss",
            &x,
            |p| ctc_loss(&of(p), &target),
            |p, g| {
                let mut d = of(&x);
                let value = ctc_loss_grad(&of(p), &target, &mut d);
                g.copy_from_slice(&d.concat());
                value
            },
            |p, v, hv| {
                let mut d = of(&x);
                ctc_loss_hvp(&of(p), &target, &of(v), &mut d);
                hv.copy_from_slice(&d.concat());
            },
            |p| ctc_ref(p, 4, &target),
        );
    }
}

/// factorisation machine of second order by the sum-of-squares identity, sparse rows of (column, value)
#[differentiable(wrt(w0, w, v))]
fn fm_loss(w0: f64, w: &[f64], v: &[[f64; 2]], rows: &[Vec<(usize, f64)>], targets: &[f64]) -> f64 {
    let mut loss = 0.0;
    for (row, target) in rows.iter().zip(targets) {
        let linear: f64 = row.iter().map(|&(j, x)| w[j] * x).sum();
        let mut pairwise = 0.0;
        for f in 0..2 {
            let (sum, squares) = row.iter().fold((0.0, 0.0), |(s, q), &(j, x)| {
                let t = v[j][f] * x;
                (s + t, q + t * t)
            });
            pairwise += 0.5 * (sum * sum - squares);
        }
        let error = w0 + linear + pairwise - target;
        loss += error.powi(2);
    }
    (loss / rows.len() as f64).sqrt()
}

fn fm_ref(p: &[D], rows: &[Vec<(usize, f64)>], y: &[f64]) -> D {
    let mut t = D::from(0.0);
    for r in 0..rows.len() {
        let mut e = p[0] - y[r];
        for a in 0..rows[r].len() {
            let (i, xi) = rows[r][a];
            e += p[1 + i] * xi;
            for b in 0..a {
                let (j, xj) = rows[r][b];
                for f in 0..2 {
                    e += p[4 + 2 * i + f] * p[4 + 2 * j + f] * (xi * xj);
                }
            }
        }
        t += e * e / rows.len() as f64;
    }
    t.sqrt()
}
#[test]
fn fm_loss_is_exact() {
    let rows = vec![vec![(0, 1.0), (2, 0.5)], vec![(1, 1.0)], vec![(0, 0.3), (1, 0.7), (2, -1.0)]];
    let y = [0.9, -0.2, 0.6];
    let of = |p: &[f64]| [[p[4], p[5]], [p[6], p[7]], [p[8], p[9]]];
    check(
        "fm_loss",
        &[0.1, 0.4, -0.8, 0.3, 1.1, -0.6, 0.5, 0.2, -0.7, 0.9],
        |p| fm_loss(p[0], &p[1..4], &of(p), &rows, &y),
        |p, g| {
            let mut d = [[0.0; 2]; 3];
            let (value, a) = fm_loss_grad(p[0], &p[1..4], &of(p), &rows, &y, &mut g[1..4], &mut d);
            g[0] = a;
            g[4..].copy_from_slice(d.as_flattened());
            value
        },
        |p, v, hv| {
            let mut d = [[0.0; 2]; 3];
            hv[0] =
                fm_loss_hvp(p[0], &p[1..4], &of(p), &rows, &y, v[0], &v[1..4], &of(v), &mut hv[1..4], &mut d);
            hv[4..].copy_from_slice(d.as_flattened());
        },
        |p| fm_ref(p, &rows, &y),
    );
}

#[derive(Clone, Copy)]
enum Reduction {
    Mean,
    Sum,
    Weighted(f64),
}

/// focal loss with label smoothing over labels of which some are missing
#[differentiable(wrt(logits, gamma))]
fn focal_loss(
    logits: &[f64],
    gamma: f64,
    labels: &[Option<bool>],
    reduction: Reduction,
) -> Result<f64, &'static str> {
    if logits.len() != labels.len() {
        return Err("lengths differ");
    }
    let losses: Vec<f64> = logits
        .iter()
        .zip(labels.iter())
        .filter_map(|(&z, label)| {
            let Some(positive) = *label else { return None };
            let p = 1.0 / (1.0 + f64::exp(-z));
            let (pt, weight) = if positive { (p, 0.75) } else { (1.0 - p, 0.25) };
            Some(-weight * (1.0 - pt).powf(gamma) * pt.ln())
        })
        .collect();
    if losses.is_empty() {
        return Err("nothing is labelled");
    }
    let total = losses.iter().sum::<f64>();
    Ok(match reduction {
        Reduction::Sum => total,
        Reduction::Mean => total / losses.len() as f64,
        Reduction::Weighted(w) => w * total,
    })
}

fn focal_ref(p: &[D], labels: &[Option<bool>], f: f64) -> D {
    let n = labels.len();
    let mut t = D::from(0.0);
    for i in 0..n {
        match labels[i] {
            None => {}
            Some(b) => {
                let s = if b { p[i] } else { -p[i] };
                let q = ((-s).exp() + 1.0).recip();
                t -= ((-q + 1.0).ln() * p[n]).exp() * q.ln() * if b { 0.75 } else { 0.25 };
            }
        }
    }
    t * f
}
#[test]
fn focal_loss_is_exact() {
    let labels = [Some(true), None, Some(false), Some(true)];
    for (r, f) in [(Reduction::Sum, 1.0), (Reduction::Mean, 1.0 / 3.0), (Reduction::Weighted(0.2), 0.2)] {
        check(
            "focal_loss",
            &[0.4, 1.0, -0.3, -1.2, 2.0],
            |p| focal_loss(&p[..4], p[4], &labels, r).unwrap(),
            |p, g| {
                let (value, d) = focal_loss_grad(&p[..4], p[4], &labels, r, &mut g[..4]).unwrap();
                g[4] = d;
                value
            },
            |p, v, hv| {
                hv[4] = focal_loss_hvp(&p[..4], p[4], &labels, r, &v[..4], v[4], &mut hv[..4]).unwrap()
            },
            |p| focal_ref(p, &labels, f),
        );
    }
}

/// Gaussian kernel ridge regression, the system solved by conjugate gradients; vectors moved from round to round
#[differentiable(wrt(width, ridge))]
fn kernel_ridge_loo(width: f64, ridge: f64, x: &[f64], y: &[f64], probe: &[(f64, f64)]) -> f64 {
    let n = x.len();
    let kernel = |a: f64, b: f64| (-(a - b).powi(2) / (2.0 * width * width)).exp();
    let gram: Vec<Vec<f64>> = x
        .iter()
        .enumerate()
        .map(|(i, &a)| {
            let mut row: Vec<f64> = x.iter().map(|&b| kernel(a, b)).collect();
            row[i] += ridge;
            row
        })
        .collect();
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b.iter()).map(|(p, q)| p * q).sum() };
    let mut alpha = vec![0.0; n];
    let mut r = y.to_vec();
    let mut p = r.clone();
    let mut rs = dot(&r, &r);
    for _ in 0..2 * n {
        if rs.sqrt() < 1e-13 {
            break;
        }
        let ap: Vec<f64> = gram.iter().map(|row| dot(row, &p)).collect();
        let step = rs / dot(&p, &ap);
        for i in 0..n {
            alpha[i] += step * p[i];
            r[i] -= step * ap[i];
        }
        let rs_new = dot(&r, &r);
        p = r.iter().zip(&p).map(|(ri, pi)| ri + rs_new / rs * pi).collect();
        rs = rs_new;
    }
    probe
        .iter()
        .map(|(at, target)| {
            let f: f64 = alpha.iter().zip(x).map(|(c, &xi)| c * kernel(xi, *at)).sum();
            (f - target).powi(2)
        })
        .sum::<f64>()
        / probe.len() as f64
}

fn kernel_ridge_ref(p: &[D], x: &[f64], y: &[f64], probe: &[(f64, f64)]) -> D {
    let n = x.len();
    let k = |a: f64, b: f64| ((p[0] * p[0]).recip() * (-0.5 * (a - b) * (a - b))).exp();
    let mut a = vec![D::from(0.0); n * (n + 1)];
    for i in 0..n {
        for j in 0..n {
            a[i * (n + 1) + j] = k(x[i], x[j]);
        }
        a[i * (n + 1) + i] += p[1];
        a[i * (n + 1) + n] = D::from(y[i]);
    }
    for c in 0..n {
        for i in 0..n {
            if i != c {
                let f = a[i * (n + 1) + c] / a[c * (n + 1) + c];
                for j in 0..=n {
                    let w = f * a[c * (n + 1) + j];
                    a[i * (n + 1) + j] -= w;
                }
            }
        }
    }
    let mut t = D::from(0.0);
    for q in 0..probe.len() {
        let mut e = D::from(-probe[q].1);
        for i in 0..n {
            e += a[i * (n + 1) + n] / a[i * (n + 1) + i] * k(x[i], probe[q].0);
        }
        t += e * e / probe.len() as f64;
    }
    t
}
#[test]
fn kernel_ridge_loo_is_exact() {
    let (x, y) = ([0.1, 0.6, 1.3, 2.0], [0.5, -0.2, 0.9, 0.3]);
    let probe = [(0.4, 0.1), (1.7, 0.6)];
    check(
        "kernel_ridge_loo",
        &[0.7, 0.4],
        |p| kernel_ridge_loo(p[0], p[1], &x, &y, &probe),
        |p, g| {
            let (value, (a, b)) = kernel_ridge_loo_grad(p[0], p[1], &x, &y, &probe);
            (g[0], g[1]) = (a, b);
            value
        },
        |p, v, hv| (hv[0], hv[1]) = kernel_ridge_loo_hvp(p[0], p[1], &x, &y, &probe, v[0], v[1]),
        |p| kernel_ridge_ref(p, &x, &y, &probe),
    );
}

/// two-headed self-attention over tokens in rows; weights are vectors of rows
#[differentiable(wrt(wq, wk))]
fn two_heads(wq: &[Vec<f64>], wk: &[Vec<f64>], tokens: &[Vec<f64>]) -> f64 {
    let project = |w: &[Vec<f64>], t: &Vec<f64>| -> Vec<f64> {
        w.iter().map(|row| row.iter().zip(t).map(|(a, b)| a * b).sum()).collect()
    };
    let d = wq.len() / 2;
    let queries: Vec<Vec<f64>> = tokens.iter().map(|t| project(wq, t)).collect();
    let keys: Vec<Vec<f64>> = tokens.iter().map(|t| project(wk, t)).collect();
    let mut out = vec![vec![0.0; tokens[0].len()]; tokens.len()];
    for h in 0..2 {
        let (from, to) = (h * d, (h + 1) * d);
        for (i, q) in queries.iter().enumerate() {
            let logits: Vec<f64> = keys
                .iter()
                .map(|k| {
                    q[from..to].iter().zip(&k[from..to]).map(|(a, b)| a * b).sum::<f64>() / (d as f64).sqrt()
                })
                .collect();
            let top = logits.iter().fold(f64::NEG_INFINITY, |m, &l| m.max(l));
            let e: Vec<f64> = logits.iter().map(|l| (l - top).exp()).collect();
            let z: f64 = e.iter().sum();
            for (w, t) in e.iter().zip(tokens) {
                for (o, v) in out[i].iter_mut().zip(t) {
                    *o += w / z * v;
                }
            }
        }
    }
    out.iter().flatten().map(|v| v * v).sum::<f64>().sqrt()
}

fn two_heads_ref(p: &[D], t: &[Vec<f64>]) -> D {
    // w: 4 x 2 each
    let n = t.len();
    let mut total = D::from(0.0);
    let mut out = vec![D::from(0.0); 2 * n];
    for h in 0..2 {
        for i in 0..n {
            let mut z = D::from(0.0);
            let mut s = vec![D::from(0.0); 2];
            for j in 0..n {
                let mut l = D::from(0.0);
                for r in 2 * h..2 * h + 2 {
                    let q = p[2 * r] * t[i][0] + p[2 * r + 1] * t[i][1];
                    let k = p[8 + 2 * r] * t[j][0] + p[8 + 2 * r + 1] * t[j][1];
                    l += q * k;
                }
                let e = (l / 2f64.sqrt()).exp();
                z += e;
                for c in 0..2 {
                    s[c] += e * t[j][c];
                }
            }
            for c in 0..2 {
                out[2 * i + c] += s[c] / z;
            }
        }
    }
    for i in 0..2 * n {
        total += out[i] * out[i];
    }
    total.sqrt()
}
#[test]
fn two_heads_is_exact() {
    let t = vec![vec![0.5, -0.2], vec![-0.9, 0.8], vec![0.3, 1.1]];
    let of = |p: &[f64]| p.chunks(2).map(|c| c.to_vec()).collect::<Vec<_>>();
    check(
        "two_heads",
        &[0.2, -0.4, 0.1, 0.5, 0.3, -0.6, -0.2, 0.7, 0.8, 1.0, -0.5, 0.4, 0.6, -0.3, 0.9, 0.1],
        |p| two_heads(&of(&p[..8]), &of(&p[8..]), &t),
        |p, g| {
            let (mut a, mut b) = (of(&[0.0; 8]), of(&[0.0; 8]));
            let value = two_heads_grad(&of(&p[..8]), &of(&p[8..]), &t, &mut a, &mut b);
            g.copy_from_slice(&[a.concat(), b.concat()].concat());
            value
        },
        |p, v, hv| {
            let (mut a, mut b) = (of(&[0.0; 8]), of(&[0.0; 8]));
            two_heads_hvp(&of(&p[..8]), &of(&p[8..]), &t, &of(&v[..8]), &of(&v[8..]), &mut a, &mut b);
            hv.copy_from_slice(&[a.concat(), b.concat()].concat());
        },
        |p| two_heads_ref(p, &t),
    );
}

/// t-SNE stress: affinities from data, map points as arrays; double loops with guards
#[differentiable(wrt(map))]
fn tsne_divergence(map: &[[f64; 2]], affinity: &[Vec<f64>]) -> f64 {
    let n = map.len();
    let similarity = |i: usize, j: usize| {
        let [dx, dy] = [map[i][0] - map[j][0], map[i][1] - map[j][1]];
        (1.0 + dx * dx + dy * dy).recip()
    };
    let pairs: Vec<(usize, usize)> =
        (0..n).flat_map(|i| (0..n).filter(move |&j| j != i).map(move |j| (i, j))).collect();
    let z: f64 = pairs.iter().map(|&(i, j)| similarity(i, j)).sum();
    pairs
        .iter()
        .filter(|(i, j)| affinity[*i][*j] > 0.0)
        .map(|&(i, j)| affinity[i][j] * (affinity[i][j] / (similarity(i, j) / z)).ln())
        .sum()
}

fn tsne_ref(p: &[D], a: &[Vec<f64>]) -> D {
    let n = a.len();
    let (mut z, mut t) = (D::from(0.0), D::from(0.0));
    for i in 0..n {
        for j in 0..n {
            if i != j {
                let (u, w) = (p[2 * i] - p[2 * j], p[2 * i + 1] - p[2 * j + 1]);
                let q = (u * u + w * w + 1.0).recip();
                z += q;
                t = t + (if a[i][j] > 0.0 { a[i][j] * a[i][j].ln() } else { 0.0 }) - q.ln() * a[i][j];
            }
        }
    }
    let mut s = 0.0;
    for i in 0..n {
        for j in 0..n {
            s += if i == j { 0.0 } else { a[i][j] };
        }
    }
    t + z.ln() * s
}
#[test]
fn tsne_divergence_is_exact() {
    let a = vec![vec![0.0, 0.2, 0.1], vec![0.2, 0.0, 0.0], vec![0.1, 0.4, 0.0]];
    let of = |p: &[f64]| p.chunks(2).map(|c| [c[0], c[1]]).collect::<Vec<_>>();
    check(
        "tsne_divergence",
        &[0.1, 0.4, -0.8, 0.3, 1.1, -0.6],
        |p| tsne_divergence(&of(p), &a),
        |p, g| {
            let mut d = of(&[0.0; 6]);
            let value = tsne_divergence_grad(&of(p), &a, &mut d);
            g.copy_from_slice(d.as_flattened());
            value
        },
        |p, v, hv| {
            let mut d = of(&[0.0; 6]);
            tsne_divergence_hvp(&of(p), &a, &of(v), &mut d);
            hv.copy_from_slice(d.as_flattened());
        },
        |p| tsne_ref(p, &a),
    );
}
