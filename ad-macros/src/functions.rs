//! `#[differentiable]` functions that the macro has seen: what a function that calls one of them must know of it.
//!
//! Functions with one float result have companions that callers use ([`backend`](crate::backend)). All others (those that
//! take or return arrays, tuples or structs, or write to outputs; some of them have no derivatives of their own) are written out where they are called, from their text.
//! Names do not tell modules apart: the caller asserts that the function it has read is the one that it calls.

use std::sync::{LazyLock, Mutex, PoisonError};

use proc_macro2::{Group, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use rustc_hash::FxHashMap as HashMap;

use syn::spanned::Spanned;

use crate::diagnostics::Diagnostics;
use crate::structs::fnv;

/// What is kept of a function.
#[derive(Clone)]
pub(crate) struct Known {
    text: String,
    hash: u64,
    /// Whether it has companions.
    pub(crate) can_be_called: bool,
    /// Which one it is of all that were kept.
    order: usize,
    /// The type that it is kept in, if it was annotated inside an `impl` block.
    within: Option<String>,
    /// Of a trait's method: code that is well typed if this is the method that its name means.
    meant: Option<String>,
}

static FUNCTIONS: LazyLock<Mutex<HashMap<String, Known>>> = LazyLock::new(Mutex::default);

/// What is known of a function.
pub(crate) fn find(name: &str) -> Option<Known> {
    FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
}

/// The texts of the functions of this name, of methods of this name, and of the members of a type of this name.
pub(crate) fn texts_of(name: &str) -> Vec<String> {
    let functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let is_of = |key: &str| key.trim_start_matches('&').split("::").any(|part| part == name);
    functions.iter().filter(|(key, _)| is_of(key)).map(|(_, known)| known.text.clone()).collect()
}

/// The methods of this name, by the name of their type: those kept last first.
pub(crate) fn methods(name: &str) -> Vec<(String, Known)> {
    let functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let of = |key: &str| {
        key.strip_suffix(name)
            .and_then(|rest| rest.strip_suffix("::"))
            .filter(|ty| !ty.is_empty() && !ty.contains([':', '&']))
            .map(ToString::to_string)
    };
    let mut found: Vec<(String, Known)> =
        functions.iter().filter_map(|(key, known)| Some((of(key)?, known.clone()))).collect();
    found.sort_by_key(|(_, known)| std::cmp::Reverse(known.order));
    found
}

/// Whether members of a type of this name were kept.
pub(crate) fn has_members(ty: &str) -> bool {
    let functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    functions.keys().any(|key| key.strip_prefix(ty).is_some_and(|rest| rest.starts_with("::")))
}

/// The types that have this operator with another type beside them, to its left or its right.
pub(crate) fn operands(operator: &str, beside: &str, left: bool) -> Vec<String> {
    let functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found: Vec<String> = functions
        .keys()
        .filter_map(|key| {
            let (own, rest) = key.split_once("::")?;
            let (name, other) = rest.split_once("::")?;
            let (here, there) = if left { (own, other) } else { (other, own) };
            let fits = name == operator && there.trim_start_matches('&') == beside;
            fits.then(|| here.trim_start_matches('&').to_string())
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The conversions into a type: what each is from, and the name it is kept by.
pub(crate) fn conversions(ty: &str) -> Vec<(String, String)> {
    let functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let prefix = format!("{ty}::from::");
    functions.keys().filter_map(|key| Some((key.strip_prefix(&prefix)?.to_string(), key.clone()))).collect()
}

/// The types that a type is indexed by (`operator`: `index`, `index_mut`): each, and the name its code is kept by.
pub(crate) fn indices(ty: &str, operator: &str) -> Vec<(String, String)> {
    let functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let prefix = format!("{ty}::{operator}::");
    functions.keys().filter_map(|key| Some((key.strip_prefix(&prefix)?.to_string(), key.clone()))).collect()
}

impl Known {
    /// How many characters it has.
    pub(crate) fn length(&self) -> usize {
        self.text.len()
    }

    /// Its code, as if it stood at the call: errors in it are shown there.
    pub(crate) fn item(&self, at: Span) -> Option<syn::ItemFn> {
        syn::parse2(located(self.text.parse().ok()?, at)).ok()
    }

    /// That the function of this name is the one that was read.
    pub(crate) fn assertion(&self, name: &str, at: Span) -> TokenStream {
        let (source, hash) = (source_name(name), self.hash);
        let within = self.within.as_ref().and_then(|ty| ty.parse::<TokenStream>().ok());
        let within = within.map(|ty| located(ty, at));
        let source = within.map_or_else(|| quote!(#source), |ty| quote!(#ty::#source));
        let message = format!(
            "`{name}` is written out where it is called, so it must stand in the same module as its caller (and no other \
             function with `#[differentiable]` may have its name)"
        );
        let meant = self.meant.as_ref().and_then(|text| text.parse().ok()).map(|tokens| located(tokens, at));
        quote_spanned! {at=>
            const _: () = assert!(
                #source.0 == #hash && ::ad_runtime::__private::same_text(#source.1, ::core::module_path!()),
                #message
            );
            #meant
        }
    }
}

/// The same tokens at another place.
fn located(tokens: TokenStream, at: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            if let TokenTree::Group(group) = &token {
                token = TokenTree::Group(Group::new(group.delimiter(), located(group.stream(), at)));
            }
            // Names resolve as they did; only the place is another.
            token.set_span(Span::call_site().located_at(at));
            token
        })
        .collect()
}

fn source_name(name: &str) -> Ident {
    // `Vec3::zero` is another member than `Vec3::ZERO`.
    let name = name.replace("::", "_").replace('&', "REF_");
    let name: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    format_ident!("__DIFFERENTIABLE_{name}_SOURCE", span = Span::call_site())
}

/// Keeps a function. Gives the item that its callers' assertions refer to.
pub(crate) fn keep(function: &syn::ItemFn, can_be_called: bool) -> TokenStream {
    let name = function.sig.ident.to_string();
    keep_as(&name, function, &function.vis, can_be_called, None, None)
}

/// Keeps a method that was annotated by itself: with its receiver as `this`, which is renamed.
pub(crate) fn keep_method(ty: &str, function: &syn::ItemFn) -> TokenStream {
    let mut function = function.clone();
    if let Some(syn::FnArg::Typed(first)) = function.sig.inputs.first() {
        let this = first.pat.to_token_stream().to_string();
        let this = this.trim_start_matches("mut ").to_string();
        let names = std::iter::once((this, quote!(__ad_self))).collect();
        let text = crate::frontend::replaced(function.to_token_stream(), &names);
        match syn::parse2(text) {
            Ok(renamed) => function = renamed,
            Err(_) => return TokenStream::new(),
        }
    }
    let name = format!("{ty}::{}", function.sig.ident);
    keep_as(&name, &function, &syn::parse_quote!(pub(crate)), false, Some(ty), None)
}

/// Keeps a method that was annotated by itself, in this block. The item that assertions refer to is one of the type.
pub(crate) fn keep_in(block: &syn::ItemImpl, function: &syn::ItemFn) -> TokenStream {
    of_method(block, function).iter().map(Member::keep).collect()
}

/// What is kept of a method that was annotated by itself, in this block.
fn of_method(block: &syn::ItemImpl, function: &syn::ItemFn) -> Vec<Member> {
    let Some(ty) = any_instance(block) else { return Vec::new() };
    let mut alone = block.clone();
    let (vis, sig, code) = (&function.vis, &function.sig, &function.block);
    alone.items = syn::parse2(quote!(#vis #sig #code)).into_iter().collect();
    let mut quiet = Diagnostics::default();
    let kept = members(&alone, &mut quiet);
    drop(quiet.into_error());
    let meant = meant(&alone, &sig.ident).map(|t| t.to_string());
    let within = Some(ty.to_string());
    kept.into_iter()
        .map(|(name, function)| Member { name, function, within: within.clone(), meant: meant.clone() })
        .collect()
}

/// A member of a block, as it is kept.
struct Member {
    name: String,
    function: syn::ItemFn,
    within: Option<String>,
    meant: Option<String>,
}

impl Member {
    fn keep(&self) -> TokenStream {
        let vis: syn::Visibility = syn::parse_quote!(pub(crate));
        keep_as(&self.name, &self.function, &vis, false, self.within.as_deref(), self.meant.clone())
    }

    /// Whether it has been kept just like this.
    fn is_kept(&self) -> bool {
        find(&self.name).is_some_and(|known| {
            known.text == text_of(&self.function) && known.within == self.within && known.meant == self.meant
        })
    }
}

/// Keeps what a block further down defines, as its own expansion will: all of it under the attribute, or a method alone that
/// carries the attribute itself. Gives the members that were not kept like this before.
pub(crate) fn keep_ahead(mut block: syn::ItemImpl) -> Vec<syn::ItemFn> {
    let mut quiet = Diagnostics::default();
    let all = if block.attrs.iter().any(crate::below::is_ours) {
        block.attrs.clear();
        let _ = crate::aliases::in_impl(&mut block);
        of_block(&block, &mut quiet)
    } else {
        let method = block.items.iter().find_map(|item| match item {
            syn::ImplItem::Fn(f) if !crate::below::gives_partials(&f.attrs) => {
                let (vis, sig, code) = (&f.vis, &f.sig, &f.block);
                syn::parse2::<syn::ItemFn>(quote!(#vis #sig #code)).ok()
            }
            _ => None,
        });
        match method.map(|method| (crate::file::around(&method), method)) {
            Some((crate::file::Around::Block(around), method)) => of_method(&around, &method),
            _ => Vec::new(),
        }
    };
    drop(quiet.into_error());
    let new: Vec<Member> = all.into_iter().filter(|member| !member.is_kept()).collect();
    new.iter().for_each(|member| drop(member.keep()));
    new.into_iter().map(|member| member.function).collect()
}

/// The type of a block as a path, with something in the place of each of its parameters. `None` where that takes a type that is
/// not known.
fn any_instance(block: &syn::ItemImpl) -> Option<TokenStream> {
    let floats = crate::frontend::signature::Floats::of(&block.generics);
    let mut map = HashMap::default();
    for param in &block.generics.params {
        let (name, instance) = match param {
            syn::GenericParam::Const(c) => (c.ident.to_string(), any_constant(&c.ty)),
            syn::GenericParam::Type(t) => {
                floats.named(&t.ident.clone().into())?;
                (t.ident.to_string(), quote!(f64))
            }
            syn::GenericParam::Lifetime(l) => (l.lifetime.ident.to_string(), quote!(static)),
        };
        map.insert(name, instance);
    }
    let syn::Type::Path(_) = &*block.self_ty else { return None };
    Some(crate::frontend::replaced(in_expressions(&block.self_ty), &map))
}

/// A constant of this type.
pub(crate) fn any_constant(ty: &syn::Type) -> TokenStream {
    match ty {
        syn::Type::Path(p) if p.path.is_ident("bool") => quote!(false),
        syn::Type::Path(p) if p.path.is_ident("char") => quote!(' '),
        _ => quote!(0),
    }
}

/// Keeps the functions and constants of an `impl` block, which are written out where they are used.
pub(crate) fn keep_impl(block: &syn::ItemImpl, diagnostics: &mut Diagnostics) -> TokenStream {
    let kept = of_block(block, diagnostics);
    let items = kept.iter().map(Member::keep).collect();
    kept.iter().for_each(|member| crate::below::see(&member.function));
    items
}

/// What is kept of a block.
fn of_block(block: &syn::ItemImpl, diagnostics: &mut Diagnostics) -> Vec<Member> {
    let found = members(block, diagnostics).into_iter();
    found
        .map(|(name, function)| {
            let meant = meant(block, &function.sig.ident).map(|t| t.to_string());
            Member { name, function, within: None, meant }
        })
        .collect()
}

/// Of a method of a trait's block: code that is well typed if its name means this method. A method of the type's own of the same
/// name would be called instead, and the macro need not have seen it. `None` where the name alone does not call it (operators), or
/// does not tell all parameters.
fn meant(block: &syn::ItemImpl, name: &Ident) -> Option<TokenStream> {
    let (path, _) = block.trait_.as_ref()?;
    let trait_name = &path.segments.last()?.ident;
    let method = block.items.iter().find_map(|item| match item {
        syn::ImplItem::Fn(f) if f.sig.ident == *name => Some(f),
        _ => None,
    })?;
    let inputs = method.sig.inputs.to_token_stream().to_string();
    let of_one_type = method.sig.generics.params.iter().all(|p| matches!(p, syn::GenericParam::Lifetime(_)))
        && !inputs.split(|c: char| !c.is_alphanumeric()).any(|word| word == "impl");
    if has_other(trait_name) || ["Neg", "Not"].iter().any(|op| trait_name == op) || !of_one_type {
        return None;
    }
    let (ty, (generics, _, clause)) = (&block.self_ty, block.generics.split_for_impl());
    Some(quote! {
        const _: () = {
            fn a_method_of_the_type_hides_that_of_the_trait<Method>(_: Method, _: Method) {}
            fn checked #generics () #clause {
                a_method_of_the_type_hides_that_of_the_trait(<#ty as #path>::#name, <#ty>::#name);
            }
        };
    })
}

/// What an `impl` block defines: `Vec3::dot`, and `Vec3::mul::f64` of `impl Mul<f64> for Vec3`. As functions without
/// `self` and `Self`.
pub(crate) fn members(block: &syn::ItemImpl, diagnostics: &mut Diagnostics) -> Vec<(String, syn::ItemFn)> {
    let Some(ty) = type_name(&block.self_ty) else {
        diagnostics.error(
            block.self_ty.span(),
            "the macro cannot name this type",
            "put the attribute on `impl` blocks of structs",
        );
        return Vec::new();
    };
    let own = match &*block.self_ty {
        syn::Type::Reference(r) => in_expressions(&r.elem),
        other => in_expressions(other),
    };
    // `Mul<f64>`: what stands on the other side. Without it, the type itself.
    let operator =
        block.trait_.as_ref().and_then(|(path, _)| path.segments.last()).filter(|s| has_other(&s.ident));
    let other = operator.map(|segment| match &segment.arguments {
        syn::PathArguments::AngleBracketed(args) => args.args.iter().find_map(|a| match a {
            syn::GenericArgument::Type(t) if segment.ident == "From" || is_index(&segment.ident) => {
                Some(type_name(t).unwrap_or_else(|| t.to_token_stream().to_string().replace(' ', "")))
            }
            syn::GenericArgument::Type(t) => type_name(t),
            _ => None,
        }),
        _ => None,
    });
    let base = ty.trim_start_matches('&');
    let other = other.map(|name| name.map_or_else(|| ty.clone(), |n| n.replace("Self", base)));
    let mut found = Vec::new();
    for item in &block.items {
        let function: Option<syn::ItemFn> = match item {
            syn::ImplItem::Fn(f) => {
                let mut f = f.clone();
                f.attrs.clear();
                f.sig.generics = joined(&block.generics, &f.sig.generics);
                for input in &mut f.sig.inputs {
                    if let syn::FnArg::Receiver(r) = input {
                        let mutable = r.mutability;
                        let reference = match &r.kind {
                            syn::ReceiverKind::Reference(_, _, Some(_)) => quote!(&mut),
                            syn::ReceiverKind::Reference(..) => quote!(&),
                            _ => quote!(),
                        };
                        *input = syn::parse_quote!(#mutable self: #reference Self);
                    }
                }
                let text = named(f.to_token_stream(), &own);
                syn::parse2(text).ok()
            }
            syn::ImplItem::Const(c) => {
                let (name, ty, value) = (&c.ident, &c.ty, &c.expr);
                let (generics, _, clause) = block.generics.split_for_impl();
                syn::parse2(named(quote!(fn #name #generics () -> #ty #clause { #value }), &own)).ok()
            }
            _ => None,
        };
        if let Some(function) = function {
            let name = &function.sig.ident;
            let key = match &other {
                Some(other) => format!("{ty}::{name}::{other}"),
                None => format!("{ty}::{name}"),
            };
            found.push((key, function));
        }
    }
    found
}

/// A type as it may also stand in expressions: `Pair::<N>`.
pub(crate) fn in_expressions(ty: &syn::Type) -> TokenStream {
    let mut ty = ty.clone();
    if let syn::Type::Path(p) = &mut ty {
        for segment in &mut p.path.segments {
            if let syn::PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
                arguments.colon2_token.get_or_insert_default();
            }
        }
    }
    ty.to_token_stream()
}

/// The generics of a method: those of its `impl` block, and its own.
pub(crate) fn joined(block: &syn::Generics, own: &syn::Generics) -> syn::Generics {
    if block.params.is_empty() {
        return own.clone();
    }
    let mut all = own.clone();
    let (lifetimes, others): (Vec<_>, Vec<_>) = block
        .params
        .iter()
        .chain(&own.params)
        .cloned()
        .partition(|p| matches!(p, syn::GenericParam::Lifetime(_)));
    all.params = lifetimes.into_iter().chain(others).collect();
    let clauses = [block, own].into_iter().filter_map(|g| g.where_clause.as_ref());
    let predicates: Vec<_> = clauses.flat_map(|c| c.predicates.iter().cloned()).collect();
    if !predicates.is_empty() {
        all.make_where_clause().predicates = predicates.into_iter().collect();
    }
    all
}

fn is_index(name: &Ident) -> bool {
    name == "Index" || name == "IndexMut"
}

/// Operators of two sides, indices and conversions: there is one for each type on the other side.
fn has_other(name: &Ident) -> bool {
    if name == "From" || is_index(name) {
        return true;
    }
    ["Add", "Sub", "Mul", "Div", "Rem"].iter().any(|op| name == op || name == &format!("{op}Assign"))
}

/// The last name of a type, behind references: `&Vec3`.
fn type_name(ty: &syn::Type) -> Option<String> {
    match ty {
        syn::Type::Reference(r) => Some(format!("&{}", type_name(&r.elem)?)),
        syn::Type::Path(p) => Some(p.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}

/// `self` is a parameter like any other, and `Self` the type that it stands for.
fn named(tokens: TokenStream, own: &TokenStream) -> TokenStream {
    renamed(tokens, "__ad_self", own)
}

/// Whether a token begins `::`.
pub(crate) fn is_path_separator(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == ':' && p.spacing() == Spacing::Joint)
}

/// As [`named`], with another name for `self`.
pub(crate) fn renamed(tokens: TokenStream, this: &str, own: &TokenStream) -> TokenStream {
    let mut out = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        // `self::scale` is an item of this module.
        let is_path = is_path_separator(tokens.peek());
        match &token {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), renamed(group.stream(), this, own));
                inner.set_span(group.span());
                out.extend([TokenTree::Group(inner)]);
            }
            TokenTree::Ident(ident) if ident == "self" && !is_path => {
                out.extend([TokenTree::Ident(Ident::new(this, ident.span()))]);
            }
            TokenTree::Ident(ident) if ident == "Self" => out.extend(own.clone()),
            _ => out.extend([token]),
        }
    }
    out
}

/// A function as it is kept.
fn text_of(function: &syn::ItemFn) -> String {
    let mut bare = function.clone();
    bare.attrs.clear();
    bare.to_token_stream().to_string()
}

fn keep_as(
    name: &str,
    function: &syn::ItemFn,
    vis: &syn::Visibility,
    can_be_called: bool,
    within: Option<&str>,
    meant: Option<String>,
) -> TokenStream {
    let text = text_of(function);
    let hash = fnv(0xcbf2_9ce4_8422_2325, &text);
    let mut functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let order = 1 + functions.values().map(|known| known.order).max().unwrap_or(0);
    functions.insert(
        name.to_string(),
        Known { text, hash, can_be_called, order, within: within.map(ToString::to_string), meant },
    );
    drop(functions);
    let source = source_name(name);
    quote! {
        #[doc(hidden)]
        #[allow(dead_code, non_upper_case_globals)]
        #vis const #source: (u64, &'static str) = (#hash, ::core::module_path!());
    }
}
