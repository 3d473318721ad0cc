//! Methods, operators and constants of the user's own structs: written out where they are used. The macro knows those of
//! `impl` blocks under `#[differentiable]`, and of those inside the function.

use std::collections::BTreeSet;
use std::rc::Rc;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use rustc_hash::FxHashMap as HashMap;
use syn::spanned::Spanned;

use super::lower::Lower;
use super::place::Place;
use super::signature::{Class, Signature};
use super::value::{Closure, Val};
use crate::ir::{Dim, FloatKind, Op, Type, Value};

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

    pub(super) fn member(&mut self, name: &str, args: &[Val], span: Span) -> Option<Rc<Closure>> {
        if let Some(known) = self.written.get(name) {
            let known = known.clone();
            self.note_use(name);
            return Some(known);
        }
        let known = crate::functions::find(name)?;
        let closure = self.closure_of(name, &known, args, None, span)?;
        self.note_use(name);
        Some(closure)
    }

    /// Notes that code of a type is written out, which rustc is to check the types of parameters by.
    fn note_use(&mut self, member: &str) {
        if let Some((ty, _)) = member.trim_start_matches('&').split_once("::")
            && crate::structs::find(ty).is_some()
        {
            self.members_of.insert(ty.to_string());
        }
    }

    /// Writes out a member. Data that stands for values of the member's types is checked to be of them: types are told
    /// apart by their last names, and two may have the same one.
    fn written_member(
        &mut self,
        member: &Rc<Closure>,
        mut args: Vec<Val>,
        checked: usize,
        span: Span,
    ) -> Val {
        for (arg, param) in args.iter_mut().zip(&member.params).take(checked) {
            let Val::Scalar(v) = *arg else { continue };
            if *self.s.b.func.ty(v) != Type::Opaque || self.s.exact.contains(&v) || self.is_tainted(v) {
                continue;
            }
            let syn::Pat::Type(param) = param else { continue };
            let mut ty = &*param.ty;
            while let syn::Type::Reference(r) = ty {
                ty = &r.elem;
            }
            let syn::Type::Path(ty) = ty else { continue };
            if ty.path.segments.last().is_none_or(|s| ["f32", "f64"].iter().any(|float| s.ident == float)) {
                continue;
            }
            let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), Span::call_site());
            let told = self.pass(exactly(&ty.path, &quote::quote!(#hole), span), &[v], Type::Opaque);
            self.s.refs.insert(told);
            self.s.exact.insert(told);
            let declared = self.s.declared.get(&v).cloned();
            self.s.declare(told, &declared.unwrap_or_else(|| syn::Type::Path(ty.clone())));
            *arg = Val::Scalar(told);
        }
        self.inline(member, args)
    }

    /// `geo::Vec2::new`: that this is the type whose code is written out.
    fn same_type(&mut self, path: &syn::Path) {
        let (Some(last), true) = (path.segments.last(), path.segments.len() > 1) else { return };
        if ["self", "Self"].iter().any(|word| path.segments[0].ident == word) && path.segments.len() == 2 {
            return;
        }
        let assertion = same_type(path, &last.ident);
        if !self.assumptions.iter().any(|a| a.to_string() == assertion.to_string()) {
            self.assumptions.push(assertion);
        }
    }

    /// A method or unary operator of a value: that of the type, or else that of references to it.
    pub(super) fn method_of(&mut self, receiver: &Val, name: &str, span: Span) -> Option<Rc<Closure>> {
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
        if let Some(val) = self.method_of_a_trait(e) {
            return Some(val);
        }
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
        let path: syn::Path = match self.declared(&e.receiver) {
            Some(syn::Type::Path(p)) if p.path.segments.last().is_some_and(|s| s.ident == ty.as_str()) => {
                p.path
            }
            _ => syn::Ident::new(ty, Span::call_site()).into(),
        };
        let receiver = &e.receiver;
        let found = self.verbatim_operands(quote::quote!(#receiver), receiver.span())?;
        if found.tainted {
            return None;
        }
        let buffers = found.verbatim.buffers;
        // What a call gives lives on in a variable.
        let is_place = is_place(receiver);
        let tokens = if is_place {
            exactly(&path, &found.verbatim.code.tokens(), span)
        } else {
            let value = &found.verbatim.code;
            let checked = exactly(&path, &quote::quote!(value), span);
            quote::quote!({
                let value = #value;
                let _ = #checked;
                value
            })
        };
        let verbatim = crate::ir::Verbatim::new(tokens, buffers);
        let mut own = self.s.b.op_typed(Op::Verbatim(verbatim), &found.args, Type::Opaque);
        self.s.exact.insert(own);
        self.s.declare(own, &syn::Type::Path(syn::TypePath { attrs: Vec::new(), qself: None, path }));
        let member = self.member(&format!("{ty}::{name}"), &[Val::Scalar(own)], span)?;
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
        if is_place && by_reference {
            self.s.refs.insert(own);
        } else if is_place {
            let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), Span::call_site());
            own = self.pass(quote::quote!(*#hole), &[own], Type::Opaque);
            self.s.exact.insert(own);
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
        let found = match crate::functions::find(&key) {
            Some(known) if !self.written.contains_key(&key) => {
                self.closure_of(&key, &known, &[], Some(path), path.span())
            }
            _ => self.member(&key, &[], path.span()),
        }?;
        let mut of = path.clone();
        of.segments.pop();
        of.segments.pop_punct();
        self.same_type(&of);
        Some(found)
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
            Some(member) => self.written_member(&member, vec![a, b], 2, span),
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
        let name = syn::Ident::new(ty, Span::call_site());
        let told = self.pass(exactly(&name.into(), &quote::quote!(#hole), span), &[v], Type::Opaque);
        self.s.refs.insert(told);
        self.s.exact.insert(told);
        self.s.declare(told, &declared);
        *val = Val::Scalar(told);
    }

    /// `target += right` of data that becomes active by it: the struct that it is, taken apart. Its type is the one that it is
    /// declared to have, or the only one with this operator; rustc checks that it is.
    pub(super) fn opened_by_operator(&mut self, op: &Op, v: Value, right: &Val, span: Span) -> Option<Val> {
        if *self.s.b.func.ty(v) != Type::Opaque || self.is_tainted(v) {
            return None;
        }
        let (beside, name) = (self.type_name(right)?, operator_name(op)?);
        let found = crate::functions::operands(&format!("{name}_assign"), &beside, true);
        let ty = match (self.s.types.get(&v), &found[..]) {
            (Some(declared), found) => found.iter().find(|ty| **ty == **declared)?,
            // Of what no struct stands beside, it may be a number.
            (None, [ty]) if matches!(right, Val::Struct(..)) => ty,
            _ => return None,
        };
        let path: syn::Path = syn::parse_str(ty).ok()?;
        crate::structs::find(ty)?;
        let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), Span::call_site());
        let told = self.pass(exactly(&path, &quote::quote!(#hole), span), &[v], Type::Opaque);
        self.s.refs.insert(told);
        self.s.exact.insert(told);
        self.opened_as(told, &path)
    }

    /// `a + b` of data, if the macro knows the operator.
    pub(super) fn operator_of_data(&mut self, op: &Op, a: &Val, b: &Val, span: Span) -> Option<Val> {
        let member = self.operator(op, "", a, b, span)?;
        Some(self.written_member(&member, vec![a.clone(), b.clone()], 2, span))
    }

    /// `target += right`
    pub(super) fn own_compound(&mut self, op: &Op, target: Val, right: Val, span: Span) {
        let left = self.deref(target.clone());
        match self.operator(op, "_assign", &left, &right, span) {
            Some(member) => {
                self.written_member(&member, vec![target, right], 2, span);
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
            Some(member) => self.written_member(&member, vec![val], 1, span),
            None => self.unknown_operator(span),
        }
    }

    /// `data.method(..)` with an active argument, of data whose type's `impl` block the macro has seen. `None` if it is
    /// anything else.
    pub(super) fn method_of_data(&mut self, e: &syn::ExprMethodCall) -> Option<Val> {
        let of_data = self.is_foreign(&e.receiver) || self.is_item_of_data(&e.receiver);
        if !of_data || self.is_passive(e.to_token_stream()) {
            return None;
        }
        let receiver = self.expr(&e.receiver).0;
        let Val::Scalar(v) = receiver else { return None };
        if !self.s.types.contains_key(&v) {
            return None;
        }
        let member = self.method_of(&receiver, &e.method.to_string(), e.method.span())?;
        if changes_receiver(&member) {
            return Some(self.method_that_changes_data(e, v));
        }
        let mut args = vec![receiver];
        for (a, p) in e.args.iter().zip(member.params.iter().skip(1).map(Some).chain(std::iter::repeat(None)))
        {
            args.push(self.argument(a, p));
        }
        Some(self.written_member(&member, args, 1, e.method.span()))
    }

    /// `car.advance(u)` with `&mut self` and something active: the variable becomes the struct that it is, taken apart.
    fn method_that_changes_data(&mut self, e: &syn::ExprMethodCall, v: Value) -> Val {
        if !self.s.refs.contains(&v)
            && let Some(Place::Variable(var, path)) = self.place_quietly(&e.receiver)
            && *super::loops::part(&mut self.s.vars[var].val, &path) == Val::Scalar(v)
            && let Some(syn::Type::Path(ty)) = self.s.declared.get(&v).cloned()
            && let Some(opened) = self.opened_as(v, &ty.path)
        {
            self.set_at(var, &path, opened);
            return self.method_call(e);
        }
        if let Some(super::lower::Target::Part(var, path)) = self.led_to(&Val::Scalar(v)) {
            self.want_struct(var, &path);
        }
        self.error(
            e.method.span(),
            format!("`{}` changes data that the macro does not look into", e.method),
            "copy it into a variable of its own, and change that: `let mut car = *car;`, of a struct that derives `Differentiable`",
        );
        Val::Never
    }

    /// `nodes[i]` of a slice of values that the macro does not look into.
    fn is_item_of_data(&self, e: &syn::Expr) -> bool {
        let syn::Expr::Index(i) = e else { return false };
        let syn::Expr::Path(p) = &*i.expr else { return false };
        let var = p.path.get_ident().and_then(|name| self.lookup(&name.to_string()));
        var.is_some_and(|var| match &self.s.vars[var].val {
            Val::View(view) => {
                self.s.b.func.buffer(view.buffer).elem == Type::Opaque
                    && !self.s.tainted_buffers.contains(&view.buffer)
            }
            _ => false,
        })
    }

    /// `receiver.method(..)`
    /// A method of a struct; `reached` is the receiver before references in it are followed.
    pub(super) fn method_of_struct(&mut self, receiver: Val, reached: Val, e: &syn::ExprMethodCall) -> Val {
        if let Some(val) = self
            .factor_method(&receiver, e)
            .or_else(|| self.lu_method(&receiver, e))
            .or_else(|| self.map_method(&receiver, e))
        {
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
        let changes = changes_receiver(&member);
        let place = &e.receiver;
        let receiver = match reached {
            _ if !changes => receiver,
            _ if is_place(place) => self.expr(&syn::parse_quote!(&mut #place)).0,
            // What a call gave is not called for again: the reference that it is, or a value of its own.
            Val::RefMut(..) => reached,
            reached if self.is_row_of_parts(&reached) => reached,
            value => {
                let value = self.own(value, true, "value");
                Val::RefMut(self.new_var("value", true, value), Vec::new())
            }
        };
        let args = e.args.iter().enumerate().map(|(k, a)| self.argument(a, member.params.get(k + 1)));
        let args = std::iter::once(receiver).chain(args).collect();
        self.inline(&member, args)
    }
}

/// Whether a method takes `&mut self`.
fn changes_receiver(member: &Closure) -> bool {
    let mutable = |p: &syn::PatType| matches!(&*p.ty, syn::Type::Reference(r) if r.mutability.is_some());
    member.params.first().is_some_and(|p| matches!(p, syn::Pat::Type(p) if mutable(p)))
}

/// Whether an expression names something that is there already.
pub(super) fn is_place(e: &syn::Expr) -> bool {
    match e {
        syn::Expr::Path(_) => true,
        syn::Expr::Field(f) => is_place(&f.base),
        syn::Expr::Index(i) => is_place(&i.expr),
        syn::Expr::Paren(p) => is_place(&p.expr),
        syn::Expr::Reference(r) => is_place(&r.expr),
        syn::Expr::Unary(u) => matches!(u.op, syn::UnOp::Deref(_)) && is_place(&u.expr),
        _ => false,
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
pub(crate) fn exactly(path: &syn::Path, value: &TokenStream, span: Span) -> TokenStream {
    let mut path = path.clone();
    let Some(last) = path.segments.last_mut() else { return value.clone() };
    // Of whatever arguments: they follow from the value, and some have names that mean nothing here.
    let infer = |is_lifetime: bool| if is_lifetime { quote::quote!('_) } else { quote::quote!(_) };
    let seen = crate::structs::find(&last.ident.to_string());
    let arguments: Vec<TokenStream> = match (&seen, &last.arguments) {
        (Some(item), _) => {
            let params = item.generics.params.iter();
            params.map(|p| infer(matches!(p, syn::GenericParam::Lifetime(_)))).collect()
        }
        (None, syn::PathArguments::AngleBracketed(given)) => {
            let given = given.args.iter();
            given.map(|a| infer(matches!(a, syn::GenericArgument::Lifetime(_)))).collect()
        }
        (None, _) => Vec::new(),
    };
    last.arguments = syn::PathArguments::None;
    if seen.is_some() {
        // As it is called here.
        path = syn::Ident::new(&last.ident.to_string(), span).into();
    }
    quote::quote_spanned!(span=> ::ad_runtime::__private::exactly::<#path<#(#arguments),*>, _, _>(&#value))
}

/// That structs in parameters are the ones of that name here, where members of them are written out: a field's type was named in
/// another module, and a parameter's path may lead there.
pub(super) fn types_within(sig: &Signature, members_of: &BTreeSet<String>) -> Option<TokenStream> {
    if members_of.is_empty() {
        return None;
    }
    let active = sig.params.iter().filter(|p| matches!(p.class, Class::Record(_) | Class::Records(..)));
    let checks: Vec<TokenStream> = active
        .filter_map(|p| {
            let (name, ty) = (&p.ident, &p.ty);
            let mut found = Vec::new();
            within(ty, &name.to_token_stream(), members_of, 0, &mut found);
            let generics = &sig.generics;
            let (params, _, clause) = generics.split_for_impl();
            (!found.is_empty()).then(
                || quote::quote!(const _: () = { fn checked #params (#name: #ty) #clause { #(#found;)* } };),
            )
        })
        .collect();
    Some(checks.into_iter().collect())
}

/// Finds the places in a value whose types are to be checked.
fn within(
    ty: &syn::Type,
    at: &TokenStream,
    members_of: &BTreeSet<String>,
    depth: usize,
    found: &mut Vec<TokenStream>,
) {
    match ty {
        syn::Type::Reference(r) => within(&r.elem, at, members_of, depth, found),
        syn::Type::Paren(p) => within(&p.elem, at, members_of, depth, found),
        syn::Type::Group(g) => within(&g.elem, at, members_of, depth, found),
        syn::Type::Array(syn::TypeArray { elem, .. }) | syn::Type::Slice(syn::TypeSlice { elem, .. }) => {
            within(elem, &quote::quote!(#at.first().unwrap()), members_of, depth, found);
        }
        syn::Type::Tuple(t) => {
            for (k, elem) in t.elems.iter().enumerate() {
                let k = syn::Index::from(k);
                within(elem, &quote::quote!(#at.#k), members_of, depth, found);
            }
        }
        syn::Type::Path(p) if depth <= DEEPEST => {
            let Some(last) = p.path.segments.last() else { return };
            if let (true, syn::PathArguments::AngleBracketed(args)) = (last.ident == "Vec", &last.arguments)
                && let Some(syn::GenericArgument::Type(elem)) = args.args.first()
            {
                return within(elem, &quote::quote!(#at.first().unwrap()), members_of, depth, found);
            }
            let name = last.ident.to_string();
            let elsewhere = depth > 0 || p.path.segments.len() > 1;
            if elsewhere && members_of.contains(&name) {
                found.push(exactly(&last.ident.clone().into(), at, last.ident.span()));
            }
            let fields = crate::structs::instance(&p.path).map(|item| super::records::fields_of(&item));
            for field in fields.into_iter().flatten() {
                let member = &field.member;
                within(&field.ty, &quote::quote!(#at.#member), members_of, depth + 1, found);
            }
        }
        _ => {}
    }
}

/// A struct in itself (by a vector) is not followed further than this.
const DEEPEST: usize = 5;

/// That a path names the type that its last name alone names here.
pub(crate) fn same_type(path: &syn::Path, name: &syn::Ident) -> TokenStream {
    let (path, mut name) = (crate::structs::with_any_arguments(path), syn::Path::from(name.clone()));
    if let (Some(from), Some(to)) = (path.segments.last(), name.segments.last_mut()) {
        to.arguments = from.arguments.clone();
    }
    quote::quote_spanned!(path.span()=>
        const _: fn(::core::marker::PhantomData<#path>) -> ::core::marker::PhantomData<#name> = |same| same;
    )
}
