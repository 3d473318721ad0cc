//! Loops. One that nothing leaves early becomes a `for` over its range. Any other becomes a `while` whose condition asks
//! the exit flags; what follows a possible exit runs only if no flag is set.

use proc_macro2::Span;
use syn::spanned::Spanned;

use super::heads::{Head, RangeSpec};
use super::lower::{Flow, LoopContext, Lower, State, Val, VarId, View};
use crate::ir::{Cmp, ForLoop, InstKind, Op, Type, Value};

impl Lower<'_> {
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

    pub(super) fn context(&mut self, label: Option<&syn::Label>) -> LoopContext {
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
