//! Closed triangle mesh: hinge bending, area and enclosed-volume penalty.
use ad_runtime::{Differentiable, differentiable};
use std::collections::BTreeMap;
use std::ops::{Add, Mul, Sub};

#[derive(Debug, Clone, Copy, Default, PartialEq, Differentiable)]
pub struct Vec3 {
    pub x: f64,
    pub y: f64,
    pub z: f64,
}

#[differentiable]
impl Add for Vec3 {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Vec3 { x: self.x + o.x, y: self.y + o.y, z: self.z + o.z }
    }
}

#[differentiable]
impl Sub for Vec3 {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Vec3 { x: self.x - o.x, y: self.y - o.y, z: self.z - o.z }
    }
}

#[differentiable]
impl Mul<Vec3> for f64 {
    type Output = Vec3;
    fn mul(self, v: Vec3) -> Vec3 {
        Vec3 { x: self * v.x, y: self * v.y, z: self * v.z }
    }
}

#[differentiable]
impl Vec3 {
    pub fn dot(self, o: Vec3) -> f64 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }
    pub fn cross(self, o: Vec3) -> Vec3 {
        Vec3 {
            x: self.y * o.z - self.z * o.y,
            y: self.z * o.x - self.x * o.z,
            z: self.x * o.y - self.y * o.x,
        }
    }
    pub fn length(self) -> f64 {
        self.dot(self).sqrt()
    }
}

#[differentiable(wrt(verts))]
pub fn shell_energy(verts: &[Vec3], faces: &[[usize; 3]], volume0: f64) -> f64 {
    // half-edge -> face
    let mut half: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (f, tri) in faces.iter().enumerate() {
        for k in 0..3 {
            half.insert((tri[k], tri[(k + 1) % 3]), f);
        }
    }
    let normals: Vec<Vec3> =
        faces.iter().map(|&[a, b, c]| 0.5 * (verts[b] - verts[a]).cross(verts[c] - verts[a])).collect();
    let area: f64 = normals.iter().map(|n| n.length()).sum();
    let volume = faces
        .iter()
        .zip(&normals)
        .map(|([a, b, c], n)| {
            let centroid = (1.0 / 3.0) * (verts[*a] + verts[*b] + verts[*c]);
            centroid.dot(*n) / 3.0
        })
        .sum::<f64>();

    let mut bending = 0.0;
    for (&(a, b), &f) in &half {
        if a > b {
            continue;
        }
        let Some(&g) = half.get(&(b, a)) else { continue };
        let edge = verts[b] - verts[a];
        let (n, m) = (normals[f], normals[g]);
        let theta = (n.cross(m).dot(edge) / edge.length()).atan2(n.dot(m));
        bending += 3.0 * edge.dot(edge) / (n.length() + m.length()) * theta.powi(2);
    }
    0.02 * bending + 0.1 * area + 0.5 * (volume - volume0).powi(2)
}

#[cfg(test)]
const X: &[f64] =
    &[1.1, 0.1, -0.1, -0.9, 0.2, 0.1, 0.1, 1.2, 0.2, -0.2, -1.0, 0.1, 0.1, 0.0, 0.8, 0.2, -0.1, -1.1];

#[cfg(test)]
const FACES: [[usize; 3]; 8] =
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]];

#[cfg(test)]
fn verts(x: &[f64]) -> Vec<Vec3> {
    x.chunks_exact(3).map(|c| Vec3 { x: c[0], y: c[1], z: c[2] }).collect()
}

#[cfg(test)]
fn value(x: &[f64]) -> f64 {
    shell_energy(&verts(x), &FACES, 1.0)
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(value(X).is_finite());
}

#[test]
fn exact() {
    let flat = |p: &[Vec3]| p.iter().flat_map(|v| [v.x, v.y, v.z]).collect::<Vec<f64>>();
    super::harness::check(
        "discrete_shell",
        X,
        value,
        |x| {
            let mut g = vec![Vec3::default(); 6];
            let f = shell_energy_grad(&verts(x), &FACES, 1.0, &mut g);
            (f, flat(&g))
        },
        |x, v| {
            let mut h = vec![Vec3::default(); 6];
            shell_energy_hvp(&verts(x), &FACES, 1.0, &verts(v), &mut h);
            flat(&h)
        },
    );
}
