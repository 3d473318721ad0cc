//! What consumes operators: minimisers, conjugate gradients, eigenpairs, spectral densities and traces.
//!
//! Here is what the methods share: their errors and the arithmetic of vectors. Each method has a file of its own.
//! Operators themselves are in [`operators`](crate::operators).

use core::fmt;

use crate::operators::{Scalar, dot};

mod basis;
pub mod cg;
pub mod density;
pub mod lanczos;
mod line_search;
mod minimum;
pub mod newton_cg;
pub mod objective;
pub mod preconditioner;
mod random;
mod symmetric_eigen;
pub mod trace;
mod truncated_cg;
pub mod trust_region;

/// What was found to be NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quantity {
    /// The point that the method starts from.
    Start,
    /// The right-hand side of a linear system.
    RightHandSide,
    /// The value of the objective.
    Value,
    /// The gradient of the objective.
    Gradient,
    /// A product of the operator, or an inner product with it.
    Product,
    /// What the preconditioner returned, or its inner product with the residual.
    Preconditioned,
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "starting point",
            Self::RightHandSide => "right-hand side",
            Self::Value => "value of the objective",
            Self::Gradient => "gradient of the objective",
            Self::Product => "product of the operator",
            Self::Preconditioned => "preconditioned residual",
        })
    }
}

/// Why a method could not go on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SolverError {
    /// A NaN or an infinity came up, or something grew past the largest number.
    NonFinite {
        /// Where.
        quantity: Quantity,
        /// In which iteration of the method, counted from 0.
        iteration: usize,
    },
    /// The preconditioner is not positive definite: `r·M⁻¹r ≤ 0` for a residual `r ≠ 0`.
    IndefinitePreconditioner {
        /// In which iteration of the method, counted from 0.
        iteration: usize,
    },
}

impl fmt::Display for SolverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NonFinite { quantity, iteration } => {
                write!(f, "the {quantity} is not finite in iteration {iteration}")
            }
            Self::IndefinitePreconditioner { iteration } => {
                write!(f, "the preconditioner is not positive definite in iteration {iteration}")
            }
        }
    }
}

impl core::error::Error for SolverError {}

/// A constant in the scalar type.
///
/// # Panics
/// If the type has no value near it: `f32` and `f64` have.
pub(crate) fn real<T: Scalar>(c: f64) -> T {
    T::from(c).expect("a scalar type has a value near every constant of moderate size")
}

/// The Euclidean norm, without overflow or underflow on the way, by scaling if it is needed.
pub(crate) fn norm<T: Scalar>(v: &[T]) -> T {
    let squares = dot(v, v);
    if squares.is_finite() && squares > T::min_positive_value() / T::epsilon() {
        return squares.sqrt();
    }
    let largest = v.iter().fold(T::zero(), |largest, x| largest.max(x.abs()));
    if !squares.is_nan() && largest.is_finite() && largest > T::zero() {
        largest * v.iter().map(|&x| (x / largest).powi(2)).sum::<T>().sqrt()
    } else {
        squares.sqrt()
    }
}

/// `y ← y + a x`
pub(crate) fn axpy<T: Scalar>(a: T, x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// Whether no entry is NaN or infinite.
pub(crate) fn all_finite<T: Scalar>(v: &[T]) -> bool {
    v.iter().all(|x| x.is_finite())
}
