//! The signature of the annotated function: what the frontend learns of it once and the backend prints from.

use proc_macro2::Span;
use syn::spanned::Spanned;

use super::arrays::types::{By, Foreign, foreign};
pub(crate) use super::generic::Floats;
pub(crate) use super::records::{Node, Record, access};
use crate::diagnostics::Diagnostics;
use crate::ir::{Dim, FloatKind, Layout, Type};
use crate::options::Options;

/// The user's function, without its body.
pub(crate) struct Signature {
    pub(crate) ident: syn::Ident,
    pub(crate) vis: syn::Visibility,
    pub(crate) generics: syn::Generics,
    /// The names of those generics that are the `impl` block's around a method.
    pub(crate) around: Vec<String>,
    /// The type parameters that are floats.
    pub(crate) floats: Floats,
    /// Attributes that the generated functions carry too (`#[inline]`, `#[cfg(..)]`, `#[must_use]`, ...).
    pub(crate) attrs: Vec<syn::Attribute>,
    /// `self` in its form, for methods.
    pub(crate) receiver: Option<syn::Receiver>,
    /// What `Self` is, where a method keeps its receiver and its block is known.
    pub(crate) own: Option<proc_macro2::TokenStream>,
    /// Where the receiver is the first parameter (`wrt(self)`): the statement that binds it.
    pub(crate) opening: Option<proc_macro2::TokenStream>,
    /// The parameters without the receiver; `ir::Source::Param(i)` counts these.
    pub(crate) params: Vec<ParamSig>,
    pub(crate) ret: Ret,
    /// What the value is returned in.
    pub(crate) wrapper: Option<Wrapper>,
    /// The type that is written behind `->`.
    pub(crate) output: Option<syn::Type>,
}

/// `Option<f64>`, `Result<f64, E>`: generated functions return the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrapper {
    Option,
    Result,
}

pub(crate) struct ParamSig {
    /// The name in generated code: the user's, or `arg0`, ... where the user's is a pattern.
    pub(crate) ident: syn::Ident,
    pub(crate) ty: syn::Type,
    pub(crate) class: Class,
    /// Whether it is differentiated with respect to (outputs: whether it carries derivatives).
    pub(crate) active: bool,
    /// The pattern, where it is not a plain name.
    pub(crate) pattern: Option<syn::Pat>,
    pub(crate) mutable: bool,
}

/// What a generic parameter is called.
pub(crate) fn param_name(p: &syn::GenericParam) -> String {
    match p {
        syn::GenericParam::Lifetime(l) => l.lifetime.to_string(),
        syn::GenericParam::Type(t) => t.ident.to_string(),
        syn::GenericParam::Const(c) => c.ident.to_string(),
    }
}

impl Signature {
    /// The generics that a generated function declares.
    pub(crate) fn own_generics(&self) -> syn::Generics {
        let mut generics = self.generics.clone();
        let is_own = |p: &syn::GenericParam| !self.around.contains(&param_name(p));
        generics.params = generics.params.into_iter().filter(is_own).collect();
        generics
    }
}

impl ParamSig {
    /// Whether it is a `Vec` that is moved in.
    pub(crate) fn is_owned_vec(&self) -> bool {
        matches!(self.class, Class::RefVec { .. }) && !matches!(self.ty, syn::Type::Reference(_))
    }
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
    /// A struct that derives `Differentiable`, by value or reference, or a tuple of floats.
    Record(Record),
    /// `&[(f64, f64)]`, `&[Point]`, `&[Point; N]`, `&Vec<Point>`: a slice of such structs or tuples. The axis is that of the
    /// slice.
    Records(Record, Dim),
    /// An array or matrix of `ndarray` or `nalgebra`.
    Foreign(Foreign),
    /// Integers, bools, slices of them, anything else.
    Other,
}

/// What the function returns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ret {
    Unit,
    /// One float.
    Scalar,
    /// `[f64; N]`
    Array,
    /// `Vec<f64>`
    Vec,
    /// A tuple of floats (and arrays): `ir::Source::Result(i)` is its i-th component.
    Tuple(Vec<Ret>),
}

