//! Backward-Euler heat conduction with unknown cell conductivities: misfit of probe temperatures.
use ad_runtime::differentiable;

/// Thomas algorithm; the solution overwrites `rhs`.
#[differentiable]
fn solve_tridiagonal(lower: &[f64], diag: &[f64], upper: &[f64], rhs: &mut [f64]) {
    let n = diag.len();
    let mut c = vec![0.0; n];
    c[0] = upper[0] / diag[0];
    rhs[0] /= diag[0];
    for i in 1..n {
        let m = 1.0 / (diag[i] - lower[i] * c[i - 1]);
        c[i] = if i + 1 < n { upper[i] * m } else { 0.0 };
        rhs[i] = (rhs[i] - lower[i] * rhs[i - 1]) * m;
    }
    for i in (0..n - 1).rev() {
        rhs[i] -= c[i] * rhs[i + 1];
    }
}

#[differentiable(wrt(log_k))]
fn probe_misfit(
    log_k: &[f64],
    initial: &[f64],
    probes: &[(usize, usize, f64)],
    dt: f64,
    steps: usize,
    beta: f64,
) -> f64 {
    let n = initial.len();
    let dx = 1.0 / n as f64;
    let k: Vec<f64> = log_k.iter().map(|l| l.exp()).collect();
    // harmonic means on the inner faces
    let face: Vec<f64> = k.windows(2).map(|w| 2.0 * w[0] * w[1] / (w[0] + w[1])).collect();
    let r = dt / (dx * dx);
    let (mut lower, mut diag, mut upper) = (vec![0.0; n], vec![1.0; n], vec![0.0; n]);
    for (i, &f) in face.iter().enumerate() {
        upper[i] = -r * f;
        lower[i + 1] = -r * f;
        diag[i] += r * f;
        diag[i + 1] += r * f;
    }
    // fixed temperature to the left, insulated to the right
    diag[0] += 2.0 * r * k[0];

    let mut u = initial.to_vec();
    let mut loss = 0.0;
    for step in 1..=steps {
        u[0] += 2.0 * r * k[0] * 1.0;
        solve_tridiagonal(&lower, &diag, &upper, &mut u);
        loss += probes
            .iter()
            .filter(|(when, _, _)| *when == step)
            .map(|&(_, cell, reading)| (u[cell] - reading).powi(2))
            .sum::<f64>();
    }
    loss + beta * log_k.windows(2).map(|w| (w[1] - w[0]) * (w[1] - w[0])).sum::<f64>()
}

#[test]
fn exact() {
    let initial = [0.1, 0.0, 0.0, 0.2, 0.5, 0.1];
    let probes = [(1, 2, 0.3), (3, 4, 0.2), (3, 1, 0.7), (5, 5, 0.4), (5, 0, 0.8)];
    super::harness::check(
        "heat_inverse",
        &[0.2, -0.4, 0.1, 0.5, -0.3, 0.0],
        |x| probe_misfit(x, &initial, &probes, 0.05, 5, 0.02),
        |x| {
            let mut g = vec![f64::NAN; x.len()];
            let value = probe_misfit_grad(x, &initial, &probes, 0.05, 5, 0.02, &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; x.len()];
            probe_misfit_hvp(x, &initial, &probes, 0.05, 5, 0.02, v, &mut hv);
            hv
        },
    );
}
