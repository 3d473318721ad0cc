//! Sparse Hessians from products: where the nonzeros are, which directions to apply the operator to, and how the entries
//! are read off the products.
//!
//! The steps, a file each:
//!
//! 1. [`recorder`]: a [`PatternRecorder`] runs the function on sets of inputs ([`IndexSet`]) and finds its [`Pattern`]
//!    ([`pattern`]): which entries may be nonzero.
//! 2. [`coloring`]: a [`Coloring`], greedy in an [`Order`] ([`order`]), says which variables may share a direction.
//! 3. [`plan`]: a [`SparsePlan`] says where in the products each entry is.
//! 4. [`compressed`]: a [`CompressedHessian`] applies an operator to the directions, point after point, and assembles
//!    a [`Sparse`] matrix ([`matrix`]), which is an operator itself.
//!
//! All of it takes time and memory linear in the number of variables and of entries, for a number of colours that does
//! not grow with them. The first three steps are done once for a function whose pattern is valid for all inputs (see
//! [`PatternRecorder`] for when it is); a pattern that is valid for one input has to be found again at the next.

pub mod coloring;
pub mod compressed;
mod index_set;
mod marks;
pub mod matrix;
pub mod order;
pub mod pattern;
mod peel;
pub mod plan;
pub mod recorder;
pub(crate) mod sets;

pub use coloring::Coloring;
pub use compressed::CompressedHessian;
pub use index_set::IndexSet;
pub use matrix::{Mismatch, Sparse, TripletError};
pub use order::Order;
pub use pattern::{Pattern, PatternError};
pub use plan::{ColoringError, SparsePlan};
pub use recorder::PatternRecorder;
pub use sets::Sparsity;
