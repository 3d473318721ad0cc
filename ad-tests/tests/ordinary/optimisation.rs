use super::*;
// Optimisation test sets and fits, as ordinary Rust. The includer provides: `check`, `D`
// (num_dual::HyperDual64), `num_dual::DualNum`, and the macros `differentiable`, `Differentiable`.
use num_traits::{Float, FromPrimitive};
use std::f64::consts::PI;
use std::iter::Sum;

fn arr<const N: usize>(p: &[f64]) -> &[f64; N] {
    p.try_into().unwrap()
}
fn arr_mut<const N: usize>(p: &mut [f64]) -> &mut [f64; N] {
    p.try_into().unwrap()
}

/// An f32 gradient against the f64 reference's.
fn near32(g: &[f32], at: &[f64], f: impl Fn(&[D]) -> D) {
    for i in 0..at.len() {
        let mut p: Vec<D> = at.iter().map(|&v| D::from_re(v)).collect();
        p[i] = p[i].derivative1();
        let want = f(&p).eps1;
        assert!((g[i] as f64 - want).abs() <= 2e-3 * want.abs().max(1.0), "{i}: {} {want}", g[i]);
    }
}

// ---------------------------------------------------------------------------------------------
// From the crate `argmin_testfunctions` 0.2.0 (Stefan Kroboth, MIT OR Apache-2.0), unchanged
// but for the attribute (`num` is `num_traits` here).

/// Ackley (argmin_testfunctions)
#[differentiable]
pub fn ackley<T>(param: &[T]) -> T
where
    T: Float + FromPrimitive + Sum,
{
    ackley_abc(param, T::from_f64(20.0).unwrap(), T::from_f64(0.2).unwrap(), T::from_f64(2.0 * PI).unwrap())
}

/// Ackley with its constants as parameters (argmin_testfunctions)
#[differentiable(wrt(param))]
pub fn ackley_abc<T>(param: &[T], a: T, b: T, c: T) -> T
where
    T: Float + FromPrimitive + Sum,
{
    let num1 = T::from_f64(1.0).unwrap();
    let n = T::from_usize(param.len()).unwrap();
    -a * (-b * ((num1 / n) * param.iter().map(|x| x.powi(2)).sum()).sqrt()).exp()
        - ((num1 / n) * param.iter().map(|x| (c * *x).cos()).sum()).exp()
        + a
        + num1.exp()
}

fn ackley_ref(x: &[D], a: f64, b: f64, c: f64) -> D {
    let n = x.len() as f64;
    let mut sq = D::from_re(0.0);
    let mut cs = D::from_re(0.0);
    for i in 0..x.len() {
        sq += x[i] * x[i];
        cs += (x[i] * c).cos();
    }
    -((sq / n).sqrt() * -b).exp() * a - (cs / n).exp() + a + 1f64.exp()
}
#[test]
fn ackley_is_exact() {
    check(
        "ackley",
        &[0.3, -0.2, 0.5],
        |p| ackley(p),
        |p, g| ackley_grad(p, g),
        |p, v, hv| ackley_hvp(p, v, hv),
        |p| ackley_ref(p, 20.0, 0.2, 2.0 * PI),
    );
    let mut g32 = [0.0f32; 3];
    ackley_grad(&[0.3f32, -0.2, 0.5], &mut g32);
    near32(&g32, &[0.3, -0.2, 0.5], |p| ackley_ref(p, 20.0, 0.2, 2.0 * PI));
}
#[test]
fn ackley_abc_is_exact() {
    check(
        "ackley_abc",
        &[0.3, -0.2, 0.5, 1.1],
        |p| ackley_abc(p, 10.0, 0.3, 1.5),
        |p, g| ackley_abc_grad(p, 10.0, 0.3, 1.5, g),
        |p, v, hv| ackley_abc_hvp(p, 10.0, 0.3, 1.5, v, hv),
        |p| ackley_ref(p, 10.0, 0.3, 1.5),
    );
}

/// Beale (argmin_testfunctions)
#[differentiable]
pub fn beale<T>(param: &[T; 2]) -> T
where
    T: Float + FromPrimitive,
{
    let [x1, x2] = *param;
    (T::from_f64(1.5).unwrap() - x1 + x1 * x2).powi(2)
        + (T::from_f64(2.25).unwrap() - x1 + x1 * (x2.powi(2))).powi(2)
        + (T::from_f64(2.625).unwrap() - x1 + x1 * (x2.powi(3))).powi(2)
}

fn beale_ref(x: &[D]) -> D {
    let y = [1.5, 2.25, 2.625];
    let mut s = D::from_re(0.0);
    let mut pow = D::from_re(1.0);
    for i in 0..3 {
        pow = pow * x[1];
        let r = x[0] * pow - x[0] + y[i];
        s += r * r;
    }
    s
}
#[test]
fn beale_is_exact() {
    check(
        "beale",
        &[1.3, 0.4],
        |p| beale(arr::<2>(p)),
        |p, g| beale_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| beale_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| beale_ref(p),
    );
    let mut g32 = [0.0f32; 2];
    beale_grad(&[1.3f32, 0.4], &mut g32);
    near32(&g32, &[1.3, 0.4], |p| beale_ref(p));
}

/// Booth (argmin_testfunctions)
#[differentiable]
pub fn booth<T>(param: &[T; 2]) -> T
where
    T: Float + FromPrimitive,
{
    let n2 = T::from_f64(2.0).unwrap();
    let n5 = T::from_f64(5.0).unwrap();
    let n7 = T::from_f64(7.0).unwrap();

    let [x1, x2] = *param;
    (x1 + n2 * x2 - n7).powi(2) + (n2 * x1 + x2 - n5).powi(2)
}

fn booth_ref(x: &[D]) -> D {
    let a = x[0] + x[1] * 2.0 - 7.0;
    let b = x[0] * 2.0 + x[1] - 5.0;
    a * a + b * b
}
#[test]
fn booth_is_exact() {
    check(
        "booth",
        &[0.7, -1.4],
        |p| booth(arr::<2>(p)),
        |p, g| booth_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| booth_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| booth_ref(p),
    );
    let mut g32 = [0.0f32; 2];
    booth_grad(&[0.7f32, -1.4], &mut g32);
    near32(&g32, &[0.7, -1.4], |p| booth_ref(p));
}

/// Bukin No. 6, away from its ridge (argmin_testfunctions)
#[differentiable]
pub fn bukin_n6<T>(param: &[T; 2]) -> T
where
    T: Float + FromPrimitive,
{
    let [x1, x2] = *param;
    let n001 = T::from_f64(0.01).unwrap();
    let n10 = T::from_f64(10.0).unwrap();
    let n100 = T::from_f64(100.0).unwrap();
    n100 * (x2 - n001 * x1.powi(2)).abs().sqrt() + n001 * (x1 + n10).abs()
}

fn bukin_n6_ref(x: &[D]) -> D {
    let mut u = x[1] - x[0] * x[0] * 0.01;
    if u.re < 0.0 {
        u = -u;
    }
    let mut w = x[0] + 10.0;
    if w.re < 0.0 {
        w = -w;
    }
    u.sqrt() * 100.0 + w * 0.01
}
#[test]
fn bukin_n6_is_exact() {
    check(
        "bukin_n6",
        &[-11.5, 0.6],
        |p| bukin_n6(arr::<2>(p)),
        |p, g| bukin_n6_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| bukin_n6_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| bukin_n6_ref(p),
    );
    let mut g32 = [0.0f32; 2];
    bukin_n6_grad(&[-11.5f32, 0.6], &mut g32);
    near32(&g32, &[-11.5, 0.6], |p| bukin_n6_ref(p));
}

