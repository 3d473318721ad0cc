//! Ordinary functions, as people write them who do not know what this compiler accepts, against the same mathematics
//! over hyper-dual numbers in plain loops.

// The functions under test are written as users write them.
#[allow(clippy::all, clippy::pedantic, missing_docs, dead_code, unreachable_pub)]
mod ordinary {
    mod inference;
    mod learning;
    mod matrices;
    mod optimisation;
    mod physics;
    mod sequences;
    mod statistics;
    mod tables;

    use ad_runtime::{Differentiable, differentiable};
    use num_dual::{DualNum, HyperDual64 as D};

    /// As [`check`], for functions in single precision.
    #[track_caller]
    fn check_f32(
        name: &str,
        x: &[f64],
        value: impl Fn(&[f64]) -> f64,
        grad: impl Fn(&[f64], &mut [f64]) -> f64,
        hvp: impl Fn(&[f64], &[f64], &mut [f64]),
        reference: impl Fn(&[D]) -> D,
    ) {
        check_to(1e-4, name, x, value, grad, hvp, reference);
    }

    #[track_caller]
    fn check(
        name: &str,
        x: &[f64],
        value: impl Fn(&[f64]) -> f64,
        grad: impl Fn(&[f64], &mut [f64]) -> f64,
        hvp: impl Fn(&[f64], &[f64], &mut [f64]),
        reference: impl Fn(&[D]) -> D,
    ) {
        check_to(1e-9, name, x, value, grad, hvp, reference);
    }

    /// Value, gradient and Hessian-vector product at a point, along two directions.
    #[track_caller]
    fn check_to(
        tolerance: f64,
        name: &str,
        x: &[f64],
        value: impl Fn(&[f64]) -> f64,
        grad: impl Fn(&[f64], &mut [f64]) -> f64,
        hvp: impl Fn(&[f64], &[f64], &mut [f64]),
        reference: impl Fn(&[D]) -> D,
    ) {
        let n = x.len();
        for seed in [0.7, -1.3] {
            let v: Vec<f64> = (0..n).map(|i| (seed * (i as f64 + 1.0)).sin() + 0.2).collect();
            let (mut g_ref, mut h_ref) = (vec![0.0; n], vec![0.0; n]);
            for i in 0..n {
                let dual: Vec<D> =
                    (0..n).map(|k| D::new(x[k], f64::from(u8::from(k == i)), v[k], 0.0)).collect();
                let y = reference(&dual);
                g_ref[i] = y.eps1;
                h_ref[i] = y.eps1eps2;
                close(tolerance, name, "value", &[value(x)], &[y.re]);
            }
            let (mut g, mut hv) = (vec![f64::NAN; n], vec![f64::NAN; n]);
            let with_grad = grad(x, &mut g);
            close(tolerance, name, "value of the gradient", &[with_grad], &[value(x)]);
            close(tolerance, name, "gradient", &g, &g_ref);
            hvp(x, &v, &mut hv);
            close(tolerance, name, "Hv", &hv, &h_ref);
        }
    }

    #[track_caller]
    fn close(tolerance: f64, name: &str, what: &str, a: &[f64], b: &[f64]) {
        let scale = b.iter().fold(1e-12_f64, |m, v| m.max(v.abs()));
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            assert!(
                (a - b).abs() <= tolerance * scale,
                "{name}, {what}: component {i} is {a:e}, expected {b:e}"
            );
        }
    }
}
