//! GMM criterion of the consumption Euler equation (Hansen & Singleton 1982).
use ad_runtime::differentiable;
use ndarray::{Array1, Array2, Axis};

/// E[(delta g^-gamma R - 1) z] = 0 for gross returns R (T x assets) and instruments z (T x k).
#[differentiable(wrt(delta, gamma))]
pub fn gmm_criterion(
    delta: f64,
    gamma: f64,
    growth: &Array1<f64>,
    returns: &Array2<f64>,
    instruments: &Array2<f64>,
    weight: &Array2<f64>,
) -> f64 {
    let kernel = growth.mapv(|g| delta * g.powf(-gamma));
    let errors = returns * &kernel.insert_axis(Axis(1)) - 1.0;
    let moments = instruments.t().dot(&errors) / growth.len() as f64;
    let stacked: Array1<f64> = moments.iter().copied().collect();
    stacked.dot(&weight.dot(&stacked))
}

#[cfg(test)]
fn data() -> (Array1<f64>, Array2<f64>, Array2<f64>, Array2<f64>) {
    let growth = ndarray::array![1.1, 0.85, 1.3, 0.95, 1.2];
    let returns = ndarray::array![[1.2, 1.05], [0.8, 1.1], [1.4, 1.0], [1.0, 1.15], [1.3, 0.9]];
    let instruments = ndarray::array![[1.0, 0.4], [1.0, -0.3], [1.0, 0.8], [1.0, 0.1], [1.0, -0.6]];
    let weight =
        Array2::from_shape_fn((4, 4), |(i, j)| if i == j { 6.0 - i as f64 } else { 0.5 / (i + j) as f64 });
    (growth, returns, instruments, weight)
}

#[cfg(test)]
#[test]
fn primal() {
    let (growth, returns, instruments, weight) = data();
    assert!(gmm_criterion(0.9, 1.8, &growth, &returns, &instruments, &weight).is_finite());
}

#[test]
fn exact() {
    let (growth, returns, instruments, weight) = data();
    super::harness::check(
        "gmm_euler",
        &[0.9, 1.8],
        |x| gmm_criterion(x[0], x[1], &growth, &returns, &instruments, &weight),
        |x| {
            let (value, (delta, gamma)) =
                gmm_criterion_grad(x[0], x[1], &growth, &returns, &instruments, &weight);
            (value, vec![delta, gamma])
        },
        |x, v| {
            let (delta, gamma) =
                gmm_criterion_hvp(x[0], x[1], &growth, &returns, &instruments, &weight, v[0], v[1]);
            vec![delta, gamma]
        },
    );
}
