//! Maps with active values, made by `collect` and then read: a map that is data from each key to where its value is, and a vector of
//! the values. What is asked of the map is asked of that.
//!
//! What does not live here: maps that are data all through, which other code makes ([`super::built`]).

use std::rc::Rc;

use proc_macro2::Span;
use quote::{ToTokens, quote};

use super::iterators::Iter;
use super::lower::Lower;
use super::value::{Fields, Val};
use crate::ir::{Op, Type};

const MAP: &str = "__AdMap";

impl Lower<'_> {
    /// `collect` into a map. `None` if it is another type, or the keys are not data or the values no floats.
    pub(super) fn collect_map(&mut self, it: &Rc<Iter>, target: &syn::Type, span: Span) -> Option<Val> {
        let syn::Type::Path(ty) = target else { return None };
        let mut index = ty.path.clone();
        let last = index.segments.last_mut()?;
        let kind = ["BTreeMap", "HashMap"].into_iter().find(|kind| last.ident == kind)?;
        last.arguments = syn::PathArguments::AngleBracketed(syn::parse_quote!(<_, usize>));
        let Val::Columns(parts) = self.collect_vec(it, "map", span) else { return None };
        let Val::Tuple(parts) = *parts else { return None };
        let [Val::View(keys), Val::View(values)] = parts.as_slice() else { return None };
        let is_float = self.s.b.func.buffer(values.buffer).elem.is_float();
        let is_data = !self.s.tainted_buffers.contains(&keys.buffer);
        if !is_data || !is_float || self.rank(keys) != 1 || self.rank(values) != 1 {
            return None;
        }
        let index = self.scoped(|this| {
            let var = this.new_var("keys", false, Val::View(keys.clone()));
            this.declare("__ad_keys", var);
            // Of keys that are the same the last one counts.
            let code = quote! {
                __ad_keys.iter().cloned().enumerate().map(|(k, key)| (key, k)).collect::<#index>()
            };
            this.verbatim_operands(code, span)
        })?;
        let index = self.s.b.op_typed(Op::Verbatim(index.verbatim), &index.args, Type::Opaque);
        let path = syn::Ident::new(MAP, Span::call_site()).into();
        let names = vec![kind.to_string(), "values".to_string()];
        let fields = Fields { path, names, opened: None };
        Some(Val::Struct(Rc::new(fields), vec![Val::Scalar(index), Val::View(values.clone())]))
    }

    pub(super) fn is_map(&self, val: &Val) -> bool {
        matches!(val, Val::Struct(fields, _) if fields.path.is_ident(MAP))
    }

    /// An expression over `__ad_index` and `__ad_values`, the parts of a map, and over the keys and indices in their order.
    fn of_map(&mut self, map: &Val, e: &syn::Expr) -> Val {
        let parts = map.parts().unwrap_or_default().to_vec();
        self.scoped(|this| {
            for (name, part) in ["__ad_index", "__ad_values"].into_iter().zip(parts) {
                let var = this.new_var(name, false, part);
                this.declare(name, var);
            }
            let ordered = [("__ad_sorted", quote!(keys)), ("__ad_order", quote!(values))];
            let text = e.to_token_stream().to_string();
            for (name, of) in ordered.into_iter().filter(|(name, _)| text.contains(name)) {
                let code = quote!(__ad_index.#of().cloned().collect::<::ad_runtime::__private::Vec<_>>());
                let val = this.verbatim(code, Span::call_site(), "", "");
                let var = this.new_var(name, false, val);
                this.declare(name, var);
            }
            this.expr(e).0
        })
    }

    /// `map[&key]`
    pub(super) fn map_index(&mut self, map: &Val, i: &syn::ExprIndex) -> Val {
        let key = &i.index;
        self.of_map(map, &syn::parse_quote!(__ad_values[__ad_index[#key]]))
    }

    /// What a map is run over by.
    pub(super) fn map_items(&mut self, map: &Val, span: Span) -> Option<Rc<Iter>> {
        if !self.is_ordered(map, span) {
            return None;
        }
        let items = syn::parse_quote! {
            (0..__ad_index.len()).map(|__ad_k| (&__ad_sorted[__ad_k], __ad_values[__ad_order[__ad_k]]))
        };
        match self.of_map(map, &items) {
            Val::Iter(it) => Some(it),
            _ => None,
        }
    }

    fn is_ordered(&mut self, map: &Val, span: Span) -> bool {
        let is_ordered = matches!(map, Val::Struct(fields, _) if fields.names[0] == "BTreeMap");
        if !is_ordered {
            self.error(
                span,
                "a `HashMap` has another order each time it is made",
                "collect active values into a `BTreeMap`, or into a `Vec`",
            );
        }
        is_ordered
    }

    /// A method of a map; `None` if the receiver is none.
    pub(super) fn map_method(&mut self, map: &Val, e: &syn::ExprMethodCall) -> Option<Val> {
        if !self.is_map(map) {
            return None;
        }
        let (method, args) = (&e.method, &e.args);
        let code: syn::Expr = match (method.to_string().as_str(), args.len()) {
            ("len" | "is_empty", 0) | ("contains_key", 1) => syn::parse_quote!(__ad_index.#method(#args)),
            ("get", 1) => syn::parse_quote!(__ad_index.get(#args).copied().map(|__ad_k| __ad_values[__ad_k])),
            ("values" | "into_values", 0) => {
                if !self.is_ordered(map, method.span()) {
                    return Some(Val::Never);
                }
                syn::parse_quote!((0..__ad_index.len()).map(|__ad_k| __ad_values[__ad_order[__ad_k]]))
            }
            ("iter" | "into_iter", 0) => {
                return Some(self.map_items(map, method.span()).map_or(Val::Never, Val::Iter));
            }
            _ => {
                self.error(
                    method.span(),
                    format!("`{method}` of a map with active values is not supported"),
                    "such a map is collected and then read: `map[&key]`, `get`, `values`, `iter`, `len`, `contains_key`",
                );
                return Some(Val::Never);
            }
        };
        Some(self.of_map(map, &code))
    }
}
