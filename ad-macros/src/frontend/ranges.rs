//! Parts of arrays by ranges: `x[a..b]`, ranges in variables, ranges that are data; and that they lie within the array.

use proc_macro2::Span;
use quote::quote;
use syn::spanned::Spanned;

use super::lower::Lower;
use super::value::{Val, View};
use crate::ir::{Check, InstKind, Op, Type, Value, Verbatim};

impl Lower<'_> {
    /// `view[a..b]`
    pub(super) fn part(&mut self, view: &View, range: &syn::Expr) -> Option<View> {
        let syn::Expr::Range(r) = range else { return None };
        let bound = |this: &mut Self, e: &Option<Box<syn::Expr>>| -> Option<Option<Value>> {
            match e {
                Some(e) => {
                    let val = this.expr(e).0;
                    Some(Some(this.scalar(val, e.span())?))
                }
                None => Some(None),
            }
        };
        let start = bound(self, &r.start)?;
        let end = bound(self, &r.end)?;
        if start.is_none() && end.is_none() {
            return Some(view.clone());
        }
        let closed = matches!(r.limits, syn::RangeLimits::Closed(_));
        let end = match end {
            Some(e) if closed => {
                let one = self.s.b.int("1");
                self.op(Op::Add, &[e, one])
            }
            Some(e) => e,
            None => self.len(view),
        };
        // As in the user's function, a range out of bounds panics here.
        self.check_range(view, start, end);
        let (from, len) = match start {
            Some(start) => (start, self.op(Op::Sub, &[end, start])),
            None => (self.s.b.int("0"), end),
        };
        let from = match (view.range, start) {
            (Some((old, _)), Some(_)) => self.op(Op::Add, &[old, from]),
            (Some((old, _)), None) => old,
            (None, _) => from,
        };
        Some(View { range: Some((from, len)), ..view.clone() })
    }

    /// A range of indices that is data, by its bounds; anything else as it is.
    pub(super) fn range_of_data(&mut self, val: Val, e: &syn::Expr) -> Val {
        self.tell_type(&val, e);
        let Val::Scalar(v) = val else { return val };
        let inclusive = match self.s.types.get(&v).map(|name| &**name) {
            Some("Range") => false,
            Some("RangeInclusive") => true,
            _ => return val,
        };
        let mut bound = |name: &str| {
            let (hole, name) = (Verbatim::hole(0), syn::Ident::new(name, Span::call_site()));
            let hole = syn::Ident::new(&hole, Span::call_site());
            let tokens = if inclusive { quote!(*#hole.#name()) } else { quote!(#hole.#name) };
            self.pass(tokens, &[v], Type::Int)
        };
        let (lo, hi) = (bound("start"), bound("end"));
        Val::Iter(std::rc::Rc::new(super::iterators::Iter::Range { lo, hi, inclusive }))
    }

    /// `x[part]` where `part` is a range that was kept in a variable.
    pub(super) fn part_by_value(&mut self, view: &View, range: &Val) -> Option<View> {
        let Val::Iter(it) = range else { return None };
        let (start, end) = match &**it {
            super::iterators::Iter::Range { lo, hi, inclusive } => {
                let end = if *inclusive {
                    let one = self.s.b.int("1");
                    self.op(Op::Add, &[*hi, one])
                } else {
                    *hi
                };
                (*lo, end)
            }
            super::iterators::Iter::From { lo } => (*lo, self.len(view)),
            super::iterators::Iter::Below { hi, inclusive } => {
                let one = self.s.b.int("1");
                let end = if *inclusive { self.op(Op::Add, &[*hi, one]) } else { *hi };
                (self.s.b.int("0"), end)
            }
            _ => return None,
        };
        self.check_range(view, Some(start), end);
        let len = self.op(Op::Sub, &[end, start]);
        Some(self.sub_view(view, start, len))
    }

    pub(super) fn check_range(&mut self, view: &View, start: Option<Value>, end: Value) {
        let view = &self.unchangeable(view).unwrap_or_else(|| view.clone());
        if self.s.b.func.buffer(view.buffer).layout != crate::ir::Layout::Nested || self.is_window(view) {
            let len = self.len(view);
            let holes = [0, 1, 2].map(|k| syn::Ident::new(&Verbatim::hole(k), Span::call_site()));
            let (s, e, n) = (&holes[0], &holes[1], &holes[2]);
            let start = start.unwrap_or_else(|| self.s.b.int("0"));
            let tokens = quote!(::core::assert!(#s <= #e && #e <= #n, "a range beyond the array"));
            let verbatim = Verbatim::check(tokens, Vec::new());
            return self.s.b.effect(InstKind::Effect(verbatim, vec![start, end, len]));
        }
        let is_whole = view.prefix.is_empty() && view.range.is_none();
        let mut args = Vec::new();
        let mut hole = |v: Value| {
            args.push(v);
            syn::Ident::new(&Verbatim::hole(args.len() - 1), Span::call_site())
        };
        let prefix: Vec<_> = view.prefix.iter().map(|v| hole(*v)).collect();
        let range = view.range.map(|(s, n)| {
            let (s, n) = (hole(s), hole(n));
            quote!([#s..][..#n])
        });
        let start = start.map(&mut hole);
        let end = hole(end);
        let buffer = syn::Ident::new(&Verbatim::buffer_hole(0), Span::call_site());
        let place = self.written_place(view.buffer, &buffer, prefix.into_iter());
        let tokens = quote!(let _ = &#place #range [#start..#end]);
        let mut verbatim = Verbatim::check(tokens, vec![view.buffer]);
        if is_whole && start.is_some() {
            verbatim.check = Check::Span;
        }
        self.s.b.effect(InstKind::Effect(verbatim, args));
    }
}
