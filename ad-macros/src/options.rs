//! The attribute's options: `#[differentiable(wrt(w), only(grad, hvp), partials(slope), check(w = [1.0], n = 3), dump)]`.

use darling::ast::NestedMeta;
use darling::util::{Flag, PathList};
use darling::{Error, FromMeta};
use proc_macro2::{Span, TokenStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;

use crate::diagnostics::Diagnostics;
use crate::pipeline::Product;
use crate::transform::checkpoint::Every;

/// What the user asked for.
#[derive(Default)]
pub(crate) struct Options {
    /// The active parameters; all floats where it is not given.
    pub(crate) wrt: Option<Vec<syn::Ident>>,
    /// A parameter that is data where `wrt` is not given: the receiver of a method, made a parameter.
    pub(crate) data: Option<syn::Ident>,
    /// What `Self` is, as it stands in expressions, where a method keeps its receiver and its block is known.
    pub(crate) own: Option<TokenStream>,
    /// What to generate; everything where it is not given.
    pub(crate) only: Option<Only>,
    /// The derivatives, where the user gives them.
    pub(crate) partials: Option<Partials>,
    /// Points at which tests of the derivatives are to be made.
    pub(crate) checks: Vec<Check>,
    /// Loops that carry state are reversed segment by segment: of how many rounds, and the word.
    pub(crate) checkpoint: Option<(Every, Span)>,
    /// Write IR and generated code to files.
    pub(crate) dump: bool,
}

impl Options {
    /// For a method of a block that has these options: of `wrt` what the method has. `None` if that is nothing.
    pub(crate) fn for_method(&self, sig: &syn::Signature) -> Option<Options> {
        let has = |word: &&syn::Ident| crate::frontend::signature::has_param(sig, word);
        let wrt = self.wrt.as_ref().map(|list| list.iter().filter(has).cloned().collect::<Vec<_>>());
        let is_asked = wrt.as_ref().is_none_or(|list| !list.is_empty());
        let only = self.only.as_ref().map(|only| Only { products: only.products.clone(), calls: only.calls });
        is_asked.then(|| Options { wrt, only, dump: self.dump, ..Options::default() })
    }
}

/// The list of `only(..)`.
pub(crate) struct Only {
    pub(crate) products: Vec<(Product, Span)>,
    /// The companions that other differentiable functions call.
    pub(crate) calls: bool,
}

/// The list of `partials(..)`.
pub(crate) struct Partials {
    pub(crate) paths: Vec<syn::Path>,
    /// The word `partials`.
    pub(crate) span: Span,
}

/// The list of `check(..)`.
pub(crate) struct Check {
    /// A sample of each parameter, by its name.
    pub(crate) samples: Vec<(syn::Ident, syn::Expr)>,
    /// The word `check`.
    pub(crate) span: Span,
}

#[derive(FromMeta)]
struct Raw {
    wrt: Option<PathList>,
    only: Option<PathList>,
    partials: Option<syn::Meta>,
    #[darling(multiple)]
    check: Vec<syn::Meta>,
    checkpoint: Option<syn::Meta>,
    dump: Flag,
}

const WORDS: &str = "`grad`, `jvp`, `vjp`, `hvp`, `hvp_block`, `grad_hvp`, `hvp_rev`, `curvature`, `hessian`, `linearize`, `sparsity`, `calls`";

/// How often a loop may run again for its reversal.
const MOST_RUNS: u32 = 6;

/// `checkpoint`, `checkpoint = 1000` or `checkpoint(runs = 2)`
fn every(meta: &syn::Meta, diagnostics: &mut Diagnostics) -> Option<(Every, Span)> {
    let span = meta.path().span();
    let found = match meta {
        syn::Meta::Path(_) => Some(Every::Runs(1)),
        syn::Meta::NameValue(pair) => number(&pair.value).map(Every::Rounds),
        syn::Meta::List(list) => match list.parse_args::<syn::MetaNameValue>() {
            Ok(pair) if pair.path.is_ident("runs") => number(&pair.value)
                .and_then(|n| u32::try_from(n).ok())
                .filter(|n| *n <= MOST_RUNS)
                .map(Every::Runs),
            _ => None,
        },
    };
    if found.is_none() {
        diagnostics.error(
            span,
            format!("`checkpoint` takes a number of rounds above zero, or of runs from 1 to {MOST_RUNS}"),
            "write `checkpoint` alone to keep some square root of two times the rounds, `checkpoint(runs = 2)` to keep fewer \
             states for one run of the loop more, or `checkpoint = 1000` for segments of a thousand rounds",
        );
    }
    found.map(|every| (every, span))
}

/// A literal above zero.
fn number(e: &syn::Expr) -> Option<usize> {
    match e {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(n), .. }) => {
            n.base10_parse().ok().filter(|n| *n > 0)
        }
        _ => None,
    }
}

