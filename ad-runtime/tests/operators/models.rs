//! Gauss-Newton and Fisher operators of models, and differences of gradients.

use ad_runtime::operators::{
    Dense, EmpiricalFisher, FiniteDifference, Fisher, GaussNewton, HessianOperator, HessianOperatorExt,
    Identity, Likelihood,
};

use crate::common::{
    Real, SIZES, check_operator, check_operator_within, matrix, on, random, random_symmetric,
};
use crate::for_both_precisions;

/// `Av` and `Aᵀw` of a matrix, given row by row.
fn products<T: Real>(a: &[T], columns: usize) -> (impl Fn(&[T], &mut [T]), impl Fn(&[T], &mut [T])) {
    let jvp = move |v: &[T], out: &mut [T]| {
        for (out, row) in out.iter_mut().zip(a.chunks_exact(columns)) {
            *out = row.iter().zip(v).map(|(&a, &v)| a * v).sum();
        }
    };
    let vjp = move |w: &[T], out: &mut [T]| {
        out.fill(T::zero());
        for (&w, row) in w.iter().zip(a.chunks_exact(columns)) {
            for (out, &a) in out.iter_mut().zip(row) {
                *out += w * a;
            }
        }
    };
    (jvp, vjp)
}

/// `JᵀBJ`
fn congruence<T: Real>(jacobian: &[T], n: usize, b: impl Fn(usize, usize) -> T) -> Vec<T> {
    let m = jacobian.len() / n;
    matrix(n, |i, j| {
        (0..m)
            .flat_map(|k| (0..m).map(move |l| (k, l)))
            .map(|(k, l)| jacobian[k * n + i] * b(k, l) * jacobian[l * n + j])
            .sum()
    })
}

fn gauss_newton<T: Real>() {
    for n in SIZES {
        for m in [1, 7] {
            let mut rng = fastrand::Rng::with_seed((n + m) as u64);
            let jacobian = random::<T>(&mut rng, m * n);
            let (jvp, vjp) = products(&jacobian, n);
            let least_squares = GaussNewton::new(n, &jvp, &vjp, Identity::new(m));
            check_operator(&least_squares, &congruence(&jacobian, n, |k, l| on(k == l, T::one())));
            assert!(least_squares.properties().positive_semidefinite);

            let b = random_symmetric::<T>(&mut rng, m);
            let general = GaussNewton::new(n, &jvp, &vjp, Dense::symmetric(m, b.clone()));
            check_operator(&general, &congruence(&jacobian, n, |k, l| b[k * m + l]));
            assert!(!general.properties().positive_semidefinite);
        }
    }
}

/// The negative log-likelihood, up to constants, at one label for each row.
fn loss(likelihood: Likelihood<f64>, outputs: &[f64], labels: &[f64]) -> f64 {
    let pairs = || outputs.iter().zip(labels);
    match likelihood {
        Likelihood::Gaussian { variance } => pairs().map(|(z, y)| 0.5 * (z - y) * (z - y) / variance).sum(),
        Likelihood::Bernoulli => pairs().map(|(z, y)| z.exp().ln_1p() - y * z).sum(),
        Likelihood::Poisson => pairs().map(|(z, y)| z.exp() - y * z).sum(),
        Likelihood::Categorical { classes } => outputs
            .chunks(classes)
            .zip(labels)
            .map(|(row, &label)| row.iter().map(|z| z.exp()).sum::<f64>().ln() - row[label as usize])
            .sum(),
    }
}

const LIKELIHOODS: [Likelihood<f64>; 4] = [
    Likelihood::Gaussian { variance: 0.25 },
    Likelihood::Bernoulli,
    Likelihood::Poisson,
    Likelihood::Categorical { classes: 3 },
];

#[test]
fn curvatures_are_second_differences_of_the_losses() {
    let outputs = [0.3, -1.2, 0.9, 2.1, 0.0, -0.4];
    let labels = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0];
    let h = 1e-3;
    for likelihood in LIKELIHOODS {
        let shifted = |i: usize, by_i: f64, j: usize, by_j: f64| {
            let mut outputs = outputs;
            outputs[i] += by_i;
            outputs[j] += by_j;
            loss(likelihood, &outputs, &labels)
        };
        let differences = matrix(6, |i, j| {
            (shifted(i, h, j, h) - shifted(i, h, j, -h) - shifted(i, -h, j, h) + shifted(i, -h, j, -h))
                / (4.0 * h * h)
        });
        check_operator_within(&likelihood.curvature(&outputs), &differences, 1e-6);
    }
}

