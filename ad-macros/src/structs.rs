//! `#[derive(Differentiable)]`: what `#[differentiable]` knows of structs.
//!
//! An attribute sees its function and nothing else. The derive tells it what a struct's fields are: the definitions of a
//! crate are kept here while the compiler expands it, from the top of the crate to its end.

use std::sync::{LazyLock, Mutex, PoisonError};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use rustc_hash::FxHashMap as HashMap;
use syn::spanned::Spanned;

use crate::diagnostics::Diagnostics;
use crate::frontend::records::{FieldKind, field_kind, fields_of};

/// Definitions by name, as text: tokens cannot be kept from one expansion to the next.
static STRUCTS: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);

/// The files that the definitions stand in.
static FILES: LazyLock<Mutex<HashMap<String, std::path::PathBuf>>> = LazyLock::new(Mutex::default);

/// Whether the struct of this name, if there is one, was seen in the file of a span: another file may have another.
pub(crate) fn is_here(name: &str, at: proc_macro2::Span) -> bool {
    let file = FILES.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
    find(name).is_none() || file.is_some() && file == at.local_file()
}

/// The definition of a struct that derives `Differentiable`.
pub(crate) fn find(name: &str) -> Option<syn::ItemStruct> {
    let text = STRUCTS.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()?;
    syn::parse_str(&text).ok()
}

/// The names of the structs that have all these fields (`=Name`: that are called so); none of those with parameters.
pub(crate) fn with_fields(wanted: &[String]) -> Vec<String> {
    let structs = STRUCTS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found: Vec<String> = structs
        .iter()
        .filter(|(name, text)| {
            let Ok(item) = syn::parse_str::<syn::ItemStruct>(text) else { return false };
            let members: Vec<String> =
                item.fields.members().map(|m| m.to_token_stream().to_string()).collect();
            item.generics.params.is_empty()
                && wanted.iter().all(|w| match w.strip_prefix('=') {
                    Some(called) => called == name.as_str() || called == "Self",
                    None => members.contains(w),
                })
        })
        .map(|(name, _)| name.clone())
        .collect();
    found.sort();
    found
}

/// Expands the derive.
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let generated = read(item, &mut diagnostics);
    match diagnostics.into_error() {
        Some(errors) => errors.to_compile_error(),
        None => generated,
    }
}

fn read(item: TokenStream, diagnostics: &mut Diagnostics) -> TokenStream {
    if let Some(data) = data(&item) {
        return data;
    }
    let mut item: syn::ItemStruct = match syn::parse2(item) {
        Ok(item) => item,
        Err(e) => {
            diagnostics.error(
                e.span(),
                "`Differentiable` is derived by structs and enums",
                "keep the numbers in a struct",
            );
            return TokenStream::new();
        }
    };
    if let Some(param) = item.generics.lifetimes().next() {
        diagnostics.error(
            param.span(),
            "structs with references are not differentiable",
            "own the numbers: `f64`, `[f64; 3]`, `Vec<f64>`",
        );
        return TokenStream::new();
    }
    let aliases = crate::aliases::in_struct(&mut item);
    keep(&item);
    for ty in item.fields.iter().map(|f| &f.ty) {
        keep_beside(&item, ty);
    }
    let name = &item.ident;
    let (flat, checks) = (flat(&item), checks(&item));
    let fingerprint = fingerprint(&name.to_string());
    let (generics, arguments, clause) = item.generics.split_for_impl();
    quote! {
        impl #generics ::ad_runtime::Differentiable for #name #arguments #clause {
            const FINGERPRINT: u64 = #fingerprint;
        }
        impl #generics ::ad_runtime::__private::HoldsFloats for #name #arguments #clause {}
        #flat
        #checks
        #aliases
    }
}

