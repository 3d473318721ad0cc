//! Functions whose partial derivatives the user gives: `partials(..)`. All products against closed forms, or against
//! differences of code that knows nothing of the macro.
// The functions are written as people write them, not as clippy would.
#![allow(clippy::elidable_lifetime_names, clippy::needless_lifetimes, clippy::pedantic, missing_docs)]

use ad_runtime::differentiable;
use std::f64::consts::PI;

#[track_caller]
fn close(what: &str, found: f64, wanted: f64) {
    near(what, found, wanted, 1e-9);
}

#[track_caller]
fn near(what: &str, found: f64, wanted: f64, tolerance: f64) {
    let scale = 1.0 + wanted.abs();
    assert!((found - wanted).abs() <= tolerance * scale, "{what}: {found} instead of {wanted}");
}

// -------------------------------------------------------------------------------------------------- one argument

#[differentiable(partials(erf_slope))]
fn erf(x: f64) -> f64 {
    libm::erf(x)
}

#[differentiable]
fn erf_slope(x: f64) -> f64 {
    2.0 / PI.sqrt() * (-x * x).exp()
}

#[test]
fn a_function_of_one_argument() {
    for x in [-1.7_f64, 0.0, 0.3, 2.2] {
        let slope = 2.0 / PI.sqrt() * (-x * x).exp();
        let bend = -2.0 * x * slope;
        let v = 0.7;
        assert_eq!(erf_grad(x).0.to_bits(), libm::erf(x).to_bits());
        close("gradient", erf_grad(x).1, slope);
        close("slope", erf_jvp(x, v).1, slope * v);
        close("Hv", erf_hvp(x, v), bend * v);
        close("Hv, the other way", erf_hvp_rev(x, v), bend * v);
        let (value, g, hv) = erf_grad_hvp(x, v);
        close("value", value, libm::erf(x));
        close("gradient beside Hv", g, slope);
        close("Hv beside the gradient", hv, bend * v);
        let (_, first, second) = erf_curvature(x, v);
        close("slope beside the curvature", first, slope * v);
        close("curvature", second, bend * v * v);
    }
}

#[differentiable]
fn composed(x: f64, y: f64) -> f64 {
    erf(x * y) * x
}

#[test]
fn called_by_a_differentiable_function() {
    let (x, y): (f64, f64) = (0.8, -0.6);
    let (vx, vy) = (1.5, 0.4);
    let s = 2.0 / PI.sqrt() * (-x * x * y * y).exp();
    let e = libm::erf(x * y);
    let (gx, gy) = (e + x * y * s, x * x * s);
    let hxx = 2.0 * y * s - 2.0 * x * x * y * y * y * s;
    let hxy = 2.0 * x * s - 2.0 * x * x * x * y * y * s;
    let hyy = -2.0 * x.powi(4) * y * s;
    let wanted = (hxx * vx + hxy * vy, hxy * vx + hyy * vy);

    let (value, g) = composed_grad(x, y);
    close("value", value, e * x);
    close("gradient", g.0, gx);
    close("gradient", g.1, gy);
    close("slope", composed_jvp(x, y, vx, vy).1, gx * vx + gy * vy);
    for hv in [composed_hvp(x, y, vx, vy), composed_hvp_rev(x, y, vx, vy)] {
        close("Hv", hv.0, wanted.0);
        close("Hv", hv.1, wanted.1);
    }
    let (_, _, curvature) = composed_curvature(x, y, vx, vy);
    close("curvature", curvature, wanted.0 * vx + wanted.1 * vy);
}

/// The likelihood of a probit model: calls in a loop, of slices, in a branch.
#[differentiable(wrt(w))]
fn probit(w: &[f64], rows: &[f64], labels: &[bool]) -> f64 {
    let n = w.len();
    let mut sum = 0.0;
    for i in 0..labels.len() {
        let mut z = 0.0;
        for j in 0..n {
            z += w[j] * rows[i * n + j];
        }
        let p = 0.5 + 0.5 * erf(z * std::f64::consts::FRAC_1_SQRT_2);
        sum -= if labels[i] { p.ln() } else { (1.0 - p).ln() };
    }
    sum
}

