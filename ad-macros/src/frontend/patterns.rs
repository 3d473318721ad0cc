//! Patterns: what they bind, and whether they hold.

use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;

use super::lower::Lower;
use super::options::is;
use super::value::{Val, View};
use crate::ir::{Cmp, FloatKind, InstKind, Op, Type, Value, Verbatim};

impl Lower<'_> {
    /// Declares the variables of a pattern that holds. `copy`: what is owned is copied where it has to be.
    pub(super) fn bind_pattern(&mut self, pattern: &syn::Pat, val: Val, copy: bool) {
        match pattern {
            syn::Pat::Ident(id) => {
                if let Some((_, sub)) = &id.subpat {
                    self.bind_pattern(sub, val.clone(), copy);
                }
                // A constant or a variant without fields binds nothing.
                if self.refutable && is_constant(&id.ident) && id.mutability.is_none() && id.subpat.is_none()
                {
                    return;
                }
                let name = id.ident.to_string();
                let mutable = id.mutability.is_some();
                let val = match val {
                    Val::View(view) if id.by_ref.is_some() => {
                        Val::View(View { by_ref: true, lent: false, ..view })
                    }
                    val if (copy || mutable) && id.by_ref.is_none() => self.own(val, mutable, &name),
                    val => val,
                };
                let origin = super::opaque::origin(&id.ident);
                let val = self.opened(&origin, &mut Vec::new(), val, &name);
                let var = self.new_var(&name, mutable, Val::Unset);
                self.s.vars[var].origin = Some(origin);
                self.set(var, val);
                self.declare(&name, var);
            }
            syn::Pat::Wild(_)
            | syn::Pat::Rest(_)
            | syn::Pat::Lit(_)
            | syn::Pat::Range(_)
            | syn::Pat::Path(_) => {}
            // Taken apart where it stands: it may not be moved.
            syn::Pat::Reference(r)
                if let Val::Scalar(v) = &val
                    && self.s.refs.contains(v)
                    && matches!(
                        &*r.pat,
                        syn::Pat::Struct(_)
                            | syn::Pat::Tuple(_)
                            | syn::Pat::TupleStruct(_)
                            | syn::Pat::Slice(_)
                    )
                    && !has_reference(&r.pat) =>
            {
                self.bind_behind(&r.pat, *v);
            }
            syn::Pat::Reference(r) => {
                let val = self.unreference(val);
                self.bind_pattern(&r.pat, val, copy);
            }
            syn::Pat::Paren(p) => self.bind_pattern(&p.pat, val, copy),
            syn::Pat::Type(t) => {
                let val = self.typed(val, &t.ty);
                // Of `mut self` too: a row that is no reference is a copy.
                let val = match &*t.ty {
                    syn::Type::Path(_) | syn::Type::Array(_) => super::rows::lent_by_value(val),
                    _ => val,
                };
                let tells = match &*t.ty {
                    syn::Type::Path(p) => crate::structs::instance(&p.path).is_some(),
                    syn::Type::Array(_) => true,
                    _ => false,
                };
                if let Val::Scalar(v) = &val
                    && tells
                    && self.is_opaque(*v)
                    && !self.s.declared.contains_key(v)
                {
                    self.s.declare(*v, &t.ty);
                }
                self.bind_pattern(&t.pat, val, copy);
            }
            syn::Pat::Guard(g) => self.bind_pattern(&g.pat, val, copy),
            syn::Pat::Or(o) => match val {
                Val::Scalar(v) if binds(pattern) => self.bind_foreign(pattern, v),
                _ => {
                    if binds(pattern) {
                        self.error(o.span(), "bindings in `|` patterns are not supported", "write two arms");
                    }
                }
            },
            syn::Pat::Tuple(t) => self.bind_parts(pattern, t.elems.iter(), val, copy),
            syn::Pat::TupleStruct(t) if is(&t.path, "Err") => match val {
                Val::Maybe(parts) => {
                    let error = match &parts[2] {
                        Val::Scalar(e) => Val::Scalar(self.pass(
                            {
                                let hole = hole();
                                quote!((#hole).unwrap())
                            },
                            &[*e],
                            Type::Opaque,
                        )),
                        _ => Val::Never,
                    };
                    if let Some(inner) = t.elems.first()
                        && !matches!(inner, syn::Pat::Wild(_))
                    {
                        self.bind_pattern(inner, error, false);
                    }
                }
                Val::Scalar(v) => self.bind_foreign(pattern, v),
                _ => self.misfit(pattern),
            },
            syn::Pat::TupleStruct(t) if is(&t.path, "Some") || is(&t.path, "Ok") => match val {
                Val::Maybe(parts) => {
                    if let Some(inner) = t.elems.first() {
                        self.bind_pattern(inner, parts[1].clone(), copy);
                    }
                }
                Val::Scalar(v) => self.bind_foreign(pattern, v),
                _ => self.misfit(pattern),
            },
            syn::Pat::TupleStruct(t) => match val {
                Val::Struct(..) => self.bind_parts(pattern, t.elems.iter(), val, copy),
                Val::Scalar(v) => self.bind_foreign(pattern, v),
                Val::Maybe(_) | Val::Never => {
                    for inner in &t.elems {
                        self.bind_pattern(inner, Val::Unset, false);
                    }
                }
                _ => self.misfit(pattern),
            },
            syn::Pat::Struct(s) => match val {
                Val::Struct(..) => {
                    for field in &s.fields {
                        match val.field(&field.member) {
                            Some(k) => {
                                let part = val.parts().map_or(Val::Never, |list| list[k].clone());
                                self.bind_pattern(&field.pat, part, copy);
                            }
                            None => {
                                self.want_field(&val, &field.member);
                                self.misfit(&field.pat);
                            }
                        }
                    }
                }
                Val::Scalar(v) => self.bind_foreign(pattern, v),
                _ => self.misfit(pattern),
            },
            syn::Pat::Slice(list) => self.bind_slice(list, &val),
            other => self.error(
                other.span(),
                "this pattern is not supported",
                "bind a name, or a tuple of names, and take the parts one by one",
            ),
        }
    }

    fn misfit(&mut self, pattern: &syn::Pat) {
        self.error(
            pattern.span(),
            "this pattern does not fit what the macro knows of the value",
            "bind a name and take the parts one by one",
        );
    }

    fn bind_parts<'p>(
        &mut self,
        whole: &syn::Pat,
        patterns: impl ExactSizeIterator<Item = &'p syn::Pat>,
        val: Val,
        copy: bool,
    ) {
        match val {
            Val::Tuple(list) | Val::Struct(_, list) => {
                let patterns: Vec<&syn::Pat> = patterns.collect();
                let rest = patterns.iter().position(|p| matches!(p, syn::Pat::Rest(_)));
                let (before, after) = match rest {
                    Some(at) => (&patterns[..at], &patterns[at + 1..]),
                    None => (&patterns[..], &patterns[..0]),
                };
                if before.len() + after.len() > list.len() || rest.is_none() && before.len() != list.len() {
                    return self.misfit(whole);
                }
                let tail = list.len() - after.len();
                for (pat, val) in before.iter().zip(&list).chain(after.iter().zip(&list[tail..])) {
                    self.bind_pattern(pat, val.clone(), copy);
                }
            }
            Val::Unset | Val::Never => {
                for pat in patterns {
                    self.bind_pattern(pat, Val::Unset, false);
                }
            }
            Val::Scalar(v) if !self.is_tainted(v) => self.bind_foreign(whole, v),
            _ => self.misfit(whole),
        }
    }

    /// What a reference points to.
    fn unreference(&mut self, val: Val) -> Val {
        match val {
            Val::Scalar(v) if self.s.refs.contains(&v) => {
                let hole = hole();
                Val::Scalar(self.pass(quote!(*#hole), &[v], Type::Opaque))
            }
            other => self.item_by_value(other),
        }
    }

    /// Takes a value apart that the macro does not look into: each name by a `match` of its own.
    fn bind_foreign(&mut self, pattern: &syn::Pat, v: Value) {
        let is_ref = self.s.refs.contains(&v);
        // `&(a, b)`: what is bound is no reference.
        let mut names = Names::of(self.refutable);
        syn::visit::Visit::visit_pat(&mut names, pattern);
        let simple = matches!(pattern, syn::Pat::Tuple(_));
        for (name, mutable) in names.0 {
            let only = keep_only(pattern, Some(&name), self.refutable);
            let hole = hole();
            let tokens = if simple {
                quote!({ let #only = #hole; #name })
            } else {
                quote!(match #hole { #only => #name, _ => ::core::unreachable!() })
            };
            let part = self.pass(tokens, &[v], Type::Opaque);
            if is_ref && !behind_and(pattern, &name) {
                self.s.refs.insert(part);
            }
            if let Some(ty) = self.s.declared.get(&v).and_then(|ty| element_of(pattern, ty, &name)).cloned() {
                self.s.declare(part, &ty);
            }
            let var = self.new_var(&name.to_string(), mutable, Val::Unset);
            self.set(var, Val::Scalar(part));
            self.declare(&name.to_string(), var);
        }
    }

    /// Binds the parts of what a reference leads to: copies of them, or references where the pattern says `ref`.
    pub(super) fn bind_behind(&mut self, pattern: &syn::Pat, v: Value) {
        struct Refs(Vec<syn::Ident>);
        impl syn::visit_mut::VisitMut for Refs {
            fn visit_pat_ident_mut(&mut self, p: &mut syn::PatIdent) {
                if p.by_ref.take().is_some() {
                    self.0.push(p.ident.clone());
                }
                syn::visit_mut::visit_pat_ident_mut(self, p);
            }
        }
        // The reference itself is taken apart, which makes references of all that is bound.
        let (mut refs, mut by_reference) = (Refs(Vec::new()), pattern.clone());
        syn::visit_mut::VisitMut::visit_pat_mut(&mut refs, &mut by_reference);
        self.bind_pattern(&by_reference, Val::Scalar(v), true);
        let mut names = Names::of(self.refutable);
        syn::visit::Visit::visit_pat(&mut names, pattern);
        for (name, _) in names.0 {
            if !refs.0.contains(&name)
                && let Some(var) = self.lookup(&name.to_string())
                && let Val::Scalar(v) = self.s.vars[var].val
                && self.s.refs.contains(&v)
            {
                let hole = hole();
                let copy = self.pass(quote!(*#hole), &[v], Type::Opaque);
                self.set(var, Val::Scalar(copy));
            }
        }
    }

    /// What a pattern has bound are references here, and values in the user's function.
    pub(super) fn hold_names(&mut self, pattern: &syn::Pat) {
        let mut names = Names::of(true);
        syn::visit::Visit::visit_pat(&mut names, pattern);
        for (name, _) in names.0 {
            if let Some(var) = self.lookup(&name.to_string())
                && let Val::Scalar(v) = self.s.vars[var].val
                && self.s.refs.contains(&v)
            {
                self.s.held.insert(v);
            }
        }
    }

    /// A number that the user has, where a reference to it is held here.
    pub(super) fn unheld(&mut self, val: Val) -> Val {
        match val {
            Val::Scalar(v) if self.s.held.contains(&v) => {
                self.scalar(Val::Scalar(v), Span::call_site()).map_or(Val::Never, Val::Scalar)
            }
            other => other,
        }
    }

    /// `let [a, .., b] = x;`
    fn bind_slice(&mut self, list: &syn::PatSlice, val: &Val) {
        let view = match val {
            Val::View(view) => view.clone(),
            Val::Scalar(v) if !self.is_tainted(*v) => {
                return self.bind_foreign(&syn::Pat::Slice(list.clone()), *v);
            }
            Val::Never => return,
            // An array of structs, tuples or vectors, which is kept in parts.
            Val::Columns(_) | Val::Ragged(_) => return self.bind_rows(list, val),
            _ => return self.error(list.span(), "this is no array or slice", "bind a name"),
        };
        let n = list.elems.len();
        let rest = list.elems.iter().position(is_rest);
        for (i, pat) in list.elems.iter().enumerate() {
            let index = match rest {
                Some(at) if i == at => {
                    let start = self.s.b.int(&at.to_string());
                    let total = self.len(&view);
                    let others = self.s.b.int(&(n - 1).to_string());
                    let len = self.op(Op::Sub, &[total, others]);
                    if let syn::Pat::Ident(id) = pat {
                        let part = Val::View(self.sub_view(&view, start, len));
                        // Of an array itself it is a copy: the array may change later.
                        let part = if view.by_ref { part } else { self.duplicate(part, "rest") };
                        let var = self.new_var(&id.ident.to_string(), id.mutability.is_some(), part);
                        self.declare(&id.ident.to_string(), var);
                    }
                    continue;
                }
                Some(at) if i > at => {
                    let total = self.len(&view);
                    let back = self.s.b.int(&(n - i).to_string());
                    self.op(Op::Sub, &[total, back])
                }
                _ => self.s.b.int(&i.to_string()),
            };
            let place = self.index(&view, index);
            let shared = self.s.b.func.buffer(view.buffer).storage == crate::ir::Storage::Shared;
            let part = match place {
                // Behind `&mut`, the name stands for the element itself.
                super::place::Place::Element(buffer, prefix) if view.by_ref && !shared => {
                    Val::View(View { buffer, prefix, range: None, by_ref: true, lent: false })
                }
                super::place::Place::Part(row) if view.by_ref && !shared => {
                    Val::View(super::value::View { by_ref: true, ..row })
                }
                place => self.read(place),
            };
            self.bind_pattern(pat, part, true);
        }
    }

    /// `let [a, .., b] = rows;`
    fn bind_rows(&mut self, list: &syn::PatSlice, rows: &Val) {
        let n = list.elems.len();
        let rest = list.elems.iter().position(is_rest);
        for (i, pat) in list.elems.iter().enumerate() {
            let index = match rest {
                Some(at) if i == at => {
                    if let syn::Pat::Ident(id) = pat {
                        let (start, total) = (self.s.b.int(&at.to_string()), self.length_of(rows));
                        let others = self.s.b.int(&(n - 1).to_string());
                        let len = self.op(Op::Sub, &[total, others]);
                        let part = self.sub_rows(rows, start, len);
                        // What may change later is copied.
                        let part = if self.is_shared(rows) { part } else { self.duplicate(part, "rest") };
                        let var = self.new_var(&id.ident.to_string(), id.mutability.is_some(), part);
                        self.declare(&id.ident.to_string(), var);
                    }
                    continue;
                }
                Some(at) if i > at => {
                    let total = self.length_of(rows);
                    let back = self.s.b.int(&(n - i).to_string());
                    self.op(Op::Sub, &[total, back])
                }
                _ => self.s.b.int(&i.to_string()),
            };
            let part = self.part_at(rows, index, false);
            self.bind_pattern(pat, super::rows::by_value(part), true);
        }
    }

    /// Whether rows are those of a parameter that nothing changes.
    fn is_shared(&self, rows: &Val) -> bool {
        match rows {
            Val::View(view) => self.s.b.func.buffer(view.buffer).storage == crate::ir::Storage::Shared,
            other => other.parts().is_some_and(|parts| parts.iter().all(|part| self.is_shared(part))),
        }
    }

    /// A value with the annotation of its `let` or parameter.
    pub(super) fn typed(&mut self, val: Val, ty: &syn::Type) -> Val {
        match (val, ty) {
            // An array of other code, which its type tells.
            (Val::Scalar(v), ty)
                if *self.s.b.func.ty(v) == Type::Opaque
                    && !self.is_tainted(v)
                    && let Some(array) = super::arrays::types::foreign(ty, &self.sig.floats)
                    && self.is_ndarray(&array) =>
            {
                Val::View(self.array_of_data(v, &array))
            }
            (Val::Scalar(v), ty) => {
                let inner = match ty {
                    syn::Type::Reference(r) => &*r.elem,
                    other => other,
                };
                // A reference to a float is none.
                if self.s.refs.contains(&v) {
                    return Val::Scalar(v);
                }
                if let Some(kind) = self.float_kind(inner) {
                    // What rustc infers from the annotation (`sum()`, `parse()`), it needs where the value is made.
                    if *self.s.b.func.ty(v) == Type::Opaque
                        && !matches!(ty, syn::Type::Reference(_))
                        && matches!(self.s.b.definition(v), Some(InstKind::Pure(Op::Verbatim(_), _)))
                    {
                        let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), Span::call_site());
                        let tokens = quote::quote!({ let value: #ty = #hole; value });
                        return Val::Scalar(self.pass(tokens, &[v], Type::Float(kind)));
                    }
                    // It tells which float a literal is, and that a verbatim value is one.
                    let data = &mut self.s.b.func.values[v.0 as usize];
                    if data.ty == Type::Float(FloatKind::Infer) || data.ty == Type::Opaque {
                        data.ty = Type::Float(kind);
                    }
                    return Val::Scalar(v);
                }
                Val::Scalar(self.annotated(v, ty))
            }
            (Val::Tuple(list), syn::Type::Tuple(t)) if t.elems.len() == list.len() => {
                Val::Tuple(list.into_iter().zip(&t.elems).map(|(v, t)| self.typed(v, t)).collect())
            }
            (Val::View(view), ty) => {
                if let Some((_, elem)) = super::signature::shape(ty, &self.sig.floats) {
                    let data = &mut self.s.b.func.buffers[view.buffer.0 as usize];
                    if data.elem == Type::Float(FloatKind::Infer) && elem.is_float() {
                        data.elem = elem;
                    }
                }
                Val::View(view)
            }
            (val, _) => val,
        }
    }

    // ---------------------------------------------------------------------------------------- whether they hold

    /// The opposite of a condition, known where that is.
    fn not(&mut self, cond: Value) -> Value {
        match self.s.b.constant(cond) {
            Some(Op::Bool(b)) => {
                let b = !b;
                self.s.b.boolean(b)
            }
            _ => self.op(Op::Not, &[cond]),
        }
    }

    /// Whether a pattern holds, as a bool; `None`: always.
    pub(super) fn pattern_holds(&mut self, pat: &syn::Pat, val: &Val) -> Option<Value> {
        match (pat, val) {
            (syn::Pat::Wild(_) | syn::Pat::Rest(_), _) | (_, Val::Never | Val::Unset) => None,
            // An upper-case name is a constant.
            (syn::Pat::Ident(id), Val::Maybe(parts)) if id.ident == "None" => {
                if let Val::Scalar(some) = parts[0]
                    && let Some(Op::Bool(false)) = self.s.b.constant(some)
                {
                    return None;
                }
                let Val::Scalar(some) = parts[0] else { return None };
                Some(self.not(some))
            }
            (syn::Pat::Ident(id), _) if !is_constant(&id.ident) || id.subpat.is_some() => match &id.subpat {
                Some((_, sub)) => self.pattern_holds(sub, val),
                None => None,
            },
            (syn::Pat::Paren(p), _) => self.pattern_holds(&p.pat, val),
            (syn::Pat::Type(p), _) => self.pattern_holds(&p.pat, val),
            (syn::Pat::Guard(g), _) => self.pattern_holds(&g.pat, val),
            (syn::Pat::Reference(r), Val::Scalar(v)) if takes_apart(&r.pat) && self.s.refs.contains(v) => {
                let (hole, pat) = (hole(), without_names(&r.pat));
                Some(self.pass(quote!(::core::matches!(*#hole, #pat)), &[*v], Type::Bool))
            }
            (syn::Pat::Reference(r), _) => {
                let val = self.unreference(val.clone());
                self.pattern_holds(&r.pat, &val)
            }
            (syn::Pat::Or(o), _) if !matches!(val, Val::Scalar(_)) => {
                let mut any = None;
                for case in &o.cases {
                    let one = self.pattern_holds(case, val)?;
                    any = Some(match any {
                        Some(any) => self.op(Op::Or, &[any, one]),
                        None => one,
                    });
                }
                any
            }
            (syn::Pat::Tuple(t), Val::Tuple(list)) if t.elems.len() == list.len() => {
                self.all_hold(t.elems.iter().zip(list))
            }
            (syn::Pat::TupleStruct(t), Val::Maybe(parts)) => {
                let Val::Scalar(some) = parts[0] else { return None };
                if is(&t.path, "Some") || is(&t.path, "Ok") {
                    if blank(&parts[1]) {
                        let known = matches!(self.s.b.constant(some), Some(Op::Bool(false)));
                        if !known && !self.tries() {
                            self.error(
                                t.span(),
                                "the macro cannot follow what this option holds from round to round",
                                "keep numbers in it, or a `bool` and the array in variables of their own",
                            );
                        }
                        return Some(self.s.b.boolean(false));
                    }
                    let inner = t.elems.first().and_then(|p| self.pattern_holds(p, &parts[1]));
                    let known = matches!(self.s.b.constant(some), Some(Op::Bool(true)));
                    match inner {
                        Some(inner) if known => Some(inner),
                        Some(inner) => Some(self.op(Op::And, &[some, inner])),
                        None if known => None,
                        None => Some(some),
                    }
                } else {
                    Some(self.not(some))
                }
            }
            (syn::Pat::TupleStruct(t), Val::Struct(_, list)) if t.elems.len() == list.len() => {
                self.all_hold(t.elems.iter().zip(list))
            }
            (syn::Pat::Struct(s), Val::Struct(_, list)) => {
                for field in &s.fields {
                    if val.field(&field.member).is_none() {
                        self.want_field(val, &field.member);
                        self.misfit(&field.pat);
                    }
                }
                let pairs: Vec<(&syn::Pat, &Val)> = s
                    .fields
                    .iter()
                    .filter_map(|f| val.field(&f.member).map(|k| (&*f.pat, &list[k])))
                    .collect();
                self.all_hold(pairs.into_iter())
            }
            (syn::Pat::Slice(s), Val::View(_) | Val::Columns(_) | Val::Ragged(_)) => {
                let n = s.elems.len();
                let total = self.length_of(val);
                let has_rest = s.elems.iter().any(is_rest);
                let wanted = self.s.b.int(&(n - usize::from(has_rest)).to_string());
                let fits = match self.literal_int(total) {
                    Some(_) => None,
                    None => {
                        let cmp = if has_rest { Cmp::Ge } else { Cmp::Eq };
                        Some(self.op(Op::Cmp(cmp), &[total, wanted]))
                    }
                };
                if s.elems.iter().any(|p| !is_irrefutable(p)) {
                    self.error(
                        s.span(),
                        "constants inside slice patterns are not supported",
                        "bind names and compare them",
                    );
                }
                fits
            }
            (syn::Pat::Lit(l), Val::Scalar(v)) if *self.s.b.func.ty(*v) != Type::Opaque => {
                let v = *v;
                let (lit, _) = self.expr(&syn::Expr::Lit(l.clone()));
                let lit = self.scalar(lit, l.span())?;
                Some(self.op(Op::Cmp(Cmp::Eq), &[v, lit]))
            }
            (_, Val::Order(a, b)) => {
                let name = match pat {
                    syn::Pat::Path(p) => p.path.segments.last().map(|s| s.ident.to_string()),
                    syn::Pat::Ident(i) => Some(i.ident.to_string()),
                    _ => None,
                };
                let cmp = match name.as_deref() {
                    Some("Less") => Cmp::Lt,
                    Some("Greater") => Cmp::Gt,
                    Some("Equal") => Cmp::Eq,
                    _ => {
                        self.misfit(pat);
                        return None;
                    }
                };
                Some(self.op(Op::Cmp(cmp), &[*a, *b]))
            }
            (_, Val::Scalar(v)) => {
                let hole = hole();
                let mut tokens = keep_only(pat, None, true).to_token_stream();
                // A literal behind a reference.
                if self.s.refs.contains(v) && matches!(pat, syn::Pat::Lit(_) | syn::Pat::Range(_)) {
                    tokens = quote!(&#tokens);
                }
                Some(self.pass(quote!(::core::matches!(#hole, #tokens)), &[*v], Type::Bool))
            }
            _ => {
                self.misfit(pat);
                None
            }
        }
    }

    fn all_hold<'p>(&mut self, pairs: impl Iterator<Item = (&'p syn::Pat, &'p Val)>) -> Option<Value> {
        let mut all = None;
        for (pat, val) in pairs {
            let one = self.pattern_holds(pat, val);
            all = match (all, one) {
                (Some(a), Some(b)) => Some(self.op(Op::And, &[a, b])),
                (a, b) => a.or(b),
            };
        }
        all
    }
}

fn hole() -> syn::Ident {
    syn::Ident::new(&Verbatim::hole(0), Span::call_site())
}

pub(super) fn is_constant(ident: &syn::Ident) -> bool {
    ident.to_string().chars().next().is_some_and(char::is_uppercase)
}

/// Whether a pattern binds parts of a value, or asks for them, and not the whole.
fn takes_apart(pat: &syn::Pat) -> bool {
    match pat {
        syn::Pat::Paren(p) => takes_apart(&p.pat),
        syn::Pat::Tuple(_) | syn::Pat::TupleStruct(_) | syn::Pat::Struct(_) | syn::Pat::Slice(_) => true,
        _ => false,
    }
}

/// The type of what a name is bound to in a tuple of this type.
fn element_of<'t>(pattern: &syn::Pat, ty: &'t syn::Type, name: &syn::Ident) -> Option<&'t syn::Type> {
    match (pattern, ty) {
        (syn::Pat::Ident(id), ty) if id.ident == *name && id.subpat.is_none() => Some(ty),
        (syn::Pat::Tuple(p), syn::Type::Tuple(t)) if p.elems.len() == t.elems.len() => {
            p.elems.iter().zip(&t.elems).find_map(|(p, t)| element_of(p, t, name))
        }
        (syn::Pat::Paren(p), ty) => element_of(&p.pat, ty, name),
        _ => None,
    }
}

fn is_rest(pat: &syn::Pat) -> bool {
    match pat {
        syn::Pat::Rest(_) => true,
        syn::Pat::Ident(id) => id.subpat.as_ref().is_some_and(|(_, p)| is_rest(p)),
        _ => false,
    }
}

fn is_irrefutable(pat: &syn::Pat) -> bool {
    match pat {
        syn::Pat::Ident(id) => !is_constant(&id.ident),
        syn::Pat::Wild(_) | syn::Pat::Rest(_) => true,
        syn::Pat::Reference(r) => is_irrefutable(&r.pat),
        syn::Pat::Paren(p) => is_irrefutable(&p.pat),
        syn::Pat::Slice(s) => s.elems.iter().all(is_irrefutable),
        syn::Pat::Tuple(s) => s.elems.iter().all(is_irrefutable),
        _ => false,
    }
}

/// Whether there is a `&` in a pattern.
pub(super) fn has_reference(pat: &syn::Pat) -> bool {
    struct Finder(bool);
    impl syn::visit::Visit<'_> for Finder {
        fn visit_pat_reference(&mut self, _: &syn::PatReference) {
            self.0 = true;
        }
    }
    let mut finder = Finder(false);
    syn::visit::Visit::visit_pat(&mut finder, pat);
    finder.0
}

/// Whether a pattern binds anything.
pub(super) fn binds(pat: &syn::Pat) -> bool {
    let mut names = Names::of(true);
    syn::visit::Visit::visit_pat(&mut names, pat);
    !names.0.is_empty()
}

/// Whether a name stands behind `&` in a pattern: then it is bound to what the reference points to.
fn behind_and(pat: &syn::Pat, name: &syn::Ident) -> bool {
    struct Finder<'n>(&'n syn::Ident, usize, bool);
    impl syn::visit::Visit<'_> for Finder<'_> {
        fn visit_pat_reference(&mut self, p: &syn::PatReference) {
            self.1 += 1;
            syn::visit::visit_pat_reference(self, p);
            self.1 -= 1;
        }
        fn visit_pat_ident(&mut self, p: &syn::PatIdent) {
            self.2 |= p.ident == *self.0 && self.1 > 0;
            syn::visit::visit_pat_ident(self, p);
        }
    }
    let mut finder = Finder(name, 0, false);
    syn::visit::Visit::visit_pat(&mut finder, pat);
    finder.2
}

/// The names that a pattern binds, and whether upper-case ones are constants.
struct Names(Vec<(syn::Ident, bool)>, bool);

impl Names {
    fn of(refutable: bool) -> Names {
        Names(Vec::new(), refutable)
    }
}

impl syn::visit::Visit<'_> for Names {
    fn visit_pat_ident(&mut self, p: &syn::PatIdent) {
        let constant = self.1 && is_constant(&p.ident);
        if !constant && !self.0.iter().any(|(n, _)| *n == p.ident) {
            self.0.push((p.ident.clone(), p.mutability.is_some()));
        }
        syn::visit::visit_pat_ident(self, p);
    }
}

/// A pattern that binds only one of its names, or none.
fn keep_only(pat: &syn::Pat, name: Option<&syn::Ident>, refutable: bool) -> syn::Pat {
    struct Strip<'n>(Option<&'n syn::Ident>, bool);
    impl syn::visit_mut::VisitMut for Strip<'_> {
        fn visit_pat_mut(&mut self, pat: &mut syn::Pat) {
            if let syn::Pat::Ident(id) = pat
                && !(self.1 && is_constant(&id.ident))
                && self.0 != Some(&id.ident)
            {
                *pat = match id.subpat.take() {
                    Some((_, sub)) => *sub,
                    None => syn::parse_quote!(_),
                };
            }
            if let syn::Pat::Ident(id) = pat {
                id.mutability = None;
            }
            syn::visit_mut::visit_pat_mut(self, pat);
        }
        fn visit_field_pat_mut(&mut self, field: &mut syn::FieldPat) {
            // `{ x }` is `{ x: x }`.
            let kept = matches!(&*field.pat, syn::Pat::Ident(id) if self.0 == Some(&id.ident));
            if field.colon_token.is_none() && !kept {
                field.colon_token = Some(syn::Token![:](Span::call_site()));
            }
            syn::visit_mut::visit_field_pat_mut(self, field);
        }
    }
    let mut pat = pat.clone();
    if let syn::Pat::Guard(g) = pat {
        pat = *g.pat;
    }
    syn::visit_mut::VisitMut::visit_pat_mut(&mut Strip(name, refutable), &mut pat);
    pat
}

/// A pattern that asks the same and binds nothing.
pub(super) fn without_names(pat: &syn::Pat) -> syn::Pat {
    keep_only(pat, None, true)
}

/// Whether nothing at all has been put into a variant yet, as in the first trials of a loop: it is not there.
pub(super) fn blank(val: &Val) -> bool {
    match val {
        Val::Unset => true,
        other => other.parts().is_some_and(|parts| !parts.is_empty() && parts.iter().all(blank)),
    }
}
