//! Functions generic over `num_traits::Float`: their derivatives for `f64` are those of the same functions written for
//! `f64`, and for `f32` nearly so.

// The functions under test are written as users write them.
#![allow(clippy::all, clippy::pedantic)]

use num_traits::Float;

/// All that is generated for `of::f(x: &[T], data..)`, for `x` and a direction `v`.
macro_rules! all {
    ($T:ty, $of:ident, $x:expr, $v:expr, [$($data:expr),*]) => {{
        let (x, v): (Vec<$T>, Vec<$T>) = (super::list(&$x), super::list(&$v));
        let new = || vec![<$T>::NAN; x.len()];
        let (mut g, mut g2, mut hv, mut hv2, mut hv3) = (new(), new(), new(), new(), new());
        let value = $of::f(&x $(, $data)*);
        let value_g = $of::f_grad(&x $(, $data)*, &mut g);
        $of::f_hvp(&x $(, $data)*, &v, &mut hv);
        $of::f_hvp_rev(&x $(, $data)*, &v, &mut hv2);
        let value_gh = $of::f_grad_hvp(&x $(, $data)*, &v, &mut g2, &mut hv3);
        let (value_j, slope) = $of::f_jvp(&x $(, $data)*, &v);
        let (value_c, slope_c, curvature) = $of::f_curvature(&x $(, $data)*, &v);
        let scalars = [value, value_g, value_gh, value_j, slope, value_c, slope_c, curvature];
        super::list::<f64>(&[&scalars[..], &g, &g2, &hv, &hv2, &hv3].concat())
    }};
}

/// Compares `generic::f`, for `f64` and `f32`, with `plain::f`.
macro_rules! check {
    ($x:expr, $v:expr $(, $data:expr)*) => {
        #[test]
        fn derivatives() {
            let expected = all!(f64, plain, $x, $v, [$($data),*]);
            assert!(expected.iter().all(|e| e.is_finite()), "{expected:?}");
            super::near(&all!(f64, generic, $x, $v, [$($data),*]), &expected, 1e-12);
            super::near(&all!(f32, generic, $x, $v, [$($data),*]), &expected, 1e-4);
        }
    };
}

fn list<T: Float>(list: &[impl Float]) -> Vec<T> {
    list.iter().map(|c| T::from(*c).unwrap()).collect()
}

#[track_caller]
fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1.0, |m: f64, e| m.max(e.abs()));
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "{i}: {a}, expected {b}");
    }
}

mod rosenbrock {
    mod generic {
        use ad_runtime::differentiable;
        use num_traits::{Float, FromPrimitive};
        use std::iter::Sum;

        #[differentiable(wrt(param))]
        pub(super) fn f<T>(param: &[T], a: T, b: T) -> T
        where
            T: Float + FromPrimitive + Sum,
        {
            let mut sum = T::zero();
            for i in 0..param.len() - 1 {
                sum = sum + (a - param[i]).powi(2) + b * (param[i + 1] - param[i].powi(2)).powi(2);
            }
            sum
        }
    }
    mod plain {
        use ad_runtime::differentiable;

        #[differentiable(wrt(param))]
        pub(super) fn f(param: &[f64], a: f64, b: f64) -> f64 {
            let mut sum = 0.0;
            for i in 0..param.len() - 1 {
                sum = sum + (a - param[i]).powi(2) + b * (param[i + 1] - param[i].powi(2)).powi(2);
            }
            sum
        }
    }
    check!([0.3, -0.7, 1.1, 0.9, -0.4], [1.0, -0.5, 0.25, 2.0, -1.0], 1.0, 10.0);
}

mod ackley {
    mod generic {
        use ad_runtime::differentiable;
        use num_traits::{Float, FromPrimitive};
        use std::iter::Sum;

