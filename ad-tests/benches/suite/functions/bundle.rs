//! Reprojection error of bundle adjustment (the camera of "Bundle Adjustment in the Large", Agarwal et al., 2010): long straight-line
//! code, gathered and scattered by indices from data.

use super::{Case, LANES, Linearization, Number, Problem, uniform};
use ad_runtime::differentiable;
use std::hint::black_box;

/// `p`: for each camera an angle-axis rotation, a translation, focal length and two coefficients of distortion; then the points.
#[differentiable(wrt(p))]
fn bundle(p: &[f64], cameras: usize, camera_of: &[usize], point_of: &[usize], seen: &[f64]) -> f64 {
    let mut loss = 0.0;
    for k in 0..camera_of.len() {
        let c = &p[9 * camera_of[k]..9 * camera_of[k] + 9];
        let at = 9 * cameras + 3 * point_of[k];
        let x = &p[at..at + 3];
        let theta2 = c[0] * c[0] + c[1] * c[1] + c[2] * c[2];
        let (rx, ry, rz) = if theta2 > 1e-12 {
            let theta = theta2.sqrt();
            let (sin, cos) = theta.sin_cos();
            let (wx, wy, wz) = (c[0] / theta, c[1] / theta, c[2] / theta);
            let along = (wx * x[0] + wy * x[1] + wz * x[2]) * (1.0 - cos);
            (
                x[0] * cos + (wy * x[2] - wz * x[1]) * sin + wx * along,
                x[1] * cos + (wz * x[0] - wx * x[2]) * sin + wy * along,
                x[2] * cos + (wx * x[1] - wy * x[0]) * sin + wz * along,
            )
        } else {
            (
                x[0] + c[1] * x[2] - c[2] * x[1],
                x[1] + c[2] * x[0] - c[0] * x[2],
                x[2] + c[0] * x[1] - c[1] * x[0],
            )
        };
        let (qx, qy, qz) = (rx + c[3], ry + c[4], rz + c[5]);
        let u = -qx / qz;
        let v = -qy / qz;
        let r2 = u * u + v * v;
        let zoom = c[6] * (1.0 + r2 * (c[7] + r2 * c[8]));
        let ex = zoom * u - seen[2 * k];
        let ey = zoom * v - seen[2 * k + 1];
        loss += 0.5 * (ex * ex + ey * ey);
    }
    loss
}

struct Bundle {
    cameras: usize,
    camera_of: Vec<usize>,
    point_of: Vec<usize>,
    seen: Vec<f64>,
}

pub(super) fn case(name: &'static str) -> Case {
    let [cameras, points] = black_box([8, 50]);
    let noise = uniform(24, 9 * cameras, -1.0, 1.0);
    let mut p = Vec::new();
    for e in noise.chunks_exact(9) {
        p.extend([0.3 * e[0], 0.3 * e[1], 0.3 * e[2]]);
        p.extend([0.5 * e[3], 0.5 * e[4], -6.0 + e[5]]);
        p.extend([1.5 + 0.2 * e[6], 0.1 * e[7], 0.05 * e[8]]);
    }
    p.extend(uniform(25, 3 * points, -1.0, 1.0));
    // Every point is seen by most cameras.
    let all = (0..points).flat_map(|j| (0..cameras).map(move |i| (i, j)));
    let (camera_of, point_of): (Vec<usize>, Vec<usize>) = all.filter(|(i, j)| (i + j) % 5 != 0).unzip();
    let seen = uniform(26, 2 * camera_of.len(), -0.5, 0.5);
    Case::new(name, Bundle { cameras, camera_of, point_of, seen }, p)
}

type V3 = [f64; 3];

fn three(x: &[f64]) -> V3 {
    [x[0], x[1], x[2]]
}

fn inner(a: V3, b: V3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: V3, b: V3) -> V3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn plus(a: V3, b: V3) -> V3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

fn times(k: f64, a: V3) -> V3 {
    a.map(|a| k * a)
}

fn add_to(out: &mut [f64], a: V3) {
    for (out, a) in out.iter_mut().zip(a) {
        *out += a;
    }
}

/// The coefficients of Rodrigues' formula R x = x + a w×x + b w×(w×x) as functions of t = |w|², with their first and second
/// derivatives: a = sin θ / θ, b = (1 − cos θ) / t.
fn rodrigues(t: f64) -> ([f64; 3], [f64; 3]) {
    if t > 1e-12 {
        let theta = t.sqrt();
        let (sin, cos) = theta.sin_cos();
        let by = 1.0 / t;
        let (a, b) = (sin / theta, (1.0 - cos) * by);
        let (a1, b1) = (0.5 * (cos - a) * by, (0.5 * a - b) * by);
        ([a, a1, -(0.25 * a + 1.5 * a1) * by], [b, b1, (0.5 * a1 - 2.0 * b1) * by])
    } else {
        ([1.0, 0.0, 0.0], [0.0; 3])
    }
}

