//! The operators that are generated, at size: a million variables, every kind of parameter, patterns that are known.
#![allow(missing_docs)]

use ad_runtime::differentiable;
use ad_runtime::operators::{Dense, HessianOperator};
use ad_runtime::sparse::{Coloring, CompressedHessian, Order, SparsePlan};
use allocation_counter::measure;

#[differentiable]
fn rosenbrock(x: &[f64]) -> f64 {
    x.windows(2).map(|w| 100.0 * (w[1] - w[0] * w[0]).powi(2) + (1.0 - w[0]).powi(2)).sum()
}

fn start(n: usize) -> Vec<f64> {
    (0..n).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect()
}

/// Entry (i, j) of the Hessian of `rosenbrock`.
fn entry(x: &[f64], i: usize, j: usize) -> f64 {
    let n = x.len();
    match i.abs_diff(j) {
        0 => {
            let own = if i + 1 < n { 1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0 } else { 0.0 };
            own + if i > 0 { 200.0 } else { 0.0 }
        }
        1 => -400.0 * x[i.min(j)],
        _ => 0.0,
    }
}

#[test]
fn a_million_variables() {
    let n = 1_000_000;
    let x = start(n);
    let v: Vec<f64> = (0..n).map(|i| ((i % 7) as f64) - 3.0).collect();
    let mut hv = vec![0.0; n];
    let hessian = rosenbrock_hessian(&x);
    let allocated = measure(|| hessian.apply(&v, &mut hv));
    assert_eq!(allocated.count_total, 0);
    let linearised = rosenbrock_linearize(&x);
    let mut product = vec![0.0; n];
    let allocated = measure(|| linearised.apply(&v, &mut product));
    assert_eq!(allocated.count_total, 0);
    for i in (1..n - 1).step_by(9973) {
        let expected: f64 = (i - 1..=i + 1).map(|j| entry(&x, i, j) * v[j]).sum();
        assert!((hv[i] - expected).abs() < 1e-9 * expected.abs().max(1.0));
        assert!((product[i] - expected).abs() < 1e-9 * expected.abs().max(1.0));
    }

    // The whole matrix, by three products.
    let sparsity = rosenbrock_sparsity(&x);
    assert!(sparsity.for_all_inputs);
    assert_eq!((sparsity.pattern.nnz(), sparsity.pattern.half_bandwidth()), (3 * n - 2, 1));
    let coloring = Coloring::star(&sparsity.pattern, Order::Natural);
    assert_eq!(coloring.count(), 3);
    let plan = SparsePlan::new(sparsity.pattern, &coloring).expect("a star colouring");
    let mut matrix = CompressedHessian::<f64, _>::new(plan);
    let matrix = matrix.assemble(&hessian);
    for i in (1..n - 1).step_by(9973) {
        for j in i - 1..=i + 1 {
            assert!((matrix.get(i, j) - entry(&x, i, j)).abs() < 1e-9 * 1e3);
        }
    }
}

/// What is allocated and how many products are taken grow in proportion to the number of variables.
#[test]
fn a_sparse_hessian_takes_linear_memory() {
    let bytes = |n: usize| {
        let x = start(n);
        let allocated = measure(|| {
            let sparsity = rosenbrock_sparsity(&x);
            let coloring = Coloring::star(&sparsity.pattern, Order::Natural);
            let plan = SparsePlan::new(sparsity.pattern, &coloring).expect("a star colouring");
            assert_eq!(plan.products(), 3);
            assert_eq!(plan.assemble(&rosenbrock_hessian(&x)).pattern().nnz(), 3 * n - 2);
        });
        allocated.bytes_total as f64
    };
    let ratio = bytes(40_000) / bytes(10_000);
    // Vectors double as they grow: a factor of two at most beside the four.
    assert!(ratio < 8.1, "{ratio}");
}

#[differentiable]
fn mixed(a: f64, x: &[f64], m: &[f64; 3], b: [f64; 2], n: usize, w: &Vec<f64>) -> f64 {
    let mut s = a * a * b[0];
    for i in 0..n {
        s += x[i] * x[i] * m[i % 3] * w[0] + (b[1] * x[i]).sin() * w[1];
    }
    s
}

#[test]
fn parameters_of_every_kind_stand_one_after_the_other() {
    let (a, x, m, b, w) = (0.7, [0.3, -0.4], [1.1, 0.2, 0.5], [0.9, -0.6], vec![1.5, 0.8]);
    let lazy = mixed_hessian(a, &x, &m, b, 2, &w);
    let linearised = mixed_linearize(a, &x, &m, b, 2, &w);
    assert_eq!((lazy.dim(), linearised.dim()), (10, 10));
    let v: Vec<f64> = (0..10).map(|i| (1.3 * f64::from(i) + 0.2).cos()).collect();
    let (mut hx, mut hm, mut hw) = ([0.0; 2], [0.0; 3], [0.0; 2]);
    let wv = v[8..].to_vec();
    let (ha, hb) = mixed_hvp(
        a,
        &x,
        &m,
        b,
        2,
        &w,
        v[0],
        &v[1..3],
        &[v[3], v[4], v[5]],
        [v[6], v[7]],
        &wv,
        &mut hx,
        &mut hm,
        &mut hw,
    );
    let expected: Vec<f64> = [ha].into_iter().chain(hx).chain(hm).chain(hb).chain(hw).collect();
    let mut found = vec![0.0; 10];
    for operator in [&lazy as &dyn HessianOperator<Scalar = f64>, &linearised] {
        operator.apply(&v, &mut found);
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-12, "{found:?}, expected {expected:?}");
        }
    }
    let mut gradient = vec![0.0; 10];
    assert!((lazy.gradient(&mut gradient) - mixed(a, &x, &m, b, 2, &w)).abs() < 1e-14);
    assert!(gradient.iter().zip(linearised.gradient()).all(|(a, b)| (a - b).abs() < 1e-14));
    let pattern = mixed_sparsity(a, &x, &m, b, 2, &w).pattern;
    let dense = Dense::of(&lazy);
    for i in 0..10 {
        for j in 0..10 {
            assert!(pattern.position(i, j).is_some() || dense.row(i)[j] == 0.0, "({i}, {j})");
        }
    }
}

