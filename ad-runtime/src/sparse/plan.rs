//! From a pattern and a colouring: the directions, and where in the products each entry of the Hessian is.
//!
//! Combinatorics only, done once for a pattern; the numbers are in `compressed`.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use super::peel::Peeling;
use super::{Coloring, CompressedHessian, Pattern, Sparse};
use crate::operators::HessianOperator;

/// How to assemble every Hessian that has a pattern: directions to apply the operator to, and how to read the entries off
/// the products.
///
/// A direction is the sum of the unit vectors of one colour. An entry `h_ij` is found in row `i` of the product for the
/// colour of `j` where no other neighbour of `i` has this colour, or the other way round. So it is for all entries of a
/// star colouring (recovery is direct). In an acyclic colouring the entries of two colours form trees: those at leaves
/// stand alone, are subtracted where they are part of a sum, and so on to the roots (recovery by substitution). One
/// algorithm does both: leaves are taken off, outermost first, and in a star there is nothing to subtract (Gebremedhin,
/// Tarafdar, Pothen & Walther 2009, direct and indirect recovery).
///
/// A plan takes time and memory linear in `dim + nnz`. Colours of which no product is needed are left out: an empty
/// pattern takes no product at all.
///
/// ```
/// use ad_runtime::operators::HessianOperator;
/// use ad_runtime::sparse::{Coloring, Order, Pattern, Sparse, SparsePlan};
///
/// // The second difference stands for an operator of which only products are known.
/// let operator = Sparse::from_triplets(5, (0..5).map(|i| (i, i, 2.0)).chain(
///     (0..4).flat_map(|i| [(i, i + 1, -1.0), (i + 1, i, -1.0)])
/// ))?;
///
/// let pattern = Pattern::banded(5, 1);
/// let plan = SparsePlan::new(pattern.clone(), &Coloring::star(&pattern, Order::Natural))?;
/// assert_eq!((plan.products(), plan.depth()), (3, 0));
/// let hessian = plan.assemble(&operator);
/// assert_eq!(hessian, operator);
/// hessian.verify(&operator)?; // one more product, at random
///
/// let plan = SparsePlan::new(pattern.clone(), &Coloring::acyclic(&pattern, Order::Natural))?;
/// assert_eq!((plan.products(), plan.depth()), (2, 1));
/// assert_eq!(plan.assemble(&operator), operator);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SparsePlan {
    pattern: Arc<Pattern>,
    /// By direction: the variables that are 1 in it.
    members: Groups<usize>,
    /// By direction: what is read off its product.
    reads: Groups<Read>,
    /// In this order.
    steps: Vec<Step>,
    depth: usize,
}

/// An entry that is copied from a row of a product.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) entry: usize,
    pub(super) row: usize,
}

/// An entry that is known now, and goes to the other triangle, and off the sum that was read for another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) entry: usize,
    pub(super) mirror: usize,
    pub(super) subtract_from: Option<usize>,
}

/// Why a colouring does not suit a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColoringError {
    /// These two variables share an entry and have the same colour.
    SameColor(usize, usize),
    /// The entry of these two variables cannot be found: there is a cycle in their two colours.
    Cycle(usize, usize),
}

impl fmt::Display for ColoringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameColor(i, j) => {
                write!(f, "variables {i} and {j} share an entry and have the same colour")
            }
            Self::Cycle(i, j) => {
                write!(
                    f,
                    "entry ({i}, {j}) cannot be recovered: there is a cycle in the colours of its variables"
                )
            }
        }
    }
}

impl core::error::Error for ColoringError {}

impl SparsePlan {
    /// The plan for a pattern and a colouring, both of [`Coloring::star`] and of [`Coloring::acyclic`], or one's own.
    ///
    /// # Errors
    /// If the colouring is not acyclic (star colourings are).
    ///
    /// # Panics
    /// If there are not as many colours as variables.
    pub fn new(pattern: impl Into<Arc<Pattern>>, coloring: &Coloring) -> Result<Self, ColoringError> {
        let pattern = pattern.into();
        let colors = coloring.colors();
        assert!(
            colors.len() == pattern.dim(),
            "SparsePlan::new: argument `coloring` is of {} variables, expected {}, the pattern's dimension",
            colors.len(),
            pattern.dim()
        );
        if let Some((i, j)) = pattern.iter().find(|&(i, j)| i != j && colors[i] == colors[j]) {
            return Err(ColoringError::SameColor(i, j));
        }
        let mut peeling = Peeling::new(&pattern, coloring);
        peeling.run()?;
        let (direction_of, count) = peeling.directions();
        let members = (0..pattern.dim()).filter(|&i| !pattern.row(i).is_empty());
        let members = members.filter_map(|i| Some((direction_of[colors[i]]?, i)));
        let reads = pattern.iter().enumerate().filter(|&(entry, _)| peeling.is_read(entry));
        let reads =
            reads.filter_map(|(entry, (row, j))| Some((direction_of[colors[j]]?, Read { entry, row })));
        let members = Groups::new(count, members);
        let reads = Groups::new(count, reads);
        let (steps, depth) = (peeling.steps(), peeling.depth());
        Ok(Self { pattern, members, reads, steps, depth })
    }

    /// The Hessian of an operator that has this pattern, by [`products`](Self::products) products, 8 at once. Allocates
    /// what [`CompressedHessian`] reuses.
    ///
    /// # Panics
    /// If the operator has another dimension.
    pub fn assemble<A: HessianOperator + ?Sized>(&self, operator: &A) -> Sparse<A::Scalar> {
        let mut compressed = CompressedHessian::new(self);
        compressed.assemble(operator);
        compressed.into_hessian()
    }

    /// Where the Hessian's entries are.
    pub fn pattern(&self) -> &Arc<Pattern> {
        &self.pattern
    }

    /// The number of products an assembly takes: at most that of the colours.
    pub fn products(&self) -> usize {
        self.members.len()
    }

    /// The variables that are 1 in a direction; the others are 0.
    ///
    /// # Panics
    /// If `direction` is not below [`products`](Self::products).
    pub fn direction(&self, direction: usize) -> &[usize] {
        self.members.get(direction)
    }

    /// The greatest number of subtractions that follow from one another until an entry is known: 0 if recovery is direct.
    /// Rounding errors of the entries beneath one add up to its error, so that it may grow in proportion (or, in trees that
    /// branch, to the number of entries of a tree).
    pub fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn reads(&self, direction: usize) -> &[Read] {
        self.reads.get(direction)
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// Lists by a key, one after another.
#[derive(Clone, Debug)]
struct Groups<T> {
    starts: Vec<usize>,
    items: Vec<T>,
}

impl<T: Copy> Groups<T> {
    /// Items with their keys below `count`; the order of the items is kept.
    fn new(count: usize, items: impl Iterator<Item = (usize, T)> + Clone) -> Self {
        let mut starts = vec![0; count + 1];
        items.clone().for_each(|(key, _)| starts[key + 1] += 1);
        for key in 0..count {
            starts[key + 1] += starts[key];
        }
        let Some((_, any)) = items.clone().next() else { return Self { starts, items: Vec::new() } };
        let mut next = starts.clone();
        let mut sorted = vec![any; starts[count]];
        for (key, item) in items {
            sorted[next[key]] = item;
            next[key] += 1;
        }
        Self { starts, items: sorted }
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn range(&self, key: usize) -> Range<usize> {
        self.starts[key]..self.starts[key + 1]
    }

    fn get(&self, key: usize) -> &[T] {
        &self.items[self.range(key)]
    }
}
