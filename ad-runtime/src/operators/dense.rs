//! Matrices with all their entries: for small problems, for what is dense anyway, and to look at.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Index;

use super::{HessianOperator, Properties, Scalar, check_block, check_operand, dot};

/// How many columns are asked of an operator at a time when it is assembled.
const COLUMNS: usize = 32;

/// A square matrix of which all entries are kept, row by row. A product takes `n²` multiplications; it keeps `n²`
/// numbers.
///
/// ```
/// use ad_runtime::operators::{Dense, Diagonal, HessianOperator, HessianOperatorExt};
///
/// let hessian = Dense::of(&Diagonal::new(vec![1.0, 2.0]).shifted(10.0));
/// assert_eq!(hessian.entries(), [11.0, 0.0, 0.0, 12.0]);
/// assert_eq!(hessian[(1, 1)], 12.0);
/// assert_eq!(hessian.quadratic_form(&[1.0, 1.0]), 23.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dense<T> {
    dim: usize,
    entries: Vec<T>,
    properties: Properties,
}

impl<T: Scalar> Dense<T> {
    /// A symmetric matrix, from entries row by row of which those below and on the diagonal are read: the others are
    /// overwritten by these.
    ///
    /// # Panics
    /// If `entries` is not of length `dim²`.
    pub fn symmetric(dim: usize, mut entries: Vec<T>) -> Self {
        check_entries("symmetric", dim, entries.len());
        for i in 0..dim {
            for j in 0..i {
                entries[j * dim + i] = entries[i * dim + j];
            }
        }
        Self { dim, entries, properties: Properties::SYMMETRIC }
    }

    /// A matrix of which nothing is known, from its entries row by row.
    ///
    /// # Panics
    /// If `entries` is not of length `dim²`.
    pub fn general(dim: usize, entries: Vec<T>) -> Self {
        check_entries("general", dim, entries.len());
        Self { dim, entries, properties: Properties::default() }
    }

    /// Assembles an operator from its products with the unit vectors, of which it takes `dim`, in blocks of at most 32.
    /// The entries are those of the products, also where these are only symmetric up to rounding. Allocates `dim²`
    /// numbers for the matrix, and `64 dim` for the time of the call.
    pub fn of<A: HessianOperator<Scalar = T> + ?Sized>(operator: &A) -> Self {
        let dim = operator.dim();
        let mut entries = vec![T::zero(); dim * dim];
        let lanes = COLUMNS.min(dim);
        let mut directions = vec![T::zero(); dim * lanes];
        let mut products = vec![T::zero(); dim * lanes];
        for first in (0..dim).step_by(COLUMNS) {
            let lanes = lanes.min(dim - first);
            let (directions, products) = (&mut directions[..dim * lanes], &mut products[..dim * lanes]);
            directions.fill(T::zero());
            for lane in 0..lanes {
                directions[lane * dim + first + lane] = T::one();
            }
            operator.apply_block(directions, products);
            for (lane, column) in products.chunks_exact(dim).enumerate() {
                for (row, &entry) in column.iter().enumerate() {
                    entries[row * dim + first + lane] = entry;
                }
            }
        }
        Self { dim, entries, properties: operator.properties() }
    }

    /// The entries, row by row.
    pub fn entries(&self) -> &[T] {
        &self.entries
    }

    /// The entries, row by row.
    pub fn into_entries(self) -> Vec<T> {
        self.entries
    }

    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &[T] {
        assert!(row < self.dim, "row: argument `row` is {row}, but the matrix has {} rows", self.dim);
        &self.entries[row * self.dim..(row + 1) * self.dim]
    }
}

#[track_caller]
fn check_entries(function: &str, dim: usize, found: usize) {
    assert!(
        dim.checked_mul(dim) == Some(found),
        "Dense::{function}: argument `entries` has length {found}, expected the square of `dim`, which is {dim}"
    );
}

/// By row and column.
impl<T: Scalar> Index<(usize, usize)> for Dense<T> {
    type Output = T;

    fn index(&self, (row, column): (usize, usize)) -> &T {
        &self.row(row)[column]
    }
}

impl<T: Scalar> HessianOperator for Dense<T> {
    type Scalar = T;

    fn dim(&self) -> usize {
        self.dim
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim);
        check_operand("apply", "out", out.len(), self.dim);
        for (row, out) in out.iter_mut().enumerate() {
            *out = dot(self.row(row), v);
        }
    }

    /// Reads the matrix once for all directions.
    fn apply_block(&self, directions: &[T], out: &mut [T]) {
        check_block(self.dim, directions, out);
        for row in 0..self.dim {
            let entries = self.row(row);
            for (v, out) in directions.chunks_exact(self.dim).zip(out.chunks_exact_mut(self.dim)) {
                out[row] = dot(entries, v);
            }
        }
    }

    fn quadratic_form(&self, v: &[T]) -> T {
        check_operand("quadratic_form", "v", v.len(), self.dim);
        v.iter().enumerate().map(|(row, &entry)| entry * dot(self.row(row), v)).sum()
    }

    fn diagonal(&self, out: &mut [T]) -> bool {
        check_operand("diagonal", "out", out.len(), self.dim);
        for (row, out) in out.iter_mut().enumerate() {
            *out = self.entries[row * (self.dim + 1)];
        }
        true
    }

    fn properties(&self) -> Properties {
        self.properties
    }
}
