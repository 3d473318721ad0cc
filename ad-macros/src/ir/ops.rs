//! Instructions, blocks and operations.

use std::sync::Arc;

use super::snippet::Snippet;
use super::types::{Buffer, Stack, Type, Value};

/// A pure operation with one result. Arithmetic works on operands of one type, float or integer.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A float constant.
    Float(f64),
    /// An integer literal, as written (`3`, `10_i32`).
    Int(Arc<str>),
    Bool(bool),
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Neg,
    /// Float function of one argument.
    Unary(Unary),
    /// As [`Op::Unary`] of an `f64`, by a function of `ad-runtime` that LLVM makes vector code of, of those that have one
    /// ([`Unary::is_inline`]); results may differ in the last bits.
    Inline(Unary),
    /// Float function of two arguments.
    Binary(Binary),
    /// `x.powi(n)`: a float and an `i32`.
    Powi,
    /// `a.mul_add(b, c)`
    MulAdd,
    /// `x.clamp(lo, hi)`
    Clamp,
    Cmp(Cmp),
    /// `!b` on a bool
    Not,
    /// Both sides are evaluated; the frontend lowers `&&` to `if` where the right side may not run.
    And,
    Or,
    /// `select(c, a, b)`: a where c, else b; both are evaluated.
    Select,
    /// `x as ty`; the result's [`Type`] tells whether it is a float.
    Cast(Arc<str>),
    /// A question about a float with a bool for an answer: `is_nan`, `is_finite`, ...
    Test(&'static str),
    /// Length of an axis of a buffer (axis 0 is the outermost).
    Len(Buffer, usize),
    /// Rust that is passed through: pure, never active.
    Verbatim(Verbatim),
    /// A function whose body nobody looks into; the user has given its partial derivatives.
    Custom(Arc<Custom>),
}

/// A function of the user's by name, with its derivatives by name.
#[derive(Debug)]
pub(crate) struct Custom {
    /// Path of the function.
    pub(crate) callee: Snippet,
    /// Paths of the partial derivatives: one for each active operand, of the same parameters.
    pub(crate) partials: Vec<Snippet>,
    /// Which operands are active.
    pub(crate) active: Vec<bool>,
}

impl Custom {
    /// The partial derivative with respect to operand `k`.
    pub(crate) fn partial(&self, k: usize) -> Option<&Snippet> {
        let before = self.active.get(..k)?.iter().filter(|a| **a).count();
        if *self.active.get(k)? { self.partials.get(before) } else { None }
    }
}

/// Verbatim Rust. Operand `i` of the instruction stands as the identifier [`Verbatim::hole`]`(i)`, buffer `j`
/// as [`Verbatim::buffer_hole`]`(j)`; all other identifiers mean what they mean in the user's function.
#[derive(Clone, Debug)]
pub(crate) struct Verbatim {
    pub(crate) code: Snippet,
    /// Buffers it reads (never writes).
    pub(crate) buffers: Vec<Buffer>,
    /// What it does, as an effect.
    pub(crate) check: Check,
}

/// Whether a statement only panics where something does not fit, and does nothing else. It may then change places with what only
/// computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Check {
    /// It may do anything.
    No,
    /// Something is to hold.
    Any,
    /// Its buffer, a vector, is to have the elements from its first operand up to its second.
    Span,
}

