//! Calls of other differentiable functions: their companions take one direction, so they are called lane by lane.
//!
//! First what a call computes that no direction has a part in is split off, to be computed once. What is left runs in a
//! lane loop of its own. The lane of a slice is copied into a slice for the time of the call, and that of an adjoint is
//! added to where it belongs afterwards.

use super::{Widen, effect, for_range};
use crate::ir::{
    Arg, BarArg, Block, Buffer, BufferData, Call, CallMode, Dim, Func, Inst, InstKind, Op, Storage,
    StoreMode, Type, Value,
};

/// Makes two of each call that computes a value (or an adjoint) and its tangent.
pub(super) fn split_calls(mut func: Func) -> Func {
    let mut body = std::mem::take(&mut func.body);
    in_block(&mut func, &mut body);
    func.body = body;
    func
}

fn in_block(func: &mut Func, block: &mut Block) {
    let mut insts = Vec::with_capacity(block.insts.len());
    for mut inst in std::mem::take(&mut block.insts) {
        inst.kind.blocks_mut().for_each(|b| in_block(func, b));
        if let InstKind::Call(call) = &mut inst.kind {
            let first = match call.mode {
                CallMode::Jvp => {
                    let dummy = func.new_value(func.ty(inst.results[0]).clone(), None);
                    let value = std::mem::replace(&mut inst.results[0], dummy);
                    Some((CallMode::Primal, vec![value], Vec::new()))
                }
                CallMode::VjpJvp => {
                    let bars = std::mem::take(&mut call.bars[0]);
                    let n = bars.iter().filter(|bar| **bar == Some(BarArg::Result)).count();
                    call.bars[0] = vec![None; bars.len()];
                    let results = inst.results.drain(..n).collect();
                    Some((CallMode::Vjp, results, vec![bars]))
                }
                _ => None,
            };
            if let Some((mode, results, bars)) = first {
                let seeds = call.seeds.iter().copied().take(bars.len()).collect();
                let call = Call { mode, dots: Vec::new(), seeds, bars, ..call.clone() };
                insts.push(Inst { results, kind: InstKind::Call(call) });
            }
        }
        insts.push(inst);
    }
    block.insts = insts;
}

impl Widen<'_> {
    /// A call in which something depends.
    pub(super) fn call(&mut self, inst: &Inst, call: &Call) -> Option<()> {
        let plain = |arg: &Arg| match arg {
            Arg::Value(v) => !self.varies(*v),
            Arg::Buffer { buffer, .. } => !self.varies.buffer_contains(*buffer),
        };
        if !matches!(call.mode, CallMode::Jvp | CallMode::VjpJvp) || !call.args.iter().all(plain) {
            return None;
        }
        self.flush();
        let mut new = call.clone();
        for dot in new.dots.iter_mut().flatten().flatten() {
            match dot {
                Arg::Value(v) => *v = self.operand(*v),
                Arg::Buffer { buffer, .. } if !self.varies.buffer_contains(*buffer) => {}
                Arg::Buffer { .. } => {
                    let part = Part::of(self, dot)?;
                    self.copy(&part, |part, i, lane| {
                        let value = part.value;
                        let kind = InstKind::Load { buffer: part.of, index: part.element(i, lane) };
                        let index = vec![i];
                        vec![
                            Inst { results: vec![value], kind },
                            effect(InstKind::Store { buffer: part.lane, index, value, mode: StoreMode::Set }),
                        ]
                    });
                    *dot = part.whole();
                }
            }
        }
        new.seeds = new.seeds.iter().map(|v| self.operand(*v)).collect();
        let mut added = Vec::new();
        for bar in new.bars.iter_mut().flatten().flatten() {
            let BarArg::Into(arg) = bar else { continue };
            let part = Part::of(self, arg)?;
            let zero = self.b.float(0.0, self.src.buffer(part.of).elem.clone());
            self.gather(effect(InstKind::Fill { buffer: part.lane, value: zero }));
            *arg = part.whole();
            added.push(part);
        }
        self.gather(Inst { results: inst.results.clone(), kind: InstKind::Call(new) });
        for part in added {
            self.copy(&part, |part, i, lane| {
                let (value, buffer, index) = (part.value, part.of, part.element(i, lane));
                let kind = InstKind::Load { buffer: part.lane, index: vec![i] };
                vec![
                    Inst { results: vec![value], kind },
                    effect(InstKind::Store { buffer, index, value, mode: StoreMode::Add }),
                ]
            });
        }
        self.flush();
        Some(())
    }

    /// A loop over the elements of a part, in the present lane loop.
    fn copy(&mut self, part: &Part, each: impl Fn(&Part, Value, Value) -> Vec<Inst>) {
        let i = self.b.func.new_value(Type::Int, Some("i".into()));
        let mut insts = Vec::new();
        let mut part = part.clone();
        if let Some(start) = part.start {
            let at = self.b.func.new_value(Type::Int, None);
            insts.push(Inst { results: vec![at], kind: InstKind::Pure(Op::Add, vec![start, i]) });
            part.at = Some(at);
        }
        insts.extend(each(&part, i, self.group().lane));
        let body = Block { args: vec![i], insts, ..Block::default() };
        let zero = self.b.int("0_usize");
        self.gather(effect(InstKind::For(for_range(zero, part.len, body))));
    }
}

/// Part of a buffer with lanes, and a buffer for one lane of it.
#[derive(Clone)]
struct Part {
    of: Buffer,
    prefix: Vec<Value>,
    start: Option<Value>,
    len: Value,
    lane: Buffer,
    /// `start + i`
    at: Option<Value>,
    /// An element on its way.
    value: Value,
}

impl Part {
    /// Of an argument; the buffer for its lanes is declared. `None` if it has other than one axis.
    fn of(w: &mut Widen<'_>, arg: &Arg) -> Option<Part> {
        let Arg::Buffer { buffer, prefix, range, .. } = arg else { return None };
        let data = w.src.buffer(*buffer);
        let [dim] = &data.dims[prefix.len()..] else { return None };
        if data.is_ragged() || !w.varies.buffer_contains(*buffer) {
            return None;
        }
        let (start, len, dim) = match (range, dim) {
            (Some((start, len)), _) => (Some(*start), *len, Dim::Dyn(*len)),
            (None, dim) => {
                let len = w.b.op(Op::Len(*buffer, prefix.len()), &[]);
                (None, len, if matches!(dim, Dim::Fixed(_)) { dim.clone() } else { Dim::Dyn(len) })
            }
        };
        let name = format!("{}_lane", data.name).into();
        let lane = w.b.func.new_buffer(BufferData::new(name, data.elem.clone(), vec![dim], Storage::Local));
        let fill = w.b.float(0.0, data.elem.clone());
        w.b.effect(InstKind::Alloc { buffer: lane, fill });
        let value = w.b.func.new_value(data.elem.clone(), None);
        Some(Part { of: *buffer, prefix: prefix.clone(), start, len, lane, at: None, value })
    }

    fn element(&self, i: Value, lane: Value) -> Vec<Value> {
        self.prefix.iter().copied().chain([self.at.unwrap_or(i), lane]).collect()
    }

    fn whole(&self) -> Arg {
        Arg::Buffer { buffer: self.lane, prefix: Vec::new(), range: None, by_ref: true }
    }
}
