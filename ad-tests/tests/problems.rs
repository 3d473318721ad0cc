//! Well-known problems, written as plain loops, against an independent reference: the same mathematics over hyper-dual
//! numbers (`num_dual`), which knows nothing of this compiler.
// The functions are written as people write them, not as clippy would.
#![allow(clippy::explicit_iter_loop, clippy::implicit_saturating_sub, clippy::manual_memcpy, missing_docs)]

use ad_runtime::differentiable;
use num_dual::{DualNum, HyperDual64};

type Grad = fn(&[f64], &mut [f64]) -> f64;
type Hvp = fn(&[f64], &[f64], &mut [f64]);

struct Problem {
    name: &'static str,
    n: usize,
    range: (f64, f64),
    value: fn(&[f64]) -> f64,
    grad: Grad,
    hvp: Hvp,
    hvp_rev: Hvp,
    grad_hvp: fn(&[f64], &[f64], &mut [f64], &mut [f64]) -> f64,
    curvature: fn(&[f64], &[f64]) -> (f64, f64, f64),
    reference: fn(&[HyperDual64]) -> HyperDual64,
}

/// splitmix64, uniform in [0, 1)
struct Random(u64);
impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
    fn vector(&mut self, n: usize, (lo, hi): (f64, f64)) -> Vec<f64> {
        (0..n).map(|_| lo + (hi - lo) * self.next()).collect()
    }
}

fn close(name: &str, check: &str, a: &[f64], b: &[f64], tolerance: f64) {
    let scale = b.iter().fold(1e-300_f64, |m, v| m.max(v.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "{name}, {check}: component {i} is {a}, expected {b}");
    }
}

impl Problem {
    fn check(&self) {
        let mut random = Random(self.n as u64 + self.name.len() as u64);
        for _ in 0..4 {
            let (n, name) = (self.n, self.name);
            let x = random.vector(n, self.range);
            let v = random.vector(n, (-1.0, 1.0));
            let u = random.vector(n, (-1.0, 1.0));
            // Reference: derivative along e_i and v at once.
            let (mut g_ref, mut h_ref) = (vec![0.0; n], vec![0.0; n]);
            for i in 0..n {
                let dual: Vec<HyperDual64> = (0..n)
                    .map(|k| HyperDual64::new(x[k], if k == i { 1.0 } else { 0.0 }, v[k], 0.0))
                    .collect();
                let y = (self.reference)(&dual);
                g_ref[i] = y.eps1;
                h_ref[i] = y.eps1eps2;
                close(name, "value", &[(self.value)(&x)], &[y.re], 1e-11);
            }
            let (mut g, mut h, mut r) = (vec![f64::NAN; n], vec![f64::NAN; n], vec![f64::NAN; n]);
            let value = (self.grad)(&x, &mut g);
            assert_eq!(value.to_bits(), (self.value)(&x).to_bits(), "{name}: the value of `_grad`");
            close(name, "gradient", &g, &g_ref, 1e-10);
            (self.hvp)(&x, &v, &mut h);
            close(name, "Hv", &h, &h_ref, 1e-10);
            (self.hvp_rev)(&x, &v, &mut r);
            close(name, "both orders", &r, &h, 1e-12);
            let (mut g2, mut h2) = (vec![f64::NAN; n], vec![f64::NAN; n]);
            (self.grad_hvp)(&x, &v, &mut g2, &mut h2);
            close(name, "gradient of grad_hvp", &g2, &g, 1e-12);
            close(name, "Hv of grad_hvp", &h2, &h, 1e-12);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let norm = |a: &[f64]| dot(a, a).sqrt();
            let (_, slope, curvature) = (self.curvature)(&x, &v);
            assert!((slope - dot(&g, &v)).abs() <= 1e-11 * norm(&g) * norm(&v), "{name}: slope {slope}");
            let size = norm(&h) * norm(&v);
            assert!((curvature - dot(&h, &v)).abs() <= 1e-10 * size, "{name}: curvature {curvature}");
            // Symmetry and linearity.
            let mut hu = vec![f64::NAN; n];
            (self.hvp)(&x, &u, &mut hu);
            let size = norm(&h) * norm(&u) + norm(&hu) * norm(&v);
            assert!((dot(&u, &h) - dot(&v, &hu)).abs() <= 1e-11 * size, "{name}: not symmetric");
            let sum: Vec<f64> = u.iter().zip(&v).map(|(u, v)| 2.0 * u - v).collect();
            let expected: Vec<f64> = hu.iter().zip(&h).map(|(u, v)| 2.0 * u - v).collect();
            let mut hs = vec![f64::NAN; n];
            (self.hvp)(&x, &sum, &mut hs);
            let scale = norm(&hu) + norm(&h);
            for (a, b) in hs.iter().zip(&expected) {
                assert!((a - b).abs() <= 1e-11 * scale, "{name}: not linear");
            }
        }
    }
}

