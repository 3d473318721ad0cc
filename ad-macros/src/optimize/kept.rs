//! What two loops of a round both compute, and is dear, is kept in between in an array on the stack, as far as that goes.
//!
//! ```text
//! for i in ..  { for k in 0..n carrying p { e = exp(..); p += a[k] * e }  ..  for k in 0..n { e = exp(..); .. } }     becomes
//! for i in ..  { few = n <= 64;
//!                for k in 0..n carrying p { e = exp(..); if few { e_kept[k] = e }  p += a[k] * e }  ..
//!                for k in 0..n { e = if few { e_kept[k] } else { exp(..) };  .. } }
//! ```
//!
//! The second loop needs what the first comes to (a residual, say), so that the two cannot be one, and the function has no vector to
//! keep what it computes ([`crate::analysis::keep`] does that for those that have): it is promised to allocate nothing.
//!
//! Conditions: both loops run from zero to one bound, in each round of a loop around them, which pays for making the array; the value
//! comes from the same values and the same unwritten memory in both, through instructions and loops that do nothing else.

use rustc_hash::FxHashSet as HashSet;

use super::parked::{dear_twins, written_between};
use crate::analysis::definitions::{Definitions, definitions, literal};
use crate::analysis::keep::is_dear;
use crate::analysis::sizes::sizes;
use crate::ir::{
    Block, Buffer, BufferData, Cmp, Dim, FloatKind, ForLoop, Func, Inst, InstKind, Op, Storage, StoreMode,
    Type, Value,
};

/// Of longer loops nothing is kept.
const PLACES: u64 = 64;

/// Runs the pass.
pub(crate) fn kept(mut func: Func) -> Func {
    let (defs, sizes) = (definitions(&func), sizes(&func));
    let mut body = std::mem::take(&mut func.body);
    let mut keep = Keep { func: &mut func, defs, sizes, arrays: Vec::new() };
    keep.in_block(&mut body, false);
    let arrays = keep.arrays;
    body.insts.splice(0..0, arrays);
    func.body = body;
    func
}

struct Keep<'a> {
    func: &'a mut Func,
    defs: Definitions,
    sizes: HashSet<Value>,
    /// Their declarations.
    arrays: Vec<Inst>,
}

