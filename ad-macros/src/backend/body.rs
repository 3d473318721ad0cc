//! Statements: instructions to structured Rust.
//!
//! A pure operation that is used once, in the block that defines it, and that the user did not name, is printed where
//! it is used; everything else gets a `let`. A load that waits to be printed is printed before anything writes
//! its buffer. What a loop carries is a mutable variable, which its arguments and results share.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::buffers::{fill_all, zero_of};
use super::expr::{self, Expr, Prec};
use super::names::Names;
use super::pool::{self, Given};
use super::text::{Pieces, hint};
use super::{reserve, verbatim};
use crate::ir::{
    Binding, Block, Buffer, Dim, Func, Inst, InstKind, Layout, Op, Sight, Stack, Storage, StoreMode, Type,
    Value, ValueMap, ValueSet, Verbatim,
};

/// A function on its way to text.
pub(super) struct Body<'a> {
    pub(super) func: &'a Func,
    pub(super) names: Names,
    pub(super) values: ValueMap<String>,
    pub(super) buffers: HashMap<Buffer, String>,
    pub(super) stacks: HashMap<Stack, String>,
    /// The user's own code.
    pub(super) pieces: Pieces,
    /// Values printed where they are used.
    pub(super) pending: Vec<(Value, Pending)>,
    /// What each window is a part of.
    windows: HashMap<Buffer, Buffer>,
    pub(super) uses: ValueMap<Uses>,
    /// Literals, printed wherever they are used.
    pub(super) constants: ValueMap<Expr>,
    /// Variables that loops carry.
    pub(super) mutable: HashSet<String>,
    /// Buffers whose memory is a workspace's, if one runs.
    pub(super) pooled: HashSet<Buffer>,
    /// How many buffers and stacks are pooled so far.
    pub(super) slots: usize,
    /// What the blocks around give back.
    pub(super) frames: Vec<Vec<Given>>,
    /// What is an integer for certain: literals, lengths, arithmetic, and what counts from or to these.
    pub(super) integers: ValueSet,
    /// The number of lanes, wherever it is computed.
    pub(super) lane_counts: HashSet<Value>,
    /// The name of a step that LLVM does not know.
    pub(super) one: Option<String>,
    /// What is known to be a `usize`, once somebody asks.
    pub(super) sizes: Option<HashSet<Value>>,
    /// What loops push, where it is known before.
    pub(super) reserved: reserve::Plan<'a>,
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
    pub(super) variables: Vec<String>,
}

