//! The operators that are generated, at size: a million variables, every kind of parameter, patterns that are known.
// A vector by reference is one of the kinds of parameters.
#![allow(missing_docs, clippy::ptr_arg)]

use ad_runtime::differentiable;
use ad_runtime::operators::{
    Dense, EmpiricalFisher, FiniteDifference, Fisher, GaussNewton, HessianOperator, HessianOperatorExt,
    Identity, Likelihood, LowRank,
};
use ad_runtime::sparse::{Coloring, CompressedHessian, Order, Pattern, SparsePlan, Sparsity};
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
    matrix.verify(&linearised).expect("the same matrix");
    let scattered = (0..1000_usize).map(|k| 1 + k * 7_368_787 % (n - 2));
    for i in scattered.chain([1, n - 2]) {
        for j in i - 1..=i + 1 {
            let expected = entry(&x, i, j);
            assert!((matrix.get(i, j) - expected).abs() < 1e-12 * expected.abs(), "({i}, {j})");
            assert_eq!(matrix.get(i, j), matrix.get(j, i));
        }
    }
    for i in [0, n - 1] {
        assert!((matrix.get(i, i) - entry(&x, i, i)).abs() < 1e-9, "({i}, {i})");
    }
}

/// Whoever doubles the number of variables gets twice the memory, and as many products and allocations but for vectors
/// that grow (the sizes are powers of two, so that these double as well).
#[test]
fn a_sparse_hessian_takes_linear_memory() {
    let cost = |n: usize| {
        let x = start(n);
        let operator = rosenbrock_hessian(&x).counted();
        let allocated = measure(|| {
            let sparsity = rosenbrock_sparsity(&x);
            let coloring = Coloring::star(&sparsity.pattern, Order::SmallestLast);
            let plan = SparsePlan::new(sparsity.pattern, &coloring).expect("a star colouring");
            assert_eq!(plan.assemble(&operator).pattern().nnz(), 3 * n - 2);
        });
        assert_eq!(operator.products(), 3);
        let linearised = measure(|| assert!(rosenbrock_linearize(&x).memory() <= 32 * n));
        (allocated, linearised)
    };
    let ((small, small_linearised), (large, large_linearised)) = (cost(1 << 14), cost(1 << 15));
    for (small, large) in [
        (small.bytes_total, large.bytes_total),
        (small.bytes_max, large.bytes_max),
        (small_linearised.bytes_total, large_linearised.bytes_total),
    ] {
        let ratio = large as f64 / small as f64;
        assert!((1.9..2.1).contains(&ratio), "{small} bytes, then {large}");
    }
    assert!(large.count_total <= small.count_total + 100, "{small:?}, then {large:?}");
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

/// Both operators are the matrix with these rows.
fn agree(
    lazy: &dyn HessianOperator<Scalar = f32>,
    linearised: &dyn HessianOperator<Scalar = f32>,
    expected: &[&[f32]],
) {
    for operator in [lazy, linearised] {
        let dense = Dense::of(&operator);
        for (i, row) in expected.iter().enumerate() {
            for (found, expected) in dense.row(i).iter().zip(*row) {
                assert!((found - expected).abs() <= 1e-5 * (1.0 + expected.abs()), "row {i}: {dense:?}");
            }
        }
    }
}

#[differentiable]
fn no_loop(a: f32, b: [f32; 2], c: f32) -> f32 {
    a * a * b[0] + (b[1] * c).exp()
}

#[differentiable(wrt(w))]
fn passive_loop(w: &[f32], data: &[f32]) -> f32 {
    let mut sum = 0.0_f32;
    for d in data {
        sum += d * d;
    }
    sum * w[0] * w[0] * w[1]
}

#[differentiable]
fn linear(a: f32, x: &[f32]) -> f32 {
    3.0 * a - x[0]
}

#[test]
fn single_precision_without_active_loops() {
    let e = 0.5_f32.exp();
    agree(
        &no_loop_hessian(3.0, [2.0, 0.5], 1.0),
        &no_loop_linearize(3.0, [2.0, 0.5], 1.0),
        &[
            &[4.0, 6.0, 0.0, 0.0],
            &[6.0, 0.0, 0.0, 0.0],
            &[0.0, 0.0, e, 1.5 * e],
            &[0.0, 0.0, 1.5 * e, e / 4.0],
        ],
    );
    let sparsity = no_loop_sparsity(3.0, [2.0, 0.5], 1.0);
    assert!(sparsity.for_all_inputs);
    assert!(sparsity.pattern.rows().eq([&[0, 1][..], &[0], &[2, 3], &[2, 3]]));

    let (w, data) = ([2.0, 5.0], [1.0, 2.0, 3.0]);
    agree(
        &passive_loop_hessian(&w, &data),
        &passive_loop_linearize(&w, &data),
        &[&[140.0, 56.0], &[56.0, 0.0]],
    );
    assert!(passive_loop_sparsity(&w, &data).pattern.rows().eq([&[0, 1][..], &[0]]));

    agree(&linear_hessian(1.0, &w), &linear_linearize(1.0, &w), &[&[0.0; 3], &[0.0; 3], &[0.0; 3]]);
    assert_eq!(linear_linearize(1.0, &w).value(), 1.0);
    assert_eq!(linear_linearize(1.0, &w).gradient(), [3.0, -1.0, 0.0]);
    assert_eq!(linear_sparsity(1.0, &w).pattern, Pattern::empty(3));
}

#[test]
fn one_variable() {
    let mut hv = [f64::NAN];
    // An empty sum: nothing is there to be applied, and the output is overwritten all the same.
    for operator in
        [&rosenbrock_hessian(&[0.5]) as &dyn HessianOperator<Scalar = f64>, &rosenbrock_linearize(&[0.5])]
    {
        assert_eq!(operator.dim(), 1);
        operator.apply(&[3.0], &mut hv);
        assert_eq!(hv, [0.0]);
    }
    let sparsity = rosenbrock_sparsity(&[0.5]);
    assert_eq!(sparsity.pattern, Pattern::empty(1));
    let plan = SparsePlan::new(sparsity.pattern, &Coloring::new(vec![0])).expect("one colour");
    assert_eq!(plan.products(), 0);

    let x = [0.5];
    separable_hessian(&x).apply(&[2.0], &mut hv);
    assert_eq!(hv, [2.0 * 0.5_f64.exp()]);
    separable_linearize(&x).apply(&[2.0], &mut hv);
    assert_eq!(hv, [2.0 * 0.5_f64.exp()]);
    matches_dense(separable_sparsity(&x), &separable_hessian(&x));
}

#[test]
#[should_panic(expected = "gradient: argument `out` has length 3, expected 2, the operator's dimension")]
fn a_wrong_gradient_panics() {
    rosenbrock_hessian(&[0.5, 0.6]).gradient(&mut [0.0; 3]);
}

#[test]
#[should_panic(
    expected = "arguments `directions` and `out` have lengths 5 and 5, expected the same multiple of 2"
)]
fn a_wrong_block_panics() {
    rosenbrock_linearize(&[0.5, 0.6]).apply_block(&[0.0; 5], &mut [0.0; 5]);
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

/// What a model returns: `classes` numbers for each row, linear in `w`.
#[differentiable(wrt(w))]
fn outputs(w: &[f64], rows: &[[f64; 3]], out: &mut [f64]) {
    let classes = w.len() / 3;
    for (i, row) in rows.iter().enumerate() {
        for c in 0..classes {
            out[i * classes + c] = row[0] * w[3 * c] + row[1] * w[3 * c + 1] + row[2] * w[3 * c + 2];
        }
    }
}

#[differentiable(wrt(w))]
fn gaussian(w: &[f64], rows: &[[f64; 3]], targets: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (row, y) in rows.iter().zip(targets) {
        let z = row[0] * w[0] + row[1] * w[1] + row[2] * w[2];
        sum += 0.5 * (z - y).powi(2) / 0.25;
    }
    sum
}

#[differentiable(wrt(w))]
fn bernoulli(w: &[f64], rows: &[[f64; 3]], targets: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (row, y) in rows.iter().zip(targets) {
        let z = row[0] * w[0] + row[1] * w[1] + row[2] * w[2];
        sum += z.exp().ln_1p() - y * z;
    }
    sum
}

#[differentiable(wrt(w))]
fn poisson(w: &[f64], rows: &[[f64; 3]], targets: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (row, y) in rows.iter().zip(targets) {
        let z = row[0] * w[0] + row[1] * w[1] + row[2] * w[2];
        sum += z.exp() - y * z;
    }
    sum
}

/// Two classes.
#[differentiable(wrt(w))]
fn categorical(w: &[f64], rows: &[[f64; 3]], labels: &[usize]) -> f64 {
    let mut sum = 0.0;
    for (row, &label) in rows.iter().zip(labels) {
        let z =
            [row[0] * w[0] + row[1] * w[1] + row[2] * w[2], row[0] * w[3] + row[1] * w[4] + row[2] * w[5]];
        sum += (z[0].exp() + z[1].exp()).ln() - z[label];
    }
    sum
}

/// Two operators are the same matrix, up to `tolerance`.
fn same(
    a: &dyn HessianOperator<Scalar = f64>,
    b: &dyn HessianOperator<Scalar = f64>,
    tolerance: f64,
    what: &str,
) {
    let (a, b) = (Dense::of(a), Dense::of(b));
    let close =
        a.entries().iter().zip(b.entries()).all(|(a, b)| (a - b).abs() <= tolerance * (1.0 + b.abs()));
    assert!(close, "{what}: {a:?}, expected {b:?}");
}

static W: [f64; 6] = [0.4, -0.9, 0.2, 0.1, 0.6, -0.3];

/// Of models that are linear, Gauss-Newton and the exact Fisher information, of the generated `_jvp` and `_vjp`, are the
/// Hessian that is generated from the whole.
#[test]
fn gauss_newton_and_fisher_of_generated_products_are_the_hessian() {
    let rows = [[1.0, 0.5, -0.2], [0.3, -0.7, 1.0], [0.0, 1.2, 0.4], [-0.8, 0.1, 0.9]];
    let jvp = |w: &[f64], v: &[f64], out: &mut [f64]| {
        outputs_jvp(w, &rows, v, &mut vec![0.0; out.len()], out);
    };
    let vjp = |w: &[f64], u: &[f64], out: &mut [f64]| outputs_vjp(w, &rows, u, out);
    let (targets, labels) = ([1.0, 0.0, 1.0, 0.0], [0, 1, 1, 0]);
    let fisher = |w: &'static [f64], likelihood: Likelihood<f64>| {
        let mut z = vec![0.0; 4 * w.len() / 3];
        outputs(w, &rows, &mut z);
        Fisher::exact(
            w.len(),
            likelihood,
            &z,
            move |v: &[f64], out: &mut [f64]| jvp(w, v, out),
            move |u: &[f64], out: &mut [f64]| vjp(w, u, out),
        )
    };
    let half = &W[..3];
    same(
        &fisher(half, Likelihood::Gaussian { variance: 0.25 }),
        &gaussian_hessian(half, &rows, &targets),
        1e-14,
        "Gaussian",
    );
    same(&fisher(half, Likelihood::Bernoulli), &bernoulli_hessian(half, &rows, &targets), 1e-14, "Bernoulli");
    same(&fisher(half, Likelihood::Poisson), &poisson_hessian(half, &rows, &targets), 1e-14, "Poisson");
    same(
        &fisher(&W, Likelihood::Categorical { classes: 2 }),
        &categorical_hessian(&W, &rows, &labels),
        1e-14,
        "categorical",
    );
    let least_squares = GaussNewton::new(
        3,
        |v: &[f64], out: &mut [f64]| jvp(half, v, out),
        |u: &[f64], out: &mut [f64]| vjp(half, u, out),
        Identity::new(4),
    );
    same(&least_squares.scaled(4.0), &gaussian_hessian(half, &rows, &targets), 1e-14, "least squares");

    // Scores by the generated gradient, row by row: the outer products are those of a low rank that is kept.
    let score = |row: usize, out: &mut [f64]| {
        bernoulli_grad(half, &rows[row..=row], &targets[row..=row], out);
    };
    let empirical = EmpiricalFisher::new(3, 4, score);
    let mut scores = vec![0.0; 12];
    for row in 0..4 {
        let mut one = [0.0; 3];
        score(row, &mut one);
        for i in 0..3 {
            scores[i * 4 + row] = one[i];
        }
    }
    same(&empirical, &LowRank::new(3, scores, Identity::new(4)), 1e-14, "empirical");

    // Differences of the generated gradient.
    let gradient = |w: &[f64], out: &mut [f64]| {
        poisson_grad(w, &rows, &targets, out);
    };
    let exact = poisson_hessian(half, &rows, &targets);
    same(&FiniteDifference::forward(half.to_vec(), gradient), &exact, 1e-6, "forward differences");
    same(&FiniteDifference::central(half.to_vec(), gradient), &exact, 1e-9, "central differences");
    same(&poisson_linearize(half, &rows, &targets), &exact, 1e-14, "linearised");
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
    let sum: f64 = x.iter().sum();
    (sum * 0.1).exp()
}

