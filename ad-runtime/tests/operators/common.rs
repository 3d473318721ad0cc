//! Random matrices, and what every operator must be equal to its dense form in.

use ad_runtime::operators::{Dense, HessianOperator, Scalar};

pub(crate) trait Real: Scalar + std::fmt::Display {}
impl Real for f32 {}
impl Real for f64 {}

/// Around the ends of loops that are unrolled, and of blocks.
pub(crate) const SIZES: [usize; 4] = [1, 2, 64, 65];

pub(crate) fn random<T: Real>(rng: &mut fastrand::Rng, length: usize) -> Vec<T> {
    (0..length).map(|_| T::from(2.0 * rng.f64() - 1.0).unwrap()).collect()
}

pub(crate) fn random_symmetric<T: Real>(rng: &mut fastrand::Rng, n: usize) -> Vec<T> {
    Dense::symmetric(n, random(rng, n * n)).into_entries()
}

/// An entry that is zero unless a condition holds.
pub(crate) fn on<T: Real>(condition: bool, entry: T) -> T {
    if condition { entry } else { T::zero() }
}

/// A matrix from its entries.
pub(crate) fn matrix<T: Real>(n: usize, entry: impl Fn(usize, usize) -> T) -> Vec<T> {
    (0..n * n).map(|at| entry(at / n, at % n)).collect()
}

/// That all methods of an operator agree with a matrix, given row by row, to rounding.
#[track_caller]
pub(crate) fn check_operator<T: Real>(operator: &(impl HessianOperator<Scalar = T> + ?Sized), dense: &[T]) {
    check_operator_within(operator, dense, T::epsilon() * T::from(100.0).unwrap());
}

/// That all methods of an operator agree with a matrix, given row by row, up to `tolerance` relative to the largest
/// product that could be.
#[track_caller]
pub(crate) fn check_operator_within<T: Real>(
    operator: &(impl HessianOperator<Scalar = T> + ?Sized),
    dense: &[T],
    tolerance: T,
) {
    let n = operator.dim();
    assert_eq!(dense.len(), n * n, "the dimension");
    let largest = dense.iter().fold(T::one(), |largest, entry| largest.max(entry.abs()));
    let tolerance = tolerance * largest * T::from(n.max(1)).unwrap();
    let close = |found: T, expected: T, what: &str| {
        assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected} (n = {n})");
    };
    let mut rng = fastrand::Rng::with_seed(0);
    for lanes in [1, 3, 8, 9] {
        let directions: Vec<T> = random(&mut rng, n * lanes);
        let expected: Vec<T> = directions
            .chunks_exact(n)
            .flat_map(|v| dense.chunks_exact(n).map(move |row| row.iter().zip(v).map(|(&a, &v)| a * v).sum()))
            .collect();
        let mut block = vec![T::nan(); n * lanes];
        operator.apply_block(&directions, &mut block);
        for (&found, &expected) in block.iter().zip(&expected) {
            close(found, expected, "apply_block");
        }
        for (v, expected) in directions.chunks_exact(n).zip(expected.chunks_exact(n)) {
            let mut out = vec![T::nan(); n];
            operator.apply(v, &mut out);
            for (&found, &expected) in out.iter().zip(expected) {
                close(found, expected, "apply");
            }
            let form = v.iter().zip(expected).map(|(&v, &product)| v * product).sum();
            close(operator.quadratic_form(v), form, "quadratic_form");
        }
    }
    let mut diagonal = vec![T::nan(); n];
    if operator.diagonal(&mut diagonal) {
        for (i, &found) in diagonal.iter().enumerate() {
            close(found, dense[i * n + i], "diagonal");
        }
    } else {
        assert!(diagonal.iter().all(|entry| entry.is_nan()), "the diagonal is unknown, but was written to");
    }
    for (&found, &expected) in Dense::of(operator).entries().iter().zip(dense) {
        close(found, expected, "Dense::of");
    }
    if operator.properties().symmetric {
        for i in 0..n {
            for j in 0..i {
                close(dense[i * n + j], dense[j * n + i], "an operator that says it is symmetric");
            }
        }
    }
}