/// Easom (argmin_testfunctions)
#[differentiable]
pub fn easom<T>(param: &[T; 2]) -> T
where
    T: Float + FromPrimitive,
{
    let [x1, x2] = *param;
    let pi = T::from_f64(PI).unwrap();
    -x1.cos() * x2.cos() * (-(x1 - pi).powi(2) - (x2 - pi).powi(2)).exp()
}

fn easom_ref(x: &[D]) -> D {
    let a = x[0] - PI;
    let b = x[1] - PI;
    -(x[0].cos() * x[1].cos() * (-(a * a + b * b)).exp())
}
#[test]
fn easom_is_exact() {
    check(
        "easom",
        &[2.8, 3.6],
        |p| easom(arr::<2>(p)),
        |p, g| easom_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| easom_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| easom_ref(p),
    );
}

/// Eggholder (argmin_testfunctions)
#[differentiable]
pub fn eggholder<T>(param: &[T; 2]) -> T
where
    T: Float + FromPrimitive,
{
    let [x1, x2] = *param;
    let n47 = T::from_f64(47.0).unwrap();
    -(x2 + n47) * (x2 + x1 / T::from_f64(2.0).unwrap() + n47).abs().sqrt().sin()
        - x1 * (x1 - (x2 + n47)).abs().sqrt().sin()
}

fn eggholder_ref(x: &[D]) -> D {
    let mut u = x[1] + x[0] / 2.0 + 47.0;
    if u.re < 0.0 {
        u = -u;
    }
    let mut w = x[0] - x[1] - 47.0;
    if w.re < 0.0 {
        w = -w;
    }
    -((x[1] + 47.0) * u.sqrt().sin()) - x[0] * w.sqrt().sin()
}
#[test]
fn eggholder_is_exact() {
    check(
        "eggholder",
        &[12.0, -7.5],
        |p| eggholder(arr::<2>(p)),
        |p, g| eggholder_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| eggholder_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| eggholder_ref(p),
    );
}

/// Goldstein-Price (argmin_testfunctions)
#[differentiable]
pub fn goldsteinprice<T>(param: &[T; 2]) -> T
where
    T: Float + FromPrimitive,
{
    let [x1, x2] = *param;
    let n1 = T::from_f64(1.0).unwrap();
    let n2 = T::from_f64(2.0).unwrap();
    let n3 = T::from_f64(3.0).unwrap();
    let n6 = T::from_f64(6.0).unwrap();
    let n12 = T::from_f64(12.0).unwrap();
    let n14 = T::from_f64(14.0).unwrap();
    let n18 = T::from_f64(18.0).unwrap();
    let n19 = T::from_f64(19.0).unwrap();
    let n27 = T::from_f64(27.0).unwrap();
    let n30 = T::from_f64(30.0).unwrap();
    let n32 = T::from_f64(32.0).unwrap();
    let n36 = T::from_f64(36.0).unwrap();
    let n48 = T::from_f64(48.0).unwrap();
    (n1 + (x1 + x2 + n1).powi(2) * (n19 - n14 * (x1 + x2) + n3 * (x1.powi(2) + x2.powi(2)) + n6 * x1 * x2))
        * (n30
            + (n2 * x1 - n3 * x2).powi(2)
                * (n18 - n32 * x1 + n12 * x1.powi(2) + n48 * x2 - n36 * x1 * x2 + n27 * x2.powi(2)))
}

fn goldsteinprice_ref(x: &[D]) -> D {
    let (a, b) = (x[0], x[1]);
    let s = a + b + 1.0;
    let p = (a + b) * -14.0 + (a * a + b * b) * 3.0 + a * b * 6.0 + 19.0;
    let t = a * 2.0 - b * 3.0;
    let q = a * -32.0 + a * a * 12.0 + b * 48.0 - a * b * 36.0 + b * b * 27.0 + 18.0;
    (s * s * p + 1.0) * (t * t * q + 30.0)
}
#[test]
fn goldsteinprice_is_exact() {
    check(
        "goldsteinprice",
        &[0.2, -0.6],
        |p| goldsteinprice(arr::<2>(p)),
        |p, g| goldsteinprice_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| goldsteinprice_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| goldsteinprice_ref(p),
    );
}

/// Himmelblau (argmin_testfunctions)
#[differentiable]
pub fn himmelblau<T>(param: &[T; 2]) -> T
where
    T: Float + FromPrimitive,
{
    let [x1, x2] = *param;
    let n7 = T::from_f64(7.0).unwrap();
    let n11 = T::from_f64(11.0).unwrap();
    (x1.powi(2) + x2 - n11).powi(2) + (x1 + x2.powi(2) - n7).powi(2)
}

fn himmelblau_ref(x: &[D]) -> D {
    let a = x[0] * x[0] + x[1] - 11.0;
    let b = x[0] + x[1] * x[1] - 7.0;
    a * a + b * b
}
#[test]
fn himmelblau_is_exact() {
    check(
        "himmelblau",
        &[0.5, -0.3],
        |p| himmelblau(arr::<2>(p)),
        |p, g| himmelblau_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| himmelblau_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| himmelblau_ref(p),
    );
    let mut g32 = [0.0f32; 2];
    himmelblau_grad(&[0.5f32, -0.3], &mut g32);
    near32(&g32, &[0.5, -0.3], |p| himmelblau_ref(p));
}

/// Hoelder table (argmin_testfunctions)
#[differentiable]
pub fn holder_table<T>(param: &[T; 2]) -> T
where
    T: Float + FromPrimitive,
{
    let [x1, x2] = *param;
    let pi = T::from_f64(PI).unwrap();
    let n1 = T::from_f64(1.0).unwrap();
    -(x1.sin() * x2.cos() * (n1 - (x1.powi(2) + x2.powi(2)).sqrt() / pi).abs().exp()).abs()
}

fn holder_table_ref(x: &[D]) -> D {
    let mut u = -((x[0] * x[0] + x[1] * x[1]).sqrt() / PI) + 1.0;
    if u.re < 0.0 {
        u = -u;
    }
    let w = x[0].sin() * x[1].cos() * u.exp();
    if w.re < 0.0 { w } else { -w }
}
#[test]
fn holder_table_is_exact() {
    check(
        "holder_table",
        &[4.1, -2.3],
        |p| holder_table(arr::<2>(p)),
        |p, g| holder_table_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| holder_table_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| holder_table_ref(p),
    );
}

/// Cross-in-tray, which computes in f64 whatever T is (argmin_testfunctions)
#[differentiable]
pub fn cross_in_tray<T>(param: &[T; 2]) -> T
where
    T: Float + Into<f64> + FromPrimitive,
{
    let x1: f64 = param[0].into();
    let x2: f64 = param[1].into();
    T::from_f64(
        -0.0001
            * ((x1.sin() * x2.sin() * (100.0 - (x1.powi(2) + x2.powi(2)).sqrt() / PI).abs().exp()).abs()
                + 1.0)
                .powf(0.1),
    )
    .unwrap()
}

fn cross_in_tray_ref(x: &[D]) -> D {
    let mut u = -((x[0] * x[0] + x[1] * x[1]).sqrt() / PI) + 100.0;
    if u.re < 0.0 {
        u = -u;
    }
    let mut w = x[0].sin() * x[1].sin() * u.exp();
    if w.re < 0.0 {
        w = -w;
    }
    (w + 1.0).powf(0.1) * -0.0001
}
#[test]
fn cross_in_tray_is_exact() {
    check(
        "cross_in_tray",
        &[1.1, -0.7],
        |p| cross_in_tray(arr::<2>(p)),
        |p, g| cross_in_tray_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| cross_in_tray_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| cross_in_tray_ref(p),
    );
}

