//! Adjoint companions where code need not run fast: the function's gradient, and its product, times the seeds.
//!
//! ```text
//! x_bar += y_bar ∇f        x_bar_dot += y_bar_dot ∇f + y_bar H x_dot
//! ```
//!
//! They cost the compiler two calls in place of two bodies, and memory for a gradient and a product when they run.
//!
//! What does not live here: the companions that have bodies, and slots ([`super::companion`]).

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::body::Body;
use super::companion::{bound_name, is_as_the_product, slot};
use super::expr::float_type;
use super::found::Found;
use crate::frontend::signature::{Class, Signature};
use crate::ir::{Binding, CallMode, Func, Mark, Param, Source};

/// The adjoint companions where code need not run fast, of the function's gradient and product: the adjoints are the gradient times the
/// seed. `curvature` has the parameters and the directions. `None` for other companions.
pub(crate) fn emit(
    sig: &Signature,
    mode: CallMode,
    curvature: &Func,
    (grad, hvp): (&TokenStream, &TokenStream),
) -> Option<TokenStream> {
    let second = match mode {
        CallMode::Vjp => false,
        CallMode::VjpJvp => true,
        _ => return None,
    };
    if !is_as_the_product(sig) {
        return None;
    }
    let ret = curvature.outputs.iter().find_map(|o| match o.binding {
        Binding::Value(v) => Some(super::expr::scalar_type(curvature.ty(v))),
        Binding::Buffer(_) => None,
    })?;
    let mut scaled = Scaled { sig, body: Body::new(curvature), slots: 0, generics: sig.own_generics() };
    let primal =
        |i: usize| curvature.params.iter().find(|p| p.role.of == Source::Param(i) && p.role.marks.is_empty());
    let primal: Vec<&Param> = (0..sig.params.len()).map(primal).collect::<Option<_>>()?;
    let args: Vec<Ident> = primal.iter().map(|p| bound_name(&scaled.body, p)).collect();
    let mut params: Vec<TokenStream> =
        primal.iter().map(|p| super::signature::parameter(sig, curvature, &scaled.body, p)).collect();
    let (mut unpack, mut dots) = (TokenStream::new(), Vec::new());
    let [seed, seed_dot] = ["y_bar", "y_bar_dot"].map(|hint| scaled.body.fresh(hint));
    params.push(quote!(#seed: #ret));
    if second {
        for i in 0..sig.params.len() {
            let is_direction = |p: &&Param| p.role.of == Source::Param(i) && p.role.marks == [Mark::Dot];
            let direction = curvature.params.iter().find(is_direction).cloned();
            let (name, ty) = scaled.next();
            let slot = slot(sig, curvature, &scaled.body, direction.as_ref(), i, &name, false);
            let bound = slot.bound;
            scaled.generics.params.push(syn::parse_quote!(#ty: #bound));
            params.push(quote!(#name: #ty));
            unpack.extend(slot.unpack);
            dots.extend(direction.map(|p| bound_name(&scaled.body, &p)));
        }
        params.push(quote!(#seed_dot: #ret));
    }
    let bars = scaled.bars(&mut params, &mut unpack, &args);
    let bar_dots = second.then(|| scaled.bars(&mut params, &mut unpack, &args));
    let gradient = Found::new(sig, &mut scaled.body, "gradient", &args, 0);
    let mut statements = gradient.call(grad, &quote!(#(#args,)*), &quote!(_));
    let product = second.then(|| Found::new(sig, &mut scaled.body, "product", &args, gradient.vectors()));
    if let Some(product) = &product {
        statements.extend(product.call(hvp, &quote!(#(#args,)* #(#dots,)*), &quote!()));
    }
    let (mut types, mut values) = (Vec::new(), Vec::new());
    let groups = [
        Some((&bars, vec![(&seed, &gradient)])),
        bar_dots
            .as_ref()
            .zip(product.as_ref())
            .map(|(bars, product)| (bars, vec![(&seed_dot, &gradient), (&seed, product)])),
    ];
    for (bars, terms) in groups.into_iter().flatten() {
        let (mut group_types, mut group_values) = (Vec::new(), Vec::new());
        for (i, bar) in bars.iter().enumerate() {
            let factors = || terms.iter().filter_map(|(seed, found)| Some((*seed, found.of[i].as_ref()?)));
            if let Some(bar) = bar {
                for (seed, found) in factors() {
                    statements.extend(quote!(::ad_runtime::__private::add_scaled(#bar, #seed, &#found[..]);));
                }
            } else if sig.params[i].active {
                let products = factors().map(|(seed, found)| quote!(#found * #seed));
                group_types.push(quote!(#ret));
                group_values.push(quote!(#(#products)+*));
                continue;
            }
            group_types.push(quote!(()));
            group_values.push(quote!(()));
        }
        types.push(quote!((#(#group_types,)*)));
        values.push(quote!((#(#group_values,)*)));
    }
    let (types, values) = (super::signature::tuple(types), super::signature::tuple(values));
    let given: TokenStream = product.iter().chain([&gradient]).map(Found::given).collect();
    let function = super::call::companion(&sig.ident.to_string(), mode);
    let (generics, vis, allow) = (&scaled.generics, &sig.vis, super::allowed());
    let attrs = sig.attrs.iter().filter(|a| a.path().is_ident("cfg"));
    let where_clause = generics.where_clause.clone();
    Some(quote! {
        #(#attrs)*
        #[doc(hidden)]
        #[inline]
        #allow
        #vis fn #function #generics (#(#params),*) -> #types #where_clause {
            #unpack
            #statements
            #given
            #values
        }
    })
}

/// What [`emit`] names.
struct Scaled<'a> {
    sig: &'a Signature,
    body: Body<'a>,
    slots: usize,
    generics: syn::Generics,
}

impl Scaled<'_> {
    /// The next slot.
    fn next(&mut self) -> (Ident, Ident) {
        let slot = (self.body.fresh("slot"), format_ident!("Slot{}", self.slots));
        self.slots += 1;
        slot
    }

    /// The slots of adjoints: where to add them, of those that are not returned.
    fn bars(
        &mut self,
        params: &mut Vec<TokenStream>,
        unpack: &mut TokenStream,
        args: &[Ident],
    ) -> Vec<Option<Ident>> {
        let mut bars = Vec::new();
        for (param, primal) in self.sig.params.iter().zip(args) {
            let (name, ty) = self.next();
            let (bound, bar) = match &param.class {
                _ if !param.active => (quote!(::ad_runtime::call::Inactive), None),
                Class::RefSlice { elem } | Class::Array { elem } => {
                    let elem = float_type(elem);
                    let [store, bar] = ["store", "bar"].map(|hint| self.body.fresh(hint));
                    unpack.extend(quote! {
                        let mut #store = ::ad_runtime::call::BarSlice::cotangent(#name, #primal.len());
                        let #bar: &mut [#elem] = ::core::convert::AsMut::as_mut(&mut #store);
                    });
                    (quote!(::ad_runtime::call::BarSlice<#elem>), Some(bar))
                }
                _ => (quote!(::ad_runtime::call::Unused), None),
            };
            if bar.is_none() {
                unpack.extend(quote!(let _ = #name;));
            }
            self.generics.params.push(syn::parse_quote!(#ty: #bound));
            params.push(quote!(#name: #ty));
            bars.push(bar);
        }
        bars
    }
}
