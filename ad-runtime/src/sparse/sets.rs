//! How generated code finds patterns: sets of inputs by number, so that they can be stored and passed on like integers.
//!
//! What sets are, and what operations on them mean, is in [`recorder`](super::recorder).

use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::{IndexSet, Pattern, PatternRecorder};

/// What `f_sparsity` gives: which entries of a Hessian may be nonzero.
///
/// ```
/// use ad_runtime::differentiable;
/// use ad_runtime::operators::HessianOperator;
/// use ad_runtime::sparse::{Coloring, Order, SparsePlan};
///
/// #[differentiable]
/// fn chain(x: &[f64]) -> f64 {
///     x.windows(2).map(|w| (w[1] - w[0] * w[0]).powi(2)).sum()
/// }
///
/// let x = [0.5, 1.0, -0.5, 2.0];
/// let sparsity = chain_sparsity(&x);
/// assert!(sparsity.for_all_inputs);
/// assert_eq!(sparsity.pattern.half_bandwidth(), 1);
///
/// // Three products give the whole Hessian, however many variables there are.
/// let coloring = Coloring::star(&sparsity.pattern, Order::Natural);
/// assert_eq!(coloring.count(), 3);
/// let plan = SparsePlan::new(sparsity.pattern, &coloring)?;
/// let hessian = plan.assemble(&chain_hessian(&x));
/// assert_eq!(hessian.get(0, 1), -2.0);
/// # Ok::<(), ad_runtime::sparse::ColoringError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sparsity {
    /// The entries that may be nonzero.
    pub pattern: Pattern,
    /// Whether this holds for all inputs (of the same lengths), or for the one that it was found at and those for which the
    /// function takes the same branches.
    pub for_all_inputs: bool,
}

impl Sparsity {
    #[doc(hidden)]
    pub fn new(pattern: Pattern, for_all_inputs: bool) -> Self {
        Self { pattern, for_all_inputs }
    }
}

/// A recorder whose sets have numbers; 0 is the empty set.
///
/// Keeps every set that it has made: some 24 bytes for each operation recorded.
pub struct SetRecorder {
    inner: RefCell<Inner>,
}

struct Inner {
    recorder: PatternRecorder,
    sets: Vec<IndexSet>,
    inputs: usize,
}

impl Inner {
    fn keep(&mut self, set: IndexSet) -> usize {
        self.sets.push(set);
        self.sets.len() - 1
    }
}

impl SetRecorder {
    /// Of a function of so many variables.
    pub fn new(dim: usize) -> Self {
        let inner = Inner { recorder: PatternRecorder::new(dim), sets: vec![IndexSet::new()], inputs: 0 };
        Self { inner: RefCell::new(inner) }
    }

    /// The sets of the next `n` inputs.
    pub fn inputs(&self, n: usize) -> Vec<usize> {
        let inner = &mut *self.inner.borrow_mut();
        let first = inner.inputs;
        inner.inputs += n;
        (first..first + n)
            .map(|i| {
                let set = inner.recorder.input(i);
                inner.keep(set)
            })
            .collect()
    }

    /// What a sum of values with these sets depends on.
    pub fn union(&self, a: usize, b: usize) -> usize {
        if a == 0 || a == b {
            return b;
        }
        if b == 0 {
            return a;
        }
        let inner = &mut *self.inner.borrow_mut();
        let set = inner.recorder.union(&inner.sets[a], &inner.sets[b]);
        inner.keep(set)
    }

    /// The union of many.
    pub fn union_all(&self, sets: &[usize]) -> usize {
        sets.iter().fold(0, |a, b| self.union(a, *b))
    }

    /// Marks the pairs across two sets: those of a product.
    pub fn bilinear(&self, a: usize, b: usize) {
        if a != 0 && b != 0 {
            let inner = &mut *self.inner.borrow_mut();
            let _ = inner.recorder.bilinear(&inner.sets[a], &inner.sets[b]);
        }
    }

    /// Marks the pairs in a set: those of a nonlinear function.
    pub fn nonlinear(&self, a: usize) {
        if a != 0 {
            let inner = &mut *self.inner.borrow_mut();
            let _ = inner.recorder.nonlinear(&inner.sets[a]);
        }
    }

    /// What was marked.
    pub fn finish(self) -> Pattern {
        self.inner.into_inner().recorder.finish()
    }
}
