//! Exponentials and hyperbolic tangents of which several rounds are taken at once, in derivatives: against hyper-dual numbers, where
//! they over- and underflow, and beside comparisons that must be what they are in the user's function.

use ad_runtime::differentiable;
use num_dual::{DualNum, HyperDual64 as H};

use super::{check, close, wave};

/// The exponentials are summed up, in the order of the function, and of the derivatives.
#[differentiable]
fn log_sum(x: &[f64]) -> f64 {
    let mut sum = 0.5;
    for &v in x {
        sum += (1.5 * v).exp();
    }
    sum.ln()
}

#[test]
fn exponentials_that_are_summed_up() {
    for n in [0, 1, 7, 8, 15, 16, 17, 32, 33, 70] {
        let of_duals = |x: &[H]| x.iter().fold(H::from(0.5), |s, v| s + (*v * 1.5).exp()).ln();
        let x = wave(n, 0.3);
        check(&format!("{n}"), &x, &log_sum, &log_sum_grad, [&log_sum_hvp, &log_sum_hvp_rev], &of_duals);
    }
}

/// Gates on a state that is rewritten in place; what is left of it is summed up. `x` is the state, and two numbers for each gate.
#[differentiable(wrt(x))]
fn gated(x: &[f64], weights: &[f64], steps: usize) -> f64 {
    let n = weights.len();
    let mut state = x[..n].to_vec();
    let mut seen = 0.0;
    for t in 0..steps {
        let mut sum = 0.0;
        for k in 0..n {
            let forget = 1.0 / (1.0 + (-x[n + k] - 0.1 * t as f64).exp());
            let new = (x[2 * n + k] + 0.3 * state[k]).tanh();
            state[k] = forget * state[k] + (1.0 - forget) * new;
            sum += weights[k] * state[k].tanh();
        }
        seen += sum * sum;
    }
    seen
}

#[test]
fn gates_on_a_state() {
    for (n, steps) in [(1, 2), (8, 3), (9, 1), (16, 2), (19, 2), (35, 1)] {
        let weights = wave(n, 0.6);
        let of_duals = |x: &[H]| {
            let mut state = x[..n].to_vec();
            let mut seen = H::from(0.0);
            for t in 0..steps {
                let mut sum = H::from(0.0);
                for k in 0..n {
                    let forget = ((-x[n + k] - 0.1 * f64::from(t)).exp() + 1.0).recip();
                    let new = (x[2 * n + k] + state[k] * 0.3).tanh();
                    state[k] = forget * state[k] + (-forget + 1.0) * new;
                    sum += state[k].tanh() * weights[k];
                }
                seen += sum * sum;
            }
            seen
        };
        let rounds = steps as usize;
        let f = |x: &[f64]| gated(x, &weights, rounds);
        let grad = |x: &[f64], g: &mut [f64]| gated_grad(x, &weights, rounds, g);
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| gated_hvp(x, &weights, rounds, v, h);
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| gated_hvp_rev(x, &weights, rounds, v, h);
        check(&format!("{n}, {steps}"), &wave(3 * n, 0.2), &f, &grad, [&hvp, &rev], &of_duals);
    }
}

/// Two layers, the first with as many units as there are: full blocks of four, and what is left of one.
#[differentiable(wrt(p))]
fn layers(p: &[f64], inputs: &[f64], units: usize) -> f64 {
    let n = inputs.len();
    let (first, second) = (&p[..units * n], &p[units * n..]);
    let mut loss = 0.0;
    let mut hidden = vec![0.0; units];
    for u in 0..units {
        let mut z = 0.1;
        for j in 0..n {
            z += first[u * n + j] * inputs[j];
        }
        hidden[u] = z.tanh();
        loss += second[u] * hidden[u];
    }
    for u in 0..units {
        let mut z = -0.2;
        for j in 0..n {
            z += first[u * n + j] * inputs[n - 1 - j];
        }
        loss += (1.0 + (-z * second[u]).exp()).ln();
    }
    loss
}

