//! Products that others stand in for, where code need not run fast: they cost the compiler a few calls, in place of a body.
//!
//! - `f_grad_hvp` calls `f_grad` and `f_hvp`;
//! - `f_jvp` calls `f_grad`, and `f_curvature` `f_hvp` too: slope and curvature are what these give, times the direction;
//! - `f_hvp_block` calls `f_hvp` for one lane after the other, with memory for one direction and its product;
//! - `f_linearize` applies `f_hvp`, and keeps nothing but the value and the gradient.
//!
//! What does not live here: when these are used ([`crate::pipeline`]), and what they call.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use super::body::Body;
use super::companion::bound_name;
use super::found::Found;
use super::operators::{Kind, Operators, Width, is_copied};
use super::{Inside, docs, name_of, signature};
use crate::frontend::signature::Class;
use crate::ir::{Func, Mark, Source};
use crate::pipeline::Product;

impl Operators<'_> {
    /// Whether the arguments can be given to several functions.
    pub(crate) fn can_call_twice(&self) -> bool {
        self.sig.params.iter().all(|p| is_copied(&p.ty))
    }

    /// `f_grad_hvp`, of paths of the two functions that it calls. `func`: what it stands for.
    pub(crate) fn grad_hvp(&self, func: &Func, grad: &TokenStream, hvp: &TokenStream) -> TokenStream {
        self.stand_in(Product::GradHvp, func, &|body| {
            let generic = self.generic_arguments(None);
            let names = |marks: &[Mark]| {
                named(func, body, marks).into_iter().map(|(_, name)| name).collect::<Vec<_>>()
            };
            let receiver = self.sig.receiver.as_ref().map(|_| quote!(self,));
            let opened = usize::from(self.sig.opening.is_some());
            let (primal, dots) = (names(&[]).split_off(opened), names(&[Mark::Dot]));
            let (bars, products) = (names(&[Mark::Bar]), names(&[Mark::Bar, Mark::Dot]));
            let [value, bar, product] = ["value", "bar", "product"].map(|hint| body.fresh(hint));
            let grad = quote!(#grad #generic(#receiver #(#primal,)* #(#bars),*));
            let hvp = quote!(#hvp #generic(#receiver #(#primal,)* #(#dots,)* #(#products),*));
            if signature::returned_groups(self.sig, func) == 1 {
                quote!(let #value = #grad; #hvp; #value)
            } else {
                quote!(let (#value, #bar) = #grad; let #product = #hvp; (#value, #bar, #product))
            }
        })
    }

    /// `f_jvp`, and of the path of a product `f_curvature`: `∇f·v` and `v·Hv`. `func`: what it stands for.
    pub(crate) fn along(&self, func: &Func, grad: &TokenStream, hvp: Option<&TokenStream>) -> TokenStream {
        let product = if hvp.is_some() { Product::Curvature } else { Product::Jvp };
        self.stand_in(product, func, &|body| {
            let generic = self.generic_arguments(None);
            let receiver = self.sig.receiver.as_ref().map(|_| quote!(self,));
            let opened = usize::from(self.sig.opening.is_some());
            let primal: Vec<Ident> = named(func, body, &[]).into_iter().map(|(_, name)| name).collect();
            let (dots, args) = (named(func, body, &[Mark::Dot]), &primal[opened..]);
            let directions = dots.iter().map(|(_, name)| name);
            let value = body.fresh("value");
            let gradient = Found::new(self.sig, body, "bar", &primal, 0);
            let mut statements =
                gradient.call(&quote!(#grad #generic), &quote!(#receiver #(#args,)*), &quote!(#value));
            let second = hvp.map(|hvp| {
                let found = Found::new(self.sig, body, "product", &primal, gradient.vectors());
                let args = quote!(#receiver #(#args,)* #(#directions,)*);
                statements.extend(found.call(&quote!(#hvp #generic), &args, &quote!()));
                found
            });
            let times = |found: &Found| {
                let terms = dots.iter().filter_map(|(source, dot)| {
                    let (i, found) = (source.param()?, found.of[source.param()?].as_ref()?);
                    Some(match self.sig.params[i].class {
                        Class::Scalar(_) => quote!(#found * #dot),
                        Class::Array { .. } => quote!(::ad_runtime::__private::dot(&#found, &#dot)),
                        _ => quote!(::ad_runtime::__private::dot(&#found, #dot)),
                    })
                });
                quote!(#(#terms)+*)
            };
            let found: Vec<&Found> = [Some(&gradient), second.as_ref()].into_iter().flatten().collect();
            let names: Vec<Ident> =
                ["slope", "curvature"][..found.len()].iter().map(|hint| body.fresh(hint)).collect();
            let sums = found.iter().map(|found| times(found));
            let given = found.iter().rev().map(|found| found.given());
            quote! {
                #statements
                #(let #names = #sums;)*
                #(#given)*
                (#value, #(#names),*)
            }
        })
    }

    /// `f_hvp_block`, of the path of the function that it calls. `func`: what it stands for.
    pub(crate) fn lane_by_lane(&self, func: &Func, hvp: &TokenStream) -> Option<TokenStream> {
        let lanes = Ident::new(func.lanes.as_ref()?, Span::call_site());
        Some(self.stand_in(Product::HvpBlock, func, &|body| {
            let name_of = |marks: &[Mark], k: usize, body: &Body<'_>| {
                let of = |source: Source| {
                    source.param().is_some_and(|i| self.sig.params[i].ident == self.places[k].param.ident)
                };
                named(func, body, marks).into_iter().find(|(source, _)| of(*source)).map(|(_, name)| name)
            };
            // The names by which [`Operators::call`] knows them.
            let renamed = named(func, body, &[]).into_iter().filter_map(|(source, name)| {
                let ident = &self.names[source.param()?];
                (*ident != name).then(|| quote!(let #ident = #name;))
            });
            let renamed: TokenStream = renamed.collect();
            let (dim, float, generic) = (self.dim(), &self.float, self.generic_arguments(None));
            let lane = body.fresh("lane");
            let (mut before, mut gathered, mut scattered) =
                (TokenStream::new(), TokenStream::new(), TokenStream::new());
            let mut returned = Vec::new();
            // What is all there is, is not taken apart.
            let is_whole = self.places.len() == 1;
            for (k, place) in self.places.iter().enumerate() {
                let (len, part) = (&place.len, format_ident!("__ad_of_{k}"));
                let dot = name_of(&[Mark::Dot], k, body);
                if is_whole {
                    gathered.extend(quote!(let #part = &mut __ad_direction[..];));
                    scattered.extend(quote!(let #part = &__ad_product[..];));
                } else {
                    gathered.extend(quote!(let (#part, __ad_rest) = __ad_rest.split_at_mut(#len);));
                    scattered.extend(quote!(let (#part, __ad_rest) = __ad_rest.split_at(#len);));
                }
                gathered.extend(match place.kind {
                    Kind::Scalar => quote!(#part[0] = #dot[#lane];),
                    _ => quote!(::ad_runtime::__private::gather(&#dot[..], #lane, #part);),
                });
                let out = name_of(&[Mark::Bar, Mark::Dot], k, body).unwrap_or_else(|| {
                    let out = body.fresh("product");
                    let zeros = match place.kind {
                        Kind::Scalar => quote!([0.0; #lanes]),
                        _ => quote!([[0.0; #lanes]; #len]),
                    };
                    before.extend(quote!(let mut #out = #zeros;));
                    returned.push(quote!(#out));
                    out
                });
                scattered.extend(match place.kind {
                    Kind::Scalar => quote!(#out[#lane] = #part[0];),
                    _ => quote!(::ad_runtime::__private::scatter(#part, #lane, &mut #out[..]);),
                });
            }
            let call = self.call(&quote!(#hvp #generic), &[], Some(Width::One), &quote!());
            let whole = (!is_whole).then(|| quote!(let __ad_rest = &mut __ad_direction[..];));
            let whole_product = (!is_whole).then(|| quote!(let __ad_rest = &__ad_product[..];));
            let returned = (!returned.is_empty()).then(|| signature::tuple(returned));
            quote! {
                #renamed
                let mut __ad_direction: ::ad_runtime::__private::Vec<#float> =
                    ::ad_runtime::__private::filled(0, 0.0, #dim);
                let mut __ad_product: ::ad_runtime::__private::Vec<#float> =
                    ::ad_runtime::__private::filled(1, 0.0, #dim);
                #before
                let mut #lane = 0_usize;
                while #lane < #lanes {
                    #whole
                    #gathered
                    let __ad_v = &__ad_direction[..];
                    let __ad_out = &mut __ad_product[..];
                    #call
                    #whole_product
                    #scattered
                    #lane += 1;
                }
                ::ad_runtime::__private::give(1, __ad_product);
                ::ad_runtime::__private::give(0, __ad_direction);
                #returned
            }
        }))
    }

    /// `f_linearize`, of paths of the two functions that it calls.
    pub(crate) fn whole(&self, grad: &TokenStream, hvp: &TokenStream) -> TokenStream {
        let generic = self.generic_arguments(None);
        let (float, dim) = (&self.float, self.dim());
        let call_grad = self.call(&quote!(#grad #generic), &[], None, &quote!(__ad_value));
        let call_hvp = self.call(&quote!(#hvp #generic), &[], Some(Width::One), &quote!());
        self.linearized(&quote! {
            let mut __ad_gradient = ::ad_runtime::__private::vec![0.0; #dim];
            let __ad_out = &mut __ad_gradient[..];
            #call_grad
            ::ad_runtime::operators::Linearized::new(
                __ad_value,
                __ad_gradient,
                0,
                move |__ad_v: &[#float], __ad_out: &mut [#float]| { #call_hvp },
            )
        })
    }

    /// The function of a product, with other statements than those of `func`.
    fn stand_in(
        &self,
        product: Product,
        func: &Func,
        statements: &dyn Fn(&mut Body<'_>) -> TokenStream,
    ) -> TokenStream {
        let (sig, name) = (self.sig, name_of(self.sig, product));
        let docs = docs::of(sig, product);
        super::function(sig, func, &name, &docs, &sig.vis, &sig.attrs, Inside::Calls(statements))
    }
}

/// What parameters with these marks are called, and whose they are, as they are printed.
fn named(func: &Func, body: &Body<'_>, marks: &[Mark]) -> Vec<(Source, Ident)> {
    let list = signature::ordered(func).into_iter().filter(|p| p.role.marks == marks);
    list.map(|p| (p.role.of, bound_name(body, p))).collect()
}
