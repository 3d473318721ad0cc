//! `clone`: copies, but for types that say themselves what a clone of them is.

use proc_macro2::Span;

use super::lower::Lower;
use super::value::Val;

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
            let is_known = crate::functions::find(&format!("{name}::clone")).is_some()
                || self.written.contains_key(&format!("{name}::clone"));
            if is_known {
                self.error(
                    span,
                    format!("`{name}` says itself how it is cloned, which the macro follows only where a single value is"),
                    "clone the values one by one: `.map(|v| v.clone())`, or a loop",
                );
                return true;
            }
            if crate::file::says_how_to_clone(&name, self.sig.ident.span()) {
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
}
