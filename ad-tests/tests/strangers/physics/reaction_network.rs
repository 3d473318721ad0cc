//! Mass-action kinetics with Arrhenius rates: fit of rate parameters to measured concentrations (Heun steps).
use ad_runtime::{Differentiable, differentiable};

struct Reaction {
    reactants: Vec<(usize, i32)>,
    products: Vec<(usize, i32)>,
}

struct Sample {
    after_steps: usize,
    species: usize,
    concentration: f64,
}

#[derive(Clone, Debug, Differentiable)]
struct Kinetics {
    log_prefactor: Vec<f64>,
    activation: Vec<f64>,
}

#[differentiable]
fn rates(concentrations: &[f64], constants: &[f64], network: &[Reaction]) -> Vec<f64> {
    let mut change = vec![0.0; concentrations.len()];
    for (reaction, &k) in network.iter().zip(constants) {
        let flux =
            k * reaction.reactants.iter().map(|&(s, order)| concentrations[s].powi(order)).product::<f64>();
        for &(s, n) in &reaction.reactants {
            change[s] -= f64::from(n) * flux;
        }
        for &(s, n) in &reaction.products {
            change[s] += f64::from(n) * flux;
        }
    }
    change
}

#[differentiable(wrt(kinetics))]
fn kinetic_fit(
    kinetics: &Kinetics,
    network: &[Reaction],
    start: &[f64],
    samples: &[Sample],
    temperature: f64,
    dt: f64,
) -> f64 {
    let constants: Vec<f64> = kinetics
        .log_prefactor
        .iter()
        .zip(kinetics.activation.iter())
        .map(|(a, e)| (a - e / temperature).exp())
        .collect();
    let last = samples.iter().map(|s| s.after_steps).max().unwrap_or(0);
    let mut history = Vec::with_capacity(last + 1);
    history.push(start.to_vec());
    for step in 0..last {
        let c = &history[step];
        let k1 = rates(c, &constants, network);
        let predictor: Vec<f64> = c.iter().zip(&k1).map(|(c, k)| c + dt * k).collect();
        let k2 = rates(&predictor, &constants, network);
        let next = c.iter().zip(k1.iter().zip(&k2)).map(|(c, (a, b))| c + 0.5 * dt * (a + b)).collect();
        history.push(next);
    }
    samples.iter().map(|s| (history[s.after_steps][s.species].ln() - s.concentration.ln()).powi(2)).sum()
}

#[test]
fn exact() {
    let k = |x: &[f64]| Kinetics { log_prefactor: x[..3].to_vec(), activation: x[3..].to_vec() };
    let flat = |k: &Kinetics| [k.log_prefactor.clone(), k.activation.clone()].concat();
    // 2 A -> B, B + C -> D, D -> A + C
    let network = [
        Reaction { reactants: vec![(0, 2)], products: vec![(1, 1)] },
        Reaction { reactants: vec![(1, 1), (2, 1)], products: vec![(3, 1)] },
        Reaction { reactants: vec![(3, 1)], products: vec![(0, 1), (2, 1)] },
    ];
    let samples = [
        Sample { after_steps: 4, species: 0, concentration: 0.7 },
        Sample { after_steps: 6, species: 1, concentration: 0.4 },
        Sample { after_steps: 10, species: 3, concentration: 0.2 },
        Sample { after_steps: 10, species: 2, concentration: 0.5 },
    ];
    let start = [1.0, 0.2, 0.8, 0.1];
    super::harness::check(
        "reaction_network",
        &[0.8, 0.5, 0.1, 0.6, 0.9, 0.4],
        |x| kinetic_fit(&k(x), &network, &start, &samples, 1.3, 0.08),
        |x| {
            let mut g = k(&[f64::NAN; 6]);
            let value = kinetic_fit_grad(&k(x), &network, &start, &samples, 1.3, 0.08, &mut g);
            (value, flat(&g))
        },
        |x, v| {
            let mut hv = k(&[f64::NAN; 6]);
            kinetic_fit_hvp(&k(x), &network, &start, &samples, 1.3, 0.08, &k(v), &mut hv);
            flat(&hv)
        },
    );
}
