//! Gibbs energy of mixing with the NRTL activity model, in mole numbers (stability analysis needs its Hessian).
use ad_runtime::differentiable;

#[differentiable(wrt(moles))]
fn gibbs_of_mixing(moles: &Vec<f64>, tau: &[Vec<f64>], alpha: f64) -> f64 {
    let total: f64 = moles.iter().sum();
    let x = moles.iter().map(|n| n / total).collect::<Vec<_>>();
    let g: Vec<Vec<f64>> = tau.iter().map(|row| row.iter().map(|t| (-alpha * t).exp()).collect()).collect();
    let ideal: f64 = x.iter().filter(|&&xi| xi > 0.0).map(|&xi| xi * xi.ln()).sum();
    let excess = (0..x.len())
        .map(|i| {
            let (num, den) = x
                .iter()
                .enumerate()
                .fold((0.0, 0.0), |(num, den), (j, xj)| (num + xj * tau[j][i] * g[j][i], den + xj * g[j][i]));
            x[i] * num / den
        })
        .sum::<f64>();
    total * (ideal + excess)
}

#[test]
fn exact() {
    let tau = vec![vec![0.0, 1.3, 0.4], vec![0.9, 0.0, -0.3], vec![1.8, 0.6, 0.0]];
    super::harness::check(
        "nrtl",
        &[0.7, 1.1, 0.5],
        |x| gibbs_of_mixing(&x.to_vec(), &tau, 0.3),
        |x| {
            let mut g = vec![f64::NAN; 3];
            let value = gibbs_of_mixing_grad(&x.to_vec(), &tau, 0.3, &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; 3];
            gibbs_of_mixing_hvp(&x.to_vec(), &tau, 0.3, &v.to_vec(), &mut hv);
            hv
        },
    );
}
