//! Choosing what a transformed function takes, returns and does: dropping outputs, binding seeds, merging directions.

use crate::ir::{Binding, Block, Buffer, Builder, Dim, Func, Inst, InstKind, Op, Role, Storage};

/// Keeps the outputs that `keep` wants. A dropped output parameter becomes a local buffer, which dead code
/// elimination removes where nothing reads it.
pub(crate) fn keep_outputs(mut func: Func, keep: impl Fn(&Role) -> bool) -> Func {
    func.outputs.retain(|o| keep(&o.role));
    let mut dropped: Vec<(Buffer, Role)> = Vec::new();
    let params = std::mem::take(&mut func.params);
    func.params = params
        .into_iter()
        .filter(|p| match p.binding {
            Binding::Buffer(b) if func.buffers[b.0 as usize].storage == Storage::Output && !keep(&p.role) => {
                dropped.push((b, p.role.clone()));
                false
            }
            _ => true,
        })
        .collect();
    for (b, role) in dropped {
        let like = func.params.iter().find_map(|p| match p.binding {
            Binding::Buffer(of) if p.role.of == role.of && of != b => Some(of),
            _ => None,
        });
        let body = std::mem::take(&mut func.body);
        let mut builder = Builder::new(func);
        let mut data = builder.func.buffer(b).clone();
        let ragged_like = data.is_ragged();
        for (axis, dim) in data.dims.iter_mut().enumerate() {
            if let (Dim::Slice, Some(like)) = (&*dim, like)
                && (axis == 0 || !ragged_like)
            {
                *dim = Dim::Dyn(builder.op(Op::Len(like, axis), &[]));
            }
        }
        data.storage = Storage::Local;
        // A local needs no struct around it.
        data.field = None;
        data.layout = data.local_layout();
        data.like = if ragged_like { like } else { None };
        let fill = builder.float(0.0, data.elem.clone());
        builder.func.buffers[b.0 as usize] = data;
        builder.effect(InstKind::Alloc { buffer: b, fill });
        builder.current().insts.extend(body.insts);
        func = builder.finish();
    }
    func
}

/// Replaces a scalar parameter by a constant.
pub(crate) fn bind_seed(mut func: Func, role: &Role, constant: f64) -> Func {
    let Some(at) = func.params.iter().position(|p| p.role == *role) else { return func };
    if let Binding::Value(v) = func.params.remove(at).binding {
        let inst = Inst { results: vec![v], kind: InstKind::Pure(Op::Float(constant), Vec::new()) };
        // A constant has no name of its own.
        func.values[v.0 as usize].name = None;
        func.body.insts.insert(0, inst);
    }
    func
}

/// Makes the parameters of role `role` one: of several with the same role, the first stands for all.
pub(crate) fn merge_params(mut func: Func, role: &Role) -> Func {
    let same: Vec<usize> = (0..func.params.len()).filter(|i| func.params[*i].role == *role).collect();
    let Some((first, rest)) = same.split_first() else { return func };
    let into = func.params[*first].binding;
    for i in rest.iter().rev() {
        match (func.params.remove(*i).binding, into) {
            (Binding::Value(from), Binding::Value(into)) => {
                func.body.map_uses(&mut |v| if v == from { into } else { v });
                for o in &mut func.outputs {
                    if o.binding == Binding::Value(from) {
                        o.binding = Binding::Value(into);
                    }
                }
            }
            (Binding::Buffer(from), Binding::Buffer(into)) => {
                func.body.visit_mut(&mut |inst| inst.kind.map_buffers(|b| if b == from { into } else { b }));
            }
            _ => unreachable!("parameters of one role are bound alike"),
        }
    }
    func
}

/// Without statements of the user's (`println!`, `assert!`), which something else has run. Items stay, and what does not
/// return.
pub(crate) fn without_effects(mut func: Func) -> Func {
    fn clear(block: &mut Block) {
        let last = block.insts.len();
        let diverges = block.diverges;
        let mut k = 0;
        block.insts.retain(|inst| {
            k += 1;
            let with_operands =
                matches!(&inst.kind, InstKind::Effect(v, args) if !args.is_empty() || !v.buffers.is_empty());
            !with_operands || diverges && k == last
        });
        for inst in &mut block.insts {
            inst.kind.blocks_mut().for_each(clear);
        }
    }
    clear(&mut func.body);
    func
}
