//! The signature of the annotated function: what the frontend learns of it once and the backend prints from.

use crate::ir::FloatKind;

/// The user's function, without its body.
pub(crate) struct Signature {
    pub(crate) ident: syn::Ident,
    pub(crate) vis: syn::Visibility,
    pub(crate) generics: syn::Generics,
    /// Attributes that the generated functions carry too (`#[inline]`, `#[cfg(..)]`, `#[must_use]`, ...).
    pub(crate) attrs: Vec<syn::Attribute>,
    /// `self` in its form, for methods.
    pub(crate) receiver: Option<syn::Receiver>,
    /// The parameters without the receiver; `ir::Source::Param(i)` counts these.
    pub(crate) params: Vec<ParamSig>,
    pub(crate) ret: Ret,
}

pub(crate) struct ParamSig {
    /// The name in generated code: the user's, or `arg0`, ... where the user's is a pattern.
    pub(crate) ident: syn::Ident,
    pub(crate) ty: syn::Type,
    pub(crate) class: Class,
    /// Whether it is differentiated with respect to (outputs: whether it carries derivatives).
    pub(crate) active: bool,
}

/// What a parameter is to the macro.
#[derive(Clone, Debug)]
pub(crate) enum Class {
    /// `f64`, `f32`, a generic float.
    Scalar(FloatKind),
    /// `[f64; N]`, nested too, by value: the array type as written.
    Array { elem: FloatKind },
    /// `&[f64; N]` (nested too).
    RefArray { elem: FloatKind },
    /// `&[f64]`
    RefSlice { elem: FloatKind },
    /// `&Vec<f64>`
    RefVec { elem: FloatKind },
    /// `&mut [f64]`, `&mut [f64; N]`: an output.
    Output { elem: FloatKind },
    /// Integers, bools, slices of them, anything else.
    Other,
}

/// What the function returns.
#[derive(Clone, Debug)]
pub(crate) enum Ret {
    Unit,
    /// One float.
    Scalar,
    /// `[f64; N]`
    Array,
    /// `Vec<f64>`
    Vec {
        elem: FloatKind,
    },
    /// A tuple of floats (and arrays): `ir::Source::Result(i)` is its i-th component.
    Tuple(Vec<Ret>),
}
