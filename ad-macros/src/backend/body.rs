//! Statements: instructions to structured Rust.
//!
//! A pure operation that is used once, in the block that defines it, and that the user did not name, is printed where
//! it is used; everything else gets a `let`. A load that waits to be printed is printed before anything writes
//! its buffer. What a loop carries is a mutable variable, which its arguments and results share.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::buffers::{fill_all, zero_of};
use super::expr::{self, Expr, Prec};
use super::names::Names;
use super::verbatim;
use crate::ir::{
    Binding, Block, Buffer, Dim, Func, Inst, InstKind, Layout, Op, Stack, Storage, StoreMode, Type, Value,
    Verbatim,
};

/// A function on its way to tokens.
pub(super) struct Body<'a> {
    pub(super) func: &'a Func,
    pub(super) names: Names,
    pub(super) values: HashMap<Value, Ident>,
    pub(super) buffers: HashMap<Buffer, Ident>,
    pub(super) stacks: HashMap<Stack, Ident>,
    /// Values printed where they are used.
    pub(super) pending: Vec<(Value, Pending)>,
    pub(super) uses: HashMap<Value, Uses>,
    /// Literals, printed wherever they are used.
    pub(super) constants: HashMap<Value, Expr>,
    /// Variables that loops carry.
    pub(super) mutable: HashSet<String>,
}

/// How a value is used.
#[derive(Clone, Copy, Default)]
pub(super) struct Uses {
    pub(super) count: u32,
    /// In another block than its own.
    pub(super) elsewhere: bool,
    /// As what its block yields.
    pub(super) yielded: bool,
    /// As what a round of a loop yields.
    pub(super) carried_on: bool,
}

/// An expression that waits for its use.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) expr: Expr,
    pub(super) reads: Vec<Buffer>,
    /// Mutable variables in it.
    pub(super) variables: HashSet<String>,
}

