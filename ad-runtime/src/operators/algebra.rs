//! What can be made of any operator: sums, multiples, shifts, restrictions, counts.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use num_traits::Zero;

use super::kernels::{self, Scratch};
use super::{HessianOperator, Properties, Scalar, check_block, check_operand, dot};

/// The algebra of operators. Each method takes its operator by value; as a reference to an operator is one too,
/// `(&hessian).shifted(0.1)` borrows it.
///
/// ```
/// use ad_runtime::operators::{Dense, Diagonal, HessianOperator, HessianOperatorExt};
///
/// let a = Diagonal::new(vec![1.0, 2.0, 3.0]);
/// let b = Dense::symmetric(3, vec![0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
/// let sum = (&a).plus(b).scaled(2.0).shifted(1.0).restricted(vec![0, 2]);
/// assert_eq!(Dense::of(&sum).entries(), [3.0, 2.0, 2.0, 7.0]);
/// ```
pub trait HessianOperatorExt: HessianOperator + Sized {
    /// `H + G`. A product costs one of each; a vector to work in is kept, allocated by the first product (for
    /// `apply_block`, one a direction).
    ///
    /// # Panics
    /// If the dimensions differ.
    fn plus<B: HessianOperator<Scalar = Self::Scalar>>(self, other: B) -> Plus<Self, B> {
        assert!(
            other.dim() == self.dim(),
            "plus: argument `other` is of dimension {}, expected {}, that of the operator it is added to",
            other.dim(),
            self.dim()
        );
        Plus { a: self, b: other, scratch: Scratch::new() }
    }

    /// `factor H`. A product costs one of `H` and `n` multiplications.
    fn scaled(self, factor: Self::Scalar) -> Scaled<Self> {
        Scaled { operator: self, factor }
    }

    /// `H + shift I`. A product costs one of `H` and `n` multiplications.
    fn shifted(self, shift: Self::Scalar) -> Shifted<Self> {
        Shifted { operator: self, shift }
    }

    /// The rows and columns of these variables, in this order: the Hessian with respect to these, the others held fixed.
    /// A product costs one of `H`; `2 n` numbers to work in are kept, allocated by the first product. A variable that is
    /// listed several times counts as the sum of what stands at these places.
    ///
    /// # Panics
    /// If a variable is no less than the dimension.
    fn restricted(self, variables: Vec<usize>) -> Restricted<Self> {
        for &variable in &variables {
            assert!(
                variable < self.dim(),
                "restricted: argument `variables` has an entry {variable}, but the operator is of dimension {}",
                self.dim()
            );
        }
        Restricted { operator: self, variables, scratch: Scratch::new() }
    }

    /// The same operator, whose products are counted.
    ///
    /// ```
    /// use ad_runtime::operators::{Dense, HessianOperator, HessianOperatorExt, Identity};
    ///
    /// let hessian = Identity::<f64>::new(5).counted();
    /// let counter = hessian.counter();
    /// Dense::of(&hessian);
    /// hessian.quadratic_form(&[1.0; 5]);
    /// assert_eq!(counter.products(), 6);
    /// ```
    fn counted(self) -> Counted<Self> {
        Counted { operator: self, counter: Counter::default() }
    }

    /// The same operator, of which these properties are taken for granted: that a function is convex is known to who
    /// wrote it, not to the operator.
    fn assuming(self, properties: Properties) -> Assuming<Self> {
        Assuming { operator: self, properties }
    }
}

impl<A: HessianOperator> HessianOperatorExt for A {}

/// A sum of two operators, by [`plus`](HessianOperatorExt::plus).
#[derive(Clone, Debug)]
pub struct Plus<A: HessianOperator, B> {
    a: A,
    b: B,
    scratch: Scratch<A::Scalar>,
}

impl<T: Scalar, A: HessianOperator<Scalar = T>, B: HessianOperator<Scalar = T>> HessianOperator
    for Plus<A, B>
{
    type Scalar = T;

    fn dim(&self) -> usize {
        self.a.dim()
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim());
        check_operand("apply", "out", out.len(), self.dim());
        self.a.apply(v, out);
        self.scratch.with(out.len(), T::zero(), |term| {
            self.b.apply(v, term);
            kernels::add(out, term);
        });
    }

    fn apply_block(&self, directions: &[T], out: &mut [T]) {
        check_block(self.dim(), directions, out);
        self.a.apply_block(directions, out);
        self.scratch.with(out.len(), T::zero(), |term| {
            self.b.apply_block(directions, term);
            kernels::add(out, term);
        });
    }

    fn quadratic_form(&self, v: &[T]) -> T {
        check_operand("quadratic_form", "v", v.len(), self.dim());
        self.a.quadratic_form(v) + self.b.quadratic_form(v)
    }

    /// Known if that of both is.
    fn diagonal(&self, out: &mut [T]) -> bool {
        check_operand("diagonal", "out", out.len(), self.dim());
        self.scratch.with(out.len(), T::zero(), |term| {
            // In this order `out` is only written to when both are known.
            let known = self.b.diagonal(term) && self.a.diagonal(out);
            if known {
                kernels::add(out, term);
            }
            known
        })
    }

    fn properties(&self) -> Properties {
        self.a.properties().and(self.b.properties())
    }
}

