//! Type aliases: `type Matrix = Vec<Vec<f64>>;` in the signature of a function or in a struct.
//!
//! An attribute sees the item that it stands on and nothing else. Of aliases it knows those that carry it themselves
//! (`#[differentiable] type Matrix = ..`); others are looked up in the file where the item stands, among the items beside it
//! and around it. Names can mislead, so rustc is made to check that the alias is the type that it was taken for.

use std::sync::{LazyLock, Mutex, PoisonError};

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use syn::visit_mut::VisitMut;

/// Aliases under the attribute, as text.
static ALIASES: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);

/// Keeps an alias that carries the attribute.
pub(crate) fn keep(item: &syn::ItemType) {
    if item.generics.params.is_empty() {
        let (name, ty) = (item.ident.to_string(), item.ty.to_token_stream().to_string());
        ALIASES.lock().unwrap_or_else(PoisonError::into_inner).insert(name, ty);
    }
}

/// A function without aliases, and what rustc has to check.
pub(crate) fn in_function(function: &mut syn::ItemFn) -> TokenStream {
    let mut resolver = Resolver::new(&function.sig.ident.to_string(), function.sig.ident.span());
    resolver.shadow(&function.sig.generics);
    // The parameters of the `impl` block around a method are not seen here.
    resolver.in_impl = function.sig.receiver().is_some();
    resolver.visit_signature_mut(&mut function.sig);
    resolver.visit_block_mut(&mut function.block);
    resolver.checks()
}

/// As [`in_function`], of the functions of an `impl` block.
pub(crate) fn in_impl(block: &mut syn::ItemImpl) -> TokenStream {
    let name = block.self_ty.to_token_stream().to_string();
    let mut resolver = Resolver::new(&name, syn::spanned::Spanned::span(&block.self_ty));
    resolver.shadow(&block.generics);
    for item in &mut block.items {
        resolver.visit_impl_item_mut(item);
    }
    resolver.checks()
}

/// As [`in_function`], of a struct.
pub(crate) fn in_struct(item: &mut syn::ItemStruct) -> TokenStream {
    let mut resolver = Resolver::new(&item.ident.to_string(), item.ident.span());
    resolver.shadow(&item.generics);
    resolver.visit_fields_mut(&mut item.fields);
    resolver.checks()
}

/// Replaces aliases by what they stand for.
struct Resolver {
    /// The item that the attribute stands on.
    beside: String,
    span: Span,
    /// Aliases in its file, once they have been asked for.
    local: Option<HashMap<String, String>>,
    found: HashMap<String, syn::Type>,
    depth: usize,
    /// Type parameters, which hide aliases of their names.
    shadowed: HashSet<String>,
    in_impl: bool,
}

impl Resolver {
    fn new(beside: &str, span: Span) -> Resolver {
        Resolver {
            beside: beside.to_string(),
            span,
            local: None,
            found: HashMap::default(),
            depth: 0,
            shadowed: HashSet::default(),
            in_impl: false,
        }
    }

    fn shadow(&mut self, generics: &syn::Generics) {
        self.shadowed.extend(generics.type_params().map(|p| p.ident.to_string()));
    }

    fn hides(&self, name: &str) -> bool {
        self.shadowed.contains(name) || self.in_impl && name.len() == 1
    }

    fn find(&mut self, name: &str) -> Option<syn::Type> {
        if self.local.is_none() {
            self.local = Some(crate::file::aliases_beside(&self.beside, self.span).unwrap_or_default());
        }
        let local = self.local.as_ref().and_then(|local| local.get(name).cloned());
        let kept = || {
            let kept = ALIASES.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
            kept.filter(|_| crate::structs::find(name).is_none())
        };
        syn::parse_str(&local.or_else(kept)?).ok()
    }

    /// That each alias is what it was taken for.
    fn checks(self) -> TokenStream {
        let mut list: Vec<_> = self.found.into_iter().collect();
        list.sort_by(|a, b| a.0.cmp(&b.0));
        list.into_iter()
            .map(|(name, ty)| {
                let name = syn::Ident::new(&name, self.span);
                quote_spanned!(self.span=> const _: fn(#name) -> #ty = |alias| alias;)
            })
            .collect()
    }
}

impl VisitMut for Resolver {
    fn visit_type_mut(&mut self, ty: &mut syn::Type) {
        if let syn::Type::Path(p) = &*ty
            && p.qself.is_none()
            && let Some(name) = p.path.get_ident().map(ToString::to_string)
            && self.depth < 8
            && !is_known(&name)
            && !self.hides(&name)
            && let Some(mut found) = self.find(&name)
        {
            self.depth += 1;
            self.visit_type_mut(&mut found);
            self.depth -= 1;
            if self.depth == 0 {
                self.found.insert(name, found.clone());
            }
            *ty = found;
            return;
        }
        syn::visit_mut::visit_type_mut(self, ty);
    }

    /// `State::zeros()`: the type with its arguments, as expressions have them.
    fn visit_expr_path_mut(&mut self, e: &mut syn::ExprPath) {
        if e.qself.is_none()
            && e.path.segments.len() > 1
            && let Some(first) = e.path.segments.first().filter(|s| s.arguments.is_none())
            && !is_known(&first.ident.to_string())
        {
            let mut ty: syn::Type = syn::Type::Path(syn::TypePath {
                attrs: Vec::new(),
                qself: None,
                path: first.ident.clone().into(),
            });
            let before = ty.clone();
            self.visit_type_mut(&mut ty);
            if ty != before
                && let Ok(syn::Expr::Path(of)) = syn::parse2(crate::functions::in_expressions(&ty))
            {
                let rest = e.path.segments.iter().skip(1).cloned();
                e.path.segments = of.path.segments.into_iter().chain(rest).collect();
                e.path.leading_colon = of.path.leading_colon;
            }
        }
        syn::visit_mut::visit_expr_path_mut(self, e);
    }

    // What items inside a function name is theirs.
    fn visit_item_mut(&mut self, _: &mut syn::Item) {}
}

/// Names of the language: no aliases.
fn is_known(name: &str) -> bool {
    const NAMES: [&str; 18] = [
        "f64", "f32", "usize", "isize", "bool", "char", "str", "String", "Self", "u8", "u16", "u32", "u64",
        "i8", "i16", "i32", "i64", "T",
    ];
    NAMES.contains(&name)
}
