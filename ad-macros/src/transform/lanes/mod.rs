//! The lanes transform: a function of one direction becomes a function of `K` directions at once.
//!
//! ```text
//! H(x, v)  ->  [H(x, v_0), .., H(x, v_{K-1})]
//! ```
//!
//! What depends on a direction becomes `K` wide; everything else stays as it is, and is computed once. Buffers that
//! depend get a last axis of `K`, so that the lanes of an element lie side by side. Instructions on scalars that depend
//! are gathered, as many in a row as control flow allows, into one loop `for lane in 0..K`, which LLVM unrolls or
//! vectorises; scalars that outlive their lane loop (what loops carry, what branches choose, what several lane loops use)
//! are kept in local arrays `[T; K]`. So the IR stays as it was: nothing after this transform knows of lanes.
//!
//! What is fixed never reads what depends, so that fixed instructions move in front of the lane loop that is being
//! gathered. Control flow and indices must not depend on a direction; they never do in derivatives, which are linear in it.
//!
//! (The optimiser's pass of a similar name, `optimize/lanes`, runs eight rounds of *one* direction's loop side by side.)

mod calls;
mod products;

use std::sync::Arc;

use rustc_hash::FxHashMap as HashMap;

use crate::analysis::activity::{Activity, varied};
use crate::ir::{
    Binding, Block, Buffer, BufferData, Builder, Dim, ForLoop, Func, Inst, InstKind, Layout, Mark, Op, Stack,
    Storage, StoreMode, Type, Value,
};

/// The function for `count` directions (the name of a constant, or a literal) at once. Directions are the parameters
/// marked `[Dot]`; their type `T`, and that of the outputs that depend on them, becomes `[T; count]`. `None` if something
/// of it cannot have lanes: parameters that are structs or arrays of a library, rows of differing lengths.
pub(crate) fn widen(func: &Func, count: &str) -> Option<Func> {
    let split = calls::split_calls(func.clone());
    let func = &split;
    let varies = depends(func);
    if !all_nested(func, &varies) {
        return None;
    }
    let mut b = Builder::new(func.clone());
    b.func.lanes = Some(count.into());
    for (k, data) in b.func.buffers.iter_mut().enumerate() {
        if varies.buffer(buffer_at(k)) {
            data.dims.push(Dim::Fixed(count.into()));
            if data.layout == Layout::Flat {
                data.layout = Layout::Nested;
            }
        }
    }
    for (k, data) in b.func.stacks.iter_mut().enumerate() {
        if varies.stack(Stack(u32::try_from(k).unwrap_or(u32::MAX))) {
            data.contents.get_or_insert_default().push(Dim::Fixed(count.into()));
        }
    }
    let mut widen = Widen {
        src: func,
        b,
        varies,
        count: count.into(),
        arrays: HashMap::default(),
        made_in: HashMap::default(),
        group: None,
    };
    widen.params();
    for inst in &func.body.insts {
        widen.inst(inst)?;
    }
    widen.flush();
    widen.outputs();
    widen.b.current().diverges = func.body.diverges;
    Some(widen.b.finish())
}

fn buffer_at(k: usize) -> Buffer {
    Buffer(u32::try_from(k).unwrap_or(u32::MAX))
}

fn ends_in_dot(marks: &[Mark]) -> bool {
    marks.last() == Some(&Mark::Dot)
}

/// What depends on the directions, and what must be as wide as that: outputs that are promised to be, and all buffers
/// whose contents go through the same stack.
fn depends(func: &Func) -> Activity {
    let mut seeds: Vec<Binding> =
        func.params.iter().filter(|p| ends_in_dot(&p.role.marks)).map(|p| p.binding).collect();
    loop {
        let varies = varied(func, &seeds);
        let mut more = Vec::new();
        func.body.visit(&mut |inst| match inst.kind {
            InstKind::PushBuffer { stack, buffer } if varies.stack(stack) && !varies.buffer(buffer) => {
                more.push(buffer);
            }
            // Some push is wide if a buffer that goes into it is.
            InstKind::PopBuffer { stack, buffer } if varies.buffer(buffer) && !varies.stack(stack) => {
                func.body.visit(&mut |inst| {
                    if let InstKind::PushBuffer { stack: s, buffer } = inst.kind
                        && s == stack
                    {
                        more.push(buffer);
                    }
                });
            }
            _ => {}
        });
        for o in func.outputs.iter().filter(|o| ends_in_dot(&o.role.marks)) {
            if let Binding::Buffer(b) = o.binding
                && !varies.buffer(b)
            {
                more.push(b);
            }
        }
        more.retain(|b| func.buffer(*b).elem.is_float() && !varies.buffer(*b));
        if more.is_empty() {
            return varies;
        }
        seeds.extend(more.into_iter().map(Binding::Buffer));
    }
}

