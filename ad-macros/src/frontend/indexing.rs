//! `p[k]` of the user's own structs: `Index` and `IndexMut`, written out where they are used.
//!
//! What does not live here: elements of arrays, slices and vectors ([`super::place`]).

use std::rc::Rc;

use proc_macro2::TokenStream;
use syn::spanned::Spanned;

use super::lower::Lower;
use super::place::Place;
use super::value::{Closure, Val};
use crate::ir::{Type, Verbatim};

impl Lower<'_> {
    /// Whether the macro has seen an `Index` or `IndexMut` (`operator`: `index`, `index_mut`) of a struct.
    pub(super) fn is_indexed(&self, base: &Val, operator: &str) -> bool {
        type_of(base).is_some_and(|ty| !self.known_indices(&ty, operator).is_empty())
    }

    /// What stands at an index of a struct that [`Lower::is_indexed`].
    pub(super) fn own_index(&mut self, base: &Val, i: &syn::ExprIndex) -> Val {
        let Some((member, index)) = self.index_member(base, "index", &i.index) else { return Val::Never };
        let val = self.inline(&member, vec![base.clone(), index]);
        super::rows::by_value(self.deref(val))
    }

    /// The place at an index of such a struct.
    pub(super) fn own_index_place(&mut self, base: &Val, i: &syn::ExprIndex) -> Option<Place> {
        let (member, index) = self.index_member(base, "index_mut", &i.index)?;
        let whole = &i.expr;
        let receiver = self.expr(&syn::parse_quote!(&mut #whole)).0;
        match self.inline(&member, vec![receiver, index]) {
            Val::View(view) if self.rank(&view) == 0 => Some(Place::Element(view.buffer, view.prefix)),
            Val::View(view) => Some(Place::Part(super::value::View { by_ref: false, ..view })),
            Val::RefMut(var, path) => Some(Place::Variable(var, path)),
            Val::Never => None,
            _ => {
                self.error(
                    i.span(),
                    "the macro does not see which place this `IndexMut` gives",
                    "let it end in `&mut self.field[k]`, or assign to the field",
                );
                None
            }
        }
    }

    fn known_indices(&self, ty: &str, operator: &str) -> Vec<(String, String)> {
        let prefix = format!("{ty}::{operator}::");
        let own = self.written.keys().filter_map(|key| {
            let by = key.strip_prefix(&prefix)?;
            Some((by.to_string(), key.clone()))
        });
        let mut known: Vec<(String, String)> = own.chain(crate::functions::indices(ty, operator)).collect();
        known.sort();
        known.dedup();
        known
    }

    /// The code of the index operator for an index of this type, and the index, which rustc checks to be of it.
    fn index_member(&mut self, base: &Val, operator: &str, e: &syn::Expr) -> Option<(Rc<Closure>, Val)> {
        let ty = type_of(base)?;
        let span = e.span();
        let index = self.expr(e).0;
        let index = self.deref(index);
        if index == Val::Never {
            return None;
        }
        let mut known = self.known_indices(&ty, operator);
        known.retain(|(by, _)| self.fits(&index, by));
        if known.len() > 1
            && let Some(named) = named_type(e).or_else(|| self.type_of_data(e))
        {
            known.retain(|(by, _)| *by == named);
        }
        // Of several that fit, none is taken.
        let [(by, key)] = known.as_slice() else {
            let types: Vec<String> =
                self.known_indices(&ty, operator).into_iter().map(|(by, _)| format!("`{by}`")).collect();
            self.error(
                span,
                format!(
                    "the macro does not see by which of its types `{ty}` is indexed here; it knows {}",
                    types.join(", ")
                ),
                "bind the index in front of this and say its type: `let k: usize = ..;`",
            );
            return None;
        };
        let member = self.member(key, &[base.clone(), index.clone()], span)?;
        let index = match index {
            Val::Scalar(v) if *self.s.b.func.ty(v) == Type::Opaque => {
                let by: TokenStream = by.parse().ok()?;
                let hole = syn::Ident::new(&Verbatim::hole(0), proc_macro2::Span::call_site());
                let by_ref = self.s.refs.contains(&v) || self.s.held.contains(&v);
                let told = quote::quote_spanned!(span=> { let index: #by = #hole; index });
                let told = if by_ref {
                    quote::quote_spanned!(span=> { let index: &#by = #hole; *index })
                } else {
                    told
                };
                Val::Scalar(self.pass(told, &[v], Type::Opaque))
            }
            other => other,
        };
        Some((member, index))
    }

    /// Whether an index can be of a type.
    fn fits(&self, index: &Val, by: &str) -> bool {
        const INTEGERS: [&str; 10] = ["usize", "isize", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"];
        match index {
            Val::Scalar(v) if self.is_tainted(*v) => false,
            Val::Scalar(v) => match self.s.b.func.ty(*v) {
                Type::Int => match self.int_type(*v) {
                    Some(ty) => *ty == *by,
                    None => by == "usize",
                },
                Type::Opaque => match self.s.types.get(v) {
                    Some(ty) => **ty == *by,
                    None => !INTEGERS.contains(&by) || by == "usize",
                },
                _ => false,
            },
            Val::Tuple(parts) => match syn::parse_str::<syn::Type>(by) {
                Ok(syn::Type::Tuple(types)) => {
                    types.elems.len() == parts.len()
                        && types.elems.iter().zip(parts).all(|(ty, part)| {
                            let ty = quote::ToTokens::to_token_stream(ty).to_string();
                            self.fits(part, &ty)
                        })
                }
                _ => false,
            },
            _ => false,
        }
    }
}

/// The name of a struct that is all here.
fn type_of(base: &Val) -> Option<String> {
    let Val::Struct(fields, _) = base else { return None };
    if fields.opened.is_some() {
        return None;
    }
    fields.path.segments.last().map(|s| s.ident.to_string())
}

/// The type that `Axis::X` names.
fn named_type(e: &syn::Expr) -> Option<String> {
    let syn::Expr::Path(p) = e else { return None };
    let before_last = p.path.segments.len().checked_sub(2)?;
    Some(p.path.segments[before_last].ident.to_string())
}
