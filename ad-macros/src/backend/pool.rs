//! Which buffers and stacks take their memory from the workspace that runs, if one does (`ad_runtime::Workspace`), and give
//! it back at the end of the block that declares them.
//!
//! They are plain vectors all the same, so that nothing else need know of it. What leaves the function stays out, and so
//! does what the user's code might move or keep borrowed, and what is of a generic type, which need not be `'static`.

use proc_macro2::{TokenStream, TokenTree};
use rustc_hash::FxHashSet as HashSet;

use super::body::Body;
use super::expr;
use crate::ir::{Arg, Binding, Buffer, BufferData, Dim, Func, InstKind, Op, Stack, Storage, Type, Verbatim};

const PATH: &str = "::ad_runtime::__private";

/// What a pooled buffer is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A vector.
    Flat,
    /// A vector of vectors.
    Rows,
}

/// What is given back at the end of a block.
pub(super) struct Given {
    buffer: Buffer,
    slot: usize,
    shape: Shape,
}

/// The buffers of a function that may be pooled.
pub(super) fn pooled(func: &Func) -> HashSet<Buffer> {
    let mut found: HashSet<Buffer> = HashSet::default();
    let mut kept: HashSet<Buffer> = func
        .outputs
        .iter()
        .filter_map(|o| match o.binding {
            Binding::Buffer(b) => Some(b),
            Binding::Value(_) => None,
        })
        .collect();
    func.body.visit(&mut |inst| match &inst.kind {
        InstKind::Alloc { buffer, .. } => {
            let data = func.buffer(*buffer);
            if data.storage == Storage::Local && is_static(&data.elem) && shape(data).is_some() {
                found.insert(*buffer);
            }
        }
        InstKind::Pure(Op::Verbatim(v), _) => {
            let borrows = inst.results.iter().any(|r| *func.ty(*r) == Type::Opaque);
            kept.extend(
                v.buffers.iter().enumerate().filter(|(k, _)| borrows || moves(v, *k)).map(|(_, b)| *b),
            );
        }
        InstKind::Effect(v, _) => {
            kept.extend(v.buffers.iter().enumerate().filter(|(k, _)| moves(v, *k)).map(|(_, b)| *b));
        }
        InstKind::Call(call) => {
            kept.extend(call.args.iter().filter_map(|arg| match arg {
                Arg::Buffer { buffer, by_ref: false, .. } => Some(*buffer),
                _ => None,
            }));
        }
        _ => {}
    });
    found.retain(|b| !kept.contains(b));
    found
}

/// Its type is known to borrow nothing.
fn is_static(elem: &Type) -> bool {
    matches!(elem, Type::Float(_) | Type::Int | Type::Bool) && !expr::is_generic(elem)
}

fn shape(data: &BufferData) -> Option<Shape> {
    // Arrays inside are elements.
    let fixed = data.dims.iter().rev().take_while(|d| matches!(d, Dim::Fixed(_))).count();
    let outer = &data.dims[..data.dims.len() - fixed];
    let dynamic =
        outer.iter().all(|d| if data.like.is_some() { *d == Dim::Slice } else { matches!(d, Dim::Dyn(_)) });
    match outer {
        [_] if dynamic => Some(Shape::Flat),
        [_, _] if dynamic => Some(Shape::Rows),
        _ => None,
    }
}

/// Whether the user's code may take its `k`th buffer away: it says more than `&b`, `b[..]` or one of these methods, or has
/// a closure that takes all that it names.
fn moves(v: &Verbatim, k: usize) -> bool {
    const BORROW: [&str; 12] = [
        "len", "is_empty", "iter", "iter_mut", "as_slice", "first", "last", "get", "contains", "chunks",
        "windows", "to_vec",
    ];
    fn search(tokens: TokenStream, name: &str) -> bool {
        let list: Vec<TokenTree> = tokens.into_iter().collect();
        list.iter().enumerate().any(|(at, token)| match token {
            TokenTree::Group(group) => search(group.stream(), name),
            TokenTree::Ident(ident) if ident == "move" => true,
            TokenTree::Ident(ident) if ident == name => {
                let behind = at.checked_sub(1).and_then(|at| list.get(at));
                let borrowed = matches!(behind, Some(TokenTree::Punct(p)) if p.as_char() == '&');
                let part = match (list.get(at + 1), list.get(at + 2)) {
                    (Some(TokenTree::Group(g)), _) => g.delimiter() == proc_macro2::Delimiter::Bracket,
                    (Some(TokenTree::Punct(p)), Some(TokenTree::Ident(method))) => {
                        p.as_char() == '.' && BORROW.contains(&method.to_string().as_str())
                    }
                    _ => borrowed,
                };
                !part
            }
            _ => false,
        })
    }
    search(v.code.tokens(), &Verbatim::buffer_hole(k))
}

impl Body<'_> {
    pub(super) fn slot(&mut self) -> usize {
        self.slots += 1;
        self.slots - 1
    }

    /// What makes a pooled buffer, which `fill` fills: an element, or an array of them.
    pub(super) fn taken(&mut self, b: Buffer, fill: &str, lengths: &[String]) -> Option<String> {
        let shape = self.pooled.contains(&b).then(|| shape(self.func.buffer(b))).flatten()?;
        let slot = self.slot();
        self.frames.last_mut()?.push(Given { buffer: b, slot, shape });
        Some(match (shape, lengths) {
            (Shape::Flat, [n]) => format!("{PATH}::filled({slot}, {fill}, {n})"),
            (Shape::Rows, [lengths]) => format!("{PATH}::rows({slot}, {fill}, {lengths})"),
            _ => unreachable!(),
        })
    }

    /// Gives back what a block has taken.
    pub(super) fn give(&mut self, given: &[Given], out: &mut String) {
        if given.is_empty() {
            return;
        }
        // What waits may read it.
        self.flush(None, out);
        for Given { buffer, slot, shape } in given.iter().rev() {
            let name = self.buffer_text(*buffer);
            let function = if *shape == Shape::Rows { "give_rows" } else { "give" };
            out.push_str(&format!("{PATH}::{function}({slot}, {name});\n"));
        }
    }

    /// Whether a stack is pooled.
    pub(super) fn is_pooled(&self, s: Stack) -> bool {
        is_static(&self.func.stack(s).elem)
    }
}