        #[differentiable(wrt(param))]
        pub(super) fn f<T>(param: &[T], a: T, b: T) -> T
        where
            T: Float + FromPrimitive + Sum,
        {
            let num1 = T::from_f64(1.0).unwrap();
            let num2 = T::from_f64(2.0).unwrap() * T::from(std::f64::consts::PI).unwrap();
            let n = T::from_usize(param.len()).expect("a length is a float");
            let (mut squares, mut waves) = (T::zero(), T::zero());
            for i in 0..param.len() {
                squares = squares + param[i].powi(2);
                waves = waves + (num2 * param[i]).cos();
            }
            -a * (-b * ((num1 / n) * squares).sqrt()).exp() - ((num1 / n) * waves).exp() + a + num1.exp()
        }
    }
    mod plain {
        use ad_runtime::differentiable;

        #[differentiable(wrt(param))]
        pub(super) fn f(param: &[f64], a: f64, b: f64) -> f64 {
            let n = param.len() as f64;
            let (mut squares, mut waves) = (0.0, 0.0);
            for i in 0..param.len() {
                squares += param[i].powi(2);
                waves += (2.0 * std::f64::consts::PI * param[i]).cos();
            }
            -a * (-b * (squares / n).sqrt()).exp() - (waves / n).exp() + a + 1.0_f64.exp()
        }
    }
    check!([0.3, -0.7, 1.1, 0.9], [1.0, -0.5, 0.25, 2.0], 20.0, 0.2);
}

mod styblinski_tang {
    mod generic {
        use ad_runtime::differentiable;
        use num_traits::{Float, FromPrimitive};

        #[differentiable]
        pub(super) fn f<T: Float + FromPrimitive + std::ops::AddAssign>(param: &[T]) -> T {
            let two = T::one() + T::one();
            let mut sum = T::zero();
            for x in param.iter() {
                sum += x.powi(4) - T::from_i32(16).unwrap() * x.powi(2) + T::from(5).unwrap() * *x;
            }
            sum / two
        }
    }
    mod plain {
        use ad_runtime::differentiable;

        #[differentiable]
        pub(super) fn f(param: &[f64]) -> f64 {
            let mut sum = 0.0;
            for x in param.iter() {
                sum += x.powi(4) - 16.0 * x.powi(2) + 5.0 * x;
            }
            sum / 2.0
        }
    }
    // More than one round of lanes.
    check!(
        [0.3, -0.7, 1.1, 0.9, -2.4, 0.1, 1.3, -1.1, 0.6, 0.2, 2.2, -0.3, 0.5, 0.7, -0.9, 1.7, 0.4, 0.8, 1.9],
        [1.0, -0.5, 0.25, 2.0, 0.3, -1.0, 0.7, 0.1, 0.9, -0.2, 0.6, 0.4, 0.8, -0.6, 0.5, 0.2, 0.1, -0.7, 1.5]
    );
}

/// The mean logistic loss with an L2 term; all numbers in one matrix.
mod logistic {
    mod generic {
        use ad_runtime::differentiable;
        use num_traits::Float;

        #[differentiable(wrt(w))]
        pub(super) fn f<T>(w: &[T], features: &[T], labels: &[bool], lambda: T) -> T
        where
            T: Float,
        {
            let n = w.len();
            let mut loss = T::zero();
            for i in 0..labels.len() {
                let mut margin = T::zero();
                for j in 0..n {
                    margin = margin + w[j] * features[i * n + j];
                }
                let sign = if labels[i] { T::one() } else { -T::one() };
                let z = sign * margin;
                loss = loss + if z > T::zero() { (-z).exp().ln_1p() } else { z.exp().ln_1p() - z };
            }
            let mut norm = T::zero();
            for j in 0..n {
                norm = norm + w[j] * w[j];
            }
            loss / T::from(labels.len()).unwrap() + T::from(0.5).unwrap() * lambda * norm
        }
    }
    mod plain {
        use ad_runtime::differentiable;

