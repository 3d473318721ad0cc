//! The checks themselves: they pass what is right, in either precision, and fail what is slightly wrong.

use ad_runtime::operators::{Dense, HessianOperator};
use ad_runtime::{check, differentiable};

#[differentiable]
fn f(x: &[f64]) -> f64 {
    (x[0] * x[1]).sin() + x[1].powi(4) * x[2].exp()
}

#[differentiable]
fn quadratic(x: &[f64]) -> f64 {
    x[0] * x[0] + 3.0 * x[0] * x[1]
}

#[differentiable]
fn single(x: &[f32]) -> f32 {
    (x[0] * x[1]).sin() + x[1].powi(4)
}

const X: [f64; 3] = [0.3, 0.7, -0.2];
const V: [f64; 3] = [1.0, -0.5, 0.8];

#[test]
fn right_derivatives_pass() {
    check::gradient(&X, &V, f, |x, g| f_grad(x, g)).assert_ok();
    let report = check::hvp(&X, &V, |x, g| f_grad(x, g), |x, v, hv| f_hvp(x, v, hv));
    report.assert_ok();
    assert!(report.order().is_some_and(|order| (order - 2.0).abs() < 0.3), "{report}");
    check::symmetry(&f_hessian(&X), &X, &V).assert_ok();
}

#[test]
fn small_errors_are_found() {
    for k in 0..3 {
        let report = check::gradient(&X, &V, f, |x, g| {
            let value = f_grad(x, g);
            g[k] += 1e-4;
            value
        });
        assert!(!report.is_ok(), "{report}");
        let report = check::hvp(
            &X,
            &V,
            |x, g| f_grad(x, g),
            |x, v, hv| {
                f_hvp(x, v, hv);
                hv[k] += 1e-4;
            },
        );
        assert!(!report.is_ok(), "{report}");
        assert!(report.to_string().contains("FAILED"));
    }
    let skew = Dense::general(2, vec![1.0, 2.0, 2.001, 1.0]);
    assert!(!check::symmetry(&skew, &[1.0, 0.0], &[0.0, 1.0]).is_ok());
}

#[test]
fn a_quadratic_function_has_no_remainder_of_its_gradient() {
    let report = check::hvp(
        &[0.3, 0.7],
        &[1.0, -0.5],
        |x, g| quadratic_grad(x, g),
        |x, v, hv| quadratic_hvp(x, v, hv),
    );
    assert_eq!(report.order(), None, "{report}");
    report.assert_ok();
}

#[test]
fn single_precision() {
    let (x, v) = ([0.3_f32, 0.7], [1.0, -0.5]);
    check::gradient(&x, &v, single, |x, g| single_grad(x, g)).assert_ok();
    check::hvp(&x, &v, |x, g| single_grad(x, g), |x, v, hv| single_hvp(x, v, hv)).assert_ok();
}

#[test]
fn what_is_not_finite_fails() {
    let report = check::gradient(
        &[-1.0],
        &[1.0],
        |x: &[f64]| x[0].sqrt(),
        |_, g| {
            g[0] = 1.0;
            f64::NAN
        },
    );
    assert!(!report.is_ok());
}

#[test]
#[should_panic(expected = "check::gradient: argument `v` has length 2, expected 3")]
fn a_wrong_length_panics() {
    check::gradient(&X, &V[..2], f, |x, g| f_grad(x, g));
}

#[test]
fn any_operator_can_be_checked() {
    let h = f_linearize(&X);
    assert_eq!(h.dim(), 3);
    check::symmetry(&h, &X, &V).assert_ok();
}

#[test]
fn all_at_once() {
    let checks = check::all("f", &X, f, |x, g| f_grad(x, g), |x, v, hv| f_hvp(x, v, hv));
    checks.assert_ok();
    assert!(checks.to_string().starts_with("derivatives of `f` agree with the function\ngradient: passed"));
    check::all("single", &[0.3, 0.7], single, |x, g| single_grad(x, g), |x, v, hv| single_hvp(x, v, hv))
        .assert_ok();
    check::first_order("f", &X, f, |x, g| f_grad(x, g)).assert_ok();
    for k in 0..3 {
        let wrong = |x: &[f64], g: &mut [f64]| {
            let value = f_grad(x, g);
            g[k] += 1e-4;
            value
        };
        let checks = check::first_order("f", &X, f, wrong);
        assert!(!checks.is_ok(), "{checks}");
        assert!(!check::all("f", &X, f, wrong, |x, v, hv| f_hvp(x, v, hv)).is_ok());
        let wrong = |x: &[f64], v: &[f64], hv: &mut [f64]| {
            f_hvp(x, v, hv);
            hv[k] += 1e-4 * v[(k + 1) % 3];
        };
        let checks = check::all("f", &X, f, |x, g| f_grad(x, g), wrong);
        assert!(!checks.is_ok() && checks.to_string().contains("symmetry: FAILED"), "{checks}");
    }
    // At the origin, where no entry tells a length, and with entries of very different lengths.
    check::all("f", &[0.0; 3], f, |x, g| f_grad(x, g), |x, v, hv| f_hvp(x, v, hv)).assert_ok();
    check::all("f", &[1e-6, 1e3, 0.0], f, |x, g| f_grad(x, g), |x, v, hv| f_hvp(x, v, hv)).assert_ok();
}
