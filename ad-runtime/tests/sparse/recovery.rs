//! Hessians assembled from products, against the matrices that the products are of.

use std::cell::Cell;
use std::sync::Arc;

use ad_runtime::operators::{HessianOperator, Scalar};
use ad_runtime::sparse::{Coloring, ColoringError, CompressedHessian, Order, Pattern, Sparse, SparsePlan};
use proptest::prelude::*;

use crate::common::{grid, patterns, tree};

/// A dense matrix that knows nothing of its pattern, and counts its products.
struct Dense<T> {
    dim: usize,
    entries: Vec<T>,
    products: Cell<usize>,
}

impl<T: Scalar> From<&Sparse<T>> for Dense<T> {
    fn from(matrix: &Sparse<T>) -> Self {
        Self { dim: matrix.dim(), entries: matrix.to_dense(), products: Cell::new(0) }
    }
}

impl<T: Scalar> HessianOperator for Dense<T> {
    type Scalar = T;
    fn dim(&self) -> usize {
        self.dim
    }
    fn apply(&self, v: &[T], out: &mut [T]) {
        self.products.set(self.products.get() + 1);
        for (out, row) in out.iter_mut().zip(self.entries.chunks(self.dim.max(1))) {
            *out = row.iter().zip(v).map(|(&h, &v)| h * v).sum();
        }
    }
}

/// Small integers, so that sums are exact in every order; no two rows alike, and none of them zero.
fn matrix<T: Scalar>(pattern: &Pattern) -> Sparse<T> {
    let value = |(i, j): (usize, usize)| {
        let (low, high) = (i.min(j), i.max(j));
        let magnitude = 1 + (7 * low + 13 * high + 5 * low * high) % 101;
        T::from(if (low + high) % 3 == 0 { -(magnitude as f64) } else { magnitude as f64 }).unwrap()
    };
    Sparse::new(pattern.clone(), pattern.iter().map(value).collect())
}

fn colorings(pattern: &Pattern) -> impl Iterator<Item = (Coloring, bool)> + '_ {
    Order::ALL.into_iter().flat_map(|order| {
        [(Coloring::star(pattern, order), true), (Coloring::acyclic(pattern, order), false)]
    })
}

/// Both kinds of colourings in all orders, several numbers of lanes.
fn check_recovery<T: Scalar>(pattern: &Pattern) {
    let expected = matrix::<T>(pattern);
    for (coloring, star) in colorings(pattern) {
        let plan = SparsePlan::new(pattern.clone(), &coloring).unwrap();
        assert!(plan.products() <= coloring.count());
        assert!(!star || plan.depth() == 0, "recovery from a star colouring is direct");
        for lanes in [1, 2, 3, 8, 1000] {
            let operator = Dense::from(&expected);
            let mut compressed = CompressedHessian::with_lanes(&plan, lanes);
            assert_eq!(compressed.assemble(&operator), &expected);
            assert_eq!(operator.products.get(), plan.products());
            assert_eq!(compressed.hessian().verify(&operator), Ok(()));
        }
        assert_eq!(plan.assemble(&expected), expected);
    }
}

proptest! {
    #[test]
    fn random_matrices(pattern in patterns(30)) {
        check_recovery::<f64>(&pattern);
    }
}

#[test]
fn matrices_of_all_sizes() {
    for n in [0, 1, 2, 3, 64, 65] {
        let sparse = Pattern::from_pairs(n, (0..n).map(|i| (i, i * i % n))).unwrap();
        for pattern in [
            Pattern::empty(n),
            Pattern::banded(n, 0),
            Pattern::banded(n, 1),
            Pattern::banded(n, 4),
            Pattern::arrowhead(n, 2),
            sparse,
        ] {
            check_recovery::<f64>(&pattern);
            check_recovery::<f32>(&pattern);
        }
    }
    check_recovery::<f64>(&Pattern::dense(17));
    check_recovery::<f64>(&tree(100, 3));
    check_recovery::<f64>(&grid(7, 9));
}

fn star_plan(pattern: &Pattern) -> SparsePlan {
    SparsePlan::new(pattern.clone(), &Coloring::star(pattern, Order::default())).unwrap()
}

