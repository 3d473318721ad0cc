//! Operators and `ndarray`: products of views, dense matrices as arrays.

use alloc::vec::Vec;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1};

use super::{Dense, HessianOperator, check_operand};

/// Products with the vectors of `ndarray`, of every operator.
///
/// ```
/// use ad_runtime::operators::{Diagonal, NdarrayExt};
/// use ndarray::{Array2, array};
///
/// let h = Diagonal::new(vec![2.0, 3.0]);
/// assert_eq!(h.dot(array![1.0, -1.0].view()), array![2.0, -3.0]);
///
/// // Views need not be contiguous: a column of a matrix into another.
/// let v = array![[1.0, 5.0], [2.0, 6.0]];
/// let mut out = Array2::zeros((2, 2));
/// h.apply_view(v.column(1), out.column_mut(0));
/// assert_eq!(out, array![[10.0, 0.0], [18.0, 0.0]]);
/// ```
pub trait NdarrayExt: HessianOperator {
    /// Writes `H v` to `out`, which is overwritten. Allocates a copy of each view that is not contiguous.
    ///
    /// # Panics
    /// If `v` or `out` is not of length `dim`.
    fn apply_view(&self, v: ArrayView1<'_, Self::Scalar>, mut out: ArrayViewMut1<'_, Self::Scalar>) {
        check_operand("apply_view", "v", v.len(), self.dim());
        check_operand("apply_view", "out", out.len(), self.dim());
        let copied: Vec<Self::Scalar>;
        let v = if let Some(v) = v.to_slice() {
            v
        } else {
            copied = v.iter().copied().collect();
            &copied
        };
        if let Some(out) = out.as_slice_mut() {
            self.apply(v, out);
        } else {
            let mut product = Vec::with_capacity(v.len());
            product.extend_from_slice(v);
            self.apply(v, &mut product);
            out.assign(&ArrayView1::from(&product));
        }
    }

    /// `H v`, in a new array.
    ///
    /// # Panics
    /// If `v` is not of length `dim`.
    fn dot(&self, v: ArrayView1<'_, Self::Scalar>) -> Array1<Self::Scalar> {
        let mut out = v.to_owned();
        self.apply_view(v, out.view_mut());
        out
    }
}

impl<A: HessianOperator + ?Sized> NdarrayExt for A {}

impl<T: super::Scalar> Dense<T> {
    /// The matrix as an array, row by row.
    pub fn to_array(&self) -> Array2<T> {
        Array2::from_shape_fn((self.dim(), self.dim()), |(i, j)| self.row(i)[j])
    }

    /// From a square array, of which nothing is assumed.
    ///
    /// # Panics
    /// If it is not square.
    pub fn from_array(matrix: ArrayView2<'_, T>) -> Self {
        assert!(
            matrix.is_square(),
            "from_array: `matrix` has the shape {:?}, expected a square",
            matrix.shape()
        );
        Self::general(matrix.nrows(), matrix.iter().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use ndarray::array;

    use super::{Dense, NdarrayExt};

    #[test]
    fn arrays_there_and_back() {
        let matrix = array![[1.0, 2.0], [3.0, 4.0]];
        let operator = Dense::from_array(matrix.t());
        assert_eq!(operator.to_array(), matrix.t());
        assert_eq!(operator.dot(array![1.0, 1.0].view()), array![4.0, 6.0]);
    }

    #[test]
    #[should_panic(expected = "apply_view: argument `v` has length 1, expected 2, the operator's dimension")]
    fn a_wrong_length_panics() {
        let _ = Dense::from_array(array![[1.0, 2.0], [3.0, 4.0]].view()).dot(array![1.0].view());
    }
}
