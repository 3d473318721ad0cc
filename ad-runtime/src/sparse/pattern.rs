//! Symmetric sparsity patterns: which entries of a Hessian may be nonzero.
//!
//! The pattern only: no values ([`Sparse`](super::Sparse) has them), and nothing about how it is found.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// Where a symmetric matrix may be nonzero, by rows: for each row the columns, ascending, of both triangles and of the
/// diagonal where it is present.
///
/// Takes `dim + 1 + nnz` words. Every construction is linear in the dimension and the number of entries given.
///
/// ```
/// use ad_runtime::sparse::Pattern;
///
/// let pattern = Pattern::from_pairs(4, [(0, 0), (2, 1)])?; // one of each pair of mirrored entries is enough
/// assert_eq!(pattern.nnz(), 3);
/// assert_eq!(pattern.row(1), [2]);
/// assert!(pattern.row(3).is_empty());
/// assert_eq!(pattern.iter().collect::<Vec<_>>(), [(0, 0), (1, 2), (2, 1)]);
///
/// let union = pattern.union(&Pattern::banded(4, 0));
/// assert_eq!(union.row(1), [1, 2]);
/// # Ok::<(), ad_runtime::sparse::PatternError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Of length `dim + 1`: row `i` is in `starts[i]..starts[i + 1]` of `columns`.
    starts: Vec<usize>,
    columns: Vec<usize>,
}

/// An index that a pattern of the dimension does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// The row and the column of the entry.
    pub entry: (usize, usize),
    /// The pattern's number of rows and columns.
    pub dim: usize,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((row, column), dim) = (self.entry, self.dim);
        write!(f, "entry ({row}, {column}) is outside of a pattern of dimension {dim}")
    }
}

impl core::error::Error for PatternError {}

impl Pattern {
    /// The smallest symmetric pattern that has all these entries (row, column). They may come in any order, repeated, and
    /// from either triangle.
    ///
    /// # Errors
    /// If an index is not below `dim`.
    pub fn from_pairs(
        dim: usize,
        pairs: impl IntoIterator<Item = (usize, usize)>,
    ) -> Result<Self, PatternError> {
        let pairs: Vec<_> = pairs.into_iter().collect();
        match pairs.iter().find(|&&(i, j)| i.max(j) >= dim) {
            Some(&entry) => Err(PatternError { entry, dim }),
            None => Ok(Self::from_valid_pairs(dim, pairs.iter().copied())),
        }
    }

    /// The smallest symmetric pattern that has these columns in its rows, one item a row. The columns may come in any
    /// order and repeated; what one triangle has, the other need not have.
    ///
    /// # Errors
    /// If a column is not below the number of rows.
    pub fn from_rows<R: AsRef<[usize]>>(rows: &[R]) -> Result<Self, PatternError> {
        let pairs = rows.iter().enumerate().flat_map(|(i, row)| row.as_ref().iter().map(move |&j| (i, j)));
        Self::from_pairs(rows.len(), pairs)
    }

    /// Two bucket passes: by row, and then, since the transpose of a symmetric pattern is itself, by column, which leaves
    /// the rows sorted.
    pub(super) fn from_valid_pairs(dim: usize, pairs: impl Iterator<Item = (usize, usize)> + Clone) -> Self {
        let mut starts = vec![0; dim + 1];
        for (i, j) in pairs.clone() {
            starts[i + 1] += 1;
            if i != j {
                starts[j + 1] += 1;
            }
        }
        for i in 0..dim {
            starts[i + 1] += starts[i];
        }
        let mut unsorted = vec![0; starts[dim]];
        let mut next = starts.clone();
        let mut put = |columns: &mut [usize], i: usize, j: usize| {
            columns[next[i]] = j;
            next[i] += 1;
        };
        for (i, j) in pairs {
            put(&mut unsorted, i, j);
            if i != j {
                put(&mut unsorted, j, i);
            }
        }
        next.copy_from_slice(&starts);
        let mut columns = vec![0; unsorted.len()];
        for i in 0..dim {
            for &j in &unsorted[starts[i]..starts[i + 1]] {
                columns[next[j]] = i;
                next[j] += 1;
            }
        }
        let mut kept = 0;
        let mut from = 0;
        for i in 0..dim {
            let row = from..starts[i + 1];
            from = row.end;
            let first = kept;
            for at in row {
                if kept == first || columns[kept - 1] != columns[at] {
                    columns[kept] = columns[at];
                    kept += 1;
                }
            }
            starts[i + 1] = kept;
        }
        columns.truncate(kept);
        columns.shrink_to_fit();
        Self { starts, columns }
    }

    /// From rows that are symmetric and sorted.
    fn from_sorted_rows<R: IntoIterator<Item = usize>>(dim: usize, row: impl Fn(usize) -> R) -> Self {
        let mut starts = Vec::with_capacity(dim + 1);
        let mut columns = Vec::new();
        starts.push(0);
        for i in 0..dim {
            columns.extend(row(i));
            starts.push(columns.len());
        }
        Self { starts, columns }
    }

    /// No entry at all: the Hessian of a linear function.
    pub fn empty(dim: usize) -> Self {
        Self::banded_by(dim, |_| 0..0)
    }

    /// The entries at most `half_bandwidth` away from the diagonal: 0 is the diagonal, 1 tridiagonal.
    pub fn banded(dim: usize, half_bandwidth: usize) -> Self {
        let last = half_bandwidth.saturating_add(1);
        Self::banded_by(dim, |i| i.saturating_sub(half_bandwidth)..dim.min(i.saturating_add(last)))
    }

