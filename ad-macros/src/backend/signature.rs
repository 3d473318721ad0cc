//! Signatures of generated functions, by the rule of the design: primal parameters, directions (or cotangents),
//! `&mut` outputs; returned: value, then derivatives of what is by value. Length checks at the top.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::body::Body;
use super::expr::float_type;
use crate::frontend::signature::{Class, Ret, Signature, Wrapper};
use crate::ir::{Binding, Dim, FloatKind, Func, Mark, Output, Param, Source, Storage, Type};

/// Order of groups of outputs with the same marks: value, slope, curvature, gradient, Hessian-vector product.
fn rank(marks: &[Mark]) -> usize {
    match marks {
        [] => 0,
        [Mark::Dot] => 1,
        [Mark::Dot, _] => 2,
        [Mark::Bar] => 3,
        _ => 4,
    }
}

/// The parameters of `func` in the order in which they are printed.
pub(super) fn ordered(func: &Func) -> Vec<&Param> {
    let is_out =
        |p: &Param| matches!(p.binding, Binding::Buffer(b) if func.buffer(b).storage == Storage::Output);
    let mut list: Vec<&Param> = func.params.iter().collect();
    // A stable sort keeps the order of the parameters within each part.
    list.sort_by_key(|p| match (is_out(p), p.role.marks.is_empty()) {
        (false, true) => 0,
        (false, false) => 10 + rank(&p.role.marks),
        (true, _) => 20 + rank(&p.role.marks),
    });
    list
}