macro_rules! problem {
    ($test:ident, $n:expr, $range:expr, $f:ident $grad:ident $hvp:ident $rev:ident $both:ident $curv:ident $re:ident) => {
        #[test]
        fn $test() {
            let problem = Problem {
                name: stringify!($f),
                n: $n,
                range: $range,
                value: $f,
                grad: $grad,
                hvp: $hvp,
                hvp_rev: $rev,
                grad_hvp: $both,
                curvature: $curv,
                reference: $re,
            };
            problem.check();
        }
    };
}

type H = HyperDual64;
fn c(x: f64) -> H {
    H::from(x)
}

#[differentiable]
fn rosenbrock(x: &[f64]) -> f64 {
    let mut s = 0.0;
    for i in 0..x.len() - 1 {
        let t = x[i + 1] - x[i] * x[i];
        let u = 1.0 - x[i];
        s += 100.0 * t * t + u * u;
    }
    s
}
fn rosenbrock_ref(x: &[H]) -> H {
    (0..x.len() - 1)
        .fold(c(0.0), |s, i| s + (x[i + 1] - x[i].powi(2)).powi(2) * 100.0 + (-x[i] + 1.0).powi(2))
}
problem!(chained_rosenbrock, 17, (-1.5, 1.5), rosenbrock rosenbrock_grad rosenbrock_hvp rosenbrock_hvp_rev rosenbrock_grad_hvp rosenbrock_curvature rosenbrock_ref);

#[differentiable]
fn powell(x: &[f64]) -> f64 {
    let mut s = 0.0;
    for k in 0..x.len() / 4 {
        let (a, b, e, d) = (x[4 * k], x[4 * k + 1], x[4 * k + 2], x[4 * k + 3]);
        s += (a + 10.0 * b).powi(2) + 5.0 * (e - d).powi(2) + (b - 2.0 * e).powi(4) + 10.0 * (a - d).powi(4);
    }
    s
}
fn powell_ref(x: &[H]) -> H {
    x.chunks(4).fold(c(0.0), |s, p| {
        s + (p[0] + p[1] * 10.0).powi(2)
            + (p[2] - p[3]).powi(2) * 5.0
            + (p[1] - p[2] * 2.0).powi(4)
            + (p[0] - p[3]).powi(4) * 10.0
    })
}
problem!(powell_singular, 8, (-2.0, 2.0), powell powell_grad powell_hvp powell_hvp_rev powell_grad_hvp powell_curvature powell_ref);

#[differentiable]
fn broyden(x: &[f64]) -> f64 {
    let n = x.len();
    let mut s = 0.0;
    for i in 0..n {
        let mut r = (3.0 - 2.0 * x[i]) * x[i] + 1.0;
        if i > 0 {
            r -= x[i - 1];
        }
        if i + 1 < n {
            r -= 2.0 * x[i + 1];
        }
        s += r * r;
    }
    s
}
fn broyden_ref(x: &[H]) -> H {
    let at = |i: i64| usize::try_from(i).ok().and_then(|i| x.get(i).copied()).unwrap_or_else(|| c(0.0));
    (0..x.len() as i64)
        .fold(c(0.0), |s, i| s + ((-at(i) * 2.0 + 3.0) * at(i) - at(i - 1) - at(i + 1) * 2.0 + 1.0).powi(2))
}
problem!(broyden_tridiagonal, 9, (-1.0, 1.0), broyden broyden_grad broyden_hvp broyden_hvp_rev broyden_grad_hvp broyden_curvature broyden_ref);

