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
    Binding, Buffer, BufferData, Builder, Dim, FloatKind, Func, Inst, InstKind, Op, Output, Param, Role,
    Source, Storage, StoreMode, Type, Value, Verbatim,
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
            let shape_of = |ty: Option<&syn::Type>| ty.and_then(|ty| shape(ty, &sig.floats));
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
