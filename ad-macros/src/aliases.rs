//! Type aliases: `type Matrix = Vec<Vec<f64>>;` in the signature of a function or in a struct. Also what else an item sees of
//! its file: the structs and functions beside it that this crate is for.
//!
//! An attribute sees the item that it stands on and nothing else. Of aliases it knows those that carry it themselves
//! (`#[differentiable] type Matrix = ..`); others are looked up in the file where the item stands, among the items beside it
//! and around it. Names can mislead, so rustc is made to check that the alias is the type that it was taken for.

use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use syn::visit::Visit;
use syn::visit_mut::VisitMut;

/// Aliases under the attribute, as text.
static ALIASES: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);

/// The scopes of each file that has been read: the names of the items in each, and the aliases that it sees.
static FILES: LazyLock<Mutex<HashMap<PathBuf, Vec<Scope>>>> = LazyLock::new(Mutex::default);

#[derive(Clone, Default)]
struct Scope {
    items: HashSet<String>,
    aliases: HashMap<String, String>,
    /// Structs that derive `Differentiable`, as text.
    structs: HashMap<String, String>,
    /// Functions under `#[differentiable]`, as text.
    functions: HashMap<String, String>,
}

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
            self.local = Some(aliases_beside(&self.beside, self.span).unwrap_or_default());
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

/// The aliases that an item of this name sees in the file of a span, if there is just one such item or all see the same.
fn aliases_beside(item: &str, span: Span) -> Option<HashMap<String, String>> {
    beside(item, span, |scope| &scope.aliases)
}

/// The structs deriving `Differentiable` beside an item, above it or below.
pub(crate) fn structs_beside(item: &syn::ItemStruct) -> HashMap<String, String> {
    beside(&item.ident.to_string(), item.ident.span(), |scope| &scope.structs).unwrap_or_default()
}

/// The functions under `#[differentiable]` beside one, above it or below.
pub(crate) fn functions_beside(function: &syn::ItemFn) -> HashMap<String, String> {
    let (name, span) = (function.sig.ident.to_string(), function.sig.ident.span());
    beside(&name, span, |scope| &scope.functions).unwrap_or_default()
}

/// What all scopes with an item of this name have in common.
fn beside(
    item: &str,
    span: Span,
    of: impl Fn(&Scope) -> &HashMap<String, String>,
) -> Option<HashMap<String, String>> {
    let path = span.local_file()?;
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let scopes = files.entry(path.clone()).or_insert_with(|| {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let mut reader = Reader { open: vec![Scope::default()], done: Vec::new() };
        if let Ok(file) = syn::parse_file(&text) {
            reader.items(&file.items);
            reader.visit_file(&file);
        }
        reader.done.append(&mut reader.open);
        reader.done
    });
    let mut sees: Option<HashMap<String, String>> = None;
    for scope in scopes.iter().filter(|s| s.items.contains(item)) {
        match &mut sees {
            None => sees = Some(of(scope).clone()),
            // Of what two modules disagree on, neither is taken.
            Some(all) => all.retain(|name, text| of(scope).get(name) == Some(text)),
        }
    }
    sees
}

/// Reads the scopes of a file.
struct Reader {
    open: Vec<Scope>,
    done: Vec<Scope>,
}

impl Reader {
    /// What stands in a scope, beside what it sees of those around it.
    fn items<'i>(&mut self, items: impl IntoIterator<Item = &'i syn::Item>) {
        let Some(scope) = self.open.last_mut() else { return };
        // Which of several of one name is compiled, conditions decide that nobody here knows.
        let is_conditional = |attrs: &[syn::Attribute]| {
            attrs.iter().any(|a| a.path().is_ident("cfg") || a.path().is_ident("cfg_attr"))
        };
        for item in items {
            match item {
                syn::Item::Fn(f) => {
                    scope.items.insert(f.sig.ident.to_string());
                    if f.attrs.iter().any(crate::below::is_ours) && !is_conditional(&f.attrs) {
                        scope.functions.insert(f.sig.ident.to_string(), f.to_token_stream().to_string());
                    }
                }
                syn::Item::Struct(s) => {
                    scope.items.insert(s.ident.to_string());
                    // Another meaning of the name.
                    scope.aliases.remove(&s.ident.to_string());
                    let derives = |a: &syn::Attribute| {
                        a.path().is_ident("derive")
                            && a.to_token_stream().to_string().contains("Differentiable")
                    };
                    if s.attrs.iter().any(derives) && !is_conditional(&s.attrs) {
                        scope.structs.insert(s.ident.to_string(), s.to_token_stream().to_string());
                    }
                }
                syn::Item::Enum(e) => {
                    scope.aliases.remove(&e.ident.to_string());
                }
                syn::Item::Impl(block) => {
                    scope.items.insert(block.self_ty.to_token_stream().to_string());
                    for item in &block.items {
                        if let syn::ImplItem::Fn(f) = item {
                            scope.items.insert(f.sig.ident.to_string());
                        }
                    }
                }
                syn::Item::Type(t) if t.generics.params.is_empty() => {
                    scope.aliases.insert(t.ident.to_string(), t.ty.to_token_stream().to_string());
                }
                _ => {}
            }
        }
    }

    fn within<'i>(
        &mut self,
        items: impl IntoIterator<Item = &'i syn::Item>,
        inherits: bool,
        f: impl FnOnce(&mut Self),
    ) {
        let seen = match self.open.last() {
            Some(around) if inherits => around.clone(),
            _ => Scope::default(),
        };
        self.open.push(Scope { items: HashSet::default(), ..seen });
        self.items(items);
        f(self);
        self.done.extend(self.open.pop());
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if let Some((_, items)) = &module.content {
            // `use super::*` and `use super::Matrix`.
            let inherits = items.iter().any(|item| {
                matches!(item, syn::Item::Use(u) if quote!(#u).to_string().contains("super ::")
                    || quote!(#u).to_string().contains("crate ::"))
            });
            self.within(items, inherits, |this| items.iter().for_each(|item| this.visit_item(item)));
        }
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        let items: Vec<&syn::Item> = block
            .stmts
            .iter()
            .filter_map(|s| match s {
                syn::Stmt::Item(item) => Some(item),
                _ => None,
            })
            .collect();
        if items.is_empty() {
            return syn::visit::visit_block(self, block);
        }
        self.within(items, true, |this| syn::visit::visit_block(this, block));
    }
}