#[differentiable]
fn banded(x: &[f64]) -> f64 {
    let n = x.len();
    let mut s = 0.0;
    for i in 0..n {
        let lo = if i >= 5 { i - 5 } else { 0 };
        let hi = if i + 1 < n { i + 1 } else { n - 1 };
        let mut r = x[i] * (2.0 + 5.0 * x[i] * x[i]) + 1.0;
        for j in lo..=hi {
            if j != i {
                r -= x[j] * (1.0 + x[j]);
            }
        }
        s += r * r;
    }
    s
}
fn banded_ref(x: &[H]) -> H {
    let n = x.len();
    (0..n).fold(c(0.0), |s, i| {
        let near: H = (i.saturating_sub(5)..n.min(i + 2))
            .filter(|j| *j != i)
            .fold(c(0.0), |t, j| t + x[j] * (x[j] + 1.0));
        s + (x[i] * (x[i].powi(2) * 5.0 + 2.0) + 1.0 - near).powi(2)
    })
}
problem!(broyden_banded, 12, (-1.0, 1.0), banded banded_grad banded_hvp banded_hvp_rev banded_grad_hvp banded_curvature banded_ref);

#[differentiable]
fn woods(x: &[f64]) -> f64 {
    let mut s = 0.0;
    let mut k = 0;
    while k + 3 < x.len() {
        let a = x[k + 1] - x[k] * x[k];
        let b = x[k + 3] - x[k + 2] * x[k + 2];
        let (p, q) = (x[k + 1] - 1.0, x[k + 3] - 1.0);
        s += 100.0 * a * a + (1.0 - x[k]).powi(2) + 90.0 * b * b + (1.0 - x[k + 2]).powi(2);
        s += 10.1 * (p * p + q * q) + 19.8 * p * q;
        k += 4;
    }
    s
}
fn woods_ref(x: &[H]) -> H {
    x.chunks(4).fold(c(0.0), |s, p| {
        s + (p[1] - p[0].powi(2)).powi(2) * 100.0
            + (p[0] - 1.0).powi(2)
            + (p[3] - p[2].powi(2)).powi(2) * 90.0
            + (p[2] - 1.0).powi(2)
            + ((p[1] - 1.0).powi(2) + (p[3] - 1.0).powi(2)) * 10.1
            + (p[1] - 1.0) * (p[3] - 1.0) * 19.8
    })
}
problem!(woods_function, 8, (-2.0, 2.0), woods woods_grad woods_hvp woods_hvp_rev woods_grad_hvp woods_curvature woods_ref);

#[differentiable]
fn helical(x: &[f64]) -> f64 {
    let mut theta = (x[1] / x[0]).atan() / (2.0 * std::f64::consts::PI);
    if x[0] < 0.0 {
        theta += 0.5;
    }
    let r = (x[0] * x[0] + x[1] * x[1]).sqrt();
    let a = 10.0 * (x[2] - 10.0 * theta);
    let b = 10.0 * (r - 1.0);
    a * a + b * b + x[2] * x[2]
}
fn helical_ref(x: &[H]) -> H {
    let turn = if x[0].re < 0.0 { 0.5 } else { 0.0 };
    let theta = (x[1] / x[0]).atan() / (2.0 * std::f64::consts::PI) + turn;
    let r = (x[0].powi(2) + x[1].powi(2)).sqrt();
    ((x[2] - theta * 10.0) * 10.0).powi(2) + ((r - 1.0) * 10.0).powi(2) + x[2].powi(2)
}
problem!(helical_valley, 3, (-2.0, 2.0), helical helical_grad helical_hvp helical_hvp_rev helical_grad_hvp helical_curvature helical_ref);

#[differentiable]
fn beale(x: &[f64]) -> f64 {
    let y = [1.5, 2.25, 2.625];
    let mut s = 0.0;
    let mut power = x[1];
    for i in 0..3 {
        let r = y[i] - x[0] * (1.0 - power);
        s += r * r;
        power *= x[1];
    }
    s
}
fn beale_ref(x: &[H]) -> H {
    [(1.5, 1), (2.25, 2), (2.625, 3)]
        .iter()
        .fold(c(0.0), |s, (y, k)| s + (x[0] * (x[1].powi(*k) - 1.0) + *y).powi(2))
}
problem!(beale_function, 2, (-2.0, 2.0), beale beale_grad beale_hvp beale_hvp_rev beale_grad_hvp beale_curvature beale_ref);

