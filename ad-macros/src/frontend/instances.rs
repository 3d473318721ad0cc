//! Generic functions that are written out where they are called: the lengths and floats that the arguments tell take the
//! place of the type parameters.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use rustc_hash::FxHashMap as HashMap;

use super::arrays::types::foreign;
use super::generic::Floats;
use super::lower::Lower;
use super::signature::{float_kind, is_function, shape};
use super::value::Val;
use crate::ir::{Dim, FloatKind, Type};

/// What the parameters of a function stand for.
struct Bindings {
    floats: Floats,
    /// Those that have to be known.
    wanted: Vec<String>,
    found: HashMap<String, TokenStream>,
}

impl Lower<'_> {
    /// A function with its type parameters replaced, and what tells this instance from others. `None` if something of them
    /// is not known.
    pub(super) fn instance(
        &mut self,
        item: &syn::ItemFn,
        args: &[Val],
        path: Option<&syn::Path>,
    ) -> Option<(syn::ItemFn, String)> {
        let generics = &item.sig.generics;
        let mut wanted = Vec::new();
        for param in &generics.params {
            match param {
                syn::GenericParam::Lifetime(_) => {}
                syn::GenericParam::Type(t) if is_function_type(t, generics) => {}
                syn::GenericParam::Type(t) => wanted.push(t.ident.to_string()),
                syn::GenericParam::Const(c) => wanted.push(c.ident.to_string()),
            }
        }
        if wanted.is_empty() {
            return Some((item.clone(), String::new()));
        }
        let mut bindings = Bindings { floats: Floats::of(generics), wanted, found: HashMap::default() };
        bindings.turbofish(path);
        let types = item.sig.inputs.iter().filter_map(|input| match input {
            syn::FnArg::Typed(p) => Some(&*p.ty),
            syn::FnArg::Receiver(_) => None,
        });
        for (ty, val) in types.zip(args) {
            self.bind_by(&mut bindings, ty, val);
        }
        if let (syn::ReturnType::Type(_, ty), Some(expected)) = (&item.sig.output, &self.expected) {
            bindings.types(ty, expected);
        }
        // What is float and not told is what floats are here.
        for name in bindings.wanted.clone() {
            let is_float = bindings.floats.named(&syn::Ident::new(&name, Span::call_site()).into()).is_some();
            if is_float && !bindings.found.contains_key(&name) {
                bindings.found.insert(name, float_tokens(&self.sig.floats.default()));
            }
        }
        // What is computed with the type itself (`T::zero()`) is read only of the function's own type parameters.
        let own = |tokens: &TokenStream| {
            syn::parse2::<syn::Path>(tokens.clone()).is_ok_and(|p| self.sig.floats.named(&p).is_some())
        };
        let body = item.block.to_token_stream();
        for name in &bindings.wanted {
            let to = bindings.found.get(name)?;
            let is_type = bindings.floats.named(&syn::Ident::new(name, Span::call_site()).into()).is_some();
            if is_type && !own(to) && names_associated(&body, name) {
                return None;
            }
        }
        let mut key: Vec<String> =
            bindings.wanted.iter().map(|name| format!("{name}={}", bindings.found[name])).collect();
        key.sort();
        let mut bare = item.clone();
        bare.sig.generics.params =
            generics.params.iter().filter(|p| matches!(p, syn::GenericParam::Lifetime(_))).cloned().collect();
        bare.sig.generics.where_clause = None;
        let tokens = replaced(bare.to_token_stream(), &bindings.found);
        Some((syn::parse2(tokens).ok()?, format!("<{}>", key.join(","))))
    }

    /// What an argument tells of the type that its parameter is declared with.
    fn bind_by(&mut self, bindings: &mut Bindings, ty: &syn::Type, val: &Val) {
        match (ty, val) {
            (syn::Type::Reference(r), _) => self.bind_by(bindings, &r.elem, val),
            (syn::Type::Paren(p), _) => self.bind_by(bindings, &p.elem, val),
            (syn::Type::Group(g), _) => self.bind_by(bindings, &g.elem, val),
            (syn::Type::Tuple(t), Val::Tuple(list)) => {
                for (ty, val) in t.elems.iter().zip(list) {
                    self.bind_by(bindings, ty, val);
                }
            }
            (ty, Val::RefMut(var, path)) => {
                let val = super::loops::part(&mut self.s.vars[*var].val, path).clone();
                self.bind_by(bindings, ty, &val);
            }
            (ty, Val::Scalar(v)) => bindings.float(ty, &self.s.b.func.ty(*v).clone()),
            (ty, Val::View(view)) => {
                let data = self.s.b.func.buffer(view.buffer).clone();
                let dims = &data.dims[view.prefix.len()..];
                let floats = bindings.floats.clone();
                let declared = shape(ty, &floats)
                    .or_else(|| foreign(ty, &floats).map(|f| (f.dims, Type::Float(f.elem))));
                let Some((axes, elem)) = declared else { return bindings.float(ty, &data.elem) };
                for (k, (axis, dim)) in axes.iter().zip(dims).enumerate() {
                    let known = match (dim, view.range) {
                        (_, Some((_, len))) if k == 0 => self.literal_int(len).map(|n| n.to_string().into()),
                        (Dim::Fixed(n), _) => Some(n.clone()),
                        _ => None,
                    };
                    if let (Dim::Fixed(name), Some(n)) = (axis, known) {
                        bindings.bind(name, n.parse().unwrap_or_default());
                    }
                }
                if let (Type::Float(FloatKind::Param(name)), Type::Float(kind)) = (elem, &data.elem)
                    && *kind != FloatKind::Infer
                {
                    bindings.bind(&name, float_tokens(kind));
                }
            }
            (syn::Type::Path(p), Val::Struct(fields, _)) => bindings.arguments(&p.path, &fields.path),
            _ => {}
        }
    }
}

