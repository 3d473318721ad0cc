use super::*;
// Needs in scope: `D` (num_dual::HyperDual64), `num_dual::DualNum`, `check`, `check_f32`, `differentiable`, `Differentiable`.

/// mean logistic loss on labels 0/1 with a ridge penalty
#[differentiable(wrt(w))]
fn logistic_loss(w: &[f64], xs: &[Vec<f64>], ys: &[f64]) -> f64 {
    let n = ys.len() as f64;
    let data: f64 = xs
        .iter()
        .zip(ys)
        .map(|(x, &y)| {
            let z: f64 = x.iter().zip(w).map(|(a, b)| a * b).sum();
            z.max(0.0) - z * y + (-z.abs()).exp().ln_1p()
        })
        .sum();
    data / n + 0.01 * w.iter().map(|v| v.powi(2)).sum::<f64>()
}

fn logistic_loss_ref(w: &[D], xs: &[Vec<f64>], ys: &[f64]) -> D {
    let mut t = D::from(0.0);
    for i in 0..xs.len() {
        let mut z = D::from(0.0);
        for j in 0..w.len() {
            z = z + w[j] * xs[i][j];
        }
        t = t + ((z.exp() + 1.0).ln() - z * ys[i]) / xs.len() as f64;
    }
    for j in 0..w.len() {
        t = t + w[j] * w[j] * 0.01;
    }
    t
}
#[test]
fn logistic_loss_is_exact() {
    let xs = vec![vec![1.0, 0.3, -0.7], vec![1.0, -1.2, 0.4], vec![1.0, 0.8, 1.5], vec![1.0, 0.1, 0.2]];
    let ys = vec![1.0, 0.0, 1.0, 0.0];
    check(
        "logistic_loss",
        &[0.3, -0.2, 0.5],
        |p| logistic_loss(p, &xs, &ys),
        |p, g| logistic_loss_grad(p, &xs, &ys, g),
        |p, v, hv| logistic_loss_hvp(p, &xs, &ys, v, hv),
        |p| logistic_loss_ref(p, &xs, &ys),
    );
}

/// multinomial softmax cross-entropy, weights row per class
#[differentiable(wrt(weights))]
fn softmax_cross_entropy(weights: &[f64], features: &[[f64; 3]], labels: &[usize]) -> f64 {
    let mut loss = 0.0;
    for (x, &label) in features.iter().zip(labels.iter()) {
        let logits: Vec<f64> =
            weights.chunks(3).map(|row| row.iter().zip(x.iter()).map(|(w, v)| w * v).sum::<f64>()).collect();
        let max = logits.iter().cloned().max_by(|a, b| a.partial_cmp(b).unwrap()).unwrap();
        let log_z = max + logits.iter().map(|l| (l - max).exp()).sum::<f64>().ln();
        loss += log_z - logits[label];
    }
    loss / labels.len() as f64
}

fn softmax_cross_entropy_ref(w: &[D], xs: &[[f64; 3]], ls: &[usize]) -> D {
    let k = w.len() / 3;
    let mut t = D::from(0.0);
    for i in 0..xs.len() {
        let mut e = vec![D::from(0.0); k];
        let mut z = D::from(0.0);
        for c in 0..k {
            e[c] = (w[3 * c] * xs[i][0] + w[3 * c + 1] * xs[i][1] + w[3 * c + 2] * xs[i][2]).exp();
            z = z + e[c];
        }
        t = t - (e[ls[i]] / z).ln() / xs.len() as f64;
    }
    t
}
#[test]
fn softmax_cross_entropy_is_exact() {
    let xs = [[1.0, 0.2, -0.4], [1.0, 1.3, 0.5], [1.0, -0.8, 0.9], [1.0, 0.4, -1.6]];
    let ls = [0, 2, 1, 2];
    check(
        "softmax_cross_entropy",
        &[0.1, 0.4, -0.3, 0.2, -0.5, 0.6, -0.1, 0.3, 0.25],
        |p| softmax_cross_entropy(p, &xs, &ls),
        |p, g| softmax_cross_entropy_grad(p, &xs, &ls, g),
        |p, v, hv| softmax_cross_entropy_hvp(p, &xs, &ls, v, hv),
        |p| softmax_cross_entropy_ref(p, &xs, &ls),
    );
}

/// two-layer perceptron, layers cut off a flat slice one after the other
#[differentiable(wrt(params))]
fn mlp_loss(params: &[f64], sizes: &[usize], xs: &[[f64; 2]], ys: &[f64]) -> f64 {
    let mut loss = 0.0;
    for (x, y) in xs.iter().zip(ys) {
        let mut activation = x.to_vec();
        let mut rest = params;
        for (l, pair) in sizes.windows(2).enumerate() {
            let (inputs, outputs) = (pair[0], pair[1]);
            let (weights, tail) = rest.split_at(inputs * outputs);
            let (bias, tail) = tail.split_at(outputs);
            rest = tail;
            let last = l + 2 == sizes.len();
            activation = weights
                .chunks_exact(inputs)
                .zip(bias)
                .map(|(row, b)| {
                    let s = row.iter().zip(&activation).map(|(w, a)| w * a).sum::<f64>() + b;
                    if last { s } else { s.tanh() }
                })
                .collect();
        }
        loss += 0.5 * (activation[0] - y).powi(2);
    }
    loss
}

fn mlp_loss_ref(p: &[D], xs: &[[f64; 2]], ys: &[f64]) -> D {
    // sizes 2, 2, 1: W1 0..4, b1 4..6, W2 6..8, b2 8
    let mut t = D::from(0.0);
    for i in 0..xs.len() {
        let mut o = p[8];
        for k in 0..2 {
            o = o + p[6 + k] * (p[2 * k] * xs[i][0] + p[2 * k + 1] * xs[i][1] + p[4 + k]).tanh();
        }
        t = t + (o - ys[i]) * (o - ys[i]) * 0.5;
    }
    t
}
#[test]
fn mlp_loss_is_exact() {
    let xs = [[0.3, -0.6], [1.1, 0.4], [-0.7, 0.9]];
    let ys = [0.5, -0.2, 0.8];
    check(
        "mlp_loss",
        &[0.4, -0.3, 0.2, 0.7, 0.1, -0.2, 0.9, -0.6, 0.05],
        |p| mlp_loss(p, &[2, 2, 1], &xs, &ys),
        |p, g| mlp_loss_grad(p, &[2, 2, 1], &xs, &ys, g),
        |p, v, hv| mlp_loss_hvp(p, &[2, 2, 1], &xs, &ys, v, hv),
        |p| mlp_loss_ref(p, &xs, &ys),
    );
}

/// scalar LSTM over a sequence, gates as rows, state in a local struct
#[differentiable(wrt(gates))]
fn lstm_loss(gates: &[[f64; 3]; 4], inputs: &[f64], target: f64) -> f64 {
    struct State {
        h: f64,
        c: f64,
    }
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let mut s = State { h: 0.0, c: 0.0 };
    for x in inputs {
        let pre: Vec<f64> = gates.iter().map(|[wx, wh, b]| wx * x + wh * s.h + b).collect();
        let (i, f, o) = (sigmoid(pre[0]), sigmoid(pre[1]), sigmoid(pre[2]));
        let c = f * s.c + i * pre[3].tanh();
        s = State { h: o * c.tanh(), c };
    }
    (s.h - target).powi(2)
}

fn lstm_loss_ref(p: &[D], xs: &[f64], target: f64) -> D {
    let mut h = D::from(0.0);
    let mut c = D::from(0.0);
    for t in 0..xs.len() {
        let mut a = [D::from(0.0); 4];
        for g in 0..4 {
            a[g] = p[3 * g] * xs[t] + p[3 * g + 1] * h + p[3 * g + 2];
        }
        for g in 0..3 {
            a[g] = ((a[g] * 0.5).tanh() + 1.0) * 0.5;
        }
        c = a[1] * c + a[0] * a[3].tanh();
        h = a[2] * c.tanh();
    }
    (h - target) * (h - target)
}
#[test]
fn lstm_loss_is_exact() {
    let xs = [0.5, -1.0, 0.8, 0.3];
    let of = |p: &[f64]| -> [[f64; 3]; 4] { std::array::from_fn(|i| [p[3 * i], p[3 * i + 1], p[3 * i + 2]]) };
    check(
        "lstm_loss",
        &[0.5, -0.2, 0.1, 0.3, 0.4, 0.8, -0.6, 0.2, 0.3, 0.9, 0.5, -0.1],
        |p| lstm_loss(&of(p), &xs, 0.4),
        |p, g| {
            let mut out = [[0.0; 3]; 4];
            let value = lstm_loss_grad(&of(p), &xs, 0.4, &mut out);
            g.copy_from_slice(&out.concat());
            value
        },
        |p, v, hv| {
            let mut out = [[0.0; 3]; 4];
            lstm_loss_hvp(&of(p), &xs, 0.4, &of(v), &mut out);
            hv.copy_from_slice(&out.concat());
        },
        |p| lstm_loss_ref(p, &xs, 0.4),
    );
}