#[test]
fn called_in_a_loop() {
    let w = [0.4, -0.7];
    let rows = [1.0, 0.3, 1.0, -1.2, 1.0, 0.8];
    let labels = [true, false, true];
    let (mut g, mut h, mut r) = ([0.0; 2], [0.0; 2], [0.0; 2]);
    let v = [0.5, 1.0];
    let value = probit_grad(&w, &rows, &labels, &mut g);
    probit_hvp(&w, &rows, &labels, &v, &mut h);
    probit_hvp_rev(&w, &rows, &labels, &v, &mut r);
    // d/dz of -ln Φ(z) is -φ/Φ, the second derivative φ/Φ · (z + φ/Φ); a label `false` mirrors z.
    let (mut value_ref, mut g_ref, mut h_ref) = (0.0, [0.0; 2], [0.0; 2]);
    for i in 0..3 {
        let row = [rows[2 * i], rows[2 * i + 1]];
        let sign = if labels[i] { 1.0 } else { -1.0 };
        let z: f64 = sign * (w[0] * row[0] + w[1] * row[1]);
        let p = 0.5 * libm::erfc(-z / 2f64.sqrt());
        let mills = (-0.5 * z * z).exp() / (2.0 * PI).sqrt() / p;
        value_ref -= p.ln();
        let along = row[0] * v[0] + row[1] * v[1];
        for j in 0..2 {
            g_ref[j] -= sign * mills * row[j];
            h_ref[j] += mills * (z + mills) * row[j] * along;
        }
    }
    close("value", value, value_ref);
    for j in 0..2 {
        close("gradient", g[j], g_ref[j]);
        close("Hv", h[j], h_ref[j]);
        close("Hv, the other way", r[j], h_ref[j]);
    }
}

// -------------------------------------------------------------------------------------------------- data beside it

/// Bessel's functions of the first kind, by their integral. The rule is a recurrence: it calls the function itself.
#[differentiable(partials(bessel_slope))]
fn bessel(n: usize, x: f64) -> f64 {
    let steps = 200;
    (0..steps)
        .map(|k| (k as f64 + 0.5) * PI / steps as f64)
        .map(|t| (n as f64 * t - x * t.sin()).cos())
        .sum::<f64>()
        / steps as f64
}

#[differentiable]
fn bessel_slope(n: usize, x: f64) -> f64 {
    if n == 0 { -bessel(1, x) } else { 0.5 * (bessel(n - 1, x) - bessel(n + 1, x)) }
}

#[differentiable]
fn waves(x: f64, y: f64) -> f64 {
    bessel(0, x) * bessel(3, x * y)
}

#[test]
fn an_integer_beside_the_argument() {
    for n in 0..4 {
        let (x, v) = (2.3, 0.7);
        let j = |k: i32| libm::jn(k, x);
        let n_float = n as f64;
        // Bessel's equation.
        let slope = if n == 0 { -j(1) } else { 0.5 * (j(n - 1) - j(n + 1)) };
        let bend = -slope / x - (1.0 - n_float * n_float / (x * x)) * j(n);
        let n = n as usize;
        close("value", bessel_grad(n, x).0, j(n as i32));
        close("gradient", bessel_grad(n, x).1, slope);
        close("Hv", bessel_hvp(n, x, v), bend * v);
        close("Hv, the other way", bessel_hvp_rev(n, x, v), bend * v);
        close("curvature", bessel_curvature(n, x, v).2, bend * v * v);
    }
    let (x, y) = (1.1, 1.9);
    let (j, d) = (libm::jn, |n: i32, x: f64| 0.5 * (libm::jn(n - 1, x) - libm::jn(n + 1, x)));
    let dd = |n: i32, x: f64| -d(n, x) / x - (1.0 - (n * n) as f64 / (x * x)) * j(n, x);
    let t = x * y;
    let (gx, gy) = waves_grad(x, y).1;
    close("gradient", gx, -j(1, x) * j(3, t) + y * j(0, x) * d(3, t));
    close("gradient", gy, x * j(0, x) * d(3, t));
    let (_, hyy) = waves_hvp(x, y, 0.0, 1.0);
    close("Hv", hyy, x * x * j(0, x) * dd(3, t));
}

/// All kinds of data, and two active parameters around it.
struct Settings {
    scale: f64,
}