impl Bindings {
    fn bind(&mut self, name: &str, to: TokenStream) {
        if self.wanted.iter().any(|w| w == name) && !self.found.contains_key(name) {
            self.found.insert(name.to_string(), to);
        }
    }

    fn float(&mut self, ty: &syn::Type, of: &Type) {
        if let (Some(FloatKind::Param(name)), Type::Float(kind)) = (float_kind(ty, &self.floats), of)
            && *kind != FloatKind::Infer
        {
            self.bind(&name, float_tokens(kind));
        }
    }

    /// `f::<3>(..)`
    fn turbofish(&mut self, path: Option<&syn::Path>) {
        let Some(syn::PathArguments::AngleBracketed(args)) =
            path.and_then(|p| p.segments.last()).map(|s| &s.arguments)
        else {
            return;
        };
        for (name, a) in self.wanted.clone().iter().zip(&args.args) {
            if !matches!(a, syn::GenericArgument::Type(syn::Type::Infer(_))) {
                self.bind(name, quote!(#a));
            }
        }
    }

    /// `Pair<N>` of the declaration against `Pair<3>` of the value.
    fn arguments(&mut self, declared: &syn::Path, is: &syn::Path) {
        let of = |path: &syn::Path| match path.segments.last().map(|s| s.arguments.clone()) {
            Some(syn::PathArguments::AngleBracketed(args)) => args.args.into_iter().collect(),
            _ => Vec::new(),
        };
        for (a, b) in of(declared).iter().zip(of(is)) {
            let name = quote!(#a).to_string();
            self.bind(&name, quote!(#b));
        }
    }

    /// What is declared against what is wanted.
    fn types(&mut self, declared: &syn::Type, wanted: &syn::Type) {
        match (declared, wanted) {
            (syn::Type::Array(a), syn::Type::Array(b)) => {
                let (n, m) = (&a.len, &b.len);
                self.bind(&quote!(#n).to_string(), quote!(#m));
                self.types(&a.elem, &b.elem);
            }
            (syn::Type::Tuple(a), syn::Type::Tuple(b)) => {
                for (a, b) in a.elems.iter().zip(&b.elems) {
                    self.types(a, b);
                }
            }
            (syn::Type::Path(a), syn::Type::Path(b)) => self.arguments(&a.path, &b.path),
            _ => {}
        }
    }
}

fn float_tokens(kind: &FloatKind) -> TokenStream {
    match kind {
        FloatKind::F32 => quote!(f32),
        FloatKind::Param(name) => name.parse().unwrap_or_default(),
        FloatKind::F64 | FloatKind::Infer => quote!(f64),
    }
}

/// Whether `name::` stands in code.
fn names_associated(tokens: &TokenStream, name: &str) -> bool {
    let list: Vec<TokenTree> = tokens.clone().into_iter().collect();
    list.iter().enumerate().any(|(i, token)| match token {
        TokenTree::Group(group) => names_associated(&group.stream(), name),
        TokenTree::Ident(ident) if ident == name => {
            matches!(list.get(i + 1), Some(TokenTree::Punct(p)) if p.as_char() == ':')
                && matches!(list.get(i + 2), Some(TokenTree::Punct(p)) if p.as_char() == ':')
        }
        _ => false,
    })
}

/// Code with other tokens for these names, but for fields and methods of the same names.
pub(crate) fn replaced(tokens: TokenStream, names: &HashMap<String, TokenStream>) -> TokenStream {
    let mut out = TokenStream::new();
    let mut after_dot = false;
    for token in tokens {
        let dot = matches!(&token, TokenTree::Punct(p) if p.as_char() == '.');
        match token {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), replaced(group.stream(), names));
                inner.set_span(group.span());
                out.extend([TokenTree::Group(inner)]);
            }
            TokenTree::Ident(ident) if !after_dot && names.contains_key(&ident.to_string()) => {
                out.extend(names[&ident.to_string()].clone());
            }
            other => out.extend([other]),
        }
        after_dot = dot;
    }
    out
}

/// Whether a type parameter stands for a function or an iterator: nothing in the body depends on it.
fn is_function_type(param: &syn::TypeParam, generics: &syn::Generics) -> bool {
    let is_fn = |bound: &syn::TypeParamBound| match bound {
        syn::TypeParamBound::Trait(t) => is_function(t),
        _ => false,
    };
    let bounded = |clause: &syn::WherePredicate| match clause {
        syn::WherePredicate::Type(t) => {
            matches!(&t.bounded_ty, syn::Type::Path(p) if p.path.is_ident(&param.ident))
                && t.bounds.iter().any(is_fn)
        }
        _ => false,
    };
    param.bounds.iter().any(is_fn)
        || generics.where_clause.as_ref().is_some_and(|clause| clause.predicates.iter().any(bounded))
}
