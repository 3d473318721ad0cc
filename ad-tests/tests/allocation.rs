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
fn distance(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).map(|(p, q)| (p - q) * (p - q)).sum::<f64>().sqrt()
}

/// The exponentials of a round are wanted twice.
#[differentiable(wrt(a))]
fn basis(a: &[f64], t: &[f64]) -> f64 {
    let mut loss = 0.0;
    for t in t {
        let mut fit = 0.0;
        for (k, v) in a.iter().enumerate() {
            fit += v * (-v * t * k as f64).exp();
        }
        loss += (fit - t) * (fit - t);
    }
    loss
}

/// What goes on linearly is no state that would have to be saved.
#[differentiable]
fn decayed(x: &[f64]) -> f64 {
    let mut s = 0.0;
    for v in x {
        s = 0.9 * s + v.exp();
    }
    s
}

/// Two parts of one vector go to one short function, which is written out.
#[differentiable]
fn bonds(x: &[f64], between: &[(usize, usize)]) -> f64 {
    let mut e = 0.0;
    for (i, j) in between {
        let r = distance(&x[3 * i..3 * i + 3], &x[3 * j..3 * j + 3]);
        e += (r - 1.0) * (r - 1.0);
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

/// The largest is looked up, and the exponentials are parked in the gradient.
#[differentiable]
fn log_sum_exp(x: &[f64]) -> f64 {
    let mut largest = x[0];
    for &v in x {
        if v > largest {
            largest = v;
        }
    }
    let mut s = 0.0;
    for &v in x {
        s += (v - largest).exp();
    }
    largest + s.ln()
}

/// A matrix that is factored in place.
#[differentiable]
fn factored(x: &[f64], n: usize) -> f64 {
    let mut a = x.to_vec();
    let mut s = 0.0;
    for j in 0..n {
        let mut d = a[j * n + j];
        for k in 0..j {
            d -= a[j * n + k] * a[j * n + k];
        }
        let d = d.sqrt();
        a[j * n + j] = d;
        s += d.ln();
        for i in j + 1..n {
            let mut t = a[i * n + j];
            for k in 0..j {
                t -= a[i * n + k] * a[j * n + k];
            }
            a[i * n + j] = t / d;
        }
    }
    2.0 * s
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
fn values_kept_on_the_stack_without_allocation() {
    let x: Vec<f64> = (0..60).map(|i| (f64::from(i) * 0.37).sin()).collect();
    let v: Vec<f64> = (0..60).map(|i| (f64::from(i) * 0.71).cos()).collect();
    let (mut g, mut hv) = (vec![0.0; 60], vec![0.0; 60]);
    assert_eq!(allocations(|| assert!(basis_grad(&x, &v, &mut g) > 0.0)), (0, 0));
    assert_eq!(allocations(|| basis_hvp(&x, &v, &v, &mut hv)), (0, 0));
    assert_eq!(allocations(|| assert!(decayed_grad(&x, &mut g) > 0.0)), (0, 0));
    assert_eq!(allocations(|| decayed_hvp(&x, &v, &mut hv)), (0, 0));
}

#[test]
fn short_functions_without_allocation() {
    let x: Vec<f64> = (0..60).map(|i| (f64::from(i) * 0.37).sin() + 0.05 * f64::from(i)).collect();
    let v: Vec<f64> = (0..60).map(|i| (f64::from(i) * 0.71).cos()).collect();
    let between: Vec<(usize, usize)> =
        (0..19).map(|i| (i, (7 * i + 3) % 20)).filter(|(i, j)| i != j).collect();
    let (mut g, mut hv, mut rev) = (vec![0.0; 60], vec![0.0; 60], vec![0.0; 60]);
    assert_eq!(allocations(|| assert!(bonds_grad(&x, &between, &mut g) > 0.0)), (0, 0));
    assert_eq!(allocations(|| bonds_hvp(&x, &between, &v, &mut hv)), (0, 0));
    // Along the difference of two points, r = |d|: the gradient is 2 (r - 1) d / r.
    let mut by_hand = vec![0.0; 60];
    for (i, j) in &between {
        let d: Vec<f64> = (0..3).map(|k| x[3 * i + k] - x[3 * j + k]).collect();
        let r = d.iter().map(|d| d * d).sum::<f64>().sqrt();
        for k in 0..3 {
            by_hand[3 * i + k] += 2.0 * (r - 1.0) * d[k] / r;
            by_hand[3 * j + k] -= 2.0 * (r - 1.0) * d[k] / r;
        }
    }
    bonds_hvp_rev(&x, &between, &v, &mut rev);
    for k in 0..60 {
        assert!((g[k] - by_hand[k]).abs() < 1e-12, "{k}: {} for {}", g[k], by_hand[k]);
        assert!((hv[k] - rev[k]).abs() < 1e-11, "{k}: {} for {}", hv[k], rev[k]);
    }
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

#[test]
fn extremes_and_normalised_sums_without_allocation() {
    let n = 50;
    let x: Vec<f64> = (0..n).map(|i| (f64::from(i) * 0.37).sin()).collect();
    let v: Vec<f64> = (0..n).map(|i| (f64::from(i) * 0.71).cos()).collect();
    let (mut g, mut hv) = (vec![f64::NAN; 50], vec![f64::NAN; 50]);
    let mut value = f64::NAN;
    assert_eq!(allocations(|| value = log_sum_exp_grad(&x, &mut g)), (0, 0));
    assert_eq!(allocations(|| log_sum_exp_hvp(&x, &v, &mut hv)), (0, 0));
    assert_eq!(value, log_sum_exp(&x));
    // The gradient is the softmax p, the Hessian diag(p) - p pᵀ.
    let p: Vec<f64> = x.iter().map(|x| (x - value).exp()).collect();
    let mean: f64 = p.iter().zip(&v).map(|(p, v)| p * v).sum();
    for i in 0..50 {
        assert!((g[i] - p[i]).abs() < 1e-14, "{} {}", g[i], p[i]);
        let wanted = p[i] * (v[i] - mean);
        assert!((hv[i] - wanted).abs() < 1e-14, "{} {wanted}", hv[i]);
    }
}

#[test]
fn a_factorisation_keeps_what_it_overwrites() {
    let bytes = |n: usize| {
        // A diagonal that dominates.
        let at = |i: usize, j: usize| if i == j { 4.0 } else { 1.0 / (1.0 + i.abs_diff(j) as f64).powi(2) };
        let x: Vec<f64> = (0..n * n).map(|k| at(k / n, k % n)).collect();
        let v: Vec<f64> = (0..n * n).map(|k| (k as f64 * 0.3).cos()).collect();
        let mut hv = vec![f64::NAN; n * n];
        let (_, bytes) = allocations(|| factored_hvp(&x, n, &v, &mut hv));
        let mut other = vec![f64::NAN; n * n];
        factored_hvp_rev(&x, n, &v, &mut other);
        assert!(hv.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-10), "{n}");
        bytes
    };
    // n² numbers, not n³: four times as much for twice the rows (and a vector that just had to double).
    assert!(bytes(64) <= 5 * bytes(32), "{} {}", bytes(64), bytes(32));
}
