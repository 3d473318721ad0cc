//! The Hessian of a function at a point, as the macro's `f_hessian` and `f_linearize` give it; blocks of directions.

use alloc::vec;
use alloc::vec::Vec;

use super::{HessianOperator, Properties, Scalar, check_block, check_operand};

/// The Hessian at a point, without storage: each application is one Hessian-vector product, `f_hvp`.
///
/// Made by `f_hessian`, or from closures. Costs nothing until it is applied.
///
/// ```
/// use ad_runtime::differentiable;
/// use ad_runtime::operators::HessianOperator;
///
/// #[differentiable]
/// fn f(x: &[f64]) -> f64 {
///     x[0] * x[0] * x[1]
/// }
/// let hessian = f_hessian(&[3.0, 5.0]);
/// let mut hv = [0.0; 2];
/// hessian.apply(&[1.0, 0.0], &mut hv);
/// assert_eq!(hv, [10.0, 6.0]);
/// assert_eq!(hessian.value(), 45.0);
/// ```
///
/// [`apply_block`](HessianOperator::apply_block) of what `f_hessian` gives takes eight or four directions at a time, by
/// `f_hvp_block`, so that they share all that does not depend on them. It allocates `16 · dim` numbers for the time of
/// the call.
#[derive(Clone, Debug)]
pub struct Hessian<T, P, G, B = OneByOne> {
    dim: usize,
    product: P,
    gradient: G,
    blocks: B,
    scalar: core::marker::PhantomData<T>,
}

/// Directions to apply to at once, and where the products go, which are overwritten: component after component, with
/// the lanes (one for each direction) of a component side by side.
#[derive(Debug)]
pub enum Block<'a, T> {
    /// Four directions.
    Four(&'a [[T; 4]], &'a mut [[T; 4]]),
    /// Eight directions.
    Eight(&'a [[T; 8]], &'a mut [[T; 8]]),
}

/// Products with several directions at once: a closure on [`Block`]s, or [`OneByOne`].
pub trait Blocks<T> {
    /// Whether there are such products.
    const SOME: bool;
    /// Applies to a block. Not called where there are none.
    fn apply(&self, block: Block<'_, T>);
}

/// Of a [`Hessian`] without products for several directions at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OneByOne;

impl<T> Blocks<T> for OneByOne {
    const SOME: bool = false;
    fn apply(&self, _: Block<'_, T>) {}
}

impl<T, F: Fn(Block<'_, T>)> Blocks<T> for F {
    const SOME: bool = true;
    fn apply(&self, block: Block<'_, T>) {
        self(block);
    }
}

impl<T: Scalar, P: Fn(&[T], &mut [T]), G: Fn(&mut [T]) -> T> Hessian<T, P, G> {
    /// From `product`, which overwrites its second argument with `H v`, and `gradient`, which overwrites its argument with
    /// the gradient and returns the value.
    pub fn new(dim: usize, product: P, gradient: G) -> Self {
        Self { dim, product, gradient, blocks: OneByOne, scalar: core::marker::PhantomData }
    }

    /// With products for several directions at once, which must be those of `product`.
    pub fn with_blocks<B: Fn(Block<'_, T>)>(self, blocks: B) -> Hessian<T, P, G, B> {
        let Self { dim, product, gradient, scalar, .. } = self;
        Hessian { dim, product, gradient, blocks, scalar }
    }
}

impl<T: Scalar, P: Fn(&[T], &mut [T]), G: Fn(&mut [T]) -> T, B> Hessian<T, P, G, B> {
    /// Writes the gradient to `out`, which is overwritten, and returns the value. Costs one gradient.
    ///
    /// # Panics
    /// If `out` is not of length `dim`.
    pub fn gradient(&self, out: &mut [T]) -> T {
        check_operand("gradient", "out", out.len(), self.dim);
        (self.gradient)(out)
    }

    /// The function's value. Costs one gradient, and allocates a vector of length `dim`.
    pub fn value(&self) -> T {
        (self.gradient)(&mut vec![T::zero(); self.dim])
    }
}

impl<T: Scalar, P: Fn(&[T], &mut [T]), G, B: Blocks<T>> HessianOperator for Hessian<T, P, G, B> {
    type Scalar = T;

    fn dim(&self) -> usize {
        self.dim
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim);
        check_operand("apply", "out", out.len(), self.dim);
        (self.product)(v, out);
    }