/// one causal attention head, queries, keys and values by a 2 x 2 matrix each
#[differentiable(wrt(w))]
fn attention_loss(w: &[f64], tokens: &[[f64; 2]], target: &[[f64; 2]]) -> f64 {
    let project = |m: &[f64], t: &[f64; 2]| [m[0] * t[0] + m[1] * t[1], m[2] * t[0] + m[3] * t[1]];
    let q: Vec<[f64; 2]> = tokens.iter().map(|t| project(&w[0..4], t)).collect();
    let k: Vec<[f64; 2]> = tokens.iter().map(|t| project(&w[4..8], t)).collect();
    let v: Vec<[f64; 2]> = tokens.iter().map(|t| project(&w[8..12], t)).collect();
    let mut loss = 0.0;
    for (i, (qi, goal)) in q.iter().zip(target).enumerate() {
        let scores: Vec<f64> =
            k.iter().take(i + 1).map(|kj| (qi[0] * kj[0] + qi[1] * kj[1]) / 2f64.sqrt()).collect();
        let top = scores.iter().fold(f64::NEG_INFINITY, |m, &s| m.max(s));
        let exps: Vec<f64> = scores.iter().map(|s| (s - top).exp()).collect();
        let z: f64 = exps.iter().sum();
        let mut out = [0.0; 2];
        for (e, vj) in exps.iter().zip(&v) {
            out[0] += e / z * vj[0];
            out[1] += e / z * vj[1];
        }
        loss += out.iter().zip(goal).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    }
    loss
}

fn attention_loss_ref(w: &[D], x: &[[f64; 2]], y: &[[f64; 2]]) -> D {
    let mut t = D::from(0.0);
    for i in 0..x.len() {
        let mut num = [D::from(0.0); 2];
        let mut den = D::from(0.0);
        for j in 0..=i {
            let mut s = D::from(0.0);
            for a in 0..2 {
                let q = w[2 * a] * x[i][0] + w[2 * a + 1] * x[i][1];
                let k = w[4 + 2 * a] * x[j][0] + w[5 + 2 * a] * x[j][1];
                s = s + q * k;
            }
            let e = (s / 2.0f64.sqrt()).exp();
            den = den + e;
            for a in 0..2 {
                num[a] = num[a] + e * (w[8 + 2 * a] * x[j][0] + w[9 + 2 * a] * x[j][1]);
            }
        }
        for a in 0..2 {
            let d = num[a] / den - y[i][a];
            t = t + d * d;
        }
    }
    t
}
#[test]
fn attention_loss_is_exact() {
    let x = [[0.5, -0.3], [1.2, 0.4], [-0.6, 0.8], [0.1, 1.0]];
    let y = [[0.2, 0.1], [0.0, 0.5], [-0.3, 0.4], [0.7, -0.2]];
    check(
        "attention_loss",
        &[0.5, -0.1, 0.3, 0.8, 0.2, 0.6, -0.4, 0.9, 1.0, 0.1, -0.2, 0.7],
        |p| attention_loss(p, &x, &y),
        |p, g| attention_loss_grad(p, &x, &y, g),
        |p, v, hv| attention_loss_hvp(p, &x, &y, v, hv),
        |p| attention_loss_ref(p, &x, &y),
    );
}

/// batch normalisation of a small batch in place, then a scaled squared loss
#[differentiable(wrt(batch, gamma))]
fn batch_norm_loss(batch: &[f64], gamma: f64, width: usize, target: &[f64]) -> f64 {
    const EPS: f64 = 1e-5;
    let mut x = batch.to_vec();
    let rows = x.len() / width;
    for j in 0..width {
        let mean = x.iter().skip(j).step_by(width).sum::<f64>() / rows as f64;
        let mut var = 0.0;
        for v in x.iter_mut().skip(j).step_by(width) {
            *v -= mean;
            var += *v * *v / rows as f64;
        }
        x.iter_mut().skip(j).step_by(width).for_each(|v| *v *= gamma / (var + EPS).sqrt());
    }
    x.iter().zip(target).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn batch_norm_loss_ref(p: &[D], width: usize, target: &[f64]) -> D {
    let n = (p.len() - 1) / width;
    let gamma = p[p.len() - 1];
    let mut t = D::from(0.0);
    for j in 0..width {
        let mut s1 = D::from(0.0);
        let mut s2 = D::from(0.0);
        for i in 0..n {
            s1 = s1 + p[i * width + j] / n as f64;
            s2 = s2 + p[i * width + j] * p[i * width + j] / n as f64;
        }
        let sd = (s2 - s1 * s1 + 1e-5).sqrt();
        for i in 0..n {
            let d = gamma * (p[i * width + j] - s1) / sd - target[i * width + j];
            t = t + d * d;
        }
    }
    t
}
#[test]
fn batch_norm_loss_is_exact() {
    let target = [0.5, -0.4, 1.0, 0.3, -0.9, 0.8];
    check(
        "batch_norm_loss",
        &[0.4, 1.2, -0.3, 0.7, 1.5, -0.8, 1.3],
        |p| batch_norm_loss(&p[..6], p[6], 2, &target),
        |p, g| {
            let (value, d) = batch_norm_loss_grad(&p[..6], p[6], 2, &target, &mut g[..6]);
            g[6] = d;
            value
        },
        |p, v, hv| {
            let d = batch_norm_loss_hvp(&p[..6], p[6], 2, &target, &v[..6], v[6], &mut hv[..6]);
            hv[6] = d;
        },
        |p| batch_norm_loss_ref(p, 2, &target),
    );
}

/// length of a vector, a helper
#[differentiable]
fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// cosine similarity, a helper calling a helper
#[differentiable]
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot: f64 = a.iter().zip(b.iter()).map(|(x, y)| x * y).sum();
    dot / (norm(a) * norm(b))
}

/// InfoNCE: each anchor's positive is the next embedding, all others are negatives
#[differentiable(wrt(embeddings))]
fn info_nce(embeddings: &[Vec<f64>], temperature: f64) -> f64 {
    let n = embeddings.len();
    let mut loss = 0.0;
    for i in 0..n {
        let positive = cosine(&embeddings[i], &embeddings[(i + 1) % n]) / temperature;
        let all: f64 = (0..n)
            .filter(|&j| j != i)
            .map(|j| (cosine(&embeddings[i], &embeddings[j]) / temperature).exp())
            .sum();
        loss += all.ln() - positive;
    }
    loss / n as f64
}

fn info_nce_ref(p: &[D], n: usize, tau: f64) -> D {
    let d = p.len() / n;
    let dot = |i: usize, j: usize| {
        let mut s = D::from(0.0);
        for k in 0..d {
            s = s + p[i * d + k] * p[j * d + k];
        }
        s
    };
    let sim = |i: usize, j: usize| dot(i, j) / (dot(i, i) * dot(j, j)).sqrt() / tau;
    let mut t = D::from(0.0);
    for i in 0..n {
        let pos = sim(i, (i + 1) % n);
        let mut s = D::from(0.0);
        for j in 0..n {
            if j != i {
                s = s + (sim(i, j) - pos).exp();
            }
        }
        t = t + s.ln() / n as f64;
    }
    t
}
#[test]
fn info_nce_is_exact() {
    let of = |p: &[f64]| p.chunks(3).map(|c| c.to_vec()).collect::<Vec<Vec<f64>>>();
    check(
        "info_nce",
        &[0.4, 1.2, -0.3, 0.7, 1.5, -0.8, 0.3, -0.6, 0.9, -0.5, 0.2, 1.1],
        |p| info_nce(&of(p), 0.5),
        |p, g| {
            let mut out = vec![vec![0.0; 3]; 4];
            let value = info_nce_grad(&of(p), 0.5, &mut out);
            g.copy_from_slice(&out.concat());
            value
        },
        |p, v, hv| {
            let mut out = vec![vec![0.0; 3]; 4];
            info_nce_hvp(&of(p), 0.5, &of(v), &mut out);
            hv.copy_from_slice(&out.concat());
        },
        |p| info_nce_ref(p, 4, 0.5),
    );
}

#[derive(Clone, Differentiable)]
struct Factors {
    users: Vec<[f64; 2]>,
    items: Vec<[f64; 2]>,
    bias: f64,
}

/// matrix factorisation with a global bias on observed (user, item, rating) triples
#[differentiable(wrt(m))]
fn factorisation_loss(m: &Factors, ratings: &[(usize, usize, f64)], decay: f64) -> f64 {
    let mut loss = 0.0;
    for &(u, i, rating) in ratings {
        let [a, b] = m.users[u];
        let item = &m.items[i];
        let predicted = m.bias + a * item[0] + b * item[1];
        loss += (rating - predicted).powi(2);
    }
    let penalty: f64 = m.users.iter().chain(m.items.iter()).flat_map(|v| v.iter()).map(|x| x * x).sum();
    loss + decay * penalty
}

