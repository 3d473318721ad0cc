//! The file where an item stands: what the macro may see of it beyond the item itself.
//!
//! An attribute sees the item that it stands on and nothing else. The file tells what stands beside and around it: type aliases,
//! structs and functions that this crate is for, and the `impl` block that a method belongs to. Names can mislead, so whoever
//! asks has rustc check what it was told.

use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

use proc_macro2::{Ident, Span};
use quote::{ToTokens, quote};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use syn::visit::Visit;

/// The files that have been read.
static FILES: LazyLock<Mutex<HashMap<PathBuf, File>>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct File {
    scopes: Vec<Scope>,
    placed: Vec<Placed>,
    own: HashSet<Own>,
}

/// What a file defines or imports, in any scope of it, that may be called like something that the macro knows.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Own {
    Function(String),
    /// What another module declares, if it is imported by its name.
    Import(String),
    Module(String),
    Macro(String),
    /// A method that a trait has for something else than a type of the file: `impl Norm for [f64]`. Whether that is a slice,
    /// whose own methods hide it.
    Method(String, bool),
}

/// Whether the file of a span defines this.
pub(crate) fn defines(own: &Own, span: Span) -> bool {
    with_file(span, |file| file.own.contains(own)).unwrap_or(false)
}

/// Where a function with the attribute stands.
struct Placed {
    /// The function, without white space, attributes and comments.
    text: String,
    /// The `impl` block around it, without items.
    header: Option<String>,
}

/// The names of the items in a module or block, and what it sees.
#[derive(Clone, Default)]
struct Scope {
    items: HashSet<String>,
    aliases: HashMap<String, String>,
    /// The types of constants and statics.
    constants: HashMap<String, String>,
    /// The signatures of functions without the attribute, `Type::name` those of methods, with the parameters of their block.
    signatures: HashMap<String, String>,
    /// The traits that each trait asks for, by their last names.
    traits: HashMap<String, Vec<String>>,
    /// Structs that derive `Differentiable`, as text.
    structs: HashMap<String, String>,
    /// All other structs, as text.
    others: HashMap<String, String>,
    /// The types that say themselves how they are cloned.
    clones: HashSet<String>,
    /// Functions under `#[differentiable]`, as text.
    functions: HashMap<String, String>,
    /// Those of them that stand in the same module.
    in_module: HashMap<String, String>,
    /// `impl` blocks under `#[differentiable]`, and blocks of the one method under it, as text: by the names of their members, each
    /// with a number behind it.
    blocks: HashMap<String, String>,
}

impl Scope {
    /// Keeps what of a block the attribute stands on.
    fn keep_block(&mut self, block: &syn::ItemImpl, is_conditional: impl Fn(&[syn::Attribute]) -> bool) {
        let of_block = block.attrs.iter().any(crate::below::is_ours);
        for item in &block.items {
            let (name, attrs) = match item {
                syn::ImplItem::Fn(f) => (&f.sig.ident, &f.attrs),
                syn::ImplItem::Const(c) => (&c.ident, &c.attrs),
                _ => continue,
            };
            let mut kept = block.clone();
            if attrs.iter().any(crate::below::is_ours) && !is_conditional(attrs) {
                kept.attrs.clear();
                kept.items = vec![item.clone()];
            } else if !of_block {
                continue;
            }
            let key = format!("{name} {}", self.blocks.len());
            self.blocks.insert(key, kept.to_token_stream().to_string());
        }
    }
}

/// The aliases that an item of this name sees in the file of a span, if there is just one such item or all see the same.
pub(crate) fn aliases_beside(item: &str, span: Span) -> Option<HashMap<String, String>> {
    beside(item, span, |scope| &scope.aliases)
}

/// The type of a constant or static that a function sees.
pub(crate) fn type_of_constant(name: &str, function: &Ident) -> Option<syn::Type> {
    syn::parse_str(&seen(name, function, |scope| &scope.constants)?).ok()
}

/// The type of a field of a struct that does not derive `Differentiable`, as a function sees it.
pub(crate) fn type_of_field(name: &str, field: &syn::Member, function: &Ident) -> Option<syn::Type> {
    let item: syn::ItemStruct = syn::parse_str(&seen(name, function, |scope| &scope.others)?).ok()?;
    if !item.generics.params.is_empty() {
        return None;
    }
    let mut fields = item.fields.members().zip(&item.fields);
    fields.find(|(member, _)| member == field).map(|(_, f)| f.ty.clone())
}

/// The definition of a struct that does not derive `Differentiable`, as a function sees it.
pub(crate) fn text_of_struct(name: &str, function: &Ident) -> Option<String> {
    seen(name, function, |scope| &scope.others)
}

