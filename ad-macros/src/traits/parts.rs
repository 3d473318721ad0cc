//! Results of several floats, part by part: `fn constraints(&self, x: &[f64; N]) -> [f64; M]` has `__constraints_0` beside it, which
//! takes the number of an element too and returns that. Companions are of such functions.
//!
//! It costs a call for each element. What it needs is no more than what one float as result needs, in all derivatives.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};

use crate::frontend::signature::{Floats, element_of_array, is_float};

/// One float, or array or vector of floats, of what a method returns.
pub(crate) struct Part {
    /// The float that it is, or consists of.
    pub(crate) elem: syn::Type,
    /// The type of the part.
    pub(crate) ty: syn::Type,
    pub(crate) shape: Shape,
    /// Which component of a tuple it is.
    component: Option<usize>,
    /// All that the method returns.
    whole: syn::Type,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Float,
    Array,
    Vector,
}

/// The parts of a result of this type; one float is its only part. `None` if they are not floats, arrays and vectors of these.
pub(crate) fn parts_of(ty: &syn::Type, floats: &Floats) -> Option<Vec<Part>> {
    let types: Vec<(Option<usize>, &syn::Type)> = match ty {
        syn::Type::Tuple(t) if t.elems.is_empty() => return None,
        syn::Type::Tuple(t) => t.elems.iter().enumerate().map(|(k, ty)| (Some(k), ty)).collect(),
        other => vec![(None, other)],
    };
    types
        .into_iter()
        .map(|(component, part)| {
            let (elem, shape) = match part {
                float if is_float(float, floats) => (float, Shape::Float),
                syn::Type::Array(_) => (element_of_array(part)?, Shape::Array),
                syn::Type::Path(_) => (element_of_array(part)?, Shape::Vector),
                _ => return None,
            };
            is_float(elem, floats).then(|| Part {
                elem: elem.clone(),
                ty: part.clone(),
                shape,
                component,
                whole: ty.clone(),
            })
        })
        .collect()
}

impl Part {
    /// Whether the method itself is called.
    fn is_whole(&self) -> bool {
        self.component.is_none() && self.shape == Shape::Float
    }

    /// What is called for a part of a method.
    pub(crate) fn name(&self, method: &Ident) -> Ident {
        if self.is_whole() {
            return method.clone();
        }
        let text = method.to_string();
        let component = self.component.unwrap_or(0);
        Ident::new(&format!("__{}_{component}", text.trim_start_matches("r#")), method.span())
    }

    /// What is called for the length of a part.
    pub(crate) fn length(&self, method: &Ident) -> Ident {
        format_ident!("{}_len", self.name(method))
    }

    /// What follows the method's own arguments: that the caller knows what it returns, and which element is meant.
    pub(crate) fn arguments(&self, number: &Ident) -> Vec<TokenStream> {
        if self.is_whole() {
            return Vec::new();
        }
        let whole = &self.whole;
        let witness = quote!(::core::marker::PhantomData::<#whole>);
        if self.shape == Shape::Float { vec![witness] } else { vec![witness, quote!(#number)] }
    }

    /// The signature of what is called.
    pub(super) fn signature(&self, of: &syn::Signature) -> syn::Signature {
        let mut sig = of.clone();
        if self.is_whole() {
            return sig;
        }
        let (whole, elem) = (&self.whole, &self.elem);
        sig.ident = self.name(&of.ident);
        sig.output = syn::parse_quote!(-> #elem);
        sig.inputs.push(syn::parse_quote!(__ad_whole: ::core::marker::PhantomData<#whole>));
        if self.shape != Shape::Float {
            let number = number();
            sig.inputs.push(syn::parse_quote!(#number: usize));
        }
        sig
    }

    /// Its code, from that of the method.
    pub(super) fn body(&self, of: &syn::Signature, block: &syn::Block) -> TokenStream {
        if self.is_whole() {
            return block.to_token_stream();
        }
        let (output, part) = (&of.output, self.of(&quote!(__ad_all)));
        quote!({
            let __ad_all = (|| #output #block)();
            #part
        })
    }

    /// The part of a whole.
    fn of(&self, whole: &TokenStream) -> TokenStream {
        let component = self.component.map(syn::Index::from).map(|k| quote!(.#k));
        let number = number();
        let number = (self.shape != Shape::Float).then(|| quote!([#number]));
        quote!(#whole #component #number)
    }

    /// What of it is no companion: the part itself, and its length.
    pub(super) fn called(&self, of: &syn::Signature) -> Vec<syn::TraitItemFn> {
        if self.is_whole() {
            return Vec::new();
        }
        let args: Vec<&syn::Pat> = of
            .inputs
            .iter()
            .filter_map(|input| match input {
                syn::FnArg::Typed(p) => Some(&*p.pat),
                syn::FnArg::Receiver(_) => None,
            })
            .collect();
        let args: Vec<TokenStream> = args
            .into_iter()
            .map(|pat| match pat {
                syn::Pat::Ident(id) => id.ident.to_token_stream(),
                other => other.to_token_stream(),
            })
            .collect();
        let method = &of.ident;
        let mut made = Vec::new();
        let mut sig = sized(self.signature(of));
        let part = self.of(&quote!(self.#method(#(#args),*)));
        made.push(syn::parse_quote!(#[doc(hidden)] #[allow(unused_mut, unused_variables)] #sig { #part }));
        if self.shape == Shape::Vector {
            sig = sized(of.clone());
            sig.ident = self.length(method);
            sig.output = syn::parse_quote!(-> usize);
            let component = self.component.map(syn::Index::from).map(|k| quote!(.#k));
            made.push(syn::parse_quote! {
                #[doc(hidden)]
                #[allow(unused_mut)]
                #sig { self.#method(#(#args),*) #component .len() }
            });
        }
        made
    }
}

fn sized(mut sig: syn::Signature) -> syn::Signature {
    sig.generics.make_where_clause().predicates.push(syn::parse_quote!(Self: Sized));
    sig
}

/// What the number of an element is called.
pub(crate) fn number() -> Ident {
    Ident::new("__ad_number", Span::call_site())
}
