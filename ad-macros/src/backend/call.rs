//! Calls of other differentiable functions, and of their companions, whose interface `ad_runtime::call` documents.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use rustc_hash::FxHashSet as HashSet;

use super::body::{Body, is_reference};
use super::expr;
use crate::ir::{Arg, BarArg, Call, CallMode, FloatKind, Type, Value};

/// The name of a companion. Users see it where a function that they call has none.
pub(super) fn companion(function: &str, mode: CallMode) -> Ident {
    let suffix = match mode {
        CallMode::Primal => return Ident::new(function, Span::call_site()),
        CallMode::Jvp => "jvp",
        CallMode::Vjp => "vjp",
        CallMode::VjpJvp => "vjp_jvp",
        CallMode::Curvature => "curvature",
        CallMode::Taylor => "taylor",
        CallMode::JvpJvp => unreachable!("{function}: calls along two directions are made of others"),
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
pub(super) fn call(body: &mut Body<'_>, call: &Call, results: &[Value], out: &mut String) {
    let mut args: Vec<String> = call.args.iter().map(|a| argument(body, a)).collect();
    if matches!(call.mode, CallMode::Vjp | CallMode::VjpJvp) {
        args.push(body.argument(call.seeds[0]));
    }
    for dot in call.dots.iter().flatten() {
        args.push(direction(body, dot.as_ref()));
    }
    if call.mode == CallMode::VjpJvp {
        args.push(body.argument(call.seeds[1]));
    }
    // Two `&mut` borrows of one buffer cannot go out together: all but the first are added by way of a copy.
    let mut lent: HashSet<String> = HashSet::default();
    let mut after = String::new();
    for bar in call.bars.iter().flatten() {
        args.push(if let Some(BarArg::Into(arg)) = bar {
            let place = place(body, arg, true);
            // The fields of the same rows share their variable.
            let fresh =
                matches!(arg, Arg::Buffer { buffer, .. } if lent.insert(body.buffer_text(*buffer).to_string()));
            if fresh {
                format!("&mut {place}")
            } else {
                let copy = body.names.fresh("part_bar");
                out.push_str(&format!("let mut {copy} = ::ad_runtime::__private::zeros_like(& {place});\n"));
                after.push_str(&format!("::ad_runtime::__private::add_to(&mut {place}, &{copy});\n"));
                format!("&mut {copy}")
            }
        } else {
            "()".to_string()
        });
    }
    let path = body.pieces.add(path(&call.callee.tokens(), call.mode));
    let pattern = pattern(body, call, results);
    out.push_str(&format!("let {pattern} = {path}({});\n", args.join(", ")));
    out.push_str(&after);
}

/// A slot for a direction.
fn direction(body: &mut Body<'_>, dot: Option<&Arg>) -> String {
    match dot {
        Some(Arg::Value(v)) => {
            let generic = matches!(body.func.ty(*v), Type::Float(FloatKind::Param(_)));
            let dot = body.argument(*v);
            if generic { format!("::ad_runtime::call::Active({dot})") } else { dot }
        }
        Some(arg) => format!("& {}", place(body, arg, true)),
        None => "()".to_string(),
    }
}

/// What the results of a call are bound to.
fn pattern(body: &mut Body<'_>, call: &Call, results: &[Value]) -> String {
    let mut results = results.iter();
    if call.mode == CallMode::Primal {
        return results.next().map_or_else(|| "_".to_string(), |r| body.name_result(*r, "value"));
    }
    let mut name = |body: &mut Body<'_>| match results.next() {
        Some(r) => body.name_result(*r, "part"),
        None => "_".to_string(),
    };
    match call.mode {
        CallMode::Vjp | CallMode::VjpJvp => {
            let mut groups = Vec::new();
            for group in &call.bars {
                let mut slots = String::new();
                for bar in group {
                    slots.push_str(&if *bar == Some(BarArg::Result) { name(body) } else { "_".to_string() });
                    slots.push(',');
                }
                groups.push(format!("({slots})"));
            }
            expr::tuple(groups)
        }
        _ => {
            let n = if call.mode == CallMode::Jvp { 2 } else { 3 };
            let slots: Vec<String> = (0..n).map(|_| name(body)).collect();
            expr::tuple(slots)
        }
    }
}

fn argument(body: &mut Body<'_>, arg: &Arg) -> String {
    match arg {
        Arg::Value(v) => body.argument(*v),
        Arg::Buffer { buffer, prefix, range, by_ref } => {
            let whole = prefix.is_empty() && range.is_none();
            if whole && (is_reference(body.func, *buffer) || !by_ref) {
                return body.buffer_text(*buffer).to_string();
            }
            let place = place(body, arg, false);
            if *by_ref { format!("& {place}") } else { place }
        }
    }
}

/// The place that an argument names; with `slice`, as a slice.
fn place(body: &mut Body<'_>, arg: &Arg, slice: bool) -> String {
    match arg {
        Arg::Value(v) => body.argument(*v),
        Arg::Buffer { buffer, prefix, range, .. } => {
            let mut place = body.buffer_text(*buffer).to_string();
            for (axis, i) in prefix.iter().enumerate() {
                place.push_str(&format!("[{}]", body.argument(*i)));
                if let (0, Some(field)) = (axis, &body.func.buffer(*buffer).field) {
                    place.push_str(field);
                }
            }
            match range {
                Some((start, len)) => {
                    let (start, len) = (body.argument(*start), body.argument(*len));
                    place.push_str(&format!("[{start} ..][.. {len}]"));
                }
                None if slice => place.push_str("[..]"),
                None => {}
            }
            place
        }
    }
}