impl Verbatim {
    /// Rust as it is.
    pub(crate) fn new(code: impl Into<Snippet>, buffers: Vec<Buffer>) -> Verbatim {
        Verbatim { code: code.into(), buffers, check: Check::No }
    }
    /// An assertion.
    pub(crate) fn check(code: impl Into<Snippet>, buffers: Vec<Buffer>) -> Verbatim {
        Verbatim { code: code.into(), buffers, check: Check::Any }
    }
    /// Whether it is an assertion.
    pub(crate) fn is_check(&self) -> bool {
        self.check != Check::No
    }
    /// Whether the same code of the same operands, its buffers unchanged, is the same value, where it is one of this type: it need
    /// not be computed twice.
    pub(crate) fn is_told(&self, ty: &Type) -> bool {
        super::told::is_told(self.code.text(), ty)
    }
    pub(crate) fn hole(operand: usize) -> String {
        format!("__ad_operand_{operand}")
    }
    pub(crate) fn buffer_hole(buffer: usize) -> String {
        format!("__ad_buffer_{buffer}")
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $ty:ident { $($variant:ident = $method:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub(crate) enum $ty { $($variant),* }
        impl $ty {
            pub(crate) const ALL: &[$ty] = &[$($ty::$variant),*];
            /// The name of the std method.
            pub(crate) fn method(self) -> &'static str {
                match self { $($ty::$variant => $method),* }
            }
            pub(crate) fn from_method(name: &str) -> Option<$ty> {
                match name { $($method => Some($ty::$variant),)* _ => None }
            }
        }
    };
}
named! {
    /// Float functions of one argument, by their std name.
    Unary {
        Sqrt = "sqrt", Cbrt = "cbrt", Exp = "exp", Exp2 = "exp2", ExpM1 = "exp_m1", Ln = "ln", Log2 = "log2",
        Log10 = "log10", Ln1p = "ln_1p", Sin = "sin", Cos = "cos", Tan = "tan", Asin = "asin", Acos = "acos",
        Atan = "atan", Sinh = "sinh", Cosh = "cosh", Tanh = "tanh", Asinh = "asinh", Acosh = "acosh",
        Atanh = "atanh", Abs = "abs", Signum = "signum", Recip = "recip", ToRadians = "to_radians",
        ToDegrees = "to_degrees", Floor = "floor", Ceil = "ceil", Round = "round", RoundTiesEven = "round_ties_even",
        Trunc = "trunc", Fract = "fract",
    }
}
named! {
    /// Float functions of two arguments, by their std name.
    Binary {
        Powf = "powf", Log = "log", Atan2 = "atan2", Hypot = "hypot", Min = "min", Max = "max",
        Copysign = "copysign", RemEuclid = "rem_euclid", DivEuclid = "div_euclid", AbsSub = "abs_sub",
    }
}

impl Unary {
    /// No kinks and no jumps where it is defined.
    pub(crate) fn is_smooth(self) -> bool {
        use Unary::{Abs, Ceil, Floor, Fract, Round, RoundTiesEven, Signum, Trunc};
        !matches!(self, Abs | Signum | Floor | Ceil | Round | RoundTiesEven | Trunc | Fract)
    }

