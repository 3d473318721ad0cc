//! What a minimiser is given: a value with its gradient, and the Hessian as an operator.

use core::cell::RefCell;

use crate::operators::{HessianOperator, Scalar, check_operand};

/// A function `ℝⁿ → ℝ` to be minimised.
///
/// Implement it, or build it of closures by [`from_products`], [`from_operators`] or [`from_scopes`].
pub trait Objective {
    /// The type of its variables.
    type Scalar: Scalar;

    /// Returns the value at `x` and writes the gradient, which is overwritten.
    fn value_and_gradient(&mut self, x: &[Self::Scalar], gradient: &mut [Self::Scalar]) -> Self::Scalar;

    /// Calls `body` once, with the Hessian at `x`. The operator lives for the call only, so that it may borrow `x`, the
    /// objective and its workspace.
    fn with_hessian(&mut self, x: &[Self::Scalar], body: HessianBody<'_, Self::Scalar>);
}

/// What is done with a Hessian while it lives.
pub type HessianBody<'a, T> = &'a mut dyn FnMut(&dyn HessianOperator<Scalar = T>);

impl<O: Objective + ?Sized> Objective for &mut O {
    type Scalar = O::Scalar;
    fn value_and_gradient(&mut self, x: &[O::Scalar], gradient: &mut [O::Scalar]) -> O::Scalar {
        (**self).value_and_gradient(x, gradient)
    }
    fn with_hessian(&mut self, x: &[O::Scalar], body: HessianBody<'_, O::Scalar>) {
        (**self).with_hessian(x, body);
    }
}

/// An objective of a gradient `(x, gradient) -> value` and a product `(x, v, out)`, as the functions `f_grad` and `f_hvp`
/// are.
///
/// ```
/// use ad_runtime::differentiable;
/// use ad_runtime::solvers::newton_cg::NewtonCg;
/// use ad_runtime::solvers::objective::from_products;
///
/// #[differentiable]
/// fn rosenbrock(x: &[f64]) -> f64 {
///     let mut sum = 0.0;
///     for i in 1..x.len() {
///         sum += 100.0 * (x[i] - x[i - 1] * x[i - 1]).powi(2) + (1.0 - x[i - 1]).powi(2);
///     }
///     sum
/// }
///
/// let mut x = [-1.2, 1.0, -1.2, 1.0];
/// NewtonCg::new().minimize(&mut from_products(rosenbrock_grad, rosenbrock_hvp), &mut x)?;
/// assert!(x.iter().all(|x| (x - 1.0).abs() < 1e-6));
/// # Ok::<(), ad_runtime::solvers::SolverError>(())
/// ```
pub fn from_products<T: Scalar>(
    value_and_gradient: impl FnMut(&[T], &mut [T]) -> T,
    product: impl FnMut(&[T], &[T], &mut [T]),
) -> impl Objective<Scalar = T> {
    // An operator applies through `&self`; the closure may want to use a workspace of its own.
    let product = RefCell::new(product);
    from_scopes(value_and_gradient, move |x: &[T], body: HessianBody<'_, T>| {
        body(&AtPoint { x, product: &product });
    })
}

struct AtPoint<'a, T, P> {
    x: &'a [T],
    product: &'a RefCell<P>,
}

impl<T: Scalar, P: FnMut(&[T], &[T], &mut [T])> HessianOperator for AtPoint<'_, T, P> {
    type Scalar = T;
    fn dim(&self) -> usize {
        self.x.len()
    }
    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim());
        check_operand("apply", "out", out.len(), self.dim());
        (self.product.borrow_mut())(self.x, v, out);
    }
}

