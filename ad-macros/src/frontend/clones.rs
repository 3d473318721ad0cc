//! `clone`: copies, but for types that say themselves what a clone of them is.

use proc_macro2::Span;

use super::iterators::Iter;
use super::lower::Lower;
use super::value::Val;

/// An `impl Clone`.
enum Own {
    /// The macro has its code.
    Seen,
    Unseen,
}

impl Lower<'_> {
    /// `val.clone()`
    pub(super) fn cloned(&mut self, val: &Val, span: Span) -> Val {
        match val {
            Val::Struct(..) => {
                if let Some(member) = self.method_of(val, "clone", span) {
                    return self.inline(&member, vec![val.clone()]);
                }
                if self.refuse_own_clone(val, false, span) {
                    return Val::Never;
                }
                self.cloned_parts(val, span)
            }
            Val::Tuple(_) => self.cloned_parts(val, span),
            other if self.refuse_own_clone(other, true, span) => Val::Never,
            other => self.duplicate(other.clone(), "copy"),
        }
    }

    fn cloned_parts(&mut self, val: &Val, span: Span) -> Val {
        let list = val.parts().unwrap_or_default().to_vec();
        val.with_parts(list.iter().map(|part| self.cloned(part, span)).collect())
    }

    /// Refuses copies of values whose own `clone` says something else: `deeply`, wherever they are in a value.
    pub(super) fn refuse_own_clone(&mut self, val: &Val, deeply: bool, span: Span) -> bool {
        if let Val::Columns(rows) = val {
            return self.refuse_own_clone(rows, deeply, span);
        }
        if let Val::Struct(fields, _) = val
            && let Some(name) = fields.path.segments.last().map(|s| s.ident.to_string())
        {
            let own = self.own_clone(&name);
            if let Some(Own::Seen) = own {
                self.error(
                    span,
                    format!("`{name}` says itself how it is cloned, which the macro follows only where a single value is"),
                    "clone the values one by one: `.map(|v| v.clone())`, or a loop",
                );
                return true;
            }
            if let Some(Own::Unseen) = own {
                self.error(
                    span,
                    format!("the macro does not see how a `{name}` is cloned: there is an `impl Clone` for it"),
                    "derive `Clone`, or put `#[differentiable]` on the `impl` block, above this function and in its module",
                );
                return true;
            }
        }
        let parts = if deeply { val.parts().unwrap_or_default().to_vec() } else { Vec::new() };
        parts.iter().any(|part| self.refuse_own_clone(part, true, span))
    }

    /// Whether items are of a type that says itself how it is cloned, or have such in them.
    pub(super) fn clones_are_own(&self, it: &Iter) -> bool {
        match it {
            Iter::Columns { parts, .. } => self.has_own_clone(parts),
            Iter::Once(val) | Iter::Repeat(val) => self.has_own_clone(val),
            Iter::Filter(a, _) => self.clones_are_own(a),
            Iter::Zip(a, b) | Iter::Chain(a, b) => self.clones_are_own(a) || self.clones_are_own(b),
            other => other.adapted().is_some_and(|a| self.clones_are_own(a)),
        }
    }

    fn has_own_clone(&self, val: &Val) -> bool {
        let itself = match val {
            Val::Struct(fields, _) => {
                fields.path.segments.last().is_some_and(|s| self.own_clone(&s.ident.to_string()).is_some())
            }
            Val::Columns(rows) => return self.has_own_clone(rows),
            _ => false,
        };
        itself || val.parts().is_some_and(|list| list.iter().any(|part| self.has_own_clone(part)))
    }

    /// What is known of the `impl Clone` of a type, if it has one.
    fn own_clone(&self, name: &str) -> Option<Own> {
        let key = format!("{name}::clone");
        if crate::functions::find(&key).is_some() || self.written.contains_key(&key) {
            return Some(Own::Seen);
        }
        crate::file::says_how_to_clone(name, self.sig.ident.span()).then_some(Own::Unseen)
    }
}