        #[differentiable(wrt(w))]
        pub(super) fn f(w: &[f64], features: &[f64], labels: &[bool], lambda: f64) -> f64 {
            let n = w.len();
            let mut loss = 0.0;
            for i in 0..labels.len() {
                let mut margin = 0.0;
                for j in 0..n {
                    margin += w[j] * features[i * n + j];
                }
                let z = if labels[i] { 1.0 } else { -1.0 } * margin;
                loss += if z > 0.0 { (-z).exp().ln_1p() } else { z.exp().ln_1p() - z };
            }
            let mut norm = 0.0;
            for j in 0..n {
                norm += w[j] * w[j];
            }
            loss / labels.len() as f64 + 0.5 * lambda * norm
        }
    }
    check!(
        [0.3, -0.7, 1.1],
        [1.0, -0.5, 0.25],
        &super::list(&[0.5, 1.0, -0.3, -1.2, 0.4, 0.9, 0.8, -0.6, 1.5, -0.2, 0.7, -1.1]),
        &[true, false, true, false],
        0.1
    );
}

/// A heap vector, an array, a `while` loop with carried state, a loop that is left early.
mod buffers {
    mod generic {
        use ad_runtime::differentiable;
        use num_traits::Float;

        #[differentiable]
        pub(super) fn f<T: Float>(x: &[T]) -> T {
            let n = x.len();
            let mut state = vec![T::zero(); n];
            let mut pair = [T::one(); 2];
            let mut steps = 0;
            while steps < 3 {
                for i in 0..n {
                    let before = if i > 0 { state[i - 1] } else { T::one() };
                    state[i] = state[i] + x[i] * before.sin();
                }
                pair[steps % 2] = pair[1] * state[n - 1] + pair[0];
                steps += 1;
            }
            let mut root: T = T::from(1.5).unwrap();
            let target = pair[0] * pair[0] + T::one();
            while (root * root - target).abs() > T::from(1e-5).unwrap() {
                root = (root + target / root) / T::from(2).unwrap();
            }
            let mut sum = root;
            for s in &state {
                if *s > T::from(3.0).unwrap() {
                    break;
                }
                sum = sum + s.tanh();
            }
            sum
        }
    }
    mod plain {
        use ad_runtime::differentiable;

        #[differentiable]
        pub(super) fn f(x: &[f64]) -> f64 {
            let n = x.len();
            let mut state = vec![0.0; n];
            let mut pair = [1.0; 2];
            let mut steps = 0;
            while steps < 3 {
                for i in 0..n {
                    let before: f64 = if i > 0 { state[i - 1] } else { 1.0 };
                    state[i] += x[i] * before.sin();
                }
                pair[steps % 2] = pair[1] * state[n - 1] + pair[0];
                steps += 1;
            }
            let mut root = 1.5;
            let target = pair[0] * pair[0] + 1.0;
            while (root * root - target).abs() > 1e-5 {
                root = (root + target / root) / 2.0;
            }
            let mut sum = root;
            for s in &state {
                if *s > 3.0 {
                    break;
                }
                sum += s.tanh();
            }
            sum
        }
    }
    check!([0.3, 0.7, 1.1], [1.0, -0.5, 0.25]);
}

/// Choices, and all functions that `Float` has.
mod functions {
    mod generic {
        use ad_runtime::differentiable;
        use num_traits::{Euclid, Float, FloatConst, NumCast};

        #[differentiable]
        pub(super) fn f<T: Float + FloatConst + Euclid + From<f32>>(x: &[T]) -> T {
            let (a, b, c) = (x[0], x[1], x[2]);
            let half: T = <T as From<f32>>::from(0.5);
            let mut s = a.max(b) * c.min(half) + Float::abs(b - c) + Float::clamp(a * b, half, T::one());
            s = s + Float::sin(a) + T::cos(b) + <T as Float>::tan(c * half) + a.powf(b) + Float::powi(c, 3);
            s = s + a.exp_m1() * b.exp2() - c.ln_1p() * a.log2() + b.log10() - c.log(T::E());
            s = s + a.asin() + (half * a).acos() * b.atan() + a.sinh() * b.cosh() - c.tanh();
            s = s
                + a.asinh() * (T::one() + b).acosh()
                + (half * a).atanh()
                + a.cbrt() * b.hypot(c)
                + a.atan2(b);
            s = s + a.mul_add(b, c) + c.recip() + a.to_degrees() * b.to_radians() + a.fract() * b.floor();
            s = s
                + Float::copysign(a, -c)
                + Euclid::rem_euclid(&-b, &c) * half
                + b % c
                + c.signum() * a.abs_sub(b);
            let (sin, cos) = (a * b).sin_cos();
            s = s + sin * cos * T::PI() + if s.is_nan() || !s.is_finite() { T::nan() } else { T::epsilon() };
            if s.is_sign_positive() && a < T::infinity() && a > T::min_value() {
                s = s + a * NumCast::from(3.0).unwrap() * num_traits::cast::<_, T>(0.25).unwrap();
            }
            s * <T as NumCast>::from(x.len() as f64 / 7.0).unwrap()
        }
    }
    mod plain {
        use ad_runtime::differentiable;

