//! From a differentiated function to its sparse Hessian.

use ad_runtime::differentiable;
use ad_runtime::operators::HessianOperator;
use ad_runtime::sparse::{
    Coloring, CompressedHessian, IndexSet, Order, Pattern, PatternRecorder, SparsePlan,
};

#[differentiable]
fn rosenbrock(x: &[f64]) -> f64 {
    let mut total = 0.0;
    for i in 0..x.len() - 1 {
        let difference = x[i + 1] - x[i] * x[i];
        let distance = 1.0 - x[i];
        total += 100.0 * difference * difference + distance * distance;
    }
    total
}

/// The same, on sets.
fn rosenbrock_pattern(n: usize) -> Pattern {
    let mut recorder = PatternRecorder::new(n);
    let x = recorder.inputs(0..n);
    let mut total = IndexSet::new();
    for i in 0..n - 1 {
        let square = recorder.bilinear(&x[i], &x[i]);
        let difference = recorder.union(&x[i + 1], &square);
        let first = recorder.bilinear(&difference, &difference);
        let second = recorder.bilinear(&x[i], &x[i]);
        let term = recorder.union(&first, &second);
        total = recorder.union(&total, &term);
    }
    assert_eq!(recorder.indices(&total).len(), n);
    recorder.finish()
}

#[test]
fn chained_rosenbrock() {
    for n in [2, 64, 65, 1000] {
        let pattern = rosenbrock_pattern(n);
        for (coloring, products) in
            [(Coloring::star(&pattern, Order::Natural), 3), (Coloring::acyclic(&pattern, Order::Natural), 2)]
        {
            let plan = SparsePlan::new(pattern.clone(), &coloring).unwrap();
            assert_eq!(plan.products(), products.min(n));
            let mut compressed = CompressedHessian::new(plan);
            for start in [-1.2, 0.7] {
                let x: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { start } else { 1.0 }).collect();
                let operator = rosenbrock_hessian(&x);
                let hessian = compressed.assemble(&operator);
                assert_eq!(hessian.verify(&operator), Ok(()));
                for i in 0..n {
                    let inner = if i + 1 < n { 1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0 } else { 0.0 };
                    let expected = inner + if i > 0 { 200.0 } else { 0.0 };
                    assert!((hessian.get(i, i) - expected).abs() < 1e-9, "{i}");
                    if i + 1 < n {
                        assert!((hessian.get(i, i + 1) + 400.0 * x[i]).abs() < 1e-9, "{i}");
                    }
                }
                let v: Vec<f64> = (0..n).map(|i| (i as f64).sin()).collect();
                let (mut sparse, mut exact) = (vec![0.0; n], vec![0.0; n]);
                hessian.apply(&v, &mut sparse);
                operator.apply(&v, &mut exact);
                assert!(sparse.iter().zip(&exact).all(|(a, b)| (a - b).abs() < 1e-8));
            }
        }
    }
}