fn factorisation_loss_ref(p: &[D], r: &[(usize, usize, f64)], decay: f64) -> D {
    // two users, three items, bias
    let mut t = D::from(0.0);
    for k in 0..r.len() {
        let mut e = p[10] - r[k].2;
        for c in 0..2 {
            e = e + p[2 * r[k].0 + c] * p[4 + 2 * r[k].1 + c];
        }
        t = t + e * e;
    }
    for k in 0..10 {
        t = t + p[k] * p[k] * decay;
    }
    t
}
#[test]
fn factorisation_loss_is_exact() {
    let r = [(0, 0, 3.5), (0, 2, 1.0), (1, 1, 4.0), (1, 2, 2.5)];
    let of = |p: &[f64]| Factors {
        users: p[..4].chunks(2).map(|c| [c[0], c[1]]).collect(),
        items: p[4..10].chunks(2).map(|c| [c[0], c[1]]).collect(),
        bias: p[10],
    };
    let flat = |m: &Factors| {
        let mut out = m.users.concat();
        out.extend(m.items.concat());
        out.push(m.bias);
        out
    };
    check(
        "factorisation_loss",
        &[0.4, 1.2, -0.3, 0.7, 1.5, -0.8, 0.3, -0.6, 0.9, -0.5, 2.2],
        |p| factorisation_loss(&of(p), &r, 0.1),
        |p, g| {
            let mut out = of(&[0.0; 11]);
            let value = factorisation_loss_grad(&of(p), &r, 0.1, &mut out);
            g.copy_from_slice(&flat(&out));
            value
        },
        |p, v, hv| {
            let mut out = of(&[0.0; 11]);
            factorisation_loss_hvp(&of(p), &r, 0.1, &of(v), &mut out);
            hv.copy_from_slice(&flat(&out));
        },
        |p| factorisation_loss_ref(p, &r, 0.1),
    );
}

/// squared hinge loss of a linear machine, satisfied margins skipped
#[differentiable(wrt(w, b))]
fn squared_hinge(w: &[f64], b: f64, points: &[([f64; 2], i32)], c: f64) -> f64 {
    let mut total = 0.5 * w.iter().map(|x| x * x).sum::<f64>();
    for (x, label) in points {
        let score = w.iter().zip(x).fold(b, |acc, (wi, xi)| acc + wi * xi);
        let margin = 1.0 - *label as f64 * score;
        if margin <= 0.0 {
            continue;
        }
        total += c * margin * margin;
    }
    total
}

fn squared_hinge_ref(p: &[D], pts: &[([f64; 2], i32)], c: f64) -> D {
    let mut t = (p[0] * p[0] + p[1] * p[1]) * 0.5;
    for i in 0..pts.len() {
        let s = p[0] * pts[i].0[0] + p[1] * pts[i].0[1] + p[2];
        let m = if pts[i].1 > 0 { -s + 1.0 } else { s + 1.0 };
        if m.re > 0.0 {
            t = t + m * m * c;
        }
    }
    t
}
#[test]
fn squared_hinge_is_exact() {
    let pts = [([0.5, 1.0], 1), ([2.0, 3.0], 1), ([-1.0, 0.2], -1), ([0.4, -0.6], -1)];
    check(
        "squared_hinge",
        &[0.6, 0.3, -0.1],
        |p| squared_hinge(&p[..2], p[2], &pts, 0.8),
        |p, g| {
            let (value, d) = squared_hinge_grad(&p[..2], p[2], &pts, 0.8, &mut g[..2]);
            g[2] = d;
            value
        },
        |p, v, hv| {
            let d = squared_hinge_hvp(&p[..2], p[2], &pts, 0.8, &v[..2], v[2], &mut hv[..2]);
            hv[2] = d;
        },
        |p| squared_hinge_ref(p, &pts, 0.8),
    );
}

/// one-dimensional convolution with a stride, max pooling and a linear read-out
#[differentiable(wrt(kernel, head))]
fn conv_pool(kernel: &[f64; 3], head: &[f64], signal: &[f64], target: f64) -> f64 {
    let features = signal
        .windows(3)
        .step_by(1)
        .map(|w| w.iter().zip(kernel.iter()).map(|(a, b)| a * b).sum::<f64>())
        .collect::<Vec<f64>>();
    let pooled: Vec<f64> = features
        .chunks(2)
        .filter_map(|c| c.iter().copied().max_by(|a, b| a.partial_cmp(b).unwrap()))
        .collect();
    let out: f64 = pooled.iter().zip(head).map(|(p, h)| h * p.tanh()).sum();
    (out - target).powi(2)
}

fn conv_pool_ref(p: &[D], s: &[f64], target: f64) -> D {
    let mut f = Vec::new();
    for i in 0..s.len() - 2 {
        f.push(p[0] * s[i] + p[1] * s[i + 1] + p[2] * s[i + 2]);
    }
    let mut o = D::from(-target);
    for k in 0..p.len() - 3 {
        let mut m = f[2 * k];
        if 2 * k + 1 < f.len() && f[2 * k + 1].re > m.re {
            m = f[2 * k + 1];
        }
        o = o + p[3 + k] * m.tanh();
    }
    o * o
}
#[test]
fn conv_pool_is_exact() {
    let s = [0.3, -0.8, 1.1, 0.6, -0.4, 0.9, 0.2];
    check(
        "conv_pool",
        &[0.5, -0.7, 0.3, 0.8, -0.4, 0.6],
        |p| conv_pool(p[..3].try_into().unwrap(), &p[3..], &s, 0.3),
        |p, g| {
            let (gk, gh) = g.split_at_mut(3);
            conv_pool_grad(p[..3].try_into().unwrap(), &p[3..], &s, 0.3, gk.try_into().unwrap(), gh)
        },
        |p, v, hv| {
            let (gk, gh) = hv.split_at_mut(3);
            conv_pool_hvp(
                p[..3].try_into().unwrap(),
                &p[3..],
                &s,
                0.3,
                v[..3].try_into().unwrap(),
                &v[3..],
                gk.try_into().unwrap(),
                gh,
            )
        },
        |p| conv_pool_ref(p, &s, 0.3),
    );
}

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Win,
    Draw,
    Loss { forfeit: bool },
}

/// Bradley-Terry (Rao-Kupper) ratings with draws and forfeits
#[differentiable(wrt(ratings, log_tie))]
fn bradley_terry(ratings: &[f64], log_tie: f64, games: &[(usize, usize, Outcome)]) -> f64 {
    let theta = 1.0 + log_tie.exp();
    let prob = |i: usize, j: usize| ratings[i].exp() / (ratings[i].exp() + theta * ratings[j].exp());
    let mut nll = 0.0;
    for (home, away, outcome) in games.iter() {
        nll -= match outcome {
            Outcome::Win => prob(*home, *away).ln(),
            Outcome::Loss { forfeit } if *forfeit => 0.0,
            Outcome::Loss { .. } => prob(*away, *home).ln(),
            Outcome::Draw => (1.0 - prob(*home, *away) - prob(*away, *home)).ln(),
        };
    }
    nll + 0.05 * ratings.iter().map(|r| r * r).sum::<f64>()
}

fn bradley_terry_ref(p: &[D], games: &[(usize, usize, Outcome)]) -> D {
    let n = p.len() - 1;
    let th = p[n].exp() + 1.0;
    let mut t = D::from(0.0);
    for i in 0..n {
        t = t + p[i] * p[i] * 0.05;
    }
    for k in 0..games.len() {
        let (a, b) = (p[games[k].0].exp(), p[games[k].1].exp());
        if games[k].2 == Outcome::Win {
            t = t - (a / (a + th * b)).ln();
        } else if games[k].2 == Outcome::Draw {
            t = t - ((th * th - 1.0) * a * b / ((a + th * b) * (b + th * a))).ln();
        } else if games[k].2 == (Outcome::Loss { forfeit: false }) {
            t = t - (b / (b + th * a)).ln();
        }
    }
    t
}
#[test]
fn bradley_terry_is_exact() {
    let games = [
        (0, 1, Outcome::Win),
        (1, 2, Outcome::Draw),
        (2, 0, Outcome::Loss { forfeit: false }),
        (2, 1, Outcome::Loss { forfeit: true }),
        (0, 2, Outcome::Draw),
    ];
    check(
        "bradley_terry",
        &[0.5, -0.2, 0.1, -0.7],
        |p| bradley_terry(&p[..3], p[3], &games),
        |p, g| {
            let (value, d) = bradley_terry_grad(&p[..3], p[3], &games, &mut g[..3]);
            g[3] = d;
            value
        },
        |p, v, hv| {
            let d = bradley_terry_hvp(&p[..3], p[3], &games, &v[..3], v[3], &mut hv[..3]);
            hv[3] = d;
        },
        |p| bradley_terry_ref(p, &games),
    );
}

/// Plackett-Luce ranking loss, the suffix sums kept by a reversed scan
#[differentiable(wrt(scores))]
fn plackett_luce(scores: &[f64], ranking: &[usize]) -> f64 {
    let suffix: Vec<f64> = ranking
        .iter()
        .rev()
        .scan(0.0, |sum, &item| {
            *sum += scores[item].exp();
            Some(*sum)
        })
        .collect();
    ranking.iter().zip(suffix.iter().rev()).map(|(&item, s)| s.ln() - scores[item]).sum()
}