#[test]
fn products_that_are_not_needed_are_not_made() {
    let isolated = Pattern::from_pairs(70, [(3, 3), (3, 64)]).unwrap();
    let bipartite = Pattern::from_pairs(9, (1..9).map(|i| (0, i))).unwrap(); // one star, no diagonal
    for (pattern, products) in [
        (Pattern::empty(64), 0),
        (Pattern::empty(0), 0),
        (Pattern::banded(64, 0), 1),
        (Pattern::arrowhead(64, 1), 2),
        (bipartite, 1),
        (isolated, 1),
    ] {
        assert_eq!(star_plan(&pattern).products(), products, "{pattern:?}");
        check_recovery::<f64>(&pattern);
    }
}

#[test]
fn directions_are_unit_vectors_of_one_colour() {
    let plan = SparsePlan::new(Pattern::banded(7, 1), &Coloring::new(vec![0, 1, 2, 0, 1, 2, 0])).unwrap();
    assert_eq!([plan.direction(0), plan.direction(1), plan.direction(2)], [&[0, 3, 6][..], &[1, 4], &[2, 5]]);
}

/// The longest chain there is: rounding errors add up along it, and stay in proportion to its length.
#[test]
fn substitution_in_a_long_chain() {
    let pattern = Pattern::banded(2000, 1);
    let expected: Vec<f64> = pattern.iter().map(|(i, j)| ((i + j) as f64).sin()).collect();
    let expected = Sparse::new(pattern.clone(), expected);
    let plan = SparsePlan::new(pattern.clone(), &Coloring::acyclic(&pattern, Order::Natural)).unwrap();
    assert_eq!((plan.products(), plan.depth()), (2, 999));
    let found = plan.assemble(&expected);
    let error = found.values().iter().zip(expected.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(error > 0.0 && error < 2000.0 * f64::EPSILON, "{error:e}");
    assert_eq!(found.verify(&expected), Ok(()));
    // Direct recovery copies.
    assert_eq!(star_plan(&pattern).assemble(&expected), expected);
}

#[test]
fn a_wrong_pattern_is_noticed() {
    let truth = matrix::<f64>(&Pattern::banded(65, 2));
    let missing_one =
        Pattern::from_pairs(65, truth.pattern().iter().filter(|&(i, j)| i.min(j) != 20 || i == j)).unwrap();
    for wrong in [Pattern::banded(65, 1), Pattern::empty(65), missing_one] {
        for (coloring, _) in colorings(&wrong) {
            let plan = SparsePlan::new(wrong.clone(), &coloring).unwrap();
            let mismatch = plan.assemble(&truth).verify(&truth).unwrap_err();
            assert_ne!(mismatch.found, mismatch.expected);
            assert!(mismatch.to_string().contains("pattern lacks an entry"));
        }
    }
    // More entries than needed cost products, and do no harm.
    let wide = star_plan(&Pattern::banded(65, 5)).assemble(&truth);
    assert_eq!(wide.to_dense(), truth.to_dense());
    assert_eq!(wide.verify(&truth), Ok(()));
}

#[test]
fn what_is_not_finite_is_noticed() {
    for bad in [f64::NAN, f64::INFINITY] {
        let mut entries = matrix::<f64>(&Pattern::banded(9, 1)).values().to_vec();
        entries[4] = bad;
        let truth = Sparse::new(Pattern::banded(9, 1), entries);
        for (coloring, _) in colorings(truth.pattern()) {
            let plan = SparsePlan::new(truth.pattern().clone(), &coloring).unwrap();
            assert!(plan.assemble(&truth).verify(&truth).is_err());
        }
    }
}

#[test]
fn rounding_is_no_mismatch() {
    let pattern = Pattern::banded(200, 3).union(&Pattern::arrowhead(200, 2));
    for scale in [1e-200, 1.0, 1e200] {
        let value = |(i, j): (usize, usize)| scale * ((i * j) as f64 + (i + j) as f64 / 3.0).cos();
        let truth = Sparse::new(pattern.clone(), pattern.iter().map(value).collect());
        for (coloring, _) in colorings(&pattern) {
            let plan = SparsePlan::new(pattern.clone(), &coloring).unwrap();
            assert_eq!(plan.assemble(&truth).verify(&truth), Ok(()));
        }
    }
}

#[test]
fn colorings_that_do_not_suit_are_refused() {
    let path = Pattern::banded(4, 1);
    let same = SparsePlan::new(path, &Coloring::new(vec![0, 1, 1, 0])).unwrap_err();
    assert_eq!(same, ColoringError::SameColor(1, 2));
    // A cycle of four with a tail: the tail can be found, the cycle cannot.
    let cycle = Pattern::from_pairs(6, [(0, 1), (1, 2), (2, 3), (3, 0), (3, 4), (4, 5)]).unwrap();
    let error = SparsePlan::new(cycle.clone(), &Coloring::new(vec![0, 1, 0, 1, 0, 1])).unwrap_err();
    assert!(matches!(error, ColoringError::Cycle(i, j) if i < 4 && j < 4), "{error}");
    // One's own that is acyclic will do, whether it is a star colouring or not.
    let plan = SparsePlan::new(cycle.clone(), &Coloring::new(vec![0, 1, 0, 2, 1, 2])).unwrap();
    assert_eq!(plan.assemble(&matrix::<f64>(&cycle)), matrix(&cycle));
}

#[test]
fn one_plan_for_many() {
    let pattern = Arc::new(grid(5, 6));
    let plan = Arc::new(SparsePlan::new(pattern.clone(), &Coloring::star(&pattern, Order::Natural)).unwrap());
    let mut single = CompressedHessian::<f32, _>::new(plan.clone());
    let mut double = CompressedHessian::<f64, _>::new(plan);
    assert!(Arc::ptr_eq(single.hessian().pattern(), double.hessian().pattern()));
    single.assemble(&matrix(&pattern));
    for scale in [1.0, 2.0, -3.0] {
        let values = matrix::<f64>(&pattern).values().iter().map(|h| scale * h).collect();
        let truth = Sparse::new(pattern.clone(), values);
        assert_eq!(double.assemble(&truth), &truth);
    }
    assert_eq!(single.into_hessian(), matrix(&pattern));
}

#[test]
fn assembling_again_allocates_nothing() {
    for (coloring, _) in colorings(&grid(10, 10)) {
        let plan = SparsePlan::new(grid(10, 10), &coloring).unwrap();
        let truth = matrix::<f64>(plan.pattern());
        let mut compressed = CompressedHessian::with_lanes(plan, 2);
        let allocations = allocation_counter::measure(|| {
            compressed.assemble(&truth);
            compressed.assemble(&truth);
        });
        assert_eq!((allocations.count_total, compressed.hessian()), (0, &truth));
    }
}

#[test]
fn a_million_variables() {
    let pattern = Arc::new(Pattern::banded(1_000_000, 1));
    let truth = matrix::<f64>(&pattern);
    for (coloring, products) in
        [(Coloring::star(&pattern, Order::Natural), 3), (Coloring::acyclic(&pattern, Order::Natural), 2)]
    {
        let plan = SparsePlan::new(pattern.clone(), &coloring).unwrap();
        assert_eq!(plan.products(), products);
        assert_eq!(plan.assemble(&truth), truth);
    }
}

#[test]
#[should_panic(expected = "argument `coloring` is of 3 variables, expected 4")]
fn a_coloring_of_other_variables() {
    let _ = SparsePlan::new(Pattern::banded(4, 1), &Coloring::new(vec![0, 1, 2]));
}

#[test]
#[should_panic(expected = "argument `operator` has length 5, expected 4")]
fn an_operator_of_another_dimension() {
    star_plan(&Pattern::banded(4, 1)).assemble(&matrix::<f64>(&Pattern::banded(5, 1)));
}

#[test]
#[should_panic(expected = "argument `lanes` is 0")]
fn no_lanes() {
    let _ = CompressedHessian::<f64, _>::with_lanes(star_plan(&Pattern::banded(4, 1)), 0);
}