#[test]
fn layers_of_four_rows_and_of_less() {
    let inputs = wave(9, 0.8);
    for units in [1, 3, 4, 5, 8, 11] {
        let of_duals = |p: &[H]| {
            let mut loss = H::from(0.0);
            for u in 0..units {
                let row = &p[9 * u..9 * u + 9];
                let z = row.iter().zip(&inputs).fold(H::from(0.1), |z, (w, x)| z + *w * *x);
                loss += p[9 * units + u] * z.tanh();
                let z = row.iter().zip(inputs.iter().rev()).fold(H::from(-0.2), |z, (w, x)| z + *w * *x);
                loss += ((-z * p[9 * units + u]).exp() + 1.0).ln();
            }
            loss
        };
        let f = |p: &[f64]| layers(p, &inputs, units);
        let grad = |p: &[f64], g: &mut [f64]| layers_grad(p, &inputs, units, g);
        let hvp = |p: &[f64], v: &[f64], h: &mut [f64]| layers_hvp(p, &inputs, units, v, h);
        let rev = |p: &[f64], v: &[f64], h: &mut [f64]| layers_hvp_rev(p, &inputs, units, v, h);
        check(&format!("{units}"), &wave(10 * units, 0.4), &f, &grad, [&hvp, &rev], &of_duals);
    }
}

/// Large arguments on both sides.
#[differentiable]
fn saturated(x: &[f64]) -> f64 {
    let mut sum = 0.0;
    for &v in x {
        let s = 1.0 / (1.0 + (-v).exp());
        sum += s * v.tanh();
    }
    sum
}

#[test]
fn what_saturates() {
    let mut x = wave(24, 0.1);
    (x[0], x[3], x[7], x[9], x[12], x[20]) = (800.0, -40.0, 1e5, -300.0, 36.0, -1e-320);
    let parts = |x: f64| (1.0 / (1.0 + (-x).exp()), x.tanh());
    let slope = |x: f64| {
        let (s, t) = parts(x);
        s * (1.0 - s) * t + s * (1.0 - t * t)
    };
    let curvature = |x: f64| {
        let (s, t) = parts(x);
        let (s_1, t_1) = (s * (1.0 - s), 1.0 - t * t);
        s_1 * (1.0 - 2.0 * s) * t + 2.0 * s_1 * t_1 - 2.0 * s * t * t_1
    };
    let (v, mut g, mut h) = (vec![1.0; 24], vec![0.0; 24], vec![0.0; 24]);
    saturated_grad(&x, &mut g);
    close("gradient", &g, &x.iter().map(|x| slope(*x)).collect::<Vec<_>>(), 1e-14);
    for hvp in [saturated_hvp, saturated_hvp_rev] {
        h.fill(9.0);
        hvp(&x, &v, &mut h);
        close("product", &h, &x.iter().map(|x| curvature(*x)).collect::<Vec<_>>(), 1e-14);
    }
    // What is not a number stays one, where it is.
    x[5] = f64::NAN;
    saturated_hvp(&x, &v, &mut h);
    assert!(h.iter().enumerate().all(|(k, h)| h.is_nan() == (k == 5)), "{h:?}");
}

/// Half a parabola, from where an exponential has reached a bound.
#[differentiable(wrt(x))]
fn bounded(x: &[f64], bounds: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (&v, &bound) in x.iter().zip(bounds) {
        if v.exp() >= bound {
            sum += v * v * v;
        }
    }
    sum
}

/// Which exponentials reach a bound is what the standard library says, also where derivatives' own exponential is the number below.
#[test]
fn comparisons_are_the_functions_own() {
    let (x, bounds) = at_the_bound(40);
    let (v, mut g, mut h) = (vec![1.0; 40], vec![0.0; 40], vec![0.0; 40]);
    bounded_grad(&x, &bounds, &mut g);
    close("gradient", &g, &x.iter().map(|x| 3.0 * x * x).collect::<Vec<_>>(), 1e-14);
    for hvp in [bounded_hvp, bounded_hvp_rev] {
        h.fill(9.0);
        hvp(&x, &bounds, &v, &mut h);
        close("product", &h, &x.iter().map(|x| 6.0 * x).collect::<Vec<_>>(), 1e-14);
    }
}