/// Whether all that depends is arrays, slices and vectors in each other, and rows of parameters are of one length.
fn all_nested(func: &Func, varies: &Activity) -> bool {
    let mut buffers = func.buffers.iter().enumerate().filter(|(k, _)| varies.buffer(buffer_at(*k)));
    let nested = buffers.all(|(_, data)| {
        let ragged = data.is_ragged() && data.storage != Storage::Local;
        matches!(data.layout, Layout::Nested | Layout::Flat) && data.field.is_none() && !ragged
    });
    let roles = func.params.iter().map(|p| &p.role).chain(func.outputs.iter().map(|o| &o.role));
    nested
        && roles
            .filter(|role| ends_in_dot(&role.marks))
            .all(|role| matches!(role.of, crate::ir::Source::Param(_)))
}

/// The lane loop that is being gathered.
struct Group {
    lane: Value,
    insts: Vec<Inst>,
    /// What stands in it for a value that depends: itself, or what has been loaded from its array.
    here: HashMap<Value, Value>,
    /// Pushes that come after it.
    pushes: Vec<(Stack, Buffer)>,
}

struct Widen<'a> {
    src: &'a Func,
    b: Builder,
    varies: Activity,
    count: Arc<str>,
    /// The arrays of values that outlive their lane loops.
    arrays: HashMap<Value, Buffer>,
    /// For the other values: the variable of the lane loop that makes them.
    made_in: HashMap<Value, Value>,
    group: Option<Group>,
}