        #[differentiable]
        pub(super) fn f(x: &[f64]) -> f64 {
            let (a, b, c) = (x[0], x[1], x[2]);
            let mut s = a.max(b) * c.min(0.5) + (b - c).abs() + (a * b).clamp(0.5, 1.0);
            s = s + a.sin() + b.cos() + (c * 0.5).tan() + a.powf(b) + c.powi(3);
            s = s + a.exp_m1() * b.exp2() - c.ln_1p() * a.log2() + b.log10() - c.log(std::f64::consts::E);
            s = s + a.asin() + (0.5 * a).acos() * b.atan() + a.sinh() * b.cosh() - c.tanh();
            s = s + a.asinh() * (1.0 + b).acosh() + (0.5 * a).atanh() + a.cbrt() * b.hypot(c) + a.atan2(b);
            s = s + a.mul_add(b, c) + c.recip() + a.to_degrees() * b.to_radians() + a.fract() * b.floor();
            s = s + a.copysign(-c) + (-b).rem_euclid(c) * 0.5 + b % c + c.signum() * (a - b).max(0.0);
            let (sin, cos) = (a * b).sin_cos();
            s = s + sin * cos * std::f64::consts::PI + f64::EPSILON;
            if s > 0.0 {
                s = s + a * 3.0 * 0.25;
            }
            s * (x.len() as f64 / 7.0)
        }
    }
    check!([0.6, 1.2, 0.8], [1.0, -0.5, 0.25]);
}

/// The operators' traits by their methods.
mod operators {
    mod generic {
        use ad_runtime::differentiable;
        use num_traits::real::Real;

        #[differentiable]
        pub(super) fn f<T: Real>(x: &[T]) -> T {
            let y = x[0].mul(x[1]).add(x[2].neg()).sub(x[0].div(x[1]));
            y.exp().max(y) * T::from_length(x.len())
        }

        trait FromLength {
            fn from_length(n: usize) -> Self;
        }
        impl<T: Real> FromLength for T {
            fn from_length(n: usize) -> T {
                T::from(n).unwrap()
            }
        }
    }
    mod plain {
        use ad_runtime::differentiable;

        #[differentiable]
        pub(super) fn f(x: &[f64]) -> f64 {
            let y = x[0] * x[1] - x[2] - x[0] / x[1];
            y.exp().max(y) * 3.0
        }
    }
    check!([0.6, 1.2, 0.8], [1.0, -0.5, 0.25]);
}

/// Scalars, arrays by value and by reference.
mod arrays_and_scalars {
    use ad_runtime::differentiable;
    use num_traits::Float;

    #[differentiable]
    fn generic<T: Float>(a: [T; 3], b: &[T; 3], scale: T) -> T {
        let mut c = [T::zero(); 3];
        for i in 0..3 {
            c[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3];
        }
        let norm = (c[0] * c[0] + c[1] * c[1] + c[2] * c[2]).sqrt();
        let [x, y, z] = [norm, c[0], scale];
        x * z.exp() + y
    }