/// Two vectors that change places: what was in the one goes to the other, which is written after it.
#[differentiable]
fn swung(x: &[f64], steps: usize) -> f64 {
    let n = x.len();
    let mut now = x.to_vec();
    let mut before = vec![0.0; n];
    for _ in 0..steps {
        for k in 0..n {
            let old = now[k];
            now[k] = 1.9 * old - 0.9 * before[k] - 0.1 * (2.0 * old).tanh();
            before[k] = old;
        }
    }
    let mut sum = 0.0;
    for k in 0..n {
        sum += now[k] * now[k] * before[k];
    }
    sum
}

#[test]
fn what_is_handed_on_before_it_is_overwritten() {
    for n in [1, 9, 16, 40] {
        let of_duals = |x: &[H]| {
            let each = x.iter().map(|x| {
                let (mut now, mut before) = (*x, H::from(0.0));
                for _ in 0..3 {
                    (now, before) = (now * 1.9 - before * 0.9 - (now * 2.0).tanh() * 0.1, now);
                }
                now * now * before
            });
            each.fold(H::from(0.0), |a, b| a + b)
        };
        let f = |x: &[f64]| swung(x, 3);
        let grad = |x: &[f64], g: &mut [f64]| swung_grad(x, 3, g);
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| swung_hvp(x, 3, v, h);
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| swung_hvp_rev(x, 3, v, h);
        check(&format!("{n}"), &wave(n, 0.3), &f, &grad, [&hvp, &rev], &of_duals);
    }
}

/// Numbers whose exponential in derivatives would be the number below the standard library's, and its exponentials.
fn at_the_bound(n: usize) -> (Vec<f64>, Vec<f64>) {
    let below = |x: &f64| ad_runtime::__private::exp(*x) < x.exp();
    let x: Vec<f64> = (0..).map(|k| 0.37 + 1e-3 * f64::from(k)).filter(below).take(n).collect();
    let exponentials = x.iter().copied().map(f64::exp).collect();
    (x, exponentials)
}

fn total(w: &[f64]) -> f64 {
    w.iter().sum()
}

fn first_from(w: &[f64], bound: f64) -> usize {
    w.iter().position(|v| *v >= bound).unwrap_or(0)
}

/// Exponentials of data that other code looks at, which says what is active.
#[differentiable(wrt(x))]
fn looked_at(x: &[f64], t: &[f64], bound: f64) -> f64 {
    let n = t.len();
    let mut w = vec![0.0; n];
    for j in 0..n {
        w[j] = t[j].exp();
    }
    let k = first_from(&w, bound);
    x[k] * x[k] * total(&w)
}

/// And those that a differentiable function is called with, which stays a call: it has a name of its own crate.
#[differentiable(wrt(x))]
fn called_with(x: &[f64], bounds: &[f64]) -> f64 {
    let mut e = vec![0.0; x.len()];
    for i in 0..x.len() {
        e[i] = x[i].exp();
    }
    other::clipped(&e, bounds)
}

mod other {
    use ad_runtime::differentiable;

    #[differentiable(wrt(e))]
    pub(super) fn clipped(e: &[f64], bounds: &[f64]) -> f64 {
        let mut sum = 0.0;
        for i in 0..e.len() {
            sum += if e[i] >= bounds[i] { e[i] * e[i] } else { e[i] };
        }
        sum
    }
}

