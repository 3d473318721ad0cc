//! Conjugate gradients on linear systems.

use std::cell::Cell;
use std::ops::ControlFlow;

use ad_runtime::operators::{HessianOperator, Scalar};
use ad_runtime::solvers::cg::{ConjugateGradient, Ending};
use ad_runtime::solvers::preconditioner::{Identity, Jacobi};
use ad_runtime::solvers::{Quantity, SolverError};

use crate::problems::{Matrix, c};

/// `‖b - H x‖ / ‖b‖`, not by the solver.
fn residual<T: Scalar>(matrix: &Matrix<T>, b: &[T], x: &[T]) -> f64 {
    let mut product = vec![T::zero(); b.len()];
    matrix.apply(x, &mut product);
    let square = |v: &mut dyn Iterator<Item = T>| v.map(|v| v.to_f64().unwrap().powi(2)).sum::<f64>();
    (square(&mut b.iter().zip(&product).map(|(&b, &p)| b - p)) / square(&mut b.iter().copied())).sqrt()
}

#[test]
fn solves_at_all_sizes_and_certifies() {
    for n in [1, 2, 64, 65] {
        let matrix = Matrix::<f64>::with_spectrum(&(0..n).map(|i| 1.0 + i as f64).collect::<Vec<_>>(), 3);
        let b: Vec<f64> = (0..n).map(|i| (i as f64).sin() + 2.0).collect();
        for start in [0.0, 1.0] {
            let mut x = vec![start; n];
            let solution =
                ConjugateGradient::new().relative_tolerance(1e-12).solve(&matrix, &b, &mut x).unwrap();
            assert_eq!(solution.ending, Ending::Converged);
            let residual = residual(&matrix, &b, &x);
            assert!(
                residual < 2e-12 && (residual - solution.relative_residual).abs() < 1e-13,
                "{solution:?}"
            );
            assert!(solution.iterations <= n + 10, "n = {n}: {solution:?}");
        }
    }
}

#[test]
fn single_precision() {
    let matrix = Matrix::<f32>::with_spectrum(&(0..65).map(|i| 1.0 + i as f32).collect::<Vec<_>>(), 3);
    let b = vec![1.0_f32; 65];
    let mut x = vec![0.0; 65];
    let solution = ConjugateGradient::new().solve(&matrix, &b, &mut x).unwrap();
    assert_eq!(solution.ending, Ending::Converged);
    assert!(residual(&matrix, &b, &x) < 5e-4);
}

