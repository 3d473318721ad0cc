use ad_runtime::differentiable;
use nalgebra::{DMatrix, DVector};

/// Negative log-evidence of Bayesian linear regression on radial basis functions with learned centres.
#[differentiable(wrt(log_alpha, log_beta, centers))]
fn negative_log_evidence(
    log_alpha: f64,
    log_beta: f64,
    centers: &[f64],
    x: &[f64],
    t: &DVector<f64>,
) -> Option<f64> {
    let (alpha, beta) = (log_alpha.exp(), log_beta.exp());
    let (n, m) = (x.len(), centers.len());
    let phi = DMatrix::from_fn(n, m, |i, j| (-(x[i] - centers[j]).powi(2)).exp());
    let a = DMatrix::identity(m, m) * alpha + phi.transpose() * &phi * beta;
    let factor = a.cholesky()?;
    let mean = factor.solve(&(phi.transpose() * t)) * beta;
    let residual = t - &phi * &mean;
    let log_det = 2.0 * factor.l().diagonal().iter().map(|d| d.ln()).sum::<f64>();
    let energy = 0.5 * beta * residual.norm_squared() + 0.5 * alpha * mean.dot(&mean);
    Some(
        energy + 0.5 * log_det
            - 0.5 * m as f64 * log_alpha
            - 0.5 * n as f64 * (log_beta - std::f64::consts::TAU.ln()),
    )
}

const X: [f64; 6] = [-1.4, -0.7, -0.1, 0.5, 1.2, 1.8];
fn targets() -> DVector<f64> {
    DVector::from_vec(vec![0.2, 0.8, 0.5, -0.4, -0.9, -0.1])
}
fn point() -> Vec<f64> {
    vec![-0.3, 0.9, -0.8, 0.3, 1.1]
}
fn value(x: &[f64]) -> f64 {
    negative_log_evidence(x[0], x[1], &x[2..], &X, &targets()).unwrap()
}
#[test]
fn exact() {
    let t = targets();
    crate::harness::check(
        "evidence",
        &point(),
        value,
        |x| {
            let mut g = vec![f64::NAN; x.len()];
            let (value, (a, b)) =
                negative_log_evidence_grad(x[0], x[1], &x[2..], &X, &t, &mut g[2..]).unwrap();
            g[0] = a;
            g[1] = b;
            (value, g)
        },
        |x, v| {
            let mut h = vec![f64::NAN; x.len()];
            let (a, b) =
                negative_log_evidence_hvp(x[0], x[1], &x[2..], &X, &t, v[0], v[1], &v[2..], &mut h[2..])
                    .unwrap();
            h[0] = a;
            h[1] = b;
            h
        },
    );
}
