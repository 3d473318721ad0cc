//! Spectra by stochastic Lanczos quadrature.

use std::ops::ControlFlow;

use ad_runtime::solvers::density::SpectralDensity;
use ad_runtime::solvers::{Quantity, SolverError};

use crate::problems::{Diagonal, Matrix};

#[test]
fn a_uniform_spectrum() {
    let n = 2000;
    let operator = Diagonal((0..n).map(|i| f64::from(i) / f64::from(n)).collect());
    let spectrum = SpectralDensity::new().probes(8).steps(50).estimate(&operator).unwrap();
    assert_eq!((spectrum.products, spectrum.rules.len()), (400, 8));
    for rule in &spectrum.rules {
        assert!((rule.iter().map(|r| r.1).sum::<f64>() - 1.0).abs() < 1e-12);
    }
    let width = 0.05;
    let grid = spectrum.grid(400, 4.0 * width);
    let mut density = vec![0.0; grid.len()];
    spectrum.density(&grid, width, &mut density);
    let integral = density.iter().sum::<f64>() * (grid[1] - grid[0]);
    assert!((integral - 1.0).abs() < 1e-3, "{integral}");
    for (at, density) in grid.iter().zip(&density) {
        if *at > 0.15 && *at < 0.85 {
            assert!((density - 1.0).abs() < 0.15, "{density} at {at}");
        }
    }
    let count = spectrum.trace(|value| f64::from(u8::from(value < 0.25)));
    assert!((count.value - 500.0).abs() < 60.0, "{count:?}");
    let squares = spectrum.trace(|value| value * value);
    let truth: f64 = operator.0.iter().map(|d| d * d).sum();
    assert!((squares.value - truth).abs() < 4.0 * squares.standard_error, "{squares:?}, truth {truth}");
    assert!(squares.standard_error < 0.05 * truth);
}

#[test]
fn quadrature_of_polynomials_is_that_of_the_probe() {
    // Of degree up to 2 steps - 1, the rule is exact: more steps change nothing.
    let operator = Diagonal((0..65).map(|i| (f64::from(i) * 0.7).sin()).collect());
    let few = SpectralDensity::new().probes(3).steps(4).estimate(&operator).unwrap();
    let many = SpectralDensity::new().probes(3).steps(40).estimate(&operator).unwrap();
    for degree in 0..8 {
        let power = |value: f64| value.powi(degree);
        let (few, many) = (few.trace(power), many.trace(power));
        assert!((few.value - many.value).abs() < 1e-11, "degree {degree}: {few:?}, {many:?}");
    }
    let (few, many) = (few.trace(|v| v.powi(8)).value, many.trace(|v| v.powi(8)).value);
    assert!((few - many).abs() > 1e-6, "degree 8 is beyond it");
}

#[test]
fn small_singular_and_indefinite_operators() {
    for n in [1, 2, 64, 65] {
        for value in [0.0, 1.0, -2.5] {
            let spectrum = SpectralDensity::new().estimate(&Diagonal(vec![value; n])).unwrap();
            assert_eq!(spectrum.products, 10, "the space of each probe is exhausted at once");
            let trace = spectrum.trace(|v| v);
            assert!((trace.value - value * n as f64).abs() < 1e-10 && trace.standard_error < 1e-10);
            let (least, most) = spectrum.range().unwrap();
            assert!((least - value).abs() < 1e-12 && (most - value).abs() < 1e-12);
        }
        let eigenvalues: Vec<f64> = (0..n).map(|i| i as f64 - 3.0).collect();
        let matrix = Matrix::with_spectrum(&eigenvalues, 1);
        let spectrum = SpectralDensity::new().probes(40).estimate(&matrix).unwrap();
        let (least, most) = spectrum.range().unwrap();
        assert!((least + 3.0).abs() < 1e-8 && (most - n as f64 + 4.0).abs() < 1e-8, "{least}, {most}");
        let trace = spectrum.trace(f64::abs);
        let truth: f64 = eigenvalues.iter().map(|v| v.abs()).sum();
        assert!((trace.value - truth).abs() <= 4.0 * trace.standard_error + 1e-9, "{trace:?}, {truth}");
    }
    let empty = SpectralDensity::new().estimate(&Diagonal::<f64>(vec![])).unwrap();
    assert_eq!((empty.range(), empty.grid(5, 1.0)), (None, vec![]));
}

#[test]
fn single_precision() {
    let operator = Diagonal((0..200).map(|i| 1.0 + i as f32).collect());
    let spectrum = SpectralDensity::new().probes(20).steps(30).estimate(&operator).unwrap();
    let trace = spectrum.trace(|v| 1.0 / v);
    let truth: f32 = operator.0.iter().map(|v| 1.0 / v).sum();
    assert!((trace.value - truth).abs() < 4.0 * trace.standard_error, "{trace:?}, {truth}");
}

#[test]
fn seeds_and_callback() {
    let operator = Diagonal((0..100).map(f64::from).collect());
    let density = SpectralDensity::new().steps(10);
    let run = |seed| density.clone().seed(seed).estimate(&operator).unwrap();
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    let mut seen = Vec::new();
    let spectrum = density
        .estimate_with(&operator, |probes, spectrum| {
            seen.push((probes, spectrum.products));
            if probes == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(seen, [(1, 10), (2, 20), (3, 30)]);
    assert_eq!(spectrum.rules.len(), 3);
}

#[test]
fn not_finite_is_an_error() {
    let mut diagonal = vec![1.0; 64];
    diagonal[40] = f64::NAN;
    let found = SpectralDensity::new().estimate(&Diagonal(diagonal));
    assert_eq!(found, Err(SolverError::NonFinite { quantity: Quantity::Product, iteration: 0 }));
}

#[test]
#[should_panic(expected = "`out` must be as long as `grid`")]
fn a_wrong_length_panics() {
    let spectrum = SpectralDensity::new().estimate(&Diagonal(vec![1.0])).unwrap();
    spectrum.density(&[1.0, 2.0], 0.1, &mut [0.0]);
}
