use super::*;
// nalgebra functions, as ordinary Rust. The includer provides: `check`, `D`, `num_dual::DualNum`, `differentiable`.
use nalgebra::{Matrix3, Vector3};

fn v3(p: &[f64]) -> Vector3<f64> {
    Vector3::new(p[0], p[1], p[2])
}
fn put3(d: &Vector3<f64>, out: &mut [f64]) {
    out.copy_from_slice(&[d.x, d.y, d.z]);
}

/// Torque-like energy of a dipole in a field: cross, dot, norm; one parameter by reference, one by value
#[differentiable]
fn dipole_energy(moment: &Vector3<f64>, offset: Vector3<f64>) -> f64 {
    let field = Vector3::new(0.2, -0.1, 1.0);
    let r = offset.norm();
    let torque = moment.cross(&field);
    let unit = offset / r;
    -moment.dot(&field) + 0.5 * torque.norm_squared() + 3.0 * moment.dot(&unit).powi(2) / r.powi(3)
}

fn dipole_energy_ref(x: &[D]) -> D {
    let f = [0.2, -0.1, 1.0];
    let mut mf = D::from_re(0.0);
    let mut t2 = D::from_re(0.0);
    let mut mo = D::from_re(0.0);
    let mut r2 = D::from_re(0.0);
    for k in 0..3 {
        let (i, j) = ((k + 1) % 3, (k + 2) % 3);
        let t = x[i] * f[j] - x[j] * f[i];
        t2 += t * t;
        mf += x[k] * f[k];
        mo += x[k] * x[3 + k];
        r2 += x[3 + k] * x[3 + k];
    }
    t2 * 0.5 - mf + mo * mo * 3.0 / (r2 * r2 * r2.sqrt())
}
#[test]
fn dipole_energy_is_exact() {
    check(
        "dipole_energy",
        &[0.4, -0.7, 0.9, 1.1, 0.3, -0.8],
        |p| dipole_energy(&v3(&p[..3]), v3(&p[3..])),
        |p, g| {
            let mut d = Vector3::zeros();
            let (value, doff) = dipole_energy_grad(&v3(&p[..3]), v3(&p[3..]), &mut d);
            put3(&d, &mut g[..3]);
            put3(&doff, &mut g[3..]);
            value
        },
        |p, v, hv| {
            let mut d = Vector3::zeros();
            let hoff = dipole_energy_hvp(&v3(&p[..3]), v3(&p[3..]), &v3(&v[..3]), v3(&v[3..]), &mut d);
            put3(&d, &mut hv[..3]);
            put3(&hoff, &mut hv[3..]);
        },
        |p| dipole_energy_ref(p),
    );
}

/// Hyperelastic (neo-Hookean) energy of a deformation gradient: transpose, product, trace, determinant
#[differentiable(wrt(f))]
fn neo_hookean(f: &Matrix3<f64>, mu: f64, lambda: f64) -> f64 {
    let c = f.transpose() * f;
    let j = f.determinant();
    0.5 * mu * (c.trace() - 3.0) - mu * j.ln() + 0.5 * lambda * j.ln().powi(2)
}

fn neo_hookean_ref(x: &[D]) -> D {
    // x is row by row
    let mut tr = D::from_re(-3.0);
    for k in 0..9 {
        tr += x[k] * x[k];
    }
    let j = x[0] * (x[4] * x[8] - x[5] * x[7]) - x[1] * (x[3] * x[8] - x[5] * x[6])
        + x[2] * (x[3] * x[7] - x[4] * x[6]);
    let l = j.ln();
    tr * 0.4 - l * 0.8 + l * l * 0.6
}
#[test]
fn neo_hookean_is_exact() {
    let m = |p: &[f64]| Matrix3::from_row_slice(p);
    let put = |d: &Matrix3<f64>, out: &mut [f64]| {
        for i in 0..9 {
            out[i] = d[(i / 3, i % 3)];
        }
    };
    check(
        "neo_hookean",
        &[1.1, 0.2, -0.1, 0.05, 0.9, 0.3, 0.1, -0.2, 1.2],
        |p| neo_hookean(&m(p), 0.8, 1.2),
        |p, g| {
            let mut d = Matrix3::zeros();
            let value = neo_hookean_grad(&m(p), 0.8, 1.2, &mut d);
            put(&d, g);
            value
        },
        |p, v, hv| {
            let mut d = Matrix3::zeros();
            neo_hookean_hvp(&m(p), 0.8, 1.2, &m(v), &mut d);
            put(&d, hv);
        },
        |p| neo_hookean_ref(p),
    );
}

/// Rigid alignment error from Euler angles: locals built from f64, matrix times vector, Vec of vectors
#[differentiable(wrt(pose))]
fn alignment(pose: &[f64], source: &[Vector3<f64>], target: &[Vector3<f64>]) -> f64 {
    let (s, c) = pose[0].sin_cos();
    let rz = Matrix3::new(c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0);
    let (s, c) = pose[1].sin_cos();
    let rx = Matrix3::new(1.0, 0.0, 0.0, 0.0, c, -s, 0.0, s, c);
    let rotation = rz * rx;
    let shift = Vector3::new(pose[2], pose[3], pose[4]);
    let moved: Vec<Vector3<f64>> = source.iter().map(|p| rotation * p + shift).collect();
    moved.iter().zip(target).map(|(m, t)| (m - t).norm()).sum()
}

const SOURCE: [[f64; 3]; 3] = [[1.0, 0.2, 0.0], [-0.3, 0.9, 0.5], [0.4, -0.6, 1.1]];
const TARGET: [[f64; 3]; 3] = [[0.7, 0.9, 0.3], [-0.9, 0.4, 1.0], [0.9, -0.8, 0.6]];
fn alignment_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    for k in 0..3 {
        let p = SOURCE[k];
        let y = x[1].cos() * p[1] - x[1].sin() * p[2];
        let z = x[1].sin() * p[1] + x[1].cos() * p[2];
        let a = x[0].cos() * p[0] - x[0].sin() * y + x[2] - TARGET[k][0];
        let b = x[0].sin() * p[0] + x[0].cos() * y + x[3] - TARGET[k][1];
        let c = z + x[4] - TARGET[k][2];
        s += (a * a + b * b + c * c).sqrt();
    }
    s
}
#[test]
fn alignment_is_exact() {
    let source: Vec<_> = SOURCE.iter().map(|p| v3(p)).collect();
    let target: Vec<_> = TARGET.iter().map(|p| v3(p)).collect();
    check(
        "alignment",
        &[0.4, -0.3, 0.1, 0.2, -0.2],
        |p| alignment(p, &source, &target),
        |p, g| alignment_grad(p, &source, &target, g),
        |p, v, hv| alignment_hvp(p, &source, &target, v, hv),
        |p| alignment_ref(p),
    );
}