#[differentiable]
fn chebyquad(x: &[f64]) -> f64 {
    let n = x.len();
    let mut sums = vec![0.0; n];
    for j in 0..n {
        let t = 2.0 * x[j] - 1.0;
        let mut before = 1.0;
        let mut now = t;
        for i in 0..n {
            sums[i] += now;
            let next = 2.0 * t * now - before;
            before = now;
            now = next;
        }
    }
    let mut s = 0.0;
    for i in 0..n {
        let k = (i + 1) as f64;
        let integral = if (i + 1) % 2 == 0 { -1.0 / (k * k - 1.0) } else { 0.0 };
        let r = sums[i] / n as f64 - integral;
        s += r * r;
    }
    s
}
fn chebyquad_ref(x: &[H]) -> H {
    let n = x.len();
    (1..=n).fold(c(0.0), |s, k| {
        let mean = x.iter().fold(c(0.0), |m, x| {
            let t = *x * 2.0 - 1.0;
            let (mut a, mut b) = (c(1.0), t);
            for _ in 1..k {
                (a, b) = (b, t * b * 2.0 - a);
            }
            m + b
        }) / n as f64;
        let integral = if k % 2 == 0 { -1.0 / ((k * k) as f64 - 1.0) } else { 0.0 };
        s + (mean - integral).powi(2)
    })
}
problem!(chebyquad_function, 6, (0.0, 1.0), chebyquad chebyquad_grad chebyquad_hvp chebyquad_hvp_rev chebyquad_grad_hvp chebyquad_curvature chebyquad_ref);

#[differentiable]
fn brown(x: &[f64]) -> f64 {
    let n = x.len();
    let mut sum = 0.0;
    let mut product = 1.0;
    for i in 0..n {
        sum += x[i];
        product *= x[i];
    }
    let mut s = (product - 1.0).powi(2);
    for i in 0..n - 1 {
        let r = x[i] + sum - (n + 1) as f64;
        s += r * r;
    }
    s
}
fn brown_ref(x: &[H]) -> H {
    let n = x.len();
    let sum = x.iter().fold(c(0.0), |s, x| s + *x);
    let product = x.iter().fold(c(1.0), |s, x| s * *x);
    x[..n - 1].iter().fold((product - 1.0).powi(2), |s, x| s + (*x + sum - (n + 1) as f64).powi(2))
}
problem!(brown_almost_linear, 5, (0.3, 1.5), brown brown_grad brown_hvp brown_hvp_rev brown_grad_hvp brown_curvature brown_ref);

#[differentiable]
fn integral(x: &[f64]) -> f64 {
    let n = x.len();
    let h = 1.0 / (n as f64 + 1.0);
    let mut cubes = vec![0.0; n];
    for j in 0..n {
        let t = (j as f64 + 1.0) * h;
        cubes[j] = (x[j] + t + 1.0).powi(3);
    }
    let mut s = 0.0;
    for i in 0..n {
        let t = (i as f64 + 1.0) * h;
        let mut left = 0.0;
        for j in 0..=i {
            left += (j as f64 + 1.0) * h * cubes[j];
        }
        let mut right = 0.0;
        for j in i + 1..n {
            right += (1.0 - (j as f64 + 1.0) * h) * cubes[j];
        }
        let r = x[i] + h * ((1.0 - t) * left + t * right) / 2.0;
        s += r * r;
    }
    s
}
fn integral_ref(x: &[H]) -> H {
    let n = x.len();
    let h = 1.0 / (n as f64 + 1.0);
    let t = |i: usize| (i as f64 + 1.0) * h;
    (0..n).fold(c(0.0), |s, i| {
        let inner = (0..n).fold(c(0.0), |a, j| {
            let w = if j <= i { (1.0 - t(i)) * t(j) } else { t(i) * (1.0 - t(j)) };
            a + (x[j] + t(j) + 1.0).powi(3) * w
        });
        s + (x[i] + inner * (h / 2.0)).powi(2)
    })
}
problem!(discrete_integral_equation, 7, (-1.0, 1.0), integral integral_grad integral_hvp integral_hvp_rev integral_grad_hvp integral_curvature integral_ref);

