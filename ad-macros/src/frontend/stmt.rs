//! Statements: `let`, assignments, items, and what follows a statement that may leave early.

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;

use super::lower::{Flow, Lower, Val, View};
use super::signature::float_kind;
use crate::ir::{InstKind, Op, StoreMode, Type, Unary, Value};

impl Lower<'_> {
    /// The function's own block.
    pub(super) fn body(&mut self, block: &syn::Block) -> (Val, Flow) {
        self.tail = true;
        self.block(block)
    }

    /// A block: its value and how it ends.
    pub(super) fn block(&mut self, block: &syn::Block) -> (Val, Flow) {
        self.scoped(|this| this.stmts(&block.stmts))
    }

    fn stmts(&mut self, stmts: &[syn::Stmt]) -> (Val, Flow) {
        let tail = self.tail;
        for (i, stmt) in stmts.iter().enumerate() {
            let rest = &stmts[i + 1..];
            if rest.is_empty()
                && let syn::Stmt::Expr(e, semi) = stmt
            {
                // In a function without value, `return;` and a last statement are ends all the same.
                self.tail =
                    tail && (semi.is_none() || self.sig.ret == super::signature::Ret::Unit || is_return(e));
                let (val, flow) = self.expr(e);
                self.tail = tail;
                let val =
                    if semi.is_some() && !(tail && is_return(e)) { unit_or_never(&val, flow) } else { val };
                return (val, flow);
            }
            // `if c { ..; exit }` and then the rest: the rest is the other branch.
            if let syn::Stmt::Expr(syn::Expr::If(e), _) = stmt
                && e.else_branch.is_none()
                && always_exits(&e.then_branch)
                && !matches!(*e.cond, syn::Expr::Let(_))
            {
                self.tail = false;
                let cond = self.condition(&e.cond);
                self.tail = tail;
                return self.branch(
                    cond,
                    e.if_token.span(),
                    &mut |this| {
                        this.tail = tail;
                        this.block(&e.then_branch)
                    },
                    &mut |this| {
                        this.tail = tail;
                        this.stmts(rest)
                    },
                );
            }
            self.tail = false;
            let flow = self.stmt(stmt);
            self.tail = tail;
            match flow {
                Flow::Falls => {}
                Flow::Never => return (Val::Never, Flow::Never),
                Flow::Maybe => {
                    if rest.is_empty() {
                        return (Val::Tuple(Vec::new()), Flow::Maybe);
                    }
                    let exited = self.exited();
                    let goes_on = self.op(Op::Not, &[exited]);
                    let (val, after) = self.branch(
                        goes_on,
                        stmt.span(),
                        &mut |this| {
                            this.tail = false;
                            this.stmts(rest)
                        },
                        &mut |_| (Val::Never, Flow::Never),
                    );
                    self.tail = tail;
                    let after = if after == Flow::Never { Flow::Never } else { Flow::Maybe };
                    return (val, after);
                }
            }
        }
        (Val::Tuple(Vec::new()), Flow::Falls)
    }

    fn stmt(&mut self, stmt: &syn::Stmt) -> Flow {
        match stmt {
            syn::Stmt::Local(local) => self.local(local),
            syn::Stmt::Item(item) => {
                self.item(item);
                Flow::Falls
            }
            syn::Stmt::Expr(e, _) => self.expr_stmt(e),
            syn::Stmt::Macro(m) => self.macro_stmt(&m.mac),
        }
    }

    fn expr_stmt(&mut self, e: &syn::Expr) -> Flow {
        match e {
            syn::Expr::Macro(m) => self.macro_stmt(&m.mac),
            // A call for its effect.
            syn::Expr::MethodCall(call) if !self.is_known_statement(call) => {
                match self.verbatim_operands(call.to_token_stream(), call.span()) {
                    Some(found) if !found.tainted => {
                        if self.is_local(&call.receiver) {
                            self.error(
                                call.span(),
                                format!("`{}` may change a variable that the macro does not look into", call.method),
                                "change it before the function is called and pass the result in, or use a local array and index it",
                            );
                        } else {
                            self.s.b.effect(InstKind::Effect(found.verbatim, found.args));
                        }
                        Flow::Falls
                    }
                    _ => self.expr(e).1,
                }
            }
            syn::Expr::Call(call) => match self.verbatim_operands(call.to_token_stream(), call.span()) {
                Some(found) if !found.tainted => {
                    self.s.b.effect(InstKind::Effect(found.verbatim, found.args));
                    Flow::Falls
                }
                _ => self.expr(e).1,
            },
            _ => self.expr(e).1,
        }
    }

    fn is_known_statement(&self, call: &syn::ExprMethodCall) -> bool {
        ["swap", "fill", "copy_from_slice", "clone_from_slice"].iter().any(|m| call.method == m)
    }

    fn is_local(&self, e: &syn::Expr) -> bool {
        match e {
            syn::Expr::Path(p) => p.path.get_ident().is_some_and(|i| self.lookup(&i.to_string()).is_some()),
            syn::Expr::Field(f) => self.is_local(&f.base),
            syn::Expr::Index(i) => self.is_local(&i.expr),
            _ => false,
        }
    }

    fn item(&mut self, item: &syn::Item) {
        match item {
            syn::Item::Const(c) => {
                self.consts.insert(c.ident.to_string(), float_kind(&c.ty, &self.sig.floats));
                self.items.push(without_semicolon(item.to_token_stream()));
            }
            syn::Item::Use(_) => self.items.push(without_semicolon(item.to_token_stream())),
            syn::Item::Fn(f) => {
                self.nested_fns.insert(f.sig.ident.to_string());
                self.items.push(item.to_token_stream());
            }
            other => self.error(
                other.span(),
                "items other than `const`, `use` and `fn` are not looked at inside a differentiated function",
                "move it out of the function",
            ),
        }
    }

    fn local(&mut self, local: &syn::Local) -> Flow {
        let (pattern, ty) = match &local.pat {
            syn::Pat::Type(t) => (&*t.pat, Some(&*t.ty)),
            other => (other, None),
        };
        let Some(init) = &local.init else {
            self.bind_pattern(pattern, Val::Unset, false);
            return Flow::Falls;
        };
        if let Some((token, _)) = &init.diverge {
            self.error(
                token.span(),
                "`let .. else` is not supported yet",
                "use `if` or `match` on the value",
            );
            return Flow::Falls;
        }
        let (val, flow) = self.expr(&init.expr);
        let val = match (val, ty.and_then(|ty| float_kind(ty, &self.sig.floats))) {
            (Val::Scalar(v), Some(kind)) => {
                // An annotation tells which float a literal is, and that a verbatim value is one.
                let data = &mut self.s.b.func.values[v.0 as usize];
                if data.ty == Type::Float(crate::ir::FloatKind::Infer) || data.ty == Type::Opaque {
                    data.ty = Type::Float(kind);
                }
                Val::Scalar(v)
            }
            (Val::Scalar(v), None) => Val::Scalar(self.annotated(v, ty)),
            (val, _) => val,
        };
        if flow == Flow::Never {
            return flow;
        }
        self.bind_pattern(pattern, val, true);
        flow
    }

    /// `v` with the annotation of its `let`. It decides what rustc computes: `1 << 40` is another number as a `u64`
    /// than as an `i32`, and `collect()` nothing at all without it. Floats have their kind already.
    fn annotated(&mut self, v: Value, ty: Option<&syn::Type>) -> Value {
        let Some(ty) = ty else { return v };
        if self.s.b.func.is_float(v) || matches!(ty, syn::Type::Reference(_) | syn::Type::Infer(_)) {
            return v;
        }
        let data = self.s.b.func.value(v).ty.clone();
        let tokens = match self.s.b.constant(v) {
            Some(Op::Int(text)) if is_integer(ty) && !text.contains(['i', 'u']) => {
                let suffixed = format!("{text}_{}", quote::quote!(#ty));
                return self.s.b.op_typed(Op::Int(suffixed.into()), &[], data);
            }
            Some(_) => return v,
            None => {
                let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), Span::call_site());
                quote::quote!({
                    let value: #ty = #hole;
                    value
                })
            }
        };
        let verbatim = crate::ir::Verbatim { tokens, buffers: Vec::new() };
        self.s.b.op_typed(Op::Verbatim(verbatim), &[v], data)
    }

    /// Declares the variables of a pattern.
    pub(super) fn bind_pattern(&mut self, pattern: &syn::Pat, val: Val, copy: bool) {
        match pattern {
            syn::Pat::Ident(id) => {
                if let Some(token) = &id.by_ref {
                    self.error(token.span(), "`ref` bindings are not supported", "write `let r = &value`");
                }
                if let Some((_, sub)) = &id.subpat {
                    self.error(sub.span(), "`name @ pattern` is not supported here", "bind the name alone");
                }
                let name = id.ident.to_string();
                let mutable = id.mutability.is_some();
                let val = if copy { self.own(val, mutable, &name) } else { val };
                let var = self.new_var(&name, mutable, Val::Unset);
                self.set(var, val);
                self.declare(&name, var);
            }
            syn::Pat::Wild(_) => {}
            syn::Pat::Reference(r) => self.bind_pattern(&r.pat, val, copy),
            syn::Pat::Paren(p) => self.bind_pattern(&p.pat, val, copy),
            syn::Pat::Type(t) => self.bind_pattern(&t.pat, val, copy),
            syn::Pat::Tuple(t) => match val {
                Val::Tuple(list) if list.len() == t.elems.len() => {
                    for (pat, val) in t.elems.iter().zip(list) {
                        self.bind_pattern(pat, val, copy);
                    }
                }
                Val::Unset | Val::Never => {
                    for pat in &t.elems {
                        self.bind_pattern(pat, Val::Unset, false);
                    }
                }
                Val::Scalar(v) if !self.is_tainted(v) => self.bind_verbatim_tuple(t, v),
                _ => self.error(
                    pattern.span(),
                    "this pattern does not fit what the macro knows of the value",
                    "bind a name and take the parts one by one",
                ),
            },
            syn::Pat::Slice(list) => self.bind_slice(list, &val),
            other => self.error(
                other.span(),
                "this pattern is not supported",
                "bind a name, or a tuple of names, and take the parts one by one",
            ),
        }
    }

    /// `let (a, b) = opaque;`
    fn bind_verbatim_tuple(&mut self, t: &syn::PatTuple, v: Value) {
        for (i, pat) in t.elems.iter().enumerate() {
            let index = syn::Index::from(i);
            let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), Span::call_site());
            let verbatim = crate::ir::Verbatim { tokens: quote::quote!(#hole.#index), buffers: Vec::new() };
            let part = self.op(Op::Verbatim(verbatim), &[v]);
            self.bind_pattern(pat, Val::Scalar(part), false);
        }
    }

    /// `let [a, b] = x;`
    fn bind_slice(&mut self, list: &syn::PatSlice, val: &Val) {
        let Val::View(view) = val else {
            return self.error(list.span(), "this is no array or slice", "bind a name");
        };
        if list.elems.iter().any(|p| matches!(p, syn::Pat::Rest(_))) {
            return self.error(list.span(), "`..` in a slice pattern is not supported", "index the elements");
        }
        for (i, pat) in list.elems.iter().enumerate() {
            let index = self.s.b.int(&i.to_string());
            let part = self.index(view, index);
            let part = self.read(part);
            self.bind_pattern(pat, part, true);
        }
    }

    // ---------------------------------------------------------------------------------------- assignment

    pub(super) fn assign(&mut self, left: &syn::Expr, val: Val) {
        match left {
            syn::Expr::Paren(p) => self.assign(&p.expr, val),
            syn::Expr::Infer(_) => {}
            syn::Expr::Tuple(t) => match val {
                Val::Tuple(list) if list.len() == t.elems.len() => {
                    for (left, val) in t.elems.iter().zip(list) {
                        self.assign(left, val);
                    }
                }
                Val::Never => {}
                _ => self.error(left.span(), "the sides of this assignment do not fit", "assign one by one"),
            },
            syn::Expr::Path(p) => {
                let var = p.path.get_ident().and_then(|i| self.lookup(&i.to_string()));
                let Some(var) = var else {
                    return self.error(
                        left.span(),
                        "only local variables can be assigned to",
                        "use a local variable",
                    );
                };
                match (self.s.vars[var].val.clone(), val) {
                    (Val::View(to), Val::View(from)) if !to.by_ref => self.copy_view(&from, &to, left.span()),
                    (_, val) => {
                        let val = self.own(val, false, "copy");
                        self.set(var, val);
                    }
                }
            }
            syn::Expr::Index(_) | syn::Expr::Unary(syn::ExprUnary { op: syn::UnOp::Deref(_), .. }) => {
                let place = self.place(left);
                match (place, val) {
                    (Some(super::place::Place::Element(buffer, index)), Val::Scalar(v)) => {
                        self.store(buffer, index, v, StoreMode::Set);
                    }
                    (Some(super::place::Place::Part(to)), Val::View(from)) => {
                        self.copy_view(&from, &to, left.span());
                    }
                    (Some(super::place::Place::Variable(var)), val) => self.set(var, val),
                    (None, _) | (_, Val::Never) => {}
                    _ => self.error(
                        left.span(),
                        "the sides of this assignment do not fit",
                        "assign the elements",
                    ),
                }
            }
            other => self.error(
                other.span(),
                "this cannot be assigned to inside a differentiated function",
                "assign to a local variable or to an element of a local array or output slice",
            ),
        }
    }

    pub(super) fn compound(&mut self, e: &syn::ExprBinary, op: Op) {
        let (right, _) = self.expr(&e.right);
        let Some(right) = self.scalar(right, e.right.span()) else { return };
        let mut left = &*e.left;
        while let syn::Expr::Paren(p) = left {
            left = &p.expr;
        }
        if let syn::Expr::Path(p) = left
            && let Some(var) = p.path.get_ident().and_then(|i| self.lookup(&i.to_string()))
            && let Val::Scalar(old) = self.s.vars[var].val
        {
            let new = self.op(op, &[old, right]);
            return self.set(var, Val::Scalar(new));
        }
        match self.place(left) {
            Some(super::place::Place::Element(buffer, index)) => {
                let float = self.s.b.func.buffer(buffer).elem.is_float();
                match op {
                    Op::Add if float => self.store(buffer, index, right, StoreMode::Add),
                    Op::Sub if float => {
                        let minus = self.op(Op::Neg, &[right]);
                        self.store(buffer, index, minus, StoreMode::Add);
                    }
                    _ => {
                        let old = self.load(buffer, index.clone());
                        let new = self.op(op, &[old, right]);
                        self.store(buffer, index, new, StoreMode::Set);
                    }
                }
            }
            Some(super::place::Place::Variable(var)) => {
                if let Val::Scalar(old) = self.s.vars[var].val {
                    let new = self.op(op, &[old, right]);
                    self.set(var, Val::Scalar(new));
                }
            }
            Some(super::place::Place::Part(_)) => {
                self.error(e.span(), "compound assignment works on numbers", "loop over the elements");
            }
            None => {}
        }
    }

    /// What a variable owns: an array that may be changed through one name must not be seen through the other.
    fn own(&mut self, val: Val, mutable: bool, name: &str) -> Val {
        match val {
            Val::View(view) if !view.by_ref => {
                let is_var = self.s.vars.iter().any(|v| v.val == Val::View(view.clone()));
                let other_mutable = self.s.vars.iter().any(|v| v.mutable && v.val == Val::View(view.clone()));
                if is_var && (mutable || other_mutable) || !view.prefix.is_empty() {
                    Val::View(self.copy_of(&view, name))
                } else {
                    // It takes the name of what now holds it.
                    if !is_var && name != "copy" {
                        self.s.b.func.buffers[view.buffer.0 as usize].name = name.into();
                    }
                    Val::View(view)
                }
            }
            Val::Tuple(list) => Val::Tuple(list.into_iter().map(|v| self.own(v, mutable, name)).collect()),
            other => other,
        }
    }

    /// A float or other number out of a value.
    pub(super) fn scalar(&mut self, val: Val, span: Span) -> Option<crate::ir::Value> {
        match val {
            Val::Scalar(v) => Some(v),
            Val::Never => Some(self.s.b.float(0.0, Type::Float(crate::ir::FloatKind::Infer))),
            Val::Unset => {
                self.error(span, "this variable is not set yet", "give it a value where it is declared");
                None
            }
            Val::View(View { .. }) | Val::Tuple(_) => {
                self.error(span, "a number is wanted here", "take an element, as in `a[i]`");
                None
            }
        }
    }

    /// `x.abs()` of a float.
    pub(super) fn unary(&mut self, f: Unary, v: crate::ir::Value) -> crate::ir::Value {
        self.op(Op::Unary(f), &[v])
    }
}

