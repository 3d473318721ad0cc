//! What the operators are computed with: inner products, sums of vectors, and vectors to work in. Nothing here is seen
//! from outside of the crate, but by generated code.

use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use super::Scalar;

/// How many partial sums a dot product keeps: as many as fill the vector registers of today's processors. A single sum
/// would have to be added up in order, one product at a time.
const LANES: usize = 8;

/// `u·v`, over the shorter of the two.
pub fn dot<T: Scalar>(u: &[T], v: &[T]) -> T {
    let length = u.len().min(v.len());
    let (u_chunks, u_rest) = u[..length].as_chunks::<LANES>();
    let (v_chunks, v_rest) = v[..length].as_chunks::<LANES>();
    let mut sums = [T::zero(); LANES];
    for (u, v) in u_chunks.iter().zip(v_chunks) {
        for lane in 0..LANES {
            sums[lane] += u[lane] * v[lane];
        }
    }
    let rest: T = u_rest.iter().zip(v_rest).map(|(&u, &v)| u * v).sum();
    sums.into_iter().sum::<T>() + rest
}

/// `sum += factor * v`
pub fn add_scaled<T: Scalar>(sum: &mut [T], factor: T, v: &[T]) {
    for (sum, &v) in sum.iter_mut().zip(v) {
        *sum += factor * v;
    }
}

/// `sum += v`
pub(crate) fn add<T: Scalar>(sum: &mut [T], v: &[T]) {
    for (sum, &v) in sum.iter_mut().zip(v) {
        *sum += v;
    }
}

/// Whether no entry is negative. A NaN counts as negative: nothing is known of it.
pub(crate) fn all_nonnegative<T: Scalar>(entries: &[T]) -> bool {
    entries.iter().all(|&entry| entry >= T::zero())
}

/// A vector to work in that an operator keeps from one product to the next, so that only the first one allocates.
///
/// It is taken out while it is used: an operator that is applied within its own product finds it empty and allocates
/// another, where a `RefCell` would panic.
pub(crate) struct Scratch<T>(Cell<Vec<T>>);

impl<T> Scratch<T> {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(Vec::new()))
    }

    /// Lends a slice of this length to `work`. It holds what the last use left in it.
    pub(crate) fn with<R>(&self, length: usize, fill: T, work: impl FnOnce(&mut [T]) -> R) -> R
    where
        T: Clone,
    {
        let mut vector = self.0.take();
        if vector.len() < length {
            vector.resize(length, fill);
        }
        let result = work(&mut vector[..length]);
        self.0.set(vector);
        result
    }
}

/// A clone starts with no memory of its own.
impl<T> Clone for Scratch<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Scratch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratch")
    }
}
