//! Signatures of generated functions, by the rule of the design: primal parameters, directions (or cotangents),
//! `&mut` outputs; returned: value, then derivatives of what is by value. Length checks at the top.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::body::Body;
use super::expr::float_type;
use crate::frontend::arrays::types::{By, Foreign};
use crate::frontend::signature::{Class, Node, Record, Ret, Signature, Wrapper};
use crate::ir::{Binding, Dim, FloatKind, Func, Layout, Mark, Output, Param, Role, Source, Storage, Type};

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

/// The parameters as they are printed: by rank, then in the order of the user's. The cotangents of a returned tuple
/// come as a tuple, the parts of a struct as the struct.
pub(super) fn parameters(
    sig: &Signature,
    func: &Func,
    body: &Body<'_>,
    records: &Records,
) -> Vec<TokenStream> {
    let list = ordered(func);
    let is_out = |b: Binding| matches!(b, Binding::Buffer(b) if func.buffer(b).storage == Storage::Output);
    let key = |marks: &[Mark], out: bool| match (out, marks.is_empty()) {
        (false, true) => 0,
        (false, false) => 10 + rank(marks),
        (true, _) => 20 + rank(marks),
    };
    let place = |of: Source| match of {
        Source::Param(i) | Source::Leaf(i, _) => i,
        Source::Result(i) => 1000 + i,
        Source::Saved(k) => 2000 + k,
    };
    let mut printed: Vec<((usize, usize), TokenStream)> = Vec::new();
    let mut seeds = (Vec::new(), Vec::new(), None);
    for p in list {
        let at = (key(&p.role.marks, is_out(p.binding)), place(p.role.of));
        match p.role.of {
            Source::Leaf(..) => {}
            Source::Result(_) if matches!(sig.ret, Ret::Tuple(_)) => {
                let (name, mutable) = name_of(func, body, p);
                seeds.0.push(quote!(#mutable #name));
                seeds.1.push(parameter_type(sig, func, p));
                seeds.2.get_or_insert(at);
            }
            _ => printed.push((at, parameter(sig, func, body, p))),
        }
    }
    if let (names, types, Some(at)) = seeds {
        printed.push((at, quote!((#(#names),*): (#(#types),*))));
    }
    for r in &records.list {
        let Some(class) = record_of(sig, r.param) else { continue };
        let out = r.marks.first() == Some(&Mark::Bar);
        // By value, adjoints are returned.
        if out && !class.by_ref {
            continue;
        }
        let (name, ty) = (&r.name, &sig.params[r.param].ty);
        let tokens = if out {
            let inner = match &sig.params[r.param].class {
                Class::Records(_, Dim::Slice) => {
                    let elem = element_of(ty);
                    quote!([#elem])
                }
                _ => referent(ty),
            };
            quote!(#name: &mut #inner)
        } else {
            quote!(#name: #ty)
        };
        printed.push(((key(&r.marks, out), r.param), tokens));
    }
    printed.sort_by_key(|(at, _)| *at);
    printed.into_iter().map(|(_, tokens)| tokens).collect()
}

/// The structs and tuples among the parameters, in each form: the primal, its direction, its adjoint.
pub(super) struct Records {
    list: Vec<RecordForm>,
}

struct RecordForm {
    param: usize,
    marks: Vec<Mark>,
    name: Ident,
}

fn record_of(sig: &Signature, param: usize) -> Option<&Record> {
    match &sig.params[param].class {
        Class::Record(record) | Class::Records(record, _) => Some(record),
        _ => None,
    }
}

impl Records {
    /// Finds them, and names them.
    pub(super) fn new(sig: &Signature, func: &Func, body: &mut Body<'_>) -> Records {
        let mut list: Vec<RecordForm> = Vec::new();
        let roles = func.params.iter().map(|p| &p.role).chain(func.outputs.iter().map(|o| &o.role));
        for role in roles {
            if let Source::Leaf(param, _) = role.of
                && !list.iter().any(|r| r.param == param && r.marks == role.marks)
            {
                let mut name = sig.params[param].ident.to_string();
                for mark in &role.marks {
                    name.push_str(if *mark == Mark::Dot { "_dot" } else { "_bar" });
                }
                let whole = matches!(sig.params[param].class, Class::Records(..));
                let shared = func.params.iter().filter(|_| whole).find_map(|p| match p.binding {
                    Binding::Buffer(b) if p.role == *role && func.buffer(b).field.is_some() => Some(b),
                    _ => None,
                });
                let name = match shared {
                    Some(b) => body.buffer_name(b),
                    None if role.marks.is_empty() => sig.params[param].ident.clone(),
                    None => body.fresh(&name),
                };
                list.push(RecordForm { param, marks: role.marks.clone(), name });
            }
        }
        Records { list }
    }

    fn name(&self, role: &Role) -> Option<(&Ident, usize)> {
        let Source::Leaf(param, leaf) = role.of else { return None };
        self.list.iter().find(|r| r.param == param && r.marks == role.marks).map(|r| (&r.name, leaf))
    }

    /// Takes them apart, at the top of the function.
    pub(super) fn opened(&self, sig: &Signature, func: &Func, body: &Body<'_>) -> TokenStream {
        let mut out = TokenStream::new();
        let mut opened: Vec<Ident> = Vec::new();
        for p in &func.params {
            let Some((record, leaf)) = self.name(&p.role) else { continue };
            let Some(class) = p.role.of.param().and_then(|i| record_of(sig, i)) else { continue };
            let place = class.leaves[leaf].access();
            if let Binding::Buffer(b) = p.binding
                && func.buffer(b).field.is_some()
            {
                let name = body.buffer_name(b);
                // A slice of structs stays together, as a parameter or as a field.
                if name == *record || opened.contains(&name) {
                    continue;
                }
                opened.push(name);
            }
            out.extend(match p.binding {
                Binding::Value(v) => {
                    let name = body.value_name(v);
                    quote!(let #name = #record #place;)
                }
                Binding::Buffer(b) => {
                    let name = body.buffer_name(b);
                    let slice = func.buffer(b).layout == Layout::Nested
                        && func.buffer(b).dims.first() == Some(&Dim::Slice);
                    let all = slice.then(|| quote!([..]));
                    match func.buffer(b).storage {
                        Storage::Output => quote!(let #name = &mut #record #place #all;),
                        Storage::Owned => quote!(let mut #name = #record #place;),
                        _ => quote!(let #name = &#record #place #all;),
                    }
                }
            });
        }
        out
    }

    /// Writes the adjoints of numbers in structs by reference, at the end.
    pub(super) fn written(&self, sig: &Signature, func: &Func, body: &mut Body<'_>) -> TokenStream {
        let mut out = TokenStream::new();
        for o in &func.outputs {
            let Some((record, leaf)) = self.name(&o.role) else { continue };
            let Some(class) = o.role.of.param().and_then(|i| record_of(sig, i)) else { continue };
            if class.by_ref {
                let (place, value) = (class.leaves[leaf].access(), body.output(o.binding));
                out.extend(quote!(#record #place = #value;));
            }
        }
        out
    }
}

/// A struct or tuple by value, made of its leaves. Fields that are no floats are those of the parameter.
fn rebuilt(ident: &Ident, node: &Node, leaves: &mut dyn FnMut(usize) -> TokenStream) -> TokenStream {
    match node {
        Node::Leaf(k) => leaves(*k),
        Node::Inactive(path, _) => {
            let place = crate::frontend::signature::access(path);
            quote!(::core::clone::Clone::clone(&#ident #place))
        }
        Node::Rows(_) => unreachable!("rows are by reference"),
        Node::Parts(path, fields) => {
            let values: Vec<TokenStream> = fields.iter().map(|(_, n)| rebuilt(ident, n, leaves)).collect();
            let members = fields.iter().map(|(m, _)| m);
            match path {
                Some(path) => {
                    let path = crate::frontend::records::constructor(path);
                    quote!(#path { #(#members: #values),* })
                }
                None => quote!((#(#values,)*)),
            }
        }
    }
}

fn name_of(func: &Func, body: &Body<'_>, p: &Param) -> (Ident, Option<TokenStream>) {
    match p.binding {
        Binding::Value(v) => (body.value_name(v), None),
        Binding::Buffer(b) => {
            let data = func.buffer(b);
            let view = data.layout != Layout::Nested && data.storage == Storage::Output;
            let owned = data.storage == Storage::Owned || view;
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
        Source::Result(_) | Source::Leaf(..) | Source::Saved(_) => None,
    };
    match (p.binding, written) {
        // Each float is an array of lanes.
        (Binding::Buffer(b), Some(_)) if is_wide(func, b) => {
            let shape = shape_of(func, b);
            match func.buffer(b).storage {
                Storage::Output => quote!(&mut #shape),
                Storage::Shared => quote!(& #shape),
                _ => shape,
            }
        }
        (Binding::Buffer(b), Some(param)) => {
            let storage = func.buffer(b).storage;
            let ty = &param.ty;
            match (&param.class, storage) {
                (Class::RefVec { .. }, Storage::Output) => {
                    let elem = vec_elem(ty);
                    quote!(&mut [#elem])
                }
                // Its direction is only read.
                (Class::RefVec { .. }, _) if param.is_owned_vec() && !p.role.marks.is_empty() => {
                    let elem = vec_elem(ty);
                    quote!(&[#elem])
                }
                (Class::RefArray { .. } | Class::RefSlice { .. }, Storage::Output) => {
                    let inner = referent(ty);
                    quote!(&mut #inner)
                }
                (Class::Foreign(foreign), Storage::Output) => match foreign.by {
                    By::Reference => {
                        let inner = referent(ty);
                        quote!(&mut #inner)
                    }
                    _ => {
                        let elem = float_type(&foreign.elem);
                        let name = if foreign.dims.len() == 1 {
                            quote!(ArrayViewMut1)
                        } else {
                            quote!(ArrayViewMut2)
                        };
                        quote!(::ad_runtime::__private::ndarray::#name<#elem>)
                    }
                },
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

/// Whether the last axis of a buffer is that of the lanes.
fn is_wide(func: &Func, b: crate::ir::Buffer) -> bool {
    matches!((func.buffer(b).dims.last(), &func.lanes), (Some(Dim::Fixed(n)), Some(count)) if n == count)
}

/// What stands behind a reference.
pub(super) fn referent(ty: &syn::Type) -> TokenStream {
    match ty {
        syn::Type::Reference(r) => {
            let inner = &r.elem;
            quote!(#inner)
        }
        other => quote!(#other),
    }
}

/// The elements of a `&[T]` or `&Vec<T>`.
pub(super) fn element_of(ty: &syn::Type) -> TokenStream {
    match ty {
        syn::Type::Reference(r) => match &*r.elem {
            syn::Type::Slice(s) => {
                let elem = &s.elem;
                quote!(#elem)
            }
            _ => vec_elem(ty),
        },
        other => quote!(#other),
    }
}

/// The elements of a `&Vec<T>`.
pub(super) fn vec_elem(ty: &syn::Type) -> TokenStream {
    let inner = match ty {
        syn::Type::Reference(r) => &*r.elem,
        owned => owned,
    };
    if let syn::Type::Path(p) = inner
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
        Type::Int => quote!(usize),
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

/// What is returned in one place: an output, or those that make up a struct or tuple.
enum Returned<'o> {
    One(&'o Output),
    Record(usize, Vec<&'o Output>),
}

/// Outputs in groups of equal marks, in the order in which they are returned.
fn groups<'o>(sig: &Signature, func: &'o Func) -> Vec<Vec<Returned<'o>>> {
    let mut list: Vec<&Output> = func.outputs.iter().collect();
    list.sort_by_key(|o| rank(&o.role.marks));
    let mut groups: Vec<(Vec<Mark>, Vec<Returned<'_>>)> = Vec::new();
    for o in list {
        let record = match o.role.of {
            Source::Leaf(i, _) => Some(i),
            _ => None,
        };
        // Those by reference are written, not returned.
        if record.is_some_and(|i| record_of(sig, i).is_some_and(|r| r.by_ref)) {
            continue;
        }
        if groups.last().is_none_or(|(marks, _)| *marks != o.role.marks) {
            groups.push((o.role.marks.clone(), Vec::new()));
        }
        let Some((_, group)) = groups.last_mut() else { continue };
        match (record, group.last_mut()) {
            (Some(i), Some(Returned::Record(same, parts))) if *same == i => parts.push(o),
            (Some(i), _) => group.push(Returned::Record(i, vec![o])),
            (None, _) => group.push(Returned::One(o)),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// A single one as it is, several as a tuple.
pub(super) fn tuple(mut list: Vec<TokenStream>) -> TokenStream {
    if list.len() == 1 { list.remove(0) } else { quote!((#(#list),*)) }
}

/// How many groups of values a function returns: one for each kind of derivative, and the value.
pub(super) fn returned_groups(sig: &Signature, func: &Func) -> usize {
    groups(sig, func).len()
}

/// The return type, `None` for none.
pub(super) fn return_type(sig: &Signature, func: &Func) -> Option<TokenStream> {
    let of = |r: Returned<'_>| match r {
        Returned::One(o) if foreign_of(sig, o).is_some() => {
            let ty = o.role.of.param().map(|i| &sig.params[i].ty);
            quote!(#ty)
        }
        Returned::One(o) => match o.binding {
            Binding::Value(v) => float_of(func.ty(v)),
            Binding::Buffer(b) => shape_of(func, b),
        },
        Returned::Record(i, _) => {
            let ty = &sig.params[i].ty;
            quote!(#ty)
        }
    };
    let groups: Vec<TokenStream> =
        groups(sig, func).into_iter().map(|g| tuple(g.into_iter().map(of).collect())).collect();
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
pub(super) fn returned(
    sig: &Signature,
    func: &Func,
    mut expr: impl FnMut(Binding) -> TokenStream,
) -> Option<TokenStream> {
    let mut of = |r: Returned<'_>| match r {
        Returned::One(o) => {
            let value = expr(o.binding);
            match foreign_of(sig, o) {
                Some(foreign) => rebuilt_array(foreign, &value),
                None => value,
            }
        }
        Returned::Record(i, parts) => {
            let Some(record) = record_of(sig, i) else { return TokenStream::new() };
            let mut leaf = |k: usize| {
                let found = parts.iter().find(|o| o.role.of == Source::Leaf(i, k));
                found.map_or_else(TokenStream::new, |o| expr(o.binding))
            };
            rebuilt(&sig.params[i].ident, &record.node, &mut leaf)
        }
    };
    let groups: Vec<TokenStream> =
        groups(sig, func).into_iter().map(|g| tuple(g.into_iter().map(&mut of).collect())).collect();
    (!groups.is_empty()).then(|| tuple(groups))
}

/// The library's array that a returned derivative is, if it is one.
fn foreign_of<'s>(sig: &'s Signature, o: &Output) -> Option<&'s Foreign> {
    match &sig.params[o.role.of.param()?].class {
        Class::Foreign(foreign) => Some(foreign),
        _ => None,
    }
}

/// A local array as the library's.
fn rebuilt_array(foreign: &Foreign, value: &TokenStream) -> TokenStream {
    match (foreign.layout, foreign.dims.len()) {
        (Layout::Nalgebra, 1) => match foreign.dims[0] {
            Dim::Fixed(_) => quote!(::ad_runtime::__private::nalgebra::SVector::from_fn(|i, _| #value[i])),
            _ => quote!(::ad_runtime::__private::nalgebra::DVector::from_vec(#value)),
        },
        (Layout::Nalgebra, _) => match foreign.dims[0] {
            Dim::Fixed(_) => quote!(::ad_runtime::__private::nalgebra::SMatrix::from_fn(|i, j| #value[i][j])),
            _ => quote!({
                let columns = #value.first().map_or(0, |row| row.len());
                ::ad_runtime::__private::nalgebra::DMatrix::from_fn(#value.len(), columns, |i, j| #value[i][j])
            }),
        },
        (_, 1) => quote!(::ad_runtime::__private::ndarray::Array1::from_vec(#value)),
        _ => quote!({
            let columns = #value.first().map_or(0, |row| row.len());
            ::ad_runtime::__private::ndarray::Array2::from_shape_fn((#value.len(), columns), |(i, j)| #value[i][j])
        }),
    }
}

/// Checks that directions and outputs are as long as what they belong to.
pub(super) fn length_checks(sig: &Signature, func: &Func, body: &Body<'_>, function: &Ident) -> TokenStream {
    let function = function.to_string();
    let mut checks = TokenStream::new();
    let mut checked: Vec<Ident> = Vec::new();
    for p in ordered(func) {
        let (Binding::Buffer(b), Some(i)) = (p.binding, p.role.of.param()) else { continue };
        // All fields of a slice of structs are as long as the first.
        if func.buffer(b).field.is_some() {
            let name = body.buffer_name(b);
            if checked.contains(&name) {
                continue;
            }
            checked.push(name);
        }
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
        if func.buffer(b).layout != Layout::Nested && func.buffer(b).dims.len() == 2 {
            for axis in ["nrows", "ncols"] {
                let method = Ident::new(axis, proc_macro2::Span::call_site());
                let (text, source_text) = (format!("{text}.{axis}()"), format!("{source_text}.{axis}()"));
                checks.extend(quote! {
                    ::ad_runtime::__private::check_length(
                        #function, #text, #name.#method(), #source_text, #source.#method(),
                    );
                });
            }
            continue;
        }
        let (name, source) = (body.buffer_name(b), body.buffer_name(of));
        let (text, source_text) = (name.to_string(), sig.params[i].ident.to_string());
        if func.buffer(b).layout != Layout::Nested {
            checks.extend(quote! {
                ::ad_runtime::__private::check_length(#function, #text, #name.len(), #source_text, #source.len());
            });
            continue;
        }
        // Vectors may come by value. A reference to a reference costs the compiler more than one.
        let is_reference = matches!(sig.params[i].ty, syn::Type::Reference(_));
        let [name, source] =
            [name, source].map(|name| if is_reference { quote!(#name) } else { quote!(&#name) });
        checks.extend(quote! {
            ::ad_runtime::__private::check_like(#function, #text, #name, #source_text, #source);
        });
    }
    checks
}