/// Reads the attribute.
pub(crate) fn parse(attributes: TokenStream, diagnostics: &mut Diagnostics) -> Options {
    let raw = match NestedMeta::parse_meta_list(attributes)
        .map_err(Error::from)
        .and_then(|list| Raw::from_list(&list))
    {
        Ok(raw) => raw,
        Err(e) => {
            diagnostics.push(e.into());
            return Options::default();
        }
    };
    let wrt = raw.wrt.map(|list| {
        let mut names: Vec<syn::Ident> = Vec::new();
        for path in list.iter() {
            match path.get_ident() {
                Some(name) if names.contains(name) => {
                    diagnostics.error(path.span(), format!("`{name}` is named twice"), "name it once");
                }
                Some(name) => names.push(name.clone()),
                None => diagnostics.error(
                    path.span(),
                    "`wrt` takes names of parameters",
                    "write the parameter's name alone, as in `wrt(w, b)`",
                ),
            }
        }
        names
    });
    let only = raw.only.map(|list| {
        let mut only = Only { products: Vec::new(), calls: false };
        for path in list.iter() {
            let word = path.get_ident().map(ToString::to_string).unwrap_or_default();
            match Product::from_word(&word) {
                Some(product) => only.products.push((product, path.span())),
                None if word == "calls" => only.calls = true,
                None => diagnostics.error(
                    path.span(),
                    format!("`{word}` is nothing that can be generated"),
                    format!("choose among {WORDS}"),
                ),
            }
        }
        only
    });
    let partials = raw.partials.map(|meta| {
        let paths = Punctuated::<syn::Path, syn::Token![,]>::parse_terminated;
        let paths = match meta.require_list().and_then(|list| list.parse_args_with(paths)) {
            Ok(paths) => paths.into_iter().collect(),
            Err(e) => {
                diagnostics.error(
                    e.span(),
                    "`partials` takes names of functions",
                    "write them in parentheses, as in `partials(slope)`",
                );
                Vec::new()
            }
        };
        Partials { paths, span: meta.path().span() }
    });
    let checks = raw.check.iter().filter_map(|meta| check(meta, diagnostics)).collect();
    let checkpoint = raw.checkpoint.and_then(|meta| every(&meta, diagnostics));
    Options { wrt, data: None, own: None, only, partials, checks, checkpoint, dump: raw.dump.is_present() }
}

/// Reads `check(x = 1.0, n = 3)`.
fn check(meta: &syn::Meta, diagnostics: &mut Diagnostics) -> Option<Check> {
    struct Sample(syn::Ident, syn::Expr);
    impl syn::parse::Parse for Sample {
        fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
            let name = input.parse()?;
            input.parse::<syn::Token![=]>()?;
            Ok(Sample(name, input.parse()?))
        }
    }
    let span = meta.path().span();
    let list = Punctuated::<Sample, syn::Token![,]>::parse_terminated;
    let samples = match meta {
        // What is missing is said where the parameters are known.
        syn::Meta::Path(_) => Ok(Punctuated::new()),
        _ => meta.require_list().and_then(|meta| meta.parse_args_with(list)),
    };
    match samples {
        Ok(samples) => {
            let samples = samples.into_iter().map(|Sample(name, value)| (name, value)).collect();
            Some(Check { samples, span })
        }
        Err(e) => {
            diagnostics.error(
                e.span(),
                "`check` takes a value for each parameter",
                "write `name = value`, as in `check(x = [1.0, 2.0], n = 3)`",
            );
            None
        }
    }
}