/// Each variable meets those up to `reach` further on.
#[differentiable]
fn banded(x: &[f64], reach: usize) -> f64 {
    let mut s = 0.0;
    for i in 0..x.len() {
        for j in i..x.len().min(i + reach + 1) {
            s += (x[i] + 2.0 * x[j]).cos();
        }
    }
    s
}

#[differentiable]
fn branching(x: &[f64]) -> f64 {
    if x[0] > 0.0 { x[1] * x[2] } else { x[1] + x[2] * x[2] }
}

#[differentiable]
fn larger(x: &[f64]) -> f64 {
    x[0].max(x[1] * x[2])
}

#[differentiable]
fn side(x: &[f64], left: bool) -> f64 {
    if left { x[0] * x[1] } else { x[1] * x[2] }
}

#[differentiable]
fn until(x: &[f64]) -> f64 {
    let mut product = 1.0;
    for v in x {
        if product > 4.0 {
            break;
        }
        product *= v;
    }
    product
}

/// Assembled by every kind of colouring, in every order, it is the dense matrix.
fn matches_dense(sparsity: Sparsity, operator: &dyn HessianOperator<Scalar = f64>) {
    let dense = Dense::of(operator);
    let dim = operator.dim();
    for order in Order::ALL {
        for method in [Coloring::star, Coloring::acyclic] {
            let plan = SparsePlan::new(sparsity.pattern.clone(), &method(&sparsity.pattern, order));
            let matrix = plan.expect("a colouring of this pattern").assemble(operator);
            for (i, j) in (0..dim * dim).map(|k| (k / dim, k % dim)) {
                let (found, expected) = (matrix.get(i, j), dense.row(i)[j]);
                assert!((found - expected).abs() <= 1e-12 * (1.0 + expected.abs()), "{order:?}: ({i}, {j})");
            }
        }
    }
}

