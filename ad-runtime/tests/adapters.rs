//! The solvers of other crates through the adapters, each end to end.

use ::faer as faer_of_the_crate;
use ad_runtime::adapters::{argmin0_11, basin3, faer0_24};
use ad_runtime::differentiable;
use ad_runtime::operators::{HessianOperator, Identity};
use ad_runtime::solvers::newton_cg::NewtonCg;
use ad_runtime::solvers::objective::{HessianBody, Objective, from_products, from_scopes};
use ad_runtime::solvers::{Quantity, SolverError};
use argmin::core::Executor;
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::newton::NewtonCG;
use argmin::solver::trustregion::{Steihaug, TrustRegion};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::matrix_free::IdentityPrecond;
use faer::matrix_free::conjugate_gradient::{
    CgError, CgInfo, CgParams, conjugate_gradient, conjugate_gradient_scratch,
};
use faer::{Col, Mat, Par};
use problems::{CHAINED, Counted, Diagonal, DoubleWells, Matrix, Quadratic, alternating, lowest_wells};

#[path = "solvers/problems.rs"]
#[allow(dead_code, reason = "the solvers' own tests use the rest")]
mod problems;

fn basin<O: Objective<Scalar = f64>>(objective: O, start: Vec<f64>) -> Result<(f64, usize), SolverError> {
    let found = basin::Executor::new(
        basin3::Problem::new(objective),
        basin::TrustRegion::matrix_free().with_absolute_gradient_tolerance(1e-8),
        basin::FirstOrderState::new(start),
    )
    .max_iter(20_000)
    .run()?;
    Ok((found.cost(), found.param().len()))
}

#[test]
fn basin_on_chained_rosenbrock() {
    let mut objective = Counted::new(&CHAINED);
    let (value, _) = basin(&mut objective, alternating(1000)).unwrap();
    assert!(value < 1e-12, "{value}");
    assert!(objective.products.get() < 60_000);
}

#[test]
fn basin_ends_on_what_is_not_finite() {
    let mut objective = Counted::new(&CHAINED);
    objective.nan_product = Some(30);
    let found = basin(&mut objective, alternating(100));
    assert_eq!(found, Err(SolverError::NonFinite { quantity: Quantity::Product, iteration: 30 }));
    let found = basin(Counted::new(&Quadratic(vec![f64::NAN; 2])), vec![1.0; 2]);
    assert_eq!(found, Err(SolverError::NonFinite { quantity: Quantity::Gradient, iteration: 0 }));
}

/// `argmin` is given the objective times this: by it the gradient is above 1 where the value is 1e-12, and `NewtonCG` takes steps.
const FACTOR: f64 = 1e6;

/// The best value that `argmin`'s `NewtonCG` finds. It ends below the target, which its own criterion never is.
fn newton_to(
    target: f64,
    objective: &mut dyn Objective<Scalar = f64>,
    start: Vec<f64>,
) -> Result<f64, argmin::core::Error> {
    let solver = NewtonCG::new(MoreThuenteLineSearch::new().with_c(1e-4, 0.3)?);
    let found = Executor::new(argmin0_11::Problem::scaled(objective, FACTOR), solver)
        .configure(|state| state.param(start).max_iters(20_000).target_cost(FACTOR * target))
        .run()?;
    Ok(found.state().best_cost / FACTOR)
}

/// The best value that `argmin`'s trust region finds.
fn trust_to(
    target: f64,
    objective: &mut dyn Objective<Scalar = f64>,
    start: Vec<f64>,
) -> Result<f64, argmin::core::Error> {
    let solver = TrustRegion::new(Steihaug::new().with_epsilon(0.1)?);
    let found = Executor::new(argmin0_11::Problem::scaled(objective, FACTOR), solver)
        .configure(|state| state.param(start).max_iters(20_000).target_cost(FACTOR * target))
        .run()?;
    Ok(found.state().best_cost / FACTOR)
}

fn newton(objective: &mut dyn Objective<Scalar = f64>, start: Vec<f64>) -> Result<f64, argmin::core::Error> {
    newton_to(1e-13, objective, start)
}

fn trust(objective: &mut dyn Objective<Scalar = f64>, start: Vec<f64>) -> Result<f64, argmin::core::Error> {
    trust_to(1e-13, objective, start)
}

#[differentiable(only(grad, hvp, linearize))]
fn chained(x: &[f64]) -> f64 {
    x.windows(2).map(|w| 100.0 * (w[1] - w[0] * w[0]).powi(2) + (1.0 - w[0]).powi(2)).sum()
}

