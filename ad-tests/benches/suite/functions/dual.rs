//! The peer `num-dual`: forward mode only, so a Hessian-vector product takes one evaluation for every few components.

use nalgebra::{Const, SVector};
use num_dual::{Derivative, Dual64, DualNum, DualSVec};

/// A number that `num-dual` differentiates.
pub(crate) trait Number: DualNum<Primitive = f64> + Copy {}
impl<T: DualNum<Primitive = f64> + Copy> Number for T {}

/// Components of the product that one evaluation gives.
pub(crate) const COLUMNS: usize = 8;

/// The first components of the Hessian-vector product, by gradients of dual numbers; the others take as many sweeps again, each
/// at the same cost.
pub(super) fn sweep(
    x: &[f64],
    v: &[f64],
    hv: &mut [f64],
    f: impl Fn(&[DualSVec<Dual64, COLUMNS>]) -> DualSVec<Dual64, COLUMNS>,
) {
    let mut point: Vec<DualSVec<Dual64, COLUMNS>> =
        x.iter().zip(v).map(|(&x, &v)| DualSVec::from_re(Dual64::new(x, v))).collect();
    for (i, x) in point.iter_mut().take(COLUMNS).enumerate() {
        let mut unit = SVector::<Dual64, COLUMNS>::from_element(Dual64::new(0.0, 0.0));
        unit[i] = Dual64::new(1.0, 0.0);
        x.eps = Derivative::some(unit);
    }
    let gradient = f(&point).eps.unwrap_generic(Const::<COLUMNS>, Const::<1>);
    for (hv, g) in hv.iter_mut().zip(gradient.iter()) {
        *hv = g.eps;
    }
}

/// log(sum(exp(z)))
pub(super) fn log_sum_exp<T: Number>(z: &[T]) -> T {
    let mut largest = z[0];
    for z in z {
        if z.re() > largest.re() {
            largest = *z;
        }
    }
    let mut s = T::from(0.0);
    for z in z {
        s += (*z - largest).exp();
    }
    largest + s.ln()
}
