use ad_runtime::differentiable;

#[derive(Clone, Copy)]
enum Regularizer {
    None,
    Ridge(f64),
    Huber { weight: f64, delta: f64 },
}

#[differentiable]
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[differentiable]
fn regularize(kind: Regularizer, table: &[f64]) -> f64 {
    match kind {
        Regularizer::None => 0.0,
        Regularizer::Ridge(weight) => 0.5 * weight * table.iter().map(|w| w * w).sum::<f64>(),
        Regularizer::Huber { weight, delta } => table
            .iter()
            .map(|w| match w.abs() {
                a if a <= delta => 0.5 * a * a,
                a => delta * (a - 0.5 * delta),
            })
            .map(|h| weight * h)
            .sum(),
    }
}

/// Skip-gram with negative sampling; `negatives[i]` are the noise words of the i-th position.
#[differentiable(wrt(words, contexts))]
fn skip_gram_loss(
    words: &[f64],
    contexts: &[f64],
    dim: usize,
    text: &[usize],
    negatives: &[[usize; 2]],
    radius: usize,
    regularizers: (Regularizer, Regularizer),
) -> f64 {
    let word = |i: usize| &words[i * dim..(i + 1) * dim];
    let context = |i: usize| &contexts[i * dim..][..dim];
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b.iter()).map(|(x, y)| x * y).sum() };
    let mut loss = 0.0;
    let mut pairs = 0usize;
    for (position, &center) in text.iter().enumerate() {
        let low = position.saturating_sub(radius);
        let high = (position + radius + 1).min(text.len());
        for other in low..high {
            if other == position {
                continue;
            }
            loss += softplus(-dot(word(center), context(text[other])));
            for &negative in &negatives[position] {
                loss += softplus(dot(word(center), context(negative)));
            }
            pairs += 1;
        }
    }
    loss / pairs as f64 + regularize(regularizers.0, words) + regularize(regularizers.1, contexts)
}

const TEXT: [usize; 5] = [0, 2, 1, 3, 2];
const NEGATIVES: [[usize; 2]; 5] = [[3, 1], [0, 3], [2, 3], [1, 0], [0, 1]];
const REG: (Regularizer, Regularizer) =
    (Regularizer::Huber { weight: 0.3, delta: 0.5 }, Regularizer::Ridge(0.1));
fn point() -> Vec<f64> {
    vec![0.7, -0.3, 0.4, 0.9, -0.62, 0.2, 0.1, -0.8, 0.6, 0.3, -0.4, 0.75, 0.9, -0.2, 0.35, 0.45]
}
fn value(x: &[f64]) -> f64 {
    let (words, contexts) = x.split_at(8);
    skip_gram_loss(words, contexts, 2, &TEXT, &NEGATIVES, 2, REG)
}
#[test]
fn exact() {
    crate::harness::check(
        "skip_gram",
        &point(),
        value,
        |x| {
            let mut g = vec![f64::NAN; x.len()];
            let (gw, gc) = g.split_at_mut(8);
            let value = skip_gram_loss_grad(&x[..8], &x[8..], 2, &TEXT, &NEGATIVES, 2, REG, gw, gc);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; x.len()];
            let (hw, hc) = hv.split_at_mut(8);
            skip_gram_loss_hvp(&x[..8], &x[8..], 2, &TEXT, &NEGATIVES, 2, REG, &v[..8], &v[8..], hw, hc);
            hv
        },
    );
}
