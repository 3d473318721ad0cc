//! Tangential shear of background galaxies by an NFW halo (Wright & Brainerd 2000).
use ad_runtime::{Differentiable, differentiable};
use num_traits::Float;

#[derive(Debug, Clone, Copy, Differentiable)]
pub struct Halo<T> {
    pub x: T,
    pub y: T,
    /// in units of 10^14 solar masses
    pub mass: T,
    pub concentration: T,
}

#[derive(Debug, Clone, Copy)]
pub struct Galaxy<T> {
    pub x: T,
    pub y: T,
    pub e1: T,
    pub e2: T,
    pub sigma: T,
}

fn lit<T: Float>(value: f64) -> T {
    T::from(value).expect("representable")
}

/// Dimensionless shear at `x = r / r_s`.
#[differentiable]
fn shear_profile<T: Float>(x: T) -> T {
    let one = T::one();
    let x2 = x * x;
    let log_term = lit::<T>(4.0) / x2 * (x / lit::<T>(2.0)).ln();
    if (x - one).abs() < lit::<T>(1e-6) {
        return lit::<T>(10.0) / lit::<T>(3.0) + lit::<T>(4.0) * lit::<T>(0.5).ln();
    }
    let (arc, root) = if x < one {
        (((one - x) / (one + x)).sqrt().atanh(), (one - x2).sqrt())
    } else {
        (((x - one) / (one + x)).sqrt().atan(), (x2 - one).sqrt())
    };
    lit::<T>(8.0) * arc / (x2 * root) + log_term - lit::<T>(2.0) / (x2 - one)
        + lit::<T>(4.0) * arc / ((x2 - one) * root)
}

#[differentiable(wrt(halo))]
pub fn shear_chi2<T: Float>(halo: &Halo<T>, galaxies: &[Galaxy<T>]) -> T {
    let c = halo.concentration;
    let r200 = halo.mass.cbrt();
    let rs = r200 / c;
    let delta_c = lit::<T>(200.0 / 3.0) * c.powi(3) / (c.ln_1p() - c / (T::one() + c));
    let amplitude = lit::<T>(2e-4) * rs * delta_c;

    galaxies.iter().fold(T::zero(), |chi2, g| {
        let (dx, dy) = (g.x - halo.x, g.y - halo.y);
        let r = dx.hypot(dy);
        let gamma = amplitude * shear_profile(r / rs);
        let phi = dy.atan2(dx);
        let (s, cs) = (phi + phi).sin_cos();
        let r1 = (g.e1 + gamma * cs) / g.sigma;
        let r2 = (g.e2 + gamma * s) / g.sigma;
        chi2 + r1 * r1 + r2 * r2
    })
}

#[cfg(test)]
fn catalogue() -> Vec<Galaxy<f64>> {
    [
        (0.23, 0.05, 0.05, -0.2),
        (0.0, -0.15, 0.2, 0.1),
        (0.7, 0.4, -0.03, -0.1),
        (-0.6, 0.3, 0.02, 0.12),
        (0.2, -0.8, 0.15, 0.04),
    ]
    .iter()
    .map(|&(x, y, e1, e2)| Galaxy { x, y, e1, e2, sigma: 0.4 })
    .collect()
}

#[cfg(test)]
#[test]
fn primal() {
    let halo = Halo { x: 0.1, y: -0.05, mass: 1.2, concentration: 4.0 };
    assert!(shear_chi2(&halo, &catalogue()).is_finite());
}

#[test]
fn exact() {
    let data = catalogue();
    let halo = |x: &[f64]| Halo { x: x[0], y: x[1], mass: x[2], concentration: x[3] };
    let flat = |h: &Halo<f64>| vec![h.x, h.y, h.mass, h.concentration];
    super::harness::check(
        "nfw_shear",
        &[0.1, -0.05, 1.2, 4.0],
        |x| shear_chi2(&halo(x), &data),
        |x| {
            let mut d = halo(&[0.0; 4]);
            let f = shear_chi2_grad(&halo(x), &data, &mut d);
            (f, flat(&d))
        },
        |x, v| {
            let mut d = halo(&[0.0; 4]);
            shear_chi2_hvp(&halo(x), &data, &halo(v), &mut d);
            flat(&d)
        },
    );
}
