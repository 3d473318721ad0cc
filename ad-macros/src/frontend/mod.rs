//! From `syn` to IR.
pub(crate) mod signature;
