//! The state of lowering: variables and their scopes, what each is at the moment, and what becomes of them where
//! control flow joins.
//!
//! Control flow is lowered by trial: the body of a loop is lowered on a copy of the state to learn which variables
//! it changes and of what type they are in the end; those are carried. A trial is repeated until nothing new is
//! found, then the loop is lowered for good.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use proc_macro2::{Ident, Span, TokenStream};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::arrays::types::By;
use super::arrays::windows::Window;
use super::iterators::Sampled;
use super::opaque::{Found, Origin};
use super::signature::{Class, Node, Record, Ret, Signature, shape};
use super::stmt::is_integer as is_integer_type;
use super::value::{Val, View};
use crate::diagnostics::Diagnostics;
use crate::ir::{
    Binding, Buffer, BufferData, Builder, Dim, FloatKind, Func, Inst, InstKind, Layout, Op, Output, Param,
    Role, Snippet, Source, Storage, StoreMode, Type, Value, Verbatim,
};

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
    pub(super) name: Arc<str>,
    pub(super) mutable: bool,
    pub(super) val: Val,
    /// Where its name stands, if it may be an array that the macro does not look into.
    pub(super) origin: Option<Arc<str>>,
}

/// Index of a variable.
pub(super) type VarId = usize;

/// What a mutable reference to data leads to.
#[derive(Clone)]
pub(super) enum Target {
    /// A part of a variable.
    Part(VarId, Vec<usize>),
    Other,
}

/// A loop around the code that is lowered.
#[derive(Clone)]
pub(super) struct LoopContext {
    pub(super) label: Option<String>,
    /// Made by the frontend: `break` without a label does not mean it.
    pub(super) internal: bool,
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
    /// Values that are references to something the macro does not look into.
    pub(super) refs: HashSet<Value>,
    /// Of these, those that are mutable.
    pub(super) mutable: HashMap<Value, Target>,
    /// Of these, those that are values in the user's function: code that is passed through gets what they lead to.
    pub(super) held: HashSet<Value>,
    /// Which integer an integer is, where the macro knows.
    pub(super) ints: HashMap<Value, Arc<str>>,
    /// Buffers that are vectors and matrices of `nalgebra`, for which `*` is their product; behind how many axes of slices
    /// or vectors of them.
    pub(super) linear: HashMap<Buffer, usize>,
    /// What is kept of `s![..]`: index or range, and step, of each axis.
    pub(super) slicings: HashMap<Value, Rc<[(syn::Expr, Option<syn::Expr>)]>>,
    /// Maps and sets, which have no numbered elements.
    pub(super) keyed: HashSet<Value>,
    /// Data as a statement has left it that changes it.
    pub(super) built: HashSet<Value>,
    /// Items of ranges of untyped literals that run beside something else: a `usize` here, whatever it is to the user.
    pub(super) counted: HashSet<Value>,
    /// Elements of buffers: numbers, where the user has references to them.
    pub(super) loaded: HashSet<Value>,
    /// Buffers that are arrays of `ndarray`.
    pub(super) arrays: HashSet<Buffer>,
    /// The types of parameters that the macro does not look into.
    pub(super) types: HashMap<Value, Arc<str>>,
    /// The whole types of what the macro does not look into, as far as declarations tell.
    pub(super) declared: HashMap<Value, syn::Type>,
    /// Data that rustc has checked to be of the type that it is declared to be.
    pub(super) exact: HashSet<Value>,
    /// The types of the elements of slices that are parameters, where these are no numbers.
    pub(super) elements: HashMap<Buffer, syn::Type>,
    /// Copies of arrays that other code made: whether these are vectors, which move, or arrays, which are copied, is not known.
    pub(super) copied_in: HashSet<Buffer>,
    /// Buffers in which arrays leave loops.
    pub(super) homes: HashSet<Buffer>,
    /// Buffers that stand for parts of others.
    pub(super) windows: HashMap<Buffer, Window>,
    /// How many characters of short functions have been written out.
    pub(super) short: usize,
}

impl State {
    /// A value takes the place of another in a round of a loop: what is known of data is still known.
    pub(super) fn stands_for(&mut self, new: Value, old: Value) {
        for set in [&mut self.keyed, &mut self.built] {
            if set.contains(&old) {
                set.insert(new);
            }
        }
        if let Some(ty) = self.declared.get(&old).cloned() {
            self.declare(new, &ty);
        }
    }

