//! Second tangents of calls where both directions are one: `y_dot_dot` of `g` along `x + x_dot t + x_dot_dot t²/2` is the curvature
//! of `g` along `x_dot`, and its slope along `x_dot_dot`. So callees need no companion for two directions.
//!
//! What does not live here: that both directions of a function are one ([`merge_params`](super::outputs::merge_params) sees to it).

use rustc_hash::FxHashMap as HashMap;

use crate::ir::{Binding, Block, Call, CallMode, Func, Inst, InstKind, Op, Value};

/// Makes each call along two directions, which must be equal, one or two calls along one.
pub(crate) fn along_one_direction(mut func: Func) -> Func {
    let mut body = std::mem::take(&mut func.body);
    let mut same: HashMap<Value, Value> = HashMap::default();
    block(&mut func, &mut body, &mut same);
    let of = |v: Value| same.get(&v).copied().unwrap_or(v);
    body.map_uses(&mut |v| of(v));
    for o in &mut func.outputs {
        if let Binding::Value(v) = &mut o.binding {
            *v = of(*v);
        }
    }
    func.body = body;
    func
}

fn block(func: &mut Func, of: &mut Block, same: &mut HashMap<Value, Value>) {
    let mut insts = Vec::with_capacity(of.insts.len());
    for mut inst in std::mem::take(&mut of.insts) {
        inst.kind.blocks_mut().for_each(|inner| block(func, inner, same));
        match (&inst.kind, inst.results.as_slice()) {
            (InstKind::Call(call), &[y, first, second, both]) if call.mode == CallMode::JvpJvp => {
                same.insert(second, first);
                split(func, call, [y, first, both], &mut insts);
            }
            _ => insts.push(inst),
        }
    }
    of.insts = insts;
}

fn split(func: &mut Func, call: &Call, [y, slope, both]: [Value; 3], insts: &mut Vec<Inst>) {
    let [d1, d2, d12] = call.dots.as_slice() else { unreachable!("three groups of directions") };
    // What is known to be zero along one is so along the other.
    let along = d1.iter().zip(d2).map(|(a, b)| a.clone().or_else(|| b.clone())).collect();
    let bent = d12.iter().any(Option::is_some);
    let ty = func.ty(both).clone();
    let curvature = if bent { func.new_value(ty.clone(), None) } else { both };
    let once = Call { mode: CallMode::Curvature, dots: vec![along], ..call.clone() };
    insts.push(Inst { results: vec![y, slope, curvature], kind: InstKind::Call(once) });
    if bent {
        let [again, turn] = [0; 2].map(|_| func.new_value(ty.clone(), None));
        let further = Call { mode: CallMode::Jvp, dots: vec![d12.clone()], ..call.clone() };
        insts.push(Inst { results: vec![again, turn], kind: InstKind::Call(further) });
        insts.push(Inst { results: vec![both], kind: InstKind::Pure(Op::Add, vec![curvature, turn]) });
    }
}
