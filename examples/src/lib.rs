//! Shared pieces of the example programs: reading and preparing data. The programs themselves lie beside
//! this folder (`newton_cg.rs`); nothing here differentiates anything.

pub mod dataset;
pub mod prepare;
