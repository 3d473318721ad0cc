//! Traces and diagonals from products with random vectors.
//!
//! Traces of functions of an operator are in [`density`](super::density).

use alloc::vec;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::basis::orthogonalize;
use super::random::Random;
use super::{Quantity, SolverError, all_finite, norm, real};
use crate::operators::{HessianOperator, Scalar, check_operand, dot};

/// A number estimated by random probes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate<T> {
    /// The estimate.
    pub value: T,
    /// Its standard error, estimated from how the probes differ: two of three times the truth is within one, 19 of 20
    /// times within two. Infinite with one probe, zero if the value is exact.
    pub standard_error: T,
    /// Products of the operator.
    pub products: usize,
}

/// The mean of samples, and its standard error.
pub(super) fn mean<T: Scalar>(samples: &[T], products: usize) -> Estimate<T> {
    let count = real::<T>(samples.len() as f64);
    let value = samples.iter().copied().sum::<T>() / count;
    let standard_error = if samples.len() < 2 {
        T::infinity()
    } else {
        let squares = samples.iter().map(|&s| (s - value) * (s - value)).sum::<T>();
        (squares / (count * (count - T::one()))).sqrt()
    };
    Estimate { value, standard_error, products }
}

fn product<T: Scalar>(
    operator: &dyn HessianOperator<Scalar = T>,
    v: &[T],
    out: &mut [T],
    products: &mut usize,
) -> Result<(), SolverError> {
    operator.apply(v, out);
    *products += 1;
    if all_finite(out) {
        Ok(())
    } else {
        Err(SolverError::NonFinite { quantity: Quantity::Product, iteration: *products - 1 })
    }
}

/// The diagonal by products with the unit vectors, passed on entry by entry.
fn unit_products<T: Scalar>(
    operator: &dyn HessianOperator<Scalar = T>,
    mut entry: impl FnMut(usize, T) -> ControlFlow<()>,
) -> Result<usize, SolverError> {
    let n = operator.dim();
    let (mut unit, mut out, mut products) = (vec![T::zero(); n], vec![T::zero(); n], 0);
    for i in 0..n {
        unit[i] = T::one();
        product(operator, &unit, &mut out, &mut products)?;
        unit[i] = T::zero();
        if entry(i, out[i]).is_break() {
            break;
        }
    }
    Ok(products)
}

/// Estimates by independent random signs: of the trace (Hutchinson 1989) and of the diagonal (Bekas, Kokiopoulou & Saad
/// 2007). The error falls with the root of the number of probes. For traces, [`XTrace`] is better as soon as some dozen
/// products can be afforded.
///
/// Takes two vectors of memory (four for the diagonal), and a product a probe. The same seed gives the same result.
///
/// ```
/// use ad_runtime::operators::HessianOperator;
/// use ad_runtime::solvers::trace::Hutchinson;
///
/// struct Second; // second differences
/// impl HessianOperator for Second {
///     type Scalar = f64;
///     fn dim(&self) -> usize {
///         1000
///     }
///     fn apply(&self, v: &[f64], out: &mut [f64]) {
///         for i in 0..1000 {
///             let left = if i > 0 { v[i - 1] } else { 0.0 };
///             out[i] = 2.0 * v[i] - left - v.get(i + 1).unwrap_or(&0.0);
///         }
///     }
/// }
///
/// let trace = Hutchinson::new(50).trace(&Second)?;
/// assert!((trace.value - 2000.0).abs() < 3.0 * trace.standard_error);
/// assert!(trace.standard_error < 20.0);
/// let (mut diagonal, mut errors) = ([0.0; 1000], [0.0; 1000]);
/// Hutchinson::new(50).diagonal(&Second, &mut diagonal, &mut errors)?;
/// assert!((diagonal[7] - 2.0).abs() < 4.0 * errors[7]);
/// # Ok::<(), ad_runtime::solvers::SolverError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Hutchinson {
    probes: usize,
    seed: u64,
}