impl Keep<'_> {
    fn in_block(&mut self, block: &mut Block, in_loop: bool) {
        for inst in &mut block.insts {
            let is_loop = matches!(inst.kind, InstKind::For(_) | InstKind::While { .. });
            for nested in inst.kind.blocks_mut() {
                self.in_block(nested, in_loop || is_loop);
            }
        }
        if !in_loop {
            return;
        }
        let mut second = 1;
        while second < block.insts.len() {
            if let Some((first, twins)) = self.partner(block, second) {
                second += self.keep(block, first, second, &twins);
            }
            second += 1;
        }
    }

    /// The nearest loop before one that computes something of the same, and what.
    fn partner(&self, block: &Block, second: usize) -> Option<(usize, Vec<(usize, usize)>)> {
        let InstKind::For(b) = &block.insts[second].kind else { return None };
        if !self.counts(b) {
            return None;
        }
        (0..second).rev().find_map(|first| {
            let InstKind::For(a) = &block.insts[first].kind else { return None };
            let written = written_between(&block.insts[first..=second]);
            let twins = dear_twins(&self.defs, a, b, &written, |inst| self.is_kept(inst));
            (self.counts(a) && a.hi == b.hi && !twins.is_empty()).then_some((first, twins))
        })
    }

    /// From zero, by one, to what is a length; and not always further than there are places.
    fn counts(&self, l: &ForLoop) -> bool {
        let plain = l.step.is_none() && !l.inclusive && !l.body.diverges && l.rev == l.flipped;
        plain
            && literal(&self.defs, l.lo) == Some(0)
            && literal(&self.defs, l.hi).map_or_else(|| self.sizes.contains(&l.hi), |n| n <= PLACES)
            && self.sizes.contains(&l.body.args[0])
    }

    /// Something dear, of numbers whose type is known.
    fn is_kept(&self, inst: &Inst) -> bool {
        let is_known = |r: &Value| matches!(self.func.ty(*r), Type::Float(FloatKind::F64 | FloatKind::F32));
        !inst.results.is_empty() && inst.results.iter().all(is_known) && is_dear(&self.defs, inst)
    }

    /// Returns how many instructions the block has gained before the second loop.
    fn keep(&mut self, block: &mut Block, first: usize, second: usize, twins: &[(usize, usize)]) -> usize {
        let InstKind::For(a) = &block.insts[first].kind else { return 0 };
        let mut head = Vec::new();
        let places = self.emit(Op::Int(format!("{PLACES}_usize").into()), Vec::new(), Type::Int, &mut head);
        let few = self.emit(Op::Cmp(Cmp::Le), vec![a.hi, places], Type::Bool, &mut head);
        self.func.values[few.0 as usize].name = Some("few".into());
        let results = |at: usize| a.body.insts[at].results.clone();
        let results: Vec<Vec<Value>> = twins.iter().map(|(at, _)| results(*at)).collect();
        let buffers: Vec<Vec<Buffer>> =
            results.iter().map(|list| list.iter().map(|v| self.array(*v)).collect()).collect();
        if let InstKind::For(a) = &mut block.insts[first].kind {
            let mut stores = Block::default();
            for (value, buffer) in results.into_iter().flatten().zip(buffers.iter().flatten()) {
                let index = vec![a.body.args[0]];
                let kind = InstKind::Store { buffer: *buffer, index, value, mode: StoreMode::Set };
                stores.insts.push(Inst { results: Vec::new(), kind });
            }
            let kind = InstKind::If { cond: few, then_block: stores, else_block: Block::default() };
            a.body.insts.push(Inst { results: Vec::new(), kind });
        }
        if let InstKind::For(b) = &mut block.insts[second].kind {
            // By what they make: instructions that go along leave their places.
            let made: Vec<Vec<Value>> =
                twins.iter().map(|(_, at)| b.body.insts[*at].results.clone()).collect();
            for (results, buffers) in made.iter().zip(&buffers) {
                self.take(&mut b.body, few, results, buffers);
            }
        }
        let gained = head.len();
        block.insts.splice(first..first, head);
        gained
    }

    /// Takes what an instruction makes from where it is kept, if it is.
    fn take(&mut self, body: &mut Block, few: Value, made: &[Value], buffers: &[Buffer]) {
        let Some(twin) = body.insts.iter().position(|inst| inst.results == made) else { return };
        // What only it is made of goes with it.
        let mut moved: HashSet<usize> = HashSet::default();
        moved.insert(twin);
        for at in (0..twin).rev() {
            if goes_along(body, at, &moved) {
                moved.insert(at);
            }
        }
        let (mut then_block, mut else_block) = (Block::default(), Block::default());
        let mut rest = Vec::with_capacity(body.insts.len());
        for (at, mut inst) in std::mem::take(&mut body.insts).into_iter().enumerate() {
            if !moved.contains(&at) {
                rest.push(inst);
                continue;
            }
            let results = inst.results.clone();
            if at == twin {
                inst.results = results.iter().map(|r| self.func.like(*r)).collect();
                else_block.yields.clone_from(&inst.results);
            }
            else_block.insts.push(inst);
            if at == twin {
                for (result, buffer) in results.iter().zip(buffers) {
                    let loaded = self.func.like(*result);
                    let kind = InstKind::Load { buffer: *buffer, index: vec![body.args[0]] };
                    then_block.insts.push(Inst { results: vec![loaded], kind });
                    then_block.yields.push(loaded);
                }
                let (then_block, else_block) =
                    (std::mem::take(&mut then_block), std::mem::take(&mut else_block));
                rest.push(Inst { results, kind: InstKind::If { cond: few, then_block, else_block } });
            }
        }
        body.insts = rest;
    }

    fn array(&mut self, value: Value) -> Buffer {
        let data = self.func.value(value);
        let (elem, name) = (data.ty.clone(), data.name.clone());
        let name = format!("{}_kept", name.as_deref().unwrap_or("value"));
        let dims = vec![Dim::Fixed(PLACES.to_string().into())];
        let buffer = self.func.new_buffer(BufferData::new(name.into(), elem.clone(), dims, Storage::Local));
        let mut arrays = std::mem::take(&mut self.arrays);
        let fill = self.emit(Op::Float(0.0), Vec::new(), elem, &mut arrays);
        arrays.push(Inst { results: Vec::new(), kind: InstKind::Alloc { buffer, fill } });
        self.arrays = arrays;
        buffer
    }

    fn emit(&mut self, op: Op, args: Vec<Value>, ty: Type, out: &mut Vec<Inst>) -> Value {
        let v = self.func.new_value(ty, None);
        out.push(Inst { results: vec![v], kind: InstKind::Pure(op, args) });
        v
    }
}

/// Whether an instruction is of use to what moves alone.
fn goes_along(body: &Block, at: usize, moved: &HashSet<usize>) -> bool {
    let inst = &body.insts[at];
    let computes = match &inst.kind {
        InstKind::Pure(Op::Verbatim(_) | Op::Custom(_), _) => false,
        InstKind::Pure(..) | InstKind::Load { .. } => true,
        InstKind::For(l) => only_computes(&l.body),
        _ => false,
    };
    let mine = |v: &Value| inst.results.contains(v);
    let mut elsewhere = body.yields.iter().any(mine);
    let mut used = false;
    for (k, other) in body.insts.iter().enumerate() {
        let mut uses = false;
        other.kind.each_operand(|v| uses |= mine(&v));
        other.kind.blocks().for_each(|b| b.each_use(&mut |v| uses |= mine(&v)));
        used |= uses;
        elsewhere |= uses && !moved.contains(&k);
    }
    computes && used && !elsewhere
}

/// Whether a block does nothing but compute what it yields.
pub(super) fn only_computes(block: &Block) -> bool {
    !block.diverges
        && block.insts.iter().all(|inst| match &inst.kind {
            InstKind::Pure(op, _) => !matches!(op, Op::Verbatim(_) | Op::Custom(_)),
            InstKind::Load { .. } => true,
            InstKind::For(l) => only_computes(&l.body),
            _ => false,
        })
}