/// And those that an assertion is about.
#[differentiable(wrt(x))]
fn asserted(x: &[f64], bounds: &[f64]) -> f64 {
    let n = x.len();
    let mut e = vec![0.0; n];
    for i in 0..n {
        e[i] = x[i].exp();
    }
    for i in 0..n {
        assert!(e[i] >= bounds[i]);
    }
    let mut sum = 0.0;
    for i in 0..n {
        sum += e[i] * e[i];
    }
    sum
}

#[test]
fn what_other_code_sees_is_the_functions_own() {
    let n = 40;
    let (t, exponentials) = at_the_bound(n);
    let x = wave(n, 0.2);
    let (v, mut g, mut h) = (vec![1.0; n], vec![0.0; n], vec![0.0; n]);
    // Ascending: the first that reaches the bound is the third.
    let value = looked_at_grad(&x, &t, exponentials[3], &mut g);
    assert_eq!(value.to_bits(), looked_at(&x, &t, exponentials[3]).to_bits());
    looked_at_hvp(&x, &t, exponentials[3], &v, &mut h);
    let sum = 2.0 * total(&exponentials);
    let at = |value: f64| (0..n).map(|k| if k == 3 { value } else { 0.0 }).collect::<Vec<_>>();
    close("looked at, gradient", &g, &at(sum * x[3]), 1e-14);
    close("looked at, product", &h, &at(sum), 1e-14);

    // Each is at its bound, and squared.
    let square: Vec<f64> = exponentials.iter().map(|e| 4.0 * e * e).collect();
    called_with_hvp(&t, &exponentials, &v, &mut h);
    close("called with", &h, &square, 1e-13);
    asserted_hvp(&t, &exponentials, &v, &mut h);
    close("asserted", &h, &square, 1e-13);
}

/// A vector that is written, not returned.
#[differentiable]
fn written(x: &[f64], y: &mut [f64]) {
    for i in 0..x.len() {
        y[i] = x[i].exp();
    }
}

#[test]
fn a_vector_with_its_derivative_is_the_functions_own() {
    let (x, exponentials) = at_the_bound(40);
    let (mut y, mut y_dot) = (vec![0.0; 40], vec![0.0; 40]);
    written_jvp(&x, &[1.0; 40], &mut y, &mut y_dot);
    assert_eq!(y, exponentials);
    close("slope", &y_dot, &exponentials, 1e-14);
}

/// Rounds until the exponentials of all are small: only the condition reads their sum.
#[differentiable(wrt(x))]
fn until_small(x: &[f64], bound: f64) -> f64 {
    let (mut rounds, mut rest) = (0.0, f64::MAX);
    while rest >= bound {
        rest = 0.0;
        for i in 0..x.len() {
            rest += (-(rounds + 1.0) * x[i] * x[i]).exp();
        }
        rounds += 1.0;
    }
    rounds * x[0] * x[0]
}

/// The bound is what one round's sum is: that round is not the last.
#[test]
fn conditions_of_loops_are_the_functions_own() {
    let n = 40;
    let (v, mut g, mut h) = (vec![1.0; n], vec![0.0; n], vec![0.0; n]);
    for phase in 0..30 {
        let x: Vec<f64> = wave(n, 0.1 * f64::from(phase)).iter().map(|x| 0.4 + x * x).collect();
        let bound = x.iter().fold(0.0, |sum, x| sum + (-(2.0 + 1.0) * x * x).exp());
        let at = |value: f64| (0..n).map(|k| if k == 0 { value } else { 0.0 }).collect::<Vec<_>>();
        let value = until_small_grad(&x, bound, &mut g);
        assert_eq!(value.to_bits(), until_small(&x, bound).to_bits(), "{phase}");
        assert_eq!(value, 4.0 * x[0] * x[0], "{phase}");
        close("gradient", &g, &at(8.0 * x[0]), 1e-14);
        for hvp in [until_small_hvp, until_small_hvp_rev] {
            h.fill(9.0);
            hvp(&x, bound, &v, &mut h);
            close("product", &h, &at(8.0), 1e-14);
        }
    }
}
