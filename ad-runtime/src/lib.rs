//! Exact derivatives of plain Rust functions.
#![no_std]
pub use ad_macros::differentiable;