    /// Notes the type of something that the macro does not look into.
    pub(super) fn declare(&mut self, v: Value, ty: &syn::Type) {
        if is_keyed(ty) {
            self.keyed.insert(v);
        }
        match ty {
            syn::Type::Reference(r) => return self.declare(v, &r.elem),
            syn::Type::Paren(p) => return self.declare(v, &p.elem),
            syn::Type::Group(g) => return self.declare(v, &g.elem),
            syn::Type::Path(p) => {
                if let Some(inner) = super::declared::in_a_box(p) {
                    return self.declare(v, inner);
                }
                if let Some(last) = p.path.segments.last() {
                    self.types.insert(v, last.ident.to_string().into());
                }
            }
            _ => {}
        }
        self.declared.insert(v, ty.clone());
    }
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
    /// What is assumed of other items, as assertions.
    pub(super) assumptions: Vec<TokenStream>,
    /// The structs whose methods, operators or constants are written out.
    pub(super) members_of: BTreeSet<String>,
    /// Whether the value of the code that is lowered is the function's: there `return` is a value.
    pub(super) tail: bool,
    /// Whether a pattern that is bound may not hold: there an upper-case name is a constant.
    pub(super) refutable: bool,
    /// Whether what is lowered is an operand of an expression without exits.
    pub(super) no_exits: bool,
    /// How many closures the code that is lowered is in.
    pub(super) depth: usize,
    /// How many loops the code that is lowered is in.
    pub(super) rounds: usize,
    /// How many trials are under way.
    pub(super) trials: usize,
    /// Which they are: one of them that comes again calls itself.
    pub(super) inlined: Vec<usize>,
    /// Other functions that are written out where they are called.
    pub(super) written: HashMap<String, Rc<super::value::Closure>>,
    /// Those of them that are being written out, from the outermost on.
    pub(super) writing: Vec<String>,
    /// The type that a `let` wants.
    pub(super) expected: Option<syn::Type>,
    /// The type that the function or closure that is lowered returns, where it is written.
    pub(super) output: Option<syn::Type>,
    pub(super) sampled: Sampled,
    /// The loop or method that is lowered, for errors about what it does as a whole.
    pub(super) here: Span,
    /// What the elements of vectors that grow are, by the `let` that makes them.
    pub(super) rows: HashMap<usize, super::vectors::Row>,
    /// Arrays made by code that the macro does not look into: those that are known, and those that are found.
    pub(super) known: HashMap<Origin, Found>,
    pub(super) wanted: HashMap<Origin, Found>,
    /// The type of what is assigned, while the place is looked for.
    pub(super) storing: Option<Type>,
}

/// More often than this, a body is not lowered again for what was found.
const MOST_ATTEMPTS: usize = 16;

/// Lowers a body.
/// Also what it assumes of other items.
pub(super) fn function(
    sig: &Signature,
    body: &syn::Block,
    diagnostics: &mut Diagnostics,
) -> (Func, Vec<TokenStream>) {
    let mut known = HashMap::default();
    let mark = diagnostics.mark();
    for _ in 0..MOST_ATTEMPTS {
        let (func, wanted, assumptions) = attempt(sig, body, known.clone(), diagnostics);
        let before = known.clone();

        super::opaque::learn(&mut known, wanted);
        if diagnostics.mark() == mark || known == before {
            return (func, assumptions);
        }
        diagnostics.back_to(mark);
    }
    let (func, _, assumptions) = attempt(sig, body, known, diagnostics);
    (func, assumptions)
}

