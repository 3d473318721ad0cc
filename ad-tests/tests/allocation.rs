//! What generated code allocates, counted by a counting allocator.
#![allow(missing_docs)]

use ad_runtime::differentiable;
use allocation_counter::measure;

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

#[differentiable]
fn straight(x: f64, y: f64) -> f64 {
    let r = (x * x + y * y).sqrt();
    if r > 1.0 { r.ln() * x } else { (r * y).exp() }
}

#[differentiable(wrt(w))]
fn logistic(w: &[f64], features: &[f64], labels: &[f64]) -> f64 {
    let n = w.len();
    let mut loss = 0.0;
    for i in 0..labels.len() {
        let mut z = 0.0;
        for j in 0..n {
            z += features[i * n + j] * w[j];
        }
        loss += (-labels[i] * z).exp().ln_1p();
    }
    loss
}

#[differentiable]
fn pairs(q: &[f64]) -> f64 {
    let n = q.len() / 3;
    let mut e = 0.0;
    for i in 0..n {
        for j in i + 1..n {
            let dx = q[3 * i] - q[3 * j];
            let dy = q[3 * i + 1] - q[3 * j + 1];
            let dz = q[3 * i + 2] - q[3 * j + 2];
            let u = 1.0 / (dx * dx + dy * dy + dz * dz + 1.0).sqrt();
            e += u * u * u - (-u).exp();
        }
    }
    e
}

#[differentiable]
fn map_to_array(x: &[f64]) -> f64 {
    let mut squares = [0.0; 8];
    for i in 0..8 {
        squares[i] = (x[i] * x[i + 1]).tanh();
    }
    let mut s = 0.0;
    for i in 0..8 {
        s += squares[i] * squares[i];
    }
    s
}

#[differentiable]
fn carried(x: &[f64], steps: usize) -> f64 {
    let mut s = x[0];
    for _ in 0..steps {
        s = s + 0.001 * (x[1] * s).sin();
    }
    s * s
}

fn allocations(f: impl FnOnce()) -> (u64, u64) {
    let info = measure(f);
    (info.count_total, info.bytes_total)
}

#[test]
fn a_million_variables_without_allocation() {
    let n = 1_000_000;
    let x: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect();
    let v: Vec<f64> = (0..n).map(|i| ((i * 7) % 11) as f64 - 5.0).collect();
    let (mut g, mut hv) = (vec![0.0; n], vec![0.0; n]);
    assert_eq!(allocations(|| rosenbrock_hvp(&x, &v, &mut hv)), (0, 0));
    assert_eq!(allocations(|| rosenbrock_hvp_rev(&x, &v, &mut hv)), (0, 0));
    assert_eq!(
        allocations(|| {
            rosenbrock_grad(&x, &mut g);
        }),
        (0, 0)
    );
    // Row k of the tridiagonal Hessian, written by hand.
    rosenbrock_hvp(&x, &v, &mut hv);
    let k = 123_456;
    let row = -400.0 * x[k - 1] * v[k - 1] + (202.0 + 1200.0 * x[k] * x[k] - 400.0 * x[k + 1]) * v[k]
        - 400.0 * x[k] * v[k + 1];
    assert!((hv[k] - row).abs() < 1e-9 * row.abs(), "{} {row}", hv[k]);
}

#[test]
fn reductions_maps_and_nests_without_allocation() {
    let (mut g, mut hv) = (vec![0.0; 60], vec![0.0; 60]);
    let x: Vec<f64> = (0..60).map(|i| (f64::from(i) * 0.37).sin() + 0.05 * f64::from(i)).collect();
    let v: Vec<f64> = (0..60).map(|i| (f64::from(i) * 0.71).cos()).collect();
    assert_eq!(
        allocations(|| {
            straight_grad_hvp(0.3, 0.9, 1.0, -1.0);
        }),
        (0, 0)
    );
    let features: Vec<f64> = (0..600).map(|i| (f64::from(i) * 1.3).sin()).collect();
    let labels = [1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0, 1.0, -1.0];
    assert_eq!(allocations(|| logistic_hvp(&x, &features, &labels, &v, &mut hv)), (0, 0));
    assert_eq!(
        allocations(|| {
            logistic_grad(&x, &features, &labels, &mut g);
        }),
        (0, 0)
    );
    assert_eq!(allocations(|| pairs_hvp(&x, &v, &mut hv)), (0, 0));
    assert_eq!(allocations(|| map_to_array_hvp(&x, &v, &mut hv)), (0, 0));
}

#[test]
fn carried_state_is_kept_once_a_step() {
    let steps = 10_000;
    let (x, v) = ([0.5, 1.5], [1.0, -1.0]);
    let mut hv = [0.0; 2];
    let (count, bytes) = allocations(|| carried_hvp(&x, steps, &v, &mut hv));
    // The state and its tangent, in vectors that grow by doubling.
    assert!(count <= 40, "{count} allocations");
    assert!(bytes <= 2 * 4 * 8 * steps as u64, "{bytes} bytes for {steps} steps");
}
