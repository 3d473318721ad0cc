//! Items of blocks: names that mean something else outside of their block.
//!
//! Lowering moves all items to the top of the generated function. There a `const K` of a block would be the `K` of the whole
//! function, and of the functions that are written out in it. Where the name stands outside of the block as well, it is
//! exchanged in the block before the function is lowered.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use syn::visit::Visit;
use syn::visit_mut::VisitMut;

use super::signature::param_name;
use super::written::is_member;
use crate::diagnostics::Diagnostics;
use crate::file::{Own, defines};

/// Crates whose names the macro knows: what is imported from there means the same wherever it stands, but for constants
/// (`E`), which are called like other people's.
const KNOWN_CRATES: [&str; 7] = ["std", "core", "alloc", "ad_runtime", "ndarray", "nalgebra", "num_traits"];

/// Gives items of blocks other names where theirs stand outside of the block, or in a function that may be written out.
///
/// `written_out`: the function stands in another of which nothing is known here, so all that it imports gets names of its own.
pub(super) fn apart(
    function: &mut syn::ItemFn,
    name: &str,
    written_out: bool,
    diagnostics: &mut Diagnostics,
) {
    if !has_items(&function.block) {
        return;
    }
    let mut all = HashMap::default();
    count(&function.to_token_stream(), &mut all);
    let elsewhere = if written_out { HashSet::default() } else { reached(function) };
    let suffix = name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let mut renames =
        Renames { all, elsewhere, suffix, written_out, made: 0, depth: 0, diagnostics, failed: None };
    renames.visit_block_mut(&mut function.block);
    if let Some(e) = renames.failed {
        diagnostics.push(e);
    }
}

/// Macros that the macro knows.
const KNOWN_MACROS: [&str; 13] = [
    "vec",
    "s",
    "array",
    "vector",
    "matrix",
    "dvector",
    "concatenate",
    "stack",
    "matches",
    "panic",
    "unreachable",
    "todo",
    "unimplemented",
];

/// Refuses macros and modules of the user's own that are called like known ones. `at`: a name in their file.
pub(super) fn refuse_own(code: TokenStream, at: Span, diagnostics: &mut Diagnostics) {
    let list: Vec<TokenTree> = code.into_iter().collect();
    let punct = |k: usize, c: char| matches!(list.get(k), Some(TokenTree::Punct(p)) if p.as_char() == c);
    for (i, token) in list.iter().enumerate() {
        match token {
            TokenTree::Group(group) => refuse_own(group.stream(), at, diagnostics),
            TokenTree::Ident(ident) if !is_member(&list, i) => {
                let name = ident.to_string();
                let is_macro = punct(i + 1, '!') && matches!(list.get(i + 2), Some(TokenTree::Group(_)));
                if is_macro && KNOWN_MACROS.contains(&name.as_str()) && defines(&Own::Macro(name.clone()), at)
                {
                    diagnostics.error(
                        ident.span(),
                        format!(
                            "this file has a macro `{name}` of its own, which the macro does not look into"
                        ),
                        "give that macro another name",
                    );
                }
                if name == "mem" && punct(i + 1, ':') && punct(i + 2, ':') && defines(&Own::Module(name), at)
                {
                    diagnostics.error(
                        ident.span(),
                        "this file has a module `mem` of its own, which the macro does not look into",
                        "give it another name, or write `std::mem::` if that is meant",
                    );
                }
            }
            _ => {}
        }
    }
}

/// A parameter of a function's own that a function which is written out in it uses as the name of something else.
pub(super) fn captured(item: &syn::ItemFn, around: &syn::Generics) -> Option<String> {
    let mut used = HashMap::default();
    count(&item.to_token_stream(), &mut used);
    let own: HashSet<String> = item.sig.generics.params.iter().map(param_name).collect();
    let mut items = Declared::default();
    items.visit_block(&item.block);
    let params = around.params.iter().filter(|p| !matches!(p, syn::GenericParam::Lifetime(_)));
    params
        .map(param_name)
        .find(|name| used.contains_key(name) && !own.contains(name) && !items.0.contains(name))
}

fn has_items(block: &syn::Block) -> bool {
    struct Finds(bool);
    impl Visit<'_> for Finds {
        fn visit_item(&mut self, _: &syn::Item) {
            self.0 = true;
        }
    }
    let mut finds = Finds(false);
    finds.visit_block(block);
    finds.0
}

