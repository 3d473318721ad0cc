use ad_runtime::{Differentiable, differentiable};
use ndarray::{Array1, Array2, ArrayView1, array, s};

/// The three gates (update, reset, candidate) stacked in the rows.
#[derive(Clone, Debug, Differentiable)]
struct Gru {
    input: Array2<f64>,
    recurrent: Array2<f64>,
    bias: Array1<f64>,
    readout: Array1<f64>,
}

#[differentiable]
fn logistic(x: f64) -> f64 {
    0.5 * (1.0 + (0.5 * x).tanh())
}

#[differentiable]
impl Gru {
    fn advance(&self, h: &Array1<f64>, x: ArrayView1<f64>) -> Array1<f64> {
        let n = h.len();
        let from_input = self.input.dot(&x) + &self.bias;
        let gates =
            (&from_input.slice(s![..2 * n]) + &self.recurrent.slice(s![..2 * n, ..]).dot(h)).mapv(logistic);
        let (update, reset) = (gates.slice(s![..n]), gates.slice(s![n..]));
        let candidate = (&from_input.slice(s![2 * n..])
            + &self.recurrent.slice(s![2 * n.., ..]).dot(&(&reset * h)))
            .mapv(f64::tanh);
        &update * h + (1.0 - &update) * candidate
    }
}

/// Binary cross-entropy of a sequence classifier.
#[differentiable(wrt(gru))]
fn classify_loss(gru: &Gru, sequences: &[Array2<f64>], labels: &[bool]) -> f64 {
    let mut loss = 0.0;
    for (sequence, &label) in sequences.iter().zip(labels) {
        let mut h = Array1::zeros(gru.readout.len());
        for x in sequence.outer_iter() {
            h = gru.advance(&h, x);
        }
        let p = logistic(gru.readout.dot(&h));
        loss -= if label { p.ln() } else { (1.0 - p).ln() };
    }
    loss
}

fn data() -> ([Array2<f64>; 2], [bool; 2]) {
    ([array![[0.5, -0.2], [0.9, 0.7], [-0.4, 1.1]], array![[-0.3, 0.6], [0.8, -1.2]]], [true, false])
}
fn unpack(x: &[f64]) -> Gru {
    Gru {
        input: Array2::from_shape_vec((6, 2), x[..12].to_vec()).unwrap(),
        recurrent: Array2::from_shape_vec((6, 2), x[12..24].to_vec()).unwrap(),
        bias: Array1::from(x[24..30].to_vec()),
        readout: Array1::from(x[30..].to_vec()),
    }
}
fn pack(p: &Gru) -> Vec<f64> {
    p.input.iter().chain(&p.recurrent).chain(&p.bias).chain(&p.readout).copied().collect()
}
fn point() -> Vec<f64> {
    (0..32).map(|i| (1.9 * i as f64 + 0.1).sin() * 0.9).collect()
}
fn value(x: &[f64]) -> f64 {
    let (sequences, labels) = data();
    classify_loss(&unpack(x), &sequences, &labels)
}
#[test]
fn exact() {
    let (sequences, labels) = data();
    crate::harness::check(
        "gru",
        &point(),
        value,
        |x| {
            let mut g = unpack(&vec![f64::NAN; x.len()]);
            let value = classify_loss_grad(&unpack(x), &sequences, &labels, &mut g);
            (value, pack(&g))
        },
        |x, v| {
            let mut hv = unpack(&vec![f64::NAN; x.len()]);
            classify_loss_hvp(&unpack(x), &sequences, &labels, &unpack(v), &mut hv);
            pack(&hv)
        },
    );
}
