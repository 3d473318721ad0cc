//! Optimal liquidation: a generic struct of data, chains of single values and slices.
use ad_runtime::{Differentiable, differentiable};
use num_traits::Float;
use std::iter::once;

/// Liquidation problem: power-law temporary impact, exponentially decaying transient impact, inventory risk.
#[derive(Clone, Debug, Differentiable)]
pub struct Execution<T> {
    pub position: T,
    pub horizon: T,
    pub eta: T,
    pub exponent: T,
    pub kappa: T,
    pub resilience: T,
    pub volatility: T,
    pub risk_aversion: T,
}

impl<T: Float> Execution<T> {
    /// Expected cost plus risk penalty of the inventory path `holdings` (inner points; it starts at `position`
    /// and ends flat).
    #[differentiable(wrt(holdings))]
    pub fn cost(&self, holdings: &[T]) -> T {
        let half = T::from(0.5).unwrap();
        let steps = T::from(holdings.len() + 1).unwrap();
        let dt = self.horizon / steps;
        let decay = (-self.resilience * dt).exp();

        let path: Vec<T> =
            once(self.position).chain(holdings.iter().copied()).chain(once(T::zero())).collect();
        let (cost, _) = path.windows(2).fold((T::zero(), T::zero()), |(cost, displaced), w| {
            let sold = w[0] - w[1];
            let temporary = self.eta * (sold / dt).abs().powf(T::one() + self.exponent) * dt;
            let transient = sold * (displaced + half * self.kappa * sold);
            (cost + temporary + transient, (displaced + self.kappa * sold) * decay)
        });
        let variance =
            path[1..].iter().map(|&x| x.powi(2)).fold(T::zero(), |a, b| a + b) * self.volatility.powi(2) * dt;
        cost + self.risk_aversion * variance
    }
}

#[cfg(test)]
const DESK: Execution<f64> = Execution {
    position: 1.0,
    horizon: 1.5,
    eta: 0.8,
    exponent: 0.6,
    kappa: 0.7,
    resilience: 1.1,
    volatility: 0.9,
    risk_aversion: 1.6,
};
#[cfg(test)]
pub(crate) const X: [f64; 5] = [0.77, 0.57, 0.4, 0.26, 0.13];
#[cfg(test)]
pub(crate) fn at(x: &[f64]) -> f64 {
    DESK.cost(x)
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(at(&X).is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "almgren_chriss",
        &X,
        |x| DESK.cost(x),
        |x| {
            let mut g = vec![0.0; 5];
            let value = DESK.cost_grad(x, &mut g);
            (value, g)
        },
        |x, v| {
            let mut h = vec![0.0; 5];
            DESK.cost_hvp(x, v, &mut h);
            h
        },
    );
}