/// From the macro to each solver, where SciPy's Newton-CG stops at 4e-3 after 17 008 products.
#[test]
fn generated_derivatives_of_chained_rosenbrock() {
    let mut x = alternating(1000);
    let lazy = NewtonCg::new().minimize(&mut from_products(chained_grad, chained_hvp), &mut x).unwrap();
    assert!(lazy.value < 1e-12 && lazy.products <= 17_000, "{lazy:?}");
    assert_eq!(chained(&x), lazy.value);
    let mut x = alternating(1000);
    let linearized = |x: &[f64], body: HessianBody<'_, f64>| body(&chained_linearize(x));
    let linearized = NewtonCg::new().minimize(&mut from_scopes(chained_grad, linearized), &mut x).unwrap();
    assert!(linearized.value < 1e-12 && linearized.products <= 17_000, "{linearized:?}");

    let objective = || from_products(chained_grad, chained_hvp);
    let (value, _) = basin(objective(), alternating(1000)).unwrap();
    assert!(value < 1e-12, "basin: {value}");
    for solve in [newton, trust] {
        let value = solve(&mut objective(), alternating(1000)).unwrap();
        assert!(value < 1e-12, "argmin: {value}");
    }
}

/// From where the Hessian is indefinite to the lowest minimum there is.
#[test]
fn basin_and_argmin_leave_indefinite_regions_at_all_sizes() {
    for n in [1, 2, 64, 65] {
        let start: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 0.3 } else { -0.2 }).collect();
        let lowest: f64 = lowest_wells(n);
        let target = lowest * (1.0 - 1e-12);
        let (value, dimension) = basin(Counted::new(&DoubleWells), start.clone()).unwrap();
        assert!(dimension == n && (value / lowest - 1.0).abs() < 1e-10, "basin, n = {n}: {value}");
        for solve in [newton_to, trust_to] {
            let value = solve(target, &mut Counted::new(&DoubleWells), start.clone()).unwrap();
            assert!((value / lowest - 1.0).abs() < 1e-10, "argmin, n = {n}: {value}");
        }
    }
}

#[test]
fn basin_and_argmin_on_singular_hessians() {
    for n in [1, 2, 64, 65] {
        // Half of the variables do not matter, and stay; a function that is constant is at its minimum.
        let diagonal: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 0.0 } else { f64::from(i) }).collect();
        let singular = Quadratic(diagonal);
        let start = vec![1.0; n as usize];
        let (value, _) = basin(Counted::new(&singular), start.clone()).unwrap();
        assert!(value < 1e-14, "basin, n = {n}: {value}");
        if n > 1 {
            for solve in [newton, trust] {
                let value = solve(&mut Counted::new(&singular), start.clone()).unwrap();
                assert!(value < 1e-12, "argmin, n = {n}: {value}");
            }
        }
    }
}

/// Hessians of another dimension than the point.
mod wrong_lengths {
    use super::*;

    fn confused() -> impl Objective<Scalar = f64> {
        let hessian = |_: &[f64], body: HessianBody<'_, f64>| body(&Identity::new(2));
        from_scopes(
            |x: &[f64], g: &mut [f64]| {
                g.copy_from_slice(x);
                x.iter().map(|x| 0.5 * x * x).sum()
            },
            hessian,
        )
    }

    #[test]
    #[should_panic(expected = "apply: argument `v` has length 3, expected 2, the operator's dimension")]
    fn for_basin() {
        let _ = basin(confused(), vec![1.0; 3]);
    }

    #[test]
    #[should_panic(expected = "apply: argument `v` has length 3, expected 2, the operator's dimension")]
    fn for_argmin_newton() {
        let _ = newton(&mut confused(), vec![1.0; 3]);
    }

    #[test]
    #[should_panic(expected = "apply: argument `v` has length 3, expected 2, the operator's dimension")]
    fn for_argmin_trust() {
        let _ = trust(&mut confused(), vec![1.0; 3]);
    }

    #[test]
    #[should_panic(expected = "apply: both matrices must have 2 rows")]
    fn for_faer() {
        use faer_of_the_crate::matrix_free::LinOp;
        let (mut out, rhs) = (Mat::<f64>::zeros(3, 1), Mat::<f64>::zeros(3, 1));
        let mut buffer = MemBuffer::new(faer_of_the_crate::dyn_stack::StackReq::EMPTY);
        let operator = faer0_24::Operator(Identity::new(2));
        operator.apply(out.as_mut(), rhs.as_ref(), Par::Seq, MemStack::new(&mut buffer));
    }
}

#[test]
fn argmin_on_chained_rosenbrock() {
    for solve in [newton, trust] {
        let mut objective = Counted::new(&CHAINED);
        let value = solve(&mut objective, alternating(1000)).unwrap();
        assert!(value < 1e-12, "{value}");
        assert!(objective.products.get() < 60_000, "{}", objective.products.get());
    }
}

