use ad_runtime::differentiable;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, array};

/// Sum of rational quadratic kernels.
#[differentiable]
fn kernel(a: ArrayView1<f64>, b: ArrayView1<f64>, scales: &[f64]) -> f64 {
    let difference = &a - &b;
    let squared = difference.dot(&difference);
    scales.iter().map(|alpha| (1.0 + squared / (2.0 * alpha)).powf(-alpha)).sum()
}

#[differentiable]
fn mean_kernel(a: &Array2<f64>, b: &Array2<f64>, scales: &[f64]) -> f64 {
    let mut sum = 0.0;
    for x in a.rows() {
        for y in b.rows() {
            sum += kernel(x, y, scales);
        }
    }
    sum / (a.nrows() * b.nrows()) as f64
}

/// Squared maximum mean discrepancy between an affine-and-sinh generator's samples and data.
#[differentiable(wrt(mixing, shift, tail))]
fn generator_mmd(
    mixing: &Array2<f64>,
    shift: &Array1<f64>,
    tail: f64,
    latent: &Array2<f64>,
    data: &Array2<f64>,
    scales: &[f64],
) -> f64 {
    let samples = latent.mapv(|z| (tail * z).sinh() / tail).dot(mixing)
        + shift.broadcast((latent.nrows(), shift.len())).unwrap();
    let within = mean_kernel(&samples, &samples, scales);
    let across = mean_kernel(&samples, data, scales);
    let target = mean_kernel(data, data, scales);
    within - 2.0 * across + target
}

fn latent() -> Array2<f64> {
    array![[0.3, -0.8], [1.1, 0.4], [-0.6, 0.7], [0.2, 1.3]]
}
fn data() -> Array2<f64> {
    array![[1.2, 0.1], [0.4, -0.9], [2.1, 0.6]]
}
const SCALES: [f64; 3] = [0.5, 1.0, 2.5];
fn split(x: &[f64]) -> (Array2<f64>, Array1<f64>, f64) {
    (Array2::from_shape_vec((2, 2), x[..4].to_vec()).unwrap(), Array1::from(x[4..6].to_vec()), x[6])
}
fn point() -> Vec<f64> {
    vec![0.8, -0.3, 0.4, 1.1, 0.5, -0.2, 0.7]
}
fn value(x: &[f64]) -> f64 {
    let (mixing, shift, tail) = split(x);
    generator_mmd(&mixing, &shift, tail, &latent(), &data(), &SCALES)
}
#[test]
fn exact() {
    crate::harness::check(
        "mmd",
        &point(),
        value,
        |x| {
            let (mixing, shift, tail) = split(x);
            let (mut gm, mut gs, _) = split(&[f64::NAN; 7]);
            let (value, gt) =
                generator_mmd_grad(&mixing, &shift, tail, &latent(), &data(), &SCALES, &mut gm, &mut gs);
            (value, gm.iter().chain(&gs).copied().chain([gt]).collect())
        },
        |x, v| {
            let ((mixing, shift, tail), (vm, vs, vt)) = (split(x), split(v));
            let (mut hm, mut hs, _) = split(&[f64::NAN; 7]);
            let ht = generator_mmd_hvp(
                &mixing,
                &shift,
                tail,
                &latent(),
                &data(),
                &SCALES,
                &vm,
                &vs,
                vt,
                &mut hm,
                &mut hs,
            );
            hm.iter().chain(&hs).copied().chain([ht]).collect()
        },
    );
}
