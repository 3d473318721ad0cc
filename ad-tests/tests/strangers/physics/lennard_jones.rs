//! Energy of a cluster of Lennard-Jones particles, truncated and shifted, in a weak harmonic trap.
use ad_runtime::{Differentiable, differentiable};
use std::ops::{Add, Mul, Sub};

#[derive(Clone, Copy, Debug, Default, PartialEq, Differentiable)]
struct Vec3 {
    x: f64,
    y: f64,
    z: f64,
}

#[differentiable]
impl Vec3 {
    fn from_slice(s: &[f64]) -> Self {
        Self { x: s[0], y: s[1], z: s[2] }
    }
    fn dot(self, other: Self) -> f64 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }
    fn norm_squared(self) -> f64 {
        self.dot(self)
    }
}
#[differentiable]
impl Add for Vec3 {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self { x: self.x + o.x, y: self.y + o.y, z: self.z + o.z }
    }
}
#[differentiable]
impl Sub for Vec3 {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Self { x: self.x - o.x, y: self.y - o.y, z: self.z - o.z }
    }
}
#[differentiable]
impl Mul<f64> for Vec3 {
    type Output = Self;
    fn mul(self, s: f64) -> Self {
        Self { x: self.x * s, y: self.y * s, z: self.z * s }
    }
}

#[differentiable]
fn pair(r2: f64, epsilon: f64, sigma: f64) -> f64 {
    let s6 = (sigma * sigma / r2).powi(3);
    4.0 * epsilon * s6 * (s6 - 1.0)
}

#[differentiable(wrt(positions))]
fn cluster_energy(positions: &[f64], epsilon: f64, sigma: f64, cutoff: f64, trap: f64) -> f64 {
    let atoms: Vec<Vec3> = positions.chunks_exact(3).map(Vec3::from_slice).collect();
    let n = atoms.len();
    let cut2 = cutoff * cutoff;
    let shift = pair(cut2, epsilon, sigma);
    let mut energy = 0.0;
    for (i, &a) in atoms.iter().enumerate() {
        for &b in &atoms[i + 1..] {
            let r2 = (a - b).norm_squared();
            if r2 >= cut2 {
                continue;
            }
            energy += pair(r2, epsilon, sigma) - shift;
        }
    }
    let centre = atoms.iter().fold(Vec3::default(), |acc, &p| acc + p) * (1.0 / n as f64);
    energy + 0.5 * trap * atoms.iter().map(|&p| (p - centre).norm_squared()).sum::<f64>()
}

#[test]
fn exact() {
    let x0 = [0.0, 0.05, -0.1, 1.1, 0.0, 0.1, 0.5, 1.05, 0.0, 0.6, 0.3, 0.95, 0.4, 0.2, 3.4];
    super::harness::check(
        "lennard_jones",
        &x0,
        |x| cluster_energy(x, 0.8, 0.95, 2.7, 0.3),
        |x| {
            let mut g = vec![f64::NAN; x.len()];
            let value = cluster_energy_grad(x, 0.8, 0.95, 2.7, 0.3, &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; x.len()];
            cluster_energy_hvp(x, 0.8, 0.95, 2.7, 0.3, v, &mut hv);
            hv
        },
    );
}
