//! Bundle adjustment: robust reprojection error of one camera (pose and focal length) with nalgebra vectors.
use ad_runtime::differentiable;
use nalgebra::{Vector2, Vector3};

#[differentiable]
fn huber(r2: f64, delta: f64) -> f64 {
    if r2 <= delta * delta { 0.5 * r2 } else { delta * (r2.sqrt() - 0.5 * delta) }
}

#[differentiable(wrt(pose, focal))]
fn reprojection_error(
    pose: &[f64; 6],
    focal: f64,
    points: &[Vector3<f64>],
    pixels: &[Vector2<f64>],
    delta: f64,
) -> f64 {
    let omega = Vector3::new(pose[0], pose[1], pose[2]);
    let shift = Vector3::new(pose[3], pose[4], pose[5]);
    let theta = omega.norm();
    let axis = omega / theta;
    let (s, c) = theta.sin_cos();
    points
        .iter()
        .zip(pixels)
        .map(|(p, pixel)| {
            // Rodrigues
            let turned = p * c + axis.cross(p) * s + axis * (axis.dot(p) * (1.0 - c));
            let cam = turned + shift;
            let image = Vector2::new(cam.x / cam.z, cam.y / cam.z);
            let radius2 = image.norm_squared();
            let predicted = image * (focal * (1.0 + 0.05 * radius2));
            huber((predicted - pixel).norm_squared(), delta)
        })
        .sum()
}

#[test]
fn exact() {
    let points = [
        Vector3::new(0.3, -0.2, 2.0),
        Vector3::new(-0.5, 0.4, 2.5),
        Vector3::new(0.8, 0.6, 3.0),
        Vector3::new(-0.1, -0.7, 1.8),
    ];
    let pixels =
        [Vector2::new(0.3, -0.1), Vector2::new(-0.2, 0.5), Vector2::new(1.2, 0.3), Vector2::new(0.0, -0.4)];
    let pose = |x: &[f64]| -> [f64; 6] { x[..6].try_into().unwrap() };
    super::harness::check(
        "reprojection",
        &[0.1, -0.2, 0.3, 0.05, -0.1, 0.2, 1.1],
        |x| reprojection_error(&pose(x), x[6], &points, &pixels, 0.4),
        |x| {
            let mut g = [f64::NAN; 6];
            let (value, gf) = reprojection_error_grad(&pose(x), x[6], &points, &pixels, 0.4, &mut g);
            (value, g.into_iter().chain([gf]).collect())
        },
        |x, v| {
            let mut hv = [f64::NAN; 6];
            let hf = reprojection_error_hvp(&pose(x), x[6], &points, &pixels, 0.4, &pose(v), v[6], &mut hv);
            hv.into_iter().chain([hf]).collect()
        },
    );
}