    /// Every entry, `dim²` of them.
    pub fn dense(dim: usize) -> Self {
        Self::banded_by(dim, |_| 0..dim)
    }

    fn banded_by(dim: usize, row: impl Fn(usize) -> core::ops::Range<usize>) -> Self {
        Self::from_sorted_rows(dim, row)
    }

    /// The diagonal, and the last `border` rows and columns: variables of their own, and a few that all share.
    pub fn arrowhead(dim: usize, border: usize) -> Self {
        let shared = dim.saturating_sub(border);
        Self::from_sorted_rows(dim, |i| {
            let own = if i < shared { i..i + 1 } else { 0..shared };
            own.chain(shared..dim)
        })
    }

    /// The entries of either.
    ///
    /// # Panics
    /// If the dimensions differ.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        assert!(
            self.dim() == other.dim(),
            "union: argument `other` has dimension {}, expected {}",
            other.dim(),
            self.dim()
        );
        Self::from_sorted_rows(self.dim(), |i| Merge { left: self.row(i), right: other.row(i) })
    }

    /// The number of rows, which is that of columns.
    pub fn dim(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of entries, both triangles and the diagonal counted.
    pub fn nnz(&self) -> usize {
        self.columns.len()
    }

    /// The greatest distance of an entry from the diagonal: 0 for a diagonal or empty pattern. Linear in `dim`.
    pub fn half_bandwidth(&self) -> usize {
        let reach = |i: usize| self.row(i).last().map_or(0, |&j| j.saturating_sub(i));
        (0..self.dim()).map(reach).max().unwrap_or(0)
    }

    /// The columns of row `i`, ascending.
    ///
    /// # Panics
    /// If `i` is not below `dim`.
    pub fn row(&self, i: usize) -> &[usize] {
        &self.columns[self.starts[i]..self.starts[i + 1]]
    }

    /// The rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[usize]> + Clone {
        self.starts.windows(2).map(|ends| &self.columns[ends[0]..ends[1]])
    }

    /// The entries (row, column), row by row.
    pub fn iter(&self) -> impl Iterator<Item = (usize, usize)> + Clone {
        self.rows().enumerate().flat_map(|(i, row)| row.iter().map(move |&j| (i, j)))
    }

    /// The place of an entry in the order of [`iter`](Self::iter), if it is there. Logarithmic in the row's length.
    pub fn position(&self, row: usize, column: usize) -> Option<usize> {
        let start = *self.starts.get(row)?;
        self.starts.get(row + 1)?;
        self.row(row).binary_search(&column).ok().map(|at| start + at)
    }

    /// Of length `dim + 1`: row `i` is in `starts[i]..starts[i + 1]` of [`columns`](Self::columns), as in every
    /// compressed format (and since the pattern is symmetric, these are the starts of columns as well).
    pub fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// The columns of all entries, row by row.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }
}

/// The union of two ascending slices, ascending.
struct Merge<'a> {
    left: &'a [usize],
    right: &'a [usize],
}

impl Iterator for Merge<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let first = match (self.left.first(), self.right.first()) {
            (Some(&l), Some(&r)) => l.min(r),
            (Some(&only), None) | (None, Some(&only)) => only,
            (None, None) => return None,
        };
        for side in [&mut self.left, &mut self.right] {
            if let Some(rest) = side.strip_prefix(&[first]) {
                *side = rest;
            }
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_in_any_order_give_sorted_symmetric_rows() {
        let pattern = Pattern::from_pairs(5, [(3, 1), (1, 3), (0, 4), (3, 1), (2, 2), (2, 2)]).unwrap();
        assert!(pattern.rows().eq([&[4][..], &[3], &[2], &[1], &[0]]));
        assert_eq!(Pattern::from_rows(&[vec![4], vec![3, 3], vec![2], vec![], vec![]]), Ok(pattern));
    }

    #[test]
    fn an_index_out_of_range_is_named() {
        let error = Pattern::from_pairs(2, [(0, 0), (1, 2)]).unwrap_err();
        assert_eq!(error, PatternError { entry: (1, 2), dim: 2 });
        assert!(Pattern::from_rows(&[[5]]).is_err());
    }

    #[test]
    fn the_ready_made_ones() {
        assert!(Pattern::banded(4, 1).rows().eq([&[0, 1][..], &[0, 1, 2], &[1, 2, 3], &[2, 3]]));
        assert!(Pattern::arrowhead(4, 1).rows().eq([&[0, 3][..], &[1, 3], &[2, 3], &[0, 1, 2, 3]]));
        assert_eq!(Pattern::banded(4, usize::MAX), Pattern::dense(4));
        assert_eq!(Pattern::arrowhead(4, 9), Pattern::dense(4));
        assert_eq!(Pattern::empty(3).nnz(), 0);
        assert_eq!(Pattern::dense(0), Pattern::empty(0));
        for (pattern, half_bandwidth) in
            [(Pattern::banded(9, 3), 3), (Pattern::arrowhead(9, 1), 8), (Pattern::empty(0), 0)]
        {
            assert_eq!(pattern.half_bandwidth(), half_bandwidth);
            assert_eq!(Pattern::from_pairs(pattern.dim(), pattern.iter()), Ok(pattern));
        }
    }

    #[test]
    fn positions_follow_the_order_of_iteration() {
        let pattern = Pattern::arrowhead(7, 2);
        for (at, (i, j)) in pattern.iter().enumerate() {
            assert_eq!(pattern.position(i, j), Some(at));
        }
        assert_eq!((pattern.position(0, 1), pattern.position(7, 0)), (None, None));
    }
}
