//! SEIR epidemic with Runge-Kutta steps and a Poisson likelihood of weekly cases: closures over arrays, from_fn.
use ad_runtime::differentiable;
use std::array;

const STEPS_PER_WEEK: usize = 4;

#[differentiable(wrt(r0, latent, infectious, seed))]
fn seir(r0: f64, latent: f64, infectious: f64, seed: f64, cases: &[u32], population: f64) -> f64 {
    let gamma = infectious.recip();
    let sigma = latent.recip();
    let beta = r0 * gamma;
    // susceptible, exposed, infectious, cumulative incidence
    let rates = |[s, e, i, _]: [f64; 4]| {
        let infection = beta * s * i / population;
        let onset = sigma * e;
        [-infection, infection - onset, onset - gamma * i, onset]
    };
    let axpy = |x: [f64; 4], h: f64, d: [f64; 4]| -> [f64; 4] { array::from_fn(|k| x[k] + h * d[k]) };
    let h = 1.0 / STEPS_PER_WEEK as f64;
    let step = |x: [f64; 4]| {
        let k1 = rates(x);
        let k2 = rates(axpy(x, 0.5 * h, k1));
        let k3 = rates(axpy(x, 0.5 * h, k2));
        let k4 = rates(axpy(x, h, k3));
        axpy(x, h / 6.0, array::from_fn(|k| k1[k] + 2.0 * (k2[k] + k3[k]) + k4[k]))
    };

    let mut state = [population - seed, 0.5 * seed, 0.5 * seed, 0.0];
    let mut deviance = 0.0;
    for &observed in cases {
        let before = state[3];
        for _ in 0..STEPS_PER_WEEK {
            state = step(state);
        }
        let expected = state[3] - before;
        let y = f64::from(observed);
        deviance += 2.0 * (expected - y);
        if observed > 0 {
            deviance += 2.0 * y * (y / expected).ln();
        }
    }
    deviance
}

const CASES: [u32; 7] = [3, 4, 6, 8, 9, 12, 9];

#[test]
fn exact() {
    super::harness::check(
        "seir",
        &[2.2, 1.3, 1.6, 5.0],
        |x| seir(x[0], x[1], x[2], x[3], &CASES, 150.0),
        |x| {
            let (value, (a, b, c, d)) = seir_grad(x[0], x[1], x[2], x[3], &CASES, 150.0);
            (value, vec![a, b, c, d])
        },
        |x, v| {
            let (a, b, c, d) = seir_hvp(x[0], x[1], x[2], x[3], &CASES, 150.0, v[0], v[1], v[2], v[3]);
            vec![a, b, c, d]
        },
    );
}
