//! The intermediate representation: structured SSA in nested regions.
//!
//! Every transform of the compiler is *IR function in, IR function out*. Two kinds of things live here:
//!
//! - **scalars** ([`Value`]): floats, integers, bools and opaque Rust values, each defined exactly once;
//!   what a loop carries is an argument of its body and a result of the loop;
//! - **buffers** ([`Buffer`]): slices, arrays and vectors, memory that `load`, `store` and whole-buffer
//!   instructions act on. Two distinct buffers never alias (Rust's borrow rules guarantee it).
//!
//! [`Stack`]s hold, last in first out, what a reversed loop needs of its forward run. They are declared at
//! the top of the function, so that nothing is allocated where nothing is pushed.
//!
//! What lives here: the data ([`types`], [`ops`], [`func`]), the [`builder`], the textual form
//! ([`print`]), the [`verify`]er, and the [`eval`]uator of the tests. What does not: anything that knows
//! `syn`, derivative rules, or a transform.

pub(crate) mod builder;
pub(crate) mod dense;
#[cfg(test)]
pub(crate) mod eval;
pub(crate) mod func;
pub(crate) mod ops;
pub(crate) mod print;
pub(crate) mod snippet;
mod told;
pub(crate) mod types;
pub(crate) mod verify;
pub(crate) mod walk;

pub(crate) use builder::Builder;
pub(crate) use dense::{ValueMap, ValueSet};
pub(crate) use func::{Binding, BufferData, Func, Mark, Output, Param, Role, Source, StackData};
pub(crate) use ops::{
    Arg, BarArg, Binary, Block, Call, CallMode, Check, Cmp, Custom, Factor, ForLoop, Inst, InstKind, Op,
    Product, Sight, StoreMode, Unary, Verbatim,
};
pub(crate) use snippet::{Keeping, Snippet};
pub(crate) use types::{Buffer, Dim, FloatKind, Layout, Stack, Storage, Type, Value};
