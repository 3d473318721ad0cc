//! Expressions.

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;

use super::lower::{Flow, Lower, Val, View};
use super::signature::float_kind;
use crate::ir::{Cmp, FloatKind, Op, Type, Verbatim};

impl Lower<'_> {
    /// Lowers an expression: what it is, and how control goes on.
    pub(super) fn expr(&mut self, e: &syn::Expr) -> (Val, Flow) {
        let falls = |val: Val| (val, Flow::Falls);
        match e {
            syn::Expr::Paren(p) => self.expr(&p.expr),
            syn::Expr::Group(g) => self.expr(&g.expr),
            syn::Expr::Block(b) => {
                if let Some(label) = &b.label {
                    self.error(label.span(), "labelled blocks are not supported", "use `if` and `else`");
                }
                self.block(&b.block)
            }
            syn::Expr::If(i) => self.if_expr(i),
            syn::Expr::Match(m) => self.match_expr(m),
            syn::Expr::ForLoop(l) => self.for_expr(l),
            syn::Expr::While(l) => self.while_expr(l),
            syn::Expr::Loop(l) => self.loop_expr(l),
            syn::Expr::Return(r) => self.return_expr(r),
            syn::Expr::Break(b) => self.leave_loop(b.label.as_ref(), b.expr.as_deref(), b.span(), false),
            syn::Expr::Continue(c) => self.leave_loop(c.label.as_ref(), None, c.span(), true),
            syn::Expr::Macro(m) if super::verbatim::is_exit(&m.mac) => {
                let flow = self.macro_stmt(&m.mac);
                (Val::Never, flow)
            }
            _ => {
                let tail = std::mem::replace(&mut self.tail, false);
                let val = self.plain(e);
                self.tail = tail;
                falls(val)
            }
        }
    }

    /// An expression without control flow of its own.
    fn plain(&mut self, e: &syn::Expr) -> Val {
        if let Some(val) = self.generic(e) {
            return val;
        }
        match e {
            syn::Expr::Lit(l) => self.literal(l),
            syn::Expr::Path(p) => self.path(p),
            syn::Expr::Unary(u) => self.unary_expr(u),
            syn::Expr::Binary(b) => self.binary(b),
            syn::Expr::Cast(c) => self.cast(c),
            syn::Expr::Reference(r) => self.reference(r),
            syn::Expr::Index(i) => self.index_expr(i),
            syn::Expr::MethodCall(m) => self.method_call(m),
            syn::Expr::Call(c) => self.call(c),
            syn::Expr::Array(a) => {
                let list: Vec<syn::Expr> = a.elems.iter().cloned().collect();
                self.array_literal(&list, false, a.span())
            }
            syn::Expr::Repeat(r) => self.repeat_expr(r),
            syn::Expr::Tuple(t) => {
                let list = t.elems.iter().map(|e| self.expr(e).0).collect();
                Val::Tuple(list)
            }
            syn::Expr::Field(f) => self.field(f),
            syn::Expr::Assign(a) => {
                let (val, _) = self.expr(&a.right);
                self.assign(&a.left, val);
                Val::Tuple(Vec::new())
            }
            syn::Expr::Macro(m) if m.mac.path.is_ident("vec") => self.vec_macro(&m.mac),
            syn::Expr::Macro(m) => {
                let name = m.mac.path.to_token_stream().to_string();
                self.verbatim(
                    e.to_token_stream(),
                    m.mac.path.span(),
                    &format!("the macro does not know what `{name}!` does with an active value"),
                    "write the code out, or move it into a `#[differentiable]` function",
                )
            }
            other => self.refuse(other),
        }
    }

    /// What is not looked into: passed through if nothing active is in it.
    fn refuse(&mut self, e: &syn::Expr) -> Val {
        let (what, instead) = match e {
            syn::Expr::Closure(_) => (
                "closures over active values are not supported yet",
                "write the code where it is used, or as a `#[differentiable]` function",
            ),
            syn::Expr::Try(_) => (
                "`?` on something active is not supported yet",
                "handle the error before the function is called",
            ),
            syn::Expr::Struct(_) => (
                "structs that hold active values are not supported yet",
                "use local variables, tuples or arrays of floats",
            ),
            syn::Expr::Unsafe(_) => {
                ("generated code is safe: `unsafe` is not differentiated", "write the safe form")
            }
            syn::Expr::Async(_) | syn::Expr::Await(_) => {
                ("`async` code has no derivative", "make the numeric part a plain function")
            }
            syn::Expr::Range(_) => {
                ("a range of active values has no meaning", "use it in the head of a loop or in an index")
            }
            syn::Expr::Let(_) => {
                ("`let` in conditions is not supported yet", "use `match` or `if` on the value")
            }
            _ => (
                "this is not supported with active values",
                "write it with arithmetic, loops, `if` and local arrays",
            ),
        };
        if let syn::Expr::Unsafe(u) = e {
            self.error(u.span(), what, instead);
            return Val::Never;
        }
        self.verbatim(e.to_token_stream(), e.span(), what, instead)
    }

    fn literal(&mut self, l: &syn::ExprLit) -> Val {
        match &l.lit {
            syn::Lit::Float(f) => {
                let kind = match f.suffix() {
                    "f64" => FloatKind::F64,
                    "f32" => FloatKind::F32,
                    _ => FloatKind::Infer,
                };
                match f.base10_parse::<f64>() {
                    // An f32 literal rounds once, from the decimal.
                    Ok(c) => Val::Scalar(self.s.b.float(c, Type::Float(kind))),
                    Err(e) => {
                        self.diagnostics.push(e);
                        Val::Never
                    }
                }
            }
            syn::Lit::Int(i) if matches!(i.suffix(), "f64" | "f32") => {
                let kind = if i.suffix() == "f64" { FloatKind::F64 } else { FloatKind::F32 };
                let c: f64 = i.base10_digits().parse().unwrap_or(f64::NAN);
                Val::Scalar(self.s.b.float(c, Type::Float(kind)))
            }
            syn::Lit::Int(i) => Val::Scalar(self.s.b.int(&i.to_string())),
            syn::Lit::Bool(b) => Val::Scalar(self.s.b.boolean(b.value)),
            _ => self.verbatim(l.to_token_stream(), l.span(), "", ""),
        }
    }

    fn path(&mut self, p: &syn::ExprPath) -> Val {
        if let Some(var) = p.path.get_ident().and_then(|i| self.lookup(&i.to_string())) {
            return self.s.vars[var].val.clone();
        }
        // A constant. Of those of the float types, and of the function's own, the macro knows that they are floats.
        let kind = match p.path.get_ident().and_then(|i| self.consts.get(&i.to_string())) {
            Some(kind) => kind.clone(),
            None => self.float_constant(&p.path),
        };
        let verbatim = Verbatim { tokens: p.to_token_stream(), buffers: Vec::new() };
        let ty = kind.map_or(Type::Opaque, Type::Float);
        Val::Scalar(self.s.b.op_typed(Op::Verbatim(verbatim), &[], ty))
    }

    fn float_constant(&self, path: &syn::Path) -> Option<FloatKind> {
        let kind = |s: &str| match s {
            "f64" => Some(FloatKind::F64),
            "f32" => Some(FloatKind::F32),
            _ => None,
        };
        let list: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        match list.as_slice() {
            // `f64::MAX`, but not `f64::DIGITS`
            [.., ty, name] if kind(ty).is_some() => {
                let floats = ["MAX", "MIN", "EPSILON", "INFINITY", "NEG_INFINITY", "NAN", "MIN_POSITIVE"];
                floats.contains(&name.as_str()).then(|| kind(ty)).flatten()
            }
            [.., ty, consts, _] if consts == "consts" => kind(ty),
            _ => None,
        }
    }

    fn unary_expr(&mut self, u: &syn::ExprUnary) -> Val {
        match u.op {
            syn::UnOp::Neg(_) => {
                // A negative integer literal is one.
                if let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(i), .. }) = &*u.expr
                    && !matches!(i.suffix(), "f64" | "f32")
                {
                    return Val::Scalar(self.s.b.int(&format!("-{i}")));
                }
                let val = self.expr(&u.expr).0;
                let val = self.deref(val);
                match self.scalar(val, u.expr.span()) {
                    Some(v) => Val::Scalar(self.op(Op::Neg, &[v])),
                    None => Val::Never,
                }
            }
            syn::UnOp::Not(_) => {
                let val = self.expr(&u.expr).0;
                match self.scalar(val, u.expr.span()) {
                    Some(v) => Val::Scalar(self.op(Op::Not, &[v])),
                    None => Val::Never,
                }
            }
            syn::UnOp::Deref(_) => match self.expr(&u.expr).0 {
                // A reference to an opaque value is one: `*` stays with it.
                Val::Scalar(v) if *self.s.b.func.ty(v) == Type::Opaque && !self.is_element(&u.expr) => self
                    .verbatim(
                        u.to_token_stream(),
                        u.span(),
                        "the macro does not look into this reference",
                        "pass the number itself",
                    ),
                val => self.deref(val),
            },
            _ => self.refuse(&syn::Expr::Unary(u.clone())),
        }
    }

    /// Whether an expression is a variable bound to an element of an opaque slice, whose `*` has been taken already.
    fn is_element(&self, e: &syn::Expr) -> bool {
        let syn::Expr::Path(p) = e else { return false };
        let Some(var) = p.path.get_ident().and_then(|i| self.lookup(&i.to_string())) else { return false };
        let Val::Scalar(v) = self.s.vars[var].val else { return false };
        self.s.b.is_load(v)
    }

    fn binary(&mut self, e: &syn::ExprBinary) -> Val {
        use syn::BinOp;
        let arithmetic = match e.op {
            BinOp::Add(_) | BinOp::AddAssign(_) => Some(Op::Add),
            BinOp::Sub(_) | BinOp::SubAssign(_) => Some(Op::Sub),
            BinOp::Mul(_) | BinOp::MulAssign(_) => Some(Op::Mul),
            BinOp::Div(_) | BinOp::DivAssign(_) => Some(Op::Div),
            BinOp::Rem(_) | BinOp::RemAssign(_) => Some(Op::Rem),
            BinOp::Eq(_) => Some(Op::Cmp(Cmp::Eq)),
            BinOp::Ne(_) => Some(Op::Cmp(Cmp::Ne)),
            BinOp::Lt(_) => Some(Op::Cmp(Cmp::Lt)),
            BinOp::Le(_) => Some(Op::Cmp(Cmp::Le)),
            BinOp::Gt(_) => Some(Op::Cmp(Cmp::Gt)),
            BinOp::Ge(_) => Some(Op::Cmp(Cmp::Ge)),
            _ => None,
        };
        let assigns = matches!(
            e.op,
            BinOp::AddAssign(_)
                | BinOp::SubAssign(_)
                | BinOp::MulAssign(_)
                | BinOp::DivAssign(_)
                | BinOp::RemAssign(_)
        );
        match (arithmetic, &e.op) {
            (Some(op), _) if assigns => {
                self.compound(e, op);
                Val::Tuple(Vec::new())
            }
            (Some(op), _) => {
                let a = self.expr(&e.left).0;
                let b = self.expr(&e.right).0;
                let (a, b) = (self.deref(a), self.deref(b));
                if let (Op::Cmp(_), Val::Tuple(_) | Val::View(_), _)
                | (Op::Cmp(_), _, Val::Tuple(_) | Val::View(_)) = (&op, &a, &b)
                {
                    return self.verbatim(
                        e.to_token_stream(),
                        e.span(),
                        "whole arrays of active values cannot be compared",
                        "compare the elements",
                    );
                }
                match (self.scalar(a, e.left.span()), self.scalar(b, e.right.span())) {
                    (Some(a), Some(b)) => Val::Scalar(self.op(op, &[a, b])),
                    _ => Val::Never,
                }
            }
            (None, BinOp::And(_) | BinOp::Or(_)) => self.short_circuit(e),
            (
                None,
                BinOp::BitXorAssign(_)
                | BinOp::BitAndAssign(_)
                | BinOp::BitOrAssign(_)
                | BinOp::ShlAssign(_)
                | BinOp::ShrAssign(_),
            ) => {
                self.error(e.op.span(), "this assignment is not supported", "write `a = a << b`");
                Val::Never
            }
            _ => self.bits(e),
        }
    }

    /// `^ & | << >>`: never of floats.
    fn bits(&mut self, e: &syn::ExprBinary) -> Val {
        let a = self.expr(&e.left).0;
        let b = self.expr(&e.right).0;
        match (self.scalar(a, e.left.span()), self.scalar(b, e.right.span())) {
            (Some(a), Some(b)) => {
                let [x, y] = [0, 1].map(|k| syn::Ident::new(&Verbatim::hole(k), Span::call_site()));
                let op = &e.op;
                let verbatim = Verbatim { tokens: quote::quote!((#x #op #y)), buffers: Vec::new() };
                Val::Scalar(self.s.b.op_typed(Op::Verbatim(verbatim), &[a, b], Type::Opaque))
            }
            _ => Val::Never,
        }
    }

    fn short_circuit(&mut self, e: &syn::ExprBinary) -> Val {
        let is_and = matches!(e.op, syn::BinOp::And(_));
        let left = self.condition(&e.left);
        if is_harmless(&e.right) {
            let right = self.condition(&e.right);
            return Val::Scalar(self.op(if is_and { Op::And } else { Op::Or }, &[left, right]));
        }
        let mut ask = |this: &mut Self| (Val::Scalar(this.condition(&e.right)), Flow::Falls);
        let mut known = |this: &mut Self| (Val::Scalar(this.s.b.boolean(!is_and)), Flow::Falls);
        if is_and {
            self.branch(left, e.op.span(), &mut ask, &mut known).0
        } else {
            self.branch(left, e.op.span(), &mut known, &mut ask).0
        }
    }

    fn cast(&mut self, c: &syn::ExprCast) -> Val {
        let val = self.expr(&c.expr).0;
        let val = self.deref(val);
        let Some(v) = self.scalar(val, c.expr.span()) else { return Val::Never };
        let to = &c.ty;
        if let Some(kind) = float_kind(to, &self.sig.floats)
            && *self.s.b.func.ty(v) == Type::Float(kind)
        {
            return Val::Scalar(v);
        }
        Val::Scalar(self.op(Op::Cast(to.to_token_stream().to_string().into()), &[v]))
    }

    fn reference(&mut self, r: &syn::ExprReference) -> Val {
        match self.expr(&r.expr).0 {
            Val::View(view) => Val::View(View { by_ref: true, ..view }),
            Val::Scalar(v) if *self.s.b.func.ty(v) == Type::Opaque && !self.is_tainted(v) => self.verbatim(
                r.to_token_stream(),
                r.span(),
                "the macro does not look into this",
                "pass the value",
            ),
            Val::Scalar(v) if r.mutability.is_some() => {
                let _ = v;
                self.error(r.span(), "`&mut` of a number is not supported", "return the new value instead");
                Val::Never
            }
            other => other,
        }
    }

    fn index_expr(&mut self, i: &syn::ExprIndex) -> Val {
        match self.expr(&i.expr).0 {
            Val::View(view) => {
                if let syn::Expr::Range(_) = &*i.index {
                    return match self.part(&view, &i.index) {
                        Some(view) => Val::View(view),
                        None => Val::Never,
                    };
                }
                let index = self.expr(&i.index).0;
                let Some(index) = self.scalar(index, i.index.span()) else { return Val::Never };
                let place = self.index(&view, index);
                self.read(place)
            }
            Val::Never => Val::Never,
            _ => self.verbatim(
                i.to_token_stream(),
                i.span(),
                "an active index, or an index into something that the macro does not look into",
                "use arrays, slices and vectors of floats",
            ),
        }
    }

    fn field(&mut self, f: &syn::ExprField) -> Val {
        if let syn::Member::Unnamed(index) = &f.member
            && let Val::Tuple(list) = self.tuple_base(&f.base)
            && let Some(val) = list.get(index.index as usize)
        {
            return val.clone();
        }
        self.verbatim(
            f.to_token_stream(),
            f.span(),
            "fields of active values are not supported yet",
            "use local variables, tuples or arrays of floats",
        )
    }

    fn tuple_base(&mut self, e: &syn::Expr) -> Val {
        match e {
            syn::Expr::Path(p) => match p.path.get_ident().and_then(|i| self.lookup(&i.to_string())) {
                Some(var) => self.s.vars[var].val.clone(),
                None => Val::Unset,
            },
            syn::Expr::Field(f) => match (self.tuple_base(&f.base), &f.member) {
                (Val::Tuple(list), syn::Member::Unnamed(i)) => {
                    list.get(i.index as usize).cloned().unwrap_or(Val::Unset)
                }
                _ => Val::Unset,
            },
            syn::Expr::Paren(p) => self.tuple_base(&p.expr),
            syn::Expr::MethodCall(m) if m.method == "sin_cos" => self.method_call(m),
            _ => Val::Unset,
        }
    }
}

/// Whether evaluating an expression for nothing does no harm: no index, no call.
fn is_harmless(e: &syn::Expr) -> bool {
    match e {
        syn::Expr::Lit(_) | syn::Expr::Path(_) => true,
        syn::Expr::Paren(p) => is_harmless(&p.expr),
        syn::Expr::Unary(u) => !matches!(u.op, syn::UnOp::Deref(_)) && is_harmless(&u.expr),
        syn::Expr::Binary(b) => {
            matches!(
                b.op,
                syn::BinOp::Eq(_)
                    | syn::BinOp::Ne(_)
                    | syn::BinOp::Lt(_)
                    | syn::BinOp::Le(_)
                    | syn::BinOp::Gt(_)
                    | syn::BinOp::Ge(_)
                    | syn::BinOp::And(_)
                    | syn::BinOp::Or(_)
            ) && is_harmless(&b.left)
                && is_harmless(&b.right)
        }
        _ => false,
    }
}
