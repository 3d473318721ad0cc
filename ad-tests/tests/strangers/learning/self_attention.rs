use ad_runtime::{Differentiable, differentiable};

type Matrix = Vec<Vec<f64>>;

#[derive(Clone, Debug, Differentiable)]
struct Head {
    query: Matrix,
    key: Matrix,
    value: Matrix,
    log_scale: f64,
}

#[differentiable]
fn matmul(a: &Matrix, b: &Matrix) -> Matrix {
    let columns = b[0].len();
    a.iter()
        .map(|row| (0..columns).map(|j| row.iter().zip(b).map(|(x, other)| x * other[j]).sum()).collect())
        .collect()
}

#[differentiable]
fn softmax_in_place(scores: &mut [f64]) {
    let top = scores.iter().cloned().fold(f64::NEG_INFINITY, f64::max);
    let mut total = 0.0;
    for s in scores.iter_mut() {
        *s = (*s - top).exp();
        total += *s;
    }
    scores.iter_mut().for_each(|s| *s /= total);
}

/// Causal self-attention with a residual connection; reconstruction loss of the next token.
#[differentiable(wrt(head))]
fn causal_attention_loss(head: &Head, tokens: &Vec<Vec<f64>>) -> f64 {
    let q = matmul(tokens, &head.query);
    let k = matmul(tokens, &head.key);
    let v = matmul(tokens, &head.value);
    let scale = head.log_scale.exp() / (q[0].len() as f64).sqrt();
    let mut loss = 0.0;
    for t in 0..tokens.len() - 1 {
        let mut weights: Vec<f64> = k[..=t]
            .iter()
            .map(|key| scale * key.iter().zip(&q[t]).map(|(a, b)| a * b).sum::<f64>())
            .collect();
        softmax_in_place(&mut weights);
        let mut context = tokens[t].clone();
        for (w, row) in weights.iter().zip(&v) {
            for (c, r) in context.iter_mut().zip(row) {
                *c += w * r;
            }
        }
        loss += context.iter().zip(&tokens[t + 1]).map(|(c, y)| (c - y) * (c - y)).sum::<f64>();
    }
    loss / (tokens.len() - 1) as f64
}

fn tokens() -> Vec<Vec<f64>> {
    vec![vec![0.3, -0.7], vec![1.1, 0.2], vec![-0.4, 0.8], vec![0.6, 0.5]]
}
fn unpack(x: &[f64]) -> Head {
    let m = |k: usize| x[4 * k..4 * k + 4].chunks(2).map(|c| c.to_vec()).collect::<Matrix>();
    Head { query: m(0), key: m(1), value: m(2), log_scale: x[12] }
}
fn pack(p: &Head) -> Vec<f64> {
    [&p.query, &p.key, &p.value].into_iter().flatten().flatten().copied().chain([p.log_scale]).collect()
}
fn point() -> Vec<f64> {
    vec![0.9, -0.3, 0.4, 0.7, 0.5, 0.8, -0.6, 0.2, 0.35, -0.45, 0.15, 0.65, 0.2]
}
fn value(x: &[f64]) -> f64 {
    causal_attention_loss(&unpack(x), &tokens())
}
#[test]
fn exact() {
    crate::harness::check(
        "self_attention",
        &point(),
        value,
        |x| {
            let mut g = unpack(&vec![f64::NAN; x.len()]);
            let value = causal_attention_loss_grad(&unpack(x), &tokens(), &mut g);
            (value, pack(&g))
        },
        |x, v| {
            let mut hv = unpack(&vec![f64::NAN; x.len()]);
            causal_attention_loss_hvp(&unpack(x), &tokens(), &unpack(v), &mut hv);
            pack(&hv)
        },
    );
}
