//! `match`, `if let`, `while let`, `let .. else`: which arm is taken, and what it binds.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;

use super::lower::{Flow, Lower};
use super::patterns::binds;
use super::value::Val;
use crate::ir::{InstKind, Op, Type, Value, Verbatim};

/// What is matched.
#[derive(Clone)]
pub(super) enum Scrutinee {
    Known(Val),
    /// A place that the macro does not look into and that must not be moved: its tokens.
    Foreign {
        tokens: TokenStream,
        /// A variable or field, which is taken to be no reference: what is bound are values to the user.
        place: bool,
    },
    /// What a reference that the macro does not look into leads to.
    Behind(Value),
}

impl Lower<'_> {
    pub(super) fn match_expr(&mut self, e: &syn::ExprMatch) -> (Val, Flow) {
        let tail = std::mem::replace(&mut self.tail, false);
        let scrutinee = self.scrutinee(&e.expr);
        let result = self.arms(e, &e.arms, &scrutinee, tail);
        self.tail = tail;
        result
    }

    fn scrutinee(&mut self, e: &syn::Expr) -> Scrutinee {
        match e {
            // An opaque scrutinee is not bound: it may be a place that must not be moved.
            syn::Expr::Path(_) | syn::Expr::Field(_) | syn::Expr::MethodCall(_) | syn::Expr::Index(_)
                if self.is_foreign(e) && !self.is_shared_ref(e) =>
            {
                let place = !matches!(e, syn::Expr::MethodCall(_))
                    && !matches!(e, syn::Expr::Path(p) if p.path.is_ident("self"));
                Scrutinee::Foreign { tokens: e.to_token_stream(), place }
            }
            // `match *node`: taken apart where it stands, as Rust does; what is bound is copied.
            syn::Expr::Unary(u) if matches!(u.op, syn::UnOp::Deref(_)) && self.is_shared_ref(&u.expr) => {
                match self.expr(&u.expr).0 {
                    Val::Scalar(v) if self.s.refs.contains(&v) => Scrutinee::Behind(v),
                    _ => Scrutinee::Known(self.expr(e).0),
                }
            }
            syn::Expr::Reference(r) if self.is_foreign(&r.expr) => {
                Scrutinee::Foreign { tokens: e.to_token_stream(), place: false }
            }
            // `match legs[k].kind`: where it stands.
            syn::Expr::Field(_) => match self.borrowed_field(e) {
                Some(v) => Scrutinee::Behind(v),
                None => Scrutinee::Known(self.expr(e).0),
            },
            other => match self.borrowed_element(other) {
                Some(val) => Scrutinee::Known(val),
                None => Scrutinee::Known(self.expr(other).0),
            },
        }
    }

    /// A reference to a field of an element that the macro does not look into.
    fn borrowed_field(&mut self, e: &syn::Expr) -> Option<Value> {
        let syn::Expr::Field(f) = e else {
            let Val::Scalar(v) = self.borrowed_element(e)? else { return None };
            return Some(v);
        };
        let base = self.borrowed_field(&f.base)?;
        let (hole, member) = (syn::Ident::new(&Verbatim::hole(0), e.span()), &f.member);
        let v = self.pass(quote!(&#hole.#member), &[base], Type::Opaque);
        self.s.refs.insert(v);
        Some(v)
    }

    /// Whether an expression is a variable that holds a reference to something foreign.
    pub(super) fn is_shared_ref(&self, e: &syn::Expr) -> bool {
        let syn::Expr::Path(p) = e else { return false };
        let Some(var) = p.path.get_ident().and_then(|i| self.lookup(&i.to_string())) else { return false };
        matches!(self.s.vars[var].val, Val::Scalar(v) if self.s.refs.contains(&v))
    }

    /// Whether a pattern holds; `None`: always.
    fn holds(&mut self, pat: &syn::Pat, scrutinee: &Scrutinee) -> Option<Value> {
        match scrutinee {
            Scrutinee::Known(val) => self.pattern_holds(pat, &val.clone()),
            Scrutinee::Behind(v) => {
                let names = matches!(pat, syn::Pat::Ident(id) if !super::patterns::is_constant(&id.ident) && id.subpat.is_none());
                if names || matches!(pat, syn::Pat::Wild(_)) {
                    return None;
                }
                let hole = syn::Ident::new(&Verbatim::hole(0), pat.span());
                let pat = super::patterns::without_names(pat);
                Some(self.pass(quote!(::core::matches!(*#hole, #pat)), &[*v], Type::Bool))
            }
            Scrutinee::Foreign { tokens, .. } => {
                if matches!(pat, syn::Pat::Wild(_)) {
                    return None;
                }
                if let syn::Pat::Ident(id) = pat
                    && !super::patterns::is_constant(&id.ident)
                    && id.subpat.is_none()
                {
                    return None;
                }
                let found = self.verbatim_operands(tokens.clone(), pat.span())?;
                let inner = &found.verbatim.code;
                let pat = super::patterns::without_names(pat);
                let tokens = quote!(::core::matches!(#inner, #pat));
                let verbatim = Verbatim::new(tokens, found.verbatim.buffers);
                Some(self.s.b.op_typed(Op::Verbatim(verbatim), &found.args, Type::Bool))
            }
        }
    }

    fn bind(&mut self, pat: &syn::Pat, scrutinee: &Scrutinee) {
        let refutable = std::mem::replace(&mut self.refutable, true);
        self.bind_names(pat, scrutinee);
        self.refutable = refutable;
    }

    fn bind_names(&mut self, pat: &syn::Pat, scrutinee: &Scrutinee) {
        match scrutinee {
            Scrutinee::Known(val) => self.bind_pattern(pat, val.clone(), true),
            Scrutinee::Behind(v) if matches!(pat, syn::Pat::Ident(_)) => {
                let hole = syn::Ident::new(&Verbatim::hole(0), pat.span());
                let copy = self.pass(quote!(*#hole), &[*v], Type::Opaque);
                self.bind_pattern(pat, Val::Scalar(copy), true);
            }
            Scrutinee::Behind(v) => self.bind_behind(pat, *v),
            Scrutinee::Foreign { tokens, place } => {
                if !binds(pat) {
                    return;
                }
                let Some(found) = self.verbatim_operands(tokens.clone(), pat.span()) else { return };
                // Borrowed, so that nothing is moved; a `&` pattern takes what is behind it by copy.
                // Inside a pattern it says that what is around it is matched by value.
                let by_value = matches!(pat, syn::Pat::Reference(_) | syn::Pat::Ident(_))
                    || super::patterns::has_reference(pat);
                let inner = &found.verbatim.code;
                let tokens = if by_value { quote!(#inner) } else { quote!(&(#inner)) };
                let verbatim = Verbatim::new(tokens, found.verbatim.buffers);
                let v = self.s.b.op(Op::Verbatim(verbatim), &found.args);
                if !by_value || matches!(pat, syn::Pat::Reference(_)) {
                    self.s.refs.insert(v);
                }
                self.bind_pattern(pat, Val::Scalar(v), false);
                if *place && !by_value {
                    self.hold_names(pat);
                }
            }
        }
    }

    /// A condition whose outcome is known here.
    fn decided(&self, cond: Value) -> Option<bool> {
        match self.s.b.constant(cond) {
            Some(Op::Bool(b)) => Some(b),
            _ => None,
        }
    }

    fn arms(
        &mut self,
        e: &syn::ExprMatch,
        arms: &[syn::Arm],
        scrutinee: &Scrutinee,
        tail: bool,
    ) -> (Val, Flow) {
        let Some((arm, rest)) = arms.split_first() else {
            // Rust has checked that the arms are all there are.
            let exit = Verbatim::new(quote!(::core::unreachable!()), Vec::new());
            self.s.b.effect(InstKind::Effect(exit, Vec::new()));
            self.s.b.current().diverges = true;
            return (Val::Never, Flow::Never);
        };
        let (pat, guard) = guarded(&arm.pat);
        let mut run = |this: &mut Self| -> (Val, Flow) {
            this.bind(pat, scrutinee);
            this.tail = tail;
            let no_exits = std::mem::replace(&mut this.no_exits, false);
            let result = this.expr(&arm.body);
            this.no_exits = no_exits;
            // The guards of the other arms end nothing.
            this.tail = false;
            result
        };
        let last = rest.is_empty() && guard.is_none();
        if last {
            return self.scoped(run);
        }
        let matches = self.holds(pat, scrutinee);
        match matches.and_then(|m| self.decided(m)) {
            // `None` so far, as in the first round of a loop: nothing is known of what `Some` would hold.
            Some(false) => return self.scoped(|this| this.arms(e, rest, scrutinee, tail)),
            Some(true) if guard.is_none() => return self.scoped(run),
            _ => {}
        }
        let cond = match (guard, matches) {
            (None, Some(m)) => m,
            (None, None) => return self.scoped(run),
            (Some(guard), m) => {
                let mut test = |this: &mut Self| -> (Val, Flow) {
                    this.bind(pat, scrutinee);
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
        self.branch(cond, e.match_token.span(), &mut run, &mut |this| this.arms(e, rest, scrutinee, tail))
    }

    /// `if let pat = value { then } else { otherwise }`
    pub(super) fn if_let(
        &mut self,
        l: &syn::ExprLet,
        then: &mut dyn FnMut(&mut Self) -> (Val, Flow),
        otherwise: &mut dyn FnMut(&mut Self) -> (Val, Flow),
    ) -> (Val, Flow) {
        let scrutinee = self.scrutinee(&l.expr);
        let mut run = |this: &mut Self| {
            this.bind(&l.pat, &scrutinee);
            then(this)
        };
        match self.holds(&l.pat, &scrutinee) {
            Some(holds) if self.decided(holds) == Some(false) => self.scoped(otherwise),
            Some(holds) => self.branch(holds, l.let_token.span(), &mut run, otherwise),
            None => self.scoped(run),
        }
    }

    /// `let pat = value else { leave };`, and the rest of the block.
    pub(super) fn let_else(
        &mut self,
        pat: &syn::Pat,
        init: &syn::Expr,
        leave: &syn::Expr,
        rest: &mut dyn FnMut(&mut Self) -> (Val, Flow),
    ) -> (Val, Flow) {
        let scrutinee = self.scrutinee(init);
        let mut run = |this: &mut Self| {
            this.bind(pat, &scrutinee);
            rest(this)
        };
        match self.holds(pat, &scrutinee) {
            Some(holds) if self.decided(holds) == Some(false) => self.scoped(|this| this.expr(leave)),
            Some(holds) => self.branch(holds, pat.span(), &mut run, &mut |this| this.expr(leave)),
            None => run(self),
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
