//! Newton-CG in a trust region.

use std::ops::ControlFlow;

use ad_runtime::solvers::objective::from_products;
use ad_runtime::solvers::preconditioner::{Identity, Jacobi};
use ad_runtime::solvers::trust_region::{Ending, Forcing, InnerEnding, Minimum, TrustRegion};
use ad_runtime::solvers::{Quantity, SolverError};

use crate::problems::{
    Barrier, Beale, CHAINED, Counted, DoubleWells, EXTENDED, Logistic, PowellSingular, Problem, Quadratic,
    alternating, lowest_wells,
};

/// Minimises with the defaults, and checks the counts.
fn minimize<P: Problem<f64>>(problem: &P, x: &mut [f64]) -> Minimum<f64> {
    let mut objective = Counted::new(problem);
    let minimum = TrustRegion::new().minimize(&mut objective, x).unwrap();
    assert_eq!(minimum.products, objective.products.get());
    assert_eq!(minimum.evaluations, objective.evaluations);
    let mut gradient = vec![0.0; x.len()];
    assert_eq!(minimum.value, problem.value_and_gradient(x, &mut gradient), "the value at the point");
    minimum
}

#[test]
fn chained_rosenbrock_in_few_products() {
    let minimum = minimize(&CHAINED, &mut alternating(1000));
    assert_eq!(minimum.ending, Ending::Converged);
    assert!(minimum.value < 1e-12, "{minimum:?}");
    assert!(minimum.products <= 14_000 && minimum.evaluations <= 3000, "{minimum:?}");
}

#[test]
fn preconditioned_chained_rosenbrock_in_fewer_products() {
    let mut x: Vec<f64> = alternating(1000);
    x[0] = 1.2; // away from the local minimum that has x[0] near -1
    let trust = TrustRegion::new();
    let plain = trust.minimize(&mut Counted::new(&CHAINED), &mut x.clone()).unwrap();
    assert!(plain.value < 1e-12, "{plain:?}");
    let minimum = trust
        .minimize_with(&mut Counted::new(&CHAINED), &mut x, &mut Jacobi::new(), |_| ControlFlow::Continue(()))
        .unwrap();
    assert!(minimum.value < 1e-12 && minimum.products < plain.products, "{minimum:?}, {plain:?}");
}

#[test]
fn known_problems() {
    let minimum = minimize(&EXTENDED, &mut alternating(1000));
    assert!(minimum.value < 1e-12 && minimum.products < 100, "{minimum:?}");

    let mut x = [1.0, 1.0];
    let minimum = minimize(&Beale, &mut x);
    assert!(minimum.value < 1e-14 && minimum.products < 40, "{minimum:?}");

    let mut x = [3.0, -1.0, 0.0, 1.0].repeat(25);
    let minimum = minimize(&PowellSingular, &mut x);
    assert!(minimum.value < 1e-10 && minimum.products < 200, "{minimum:?}");

    let problem = Logistic::new(300, 30, 100.0, 1e-3);
    let minimum = minimize(&problem, &mut [0.0; 30]);
    assert_eq!(minimum.ending, Ending::Converged);
    assert!(minimum.iterations < 40 && minimum.products < 2000, "{minimum:?}");
}

#[test]
fn indefinite_starts_at_all_sizes() {
    for n in [1, 2, 64, 65] {
        for start in [1e-3, 0.1, -3.0] {
            let mut x: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { start } else { 1e-3 }).collect();
            let minimum = minimize(&DoubleWells, &mut x);
            assert_eq!(minimum.ending, Ending::Converged, "n = {n}");
            assert!(
                (minimum.value - lowest_wells::<f64>(n)).abs() < 1e-10 * n as f64,
                "n = {n}: {minimum:?}"
            );
        }
    }
    let mut x = [1e-6, 3.0];
    let minimum = minimize(&DoubleWells, &mut x);
    assert!((minimum.value - lowest_wells::<f64>(2)).abs() < 1e-12, "near a saddle: {minimum:?} at {x:?}");
}

