//! Generated code of telling functions, as a person reads it. `INSTA_UPDATE=always cargo test` renews them.

use proc_macro2::TokenStream;
use quote::quote;

/// The product `only` of a function, formatted, without the rustdoc and attributes above it.
fn generated(only: TokenStream, item: TokenStream) -> String {
    generated_with(quote!(only(#only)), item)
}

/// As [`generated`], with any options.
fn generated_with(options: TokenStream, item: TokenStream) -> String {
    let tokens = crate::pipeline::expand(options, item);
    let Ok(file) = syn::parse2::<syn::File>(tokens) else { return "does not parse".to_string() };
    let made: Vec<syn::Item> = file
        .items
        .into_iter()
        .skip(1)
        .map(|item| match item {
            syn::Item::Fn(mut f) => {
                f.attrs.clear();
                syn::Item::Fn(f)
            }
            other => other,
        })
        .collect();
    prettyplease::unparse(&syn::File { shebang: None, frontmatter: None, attrs: Vec::new(), items: made })
}

#[test]
fn straight_line() {
    insta::assert_snapshot!(generated(
        quote!(hvp),
        quote! { fn f(x: f64, y: f64) -> f64 { x * x * y + y.sin() } }
    ));
}

#[test]
fn reduction() {
    insta::assert_snapshot!(generated(
        quote!(hvp),
        quote! {
            fn f(x: &[f64]) -> f64 {
                let mut s = 0.0;
                for i in 0..x.len() {
                    s += x[i].exp() * x[i];
                }
                s
            }
        }
    ));
}

#[test]
fn carried_state() {
    insta::assert_snapshot!(generated(
        quote!(grad),
        quote! {
            fn f(x: f64, steps: usize) -> f64 {
                let mut s = x;
                for _ in 0..steps {
                    s = s + 0.1 * s.sin();
                }
                s
            }
        }
    ));
}

#[test]
fn least_squares_of_matrices() {
    insta::assert_snapshot!(generated(
        quote!(hvp),
        quote! {
            fn f(w: &Array2<f64>, x: &Array2<f64>) -> f64 {
                let e = x.dot(w);
                e.mapv(|e| e.powi(4)).sum()
            }
        }
    ));
}

/// Products of any order are products: so many of them, and no loop of three.
#[test]
fn network_of_two_layers() {
    let network = quote! {
        fn f(w1: &Array2<f64>, b1: &Array1<f64>, w2: &Array2<f64>, x: &Array2<f64>, y: &Array2<f64>) -> f64 {
            let hidden = (x.dot(w1) + b1).mapv(f64::tanh);
            let error = hidden.dot(w2) - y;
            error.mapv(|e| e * e).sum()
        }
    };
    // x·w₁, h·w₂; ē·w₂ᵀ, hᵀ·ē, xᵀ·z̄; the tangents of those with one factor that varies, and with two.
    let (primal, adjoint) = (2, 3);
    let counts = [
        (quote!(grad), primal + adjoint),
        (quote!(jvp), primal + 1 + 2),
        // The weights' own adjoints are not asked for.
        (quote!(hvp), primal + 1 + (1 + 2) + 2 + 2 + 1),
        (quote!(hvp_rev), primal + 1 + (1 + 2) + 2 + 2 + 1),
    ];
    for (only, products) in counts {
        let text = generated_with(quote!(wrt(w1, b1, w2), only(#only)), network.clone());
        assert_eq!(text.matches("products::multiply(").count(), products, "{only}:\n{text}");
        let deepest = text.lines().filter(|l| l.trim_start().starts_with("for ")).map(|l| l.find("for "));
        assert!(deepest.max() <= Some(Some(8)), "{only}:\n{text}");
    }
    insta::assert_snapshot!(generated_with(quote!(wrt(w1, b1, w2), only(grad)), network));
}

/// What is read of data, and constants by their names, are the same in the value and in its reversal: both are one loop, in which each
/// exponential stands once.
#[test]
fn records_are_read_once() {
    let of_tuples = quote! {
        fn f(w: &[f64], data: &[(usize, f64)]) -> f64 {
            let mut s = 0.0;
            for (k, y) in data {
                s += (w[*k] * *y).exp() * SCALE;
            }
            s
        }
    };
    let of_chunks = quote! {
        fn f(w: &[f64], rows: &[f64], labels: &[usize], classes: usize) -> f64 {
            let d = w.len() / classes;
            let mut z = vec![0.0; classes];
            let mut s = 0.0;
            for (row, &label) in rows.chunks_exact(d).zip(labels) {
                for (z, w) in z.iter_mut().zip(w.chunks_exact(d)) {
                    *z = row.iter().zip(w).map(|(a, b)| a * b).sum();
                }
                let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                s += top + z.iter().map(|z| (z - top).exp()).sum::<f64>().ln() - z[label];
            }
            s
        }
    };
    for item in [of_tuples, of_chunks] {
        let text = generated_with(quote!(wrt(w), only(grad)), item);
        assert_eq!(text.matches(".exp()").count(), 1, "{text}");
    }
}

/// A sum that goes on where another ended: both of them for four rows at once.
#[test]
fn recurrent_layer() {
    let text = generated(
        quote!(grad),
        quote! {
            fn f(w: &[f64], u: &[f64], x: &[f64], h: &[f64]) -> f64 {
                let mut total = 0.0;
                for k in 0..w.len() / x.len() {
                    let mut s = 0.0;
                    for j in 0..x.len() {
                        s += w[k * x.len() + j] * x[j];
                    }
                    for j in 0..h.len() {
                        s += u[k * h.len() + j] * h[j];
                    }
                    total += s.tanh();
                }
                total
            }
        },
    );
    // One slice in four of each of the two matrices.
    assert_eq!(text.matches("part_apart(").count(), 2, "{text}");
    assert_eq!(text.matches("_rows[3_usize] =").count(), 1, "{text}");
}

#[test]
fn log_sum_exp() {
    insta::assert_snapshot!(generated(
        quote!(grad),
        quote! {
            fn f(x: &[f64]) -> f64 {
                let mut largest = x[0];
                for &v in x {
                    if v > largest {
                        largest = v;
                    }
                }
                let mut s = 0.0;
                for &v in x {
                    s += (v - largest).exp();
                }
                largest + s.ln()
            }
        }
    ));
}

#[test]
fn layer_that_is_replayed() {
    insta::assert_snapshot!(generated(
        quote!(grad),
        quote! {
            fn f(w: &[f64], x: f64, n: usize) -> f64 {
                let mut h = vec![0.0; n];
                let mut total = 0.0;
                for t in 0..n {
                    let mut o = 0;
                    for i in 0..n {
                        let mut a = x;
                        for j in 0..n {
                            a += w[o] * (j + t) as f64;
                            o += 1;
                        }
                        h[i] = a * a;
                    }
                    let mut s = 0.0;
                    for i in 0..n {
                        s += h[i];
                    }
                    total += s.sin();
                }
                total
            }
        }
    ));
}

#[test]
fn factorised_in_place() {
    insta::assert_snapshot!(generated(
        quote!(grad),
        quote! {
            fn f(x: &[f64], n: usize) -> f64 {
                let mut a = x.to_vec();
                let mut s = 0.0;
                for j in 0..n {
                    let mut d = a[j * n + j];
                    for k in 0..j {
                        d -= a[j * n + k] * a[j * n + k];
                    }
                    a[j * n + j] = d.sqrt();
                    s += d.ln();
                    for i in j + 1..n {
                        let mut t = a[i * n + j];
                        for k in 0..j {
                            t -= a[i * n + k] * a[j * n + k];
                        }
                        a[i * n + j] = t / d.sqrt();
                    }
                }
                s
            }
        }
    ));
}

/// The reverse sweep takes the square root and the quotient from the branch of the function.
#[test]
fn branches_of_one_condition() {
    insta::assert_snapshot!(generated(
        quote!(grad),
        quote! {
            fn f(x: f64, y: f64) -> f64 {
                let t = x * x + y * y;
                let (sine, part) = if t > 1.0 {
                    let r = t.sqrt();
                    (r.sin(), x / r)
                } else {
                    (t, x * y)
                };
                sine * part
            }
        }
    ));
}

/// What remains of the rules' products is what an expert would have written.
#[test]
fn powers_of_one_value() {
    insta::assert_snapshot!(generated(
        quote!(hvp),
        quote! {
            fn f(x: f64, y: f64) -> f64 {
                let u = 1.0 / (x * x + y * y).sqrt();
                let u2 = u * u;
                let u6 = u2 * u2 * u2;
                4.0 * (u6 * u6 - u6)
            }
        }
    ));
}

/// What the replay of a step computes of the state behind it is not stored, and nothing is cleared twice.
#[test]
fn state_in_a_vector() {
    insta::assert_snapshot!(generated(
        quote!(grad),
        quote! {
            fn f(w: &[f64], steps: usize) -> f64 {
                let n = w.len();
                let mut h = vec![0.5; n];
                let mut a = vec![0.0; n];
                let mut total = 0.0;
                for t in 0..steps {
                    for k in 0..n {
                        a[k] = w[k] * h[n - 1 - k];
                    }
                    for k in 0..n {
                        h[k] = a[k].tanh() + h[k] * 0.5;
                        total += h[k] * h[k];
                    }
                }
                total
            }
        }
    ));
}

/// No array is left of a point that is turned step by step: its coordinates are carried and pushed together, and the reversal asks for no
/// sine and no cosine.
#[test]
fn points_that_are_turned() {
    insta::assert_snapshot!(generated(
        quote!(grad),
        quote! {
            fn f(x: &[f64]) -> f64 {
                let mut p = [1.0, 0.0, 0.0];
                for i in 0..x.len() {
                    let (s, c) = x[i].sin_cos();
                    for k in 0..3 {
                        p[k] += 0.1 * k as f64;
                    }
                    p = if i % 2 == 0 {
                        [c * p[0] - s * p[1], s * p[0] + c * p[1], p[2]]
                    } else {
                        [p[0], c * p[1] - s * p[2], s * p[1] + c * p[2]]
                    };
                }
                p[0] * p[1] + p[2]
            }
        }
    ));
}

/// Each exponential is evaluated once, though the residual of a round comes between its two uses, and nothing is allocated.
#[test]
fn sum_of_exponentials() {
    insta::assert_snapshot!(generated_with(
        quote!(wrt(a), only(grad)),
        quote! {
            fn f(a: &[f64], t: &[f64], y: &[f64]) -> f64 {
                let mut loss = 0.0;
                for i in 0..t.len() {
                    let mut fit = 0.0;
                    for v in a {
                        fit += (-v * t[i]).exp();
                    }
                    loss += (fit - y[i]).powi(2);
                }
                loss
            }
        }
    ));
}
