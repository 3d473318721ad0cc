//! Wahba's problem with a gyro bias: attitude quaternion propagated between star sightings.
use ad_runtime::{Differentiable, differentiable};
use std::ops::Mul;

type V3 = [f64; 3];

#[derive(Clone, Copy, Debug, PartialEq, Differentiable)]
struct Quat {
    w: f64,
    v: [f64; 3],
}

#[differentiable]
fn cross(a: V3, b: V3) -> V3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
#[differentiable]
fn dot(a: &V3, b: &V3) -> f64 {
    a.iter().zip(b.iter()).map(|(p, q)| p * q).sum()
}

#[differentiable]
impl Mul for Quat {
    type Output = Quat;
    fn mul(self, rhs: Quat) -> Quat {
        let c = cross(self.v, rhs.v);
        let mut v = [0.0; 3];
        for (i, out) in v.iter_mut().enumerate() {
            *out = self.w * rhs.v[i] + rhs.w * self.v[i] + c[i];
        }
        Quat { w: self.w * rhs.w - dot(&self.v, &rhs.v), v }
    }
}

#[differentiable]
impl Quat {
    fn conj(self) -> Self {
        Quat { v: self.v.map(|c| -c), ..self }
    }
    fn normalized(self) -> Self {
        let n = (self.w * self.w + dot(&self.v, &self.v)).sqrt();
        Quat { w: self.w / n, v: self.v.map(|c| c / n) }
    }
    fn from_rotation_vector(r: V3) -> Self {
        let angle = dot(&r, &r).sqrt();
        let s = (0.5 * angle).sin() / angle;
        Quat { w: (0.5 * angle).cos(), v: [s * r[0], s * r[1], s * r[2]] }
    }
    fn rotate(self, p: V3) -> V3 {
        (self * Quat { w: 0.0, v: p } * self.conj()).v
    }
}

struct Sighting {
    body: V3,
    inertial: V3,
    weight: f64,
    gyro: V3,
}

#[differentiable]
fn wahba_loss(attitude: Quat, bias: [f64; 3], sightings: &[Sighting]) -> f64 {
    let mut q = attitude.normalized();
    let mut loss = 0.0;
    for s in sightings {
        let seen = q.rotate(s.body);
        let mut residual = [0.0; 3];
        for ((r, a), b) in residual.iter_mut().zip(seen).zip(s.inertial) {
            *r = b - a;
        }
        loss += 0.5 * s.weight * dot(&residual, &residual);
        let rate: V3 = std::array::from_fn(|i| s.gyro[i] - bias[i]);
        q = (q * Quat::from_rotation_vector(rate)).normalized();
    }
    loss + 0.1 * dot(&bias, &bias)
}

#[test]
fn exact() {
    let q = |x: &[f64]| Quat { w: x[0], v: [x[1], x[2], x[3]] };
    let b = |x: &[f64]| [x[4], x[5], x[6]];
    let flat = |q: Quat, b: [f64; 3]| vec![q.w, q.v[0], q.v[1], q.v[2], b[0], b[1], b[2]];
    let sightings = [
        Sighting { body: [1.0, 0.0, 0.0], inertial: [0.6, 0.8, 0.0], weight: 1.0, gyro: [0.3, 0.1, -0.2] },
        Sighting { body: [0.0, 0.6, 0.8], inertial: [0.0, 0.28, 0.96], weight: 0.5, gyro: [0.2, -0.4, 0.1] },
        Sighting { body: [0.0, 0.0, 1.0], inertial: [0.36, 0.48, 0.8], weight: 2.0, gyro: [0.1, 0.3, 0.2] },
    ];
    super::harness::check(
        "attitude",
        &[0.9, 0.2, -0.3, 0.4, 0.02, -0.05, 0.03],
        |x| wahba_loss(q(x), b(x), &sightings),
        |x| {
            let (value, (gq, gb)) = wahba_loss_grad(q(x), b(x), &sightings);
            (value, flat(gq, gb))
        },
        |x, v| {
            let (hq, hb) = wahba_loss_hvp(q(x), b(x), &sightings, q(v), b(v));
            flat(hq, hb)
        },
    );
}
