//! Calls of other differentiable functions, and of their companions, whose interface `ad_runtime::call` documents.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;
use rustc_hash::FxHashSet as HashSet;

use super::body::{Body, is_reference};
use crate::ir::{Arg, BarArg, Buffer, Call, CallMode, FloatKind, Type, Value};

/// The name of a companion. Users see it where a function that they call has none.
pub(super) fn companion(function: &str, mode: CallMode) -> Ident {
    let suffix = match mode {
        CallMode::Primal => return Ident::new(function, Span::call_site()),
        CallMode::Jvp => "jvp",
        CallMode::Vjp => "vjp",
        CallMode::VjpJvp => "vjp_jvp",
        CallMode::JvpJvp => "jvp_jvp",
    };
    let function = function.trim_start_matches("r#");
    Ident::new(&format!("__put_differentiable_on_{function}__{suffix}"), Span::call_site())
}

/// The path of the callee with its last segment exchanged for the companion's name.
fn path(callee: &TokenStream, mode: CallMode) -> TokenStream {
    if mode == CallMode::Primal {
        return callee.clone();
    }
    let mut list: Vec<TokenTree> = callee.clone().into_iter().collect();
    // Generic arguments (`f::<3>`) stay where they are: the last identifier outside `<..>` is the name.
    let mut depth = 0_i32;
    for token in list.iter_mut().rev() {
        match token {
            TokenTree::Punct(p) if p.as_char() == '>' => depth += 1,
            TokenTree::Punct(p) if p.as_char() == '<' => depth -= 1,
            TokenTree::Ident(ident) if depth == 0 => {
                let mut name = companion(&ident.to_string(), mode);
                name.set_span(ident.span());
                *token = TokenTree::Ident(name);
                break;
            }
            _ => {}
        }
    }
    list.into_iter().collect()
}

/// Prints a call and binds its results.
pub(super) fn call(body: &mut Body<'_>, call: &Call, results: &[Value], out: &mut TokenStream) {
    let mut args: Vec<TokenStream> = call.args.iter().map(|a| argument(body, a)).collect();
    let is_primal = call.mode == CallMode::Primal;
    if matches!(call.mode, CallMode::Vjp | CallMode::VjpJvp) {
        args.push(body.argument(call.seeds[0]));
    }
    for group in &call.dots {
        for dot in group {
            args.push(match dot {
                Some(Arg::Value(v)) => {
                    let generic = matches!(body.func.ty(*v), Type::Float(FloatKind::Param(_)));
                    let dot = body.argument(*v);
                    if generic { quote!(::ad_runtime::call::Active(#dot)) } else { dot }
                }
                Some(arg) => {
                    let place = place(body, arg, true);
                    quote!(&#place)
                }
                None => quote!(()),
            });
        }
    }
    if call.mode == CallMode::VjpJvp {
        args.push(body.argument(call.seeds[1]));
    }
    // Two `&mut` borrows of one buffer cannot go out together: all but the first are added by way of a copy.
    let mut lent: HashSet<Buffer> = HashSet::default();
    let mut after = TokenStream::new();
    for bar in call.bars.iter().flatten() {
        args.push(if let Some(BarArg::Into(arg)) = bar {
            let place = place(body, arg, true);
            let fresh = matches!(arg, Arg::Buffer { buffer, .. } if lent.insert(*buffer));
            if fresh {
                quote!(&mut #place)
            } else {
                let copy = body.fresh("part_bar");
                out.extend(quote!(let mut #copy = ::ad_runtime::__private::zeros_like(&#place);));
                after.extend(quote!(::ad_runtime::__private::add_to(&mut #place, &#copy);));
                quote!(&mut #copy)
            }
        } else {
            quote!(())
        });
    }
    let path = path(&call.callee, call.mode);
    let value = quote!(#path(#(#args),*));
    if is_primal {
        let name = body.name_result(results[0], "value");
        out.extend(quote!(let #name = #value;));
        return;
    }
    let mut results = results.iter();
    let mut name = |body: &mut Body<'_>| {
        let name = results.next().map(|r| body.name_result(*r, "part"));
        name.map_or_else(|| quote!(_), |n| quote!(#n))
    };
    let pattern = match call.mode {
        CallMode::Vjp | CallMode::VjpJvp => {
            let groups: Vec<TokenStream> = call
                .bars
                .iter()
                .map(|group| {
                    let slots: Vec<TokenStream> = group
                        .iter()
                        .map(|bar| if *bar == Some(BarArg::Result) { name(body) } else { quote!(_) })
                        .collect();
                    quote!((#(#slots,)*))
                })
                .collect();
            super::signature::tuple(groups)
        }
        _ => {
            let n = if call.mode == CallMode::Jvp { 2 } else { 4 };
            let slots: Vec<TokenStream> = (0..n).map(|_| name(body)).collect();
            quote!((#(#slots),*))
        }
    };
    out.extend(quote!(let #pattern = #value;));
    out.extend(after);
}

fn argument(body: &mut Body<'_>, arg: &Arg) -> TokenStream {
    match arg {
        Arg::Value(v) => body.argument(*v),
        Arg::Buffer { buffer, prefix, range, by_ref } => {
            let whole = prefix.is_empty() && range.is_none();
            if whole && (is_reference(body.func, *buffer) || !by_ref) {
                let name = body.buffer_name(*buffer);
                return quote!(#name);
            }
            let place = place(body, arg, false);
            if *by_ref { quote!(&#place) } else { place }
        }
    }
}

/// The place that an argument names; with `slice`, as a slice.
fn place(body: &mut Body<'_>, arg: &Arg, slice: bool) -> TokenStream {
    match arg {
        Arg::Value(v) => body.argument(*v),
        Arg::Buffer { buffer, prefix, range, .. } => {
            let name = body.buffer_name(*buffer);
            let prefix: Vec<TokenStream> = prefix.iter().map(|i| body.argument(*i)).collect();
            let range = match range {
                Some((start, len)) => {
                    let (start, len) = (body.argument(*start), body.argument(*len));
                    quote!([#start..][..#len])
                }
                None if slice => quote!([..]),
                None => TokenStream::new(),
            };
            quote!(#name #([#prefix])* #range)
        }
    }
}
