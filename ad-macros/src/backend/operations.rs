//! Pure operations as expressions.

use proc_macro2::TokenStream;

use super::body::Body;
use super::expr::{self, Expr, Form, Prec};
use crate::ir::{Layout, Op, Type, Value};

impl Body<'_> {
    pub(super) fn op(&mut self, op: &Op, args: &[Value], result: Value) -> Expr {
        let kind = match self.func.ty(result) {
            Type::Float(kind) => kind.clone(),
            _ => crate::ir::FloatKind::F64,
        };
        match op {
            Op::Float(c) => expr::float(*c, &kind, false),
            Op::Int(text) => Expr::int(text),
            Op::Bool(b) => Expr { form: Form::Literal, ..Expr::atom(b.to_string()) },
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem => {
                let (sign, prec) = match op {
                    Op::Add => ("+", Prec::Add),
                    Op::Sub => ("-", Prec::Add),
                    Op::Mul => ("*", Prec::Mul),
                    Op::Div => ("/", Prec::Mul),
                    _ => ("%", Prec::Mul),
                };
                let (a, b) = (self.take(args[0]), self.take(args[1]));
                Expr::infix(&a, sign, &b, prec)
            }
            Op::Neg => {
                let a = self.take_at(args[0], Prec::Unary);
                Expr::new(format!("- {a}"), Prec::Unary)
            }
            Op::Not => {
                let a = self.take_at(args[0], Prec::Unary);
                Expr::new(format!("! {a}"), Prec::Unary)
            }
            Op::Cmp(c) => {
                let (a, b) = (self.take(args[0]), self.take(args[1]));
                Expr::infix(&a, expr::compare(*c), &b, Prec::Compare)
            }
            Op::And | Op::Or => {
                let (a, b) = (self.take(args[0]), self.take(args[1]));
                if matches!(op, Op::And) {
                    Expr::infix(&a, "&&", &b, Prec::And)
                } else {
                    Expr::infix(&a, "||", &b, Prec::Or)
                }
            }
            Op::Select => {
                let c = self.take(args[0]).text;
                let (mut a, b) = (self.take(args[1]), self.take(args[2]));
                // Two literals do not tell a method which float they are.
                if let Type::Float(kind) = self.func.ty(args[1])
                    && b.float_literal().is_some()
                    && let Some(c) = a.float_literal()
                {
                    a = expr::float(c, kind, true);
                }
                // An `if` at the start of a statement would end it: parentheses keep it an expression.
                Expr::atom(format!("(if {c} {{ {} }} else {{ {} }})", a.text, b.text))
            }
            Op::Inline(f) => {
                let argument = self.take(args[0]).text;
                Expr::atom(format!("::ad_runtime::__private::{}({argument})", f.method()))
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
                    let args: Vec<String> = args.iter().map(|a| self.take(*a).text).collect();
                    return expr::generic_function(kind, name, &args);
                }
                // A method of an integer would want its type to be known.
                if let (Op::Binary(crate::ir::Binary::Min), Type::Int) = (op, self.func.ty(args[0])) {
                    let args: Vec<String> = args.iter().map(|a| self.take(*a).text).collect();
                    return Expr::atom(format!("::core::cmp::min({})", args.join(", ")));
                }
                let receiver = self.receiver(args[0]);
                let rest: Vec<String> = args[1..].iter().map(|a| self.take(*a).text).collect();
                receiver.method(name, &rest)
            }
            // An exponent that becomes a factor.
            Op::Cast(_) if let crate::ir::FloatKind::Param(_) = kind => self.generic_cast(args[0], &kind),
            Op::Cast(_)
                if matches!(self.func.ty(args[0]), Type::Float(crate::ir::FloatKind::Param(_)))
                    && matches!(self.func.ty(result), Type::Float(_)) =>
            {
                self.generic_cast(args[0], &kind)
            }
            Op::Cast(to) => {
                let a = self.take_at(args[0], Prec::Cast);
                Expr::new(format!("{a} as {to}"), Prec::Cast)
            }
            Op::Len(b, axis) => {
                let name = self.buffer_text(*b);
                let data = self.func.buffer(*b);
                Expr::atom(match (data.layout, data.dims.len()) {
                    (Layout::Ndarray, 2..) => format!("{name}.shape()[{axis}usize]"),
                    (Layout::Nalgebra, 2..) => {
                        let extent = if *axis == 0 { "nrows" } else { "ncols" };
                        format!("{name}.{extent}()")
                    }
                    _ => format!("{name}{}.len()", "[0]".repeat(*axis)),
                })
            }
            Op::Custom(custom) => {
                let callee = self.pieces.add(custom.callee.tokens());
                let args: Vec<String> = args.iter().map(|a| self.argument(*a)).collect();
                Expr::atom(format!("{callee}({})", args.join(", ")))
            }
            Op::Verbatim(v) => {
                let tokens = self.verbatim(v, args);
                let (form, prec) = understood(&tokens);
                Expr { text: self.pieces.add(tokens), prec, form }
            }
        }
    }

    /// A conversion from or to a generic float.
    fn generic_cast(&mut self, v: Value, to: &crate::ir::FloatKind) -> Expr {
        let (a, ty) = (self.take(v).text, expr::float_text(to));
        Expr::atom(format!("::ad_runtime::__private::cast:: < {ty} > ({a})"))
    }

    /// A float that a method is called on: a literal needs its suffix.
    pub(super) fn receiver(&mut self, v: Value) -> Expr {
        let expr = self.take(v);
        match (expr.float_literal(), self.func.ty(v)) {
            (Some(c), Type::Float(kind)) => expr::float(c, kind, true),
            _ => expr,
        }
    }
}

/// What the user's own expression is.
fn understood(tokens: &TokenStream) -> (Form, Prec) {
    let Ok(expr) = syn::parse2::<syn::Expr>(tokens.clone()) else { return (Form::Verbatim, Prec::Lowest) };
    let literal = match &expr {
        syn::Expr::Lit(e) => Some((&e.lit, 1.0)),
        syn::Expr::Unary(syn::ExprUnary { op: syn::UnOp::Neg(_), expr, .. }) => match &**expr {
            syn::Expr::Lit(e) => Some((&e.lit, -1.0)),
            _ => None,
        },
        _ => None,
    };
    let form = literal.map_or(Form::Verbatim, |(literal, sign)| match literal {
        syn::Lit::Float(f) if f.suffix().is_empty() => {
            f.base10_parse::<f64>().map_or(Form::Literal, |c| Form::Float(sign * c))
        }
        _ => Form::Literal,
    });
    let simple = matches!(
        expr,
        syn::Expr::Path(_)
            | syn::Expr::Lit(_)
            | syn::Expr::Paren(_)
            | syn::Expr::Field(_)
            | syn::Expr::MethodCall(_)
            | syn::Expr::Call(_)
            | syn::Expr::Index(_)
            | syn::Expr::Macro(_)
    );
    (form, if simple { Prec::Postfix } else { Prec::Lowest })
}