/// Of a linear model the exact Fisher information is the expectation of the empirical one, over labels that the model
/// itself draws.
#[test]
fn exact_fisher_is_the_expected_empirical_one() {
    let (n, rows) = (3, 4);
    let mut rng = fastrand::Rng::with_seed(1);
    for (likelihood, outputs_a_row) in
        [(Likelihood::Bernoulli, 1), (Likelihood::Categorical { classes: 3 }, 3)]
    {
        let m = rows * outputs_a_row;
        let jacobian = random::<f64>(&mut rng, m * n);
        let outputs = random::<f64>(&mut rng, m);
        let mut expected = vec![0.0; n * n];
        for row in 0..rows {
            let z = &outputs[row * outputs_a_row..(row + 1) * outputs_a_row];
            // Each label with its probability and the derivative of its log-likelihood in the outputs.
            let cases: Vec<(f64, Vec<f64>)> = if outputs_a_row == 1 {
                let p = 1.0 / (1.0 + (-z[0]).exp());
                vec![(p, vec![1.0 - p]), (1.0 - p, vec![-p])]
            } else {
                let total: f64 = z.iter().map(|z| z.exp()).sum();
                let p: Vec<f64> = z.iter().map(|z| z.exp() / total).collect();
                (0..3).map(|label| (p[label], (0..3).map(|k| on(k == label, 1.0) - p[k]).collect())).collect()
            };
            for (probability, slope) in cases {
                let score: Vec<f64> = (0..n)
                    .map(|i| {
                        (0..outputs_a_row)
                            .map(|k| slope[k] * jacobian[(row * outputs_a_row + k) * n + i])
                            .sum()
                    })
                    .collect();
                for (at, entry) in expected.iter_mut().enumerate() {
                    *entry += probability * score[at / n] * score[at % n];
                }
            }
        }
        let (jvp, vjp) = products(&jacobian, n);
        check_operator(&Fisher::exact(n, likelihood, &outputs, jvp, vjp), &expected);
    }
}

fn likelihoods<T: Real>() {
    let t = |x: f64| T::from(x).unwrap();
    for n in [1, 2, 64] {
        let mut rng = fastrand::Rng::with_seed(n as u64);
        let m = 9;
        let jacobian = random::<T>(&mut rng, m * n);
        let z = random::<T>(&mut rng, m);
        let (jvp, vjp) = products(&jacobian, n);
        let fisher = |likelihood| Fisher::exact(n, likelihood, &z, &jvp, &vjp);
        let sigmoid = |z: T| T::one() / (T::one() + (-z).exp());

        let variance = t(0.5);
        let expected = congruence(&jacobian, n, |k, l| on(k == l, t(2.0)));
        check_operator(&fisher(Likelihood::Gaussian { variance }), &expected);
        let expected =
            congruence(&jacobian, n, |k, l| on(k == l, sigmoid(z[k]) * (T::one() - sigmoid(z[k]))));
        check_operator(&fisher(Likelihood::Bernoulli), &expected);
        let expected = congruence(&jacobian, n, |k, l| on(k == l, z[k].exp()));
        check_operator(&fisher(Likelihood::Poisson), &expected);
        let p = |k: usize| z[k].exp() / (k / 3 * 3..k / 3 * 3 + 3).map(|l| z[l].exp()).sum::<T>();
        let expected = congruence(&jacobian, n, |k, l| on(k / 3 == l / 3, on(k == l, p(k)) - p(k) * p(l)));
        check_operator(&fisher(Likelihood::Categorical { classes: 3 }), &expected);
    }
}

#[test]
fn extreme_outputs_have_a_finite_curvature() {
    let mut out = [f64::NAN; 2];
    assert!(Likelihood::Bernoulli.curvature(&[800.0, -40.0]).diagonal(&mut out));
    assert_eq!(out[0], 0.0);
    assert!((out[1] / (-40.0_f64).exp() - 1.0).abs() < 1e-12);
    assert!(Likelihood::Categorical { classes: 2 }.curvature(&[1000.0, -1000.0]).diagonal(&mut out));
    assert_eq!(out, [0.0, 0.0]);
    Likelihood::Categorical { classes: 2 }.curvature(&[f64::NAN, 0.0]).apply(&[1.0, 0.0], &mut out);
    assert!(out.iter().all(|out| out.is_nan()));
}

