//! The types of `ndarray` and `nalgebra`, by their names.

use crate::frontend::generic::Floats;
use crate::frontend::signature::float_kind;
use crate::ir::{Dim, FloatKind, Layout};

/// An array or matrix as a parameter.
#[derive(Clone, Debug)]
pub(crate) struct Foreign {
    pub(crate) layout: Layout,
    pub(crate) dims: Vec<Dim>,
    pub(crate) elem: FloatKind,
    pub(crate) by: By,
}

/// How it is passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum By {
    /// `&Array1<f64>`
    Reference,
    /// `ArrayView1<f64>`
    View,
    /// `Vector3<f64>`
    Value,
}

/// What a type is, if it is such an array of floats.
pub(crate) fn foreign(ty: &syn::Type, floats: &Floats) -> Option<Foreign> {
    let (inner, by_ref) = match ty {
        syn::Type::Reference(r) if r.mutability.is_none() => (&*r.elem, true),
        other => (other, false),
    };
    let syn::Type::Path(p) = inner else { return None };
    let last = p.path.segments.last()?;
    let syn::PathArguments::AngleBracketed(args) = &last.arguments else { return None };
    let mut types = args.args.iter().filter_map(|a| match a {
        syn::GenericArgument::Type(t) => Some(t),
        _ => None,
    });
    let elem = float_kind(types.next()?, floats)?;
    let name = last.ident.to_string();
    let slices = |n: usize| vec![Dim::Slice; n];
    let fixed = |list: &[&str]| -> Vec<Dim> { list.iter().map(|n| Dim::Fixed((*n).into())).collect() };
    // The lengths that a type names: `SVector<f64, 3>`, `SMatrix<f64, R, C>`.
    let lengths: Vec<Dim> =
        args.args.iter().skip(1).map(|a| Dim::Fixed(quote::quote!(#a).to_string().into())).collect();
    let (layout, dims, view) = match name.as_str() {
        "Array1" => (Layout::Ndarray, slices(1), false),
        "Array2" => (Layout::Ndarray, slices(2), false),
        "ArrayView1" => (Layout::Ndarray, slices(1), true),
        "ArrayView2" => (Layout::Ndarray, slices(2), true),
        "SVector" if lengths.len() == 1 => (Layout::Nalgebra, lengths, false),
        "SMatrix" if lengths.len() == 2 => (Layout::Nalgebra, lengths, false),
        "DVector" => (Layout::Nalgebra, slices(1), false),
        "DMatrix" => (Layout::Nalgebra, slices(2), false),
        name if let Some((r, c)) = name.strip_prefix("Matrix").and_then(|n| n.split_once('x')) => {
            let known = |n: &str| n.len() == 1 && n.starts_with(|c| ('1'..='6').contains(&c));
            if !known(r) || !known(c) {
                return None;
            }
            (Layout::Nalgebra, fixed(&[r, c]), false)
        }
        name => {
            let n = name.chars().last().filter(|c| ('1'..='6').contains(c))?.to_string();
            match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
                "Vector" => (Layout::Nalgebra, fixed(&[&n]), false),
                "Matrix" => (Layout::Nalgebra, fixed(&[&n, &n]), false),
                _ => return None,
            }
        }
    };
    let by = match (view, by_ref) {
        (true, false) => By::View,
        (true, true) => return None,
        (false, true) => By::Reference,
        (false, false) => By::Value,
    };
    Some(Foreign { layout, dims, elem, by })
}