/// The names declared in a block, at any depth.
#[derive(Default)]
struct Declared(HashSet<String>);

impl Visit<'_> for Declared {
    fn visit_item(&mut self, item: &syn::Item) {
        self.0.extend(name_of(item).map(ToString::to_string));
        syn::visit::visit_item(self, item);
    }
}

fn name_of(item: &syn::Item) -> Option<&Ident> {
    match item {
        syn::Item::Const(c) => Some(&c.ident),
        syn::Item::Static(s) => Some(&s.ident),
        syn::Item::Fn(f) => Some(&f.sig.ident),
        syn::Item::Struct(s) => Some(&s.ident),
        syn::Item::Enum(e) => Some(&e.ident),
        syn::Item::Type(t) => Some(&t.ident),
        _ => None,
    }
}

/// How often each name stands in code, but for members.
fn count(tokens: &TokenStream, found: &mut HashMap<String, usize>) {
    let list: Vec<TokenTree> = tokens.clone().into_iter().collect();
    for (i, token) in list.iter().enumerate() {
        match token {
            TokenTree::Ident(ident) if !is_member(&list, i) => {
                *found.entry(ident.to_string()).or_default() += 1;
            }
            TokenTree::Group(group) => count(&group.stream(), found),
            _ => {}
        }
    }
}

/// All names in code.
fn words(tokens: TokenStream, found: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => found.push(ident.to_string()),
            TokenTree::Group(group) => words(group.stream(), found),
            _ => {}
        }
    }
}

/// The names in all functions that may be written out in this one: those that it names, the members of structs that it or they
/// name, and so on.
fn reached(function: &syn::ItemFn) -> HashSet<String> {
    let (mut open, mut seen, mut names) = (Vec::new(), HashSet::default(), HashSet::default());
    let mut read: HashSet<String> = HashSet::default();
    words(function.to_token_stream(), &mut open);
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        for text in crate::functions::texts_of(&name) {
            if read.insert(text.clone())
                && let Ok(tokens) = text.parse::<TokenStream>()
                && syn::parse2::<syn::ItemFn>(tokens.clone()).is_ok_and(|f| f.block != function.block)
            {
                let mut more = HashMap::default();
                count(&tokens, &mut more);
                names.extend(more.into_keys());
                words(tokens, &mut open);
            }
        }
        if let Some(item) = crate::structs::find(&name) {
            words(item.to_token_stream(), &mut open);
        }
    }
    names
}

struct Renames<'d> {
    /// How often each name stands in the function.
    all: HashMap<String, usize>,
    /// The names in other functions that are written out.
    elsewhere: HashSet<String>,
    suffix: String,
    written_out: bool,
    made: usize,
    /// How many blocks are around.
    depth: usize,
    diagnostics: &'d mut Diagnostics,
    failed: Option<syn::Error>,
}

impl VisitMut for Renames<'_> {
    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        self.depth += 1;
        syn::visit_mut::visit_block_mut(self, block);
        self.depth -= 1;
        let mut inside = HashMap::default();
        let mut names: HashMap<String, String> = HashMap::default();
        for stmt in &block.stmts {
            let syn::Stmt::Item(item) = stmt else { continue };
            let mut declared: Vec<Ident> = name_of(item).into_iter().cloned().collect();
            let is_use = matches!(item, syn::Item::Use(_));
            if let syn::Item::Use(u) = item {
                self.imported(&u.tree, true, &mut declared);
            }
            if inside.is_empty() && !declared.is_empty() {
                count(&block.to_token_stream(), &mut inside);
            }
            for name in declared {
                let text = name.to_string();
                let within = inside.get(&text).copied().unwrap_or(0);
                let outside = self.all.get(&text).copied().unwrap_or(0) > within;
                let captures = self.elsewhere.contains(&text) || self.written_out && is_use;
                if (outside || captures) && !names.contains_key(&text) {
                    self.made += 1;
                    names.insert(text.clone(), format!("{text}_{}_in_{}", self.made, self.suffix));
                    self.all.entry(text).and_modify(|n| *n -= within);
                }
            }
        }
        if names.is_empty() {
            return;
        }
        // Imports have names on both sides.
        let mut uses = Vec::new();
        for stmt in &mut block.stmts {
            if let syn::Stmt::Item(syn::Item::Use(u)) = stmt {
                imported_as(&mut u.tree, &names);
                uses.push(u.clone());
            }
        }
        let mut uses = uses.into_iter();
        match syn::parse2::<syn::Block>(with_names(block.to_token_stream(), &names)) {
            Ok(mut renamed) => {
                for stmt in &mut renamed.stmts {
                    if let syn::Stmt::Item(syn::Item::Use(u)) = stmt {
                        // What is imported from an item of this block (`use Shape::Round`) is found by its new name.
                        let first = match &u.tree {
                            syn::UseTree::Path(p) => Some(p.ident.clone()),
                            _ => None,
                        };
                        if let Some(old) = uses.next() {
                            *u = old;
                        }
                        if let (Some(first), syn::UseTree::Path(p)) = (first, &mut u.tree) {
                            p.ident = first;
                        }
                    }
                }
                *block = renamed;
            }
            Err(e) => self.failed = Some(e),
        }
    }
}

