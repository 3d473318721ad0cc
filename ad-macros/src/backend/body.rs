//! Statements: instructions to structured Rust.
//!
//! A pure operation that is used once, in the block that defines it, and that the user did not name, is printed where
//! it is used; everything else gets a `let`. A load that waits to be printed is printed before anything writes
//! its buffer. What a loop carries is a mutable variable, which its arguments and results share.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::expr::{self, Expr, Prec};
use super::names::Names;
use super::verbatim;
use crate::ir::{
    Binding, Block, Buffer, Dim, ForLoop, Func, Inst, InstKind, Layout, Op, Stack, Storage, StoreMode, Type,
    Value, Verbatim,
};

/// A function on its way to tokens.
pub(super) struct Body<'a> {
    pub(super) func: &'a Func,
    names: Names,
    values: HashMap<Value, Ident>,
    buffers: HashMap<Buffer, Ident>,
    stacks: HashMap<Stack, Ident>,
    /// Values printed where they are used.
    pending: Vec<(Value, Pending)>,
    uses: HashMap<Value, Uses>,
    /// Literals, printed wherever they are used.
    constants: HashMap<Value, Expr>,
    /// Variables that loops carry.
    mutable: HashSet<String>,
}

/// How a value is used.
#[derive(Clone, Copy, Default)]
struct Uses {
    count: u32,
    /// In another block than its own.
    elsewhere: bool,
    /// As what its block yields.
    yielded: bool,
    /// As what a round of a loop yields.
    carried_on: bool,
}

/// An expression that waits for its use.
#[derive(Clone)]
struct Pending {
    expr: Expr,
    reads: Vec<Buffer>,
    /// Mutable variables in it.
    variables: HashSet<String>,
}

