//! Traces and diagonals by random probes.

use std::ops::ControlFlow;

use ad_runtime::operators::HessianOperator;
use ad_runtime::solvers::trace::{Hutchinson, XTrace};
use ad_runtime::solvers::{Quantity, SolverError};

use crate::problems::{Diagonal, Matrix};

/// A spectrum with a sign and a decay.
fn decaying(n: usize, power: f64) -> Matrix<f64> {
    let spectrum: Vec<f64> =
        (0..n).map(|i| if i % 3 == 2 { -1.0 } else { 1.0 } * ((i + 1) as f64).powf(-power)).collect();
    Matrix::with_spectrum(&spectrum, 8)
}

fn trace(matrix: &Matrix<f64>) -> f64 {
    let mut diagonal = vec![0.0; matrix.dim()];
    assert!(matrix.diagonal(&mut diagonal));
    diagonal.iter().sum()
}

#[test]
fn within_the_errors_that_they_state() {
    // Of many seeds, about one in twenty may miss by two standard errors.
    let matrix = decaying(150, 1.0);
    let truth = trace(&matrix);
    let (mut misses, mut mean) = ([0, 0], [0.0, 0.0]);
    let seeds = 200;
    for seed in 0..seeds {
        let estimates = [
            Hutchinson::new(30).seed(seed).trace(&matrix).unwrap(),
            XTrace::new(30).seed(seed).trace(&matrix).unwrap(),
        ];
        for (k, estimate) in estimates.iter().enumerate() {
            assert_eq!(estimate.products, 30);
            misses[k] += usize::from((estimate.value - truth).abs() > 2.0 * estimate.standard_error);
            mean[k] += estimate.value / seeds as f64;
        }
    }
    assert!(misses[0] < 30 && misses[1] < 40, "{misses:?}");
    assert!((mean[0] - truth).abs() < 0.2 && (mean[1] - truth).abs() < 0.02, "{mean:?}, truth {truth}");
}

#[test]
fn exchangeable_is_better_where_the_spectrum_decays() {
    let matrix = decaying(150, 2.0);
    let truth = trace(&matrix);
    let error = |estimate: f64| (estimate - truth).powi(2) / 20.0;
    let (mut plain, mut exchangeable) = (0.0, 0.0);
    for seed in 0..20 {
        plain += error(Hutchinson::new(40).seed(seed).trace(&matrix).unwrap().value);
        exchangeable += error(XTrace::new(40).seed(seed).trace(&matrix).unwrap().value);
    }
    assert!(exchangeable.sqrt() < 0.05 * plain.sqrt(), "{exchangeable} {plain}");
}

#[test]
fn low_rank_is_exact() {
    for rank in [0, 1, 2, 9] {
        let spectrum: Vec<f64> = (0..100).map(|i| if i < rank { 3.5 - i as f64 } else { 0.0 }).collect();
        let matrix = Matrix::with_spectrum(&spectrum, 8);
        let estimate = XTrace::new(20).trace(&matrix).unwrap();
        let truth: f64 = spectrum.iter().sum();
        assert!((estimate.value - truth).abs() < 1e-12, "rank {rank}: {estimate:?}");
        assert!(estimate.standard_error < 1e-12, "rank {rank}: {estimate:?}");
        assert_eq!(estimate.products, 10 + rank);
    }
    // As many as there are probes: the images just have full rank.
    let spectrum: Vec<f64> = (0..100).map(|i| if i < 10 { 1.0 } else { 0.0 }).collect();
    let estimate = XTrace::new(20).trace(&Matrix::with_spectrum(&spectrum, 8)).unwrap();
    assert!((estimate.value - 10.0).abs() < 4.0 * estimate.standard_error + 1e-9, "{estimate:?}");
}

#[test]
fn small_operators_are_exact() {
    for n in [1, 2, 4, 64, 65] {
        let matrix = decaying(n, 1.0);
        let estimate = XTrace::new(66).trace(&matrix).unwrap();
        assert!((estimate.value - trace(&matrix)).abs() < 1e-12 && estimate.standard_error == 0.0);
        assert_eq!(estimate.products, n);
        let (mut diagonal, mut errors, mut truth) = (vec![0.0; n], vec![1.0; n], vec![0.0; n]);
        assert_eq!(Hutchinson::new(65).diagonal(&matrix, &mut diagonal, &mut errors).unwrap(), n);
        assert!(matrix.diagonal(&mut truth));
        assert_eq!(diagonal, truth);
        assert!(errors.iter().all(|&e| e == 0.0));
    }
    // The trace of a diagonal matrix has no variance under random signs.
    let estimate = Hutchinson::new(2).trace(&Diagonal(vec![2.0; 65])).unwrap();
    assert_eq!((estimate.value, estimate.standard_error), (130.0, 0.0));
    assert_eq!(Hutchinson::new(1).trace(&Diagonal(vec![2.0])).unwrap().standard_error, f64::INFINITY);
}

