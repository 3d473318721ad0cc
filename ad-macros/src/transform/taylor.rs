//! Second tangents of calls where both directions are one: the callee's along `x + x_dot t + x_dot_dot t²/2`, or along a line where
//! nothing bends. So callees need no companion for two directions.
//!
//! What does not live here: that both directions of a function are one ([`merge_params`](super::outputs::merge_params) sees to it).

use rustc_hash::FxHashMap as HashMap;

use crate::ir::{Block, Call, CallMode, Func, Inst, InstKind, Value};

/// Makes each call along two directions, which must be equal, one along one.
pub(crate) fn along_one_direction(mut func: Func) -> Func {
    let mut body = std::mem::take(&mut func.body);
    let mut same: HashMap<Value, Value> = HashMap::default();
    block(&mut body, &mut same);
    func.body = body;
    func.replace_values(&same);
    func
}

fn block(of: &mut Block, same: &mut HashMap<Value, Value>) {
    for inst in &mut of.insts {
        inst.kind.blocks_mut().for_each(|inner| block(inner, same));
        if let Inst { results, kind: InstKind::Call(call) } = inst
            && let (CallMode::JvpJvp, &[y, first, second, both]) = (call.mode, results.as_slice())
        {
            same.insert(second, first);
            *results = vec![y, first, both];
            along_one(call);
        }
    }
}

fn along_one(call: &mut Call) {
    let [d1, d2, d12] = call.dots.as_slice() else { unreachable!("three groups of directions") };
    // What is known to be zero along one is so along the other.
    let along = d1.iter().zip(d2).map(|(a, b)| a.clone().or_else(|| b.clone())).collect();
    (call.mode, call.dots) = if d12.iter().any(Option::is_some) {
        (CallMode::Taylor, vec![along, d12.clone()])
    } else {
        (CallMode::Curvature, vec![along])
    };
}
