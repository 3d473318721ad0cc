//! Sorting: the order is found by the primal values, in code that is passed through, and is data; elements are then moved
//! to their places. A sort is a permutation that stays as it is near the point, so this is its derivative too.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;

use super::lower::{Flow, Lower};
use super::place::Place;
use super::value::{Val, View};
use crate::ir::{Buffer, Op, StoreMode, Type, Value, Verbatim};

/// Whether a method sorts.
pub(super) fn sorts(method: &str) -> bool {
    [
        "sort",
        "sort_by",
        "sort_by_key",
        "sort_unstable",
        "sort_unstable_by",
        "sort_unstable_by_key",
        "sort_by_cached_key",
    ]
    .contains(&method)
}

impl Lower<'_> {
    /// `order.sort_by(|&a, &b| x[a].total_cmp(&x[b]))` where `order` is a vector that the macro does not look into; `None`
    /// if it is anything else.
    pub(super) fn sort_opaque(&mut self, e: &syn::ExprMethodCall) -> Option<Val> {
        let Place::Variable(var, path) = self.place_quietly(&e.receiver)? else { return None };
        let Val::Scalar(v) = super::loops::part(&mut self.s.vars[var].val, &path).clone() else {
            return None;
        };
        if *self.s.b.func.ty(v) != Type::Opaque || self.is_tainted(v) || self.s.refs.contains(&v) {
            return None;
        }
        let args = &e.args;
        let mut found = self.verbatim_operands(quote!(#args), e.span())?;
        let hole = Ident::new(&Verbatim::hole(found.args.len()), Span::call_site());
        let (method, arguments) = (&e.method, found.verbatim.code);
        let sorted = quote!({
            let mut list = ::core::clone::Clone::clone(&#hole);
            list.#method(#arguments);
            list
        });
        found.verbatim.code = sorted.into();
        found.args.push(v);
        let sorted = self.s.b.op_typed(Op::Verbatim(found.verbatim), &found.args, Type::Opaque);
        self.set_at(var, &path, Val::Scalar(sorted));
        Some(Val::unit())
    }

    /// `v.sort_by(..)` of an array, slice or vector, of numbers or of tuples of numbers.
    pub(super) fn sort(&mut self, target: &Val, e: &syn::ExprMethodCall) -> Val {
        let copy = self.duplicate(target.clone(), "unsorted");
        let Some((element, buffers)) = self.element_tokens(&copy, &mut Vec::new()) else {
            self.error(
                e.method.span(),
                format!("`{}` is supported on vectors of numbers and of tuples of numbers", e.method),
                "sort the indices by what the elements hold, and read the elements through them",
            );
            return Val::Never;
        };
        let args = &e.args;
        let Some(mut found) = self.verbatim_operands(quote!(#args), e.span()) else { return Val::Never };
        let len = self.length_of(target);
        // Buffers of the user's comparison come first.
        let first = found.verbatim.buffers.len();
        let element = |index: &Ident| renumbered(&element, first, index);
        let (i, j) = (format_ident!("__ad_i"), format_ident!("__ad_j"));
        let (a, b) = (element(&i), element(&j));
        let compare = found.verbatim.code;
        let sorting = match e.method.to_string().as_str() {
            "sort" | "sort_unstable" => quote!(order.sort_by(|&#i, &#j| ::core::cmp::Ord::cmp(&#a, &#b));),
            name if name.ends_with("key") => quote!(order.sort_by_key(|&#i| (#compare)(&#a));),
            // The comparison is called where it stands, so that its parameters' types follow from the call.
            _ => quote!(order.sort_by(|&#i, &#j| ::ad_runtime::__private::compared(#compare, &#a, &#b));),
        };
        let n = Ident::new(&Verbatim::hole(found.args.len()), Span::call_site());
        let tokens = quote!({
            let mut order: ::ad_runtime::__private::Vec<usize> = (0..#n).collect();
            #sorting
            order
        });
        found.args.push(len);
        found.verbatim.buffers.extend(buffers);
        let verbatim = Verbatim::new(tokens, found.verbatim.buffers);
        let order = self.s.b.op_typed(Op::Verbatim(verbatim), &found.args, Type::Opaque);
        let zero = self.s.b.int("0");
        let spec = super::loops::RangeSpec::new(zero, len, false);
        self.range_loop(&spec, &mut |this, k| {
            let (o, at) = (Verbatim::hole(0), Verbatim::hole(1));
            let (o, at) = (Ident::new(&o, Span::call_site()), Ident::new(&at, Span::call_site()));
            let from = this.pass(quote!(#o[#at]), &[order, k], Type::Int);
            this.s.ints.insert(from, "usize".into());
            this.move_element(&copy, from, target, k);
            Flow::Falls
        });
        Val::unit()
    }

    fn move_element(&mut self, from: &Val, at: Value, to: &Val, k: Value) {
        match (from, to) {
            (Val::View(from), Val::View(to)) => {
                if let (Place::Element(a, i), Place::Element(b, j)) =
                    (self.index(from, at), self.index(to, k))
                {
                    let v = self.load(a, i);
                    self.store(b, j, v, StoreMode::Set);
                }
            }
            (from, to) => {
                let pairs = from.parts().unwrap_or_default().iter().zip(to.parts().unwrap_or_default());
                let pairs: Vec<(Val, Val)> = pairs.map(|(a, b)| (a.clone(), b.clone())).collect();
                for (a, b) in pairs {
                    self.move_element(&a, at, &b, k);
                }
            }
        }
    }

    /// An element as Rust, with `__ad_index` for its index and `__ad_column_k` for the buffers.
    fn element_tokens(&self, val: &Val, buffers: &mut Vec<Buffer>) -> Option<(TokenStream, Vec<Buffer>)> {
        let tokens = match val {
            Val::View(View { buffer, prefix, range, .. })
                if prefix.is_empty() && self.rank_of(*buffer) == 1 =>
            {
                // A copy begins at 0.
                let _ = range;
                let elem = &self.s.b.func.buffer(*buffer).elem;
                if *elem == Type::Opaque {
                    return None;
                }
                buffers.push(*buffer);
                let name = format_ident!("__ad_column_{}", buffers.len() - 1);
                quote!(#name[__ad_index])
            }
            Val::Columns(inner) => self.element_tokens(inner, buffers)?.0,
            Val::Tuple(list) => {
                let parts: Option<Vec<TokenStream>> =
                    list.iter().map(|v| Some(self.element_tokens(v, buffers)?.0)).collect();
                let parts = parts?;
                quote!((#(#parts,)*))
            }
            Val::Struct(fields, list) => {
                let parts: Option<Vec<TokenStream>> =
                    list.iter().map(|v| Some(self.element_tokens(v, buffers)?.0)).collect();
                let (path, parts) = (&fields.path, parts?);
                let names = fields.names.iter().map(|n| n.parse::<TokenStream>().unwrap_or_default());
                quote!(#path { #(#names: #parts),* })
            }
            _ => return None,
        };
        Some((tokens, buffers.clone()))
    }

    fn rank_of(&self, b: Buffer) -> usize {
        self.s.b.func.buffer(b).dims.len()
    }
}

/// The element with its index, and its buffers behind those that are there.
fn renumbered(element: &TokenStream, first: usize, index: &Ident) -> TokenStream {
    fn walk(tokens: TokenStream, first: usize, index: &Ident) -> TokenStream {
        tokens
            .into_iter()
            .map(|token| match token {
                proc_macro2::TokenTree::Ident(ident) => {
                    let text = ident.to_string();
                    match text.strip_prefix("__ad_column_").and_then(|k| k.parse::<usize>().ok()) {
                        Some(k) => {
                            Ident::new(&Verbatim::buffer_hole(first + k), Span::call_site()).to_token_stream()
                        }
                        None if text == "__ad_index" => index.to_token_stream(),
                        None => ident.to_token_stream(),
                    }
                }
                proc_macro2::TokenTree::Group(group) => {
                    let inner = walk(group.stream(), first, index);
                    proc_macro2::Group::new(group.delimiter(), inner).to_token_stream()
                }
                other => other.to_token_stream(),
            })
            .collect()
    }
    walk(element.clone(), first, index)
}
