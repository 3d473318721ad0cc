//! `check(..)`: the tests that it writes run here as the user's would. What they find wrong is found wrong.
// Parameters of every kind are the point.
#![allow(missing_docs, clippy::ptr_arg, clippy::needless_pass_by_value, unnameable_test_items)]

use ad_runtime::{Differentiable, differentiable};
use nalgebra::{DVector, Vector3};
use ndarray::{Array1, Array2, array};
use num_traits::Float;

#[differentiable(check(x = 0.7, y = -1.3))]
fn numbers(x: f64, y: f64) -> f64 {
    (x * y).sin() + x.powi(3)
}

// Both branches, by two tests.
#[differentiable(check(x = [1.0, 2.0, -0.5]), check(x = vec![-1.0, 0.25]))]
fn slice(x: &[f64]) -> f64 {
    if x[0] > 0.0 { x.iter().map(|x| x.exp()).sum() } else { x.iter().product::<f64>().powi(2) }
}

const POINT: &[f64] = &[0.5, 0.0, 2.0];

#[differentiable(check(x = POINT))]
fn behind_a_name(x: &[f64]) -> f64 {
    x.iter().map(|x| x.cosh()).sum()
}

struct Data {
    rows: Vec<[f64; 2]>,
}

fn data() -> Data {
    Data { rows: vec![[1.0, 0.5], [-0.3, 2.0], [0.2, 0.1]] }
}

#[differentiable(wrt(w, b), check(w = [0.4, -0.9], b = 0.1, data = data(), labels = [1, 0, 1], l2 = 0.01))]
fn with_data(w: &[f64; 2], b: f64, data: &Data, labels: &[usize], l2: f64) -> f64 {
    let mut sum = 0.5 * l2 * (w[0] * w[0] + w[1] * w[1]);
    for (row, &label) in data.rows.iter().zip(labels) {
        let z = row[0] * w[0] + row[1] * w[1] + b;
        sum += z.exp().ln_1p() - z * label as f64;
    }
    sum
}

#[differentiable(check(
    a = [1.0, 2.0],
    m = [[0.5, 0.1], [0.2, 0.3]],
    rows = &[[1.0, 0.5], [2.0, 0.25]],
    ragged = [vec![1.0], vec![2.0, 3.0]],
    v = vec![0.5, 0.75],
    p = (0.1, 0.2),
))]
fn arrays(
    a: [f64; 2],
    m: &[[f64; 2]; 2],
    rows: &[[f64; 2]],
    ragged: &[Vec<f64>],
    v: &Vec<f64>,
    p: (f64, f64),
) -> f64 {
    let mut s = 0.0;
    for i in 0..2 {
        s += a[i] * m[i][1 - i] * rows[i][0].sin() * v[i].exp() + rows[i][1].powi(3) * ragged[1][i];
    }
    s * ragged[0][0] + (p.0 * p.1).cos()
}

#[differentiable(check(x = [0.5_f32, -0.25]))]
fn single_precision(x: &[f32]) -> f32 {
    x[0].exp() * x[1].sin()
}

#[differentiable(check(x = [0.5, -0.25], k = 3.0))]
fn generic<T: Float, const N: usize>(x: &[T; N], k: T) -> T {
    let mut s = k;
    for i in 0..N {
        s = s * (x[i] * k).sin();
    }
    s
}

#[derive(Clone, Differentiable)]
struct Layer {
    weights: Vec<f64>,
    scale: f64,
    #[expect(dead_code)]
    name: String,
    #[constant]
    fixed: f64,
}

#[derive(Clone, Copy, Differentiable)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Clone, Differentiable)]
struct Net {
    layers: [Layer; 2],
    shift: Point,
}

fn net() -> Net {
    let layer = |w: f64| Layer { weights: vec![w, 0.5], scale: 1.5, name: "layer".into(), fixed: 2.0 };
    Net { layers: [layer(0.3), layer(-0.8)], shift: Point { x: 0.1, y: 0.2 } }
}

#[differentiable(check(net = net(), at = Point { x: 1.0, y: -0.5 }, points = [Point { x: 0.1, y: 0.2 }, Point { x: 0.3, y: 0.4 }]))]
fn structs(net: &Net, at: Point, points: &[Point]) -> f64 {
    let mut s = 0.0;
    for layer in &net.layers {
        s += (layer.weights[0] * at.x + layer.weights[1] * at.y).tanh() * layer.scale * layer.fixed;
    }
    for p in points {
        s *= (p.x * net.shift.x).exp() + p.y * net.shift.y;
    }
    s
}

