//! Closures and functions inside the function.

use ad_runtime::{constant, differentiable};

#[test]
fn local_closures() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let square = |v: f64| v * v;
        let scaled = |v: f64| -> f64 { v * y + x };
        square(scaled(x)) + (|a: f64, b: f64| (a * b).sin())(x, y) + square(2.0)
    }
    check_xy!(0.7, -0.4);
}

#[test]
fn closures_with_statements_and_returns() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let clipped = |v: f64| {
            if v < -10.0 {
                return 0.0;
            }
            let mut s = 0.0;
            for k in 1..4 {
                s += v.powi(k) / k as f64;
            }
            s
        };
        clipped(x) * clipped(y)
    }
    check_xy!(0.7, -0.4);
}

#[test]
fn closures_that_change_what_they_capture() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut energy = 0.0;
        let mut trace = Vec::new();
        let mut add = |v: f64| {
            energy += v * v;
            trace.push(energy);
        };
        for v in x {
            add(v.sin());
        }
        add(0.5);
        trace.iter().map(|e| e.sqrt()).sum()
    }
    check_slice!([0.3, -0.8, 1.1]);
}

#[test]
fn move_closures_keep_what_they_saw() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let mut scale = y;
        let with_old = move |v: f64| scale * v;
        scale = x * x;
        with_old(x) + scale
    }
    check_xy!(0.7, -0.4);
}

#[test]
fn closures_passed_to_inner_functions() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        fn simpson(f: impl Fn(f64) -> f64, a: f64, b: f64) -> f64 {
            let m = 0.5 * (a + b);
            (b - a) / 6.0 * (f(a) + 4.0 * f(m) + f(b))
        }
        fn twice(v: f64) -> f64 {
            v + v
        }
        simpson(|t| (t * y).exp(), 0.0, x) * twice(y)
    }
    check_xy!(0.7, -0.4);
}

#[test]
fn mutable_references() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        fn advance(q: &mut f64, p: &mut f64, h: f64) {
            *p -= h * q.sin();
            *q += h * *p;
        }
        let (mut q, mut p) = (x, y);
        for _ in 0..3 {
            advance(&mut q, &mut p, 0.1);
        }
        let mut a = [q, p];
        let fill = |out: &mut [f64], v: f64| {
            for o in out.iter_mut() {
                *o *= v;
            }
        };
        fill(&mut a, x);
        a[0] * a[1]
    }
    check_xy!(0.7, -0.4);
}

#[test]
fn constants_on_purpose() {
    // The gradient holds the second factor fixed: it is x², not 3x².
    #[differentiable]
    fn f(x: f64) -> f64 {
        x * constant(x * x)
    }
    assert_eq!(f_grad(3.0), (27.0, 9.0));
    assert_eq!(f_hvp(3.0, 1.0), 0.0);
}

mod called_values {
    use ad_runtime::differentiable;

    #[differentiable]
    fn f(x: &[f64], n: usize) -> f64 {
        let mut shift = 0.5;
        let gamma = |shape: f64, rate: f64| move |t: f64| shape * t - rate * t.exp();
        let nested = |a: f64| move |b: f64| move |c: f64| a * b.sin() + c * c * a;
        let mut sum = gamma(x[0], 2.0)(x[1] * shift) + nested(x[1])(x[0])(x[2]);
        shift = x[2];
        for k in 0..n {
            sum += gamma(k as f64, shift)(x[0]) * (gamma(1.0, x[1]))(x[2]);
            shift *= x[0];
        }
        sum
    }

    pub(super) fn check() {
        check_slice!([0.6, 1.1, 0.8], 3);
    }
}

#[test]
fn calls_of_what_a_call_gives() {
    called_values::check();
}
