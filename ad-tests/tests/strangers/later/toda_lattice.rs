use ad_runtime::differentiable;

/// Integrates a periodic Toda lattice of `N` sites with velocity Verlet and returns the energy
/// that has arrived in the last bond and the last site.
#[differentiable(wrt(q, p))]
pub fn toda_arrival<const N: usize>(mut q: [f64; N], p: &[f64; N], dt: f64, steps: usize) -> f64 {
    fn force<const N: usize>(q: &[f64; N]) -> [f64; N] {
        std::array::from_fn(|i| {
            let left = q[(i + N - 1) % N];
            let right = q[(i + 1) % N];
            (left - q[i]).exp() - (q[i] - right).exp()
        })
    }

    let mut p = *p;
    let mut f = force(&q);
    for _ in 0..steps {
        for i in 0..N {
            p[i] += 0.5 * dt * f[i];
            q[i] += dt * p[i];
        }
        f = force(&q);
        p.iter_mut().zip(&f).for_each(|(p, f)| *p += 0.5 * dt * f);
    }
    let stretch = q[N - 2] - q[N - 1];
    0.5 * p[N - 1].powi(2) + stretch.exp() - stretch - 1.0
}

#[cfg(test)]
#[test]
fn primal() {
    let q = [0.1, -0.2, 0.3, 0.0, 0.2];
    assert!(toda_arrival(q, &[0.5, 0.1, -0.3, 0.2, -0.4], 0.1, 10).is_finite());
}

#[cfg(test)]
#[test]
fn exact() {
    let part = |x: &[f64], at: usize| -> [f64; 5] { x[at..at + 5].try_into().unwrap() };
    super::harness::check(
        "toda_lattice",
        &[0.1, -0.2, 0.3, 0.0, 0.2, 0.5, 0.1, -0.3, 0.2, -0.4],
        |x| toda_arrival(part(x, 0), &part(x, 5), 0.1, 10),
        |x| {
            let mut gp = [0.0; 5];
            let (value, gq) = toda_arrival_grad(part(x, 0), &part(x, 5), 0.1, 10, &mut gp);
            (value, [gq, gp].concat())
        },
        |x, v| {
            let mut hp = [0.0; 5];
            let hq = toda_arrival_hvp(part(x, 0), &part(x, 5), 0.1, 10, part(v, 0), &part(v, 5), &mut hp);
            [hq, hp].concat()
        },
    );
}
