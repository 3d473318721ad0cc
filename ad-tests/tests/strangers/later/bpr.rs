use ad_runtime::{Differentiable, differentiable};

/// User `user` preferred item `pos` over item `neg`.
#[derive(Clone, Copy, Debug, Differentiable)]
pub struct Triplet {
    pub user: usize,
    pub pos: usize,
    pub neg: usize,
}

#[derive(Clone, Debug, Differentiable)]
pub struct Factors {
    pub users: Vec<Vec<f64>>,
    pub items: Vec<Vec<f64>>,
    pub item_bias: Vec<f64>,
}

#[differentiable]
fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

impl Factors {
    #[differentiable]
    pub fn score(&self, user: usize, item: usize) -> f64 {
        let dot: f64 = self.users[user].iter().zip(&self.items[item]).map(|(p, q)| p * q).sum();
        dot + self.item_bias[item]
    }

    /// Bayesian personalised ranking (Rendle et al. 2009): mean -ln sigmoid of the score differences.
    #[differentiable(wrt(self))]
    pub fn bpr_loss(&self, triplets: &[Triplet], reg: f64) -> f64 {
        let mut loss = 0.0;
        for &Triplet { user, pos, neg } in triplets {
            let x_uij = self.score(user, pos) - self.score(user, neg);
            loss += softplus(-x_uij);
        }
        let penalty = self
            .users
            .iter()
            .chain(&self.items)
            .flatten()
            .chain(self.item_bias.iter())
            .fold(0.0, |acc, w| acc + w * w);
        loss / triplets.len() as f64 + reg * penalty
    }
}

#[cfg(test)]
pub(crate) const X: &[f64] =
    &[0.4, -0.3, 0.7, 0.9, 0.2, -0.5, -0.6, 1.1, 0.3, 0.8, -0.4, 0.5, -0.2, 0.1, -0.1, 0.25, 0.05, -0.15];
#[cfg(test)]
fn factors(x: &[f64]) -> Factors {
    let rows = |s: &[f64]| s.chunks(2).map(<[f64]>::to_vec).collect::<Vec<_>>();
    Factors { users: rows(&x[..6]), items: rows(&x[6..14]), item_bias: x[14..].to_vec() }
}
#[cfg(test)]
fn triplets() -> Vec<Triplet> {
    [(0, 0, 1), (0, 3, 2), (1, 1, 3), (1, 0, 2), (2, 2, 0), (2, 1, 3)]
        .map(|(user, pos, neg)| Triplet { user, pos, neg })
        .to_vec()
}
#[cfg(test)]
pub(crate) fn value(x: &[f64]) -> f64 {
    factors(x).bpr_loss(&triplets(), 0.05)
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(value(X).is_finite());
}

#[cfg(test)]
#[test]
fn exact() {
    let flat = |d: Factors| -> Vec<f64> {
        d.users.concat().into_iter().chain(d.items.concat()).chain(d.item_bias).collect()
    };
    super::harness::check(
        "bpr",
        X,
        value,
        |x| {
            let mut d = factors(&[0.0; 18]);
            let f = factors(x).bpr_loss_grad(&triplets(), 0.05, &mut d);
            (f, flat(d))
        },
        |x, v| {
            let mut h = factors(&[0.0; 18]);
            factors(x).bpr_loss_hvp(&triplets(), 0.05, &factors(v), &mut h);
            flat(h)
        },
    );
}
