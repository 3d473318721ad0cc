//! Control flow: `if`, `match`, loops, and the ways out of them.
//!
//! A loop that nothing leaves early becomes a `for` over its range. Any other becomes a `while` whose condition asks the
//! exit flags; what follows a possible exit runs only if no flag is set.

use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;

use super::lower::{Flow, LoopContext, Lower, State, Val, VarId, View};
use crate::ir::{Cmp, ForLoop, InstKind, Op, Type, Value, Verbatim};

/// What a `for` runs over.
enum Head {
    Range {
        lo: Value,
        hi: Value,
        inclusive: bool,
        rev: bool,
        step: Option<Value>,
        flipped: bool,
    },
    /// Elements, by index; `mutable` for `iter_mut`.
    Elements {
        view: View,
        enumerate: bool,
        rev: bool,
        mutable: bool,
    },
}

/// A range in the making: bounds and what is done to it.
struct RangeSpec {
    lo: Value,
    hi: Value,
    inclusive: bool,
    rev: bool,
    step: Option<Value>,
    flipped: bool,
}

impl Lower<'_> {
    /// A condition.
    pub(super) fn condition(&mut self, e: &syn::Expr) -> Value {
        if let syn::Expr::Let(l) = e {
            self.error(
                l.span(),
                "`if let` and `while let` are not supported yet",
                "use `match`, or ask with `is_some()` and unwrap",
            );
            return self.s.b.boolean(false);
        }
        let (val, _) = self.expr(e);
        match self.scalar(val, e.span()) {
            Some(v) => v,
            None => self.s.b.boolean(false),
        }
    }

    pub(super) fn if_expr(&mut self, e: &syn::ExprIf) -> (Val, Flow) {
        let tail = std::mem::replace(&mut self.tail, false);
        let cond = self.condition(&e.cond);
        let result = self.branch(
            cond,
            e.if_token.span(),
            &mut |this| {
                this.tail = tail;
                this.block(&e.then_branch)
            },
            &mut |this| {
                this.tail = tail;
                match &e.else_branch {
                    Some((_, e)) => this.expr(e),
                    None => (Val::Tuple(Vec::new()), Flow::Falls),
                }
            },
        );
        self.tail = tail;
        result
    }

    // ---------------------------------------------------------------------------------------- match

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

    // ---------------------------------------------------------------------------------------- ways out

    pub(super) fn return_expr(&mut self, e: &syn::ExprReturn) -> (Val, Flow) {
        let tail = std::mem::replace(&mut self.tail, false);
        let val = match &e.expr {
            Some(e) => self.expr(e).0,
            None => Val::Tuple(Vec::new()),
        };
        self.tail = tail;
        if tail && self.loops.is_empty() {
            return (val, Flow::Falls);
        }
        if holds_view(&val) {
            self.error(
                e.span(),
                "an array cannot be returned from the middle of a function",
                "write the elements into one local array and return that at the end",
            );
        }
        let yes = self.s.b.boolean(true);
        let (flag, slot) = (self.returned, self.return_value);
        self.set(flag, Val::Scalar(yes));
        self.set(slot, val);
        (Val::Never, Flow::Never)
    }

    pub(super) fn leave_loop(
        &mut self,
        label: Option<&syn::Lifetime>,
        value: Option<&syn::Expr>,
        span: Span,
        skip: bool,
    ) -> (Val, Flow) {
        let val = value.map(|e| self.expr(e).0);
        let found = match label {
            Some(label) => {
                self.loops.iter().rev().find(|l| l.label.as_deref() == Some(&label.ident.to_string()))
            }
            None => self.loops.last(),
        };
        let Some(found) = found.cloned() else {
            self.error(
                span,
                "there is no such loop around this",
                "labels of blocks are not supported: use a loop or an `if`",
            );
            return (Val::Never, Flow::Never);
        };
        let yes = self.s.b.boolean(true);
        self.set(if skip { found.skipped } else { found.broken }, Val::Scalar(yes));
        if let Some(val) = val {
            self.set(found.value, val);
        }
        (Val::Never, Flow::Never)
    }

    /// Whether any exit flag is set.
    pub(super) fn exited(&mut self) -> Value {
        let mut flags = vec![self.returned];
        flags.extend(self.loops.iter().flat_map(|l| [l.broken, l.skipped]));
        self.any(&flags)
    }

    /// The `or` of flags, without those that are known to be false.
    fn any(&mut self, flags: &[VarId]) -> Value {
        let mut all: Option<Value> = None;
        for flag in flags {
            let Val::Scalar(v) = self.s.vars[*flag].val else { continue };
            if matches!(self.s.b.constant(v), Some(Op::Bool(false))) {
                continue;
            }
            all = Some(match all {
                Some(a) => self.op(Op::Or, &[a, v]),
                None => v,
            });
        }
        match all {
            Some(v) => v,
            None => self.s.b.boolean(false),
        }
    }

    // ---------------------------------------------------------------------------------------- loops

    /// Runs `f` on a copy of the state and takes everything back but what it learnt.
    fn trial<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let state: State = self.s.clone();
        let (items, scopes) = (self.items.clone(), self.scopes.clone());
        let result = f(self);
        self.s = state;
        self.items = items;
        self.scopes = scopes;
        result
    }

    /// The variables that a round changes, with the types and taints they need; and whether it can leave early.
    fn carried(&mut self, round: &mut dyn FnMut(&mut Self) -> Flow) -> Carried {
        let n = self.s.vars.len();
        let mut carried = Carried::default();
        loop {
            let (next, buffers) = self.trial(|this| {
                this.open_round(&carried);
                let before: Vec<Val> = this.s.vars[..n].iter().map(|v| v.val.clone()).collect();
                let flow = round(this);
                let mut next = carried.clone();
                next.leaves |= flow != Flow::Falls;
                for (var, old) in before.iter().enumerate() {
                    let new = this.s.vars[var].val.clone();
                    this.note(&mut next, var, &[], old, &new);
                }
                this.s.b.close(Vec::new());
                (next, this.s.tainted_buffers.clone())
            });
            // Buffers made in the round are gone with the trial.
            let old = self.s.b.func.buffers.len();
            let found: Vec<_> = buffers.into_iter().filter(|b| (b.0 as usize) < old).collect();
            let buffers_known = found.iter().all(|b| self.s.tainted_buffers.contains(b));
            self.s.tainted_buffers.extend(found);
            if next == carried && buffers_known {
                return carried;
            }
            carried = next;
        }
    }

    /// Compares what a variable was with what it is, part by part.
    fn note(&mut self, carried: &mut Carried, var: VarId, path: &[usize], old: &Val, new: &Val) {
        match (old, new) {
            (Val::Tuple(a), Val::Tuple(b)) if a.len() == b.len() => {
                for (i, (a, b)) in a.iter().zip(b).enumerate() {
                    self.note(carried, var, &[path, &[i]].concat(), a, b);
                }
            }
            (old, new) if old == new => {}
            (Val::Scalar(_) | Val::Unset, Val::Scalar(v)) => {
                let ty = self.s.b.func.ty(*v).clone();
                let tainted = self.is_tainted(*v);
                let slot =
                    if let Some(slot) = carried.slots.iter_mut().find(|s| s.var == var && s.path == path) {
                        slot
                    } else {
                        let first = match old {
                            Val::Scalar(o) => self.s.b.func.ty(*o).clone(),
                            _ => ty.clone(),
                        };
                        carried.slots.push(Slot { var, path: path.to_vec(), ty: first, tainted: false });
                        let last = carried.slots.len() - 1;
                        &mut carried.slots[last]
                    };
                let better = match (&slot.ty, &ty) {
                    (Type::Float(crate::ir::FloatKind::Infer), Type::Float(_)) => slot.ty != ty,
                    (Type::Float(_), _) => false,
                    (_, Type::Float(_)) => true,
                    (Type::Opaque, other) => *other != Type::Opaque,
                    _ => false,
                };
                if better {
                    slot.ty = ty;
                }
                slot.tainted |= tainted;
            }
            (_, Val::Never) => {}
            // A view that a round moves: only one that is set anew before it is used can be lowered.
            (Val::Unset, Val::View(_)) => {}
            (Val::View(_) | _, Val::View(_)) => {
                let span = Span::call_site();
                let name = self.s.vars[var].name.clone();
                self.error(
                    span,
                    format!("the slice or array that `{name}` stands for changes from round to round"),
                    "keep an index instead, or copy the elements",
                );
            }
            _ => {}
        }
    }

    /// Opens a round: the carried variables become arguments.
    fn open_round(&mut self, carried: &Carried) -> Vec<Value> {
        let mut args = Vec::new();
        for slot in &carried.slots {
            let name = self.s.vars[slot.var].name.clone();
            let arg = self.s.b.func.new_value(slot.ty.clone(), Some(name));
            self.taint_from(arg, slot.tainted);
            *part(&mut self.s.vars[slot.var].val, &slot.path) = Val::Scalar(arg);
            args.push(arg);
        }
        self.s.b.open(args.clone());
        args
    }

    /// What the carried variables are now.
    fn current(&mut self, carried: &Carried) -> Vec<Value> {
        let mut list = Vec::new();
        for slot in &carried.slots {
            let mut val = self.s.vars[slot.var].val.clone();
            let v = match part(&mut val, &slot.path) {
                Val::Scalar(v) => *v,
                _ => self.dummy(&slot.ty),
            };
            list.push(v);
        }
        list
    }

    /// After a loop: the carried variables are its results.
    fn after(&mut self, carried: &Carried, kind: InstKind) {
        let types = carried.slots.iter().map(|s| s.ty.clone()).collect();
        let results = self.s.b.emit(kind, types);
        for (slot, r) in carried.slots.iter().zip(results) {
            let name = self.s.vars[slot.var].name.clone();
            self.s.b.name(r, || name);
            self.taint_from(r, slot.tainted);
            *part(&mut self.s.vars[slot.var].val, &slot.path) = Val::Scalar(r);
        }
    }

    pub(super) fn for_expr(&mut self, e: &syn::ExprForLoop) -> (Val, Flow) {
        let tail = std::mem::replace(&mut self.tail, false);
        let flow = match self.head(&e.expr) {
            Some(head) => self.for_loop(e, &head),
            None => Flow::Falls,
        };
        self.tail = tail;
        (Val::Tuple(Vec::new()), flow)
    }

    fn context(&mut self, label: Option<&syn::Label>) -> LoopContext {
        let context = LoopContext {
            label: label.map(|l| l.name.ident.to_string()),
            broken: self.bool_var("broken"),
            skipped: self.bool_var("skipped"),
            value: 0,
        };
        let value = self.new_var("value", true, Val::Unset);
        LoopContext { value, ..context }
    }

    fn for_loop(&mut self, e: &syn::ExprForLoop, head: &Head) -> Flow {
        let context = self.context(e.label.as_ref());
        let spec = self.range_of(head);
        self.loops.push(context.clone());
        let mut round = |this: &mut Self| {
            let i = this.s.b.func.new_value(Type::Int, None);
            this.s.b.current().args.insert(0, i);
            this.round(e, head, i, &context)
        };
        let carried = self.carried(&mut round);
        let leaves = carried.slots.iter().any(|s| self.is_exit_flag(s.var, &context));
        let flow = if leaves {
            self.counted_while(e, head, &spec, &context)
        } else {
            let inits = self.inits(&carried);
            let before: Vec<Val> = self.s.vars.iter().map(|v| v.val.clone()).collect();
            self.open_round(&carried);
            round(self);
            let yields = self.current(&carried);
            let body = self.s.b.close(yields);
            for (var, old) in self.s.vars.iter_mut().zip(&before) {
                var.val = old.clone();
            }
            let l = ForLoop {
                lo: spec.lo,
                hi: spec.hi,
                inclusive: spec.inclusive,
                rev: spec.rev,
                step: spec.step,
                flipped: spec.flipped,
                inits,
                body,
            };
            self.after(&carried, InstKind::For(l));
            Flow::Falls
        };
        self.loops.pop();
        flow
    }

    /// Whether a variable is a flag that ends the loop: its own `broken`, or one of what is around it.
    fn is_exit_flag(&self, var: VarId, context: &LoopContext) -> bool {
        var == self.returned
            || var == context.broken
            || self.loops.iter().any(|l| (l.broken == var || l.skipped == var) && l.broken != context.broken)
    }

    /// Flags that end the loop.
    fn end_flags(&self, context: &LoopContext) -> Vec<VarId> {
        let mut flags = vec![self.returned, context.broken];
        for l in self.loops.iter().filter(|l| l.broken != context.broken) {
            flags.extend([l.broken, l.skipped]);
        }
        flags
    }

    /// How code goes on after a loop: conditionally, if an exit of something further out may be set.
    fn flow_after(&self, carried: &Carried, context: &LoopContext) -> Flow {
        let outer =
            carried.slots.iter().any(|s| self.is_exit_flag(s.var, context) && s.var != context.broken);
        if outer { Flow::Maybe } else { Flow::Falls }
    }

    /// Values from which the carried variables start.
    fn inits(&mut self, carried: &Carried) -> Vec<Value> {
        self.current(carried)
    }

    /// One round of a `for`: binds the pattern, runs the body.
    fn round(&mut self, e: &syn::ExprForLoop, head: &Head, i: Value, context: &LoopContext) -> Flow {
        let skipped = self.start_round(context);
        self.scopes.push(std::collections::HashMap::new());
        match head {
            Head::Range { .. } => self.bind_pattern(&e.pat, Val::Scalar(i), false),
            Head::Elements { view, enumerate, mutable, .. } => {
                self.s.b.name(i, || "i".into());
                if *mutable {
                    self.bind_element(&e.pat, view, i, *enumerate);
                } else {
                    let place = self.index(view, i);
                    let item = self.read(place);
                    let val = if *enumerate { Val::Tuple(vec![Val::Scalar(i), item]) } else { item };
                    self.bind_pattern(&e.pat, val, false);
                }
            }
        }
        let (_, flow) = self.block(&e.body);
        self.scopes.pop();
        self.s.vars[context.skipped].val = skipped;
        flow
    }

    /// Clears the flag of `continue`, which lives as long as a round; returns what to set it to at the end.
    fn start_round(&mut self, context: &LoopContext) -> Val {
        let no = self.s.b.boolean(false);
        std::mem::replace(&mut self.s.vars[context.skipped].val, Val::Scalar(no))
    }

    /// `for (i, v) in x.iter_mut().enumerate()`: v stands for the element.
    fn bind_element(&mut self, pat: &syn::Pat, view: &View, i: Value, enumerate: bool) {
        let (index, item) = match (pat, enumerate) {
            (syn::Pat::Tuple(t), true) if t.elems.len() == 2 => (Some(&t.elems[0]), &t.elems[1]),
            (_, true) => {
                return self.error(pat.span(), "this pattern is not supported here", "write `(i, v)`");
            }
            (pat, false) => (None, pat),
        };
        if let Some(index) = index {
            self.bind_pattern(index, Val::Scalar(i), false);
        }
        let mut element = view.clone();
        let place = self.index(view, i);
        match place {
            super::place::Place::Element(buffer, index) => {
                element.buffer = buffer;
                element.prefix = index;
                element.range = None;
            }
            super::place::Place::Part(part) => element = part,
            super::place::Place::Variable(_) => {}
        }
        element.by_ref = true;
        self.bind_pattern(item, Val::View(element), false);
    }

    fn range_of(&mut self, head: &Head) -> RangeSpec {
        match head {
            Head::Range { lo, hi, inclusive, rev, step, flipped } => RangeSpec {
                lo: *lo,
                hi: *hi,
                inclusive: *inclusive,
                rev: *rev,
                step: *step,
                flipped: *flipped,
            },
            Head::Elements { view, rev, .. } => {
                let lo = self.s.b.int("0");
                let hi = self.len(view);
                RangeSpec { lo, hi, inclusive: false, rev: *rev, step: None, flipped: false }
            }
        }
    }

    /// A `for` that something leaves early: a counter `x` that is `alive` as long as it is in the range.
    fn counted_while(
        &mut self,
        e: &syn::ExprForLoop,
        head: &Head,
        spec: &RangeSpec,
        context: &LoopContext,
    ) -> Flow {
        if spec.step.is_some() && (spec.rev || spec.flipped) {
            self.error(
                e.expr.span(),
                "a loop over a stepped and reversed range cannot be left early",
                "write it as a `while` loop",
            );
            return Flow::Falls;
        }
        let one = self.s.b.int("1");
        let some = if spec.inclusive { Cmp::Le } else { Cmp::Lt };
        let alive = self.op(Op::Cmp(some), &[spec.lo, spec.hi]);
        let first = match (spec.rev, spec.inclusive) {
            (false, _) => spec.lo,
            (true, true) => spec.hi,
            // Only a range that is not empty has a last element.
            (true, false) => {
                let (hi, lo) = (Val::Scalar(spec.hi), Val::Scalar(spec.lo));
                let val = self.branch(
                    alive,
                    Span::call_site(),
                    &mut |this| match hi {
                        Val::Scalar(hi) => {
                            let one = this.s.b.int("1");
                            (Val::Scalar(this.op(Op::Sub, &[hi, one])), Flow::Falls)
                        }
                        _ => (Val::Never, Flow::Never),
                    },
                    &mut |_| (lo.clone(), Flow::Falls),
                );
                match val.0 {
                    Val::Scalar(v) => v,
                    _ => spec.lo,
                }
            }
        };
        let x = self.new_var("at", true, Val::Unset);
        let running = self.new_var("running", true, Val::Unset);
        self.s.vars[x].val = Val::Scalar(first);
        self.s.vars[running].val = Val::Scalar(alive);
        let (lo, hi, inclusive, rev, step) = (spec.lo, spec.hi, spec.inclusive, spec.rev, spec.step);
        let mut round = |this: &mut Self| {
            let Val::Scalar(now) = this.s.vars[x].val else { return Flow::Falls };
            let flow = this.round(e, head, now, context);
            // The next element, if there is one: no step over the end of the integers.
            let left = if rev { this.op(Op::Sub, &[now, lo]) } else { this.op(Op::Sub, &[hi, now]) };
            let by = match step {
                Some(step) => this.s.b.op_typed(Op::Cast("_".into()), &[step], Type::Int),
                None => one,
            };
            let more = if rev || inclusive { Cmp::Ge } else { Cmp::Gt };
            let alive = this.op(Op::Cmp(more), &[left, by]);
            let (next, _) = this.branch(
                alive,
                Span::call_site(),
                &mut |this| {
                    let v = this.op(if rev { Op::Sub } else { Op::Add }, &[now, by]);
                    (Val::Scalar(v), Flow::Falls)
                },
                &mut |_| (Val::Scalar(now), Flow::Falls),
            );
            this.s.vars[x].val = next;
            this.s.vars[running].val = Val::Scalar(alive);
            flow
        };
        let mut test = |this: &mut Self| match this.s.vars[running].val {
            Val::Scalar(v) => v,
            _ => this.s.b.boolean(false),
        };
        self.emit_while(&mut test, &mut round, context)
    }

    pub(super) fn while_expr(&mut self, e: &syn::ExprWhile) -> (Val, Flow) {
        let tail = std::mem::replace(&mut self.tail, false);
        let context = self.context(e.label.as_ref());
        self.loops.push(context.clone());
        let flow = self.emit_while(
            &mut |this| this.condition(&e.cond),
            &mut |this| this.plain_round(&e.body, &context),
            &context,
        );
        self.loops.pop();
        self.tail = tail;
        (Val::Tuple(Vec::new()), flow)
    }

    pub(super) fn loop_expr(&mut self, e: &syn::ExprLoop) -> (Val, Flow) {
        let tail = std::mem::replace(&mut self.tail, false);
        let context = self.context(e.label.as_ref());
        self.loops.push(context.clone());
        let flow = self.emit_while(
            &mut |this| this.s.b.boolean(true),
            &mut |this| this.plain_round(&e.body, &context),
            &context,
        );
        self.loops.pop();
        self.tail = tail;
        let val = match self.s.vars[context.value].val.clone() {
            Val::Unset => Val::Tuple(Vec::new()),
            val => val,
        };
        (val, flow)
    }

    fn plain_round(&mut self, body: &syn::Block, context: &LoopContext) -> Flow {
        let skipped = self.start_round(context);
        let (_, flow) = self.block(body);
        self.s.vars[context.skipped].val = skipped;
        flow
    }

    fn emit_while(
        &mut self,
        test: &mut dyn FnMut(&mut Self) -> Value,
        round: &mut dyn FnMut(&mut Self) -> Flow,
        context: &LoopContext,
    ) -> Flow {
        let carried = self.carried(round);
        let inits = self.inits(&carried);
        let before: Vec<Val> = self.s.vars.iter().map(|v| v.val.clone()).collect();
        self.open_round(&carried);
        let flags = self.end_flags(context);
        let ended = self.any(&flags);
        let goes_on = if matches!(self.s.b.constant(ended), Some(Op::Bool(false))) {
            test(self)
        } else {
            // The condition itself is asked only if no flag is set.
            let not = self.op(Op::Not, &[ended]);
            let (val, _) = self.branch(
                not,
                Span::call_site(),
                &mut |this| (Val::Scalar(test(this)), Flow::Falls),
                &mut |this| (Val::Scalar(this.s.b.boolean(false)), Flow::Falls),
            );
            match val {
                Val::Scalar(v) => v,
                _ => self.s.b.boolean(false),
            }
        };
        let cond_block = self.s.b.close(vec![goes_on]);
        for (var, old) in self.s.vars.iter_mut().zip(&before) {
            var.val = old.clone();
        }
        self.open_round(&carried);
        round(self);
        let yields = self.current(&carried);
        let body = self.s.b.close(yields);
        // What a round left in variables that it set anew is not seen outside.
        for (var, old) in self.s.vars.iter_mut().zip(&before) {
            var.val = old.clone();
        }
        let flow = self.flow_after(&carried, context);
        self.after(&carried, InstKind::While { inits, cond_block, body });
        flow
    }

    // ---------------------------------------------------------------------------------------- what a `for` runs over

    fn head(&mut self, e: &syn::Expr) -> Option<Head> {
        const INSTEAD: &str = "loop over a range (`a..b`, `a..=b`, `.rev()`, `.step_by(k)`) or over `x.iter()`, `x.iter().enumerate()`, `x.iter_mut()`, `&x` of an array or slice";
        match e {
            syn::Expr::Paren(p) => self.head(&p.expr),
            syn::Expr::Group(p) => self.head(&p.expr),
            syn::Expr::Range(r) => {
                let (Some(start), Some(end)) = (&r.start, &r.end) else {
                    self.error(e.span(), "a loop needs both ends of its range", INSTEAD);
                    return None;
                };
                let lo = self.expr(start).0;
                let lo = self.scalar(lo, start.span())?;
                let hi = self.expr(end).0;
                let hi = self.scalar(hi, end.span())?;
                let inclusive = matches!(r.limits, syn::RangeLimits::Closed(_));
                Some(Head::Range { lo, hi, inclusive, rev: false, step: None, flipped: false })
            }
            syn::Expr::MethodCall(call) => {
                let name = call.method.to_string();
                match name.as_str() {
                    "rev" => match self.head(&call.receiver)? {
                        Head::Range { lo, hi, inclusive, rev, step: None, flipped } => {
                            Some(Head::Range { lo, hi, inclusive, rev: !rev, step: None, flipped })
                        }
                        Head::Range { lo, hi, inclusive, rev, step, flipped } => {
                            Some(Head::Range { lo, hi, inclusive, rev, step, flipped: !flipped })
                        }
                        Head::Elements { view, enumerate, rev, mutable } => {
                            Some(Head::Elements { view, enumerate, rev: !rev, mutable })
                        }
                    },
                    "step_by" if call.args.len() == 1 => {
                        if let Head::Range { lo, hi, inclusive, rev, step: None, flipped } =
                            self.head(&call.receiver)?
                        {
                            let step = self.expr(&call.args[0]).0;
                            let step = self.scalar(step, call.args[0].span())?;
                            Some(Head::Range { lo, hi, inclusive, rev, step: Some(step), flipped })
                        } else {
                            self.error(e.span(), "this step is not supported", INSTEAD);
                            None
                        }
                    }
                    "enumerate" => {
                        if let Head::Elements { view, enumerate: false, rev: false, mutable } =
                            self.head(&call.receiver)?
                        {
                            Some(Head::Elements { view, enumerate: true, rev: false, mutable })
                        } else {
                            self.error(e.span(), "`enumerate` is supported right behind `iter()`", INSTEAD);
                            None
                        }
                    }
                    "copied" | "cloned" => self.head(&call.receiver),
                    "iter" | "into_iter" | "iter_mut" => {
                        let (val, _) = self.expr(&call.receiver);
                        self.elements(val, name == "iter_mut", e, INSTEAD)
                    }
                    _ => {
                        self.error(
                            e.span(),
                            format!("`{name}` is not supported in the head of a loop"),
                            INSTEAD,
                        );
                        None
                    }
                }
            }
            other => {
                let mutable = matches!(other, syn::Expr::Reference(r) if r.mutability.is_some());
                let (val, _) = self.expr(other);
                self.elements(val, mutable, e, INSTEAD)
            }
        }
    }

    fn elements(&mut self, val: Val, mutable: bool, e: &syn::Expr, instead: &str) -> Option<Head> {
        match val {
            Val::View(view) => Some(Head::Elements { view, enumerate: false, rev: false, mutable }),
            Val::Never => None,
            _ => {
                self.error(e.span(), "the macro cannot run backwards over this", instead);
                None
            }
        }
    }
}

/// What a loop carries.
#[derive(Clone, Default, PartialEq)]
struct Carried {
    slots: Vec<Slot>,
    leaves: bool,
}

/// One carried scalar: a variable or a part of one.
#[derive(Clone, PartialEq)]
struct Slot {
    var: VarId,
    path: Vec<usize>,
    ty: Type,
    tainted: bool,
}

/// The part of a value at a path of tuple indices.
fn part<'v>(val: &'v mut Val, path: &[usize]) -> &'v mut Val {
    let mut at = val;
    for i in path {
        match at {
            Val::Tuple(list) => at = &mut list[*i],
            _ => unreachable!("a path leads through tuples"),
        }
    }
    at
}

/// A pattern and its guard.
fn guarded(pat: &syn::Pat) -> (&syn::Pat, Option<&syn::Expr>) {
    match pat {
        syn::Pat::Guard(g) => (&g.pat, Some(&g.guard)),
        other => (other, None),
    }
}

fn holds_view(val: &Val) -> bool {
    match val {
        Val::View(_) => true,
        Val::Tuple(list) => list.iter().any(holds_view),
        _ => false,
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