#[differentiable]
fn penalty(x: &[f64]) -> f64 {
    let mut squares = -0.25;
    let mut s = 0.0;
    for v in x.iter() {
        squares += v * v;
        s += 1e-2 * (v - 1.0) * (v - 1.0);
    }
    s + squares * squares
}
fn penalty_ref(x: &[H]) -> H {
    let squares = x.iter().fold(c(-0.25), |s, x| s + x.powi(2));
    x.iter().fold(squares.powi(2), |s, x| s + (*x - 1.0).powi(2) * 1e-2)
}
problem!(penalty_one, 6, (-2.0, 2.0), penalty penalty_grad penalty_hvp penalty_hvp_rev penalty_grad_hvp penalty_curvature penalty_ref);

#[differentiable]
fn trigonometric(x: &[f64]) -> f64 {
    let n = x.len();
    let mut cosines = 0.0;
    for i in 0..n {
        cosines += x[i].cos();
    }
    let mut s = 0.0;
    for i in 0..n {
        let (sin, cos) = x[i].sin_cos();
        let r = n as f64 - cosines + (i + 1) as f64 * (1.0 - cos) - sin;
        s += r * r;
    }
    s
}
fn trigonometric_ref(x: &[H]) -> H {
    let n = x.len() as f64;
    let cosines = x.iter().fold(c(0.0), |s, x| s + x.cos());
    x.iter()
        .enumerate()
        .fold(c(0.0), |s, (i, x)| s + (-cosines + n + (-x.cos() + 1.0) * (i + 1) as f64 - x.sin()).powi(2))
}
problem!(trigonometric_function, 7, (-2.0, 2.0), trigonometric trigonometric_grad trigonometric_hvp trigonometric_hvp_rev trigonometric_grad_hvp trigonometric_curvature trigonometric_ref);

#[differentiable]
fn variably(x: &[f64]) -> f64 {
    let mut s = 0.0;
    let mut t = 0.0;
    for (i, v) in x.iter().enumerate() {
        s += (v - 1.0).powi(2);
        t += (i as f64 + 1.0) * (v - 1.0);
    }
    s + t.powi(2) + t.powi(4)
}
fn variably_ref(x: &[H]) -> H {
    let t = x.iter().enumerate().fold(c(0.0), |t, (i, x)| t + (*x - 1.0) * (i as f64 + 1.0));
    x.iter().fold(t.powi(2) + t.powi(4), |s, x| s + (*x - 1.0).powi(2))
}
problem!(variably_dimensioned, 6, (-1.0, 2.0), variably variably_grad variably_hvp variably_hvp_rev variably_grad_hvp variably_curvature variably_ref);

#[differentiable]
fn biggs(x: &[f64]) -> f64 {
    let mut s = 0.0;
    for i in 1..=13 {
        let t = 0.1 * i as f64;
        let y = (-t).exp() - 5.0 * (-10.0 * t).exp() + 3.0 * (-4.0 * t).exp();
        let model = x[2] * (-t * x[0]).exp() - x[3] * (-t * x[1]).exp() + x[5] * (-t * x[4]).exp();
        s += (model - y) * (model - y);
    }
    s
}
fn biggs_ref(x: &[H]) -> H {
    (1..=13).fold(c(0.0), |s, i| {
        let t = 0.1 * f64::from(i);
        let y = (-t).exp() - 5.0 * (-10.0 * t).exp() + 3.0 * (-4.0 * t).exp();
        let model = x[2] * (x[0] * -t).exp() - x[3] * (x[1] * -t).exp() + x[5] * (x[4] * -t).exp();
        s + (model - y).powi(2)
    })
}
problem!(biggs_exp6, 6, (0.5, 4.0), biggs biggs_grad biggs_hvp biggs_hvp_rev biggs_grad_hvp biggs_curvature biggs_ref);

