//! Expressions.

use std::rc::Rc;
use std::sync::Arc;

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;

use super::loops::part;
use super::lower::{Flow, Lower};
use super::place::Place;
use super::value::{Fields, Val, View};
use crate::ir::{Cmp, FloatKind, Op, Type, Verbatim};

impl Lower<'_> {
    /// Lowers an expression: what it is, and how control goes on.
    pub(super) fn expr(&mut self, e: &syn::Expr) -> (Val, Flow) {
        let falls = |val: Val| (val, Flow::Falls);
        if let Some(block) = self.hoisted(e) {
            return self.block(&block);
        }
        match e {
            syn::Expr::Return(_) | syn::Expr::Break(_) | syn::Expr::Continue(_) if self.no_exits => {
                self.misplaced_exit(e.span())
            }
            syn::Expr::Try(t) if self.depth > 0 => {
                if self.no_exits {
                    return self.misplaced_exit(t.question_token.span());
                }
                self.try_inside(t)
            }
            syn::Expr::Paren(p) => self.expr(&p.expr),
            syn::Expr::Group(g) => self.expr(&g.expr),
            syn::Expr::Block(b) => {
                if let Some(label) = &b.label {
                    return self.labelled_block(label, &b.block);
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
                let no_exits = std::mem::replace(&mut self.no_exits, true);
                let outer = self.expected.clone();
                if tail && self.output.is_some() {
                    self.expected.clone_from(&self.output);
                }
                let result = if tail && self.ends_wrapped() { self.settle(e) } else { falls(self.plain(e)) };
                self.tail = tail;
                self.no_exits = no_exits;
                self.expected = outer;
                result
            }
        }
    }

    /// An expression without control flow of its own.
    fn plain(&mut self, e: &syn::Expr) -> Val {
        if let Some(val) = self.generic(e).or_else(|| self.variant(e)) {
            return val;
        }
        // What the whole is says nothing of its operands.
        if matches!(
            e,
            syn::Expr::Unary(_)
                | syn::Expr::Binary(_)
                | syn::Expr::Cast(_)
                | syn::Expr::Index(_)
                | syn::Expr::Field(_)
        ) && let Some(outer) = self.expected.take()
        {
            let val = self.plain(e);
            self.expected = Some(outer);
            return val;
        }
        match e {
            syn::Expr::Closure(c) => self.closure(c),
            syn::Expr::Try(t) => self.try_expr(t),
            syn::Expr::Struct(s) => self.struct_expr(s),
            syn::Expr::Range(r) if r.start.is_some() || r.end.is_some() => {
                self.range(r).unwrap_or(Val::Never)
            }
            syn::Expr::Lit(l) => self.literal(l),
            syn::Expr::Path(p) => self.path(p),
            syn::Expr::Unary(u) => self.unary_expr(u),
            syn::Expr::Binary(b) => self.binary(b),
            syn::Expr::Cast(c) => self.cast(c),
            syn::Expr::Reference(r) => self.reference(r),
            syn::Expr::Index(i) => self.index_expr(i),
            syn::Expr::MethodCall(m) => self.method_call(m),
            syn::Expr::Call(c) => {
                let val = self.call(c);
                self.by_signature(c, val)
            }
            syn::Expr::Array(a) => {
                let list: Vec<syn::Expr> = a.elems.iter().cloned().collect();
                self.array_literal(&list, false, a.span())
            }
            syn::Expr::Repeat(r) => self.repeat_expr(r),
            syn::Expr::Tuple(t) => {
                let mut list = Vec::new();
                let outer = self.expected.clone();
                for (k, e) in t.elems.iter().enumerate() {
                    self.expected = match &outer {
                        Some(syn::Type::Tuple(types)) => types.elems.get(k).cloned(),
                        _ => None,
                    };
                    let val = self.expr(e).0;
                    list.push(self.own(val, false, "part"));
                }
                self.expected = outer;
                Val::Tuple(list)
            }
            syn::Expr::Field(f) => self.field(f),
            syn::Expr::Assign(a) => {
                let wanted = self.array_type_of(&a.left);
                let outer = if wanted.is_some() {
                    std::mem::replace(&mut self.expected, wanted)
                } else {
                    self.expected.clone()
                };
                let (val, _) = self.expr(&a.right);
                self.expected = outer;
                self.assign(&a.left, val);
                Val::Tuple(Vec::new())
            }
            syn::Expr::Macro(m) if m.mac.path.is_ident("vec") => {
                self.empty_value(e).unwrap_or_else(|| self.vec_macro(&m.mac))
            }
            syn::Expr::Macro(m) if m.mac.path.segments.last().is_some_and(|s| s.ident == "array") => {
                let val = self.vec_macro(&m.mac);
                if let Val::View(view) = &val {
                    self.s.arrays.insert(view.buffer);
                }
                val
            }
            syn::Expr::Macro(m) if let Some(val) = self.array_macro(&m.mac) => val,
            syn::Expr::Macro(m) if let Some(val) = self.joining_macro(&m.mac) => val,
            syn::Expr::Macro(m) => {
                let name = m.mac.path.to_token_stream().to_string();
                let val = self.verbatim(
                    e.to_token_stream(),
                    m.mac.path.span(),
                    &format!("the macro does not know what `{name}!` does with an active value"),
                    "write the code out, or move it into a `#[differentiable]` function",
                );
                if let (Val::Scalar(v), "s") = (&val, name.rsplit(' ').next().unwrap_or_default()) {
                    self.slicing(&m.mac, *v);
                }
                val
            }
            other => self.refuse(other),
        }
    }

    /// What is not looked into: passed through if nothing active is in it.
    fn refuse(&mut self, e: &syn::Expr) -> Val {
        let (what, instead) = match e {
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
                ("`let` is not supported at this place", "use `if let`, or `match` on the value")
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
        if let Some(member) = self.member_at(&p.path) {
            return if member.params.is_empty() {
                self.inline(&member, Vec::new())
            } else {
                Val::Closure(member)
            };
        }
        if let Some(function) = self.function_value(p) {
            return function;
        }
        // A constant. Of those of the float types, and of the function's own, the macro knows that they are floats.
        let kind = match p.path.get_ident().and_then(|i| self.consts.get(&i.to_string())) {
            Some(kind) => kind.clone(),
            None => self.float_constant(&p.path),
        };
        let verbatim = Verbatim::new(p.to_token_stream(), Vec::new());
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
                if let Val::Struct(..) = &val {
                    return self.own_negative(val, u.span());
                }
                if let Val::View(view) = &val
                    && self.rank(view) > 0
                {
                    return self.array_negative(view);
                }
                match self.scalar(val, u.expr.span()) {
                    Some(v) => Val::Scalar(self.op(Op::Neg, &[v])),
                    None => Val::Never,
                }
            }
            syn::UnOp::Not(_) => {
                let val = self.expr(&u.expr).0;
                let val = self.deref(val);
                match self.scalar(val, u.expr.span()) {
                    Some(v) => Val::Scalar(self.op(Op::Not, &[v])),
                    None => Val::Never,
                }
            }
            syn::UnOp::Deref(_) => match self.expr(&u.expr).0 {
                Val::Scalar(v) if self.s.refs.contains(&v) => match self.scalar(Val::Scalar(v), u.span()) {
                    Some(v) => Val::Scalar(v),
                    None => Val::Never,
                },
                // A reference to an opaque value is one: `*` stays with it.
                Val::Scalar(v) if *self.s.b.func.ty(v) == Type::Opaque && !self.is_element(&u.expr) => self
                    .verbatim(
                        u.to_token_stream(),
                        u.span(),
                        "the macro does not look into this reference",
                        "pass the number itself",
                    ),
                val => {
                    let val = self.deref(val);
                    if self.is_row_of_parts(&val) { self.settled(val) } else { super::rows::by_value(val) }
                }
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
                if let Some(val) = self.operator_of_arrays_of_data(e) {
                    return val;
                }
                let a = self.expr(&e.left).0;
                let a = self.deref(a);
                // `z + c.into()`: the operator is that of the same type on both sides.
                if let Val::Struct(fields, _) = &a
                    && super::calls::takes_its_type(&e.right)
                {
                    let path = fields.path.clone();
                    self.expected =
                        Some(syn::Type::Path(syn::TypePath { attrs: Vec::new(), qself: None, path }));
                }
                let b = self.expr(&e.right).0;
                self.expected = None;
                let b = self.deref(b);
                if a == Val::Never || b == Val::Never {
                    return Val::Never;
                }
                let (a, b) = match op {
                    Op::Mul => (self.factor_of_data(a, &e.left, &b), b),
                    _ => (a, b),
                };
                let b = if matches!(op, Op::Mul) { self.factor_of_data(b, &e.right, &a) } else { b };
                let (a, b) = match op {
                    Op::Cmp(_) => (a, b),
                    _ => (self.beside_active(a, &e.left, &b), b),
                };
                let b = if matches!(op, Op::Cmp(_)) { b } else { self.beside_active(b, &e.right, &a) };
                if !matches!(op, Op::Cmp(_))
                    && let Some(val) = self.array_binary(&op, &a, &b, e.op.span())
                {
                    return val;
                }
                if let Op::Cmp(cmp) = op
                    && let (Val::Order(x, y), syn::Expr::Path(p)) = (&a, &*e.right)
                    && let Some(is) = ordering(&p.path, cmp)
                {
                    return Val::Scalar(self.op(Op::Cmp(is), &[*x, *y]));
                }
                let whole = |v: &Val| {
                    matches!(
                        v,
                        Val::Tuple(_)
                            | Val::View(_)
                            | Val::Struct(..)
                            | Val::Columns(_)
                            | Val::Ragged(_)
                            | Val::Maybe(_)
                    )
                };
                // The answer is a bool, which has no derivative, whatever is compared.
                if matches!(op, Op::Cmp(_)) && (whole(&a) || whole(&b)) {
                    let Some(found) = self.verbatim_operands(quote::quote!((#e)), e.span()) else {
                        return Val::Never;
                    };
                    return Val::Scalar(self.s.b.op_typed(
                        Op::Verbatim(found.verbatim),
                        &found.args,
                        Type::Bool,
                    ));
                }
                if matches!(a, Val::Struct(..)) || matches!(b, Val::Struct(..)) {
                    self.tell_type(&a, &e.left);
                    self.tell_type(&b, &e.right);
                    return self.own_operator(&op, a, b, e.op.span());
                }
                // Of data that the macro does not look into, but whose operators it knows.
                if [(&a, &e.left), (&b, &e.right)].into_iter().any(|(val, e)| self.tell_type(val, e))
                    && let Some(val) = self.operator_of_data(&op, &a, &b, e.op.span())
                {
                    return val;
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
                let val = self.bits(e);
                self.assign(&e.left, val);
                Val::unit()
            }
            _ => self.bits(e),
        }
    }

    /// `^ & | << >>`: never of floats.
    fn bits(&mut self, e: &syn::ExprBinary) -> Val {
        let a = self.expr(&e.left).0;
        let b = self.expr(&e.right).0;
        let (a, b) = (self.deref(a), self.deref(b));
        match (self.scalar(a, e.left.span()), self.scalar(b, e.right.span())) {
            (Some(a), Some(b)) => {
                let [x, y] = [0, 1].map(|k| syn::Ident::new(&Verbatim::hole(k), Span::call_site()));
                let text = e.op.to_token_stream().to_string();
                let op: proc_macro2::TokenStream = text.trim_end_matches('=').parse().unwrap_or_default();
                let ty = match (self.s.b.func.ty(a), self.s.b.func.ty(b)) {
                    (Type::Bool, _) | (_, Type::Bool) => Type::Bool,
                    (Type::Int, _) => Type::Int,
                    _ => Type::Opaque,
                };
                let v = self.pass(quote::quote!((#x #op #y)), &[a, b], ty);
                if let Some(int) = self.int_type(a) {
                    self.s.ints.insert(v, int);
                }
                Val::Scalar(v)
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
        if let Some(kind) = self.float_kind(to)
            && *self.s.b.func.ty(v) == Type::Float(kind)
        {
            return Val::Scalar(v);
        }
        let text: Arc<str> = to.to_token_stream().to_string().into();
        let cast = self.op(Op::Cast(text.clone()), &[v]);
        if *self.s.b.func.ty(cast) == Type::Int && *text != *"_" {
            self.s.ints.insert(cast, text);
        }
        Val::Scalar(cast)
    }

    fn reference(&mut self, r: &syn::ExprReference) -> Val {
        // Something foreign is borrowed as a whole, where it stands.
        if self.is_foreign(&r.expr) && !matches!(&*r.expr, syn::Expr::MethodCall(_)) {
            let val = self.verbatim(
                r.to_token_stream(),
                r.span(),
                "the macro does not look into this",
                "pass the value",
            );
            if let Val::Scalar(v) = val {
                self.s.refs.insert(v);
                if r.mutability.is_some() {
                    let to = match self.place_quietly(&r.expr) {
                        Some(Place::Variable(var, path)) => super::lower::Target::Part(var, path),
                        _ => super::lower::Target::Other,
                    };
                    self.s.mutable.insert(v, to);
                }
            }
            return val;
        }
        if r.mutability.is_some()
            && let syn::Expr::Path(_) | syn::Expr::Field(_) = &*r.expr
            && let Some(Place::Variable(var, path)) = self.place(&r.expr)
        {
            return match part(&mut self.s.vars[var].val, &path).clone() {
                Val::View(view) => Val::View(View { by_ref: true, lent: false, ..view }),
                Val::RefMut(var, path) => Val::RefMut(var, path),
                _ => Val::RefMut(var, path),
            };
        }
        if r.mutability.is_some()
            && let syn::Expr::Index(_) | syn::Expr::Field(_) = &*r.expr
            && !matches!(&*r.expr, syn::Expr::Index(i) if matches!(&*i.index, syn::Expr::Range(_)))
            && let Some(place) = self.place(&r.expr)
        {
            return self.reached(place);
        }
        if let Some(val) = self.borrowed_element(&r.expr) {
            return val;
        }
        match self.expr(&r.expr).0 {
            Val::View(view) if r.mutability.is_some() && matches!(&*r.expr, syn::Expr::Index(_)) => {
                Val::View(self.changeable(&view))
            }
            Val::View(view) => Val::View(View { by_ref: true, lent: false, ..view }),
            // A reference to a constant, or to what other code has made.
            Val::Scalar(v)
                if r.mutability.is_none()
                    && *self.s.b.func.ty(v) == Type::Opaque
                    && !self.is_tainted(v)
                    && !self.s.refs.contains(&v)
                    && !self.s.loaded.contains(&v) =>
            {
                let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
                let reference = self.pass(quote::quote!(&#hole), &[v], Type::Opaque);
                self.s.refs.insert(reference);
                Val::Scalar(reference)
            }
            other => super::rows::referenced(other),
        }
    }

    /// `&mut v[i]`: where it is, not what it is.
    fn reached(&mut self, place: Place) -> Val {
        match place {
            Place::Element(buffer, prefix) => {
                Val::View(View { buffer, prefix, range: None, by_ref: true, lent: false })
            }
            Place::Part(view) => Val::View(self.changeable(&view)),
            Place::Parts(places, like) => {
                let parts = places.into_iter().map(|p| super::rows::lent(self.reached(p))).collect();
                like.with_parts(parts)
            }
            place @ Place::Variable(..) => self.read(place),
        }
    }

    /// `Point { x, y: 0.0, ..other }`
    fn struct_expr(&mut self, s: &syn::ExprStruct) -> Val {
        let mut opened = None;
        let mut names = Vec::new();
        let mut parts = Vec::new();
        let item = s.path.segments.last().and_then(|name| crate::structs::find(&name.ident.to_string()));
        let outer = self.expected.take();
        let types = crate::structs::field_types(&s.path, outer.as_ref());
        for field in &s.fields {
            let typed = super::calls::takes_its_type(&field.expr);
            let of = types.iter().find(|(member, _)| *member == field.member);
            self.expected = of.and_then(|(_, ty)| ty.clone()).filter(|_| typed);
            let val = self.expr(&field.expr).0;
            if val == Val::Never {
                self.expected = outer;
                return Val::Never;
            }
            let name = match &field.member {
                syn::Member::Named(name) => name.to_string(),
                syn::Member::Unnamed(i) => i.index.to_string(),
            };
            parts.push(self.own(val, false, &name));
            names.push(name);
        }
        self.expected = outer;
        if let Some(rest) = &s.rest {
            let active = parts.iter().any(|v| self.val_tainted(v));
            match self.expr(rest).0 {
                Val::Struct(fields, list) => {
                    opened.clone_from(&fields.opened);
                    for (name, val) in fields.names.iter().zip(list) {
                        if !names.contains(name) {
                            parts.push(self.own(val, false, name));
                            names.push(name.clone());
                        }
                    }
                }
                Val::Scalar(v) if active && !self.is_tainted(v) => {
                    let origin = (super::opaque::origin_of_rest(rest), Vec::new());
                    for (name, val) in self.fields_of_rest(&origin, &s.path, v, &names) {
                        names.push(name);
                        parts.push(val);
                    }
                    // Of a struct that the macro knows it has all fields.
                    let all = item.as_ref().map(super::records::fields_of);
                    let is_whole = all.is_some_and(|all| {
                        all.iter().all(|f| names.contains(&f.member.to_token_stream().to_string()))
                    });
                    opened = (!is_whole).then_some(origin);
                }
                _ => {
                    return self.verbatim(
                        s.to_token_stream(),
                        rest.span(),
                        "the macro does not know the fields of this",
                        "write all fields",
                    );
                }
            }
        }
        // One order for all values of a type.
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by(|a, b| names[*a].cmp(&names[*b]));
        let sorted = order.iter().map(|k| names[*k].clone()).collect();
        let fields = Fields { path: s.path.clone(), names: sorted, opened };
        Val::Struct(Rc::new(fields), order.into_iter().map(|k| parts[k].clone()).collect())
    }

    fn index_expr(&mut self, i: &syn::ExprIndex) -> Val {
        if self.is_foreign(&i.expr) {
            return self.foreign_place(&syn::Expr::Index(i.clone()));
        }
        let base = self.expr(&i.expr).0;
        match self.deref(base) {
            rows @ (Val::Columns(_) | Val::Ragged(_)) if matches!(&*i.index, syn::Expr::Range(_)) => {
                self.part_of_rows(&rows, &i.index).unwrap_or(Val::Never)
            }
            columns @ (Val::Columns(_) | Val::Ragged(_)) => {
                let index = self.expr(&i.index).0;
                let Some(index) = self.scalar(index, i.index.span()) else { return Val::Never };
                super::rows::by_value(self.part_at(&columns, index, false))
            }
            Val::View(view) => {
                if let Some(list) = self.indices(&i.index) {
                    let place = self.at_indices(&view, &list);
                    return self.read(place);
                }
                if let syn::Expr::Range(_) = &*i.index {
                    return match self.part(&view, &i.index) {
                        Some(view) => Val::View(view),
                        None => Val::Never,
                    };
                }
                let index = self.expr(&i.index).0;
                let index = self.range_of_data(index, &i.index);
                if let Some(part) = self.part_by_value(&view, &index) {
                    return Val::View(part);
                }
                let Some(index) = self.scalar(index, i.index.span()) else { return Val::Never };
                let place = self.written_index(&view, index);
                self.read(place)
            }
            Val::Never => Val::Never,
            map @ Val::Struct(..) if self.is_map(&map) => self.map_index(&map, i),
            whole @ Val::Struct(..) if self.is_indexed(&whole, "index") => self.own_index(&whole, i),
            _ => self.verbatim(
                i.to_token_stream(),
                i.span(),
                "an active index, or an index into something that the macro does not look into",
                "use arrays, slices and vectors of floats",
            ),
        }
    }

    fn field(&mut self, f: &syn::ExprField) -> Val {
        if self.is_foreign(&f.base) {
            return self.foreign_place(&syn::Expr::Field(f.clone()));
        }
        let base = match self.borrowed_element(&f.base) {
            Some(val) => val,
            None => self.expr(&f.base).0,
        };
        let base = self.deref(base);
        if let Some(k) = base.field(&f.member) {
            return self.field_of_value(&base, k);
        }
        if let Val::View(view) = &base
            && let Some(k) = self.component(view, &f.member)
        {
            let place = self.index(view, k);
            return self.read(place);
        }
        self.want_field(&base, &f.member);
        match base {
            Val::Never => Val::Never,
            Val::Scalar(v) if !self.is_tainted(v) => {
                let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
                let member = &f.member;
                let field = self.pass(quote::quote!(#hole.#member), &[v], Type::Opaque);
                let field = Val::Scalar(field);
                self.tell_type(&field, &syn::Expr::Field(f.clone()));
                field
            }
            _ => {
                self.error(
                    f.span(),
                    "the macro does not know this field",
                    "use a struct made in this function, or a parameter whose type derives `Differentiable`",
                );
                Val::Never
            }
        }
    }

    /// A place of something that the macro does not look into: `self.k`, `cfg.table[i]`.
    fn foreign_place(&mut self, e: &syn::Expr) -> Val {
        self.verbatim(
            e.to_token_stream(),
            e.span(),
            "an active index, or an index into something that the macro does not look into",
            "use arrays, slices and vectors of floats",
        )
    }
}

/// What `a.partial_cmp(b) == Ordering::Less` says of `a` and `b`.
fn ordering(path: &syn::Path, cmp: Cmp) -> Option<Cmp> {
    let name = path.segments.last()?.ident.to_string();
    Some(match (name.as_str(), cmp) {
        ("Less", Cmp::Eq) | ("Equal", Cmp::Lt) => Cmp::Lt,
        ("Less", Cmp::Ne) | ("Equal", Cmp::Ge) => Cmp::Ge,
        ("Greater", Cmp::Eq) | ("Equal", Cmp::Gt) => Cmp::Gt,
        ("Greater", Cmp::Ne) | ("Equal", Cmp::Le) => Cmp::Le,
        ("Equal", Cmp::Eq) => Cmp::Eq,
        ("Equal", Cmp::Ne) => Cmp::Ne,
        _ => return None,
    })
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
