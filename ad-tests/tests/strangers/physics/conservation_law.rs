//! Data assimilation for a scalar conservation law: MUSCL finite volumes with a smooth limiter and SSP-RK2, initial state active.
use ad_runtime::differentiable;

#[differentiable]
fn van_albada(a: f64, b: f64) -> f64 {
    const EPS: f64 = 5e-2;
    if a * b <= 0.0 { 0.0 } else { (a * (b * b + EPS) + b * (a * a + EPS)) / (a * a + b * b + 2.0 * EPS) }
}

#[differentiable]
fn tendency<F, S>(u: &[f64], dx: f64, flux: F, speed: S) -> Vec<f64>
where
    F: Fn(f64) -> f64,
    S: Fn(f64) -> f64,
{
    let n = u.len();
    let at = |i: isize| u[i.rem_euclid(n as isize) as usize];
    let slope = |i: isize| van_albada(at(i) - at(i - 1), at(i + 1) - at(i));
    // face i lies between cells i and i + 1
    let face: Vec<f64> = (0..n as isize)
        .map(|i| {
            let left = at(i) + 0.5 * slope(i);
            let right = at(i + 1) - 0.5 * slope(i + 1);
            let a = speed(0.5 * (left + right));
            0.5 * (flux(left) + flux(right) - a * (right - left))
        })
        .collect();
    (0..n).map(|i| (face[(i + n - 1) % n] - face[i]) / dx).collect()
}

#[differentiable(wrt(initial))]
fn assimilation_cost(initial: &[f64], background: &[f64], observed: &[f64], dt: f64, steps: usize) -> f64 {
    let n = initial.len();
    let dx = 1.0 / n as f64;
    let flux = |u: f64| 0.5 * u * u;
    let speed = |u: f64| u.abs();
    let mut u = initial.to_vec();
    for _ in 0..steps {
        let k1 = tendency(&u, dx, flux, speed);
        let stage: Vec<f64> = u.iter().zip(&k1).map(|(u, k)| u + dt * k).collect();
        let k2 = tendency(&stage, dx, flux, speed);
        for ((u, s), k) in u.iter_mut().zip(stage).zip(k2) {
            *u = 0.5 * (*u + s + dt * k);
        }
    }
    let prior: f64 = initial.iter().zip(background).map(|(a, b)| (a - b).powi(2)).sum();
    let data: f64 = u.iter().step_by(2).zip(observed).map(|(a, b)| (a - b).powi(2)).sum();
    0.5 * (0.3 * prior + data)
}

#[test]
fn exact() {
    let x0 = [0.7, 0.95, 1.3, 1.55, 1.4, 1.05, 0.8, 0.5];
    let background = [0.8; 8];
    let observed = [0.6, 1.2, 1.5, 0.9];
    super::harness::check(
        "conservation_law",
        &x0,
        |x| assimilation_cost(x, &background, &observed, 0.012, 2),
        |x| {
            let mut g = vec![f64::NAN; 8];
            let value = assimilation_cost_grad(x, &background, &observed, 0.012, 2, &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; 8];
            assimilation_cost_hvp(x, &background, &observed, 0.012, 2, v, &mut hv);
            hv
        },
    );
}