impl Hutchinson {
    /// With so many probes.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    pub const fn new(probes: usize) -> Self {
        assert!(probes > 0, "Hutchinson: there must be a probe");
        Self { probes, seed: 0 }
    }

    /// The seed of the random vectors, by default 0.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Estimates the trace.
    ///
    /// # Errors
    /// If a product is not finite.
    pub fn trace<T: Scalar>(
        &self,
        operator: &dyn HessianOperator<Scalar = T>,
    ) -> Result<Estimate<T>, SolverError> {
        self.trace_with(operator, |_| ControlFlow::Continue(()))
    }

    /// Estimates the trace, with a callback after each probe, which sees the estimate so far and may be content with it.
    ///
    /// # Errors
    /// If a product is not finite.
    pub fn trace_with<T: Scalar>(
        &self,
        operator: &dyn HessianOperator<Scalar = T>,
        mut callback: impl FnMut(&Estimate<T>) -> ControlFlow<()>,
    ) -> Result<Estimate<T>, SolverError> {
        let n = operator.dim();
        let mut random = Random::new(self.seed);
        let (mut probe, mut image) = (vec![T::zero(); n], vec![T::zero(); n]);
        let (mut samples, mut products) = (Vec::new(), 0);
        loop {
            random.fill_signs(&mut probe);
            product(operator, &probe, &mut image, &mut products)?;
            samples.push(dot(&probe, &image));
            let estimate = mean(&samples, products);
            if callback(&estimate).is_break() || samples.len() == self.probes {
                return Ok(estimate);
            }
        }
    }

    /// Estimates the diagonal and writes it, and the standard error of each entry. With as many probes as the dimension or
    /// more, it takes the unit vectors instead: exact. Returns the number of products.
    ///
    /// # Errors
    /// If a product is not finite.
    ///
    /// # Panics
    /// If `diagonal` or `errors` is not as long as the dimension.
    pub fn diagonal<T: Scalar>(
        &self,
        operator: &dyn HessianOperator<Scalar = T>,
        diagonal: &mut [T],
        errors: &mut [T],
    ) -> Result<usize, SolverError> {
        self.diagonal_with(operator, diagonal, errors, |_| ControlFlow::Continue(()))
    }

    /// Estimates the diagonal, with a callback after each product, which is told how many there were and may be content. (With
    /// unit vectors, entries not reached are then zero, with an infinite error.)
    ///
    /// # Errors
    /// If a product is not finite.
    ///
    /// # Panics
    /// If `diagonal` or `errors` is not as long as the dimension.
    pub fn diagonal_with<T: Scalar>(
        &self,
        operator: &dyn HessianOperator<Scalar = T>,
        diagonal: &mut [T],
        errors: &mut [T],
        mut callback: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<usize, SolverError> {
        let n = operator.dim();
        check_operand("diagonal", "diagonal", diagonal.len(), n);
        check_operand("diagonal", "errors", errors.len(), n);
        diagonal.fill(T::zero());
        if self.probes >= n {
            errors.fill(T::infinity());
            return unit_products(operator, |i, entry| {
                (diagonal[i], errors[i]) = (entry, T::zero());
                callback(i + 1)
            });
        }
        errors.fill(T::zero());
        let mut random = Random::new(self.seed);
        let (mut probe, mut image, mut products) = (vec![T::zero(); n], vec![T::zero(); n], 0);
        // Mean and squared deviations by Welford's (1962) recurrence.
        loop {
            random.fill_signs(&mut probe);
            product(operator, &probe, &mut image, &mut products)?;
            let count = real::<T>(products as f64);
            for (((mean, squares), &sign), &image) in
                diagonal.iter_mut().zip(&mut *errors).zip(&probe).zip(&image)
            {
                let sample = sign * image;
                let gap = sample - *mean;
                *mean += gap / count;
                *squares += gap * (sample - *mean);
            }
            if callback(products).is_break() || products == self.probes {
                break;
            }
        }
        let count = real::<T>(products as f64);
        for error in errors {
            *error =
                if products > 1 { (*error / (count * (count - T::one()))).sqrt() } else { T::infinity() };
        }
        Ok(products)
    }
}

/// The exchangeable trace estimator XTrace (Epperly, Tropp & Webber 2024): the operator is projected to the images of
/// random vectors, where the trace is computed, and the rest is estimated; each of the vectors is by turns the one that
/// the projection has not seen. The error falls with the number of products, faster if the spectrum decays; the trace of an
/// operator whose rank is less than half that number is exact.
///
/// Takes as many vectors of memory as products, and `O(n · products²)` time beside them. The same seed gives the same
/// result.
///
/// ```
/// use ad_runtime::operators::HessianOperator;
/// use ad_runtime::solvers::trace::XTrace;
///
/// struct Decaying; // the diagonal matrix of 1/i²
/// impl HessianOperator for Decaying {
///     type Scalar = f64;
///     fn dim(&self) -> usize {
///         1000
///     }
///     fn apply(&self, v: &[f64], out: &mut [f64]) {
///         for i in 0..1000 {
///             out[i] = v[i] / ((i + 1) * (i + 1)) as f64;
///         }
///     }
/// }
///
/// let trace = XTrace::new(40).trace(&Decaying)?;
/// let truth: f64 = (1..=1000).map(|i| 1.0 / (i * i) as f64).sum();
/// assert!((trace.value - truth).abs() < 4.0 * trace.standard_error);
/// assert!(trace.standard_error < 0.01);
/// # Ok::<(), ad_runtime::solvers::SolverError>(())
/// ```
#[derive(Clone, Debug)]
pub struct XTrace {
    products: usize,
    seed: u64,
}

impl XTrace {
    /// With so many products. An odd one is left out. If there are as many as the dimension, the unit vectors are taken: exact.
    ///
    /// # Panics
    /// If there are less than four, of which no error could be estimated.
    #[must_use]
    pub const fn new(products: usize) -> Self {
        assert!(products >= 4, "XTrace: it takes at least four products");
        Self { products, seed: 0 }
    }