#[differentiable(wrt(x, y), partials(mixed_by_x, mixed_by_y))]
fn mixed(x: f64, settings: &Settings, weights: &[f64], n: u32, negate: bool, y: f64) -> f64 {
    let sign = if negate { -1.0 } else { 1.0 };
    sign * settings.scale * weights.iter().sum::<f64>() * x.powi(n as i32) * y.sin()
}

#[differentiable(wrt(x, y))]
fn mixed_by_x(x: f64, settings: &Settings, weights: &[f64], n: u32, negate: bool, y: f64) -> f64 {
    mixed(x, settings, weights, n - 1, negate, y) * n as f64
}

#[differentiable(wrt(x, y))]
fn mixed_by_y(x: f64, settings: &Settings, weights: &[f64], n: u32, negate: bool, y: f64) -> f64 {
    mixed(x, settings, weights, n, negate, y + std::f64::consts::FRAC_PI_2)
}

#[differentiable(wrt(x))]
fn uses_mixed(x: &[f64], settings: &Settings, weights: &[f64]) -> f64 {
    let mut sum = 0.0;
    for i in 0..x.len() - 1 {
        sum += mixed(x[i], settings, &weights[..2], 3, i == 0, x[i + 1] * x[i]);
    }
    sum
}

#[test]
fn data_of_all_kinds() {
    let settings = Settings { scale: 0.5 };
    let weights = [1.0, 2.0, 100.0];
    let (x, y) = (1.3_f64, 0.4_f64);
    let (_, g) = mixed_grad(x, &settings, &weights[..2], 3, true, y);
    close("gradient", g.0, -1.5 * 3.0 * x * x * y.sin());
    close("gradient", g.1, -1.5 * x.powi(3) * y.cos());
    for h in [
        mixed_hvp(x, &settings, &weights[..2], 3, true, y, 1.0, 0.0),
        mixed_hvp_rev(x, &settings, &weights[..2], 3, true, y, 1.0, 0.0),
    ] {
        close("Hv", h.0, -1.5 * 6.0 * x * y.sin());
        close("Hv", h.1, -1.5 * 3.0 * x * x * y.cos());
    }
    let p = [0.7, 1.1, -0.4];
    let term = |x: f64, y: f64, s: f64| s * 1.5 * x.powi(3) * (x * y).sin();
    let value = |p: &[f64]| term(p[0], p[1], -1.0) + term(p[1], p[2], 1.0);
    let (mut g, mut h, mut r) = ([0.0; 3], [0.0; 3], [0.0; 3]);
    let v = [1.0, -0.5, 0.3];
    close("value", uses_mixed_grad(&p, &settings, &weights, &mut g), value(&p));
    uses_mixed_hvp(&p, &settings, &weights, &v, &mut h);
    uses_mixed_hvp_rev(&p, &settings, &weights, &v, &mut r);
    let step = 1e-5;
    for i in 0..3 {
        let at = |t: f64| {
            let mut q = p;
            q[i] += t;
            q
        };
        near("gradient", g[i], (value(&at(step)) - value(&at(-step))) / (2.0 * step), 1e-8);
        close("both ways", r[i], h[i]);
        let along = |t: f64| {
            let mut q = [0.0; 3];
            uses_mixed_grad(
                &[p[0] + t * v[0], p[1] + t * v[1], p[2] + t * v[2]],
                &settings,
                &weights,
                &mut q,
            );
            q[i]
        };
        near("Hv", h[i], (along(step) - along(-step)) / (2.0 * step), 1e-8);
    }
}

// -------------------------------------------------------------------------------------------------- rules of rules

#[differentiable(partials(digamma))]
fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// Its own derivative has a rule again.
#[differentiable(partials(trigamma))]
fn digamma(x: f64) -> f64 {
    let (mut x, mut sum) = (x, 0.0);
    while x < 12.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let r = 1.0 / (x * x);
    sum + x.ln()
        - 0.5 / x
        - r * (1.0 / 12.0 - r * (1.0 / 120.0 - r * (1.0 / 252.0 - r * (1.0 / 240.0 - r * (1.0 / 132.0)))))
}

