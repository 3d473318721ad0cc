//! Closures in chains that change what is around them: they run for every item that Rust would run them for, also for those that
//! `skip`, `step_by` and their like leave out.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};

use super::super::lower::{Lower, VarId};
use super::super::value::{Closure, Val};
use super::{Callee, Iter};
use crate::ir::{InstKind, Storage, Verbatim};

impl Lower<'_> {
    /// Whether items can be taken by their numbers: none that is passed over would have changed anything.
    pub(super) fn numbered(&mut self, it: &Iter) -> bool {
        it.indexed() && !self.passes_over_effects(it)
    }

    fn passes_over_effects(&mut self, it: &Iter) -> bool {
        match it {
            Iter::Skip(a, _) | Iter::StepBy(a, _) => self.has_effects(a),
            Iter::Rev(a) => match &**a {
                // From behind, what `skip` leaves out is not asked for; what the others leave out may be.
                Iter::Skip(b, _) => self.passes_over_effects(b),
                Iter::Take(..) | Iter::Zip(..) | Iter::StepBy(..) => self.has_effects(a),
                _ => self.passes_over_effects(a),
            },
            Iter::Zip(a, b) => self.passes_over_effects(a) || self.passes_over_effects(b),
            Iter::Cycle(a) | Iter::Map(a, _) | Iter::Deref(a) | Iter::Enumerate(a) | Iter::Take(a, _) => {
                self.passes_over_effects(a)
            }
            _ => false,
        }
    }

    /// [`Lower::ends_first`] of all that is zipped in a chain.
    pub(super) fn zips_end_first(&mut self, it: &Iter) {
        match it {
            Iter::Zip(a, b) => {
                self.ends_first(a, b);
                self.zips_end_first(a);
                self.zips_end_first(b);
            }
            other => {
                if let Some(a) = other.adapted() {
                    self.zips_end_first(a);
                }
            }
        }
    }

    /// Of two iterators side by side the first may be asked for an item beyond the end of the second: whether it is, std leaves
    /// open. Where that changes something, it must not come to it.
    fn ends_first(&mut self, a: &Iter, b: &Iter) {
        if b.endless() || !self.has_effects(a) {
            return;
        }
        if a.endless() {
            return self.error(
                self.here,
                "whether a closure runs once more than the other iterator has items is not laid down, and this one changes something",
                "let the iterator that ends stand first, or write the loop",
            );
        }
        let (n, m) = (self.length(a), self.length(b));
        if self.same_length(n, m) {
            return;
        }
        let [x, y] = Self::holes();
        let check = quote!(::core::assert!(
            #x <= #y, "the closure of a longer iterator that is zipped in a differentiated function changes something"
        ));
        self.s.b.effect(InstKind::Effect(Verbatim::check(check, Vec::new()), vec![n, m]));
    }

    /// Whether making an item of what is indexed changes a variable or an array that was there before: tried.
    pub(in super::super) fn has_effects(&mut self, it: &Iter) -> bool {
        if !self.may_have_effects(it) {
            return false;
        }
        let before: Vec<_> = self.s.vars.iter().map(|v| v.val.clone()).collect();
        let buffers = self.s.b.func.buffers.len();
        let mark = self.diagnostics.mark();
        let changed = self.trial(|this| {
            this.s.b.open(Vec::new());
            let k = this.s.b.func.new_value(crate::ir::Type::Int, None);
            this.s.ints.insert(k, "usize".into());
            this.item(it, k);
            let block = this.s.b.close(Vec::new());
            let sets = |(var, old): (VarId, &_)| this.s.vars[var].val != *old;
            let mut effects = before.iter().enumerate().any(sets)
                || block.writes().iter().any(|buffer| (buffer.0 as usize) < buffers);
            block.visit(&mut |inst| {
                effects |= matches!(&inst.kind, InstKind::Effect(code, _) if !code.is_check());
            });
            effects
        });
        // What is wrong with the closure is said where it is used.
        self.diagnostics.back_to(mark);
        changed
    }

    /// Whether a closure that makes items names anything that can be changed: others need not be tried.
    fn may_have_effects(&self, it: &Iter) -> bool {
        match it {
            Iter::Map(a, f) => {
                let changes = match f {
                    Callee::Closure(c) => self.names_what_changes(c, c.body.to_token_stream()),
                    Callee::Path(_) => false,
                };
                changes || a.hands_out_places() || self.may_have_effects(a)
            }
            Iter::Zip(a, b) => self.may_have_effects(a) || self.may_have_effects(b),
            other => other.adapted().is_some_and(|a| self.may_have_effects(a)),
        }
    }

    fn names_what_changes(&self, c: &Closure, tokens: TokenStream) -> bool {
        let changes = |name: &str| {
            let var = c.scopes.iter().rev().find_map(|scope| scope.get(name));
            var.is_some_and(|var| {
                let var = &self.s.vars[*var];
                var.mutable || self.leads_elsewhere(&var.val)
            })
        };
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(name) => changes(&name.to_string()),
            // A macro may print.
            TokenTree::Punct(p) => p.as_char() == '!' && p.spacing() == proc_macro2::Spacing::Alone,
            TokenTree::Group(g) => self.names_what_changes(c, g.stream()),
            TokenTree::Literal(_) => false,
        })
    }

    /// Whether something else can be changed by a value: by a reference, or by a closure.
    fn leads_elsewhere(&self, val: &Val) -> bool {
        match val {
            Val::RefMut(..) | Val::Closure(_) | Val::Iter(_) => true,
            Val::View(view) => view.by_ref && self.s.b.func.buffer(view.buffer).storage != Storage::Shared,
            other => other.parts().is_some_and(|list| list.iter().any(|part| self.leads_elsewhere(part))),
        }
    }
}

impl Iter {
    /// Whether its items are places that can be set.
    fn hands_out_places(&self) -> bool {
        match self {
            Iter::Elements { mutable, .. } | Iter::Grid { mutable, .. } | Iter::Columns { mutable, .. } => {
                *mutable
            }
            Iter::Zip(a, b) => a.hands_out_places() || b.hands_out_places(),
            Iter::Deref(_) => false,
            other => other.adapted().is_some_and(Iter::hands_out_places),
        }
    }
}