/// Levy (argmin_testfunctions)
#[differentiable]
pub fn levy<T>(param: &[T]) -> T
where
    T: Float + FromPrimitive + Sum,
{
    let plen = param.len();
    assert!(plen >= 2);

    let n1 = T::from_f64(1.0).unwrap();
    let n2 = T::from_f64(2.0).unwrap();
    let n4 = T::from_f64(4.0).unwrap();
    let n10 = T::from_f64(10.0).unwrap();
    let pi = T::from_f64(PI).unwrap();

    let w = |x: T| n1 + (x - n1) / n4;

    (pi * w(param[0])).sin().powi(2)
        + param[1..(plen - 1)]
            .iter()
            .map(|x| w(*x))
            .map(|wi: T| (wi - n1).powi(2) * (n1 + n10 * (pi * wi + n1).sin().powi(2)))
            .sum()
        + (w(param[plen - 1]) - n1).powi(2) * (n1 + (n2 * pi * w(param[plen - 1])).sin().powi(2))
}

fn levy_ref(x: &[D]) -> D {
    let n = x.len();
    let mut s = (((x[0] - 1.0) / 4.0 + 1.0) * PI).sin().powi(2);
    for i in 1..n - 1 {
        let u = (x[i] - 1.0) / 4.0;
        let k = ((u + 1.0) * PI + 1.0).sin();
        s += u * u * (k * k * 10.0 + 1.0);
    }
    let u = (x[n - 1] - 1.0) / 4.0;
    let k = ((u + 1.0) * (2.0 * PI)).sin();
    s + u * u * (k * k + 1.0)
}
#[test]
fn levy_is_exact() {
    check(
        "levy",
        &[0.3, -1.2, 2.5, 0.8],
        |p| levy(p),
        |p, g| levy_grad(p, g),
        |p, v, hv| levy_hvp(p, v, hv),
        |p| levy_ref(p),
    );
    let mut g32 = [0.0f32; 4];
    levy_grad(&[0.3f32, -1.2, 2.5, 0.8], &mut g32);
    near32(&g32, &[0.3, -1.2, 2.5, 0.8], |p| levy_ref(p));
}

/// Matyas (argmin_testfunctions)
#[differentiable]
pub fn matyas<T>(param: &[T; 2]) -> T
where
    T: Float + FromPrimitive,
{
    let [x1, x2] = *param;

    let n026 = T::from_f64(0.26).unwrap();
    let n048 = T::from_f64(0.48).unwrap();

    n026 * (x1.powi(2) + x2.powi(2)) - n048 * x1 * x2
}

fn matyas_ref(x: &[D]) -> D {
    (x[0] * x[0] + x[1] * x[1]) * 0.26 - x[0] * x[1] * 0.48
}
#[test]
fn matyas_is_exact() {
    check(
        "matyas",
        &[1.7, -0.9],
        |p| matyas(arr::<2>(p)),
        |p, g| matyas_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| matyas_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| matyas_ref(p),
    );
}

/// McCormick (argmin_testfunctions)
#[differentiable]
pub fn mccorminck<T>(param: &[T; 2]) -> T
where
    T: Float + FromPrimitive,
{
    let [x1, x2] = *param;
    (x1 + x2).sin() + (x1 - x2).powi(2) - T::from_f64(1.5).unwrap() * x1
        + T::from_f64(2.5).unwrap() * x2
        + T::from_f64(1.0).unwrap()
}

fn mccorminck_ref(x: &[D]) -> D {
    let d = x[0] - x[1];
    (x[0] + x[1]).sin() + d * d - x[0] * 1.5 + x[1] * 2.5 + 1.0
}
#[test]
fn mccorminck_is_exact() {
    check(
        "mccorminck",
        &[0.4, 1.9],
        |p| mccorminck(arr::<2>(p)),
        |p, g| mccorminck_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| mccorminck_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| mccorminck_ref(p),
    );
}

/// Picheny, with an array `map` (argmin_testfunctions)
#[differentiable]
pub fn picheny<T>(param: &[T; 2]) -> T
where
    T: Float + FromPrimitive,
{
    let n1 = T::from_f64(1.0).unwrap();
    let n2 = T::from_f64(2.0).unwrap();
    let n3 = T::from_f64(3.0).unwrap();
    let n4 = T::from_f64(4.0).unwrap();
    let n6 = T::from_f64(6.0).unwrap();
    let n12 = T::from_f64(12.0).unwrap();
    let n14 = T::from_f64(14.0).unwrap();
    let n18 = T::from_f64(18.0).unwrap();
    let n19 = T::from_f64(19.0).unwrap();
    let n27 = T::from_f64(27.0).unwrap();
    let n30 = T::from_f64(30.0).unwrap();
    let n32 = T::from_f64(32.0).unwrap();
    let n36 = T::from_f64(36.0).unwrap();
    let n48 = T::from_f64(48.0).unwrap();

    let [x1, x2] = param.map(|x| n4 * x - n2);

    T::from_f64(1.0 / 2.427).unwrap()
        * (((n1
            + (x1 + x2 + n1).powi(2)
                * (n19 - n14 * (x1 + x2) + n3 * (x1.powi(2) + x2.powi(2)) + n6 * x1 * x2))
            * (n30
                + (n2 * x1 - n3 * x2).powi(2)
                    * (n18 - n32 * x1 + n12 * x1.powi(2) + n48 * x2 - n36 * x1 * x2 + n27 * x2.powi(2))))
        .log10()
            - T::from_f64(8.693).unwrap())
}

fn picheny_ref(x: &[D]) -> D {
    let y = [x[0] * 4.0 - 2.0, x[1] * 4.0 - 2.0];
    (goldsteinprice_ref(&y).ln() / 10f64.ln() - 8.693) / 2.427
}
#[test]
fn picheny_is_exact() {
    check(
        "picheny",
        &[0.55, 0.35],
        |p| picheny(arr::<2>(p)),
        |p, g| picheny_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| picheny_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| picheny_ref(p),
    );
}

/// Rastrigin (argmin_testfunctions)
#[differentiable]
pub fn rastrigin<T>(param: &[T]) -> T
where
    T: Float + FromPrimitive + Sum,
{
    rastrigin_a(param, T::from_f64(10.0).unwrap())
}

/// Rastrigin with its constant as a parameter, both differentiated (argmin_testfunctions)
#[differentiable]
pub fn rastrigin_a<T>(param: &[T], a: T) -> T
where
    T: Float + FromPrimitive + Sum,
{
    a * T::from_usize(param.len()).unwrap()
        + param.iter().map(|&x| x.powi(2) - a * (T::from_f64(2.0 * PI).unwrap() * x).cos()).sum()
}

fn rastrigin_ref(x: &[D], a: D) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..x.len() {
        s += a + x[i] * x[i] - a * (x[i] * (2.0 * PI)).cos();
    }
    s
}
#[test]
fn rastrigin_is_exact() {
    check(
        "rastrigin",
        &[0.3, -0.2, 0.5],
        |p| rastrigin(p),
        |p, g| rastrigin_grad(p, g),
        |p, v, hv| rastrigin_hvp(p, v, hv),
        |p| rastrigin_ref(p, D::from_re(10.0)),
    );
    let mut g32 = [0.0f32; 3];
    rastrigin_grad(&[0.3f32, -0.2, 0.5], &mut g32);
    near32(&g32, &[0.3, -0.2, 0.5], |p| rastrigin_ref(p, D::from_re(10.0)));
}
#[test]
fn rastrigin_a_is_exact() {
    check(
        "rastrigin_a",
        &[0.3, -0.2, 0.5, 8.0],
        |p| rastrigin_a(&p[..3], p[3]),
        |p, g| {
            let (value, da) = rastrigin_a_grad(&p[..3], p[3], &mut g[..3]);
            g[3] = da;
            value
        },
        |p, v, hv| {
            let ha = rastrigin_a_hvp(&p[..3], p[3], &v[..3], v[3], &mut hv[..3]);
            hv[3] = ha;
        },
        |p| rastrigin_ref(&p[..3], p[3]),
    );
}