impl Problem for Bundle {
    fn primal(&self, p: &[f64]) -> f64 {
        bundle(p, self.cameras, &self.camera_of, &self.point_of, &self.seen)
    }
    fn gradient(&self, p: &[f64], g: &mut [f64]) -> f64 {
        bundle_grad(p, self.cameras, &self.camera_of, &self.point_of, &self.seen, g)
    }
    fn hvp(&self, p: &[f64], v: &[f64], hv: &mut [f64]) {
        bundle_hvp(p, self.cameras, &self.camera_of, &self.point_of, &self.seen, v, hv);
    }
    fn hvp_block(&self, p: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        bundle_hvp_block(p, self.cameras, &self.camera_of, &self.point_of, &self.seen, v, hv);
    }
    fn linearize<'a>(&'a self, p: &'a [f64]) -> Linearization<'a> {
        Linearization::new(bundle_linearize(p, self.cameras, &self.camera_of, &self.point_of, &self.seen))
    }

    fn gradient_by_hand(&self, p: &[f64], g: &mut [f64]) -> f64 {
        g.fill(0.0);
        let (cameras, points) = p.split_at(9 * self.cameras);
        let (g_cameras, g_points) = g.split_at_mut(9 * self.cameras);
        let mut loss = 0.0;
        for ((&i, &j), seen) in self.camera_of.iter().zip(&self.point_of).zip(self.seen.chunks_exact(2)) {
            let (c, x) = (&cameras[9 * i..][..9], three(&points[3 * j..]));
            let w = three(c);
            let ([a, a1, _], [b, b1, _]) = rodrigues(inner(w, w));
            let wx = cross(w, x);
            let wwx = cross(w, wx);
            let q = plus(plus(x, three(&c[3..])), plus(times(a, wx), times(b, wwx)));
            let by = -1.0 / q[2];
            let (u, v) = (q[0] * by, q[1] * by);
            let r2 = u * u + v * v;
            let distortion = 1.0 + r2 * (c[7] + r2 * c[8]);
            let (ex, ey) = (c[6] * distortion * u - seen[0], c[6] * distortion * v - seen[1]);
            loss += 0.5 * (ex * ex + ey * ey);

            let along = u * ex + v * ey;
            let distortion_bar = c[6] * along;
            let r2_bar = distortion_bar * (c[7] + 2.0 * c[8] * r2);
            let u_bar = c[6] * distortion * ex + 2.0 * r2_bar * u;
            let v_bar = c[6] * distortion * ey + 2.0 * r2_bar * v;
            let by_bar = u_bar * q[0] + v_bar * q[1];
            let q_bar = [u_bar * by, v_bar * by, by_bar * by * by];
            let wwx_bar = times(b, q_bar);
            let wx_bar = plus(times(a, q_bar), cross(wwx_bar, w));
            let t_bar = inner(q_bar, wx) * a1 + inner(q_bar, wwx) * b1;
            let w_bar = plus(plus(cross(wx, wwx_bar), cross(x, wx_bar)), times(2.0 * t_bar, w));
            let gc = &mut g_cameras[9 * i..][..9];
            add_to(&mut gc[..3], w_bar);
            add_to(&mut gc[3..6], q_bar);
            add_to(&mut gc[6..], [distortion * along, distortion_bar * r2, distortion_bar * r2 * r2]);
            add_to(&mut g_points[3 * j..][..3], plus(q_bar, cross(wx_bar, w)));
        }
        loss
    }

