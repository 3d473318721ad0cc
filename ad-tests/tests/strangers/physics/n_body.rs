//! N-body problem with Yoshida's fourth order integrator: miss distance of a probe as a function of the launch velocities.
use ad_runtime::{Differentiable, differentiable};
use std::iter::Sum;
use std::ops::{AddAssign, Mul, Sub};

#[derive(Clone, Copy, Debug, Default, Differentiable)]
struct Vec2 {
    x: f64,
    y: f64,
}

#[differentiable]
impl AddAssign for Vec2 {
    fn add_assign(&mut self, rhs: Self) {
        self.x += rhs.x;
        self.y += rhs.y;
    }
}
#[differentiable]
impl Sub for Vec2 {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Vec2 { x: self.x - rhs.x, y: self.y - rhs.y }
    }
}
#[differentiable]
impl Mul<f64> for Vec2 {
    type Output = Self;
    fn mul(self, s: f64) -> Self {
        Vec2 { x: self.x * s, y: self.y * s }
    }
}
#[differentiable]
impl Sum for Vec2 {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Vec2::default(), |mut acc, v| {
            acc += v;
            acc
        })
    }
}
#[differentiable]
impl Vec2 {
    fn len2(&self) -> f64 {
        self.x * self.x + self.y * self.y
    }
}

#[derive(Clone, Debug, Differentiable)]
struct Body {
    position: Vec2,
    velocity: Vec2,
    mass: f64,
}

#[differentiable]
fn kick(bodies: &mut [Body], dt: f64) {
    for i in 0..bodies.len() {
        let here = bodies[i].position;
        let pull: Vec2 = bodies
            .iter()
            .enumerate()
            .filter(|&(j, _)| j != i)
            .map(|(_, other)| {
                let d = other.position - here;
                d * (other.mass / (d.len2() + 1e-3).powf(1.5))
            })
            .sum();
        bodies[i].velocity += pull * dt;
    }
}

#[differentiable]
fn drift(bodies: &mut [Body], dt: f64) {
    bodies.iter_mut().for_each(|b| b.position += b.velocity * dt);
}

#[differentiable(wrt(velocities))]
fn miss_distance(
    velocities: &[f64],
    positions: &[(f64, f64)],
    masses: &[f64],
    goal: (f64, f64),
    dt: f64,
    steps: u32,
) -> f64 {
    const CBRT2: f64 = 1.259921049894873;
    const W1: f64 = 1.0 / (2.0 - CBRT2);
    const W0: f64 = -CBRT2 * W1;
    let mut bodies: Vec<Body> = positions
        .iter()
        .zip(velocities.chunks(2))
        .zip(masses)
        .map(|((&(x, y), v), &mass)| Body {
            position: Vec2 { x, y },
            velocity: Vec2 { x: v[0], y: v[1] },
            mass,
        })
        .collect();
    for _ in 0..steps {
        for w in [W1, W0, W1] {
            drift(&mut bodies, 0.5 * w * dt);
            kick(&mut bodies, w * dt);
            drift(&mut bodies, 0.5 * w * dt);
        }
    }
    let probe = bodies.last().expect("at least one body");
    let fuel = probe.velocity.len2();
    (probe.position - Vec2 { x: goal.0, y: goal.1 }).len2().sqrt() + 0.1 * fuel
}

#[test]
fn exact() {
    let positions = [(0.0, 0.0), (1.0, 0.1), (-0.3, 1.6)];
    let masses = [1.0, 0.1, 0.01];
    let x0 = [0.02, -0.1, -0.1, 0.95, -0.7, -0.2];
    super::harness::check(
        "n_body",
        &x0,
        |x| miss_distance(x, &positions, &masses, (-1.5, 1.9), 0.1, 8),
        |x| {
            let mut g = vec![f64::NAN; 6];
            let value = miss_distance_grad(x, &positions, &masses, (-1.5, 1.9), 0.1, 8, &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; 6];
            miss_distance_hvp(x, &positions, &masses, (-1.5, 1.9), 0.1, 8, v, &mut hv);
            hv
        },
    );
}
