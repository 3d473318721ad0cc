//! Almost Ideal Demand System (Deaton & Muellbauer) with N goods, fitted to budget shares.
use ad_runtime::{Differentiable, differentiable};

#[derive(Clone, Debug, Differentiable)]
pub struct Aids<const N: usize> {
    pub alpha: [f64; N],
    pub beta: [f64; N],
    pub gamma: [[f64; N]; N],
}

#[derive(Clone, Debug)]
pub struct Household<const N: usize> {
    pub log_price: [f64; N],
    pub log_outlay: f64,
    pub share: [f64; N],
    pub weight: f64,
}

impl<const N: usize> Aids<N> {
    #[differentiable(wrt(self, subsistence))]
    pub fn log_price_index(&self, subsistence: f64, log_price: &[f64; N]) -> f64 {
        let mut index = subsistence;
        for i in 0..N {
            index += self.alpha[i] * log_price[i];
            for j in 0..N {
                index += 0.5 * self.gamma[i][j] * log_price[i] * log_price[j];
            }
        }
        index
    }

    #[differentiable(wrt(self, subsistence))]
    pub fn shares(&self, subsistence: f64, h: &Household<N>) -> [f64; N] {
        let real = h.log_outlay - self.log_price_index(subsistence, &h.log_price);
        std::array::from_fn(|i| {
            let substitution: f64 = self.gamma[i].iter().zip(&h.log_price).map(|(g, p)| g * p).sum();
            self.alpha[i] + self.beta[i] * real + substitution
        })
    }

    /// Weighted squared share errors; adding-up and symmetry as penalties of strength `stiffness`.
    #[differentiable(wrt(self, subsistence))]
    pub fn loss(&self, subsistence: f64, sample: &[Household<N>], stiffness: f64) -> f64 {
        let mut loss = 0.0;
        for h in sample {
            let fitted = self.shares(subsistence, h);
            for (fit, seen) in fitted.iter().zip(h.share.iter()) {
                loss += h.weight * (fit - seen) * (fit - seen);
            }
        }
        let excess = self.alpha.iter().sum::<f64>() - 1.0;
        let drift = self.beta.iter().sum::<f64>();
        let mut penalty = excess * excess + drift * drift;
        for i in 0..N {
            for j in 0..i {
                penalty += (self.gamma[i][j] - self.gamma[j][i]).powi(2);
            }
        }
        loss + stiffness * penalty
    }
}

#[cfg(test)]
fn system(x: &[f64]) -> Aids<2> {
    Aids { alpha: [x[0], x[1]], beta: [x[2], x[3]], gamma: [[x[4], x[5]], [x[6], x[7]]] }
}

#[cfg(test)]
fn flat(a: &Aids<2>) -> Vec<f64> {
    a.alpha.iter().chain(&a.beta).chain(a.gamma.as_flattened()).copied().collect()
}

#[cfg(test)]
fn sample() -> Vec<Household<2>> {
    [
        ([0.1, -0.3], 1.2, [0.6, 0.4], 1.0),
        ([0.4, 0.2], 0.7, [0.5, 0.5], 0.5),
        ([-0.2, 0.6], 1.9, [0.3, 0.7], 2.0),
        ([0.8, -0.5], 1.5, [0.45, 0.55], 1.5),
    ]
    .map(|(log_price, log_outlay, share, weight)| Household { log_price, log_outlay, share, weight })
    .to_vec()
}

#[cfg(test)]
const AT: [f64; 9] = [0.5, 0.6, -0.2, 0.1, 0.3, -0.1, -0.2, 0.15, 0.4];

#[cfg(test)]
#[test]
fn primal() {
    assert_eq!(flat(&system(&AT)), AT[..8]);
    assert!(system(&AT).loss(AT[8], &sample(), 0.5).is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "almost_ideal",
        &AT,
        |x| system(x).loss(x[8], &sample(), 0.5),
        |x| {
            let mut g = system(&[0.0; 8]);
            let (value, subsistence) = system(x).loss_grad(x[8], &sample(), 0.5, &mut g);
            let mut all = flat(&g);
            all.push(subsistence);
            (value, all)
        },
        |x, v| {
            let mut h = system(&[0.0; 8]);
            let subsistence = system(x).loss_hvp(x[8], &sample(), 0.5, &system(v), v[8], &mut h);
            let mut all = flat(&h);
            all.push(subsistence);
            all
        },
    );
}
