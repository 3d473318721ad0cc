//! Gaussian mixture: const generics, three arrays by value, reused local arrays.
use ad_runtime::differentiable;

#[differentiable]
fn log_sum_exp<const K: usize>(a: &[f64; K]) -> f64 {
    let mut max = a[0];
    for &v in &a[1..] {
        if v > max {
            max = v;
        }
    }
    let mut sum = 0.0;
    for v in a {
        sum += (v - max).exp();
    }
    max + sum.ln()
}

#[differentiable(wrt(logits, means, log_sds))]
fn mixture<const K: usize>(logits: [f64; K], means: [f64; K], log_sds: [f64; K], data: &[f64]) -> f64 {
    let norm = log_sum_exp(&logits);
    let mut nll = 0.0;
    let mut terms = [0.0; K];
    for x in data {
        for k in 0..K {
            let z = (x - means[k]) * (-log_sds[k]).exp();
            terms[k] = logits[k] - norm - log_sds[k] - 0.5 * z * z;
        }
        nll -= log_sum_exp(&terms);
    }
    nll
}

const D: [f64; 8] = [-1.4, -0.9, 0.1, 0.6, 1.3, 1.9, -1.1, 2.4];
fn split(x: &[f64]) -> [[f64; 3]; 3] {
    std::array::from_fn(|i| std::array::from_fn(|k| x[3 * i + k]))
}

#[test]
fn exact() {
    super::harness::check(
        "mixture",
        &[0.2, -0.3, 0.4, -1.0, 0.3, 1.8, -0.2, 0.1, -0.4],
        |x| {
            let [l, m, s] = split(x);
            mixture(l, m, s, &D)
        },
        |x| {
            let [l, m, s] = split(x);
            let (value, (gl, gm, gs)) = mixture_grad(l, m, s, &D);
            (value, [gl, gm, gs].concat())
        },
        |x, v| {
            let ([l, m, s], [vl, vm, vs]) = (split(x), split(v));
            let (hl, hm, hs) = mixture_hvp(l, m, s, &D, vl, vm, vs);
            [hl, hm, hs].concat()
        },
    );
}
