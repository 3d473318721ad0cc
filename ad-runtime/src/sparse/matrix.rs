//! A sparse symmetric matrix by rows, as an operator and for other libraries.
//!
//! How it is found from an operator is in `plan`.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use num_traits::{NumCast, One};

use super::{Pattern, PatternError};
use crate::operators::{HessianOperator, Properties, Scalar, check_block, check_operand};

/// A symmetric matrix in compressed rows, both triangles stored.
///
/// A product takes one multiplication and one addition an entry, and allocates nothing. The matrix takes `nnz` numbers; the
/// pattern is shared by all matrices that have it.
///
/// For other libraries [`triplets`](Self::triplets) suffices, which go into `faer`'s
/// `SparseColMat::try_new_from_triplets` (its `Triplet` in place of the tuple) and `sprs`'s `TriMat::add_triplet`; where
/// compressed vectors are wanted, [`starts`](Pattern::starts) and [`columns`](Pattern::columns) of the pattern and
/// [`values`](Self::values) are those, by rows and, the matrix being symmetric, by columns as well.
///
/// ```
/// use ad_runtime::operators::HessianOperator;
/// use ad_runtime::sparse::Sparse;
///
/// let a = Sparse::from_triplets(3, [(0, 0, 2.0), (0, 2, -1.0), (2, 0, -1.0), (2, 2, 5.0)])?;
/// let mut out = [0.0; 3];
/// a.apply(&[1.0, 1.0, 1.0], &mut out);
/// assert_eq!(out, [1.0, 0.0, 4.0]);
/// assert_eq!(a.get(2, 0), -1.0);
/// assert_eq!(a.to_dense(), [2.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 5.0]);
/// # Ok::<(), ad_runtime::sparse::TripletError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse<T> {
    pattern: Arc<Pattern>,
    /// In the pattern's order.
    values: Vec<T>,
}

/// Why triplets are no symmetric matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TripletError {
    /// An index is not below the dimension.
    OutOfRange(PatternError),
    /// The entry (row, column) is not equal to the one it mirrors, or is NaN.
    NotSymmetric(usize, usize),
}

impl fmt::Display for TripletError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange(error) => error.fmt(f),
            Self::NotSymmetric(row, column) => {
                write!(f, "entry ({row}, {column}) is not equal to entry ({column}, {row})")
            }
        }
    }
}

impl core::error::Error for TripletError {}

/// A row in which a sparse matrix and an operator give different products.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mismatch<T> {
    /// The row where they differ most, by the rounding errors to be expected.
    pub row: usize,
    /// The sparse matrix's product there.
    pub found: T,
    /// The operator's.
    pub expected: T,
}

impl<T: fmt::Debug> fmt::Display for Mismatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { row, found, expected } = self;
        write!(
            f,
            "the sparse matrix is not the operator: row {row} of a product is {found:?}, expected {expected:?} (the \
             pattern lacks an entry, or numbers are not finite)"
        )
    }
}

impl<T: fmt::Debug> core::error::Error for Mismatch<T> {}

impl<T: Scalar> Sparse<T> {
    /// From a pattern and its values, in the pattern's order. They are taken as symmetric without a check.
    ///
    /// # Panics
    /// If there are not as many values as the pattern has entries.
    pub fn new(pattern: impl Into<Arc<Pattern>>, values: Vec<T>) -> Self {
        let pattern = pattern.into();
        assert!(
            values.len() == pattern.nnz(),
            "Sparse::new: argument `values` has length {}, expected {}, the pattern's number of entries",
            values.len(),
            pattern.nnz()
        );
        Self { pattern, values }
    }

    /// All zero.
    pub fn zeros(pattern: impl Into<Arc<Pattern>>) -> Self {
        let pattern = pattern.into();
        let values = vec![T::zero(); pattern.nnz()];
        Self { pattern, values }
    }

    /// From (row, column, value) of both triangles, in any order; what is given several times is added up. Linear in the
    /// number of triplets, but for a search in the row for each.
    ///
    /// # Errors
    /// If an index is not below `dim`, or if the sums are not exactly symmetric.
    pub fn from_triplets(
        dim: usize,
        triplets: impl IntoIterator<Item = (usize, usize, T)>,
    ) -> Result<Self, TripletError> {
        let triplets: Vec<_> = triplets.into_iter().collect();
        let pattern = Pattern::from_pairs(dim, triplets.iter().map(|&(i, j, _)| (i, j)))
            .map_err(TripletError::OutOfRange)?;
        let mut matrix = Self::zeros(pattern);
        for (i, j, value) in triplets {
            let at = matrix.pattern.position(i, j);
            at.into_iter().for_each(|at| matrix.values[at] += value);
        }
        let unmatched = matrix.triplets().find(|&(i, j, value)| value != matrix.get(j, i));
        match unmatched {
            Some((i, j, _)) => Err(TripletError::NotSymmetric(i, j)),
            None => Ok(matrix),
        }
    }

    /// Where its entries are.
    pub fn pattern(&self) -> &Arc<Pattern> {
        &self.pattern
    }

    /// The entries, in the pattern's order.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    pub(super) fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// An entry; zero where the pattern has none. Logarithmic in the row's length.
    ///
    /// # Panics
    /// If an index is not below the dimension.
    pub fn get(&self, row: usize, column: usize) -> T {
        let dim = self.dim();
        assert!(row.max(column) < dim, "get: no entry ({row}, {column}) in dimension {dim}");
        self.pattern.position(row, column).map_or(T::zero(), |at| self.values[at])
    }

