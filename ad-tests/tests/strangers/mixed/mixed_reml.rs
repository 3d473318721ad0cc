//! REML criterion of a linear mixed model with a random intercept per group.
use ad_runtime::differentiable;
use ndarray::{Array1, Array2, ArrayView1, Axis};

pub struct Group {
    pub x: Array2<f64>,
    pub y: Array1<f64>,
}

#[differentiable]
fn cholesky(a: &Array2<f64>) -> Option<Array2<f64>> {
    let n = a.nrows();
    let mut l = Array2::<f64>::zeros((n, n));
    for j in 0..n {
        for i in j..n {
            let mut s = a[[i, j]];
            for k in 0..j {
                s -= l[[i, k]] * l[[j, k]];
            }
            if i == j {
                if s <= 0.0 {
                    return None;
                }
                l[[j, j]] = s.sqrt();
            } else {
                l[[i, j]] = s / l[[j, j]];
            }
        }
    }
    Some(l)
}

#[differentiable]
fn forward_substitute(l: &Array2<f64>, b: &Array1<f64>) -> Array1<f64> {
    let mut x = b.clone();
    for i in 0..x.len() {
        for k in 0..i {
            x[i] = x[i] - l[[i, k]] * x[k];
        }
        x[i] /= l[[i, i]];
    }
    x
}

/// `theta`: logarithms of the residual and of the group standard deviation.
#[differentiable(wrt(theta))]
pub fn reml_criterion(theta: ArrayView1<f64>, groups: &[Group]) -> Option<f64> {
    let sigma2 = (2.0 * theta[0]).exp();
    let tau2 = (2.0 * theta[1]).exp();
    let p = groups.first()?.x.ncols();

    let mut xvx = Array2::<f64>::zeros((p, p));
    let mut xvy = Array1::<f64>::zeros(p);
    let mut yvy = 0.0;
    let mut log_det = 0.0;
    let mut count = 0;
    for g in groups {
        let n = g.y.len() as f64;
        let shrink = tau2 / (sigma2 + n * tau2);
        let sx = g.x.sum_axis(Axis(0));
        let sy = g.y.sum();
        let outer = sx.view().insert_axis(Axis(1)).dot(&sx.view().insert_axis(Axis(0)));
        xvx = xvx + (g.x.t().dot(&g.x) - outer * shrink) / sigma2;
        xvy = xvy + (g.x.t().dot(&g.y) - &sx * (sy * shrink)) / sigma2;
        yvy += (g.y.dot(&g.y) - shrink * sy * sy) / sigma2;
        log_det += (n - 1.0) * sigma2.ln() + (sigma2 + n * tau2).ln();
        count += g.y.len();
    }

    let l = cholesky(&xvx)?;
    let w = forward_substitute(&l, &xvy);
    log_det += 2.0 * l.diag().mapv(f64::ln).sum();
    Some((log_det + yvy - w.dot(&w)) / (count - p) as f64)
}

#[cfg(test)]
const X: [f64; 2] = [-0.2, -0.5];

#[cfg(test)]
fn groups() -> Vec<Group> {
    use ndarray::array;
    vec![
        Group { x: array![[1.0, 0.2], [1.0, 0.9], [1.0, -0.4]], y: array![1.3, 2.4, 0.2] },
        Group { x: array![[1.0, -1.1], [1.0, 0.5]], y: array![-1.2, 0.4] },
        Group { x: array![[1.0, 0.7], [1.0, -0.3], [1.0, 1.4], [1.0, 0.1]], y: array![2.3, 0.4, 2.2, 1.9] },
    ]
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(reml_criterion(ArrayView1::from(&X), &groups()).unwrap().is_finite());
}

#[test]
fn exact() {
    let data = groups();
    super::harness::check(
        "mixed_reml",
        &X,
        |x| reml_criterion(ArrayView1::from(x), &data).unwrap(),
        |x| {
            let mut d = Array1::zeros(2);
            let f = reml_criterion_grad(ArrayView1::from(x), &data, d.view_mut()).unwrap();
            (f, d.to_vec())
        },
        |x, v| {
            let mut h = Array1::zeros(2);
            reml_criterion_hvp(ArrayView1::from(x), &data, ArrayView1::from(v), h.view_mut()).unwrap();
            h.to_vec()
        },
    );
}
