//! The sparse matrix as an operator and as data.

use ad_runtime::operators::{HessianOperator, Properties};
use ad_runtime::sparse::{Pattern, PatternError, Sparse, TripletError};
use proptest::prelude::*;

use crate::common::patterns;

/// A matrix of a random pattern, and three vectors in a block.
fn cases() -> impl Strategy<Value = (Sparse<f64>, Vec<f64>)> {
    patterns(20).prop_flat_map(|pattern| {
        let n = pattern.dim();
        let values = prop::collection::vec(-9i32..=9, n * n);
        let block = prop::collection::vec(-9i32..=9, 3 * n);
        (values, block).prop_map(move |(values, block)| {
            let value = |(i, j): (usize, usize)| f64::from(values[i.min(j) * n + i.max(j)]);
            let matrix = Sparse::new(pattern.clone(), pattern.iter().map(value).collect());
            (matrix, block.into_iter().map(f64::from).collect())
        })
    })
}

proptest! {
    #[test]
    fn equals_its_dense_form((matrix, block) in cases()) {
        let n = matrix.dim();
        let dense = matrix.to_dense();
        let mut all = vec![f64::NAN; 3 * n];
        matrix.apply_block(&block, &mut all);
        for (v, products) in block.chunks(n).zip(all.chunks(n)) {
            let expected: Vec<f64> = dense.chunks(n).map(|row| row.iter().zip(v).map(|(h, v)| h * v).sum()).collect();
            let mut out = vec![f64::NAN; n];
            matrix.apply(v, &mut out);
            prop_assert_eq!(&out, &expected);
            prop_assert_eq!(products, &expected[..]);
            prop_assert_eq!(matrix.quadratic_form(v), expected.iter().zip(v).map(|(h, v)| h * v).sum::<f64>());
        }
        let mut diagonal = vec![f64::NAN; n];
        prop_assert!(matrix.diagonal(&mut diagonal));
        prop_assert!(diagonal.iter().enumerate().all(|(i, &h)| h == dense[i * n + i]));
        prop_assert_eq!(matrix.properties(), Properties::SYMMETRIC);
        prop_assert_eq!(matrix.verify(&matrix), Ok(()));

        let entries: Vec<(usize, usize, f64)> = matrix.triplets().collect();
        let by_rows: Vec<_> = matrix.rows().enumerate()
            .flat_map(|(i, (columns, values))| columns.iter().zip(values).map(move |(&j, &h)| (i, j, h)))
            .collect();
        prop_assert_eq!(&entries, &by_rows);
        prop_assert!(entries.iter().all(|&(i, j, h)| h == matrix.get(j, i) && h == dense[i * n + j]));
        prop_assert_eq!(Sparse::from_triplets(n, entries.into_iter().rev()), Ok(matrix));
    }
}

#[test]
fn triplets_are_added_up_and_checked() {
    let parts = [(0, 1, 2.0), (1, 1, 1.0), (1, 0, 2.5), (0, 1, 0.5), (1, 1, 1.0)];
    let matrix = Sparse::from_triplets(2, parts).unwrap();
    assert_eq!(matrix.to_dense(), [0.0, 2.5, 2.5, 2.0]);
    assert_eq!(matrix.row(0), (&[1][..], &[2.5][..]));

    let out_of_range = TripletError::OutOfRange(PatternError { entry: (2, 0), dim: 2 });
    assert_eq!(Sparse::from_triplets(2, [(2, 0, 1.0)]), Err(out_of_range));
    assert_eq!(Sparse::from_triplets(2, [(0, 1, 1.0)]), Err(TripletError::NotSymmetric(0, 1)));
    assert_eq!(Sparse::from_triplets(2, [(1, 1, f64::NAN)]), Err(TripletError::NotSymmetric(1, 1)));
    assert!(out_of_range.to_string().contains("(2, 0)"));
}

#[test]
fn other_matrices_are_told_apart() {
    let a = Sparse::<f32>::new(Pattern::banded(65, 1), vec![1.0; 193]);
    let mut values = a.values().to_vec();
    values[100] = 1.01;
    let row = (0..65).find(|&i| a.pattern().starts()[i + 1] > 100).unwrap();
    assert_eq!(a.verify(&Sparse::new(Pattern::banded(65, 1), values)).unwrap_err().row, row);
}

fn three() -> Sparse<f64> {
    Sparse::zeros(Pattern::banded(3, 1))
}

#[test]
#[should_panic(expected = "apply: argument `v` has length 2, expected 3")]
fn a_direction_too_short() {
    three().apply(&[0.0; 2], &mut [0.0; 3]);
}

#[test]
#[should_panic(expected = "apply: argument `out` has length 4, expected 3")]
fn an_output_too_long() {
    three().apply(&[0.0; 3], &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "expected the same multiple of 3")]
fn a_block_of_parts() {
    three().apply_block(&[0.0; 4], &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "quadratic_form: argument `v` has length 4, expected 3")]
fn a_quadratic_form_too_long() {
    three().quadratic_form(&[0.0; 4]);
}

#[test]
#[should_panic(expected = "diagonal: argument `out` has length 1, expected 3")]
fn a_diagonal_too_short() {
    let _ = three().diagonal(&mut [0.0]);
}

#[test]
#[should_panic(expected = "argument `values` has length 1, expected 7")]
fn values_too_few() {
    let _ = Sparse::new(Pattern::banded(3, 1), vec![1.0]);
}

#[test]
#[should_panic(expected = "argument `operator` has length 3, expected 4")]
fn compared_with_another_dimension() {
    let _ = Sparse::<f64>::zeros(Pattern::empty(4)).verify(&three());
}
