use ad_runtime::differentiable;
use nalgebra::{Matrix2, Matrix3, Matrix3x2, Vector3};

/// Optimal cost of the finite-horizon linear-quadratic regulator from `x0`, by the backward Riccati
/// recursion. `None` when R + B'PB is singular.
#[differentiable(wrt(a, b, r))]
pub fn lqr_cost(
    a: &Matrix3<f64>,
    b: &Matrix3x2<f64>,
    q: &Matrix3<f64>,
    r: &Matrix2<f64>,
    x0: &Vector3<f64>,
    horizon: usize,
) -> Option<f64> {
    let mut p = *q;
    for _ in 0..horizon {
        let bt_p = b.transpose() * p;
        let s = r + bt_p * b;
        let gain = s.try_inverse()? * (bt_p * a);
        let next = q + a.transpose() * p * (a - b * gain);
        // keep it symmetric
        p = 0.5 * (next + next.transpose());
    }
    Some(x0.dot(&(p * x0)))
}

#[cfg(test)]
fn weights() -> (Matrix3<f64>, Vector3<f64>) {
    (Matrix3::from_diagonal(&Vector3::new(1.0, 0.5, 0.2)), Vector3::new(0.8, -0.5, 0.6))
}

#[cfg(test)]
const POINT: [f64; 19] = [
    0.9, 0.1, -0.2, 0.3, 0.8, 0.1, 0.05, 0.4, 0.7, // a, by columns
    0.5, 0.2, -0.1, 0.1, -0.3, 0.6, // b
    1.0, 0.1, 0.1, 0.8, // r
];

#[cfg(test)]
fn unpack(x: &[f64]) -> (Matrix3<f64>, Matrix3x2<f64>, Matrix2<f64>) {
    (
        Matrix3::from_column_slice(&x[..9]),
        Matrix3x2::from_column_slice(&x[9..15]),
        Matrix2::from_column_slice(&x[15..]),
    )
}

#[cfg(test)]
#[test]
fn primal() {
    let (a, b, r) = unpack(&POINT);
    let (q, x0) = weights();
    assert!(lqr_cost(&a, &b, &q, &r, &x0, 6).unwrap().is_finite());
}

#[test]
fn exact() {
    let (q, x0) = weights();
    super::harness::check(
        "riccati_cost",
        &POINT,
        |x| {
            let (a, b, r) = unpack(x);
            lqr_cost(&a, &b, &q, &r, &x0, 6).unwrap()
        },
        |x| {
            let (a, b, r) = unpack(x);
            let (mut ga, mut gb, mut gr) = unpack(&[0.0; 19]);
            let value = lqr_cost_grad(&a, &b, &q, &r, &x0, 6, &mut ga, &mut gb, &mut gr).unwrap();
            (value, [ga.as_slice(), gb.as_slice(), gr.as_slice()].concat())
        },
        |x, v| {
            let (a, b, r) = unpack(x);
            let (da, db, dr) = unpack(v);
            let (mut ha, mut hb, mut hr) = unpack(&[0.0; 19]);
            lqr_cost_hvp(&a, &b, &q, &r, &x0, 6, &da, &db, &dr, &mut ha, &mut hb, &mut hr).unwrap();
            [ha.as_slice(), hb.as_slice(), hr.as_slice()].concat()
        },
    );
}
