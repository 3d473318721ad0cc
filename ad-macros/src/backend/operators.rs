//! `f_hessian`, `f_linearize` and `f_sparsity`: the Hessian at a point as an operator on flat vectors, and its pattern.
//!
//! The active parameters stand one after the other in a vector, in order. `f_hessian` calls `f_hvp`, `f_hvp_block` and `f_grad`
//! where these are there and it is known how they are reached. Whatever else the functions call they bring along, as inner
//! functions: whether the user's function stands in a module or in an `impl` block need not show (but where it says `self` or
//! `Self`, which inner functions cannot; then what they call stands beside them).

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote};

use super::expr::float_type;
use crate::frontend::signature::{Class, ParamSig, Signature, shape};
use crate::ir::{Dim, FloatKind, Func, Source};
use crate::pipeline::Product;
use crate::transform::pattern::RECORDER;
use crate::transform::split::Split;

/// The place of an active parameter in the vector.
pub(super) struct Place<'s> {
    pub(super) param: &'s ParamSig,
    pub(super) kind: Kind,
    /// How many numbers it is.
    pub(super) len: TokenStream,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    Slice,
    RefArray,
    Array,
}

/// How many directions a call takes: one, or an array of them in place of each float.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    One,
    Block,
}

/// How what is generated for one function calls what else is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// `f_grad(..)`, outside of `impl` blocks.
    Name,
    /// `Self::f_grad(..)`, in one.
    OfSelf,
    /// Where the function stands is not known.
    No,
}

/// What an operator calls.
pub(crate) enum Part<'f> {
    /// A function that is there anyway, by its path.
    Beside(TokenStream),
    /// One that the operator brings along.
    Brought(&'f Func),
}

/// What the functions know of the user's.
pub(crate) struct Operators<'s> {
    pub(super) sig: &'s Signature,
    pub(super) places: Vec<Place<'s>>,
    pub(super) float: TokenStream,
    /// What the parameters are called.
    pub(super) names: Vec<Ident>,
}

