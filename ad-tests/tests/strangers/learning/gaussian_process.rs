use ad_runtime::differentiable;

/// Lower Cholesky factor, or `None` if the matrix is not positive definite.
#[differentiable]
fn cholesky(a: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let n = a.len();
    let mut l = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = l[i][..j].iter().zip(&l[j][..j]).map(|(p, q)| p * q).sum();
            let rest = a[i][j] - dot;
            l[i][j] = if i == j { (rest > 0.0).then(|| rest.sqrt())? } else { rest / l[j][j] };
        }
    }
    Some(l)
}

#[differentiable]
fn forward_substitute(l: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let mut z: Vec<f64> = Vec::with_capacity(b.len());
    for (row, &b) in l.iter().zip(b) {
        let known: f64 = row.iter().zip(z.iter()).map(|(l, z)| l * z).sum();
        z.push((b - known) / row[z.len()]);
    }
    z
}

/// Negative log marginal likelihood of a GP with a Matérn 5/2 kernel and a constant mean.
#[differentiable(wrt(log_length, log_signal, log_noise, mean))]
fn gp_nlml(log_length: f64, log_signal: f64, log_noise: f64, mean: f64, x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() {
        return None;
    }
    let length = log_length.exp();
    let variance = (2.0 * log_signal).exp();
    let matern = |a: f64, b: f64| {
        let r = 5f64.sqrt() * (a - b).abs() / length;
        variance * (1.0 + r + r * r / 3.0) * (-r).exp()
    };
    let gram: Vec<Vec<f64>> = x
        .iter()
        .enumerate()
        .map(|(i, &a)| {
            let mut row: Vec<f64> = x.iter().map(|&b| matern(a, b)).collect();
            row[i] += (2.0 * log_noise).exp();
            row
        })
        .collect();
    let l = cholesky(&gram)?;
    let centred: Vec<f64> = y.iter().map(|y| y - mean).collect();
    let z = forward_substitute(&l, &centred);
    let quadratic: f64 = z.iter().map(|z| z * z).sum();
    let half_log_det: f64 = (0..l.len()).map(|i| l[i][i].ln()).sum();
    Some(0.5 * quadratic + half_log_det + 0.5 * x.len() as f64 * std::f64::consts::TAU.ln())
}

const X: [f64; 5] = [-1.2, -0.3, 0.4, 1.1, 2.0];
const Y: [f64; 5] = [0.7, 0.1, -0.6, 0.2, 1.1];
fn point() -> Vec<f64> {
    vec![-0.2, 0.1, -0.9, 0.25]
}
fn value(x: &[f64]) -> f64 {
    gp_nlml(x[0], x[1], x[2], x[3], &X, &Y).unwrap()
}
#[test]
fn exact() {
    crate::harness::check(
        "gaussian_process",
        &point(),
        value,
        |x| {
            let (value, (a, b, c, d)) = gp_nlml_grad(x[0], x[1], x[2], x[3], &X, &Y).unwrap();
            (value, vec![a, b, c, d])
        },
        |x, v| {
            let (a, b, c, d) = gp_nlml_hvp(x[0], x[1], x[2], x[3], &X, &Y, v[0], v[1], v[2], v[3]).unwrap();
            vec![a, b, c, d]
        },
    );
}
