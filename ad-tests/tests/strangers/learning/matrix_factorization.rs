use ad_runtime::differentiable;
use ndarray::{Array1, Array2, Axis, Zip, array};

/// Implicit-feedback matrix factorisation: confidence-weighted squares with item biases and row-norm penalties.
#[differentiable(wrt(users, items, bias))]
fn implicit_loss(
    users: &Array2<f64>,
    items: &Array2<f64>,
    bias: &Array1<f64>,
    counts: &Array2<f64>,
    alpha: f64,
    lambda: f64,
) -> f64 {
    let mut predicted = users.dot(&items.t());
    predicted += bias;
    let fit = Zip::from(&predicted).and(counts).fold(0.0, |acc, &p, &r| {
        let preference = if r > 0.0 { 1.0 } else { 0.0 };
        acc + (1.0 + alpha * r.ln_1p()) * (preference - p).powi(2)
    });
    let activity = counts.sum_axis(Axis(1));
    let user_norms = (users * users).sum_axis(Axis(1));
    let item_norms = items.map(|v| v.powi(2)).sum_axis(Axis(1));
    0.5 * fit + 0.5 * lambda * (activity.dot(&user_norms) + item_norms.sum() + bias.dot(bias))
}

fn counts() -> Array2<f64> {
    array![[3.0, 0.0, 1.0], [0.0, 2.0, 0.0], [1.0, 5.0, 0.0], [0.0, 0.0, 4.0]]
}
fn split(x: &[f64]) -> (Array2<f64>, Array2<f64>, Array1<f64>) {
    (
        Array2::from_shape_vec((4, 2), x[..8].to_vec()).unwrap(),
        Array2::from_shape_vec((3, 2), x[8..14].to_vec()).unwrap(),
        Array1::from(x[14..].to_vec()),
    )
}
fn join(u: &Array2<f64>, v: &Array2<f64>, b: &Array1<f64>) -> Vec<f64> {
    u.iter().chain(v).chain(b).copied().collect()
}
fn point() -> Vec<f64> {
    (0..17).map(|i| (1.1 * i as f64 + 0.6).cos() * 0.7).collect()
}
fn value(x: &[f64]) -> f64 {
    let (u, v, b) = split(x);
    implicit_loss(&u, &v, &b, &counts(), 0.8, 0.1)
}
#[test]
fn exact() {
    let counts = counts();
    crate::harness::check(
        "matrix_factorization",
        &point(),
        value,
        |x| {
            let (u, v, b) = split(x);
            let (mut gu, mut gv, mut gb) = split(&[f64::NAN; 17]);
            let value = implicit_loss_grad(&u, &v, &b, &counts, 0.8, 0.1, &mut gu, &mut gv, &mut gb);
            (value, join(&gu, &gv, &gb))
        },
        |x, d| {
            let (u, v, b) = split(x);
            let (du, dv, db) = split(d);
            let (mut hu, mut hv, mut hb) = split(&[f64::NAN; 17]);
            implicit_loss_hvp(&u, &v, &b, &counts, 0.8, 0.1, &du, &dv, &db, &mut hu, &mut hv, &mut hb);
            join(&hu, &hv, &hb)
        },
    );
}
