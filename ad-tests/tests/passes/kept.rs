//! What derivatives keep and what they have one of, against hyper-dual numbers: small arrays that become scalars, steps in steps, values
//! of libm kept for a loop, beside a vector, or on the stack, vectors rewritten in place, lengths taken out of loops.

use ad_runtime::differentiable;
use num_dual::{DualNum, HyperDual64 as H};

use super::{check, wave};

const WIDE: usize = 3;

/// A gated network: `z` and `r` are overwritten in each round, the bound is a constant by its name.
#[differentiable(wrt(w))]
fn gated(w: &[f64], inputs: &[f64], steps: usize) -> f64 {
    let m = WIDE;
    let (mut h, mut z, mut r) = (vec![0.3; m], vec![0.0; m], vec![0.0; m]);
    let mut loss = 0.0;
    for t in 0..steps {
        for k in 0..m {
            let mut s = w[k] * inputs[t];
            for j in 0..m {
                s += w[m + k * m + j] * h[j];
            }
            z[k] = 1.0 / (1.0 + (-s).exp());
            r[k] = s.tanh() * h[k];
        }
        for k in 0..m {
            h[k] = (1.0 - z[k]) * r[m - 1 - k] + z[k] * h[k];
        }
        loss += (h[0] - inputs[t]).powi(2);
    }
    loss + h[1] * h[2]
}

#[test]
fn a_state_in_vectors() {
    let m = WIDE;
    for steps in [0, 1, 2, 7] {
        let inputs = wave(steps, 0.3);
        let of_duals = |w: &[H]| {
            let mut h = vec![H::from(0.3); m];
            let mut loss = H::from(0.0);
            for input in &inputs {
                let s: Vec<H> =
                    (0..m).map(|k| (0..m).fold(w[k] * *input, |s, j| s + w[m + k * m + j] * h[j])).collect();
                let z: Vec<H> = s.iter().map(|s| ((-*s).exp() + 1.0).recip()).collect();
                let r: Vec<H> = (0..m).map(|k| s[k].tanh() * h[k]).collect();
                h = (0..m).map(|k| (-z[k] + 1.0) * r[m - 1 - k] + z[k] * h[k]).collect();
                loss += (h[0] - *input).powi(2);
            }
            loss + h[1] * h[2]
        };
        let f = |w: &[f64]| gated(w, &inputs, steps);
        let grad = |w: &[f64], g: &mut [f64]| gated_grad(w, &inputs, steps, g);
        let hvp = |w: &[f64], v: &[f64], h: &mut [f64]| gated_hvp(w, &inputs, steps, v, h);
        let rev = |w: &[f64], v: &[f64], h: &mut [f64]| gated_hvp_rev(w, &inputs, steps, v, h);
        check(&format!("{steps} steps"), &wave(m + m * m, 0.2), &f, &grad, [&hvp, &rev], &of_duals);
    }
}

/// Steps in steps, of a state in an array and one in scalars; a branch, and a sine whose rule asks for the cosine.
#[differentiable(wrt(x))]
fn swung(x: &[f64], outer: usize, inner: u32) -> f64 {
    let mut u = [x[0], x[1]];
    let mut work = 0.0;
    for i in 0..outer {
        for _ in 0..inner {
            let (s, c) = u[0].sin_cos();
            let mut k = [0.0; 2];
            k[0] = u[1] + 0.1 * c;
            k[1] = -s - x[2] * u[1];
            for j in 0..2 {
                u[j] += 0.1 * k[j];
            }
        }
        if i % 2 == 0 {
            u[1] *= 1.0 + 0.1 * x[3];
        }
        work += u[0] * u[1];
    }
    work + u[0]
}

