//! Rows of vectors of structs and tuples, as `iter_mut` and `&mut v[i]` give them: places for all their parts. What is assigned to
//! such a part goes to the vector, and what is read of it is a copy.

use proc_macro2::Span;

use super::loops::part;
use super::lower::{Lower, VarId};
use super::place::Place;
use super::value::{Val, View};

impl Lower<'_> {
    /// Whether a value is a row: every part of it is a place, not a reference that it holds.
    pub(super) fn is_row_of_parts(&self, val: &Val) -> bool {
        let (Val::Struct(_, parts) | Val::Tuple(parts)) = val else { return false };
        !parts.is_empty()
            && parts.iter().all(is_part_of_row)
            && (has_no_references(val) || parts.iter().any(|part| self.has_element(part)))
    }

    /// Whether a reference to a single element is in it.
    fn has_element(&self, val: &Val) -> bool {
        match val {
            Val::View(view) => self.rank(view) == 0,
            other => other.parts().is_some_and(|list| list.iter().any(|part| self.has_element(part))),
        }
    }

    /// What a row, or a part of one, is as a value.
    pub(super) fn settled(&mut self, val: Val) -> Val {
        match val {
            Val::View(view) if self.rank(&view) == 0 => {
                let place = Place::Element(view.buffer, view.prefix);
                self.read(place)
            }
            Val::View(view) => Val::View(View { by_ref: false, lent: view.range.is_none(), ..view }),
            Val::Struct(..) | Val::Tuple(_) => {
                let list = val.parts().unwrap_or_default().to_vec();
                val.with_parts(list.into_iter().map(|part| self.settled(part)).collect())
            }
            other => other,
        }
    }

    /// An item of what is run over by value, or what a reference to a row leads to.
    pub(super) fn item_by_value(&mut self, val: Val) -> Val {
        match self.deref(val) {
            Val::View(view) => {
                let lent = self.rank(&view) > 0;
                Val::View(View { by_ref: false, lent, ..view })
            }
            row if self.is_row_of_parts(&row) => self.settled(row),
            other => by_value(other),
        }
    }

    /// What a field of a value is, which is read.
    pub(super) fn field_of_value(&mut self, base: &Val, k: usize) -> Val {
        let part = base.parts().map_or(Val::Never, |list| list[k].clone());
        if self.is_row_of_parts(base) {
            return self.settled(part);
        }
        match part {
            // An array in a struct is copied with it.
            Val::View(view) if view.lent => Val::View(View { by_ref: false, ..view }),
            Val::View(view) if has_no_references(base) && !view.prefix.is_empty() && view.range.is_none() => {
                Val::View(View { by_ref: false, ..view })
            }
            other => lent_by_value(other),
        }
    }

    /// Where a part of a variable is that is a part of a row: in the vector. `None` if it is in the variable itself.
    pub(super) fn place_in_row(&mut self, var: VarId, path: &[usize], span: Span) -> Option<Place> {
        let (_, above) = path.split_last()?;
        let within = (0..=above.len()).any(|n| {
            let val = part(&mut self.s.vars[var].val, &above[..n]).clone();
            self.is_row_of_parts(&val)
        });
        let val = part(&mut self.s.vars[var].val, path).clone();
        match &val {
            Val::View(view) if self.rank(view) == 0 => Some(Place::Element(view.buffer, view.prefix.clone())),
            Val::View(view) if within && view.range.is_some() => {
                self.error(
                    span,
                    "the rows of a vector of vectors cannot be replaced here",
                    "set their elements, or build the vector anew",
                );
                None
            }
            val if within => self.places_in(val),
            _ => None,
        }
    }
}

fn is_part_of_row(val: &Val) -> bool {
    match val {
        Val::View(view) => view.by_ref && !view.prefix.is_empty(),
        Val::Struct(_, parts) | Val::Tuple(parts) => !parts.is_empty() && parts.iter().all(is_part_of_row),
        _ => false,
    }
}

/// A part of a row: an array in it is copied with the row.
pub(super) fn lent(part: Val) -> Val {
    match part {
        Val::View(view) if view.range.is_none() => Val::View(View { lent: true, ..view }),
        other => other,
    }
}

/// A value all of whose arrays are shared by others, which have it by value too.
pub(super) fn lent_whole(val: Val) -> Val {
    match val {
        Val::View(view) if !view.by_ref => Val::View(View { lent: true, ..view }),
        Val::Struct(..) | Val::Tuple(_) | Val::Columns(_) => {
            let list = val.parts().unwrap_or_default().to_vec();
            val.with_parts(list.into_iter().map(lent_whole).collect())
        }
        other => other,
    }
}

/// A struct or tuple behind a reference: what is in it is seen through that.
pub(super) fn referenced(val: Val) -> Val {
    match val {
        Val::View(view) if !view.prefix.is_empty() => Val::View(View { by_ref: true, ..view }),
        Val::Struct(..) | Val::Tuple(_) => {
            let list = val.parts().unwrap_or_default().to_vec();
            val.with_parts(list.into_iter().map(referenced).collect())
        }
        other => other,
    }
}

/// As [`referenced`], the other way: an element that is read by value.
pub(super) fn by_value(val: Val) -> Val {
    match val {
        Val::View(view) if !view.prefix.is_empty() && view.range.is_none() => {
            Val::View(View { by_ref: false, ..view })
        }
        Val::Struct(..) | Val::Tuple(_) => {
            let list = val.parts().unwrap_or_default().to_vec();
            val.with_parts(list.into_iter().map(by_value).collect())
        }
        other => other,
    }
}

/// A struct or tuple in a row, which is read: the arrays in it are copied with it.
pub(super) fn lent_by_value(val: Val) -> Val {
    match val {
        Val::View(view) if view.lent => Val::View(View { by_ref: false, ..view }),
        Val::Struct(..) | Val::Tuple(_) => {
            let list = val.parts().unwrap_or_default().to_vec();
            val.with_parts(list.into_iter().map(lent_by_value).collect())
        }
        other => other,
    }
}

/// Whether a struct is one that derives `Differentiable`: these hold no references.
fn has_no_references(val: &Val) -> bool {
    let Val::Struct(fields, _) = val else { return false };
    let last = fields.path.segments.last();
    last.is_some_and(|s| crate::structs::find(&s.ident.to_string()).is_some())
}
