//! How local matrices are stored, decided when the whole function is known.
//!
//! A matrix that only instructions touch lies in one vector, row by row ([`Layout::Flat`]). One that the user's own code
//! names (in what is passed through) stays as rows. Products of these, or of vectors that grow, become loops.

use rustc_hash::FxHashSet as HashSet;

use crate::ir::{Arg, Binding, Buffer, Dim, Factor, Func, InstKind, Layout, Op, Product, Storage};
use crate::transform::products::as_loops;

/// Settles the layout of these arrays.
pub(in super::super) fn settle(mut func: Func, arrays: impl Iterator<Item = Buffer>) -> Func {
    let named = named(&func);
    for b in arrays {
        let data = &mut func.buffers[b.0 as usize];
        let dynamic = data.dims.iter().any(|d| matches!(d, Dim::Dyn(_)));
        let known = !data.dims.contains(&Dim::Slice);
        let plain = data.storage == Storage::Local && data.layout == Layout::Nested && data.like.is_none();
        if plain && dynamic && known && data.dims.len() == 2 && !data.grows && !named.contains(&b) {
            data.layout = Layout::Flat;
        }
    }
    as_loops(func, &|func: &Func, p: &Product| p.factors().iter().any(|f| !is_whole(func, f)))
}

/// Whether a buffer is in generated code what a product can take: one slice, or something that run time makes one of.
fn is_whole(func: &Func, f: &Factor) -> bool {
    let data = func.buffer(f.buffer);
    let fixed = data.dims.iter().all(|d| matches!(d, Dim::Fixed(_)));
    !data.grows
        && data.field.is_none()
        && (data.layout != Layout::Nested && data.storage != Storage::Owned
            || data.layout == Layout::Nested && (data.dims.len() == 1 || fixed))
}

/// Buffers that something names as what they are in Rust.
fn named(func: &Func) -> HashSet<Buffer> {
    let mut found = HashSet::default();
    func.body.visit(&mut |inst| match &inst.kind {
        InstKind::Pure(Op::Verbatim(v), _) | InstKind::Effect(v, _) => {
            found.extend(v.buffers.iter().copied());
        }
        InstKind::Call(call) => {
            for arg in &call.args {
                if let Arg::Buffer { buffer, prefix, .. } = arg
                    && prefix.is_empty()
                {
                    found.insert(*buffer);
                }
            }
        }
        _ => {}
    });
    found.extend(func.outputs.iter().filter_map(|o| match o.binding {
        Binding::Buffer(b) => Some(b),
        Binding::Value(_) => None,
    }));
    found
}