/// The end of the chain is code that the macro looks into.
#[differentiable]
fn trigamma(x: f64) -> f64 {
    let mut y = x;
    let mut sum = 0.0;
    while y < 12.0 {
        sum += 1.0 / (y * y);
        y += 1.0;
    }
    let r = 1.0 / (y * y);
    let tail = 1.0 / 6.0 - r * (1.0 / 30.0 - r * (1.0 / 42.0 - r * (1.0 / 30.0 - r * (5.0 / 66.0))));
    sum + 1.0 / y + 0.5 * r + r / y * tail
}

/// Of the beta distribution.
#[differentiable]
fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

#[test]
fn a_chain_of_rules() {
    // Euler's constant, and ζ(2), ζ(3) at x = 1.
    let (gamma, zeta2, zeta3) = (0.577_215_664_901_532_9, PI * PI / 6.0, 1.202_056_903_159_594_2);
    close("digamma", ln_gamma_grad(1.0).1, -gamma);
    close("trigamma", ln_gamma_hvp(1.0, 1.0), zeta2);
    close("trigamma, the other way", ln_gamma_hvp_rev(1.0, 1.0), zeta2);
    close("trigamma, by curvature", ln_gamma_curvature(1.0, 1.0).2, zeta2);
    close("trigamma, as a gradient", digamma_grad(1.0).1, zeta2);
    close("third order", digamma_hvp(1.0, 1.0), -2.0 * zeta3);
    close("third order, the other way", digamma_hvp_rev(1.0, 1.0), -2.0 * zeta3);
    close("fourth order", trigamma_hvp(1.0, 1.0), PI.powi(4) / 15.0);

    let (a, b) = (2.0, 3.0);
    // ψ(n) = H_{n-1} - γ; ψ'(n) = ζ(2) - Σ 1/k²
    let psi = |n: i32| (1..n).map(|k| 1.0 / k as f64).sum::<f64>() - gamma;
    let psi1 = |n: i32| zeta2 - (1..n).map(|k| 1.0 / (k * k) as f64).sum::<f64>();
    let (value, g) = ln_beta_grad(a, b);
    close("value", value, (1.0_f64 / 12.0).ln());
    close("gradient", g.0, psi(2) - psi(5));
    close("gradient", g.1, psi(3) - psi(5));
    for h in [ln_beta_hvp(a, b, 1.0, 0.5), ln_beta_hvp_rev(a, b, 1.0, 0.5)] {
        close("Hv", h.0, psi1(2) - 1.5 * psi1(5));
        close("Hv", h.1, 0.5 * psi1(3) - 1.5 * psi1(5));
    }
}

// -------------------------------------------------------------------------------------------------- implicit functions

/// The solution E of Kepler's equation `E - e sin E = m`.
#[differentiable(partials(kepler_by_m, kepler_by_e))]
fn kepler(m: f64, e: f64) -> f64 {
    let mut x = if e > 0.8 { PI } else { m };
    loop {
        let step = (x - e * x.sin() - m) / (1.0 - e * x.cos());
        x -= step;
        if step.abs() <= 1e-14 * (1.0 + x.abs()) {
            return x;
        }
    }
}

#[differentiable]
fn kepler_by_m(m: f64, e: f64) -> f64 {
    let x = kepler(m, e);
    1.0 / (1.0 - e * x.cos())
}

#[differentiable]
fn kepler_by_e(m: f64, e: f64) -> f64 {
    let x = kepler(m, e);
    x.sin() / (1.0 - e * x.cos())
}

/// The squared distance to the focus, on an orbit of axis 1 + e².
#[differentiable]
fn distance(m: f64, e: f64) -> f64 {
    let r = (1.0 + e * e) * (1.0 - e * kepler(m, e).cos());
    r * r
}