#[differentiable(check(x = array![0.5, 1.5], a = array![[1.0, 2.0], [3.0, 4.0]], v = Vector3::new(0.1, 0.2, 0.3), d = DVector::from_vec(vec![1.0, 2.0])))]
fn arrays_of_libraries(x: &Array1<f64>, a: &Array2<f64>, v: Vector3<f64>, d: &DVector<f64>) -> f64 {
    a.dot(x).mapv(f64::sin).sum() * v.dot(&v) + d[0] * d[1] * d[1]
}

#[differentiable(check(x = vec![0.5, 1.5]))]
fn moved(x: Vec<f64>) -> f64 {
    x[0].ln() * x[1]
}

#[differentiable(check(x = 4.0))]
fn maybe(x: f64) -> Option<f64> {
    if x < 0.0 {
        return None;
    }
    Some(x.sqrt().exp())
}

#[differentiable(check(x = 4.0))]
fn result(x: f64) -> Result<f64, String> {
    if x < 0.0 {
        return Err("negative".to_string());
    }
    Ok(x.sqrt().exp())
}

// Half of `x` further on there is no logarithm: the direction is shortened.
#[differentiable(check(x = 0.99))]
fn near_the_edge(x: f64) -> f64 {
    (1.0 - x).ln()
}

#[differentiable(only(grad), check(x = [0.5, 2.0]))]
fn gradient_alone(x: &[f64]) -> f64 {
    x[0] * x[1]
}

#[differentiable(partials(root_slope), check(x = 2.0))]
fn root(x: f64) -> f64 {
    x.powf(0.5)
}

#[differentiable]
fn root_slope(x: f64) -> f64 {
    0.5 / root(x)
}

// The example of the book.
#[differentiable(partials(log_gamma_slope), check(x = 2.5))]
fn log_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

#[differentiable]
fn log_gamma_slope(x: f64) -> f64 {
    let (mut x, mut sum) = (x, 0.0);
    while x < 12.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let r = 1.0 / (x * x);
    sum + x.ln()
        - 0.5 / x
        - r * (1.0 / 12.0 - r * (1.0 / 120.0 - r * (1.0 / 252.0 - r * (1.0 / 240.0 - r / 132.0))))
}

/// What a failing test says.
fn said(test: fn()) -> String {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let end = std::panic::catch_unwind(test);
    std::panic::set_hook(hook);
    let said = end.expect_err("the test passed");
    match said.downcast::<String>() {
        Ok(message) => *message,
        Err(said) => said.downcast::<&str>().expect("a message").to_string(),
    }
}

#[test]
fn wrong_derivatives_are_found() {
    // Inside a function they are no tests of the suite, and can be called.
    #[differentiable(partials(slope), check(x = 2.0))]
    fn wrong_slope(x: f64) -> f64 {
        x.powf(0.5)
    }
    #[differentiable]
    fn slope(x: f64) -> f64 {
        0.5001 / x.sqrt()
    }
    let report = said(wrong_slope_check);
    assert!(report.starts_with("derivatives of `wrong_slope` do NOT agree with the function"), "{report}");
    assert!(report.contains("gradient: FAILED (order 1."), "{report}");

    // The first partial is right, its own derivative is not.
    #[differentiable(partials(bend), check(x = 2.0))]
    fn wrong_bend(x: f64) -> f64 {
        x * x * x
    }
    #[differentiable(partials(bend_slope))]
    fn bend(x: f64) -> f64 {
        3.0 * x * x
    }
    #[differentiable]
    fn bend_slope(x: f64) -> f64 {
        6.001 * x
    }
    let report = said(wrong_bend_check);
    assert!(report.contains("gradient: passed"), "{report}");
    assert!(report.contains("Hessian-vector product: FAILED"), "{report}");

    // Each the derivative of something, but not of one function.
    #[differentiable(partials(by_x, by_y), check(x = 0.5, y = 1.5))]
    fn contradictory(x: f64, y: f64) -> f64 {
        x * y
    }
    #[differentiable]
    fn by_x(x: f64, y: f64) -> f64 {
        y + 0.01 * y * x
    }
    #[differentiable]
    fn by_y(x: f64, _y: f64) -> f64 {
        x
    }
    let report = said(contradictory_check);
    assert!(report.contains("symmetry: FAILED"), "{report}");
}

#[test]
fn kinks_and_missing_values_are_found() {
    #[differentiable(check(x = 0.0))]
    fn kink(x: f64) -> f64 {
        x.abs()
    }
    assert!(said(kink_check).contains("gradient: FAILED"));
    #[differentiable(check(x = -1.0))]
    fn nothing(x: f64) -> Option<f64> {
        if x < 0.0 {
            return None;
        }
        Some(x)
    }
    assert_eq!(said(nothing_check), "`nothing` has no value at the point of the check, or near to it");
    #[differentiable(check(x = -1.0))]
    fn undefined(x: f64) -> f64 {
        x.ln()
    }
    assert!(said(undefined_check).contains("gradient: FAILED"));
}
