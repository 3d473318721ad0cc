//! The state of lowering: variables and their scopes, what each is at the moment, and what becomes of them where
//! control flow joins.
//!
//! Control flow is lowered by trial: the body of a loop is lowered on a copy of the state to learn which variables
//! it changes and of what type they are in the end; those are carried. A trial is repeated until nothing new is
//! found, then the loop is lowered for good.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use proc_macro2::{Ident, Span, TokenStream};

use super::signature::{Class, Ret, Signature, shape};
use crate::diagnostics::Diagnostics;
use crate::ir::{
    Binding, Block, Buffer, BufferData, Builder, Dim, FloatKind, Func, Inst, InstKind, Op, Output, Param,
    Role, Source, Storage, StoreMode, Type, Value, Verbatim,
};

/// What an expression is.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Val {
    Scalar(Value),
    /// A place in a buffer, or the whole of it.
    View(View),
    Tuple(Vec<Val>),
    /// Declared and not set.
    Unset,
    /// Control never comes here.
    Never,
}

/// The part of a buffer at `prefix`, and of that `start .. start + len` where given.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct View {
    pub(super) buffer: Buffer,
    pub(super) prefix: Vec<Value>,
    pub(super) range: Option<(Value, Value)>,
    /// Behind a reference, or the buffer itself.
    pub(super) by_ref: bool,
}

/// How a piece of code ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flow {
    /// It goes on with what follows.
    Falls,
    /// It may have set an exit flag: what follows runs only if not.
    Maybe,
    /// What follows never runs.
    Never,
}

#[derive(Clone)]
pub(super) struct Variable {
    pub(super) name: Rc<str>,
    pub(super) mutable: bool,
    pub(super) val: Val,
}

/// Index of a variable.
pub(super) type VarId = usize;

/// A loop around the code that is lowered.
#[derive(Clone)]
pub(super) struct LoopContext {
    pub(super) label: Option<String>,
    /// Set by `break`.
    pub(super) broken: VarId,
    /// Set by `continue`.
    pub(super) skipped: VarId,
    /// What `break value` sets.
    pub(super) value: VarId,
}

/// What is copied for a trial.
#[derive(Clone)]
pub(super) struct State {
    pub(super) b: Builder,
    pub(super) vars: Vec<Variable>,
    pub(super) tainted: HashSet<Value>,
    pub(super) tainted_buffers: HashSet<Buffer>,
}

pub(super) struct Lower<'a> {
    pub(super) sig: &'a Signature,
    pub(super) diagnostics: &'a mut Diagnostics,
    pub(super) s: State,
    pub(super) scopes: Vec<HashMap<String, VarId>>,
    pub(super) loops: Vec<LoopContext>,
    /// Set by a `return` that is not the end of the function.
    pub(super) returned: VarId,
    pub(super) return_value: VarId,
    /// Items (`const`, `use`) of the body: verbatim, at the top.
    pub(super) items: Vec<TokenStream>,
    pub(super) consts: HashMap<String, Option<FloatKind>>,
    pub(super) nested_fns: HashSet<String>,
    /// Whether the value of the code that is lowered is the function's: there `return` is a value.
    pub(super) tail: bool,
}

/// Lowers a body.
pub(super) fn function(sig: &Signature, body: &syn::Block, diagnostics: &mut Diagnostics) -> Func {
    let b = Builder::new(Func::new(&sig.ident.to_string()));
    let state = State { b, vars: Vec::new(), tainted: HashSet::new(), tainted_buffers: HashSet::new() };
    let mut lower = Lower {
        sig,
        diagnostics,
        s: state,
        scopes: vec![HashMap::new()],
        loops: Vec::new(),
        returned: 0,
        return_value: 0,
        items: Vec::new(),
        consts: HashMap::new(),
        nested_fns: HashSet::new(),
        tail: true,
    };
    lower.params();
    let no = lower.s.b.boolean(false);
    lower.returned = lower.new_var("returned", true, Val::Scalar(no));
    lower.return_value = lower.new_var("result", true, Val::Unset);
    let (val, flow) = lower.body(body);
    let val = match flow {
        Flow::Falls => val,
        // Some paths have set the return value; the rest is in `val`.
        _ => lower.merge_returned(val, flow),
    };
    lower.outputs(val, body);
    let items = std::mem::take(&mut lower.items);
    let mut func = lower.s.b.finish();
    let effects = items.into_iter().map(|tokens| Inst {
        results: Vec::new(),
        kind: InstKind::Effect(Verbatim { tokens, buffers: Vec::new() }, Vec::new()),
    });
    func.body.insts.splice(0..0, effects);
    func
}

