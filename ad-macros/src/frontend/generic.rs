//! Generic floats: type parameters bound by `num_traits::Float` or `Real`, and what code over them has in the place
//! of literals (`T::from(2.0).unwrap()`, `T::zero()`) and of methods (`T::sin(x)`, `Float::sin(x)`).

use std::sync::Arc;

use proc_macro2::Span;
use quote::quote;
use syn::spanned::Spanned;

use super::lower::Lower;
use super::method::TESTS;
use super::signature::float_kind;
use super::value::Val;
use crate::ir::{FloatKind, Op, Type, Verbatim};

/// The type parameters of a function that are floats.
#[derive(Clone, Default, Debug)]
pub(crate) struct Floats(Vec<Arc<str>>);

impl Floats {
    /// Those with a bound whose last segment is `Float` or `Real`, or a trait of the same file that asks for one of these,
    /// inline or in the `where` clause.
    pub(crate) fn of(generics: &syn::Generics) -> Floats {
        let mut floats = Vec::new();
        for param in generics.type_params() {
            let clauses = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
            let bounds = clauses.filter_map(|predicate| match predicate {
                syn::WherePredicate::Type(t) if is_path(&t.bounded_ty, &param.ident) => Some(&t.bounds),
                _ => None,
            });
            if bounds.chain([&param.bounds]).flatten().any(is_float_bound) {
                floats.push(param.ident.to_string().into());
            }
        }
        Floats(floats)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The float that a path names.
    pub(crate) fn named(&self, path: &syn::Path) -> Option<FloatKind> {
        let ident = path.get_ident()?;
        if let Some(kind) = super::written::marked_float(&ident.to_string()) {
            return Some(kind);
        }
        self.0.iter().find(|name| ident == &***name).map(|name| FloatKind::Param(name.clone()))
    }

    /// What a call gives of which nothing tells.
    pub(super) fn default(&self) -> FloatKind {
        if self.0.len() == 1 { self.only() } else { FloatKind::F64 }
    }

    /// The only generic float there is; otherwise what it meets must tell.
    fn only(&self) -> FloatKind {
        match self.0.as_slice() {
            [name] => FloatKind::Param(name.clone()),
            _ => FloatKind::Infer,
        }
    }
}

fn is_path(ty: &syn::Type, ident: &syn::Ident) -> bool {
    matches!(ty, syn::Type::Path(p) if p.qself.is_none() && p.path.is_ident(ident))
}

fn is_float_bound(bound: &syn::TypeParamBound) -> bool {
    match bound {
        syn::TypeParamBound::Trait(t) => {
            let is_known = |name: &str| name == "Float" || name == "Real";
            t.path.segments.last().is_some_and(|s| {
                is_known(&s.ident.to_string()) || crate::file::is_float_trait(&s.ident, is_known)
            })
        }
        _ => false,
    }
}

/// The methods of the operators' traits.
pub(super) fn operator(name: &str, args: usize) -> Option<Op> {
    match (name, args) {
        ("neg", 0) => Some(Op::Neg),
        ("add", 1) => Some(Op::Add),
        ("sub", 1) => Some(Op::Sub),
        ("mul", 1) => Some(Op::Mul),
        ("div", 1) => Some(Op::Div),
        ("rem", 1) => Some(Op::Rem),
        _ => None,
    }
}

/// `T::name`, `<T as Trait>::name`, `Float::name`, `num_traits::cast`.
struct Associated {
    /// Of which float, where the path tells.
    kind: Option<FloatKind>,
    name: String,
    /// By a trait whose functions are all about floats.
    of_floats: bool,
    /// By `From`, which needs no `unwrap`.
    infallible: bool,
}

impl Lower<'_> {
    /// `lit::<T>(0.5)` of a function without the attribute whose file says that it gives a generic float: then rustc is told so too,
    /// where derivatives compute with it.
    pub(super) fn by_signature(&mut self, c: &syn::ExprCall, val: Val) -> Val {
        let (Val::Scalar(v), syn::Expr::Path(p)) = (&val, &*c.func) else { return val };
        let (v, Some(callee)) = (*v, p.path.segments.first().filter(|_| p.path.segments.len() == 1)) else {
            return val;
        };
        if self.sig.floats.is_empty() || *self.s.b.func.ty(v) != Type::Opaque || self.s.refs.contains(&v) {
            return val;
        }
        let Some(sig) = crate::file::signature_of(&callee.ident.to_string(), &self.sig.ident) else {
            return val;
        };
        let (syn::ReturnType::Type(_, ty), floats) = (&sig.output, Floats::of(&sig.generics)) else {
            return val;
        };
        if !matches!(&**ty, syn::Type::Path(r) if floats.named(&r.path).is_some()) {
            return val;
        }
        let given = match &callee.arguments {
            syn::PathArguments::AngleBracketed(a) => match a.args.first() {
                Some(syn::GenericArgument::Type(ty)) => self.float_kind(ty),
                _ => None,
            },
            _ => Some(self.sig.floats.default()),
        };
        let Some(FloatKind::Param(name)) = given else { return val };
        let Ok(ty) = name.parse::<proc_macro2::TokenStream>() else { return val };
        let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
        let told = quote::quote!(::core::convert::identity::<#ty>(#hole));
        Val::Scalar(self.pass(told, &[v], Type::Float(FloatKind::Param(name))))
    }

    /// An expression that only generic code has; `None` for all others.
    pub(super) fn generic(&mut self, e: &syn::Expr) -> Option<Val> {
        match e {
            syn::Expr::MethodCall(m) if m.method == "unwrap" || m.method == "expect" => {
                let call = called(&m.receiver)?;
                let path = self.associated(&call.func)?;
                if call.args.len() != 1 || !is_conversion(&path.name) {
                    return None;
                }
                let (method, args) = (&m.method, &m.args);
                self.conversion(call, &path, &quote!(.#method(#args)))
            }
            syn::Expr::Call(call) => {
                let path = self.associated(&call.func)?;
                let n = call.args.len();
                if n == 0 {
                    return self.constant(call, path);
                }
                // `T::from(x)` alone is an option that has a value.
                if n == 1 && !path.infallible && path.kind.is_some() && is_conversion(&path.name) {
                    let number = self.conversion(call, &path, &quote!(.unwrap()))?;
                    let yes = self.s.b.boolean(true);
                    return Some(Val::Maybe(vec![Val::Scalar(yes), number, Val::Unset]));
                }
                if path.infallible {
                    return self.conversion(call, &path, &proc_macro2::TokenStream::new());
                }
                let known = self.is_float_method(&path.name)
                    || TESTS.contains(&path.name.as_str())
                    || operator(&path.name, n - 1).is_some();
                let kind = path.kind.or_else(|| path.of_floats.then(|| self.sig.floats.only()))?;
                known.then(|| self.float_call(call, kind, &path.name))
            }
            _ => None,
        }
    }

    fn associated(&self, func: &syn::Expr) -> Option<Associated> {
        let syn::Expr::Path(p) = func else { return None };
        let list: Vec<String> = p.path.segments.iter().map(|s| s.ident.to_string()).collect();
        let name = list.last()?.clone();
        let owner = list.len().checked_sub(2).map(|at| list[at].as_str());
        let found = |kind, of_floats| {
            let infallible = p.qself.is_some() && owner == Some("From");
            Some(Associated { kind, name: name.clone(), of_floats, infallible })
        };
        if let Some(q) = &p.qself {
            return match float_kind(&q.ty, &self.sig.floats) {
                kind @ Some(FloatKind::Param(_)) => found(kind, false),
                kind @ Some(_) if !found(None, false)?.infallible => found(kind, false),
                _ => None,
            };
        }
        if let [owner, _] = list.as_slice()
            && let Some(kind) = self.sig.floats.named(&syn::Ident::new(owner, Span::call_site()).into())
        {
            return found(Some(kind), false);
        }
        match owner {
            Some("Float" | "Real" | "FloatConst" | "Euclid" | "Signed") => found(None, true),
            Some("NumCast" | "FromPrimitive") => found(None, false),
            Some("num_traits" | "num" | "cast")
                if name == "cast" && matches!(&*list[0], "num_traits" | "num") =>
            {
                found(self.cast_target(&p.path), false)
            }
            _ => None,
        }
    }

    /// `T` of `cast::<_, T>`.
    fn cast_target(&self, path: &syn::Path) -> Option<FloatKind> {
        match &path.segments.last()?.arguments {
            syn::PathArguments::AngleBracketed(args) => match args.args.iter().nth(1)? {
                syn::GenericArgument::Type(ty) => float_kind(ty, &self.sig.floats),
                _ => None,
            },
            _ => None,
        }
    }

    /// `T::zero()`, `T::epsilon()`, `T::PI()`
    fn constant(&mut self, call: &syn::ExprCall, path: Associated) -> Option<Val> {
        let kind = path.kind.or_else(|| path.of_floats.then(|| self.sig.floats.only()))?;
        let value = match path.name.as_str() {
            "zero" => 0.0,
            "one" => 1.0,
            "neg_zero" => -0.0,
            "infinity" => f64::INFINITY,
            "neg_infinity" => f64::NEG_INFINITY,
            "nan" => f64::NAN,
            _ => {
                let verbatim = Verbatim::new(quote!(#call), Vec::new());
                return Some(Val::Scalar(self.s.b.op_typed(Op::Verbatim(verbatim), &[], Type::Float(kind))));
            }
        };
        Some(Val::Scalar(self.s.b.float(value, Type::Float(kind))))
    }

    /// `T::from(c).unwrap()`, `T::from_usize(n).unwrap()`, `num_traits::cast::<_, T>(c).unwrap()`
    fn conversion(
        &mut self,
        call: &syn::ExprCall,
        path: &Associated,
        unwrap: &proc_macro2::TokenStream,
    ) -> Option<Val> {
        let arg = &call.args[0];
        if let Some((c, is_float)) = literal(arg, path.name == "from_f32")
            && (is_float || path.kind.is_some())
        {
            let kind = path.kind.clone().unwrap_or(FloatKind::Infer);
            return Some(Val::Scalar(self.s.b.float(c, Type::Float(kind))));
        }
        let Some(kind) = &path.kind else {
            // To what type is rustc's business, unless it is active.
            let found = self.verbatim_operands(quote!(#arg), arg.span())?;
            return found.tainted.then(|| self.active_conversion(arg.span()));
        };
        let val = self.expr(arg).0;
        let val = self.deref(val);
        let Some(v) = self.scalar(val, arg.span()) else { return Some(Val::Never) };
        if self.is_tainted(v) {
            return Some(Val::Scalar(self.convert(v, kind)));
        }
        let data = &mut self.s.b.func.values[v.0 as usize];
        if data.ty == Type::Float(FloatKind::Infer) {
            data.ty = Type::Float(if path.name == "from_f32" { FloatKind::F32 } else { FloatKind::F64 });
        }
        if !matches!(kind, FloatKind::Param(_)) {
            return Some(Val::Scalar(self.convert(v, kind)));
        }
        let (func, hole) = (&call.func, syn::Ident::new(&Verbatim::hole(0), Span::call_site()));
        let verbatim = Verbatim::new(quote!(#func(#hole) #unwrap), Vec::new());
        Some(Val::Scalar(self.s.b.op_typed(Op::Verbatim(verbatim), &[v], Type::Float(kind.clone()))))
    }

    fn active_conversion(&mut self, span: Span) -> Val {
        self.error(
            span,
            "the macro does not differentiate conversions between float types by `NumCast`",
            "compute in one float type, or leave the argument out of `wrt(..)`",
        );
        Val::Never
    }
}

fn called(e: &syn::Expr) -> Option<&syn::ExprCall> {
    match e {
        syn::Expr::Call(c) => Some(c),
        syn::Expr::Paren(p) => called(&p.expr),
        syn::Expr::Group(g) => called(&g.expr),
        _ => None,
    }
}

fn is_conversion(name: &str) -> bool {
    const TYPES: [&str; 14] = [
        "f64", "f32", "usize", "isize", "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128",
    ];
    name == "from" || name == "cast" || name.strip_prefix("from_").is_some_and(|ty| TYPES.contains(&ty))
}

/// The number that a literal is, with its sign, and whether it is a float's. `single`: an unsuffixed float is `f32`.
fn literal(e: &syn::Expr, single: bool) -> Option<(f64, bool)> {
    match e {
        syn::Expr::Paren(p) => literal(&p.expr, single),
        syn::Expr::Group(g) => literal(&g.expr, single),
        syn::Expr::Unary(syn::ExprUnary { op: syn::UnOp::Neg(_), expr, .. }) => {
            literal(expr, single).filter(|(c, is_float)| *is_float || *c != 0.0).map(|(c, f)| (-c, f))
        }
        syn::Expr::Lit(l) => {
            let (digits, suffix, is_float) = match &l.lit {
                syn::Lit::Float(f) => (f.base10_digits(), f.suffix(), true),
                syn::Lit::Int(i) => (i.base10_digits(), i.suffix(), matches!(i.suffix(), "f64" | "f32")),
                _ => return None,
            };
            let c: f64 = digits.parse().ok()?;
            if !is_float && c > 9_007_199_254_740_992.0 {
                return None;
            }
            let single = is_float && (single || suffix == "f32");
            let rounded = if single { f64::from(digits.parse::<f32>().ok()?) } else { c };
            Some((rounded, is_float))
        }
        _ => None,
    }
}
