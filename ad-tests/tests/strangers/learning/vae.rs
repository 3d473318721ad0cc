use ad_runtime::{Differentiable, differentiable};
use ndarray::{Array1, Array2, Axis, Zip};

#[derive(Clone, Debug, Differentiable)]
struct Vae {
    encoder: Array2<f64>,
    encoder_bias: Array1<f64>,
    decoder: Array2<f64>,
    decoder_bias: Array1<f64>,
    log_sigma: f64,
}

/// Negative evidence lower bound of a variational autoencoder with reparameterised, given noise.
#[differentiable(wrt(vae))]
fn negative_elbo(vae: &Vae, data: &Array2<f64>, noise: &Array2<f64>) -> f64 {
    let latent = vae.decoder.ncols();
    let precision = (-2.0 * vae.log_sigma).exp();
    let mut total = 0.0;
    for (x, epsilon) in data.rows().into_iter().zip(noise.rows()) {
        let statistics = vae.encoder.dot(&x) + &vae.encoder_bias;
        let (mean, log_var) = statistics.view().split_at(Axis(0), latent);
        let z =
            Zip::from(&mean).and(&log_var).and(&epsilon).map_collect(|&m, &l, &e| m + (0.5 * l).exp() * e);
        let reconstruction = (vae.decoder.dot(&z) + &vae.decoder_bias).mapv(f64::tanh);
        let error = &x - &reconstruction;
        let mut kl = 0.0;
        Zip::from(mean).and(log_var).for_each(|&m, &l| kl += 0.5 * (l.exp() + m * m - 1.0 - l));
        total += 0.5 * precision * error.dot(&error) + x.len() as f64 * vae.log_sigma + kl;
    }
    total / data.nrows() as f64
}

fn data() -> (Array2<f64>, Array2<f64>) {
    (
        Array2::from_shape_fn((3, 3), |(i, j)| (1.4 * i as f64 + 0.9 * j as f64).cos() * 0.8),
        Array2::from_shape_fn((3, 2), |(i, j)| (2.2 * i as f64 + 1.1 * j as f64 + 0.3).sin()),
    )
}
fn unpack(x: &[f64]) -> Vae {
    Vae {
        encoder: Array2::from_shape_vec((4, 3), x[..12].to_vec()).unwrap(),
        encoder_bias: x[12..16].iter().copied().collect(),
        decoder: Array2::from_shape_vec((3, 2), x[16..22].to_vec()).unwrap(),
        decoder_bias: x[22..25].iter().copied().collect(),
        log_sigma: x[25],
    }
}
fn pack(p: &Vae) -> Vec<f64> {
    p.encoder
        .iter()
        .chain(&p.encoder_bias)
        .chain(&p.decoder)
        .chain(&p.decoder_bias)
        .chain([&p.log_sigma])
        .copied()
        .collect()
}
fn point() -> Vec<f64> {
    let mut x: Vec<f64> = (0..25).map(|i| (1.6 * i as f64 + 0.2).cos() * 0.6).collect();
    x.push(-0.15);
    x
}
fn value(x: &[f64]) -> f64 {
    let (data, noise) = data();
    negative_elbo(&unpack(x), &data, &noise)
}
#[test]
fn exact() {
    let (data, noise) = data();
    crate::harness::check(
        "vae",
        &point(),
        value,
        |x| {
            let mut g = unpack(&vec![f64::NAN; x.len()]);
            let value = negative_elbo_grad(&unpack(x), &data, &noise, &mut g);
            (value, pack(&g))
        },
        |x, v| {
            let mut hv = unpack(&vec![f64::NAN; x.len()]);
            negative_elbo_hvp(&unpack(x), &data, &noise, &unpack(v), &mut hv);
            pack(&hv)
        },
    );
}
