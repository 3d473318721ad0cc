//! Richardson-Lucy deconvolution of a blurred trace, compared with a reference: a cost of the blur's
//! width, the background and the trace itself.
use ad_runtime::differentiable;
use ndarray::{Array1, ArrayView1, Zip, s};

#[differentiable]
fn gaussian_kernel(width: f64, radius: usize) -> Array1<f64> {
    let kernel = Array1::from_shape_fn(2 * radius + 1, |k| {
        let offset = k as f64 - radius as f64;
        (-0.5 * (offset / width).powi(2)).exp()
    });
    let mass = kernel.sum();
    kernel / mass
}

#[differentiable]
fn blur(signal: &Array1<f64>, kernel: &Array1<f64>) -> Array1<f64> {
    let (n, radius) = (signal.len(), kernel.len() / 2);
    let mut padded = Array1::<f64>::zeros(n + 2 * radius);
    padded.slice_mut(s![radius..radius + n]).assign(signal);
    Array1::from_iter(padded.windows(kernel.len()).into_iter().map(|w| w.dot(kernel)))
}

#[differentiable(wrt(ln_width, background, observed))]
pub fn deblurred_misfit(
    ln_width: f64,
    background: f64,
    observed: ArrayView1<f64>,
    reference: &Array1<f64>,
    iterations: usize,
) -> f64 {
    let kernel = gaussian_kernel(ln_width.exp(), 2);
    let coverage = blur(&Array1::ones(observed.len()), &kernel);
    let mut estimate = Array1::from_elem(observed.len(), observed.sum() / observed.len() as f64);
    for _ in 0..iterations {
        let model = blur(&estimate, &kernel) + background;
        let ratio = &observed / &model;
        let correction = blur(&ratio, &kernel) / &coverage;
        estimate *= &correction;
    }
    let mut cost = 0.0;
    Zip::from(&estimate).and(reference).for_each(|&e, &r| cost += (e - r).powi(2));
    0.5 * cost / observed.len() as f64
}

#[cfg(test)]
const X: [f64; 10] = [-0.1, 0.2, 0.6, 0.9, 1.7, 2.1, 1.4, 0.8, 1.1, 0.5];

#[cfg(test)]
fn reference() -> Array1<f64> {
    ndarray::arr1(&[0.3, 0.5, 1.6, 2.5, 1.2, 0.4, 1.3, 0.2])
}

#[cfg(test)]
#[test]
fn primal() {
    let trace = ArrayView1::from(&X[2..]);
    assert!(deblurred_misfit(X[0], X[1], trace, &reference(), 4).is_finite());
}

#[test]
fn exact() {
    let reference = reference();
    super::harness::check(
        "richardson_lucy",
        &X,
        |x| deblurred_misfit(x[0], x[1], ArrayView1::from(&x[2..]), &reference, 4),
        |x| {
            let mut d = Array1::<f64>::zeros(8);
            let (value, (dw, db)) =
                deblurred_misfit_grad(x[0], x[1], ArrayView1::from(&x[2..]), &reference, 4, d.view_mut());
            (value, [vec![dw, db], d.to_vec()].concat())
        },
        |x, v| {
            let mut h = Array1::<f64>::zeros(8);
            let (hw, hb) = deblurred_misfit_hvp(
                x[0],
                x[1],
                ArrayView1::from(&x[2..]),
                &reference,
                4,
                v[0],
                v[1],
                ArrayView1::from(&v[2..]),
                h.view_mut(),
            );
            [vec![hw, hb], h.to_vec()].concat()
        },
    );
}
