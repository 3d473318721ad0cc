//! Sparse Hessians from products: where the nonzeros are, which directions to apply the operator to, and how the entries
//! are read off the products.
//!
//! The steps, a file each:
//!
//! 1. [`pattern`]: a [`Pattern`] says which entries may be nonzero.
//! 2. [`coloring`]: a [`Coloring`], greedy in an [`Order`], says which variables may share a direction.
//! 3. [`plan`]: a [`SparsePlan`] says where in the products each entry is.
//! 4. [`compressed`]: a [`CompressedHessian`] applies an operator to the directions, point after point, and assembles
//!    a [`Sparse`] matrix ([`matrix`]), which is an operator itself.

pub mod coloring;
pub mod compressed;
pub mod matrix;
pub mod order;
pub mod pattern;
mod peel;
pub mod plan;

pub use coloring::Coloring;
pub use compressed::CompressedHessian;
pub use matrix::{Mismatch, Sparse, TripletError};
pub use order::Order;
pub use pattern::{Pattern, PatternError};
pub use plan::{ColoringError, SparsePlan};