/// Enums and structs without fields are data: which variant it is has no derivative, and its numbers go with it.
fn data(item: &TokenStream) -> Option<TokenStream> {
    let item: syn::DeriveInput = syn::parse2(item.clone()).ok()?;
    match &item.data {
        syn::Data::Enum(_) => {}
        syn::Data::Struct(s) if s.fields.is_empty() => {}
        _ => return None,
    }
    let name = &item.ident;
    let (generics, arguments, clause) = item.generics.split_for_impl();
    let fingerprint = fingerprint("");
    Some(quote! {
        impl #generics ::ad_runtime::Differentiable for #name #arguments #clause {
            const FINGERPRINT: u64 = #fingerprint;
        }
    })
}

/// Keeps a definition.
fn keep(item: &syn::ItemStruct) {
    let mut bare = item.clone();
    bare.attrs.clear();
    for field in &mut bare.fields {
        field.attrs.retain(|a| a.path().is_ident("constant"));
    }
    let text = bare.to_token_stream().to_string();
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    match item.ident.span().local_file() {
        Some(file) => files.insert(item.ident.to_string(), file),
        None => files.remove(&item.ident.to_string()),
    };
    drop(files);
    STRUCTS.lock().unwrap_or_else(PoisonError::into_inner).insert(item.ident.to_string(), text);
}

/// Keeps the structs that a field's type names and that stand below this one: their derives come later.
fn keep_beside(item: &syn::ItemStruct, ty: &syn::Type) {
    struct Names(Vec<String>);
    impl syn::visit::Visit<'_> for Names {
        fn visit_path(&mut self, path: &syn::Path) {
            self.0.extend(path.segments.last().map(|s| s.ident.to_string()));
            syn::visit::visit_path(self, path);
        }
    }
    let mut names = Names(Vec::new());
    syn::visit::Visit::visit_type(&mut names, ty);
    for name in names.0.into_iter().filter(|name| find(name).is_none()) {
        let Some(text) = crate::file::structs_beside(item).remove(&name) else { continue };
        let Ok(mut below) = syn::parse_str::<syn::ItemStruct>(&text) else { continue };
        // What rustc has to check about its aliases, its own derive says.
        below.ident.set_span(item.ident.span());
        let _ = crate::aliases::in_struct(&mut below);
        keep(&below);
        for ty in below.fields.iter().map(|f| f.ty.clone()).collect::<Vec<_>>() {
            keep_beside(&below, &ty);
        }
    }
}