    fn apply_block(&self, directions: &[T], out: &mut [T]) {
        check_block(self.dim, directions, out);
        if self.dim == 0 {
            return;
        }
        let (mut eight, mut four) = (Room::new(), Room::new());
        let mut first = 0;
        while first < directions.len() {
            let left = (directions.len() - first) / self.dim;
            // A block with an empty lane or two costs less than what it holds, one by one.
            let width = match left {
                _ if !B::SOME => 1,
                0..=2 => 1,
                3..=5 => 4,
                _ => 8,
            };
            let part = first..first + self.dim * width.min(left);
            let (v, out) = (&directions[part.clone()], &mut out[part.clone()]);
            match width {
                8 => eight.apply(self.dim, v, out, |v, out| self.blocks.apply(Block::Eight(v, out))),
                4 => four.apply(self.dim, v, out, |v, out| self.blocks.apply(Block::Four(v, out))),
                _ => (self.product)(v, out),
            }
            first = part.end;
        }
    }

    fn properties(&self) -> Properties {
        Properties::SYMMETRIC
    }
}

/// Room for a block, allocated when there is the first.
struct Room<T, const LANES: usize> {
    directions: Vec<[T; LANES]>,
    products: Vec<[T; LANES]>,
}

impl<T: Scalar, const LANES: usize> Room<T, LANES> {
    fn new() -> Self {
        Self { directions: Vec::new(), products: Vec::new() }
    }

    /// Applies to up to `LANES` directions, which stand one after another.
    fn apply(
        &mut self,
        dim: usize,
        directions: &[T],
        out: &mut [T],
        block: impl FnOnce(&[[T; LANES]], &mut [[T; LANES]]),
    ) {
        self.directions.resize(dim, [T::zero(); LANES]);
        self.products.resize(dim, [T::zero(); LANES]);
        let lanes = directions.len() / dim;
        for (i, component) in self.directions.iter_mut().enumerate() {
            for (lane, x) in component.iter_mut().enumerate() {
                *x = if lane < lanes { directions[lane * dim + i] } else { T::zero() };
            }
        }
        block(&self.directions, &mut self.products);
        for (lane, out) in out.chunks_exact_mut(dim).enumerate() {
            for (out, component) in out.iter_mut().zip(&self.products) {
                *out = component[lane];
            }
        }
    }
}

/// The Hessian at a point, linearised: value and gradient have been computed, and what of the product does not depend on
/// the direction is kept, so that each application computes only what does.
///
/// Made by `f_linearize`, which costs about a gradient and the memory that [`memory`](Self::memory) tells. Worth it where
/// several products are taken at one point, as conjugate gradients do. Nothing records operations: both halves are compiled
/// code (compare `linearize` of JAX; Frostig et al. 2021, "Decomposing reverse-mode automatic differentiation").
///
/// ```
/// use ad_runtime::differentiable;
/// use ad_runtime::operators::HessianOperator;
///
/// #[differentiable]
/// fn f(x: &[f64]) -> f64 {
///     x.iter().map(|x| x.exp()).sum()
/// }
/// let x = [0.0, 1.0];
/// let hessian = f_linearize(&x);
/// assert_eq!(hessian.gradient(), [1.0, 1.0_f64.exp()]);
/// let mut hv = [0.0; 2];
/// hessian.apply(&[2.0, 0.0], &mut hv); // no exponential is computed here
/// assert_eq!(hv, [2.0, 0.0]);
/// assert_eq!(hessian.memory(), 16);
/// ```
#[derive(Clone, Debug)]
pub struct Linearized<T, P> {
    value: T,
    gradient: Vec<T>,
    memory: usize,
    product: P,
}

impl<T: Scalar, P: Fn(&[T], &mut [T])> Linearized<T, P> {
    /// From the value and the gradient, the bytes that `product` keeps, and `product`, which overwrites its second argument
    /// with `H v`.
    pub fn new(value: T, gradient: Vec<T>, memory: usize, product: P) -> Self {
        Self { value, gradient, memory, product }
    }

    /// The function's value.
    pub fn value(&self) -> T {
        self.value
    }

    /// The gradient.
    pub fn gradient(&self) -> &[T] {
        &self.gradient
    }

    /// How many bytes are kept for applications, beside the gradient.
    pub fn memory(&self) -> usize {
        self.memory
    }
}

impl<T: Scalar, P: Fn(&[T], &mut [T])> HessianOperator for Linearized<T, P> {
    type Scalar = T;

    fn dim(&self) -> usize {
        self.gradient.len()
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.gradient.len());
        check_operand("apply", "out", out.len(), self.gradient.len());
        (self.product)(v, out);
    }

    fn properties(&self) -> Properties {
        Properties::SYMMETRIC
    }
}
