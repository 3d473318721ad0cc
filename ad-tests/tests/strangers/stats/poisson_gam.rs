//! Poisson generalised additive model with exposure and a second-difference penalty: ndarray views.
use ad_runtime::differentiable;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, array, s};

#[differentiable(wrt(beta, log_smoothing))]
fn poisson_gam(
    beta: ArrayView1<f64>,
    log_smoothing: f64,
    basis: ArrayView2<f64>,
    deaths: ArrayView1<f64>,
    exposure: &Array1<f64>,
) -> f64 {
    let eta = basis.dot(&beta) + exposure.mapv(f64::ln);
    let mu = eta.mapv(f64::exp);
    let nll = mu.sum() - deaths.dot(&eta);

    let first = &beta.slice(s![1..]) - &beta.slice(s![..-1]);
    let second = &first.slice(s![1..]) - &first.slice(s![..-1]);
    let roughness = second.iter().map(|d| d.powi(2)).sum::<f64>();
    nll + 0.5 * log_smoothing.exp() * roughness - 0.5 * second.len() as f64 * log_smoothing
}

fn data() -> (Array2<f64>, Array1<f64>, Array1<f64>) {
    (
        array![
            [1.0, 0.2, 0.0, 0.0],
            [0.5, 0.7, 0.1, 0.0],
            [0.1, 0.6, 0.5, 0.1],
            [0.0, 0.2, 0.8, 0.4],
            [0.0, 0.0, 0.3, 0.9]
        ],
        array![2.0, 1.0, 3.0, 4.0, 6.0],
        array![1.5, 1.2, 2.0, 1.8, 2.2],
    )
}

#[test]
fn exact() {
    let (b, d, e) = data();
    super::harness::check(
        "poisson_gam",
        &[0.1, -0.3, 0.4, 0.8, 0.2],
        |x| poisson_gam(ArrayView1::from(&x[..4]), x[4], b.view(), d.view(), &e),
        |x| {
            let mut g = Array1::from_elem(4, f64::NAN);
            let (value, gs) =
                poisson_gam_grad(ArrayView1::from(&x[..4]), x[4], b.view(), d.view(), &e, g.view_mut());
            let mut g = g.to_vec();
            g.push(gs);
            (value, g)
        },
        |x, v| {
            let mut h = Array1::from_elem(4, f64::NAN);
            let hs = poisson_gam_hvp(
                ArrayView1::from(&x[..4]),
                x[4],
                b.view(),
                d.view(),
                &e,
                ArrayView1::from(&v[..4]),
                v[4],
                h.view_mut(),
            );
            let mut h = h.to_vec();
            h.push(hs);
            h
        },
    );
}