    /// Whether `ad-runtime` has this function for [`Op::Inline`].
    pub(crate) fn is_inline(self) -> bool {
        matches!(self, Unary::Exp | Unary::Tanh)
    }
}

impl Binary {
    /// As [`Unary::is_smooth`].
    pub(crate) fn is_smooth(self) -> bool {
        use Binary::{AbsSub, Copysign, DivEuclid, Max, Min, RemEuclid};
        !matches!(self, Min | Max | Copysign | RemEuclid | DivEuclid | AbsSub)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Cmp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// One instruction and the values it defines.
#[derive(Clone, Debug)]
pub(crate) struct Inst {
    pub(crate) results: Vec<Value>,
    pub(crate) kind: InstKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StoreMode {
    /// `buffer[index] = value`
    Set,
    /// `buffer[index] += value`
    Add,
}

#[derive(Clone, Debug)]
pub(crate) enum InstKind {
    /// One result.
    Pure(Op, Vec<Value>),
    /// One result: the element. As many indices as the buffer has axes.
    Load {
        buffer: Buffer,
        index: Vec<Value>,
    },
    Store {
        buffer: Buffer,
        index: Vec<Value>,
        value: Value,
        mode: StoreMode,
    },
    /// Declares a local buffer, all elements set to `fill`.
    Alloc {
        buffer: Buffer,
        fill: Value,
    },
    /// Makes a local vector at least this long; the elements that come are zero. Those it has stay.
    Grow {
        buffer: Buffer,
        len: Value,
    },
    /// Sets all elements.
    Fill {
        buffer: Buffer,
        value: Value,
    },
    /// A product of matrices and vectors.
    Product(Product),
    /// Pushes one scalar.
    Push {
        stack: Stack,
        value: Value,
    },
    /// One result: what was pushed last.
    Pop {
        stack: Stack,
    },
    /// Pushes the whole contents of a buffer.
    PushBuffer {
        stack: Stack,
        buffer: Buffer,
    },
    /// Overwrites the whole buffer with the contents pushed last.
    PopBuffer {
        stack: Stack,
        buffer: Buffer,
    },
    /// Results: what the taken block yields. The blocks have no arguments.
    If {
        cond: Value,
        then_block: Block,
        else_block: Block,
    },
    /// Body arguments: the loop variable, then one for each of `inits`; it yields the next round's. Results:
    /// the last round's (`inits` where there is none).
    For(ForLoop),
    /// `cond_block` and `body` each take one argument for each of `inits`. `cond_block` yields one bool; while
    /// it holds, `body` runs and yields the next round's values. Results: the values at the end.
    While {
        inits: Vec<Value>,
        cond_block: Block,
        body: Block,
    },
    /// A call to another differentiable function.
    Call(Call),
    /// Borrows `of[start .. start + len]` as the buffer `window`, for the loop that comes next. While a window that is
    /// written (`mutable`) is in use, nothing else touches `of`; while another is, nothing writes it. Made by the last
    /// of all passes, so that no transform ever meets it. Of a library's array it is the whole, row by row, for the rest of
    /// the function.
    Window {
        window: Buffer,
        of: Buffer,
        start: Value,
        len: Value,
        mutable: bool,
        sight: Sight,
    },
    /// A statement run for its effect (`println!`, `assert!`), with operands as in [`Op::Verbatim`]. Kept in
    /// the forward sweep, never repeated in a reverse sweep.
    Effect(Verbatim, Vec<Value>),
}

/// What LLVM is to see of a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sight {
    /// So many elements behind the start.
    Part,
    /// The same, and not what it is a part of.
    Apart,
    /// Where it ends, as the user may have asked whether that is within bounds.
    Span,
}

/// `into = a · b`, or `into += a · b`. By the axes of `into`, `a` and `b`: a matrix of two matrices, a vector of a matrix
/// and a vector, or a matrix of two vectors, a column and a row. `into` is another buffer than `a` and `b`; these may be the
/// same. Inner extents of zero give zeros. The derivatives of a product are products: `transform/products.rs` has them.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) into: Factor,
    pub(crate) a: Factor,
    pub(crate) b: Factor,
    pub(crate) mode: StoreMode,
}

/// A whole buffer as a matrix or a vector.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Factor {
    pub(crate) buffer: Buffer,
    /// A matrix stands for its transpose. Never of `into`.
    pub(crate) transposed: bool,
    /// Rows and columns of a matrix that a vector holds, row by row. Made by `optimize/flatten.rs`: no transform meets it.
    pub(crate) shape: Option<[Value; 2]>,
}

impl Factor {
    pub(crate) fn new(buffer: Buffer, transposed: bool) -> Factor {
        Factor { buffer, transposed, shape: None }
    }

    /// The transpose.
    pub(crate) fn t(&self) -> Factor {
        Factor { transposed: !self.transposed, ..self.clone() }
    }

    /// The same of another buffer.
    pub(crate) fn of(&self, buffer: Buffer) -> Factor {
        Factor { buffer, ..self.clone() }
    }
}

impl Product {
    pub(crate) fn factors(&self) -> [&Factor; 3] {
        [&self.into, &self.a, &self.b]
    }
    pub(crate) fn factors_mut(&mut self) -> [&mut Factor; 3] {
        [&mut self.into, &mut self.a, &mut self.b]
    }
}

/// `for i in lo..hi` in all its forms: Rust's own range with `rev` and `step_by` applied to it in the
/// order `rev`, `step`, then `flipped` (which a reverse sweep sets).
#[derive(Clone, Debug)]
pub(crate) struct ForLoop {
    pub(crate) lo: Value,
    pub(crate) hi: Value,
    /// `lo..=hi`
    pub(crate) inclusive: bool,
    pub(crate) rev: bool,
    pub(crate) step: Option<Value>,
    pub(crate) flipped: bool,
    pub(crate) inits: Vec<Value>,
    pub(crate) body: Block,
}

impl ForLoop {
    /// `for i in lo..hi`
    pub(crate) fn plain(lo: Value, hi: Value, inits: Vec<Value>, body: Block) -> ForLoop {
        ForLoop { lo, hi, inclusive: false, rev: false, step: None, flipped: false, inits, body }
    }