/// Rosenbrock (argmin_testfunctions)
#[differentiable]
pub fn rosenbrock<T>(param: &[T]) -> T
where
    T: Float + FromPrimitive + Sum,
{
    rosenbrock_ab(param, T::from_f64(1.0).unwrap(), T::from_f64(100.0).unwrap())
}

/// Rosenbrock with its constants as parameters, all differentiated (argmin_testfunctions)
#[differentiable]
pub fn rosenbrock_ab<T>(param: &[T], a: T, b: T) -> T
where
    T: Float + FromPrimitive + Sum,
{
    param
        .iter()
        .zip(param.iter().skip(1))
        .map(|(&xi, &xi1)| (a - xi).powi(2) + b * (xi1 - xi.powi(2)).powi(2))
        .sum()
}

fn rosenbrock_ref(x: &[D], a: D, b: D) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..x.len() - 1 {
        let u = a - x[i];
        let w = x[i + 1] - x[i] * x[i];
        s += u * u + b * w * w;
    }
    s
}
#[test]
fn rosenbrock_is_exact() {
    check(
        "rosenbrock",
        &[-1.2, 1.0, 0.4, 0.7],
        |p| rosenbrock(p),
        |p, g| rosenbrock_grad(p, g),
        |p, v, hv| rosenbrock_hvp(p, v, hv),
        |p| rosenbrock_ref(p, D::from_re(1.0), D::from_re(100.0)),
    );
    let mut g32 = [0.0f32; 4];
    rosenbrock_grad(&[-1.2f32, 1.0, 0.4, 0.7], &mut g32);
    near32(&g32, &[-1.2, 1.0, 0.4, 0.7], |p| rosenbrock_ref(p, D::from_re(1.0), D::from_re(100.0)));
}
#[test]
fn rosenbrock_ab_is_exact() {
    check(
        "rosenbrock_ab",
        &[-1.2, 1.0, 0.4, 1.5, 30.0],
        |p| rosenbrock_ab(&p[..3], p[3], p[4]),
        |p, g| {
            let (value, (da, db)) = rosenbrock_ab_grad(&p[..3], p[3], p[4], &mut g[..3]);
            g[3] = da;
            g[4] = db;
            value
        },
        |p, v, hv| {
            let (ha, hb) = rosenbrock_ab_hvp(&p[..3], p[3], p[4], &v[..3], v[3], v[4], &mut hv[..3]);
            hv[3] = ha;
            hv[4] = hb;
        },
        |p| rosenbrock_ref(&p[..3], p[3], p[4]),
    );
}

/// Schaffer No. 2 (argmin_testfunctions)
#[differentiable]
pub fn schaffer_n2<T>(param: &[T; 2]) -> T
where
    T: Float + FromPrimitive,
{
    let [x1, x2] = *param;

    let n0_001 = T::from_f64(0.001).unwrap();
    let n0_5 = T::from_f64(0.5).unwrap();
    let n1 = T::from_f64(1.0).unwrap();

    n0_5 + ((x1.powi(2) - x2.powi(2)).sin().powi(2) - n0_5)
        / (n1 + n0_001 * (x1.powi(2) + x2.powi(2))).powi(2)
}

fn schaffer_n2_ref(x: &[D]) -> D {
    let s = (x[0] * x[0] - x[1] * x[1]).sin();
    let d = (x[0] * x[0] + x[1] * x[1]) * 0.001 + 1.0;
    (s * s - 0.5) / (d * d) + 0.5
}
#[test]
fn schaffer_n2_is_exact() {
    check(
        "schaffer_n2",
        &[1.4, -0.8],
        |p| schaffer_n2(arr::<2>(p)),
        |p, g| schaffer_n2_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| schaffer_n2_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| schaffer_n2_ref(p),
    );
}

/// Sphere (argmin_testfunctions)
#[differentiable]
pub fn sphere<T>(param: &[T]) -> T
where
    T: Float + FromPrimitive + Sum,
{
    param.iter().map(|x| x.powi(2)).sum()
}

fn sphere_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..x.len() {
        s += x[i] * x[i];
    }
    s
}
#[test]
fn sphere_is_exact() {
    check(
        "sphere",
        &[0.3, -0.2, 0.5],
        |p| sphere(p),
        |p, g| sphere_grad(p, g),
        |p, v, hv| sphere_hvp(p, v, hv),
        |p| sphere_ref(p),
    );
    let mut g32 = [0.0f32; 3];
    sphere_grad(&[0.3f32, -0.2, 0.5], &mut g32);
    near32(&g32, &[0.3, -0.2, 0.5], |p| sphere_ref(p));
}

/// Styblinski-Tang (argmin_testfunctions)
#[differentiable]
pub fn styblinski_tang<T>(param: &[T]) -> T
where
    T: Float + FromPrimitive + Sum,
{
    T::from_f64(0.5).unwrap()
        * param
            .iter()
            .map(|x| x.powi(4) - T::from_f64(16.0).unwrap() * x.powi(2) + T::from_f64(5.0).unwrap() * *x)
            .sum()
}

fn styblinski_tang_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..x.len() {
        let q = x[i] * x[i];
        s += (q * q - q * 16.0 + x[i] * 5.0) * 0.5;
    }
    s
}
#[test]
fn styblinski_tang_is_exact() {
    check(
        "styblinski_tang",
        &[-2.1, 0.6, 1.3],
        |p| styblinski_tang(p),
        |p, g| styblinski_tang_grad(p, g),
        |p, v, hv| styblinski_tang_hvp(p, v, hv),
        |p| styblinski_tang_ref(p),
    );
    let mut g32 = [0.0f32; 3];
    styblinski_tang_grad(&[-2.1f32, 0.6, 1.3], &mut g32);
    near32(&g32, &[-2.1, 0.6, 1.3], |p| styblinski_tang_ref(p));
}

/// Three-hump camel (argmin_testfunctions)
#[differentiable]
pub fn threehumpcamel<T>(param: &[T; 2]) -> T
where
    T: Float + FromPrimitive,
{
    let [x1, x2] = *param;

    T::from_f64(2.0).unwrap() * x1.powi(2) - T::from_f64(1.05).unwrap() * x1.powi(4)
        + x1.powi(6) / T::from_f64(6.0).unwrap()
        + x1 * x2
        + x2.powi(2)
}

fn threehumpcamel_ref(x: &[D]) -> D {
    let q = x[0] * x[0];
    q * 2.0 - q * q * 1.05 + q * q * q / 6.0 + x[0] * x[1] + x[1] * x[1]
}
#[test]
fn threehumpcamel_is_exact() {
    check(
        "threehumpcamel",
        &[1.2, -0.7],
        |p| threehumpcamel(arr::<2>(p)),
        |p, g| threehumpcamel_grad(arr::<2>(p), arr_mut::<2>(g)),
        |p, v, hv| threehumpcamel_hvp(arr::<2>(p), arr::<2>(v), arr_mut::<2>(hv)),
        |p| threehumpcamel_ref(p),
    );
}