fn plackett_luce_ref(p: &[D], r: &[usize]) -> D {
    let mut t = D::from(0.0);
    for i in 0..r.len() {
        let mut s = D::from(0.0);
        for j in i..r.len() {
            s = s + (p[r[j]] - p[r[i]]).exp();
        }
        t = t + s.ln();
    }
    t
}
#[test]
fn plackett_luce_is_exact() {
    let r = [2, 0, 3, 1];
    check(
        "plackett_luce",
        &[0.3, -0.5, 0.9, 0.1],
        |p| plackett_luce(p, &r),
        |p, g| plackett_luce_grad(p, &r, g),
        |p, v, hv| plackett_luce_hvp(p, &r, v, hv),
        |p| plackett_luce_ref(p, &r),
    );
}

#[derive(Clone, Copy)]
enum Activation {
    Relu,
    Softplus,
    Leaky(f64),
}

struct Layered {
    hidden: usize,
    activation: Activation,
    inputs: Vec<f64>,
    outputs: Vec<f64>,
}

impl Layered {
    const SHARPNESS: f64 = 2.0;

    /// one-input network with a choice of activation, a method on the model
    #[differentiable]
    fn loss(&self, params: &[f64]) -> f64 {
        let (w1, rest) = params.split_at(self.hidden);
        let (b1, w2) = rest.split_at(self.hidden);
        let act = |z: f64| match self.activation {
            Activation::Relu => z.max(0.0),
            Activation::Softplus => (Self::SHARPNESS * z).exp().ln_1p() / Self::SHARPNESS,
            Activation::Leaky(slope) if z < 0.0 => slope * z,
            Activation::Leaky(_) => z,
        };
        let mut sse = 0.0;
        for (&x, &y) in self.inputs.iter().zip(self.outputs.iter()) {
            let mut out = 0.0;
            for ((w, b), v) in w1.iter().zip(b1).zip(w2) {
                out += v * act(w * x + b);
            }
            sse += (out - y) * (out - y);
        }
        sse / self.inputs.len() as f64
    }
}

fn layered_ref(p: &[D], m: &Layered) -> D {
    let h = m.hidden;
    let mut t = D::from(0.0);
    for i in 0..m.inputs.len() {
        let mut e = D::from(-m.outputs[i]);
        for k in 0..h {
            let z = p[k] * m.inputs[i] + p[h + k];
            let a = match m.activation {
                Activation::Softplus => ((z * 2.0).exp() + 1.0).ln() * 0.5,
                Activation::Relu => {
                    if z.re > 0.0 {
                        z
                    } else {
                        D::from(0.0)
                    }
                }
                Activation::Leaky(s) => {
                    if z.re < 0.0 {
                        z * s
                    } else {
                        z
                    }
                }
            };
            e = e + p[2 * h + k] * a;
        }
        t = t + e * e / m.inputs.len() as f64;
    }
    t
}
#[test]
fn layered_is_exact() {
    for activation in [Activation::Relu, Activation::Softplus, Activation::Leaky(0.1)] {
        let m =
            Layered { hidden: 2, activation, inputs: vec![0.4, -0.9, 1.3], outputs: vec![0.2, 0.7, -0.5] };
        check(
            "Layered::loss",
            &[0.6, -0.4, 0.1, 0.3, 0.9, -0.7],
            |p| m.loss(p),
            |p, g| m.loss_grad(p, g),
            |p, v, hv| m.loss_hvp(p, v, hv),
            |p| layered_ref(p, &m),
        );
    }
}

#[derive(Clone, Differentiable)]
struct Gate {
    input: f64,
    recur: f64,
    bias: f64,
}

#[derive(Clone, Differentiable)]
struct Gru {
    update: Gate,
    reset: Gate,
    candidate: Gate,
}

/// scalar GRU, nested parameter structs, error of every step accumulated
#[differentiable(wrt(p))]
fn gru_loss(p: &Gru, pairs: &[(f64, f64)]) -> f64 {
    let sigmoid = |z: f64| 0.5 * ((0.5 * z).tanh() + 1.0);
    let mut h = 0.0;
    let mut errors = Vec::with_capacity(pairs.len());
    for &(x, y) in pairs {
        let z = sigmoid(p.update.input * x + p.update.recur * h + p.update.bias);
        let r = sigmoid(p.reset.input * x + p.reset.recur * h + p.reset.bias);
        let Gate { input, recur, bias } = &p.candidate;
        let n = (input * x + recur * (r * h) + bias).tanh();
        h = (1.0 - z) * n + z * h;
        errors.push(h - y);
    }
    let worst_last = errors.last().copied().unwrap_or(0.0);
    errors.iter().map(|e| e * e).sum::<f64>() + worst_last * worst_last
}

fn gru_loss_ref(p: &[D], d: &[(f64, f64)]) -> D {
    let s = |z: D| ((-z).exp() + 1.0).recip();
    let mut h = D::from(0.0);
    let mut t = D::from(0.0);
    for i in 0..d.len() {
        let z = s(p[0] * d[i].0 + p[1] * h + p[2]);
        let r = s(p[3] * d[i].0 + p[4] * h + p[5]);
        let n = (p[6] * d[i].0 + p[7] * r * h + p[8]).tanh();
        h = n + z * (h - n);
        let k = if i + 1 == d.len() { 2.0 } else { 1.0 };
        t = t + (h - d[i].1) * (h - d[i].1) * k;
    }
    t
}
#[test]
fn gru_loss_is_exact() {
    let d = [(0.4, 0.1), (-0.8, -0.3), (1.1, 0.5), (0.2, 0.4)];
    let gate = |c: &[f64]| Gate { input: c[0], recur: c[1], bias: c[2] };
    let of = |p: &[f64]| Gru { update: gate(&p[..3]), reset: gate(&p[3..6]), candidate: gate(&p[6..9]) };
    let flat = |m: &Gru| {
        let mut out = Vec::new();
        for g in [&m.update, &m.reset, &m.candidate] {
            out.extend([g.input, g.recur, g.bias]);
        }
        out
    };
    check(
        "gru_loss",
        &[0.3, -0.5, 0.1, 0.6, 0.2, -0.3, 0.9, 0.7, 0.05],
        |p| gru_loss(&of(p), &d),
        |p, g| {
            let mut out = of(&[0.0; 9]);
            let value = gru_loss_grad(&of(p), &d, &mut out);
            g.copy_from_slice(&flat(&out));
            value
        },
        |p, v, hv| {
            let mut out = of(&[0.0; 9]);
            gru_loss_hvp(&of(p), &d, &of(v), &mut out);
            hv.copy_from_slice(&flat(&out));
        },
        |p| gru_loss_ref(p, &d),
    );
}

#[derive(Clone, Copy)]
enum Op {
    Param(usize),
    Const(f64),
    Add,
    Mul,
    Tanh,
    Div,
}

/// value of a symbolic-regression program in reverse Polish notation, None for a malformed program
#[differentiable(wrt(params))]
fn evaluate_program(params: &[f64], program: &[Op]) -> Option<f64> {
    let mut stack: Vec<f64> = Vec::new();
    for op in program {
        let value = match *op {
            Op::Param(i @ 0..=9) => *params.get(i)?,
            Op::Param(_) => return None,
            Op::Const(c) => c,
            Op::Tanh => stack.pop()?.tanh(),
            Op::Add => stack.pop()? + stack.pop()?,
            Op::Mul => {
                let (b, a) = (stack.pop()?, stack.pop()?);
                a * b
            }
            Op::Div => {
                let b = stack.pop()?;
                let a = stack.pop()?;
                if b == 0.0 {
                    return None;
                }
                a / b
            }
        };
        stack.push(value);
    }
    if stack.len() == 1 { stack.pop() } else { None }
}

fn evaluate_program_ref(p: &[D]) -> D {
    // tanh(p0 * p1 + 0.5) / (p2 + p0)
    (p[0] * p[1] + 0.5).tanh() / (p[2] + p[0])
}
#[test]
fn evaluate_program_is_exact() {
    use Op::*;
    let program = [Param(0), Param(1), Mul, Const(0.5), Add, Tanh, Param(2), Param(0), Add, Div];
    check(
        "evaluate_program",
        &[0.7, -0.4, 1.1],
        |p| evaluate_program(p, &program).unwrap(),
        |p, g| evaluate_program_grad(p, &program, g).unwrap(),
        |p, v, hv| evaluate_program_hvp(p, &program, v, hv).unwrap(),
        |p| evaluate_program_ref(p),
    );
    assert!(evaluate_program_grad(&[0.1], &[Mul], &mut [0.0]).is_none());
}