impl Lower<'_> {
    fn params(&mut self) {
        let sig = self.sig;
        for (i, p) in sig.params.iter().enumerate() {
            let name: Rc<str> = p.ident.to_string().into();
            let role = Role::primal(Source::Param(i));
            let referent = match &p.ty {
                syn::Type::Reference(r) => Some(&*r.elem),
                _ => None,
            };
            let buffer = |b: &mut Builder, (dims, elem): (Vec<Dim>, Type), storage: Storage| {
                b.func.new_buffer(BufferData { name: name.clone(), elem, dims, storage })
            };
            let shape_of = |ty: Option<&syn::Type>| ty.and_then(shape);
            let b = &mut self.s.b;
            let (binding, val) = match &p.class {
                Class::Scalar(kind) => {
                    let v = b.func.new_value(Type::Float(kind.clone()), Some(name.clone()));
                    (Binding::Value(v), Val::Scalar(v))
                }
                Class::Array { .. }
                | Class::RefArray { .. }
                | Class::RefSlice { .. }
                | Class::RefVec { .. }
                | Class::Output { .. } => {
                    let (storage, ty) = match &p.class {
                        Class::Array { .. } => (Storage::Owned, Some(&p.ty)),
                        Class::Output { .. } => (Storage::Output, referent),
                        _ => (Storage::Shared, referent),
                    };
                    let Some(shape) = shape_of(ty) else { continue };
                    let buf = buffer(b, shape, storage);
                    (Binding::Buffer(buf), whole(buf, storage != Storage::Owned))
                }
                Class::Other => {
                    // Slices of anything can be indexed and iterated over.
                    let is_slice = matches!(&p.ty, syn::Type::Reference(r) if r.mutability.is_none());
                    if let Some(shape) = shape_of(referent).filter(|(dims, _)| is_slice && dims.len() == 1) {
                        let buf = buffer(b, shape, Storage::Shared);
                        (Binding::Buffer(buf), whole(buf, true))
                    } else {
                        let ty = match &p.ty {
                            syn::Type::Path(t) if t.path.is_ident("bool") => Type::Bool,
                            syn::Type::Path(t) if is_integer(t) => Type::Int,
                            _ => Type::Opaque,
                        };
                        let v = b.func.new_value(ty, Some(name.clone()));
                        (Binding::Value(v), Val::Scalar(v))
                    }
                }
            };
            if p.active {
                match binding {
                    Binding::Value(v) => {
                        self.s.tainted.insert(v);
                    }
                    Binding::Buffer(buf) => {
                        self.s.tainted_buffers.insert(buf);
                    }
                }
            }
            self.s.b.func.params.push(Param { role, binding, active: p.active });
            match &p.pattern {
                None => {
                    let var = self.new_var(&p.ident.to_string(), p.mutable, val);
                    self.declare(&p.ident.to_string(), var);
                }
                Some(pattern) => self.bind_pattern(pattern, val, false),
            }
        }
    }

    /// What the function returns, as outputs.
    fn outputs(&mut self, val: Val, body: &syn::Block) {
        let span = match body.stmts.last() {
            Some(stmt) => syn::spanned::Spanned::span(stmt),
            None => body.brace_token.span.join(),
        };
        let ret = self.sig.ret.clone();
        let parts: Vec<(Ret, Val)> = match (ret, val) {
            (Ret::Unit, _) => Vec::new(),
            (_, Val::Never) => return self.lost_value(span),
            (Ret::Tuple(rets), Val::Tuple(vals)) if rets.len() == vals.len() => {
                rets.into_iter().zip(vals).collect()
            }
            (Ret::Tuple(_), _) => return self.lost_value(span),
            (ret, val) => vec![(ret, val)],
        };
        for (i, (ret, val)) in parts.into_iter().enumerate() {
            let role = Role::primal(Source::Result(i));
            let binding = match (&ret, val) {
                (Ret::Scalar, Val::Scalar(v)) => {
                    let v = self.as_output(v);
                    Binding::Value(v)
                }
                (Ret::Array | Ret::Vec, Val::View(view))
                    if !view.by_ref && view.prefix.is_empty() && view.range.is_none() =>
                {
                    Binding::Buffer(view.buffer)
                }
                _ => return self.lost_value(span),
            };
            self.s.b.func.outputs.push(Output { role, binding });
        }
    }

    /// A returned scalar is a float, even if the macro could not tell (a verbatim constant).
    fn as_output(&mut self, v: Value) -> Value {
        if self.s.b.func.is_float(v) {
            return v;
        }
        let kind = match &self.s.b.func.params.iter().find_map(|p| match p.binding {
            Binding::Value(v) if self.s.b.func.is_float(v) => Some(self.s.b.func.ty(v).clone()),
            Binding::Buffer(b) if self.s.b.func.buffer(b).elem.is_float() => {
                Some(self.s.b.func.buffer(b).elem.clone())
            }
            _ => None,
        }) {
            Some(ty) => ty.clone(),
            None => Type::Float(FloatKind::F64),
        };
        let name = self.s.b.func.value(v).name.clone();
        let tokens = Verbatim::hole(0).parse().unwrap_or_default();
        let out = self.s.b.op_typed(Op::Verbatim(Verbatim { tokens, buffers: Vec::new() }), &[v], kind);
        if let Some(name) = name {
            self.s.b.name(out, || name);
        }
        out
    }

    fn lost_value(&mut self, span: Span) {
        if self.diagnostics.is_empty() {
            self.error(
                span,
                "the macro cannot follow what is returned here",
                "end the function with the value itself: a float, a local array or vector, or a tuple of these",
            );
        }
    }

    pub(super) fn error(
        &mut self,
        span: Span,
        what: impl std::fmt::Display,
        instead: impl std::fmt::Display,
    ) {
        self.diagnostics.error(span, what, instead);
    }

    // ---------------------------------------------------------------------------------------- variables

    pub(super) fn new_var(&mut self, name: &str, mutable: bool, val: Val) -> VarId {
        self.s.vars.push(Variable { name: name.into(), mutable, val });
        self.s.vars.len() - 1
    }

    /// Makes a name mean a variable, from here to the end of the scope.
    pub(super) fn declare(&mut self, name: &str, var: VarId) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.to_string(), var);
        }
    }

    pub(super) fn lookup(&self, name: &str) -> Option<VarId> {
        self.scopes.iter().rev().find_map(|s| s.get(name).copied())
    }

    pub(super) fn scoped<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        self.scopes.push(HashMap::new());
        let result = f(self);
        self.scopes.pop();
        result
    }

    /// Sets a variable. A nameless value takes the variable's name.
    pub(super) fn set(&mut self, var: VarId, val: Val) {
        let name = self.s.vars[var].name.clone();
        let val = match val {
            Val::Scalar(v) => {
                // A second name for a value, or a constant that stands for itself, stays as it is.
                self.s.b.name(v, || name);
                Val::Scalar(v)
            }
            other => other,
        };
        self.s.vars[var].val = val;
    }

    pub(super) fn bool_var(&mut self, name: &str) -> VarId {
        let no = self.s.b.boolean(false);
        self.new_var(name, true, Val::Scalar(no))
    }

    // ---------------------------------------------------------------------------------------- taint

    pub(super) fn is_tainted(&self, v: Value) -> bool {
        self.s.tainted.contains(&v)
    }

    pub(super) fn taint_from(&mut self, v: Value, tainted: bool) {
        if tainted && self.s.b.func.is_float(v) {
            self.s.tainted.insert(v);
        }
    }

    pub(super) fn val_tainted(&self, val: &Val) -> bool {
        match val {
            Val::Scalar(v) => self.is_tainted(*v),
            Val::View(view) => self.s.tainted_buffers.contains(&view.buffer),
            Val::Tuple(list) => list.iter().any(|v| self.val_tainted(v)),
            Val::Unset | Val::Never => false,
        }
    }

    /// A pure operation.
    pub(super) fn op(&mut self, op: Op, args: &[Value]) -> Value {
        let tainted = args.iter().any(|a| self.is_tainted(*a));
        let v = self.s.b.op(op, args);
        self.taint_from(v, tainted);
        v
    }

    pub(super) fn store(&mut self, buffer: Buffer, index: Vec<Value>, value: Value, mode: StoreMode) {
        if self.is_tainted(value) {
            self.s.tainted_buffers.insert(buffer);
        }
        self.s.b.store(buffer, index, value, mode);
    }

    pub(super) fn load(&mut self, buffer: Buffer, index: Vec<Value>) -> Value {
        let v = self.s.b.load(buffer, index);
        self.taint_from(v, self.s.tainted_buffers.contains(&buffer));
        v
    }

    // ---------------------------------------------------------------------------------------- joins

    /// Something of a type, for a path on which it is not used.
    pub(super) fn dummy(&mut self, ty: &Type) -> Value {
        match ty {
            Type::Float(_) => self.s.b.float(0.0, ty.clone()),
            Type::Bool => self.s.b.boolean(false),
            Type::Int | Type::Opaque => {
                let tokens = quote::quote!(::core::default::Default::default());
                self.s.b.op_typed(Op::Verbatim(Verbatim { tokens, buffers: Vec::new() }), &[], ty.clone())
            }
        }
    }

    /// Lowers both branches of an `if`, and joins what they change and what they are.
    pub(super) fn branch(
        &mut self,
        cond: Value,
        span: Span,
        then_branch: &mut dyn FnMut(&mut Self) -> (Val, Flow),
        else_branch: &mut dyn FnMut(&mut Self) -> (Val, Flow),
    ) -> (Val, Flow) {
        let before: Vec<Val> = self.s.vars.iter().map(|v| v.val.clone()).collect();
        let first_new = (self.s.b.func.values.len() as u32, self.s.b.func.buffers.len() as u32);
        let mut sides: Vec<Side> = Vec::new();
        let branches = (then_branch, else_branch);
        for side in 0..2 {
            self.s.b.open(Vec::new());
            let (val, flow) =
                if side == 0 { self.scoped(&mut *branches.0) } else { self.scoped(&mut *branches.1) };
            let diverges = self.s.b.current().diverges;
            let block = self.s.b.close(Vec::new());
            let after: Vec<Val> = self.s.vars[..before.len()].iter().map(|v| v.val.clone()).collect();
            for (var, old) in self.s.vars.iter_mut().zip(&before) {
                var.val = old.clone();
            }
            sides.push(Side { block, after, val, flow, diverges });
        }
        let mut join = Join {
            first_new,
            types: Vec::new(),
            names: Vec::new(),
            taints: Vec::new(),
            yields: Default::default(),
        };
        let diverge = [sides[0].diverges, sides[1].diverges];
        let mut vars = Vec::new();
        for i in 0..before.len() {
            let [t, e] =
                [0, 1].map(|k| if sides[k].diverges { Val::Never } else { sides[k].after[i].clone() });
            let joined = if t == e { Joined::Known(t) } else { self.join(&mut join, t, e, Some(i), span) };
            vars.push(joined);
        }
        let [t, e] = [0, 1].map(|k| sides[k].val.clone());
        let flows = [sides[0].flow, sides[1].flow];
        let val = if t == e { Joined::Known(t) } else { self.join(&mut join, t, e, None, span) };
        // Yields, with something in place of what a side has not set.
        let mut blocks: Vec<Block> = Vec::new();
        for (k, side) in sides.into_iter().enumerate() {
            let mut block = side.block;
            if !side.diverges {
                for (slot, ty) in join.yields[k].iter().zip(&join.types) {
                    let v = if let Some(v) = slot {
                        *v
                    } else {
                        self.s.b.open(Vec::new());
                        let v = self.dummy(ty);
                        let made = self.s.b.close(Vec::new());
                        block.insts.extend(made.insts);
                        v
                    };
                    block.yields.push(v);
                }
            }
            blocks.push(block);
        }
        let else_block = blocks.pop().unwrap_or_default();
        let then_block = blocks.pop().unwrap_or_default();
        let results = self.s.b.emit(InstKind::If { cond, then_block, else_block }, join.types.clone());
        for (k, r) in results.iter().enumerate() {
            if let Some(name) = join.names[k].clone() {
                self.s.b.name(*r, || name);
            }
            self.taint_from(*r, join.taints[k]);
        }
        for (i, joined) in vars.into_iter().enumerate() {
            self.s.vars[i].val = joined.resolve(&results);
        }
        // A panic on one side is no exit flag: only the other side goes on.
        let flow = match (flows, diverge) {
            (_, [true, true]) => Flow::Never,
            ([_, other], [true, _]) | ([other, _], [_, true]) => other,
            ([Flow::Falls, Flow::Falls], _) => Flow::Falls,
            ([Flow::Never, Flow::Never], _) => Flow::Never,
            _ => Flow::Maybe,
        };
        (val.resolve(&results), flow)
    }

    fn join(&mut self, join: &mut Join, t: Val, e: Val, var: Option<VarId>, span: Span) -> Joined {
        match (t, e) {
            (a, b) if a == b => Joined::Known(a),
            (Val::Never | Val::Unset, other) => self.one_side(join, 1, other, var, span),
            (other, Val::Never | Val::Unset) => self.one_side(join, 0, other, var, span),
            (Val::Scalar(a), Val::Scalar(b)) => {
                let slot = self.slot(join, &[a, b], var);
                join.yields[0].push(Some(a));
                join.yields[1].push(Some(b));
                Joined::Slot(slot)
            }
            (Val::Tuple(a), Val::Tuple(b)) if a.len() == b.len() => {
                Joined::Tuple(a.into_iter().zip(b).map(|(a, b)| self.join(join, a, b, None, span)).collect())
            }
            _ => {
                self.error(
                    span,
                    "this is one array or slice in one branch and another in the other",
                    "choose an index instead, or write the elements into one local array in both branches",
                );
                Joined::Known(Val::Never)
            }
        }
    }

    /// A value that is there on one side only.
    fn one_side(&mut self, join: &mut Join, side: usize, val: Val, var: Option<VarId>, span: Span) -> Joined {
        match val {
            Val::Scalar(v) => {
                let slot = self.slot(join, &[v], var);
                join.yields[side].push(Some(v));
                join.yields[1 - side].push(None);
                Joined::Slot(slot)
            }
            Val::Tuple(list) => {
                Joined::Tuple(list.into_iter().map(|v| self.one_side(join, side, v, None, span)).collect())
            }
            Val::View(view) => {
                let inside = view.buffer.0 >= join.first_new.1
                    || view.prefix.iter().any(|v| v.0 >= join.first_new.0)
                    || view.range.is_some_and(|(a, b)| a.0 >= join.first_new.0 || b.0 >= join.first_new.0);
                if inside {
                    self.error(
                        span,
                        "an array or slice that is made in one branch only cannot leave it",
                        "declare the array before the branch and write its elements in both branches",
                    );
                    return Joined::Known(Val::Never);
                }
                Joined::Known(Val::View(view))
            }
            other => Joined::Known(other),
        }
    }

    fn slot(&mut self, join: &mut Join, values: &[Value], var: Option<VarId>) -> usize {
        let types: Vec<Type> = values.iter().map(|v| self.s.b.func.ty(*v).clone()).collect();
        let known = |t: &&Type| matches!(t, Type::Float(k) if *k != FloatKind::Infer);
        let ty = types
            .iter()
            .find(known)
            .or_else(|| types.iter().find(|t| t.is_float()))
            .or_else(|| types.iter().find(|t| **t != Type::Opaque))
            .unwrap_or(&Type::Opaque)
            .clone();
        join.types.push(ty);
        join.taints.push(values.iter().any(|v| self.is_tainted(*v)));
        join.names.push(var.map(|v| self.s.vars[v].name.clone()));
        join.types.len() - 1
    }

    /// The function's value where some paths have returned early through a flag.
    fn merge_returned(&mut self, val: Val, flow: Flow) -> Val {
        let early = self.s.vars[self.return_value].val.clone();
        if flow == Flow::Never || matches!(val, Val::Never) {
            return if matches!(early, Val::Unset) { val } else { early };
        }
        if self.sig.ret == Ret::Unit || matches!(early, Val::Unset) {
            return val;
        }
        let Val::Scalar(flag) = self.s.vars[self.returned].val else { return val };
        self.choose(flag, early, val)
    }

    /// `if flag { a } else { b }` of values that are in scope.
    pub(super) fn choose(&mut self, flag: Value, a: Val, b: Val) -> Val {
        match (a, b) {
            (Val::Scalar(a), Val::Scalar(b)) => {
                let (mut a, mut b) = (Val::Scalar(a), Val::Scalar(b));
                self.branch(
                    flag,
                    Span::call_site(),
                    &mut |_| (std::mem::replace(&mut a, Val::Never), Flow::Falls),
                    &mut |_| (std::mem::replace(&mut b, Val::Never), Flow::Falls),
                )
                .0
            }
            (Val::Tuple(a), Val::Tuple(b)) if a.len() == b.len() => {
                Val::Tuple(a.into_iter().zip(b).map(|(a, b)| self.choose(flag, a, b)).collect())
            }
            (a, _) => a,
        }
    }
}