// ---------------------------------------------------------------------------------------------
// Written for this collection.

/// Griewank: a sum and an enumerated product
#[differentiable]
fn griewank(x: &[f64]) -> f64 {
    let sum = x.iter().map(|v| v * v).sum::<f64>() / 4000.0;
    let product: f64 = x.iter().enumerate().map(|(i, &v)| (v / ((i + 1) as f64).sqrt()).cos()).product();
    sum - product + 1.0
}

fn griewank_ref(x: &[D]) -> D {
    let mut s = D::from_re(1.0);
    let mut p = D::from_re(1.0);
    for i in 0..x.len() {
        s += x[i] * x[i] / 4000.0;
        p = p * (x[i] / (i as f64 + 1.0).sqrt()).cos();
    }
    s - p
}
#[test]
fn griewank_is_exact() {
    check(
        "griewank",
        &[3.0, -1.5, 0.8, 2.2],
        |p| griewank(p),
        |p, g| griewank_grad(p, g),
        |p, v, hv| griewank_hvp(p, v, hv),
        |p| griewank_ref(p),
    );
}

/// Zakharov: one fold over a tuple
#[differentiable]
fn zakharov(x: &[f64]) -> f64 {
    let (sq, lin) =
        x.iter().zip(1..).fold((0.0, 0.0), |(sq, lin), (&xi, i)| (sq + xi * xi, lin + 0.5 * i as f64 * xi));
    sq + lin.powi(2) + lin.powi(4)
}

fn zakharov_ref(x: &[D]) -> D {
    let mut sq = D::from_re(0.0);
    let mut lin = D::from_re(0.0);
    for i in 0..x.len() {
        sq += x[i] * x[i];
        lin += x[i] * (0.5 * (i + 1) as f64);
    }
    let l2 = lin * lin;
    sq + l2 + l2 * l2
}
#[test]
fn zakharov_is_exact() {
    check(
        "zakharov",
        &[0.4, -0.7, 0.9],
        |p| zakharov(p),
        |p, g| zakharov_grad(p, g),
        |p, v, hv| zakharov_hvp(p, v, hv),
        |p| zakharov_ref(p),
    );
}

/// Dixon-Price: windows(2) with enumerate
#[differentiable]
fn dixon_price(x: &[f64]) -> f64 {
    let first = (x[0] - 1.0).powi(2);
    let rest: f64 =
        x.windows(2).enumerate().map(|(i, w)| (i + 2) as f64 * (2.0 * w[1].powi(2) - w[0]).powi(2)).sum();
    first + rest
}

fn dixon_price_ref(x: &[D]) -> D {
    let u = x[0] - 1.0;
    let mut s = u * u;
    for i in 1..x.len() {
        let r = x[i] * x[i] * 2.0 - x[i - 1];
        s += r * r * (i as f64 + 1.0);
    }
    s
}
#[test]
fn dixon_price_is_exact() {
    check(
        "dixon_price",
        &[0.9, -0.6, 1.1, 0.3],
        |p| dixon_price(p),
        |p, g| dixon_price_grad(p, g),
        |p, v, hv| dixon_price_hvp(p, v, hv),
        |p| dixon_price_ref(p),
    );
}

/// Powell's singular function, extended: chunks_exact(4) and slice patterns
#[differentiable]
fn powell(x: &[f64]) -> f64 {
    let mut total = 0.0;
    for block in x.chunks_exact(4) {
        if let [a, b, c, d] = block {
            total += (a + 10.0 * b).powi(2)
                + 5.0 * (c - d).powi(2)
                + (b - 2.0 * c).powi(4)
                + 10.0 * (a - d).powi(4);
        }
    }
    total
}

fn powell_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    let mut k = 0;
    while k + 4 <= x.len() {
        let r1 = x[k] + x[k + 1] * 10.0;
        let r2 = x[k + 2] - x[k + 3];
        let r3 = (x[k + 1] - x[k + 2] * 2.0) * (x[k + 1] - x[k + 2] * 2.0);
        let r4 = (x[k] - x[k + 3]) * (x[k] - x[k + 3]);
        s += r1 * r1 + r2 * r2 * 5.0 + r3 * r3 + r4 * r4 * 10.0;
        k += 4;
    }
    s
}
#[test]
fn powell_is_exact() {
    check(
        "powell",
        &[3.0, -1.0, 0.4, 1.0, 0.5, 0.2, -0.3, 0.7],
        |p| powell(p),
        |p, g| powell_grad(p, g),
        |p, v, hv| powell_hvp(p, v, hv),
        |p| powell_ref(p),
    );
}

/// Wood (Colville) from its residual vector, which is collected first
#[differentiable]
fn wood(x: &[f64; 4]) -> f64 {
    let &[x1, x2, x3, x4] = x;
    let residuals = vec![
        10.0 * (x2 - x1 * x1),
        1.0 - x1,
        90f64.sqrt() * (x4 - x3 * x3),
        1.0 - x3,
        10f64.sqrt() * (x2 + x4 - 2.0),
        (x2 - x4) / 10f64.sqrt(),
    ];
    residuals.iter().map(|r| r.powi(2)).sum()
}

fn wood_ref(x: &[D]) -> D {
    let a = x[1] - x[0] * x[0];
    let b = x[0] - 1.0;
    let c = x[3] - x[2] * x[2];
    let d = x[2] - 1.0;
    let e = x[1] + x[3] - 2.0;
    let f = x[1] - x[3];
    a * a * 100.0 + b * b + c * c * 90.0 + d * d + e * e * 10.0 + f * f * 0.1
}
#[test]
fn wood_is_exact() {
    check(
        "wood",
        &[-3.0, -1.0, -2.0, 0.5],
        |p| wood(arr::<4>(p)),
        |p, g| wood_grad(arr::<4>(p), arr_mut::<4>(g)),
        |p, v, hv| wood_hvp(arr::<4>(p), arr::<4>(v), arr_mut::<4>(hv)),
        |p| wood_ref(p),
    );
}

/// Helical valley: a branch on the quadrant, three scalar parameters
#[differentiable]
fn helical_valley(x: f64, y: f64, z: f64) -> f64 {
    let theta = if x > 0.0 { (y / x).atan() / (2.0 * PI) } else { (y / x).atan() / (2.0 * PI) + 0.5 };
    let r = x.hypot(y);
    100.0 * ((z - 10.0 * theta).powi(2) + (r - 1.0).powi(2)) + z * z
}

fn helical_valley_ref(x: &[D]) -> D {
    let mut theta = (x[1] / x[0]).atan() / (2.0 * PI);
    if x[0].re <= 0.0 {
        theta += 0.5;
    }
    let u = x[2] - theta * 10.0;
    let r = (x[0] * x[0] + x[1] * x[1]).sqrt() - 1.0;
    (u * u + r * r) * 100.0 + x[2] * x[2]
}
#[test]
fn helical_valley_is_exact() {
    check(
        "helical_valley",
        &[-1.0, 0.4, 0.6],
        |p| helical_valley(p[0], p[1], p[2]),
        |p, g| {
            let (value, (a, b, c)) = helical_valley_grad(p[0], p[1], p[2]);
            g.copy_from_slice(&[a, b, c]);
            value
        },
        |p, v, hv| {
            let (a, b, c) = helical_valley_hvp(p[0], p[1], p[2], v[0], v[1], v[2]);
            hv.copy_from_slice(&[a, b, c]);
        },
        |p| helical_valley_ref(p),
    );
}

const BARD_Y: [f64; 15] =
    [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39];

