//! Methods of floats, arrays and slices, in method form and as `f64::sin(x)`.

use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;

use super::iterators::is_chain;
use super::lower::Lower;
use super::place::Place;
use super::value::{Val, View};
use crate::ir::{Binary, FloatKind, Op, Type, Unary, Value, Verbatim};

/// Questions about a float that answer with a bool.
pub(super) const TESTS: [&str; 8] = [
    "is_nan",
    "is_finite",
    "is_infinite",
    "is_normal",
    "is_subnormal",
    "is_sign_negative",
    "is_sign_positive",
    "is_zero",
];

/// Methods of slices: a method of a trait for slices that is called so is hidden by them.
const OF_SLICES: [&str; 38] = [
    "len",
    "is_empty",
    "first",
    "last",
    "get",
    "iter",
    "iter_mut",
    "swap",
    "reverse",
    "windows",
    "chunks",
    "chunks_mut",
    "chunks_exact",
    "rchunks",
    "split_at",
    "split_at_mut",
    "split_first",
    "split_last",
    "first_mut",
    "last_mut",
    "get_mut",
    "split",
    "contains",
    "starts_with",
    "ends_with",
    "sort",
    "sort_by",
    "sort_by_key",
    "sort_unstable",
    "sort_unstable_by",
    "rotate_left",
    "rotate_right",
    "fill",
    "copy_from_slice",
    "clone_from_slice",
    "to_vec",
    "repeat",
    "concat",
];

