//! An orthonormal basis that Lanczos' method grows, restarts and takes Ritz pairs from.
//!
//! What is wanted, and when it is good enough, is decided in `lanczos`.

use alloc::vec;
use alloc::vec::Vec;

use super::random::Random;
use super::symmetric_eigen::dense;
use super::{Quantity, SolverError, axpy, norm, real};
use crate::operators::{HessianOperator, Scalar, dot};

/// `V` with `H V = V P + β v eᵀ`: the operator's projection `P` is kept as a full matrix, so that the basis may be anything.
pub(super) struct Basis<'a, T: Scalar> {
    operator: &'a dyn HessianOperator<Scalar = T>,
    /// `V`, at most `size` vectors.
    pub(super) vectors: Vec<Vec<T>>,
    /// `VᵀHV`, by columns.
    projected: Vec<Vec<T>>,
    /// `v`, the vector to come: orthogonal to the others and of norm one, unless they span everything.
    next: Vec<T>,
    /// `β`
    remainder: T,
    /// The largest norm of a product so far.
    largest: T,
    size: usize,
    random: Random,
    pub(super) products: usize,
}

/// Ritz pairs of a basis.
pub(super) struct Ritz<T> {
    pub(super) values: Vec<T>,
    /// The vectors, in terms of the basis.
    coefficients: Vec<Vec<T>>,
    /// Their residuals, by recurrence.
    pub(super) residuals: Vec<T>,
}

impl<'a, T: Scalar> Basis<'a, T> {
    /// Empty, with a random vector to come.
    pub(super) fn new(operator: &'a dyn HessianOperator<Scalar = T>, size: usize, seed: u64) -> Self {
        let mut basis = Self {
            operator,
            vectors: Vec::with_capacity(size),
            projected: vec![vec![T::zero(); size]; size],
            next: vec![T::zero(); operator.dim()],
            remainder: T::zero(),
            largest: T::zero(),
            size,
            random: Random::new(seed),
            products: 0,
        };
        basis.continue_from_random();
        basis
    }

    fn error(&self) -> SolverError {
        SolverError::NonFinite { quantity: Quantity::Product, iteration: self.products - 1 }
    }

    /// Grows until it is full.
    pub(super) fn fill(&mut self) -> Result<(), SolverError> {
        while self.vectors.len() < self.size {
            let mut product = vec![T::zero(); self.next.len()];
            self.operator.apply(&self.next, &mut product);
            self.products += 1;
            let length = norm(&product);
            if !length.is_finite() {
                return Err(self.error());
            }
            self.largest = self.largest.max(length);
            let last = self.vectors.len();
            self.vectors.push(core::mem::replace(&mut self.next, product));
            let mut column = vec![T::zero(); last + 1];
            let remainder = orthogonalize(&mut self.next, &self.vectors, &mut column);
            for (i, &h) in column.iter().enumerate() {
                self.projected[last][i] = h;
                self.projected[i][last] = h;
            }
            // Of less than that, nothing is known but rounding errors: the space is invariant.
            if remainder <= real::<T>(10.0) * T::epsilon() * self.largest {
                self.continue_from_random();
            } else {
                self.remainder = remainder;
                self.next.iter_mut().for_each(|v| *v /= remainder);
            }
        }
        Ok(())
    }

    /// Ritz pairs, the wanted ones first: `order` gives the places of the values in that order.
    pub(super) fn ritz(&self, order: impl FnOnce(&[T]) -> Vec<usize>) -> Result<Ritz<T>, SolverError> {
        let m = self.vectors.len();
        let (values, mut vectors) =
            dense(self.projected.iter().take(m).map(|column| column[..m].to_vec()).collect())
                .ok_or_else(|| self.error())?;
        let order = order(&values);
        let coefficients: Vec<Vec<T>> = order.iter().map(|&i| core::mem::take(&mut vectors[i])).collect();
        let residuals = coefficients.iter().map(|c| self.remainder * c[m - 1].abs()).collect();
        Ok(Ritz { values: order.iter().map(|&i| values[i]).collect(), coefficients, residuals })
    }

