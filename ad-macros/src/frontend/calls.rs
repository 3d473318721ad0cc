//! Calls: `f64::sin(x)`, other differentiable functions, and what is passed through.

use std::rc::Rc;

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;

use super::lower::Lower;
use super::value::{Val, View};
use crate::ir::{Arg, Call, CallMode, FloatKind, InstKind, Op, Type, Value, Verbatim};

impl Lower<'_> {
    pub(super) fn call(&mut self, c: &syn::ExprCall) -> Val {
        let mut func = &*c.func;
        while let syn::Expr::Paren(p) = func {
            func = &p.expr;
        }
        if let syn::Expr::Closure(closure) = func {
            let Val::Closure(closure) = self.closure(closure) else { return Val::Never };
            let args = c.args.iter().map(|a| self.expr(a).0).collect();
            return self.inline(&closure, args);
        }
        let syn::Expr::Path(callee) = func else {
            // `density(a, b)(x)`, `(model.f)(x)`: what is called is a value.
            if !self.is_passive(c.to_token_stream()) {
                match self.expr(func).0 {
                    Val::Closure(closure) => {
                        let params = closure.params.iter().map(Some).chain(std::iter::repeat(None));
                        let args = c.args.iter().zip(params).map(|(a, p)| self.argument(a, p)).collect();
                        return self.inline(&closure, args);
                    }
                    Val::Never => return Val::Never,
                    _ => {}
                }
            }
            return self.verbatim(
                c.to_token_stream(),
                c.func.span(),
                "the macro does not know what is called here with an active value",
                "call a `#[differentiable]` function by its name",
            );
        };
        // `f64::sin(x)`
        if let Some((kind, name)) = self.float_path(&callee.path) {
            return self.float_call(c, kind, &name);
        }
        let passive = self.is_passive(c.to_token_stream());
        if let Some(var) = callee.path.get_ident().and_then(|i| self.lookup(&i.to_string()))
            && let Val::Closure(closure) = self.s.vars[var].val.clone()
            && !(passive && closure.is_fn)
        {
            let args = c.args.iter().zip(closure.params.iter().map(Some).chain(std::iter::repeat(None)));
            let args = args.map(|(a, p)| self.argument(a, p)).collect();
            return self.inline(&closure, args);
        }
        if callee.path.segments.last().is_some_and(|s| s.ident == "from_fn")
            && let [f] = c.args.iter().collect::<Vec<_>>().as_slice()
            && !callee.path.segments.iter().any(|s| {
                s.ident == "iter"
                    || super::arrays::is_array_type(s.ident.to_string().trim_start_matches("Row"))
            })
        {
            return self.array_from_fn(f, c.span());
        }
        if let Some(val) = self.iter_function(&callee.path, c) {
            return val;
        }
        // `Vec3::new(..)`
        if let Some(member) = self.member_at(&callee.path) {
            let args =
                c.args.iter().enumerate().map(|(k, a)| self.argument(a, member.params.get(k))).collect();
            return self.inline(&member, args);
        }
        if let [.., ty, from] = callee.path.segments.iter().collect::<Vec<_>>().as_slice()
            && from.ident == "from"
            && let Some(a) = c.args.first()
            && !crate::functions::conversions(&ty.ident.to_string()).is_empty()
        {
            let val = self.expr(a).0;
            if let Some(member) = self.conversion_to(&ty.ident.to_string(), &val, c.func.span()) {
                return self.inline(&member, vec![val]);
            }
        }
        if let Some(val) = self.empty_value(&syn::Expr::Call(c.clone())) {
            return val;
        }
        // A queue is a vector here.
        if let [.., ty, from] = callee.path.segments.iter().collect::<Vec<_>>().as_slice()
            && ty.ident == "VecDeque"
            && from.ident == "from"
            && let Some(a) = c.args.first()
        {
            return match self.expr(a).0 {
                Val::View(view) => self.vector_of(view),
                other => other,
            };
        }
        if let Some(val) = self.make_array(&callee.path, c) {
            return val;
        }
        // `Vec::len` is a method like any other.
        if let [.., ty, name] = callee.path.segments.iter().collect::<Vec<_>>().as_slice()
            && ["Vec", "VecDeque", "slice", "Option"].iter().any(|known| ty.ident == known)
            && !["new", "with_capacity", "from", "default", "from_iter"].iter().any(|made| name.ident == made)
            && let Some(receiver) = c.args.first()
        {
            let (method, rest) = (&name.ident, c.args.iter().skip(1));
            if let Ok(call) = syn::parse2(quote::quote!((#receiver).#method(#(#rest),*))) {
                return self.expr(&call).0;
            }
        }
        if passive {
            let Some(found) = self.verbatim_operands(c.to_token_stream(), c.span()) else {
                return Val::Never;
            };
            let v = self.s.b.op(Op::Verbatim(found.verbatim), &found.args);
            // `Vec3::default()` is a `Vec3`.
            if let [ty @ .., name] = callee.path.segments.iter().collect::<Vec<_>>().as_slice()
                && name.ident == "default"
                && c.args.is_empty()
                && ty.last().is_some_and(|ty| crate::structs::find(&ty.ident.to_string()).is_some())
            {
                let mut path = callee.path.clone();
                path.segments.pop();
                path.segments.pop_punct();
                return self.taken_apart(v, &path);
            }
            // So is `Vec3(1.0, 0.0, 0.0)`.
            if callee
                .path
                .segments
                .last()
                .is_some_and(|s| s.ident.to_string().starts_with(char::is_uppercase))
                && let Some(item) = crate::structs::instance(&callee.path)
                && matches!(item.fields, syn::Fields::Unnamed(_))
                && item.fields.len() == c.args.len()
            {
                let path = callee.path.clone();
                self.s.declare(v, &syn::Type::Path(syn::TypePath { attrs: Vec::new(), qself: None, path }));
            }
            return Val::Scalar(v);
        }
        if let Some(val) = self.known_function(c, &callee.path) {
            return val;
        }
        self.differentiable_call(c, callee)
    }

    /// An argument for a parameter of a function that is written out: a vector by `&mut` stands for its variable, so that
    /// it can grow.
    pub(super) fn argument(&mut self, a: &syn::Expr, param: Option<&syn::Pat>) -> Val {
        let outer = self.expected.take();
        // An array is as long as the parameter says, and `into` gives what the parameter is.
        if let (Some(syn::Pat::Type(p)), true) = (param, takes_its_type(a)) {
            self.expected = Some(match &*p.ty {
                syn::Type::Reference(r) => (*r.elem).clone(),
                other => other.clone(),
            });
        }
        let val = self.argument_itself(a, param);
        self.expected = outer;
        val
    }

    fn argument_itself(&mut self, a: &syn::Expr, param: Option<&syn::Pat>) -> Val {
        if let Some(syn::Pat::Type(p)) = param
            && let syn::Type::Reference(r) = &*p.ty
            && r.mutability.is_some()
            && matches!(&*r.elem, syn::Type::Path(t) if t.path.segments.last().is_some_and(|s| s.ident == "Vec"))
        {
            let inner = match a {
                syn::Expr::Reference(r) => &*r.expr,
                other => other,
            };
            if let Some(super::place::Place::Variable(var, path)) = self.place_quietly(inner) {
                return match super::loops::part(&mut self.s.vars[var].val, &path).clone() {
                    Val::RefMut(var, path) => Val::RefMut(var, path),
                    _ => Val::RefMut(var, path),
                };
            }
        }
        self.expr(a).0
    }

    /// The type of a variable that holds an array of numbers.
    pub(super) fn array_type_of(&mut self, e: &syn::Expr) -> Option<syn::Type> {
        let syn::Expr::Path(_) = e else { return None };
        let super::place::Place::Variable(var, path) = self.place_quietly(e)? else { return None };
        let Val::View(view) = super::loops::part(&mut self.s.vars[var].val, &path).clone() else {
            return None;
        };
        let data = self.s.b.func.buffer(view.buffer);
        let elem = match &data.elem {
            Type::Float(FloatKind::F32) => quote::quote!(f32),
            Type::Float(FloatKind::Param(name)) => name.parse().ok()?,
            Type::Float(_) => quote::quote!(f64),
            _ => return None,
        };
        let dims = data.dims.get(view.prefix.len()..)?;
        let owned = !view.by_ref && view.prefix.is_empty();
        let ty = dims.iter().rev().try_fold(elem, |inner, dim| match dim {
            crate::ir::Dim::Fixed(n) => {
                let n: proc_macro2::TokenStream = n.parse().ok()?;
                Some(quote::quote!([#inner; #n]))
            }
            _ if owned => Some(quote::quote!(Vec<#inner>)),
            _ => None,
        })?;
        syn::parse2(ty).ok()
    }

    /// `std::array::from_fn(f)`, of the length that the `let` says.
    fn array_from_fn(&mut self, f: &syn::Expr, span: Span) -> Val {
        let wanted =
            self.expected.clone().and_then(|ty| Some((super::signature::shape(&ty, &self.sig.floats)?, ty)));
        let Some(((dims, elem), syn::Type::Array(array))) = wanted else {
            self.error(
                span,
                "the macro does not see how long this array is",
                "say it where the array is bound: `let a: [f64; 3] = std::array::from_fn(..)`",
            );
            return Val::Never;
        };
        let passive = matches!(f, syn::Expr::Closure(c) if self.is_passive(c.to_token_stream()));
        let dims: Vec<crate::ir::Dim> = dims.into_iter().map(|d| self.known_dim(d)).collect();
        let Some(f) = self.callee(f) else { return Val::Never };
        if elem == Type::Opaque && !passive {
            return self.rows_from_fn(&f, &array, span);
        }
        let fill = match &elem {
            Type::Float(_) => self.s.b.float(0.0, elem.clone()),
            other => self.dummy(other),
        };
        let (zero, n) = (self.s.b.int("0_usize"), self.array_len(&array.len));
        let n = match n {
            crate::ir::Dim::Fixed(n) => self.fixed_len(&n),
            crate::ir::Dim::Dyn(v) => v,
            crate::ir::Dim::Slice => zero,
        };
        let view = self.declare_buffer("array", dims, fill);
        let whole = Val::View(view);
        let spec = super::loops::RangeSpec::new(zero, n, false);
        let outer = self.expected.replace((*array.elem).clone());
        self.range_loop(&spec, &mut |this, k| {
            this.expected = Some((*array.elem).clone());
            let item = this.apply_expecting(&f, vec![Val::Scalar(k)], &array.elem);
            this.put(&whole, k, item, span);
            super::lower::Flow::Falls
        });
        self.expected = outer;
        whole
    }

    /// As [`Lower::array_from_fn`], of structs and tuples.
    fn rows_from_fn(&mut self, f: &super::iterators::Callee, array: &syn::TypeArray, span: Span) -> Val {
        use super::iterators::Iter;
        let (lo, dim) = (self.s.b.int("0_usize"), self.array_len(&array.len));
        let crate::ir::Dim::Fixed(n) = &dim else { return Val::Never };
        let hi = self.fixed_len(n);
        let numbers = Rc::new(Iter::Range { lo, hi, inclusive: false });
        let mut rows = self.collect_vec(&Rc::new(Iter::Map(numbers, f.clone())), "array", span);
        self.fix_axis(&mut rows, &dim);
        rows
    }

    /// `map` of an array of structs or tuples.
    pub(super) fn mapped_rows(&mut self, rows: &Val, e: &syn::ExprMethodCall) -> Val {
        use super::iterators::Iter;
        let Some(f) = self.callee(&e.args[0]) else { return Val::Never };
        let kept = super::iterators::mentions(&e.args[0], &e.receiver);
        let Some(items) = self.iterate_by_value(rows.clone(), kept, e.span()) else { return Val::Never };
        let mut all = self.collect_vec(&Rc::new(Iter::Map(items, f)), "array", e.span());
        if let Some(dim @ crate::ir::Dim::Fixed(_)) = self.first_axis(rows) {
            self.fix_axis(&mut all, &dim);
        }
        all
    }

    pub(super) fn first_axis(&self, rows: &Val) -> Option<crate::ir::Dim> {
        match rows {
            Val::View(view) if view.range.is_none() => {
                Some(self.s.b.func.buffer(view.buffer).dims[view.prefix.len()].clone())
            }
            Val::View(_) => None,
            Val::Columns(inner) => self.first_axis(inner),
            other => other.parts()?.first().and_then(|part| self.first_axis(part)),
        }
    }

    /// Vectors that are as long as an array are arrays.
    pub(super) fn fix_axis(&mut self, rows: &mut Val, dim: &crate::ir::Dim) {
        match rows {
            Val::View(view) if view.range.is_none() => {
                self.s.b.func.buffers[view.buffer.0 as usize].dims[0] = dim.clone();
            }
            Val::Columns(inner) => {
                for part in inner.parts_mut().into_iter().flatten() {
                    self.fix_axis(part, dim);
                }
            }
            other => {
                for part in other.parts_mut().into_iter().flatten() {
                    self.fix_axis(part, dim);
                }
            }
        }
    }

    pub(super) fn float_call(&mut self, c: &syn::ExprCall, kind: FloatKind, name: &str) -> Val {
        let args: Vec<&syn::Expr> = c.args.iter().collect();
        if name == "from" && args.len() == 1 {
            let val = self.expr(args[0]).0;
            let val = self.deref(val);
            let Some(v) = self.scalar(val, args[0].span()) else { return Val::Never };
            if self.s.b.func.is_float(v) {
                let to = if kind == FloatKind::F64 { "f64" } else { "f32" };
                return Val::Scalar(self.op(Op::Cast(to.into()), &[v]));
            }
            if self.s.counted.contains(&v) && self.int_type(v).is_none() {
                // An integer that fits: `as` is the same, and takes a `usize` too.
                let to = if kind == FloatKind::F64 { "f64" } else { "f32" };
                return Val::Scalar(self.s.b.op_typed(Op::Cast(to.into()), &[v], Type::Float(kind)));
            }
            let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
            let func = &c.func;
            let verbatim = Verbatim::new(quote::quote!(#func(#hole)), Vec::new());
            return Val::Scalar(self.s.b.op_typed(Op::Verbatim(verbatim), &[v], Type::Float(kind)));
        }
        let Some((first, rest)) = args.split_first() else {
            return self.verbatim(c.to_token_stream(), c.span(), "", "");
        };
        let val = self.expr(first).0;
        let val = self.deref(val);
        match val {
            Val::Scalar(v) => {
                let data = &mut self.s.b.func.values[v.0 as usize];
                if data.ty == Type::Float(FloatKind::Infer) || data.ty == Type::Opaque {
                    data.ty = Type::Float(kind);
                }
                self.float_method(v, name, rest, c)
            }
            Val::Never => Val::Never,
            _ => self.verbatim(c.to_token_stream(), c.span(), "this is no float", "pass a float"),
        }
    }

    /// Functions of std and of this crate that the macro knows, and tuple structs.
    fn known_function(&mut self, c: &syn::ExprCall, path: &syn::Path) -> Option<Val> {
        let list: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let name = list.last()?.clone();
        let module = list.len().checked_sub(2).map(|k| list[k].as_str());
        let args: Vec<&syn::Expr> = c.args.iter().collect();
        match (module, name.as_str(), args.as_slice()) {
            (Some("mem"), "swap", [a, b]) => {
                self.swapped(a, b);
                Some(Val::unit())
            }
            (Some("Box"), "new", [a]) => Some(self.expr(a).0),
            (Some("mem"), "take", [a]) => Some(self.taken(&pointee(a), c.span())),
            (Some("mem"), "replace", [a, b]) if self.is_empty_vector(b) => {
                Some(self.taken(&pointee(a), c.span()))
            }
            (Some("mem"), "replace", [a, b]) => Some(self.replaced(a, b)),
            (None | Some("ad_runtime"), "constant", [a])
                if module.is_some() || !self.is_own_function("constant") =>
            {
                let val = self.expr(a).0;
                let val = self.deref(val);
                let v = self.scalar(val, a.span())?;
                Some(Val::Scalar(self.held(v)))
            }
            _ if list.len() == 1 && name.starts_with(char::is_uppercase) => {
                let mut parts = Vec::new();
                // An array is as long as the field says.
                let outer = self.expected.take();
                let fields = crate::structs::field_types(path, outer.as_ref());
                for (k, a) in args.into_iter().enumerate() {
                    let field = fields.get(k).and_then(|(_, ty)| ty.clone());
                    self.expected = field.filter(|_| takes_its_type(a));
                    let val = self.expr(a).0;
                    parts.push(self.own(val, false, "part"));
                }
                self.expected = outer;
                let names = (0..parts.len()).map(|k| k.to_string()).collect();
                let fields = super::value::Fields { path: path.clone(), names, opened: None };
                Some(Val::Struct(Rc::new(fields), parts))
            }
            _ => None,
        }
    }

    /// Whether the file has a function of this name, or imports one from elsewhere.
    fn is_own_function(&self, name: &str) -> bool {
        let own = crate::file::Own::Function(name.to_string());
        crate::file::defines(&own, self.sig.ident.span())
    }

    /// The same number, without derivatives.
    fn held(&mut self, v: Value) -> Value {
        let ty = self.s.b.func.ty(v).clone();
        let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
        self.pass(quote::quote!(::ad_runtime::constant(#hole)), &[v], ty)
    }

    /// A call with values that are data, though active names stand in the arguments (`zeros(x.len())`).
    fn passive_call(&mut self, callee: &syn::ExprPath, vals: Vec<Val>, span: Span) -> Val {
        self.scoped(|this| {
            let mut names = Vec::new();
            for (k, val) in vals.into_iter().enumerate() {
                let name = syn::Ident::new(&format!("__ad_argument_{k}"), Span::call_site());
                let var = this.new_var(&name.to_string(), false, val);
                this.declare(&name.to_string(), var);
                names.push(name);
            }
            match this.verbatim_operands(quote::quote!(#callee(#(#names),*)), span) {
                Some(found) => Val::Scalar(this.s.b.op(Op::Verbatim(found.verbatim), &found.args)),
                None => Val::Never,
            }
        })
    }

    /// Whether a companion takes an argument like this.
    fn can_be_passed(&self, val: &Val) -> bool {
        match val {
            Val::Scalar(_) | Val::Never => true,
            Val::View(view) => {
                let active = self.s.tainted_buffers.contains(&view.buffer);
                !active || view.by_ref && self.rank(view) == 1
            }
            _ => false,
        }
    }

    fn differentiable_call(&mut self, c: &syn::ExprCall, callee: &syn::ExprPath) -> Val {
        let segments: Vec<String> = callee.path.segments.iter().map(|s| s.ident.to_string()).collect();
        let (first, last) = (&segments[0], &segments[segments.len() - 1]);
        if ["std", "core", "alloc"].contains(&first.as_str()) || last.starts_with(char::is_uppercase) {
            self.error(
                c.func.span(),
                format!("the macro does not know what `{last}` does with an active value"),
                "use arithmetic, the float methods of std and `#[differentiable]` functions",
            );
            return Val::Never;
        }
        if let Some(ty) = segments.len().checked_sub(2).map(|k| &segments[k])
            && super::arrays::is_array_type(ty)
        {
            self.error(
                c.func.span(),
                format!("`{ty}::{last}` of active values is not supported"),
                "use `new`, `zeros`, `from_elem`, `from_vec` or `from_element` and set the elements",
            );
            return Val::Never;
        }
        if segments.len() == 1 && self.lookup(last).is_some() {
            self.error(
                c.func.span(),
                format!("the macro does not see the code of `{last}`, which is called with an active value"),
                "write a closure in this function, or call a `#[differentiable]` function by its name",
            );
            return Val::Never;
        }
        // A function that calls itself is not known yet; another of its name is not meant.
        let known =
            (segments.len() == 1 && self.sig.ident != last).then(|| crate::functions::find(last)).flatten();
        let params =
            known.as_ref().and_then(|k| k.item(c.func.span())).map_or(Vec::new(), |f| parameters(&f));
        let of = |k: usize| params.get(k);
        let vals: Vec<Val> = c.args.iter().enumerate().map(|(k, a)| self.argument(a, of(k))).collect();
        // What companions cannot take is no obstacle where the function can be written out.
        let passes = |this: &Self, k: usize, v: &Val| {
            // Of a `&Vec` a part is none.
            let is_vec = matches!(of(k), Some(syn::Pat::Type(p)) if is_reference_to_vec(&p.ty));
            let is_part = matches!(v, Val::View(view) if view.range.is_some() || !view.prefix.is_empty());
            this.can_be_passed(v) && !(is_vec && is_part)
        };
        // Of what is in a chain or closure nothing is known.
        let may_be_active =
            |this: &Self, v: &Val| this.val_tainted(v) || matches!(v, Val::Iter(_) | Val::Closure(_));
        let is_active = vals.iter().any(|v| may_be_active(self, v));
        let known = known.filter(|known| {
            !known.can_be_called
                || !vals.iter().enumerate().all(|(k, v)| passes(self, k, v))
                || is_active && !vals.contains(&Val::Never) && {
                    let active: Vec<bool> = vals.iter().map(|v| may_be_active(self, v)).collect();
                    self.writes_out_short(last, known, &active)
                }
        });
        let changes = c.args.iter().any(|a| matches!(a, syn::Expr::Reference(r) if r.mutability.is_some()));
        let may_change = |this: &Self, v: &Val| match v {
            Val::RefMut(..) => true,
            Val::View(view) => this.is_window(view),
            _ => false,
        };
        let in_place = known.is_some() && (changes || vals.iter().any(|v| may_change(self, v)));
        if !in_place && !vals.contains(&Val::Never) && !is_active {
            return self.passive_call(callee, vals, c.span());
        }
        if let Some(known) = known {
            self.writing.push(last.clone());
            let val = self.written_out(callee, &known, vals, c.func.span());
            self.writing.pop();
            return val;
        }
        if segments.len() == 1 && self.sig.ident == last && self.sig.ret != super::signature::Ret::Scalar {
            self.diagnostics.cause(
                c.func.span(),
                "this function calls itself, and gives something else than one float",
                "return one float, or write a loop (over the nodes of a tree from its leaves to its root)",
            );
            return Val::Never;
        }
        let mut args = Vec::new();
        let mut kind = None;
        for (k, (a, val)) in c.args.iter().zip(vals).enumerate() {
            match val {
                Val::Scalar(v) => {
                    // A reference here where the user has a number.
                    let by_value = |p: &syn::Pat| !matches!(p, syn::Pat::Type(p) if matches!(&*p.ty, syn::Type::Reference(_)));
                    let v = if self.s.held.contains(&v) || params.get(k).is_some_and(by_value) {
                        self.scalar(Val::Scalar(v), a.span()).unwrap_or(v)
                    } else {
                        v
                    };
                    if self.is_tainted(v) {
                        kind = kind.or(Some(self.s.b.func.ty(v).clone()));
                    }
                    args.push(Arg::Value(v));
                }
                Val::View(view) => {
                    let mutable = matches!(a, syn::Expr::Reference(r) if r.mutability.is_some());
                    let elem = self.s.b.func.buffer(view.buffer).elem.clone();
                    if mutable {
                        self.error(
                            a.span(),
                            "passing `&mut` arrays to other functions is not supported yet",
                            "return a float, or write the loop here",
                        );
                    } else if !view.by_ref
                        && self.val_tainted(&Val::View(view.clone()))
                        && (view.range.is_some()
                            || !matches!(
                                self.s.b.func.buffer(view.buffer).dims.get(view.prefix.len()),
                                Some(crate::ir::Dim::Fixed(_))
                            ))
                    {
                        self.error(
                            a.span(),
                            "arrays are passed to differentiable functions by reference here",
                            "pass `&array`",
                        );
                    } else if self.rank(&view) != 1 && self.val_tainted(&Val::View(view.clone())) {
                        self.error(
                            a.span(),
                            "nested arrays are not passed to differentiable functions yet",
                            "pass rows: `&a[i]`",
                        );
                    }
                    if self.s.tainted_buffers.contains(&view.buffer) {
                        kind = kind.or(Some(elem));
                    }
                    let View { buffer, prefix, range, by_ref, .. } = self.without_window(&view);
                    args.push(Arg::Buffer { buffer, prefix, range, by_ref });
                }
                Val::Never => return Val::Never,
                _ => {
                    self.error(
                        a.span(),
                        "structs, tuples and vectors of them are not passed to other differentiable functions",
                        "pass the numbers and slices in it one by one, or write the other as a closure or inner function",
                    );
                    return Val::Never;
                }
            }
        }
        let ty = kind.unwrap_or_else(|| Type::Float(self.sig.floats.default()));
        let call = Call {
            callee: callee.to_token_stream().into(),
            mode: CallMode::Primal,
            args,
            dots: Vec::new(),
            seeds: Vec::new(),
            bars: Vec::new(),
        };
        let result: Value = self.s.b.emit(InstKind::Call(call), vec![ty])[0];
        self.s.tainted.insert(result);
        Val::Scalar(result)
    }
}

/// What is behind `&mut`.
pub(super) fn reached(e: &syn::Expr) -> &syn::Expr {
    match e {
        syn::Expr::Reference(r) => &r.expr,
        syn::Expr::Paren(p) => reached(&p.expr),
        other => other,
    }
}

/// The place that a `&mut` leads to: `x` of `&mut x`, and `*p` of any other reference `p`.
pub(super) fn pointee(e: &syn::Expr) -> syn::Expr {
    match e {
        syn::Expr::Reference(r) => (*r.expr).clone(),
        syn::Expr::Paren(p) => pointee(&p.expr),
        syn::Expr::Group(g) => pointee(&g.expr),
        other => syn::parse_quote!(*#other),
    }
}

/// Whether what an expression is follows from the place it goes to.
pub(super) fn takes_its_type(e: &syn::Expr) -> bool {
    match e {
        syn::Expr::Paren(p) => takes_its_type(&p.expr),
        syn::Expr::Reference(r) => takes_its_type(&r.expr),
        syn::Expr::MethodCall(m) => m.method == "into" && m.args.is_empty(),
        syn::Expr::Call(c) => match &*c.func {
            syn::Expr::Path(p) => p.path.segments.last().is_some_and(|s| s.ident == "from_fn"),
            _ => false,
        },
        _ => false,
    }
}

/// The parameters of a function, without `self`.
pub(super) fn parameters(item: &syn::ItemFn) -> Vec<syn::Pat> {
    item.sig
        .inputs
        .iter()
        .filter_map(|input| match input {
            syn::FnArg::Typed(p) => Some(syn::Pat::Type(p.clone())),
            syn::FnArg::Receiver(_) => None,
        })
        .collect()
}

fn is_reference_to_vec(ty: &syn::Type) -> bool {
    let syn::Type::Reference(r) = ty else { return false };
    matches!(&*r.elem, syn::Type::Path(p) if p.path.segments.last().is_some_and(|s| s.ident == "Vec"))
}