#[test]
fn argmin_ends_on_what_is_not_finite() {
    for solve in [newton, trust] {
        for index in [0, 1, 2, 25] {
            let mut objective = Counted::new(&CHAINED);
            objective.nan_product = Some(index);
            let error = solve(&mut objective, alternating(100)).unwrap_err();
            assert_eq!(
                error.downcast_ref(),
                Some(&SolverError::NonFinite { quantity: Quantity::Product, iteration: index })
            );
        }
        let error = solve(&mut Counted::new(&CHAINED), vec![f64::NAN; 3]).unwrap_err();
        assert!(matches!(
            error.downcast_ref(),
            Some(SolverError::NonFinite { quantity: Quantity::Gradient, .. })
        ));
    }
}

#[test]
fn argmin_ends_at_a_stationary_start() {
    assert_eq!(trust(&mut Counted::new(&CHAINED), vec![1.0; 5]).unwrap(), 0.0);
    // The step is zero, which its line search refuses: no endless loop.
    let error = newton(&mut Counted::new(&CHAINED), vec![1.0; 5]).unwrap_err();
    assert!(error.to_string().contains("MoreThuenteLineSearch"), "{error}");
}

/// Two columns at once.
fn faer<A: HessianOperator<Scalar = f64> + Sync>(
    operator: A,
    preconditioner: Option<Diagonal<f64>>,
    b: &Mat<f64>,
) -> (Result<CgInfo<f64>, CgError<f64>>, Mat<f64>) {
    let operator = faer0_24::Operator(operator);
    let mut x = Mat::zeros(b.nrows(), b.ncols());
    let params = CgParams { rel_tolerance: 1e-10, max_iters: 1000, ..CgParams::default() };
    let found = match preconditioner {
        None => {
            let identity = IdentityPrecond { dim: b.nrows() };
            let scratch = conjugate_gradient_scratch(identity, &operator, b.ncols(), Par::Seq);
            let mut buffer = MemBuffer::new(scratch);
            let stack = MemStack::new(&mut buffer);
            conjugate_gradient(x.as_mut(), identity, &operator, b.as_ref(), params, |_| {}, Par::Seq, stack)
        }
        Some(inverse) => {
            let inverse = faer0_24::Operator(inverse);
            let scratch = conjugate_gradient_scratch(&inverse, &operator, b.ncols(), Par::Seq);
            let mut buffer = MemBuffer::new(scratch);
            let stack = MemStack::new(&mut buffer);
            conjugate_gradient(x.as_mut(), &inverse, &operator, b.as_ref(), params, |_| {}, Par::Seq, stack)
        }
    };
    (found, x)
}

#[test]
fn faer_conjugate_gradient() {
    for n in [1, 2, 64, 65] {
        let matrix = Matrix::with_spectrum(&(0..n).map(|i| 1.0 + i as f64).collect::<Vec<_>>(), 3);
        let b = Mat::from_fn(n, 2.min(n), |i, j| 1.0 + (i + j) as f64);
        let (found, x) = faer(matrix.clone(), None, &b);
        let iterations = found.unwrap().iter_count;
        let mut product = vec![0.0; n];
        for j in 0..b.ncols() {
            let column: Col<f64> = x.col(j).to_owned();
            let entries: Vec<f64> = column.iter().copied().collect();
            matrix.apply(&entries, &mut product);
            for i in 0..n {
                assert!((product[i] - b[(i, j)]).abs() < 1e-7, "n = {n}");
            }
        }
        let diagonal: Vec<f64> = (0..n).map(|i| 1e3_f64.powf(i as f64 / n as f64)).collect();
        let inverse = Diagonal(diagonal.iter().map(|d| 1.0 / d).collect());
        let (found, _) = faer(Diagonal(diagonal), Some(inverse), &b);
        assert!(found.unwrap().iter_count <= iterations.min(2), "preconditioned by the inverse");
    }
}

#[test]
fn faer_ends_on_what_is_not_positive_definite_or_finite() {
    let b = Mat::from_fn(64, 1, |_, _| 1.0);
    let (found, _) = faer(Diagonal((0..64).map(|i| f64::from(i) - 30.5).collect()), None, &b);
    assert!(matches!(found, Err(CgError::NonPositiveDefiniteOperator)), "{found:?}");
    let (found, _) = faer(Diagonal(vec![f64::NAN; 64]), None, &b);
    assert!(found.is_err(), "{found:?}");
    // Singular: solved where the equation has a solution.
    let singular: Vec<f64> = (0..64).map(|i| if i % 2 == 0 { 0.0 } else { f64::from(i) }).collect();
    let consistent = Mat::from_fn(64, 1, |i, _| singular[i]);
    let (found, x) = faer(Diagonal(singular.clone()), None, &consistent);
    assert!(found.is_ok(), "{found:?}");
    assert!((0..64).all(|i| (singular[i] * (x[(i, 0)] - 1.0)).abs() < 1e-7));
}
