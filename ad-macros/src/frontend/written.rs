//! Functions that are written out where they are called: those of the user's that have no companions, and those that
//! take what companions cannot take. Generic ones are made for the arguments of the call, and items in them get names of
//! their own.

use std::rc::Rc;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use rustc_hash::FxHashMap as HashMap;

use super::generic::Floats;
use super::lower::Lower;
use super::signature::param_name;
use super::value::{Closure, Val};
use crate::functions::Known;
use crate::ir::{Dim, FloatKind, Type, Value, Verbatim};

/// What stands for `f64::` and `f32::` where a type parameter stood: `T::from(x)` is no `f64::from(x)`.
const MARKS: [(&str, FloatKind); 2] = [("__ad_f64", FloatKind::F64), ("__ad_f32", FloatKind::F32)];

/// The float that such a mark stands for.
pub(super) fn marked_float(name: &str) -> Option<FloatKind> {
    MARKS.iter().find(|(mark, _)| *mark == name).map(|(_, kind)| kind.clone())
}

impl Lower<'_> {
    /// A function in place of its call.
    pub(super) fn written_out(
        &mut self,
        callee: &syn::ExprPath,
        known: &Known,
        args: Vec<Val>,
        span: Span,
    ) -> Val {
        let name = callee.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
        if crate::file::is_imported(&name, &self.sig.ident) {
            self.error(
                span,
                format!("`{name}` is written out where it is called, and stands in another module"),
                "move it into the module of its caller, or give it one float as its result and call it by its path",
            );
            return Val::Never;
        }
        match self.closure_of(&name, known, &args, Some(&callee.path), span) {
            Some(closure) => self.inline(&closure, args),
            None => Val::Never,
        }
    }

    /// A function that is written out where it is called, for these arguments.
    pub(super) fn closure_of(
        &mut self,
        name: &str,
        known: &Known,
        args: &[Val],
        path: Option<&syn::Path>,
        span: Span,
    ) -> Option<Rc<Closure>> {
        if let Some(closure) = self.written.get(name) {
            return Some(closure.clone());
        }
        if args.contains(&Val::Never) {
            return None;
        }
        let item = known.item(span)?;
        let (types, lengths) = self.instance(&item, path, args);
        let missing = missing(&item, &types).filter(|name| !lengths.iter().any(|(known, _)| known == name));
        if let Some(missing) = missing {
            self.error(
                span,
                format!("the macro does not see what `{missing}` is in this call of `{name}`, which is written out here"),
                format!("say it in the call: `{name}::<..>(..)`"),
            );
            return None;
        }
        let key = match types.len() {
            0 => name.to_string(),
            _ => {
                let mut list: Vec<String> = types.iter().map(|(k, v)| format!("{k} = {v}")).collect();
                list.sort();
                format!("{name}::<{}>", list.join(", "))
            }
        };
        if let (Some(closure), true) = (self.written.get(&key), lengths.is_empty()) {
            return Some(closure.clone());
        }
        if let Some(param) = super::names::captured(&item, &self.sig.generics) {
            self.error(
                span,
                format!("`{name}` is written out here, and `{param}` in it is no parameter of this function"),
                format!("give the parameter `{param}` of this function another name"),
            );
            return None;
        }
        let mut item = with_types(&item, &types)?;
        super::names::refuse_own(item.block.to_token_stream(), self.sig.ident.span(), self.diagnostics);
        super::names::apart(&mut item, name, true, self.diagnostics);
        let mut block = (*item.block).clone();
        if !self.own_items(name, &mut block, span) {
            return None;
        }
        let params = super::calls::parameters(&item);
        let body: syn::Expr = syn::parse_quote!(#block);
        // Lengths that only a run tells are variables.
        let mut scope = HashMap::default();
        for (name, length) in &lengths {
            let var = self.new_var(name, false, Val::Scalar(*length));
            scope.insert(name.clone(), var);
        }
        let closure = Closure::new(params, body, vec![scope], item.sig.ident.to_token_stream(), true)
            .returning(&item.sig.output);
        let closure = Rc::new(closure);
        if lengths.is_empty() {
            self.written.insert(key, closure.clone());
        }
        let assertion = known.assertion(name, span);
        if !self.assumptions.iter().any(|a| a.to_string() == assertion.to_string()) {
            self.assumptions.push(assertion);
        }
        Some(closure)
    }

    /// A nested generic `fn` for these arguments. Its parameters are its own, whatever is called so around it.
    pub(super) fn nested_instance(
        &mut self,
        closure: &Closure,
        item: &syn::ItemFn,
        args: &[Val],
    ) -> Option<Closure> {
        let (types, lengths) = self.instance(item, None, args);
        if let Some(missing) =
            missing(item, &types).filter(|name| !lengths.iter().any(|(known, _)| known == name))
        {
            self.error(
                item.sig.ident.span(),
                format!("the macro does not see what `{missing}` is in a call of `{}`", item.sig.ident),
                "let it follow from an argument, or write the function without parameters of its own",
            );
            return None;
        }
        let item = with_types(item, &types)?;
        let mut scope = HashMap::default();
        for (name, length) in &lengths {
            let var = self.new_var(name, false, Val::Scalar(*length));
            scope.insert(name.clone(), var);
        }
        Some(closure.instance(&item, scope))
    }

    /// What the type parameters of a function are in a call.
    fn instance(
        &mut self,
        item: &syn::ItemFn,
        path: Option<&syn::Path>,
        args: &[Val],
    ) -> (HashMap<String, TokenStream>, Vec<(String, Value)>) {
        let mut types = HashMap::default();
        let mut lengths = Vec::new();
        let generics: Vec<&syn::GenericParam> = item
            .sig
            .generics
            .params
            .iter()
            .filter(|p| !matches!(p, syn::GenericParam::Lifetime(_)))
            .collect();
        let given = |arguments: Option<&syn::PathArguments>| -> Vec<syn::GenericArgument> {
            let Some(syn::PathArguments::AngleBracketed(given)) = arguments else { return Vec::new() };
            given.args.iter().filter(|a| !matches!(a, syn::GenericArgument::Lifetime(_))).cloned().collect()
        };
        // Those of the type come first, those of the method last: `Pair::<2>::new::<f64>(..)`.
        let segments: Vec<&syn::PathArguments> =
            path.iter().flat_map(|p| p.segments.iter().rev()).map(|s| &s.arguments).collect();
        let (own, of_type) = (given(segments.first().copied()), given(segments.get(1).copied()));
        let behind = generics.len().saturating_sub(own.len());
        let pairs = generics.iter().zip(&of_type).chain(generics[behind..].iter().zip(&own));
        for (param, arg) in pairs {
            if !matches!(arg, syn::GenericArgument::Type(syn::Type::Infer(_))) {
                types.insert(param_name(param), arg.to_token_stream());
            }
        }
        let names: Vec<String> = generics.iter().map(|p| param_name(p)).collect();
        let floats = Floats::of(&item.sig.generics);
        let inputs = item.sig.inputs.iter().filter_map(|input| match input {
            syn::FnArg::Typed(p) => Some(&*p.ty),
            syn::FnArg::Receiver(_) => None,
        });
        for (ty, val) in inputs.zip(args) {
            self.unify(ty, val, &names, &floats, &mut types);
            if let Val::Scalar(v) = val {
                self.run_lengths(ty, *v, &names, &types, &mut lengths);
            }
        }
        lengths.retain(|(name, _)| !types.contains_key(name));
        if let (syn::ReturnType::Type(_, ty), Some(wanted)) = (&item.sig.output, &self.expected) {
            unify_types(ty, wanted, &names, &mut types);
        }
        // A float that nothing tells is the function's.
        for name in &floats.names() {
            if !types.contains_key(name) {
                types.insert(name.clone(), self.float_tokens(&self.sig.floats.default()));
            }
        }
        (types, lengths)
    }

    /// The lengths of an array that the macro does not look into.
    fn run_lengths(
        &mut self,
        ty: &syn::Type,
        v: Value,
        names: &[String],
        types: &HashMap<String, TokenStream>,
        lengths: &mut Vec<(String, Value)>,
    ) {
        let hole = Ident::new(&Verbatim::hole(0), Span::call_site());
        let (mut ty, mut place) = (ty, quote!(#hole));
        loop {
            match ty {
                syn::Type::Reference(r) => ty = &r.elem,
                syn::Type::Array(a) => {
                    if let syn::Expr::Path(p) = &a.len
                        && let Some(name) = p.path.get_ident().map(ToString::to_string)
                        && names.contains(&name)
                        && !types.contains_key(&name)
                        && !lengths.iter().any(|(known, _)| *known == name)
                    {
                        let len = self.pass(quote!(#place.len()), &[v], Type::Int);
                        self.s.ints.insert(len, "usize".into());
                        lengths.push((name, len));
                    }
                    (ty, place) = (&a.elem, quote!(#place[0]));
                }
                _ => return,
            }
        }
    }

    fn float_tokens(&self, kind: &FloatKind) -> TokenStream {
        match kind {
            FloatKind::F32 => quote!(f32),
            FloatKind::Param(name) => name.parse().unwrap_or_default(),
            FloatKind::Infer if !self.sig.floats.is_empty() => self.float_tokens(&self.sig.floats.default()),
            _ => quote!(f64),
        }
    }

    fn unify(
        &mut self,
        ty: &syn::Type,
        val: &Val,
        names: &[String],
        floats: &Floats,
        types: &mut HashMap<String, TokenStream>,
    ) {
        match (ty, val) {
            (_, Val::RefMut(..)) => {
                let val = self.deref(val.clone());
                self.unify(ty, &val, names, floats, types);
            }
            (syn::Type::Reference(r), _) => self.unify(&r.elem, val, names, floats, types),
            (syn::Type::Paren(p), _) => self.unify(&p.elem, val, names, floats, types),
            (syn::Type::Group(p), _) => self.unify(&p.elem, val, names, floats, types),
            (syn::Type::Tuple(t), Val::Tuple(list)) => {
                for (ty, val) in t.elems.iter().zip(list) {
                    self.unify(ty, val, names, floats, types);
                }
            }
            (_, Val::View(view)) => {
                let data = self.s.b.func.buffer(view.buffer).clone();
                let mut dims = data.dims[view.prefix.len()..].to_vec();
                if view.range.is_some() {
                    dims[0] = Dim::Slice;
                }
                // Vectors and matrices of `nalgebra`.
                let foreign = super::arrays::types::foreign(ty, floats);
                for (axis, dim) in foreign.iter().flat_map(|f| &f.dims).zip(&dims) {
                    if let (Dim::Fixed(name), Dim::Fixed(n)) = (axis, dim)
                        && names.iter().any(|known| **known == **name)
                        && let Ok(n) = n.parse::<TokenStream>()
                    {
                        types.entry(name.to_string()).or_insert(n);
                    }
                }
                self.unify_dims(ty, &dims, &data.elem, names, types);
            }
            (_, Val::Columns(rows)) => {
                if let Some((elem, _)) = super::signature::element(ty) {
                    let elem = elem.clone();
                    self.unify(&elem, rows, names, floats, types);
                }
            }
            (_, Val::Ragged(parts)) => {
                if let Some((elem, _)) = super::signature::element(ty)
                    && let Some(data) = parts.first().cloned()
                {
                    let elem = elem.clone();
                    self.unify(&elem, &data, names, floats, types);
                }
            }
            (syn::Type::Path(_), Val::Maybe(parts)) => {
                if let Some((_, inner)) = super::signature::wrapper(ty) {
                    let inner = inner.clone();
                    self.unify(&inner, &parts[1].clone(), names, floats, types);
                }
            }
            (syn::Type::Path(p), Val::Scalar(v)) => {
                // `BSpline<D>` with what is declared to be a `BSpline<3>`.
                if let Some(syn::Type::Path(declared)) = self.s.declared.get(v)
                    && let (Some(a), Some(b)) = (p.path.segments.last(), declared.path.segments.last())
                    && a.ident == b.ident
                {
                    for (a, b) in arguments(&p.path).into_iter().zip(arguments(&declared.path)) {
                        let name = a.to_token_stream().to_string();
                        if names.contains(&name) {
                            types.entry(name).or_insert(b.to_token_stream());
                        }
                    }
                }
                if let Some(name) = named(p, names) {
                    let tokens = match self.s.b.func.ty(*v).clone() {
                        Type::Float(FloatKind::Infer) => None,
                        Type::Float(kind) => Some(self.float_tokens(&kind)),
                        Type::Bool => Some(quote!(bool)),
                        Type::Int => self.int_type(*v).and_then(|ty| ty.parse().ok()),
                        Type::Opaque => None,
                    };
                    if let Some(tokens) = tokens {
                        types.entry(name).or_insert(tokens);
                    }
                }
            }
            (syn::Type::Path(p), Val::Struct(fields, parts)) if fields.opened.is_none() => {
                if arguments(&fields.path).is_empty() {
                    self.unify_fields(p, &fields.path, parts, names, floats, types);
                }
                if let Some(name) = named(p, names) {
                    types.entry(name).or_insert(fields.path.to_token_stream());
                }
                // `Pair<N>` is a `Pair<3>`.
                for (a, b) in arguments(&p.path).into_iter().zip(arguments(&fields.path)) {
                    let name = a.to_token_stream().to_string();
                    if names.contains(&name) {
                        types.entry(name).or_insert(b.to_token_stream());
                    }
                }
            }
            _ => {}
        }
    }

    /// `Pair<N>` with a `Pair { .. }`: what `N` is, its fields tell.
    fn unify_fields(
        &mut self,
        wanted: &syn::TypePath,
        of: &syn::Path,
        parts: &[Val],
        names: &[String],
        floats: &Floats,
        types: &mut HashMap<String, TokenStream>,
    ) {
        let wanted = arguments(&wanted.path);
        let Some(item) = of.segments.last().and_then(|s| crate::structs::find(&s.ident.to_string())) else {
            return;
        };
        if wanted.is_empty() || item.generics.params.is_empty() {
            return;
        }
        let params: Vec<String> = item
            .generics
            .params
            .iter()
            .filter(|p| !matches!(p, syn::GenericParam::Lifetime(_)))
            .map(param_name)
            .collect();
        let mut found = HashMap::default();
        for (field, part) in super::records::fields_of(&item).iter().zip(parts) {
            self.unify(&field.ty, part, &params, floats, &mut found);
        }
        let wanted = wanted.iter().filter(|a| !matches!(a, syn::GenericArgument::Lifetime(_)));
        for (param, argument) in params.iter().zip(wanted) {
            let name = argument.to_token_stream().to_string();
            if let (true, Some(tokens)) = (names.contains(&name), found.get(param)) {
                types.entry(name).or_insert_with(|| tokens.clone());
            }
        }
    }

    /// A type with the axes and elements of an array.
    fn unify_dims(
        &mut self,
        ty: &syn::Type,
        dims: &[Dim],
        elem: &Type,
        names: &[String],
        types: &mut HashMap<String, TokenStream>,
    ) {
        let Some((dim, rest)) = dims.split_first() else {
            if let syn::Type::Path(p) = ty
                && let Some(name) = named(p, names)
                && let Type::Float(kind) = elem
                && *kind != FloatKind::Infer
            {
                let tokens = self.float_tokens(kind);
                types.entry(name).or_insert(tokens);
            }
            return;
        };
        if let syn::Type::Array(a) = ty
            && let syn::Expr::Path(p) = &a.len
            && let Some(name) = p.path.get_ident().map(ToString::to_string).filter(|n| names.contains(n))
            && let Dim::Fixed(n) = dim
            && let Ok(n) = n.parse::<TokenStream>()
        {
            types.entry(name).or_insert(n);
        }
        match ty {
            syn::Type::Reference(r) => self.unify_dims(&r.elem, dims, elem, names, types),
            _ => {
                if let Some((inner, _)) = super::signature::element(ty) {
                    let inner = inner.clone();
                    self.unify_dims(&inner, rest, elem, names, types);
                }
            }
        }
    }

    /// Gives the items of a function that is written out names of their own, and moves them to the top.
    fn own_items(&mut self, function: &str, block: &mut syn::Block, span: Span) -> bool {
        let mut found = FindsItems::default();
        syn::visit::Visit::visit_block(&mut found, block);
        if found.others {
            self.error(
                span,
                format!(
                    "`{function}` is written out where it is called, and has items in it that cannot be moved"
                ),
                "move `impl` blocks and modules in it out of it",
            );
            return false;
        }
        if found.names.is_empty() {
            return true;
        }
        let function: String = function.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        let names: HashMap<String, TokenStream> = found
            .names
            .iter()
            .map(|name| {
                let own = Ident::new(&format!("{name}_of_{function}"), Span::call_site());
                (name.clone(), own.to_token_stream())
            })
            .collect();
        match syn::parse2(exchanged(block.to_token_stream(), &names, false)) {
            Ok(renamed) => *block = renamed,
            Err(e) => {
                self.diagnostics.push(e);
                return false;
            }
        }
        true
    }
}

/// The names of the type parameters.
fn parameter_names(item: &syn::ItemFn) -> Vec<String> {
    let params = item.sig.generics.params.iter();
    params.filter(|p| !matches!(p, syn::GenericParam::Lifetime(_))).map(param_name).collect()
}

/// The generic arguments of a path.
fn arguments(path: &syn::Path) -> Vec<syn::GenericArgument> {
    match path.segments.last().map(|s| s.arguments.clone()) {
        Some(syn::PathArguments::AngleBracketed(args)) => args.args.into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The type parameter that a path is.
fn named(p: &syn::TypePath, names: &[String]) -> Option<String> {
    let name = p.path.get_ident()?.to_string();
    names.contains(&name).then_some(name)
}

/// What type parameters in a type are, if it is to be another.
fn unify_types(
    ty: &syn::Type,
    other: &syn::Type,
    names: &[String],
    types: &mut HashMap<String, TokenStream>,
) {
    match (ty, other) {
        (syn::Type::Path(p), _) if let Some(name) = named(p, names) => {
            let known = (!matches!(other, syn::Type::Infer(_))).then(|| other.to_token_stream());
            types.extend(known.filter(|_| !types.contains_key(&name)).map(|tokens| (name, tokens)));
        }
        (syn::Type::Reference(a), syn::Type::Reference(b)) => unify_types(&a.elem, &b.elem, names, types),
        (syn::Type::Array(a), syn::Type::Array(b)) => {
            if let syn::Expr::Path(p) = &a.len
                && let Some(name) = p.path.get_ident().map(ToString::to_string).filter(|n| names.contains(n))
            {
                types.entry(name).or_insert(b.len.to_token_stream());
            }
            unify_types(&a.elem, &b.elem, names, types);
        }
        (syn::Type::Tuple(a), syn::Type::Tuple(b)) => {
            for (a, b) in a.elems.iter().zip(&b.elems) {
                unify_types(a, b, names, types);
            }
        }
        (syn::Type::Path(_), syn::Type::Path(_)) => {
            if let (Some((a, _)), Some((b, _))) =
                (super::signature::element(ty), super::signature::element(other))
            {
                unify_types(a, b, names, types);
            }
        }
        _ => {}
    }
}

/// A type parameter that the body names and that is not known.
fn missing(item: &syn::ItemFn, types: &HashMap<String, TokenStream>) -> Option<String> {
    let body = item.block.to_token_stream();
    parameter_names(item).into_iter().find(|name| !types.contains_key(name) && mentions(&body, name))
}

pub(super) fn mentions(tokens: &TokenStream, name: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => mentions(&group.stream(), name),
        _ => false,
    })
}

/// A function with types in the place of its type parameters.
fn with_types(item: &syn::ItemFn, types: &HashMap<String, TokenStream>) -> Option<syn::ItemFn> {
    if types.is_empty() {
        return Some(item.clone());
    }
    let mut made = item.clone();
    made.sig.generics = syn::Generics::default();
    syn::parse2(exchanged(made.to_token_stream(), types, true)).ok()
}

/// Tokens with others in the place of these names. `types`: they are types, and floats are marked where a path begins
/// with them.
fn exchanged(tokens: TokenStream, names: &HashMap<String, TokenStream>, types: bool) -> TokenStream {
    let list: Vec<TokenTree> = tokens.into_iter().collect();
    let punct = |k: Option<usize>, c: char| {
        k.and_then(|k| list.get(k)).is_some_and(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == c))
    };
    let mut out = TokenStream::new();
    for (i, token) in list.iter().enumerate() {
        match token {
            TokenTree::Ident(ident) if !is_member(&list, i) => match names.get(&ident.to_string()) {
                Some(with) => {
                    let begins = types && punct(Some(i + 1), ':') && punct(Some(i + 2), ':');
                    let text = with.to_string();
                    let mark =
                        MARKS.iter().find(|(mark, _)| begins && mark.ends_with(&text) && text.len() == 3);
                    match mark {
                        Some((mark, _)) => out.extend([TokenTree::Ident(Ident::new(mark, ident.span()))]),
                        None => out.extend(with.clone()),
                    }
                }
                None => out.extend([token.clone()]),
            },
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), exchanged(group.stream(), names, types));
                inner.set_span(group.span());
                out.extend([TokenTree::Group(inner)]);
            }
            _ => out.extend([token.clone()]),
        }
    }
    out
}

/// Whether the name at `i` is a field, method or associated item: `v.n`, `Self::N`.
pub(super) fn is_member(list: &[TokenTree], i: usize) -> bool {
    let punct = |back: usize, c: char| {
        let before = i.checked_sub(back).and_then(|k| list.get(k));
        before.is_some_and(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == c))
    };
    punct(1, '.') && !punct(2, '.') || punct(1, ':') && punct(2, ':')
}

/// The items in a block.
#[derive(Default)]
struct FindsItems {
    names: Vec<String>,
    others: bool,
}

impl syn::visit::Visit<'_> for FindsItems {
    fn visit_item(&mut self, item: &syn::Item) {
        // Those in functions are moved as well.
        syn::visit::visit_item(self, item);
        match item {
            syn::Item::Const(c) => self.names.push(c.ident.to_string()),
            syn::Item::Static(s) => self.names.push(s.ident.to_string()),
            syn::Item::Fn(f) => self.names.push(f.sig.ident.to_string()),
            syn::Item::Struct(s) => self.names.push(s.ident.to_string()),
            syn::Item::Enum(e) => self.names.push(e.ident.to_string()),
            syn::Item::Type(t) => self.names.push(t.ident.to_string()),
            syn::Item::Use(_) => {}
            _ => self.others = true,
        }
    }
}
