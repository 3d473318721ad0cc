//! A panel logit with random intercepts, integrated by quadrature: groups of records, tables of constants.
use ad_runtime::differentiable;

pub struct Observation {
    pub person: u32,
    pub x: [f64; 2],
    pub y: bool,
}

/// Gauss-Hermite rule, (node, weight).
const HERMITE: [(f64, f64); 7] = [
    (-2.651_961_356_835_233_5, 0.000_971_781_245_099_519_2),
    (-1.673_551_628_767_471_4, 0.054_515_582_819_127_03),
    (-0.816_287_882_858_964_7, 0.425_607_252_610_127_8),
    (0.0, 0.810_264_617_556_807_3),
    (0.816_287_882_858_964_7, 0.425_607_252_610_127_8),
    (1.673_551_628_767_471_4, 0.054_515_582_819_127_03),
    (2.651_961_356_835_233_5, 0.000_971_781_245_099_519_2),
];

#[differentiable]
fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

#[differentiable]
fn log_sum_exp(v: &[f64]) -> f64 {
    let max = v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + v.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
}

/// Random-intercept logit integrated by quadrature. `theta` is (intercept, slopes.., log sd of the intercepts);
/// the observations of a person are adjacent.
#[differentiable(wrt(theta))]
pub fn xtlogit(theta: &[f64], panel: &[Observation]) -> f64 {
    let [intercept, b1, b2, log_sd] = theta else {
        panic!("four parameters expected, {} given", theta.len());
    };
    let sd = log_sd.exp();
    panel
        .chunk_by(|a, b| a.person == b.person)
        .map(|person| {
            let at_nodes = HERMITE.map(|(node, weight)| {
                let effect = intercept + std::f64::consts::SQRT_2 * sd * node;
                person
                    .iter()
                    .map(|o| {
                        let eta = effect + b1 * o.x[0] + b2 * o.x[1];
                        log_sigmoid(if o.y { eta } else { -eta })
                    })
                    .sum::<f64>()
                    + weight.ln()
            });
            log_sum_exp(&at_nodes) - 0.5 * std::f64::consts::PI.ln()
        })
        .sum()
}

#[cfg(test)]
fn panel() -> Vec<Observation> {
    [
        (7, 0.4, -1.0, true),
        (7, -0.3, 0.6, true),
        (7, 1.2, 0.2, false),
        (9, -0.8, 0.9, false),
        (9, 0.1, -0.5, false),
        (12, 1.5, 1.1, true),
        (12, 0.7, -0.2, true),
        (12, -1.1, 0.3, true),
        (13, 0.25, 0.8, false),
        (13, -0.6, -1.4, true),
    ]
    .into_iter()
    .map(|(person, a, b, y)| Observation { person, x: [a, b], y })
    .collect()
}
#[cfg(test)]
pub(crate) const X: [f64; 4] = [0.13, 0.57, -0.41, 0.22];
#[cfg(test)]
pub(crate) fn at(x: &[f64]) -> f64 {
    xtlogit(x, &panel())
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(at(&X).is_finite());
}

#[test]
fn exact() {
    let data = panel();
    super::harness::check(
        "logit_panel",
        &X,
        |x| xtlogit(x, &data),
        |x| {
            let mut g = vec![0.0; 4];
            let value = xtlogit_grad(x, &data, &mut g);
            (value, g)
        },
        |x, v| {
            let mut h = vec![0.0; 4];
            xtlogit_hvp(x, &data, v, &mut h);
            h
        },
    );
}
