//! Misfit of a leapfrog N-body integration to observed sky positions of one body.
use ad_runtime::{Differentiable, differentiable};
use std::ops::{Add, AddAssign, Mul, Sub};

#[derive(Debug, Clone, Copy, Default, PartialEq, Differentiable)]
pub struct Vec3 {
    pub x: f64,
    pub y: f64,
    pub z: f64,
}

#[differentiable]
impl Add for Vec3 {
    type Output = Vec3;
    fn add(self, o: Vec3) -> Vec3 {
        Vec3 { x: self.x + o.x, y: self.y + o.y, z: self.z + o.z }
    }
}

#[differentiable]
impl Sub for Vec3 {
    type Output = Vec3;
    fn sub(self, o: Vec3) -> Vec3 {
        Vec3 { x: self.x - o.x, y: self.y - o.y, z: self.z - o.z }
    }
}

#[differentiable]
impl Mul<f64> for Vec3 {
    type Output = Vec3;
    fn mul(self, k: f64) -> Vec3 {
        Vec3 { x: self.x * k, y: self.y * k, z: self.z * k }
    }
}

#[differentiable]
impl AddAssign for Vec3 {
    fn add_assign(&mut self, o: Vec3) {
        *self = *self + o;
    }
}

#[differentiable]
impl Vec3 {
    pub fn length_squared(self) -> f64 {
        self.x * self.x + self.y * self.y + self.z * self.z
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Differentiable)]
pub struct Body {
    pub pos: Vec3,
    pub vel: Vec3,
    pub mass: f64,
}

#[differentiable(wrt(bodies))]
fn accelerations(bodies: &[Body], softening: f64) -> Vec<Vec3> {
    let mut acc = vec![Vec3::default(); bodies.len()];
    for i in 0..bodies.len() {
        for j in (i + 1)..bodies.len() {
            let d = bodies[j].pos - bodies[i].pos;
            let r2 = d.length_squared() + softening * softening;
            let inv_r3 = 1.0 / (r2 * r2.sqrt());
            acc[i] += d * (bodies[j].mass * inv_r3);
            acc[j] += d * (-bodies[i].mass * inv_r3);
        }
    }
    acc
}

#[differentiable(wrt(initial))]
pub fn orbit_misfit(
    initial: &[Body],
    target: usize,
    observed: &[(f64, f64)],
    dt: f64,
    substeps: usize,
) -> f64 {
    let mut bodies = initial.to_vec();
    let mut acc = accelerations(&bodies, 0.05);
    let mut chi2 = 0.0;
    for &(u, v) in observed {
        for _ in 0..substeps {
            for (b, a) in bodies.iter_mut().zip(&acc) {
                b.vel += *a * (0.5 * dt);
                b.pos += b.vel * dt;
            }
            acc = accelerations(&bodies, 0.05);
            for (b, a) in bodies.iter_mut().zip(&acc) {
                b.vel += *a * (0.5 * dt);
            }
        }
        let p = bodies[target].pos;
        chi2 += (p.x - u).powi(2) + (p.y - v).powi(2);
    }
    chi2
}

#[cfg(test)]
const X: [f64; 21] = [
    0.0, 0.1, 0.0, 0.0, -0.05, 0.02, 1.0, // star
    1.0, 0.0, 0.2, 0.1, 0.95, 0.0, 0.15, // inner planet
    -1.6, 0.9, -0.1, -0.35, -0.6, 0.1, 0.25, // outer planet
];
#[cfg(test)]
const OBSERVED: [(f64, f64); 3] = [(0.9, 0.4), (0.6, 0.75), (0.2, 0.9)];

#[cfg(test)]
fn bodies(x: &[f64]) -> Vec<Body> {
    x.chunks_exact(7)
        .map(|c| Body {
            pos: Vec3 { x: c[0], y: c[1], z: c[2] },
            vel: Vec3 { x: c[3], y: c[4], z: c[5] },
            mass: c[6],
        })
        .collect()
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(orbit_misfit(&bodies(&X), 1, &OBSERVED, 0.08, 4).is_finite());
}

#[test]
fn exact() {
    let flat = |b: &[Body]| -> Vec<f64> {
        b.iter().flat_map(|b| [b.pos.x, b.pos.y, b.pos.z, b.vel.x, b.vel.y, b.vel.z, b.mass]).collect()
    };
    super::harness::check(
        "nbody_fit",
        &X,
        |x| orbit_misfit(&bodies(x), 1, &OBSERVED, 0.08, 4),
        |x| {
            let mut g = vec![Body::default(); 3];
            let f = orbit_misfit_grad(&bodies(x), 1, &OBSERVED, 0.08, 4, &mut g);
            (f, flat(&g))
        },
        |x, v| {
            let mut h = vec![Body::default(); 3];
            orbit_misfit_hvp(&bodies(x), 1, &OBSERVED, 0.08, 4, &bodies(v), &mut h);
            flat(&h)
        },
    );
}