/// log |det A| of a diagonally dominant matrix made of x, by LU decomposition in place.
#[differentiable]
fn lu(x: &[f64]) -> f64 {
    let n = 4;
    let mut a = x.to_vec();
    for i in 0..n {
        a[i * n + i] += 5.0;
    }
    let mut s = 0.0;
    for k in 0..n {
        let pivot = a[k * n + k];
        s += pivot.abs().ln();
        for i in k + 1..n {
            let factor = a[i * n + k] / pivot;
            for j in k + 1..n {
                a[i * n + j] -= factor * a[k * n + j];
            }
        }
    }
    s
}
fn lu_ref(x: &[H]) -> H {
    let mut a: Vec<Vec<H>> = x.chunks(4).map(<[H]>::to_vec).collect();
    for (i, row) in a.iter_mut().enumerate() {
        row[i] += c(5.0);
    }
    let mut s = c(0.0);
    for k in 0..4 {
        s += a[k][k].ln();
        for i in k + 1..4 {
            let f = a[i][k] / a[k][k];
            for j in k..4 {
                let t = f * a[k][j];
                a[i][j] -= t;
            }
        }
    }
    s
}
problem!(lu_determinant_in_place, 16, (-1.0, 1.0), lu lu_grad lu_hvp lu_hvp_rev lu_grad_hvp lu_curvature lu_ref);

/// Shooting: end point of a pendulum with RK4 from the first two variables; the third is the damping.
#[differentiable]
fn shooting(x: &[f64]) -> f64 {
    let dt = 0.05;
    let mut y = [x[0], x[1]];
    for _ in 0..40 {
        let k1 = [y[1], -y[0].sin() - x[2] * y[1]];
        let mut t = [0.0; 2];
        for i in 0..2 {
            t[i] = y[i] + 0.5 * dt * k1[i];
        }
        let k2 = [t[1], -t[0].sin() - x[2] * t[1]];
        for i in 0..2 {
            t[i] = y[i] + 0.5 * dt * k2[i];
        }
        let k3 = [t[1], -t[0].sin() - x[2] * t[1]];
        for i in 0..2 {
            t[i] = y[i] + dt * k3[i];
        }
        let k4 = [t[1], -t[0].sin() - x[2] * t[1]];
        for i in 0..2 {
            y[i] += dt / 6.0 * (k1[i] + 2.0 * (k2[i] + k3[i]) + k4[i]);
        }
    }
    (y[0] - 0.3).powi(2) + (y[1] + 0.1).powi(2)
}
fn shooting_ref(x: &[H]) -> H {
    let dt = 0.05;
    let f = |y: [H; 2]| [y[1], -y[0].sin() - x[2] * y[1]];
    let go = |y: [H; 2], k: [H; 2], h: f64| [y[0] + k[0] * h, y[1] + k[1] * h];
    let mut y = [x[0], x[1]];
    for _ in 0..40 {
        let k1 = f(y);
        let k2 = f(go(y, k1, dt / 2.0));
        let k3 = f(go(y, k2, dt / 2.0));
        let k4 = f(go(y, k3, dt));
        for i in 0..2 {
            y[i] += (k1[i] + (k2[i] + k3[i]) * 2.0 + k4[i]) * (dt / 6.0);
        }
    }
    (y[0] - 0.3).powi(2) + (y[1] + 0.1).powi(2)
}
problem!(rk4_shooting, 3, (-1.0, 1.0), shooting shooting_grad shooting_hvp shooting_hvp_rev shooting_grad_hvp shooting_curvature shooting_ref);

/// A recurrent network with two cells, its state overwritten in place.
#[differentiable]
fn lstm(w: &[f64]) -> f64 {
    let n = 2;
    let mut h = vec![0.1; n];
    let mut cell = vec![0.0; n];
    let mut next = vec![0.0; n];
    let mut s = 0.0;
    for step in 0..6 {
        let input = 0.3 * step as f64 - 0.7;
        for i in 0..n {
            let mut a = w[i] * input;
            let mut g = w[2 + i] * input;
            for j in 0..n {
                a += w[4 + i * n + j] * h[j];
                g += w[8 + i * n + j] * h[j];
            }
            let gate = 1.0 / (1.0 + (-g).exp());
            cell[i] = gate * cell[i] + (1.0 - gate) * a.tanh();
            next[i] = cell[i].tanh() * gate;
        }
        for i in 0..n {
            h[i] = next[i];
            s += (h[i] - 0.2) * (h[i] - 0.2);
        }
    }
    s
}
fn lstm_ref(w: &[H]) -> H {
    let (mut h, mut cell) = ([c(0.1); 2], [c(0.0); 2]);
    let mut s = c(0.0);
    for step in 0..6 {
        let input = 0.3 * f64::from(step) - 0.7;
        let mut next = h;
        for i in 0..2 {
            let a = w[i] * input + w[4 + 2 * i] * h[0] + w[5 + 2 * i] * h[1];
            let g = w[2 + i] * input + w[8 + 2 * i] * h[0] + w[9 + 2 * i] * h[1];
            let gate = ((-g).exp() + 1.0).recip();
            cell[i] = gate * cell[i] + (-gate + 1.0) * a.tanh();
            next[i] = cell[i].tanh() * gate;
        }
        h = next;
        s += (h[0] - 0.2).powi(2) + (h[1] - 0.2).powi(2);
    }
    s
}
problem!(lstm_like_recurrence, 12, (-1.0, 1.0), lstm lstm_grad lstm_hvp lstm_hvp_rev lstm_grad_hvp lstm_curvature lstm_ref);