/// The float a type names.
pub(super) fn float_kind(ty: &syn::Type, floats: &Floats) -> Option<FloatKind> {
    match ty {
        syn::Type::Path(p) if p.qself.is_none() => match p.path.segments.last()?.ident.to_string().as_str() {
            "f64" => Some(FloatKind::F64),
            "f32" => Some(FloatKind::F32),
            _ => floats.named(&p.path),
        },
        syn::Type::Paren(p) => float_kind(&p.elem, floats),
        syn::Type::Group(g) => float_kind(&g.elem, floats),
        _ => None,
    }
}

/// Whether a type is a float.
pub(crate) fn is_float(ty: &syn::Type, floats: &Floats) -> bool {
    float_kind(ty, floats).is_some()
}

/// The type of the elements of a slice, array or vector.
pub(crate) fn element_of_array(ty: &syn::Type) -> Option<&syn::Type> {
    element(ty).map(|(elem, _)| elem)
}

/// Shape of an array, slice or vector: its axes, outermost first, and its elements.
pub(crate) fn shape(ty: &syn::Type, floats: &Floats) -> Option<(Vec<Dim>, Type)> {
    let (dim, inner) = match ty {
        syn::Type::Array(a) => {
            let len = &a.len;
            (Dim::Fixed(quote::quote!(#len).to_string().into()), &*a.elem)
        }
        syn::Type::Slice(s) => (Dim::Slice, &*s.elem),
        syn::Type::Path(p) => (Dim::Slice, vec_elem(p)?),
        syn::Type::Paren(p) => return shape(&p.elem, floats),
        syn::Type::Group(g) => return shape(&g.elem, floats),
        _ => return None,
    };
    // Rows that are vectors of `nalgebra` are indexed like arrays.
    if let Some(Foreign { layout: Layout::Nalgebra, dims, elem, by: By::Value }) = foreign(inner, floats)
        && let [row @ Dim::Fixed(_)] = dims.as_slice()
    {
        return Some((vec![dim, row.clone()], Type::Float(elem)));
    }
    if let Some((mut dims, elem)) = shape(inner, floats) {
        dims.insert(0, dim);
        Some((dims, elem))
    } else {
        let elem = match inner {
            syn::Type::Path(p) if p.path.is_ident("bool") => Type::Bool,
            inner if super::stmt::is_integer(inner) => Type::Int,
            inner => float_kind(inner, floats).map_or(Type::Opaque, Type::Float),
        };
        Some((vec![dim], elem))
    }
}

/// Whether the rows of a slice, array or vector are vectors of `nalgebra`.
pub(crate) fn has_vector_rows(ty: &syn::Type, floats: &Floats) -> bool {
    let inner = match ty {
        syn::Type::Reference(r) => &*r.elem,
        other => other,
    };
    element(inner).is_some_and(|(elem, _)| {
        foreign(elem, floats).is_some_and(|f| f.layout == Layout::Nalgebra && f.by == By::Value)
    })
}

/// The elements of a slice, array or vector, and its axis.
pub(super) fn element(ty: &syn::Type) -> Option<(&syn::Type, Dim)> {
    match ty {
        syn::Type::Slice(s) => Some((&s.elem, Dim::Slice)),
        syn::Type::Array(a) => {
            let len = &a.len;
            Some((&a.elem, Dim::Fixed(quote::quote!(#len).to_string().into())))
        }
        syn::Type::Path(p) => Some((vec_elem(p)?, Dim::Slice)),
        _ => None,
    }
}

fn vec_elem(p: &syn::TypePath) -> Option<&syn::Type> {
    let last = p.path.segments.last()?;
    match &last.arguments {
        syn::PathArguments::AngleBracketed(args) if last.ident == "Vec" => {
            args.args.iter().find_map(|a| match a {
                syn::GenericArgument::Type(t) => Some(t),
                _ => None,
            })
        }
        _ => None,
    }
}

fn classify(ty: &syn::Type, floats: &Floats) -> Class {
    if let Some(kind) = float_kind(ty, floats) {
        return Class::Scalar(kind);
    }
    if let Some(foreign) = foreign(ty, floats) {
        return Class::Foreign(foreign);
    }
    let by_ref = matches!(ty, syn::Type::Reference(r) if r.mutability.is_none());
    let inner = match ty {
        syn::Type::Reference(r) => &*r.elem,
        other => other,
    };
    if (by_ref || !matches!(ty, syn::Type::Reference(_)))
        && let Some(record) = super::records::record(inner, by_ref, floats)
    {
        return Class::Record(record);
    }
    if by_ref
        && let Some((elem, dim)) = element(inner)
        && let Some(record) = super::records::rows(elem, dim.clone(), floats)
    {
        return Class::Records(record, dim);
    }
    match ty {
        syn::Type::Reference(r) => match shape(&r.elem, floats) {
            Some((dims, Type::Float(elem))) => {
                // Rows of any length: slices and vectors of vectors, to read.
                let ragged = dims[1..].contains(&Dim::Slice);
                if ragged && (r.mutability.is_some() || dims[0] != Dim::Slice) {
                    return Class::Other;
                }
                match (&*r.elem, r.mutability.is_some()) {
                    (syn::Type::Slice(_) | syn::Type::Array(_), true) => Class::Output { elem },
                    (_, true) => Class::Other,
                    (syn::Type::Slice(_), false) => Class::RefSlice { elem },
                    (syn::Type::Array(_), false) => Class::RefArray { elem },
                    _ => Class::RefVec { elem },
                }
            }
            _ => Class::Other,
        },
        syn::Type::Array(_) => match shape(ty, floats) {
            Some((_, Type::Float(elem))) => Class::Array { elem },
            _ => Class::Other,
        },
        syn::Type::Path(_) => match shape(ty, floats) {
            Some((dims, Type::Float(elem))) if dims.len() == 1 => Class::RefVec { elem },
            _ => Class::Other,
        },
        _ => Class::Other,
    }
}

/// The type parameters that are floats, of a method and of the block around it.
fn floats_of(sig: &syn::Signature, around: Option<&syn::Generics>) -> Floats {
    match around {
        Some(around) => Floats::of(&crate::functions::joined(around, &sig.generics)),
        None => Floats::of(&sig.generics),
    }
}

/// Whether a parameter beside the receiver can be differentiated with respect to, or may hold floats that the macro does not
/// see (a type parameter).
pub(crate) fn takes_floats(sig: &syn::Signature, around: Option<&syn::Generics>) -> bool {
    let floats = floats_of(sig, around);
    sig.inputs.iter().any(|input| match input {
        syn::FnArg::Typed(p) => !matches!(classify(&p.ty, &floats), Class::Other),
        syn::FnArg::Receiver(_) => false,
    })
}

/// The traits that a type parameter, or an `impl Trait`, is said to have.
pub(super) fn bounds_of(ty: &syn::Type, generics: &syn::Generics) -> Vec<syn::Path> {
    let mut bounds: Vec<&syn::TypeParamBound> = Vec::new();
    match ty {
        syn::Type::ImplTrait(t) => bounds.extend(&t.bounds),
        syn::Type::Path(p) => {
            let params = generics.type_params().filter(|param| p.path.is_ident(&param.ident));
            bounds.extend(params.flat_map(|param| &param.bounds));
            let clauses = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
            bounds.extend(clauses.flat_map(|predicate| match predicate {
                syn::WherePredicate::Type(t) if t.bounded_ty == *ty => t.bounds.iter().collect(),
                _ => Vec::new(),
            }));
        }
        _ => {}
    }
    bounds
        .into_iter()
        .filter_map(|bound| match bound {
            syn::TypeParamBound::Trait(t) => Some(t.path.clone()),
            _ => None,
        })
        .collect()
}

/// Whether a function returns one float, in an `Option` or `Result` or as it is.
pub(crate) fn returns_a_float(sig: &syn::Signature, around: &syn::Generics) -> bool {
    let floats = floats_of(sig, Some(around));
    match &sig.output {
        syn::ReturnType::Type(_, ty) => {
            float_kind(wrapper(ty).map_or(&**ty, |(_, inner)| inner), &floats).is_some()
        }
        syn::ReturnType::Default => false,
    }
}

/// Whether a function can only be written out where others call it: it has something to do with floats, but what it takes
/// or returns has no derivative of its own (`Vec<Vec<f64>>`, `(f64, usize)`, structs, `&mut f64`, or only `&mut [f64]`). A method
/// can be if it is of a type that is known.
pub(crate) fn is_helper(item: &syn::ItemFn, of_known_type: bool) -> bool {
    let sig = &item.sig;
    let floats = Floats::of(&sig.generics);
    if sig.receiver().is_some() && !of_known_type {
        return false;
    }
    let types: Vec<&syn::Type> = sig
        .inputs
        .iter()
        .filter_map(|input| match input {
            syn::FnArg::Typed(p) => Some(&*p.ty),
            syn::FnArg::Receiver(_) => None,
        })
        .collect();
    let classes: Vec<Class> = types.iter().map(|ty| classify(ty, &floats)).collect();
    let changes = |ty: &syn::Type| match ty {
        syn::Type::Reference(r) => r.mutability.is_some(),
        syn::Type::Path(p) => p.path.segments.last().is_some_and(|s| {
            ["ArrayViewMut1", "ArrayViewMut2", "ArrayViewMut"].iter().any(|name| s.ident == name)
        }),
        _ => false,
    };
    let has_input = classes.iter().any(|c| !matches!(c, Class::Other | Class::Output { .. }));
    let holds_floats = |ty: &syn::Type| {
        let mut found = HoldsFloats { floats: &floats, found: false };
        syn::visit::Visit::visit_type(&mut found, ty);
        found.found
    };
    // A function that is given has floats too.
    let takes_functions = has_functions(sig);
    if !takes_functions && !types.iter().any(|ty| holds_floats(ty)) {
        return false;
    }
    // In place, and with nothing else to differentiate with respect to.
    // A struct that the macro does not know may hold floats too.
    let is_struct = |ty: &syn::Type| {
        let syn::Type::Reference(r) = ty else { return false };
        matches!(&*r.elem, syn::Type::Path(p) if p.path.segments.last()
            .is_some_and(|s| s.ident.to_string().starts_with(char::is_uppercase)))
    };
    let in_place = !has_input && types.iter().any(|ty| changes(ty) && holds_floats(ty));
    let other_place = types.iter().zip(&classes).any(|(ty, class)| {
        changes(ty) && matches!(class, Class::Other) && (holds_floats(ty) || is_struct(ty))
    });
    let returns = match &sig.output {
        syn::ReturnType::Default => false,
        syn::ReturnType::Type(_, ty) => {
            let mut quiet = Diagnostics::default();
            let inner = wrapper(ty).map_or(&**ty, |(_, inner)| inner);
            let ret = ret_type(inner, true, &floats, &mut quiet);
            drop(quiet.into_error());
            ret.is_none()
        }
    };
    // Vectors of vectors by value.
    let nests = types.iter().zip(&classes).any(|(ty, class)| {
        matches!(class, Class::Other) && !matches!(ty, syn::Type::Reference(_)) && is_nest_of_floats(ty)
    });
    // Of `Result<(), E>` callers take the `Err`; what is written to outputs has derivatives.
    let writes = classes.iter().any(|c| matches!(c, Class::Output { .. }));
    let checks = !writes && returns_success(&sig.output);
    in_place || other_place || returns || takes_functions || nests || checks
}

/// Whether `wrt(..)` names what is changed in place. Derivatives of a function's own are with respect to its inputs alone; written
/// out in a caller, what was there before counts too.
pub(crate) fn is_changed(sig: &syn::Signature, wrt: Option<&Vec<syn::Ident>>) -> bool {
    let changed = |word: &syn::Ident| {
        sig.inputs.iter().any(|input| match input {
            syn::FnArg::Typed(p) => {
                matches!(&*p.pat, syn::Pat::Ident(id) if id.ident == *word)
                    && matches!(&*p.ty, syn::Type::Reference(r) if r.mutability.is_some())
            }
            syn::FnArg::Receiver(r) => {
                word == "self" && matches!(r.kind, syn::ReceiverKind::Reference(_, _, Some(_)))
            }
        })
    };
    wrt.into_iter().flatten().any(changed)
}

/// `-> Result<(), E>`, `-> Option<()>`
fn returns_success(output: &syn::ReturnType) -> bool {
    let syn::ReturnType::Type(_, ty) = output else { return false };
    matches!(wrapper(ty), Some((_, syn::Type::Tuple(t))) if t.elems.is_empty())
}

/// Whether a function has a parameter of this name.
pub(crate) fn has_param(sig: &syn::Signature, name: &syn::Ident) -> bool {
    sig.inputs.iter().any(|input| match input {
        syn::FnArg::Typed(p) => matches!(&*p.pat, syn::Pat::Ident(id) if id.ident == *name),
        syn::FnArg::Receiver(_) => name == "self",
    })
}

/// Whether a function takes others, or iterators: `f: impl Fn(f64) -> f64`, or `F: Fn(f64) -> f64`.
fn has_functions(sig: &syn::Signature) -> bool {
    let mut found = FindsFunctions(false);
    syn::visit::Visit::visit_signature(&mut found, sig);
    found.0
}

struct FindsFunctions(bool);

impl syn::visit::Visit<'_> for FindsFunctions {
    fn visit_trait_bound(&mut self, bound: &syn::TraitBound) {
        self.0 |= is_function(bound);
    }
}

/// `Fn(..)` and its like, and iterators: what the macro sees through where the function is written out.
fn is_function(bound: &syn::TraitBound) -> bool {
    const TRAITS: [&str; 8] = [
        "Fn",
        "FnMut",
        "FnOnce",
        "Iterator",
        "IntoIterator",
        "DoubleEndedIterator",
        "ExactSizeIterator",
        "AsRef",
    ];
    let last = bound.path.segments.last();
    last.is_some_and(|s| TRAITS.iter().any(|f| s.ident == f))
}

/// Looks for floats in a type.
struct HoldsFloats<'a> {
    floats: &'a Floats,
    found: bool,
}

impl syn::visit::Visit<'_> for HoldsFloats<'_> {
    fn visit_type(&mut self, ty: &syn::Type) {
        self.found |= float_kind(ty, self.floats).is_some()
            || foreign(ty, self.floats).is_some()
            || super::records::record(ty, true, self.floats).is_some();
        syn::visit::visit_type(self, ty);
    }
}

/// Reads a signature.
pub(crate) fn read(
    item: &syn::ItemFn,
    options: &Options,
    diagnostics: &mut Diagnostics,
) -> Option<Signature> {
    let sig = &item.sig;
    if let Some(token) = &sig.asyncness {
        diagnostics.error(
            token.span(),
            "an `async` function has no derivative",
            "make the numeric part a plain `fn`",
        );
    }
    if let syn::Safety::Unsafe(token) = &sig.safety {
        diagnostics.error(
            token.span(),
            "generated code is safe: an `unsafe` function is not differentiated",
            "make the numeric part a safe `fn`",
        );
    }
    if let Some(token) = &sig.variadic {
        diagnostics.error(token.span(), "a variadic function is not differentiated", "take a slice");
    }
    let floats = Floats::of(&sig.generics);
    let mut receiver = None;
    let mut params = Vec::new();
    for (i, input) in sig.inputs.iter().enumerate() {
        match input {
            syn::FnArg::Receiver(r) => {
                if matches!(&r.kind, syn::ReceiverKind::Reference(_, _, Some(_))) {
                    diagnostics.error(
                        r.span(),
                        "`&mut self` cannot be changed by a differentiated method",
                        "take `&self` and return what changes",
                    );
                }
                receiver = Some(r.clone());
            }
            syn::FnArg::Typed(p) => params.push(param(i, p, &floats, diagnostics)),
        }
    }
    activity(&mut params, options, sig.ident.span(), diagnostics);
    let (output, wrapper) = match &sig.output {
        syn::ReturnType::Type(_, ty) => (Some((**ty).clone()), wrapper(ty)),
        syn::ReturnType::Default => (None, None),
    };
    let ret = match (&wrapper, &output) {
        (Some((_, inner)), _) => ret_type(inner, true, &floats, diagnostics)?,
        _ => ret(&sig.output, &floats, diagnostics)?,
    };
    let wrapper = wrapper.map(|(w, _)| w);
    let outputs = params.iter().any(|p| matches!(p.class, Class::Output { .. }));
    if ret == Ret::Unit && !outputs {
        diagnostics.error(
            sig.ident.span(),
            format!("`{}` computes no float that could be differentiated", sig.ident),
            "return `f64` or `f32`, an array, tuple or `Vec` of them, or write to a `&mut [f64]` parameter",
        );
    }
    let attrs = item
        .attrs
        .iter()
        .filter(|a| {
            [
                "inline",
                "cfg",
                "cfg_attr",
                "must_use",
                "allow",
                "expect",
                "warn",
                "deny",
                "track_caller",
                "cold",
                "target_feature",
                "deprecated",
            ]
            .iter()
            .any(|known| a.path().is_ident(known))
        })
        .cloned()
        .collect();
    Some(Signature {
        ident: sig.ident.clone(),
        vis: item.vis.clone(),
        generics: sig.generics.clone(),
        around: Vec::new(),
        floats,
        attrs,
        receiver,
        own: options.own.clone(),
        opening: None,
        params,
        ret,
        wrapper,
        output,
    })
}

fn param(i: usize, p: &syn::PatType, floats: &Floats, diagnostics: &mut Diagnostics) -> ParamSig {
    let ty = (*p.ty).clone();
    let class = classify(&ty, floats);
    if let syn::Type::Reference(r) = &ty
        && r.mutability.is_some()
        && matches!(class, Class::Other)
    {
        let instead = if float_kind(&r.elem, floats).is_some() {
            "return the value, or take `&mut [f64; 1]`"
        } else {
            "an output is `&mut [f64]` or `&mut [f64; N]`; return everything else"
        };
        diagnostics.error(
            ty.span(),
            "this `&mut` parameter is no output that can be differentiated",
            instead,
        );
    }
    if let Class::Record(record) = &class
        && !record.by_ref
        && record.only_by_reference(floats)
    {
        diagnostics.error(
            ty.span(),
            "this is differentiated by reference only: it holds rows of lengths that its type does not tell",
            "take it by `&`",
        );
    }
    if let syn::Type::ImplTrait(t) = &ty {
        diagnostics.error(
            t.span(),
            "`impl Trait` parameters are not differentiated",
            "name a concrete type, or a type parameter",
        );
    }
    let (ident, pattern, mutable) = match &*p.pat {
        syn::Pat::Ident(id) if id.subpat.is_none() && id.by_ref.is_none() => {
            (id.ident.clone(), None, id.mutability.is_some())
        }
        other => (syn::Ident::new(&format!("arg{i}"), other.span()), Some(other.clone()), false),
    };
    ParamSig { ident, ty, class, active: false, pattern, mutable }
}

fn activity(params: &mut [ParamSig], options: &Options, at: Span, diagnostics: &mut Diagnostics) {
    let is_input = |c: &Class| !matches!(c, Class::Other | Class::Output { .. });
    let floats: Vec<String> =
        params.iter().filter(|p| is_input(&p.class)).map(|p| format!("`{}`", p.ident)).collect();
    for p in params.iter_mut() {
        if options.wrt.is_none() && matches!(p.class, Class::Other) && is_nest_of_floats(&p.ty) {
            diagnostics.error(
                p.ty.span(),
                format!("the macro cannot differentiate with respect to `{}`: this type is not supported", p.ident),
                "name the active parameters in `wrt(..)` if this one is data; else take `&[f64]`, `&[[f64; N]]`, \
                 `&[Vec<f64>]`, or a struct that derives `Differentiable`",
            );
        }
        p.active = match (&p.class, &options.wrt) {
            (Class::Other, _) => false,
            (Class::Output { .. }, _) => true,
            (_, Some(names)) => names.contains(&p.ident),
            (_, None) => options.data.as_ref() != Some(&p.ident),
        };
    }
    for p in params.iter() {
        let hidden = match &p.class {
            Class::Record(record) | Class::Records(record, _) if p.active => record.hidden.clone(),
            // All floats are meant, and none of these can be.
            Class::Other if options.wrt.is_none() && options.data.as_ref() != Some(&p.ident) => {
                super::records::hidden_in(&p.ty)
            }
            _ => None,
        };
        if let Some(hidden) = hidden {
            let hidden = quote::quote!(#hidden).to_string().replace(' ', "");
            diagnostics.error(
                p.ty.span(),
                format!("`{}` has floats in a `{hidden}`, with respect to which the macro cannot differentiate", p.ident),
                "put them in fields that are `f64`, arrays, vectors (of vectors) of `f64`, or other such structs; mark a \
                 field that is data by `#[constant]`",
            );
        }
    }
    for name in options.wrt.iter().flatten() {
        let found = params.iter().find(|p| p.ident == *name);
        let problem = match found.map(|p| &p.class) {
            None if name == "self" => {
                diagnostics.error(
                    name.span(),
                    "this function has no `self` that could be differentiated",
                    "take `&self`, or `self` by value, in a method",
                );
                continue;
            }
            None => format!("there is no parameter `{name}`"),
            Some(Class::Output { .. }) => format!("`{name}` is an output"),
            Some(Class::Other) => format!("`{name}` is no float, array or slice of floats"),
            Some(_) => continue,
        };
        let instead = if floats.is_empty() {
            "the function has no float parameter".to_string()
        } else {
            format!("name one of {}", floats.join(", "))
        };
        diagnostics.error(name.span(), problem, instead);
    }
    if floats.is_empty() {
        diagnostics.error(
            at,
            "there is nothing to differentiate with respect to: no parameter is a float, or an array or slice of floats",
            "take `f64`, `f32`, `&[f64]`, `&[f64; N]`, `[f64; N]` or `&Vec<f64>` (or of a type parameter `T: num_traits::Float`), or a struct of these that derives `Differentiable`, above this function in the same crate",
        );
    } else if options.wrt.as_ref().is_some_and(Vec::is_empty) {
        diagnostics.error(at, "`wrt()` names no parameter", format!("name some of {}", floats.join(", ")));
    }
}

/// Whether a type consists of arrays, slices and vectors of floats.
fn is_nest_of_floats(ty: &syn::Type) -> bool {
    let inner = match ty {
        syn::Type::Reference(r) => &*r.elem,
        other => other,
    };
    matches!(shape(inner, &<Floats as Default>::default()), Some((_, Type::Float(_))))
}

fn ret(output: &syn::ReturnType, floats: &Floats, diagnostics: &mut Diagnostics) -> Option<Ret> {
    match output {
        syn::ReturnType::Default => Some(Ret::Unit),
        syn::ReturnType::Type(_, ty) => ret_type(ty, true, floats, diagnostics),
    }
}

/// The `Option` or `Result` that a type is, and what is in it.
pub(super) fn wrapper(ty: &syn::Type) -> Option<(Wrapper, &syn::Type)> {
    let syn::Type::Path(p) = ty else { return None };
    let last = p.path.segments.last()?;
    let kind = match last.ident.to_string().as_str() {
        "Option" => Wrapper::Option,
        name if name.ends_with("Result") => Wrapper::Result,
        _ => return None,
    };
    let syn::PathArguments::AngleBracketed(args) = &last.arguments else { return None };
    args.args.iter().find_map(|a| match a {
        syn::GenericArgument::Type(t) => Some((kind, t)),
        _ => None,
    })
}

/// `Option<f64>`
pub(crate) fn is_option_of_float(ty: &syn::Type) -> bool {
    let floats = <Floats as Default>::default();
    matches!(wrapper(ty), Some((Wrapper::Option, inner)) if float_kind(inner, &floats).is_some())
}

fn ret_type(ty: &syn::Type, outer: bool, floats: &Floats, diagnostics: &mut Diagnostics) -> Option<Ret> {
    if float_kind(ty, floats).is_some() {
        return Some(Ret::Scalar);
    }
    match ty {
        syn::Type::Tuple(t) if t.elems.is_empty() => return Some(Ret::Unit),
        syn::Type::Tuple(t) if outer => {
            let list: Option<Vec<Ret>> =
                t.elems.iter().map(|e| ret_type(e, false, floats, diagnostics)).collect();
            return list.map(Ret::Tuple);
        }
        syn::Type::Paren(p) => return ret_type(&p.elem, outer, floats, diagnostics),
        _ => {}
    }
    match (ty, shape(ty, floats)) {
        (syn::Type::Array(_), Some((dims, Type::Float(_)))) if !dims.contains(&Dim::Slice) => {
            Some(Ret::Array)
        }
        (syn::Type::Path(_), Some((dims, Type::Float(_)))) if dims.len() == 1 => Some(Ret::Vec),
        _ => {
            diagnostics.error(
                ty.span(),
                "the derivative of a value of this type is not defined",
                "return `f64` or `f32`, an array, a `Vec`, or a tuple of these; compute everything else in another function",
            );
            None
        }
    }
}
