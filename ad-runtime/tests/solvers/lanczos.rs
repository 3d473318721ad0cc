//! Extreme eigenpairs.

use std::ops::ControlFlow;

use ad_runtime::operators::{HessianOperator, Scalar};
use ad_runtime::solvers::lanczos::{Eigenpairs, Ending, Lanczos, Which};
use ad_runtime::solvers::{Quantity, SolverError};

use crate::problems::{Diagonal, Matrix};

/// The eigenvalues that should come, of all in any order.
fn expected(spectrum: &[f64], k: usize, which: Which) -> Vec<f64> {
    let mut all = spectrum.to_vec();
    all.sort_by(f64::total_cmp);
    match which {
        Which::Smallest => all.truncate(k),
        Which::Largest => {
            all.reverse();
            all.truncate(k);
        }
        Which::BothEnds => {
            all.drain(k / 2..all.len() - k.div_ceil(2));
        }
        _ => {
            all.sort_by(|a, b| b.abs().total_cmp(&a.abs()));
            all.truncate(k);
        }
    }
    all
}

/// Checks values, residuals and orthogonality without trust in what the solver says of them.
fn check<T: Scalar>(
    operator: &dyn HessianOperator<Scalar = T>,
    found: &Eigenpairs<T>,
    expected: &[f64],
    tolerance: f64,
) {
    let n = operator.dim();
    let wide = |v: T| v.to_f64().unwrap();
    assert_eq!(found.ending, Ending::Converged);
    assert_eq!((found.values.len(), found.vectors.len()), (expected.len(), expected.len()));
    let scale = expected.iter().fold(wide(found.norm), |s, v| s.max(v.abs()));
    for (&value, &expected) in found.values.iter().zip(expected) {
        assert!((wide(value) - expected).abs() <= tolerance * scale, "{value:?}, expected {expected}");
    }
    let mut product = vec![T::zero(); n];
    for ((&value, vector), &claimed) in found.values.iter().zip(&found.vectors).zip(&found.residuals) {
        operator.apply(vector, &mut product);
        let residual =
            product.iter().zip(vector).map(|(&p, &x)| wide(p - value * x).powi(2)).sum::<f64>().sqrt();
        assert!(residual <= tolerance * scale, "residual {residual} of {value:?}");
        assert!((residual - wide(claimed)).abs() <= tolerance * scale, "{residual}, said to be {claimed:?}");
    }
    for (i, u) in found.vectors.iter().enumerate() {
        for (j, v) in found.vectors.iter().enumerate() {
            let product: f64 = u.iter().zip(v).map(|(&u, &v)| wide(u) * wide(v)).sum();
            let error = (product - f64::from(u8::from(i == j))).abs();
            assert!(error < 100.0 * wide(T::epsilon()), "{i}, {j}: {error}");
        }
    }
    assert!(wide(found.orthogonality) < 100.0 * wide(T::epsilon()));
}

const ALL: [Which; 4] = [Which::Largest, Which::Smallest, Which::BothEnds, Which::LargestMagnitude];

#[test]
fn all_sizes_counts_and_ends() {
    for n in [1, 2, 3, 31, 64, 65] {
        let spectrum: Vec<f64> =
            (0..n).map(|i| (i as f64 - 0.3 * n as f64) * (1.0 + i as f64 / 7.0)).collect();
        let matrix = Matrix::with_spectrum(&spectrum, 11);
        for which in ALL {
            for k in [0, 1, 2, 5, n / 2, n - 1, n] {
                if k <= n {
                    let found = Lanczos::new(k, which).eigenpairs(&matrix).unwrap();
                    check(&matrix, &found, &expected(&spectrum, k, which), 1e-10);
                }
            }
        }
    }
}

#[test]
fn a_large_spectrum_by_restarts() {
    // Second differences: the hard end is the smallest.
    let n = 400;
    struct Second(usize);
    impl HessianOperator for Second {
        type Scalar = f64;
        fn dim(&self) -> usize {
            self.0
        }
        fn apply(&self, v: &[f64], out: &mut [f64]) {
            for i in 0..v.len() {
                let left = if i > 0 { v[i - 1] } else { 0.0 };
                out[i] = 2.0 * v[i] - left - v.get(i + 1).unwrap_or(&0.0);
            }
        }
    }
    let spectrum: Vec<f64> =
        (1..=n).map(|k| 2.0 - 2.0 * (std::f64::consts::PI * k as f64 / (n + 1) as f64).cos()).collect();
    for which in [Which::Smallest, Which::BothEnds] {
        let mut last = 0;
        let found = Lanczos::new(4, which)
            .eigenpairs_with(&Second(n), |at| {
                assert!(at.products > last && at.values.len() == 4 && at.converged <= 4);
                last = at.products;
                ControlFlow::Continue(())
            })
            .unwrap();
        check(&Second(n), &found, &expected(&spectrum, 4, which), 1e-10);
        assert!(found.restarts > 1 && found.products < 4000, "{}", found.products);
    }
}

