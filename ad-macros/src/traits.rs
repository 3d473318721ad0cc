//! Traits under `#[differentiable]`: methods of a type that is a parameter (`fn cost<L: Loss>(loss: &L, ..)`).
//!
//! Which code such a method runs shows only at a call, so it is not written out: each method of the trait gets the companions that
//! callers of a differentiable function use ([`backend::emit_companion`](crate::backend::emit_companion)), beside it.
//!
//! - Those of a required method are required themselves, and each `impl` block of the trait under the attribute defines them. A block
//!   without the attribute lacks them, and rustc says so.
//! - Those of a method with a default have defaults, made of the method's. A block that gives the method another meaning gives its
//!   companions another too; that it has been asked whether it does is a required method of its own ([`asked`]), which blocks
//!   without the attribute lack.
//! - Companions are of functions with one float as result. A method that returns an array, a vector or a tuple has hidden ones
//!   beside it, one for each of its parts ([`parts`]), and these have the companions.

mod parts;

use std::sync::{LazyLock, Mutex, PoisonError};

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use rustc_hash::FxHashMap as HashMap;

pub(crate) use self::parts::{Part, Shape, number, parts_of};
use crate::blocks::Owner;
use crate::diagnostics::Diagnostics;
use crate::frontend::signature::{Floats, element_of_array, param_name};
use crate::functions::{joined, renamed};
use crate::options::Options;
use crate::pipeline::{Around, companions};
use crate::receivers::{Own, THIS};

/// The traits that have been seen, by their names: there may be several of one.
static TRAITS: LazyLock<Mutex<HashMap<String, Vec<Declared>>>> = LazyLock::new(Mutex::default);

/// A trait, as text.
#[derive(Clone)]
struct Declared {
    /// The names of its parameters, without lifetimes.
    params: Vec<String>,
    /// Methods with companions.
    methods: Vec<Method>,
    /// All that it declares, and what of it blocks must define.
    all: Vec<String>,
    required: Vec<String>,
}

#[derive(Clone)]
struct Method {
    name: String,
    /// The type that it returns.
    output: String,
    /// Some arguments for its parameters.
    instance: String,
    has_default: bool,
}

/// What a trait says of a method, in the terms of whoever names the trait by this path.
pub(crate) struct Seen {
    pub(crate) output: syn::Type,
}

/// The method of a trait, if it has companions.
pub(crate) fn find(path: &syn::Path, method: &str) -> Option<Seen> {
    let last = path.segments.last()?;
    let traits = TRAITS.lock().unwrap_or_else(PoisonError::into_inner);
    traits.get(&last.ident.to_string())?.iter().rev().find_map(|declared| {
        let method = declared.methods.iter().find(|m| m.name == method)?;
        let given: Vec<TokenStream> = match &last.arguments {
            syn::PathArguments::AngleBracketed(args) => args
                .args
                .iter()
                .filter(|a| {
                    !matches!(a, syn::GenericArgument::Lifetime(_) | syn::GenericArgument::AssocType(_))
                })
                .map(ToTokens::to_token_stream)
                .collect(),
            _ => Vec::new(),
        };
        let output: TokenStream = method.output.parse().ok()?;
        let replaced = if given.len() == declared.params.len() {
            let given = declared.params.iter().cloned().zip(given).collect();
            crate::frontend::replaced(output, &given)
        } else {
            output
        };
        Some(Seen { output: syn::parse2(replaced).ok()? })
    })
}

/// Whether a trait of this name has such a method.
pub(crate) fn has(name: &str, method: &str) -> bool {
    let traits = TRAITS.lock().unwrap_or_else(PoisonError::into_inner);
    traits.get(name).is_some_and(|all| all.iter().any(|t| t.methods.iter().any(|m| m.name == method)))
}

/// The method that a block defines which knows that this one has a default: it is asked whether it gives it another meaning.
fn asked(method: &str) -> Ident {
    format_ident!("__put_differentiable_on_the_block_of_{}", method.trim_start_matches("r#"))
}

