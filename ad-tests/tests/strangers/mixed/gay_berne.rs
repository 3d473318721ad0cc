use ad_runtime::{Differentiable, differentiable};
use nalgebra::Vector3;

/// Uniaxial particle; `axis` need not be normalised.
#[derive(Clone, Debug, Differentiable)]
pub struct Ellipsoid {
    pub center: Vector3<f64>,
    pub axis: Vector3<f64>,
}

/// Gay-Berne GB(kappa, kappa', mu, nu) model in reduced units.
#[derive(Clone, Debug, Differentiable)]
pub struct GayBerne {
    chi: f64,
    chi_prime: f64,
    mu: i32,
    nu: f64,
    cutoff: f64,
}

impl GayBerne {
    pub fn new(kappa: f64, kappa_prime: f64, mu: i32, nu: f64) -> Self {
        let k2 = kappa * kappa;
        let kp = kappa_prime.powf(1.0 / f64::from(mu));
        GayBerne {
            chi: (k2 - 1.0) / (k2 + 1.0),
            chi_prime: (kp - 1.0) / (kp + 1.0),
            mu,
            nu,
            cutoff: kappa + 2.0,
        }
    }

    #[differentiable]
    fn pair(&self, a: &Ellipsoid, b: &Ellipsoid) -> f64 {
        let sep = a.center - b.center;
        let r = sep.norm();
        if r > self.cutoff {
            return 0.0;
        }
        let rhat = sep / r;
        let u = a.axis.normalize();
        let v = b.axis.normalize();
        let (ru, rv, uv) = (rhat.dot(&u), rhat.dot(&v), u.dot(&v));

        let shape = |chi: f64| {
            1.0 - 0.5 * chi * ((ru + rv).powi(2) / (1.0 + chi * uv) + (ru - rv).powi(2) / (1.0 - chi * uv))
        };
        let sigma = shape(self.chi).sqrt().recip();
        let strength =
            (1.0 - (self.chi * uv).powi(2)).powf(-0.5 * self.nu) * shape(self.chi_prime).powi(self.mu);
        let inv6 = (r - sigma + 1.0).powi(-6);
        4.0 * strength * inv6 * (inv6 - 1.0)
    }

    /// Total energy of a cluster.
    #[differentiable(wrt(bodies))]
    pub fn energy(&self, bodies: &[Ellipsoid]) -> f64 {
        let mut e = 0.0;
        for (i, a) in bodies.iter().enumerate() {
            for b in &bodies[i + 1..] {
                e += self.pair(a, b);
            }
        }
        e
    }
}

#[cfg(test)]
fn cluster(x: &[f64]) -> Vec<Ellipsoid> {
    x.chunks_exact(6)
        .map(|c| Ellipsoid {
            center: Vector3::from_column_slice(&c[..3]),
            axis: Vector3::from_column_slice(&c[3..]),
        })
        .collect()
}

#[cfg(test)]
#[test]
fn primal() {
    let bodies = cluster(&[
        0.0, 0.1, 0.0, 0.1, 0.2, 1.0, 1.25, 0.0, 0.3, -0.2, 0.3, 0.9, 0.4, 1.4, -0.2, 0.3, -0.1, 1.1,
    ]);
    assert!(GayBerne::new(3.0, 5.0, 2, 1.0).energy(&bodies).is_finite());
}

#[test]
fn exact() {
    let gb = GayBerne::new(3.0, 5.0, 2, 1.0);
    let flat = |b: &[Ellipsoid]| -> Vec<f64> {
        b.iter().flat_map(|e| e.center.iter().chain(e.axis.iter()).copied().collect::<Vec<_>>()).collect()
    };
    super::harness::check(
        "gay_berne",
        &[0.0, 0.1, 0.0, 0.1, 0.2, 1.0, 1.25, 0.0, 0.3, -0.2, 0.3, 0.9, 0.4, 1.4, -0.2, 0.3, -0.1, 1.1],
        |x| gb.energy(&cluster(x)),
        |x| {
            let mut g = cluster(&[0.0; 18]);
            let value = gb.energy_grad(&cluster(x), &mut g);
            (value, flat(&g))
        },
        |x, v| {
            let mut h = cluster(&[0.0; 18]);
            gb.energy_hvp(&cluster(x), &cluster(v), &mut h);
            flat(&h)
        },
    );
}
