//! Cook-Torrance reflectance with a GGX lobe, fitted to measured radiances.
use ad_runtime::{Differentiable, differentiable};
use nalgebra::{Vector3, vector};
use std::f64::consts::{FRAC_1_PI, PI};

#[derive(Clone, Copy, Debug, Differentiable)]
struct Material {
    albedo: f64,
    roughness: f64,
    f0: f64,
}

struct Measurement {
    light: Vector3<f64>,
    view: Vector3<f64>,
    radiance: f64,
}

#[differentiable]
fn smith_g1(cos: f64, alpha2: f64) -> f64 {
    2.0 * cos / (cos + (alpha2 + (1.0 - alpha2) * cos * cos).sqrt())
}

#[differentiable]
fn material_loss(material: Material, tilt: (f64, f64), measurements: &[Measurement]) -> f64 {
    let (zenith, azimuth) = tilt;
    let normal = vector![zenith.sin() * azimuth.cos(), zenith.sin() * azimuth.sin(), zenith.cos()];
    let alpha2 = material.roughness.powi(4);
    let mut loss = 0.0;
    for m in measurements {
        let half = (m.light + m.view).normalize();
        let (nl, nv) = (normal.dot(&m.light), normal.dot(&m.view));
        if nl <= 0.0 || nv <= 0.0 {
            loss += m.radiance * m.radiance;
            continue;
        }
        let nh = normal.dot(&half);
        let vh = m.view.dot(&half);
        let d = {
            let q = nh * nh * (alpha2 - 1.0) + 1.0;
            alpha2 / (PI * q * q)
        };
        let g = smith_g1(nl, alpha2) * smith_g1(nv, alpha2);
        let f = material.f0 + (1.0 - material.f0) * (1.0 - vh).powi(5);
        let specular = d * g * f / (4.0 * nl * nv);
        let diffuse = (1.0 - f) * material.albedo * FRAC_1_PI;
        loss += ((diffuse + specular) * nl - m.radiance).powi(2);
    }
    loss
}

#[test]
fn exact() {
    let dir = |x: f64, y: f64, z: f64| Vector3::new(x, y, z).normalize();
    let data = [
        Measurement { light: dir(0.3, 0.2, 1.0), view: dir(-0.2, 0.1, 1.0), radiance: 0.5 },
        Measurement { light: dir(-0.8, 0.4, 0.7), view: dir(0.5, 0.3, 0.9), radiance: 0.2 },
        Measurement { light: dir(0.1, -0.9, 0.8), view: dir(0.2, 0.6, 0.9), radiance: 0.9 },
        Measurement { light: dir(-0.3, -0.5, -0.9), view: dir(0.2, 0.6, 0.9), radiance: 0.1 },
    ];
    let m = |x: &[f64]| Material { albedo: x[0], roughness: x[1], f0: x[2] };
    let flat = |m: Material, t: (f64, f64)| vec![m.albedo, m.roughness, m.f0, t.0, t.1];
    super::harness::check(
        "cook_torrance",
        &[0.6, 0.7, 0.2, 0.25, 0.8],
        |x| material_loss(m(x), (x[3], x[4]), &data),
        |x| {
            let (value, (gm, gt)) = material_loss_grad(m(x), (x[3], x[4]), &data);
            (value, flat(gm, gt))
        },
        |x, v| {
            let (hm, ht) = material_loss_hvp(m(x), (x[3], x[4]), &data, m(v), (v[3], v[4]));
            flat(hm, ht)
        },
    );
}
