//! Cox partial likelihood with Efron's ties: references sorted by time, chunk_by.
use ad_runtime::differentiable;

#[derive(Clone, Debug)]
struct Subject {
    time: f64,
    died: bool,
    covariates: Vec<f64>,
}

#[differentiable(wrt(beta))]
fn cox_efron(beta: &[f64], cohort: &[Subject]) -> f64 {
    let mut by_time: Vec<&Subject> = cohort.iter().collect();
    by_time.sort_by(|a, b| b.time.total_cmp(&a.time));

    let mut at_risk = 0.0;
    let mut loglik = 0.0;
    for tied in by_time.chunk_by(|a, b| a.time == b.time) {
        let mut deaths = 0usize;
        let mut dying = 0.0;
        for subject in tied {
            let eta: f64 = subject.covariates.iter().zip(beta).map(|(x, b)| x * b).sum();
            let hazard = eta.exp();
            at_risk += hazard;
            if subject.died {
                deaths += 1;
                dying += hazard;
                loglik += eta;
            }
        }
        loglik -= (0..deaths).map(|l| (at_risk - l as f64 / deaths as f64 * dying).ln()).sum::<f64>();
    }
    -loglik
}

fn cohort() -> Vec<Subject> {
    [
        (3.0, true, [0.5, -1.0]),
        (1.0, true, [1.2, 0.3]),
        (5.0, false, [-0.4, 0.8]),
        (3.0, true, [-0.9, 0.1]),
        (2.0, false, [0.3, 0.3]),
        (4.0, true, [0.7, -0.6]),
        (3.0, false, [0.1, 1.1]),
    ]
    .into_iter()
    .map(|(time, died, x)| Subject { time, died, covariates: x.to_vec() })
    .collect()
}

#[test]
fn exact() {
    let data = cohort();
    super::harness::check(
        "cox_efron",
        &[0.4, -0.7],
        |x| cox_efron(x, &data),
        |x| {
            let mut g = vec![f64::NAN; 2];
            let value = cox_efron_grad(x, &data, &mut g);
            (value, g)
        },
        |x, v| {
            let mut h = vec![f64::NAN; 2];
            cox_efron_hvp(x, &data, v, &mut h);
            h
        },
    );
}
