//! Arrays of `ndarray` as slices, and its product of matrices.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

use ndarray::linalg::general_mat_mul;
use ndarray::{
    ArrayView1, ArrayView2, ArrayViewMut, ArrayViewMut1, ArrayViewMut2, Dimension, Ix1, Ix2, LinalgScalar,
    ShapeBuilder,
};

use super::{Matrix, MatrixMut};

/// `c = a · b`, or `c += a · b`, of shapes that fit.
pub(super) fn multiply<F: LinalgScalar>(c: MatrixMut<'_, F>, a: Matrix<'_, F>, b: Matrix<'_, F>, sum: bool) {
    if c.rows == 0 || c.columns == 0 || a.columns == 0 {
        if !sum {
            c.data.fill(F::zero());
        }
        return;
    }
    let shape = (c.rows, c.columns).strides((c.down, c.right));
    let (Some(a), Some(b), Ok(mut c)) = (view(a), view(b), ArrayViewMut2::from_shape(shape, c.data)) else {
        unreachable!("a slice and its strides belong together")
    };
    general_mat_mul(F::one(), &a, &b, if sum { F::one() } else { F::zero() }, &mut c);
}

fn view<F>(m: Matrix<'_, F>) -> Option<ArrayView2<'_, F>> {
    let shape = (m.rows, m.columns).strides((m.down, m.right));
    ArrayView2::from_shape(shape, m.data).ok()
}

/// The elements of an array of one axis, one beside the other: borrowed, or copied where they lie apart.
#[derive(Debug)]
pub struct Whole1<'a, F: Clone>(Cow<'a, [F]>);

impl<F: Clone> Deref for Whole1<'_, F> {
    type Target = [F];
    fn deref(&self) -> &[F] {
        &self.0
    }
}

/// The elements of an array of two axes, likewise.
#[derive(Debug)]
pub struct Whole2<'a, F: Clone> {
    data: Cow<'a, [F]>,
    rows: usize,
    columns: usize,
    by_columns: bool,
}

impl<F: Copy> Whole2<'_, F> {
    /// The matrix.
    pub fn matrix(&self) -> Matrix<'_, F> {
        if self.by_columns {
            Matrix::by_columns(self.rows, self.columns, &self.data)
        } else {
            Matrix::by_rows(self.rows, self.columns, &self.data)
        }
    }
}

/// An array of one axis as a slice.
pub fn array1<F: Copy>(x: ArrayView1<'_, F>) -> Whole1<'_, F> {
    Whole1(match x.to_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => Cow::Owned(x.iter().copied().collect()),
    })
}

/// An array of two axes as a slice.
pub fn array2<F: Copy>(x: ArrayView2<'_, F>) -> Whole2<'_, F> {
    let (rows, columns) = x.dim();
    if let Some(slice) = x.to_slice() {
        return Whole2 { data: Cow::Borrowed(slice), rows, columns, by_columns: false };
    }
    if let Some(slice) = x.reversed_axes().to_slice() {
        return Whole2 { data: Cow::Borrowed(slice), rows, columns, by_columns: true };
    }
    Whole2 { data: Cow::Owned(x.iter().copied().collect()), rows, columns, by_columns: false }
}

/// The elements of an array of two axes, row by row.
pub fn rows_of_array2<F: Copy>(x: ArrayView2<'_, F>) -> Whole1<'_, F> {
    Whole1(match x.to_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => Cow::Owned(x.iter().copied().collect()),
    })
}

/// The elements of an array as a slice to write to, row by row: its own, or a copy that is written back at the end.
#[derive(Debug)]
pub struct WholeMut<'a, F: Copy, D: Dimension> {
    array: ArrayViewMut<'a, F, D>,
    /// Where elements lie apart.
    copy: Option<Vec<F>>,
}

impl<'a, F: Copy, D: Dimension> WholeMut<'a, F, D> {
    fn new(mut array: ArrayViewMut<'a, F, D>) -> Self {
        let copy = match array.as_slice_mut() {
            Some(_) => None,
            None => Some(array.iter().copied().collect()),
        };
        WholeMut { array, copy }
    }
}

impl<'a, F: Copy> WholeMut<'a, F, Ix1> {
    /// Of one axis.
    pub fn of_array1(array: ArrayViewMut1<'a, F>) -> Self {
        WholeMut::new(array)
    }
}

impl<'a, F: Copy> WholeMut<'a, F, Ix2> {
    /// Of two axes.
    pub fn of_array2(array: ArrayViewMut2<'a, F>) -> Self {
        WholeMut::new(array)
    }
}

impl<F: Copy, D: Dimension> Deref for WholeMut<'_, F, D> {
    type Target = [F];
    fn deref(&self) -> &[F] {
        match &self.copy {
            Some(copy) => copy,
            None => self.array.as_slice().unwrap_or_default(),
        }
    }
}

impl<F: Copy, D: Dimension> DerefMut for WholeMut<'_, F, D> {
    fn deref_mut(&mut self) -> &mut [F] {
        match &mut self.copy {
            Some(copy) => copy,
            None => self.array.as_slice_mut().unwrap_or_default(),
        }
    }
}

impl<F: Copy, D: Dimension> Drop for WholeMut<'_, F, D> {
    fn drop(&mut self) {
        if let Some(copy) = &self.copy {
            self.array.iter_mut().zip(copy).for_each(|(x, c)| *x = *c);
        }
    }
}

/// Runs `f` on an array of one axis as a slice: on itself, or on a copy that is written back.
pub fn write_array1<F: Copy>(mut x: ArrayViewMut1<'_, F>, f: impl FnOnce(&mut [F])) {
    if let Some(slice) = x.as_slice_mut() {
        return f(slice);
    }
    let mut copy: Vec<F> = x.iter().copied().collect();
    f(&mut copy);
    x.iter_mut().zip(copy).for_each(|(x, c)| *x = c);
}

/// As [`write_array1`], of two axes.
pub fn write_array2<F: Copy>(mut x: ArrayViewMut2<'_, F>, f: impl FnOnce(MatrixMut<'_, F>)) {
    let (rows, columns) = x.dim();
    if let Some(slice) = x.as_slice_mut() {
        return f(MatrixMut::by_rows(rows, columns, slice));
    }
    if let Some(slice) = x.view_mut().reversed_axes().as_slice_mut() {
        return f(MatrixMut::by_columns(rows, columns, slice));
    }
    let mut copy: Vec<F> = x.iter().copied().collect();
    f(MatrixMut::by_rows(rows, columns, &mut copy));
    x.iter_mut().zip(copy).for_each(|(x, c)| *x = c);
}
