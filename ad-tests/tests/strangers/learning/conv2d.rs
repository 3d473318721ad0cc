use ad_runtime::differentiable;
use ndarray::{Array2, s};

#[differentiable]
fn gelu(x: f64) -> f64 {
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
    0.5 * x * (1.0 + inner.tanh())
}

#[differentiable]
fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// Valid 2-d convolution, GELU, 2x2 average pooling, dense logit, binary cross-entropy over a batch.
#[differentiable(wrt(kernel, bias, dense))]
fn conv2d_loss(kernel: &Array2<f64>, bias: f64, dense: &Array2<f64>, batch: &[(Array2<f64>, f64)]) -> f64 {
    let (kh, kw) = kernel.dim();
    let mut total = 0.0;
    for (image, target) in batch {
        let (oh, ow) = (image.nrows() + 1 - kh, image.ncols() + 1 - kw);
        let feature = Array2::from_shape_fn((oh, ow), |(i, j)| {
            (&image.slice(s![i..i + kh, j..j + kw]) * kernel).sum() + bias
        })
        .mapv(gelu);
        let pooled = Array2::from_shape_fn((oh / 2, ow / 2), |(i, j)| {
            feature.slice(s![2 * i..2 * i + 2, 2 * j..2 * j + 2]).mean().unwrap()
        });
        let logit = (&pooled * dense).sum();
        total += softplus(logit) - target * logit;
    }
    total / batch.len() as f64
}

fn batch() -> Vec<(Array2<f64>, f64)> {
    [(0.3, 1.0), (1.4, 0.0)]
        .map(|(phase, t)| {
            (
                Array2::from_shape_fn((5, 5), |(i, j)| {
                    (1.3 * i as f64 + 0.8 * j as f64 * j as f64 + phase).sin()
                }),
                t,
            )
        })
        .to_vec()
}
fn split(x: &[f64]) -> (Array2<f64>, f64, Array2<f64>) {
    (
        Array2::from_shape_vec((2, 2), x[..4].to_vec()).unwrap(),
        x[4],
        Array2::from_shape_vec((2, 2), x[5..].to_vec()).unwrap(),
    )
}
fn join(k: &Array2<f64>, b: f64, d: &Array2<f64>) -> Vec<f64> {
    k.iter().copied().chain([b]).chain(d.iter().copied()).collect()
}
fn point() -> Vec<f64> {
    vec![0.7, -0.4, 0.5, 0.9, 0.1, 0.8, -0.6, 0.3, 1.1]
}
fn value(x: &[f64]) -> f64 {
    let (k, b, d) = split(x);
    conv2d_loss(&k, b, &d, &batch())
}
#[test]
fn exact() {
    let batch = batch();
    crate::harness::check(
        "conv2d",
        &point(),
        value,
        |x| {
            let (k, b, d) = split(x);
            let (mut gk, _, mut gd) = split(&[f64::NAN; 9]);
            let (value, gb) = conv2d_loss_grad(&k, b, &d, &batch, &mut gk, &mut gd);
            (value, join(&gk, gb, &gd))
        },
        |x, v| {
            let ((k, b, d), (vk, vb, vd)) = (split(x), split(v));
            let (mut hk, _, mut hd) = split(&[f64::NAN; 9]);
            let hb = conv2d_loss_hvp(&k, b, &d, &batch, &vk, vb, &vd, &mut hk, &mut hd);
            join(&hk, hb, &hd)
        },
    );
}
