//! The solvers of `ad-runtime`, on problems whose derivatives are written by hand.

mod cg;
mod density;
mod lanczos;
mod newton_cg;
mod problems;
mod trace;
mod trust_region;