fn marker(method: &str) -> TokenStream {
    let name = asked(method);
    quote!(#[doc(hidden)] fn #name() where Self: Sized)
}

/// A trait with the companions of its methods.
pub(crate) fn declare(mut item: syn::ItemTrait) -> TokenStream {
    let functions: Vec<syn::TraitItemFn> = item
        .items
        .iter()
        .filter_map(|member| match member {
            syn::TraitItem::Fn(f) => Some(f.clone()),
            _ => None,
        })
        .collect();
    let name_of = |f: &syn::TraitItemFn| f.sig.ident.to_string();
    let mut made: Vec<(syn::TraitItemFn, Made)> = Vec::new();
    let mut open = Vec::new();
    for f in functions.iter().filter(|f| output(f).is_some()) {
        match &f.default {
            None => made.extend(required(&item, f).map(|m| (f.clone(), m))),
            Some(_) => open.push(f.clone()),
        }
    }
    let keep = |methods: Vec<&syn::TraitItemFn>, replace: bool| {
        let declared = Declared {
            params: item
                .generics
                .params
                .iter()
                .filter(|p| !matches!(p, syn::GenericParam::Lifetime(_)))
                .map(param_name)
                .collect(),
            methods: methods.into_iter().filter_map(method).collect(),
            all: functions.iter().map(name_of).collect(),
            required: functions.iter().filter(|f| f.default.is_none()).map(name_of).collect(),
        };
        let mut traits = TRAITS.lock().unwrap_or_else(PoisonError::into_inner);
        let list = traits.entry(item.ident.to_string()).or_default();
        if replace {
            list.pop();
        }
        list.push(declared);
    };
    // Defaults may call each other: those stay that can be made if all that stay can be called.
    let mut replace = false;
    loop {
        keep(made.iter().map(|(f, _)| f).chain(&open).collect(), replace);
        replace = true;
        let all: Vec<Option<Made>> = open.iter().map(|f| by_default(&item, f)).collect();
        if all.iter().all(Option::is_some) {
            made.extend(open.into_iter().zip(all.into_iter().flatten()));
            break;
        }
        open = open.into_iter().zip(all).filter_map(|(f, m)| m.map(|_| f)).collect();
    }
    let mut beside = TokenStream::new();
    for (f, m) in made {
        if f.default.is_some() {
            let marker = marker(&name_of(&f));
            item.items.push(syn::TraitItem::Verbatim(quote!(#marker;)));
        }
        item.items.extend(m.functions.into_iter().map(syn::TraitItem::Fn));
        beside.extend(m.beside);
    }
    quote!(#item #beside)
}

/// What a trait gets beside a method.
struct Made {
    functions: Vec<syn::TraitItemFn>,
    beside: TokenStream,
}

fn output(f: &syn::TraitItemFn) -> Option<&syn::Type> {
    match &f.sig.output {
        syn::ReturnType::Type(_, ty) => Some(ty),
        syn::ReturnType::Default => None,
    }
}

fn method(f: &syn::TraitItemFn) -> Option<Method> {
    let output = output(f)?.to_token_stream().to_string();
    let instance = instance(&f.sig).to_string();
    Some(Method { name: f.sig.ident.to_string(), output, instance, has_default: f.default.is_some() })
}

/// The companions of a required method, without code.
fn required(item: &syn::ItemTrait, f: &syn::TraitItemFn) -> Option<Made> {
    let floats = Floats::of(&joined(&item.generics, &f.sig.generics));
    let mut functions = Vec::new();
    for part in parts_of(output(f)?, &floats)? {
        let sig = part.signature(&f.sig);
        // Any code of this signature has companions of the same signatures.
        let elem = &part.elem;
        let terms = sig.inputs.iter().filter_map(|input| {
            let syn::FnArg::Typed(p) = input else { return None };
            let pat = &p.pat;
            if p.ty.to_token_stream().to_string() == elem.to_token_stream().to_string() {
                return Some(quote!(#pat));
            }
            let syn::Type::Reference(r) = &*p.ty else { return None };
            let of = element_of_array(&r.elem)?;
            let same = r.mutability.is_none()
                && of.to_token_stream().to_string() == elem.to_token_stream().to_string();
            same.then(|| quote!(#pat[0]))
        });
        let zero = if floats.is_empty() { quote!(0.0) } else { quote!(<#elem>::zero()) };
        let zero = if matches!(elem, syn::Type::Path(p) if p.path.is_ident("f64") || p.path.is_ident("f32")) {
            quote!(0.0)
        } else {
            zero
        };
        let (made, _) = of_trait(item, &sig, &quote!({ #zero #(+ #terms)* }))?;
        for mut made in made {
            made.default = None;
            made.semi_token = Some(syn::token::Semi::default());
            for input in &mut made.sig.inputs {
                if let syn::FnArg::Typed(p) = input
                    && let syn::Pat::Ident(id) = &mut *p.pat
                {
                    id.mutability = None;
                }
            }
            functions.push(made);
        }
        functions.extend(part.called(&f.sig));
    }
    Some(Made { functions, beside: TokenStream::new() })
}

/// The companions of a method with a default, made of that.
fn by_default(item: &syn::ItemTrait, f: &syn::TraitItemFn) -> Option<Made> {
    let floats = Floats::of(&joined(&item.generics, &f.sig.generics));
    let (mut functions, mut beside) = (Vec::new(), TokenStream::new());
    let block = f.default.as_ref()?;
    for part in parts_of(output(f)?, &floats)? {
        let (made, guards) = of_trait(item, &part.signature(&f.sig), &part.body(&f.sig, block))?;
        functions.extend(made);
        functions.extend(part.called(&f.sig));
        beside.extend(quote!(const _: () = { #guards };));
    }
    Some(Made { functions, beside })
}

/// The companions of a method of a trait that has this code.
fn of_trait(
    item: &syn::ItemTrait,
    sig: &syn::Signature,
    code: &TokenStream,
) -> Option<(Vec<syn::TraitItemFn>, TokenStream)> {
    let receiver = sig.receiver()?.clone();
    let ty = match &receiver.kind {
        syn::ReceiverKind::Reference(_, _, None) => quote!(&Self),
        syn::ReceiverKind::Reference(..) => return None,
        _ => quote!(Self),
    };
    let this = Ident::new(THIS, Span::call_site());
    let mut sig = sig.clone();
    let rest: Vec<syn::FnArg> = sig.inputs.iter().skip(1).cloned().collect();
    sig.inputs = syn::parse_quote!(#this: #ty #(, #rest)*);
    sig.generics = joined(&item.generics, &sig.generics);
    let name = &item.ident;
    let (_, params, _) = item.generics.split_for_impl();
    sig.generics.make_where_clause().predicates.push(syn::parse_quote!(Self: Sized));
    let known = syn::parse_quote!(Self: #name #params);
    let function = renamed(quote!(#sig #code), THIS, &quote!(Self));
    let function: syn::ItemFn = syn::parse2(function).ok()?;
    let own = Own { receiver, name: "Self".into(), opening: quote!(let #this: #ty = self;) };
    let options = Options { data: Some(this), ..Options::default() };
    let mut quiet = Diagnostics::default();
    let around = Around { generics: &item.generics, own: Some(own), known };
    let made = companions(function, &options, around, &mut quiet);
    let (made, guards) = quiet.into_error().is_none().then_some(made).flatten()?;
    let file: syn::ItemTrait = syn::parse2(quote!(trait Companions { #made })).ok()?;
    let functions = file.items.into_iter().filter_map(|item| match item {
        syn::TraitItem::Fn(mut f) => {
            f.attrs.retain(|a| !a.path().is_ident("inline"));
            Some(f)
        }
        _ => None,
    });
    Some((functions.collect(), guards))
}

/// The trait that a block is of: one of this name that fits.
fn declared(name: &str, block: &syn::ItemImpl) -> Option<Declared> {
    let defined = crate::blocks::methods_of(block);
    let fits = |declared: &&Declared| {
        defined.iter().all(|name| declared.all.contains(name))
            && declared.required.iter().all(|name| defined.contains(name))
    };
    let traits = TRAITS.lock().unwrap_or_else(PoisonError::into_inner);
    let all = traits.get(name)?;
    all.iter().rev().find(fits).or(all.last()).cloned()
}

/// If methods of a block name this one, code that is well typed if they mean it: a method of the type's own of the same name would
/// be called instead. Where that cannot be told, code that is not.
fn meant(block: &syn::ItemImpl, path: &syn::Path, method: &Method) -> Option<TokenStream> {
    let is_named = |f: &syn::ImplItemFn| {
        let code = f.block.to_token_stream().to_string();
        code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == method.name)
    };
    if !block.items.iter().any(|item| matches!(item, syn::ImplItem::Fn(f) if is_named(f))) {
        return None;
    }
    let name: syn::Ident = syn::parse_str(&method.name).ok()?;
    let instance: TokenStream = method.instance.parse().ok()?;
    let (ty, (generics, _, clause)) = (&block.self_ty, block.generics.split_for_impl());
    Some(quote! {
        const _: () = {
            fn a_method_of_the_type_hides_that_of_the_trait<Method>(_: Method, _: Method) {}
            fn checked #generics () #clause {
                a_method_of_the_type_hides_that_of_the_trait(<#ty as #path>::#name #instance, <#ty>::#name #instance);
            }
        };
    })
}

/// Some arguments for the parameters of a method, as they follow its name.
fn instance(sig: &syn::Signature) -> TokenStream {
    let given: Vec<TokenStream> = sig
        .generics
        .params
        .iter()
        .filter_map(|param| match param {
            syn::GenericParam::Lifetime(_) => None,
            syn::GenericParam::Const(c) => Some(crate::functions::any_constant(&c.ty)),
            syn::GenericParam::Type(_) => Some(quote!(f64)),
        })
        .collect();
    if given.is_empty() { TokenStream::new() } else { quote!(::<#(#given),*>) }
}

/// An `impl` block of such a trait with the companions of its methods, and what goes beside it. `None` of other blocks.
pub(crate) fn define(
    block: &syn::ItemImpl,
    diagnostics: &mut Diagnostics,
) -> Option<(TokenStream, TokenStream)> {
    let (path, _) = block.trait_.as_ref()?;
    let declared = declared(&path.segments.last()?.ident.to_string(), block)?;
    let own = crate::functions::in_expressions(&block.self_ty);
    let owner = Owner::of(block, false);
    let (mut whole, mut beside, mut any) = (block.clone(), TokenStream::new(), false);
    for member in &block.items {
        let method = match member {
            syn::ImplItem::Fn(method) => method,
            syn::ImplItem::Macro(m) if !declared.methods.is_empty() => {
                diagnostics.error(
                    syn::spanned::Spanned::span(m),
                    "the macro does not see which methods this defines",
                    "write the methods of a trait under `#[differentiable]` in the block themselves",
                );
                continue;
            }
            _ => continue,
        };
        if !declared.methods.iter().any(|m| method.sig.ident == m.name) {
            continue;
        }
        any = true;
        let syn::ReturnType::Type(_, output) = &method.sig.output else { continue };
        let floats = Floats::of(&joined(&block.generics, &method.sig.generics));
        for part in parts_of(output, &floats)? {
            let (sig, code) = (part.signature(&method.sig), part.body(&method.sig, &method.block));
            let attrs = &method.attrs;
            let text = renamed(quote!(#(#attrs)* #sig #code), "self", &own);
            let Ok(mut function) = syn::parse2::<syn::ItemFn>(text) else { continue };
            function.vis = syn::Visibility::Inherited;
            crate::below::see(&function);
            function.sig.generics = joined(&block.generics, &function.sig.generics);
            let mut options = Options { own: Some(own.clone()), ..Options::default() };
            let mut opened =
                crate::receivers::open(&mut function, &mut options, owner.as_ref(), diagnostics).ok()?;
            if let (None, Some(owner)) = (&opened, &owner)
                && crate::structs::find(&owner.name).is_none()
            {
                opened = crate::receivers::as_data(&mut function, &mut options, owner);
            }
            let ty = &block.self_ty;
            let known = syn::parse_quote!(#ty: #path);
            let around = Around { generics: &block.generics, own: opened, known };
            let (made, guards) = companions(function, &options, around, diagnostics)?;
            let made: syn::ItemImpl = syn::parse2(quote!(impl Companions { #made })).ok()?;
            whole.items.extend(made.items);
            beside.extend(quote!(const _: () = { #guards };));
        }
    }
    beside.extend(declared.methods.iter().filter_map(|method| meant(block, path, method)));
    for method in declared.methods.iter().filter(|m| m.has_default) {
        any = true;
        let marker = marker(&method.name);
        whole.items.push(syn::ImplItem::Verbatim(quote!(#marker {})));
    }
    any.then(|| (whole.into_token_stream(), beside))
}