#[test]
#[should_panic(expected = "argument `outputs` has length 4, expected a multiple of 3, the number of classes")]
fn classes_that_do_not_fit() {
    let _ = Likelihood::Categorical { classes: 3 }.curvature(&[0.0; 4]);
}

#[test]
#[should_panic(expected = "`variance` is 0.0, expected it to be positive")]
fn no_variance() {
    let _ = Likelihood::Gaussian { variance: 0.0 }.curvature(&[0.0; 4]);
}

fn empirical_fisher<T: Real>() {
    for n in SIZES {
        for rows in [0, 1, 10] {
            let mut rng = fastrand::Rng::with_seed((n + rows) as u64);
            let scores = random::<T>(&mut rng, rows * n);
            let fisher = EmpiricalFisher::new(n, rows, |row: usize, out: &mut [T]| {
                out.copy_from_slice(&scores[row * n..(row + 1) * n]);
            });
            let expected =
                matrix(n, |i, j| (0..rows).map(|row| scores[row * n + i] * scores[row * n + j]).sum());
            check_operator(&fisher, &expected);
        }
    }
}

/// The gradient of `Σ exp(x_i) + ½ (Σ x_i)²`, whose Hessian is `diag(exp(x)) + 1 1ᵀ`.
fn gradient<T: Real>(x: &[T], out: &mut [T]) {
    let total: T = x.iter().copied().sum();
    for (out, x) in out.iter_mut().zip(x) {
        *out = x.exp() + total;
    }
}

fn finite_difference<T: Real>() {
    for n in SIZES {
        let mut rng = fastrand::Rng::with_seed(n as u64);
        let x = random::<T>(&mut rng, n);
        let expected = matrix(n, |i, j| on(i == j, x[i].exp()) + T::one());
        let tolerance = |error: T| error * T::from(20.0).unwrap();
        let forward = FiniteDifference::forward(x.clone(), gradient::<T>);
        check_operator_within(&forward, &expected, tolerance(T::epsilon().sqrt()));
        let central = FiniteDifference::central(x.clone(), gradient::<T>);
        check_operator_within(&central, &expected, tolerance(T::epsilon().cbrt().powi(2)));
        check_operator_within(&central.scaled(T::one()), &expected, tolerance(T::epsilon().cbrt().powi(2)));
    }
}

#[test]
fn differences_do_not_depend_on_the_length_of_the_direction() {
    let x = vec![0.5, -0.25];
    for operator in
        [FiniteDifference::forward(x.clone(), gradient::<f64>), FiniteDifference::central(x, gradient)]
    {
        let product = |length: f64| {
            let mut out = [f64::NAN; 2];
            operator.apply(&[length, -0.5 * length], &mut out);
            out.map(|out| out / length)
        };
        // Powers of two scale without rounding.
        assert_eq!(product(1.0), product(2.0_f64.powi(600)));
        assert_eq!(product(1.0), product(2.0_f64.powi(-600)));
    }
}

#[test]
fn differences_along_nothing_and_along_nan() {
    for operator in [
        FiniteDifference::forward(vec![1.0, 2.0, 3.0], gradient::<f64>),
        FiniteDifference::central(vec![1.0, 2.0, 3.0], gradient),
    ] {
        let mut out = [1.0; 3];
        operator.apply(&[0.0; 3], &mut out);
        assert_eq!(out, [0.0; 3]);
        for bad in [[f64::NAN, 0.0, 1.0], [0.0, 1.0, f64::NAN], [f64::INFINITY, 0.0, 0.0]] {
            operator.apply(&bad, &mut out);
            assert!(out.iter().all(|out| out.is_nan()), "{out:?}");
        }
    }
    let at_nan = FiniteDifference::central(vec![f64::NAN, 0.0], gradient);
    let mut out = [1.0; 2];
    at_nan.apply(&[0.0, 1.0], &mut out);
    assert!(out.iter().all(|out| out.is_nan()));
}

#[test]
fn steps_scale_with_the_point() {
    let at = |x: f64| FiniteDifference::central(vec![x, 0.0], gradient);
    assert_eq!(at(99.0).step(), 100.0 * at(0.0).step());
    assert_eq!(at(-99.0).with_relative_step(1e-3).step(), 0.1);
}

#[test]
#[should_panic(expected = "argument `step` is NaN, expected it to be positive and finite")]
fn a_step_that_is_none() {
    let _ = FiniteDifference::central(vec![1.0], gradient).with_relative_step(f64::NAN);
}

for_both_precisions!(gauss_newton, likelihoods, empirical_fisher, finite_difference);
