//! Scalars: bindings, arithmetic, literals, constants, casts, data.

use ad_runtime::differentiable;

use super::close;

#[test]
fn bindings() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let a = x * y;
        let a: f64 = a + x;
        let b;
        if a > 0.0 {
            b = a * a;
        } else {
            b = -a;
        }
        let _unused = b;
        b * y
    }
    check_xy!(0.7, 1.3);
    check_xy!(0.7, -1.9);
}

#[test]
fn tuples() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let (a, b) = (x * y, x - y);
        let (mut c, mut d) = (b, a);
        (c, d) = (d, c);
        c *= 2.0;
        d += a;
        let t = (c * d, d * d);
        t.0 + t.1 * a
    }
    check_xy!(0.7, 1.3);
}

#[test]
fn assignments() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let mut s = x;
        s += y * x;
        s *= s;
        s -= x / y;
        s /= 1.0 + y * y;
        s = s * s + x;
        s
    }
    check_xy!(0.7, 1.3);
}

#[test]
fn arithmetic() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        -(x * x - y / x) * (2.0 - -x) / (y + 3.0 * x) + 1.0 / (x * y)
    }
    check_xy!(0.7, 1.3);
}

#[test]
fn literals() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        2.5 * x * x + 1_000.5_f64 * y * x + 1e-3 * y * y + 2f64 * y.powi(3) + 5. * x * y
    }
    check_xy!(0.7, 1.3);
}

const SCALE: f64 = 2.5;
mod units {
    pub(crate) const HALF: f64 = 0.5;
}

#[test]
fn constants() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        const LOCAL: f64 = 1.5;
        let u = x * std::f64::consts::PI + SCALE * y;
        u.sin() * units::HALF + x * y * LOCAL * f64::MAX.recip() + x * f64::EPSILON
    }
    check_xy!(0.7, 1.3);
}

#[test]
fn casts() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let n = 3_usize;
        let k = (x + 2.2) as usize;
        x * x * n as f64 + y * y * k as f64 + f64::from(2_i32) * x * y
    }
    check_xy!(0.7, 1.3);

    #[differentiable]
    fn narrow(x: f64) -> f64 {
        let y = x as f32;
        f64::from(y * y) + (y * 0.5) as f64
    }
    assert_eq!(narrow_grad(3.0), (10.5, 6.5));
    assert_eq!(narrow_hvp(3.0, 1.0), 2.0);
}

#[test]
fn integer_types() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let big: u64 = 1 << 40;
        let mut power: u64 = 1;
        for _ in 0..40 {
            power *= 2;
        }
        let small: u8 = 200;
        let wrapped = small.wrapping_add(100);
        let halves: Vec<usize> = [2_u32, 4].iter().map(|&k| k as usize / 2).collect();
        let total: usize = halves.iter().sum();
        x * y * (big as f64 / power as f64) + x * x * wrapped as f64 + y * y * total as f64
    }
    check_xy!(0.7, 1.3);
    assert_eq!(f_grad(1.0, 0.0), (44.0, (88.0, 1.0)));
}

#[test]
fn comparisons() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let above = x > y || (x * y >= 0.5 && x != y);
        let odd = !(y < 0.0) == above;
        let a = if above { x * x * y } else { x * y * y };
        if odd && !x.is_nan() { a + x } else { a * y }
    }
    check_xy!(0.7, 1.3);
    check_xy!(1.7, 1.3);
    check_xy!(-1.7, 0.3);
}

#[test]
fn blocks() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let a = {
            let t = x * y;
            t * t + {
                let u = x - y;
                u * u
            }
        };
        a * if x > y { x } else { y }
    }
    check_xy!(0.7, 1.3);
}

struct Settings {
    rate: f64,
    name: String,
    powers: Vec<i32>,
}

impl Settings {
    fn doubled(&self) -> f64 {
        2.0 * self.rate
    }
}

#[test]
fn data_of_any_type() {
    #[differentiable]
    fn f(x: &[f64], settings: &Settings, flags: &[bool], which: Option<usize>, n: i32) -> f64 {
        let scale = settings.doubled() + settings.name.len() as f64;
        let mut sum = 0.0;
        for i in 0..x.len() {
            if flags[i] {
                sum += scale * x[i].powi(settings.powers[i]);
            }
        }
        let k = which.map_or(0, |k| k + 1).min(x.len() - 1);
        sum * x[k] + x[0].powi(n)
    }
    let settings = Settings { rate: 0.5, name: "four".into(), powers: vec![2, 3, 1] };
    check_slice!(vec![0.7, 1.3, -0.4], &settings, &[true, true, false], Some(0), 3);
    check_slice!(vec![0.7, 1.3, -0.4], &settings, &[true, false, true], None, -2);
}

