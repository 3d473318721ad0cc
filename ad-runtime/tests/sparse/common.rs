//! Patterns that the tests share.

use ad_runtime::sparse::Pattern;
use proptest::prelude::*;

/// Random patterns of up to `n` variables, with up to some four entries a row; some variables have none.
pub(crate) fn patterns(n: usize) -> impl Strategy<Value = Pattern> {
    (1..=n).prop_flat_map(|n| {
        prop::collection::vec((0..n, 0..n), 0..4 * n)
            .prop_map(move |pairs| Pattern::from_pairs(n, pairs).unwrap())
    })
}

/// The parent of variable `i` is `(i - 1) / arity`: breadth first.
pub(crate) fn tree(n: usize, arity: usize) -> Pattern {
    Pattern::from_pairs(n, (1..n).map(|i| (i, (i - 1) / arity))).unwrap()
}

/// Each variable with its neighbours in a rectangular grid, row by row: the five-point stencil.
pub(crate) fn grid(rows: usize, columns: usize) -> Pattern {
    let right = (0..rows * columns).filter(|i| (i + 1) % columns > 0).map(|i| (i, i + 1));
    let below = (columns..rows * columns).map(|i| (i - columns, i));
    let itself = (0..rows * columns).map(|i| (i, i));
    Pattern::from_pairs(rows * columns, itself.chain(right).chain(below)).unwrap()
}