    #[differentiable]
    fn plain(a: [f64; 3], b: &[f64; 3], scale: f64) -> f64 {
        let mut c = [0.0; 3];
        for i in 0..3 {
            c[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3];
        }
        (c[0] * c[0] + c[1] * c[1] + c[2] * c[2]).sqrt() * scale.exp() + c[0]
    }

    macro_rules! run {
        ($T:ty, $grad:ident, $hvp:ident, $curvature:ident) => {{
            let (a, b, s): ([$T; 3], [$T; 3], $T) = ([0.3, -0.7, 1.1], [0.9, 0.4, -0.5], 0.2);
            let (u, v, t): ([$T; 3], [$T; 3], $T) = ([1.0, 0.5, -0.5], [0.2, -0.3, 0.8], 0.7);
            let (mut g, mut h) = ([0.0; 3], [0.0; 3]);
            let (value, (ga, gs)) = $grad(a, &b, s, &mut g);
            let (ha, hs) = $hvp(a, &b, s, u, &v, t, &mut h);
            let (_, slope, curvature) = $curvature(a, &b, s, u, &v, t);
            super::list::<f64>(&[&[value, gs, hs, slope, curvature][..], &ga, &g, &ha, &h].concat())
        }};
    }

    #[test]
    fn derivatives() {
        let expected = run!(f64, plain_grad, plain_hvp, plain_curvature);
        super::near(&run!(f64, generic_grad, generic_hvp, generic_curvature), &expected, 1e-12);
        super::near(&run!(f32, generic_grad, generic_hvp, generic_curvature), &expected, 1e-4);
    }
}

/// Several outputs: `&mut [T]`, a vector, a tuple; lengths by const generics.
mod outputs {
    use ad_runtime::differentiable;
    use num_traits::Float;

    #[differentiable]
    fn written<T: Float>(x: &[T], y: &mut [T]) {
        for i in 0..x.len() {
            y[i] = x[i] * x[i];
            y[i] = y[i] + x[i];
        }
    }

    #[differentiable]
    fn scaled<T: Float>(x: &[T], a: T) -> Vec<T> {
        let mut y = vec![T::zero(); x.len()];
        for i in 0..x.len() {
            y[i] = a * x[i].exp();
        }
        y
    }

    #[differentiable]
    fn pair<T: Float, const N: usize>(x: &[T; N]) -> (T, T) {
        let (mut sum, mut product) = (T::zero(), T::one());
        for i in 0..N {
            sum = sum + x[i];
            product = product * x[i];
        }
        (sum, product)
    }

    #[test]
    fn derivatives() {
        let (x, dx) = ([2.0, 3.0], [1.0, 10.0]);
        let (mut y, mut dy) = ([1.0, 1.0], [0.5, 0.0]);
        written_jvp(&x, &dx, &mut y, &mut dy);
        assert_eq!((y, dy), ([6.0, 12.0], [5.0, 70.0]));
        let (value, dot) = scaled_jvp(&[0.0_f32, 0.0], 2.0, &[1.0, 3.0], 1.0);
        assert_eq!((value, dot), (vec![2.0, 2.0], vec![3.0, 7.0]));
        let mut bar = [0.0; 2];
        pair_vjp(&x, (1.0, 10.0), &mut bar);
        assert_eq!(bar, [31.0, 21.0]);
    }
}

/// Generic methods.
mod methods {
    use ad_runtime::differentiable;
    use num_traits::Float;

    struct Spring {
        power: i32,
    }

    impl Spring {
        #[differentiable]
        fn energy<T: Float>(&self, x: T, k: T) -> T {
            k * x.powi(self.power) / T::from(self.power).unwrap()
        }
    }

    #[test]
    fn derivatives() {
        let spring = Spring { power: 4 };
        assert_eq!(spring.energy_grad(2.0_f64, 3.0), (12.0, (24.0, 4.0)));
        assert_eq!(spring.energy_grad(2.0_f32, 3.0), (12.0, (24.0, 4.0)));
        assert_eq!(spring.energy_hvp(2.0, 3.0, 1.0, 0.0), (36.0, 8.0));
    }
}
