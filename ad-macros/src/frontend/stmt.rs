//! Statements: `let`, assignments, items, and what follows a statement that may leave early.

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;

use super::lower::{Flow, Lower};
use super::value::{Val, View};
use crate::ir::{InstKind, Op, Type, Unary, Value};

impl Lower<'_> {
    /// The function's own block.
    pub(super) fn body(&mut self, block: &syn::Block) -> (Val, Flow) {
        self.tail = true;
        self.block(block)
    }

    /// A block: its value and how it ends.
    pub(super) fn block(&mut self, block: &syn::Block) -> (Val, Flow) {
        self.scoped(|this| {
            // Items are seen from the whole block.
            for stmt in &block.stmts {
                if let syn::Stmt::Item(item) = stmt {
                    this.declare_item(item);
                }
            }
            this.stmts(&block.stmts)
        })
    }

    fn stmts(&mut self, stmts: &[syn::Stmt]) -> (Val, Flow) {
        let no_exits = std::mem::replace(&mut self.no_exits, false);
        let result = self.each_stmt(stmts);
        self.no_exits = no_exits;
        result
    }

    fn each_stmt(&mut self, stmts: &[syn::Stmt]) -> (Val, Flow) {
        let tail = self.tail;
        for (i, stmt) in stmts.iter().enumerate() {
            let rest = &stmts[i + 1..];
            if rest.is_empty()
                && let syn::Stmt::Expr(e, semi) = stmt
            {
                let is_call = matches!(e, syn::Expr::MethodCall(_) | syn::Expr::Call(_));
                self.tail = tail && semi.is_none();
                let built = self.building_stmt(stmt);
                self.tail = tail;
                if let Some((val, flow)) = built {
                    return (if semi.is_some() { unit_or_never(&val, flow) } else { val }, flow);
                }
                // Nobody sees its value: it is there for its effect.
                if semi.is_some() && is_call {
                    self.tail = false;
                    let flow = self.expr_stmt(e);
                    self.tail = tail;
                    return (if flow == Flow::Never { Val::Never } else { Val::unit() }, flow);
                }
                // In a function without value, `return;` and a last statement are ends all the same.
                self.tail =
                    tail && (semi.is_none() || self.sig.ret == super::signature::Ret::Unit || is_return(e));
                let (val, flow) = self.expr(e);
                self.tail = tail;
                let val =
                    if semi.is_some() && !(tail && is_return(e)) { unit_or_never(&val, flow) } else { val };
                return (val, flow);
            }
            // `let p = v else { leave };` and then the rest.
            if let syn::Stmt::Local(local) = stmt
                && let Some(init) = &local.init
                && let Some((_, leave)) = &init.diverge
            {
                if let Some((mut all, init)) = self.hoisted_init(&init.expr) {
                    let mut local = local.clone();
                    if let Some(old) = &mut local.init {
                        *old.expr = init;
                    }
                    all.push(syn::Stmt::Local(local));
                    all.extend_from_slice(rest);
                    return self.each_stmt(&all);
                }
                self.tail = false;
                let (pat, ty) = annotation(&local.pat);
                let _ = ty;
                let result = self.let_else(pat, &init.expr, leave, &mut |this| {
                    this.tail = tail;
                    this.stmts(rest)
                });
                self.tail = tail;
                return result;
            }
            if let syn::Stmt::Local(local) = stmt
                && let Some(init) = &local.init
                && self.is_empty_vector(&init.expr)
            {
                self.tail = false;
                let result = self.empty_vector(local, &init.expr, &mut |this| {
                    this.tail = tail;
                    this.stmts(rest)
                });
                self.tail = tail;
                return result;
            }
            if let syn::Stmt::Expr(e @ syn::Expr::If(_), semi) = stmt
                && let Some(block) = self.hoisted(e)
            {
                let mut all = block.stmts;
                if let Some(syn::Stmt::Expr(_, last)) = all.last_mut() {
                    *last = *semi;
                }
                all.extend_from_slice(rest);
                return self.each_stmt(&all);
            }
            // `if c { ..; exit }` and then the rest: the rest is the other branch.
            if let syn::Stmt::Expr(syn::Expr::If(e), _) = stmt
                && e.else_branch.is_none()
                && always_exits(&e.then_branch)
            {
                self.tail = false;
                return self.if_chain(
                    &e.cond,
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
            let flow = match self.building_stmt(stmt) {
                Some((_, flow)) => flow,
                None => self.stmt(stmt),
            };
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
                            // The end of the function all the same, where that is `Some(..)` or a failure.
                            this.tail = tail && this.ends_wrapped();
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
            syn::Stmt::Item(_) => Flow::Falls,
            syn::Stmt::Expr(e, _) => match discarded(e) {
                Some(e) => self.expr_stmt(&e),
                None => self.expr_stmt(e),
            },
            syn::Stmt::Macro(m) => self.macro_stmt(&m.mac),
        }
    }

    fn expr_stmt(&mut self, e: &syn::Expr) -> Flow {
        if let Some(block) = self.hoisted(e) {
            return self.block(&block).1;
        }
        let handed = self.with_data_arguments(e);
        let e = handed.as_ref().unwrap_or(e);
        match e {
            syn::Expr::Macro(m) => self.macro_stmt(&m.mac),
            // A call for its effect.
            syn::Expr::MethodCall(call)
                if !self.is_known_statement(call)
                    && !self.is_of_a_followed_array(&call.receiver)
                    && !super::iterators::is_chain(&call.receiver) =>
            {
                if !self.is_passive(call.to_token_stream()) {
                    return self.expr(e).1;
                }
                if self.is_local(&call.receiver) {
                    if super::opaque::changes(&call.method.to_string()) {
                        self.want_changed(&call.receiver);
                    }
                    self.error(
                        call.span(),
                        format!("`{}` may change a variable that the macro does not look into", call.method),
                        "change it before the function is called and pass the result in, or use a local array and index it",
                    );
                } else if let Some(found) = self.effect_operands(call.to_token_stream(), call.span()) {
                    self.s.b.effect(InstKind::Effect(found.verbatim, found.args));
                }
                Flow::Falls
            }
            // What it computes nobody sees: it runs once.
            syn::Expr::Call(call)
                if self.rounds > 0
                    && !self.is_inlined(call)
                    && !self.is_passive(call.to_token_stream())
                    && !call
                        .args
                        .iter()
                        .any(|a| matches!(a, syn::Expr::Reference(r) if r.mutability.is_some())) =>
            {
                let rounds = std::mem::take(&mut self.rounds);
                let flow = self.expr(e).1;
                self.rounds = rounds;
                flow
            }
            syn::Expr::Call(call) if !self.is_inlined(call) && self.is_passive(call.to_token_stream()) => {
                if let Some(found) = self.effect_operands(call.to_token_stream(), call.span()) {
                    self.s.b.effect(InstKind::Effect(found.verbatim, found.args));
                }
                Flow::Falls
            }
            _ => self.expr(e).1,
        }
    }

    fn is_known_statement(&mut self, call: &syn::ExprMethodCall) -> bool {
        // Of what the macro follows; a foreign `v.push(..)` is an effect on something it does not.
        let method = call.method.to_string();
        let moves = super::opaque::changes(&method) || ["append", "clone_from"].contains(&method.as_str());
        super::sorting::sorts(&method) || moves && !self.is_foreign(&call.receiver)
    }

    /// Whether something is a part of an array that the macro follows (`a.slice_mut(s![..2])`): what changes it must be known.
    fn is_of_a_followed_array(&self, e: &syn::Expr) -> bool {
        match e {
            syn::Expr::MethodCall(m) => match &*m.receiver {
                syn::Expr::Path(p) => {
                    let var = p.path.get_ident().and_then(|i| self.lookup(&i.to_string()));
                    var.is_some_and(|var| matches!(self.s.vars[var].val, Val::View(_)))
                }
                inner => self.is_of_a_followed_array(inner),
            },
            syn::Expr::Field(f) => self.is_of_a_followed_array(&f.base),
            syn::Expr::Index(i) => self.is_of_a_followed_array(&i.expr),
            syn::Expr::Paren(p) => self.is_of_a_followed_array(&p.expr),
            _ => false,
        }
    }

    pub(super) fn is_inlined(&self, call: &syn::ExprCall) -> bool {
        let syn::Expr::Path(p) = &*call.func else { return false };
        let var = p.path.get_ident().and_then(|i| self.lookup(&i.to_string()));
        var.is_some_and(|var| matches!(self.s.vars[var].val, Val::Closure(_)))
    }

    fn is_local(&self, e: &syn::Expr) -> bool {
        match e {
            syn::Expr::Path(p) => p.path.get_ident().is_some_and(|i| self.lookup(&i.to_string()).is_some()),
            syn::Expr::Field(f) => self.is_local(&f.base),
            syn::Expr::Index(i) => self.is_local(&i.expr),
            _ => false,
        }
    }

    fn declare_item(&mut self, item: &syn::Item) {
        match item {
            syn::Item::Const(c) => {
                let kind = self.float_kind(&c.ty);
                self.consts.insert(c.ident.to_string(), kind);
                self.keep_item(without_semicolon(item.to_token_stream()));
            }
            syn::Item::Use(_) => self.keep_item(without_semicolon(item.to_token_stream())),
            syn::Item::Fn(f) => {
                self.nested_fn(f);
                self.keep_item(item.to_token_stream());
            }
            syn::Item::Struct(_) | syn::Item::Enum(_) | syn::Item::Type(_) | syn::Item::Static(_) => {
                self.keep_item(without_semicolon(item.to_token_stream()));
            }
            syn::Item::Impl(block) => {
                for (name, function) in crate::functions::members(block, self.diagnostics) {
                    self.own_member(name, &function);
                }
                self.keep_item(item.to_token_stream());
            }
            other => self.error(
                other.span(),
                "items other than `const`, `use` and `fn` are not looked at inside a differentiated function",
                "move it out of the function",
            ),
        }
    }

    /// An item at the top of the generated function, once.
    fn keep_item(&mut self, item: proc_macro2::TokenStream) {
        let text = item.to_string();
        if !self.items.iter().any(|kept| kept.to_string() == text) {
            self.items.push(item);
        }
    }

    pub(super) fn local(&mut self, local: &syn::Local) -> Flow {
        let (pattern, ty) = annotation(&local.pat);
        let Some(init) = &local.init else {
            self.bind_pattern(pattern, Val::Unset, false);
            return Flow::Falls;
        };
        // `let Point { x, y } = *p;`: taken apart where it stands, as Rust does; what is bound is copied.
        if let (syn::Expr::Unary(syn::ExprUnary { op: syn::UnOp::Deref(_), expr, .. }), None) =
            (&*init.expr, ty)
            && matches!(pattern, syn::Pat::Struct(_) | syn::Pat::TupleStruct(_) | syn::Pat::Tuple(_))
            && self.is_shared_ref(expr)
            && let Val::Scalar(v) = self.expr(expr).0
        {
            self.bind_behind(pattern, v);
            return Flow::Falls;
        }
        let expected = std::mem::replace(&mut self.expected, ty.cloned());
        let (val, flow) = self.expr(&init.expr);
        self.expected = expected;
        if flow == Flow::Never {
            return flow;
        }
        let val = match ty {
            Some(ty) => self.typed(val, ty),
            None => val,
        };
        match (&val, ty) {
            (Val::Scalar(v), Some(ty))
                if *self.s.b.func.ty(*v) == Type::Opaque && !matches!(ty, syn::Type::Infer(_)) =>
            {
                self.s.declare(*v, ty);
            }
            _ => {
                self.tell_type(&val, &init.expr);
            }
        }
        let val = self.array_that_changes(pattern, val);
        self.bind_pattern(pattern, val, true);
        flow
    }

    /// `let mut delta = market.shares.mapv(f64::ln);`: data that may become active, element by element.
    fn array_that_changes(&mut self, pattern: &syn::Pat, val: Val) -> Val {
        let (Val::Scalar(v), syn::Pat::Ident(syn::PatIdent { mutability: Some(_), .. })) = (&val, pattern)
        else {
            return val;
        };
        let declared =
            self.s.declared.get(v).and_then(|ty| super::arrays::types::foreign(ty, &self.sig.floats));
        match declared.filter(|array| self.is_ndarray(array)) {
            Some(array) if *self.s.b.func.ty(*v) == Type::Opaque => Val::View(self.array_of_data(*v, &array)),
            _ => val,
        }
    }

    /// `v` with the annotation of its `let`. It decides what rustc computes: `1 << 40` is another number as a `u64`
    /// than as an `i32`, and `collect()` nothing at all without it. Floats have their kind already.
    pub(super) fn annotated(&mut self, v: Value, ty: &syn::Type) -> Value {
        if self.s.b.func.is_float(v) || matches!(ty, syn::Type::Reference(_) | syn::Type::Infer(_)) {
            return v;
        }
        let data = match self.s.b.func.value(v).ty.clone() {
            Type::Opaque if is_integer(ty) => Type::Int,
            Type::Opaque if matches!(ty, syn::Type::Path(p) if p.path.is_ident("bool")) => Type::Bool,
            data => data,
        };
        if is_integer(ty) && self.s.b.constant(v).is_none() {
            // The annotation repeats what is known, or says what the macro could not.
            let known = self.int_type(v).is_some_and(|known| *known == *quote::quote!(#ty).to_string());
            if known {
                return v;
            }
        }
        if is_integer(ty) && self.s.counted.contains(&v) {
            let to: std::sync::Arc<str> = quote::quote!(#ty).to_string().into();
            let cast = self.op(Op::Cast(to.clone()), &[v]);
            self.s.ints.insert(cast, to);
            return cast;
        }
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
        let verbatim = crate::ir::Verbatim::new(tokens, Vec::new());
        let value = self.s.b.op_typed(Op::Verbatim(verbatim), &[v], data);
        if is_integer(ty) {
            self.s.ints.insert(value, quote::quote!(#ty).to_string().into());
        }
        value
    }

    // ---------------------------------------------------------------------------------------- assignment

    /// A float or other number out of a value.
    pub(super) fn scalar(&mut self, val: Val, span: Span) -> Option<crate::ir::Value> {
        match val {
            // Numbers behind foreign references.
            Val::Scalar(v) if self.s.refs.contains(&v) => {
                let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), Span::call_site());
                Some(self.pass(quote::quote!(*#hole), &[v], Type::Opaque))
            }
            Val::Scalar(v) => Some(v),
            Val::Never | Val::Vacant(_) => {
                Some(self.s.b.float(0.0, Type::Float(crate::ir::FloatKind::Infer)))
            }
            Val::RefMut(..) => {
                let val = self.deref(val);
                self.scalar(val, span)
            }
            Val::Unset => {
                self.error(span, "this variable is not set yet", "give it a value where it is declared");
                None
            }
            Val::Spent => {
                self.error(span, super::verbatim::SPENT.0, super::verbatim::SPENT.1);
                None
            }
            Val::View(view) if self.rank(&view) == 0 => {
                let val = self.deref(Val::View(view));
                self.scalar(val, span)
            }
            Val::View(View { .. }) | Val::Tuple(_) | Val::Columns(_) | Val::Ragged(_) | Val::Struct(..) => {
                self.error(span, "a number is wanted here", "take an element or a part, as in `a[i]`");
                None
            }
            Val::Maybe(_) => {
                self.error(span, "an `Option` is no number", "unwrap it, or use `match` or `if let`");
                None
            }
            Val::Closure(_) | Val::Iter(_) | Val::Order(..) => {
                self.error(
                    span,
                    "a number is wanted here",
                    "call the closure, or end the iterator with `sum`, `fold`, ..",
                );
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

/// A pattern and the type it is annotated with.
pub(super) fn annotation(pat: &syn::Pat) -> (&syn::Pat, Option<&syn::Type>) {
    match pat {
        syn::Pat::Type(t) => (&*t.pat, Some(&*t.ty)),
        other => (other, None),
    }
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

/// A call at the end of a block without value.
pub(super) fn without_semicolon_in(block: &syn::Block) -> Option<&syn::Expr> {
    match block.stmts.last() {
        Some(syn::Stmt::Expr(e @ (syn::Expr::MethodCall(_) | syn::Expr::Call(_)), None)) => Some(e),
        _ => None,
    }
}

/// The body of a loop: what a call at its end gives, nobody sees.
pub(super) fn round_of(block: &syn::Block) -> std::borrow::Cow<'_, syn::Block> {
    if !matches!(block.stmts.last(), Some(syn::Stmt::Expr(_, None))) {
        return std::borrow::Cow::Borrowed(block);
    }
    let mut block = block.clone();
    discard_last(&mut block);
    std::borrow::Cow::Owned(block)
}

/// A branch whose value nobody sees: calls at the ends of its arms are statements. `None` if there are none.
fn discarded(e: &syn::Expr) -> Option<syn::Expr> {
    let mut e = e.clone();
    discard(&mut e).then_some(e)
}

fn discard(e: &mut syn::Expr) -> bool {
    match e {
        syn::Expr::If(i) => {
            let then = discard_last(&mut i.then_branch);
            i.else_branch.as_mut().is_some_and(|(_, e)| discard(e)) || then
        }
        syn::Expr::Match(m) => {
            let mut any = false;
            for arm in &mut m.arms {
                if matches!(*arm.body, syn::Expr::MethodCall(_) | syn::Expr::Call(_)) {
                    let call = &arm.body;
                    *arm.body = syn::parse_quote!({ #call; });
                    any = true;
                } else {
                    any |= discard(&mut arm.body);
                }
            }
            any
        }
        syn::Expr::Block(b) if b.label.is_none() => discard_last(&mut b.block),
        _ => false,
    }
}

fn discard_last(block: &mut syn::Block) -> bool {
    match block.stmts.last_mut() {
        Some(syn::Stmt::Expr(syn::Expr::MethodCall(_) | syn::Expr::Call(_), semi @ None)) => {
            *semi = Some(syn::Token![;](Span::call_site()));
            true
        }
        Some(syn::Stmt::Expr(e, None)) => discard(e),
        _ => false,
    }
}

/// Whether a block leaves its statement list on every path, by its form.
pub(super) fn always_exits(block: &syn::Block) -> bool {
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
pub(crate) fn is_integer(ty: &syn::Type) -> bool {
    const NAMES: [&str; 12] =
        ["i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize"];
    matches!(ty, syn::Type::Path(p) if NAMES.iter().any(|name| p.path.is_ident(name)))
}
