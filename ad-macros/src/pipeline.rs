//! The ordered list of passes: the one place to read first.

use proc_macro2::TokenStream;

/// Expands one annotated item.
pub(crate) fn expand(_attributes: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// A function generated for the user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Product {
    /// `f_grad`: reverse(f)
    Grad,
    /// `f_jvp`: forward(f)
    Jvp,
    /// `f_vjp`: reverse(f), for several outputs
    Vjp,
    /// `f_hvp`: forward(reverse(f)), the Hessian-vector product alone
    Hvp,
    /// `f_grad_hvp`: forward(reverse(f)), everything it computes
    GradHvp,
    /// `f_hvp_rev`: reverse(forward(f))
    HvpRev,
    /// `f_curvature`: forward(forward(f)) along one direction
    Curvature,
}
