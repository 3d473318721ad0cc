//! Random-intercept logistic regression by Laplace's approximation: a method, with a Newton iteration inside.
use ad_runtime::differentiable;

struct Cluster {
    rows: Vec<[f64; 2]>,
    success: Vec<bool>,
}
struct Trial {
    clusters: Vec<Cluster>,
    tolerance: f64,
}

#[differentiable]
fn ln_1p_exp(z: f64) -> f64 {
    if z > 0.0 { z + (-z).exp().ln_1p() } else { z.exp().ln_1p() }
}

#[differentiable]
fn expit(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

impl Trial {
    #[differentiable]
    fn laplace_nll(&self, beta: &[f64], log_sd: f64) -> f64 {
        let precision = (-2.0 * log_sd).exp();
        let mut nll = 0.0;
        for cluster in &self.clusters {
            let offsets: Vec<f64> =
                cluster.rows.iter().map(|[dose, age]| beta[0] + dose * beta[1] + age * beta[2]).collect();
            // mode of the random intercept
            let mut u = 0.0;
            let mut curvature;
            loop {
                let mut slope = -precision * u;
                curvature = precision;
                for (eta, &ok) in offsets.iter().zip(&cluster.success) {
                    let p = expit(eta + u);
                    slope += if ok { 1.0 - p } else { -p };
                    curvature += p * (1.0 - p);
                }
                let step = slope / curvature;
                u += step;
                if step.abs() < self.tolerance {
                    break;
                }
            }
            let conditional: f64 = offsets
                .iter()
                .zip(cluster.success.iter())
                .map(|(&eta, ok)| match ok {
                    true => -ln_1p_exp(-eta - u),
                    false => -ln_1p_exp(eta + u),
                })
                .sum();
            nll -= conditional - 0.5 * precision * u * u - log_sd - 0.5 * curvature.ln();
        }
        nll
    }
}

fn trial() -> Trial {
    Trial {
        clusters: vec![
            Cluster { rows: vec![[0.1, 0.5], [1.0, -0.2], [0.4, 0.9]], success: vec![true, true, false] },
            Cluster { rows: vec![[0.7, -0.6], [-0.3, 0.2]], success: vec![false, true] },
            Cluster {
                rows: vec![[1.2, 0.1], [0.0, -1.0], [0.6, 0.6], [-0.5, 0.3]],
                success: vec![true, true, true, false],
            },
        ],
        tolerance: 1e-10,
    }
}

#[test]
fn exact() {
    let t = trial();
    super::harness::check(
        "laplace_nll",
        &[0.2, 0.5, -0.3, -0.1],
        |x| t.laplace_nll(&x[..3], x[3]),
        |x| {
            let mut g = vec![f64::NAN; 3];
            let (value, gs) = t.laplace_nll_grad(&x[..3], x[3], &mut g);
            g.push(gs);
            (value, g)
        },
        |x, v| {
            let mut h = vec![f64::NAN; 3];
            let hs = t.laplace_nll_hvp(&x[..3], x[3], &v[..3], v[3], &mut h);
            h.push(hs);
            h
        },
    );
}