#[test]
fn steps_in_steps() {
    for (outer, inner) in [(0, 3), (1, 0), (1, 1), (3, 4), (4, 1)] {
        let of_duals = |x: &[H]| {
            let (mut a, mut b, mut work) = (x[0], x[1], H::from(0.0));
            for i in 0..outer {
                for _ in 0..inner {
                    let (s, c) = a.sin_cos();
                    (a, b) = (a + (b + c * 0.1) * 0.1, b + (-s - x[2] * b) * 0.1);
                }
                if i % 2 == 0 {
                    b *= x[3] * 0.1 + 1.0;
                }
                work += a * b;
            }
            work + a
        };
        let f = |x: &[f64]| swung(x, outer, inner);
        let grad = |x: &[f64], g: &mut [f64]| swung_grad(x, outer, inner, g);
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| swung_hvp(x, outer, inner, v, h);
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| swung_hvp_rev(x, outer, inner, v, h);
        check(&format!("{outer} times {inner}"), &wave(4, 0.5), &f, &grad, [&hvp, &rev], &of_duals);
    }
}

#[differentiable]
fn turned(p: [f64; 3], axis: usize, angle: f64) -> [f64; 3] {
    let (s, c) = angle.sin_cos();
    match axis {
        0 => [p[0], c * p[1] - s * p[2], s * p[1] + c * p[2]],
        1 => [c * p[0] + s * p[2], p[1], c * p[2] - s * p[0]],
        _ => [c * p[0] - s * p[1], s * p[0] + c * p[1], p[2]],
    }
}

/// A chain of rotations, from the last to the first; `axes` is asked for an element that nobody knows before, so it stays an array, as does
/// `long`, which is longer than a loop that is written out.
#[differentiable(wrt(x))]
fn reached(x: &[f64], order: &[usize], offsets: &[[f64; 3]]) -> f64 {
    let mut p = [0.1; 3];
    let mut axes = [1.0, 2.0, 3.0];
    let mut long = [0.0; 7];
    let mut turn = [[0.0; 2]; 2];
    for i in (0..order.len()).rev() {
        for k in 0..3 {
            p[k] += offsets[i][k];
        }
        p = turned(p, order[i], x[i]);
        axes[order[i]] += p[0] * p[1];
        for k in 0..7 {
            long[k] += p[k % 3] * axes[k % 3];
        }
        for a in 0..2 {
            for b in (0..2).rev() {
                turn[a][b] = turn[a][b] * p[b] + p[a + b] - turn[b][a];
            }
        }
    }
    let mut sum = 0.0;
    for (k, v) in p.iter().enumerate() {
        sum += v * axes[k] * long[2 * k];
    }
    sum + turn[0][1] * turn[1][1] + turn[1][0]
}

#[test]
fn arrays_as_scalars() {
    for n in [0, 1, 2, 5] {
        let order: Vec<usize> = (0..n).map(|i| (2 * i + 1) % 3).collect();
        let offsets: Vec<[f64; 3]> = (0..n).map(|i| [0.3, -0.2, 0.1 * i as f64]).collect();
        let of_duals = |x: &[H]| {
            let mut p = [H::from(0.1); 3];
            let mut axes = [1.0, 2.0, 3.0].map(H::from);
            let mut long = [H::from(0.0); 7];
            let mut turn = [[H::from(0.0); 2]; 2];
            for i in (0..n).rev() {
                for k in 0..3 {
                    p[k] += offsets[i][k];
                }
                let (s, c) = x[i].sin_cos();
                p = match order[i] {
                    0 => [p[0], c * p[1] - s * p[2], s * p[1] + c * p[2]],
                    1 => [c * p[0] + s * p[2], p[1], c * p[2] - s * p[0]],
                    _ => [c * p[0] - s * p[1], s * p[0] + c * p[1], p[2]],
                };
                axes[order[i]] += p[0] * p[1];
                for k in 0..7 {
                    long[k] += p[k % 3] * axes[k % 3];
                }
                for a in 0..2 {
                    for b in (0..2).rev() {
                        turn[a][b] = turn[a][b] * p[b] + p[a + b] - turn[b][a];
                    }
                }
            }
            let sum = (0..3).fold(H::from(0.0), |s, k| s + p[k] * axes[k] * long[2 * k]);
            sum + turn[0][1] * turn[1][1] + turn[1][0]
        };
        let f = |x: &[f64]| reached(x, &order, &offsets);
        let grad = |x: &[f64], g: &mut [f64]| reached_grad(x, &order, &offsets, g);
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| reached_hvp(x, &order, &offsets, v, h);
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| reached_hvp_rev(x, &order, &offsets, v, h);
        check(&format!("{n} joints"), &wave(n, 0.7), &f, &grad, [&hvp, &rev], &of_duals);
    }
}