/// The signature of a function without the attribute that another sees.
pub(crate) fn signature_of(name: &str, function: &Ident) -> Option<syn::Signature> {
    syn::parse_str(&seen(name, function, |scope| &scope.signatures)?).ok()
}

/// Whether there is an `impl Clone` for a type of this name in the file of a span.
pub(crate) fn says_how_to_clone(ty: &str, span: Span) -> bool {
    with_file(span, |file| file.scopes.iter().any(|scope| scope.clones.contains(ty))).unwrap_or(false)
}

/// Whether a trait of the file of a span asks for a trait of floats. Two of one name have to agree.
pub(crate) fn is_float_trait(name: &Ident, is_known: impl Fn(&str) -> bool) -> bool {
    let all_ask = |file: &File| {
        let mut scopes = file.scopes.iter().filter(|s| s.traits.contains_key(&name.to_string())).peekable();
        scopes.peek().is_some()
            && scopes.all(|scope| {
                let mut seen = HashSet::default();
                let mut open = vec![name.to_string()];
                while let Some(name) = open.pop() {
                    if is_known(&name) {
                        return true;
                    }
                    if seen.insert(name.clone()) {
                        open.extend(scope.traits.get(&name).into_iter().flatten().cloned());
                    }
                }
                false
            })
    };
    with_file(name.span(), all_ask).unwrap_or(false)
}

/// The structs deriving `Differentiable` beside an item, above it or below.
pub(crate) fn structs_beside(item: &syn::ItemStruct) -> HashMap<String, String> {
    beside(&item.ident.to_string(), item.ident.span(), |scope| &scope.structs).unwrap_or_default()
}

/// Whether a function sees one that is imported by its name, and none of that name under `#[differentiable]` beside it.
pub(crate) fn is_imported(name: &str, function: &Ident) -> bool {
    let item = function.to_string();
    let found = with_file(function.span(), |file| {
        let mut scopes = file.scopes.iter().filter(|s| s.items.contains(&item));
        file.own.contains(&Own::Import(name.to_string())) && scopes.all(|s| !s.functions.contains_key(name))
    });
    found.unwrap_or(false)
}

/// The function under `#[differentiable]` of this name that another sees in its own module.
pub(crate) fn function_beside(name: &str, function: &Ident) -> Option<syn::ItemFn> {
    syn::parse_str(&seen(name, function, |scope| &scope.in_module)?).ok()
}

/// Whether two functions are the same, but for attributes and comments.
pub(crate) fn is_same(a: &syn::ItemFn, b: &syn::ItemFn) -> bool {
    plain_text(&a.sig, &a.block) == plain_text(&b.sig, &b.block)
}

/// The functions under `#[differentiable]` beside one, above it or below.
pub(crate) fn functions_beside(function: &syn::ItemFn) -> HashMap<String, String> {
    let (name, span) = (function.sig.ident.to_string(), function.sig.ident.span());
    beside(&name, span, |scope| &scope.functions).unwrap_or_default()
}

/// The `impl` blocks under `#[differentiable]` beside a function, above it or below, and what of other blocks stands under it: by the
/// names of members, in the order in which they stand in the file.
pub(crate) fn blocks_beside(function: &syn::ItemFn) -> Vec<(String, String)> {
    let (name, span) = (function.sig.ident.to_string(), function.sig.ident.span());
    let found = beside(&name, span, |scope| &scope.blocks).unwrap_or_default();
    let numbered = found.into_iter().filter_map(|(key, text)| {
        let (member, number) = key.split_once(' ')?;
        Some((number.parse::<usize>().ok()?, member.to_string(), text))
    });
    let mut all: Vec<_> = numbered.collect();
    all.sort();
    all.into_iter().map(|(_, member, text)| (member, text)).collect()
}

/// What is around a function with the attribute.
pub(crate) enum Around {
    /// A module or the body of a function: it is called by its name.
    NoBlock,
    /// An `impl` block with this header, without items.
    Block(Box<syn::ItemImpl>),
    Unknown,
}

/// What is around a function with the attribute. Told by the function's text: unknown if none has it, or functions of several
/// blocks, or one in a block and one outside.
pub(crate) fn around(function: &syn::ItemFn) -> Around {
    let text = plain_text(&function.sig, &function.block);
    let found = with_file(function.sig.ident.span(), |file| {
        let mut headers = file.placed.iter().filter(|m| m.text == text).map(|m| m.header.as_ref());
        let first = headers.next()?;
        headers.all(|other| other == first).then(|| match first {
            None => Around::NoBlock,
            Some(header) => syn::parse_str(header).map_or(Around::Unknown, |b| Around::Block(Box::new(b))),
        })
    });
    found.flatten().unwrap_or(Around::Unknown)
}

