//! `match`: which arm is taken, and what it binds.

use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;

use super::lower::{Flow, Lower, Val};
use crate::ir::{Cmp, InstKind, Op, Type, Value, Verbatim};

impl Lower<'_> {
    pub(super) fn match_expr(&mut self, e: &syn::ExprMatch) -> (Val, Flow) {
        let tail = std::mem::replace(&mut self.tail, false);
        // An opaque scrutinee is not bound: it may be a place that must not be moved.
        let scrutinee = match &*e.expr {
            syn::Expr::Path(_) | syn::Expr::Field(_) | syn::Expr::MethodCall(_) | syn::Expr::Reference(_)
                if !self.is_known(&e.expr) =>
            {
                None
            }
            other => Some(self.expr(other).0),
        };
        let tokens = e.expr.to_token_stream();
        let result = self.arms(e, &e.arms, scrutinee.as_ref(), &tokens, tail);
        self.tail = tail;
        result
    }

    /// Whether an expression is a number the macro follows, or a tuple of them.
    fn is_known(&self, e: &syn::Expr) -> bool {
        match e {
            syn::Expr::Path(p) => {
                p.path.get_ident().and_then(|i| self.lookup(&i.to_string())).is_some_and(|var| {
                    match &self.s.vars[var].val {
                        Val::Scalar(v) => *self.s.b.func.ty(*v) != Type::Opaque || self.is_tainted(*v),
                        _ => true,
                    }
                })
            }
            syn::Expr::MethodCall(_) => {
                let mut found = false;
                let mut probe = Floats { lower: self, found: &mut found };
                syn::visit::Visit::visit_expr(&mut probe, e);
                found
            }
            _ => false,
        }
    }

    fn arms(
        &mut self,
        e: &syn::ExprMatch,
        arms: &[syn::Arm],
        scrutinee: Option<&Val>,
        tokens: &proc_macro2::TokenStream,
        tail: bool,
    ) -> (Val, Flow) {
        let Some((arm, rest)) = arms.split_first() else {
            // Rust has checked that the arms are all there are.
            let exit = Verbatim { tokens: quote!(::core::unreachable!()), buffers: Vec::new() };
            self.s.b.effect(InstKind::Effect(exit, Vec::new()));
            self.s.b.current().diverges = true;
            return (Val::Never, Flow::Never);
        };
        let (pat, guard) = guarded(&arm.pat);
        let mut run = |this: &mut Self| -> (Val, Flow) {
            if let (Some(scrutinee), Some(name)) = (scrutinee, binding(pat)) {
                let var = this.new_var(&name.to_string(), false, Val::Unset);
                this.set(var, scrutinee.clone());
                this.declare(&name.to_string(), var);
            }
            this.tail = tail;
            this.expr(&arm.body)
        };
        let last = rest.is_empty() && guard.is_none();
        if last {
            return self.scoped(run);
        }
        let matches = self.pattern_holds(pat, scrutinee, tokens);
        let cond = match (guard, matches) {
            (None, Some(m)) => m,
            (None, None) => return self.scoped(run),
            (Some(guard), m) => {
                let mut test = |this: &mut Self| -> (Val, Flow) {
                    if let (Some(scrutinee), Some(name)) = (scrutinee, binding(pat)) {
                        let var = this.new_var(&name.to_string(), false, scrutinee.clone());
                        this.declare(&name.to_string(), var);
                    }
                    (Val::Scalar(this.condition(guard)), Flow::Falls)
                };
                match m {
                    None => match self.scoped(test).0 {
                        Val::Scalar(v) => v,
                        _ => self.s.b.boolean(false),
                    },
                    Some(m) => {
                        let (val, _) = self.branch(m, pat.span(), &mut test, &mut |this| {
                            (Val::Scalar(this.s.b.boolean(false)), Flow::Falls)
                        });
                        match val {
                            Val::Scalar(v) => v,
                            _ => self.s.b.boolean(false),
                        }
                    }
                }
            }
        };
        self.branch(cond, e.match_token.span(), &mut run, &mut |this| {
            this.arms(e, rest, scrutinee, tokens, tail)
        })
    }

    /// Whether a pattern holds, as a bool; `None`: always.
    fn pattern_holds(
        &mut self,
        pat: &syn::Pat,
        scrutinee: Option<&Val>,
        tokens: &proc_macro2::TokenStream,
    ) -> Option<Value> {
        match (pat, scrutinee) {
            (syn::Pat::Wild(_), _) => None,
            // An upper-case name is a constant.
            (syn::Pat::Ident(id), _) if id.subpat.is_none() && !is_constant(&id.ident) => {
                if scrutinee.is_none() {
                    self.error(
                        id.span(),
                        "this binding takes something that the macro does not look into",
                        "compare with `_` or constants, or bind the value with `let` before",
                    );
                }
                None
            }
            (syn::Pat::Ident(id), _) if id.subpat.is_some() => match &id.subpat {
                Some((_, sub)) => self.pattern_holds(sub, scrutinee, tokens),
                None => None,
            },
            (syn::Pat::Paren(p), _) => self.pattern_holds(&p.pat, scrutinee, tokens),
            (syn::Pat::Reference(r), _) => self.pattern_holds(&r.pat, scrutinee, tokens),
            (syn::Pat::Tuple(t), Some(Val::Tuple(list))) if t.elems.len() == list.len() => {
                let mut all = None;
                for (pat, val) in t.elems.iter().zip(list) {
                    if binding(pat).is_some() {
                        self.error(
                            pat.span(),
                            "bindings inside tuple patterns are not supported in `match`",
                            "use the parts of the scrutinee by their own names",
                        );
                    }
                    let one = self.pattern_holds(pat, Some(val), tokens);
                    all = match (all, one) {
                        (Some(a), Some(b)) => Some(self.op(Op::And, &[a, b])),
                        (a, b) => a.or(b),
                    };
                }
                all
            }
            (syn::Pat::Lit(l), Some(Val::Scalar(v))) => {
                let v = *v;
                let (val, _) = self.expr(&syn::Expr::Lit(l.clone()));
                let lit = self.scalar(val, l.span())?;
                Some(self.op(Op::Cmp(Cmp::Eq), &[v, lit]))
            }
            _ => {
                if binds(pat) {
                    self.error(
                        pat.span(),
                        "patterns that take a value apart are not supported in `match` yet",
                        "match on constants, ranges, `_` or a name, and take the parts with methods",
                    );
                    return None;
                }
                let cond = match scrutinee {
                    Some(Val::Scalar(v)) => {
                        let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
                        let verbatim =
                            Verbatim { tokens: quote!(::core::matches!(#hole, #pat)), buffers: Vec::new() };
                        self.s.b.op_typed(Op::Verbatim(verbatim), &[*v], Type::Bool)
                    }
                    Some(_) => {
                        self.error(
                            pat.span(),
                            "this pattern does not fit a number",
                            "match on one number at a time",
                        );
                        return None;
                    }
                    None => {
                        let found =
                            self.verbatim_operands(quote!(::core::matches!(#tokens, #pat)), pat.span())?;
                        if found.tainted {
                            self.error(
                                pat.span(),
                                "the macro does not look into this value, and it may be active",
                                "match on a number",
                            );
                        }
                        self.s.b.op_typed(Op::Verbatim(found.verbatim), &found.args, Type::Bool)
                    }
                };
                Some(cond)
            }
        }
    }
}

/// A pattern and its guard.
fn guarded(pat: &syn::Pat) -> (&syn::Pat, Option<&syn::Expr>) {
    match pat {
        syn::Pat::Guard(g) => (&g.pat, Some(&g.guard)),
        other => (other, None),
    }
}

/// The name a pattern binds the whole value to.
fn binding(pat: &syn::Pat) -> Option<&syn::Ident> {
    match pat {
        syn::Pat::Ident(id) if !is_constant(&id.ident) => Some(&id.ident),
        syn::Pat::Paren(p) => binding(&p.pat),
        _ => None,
    }
}

fn is_constant(ident: &syn::Ident) -> bool {
    ident.to_string().chars().next().is_some_and(char::is_uppercase)
}

/// Whether a pattern binds anything.
fn binds(pat: &syn::Pat) -> bool {
    struct Finder(bool);
    impl syn::visit::Visit<'_> for Finder {
        fn visit_pat_ident(&mut self, p: &syn::PatIdent) {
            self.0 |= !is_constant(&p.ident);
        }
    }
    let mut finder = Finder(false);
    syn::visit::Visit::visit_pat(&mut finder, pat);
    finder.0
}

/// Looks for variables that are floats.
struct Floats<'a, 'b> {
    lower: &'a Lower<'b>,
    found: &'a mut bool,
}

impl syn::visit::Visit<'_> for Floats<'_, '_> {
    fn visit_expr_path(&mut self, p: &syn::ExprPath) {
        if let Some(var) = p.path.get_ident().and_then(|i| self.lower.lookup(&i.to_string())) {
            *self.found |= match &self.lower.s.vars[var].val {
                Val::Scalar(v) => self.lower.s.b.func.is_float(*v),
                Val::View(view) => self.lower.s.b.func.buffer(view.buffer).elem.is_float(),
                _ => false,
            };
        }
    }
}
