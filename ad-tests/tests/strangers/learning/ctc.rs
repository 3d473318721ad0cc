use ad_runtime::differentiable;

const BLANK: usize = 0;

#[differentiable]
fn log_sum_exp(xs: &[f64]) -> f64 {
    let top = xs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    top + xs.iter().map(|x| (x - top).exp()).sum::<f64>().ln()
}

/// Connectionist temporal classification: minus the log-probability of `target` under all alignments.
#[differentiable(wrt(logits))]
fn ctc_loss(logits: &[f64], classes: usize, target: &[usize]) -> f64 {
    let log_probs: Vec<Vec<f64>> = logits
        .chunks(classes)
        .map(|frame| {
            let z = log_sum_exp(frame);
            frame.iter().map(|l| l - z).collect()
        })
        .collect();
    let extended: Vec<usize> =
        target.iter().flat_map(|&t| [BLANK, t]).chain(std::iter::once(BLANK)).collect();
    let states = extended.len();
    let mut alpha = vec![f64::NEG_INFINITY; states];
    alpha[0] = log_probs[0][BLANK];
    if states > 1 {
        alpha[1] = log_probs[0][extended[1]];
    }
    for frame in &log_probs[1..] {
        let next = (0..states)
            .map(|s| {
                let label = extended[s];
                let reach = match s {
                    0 => alpha[0],
                    1 => log_sum_exp(&alpha[..2]),
                    _ if label == BLANK || label == extended[s - 2] => log_sum_exp(&alpha[s - 1..=s]),
                    _ => log_sum_exp(&alpha[s - 2..=s]),
                };
                reach + frame[label]
            })
            .collect();
        alpha = next;
    }
    -log_sum_exp(&alpha[states.saturating_sub(2)..])
}

fn point() -> Vec<f64> {
    (0..15).map(|i| (2.1 * i as f64 + 0.5).sin() * 1.1).collect()
}
fn value(x: &[f64]) -> f64 {
    ctc_loss(x, 3, &[1, 2, 2])
}
#[test]
fn exact() {
    crate::harness::check(
        "ctc",
        &point(),
        value,
        |x| {
            let mut g = vec![f64::NAN; x.len()];
            let value = ctc_loss_grad(x, 3, &[1, 2, 2], &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; x.len()];
            ctc_loss_hvp(x, 3, &[1, 2, 2], v, &mut hv);
            hv
        },
    );
}