impl Lower<'_> {
    /// Refuses a method of an array that a trait of the file declares: what the library has of that name may not be meant.
    fn is_of_an_own_trait(&mut self, e: &syn::ExprMethodCall) -> bool {
        use crate::file::{Own, defines};
        let (name, at) = (e.method.to_string(), self.sig.ident.span());
        let of_slices = !OF_SLICES.contains(&name.as_str()) && defines(&Own::Method(name.clone(), true), at);
        if !of_slices && !defines(&Own::Method(name.clone(), false), at) {
            return false;
        }
        self.error(
            e.method.span(),
            format!("`{name}` may be the method of a trait of this file, which the macro does not look into"),
            "call a `#[differentiable]` function instead, or give the trait's method another name",
        );
        true
    }

    pub(super) fn method_call(&mut self, e: &syn::ExprMethodCall) -> Val {
        let name = e.method.to_string();
        if super::opaque::changes(&name) {
            self.want_changed(&e.receiver);
        }
        if super::sorting::sorts(&name)
            && let Some(val) = self.sort_opaque(e)
        {
            return val;
        }
        let whole = syn::Expr::MethodCall(e.clone());
        // `self.helper(x)` is `Self::helper(self, x)`.
        if matches!(&*e.receiver, syn::Expr::Path(p) if p.path.is_ident("self"))
            && self.sig.receiver.is_some()
            && e.args.iter().any(|a| !self.is_passive(a.to_token_stream()))
        {
            let (method, turbofish, args) = (&e.method, &e.turbofish, &e.args);
            let own = self.sig.own.clone().unwrap_or_else(|| quote::quote!(Self));
            if let Ok(syn::Expr::Call(call)) =
                syn::parse2(quote::quote!(#own::#method #turbofish (self, #args)))
            {
                return self.call(&call);
            }
        }
        if let Some(val) = self.method_of_data(e) {
            return val;
        }
        // A conversion into what is wanted.
        if name == "into"
            && e.args.is_empty()
            && let Some(ty) = self.wanted_name()
        {
            let outer = self.expected.take();
            let val = self.expr(&e.receiver).0;
            let member = self.conversion_to(&ty, &val, e.method.span());
            self.expected = outer;
            if let Some(member) = member {
                return self.inline(&member, vec![val]);
            }
        }
        // `groups[k].rows.clone().map(|i| x[i])`: a range that is data, with something active in what is done with it.
        if !self.is_passive(e.to_token_stream())
            && let Some(range) = self.declared_range(&e.receiver)
        {
            let name = self.named_here(Val::Iter(range));
            return self
                .method_call(&syn::ExprMethodCall { receiver: syn::parse_quote!(#name), ..e.clone() });
        }
        // What the macro does not look into stays one piece, but for iterators that something active joins or that a
        // variable holds.
        if self.is_foreign(&e.receiver) && !(self.is_float_method(&name) && self.any_float(&e.args)) {
            let is_data = self.is_passive(e.to_token_stream());
            if !is_data && let Some(val) = self.method_of_a_trait(e) {
                return val;
            }
            // The method that is differentiated, of another value.
            if self.is_method_of_data() && e.method == self.sig.ident && self.depth == 0 && !is_data {
                let (method, receiver, args) = (&e.method, &e.receiver, &e.args);
                if let Ok(syn::Expr::Call(call)) = syn::parse2(quote!(Self::#method(#receiver, #args))) {
                    return self.call(&call);
                }
            }
            if !is_chain(&whole)
                && !is_chain(&e.receiver)
                && !is_data
                && let Some(val) = self.method_by_name(e).or_else(|| self.method_of_array_of_data(e))
            {
                return val;
            }
            if !is_chain(&e.receiver)
                && !self.is_passive(e.to_token_stream())
                && let Some(val) = self.option_of_data(e)
            {
                return val;
            }
            let iterates = is_chain(&e.receiver) || is_chain(&whole);
            let stays = is_chain(&whole) || !self.is_passive(e.to_token_stream());
            if !(iterates && stays) {
                return self.foreign_call(e);
            }
            if !is_chain(&e.receiver) {
                return match self.foreign_source(e) {
                    Some(val) => val,
                    None => self.foreign_call(e),
                };
            }
        }
        // `a.copy_within(from, to)`: by way of a copy, since the two parts may overlap.
        if let ("copy_within", Some(from), Some(to)) = (name.as_str(), e.args.first(), e.args.get(1))
            && super::members::is_place(&e.receiver)
            && !self.is_foreign(&e.receiver)
        {
            let whole = &e.receiver;
            let copied: syn::Expr = syn::parse_quote!({
                let __ad_within = #whole[#from].to_vec();
                let __ad_to = #to;
                #whole[__ad_to..__ad_to + __ad_within.len()].copy_from_slice(&__ad_within);
            });
            return self.expr(&copied).0;
        }
        // `a.clone_from(&b)` is `a = b.clone()`.
        if let ("clone_from", Some(from)) = (name.as_str(), e.args.first())
            && !self.is_foreign(&e.receiver)
        {
            let (to, from) = (&e.receiver, super::calls::reached(from));
            return self.expr(&syn::parse_quote!(#to = (#from).clone())).0;
        }
        let named = match &*e.receiver {
            syn::Expr::Path(p) => p.path.get_ident().and_then(|i| self.lookup(&i.to_string())),
            _ => None,
        };
        if named.is_some_and(|var| matches!(self.s.vars[var].val, Val::View(_) | Val::Columns(_)))
            && self.is_of_an_own_trait(e)
        {
            return Val::Never;
        }
        if let Some(val) = self.vector_method(e) {
            return val;
        }
        if ["push", "pop", "extend"].contains(&name.as_str())
            && let syn::Expr::Index(_) = &*e.receiver
            && !self.is_foreign(&e.receiver)
        {
            self.error(
                e.method.span(),
                "the rows of a vector of vectors cannot grow here",
                "build each row in a vector of its own and push it, or keep one flat vector",
            );
            return Val::Never;
        }
        let outer = self.expected.take();
        let (receiver, _) = self.expr(&e.receiver);
        self.expected = outer;
        let reached = receiver.clone();
        let receiver = match receiver {
            Val::View(view) if self.rank(&view) == 0 => self.deref(Val::View(view)),
            Val::RefMut(..) if name == "into_iter" && e.args.is_empty() => match self.deref(receiver) {
                val @ Val::Columns(_) => {
                    return self.iterate(val, true, e.span()).map_or(Val::Never, Val::Iter);
                }
                val => val,
            },
            Val::RefMut(..) => self.deref(receiver),
            other => other,
        };
        if matches!(receiver, Val::View(_) | Val::Columns(_)) && self.is_of_an_own_trait(e) {
            return Val::Never;
        }
        match receiver {
            Val::Never => Val::Never,
            Val::Spent => {
                self.error(e.receiver.span(), super::verbatim::SPENT.0, super::verbatim::SPENT.1);
                Val::Never
            }
            Val::Iter(it) if name == "clone" && e.args.is_empty() => Val::Iter(it),
            Val::Iter(it) => {
                // `by_ref`, `(&mut it).take(2)`: what is made runs the iterator that the variable holds.
                let by_reference = matches!(reached, Val::RefMut(..));
                if let Some(val) = self.adapter(&it, e) {
                    if name == "by_ref" || by_reference {
                        self.spend(&e.receiver);
                    }
                    return val;
                }
                let here = std::mem::replace(&mut self.here, e.method.span());
                let consumed = self.consume(&it, e);
                self.here = here;
                let counted = ["next", "nth"].contains(&name.as_str());
                if super::iterators::STOP_ANYWHERE.contains(&name.as_str()) || by_reference && !counted {
                    self.spend(&e.receiver);
                }
                match consumed {
                    Some(val) => val,
                    None => self.verbatim(
                        e.to_token_stream(),
                        e.method.span(),
                        &format!("`{name}` of an iterator over active values is not supported"),
                        "write the loop, or use `map`, `filter`, `zip`, `sum`, `fold`, `collect` and their like",
                    ),
                }
            }
            Val::Maybe(parts) => self.maybe_method(&parts, e),
            Val::Order(a, b) => match (name.as_str(), e.args.len()) {
                ("unwrap", 0) | ("expect" | "unwrap_or", 1) => Val::Order(a, b),
                ("reverse", 0) => Val::Order(b, a),
                ("is_lt" | "is_le" | "is_gt" | "is_ge" | "is_eq" | "is_ne", 0) => {
                    use crate::ir::Cmp;
                    let cmp = match name.as_str() {
                        "is_lt" => Cmp::Lt,
                        "is_le" => Cmp::Le,
                        "is_gt" => Cmp::Gt,
                        "is_ge" => Cmp::Ge,
                        "is_eq" => Cmp::Eq,
                        _ => Cmp::Ne,
                    };
                    Val::Scalar(self.op(Op::Cmp(cmp), &[a, b]))
                }
                _ => self.unknown_method(e),
            },
            Val::View(view) => {
                let receiver = Val::View(view.clone());
                let matrix =
                    self.rank(&view) == 2 && (self.s.arrays.contains(&view.buffer) || self.is_linear(&view));
                match if matrix { None } else { self.source(&receiver, e) } {
                    Some(val) => val,
                    None => self.view_method(&view, &name, e),
                }
            }
            Val::Columns(_) | Val::Ragged(_) => match (name.as_str(), e.args.len()) {
                ("len", 0) => Val::Scalar(self.length_of(&receiver)),
                ("is_empty", 0) => {
                    let (len, zero) = (self.length_of(&receiver), self.s.b.int("0"));
                    Val::Scalar(self.op(Op::Cmp(crate::ir::Cmp::Eq), &[len, zero]))
                }
                (
                    "first" | "last" | "first_mut" | "last_mut" | "front" | "back" | "front_mut" | "back_mut",
                    0,
                ) => self.end_row(&receiver, name.starts_with('f'), name.ends_with("_mut")),
                ("get", 1) => {
                    let k = self.expr(&e.args[0]).0;
                    let Some(k) = self.scalar(k, e.span()) else { return Val::Never };
                    let len = self.length_of(&receiver);
                    let some = self.op(Op::Cmp(crate::ir::Cmp::Lt), &[k, len]);
                    self.guarded(some, &mut |this| this.part_at(&receiver, k, false))
                }
                ("swap", 2) => {
                    self.swap_rows(&receiver, e);
                    Val::unit()
                }
                ("rotate_left" | "rotate_right", 1) | ("reverse", 0) => {
                    self.moved_rows(&receiver, e);
                    Val::unit()
                }
                ("clone" | "to_vec" | "to_owned", 0) => self.cloned(&receiver, e.method.span()),
                ("map", 1) => self.mapped_rows(&receiver, e),
                (name, _) if super::sorting::sorts(name) => self.sort(&receiver, e),
                _ => match self.source(&receiver, e) {
                    Some(val) => val,
                    None => self.unknown_method(e),
                },
            },
            Val::Struct(..) | Val::Tuple(_)
                if ["clone", "to_owned"].contains(&name.as_str()) && e.args.is_empty() =>
            {
                self.cloned(&receiver, e.method.span())
            }
            Val::Scalar(v)
                if self.s.b.func.is_float(v)
                    || self.is_float_method(&name) && (self.is_tainted(v) || self.any_float(&e.args)) =>
            {
                let Some(v) = self.scalar(Val::Scalar(v), e.receiver.span()) else { return Val::Never };
                let args: Vec<&syn::Expr> = e.args.iter().collect();
                self.float_method(v, &name, &args, e)
            }
            // What a call gives is an option as well as an iterator: only an option goes on with something active.
            Val::Scalar(v)
                if matches!(&*e.receiver, syn::Expr::Call(_))
                    && self.is_opaque(v)
                    && !self.is_passive(e.to_token_stream())
                    && let Some(val) = self.option_of_call(v, e) =>
            {
                val
            }
            Val::Scalar(v)
                if is_chain(&whole) && !is_chain(&e.receiver) && *self.s.b.func.ty(v) == Type::Opaque =>
            {
                match self.foreign_source(e) {
                    Some(val) => val,
                    None => self.foreign_call(e),
                }
            }
            Val::Scalar(v) => {
                // A constant of a type whose methods the macro knows.
                if *self.s.b.func.ty(v) == Type::Opaque
                    && !self.is_tainted(v)
                    && !self.is_passive(e.to_token_stream())
                    && let Some(val) = self.method_by_name(e).or_else(|| self.method_of_array_of_data(e))
                {
                    return val;
                }
                // An integer, a bool or something opaque: Rust knows the method.
                if let ("then" | "then_some", 1) = (name.as_str(), e.args.len())
                    && *self.s.b.func.ty(v) == Type::Bool
                {
                    return if name == "then" {
                        let Some(f) = self.callee(&e.args[0]) else { return Val::Never };
                        self.guarded(v, &mut |this| this.apply(&f, Vec::new()))
                    } else {
                        let val = self.expr(&e.args[0]).0;
                        Val::Maybe(vec![Val::Scalar(v), val, Val::Unset])
                    };
                }
                if let syn::Expr::Lit(_) | syn::Expr::Path(_) | syn::Expr::Field(_) = &*e.receiver {
                    let val = self.foreign_call(e);
                    return self.integer_result(v, &name, val);
                }
                let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), proc_macro2::Span::call_site());
                let method = &e.method;
                let handed = if self.is_tainted(v) { None } else { self.data_arguments(&e.args) };
                let (turbofish, args) = (&e.turbofish, handed.as_ref().unwrap_or(&e.args));
                let Some(mut found) = self.verbatim_operands(quote::quote!(#args), e.span()) else {
                    return Val::Never;
                };
                if found.tainted || self.is_tainted(v) {
                    return self.unknown_method(e);
                }
                // The receiver is operand 0: the others move up by one.
                let shifted = shift_holes(found.verbatim.code.tokens(), found.args.len());
                found.verbatim.code = quote::quote!(#hole.#method #turbofish (#shifted)).into();
                found.args.insert(0, v);
                let result = self.s.b.op(Op::Verbatim(found.verbatim), &found.args);
                self.integer_result(v, &name, Val::Scalar(result))
            }
            Val::Struct(..) => self.method_of_struct(receiver, reached, e),
            Val::Vacant(_) => Val::Never,
            Val::Tuple(_) | Val::Unset | Val::Closure(_) | Val::RefMut(..) => self.foreign_call(e),
        }
    }

    /// Methods of integers that give an integer of the same type.
    fn integer_result(&mut self, receiver: Value, name: &str, val: Val) -> Val {
        const SAME: [&str; 12] = [
            "min",
            "max",
            "pow",
            "abs",
            "saturating_sub",
            "saturating_add",
            "wrapping_add",
            "wrapping_mul",
            "rem_euclid",
            "div_euclid",
            "clamp",
            "div_ceil",
        ];
        if let Val::Scalar(v) = val
            && *self.s.b.func.ty(receiver) == Type::Int
            && SAME.contains(&name)
        {
            self.s.b.func.values[v.0 as usize].ty = Type::Int;
            if let Some(int) = self.int_type(receiver) {
                self.s.ints.insert(v, int);
            }
        }
        val
    }

    /// Whether an expression is a place of something that the macro does not look into (`self.x`, `cfg.table`).
    pub(super) fn is_foreign(&mut self, e: &syn::Expr) -> bool {
        match e {
            syn::Expr::Path(p) => match p.path.get_ident().and_then(|i| self.lookup(&i.to_string())) {
                Some(var) => match &self.s.vars[var].val {
                    Val::Scalar(v) => *self.s.b.func.ty(*v) == Type::Opaque && !self.is_tainted(*v),
                    _ => false,
                },
                // A constant may be a float: its methods are known.
                None => p.path.get_ident().is_some_and(|i| i == "self"),
            },
            syn::Expr::Field(f) => self.is_foreign(&f.base),
            syn::Expr::Reference(r) => self.is_foreign(&r.expr),
            // What a method gives is not, where something active is in it.
            syn::Expr::MethodCall(m) => {
                self.is_foreign(&m.receiver) && (is_chain(e) || self.is_passive(e.to_token_stream()))
            }
            syn::Expr::Index(i) => self.is_foreign(&i.expr),
            syn::Expr::Paren(p) => self.is_foreign(&p.expr),
            _ => false,
        }
    }

    /// `market.prices.dot(&x)`, `STAGES.map(|s| ..)`: a method of an array of data whose type is declared, with something active.
    fn method_of_array_of_data(&mut self, e: &syn::ExprMethodCall) -> Option<Val> {
        let declared = self.declared(&e.receiver)?;
        if let (syn::Type::Array(a), true, Some(f)) = (&declared, e.method == "map", e.args.first()) {
            let (len, data) = (&a.len, &e.receiver);
            // rustc sees to the length.
            let whole = quote!({ let all: &[_; #len] = &#data; all });
            let Val::Scalar(v) = self.verbatim(whole, e.method.span(), "this is no data", "pass data") else {
                return None;
            };
            self.s.refs.insert(v);
            let made = syn::parse2(quote!(::core::array::from_fn(|__ad_k| (#f)(__ad_data[__ad_k])))).ok()?;
            return Some(self.scoped(|this| {
                let var = this.new_var("__ad_data", false, Val::Scalar(v));
                this.declare("__ad_data", var);
                let outer = this.expected.replace(syn::parse_quote!([_; #len]));
                let val = this.expr(&made).0;
                this.expected = outer;
                val
            }));
        }
        let array = super::arrays::types::foreign(&declared, &self.sig.floats)?;
        // What is there already is not moved.
        let receiver = &e.receiver;
        let borrowed = super::members::is_place(receiver).then(|| quote!((&#receiver)));
        let tokens = borrowed.unwrap_or_else(|| receiver.to_token_stream());
        let Val::Scalar(v) = self.verbatim(tokens, e.method.span(), "this is no data", "pass data") else {
            return None;
        };
        let view = self.array_of_data(v, &array);
        Some(self.view_method(&view, &e.method.to_string(), e))
    }

    /// `self.rotation * v` of `nalgebra`: the matrix, which is data whose type is declared.
    pub(super) fn factor_of_data(&mut self, val: Val, e: &syn::Expr, other: &Val) -> Val {
        let (Val::Scalar(v), Val::View(view)) = (&val, other) else { return val };
        if *self.s.b.func.ty(*v) != Type::Opaque
            || !self.s.linear.contains_key(&view.buffer)
            || self.is_tainted(*v)
        {
            return val;
        }
        let declared = self.declared(e).and_then(|ty| super::arrays::types::foreign(&ty, &self.sig.floats));
        match declared.filter(|array| array.layout == crate::ir::Layout::Nalgebra) {
            Some(array) => Val::View(self.array_of_data(*v, &array)),
            None => val,
        }
    }

    /// Whether this function is a method whose receiver is data: its companions are methods too.
    fn is_method_of_data(&self) -> bool {
        let opened = |p: &super::signature::ParamSig| p.ident == crate::receivers::THIS && !p.active;
        self.sig.receiver.is_some() || self.sig.params.first().is_some_and(opened)
    }

    pub(super) fn is_float_method(&self, name: &str) -> bool {
        Unary::from_method(name).is_some()
            || Binary::from_method(name).is_some()
            || ["powi", "mul_add", "clamp", "sin_cos"].contains(&name)
    }

    /// Whether an argument is a float that the macro follows.
    fn any_float<'e>(&mut self, args: impl IntoIterator<Item = &'e syn::Expr>) -> bool {
        args.into_iter().any(|a| !self.is_passive(a.to_token_stream()))
    }

    /// The exponent of `powi`: what counts rounds is a `usize` here, and was inferred to be an `i32` by the user's
    /// compiler.
    fn as_exponent(&mut self, v: Value) -> Value {
        if self.s.b.constant(v).is_some() || self.int_type(v).is_some() {
            return v;
        }
        if *self.s.b.func.ty(v) == Type::Int {
            return self.s.b.op_typed(Op::Cast("i32".into()), &[v], Type::Int);
        }
        // `n.into()`: rules compute with it, and rustc has to know its type by then.
        let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
        self.pass(quote!({ let exponent: i32 = #hole; exponent }), &[v], Type::Int)
    }

    fn foreign_call(&mut self, e: &syn::ExprMethodCall) -> Val {
        if !self.is_passive(e.to_token_stream())
            && self.is_passive(e.receiver.to_token_stream())
            && let Some(args) = self.data_arguments(&e.args)
        {
            let handed = syn::ExprMethodCall { args, ..e.clone() };
            return self.verbatim(handed.to_token_stream(), e.method.span(), "", "");
        }
        if ["partition_point", "binary_search_by"].iter().any(|name| e.method == name) && e.args.len() == 1 {
            return self.searched(e).unwrap_or(Val::Never);
        }
        let method = &e.method;
        let (mut what, mut instead) = (
            format!("the macro does not know what `{method}` does with an active value"),
            "use arithmetic and the float methods of std, or write it as a `#[differentiable]` function and call that",
        );
        if let Some(ty) = self.type_of_data(&e.receiver)
            && !crate::functions::methods(&method.to_string()).is_empty()
        {
            what = format!("the macro does not see the method `{method}` of `{ty}`");
            instead = "put `#[differentiable]` on the `impl` block that defines it, above this function and in its module";
        }
        self.verbatim(e.to_token_stream(), method.span(), &what, instead)
    }

    fn unknown_method(&mut self, e: &syn::ExprMethodCall) -> Val {
        self.error(
            e.method.span(),
            format!("the macro does not know what `{}` does with an active value", e.method),
            "use arithmetic and the float methods of std, or write it as a `#[differentiable]` function and call that",
        );
        Val::Never
    }

    /// A method of a float; also `f64::name(v, args)`.
    pub(super) fn float_method(
        &mut self,
        v: Value,
        name: &str,
        args: &[&syn::Expr],
        whole: &dyn Whole,
    ) -> Val {
        let mut values = Vec::new();
        let outer = self.expected.take();
        let vals: Vec<Val> = args.iter().map(|a| self.expr(a).0).collect();
        self.expected = outer;
        for (a, val) in args.iter().zip(vals) {
            let val = self.deref(val);
            match val {
                Val::Scalar(_) => match self.scalar(val, a.span()) {
                    Some(v) => values.push(v),
                    None => return Val::Never,
                },
                Val::Never => return Val::Never,
                _ => return self.unknown_float(name, whole),
            }
        }
        let op = match (name, values.len()) {
            ("sin_cos", 0) => {
                let sin = self.unary(Unary::Sin, v);
                let cos = self.unary(Unary::Cos, v);
                return Val::Tuple(vec![Val::Scalar(sin), Val::Scalar(cos)]);
            }
            ("clone" | "to_owned", 0) => return Val::Scalar(v),
            ("to_f64" | "to_f32", 0) => {
                let to = if name == "to_f64" { FloatKind::F64 } else { FloatKind::F32 };
                let cast = self.convert(v, &to);
                let yes = self.s.b.boolean(true);
                return Val::Maybe(vec![Val::Scalar(yes), Val::Scalar(cast), Val::Unset]);
            }
            ("into", 0) => {
                let wanted = self.expected.clone().and_then(|ty| self.float_kind(&ty));
                return match wanted {
                    Some(kind) => Val::Scalar(self.convert(v, &kind)),
                    None => self.unknown_float(name, whole),
                };
            }
            ("partial_cmp" | "total_cmp", 1) => return Val::Order(v, values[0]),
            ("powi", 1) => {
                let exponent = self.as_exponent(values[0]);
                return Val::Scalar(self.op(Op::Powi, &[v, exponent]));
            }
            ("mul_add", 2) => Op::MulAdd,
            ("clamp", 2) => Op::Clamp,
            (_, n) if let Some(op) = super::generic::operator(name, n) => op,
            (_, 0) if Unary::from_method(name).is_some() => match Unary::from_method(name) {
                Some(f) => Op::Unary(f),
                None => return Val::Never,
            },
            (_, 1) if Binary::from_method(name).is_some() => match Binary::from_method(name) {
                Some(f) => Op::Binary(f),
                None => return Val::Never,
            },
            (_, 0) if let Some(test) = TESTS.iter().find(|t| **t == name) => {
                let v = self.s.b.op(Op::Test(test), &[v]);
                return Val::Scalar(v);
            }
            _ => {
                return if self.is_tainted(v) || values.iter().any(|v| self.is_tainted(*v)) {
                    self.unknown_float(name, whole)
                } else {
                    self.verbatim(whole.tokens(), whole.place(), "", "")
                };
            }
        };
        let mut operands = [&[v], values.as_slice()].concat();
        self.with_one_type(&op, &mut operands);
        Val::Scalar(self.op(op, &operands))
    }

    /// `x.powf(c)`: both are of one type, which a generic float tells rustc of what nobody looks into (`c` may be `lit(0.5)`).
    fn with_one_type(&mut self, op: &Op, operands: &mut [Value]) {
        if !matches!(op, Op::Binary(_) | Op::MulAdd | Op::Clamp) {
            return;
        }
        let mut types = operands.iter().map(|v| self.s.b.func.ty(*v));
        let Some(Type::Float(FloatKind::Param(name))) =
            types.find(|ty| matches!(ty, Type::Float(FloatKind::Param(_)))).cloned()
        else {
            return;
        };
        let Ok(ty) = name.parse::<proc_macro2::TokenStream>() else { return };
        let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
        for v in operands {
            if *self.s.b.func.ty(*v) == Type::Opaque && !self.s.refs.contains(v) {
                let told = quote!(::core::convert::identity::<#ty>(#hole));
                *v = self.pass(told, &[*v], Type::Float(FloatKind::Param(name.clone())));
            }
        }
    }

    /// A float as another float.
    pub(super) fn convert(&mut self, v: Value, to: &FloatKind) -> Value {
        if *self.s.b.func.ty(v) == Type::Float(to.clone()) {
            return v;
        }
        let name: std::sync::Arc<str> = match to {
            FloatKind::F32 => "f32".into(),
            FloatKind::Param(name) => name.clone(),
            _ => "f64".into(),
        };
        let tainted = self.is_tainted(v);
        let cast = self.s.b.op_typed(Op::Cast(name), &[v], Type::Float(to.clone()));
        self.taint_from(cast, tainted);
        cast
    }

    fn unknown_float(&mut self, name: &str, whole: &dyn Whole) -> Val {
        self.error(
            whole.place(),
            format!("the macro does not know the derivative of `{name}`"),
            "use arithmetic and the float methods of std, or write it as a `#[differentiable]` function and call that",
        );
        Val::Never
    }

    pub(super) fn view_method(&mut self, view: &View, name: &str, e: &syn::ExprMethodCall) -> Val {
        let here = std::mem::replace(&mut self.here, e.method.span());
        let made = self.array_method(view, name, e);
        self.here = here;
        if let Some(val) = made {
            return val;
        }
        let arg = |k: usize| e.args.iter().nth(k);
        match (name, e.args.len()) {
            ("len", 0) => Val::Scalar(self.len(view)),
            ("is_empty", 0) => {
                let len = self.len(view);
                let zero = self.s.b.int("0");
                Val::Scalar(self.op(Op::Cmp(crate::ir::Cmp::Eq), &[len, zero]))
            }
            ("to_vec" | "clone" | "to_owned", 0)
                if self.s.b.func.buffer(view.buffer).is_ragged() && self.rank(view) == 2 =>
            {
                let it = super::iterators::Iter::Elements { view: view.clone(), mutable: false };
                self.collect_vec(&std::rc::Rc::new(it), "copy", e.span())
            }
            ("to_vec" | "to_owned", 0) if let Some(rows) = self.rows_of_slice(view, "copy") => {
                if self.refuse_own_clone(&rows, true, e.method.span()) {
                    return Val::Never;
                }
                rows
            }
            ("to_vec" | "clone" | "to_owned" | "into_vec" | "into_owned" | "clone_owned", 0) => {
                // `to_vec` makes a vector also of an array.
                let fixed = !matches!(
                    self.s.b.func.buffer(view.buffer).dims[view.prefix.len()],
                    crate::ir::Dim::Slice
                );
                let view = if name == "to_vec" && view.range.is_none() && fixed {
                    let (zero, len) = (self.s.b.int("0"), self.len(view));
                    View { range: Some((zero, len)), ..view.clone() }
                } else {
                    view.clone()
                };
                Val::View(self.copy_of(&view, "copy"))
            }
            ("as_slice" | "as_mut_slice" | "as_ref" | "as_mut", 0) => {
                Val::View(View { by_ref: true, ..view.clone() })
            }
            ("swap", 2) => {
                let mut index = Vec::new();
                for k in 0..2 {
                    let Some(a) = arg(k) else { return Val::Never };
                    let val = self.expr(a).0;
                    let Some(v) = self.scalar(val, a.span()) else { return Val::Never };
                    index.push(v);
                }
                let places = [self.index(view, index[0]), self.index(view, index[1])];
                let [Place::Element(buffer, a), Place::Element(_, b)] = places else {
                    let [Place::Part(a), Place::Part(b)] = places else { return Val::Never };
                    self.swap_views(&a, &b);
                    return Val::unit();
                };
                let (old_a, old_b) = (self.load(buffer, a.clone()), self.load(buffer, b.clone()));
                self.store(buffer, a, old_b, crate::ir::StoreMode::Set);
                self.store(buffer, b, old_a, crate::ir::StoreMode::Set);
                Val::Tuple(Vec::new())
            }
            ("fill", 1) => {
                let Some(a) = arg(0) else { return Val::Never };
                let val = self.expr(a).0;
                let Some(v) = self.scalar(val, a.span()) else { return Val::Never };
                self.fill_view(view, v);
                Val::Tuple(Vec::new())
            }
            ("copy_from_slice" | "clone_from_slice", 1) => {
                let Some(a) = arg(0) else { return Val::Never };
                match self.expr(a).0 {
                    Val::View(from) => self.copy_view(&from, view, e.span()),
                    Val::Never => {}
                    _ => self.error(a.span(), "this is no slice", "pass a slice"),
                }
                Val::Tuple(Vec::new())
            }
            _ => match self.slice_method(view, name, e) {
                Some(val) => val,
                None => self.verbatim(
                    e.to_token_stream(),
                    e.method.span(),
                    &format!("`{name}` of an array or slice of active values is not supported yet"),
                    "write a loop over the indices: `for i in 0..x.len() { .. x[i] .. }`",
                ),
            },
        }
    }

    /// `f64::sin(x)` and its like: whether the path is a float's, and which.
    pub(super) fn float_path(&self, path: &syn::Path) -> Option<(FloatKind, String)> {
        let list: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let (kind, name) = match list.as_slice() {
            [.., kind, name] => (kind.as_str(), name.clone()),
            _ => return None,
        };
        match kind {
            "f64" => Some((FloatKind::F64, name)),
            "f32" => Some((FloatKind::F32, name)),
            _ => None,
        }
    }
}

/// Moves `__ad_operand_k` up by one.
fn shift_holes(tokens: proc_macro2::TokenStream, n: usize) -> proc_macro2::TokenStream {
    use proc_macro2::{Group, Ident, TokenTree};
    tokens
        .into_iter()
        .map(|t| match t {
            TokenTree::Ident(i) => {
                let k = (0..n).find(|k| i == crate::ir::Verbatim::hole(*k));
                TokenTree::Ident(match k {
                    Some(k) => Ident::new(&crate::ir::Verbatim::hole(k + 1), i.span()),
                    None => i,
                })
            }
            TokenTree::Group(g) => TokenTree::Group(Group::new(g.delimiter(), shift_holes(g.stream(), n))),
            other => other,
        })
        .collect()
}

/// A call, for messages and to pass it through.
pub(super) trait Whole {
    fn tokens(&self) -> proc_macro2::TokenStream;
    fn place(&self) -> proc_macro2::Span;
}

impl Whole for syn::ExprMethodCall {
    fn tokens(&self) -> proc_macro2::TokenStream {
        self.to_token_stream()
    }
    fn place(&self) -> proc_macro2::Span {
        self.method.span()
    }
}

impl Whole for syn::ExprCall {
    fn tokens(&self) -> proc_macro2::TokenStream {
        self.to_token_stream()
    }
    fn place(&self) -> proc_macro2::Span {
        self.func.span()
    }
}
