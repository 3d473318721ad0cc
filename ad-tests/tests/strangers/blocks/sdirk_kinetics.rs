//! Rate constants of Robertson-type kinetics, integrated by the two-stage L-stable SDIRK method.
use ad_runtime::differentiable;
use nalgebra::{Matrix3, Vector3};

#[differentiable]
fn rhs(k: Vector3<f64>, y: Vector3<f64>) -> Vector3<f64> {
    let slow = k[0] * y[0];
    let auto = k[1] * y[1] * y[1];
    let back = k[2] * y[1] * y[2];
    Vector3::new(back - slow, slow - auto - back, auto)
}

#[differentiable]
fn jacobian(k: Vector3<f64>, y: Vector3<f64>) -> Matrix3<f64> {
    let auto = 2.0 * k[1] * y[1];
    let (b1, b2) = (k[2] * y[2], k[2] * y[1]);
    Matrix3::new(
        -k[0],
        b1,
        b2, //
        k[0],
        -auto - b1,
        -b2, //
        0.0,
        auto,
        0.0,
    )
}

/// Solves `Y = base + w f(Y)` by Newton's method.
#[differentiable]
fn stage(k: Vector3<f64>, base: Vector3<f64>, guess: Vector3<f64>, w: f64) -> Option<Vector3<f64>> {
    let mut y = guess;
    for _ in 0..20 {
        let residual = base + rhs(k, y) * w - y;
        let matrix = Matrix3::<f64>::identity() - jacobian(k, y) * w;
        let delta = matrix.lu().solve(&residual)?;
        y += delta;
        if delta.norm() < 1e-13 {
            return Some(y);
        }
    }
    None
}

#[differentiable(wrt(log_k))]
pub fn misfit(log_k: Vector3<f64>, observed: &[Vector3<f64>], h: f64) -> Option<f64> {
    let gamma = 1.0 - std::f64::consts::FRAC_1_SQRT_2;
    let k = log_k.map(f64::exp);
    let mut y = Vector3::new(1.0, 0.0, 0.0);
    let mut sum = 0.0;
    for obs in observed {
        let first = stage(k, y, y, gamma * h)?;
        let slope = (first - y) / (gamma * h);
        y = stage(k, y + slope * ((1.0 - gamma) * h), first, gamma * h)?;
        sum += (y - obs).norm_squared();
    }
    Some(sum)
}

fn observations() -> Vec<Vector3<f64>> {
    vec![
        Vector3::new(0.85, 0.09, 0.06),
        Vector3::new(0.74, 0.08, 0.19),
        Vector3::new(0.66, 0.06, 0.27),
        Vector3::new(0.63, 0.05, 0.34),
        Vector3::new(0.58, 0.03, 0.37),
    ]
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(misfit(Vector3::new(-0.9, 2.8, 1.9), &observations(), 0.5).unwrap().is_finite());
}

#[test]
fn exact() {
    let obs = observations();
    let vec3 = |x: &[f64]| Vector3::new(x[0], x[1], x[2]);
    super::harness::check(
        "sdirk_kinetics",
        &[-0.9, 2.8, 1.9],
        |x| misfit(vec3(x), &obs, 0.5).unwrap(),
        |x| {
            let (value, g) = misfit_grad(vec3(x), &obs, 0.5).unwrap();
            (value, g.as_slice().to_vec())
        },
        |x, v| misfit_hvp(vec3(x), &obs, 0.5, vec3(v)).unwrap().as_slice().to_vec(),
    );
}
