//! Newton-CG with a line search.

use std::ops::ControlFlow;

use ad_runtime::solvers::newton_cg::{Ending, Forcing, InnerEnding, Minimum, NewtonCg};
use ad_runtime::solvers::preconditioner::Jacobi;
use ad_runtime::solvers::{Quantity, SolverError};

use crate::problems::{
    Barrier, Beale, CHAINED, Counted, DoubleWells, EXTENDED, Logistic, PowellSingular, Problem, Quadratic,
    alternating, lowest_wells,
};

/// Minimises with the defaults, and checks the counts.
fn minimize<P: Problem<f64>>(problem: &P, x: &mut [f64]) -> Minimum<f64> {
    let mut objective = Counted::new(problem);
    let minimum = NewtonCg::new().minimize(&mut objective, x).unwrap();
    assert_eq!(minimum.products, objective.products.get());
    assert_eq!(minimum.evaluations, objective.evaluations);
    let mut gradient = vec![0.0; x.len()];
    assert_eq!(minimum.value, problem.value_and_gradient(x, &mut gradient), "the value at the point");
    minimum
}

#[test]
fn chained_rosenbrock_in_few_products() {
    let mut x = alternating(1000);
    let minimum = minimize(&CHAINED, &mut x);
    assert_eq!(minimum.ending, Ending::Converged);
    assert!(minimum.value < 1e-12, "{minimum:?}");
    assert!(minimum.products <= 13_000, "{minimum:?}");
}

#[test]
fn preconditioned_chained_rosenbrock_in_fewer_products() {
    let mut x: Vec<f64> = alternating(1000);
    x[0] = 1.2; // away from the local minimum that has x[0] near -1
    let mut plain = Counted::new(&CHAINED);
    let minimum = NewtonCg::new().minimize(&mut plain, &mut x.clone()).unwrap();
    assert!(minimum.value < 1e-12, "{minimum:?}");
    let mut objective = Counted::new(&CHAINED);
    let minimum = NewtonCg::new()
        .minimize_with(&mut objective, &mut x, &mut Jacobi::new(), |_| ControlFlow::Continue(()))
        .unwrap();
    assert!(minimum.value < 1e-12, "{minimum:?}");
    assert_eq!(minimum.products, objective.products.get());
    assert!(10 * minimum.products < 9 * plain.products.get(), "{minimum:?}");
}

#[test]
fn known_problems() {
    let minimum = minimize(&EXTENDED, &mut alternating(1000));
    assert!(minimum.value < 1e-12 && minimum.products < 100, "{minimum:?}");

    let mut x = [1.0, 1.0];
    let minimum = minimize(&Beale, &mut x);
    assert!(minimum.value < 1e-14 && minimum.products < 40, "{minimum:?}");
    assert!((x[0] - 3.0).abs() < 1e-6 && (x[1] - 0.5).abs() < 1e-6, "{x:?}");

    let mut x = [3.0, -1.0, 0.0, 1.0].repeat(25);
    let minimum = minimize(&PowellSingular, &mut x);
    assert!(minimum.value < 1e-10 && minimum.products < 200, "{minimum:?}");

    for (spread, products) in [(1.0, 100), (100.0, 2000)] {
        let problem = Logistic::new(300, 30, spread, 1e-3);
        let minimum = minimize(&problem, &mut [0.0; 30]);
        assert_eq!(minimum.ending, Ending::Converged);
        assert!(minimum.iterations < 40 && minimum.products < products, "{minimum:?}");
    }
}

#[test]
fn every_forcing_term_converges() {
    for forcing in [
        Forcing::SquareRoot { most: 0.5 },
        Forcing::EisenstatWalker { most: 0.5 },
        Forcing::EisenstatWalker { most: 0.01 },
        Forcing::Constant(0.1),
    ] {
        for c2 in [0.01, 0.9] {
            let mut x = alternating(20);
            let minimum = NewtonCg::new()
                .forcing(forcing)
                .curvature_condition(c2)
                .minimize(&mut Counted::new(&EXTENDED), &mut x)
                .unwrap();
            assert_eq!(minimum.ending, Ending::Converged, "{forcing:?}");
            assert!(minimum.value < 1e-12, "{forcing:?}: {minimum:?}");
        }
    }
}