impl<'a> Body<'a> {
    pub(super) fn new(func: &'a Func) -> Body<'a> {
        let mut body = Body {
            func,
            names: Names::default(),
            values: ValueMap::default(),
            buffers: HashMap::default(),
            stacks: HashMap::default(),
            pieces: Pieces::default(),
            pending: Vec::new(),
            windows: HashMap::default(),
            uses: ValueMap::default(),
            constants: ValueMap::default(),
            mutable: HashSet::default(),
            pooled: pool::pooled(func),
            slots: 0,
            frames: Vec::new(),
            integers: integers(func),
            lane_counts: HashSet::default(),
            one: None,
            sizes: None,
            reserved: reserve::plan(func),
        };
        reserve_verbatim(func, &mut body.names);
        if let Some(count) = &func.lanes {
            body.names.reserve(count);
            func.body.visit(&mut |inst| match &inst.kind {
                InstKind::Pure(Op::Int(text), _) if text == count => {
                    body.lane_counts.insert(inst.results[0]);
                }
                _ => {}
            });
        }
        body.count_uses(&func.body, false);
        for o in &func.outputs {
            if let Binding::Value(v) = o.binding {
                let uses = body.uses.or_default(v);
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

    pub(super) fn declare(&mut self, b: Buffer) {
        let name = self.names.fresh(&self.func.buffer(b).name);
        self.buffers.insert(b, name);
    }

    pub(super) fn count_uses(&mut self, block: &Block, is_round: bool) {
        let mut here = ValueSet::default();
        here.add_all(&block.args);
        block.insts.iter().for_each(|inst| here.add_all(&inst.results));
        let func = self.func;
        let mut used = |v: Value, yielded: bool| {
            let uses = self.uses.or_default(v);
            uses.count += 1;
            uses.elsewhere |= !here.contains(v);
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
            inst.kind.blocks().for_each(|b| self.count_uses(b, is_loop));
        }
    }

    /// The name of a value, for what is made of tokens.
    pub(super) fn value_name(&self, v: Value) -> Ident {
        Ident::new(self.value_text(v), Span::call_site())
    }

    /// The name of a buffer, for what is made of tokens.
    pub(super) fn buffer_name(&self, b: Buffer) -> Ident {
        Ident::new(self.buffer_text(b), Span::call_site())
    }

    pub(super) fn value_text(&self, v: Value) -> &str {
        match self.values.get(&v) {
            Some(name) => name,
            None => unreachable!("{v} has no name in {}", self.func.name),
        }
    }

    pub(super) fn buffer_text(&self, b: Buffer) -> &str {
        match self.buffers.get(&b) {
            Some(name) => name,
            None => unreachable!("{b} has no name in {}", self.func.name),
        }
    }

    pub(super) fn stack_name(&mut self, s: Stack) -> String {
        let (func, names) = (self.func, &mut self.names);
        self.stacks.entry(s).or_insert_with(|| names.fresh(&func.stack(s).name)).clone()
    }

    // ---------------------------------------------------------------------------------------- the whole

    /// The statements of the function, without what is returned.
    pub(super) fn statements(&mut self) -> TokenStream {
        let mut out = String::new();
        let mut stacks = HashSet::default();
        let func = self.func;
        func.body.visit(&mut |inst| stacks.extend(inst.kind.stack()));
        let mut stacks: Vec<Stack> = stacks.into_iter().collect();
        stacks.sort_unstable();
        let mut given = String::new();
        for s in stacks {
            let name = self.stack_name(s);
            let ty = self.stack_type(s);
            let new = if self.is_pooled(s) {
                let slot = self.slot();
                given.push_str(&format!("{name}.give({slot});\n"));
                format!("taken({slot})")
            } else {
                "new()".to_string()
            };
            out.push_str(&format!("let mut {name}{ty} = ::ad_runtime::Tape::{new};\n"));
        }
        self.block(&func.body, &mut out);
        if !func.body.diverges {
            out.push_str(&given);
        }
        if let Some(one) = &self.one {
            out.insert_str(0, &format!("let {one} = ::ad_runtime::__private::one();\n"));
        }
        self.pieces.lex(&out)
    }

    pub(super) fn stack_type(&self, s: Stack) -> String {
        let data = self.func.stack(s);
        let Some(elem) = expr::scalar_text(&data.elem) else { return String::new() };
        // Of a vector, its elements are pushed.
        let ty = data.contents.iter().flatten().rev().fold(elem.to_string(), |inner, dim| match dim {
            Dim::Fixed(n) => format!("[{inner}; {n}]"),
            _ => inner,
        });
        format!(": ::ad_runtime::Tape < {ty} >")
    }

    /// What is returned, as an expression.
    pub(super) fn output(&mut self, binding: Binding) -> TokenStream {
        match binding {
            Binding::Value(v) => {
                let value = self.take(v).text;
                self.pieces.lex(&value)
            }
            Binding::Buffer(b) => self.buffer_name(b).into_token_stream(),
        }
    }

    pub(super) fn block(&mut self, block: &Block, out: &mut String) {
        self.frames.push(Vec::new());
        for inst in &block.insts {
            self.inst(inst, out);
        }
        let given = self.frames.pop().unwrap_or_default();
        if !block.diverges {
            self.give(&given, out);
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
        Expr::atom(self.value_text(v))
    }

    pub(super) fn take_at(&mut self, v: Value, prec: Prec) -> String {
        self.take(v).at(prec).into_owned()
    }

    /// A `let` for a value.
    pub(super) fn bind(&mut self, v: Value, expr: &Expr, out: &mut String) {
        let name = match &self.func.value(v).name {
            Some(name) => self.names.fresh(name),
            None => self.names.fresh(&hint(&self.pieces.tokens(&expr.text))),
        };
        let ty = match self.func.ty(v) {
            Type::Float(kind) if expr.is_literal() => expr::annotation(Some(expr::float_text(kind))),
            _ => String::new(),
        };
        out.push_str(&format!("let {name}{ty} = {};\n", expr.text));
        self.values.insert(v, name);
    }

    /// Prints what waits and reads one of these buffers, or all of it.
    pub(super) fn flush(&mut self, written: Option<&[Buffer]>, out: &mut String) {
        let mut at = 0;
        while at < self.pending.len() {
            let is_in = |list: &[Buffer], b: &Buffer| {
                list.contains(b) || self.windows.get(b).is_some_and(|of| list.contains(of))
            };
            let hit = written.is_none_or(|list| self.pending[at].1.reads.iter().any(|b| is_in(list, b)));
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
        out: &mut String,
    ) {
        let uses = self.uses.get(&v).copied().unwrap_or_default();
        let constant = operands.is_empty() && reads.is_empty();
        let generic = constant && expr.is_generic_constant();
        // The number of lanes is a name.
        let count = constant && self.func.lanes.as_deref().is_some_and(|n| self.pieces.said(&expr.text) == n);
        if generic || count || constant && expr.is_literal() {
            self.constants.insert(v, expr);
            return;
        }
        let named = self.func.value(v).name.is_some() && !uses.yielded && !constant;
        // What a round hands on is computed where it stands, unless it is a sum onto the variable itself: LLVM sees a
        // recurrence only if the next value is there before the stores that end the round.
        let late = uses.carried_on && !self.is_sum_onto_variable(&expr);
        let waits = uses.count == 1 && !uses.elsewhere && !named && !late;
        if waits && !self.pieces.is_longer(&expr.text, 60) {
            let mut variables: Vec<String> =
                operands.iter().filter_map(|operand| self.values.get(operand).cloned()).collect();
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
        self.pieces.first_name(&expr.text).is_some_and(|first| self.mutable.contains(&*first))
    }

    /// Copies of what waits for these operands.
    pub(super) fn waiting(&self, operands: &[Value]) -> Vec<Pending> {
        operands
            .iter()
            .filter_map(|v| self.pending.iter().find(|(p, _)| p == v).map(|(_, pending)| pending.clone()))
            .collect()
    }

    // ---------------------------------------------------------------------------------------- instructions

    pub(super) fn inst(&mut self, inst: &Inst, out: &mut String) {
        match &inst.kind {
            InstKind::Pure(op, args) => {
                if let Op::Verbatim(v) = op
                    && *self.func.ty(inst.results[0]) == Type::Opaque
                {
                    self.outlive(v, args, out);
                }
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
                let value = if sum { value.at(Prec::Mul).into_owned() } else { value.text };
                let element = self.element(*buffer, index);
                out.push_str(&match mode {
                    StoreMode::Set => format!("{element} = {value};\n"),
                    // A generic float has no `+=`.
                    StoreMode::Add if sum => format!("{element} = {element} + {value};\n"),
                    StoreMode::Add => format!("{element} += {value};\n"),
                });
            }
            InstKind::Alloc { buffer, fill } => self.alloc(*buffer, *fill, out),
            InstKind::Grow { buffer, len } => {
                self.flush(Some(&[*buffer]), out);
                let len = self.take(*len).text;
                let name = self.buffer_text(*buffer);
                let data = self.func.buffer(*buffer);
                let zero = data.dims[1..].iter().rev().fold(zero_of(&data.elem), |inner, dim| match dim {
                    Dim::Fixed(n) => format!("[{inner}; {n}]"),
                    _ => "::ad_runtime::__private::Vec::new()".to_string(),
                });
                out.push_str(&format!("::ad_runtime::__private::grow(&mut {name}, {len}, {zero});\n"));
            }
            InstKind::Fill { buffer, value } => {
                self.flush(Some(&[*buffer]), out);
                let value = self.take(*value).text;
                let name = self.buffer_text(*buffer);
                let data = self.func.buffer(*buffer);
                let axes = data.dims.len();
                if let Some(field) = &data.field {
                    let set = if axes == 1 {
                        format!("row {field} = {value};")
                    } else {
                        fill_all(&format!("row {field}"), axes - 1, &value)
                    };
                    out.push_str(&format!("for row in {name}.iter_mut() {{ {set} }}\n"));
                } else {
                    // A library's array is filled as a whole.
                    let axes = if data.layout == Layout::Nested { axes } else { 1 };
                    out.push_str(&fill_all(name, axes, &value));
                }
            }
            InstKind::Product(p) => self.product(p, out),
            InstKind::Push { stack, value } => {
                let value = self.take(*value).text;
                let stack = self.stack_name(*stack);
                out.push_str(&format!("{stack}.push({value});\n"));
            }
            InstKind::Pop { stack } => {
                let stack = self.stack_name(*stack);
                self.bind(inst.results[0], &Expr::atom(format!("{stack}.pop()")), out);
            }
            InstKind::PushBuffer { stack, buffer } => {
                let whole = is_array(&self.func.buffer(*buffer).dims);
                let (stack, name) = (self.stack_name(*stack), self.buffer_text(*buffer));
                out.push_str(&if whole {
                    format!("{stack}.push({name});\n")
                } else {
                    format!("{stack}.push_all(&{name});\n")
                });
            }
            InstKind::PopBuffer { stack, buffer } => {
                self.flush(Some(&[*buffer]), out);
                let whole = is_array(&self.func.buffer(*buffer).dims);
                let (stack, name) = (self.stack_name(*stack), self.buffer_text(*buffer));
                out.push_str(&if whole {
                    format!("{name} = {stack}.pop();\n")
                } else {
                    format!("{stack}.pop_all(&mut {name});\n")
                });
            }
            InstKind::Window { window, of, start, len, mutable, sight } => {
                if *mutable {
                    // Nothing that waits may name the buffer while the window borrows it.
                    self.flush(None, out);
                }
                let (start, len) = (self.take(*start).text, self.take(*len).text);
                self.declare(*window);
                if self.func.buffer(*of).layout != Layout::Nested {
                    self.slice_of(*of, *window, *mutable, out);
                    return;
                }
                let data = self.func.buffer(*of);
                let borrow = match (data.storage, *mutable) {
                    (Storage::Window | Storage::Output, _) => "",
                    // A vector may come by value, an array is behind a reference.
                    (Storage::Shared, _) if matches!(data.dims.first(), Some(Dim::Fixed(_))) => "",
                    (_, true) => "&mut ",
                    (_, false) => "&",
                };
                let function = match (sight, mutable) {
                    (Sight::Span, true) => "span_mut",
                    (Sight::Span, false) => "span",
                    (Sight::Apart, false) => "part_apart",
                    (_, true) => "part_mut",
                    (Sight::Part, false) => "part",
                };
                self.windows.insert(*window, *of);
                let (name, of) = (self.buffer_text(*window), self.buffer_text(*of));
                out.push_str(&format!(
                    "let {name} = ::ad_runtime::__private::{function}({borrow}{of}, {start}, {len});\n"
                ));
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
                out.push_str(&format!("{};\n", self.pieces.add(tokens)));
            }
        }
    }

    /// What code makes here may hold a reference to what it borrows: new values that wait for it get variables.
    fn outlive(&mut self, v: &Verbatim, args: &[Value], out: &mut String) {
        for (k, arg) in args.iter().enumerate() {
            let Some(at) = self.pending.iter().position(|(p, _)| p == arg) else { continue };
            let tokens = self.pieces.lex(&self.pending[at].1.expr.text);
            let borrows = || verbatim::borrows(v.code.tokens(), &Verbatim::hole(k));
            if verbatim::is_borrowed(tokens.clone()) || borrows() && verbatim::is_temporary(tokens) {
                let (arg, pending) = self.pending.remove(at);
                self.bind(arg, &pending.expr, out);
            }
        }
    }

    /// Flushes what reads these buffers, except what the coming statement takes itself, as its right-hand side.
    pub(super) fn flush_written(&mut self, written: &[Buffer], keep: &[Value], out: &mut String) {
        let kept: Vec<_> = self.pending.iter().filter(|(v, _)| keep.contains(v)).cloned().collect();
        self.pending.retain(|(v, _)| !keep.contains(v));
        self.flush(Some(written), out);
        self.pending.extend(kept);
    }

    /// The user's own code with what its holes stand for.
    pub(super) fn verbatim(&mut self, v: &Verbatim, args: &[Value]) -> TokenStream {
        let mut holes: HashMap<String, TokenStream> = HashMap::default();
        for (i, arg) in args.iter().enumerate() {
            let text = self.take_at(*arg, Prec::Postfix);
            holes.insert(Verbatim::hole(i), self.pieces.lex(&text));
        }
        for (j, b) in v.buffers.iter().enumerate() {
            holes.insert(Verbatim::buffer_hole(j), self.buffer_name(*b).into_token_stream());
        }
        verbatim::fill(v.code.tokens(), &|name| holes.get(name).cloned())
    }

    /// Names a result of a call.
    pub(super) fn name_result(&mut self, v: Value, hint: &str) -> String {
        let name = self.names.fresh(self.func.value(v).name.as_deref().unwrap_or(hint));
        self.values.insert(v, name.clone());
        name
    }

    /// A name that nothing else has, for what is made of tokens.
    pub(super) fn fresh(&mut self, hint: &str) -> Ident {
        Ident::new(&self.names.fresh(hint), Span::call_site())
    }

    /// A value as an argument.
    pub(super) fn argument(&mut self, v: Value) -> String {
        self.take(v).text
    }
}

/// What is an integer whatever its type is called: ranges may also run over characters.
fn integers(func: &Func) -> ValueSet {
    let mut found = ValueSet::default();
    func.body.visit(&mut |inst| match &inst.kind {
        InstKind::Pure(Op::Int(text), _) if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            found.add_all(&inst.results);
        }
        InstKind::Pure(Op::Len(..) | Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem | Op::Neg, _) => {
            found.add_all(&inst.results);
        }
        InstKind::For(l) if found.contains(l.lo) || found.contains(l.hi) => {
            found.insert(l.body.args[0], ());
        }
        _ => {}
    });
    found
}

/// Takes all names that the user's own code in a function says.
pub(super) fn reserve_verbatim(func: &Func, names: &mut Names) {
    func.body.visit(&mut |inst| match &inst.kind {
        InstKind::Pure(Op::Verbatim(v), _) | InstKind::Effect(v, _) => names.reserve_text(v.code.text()),
        InstKind::Call(call) => names.reserve_text(call.callee.text()),
        InstKind::Pure(Op::Custom(custom), _) => {
            names.reserve_text(custom.callee.text());
            custom.partials.iter().for_each(|p| names.reserve_text(p.text()));
        }
        _ => {}
    });
    for dim in func.buffers.iter().flat_map(|buffer| &buffer.dims) {
        if let Dim::Fixed(n) = dim {
            names.reserve_text(n);
        }
    }
}

pub(super) fn is_array(dims: &[Dim]) -> bool {
    dims.iter().all(|d| matches!(d, Dim::Fixed(_)))
}

/// Whether a buffer is a reference in generated code.
pub(super) fn is_reference(func: &Func, b: Buffer) -> bool {
    matches!(func.buffer(b).storage, Storage::Shared | Storage::Output)
}