#[test]
fn diagonals_within_their_errors() {
    let matrix = decaying(150, 0.5);
    let (mut diagonal, mut errors, mut truth) = (vec![0.0; 150], vec![0.0; 150], vec![0.0; 150]);
    assert_eq!(Hutchinson::new(100).diagonal(&matrix, &mut diagonal, &mut errors).unwrap(), 100);
    assert!(matrix.diagonal(&mut truth));
    let misses = (0..150).filter(|&i| (diagonal[i] - truth[i]).abs() > 2.0 * errors[i]).count();
    assert!(misses < 20, "{misses} of 150");
    assert!(errors.iter().all(|&e| e > 0.0 && e < 0.1));
}

#[test]
fn single_precision() {
    let spectrum: Vec<f32> = (0..65).map(|i| 1.0 / (1.0 + i as f32)).collect();
    let matrix = Matrix::with_spectrum(&spectrum, 8);
    let truth: f32 = spectrum.iter().sum();
    for estimate in [XTrace::new(30).trace(&matrix).unwrap(), Hutchinson::new(30).trace(&matrix).unwrap()] {
        assert!((estimate.value - truth).abs() < 4.0 * estimate.standard_error, "{estimate:?}, {truth}");
    }
    let estimate = XTrace::new(8).trace(&Diagonal(vec![0.0_f32; 64])).unwrap();
    assert_eq!((estimate.value, estimate.standard_error), (0.0, 0.0));
}

#[test]
fn seeds_and_callbacks() {
    let matrix = decaying(150, 1.0);
    let x = |seed| XTrace::new(20).seed(seed).trace(&matrix).unwrap();
    assert_eq!(x(1), x(1));
    assert_ne!(x(1).value, x(2).value);

    let stop_at = |stop: usize| {
        move |products: usize| {
            if products == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    };
    for (stop, used) in [(3, 3), (15, 15), (99, 20)] {
        let estimate = XTrace::new(20).trace_with(&matrix, stop_at(stop)).unwrap();
        assert_eq!(estimate.products, used);
        assert!((estimate.value - trace(&matrix)).abs() < 5.0 * estimate.standard_error, "{estimate:?}");
    }
    let exact = XTrace::new(200).trace_with(&Diagonal(vec![2.0; 65]), stop_at(10)).unwrap();
    assert_eq!((exact.value, exact.standard_error, exact.products), (130.0, f64::INFINITY, 10));

    let estimate = Hutchinson::new(1000)
        .trace_with(&matrix, |at| {
            if at.standard_error < 0.5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert!(estimate.standard_error < 0.5 && estimate.products < 200, "{estimate:?}");
    let (mut diagonal, mut errors) = (vec![0.0; 150], vec![0.0; 150]);
    assert_eq!(Hutchinson::new(100).diagonal_with(&matrix, &mut diagonal, &mut errors, stop_at(7)), Ok(7));
}

#[test]
fn not_finite_is_an_error() {
    let mut diagonal = vec![1.0; 64];
    diagonal[40] = f64::INFINITY;
    let operator = Diagonal(diagonal);
    let error = SolverError::NonFinite { quantity: Quantity::Product, iteration: 0 };
    assert_eq!(Hutchinson::new(5).trace(&operator), Err(error.clone()));
    assert_eq!(XTrace::new(10).trace(&operator), Err(error.clone()));
    assert_eq!(Hutchinson::new(5).diagonal(&operator, &mut [0.0; 64], &mut [0.0; 64]), Err(error));
    // Unit vectors meet it too: 0 · ∞ is NaN.
    assert!(matches!(XTrace::new(100).trace(&operator), Err(SolverError::NonFinite { .. })));
}

#[test]
#[should_panic(expected = "argument `errors` has length 1, expected 2")]
fn a_wrong_length_panics() {
    let _ = Hutchinson::new(5).diagonal(&Diagonal(vec![1.0; 2]), &mut [0.0; 2], &mut [0.0]);
}
