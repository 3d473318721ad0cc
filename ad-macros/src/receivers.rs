//! Methods that are differentiated with respect to `self`: `#[differentiable(wrt(self))]`.
//!
//! The attribute on a method sees no `impl` header. What `Self` is the file tells (`file.rs`); where it does not, as in code that
//! macros make, the fields that the method reads: the one struct that derives `Differentiable` and has them all. A method that
//! takes no floats is differentiated with respect to `self` unasked: nothing else can be meant. The generated methods bind
//! `this: &Spring` to `self`, so rustc refuses a wrong guess. The method is then a function like any other, with a parameter for `self`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};

use crate::blocks::Owner;
use crate::diagnostics::Diagnostics;
use crate::options::Options;

/// What `self` is called in the function that a method becomes.
pub(crate) const THIS: &str = "this";

/// The receiver of such a method.
pub(crate) struct Own {
    pub(crate) receiver: syn::Receiver,
    /// The name of the struct.
    pub(crate) name: String,
    /// The statement that generated methods begin with.
    pub(crate) opening: TokenStream,
}

/// An error has been reported.
pub(crate) struct Refused;

/// Makes a function of a method, if it is to be differentiated with respect to `self`; leaves others alone.
pub(crate) fn open(
    function: &mut syn::ItemFn,
    options: &mut Options,
    of: Option<&Owner<'_>>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Own>, Refused> {
    if options.wrt.is_none()
        && options.partials.is_none()
        && let Some(word) = only_self(function, of)
    {
        options.wrt = Some(vec![word]);
    }
    let Some(receiver) = function.sig.receiver().cloned() else { return Ok(None) };
    let active = options.wrt.iter().flatten().find(|word| *word == "self").cloned();
    if active.is_none() && of.is_some_and(|owner| !owner.is_seen) {
        return Ok(None);
    }
    // Of a known type the receiver is a parameter in any case, whose methods are looked for like those of others.
    let is_active = active.is_some();
    let Some(word) =
        active.or_else(|| of.map(|_| Ident::new("self", syn::spanned::Spanned::span(&receiver))))
    else {
        return Ok(None);
    };
    let reference = match &receiver.kind {
        syn::ReceiverKind::Reference(_, _, Some(_)) => return Ok(None),
        syn::ReceiverKind::Reference(..) => quote!(&),
        _ => quote!(),
    };
    let found = of.map_or_else(|| structs_of(function), |owner| vec![owner.name.clone()]);
    let known = |name: &String| of.is_none() || crate::structs::find(name).is_some() || !is_active;
    let found: Vec<String> = found.into_iter().filter(known).collect();
    let [name] = found.as_slice() else {
        let (problem, instead) = if found.is_empty() {
            (
                "the macro does not see which struct `self` is".to_string(),
                "put `#[derive(Differentiable)]` on the struct, above this `impl` block in the same crate; or write a function \
                 that takes it: `fn energy(spring: &Spring, x: f64) -> f64`, under `#[differentiable(wrt(spring))]`"
                    .to_string(),
            )
        } else {
            let list: Vec<String> = found.iter().map(|name| format!("`{name}`")).collect();
            (
                format!("`self` may be {}: all have the fields that this method reads", list.join(" or ")),
                "take it apart first (`let Spring { length, .. } = self;`), or write a function that takes it, under \
                 `#[differentiable(wrt(spring))]`"
                    .to_string(),
            )
        };
        diagnostics.error(word.span(), problem, instead);
        return Err(Refused);
    };
    let this = Ident::new(THIS, Span::call_site());
    let ty: syn::Type = match of {
        Some(owner) => owner.ty.clone(),
        None => syn::Type::Path(syn::TypePath {
            attrs: Vec::new(),
            qself: None,
            path: Ident::new(name, Span::call_site()).into(),
        }),
    };
    let opening = if reference.is_empty() {
        quote!(let #this: #ty = self;)
    } else if of.is_some_and(|owner| !owner.asked) {
        quote!(let #this: &#ty = self;)
    } else {
        // What fields or files told of the type is checked.
        let mut path: syn::Path = Ident::new(name, word.span()).into();
        if let (syn::Type::Path(p), Some(_)) = (&ty, of) {
            path = p.path.clone();
        }
        let exactly = crate::frontend::exactly(&path, &quote!(self), word.span());
        quote!(let #this: &#ty = #exactly;)
    };
    *function = as_function(function, &ty).ok_or_else(|| {
        let what = "the macro cannot read this method";
        diagnostics.error(function.sig.ident.span(), what, "write a function that takes the struct");
        Refused
    })?;
    options.data = Some(Ident::new(THIS, Span::call_site()));
    for w in options.wrt.iter_mut().flatten().filter(|w| *w == "self") {
        *w = Ident::new(THIS, w.span());
    }
    Ok(Some(Own { receiver, name: name.clone(), opening }))
}

/// Makes a function of a method of a type that the macro does not see, which is data.
pub(crate) fn as_data(function: &mut syn::ItemFn, options: &mut Options, of: &Owner<'_>) -> Option<Own> {
    let receiver = function.sig.receiver()?.clone();
    let reference = match &receiver.kind {
        syn::ReceiverKind::Reference(_, _, Some(_)) => return None,
        syn::ReceiverKind::Reference(..) => quote!(&),
        _ => quote!(),
    };
    *function = as_function(function, of.ty)?;
    let (this, ty) = (Ident::new(THIS, Span::call_site()), of.ty);
    options.data = Some(this.clone());
    Some(Own { receiver, name: of.name.clone(), opening: quote!(let #this: #reference #ty = self;) })
}

/// The word `self`, if nothing else of a method can be differentiated with respect to: then it is meant.
fn only_self(function: &syn::ItemFn, of: Option<&Owner<'_>>) -> Option<Ident> {
    let receiver = function.sig.receiver()?;
    let changes = matches!(&receiver.kind, syn::ReceiverKind::Reference(_, _, Some(_)));
    let known = match of {
        Some(owner) => owner.is_seen && crate::structs::find(&owner.name).is_some(),
        None => structs_of(function).len() == 1,
    };
    let alone = !changes
        && known
        && !crate::frontend::signature::takes_floats(&function.sig, of.map(|owner| owner.generics));
    alone.then(|| Ident::new("self", syn::spanned::Spanned::span(receiver)))
}

/// The struct that a method belongs to and the function that it is then, if the macro sees which struct.
pub(crate) fn of_method(function: &syn::ItemFn) -> Option<(String, syn::ItemFn)> {
    let receiver = function.sig.receiver()?;
    if matches!(&receiver.kind, syn::ReceiverKind::Reference(_, _, Some(_))) {
        return None;
    }
    let [name] = &structs_of(function)[..] else { return None };
    let ty = syn::parse_str(name).ok()?;
    Some((name.clone(), as_function(function, &ty)?))
}

/// The structs whose fields and methods a method uses.
fn structs_of(function: &syn::ItemFn) -> Vec<String> {
    let mut fields = Fields::default();
    syn::visit::Visit::visit_block(&mut fields, &function.block);
    let mut found = crate::structs::with_fields(&fields.fields);
    for method in &fields.methods {
        let types = crate::functions::methods(method);
        if !types.is_empty() {
            found.retain(|name| types.iter().any(|(ty, _)| ty == name));
        }
    }
    found
}

/// A method with its receiver as a parameter, of this type.
fn as_function(function: &syn::ItemFn, ty: &syn::Type) -> Option<syn::ItemFn> {
    let receiver = function.sig.receiver()?;
    let mutable = receiver.mutability;
    let reference = matches!(receiver.kind, syn::ReceiverKind::Reference(..)).then(|| quote!(&));
    let this = Ident::new(THIS, Span::call_site());
    let mut made = function.clone();
    let rest: Vec<syn::FnArg> = made.sig.inputs.iter().skip(1).cloned().collect();
    made.sig.inputs = syn::parse_quote!(#mutable #this: #reference #ty #(, #rest)*);
    syn::parse2(crate::functions::renamed(
        made.to_token_stream(),
        THIS,
        &crate::functions::in_expressions(ty),
    ))
    .ok()
}

/// The fields and methods of `self` that a method uses.
#[derive(Default)]
struct Fields {
    fields: Vec<String>,
    methods: Vec<String>,
}

impl syn::visit::Visit<'_> for Fields {
    fn visit_expr_field(&mut self, f: &syn::ExprField) {
        if matches!(&*f.base, syn::Expr::Path(p) if p.path.is_ident("self")) {
            self.fields.push(f.member.to_token_stream().to_string());
        }
        syn::visit::visit_expr_field(self, f);
    }
    fn visit_expr_method_call(&mut self, m: &syn::ExprMethodCall) {
        if matches!(&*m.receiver, syn::Expr::Path(p) if p.path.is_ident("self")) {
            self.methods.push(m.method.to_string());
        }
        syn::visit::visit_expr_method_call(self, m);
    }
    fn visit_local(&mut self, local: &syn::Local) {
        // `let Spring { length, .. } = self;`
        if let (syn::Pat::Struct(s), Some(init)) = (&local.pat, &local.init)
            && init.expr.to_token_stream().to_string().trim_start_matches(['&', '*', ' ']) == "self"
        {
            self.fields.extend(s.path.segments.last().map(|s| format!("={}", s.ident)));
        }
        syn::visit::visit_local(self, local);
    }
}
