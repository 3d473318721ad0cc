use ad_runtime::{Differentiable, differentiable};

#[derive(Clone, Debug, Differentiable)]
struct Params {
    w1: Vec<Vec<f64>>,
    b1: Vec<f64>,
    w2: Vec<f64>,
    b2: f64,
}

/// Mean squared error of a one-hidden-layer perceptron with weight decay.
#[differentiable(wrt(params))]
fn mlp_loss(params: &Params, inputs: &[Vec<f64>], targets: &[f64], decay: f64) -> f64 {
    let Params { w1, b1, w2, b2 } = params;
    let data = inputs
        .iter()
        .zip(targets)
        .map(|(x, t)| {
            let hidden = w1
                .iter()
                .zip(b1)
                .map(|(row, b)| (row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + b).tanh());
            let out = hidden.zip(w2).map(|(h, w)| h * w).sum::<f64>() + b2;
            (out - t).powi(2)
        })
        .sum::<f64>()
        / inputs.len() as f64;
    let penalty: f64 = w1.iter().flatten().chain(w2).map(|w| w * w).sum();
    data + 0.5 * decay * penalty
}

fn unpack(x: &[f64]) -> Params {
    Params {
        w1: x[..6].chunks(2).map(|c| c.to_vec()).collect(),
        b1: x[6..9].to_vec(),
        w2: x[9..12].to_vec(),
        b2: x[12],
    }
}
fn pack(p: &Params) -> Vec<f64> {
    p.w1.iter().flatten().chain(&p.b1).chain(&p.w2).copied().chain([p.b2]).collect()
}
fn data() -> (Vec<Vec<f64>>, Vec<f64>) {
    (vec![vec![0.5, -1.2], vec![1.3, 0.4], vec![-0.7, 0.9], vec![0.1, 0.2]], vec![0.3, -0.6, 1.1, 0.2])
}
fn point() -> Vec<f64> {
    (0..13).map(|i| (1.7 * i as f64 + 0.4).sin() * 0.8).collect()
}
fn value(x: &[f64]) -> f64 {
    let (inputs, targets) = data();
    mlp_loss(&unpack(x), &inputs, &targets, 0.05)
}
#[test]
fn exact() {
    let (inputs, targets) = data();
    crate::harness::check(
        "mlp",
        &point(),
        value,
        |x| {
            let mut g = unpack(&vec![f64::NAN; x.len()]);
            let value = mlp_loss_grad(&unpack(x), &inputs, &targets, 0.05, &mut g);
            (value, pack(&g))
        },
        |x, v| {
            let mut hv = unpack(&vec![f64::NAN; x.len()]);
            mlp_loss_hvp(&unpack(x), &inputs, &targets, 0.05, &unpack(v), &mut hv);
            pack(&hv)
        },
    );
}