/// An array that is asked for an element that it has not got, in a loop that is short enough to be written out: it panics, as ever.
#[differentiable]
fn past_the_end(x: f64, rounds: usize) -> f64 {
    let mut a = [x; 3];
    for _ in 0..rounds {
        for k in 0..4 {
            a[k] *= 2.0;
        }
    }
    a[0] * a[1]
}

#[test]
fn an_array_that_is_too_short() {
    assert_eq!(past_the_end_grad(3.0, 0), (9.0, 6.0));
    assert!(std::panic::catch_unwind(|| past_the_end_grad(3.0, 1)).is_err());
    assert!(std::panic::catch_unwind(|| past_the_end_hvp(3.0, 1, 1.0)).is_err());
}

/// Sums of basis functions, whose residual comes before their reversal: up to 64 are kept on the stack. A penalty comes first.
#[differentiable(wrt(a, c))]
fn basis(a: &[f64], c: &[f64], t: &[f64]) -> f64 {
    let mut loss = 0.0;
    for v in a {
        loss += 0.1 * v * v;
    }
    for &t in t {
        let mut fit = 0.0;
        for k in 0..a.len() {
            let mut r2 = 0.0;
            for j in 0..2 {
                let d = t - c[2 * k + j];
                r2 += d * d;
            }
            // Only the last exponential is made of this.
            let early = 0.01 * t * k as f64;
            let slope = (-a[k] * 0.5).exp();
            fit += a[k] * (-r2 / (1.0 + a[k] * a[k])).exp() + (c[2 * k] * slope).tanh();
            fit += (early - c[2 * k]).exp();
        }
        loss += (fit - t).powi(2);
    }
    loss
}

#[test]
fn sums_of_basis_functions() {
    let t = wave(3, 0.8);
    for n in [0, 1, 5, 63, 64, 65, 70] {
        let of_duals = |x: &[H]| {
            let (a, c) = x.split_at(n);
            let penalty = a.iter().fold(H::from(0.0), |s, v| s + *v * *v * 0.1);
            t.iter().fold(penalty, |loss, t| {
                let fit = (0..n).fold(H::from(0.0), |fit, k| {
                    let r2 = (-c[2 * k] + *t).powi(2) + (-c[2 * k + 1] + *t).powi(2);
                    let slope = (-a[k] * 0.5).exp();
                    let last = (-c[2 * k] + 0.01 * t * k as f64).exp();
                    fit + a[k] * (-r2 / (a[k] * a[k] + 1.0)).exp() + (c[2 * k] * slope).tanh() + last
                });
                loss + (fit - *t).powi(2)
            })
        };
        let f = |x: &[f64]| basis(&x[..n], &x[n..], &t);
        let grad = |x: &[f64], g: &mut [f64]| {
            let (a, c) = g.split_at_mut(n);
            basis_grad(&x[..n], &x[n..], &t, a, c)
        };
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| {
            let (a, c) = h.split_at_mut(n);
            basis_hvp(&x[..n], &x[n..], &t, &v[..n], &v[n..], a, c);
        };
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| {
            let (a, c) = h.split_at_mut(n);
            basis_hvp_rev(&x[..n], &x[n..], &t, &v[..n], &v[n..], a, c);
        };
        check(&format!("{n} functions"), &wave(3 * n, 0.4), &f, &grad, [&hvp, &rev], &of_duals);
    }
}