    fn hvp_by_hand(&self, p: &[f64], v: &[f64], hv: &mut [f64]) {
        hv.fill(0.0);
        let (cameras, points) = p.split_at(9 * self.cameras);
        let (v_cameras, v_points) = v.split_at(9 * self.cameras);
        let (h_cameras, h_points) = hv.split_at_mut(9 * self.cameras);
        for ((&i, &j), seen) in self.camera_of.iter().zip(&self.point_of).zip(self.seen.chunks_exact(2)) {
            let (c, x) = (&cameras[9 * i..][..9], three(&points[3 * j..]));
            let (cd, xd) = (&v_cameras[9 * i..][..9], three(&v_points[3 * j..]));
            let (w, wd) = (three(c), three(cd));
            let ([a, a1, a2], [b, b1, b2]) = rodrigues(inner(w, w));
            let td = 2.0 * inner(w, wd);
            let (ad, bd) = (a1 * td, b1 * td);
            let wx = cross(w, x);
            let wxd = plus(cross(wd, x), cross(w, xd));
            let wwx = cross(w, wx);
            let wwxd = plus(cross(wd, wx), cross(w, wxd));
            let q = plus(plus(x, three(&c[3..])), plus(times(a, wx), times(b, wwx)));
            let qd = plus(
                plus(xd, three(&cd[3..])),
                plus(plus(times(ad, wx), times(a, wxd)), plus(times(bd, wwx), times(b, wwxd))),
            );
            let by = -1.0 / q[2];
            let byd = by * by * qd[2];
            let (u, v) = (q[0] * by, q[1] * by);
            let (ud, vd) = (qd[0] * by + q[0] * byd, qd[1] * by + q[1] * byd);
            let r2 = u * u + v * v;
            let r2d = 2.0 * (u * ud + v * vd);
            let slope = c[7] + 2.0 * c[8] * r2;
            let slope_d = cd[7] + 2.0 * (cd[8] * r2 + c[8] * r2d);
            let distortion = 1.0 + r2 * (c[7] + r2 * c[8]);
            let distortion_d = r2 * (cd[7] + r2 * cd[8]) + slope * r2d;
            let zoom = c[6] * distortion;
            let zoom_d = cd[6] * distortion + c[6] * distortion_d;
            let (ex, ey) = (zoom * u - seen[0], zoom * v - seen[1]);
            let (exd, eyd) = (zoom_d * u + zoom * ud, zoom_d * v + zoom * vd);

            let along = u * ex + v * ey;
            let along_d = ud * ex + u * exd + vd * ey + v * eyd;
            let distortion_bar = c[6] * along;
            let distortion_bar_d = cd[6] * along + c[6] * along_d;
            let r2_bar = distortion_bar * slope;
            let r2_bar_d = distortion_bar_d * slope + distortion_bar * slope_d;
            let u_bar = zoom * ex + 2.0 * r2_bar * u;
            let u_bar_d = zoom_d * ex + zoom * exd + 2.0 * (r2_bar_d * u + r2_bar * ud);
            let v_bar = zoom * ey + 2.0 * r2_bar * v;
            let v_bar_d = zoom_d * ey + zoom * eyd + 2.0 * (r2_bar_d * v + r2_bar * vd);
            let by_bar = u_bar * q[0] + v_bar * q[1];
            let by_bar_d = u_bar_d * q[0] + u_bar * qd[0] + v_bar_d * q[1] + v_bar * qd[1];
            let q_bar = [u_bar * by, v_bar * by, by_bar * by * by];
            let q_bar_d = [
                u_bar_d * by + u_bar * byd,
                v_bar_d * by + v_bar * byd,
                by_bar_d * by * by + 2.0 * by_bar * by * byd,
            ];
            let wwx_bar = times(b, q_bar);
            let wwx_bar_d = plus(times(bd, q_bar), times(b, q_bar_d));
            let wx_bar = plus(times(a, q_bar), cross(wwx_bar, w));
            let wx_bar_d = plus(
                plus(times(ad, q_bar), times(a, q_bar_d)),
                plus(cross(wwx_bar_d, w), cross(wwx_bar, wd)),
            );
            let (a_bar, b_bar) = (inner(q_bar, wx), inner(q_bar, wwx));
            let a_bar_d = inner(q_bar_d, wx) + inner(q_bar, wxd);
            let b_bar_d = inner(q_bar_d, wwx) + inner(q_bar, wwxd);
            let t_bar = a_bar * a1 + b_bar * b1;
            let t_bar_d = a_bar_d * a1 + b_bar_d * b1 + (a_bar * a2 + b_bar * b2) * td;
            let w_bar_d = plus(
                plus(
                    plus(cross(wxd, wwx_bar), cross(wx, wwx_bar_d)),
                    plus(cross(xd, wx_bar), cross(x, wx_bar_d)),
                ),
                plus(times(2.0 * t_bar_d, w), times(2.0 * t_bar, wd)),
            );
            let hc = &mut h_cameras[9 * i..][..9];
            add_to(&mut hc[..3], w_bar_d);
            add_to(&mut hc[3..6], q_bar_d);
            add_to(
                &mut hc[6..],
                [
                    distortion_d * along + distortion * along_d,
                    distortion_bar_d * r2 + distortion_bar * r2d,
                    (distortion_bar_d * r2 + 2.0 * distortion_bar * r2d) * r2,
                ],
            );
            let x_bar_d = plus(q_bar_d, plus(cross(wx_bar_d, w), cross(wx_bar, wd)));
            add_to(&mut h_points[3 * j..][..3], x_bar_d);
        }
    }

    fn generic<T: Number>(&self, p: &[T]) -> T {
        let (cameras, points) = p.split_at(9 * self.cameras);
        let mut loss = T::from(0.0);
        for ((&i, &j), seen) in self.camera_of.iter().zip(&self.point_of).zip(self.seen.chunks_exact(2)) {
            let (c, x) = (&cameras[9 * i..][..9], &points[3 * j..][..3]);
            let cross = |a: [T; 3], b: [T; 3]| {
                [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
            };
            let w = [c[0], c[1], c[2]];
            let t = c[0] * c[0] + c[1] * c[1] + c[2] * c[2];
            let wx = cross(w, [x[0], x[1], x[2]]);
            let wwx = cross(w, wx);
            // The rotations of the data are not small.
            let theta = t.sqrt();
            let (sin, cos) = theta.sin_cos();
            let (a, b) = (sin / theta, (-cos + 1.0) / t);
            let q: [T; 3] = std::array::from_fn(|k| x[k] + a * wx[k] + b * wwx[k] + c[3 + k]);
            let (u, v) = (-q[0] / q[2], -q[1] / q[2]);
            let r2 = u * u + v * v;
            let zoom = c[6] * (r2 * (c[7] + r2 * c[8]) + 1.0);
            let (ex, ey) = (zoom * u - seen[0], zoom * v - seen[1]);
            loss += (ex * ex + ey * ey) * 0.5;
        }
        loss
    }
}