/// An objective of a gradient `(x, gradient) -> value` and a function from points to operators that do not borrow the
/// point.
///
/// ```
/// # use ad_runtime::operators::HessianOperator;
/// use ad_runtime::solvers::newton_cg::NewtonCg;
/// use ad_runtime::solvers::objective::from_operators;
///
/// struct Slopes(Vec<f64>); // a diagonal matrix
/// # impl HessianOperator for Slopes {
/// #     type Scalar = f64;
/// #     fn dim(&self) -> usize {
/// #         self.0.len()
/// #     }
/// #     fn apply(&self, v: &[f64], out: &mut [f64]) {
/// #         out.iter_mut().zip(v).zip(&self.0).for_each(|((o, v), s)| *o = s * v);
/// #     }
/// # }
/// let gradient = |x: &[f64], g: &mut [f64]| {
///     g.iter_mut().zip(x).for_each(|(g, x)| *g = x.sinh());
///     x.iter().map(|x| x.cosh()).sum()
/// };
/// let hessian = |x: &[f64]| Slopes(x.iter().map(|x| x.cosh()).collect());
/// let mut x = [1.0, -2.0];
/// NewtonCg::new().minimize(&mut from_operators(gradient, hessian), &mut x)?;
/// assert!(x.iter().all(|x| x.abs() < 1e-5));
/// # Ok::<(), ad_runtime::solvers::SolverError>(())
/// ```
pub fn from_operators<T: Scalar, A: HessianOperator<Scalar = T>>(
    value_and_gradient: impl FnMut(&[T], &mut [T]) -> T,
    mut hessian: impl FnMut(&[T]) -> A,
) -> impl Objective<Scalar = T> {
    from_scopes(value_and_gradient, move |x: &[T], body: HessianBody<'_, T>| body(&hessian(x)))
}

/// An objective of a gradient `(x, gradient) -> value` and a function that makes the operator at `x` and hands it to
/// `body`. Operators that borrow `x`, as `f_linearize` makes them, are given in this way. A linearised operator is the
/// better choice where a product costs much more than reading what it keeps: an inner iteration takes several at a point.
///
/// ```
/// use ad_runtime::differentiable;
/// use ad_runtime::solvers::newton_cg::NewtonCg;
/// use ad_runtime::solvers::objective::{HessianBody, from_scopes};
///
/// #[differentiable(wrt(w))]
/// fn loss(w: &[f64], targets: &[f64]) -> f64 {
///     let mut sum = 0.0;
///     for i in 0..w.len() {
///         sum += w[i].exp() - targets[i] * w[i];
///     }
///     sum
/// }
///
/// let targets = [1.0, 2.0, 3.0];
/// let gradient = |w: &[f64], g: &mut [f64]| loss_grad(w, &targets, g);
/// let hessian = |w: &[f64], body: HessianBody<f64>| body(&loss_linearize(w, &targets));
/// let mut w = [0.0; 3];
/// NewtonCg::new().minimize(&mut from_scopes(gradient, hessian), &mut w)?;
/// assert!(w.iter().zip(&targets).all(|(w, target)| (w.exp() - target).abs() < 1e-6));
/// # Ok::<(), ad_runtime::solvers::SolverError>(())
/// ```
pub fn from_scopes<T: Scalar>(
    value_and_gradient: impl FnMut(&[T], &mut [T]) -> T,
    with_hessian: impl FnMut(&[T], HessianBody<'_, T>),
) -> impl Objective<Scalar = T> {
    Closures { value_and_gradient, with_hessian, scalar: core::marker::PhantomData }
}

struct Closures<T, G, H> {
    value_and_gradient: G,
    with_hessian: H,
    scalar: core::marker::PhantomData<T>,
}

impl<T, G, H> Objective for Closures<T, G, H>
where
    T: Scalar,
    G: FnMut(&[T], &mut [T]) -> T,
    H: FnMut(&[T], HessianBody<'_, T>),
{
    type Scalar = T;
    fn value_and_gradient(&mut self, x: &[T], gradient: &mut [T]) -> T {
        (self.value_and_gradient)(x, gradient)
    }
    fn with_hessian(&mut self, x: &[T], body: HessianBody<'_, T>) {
        (self.with_hessian)(x, body);
    }
}
