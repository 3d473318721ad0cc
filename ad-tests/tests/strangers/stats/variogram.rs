//! Variogram fit with Cressie's weights: an enum of models with a method, guards on the distance.
use ad_runtime::differentiable;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Model {
    Spherical,
    Exponential,
    Gaussian,
    Power { tenths: u8 },
}

#[differentiable]
impl Model {
    fn rise(self, distance: f64, range: f64) -> f64 {
        let h = distance / range;
        match self {
            Model::Spherical if h >= 1.0 => 1.0,
            Model::Spherical => 1.5 * h - 0.5 * h.powi(3),
            Model::Exponential => -(-3.0 * h).exp_m1(),
            Model::Gaussian => 1.0 - (-3.0 * h * h).exp(),
            Model::Power { tenths } => h.powf(tenths as f64 / 10.0),
        }
    }
}

struct Lag {
    distance: f64,
    semivariance: f64,
    pairs: usize,
}

#[differentiable]
fn variogram(nugget: f64, sills: [f64; 2], ranges: [f64; 2], models: [Model; 2], lags: &[Lag]) -> f64 {
    let gamma = |distance: f64| -> f64 {
        let mut g = nugget;
        for ((sill, range), model) in sills.into_iter().zip(ranges).zip(models) {
            g += sill * model.rise(distance, range);
        }
        g
    };
    lags.iter()
        .filter(|lag| lag.pairs >= 5)
        .map(|&Lag { distance, semivariance, pairs }| {
            let excess = semivariance / gamma(distance) - 1.0;
            pairs as f64 * excess * excess
        })
        .sum()
}

const LAGS: [Lag; 7] = [
    Lag { distance: 0.3, semivariance: 0.5, pairs: 9 },
    Lag { distance: 0.8, semivariance: 0.7, pairs: 14 },
    Lag { distance: 1.4, semivariance: 1.2, pairs: 17 },
    Lag { distance: 2.1, semivariance: 1.3, pairs: 12 },
    Lag { distance: 2.9, semivariance: 1.6, pairs: 8 },
    Lag { distance: 3.6, semivariance: 1.4, pairs: 6 },
    Lag { distance: 4.4, semivariance: 9.9, pairs: 2 },
];

#[test]
fn exact() {
    let pairs = [
        [Model::Spherical, Model::Exponential],
        [Model::Gaussian, Model::Spherical],
        [Model::Power { tenths: 13 }, Model::Gaussian],
    ];
    for m in pairs {
        super::harness::check(
            "variogram",
            &[0.3, 0.6, 0.5, 1.8, 2.5],
            |x| variogram(x[0], [x[1], x[2]], [x[3], x[4]], m, &LAGS),
            |x| {
                let (value, (n, s, r)) = variogram_grad(x[0], [x[1], x[2]], [x[3], x[4]], m, &LAGS);
                (value, vec![n, s[0], s[1], r[0], r[1]])
            },
            |x, v| {
                let (n, s, r) = variogram_hvp(
                    x[0],
                    [x[1], x[2]],
                    [x[3], x[4]],
                    m,
                    &LAGS,
                    v[0],
                    [v[1], v[2]],
                    [v[3], v[4]],
                );
                vec![n, s[0], s[1], r[0], r[1]]
            },
        );
    }
}
