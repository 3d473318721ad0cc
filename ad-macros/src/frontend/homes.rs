//! What leaves a loop by `return` or `break`: an array that a round makes is copied into one in front of the loop, which
//! is there when the loop has ended. And what an option holds from round to round: its arrays have places of their own in front
//! of the loop, and what a round puts into the option is copied there.

use proc_macro2::Span;

use super::loops::part;
use super::lower::{Lower, VarId};
use super::value::{Val, View};
use crate::ir::{BufferData, Dim, InstKind, Storage};

/// Where an array that leaves a loop is kept.
#[derive(Clone)]
pub(super) struct Home {
    var: VarId,
    path: Vec<usize>,
    like: View,
    /// The buffer to make, if it is not the one of `like`.
    data: Option<BufferData>,
    /// Whether it is a view by which something is changed.
    changes: bool,
}

impl PartialEq for Home {
    fn eq(&self, other: &Home) -> bool {
        (self.var, &self.path) == (other.var, &other.path)
    }
}

impl Lower<'_> {
    /// Whether a variable is what `return` or `break` give a value to.
    pub(super) fn is_result(&self, var: VarId) -> bool {
        var == self.return_value || self.loops.iter().any(|l| l.value == var)
    }

    /// Something in front of the loop for what a round leaves it with.
    pub(super) fn make_home(&mut self, home: Home) {
        let val = match home.data {
            Some(data) => {
                let fill = self.dummy_like(&data);
                let grows = data.grows;
                let mut data = data;
                let zero = self.s.b.int("0_usize");
                if grows {
                    data.dims[0] = Dim::Dyn(zero);
                }
                let buffer = self.s.b.func.new_buffer(data);
                self.s.b.effect(InstKind::Alloc { buffer, fill });
                self.s.homes.insert(buffer);
                View {
                    buffer,
                    prefix: Vec::new(),
                    range: grows.then_some((zero, zero)),
                    by_ref: false,
                    lent: false,
                }
            }
            // A part of something that is there already: which part is carried.
            None => {
                let like = if home.changes { self.changeable(&home.like) } else { home.like };
                let zero = self.s.b.int("0_usize");
                let View { prefix, range, .. } = &like;
                View { prefix: vec![zero; prefix.len()], range: range.map(|_| (zero, zero)), ..like }
            }
        };
        let old = part(&mut self.s.vars[home.var].val, &home.path).clone();
        *part(&mut self.s.vars[home.var].val, &home.path) = Val::View(val);
        if let Val::View(_) = old {
            self.set_result(home.var, &home.path, old, Span::call_site());
        }
    }

    /// The arrays that a round leaves in an option in place of nothing, or of others: places for them.
    pub(super) fn arrays_in_options(
        &mut self,
        homes: &mut Vec<Home>,
        var: VarId,
        path: &[usize],
        (old, new): (&Val, &Val),
        outside: usize,
    ) {
        match (old, new) {
            // Several arrays that grow together.
            (old, Val::Columns(_) | Val::Ragged(_)) if super::patterns::blank(old) => {
                let name = self.s.vars[var].name.clone();
                self.diagnostics.cause(
                    self.here,
                    format!("the macro cannot follow what `{name}` holds from round to round"),
                    "keep numbers, an array or a vector of numbers in the option, or a `bool` and the rows in variables of their own",
                );
            }
            (Val::Unset, Val::View(view)) => homes.extend(self.home(var, path, view, outside)),
            (Val::View(a), Val::View(b)) if a.buffer != b.buffer && !a.by_ref && !b.by_ref => {
                homes.extend(self.home(var, path, b, outside));
            }
            (a, b) if a.is_like(b) => {
                let pairs = a.parts().unwrap_or_default().iter().zip(b.parts().unwrap_or_default());
                for (i, pair) in pairs.enumerate() {
                    self.arrays_in_options(homes, var, &[path, &[i]].concat(), pair, outside);
                }
            }
            _ => {}
        }
    }

    /// Whether a value has arrays for which there is a place in front of a loop.
    pub(super) fn has_home(&self, val: &Val) -> bool {
        match val {
            Val::View(view) => self.s.homes.contains(&view.buffer),
            other => other.parts().is_some_and(|list| list.iter().any(|v| self.has_home(v))),
        }
    }

    /// An option in such a place takes over another: copies of what stands in it itself.
    pub(super) fn set_option(&mut self, var: VarId, path: &[usize], val: Val, span: Span) {
        let val = self.without_homes(val);
        self.set_result(var, path, val, span);
    }

    fn without_homes(&mut self, val: Val) -> Val {
        match val {
            Val::View(view) if self.s.homes.contains(&view.buffer) => self.duplicate(Val::View(view), "copy"),
            val if val.parts().is_some() => {
                let list = val.parts().unwrap_or_default().to_vec();
                val.with_parts(list.into_iter().map(|v| self.without_homes(v)).collect())
            }
            other => other,
        }
    }

    /// Where to keep an array that a round gives to `return` or `break`, if it can be kept. `outside` buffers are there
    /// already.
    pub(super) fn home(&mut self, var: VarId, path: &[usize], view: &View, outside: usize) -> Option<Home> {
        // The window of a whole is made anew: this one is gone with the trial.
        let (view, changes) = match self.unchangeable(view) {
            Some(of) => (&of.clone(), true),
            None => (view, false),
        };
        let data = self.s.b.func.buffer(view.buffer).clone();
        let is_old = (view.buffer.0 as usize) < outside;
        let path = path.to_vec();
        if view.by_ref && is_old {
            Some(Home { var, path, like: view.clone(), data: None, changes })
        } else if self.can_leave(&View { by_ref: false, ..view.clone() }) {
            let grows = !matches!(data.dims[0], Dim::Fixed(_));
            let data = BufferData {
                grows,
                sizes: data.sizes,
                ..BufferData::new(data.name, data.elem, data.dims, Storage::Local)
            };
            Some(Home { var, path, like: view.clone(), data: Some(data), changes: false })
        } else {
            self.error(
                self.here,
                "this array cannot leave the loop",
                "declare it in front of the loop, set its elements there, and leave the loop by `break`",
            );
            None
        }
    }

    /// What `return` or `break` leave with: arrays go where they are kept for after the loop, if one is left.
    pub(super) fn set_result(&mut self, var: VarId, path: &[usize], val: Val, span: Span) {
        let old = part(&mut self.s.vars[var].val, path).clone();
        match (old, val) {
            (Val::View(to), Val::View(from)) if self.s.homes.contains(&to.buffer) => {
                let to = self.resized(&to, &from).unwrap_or(to);
                self.copy_view(&from, &to, span);
                self.set_at(var, path, Val::View(to));
            }
            (old, Val::Unset | Val::Never) if !matches!(old, Val::Unset) => {}
            (old, val) if old.is_like(&val) => {
                for (k, val) in val.parts().unwrap_or_default().to_vec().into_iter().enumerate() {
                    self.set_result(var, &[path, &[k]].concat(), val, span);
                }
            }
            (_, val) => self.set_at(var, path, val),
        }
    }
}
