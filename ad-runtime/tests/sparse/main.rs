//! Sparse Hessians, step by step and from end to end.

mod coloring;
mod common;
mod end_to_end;
mod matrix;
mod recorder;
mod recovery;