#[test]
fn jacobi_undoes_bad_scales() {
    let n = 64;
    let scales: Vec<f64> = (0..n).map(|i| 1.2_f64.powi(i)).collect();
    let mut matrix =
        Matrix::<f64>::with_spectrum(&(0..n).map(|i| 1.0 + f64::from(i) / 64.0).collect::<Vec<_>>(), 1);
    let n = n as usize;
    for i in 0..n {
        for j in 0..n {
            matrix.entries[i * n + j] *= (scales[i] * scales[j]).sqrt();
        }
    }
    let b = vec![1.0; n];
    let cg = ConjugateGradient::new();
    let plain = cg.solve(&matrix, &b, &mut vec![0.0; n]).unwrap();
    let mut x = vec![0.0; n];
    let mut seen = Vec::new();
    let solution = cg
        .solve_with(&matrix, &b, &mut x, &mut Jacobi::new(), |at| {
            seen.push(at.relative_residual);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(residual(&matrix, &b, &x) < 1.6e-8);
    assert!(3 * solution.products < plain.products, "{solution:?}, {plain:?}");
    assert_eq!(seen.len(), solution.iterations);
}

#[test]
fn indefinite_gives_a_direction_that_shows_it() {
    for n in [1, 2, 64, 65] {
        let spectrum: Vec<f64> = (0..n).map(|i| i as f64 - 0.5).collect();
        let matrix = Matrix::with_spectrum(&spectrum, 5);
        let solution = ConjugateGradient::new().solve(&matrix, &vec![1.0; n], &mut vec![0.0; n]).unwrap();
        assert_eq!(solution.ending, Ending::NegativeCurvature);
        let d = solution.direction.unwrap();
        let curvature = matrix.quadratic_form(&d) / d.iter().map(|d| d * d).sum::<f64>();
        assert!(
            curvature < 0.0 && (curvature - solution.curvature.unwrap()).abs() < 1e-10,
            "n = {n}: {curvature}"
        );
    }
}

#[test]
fn singular_systems() {
    let n = 65;
    let spectrum: Vec<f64> = (0..n).map(|i| if i < 5 { 0.0 } else { f64::from(i) }).collect();
    let n = n as usize;
    let matrix = Matrix::with_spectrum(&spectrum, 5);
    // In the range.
    let mut b = vec![0.0; n];
    matrix.apply(&vec![1.0; n], &mut b);
    let mut x = vec![0.0; n];
    let solution = ConjugateGradient::new().solve(&matrix, &b, &mut x).unwrap();
    assert_eq!(solution.ending, Ending::Converged);
    assert!(residual(&matrix, &b, &x) < 1.6e-8);
    // Out of it: what keeps it from being solved is in the direction.
    let solution = ConjugateGradient::new().solve(&matrix, &vec![1.0; n], &mut vec![0.0; n]).unwrap();
    assert_ne!(solution.ending, Ending::Converged, "{solution:?}");
    // The zero operator.
    let zero = Matrix { entries: vec![0.0; 4] };
    let solution = ConjugateGradient::new().solve(&zero, &[1.0, 2.0], &mut [0.0; 2]).unwrap();
    assert_eq!((solution.ending, solution.direction), (Ending::NegativeCurvature, Some(vec![1.0, 2.0])));
}

#[test]
fn trivial_systems() {
    let cg = ConjugateGradient::new();
    let matrix = Matrix::with_spectrum(&[1.0, 2.0, 3.0], 1);
    let mut x = [0.0; 3];
    let solution = cg.solve(&matrix, &[0.0; 3], &mut x).unwrap();
    assert_eq!((solution.ending, solution.products, x), (Ending::Converged, 0, [0.0; 3]));
    let solution = cg.solve(&Matrix::<f64> { entries: vec![] }, &[], &mut []).unwrap();
    assert_eq!(solution.ending, Ending::Converged);
}

#[test]
fn tolerance_beyond_precision_ends() {
    let spectrum: Vec<f64> = (0..64).map(|i| 10_f64.powf(f64::from(i) / 16.0)).collect();
    let matrix = Matrix::with_spectrum(&spectrum, 9);
    let solution =
        ConjugateGradient::new().relative_tolerance(0.0).solve(&matrix, &[1.0; 64], &mut [0.0; 64]).unwrap();
    assert!(matches!(solution.ending, Ending::NoProgress | Ending::ProductLimit), "{solution:?}");
    assert!(solution.products <= 20 * 64);
}

#[test]
fn limits_and_callback() {
    let matrix = Matrix::with_spectrum(&(1..65).map(f64::from).collect::<Vec<_>>(), 9);
    let cg = ConjugateGradient::new();
    let solution = cg.clone().max_products(7).solve(&matrix, &[1.0; 64], &mut [0.0; 64]).unwrap();
    assert_eq!((solution.ending, solution.products), (Ending::ProductLimit, 7));
    let solution = cg
        .solve_with(&matrix, &[1.0; 64], &mut [0.0; 64], &mut Identity, |at| {
            if at.iteration == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!((solution.ending, solution.iterations), (Ending::Stopped, 3));
}

#[test]
fn not_finite_is_an_error() {
    struct Spoiled {
        inner: Matrix<f64>,
        at: usize,
        products: Cell<usize>,
    }
    impl HessianOperator for Spoiled {
        type Scalar = f64;
        fn dim(&self) -> usize {
            self.inner.dim()
        }
        fn apply(&self, v: &[f64], out: &mut [f64]) {
            self.inner.apply(v, out);
            if self.products.replace(self.products.get() + 1) == self.at {
                out[0] = f64::NAN;
            }
        }
    }
    let cg = ConjugateGradient::new();
    let inner = Matrix::with_spectrum(&(1..65).map(f64::from).collect::<Vec<_>>(), 9);
    for start in [0.0, 1.0] {
        for at in [0, 1, 5] {
            let operator = Spoiled { inner: inner.clone(), at, products: Cell::new(0) };
            let found = cg.solve(&operator, &[1.0; 64], &mut [start; 64]);
            assert!(
                matches!(found, Err(SolverError::NonFinite { quantity: Quantity::Product, .. })),
                "{found:?}"
            );
            assert_eq!(operator.products.get(), at + 1);
        }
    }
    let mut b = [c::<f64>(1.0); 64];
    b[3] = f64::INFINITY;
    assert_eq!(
        cg.solve(&inner, &b, &mut [0.0; 64]),
        Err(SolverError::NonFinite { quantity: Quantity::RightHandSide, iteration: 0 })
    );
    assert_eq!(
        cg.solve(&inner, &[1.0; 64], &mut [f64::NAN; 64]),
        Err(SolverError::NonFinite { quantity: Quantity::Start, iteration: 0 })
    );
}

#[test]
#[should_panic(expected = "`b` must be as long as the operator's dimension")]
fn a_wrong_length_panics() {
    let matrix = Matrix::with_spectrum(&[1.0, 2.0], 9);
    let _ = ConjugateGradient::new().solve(&matrix, &[1.0; 3], &mut [0.0; 2]);
}
