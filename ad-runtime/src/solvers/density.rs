//! Spectra as a whole: stochastic Lanczos quadrature.
//!
//! Single eigenvalues are in [`lanczos`](super::lanczos), traces of the operator itself in [`trace`](super::trace).

use alloc::vec;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::basis::orthogonalize;
use super::random::Random;
use super::symmetric_eigen::tridiagonal;
use super::trace::{Estimate, mean};
use super::{Quantity, SolverError, norm, real};
use crate::operators::{HessianOperator, Scalar};

/// Stochastic Lanczos quadrature with its options (Ubaru, Chen & Saad 2017; Golub & Meurant 1994 for the quadrature).
///
/// Each probe, a random vector of norm one, gives a Gauss rule with as many nodes as Lanczos takes steps from it; their mean
/// stands for the spectrum. Exact for polynomials up to twice the number of steps, but for the randomness of the probes,
/// which falls with the root of their number, and with that of the dimension.
///
/// Takes `steps + 2` vectors of memory, a product and `O(n · steps)` a step, for full reorthogonalisation. The same seed
/// gives the same result.
///
/// ```
/// use ad_runtime::operators::HessianOperator;
/// use ad_runtime::solvers::density::SpectralDensity;
///
/// struct TwoHeaps; // a diagonal matrix: three quarters of the eigenvalues are 1, the others 5
/// impl HessianOperator for TwoHeaps {
///     type Scalar = f64;
///     fn dim(&self) -> usize {
///         1000
///     }
///     fn apply(&self, v: &[f64], out: &mut [f64]) {
///         for i in 0..1000 {
///             out[i] = if i % 4 == 0 { 5.0 } else { 1.0 } * v[i];
///         }
///     }
/// }
///
/// let spectrum = SpectralDensity::new().estimate(&TwoHeaps)?;
/// let mut density = [0.0; 3];
/// spectrum.density(&[1.0, 3.0, 5.0], 0.1, &mut density);
/// assert!((density[0] / density[2] - 3.0).abs() < 0.5 && density[1] < 1e-6);
///
/// let log_determinant = spectrum.trace(f64::ln);
/// assert!((log_determinant.value - 250.0 * 5.0_f64.ln()).abs() < 4.0 * log_determinant.standard_error);
/// # Ok::<(), ad_runtime::solvers::SolverError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SpectralDensity {
    probes: usize,
    steps: usize,
    seed: u64,
}

/// The quadrature: a measure of mass one that stands for the eigenvalues.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum<T> {
    /// The number of eigenvalues.
    pub dim: usize,
    /// Nodes and weights by probe; the weights of each sum to one.
    pub rules: Vec<Vec<(T, T)>>,
    /// Products of the operator.
    pub products: usize,
}

impl Default for SpectralDensity {
    fn default() -> Self {
        Self::new()
    }
}

impl SpectralDensity {
    /// With the defaults that the other methods name.
    #[must_use]
    pub const fn new() -> Self {
        Self { probes: 10, steps: 80, seed: 0 }
    }

    /// Random vectors, by default 10.
    #[must_use]
    pub const fn probes(mut self, probes: usize) -> Self {
        self.probes = probes;
        self
    }

    /// Lanczos steps from each, by default 80, at most the dimension.
    #[must_use]
    pub const fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// The seed of the random vectors, by default 0.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Estimates the spectrum of a symmetric operator.
    ///
    /// # Errors
    /// If a product is not finite.
    pub fn estimate<T: Scalar>(
        &self,
        operator: &dyn HessianOperator<Scalar = T>,
    ) -> Result<Spectrum<T>, SolverError> {
        self.estimate_with(operator, |_, _| ControlFlow::Continue(()))
    }

    /// Estimates the spectrum, with a callback after each probe, which is told how many are done and the spectrum so far, and
    /// may be content with that.
    ///
    /// # Errors
    /// If a product is not finite.
    pub fn estimate_with<T: Scalar>(
        &self,
        operator: &dyn HessianOperator<Scalar = T>,
        mut callback: impl FnMut(usize, &Spectrum<T>) -> ControlFlow<()>,
    ) -> Result<Spectrum<T>, SolverError> {
        let mut random = Random::new(self.seed);
        let mut spectrum = Spectrum { dim: operator.dim(), rules: Vec::new(), products: 0 };
        if spectrum.dim == 0 {
            return Ok(spectrum);
        }
        for probe in 0..self.probes {
            let mut start = vec![T::zero(); spectrum.dim];
            random.fill_normal(&mut start);
            let rule = gauss_rule(operator, start, self.steps, &mut spectrum.products)?;
            spectrum.rules.push(rule);
            if callback(probe + 1, &spectrum).is_break() {
                break;
            }
        }
        Ok(spectrum)
    }
}