impl Widen<'_> {
    fn varies(&self, v: Value) -> bool {
        self.varies.values_contain(v)
    }

    /// An operand that must not depend.
    fn fixed(&self, v: Value) -> Option<Value> {
        (!self.varies(v)).then_some(v)
    }

    fn all_fixed(&self, list: &[Value]) -> Option<()> {
        list.iter().all(|v| !self.varies(*v)).then_some(())
    }

    /// Whether an instruction, or one nested in it, has to do with anything that depends.
    fn touches(&self, inst: &Inst) -> bool {
        let mut found = inst.results.iter().any(|v| self.varies(*v));
        let own = |inst: &Inst, found: &mut bool| {
            *found |= inst.results.iter().any(|v| self.varies(*v));
            inst.kind.each_operand(|v| *found |= self.varies(v));
            // Lengths are those of the function for one direction.
            if !matches!(inst.kind, InstKind::Pure(Op::Len(..), _)) {
                inst.kind.each_buffer(|b| *found |= self.varies.buffer_contains(b));
            }
            *found |= inst.kind.stack().is_some_and(|s| self.varies.stack_contains(s));
        };
        own(inst, &mut found);
        for block in inst.kind.blocks() {
            block.visit(&mut |inst| own(inst, &mut found));
            found |= block.yields.iter().any(|v| self.varies(*v));
        }
        found
    }

    // ---------------------------------------------------------------------------------------- parameters, outputs

    fn params(&mut self) {
        for k in 0..self.b.func.params.len() {
            let Binding::Value(v) = self.b.func.params[k].binding else { continue };
            if self.varies(v) {
                let array = self.new_array(v, Storage::Owned);
                self.b.func.params[k].binding = Binding::Buffer(array);
                self.arrays.insert(v, array);
            }
        }
    }

    fn outputs(&mut self) {
        for k in 0..self.b.func.outputs.len() {
            let output = &self.b.func.outputs[k];
            let Binding::Value(v) = output.binding else { continue };
            if ends_in_dot(&output.role.marks) {
                let array = if self.varies(v) { self.array_of(v) } else { self.filled(v) };
                self.b.func.outputs[k].binding = Binding::Buffer(array);
            }
        }
    }

    // ---------------------------------------------------------------------------------------- arrays

    /// A new array for a value, not declared yet.
    fn new_array(&mut self, v: Value, storage: Storage) -> Buffer {
        let data = self.b.func.value(v).clone();
        let name = data.name.unwrap_or_else(|| "lanes".into());
        let dims = vec![Dim::Fixed(self.count.clone())];
        self.b.func.new_buffer(BufferData::new(name, data.ty, dims, storage))
    }

    /// A new array for a value, declared here.
    fn declared(&mut self, v: Value) -> Buffer {
        let array = self.new_array(v, Storage::Local);
        let fill = self.b.float(0.0, self.src.ty(v).clone());
        self.b.effect(InstKind::Alloc { buffer: array, fill });
        array
    }

    /// A new array that holds a fixed value in all lanes.
    fn filled(&mut self, v: Value) -> Buffer {
        let array = self.new_array(v, Storage::Local);
        self.b.effect(InstKind::Alloc { buffer: array, fill: v });
        array
    }

    /// The array of a value that depends and was made before the present group: where there is none, the lane loop that
    /// makes the value is given one.
    fn array_of(&mut self, v: Value) -> Buffer {
        if let Some(array) = self.arrays.get(&v) {
            return *array;
        }
        let array = self.new_array(v, Storage::Local);
        self.arrays.insert(v, array);
        let zero = self.b.func.new_value(self.src.ty(v).clone(), None);
        let lane = self.made_in.get(&v).copied();
        for block in self.b.open_blocks() {
            let found = block.insts.iter().position(
                |inst| matches!(&inst.kind, InstKind::For(l) if l.body.args.first() == lane.as_ref()),
            );
            let Some(at) = found else { continue };
            if let (InstKind::For(l), Some(lane)) = (&mut block.insts[at].kind, lane) {
                l.body.insts.push(effect(InstKind::Store {
                    buffer: array,
                    index: vec![lane],
                    value: v,
                    mode: StoreMode::Set,
                }));
            }
            let declaration = [
                Inst { results: vec![zero], kind: InstKind::Pure(Op::Float(0.0), Vec::new()) },
                effect(InstKind::Alloc { buffer: array, fill: zero }),
            ];
            block.insts.splice(at..at, declaration);
            break;
        }
        array
    }

    // ---------------------------------------------------------------------------------------- lane loops

    fn group(&mut self) -> &mut Group {
        let func = &mut self.b.func;
        self.group.get_or_insert_with(|| Group {
            lane: func.new_value(Type::Int, Some("lane".into())),
            insts: Vec::new(),
            here: HashMap::default(),
            pushes: Vec::new(),
        })
    }

    /// Closes the lane loop that is being gathered.
    fn flush(&mut self) {
        let Some(group) = self.group.take() else { return };
        if !group.insts.is_empty() {
            for v in group.insts.iter().flat_map(|inst| &inst.results) {
                self.made_in.insert(*v, group.lane);
            }
            let (lo, hi) = (self.b.int("0_usize"), self.b.int(&self.count.clone()));
            let body = Block { args: vec![group.lane], insts: group.insts, ..Block::default() };
            self.b.effect(InstKind::For(for_range(lo, hi, body)));
        }
        for (stack, buffer) in group.pushes {
            self.b.effect(InstKind::PushBuffer { stack, buffer });
        }
    }

    /// What stands for an operand in the present lane loop.
    fn operand(&mut self, v: Value) -> Value {
        if !self.varies(v) {
            return v;
        }
        if let Some(here) = self.group().here.get(&v) {
            return *here;
        }
        let buffer = self.array_of(v);
        let ty = self.src.ty(v).clone();
        let loaded = self.b.func.new_value(ty, None);
        let group = self.group();
        let kind = InstKind::Load { buffer, index: vec![group.lane] };
        group.insts.push(Inst { results: vec![loaded], kind });
        group.here.insert(v, loaded);
        loaded
    }

    /// Adds an instruction to the present lane loop.
    fn gather(&mut self, inst: Inst) {
        let group = self.group();
        for r in &inst.results {
            group.here.insert(*r, *r);
        }
        group.insts.push(inst);
    }

    /// Stores values in arrays, lane by lane: all are read before any is stored.
    fn store_all(&mut self, values: &[Value], arrays: &[Option<Buffer>]) {
        let pairs = values.iter().zip(arrays).filter_map(|(v, array)| Some((*v, (*array)?)));
        // What stays as it is needs no copy.
        let moved = pairs.filter(|(v, array)| self.arrays.get(v) != Some(array)).collect::<Vec<_>>();
        let read: Vec<(Value, Buffer)> =
            moved.into_iter().map(|(v, array)| (self.operand(v), array)).collect();
        for (value, buffer) in read {
            let index = vec![self.group().lane];
            self.gather(effect(InstKind::Store { buffer, index, value, mode: StoreMode::Set }));
        }
    }

    // ---------------------------------------------------------------------------------------- instructions

    /// A nested block that takes those of its arguments that are fixed, stores in `arrays` what it yields for them, and
    /// yields the rest.
    fn nested(&mut self, block: &Block, arrays: &[Option<Buffer>]) -> Option<Block> {
        let args = block.args.iter().copied().filter(|v| !self.varies(*v)).collect();
        self.b.open(args);
        for inst in &block.insts {
            self.inst(inst)?;
        }
        let mut yields = Vec::new();
        if block.diverges {
            self.group = None;
        } else {
            self.store_all(&block.yields, arrays);
            let kept =
                block.yields.iter().enumerate().filter(|(k, _)| arrays.get(*k).is_none_or(Option::is_none));
            yields = kept.map(|(_, v)| self.fixed(*v)).collect::<Option<_>>()?;
        }
        self.flush();
        let mut new = self.b.close(yields);
        new.diverges = block.diverges;
        Some(new)
    }

    /// An array for each result that depends, declared in front of what has the results.
    fn result_arrays(&mut self, results: &[Value]) -> Vec<Option<Buffer>> {
        let arrays = results.iter().map(|r| self.varies(*r).then(|| self.declared(*r)));
        arrays.collect()
    }

    /// What a loop carries that depends: arrays, declared and set to what they start from, which stand for the arguments
    /// and the results.
    fn carried(&mut self, inits: &[Value], args: &[&[Value]], results: &[Value]) -> Vec<Option<Buffer>> {
        let mut arrays = Vec::new();
        let mut copied = Vec::new();
        for (k, init) in inits.iter().enumerate() {
            let varies = self.varies(results[k]) || args.iter().any(|list| self.varies(list[k]));
            if !varies {
                arrays.push(None);
                copied.push(None);
                continue;
            }
            let named = args[0][k];
            let array = self.new_array(named, Storage::Local);
            let copy = self.varies(*init);
            let fill = if copy { self.b.float(0.0, self.src.ty(named).clone()) } else { *init };
            self.b.effect(InstKind::Alloc { buffer: array, fill });
            arrays.push(Some(array));
            copied.push(copy.then_some(array));
        }
        self.store_all(inits, &copied);
        for (k, array) in arrays.iter().enumerate() {
            if let Some(array) = array {
                for list in args {
                    self.arrays.insert(list[k], *array);
                }
                self.arrays.insert(results[k], *array);
            }
        }
        arrays
    }

    fn inst(&mut self, inst: &Inst) -> Option<()> {
        if !self.touches(inst) {
            // What leaves the function, or is seen outside of it, keeps its place.
            if matches!(inst.kind, InstKind::Effect(..)) {
                self.flush();
            }
            self.b.push(inst.clone());
            return Some(());
        }
        match &inst.kind {
            InstKind::Pure(op, args) => {
                if matches!(op, Op::Verbatim(_)) || !self.varies(inst.results[0]) {
                    return None;
                }
                let args = args.iter().map(|a| self.operand(*a)).collect();
                self.gather(Inst { results: inst.results.clone(), kind: InstKind::Pure(op.clone(), args) });
            }
            InstKind::Load { buffer, index } => {
                let index = self.index(index)?;
                let kind = InstKind::Load { buffer: *buffer, index };
                self.gather(Inst { results: inst.results.clone(), kind });
            }
            InstKind::Store { buffer, index, value, mode } => {
                let index = self.index(index)?;
                let value = self.operand(*value);
                self.gather(effect(InstKind::Store { buffer: *buffer, index, value, mode: *mode }));
            }
            InstKind::Alloc { buffer, fill } => {
                if self.varies(*fill) {
                    let zero = self.b.float(0.0, self.src.ty(*fill).clone());
                    self.b.effect(InstKind::Alloc { buffer: *buffer, fill: zero });
                    self.fill(*buffer, *fill);
                } else {
                    self.b.push(inst.clone());
                }
            }
            InstKind::Fill { buffer, value } => {
                self.flush();
                if self.varies(*value) {
                    self.fill(*buffer, *value);
                } else {
                    self.b.push(inst.clone());
                }
            }
            InstKind::Grow { len, .. } => {
                self.fixed(*len)?;
                self.flush();
                self.b.push(inst.clone());
            }
            InstKind::Push { stack, value } => self.push(*stack, *value),
            InstKind::Pop { stack } => {
                self.keep_order(*stack);
                let r = inst.results[0];
                let buffer = self.declared(r);
                self.b.effect(InstKind::PopBuffer { stack: *stack, buffer });
                self.arrays.insert(r, buffer);
            }
            InstKind::PushBuffer { .. } | InstKind::PopBuffer { .. } => {
                self.flush();
                self.b.push(inst.clone());
            }
            InstKind::If { .. } | InstKind::For(_) | InstKind::While { .. } => self.control(inst)?,
            InstKind::Call(call) => self.call(inst, call)?,
            InstKind::Product(p) => self.product(p)?,
            InstKind::Effect(..) | InstKind::Window { .. } => return None,
        }
        Some(())
    }

    /// The index of the present lane of an element.
    fn index(&mut self, index: &[Value]) -> Option<Vec<Value>> {
        self.all_fixed(index)?;
        let mut index = index.to_vec();
        index.push(self.group().lane);
        Some(index)
    }

    /// Pushes that come before what is popped, or pushed, from the same stack now.
    fn keep_order(&mut self, stack: Stack) {
        if self.group.as_ref().is_some_and(|g| g.pushes.iter().any(|(s, _)| *s == stack)) {
            self.flush();
        }
    }

    fn push(&mut self, stack: Stack, v: Value) {
        let made_here = self.group.as_ref().is_some_and(|g| g.here.get(&v) == Some(&v));
        if made_here && !self.arrays.contains_key(&v) {
            let array = self.declared(v);
            self.store_all(&[v], &[Some(array)]);
            self.arrays.insert(v, array);
            self.group().pushes.push((stack, array));
            return;
        }
        self.keep_order(stack);
        let late = self.group.as_ref().is_some_and(|g| g.here.get(&v) == Some(&v));
        let buffer = if self.varies(v) { self.array_of(v) } else { self.filled(v) };
        if late {
            self.group().pushes.push((stack, buffer));
        } else {
            self.b.effect(InstKind::PushBuffer { stack, buffer });
        }
    }

    /// Sets all elements of a buffer to a value that depends.
    fn fill(&mut self, buffer: Buffer, value: Value) {
        let axes = self.src.buffer(buffer).dims.len();
        // The value is read where it was made, in front of the loops.
        self.flush();
        self.array_of(value);
        let mut index = Vec::new();
        let mut heads = Vec::new();
        for axis in 0..axes {
            let lo = self.b.int("0_usize");
            let hi = self.extent(buffer, axis);
            let i = self.b.func.new_value(Type::Int, Some("i".into()));
            self.b.open(vec![i]);
            heads.push((lo, hi));
            index.push(i);
        }
        let value = self.operand(value);
        index.push(self.group().lane);
        self.gather(effect(InstKind::Store { buffer, index, value, mode: StoreMode::Set }));
        self.flush();
        for (lo, hi) in heads.into_iter().rev() {
            let body = self.b.close(Vec::new());
            self.b.effect(InstKind::For(for_range(lo, hi, body)));
        }
    }

    fn control(&mut self, inst: &Inst) -> Option<()> {
        let kept: Vec<Value> = inst.results.iter().copied().filter(|r| !self.varies(*r)).collect();
        let kept_inits = |this: &Self, inits: &[Value], arrays: &[Option<Buffer>]| {
            let inits = inits.iter().zip(arrays).filter(|(_, array)| array.is_none());
            inits.map(|(v, _)| this.fixed(*v)).collect::<Option<Vec<_>>>()
        };
        match &inst.kind {
            InstKind::If { cond, then_block, else_block } => {
                let cond = self.fixed(*cond)?;
                self.flush();
                let arrays = self.result_arrays(&inst.results);
                let then_block = self.nested(then_block, &arrays)?;
                let else_block = self.nested(else_block, &arrays)?;
                for (r, array) in inst.results.iter().zip(&arrays) {
                    if let Some(array) = array {
                        self.arrays.insert(*r, *array);
                    }
                }
                self.b.push(Inst { results: kept, kind: InstKind::If { cond, then_block, else_block } });
            }
            InstKind::For(l) => {
                self.fixed(l.lo)?;
                self.fixed(l.hi)?;
                let arrays = self.carried(&l.inits, &[&l.body.args[1..]], &inst.results);
                self.flush();
                let inits = kept_inits(self, &l.inits, &arrays)?;
                let body = self.nested(&l.body, &arrays)?;
                self.b.push(Inst { results: kept, kind: InstKind::For(ForLoop { inits, body, ..*l }) });
            }
            InstKind::While { inits, cond_block, body } => {
                let arrays = self.carried(inits, &[&body.args, &cond_block.args], &inst.results);
                self.flush();
                let inits = kept_inits(self, inits, &arrays)?;
                let cond_block = self.nested(cond_block, &[])?;
                let body = self.nested(body, &arrays)?;
                self.b.push(Inst { results: kept, kind: InstKind::While { inits, cond_block, body } });
            }
            _ => return None,
        }
        Some(())
    }
}

fn effect(kind: InstKind) -> Inst {
    Inst { results: Vec::new(), kind }
}

fn for_range(lo: Value, hi: Value, body: Block) -> ForLoop {
    ForLoop::plain(lo, hi, Vec::new(), body)
}
