//! Small arrays become scalars: local arrays of which each element is asked for by a number. An element is then a value like any
//! other: it is carried by loops and yielded by branches, so that a reversal saves what it needs of it rather than the array, and
//! passes that compare values see it.
//!
//! Method: construction of SSA form by a walk over structured code, as in Brandis and Mössenböck, "Single-pass generation of
//! static single-assignment form for structured languages" (1994). Loops over such arrays are written out by [`super::unroll`].

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::analysis::definitions::{Definitions, definitions, literal};
use crate::ir::{Binding, Block, Buffer, Dim, Func, Inst, InstKind, Op, Storage, StoreMode, Type, Value};

/// A longer array stays one.
const MOST: usize = 16;

/// Runs the pass.
pub(crate) fn scalars(mut func: Func) -> Func {
    let mut chosen = candidates(&func);
    if chosen.is_empty() {
        return func;
    }
    let defs = definitions(&func);
    func.body.visit(&mut |inst| {
        if let InstKind::Load { buffer, index } | InstKind::Store { buffer, index, .. } = &inst.kind
            && chosen.get(buffer).is_some_and(|extents| place(&defs, extents, index).is_none())
        {
            chosen.remove(buffer);
        }
    });
    if chosen.is_empty() {
        return func;
    }
    let mut body = std::mem::take(&mut func.body);
    let mut walk = Walk { func: &mut func, defs, chosen, held: HashMap::default(), same: HashMap::default() };
    walk.block(&mut body);
    let same = std::mem::take(&mut walk.same);
    func.body = body;
    func.replace_values(&same);
    func
}

/// Local arrays of few floats that are only made, filled, loaded from and stored to, and how long their axes are.
pub(super) fn candidates(func: &Func) -> HashMap<Buffer, Vec<usize>> {
    let mut found = HashMap::default();
    for (k, data) in func.buffers.iter().enumerate() {
        let extents: Option<Vec<usize>> = data
            .dims
            .iter()
            .map(|dim| match dim {
                Dim::Fixed(n) => n.trim_end_matches("usize").trim_end_matches('_').parse().ok(),
                _ => None,
            })
            .collect();
        if let Some(extents) = extents
            && data.storage == Storage::Local
            && data.elem.is_float()
            && (1..=MOST).contains(&extents.iter().product())
        {
            found.insert(Buffer(k as u32), extents);
        }
    }
    if found.is_empty() {
        return found;
    }
    for o in &func.outputs {
        if let Binding::Buffer(b) = o.binding {
            found.remove(&b);
        }
    }
    for like in func.buffers.iter().filter_map(|data| data.like) {
        found.remove(&like);
    }
    func.body.visit(&mut |inst| match &inst.kind {
        InstKind::Alloc { .. } | InstKind::Fill { .. } | InstKind::Load { .. } => {}
        InstKind::Store { buffer, value, mode, .. } => {
            // Other code's numbers can be added, but have no type of their own.
            let adds = *mode == StoreMode::Add && func.ty(*value) == &Type::Opaque;
            if func.ty(*value) != &func.buffer(*buffer).elem && !adds {
                found.remove(buffer);
            }
        }
        // What the condition of a loop changes has no way into its body.
        InstKind::While { cond_block, .. } => {
            for b in cond_block.writes() {
                found.remove(&b);
            }
        }
        kind => kind.each_buffer(|b| {
            found.remove(&b);
        }),
    });
    found
}

/// Which element an index of numbers asks for.
pub(super) fn place(defs: &Definitions, extents: &[usize], index: &[Value]) -> Option<usize> {
    if index.len() != extents.len() {
        return None;
    }
    index.iter().zip(extents).try_fold(0, |place, (i, extent)| {
        let i = usize::try_from(literal(defs, *i)?).ok()?;
        (i < *extent).then_some(place * extent + i)
    })
}

struct Walk<'a> {
    func: &'a mut Func,
    defs: Definitions,
    chosen: HashMap<Buffer, Vec<usize>>,
    /// The elements of the arrays, where we are.
    held: HashMap<Buffer, Vec<Value>>,
    /// What has been loaded.
    same: HashMap<Value, Value>,
}