/// A multiple of an operator, by [`scaled`](HessianOperatorExt::scaled).
#[derive(Clone, Debug)]
pub struct Scaled<A: HessianOperator> {
    operator: A,
    factor: A::Scalar,
}

impl<A: HessianOperator> HessianOperator for Scaled<A> {
    type Scalar = A::Scalar;

    fn dim(&self) -> usize {
        self.operator.dim()
    }

    fn apply(&self, v: &[A::Scalar], out: &mut [A::Scalar]) {
        self.operator.apply(v, out);
        self.scale(out);
    }

    fn apply_block(&self, directions: &[A::Scalar], out: &mut [A::Scalar]) {
        self.operator.apply_block(directions, out);
        self.scale(out);
    }

    fn quadratic_form(&self, v: &[A::Scalar]) -> A::Scalar {
        self.factor * self.operator.quadratic_form(v)
    }

    fn diagonal(&self, out: &mut [A::Scalar]) -> bool {
        let known = self.operator.diagonal(out);
        if known {
            self.scale(out);
        }
        known
    }

    fn properties(&self) -> Properties {
        let Properties { symmetric, positive_semidefinite } = self.operator.properties();
        Properties {
            symmetric,
            positive_semidefinite: positive_semidefinite && self.factor >= A::Scalar::zero(),
        }
    }
}

impl<A: HessianOperator> Scaled<A> {
    fn scale(&self, out: &mut [A::Scalar]) {
        for out in out {
            *out *= self.factor;
        }
    }
}

/// An operator plus a multiple of the identity, by [`shifted`](HessianOperatorExt::shifted).
#[derive(Clone, Debug)]
pub struct Shifted<A: HessianOperator> {
    operator: A,
    shift: A::Scalar,
}

impl<A: HessianOperator> Shifted<A> {
    /// The multiple of the identity.
    pub fn shift(&self) -> A::Scalar {
        self.shift
    }

    /// Changes it, as damped methods do from step to step.
    pub fn set_shift(&mut self, shift: A::Scalar) {
        self.shift = shift;
    }
}

impl<A: HessianOperator> HessianOperator for Shifted<A> {
    type Scalar = A::Scalar;

    fn dim(&self) -> usize {
        self.operator.dim()
    }

    fn apply(&self, v: &[A::Scalar], out: &mut [A::Scalar]) {
        self.operator.apply(v, out);
        kernels::add_scaled(out, self.shift, v);
    }

    fn apply_block(&self, directions: &[A::Scalar], out: &mut [A::Scalar]) {
        self.operator.apply_block(directions, out);
        kernels::add_scaled(out, self.shift, directions);
    }

    fn quadratic_form(&self, v: &[A::Scalar]) -> A::Scalar {
        self.operator.quadratic_form(v) + self.shift * dot(v, v)
    }

    fn diagonal(&self, out: &mut [A::Scalar]) -> bool {
        let known = self.operator.diagonal(out);
        if known {
            for out in out {
                *out += self.shift;
            }
        }
        known
    }

    fn properties(&self) -> Properties {
        let Properties { symmetric, positive_semidefinite } = self.operator.properties();
        Properties {
            symmetric,
            positive_semidefinite: positive_semidefinite && self.shift >= A::Scalar::zero(),
        }
    }
}

/// The rows and columns of some variables, by [`restricted`](HessianOperatorExt::restricted).
#[derive(Clone, Debug)]
pub struct Restricted<A: HessianOperator> {
    operator: A,
    variables: Vec<usize>,
    scratch: Scratch<A::Scalar>,
}

impl<A: HessianOperator> Restricted<A> {
    /// The variables, in order.
    pub fn variables(&self) -> &[usize] {
        &self.variables
    }

    /// Writes the vector of all variables to `whole`: `v` at its places, zero elsewhere.
    fn extend(&self, v: &[A::Scalar], whole: &mut [A::Scalar]) {
        whole.fill(A::Scalar::zero());
        for (&variable, &v) in self.variables.iter().zip(v) {
            whole[variable] += v;
        }
    }

    fn gather(&self, whole: &[A::Scalar], out: &mut [A::Scalar]) {
        for (out, &variable) in out.iter_mut().zip(&self.variables) {
            *out = whole[variable];
        }
    }
}

impl<A: HessianOperator> HessianOperator for Restricted<A> {
    type Scalar = A::Scalar;

    fn dim(&self) -> usize {
        self.variables.len()
    }