fn colors(pattern: &Pattern) -> (usize, usize) {
    (Coloring::star(pattern, Order::Natural).count(), Coloring::acyclic(pattern, Order::Natural).count())
}

#[test]
fn known_patterns() {
    let n = 20;
    let x: Vec<f64> = (0..n).map(|i| (f64::from(i) * 0.7 + 0.3).sin()).collect();
    let n = x.len();

    let sparsity = arrowhead_sparsity(&x);
    let reversed = Pattern::arrowhead(n, 1).iter().map(|(i, j)| (n - 1 - i, n - 1 - j)).collect::<Vec<_>>();
    assert_eq!(sparsity.pattern, Pattern::from_pairs(n, reversed).expect("in range"));
    assert!(sparsity.for_all_inputs);
    assert_eq!(colors(&sparsity.pattern), (2, 2));
    matches_dense(sparsity, &arrowhead_hessian(&x));

    let sparsity = separable_sparsity(&x);
    assert_eq!(sparsity.pattern, Pattern::banded(n, 0));
    assert!(sparsity.for_all_inputs);
    assert_eq!(colors(&sparsity.pattern), (1, 1));
    matches_dense(sparsity, &separable_linearize(&x));

    let sparsity = dense_sparsity(&x);
    assert_eq!(sparsity.pattern, Pattern::dense(n));
    assert!(sparsity.for_all_inputs);
    assert_eq!(colors(&sparsity.pattern), (n, n));
    matches_dense(sparsity, &dense_hessian(&x));

    for reach in [1, 2, 3, 5] {
        let sparsity = banded_sparsity(&x, reach);
        assert_eq!(sparsity.pattern, Pattern::banded(n, reach));
        assert!(sparsity.for_all_inputs);
        assert_eq!(colors(&sparsity.pattern), (2 * reach + 1, reach + 1));
        matches_dense(sparsity, &banded_hessian(&x, reach));
    }
}