/// Pairs of points: long arithmetic between loads and scattered sums.
#[differentiable]
fn pairs(q: &[f64]) -> f64 {
    let n = q.len() / 3;
    let mut e = 0.0;
    for i in 0..n {
        for j in i + 1..n {
            let dx = q[3 * i] - q[3 * j];
            let dy = q[3 * i + 1] - q[3 * j + 1];
            let dz = q[3 * i + 2] - q[3 * j + 2];
            let r = (dx * dx + dy * dy + dz * dz + 0.5).sqrt();
            let u = 1.0 / r;
            let u6 = u.powi(6);
            e += 4.0 * (u6 * u6 - u6) + (-r).exp() * u;
        }
    }
    e
}
fn pairs_ref(q: &[H]) -> H {
    let n = q.len() / 3;
    let mut e = c(0.0);
    for i in 0..n {
        for j in 0..i {
            let r = (0..3).fold(c(0.5), |s, k| s + (q[3 * i + k] - q[3 * j + k]).powi(2)).sqrt();
            let u6 = r.powi(-6);
            e += (u6 * u6 - u6) * 4.0 + (-r).exp() / r;
        }
    }
    e
}
problem!(pairs_of_points, 63, (-2.0, 2.0), pairs pairs_grad pairs_hvp pairs_hvp_rev pairs_grad_hvp pairs_curvature pairs_ref);

#[differentiable]
fn grid(x: &[f64]) -> f64 {
    let n = 5;
    let mut e = 0.0;
    for i in 0..n {
        for j in 0..n {
            let here = x[i * n + j];
            if i + 1 < n {
                e += (1.0 + (x[(i + 1) * n + j] - here).powi(2)).sqrt();
            }
            if j + 1 < n {
                e += (1.0 + (x[i * n + j + 1] - here).powi(2)).sqrt();
            }
            e += 0.1 * here * here;
        }
    }
    e
}
fn grid_ref(x: &[H]) -> H {
    let n = 5;
    let mut e = c(0.0);
    for k in 0..n * n {
        if k + n < n * n {
            e += ((x[k + n] - x[k]).powi(2) + 1.0).sqrt();
        }
        if k % n + 1 < n {
            e += ((x[k + 1] - x[k]).powi(2) + 1.0).sqrt();
        }
        e += x[k].powi(2) * 0.1;
    }
    e
}
problem!(grid_energy, 25, (-1.0, 1.0), grid grid_grad grid_hvp grid_hvp_rev grid_grad_hvp grid_curvature grid_ref);

/// A linear function has a zero Hessian, and its outputs are overwritten all the same.
#[differentiable]
fn linear(x: &[f64]) -> f64 {
    let mut s = 0.0;
    for i in 0..x.len() {
        s += 3.0 * x[i];
    }
    s
}

#[test]
fn products_of_linear_functions_are_overwritten() {
    let (x, v) = ([1.0, 2.0], [3.0, 4.0]);
    let (mut h, mut r, mut g) = ([f64::NAN; 2], [f64::NAN; 2], [f64::NAN; 2]);
    linear_hvp(&x, &v, &mut h);
    linear_hvp_rev(&x, &v, &mut r);
    assert_eq!((h, r), ([0.0; 2], [0.0; 2]));
    h = [f64::NAN; 2];
    assert_eq!(linear_grad_hvp(&x, &v, &mut g, &mut h), 9.0);
    assert_eq!((g, h), ([3.0; 2], [0.0; 2]));
}