/// The Gauss rule of the measure that a vector sees: nodes and weights.
fn gauss_rule<T: Scalar>(
    operator: &dyn HessianOperator<Scalar = T>,
    start: Vec<T>,
    steps: usize,
    products: &mut usize,
) -> Result<Vec<(T, T)>, SolverError> {
    let steps = steps.clamp(1, start.len());
    let error = |iteration| SolverError::NonFinite { quantity: Quantity::Product, iteration };
    let (mut basis, mut diagonal, mut off) = (Vec::with_capacity(steps), Vec::new(), Vec::new());
    let mut largest = T::zero();
    let mut next = start;
    let mut length = norm(&next);
    loop {
        next.iter_mut().for_each(|v| *v /= length);
        let mut product = vec![T::zero(); next.len()];
        operator.apply(&next, &mut product);
        *products += 1;
        basis.push(core::mem::replace(&mut next, product));
        length = norm(&next);
        if !length.is_finite() {
            return Err(error(*products - 1));
        }
        largest = largest.max(length);
        let mut column = vec![T::zero(); basis.len()];
        length = orthogonalize(&mut next, &basis, &mut column);
        diagonal.extend(column.last());
        // An invariant subspace: the rule is exact.
        if basis.len() == steps || length <= real::<T>(10.0) * T::epsilon() * largest {
            break;
        }
        off.push(length);
    }
    // The first components of the eigenvectors.
    let mut first = vec![vec![T::zero()]; diagonal.len()];
    first[0][0] = T::one();
    if !tridiagonal(&mut diagonal, &mut off, &mut first) {
        return Err(error(*products - 1));
    }
    Ok(diagonal.into_iter().zip(first).map(|(node, first)| (node, first[0] * first[0])).collect())
}

impl<T: Scalar> Spectrum<T> {
    /// The least and the greatest node: what is known of the range of the spectrum. `None` if there are no nodes.
    pub fn range(&self) -> Option<(T, T)> {
        let mut nodes = self.rules.iter().flatten().map(|&(node, _)| node);
        let first = nodes.next()?;
        Some(nodes.fold((first, first), |(least, most), node| (least.min(node), most.max(node))))
    }

    /// Equidistant points from `margin` below the range to `margin` above it; a margin of three or four widths shows all of
    /// the density. Empty if there are no nodes.
    pub fn grid(&self, points: usize, margin: T) -> Vec<T> {
        let Some((least, most)) = self.range() else {
            return Vec::new();
        };
        let (low, high) = (least - margin, most + margin);
        let last = real::<T>(points.saturating_sub(1).max(1) as f64);
        (0..points).map(|i| low + (high - low) * real::<T>(i as f64) / last).collect()
    }

    /// Writes the density at the points of a grid, smoothed by Gaussians of this standard deviation. Its integral is one.
    ///
    /// # Panics
    /// If `out` is not as long as `grid`, or the width is not positive.
    pub fn density(&self, grid: &[T], width: T, out: &mut [T]) {
        assert_eq!(grid.len(), out.len(), "density: `out` must be as long as `grid`");
        assert!(width > T::zero(), "density: `width` must be positive, not {width:?}");
        let root = real::<T>(core::f64::consts::TAU).sqrt();
        let scale = T::one() / (real::<T>(self.rules.len().max(1) as f64) * width * root);
        for (out, &at) in out.iter_mut().zip(grid) {
            let nodes = self.rules.iter().flatten();
            *out = scale
                * nodes
                    .map(|&(node, weight)| weight * (-((at - node) / width).powi(2) / real(2.0)).exp())
                    .sum::<T>();
        }
    }

    /// An estimate of the sum of a function over the eigenvalues: of the trace of `f(H)`. With `ln`, that is the logarithm
    /// of the determinant; with a step, a count of eigenvalues; with `1 / λ`, the trace of the inverse.
    pub fn trace(&self, f: impl Fn(T) -> T) -> Estimate<T> {
        let dim = real::<T>(self.dim as f64);
        let samples: Vec<T> = self
            .rules
            .iter()
            .map(|rule| dim * rule.iter().map(|&(node, weight)| weight * f(node)).sum::<T>())
            .collect();
        mean(&samples, self.products)
    }
}
