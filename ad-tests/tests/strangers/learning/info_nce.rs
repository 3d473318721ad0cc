use ad_runtime::differentiable;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};

#[differentiable]
fn normalize_rows(m: ArrayView2<f64>) -> Array2<f64> {
    let norms = m.map_axis(Axis(1), |row| row.dot(&row).sqrt());
    &m / &norms.insert_axis(Axis(1))
}

#[differentiable]
fn log_sum_exp(v: ArrayView1<f64>) -> f64 {
    let top = v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + v.iter().map(|x| (x - top).exp()).sum::<f64>().ln()
}

/// Symmetric InfoNCE (CLIP) loss of two batches of embeddings with a learned temperature.
#[differentiable]
fn clip_loss(images: ArrayView2<f64>, texts: ArrayView2<f64>, log_temperature: f64) -> f64 {
    let similarity = normalize_rows(images).dot(&normalize_rows(texts).t()) / log_temperature.exp();
    let matched = similarity.diag().sum();
    let by_image: f64 = similarity.axis_iter(Axis(0)).map(log_sum_exp).sum();
    let by_text: f64 = similarity.columns().into_iter().map(|c| log_sum_exp(c)).sum();
    (0.5 * (by_image + by_text) - matched) / images.nrows() as f64
}

fn point() -> Vec<f64> {
    vec![0.9, -0.4, 0.3, 1.1, -0.7, 0.6, 0.8, 0.5, -0.3, 0.9, -1.2, 0.2, -0.5]
}
fn view(x: &[f64]) -> ArrayView2<'_, f64> {
    ArrayView2::from_shape((3, 2), x).unwrap()
}
fn value(x: &[f64]) -> f64 {
    clip_loss(view(&x[..6]), view(&x[6..12]), x[12])
}
#[test]
fn exact() {
    crate::harness::check(
        "info_nce",
        &point(),
        value,
        |x| {
            let mut g = vec![f64::NAN; 12];
            let (a, b) = g.split_at_mut(6);
            let (value, gt) = clip_loss_grad(
                view(&x[..6]),
                view(&x[6..12]),
                x[12],
                ArrayViewMut2::from_shape((3, 2), a).unwrap(),
                ArrayViewMut2::from_shape((3, 2), b).unwrap(),
            );
            g.push(gt);
            (value, g)
        },
        |x, v| {
            let mut h = vec![f64::NAN; 12];
            let (a, b) = h.split_at_mut(6);
            let ht = clip_loss_hvp(
                view(&x[..6]),
                view(&x[6..12]),
                x[12],
                view(&v[..6]),
                view(&v[6..12]),
                v[12],
                ArrayViewMut2::from_shape((3, 2), a).unwrap(),
                ArrayViewMut2::from_shape((3, 2), b).unwrap(),
            );
            h.push(ht);
            h
        },
    );
}