/// validation loss after training a line by gradient descent with momentum, in the hyperparameters
#[differentiable(wrt(log_rate, momentum, start))]
fn tuned_loss(
    log_rate: f64,
    momentum: f64,
    start: &[f64],
    train: &[(f64, f64)],
    valid: &[(f64, f64)],
) -> f64 {
    let rate = log_rate.exp();
    let mut w = start.to_vec();
    let mut velocity = vec![0.0; w.len()];
    let mut step = |w: &mut Vec<f64>| {
        let mut grad = vec![0.0; w.len()];
        for &(x, y) in train {
            let r = w[0] + w[1] * x - y;
            grad[0] += 2.0 * r / train.len() as f64;
            grad[1] += 2.0 * r * x / train.len() as f64;
        }
        for (v, g) in velocity.iter_mut().zip(&grad) {
            *v = momentum * *v - rate * g;
        }
        w.iter_mut().zip(velocity.iter()).for_each(|(wi, v)| *wi += v);
    };
    for _ in 0..6 {
        step(&mut w);
    }
    valid.iter().map(|(x, y)| (w[0] + w[1] * x - y).powi(2)).sum()
}

fn tuned_loss_ref(p: &[D], train: &[(f64, f64)], valid: &[(f64, f64)]) -> D {
    let n = train.len() as f64;
    let (mut a, mut b) = (p[2], p[3]);
    let (mut pa, mut pb) = (a, b);
    for _ in 0..6 {
        let mut ga = D::from(0.0);
        let mut gb = D::from(0.0);
        for i in 0..train.len() {
            let r = a + b * train[i].0 - train[i].1;
            ga = ga + r * (2.0 / n);
            gb = gb + r * (2.0 * train[i].0 / n);
        }
        let na = a + p[1] * (a - pa) - p[0].exp() * ga;
        let nb = b + p[1] * (b - pb) - p[0].exp() * gb;
        pa = a;
        pb = b;
        a = na;
        b = nb;
    }
    let mut t = D::from(0.0);
    for i in 0..valid.len() {
        let r = a + b * valid[i].0 - valid[i].1;
        t = t + r * r;
    }
    t
}
#[test]
fn tuned_loss_is_exact() {
    let train = [(0.1, 0.5), (0.9, 1.8), (-0.6, -0.4)];
    let valid = [(0.4, 1.2), (-0.2, 0.1)];
    check(
        "tuned_loss",
        &[-2.0, 0.6, 0.1, -0.3],
        |p| tuned_loss(p[0], p[1], &p[2..], &train, &valid),
        |p, g| {
            let (value, (a, b)) = tuned_loss_grad(p[0], p[1], &p[2..], &train, &valid, &mut g[2..]);
            g[0] = a;
            g[1] = b;
            value
        },
        |p, v, hv| {
            let (a, b) =
                tuned_loss_hvp(p[0], p[1], &p[2..], &train, &valid, v[0], v[1], &v[2..], &mut hv[2..]);
            hv[0] = a;
            hv[1] = b;
        },
        |p| tuned_loss_ref(p, &train, &valid),
    );
}

/// neural ordinary differential equation on two states by classical Runge-Kutta
#[differentiable(wrt(theta))]
fn neural_ode(theta: &[f64; 6], start: [f64; 2], horizon: f64, target: &[f64]) -> f64 {
    let field = |s: [f64; 2]| -> [f64; 2] {
        [
            (theta[0] * s[0] + theta[1] * s[1] + theta[2]).tanh(),
            (theta[3] * s[0] + theta[4] * s[1] + theta[5]).tanh(),
        ]
    };
    fn shift(s: [f64; 2], k: [f64; 2], h: f64) -> [f64; 2] {
        [s[0] + h * k[0], s[1] + h * k[1]]
    }
    let h = 0.25;
    let mut t = 0.0;
    let mut s = start;
    while t + h <= horizon + 1e-9 {
        let k1 = field(s);
        let k2 = field(shift(s, k1, 0.5 * h));
        let k3 = field(shift(s, k2, 0.5 * h));
        let k4 = field(shift(s, k3, h));
        for i in 0..2 {
            s[i] += h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
        }
        t += h;
    }
    s.iter().zip(target).map(|(a, b)| (a - b).powi(2)).sum()
}

fn neural_ode_ref(p: &[D], start: [f64; 2], steps: usize, target: &[f64]) -> D {
    let h = 0.25;
    let c = [0.0, 0.5 * h, 0.5 * h, h];
    let b = [h / 6.0, h / 3.0, h / 3.0, h / 6.0];
    let mut s = [D::from(start[0]), D::from(start[1])];
    for _ in 0..steps {
        let mut n = s;
        let mut k = [D::from(0.0); 2];
        for q in 0..4 {
            let u = [s[0] + k[0] * c[q], s[1] + k[1] * c[q]];
            for i in 0..2 {
                k[i] = (p[3 * i] * u[0] + p[3 * i + 1] * u[1] + p[3 * i + 2]).tanh();
                n[i] = n[i] + k[i] * b[q];
            }
        }
        s = n;
    }
    (s[0] - target[0]).powi(2) + (s[1] - target[1]).powi(2)
}
#[test]
fn neural_ode_is_exact() {
    let target = [0.4, -0.6];
    check(
        "neural_ode",
        &[0.5, -1.1, 0.2, 0.9, -0.3, 0.1],
        |p| neural_ode(p.try_into().unwrap(), [0.8, 0.1], 1.0, &target),
        |p, g| neural_ode_grad(p.try_into().unwrap(), [0.8, 0.1], 1.0, &target, g.try_into().unwrap()),
        |p, v, hv| {
            neural_ode_hvp(
                p.try_into().unwrap(),
                [0.8, 0.1],
                1.0,
                &target,
                v.try_into().unwrap(),
                hv.try_into().unwrap(),
            )
        },
        |p| neural_ode_ref(p, [0.8, 0.1], 4, &target),
    );
}

/// negative evidence lower bound of a linear variational autoencoder with given noise
#[differentiable(wrt(encoder, decoder))]
fn vae_loss(encoder: &[f64], decoder: &[f64], xs: &[[f64; 2]], noise: &[Option<f64>]) -> f64 {
    struct Posterior {
        mean: f64,
        log_var: f64,
    }
    let mut loss = 0.0;
    for (x, eps) in xs.iter().zip(noise.iter()) {
        let Some(eps) = eps else { continue };
        let q = Posterior {
            mean: encoder[0] * x[0] + encoder[1] * x[1],
            log_var: encoder[2] * x[0] + encoder[3] * x[1],
        };
        let z = q.mean + eps * (0.5 * q.log_var).exp();
        let kl = 0.5 * (q.log_var.exp() + q.mean * q.mean - 1.0 - q.log_var);
        let rebuilt = decoder.chunks_exact(2).map(|d| d[0] * z + d[1]);
        let error: f64 = rebuilt.zip(x).map(|(r, v)| 0.5 * (r - v) * (r - v)).sum();
        loss += kl + error;
    }
    loss
}

fn vae_loss_ref(p: &[D], xs: &[[f64; 2]], noise: &[Option<f64>]) -> D {
    let mut t = D::from(0.0);
    for i in 0..xs.len() {
        if noise[i].is_none() {
            continue;
        }
        let m = p[0] * xs[i][0] + p[1] * xs[i][1];
        let sd = ((p[2] * xs[i][0] + p[3] * xs[i][1]) * 0.5).exp();
        let z = m + sd * noise[i].unwrap();
        t = t + (sd * sd + m * m - 1.0) * 0.5 - sd.ln();
        for j in 0..2 {
            t = t + (p[4 + 2 * j] * z + p[5 + 2 * j] - xs[i][j]).powi(2) * 0.5;
        }
    }
    t
}
#[test]
fn vae_loss_is_exact() {
    let xs = [[0.4, -1.1], [0.9, 0.3], [-0.7, 0.6], [1.3, 0.8]];
    let noise = [Some(0.2), None, Some(-1.1), Some(0.7)];
    check(
        "vae_loss",
        &[0.5, -0.3, 0.2, 0.4, 0.9, -0.1, -0.6, 0.3],
        |p| vae_loss(&p[..4], &p[4..], &xs, &noise),
        |p, g| {
            let (a, b) = g.split_at_mut(4);
            vae_loss_grad(&p[..4], &p[4..], &xs, &noise, a, b)
        },
        |p, v, hv| {
            let (a, b) = hv.split_at_mut(4);
            vae_loss_hvp(&p[..4], &p[4..], &xs, &noise, &v[..4], &v[4..], a, b)
        },
        |p| vae_loss_ref(p, &xs, &noise),
    );
}

/// k-means distortion, the nearest centre by min_by over squared distances
#[differentiable(wrt(centres))]
fn distortion(centres: &[f64], points: &[[f64; 2]]) -> f64 {
    points
        .iter()
        .map(|p| {
            centres
                .chunks(2)
                .map(|c| (c[0] - p[0]).powi(2) + (c[1] - p[1]).powi(2))
                .min_by(|a, b| a.partial_cmp(b).unwrap())
                .unwrap_or(0.0)
        })
        .map(|d| (1.0 + d).ln())
        .sum::<f64>()
}