    /// Makes the first Ritz vectors the basis. The vector to come stays what it is.
    pub(super) fn keep(&mut self, ritz: &Ritz<T>, count: usize) {
        // In slices of rows, so that the combinations take the place of what they combine.
        const ROWS: usize = 128;
        let mut rows = vec![T::zero(); count * ROWS];
        for start in (0..self.next.len()).step_by(ROWS) {
            let end = self.next.len().min(start + ROWS);
            rows.fill(T::zero());
            for (combined, coefficients) in rows.chunks_exact_mut(ROWS).zip(&ritz.coefficients) {
                for (vector, &c) in self.vectors.iter().zip(coefficients) {
                    axpy(c, &vector[start..end], &mut combined[..end - start]);
                }
            }
            for (vector, combined) in self.vectors.iter_mut().zip(rows.chunks_exact(ROWS)) {
                vector[start..end].copy_from_slice(&combined[..end - start]);
            }
        }
        self.vectors.truncate(count);
        for (j, column) in self.projected.iter_mut().enumerate().take(count) {
            column.fill(T::zero());
            column[j] = ritz.values[j];
        }
    }

    /// A random vector is to come, which the others know nothing of.
    pub(super) fn continue_from_random(&mut self) {
        self.remainder = T::zero();
        if self.vectors.len() == self.next.len() {
            return;
        }
        let mut column = vec![T::zero(); self.vectors.len()];
        // A random vector is not in a subspace, but may lie near it.
        for _ in 0..100 {
            self.random.fill_uniform(&mut self.next);
            let length = norm(&self.next);
            let rest = orthogonalize(&mut self.next, &self.vectors, &mut column);
            self.next.iter_mut().for_each(|v| *v /= rest);
            if rest > T::epsilon().sqrt() * length {
                return;
            }
        }
    }

    /// The residual `H x - θ x` of one of the vectors is to come.
    pub(super) fn continue_from_residual(&mut self, index: usize) -> Result<(), SolverError> {
        let x = &self.vectors[index];
        self.operator.apply(x, &mut self.next);
        self.products += 1;
        if !norm(&self.next).is_finite() {
            return Err(self.error());
        }
        let mut column = vec![T::zero(); self.vectors.len()];
        let remainder = orthogonalize(&mut self.next, &self.vectors, &mut column);
        if remainder > T::zero() {
            self.remainder = remainder;
            self.next.iter_mut().for_each(|v| *v /= remainder);
        } else {
            self.continue_from_random();
        }
        Ok(())
    }

    /// Rayleigh quotients and residuals of the vectors, by a product each.
    pub(super) fn certify(&mut self) -> Result<(Vec<T>, Vec<T>), SolverError> {
        for i in 0..self.vectors.len() {
            let (before, rest) = self.vectors.split_at_mut(i);
            let length = orthogonalize(&mut rest[0], before, &mut vec![T::zero(); i]);
            rest[0].iter_mut().for_each(|v| *v /= length);
        }
        let mut product = vec![T::zero(); self.next.len()];
        let mut found = (Vec::new(), Vec::new());
        for vector in &self.vectors {
            self.operator.apply(vector, &mut product);
            self.products += 1;
            let value = dot(vector, &product);
            axpy(-value, vector, &mut product);
            let residual = norm(&product);
            if !residual.is_finite() {
                return Err(self.error());
            }
            found.0.push(value);
            found.1.push(residual);
        }
        Ok(found)
    }

    /// The largest element of `VᵀV - 1`.
    pub(super) fn orthogonality(&self) -> T {
        let mut worst = T::zero();
        for (i, u) in self.vectors.iter().enumerate() {
            worst = worst.max((dot(u, u) - T::one()).abs());
            for v in &self.vectors[..i] {
                worst = worst.max(dot(u, v).abs());
            }
        }
        worst
    }
}

/// Subtracts from a vector what lies in the span of orthonormal ones, and adds it to `coefficients`. Returns the norm of what
/// is left. Repeats until nothing more goes (Daniel, Gragg, Kaufman & Stewart 1976): once is not enough, twice is.
pub(super) fn orthogonalize<T: Scalar>(vector: &mut [T], basis: &[Vec<T>], coefficients: &mut [T]) -> T {
    let mut length = norm(vector);
    for _ in 0..5 {
        for (v, coefficient) in basis.iter().zip(&mut *coefficients) {
            let along = dot(v, vector);
            *coefficient += along;
            axpy(-along, v, vector);
        }
        let rest = norm(vector);
        let is_done = rest > length * real(0.7);
        length = rest;
        if is_done || rest == T::zero() {
            break;
        }
    }
    length
}
