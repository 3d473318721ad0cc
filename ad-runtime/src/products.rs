//! Products of matrices and vectors, for generated code.
//!
//! A matrix is a slice with the distance of its rows and of its columns in it, so that a transpose is another view of the
//! same slice and costs nothing. [`apply`] (matrix times vector) and [`outer`] pass memory once and are written here: with
//! eight sums side by side, or along the rows, whatever lies contiguous, so that LLVM makes vector code of them. [`multiply`]
//! (matrix times matrix) is worth more than that: with the feature `ndarray` it is `ndarray`'s, which hands it to
//! `matrixmultiply` (packed and blocked, with kernels for the vector units that the machine turns out to have); without, and for
//! floats that are generic, it is [`multiply_any`], packed and blocked likewise, in plain Rust.
//!
//! All panic where shapes do not fit, and give zeros where the inner extent is zero. With `sum` they add to what is there,
//! without they overwrite it.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::{Add, Mul};

use num_traits::Zero;

mod blocked;
#[cfg(feature = "ndarray")]
mod library;

pub use blocked::multiply_any;
#[cfg(feature = "ndarray")]
pub use library::{Whole1, Whole2, WholeMut, array1, array2, rows_of_array2, write_array1, write_array2};

/// What elements are.
pub trait Element: Copy + Zero + Mul<Output = Self> + Add<Output = Self> {}
impl<F: Copy + Zero + Mul<Output = F> + Add<Output = F>> Element for F {}

/// A matrix that is read.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, F> {
    data: &'a [F],
    rows: usize,
    columns: usize,
    /// How far apart neighbours in a column are, and neighbours in a row.
    down: usize,
    right: usize,
}

/// A matrix that is written.
#[derive(Debug)]
pub struct MatrixMut<'a, F> {
    data: &'a mut [F],
    rows: usize,
    columns: usize,
    down: usize,
    right: usize,
}

impl<'a, F: Copy> Matrix<'a, F> {
    /// A matrix that lies row by row.
    ///
    /// # Panics
    /// If there are not `rows * columns` elements.
    #[inline]
    #[track_caller]
    pub fn by_rows(rows: usize, columns: usize, data: &'a [F]) -> Self {
        check_size(data.len(), rows, columns);
        Matrix { data, rows, columns, down: columns, right: 1 }
    }

    /// A matrix that lies column by column.
    ///
    /// # Panics
    /// If there are not `rows * columns` elements.
    #[inline]
    #[track_caller]
    pub fn by_columns(rows: usize, columns: usize, data: &'a [F]) -> Self {
        check_size(data.len(), rows, columns);
        Matrix { data, rows, columns, down: 1, right: rows }
    }

    /// The transpose.
    #[inline]
    #[must_use]
    pub fn t(self) -> Self {
        Matrix { rows: self.columns, columns: self.rows, down: self.right, right: self.down, ..self }
    }

    #[inline]
    fn at(&self, i: usize, j: usize) -> F {
        self.data[i * self.down + j * self.right]
    }

    /// The elements from row `i` and column `j` on.
    fn from(&self, i: usize, j: usize) -> &'a [F] {
        &self.data[i * self.down + j * self.right..]
    }
}

impl<'a, F> MatrixMut<'a, F> {
    /// As [`Matrix::by_rows`].
    ///
    /// # Panics
    /// If there are not `rows * columns` elements.
    #[inline]
    #[track_caller]
    pub fn by_rows(rows: usize, columns: usize, data: &'a mut [F]) -> Self {
        check_size(data.len(), rows, columns);
        MatrixMut { data, rows, columns, down: columns, right: 1 }
    }

    /// As [`Matrix::by_columns`].
    ///
    /// # Panics
    /// If there are not `rows * columns` elements.
    #[inline]
    #[track_caller]
    pub fn by_columns(rows: usize, columns: usize, data: &'a mut [F]) -> Self {
        check_size(data.len(), rows, columns);
        MatrixMut { data, rows, columns, down: 1, right: rows }
    }
}

#[track_caller]
fn check_size(found: usize, rows: usize, columns: usize) {
    assert!(rows.checked_mul(columns) == Some(found), "{found} elements in a {rows} by {columns} matrix");
}

