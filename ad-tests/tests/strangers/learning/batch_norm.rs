use ad_runtime::differentiable;
use ndarray::prelude::*;

/// Dense layer, batch normalisation, leaky rectifier, linear head, log-cosh loss.
#[differentiable(wrt(w1, gamma, beta, w2))]
fn batch_norm_loss(
    w1: ArrayView2<f64>,
    gamma: ArrayView1<f64>,
    beta: ArrayView1<f64>,
    w2: ArrayView1<f64>,
    x: ArrayView2<f64>,
    y: ArrayView1<f64>,
) -> f64 {
    const EPSILON: f64 = 1e-3;
    let h = x.dot(&w1);
    let mean = h.mean_axis(Axis(0)).expect("nonempty batch");
    let centred = h - mean;
    let variance = centred.mapv(|c| c.powi(2)).mean_axis(Axis(0)).expect("nonempty batch");
    let normed = centred / (variance + EPSILON).mapv(f64::sqrt);
    let activation = (normed * gamma + beta).mapv_into(|a| if a > 0.0 { a } else { 0.1 * a });
    let residual = activation.dot(&w2) - &y;
    residual.iter().map(|r| r.cosh().ln()).sum::<f64>() / y.len() as f64
}

fn data() -> (Array2<f64>, Array1<f64>) {
    (
        array![[0.4, -0.9], [1.3, 0.2], [-0.8, 0.7], [0.1, 1.4], [-1.5, -0.6]],
        array![0.3, 1.2, -0.4, 0.9, -0.7],
    )
}
fn point() -> Vec<f64> {
    vec![0.8, -0.5, 0.3, 0.9, 1.1, 0.7, 0.2, -0.15, 0.6, -0.4]
}
fn split(x: &[f64]) -> (ArrayView2<'_, f64>, ArrayView1<'_, f64>, ArrayView1<'_, f64>, ArrayView1<'_, f64>) {
    (
        ArrayView2::from_shape((2, 2), &x[..4]).unwrap(),
        ArrayView1::from(&x[4..6]),
        ArrayView1::from(&x[6..8]),
        ArrayView1::from(&x[8..10]),
    )
}
fn value(x: &[f64]) -> f64 {
    let (xs, ys) = data();
    let (w1, gamma, beta, w2) = split(x);
    batch_norm_loss(w1, gamma, beta, w2, xs.view(), ys.view())
}
#[test]
fn exact() {
    let (xs, ys) = data();
    let empty = || {
        (
            Array2::from_elem((2, 2), f64::NAN),
            Array1::from_elem(2, f64::NAN),
            Array1::from_elem(2, f64::NAN),
            Array1::from_elem(2, f64::NAN),
        )
    };
    let flat = |a: Array2<f64>, b: Array1<f64>, c: Array1<f64>, d: Array1<f64>| {
        a.iter().chain(&b).chain(&c).chain(&d).copied().collect::<Vec<f64>>()
    };
    crate::harness::check(
        "batch_norm",
        &point(),
        value,
        |x| {
            let (w1, gamma, beta, w2) = split(x);
            let (mut a, mut b, mut c, mut d) = empty();
            let value = batch_norm_loss_grad(
                w1,
                gamma,
                beta,
                w2,
                xs.view(),
                ys.view(),
                a.view_mut(),
                b.view_mut(),
                c.view_mut(),
                d.view_mut(),
            );
            (value, flat(a, b, c, d))
        },
        |x, v| {
            let (w1, gamma, beta, w2) = split(x);
            let (v1, vg, vb, v2) = split(v);
            let (mut a, mut b, mut c, mut d) = empty();
            batch_norm_loss_hvp(
                w1,
                gamma,
                beta,
                w2,
                xs.view(),
                ys.view(),
                v1,
                vg,
                vb,
                v2,
                a.view_mut(),
                b.view_mut(),
                c.view_mut(),
                d.view_mut(),
            );
            flat(a, b, c, d)
        },
    );
}