/// A function without white space, attributes and comments.
fn plain_text(sig: &syn::Signature, block: &syn::Block) -> String {
    quote!(#sig #block).to_string().split_whitespace().collect()
}

/// What a name means in all scopes with a function of this name.
fn seen(name: &str, function: &Ident, of: impl Fn(&Scope) -> &HashMap<String, String>) -> Option<String> {
    let item = function.to_string();
    with_file(function.span(), |file| {
        let mut found = file.scopes.iter().filter(|s| s.items.contains(&item)).map(|s| of(s).get(name));
        let first = found.next()??;
        found.all(|other| other == Some(first)).then(|| first.clone())
    })?
}

/// What all scopes with an item of this name have in common.
fn beside(
    item: &str,
    span: Span,
    of: impl Fn(&Scope) -> &HashMap<String, String>,
) -> Option<HashMap<String, String>> {
    with_file(span, |file| {
        let mut sees: Option<HashMap<String, String>> = None;
        for scope in file.scopes.iter().filter(|s| s.items.contains(item)) {
            match &mut sees {
                None => sees = Some(of(scope).clone()),
                // Of what two modules disagree on, neither is taken.
                Some(all) => all.retain(|name, text| of(scope).get(name) == Some(text)),
            }
        }
        sees
    })?
}

/// Asks the file of a span, which is read once.
fn with_file<R>(span: Span, ask: impl FnOnce(&File) -> R) -> Option<R> {
    let path = span.local_file()?;
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let file = files.entry(path.clone()).or_insert_with(|| {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let mut reader = Reader { open: vec![Scope::default()], read: File::default() };
        if let Ok(file) = syn::parse_file(&text) {
            reader.items(&file.items);
            reader.visit_file(&file);
        }
        reader.read.scopes.append(&mut reader.open);
        reader.read
    });
    Some(ask(file))
}

fn last_name(ty: &syn::Type) -> Option<String> {
    match ty {
        syn::Type::Path(p) => Some(p.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}

/// Reads a file.
struct Reader {
    open: Vec<Scope>,
    read: File,
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
                        let (name, text) = (f.sig.ident.to_string(), f.to_token_stream().to_string());
                        scope.in_module.insert(name.clone(), text.clone());
                        scope.functions.insert(name, text);
                    } else {
                        scope.signatures.insert(f.sig.ident.to_string(), f.sig.to_token_stream().to_string());
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
                    let (name, text) = (s.ident.to_string(), s.to_token_stream().to_string());
                    match (s.attrs.iter().any(derives), is_conditional(&s.attrs)) {
                        (_, true) => {}
                        (true, false) => _ = scope.structs.insert(name, text),
                        (false, false) => _ = scope.others.insert(name, text),
                    }
                }
                syn::Item::Enum(e) => {
                    scope.aliases.remove(&e.ident.to_string());
                }
                syn::Item::Impl(block) => {
                    scope.items.insert(block.self_ty.to_token_stream().to_string());
                    if !is_conditional(&block.attrs) {
                        scope.keep_block(block, is_conditional);
                    }
                    if let (Some((path, _)), Some(ty)) = (&block.trait_, last_name(&block.self_ty))
                        && path.segments.last().is_some_and(|s| s.ident == "Clone")
                    {
                        scope.clones.insert(ty);
                    }
                    for item in &block.items {
                        if let syn::ImplItem::Fn(f) = item {
                            scope.items.insert(f.sig.ident.to_string());
                            if let (None, Some(ty)) = (&block.trait_, last_name(&block.self_ty)) {
                                let mut sig = f.sig.clone();
                                sig.generics = crate::functions::joined(&block.generics, &sig.generics);
                                let (key, text) = (format!("{ty}::{}", sig.ident), sig.to_token_stream());
                                scope.signatures.insert(key, text.to_string());
                            }
                        }
                    }
                }
                syn::Item::Trait(t) => {
                    let asked = t.supertraits.iter().filter_map(|bound| match bound {
                        syn::TypeParamBound::Trait(t) => Some(t.path.segments.last()?.ident.to_string()),
                        _ => None,
                    });
                    scope.traits.insert(t.ident.to_string(), asked.collect());
                }
                syn::Item::Const(c) => {
                    scope.constants.insert(c.ident.to_string(), c.ty.to_token_stream().to_string());
                }
                syn::Item::Static(c) => {
                    scope.constants.insert(c.ident.to_string(), c.ty.to_token_stream().to_string());
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
        seen: Scope,
        f: impl FnOnce(&mut Self),
    ) {
        self.open.push(Scope { items: HashSet::default(), ..seen });
        self.items(items);
        f(self);
        self.read.scopes.extend(self.open.pop());
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_macro(&mut self, defined: &'ast syn::ItemMacro) {
        self.read.own.extend(defined.ident.iter().map(|name| Own::Macro(name.to_string())));
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        // What other names stand for is their own file's business, but for that they are no ones of the standard library.
        let mut open = vec![&import.tree];
        let known = ["std", "core", "alloc", "ad_runtime", "ndarray", "nalgebra"];
        if matches!(&import.tree, syn::UseTree::Path(p) if known.iter().any(|name| p.ident == name)) {
            return;
        }
        while let Some(tree) = open.pop() {
            match tree {
                syn::UseTree::Path(p) if known.iter().any(|name| p.ident == name) => {}
                syn::UseTree::Path(p) => open.push(&p.tree),
                syn::UseTree::Group(g) => open.extend(&g.items),
                syn::UseTree::Name(syn::UseName { ident: name, .. })
                | syn::UseTree::Rename(syn::UseRename { rename: name, .. }) => {
                    let name = name.to_string();
                    self.read.own.extend([Own::Function(name.clone()), Own::Module(name.clone())]);
                    self.read.own.extend([Own::Import(name.clone()), Own::Macro(name)]);
                }
                syn::UseTree::Glob(_) => {}
            }
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.read.own.insert(Own::Module(module.ident.to_string()));
        if let Some((_, items)) = &module.content {
            // `use super::*` and `use super::Matrix`.
            let inherits = items.iter().any(|item| {
                matches!(item, syn::Item::Use(u) if quote!(#u).to_string().contains("super ::")
                    || quote!(#u).to_string().contains("crate ::"))
            });
            let around = self.open.last().filter(|_| inherits).cloned().unwrap_or_default();
            let seen = Scope { in_module: HashMap::default(), ..around };
            self.within(items, seen, |this| items.iter().for_each(|item| this.visit_item(item)));
        }
    }

    fn visit_item_fn(&mut self, f: &'ast syn::ItemFn) {
        self.read.own.insert(Own::Function(f.sig.ident.to_string()));
        if f.attrs.iter().any(crate::below::is_ours) {
            self.read.placed.push(Placed { text: plain_text(&f.sig, &f.block), header: None });
        }
        syn::visit::visit_item_fn(self, f);
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        let header = || {
            let mut bare = block.clone();
            (bare.attrs, bare.items) = (Vec::new(), Vec::new());
            bare.to_token_stream().to_string()
        };
        let mut of = &*block.self_ty;
        while let syn::Type::Reference(r) = of {
            of = &r.elem;
        }
        let is_array = |name: &Ident| {
            let name = name.to_string();
            ["Vec", "Box", "Array", "Vector", "DVector", "SVector", "Matrix"]
                .iter()
                .any(|k| name.starts_with(k))
        };
        let is_alias =
            |name: &Ident| self.open.iter().any(|scope| scope.aliases.contains_key(&name.to_string()));
        let is_ours = match (of, last_name(of)) {
            (syn::Type::Path(p), Some(_)) => p.path.segments.last().is_some_and(|s| {
                let is_param = block.generics.type_params().any(|t| t.ident == s.ident);
                let is_declared = self.open.iter().any(|scope| scope.items.contains(&s.ident.to_string()));
                !is_param && !is_alias(&s.ident) && (is_declared || !is_array(&s.ident))
            }),
            _ => false,
        };
        let methods = block.items.iter().filter_map(|item| match item {
            syn::ImplItem::Fn(f) if block.trait_.is_some() && !is_ours => Some(f.sig.ident.to_string()),
            _ => None,
        });
        let is_slice = matches!(of, syn::Type::Slice(_));
        self.read.own.extend(methods.map(|name| Own::Method(name, is_slice)));
        for item in &block.items {
            if let syn::ImplItem::Fn(f) = item
                && f.attrs.iter().any(crate::below::is_ours)
            {
                self.read.placed.push(Placed { text: plain_text(&f.sig, &f.block), header: Some(header()) });
            }
        }
        syn::visit::visit_item_impl(self, block);
    }

    fn visit_item_trait(&mut self, declared: &'ast syn::ItemTrait) {
        // What has those with a body, the blocks do not tell by name.
        let given = declared.items.iter().filter_map(|item| match item {
            syn::TraitItem::Fn(f) if f.default.is_some() => Some(f.sig.ident.to_string()),
            _ => None,
        });
        self.read.own.extend(given.map(|name| Own::Method(name, true)));
        syn::visit::visit_item_trait(self, declared);
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
        let seen = self.open.last().cloned().unwrap_or_default();
        self.within(items, seen, |this| syn::visit::visit_block(this, block));
    }
}