impl Walk<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            inst.kind.map_operands(|v| *self.same.get(&v).unwrap_or(&v));
            self.inst(inst, &mut insts);
        }
        block.insts = insts;
        for y in &mut block.yields {
            *y = *self.same.get(y).unwrap_or(y);
        }
    }

    fn inst(&mut self, mut inst: Inst, out: &mut Vec<Inst>) {
        match &mut inst.kind {
            InstKind::Alloc { buffer, fill: value } | InstKind::Fill { buffer, value } => {
                if let Some(extents) = self.chosen.get(buffer) {
                    self.held.insert(*buffer, vec![*value; extents.iter().product()]);
                    return;
                }
            }
            InstKind::Load { buffer, index } => {
                if let Some(at) = self.place(*buffer, index) {
                    self.same.insert(inst.results[0], self.held[buffer][at]);
                    return;
                }
            }
            InstKind::Store { buffer, index, value, mode } => {
                if let Some(at) = self.place(*buffer, index) {
                    let mut value = *value;
                    if *mode == StoreMode::Add {
                        let sum = self.element(*buffer, at);
                        let args = vec![self.held[buffer][at], value];
                        out.push(Inst { results: vec![sum], kind: InstKind::Pure(Op::Add, args) });
                        value = sum;
                    }
                    if let Some(elements) = self.held.get_mut(buffer) {
                        elements[at] = value;
                    }
                    return;
                }
            }
            InstKind::If { then_block, else_block, .. } => {
                self.branches(&mut inst.results, then_block, else_block);
            }
            InstKind::For(l) => self.rounds(&mut inst.results, &mut l.inits, None, &mut l.body),
            InstKind::While { inits, cond_block, body } => {
                self.rounds(&mut inst.results, inits, Some(cond_block), body);
            }
            _ => {}
        }
        out.push(inst);
    }

    fn place(&self, buffer: Buffer, index: &[Value]) -> Option<usize> {
        place(&self.defs, self.chosen.get(&buffer)?, index)
    }

    /// A new value for an element.
    fn element(&mut self, buffer: Buffer, at: usize) -> Value {
        let data = self.func.buffer(buffer);
        let (elem, name) = (data.elem.clone(), format!("{}_{at}", data.name));
        self.func.new_value(elem, Some(name.into()))
    }

    /// Elements that are there and that either branch has made something else are results.
    fn branches(&mut self, results: &mut Vec<Value>, then_block: &mut Block, else_block: &mut Block) {
        let before = self.held.clone();
        self.block(then_block);
        let then_held = std::mem::replace(&mut self.held, before.clone());
        self.block(else_block);
        let else_held = std::mem::replace(&mut self.held, before);
        let (then_held, else_held) = match (then_block.diverges, else_block.diverges) {
            (true, _) => (&else_held, &else_held),
            (_, true) => (&then_held, &then_held),
            _ => (&then_held, &else_held),
        };
        for (buffer, at) in self.all() {
            let (t, e) = (then_held[&buffer][at], else_held[&buffer][at]);
            let now = self.held[&buffer][at];
            if t == now && e == now {
                continue;
            }
            if !then_block.diverges {
                then_block.yields.push(t);
            }
            if !else_block.diverges {
                else_block.yields.push(e);
            }
            let result = self.element(buffer, at);
            results.push(result);
            self.set(buffer, at, result);
        }
    }

    /// Elements that are there and that the loop changes are carried.
    fn rounds(
        &mut self,
        results: &mut Vec<Value>,
        inits: &mut Vec<Value>,
        mut cond_block: Option<&mut Block>,
        body: &mut Block,
    ) {
        let mut changed: HashSet<(Buffer, usize)> = HashSet::default();
        body.visit(&mut |inst| match &inst.kind {
            InstKind::Store { buffer, index, .. } => {
                changed.extend(self.place(*buffer, index).map(|at| (*buffer, at)));
            }
            InstKind::Fill { buffer, .. } => {
                let extents = self.chosen.get(buffer);
                let len = extents.map_or(0, |extents| extents.iter().product());
                changed.extend((0..len).map(|at| (*buffer, at)));
            }
            _ => {}
        });
        let mut carried = self.all();
        carried.retain(|element| changed.contains(element));
        let before = self.held.clone();
        for &(buffer, at) in &carried {
            inits.push(before[&buffer][at]);
        }
        if let Some(cond_block) = cond_block.as_mut() {
            self.bind(&carried, cond_block);
            self.block(cond_block);
        }
        self.bind(&carried, body);
        self.block(body);
        if !body.diverges {
            body.yields.extend(carried.iter().map(|(buffer, at)| self.held[buffer][*at]));
        }
        self.held = before;
        for &(buffer, at) in &carried {
            let result = self.element(buffer, at);
            results.push(result);
            self.set(buffer, at, result);
        }
    }

    /// Makes elements arguments of a block.
    fn bind(&mut self, elements: &[(Buffer, usize)], block: &mut Block) {
        for &(buffer, at) in elements {
            let arg = self.element(buffer, at);
            block.args.push(arg);
            self.set(buffer, at, arg);
        }
    }

    fn set(&mut self, buffer: Buffer, at: usize, value: Value) {
        if let Some(elements) = self.held.get_mut(&buffer) {
            elements[at] = value;
        }
    }

    /// All elements that are there, in order.
    fn all(&self) -> Vec<(Buffer, usize)> {
        let each = self.held.iter().flat_map(|(b, elements)| (0..elements.len()).map(|at| (*b, at)));
        let mut all: Vec<_> = each.collect();
        all.sort_unstable();
        all
    }
}
