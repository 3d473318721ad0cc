//! Methods, operators and constants of the user's own structs: written out where they are used. The macro knows those of
//! `impl` blocks under `#[differentiable]`, and of those inside the function.

use std::rc::Rc;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use rustc_hash::FxHashMap as HashMap;
use syn::spanned::Spanned;

use super::lower::Lower;
use super::value::{Closure, Val};
use crate::ir::{Dim, FloatKind, Op, Type};

impl Lower<'_> {
    /// A member of an `impl` block inside the function.
    pub(super) fn own_member(&mut self, name: String, function: &syn::ItemFn) {
        let block = &function.block;
        let body: syn::Expr = syn::parse_quote!(#block);
        let params = super::calls::parameters(function);
        let tokens = function.sig.ident.to_token_stream();
        let closure = Closure::new(params, body, vec![HashMap::default()], tokens, true)
            .returning(&function.sig.output);
        self.written.insert(name, Rc::new(closure));
    }

    fn member(&mut self, name: &str, args: &[Val], span: Span) -> Option<Rc<Closure>> {
        if let Some(known) = self.written.get(name) {
            return Some(known.clone());
        }
        let known = crate::functions::find(name)?;
        self.closure_of(name, &known, args, None, span)
    }

    /// A method or unary operator of a value: that of the type, or else that of references to it.
    fn method_of(&mut self, receiver: &Val, name: &str, span: Span) -> Option<Rc<Closure>> {
        let ty = self.type_name(receiver)?;
        ["", "&"]
            .iter()
            .find_map(|r| self.member(&format!("{r}{ty}::{name}"), std::slice::from_ref(receiver), span))
    }

    /// `Complex::from(v)`, `v.into()` where a `Complex` is wanted: the conversion, if the macro knows it.
    pub(super) fn conversion_to(&mut self, ty: &str, from: &Val, span: Span) -> Option<Rc<Closure>> {
        let from = self.deref(from.clone());
        let name = self.type_name(&from);
        let axes = match &from {
            Val::View(view) => self.s.b.func.buffer(view.buffer).dims[view.prefix.len()..].to_vec(),
            _ => Vec::new(),
        };
        let fits = |source: &str| {
            let Ok(ty) = syn::parse_str::<syn::Type>(source.trim_start_matches('&')) else { return false };
            match (&ty, &from) {
                (syn::Type::Tuple(t), Val::Tuple(list)) => t.elems.len() == list.len(),
                (_, Val::View(_)) => match super::signature::shape(&ty, &self.sig.floats) {
                    Some((dims, _)) => {
                        dims.iter().zip(&axes).all(|(a, b)| a == b || !matches!(a, Dim::Fixed(_)))
                            && dims.len() == axes.len()
                    }
                    None => false,
                },
                _ => name.as_deref() == Some(source.trim_start_matches('&')),
            }
        };
        let own = self.written.keys().filter_map(|key| {
            let source = key.strip_prefix(&format!("{ty}::from::"))?;
            Some((source.to_string(), key.clone()))
        });
        let known: Vec<(String, String)> = own.chain(crate::functions::conversions(ty)).collect();
        let mut fitting: Vec<String> =
            known.into_iter().filter(|(source, _)| fits(source)).map(|(_, key)| key).collect();
        fitting.sort();
        fitting.dedup();
        // Of several that fit, none is taken.
        let [key] = fitting.as_slice() else { return None };
        self.member(&key.clone(), &[from], span)
    }

    /// The name of the type that is wanted.
    pub(super) fn wanted_name(&self) -> Option<String> {
        match self.expected.as_ref()? {
            syn::Type::Path(p) => p.path.segments.last().map(|s| s.ident.to_string()),
            _ => None,
        }
    }

    /// `it.sum()` of structs that say how: what is wanted, or the items themselves, is of such a type.
    pub(super) fn own_sum(&mut self, wanted: Option<String>, name: &str, it: Val, span: Span) -> Option<Val> {
        let member = self.member(&format!("{}::{name}", wanted?), &[], span)?;
        Some(self.inline(&member, vec![it]))
    }

    /// A method of a type of the user's, called on a value that the macro does not look into: that of the type the value
    /// is declared to have, or of the only type that has one. rustc checks that the value is of this type.
    pub(super) fn method_by_name(&mut self, e: &syn::ExprMethodCall) -> Option<Val> {
        let (name, span) = (e.method.to_string(), e.method.span());
        let mut methods = crate::functions::methods(&name);
        if let Some(declared) = self.type_of_data(&e.receiver) {
            if !methods.is_empty() && self.sig.generics.type_params().any(|t| t.ident == *declared) {
                self.error(
                    span,
                    format!("`{name}` is a method of the type parameter `{declared}`: which code it runs shows only at a call"),
                    "take a closure (`f: impl Fn(f64) -> f64`), or the type itself",
                );
                return Some(Val::Never);
            }
            methods.retain(|(ty, _)| *ty == *declared);
        }
        let (ty, _) = methods.first()?;
        if methods.len() > 1 {
            let types: Vec<String> =
                methods.iter().take(3).map(|(ty, _)| format!("`{ty}::{name}`")).collect();
            self.error(
                span,
                format!("`{name}` is a method of several types ({}): the macro does not see which this is", types.join(", ")),
                format!("call that of one type: `{ty}::{name}(&value, ..)`; where the type is a parameter, take a closure: `f: impl Fn(f64) -> f64`"),
            );
            return Some(Val::Never);
        }
        let member = self.member(&format!("{ty}::{name}"), &[], span)?;
        let by_reference = match member.params.first() {
            Some(syn::Pat::Type(p)) if matches!(&*p.pat, syn::Pat::Ident(id) if id.ident == "__ad_self") => {
                match &*p.ty {
                    syn::Type::Reference(r) if r.mutability.is_some() => return None,
                    syn::Type::Reference(_) => true,
                    _ => false,
                }
            }
            _ => return None,
        };
        let receiver = &e.receiver;
        let found = self.verbatim_operands(quote::quote!(#receiver), receiver.span())?;
        if found.tainted {
            return None;
        }
        let mut tokens = exactly(ty, &found.verbatim.tokens, span);
        if !by_reference {
            tokens = quote::quote!(*#tokens);
        }
        let verbatim = crate::ir::Verbatim::new(tokens, found.verbatim.buffers);
        let own = self.s.b.op_typed(Op::Verbatim(verbatim), &found.args, Type::Opaque);
        if by_reference {
            self.s.refs.insert(own);
        }
        let args = e.args.iter().zip(member.params.iter().skip(1)).map(|(a, p)| self.argument(a, Some(p)));
        let args: Vec<Val> = std::iter::once(Val::Scalar(own)).chain(args).collect();
        Some(self.inline(&member, args))
    }

    /// What `Vec3::new` or `Vec3::ZERO` names, if the macro knows it.
    pub(super) fn member_at(&mut self, path: &syn::Path) -> Option<Rc<Closure>> {
        let segments: Vec<&syn::PathSegment> = path.segments.iter().collect();
        let [.., ty, name] = segments.as_slice() else { return None };
        let key = format!("{}::{}", ty.ident, name.ident);
        match crate::functions::find(&key) {
            Some(known) if !self.written.contains_key(&key) => {
                self.closure_of(&key, &known, &[], Some(path), path.span())
            }
            _ => self.member(&key, &[], path.span()),
        }
    }

    /// The type that members are looked for with.
    fn type_name(&self, val: &Val) -> Option<String> {
        match val {
            Val::Struct(fields, _) if fields.opened.is_none() => {
                fields.path.segments.last().map(|s| s.ident.to_string())
            }
            Val::Scalar(v) if self.s.types.contains_key(v) => self.s.types.get(v).map(ToString::to_string),
            Val::Scalar(v) => match self.s.b.func.ty(*v) {
                Type::Float(FloatKind::F32) => Some("f32".into()),
                Type::Float(FloatKind::F64 | FloatKind::Infer) | Type::Opaque => Some("f64".into()),
                _ => None,
            },
            _ => None,
        }
    }

    /// `a + b` where one of them is a struct.
    pub(super) fn own_operator(&mut self, op: &Op, mut a: Val, mut b: Val, span: Span) -> Val {
        self.known_by_operator(op, &mut a, &b, true, span);
        self.known_by_operator(op, &mut b, &a, false, span);
        let member = self.operator(op, "", &a, &b, span);
        match member {
            Some(member) => self.inline(&member, vec![a, b]),
            None => self.unknown_operator(span),
        }
    }

    /// Data of a type that nothing tells, beside a struct: if operators of one type alone fit, it is of that type. rustc checks
    /// that it is.
    fn known_by_operator(&mut self, op: &Op, val: &mut Val, beside: &Val, left: bool, span: Span) {
        let Val::Scalar(v) = *val else { return };
        if *self.s.b.func.ty(v) != Type::Opaque || self.s.types.contains_key(&v) || self.is_tainted(v) {
            return;
        }
        let (Some(beside), Some(operator)) = (self.type_name(beside), operator_name(op)) else { return };
        let [ty] = &crate::functions::operands(operator, &beside, left)[..] else { return };
        let Ok(declared) = syn::parse_str::<syn::Type>(ty) else { return };
        let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), Span::call_site());
        let told = self.pass(exactly(ty, &quote::quote!(#hole), span), &[v], Type::Opaque);
        self.s.refs.insert(told);
        self.s.declare(told, &declared);
        *val = Val::Scalar(told);
    }

    /// `a + b` of data, if the macro knows the operator.
    pub(super) fn operator_of_data(&mut self, op: &Op, a: &Val, b: &Val, span: Span) -> Option<Val> {
        let member = self.operator(op, "", a, b, span)?;
        Some(self.inline(&member, vec![a.clone(), b.clone()]))
    }

    /// `target += right`
    pub(super) fn own_compound(&mut self, op: &Op, target: Val, right: Val, span: Span) {
        let left = self.deref(target.clone());
        match self.operator(op, "_assign", &left, &right, span) {
            Some(member) => {
                self.inline(&member, vec![target, right]);
            }
            None => {
                self.unknown_operator(span);
            }
        }
    }

    fn operator(&mut self, op: &Op, suffix: &str, a: &Val, b: &Val, span: Span) -> Option<Rc<Closure>> {
        let name = operator_name(op)?;
        let args = [a.clone(), b.clone()];
        let (a, b) = (self.type_name(a)?, self.type_name(b)?);
        // Operators on references do what those on values do.
        let sides = [("", ""), ("&", "&"), ("", "&"), ("&", "")];
        sides.iter().find_map(|(x, y)| self.member(&format!("{x}{a}::{name}{suffix}::{y}{b}"), &args, span))
    }

    fn unknown_operator(&mut self, span: Span) -> Val {
        self.error(
            span,
            "the macro does not see this operator of your own struct",
            "put `#[differentiable]` on the `impl` block that defines it, above this function and in its module; or compute \
             with the fields",
        );
        Val::Never
    }

    /// `-a` of a struct.
    pub(super) fn own_negative(&mut self, val: Val, span: Span) -> Val {
        match self.method_of(&val, "neg", span) {
            Some(member) => self.inline(&member, vec![val]),
            None => self.unknown_operator(span),
        }
    }

    /// `data.method(..)` with an active argument, of data whose type's `impl` block the macro has seen. `None` if it is
    /// anything else.
    pub(super) fn method_of_data(&mut self, e: &syn::ExprMethodCall) -> Option<Val> {
        if !self.is_foreign(&e.receiver) || self.is_passive(e.to_token_stream()) {
            return None;
        }
        let receiver = self.expr(&e.receiver).0;
        let Val::Scalar(v) = receiver else { return None };
        if !self.s.types.contains_key(&v) {
            return None;
        }
        let member = self.method_of(&receiver, &e.method.to_string(), e.method.span())?;
        let mut args = vec![receiver];
        for (a, p) in e.args.iter().zip(member.params.iter().skip(1).map(Some).chain(std::iter::repeat(None)))
        {
            args.push(self.argument(a, p));
        }
        Some(self.inline(&member, args))
    }

    /// `receiver.method(..)`
    pub(super) fn method_of_struct(&mut self, receiver: Val, e: &syn::ExprMethodCall) -> Val {
        if let Some(val) = self.factor_method(&receiver, e) {
            return val;
        }
        let span = e.method.span();
        let Some(member) = self.method_of(&receiver, &e.method.to_string(), span) else {
            if self.is_passive(e.to_token_stream()) {
                return self.verbatim(e.to_token_stream(), span, "", "");
            }
            self.error(
                span,
                format!("the macro does not see the method `{}` of this struct", e.method),
                "put `#[differentiable]` on the `impl` block that defines it, above this function and in its module; or \
                 write it as a closure or function inside this one",
            );
            return Val::Never;
        };
        // `&mut self` changes the variable.
        let changes = member.params.first().is_some_and(
            |p| matches!(p, syn::Pat::Type(p) if matches!(&*p.ty, syn::Type::Reference(r) if r.mutability.is_some())),
        );
        let place = &e.receiver;
        let receiver = if changes { self.expr(&syn::parse_quote!(&mut #place)).0 } else { receiver };
        let args = e.args.iter().enumerate().map(|(k, a)| self.argument(a, member.params.get(k + 1)));
        let args = std::iter::once(receiver).chain(args).collect();
        self.inline(&member, args)
    }
}

fn operator_name(op: &Op) -> Option<&'static str> {
    Some(match op {
        Op::Add => "add",
        Op::Sub => "sub",
        Op::Mul => "mul",
        Op::Div => "div",
        Op::Rem => "rem",
        _ => return None,
    })
}

/// A reference to a value of this very type, whatever references are in front of it. A plain annotation would let rustc go
/// through the user's `Deref` to another type, whose code is another.
pub(crate) fn exactly(ty: &str, value: &TokenStream, span: Span) -> TokenStream {
    let name = syn::Ident::new(ty, span);
    let message = format!(
        "the macro took this for a `{ty}`, whose code it has seen, and it is another: call the function of the type that is \
         meant by its path (`{ty}::name(&value, ..)`)"
    );
    let generics = crate::structs::find(ty).map(|item| item.generics).unwrap_or_default();
    let (generics, arguments, clause) = generics.split_for_impl();
    quote::quote_spanned!(span=> {
        #[diagnostic::on_unimplemented(message = #message)]
        trait __AdIs<Given: ?Sized, It: ?Sized> {
            fn it(given: &Given) -> &It;
        }
        struct __AdWay;
        impl #generics __AdIs<#name #arguments, #name #arguments> for __AdWay #clause {
            fn it(given: &#name #arguments) -> &#name #arguments { given }
        }
        impl<It: ?Sized, Given: ?Sized> __AdIs<&Given, It> for __AdWay where __AdWay: __AdIs<Given, It> {
            fn it<'a>(given: &'a &Given) -> &'a It { <__AdWay as __AdIs<Given, It>>::it(&**given) }
        }
        impl<It: ?Sized, Given: ?Sized> __AdIs<&mut Given, It> for __AdWay where __AdWay: __AdIs<Given, It> {
            fn it<'a>(given: &'a &mut Given) -> &'a It { <__AdWay as __AdIs<Given, It>>::it(&**given) }
        }
        impl<It: ?Sized, Given: ?Sized> __AdIs<::ad_runtime::__private::Box<Given>, It> for __AdWay
        where
            __AdWay: __AdIs<Given, It>,
        {
            fn it(given: &::ad_runtime::__private::Box<Given>) -> &It { <__AdWay as __AdIs<Given, It>>::it(&**given) }
        }
        <__AdWay as __AdIs<_, _>>::it(&#value)
    })
}
