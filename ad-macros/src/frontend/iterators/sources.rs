//! Iterators from expressions: ranges, `iter()` and its like, and the adapters on them.

use std::rc::Rc;

use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;

use super::super::lower::Lower;
use super::super::value::Val;
use super::{Callee, Iter};
use crate::ir::{Op, Value, Verbatim};

/// Methods that begin a chain.
const SOURCES: [&str; 21] = [
    "chunk_by",
    "rchunks",
    "rchunks_exact",
    "array_windows",
    "iter",
    "iter_mut",
    "into_iter",
    "windows",
    "chunks",
    "chunks_mut",
    "chunks_exact",
    "chunks_exact_mut",
    "drain",
    "values",
    "keys",
    "chars",
    "bytes",
    "into_values",
    "into_keys",
    "rows",
    "outer_iter",
];

/// Methods that make an iterator of an iterator.
const ADAPTERS: [&str; 23] = [
    "map",
    "filter",
    "zip",
    "enumerate",
    "rev",
    "skip",
    "take",
    "step_by",
    "chain",
    "copied",
    "cloned",
    "scan",
    "flat_map",
    "flatten",
    "take_while",
    "skip_while",
    "map_while",
    "filter_map",
    "inspect",
    "cycle",
    "by_ref",
    "into_iter",
    "iter",
];

/// Whether an expression is an iterator, by its form.
pub(in super::super) fn is_chain(e: &syn::Expr) -> bool {
    match e {
        syn::Expr::Paren(p) => is_chain(&p.expr),
        syn::Expr::Range(r) => r.start.is_some(),
        syn::Expr::MethodCall(m) => {
            let name = m.method.to_string();
            SOURCES.contains(&name.as_str())
                || splits_text(m)
                || ADAPTERS.contains(&name.as_str()) && is_chain(&m.receiver)
        }
        _ => false,
    }
}

/// Whether a call can only be of a method of `str` that gives an iterator.
fn splits_text(m: &syn::ExprMethodCall) -> bool {
    let args: Vec<&syn::Expr> = m.args.iter().collect();
    match (m.method.to_string().as_str(), args.as_slice()) {
        ("split_whitespace" | "split_ascii_whitespace" | "char_indices", []) => true,
        ("split", [syn::Expr::Lit(l)]) => matches!(l.lit, syn::Lit::Str(_) | syn::Lit::Char(_)),
        _ => false,
    }
}

/// Whether code may change what an expression names: it names that, or something that is not known.
pub(in super::super) fn mentions(code: &impl ToTokens, place: &syn::Expr) -> bool {
    fn root(e: &syn::Expr) -> Option<&syn::Ident> {
        match e {
            syn::Expr::Path(p) => p.path.get_ident(),
            syn::Expr::Field(f) => root(&f.base),
            syn::Expr::Index(i) => root(&i.expr),
            syn::Expr::Paren(p) => root(&p.expr),
            _ => None,
        }
    }
    fn holds(tokens: proc_macro2::TokenStream, name: &syn::Ident) -> bool {
        tokens.into_iter().any(|token| match token {
            proc_macro2::TokenTree::Ident(ident) => ident == *name,
            proc_macro2::TokenTree::Group(group) => holds(group.stream(), name),
            _ => false,
        })
    }
    root(place).is_none_or(|name| holds(code.to_token_stream(), name))
}