#[test]
fn superlinear_at_the_end() {
    let problem = Logistic::new(300, 30, 1.0, 1e-3);
    for forcing in [Forcing::SquareRoot { most: 0.25 }, Forcing::EisenstatWalker { most: 0.25 }] {
        let mut norms = Vec::new();
        NewtonCg::new()
            .forcing(forcing)
            .minimize_with(
                &mut Counted::new(&problem),
                &mut [0.0; 30],
                &mut ad_runtime::solvers::preconditioner::Identity,
                |at| {
                    norms.push(at.gradient_norm);
                    ControlFlow::Continue(())
                },
            )
            .unwrap();
        let [.., before, last] = norms[..] else { panic!("{norms:?}") };
        assert!(last < 1e-3 * before, "{forcing:?}: {norms:?}");
    }
}

#[test]
fn indefinite_starts_at_all_sizes() {
    for n in [1, 2, 64, 65] {
        // The Hessian there is negative definite.
        let mut x: Vec<f64> = (0..n).map(|i| 1e-3 * (1.0 + (i % 3) as f64)).collect();
        let minimum = minimize(&DoubleWells, &mut x);
        assert_eq!(minimum.ending, Ending::Converged, "n = {n}");
        assert!((minimum.value - lowest_wells::<f64>(n)).abs() < 1e-10 * n as f64, "n = {n}: {minimum:?}");

        // There it has both signs.
        let mut x: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { -3.0 } else { 0.1 }).collect();
        let minimum = minimize(&DoubleWells, &mut x);
        assert!((minimum.value - lowest_wells::<f64>(n)).abs() < 1e-10 * n as f64, "n = {n}: {minimum:?}");
    }
}

#[test]
fn leaves_the_neighbourhood_of_a_saddle() {
    // The gradient points nearly along the direction of positive curvature.
    let mut x = [1e-6, 3.0];
    let minimum = minimize(&DoubleWells, &mut x);
    assert!((minimum.value - lowest_wells::<f64>(2)).abs() < 1e-12, "{minimum:?} at {x:?}");
}

#[test]
fn single_precision() {
    for n in [2, 64] {
        let mut x = alternating::<f32>(n);
        let minimum = NewtonCg::new().minimize(&mut Counted::new(&EXTENDED), &mut x).unwrap();
        assert!(minimum.value < 1e-7, "n = {n}: {minimum:?}");
        let mut x = vec![0.01_f32; n];
        let minimum = NewtonCg::new().minimize(&mut Counted::new(&DoubleWells), &mut x).unwrap();
        let lowest = lowest_wells::<f32>(n);
        assert!((minimum.value - lowest).abs() < 1e-5 * lowest.abs(), "n = {n}: {minimum:?}");
    }
}

#[test]
fn ends_at_the_limit_of_precision() {
    // No gradient is that small: neither an endless loop nor an error.
    let problem = Logistic::new(300, 30, 1.0, 1e-3);
    let mut x = [0.0; 30];
    let minimum =
        NewtonCg::new().gradient_tolerance(0.0).minimize(&mut Counted::new(&problem), &mut x).unwrap();
    assert_eq!(minimum.ending, Ending::NoProgress);
    assert!(minimum.gradient_norm < 1e-12 && minimum.evaluations < 2000, "{minimum:?}");
}