#[test]
fn repeated_eigenvalues() {
    for n in [1, 2, 64, 65, 200] {
        for value in [1.0, 0.0, -3.0] {
            let identity = Diagonal(vec![value; n]);
            for k in [1, 2, 7, n].into_iter().filter(|&k| k <= n) {
                for which in ALL {
                    let found = Lanczos::new(k, which).eigenpairs(&identity).unwrap();
                    check(&identity, &found, &vec![value; k], 1e-13);
                }
            }
        }
    }
    // A double one at each end: a Krylov space has one of each.
    let mut spectrum: Vec<f64> = (0..200).map(f64::from).collect();
    spectrum[198] = 199.0;
    spectrum[1] = 0.0;
    for which in ALL {
        for k in [2, 3, 4] {
            let operator = Diagonal(spectrum.clone());
            let found = Lanczos::new(k, which).eigenpairs(&operator).unwrap();
            check(&operator, &found, &expected(&spectrum, k, which), 1e-10);
        }
    }
    // Few different ones.
    let spectrum: Vec<f64> = (0..128).map(|i| f64::from(i % 3)).collect();
    let matrix = Matrix::with_spectrum(&spectrum, 4);
    let found = Lanczos::new(50, Which::Largest).eigenpairs(&matrix).unwrap();
    check(&matrix, &found, &expected(&spectrum, 50, Which::Largest), 1e-10);
}

#[test]
fn singular_and_of_low_rank() {
    let n = 150;
    let spectrum: Vec<f64> = (0..n).map(|i| if i < 3 { f64::from(i) - 1.5 } else { 0.0 }).collect();
    let matrix = Matrix::with_spectrum(&spectrum, 2);
    for which in ALL {
        for k in [1, 4, 6] {
            let found = Lanczos::new(k, which).eigenpairs(&matrix).unwrap();
            check(&matrix, &found, &expected(&spectrum, k, which), 1e-10);
        }
    }
}

#[test]
fn single_precision() {
    for n in [1, 2, 64, 65, 150] {
        let spectrum: Vec<f64> = (0..n).map(|i| 1.0 + i as f64).collect();
        let narrow: Vec<f32> = spectrum.iter().map(|&v| v as f32).collect();
        let matrix = Matrix::with_spectrum(&narrow, 11);
        for which in ALL {
            let k = n.min(3);
            let found = Lanczos::<f32>::new(k, which).eigenpairs(&matrix).unwrap();
            check(&matrix, &found, &expected(&spectrum, k, which), 5e-5);
        }
    }
}

#[test]
fn the_same_for_the_same_seed() {
    let operator = Diagonal((0..100).map(f64::from).collect());
    let run = |seed| Lanczos::new(3, Which::Largest).seed(seed).eigenpairs(&operator).unwrap();
    assert_eq!(run(1).vectors, run(1).vectors);
    assert_ne!(run(1).vectors, run(2).vectors);
}

#[test]
fn tolerance_beyond_precision_ends() {
    for n in [20, 200] {
        let operator = Diagonal((0..n).map(|i| f64::from(i).sqrt()).collect());
        let found = Lanczos::new(2, Which::Largest).tolerance(0.0).eigenpairs(&operator).unwrap();
        assert!(matches!(found.ending, Ending::NoProgress | Ending::Converged), "{found:?}");
        assert!(found.residuals.iter().all(|&r| r < 1e-12) && found.restarts < 100, "{found:?}");
    }
}

#[test]
fn limits_and_callback() {
    let operator = Diagonal((0..1000).map(f64::from).collect());
    let lanczos = Lanczos::new(2, Which::Smallest).basis_size(10);
    let found = lanczos.clone().max_restarts(2).eigenpairs(&operator).unwrap();
    assert_eq!((found.ending, found.restarts, found.values.len()), (Ending::RestartLimit, 2, 2));
    assert!(found.residuals[0] > 1e-6, "and the residual tells");
    let found = lanczos
        .eigenpairs_with(&operator, |at| {
            if at.restart == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!((found.ending, found.restarts), (Ending::Stopped, 3));
}

#[test]
fn not_finite_is_an_error() {
    for bad in [f64::NAN, f64::INFINITY] {
        let mut diagonal = vec![1.0; 64];
        diagonal[40] = bad;
        let found = Lanczos::new(2, Which::Largest).eigenpairs(&Diagonal(diagonal));
        assert_eq!(found.unwrap_err(), SolverError::NonFinite { quantity: Quantity::Product, iteration: 0 });
    }
}

#[test]
#[should_panic(expected = "3 eigenpairs are wanted of an operator of dimension 2")]
fn more_than_there_are_panics() {
    let _ = Lanczos::new(3, Which::Largest).eigenpairs(&Diagonal(vec![1.0; 2]));
}
