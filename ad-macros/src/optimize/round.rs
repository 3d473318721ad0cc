//! Rounds of loops written out, for the passes that take them out of their loops.
//!
//! What does not live here: which rounds ([`super::unroll`], [`super::edges`]).

use rustc_hash::FxHashMap as HashMap;

use crate::ir::{Buffer, Dim, Func, Inst, InstKind, Value};

/// One round of a loop that is written out: everything that it makes is made anew.
pub(super) struct Round<'a> {
    func: &'a mut Func,
    /// What loops that are gone have come to.
    same: &'a HashMap<Value, Value>,
    /// What the values of the loop are in this round.
    pub(super) values: HashMap<Value, Value>,
    buffers: HashMap<Buffer, Buffer>,
}

impl<'a> Round<'a> {
    pub(super) fn new(func: &'a mut Func, same: &'a HashMap<Value, Value>) -> Round<'a> {
        Round { func, same, values: HashMap::default(), buffers: HashMap::default() }
    }

    pub(super) fn value(&self, mut v: Value) -> Value {
        while let Some(same) = self.same.get(&v) {
            v = *same;
        }
        *self.values.get(&v).unwrap_or(&v)
    }

    pub(super) fn fresh(&mut self, v: Value) -> Value {
        let new = self.func.like(v);
        self.values.insert(v, new);
        new
    }

    pub(super) fn inst(&mut self, inst: &Inst) -> Inst {
        let mut kind = inst.kind.clone();
        if let InstKind::Alloc { buffer, .. } = kind {
            let mut data = self.func.buffer(buffer).clone();
            for dim in &mut data.dims {
                if let Dim::Dyn(v) = dim {
                    *v = self.value(*v);
                }
            }
            data.like = data.like.map(|b| *self.buffers.get(&b).unwrap_or(&b));
            let new = self.func.new_buffer(data);
            self.buffers.insert(buffer, new);
        }
        kind.map_operands(|v| self.value(v));
        kind.map_buffers(|b| *self.buffers.get(&b).unwrap_or(&b));
        let results = inst.results.iter().map(|r| self.fresh(*r)).collect();
        for block in kind.blocks_mut() {
            block.args = block.args.iter().map(|arg| self.fresh(*arg)).collect();
            block.insts = block.insts.iter().map(|inst| self.inst(inst)).collect();
            block.yields = block.yields.iter().map(|y| self.value(*y)).collect();
        }
        Inst { results, kind }
    }
}
