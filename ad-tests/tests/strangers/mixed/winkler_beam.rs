//! Bernoulli beam on an elastic (Winkler) foundation, cubic Hermite elements.
use ad_runtime::differentiable;
use ndarray::{Array1, Array2, ArrayView1, array, s};

#[differentiable]
fn element_stiffness(ei: f64, kf: f64, l: f64) -> Array2<f64> {
    let bending = array![
        [12.0, 6.0 * l, -12.0, 6.0 * l],
        [6.0 * l, 4.0 * l * l, -6.0 * l, 2.0 * l * l],
        [-12.0, -6.0 * l, 12.0, -6.0 * l],
        [6.0 * l, 2.0 * l * l, -6.0 * l, 4.0 * l * l],
    ];
    let soil = array![
        [156.0, 22.0 * l, 54.0, -13.0 * l],
        [22.0 * l, 4.0 * l * l, 13.0 * l, -3.0 * l * l],
        [54.0, 13.0 * l, 156.0, -22.0 * l],
        [-13.0 * l, -3.0 * l * l, -22.0 * l, 4.0 * l * l],
    ];
    bending * (ei / l.powi(3)) + soil * (kf * l / 420.0)
}

/// Solves `a x = b` for a symmetric positive definite matrix.
#[differentiable]
fn cholesky_solve(mut a: Array2<f64>, b: &Array1<f64>) -> Array1<f64> {
    let n = b.len();
    for j in 0..n {
        for k in 0..j {
            let ljk = a[[j, k]];
            for i in j..n {
                a[[i, j]] -= a[[i, k]] * ljk;
            }
        }
        let pivot = a[[j, j]].sqrt();
        a.slice_mut(s![j.., j]).mapv_inplace(|v| v / pivot);
    }
    let mut x = b.clone();
    for i in 0..n {
        let partial = a.slice(s![i, ..i]).dot(&x.slice(s![..i]));
        x[i] = (x[i] - partial) / a[[i, i]];
    }
    for i in (0..n).rev() {
        let partial = a.slice(s![i + 1.., i]).dot(&x.slice(s![i + 1..]));
        x[i] = (x[i] - partial) / a[[i, i]];
    }
    x
}

/// Compliance of the simply supported beam under nodal forces, plus its material cost.
#[differentiable(wrt(ei, kf))]
pub fn compliance(ei: ArrayView1<f64>, kf: ArrayView1<f64>, nodal: ArrayView1<f64>, span: f64) -> f64 {
    let elements = ei.len();
    let dofs = 2 * (elements + 1);
    let l = span / elements as f64;

    let mut k = Array2::<f64>::zeros((dofs, dofs));
    for e in 0..elements {
        let mut block = k.slice_mut(s![2 * e..2 * e + 4, 2 * e..2 * e + 4]);
        block += &element_stiffness(ei[e], kf[e], l);
    }
    let mut f = Array1::<f64>::zeros(dofs);
    f.slice_mut(s![..;2]).assign(&nodal);

    for d in [0, dofs - 2] {
        k.row_mut(d).fill(0.0);
        k.column_mut(d).fill(0.0);
        k[[d, d]] = 1.0;
        f[d] = 0.0;
    }
    let u = cholesky_solve(k, &f);
    f.dot(&u) + 0.1 * ei.mapv(|v| v.sqrt()).sum() / elements as f64
}

#[cfg(test)]
const NODAL: [f64; 6] = [0.0, 1.0, -0.4, 1.3, 0.8, 0.0];

#[cfg(test)]
#[test]
fn primal() {
    let ei = array![1.0, 1.4, 1.9, 1.5, 0.9];
    let kf = array![0.8, 1.2, 0.5, 1.0, 1.6];
    let c = compliance(ei.view(), kf.view(), ArrayView1::from(&NODAL), 3.0);
    assert!(c.is_finite() && c > 0.0, "{c}");
}

#[test]
fn exact() {
    let load = ArrayView1::from(&NODAL);
    super::harness::check(
        "winkler_beam",
        &[1.0, 1.4, 1.9, 1.5, 0.9, 0.8, 1.2, 0.5, 1.0, 1.6],
        |x| compliance(ArrayView1::from(&x[..5]), ArrayView1::from(&x[5..]), load, 3.0),
        |x| {
            let (mut ge, mut gk) = (Array1::zeros(5), Array1::zeros(5));
            let value = compliance_grad(
                ArrayView1::from(&x[..5]),
                ArrayView1::from(&x[5..]),
                load,
                3.0,
                ge.view_mut(),
                gk.view_mut(),
            );
            (value, ge.into_iter().chain(gk).collect())
        },
        |x, v| {
            let (mut he, mut hk) = (Array1::zeros(5), Array1::zeros(5));
            compliance_hvp(
                ArrayView1::from(&x[..5]),
                ArrayView1::from(&x[5..]),
                load,
                3.0,
                ArrayView1::from(&v[..5]),
                ArrayView1::from(&v[5..]),
                he.view_mut(),
                hk.view_mut(),
            );
            he.into_iter().chain(hk).collect()
        },
    );
}