/// Lowers a body, with what is known of arrays that it does not make itself; and what was found of them.
fn attempt(
    sig: &Signature,
    body: &syn::Block,
    known: HashMap<Origin, Found>,
    diagnostics: &mut Diagnostics,
) -> (Func, HashMap<Origin, Found>, Vec<TokenStream>) {
    let b = Builder::new(Func::new(&sig.ident.to_string()));
    let state = State {
        b,
        vars: Vec::new(),
        tainted: HashSet::default(),
        tainted_buffers: HashSet::default(),
        refs: HashSet::default(),
        mutable: HashMap::default(),
        held: HashSet::default(),
        ints: HashMap::default(),
        linear: HashMap::default(),
        arrays: HashSet::default(),
        types: HashMap::default(),
        declared: HashMap::default(),
        exact: HashSet::default(),
        elements: HashMap::default(),
        homes: HashSet::default(),
        windows: HashMap::default(),
        short: 0,
        copied_in: HashSet::default(),
        slicings: HashMap::default(),
        keyed: HashSet::default(),
        built: HashSet::default(),
        counted: HashSet::default(),
        loaded: HashSet::default(),
    };
    let mut lower = Lower {
        sig,
        diagnostics,
        s: state,
        scopes: vec![HashMap::default()],
        loops: Vec::new(),
        returned: 0,
        return_value: 0,
        items: Vec::new(),
        consts: HashMap::default(),
        assumptions: Vec::new(),
        members_of: BTreeSet::new(),
        tail: true,
        refutable: false,
        no_exits: false,
        depth: 0,
        rounds: 0,
        trials: 0,
        inlined: Vec::new(),
        written: HashMap::default(),
        writing: Vec::new(),
        expected: None,
        output: sig.output.clone(),
        sampled: Sampled::default(),
        here: Span::call_site(),
        rows: HashMap::default(),
        known,
        wanted: HashMap::default(),
        storing: None,
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
    let wanted = std::mem::take(&mut lower.wanted);
    let mut assumptions = std::mem::take(&mut lower.assumptions);
    assumptions.extend(super::members::types_within(sig, &lower.members_of));
    let arrays: Vec<Buffer> = lower.s.arrays.iter().chain(lower.s.linear.keys()).copied().collect();
    let func = lower.s.b.finish();
    if let Some(span) = super::arrays::windows::named(&lower.s.windows, &func) {
        let what = "the macro cannot follow what is done with this part of an array";
        lower.diagnostics.error(span, what, "change its elements, or copy it: `.to_owned()`");
    }
    let mut func = super::arrays::storage::settle(func, arrays.into_iter());
    let effects = items.into_iter().map(|tokens| Inst {
        results: Vec::new(),
        kind: InstKind::Effect(Verbatim::new(tokens, Vec::new()), Vec::new()),
    });
    func.body.insts.splice(0..0, effects);
    (func, wanted, assumptions)
}

impl Lower<'_> {
    fn params(&mut self) {
        let sig = self.sig;
        for (i, p) in sig.params.iter().enumerate() {
            let name: Arc<str> = p.ident.to_string().into();
            let role = Role::primal(Source::Param(i));
            let referent = match &p.ty {
                syn::Type::Reference(r) => Some(&*r.elem),
                _ => None,
            };
            let buffer = |b: &mut Builder, (dims, elem): (Vec<Dim>, Type), storage: Storage| {
                b.func.new_buffer(BufferData::new(name.clone(), elem, dims, storage))
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
                        _ => (Storage::Shared, referent.or(Some(&p.ty))),
                    };
                    let Some(shape) = shape_of(ty) else { continue };
                    let buf = buffer(b, shape, storage);
                    if super::signature::has_vector_rows(&p.ty, &sig.floats) {
                        self.s.linear.insert(buf, 1);
                    }
                    let by_ref = storage != Storage::Owned && !p.is_owned_vec();
                    (Binding::Buffer(buf), whole(buf, by_ref))
                }
                Class::Foreign(foreign) => {
                    let storage = if foreign.by == By::Value { Storage::Owned } else { Storage::Shared };
                    let elem = Type::Float(foreign.elem.clone());
                    let data = BufferData {
                        layout: foreign.layout,
                        ..BufferData::new(name.clone(), elem, foreign.dims.clone(), storage)
                    };
                    let buf = b.func.new_buffer(data);
                    if foreign.layout == Layout::Nalgebra {
                        self.s.linear.insert(buf, 0);
                    } else {
                        self.s.arrays.insert(buf);
                    }
                    (Binding::Buffer(buf), whole(buf, foreign.by == By::Reference))
                }
                Class::Record(record) if p.active => {
                    let val = self.record(i, &p.ident, record);
                    self.bind_param(p, val);
                    continue;
                }
                Class::Records(record, _) if p.active => {
                    let val = self.records(i, &p.ident, record);
                    self.bind_param(p, val);
                    continue;
                }
                Class::Other | Class::Record(_) | Class::Records(..) => {
                    // Slices of anything can be indexed and iterated over.
                    let is_slice = matches!(&p.ty, syn::Type::Reference(r) if r.mutability.is_none());
                    if let Some(shape) = shape_of(referent).filter(|(dims, _)| is_slice && dims.len() == 1) {
                        let buf = buffer(b, shape, Storage::Shared);
                        if let Some((elem, _)) = referent.and_then(super::signature::element) {
                            self.s.elements.insert(buf, elem.clone());
                        }
                        (Binding::Buffer(buf), whole(buf, true))
                    } else {
                        let ty = match &p.ty {
                            syn::Type::Path(t) if t.path.is_ident("bool") => Type::Bool,
                            syn::Type::Path(t) if is_integer(t) => Type::Int,
                            _ => Type::Opaque,
                        };
                        let is_ref = matches!(p.ty, syn::Type::Reference(_));
                        let v = b.func.new_value(ty.clone(), Some(name.clone()));
                        if let (Type::Int, syn::Type::Path(t)) = (&ty, &p.ty) {
                            self.s.ints.insert(v, quote::quote!(#t).to_string().into());
                        }
                        if is_ref {
                            self.s.refs.insert(v);
                        }
                        self.s.declare(v, referent.unwrap_or(&p.ty));
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
            let size = match binding {
                Binding::Value(v) => self.s.ints.get(&v).is_some_and(|ty| **ty == *"usize"),
                Binding::Buffer(_) => false,
            };
            self.s.b.func.params.push(Param { role, binding, active: p.active, size });
            self.bind_param(p, val);
        }
    }

    fn bind_param(&mut self, p: &super::signature::ParamSig, val: Val) {
        // Data that is changed is a local from here on.
        let val = match val {
            Val::View(view) if p.mutable && (!p.active || p.is_owned_vec()) && !view.by_ref => {
                Val::View(self.copy_of(&view, &p.ident.to_string()))
            }
            val => val,
        };
        match &p.pattern {
            None => {
                let name = p.ident.to_string();
                let origin = super::opaque::origin(&p.ident);
                let val = if p.active { val } else { self.opened(&origin, &mut Vec::new(), val, &name) };
                let var = self.new_var(&name, p.mutable, val);
                self.s.vars[var].origin = Some(origin);
                self.declare(&name, var);
            }
            Some(pattern) => self.bind_pattern(pattern, val, false),
        }
    }

    /// An active struct or tuple: a parameter for each float and array in it.
    fn record(&mut self, i: usize, ident: &Ident, record: &Record) -> Val {
        let leaves = (0..record.leaves.len()).map(|k| self.leaf(i, k, ident, record)).collect::<Vec<_>>();
        self.record_node(ident, &record.node, &leaves)
    }

    /// An active slice of structs or tuples: a buffer for each float and array in them.
    fn records(&mut self, i: usize, ident: &Ident, record: &Record) -> Val {
        Val::Columns(Box::new(self.record(i, ident, record)))
    }

    fn leaf(&mut self, i: usize, k: usize, ident: &Ident, record: &Record) -> Val {
        let leaf = &record.leaves[k];
        let mut name = ident.to_string();
        for member in &leaf.path {
            name.push('_');
            name.push_str(&quote::quote!(#member).to_string());
        }
        let name: Arc<str> = name.into();
        let kind = self.float_kind(&leaf.ty).map(Type::Float);
        let array = super::arrays::types::foreign(&leaf.ty, &self.sig.floats);
        let (mut dims, elem) = match (kind, shape(&leaf.ty, &self.sig.floats)) {
            (Some(kind), _) => (Vec::new(), kind),
            (None, Some((dims, elem @ Type::Float(_)))) => (dims, elem),
            _ if let Some(array) = &array => (array.dims.clone(), Type::Float(array.elem.clone())),
            _ if is_integer_type(&leaf.ty) => (Vec::new(), Type::Int),
            _ if matches!(&leaf.ty, syn::Type::Path(p) if p.path.is_ident("bool")) => {
                (Vec::new(), Type::Bool)
            }
            _ => (Vec::new(), Type::Opaque),
        };
        let storage = if record.by_ref { Storage::Shared } else { Storage::Owned };
        let (binding, val) = match &leaf.column {
            None if dims.is_empty() => {
                let v = self.s.b.func.new_value(elem, Some(name));
                self.s.tainted.insert(v);
                (Binding::Value(v), Val::Scalar(v))
            }
            None => {
                let layout = array.as_ref().map_or(Layout::Nested, |array| array.layout);
                let data = BufferData { layout, ..BufferData::new(name, elem, dims, storage) };
                let b = self.s.b.func.new_buffer(data);
                match layout {
                    Layout::Ndarray => {
                        self.s.arrays.insert(b);
                    }
                    Layout::Nalgebra => {
                        self.s.linear.insert(b, 0);
                    }
                    _ => {}
                }
                (Binding::Buffer(b), whole(b, false))
            }
            Some(column) => {
                dims.insert(0, column.axis.clone());
                let field = super::signature::access(&column.path).to_string().replace(' ', "");
                let data =
                    BufferData { field: Some(field.into()), ..BufferData::new(name, elem, dims, storage) };
                let b = self.s.b.func.new_buffer(data);
                if array.is_some_and(|array| array.layout == Layout::Nalgebra) {
                    self.s.linear.insert(b, 1);
                }
                (Binding::Buffer(b), whole(b, true))
            }
        };
        if let (Binding::Buffer(b), false) = (binding, leaf.inactive) {
            self.s.tainted_buffers.insert(b);
        }
        let role = Role::primal(Source::Leaf(i, k));
        self.s.b.func.params.push(Param { role, binding, active: !leaf.inactive, size: false });
        val
    }

    fn record_node(&mut self, ident: &Ident, node: &Node, leaves: &[Val]) -> Val {
        match node {
            Node::Leaf(k) => leaves[*k].clone(),
            Node::Rows(rows) => Val::Columns(Box::new(self.record_node(ident, rows, leaves))),
            Node::Inactive(path, ty) => {
                let place = super::signature::access(path);
                let known = if is_integer_type(ty) {
                    Some(Type::Int)
                } else {
                    matches!(&**ty, syn::Type::Path(p) if p.path.is_ident("bool")).then_some(Type::Bool)
                };
                match known {
                    Some(kind) => {
                        let v = self.pass(quote::quote!(#ident #place), &[], kind);
                        if is_integer_type(ty) {
                            self.s.ints.insert(v, quote::quote!(#ty).to_string().into());
                        }
                        Val::Scalar(v)
                    }
                    None => {
                        let v = self.pass(quote::quote!(&#ident #place), &[], Type::Opaque);
                        self.s.refs.insert(v);
                        Val::Scalar(v)
                    }
                }
            }
            Node::Parts(path, fields) => {
                let mut parts: Vec<(String, Val)> = Vec::new();
                for (member, node) in fields {
                    let val = self.record_node(ident, node, leaves);
                    parts.push((quote::quote!(#member).to_string(), val));
                }
                let Some(path) = path else {
                    return Val::Tuple(parts.into_iter().map(|(_, v)| v).collect());
                };
                // The order of all values of a struct type, see `struct_expr`.
                parts.sort_by(|a, b| a.0.cmp(&b.0));
                let (names, parts) = parts.into_iter().unzip();
                Val::Struct(Rc::new(super::value::Fields { path: path.clone(), names, opened: None }), parts)
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
            // Every path has returned a failure.
            (_, Val::Never) if self.sig.wrapper.is_some() && self.diagnostics.is_empty() => {
                return self.error(
                    span,
                    "this function never returns a value",
                    "return `Some(..)` or `Ok(..)` on some path",
                );
            }
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
                (Ret::Vec, Val::View(view)) if view.range.is_some() || view.by_ref => {
                    let copy = self.copy_of(&view, "result");
                    Binding::Buffer(copy.buffer)
                }
                (Ret::Array | Ret::Vec, Val::View(view))
                    if !view.by_ref && view.prefix.is_empty() && view.range.is_none() =>
                {
                    Binding::Buffer(view.buffer)
                }
                // An element of an array of arrays.
                (Ret::Array, Val::View(view))
                    if view.range.is_none()
                        && self.rank(&view) > 0
                        && self.s.b.func.buffer(view.buffer).dims[view.prefix.len()..]
                            .iter()
                            .all(|d| matches!(d, Dim::Fixed(_))) =>
                {
                    let copy = self.copy_of(&view, "result");
                    Binding::Buffer(copy.buffer)
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
        let code = Snippet::written(Verbatim::hole(0));
        let out = self.s.b.op_typed(Op::Verbatim(Verbatim::new(code, Vec::new())), &[v], kind);
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
        self.s.vars.push(Variable { name: name.into(), mutable, val, origin: None });
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
        self.scopes.push(HashMap::default());
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
        if tainted && matches!(self.s.b.func.ty(v), Type::Float(_) | Type::Opaque) {
            self.s.tainted.insert(v);
        }
    }

    pub(super) fn val_tainted(&self, val: &Val) -> bool {
        match val {
            Val::Scalar(v) => self.is_tainted(*v),
            Val::View(view) => self.s.tainted_buffers.contains(&view.buffer),
            Val::Columns(parts) => self.val_tainted(parts),
            Val::Order(a, b) => self.is_tainted(*a) || self.is_tainted(*b),
            other => other.parts().is_some_and(|list| list.iter().any(|v| self.val_tainted(v))),
        }
    }

    /// A pure operation.
    pub(super) fn op(&mut self, op: Op, args: &[Value]) -> Value {
        let tainted = args.iter().any(|a| self.is_tainted(*a));
        let int = match &op {
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem | Op::Neg => {
                args.iter().find_map(|a| self.int_type(*a))
            }
            _ => None,
        };
        let v = self.s.b.op(op, args);
        self.taint_from(v, tainted);
        if let Some(int) = int {
            self.s.ints.insert(v, int);
        }
        v
    }

    /// Which integer an integer is, where the macro knows it.
    pub(super) fn int_type(&self, v: Value) -> Option<Arc<str>> {
        if let Some(ty) = self.s.ints.get(&v) {
            return Some(ty.clone());
        }
        match self.s.b.constant(v) {
            Some(Op::Int(text)) => {
                let at = text.find(['i', 'u'])?;
                Some(text[at..].into())
            }
            _ => None,
        }
    }

    pub(super) fn store(&mut self, buffer: Buffer, index: Vec<Value>, value: Value, mode: StoreMode) {
        let ty = self.s.b.func.ty(value).clone();
        for b in self.with_windowed(buffer) {
            if self.is_tainted(value) {
                self.s.tainted_buffers.insert(b);
            }
            // What is stored tells what an array is of whose elements nothing else does.
            let data = &mut self.s.b.func.buffers[b.0 as usize];
            if data.elem == Type::Opaque && ty.is_float() && data.storage == Storage::Local {
                data.elem = ty.clone();
            }
        }
        let (buffer, index) = self.through(buffer, index);
        self.s.b.store(buffer, index, value, mode);
    }

    pub(super) fn load(&mut self, buffer: Buffer, index: Vec<Value>) -> Value {
        let (buffer, index) = self.through(buffer, index);
        let v = self.s.b.load(buffer, index);
        self.s.loaded.insert(v);
        if let Some(ty) = self.s.elements.get(&buffer).cloned() {
            self.s.declare(v, &ty);
        }
        self.taint_from(v, self.s.tainted_buffers.contains(&buffer));
        v
    }
}

/// The whole of a buffer.
pub(super) fn whole(buffer: Buffer, by_ref: bool) -> Val {
    Val::View(View { buffer, prefix: Vec::new(), range: None, by_ref, lent: false })
}

fn is_integer(t: &syn::TypePath) -> bool {
    const NAMES: [&str; 12] =
        ["usize", "isize", "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128"];
    t.path.get_ident().is_some_and(|i: &Ident| NAMES.iter().any(|n| i == n))
}

/// Whether a type is a map or set, behind a reference or not.
fn is_keyed(ty: &syn::Type) -> bool {
    match ty {
        syn::Type::Reference(r) => is_keyed(&r.elem),
        syn::Type::Path(p) => {
            let last = p.path.segments.last();
            last.is_some_and(|s| super::declared::is_collection(&s.ident.to_string()))
        }
        _ => false,
    }
}
