use ad_runtime::{Differentiable, differentiable};
use std::f64::consts::PI;
use std::ops::{Add, Div, Mul, Sub};

#[derive(Clone, Copy, Debug, PartialEq, Differentiable)]
pub struct Vec3 {
    pub x: f64,
    pub y: f64,
    pub z: f64,
}

#[differentiable]
impl Add for Vec3 {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self { x: self.x + rhs.x, y: self.y + rhs.y, z: self.z + rhs.z }
    }
}
#[differentiable]
impl Sub for Vec3 {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Self { x: self.x - rhs.x, y: self.y - rhs.y, z: self.z - rhs.z }
    }
}
#[differentiable]
impl Mul for Vec3 {
    type Output = Self;
    fn mul(self, rhs: Self) -> Self {
        Self { x: self.x * rhs.x, y: self.y * rhs.y, z: self.z * rhs.z }
    }
}
#[differentiable]
impl Mul<f64> for Vec3 {
    type Output = Self;
    fn mul(self, k: f64) -> Self {
        Self { x: self.x * k, y: self.y * k, z: self.z * k }
    }
}
#[differentiable]
impl Div<f64> for Vec3 {
    type Output = Self;
    fn div(self, k: f64) -> Self {
        self * k.recip()
    }
}

#[differentiable]
impl Vec3 {
    pub fn splat(v: f64) -> Self {
        Self { x: v, y: v, z: v }
    }
    pub fn dot(self, o: Self) -> f64 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }
    pub fn normalize(self) -> Self {
        self / self.dot(self).sqrt()
    }
    pub fn lerp(self, to: Self, t: f64) -> Self {
        self + (to - self) * t
    }
}

#[derive(Clone, Copy, Debug, Differentiable)]
pub struct Material {
    pub albedo: Vec3,
    pub roughness: f64,
    pub metallic: f64,
}

const LUMA: Vec3 = Vec3 { x: 0.2126, y: 0.7152, z: 0.0722 };

/// Smith's shadowing for one direction, correlated height left out.
#[differentiable]
fn smith_g1(n_dot: f64, alpha2: f64) -> f64 {
    2.0 * n_dot / (n_dot + (alpha2 + (1.0 - alpha2) * n_dot * n_dot).sqrt())
}

/// Luminance reflected towards `view` under one directional light (GGX, Schlick, Lambert).
#[differentiable(wrt(mat, view, light))]
pub fn shade(mat: &Material, normal: Vec3, view: Vec3, light: Vec3) -> f64 {
    let n = normal.normalize();
    let v = view.normalize();
    let l = light.normalize();
    let h = (v + l).normalize();

    let n_l = n.dot(l).max(0.0);
    let n_v = n.dot(v).max(1e-4);
    let n_h = n.dot(h).clamp(0.0, 1.0);
    let v_h = v.dot(h).max(0.0);
    if n_l == 0.0 {
        return 0.0;
    }

    let alpha2 = mat.roughness.powi(4);
    let bump = n_h * n_h * (alpha2 - 1.0) + 1.0;
    let d = alpha2 / (PI * bump * bump);
    let g = smith_g1(n_l, alpha2) * smith_g1(n_v, alpha2);

    let f0 = Vec3::splat(0.04).lerp(mat.albedo, mat.metallic);
    let fresnel = f0 + (Vec3::splat(1.0) - f0) * (1.0 - v_h).powi(5);

    let specular = fresnel * (d * g / (4.0 * n_l * n_v));
    let diffuse = (Vec3::splat(1.0) - fresnel) * mat.albedo * ((1.0 - mat.metallic) / PI);
    let radiance = (diffuse + specular) * n_l * 3.0;
    LUMA.dot(radiance)
}

#[cfg(test)]
const UP: Vec3 = Vec3 { x: 0.1, y: 0.2, z: 1.0 };

#[cfg(test)]
#[test]
fn primal() {
    let mat = Material { albedo: Vec3 { x: 0.8, y: 0.5, z: 0.3 }, roughness: 0.65, metallic: 0.4 };
    let (view, light) = (Vec3 { x: 0.6, y: -0.3, z: 1.1 }, Vec3 { x: -0.9, y: 0.4, z: 1.3 });
    assert!(shade(&mat, UP, view, light) > 0.0);
}

#[test]
fn exact() {
    let vec3 = |x: &[f64]| Vec3 { x: x[0], y: x[1], z: x[2] };
    let material = |x: &[f64]| Material { albedo: vec3(x), roughness: x[3], metallic: x[4] };
    let flat = |m: Material, v: Vec3, l: Vec3| {
        vec![m.albedo.x, m.albedo.y, m.albedo.z, m.roughness, m.metallic, v.x, v.y, v.z, l.x, l.y, l.z]
    };
    super::harness::check(
        "cook_torrance",
        &[0.8, 0.5, 0.3, 0.65, 0.4, 0.6, -0.3, 1.1, -0.9, 0.4, 1.3],
        |x| shade(&material(x), UP, vec3(&x[5..]), vec3(&x[8..])),
        |x| {
            let mut gm = material(&[0.0; 5]);
            let (value, (gv, gl)) = shade_grad(&material(x), UP, vec3(&x[5..]), vec3(&x[8..]), &mut gm);
            (value, flat(gm, gv, gl))
        },
        |x, d| {
            let mut hm = material(&[0.0; 5]);
            let (hv, hl) = shade_hvp(
                &material(x),
                UP,
                vec3(&x[5..]),
                vec3(&x[8..]),
                &material(d),
                vec3(&d[5..]),
                vec3(&d[8..]),
                &mut hm,
            );
            flat(hm, hv, hl)
        },
    );
}