#[test]
fn an_implicit_function() {
    for (m, e) in [(0.5_f64, 0.3_f64), (2.0, 0.6), (4.0, 0.9), (1.0, 0.0)] {
        let x = kepler(m, e);
        close("the equation", x - e * x.sin(), m);
        let (s, c) = x.sin_cos();
        let d = 1.0 - e * c;
        let (gm, ge) = (1.0 / d, s / d);
        let mm = -e * s / d.powi(3);
        let me = (c - e * s * s / d) / (d * d);
        let ee = 2.0 * s * c / (d * d) - e * s.powi(3) / d.powi(3);
        let (vm, ve) = (0.8, -0.3);
        let wanted = (mm * vm + me * ve, me * vm + ee * ve);

        let (value, g) = kepler_grad(m, e);
        assert_eq!(value.to_bits(), x.to_bits());
        close("gradient", g.0, gm);
        close("gradient", g.1, ge);
        close("slope", kepler_jvp(m, e, vm, ve).1, gm * vm + ge * ve);
        for h in [kepler_hvp(m, e, vm, ve), kepler_hvp_rev(m, e, vm, ve)] {
            close("Hv", h.0, wanted.0);
            close("Hv", h.1, wanted.1);
        }
        let (_, slope, curvature) = kepler_curvature(m, e, vm, ve);
        close("slope", slope, gm * vm + ge * ve);
        close("curvature", curvature, wanted.0 * vm + wanted.1 * ve);
        // The derivatives of the rule itself: third order.
        let step = 1e-5;
        let third =
            (kepler_hvp(m + step, e, 1.0, 0.0).0 - kepler_hvp(m - step, e, 1.0, 0.0).0) / (2.0 * step);
        near("third order", kepler_by_m_hvp(m, e, 1.0, 0.0).0, third, 1e-6);
    }
}

#[test]
fn a_function_of_an_implicit_function() {
    // The same by differences of bisection, which shares nothing with the above.
    let bisection = |m: f64, e: f64| {
        let (mut lo, mut hi) = (m - 1.0, m + 1.0);
        for _ in 0..60 {
            let x = 0.5 * (lo + hi);
            if x - e * x.sin() < m { lo = x } else { hi = x }
        }
        let r = (1.0 + e * e) * (1.0 - e * (0.5 * (lo + hi)).cos());
        r * r
    };
    let (m, e) = (1.2, 0.4);
    let (vm, ve) = (0.5, 0.7);
    let along = |t: f64| bisection(m + t * vm, e + t * ve);
    let (value, g) = distance_grad(m, e);
    close("value", value, along(0.0));
    let t = 1e-3;
    let first = (8.0 * (along(t) - along(-t)) - (along(2.0 * t) - along(-2.0 * t))) / (12.0 * t);
    let second = (16.0 * (along(t) + along(-t)) - (along(2.0 * t) + along(-2.0 * t)) - 30.0 * along(0.0))
        / (12.0 * t * t);
    near("gradient", g.0 * vm + g.1 * ve, first, 1e-9);
    let (_, slope, curvature) = distance_curvature(m, e, vm, ve);
    near("slope", slope, first, 1e-9);
    near("curvature", curvature, second, 1e-7);
    let (h, r) = (distance_hvp(m, e, vm, ve), distance_hvp_rev(m, e, vm, ve));
    close("v·Hv", h.0 * vm + h.1 * ve, curvature);
    close("both ways", r.0, h.0);
    close("both ways", r.1, h.1);
}

// -------------------------------------------------------------------------------------------------- where it stands

struct Normal;

impl Normal {
    #[differentiable(partials(Self::density))]
    fn cumulative(z: f64) -> f64 {
        0.5 * libm::erfc(-z / 2f64.sqrt())
    }

    #[differentiable]
    fn density(z: f64) -> f64 {
        (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
    }

    #[differentiable]
    fn between(a: f64, b: f64) -> f64 {
        Self::cumulative(b) - Self::cumulative(a)
    }
}

mod special {
    use ad_runtime::differentiable;

    #[differentiable(partials(slopes::cube))]
    pub(crate) fn cube<const N: usize>(cube: f64, _data: &[u8; N]) -> f64 {
        cube * cube * cube
    }

    pub(crate) mod slopes {
        use ad_runtime::differentiable;

        #[differentiable]
        pub(crate) fn cube<const N: usize>(x: f64, _data: &[u8; N]) -> f64 {
            3.0 * x * x
        }
    }

    #[differentiable(partials(scaled_by_x, scaled_by_y))]
    pub(crate) fn scaled(x: f32, y: f32) -> f32 {
        x * y
    }
    #[differentiable]
    fn scaled_by_x(_x: f32, y: f32) -> f32 {
        y
    }
    #[differentiable]
    fn scaled_by_y(x: f32, _y: f32) -> f32 {
        x
    }

