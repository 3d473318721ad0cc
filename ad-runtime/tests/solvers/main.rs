//! The solvers of `ad-runtime`, on problems whose derivatives are written by hand.

mod cg;
mod lanczos;
mod newton_cg;
mod problems;
mod trust_region;
