//! Spatial autoregressive model: log determinant by pivoted elimination with swap and split_at_mut.
use ad_runtime::differentiable;

#[differentiable]
fn ln_abs_det(mut a: Vec<Vec<f64>>) -> f64 {
    let n = a.len();
    let mut ln_det = 0.0;
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().partial_cmp(&a[j][k].abs()).unwrap()).unwrap();
        a.swap(k, pivot);
        let (done, below) = a.split_at_mut(k + 1);
        let top = &done[k];
        ln_det += top[k].abs().ln();
        for row in below {
            let factor = row[k] / top[k];
            for (r, t) in row[k..].iter_mut().zip(&top[k..]) {
                *r -= factor * t;
            }
        }
    }
    ln_det
}

/// y = rho W y + X beta + e, concentrated in the variance.
#[differentiable(wrt(rho, beta))]
fn sar(rho: f64, beta: &[f64], w: &[Vec<f64>], x: &[Vec<f64>], y: &[f64]) -> f64 {
    let n = y.len();
    let filter: Vec<Vec<f64>> =
        (0..n).map(|i| (0..n).map(|j| f64::from(i == j) - rho * w[i][j]).collect()).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let rss: f64 = filter.iter().zip(x).map(|(f, xi)| dot(f, y) - dot(xi, beta)).map(|e| e * e).sum();
    0.5 * n as f64 * (rss / n as f64).ln() - ln_abs_det(filter)
}

fn weights() -> Vec<Vec<f64>> {
    vec![
        vec![0.0, 0.5, 0.5, 0.0, 0.0],
        vec![0.4, 0.0, 0.3, 0.3, 0.0],
        vec![0.2, 0.3, 0.0, 0.2, 0.3],
        vec![0.0, 0.6, 0.4, 0.0, 0.0],
        vec![0.0, 0.0, 1.0, 0.0, 0.0],
    ]
}
fn design() -> Vec<Vec<f64>> {
    [0.3, -0.9, 1.4, 0.5, -0.2].iter().map(|&z| vec![1.0, z]).collect()
}
const Y: [f64; 5] = [1.2, -0.4, 2.6, 0.3, 0.9];

#[test]
fn exact() {
    let (w, d) = (weights(), design());
    super::harness::check(
        "sar",
        &[0.35, 0.4, 0.8],
        |x| sar(x[0], &x[1..], &w, &d, &Y),
        |x| {
            let mut g = vec![f64::NAN; 2];
            let (value, gr) = sar_grad(x[0], &x[1..], &w, &d, &Y, &mut g);
            g.insert(0, gr);
            (value, g)
        },
        |x, v| {
            let mut h = vec![f64::NAN; 2];
            let hr = sar_hvp(x[0], &x[1..], &w, &d, &Y, v[0], &v[1..], &mut h);
            h.insert(0, hr);
            h
        },
    );
}
