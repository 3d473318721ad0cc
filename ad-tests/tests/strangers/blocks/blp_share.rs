//! Random-coefficients logit demand (Berry, Levinsohn, Pakes): the GMM objective after inverting shares.
use ad_runtime::{Differentiable, differentiable};
use ndarray::{Array1, Array2, ArrayView1};

#[derive(Clone, Debug, Differentiable)]
pub struct Market {
    pub characteristics: Array2<f64>,
    pub instruments: Array2<f64>,
    pub shares: Array1<f64>,
}

#[differentiable(wrt(delta, sigma))]
fn predicted_shares(
    delta: &Array1<f64>,
    sigma: &Array1<f64>,
    market: &Market,
    draws: &Array2<f64>,
) -> Array1<f64> {
    let mut shares = Array1::<f64>::zeros(delta.len());
    for nu in draws.rows() {
        let taste = market.characteristics.dot(&(sigma * &nu));
        let e = (delta + &taste).mapv(f64::exp);
        let inclusive = 1.0 + e.sum();
        shares += &(e / inclusive);
    }
    shares / draws.nrows() as f64
}

#[differentiable(wrt(sigma))]
fn mean_utility(sigma: &Array1<f64>, market: &Market, draws: &Array2<f64>) -> Array1<f64> {
    let outside = 1.0 - market.shares.sum();
    let mut delta = market.shares.mapv(|s| (s / outside).ln());
    for _ in 0..400 {
        let predicted = predicted_shares(&delta, sigma, market, draws);
        let step = market.shares.mapv(f64::ln) - predicted.mapv(f64::ln);
        delta += &step;
        if step.iter().all(|s| s.abs() < 1e-14) {
            break;
        }
    }
    delta
}

#[differentiable(wrt(sigma, beta))]
pub fn blp_objective(
    sigma: &Array1<f64>,
    beta: ArrayView1<f64>,
    market: &Market,
    draws: &Array2<f64>,
) -> f64 {
    let delta = mean_utility(sigma, market, draws);
    let xi = delta - market.characteristics.dot(&beta);
    let moments = market.instruments.t().dot(&xi) / xi.len() as f64;
    moments.dot(&moments)
}

#[cfg(test)]
const X: [f64; 4] = [0.7, 0.5, -0.4, 0.6];

#[cfg(test)]
fn market() -> Market {
    Market {
        characteristics: ndarray::arr2(&[[1.0, 0.5], [1.0, 1.4], [1.0, -0.3], [1.0, 0.9]]),
        instruments: ndarray::arr2(&[[1.0, 0.3, 0.8], [1.0, 1.1, -0.5], [1.0, -0.6, 0.4], [1.0, 0.7, 1.2]]),
        shares: ndarray::arr1(&[0.15, 0.2, 0.1, 0.12]),
    }
}

#[cfg(test)]
fn draws() -> Array2<f64> {
    ndarray::arr2(&[[0.3, -1.1], [-0.9, 0.4], [1.2, 0.8], [-0.2, -0.5], [0.6, 1.3], [-1.4, -0.1]])
}

#[cfg(test)]
#[test]
fn primal() {
    let (s, b) = (ndarray::arr1(&X[..2]), ndarray::arr1(&X[2..]));
    assert!(blp_objective(&s, b.view(), &market(), &draws()).is_finite());
}

#[test]
fn exact() {
    let split = |x: &[f64]| (ndarray::arr1(&x[..2]), ndarray::arr1(&x[2..]));
    super::harness::check(
        "blp_share",
        &X,
        |x| {
            let (s, b) = split(x);
            blp_objective(&s, b.view(), &market(), &draws())
        },
        |x| {
            let (s, b) = split(x);
            let (mut ds, mut db) = split(&[0.0; 4]);
            let value = blp_objective_grad(&s, b.view(), &market(), &draws(), &mut ds, db.view_mut());
            (value, [ds.to_vec(), db.to_vec()].concat())
        },
        |x, v| {
            let (s, b) = split(x);
            let (vs, vb) = split(v);
            let (mut hs, mut hb) = split(&[0.0; 4]);
            blp_objective_hvp(&s, b.view(), &market(), &draws(), &vs, vb.view(), &mut hs, hb.view_mut());
            [hs.to_vec(), hb.to_vec()].concat()
        },
    );
}
