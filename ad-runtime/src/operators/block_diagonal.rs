//! Block-diagonal operators: groups of variables that do not interact.

use alloc::vec::Vec;
use core::ops::Range;

use num_traits::Zero;

use super::kernels::Scratch;
use super::{HessianOperator, Properties, check_block, check_operand};

/// Operators one after another on the diagonal, and zero elsewhere. Each acts on variables of its own. A product costs one
/// product of each block and no allocation; nothing but the blocks is kept (after a call of `apply_block` on `k`
/// directions or of `diagonal`, some vectors to work in: `2 k` of the length of the largest block, or one of length `n`).
///
/// The blocks are of one type, which may be `Box<dyn HessianOperator<Scalar = f64>>` where kinds are mixed:
///
/// ```
/// use ad_runtime::operators::{BlockDiagonal, Dense, Diagonal, HessianOperator};
///
/// let blocks: Vec<Box<dyn HessianOperator<Scalar = f64>>> = vec![
///     Box::new(Diagonal::new(vec![2.0])),
///     Box::new(Dense::symmetric(2, vec![1.0, 0.0, 3.0, 1.0])),
/// ];
/// let hessian = BlockDiagonal::new(blocks);
/// let mut out = [0.0; 3];
/// hessian.apply(&[1.0, 1.0, 2.0], &mut out);
/// assert_eq!(out, [2.0, 7.0, 5.0]);
/// ```
#[derive(Clone, Debug)]
pub struct BlockDiagonal<A: HessianOperator> {
    blocks: Vec<A>,
    dim: usize,
    scratch: Scratch<A::Scalar>,
}

impl<A: HessianOperator> BlockDiagonal<A> {
    /// From the blocks, in the order of the variables.
    pub fn new(blocks: Vec<A>) -> Self {
        let dim = blocks.iter().map(HessianOperator::dim).sum();
        Self { blocks, dim, scratch: Scratch::new() }
    }

    /// The blocks, in the order of the variables.
    pub fn blocks(&self) -> &[A] {
        &self.blocks
    }

    /// Each block with the range of its variables.
    fn with_ranges(&self) -> impl Iterator<Item = (&A, Range<usize>)> {
        self.blocks.iter().scan(0, |end, block| {
            let start = *end;
            *end += block.dim();
            Some((block, start..*end))
        })
    }
}

impl<A: HessianOperator> HessianOperator for BlockDiagonal<A> {
    type Scalar = A::Scalar;

    fn dim(&self) -> usize {
        self.dim
    }

    fn apply(&self, v: &[A::Scalar], out: &mut [A::Scalar]) {
        check_operand("apply", "v", v.len(), self.dim);
        check_operand("apply", "out", out.len(), self.dim);
        for (block, range) in self.with_ranges() {
            block.apply(&v[range.clone()], &mut out[range]);
        }
    }

    /// Gives each block its part of all directions at once.
    fn apply_block(&self, directions: &[A::Scalar], out: &mut [A::Scalar]) {
        check_block(self.dim, directions, out);
        if out.is_empty() {
            return;
        }
        let lanes = out.len() / self.dim;
        let largest = self.blocks.iter().map(HessianOperator::dim).max().unwrap_or(0);
        self.scratch.with(2 * lanes * largest, A::Scalar::zero(), |scratch| {
            for (block, range) in self.with_ranges() {
                let (part, rest) = scratch.split_at_mut(lanes * range.len());
                let products = &mut rest[..lanes * range.len()];
                for lane in 0..lanes {
                    let at = lane * self.dim;
                    part[lane * range.len()..(lane + 1) * range.len()]
                        .copy_from_slice(&directions[at + range.start..at + range.end]);
                }
                block.apply_block(part, products);
                for lane in 0..lanes {
                    let at = lane * self.dim;
                    out[at + range.start..at + range.end]
                        .copy_from_slice(&products[lane * range.len()..(lane + 1) * range.len()]);
                }
            }
        });
    }

    fn quadratic_form(&self, v: &[A::Scalar]) -> A::Scalar {
        check_operand("quadratic_form", "v", v.len(), self.dim);
        self.with_ranges().map(|(block, range)| block.quadratic_form(&v[range])).sum()
    }

    /// Known if that of every block is.
    fn diagonal(&self, out: &mut [A::Scalar]) -> bool {
        check_operand("diagonal", "out", out.len(), self.dim);
        self.scratch.with(self.dim, A::Scalar::zero(), |whole| {
            let known = self.with_ranges().all(|(block, range)| block.diagonal(&mut whole[range]));
            if known {
                out.copy_from_slice(whole);
            }
            known
        })
    }

    fn properties(&self) -> Properties {
        self.blocks
            .iter()
            .map(HessianOperator::properties)
            .fold(Properties::POSITIVE_SEMIDEFINITE, Properties::and)
    }
}
