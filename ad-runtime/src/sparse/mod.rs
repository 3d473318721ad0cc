//! Sparse Hessians from products: where the nonzeros are, which directions to apply the operator to, and how the entries
//! are read off the products.
//!
//! The steps, a file each:
//!
//! 1. [`pattern`]: a [`Pattern`] says which entries may be nonzero.

pub mod pattern;

pub use pattern::{Pattern, PatternError};
