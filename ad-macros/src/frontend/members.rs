//! Methods, operators and constants of the user's own structs: written out where they are used. The macro knows those of
//! `impl` blocks under `#[differentiable]`, and of those inside the function.

use std::rc::Rc;

use proc_macro2::Span;
use quote::ToTokens;
use rustc_hash::FxHashMap as HashMap;
use syn::spanned::Spanned;

use super::lower::Lower;
use super::value::{Closure, Val};
use crate::ir::{FloatKind, Op, Type};

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

    /// What `Vec3::new` or `Vec3::ZERO` names, if the macro knows it.
    pub(super) fn member_at(&mut self, path: &syn::Path) -> Option<Rc<Closure>> {
        let segments: Vec<&syn::PathSegment> = path.segments.iter().collect();
        let [.., ty, name] = segments.as_slice() else { return None };
        self.member(&format!("{}::{}", ty.ident, name.ident), &[], path.span())
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
    pub(super) fn own_operator(&mut self, op: &Op, a: Val, b: Val, span: Span) -> Val {
        let member = self.operator(op, "", &a, &b, span);
        match member {
            Some(member) => self.inline(&member, vec![a, b]),
            None => self.unknown_operator(span),
        }
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
        let name = match op {
            Op::Add => "add",
            Op::Sub => "sub",
            Op::Mul => "mul",
            Op::Div => "div",
            Op::Rem => "rem",
            _ => return None,
        };
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
        let args = e.args.iter().map(|a| self.expr(a).0);
        let args = std::iter::once(receiver).chain(args).collect();
        self.inline(&member, args)
    }
}
