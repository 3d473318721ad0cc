// Composition benchmark in the manner of the CEC competitions.
use ad_runtime::differentiable;
use std::f64::consts;

#[derive(Clone, Copy, PartialEq)]
pub enum Basic {
    Griewank,
    Zakharov,
    Salomon,
    DixonPrice,
}

struct Component {
    kind: Basic,
    lambda: f64,
    sigma: f64,
    bias: f64,
    shift: [f64; 4],
}

const COMPONENTS: [Component; 4] = [
    Component { kind: Basic::Griewank, lambda: 2.0, sigma: 1.0, bias: 0.0, shift: [0.9, -1.1, 0.2, 1.0] },
    Component { kind: Basic::Zakharov, lambda: 0.3, sigma: 1.5, bias: 0.5, shift: [-0.7, 0.4, 1.3, -0.5] },
    Component { kind: Basic::Salomon, lambda: 0.5, sigma: 1.2, bias: 1.0, shift: [0.1, 0.8, -0.9, 0.6] },
    Component { kind: Basic::DixonPrice, lambda: 0.6, sigma: 2.0, bias: 1.5, shift: [-1.2, -0.3, 0.1, -0.9] },
];

#[differentiable]
pub fn basic(kind: Basic, z: &Vec<f64>) -> f64 {
    match kind {
        Basic::Griewank => {
            let mut sum = 0.0;
            let mut prod = 1.0;
            for (i, zi) in z.iter().enumerate() {
                sum += zi.powf(2.0) / 4000.0;
                prod *= (zi / ((i + 1) as f64).sqrt()).cos();
            }
            return sum - prod + 1.0;
        }
        Basic::Zakharov => {
            let mut squares: f64 = 0.0;
            let mut linear: f64 = 0.0;
            let mut i: f64 = 1.0;
            z.iter().for_each(|zi| {
                squares += zi.powf(2.0);
                linear += 0.5 * i * zi;
                i += 1.0;
            });
            return squares + linear.powf(2.0) + linear.powf(4.0);
        }
        Basic::Salomon => {
            let r = z.iter().map(|zi| zi.powf(2.0)).sum::<f64>().sqrt();
            return 1.0 - (2.0 * consts::PI * r).cos() + 0.1 * r;
        }
        Basic::DixonPrice => {
            return (z[0] - 1.0).powf(2.0)
                + (1..z.len())
                    .map(|i| (i + 1) as f64 * (2.0 * z[i].powf(2.0) - z[i - 1]).powf(2.0))
                    .sum::<f64>();
        }
    }
}

#[differentiable]
pub fn composition(x: &Vec<f64>) -> f64 {
    if x.len() != 4 {
        panic!("composition only supports four dimensions!");
    }
    let d = x.len() as f64;
    let mut weights: Vec<f64> = Vec::new();
    let mut values: Vec<f64> = Vec::new();
    for c in COMPONENTS.iter() {
        let mut z: Vec<f64> = Vec::with_capacity(x.len());
        let mut dist: f64 = 0.0;
        for i in 0..x.len() {
            let diff = x[i] - c.shift[i];
            dist += diff.powf(2.0);
            z.push(c.lambda * diff);
        }
        weights.push((-dist / (2.0 * d * c.sigma.powf(2.0))).exp() / dist.sqrt());
        values.push(basic(c.kind, &z) + c.bias);
    }
    let total: f64 = weights.iter().sum();
    return weights.iter().zip(values.iter()).map(|(w, v)| w / total * v).sum();
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(composition(&vec![0.3, -0.6, 0.8, 0.15]).is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "composition",
        &[0.3, -0.6, 0.8, 0.15],
        |x| composition(&x.to_vec()),
        |x| {
            let mut g = vec![0.0; 4];
            let f = composition_grad(&x.to_vec(), &mut g);
            (f, g)
        },
        |x, v| {
            let mut h = vec![0.0; 4];
            composition_hvp(&x.to_vec(), &v.to_vec(), &mut h);
            h
        },
    );
}
