//! SimCLR's normalised temperature-scaled cross entropy behind a one-layer projection head.
use ad_runtime::{Differentiable, differentiable};
use ndarray::{Array1, Array2, Axis, concatenate};

#[derive(Clone, Debug, PartialEq, Differentiable)]
pub struct Projection {
    pub weight: Array2<f64>,
    pub bias: Array1<f64>,
}

impl Projection {
    pub fn zeros(inputs: usize, outputs: usize) -> Self {
        Self { weight: Array2::zeros((inputs, outputs)), bias: Array1::zeros(outputs) }
    }

    #[differentiable(wrt(self))]
    pub fn forward(&self, x: &Array2<f64>) -> Array2<f64> {
        (x.dot(&self.weight) + &self.bias).mapv(f64::tanh)
    }
}

#[differentiable]
fn normalize_rows(mut z: Array2<f64>) -> Array2<f64> {
    for mut row in z.rows_mut() {
        let norm = row.dot(&row).sqrt();
        row /= norm;
    }
    z
}

#[differentiable(wrt(head))]
pub fn nt_xent(head: &Projection, view_a: &Array2<f64>, view_b: &Array2<f64>, temperature: f64) -> f64 {
    let n = view_a.nrows();
    let z = concatenate![Axis(0), head.forward(view_a), head.forward(view_b)];
    let z = normalize_rows(z);
    let sim = z.dot(&z.t()) / temperature;

    let mut loss = 0.0;
    for (i, row) in sim.axis_iter(Axis(0)).enumerate() {
        let positive = (i + n) % (2 * n);
        let denominator: f64 = row.iter().enumerate().filter(|&(j, _)| j != i).map(|(_, s)| s.exp()).sum();
        loss += denominator.ln() - row[positive];
    }
    loss / (2 * n) as f64
}

#[cfg(test)]
const X: [f64; 9] = [0.5, -0.3, 0.8, 0.6, -0.9, 0.4, 0.1, -0.2, 0.3];

#[cfg(test)]
fn head(x: &[f64]) -> Projection {
    Projection {
        weight: Array2::from_shape_vec((2, 3), x[..6].to_vec()).unwrap(),
        bias: Array1::from(x[6..].to_vec()),
    }
}

#[cfg(test)]
fn views() -> (Array2<f64>, Array2<f64>) {
    (
        ndarray::array![[1.0, 0.4], [-0.8, 0.9], [0.3, -1.2]],
        ndarray::array![[0.8, 0.6], [-1.0, 0.7], [0.5, -1.0]],
    )
}

#[cfg(test)]
#[test]
fn primal() {
    let (a, b) = views();
    assert!(nt_xent(&head(&X), &a, &b, 0.7).is_finite());
}

#[test]
fn exact() {
    let (a, b) = views();
    let flat = |p: &Projection| p.weight.iter().chain(&p.bias).copied().collect::<Vec<f64>>();
    super::harness::check(
        "nt_xent",
        &X,
        |x| nt_xent(&head(x), &a, &b, 0.7),
        |x| {
            let mut d = Projection::zeros(2, 3);
            let f = nt_xent_grad(&head(x), &a, &b, 0.7, &mut d);
            (f, flat(&d))
        },
        |x, v| {
            let mut h = Projection::zeros(2, 3);
            nt_xent_hvp(&head(x), &a, &b, 0.7, &head(v), &mut h);
            flat(&h)
        },
    );
}