#[test]
fn what_a_pattern_is_valid_for() {
    // Branches on active values: what was not taken is not in it.
    let (up, down) = (branching_sparsity(&[1.0, 2.0, 3.0]), branching_sparsity(&[-1.0, 2.0, 3.0]));
    assert!(!up.for_all_inputs && !down.for_all_inputs);
    assert!(up.pattern.iter().eq([(1, 2), (2, 1)]));
    assert!(down.pattern.iter().eq([(2, 2)]));
    let (early, late) = (until_sparsity(&[5.0, 1.0, 1.0]), until_sparsity(&[1.0, 1.0, 1.0]));
    assert!(!early.for_all_inputs && !late.for_all_inputs);
    assert_eq!(early.pattern, Pattern::empty(3));
    assert!(late.pattern.rows().eq([&[1, 2][..], &[0, 2], &[0, 1]]));

    // Either side of a maximum is in it, whichever is larger: it is valid for all inputs.
    for x in [[5.0, 1.0, 2.0], [1.0, 5.0, 2.0]] {
        let sparsity = larger_sparsity(&x);
        assert!(sparsity.for_all_inputs);
        assert!(sparsity.pattern.position(1, 2).is_some());
        matches_dense(sparsity, &larger_hessian(&x));
    }

    // A branch on data: valid for all inputs with these data.
    let x = [0.5; 3];
    let (left, right) = (side_sparsity(&x, true), side_sparsity(&x, false));
    assert!(left.for_all_inputs && right.for_all_inputs);
    assert!(left.pattern.iter().eq([(0, 1), (1, 0)]) && right.pattern.iter().eq([(1, 2), (2, 1)]));
}