    /// The columns of row `i`, ascending, and the entries there.
    ///
    /// # Panics
    /// If `i` is not below the dimension.
    pub fn row(&self, i: usize) -> (&[usize], &[T]) {
        let starts = self.pattern.starts();
        (self.pattern.row(i), &self.values[starts[i]..starts[i + 1]])
    }

    /// The rows in order, each as its columns and its entries.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&[usize], &[T])> + Clone {
        (0..self.dim()).map(|i| self.row(i))
    }

    /// (row, column, value) of the entries of both triangles, row by row.
    pub fn triplets(&self) -> impl Iterator<Item = (usize, usize, T)> + Clone {
        self.pattern.iter().zip(&self.values).map(|((i, j), &value)| (i, j, value))
    }

    /// All `dim²` entries, row by row.
    pub fn to_dense(&self) -> Vec<T> {
        let mut dense = vec![T::zero(); self.dim() * self.dim()];
        for (i, j, value) in self.triplets() {
            dense[i * self.dim() + j] = value;
        }
        dense
    }

    /// Compares a product with the operator's, for one direction of pseudo-random numbers between 1/2 and 1 of either
    /// sign, always the same.
    ///
    /// This is how a wrong pattern is noticed: recovery itself cannot tell, and then gives wrong numbers. An entry that is
    /// missing shows, whatever its value, as long as it is not lost in the rounding of its row: row by row, the products
    /// may differ by the square root of the rounding unit times the magnitudes that are summed there, and by a few
    /// rounding units of the largest product.
    ///
    /// One product of the operator; allocates four vectors.
    ///
    /// # Errors
    /// The row where they differ most, if they differ by more, or if a product is not finite.
    ///
    /// # Panics
    /// If the operator has another dimension.
    pub fn verify(&self, operator: &(impl HessianOperator<Scalar = T> + ?Sized)) -> Result<(), Mismatch<T>> {
        check_operand("verify", "operator", operator.dim(), self.dim());
        let direction: Vec<T> = (1..=self.dim() as u64).map(pseudo_random).collect();
        let mut expected = vec![T::zero(); self.dim()];
        operator.apply(&direction, &mut expected);
        let mut found = vec![T::zero(); self.dim()];
        self.apply(&direction, &mut found);

        let few = T::one() + T::one() + T::one() + T::one();
        let largest = expected.iter().fold(T::zero(), |largest, product| largest.max(product.abs()));
        let mut worst = (T::one(), None);
        for (row, (columns, values)) in self.rows().enumerate() {
            let magnitudes: T = columns.iter().zip(values).map(|(&j, &h)| (h * direction[j]).abs()).sum();
            let tolerance =
                T::epsilon().sqrt() * (magnitudes + expected[row].abs()) + few * T::epsilon() * largest;
            let difference = (found[row] - expected[row]).abs();
            let excess = if difference == T::zero() { difference } else { difference / tolerance };
            let excess = if excess.is_nan() { T::infinity() } else { excess };
            if excess > worst.0 {
                worst = (excess, Some(row));
            }
        }
        match worst.1 {
            Some(row) => Err(Mismatch { row, found: found[row], expected: expected[row] }),
            None => Ok(()),
        }
    }
}

/// The `k`-th of a sequence of numbers whose absolute values are between 1/2 and 1 (SplitMix64: Steele, Lea & Flood 2014).
fn pseudo_random<T: Scalar>(k: u64) -> T {
    let mut bits = k.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    let magnitude = 0.5 + (bits >> 12) as f64 / (1u64 << 53) as f64;
    <T as NumCast>::from(if bits & 1 == 0 { magnitude } else { -magnitude }).unwrap_or_else(One::one)
}

impl<T: Scalar> HessianOperator for Sparse<T> {
    type Scalar = T;

    fn dim(&self) -> usize {
        self.pattern.dim()
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim());
        check_operand("apply", "out", out.len(), self.dim());
        for (out, (columns, values)) in out.iter_mut().zip(self.rows()) {
            *out = columns.iter().zip(values).map(|(&j, &h)| h * v[j]).sum();
        }
    }

    /// Reads the matrix once for all directions.
    fn apply_block(&self, directions: &[T], out: &mut [T]) {
        check_block(self.dim(), directions, out);
        for (i, (columns, values)) in self.rows().enumerate() {
            for from in (0..out.len()).step_by(self.dim()) {
                let v = &directions[from..from + self.dim()];
                out[from + i] = columns.iter().zip(values).map(|(&j, &h)| h * v[j]).sum();
            }
        }
    }

    /// Allocates nothing.
    fn quadratic_form(&self, v: &[T]) -> T {
        check_operand("quadratic_form", "v", v.len(), self.dim());
        let product = |(columns, values): (&[usize], &[T])| -> T {
            columns.iter().zip(values).map(|(&j, &h)| h * v[j]).sum()
        };
        self.rows().zip(v).map(|(row, &v)| v * product(row)).sum()
    }

    fn diagonal(&self, out: &mut [T]) -> bool {
        check_operand("diagonal", "out", out.len(), self.dim());
        for (i, out) in out.iter_mut().enumerate() {
            *out = self.get(i, i);
        }
        true
    }

    fn properties(&self) -> Properties {
        Properties::SYMMETRIC
    }
}