impl Renames<'_> {
    /// The names that an import in a block declares, as far as they may mean something else around it.
    fn imported(&mut self, tree: &syn::UseTree, first: bool, names: &mut Vec<Ident>) {
        match tree {
            syn::UseTree::Path(p) => {
                if first && KNOWN_CRATES.iter().any(|known| p.ident == known) {
                    let mut all = Vec::new();
                    self.imported(&p.tree, false, &mut all);
                    names.extend(all.into_iter().filter(|name| {
                        let name = name.to_string();
                        name.starts_with(char::is_uppercase) && !name.contains(char::is_lowercase)
                    }));
                } else {
                    self.imported(&p.tree, false, names);
                }
            }
            syn::UseTree::Name(n) => names.extend((n.ident != "self").then(|| n.ident.clone())),
            syn::UseTree::Rename(r) => names.extend((r.rename != "_").then(|| r.rename.clone())),
            syn::UseTree::Group(g) => g.items.iter().for_each(|tree| self.imported(tree, first, names)),
            syn::UseTree::Glob(g) => {
                if self.depth > 0 || self.written_out {
                    self.diagnostics.error(
                        g.star_token.spans[0],
                        "the macro does not see which names this imports into its block",
                        "import them one by one, or put the `use` at the top of the function or outside of it",
                    );
                }
            }
        }
    }
}

/// An import under other names.
fn imported_as(tree: &mut syn::UseTree, names: &HashMap<String, String>) {
    let other = |name: &Ident| {
        names.get(&name.to_string()).map(|new| Ident::new(new, Span::call_site().located_at(name.span())))
    };
    match tree {
        syn::UseTree::Path(p) => imported_as(&mut p.tree, names),
        syn::UseTree::Group(g) => g.items.iter_mut().for_each(|tree| imported_as(tree, names)),
        syn::UseTree::Rename(r) => {
            if let Some(new) = other(&r.rename) {
                r.rename = new;
            }
        }
        syn::UseTree::Name(n) => {
            if let Some(rename) = other(&n.ident) {
                let ident = n.ident.clone();
                *tree = syn::UseTree::Rename(syn::UseRename {
                    ident,
                    as_token: syn::Token![as](Span::call_site()),
                    rename,
                });
            }
        }
        syn::UseTree::Glob(_) => {}
    }
}

/// Code with other names for these, where they are no members.
fn with_names(tokens: TokenStream, names: &HashMap<String, String>) -> TokenStream {
    let list: Vec<TokenTree> = tokens.into_iter().collect();
    let mut out = TokenStream::new();
    for (i, token) in list.iter().enumerate() {
        match token {
            TokenTree::Ident(ident)
                if !is_member(&list, i)
                    && let Some(new) = names.get(&ident.to_string()) =>
            {
                // No name that the user gave: lints on names do not look at it.
                let new = Ident::new(new, Span::call_site().located_at(ident.span()));
                out.extend(quote!(#new));
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), with_names(group.stream(), names));
                inner.set_span(group.span());
                out.extend([TokenTree::Group(inner)]);
            }
            _ => out.extend([token.clone()]),
        }
    }
    out
}
