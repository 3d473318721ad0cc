//! Isomerisation of alpha-pinene (COPS 3), states propagated with matrix exponentials.
use ad_runtime::{Differentiable, differentiable};
use nalgebra::{SMatrix, SVector};

#[derive(Clone, Copy, Debug, PartialEq, Differentiable)]
pub struct Rates {
    pub dipentene: f64,
    pub allo_ocimene: f64,
    pub pyronene: f64,
    pub dimer: f64,
    pub undimer: f64,
}

impl Rates {
    #[differentiable(wrt(self))]
    fn generator(&self) -> SMatrix<f64, 5, 5> {
        let mut a = SMatrix::<f64, 5, 5>::zeros();
        a[(0, 0)] = -(self.dipentene + self.allo_ocimene);
        a[(1, 0)] = self.dipentene;
        a[(2, 0)] = self.allo_ocimene;
        a[(2, 2)] = -(self.pyronene + self.dimer);
        a[(2, 4)] = self.undimer;
        a[(3, 2)] = self.pyronene;
        a[(4, 2)] = self.dimer;
        a[(4, 4)] = -self.undimer;
        a
    }
}

/// Scaling and squaring around a Taylor polynomial of degree 12.
#[differentiable]
fn expm<const N: usize>(a: &SMatrix<f64, N, N>) -> SMatrix<f64, N, N> {
    let squarings = (a.norm().log2().ceil() as i32 + 3).max(0);
    let scaled = a * 0.5f64.powi(squarings);
    let mut e = SMatrix::<f64, N, N>::identity();
    for k in (1..=12).rev() {
        e = SMatrix::<f64, N, N>::identity() + scaled * e / k as f64;
    }
    for _ in 0..squarings {
        e = e * e;
    }
    e
}

#[differentiable(wrt(rates))]
pub fn misfit(rates: &Rates, times: &[f64], observed: &[[f64; 5]]) -> f64 {
    let a = rates.generator();
    let mut y = SVector::<f64, 5>::zeros();
    y[0] = 1.0;
    let mut now = 0.0;
    let mut sum = 0.0;
    for (&t, obs) in times.iter().zip(observed) {
        y = expm(&(a * (t - now))) * y;
        now = t;
        sum += (y - SVector::<f64, 5>::from(*obs)).norm_squared();
    }
    sum
}

const TIMES: [f64; 4] = [0.5, 1.2, 2.0, 3.1];
const OBSERVED: [[f64; 5]; 4] = [
    [0.66, 0.2, 0.07, 0.02, 0.06],
    [0.35, 0.4, 0.08, 0.04, 0.14],
    [0.18, 0.52, 0.06, 0.05, 0.19],
    [0.08, 0.6, 0.05, 0.07, 0.22],
];
fn rates(x: &[f64]) -> Rates {
    Rates { dipentene: x[0], allo_ocimene: x[1], pyronene: x[2], dimer: x[3], undimer: x[4] }
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(misfit(&rates(&[0.6, 0.3, 0.35, 1.7, 0.4]), &TIMES, &OBSERVED).is_finite());
}

#[test]
fn exact() {
    let flat = |r: Rates| vec![r.dipentene, r.allo_ocimene, r.pyronene, r.dimer, r.undimer];
    super::harness::check(
        "alpha_pinene",
        &[0.6, 0.3, 0.35, 1.7, 0.4],
        |x| misfit(&rates(x), &TIMES, &OBSERVED),
        |x| {
            let mut g = rates(&[0.0; 5]);
            let value = misfit_grad(&rates(x), &TIMES, &OBSERVED, &mut g);
            (value, flat(g))
        },
        |x, v| {
            let mut hv = rates(&[0.0; 5]);
            misfit_hvp(&rates(x), &TIMES, &OBSERVED, &rates(v), &mut hv);
            flat(hv)
        },
    );
}
