//! The float functions of std, first and second order.

use ad_runtime::differentiable;

/// A test of a sum of functions of `x` and `y` at two points.
macro_rules! functions {
    ($($name:ident: |$x:ident, $y:ident| $body:expr, at $(($a:expr, $b:expr)),+;)*) => { $(
        #[test]
        fn $name() {
            #[differentiable]
            fn f($x: f64, $y: f64) -> f64 {
                $body
            }
            $( check_xy!($a, $b); )+
        }
    )* };
}

functions! {
    roots: |x, y| x.sqrt() * y + (x * y).cbrt() + x.hypot(y), at (0.7, 1.3), (2.1, 0.4);
    powers: |x, y| x.powi(3) * y.powi(-2) + x.powf(y) + y.powf(2.5) + x.recip() * y, at (0.7, 1.3), (2.1, 0.4);
    exponentials: |x, y| (x * y).exp() + (x - y).exp2() + (x * x * y).exp_m1(), at (0.7, 1.3), (-1.1, 0.4);
    logarithms: |x, y| {
        (x * y).ln() + x.log2() * y + (x + y).log10() + (x * y).ln_1p() + x.log(y + 1.0)
    }, at (0.7, 1.3), (2.1, 0.4);
    trigonometry: |x, y| {
        let (s, c) = (x * y).sin_cos();
        x.sin() * y.cos() + (x * y).tan() + s * c * x
    }, at (0.7, 1.3), (-0.4, 0.9);
    inverse_trigonometry: |x, y| (x * y).asin() + (x - y).acos() + (x / y).atan() + y.atan2(x), at (0.7, 0.6), (-0.4, 0.3);
    hyperbolic: |x, y| (x * y).sinh() + (x - y).cosh() + (x * y).tanh() * y, at (0.7, 1.3), (-0.4, 0.9);
    inverse_hyperbolic: |x, y| (x * y).asinh() + (x + y + 1.5).acosh() + (x * y).atanh(), at (0.7, 0.9), (-0.4, 0.9);
    choosing: |x, y| x.abs() * y + x.max(y) * x + x.min(y).powi(2) + (x * y).clamp(-0.5, 0.5) * x + x.copysign(y) * y,
        at (0.7, 1.3), (-1.3, 0.1), (0.2, -0.9);
    rounding: |x, y| {
        x.floor() * y * y + y.ceil() * x * x + (x * 1.1).round() * y + y.trunc() * x + x.fract() * y + (x * y).signum() * x
    }, at (0.7, 1.3), (-2.7, 0.4);
    remainders: |x, y| (x % y) * x + x.rem_euclid(y) * y, at (2.7, 1.1), (-1.4, 0.9);
    fused: |x, y| x.mul_add(y, x * x) * y.mul_add(2.0, 1.0), at (0.7, 1.3), (-2.7, 0.4);
    angles: |x, y| (x * y).to_radians().sin() * 50.0 + (x * y).to_degrees() * x, at (0.7, 1.3), (-2.7, 0.4);
    path_form: |x, y| f64::sin(x) * f64::powf(y, x) + f64::max(x, y) * f64::abs(x) + f64::mul_add(x, y, 1.0),
        at (0.7, 1.3), (2.7, 0.4);
}