#[test]
fn single_precision() {
    for n in [2, 64] {
        let mut x = alternating::<f32>(n);
        let minimum = TrustRegion::new().minimize(&mut Counted::new(&EXTENDED), &mut x).unwrap();
        assert!(minimum.value < 1e-7, "n = {n}: {minimum:?}");
        let mut x = vec![0.01_f32; n];
        let minimum = TrustRegion::new().minimize(&mut Counted::new(&DoubleWells), &mut x).unwrap();
        let lowest = lowest_wells::<f32>(n);
        assert!((minimum.value - lowest).abs() < 1e-5 * lowest.abs(), "n = {n}: {minimum:?}");
    }
}

#[test]
fn a_rejected_step_costs_no_product() {
    // The wells' quartic growth makes the first radius far too large.
    let mut x = vec![0.3; 64];
    let mut seen = Vec::new();
    let minimum = TrustRegion::new()
        .first_radius(1e3)
        .minimize_with(&mut Counted::new(&DoubleWells), &mut x, &mut Identity, |at| {
            seen.push((at.products, at.step_norm, at.inner));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!((minimum.value - lowest_wells::<f64>(64)).abs() < 1e-9, "{minimum:?}");
    assert_eq!((seen[0].1, seen[0].2), (0.0, InnerEnding::NegativeCurvature), "{seen:?}");
    for i in [1, 2] {
        assert_eq!(seen[i].0, seen[0].0, "{seen:?}");
        assert_eq!(seen[i].2, InnerEnding::Shortened, "{seen:?}");
    }
}

#[test]
fn steps_keep_within_the_radius() {
    let mut x = alternating::<f64>(100);
    let minimum = TrustRegion::new()
        .max_radius(0.25)
        .minimize_with(&mut Counted::new(&CHAINED), &mut x, &mut Identity, |at| {
            assert!(at.step_norm <= 0.25 * (1.0 + 1e-9), "{at:?}");
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(minimum.ending, Ending::Converged);
}

#[test]
fn limits_and_precision() {
    let mut x = alternating::<f64>(100);
    let minimum = TrustRegion::new().max_iterations(3).minimize(&mut Counted::new(&CHAINED), &mut x).unwrap();
    assert_eq!((minimum.ending, minimum.iterations), (Ending::IterationLimit, 3));

    for products in [1, 2, 40] {
        let mut x = alternating::<f64>(100);
        let minimum =
            TrustRegion::new().max_products(products).minimize(&mut Counted::new(&CHAINED), &mut x).unwrap();
        assert_eq!((minimum.ending, minimum.products), (Ending::ProductLimit, products));
    }

    let problem = Logistic::new(300, 30, 1.0, 1e-3);
    for forcing in [Forcing::SquareRoot { most: 0.25 }, Forcing::EisenstatWalker { most: 0.25 }] {
        let minimum = TrustRegion::new()
            .forcing(forcing)
            .gradient_tolerance(0.0)
            .minimize(&mut Counted::new(&problem), &mut [0.0; 30])
            .unwrap();
        assert_eq!(minimum.ending, Ending::NoProgress);
        assert!(minimum.gradient_norm < 1e-11 && minimum.evaluations < 2000, "{minimum:?}");
    }
}

#[test]
fn what_is_not_finite_ends_it_with_an_error() {
    let trust = TrustRegion::<f64>::new();
    let error = |quantity, iteration| Err::<Minimum<f64>, _>(SolverError::NonFinite { quantity, iteration });
    assert_eq!(
        trust.minimize(&mut Counted::new(&CHAINED), &mut [1.0, f64::INFINITY]),
        error(Quantity::Start, 0)
    );
    for index in [0, 1, 10, 50] {
        let mut objective = Counted::new(&CHAINED);
        objective.nan_product = Some(index);
        let found = trust.minimize(&mut objective, &mut alternating(100));
        assert!(
            matches!(found, Err(SolverError::NonFinite { quantity: Quantity::Product, .. })),
            "{found:?}"
        );
        assert_eq!(objective.products.get(), index + 1, "no product after the NaN");
    }
    for (value, slope, quantity) in [
        (f64::NAN, 1.0, Quantity::Value),
        (f64::INFINITY, 1.0, Quantity::Value),
        (1.0, f64::NAN, Quantity::Gradient),
    ] {
        let mut calls = 0;
        let mut objective = from_products(
            |_: &[f64], g: &mut [f64]| {
                calls += 1;
                g.fill(if calls == 1 { 1.0 } else { slope });
                if calls == 1 { 1.0 } else { value }
            },
            |_: &[f64], v: &[f64], out: &mut [f64]| out.copy_from_slice(v),
        );
        let found = trust.minimize(&mut objective, &mut [1.0, 2.0]);
        assert!(
            matches!(found, Err(SolverError::NonFinite { quantity: q, .. }) if q == quantity),
            "{found:?}"
        );
        drop(objective);
        assert!(calls < 200);
    }
}

#[test]
fn steps_out_of_the_domain_are_rejected() {
    let minimum = minimize(&Barrier, &mut [40.0, 1e-3, 3.0]);
    assert!((minimum.value - 3.0).abs() < 1e-12, "{minimum:?}");
}

#[test]
fn unbounded_and_singular() {
    for diagonal in [vec![-1.0], vec![1.0, -1e-3], vec![0.0, -1.0]] {
        let mut x = vec![1.0; diagonal.len()];
        match TrustRegion::new()
            .max_iterations(10_000)
            .minimize(&mut Counted::new(&Quadratic(diagonal)), &mut x)
        {
            Err(SolverError::NonFinite { .. }) => {}
            Ok(minimum) => assert!(minimum.value < -1e100, "{minimum:?}"),
            Err(error) => panic!("{error}"),
        }
    }
    let diagonal: Vec<f64> = (0..65).map(|i| if i % 2 == 0 { 0.0 } else { i as f64 }).collect();
    let mut x = vec![1.0; 65];
    let minimum = minimize(&Quadratic(diagonal), &mut x);
    assert!(minimum.value < 1e-14, "{minimum:?}");
    assert!(x.iter().step_by(2).all(|&x| x == 1.0), "the null space is left alone");
}

#[test]
fn exact_saddles_and_maxima_are_left_if_asked() {
    for n in [1, 2, 64, 65] {
        // Zero in all directions, and in all but the first, where it is a minimum.
        for first in [0.0, 1.0] {
            let mut start = vec![0.0; n];
            start[0] = first;
            let mut x = start.clone();
            let found = TrustRegion::new().minimize(&mut Counted::new(&DoubleWells), &mut x).unwrap();
            assert_eq!((found.ending, &x), (Ending::Converged, &start), "unasked, it stays");
            let found = TrustRegion::new()
                .saddle_products(n)
                .minimize(&mut Counted::new(&DoubleWells), &mut x)
                .unwrap();
            assert_eq!(found.ending, Ending::Converged);
            assert!((found.value - lowest_wells::<f64>(n)).abs() < 1e-10 * n as f64, "n = {n}: {found:?}");
        }
    }
    // Nothing to leave: a minimum, with and without a null space.
    for last in [1.0, 0.0] {
        let mut x = [0.0; 3];
        let quadratic = Quadratic(vec![2.0, 3.0, last]);
        let mut objective = Counted::new(&quadratic);
        let found = TrustRegion::new().saddle_products(10).minimize(&mut objective, &mut x).unwrap();
        assert_eq!((found.ending, x), (Ending::Converged, [0.0; 3]));
        assert_eq!(found.products, objective.products.get());
        assert!(found.products > 0 && found.products <= 10 && found.evaluations == 1, "{found:?}");
    }
}
