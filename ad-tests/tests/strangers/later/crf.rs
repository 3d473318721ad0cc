use ad_runtime::{Differentiable, differentiable};

/// Linear-chain conditional random field over `L` tags with binary features.
#[derive(Clone, Debug, Differentiable)]
pub struct Crf<const L: usize> {
    start: [f64; L],
    transition: [[f64; L]; L],
    /// one row of tag weights for each feature
    state: Vec<[f64; L]>,
}

#[differentiable]
fn log_sum_exp(xs: impl Iterator<Item = f64> + Clone) -> f64 {
    let m = xs.clone().fold(f64::NEG_INFINITY, f64::max);
    m + xs.map(|x| (x - m).exp()).sum::<f64>().ln()
}

#[differentiable]
impl<const L: usize> Crf<L> {
    fn emission(&self, active: &[usize]) -> [f64; L] {
        let mut e = [0.0; L];
        for &f in active {
            for (s, w) in e.iter_mut().zip(self.state[f]) {
                *s += w;
            }
        }
        e
    }

    fn log_partition(&self, sentence: &[Vec<usize>]) -> f64 {
        let mut alpha = self.start;
        let mut next = [0.0; L];
        for (pos, active) in sentence.iter().enumerate() {
            let emit = self.emission(active);
            for (tag, slot) in next.iter_mut().enumerate() {
                *slot = emit[tag]
                    + if pos == 0 {
                        alpha[tag]
                    } else {
                        log_sum_exp((0..L).map(|prev| alpha[prev] + self.transition[prev][tag]))
                    };
            }
            std::mem::swap(&mut alpha, &mut next);
        }
        log_sum_exp(alpha.iter().copied())
    }

    fn path_score(&self, sentence: &[Vec<usize>], tags: &[usize]) -> f64 {
        let mut score = self.start[tags[0]];
        score += tags.windows(2).map(|w| self.transition[w[0]][w[1]]).sum::<f64>();
        for (active, &tag) in sentence.iter().zip(tags) {
            score += self.emission(active)[tag];
        }
        score
    }

    pub fn neg_log_likelihood(&self, corpus: &[(Vec<Vec<usize>>, Vec<usize>)]) -> f64 {
        corpus.iter().map(|(words, tags)| self.log_partition(words) - self.path_score(words, tags)).sum()
    }
}

#[cfg(test)]
pub(crate) const X: &[f64] = &[
    0.2, -0.1, 0.3, // start
    0.5, -0.4, 0.1, 0.3, 0.6, -0.2, -0.5, 0.2, 0.4, // transition
    0.9, -0.3, 0.2, -0.6, 0.7, 0.1, 0.4, 0.15, -0.8, 0.05, -0.25, 0.55, // state
];
#[cfg(test)]
fn crf(x: &[f64]) -> Crf<3> {
    let row = |i: usize| [x[i], x[i + 1], x[i + 2]];
    Crf { start: row(0), transition: [row(3), row(6), row(9)], state: (12..24).step_by(3).map(row).collect() }
}
#[cfg(test)]
fn corpus() -> Vec<(Vec<Vec<usize>>, Vec<usize>)> {
    vec![
        (vec![vec![0, 3], vec![1], vec![2, 3], vec![1, 2]], vec![0, 1, 2, 1]),
        (vec![vec![1], vec![], vec![0, 2]], vec![2, 0, 0]),
    ]
}
#[cfg(test)]
pub(crate) fn value(x: &[f64]) -> f64 {
    crf(x).neg_log_likelihood(&corpus())
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(value(X).is_finite());
}

#[cfg(test)]
#[test]
fn exact() {
    let flat = |c: Crf<3>| -> Vec<f64> {
        let mut all = c.start.to_vec();
        all.extend(c.transition.concat());
        all.extend(c.state.concat());
        all
    };
    super::harness::check(
        "crf",
        X,
        value,
        |x| {
            let mut d = crf(&[0.0; 24]);
            let f = crf(x).neg_log_likelihood_grad(&corpus(), &mut d);
            (f, flat(d))
        },
        |x, v| {
            let mut h = crf(&[0.0; 24]);
            crf(x).neg_log_likelihood_hvp(&corpus(), &crf(v), &mut h);
            flat(h)
        },
    );
}
