//! `impl` blocks under `#[differentiable]`: what they define is kept, to be written out where it is used, and methods that
//! return one float get derivatives of their own.
//!
//! A method of a block is differentiated as it would be under the attribute itself: with respect to its floats, or to `self`
//! where it takes none. Not every method of a block is meant to be differentiated, so one that cannot be is no error: whoever
//! asks for its derivative is told why there is none.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;

use crate::backend;
use crate::diagnostics::Diagnostics;
use crate::options::Options;
use crate::pipeline::{Product, Stands, of_function};

/// The type that the methods of a block belong to.
pub(crate) struct Owner<'b> {
    pub(crate) name: String,
    pub(crate) ty: &'b syn::Type,
    /// The parameters of the block.
    pub(crate) generics: &'b syn::Generics,
    /// Whether a struct of this name that the macro has seen is this one, as far as files tell.
    pub(crate) is_seen: bool,
    /// Whether the method carries the attribute itself: then somebody wants its derivatives.
    pub(crate) asked: bool,
    /// Whether the block is a trait's.
    pub(crate) of_a_trait: bool,
}

impl<'b> Owner<'b> {
    /// The type of a block, if it has a name.
    pub(crate) fn of(block: &'b syn::ItemImpl, asked: bool) -> Option<Owner<'b>> {
        let name = name_of(&block.self_ty)?;
        let is_seen = crate::structs::is_here(&name, block.self_ty.span());
        Some(Owner {
            name,
            ty: &block.self_ty,
            generics: &block.generics,
            is_seen,
            asked,
            of_a_trait: block.trait_.is_some(),
        })
    }
}

/// Expands the attribute on a block.
pub(crate) fn expand(
    attributes: TokenStream,
    mut block: syn::ItemImpl,
    diagnostics: &mut Diagnostics,
) -> TokenStream {
    let options = crate::options::parse(attributes, diagnostics);
    let spans = options.checks.iter().map(|c| c.span).chain(options.partials.iter().map(|p| p.span));
    for span in spans.chain(options.checkpoint.iter().map(|(_, span)| *span)) {
        diagnostics.error(
            span,
            "an `impl` block takes no options but `wrt(..)`, `only(..)` and `dump`",
            "write this on the method that it is for: `#[differentiable(checkpoint)]`",
        );
    }
    let has = |word: &syn::Ident| {
        block.items.iter().any(|item| match item {
            syn::ImplItem::Fn(f) => crate::frontend::signature::has_param(&f.sig, word),
            _ => false,
        })
    };
    for word in options.wrt.iter().flatten().filter(|word| !has(word)) {
        diagnostics.error(
            word.span(),
            format!("no method of this block has a parameter `{word}`"),
            "name parameters of the methods, or `self`",
        );
    }
    let checks = crate::aliases::in_impl(&mut block);
    let kept = crate::functions::keep_impl(&block, diagnostics);
    let methods = derivatives(&block, &options);
    quote!(#checks #kept #methods)
}

/// What is generated for a method that carries the attribute itself, in its block.
pub(crate) fn method(
    function: &syn::ItemFn,
    options: Options,
    block: &syn::ItemImpl,
    owner: &Owner<'_>,
    diagnostics: &mut Diagnostics,
) -> TokenStream {
    let own = crate::functions::in_expressions(&block.self_ty);
    let renamed = syn::parse2(crate::functions::renamed(quote!(#function), "self", &own));
    let made =
        of_function(renamed.unwrap_or_else(|_| function.clone()), options, Stands::In(owner), diagnostics);
    let kept = crate::functions::keep_in(block, function);
    quote!(#made #kept)
}

/// A trait's `impl` block holds what the trait declares and no more: what is generated for a method of one goes into its body, in a
/// block of its own.
pub(crate) fn inside(mut function: syn::ItemFn, block: &syn::ItemImpl, made: &TokenStream) -> TokenStream {
    let (ty, (generics, _, clause)) = (&block.self_ty, block.generics.split_for_impl());
    let item: Option<syn::Item> = syn::parse2(quote! {
        #[allow(non_local_definitions, dead_code)]
        impl #generics #ty #clause { #made }
    })
    .ok();
    function.block.stmts.splice(0..0, item.map(syn::Stmt::Item));
    quote!(#function)
}

/// The names of the methods that a block defines.
pub(crate) fn methods_of(block: &syn::ItemImpl) -> Vec<String> {
    let name = |item: &syn::ImplItem| match item {
        syn::ImplItem::Fn(f) => Some(f.sig.ident.to_string()),
        _ => None,
    };
    block.items.iter().filter_map(name).collect()
}

/// The block of the derivatives of a block's methods.
fn derivatives(block: &syn::ItemImpl, options: &Options) -> TokenStream {
    // A trait has the methods that it declares, and no more.
    let (None, Some(owner)) = (&block.trait_, Owner::of(block, false)) else { return TokenStream::new() };
    let defined = methods_of(block);
    let made: Vec<TokenStream> = block
        .items
        .iter()
        .filter_map(|item| match item {
            syn::ImplItem::Fn(f) => of_method(f, &owner, &defined, options.for_method(&f.sig)?),
            _ => None,
        })
        .collect();
    let (ty, (generics, _, clause)) = (&block.self_ty, block.generics.split_for_impl());
    if made.is_empty() {
        TokenStream::new()
    } else {
        quote!(#[allow(dead_code)] impl #generics #ty #clause { #(#made)* })
    }
}

/// The derivatives of a method, or stubs that tell why there are none. `None` of a method that nobody would ask.
fn of_method(
    method: &syn::ImplItemFn,
    owner: &Owner<'_>,
    defined: &[String],
    options: Options,
) -> Option<TokenStream> {
    let name = method.sig.ident.to_string();
    let is_plain = method.sig.constness.is_none() && method.sig.asyncness.is_none();
    let is_taken = Product::ALL.iter().any(|p| defined.contains(&format!("{name}_{}", p.suffix())));
    let has_its_own = method.attrs.iter().any(crate::below::is_ours);
    if !is_plain
        || is_taken
        || has_its_own
        || !crate::frontend::signature::returns_a_float(&method.sig, owner.generics)
    {
        return None;
    }
    let own = crate::functions::in_expressions(owner.ty);
    let function: syn::ItemFn = syn::parse2(crate::functions::renamed(quote!(#method), "self", &own)).ok()?;
    let mut quiet = Diagnostics::default();
    let made = of_function(function, options, Stands::In(owner), &mut quiet);
    let Some(errors) = quiet.into_error() else { return Some(made) };
    let why = errors.into_iter().next().map(|e| e.to_string()).unwrap_or_default();
    let note = format!(
        "`{name}` has no derivatives of its own: {}. With `#[differentiable]` on the method, the place is shown",
        why.replace('\n', ";")
    );
    let products = [Product::Grad, Product::Jvp, Product::Vjp, Product::Hvp];
    Some(backend::absent_because(&method.vis, &method.sig.ident, &products, &note, method.sig.receiver()))
}

fn name_of(ty: &syn::Type) -> Option<String> {
    match ty {
        syn::Type::Path(p) if p.qself.is_none() => Some(p.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}
