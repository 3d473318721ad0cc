//! Buffers: elements by their layout, declarations, fills.

use proc_macro2::TokenStream;
use quote::quote;

use super::body::Body;
use super::expr;
use crate::ir::{Buffer, Dim, Layout, Type, Value};

impl Body<'_> {
    pub(super) fn element(&mut self, b: Buffer, index: &[Value]) -> TokenStream {
        let name = self.buffer_name(b);
        let index: Vec<TokenStream> = index.iter().map(|i| self.take(*i).tokens).collect();
        match (self.func.buffer(b).layout, index.len()) {
            (Layout::Ndarray, 2..) => return quote!(#name[[#(#index),*]]),
            (Layout::Nalgebra, 2..) => return quote!(#name[(#(#index),*)]),
            _ => {}
        }
        match self.field(b) {
            Some(field) => {
                let (first, rest) = (&index[0], &index[1..]);
                quote!(#name[#first] #field #([#rest])*)
            }
            None => quote!(#name #([#index])*),
        }
    }

    /// The field of the structs that a buffer stands for.
    pub(super) fn field(&self, b: Buffer) -> Option<TokenStream> {
        self.func.buffer(b).field.as_ref().map(|f| f.parse().unwrap_or_default())
    }

    pub(super) fn alloc(&mut self, b: Buffer, fill: Value, out: &mut TokenStream) {
        self.declare(b);
        let data = self.func.buffer(b);
        let mut init = self.take(fill).tokens;
        if let Some(like) = data.like {
            let (name, like) = (self.buffer_name(b), self.buffer_name(like));
            let field = self.field(data.like.unwrap_or(b));
            let rows = rows_like(&quote!(#like), field.as_ref(), &data.dims, &init);
            out.extend(quote!(let mut #name = #rows;));
            return;
        }
        let mut ty = expr::scalar_type(&data.elem);
        for dim in data.dims.iter().rev() {
            match dim {
                Dim::Fixed(n) => {
                    let n: TokenStream = n.parse().unwrap_or_default();
                    init = quote!([#init; #n]);
                    ty = ty.map(|t| quote!([#t; #n]));
                }
                Dim::Dyn(v) => {
                    let n = self.take(*v).tokens;
                    init = quote!(::ad_runtime::__private::vec![#init; #n]);
                    ty = ty.map(|t| quote!(::ad_runtime::__private::Vec<#t>));
                }
                Dim::Slice => {}
            }
        }
        let name = self.buffer_name(b);
        let ty = ty.map(|t| quote!(: #t));
        out.extend(quote!(let mut #name #ty = #init;));
    }
}

/// Rows of the lengths of these, filled. The rows may be fields of structs.
fn rows_like(
    like: &TokenStream,
    field: Option<&TokenStream>,
    dims: &[Dim],
    init: &TokenStream,
) -> TokenStream {
    match dims {
        [] => init.clone(),
        [Dim::Fixed(n), inner @ ..] if inner.iter().all(|d| matches!(d, Dim::Fixed(_))) => {
            let n: TokenStream = n.parse().unwrap_or_default();
            let inner = rows_like(like, None, inner, init);
            quote!([#inner; #n])
        }
        [_] if field.is_none() => quote!(::ad_runtime::__private::vec![#init; #like.len()]),
        [_, inner @ ..] => {
            let inner = rows_like(&quote!(row #field), None, inner, init);
            quote!(#like.iter().map(|row| #inner).collect::<::ad_runtime::__private::Vec<_>>())
        }
    }
}

pub(super) fn fill_all(name: &TokenStream, axes: usize, value: &TokenStream) -> TokenStream {
    if axes <= 1 {
        return quote!(#name.fill(#value););
    }
    let inner = fill_all(&quote!(row), axes - 1, value);
    quote!(for row in #name.iter_mut() { #inner })
}

/// What new elements are.
pub(super) fn zero_of(ty: &Type) -> TokenStream {
    match ty {
        Type::Float(kind) => expr::float(0.0, kind, false).tokens,
        Type::Bool => quote!(false),
        _ => quote!(::core::default::Default::default()),
    }
}