fn unit_or_never(val: &Val, flow: Flow) -> Val {
    if flow == Flow::Never && *val == Val::Never { Val::Never } else { Val::Tuple(Vec::new()) }
}

fn without_semicolon(tokens: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    let mut list: Vec<proc_macro2::TokenTree> = tokens.into_iter().collect();
    if matches!(list.last(), Some(proc_macro2::TokenTree::Punct(p)) if p.as_char() == ';') {
        list.pop();
    }
    list.into_iter().collect()
}

fn is_return(e: &syn::Expr) -> bool {
    matches!(e, syn::Expr::Return(_))
}

/// Whether a block leaves its statement list on every path, by its form.
fn always_exits(block: &syn::Block) -> bool {
    match block.stmts.last() {
        Some(syn::Stmt::Expr(e, _)) => match e {
            syn::Expr::Return(_) | syn::Expr::Break(_) | syn::Expr::Continue(_) => true,
            syn::Expr::Block(b) => b.label.is_none() && always_exits(&b.block),
            syn::Expr::If(i) => match &i.else_branch {
                Some((_, e)) => {
                    always_exits(&i.then_branch)
                        && match &**e {
                            syn::Expr::Block(b) => always_exits(&b.block),
                            syn::Expr::If(_) => always_exits(&syn::parse_quote!({ #e })),
                            _ => false,
                        }
                }
                None => false,
            },
            syn::Expr::Macro(m) => super::verbatim::is_exit(&m.mac),
            _ => false,
        },
        Some(syn::Stmt::Macro(m)) => super::verbatim::is_exit(&m.mac),
        _ => false,
    }
}

/// A primitive integer type.
fn is_integer(ty: &syn::Type) -> bool {
    const NAMES: [&str; 12] =
        ["i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize"];
    matches!(ty, syn::Type::Path(p) if NAMES.iter().any(|name| p.path.is_ident(name)))
}
