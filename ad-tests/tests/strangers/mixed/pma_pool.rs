//! Pooling by multi-head attention (Set Transformer): learned seed queries attend over the elements of a set.
use ad_runtime::differentiable;
use ndarray::{Array1, Array2, s};

#[differentiable]
fn softmax_rows(mut scores: Array2<f64>) -> Array2<f64> {
    for mut row in scores.rows_mut() {
        let max = row.iter().cloned().fold(f64::MIN, f64::max);
        row.mapv_inplace(|v| (v - max).exp());
        let total = row.sum();
        row /= total;
    }
    scores
}

#[differentiable]
fn pool(seeds: &Array2<f64>, keys: &Array2<f64>, values: &Array2<f64>, heads: usize) -> Array2<f64> {
    let width = seeds.ncols() / heads;
    let mut pooled = seeds.clone(); // residual connection
    for head in 0..heads {
        let span = s![.., head * width..(head + 1) * width];
        let q = seeds.slice(span);
        let scores = q.dot(&keys.slice(span).t()) / (width as f64).sqrt();
        let attended = softmax_rows(scores).dot(&values.slice(span));
        let mut out = pooled.slice_mut(span);
        out += &attended;
    }
    pooled
}

/// Mean squared error of a scalar regression on sets.
#[differentiable(wrt(seeds, w_key, w_value, readout))]
pub fn set_regression_loss(
    seeds: &Array2<f64>,
    w_key: &Array2<f64>,
    w_value: &Array2<f64>,
    readout: &Array1<f64>,
    sets: &[Array2<f64>],
    targets: &[f64],
    heads: usize,
) -> f64 {
    assert_eq!(seeds.ncols() % heads, 0);
    let errors: Vec<f64> = sets
        .iter()
        .zip(targets)
        .map(|(set, target)| {
            let pooled = pool(seeds, &set.dot(w_key), &set.dot(w_value), heads);
            pooled.mapv(f64::tanh).dot(readout).sum() - target
        })
        .collect();
    errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64
}

#[cfg(test)]
fn sets() -> Vec<Array2<f64>> {
    vec![
        ndarray::array![[0.5, -1.0], [1.2, 0.3], [-0.4, 0.8]],
        ndarray::array![[-0.9, 0.6], [0.1, 1.4]],
        ndarray::array![[0.7, 0.2], [-1.1, -0.5], [0.3, 0.9], [1.0, -0.7]],
    ]
}
#[cfg(test)]
const TARGETS: [f64; 3] = [0.6, -0.4, 0.9];
#[cfg(test)]
fn layers(x: &[f64]) -> (Array2<f64>, Array2<f64>, Array2<f64>, Array1<f64>) {
    let m = |k: usize| Array2::from_shape_vec((2, 4), x[8 * k..8 * k + 8].to_vec()).unwrap();
    (m(0), m(1), m(2), Array1::from(x[24..28].to_vec()))
}
#[cfg(test)]
pub(crate) const X: [f64; 28] = [
    0.4, -0.7, 0.2, 0.6, -0.3, 0.5, 0.8, -0.1, // seeds
    0.9, 0.1, -0.5, 0.7, -0.2, 0.6, 0.3, -0.8, // keys
    0.3, -0.4, 0.8, 0.2, 0.6, 0.5, -0.3, 0.1, // values
    0.5, -0.6, 0.4, 0.7, // readout
];
#[cfg(test)]
pub(crate) fn at(x: &[f64]) -> f64 {
    let (q, k, v, r) = layers(x);
    set_regression_loss(&q, &k, &v, &r, &sets(), &TARGETS, 2)
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(at(&X).is_finite());
}

#[test]
fn exact() {
    type Layers = (Array2<f64>, Array2<f64>, Array2<f64>, Array1<f64>);
    let join = |g: Layers| -> Vec<f64> {
        g.0.iter().chain(g.1.iter()).chain(g.2.iter()).chain(g.3.iter()).copied().collect()
    };
    let data = sets();
    super::harness::check(
        "pma_pool",
        &X,
        |x| at(x),
        |x| {
            let (q, k, v, r) = layers(x);
            let mut g = layers(&[0.0; 28]);
            let value = set_regression_loss_grad(
                &q, &k, &v, &r, &data, &TARGETS, 2, &mut g.0, &mut g.1, &mut g.2, &mut g.3,
            );
            (value, join(g))
        },
        |x, d| {
            let (q, k, v, r) = layers(x);
            let (dq, dk, dv, dr) = layers(d);
            let mut h = layers(&[0.0; 28]);
            set_regression_loss_hvp(
                &q, &k, &v, &r, &data, &TARGETS, 2, &dq, &dk, &dv, &dr, &mut h.0, &mut h.1, &mut h.2,
                &mut h.3,
            );
            join(h)
        },
    );
}
