use ad_runtime::differentiable;

#[differentiable]
fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// Free energy of deterministic annealing after a few soft Lloyd updates of the initial centres.
#[differentiable(wrt(centers))]
fn annealed_energy(centers: &[f64], points: &[f64], dim: usize, betas: &[f64]) -> f64 {
    let clusters = centers.len() / dim;
    let mut current = centers.to_vec();
    let mut energy = 0.0;
    for &beta in betas {
        let mut mass = vec![1e-6; clusters];
        let mut moment = vec![0.0; centers.len()];
        energy = 0.0;
        for p in points.chunks_exact(dim) {
            let boltzmann: Vec<_> =
                current.chunks_exact(dim).map(|c| (-beta * squared_distance(p, c)).exp()).collect();
            let z: f64 = boltzmann.iter().sum();
            energy -= z.ln() / beta;
            for (k, w) in boltzmann.into_iter().enumerate() {
                let r = w / z;
                mass[k] += r;
                moment[k * dim..(k + 1) * dim].iter_mut().zip(p).for_each(|(m, x)| *m += r * x);
            }
        }
        for (c, (m, total)) in current.chunks_exact_mut(dim).zip(moment.chunks_exact(dim).zip(&mass)) {
            for (c, m) in c.iter_mut().zip(m) {
                *c = 0.25 * *c + 0.75 * m / total;
            }
        }
    }
    energy
}

const POINTS: [f64; 12] = [0.1, 0.2, 1.1, 0.7, -0.5, 0.9, 0.8, -0.3, 1.4, 1.0, -0.2, -0.6];
fn point() -> Vec<f64> {
    vec![0.9, 0.6, -0.3, 0.1]
}
fn value(x: &[f64]) -> f64 {
    annealed_energy(x, &POINTS, 2, &[0.5, 0.8, 1.2])
}
#[test]
fn exact() {
    crate::harness::check(
        "soft_kmeans",
        &point(),
        value,
        |x| {
            let mut g = vec![f64::NAN; x.len()];
            let value = annealed_energy_grad(x, &POINTS, 2, &[0.5, 0.8, 1.2], &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; x.len()];
            annealed_energy_hvp(x, &POINTS, 2, &[0.5, 0.8, 1.2], v, &mut hv);
            hv
        },
    );
}
