//! Gauss-Newton operators: the curvature of an outer function, seen through the first derivatives of an inner one.

use super::kernels::Scratch;
use super::{HessianOperator, Properties, Scalar, check_block, check_operand};

/// `JᵀBJ`: `J` is the Jacobian of a model or of residuals, given by its products, and `B` an operator on their space:
/// [`Identity`](super::Identity) for least squares, `½‖r‖²`, and in general the Hessian of the loss with respect to what
/// the model returns. Where the loss is convex this is positive semidefinite, and near a good fit close to the Hessian.
///
/// A product takes one forward product `Jv`, one of `B` and one reverse product `Jᵀw`, and a quadratic form no reverse
/// product. It keeps `2 m` numbers to work in (`m = B.dim()`; for `apply_block` `2 m` a direction), allocated by the first
/// product. What the closures capture is theirs.
///
/// The products are those of Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent" (2002).
///
/// ```
/// use ad_runtime::differentiable;
/// use ad_runtime::operators::{Dense, GaussNewton, Identity};
///
/// #[differentiable(wrt(x))]
/// fn residuals(x: &[f64], out: &mut [f64]) {
///     out[0] = x[0] * x[1];
///     out[1] = x[0];
///     out[2] = 3.0 * x[1];
/// }
///
/// let x = [2.0, 1.0]; // J = [[1, 2], [1, 0], [0, 3]]
/// let hessian = GaussNewton::new(
///     2,
///     |v: &[f64], jv: &mut [f64]| residuals_jvp(&x, v, &mut [0.0; 3], jv),
///     |w: &[f64], jtw: &mut [f64]| residuals_vjp(&x, w, jtw),
///     Identity::new(3),
/// );
/// assert_eq!(Dense::of(&hessian).entries(), [2.0, 2.0, 2.0, 13.0]);
/// ```
#[derive(Clone, Debug)]
pub struct GaussNewton<J, V, B: HessianOperator> {
    dim: usize,
    jvp: J,
    vjp: V,
    outer: B,
    scratch: Scratch<B::Scalar>,
}

impl<T, J, V, B> GaussNewton<J, V, B>
where
    T: Scalar,
    J: Fn(&[T], &mut [T]),
    V: Fn(&[T], &mut [T]),
    B: HessianOperator<Scalar = T>,
{
    /// From the number of variables, `jvp`, which writes `Jv` to its second argument, `vjp`, which writes `Jᵀw`, and `B`.
    /// Both closures overwrite.
    pub const fn new(dim: usize, jvp: J, vjp: V, outer: B) -> Self {
        Self { dim, jvp, vjp, outer, scratch: Scratch::new() }
    }

    /// The operator `B` in the middle.
    pub const fn outer(&self) -> &B {
        &self.outer
    }
}

impl<T, J, V, B> HessianOperator for GaussNewton<J, V, B>
where
    T: Scalar,
    J: Fn(&[T], &mut [T]),
    V: Fn(&[T], &mut [T]),
    B: HessianOperator<Scalar = T>,
{
    type Scalar = T;

    fn dim(&self) -> usize {
        self.dim
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim);
        check_operand("apply", "out", out.len(), self.dim);
        let m = self.outer.dim();
        self.scratch.with(2 * m, T::zero(), |scratch| {
            let (image, cotangent) = scratch.split_at_mut(m);
            (self.jvp)(v, image);
            self.outer.apply(image, cotangent);
            (self.vjp)(cotangent, out);
        });
    }

    /// The closures take one direction at a time, `B` takes all.
    fn apply_block(&self, directions: &[T], out: &mut [T]) {
        check_block(self.dim, directions, out);
        if out.is_empty() {
            return;
        }
        let (m, lanes) = (self.outer.dim(), out.len() / self.dim);
        self.scratch.with(2 * lanes * m, T::zero(), |scratch| {
            let (images, cotangents) = scratch.split_at_mut(lanes * m);
            for (lane, v) in directions.chunks_exact(self.dim).enumerate() {
                (self.jvp)(v, &mut images[lane * m..(lane + 1) * m]);
            }
            self.outer.apply_block(images, cotangents);
            for (lane, out) in out.chunks_exact_mut(self.dim).enumerate() {
                (self.vjp)(&cotangents[lane * m..(lane + 1) * m], out);
            }
        });
    }

    /// `Jv·B Jv`, without a reverse product.
    fn quadratic_form(&self, v: &[T]) -> T {
        check_operand("quadratic_form", "v", v.len(), self.dim);
        self.scratch.with(self.outer.dim(), T::zero(), |image| {
            (self.jvp)(v, image);
            self.outer.quadratic_form(image)
        })
    }

    fn properties(&self) -> Properties {
        self.outer.properties()
    }
}
