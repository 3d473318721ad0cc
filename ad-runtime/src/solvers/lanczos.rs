//! Extreme eigenpairs by Lanczos' method with full reorthogonalisation and thick restart.
//!
//! The vectors are handled in `basis`, the small eigenproblem in `symmetric_eigen`.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::ControlFlow;

use super::basis::Basis;
use super::{SolverError, real};
use crate::operators::{HessianOperator, Scalar};

/// Which eigenvalues are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Which {
    /// The largest, in descending order.
    Largest,
    /// The smallest, in ascending order: the negative ones first.
    Smallest,
    /// From both ends, in ascending order: half of them the smallest, the others, one more if `k` is odd, the largest.
    BothEnds,
    /// The largest in absolute value, in descending order of it.
    LargestMagnitude,
}

/// Lanczos' method with its options.
///
/// A basis of a Krylov space is built with full reorthogonalisation, each vector against all others until nothing is left
/// (Daniel, Gragg, Kaufman & Stewart 1976), and restarted from the best Ritz vectors when it is full (Wu & Simon 2000).
/// Where the space is exhausted, a random vector carries on, as it does once more after convergence: a Krylov space holds
/// one vector of each eigenspace only, so that repeated eigenvalues would be missed without that.
///
/// The residuals are computed anew at the end, by a product an eigenpair. Eigenvalues are then within their residual of
/// true ones. That no more extreme one was missed is as sure as the random vectors make it, which is almost.
///
/// Takes `basis_size + 2` vectors of memory. A product costs `O(n · basis_size)` beside the operator. The same seed gives
/// the same result.
///
/// ```
/// use ad_runtime::operators::HessianOperator;
/// use ad_runtime::solvers::lanczos::{Ending, Lanczos, Which};
///
/// struct Squares; // the diagonal matrix of 0, 1, 4, 9, ...
/// impl HessianOperator for Squares {
///     type Scalar = f64;
///     fn dim(&self) -> usize {
///         100
///     }
///     fn apply(&self, v: &[f64], out: &mut [f64]) {
///         for i in 0..100 {
///             out[i] = (i * i) as f64 * v[i];
///         }
///     }
/// }
///
/// let found = Lanczos::new(2, Which::Largest).eigenpairs(&Squares)?;
/// assert_eq!(found.ending, Ending::Converged);
/// assert!((found.values[0] - 9801.0).abs() < 1e-6 && (found.values[1] - 9604.0).abs() < 1e-6);
/// assert!((found.vectors[0][99].abs() - 1.0).abs() < 1e-8);
/// assert!(found.residuals.iter().all(|&r| r < 1e-6) && found.orthogonality < 1e-13);
/// # Ok::<(), ad_runtime::solvers::SolverError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lanczos<T> {
    count: usize,
    which: Which,
    tolerance: T,
    basis_size: Option<usize>,
    max_restarts: usize,
    seed: u64,
}

/// Why the iteration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// All residuals, computed anew, are within the tolerance.
    Converged,
    /// The residuals fall no more: the tolerance is beyond the precision of the numbers, or of the operator.
    NoProgress,
    /// As many restarts as were allowed.
    RestartLimit,
    /// The callback asked for it.
    Stopped,
}

/// Eigenpairs with what vouches for them.
#[derive(Clone, Debug)]
pub struct Eigenpairs<T> {
    /// The eigenvalues `θ`, in the order that [`Which`] says.
    pub values: Vec<T>,
    /// Their eigenvectors `x`, of norm one.
    pub vectors: Vec<Vec<T>>,
    /// `‖H x - θ x‖`, computed anew. An eigenvalue of `H` lies within this of `θ`.
    pub residuals: Vec<T>,
    /// The largest element of `XᵀX - 1` in absolute value.
    pub orthogonality: T,
    /// The largest Ritz value in absolute value: nearly the norm of `H`, by which the tolerance is meant.
    pub norm: T,
    /// Why it ended. If not by convergence, the residuals tell what the pairs are worth.
    pub ending: Ending,
    /// Products of the operator.
    pub products: usize,
    /// How often the basis was full.
    pub restarts: usize,
}

/// What a callback sees each time the basis is full.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a, T> {
    /// How often it was full, this included.
    pub restart: usize,
    /// The wanted Ritz values now; of both ends by turns, the largest first.
    pub values: &'a [T],
    /// Estimates of their residuals.
    pub residuals: &'a [T],
    /// How many of them are within the tolerance.
    pub converged: usize,
    /// Products so far.
    pub products: usize,
}

impl<T: Scalar> Lanczos<T> {
    /// Looks for `count` eigenpairs, with the defaults that the other methods name.
    #[must_use]
    pub fn new(count: usize, which: Which) -> Self {
        let tolerance = T::epsilon().powf(real(2.0 / 3.0));
        Self { count, which, tolerance, basis_size: None, max_restarts: 1000, seed: 0 }
    }

    /// The residual of a converged pair, by the norm of the operator. By default the machine epsilon to the power ⅔:
    /// 3.7e-11 for `f64`, 2.4e-5 for `f32`. The error of an eigenvalue is about the square of that by the gap to the next.
    #[must_use]
    pub fn tolerance(mut self, tolerance: T) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Vectors in the basis, by default `max(2 count + 10, 30)`, at most the dimension. More of them, fewer products.
    #[must_use]
    pub fn basis_size(mut self, vectors: usize) -> Self {
        self.basis_size = Some(vectors);
        self
    }