impl<'s> Operators<'s> {
    /// `None` if the active parameters cannot be laid out in a vector, or the others not be kept.
    pub(crate) fn new(sig: &'s Signature) -> Option<Operators<'s>> {
        if sig.wrapper.is_some() || sig.receiver.as_ref().is_some_and(|r| !is_shared(r)) {
            return None;
        }
        let mut float: Option<FloatKind> = None;
        let mut places = Vec::new();
        // Inner functions would take a parameter with the function's own name for the function.
        let own = |p: &ParamSig| {
            if p.ident == sig.ident { format_ident!("{}_at", p.ident) } else { p.ident.clone() }
        };
        let names: Vec<Ident> = sig.params.iter().map(own).collect();
        for (param, ident) in sig.params.iter().zip(&names) {
            if !param.active {
                if !is_copied(&param.ty) && is_of_a_trait(&param.ty) {
                    return None;
                }
                continue;
            }
            // It would have to be kept, and given away at each product.
            if param.is_owned_vec() {
                return None;
            }
            let (kind, elem) = match &param.class {
                Class::Scalar(elem) => (Kind::Scalar, elem),
                Class::RefSlice { elem } | Class::RefVec { elem } => (Kind::Slice, elem),
                Class::RefArray { elem } => (Kind::RefArray, elem),
                Class::Array { elem } => (Kind::Array, elem),
                _ => return None,
            };
            if matches!(elem, FloatKind::Param(_)) || float.get_or_insert_with(|| elem.clone()) != elem {
                return None;
            }
            let len = match kind {
                Kind::Scalar => quote!(1),
                _ => {
                    let inner = match &param.ty {
                        syn::Type::Reference(r) => &*r.elem,
                        other => other,
                    };
                    match shape(inner, &sig.floats)?.0.as_slice() {
                        [Dim::Fixed(n)] => n.parse().ok()?,
                        [_] => quote!(#ident.len()),
                        _ => return None,
                    }
                }
            };
            places.push(Place { param, kind, len });
        }
        Some(Operators { sig, places, float: float_type(&float?), names })
    }

    /// The path by which an operator calls a generated product that stands beside it, if it can be called in place of a function
    /// that the operator brings along.
    pub(crate) fn beside(&self, product: Product, reach: Reach) -> Option<TokenStream> {
        // Some attributes decide who may call a function, or whether there is one.
        let harmless = ["inline", "cfg", "must_use", "allow", "expect", "warn", "track_caller", "cold"];
        if !self.sig.attrs.iter().all(|a| harmless.iter().any(|known| a.path().is_ident(known))) {
            return None;
        }
        let name = super::name_of(self.sig, product);
        match reach {
            Reach::Name => {
                let constants = self.sig.generics.const_params().map(|c| &c.ident);
                let mut hiding = constants.chain(self.given().map(|(_, given)| given));
                hiding.all(|other| *other != name).then(|| quote!(#name))
            }
            Reach::OfSelf => Some(quote!(Self::#name)),
            Reach::No => None,
        }
    }

    /// `f_hessian`, of the product, that for several directions where there is one, and the gradient.
    pub(crate) fn hessian(&self, hvp: &Part<'_>, block: Option<&Part<'_>>, grad: &Part<'_>) -> TokenStream {
        let (product, wide, gradient) =
            (format_ident!("__ad_product"), format_ident!("__ad_products"), format_ident!("__ad_gradient"));
        let parts = [Some((&product, hvp)), Some((&gradient, grad)), block.map(|block| (&wide, block))];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let brought: Vec<_> = parts
            .iter()
            .filter_map(|(name, part)| match part {
                Part::Brought(func) => Some((*name, *func)),
                Part::Beside(_) => None,
            })
            .collect();
        let (inside, beside, placed) = self.placed("hessian", &brought, &quote!());
        let mut placed = placed.into_iter();
        let paths: Vec<TokenStream> = parts
            .iter()
            .filter_map(|(_, part)| match part {
                Part::Beside(path) => Some(path.clone()),
                Part::Brought(_) => placed.next(),
            })
            .collect();
        let generic = self.generic_arguments(None);
        let (product, gradient) = (&paths[0], &paths[1]);
        let (float, dim, call_product, call_gradient) = (
            &self.float,
            self.dim(),
            self.call(&quote!(#product #generic), &[], Some(Width::One), &quote!()),
            self.call(&quote!(#gradient #generic), &[], None, &quote!(__ad_value)),
        );
        let of_blocks = block.map(|_| quote!(, impl Fn(::ad_runtime::operators::Block<'_, #float>)));
        let ty = quote!(::ad_runtime::operators::Hessian<
            #float, impl Fn(&[#float], &mut [#float]), impl Fn(&mut [#float]) -> #float #of_blocks
        >);
        let docs = "The Hessian of [`{f}`] at a point as a linear operator, without storage: each application is one \
                    Hessian-vector product. Vectors hold {wrt}, one after the other.";
        // Each of the closures has its own.
        let copies: TokenStream = self
            .cloned()
            .map(|name| quote!(let #name = ::ad_runtime::__private::Kept::new(#name.again(stringify!(#name)));))
            .collect();
        let with_blocks = block.map(|_| quote!(.with_blocks(__ad_blocks)));
        let blocks = paths.get(2).map(|wide| {
            let [four, eight] = [4_usize, 8].map(|lanes| {
                let generic = self.generic_arguments(Some(lanes));
                self.call(&quote!(#wide #generic), &[], Some(Width::Block), &quote!())
            });
            quote! {
                let __ad_blocks = {
                    #copies
                    move |__ad_block: ::ad_runtime::operators::Block<'_, #float>| match __ad_block {
                        ::ad_runtime::operators::Block::Four(__ad_v, __ad_out) => { #four }
                        ::ad_runtime::operators::Block::Eight(__ad_v, __ad_out) => { #eight }
                    }
                };
            }
        });
        let function = self.function(
            "hessian",
            docs,
            &ty,
            &quote! {
                #inside
                #blocks
                ::ad_runtime::operators::Hessian::new(
                    #dim,
                    {
                        #copies
                        move |__ad_v: &[#float], __ad_out: &mut [#float]| { #call_product }
                    },
                    move |__ad_out: &mut [#float]| { #call_gradient __ad_value },
                )
                #with_blocks
            },
        );
        quote!(#beside #function)
    }

    /// `f_linearize`, of the halves of the product.
    pub(crate) fn linearize(&self, split: &Split) -> TokenStream {
        let (first, second) = (format_ident!("__ad_fixed"), format_ident!("__ad_varying"));
        let inner = [(&first, &split.fixed), (&second, &split.varying)];
        let (inside, beside, paths) = self.placed("linearize", &inner, &quote!());
        let generic = self.generic_arguments(None);
        let (first, second) = (&paths[0], &paths[1]);
        let count = split.varying.params.iter().filter(|p| matches!(p.role.of, Source::Saved(_))).count();
        let saved: Vec<Ident> = (0..count).map(|k| format_ident!("__ad_saved_{k}")).collect();
        let value = if count == 0 { quote!(__ad_value) } else { quote!((__ad_value, #(#saved),*)) };
        let (float, dim) = (&self.float, self.dim());
        let call_first = self.call(&quote!(#first #generic), &[], None, &value);
        let call_second = self.call(&quote!(#second #generic), &saved, Some(Width::One), &quote!());
        let function = self.linearized(&quote! {
            #inside
            let mut __ad_gradient = ::ad_runtime::__private::vec![0.0; #dim];
            let __ad_out = &mut __ad_gradient[..];
            #call_first
            let __ad_memory = 0 #(+ ::core::mem::size_of_val(&#saved[..]))*;
            ::ad_runtime::operators::Linearized::new(
                __ad_value,
                __ad_gradient,
                __ad_memory,
                move |__ad_v: &[#float], __ad_out: &mut [#float]| { #call_second },
            )
        });
        quote!(#beside #function)
    }

    /// `f_linearize`, of this body.
    pub(super) fn linearized(&self, body: &TokenStream) -> TokenStream {
        let float = &self.float;
        let ty = quote!(::ad_runtime::operators::Linearized<#float, impl Fn(&[#float], &mut [#float])>);
        let docs = "The Hessian of [`{f}`] at a point as a linear operator: computes value and gradient, keeps what of the \
                    product does not depend on the direction, and applies only what does. Vectors hold {wrt}, one after \
                    the other.";
        self.function("linearize", docs, &ty, body)
    }

    /// `f_sparsity`, of the function on sets.
    pub(crate) fn sparsity(&self, sets: &Func, universal: bool) -> TokenStream {
        let (name, recorder) = (format_ident!("__ad_sets"), Ident::new(RECORDER, Span::call_site()));
        let extra = quote!(, #recorder: &::ad_runtime::__private::SetRecorder);
        let (inside, beside, paths) = self.placed("sparsity", &[(&name, sets)], &extra);
        let (function, generic) = (&paths[0], self.generic_arguments(None));
        let mut inputs = TokenStream::new();
        let mut args: Vec<TokenStream> = self.kept();
        for (k, place) in self.places.iter().enumerate() {
            let (sets, len) = (format_ident!("__ad_sets_{k}"), &place.len);
            inputs.extend(quote!(let #sets = #recorder.inputs(#len);));
            args.push(if place.kind == Kind::Scalar { quote!(#sets[0]) } else { quote!(&#sets) });
        }
        let dim = self.dim();
        let validity = if universal {
            "It is valid for all inputs of these lengths: no branch of the function depends on an active value."
        } else {
            "It is valid for this input, and those for which the function takes the same branches: some depend on active \
             values."
        };
        let docs = format!(
            "Which entries of the Hessian of [`{{f}}`] may be nonzero, found by running the function on index sets. {validity} \
             Variables are {{wrt}}, one after the other."
        );
        let ty = quote!(::ad_runtime::sparse::Sparsity);
        let function = self.function(
            "sparsity",
            &docs,
            &ty,
            &quote! {
                #inside
                let #recorder = ::ad_runtime::__private::SetRecorder::new(#dim);
                #inputs
                #function #generic(#(#args,)* &#recorder);
                ::ad_runtime::sparse::Sparsity::new(#recorder.finish(), #universal)
            },
        );
        quote!(#beside #function)
    }

    /// The parameters that a caller gives, and what they are called: all but one that stands for the receiver.
    fn given(&self) -> impl Iterator<Item = (&ParamSig, &Ident)> {
        let opened = usize::from(self.sig.opening.is_some());
        self.sig.params.iter().zip(&self.names).skip(opened)
    }

    /// The primal arguments.
    fn kept(&self) -> Vec<TokenStream> {
        let receiver = self.sig.receiver.as_ref().map(|_| quote!(self));
        let params = self.given().map(|(p, name)| {
            if is_copied(&p.ty) { quote!(#name) } else { quote!(#name.again(stringify!(#name))) }
        });
        receiver.into_iter().chain(params).collect()
    }

    /// Data that is cloned for each call.
    fn cloned(&self) -> impl Iterator<Item = &Ident> {
        self.given().filter(|(p, _)| !is_copied(&p.ty)).map(|(_, name)| name)
    }

    /// `::<T, N>`, which need not follow from the arguments; with the number of lanes, where there are lanes.
    pub(super) fn generic_arguments(&self, lanes: Option<usize>) -> Option<TokenStream> {
        let own = self.sig.own_generics();
        let names: Vec<&Ident> = own
            .params
            .iter()
            .filter_map(|p| match p {
                syn::GenericParam::Type(t) => Some(&t.ident),
                syn::GenericParam::Const(c) => Some(&c.ident),
                syn::GenericParam::Lifetime(_) => None,
            })
            .collect();
        let lanes = lanes.map(|n| quote!(, #n));
        (!names.is_empty()).then(|| quote!(::<#(#names),* #lanes>))
    }

    pub(super) fn dim(&self) -> TokenStream {
        let lens = self.places.iter().map(|p| &p.len);
        quote!(0 #(+ #lens)*)
    }

    /// The functions that are called: inside or beside, and by which path, without generic arguments.
    fn placed(
        &self,
        of: &str,
        list: &[(&Ident, &Func)],
        extra: &TokenStream,
    ) -> (TokenStream, TokenStream, Vec<TokenStream>) {
        let f = super::plain(&self.sig.ident);
        let emit = |name: &Ident, func: &Func, hidden: bool| {
            let vis = syn::Visibility::Inherited;
            let docs = [" Part of an operator.".to_string()];
            let function = super::function(self.sig, func, name, &docs, &vis, &[], super::Inside::Ir(extra));
            let hidden = hidden.then(|| quote!(#[doc(hidden)]));
            quote!(#hidden #function)
        };
        let inside: TokenStream = list.iter().map(|(name, func)| emit(name, func, false)).collect();
        // Inner functions do not see the parameters of a block either.
        if self.sig.receiver.is_none() && self.sig.around.is_empty() && !mentions_self(&inside) {
            return (inside, quote!(), list.iter().map(|(name, _)| quote!(#name)).collect());
        }
        let names: Vec<Ident> = list.iter().map(|(name, _)| format_ident!("{name}_{of}_{f}")).collect();
        let beside = list.iter().zip(&names).map(|((_, func), name)| emit(name, func, true)).collect();
        (quote!(), beside, names.iter().map(|name| quote!(Self::#name)).collect())
    }

    fn function(&self, suffix: &str, docs: &str, ty: &TokenStream, body: &TokenStream) -> TokenStream {
        let sig = self.sig;
        let f = super::plain(&sig.ident);
        let name = Ident::new(&format!("{f}_{suffix}"), sig.ident.span());
        let wrt: Vec<String> = self.places.iter().map(|p| format!("`{}`", p.param.ident)).collect();
        let docs = docs.replace("{f}", &f).replace("{wrt}", &wrt.join(", "));
        let (vis, mut generics) = (&sig.vis, sig.own_generics());
        // Closures and the like, of which nothing but the bounds is known.
        let cloned = self.given().map(|(p, _)| &p.ty).filter(|ty| !is_copied(ty));
        let bounds: Vec<syn::WherePredicate> = cloned
            .filter(|ty| {
                generics.type_params().any(|t| matches!(ty, syn::Type::Path(p) if p.path.is_ident(&t.ident)))
            })
            .map(|ty| syn::parse_quote!(#ty: ::core::clone::Clone))
            .collect();
        if !bounds.is_empty() {
            generics.make_where_clause().predicates.extend(bounds);
        }
        let where_clause = generics.where_clause.take();
        let kept: TokenStream = self
            .cloned()
            .map(|name| quote!(let #name = ::ad_runtime::__private::Kept::new(#name);))
            .collect();
        let kept = (!kept.is_empty()).then(|| quote!(use ::ad_runtime::__private::NotCloned as _; #kept));
        let receiver = sig.receiver.as_ref().map(|r| quote!(#r,));
        let params = self.given().map(|(p, name)| {
            let ty = &p.ty;
            quote!(#name: #ty)
        });
        let conditions = sig.attrs.iter().filter(|a| {
            ["cfg", "cfg_attr", "allow", "expect", "warn", "deny", "deprecated"]
                .iter()
                .any(|known| a.path().is_ident(known))
        });
        let allow = super::allowed();
        quote! {
            #(#conditions)*
            #[doc = #docs]
            #[doc = ""]
            #[doc = " Generated by `#[differentiable]`."]
            #[must_use]
            #[inline]
            #allow
            #vis fn #name #generics (#receiver #(#params),*) -> #ty #where_clause { #kept #body }
        }
    }

    /// A call with parts of `__ad_v` for directions, where it takes some, and parts of `__ad_out` for derivatives; `value` is
    /// what comes back beside those.
    pub(super) fn call(
        &self,
        function: &TokenStream,
        saved: &[Ident],
        directions: Option<Width>,
        value: &TokenStream,
    ) -> TokenStream {
        let mut before = TokenStream::new();
        let mut args = self.kept();
        args.extend(saved.iter().map(|s| quote!(&#s)));
        let span = Span::call_site();
        let part = |what: &str, k: usize| Ident::new(&format!("__ad_{what}_{k}"), span);
        // What is all there is, is not taken apart.
        let is_whole = self.places.len() == 1;
        if let Some(width) = directions {
            let mut rest = quote!(__ad_v);
            for (k, place) in self.places.iter().enumerate() {
                let (dot, len) =
                    (if is_whole { format_ident!("__ad_v") } else { part("dot", k) }, &place.len);
                if !is_whole {
                    before.extend(quote!(let (#dot, __ad_v_rest) = #rest.split_at(#len);));
                }
                rest = quote!(__ad_v_rest);
                args.push(match place.kind {
                    Kind::Scalar => quote!(#dot[0]),
                    Kind::Slice => match place.param.class {
                        Class::RefVec { .. } if width == Width::One => quote!(&#dot.to_vec()),
                        _ => quote!(#dot),
                    },
                    Kind::RefArray => quote!(::ad_runtime::__private::array(#dot)),
                    Kind::Array => quote!(*::ad_runtime::__private::array(#dot)),
                });
            }
        }
        let (mut rest, mut returned, mut after) = (quote!(__ad_out), Vec::new(), TokenStream::new());
        for (k, place) in self.places.iter().enumerate() {
            let (out, len) = (if is_whole { format_ident!("__ad_out") } else { part("part", k) }, &place.len);
            if !is_whole {
                before.extend(quote!(let (#out, __ad_out_rest) = #rest.split_at_mut(#len);));
            }
            rest = quote!(__ad_out_rest);
            match place.kind {
                Kind::Slice => args.push(quote!(#out)),
                Kind::RefArray => args.push(quote!(::ad_runtime::__private::array_mut(#out))),
                Kind::Scalar | Kind::Array => {
                    let bar = part("bar", k);
                    after.extend(if place.kind == Kind::Scalar {
                        quote!(#out[0] = #bar;)
                    } else {
                        quote!(#out.copy_from_slice(&#bar);)
                    });
                    returned.push(quote!(#bar));
                }
            }
        }
        let mut groups = Vec::new();
        if !value.is_empty() {
            groups.push(value.clone());
        }
        if !returned.is_empty() {
            groups.push(super::signature::tuple(returned));
        }
        let call = quote!(#function(#(#args),*));
        let call = match groups.len() {
            0 => quote!(#call;),
            _ => {
                let pattern = super::signature::tuple(groups);
                quote!(let #pattern = #call;)
            }
        };
        quote!(#before #call #after)
    }
}

/// `&self`
fn is_shared(r: &syn::Receiver) -> bool {
    matches!(&r.kind, syn::ReceiverKind::Reference(_, _, None))
}

/// Whether a value of a type is copied by naming it.
pub(super) fn is_copied(ty: &syn::Type) -> bool {
    match ty {
        syn::Type::Reference(r) => r.mutability.is_none(),
        syn::Type::Path(p) => {
            crate::frontend::is_integer(ty)
                || ["f64", "f32", "bool", "char"].iter().any(|known| p.path.is_ident(known))
        }
        syn::Type::Array(a) => is_copied(&a.elem),
        syn::Type::Tuple(t) => t.elems.iter().all(is_copied),
        _ => false,
    }
}

/// Whether a type says `impl` or `dyn`: the macro sees a trait, and not what can be cloned.
fn is_of_a_trait(ty: &syn::Type) -> bool {
    fn says(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == "impl" || ident == "dyn",
            TokenTree::Group(group) => says(group.stream()),
            _ => false,
        })
    }
    says(quote!(#ty))
}

/// Whether code says `Self`, or the name of what may be a parameter of the `impl` block around it.
pub(super) fn mentions_self(tokens: &TokenStream) -> bool {
    // A step through tokens is dear: most code has nothing like it.
    let text = tokens.to_string();
    (text.contains("self") || text.contains("Self")) && says_self(tokens.clone())
}

fn says_self(tokens: TokenStream) -> bool {
    // An `impl` block inside the function has a `Self` of its own.
    let mut block = false;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "impl" => block = true,
            TokenTree::Group(group) if block && group.delimiter() == Delimiter::Brace => block = false,
            TokenTree::Ident(ident) if ident == "Self" => return true,
            // `self::twice` is a function of this module.
            TokenTree::Ident(ident)
                if ident == "self" && !crate::functions::is_path_separator(tokens.peek()) =>
            {
                return true;
            }
            TokenTree::Group(group) if says_self(group.stream()) => return true,
            _ => {}
        }
    }
    false
}
