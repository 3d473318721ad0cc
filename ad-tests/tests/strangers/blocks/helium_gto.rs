use ad_runtime::differentiable;
use num_traits::Float;
use std::f64::consts::PI;

/// A constant in `T`.
fn lit<T: Float>(x: f64) -> T {
    T::from(x).expect("representable")
}

/// Restricted Hartree-Fock energy (in hartree) of a two-electron atom with nuclear charge `charge`, both
/// electrons in the orbital sum_i c_i g_i of normalised s-type Gaussians with exponents exp(`log_alpha`).
#[differentiable(wrt(log_alpha, c))]
pub fn atom_energy<T, const N: usize>(log_alpha: [T; N], c: [T; N], charge: T) -> T
where
    T: Float,
{
    let pi = lit::<T>(PI);
    let two = lit::<T>(2.0);
    let alpha = log_alpha.map(|l| l.exp());
    let mut weight = c;
    for (w, &a) in weight.iter_mut().zip(alpha.iter()) {
        *w = *w * (two * a / pi).powf(lit(0.75));
    }

    let mut overlap = T::zero();
    let mut core = T::zero();
    let mut repulsion = T::zero();
    for i in 0..N {
        for j in 0..N {
            let p = alpha[i] + alpha[j];
            let wij = weight[i] * weight[j];
            let s = (pi / p).powf(lit(1.5));
            let kinetic = lit::<T>(3.0) * alpha[i] * alpha[j] / p * s;
            let nuclear = -two * pi * charge / p;
            overlap = overlap + wij * s;
            core = core + wij * (kinetic + nuclear);
            for k in 0..N {
                for l in 0..N {
                    let q = alpha[k] + alpha[l];
                    let coulomb = two * pi.powf(lit(2.5)) / (p * q * (p + q).sqrt());
                    repulsion = repulsion + wij * weight[k] * weight[l] * coulomb;
                }
            }
        }
    }
    two * core / overlap + repulsion / (overlap * overlap)
}

#[cfg(test)]
#[test]
fn primal() {
    let e: f64 = atom_energy([-1.2, 0.2, 1.75], [0.5, 0.5, 0.2], 2.0);
    assert!(e > -2.8617 && e < -1.0);
}

#[test]
fn exact() {
    let split = |x: &[f64]| ([x[0], x[1], x[2]], [x[3], x[4], x[5]]);
    super::harness::check(
        "helium_gto",
        &[-1.2, 0.2, 1.75, 0.5, 0.5, 0.2],
        |x| {
            let (l, c) = split(x);
            atom_energy(l, c, 2.0)
        },
        |x| {
            let (l, c) = split(x);
            let (value, (gl, gc)) = atom_energy_grad(l, c, 2.0);
            (value, [gl, gc].concat())
        },
        |x, v| {
            let ((l, c), (dl, dc)) = (split(x), split(v));
            let (hl, hc) = atom_energy_hvp(l, c, 2.0, dl, dc);
            [hl, hc].concat()
        },
    );
}