/// Bard (More, Garbow, Hillstrom No. 8): residuals against a const table
#[differentiable]
fn bard(x: &[f64]) -> f64 {
    let residual = |(i, y): (usize, &f64)| {
        let u = (i + 1) as f64;
        let v = 16.0 - u;
        let w = u.min(v);
        y - (x[0] + u / (v * x[1] + w * x[2]))
    };
    let r: Vec<f64> = BARD_Y.iter().enumerate().map(residual).collect();
    0.5 * r.iter().map(|ri| ri * ri).sum::<f64>()
}

fn bard_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..15 {
        let u = i as f64 + 1.0;
        let v = 15.0 - i as f64;
        let w = if u < v { u } else { v };
        let r = D::from_re(u) / (x[1] * v + x[2] * w) + x[0] - BARD_Y[i];
        s += r * r * 0.5;
    }
    s
}
#[test]
fn bard_is_exact() {
    check(
        "bard",
        &[1.0, 1.2, 0.8],
        |p| bard(p),
        |p, g| bard_grad(p, g),
        |p, v, hv| bard_hvp(p, v, hv),
        |p| bard_ref(p),
    );
}

/// Chebyquad, with the recurrence carried by a `scan` (levenberg-marquardt's test set)
#[differentiable]
fn chebyquad(x: &[f64]) -> f64 {
    let n = x.len();
    let mut means = vec![0.0; n];
    for &xj in x {
        let t1 = 2.0 * xj - 1.0;
        let values = (0..n).scan((1.0, t1), |state, _| {
            let (prev, cur) = *state;
            *state = (cur, 2.0 * t1 * cur - prev);
            Some(cur)
        });
        for (m, v) in means.iter_mut().zip(values) {
            *m += v / n as f64;
        }
    }
    means
        .iter()
        .zip(1i32..)
        .map(|(m, i)| match i % 2 {
            0 => (m + 1.0 / ((i * i - 1) as f64)).powi(2),
            _ => m * m,
        })
        .sum()
}

fn chebyquad_ref(x: &[D]) -> D {
    let n = x.len();
    let mut total = D::from_re(0.0);
    for k in 1..n + 1 {
        let mut m = D::from_re(0.0);
        for j in 0..n {
            let t = x[j] * 2.0 - 1.0;
            let mut a = D::from_re(1.0);
            let mut b = t;
            for _ in 1..k {
                let c = t * b * 2.0 - a;
                a = b;
                b = c;
            }
            m += b / n as f64;
        }
        if k % 2 == 0 {
            m += 1.0 / ((k * k) as f64 - 1.0);
        }
        total += m * m;
    }
    total
}
#[test]
fn chebyquad_is_exact() {
    check(
        "chebyquad",
        &[0.2, 0.35, 0.55, 0.83],
        |p| chebyquad(p),
        |p, g| chebyquad_grad(p, g),
        |p, v, hv| chebyquad_hvp(p, v, hv),
        |p| chebyquad_ref(p),
    );
}

/// Michalewicz with its steepness as a const generic
#[differentiable]
fn michalewicz<const M: i32>(x: &[f64]) -> f64 {
    -x.iter()
        .enumerate()
        .map(|(i, xi)| xi.sin() * ((i + 1) as f64 * xi * xi / PI).sin().powi(2 * M))
        .sum::<f64>()
}

fn michalewicz_ref(x: &[D], m: i32) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..x.len() {
        let k = (x[i] * x[i] * ((i + 1) as f64 / PI)).sin();
        let mut p = D::from_re(1.0);
        for _ in 0..2 * m {
            p = p * k;
        }
        s -= x[i].sin() * p;
    }
    s
}
#[test]
fn michalewicz_is_exact() {
    check(
        "michalewicz",
        &[2.1, 1.4, 1.2],
        |p| michalewicz::<3>(p),
        |p, g| michalewicz_grad::<3>(p, g),
        |p, v, hv| michalewicz_hvp::<3>(p, v, hv),
        |p| michalewicz_ref(p, 3),
    );
}

/// Trid on a fixed-size array of const-generic length: index loops and `skip`
#[differentiable]
fn trid<const N: usize>(x: [f64; N]) -> f64 {
    let mut sum = 0.0;
    for i in 0..N {
        sum += (x[i] - 1.0) * (x[i] - 1.0);
    }
    for (i, xi) in x.iter().enumerate().skip(1) {
        sum -= xi * x[i - 1];
    }
    sum + 0.05 * x.iter().product::<f64>().sin()
}

fn trid_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    let mut p = D::from_re(1.0);
    for i in 0..x.len() {
        s += (x[i] - 1.0) * (x[i] - 1.0);
        if i > 0 {
            s -= x[i] * x[i - 1];
        }
        p = p * x[i];
    }
    s + p.sin() * 0.05
}
#[test]
fn trid_is_exact() {
    check(
        "trid",
        &[0.6, 1.9, -0.8, 2.3],
        |p| trid::<4>(*arr::<4>(p)),
        |p, g| {
            let (value, d) = trid_grad::<4>(*arr::<4>(p));
            g.copy_from_slice(&d);
            value
        },
        |p, v, hv| hv.copy_from_slice(&trid_hvp::<4>(*arr::<4>(p), *arr::<4>(v))),
        |p| trid_ref(p),
    );
}

/// Log-sum-exp cross-entropy of linear scores: fold(f64::MIN, f64::max), chunks(3)
#[differentiable(wrt(weights))]
fn softmax_loss(weights: &[f64], samples: &[[f64; 3]], labels: &[usize]) -> f64 {
    let mut loss = 0.0;
    for (sample, &label) in samples.iter().zip(labels) {
        let scores: Vec<f64> =
            weights.chunks(3).map(|row| row.iter().zip(sample.iter()).map(|(w, s)| w * s).sum()).collect();
        let max = scores.iter().copied().fold(f64::MIN, f64::max);
        let log_norm = scores.iter().map(|s| (s - max).exp()).sum::<f64>().ln() + max;
        loss += log_norm - scores[label];
    }
    loss / samples.len() as f64 + 0.01 * weights.iter().map(|w| w.powi(2)).sum::<f64>()
}

const SAMPLES: [[f64; 3]; 4] = [[1.0, 0.2, -0.5], [1.0, -1.3, 0.4], [1.0, 0.9, 1.1], [1.0, 0.1, 0.3]];
fn softmax_loss_ref(w: &[D]) -> D {
    let labels = [0usize, 1, 2, 1];
    let mut loss = D::from_re(0.0);
    for k in 0..4 {
        let mut z = D::from_re(0.0);
        let mut own = D::from_re(0.0);
        for c in 0..3 {
            let mut s = D::from_re(0.0);
            for j in 0..3 {
                s += w[3 * c + j] * SAMPLES[k][j];
            }
            z += s.exp();
            if c == labels[k] {
                own = s;
            }
        }
        loss += (z.ln() - own) / 4.0;
    }
    for i in 0..9 {
        loss += w[i] * w[i] * 0.01;
    }
    loss
}
#[test]
fn softmax_loss_is_exact() {
    let labels = [0usize, 1, 2, 1];
    check(
        "softmax_loss",
        &[0.1, -0.4, 0.3, 0.6, 0.2, -0.1, -0.3, 0.5, 0.7],
        |p| softmax_loss(p, &SAMPLES, &labels),
        |p, g| softmax_loss_grad(p, &SAMPLES, &labels, g),
        |p, v, hv| softmax_loss_hvp(p, &SAMPLES, &labels, v, hv),
        |p| softmax_loss_ref(p),
    );
}

#[derive(Debug, PartialEq)]
enum FitError {
    Empty,
    BadConcentration(f64),
}