    /// How often the basis may be full, by default 1000.
    #[must_use]
    pub fn max_restarts(mut self, restarts: usize) -> Self {
        self.max_restarts = restarts;
        self
    }

    /// The seed of the random vectors, by default 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Finds the eigenpairs of a symmetric operator.
    ///
    /// # Errors
    /// If a product is not finite.
    ///
    /// # Panics
    /// If more eigenpairs are wanted than there are.
    pub fn eigenpairs(
        &self,
        operator: &dyn HessianOperator<Scalar = T>,
    ) -> Result<Eigenpairs<T>, SolverError> {
        self.eigenpairs_with(operator, |_| ControlFlow::Continue(()))
    }

    /// Finds the eigenpairs, with a callback each time the basis is full, which may end it.
    ///
    /// # Errors
    /// If a product is not finite.
    ///
    /// # Panics
    /// If more eigenpairs are wanted than there are.
    pub fn eigenpairs_with(
        &self,
        operator: &dyn HessianOperator<Scalar = T>,
        mut callback: impl FnMut(&Progress<'_, T>) -> ControlFlow<()>,
    ) -> Result<Eigenpairs<T>, SolverError> {
        let n = operator.dim();
        let k = self.count;
        assert!(k <= n, "Lanczos: {k} eigenpairs are wanted of an operator of dimension {n}");
        let size = self.basis_size.unwrap_or((2 * k + 10).max(30)).max(k + 2).min(n);
        let mut basis = Basis::new(operator, size, self.seed);
        let mut restarts = 0;
        // The wanted values when they had converged, before a random vector came in to look for others like them.
        let mut before: Option<Vec<T>> = None;
        // The largest true residual, when it was too large.
        let mut worst_before = T::infinity();
        loop {
            basis.fill()?;
            restarts += 1;
            let ritz = basis.ritz(|values| self.which.order(values))?;
            let scale = ritz.values.iter().fold(T::zero(), |scale, value| scale.max(value.abs()));
            // Half of the tolerance, as these are estimates.
            let estimate = (self.tolerance * real(0.5)).max(T::epsilon()) * scale;
            let converged = ritz.residuals[..k].iter().filter(|&&r| r <= estimate).count();
            let is_stopped = callback(&Progress {
                restart: restarts,
                values: &ritz.values[..k],
                residuals: &ritz.residuals[..k],
                converged,
                products: basis.products,
            })
            .is_break();
            let is_last = is_stopped || restarts >= self.max_restarts;
            if !is_last && converged < k {
                basis.keep(&ritz, k + (size - k) / 2);
                continue;
            }
            let same = self.tolerance.max(T::epsilon() * real(100.0)) * scale;
            let is_same = before.as_ref().is_some_and(|before| {
                before.iter().zip(&ritz.values).all(|(&before, &now)| (before - now).abs() <= same)
            });
            if !is_last && size < n && !is_same {
                before = Some(ritz.values[..k].to_vec());
                basis.keep(&ritz, k);
                basis.continue_from_random();
                continue;
            }
            basis.keep(&ritz, k);
            let (values, residuals) = basis.certify()?;
            let mut worst = 0;
            for i in 1..k {
                if residuals[i] > residuals[worst] {
                    worst = i;
                }
            }
            let worst_residual = residuals.get(worst).copied().unwrap_or_else(T::zero);
            let ending = if worst_residual <= self.tolerance * scale {
                Ending::Converged
            } else if is_stopped {
                Ending::Stopped
            } else if size == n || worst_residual > worst_before * real(0.5) {
                Ending::NoProgress
            } else if is_last {
                Ending::RestartLimit
            } else {
                // The residual that is too large is what is missing.
                worst_before = worst_residual;
                basis.continue_from_residual(worst)?;
                continue;
            };
            let mut order: Vec<usize> = (0..k).collect();
            order.sort_by(|&i, &j| self.which.compare(values[i], values[j]));
            let orthogonality = basis.orthogonality();
            return Ok(Eigenpairs {
                values: order.iter().map(|&i| values[i]).collect(),
                vectors: order.iter().map(|&i| core::mem::take(&mut basis.vectors[i])).collect(),
                residuals: order.iter().map(|&i| residuals[i]).collect(),
                orthogonality,
                norm: scale,
                ending,
                products: basis.products,
                restarts,
            });
        }
    }
}

impl Which {
    /// The places of the values, the wanted ones first.
    fn order<T: Scalar>(self, values: &[T]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&i, &j| self.compare(values[i], values[j]));
        if self == Self::BothEnds {
            // The largest, the smallest, the second largest, ...
            let ascending = order.clone();
            for (rank, place) in order.iter_mut().enumerate() {
                *place = ascending[if rank % 2 == 0 { ascending.len() - 1 - rank / 2 } else { rank / 2 }];
            }
        }
        order
    }

    /// How eigenvalues are sorted.
    fn compare<T: Scalar>(self, a: T, b: T) -> Ordering {
        match self {
            Self::Largest => b.partial_cmp(&a),
            Self::Smallest | Self::BothEnds => a.partial_cmp(&b),
            Self::LargestMagnitude => b.abs().partial_cmp(&a.abs()),
        }
        .unwrap_or(Ordering::Equal)
    }
}