/// The parameters as they are printed. The cotangents of a returned tuple come as a tuple.
pub(super) fn parameters(sig: &Signature, func: &Func, body: &Body<'_>) -> Vec<TokenStream> {
    let list = ordered(func);
    let is_seed = |p: &Param| matches!(p.role.of, Source::Result(_));
    if !matches!(sig.ret, Ret::Tuple(_)) || !list.iter().any(|p| is_seed(p)) {
        return list.into_iter().map(|p| parameter(sig, func, body, p)).collect();
    }
    let (mut names, mut types) = (Vec::new(), Vec::new());
    for p in list.iter().filter(|p| is_seed(p)) {
        let (name, mutable) = name_of(func, body, p);
        names.push(quote!(#mutable #name));
        types.push(parameter_type(sig, func, p));
    }
    let mut tuple = Some(quote!((#(#names),*): (#(#types),*)));
    list.iter()
        .filter_map(|p| if is_seed(p) { tuple.take() } else { Some(parameter(sig, func, body, p)) })
        .collect()
}

fn name_of(func: &Func, body: &Body<'_>, p: &Param) -> (Ident, Option<TokenStream>) {
    match p.binding {
        Binding::Value(v) => (body.value_name(v), None),
        Binding::Buffer(b) => {
            let owned = func.buffer(b).storage == Storage::Owned;
            (body.buffer_name(b), owned.then(|| quote!(mut)))
        }
    }
}

/// One parameter: its name and type.
pub(super) fn parameter(sig: &Signature, func: &Func, body: &Body<'_>, p: &Param) -> TokenStream {
    let (name, mutable) = name_of(func, body, p);
    let ty = parameter_type(sig, func, p);
    quote!(#mutable #name: #ty)
}

fn parameter_type(sig: &Signature, func: &Func, p: &Param) -> TokenStream {
    let written = match p.role.of {
        Source::Param(i) => Some(&sig.params[i]),
        Source::Result(_) => None,
    };
    match (p.binding, written) {
        (Binding::Buffer(b), Some(param)) => {
            let storage = func.buffer(b).storage;
            let ty = &param.ty;
            match (&param.class, storage) {
                (Class::RefVec { .. }, Storage::Output) => {
                    let elem = vec_elem(ty);
                    quote!(&mut [#elem])
                }
                (Class::RefArray { .. } | Class::RefSlice { .. }, Storage::Output) => {
                    let inner = referent(ty);
                    quote!(&mut #inner)
                }
                (Class::Output { .. }, Storage::Shared) => {
                    let inner = referent(ty);
                    quote!(& #inner)
                }
                (Class::Output { .. }, Storage::Owned) => {
                    let inner = referent(ty);
                    quote!(#inner)
                }
                _ => quote!(#ty),
            }
        }
        (Binding::Value(_), Some(param)) => {
            let ty = &param.ty;
            quote!(#ty)
        }
        (Binding::Value(v), None) => float_of(func.ty(v)),
        (Binding::Buffer(b), None) => {
            let shape = shape_of(func, b);
            if func.buffer(b).storage == Storage::Shared { quote!(& #shape) } else { shape }
        }
    }
}

/// What stands behind a reference.
fn referent(ty: &syn::Type) -> TokenStream {
    match ty {
        syn::Type::Reference(r) => {
            let inner = &r.elem;
            quote!(#inner)
        }
        other => quote!(#other),
    }
}

/// The elements of a `&Vec<T>`.
fn vec_elem(ty: &syn::Type) -> TokenStream {
    if let syn::Type::Reference(r) = ty
        && let syn::Type::Path(p) = &*r.elem
        && let Some(last) = p.path.segments.last()
        && let syn::PathArguments::AngleBracketed(args) = &last.arguments
    {
        let args = &args.args;
        return quote!(#args);
    }
    referent(ty)
}

fn float_of(ty: &Type) -> TokenStream {
    match ty {
        Type::Float(kind) => float_type(kind),
        _ => float_type(&FloatKind::F64),
    }
}

/// The owned type of a buffer: `[f64; 3]`, `Vec<f64>`; slices as slices.
pub(super) fn shape_of(func: &Func, b: crate::ir::Buffer) -> TokenStream {
    let data = func.buffer(b);
    data.dims.iter().rev().fold(float_of(&data.elem), |inner, dim| match dim {
        Dim::Fixed(n) => {
            let n: TokenStream = n.parse().unwrap_or_default();
            quote!([#inner; #n])
        }
        Dim::Dyn(_) => quote!(::ad_runtime::__private::Vec<#inner>),
        Dim::Slice => quote!([#inner]),
    })
}

/// Outputs in groups of equal marks, in the order in which they are returned.
fn groups(func: &Func) -> Vec<Vec<&Output>> {
    let mut list: Vec<&Output> = func.outputs.iter().collect();
    list.sort_by_key(|o| rank(&o.role.marks));
    let mut groups: Vec<Vec<&Output>> = Vec::new();
    for o in list {
        match groups.last_mut() {
            Some(group) if group[0].role.marks == o.role.marks => group.push(o),
            _ => groups.push(vec![o]),
        }
    }
    groups
}

/// A single one as it is, several as a tuple.
pub(super) fn tuple(mut list: Vec<TokenStream>) -> TokenStream {
    if list.len() == 1 { list.remove(0) } else { quote!((#(#list),*)) }
}

/// The return type, `None` for none.
pub(super) fn return_type(func: &Func) -> Option<TokenStream> {
    let of = |o: &Output| match o.binding {
        Binding::Value(v) => float_of(func.ty(v)),
        Binding::Buffer(b) => shape_of(func, b),
    };
    let groups: Vec<TokenStream> =
        groups(func).into_iter().map(|g| tuple(g.into_iter().map(of).collect())).collect();
    (!groups.is_empty()).then(|| tuple(groups))
}

/// The return type as the user's `Option` or `Result`.
pub(super) fn wrapped_type(sig: &Signature, ty: Option<TokenStream>) -> Option<TokenStream> {
    let (Some(_), Some(syn::Type::Path(mut output))) = (sig.wrapper, sig.output.clone()) else { return ty };
    let inner = ty.unwrap_or_else(|| quote!(()));
    if let Some(last) = output.path.segments.last_mut()
        && let syn::PathArguments::AngleBracketed(args) = &mut last.arguments
    {
        for a in &mut args.args {
            if let syn::GenericArgument::Type(t) = a {
                *t = syn::Type::Verbatim(inner);
                break;
            }
        }
    }
    Some(quote!(#output))
}

/// The returned expression in the user's `Some` or `Ok`.
pub(super) fn wrapped(sig: &Signature, value: Option<TokenStream>) -> Option<TokenStream> {
    let name = match sig.wrapper {
        None => return value,
        Some(Wrapper::Option) => quote!(::core::option::Option::Some),
        Some(Wrapper::Result) => quote!(::core::result::Result::Ok),
    };
    let value = value.unwrap_or_else(|| quote!(()));
    Some(quote!(#name(#value)))
}

/// The returned expression.
pub(super) fn returned(func: &Func, mut expr: impl FnMut(Binding) -> TokenStream) -> Option<TokenStream> {
    let groups: Vec<TokenStream> =
        groups(func).into_iter().map(|g| tuple(g.into_iter().map(|o| expr(o.binding)).collect())).collect();
    (!groups.is_empty()).then(|| tuple(groups))
}

/// Checks that directions and outputs are as long as what they belong to.
pub(super) fn length_checks(sig: &Signature, func: &Func, body: &Body<'_>, function: &Ident) -> TokenStream {
    let function = function.to_string();
    let mut checks = TokenStream::new();
    for p in ordered(func) {
        let (Binding::Buffer(b), Source::Param(i)) = (p.binding, p.role.of) else { continue };
        if p.role.marks.is_empty() || func.buffer(b).dims.first() != Some(&Dim::Slice) {
            continue;
        }
        let primal = func.params.iter().find_map(|q| match q.binding {
            Binding::Buffer(of) if q.role.of == p.role.of && q.role.marks.is_empty() => Some(of),
            _ => None,
        });
        let Some(of) = primal else { continue };
        let (name, source) = (body.buffer_name(b), body.buffer_name(of));
        let (text, source_text) = (name.to_string(), sig.params[i].ident.to_string());
        checks.extend(quote! {
            ::ad_runtime::__private::check_length(#function, #text, #name.len(), #source_text, #source.len());
        });
    }
    checks
}
