//! Expressions: tokens with a precedence, so that parentheses stand only where they are needed.

use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};

use crate::ir::{Cmp, FloatKind, Type};

/// How tightly an expression binds; the order is Rust's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Prec {
    Lowest,
    Or,
    And,
    Compare,
    Add,
    Mul,
    Cast,
    Unary,
    Postfix,
}

/// An expression.
#[derive(Clone)]
pub(super) struct Expr {
    pub(super) tokens: TokenStream,
    pub(super) prec: Prec,
}

impl Expr {
    pub(super) fn atom(tokens: impl ToTokens) -> Expr {
        Expr { tokens: tokens.to_token_stream(), prec: Prec::Postfix }
    }

    /// The tokens, in parentheses unless they bind at least as tightly as `prec`.
    pub(super) fn at(&self, prec: Prec) -> TokenStream {
        let tokens = &self.tokens;
        if self.prec >= prec { tokens.clone() } else { quote!((#tokens)) }
    }

    /// `a op b` for a left-associative operator.
    pub(super) fn infix(a: &Expr, op: TokenStream, b: &Expr, prec: Prec) -> Expr {
        let above = match prec {
            Prec::Add => Prec::Mul,
            Prec::Mul => Prec::Cast,
            Prec::Compare => Prec::Add,
            Prec::And => Prec::Compare,
            _ => Prec::And,
        };
        // `a as usize < b` would open generics.
        let left = if prec == Prec::Compare {
            a.at(if a.prec == Prec::Cast { Prec::Postfix } else { above })
        } else {
            a.at(prec)
        };
        let right = b.at(above);
        Expr { tokens: quote!(#left #op #right), prec }
    }

    /// `a.method(args)`
    pub(super) fn method(&self, name: &str, args: &[TokenStream]) -> Expr {
        let name = proc_macro2::Ident::new(name, proc_macro2::Span::call_site());
        let receiver = self.at(Prec::Postfix);
        Expr::atom(quote!(#receiver.#name(#(#args),*)))
    }
}

pub(super) fn compare(c: Cmp) -> TokenStream {
    match c {
        Cmp::Eq => quote!(==),
        Cmp::Ne => quote!(!=),
        Cmp::Lt => quote!(<),
        Cmp::Le => quote!(<=),
        Cmp::Gt => quote!(>),
        Cmp::Ge => quote!(>=),
    }
}

/// The Rust type of a float.
pub(super) fn float_type(kind: &FloatKind) -> TokenStream {
    match kind {
        FloatKind::F32 => quote!(f32),
        FloatKind::Param(name) => name.parse().unwrap_or_default(),
        FloatKind::F64 | FloatKind::Infer => quote!(f64),
    }
}

/// The type of a scalar, where the macro knows it.
pub(super) fn scalar_type(ty: &Type) -> Option<TokenStream> {
    match ty {
        Type::Float(kind) => Some(float_type(kind)),
        _ => None,
    }
}

/// A float constant, exactly; with a suffix so that it can be a receiver.
pub(super) fn float(c: f64, kind: &FloatKind, suffix: bool) -> Expr {
    let ty = float_type(kind);
    if let FloatKind::Param(_) = kind {
        let c = float(c, &FloatKind::F64, true).tokens;
        return Expr::atom(quote!(::ad_runtime::__private::float::<#ty>(#c)));
    }
    if c.is_nan() {
        return Expr::atom(quote!(#ty::NAN));
    }
    if c.is_infinite() {
        let name = if c > 0.0 { quote!(#ty::INFINITY) } else { quote!(#ty::NEG_INFINITY) };
        return Expr::atom(name);
    }
    // A literal has no sign.
    let positive = c.abs();
    let literal = match (suffix, kind) {
        (true, FloatKind::F32) => Literal::f32_suffixed(positive as f32),
        (true, _) => Literal::f64_suffixed(positive),
        (false, FloatKind::F32) => Literal::f32_unsuffixed(positive as f32),
        (false, _) => Literal::f64_unsuffixed(positive),
    };
    if c.is_sign_negative() {
        Expr { tokens: quote!(-#literal), prec: Prec::Unary }
    } else {
        Expr::atom(TokenTree::from(literal))
    }
}

pub(super) fn is_generic(ty: &Type) -> bool {
    matches!(ty, Type::Float(FloatKind::Param(_)))
}

/// Whether an expression is a constant as [`float`] prints it for generic floats.
pub(super) fn is_generic_constant(expr: &Expr) -> bool {
    expr.tokens.to_string().starts_with(&quote!(::ad_runtime::__private::float::).to_string())
}

/// A function of generic floats. By its path: another trait in scope may have a method of that name.
pub(super) fn generic_function(kind: &FloatKind, name: &str, args: &[TokenStream]) -> Expr {
    // What `Real` has not, although `f64` has.
    const HELPERS: [&str; 6] = ["clamp", "copysign", "div_euclid", "is_nan", "rem_euclid", "round_ties_even"];
    let ty = float_type(kind);
    let function = Ident::new(name, Span::call_site());
    if HELPERS.contains(&name) {
        return Expr::atom(quote!(::ad_runtime::__private::#function::<#ty>(#(#args),*)));
    }
    if name == "is_zero" {
        return Expr::atom(quote!(<#ty as ::ad_runtime::__private::Zero>::is_zero(&#(#args),*)));
    }
    let trait_name = match name {
        "is_finite" | "is_infinite" | "is_normal" | "is_subnormal" => quote!(Float),
        _ => quote!(Real),
    };
    Expr::atom(quote!(<#ty as ::ad_runtime::__private::#trait_name>::#function(#(#args),*)))
}
