//! Kronecker products: the curvature of what acts on the rows and on the columns of a matrix of parameters.

use super::kernels::Scratch;
use super::{HessianOperator, Properties, Scalar, check_block, check_operand, dot};

/// `A ⊗ B`, of any two operators. With `p = A.dim()` and `q = B.dim()` its dimension is `p q`, and its vectors are matrices
/// of `p` rows and `q` columns, row by row: `(A ⊗ B) vec(V) = vec(A V Bᵀ)`. A product takes `p` products of `B`, `q` of `A`
/// (both in blocks) and two transpositions; `A ⊗ B` itself is never formed. To work in, it keeps `p q` numbers a
/// direction, allocated by the first product.
///
/// The identity is that of Van Loan, "The ubiquitous Kronecker product" (2000), written for rows instead of columns; as
/// an approximation of curvature it became known by Martens and Grosse, K-FAC (2015).
///
/// ```
/// use ad_runtime::operators::{Dense, Diagonal, HessianOperator, Kronecker};
///
/// let hessian = Kronecker::new(Diagonal::new(vec![1.0, 10.0]), Dense::symmetric(2, vec![2.0, 0.0, 1.0, 2.0]));
/// let mut out = [0.0; 4];
/// hessian.apply(&[1.0, 0.0, 0.0, 1.0], &mut out);
/// assert_eq!(out, [2.0, 1.0, 10.0, 20.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Kronecker<A: HessianOperator, B> {
    a: A,
    b: B,
    scratch: Scratch<A::Scalar>,
}

impl<T: Scalar, A: HessianOperator<Scalar = T>, B: HessianOperator<Scalar = T>> Kronecker<A, B> {
    /// `a ⊗ b`
    pub fn new(a: A, b: B) -> Self {
        Self { a, b, scratch: Scratch::new() }
    }

    /// The factors `A` and `B`.
    pub fn factors(&self) -> (&A, &B) {
        (&self.a, &self.b)
    }

    /// Applies to vectors one after another; `work` is as long as they.
    fn apply_in(&self, directions: &[T], out: &mut [T], work: &mut [T]) {
        let (p, q) = (self.a.dim(), self.b.dim());
        if directions.is_empty() {
            return;
        }
        self.b.apply_block(directions, work); // V Bᵀ: B on each row of V
        for (work, out) in work.chunks_exact(p * q).zip(out.chunks_exact_mut(p * q)) {
            transpose(work, p, q, out);
        }
        self.a.apply_block(out, work);
        for (work, out) in work.chunks_exact(p * q).zip(out.chunks_exact_mut(p * q)) {
            transpose(work, q, p, out);
        }
    }
}

/// Writes the transpose of a matrix of so many rows and columns to `out`.
fn transpose<T: Copy>(matrix: &[T], rows: usize, columns: usize, out: &mut [T]) {
    for (i, row) in matrix.chunks_exact(columns).enumerate() {
        for (j, &entry) in row.iter().enumerate() {
            out[j * rows + i] = entry;
        }
    }
}

impl<T: Scalar, A: HessianOperator<Scalar = T>, B: HessianOperator<Scalar = T>> HessianOperator
    for Kronecker<A, B>
{
    type Scalar = T;

    fn dim(&self) -> usize {
        self.a.dim() * self.b.dim()
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim());
        check_operand("apply", "out", out.len(), self.dim());
        self.scratch.with(v.len(), T::zero(), |work| self.apply_in(v, out, work));
    }

    fn apply_block(&self, directions: &[T], out: &mut [T]) {
        check_block(self.dim(), directions, out);
        self.scratch.with(directions.len(), T::zero(), |work| self.apply_in(directions, out, work));
    }

    fn quadratic_form(&self, v: &[T]) -> T {
        check_operand("quadratic_form", "v", v.len(), self.dim());
        self.scratch.with(2 * v.len(), T::zero(), |scratch| {
            let (product, work) = scratch.split_at_mut(v.len());
            self.apply_in(v, product, work);
            dot(v, product)
        })
    }

    /// Known if that of both factors is.
    fn diagonal(&self, out: &mut [T]) -> bool {
        check_operand("diagonal", "out", out.len(), self.dim());
        let (p, q) = (self.a.dim(), self.b.dim());
        self.scratch.with(p + q, T::zero(), |scratch| {
            let (a, b) = scratch.split_at_mut(p);
            let known = self.a.diagonal(a) && self.b.diagonal(b);
            if known && q > 0 {
                for (out, &a) in out.chunks_exact_mut(q).zip(&*a) {
                    for (out, &b) in out.iter_mut().zip(&*b) {
                        *out = a * b;
                    }
                }
            }
            known
        })
    }

    fn properties(&self) -> Properties {
        self.a.properties().and(self.b.properties())
    }
}
