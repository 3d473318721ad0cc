//! One-factor confirmatory factor analysis: nalgebra inside, Option from its Cholesky factorisation.
use ad_runtime::differentiable;
use nalgebra::{Matrix4, Vector4};

/// The maximum likelihood discrepancy ln|Sigma| + tr(S Sigma^-1) - ln|S| - p.
#[differentiable(wrt(loadings, log_uniqueness))]
fn cfa(loadings: [f64; 4], log_uniqueness: [f64; 4], sample: &[[f64; 4]; 4]) -> Option<f64> {
    let lambda = Vector4::from(loadings);
    let psi = Vector4::from_iterator(log_uniqueness.iter().map(|u| u.exp()));
    let sigma = lambda * lambda.transpose() + Matrix4::from_diagonal(&psi);
    let s = Matrix4::from_fn(|i, j| sample[i][j]);

    let factor = sigma.cholesky()?;
    let ln_det = 2.0 * factor.l().diagonal().iter().map(|d| d.ln()).sum::<f64>();
    let reference = s.determinant();
    if reference <= 0.0 {
        return None;
    }
    Some(ln_det + factor.solve(&s).trace() - reference.ln() - 4.0)
}

const S: [[f64; 4]; 4] =
    [[1.1, 0.5, 0.4, 0.3], [0.5, 0.9, 0.45, 0.35], [0.4, 0.45, 1.2, 0.5], [0.3, 0.35, 0.5, 1.0]];
fn halves(x: &[f64]) -> ([f64; 4], [f64; 4]) {
    (x[..4].try_into().unwrap(), x[4..].try_into().unwrap())
}

#[test]
fn exact() {
    super::harness::check(
        "cfa",
        &[0.7, 0.8, 0.6, 0.5, -0.5, -0.8, -0.2, -0.4],
        |x| {
            let (l, u) = halves(x);
            cfa(l, u, &S).unwrap()
        },
        |x| {
            let (l, u) = halves(x);
            let (value, (gl, gu)) = cfa_grad(l, u, &S).unwrap();
            (value, [gl, gu].concat())
        },
        |x, v| {
            let ((l, u), (vl, vu)) = (halves(x), halves(v));
            let (hl, hu) = cfa_hvp(l, u, &S, vl, vu).unwrap();
            [hl, hu].concat()
        },
    );
}