    /// The seed of the random vectors, by default 0.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Estimates the trace of a symmetric operator.
    ///
    /// # Errors
    /// If a product is not finite.
    pub fn trace<T: Scalar>(
        &self,
        operator: &dyn HessianOperator<Scalar = T>,
    ) -> Result<Estimate<T>, SolverError> {
        self.trace_with(operator, |_| ControlFlow::Continue(()))
    }

    /// Estimates the trace, with a callback after each product, which is told how many there were and may end it: then the
    /// estimate is Hutchinson's, from the probes so far, or, with unit vectors, the mean of the entries so far times the
    /// dimension.
    ///
    /// # Errors
    /// If a product is not finite.
    pub fn trace_with<T: Scalar>(
        &self,
        operator: &dyn HessianOperator<Scalar = T>,
        mut callback: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Estimate<T>, SolverError> {
        let n = operator.dim();
        if self.products >= n {
            let mut value = T::zero();
            let products = unit_products(operator, |i, entry| {
                value += entry;
                callback(i + 1)
            })?;
            if products == n {
                return Ok(Estimate { value, standard_error: T::zero(), products });
            }
            let value = value * real::<T>(n as f64 / products as f64);
            return Ok(Estimate { value, standard_error: T::infinity(), products });
        }
        let count = self.products / 2;
        let mut random = Random::new(self.seed);
        let mut products = 0;
        // The probes ω, and an orthonormal basis Q of their images, H ω = Q r.
        let (mut probes, mut basis) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut images: Vec<Vec<T>> = Vec::with_capacity(count);
        let mut samples = Vec::with_capacity(count);
        let mut largest = T::zero();
        for _ in 0..count {
            let (mut probe, mut image) = (vec![T::zero(); n], vec![T::zero(); n]);
            random.fill_normal(&mut probe);
            product(operator, &probe, &mut image, &mut products)?;
            samples.push(dot(&probe, &image));
            largest = largest.max(norm(&image));
            let mut coordinates = vec![T::zero(); basis.len()];
            let rest = orthogonalize(&mut image, &basis, &mut coordinates);
            if rest > real::<T>(10.0) * T::epsilon() * largest {
                image.iter_mut().for_each(|v| *v /= rest);
                coordinates.push(rest);
                basis.push(image);
            }
            probes.push(probe);
            images.push(coordinates);
            if callback(products).is_break() {
                return Ok(mean(&samples, products));
            }
        }
        let rank = basis.len();
        for coordinates in &mut images {
            coordinates.resize(rank, T::zero());
        }
        // The projection Qᵀ H Q.
        let mut projected: Vec<Vec<T>> = Vec::with_capacity(rank);
        let mut image = vec![T::zero(); n];
        for vector in &basis {
            product(operator, vector, &mut image, &mut products)?;
            projected.push(basis.iter().map(|q| dot(q, &image)).collect());
            if callback(products).is_break() {
                return Ok(mean(&samples, products));
            }
        }
        let form = |v: &[T]| -> T { projected.iter().zip(v).map(|(column, &c)| c * dot(column, v)).sum() };
        let inside: T = (0..rank).map(|j| projected[j][j]).sum();
        // What the projection without probe i lacks is one direction Q s.
        let estimates: Vec<T> = (0..count)
            .map(|i| {
                let missing =
                    if rank == count { missing_direction(&images, i) } else { vec![T::zero(); rank] };
                let mut within: Vec<T> = basis.iter().map(|q| dot(q, &probes[i])).collect();
                super::axpy(-dot(&missing, &within), &missing, &mut within);
                // ω·(1 - P) H (1 - P) ω
                let outside = samples[i] - real::<T>(2.0) * dot(&within, &images[i]) + form(&within);
                let dimensions = real::<T>((n - rank + usize::from(rank == count)) as f64);
                let squared = dot(&probes[i], &probes[i]) - dot(&within, &within);
                inside - form(&missing) + outside * dimensions / squared
            })
            .collect();
        Ok(mean(&estimates, products))
    }
}

/// The unit vector orthogonal to all columns of an upper triangular matrix but one: the direction of `R⁻ᵀ eᵢ`.
fn missing_direction<T: Scalar>(triangle: &[Vec<T>], i: usize) -> Vec<T> {
    let m = triangle.len();
    let mut s = vec![T::zero(); m];
    // Rᵀ s = eᵢ from above; the elements before i are zero.
    for j in i..m {
        let rest = if j == i { T::one() } else { -dot(&triangle[j][i..j], &s[i..j]) };
        s[j] = rest / triangle[j][j];
        // Only the direction counts, and it may grow fast.
        let size = norm(&s[i..=j]);
        if size > T::one() / T::epsilon() {
            s[i..=j].iter_mut().for_each(|s| *s /= size);
        }
    }
    let size = norm(&s);
    s.iter_mut().for_each(|s| *s /= size);
    s
}
