use ad_runtime::differentiable;

#[differentiable]
fn swish(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

/// Strided 1-d convolution with `C` channels, average pooling, a dense layer and the hinge-squared loss.
#[differentiable(wrt(kernels, bias, dense))]
fn conv_loss<const C: usize, const K: usize>(
    kernels: &[[f64; K]; C],
    bias: [f64; C],
    dense: &[f64; C],
    signals: &[(&[f64], i8)],
    stride: usize,
) -> f64 {
    signals
        .iter()
        .map(|&(signal, label)| {
            let mut pooled = [0.0; C];
            let mut count = 0;
            for window in signal.windows(K).step_by(stride) {
                for c in 0..C {
                    let pre = window.iter().zip(kernels[c].iter()).fold(bias[c], |acc, (s, k)| acc + s * k);
                    pooled[c] += swish(pre);
                }
                count += 1;
            }
            let logit: f64 = pooled.iter().zip(dense).map(|(p, d)| p / count as f64 * d).sum();
            match 1.0 - label as f64 * logit {
                slack if slack > 0.0 => slack * slack,
                _ => 0.0,
            }
        })
        .sum()
}

const SIGNALS: [(&[f64], i8); 2] =
    [(&[0.1, 0.8, -0.3, 0.5, 1.2, -0.9, 0.4], 1), (&[-0.6, 0.3, 0.7, -1.1, 0.2], -1)];
fn split(x: &[f64]) -> ([[f64; 3]; 2], [f64; 2], [f64; 2]) {
    ([[x[0], x[1], x[2]], [x[3], x[4], x[5]]], [x[6], x[7]], [x[8], x[9]])
}
fn join(k: [[f64; 3]; 2], b: [f64; 2], d: [f64; 2]) -> Vec<f64> {
    k.into_iter().flatten().chain(b).chain(d).collect()
}
fn point() -> Vec<f64> {
    vec![0.5, -0.8, 0.3, 0.9, 0.2, -0.6, 0.1, -0.2, 0.7, -0.4]
}
fn value(x: &[f64]) -> f64 {
    let (k, b, d) = split(x);
    conv_loss(&k, b, &d, &SIGNALS, 2)
}
#[test]
fn exact() {
    crate::harness::check(
        "conv1d",
        &point(),
        value,
        |x| {
            let (k, b, d) = split(x);
            let (mut gk, _, mut gd) = split(&[f64::NAN; 10]);
            let (value, gb) = conv_loss_grad(&k, b, &d, &SIGNALS, 2, &mut gk, &mut gd);
            (value, join(gk, gb, gd))
        },
        |x, v| {
            let (k, b, d) = split(x);
            let (vk, vb, vd) = split(v);
            let (mut hk, _, mut hd) = split(&[f64::NAN; 10]);
            let hb = conv_loss_hvp(&k, b, &d, &SIGNALS, 2, &vk, vb, &vd, &mut hk, &mut hd);
            join(hk, hb, hd)
        },
    );
}
