//! Types of data that the macro does not look into, as far as declarations tell: those of parameters, of fields of structs
//! that derive `Differentiable`, of what known operators, methods and functions return. Nothing here is lowered.

use proc_macro2::TokenStream;
use quote::ToTokens;
use rustc_hash::FxHashMap as HashMap;

use super::lower::Lower;
use super::value::Val;
use crate::ir::{FloatKind, Type};

impl Lower<'_> {
    /// Notes of which type data is that an expression gives. Whether it is of a type with a name.
    pub(super) fn tell_type(&mut self, val: &Val, e: &syn::Expr) -> bool {
        let Val::Scalar(v) = val else { return false };
        if *self.s.b.func.ty(*v) != Type::Opaque {
            return false;
        }
        if !self.s.declared.contains_key(v)
            && let Some(ty) = self.declared(e)
        {
            self.s.declare(*v, &ty);
        }
        self.s.types.contains_key(v)
    }

    /// What an associated function without the attribute returns, which stands in the same file.
    fn returned_by_text(&self, key: &str, path: &syn::Path) -> Option<syn::Type> {
        let sig = crate::file::signature_of(key, &self.sig.ident)?;
        let params = parameters_of_type(path, &sig.generics)?;
        let syn::ReturnType::Type(_, ty) = &sig.output else { return None };
        // `Self` and `Self::Output` are other types.
        let text = ty.to_token_stream();
        if text.to_string().split(|c: char| !c.is_alphanumeric()).any(|word| word == "Self") {
            return None;
        }
        syn::parse2(super::instances::replaced(text, &params)).ok()
    }

    /// What a function without the attribute returns, which stands in the same file: the type as it is written there, and the
    /// parameters that may stand in it.
    pub(super) fn returned_here(&self, path: &syn::Path) -> Option<(syn::Type, syn::Generics)> {
        if path.get_ident().is_some_and(|name| self.lookup(&name.to_string()).is_some()) {
            return None;
        }
        let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let sig = crate::file::signature_of(&names.join("::"), &self.sig.ident)?;
        match sig.output {
            syn::ReturnType::Type(_, ty) => Some((*ty, sig.generics)),
            syn::ReturnType::Default => None,
        }
    }

    /// The name of the type of an expression of data.
    pub(super) fn type_of_data(&self, e: &syn::Expr) -> Option<String> {
        name(&self.declared(e)?)
    }

    /// The type of an expression of data.
    pub(super) fn declared(&self, e: &syn::Expr) -> Option<syn::Type> {
        let ty = match e {
            syn::Expr::Path(p) => {
                let word = p.path.get_ident()?.to_string();
                let Some(var) = self.lookup(&word) else {
                    // A constant, or the value of a struct without fields.
                    return crate::file::type_of_constant(&word, &self.sig.ident)
                        .map(behind_references)
                        .or_else(|| {
                            let is_type = crate::functions::has_members(&word);
                            is_type.then(|| syn::parse_str(&word).ok())?
                        });
                };
                let mut val = &self.s.vars[var].val;
                while let Val::RefMut(var, path) = val {
                    let whole = &self.s.vars[*var].val;
                    val = path.iter().try_fold(whole, |val, k| val.parts()?.get(*k))?;
                }
                match val {
                    Val::Scalar(v) => match (self.s.declared.get(v), self.s.b.func.ty(*v)) {
                        (Some(ty), _) => ty.clone(),
                        (None, Type::Float(FloatKind::F64)) => syn::parse_quote!(f64),
                        (None, Type::Float(FloatKind::F32)) => syn::parse_quote!(f32),
                        _ => return None,
                    },
                    Val::View(view) if view.prefix.is_empty() => {
                        let elem = self.s.elements.get(&view.buffer)?;
                        syn::parse_quote!([#elem])
                    }
                    Val::Struct(fields, _) if fields.opened.is_none() => {
                        let path = fields.path.clone();
                        syn::Type::Path(syn::TypePath { attrs: Vec::new(), qself: None, path })
                    }
                    _ => return None,
                }
            }
            syn::Expr::Field(f) => {
                let syn::Type::Path(base) = self.declared(&f.base)? else { return None };
                match crate::structs::instance(&base.path) {
                    Some(item) => {
                        let fields = super::records::fields_of(&item);
                        fields.into_iter().find(|field| field.member == f.member)?.ty
                    }
                    None => {
                        let name = base.path.segments.last()?.ident.to_string();
                        crate::file::type_of_field(&name, &f.member, &self.sig.ident)?
                    }
                }
            }
            syn::Expr::Index(i) => {
                let of = self.declared(&i.expr)?;
                match &*i.index {
                    syn::Expr::Range(_) => of,
                    _ => super::signature::element(&of)?.0.clone(),
                }
            }
            syn::Expr::Reference(r) => self.declared(&r.expr)?,
            syn::Expr::Unary(u) if matches!(u.op, syn::UnOp::Deref(_)) => self.declared(&u.expr)?,
            syn::Expr::Unary(u) if matches!(u.op, syn::UnOp::Neg(_)) => {
                let of = name(&self.declared(&u.expr)?)?;
                returned(&[format!("{of}::neg"), format!("&{of}::neg")], &of)?
            }
            syn::Expr::Paren(p) => self.declared(&p.expr)?,
            syn::Expr::Group(g) => self.declared(&g.expr)?,
            syn::Expr::Struct(s) => {
                syn::Type::Path(syn::TypePath { attrs: Vec::new(), qself: None, path: s.path.clone() })
            }
            syn::Expr::Binary(b) => {
                let sides = [self.declared(&b.left), self.declared(&b.right)];
                if let Some(told) = self.told_by_operator(b, &sides) {
                    return Some(told);
                }
                let operator = match b.op {
                    syn::BinOp::Add(_) => "add",
                    syn::BinOp::Sub(_) => "sub",
                    syn::BinOp::Mul(_) => "mul",
                    syn::BinOp::Div(_) => "div",
                    syn::BinOp::Rem(_) => "rem",
                    _ => return None,
                };
                let [left, right] =
                    sides.map(|ty| ty.and_then(|ty| name(&ty)).unwrap_or_else(|| "f64".into()));
                let keys: Vec<String> = [("", ""), ("&", "&"), ("", "&"), ("&", "")]
                    .iter()
                    .map(|(x, y)| format!("{x}{left}::{operator}::{y}{right}"))
                    .collect();
                returned(&keys, &left)?
            }
            syn::Expr::MethodCall(m) if m.method == "clone" => self.declared(&m.receiver)?,
            syn::Expr::MethodCall(m)
                if (m.method == "to_vec" || m.method == "to_owned") && m.args.is_empty() =>
            {
                match self.declared(&m.receiver)? {
                    syn::Type::Slice(s) => {
                        let elem = s.elem;
                        syn::parse_quote!(Vec<#elem>)
                    }
                    syn::Type::Array(a) if m.method == "to_vec" => {
                        let elem = a.elem;
                        syn::parse_quote!(Vec<#elem>)
                    }
                    other => other,
                }
            }
            // `collect::<BTreeMap<_, _>>()`
            syn::Expr::MethodCall(m)
                if m.method == "collect"
                    && let Some(syn::GenericArgument::Type(ty)) =
                        m.turbofish.as_ref().and_then(|t| t.args.first())
                    && name(ty).is_some_and(|name| is_collection(&name)) =>
            {
                ty.clone()
            }
            syn::Expr::MethodCall(m) => {
                let receiver = self.declared(&m.receiver)?;
                if let Some(told) = self.told_by_method(m, &receiver) {
                    return Some(told);
                }
                let of = name(&receiver)?;
                returned(&[format!("{of}::{}", m.method)], &of)?
            }
            syn::Expr::Call(c) => {
                let syn::Expr::Path(p) = &*c.func else { return None };
                let segments: Vec<String> = p.path.segments.iter().map(|s| s.ident.to_string()).collect();
                match segments.as_slice() {
                    [.., ty, _] if is_collection(ty) => {
                        let mut path = p.path.clone();
                        path.segments.pop();
                        path.segments.pop_punct();
                        syn::Type::Path(syn::TypePath { attrs: Vec::new(), qself: None, path })
                    }
                    [.., ty, member] => {
                        let key = format!("{ty}::{member}");
                        returned(std::slice::from_ref(&key), ty)
                            .or_else(|| self.returned_by_text(&key, &p.path))?
                    }
                    [function] => returned(std::slice::from_ref(function), "").or_else(|| {
                        let (ty, generics) = self.returned_here(&p.path)?;
                        generics.params.is_empty().then_some(ty)
                    })?,
                    [] => return None,
                }
            }
            _ => return None,
        };
        Some(behind_references(ty))
    }
}

/// What a path stands for the parameters of a block with: `Penta::<N>::penalty`.
fn parameters_of_type(path: &syn::Path, generics: &syn::Generics) -> Option<HashMap<String, TokenStream>> {
    let params: Vec<String> = generics
        .params
        .iter()
        .filter(|p| !matches!(p, syn::GenericParam::Lifetime(_)))
        .map(super::signature::param_name)
        .collect();
    let given: Vec<TokenStream> = match &path.segments.iter().rev().nth(1)?.arguments {
        syn::PathArguments::AngleBracketed(args) => args
            .args
            .iter()
            .filter(|a| !matches!(a, syn::GenericArgument::Lifetime(_)))
            .map(ToTokens::to_token_stream)
            .collect(),
        _ => Vec::new(),
    };
    let inferred = |tokens: &TokenStream| tokens.to_string() == "_";
    (params.len() == given.len() && !given.iter().any(inferred))
        .then(|| params.into_iter().zip(given).collect())
}

/// Maps and sets of std: what their associated functions give is one of them.
pub(super) fn is_collection(name: &str) -> bool {
    ["HashMap", "BTreeMap", "HashSet", "BTreeSet", "LinkedList", "BinaryHeap"].contains(&name)
}

/// The last name of a type.
fn name(ty: &syn::Type) -> Option<String> {
    match ty {
        syn::Type::Path(p) => Some(p.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}

/// What a `Box`, `Rc` or `Arc` holds: its methods are called through it.
pub(super) fn in_a_box(p: &syn::TypePath) -> Option<&syn::Type> {
    let last = p.path.segments.last()?;
    match &last.arguments {
        syn::PathArguments::AngleBracketed(args) if ["Box", "Rc", "Arc"].iter().any(|b| last.ident == b) => {
            match args.args.first() {
                Some(syn::GenericArgument::Type(inner)) => Some(inner),
                _ => None,
            }
        }
        _ => None,
    }
}

fn behind_references(ty: syn::Type) -> syn::Type {
    match ty {
        syn::Type::Path(p) => match in_a_box(&p) {
            Some(inner) => behind_references(inner.clone()),
            None => syn::Type::Path(p),
        },
        syn::Type::Reference(r) => behind_references(*r.elem),
        syn::Type::Paren(p) => behind_references(*p.elem),
        syn::Type::Group(g) => behind_references(*g.elem),
        other => other,
    }
}

/// What the first of these functions that the macro knows returns; `Self::Output` is taken for the type itself, which rustc
/// checks.
fn returned(keys: &[String], own: &str) -> Option<syn::Type> {
    let known = keys.iter().find_map(|key| crate::functions::find(key))?;
    let item = known.item(proc_macro2::Span::call_site())?;
    let syn::ReturnType::Type(_, ty) = item.sig.output else { return None };
    match &*ty {
        syn::Type::Path(p) if p.path.segments.last().is_some_and(|s| s.ident == "Output") => {
            syn::parse_str(own).ok()
        }
        _ if mentions_parameter(&ty, &item.sig.generics) => None,
        _ => Some(*ty),
    }
}

/// Whether a type parameter is in a type: what it is shows only at a call.
fn mentions_parameter(ty: &syn::Type, generics: &syn::Generics) -> bool {
    let text = ty.to_token_stream().to_string();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    generics.type_params().any(|p| words.contains(&p.ident.to_string().as_str()))
        || generics.const_params().any(|p| words.contains(&p.ident.to_string().as_str()))
}

/// Whether a type is that of ranges of indices.
pub(super) fn is_range(ty: &syn::Type) -> bool {
    name(ty).is_some_and(|name| name == "Range" || name == "RangeInclusive")
}