#[test]
fn generic_floats() {
    use num_traits::Float;

    #[differentiable]
    fn f<T: Float>(x: T, y: T) -> T {
        (x * y).sin() * T::from(0.5).unwrap() + T::max(x, T::zero()) * y.powi(2)
    }
    check_xy!(0.7, 1.3);
    let (value, (fx, fy)): (f32, (f32, f32)) = f_grad(0.7, 1.3);
    let (exact, (gx, gy)): (f64, (f64, f64)) = f_grad(0.7, 1.3);
    close("f32", &[value, fx, fy].map(f64::from), &[exact, gx, gy], 1e-6);
}

/// A trait of this file that asks for `Float`, by way of another.
trait Scalar: Sized + num_traits::Float {}
trait Real64: Scalar + std::ops::AddAssign {}
impl<T: num_traits::Float> Scalar for T {}
impl<T: Scalar + std::ops::AddAssign> Real64 for T {}

#[test]
fn floats_by_traits_of_the_file() {
    #[differentiable]
    fn scaled<T: Scalar>(v: &mut [T], by: T) {
        for x in v.iter_mut() {
            *x = *x * by;
        }
    }
    #[differentiable]
    fn f<T: Real64>(x: T, y: T) -> T {
        let mut v = vec![x, y.sin()];
        scaled(&mut v, x * y);
        let mut s = T::zero();
        for u in &v {
            s += *u * T::from(0.5).unwrap();
        }
        s
    }
    check_xy!(0.7, 1.3);
    let (value, (fx, fy)): (f32, (f32, f32)) = f_grad(0.7, 1.3);
    let (exact, (gx, gy)): (f64, (f64, f64)) = f_grad(0.7, 1.3);
    close("f32", &[value, fx, fy].map(f64::from), &[exact, gx, gy], 1e-6);
}

#[test]
fn single_precision() {
    #[differentiable]
    fn f(x: f32, y: f32) -> f32 {
        let s = 2.0 * x * x * y;
        s + y * 0.5_f32 * y
    }
    let (value, (fx, fy)): (f32, (f32, f32)) = f_grad(1.5, 2.0);
    assert_eq!((value, fx, fy), (11.0, 12.0, 6.5));
    assert_eq!(f_hvp(1.5, 2.0, 1.0, 0.0), (8.0, 6.0));
    assert_eq!(f_hvp_rev(1.5, 2.0, 1.0, 0.0), (8.0, 6.0));

    #[differentiable]
    fn g(x: &[f32]) -> f32 {
        let mut sum = 0.0;
        for v in x.iter() {
            sum += v.sin() * v;
        }
        sum
    }
    let mut hv = [0.0_f32; 2];
    g_hvp(&[0.5, 1.0], &[1.0, 2.0], &mut hv);
    let exact = |x: f64, v: f64| (2.0 * x.cos() - x * x.sin()) * v;
    close("f32", &hv.map(f64::from), &[exact(0.5, 1.0), exact(1.0, 2.0)], 1e-6);
}

#[test]
fn statements_passed_through() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        assert!(x.is_finite(), "x is {x}");
        debug_assert!(y > -10.0);
        assert_eq!(2 + 2, 4);
        let a = x * y;
        println!("a = {a}, y = {}", y);
        if a > 1e6 {
            panic!("a is {a:?}");
        }
        a * a
    }
    check_xy!(0.7, 1.3);
    let panics = |x: f64| std::panic::catch_unwind(move || f_hvp(x, 1.0, 1.0, 0.0)).is_err();
    assert!(panics(f64::INFINITY) && panics(1e7) && !panics(2.0));
}

#[test]
fn ranges_that_contain() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let mut s = x * y;
        if (0.0..1.0).contains(&x) {
            s += x * x;
        }
        if (0.0..=x).contains(&(y * y)) && !(..y).contains(&0.5) {
            s += y.sin();
        }
        if (y..).contains(&2.0) { s * s } else { s }
    }
    check_xy!(0.7, 0.4);
    check_xy!(1.7, 0.6);
    check_xy!(1.7, 2.6);
}

#[allow(non_snake_case)]
#[test]
fn upper_case_names() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let A = x * y;
        let (B, C) = (A.sin(), A + y);
        let area = |R: f64| R * R * B;
        area(C) + [x, y].iter().map(|V| V * A).sum::<f64>()
    }
    check_xy!(0.7, 0.4);
}

#[test]
fn literals_in_branches() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let base = if y > 1.0 { 2.0_f64 } else { 10.0_f64 };
        10.0_f64.powf(x) + (if y > 1.0 { 3.0_f64 } else { 5.0_f64 }).ln() * y + base.ln() * x * y
    }
    check_xy!(0.7, 0.4);
    check_xy!(0.7, 1.4);
}