/// The exponentials that half a matrix is filled with are wanted again when it holds something else.
#[differentiable]
fn kernel(x: &[f64]) -> f64 {
    let n = x.len() - 1;
    let mut k = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let d = x[i] - x[j];
            k[i * n + j] = x[n] * (-d * d).exp();
        }
        k[i * n + i] += 1.0;
    }
    let mut sum = 0.0;
    for i in 0..n {
        for j in 0..i {
            k[i * n + j] /= k[j * n + j];
            k[i * n + i] -= k[i * n + j] * k[i * n + j];
        }
        sum += k[i * n + i].abs().sqrt();
    }
    sum
}

#[test]
fn a_matrix_that_is_overwritten() {
    for n in 0..6 {
        let of_duals = |x: &[H]| {
            let mut k = vec![H::from(0.0); n * n];
            for i in 0..n {
                for j in 0..=i {
                    let d = x[i] - x[j];
                    k[i * n + j] = x[n] * (-d * d).exp();
                }
                k[i * n + i] += 1.0;
            }
            let mut sum = H::from(0.0);
            for i in 0..n {
                for j in 0..i {
                    let pivot = k[j * n + j];
                    k[i * n + j] /= pivot;
                    let square = k[i * n + j] * k[i * n + j];
                    k[i * n + i] -= square;
                }
                sum += k[i * n + i].powi(2).sqrt().sqrt();
            }
            sum
        };
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| kernel_hvp_rev(x, v, h);
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| kernel_hvp(x, v, h);
        check(
            &format!("{n} points"),
            &wave(n + 1, 0.7),
            &kernel,
            &|x, g| kernel_grad(x, g),
            [&hvp, &rev],
            &of_duals,
        );
    }
}

/// A softmax in place, of a vector whose length is computed in each round; nothing is divided where there is no round.
#[differentiable(wrt(w))]
fn weighed(w: &[f64], values: &[f64], rounds: usize, parts: usize) -> f64 {
    let mut total = 0.0;
    for i in 0..rounds {
        let n = w.len() / parts;
        let mut a = vec![0.0; n];
        for j in 0..n {
            a[j] = w[j] * w[(j + i) % n] * values[i];
        }
        let mut s = 0.0;
        for j in 0..n {
            a[j] = a[j].exp();
            s += a[j];
        }
        for j in 0..n {
            a[j] /= s;
        }
        for j in 0..n {
            total += a[j] * values[j] * a[n - 1 - j];
        }
    }
    total
}

#[test]
fn vectors_rewritten_in_place() {
    let values = wave(8, 0.1);
    for (n, rounds, parts) in [(3, 0, 0), (3, 0, 1), (1, 1, 1), (4, 3, 1), (8, 5, 2)] {
        let of_duals = |w: &[H]| {
            let mut total = H::from(0.0);
            for i in 0..rounds {
                let n = w.len() / parts;
                let e: Vec<H> = (0..n).map(|j| (w[j] * w[(j + i) % n] * values[i]).exp()).collect();
                let s = e.iter().fold(H::from(0.0), |s, e| s + *e);
                total = (0..n).fold(total, |t, j| t + e[j] / s * values[j] * e[n - 1 - j] / s);
            }
            total
        };
        let f = |w: &[f64]| weighed(w, &values, rounds, parts);
        let grad = |w: &[f64], g: &mut [f64]| weighed_grad(w, &values, rounds, parts, g);
        let hvp = |w: &[f64], v: &[f64], h: &mut [f64]| weighed_hvp(w, &values, rounds, parts, v, h);
        let rev = |w: &[f64], v: &[f64], h: &mut [f64]| weighed_hvp_rev(w, &values, rounds, parts, v, h);
        check(&format!("{rounds} of {n}"), &wave(n, 0.6), &f, &grad, [&hvp, &rev], &of_duals);
    }
    let divides = || weighed_grad(&[1.0], &values, 1, 0, &mut [0.0]);
    assert!(std::panic::catch_unwind(divides).is_err());
}