impl<'a> Body<'a> {
    pub(super) fn new(func: &'a Func) -> Body<'a> {
        let mut body = Body {
            func,
            names: Names::default(),
            values: HashMap::default(),
            buffers: HashMap::default(),
            stacks: HashMap::default(),
            pending: Vec::new(),
            uses: HashMap::default(),
            constants: HashMap::default(),
            mutable: HashSet::default(),
        };
        reserve_verbatim(func, &mut body.names);
        if let Some(count) = &func.lanes {
            body.names.reserve(count);
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
                    // The fields of the same rows share their variable.
                    let shared = func.buffer(b).field.is_some().then(|| {
                        func.params.iter().find_map(|q| match q.binding {
                            Binding::Buffer(other)
                                if q.role.of.param() == p.role.of.param()
                                    && q.role.marks == p.role.marks
                                    && func.buffer(other).field.is_some()
                                    && func.buffer(other).name == func.buffer(b).name =>
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

    pub(super) fn declare(&mut self, b: Buffer) {
        let name = self.names.fresh(&self.func.buffer(b).name);
        self.buffers.insert(b, name);
    }

    pub(super) fn count_uses(&mut self, block: &Block, is_round: bool) {
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

    pub(super) fn stack_name(&mut self, s: Stack) -> Ident {
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
        let mut stacks = HashSet::default();
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

    pub(super) fn stack_type(&self, s: Stack) -> TokenStream {
        let data = self.func.stack(s);
        let Some(elem) = expr::scalar_type(&data.elem) else { return TokenStream::new() };
        // Of a vector, its elements are pushed.
        let ty = data.contents.iter().flatten().rev().fold(elem, |inner, dim| match dim {
            Dim::Fixed(n) => {
                let n: TokenStream = n.parse().unwrap_or_default();
                quote!([#inner; #n])
            }
            _ => inner,
        });
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

    pub(super) fn block(&mut self, block: &Block, out: &mut TokenStream) {
        for inst in &block.insts {
            self.inst(inst, out);
        }
    }

    // ---------------------------------------------------------------------------------------- values

    /// The expression for a value: what waits for it, or its name.
    pub(super) fn take(&mut self, v: Value) -> Expr {
        if let Some(constant) = self.constants.get(&v) {
            return constant.clone();
        }
        if let Some(at) = self.pending.iter().position(|(p, _)| *p == v) {
            return self.pending.remove(at).1.expr;
        }
        Expr::atom(self.value_name(v))
    }

    pub(super) fn take_at(&mut self, v: Value, prec: Prec) -> TokenStream {
        self.take(v).at(prec)
    }

    /// A `let` for a value.
    pub(super) fn bind(&mut self, v: Value, expr: &Expr, out: &mut TokenStream) {
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
    pub(super) fn flush(&mut self, written: Option<&[Buffer]>, out: &mut TokenStream) {
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
    pub(super) fn define(
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
        // The number of lanes is a name.
        let count = constant && self.func.lanes.as_deref().is_some_and(|n| expr.tokens.to_string() == n);
        if generic || count || constant && self.is_literal(&expr) {
            self.constants.insert(v, expr);
            return;
        }
        let named = self.func.value(v).name.is_some() && !uses.yielded && !constant;
        let long = expr.tokens.clone().into_iter().count() > 60;
        // What a round hands on is computed where it stands, unless it is a sum onto the variable itself: LLVM sees a
        // recurrence only if the next value is there before the stores that end the round.
        let late = uses.carried_on && !self.is_sum_onto_variable(&expr);
        if uses.count == 1 && !uses.elsewhere && !named && !long && !late {
            let mut variables: HashSet<String> = HashSet::default();
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
    pub(super) fn is_sum_onto_variable(&self, expr: &Expr) -> bool {
        match expr.tokens.clone().into_iter().next() {
            Some(proc_macro2::TokenTree::Ident(first)) => self.mutable.contains(&first.to_string()),
            _ => false,
        }
    }

    pub(super) fn is_literal(&self, expr: &Expr) -> bool {
        syn::parse2::<syn::Lit>(expr.tokens.clone()).is_ok()
    }

    /// Copies of what waits for these operands.
    pub(super) fn waiting(&self, operands: &[Value]) -> Vec<Pending> {
        operands
            .iter()
            .filter_map(|v| self.pending.iter().find(|(p, _)| p == v).map(|(_, pending)| pending.clone()))
            .collect()
    }

    // ---------------------------------------------------------------------------------------- instructions

    pub(super) fn inst(&mut self, inst: &Inst, out: &mut TokenStream) {
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
            InstKind::Product(p) => self.product(p, out),
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
                let whole = *of;
                let (name, of) = (self.buffer_name(*window), self.buffer_name(*of));
                let borrow = if *mutable { quote!(&mut) } else { quote!(&) };
                if self.func.buffer(whole).layout != Layout::Nested {
                    self.slice_of(whole, &name, *mutable, out);
                    return;
                }
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
    pub(super) fn flush_written(&mut self, written: &[Buffer], keep: &[Value], out: &mut TokenStream) {
        let kept: Vec<_> = self.pending.iter().filter(|(v, _)| keep.contains(v)).cloned().collect();
        self.pending.retain(|(v, _)| !keep.contains(v));
        self.flush(Some(written), out);
        self.pending.extend(kept);
    }

    pub(super) fn verbatim(&mut self, v: &Verbatim, args: &[Value]) -> TokenStream {
        let mut holes: HashMap<String, TokenStream> = HashMap::default();
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

/// Takes all names that the user's own code in a function says.
pub(super) fn reserve_verbatim(func: &Func, names: &mut Names) {
    func.body.visit(&mut |inst| match &inst.kind {
        InstKind::Pure(Op::Verbatim(v), _) | InstKind::Effect(v, _) => names.reserve_all(v.tokens.clone()),
        InstKind::Call(call) => names.reserve_all(call.callee.clone()),
        InstKind::Pure(Op::Custom(custom), _) => {
            names.reserve_all(custom.callee.clone());
            custom.partials.iter().for_each(|p| names.reserve_all(p.clone()));
        }
        _ => {}
    });
    for dim in func.buffers.iter().flat_map(|buffer| &buffer.dims) {
        if let Dim::Fixed(n) = dim {
            names.reserve_all(n.parse().unwrap_or_default());
        }
    }
}

pub(super) fn is_array(dims: &[Dim]) -> bool {
    dims.iter().all(|d| matches!(d, Dim::Fixed(_)))
}

/// A name for a nameless intermediate, from what computes it.
pub(super) fn hint(tokens: &TokenStream) -> String {
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