/// `y = m · x`, or `y += m · x`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn apply<F: Element>(y: &mut [F], m: Matrix<'_, F>, x: &[F], sum: bool) {
    assert!(
        m.columns == x.len() && m.rows == y.len(),
        "the product of a {} by {} matrix and a vector of length {}, into one of length {}",
        m.rows,
        m.columns,
        x.len(),
        y.len()
    );
    if !sum {
        y.fill(F::zero());
    }
    if m.rows == 0 || m.columns == 0 {
        return;
    }
    if m.right == 1 {
        for (i, y) in y.iter_mut().enumerate() {
            *y = *y + inner(&m.from(i, 0)[..x.len()], x);
        }
        return;
    }
    // Along the columns, four at a time.
    if m.down == 1 {
        let n = y.len();
        let mut j = 0;
        while j + 4 <= m.columns {
            let [a, b, c, d] = [0, 1, 2, 3].map(|k| &m.from(0, j + k)[..n]);
            let [p, q, r, s] = [x[j], x[j + 1], x[j + 2], x[j + 3]];
            for i in 0..n {
                y[i] = y[i] + (a[i] * p + b[i] * q + (c[i] * r + d[i] * s));
            }
            j += 4;
        }
        for (x, column) in x[j..].iter().zip(j..) {
            let a = &m.from(0, column)[..n];
            for i in 0..n {
                y[i] = y[i] + a[i] * *x;
            }
        }
        return;
    }
    for (i, y) in y.iter_mut().enumerate() {
        *y = x.iter().enumerate().fold(*y, |y, (j, x)| y + m.at(i, j) * *x);
    }
}

/// The sum of the products of two slices of one length, in eight sums side by side.
fn inner<F: Element>(a: &[F], b: &[F]) -> F {
    let mut sums = [F::zero(); 8];
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (b_blocks, b_rest) = b.as_chunks::<8>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for k in 0..8 {
            sums[k] = sums[k] + a[k] * b[k];
        }
    }
    let rest = a_rest.iter().zip(b_rest).fold(F::zero(), |s, (a, b)| s + *a * *b);
    let [p, q, r, s, t, u, v, w] = sums;
    ((p + t) + (q + u)) + ((r + v) + (s + w)) + rest
}

/// `c = u · vᵀ`, or `c += u · vᵀ`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn outer<F: Element>(c: MatrixMut<'_, F>, u: &[F], v: &[F], sum: bool) {
    assert!(
        c.rows == u.len() && c.columns == v.len(),
        "the outer product of vectors of lengths {} and {}, into a {} by {} matrix",
        u.len(),
        v.len(),
        c.rows,
        c.columns
    );
    if u.is_empty() || v.is_empty() {
        return;
    }
    let (u, v, down) = if c.right == 1 { (u, v, c.down) } else { (v, u, c.right) };
    let strided = c.right != 1 && c.down != 1;
    for (i, u) in u.iter().enumerate() {
        if strided {
            for (j, v) in v.iter().enumerate() {
                let place = &mut c.data[i * down + j * c.down];
                *place = if sum { *place + *u * *v } else { *u * *v };
            }
            continue;
        }
        let row = &mut c.data[i * down..][..v.len()];
        if sum {
            row.iter_mut().zip(v).for_each(|(c, v)| *c = *c + *u * *v);
        } else {
            row.iter_mut().zip(v).for_each(|(c, v)| *c = *u * *v);
        }
    }
}

/// `c = a · b`, or `c += a · b`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn multiply<F: Fast>(c: MatrixMut<'_, F>, a: Matrix<'_, F>, b: Matrix<'_, F>, sum: bool) {
    F::multiply(c, a, b, sum);
}

/// Floats that a library multiplies matrices of.
pub trait Fast: Element {
    /// [`multiply`]
    #[doc(hidden)]
    #[track_caller]
    fn multiply(c: MatrixMut<'_, Self>, a: Matrix<'_, Self>, b: Matrix<'_, Self>, sum: bool);
}

macro_rules! fast {
    ($($ty:ty)*) => { $(
        impl Fast for $ty {
            fn multiply(c: MatrixMut<'_, Self>, a: Matrix<'_, Self>, b: Matrix<'_, Self>, sum: bool) {
                check_shapes(&c, &a, &b);
                #[cfg(feature = "ndarray")]
                library::multiply(c, a, b, sum);
                #[cfg(not(feature = "ndarray"))]
                multiply_any(c, a, b, sum);
            }
        }
    )* };
}
fast!(f32 f64);

#[track_caller]
fn check_shapes<F>(c: &MatrixMut<'_, F>, a: &Matrix<'_, F>, b: &Matrix<'_, F>) {
    assert!(
        a.columns == b.rows && c.rows == a.rows && c.columns == b.columns,
        "the product of a {} by {} and a {} by {} matrix, into a {} by {} matrix",
        a.rows,
        a.columns,
        b.rows,
        b.columns,
        c.rows,
        c.columns
    );
}
