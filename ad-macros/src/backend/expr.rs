//! Expressions: text with a precedence, so that parentheses stand only where they are needed, and with what others
//! ask about it.

use std::borrow::Cow;

use proc_macro2::TokenStream;
use quote::quote;

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

/// What an expression is, as far as anybody asks.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// A number or a bool.
    Literal,
    /// A float literal without a suffix, and its value.
    Float(f64),
    /// A constant of a generic float.
    Generic,
    /// `a op b`, and how long `a` is.
    Infix(&'static str, usize),
    /// The user's own code.
    Verbatim,
    Other,
}

/// An expression.
#[derive(Clone)]
pub(super) struct Expr {
    pub(super) text: String,
    pub(super) prec: Prec,
    pub(super) form: Form,
}

impl Expr {
    pub(super) fn new(text: impl Into<String>, prec: Prec) -> Expr {
        Expr { text: text.into(), prec, form: Form::Other }
    }

    pub(super) fn atom(text: impl Into<String>) -> Expr {
        Expr::new(text, Prec::Postfix)
    }

    /// An integer, or the name of one.
    pub(super) fn int(text: &str) -> Expr {
        let digits = text.trim_start_matches('-').trim_start();
        let literal = digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.chars().all(|c| c.is_alphanumeric() || c == '_');
        Expr {
            text: text.to_string(),
            prec: if text.starts_with('-') { Prec::Unary } else { Prec::Postfix },
            form: if literal { Form::Literal } else { Form::Other },
        }
    }

    /// The text, in parentheses unless it binds at least as tightly as `prec`.
    pub(super) fn at(&self, prec: Prec) -> Cow<'_, str> {
        let text = &self.text;
        if self.prec >= prec { text.into() } else { format!("({text})").into() }
    }

    /// `a op b` for a left-associative operator.
    pub(super) fn infix(a: &Expr, op: &'static str, b: &Expr, prec: Prec) -> Expr {
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
        Expr { text: format!("{left} {op} {right}"), prec, form: Form::Infix(op, left.len()) }
    }

    /// The parts of `a op b`.
    pub(super) fn parts(&self) -> Option<(&str, &'static str, &str)> {
        let Form::Infix(op, len) = self.form else { return None };
        // There are spaces around the operator.
        Some((self.text.get(..len)?, op, self.text.get(len + op.len() + 2..)?))
    }

    /// `a.method(args)`
    pub(super) fn method(&self, name: &str, args: &[String]) -> Expr {
        let receiver = self.at(Prec::Postfix);
        Expr::atom(format!("{receiver}.{name}({})", args.join(", ")))
    }

    pub(super) fn is_literal(&self) -> bool {
        matches!(self.form, Form::Literal | Form::Float(_))
    }

    /// Whether it is a name or a number alone.
    pub(super) fn is_atom(&self) -> bool {
        self.text.chars().all(super::text::is_in_name) && !super::text::is_placeholder(&self.text)
    }

    /// Whether it is a constant as [`float`] prints it for generic floats.
    pub(super) fn is_generic_constant(&self) -> bool {
        matches!(self.form, Form::Generic)
    }

    /// The number that it is, if it is a float literal without a suffix.
    pub(super) fn float_literal(&self) -> Option<f64> {
        match self.form {
            Form::Float(c) => Some(c),
            _ => None,
        }
    }
}

pub(super) fn compare(c: Cmp) -> &'static str {
    match c {
        Cmp::Eq => "==",
        Cmp::Ne => "!=",
        Cmp::Lt => "<",
        Cmp::Le => "<=",
        Cmp::Gt => ">",
        Cmp::Ge => ">=",
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

/// [`float_type`] as text.
pub(super) fn float_text(kind: &FloatKind) -> &str {
    match kind {
        FloatKind::F32 => "f32",
        FloatKind::Param(name) => name,
        FloatKind::F64 | FloatKind::Infer => "f64",
    }
}

/// The type of a scalar, where the macro knows it.
pub(super) fn scalar_type(ty: &Type) -> Option<TokenStream> {
    match ty {
        Type::Float(kind) => Some(float_type(kind)),
        _ => None,
    }
}

/// [`scalar_type`] as text.
pub(super) fn scalar_text(ty: &Type) -> Option<&str> {
    match ty {
        Type::Float(kind) => Some(float_text(kind)),
        _ => None,
    }
}

/// `: ty`, where there is a type.
pub(super) fn annotation(ty: Option<&str>) -> String {
    ty.map_or_else(String::new, |ty| format!(": {ty}"))
}

/// A single one as it is, several as a tuple.
pub(super) fn tuple(mut list: Vec<String>) -> String {
    if list.len() == 1 { list.remove(0) } else { format!("({})", list.join(", ")) }
}

/// A float constant, exactly; with a suffix so that it can be a receiver.
pub(super) fn float(c: f64, kind: &FloatKind, suffix: bool) -> Expr {
    let ty = float_text(kind);
    if let FloatKind::Param(_) = kind {
        let c = float(c, &FloatKind::F64, true).text;
        let text = format!("::ad_runtime::__private::float:: < {ty} > ({c})");
        return Expr { form: Form::Generic, ..Expr::atom(text) };
    }
    if c.is_nan() {
        return Expr::atom(format!("{ty}::NAN"));
    }
    if c.is_infinite() {
        let name = if c > 0.0 { "INFINITY" } else { "NEG_INFINITY" };
        return Expr::atom(format!("{ty}::{name}"));
    }
    // A literal has no sign.
    let positive = c.abs();
    let mut text = match kind {
        FloatKind::F32 => (positive as f32).to_string(),
        _ => positive.to_string(),
    };
    let mut form = Form::Literal;
    if suffix {
        text.push_str(ty);
    } else {
        if !text.contains('.') {
            text.push_str(".0");
        }
        form = Form::Float(text.parse::<f64>().unwrap_or(positive).copysign(c));
    }
    if c.is_sign_negative() {
        Expr { text: format!("-{text}"), prec: Prec::Unary, form }
    } else {
        Expr { text, prec: Prec::Postfix, form }
    }
}

pub(super) fn is_generic(ty: &Type) -> bool {
    matches!(ty, Type::Float(FloatKind::Param(_)))
}

/// A function of generic floats. By its path: another trait in scope may have a method of that name.
pub(super) fn generic_function(kind: &FloatKind, name: &str, args: &[String]) -> Expr {
    // What `Real` has not, although `f64` has.
    const HELPERS: [&str; 6] = ["clamp", "copysign", "div_euclid", "is_nan", "rem_euclid", "round_ties_even"];
    let (ty, args) = (float_text(kind), args.join(", "));
    if HELPERS.contains(&name) {
        return Expr::atom(format!("::ad_runtime::__private::{name}:: < {ty} > ({args})"));
    }
    if name == "is_zero" {
        return Expr::atom(format!("< {ty} as ::ad_runtime::__private::Zero > ::is_zero(& {args})"));
    }
    let trait_name = match name {
        "is_finite" | "is_infinite" | "is_normal" | "is_subnormal" => "Float",
        _ => "Real",
    };
    Expr::atom(format!("< {ty} as ::ad_runtime::__private::{trait_name} > ::{name}({args})"))
}
