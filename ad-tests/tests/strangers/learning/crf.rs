use ad_runtime::{Differentiable, differentiable};

#[derive(Clone, Debug, Differentiable)]
pub struct Crf {
    start: Vec<f64>,
    /// `labels` rows of feature weights
    emission: Vec<Vec<f64>>,
    /// row-major, from -> to
    transition: Vec<f64>,
}

struct Sentence {
    features: Vec<Vec<f64>>,
    labels: Vec<usize>,
}

#[differentiable]
impl Crf {
    fn labels(&self) -> usize {
        self.start.len()
    }
    fn jump(&self, from: usize, to: usize) -> f64 {
        self.transition[from * self.labels() + to]
    }
    fn emit(&self, label: usize, features: &[f64]) -> f64 {
        self.emission[label].iter().zip(features).map(|(w, f)| w * f).sum()
    }
}

#[differentiable]
fn log_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = terms.clone().fold(f64::MIN, |m, t| m.max(t));
    top + terms.map(|t| (t - top).exp()).sum::<f64>().ln()
}

/// Negative log-likelihood of a linear-chain conditional random field.
#[differentiable(wrt(crf))]
fn crf_nll(crf: &Crf, corpus: &[Sentence]) -> f64 {
    let mut total = 0.0;
    for Sentence { features, labels } in corpus {
        let gold = crf.start[labels[0]]
            + labels.iter().zip(features).map(|(&l, f)| crf.emit(l, f)).sum::<f64>()
            + labels.windows(2).map(|w| crf.jump(w[0], w[1])).sum::<f64>();
        let first: Vec<f64> = (0..crf.labels()).map(|l| crf.start[l] + crf.emit(l, &features[0])).collect();
        let last = features.iter().skip(1).fold(first, |alpha, f| {
            (0..crf.labels())
                .map(|to| {
                    crf.emit(to, f)
                        + log_sum_exp(alpha.iter().enumerate().map(|(from, a)| a + crf.jump(from, to)))
                })
                .collect()
        });
        total += log_sum_exp(last.iter().copied()) - gold;
    }
    total
}

fn corpus() -> Vec<Sentence> {
    vec![
        Sentence {
            features: vec![vec![1.0, 0.3], vec![-0.5, 0.8], vec![0.2, -1.1], vec![0.9, 0.4]],
            labels: vec![0, 2, 1, 1],
        },
        Sentence { features: vec![vec![0.1, -0.6], vec![0.7, 0.7]], labels: vec![1, 0] },
    ]
}
fn unpack(x: &[f64]) -> Crf {
    Crf {
        start: x[..3].to_vec(),
        emission: x[3..9].chunks(2).map(<[f64]>::to_vec).collect(),
        transition: x[9..].to_vec(),
    }
}
fn pack(p: &Crf) -> Vec<f64> {
    p.start.iter().chain(p.emission.iter().flatten()).chain(&p.transition).copied().collect()
}
fn point() -> Vec<f64> {
    (0..18).map(|i| (1.3 * i as f64 + 0.2).sin() * 0.7).collect()
}
fn value(x: &[f64]) -> f64 {
    crf_nll(&unpack(x), &corpus())
}
#[test]
fn exact() {
    let corpus = corpus();
    crate::harness::check(
        "crf",
        &point(),
        value,
        |x| {
            let mut g = unpack(&vec![f64::NAN; x.len()]);
            let value = crf_nll_grad(&unpack(x), &corpus, &mut g);
            (value, pack(&g))
        },
        |x, v| {
            let mut hv = unpack(&vec![f64::NAN; x.len()]);
            crf_nll_hvp(&unpack(x), &corpus, &unpack(v), &mut hv);
            pack(&hv)
        },
    );
}