fn distortion_ref(c: &[D], pts: &[[f64; 2]]) -> D {
    let mut t = D::from(0.0);
    for i in 0..pts.len() {
        let mut best = D::from(f64::MAX);
        for k in 0..c.len() / 2 {
            let dx = c[2 * k] - pts[i][0];
            let dy = c[2 * k + 1] - pts[i][1];
            let d = dx * dx + dy * dy;
            if d.re < best.re {
                best = d;
            }
        }
        t = t + (best + 1.0).ln();
    }
    t
}
#[test]
fn distortion_is_exact() {
    let pts = [[0.1, 0.4], [1.9, 2.2], [-1.0, 0.7], [2.4, 1.5], [0.3, -0.5]];
    check(
        "distortion",
        &[0.0, 0.1, 2.0, 2.0, -1.1, 0.9],
        |p| distortion(p, &pts),
        |p, g| distortion_grad(p, &pts, g),
        |p, v, hv| distortion_hvp(p, &pts, v, hv),
        |p| distortion_ref(p, &pts),
    );
}

/// largest-margin ranking: the nearest negative found by index, then used; ends at the first sentinel
#[differentiable(wrt(emb))]
fn triplet_loss(emb: &[[f64; 2]], triplets: &[Option<(usize, usize)>], margin: f64) -> f64 {
    let distance = |a: usize, b: usize| {
        let (p, q) = (&emb[a], &emb[b]);
        p.iter().zip(q).map(|(x, y)| (x - y) * (x - y)).sum::<f64>()
    };
    let mut loss = 0.0;
    for (anchor, positive) in triplets.iter().take_while(|t| t.is_some()).flatten() {
        let negative = (0..emb.len())
            .filter(|j| j != anchor && j != positive)
            .min_by(|&a, &b| distance(*anchor, a).partial_cmp(&distance(*anchor, b)).unwrap());
        if let Some(negative) = negative {
            let gap = distance(*anchor, *positive) - distance(*anchor, negative) + margin;
            loss += if gap > 0.0 { gap * gap } else { 0.0 };
        }
    }
    loss
}

fn triplet_loss_ref(p: &[D], tr: &[Option<(usize, usize)>], margin: f64) -> D {
    let n = p.len() / 2;
    let d = |a: usize, b: usize| (p[2 * a] - p[2 * b]).powi(2) + (p[2 * a + 1] - p[2 * b + 1]).powi(2);
    let mut t = D::from(0.0);
    for i in 0..tr.len() {
        let (a, q) = match tr[i] {
            Some(x) => x,
            None => return t,
        };
        let mut best = D::from(f64::MAX);
        for j in 0..n {
            if j != a && j != q && d(a, j).re < best.re {
                best = d(a, j);
            }
        }
        let g = d(a, q) - best + margin;
        if g.re > 0.0 {
            t = t + g * g;
        }
    }
    t
}
#[test]
fn triplet_loss_is_exact() {
    let tr = [Some((0, 1)), Some((2, 3)), Some((1, 4)), None, Some((4, 0))];
    let of = |p: &[f64]| p.chunks(2).map(|c| [c[0], c[1]]).collect::<Vec<[f64; 2]>>();
    check(
        "triplet_loss",
        &[0.1, 0.9, 0.4, -0.3, 1.2, 0.6, -0.5, 0.8, 0.7, -1.0],
        |p| triplet_loss(&of(p), &tr, 0.5),
        |p, g| {
            let mut out = vec![[0.0; 2]; 5];
            let value = triplet_loss_grad(&of(p), &tr, 0.5, &mut out);
            g.copy_from_slice(&out.concat());
            value
        },
        |p, v, hv| {
            let mut out = vec![[0.0; 2]; 5];
            triplet_loss_hvp(&of(p), &tr, 0.5, &of(v), &mut out);
            hv.copy_from_slice(&out.concat());
        },
        |p| triplet_loss_ref(p, &tr, 0.5),
    );
}

/// skip-gram with negative sampling: flat_map over centre and context positions
#[differentiable(wrt(table))]
fn skip_gram(table: &[f64], corpus: &[usize], window: usize, negatives: &[usize]) -> f64 {
    const DIM: usize = 3;
    let row = |word: usize| &table[word * DIM..(word + 1) * DIM];
    let score = |a: usize, b: usize| row(a).iter().zip(row(b)).map(|(x, y)| x * y).sum::<f64>();
    let log_sigmoid = |z: f64| -((-z).exp() + 1.0).ln();
    let n = corpus.len();
    let positive: f64 = (0..n)
        .flat_map(|i| (i + 1..n.min(i + 1 + window)).map(move |j| (i, j)))
        .filter(|&(i, j)| corpus[i] != corpus[j])
        .map(|(i, j)| log_sigmoid(score(corpus[i], corpus[j])))
        .sum();
    let negative: f64 =
        corpus.iter().zip(negatives).map(|(&w, &neg)| log_sigmoid(-score(w, neg))).fold(0.0, |a, b| a + b);
    -positive - negative
}

fn skip_gram_ref(p: &[D], c: &[usize], window: usize, neg: &[usize]) -> D {
    let s =
        |a: usize, b: usize| p[3 * a] * p[3 * b] + p[3 * a + 1] * p[3 * b + 1] + p[3 * a + 2] * p[3 * b + 2];
    let mut t = D::from(0.0);
    for i in 0..c.len() {
        for j in 0..c.len() {
            if j > i && j - i <= window && c[i] != c[j] {
                t = t + ((-s(c[i], c[j])).exp() + 1.0).ln();
            }
        }
        if i < neg.len() {
            t = t + (s(c[i], neg[i]).exp() + 1.0).ln();
        }
    }
    t
}
#[test]
fn skip_gram_is_exact() {
    let c = [0, 2, 1, 3, 0, 0, 2];
    let neg = [3, 1, 0, 2, 1, 3, 2];
    check(
        "skip_gram",
        &[0.4, 1.2, -0.3, 0.7, 0.5, -0.8, 0.3, -0.6, 0.9, -0.5, 0.2, 1.1],
        |p| skip_gram(p, &c, 2, &neg),
        |p, g| skip_gram_grad(p, &c, 2, &neg, g),
        |p, v, hv| skip_gram_hvp(p, &c, 2, &neg, v, hv),
        |p| skip_gram_ref(p, &c, 2, &neg),
    );
}

/// single-precision tanh perceptron
#[differentiable(wrt(w))]
fn perceptron_f32(w: &[f32], xs: &[[f32; 2]], ys: &[f32]) -> f32 {
    let mut loss = 0.0_f32;
    for (i, x) in xs.iter().enumerate() {
        let z = w[2] + w.iter().zip(x).map(|(a, b)| a * b).sum::<f32>();
        loss += (z.tanh() - ys[i]).powi(2);
    }
    loss / xs.len() as f32
}

fn perceptron_f32_ref(p: &[D], xs: &[[f32; 2]], ys: &[f32]) -> D {
    let mut t = D::from(0.0);
    for i in 0..xs.len() {
        let z = p[0] * xs[i][0] as f64 + p[1] * xs[i][1] as f64 + p[2];
        t = t + (z.tanh() - ys[i] as f64).powi(2) / xs.len() as f64;
    }
    t
}
#[test]
fn perceptron_f32_is_exact() {
    let xs = [[0.5f32, -1.0], [0.25, 0.75], [-1.5, 0.5]];
    let ys = [0.5f32, -0.25, 0.75];
    let narrow = |p: &[f64]| p.iter().map(|&x| x as f32).collect::<Vec<f32>>();
    check_f32(
        "perceptron_f32",
        &[0.5, -0.25, 0.125],
        |p| perceptron_f32(&narrow(p), &xs, &ys) as f64,
        |p, g| {
            let mut out = vec![0.0f32; 3];
            let value = perceptron_f32_grad(&narrow(p), &xs, &ys, &mut out);
            for (a, b) in g.iter_mut().zip(&out) {
                *a = *b as f64;
            }
            value as f64
        },
        |p, v, hv| {
            let mut out = vec![0.0f32; 3];
            perceptron_f32_hvp(&narrow(p), &xs, &ys, &narrow(v), &mut out);
            for (a, b) in hv.iter_mut().zip(&out) {
                *a = *b as f64;
            }
        },
        |p| perceptron_f32_ref(p, &xs, &ys),
    );
}

/// negative log-density under a planar normalising flow; None where a layer is not invertible
#[differentiable(wrt(u, w, b))]
fn planar_flow<const N: usize>(u: &[f64; N], w: &[f64; N], b: f64, points: &[[f64; N]]) -> Option<f64> {
    let uw: f64 = u.iter().zip(w).map(|(a, c)| a * c).sum();
    let mut nll = 0.0;
    for x in points {
        let act = (w.iter().zip(x.iter()).map(|(a, c)| a * c).sum::<f64>() + b).tanh();
        let mut z = *x;
        for (zi, ui) in z.iter_mut().zip(u) {
            *zi += ui * act;
        }
        let det = 1.0 + (1.0 - act * act) * uw;
        if !(det > 0.0) {
            return None;
        }
        nll += 0.5 * z.iter().map(|v| v * v).sum::<f64>() - det.ln();
    }
    Some(nll)
}

