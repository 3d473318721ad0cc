//! Recursive Newton-Euler inverse dynamics of a serial arm of revolute joints.
use ad_runtime::{Differentiable, differentiable};

type V3 = [f64; 3];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Differentiable)]
pub enum Axis {
    X,
    Y,
    Z,
}

#[derive(Clone, Debug, Differentiable)]
pub struct Link {
    pub axis: Axis,
    /// joint origin in the parent's frame
    pub offset: V3,
    pub com: V3,
    pub mass: f64,
    /// principal inertia about the centre of mass
    pub inertia: V3,
    pub torque_limit: f64,
}

#[differentiable]
fn add(a: V3, b: V3) -> V3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}
#[differentiable]
fn scale(a: V3, k: f64) -> V3 {
    a.map(|c| c * k)
}
#[differentiable]
fn cross(a: V3, b: V3) -> V3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn unit(axis: Axis) -> V3 {
    match axis {
        Axis::X => [1.0, 0.0, 0.0],
        Axis::Y => [0.0, 1.0, 0.0],
        Axis::Z => [0.0, 0.0, 1.0],
    }
}

/// Rotates by `q` about a coordinate axis (child frame to parent frame).
#[differentiable]
fn rotate(axis: Axis, q: f64, v: V3) -> V3 {
    let (s, c) = q.sin_cos();
    let [x, y, z] = v;
    match axis {
        Axis::X => [x, c * y - s * z, s * y + c * z],
        Axis::Y => [c * x + s * z, y, c * z - s * x],
        Axis::Z => [c * x - s * y, s * x + c * y, z],
    }
}

/// Squared joint torques relative to their limits.
#[differentiable(wrt(q, qd, qdd))]
pub fn effort(links: &[Link], q: &[f64], qd: &[f64], qdd: &[f64], gravity: f64) -> f64 {
    let n = links.len();
    let mut omega = [0.0; 3];
    let mut alpha = [0.0; 3];
    let mut acc = [0.0, 0.0, gravity];
    let mut force = vec![[0.0; 3]; n];
    let mut moment = vec![[0.0; 3]; n];

    for i in 0..n {
        let l = &links[i];
        acc = add(acc, add(cross(alpha, l.offset), cross(omega, cross(omega, l.offset))));
        acc = rotate(l.axis, -q[i], acc);
        let w = rotate(l.axis, -q[i], omega);
        let spin = scale(unit(l.axis), qd[i]);
        alpha = add(rotate(l.axis, -q[i], alpha), add(cross(w, spin), scale(unit(l.axis), qdd[i])));
        omega = add(w, spin);
        let acc_com = add(acc, add(cross(alpha, l.com), cross(omega, cross(omega, l.com))));
        force[i] = scale(acc_com, l.mass);
        let iw = [l.inertia[0] * omega[0], l.inertia[1] * omega[1], l.inertia[2] * omega[2]];
        let ia = [l.inertia[0] * alpha[0], l.inertia[1] * alpha[1], l.inertia[2] * alpha[2]];
        moment[i] = add(add(ia, cross(omega, iw)), cross(l.com, force[i]));
    }

    let mut cost = 0.0;
    for i in (0..n).rev() {
        let tau = moment[i][links[i].axis as usize];
        cost += (tau / links[i].torque_limit).powi(2);
        if i > 0 {
            let f = rotate(links[i].axis, q[i], force[i]);
            let m = rotate(links[i].axis, q[i], moment[i]);
            force[i - 1] = add(force[i - 1], f);
            moment[i - 1] = add(moment[i - 1], add(m, cross(links[i].offset, f)));
        }
    }
    cost
}

#[cfg(test)]
fn arm() -> Vec<Link> {
    let link = |axis, offset, com, mass, torque_limit| Link {
        axis,
        offset,
        com,
        mass,
        inertia: [0.02 * mass, 0.03 * mass, 0.01 * mass],
        torque_limit,
    };
    vec![
        link(Axis::Z, [0.0, 0.0, 0.3], [0.0, 0.02, 0.1], 2.0, 4.0),
        link(Axis::Y, [0.0, 0.1, 0.1], [0.25, 0.0, 0.03], 1.5, 6.0),
        link(Axis::Y, [0.5, 0.0, 0.0], [0.2, -0.05, 0.0], 0.8, 3.0),
        link(Axis::X, [0.4, 0.0, 0.05], [0.05, 0.04, 0.0], 0.4, 1.0),
    ]
}

#[cfg(test)]
#[test]
fn primal() {
    let e = effort(&arm(), &[0.3, -0.7, 1.1, 0.4], &[0.9, -0.5, 0.8, 1.2], &[0.4, 1.1, -0.6, 0.5], 9.81);
    assert!(e.is_finite(), "{e}");
}

#[test]
fn exact() {
    let links = arm();
    super::harness::check(
        "newton_euler",
        &[0.3, -0.7, 1.1, 0.4, 0.9, -0.5, 0.8, 1.2, 0.4, 1.1, -0.6, 0.5],
        |x| effort(&links, &x[..4], &x[4..8], &x[8..], 9.81),
        |x| {
            let (mut g0, mut g1, mut g2) = ([0.0; 4], [0.0; 4], [0.0; 4]);
            let value = effort_grad(&links, &x[..4], &x[4..8], &x[8..], 9.81, &mut g0, &mut g1, &mut g2);
            (value, [g0, g1, g2].concat())
        },
        |x, v| {
            let (mut h0, mut h1, mut h2) = ([0.0; 4], [0.0; 4], [0.0; 4]);
            effort_hvp(
                &links,
                &x[..4],
                &x[4..8],
                &x[8..],
                9.81,
                &v[..4],
                &v[4..8],
                &v[8..],
                &mut h0,
                &mut h1,
                &mut h2,
            );
            [h0, h1, h2].concat()
        },
    );
}