    fn apply(&self, v: &[A::Scalar], out: &mut [A::Scalar]) {
        check_operand("apply", "v", v.len(), self.dim());
        check_operand("apply", "out", out.len(), self.dim());
        self.scratch.with(2 * self.operator.dim(), A::Scalar::zero(), |scratch| {
            let (whole, product) = scratch.split_at_mut(self.operator.dim());
            self.extend(v, whole);
            self.operator.apply(whole, product);
            self.gather(product, out);
        });
    }

    fn apply_block(&self, directions: &[A::Scalar], out: &mut [A::Scalar]) {
        check_block(self.dim(), directions, out);
        if out.is_empty() {
            return;
        }
        let (dim, lanes) = (self.operator.dim(), out.len() / self.dim());
        self.scratch.with(2 * lanes * dim, A::Scalar::zero(), |scratch| {
            let (whole, products) = scratch.split_at_mut(lanes * dim);
            for (v, whole) in directions.chunks_exact(self.dim()).zip(whole.chunks_exact_mut(dim)) {
                self.extend(v, whole);
            }
            self.operator.apply_block(whole, products);
            for (product, out) in products.chunks_exact(dim).zip(out.chunks_exact_mut(self.dim())) {
                self.gather(product, out);
            }
        });
    }

    fn quadratic_form(&self, v: &[A::Scalar]) -> A::Scalar {
        check_operand("quadratic_form", "v", v.len(), self.dim());
        self.scratch.with(self.operator.dim(), A::Scalar::zero(), |whole| {
            self.extend(v, whole);
            self.operator.quadratic_form(whole)
        })
    }

    fn diagonal(&self, out: &mut [A::Scalar]) -> bool {
        check_operand("diagonal", "out", out.len(), self.dim());
        self.scratch.with(self.operator.dim(), A::Scalar::zero(), |whole| {
            let known = self.operator.diagonal(whole);
            if known {
                self.gather(whole, out);
            }
            known
        })
    }

    fn properties(&self) -> Properties {
        self.operator.properties()
    }
}

/// The number of products that a [`Counted`] operator was asked for. Clones share it, so it can be read while a solver
/// borrows or owns the operator, also from another thread.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicUsize>);

impl Counter {
    /// The products since the start, or since the last [`reset`](Self::reset).
    pub fn products(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Starts again from 0.
    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn add(&self, products: usize) {
        self.0.fetch_add(products, Ordering::Relaxed);
    }
}

/// An operator whose products are counted, by [`counted`](HessianOperatorExt::counted). One direction is one product, in
/// `apply`, `apply_block` and `quadratic_form` alike; `diagonal` is none.
#[derive(Clone, Debug)]
pub struct Counted<A> {
    operator: A,
    counter: Counter,
}

impl<A> Counted<A> {
    /// The products so far.
    pub fn products(&self) -> usize {
        self.counter.products()
    }

    /// A handle to read them by.
    pub fn counter(&self) -> Counter {
        self.counter.clone()
    }
}

impl<A: HessianOperator> HessianOperator for Counted<A> {
    type Scalar = A::Scalar;

    fn dim(&self) -> usize {
        self.operator.dim()
    }

    fn apply(&self, v: &[A::Scalar], out: &mut [A::Scalar]) {
        self.operator.apply(v, out);
        self.counter.add(1);
    }

    fn apply_block(&self, directions: &[A::Scalar], out: &mut [A::Scalar]) {
        self.operator.apply_block(directions, out);
        self.counter.add(out.len().checked_div(self.dim()).unwrap_or(0));
    }

    fn quadratic_form(&self, v: &[A::Scalar]) -> A::Scalar {
        self.counter.add(1);
        self.operator.quadratic_form(v)
    }

    fn diagonal(&self, out: &mut [A::Scalar]) -> bool {
        self.operator.diagonal(out)
    }

    fn properties(&self) -> Properties {
        self.operator.properties()
    }
}

/// An operator with properties taken for granted, by [`assuming`](HessianOperatorExt::assuming).
#[derive(Clone, Debug)]
pub struct Assuming<A> {
    operator: A,
    properties: Properties,
}

impl<A: HessianOperator> HessianOperator for Assuming<A> {
    type Scalar = A::Scalar;

    fn dim(&self) -> usize {
        self.operator.dim()
    }

    fn apply(&self, v: &[A::Scalar], out: &mut [A::Scalar]) {
        self.operator.apply(v, out);
    }

    fn apply_block(&self, directions: &[A::Scalar], out: &mut [A::Scalar]) {
        self.operator.apply_block(directions, out);
    }

    fn quadratic_form(&self, v: &[A::Scalar]) -> A::Scalar {
        self.operator.quadratic_form(v)
    }

    fn diagonal(&self, out: &mut [A::Scalar]) -> bool {
        self.operator.diagonal(out)
    }

    fn properties(&self) -> Properties {
        self.properties
    }
}