fn planar_flow_ref(p: &[D], pts: &[[f64; 2]]) -> D {
    let mut t = D::from(0.0);
    for i in 0..pts.len() {
        let a = (p[2] * pts[i][0] + p[3] * pts[i][1] + p[4]).tanh();
        for j in 0..2 {
            t = t + (p[j] * a + pts[i][j]).powi(2) * 0.5;
        }
        let d = (-a * a + 1.0) * (p[0] * p[2] + p[1] * p[3]) + 1.0;
        t = t - d.ln();
    }
    t
}
#[test]
fn planar_flow_is_exact() {
    let pts = [[0.3, -0.9], [1.2, 0.4], [-0.5, 0.8]];
    let two = |p: &[f64]| [p[0], p[1]];
    check(
        "planar_flow",
        &[0.5, -0.3, 0.8, 0.6, 0.1],
        |p| planar_flow(&two(p), &two(&p[2..]), p[4], &pts).unwrap(),
        |p, g| {
            let (mut gu, mut gw) = ([0.0; 2], [0.0; 2]);
            let (value, gb) = planar_flow_grad(&two(p), &two(&p[2..]), p[4], &pts, &mut gu, &mut gw).unwrap();
            g.copy_from_slice(&[gu[0], gu[1], gw[0], gw[1], gb]);
            value
        },
        |p, v, hv| {
            let (mut gu, mut gw) = ([0.0; 2], [0.0; 2]);
            let gb = planar_flow_hvp(
                &two(p),
                &two(&p[2..]),
                p[4],
                &pts,
                &two(v),
                &two(&v[2..]),
                v[4],
                &mut gu,
                &mut gw,
            )
            .unwrap();
            hv.copy_from_slice(&[gu[0], gu[1], gw[0], gw[1], gb]);
        },
        |p| planar_flow_ref(p, &pts),
    );
}

/// clipped policy-gradient objective: discounted returns backwards, episode cut at the first absorbing state
#[differentiable(wrt(policy, discount))]
fn ppo_objective(policy: &[f64], discount: f64, steps: &[(f64, bool, f64, f64)], clip: f64) -> f64 {
    let live = steps.iter().take_while(|s| s.3.is_finite()).count();
    let mut returns = vec![0.0; live];
    let mut running = 0.0;
    for (slot, step) in returns.iter_mut().zip(steps[..live].iter().rev()) {
        running = step.3 + discount * running;
        *slot = running;
    }
    returns.reverse();
    let mut objective = 0.0;
    for (&(state, action, old, _), advantage) in steps.iter().zip(&returns) {
        let p = 1.0 / (1.0 + (-(policy[0] + policy[1] * state)).exp());
        let ratio = if action { p } else { 1.0 - p } / old;
        let clipped = ratio.clamp(1.0 - clip, 1.0 + clip);
        objective += (ratio * advantage).min(clipped * advantage);
    }
    objective / live as f64
}

fn ppo_objective_ref(p: &[D], s: &[(f64, bool, f64, f64)], clip: f64) -> D {
    let mut n = 0;
    while n < s.len() && s[n].3.is_finite() {
        n += 1;
    }
    let mut t = D::from(0.0);
    for i in 0..n {
        let mut adv = D::from(0.0);
        for j in i..n {
            adv = adv + p[2].powi((j - i) as i32) * s[j].3;
        }
        let z = p[0] + p[1] * s[i].0;
        let q = if s[i].1 { ((-z).exp() + 1.0).recip() } else { (z.exp() + 1.0).recip() };
        let r = q / s[i].2;
        let c = if r.re > 1.0 + clip {
            D::from(1.0 + clip)
        } else if r.re < 1.0 - clip {
            D::from(1.0 - clip)
        } else {
            r
        };
        let (a, b) = (r * adv, c * adv);
        t = t + if a.re <= b.re { a } else { b };
    }
    t / n as f64
}
#[test]
fn ppo_objective_is_exact() {
    let s = [
        (0.2, true, 0.5, 1.0),
        (1.1, false, 0.6, -0.5),
        (-0.7, true, 0.2, 0.8),
        (0.4, true, 0.58, 0.3),
        (0.0, false, 0.5, f64::NAN),
        (0.9, true, 0.5, 2.0),
    ];
    check(
        "ppo_objective",
        &[0.1, 0.5, 0.9],
        |p| ppo_objective(&p[..2], p[2], &s, 0.2),
        |p, g| {
            let (value, d) = ppo_objective_grad(&p[..2], p[2], &s, 0.2, &mut g[..2]);
            g[2] = d;
            value
        },
        |p, v, hv| {
            let d = ppo_objective_hvp(&p[..2], p[2], &s, 0.2, &v[..2], v[2], &mut hv[..2]);
            hv[2] = d;
        },
        |p| ppo_objective_ref(p, &s, 0.2),
    );
}

/// power iteration with swapped buffers and a labelled exit; largest eigenvalue of a Gram matrix
#[differentiable(wrt(a))]
fn spectral_penalty(a: &[f64], n: usize, rounds: usize) -> f64 {
    let mut x = vec![1.0; n];
    let mut y = vec![0.0; n];
    let mut previous = vec![0.0; n];
    let mut lambda = 0.0;
    'power: for round in 0.. {
        for i in 0..n {
            if round >= rounds {
                break 'power;
            }
            y[i] = a[i * n..(i + 1) * n].iter().zip(&x).map(|(p, q)| p * q).sum();
        }
        let length = y.iter().map(|v| v * v).sum::<f64>().sqrt();
        y.iter_mut().for_each(|v| *v /= length);
        previous.copy_from_slice(&x);
        std::mem::swap(&mut x, &mut y);
        lambda = length;
    }
    x.swap(0, n - 1);
    previous.swap(0, n - 1);
    lambda.ln() + x.iter().zip(&previous).map(|(p, q)| (p - q) * (p - q)).product::<f64>()
}

fn spectral_penalty_ref(a: &[D], n: usize, rounds: usize) -> D {
    let mut x = vec![D::from(1.0); n];
    let mut old = x.clone();
    let mut lam = D::from(0.0);
    for _ in 0..rounds {
        let mut y = vec![D::from(0.0); n];
        let mut s = D::from(0.0);
        for i in 0..n {
            for j in 0..n {
                y[i] = y[i] + a[i * n + j] * x[j];
            }
            s = s + y[i] * y[i];
        }
        lam = s.ln() * 0.5;
        for i in 0..n {
            y[i] = y[i] / s.sqrt();
        }
        old = x;
        x = y;
    }
    let mut pr = D::from(1.0);
    for i in 0..n {
        pr = pr * (x[i] - old[i]) * (x[i] - old[i]);
    }
    lam + pr
}
#[test]
fn spectral_penalty_is_exact() {
    check(
        "spectral_penalty",
        &[1.2, 0.3, -0.4, 0.5, 0.9, 0.2, -0.1, 0.6, 1.5],
        |p| spectral_penalty(p, 3, 3),
        |p, g| spectral_penalty_grad(p, 3, 3, g),
        |p, v, hv| spectral_penalty_hvp(p, 3, 3, v, hv),
        |p| spectral_penalty_ref(p, 3, 3),
    );
}

/// smoothed geometric mean of class accuracies from counts, by product and chain
#[differentiable(wrt(w, bias))]
fn geometric_accuracy(w: &[f64; 2], bias: f64, positives: &[[f64; 2]], negatives: &[[f64; 2]]) -> f64 {
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let hits = positives.iter().map(|x| sigmoid(bias + w[0] * x[0] + w[1] * x[1]));
    let rejections = negatives.iter().map(|x| 1.0 - sigmoid(bias + w[0] * x[0] + w[1] * x[1]));
    let n = hits.clone().count() + rejections.clone().count();
    let joint: f64 = hits.chain(rejections).product();
    joint.powf(1.0 / n as f64)
}

fn geometric_accuracy_ref(p: &[D], pos: &[[f64; 2]], neg: &[[f64; 2]]) -> D {
    let n = pos.len() + neg.len();
    let mut t = D::from(0.0);
    for i in 0..n {
        let (x, s) = if i < pos.len() { (pos[i], -1.0) } else { (neg[i - pos.len()], 1.0) };
        let z = (p[2] + p[0] * x[0] + p[1] * x[1]) * s;
        t = t - (z.exp() + 1.0).ln();
    }
    (t / n as f64).exp()
}
#[test]
fn geometric_accuracy_is_exact() {
    let pos = [[0.5, 1.2], [0.9, -0.1]];
    let neg = [[-0.7, 0.3], [0.2, -1.5], [-1.1, 0.4]];
    check(
        "geometric_accuracy",
        &[0.8, 0.4, -0.2],
        |p| geometric_accuracy(p[..2].try_into().unwrap(), p[2], &pos, &neg),
        |p, g| {
            let (value, d) = geometric_accuracy_grad(
                p[..2].try_into().unwrap(),
                p[2],
                &pos,
                &neg,
                (&mut g[..2]).try_into().unwrap(),
            );
            g[2] = d;
            value
        },
        |p, v, hv| {
            let d = geometric_accuracy_hvp(
                p[..2].try_into().unwrap(),
                p[2],
                &pos,
                &neg,
                v[..2].try_into().unwrap(),
                v[2],
                (&mut hv[..2]).try_into().unwrap(),
            );
            hv[2] = d;
        },
        |p| geometric_accuracy_ref(p, &pos, &neg),
    );
}

