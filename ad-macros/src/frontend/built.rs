//! Data that the function builds itself: maps, sets, generators, counters beside them.
//!
//! The IR has no places for what the macro does not look into, only values. So a statement that changes such data, and in which
//! nothing active is, becomes a value: the data as it is afterwards, made of a copy of what it was before. Loops then carry it and
//! branches choose it like any other value, and nothing that runs again changes it twice.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::visit::Visit;

use super::lower::{Flow, Lower, VarId};
use super::stmt::without_semicolon_in;
use super::value::Val;
use crate::ir::{Op, Type, Verbatim};

/// Methods that change a map or set.
const CHANGES_KEYED: [&str; 23] = [
    "insert",
    "remove",
    "remove_entry",
    "entry",
    "get_mut",
    "get_or_insert_with",
    "extend",
    "append",
    "retain",
    "clear",
    "drain",
    "take",
    "replace",
    "values_mut",
    "iter_mut",
    "push",
    "push_back",
    "push_front",
    "pop",
    "pop_back",
    "pop_front",
    "pop_first",
    "pop_last",
];

impl Lower<'_> {
    /// A statement that changes data; `None` if it is none, or if something active is in it.
    pub(super) fn building_stmt(&mut self, stmt: &syn::Stmt) -> Option<(Val, Flow)> {
        match stmt {
            syn::Stmt::Expr(e, semi) => {
                if let syn::Expr::If(i) = e
                    && !self.is_passive(e.to_token_stream())
                    && !matches!(&*i.cond, syn::Expr::Let(_))
                {
                    // `if seen.insert(k) { .. }`
                    let cond = self.building(&i.cond, true)?;
                    let asked = self.named_here(cond);
                    let mut whole = i.clone();
                    *whole.cond = syn::parse_quote!(#asked);
                    return Some(self.expr(&syn::Expr::If(whole)));
                }
                let is_loop = matches!(e, syn::Expr::ForLoop(_) | syn::Expr::While(_) | syn::Expr::Loop(_));
                let val = self.building(e, semi.is_none() && !is_loop)?;
                Some((val, Flow::Falls))
            }
            syn::Stmt::Local(local) => {
                let init = local.init.as_ref().filter(|init| init.diverge.is_none())?;
                let val = self.building(&init.expr, true)?;
                let made = self.named_here(val);
                let mut local = local.clone();
                if let Some(init) = &mut local.init {
                    *init.expr = syn::parse_quote!(#made);
                }
                Some((Val::unit(), self.local(&local)))
            }
            _ => None,
        }
    }

    /// Whether code that is passed through changes a map or set of a variable; an error if so.
    pub(super) fn changes_in_place(&mut self, e: &syn::Expr, span: Span) -> bool {
        if self.s.keyed.is_empty() {
            return false;
        }
        let mut seen = Changes::default();
        seen.visit_expr(e);
        for (ident, change) in seen.found {
            let name = ident.to_string();
            if let Some(var) = self.lookup(&name)
                && !seen.bound.contains(&name)
                && let Val::Scalar(v) = self.s.vars[var].val
                && self.s.keyed.contains(&v)
                && self.s.vars[var].mutable
                && match &change {
                    Change::By(method) => CHANGES_KEYED.contains(&method.as_str()),
                    Change::Discarded(_) => false,
                    Change::Set => true,
                }
            {
                self.refuse_building(&name, span);
                return true;
            }
        }
        false
    }

    /// Data that would have to be carried beside active values.
    pub(super) fn refuse_building(&mut self, name: &str, span: Span) {
        self.error(
            span,
            format!("`{name}`, which the macro does not look into, changes here between steps with active values"),
            "change it in statements of their own in front of these, and collect what they need into a vector of numbers",
        );
    }

    /// A name for a value.
    pub(super) fn named_here(&mut self, val: Val) -> Ident {
        let name = format!("__ad_built_{}", self.s.vars.len());
        let var = self.new_var(&name, false, val);
        self.declare(&name, var);
        Ident::new(&name, Span::call_site())
    }

    /// An expression that changes data: the variables are what they are afterwards. Its own value, if that is wanted.
    fn building(&mut self, e: &syn::Expr, wanted: bool) -> Option<Val> {
        let is_method = matches!(e, syn::Expr::MethodCall(_));
        let handed = is_method.then(|| self.with_data_arguments(e)).flatten();
        let e = handed.as_ref().unwrap_or(e);
        let mut seen = Changes::default();
        if !wanted {
            seen.discarded(e);
        }
        seen.visit_expr(e);
        if seen.leaves {
            return None;
        }
        let mut triggered = false;
        let mut changed: Vec<(Ident, VarId)> = Vec::new();
        for (ident, change) in &seen.found {
            let Some(var) = self.lookup(&ident.to_string()) else { continue };
            if seen.bound.contains(&ident.to_string()) {
                return None;
            }
            let Val::Scalar(v) = self.s.vars[var].val else {
                match change {
                    Change::By(method)
                        if !super::opaque::changes(method) && !super::sorting::sorts(method) =>
                    {
                        continue;
                    }
                    // An array that the macro follows is changed by what it looks into.
                    _ => return None,
                }
            };
            let is_data = *self.s.b.func.ty(v) == Type::Opaque;
            let is_owned = self.s.vars[var].mutable && !self.s.refs.contains(&v) && !self.is_tainted(v);
            let changes = match change {
                Change::By(method) | Change::Discarded(method) if self.s.keyed.contains(&v) => {
                    CHANGES_KEYED.contains(&method.as_str())
                }
                Change::By(_) => false,
                Change::Discarded(method) => {
                    is_data && !super::opaque::changes(method) && !super::sorting::sorts(method)
                }
                Change::Set => true,
            };
            if !changes {
                continue;
            }
            if !is_owned {
                return None;
            }
            triggered |= is_data && !matches!(change, Change::Set);
            if !changed.iter().any(|(_, known)| *known == var) {
                changed.push((ident.clone(), var));
            }
        }
        if !triggered {
            return None;
        }
        self.rebuilt(e, wanted, &changed)
    }

    fn rebuilt(&mut self, e: &syn::Expr, wanted: bool, changed: &[(Ident, VarId)]) -> Option<Val> {
        let before: Vec<Ident> =
            (0..changed.len()).map(|k| Ident::new(&format!("__ad_before_{k}"), Span::call_site())).collect();
        let names: Vec<&Ident> = changed.iter().map(|(ident, _)| ident).collect();
        let value = Ident::new("__ad_value", Span::call_site());
        let (bound, value) = if wanted {
            (quote!(let #value = #e;), Some(value.to_token_stream()))
        } else {
            (quote!(#e;), None)
        };
        let results: Vec<TokenStream> =
            value.into_iter().chain(names.iter().map(ToTokens::to_token_stream)).collect();
        let tokens = quote!({
            #(let mut #names = ::core::clone::Clone::clone(&#before);)*
            #bound
            (#(#results,)*)
        });
        let found = self.scoped(|this| {
            for (name, (_, var)) in before.iter().zip(changed) {
                this.declare(&name.to_string(), *var);
            }
            if !this.is_passive(tokens.clone()) {
                return None;
            }
            this.verbatim_operands(tokens, Span::call_site())
        })?;
        let all = self.s.b.op(Op::Verbatim(found.verbatim), &found.args);
        let hole = Ident::new(&Verbatim::hole(0), Span::call_site());
        let mut taken = 0;
        let mut next = |this: &mut Self, ty: Type| {
            let k = syn::Index::from(taken);
            taken += 1;
            this.pass(quote!(::core::clone::Clone::clone(&#hole.#k)), &[all], ty)
        };
        let val = if wanted { Val::Scalar(next(self, Type::Opaque)) } else { Val::unit() };
        for (_, var) in changed {
            let Val::Scalar(old) = self.s.vars[*var].val else { continue };
            let ty = self.s.b.func.ty(old).clone();
            let ty_is_data = ty == Type::Opaque;
            let new = next(self, ty);
            if let Some(int) = self.int_type(old) {
                self.s.ints.insert(new, int);
            }
            if let Some(ty) = self.s.declared.get(&old).cloned() {
                self.s.declare(new, &ty);
            }
            if ty_is_data {
                self.s.built.insert(new);
            }
            self.set(*var, Val::Scalar(new));
        }
        Some(val)
    }
}

/// How a variable is changed.
#[derive(Clone)]
enum Change {
    /// By a method, if that changes its receiver.
    By(String),
    /// By a method whose result nobody wants.
    Discarded(String),
    /// Assigned, or borrowed to be changed.
    Set,
}

/// What an expression may change.
#[derive(Default)]
struct Changes {
    found: Vec<(Ident, Change)>,
    bound: std::collections::BTreeSet<String>,
    /// Whether control leaves it.
    leaves: bool,
    loops: usize,
}

impl Changes {
    fn set(&mut self, e: &syn::Expr) {
        if let Some(root) = root(e) {
            self.found.push((root.clone(), Change::Set));
        }
    }

    fn discarded(&mut self, e: &syn::Expr) {
        if let syn::Expr::MethodCall(m) = e
            && let Some(root) = root(&m.receiver)
        {
            self.found.push((root.clone(), Change::Discarded(m.method.to_string())));
        }
    }

    fn round(&mut self, body: &syn::Block) {
        if let Some(e) = without_semicolon_in(body) {
            self.discarded(e);
        }
    }
}

impl Visit<'_> for Changes {
    fn visit_expr(&mut self, e: &syn::Expr) {
        match e {
            syn::Expr::MethodCall(m) => {
                if let Some(root) = root(&m.receiver) {
                    self.found.push((root.clone(), Change::By(m.method.to_string())));
                }
            }
            syn::Expr::Reference(r) if r.mutability.is_some() => self.set(&r.expr),
            syn::Expr::Assign(a) => self.set(&a.left),
            syn::Expr::Binary(b) if is_assignment(&b.op) => self.set(&b.left),
            syn::Expr::Return(_) | syn::Expr::Try(_) => self.leaves = true,
            syn::Expr::Break(syn::ExprBreak { label, .. })
            | syn::Expr::Continue(syn::ExprContinue { label, .. }) => {
                self.leaves |= label.is_some() || self.loops == 0;
            }
            // What is returned there is not returned here.
            syn::Expr::Closure(c) => {
                let leaves = self.leaves;
                syn::visit::visit_expr_closure(self, c);
                self.leaves = leaves;
                return;
            }
            syn::Expr::ForLoop(l) => {
                self.round(&l.body);
                self.loops += 1;
                syn::visit::visit_expr_for_loop(self, l);
                self.loops -= 1;
                return;
            }
            syn::Expr::While(l) => {
                self.round(&l.body);
                self.loops += 1;
                syn::visit::visit_expr_while(self, l);
                self.loops -= 1;
                return;
            }
            syn::Expr::Loop(l) => {
                self.round(&l.body);
                self.loops += 1;
                syn::visit::visit_expr_loop(self, l);
                self.loops -= 1;
                return;
            }
            _ => {}
        }
        syn::visit::visit_expr(self, e);
    }

    fn visit_stmt(&mut self, stmt: &syn::Stmt) {
        if let syn::Stmt::Expr(e, Some(_)) = stmt {
            self.discarded(e);
        }
        syn::visit::visit_stmt(self, stmt);
    }

    fn visit_pat_ident(&mut self, p: &syn::PatIdent) {
        self.bound.insert(p.ident.to_string());
        syn::visit::visit_pat_ident(self, p);
    }
}

/// The variable that a place is in.
fn root(e: &syn::Expr) -> Option<&Ident> {
    match e {
        syn::Expr::Path(p) => p.path.get_ident(),
        syn::Expr::Field(f) => root(&f.base),
        syn::Expr::Index(i) => root(&i.expr),
        syn::Expr::Unary(u) => root(&u.expr),
        syn::Expr::Paren(p) => root(&p.expr),
        syn::Expr::Reference(r) => root(&r.expr),
        syn::Expr::MethodCall(m) => root(&m.receiver),
        _ => None,
    }
}

fn is_assignment(op: &syn::BinOp) -> bool {
    use syn::BinOp;
    matches!(
        op,
        BinOp::AddAssign(_)
            | BinOp::SubAssign(_)
            | BinOp::MulAssign(_)
            | BinOp::DivAssign(_)
            | BinOp::RemAssign(_)
            | BinOp::BitXorAssign(_)
            | BinOp::BitAndAssign(_)
            | BinOp::BitOrAssign(_)
            | BinOp::ShlAssign(_)
            | BinOp::ShrAssign(_)
    )
}