impl Lower<'_> {
    /// An iterator, where the method makes one; the receiver is what is known of it.
    pub(in super::super) fn source(&mut self, receiver: &Val, e: &syn::ExprMethodCall) -> Option<Val> {
        let name = e.method.to_string();
        let it = match (name.as_str(), e.args.len()) {
            ("iter", 0)
                if let Val::View(view) = receiver
                    && self.rank(view) > 0
                    && self.is_window(view) =>
            {
                Iter::Elements { view: view.clone(), mutable: false }
            }
            ("into_iter", 0) => {
                return self.iterate_by_value(receiver.clone(), true, e.span()).map(Val::Iter);
            }
            ("iter", 0) => return self.iterate(receiver.clone(), false, e.span()).map(Val::Iter),
            ("chunks_mut" | "chunks_exact_mut", 1) => match receiver {
                Val::View(view) => Iter::Chunks {
                    view: self.changeable(view),
                    size: self.number(&e.args[0])?,
                    exact: name == "chunks_exact_mut",
                },
                _ => return None,
            },
            ("iter_mut", 0) => return self.iterate(receiver.clone(), true, e.span()).map(Val::Iter),
            ("windows", 1) => match receiver {
                Val::View(view) => Iter::Windows { view: view.clone(), size: self.number(&e.args[0])? },
                // Windows of rows: of where they begin and how long they are.
                Val::Ragged(_) | Val::Columns(_) => {
                    Iter::RowWindows { rows: Box::new(receiver.clone()), size: self.number(&e.args[0])? }
                }
                _ => return None,
            },
            ("chunks" | "chunks_exact", 1) => match receiver {
                Val::View(view) => Iter::Chunks {
                    view: view.clone(),
                    size: self.number(&e.args[0])?,
                    exact: name == "chunks_exact",
                },
                _ => return None,
            },
            // Of arrays of `ndarray` with one axis.
            ("exact_chunks", 1) => match receiver {
                Val::View(view) if self.rank(view) == 1 && self.s.arrays.contains(&view.buffer) => {
                    Iter::Chunks { view: view.clone(), size: self.number(&e.args[0])?, exact: true }
                }
                _ => return None,
            },
            // Of elements that the macro does not look into: `records.chunk_by(..)`.
            _ if SOURCES.contains(&name.as_str())
                && matches!(receiver, Val::View(view) if !self.s.tainted_buffers.contains(&view.buffer)
                    && self.s.b.func.buffer(view.buffer).elem == crate::ir::Type::Opaque) =>
            {
                return self.foreign_source(e);
            }
            _ => return None,
        };
        Some(Val::Iter(Rc::new(it)))
    }

    pub(in super::super) fn number(&mut self, e: &syn::Expr) -> Option<Value> {
        let val = self.expr(e).0;
        self.scalar(val, e.span())
    }

    /// An iterator over something the macro does not look into: `self.points.iter()`.
    pub(in super::super) fn foreign_source(&mut self, e: &syn::ExprMethodCall) -> Option<Val> {
        let name = e.method.to_string();
        if let syn::Expr::Path(p) = &*e.receiver
            && let Some(var) = p.path.get_ident().and_then(|i| self.lookup(&i.to_string()))
            && let Val::Scalar(v) = self.s.vars[var].val
            && self.s.keyed.contains(&v)
            && ["iter", "into_iter"].contains(&name.as_str())
        {
            return self.inner(Val::Scalar(v), e.span()).map(Val::Iter);
        }
        let receiver = &e.receiver;
        let (tokens, owned) = match (name.as_str(), e.args.len()) {
            ("iter", 0) => (quote!(&#receiver), false),
            ("into_iter", 0) => (quote!(&#receiver), true),
            ("iter_mut", _) => return None,
            // `rows` of `ndarray` gives what can be run over, and is no iterator itself.
            _ => (
                quote!(::core::iter::IntoIterator::into_iter(#e).collect::<::ad_runtime::__private::Vec<_>>()),
                true,
            ),
        };
        // What the method gives by value, its elements may still be references: `clone` copies either.
        let found = self.verbatim_operands(tokens, e.span())?;
        if found.tainted {
            return None;
        }
        let base = self.s.b.op(Op::Verbatim(found.verbatim), &found.args);
        if matches!(name.as_str(), "iter" | "into_iter") {
            self.tell_type(&Val::Scalar(base), receiver);
        }
        Some(Val::Iter(Rc::new(Iter::Foreign { base, owned, refs: false })))
    }

    /// What `for x in val` runs over: of arrays copies of the items. `kept`: the array may be changed while it is run over, and
    /// is copied where it is a variable that can be.
    pub(in super::super) fn iterate_by_value(
        &mut self,
        val: Val,
        kept: bool,
        span: Span,
    ) -> Option<Rc<Iter>> {
        let val = if kept { self.kept_array(val) } else { val };
        let rows = match &val {
            Val::View(view) => !view.by_ref && self.rank(view) > 1 && self.is_plain(view),
            Val::Columns(_) => true,
            _ => false,
        };
        let it = match val {
            Val::View(view) if !view.by_ref && self.rank(&view) > 0 && self.is_plain(&view) => {
                Rc::new(Iter::Elements { view, mutable: false })
            }
            val => self.iterate(val, false, span)?,
        };
        Some(if rows { Rc::new(Iter::Deref(it)) } else { it })
    }

    /// An array by value: a copy of one that a variable holds which may be changed. Vectors are moved.
    fn kept_array(&mut self, val: Val) -> Val {
        match val {
            Val::View(view) if !view.by_ref && self.rank(&view) > 0 && !self.is_window(&view) => {
                let moved = view.prefix.is_empty() && self.moves(&view);
                if !moved && self.may_change(&view) && self.is_held_somewhere(&view) {
                    self.duplicate(Val::View(view), "items")
                } else {
                    Val::View(view)
                }
            }
            Val::Columns(ref inner) if inner.parts().is_some() => {
                let list = val.parts().unwrap_or_default().to_vec();
                val.with_parts(list.into_iter().map(|part| self.kept_array(part)).collect())
            }
            other => other,
        }
    }

    /// What `for x in val` runs over.
    pub(in super::super) fn iterate(&mut self, val: Val, mutable: bool, span: Span) -> Option<Rc<Iter>> {
        match val {
            Val::Iter(it) => Some(it),
            // Arrays give their elements, `nalgebra`'s by columns; a view that may be changed gives them to be changed.
            Val::View(view) if self.rank(&view) == 2 && !self.is_plain(&view) => {
                let mutable = mutable || self.is_window(&view);
                let view = if self.is_linear(&view) { self.transposed_window(&view, span) } else { view };
                Some(Rc::new(self.all_elements(&view, mutable)))
            }
            Val::View(view) if self.is_window(&view) && self.rank(&view) > 0 => {
                Some(Rc::new(Iter::Elements { view, mutable: true }))
            }
            Val::View(view) if self.rank(&view) > 0 => Some(Rc::new(Iter::Elements { view, mutable })),
            Val::Columns(parts) => Some(Rc::new(Iter::Columns { parts, mutable })),
            Val::Ragged(_) => Some(Rc::new(Iter::Columns { parts: Box::new(val), mutable })),
            Val::Scalar(base) if self.s.keyed.contains(&base) => self.inner(val, span),
            Val::Scalar(base) if !self.s.b.func.is_float(base) => {
                let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
                let owned = !self.s.refs.contains(&base);
                let tokens = quote!(&#hole);
                let verbatim = Verbatim::new(tokens, Vec::new());
                let base = self.s.b.op(Op::Verbatim(verbatim), &[base]);
                let _ = owned;
                Some(Rc::new(Iter::Foreign { base, owned: false, refs: false }))
            }
            map @ Val::Struct(..) if self.is_map(&map) => self.map_items(&map, span),
            // None or one.
            Val::Maybe(_) => Some(Rc::new(Iter::Flatten(Rc::new(Iter::Once(Box::new(val)))))),
            Val::Never => None,
            Val::Spent => {
                self.error(span, super::super::verbatim::SPENT.0, super::super::verbatim::SPENT.1);
                None
            }
            _ => {
                self.error(
                    span,
                    "the macro cannot run over this",
                    "loop over a range (`a..b`), over `x.iter()` of an array, slice or vector, or over a chain of these",
                );
                None
            }
        }
    }

    /// The items that something in a chain holds: a vector, an option, whatever can be run over.
    pub(super) fn inner(&mut self, val: Val, span: Span) -> Option<Rc<Iter>> {
        match val {
            Val::Scalar(base) if !self.s.b.func.is_float(base) => {
                let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
                let by_ref = self.s.refs.contains(&base);
                let of = if by_ref { quote!(#hole) } else { quote!((&#hole)) };
                let tokens = quote!(
                    ::core::iter::IntoIterator::into_iter(#of).collect::<::ad_runtime::__private::Vec<_>>()
                );
                let verbatim = Verbatim::new(tokens, Vec::new());
                let base = self.s.b.op(Op::Verbatim(verbatim), &[base]);
                Some(Rc::new(Iter::Foreign { base, owned: true, refs: true }))
            }
            other => self.iterate(other, false, span),
        }
    }

    /// An expression as an iterator.
    pub(in super::super) fn iterator(&mut self, e: &syn::Expr) -> Option<Rc<Iter>> {
        self.iterator_over(e, true)
    }

    /// As [`Lower::iterator`]; `kept`: what is named may be changed while it is run over.
    pub(in super::super) fn iterator_over(&mut self, e: &syn::Expr, kept: bool) -> Option<Rc<Iter>> {
        if let Some(range) = self.declared_range(e) {
            return Some(range);
        }
        match e {
            syn::Expr::Paren(p) => self.iterator_over(&p.expr, kept),
            syn::Expr::Group(g) => self.iterator_over(&g.expr, kept),
            syn::Expr::Reference(r) => {
                let mutable = r.mutability.is_some();
                let val = self.expr(&r.expr).0;
                // `for v in &mut it`
                if mutable {
                    self.spend(&r.expr);
                }
                let val = match val {
                    Val::Scalar(v) if !self.s.b.func.is_float(v) => {
                        // Elements of something unknown, by reference.
                        return self.foreign_items(&r.expr, v);
                    }
                    Val::View(view) => Val::View(super::super::value::View { by_ref: true, ..view }),
                    other => other,
                };
                self.iterate(val, mutable, e.span())
            }
            syn::Expr::Field(_) if self.is_foreign(e) => {
                let found = self.verbatim_operands(quote!(&#e), e.span())?;
                let base = self.s.b.op(Op::Verbatim(found.verbatim), &found.args);
                Some(Rc::new(Iter::Foreign { base, owned: false, refs: false }))
            }
            // Of text, in all likelihood; it is run over, so it is an iterator or can be made one.
            syn::Expr::MethodCall(m)
                if m.method == "lines" && m.args.is_empty() && self.is_foreign(&m.receiver) =>
            {
                let items = quote!(::core::iter::IntoIterator::into_iter(#e).collect::<::ad_runtime::__private::Vec<_>>());
                let found = self.verbatim_operands(items, e.span())?;
                let base = self.s.b.op(Op::Verbatim(found.verbatim), &found.args);
                Some(Rc::new(Iter::Foreign { base, owned: true, refs: false }))
            }
            _ => {
                let val = self.expr(e).0;
                // `for b in bodies` of a `&mut Vec<Body>`: the fields can be written.
                if let Val::RefMut(..) = val {
                    let val = self.deref(val);
                    let mutable = matches!(val, Val::Columns(_));
                    return self.iterate(val, mutable, e.span());
                }
                // `for a in v` of a `&mut [f64]`: the elements can be written.
                let mutable = matches!(e, syn::Expr::Path(_))
                    && matches!(&val, Val::View(v) if v.by_ref
                        && self.s.b.func.buffer(v.buffer).storage != crate::ir::Storage::Shared);
                if mutable {
                    return self.iterate(val, true, e.span());
                }
                self.iterate_by_value(val, kept, e.span())
            }
        }
    }

    /// A range that is data, of a type that is told.
    pub(in super::super) fn declared_range(&mut self, e: &syn::Expr) -> Option<Rc<Iter>> {
        let told = matches!(e, syn::Expr::Path(_) | syn::Expr::Field(_) | syn::Expr::Index(_))
            || matches!(e, syn::Expr::MethodCall(m) if m.method == "clone" && m.args.is_empty());
        if !told || !self.declared(e).is_some_and(|ty| super::super::declared::is_range(&ty)) {
            return None;
        }
        let val = self.expr(e).0;
        match self.range_of_data(val, e) {
            Val::Iter(range) => Some(range),
            _ => None,
        }
    }

    fn foreign_items(&mut self, e: &syn::Expr, v: Value) -> Option<Rc<Iter>> {
        let base = if self.is_foreign(e) {
            let found = self.verbatim_operands(quote!(&#e), e.span())?;
            let base = self.s.b.op(Op::Verbatim(found.verbatim), &found.args);
            self.tell_type(&Val::Scalar(base), e);
            base
        } else {
            v
        };
        if self.s.keyed.contains(&base) {
            self.s.refs.insert(base);
            return self.inner(Val::Scalar(base), e.span());
        }
        Some(Rc::new(Iter::Foreign { base, owned: false, refs: false }))
    }

    /// A range as a value.
    pub(in super::super) fn range(&mut self, r: &syn::ExprRange) -> Option<Val> {
        let inclusive = matches!(r.limits, syn::RangeLimits::Closed(_));
        let Some(start) = r.start.as_deref() else {
            let hi = self.number(r.end.as_deref()?)?;
            return Some(Val::Iter(Rc::new(Iter::Below { hi, inclusive })));
        };
        let lo = self.number(start)?;
        let Some(end) = r.end.as_deref() else {
            return Some(Val::Iter(Rc::new(Iter::From { lo })));
        };
        let hi = self.number(end)?;
        Some(Val::Iter(Rc::new(Iter::Range { lo, hi, inclusive })))
    }

    /// What is called: a closure, or a function by its name.
    pub(in super::super) fn callee(&mut self, e: &syn::Expr) -> Option<Callee> {
        match e {
            syn::Expr::Paren(p) => self.callee(&p.expr),
            syn::Expr::Reference(r) => self.callee(&r.expr),
            syn::Expr::Path(p) => {
                match p
                    .path
                    .get_ident()
                    .and_then(|i| self.lookup(&i.to_string()))
                    .map(|v| &self.s.vars[v].val)
                {
                    Some(Val::Closure(c)) => Some(Callee::Closure(c.clone())),
                    _ => Some(Callee::Path(p.clone())),
                }
            }
            syn::Expr::Closure(_) => match self.expr(e).0 {
                Val::Closure(c) => Some(Callee::Closure(c)),
                _ => None,
            },
            _ => {
                self.error(
                    e.span(),
                    "the macro does not know what is called here",
                    "pass a closure, or the name of a function",
                );
                None
            }
        }
    }

    /// An adapter; `None` if the method is none.
    pub(in super::super) fn adapter(&mut self, it: &Rc<Iter>, e: &syn::ExprMethodCall) -> Option<Val> {
        let name = e.method.to_string();
        let a = it.clone();
        let arg = e.args.first();
        let made = match (name.as_str(), e.args.len()) {
            ("into_iter" | "iter" | "by_ref" | "fuse" | "clone", 0) => return Some(Val::Iter(a)),
            ("cloned", 0) if self.clones_are_own(&a) => {
                Iter::Map(a, self.callee(&syn::parse_quote!(|item| item.clone()))?)
            }
            ("copied" | "cloned", 0) => Iter::Deref(a),
            ("enumerate", 0) => Iter::Enumerate(a),
            ("rev", 0) => Iter::Rev(a),
            ("cycle", 0) => Iter::Cycle(a),
            ("flatten", 0) => Iter::Flatten(a),
            ("and", 1) => Iter::Zip(a, self.zipped(arg?)?),
            ("zip", 1) => Iter::Zip(a, self.iterator(arg?)?),
            ("chain", 1) => Iter::Chain(a, self.iterator(arg?)?),
            ("skip", 1) => Iter::Skip(a, self.number(arg?)?),
            ("take", 1) => Iter::Take(a, self.number(arg?)?),
            ("step_by", 1) => Iter::StepBy(a, self.number(arg?)?),
            ("map", 1) => Iter::Map(a, self.callee(arg?)?),
            ("filter", 1) => Iter::Filter(a, self.callee(arg?)?),
            ("filter_map", 1) => Iter::FilterMap(a, self.callee(arg?)?),
            ("take_while", 1) => Iter::TakeWhile(a, self.callee(arg?)?),
            ("skip_while", 1) => Iter::SkipWhile(a, self.callee(arg?)?),
            ("map_while", 1) => Iter::MapWhile(a, self.callee(arg?)?),
            ("flat_map", 1) => Iter::FlatMap(a, self.callee(arg?)?),
            ("scan", 2) => {
                let init = self.expr(arg?).0;
                let init = self.own(init, true, "state");
                let state = self.new_var("state", true, init);
                Iter::Scan(a, state, self.callee(&e.args[1])?)
            }
            _ => return None,
        };
        Some(Val::Iter(Rc::new(made)))
    }

    /// What `repeat(x)` gives: each time the same, until that is bound as something to be changed.
    fn repeated_item(&mut self, e: &syn::Expr) -> Val {
        let val = self.expr(e).0;
        let val = self.own(val, true, "item");
        super::super::rows::lent_whole(val)
    }

    /// `std::iter::once(x)`, `repeat(x)`, `zip(a, b)`.
    pub(in super::super) fn iter_function(&mut self, path: &syn::Path, c: &syn::ExprCall) -> Option<Val> {
        let list: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let name = match list.as_slice() {
            [.., module, name] if module == "iter" => name,
            // By an import; what such a name gives if it is another's is no iterator, and will not pass for one.
            [name]
                if ["once", "repeat", "repeat_n", "successors", "repeat_with"].contains(&name.as_str())
                    && self.lookup(name).is_none()
                    && crate::file::signature_of(name, &self.sig.ident).is_none()
                    && crate::functions::find(name).is_none() =>
            {
                name
            }
            _ => return None,
        };
        let args: Vec<&syn::Expr> = c.args.iter().collect();
        let made = match (name.as_str(), args.as_slice()) {
            ("once", [a]) => Iter::Once(Box::new(self.repeated_item(a))),
            ("repeat", [a]) => Iter::Repeat(Box::new(self.repeated_item(a))),
            ("repeat_n", [a, n]) => {
                let val = self.repeated_item(a);
                let n = self.number(n)?;
                Iter::Take(Rc::new(Iter::Repeat(Box::new(val))), n)
            }
            ("zip", [a, b]) => Iter::Zip(self.iterator(a)?, self.iterator(b)?),
            ("successors", [first, f]) => {
                let first = self.expr(first).0;
                let first = self.own(first, true, "item");
                Iter::Successors(Box::new(first), self.callee(f)?)
            }
            ("from_fn" | "repeat_with", [f]) => Iter::Calls { f: self.callee(f)?, ends: name == "from_fn" },
            _ => {
                self.error(
                    path.to_token_stream().span(),
                    format!("`iter::{name}` is not supported"),
                    "write the loop",
                );
                return Some(Val::Never);
            }
        };
        Some(Val::Iter(Rc::new(made)))
    }
}