/// Michaelis-Menten least squares: Result, `?`, early return; rate is a nested fn
#[differentiable(wrt(vmax, km))]
fn michaelis_menten(vmax: f64, km: f64, data: &[(f64, f64)]) -> Result<f64, FitError> {
    fn rate(s: f64, vmax: f64, km: f64) -> Result<f64, FitError> {
        if s < 0.0 {
            return Err(FitError::BadConcentration(s));
        }
        Ok(vmax * s / (km + s))
    }
    if data.is_empty() {
        return Err(FitError::Empty);
    }
    let mut sse = 0.0;
    for &(s, observed) in data {
        let r = rate(s, vmax, km)? - observed;
        sse += r * r;
    }
    Ok(sse / data.len() as f64)
}

const KINETICS: [(f64, f64); 5] = [(0.5, 0.31), (1.0, 0.52), (2.0, 0.79), (4.0, 1.06), (8.0, 1.27)];
fn michaelis_menten_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..5 {
        let r = x[0] * KINETICS[i].0 / (x[1] + KINETICS[i].0) - KINETICS[i].1;
        s += r * r / 5.0;
    }
    s
}
#[test]
fn michaelis_menten_is_exact() {
    check(
        "michaelis_menten",
        &[1.4, 1.9],
        |p| michaelis_menten(p[0], p[1], &KINETICS).unwrap(),
        |p, g| {
            let (value, (a, b)) = michaelis_menten_grad(p[0], p[1], &KINETICS).unwrap();
            g.copy_from_slice(&[a, b]);
            value
        },
        |p, v, hv| {
            let (a, b) = michaelis_menten_hvp(p[0], p[1], &KINETICS, v[0], v[1]).unwrap();
            hv.copy_from_slice(&[a, b]);
        },
        |p| michaelis_menten_ref(p),
    );
    assert_eq!(michaelis_menten_grad(1.0, 2.0, &[]).err(), Some(FitError::Empty));
    assert_eq!(michaelis_menten_grad(1.0, 2.0, &[(-1.0, 0.0)]).err(), Some(FitError::BadConcentration(-1.0)));
}

/// A Gaussian peak on a sloped background
#[derive(Clone, Differentiable)]
struct Peak {
    height: f64,
    centre: f64,
    width: f64,
    background: [f64; 2],
}

/// Poisson deviance of a peak model: a struct parameter, and a closure over it
#[differentiable(wrt(peak))]
fn peak_deviance(peak: &Peak, channels: &[f64], counts: &[f64]) -> f64 {
    let model = |t: f64| {
        let z = (t - peak.centre) / peak.width;
        let [b0, b1] = peak.background;
        b0 + b1 * t + peak.height * (-0.5 * z * z).exp()
    };
    channels
        .iter()
        .zip(counts.iter())
        .filter(|&(_, &n)| n > 0.0)
        .map(|(&t, &n)| {
            let m = model(t);
            2.0 * (m - n + n * (n / m).ln())
        })
        .sum()
}

const CHANNELS: [f64; 7] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
const COUNTS: [f64; 7] = [3.0, 5.0, 0.0, 19.0, 14.0, 7.0, 4.0];
fn peak_of(p: &[f64]) -> Peak {
    Peak { height: p[0], centre: p[1], width: p[2], background: [p[3], p[4]] }
}
fn peak_into(p: &Peak, out: &mut [f64]) {
    out.copy_from_slice(&[p.height, p.centre, p.width, p.background[0], p.background[1]]);
}
fn peak_deviance_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..7 {
        if COUNTS[i] == 0.0 {
            continue;
        }
        let z = (-x[1] + CHANNELS[i]) / x[2];
        let m = x[3] + x[4] * CHANNELS[i] + x[0] * (z * z * -0.5).exp();
        s += (m - COUNTS[i] - (m / COUNTS[i]).ln() * COUNTS[i]) * 2.0;
    }
    s
}
#[test]
fn peak_deviance_is_exact() {
    check(
        "peak_deviance",
        &[15.0, 3.2, 1.1, 3.5, 0.2],
        |p| peak_deviance(&peak_of(p), &CHANNELS, &COUNTS),
        |p, g| {
            let mut d = peak_of(&[0.0; 5]);
            let value = peak_deviance_grad(&peak_of(p), &CHANNELS, &COUNTS, &mut d);
            peak_into(&d, g);
            value
        },
        |p, v, hv| {
            let mut d = peak_of(&[0.0; 5]);
            peak_deviance_hvp(&peak_of(p), &CHANNELS, &COUNTS, &peak_of(v), &mut d);
            peak_into(&d, hv);
        },
        |p| peak_deviance_ref(p),
    );
}

enum Loss {
    Squared,
    Huber { delta: f64 },
    Cauchy(f64),
}

/// Robust line fit: match on an enum with a guard and bindings
#[differentiable(wrt(x))]
fn robust_line(x: &[f64], points: &[(f64, f64)], loss: &Loss) -> f64 {
    points
        .iter()
        .map(|&(t, y)| {
            let r = x[0] + x[1] * t - y;
            match loss {
                Loss::Squared => 0.5 * r * r,
                Loss::Huber { delta } if r.abs() <= *delta => 0.5 * r.powi(2),
                Loss::Huber { delta } => delta * (r.abs() - 0.5 * delta),
                Loss::Cauchy(c) => 0.5 * c * c * (r / c).powi(2).ln_1p(),
            }
        })
        .sum()
}

const LINE: [(f64, f64); 6] = [(0.0, 0.1), (1.0, 1.3), (2.0, 1.7), (3.0, 8.0), (4.0, 4.2), (5.0, -1.0)];
fn robust_line_ref(x: &[D], kind: usize, c: f64) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..6 {
        let mut r = x[0] + x[1] * LINE[i].0 - LINE[i].1;
        if r.re < 0.0 {
            r = -r;
        }
        if kind == 2 {
            s += (r * r / (c * c) + 1.0).ln() * (0.5 * c * c);
        } else if kind == 1 && r.re > c {
            s += r * c - 0.5 * c * c;
        } else {
            s += r * r * 0.5;
        }
    }
    s
}
#[test]
fn robust_line_is_exact() {
    check(
        "robust_line: squared",
        &[0.2, 0.9],
        |p| robust_line(p, &LINE, &Loss::Squared),
        |p, g| robust_line_grad(p, &LINE, &Loss::Squared, g),
        |p, v, hv| robust_line_hvp(p, &LINE, &Loss::Squared, v, hv),
        |p| robust_line_ref(p, 0, 0.0),
    );
    let huber = Loss::Huber { delta: 0.8 };
    check(
        "robust_line: huber",
        &[0.2, 0.9],
        |p| robust_line(p, &LINE, &huber),
        |p, g| robust_line_grad(p, &LINE, &huber, g),
        |p, v, hv| robust_line_hvp(p, &LINE, &huber, v, hv),
        |p| robust_line_ref(p, 1, 0.8),
    );
    check(
        "robust_line: cauchy",
        &[0.2, 0.9],
        |p| robust_line(p, &LINE, &Loss::Cauchy(1.3)),
        |p, g| robust_line_grad(p, &LINE, &Loss::Cauchy(1.3), g),
        |p, v, hv| robust_line_hvp(p, &LINE, &Loss::Cauchy(1.3), v, hv),
        |p| robust_line_ref(p, 2, 1.3),
    );
}

/// k-means objective: nearest centre by min_by(total_cmp) over a nested iterator
#[differentiable(wrt(centres))]
fn k_means(centres: &[Vec<f64>], points: &[[f64; 2]]) -> f64 {
    points
        .iter()
        .map(|p| {
            let nearest = centres
                .iter()
                .map(|c| c.iter().zip(p.iter()).map(|(a, b)| (a - b) * (a - b)).sum::<f64>())
                .min_by(|a, b| a.total_cmp(b));
            nearest.unwrap_or(0.0)
        })
        .sum::<f64>()
        .sqrt()
}

