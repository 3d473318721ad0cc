use ad_runtime::differentiable;
use ndarray::{Array2, Axis, s};

#[differentiable]
fn softmax_rows(mut scores: Array2<f64>) -> Array2<f64> {
    for mut row in scores.rows_mut() {
        let top = row.fold(f64::NEG_INFINITY, |m, &s| f64::max(m, s));
        row.mapv_inplace(|s| (s - top).exp());
        let z = row.sum();
        row /= z;
    }
    scores
}

#[differentiable]
fn layer_norm(x: &Array2<f64>) -> Array2<f64> {
    let mean = x.mean_axis(Axis(1)).unwrap().insert_axis(Axis(1));
    let sd = x.var_axis(Axis(1), 0.0).mapv(|v| (v + 1e-2).sqrt()).insert_axis(Axis(1));
    (x - &mean) / &sd
}

/// Transformer attention block: heads, output projection, residual, layer norm, squared error.
#[differentiable(wrt(qkv, out))]
fn attention_block(
    qkv: &Array2<f64>,
    out: &Array2<f64>,
    tokens: &Array2<f64>,
    target: &Array2<f64>,
    heads: usize,
) -> f64 {
    let d = tokens.ncols();
    let width = d / heads;
    let projected = tokens.dot(qkv);
    let (q, rest) = projected.view().split_at(Axis(1), d);
    let (k, v) = rest.split_at(Axis(1), d);
    let mut mixed = Array2::<f64>::zeros((tokens.nrows(), d));
    for head in 0..heads {
        let columns = head * width..(head + 1) * width;
        let scores = q.slice(s![.., columns.clone()]).dot(&k.slice(s![.., columns.clone()]).t())
            / (width as f64).sqrt();
        let attention = softmax_rows(scores);
        mixed.slice_mut(s![.., columns.clone()]).assign(&attention.dot(&v.slice(s![.., columns])));
    }
    let y = layer_norm(&(mixed.dot(out) + tokens));
    (y - target).mapv(|e| e * e).mean().unwrap()
}

fn data() -> (Array2<f64>, Array2<f64>) {
    (
        Array2::from_shape_fn((3, 4), |(i, j)| (2.0 * i as f64 + 1.3 * j as f64 + 0.4).sin()),
        Array2::from_shape_fn((3, 4), |(i, j)| (0.7 * i as f64 - 1.9 * j as f64).cos()),
    )
}
fn split(x: &[f64]) -> (Array2<f64>, Array2<f64>) {
    (
        Array2::from_shape_vec((4, 12), x[..48].to_vec()).unwrap(),
        Array2::from_shape_vec((4, 4), x[48..].to_vec()).unwrap(),
    )
}
fn point() -> Vec<f64> {
    (0..64).map(|i| (1.7 * i as f64 + 0.9).sin() * 0.6).collect()
}
fn value(x: &[f64]) -> f64 {
    let ((qkv, out), (tokens, target)) = (split(x), data());
    attention_block(&qkv, &out, &tokens, &target, 2)
}
#[test]
fn exact() {
    let (tokens, target) = data();
    crate::harness::check(
        "multi_head",
        &point(),
        value,
        |x| {
            let (qkv, out) = split(x);
            let (mut ga, mut gb) = split(&[f64::NAN; 64]);
            let value = attention_block_grad(&qkv, &out, &tokens, &target, 2, &mut ga, &mut gb);
            (value, ga.iter().chain(&gb).copied().collect())
        },
        |x, v| {
            let ((qkv, out), (va, vb)) = (split(x), split(v));
            let (mut ha, mut hb) = split(&[f64::NAN; 64]);
            attention_block_hvp(&qkv, &out, &tokens, &target, 2, &va, &vb, &mut ha, &mut hb);
            ha.iter().chain(&hb).copied().collect()
        },
    );
}