    /// Whether it counts upwards by one, and ends by itself.
    pub(crate) fn is_plain(&self) -> bool {
        self.step.is_none() && !self.inclusive && !self.rev && !self.flipped && !self.body.diverges
    }
}

/// A region: arguments, instructions, yielded values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) args: Vec<Value>,
    pub(crate) insts: Vec<Inst>,
    pub(crate) yields: Vec<Value>,
    /// The last instruction is an [`InstKind::Effect`] that does not return (`panic!`): nothing is yielded.
    pub(crate) diverges: bool,
}

/// Which companion of the callee is called. `ad-runtime`'s documentation of calls has the signatures.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum CallMode {
    /// `args -> y`
    Primal,
    /// `args, dots -> y, y_dot`
    Jvp,
    /// `args, y_bar -> bars` of the scalar arguments; those of buffers are added into `bars`.
    Vjp,
    /// `args, y_bar, dots, y_bar_dot -> bars, bar_dots`: the tangent of `Vjp`.
    VjpJvp,
    /// `args, d1, d2, d12 -> y, y_1, y_2, y_12`: the tangent of `Jvp`. No companion is called so: where both directions are
    /// one, `transform::taylor` makes it one of the next two.
    JvpJvp,
    /// `args, dots -> y, y_dot, y_dot_dot`: along a line.
    Curvature,
    /// `args, dots, dot_dots -> y, y_dot, y_dot_dot`: along a curve.
    Taylor,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Arg {
    Value(Value),
    /// The sub-buffer at `prefix`, of it the part `start .. start + len` where given; behind `&` or by value.
    Buffer {
        buffer: Buffer,
        prefix: Vec<Value>,
        range: Option<(Value, Value)>,
        by_ref: bool,
    },
}

/// A call to a differentiable function. `dots`, `bars`, ... have one entry for each of `args`: `None` where
/// that argument is not active.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Path of the primal function (`f`, `module::f`, `Self::f`); the companions' names derive from it.
    pub(crate) callee: Snippet,
    pub(crate) mode: CallMode,
    pub(crate) args: Vec<Arg>,
    /// Directions: one group for `Jvp`, `VjpJvp` and `Curvature`, two for `Taylor`, three (d1, d2, d12) for `JvpJvp`.
    pub(crate) dots: Vec<Vec<Option<Arg>>>,
    /// `y_bar` for `Vjp`; `y_bar`, `y_bar_dot` for `VjpJvp`.
    pub(crate) seeds: Vec<Value>,
    /// For `Vjp` one group (bars), for `VjpJvp` two (bars, bar_dots): where an argument is an active buffer,
    /// the buffer that is added into. Active scalars come back as results, group by group.
    pub(crate) bars: Vec<Vec<Option<BarArg>>>,
}

/// How the cotangent of one active argument comes back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BarArg {
    /// As a result.
    Result,
    /// Added into this sub-buffer ([`Arg::Buffer`]).
    Into(Arg),
}

impl Op {
    /// Type of the result, where it follows from the operands' alone.
    pub(crate) fn result_type(&self, operands: &[Type]) -> Type {
        let numeric = || {
            operands
                .iter()
                .find(|t| t.is_float())
                .or_else(|| operands.iter().find(|t| **t == Type::Int))
                .cloned()
                .unwrap_or(Type::Opaque)
        };
        match self {
            Op::Float(_) => Type::Float(super::FloatKind::Infer),
            Op::Int(_) | Op::Len(..) => Type::Int,
            Op::Bool(_) | Op::Cmp(_) | Op::And | Op::Or | Op::Test(_) => Type::Bool,
            Op::Add
            | Op::Sub
            | Op::Mul
            | Op::Div
            | Op::Rem
            | Op::Neg
            | Op::Unary(_)
            | Op::Inline(_)
            | Op::Binary(_)
            | Op::MulAdd
            | Op::Clamp => numeric(),
            Op::Powi => operands[0].clone(),
            Op::Not => operands[0].clone(),
            Op::Select => {
                if operands[1].is_float() {
                    operands[1].clone()
                } else {
                    operands[2].clone()
                }
            }
            Op::Cast(to) => match &**to {
                "f64" => Type::Float(super::FloatKind::F64),
                "f32" => Type::Float(super::FloatKind::F32),
                "bool" => Type::Bool,
                _ => Type::Int,
            },
            Op::Verbatim(_) | Op::Custom(_) => Type::Opaque,
        }
    }
}
