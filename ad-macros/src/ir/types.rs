//! Entities (newtypes whose `Display` is the textual form) and the types of scalars and buffers.

use std::fmt;
use std::sync::Arc;

/// A scalar: defined once, by an instruction, a block argument or a parameter. Printed `%name.3`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Value(pub(crate) u32);

/// A piece of memory: slice, array or vector. Printed `@name.3`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Buffer(pub(crate) u32);

/// A last-in-first-out store of one scalar (or of whole contents of one buffer) a push. Printed `#name.3`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Stack(pub(crate) u32);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}
impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}
impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which floating-point type a float has.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum FloatKind {
    /// `f64`
    F64,
    /// `f32`
    F32,
    /// A type parameter of the user's function, by name.
    Param(Arc<str>),
    /// Not known yet: an unsuffixed literal. The frontend resolves all of them before it hands a function on.
    Infer,
}

/// The type of a scalar. Only floats carry derivatives.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Type {
    Float(FloatKind),
    /// Some integer type: rustc knows which.
    Int,
    Bool,
    /// Any Rust value the macro does not look into; never active. Its type is rustc's business.
    Opaque,
}

impl Type {
    pub(crate) fn is_float(&self) -> bool {
        matches!(self, Type::Float(_))
    }
}

/// The extent of one axis of a buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Dim {
    /// An array axis: a constant expression as Rust text (`3`, `N`, `2 * N`).
    Fixed(Arc<str>),
    /// A heap vector of this length.
    Dyn(Value),
    /// A slice parameter: ask it (`Op::Len`).
    Slice,
}

/// Whose array a buffer is in generated code. Only parameters are of a library's, and only locals are flat.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Layout {
    /// Slices, arrays and vectors in each other: `a[i][j]`.
    #[default]
    Nested,
    /// `a[[i, j]]`
    Ndarray,
    /// `a[(i, j)]`
    Nalgebra,
    /// A matrix in one vector, row by row. `optimize/flatten.rs` makes it one: no printer meets it.
    Flat,
}

/// Where a buffer comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Storage {
    /// A parameter behind `&`: never written.
    Shared,
    /// A parameter behind `&mut`: an output.
    Output,
    /// An array parameter by value.
    Owned,
    /// Declared by exactly one `Alloc`.
    Local,
    /// Part of another buffer, borrowed by exactly one `Window`.
    Window,
}
