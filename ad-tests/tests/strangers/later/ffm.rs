use ad_runtime::{Differentiable, differentiable};

#[derive(Clone, Copy, Differentiable)]
pub struct Node {
    pub field: usize,
    pub feature: usize,
    pub value: f64,
}

/// Field-aware factorisation machine, logistic loss; labels are +1 / -1.
/// `w[(feature * n_fields + field) * k ..][.. k]` is the latent vector of `feature` towards `field`.
#[differentiable(wrt(w))]
pub fn ffm_loss(w: &[f64], n_fields: usize, k: usize, rows: &[(f64, Vec<Node>)], lambda: f64) -> f64 {
    let stride = n_fields * k;
    let mut total = 0.0;
    for (label, nodes) in rows {
        let norm: f64 = nodes.iter().map(|n| n.value * n.value).sum();
        let r = 1.0 / norm;
        let mut phi = 0.0;
        for (a, n1) in nodes.iter().enumerate() {
            for n2 in &nodes[a + 1..] {
                let w1 = &w[n1.feature * stride + n2.field * k..][..k];
                let w2 = &w[n2.feature * stride + n1.field * k..][..k];
                let v = n1.value * n2.value * r;
                let mut t = 0.0;
                let mut d = 0;
                while d < k {
                    t += w1[d] * w2[d];
                    d += 1;
                }
                phi += t * v;
            }
        }
        let expnyt = (-label * phi).exp();
        total += expnyt.ln_1p();
    }
    let reg = w.iter().map(|wi| wi.powi(2)).sum::<f64>();
    total / rows.len() as f64 + 0.5 * lambda * reg
}

#[cfg(test)]
pub(crate) const X: &[f64] =
    &[0.6, -0.4, 0.9, 0.3, -0.8, 0.5, 1.1, 0.2, -0.3, 0.7, 0.4, -0.9, 0.1, 0.8, -0.5, 0.6];
#[cfg(test)]
fn rows() -> Vec<(f64, Vec<Node>)> {
    let node = |field, feature, value| Node { field, feature, value };
    vec![
        (1.0, vec![node(0, 0, 1.0), node(1, 2, 0.5)]),
        (-1.0, vec![node(0, 1, 1.0), node(1, 2, 1.5), node(1, 3, 1.0)]),
        (1.0, vec![node(0, 0, 0.7), node(0, 1, 1.0), node(1, 3, -1.2)]),
    ]
}
#[cfg(test)]
pub(crate) fn value(x: &[f64]) -> f64 {
    ffm_loss(x, 2, 2, &rows(), 0.1)
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(value(X).is_finite());
}

#[cfg(test)]
#[test]
fn exact() {
    super::harness::check(
        "ffm",
        X,
        value,
        |x| {
            let mut g = vec![0.0; x.len()];
            let f = ffm_loss_grad(x, 2, 2, &rows(), 0.1, &mut g);
            (f, g)
        },
        |x, v| {
            let mut h = vec![0.0; x.len()];
            ffm_loss_hvp(x, 2, 2, &rows(), 0.1, v, &mut h);
            h
        },
    );
}
