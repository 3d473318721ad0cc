//! Loops. One that nothing leaves early becomes a `for` over its range. Any other becomes a `while` whose condition asks
//! the exit flags; what follows a possible exit runs only if no flag is set.

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;

use super::homes::Home;
use super::lower::{Flow, LoopContext, Lower, State, VarId};
use super::value::{Val, View};
use crate::ir::{Cmp, ForLoop, InstKind, Op, Type, Value};

/// A range in the making: bounds and what is done to it.
#[derive(Clone)]
pub(super) struct RangeSpec {
    pub(super) lo: Value,
    pub(super) hi: Value,
    pub(super) inclusive: bool,
    pub(super) rev: bool,
    pub(super) step: Option<Value>,
    pub(super) flipped: bool,
}

impl RangeSpec {
    pub(super) fn new(lo: Value, hi: Value, inclusive: bool) -> RangeSpec {
        RangeSpec { lo, hi, inclusive, rev: false, step: None, flipped: false }
    }
}

impl Lower<'_> {
    /// Runs `f` on a copy of the state and takes everything back but what it learnt.
    pub(super) fn trial<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let state: State = self.s.clone();
        let (items, scopes) = (self.items.clone(), self.scopes.clone());
        self.trials += 1;
        let result = f(self);
        self.trials -= 1;
        self.s = state;
        self.items = items;
        self.scopes = scopes;
        result
    }

    /// Whether what is lowered now is only tried: it may look at states that no round of a loop is in.
    pub(super) fn tries(&self) -> bool {
        self.trials > 0
    }

    /// The variables that a round changes, with the types and taints they need; and whether it can leave early.
    fn carried(&mut self, round: &mut dyn FnMut(&mut Self) -> Flow) -> Carried {
        let n = self.s.vars.len();
        let mut carried = Carried::default();
        loop {
            for (var, path, shape) in std::mem::take(&mut carried.shapes) {
                *part(&mut self.s.vars[var].val, &path) = shape;
            }
            for (var, path, like, types) in std::mem::take(&mut carried.opened) {
                let old = part(&mut self.s.vars[var].val, &path).clone();
                *part(&mut self.s.vars[var].val, &path) = self.like(old, &like, &types);
            }
            // An array that leaves the loop as a result is copied out of the round.
            for home in std::mem::take(&mut carried.homes) {
                self.make_home(home);
            }
            // A view that shrinks or moves needs numbers to be carried.
            for (var, path) in std::mem::take(&mut carried.ranged) {
                let Val::View(view) = part(&mut self.s.vars[var].val, &path).clone() else { continue };
                let (start, len) = (self.s.b.int("0"), self.len(&view));
                *part(&mut self.s.vars[var].val, &path) =
                    Val::View(View { range: Some((start, len)), ..view });
            }
            for (var, path) in std::mem::take(&mut carried.changeable) {
                let Val::View(view) = part(&mut self.s.vars[var].val, &path).clone() else { continue };
                *part(&mut self.s.vars[var].val, &path) = Val::View(self.changeable(&view));
            }
            let mark = self.diagnostics.mark();
            let outside = self.s.b.func.buffers.len();
            let (next, buffers, elems) = self.trial(|this| {
                this.open_round(&carried);
                let before: Vec<Val> = this.s.vars[..n].iter().map(|v| v.val.clone()).collect();
                let flow = round(this);
                let mut next = carried.clone();
                next.leaves |= flow != Flow::Falls;
                for (var, old) in before.iter().enumerate() {
                    let new = this.s.vars[var].val.clone();
                    this.note(&mut next, var, &[], old, &new, outside);
                }
                this.s.b.close(Vec::new());
                let elems: Vec<Type> =
                    this.s.b.func.buffers[..outside].iter().map(|b| b.elem.clone()).collect();
                (next, this.s.tainted_buffers.clone(), elems)
            });
            let mut buffers_known = true;
            for (data, elem) in self.s.b.func.buffers.iter_mut().zip(elems) {
                if data.elem == Type::Opaque && elem.is_float() {
                    data.elem = elem;
                    buffers_known = false;
                }
            }
            // Buffers made in the round are gone with the trial.
            let found: Vec<_> = buffers.into_iter().filter(|b| (b.0 as usize) < outside).collect();
            buffers_known &= found.iter().all(|b| self.s.tainted_buffers.contains(b));
            self.s.tainted_buffers.extend(found);
            if next == carried && buffers_known {
                return carried;
            }
            // What is wrong is told by the last trial, which knows what the others have found.
            self.diagnostics.back_to(mark);
            carried = next;
        }
    }

    /// Compares what a variable was with what it is, part by part.
    fn note(
        &mut self,
        carried: &mut Carried,
        var: VarId,
        path: &[usize],
        old: &Val,
        new: &Val,
        outside: usize,
    ) {
        match (old, new) {
            (old, new) if old == new => {}
            (a, b) if a.is_like(b) => {
                if matches!(a, Val::Maybe(_)) && !self.is_result(var) {
                    self.arrays_in_options(&mut carried.homes, var, path, (a, b), outside);
                }
                let (a, b) = (a.parts().unwrap_or_default(), b.parts().unwrap_or_default());
                for (i, (a, b)) in a.iter().zip(b).enumerate() {
                    self.note(carried, var, &[path, &[i]].concat(), a, b, outside);
                }
            }
            (Val::Unset, b) if b.parts().is_some() => {
                carried.shapes.push((var, path.to_vec(), b.emptied()));
            }
            // A tuple or struct of other code: taken apart in front of the loop.
            (old, b) if self.can_be_like(old, b) => {
                carried.opened.push((var, path.to_vec(), b.clone(), self.types_in(b)));
            }
            (Val::View(a), Val::View(b)) if a.by_ref && self.is_window_of(b, a) => {
                carried.changeable.push((var, path.to_vec()));
            }
            // The same buffer, another part of it: its indices are carried.
            (Val::View(a), Val::View(b)) if a.buffer == b.buffer && a.prefix.len() == b.prefix.len() => {
                if a.range.is_none() != b.range.is_none() {
                    carried.ranged.push((var, path.to_vec()));
                    return;
                }
                let (a, b) = (a.scalars(), b.scalars());
                for (i, (a, b)) in a.iter().zip(&b).enumerate() {
                    let (a, b) = (Val::Scalar(*a), Val::Scalar(*b));
                    self.note(carried, var, &[path, &[i]].concat(), &a, &b, outside);
                }
            }
            (Val::Scalar(_) | Val::Unset, Val::Scalar(v)) => {
                if self.s.built.contains(v) {
                    let name = self.s.vars[var].name.clone();
                    self.refuse_building(&name, self.here);
                }
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
                        // The first round sees what was there before.
                        let tainted = self.val_tainted(old);
                        carried.slots.push(Slot { var, path: path.to_vec(), ty: first, tainted });
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
            (Val::Unset, Val::View(view)) if self.is_result(var) => {
                carried.homes.extend(self.home(var, path, view, outside));
            }
            (Val::Unset, Val::Iter(_) | Val::Closure(_) | Val::RefMut(..) | Val::Order(..))
                if self.is_result(var) =>
            {
                self.error(
                    self.here,
                    "this cannot leave a loop",
                    "leave it with numbers, arrays or vectors, or tuples, structs and options of these",
                );
            }
            // A view that a round moves: only one that is set anew before it is used can be lowered.
            (Val::Unset, Val::View(_)) => {}
            (_, Val::View(_)) => {
                self.want_before(var, path, old, new);
                let span = self.here;
                let name = self.s.vars[var].name.clone();
                self.error(
                    span,
                    format!("the slice or array that `{name}` stands for changes from round to round"),
                    "keep an index instead, or copy the elements",
                );
            }
            (Val::Iter(_), Val::Spent) => {
                let name = self.s.vars[var].name.clone();
                self.error(
                    self.here,
                    format!("each round runs `{name}`, which is made in front of the loop: what is left of it shows only in a run"),
                    "make the iterator in the round, or run over it by `for` once",
                );
            }
            (_, Val::Unset) | (Val::Unset | Val::Never, _) => {}
            _ => {
                self.want_before(var, path, old, new);
                let name = self.s.vars[var].name.clone();
                self.error(
                    self.here,
                    format!("what `{name}` stands for changes from round to round"),
                    "run over an iterator by `for`, or keep numbers and arrays in the variable",
                );
            }
        }
    }

    /// What a variable was in front of the loop is to be made like what a round leaves in it.
    fn want_before(&mut self, var: VarId, path: &[usize], old: &Val, new: &Val) {
        let now = std::mem::replace(part(&mut self.s.vars[var].val, path), old.clone());
        self.want_like(var, path, new);
        *part(&mut self.s.vars[var].val, path) = now;
    }

    /// Opens a round: the carried variables become arguments.
    fn open_round(&mut self, carried: &Carried) -> Vec<Value> {
        let mut args = Vec::new();
        for slot in &carried.slots {
            let name = self.s.vars[slot.var].name.clone();
            let arg = self.s.b.func.new_value(slot.ty.clone(), Some(name));
            self.taint_from(arg, slot.tainted);
            if slot.ty == Type::Opaque
                && let Val::Scalar(old) = get_part(&mut self.s.vars[slot.var].val, &slot.path)
            {
                self.s.stands_for(arg, old);
            }
            set_part(&mut self.s.vars[slot.var].val, &slot.path, arg);
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
            let v = match get_part(&mut val, &slot.path) {
                Val::Scalar(v) => v,
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
            set_part(&mut self.s.vars[slot.var].val, &slot.path, r);
        }
    }

    pub(super) fn for_expr(&mut self, e: &syn::ExprForLoop) -> (Val, Flow) {
        let tail = std::mem::replace(&mut self.tail, false);
        let here = std::mem::replace(&mut self.here, e.for_token.span);
        let flow = match self.iterator_over(&e.expr, super::iterators::mentions(&e.body, &e.expr)) {
            Some(it) => {
                let before = self.exit_flags();
                let context = self.context(e.label.as_ref(), false);
                self.loops.push(context.clone());
                self.drive(&it, &mut |this, item| this.round(e, item, &context));
                self.loops.pop();
                self.flow_since(&before)
            }
            None => Flow::Falls,
        };
        self.tail = tail;
        self.here = here;
        (Val::unit(), flow)
    }

    /// The flags that leave what is around the code that is lowered, as they are.
    pub(super) fn exit_flags(&self) -> Vec<(VarId, Val)> {
        let mut flags = vec![self.returned];
        flags.extend(self.loops.iter().flat_map(|l| [l.broken, l.skipped]));
        flags.into_iter().map(|f| (f, self.s.vars[f].val.clone())).collect()
    }

    /// How control goes on, if these flags were as they are given before.
    pub(super) fn flow_since(&self, before: &[(VarId, Val)]) -> Flow {
        if before.iter().all(|(f, val)| self.s.vars[*f].val == *val) { Flow::Falls } else { Flow::Maybe }
    }

    pub(super) fn context(&mut self, label: Option<&syn::Label>, internal: bool) -> LoopContext {
        let context = LoopContext {
            internal,
            label: label.map(|l| l.name.ident.to_string()),
            broken: self.bool_var("broken"),
            skipped: self.bool_var("skipped"),
            value: 0,
        };
        let value = self.new_var("value", true, Val::Unset);
        LoopContext { value, ..context }
    }

    /// Runs `body` for each number of a range.
    pub(super) fn range_loop(
        &mut self,
        spec: &RangeSpec,
        body: &mut dyn FnMut(&mut Self, Value) -> Flow,
    ) -> Flow {
        let int = self.int_type(spec.lo).or_else(|| self.int_type(spec.hi));
        let mut round = |this: &mut Self| {
            let i = this.s.b.func.new_value(Type::Int, None);
            if let Some(int) = &int {
                this.s.ints.insert(i, int.clone());
            }
            this.s.b.current().args.insert(0, i);
            body(this, i)
        };
        self.rounds += 1;
        let carried = self.carried(&mut round);
        if carried.slots.iter().any(|s| self.is_exit_flag(s.var)) {
            self.rounds -= 1;
            return self.counted_while(spec, body);
        }
        let inits = self.inits(&carried);
        let before: Vec<Val> = self.s.vars.iter().map(|v| v.val.clone()).collect();
        self.open_round(&carried);
        round(self);
        let yields = self.current(&carried);
        let body = self.s.b.close(yields);
        for (var, old) in self.s.vars.iter_mut().zip(&before) {
            var.val = old.clone();
        }
        let RangeSpec { lo, hi, inclusive, rev, step, flipped } = spec.clone();
        let l = ForLoop { lo, hi, inclusive, rev, step, flipped, inits, body };
        self.rounds -= 1;
        self.after(&carried, InstKind::For(l));
        Flow::Falls
    }

    /// A loop that only an exit ends.
    pub(super) fn endless_loop(&mut self, body: &mut dyn FnMut(&mut Self) -> Flow) -> Flow {
        self.emit_while(&mut |this| this.s.b.boolean(true), body)
    }

    /// Whether a variable is a flag that ends the loop: one of what is around its body.
    fn is_exit_flag(&self, var: VarId) -> bool {
        var == self.returned || self.loops.iter().any(|l| l.broken == var || l.skipped == var)
    }

    /// Flags that end the loop.
    fn end_flags(&self) -> Vec<VarId> {
        let mut flags = vec![self.returned];
        flags.extend(self.loops.iter().flat_map(|l| [l.broken, l.skipped]));
        flags
    }

    /// How code goes on after a loop: conditionally, if an exit may be set.
    fn flow_after(&self, carried: &Carried) -> Flow {
        if carried.slots.iter().any(|s| self.is_exit_flag(s.var)) { Flow::Maybe } else { Flow::Falls }
    }

    /// Values from which the carried variables start.
    fn inits(&mut self, carried: &Carried) -> Vec<Value> {
        self.current(carried)
    }

    /// One round of a `for`: binds the pattern, runs the body.
    fn round(&mut self, e: &syn::ExprForLoop, item: Val, context: &LoopContext) -> Flow {
        let skipped = self.start_round(context);
        self.scopes.push(rustc_hash::FxHashMap::default());
        self.bind_pattern(&e.pat, item, false);
        let (_, flow) = self.block(&super::stmt::round_of(&e.body));
        self.scopes.pop();
        self.s.vars[context.skipped].val = skipped;
        flow
    }

    /// Clears the flag of `continue`, which lives as long as a round; returns what to set it to at the end.
    fn start_round(&mut self, context: &LoopContext) -> Val {
        let no = self.s.b.boolean(false);
        std::mem::replace(&mut self.s.vars[context.skipped].val, Val::Scalar(no))
    }

    /// A `for` that something leaves early: a counter `x` that is `alive` as long as it is in the range.
    fn counted_while(&mut self, spec: &RangeSpec, body: &mut dyn FnMut(&mut Self, Value) -> Flow) -> Flow {
        if spec.step.is_some() && (spec.rev || spec.flipped) {
            self.error(
                self.here,
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
            let flow = body(this, now);
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
        self.emit_while(&mut test, &mut round)
    }

    pub(super) fn while_expr(&mut self, e: &syn::ExprWhile) -> (Val, Flow) {
        self.here = e.while_token.span;
        if let syn::Expr::Let(l) = &*e.cond
            && let Some(all) = self.until_it_ends(e, l)
        {
            return all;
        }
        if super::control::has_let(&e.cond) || self.changes_something(&e.cond) {
            let body = &e.body;
            // `while c { .. }` is `loop { if c { .. } else { break } }`: what the condition binds or changes, it does in a round.
            return self.any_loop(
                e.label.as_ref(),
                &mut |this, context| {
                    let skipped = this.start_round(context);
                    let broken = context.broken;
                    let (_, flow) = this.if_chain(
                        &e.cond,
                        e.while_token.span,
                        &mut |this| this.block(&super::stmt::round_of(body)),
                        &mut |this| {
                            let yes = this.s.b.boolean(true);
                            this.set(broken, Val::Scalar(yes));
                            (Val::Never, Flow::Never)
                        },
                    );
                    this.s.vars[context.skipped].val = skipped;
                    flow
                },
                None,
            );
        }
        let mut test = |this: &mut Self| this.condition(&e.cond);
        self.any_loop(
            e.label.as_ref(),
            &mut |this, context| this.plain_round(&e.body, context),
            Some(&mut test),
        )
    }

    /// Whether evaluating a condition changes variables, or what they hold: `while { k += 1; k < n } { .. }`.
    fn changes_something(&mut self, cond: &syn::Expr) -> bool {
        let mark = self.diagnostics.mark();
        let changes = self.trial(|this| {
            let before: Vec<Val> = this.s.vars.iter().map(|v| v.val.clone()).collect();
            let outside = this.s.b.func.buffers.len();
            this.s.b.open(Vec::new());
            this.condition(cond);
            let block = this.s.b.close(Vec::new());
            block.writes().iter().any(|b| (b.0 as usize) < outside)
                || this.s.vars.iter().zip(&before).any(|(var, old)| var.val != *old)
        });
        // Errors come again where it is lowered.
        self.diagnostics.back_to(mark);
        changes
    }

    /// `while let Some(p) = it.next() { .. }`, with no other look at `it`, is `for p in it { .. }`. What is left of `it` after a
    /// `break` is not followed.
    fn until_it_ends(&mut self, e: &syn::ExprWhile, l: &syn::ExprLet) -> Option<(Val, Flow)> {
        let (syn::Pat::TupleStruct(some), syn::Expr::MethodCall(next)) = (&*l.pat, &*l.expr) else {
            return None;
        };
        let (true, true, Some(pat)) =
            (some.path.is_ident("Some"), next.method == "next" && next.args.is_empty(), some.elems.first())
        else {
            return None;
        };
        let syn::Expr::Path(p) = &*next.receiver else { return None };
        let name = p.path.get_ident()?.to_string();
        let var = self.lookup(&name)?;
        if !matches!(self.s.vars[var].val, Val::Iter(_)) {
            return None;
        }
        if super::written::mentions(&e.body.to_token_stream(), &name) {
            self.error(
                next.span(),
                format!(
                    "`{name}` is advanced in the loop too: how many rounds there are shows only in a run"
                ),
                "run over `chunks_exact(2)`, `windows(2)` or two chains zipped, or count an index yourself",
            );
            return Some((Val::Never, Flow::Falls));
        }
        let (label, receiver, body) = (&e.label, &next.receiver, &e.body);
        let all: syn::ExprForLoop = syn::parse2(quote::quote!(#label for #pat in #receiver #body)).ok()?;
        let all = self.for_expr(&all);
        self.s.vars[var].val = Val::Spent;
        Some(all)
    }

    pub(super) fn loop_expr(&mut self, e: &syn::ExprLoop) -> (Val, Flow) {
        self.here = e.loop_token.span;
        let mut broken = None;
        let (val, flow) = self.any_loop(
            e.label.as_ref(),
            &mut |this, context| {
                broken = Some(context.broken);
                this.plain_round(&e.body, context)
            },
            None,
        );
        // Without `break`, nothing follows it.
        match broken.map(|var| self.s.vars[var].val.clone()) {
            Some(Val::Scalar(b)) if matches!(self.s.b.constant(b), Some(Op::Bool(false))) => {
                (Val::Never, Flow::Never)
            }
            _ => (val, flow),
        }
    }

    fn any_loop(
        &mut self,
        label: Option<&syn::Label>,
        round: &mut dyn FnMut(&mut Self, &LoopContext) -> Flow,
        test: Option<&mut dyn FnMut(&mut Self) -> Value>,
    ) -> (Val, Flow) {
        let tail = std::mem::replace(&mut self.tail, false);
        let before = self.exit_flags();
        let context = self.context(label, false);
        self.loops.push(context.clone());
        let mut always = |this: &mut Self| this.s.b.boolean(true);
        self.emit_while(test.unwrap_or(&mut always), &mut |this| round(this, &context));
        self.loops.pop();
        self.tail = tail;
        let val = match self.s.vars[context.value].val.clone() {
            Val::Unset => Val::unit(),
            val => val,
        };
        (val, self.flow_since(&before))
    }

    /// `'name: { .. break 'name value; .. }`
    pub(super) fn labelled_block(&mut self, label: &syn::Label, block: &syn::Block) -> (Val, Flow) {
        let tail = std::mem::replace(&mut self.tail, false);
        let before = self.exit_flags();
        let context = self.context(Some(label), true);
        self.loops.push(context.clone());
        let (val, flow) = self.block(block);
        self.loops.pop();
        self.tail = tail;
        let left = self.s.vars[context.value].val.clone();
        let Val::Scalar(broken) = self.s.vars[context.broken].val else { return (val, flow) };
        let val = match (left, flow) {
            (Val::Unset, _) => val,
            (left, Flow::Falls) if matches!(self.s.b.constant(broken), Some(Op::Bool(false))) => {
                let _ = left;
                val
            }
            (left, Flow::Never) => left,
            (left, _) if val == Val::Never => left,
            (left, _) => self.choose(broken, left, val),
        };
        let never = flow == Flow::Never && matches!(val, Val::Never | Val::Unset);
        (val, if never { Flow::Never } else { self.flow_since(&before) })
    }

    fn plain_round(&mut self, body: &syn::Block, context: &LoopContext) -> Flow {
        let skipped = self.start_round(context);
        let (_, flow) = self.block(&super::stmt::round_of(body));
        self.s.vars[context.skipped].val = skipped;
        flow
    }

    fn emit_while(
        &mut self,
        test: &mut dyn FnMut(&mut Self) -> Value,
        round: &mut dyn FnMut(&mut Self) -> Flow,
    ) -> Flow {
        self.rounds += 1;
        let carried = self.carried(round);
        let inits = self.inits(&carried);
        let before: Vec<Val> = self.s.vars.iter().map(|v| v.val.clone()).collect();
        self.open_round(&carried);
        let flags = self.end_flags();
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
        self.rounds -= 1;
        let flow = self.flow_after(&carried);
        self.after(&carried, InstKind::While { inits, cond_block, body });
        flow
    }
}

/// What a loop carries.
#[derive(Clone, Default, PartialEq)]
struct Carried {
    slots: Vec<Slot>,
    leaves: bool,
    /// Views that must be given as a range before the loop.
    ranged: Vec<(VarId, Vec<usize>)>,
    /// Arrays and slices that must be views by which they are changed before the loop.
    changeable: Vec<(VarId, Vec<usize>)>,
    /// Tuples that are not set before the loop.
    shapes: Vec<(VarId, Vec<usize>, Val)>,
    /// Tuples and structs of other code that become ones made here.
    opened: Vec<(VarId, Vec<usize>, Val, Vec<(Value, Type)>)>,
    /// Arrays that `return` and `break` take out of the loop.
    homes: Vec<Home>,
}

/// One carried scalar: a variable or a part of one.
#[derive(Clone, PartialEq)]
struct Slot {
    var: VarId,
    path: Vec<usize>,
    ty: Type,
    tainted: bool,
}

/// The part of a value at a path of indices.
pub(super) fn part<'v>(val: &'v mut Val, path: &[usize]) -> &'v mut Val {
    let mut at = val;
    for i in path {
        match at.parts_mut() {
            Some(list) => at = &mut list[*i],
            None => unreachable!("a path leads through what has parts"),
        }
    }
    at
}

/// Sets the scalar at a path, which may end in one of the indices of a view.
fn set_part(val: &mut Val, path: &[usize], v: Value) {
    if let Some((last, before)) = path.split_last()
        && let Val::View(view) = part(val, before)
    {
        view.set_scalar(*last, v);
        return;
    }
    *part(val, path) = Val::Scalar(v);
}

/// The value at a path.
fn get_part(val: &mut Val, path: &[usize]) -> Val {
    if let Some((last, before)) = path.split_last()
        && let Val::View(view) = part(val, before)
    {
        return Val::Scalar(view.scalars()[*last]);
    }
    part(val, path).clone()
}