/// Huber-smoothed lasso fitted on binned features, last bin and remainder handled apart
#[differentiable(wrt(w))]
fn binned_lasso(w: &[f64], signal: &[f64], targets: &[f64], strength: f64) -> f64 {
    let width = w.len();
    let bins = signal.chunks_exact(width);
    let leftover = bins.remainder().iter().sum::<f64>();
    let fits: Vec<f64> = bins.map(|bin| bin.iter().rev().zip(w).map(|(x, c)| x * c).sum()).collect();
    let drift = match (fits.first(), fits.last()) {
        (Some(first), Some(last)) => last - first,
        _ => return 0.0,
    };
    let sse: f64 = fits.iter().zip(targets).map(|(f, t)| (f - t).powi(2)).sum();
    let penalty: f64 = w
        .iter()
        .map(|&c| match c.abs() {
            a if a < 0.1 => 5.0 * a * a,
            a => a - 0.05,
        })
        .sum();
    sse + strength * penalty + leftover * drift * drift
}

fn binned_lasso_ref(w: &[D], s: &[f64], y: &[f64], strength: f64) -> D {
    let k = w.len();
    let m = s.len() / k;
    let mut t = D::from(0.0);
    let mut f = vec![D::from(0.0); m];
    for i in 0..m {
        for j in 0..k {
            f[i] = f[i] + w[j] * s[i * k + k - 1 - j];
        }
        if i < y.len() {
            t = t + (f[i] - y[i]).powi(2);
        }
    }
    for j in 0..k {
        let a = if w[j].re < 0.0 { -w[j] } else { w[j] };
        t = t + if a.re < 0.1 { a * a * (5.0 * strength) } else { (a - 0.05) * strength };
    }
    let mut left = 0.0;
    for i in m * k..s.len() {
        left += s[i];
    }
    t + (f[m - 1] - f[0]).powi(2) * left
}
#[test]
fn binned_lasso_is_exact() {
    let s = [0.3, 1.2, -0.4, 0.8, 0.5, -1.1, 0.9, 0.2, 0.7, 0.6, 0.1];
    let y = [0.5, -0.3, 0.8];
    check(
        "binned_lasso",
        &[0.7, -0.4, 0.05],
        |p| binned_lasso(p, &s, &y, 0.3),
        |p, g| binned_lasso_grad(p, &s, &y, 0.3, g),
        |p, v, hv| binned_lasso_hvp(p, &s, &y, 0.3, v, hv),
        |p| binned_lasso_ref(p, &s, &y, 0.3),
    );
}

/// label propagation on a small graph until a convergence test, labelled loops over edges
#[differentiable(wrt(edge_logits))]
fn propagation_loss(
    edge_logits: &[f64],
    edges: &[(usize, usize)],
    seeds: &[Option<f64>],
    truth: &[f64],
) -> f64 {
    let mut labels: Vec<f64> = seeds.iter().map(|s| s.unwrap_or(0.5)).collect();
    let mut next = labels.clone();
    let mut sweep = 0;
    while sweep < 4 {
        'nodes: for node in 0..labels.len() {
            if let Some(fixed) = seeds[node] {
                next[node] = fixed;
                continue 'nodes;
            }
            let (mut top, mut bottom) = (0.0, 0.0);
            for (&(a, b), logit) in edges.iter().zip(edge_logits) {
                let other = match (a == node, b == node) {
                    (true, true) => continue 'nodes,
                    (true, false) => b,
                    (false, true) => a,
                    (false, false) => continue,
                };
                top += logit.exp() * labels[other];
                bottom += logit.exp();
            }
            next[node] = top / bottom;
        }
        labels.copy_from_slice(&next);
        sweep += 1;
    }
    labels.iter().zip(truth).map(|(l, t)| (l - t).powi(2)).sum()
}

fn propagation_loss_ref(p: &[D], e: &[(usize, usize)], seeds: &[Option<f64>], truth: &[f64]) -> D {
    let n = seeds.len();
    let mut l = vec![D::from(0.5); n];
    for i in 0..n {
        if seeds[i].is_some() {
            l[i] = D::from(seeds[i].unwrap());
        }
    }
    for _ in 0..4 {
        let old = l.clone();
        for i in 0..n {
            if seeds[i].is_some() {
                continue;
            }
            let mut a = D::from(0.0);
            let mut b = D::from(0.0);
            for k in 0..e.len() {
                if e[k].0 == i {
                    a = a + p[k].exp() * old[e[k].1];
                    b = b + p[k].exp();
                }
                if e[k].1 == i {
                    a = a + p[k].exp() * old[e[k].0];
                    b = b + p[k].exp();
                }
            }
            l[i] = a / b;
        }
    }
    let mut t = D::from(0.0);
    for i in 0..n {
        t = t + (l[i] - truth[i]).powi(2);
    }
    t
}
#[test]
fn propagation_loss_is_exact() {
    let edges = [(0, 1), (1, 2), (2, 3), (3, 4), (1, 3)];
    let seeds = [Some(1.0), None, None, None, Some(0.0)];
    let truth = [1.0, 0.9, 0.6, 0.2, 0.0];
    check(
        "propagation_loss",
        &[0.5, -0.2, 0.3, 0.8, -0.6],
        |p| propagation_loss(p, &edges, &seeds, &truth),
        |p, g| propagation_loss_grad(p, &edges, &seeds, &truth, g),
        |p, v, hv| propagation_loss_hvp(p, &edges, &seeds, &truth, v, hv),
        |p| propagation_loss_ref(p, &edges, &seeds, &truth),
    );
}

/// residual blocks on a small batch: layer normalisation per row in place, bias re-used through a scratch buffer
#[differentiable(wrt(scale, shift))]
fn residual_norm_loss(scale: &[f64], shift: &[f64], batch: &[Vec<f64>], depth: usize) -> f64 {
    let width = scale.len();
    let mut x: Vec<f64> = Vec::with_capacity(batch.len() * width);
    for row in batch {
        x.extend(row.iter().take(width));
    }
    let mut scratch = vec![0.0; width];
    for _ in 0..depth {
        for row in x.chunks_mut(width) {
            scratch.fill(0.0);
            let mean = row.iter().sum::<f64>() / width as f64;
            let var = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / width as f64;
            scratch
                .iter_mut()
                .zip(row.iter().cloned())
                .for_each(|(s, v)| *s += (v - mean) / (var + 0.01).sqrt());
            for (j, (v, &s)) in row.iter_mut().zip(scratch.iter()).enumerate() {
                *v += (scale[j] * s + shift[j]).tanh();
            }
        }
    }
    let (heads, tails): (Vec<f64>, Vec<f64>) = x.chunks(width).map(|r| (r[0], *r.last().unwrap())).unzip();
    heads.iter().zip(tails.iter()).map(|(h, t)| (h - 0.5 * t).powi(2)).sum()
}

fn residual_norm_loss_ref(p: &[D], batch: &[Vec<f64>], depth: usize) -> D {
    let n = p.len() / 2;
    let mut t = D::from(0.0);
    for i in 0..batch.len() {
        let mut x = vec![D::from(0.0); n];
        for j in 0..n {
            x[j] = D::from(batch[i][j]);
        }
        for _ in 0..depth {
            let mut m = D::from(0.0);
            let mut q = D::from(0.0);
            for j in 0..n {
                m = m + x[j] / n as f64;
                q = q + x[j] * x[j] / n as f64;
            }
            let sd = (q - m * m + 0.01).sqrt();
            for j in 0..n {
                x[j] = x[j] + (p[j] * (x[j] - m) / sd + p[n + j]).tanh();
            }
        }
        t = t + (x[0] - x[n - 1] * 0.5).powi(2);
    }
    t
}
#[test]
fn residual_norm_loss_is_exact() {
    let batch = vec![vec![0.3, -0.8, 1.1], vec![0.9, 0.4, -0.6]];
    check(
        "residual_norm_loss",
        &[0.7, -0.4, 0.9, 0.1, 0.3, -0.2],
        |p| residual_norm_loss(&p[..3], &p[3..], &batch, 2),
        |p, g| {
            let (a, b) = g.split_at_mut(3);
            residual_norm_loss_grad(&p[..3], &p[3..], &batch, 2, a, b)
        },
        |p, v, hv| {
            let (a, b) = hv.split_at_mut(3);
            residual_norm_loss_hvp(&p[..3], &p[3..], &batch, 2, &v[..3], &v[3..], a, b)
        },
        |p| residual_norm_loss_ref(p, &batch, 2),
    );
}