#[test]
fn limits_and_callback() {
    let mut x = alternating::<f64>(100);
    let minimum = NewtonCg::new().max_iterations(3).minimize(&mut Counted::new(&CHAINED), &mut x).unwrap();
    assert_eq!((minimum.ending, minimum.iterations), (Ending::IterationLimit, 3));

    let mut x = alternating::<f64>(100);
    let minimum = NewtonCg::new().max_products(40).minimize(&mut Counted::new(&CHAINED), &mut x).unwrap();
    assert_eq!((minimum.ending, minimum.products), (Ending::ProductLimit, 40));

    let mut x = alternating::<f64>(100);
    let mut seen = Vec::new();
    let minimum = NewtonCg::new()
        .minimize_with(&mut Counted::new(&CHAINED), &mut x, &mut Jacobi::new(), |at| {
            seen.push((at.iteration, at.value, at.inner));
            if at.iteration == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(minimum.ending, Ending::Stopped);
    assert_eq!(seen.iter().map(|s| s.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(seen.windows(2).all(|pair| pair[1].1 < pair[0].1), "{seen:?}");
    assert!(seen.iter().any(|s| s.2 == InnerEnding::Converged), "{seen:?}");
    assert_eq!(minimum.value, seen[4].1);
}

#[test]
fn nothing_to_do() {
    let mut x = [1.0; 64];
    let minimum = minimize(&CHAINED, &mut x);
    assert_eq!((minimum.ending, minimum.evaluations, minimum.products), (Ending::Converged, 1, 0));
    let minimum = minimize(&Quadratic(vec![]), &mut []);
    assert_eq!(minimum.ending, Ending::Converged);
}

#[test]
fn what_is_not_finite_ends_it_with_an_error() {
    let newton = NewtonCg::<f64>::new();
    let error = |quantity, iteration| Err::<Minimum<f64>, _>(SolverError::NonFinite { quantity, iteration });

    let mut x = [1.0, f64::NAN];
    assert_eq!(newton.minimize(&mut Counted::new(&CHAINED), &mut x), error(Quantity::Start, 0));

    // A NaN in any product.
    for index in [0, 1, 2, 10, 11, 50] {
        let mut x = alternating(100);
        let mut objective = Counted::new(&CHAINED);
        objective.nan_product = Some(index);
        let found = newton.minimize(&mut objective, &mut x);
        assert!(
            matches!(found, Err(SolverError::NonFinite { quantity: Quantity::Product, .. })),
            "{found:?}"
        );
        assert_eq!(objective.products.get(), index + 1, "no product after the NaN");
        assert!(x.iter().all(|x| x.is_finite()), "the best point remains");
    }

    // Everything but the start.
    let mut calls = 0;
    let mut first = ad_runtime::solvers::objective::from_products(
        |x: &[f64], g: &mut [f64]| {
            g.copy_from_slice(x);
            calls += 1;
            if calls == 1 { 1.0 } else { f64::NAN }
        },
        |_: &[f64], v: &[f64], out: &mut [f64]| out.copy_from_slice(v),
    );
    assert_eq!(newton.minimize(&mut first, &mut [1.0, 2.0]), error(Quantity::Value, 0));
    drop(first);
    assert!(calls < 100);

    // A gradient that is NaN though the value is not, and the reverse.
    let mut gradient = ad_runtime::solvers::objective::from_products(
        |x: &[f64], g: &mut [f64]| {
            g.fill(if x[0] == 1.0 { 1.0 } else { f64::NAN });
            x[0]
        },
        |_: &[f64], v: &[f64], out: &mut [f64]| out.copy_from_slice(v),
    );
    assert_eq!(newton.minimize(&mut gradient, &mut [1.0, 2.0]), error(Quantity::Gradient, 0));
    assert_eq!(newton.minimize(&mut gradient, &mut [2.0, 2.0]), error(Quantity::Gradient, 0));
    let mut value = ad_runtime::solvers::objective::from_products(
        |x: &[f64], g: &mut [f64]| {
            g.copy_from_slice(x);
            f64::INFINITY
        },
        |_: &[f64], v: &[f64], out: &mut [f64]| out.copy_from_slice(v),
    );
    assert_eq!(newton.minimize(&mut value, &mut [1.0, 2.0]), error(Quantity::Value, 0));

    // The preconditioner.
    let spoil = |with: f64| {
        newton.minimize_with(
            &mut Counted::new(&CHAINED),
            &mut alternating(10),
            &mut |r: &[f64], z: &mut [f64]| z.iter_mut().zip(r).for_each(|(z, r)| *z = with * r),
            |_| ControlFlow::Continue(()),
        )
    };
    assert_eq!(spoil(f64::NAN), error(Quantity::Preconditioned, 0));
    assert_eq!(spoil(-1.0), Err(SolverError::IndefinitePreconditioner { iteration: 0 }));
    assert!(spoil(2.0).is_ok());
}

#[test]
fn steps_out_of_the_domain_are_shortened() {
    let mut x = [40.0, 1e-3, 3.0];
    let minimum = minimize(&Barrier, &mut x);
    assert!((minimum.value - 3.0).abs() < 1e-12, "{minimum:?}");
}

#[test]
fn unbounded_below_ends() {
    for diagonal in [vec![-1.0], vec![1.0, -1e-3], vec![0.0, -1.0]] {
        let mut x = vec![1.0; diagonal.len()];
        let found =
            NewtonCg::new().max_iterations(10_000).minimize(&mut Counted::new(&Quadratic(diagonal)), &mut x);
        match found {
            Err(SolverError::NonFinite { .. }) => {}
            Ok(minimum) => assert!(minimum.value < -1e100, "{minimum:?}"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn singular_quadratic() {
    let diagonal: Vec<f64> = (0..65).map(|i| if i % 2 == 0 { 0.0 } else { i as f64 }).collect();
    let mut x = vec![1.0; 65];
    let minimum = minimize(&Quadratic(diagonal), &mut x);
    assert!(minimum.value < 1e-14, "{minimum:?}");
    assert!(x.iter().step_by(2).all(|&x| x == 1.0), "the null space is left alone");
}

#[test]
#[should_panic(expected = "the Hessian's dimension must be the length of `x`")]
fn a_hessian_of_another_dimension_panics() {
    struct Two;
    impl ad_runtime::operators::HessianOperator for Two {
        type Scalar = f64;
        fn dim(&self) -> usize {
            2
        }
        fn apply(&self, _: &[f64], out: &mut [f64]) {
            out.fill(1.0);
        }
    }
    let gradient = |x: &[f64], g: &mut [f64]| {
        g.copy_from_slice(x);
        x[0]
    };
    let mut objective = ad_runtime::solvers::objective::from_operators(gradient, |_: &[f64]| Two);
    let _ = NewtonCg::new().minimize(&mut objective, &mut [1.0; 3]);
}

#[test]
#[should_panic(expected = "the term must lie between 0 and 1")]
fn a_senseless_forcing_term_panics() {
    let _ = NewtonCg::new().forcing(Forcing::Constant(1.5));
}

#[test]
fn exact_saddles_and_maxima_are_left_if_asked() {
    for n in [1, 2, 64, 65] {
        // Zero in all directions, and in all but the first, where it is a minimum.
        for first in [0.0, 1.0] {
            let mut start = vec![0.0; n];
            start[0] = first;
            let mut x = start.clone();
            let found = NewtonCg::new().minimize(&mut Counted::new(&DoubleWells), &mut x).unwrap();
            assert_eq!((found.ending, &x), (Ending::Converged, &start), "unasked, it stays");
            let found =
                NewtonCg::new().saddle_products(n).minimize(&mut Counted::new(&DoubleWells), &mut x).unwrap();
            assert_eq!(found.ending, Ending::Converged);
            assert!((found.value - lowest_wells::<f64>(n)).abs() < 1e-10 * n as f64, "n = {n}: {found:?}");
        }
    }
    // Nothing to leave: a minimum, with and without a null space.
    for last in [1.0, 0.0] {
        let mut x = [0.0; 3];
        let quadratic = Quadratic(vec![2.0, 3.0, last]);
        let mut objective = Counted::new(&quadratic);
        let found = NewtonCg::new().saddle_products(10).minimize(&mut objective, &mut x).unwrap();
        assert_eq!((found.ending, x), (Ending::Converged, [0.0; 3]));
        assert_eq!(found.products, objective.products.get());
        assert!(found.products > 0 && found.products <= 10 && found.evaluations == 1, "{found:?}");
    }
}
