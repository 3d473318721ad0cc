//! Arrays and vectors as they are written: `[v; N]`, `vec![v; n]`, `[a, b]`.

use std::rc::Rc;

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;

use super::iterators::Iter;
use super::lower::Lower;
use super::place::Place;
use super::value::Val;
use crate::ir::{Dim, StoreMode, Type, Value};

impl Lower<'_> {
    /// `[v; N]` and `vec![v; n]`, nested ones too: axes and what fills them.
    pub(super) fn repeat(&mut self, value: &syn::Expr, dim: Dim) -> Option<(Vec<Dim>, Value)> {
        let inner = match value {
            syn::Expr::Repeat(r) => {
                let n = self.array_len(&r.len);
                self.repeat(&r.expr, n)
            }
            syn::Expr::Macro(m) if m.mac.path.is_ident("vec") => {
                if let Ok(VecMacro::Repeat(v, n)) = syn::parse2::<VecMacro>(m.mac.tokens.clone()) {
                    let len = self.expr(&n).0;
                    let len = self.scalar(len, n.span())?;
                    self.repeat(&v, Dim::Dyn(len))
                } else {
                    self.error(
                        value.span(),
                        "rows of a nested vector are written `vec![v; n]` here",
                        "fill the elements in a loop",
                    );
                    None
                }
            }
            other => {
                let val = self.expr(other).0;
                let val = self.deref(val);
                Some((Vec::new(), self.scalar(val, other.span())?))
            }
        };
        let (mut dims, fill) = inner?;
        dims.insert(0, dim);
        Some((dims, fill))
    }

    /// The length in an array type or expression: constants only.
    pub(super) fn array_len(&mut self, e: &syn::Expr) -> Dim {
        let text = match e {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(i), .. }) => i.base10_digits().to_string(),
            other => other.to_token_stream().to_string(),
        };
        self.known_dim(Dim::Fixed(text.into()))
    }

    /// An axis of a type: one whose length is a variable here (of a generic function that is written out) is as long as that.
    pub(super) fn known_dim(&mut self, dim: Dim) -> Dim {
        let Dim::Fixed(name) = &dim else { return dim };
        match self.lookup(name).map(|var| self.s.vars[var].val.clone()) {
            Some(Val::Scalar(v)) if *self.s.b.func.ty(v) == Type::Int => Dim::Dyn(v),
            _ => dim,
        }
    }

    pub(super) fn repeat_expr(&mut self, r: &syn::ExprRepeat) -> Val {
        let n = self.array_len(&r.len);
        let array = self.repeated(&r.expr, n, "array");
        if let Val::Columns(_) = &array {
            self.copied_as_array(&array);
        }
        array
    }

    /// `[v; n]`, `vec![v; n]`: of numbers a buffer, of structs and arrays that are there already rows of them.
    fn repeated(&mut self, value: &syn::Expr, dim: Dim, name: &str) -> Val {
        let nested = matches!(value, syn::Expr::Repeat(_) | syn::Expr::Macro(_));
        if !nested {
            let val = self.expr(value).0;
            let val = self.default_of_struct(value, val);
            return match self.deref(val) {
                Val::Scalar(fill) => match self.scalar(Val::Scalar(fill), value.span()) {
                    Some(fill) => Val::View(self.declare_buffer(name, vec![dim], fill)),
                    None => Val::Never,
                },
                val => self.repeated_rows(&val, &dim, value.span()),
            };
        }
        match self.repeat(value, dim) {
            Some((dims, fill)) => Val::View(self.declare_buffer(name, dims, fill)),
            None => Val::Never,
        }
    }

    fn repeated_rows(&mut self, val: &Val, dim: &Dim, span: Span) -> Val {
        let n = match dim {
            Dim::Fixed(n) => self.fixed_len(n),
            Dim::Dyn(n) => *n,
            Dim::Slice => return Val::Never,
        };
        if self.refuse_own_clone(val, true, span) {
            return Val::Never;
        }
        let Some(row) = self.row_of(val) else {
            self.scalar(val.clone(), span);
            return Val::Never;
        };
        let rows = self.grown(&row, "rows");
        let var = self.new_var("rows", true, rows);
        let zero = self.s.b.int("0_usize");
        self.range_loop(&super::loops::RangeSpec::new(zero, n, false), &mut |this, _| {
            this.push_to(var, &[], val.clone(), span);
            super::lower::Flow::Falls
        });
        std::mem::replace(&mut self.s.vars[var].val, Val::Never)
    }

    pub(super) fn vec_macro(&mut self, mac: &syn::Macro) -> Val {
        match syn::parse2::<VecMacro>(mac.tokens.clone()) {
            Ok(VecMacro::Repeat(v, n)) => {
                let len = self.expr(&n).0;
                let Some(len) = self.scalar(len, n.span()) else { return Val::Never };
                self.repeated(&v, Dim::Dyn(len), "vector")
            }
            Ok(VecMacro::List(list)) => self.array_literal(&list, true, mac.span()),
            Err(e) => {
                self.diagnostics.push(e);
                Val::Never
            }
        }
    }

    /// `[a, b, c]`, rows too.
    pub(super) fn array_literal(&mut self, list: &[syn::Expr], on_heap: bool, span: Span) -> Val {
        let mut items = Vec::new();
        let function = list.iter().find(|e| match e {
            syn::Expr::Closure(_) => true,
            syn::Expr::Path(p) => self.float_path(&p.path).is_some_and(|(_, name)| {
                crate::ir::Unary::from_method(&name).is_some()
                    || crate::ir::Binary::from_method(&name).is_some()
            }),
            _ => false,
        });
        if let Some(e) = function {
            self.error(e.span(), "arrays of functions are not supported", "call the functions one by one");
            return Val::Never;
        }
        for e in list {
            let val = self.expr(e).0;
            let kept = match (&val, e) {
                (Val::View(view), syn::Expr::Reference(r)) if r.mutability.is_some() => {
                    Val::View(self.changeable(view))
                }
                _ => val.clone(),
            };
            if self.refuse_kept(&kept, e.span()) {
                return Val::Never;
            }
            let val = self.unheld(val);
            items.push(self.deref(val));
        }
        if items.contains(&Val::Never) {
            return Val::Never;
        }
        // Vectors and slices side by side: rows of any length.
        if let Some(Val::View(view)) = items.first()
            && self.rank(view) == 1
            && (view.range.is_some()
                || !matches!(self.s.b.func.buffer(view.buffer).dims[view.prefix.len()], Dim::Fixed(_)))
        {
            let elem = self.s.b.func.buffer(view.buffer).elem.clone();
            let mut rows = self.grown(&super::vectors::Row::Vector(elem), "rows");
            for item in items {
                rows = self.pushed(&rows, item, span);
            }
            return rows;
        }
        // Options side by side are there to be run over.
        if !on_heap && items.iter().any(|item| matches!(item, Val::Maybe(_))) {
            let items: Vec<Iter> =
                items.into_iter().map(|v| Iter::Once(Box::new(self.own(v, true, "item")))).collect();
            let chain = items.into_iter().reduce(|a, b| Iter::Chain(Rc::new(a), Rc::new(b)));
            return chain.map_or(Val::Never, |chain| Val::Iter(Rc::new(chain)));
        }
        if matches!(items.first(), Some(Val::Tuple(_) | Val::Struct(..))) {
            let Some(row) = self.row_of(&items[0]) else {
                self.error(span, "an array of this cannot be followed", "make an array of numbers");
                return Val::Never;
            };
            let mut rows = self.grown(&row, "rows");
            for item in items {
                rows = self.pushed(&rows, item, span);
            }
            if !on_heap {
                self.copied_as_array(&rows);
            }
            return rows;
        }
        let Some(first) = items.first().cloned() else {
            self.error(
                span,
                "an empty array has no element type that the macro could see",
                "give it its length: `vec![0.0; n]`, `[0.0; N]`",
            );
            return Val::Never;
        };
        let n = items.len().to_string();
        let dim = if on_heap { Dim::Dyn(self.s.b.int(&n)) } else { Dim::Fixed(n.into()) };
        let (mut dims, elem) = match &first {
            Val::Scalar(_) => {
                let types: Vec<Type> = items
                    .iter()
                    .filter_map(|v| match v {
                        Val::Scalar(v) => Some(self.s.b.func.ty(*v).clone()),
                        _ => None,
                    })
                    .collect();
                let elem = types
                    .iter()
                    .find(|t| matches!(t, Type::Float(k) if *k != crate::ir::FloatKind::Infer))
                    .or_else(|| types.iter().find(|t| t.is_float()))
                    .unwrap_or(&types[0])
                    .clone();
                (Vec::new(), elem)
            }
            Val::View(view) => {
                let data = self.s.b.func.buffer(view.buffer);
                (data.dims[view.prefix.len()..].to_vec(), data.elem.clone())
            }
            _ => {
                self.error(span, "an array of this cannot be followed", "make an array of numbers");
                return Val::Never;
            }
        };
        dims.insert(0, dim);
        if dims[1..].contains(&Dim::Slice) {
            self.error(
                span,
                "an array of slices cannot be followed",
                "copy the elements into an array of numbers",
            );
            return Val::Never;
        }
        let fill = match (&elem, &first) {
            (Type::Float(_), _) => self.s.b.float(0.0, elem.clone()),
            (_, Val::Scalar(v)) => *v,
            _ => self.dummy(&elem),
        };
        let view = self.declare_buffer(if on_heap { "vector" } else { "array" }, dims, fill);
        for (k, item) in items.into_iter().enumerate() {
            let index = self.s.b.int(&k.to_string());
            match (self.index(&view, index), item) {
                (Place::Element(buffer, index), Val::Scalar(v)) => {
                    self.store(buffer, index, v, StoreMode::Set);
                }
                (Place::Part(to), Val::View(from)) => self.copy_view(&from, &to, span),
                _ => {}
            }
        }
        Val::View(view)
    }
}

/// The arguments of `vec!`.
enum VecMacro {
    Repeat(Box<syn::Expr>, Box<syn::Expr>),
    List(Vec<syn::Expr>),
}

impl syn::parse::Parse for VecMacro {
    fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Ok(VecMacro::List(Vec::new()));
        }
        let first: syn::Expr = input.parse()?;
        if input.peek(syn::Token![;]) {
            input.parse::<syn::Token![;]>()?;
            return Ok(VecMacro::Repeat(Box::new(first), Box::new(input.parse()?)));
        }
        let mut list = vec![first];
        while input.peek(syn::Token![,]) {
            input.parse::<syn::Token![,]>()?;
            if input.is_empty() {
                break;
            }
            list.push(input.parse()?);
        }
        if input.is_empty() { Ok(VecMacro::List(list)) } else { Err(input.error("expected `,` or `;`")) }
    }
}