struct Spring {
    stiffness: f64,
}

impl Spring {
    const REST: f64 = 1.0;

    #[differentiable]
    fn energy(&self, x: &[f64]) -> f64 {
        0.5 * self.stiffness * (x[0].hypot(x[1]) - Self::REST).powi(2)
    }

    #[differentiable]
    fn free(x: &[f64]) -> f64 {
        x[0] * x[0] * x[1]
    }

    #[differentiable]
    fn with_constant(x: &[f64; 2]) -> f64 {
        x[0] * x[0] * x[1] * Self::REST
    }
}

#[differentiable]
fn sized<const N: usize>(x: &[f32; N]) -> f32 {
    let mut s = 0.0;
    for i in 0..N {
        s += x[i] * x[i] * x[0];
    }
    s
}

#[test]
fn methods_associated_functions_and_const_generics() {
    let spring = Spring { stiffness: 3.0 };
    let x = [0.6, 0.8];
    let mut hv = [0.0; 2];
    spring.energy_linearize(&x).apply(&[1.0, 0.0], &mut hv);
    assert!((hv[0] - 3.0 * 0.36).abs() < 1e-12 && (hv[1] - 3.0 * 0.48).abs() < 1e-12, "{hv:?}");
    spring.energy_hessian(&x).apply(&[1.0, 0.0], &mut hv);
    assert!((hv[0] - 3.0 * 0.36).abs() < 1e-12);
    assert_eq!(spring.energy_sparsity(&x).pattern.nnz(), 4);
    for operator in [
        &Spring::free_hessian(&x) as &dyn HessianOperator<Scalar = f64>,
        &Spring::free_linearize(&x),
        &Spring::with_constant_hessian(&x),
        &Spring::with_constant_linearize(&x),
    ] {
        operator.apply(&[1.0, 0.0], &mut hv);
        assert_eq!(hv, [1.6, 1.2]);
    }
    let mut hv = [0.0_f32; 3];
    sized_linearize(&[1.0, 2.0, 3.0]).apply(&[1.0, 0.0, 0.0], &mut hv);
    assert_eq!(hv, [6.0, 4.0, 6.0]);
    assert!(sized_sparsity(&[1.0, 2.0, 3.0]).for_all_inputs);
}

#[test]
#[should_panic(expected = "apply: argument `v` has length 3, expected 2, the operator's dimension")]
fn a_wrong_direction_panics() {
    rosenbrock_linearize(&[0.5, 0.6]).apply(&[0.0; 3], &mut [0.0; 2]);
}

#[test]
#[should_panic(expected = "apply: argument `out` has length 1, expected 2, the operator's dimension")]
fn a_wrong_output_panics() {
    rosenbrock_hessian(&[0.5, 0.6]).apply(&[0.0; 2], &mut [0.0]);
}

#[differentiable]
fn arrowhead(x: &[f64]) -> f64 {
    x.iter().map(|v| (v * x[0]).sin()).sum()
}

#[differentiable]
fn separable(x: &[f64]) -> f64 {
    x.iter().map(|v| v.exp()).sum::<f64>() + x.iter().sum::<f64>()
}

#[differentiable]
fn dense(x: &[f64]) -> f64 {
    x.iter().product()
}

#[differentiable]
fn branching(x: &[f64]) -> f64 {
    if x[0] > 0.0 { x[1] * x[2] } else { x[1] + x[2] * x[2] }
}

#[test]
fn known_patterns() {
    let x = [0.3, -0.5, 0.8, 1.1];
    let pattern = arrowhead_sparsity(&x).pattern;
    assert_eq!(pattern.nnz(), 4 + 2 * 3);
    assert_eq!(Coloring::star(&pattern, Order::Natural).count(), 2);
    let pattern = separable_sparsity(&x).pattern;
    assert!(pattern.iter().eq((0..4).map(|i| (i, i))));
    assert_eq!(Coloring::star(&pattern, Order::Natural).count(), 1);
    assert!(dense_sparsity(&x).pattern.nnz() >= 12);
    assert_eq!(dense_sparsity(&[0.5]).pattern.dim(), 1);
    let (up, down) = (branching_sparsity(&[1.0, 2.0, 3.0]), branching_sparsity(&[-1.0, 2.0, 3.0]));
    assert!(!up.for_all_inputs && !down.for_all_inputs);
    assert!(up.pattern.iter().eq([(1, 2), (2, 1)]));
    assert!(down.pattern.iter().eq([(2, 2)]));
}
