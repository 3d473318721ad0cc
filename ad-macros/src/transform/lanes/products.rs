//! Products of matrices, lane by lane: the lane of a factor is copied into a matrix of its own, as the kernels want it; the
//! product into another, and from there to where it belongs.

use super::{Widen, effect, for_range};
use crate::ir::{
    Block, Buffer, BufferData, Dim, Inst, InstKind, Op, Product, Snippet, Storage, StoreMode, Type, Value,
    Verbatim,
};

impl Widen<'_> {
    /// A product in which something depends.
    pub(super) fn product(&mut self, p: &Product) -> Option<()> {
        if !self.varies.buffer_contains(p.into.buffer) {
            return None;
        }
        self.flush();
        let mut new = Product { mode: StoreMode::Set, ..p.clone() };
        for factor in [&mut new.a, &mut new.b] {
            let wide = factor.buffer;
            if self.varies.buffer_contains(wide) {
                factor.buffer = self.lane_of(wide)?;
                self.each_element(wide, (wide, factor.buffer), StoreMode::Set);
            }
        }
        let wide = p.into.buffer;
        new.into.buffer = self.lane_of(wide)?;
        let lane = new.into.buffer;
        self.gather(effect(InstKind::Product(new)));
        self.each_element(wide, (lane, wide), p.mode);
        self.flush();
        Some(())
    }

    /// Declares a buffer for one lane of a buffer.
    fn lane_of(&mut self, wide: Buffer) -> Option<Buffer> {
        let data = self.src.buffer(wide);
        if data.is_ragged() {
            return None;
        }
        let dims = (0..data.dims.len())
            .map(|axis| match &data.dims[axis] {
                Dim::Slice => Dim::Dyn(self.extent(wide, axis)),
                dim => dim.clone(),
            })
            .collect();
        let name = format!("{}_lane", data.name).into();
        let mut lane = BufferData::new(name, data.elem.clone(), dims, Storage::Local);
        lane.layout = data.local_layout();
        let lane = self.b.func.new_buffer(lane);
        let fill = self.b.float(0.0, data.elem.clone());
        self.b.effect(InstKind::Alloc { buffer: lane, fill });
        Some(lane)
    }

    /// How long an axis of a buffer is, other than that of the lanes.
    pub(super) fn extent(&mut self, buffer: Buffer, axis: usize) -> Value {
        match &self.src.buffer(buffer).dims[axis] {
            Dim::Dyn(v) => *v,
            Dim::Fixed(n) if n.chars().all(|c| c.is_ascii_digit()) => self.b.int(&format!("{n}_usize")),
            Dim::Fixed(n) => {
                let code = Snippet::written(n.clone());
                self.b.op_typed(Op::Verbatim(Verbatim::new(code, Vec::new())), &[], Type::Int)
            }
            Dim::Slice => self.b.op(Op::Len(buffer, axis), &[]),
        }
    }

    /// Stores the elements of one buffer in another, in the present lane loop. `wide` is which of them has lanes.
    fn each_element(&mut self, wide: Buffer, (from, to): (Buffer, Buffer), mode: StoreMode) {
        let data = self.src.buffer(wide);
        let index: Vec<Value> =
            data.dims.iter().map(|_| self.b.func.new_value(Type::Int, Some("i".into()))).collect();
        let value = self.b.func.new_value(data.elem.clone(), None);
        let lane = self.group().lane;
        let place = |b: Buffer| {
            let lane = (b == wide).then_some(lane);
            index.iter().copied().chain(lane).collect::<Vec<_>>()
        };
        let mut insts = vec![
            Inst { results: vec![value], kind: InstKind::Load { buffer: from, index: place(from) } },
            effect(InstKind::Store { buffer: to, index: place(to), value, mode }),
        ];
        for (axis, i) in index.iter().enumerate().rev() {
            let (lo, hi) = (self.b.int("0_usize"), self.extent(wide, axis));
            let body = Block { args: vec![*i], insts, ..Block::default() };
            insts = vec![effect(InstKind::For(for_range(lo, hi, body)))];
        }
        insts.into_iter().for_each(|inst| self.gather(inst));
    }
}
