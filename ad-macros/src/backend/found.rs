//! Derivatives that one generated function gets from another: where they are put, and what they are called.
//!
//! What does not live here: what is made of them ([`super::stand_ins`], [`super::scaled`]).

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::body::Body;
use super::expr::float_type;
use super::signature;
use crate::frontend::signature::{Class, Signature};

/// Derivatives that a product gives.
pub(super) struct Found {
    /// Memory for those that it writes.
    before: TokenStream,
    /// That memory, in order.
    written: Vec<Ident>,
    /// The vectors in it, and the places of the pool that they come from.
    vectors: Vec<(Ident, usize)>,
    returned: Vec<TokenStream>,
    /// That of each parameter.
    pub(super) of: Vec<Option<Ident>>,
}

impl Found {
    /// Names for what a product gives with respect to each active parameter, floats, arrays and slices of these, of which `args`
    /// are the names. Vectors come from this place of the pool on.
    pub(super) fn new(
        sig: &Signature,
        body: &mut Body<'_>,
        hint: &str,
        args: &[Ident],
        place: usize,
    ) -> Found {
        let mut found = Found {
            before: TokenStream::new(),
            written: Vec::new(),
            vectors: Vec::new(),
            returned: Vec::new(),
            of: Vec::new(),
        };
        for (param, primal) in sig.params.iter().zip(args) {
            if !param.active {
                found.of.push(None);
                continue;
            }
            let name = body.fresh(hint);
            match &param.class {
                Class::RefSlice { elem } | Class::RefVec { elem } => {
                    let (elem, k) = (float_type(elem), place + found.vectors.len());
                    found.before.extend(quote! {
                        let mut #name: ::ad_runtime::__private::Vec<#elem> =
                            ::ad_runtime::__private::filled(#k, 0.0, #primal.len());
                    });
                    found.vectors.push((name.clone(), k));
                    found.written.push(name.clone());
                }
                Class::RefArray { .. } => {
                    // It is overwritten: any array of the type will do.
                    found.before.extend(quote!(let mut #name = *#primal;));
                    found.written.push(name.clone());
                }
                _ => found.returned.push(quote!(#name)),
            }
            found.of.push(Some(name));
        }
        found
    }

    /// How many vectors it takes from the pool.
    pub(super) fn vectors(&self) -> usize {
        self.vectors.len()
    }

    /// The call of the product that gives them, with the names of these arguments; `value`: what comes back beside them.
    pub(super) fn call(&self, product: &TokenStream, args: &TokenStream, value: &TokenStream) -> TokenStream {
        let (before, written) = (&self.before, &self.written);
        let derivatives =
            (!self.returned.is_empty()).then(|| signature::tuple(self.returned.clone())).into_iter();
        let given: Vec<TokenStream> =
            (!value.is_empty()).then(|| value.clone()).into_iter().chain(derivatives).collect();
        let call = quote!(#product(#args #(&mut #written),*));
        if given.is_empty() {
            return quote!(#before #call;);
        }
        let pattern = signature::tuple(given);
        quote!(#before let #pattern = #call;)
    }

    /// Gives the vectors back, the last first.
    pub(super) fn given(&self) -> TokenStream {
        let vectors = self.vectors.iter().rev();
        vectors.map(|(list, k)| quote!(::ad_runtime::__private::give(#k, #list);)).collect()
    }
}