/// The active numbers one after the other, for tests by `check(..)`.
fn flat(item: &syn::ItemStruct) -> TokenStream {
    let name = &item.ident;
    let fields = fields_of(item);
    let active: Vec<_> = fields
        .iter()
        .filter(|field| {
            let of_parameter = field_kind_is_open(&field.ty, &item.generics);
            !field.constant && (of_parameter || matches!(field_kind(&field.ty), FieldKind::Active))
        })
        .collect();
    let (types, members): (Vec<_>, Vec<_>) = active.iter().map(|f| (&f.ty, &f.member)).unzip();
    let (_, arguments, _) = item.generics.split_for_impl();
    let mut generics = item.generics.clone();
    generics.params.push(syn::parse_quote!(__AdT));
    let clause = generics.make_where_clause();
    for ty in types {
        clause.predicates.push(syn::parse_quote!(#ty: ::ad_runtime::__private::Flat<__AdT>));
    }
    let (generics, _, clause) = generics.split_for_impl();
    quote! {
        #[allow(private_bounds)]
        impl #generics ::ad_runtime::__private::Flat<__AdT> for #name #arguments #clause {
            fn flatten(&self, __ad_to: &mut ::ad_runtime::__private::Vec<__AdT>) {
                #(::ad_runtime::__private::Flat::flatten(&self.#members, __ad_to);)*
            }
            fn fill(&mut self, __ad_from: &mut &[__AdT]) {
                #(::ad_runtime::__private::Flat::fill(&mut self.#members, __ad_from);)*
            }
        }
    }
}

/// Whether a field is a type parameter of its struct: a float, where the struct is active.
fn field_kind_is_open(ty: &syn::Type, generics: &syn::Generics) -> bool {
    matches!(ty, syn::Type::Path(p) if generics.type_params().any(|param| p.path.is_ident(&param.ident)))
}

/// What each field is: refuses floats that would silently be data. Types that the macro cannot see through (aliases) are
/// checked where types are known, as the crate is compiled.
fn checks(item: &syn::ItemStruct) -> TokenStream {
    let mut checks = TokenStream::new();
    for field in fields_of(item) {
        let (ty, member) = (&field.ty, &field.member);
        if field.constant {
            continue;
        }
        match field_kind(ty) {
            FieldKind::Active => {}
            // Where a struct is data, or made inside functions, it may hold anything; where it is active, the function tells.
            FieldKind::Hidden => {}
            // Nothing can be asked of a type that is a parameter.
            FieldKind::Data if names_parameter(ty, &item.generics) => {}
            FieldKind::Data => {
                let message = format!(
                    "`{}` of `{}` holds floats, but its type does not tell the macro so: write the type out (no alias; \
                     structs that derive `Differentiable` stand above), or say that it is data: `#[constant]`",
                    member.to_token_stream(),
                    item.ident
                );
                checks.extend(quote_spanned!(ty.span()=>
                    const _: () = {
                        #[allow(unused_imports)]
                        use ::ad_runtime::__private::MayHoldFloats as _;
                        assert!(!::ad_runtime::__private::Probe::<#ty>::HOLDS_FLOATS, #message);
                    };
                ));
            }
        }
        checks.extend(same(ty));
    }
    checks
}

/// That each struct named in a type is the one the macro has seen: names alone do not tell modules apart.
pub(crate) fn same(ty: &syn::Type) -> TokenStream {
    let mut paths = Vec::new();
    struct_paths(ty, &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let name = path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
            let fingerprint = fingerprint(&name);
            let path = with_any_arguments(path);
            let message = format!(
                "another struct is called `{name}` too, and the macro has seen that one: give them different names"
            );
            quote_spanned! {path.span()=>
                const _: () = assert!(<#path as ::ad_runtime::Differentiable>::FINGERPRINT == #fingerprint, #message);
            }
        })
        .collect()
}

/// A generic struct of any arguments: its fingerprint is the same for all.
pub(crate) fn with_any_arguments(path: &syn::Path) -> syn::Path {
    let mut path = path.clone();
    if let Some(last) = path.segments.last_mut()
        && let Some(item) = find(&last.ident.to_string())
        && !item.generics.params.is_empty()
    {
        let arguments = item.generics.params.iter().map(|p| match p {
            syn::GenericParam::Const(_) => quote!(0),
            syn::GenericParam::Type(_) => quote!(f64),
            syn::GenericParam::Lifetime(_) => quote!('static),
        });
        last.arguments = syn::PathArguments::AngleBracketed(syn::parse_quote!(<#(#arguments),*>));
    }
    path
}

/// Whether a type is made of the parameters of a struct.
fn names_parameter(ty: &syn::Type, generics: &syn::Generics) -> bool {
    struct Finder<'g>(&'g syn::Generics, bool);
    impl syn::visit::Visit<'_> for Finder<'_> {
        fn visit_ident(&mut self, ident: &proc_macro2::Ident) {
            self.1 |= self.0.type_params().any(|p| p.ident == *ident)
                || self.0.const_params().any(|p| p.ident == *ident);
        }
    }
    let mut finder = Finder(generics, false);
    syn::visit::Visit::visit_type(&mut finder, ty);
    finder.1
}

/// The definition of a struct as a type names it: with its arguments in the place of its parameters.
pub(crate) fn instance(path: &syn::Path) -> Option<syn::ItemStruct> {
    let last = path.segments.last()?;
    let item = find(&last.ident.to_string())?;
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return Some(item) };
    let names = item.generics.params.iter().filter_map(|p| match p {
        syn::GenericParam::Type(t) => Some(t.ident.to_string()),
        syn::GenericParam::Const(c) => Some(c.ident.to_string()),
        syn::GenericParam::Lifetime(_) => None,
    });
    let map = names.zip(arguments.args.iter().map(ToTokens::to_token_stream)).collect();
    let fields = crate::frontend::replaced(item.fields.to_token_stream(), &map);
    let mut item = item;
    let name = &item.ident;
    let whole = match &item.fields {
        syn::Fields::Named(_) => quote!(struct #name #fields),
        _ => quote!(struct #name #fields;),
    };
    item.fields = syn::parse2::<syn::ItemStruct>(whole).ok()?.fields;
    Some(item)
}

/// The types of a struct's fields where it is made: its parameters are those of the path, or of the type that is wanted. None of a
/// field whose length is a parameter that neither tells.
pub(crate) fn field_types(
    path: &syn::Path,
    wanted: Option<&syn::Type>,
) -> Vec<(syn::Member, Option<syn::Type>)> {
    let Some(last) = path.segments.last() else { return Vec::new() };
    let wanted = match wanted {
        Some(syn::Type::Path(p)) => {
            Some(&p.path).filter(|p| p.segments.last().is_some_and(|s| s.ident == last.ident))
        }
        _ => None,
    };
    let told = [Some(path), wanted].into_iter().flatten().find(|p| {
        p.segments.last().is_some_and(|s| matches!(s.arguments, syn::PathArguments::AngleBracketed(_)))
    });
    let Some(item) = instance(told.unwrap_or(path)) else { return Vec::new() };
    let mut lengths = item.generics.clone();
    lengths.params =
        item.generics.params.iter().filter(|p| matches!(p, syn::GenericParam::Const(_))).cloned().collect();
    fields_of(&item)
        .into_iter()
        .map(|f| {
            let is_known = told.is_some() || !names_parameter(&f.ty, &lengths);
            (f.member, Some(f.ty).filter(|_| is_known))
        })
        .collect()
}

/// The structs that derive `Differentiable` in a type.
fn struct_paths<'t>(ty: &'t syn::Type, paths: &mut Vec<&'t syn::Path>) {
    match ty {
        syn::Type::Path(p) => {
            let Some(last) = p.path.segments.last() else { return };
            if find(&last.ident.to_string()).is_some() {
                paths.push(&p.path);
            }
            if let syn::PathArguments::AngleBracketed(args) = &last.arguments {
                for a in &args.args {
                    if let syn::GenericArgument::Type(t) = a {
                        struct_paths(t, paths);
                    }
                }
            }
        }
        syn::Type::Array(a) => struct_paths(&a.elem, paths),
        syn::Type::Slice(s) => struct_paths(&s.elem, paths),
        syn::Type::Tuple(t) => t.elems.iter().for_each(|t| struct_paths(t, paths)),
        syn::Type::Reference(r) => struct_paths(&r.elem, paths),
        syn::Type::Paren(p) => struct_paths(&p.elem, paths),
        syn::Type::Group(g) => struct_paths(&g.elem, paths),
        _ => {}
    }
}

/// A number that tells definitions apart, with all that they consist of.
fn fingerprint(name: &str) -> u64 {
    fn add(name: &str, seen: &mut Vec<String>, hash: &mut u64) {
        if seen.iter().any(|s| s == name) {
            return;
        }
        seen.push(name.to_string());
        let Some(item) = find(name) else { return };
        *hash = fnv(*hash, &item.to_token_stream().to_string());
        for field in &item.fields {
            let mut paths = Vec::new();
            struct_paths(&field.ty, &mut paths);
            for path in paths {
                if let Some(last) = path.segments.last() {
                    add(&last.ident.to_string(), seen, hash);
                }
            }
        }
    }
    let mut hash = 0xcbf2_9ce4_8422_2325;
    add(name, &mut Vec::new(), &mut hash);
    hash
}

/// Fowler, Noll and Vo's hash (FNV-1a, 64 bits).
pub(crate) fn fnv(hash: u64, text: &str) -> u64 {
    text.bytes().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
