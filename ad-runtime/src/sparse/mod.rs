//! Sparse Hessians from products: where the nonzeros are, which directions to apply the operator to, and how the entries
//! are read off the products.
//!
//! The steps, a file each:
//!
//! 1. [`pattern`]: a [`Pattern`] says which entries may be nonzero.
//! 2. [`coloring`]: a [`Coloring`], greedy in an [`Order`], says which variables may share a direction.

pub mod coloring;
pub mod order;
pub mod pattern;

pub use coloring::Coloring;
pub use order::Order;
pub use pattern::{Pattern, PatternError};
