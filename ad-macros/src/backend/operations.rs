//! Pure operations as expressions.

use proc_macro2::TokenStream;
use quote::quote;

use super::body::Body;
use super::expr::{self, Expr, Prec};
use crate::ir::{Layout, Op, Type, Value};

impl Body<'_> {
    pub(super) fn op(&mut self, op: &Op, args: &[Value], result: Value) -> Expr {
        let kind = match self.func.ty(result) {
            Type::Float(kind) => kind.clone(),
            _ => crate::ir::FloatKind::F64,
        };
        match op {
            Op::Float(c) => expr::float(*c, &kind, false),
            Op::Int(text) => {
                let prec = if text.starts_with('-') { Prec::Unary } else { Prec::Postfix };
                Expr { tokens: text.parse().unwrap_or_default(), prec }
            }
            Op::Bool(b) => Expr::atom(quote!(#b)),
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem => {
                let (sign, prec) = match op {
                    Op::Add => (quote!(+), Prec::Add),
                    Op::Sub => (quote!(-), Prec::Add),
                    Op::Mul => (quote!(*), Prec::Mul),
                    Op::Div => (quote!(/), Prec::Mul),
                    _ => (quote!(%), Prec::Mul),
                };
                let (a, b) = (self.take(args[0]), self.take(args[1]));
                Expr::infix(&a, sign, &b, prec)
            }
            Op::Neg => {
                let a = self.take_at(args[0], Prec::Unary);
                Expr { tokens: quote!(-#a), prec: Prec::Unary }
            }
            Op::Not => {
                let a = self.take_at(args[0], Prec::Unary);
                Expr { tokens: quote!(!#a), prec: Prec::Unary }
            }
            Op::Cmp(c) => {
                let (a, b) = (self.take(args[0]), self.take(args[1]));
                Expr::infix(&a, expr::compare(*c), &b, Prec::Compare)
            }
            Op::And | Op::Or => {
                let (a, b) = (self.take(args[0]), self.take(args[1]));
                if matches!(op, Op::And) {
                    Expr::infix(&a, quote!(&&), &b, Prec::And)
                } else {
                    Expr::infix(&a, quote!(||), &b, Prec::Or)
                }
            }
            Op::Select => {
                let c = self.take(args[0]).tokens;
                let (mut a, b) = (self.take(args[1]).tokens, self.take(args[2]).tokens);
                // Two literals do not tell a method which float they are.
                let literal = |tokens: &TokenStream| float_literal(tokens).is_some();
                if let Type::Float(kind) = self.func.ty(args[1])
                    && literal(&b)
                    && let Some(c) = float_literal(&a)
                {
                    a = expr::float(c, kind, true).tokens;
                }
                // An `if` at the start of a statement would end it: parentheses keep it an expression.
                Expr::atom(quote!((if #c { #a } else { #b })))
            }
            Op::Unary(_) | Op::Binary(_) | Op::Powi | Op::MulAdd | Op::Clamp | Op::Test(_) => {
                let name = match op {
                    Op::Unary(f) => f.method(),
                    Op::Binary(f) => f.method(),
                    Op::Powi => "powi",
                    Op::MulAdd => "mul_add",
                    Op::Clamp => "clamp",
                    Op::Test(name) => name,
                    _ => "",
                };
                if let Type::Float(kind @ crate::ir::FloatKind::Param(_)) = self.func.ty(args[0]) {
                    let args: Vec<TokenStream> = args.iter().map(|a| self.take(*a).tokens).collect();
                    return expr::generic_function(kind, name, &args);
                }
                let receiver = self.receiver(args[0]);
                let rest: Vec<TokenStream> = args[1..].iter().map(|a| self.take(*a).tokens).collect();
                receiver.method(name, &rest)
            }
            // An exponent that becomes a factor.
            Op::Cast(_) if let crate::ir::FloatKind::Param(_) = kind => {
                let a = self.take(args[0]).tokens;
                let ty = expr::float_type(&kind);
                Expr::atom(quote!(::ad_runtime::__private::cast::<#ty>(#a)))
            }
            Op::Cast(_)
                if matches!(self.func.ty(args[0]), Type::Float(crate::ir::FloatKind::Param(_)))
                    && matches!(self.func.ty(result), Type::Float(_)) =>
            {
                let a = self.take(args[0]).tokens;
                let ty = expr::float_type(&kind);
                Expr::atom(quote!(::ad_runtime::__private::cast::<#ty>(#a)))
            }
            Op::Cast(to) => {
                let a = self.take_at(args[0], Prec::Cast);
                let to: TokenStream = to.parse().unwrap_or_default();
                Expr { tokens: quote!(#a as #to), prec: Prec::Cast }
            }
            Op::Len(b, axis) => {
                let name = self.buffer_name(*b);
                let data = self.func.buffer(*b);
                match (data.layout, data.dims.len()) {
                    (Layout::Ndarray, 2..) => return Expr::atom(quote!(#name.shape()[#axis])),
                    (Layout::Nalgebra, 2..) => {
                        let rows = if *axis == 0 { quote!(nrows) } else { quote!(ncols) };
                        return Expr::atom(quote!(#name.#rows()));
                    }
                    _ => {}
                }
                let inner = (0..*axis).map(|_| quote!([0]));
                Expr::atom(quote!(#name #(#inner)*.len()))
            }
            Op::Custom(custom) => {
                let callee = &custom.callee;
                let args: Vec<TokenStream> = args.iter().map(|a| self.argument(*a)).collect();
                Expr::atom(quote!(#callee(#(#args),*)))
            }
            Op::Verbatim(v) => {
                let tokens = self.verbatim(v, args);
                let simple = syn::parse2::<syn::Expr>(tokens.clone()).is_ok_and(|e| {
                    matches!(
                        e,
                        syn::Expr::Path(_)
                            | syn::Expr::Lit(_)
                            | syn::Expr::Paren(_)
                            | syn::Expr::Field(_)
                            | syn::Expr::MethodCall(_)
                            | syn::Expr::Call(_)
                            | syn::Expr::Index(_)
                            | syn::Expr::Macro(_)
                    )
                });
                Expr { tokens, prec: if simple { Prec::Postfix } else { Prec::Lowest } }
            }
        }
    }

    /// A float that a method is called on: a literal needs its suffix.
    pub(super) fn receiver(&mut self, v: Value) -> Expr {
        let expr = self.take(v);
        let literal = float_literal(&expr.tokens);
        match (literal, self.func.ty(v)) {
            (Some(c), Type::Float(kind)) => expr::float(c, kind, true),
            _ => expr,
        }
    }
}

/// The number that tokens are, if they are a float literal without a suffix.
fn float_literal(tokens: &TokenStream) -> Option<f64> {
    match syn::parse2::<syn::Expr>(tokens.clone()).ok()? {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Float(f), .. }) if f.suffix().is_empty() => {
            f.base10_parse().ok()
        }
        syn::Expr::Unary(syn::ExprUnary { op: syn::UnOp::Neg(_), expr, .. }) => match *expr {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Float(f), .. }) if f.suffix().is_empty() => {
                f.base10_parse::<f64>().ok().map(|c| -c)
            }
            _ => None,
        },
        _ => None,
    }
}
