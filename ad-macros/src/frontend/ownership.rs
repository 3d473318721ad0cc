//! Who owns what: what a variable has by value is seen through no other, once one of them is changed.
//!
//! Values are shared while nobody changes them, and copied where that shows: at a binding that is `mut`, or of something that may be
//! changed by another name. What Rust moves is shared for good.

use super::lower::{Lower, VarId};
use super::value::{Val, View};
use crate::ir::{Buffer, Dim, Storage};

impl Lower<'_> {
    /// What a variable owns: an array that may be changed through one name must not be seen through the other.
    pub(super) fn own(&mut self, val: Val, mutable: bool, name: &str) -> Val {
        match val {
            // It is shared as long as nobody changes it.
            Val::View(view) if !view.by_ref && view.lent => {
                if mutable || self.may_change(&view) {
                    return Val::View(self.copy_of(&view, name));
                }
                Val::View(view)
            }
            Val::View(view) if !view.by_ref => {
                // `*p` of a parameter is a copy, where one of the two is changed.
                let storage = self.s.b.func.buffer(view.buffer).storage;
                if storage == Storage::Output || storage == Storage::Shared && mutable {
                    return Val::View(self.copy_of(&view, name));
                }
                let holds = |v: &View| *v == view;
                let is_var = self.s.vars.iter().any(|var| var.val.any_view(&holds));
                let other_mutable = self.s.vars.iter().any(|var| var.mutable && var.val.any_view(&holds));
                // A vector that is bound anew is moved: nobody sees the old name again.
                let moves = self.moves(&view) && !(mutable && self.is_lent(view.buffer));
                if is_var && !moves && (mutable || other_mutable) || !view.prefix.is_empty() {
                    Val::View(self.copy_of(&view, name))
                } else {
                    // It takes the name of what now holds it.
                    if !is_var && name != "copy" {
                        self.s.b.func.buffers[view.buffer.0 as usize].name = name.into();
                    }
                    Val::View(view)
                }
            }
            Val::Columns(parts) => Val::Columns(Box::new(self.own(*parts, mutable, name))),
            Val::Maybe(_) | Val::Tuple(_) | Val::Struct(..) | Val::Ragged(_) => {
                let list = val.parts().unwrap_or_default().to_vec();
                val.with_parts(list.into_iter().map(|v| self.own(v, mutable, name)).collect())
            }
            other => other,
        }
    }

    /// A value none of whose arrays is a variable's: copies of those that are.
    pub(super) fn detached(&mut self, val: Val) -> Val {
        match val {
            Val::View(view) if !view.by_ref => {
                let mut vars = self.scopes.iter().flat_map(std::collections::HashMap::values);
                if vars.any(|var| self.reaches(&self.s.vars[*var].val, view.buffer)) {
                    self.duplicate(Val::View(view), "copy")
                } else {
                    Val::View(view)
                }
            }
            Val::Columns(inner) => Val::Columns(Box::new(self.detached(*inner))),
            val if val.parts().is_some() => {
                let list = val.parts().unwrap_or_default().to_vec();
                val.with_parts(list.into_iter().map(|v| self.detached(v)).collect())
            }
            other => other,
        }
    }

    /// `val.clone()`: copies of all arrays and vectors in it.
    pub(super) fn duplicate(&mut self, val: Val, name: &str) -> Val {
        match val {
            Val::View(view) => Val::View(self.copy_of(&View { by_ref: false, lent: false, ..view }, name)),
            Val::Columns(inner) => Val::Columns(Box::new(self.duplicate(*inner, name))),
            val if val.parts().is_some() => {
                let list = val.parts().unwrap_or_default().to_vec();
                val.with_parts(list.into_iter().map(|v| self.duplicate(v, name)).collect())
            }
            other => other,
        }
    }

    /// Whether a whole is a vector, which is moved, and not an array, which is copied.
    pub(super) fn moves(&self, view: &View) -> bool {
        matches!(self.s.b.func.buffer(view.buffer).dims.first(), Some(Dim::Dyn(_)))
            && !self.s.copied_in.contains(&view.buffer)
    }

    /// Arrays of structs and tuples are kept as vectors are; they are copied nevertheless.
    pub(super) fn copied_as_array(&mut self, rows: &Val) {
        match rows {
            Val::View(view) => {
                self.s.copied_in.insert(view.buffer);
            }
            Val::Columns(inner) => self.copied_as_array(inner),
            Val::Ragged(_) => {}
            other => {
                for part in other.parts().unwrap_or_default() {
                    self.copied_as_array(part);
                }
            }
        }
    }

    /// Whether a variable has a part of a buffer by value, and shares it.
    fn is_lent(&self, buffer: Buffer) -> bool {
        let lends = |v: &View| v.buffer == buffer && !v.by_ref && v.lent;
        self.s.vars.iter().any(|var| var.val.any_view(&lends))
    }

    /// Whether a buffer is a value's own, or can be changed through a reference in it: a function that is written out sees
    /// the variables of its caller by its arguments only.
    fn reaches(&self, val: &Val, buffer: Buffer) -> bool {
        match val {
            Val::View(v) => v.buffer == buffer,
            Val::RefMut(var, _) => self.reaches(&self.s.vars[*var].val, buffer),
            Val::Columns(inner) => self.reaches(inner, buffer),
            other => other.parts().is_some_and(|list| list.iter().any(|v| self.reaches(v, buffer))),
        }
    }

    /// Whether another variable owns the buffer of a view.
    pub(super) fn is_held(&self, view: &View, except: VarId) -> bool {
        let mut vars = self.scopes.iter().flat_map(std::collections::HashMap::values);
        vars.any(|var| *var != except && self.s.vars[*var].val.owns(view.buffer))
    }

    /// Whether a variable owns the buffer of a view.
    pub(super) fn is_held_somewhere(&self, view: &View) -> bool {
        self.s.vars.iter().any(|var| var.val.owns(view.buffer))
    }

    /// Whether what a view is of may be changed by another name: unless only variables that are not `mut` have it.
    pub(super) fn may_change(&self, view: &View) -> bool {
        if self.s.b.func.buffer(view.buffer).storage == Storage::Shared {
            return false;
        }
        let has = |v: &View| v.buffer == view.buffer;
        self.s.vars.iter().any(|var| var.mutable && var.val.any_view(&has)) || !self.is_held_somewhere(view)
    }
}

/// Whether no part of a value is behind a reference, or a part of something else.
pub(super) fn is_owned(val: &Val) -> bool {
    match val {
        Val::View(view) => !view.by_ref && view.prefix.is_empty(),
        other => other.parts().is_some_and(|list| list.iter().all(is_owned)),
    }
}