/// `f_hessian` calls the products that stand beside it, or brings along what `only(..)` leaves out: of one cubic, `x²y`, in all places
/// where functions stand.
#[allow(non_upper_case_globals, dead_code)]
mod places {
    use ad_runtime::differentiable;
    use ad_runtime::operators::{Hessian, HessianOperator};

    pub(crate) struct Cubic<const N: usize>(pub(crate) f64);

    impl<const N: usize> Cubic<N> {
        #[differentiable]
        pub(crate) fn method(&self, x: &[f64; N]) -> f64 {
            self.0 * x[0] * x[0] * x[1]
        }

        #[differentiable(only(hessian))]
        pub(crate) fn method_alone(&self, x: &[f64; N]) -> f64 {
            self.0 * x[0] * x[0] * x[1]
        }

        #[differentiable(only(hessian, grad))]
        pub(crate) fn method_in_part(&self, x: &[f64; N]) -> f64 {
            self.0 * x[0] * x[0] * x[1]
        }

        #[differentiable]
        pub(crate) fn associated(x: &[f64; N]) -> f64 {
            x[0] * x[0] * x[1]
        }

        #[differentiable(only(hessian))]
        pub(crate) fn associated_alone(x: &[f64; N]) -> f64 {
            x[0] * x[0] * x[1]
        }
    }

    pub(crate) trait Cost {
        fn of_trait(&self, x: &[f64]) -> f64;
        fn of_trait_alone(&self, x: &[f64]) -> f64;
    }

    impl Cost for Cubic<2> {
        #[differentiable]
        fn of_trait(&self, x: &[f64]) -> f64 {
            self.0 * x[0] * x[0] * x[1]
        }

        #[differentiable(only(hessian))]
        fn of_trait_alone(&self, x: &[f64]) -> f64 {
            self.0 * x[0] * x[0] * x[1]
        }
    }

    #[differentiable(wrt(x))]
    pub(crate) fn generic<D: Copy + Into<f64>, const N: usize>(x: &[f64; N], d: D) -> f64 {
        let d: f64 = d.into();
        d * x[0] * x[0] * x[1]
    }