const CLOUD: [[f64; 2]; 5] = [[0.1, 0.0], [0.3, -0.4], [2.1, 1.8], [1.7, 2.2], [-1.5, 1.4]];
fn rows(p: &[f64]) -> Vec<Vec<f64>> {
    p.chunks(2).map(|r| r.to_vec()).collect()
}
fn k_means_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..5 {
        let mut best = D::from_re(f64::INFINITY);
        for c in 0..3 {
            let u = x[2 * c] - CLOUD[i][0];
            let w = x[2 * c + 1] - CLOUD[i][1];
            let d = u * u + w * w;
            if d.re < best.re {
                best = d;
            }
        }
        s += best;
    }
    s.sqrt()
}
#[test]
fn k_means_is_exact() {
    check(
        "k_means",
        &[0.0, 0.2, 2.0, 1.5, -1.0, 1.1],
        |p| k_means(&rows(p), &CLOUD),
        |p, g| {
            let mut d = rows(&[0.0; 6]);
            let value = k_means_grad(&rows(p), &CLOUD, &mut d);
            g.copy_from_slice(&d.concat());
            value
        },
        |p, v, hv| {
            let mut d = rows(&[0.0; 6]);
            k_means_hvp(&rows(p), &CLOUD, &rows(v), &mut d);
            hv.copy_from_slice(&d.concat());
        },
        |p| k_means_ref(p),
    );
}

struct Portfolio {
    returns: Vec<f64>,
    covariance: Vec<Vec<f64>>,
    risk_aversion: f64,
}

impl Portfolio {
    const PENALTY: f64 = 50.0;

    /// Markowitz utility with a budget and a no-short penalty: a method over &self data
    #[differentiable]
    fn objective(&self, w: &[f64]) -> f64 {
        let expected: f64 = self.returns.iter().zip(w).map(|(r, wi)| r * wi).sum();
        let variance: f64 = self
            .covariance
            .iter()
            .enumerate()
            .flat_map(|(i, row)| row.iter().enumerate().map(move |(j, c)| c * w[i] * w[j]))
            .sum();
        let budget = w.iter().sum::<f64>() - 1.0;
        let short = w.iter().copied().filter(|&wi| wi < 0.0).map(|wi| wi * wi).sum::<f64>();
        0.5 * self.risk_aversion * variance - expected + Self::PENALTY * (budget * budget + short)
    }
}

fn portfolio() -> Portfolio {
    Portfolio {
        returns: vec![0.05, 0.08, 0.03],
        covariance: vec![vec![0.04, 0.01, 0.0], vec![0.01, 0.09, -0.02], vec![0.0, -0.02, 0.02]],
        risk_aversion: 4.0,
    }
}
fn objective_ref(w: &[D]) -> D {
    let data = portfolio();
    let mut s = D::from_re(0.0);
    let mut budget = D::from_re(-1.0);
    for i in 0..3 {
        for j in 0..3 {
            s += w[i] * w[j] * (2.0 * data.covariance[i][j]);
        }
        s -= w[i] * data.returns[i];
        budget += w[i];
        if w[i].re < 0.0 {
            s += w[i] * w[i] * 50.0;
        }
    }
    s + budget * budget * 50.0
}
#[test]
fn portfolio_objective_is_exact() {
    let data = portfolio();
    check(
        "portfolio objective",
        &[0.5, 0.7, -0.15],
        |p| data.objective(p),
        |p, g| data.objective_grad(p, g),
        |p, v, hv| data.objective_hvp(p, v, hv),
        |p| objective_ref(p),
    );
}

/// One neuron's activation, differentiable by itself and called below
#[differentiable]
fn swish(z: f64, beta: f64) -> f64 {
    z / (1.0 + (-beta * z).exp())
}

fn swish_ref(z: D, beta: D) -> D {
    z / ((-(beta * z)).exp() + 1.0)
}
#[test]
fn swish_is_exact() {
    check(
        "swish",
        &[0.8, 1.5],
        |p| swish(p[0], p[1]),
        |p, g| {
            let (value, (a, b)) = swish_grad(p[0], p[1]);
            g.copy_from_slice(&[a, b]);
            value
        },
        |p, v, hv| {
            let (a, b) = swish_hvp(p[0], p[1], v[0], v[1]);
            hv.copy_from_slice(&[a, b]);
        },
        |p| swish_ref(p[0], p[1]),
    );
}

/// A two-layer network's squared error: split_at, chunks_exact + remainder, a differentiable helper
#[differentiable(wrt(params))]
fn tiny_network(params: &[f64], inputs: &[(f64, f64)]) -> f64 {
    let (hidden, output) = params.split_at(6);
    let mut total = 0.0;
    for &(u, target) in inputs {
        let activations = hidden.chunks_exact(2).map(|c| swish(c[0] * u + c[1], 1.0)).collect::<Vec<f64>>();
        let mut y = output[3];
        activations.iter().zip(&output[..3]).for_each(|(a, w)| y += a * w);
        total += (y - target).powi(2);
    }
    total
}

fn tiny_network_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..5 {
        let (u, t) = KINETICS[i];
        let mut y = x[9] - t;
        for k in 0..3 {
            let z = x[2 * k] * u + x[2 * k + 1];
            y += z / ((-z).exp() + 1.0) * x[6 + k];
        }
        s += y * y;
    }
    s
}
#[test]
fn tiny_network_is_exact() {
    check(
        "tiny_network",
        &[0.4, -0.1, -0.3, 0.5, 0.2, 0.1, 0.7, -0.6, 0.3, 0.05],
        |p| tiny_network(p, &KINETICS),
        |p, g| tiny_network_grad(p, &KINETICS, g),
        |p, v, hv| tiny_network_hvp(p, &KINETICS, v, hv),
        |p| tiny_network_ref(p),
    );
}

/// Geometric median over f32 data in f32
#[differentiable(wrt(x))]
fn weber_f32(x: &[f32], sites: &[[f32; 2]]) -> f32 {
    sites.iter().map(|s| ((x[0] - s[0]).powi(2) + (x[1] - s[1]).powi(2)).sqrt()).sum()
}

fn weber_f32_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..5 {
        let u = x[0] - CLOUD[i][0];
        let w = x[1] - CLOUD[i][1];
        s += (u * u + w * w).sqrt();
    }
    s
}
#[test]
fn weber_f32_is_close() {
    let sites: Vec<[f32; 2]> = CLOUD.iter().map(|s| [s[0] as f32, s[1] as f32]).collect();
    let mut g = [0.0f32; 2];
    let want = weber_f32_ref(&[D::from_re(0.6), D::from_re(0.9)]);
    assert!((weber_f32(&[0.6, 0.9], &sites) as f64 - want.re).abs() < 1e-5);
    let value = weber_f32_grad(&[0.6, 0.9], &sites, &mut g);
    assert!((value as f64 - want.re).abs() < 1e-5);
    near32(&g, &[0.6, 0.9], |p| weber_f32_ref(p));
    let mut hv = [0.0f32; 2];
    weber_f32_hvp(&[0.6, 0.9], &sites, &[1.0, 0.0], &mut hv);
    let hx = weber_f32_ref(&[D::from_re(0.6).derivative1().derivative2(), D::from_re(0.9)]).eps1eps2;
    assert!((hv[0] as f64 - hx).abs() < 1e-4 * hx.abs().max(1.0));
}