    // A plain function will do where nothing differentiates it.
    #[differentiable(partials(plain_slope), only(grad, jvp))]
    pub(crate) fn plain(x: f64) -> f64 {
        x.exp2()
    }
    fn plain_slope(x: f64) -> f64 {
        x.exp2() * std::f64::consts::LN_2
    }
}

#[differentiable]
fn by_path(x: f64) -> f64 {
    special::cube(x * x, &[1, 2])
}

#[test]
fn associated_functions_paths_generics() {
    let density = |z: f64| (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
    let (a, b) = (-0.4, 1.2);
    let (_, (ga, gb)) = Normal::between_grad(a, b);
    close("gradient", ga, -density(a));
    close("gradient", gb, density(b));
    for h in [Normal::between_hvp(a, b, 1.0, 2.0), Normal::between_hvp_rev(a, b, 1.0, 2.0)] {
        close("Hv", h.0, a * density(a));
        close("Hv", h.1, -2.0 * b * density(b));
    }
    close("gradient", special::cube_grad(2.0, &[0]).1, 12.0);
    close("Hv", special::cube_hvp(2.0, &[0], 1.0), 12.0);
    close("gradient", by_path_grad(1.5).1, 6.0 * 1.5_f64.powi(5));
    close("Hv", by_path_hvp(1.5, 1.0), 30.0 * 1.5_f64.powi(4));
    close("Hv, the other way", by_path_hvp_rev(1.5, 1.0), 30.0 * 1.5_f64.powi(4));
    assert_eq!(special::scaled_grad(2.0, 3.0), (6.0, (3.0, 2.0)));
    assert_eq!(special::scaled_hvp(2.0, 3.0, 1.0, 0.0), (0.0, 1.0));
    close("gradient", special::plain_grad(3.0).1, 8.0 * std::f64::consts::LN_2);
}

#[differentiable(partials(single_by_x, single_by_y))]
fn two_kinds(x: f32, y: f64) -> f64 {
    x as f64 * x as f64 * y
}
#[differentiable]
fn single_by_x(x: f32, y: f64) -> f32 {
    2.0 * x * y as f32
}
#[differentiable]
fn single_by_y(x: f32, _y: f64) -> f64 {
    x as f64 * x as f64
}

#[test]
fn a_partial_has_the_type_of_its_parameter() {
    assert_eq!(two_kinds_grad(1.5, 2.0), (4.5, (6.0, 2.25)));
    assert_eq!(two_kinds_hvp(1.5, 2.0, 1.0, 0.0), (4.0, 3.0));
    assert_eq!(two_kinds_hvp_rev(1.5, 2.0, 1.0, 0.0), (4.0, 3.0));
    assert_eq!(two_kinds_curvature(1.5, 2.0, 1.0, 0.0), (4.5, 6.0, 4.0));
}

// Patterns, lifetimes, raw names; names that generated code would like.
#[differentiable(wrt(x), partials(r#match_slope))]
fn r#match<'a>((a, b): (i32, i32), mut x: f64, name: &'a str, x_dot: f64) -> f64 {
    x *= x;
    x * (a + b) as f64 * name.len() as f64 * x_dot
}
#[differentiable(wrt(x))]
fn r#match_slope<'a>(ab: (i32, i32), x: f64, name: &'a str, x_dot: f64) -> f64 {
    2.0 * x * (ab.0 + ab.1) as f64 * name.len() as f64 * x_dot
}

#[test]
fn patterns_and_names() {
    assert_eq!(match_grad((1, 2), 1.5, "ab", 0.5), (6.75, 9.0));
    assert_eq!(match_hvp((1, 2), 1.5, "ab", 0.5, 2.0), 12.0);
    assert_eq!(match_hvp_rev((1, 2), 1.5, "ab", 0.5, 2.0), 12.0);
}

/// A panic is a panic in the derivatives.
#[differentiable(partials(positive_slope))]
fn positive(x: f64) -> f64 {
    assert!(x > 0.0, "x is {x}");
    x * x
}
#[differentiable]
fn positive_slope(x: f64) -> f64 {
    2.0 * x
}

#[test]
fn panics_stay() {
    assert_eq!(positive_grad(3.0), (9.0, 6.0));
    assert!(std::panic::catch_unwind(|| positive_grad(-1.0)).is_err());
    assert!(std::panic::catch_unwind(|| positive_jvp(-1.0, 1.0)).is_err());
}