    #[differentiable(wrt(x), only(hessian))]
    pub(crate) fn generic_alone<D: Copy + Into<f64>, const N: usize>(x: &[f64; N], d: D) -> f64 {
        let d: f64 = d.into();
        d * x[0] * x[0] * x[1]
    }

    /// A parameter and a constant hide what stands beside.
    #[differentiable(wrt(x))]
    pub(crate) fn hidden<const hidden_grad: usize>(x: &[f64; hidden_grad], hidden_hvp: f64) -> f64 {
        hidden_hvp * x[0] * x[0] * x[1]
    }

    /// Two of one text: it is not known which is which.
    pub(crate) mod inner {
        use ad_runtime::differentiable;

        #[differentiable]
        pub(crate) fn twice(x: &[f64]) -> f64 {
            x[0] * x[0] * x[1]
        }

        pub(crate) struct Same;

        impl Same {
            #[differentiable]
            pub(crate) fn twice(x: &[f64]) -> f64 {
                x[0] * x[0] * x[1]
            }

            #[differentiable]
            pub(crate) fn of_a_macro(x: &[f64]) -> f64 {
                x[0] * x[0] * x[1] * 1.0
            }
        }
    }

    macro_rules! made {
        ($name:ident) => {
            #[differentiable]
            pub(crate) fn $name(x: &[f64]) -> f64 {
                x[0] * x[0] * x[1]
            }
        };
    }
    made!(by_macro);

    /// A call that counts where it comes from.
    #[differentiable]
    #[track_caller]
    #[must_use]
    pub(crate) fn with_attributes(x: &[f64]) -> f64 {
        x[0] * x[0] * x[1]
    }

    #[differentiable]
    #[deprecated(note = "to be seen through")]
    pub(crate) fn old(x: &[f64]) -> f64 {
        x[0] * x[0] * x[1]
    }

    fn check<P, G, B>(operator: &Hessian<f64, P, G, B>)
    where
        P: Fn(&[f64], &mut [f64]),
        G: Fn(&mut [f64]) -> f64,
        Hessian<f64, P, G, B>: HessianOperator<Scalar = f64>,
    {
        let (mut column, mut block, mut gradient) = ([f64::NAN; 2], [f64::NAN; 10], [f64::NAN; 2]);
        operator.apply(&[1.0, 10.0], &mut column);
        assert_eq!(column, [46.0, 4.0]);
        // Five directions, four of which go together.
        operator.apply_block(&[1.0, 10.0, 1.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 2.0], &mut block);
        assert_eq!(block, [46.0, 4.0, 6.0, 4.0, 4.0, 0.0, 12.0, 8.0, 8.0, 0.0]);
        assert_eq!(operator.gradient(&mut gradient), 12.0);
        assert_eq!(gradient, [12.0, 4.0]);
    }

    #[test]
    #[allow(deprecated)]
    fn hessians_call_what_stands_beside_them_or_bring_it_along() {
        #[differentiable]
        fn nested(x: &[f64]) -> f64 {
            x[0] * x[0] * x[1]
        }
        let (x, xs, cubic) = ([2.0, 3.0], &[2.0, 3.0][..], Cubic::<2>(1.0));
        check(&cubic.method_hessian(&x));
        check(&cubic.method_alone_hessian(&x));
        check(&cubic.method_in_part_hessian(&x));
        check(&Cubic::<2>::associated_hessian(&x));
        check(&Cubic::<2>::associated_alone_hessian(&x));
        check(&cubic.of_trait_hessian(xs));
        check(&cubic.of_trait_alone_hessian(xs));
        check(&generic_hessian(&x, 1.0_f32));
        check(&generic_alone_hessian(&x, 1.0_f32));
        check(&hidden_hessian(&x, 1.0));
        check(&inner::twice_hessian(xs));
        check(&inner::Same::twice_hessian(xs));
        check(&inner::Same::of_a_macro_hessian(xs));
        check(&by_macro_hessian(xs));
        check(&with_attributes_hessian(xs));
        check(&old_hessian(xs));
        check(&nested_hessian(xs));
    }
}