impl<'a> Body<'a> {
    pub(super) fn new(func: &'a Func) -> Body<'a> {
        let mut body = Body {
            func,
            names: Names::default(),
            values: HashMap::new(),
            buffers: HashMap::new(),
            stacks: HashMap::new(),
            pending: Vec::new(),
            uses: HashMap::new(),
            constants: HashMap::new(),
            mutable: HashSet::new(),
        };
        func.body.visit(&mut |inst| match &inst.kind {
            InstKind::Pure(Op::Verbatim(v), _) | InstKind::Effect(v, _) => {
                body.names.reserve_all(v.tokens.clone());
            }
            InstKind::Call(call) => body.names.reserve_all(call.callee.clone()),
            InstKind::Pure(Op::Custom(custom), _) => body.names.reserve_all(custom.callee.clone()),
            _ => {}
        });
        for buffer in &func.buffers {
            for dim in &buffer.dims {
                if let Dim::Fixed(n) = dim {
                    body.names.reserve_all(n.parse().unwrap_or_default());
                }
            }
        }
        body.count_uses(&func.body, false);
        for o in &func.outputs {
            if let Binding::Value(v) = o.binding {
                let uses = body.uses.entry(v).or_default();
                uses.count += 1;
                uses.yielded = true;
            }
        }
        for p in &func.params {
            match p.binding {
                Binding::Value(v) => {
                    let name = body.names.fresh(func.value(v).name.as_deref().unwrap_or("arg"));
                    body.values.insert(v, name);
                }
                Binding::Buffer(b) => {
                    // The fields of a slice of structs share its variable.
                    let shared = func.buffer(b).field.is_some().then(|| {
                        func.params.iter().find_map(|q| match q.binding {
                            Binding::Buffer(other)
                                if q.role.of.param() == p.role.of.param() && q.role.marks == p.role.marks =>
                            {
                                body.buffers.get(&other).cloned()
                            }
                            _ => None,
                        })
                    });
                    match shared.flatten() {
                        Some(name) => {
                            body.buffers.insert(b, name);
                        }
                        None => body.declare(b),
                    }
                }
            }
        }
        body
    }

    /// Takes a name away from generated code.
    pub(super) fn reserve(&mut self, tokens: TokenStream) {
        self.names.reserve_all(tokens);
    }

    fn declare(&mut self, b: Buffer) {
        let name = self.names.fresh(&self.func.buffer(b).name);
        self.buffers.insert(b, name);
    }

    fn count_uses(&mut self, block: &Block, is_round: bool) {
        let mut here: HashSet<Value> = block.args.iter().copied().collect();
        here.extend(block.insts.iter().flat_map(|i| i.results.iter().copied()));
        let func = self.func;
        let mut used = |v: Value, yielded: bool| {
            let uses = self.uses.entry(v).or_default();
            uses.count += 1;
            uses.elsewhere |= !here.contains(&v);
            uses.yielded |= yielded;
            uses.carried_on |= yielded && is_round;
        };
        for inst in &block.insts {
            inst.kind.each_operand(|v| used(v, false));
            if let InstKind::Alloc { buffer, .. } = inst.kind {
                crate::ir::walk::dim_values(&func.buffer(buffer).dims).for_each(|v| used(v, false));
            }
        }
        block.yields.iter().for_each(|v| used(*v, true));
        for inst in &block.insts {
            let is_loop = matches!(inst.kind, InstKind::For(_) | InstKind::While { .. });
            inst.kind.blocks().into_iter().for_each(|b| self.count_uses(b, is_loop));
        }
    }

    pub(super) fn value_name(&self, v: Value) -> Ident {
        match self.values.get(&v) {
            Some(name) => name.clone(),
            None => unreachable!("{v} has no name in {}", self.func.name),
        }
    }

    pub(super) fn buffer_name(&self, b: Buffer) -> Ident {
        match self.buffers.get(&b) {
            Some(name) => name.clone(),
            None => unreachable!("{b} has no name in {}", self.func.name),
        }
    }

    fn stack_name(&mut self, s: Stack) -> Ident {
        if let Some(name) = self.stacks.get(&s) {
            return name.clone();
        }
        let name = self.names.fresh(&self.func.stack(s).name);
        self.stacks.insert(s, name.clone());
        name
    }

    // ---------------------------------------------------------------------------------------- the whole

    /// The statements of the function, without what is returned.
    pub(super) fn statements(&mut self) -> TokenStream {
        let mut out = TokenStream::new();
        let mut stacks = HashSet::new();
        let func = self.func;
        func.body.visit(&mut |inst| stacks.extend(inst.kind.stack()));
        let mut stacks: Vec<Stack> = stacks.into_iter().collect();
        stacks.sort_unstable();
        for s in stacks {
            let name = self.stack_name(s);
            let ty = self.stack_type(s);
            out.extend(quote!(let mut #name #ty = ::ad_runtime::Tape::new();));
        }
        self.block(&func.body, &mut out);
        out
    }

    fn stack_type(&self, s: Stack) -> TokenStream {
        let data = self.func.stack(s);
        let Some(elem) = expr::scalar_type(&data.elem) else { return TokenStream::new() };
        let ty = match &data.contents {
            Some(dims) if is_array(dims) => dims.iter().rev().fold(elem, |inner, dim| match dim {
                Dim::Fixed(n) => {
                    let n: TokenStream = n.parse().unwrap_or_default();
                    quote!([#inner; #n])
                }
                _ => inner,
            }),
            _ => elem,
        };
        quote!(: ::ad_runtime::Tape<#ty>)
    }

    /// What is returned, as an expression.
    pub(super) fn output(&mut self, binding: Binding) -> TokenStream {
        match binding {
            Binding::Value(v) => self.take(v).tokens,
            Binding::Buffer(b) => {
                let name = self.buffer_name(b);
                quote!(#name)
            }
        }
    }

    fn block(&mut self, block: &Block, out: &mut TokenStream) {
        for inst in &block.insts {
            self.inst(inst, out);
        }
    }

    // ---------------------------------------------------------------------------------------- values

    /// The expression for a value: what waits for it, or its name.
    fn take(&mut self, v: Value) -> Expr {
        if let Some(constant) = self.constants.get(&v) {
            return constant.clone();
        }
        if let Some(at) = self.pending.iter().position(|(p, _)| *p == v) {
            return self.pending.remove(at).1.expr;
        }
        Expr::atom(self.value_name(v))
    }

    fn take_at(&mut self, v: Value, prec: Prec) -> TokenStream {
        self.take(v).at(prec)
    }

    /// A `let` for a value.
    fn bind(&mut self, v: Value, expr: &Expr, out: &mut TokenStream) {
        let hint = self.func.value(v).name.clone().unwrap_or_else(|| hint(&expr.tokens).into());
        let name = self.names.fresh(&hint);
        let tokens = &expr.tokens;
        let ty = match self.func.ty(v) {
            Type::Float(kind) if syn::parse2::<syn::Lit>(tokens.clone()).is_ok() => {
                let ty = expr::float_type(kind);
                quote!(: #ty)
            }
            _ => TokenStream::new(),
        };
        out.extend(quote!(let #name #ty = #tokens;));
        self.values.insert(v, name);
    }

    /// Prints what waits and reads one of these buffers, or all of it.
    fn flush(&mut self, written: Option<&[Buffer]>, out: &mut TokenStream) {
        let mut at = 0;
        while at < self.pending.len() {
            let hit = written.is_none_or(|list| self.pending[at].1.reads.iter().any(|b| list.contains(b)));
            if hit {
                let (v, pending) = self.pending.remove(at);
                self.bind(v, &pending.expr, out);
            } else {
                at += 1;
            }
        }
    }

    /// A value that is ready: waits for its only use, or is bound.
    fn define(
        &mut self,
        v: Value,
        expr: Expr,
        operands: &[Value],
        mut reads: Vec<Buffer>,
        before: &[Pending],
        out: &mut TokenStream,
    ) {
        let uses = self.uses.get(&v).copied().unwrap_or_default();
        let constant = operands.is_empty() && reads.is_empty();
        let generic = constant && expr::is_generic_constant(&expr);
        if generic || constant && self.is_literal(&expr) {
            self.constants.insert(v, expr);
            return;
        }
        let named = self.func.value(v).name.is_some() && !uses.yielded && !constant;
        let long = expr.tokens.clone().into_iter().count() > 60;
        // What a round hands on is computed where it stands, unless it is a sum onto the variable itself: LLVM sees a
        // recurrence only if the next value is there before the stores that end the round.
        let late = uses.carried_on && !self.is_sum_onto_variable(&expr);
        if uses.count == 1 && !uses.elsewhere && !named && !long && !late {
            let mut variables: HashSet<String> = HashSet::new();
            for operand in operands {
                if let Some(name) = self.values.get(operand) {
                    variables.insert(name.to_string());
                }
            }
            for p in before {
                variables.extend(p.variables.iter().cloned());
                reads.extend(p.reads.iter().copied());
            }
            self.pending.push((v, Pending { expr, reads, variables }));
        } else {
            self.bind(v, &expr, out);
        }
    }

    /// Whether an expression is `s + ..` of a variable that a loop carries.
    fn is_sum_onto_variable(&self, expr: &Expr) -> bool {
        match expr.tokens.clone().into_iter().next() {
            Some(proc_macro2::TokenTree::Ident(first)) => self.mutable.contains(&first.to_string()),
            _ => false,
        }
    }

    fn is_literal(&self, expr: &Expr) -> bool {
        syn::parse2::<syn::Lit>(expr.tokens.clone()).is_ok()
    }

    /// Copies of what waits for these operands.
    fn waiting(&self, operands: &[Value]) -> Vec<Pending> {
        operands
            .iter()
            .filter_map(|v| self.pending.iter().find(|(p, _)| p == v).map(|(_, pending)| pending.clone()))
            .collect()
    }

    // ---------------------------------------------------------------------------------------- instructions

    fn inst(&mut self, inst: &Inst, out: &mut TokenStream) {
        match &inst.kind {
            InstKind::Pure(op, args) => {
                let before = self.waiting(args);
                let reads = inst.kind.reads();
                let expr = self.op(op, args, inst.results[0]);
                self.define(inst.results[0], expr, args, reads, &before, out);
            }
            InstKind::Load { buffer, index } => {
                let before = self.waiting(index);
                let element = self.element(*buffer, index);
                self.define(inst.results[0], Expr::atom(element), index, vec![*buffer], &before, out);
            }
            InstKind::Store { buffer, index, value, mode } => {
                // The value is computed before the element is named: what waits may read the old element.
                let keep = [index.as_slice(), &[*value]].concat();
                self.flush_written(&[*buffer], &keep, out);
                let value = self.take(*value);
                let sum = *mode == StoreMode::Add && expr::is_generic(&self.func.buffer(*buffer).elem);
                let value = if sum { value.at(Prec::Mul) } else { value.tokens };
                let element = self.element(*buffer, index);
                out.extend(match mode {
                    StoreMode::Set => quote!(#element = #value;),
                    // A generic float has no `+=`.
                    StoreMode::Add if sum => quote!(#element = #element + #value;),
                    StoreMode::Add => quote!(#element += #value;),
                });
            }
            InstKind::Alloc { buffer, fill } => self.alloc(*buffer, *fill, out),
            InstKind::Grow { buffer, len } => {
                self.flush(Some(&[*buffer]), out);
                let len = self.take(*len).tokens;
                let name = self.buffer_name(*buffer);
                let data = self.func.buffer(*buffer);
                let zero = data.dims[1..].iter().rev().fold(zero_of(&data.elem), |inner, dim| match dim {
                    Dim::Fixed(n) => {
                        let n: TokenStream = n.parse().unwrap_or_default();
                        quote!([#inner; #n])
                    }
                    _ => quote!(::ad_runtime::__private::Vec::new()),
                });
                out.extend(quote! {
                    {
                        let length = #len;
                        if #name.len() < length {
                            #name.resize(length, #zero);
                        }
                    }
                });
            }
            InstKind::Fill { buffer, value } => {
                self.flush(Some(&[*buffer]), out);
                let value = self.take(*value).tokens;
                let name = self.buffer_name(*buffer);
                let axes = self.func.buffer(*buffer).dims.len();
                if let Some(field) = self.field(*buffer) {
                    let set = if axes == 1 {
                        quote!(row #field = #value;)
                    } else {
                        fill_all(&quote!(row #field), axes - 1, &value)
                    };
                    out.extend(quote!(for row in #name.iter_mut() { #set }));
                    return;
                }
                if self.func.buffer(*buffer).layout != Layout::Nested {
                    out.extend(quote!(#name.fill(#value);));
                    return;
                }
                out.extend(fill_all(&quote!(#name), axes, &value));
            }
            InstKind::Push { stack, value } => {
                let value = self.take(*value).tokens;
                let stack = self.stack_name(*stack);
                out.extend(quote!(#stack.push(#value);));
            }
            InstKind::Pop { stack } => {
                let stack = self.stack_name(*stack);
                self.bind(inst.results[0], &Expr::atom(quote!(#stack.pop())), out);
            }
            InstKind::PushBuffer { stack, buffer } => {
                let whole = is_array(&self.func.buffer(*buffer).dims);
                let (stack, name) = (self.stack_name(*stack), self.buffer_name(*buffer));
                out.extend(if whole {
                    quote!(#stack.push(#name);)
                } else {
                    quote!(#stack.push_all(&#name);)
                });
            }
            InstKind::PopBuffer { stack, buffer } => {
                self.flush(Some(&[*buffer]), out);
                let whole = is_array(&self.func.buffer(*buffer).dims);
                let (stack, name) = (self.stack_name(*stack), self.buffer_name(*buffer));
                out.extend(if whole {
                    quote!(#name = #stack.pop();)
                } else {
                    quote!(#stack.pop_all(&mut #name);)
                });
            }
            InstKind::Window { window, of, start, len, mutable } => {
                if *mutable {
                    // Nothing that waits may name the buffer while the window borrows it.
                    self.flush(None, out);
                }
                let (start, len) = (self.take(*start).tokens, self.take_at(*len, Prec::Add));
                self.declare(*window);
                let (name, of) = (self.buffer_name(*window), self.buffer_name(*of));
                let borrow = if *mutable { quote!(&mut) } else { quote!(&) };
                let part = if start.to_string() == "0_usize" {
                    quote!([..#len])
                } else {
                    quote!([#start..][..#len])
                };
                out.extend(quote!(let #name = #borrow #of #part;));
            }
            InstKind::If { cond, then_block, else_block } => {
                self.branch(inst, *cond, then_block, else_block, out);
            }
            InstKind::For(l) => self.for_loop(inst, l, out),
            InstKind::While { inits, cond_block, body } => {
                self.while_loop(inst, inits, cond_block, body, out);
            }
            InstKind::Call(call) => {
                self.flush(None, out);
                super::call::call(self, call, &inst.results, out);
            }
            InstKind::Effect(v, args) => {
                self.flush(None, out);
                let tokens = self.verbatim(v, args);
                out.extend(quote!(#tokens;));
            }
        }
    }

    /// Flushes what reads these buffers, except what the coming statement takes itself, as its right-hand side.
    fn flush_written(&mut self, written: &[Buffer], keep: &[Value], out: &mut TokenStream) {
        let kept: Vec<_> = self.pending.iter().filter(|(v, _)| keep.contains(v)).cloned().collect();
        self.pending.retain(|(v, _)| !keep.contains(v));
        self.flush(Some(written), out);
        self.pending.extend(kept);
    }

    fn element(&mut self, b: Buffer, index: &[Value]) -> TokenStream {
        let name = self.buffer_name(b);
        let index: Vec<TokenStream> = index.iter().map(|i| self.take(*i).tokens).collect();
        match (self.func.buffer(b).layout, index.len()) {
            (Layout::Ndarray, 2..) => return quote!(#name[[#(#index),*]]),
            (Layout::Nalgebra, 2..) => return quote!(#name[(#(#index),*)]),
            _ => {}
        }
        match self.field(b) {
            Some(field) => {
                let (first, rest) = (&index[0], &index[1..]);
                quote!(#name[#first] #field #([#rest])*)
            }
            None => quote!(#name #([#index])*),
        }
    }

    /// The field of the structs that a buffer stands for.
    fn field(&self, b: Buffer) -> Option<TokenStream> {
        self.func.buffer(b).field.as_ref().map(|f| f.parse().unwrap_or_default())
    }

    fn alloc(&mut self, b: Buffer, fill: Value, out: &mut TokenStream) {
        self.declare(b);
        let data = self.func.buffer(b);
        let mut init = self.take(fill).tokens;
        if let Some(like) = data.like {
            let (name, like) = (self.buffer_name(b), self.buffer_name(like));
            out.extend(quote!(let mut #name = ::ad_runtime::__private::rows_like(#like, #init);));
            return;
        }
        let mut ty = expr::scalar_type(&data.elem);
        for dim in data.dims.iter().rev() {
            match dim {
                Dim::Fixed(n) => {
                    let n: TokenStream = n.parse().unwrap_or_default();
                    init = quote!([#init; #n]);
                    ty = ty.map(|t| quote!([#t; #n]));
                }
                Dim::Dyn(v) => {
                    let n = self.take(*v).tokens;
                    init = quote!(::ad_runtime::__private::vec![#init; #n]);
                    ty = ty.map(|t| quote!(::ad_runtime::__private::Vec<#t>));
                }
                Dim::Slice => {}
            }
        }
        let name = self.buffer_name(b);
        let ty = ty.map(|t| quote!(: #t));
        out.extend(quote!(let mut #name #ty = #init;));
    }

    pub(super) fn verbatim(&mut self, v: &Verbatim, args: &[Value]) -> TokenStream {
        let mut holes: HashMap<String, TokenStream> = HashMap::new();
        for (i, arg) in args.iter().enumerate() {
            let tokens = self.take_at(*arg, Prec::Postfix);
            holes.insert(Verbatim::hole(i), tokens);
        }
        for (j, b) in v.buffers.iter().enumerate() {
            let name = self.buffer_name(*b);
            holes.insert(Verbatim::buffer_hole(j), quote!(#name));
        }
        verbatim::fill(v.tokens.clone(), &|name| holes.get(name).cloned())
    }

    fn op(&mut self, op: &Op, args: &[Value], result: Value) -> Expr {
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
                let (a, b) = (self.take(args[1]).tokens, self.take(args[2]).tokens);
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
    fn receiver(&mut self, v: Value) -> Expr {
        let expr = self.take(v);
        let literal = match syn::parse2::<syn::Lit>(expr.tokens.clone()) {
            Ok(syn::Lit::Float(f)) if f.suffix().is_empty() => f.base10_parse::<f64>().ok(),
            _ => match syn::parse2::<syn::ExprUnary>(expr.tokens.clone()) {
                Ok(syn::ExprUnary { op: syn::UnOp::Neg(_), expr, .. }) => match *expr {
                    syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Float(f), .. }) if f.suffix().is_empty() => {
                        f.base10_parse::<f64>().ok().map(|c| -c)
                    }
                    _ => None,
                },
                Err(_) => None,
                Ok(_) => None,
            },
        };
        match (literal, self.func.ty(v)) {
            (Some(c), Type::Float(kind)) => expr::float(c, kind, true),
            _ => expr,
        }
    }

    // ---------------------------------------------------------------------------------------- control flow

    fn branch(
        &mut self,
        inst: &Inst,
        cond: Value,
        then_block: &Block,
        else_block: &Block,
        out: &mut TokenStream,
    ) {
        self.flush_except(&[cond], out);
        let cond = self.take(cond);
        let mut arms = Vec::new();
        for block in [then_block, else_block] {
            let mut tokens = TokenStream::new();
            self.block(block, &mut tokens);
            let mut yields = Vec::new();
            if !block.diverges {
                for y in &block.yields {
                    yields.push(self.take(*y).tokens);
                }
            }
            self.flush(None, &mut tokens);
            if !yields.is_empty() {
                let value = super::signature::tuple(yields);
                tokens.extend(value);
            }
            arms.push(tokens);
        }
        let (then_arm, else_arm) = (&arms[0], &arms[1]);
        let test = &cond.tokens;
        if inst.results.is_empty() {
            out.extend(if else_arm.is_empty() {
                quote!(if #test { #then_arm })
            } else if then_arm.is_empty() {
                let not = cond.at(Prec::Postfix);
                quote!(if !#not { #else_arm })
            } else {
                quote!(if #test { #then_arm } else { #else_arm })
            });
            return;
        }
        let names: Vec<TokenStream> = inst
            .results
            .iter()
            .map(|r| {
                let name = self.names.fresh(self.func.value(*r).name.as_deref().unwrap_or("chosen"));
                self.values.insert(*r, name.clone());
                quote!(#name)
            })
            .collect();
        let types: Vec<_> = inst.results.iter().map(|r| expr::scalar_type(self.func.ty(*r))).collect();
        let names = super::signature::tuple(names);
        let types = types.iter().any(Option::is_some).then(|| {
            let types =
                super::signature::tuple(types.into_iter().map(|t| t.unwrap_or_else(|| quote!(_))).collect());
            quote!(: #types)
        });
        out.extend(quote!(let #names #types = if #test { #then_arm } else { #else_arm };));
    }

    fn flush_except(&mut self, keep: &[Value], out: &mut TokenStream) {
        let kept: Vec<_> = self.pending.iter().filter(|(v, _)| keep.contains(v)).cloned().collect();
        self.pending.retain(|(v, _)| !keep.contains(v));
        self.flush(None, out);
        self.pending.extend(kept);
    }

    /// Declares the mutable variables of a loop; `args` and `results` are their names from now on.
    fn variables(&mut self, inits: &[Value], args: &[&[Value]], results: &[Value], out: &mut TokenStream) {
        for (k, init) in inits.iter().enumerate() {
            let value = self.take(*init).tokens;
            let hint = args.iter().find_map(|a| self.func.value(a[k]).name.clone());
            let hint = hint.or_else(|| self.func.value(results[k]).name.clone());
            let name = self.names.fresh(hint.as_deref().unwrap_or("sum"));
            let ty = expr::scalar_type(self.func.ty(args[0][k])).map(|t| quote!(: #t));
            out.extend(quote!(let mut #name #ty = #value;));
            self.mutable.insert(name.to_string());
            for a in args {
                self.values.insert(a[k], name.clone());
            }
            self.values.insert(results[k], name);
        }
    }

    /// Assigns what a round yields to the variables.
    fn assign(&mut self, args: &[Value], yields: &[Value], out: &mut TokenStream) {
        let targets: Vec<Ident> = args.iter().map(|a| self.value_name(*a)).collect();
        let mut assigned: HashSet<String> = HashSet::new();
        let mut clash = false;
        let mut parts = Vec::new();
        for (target, y) in targets.iter().zip(yields) {
            let waiting = self.waiting(&[*y]);
            let mut variables: HashSet<String> = waiting.iter().flat_map(|p| p.variables.clone()).collect();
            variables.extend(self.values.get(y).map(ToString::to_string));
            clash |= variables.iter().any(|v| assigned.contains(v));
            let expr = self.take(*y).tokens;
            if *target != expr.to_string() {
                assigned.insert(target.to_string());
                parts.push((target.clone(), expr, expr::is_generic(self.func.ty(*y))));
            }
        }
        self.flush(None, out);
        if clash {
            let (targets, values): (Vec<_>, Vec<_>) = parts.into_iter().map(|(t, v, _)| (t, v)).unzip();
            out.extend(quote!((#(#targets),*) = (#(#values),*);));
            return;
        }
        for (target, value, generic) in parts {
            let short = if generic { None } else { add_assign(&target, &value) };
            out.extend(short.unwrap_or_else(|| quote!(#target = #value;)));
        }
    }

    fn for_loop(&mut self, inst: &Inst, l: &ForLoop, out: &mut TokenStream) {
        let heads: Vec<Value> =
            [l.lo, l.hi].into_iter().chain(l.step).chain(l.inits.iter().copied()).collect();
        self.flush_except(&heads, out);
        let args = &l.body.args[1..];
        self.variables(&l.inits, &[args], &inst.results, out);
        let lo = self.take_at(l.lo, Prec::Add);
        let hi = self.take_at(l.hi, Prec::Add);
        let dots = if l.inclusive { quote!(..=) } else { quote!(..) };
        let mut range = Expr { tokens: quote!(#lo #dots #hi), prec: Prec::Lowest };
        if let Some(step) = l.step {
            if l.rev {
                range = range.method("rev", &[]);
            }
            let step = self.take(step).tokens;
            range = range.method("step_by", &[step]);
            if l.flipped {
                range = range.method("rev", &[]);
            }
        } else if l.rev != l.flipped {
            range = range.method("rev", &[]);
        }
        let variable = l.body.args[0];
        let name = if self.uses.contains_key(&variable) {
            let name = self.names.fresh(self.func.value(variable).name.as_deref().unwrap_or("i"));
            self.values.insert(variable, name.clone());
            quote!(#name)
        } else {
            quote!(_)
        };
        let mut tokens = TokenStream::new();
        self.block(&l.body, &mut tokens);
        if !l.body.diverges {
            self.assign(args, &l.body.yields, &mut tokens);
        }
        let range = range.tokens;
        out.extend(quote!(for #name in #range { #tokens }));
    }

    fn while_loop(
        &mut self,
        inst: &Inst,
        inits: &[Value],
        cond_block: &Block,
        body: &Block,
        out: &mut TokenStream,
    ) {
        self.flush_except(inits, out);
        self.variables(inits, &[&body.args, &cond_block.args], &inst.results, out);
        let mut test = TokenStream::new();
        self.block(cond_block, &mut test);
        let cond = self.take(cond_block.yields[0]);
        self.flush(None, &mut test);
        let mut tokens = TokenStream::new();
        self.block(body, &mut tokens);
        if !body.diverges {
            self.assign(&body.args, &body.yields, &mut tokens);
        }
        if test.is_empty() {
            let cond = cond.tokens;
            out.extend(quote!(while #cond { #tokens }));
        } else {
            let not = cond.at(Prec::Postfix);
            out.extend(quote!(loop { #test if !#not { break; } #tokens }));
        }
    }

    /// Names a result of a call.
    pub(super) fn name_result(&mut self, v: Value, hint: &str) -> Ident {
        let name = self.names.fresh(self.func.value(v).name.as_deref().unwrap_or(hint));
        self.values.insert(v, name.clone());
        name
    }

    /// A name that nothing else has.
    pub(super) fn fresh(&mut self, hint: &str) -> Ident {
        self.names.fresh(hint)
    }

    /// A value as an argument.
    pub(super) fn argument(&mut self, v: Value) -> TokenStream {
        self.take(v).tokens
    }
}

/// `s = s + e` as `s += e`, where that is the same sum.
fn add_assign(target: &Ident, value: &TokenStream) -> Option<TokenStream> {
    let expr: syn::ExprBinary = syn::parse2(value.clone()).ok()?;
    let op = match expr.op {
        syn::BinOp::Add(_) => quote!(+=),
        syn::BinOp::Sub(_) => quote!(-=),
        syn::BinOp::Mul(_) => quote!(*=),
        syn::BinOp::Div(_) => quote!(/=),
        _ => return None,
    };
    match (&*expr.left, &expr.right) {
        (syn::Expr::Path(p), right) if p.path.is_ident(target) => Some(quote!(#target #op #right;)),
        _ => None,
    }
}

fn is_array(dims: &[Dim]) -> bool {
    dims.iter().all(|d| matches!(d, Dim::Fixed(_)))
}

fn fill_all(name: &TokenStream, axes: usize, value: &TokenStream) -> TokenStream {
    if axes <= 1 {
        return quote!(#name.fill(#value););
    }
    let inner = fill_all(&quote!(row), axes - 1, value);
    quote!(for row in #name.iter_mut() { #inner })
}

/// What new elements are.
fn zero_of(ty: &Type) -> TokenStream {
    match ty {
        Type::Float(kind) => expr::float(0.0, kind, false).tokens,
        Type::Bool => quote!(false),
        _ => quote!(::core::default::Default::default()),
    }
}

/// A name for a nameless intermediate, from what computes it.
fn hint(tokens: &TokenStream) -> String {
    use proc_macro2::TokenTree;
    let list: Vec<TokenTree> = tokens.clone().into_iter().collect();
    // `x.sin()` is `sin_x`; `a[i]` is `a_i`; a product is `product`.
    match list.as_slice() {
        [TokenTree::Ident(x), TokenTree::Punct(dot), TokenTree::Ident(f), TokenTree::Group(_)]
            if dot.as_char() == '.' =>
        {
            format!("{f}_{x}")
        }
        [TokenTree::Ident(b), TokenTree::Group(index)] => {
            let index: String =
                index.stream().to_string().chars().filter(|c| c.is_alphanumeric()).take(8).collect();
            format!("{b}_{index}")
        }
        // `<T as Real>::sin(x)`
        [.., TokenTree::Punct(colon), TokenTree::Ident(f), TokenTree::Group(args)]
            if colon.as_char() == ':' =>
        {
            match syn::parse2::<Ident>(args.stream()) {
                Ok(x) => format!("{f}_{x}"),
                Err(_) => f.to_string(),
            }
        }
        [.., TokenTree::Punct(dot), TokenTree::Ident(f), TokenTree::Group(_)] if dot.as_char() == '.' => {
            f.to_string()
        }
        _ => {
            let has = |c: char| list.iter().any(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == c));
            if has('+') || has('-') && list.len() > 2 {
                "sum"
            } else if has('*') {
                "product"
            } else if has('/') {
                "quotient"
            } else {
                "value"
            }
            .to_string()
        }
    }
}

/// Whether a buffer is a reference in generated code.
pub(super) fn is_reference(func: &Func, b: Buffer) -> bool {
    matches!(func.buffer(b).storage, Storage::Shared | Storage::Output)
}
