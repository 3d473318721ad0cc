//! ADBench: bundle adjustment with Rodrigues rotation and radial distortion, flat cameras and points.
use ad_runtime::differentiable;

pub struct Observation {
    pub cam: usize,
    pub pt: usize,
    pub feat: [f64; 2],
}

#[differentiable]
fn cross(a: &[f64], b: &[f64]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[differentiable]
fn rodrigues_rotate_point(rot: &[f64], pt: &[f64; 3]) -> [f64; 3] {
    let sqtheta: f64 = rot.iter().map(|r| r * r).sum();
    if sqtheta != 0. {
        let theta = sqtheta.sqrt();
        let (sintheta, costheta) = theta.sin_cos();
        let theta_inv = 1. / theta;
        let w: Vec<f64> = rot.iter().map(|r| r * theta_inv).collect();
        let w_cross_pt = cross(&w, pt);
        let tmp = (w[0] * pt[0] + w[1] * pt[1] + w[2] * pt[2]) * (1. - costheta);
        std::array::from_fn(|i| pt[i] * costheta + w_cross_pt[i] * sintheta + w[i] * tmp)
    } else {
        let rot_cross_pt = cross(rot, pt);
        std::array::from_fn(|i| pt[i] + rot_cross_pt[i])
    }
}

#[differentiable]
fn radial_distort(rad: &[f64], proj: &mut [f64; 2]) {
    let rsq = proj[0] * proj[0] + proj[1] * proj[1];
    let l = 1. + rad[0] * rsq + rad[1] * rsq * rsq;
    for p in proj.iter_mut() {
        *p *= l;
    }
}

/// camera: 3 rotation, 3 centre, 1 focal length, 2 principal point, 2 distortion
#[differentiable]
fn project(cam: &[f64], x: &[f64]) -> [f64; 2] {
    let (rot, rest) = cam.split_at(3);
    let (c, rest) = rest.split_at(3);
    let xo = [x[0] - c[0], x[1] - c[1], x[2] - c[2]];
    let xcam = rodrigues_rotate_point(rot, &xo);
    let mut proj = [xcam[0] / xcam[2], xcam[1] / xcam[2]];
    radial_distort(&rest[3..5], &mut proj);
    [proj[0] * rest[0] + rest[1], proj[1] * rest[0] + rest[2]]
}

#[differentiable(wrt(cams, points, weights))]
pub fn reprojection_cost(cams: &[f64], points: &[f64], weights: &[f64], obs: &[Observation]) -> f64 {
    let mut cost = 0.;
    for (o, &w) in obs.iter().zip(weights) {
        let p = project(&cams[11 * o.cam..11 * (o.cam + 1)], &points[3 * o.pt..][..3]);
        let (ex, ey) = (w * (p[0] - o.feat[0]), w * (p[1] - o.feat[1]));
        let ew = 1. - w * w;
        cost += 0.5 * (ex * ex + ey * ey + ew * ew);
    }
    cost
}

const OBS: &[Observation] = &[
    Observation { cam: 0, pt: 0, feat: [0.31, -0.22] },
    Observation { cam: 0, pt: 1, feat: [-0.15, 0.4] },
    Observation { cam: 1, pt: 0, feat: [0.2, 0.1] },
    Observation { cam: 1, pt: 1, feat: [-0.35, 0.25] },
];
const X: &[f64] = &[
    0.1, -0.2, 0.15, 0.3, -0.1, -4.0, 1.2, 0.05, -0.02, 0.1, -0.03, //
    -0.3, 0.25, 0.05, -0.4, 0.2, -3.5, 1.1, -0.04, 0.03, -0.08, 0.02, //
    0.5, -0.4, 0.3, -0.6, 0.7, -0.2, 0.9, 1.1, 0.8, 0.7,
];
fn at(x: &[f64]) -> f64 {
    reprojection_cost(&x[..22], &x[22..28], &x[28..], OBS)
}
#[test]
fn exact() {
    crate::harness::check(
        "bundle_adjustment",
        X,
        at,
        |x| {
            let (mut gc, mut gp, mut gw) = ([f64::NAN; 22], [f64::NAN; 6], [f64::NAN; 4]);
            let value =
                reprojection_cost_grad(&x[..22], &x[22..28], &x[28..], OBS, &mut gc, &mut gp, &mut gw);
            (value, [&gc[..], &gp[..], &gw[..]].concat())
        },
        |x, v| {
            let (mut hc, mut hp, mut hw) = ([f64::NAN; 22], [f64::NAN; 6], [f64::NAN; 4]);
            reprojection_cost_hvp(
                &x[..22],
                &x[22..28],
                &x[28..],
                OBS,
                &v[..22],
                &v[22..28],
                &v[28..],
                &mut hc,
                &mut hp,
                &mut hw,
            );
            [&hc[..], &hp[..], &hw[..]].concat()
        },
    );
}
