use ad_runtime::differentiable;
use ndarray::{Array1, Array2, Axis, array};

/// Multinomial logistic regression with label smoothing and an L2 penalty.
#[differentiable(wrt(w, b))]
fn cross_entropy(
    w: &Array2<f64>,
    b: &Array1<f64>,
    x: &Array2<f64>,
    labels: &[usize],
    smoothing: f64,
    l2: f64,
) -> f64 {
    let scores = x.dot(w) + b;
    let log_z = scores.map_axis(Axis(1), |row| {
        let top = row.fold(f64::NEG_INFINITY, |m, &s| m.max(s));
        top + row.mapv(|s| (s - top).exp()).sum().ln()
    });
    let log_p = &scores - &log_z.insert_axis(Axis(1));
    let picked: f64 = labels.iter().enumerate().map(|(i, &l)| log_p[[i, l]]).sum();
    let uniform = log_p.sum() / b.len() as f64;
    let nll = -((1.0 - smoothing) * picked + smoothing * uniform) / x.nrows() as f64;
    nll + 0.5 * l2 * (w * w).sum()
}

fn data() -> (Array2<f64>, [usize; 4]) {
    (array![[0.5, -1.1], [1.2, 0.3], [-0.6, 0.8], [0.2, 0.9]], [0, 2, 1, 2])
}
fn split(x: &[f64]) -> (Array2<f64>, Array1<f64>) {
    (Array2::from_shape_vec((2, 3), x[..6].to_vec()).unwrap(), Array1::from(x[6..].to_vec()))
}
fn join(w: &Array2<f64>, b: &Array1<f64>) -> Vec<f64> {
    w.iter().chain(b).copied().collect()
}
fn point() -> Vec<f64> {
    vec![0.4, -0.7, 0.2, 0.9, 0.1, -0.5, 0.3, -0.2, 0.15]
}
fn value(x: &[f64]) -> f64 {
    let ((w, b), (xs, labels)) = (split(x), data());
    cross_entropy(&w, &b, &xs, &labels, 0.1, 0.05)
}
#[test]
fn exact() {
    let (xs, labels) = data();
    crate::harness::check(
        "softmax_regression",
        &point(),
        value,
        |x| {
            let (w, b) = split(x);
            let (mut gw, mut gb) = split(&[f64::NAN; 9]);
            let value = cross_entropy_grad(&w, &b, &xs, &labels, 0.1, 0.05, &mut gw, &mut gb);
            (value, join(&gw, &gb))
        },
        |x, v| {
            let ((w, b), (vw, vb)) = (split(x), split(v));
            let (mut hw, mut hb) = split(&[f64::NAN; 9]);
            cross_entropy_hvp(&w, &b, &xs, &labels, 0.1, 0.05, &vw, &vb, &mut hw, &mut hb);
            join(&hw, &hb)
        },
    );
}