/// A vector as long as one that grows: its length is another one in each round.
#[differentiable]
fn longer_and_longer(x: &[f64]) -> f64 {
    let mut seen = Vec::new();
    let mut total = 0.0;
    for i in 0..x.len() {
        let mut steps = vec![0.0; seen.len()];
        for j in 0..seen.len() {
            steps[j] = seen[j] * x[i];
        }
        for s in &steps {
            total += s * s;
        }
        total += steps.len() as f64 * x[i];
        seen.push(x[i].sin());
    }
    total
}

#[test]
fn lengths_that_change() {
    for n in [0, 1, 4] {
        let of_duals = |x: &[H]| {
            let seen: Vec<H> = x.iter().map(H::sin).collect();
            (0..n).fold(H::from(0.0), |t, i| {
                let squares = seen[..i].iter().fold(H::from(0.0), |s, v| s + (*v * x[i]).powi(2));
                t + squares + x[i] * i as f64
            })
        };
        let hvp = |x: &[f64], v: &[f64], h: &mut [f64]| longer_and_longer_hvp(x, v, h);
        let rev = |x: &[f64], v: &[f64], h: &mut [f64]| longer_and_longer_hvp_rev(x, v, h);
        let grad = |x: &[f64], g: &mut [f64]| longer_and_longer_grad(x, g);
        check(&format!("{n} rounds"), &wave(n, 0.3), &longer_and_longer, &grad, [&hvp, &rev], &of_duals);
    }
}

/// The same of single precision: exponentials on the stack, an array of three, one of a state.
#[differentiable(wrt(a))]
fn single(a: &[f32], t: &[f32]) -> f32 {
    let mut loss = 0.0;
    let mut p = [0.5, 0.0, 0.0];
    for i in 0..t.len() {
        let mut fit = 0.0;
        for k in 0..a.len() {
            fit += (-a[k] * a[k] * t[i]).exp();
        }
        for k in 0..3 {
            p[k] = 0.5 * p[2 - k] + fit * a[k];
        }
        loss += (fit - t[i]) * (fit - t[i]) * p[1].sin();
    }
    loss + p[0] * p[2]
}

#[test]
fn single_precision() {
    for (n, m) in [(3, 0), (3, 2), (70, 2)] {
        let x: Vec<f64> = wave(n, 0.3).iter().map(|v| f64::from(*v as f32)).collect();
        let t: Vec<f64> = (0..m).map(|i| f64::from(0.4_f32 + i as f32)).collect();
        let of_duals = |a: &[H]| {
            let (mut loss, mut p) = (H::from(0.0), [0.5, 0.0, 0.0].map(H::from));
            for t in &t {
                let fit = a.iter().fold(H::from(0.0), |s, a| s + (-*a * *a * *t).exp());
                for k in 0..3 {
                    p[k] = p[2 - k] * 0.5 + fit * a[k];
                }
                loss += (fit - *t).powi(2) * p[1].sin();
            }
            loss + p[0] * p[2]
        };
        let v = wave(n, 0.9);
        let (g_ref, h_ref) = super::reference(&of_duals, &x, &v);
        let f32s = |list: &[f64]| list.iter().map(|v| *v as f32).collect::<Vec<_>>();
        let f64s = |list: &[f32]| list.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let (a, t, v) = (f32s(&x), f32s(&t), f32s(&v));
        let (mut g, mut h) = (vec![9.0; n], vec![9.0; n]);
        assert_eq!(single_grad(&a, &t, &mut g).to_bits(), single(&a, &t).to_bits());
        single_hvp(&a, &t, &v, &mut h);
        super::close("gradient", &f64s(&g), &g_ref, 1e-5);
        super::close("product", &f64s(&h), &h_ref, 1e-5);
    }
}
