//! Diagonal matrices, and the identity, which has no entries at all.

use alloc::vec::Vec;
use core::marker::PhantomData;

use super::{HessianOperator, Properties, Scalar, check_block, check_operand, dot, kernels};

/// A diagonal matrix. A product takes `n` multiplications; it keeps `n` numbers.
///
/// ```
/// use ad_runtime::operators::{Diagonal, HessianOperator};
///
/// let hessian = Diagonal::new(vec![1.0, 2.0, 3.0]);
/// let mut out = [0.0; 3];
/// hessian.apply(&[1.0, 1.0, -1.0], &mut out);
/// assert_eq!(out, [1.0, 2.0, -3.0]);
/// assert!(hessian.properties().positive_semidefinite);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Diagonal<T> {
    entries: Vec<T>,
    positive_semidefinite: bool,
}

impl<T: Scalar> Diagonal<T> {
    /// From the entries on the diagonal.
    pub fn new(entries: Vec<T>) -> Self {
        let positive_semidefinite = kernels::all_nonnegative(&entries);
        Self { entries, positive_semidefinite }
    }

    /// The entries on the diagonal.
    pub fn entries(&self) -> &[T] {
        &self.entries
    }
}

impl<T: Scalar> HessianOperator for Diagonal<T> {
    type Scalar = T;

    fn dim(&self) -> usize {
        self.entries.len()
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim());
        check_operand("apply", "out", out.len(), self.dim());
        for ((out, &v), &entry) in out.iter_mut().zip(v).zip(&self.entries) {
            *out = entry * v;
        }
    }

    fn quadratic_form(&self, v: &[T]) -> T {
        check_operand("quadratic_form", "v", v.len(), self.dim());
        self.entries.iter().zip(v).map(|(&entry, &v)| entry * v * v).sum()
    }

    fn diagonal(&self, out: &mut [T]) -> bool {
        check_operand("diagonal", "out", out.len(), self.dim());
        out.copy_from_slice(&self.entries);
        true
    }

    fn properties(&self) -> Properties {
        Properties { symmetric: true, positive_semidefinite: self.positive_semidefinite }
    }
}

/// The identity. A product copies `v`; nothing is kept.
///
/// As the middle of [`GaussNewton`](super::GaussNewton) it gives `JᵀJ`; `Identity::new(m).scaled(c)` gives `c JᵀJ`.
///
/// ```
/// use ad_runtime::operators::{HessianOperator, HessianOperatorExt, Identity};
///
/// let ridge = Identity::new(3).scaled(0.5);
/// assert_eq!(ridge.quadratic_form(&[1.0, 2.0, 0.0]), 2.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<T> {
    dim: usize,
    scalar: PhantomData<T>,
}

impl<T: Scalar> Identity<T> {
    /// Of this many rows.
    pub const fn new(dim: usize) -> Self {
        Self { dim, scalar: PhantomData }
    }
}

impl<T: Scalar> HessianOperator for Identity<T> {
    type Scalar = T;

    fn dim(&self) -> usize {
        self.dim
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim);
        check_operand("apply", "out", out.len(), self.dim);
        out.copy_from_slice(v);
    }

    fn apply_block(&self, directions: &[T], out: &mut [T]) {
        check_block(self.dim, directions, out);
        out.copy_from_slice(directions);
    }

    fn quadratic_form(&self, v: &[T]) -> T {
        check_operand("quadratic_form", "v", v.len(), self.dim);
        dot(v, v)
    }

    fn diagonal(&self, out: &mut [T]) -> bool {
        check_operand("diagonal", "out", out.len(), self.dim);
        out.fill(T::one());
        true
    }

    fn properties(&self) -> Properties {
        Properties::POSITIVE_SEMIDEFINITE
    }
}