/// One side of a branch, lowered.
struct Side {
    block: Block,
    after: Vec<Val>,
    val: Val,
    flow: Flow,
    diverges: bool,
}

/// The results of a join in the making.
struct Join {
    /// Values and buffers from these numbers on are made in the branches.
    first_new: (u32, u32),
    types: Vec<Type>,
    names: Vec<Option<Rc<str>>>,
    taints: Vec<bool>,
    yields: [Vec<Option<Value>>; 2],
}

enum Joined {
    Known(Val),
    Slot(usize),
    Tuple(Vec<Joined>),
}

impl Joined {
    fn resolve(self, results: &[Value]) -> Val {
        match self {
            Joined::Known(val) => val,
            Joined::Slot(k) => Val::Scalar(results[k]),
            Joined::Tuple(list) => Val::Tuple(list.into_iter().map(|j| j.resolve(results)).collect()),
        }
    }
}

/// The whole of a buffer.
pub(super) fn whole(buffer: Buffer, by_ref: bool) -> Val {
    Val::View(View { buffer, prefix: Vec::new(), range: None, by_ref })
}

fn is_integer(t: &syn::TypePath) -> bool {
    const NAMES: [&str; 12] =
        ["usize", "isize", "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128"];
    t.path.get_ident().is_some_and(|i: &Ident| NAMES.iter().any(|n| i == n))
}
